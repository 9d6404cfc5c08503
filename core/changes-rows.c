/*
 * Which rows of a job go on: only those that are meant, where a saved diff says which; and where they stand in the source: of
 * one that is rejected later this is told, and to read the source again would take as long as the run did.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "changes-parts.h"
#include "spill.h"

#define PLACES_HELD 4096 /* of a job, in memory; then they go to a file, so many at a time */
#define WHAT	    "places of rows"

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

/* The mutex is held, here and in what it calls. What earlier tries of a split gave is passed over when places are read. */
static bool begin_try(struct changes *c, uint64_t split)
{
	if (split >= c->try_room) {
		uint32_t *at = realloc(c->tries, (size_t)(split + 1) * sizeof(*at));

		if (!at)
			return false;
		memset(at + c->try_room, 0, (size_t)(split + 1 - c->try_room) * sizeof(*at));
		c->tries = at;
		c->try_room = (size_t)split + 1;
	}
	c->tries[split]++;
	return true;
}

bool changes_begin_split(struct changes *c, uint64_t split)
{
	bool ok;

	pthread_mutex_lock(&c->mutex);
	ok = begin_try(c, split) && reset_left_out(c, split);
	pthread_mutex_unlock(&c->mutex);
	return ok;
}

static int flush(struct changes *c, struct etl_error *err)
{
	size_t size = c->place_count * sizeof(*c->places);

	if (c->file < 0)
		c->file = spill_file(WHAT, err);
	if (c->file < 0 || spill_write(c->file, WHAT, c->places, size, c->written * sizeof(*c->places), err) < 0)
		return ETL_FAILED;
	c->written += c->place_count;
	c->place_count = 0;
	return 0;
}

int changes_note(struct changes *c, const struct changes_place *place, struct etl_error *err)
{
	int rc = 0;

	pthread_mutex_lock(&c->mutex);
	if (!c->places && !(c->places = malloc(PLACES_HELD * sizeof(*c->places))))
		rc = error_memory(err);
	else if (c->place_count == PLACES_HELD)
		rc = flush(c, err);
	if (rc == 0)
		c->places[c->place_count++] = (struct noted_place){ *place, c->tries[place->split] };
	pthread_mutex_unlock(&c->mutex);
	return rc;
}

static int give(const struct changes *c, const struct noted_place *at, size_t count,
		int (*body)(void *, const struct changes_place *), void *data)
{
	int rc = 0;

	for (size_t i = 0; i < count && rc == 0; i++)
		if (at[i].nth == c->tries[at[i].place.split])
			rc = body(data, &at[i].place);
	return rc;
}

int changes_each_place(const struct job *job, int (*body)(void *, const struct changes_place *), void *data,
		       struct etl_error *err)
{
	const struct changes *c = job->changes;
	struct noted_place *page = c->written ? malloc(PLACES_HELD * sizeof(*page)) : NULL;
	int rc = c->written && !page ? error_memory(err) : 0;

	for (uint64_t at = 0; at < c->written && rc == 0; at += PLACES_HELD) {
		rc = spill_read(c->file, WHAT, page, PLACES_HELD * sizeof(*page), at * sizeof(*page), err);
		if (rc == 0)
			rc = give(c, page, PLACES_HELD, body, data);
	}
	free(page);
	return rc == 0 ? give(c, c->places, c->place_count, body, data) : rc;
}

void changes_forget_places(struct changes *c)
{
	if (c->file >= 0)
		close(c->file);
	free(c->places);
	free(c->tries);
}
