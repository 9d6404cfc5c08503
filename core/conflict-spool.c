/* See conflict-spool.h. */
#include "config.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conflict-spool.h"
#include "spill.h"

#define KEPT	  "what is kept of conflicts"
#define IN_MEMORY (1 << 20) /* bytes */

struct conflict_spool {
	pthread_mutex_t mutex;
	uint64_t *attempts; /* beside the splits */
	size_t split_room;
	uint8_t *buffer; /* IN_MEMORY bytes; what is before them is in the file */
	size_t used;
	int fd; /* -1: there is none yet */
	uint64_t written;
};

struct conflict_spool *conflict_spool_new(void)
{
	struct conflict_spool *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	pthread_mutex_init(&s->mutex, NULL);
	s->fd = -1;
	return s;
}

void conflict_spool_free(struct conflict_spool *s)
{
	if (!s)
		return;
	if (s->fd >= 0)
		close(s->fd);
	free(s->attempts);
	free(s->buffer);
	pthread_mutex_destroy(&s->mutex);
	free(s);
}

bool conflict_spool_begin(struct conflict_spool *s, uint64_t split)
{
	bool ok = true;

	pthread_mutex_lock(&s->mutex);
	if (split >= s->split_room) {
		uint64_t *at = realloc(s->attempts, (size_t)(split + 1) * sizeof(*at));

		ok = at != NULL;
		if (ok) {
			memset(at + s->split_room, 0, (size_t)(split + 1 - s->split_room) * sizeof(*at));
			s->attempts = at;
			s->split_room = (size_t)split + 1;
		}
	}
	if (ok)
		s->attempts[split]++;
	pthread_mutex_unlock(&s->mutex);
	return ok;
}

/* The mutex is held. */
static int flush(struct conflict_spool *s, struct etl_error *err)
{
	int rc;

	if (s->fd < 0 && (s->fd = spill_file(KEPT, err)) < 0)
		return ETL_FAILED;
	rc = spill_write(s->fd, KEPT, s->buffer, s->used, s->written, err);
	s->written += rc == 0 ? s->used : 0;
	s->used = 0;
	return rc;
}

static int put(struct conflict_spool *s, const void *bytes, size_t size, struct etl_error *err)
{
	const uint8_t *at = bytes;
	int rc = 0;

	if (!s->buffer && !(s->buffer = malloc(IN_MEMORY)))
		return error_memory(err);
	while (size > 0 && rc == 0) {
		size_t piece = IN_MEMORY - s->used < size ? IN_MEMORY - s->used : size;

		memcpy(s->buffer + s->used, at, piece);
		s->used += piece;
		at += piece;
		size -= piece;
		if (s->used == IN_MEMORY)
			rc = flush(s, err);
	}
	return rc;
}

int conflict_spool_add(struct conflict_spool *s, struct conflict_note note, const void *bytes, size_t size, struct etl_error *err)
{
	int rc;

	pthread_mutex_lock(&s->mutex);
	note.size = (uint32_t)size;
	note.attempt = s->attempts[note.split];
	rc = put(s, &note, sizeof(note), err);
	if (rc == 0)
		rc = put(s, bytes, size, err);
	pthread_mutex_unlock(&s->mutex);
	return rc;
}

/* ---- Reading --------------------------------------------------------------------------------- */

static int get(const struct conflict_spool *s, uint64_t at, void *to, size_t size, struct etl_error *err)
{
	size_t from_file = at >= s->written ? 0 : s->written - at < size ? (size_t)(s->written - at) : size;
	int rc = from_file ? spill_read(s->fd, KEPT, to, from_file, at, err) : 0;

	if (rc == 0 && from_file < size)
		memcpy((uint8_t *)to + from_file, s->buffer + (at + from_file - s->written), size - from_file);
	return rc;
}

int conflict_spool_next(struct conflict_reading *r, struct conflict_note *ret, const void **ret_bytes, struct etl_error *err)
{
	const struct conflict_spool *s = r->spool;
	uint64_t end = s->written + s->used;
	int rc;

	while (r->at < end) {
		rc = get(s, r->at, ret, sizeof(*ret), err);
		if (rc < 0)
			return rc;
		r->at += sizeof(*ret) + ret->size;
		if (ret->attempt != s->attempts[ret->split])
			continue;
		if (ret->size > r->room) {
			void *more = realloc(r->bytes, ret->size);

			if (!more)
				return error_memory(err);
			r->bytes = more;
			r->room = ret->size;
		}
		*ret_bytes = r->bytes;
		rc = get(s, r->at - ret->size, r->bytes, ret->size, err);
		return rc < 0 ? rc : 1;
	}
	return 0;
}

void conflict_reading_clear(struct conflict_reading *r)
{
	free(r->bytes);
}
