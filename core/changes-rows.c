/*
 * Which rows of a job go on: only those that are meant, where a saved diff says which; and where they stand in the source, as
 * long as they are few.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "changes-parts.h"

#define PLACES_MOST (1 << 17)

/* ---- Only some of them ---------------------------------------------------------------------------- */

static int compare_keys(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

void changes_only(struct job *job, uint64_t *hashes, size_t count)
{
	qsort(hashes, count, sizeof(*hashes), compare_keys);
	job->changes->narrow = true;
	job->changes->only = hashes;
	job->changes->only_count = count;
}

bool changes_is_meant(const struct job *job, uint64_t key)
{
	const struct changes *c = job->changes;

	return !c->narrow || bsearch(&key, c->only, c->only_count, sizeof(key), compare_keys);
}

uint64_t changes_left_out(const struct job *job)
{
	const struct changes *c = job->changes;
	uint64_t sum = 0;

	for (size_t i = 0; c && i < c->split_room; i++)
		sum += c->left_out[i];
	return sum;
}

/* The mutex is held. */
static bool reset_left_out(struct changes *c, uint64_t split)
{
	if (split >= c->split_room) {
		uint64_t *at = realloc(c->left_out, (size_t)(split + 1) * sizeof(*at));

		if (!at)
			return false;
		memset(at + c->split_room, 0, (size_t)(split + 1 - c->split_room) * sizeof(*at));
		c->left_out = at;
		c->split_room = (size_t)split + 1;
	}
	c->left_out[split] = 0;
	return true;
}

void changes_leave_out(struct changes *c, uint64_t split, uint64_t rows)
{
	if (!rows)
		return;
	pthread_mutex_lock(&c->mutex);
	c->left_out[split] += rows;
	pthread_mutex_unlock(&c->mutex);
}

/* ---- Where they stand ------------------------------------------------------------------------------ */

static void forget_places(struct changes *c, uint64_t split)
{
	size_t count = 0;

	for (size_t i = 0; i < c->place_count; i++)
		if (c->places[i].split != split)
			c->places[count++] = c->places[i];
	c->place_count = count;
}

bool changes_begin_split(struct changes *c, uint64_t split)
{
	bool ok;

	pthread_mutex_lock(&c->mutex);
	forget_places(c, split);
	ok = !c->narrow || reset_left_out(c, split);
	pthread_mutex_unlock(&c->mutex);
	return ok;
}

static bool make_room(struct changes *c)
{
	size_t room = c->place_room ? 2 * c->place_room : 256;
	struct changes_place *places;

	if (c->place_count < c->place_room)
		return true;
	places = room > PLACES_MOST ? NULL : realloc(c->places, room * sizeof(*places));
	if (!places)
		return false;
	c->places = places;
	c->place_room = room;
	return true;
}

void changes_note(struct changes *c, struct changes_place place)
{
	pthread_mutex_lock(&c->mutex);
	c->many = c->many || !make_room(c);
	if (!c->many)
		c->places[c->place_count++] = place;
	pthread_mutex_unlock(&c->mutex);
}

const struct changes_place *changes_places(const struct job *job, size_t *ret_count)
{
	const struct changes *c = job->changes;

	if (!c || c->many)
		return NULL;
	*ret_count = c->place_count;
	return c->places;
}
