/*
 * Digests by the servers: both are asked at once for the digests of all parts of a table; what differs is
 * divided again, and read only when it is small. Digests say where to look, never what differs, so
 * all that has to hold is that equal digests mean equal rows: the same columns, of types that are
 * written alike, nothing done to them between, and a self-test that both servers pass.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "diff-parts.h"
#include "log.h"
#include "refused.h"
#include "spread.h"

#define ROWS_A_PART   500  /* of the first digests: a part that differs is read */
#define MOST_PARTS    4096
#define ROWS_READ     1000 /* rows that are rather read than divided again */
#define ROWS_IN_TURN  50000 /* rows of neighbours that differ, read in one piece */
#define DIVIDE	      32
#define WIDEST	      (INT64_C(1) << 62)

struct ask_side {
	struct diff *diff;
	struct instance *instance;
	struct etl_column *columns; /* as the store describes them */
	struct etl_digest_ask ask;
	int64_t least, most;
	/* Of the digests that are being asked. */
	struct etl_digest_sink sink;
	struct etl_digest *parts;
	uint64_t part_count;
	struct etl_error *err;
};

struct push {
	struct diff *diff;
	struct ask_side sides[2];
	int64_t *key;
	uint64_t rows; /* of the larger side, as the digests say */
	/* Neighbours that differ and are not read yet. */
	struct diff_range waiting;
	uint64_t waiting_rows;
};

/* ---- Whether it can be ----------------------------------------------------------------------- */

/* Types of one class are written alike, whatever their width. */
static int32_t class_of(int32_t type)
{
	switch (type) {
	case ETL_BOOL:
	case ETL_INT16:
	case ETL_INT32:
		return ETL_INT64;
	case ETL_FLOAT32:
		return ETL_FLOAT64;
	case ETL_DECIMAL:
		return ETL_NUMERIC;
	case ETL_JSON:
		return ETL_TEXT;
	default:
		return type;
	}
}

static bool is_plain(const struct diff *d)
{
	const struct job *job = d->job;

	if (!d->run->source->plugin->can_digests || !d->run->target->plugin->can_digests ||
	    job->transforms.count || job->dataset.query || job->replay || d->keeps_others ||
	    job->respelt || job->stays || d->verify.refused->count || (size_t)job->rows.n_children != job->cast_count)
		return false;
	for (size_t i = 0; i < job->cast_count; i++)
		if (!diff_is_taken_over(&job->cast[i]))
			return false;
	return true;
}

/* The columns of one side, in the order of job->rows; false: one is missing, or of another class. */
static bool match_columns(struct ask_side *s, const struct etl_table *table, bool source)
{
	const struct job *job = s->diff->job;
	size_t count = job->cast_count;

	for (size_t i = 0; i < count; i++) {
		int64_t at = table_find_column(
			table, source ? job->want.children[job->cast[i].from]->name :
					job->rows.children[i]->name);
		const struct etl_column *column = at >= 0 ? table_column(table, (size_t)at) : NULL;

		if (!column || (column->flags & ETL_CONSTANT) ||
		    class_of(column->type) != class_of(etl_type_of(job->rows.children[i]).type) ||
		    column->type == ETL_ANY || column->type == ETL_TYPE_NONE)
			return false;
		s->columns[i] = *column;
	}
	s->ask.columns = s->columns;
	s->ask.column_count = count;
	s->ask.column_size = sizeof(*s->columns);
	return true;
}

static bool make_side(struct push *p, size_t i, struct instance *instance,
		      const struct etl_table *table, const struct etl_dataset *dataset)
{
	struct ask_side *s = &p->sides[i];
	const struct job *job = p->diff->job;

	s->diff = p->diff;
	s->instance = instance;
	s->columns = calloc(job->cast_count + 1, sizeof(*s->columns));
	s->ask.dataset = *dataset;
	s->ask.key = job->key_count ? job->key : p->key;
	s->ask.key_count = job->key_count ? job->key_count : job->cast_count;
	return s->columns && match_columns(s, table, i == DIFF_SOURCE);
}

/* ---- The self-test --------------------------------------------------------------------------- */

static bool own_hashes(const struct etl_digest_ask *ask, const struct ArrowSchema *schema,
		       const struct ArrowArray *rows, uint64_t *keys, uint64_t *ret)
{
	struct canon *canon = canon_new(schema, ask->key, ask->key_count, ask->hash);
	bool ok = canon && canon_batch(canon, rows, keys, ret);

	canon_free(canon);
	return ok;
}

/* Of types that a store does not write as we do there is nothing to say to a person. */
static int not_offered(const struct ask_side *s, struct etl_error *err)
{
	if (!err->set || err->klass != ETL_USAGE)
		return ETL_FAILED;
	log_line(ETL_LOG_DEBUG, "\"%s\": plugin %s computes no digests of it: %s",
		 job_name(s->diff->job), s->instance->plugin->base.name,
		 err->message ? err->message : "");
	error_clear(err);
	return 0;
}

static int test_values(struct ask_side *s, const struct ArrowSchema *schema,
		       const struct ArrowArray *rows, bool *ret_agrees, struct etl_error *err)
{
	size_t count = (size_t)rows->length;
	uint64_t *hashes = calloc(3 * count + 1, sizeof(*hashes));
	uint64_t *said = hashes, *ours = hashes + count, *keys = hashes + 2 * count;
	int rc = hashes && own_hashes(&s->ask, schema, rows, keys, ours) ? 0 : error_memory(err);

	*ret_agrees = false;
	if (rc == 0) {
		rc = s->instance->plugin->store.hashes(s->instance->self, &s->ask, schema, rows,
						       said, instance_error(s->instance, err));
		*ret_agrees = rc == 0 && memcmp(said, ours, count * sizeof(*said)) == 0;
		if (rc == 0 && !*ret_agrees)
			log_line(ETL_LOG_DEBUG,
				 "\"%s\": plugin %s hashes values of its columns in another way "
				 "than etlrun; its rows are read",
				 job_name(s->diff->job), s->instance->plugin->base.name);
		else if (rc == ETL_FAILED)
			rc = not_offered(s, err);
	}
	free(hashes);
	return rc;
}

static int test_side(struct ask_side *s, int32_t hash, bool *ret_agrees, struct etl_error *err)
{
	struct ArrowSchema schema = { .release = NULL };
	struct ArrowArray rows = { .release = NULL };
	int rc;

	s->ask.hash = hash;
	*ret_agrees = false;
	if (!etl_schema_make(&schema, s->columns, s->ask.column_count, sizeof(*s->columns)))
		return error_memory(err);
	rc = diff_edges(&schema, &rows) ? test_values(s, &schema, &rows, ret_agrees, err) :
					  error_memory(err);
	if (rows.release)
		rows.release(&rows);
	schema.release(&schema);
	return rc;
}

/* The first hash that both compute as we do; 0: none. */
static int choose_hash(struct push *p, int32_t *ret, struct etl_error *err)
{
	static const int32_t hashes[] = { ETL_HASH_P1, ETL_HASH_C1 };
	int rc = 0;

	*ret = 0;
	for (size_t i = 0; i < 2 && rc == 0 && !*ret; i++) {
		bool agrees = false;

		rc = test_side(&p->sides[DIFF_SOURCE], hashes[i], &agrees, err);
		if (rc == 0 && agrees)
			rc = test_side(&p->sides[DIFF_TARGET], hashes[i], &agrees, err);
		if (rc == 0 && agrees)
			*ret = hashes[i];
	}
	return rc;
}

/* ---- Asking both ------------------------------------------------------------------------------ */

static int on_part(struct etl_digest_sink *self, uint64_t part, const struct etl_digest *digest)
{
	struct ask_side *s = (struct ask_side *)(void *)((char *)self -
							 offsetof(struct ask_side, sink));

	if (part >= s->part_count)
		return error_set(s->err, ETL_BUG,
				 "plugin %s gave the digest of part %llu of %llu",
				 s->instance->plugin->base.name, (unsigned long long)part,
				 (unsigned long long)s->part_count);
	s->parts[part].rows += digest->rows;
	s->parts[part].sum += digest->sum;
	return 0;
}

static int ask_one(void *data, size_t piece, size_t thread, struct etl_error *err)
{
	struct ask_side *s = &((struct push *)data)->sides[piece];

	(void)thread;
	s->sink.emit = on_part;
	s->err = instance_error(s->instance, err);
	return s->instance->plugin->store.digests(s->instance->self, &s->ask, &s->sink, s->err);
}

static int bound_one(void *data, size_t piece, size_t thread, struct etl_error *err)
{
	struct ask_side *s = &((struct push *)data)->sides[piece];

	(void)thread;
	return s->instance->plugin->store.bounds(s->instance->self, &s->ask.dataset,
						 s->columns[s->ask.key[0]].name, &s->least,
						 &s->most, instance_error(s->instance, err));
}

static int ask_both(struct push *p, int (*piece)(void *, size_t, size_t, struct etl_error *),
		    struct etl_error *err)
{
	struct spread_work work = { .count = 2, .threads = 2, .piece = piece, .data = p };

	return spread_work(&work, err);
}

/* The digests of COUNT parts of both sides, which the caller frees. */
static int ask_parts(struct push *p, uint64_t count, struct etl_digest *ret[2],
		     struct etl_error *err)
{
	int rc = 0;

	for (size_t i = 0; i < 2; i++) {
		ret[i] = calloc(count + 1, sizeof(**ret));
		if (!ret[i])
			rc = error_memory(err);
		p->sides[i].parts = ret[i];
		p->sides[i].part_count = count;
	}
	return rc < 0 ? rc : ask_both(p, ask_one, err);
}

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static int64_t rows_of(const struct job *job)
{
	return job->source->rows > job->existing->rows ? job->source->rows : job->existing->rows;
}

static void count_rows(struct diff *d, struct etl_digest *const parts[2], uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		d->source_rows += parts[DIFF_SOURCE][i].rows;
		d->target_rows += parts[DIFF_TARGET][i].rows;
	}
}

/* ---- By ranges of the key -------------------------------------------------------------------- */

/* A range whose rows are many, or large, is read in two passes. */
static int read_waiting(struct push *p, struct etl_error *err)
{
	int rc = p->waiting_rows == 0		? 0 :
		 p->waiting_rows <= ROWS_IN_TURN ?
						diff_rows(p->diff, &p->waiting, NULL, 1, true, err) :
						DIFF_TOO_MANY;

	if (rc == DIFF_TOO_MANY)
		rc = diff_stream(p->diff, &p->waiting, err);
	p->waiting_rows = 0;
	return rc;
}

/* Reads a range later, together with what follows it at once. */
static int read_range(struct push *p, const struct diff_range *range, uint64_t rows,
		      struct etl_error *err)
{
	bool follows = p->waiting_rows > 0 && p->waiting.last + 1 == range->first &&
		       p->waiting_rows + rows <= ROWS_IN_TURN;
	int rc = follows ? 0 : read_waiting(p, err);

	if (!follows)
		p->waiting.first = range->first;
	p->waiting.last = range->last;
	p->waiting_rows += rows;
	return rc;
}

static int64_t width_for(const struct diff_range *range, uint64_t parts)
{
	int64_t span = range->last - range->first; /* less than 2^62 */

	return span / (int64_t)parts + 1;
}

/* Asks for the parts of a range, and goes on with those that differ. FIRST: it is the whole table. */
static int divide(struct push *p, const struct diff_range *range, uint64_t parts, bool first,
		  struct etl_error *err)
{
	int64_t width = width_for(range, parts);
	uint64_t count = (uint64_t)((range->last - range->first) / width) + 1;
	struct etl_digest *digests[2] = { NULL, NULL };
	int rc;

	for (size_t i = 0; i < 2; i++) {
		p->sides[i].ask.by = ETL_DIGESTS_BY_KEY;
		p->sides[i].ask.first = range->first;
		p->sides[i].ask.last = range->last;
		p->sides[i].ask.width = width;
	}
	rc = ask_parts(p, count, digests, err);
	if (rc == 0 && first)
		count_rows(p->diff, digests, count);
	for (uint64_t i = 0; i < count && rc == 0; i++) {
		struct diff_range part = { .first = range->first + (int64_t)i * width };
		uint64_t rows;

		if (diff_same(&digests[0][i], &digests[1][i]))
			continue;
		rows = larger(digests[0][i].rows, digests[1][i].rows);
		part.last = range->last - part.first < width ? range->last : part.first + width - 1;
		rc = rows <= ROWS_READ || width == 1 ? read_range(p, &part, rows, err) :
						       divide(p, &part, DIVIDE, false, err);
	}
	free(digests[0]);
	free(digests[1]);
	return rc;
}

static bool has_integer_key(const struct push *p)
{
	const struct job *job = p->diff->job;
	const struct etl_column *a, *b;

	if (!job->key_count)
		return false;
	a = &p->sides[DIFF_SOURCE].columns[job->key[0]];
	b = &p->sides[DIFF_TARGET].columns[job->key[0]];
	return class_of(a->type) == ETL_INT64 && a->type != ETL_BOOL && b->type != ETL_BOOL &&
	       (a->flags & b->flags & ETL_NOT_NULL);
}

/* *ret_done false: the keys reach too far to be counted through. */
static int by_key(struct push *p, bool *ret_done, struct etl_error *err)
{
	struct ask_side *a = &p->sides[DIFF_SOURCE], *b = &p->sides[DIFF_TARGET];
	uint64_t parts = (uint64_t)(rows_of(p->diff->job) < 0 ? 0 : rows_of(p->diff->job)) /
				 ROWS_A_PART + 1;
	struct diff_range range;
	int rc = ask_both(p, bound_one, err);

	if (rc < 0)
		return rc;
	*ret_done = true;
	if (a->least > a->most && b->least > b->most)
		return 0;
	if (a->least > a->most)
		range = (struct diff_range){ b->least, b->most };
	else if (b->least > b->most)
		range = (struct diff_range){ a->least, a->most };
	else
		range = (struct diff_range){ a->least < b->least ? a->least : b->least,
					     a->most > b->most ? a->most : b->most };
	if ((uint64_t)range.last - (uint64_t)range.first >= (uint64_t)WIDEST) {
		*ret_done = false;
		return 0;
	}
	rc = divide(p, &range, parts < MOST_PARTS ? parts : MOST_PARTS, true, err);
	return rc < 0 ? rc : read_waiting(p, err);
}

/* ---- By the hash of the key ------------------------------------------------------------------ */

static int by_hash(struct push *p, struct etl_error *err)
{
	uint64_t count = diff_bucket_count(rows_of(p->diff->job));
	struct etl_digest *digests[2] = { NULL, NULL };
	size_t row_size = (size_t)p->diff->run->limits.max_row;
	const struct etl_table *table = p->diff->job->existing;
	int rc;

	for (size_t i = 0; i < 2; i++) {
		p->sides[i].ask.by = ETL_DIGESTS_BY_HASH;
		p->sides[i].ask.parts = count;
	}
	rc = ask_parts(p, count, digests, err);
	if (rc == 0)
		count_rows(p->diff, digests, count);
	/* What a row takes in memory is what it takes in the store, more or less. */
	if (table->bytes > 0 && table->rows > 0)
		row_size = (size_t)(table->bytes / table->rows) * 2;
	else if (row_size > 4096)
		row_size = 4096;
	if (rc == 0)
		rc = diff_buckets(p->diff, NULL, digests[0], digests[1], count, row_size, err);
	free(digests[0]);
	free(digests[1]);
	return rc;
}

/* ---- All of it ------------------------------------------------------------------------------- */

static int push(struct push *p, bool *ret_done, struct etl_error *err)
{
	struct diff *d = p->diff;
	int rc = choose_hash(p, &d->hash, err);

	if (rc < 0 || d->hash == 0) {
		d->hash = ETL_HASH_X1;
		return rc;
	}
	d->pushed = true;
	if (has_integer_key(p))
		rc = by_key(p, ret_done, err);
	if (rc < 0 || *ret_done)
		return rc;
	*ret_done = true;
	return by_hash(p, err);
}

int diff_push(struct diff *d, bool *ret_done, struct etl_error *err)
{
	struct job *job = d->job;
	struct push p = { .diff = d };
	int rc = 0;

	*ret_done = false;
	if (!is_plain(d))
		return 0;
	p.key = calloc(job->cast_count + 1, sizeof(*p.key));
	if (!p.key)
		return error_memory(err);
	for (size_t i = 0; i < job->cast_count; i++)
		p.key[i] = (int64_t)i;
	if (make_side(&p, DIFF_SOURCE, d->run->source, job->source, &job->dataset) &&
	    make_side(&p, DIFF_TARGET, d->run->target, job->existing, &d->into.dataset))
		rc = push(&p, ret_done, err);
	free(p.sides[DIFF_SOURCE].columns);
	free(p.sides[DIFF_TARGET].columns);
	free(p.key);
	return rc;
}
