/* See diff-spool.h. A record is a head and its bytes; a run is records in order. */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "diff-spool.h"
#include "spill.h"

#define KEPT "differences"

#define READ_SIZE  (64 << 10) /* bytes read of a run at a time */
#define SMALL_REST (64 << 10) /* bytes that may stay in memory */

struct head {
	int32_t kind;
	uint32_t key_size, source_size, target_size;
};

/* Where a run is read: NOW is its next record, when it is live. */
struct cursor {
	off_t at, end; /* of what is not yet in the buffer */
	uint8_t *buffer;
	size_t room, have, used;
	bool live;
	struct diff_found now;
};

struct run_place {
	off_t at, end;
};

struct diff_spool {
	size_t memory;
	/* The records in memory, and where each begins. */
	uint8_t *bytes;
	size_t used, room;
	size_t *places, count, places_room;
	bool sorted;
	int fd; /* -1: no file yet */
	off_t size;
	struct run_place *runs;
	size_t run_count;
	/* Of a walk: a cursor for each run; the last one is that of the memory. */
	struct cursor *cursors;
	size_t memory_at;
	struct cursor *last; /* whose record was given */
};

struct diff_spool *diff_spool_new(size_t memory)
{
	struct diff_spool *s = calloc(1, sizeof(*s));

	if (s) {
		s->memory = memory;
		s->fd = -1;
	}
	return s;
}

static void free_cursors(struct diff_spool *s)
{
	for (size_t i = 0; s->cursors && i < s->run_count; i++)
		free(s->cursors[i].buffer);
	free(s->cursors);
	s->cursors = NULL;
}

void diff_spool_free(struct diff_spool *s)
{
	if (!s)
		return;
	free_cursors(s);
	if (s->fd >= 0)
		close(s->fd);
	free(s->runs);
	free(s->bytes);
	free(s->places);
	free(s);
}

/* ---- Records in memory ----------------------------------------------------------------------- */

static void read_record(const uint8_t *at, struct diff_found *ret)
{
	struct head head;

	memcpy(&head, at, sizeof(head));
	at += sizeof(head);
	*ret = (struct diff_found){ .kind = head.kind,
				    .key = at,
				    .key_size = head.key_size,
				    .source_size = head.source_size,
				    .target_size = head.target_size };
	at += head.key_size;
	if (head.kind != DIFF_DELETED)
		ret->source = at;
	at += head.source_size;
	if (head.kind != DIFF_NEW)
		ret->target = at;
}

static size_t record_size(const struct diff_found *f)
{
	return sizeof(struct head) + f->key_size + (size_t)f->source_size + f->target_size;
}

static int compare_found(const struct diff_found *a, const struct diff_found *b)
{
	int order = memcmp(a->key, b->key, a->key_size < b->key_size ? a->key_size : b->key_size);

	if (order)
		return order;
	if (a->key_size != b->key_size)
		return a->key_size < b->key_size ? -1 : 1;
	return a->kind - b->kind;
}

static int compare_places(const void *a, const void *b, void *data)
{
	const struct diff_spool *s = data;
	struct diff_found x, y;

	read_record(s->bytes + *(const size_t *)a, &x);
	read_record(s->bytes + *(const size_t *)b, &y);
	return compare_found(&x, &y);
}

static void sort(struct diff_spool *s)
{
	if (!s->sorted && s->count)
		qsort_r(s->places, s->count, sizeof(*s->places), compare_places, s);
	s->sorted = true;
}

/* ---- Runs in the file ------------------------------------------------------------------------ */

static int write_all(struct diff_spool *s, const uint8_t *at, size_t size, struct etl_error *err)
{
	int rc = spill_write(s->fd, KEPT, at, size, (uint64_t)s->size, err);

	if (rc == 0)
		s->size += (off_t)size;
	return rc;
}

static int write_records(struct diff_spool *s, struct etl_error *err)
{
	int rc = 0;

	for (size_t i = 0; i < s->count && rc == 0; i++) {
		struct diff_found found;

		read_record(s->bytes + s->places[i], &found);
		rc = write_all(s, s->bytes + s->places[i], record_size(&found), err);
	}
	return rc;
}

static int write_run(struct diff_spool *s, struct etl_error *err)
{
	struct run_place *runs = realloc(s->runs, (s->run_count + 1) * sizeof(*runs));
	int rc;

	if (!runs)
		return error_memory(err);
	s->runs = runs;
	if (s->fd < 0 && (s->fd = spill_file(KEPT, err)) < 0)
		return ETL_FAILED;
	sort(s);
	runs[s->run_count].at = s->size;
	rc = write_records(s, err);
	if (rc < 0)
		return rc;
	runs[s->run_count++].end = s->size;
	s->count = s->used = 0;
	return 0;
}

static bool make_room(struct diff_spool *s, size_t size)
{
	if (s->used + size > s->room) {
		size_t room = s->room ? s->room : READ_SIZE;
		uint8_t *bytes;

		while (room < s->used + size)
			room *= 2;
		bytes = realloc(s->bytes, room);
		if (!bytes)
			return false;
		s->bytes = bytes;
		s->room = room;
	}
	if (s->count == s->places_room) {
		size_t room = s->places_room ? 2 * s->places_room : 64;
		size_t *places = realloc(s->places, room * sizeof(*places));

		if (!places)
			return false;
		s->places = places;
		s->places_room = room;
	}
	return true;
}

static void append(struct diff_spool *s, const void *bytes, size_t size)
{
	if (size)
		memcpy(s->bytes + s->used, bytes, size);
	s->used += size;
}

int diff_spool_add(struct diff_spool *s, const struct diff_found *f, struct etl_error *err)
{
	struct head head = { f->kind, f->key_size, f->source_size, f->target_size };
	int rc = s->count && s->used + record_size(f) > s->memory ? write_run(s, err) : 0;

	if (rc < 0)
		return rc;
	if (!make_room(s, record_size(f)))
		return error_memory(err);
	s->places[s->count++] = s->used;
	append(s, &head, sizeof(head));
	append(s, f->key, f->key_size);
	append(s, f->source, f->source_size);
	append(s, f->target, f->target_size);
	s->sorted = false;
	return 0;
}

int diff_spool_rest(struct diff_spool *s, struct etl_error *err)
{
	int rc = s->used > SMALL_REST ? write_run(s, err) : 0;

	if (rc == 0 && s->count == 0) {
		free(s->bytes);
		free(s->places);
		s->bytes = NULL;
		s->places = NULL;
		s->room = s->places_room = 0;
	}
	return rc;
}

/* ---- Walking --------------------------------------------------------------------------------- */

/* At least NEED bytes behind what was used. */
static int fill(const struct diff_spool *s, struct cursor *c, size_t need, struct etl_error *err)
{
	if (c->have - c->used >= need)
		return 0;
	memmove(c->buffer, c->buffer + c->used, c->have - c->used);
	c->have -= c->used;
	c->used = 0;
	if (need > c->room) {
		uint8_t *buffer = realloc(c->buffer, need);

		if (!buffer)
			return error_memory(err);
		c->buffer = buffer;
		c->room = need;
	}
	while (c->have < need) {
		size_t want = c->room - c->have;
		int rc;

		if ((off_t)want > c->end - c->at)
			want = (size_t)(c->end - c->at);
		rc = spill_read(s->fd, KEPT, c->buffer + c->have, want, (uint64_t)c->at, err);
		if (rc < 0)
			return rc;
		c->at += (off_t)want;
		c->have += want;
	}
	return 0;
}

static int step_file(const struct diff_spool *s, struct cursor *c, struct etl_error *err)
{
	int rc;

	if (c->live)
		c->used += record_size(&c->now);
	c->live = false;
	if (c->used == c->have && c->at == c->end)
		return 0;
	rc = fill(s, c, sizeof(struct head), err);
	if (rc == 0) {
		read_record(c->buffer + c->used, &c->now);
		rc = fill(s, c, record_size(&c->now), err);
	}
	if (rc < 0)
		return rc;
	read_record(c->buffer + c->used, &c->now);
	c->live = true;
	return 0;
}

static int step(struct diff_spool *s, struct cursor *c, struct etl_error *err)
{
	if (c != &s->cursors[s->run_count])
		return step_file(s, c, err);
	c->live = s->memory_at < s->count;
	if (c->live)
		read_record(s->bytes + s->places[s->memory_at++], &c->now);
	return 0;
}

int diff_spool_rewind(struct diff_spool *s, struct etl_error *err)
{
	int rc = 0;

	free_cursors(s);
	sort(s);
	s->memory_at = 0;
	s->last = NULL;
	s->cursors = calloc(s->run_count + 1, sizeof(*s->cursors));
	if (!s->cursors)
		return error_memory(err);
	for (size_t i = 0; i <= s->run_count && rc == 0; i++) {
		struct cursor *c = &s->cursors[i];

		if (i < s->run_count) {
			c->at = s->runs[i].at;
			c->end = s->runs[i].end;
			c->room = READ_SIZE;
			c->buffer = malloc(c->room);
			if (!c->buffer)
				return error_memory(err);
		}
		rc = step(s, c, err);
	}
	return rc;
}

int diff_spool_next(struct diff_spool *s, struct diff_found *ret, struct etl_error *err)
{
	struct cursor *least = NULL;
	int rc = s->last ? step(s, s->last, err) : 0;

	if (rc < 0)
		return rc;
	for (size_t i = 0; i <= s->run_count; i++) {
		struct cursor *c = &s->cursors[i];

		if (c->live && (!least || compare_found(&c->now, &least->now) < 0))
			least = c;
	}
	s->last = least;
	if (!least)
		return 0;
	*ret = least->now;
	return 1;
}
