/*
 * Rows are sorted by the hash of their key, whose first bits say where to look: hashes are spread evenly, so a bucket holds
 * about as many as any other. What is more than the memory is written in sorted runs, which are merged into one.
 */
#include "config.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "changes-set.h"
#include "spill.h"

#define KEPT	      "hashes of rows"
#define IN_MEMORY     8	   /* rows of a bucket, about */
#define IN_FILE	      128  /* likewise, read at once */
#define READ_AT_ONCE  256  /* rows */
#define MERGED_AT_ONCE 4096 /* rows of each run, and of the result */
#define FEW	      32   /* rows that are sorted by insertion */

struct entry {
	uint64_t key, row;
};

struct changes_set {
	size_t most; /* rows in memory */
	struct entry *at;
	size_t count, room;
	int fd;		    /* -1: all are in memory */
	uint64_t *run_ends; /* of the runs in the file, in rows, one after the other */
	size_t runs;
	uint64_t rows; /* of all */
	unsigned shift; /* of a key: the rest is its bucket */
	uint64_t *starts; /* of the buckets among the rows, and the end of the last */
	_Atomic uint64_t *met; /* a bit for each row */
	_Atomic uint32_t *by;  /* who met it first; 0: nobody that claims it */
	_Atomic uint64_t met_count;
	bool plain; /* there is no `by` */
};

struct changes_set *changes_set_new(size_t memory)
{
	struct changes_set *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->most = memory / sizeof(struct entry);
	if (s->most < READ_AT_ONCE)
		s->most = READ_AT_ONCE;
	s->fd = -1;
	return s;
}

void changes_set_plain(struct changes_set *s)
{
	s->plain = true;
}

void changes_set_free(struct changes_set *s)
{
	if (!s)
		return;
	if (s->fd >= 0)
		close(s->fd);
	free(s->at);
	free(s->run_ends);
	free(s->starts);
	free((void *)s->met);
	free((void *)s->by);
	free(s);
}

/* ---- Sorting --------------------------------------------------------------------------------- */

static void insertion_sort(struct entry *at, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		struct entry e = at[i];
		size_t k = i;

		for (; k > 0 && at[k - 1].key > e.key; k--)
			at[k] = at[k - 1];
		at[k] = e;
	}
}

/* In place, by the byte at SHIFT and those below it: a copy would take as much memory again. */
static void radix_sort(struct entry *at, size_t count, unsigned shift)
{
	size_t next[256] = { 0 }, end[256], sum = 0;

	if (count <= FEW) {
		insertion_sort(at, count);
		return;
	}
	for (size_t i = 0; i < count; i++)
		next[at[i].key >> shift & 255]++;
	for (size_t b = 0; b < 256; b++) {
		size_t here = next[b];

		next[b] = sum;
		sum += here;
		end[b] = sum;
	}
	for (size_t b = 0; b < 256; b++)
		while (next[b] < end[b]) {
			struct entry e = at[next[b]];
			size_t to = e.key >> shift & 255;

			at[next[b]] = at[next[to]];
			at[next[to]++] = e;
		}
	for (size_t b = 0, from = 0; shift > 0 && b < 256; from = end[b++])
		radix_sort(at + from, end[b] - from, shift - 8);
}

/* ---- Adding ---------------------------------------------------------------------------------- */

static int write_run(struct changes_set *s, struct etl_error *err)
{
	uint64_t from = s->runs ? s->run_ends[s->runs - 1] : 0;
	uint64_t *ends = realloc(s->run_ends, (s->runs + 1) * sizeof(*ends));
	int rc;

	if (!ends)
		return error_memory(err);
	s->run_ends = ends;
	if (s->fd < 0 && (s->fd = spill_file(KEPT, err)) < 0)
		return ETL_FAILED;
	radix_sort(s->at, s->count, 56);
	rc = spill_write(s->fd, KEPT, s->at, s->count * sizeof(*s->at), from * sizeof(*s->at), err);
	s->run_ends[s->runs++] = from + s->count;
	s->count = 0;
	return rc;
}

static bool grow(struct changes_set *s)
{
	size_t room = s->room ? 2 * s->room : READ_AT_ONCE;
	struct entry *at;

	if (room > s->most)
		room = s->most;
	at = realloc(s->at, room * sizeof(*at));
	if (!at)
		return false;
	s->at = at;
	s->room = room;
	return true;
}

int changes_set_add(struct changes_set *s, uint64_t key, uint64_t row, struct etl_error *err)
{
	if (s->count == s->room && s->room < s->most && !grow(s))
		return error_memory(err);
	if (s->count == s->room) {
		int rc = write_run(s, err);

		if (rc < 0)
			return rc;
	}
	s->at[s->count++] = (struct entry){ key, row };
	s->rows++;
	return 0;
}

/* ---- Merging --------------------------------------------------------------------------------- */

struct run {
	struct entry *at;
	size_t next, count;
	uint64_t place, end; /* of what is not read yet */
};

static int fill(const struct changes_set *s, struct run *run, struct etl_error *err)
{
	size_t count = run->end - run->place < MERGED_AT_ONCE ? (size_t)(run->end - run->place) : MERGED_AT_ONCE;
	int rc = spill_read(s->fd, KEPT, run->at, count * sizeof(*run->at), run->place * sizeof(*run->at), err);

	run->next = 0;
	run->count = rc == 0 ? count : 0;
	run->place += run->count;
	return rc;
}

/* The run whose next row is the first; NULL: there is none. */
static struct run *first_of(struct run *runs, size_t count)
{
	struct run *first = NULL;

	for (size_t i = 0; i < count; i++)
		if (runs[i].next < runs[i].count &&
		    (!first || runs[i].at[runs[i].next].key < first->at[first->next].key))
			first = &runs[i];
	return first;
}

static int merge_all(const struct changes_set *s, struct run *runs, struct entry *out, int to, struct etl_error *err)
{
	uint64_t written = 0;
	size_t count = 0;
	struct run *run;
	int rc = 0;

	for (size_t i = 0; i < s->runs && rc == 0; i++)
		rc = fill(s, &runs[i], err);
	while (rc == 0 && (run = first_of(runs, s->runs)) != NULL) {
		out[count++] = run->at[run->next++];
		if (run->next == run->count && run->place < run->end)
			rc = fill(s, run, err);
		if (rc == 0 && count == MERGED_AT_ONCE) {
			rc = spill_write(to, KEPT, out, count * sizeof(*out), written * sizeof(*out), err);
			written += count;
			count = 0;
		}
	}
	return rc < 0 ? rc : spill_write(to, KEPT, out, count * sizeof(*out), written * sizeof(*out), err);
}

static int merge(struct changes_set *s, struct etl_error *err)
{
	struct run *runs = calloc(s->runs, sizeof(*runs));
	struct entry *buffers = malloc((s->runs + 1) * MERGED_AT_ONCE * sizeof(*buffers));
	int rc = 0, to = -1;

	for (size_t i = 0; runs && buffers && i < s->runs; i++)
		runs[i] = (struct run){ .at = buffers + (i + 1) * MERGED_AT_ONCE,
					.place = i ? s->run_ends[i - 1] : 0,
					.end = s->run_ends[i] };
	if (!runs || !buffers)
		rc = error_memory(err);
	else if ((to = spill_file(KEPT, err)) < 0)
		rc = ETL_FAILED;
	else
		rc = merge_all(s, runs, buffers, to, err);
	free(runs);
	free(buffers);
	if (to >= 0) {
		close(s->fd);
		s->fd = to;
	}
	return rc;
}

/* ---- Finding --------------------------------------------------------------------------------- */

/* Rows FROM and on, as many as COUNT. */
static int rows_at(const struct changes_set *s, uint64_t from, size_t count, struct entry *buffer,
		   const struct entry **ret, struct etl_error *err)
{
	if (s->fd < 0) {
		*ret = s->at + from;
		return 0;
	}
	*ret = buffer;
	return spill_read(s->fd, KEPT, buffer, count * sizeof(*buffer), from * sizeof(*buffer), err);
}

static int find_starts(struct changes_set *s, struct etl_error *err)
{
	struct entry buffer[READ_AT_ONCE];
	const struct entry *at;
	uint64_t buckets = 1, bucket = 0, each = s->fd < 0 ? IN_MEMORY : IN_FILE;
	int rc = 0;

	s->shift = 64;
	for (; buckets * each < s->rows; buckets *= 2)
		s->shift--;
	s->starts = malloc((buckets + 1) * sizeof(*s->starts));
	if (!s->starts)
		return error_memory(err);
	for (uint64_t i = 0; i < s->rows && rc == 0;) {
		size_t count = s->rows - i < READ_AT_ONCE ? (size_t)(s->rows - i) : READ_AT_ONCE;

		rc = rows_at(s, i, count, buffer, &at, err);
		for (size_t k = 0; rc == 0 && k < count; k++, i++)
			while (s->shift < 64 && bucket <= at[k].key >> s->shift)
				s->starts[bucket++] = i;
	}
	if (s->shift == 64)
		s->starts[bucket++] = 0;
	while (bucket <= buckets)
		s->starts[bucket++] = s->rows;
	return rc;
}

static int end(struct changes_set *s, struct etl_error *err)
{
	int rc = 0;

	if (s->fd >= 0 && s->count)
		rc = write_run(s, err);
	if (rc == 0 && s->fd >= 0) {
		free(s->at);
		s->at = NULL;
		if (s->runs > 1)
			rc = merge(s, err);
	} else if (rc == 0) {
		radix_sort(s->at, s->count, 56);
	}
	if (rc == 0)
		rc = find_starts(s, err);
	s->met = calloc((size_t)(s->rows / 64) + 1, sizeof(*s->met));
	s->by = s->plain ? NULL : calloc((size_t)s->rows + 1, sizeof(*s->by));
	return rc == 0 && (!s->met || (!s->by && !s->plain)) ? error_memory(err) : rc;
}

int changes_set_close(struct changes_set *s, int rc, struct changes_set **ret, struct etl_error *err)
{
	if (rc == 0)
		rc = end(s, err);
	if (rc == 0)
		*ret = s;
	else
		changes_set_free(s);
	return rc;
}

static bool is_met(const struct changes_set *s, uint64_t row)
{
	return atomic_load_explicit(&s->met[row / 64], memory_order_relaxed) >> row % 64 & 1;
}

static void meet(struct changes_set *s, uint64_t row)
{
	uint64_t bit = UINT64_C(1) << row % 64;

	if (!(atomic_fetch_or_explicit(&s->met[row / 64], bit, memory_order_relaxed) & bit))
		atomic_fetch_add_explicit(&s->met_count, 1, memory_order_relaxed);
}

/* False: it is somebody else's. */
static bool claim(struct changes_set *s, uint64_t row, uint32_t who)
{
	uint32_t nobody = 0;

	return !who || s->plain || atomic_compare_exchange_strong_explicit(&s->by[row], &nobody, who, memory_order_relaxed,
								       memory_order_relaxed) ||
	       nobody == who;
}

/* The rows that may have KEY, bucket by pieces of what is read at once. */
struct look {
	uint64_t next, end;
	size_t count;
	const struct entry *at;
	struct entry buffer[READ_AT_ONCE];
};

static void look_for(const struct changes_set *s, uint64_t key, struct look *look)
{
	uint64_t bucket = s->shift < 64 ? key >> s->shift : 0;

	look->next = s->starts[bucket];
	look->end = s->starts[bucket + 1];
}

/* 1: the next rows; 0: there are none. */
static int look_on(const struct changes_set *s, struct look *look, struct etl_error *err)
{
	uint64_t rest = look->end - look->next;
	int rc;

	if (rest == 0)
		return 0;
	look->count = s->fd < 0 || rest < READ_AT_ONCE ? (size_t)rest : READ_AT_ONCE;
	rc = rows_at(s, look->next, look->count, look->buffer, &look->at, err);
	look->next += look->count;
	return rc < 0 ? rc : 1;
}

void changes_set_expect(const struct changes_set *s, uint64_t key, bool soon)
{
	uint64_t bucket = s->shift < 64 ? key >> s->shift : 0, at;

	if (s->fd >= 0 || !s->rows)
		return;
	if (!soon) {
		__builtin_prefetch(&s->starts[bucket]);
		return;
	}
	at = s->starts[bucket];
	if (at + IN_MEMORY > s->rows)
		return;
	/* IN_MEMORY rows, about: two lines of a cache. */
	__builtin_prefetch(&s->at[at]);
	__builtin_prefetch(&s->at[at] + IN_MEMORY / 2);
	if (s->by)
		__builtin_prefetch((const void *)&s->by[at], 1);
}

int changes_set_meet(struct changes_set *s, uint64_t key, uint64_t row, uint32_t who, enum changes_found *ret,
		     struct etl_error *err)
{
	struct look look;
	int rc;

	*ret = CHANGES_NONE;
	look_for(s, key, &look);
	while ((rc = look_on(s, &look, err)) > 0)
		for (size_t i = 0; i < look.count; i++) {
			if (look.at[i].key != key)
				continue;
			meet(s, look.next - look.count + i);
			if (!claim(s, look.next - look.count + i, who))
				*ret = CHANGES_TWICE;
			else if (*ret == CHANGES_NONE || *ret == CHANGES_OTHER)
				*ret = look.at[i].row == row ? CHANGES_SAME : CHANGES_OTHER;
		}
	return rc;
}

int changes_set_is_left(struct changes_set *s, uint64_t key, bool *ret, struct etl_error *err)
{
	bool any = false, met = false;
	struct look look;
	int rc;

	look_for(s, key, &look);
	while ((rc = look_on(s, &look, err)) > 0)
		for (size_t i = 0; i < look.count; i++)
			if (look.at[i].key == key) {
				any = true;
				met |= is_met(s, look.next - look.count + i);
			}
	*ret = any && !met;
	return rc;
}

uint64_t changes_set_left(const struct changes_set *s)
{
	return s->rows - atomic_load_explicit(&s->met_count, memory_order_relaxed);
}

uint64_t changes_set_rows(const struct changes_set *s)
{
	return s->rows;
}

int changes_set_find(const struct changes_set *s, uint64_t key, bool *ret_found, uint64_t *ret_row, struct etl_error *err)
{
	struct look look;
	int rc;

	*ret_found = false;
	look_for(s, key, &look);
	while ((rc = look_on(s, &look, err)) > 0 && !*ret_found)
		for (size_t i = 0; i < look.count && !*ret_found; i++)
			if (look.at[i].key == key) {
				*ret_found = true;
				*ret_row = look.at[i].row;
			}
	return rc < 0 ? rc : 0;
}

int changes_walk_next(struct changes_walk *w, uint64_t *ret_key, uint64_t *ret_row, bool *ret_met, struct etl_error *err)
{
	const struct changes_set *s = w->set;
	struct entry *buffer = (struct entry *)(void *)w->buffer;
	const struct entry *at = buffer;
	int rc = 0;

	if (w->next == s->rows)
		return 0;
	if (w->next == w->read) {
		size_t count = s->rows - w->next < CHANGES_WALK ? (size_t)(s->rows - w->next) : CHANGES_WALK;

		rc = rows_at(s, w->next, count, buffer, &at, err);
		if (rc < 0)
			return rc;
		if (at != buffer)
			memcpy(buffer, at, count * sizeof(*buffer));
		w->read += count;
	}
	at = buffer + w->next % CHANGES_WALK;
	*ret_key = at->key;
	*ret_row = at->row;
	*ret_met = is_met(s, w->next++);
	return 1;
}
