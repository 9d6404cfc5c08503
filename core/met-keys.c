/* See met-keys.h. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "met-keys.h"

void met_keys_init(struct met_keys *m)
{
	memset(m, 0, sizeof(*m));
	pthread_mutex_init(&m->mutex, NULL);
}

void met_keys_clear(struct met_keys *m)
{
	pthread_mutex_destroy(&m->mutex);
	free(m->at);
	memset(m, 0, sizeof(*m));
}

static bool add(struct met_keys *m, uint64_t key)
{
	if (m->count == m->room) {
		size_t room = m->room ? 2 * m->room : 64;
		uint64_t *at = realloc(m->at, room * sizeof(*at));

		if (!at)
			return false;
		m->at = at;
		m->room = room;
	}
	m->at[m->count++] = key;
	m->sorted = false;
	return true;
}

bool met_keys_add(struct met_keys *m, uint64_t key)
{
	bool ok;

	pthread_mutex_lock(&m->mutex);
	ok = add(m, key);
	pthread_mutex_unlock(&m->mutex);
	return ok;
}

void met_keys_add_unknown(struct met_keys *m)
{
	pthread_mutex_lock(&m->mutex);
	m->unknown++;
	pthread_mutex_unlock(&m->mutex);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

bool met_keys_has(struct met_keys *m, uint64_t key)
{
	bool found;

	pthread_mutex_lock(&m->mutex);
	if (!m->sorted && m->count)
		qsort(m->at, m->count, sizeof(*m->at), compare);
	m->sorted = true;
	found = m->count && bsearch(&key, m->at, m->count, sizeof(key), compare);
	pthread_mutex_unlock(&m->mutex);
	return found;
}
