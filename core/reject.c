/*
 * Refusing one row: it is counted, held against what the pipeline allows, and its line is spooled
 * (reject-line.c, reject-spool.c); a row that had come as far as the target is taken out of what the source is
 * said to have given.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <etlrun/helpers.h>

#include "batch.h"
#include "changes.h"
#include "conflicts.h"
#include "maps.h"
#include "met-keys.h"
#include "reject-parts.h"

int rejects_open(const struct pipeline *pipeline, const char *run, const char *path,
		 struct rejects **ret, struct etl_error *err)
{
	struct rejects *r = calloc(1, sizeof(*r));

	if (!r)
		return error_memory(err);
	pthread_mutex_init(&r->mutex, NULL);
	r->pipeline = pipeline;
	r->run = strdup(run);
	r->path = strdup(path);
	if (!r->run || !r->path || asprintf(&r->spool, "%s.spool", path) < 0) {
		r->spool = NULL;
		rejects_free(r);
		return error_memory(err);
	}
	*ret = r;
	return 0;
}

void rejects_free(struct rejects *r)
{
	if (!r)
		return;
	spool_close(r);
	screened_close(r);
	pthread_mutex_destroy(&r->mutex);
	free(r->sums);
	free(r->run);
	free(r->path);
	free(r->spool);
	free(r);
}

uint64_t rejects_count(const struct rejects *r)
{
	return r->count;
}

bool reject_count(struct rejects *r, size_t job, const char *code, size_t length)
{
	struct reject_sum *more;

	r->count++;
	if (length >= sizeof(more->code))
		length = sizeof(more->code) - 1;
	for (size_t i = r->sum_count; i-- > 0;) {
		struct reject_sum *sum = &r->sums[i];

		if (sum->job == job && strncmp(sum->code, code, length) == 0 &&
		    !sum->code[length]) {
			sum->rows++;
			return true;
		}
	}
	more = realloc(r->sums, (r->sum_count + 1) * sizeof(*more));
	if (!more)
		return false;
	r->sums = more;
	more = &more[r->sum_count++];
	*more = (struct reject_sum){ .job = job, .rows = 1 };
	memcpy(more->code, code, length);
	return true;
}

void reject_uncount(struct rejects *r, size_t job, const char *code, size_t length)
{
	if (length >= sizeof(r->sums->code))
		length = sizeof(r->sums->code) - 1;
	for (size_t i = r->sum_count; i-- > 0;) {
		struct reject_sum *sum = &r->sums[i];

		if (sum->job != job || strncmp(sum->code, code, length) != 0 || sum->code[length])
			continue;
		r->count--;
		if (--sum->rows == 0)
			*sum = r->sums[--r->sum_count];
		return;
	}
}

int rejects_note(struct rejects *r, const struct job *job, struct rejects_note *ret,
		 struct etl_error *err)
{
	*ret = (struct rejects_note){ .count = r->count,
				      .sums = malloc((r->sum_count + 1) * sizeof(*ret->sums)),
				      .sum_count = r->sum_count,
				      .refused_count = job->refused_count };
	if (!ret->sums)
		return error_memory(err);
	if (r->sum_count)
		memcpy(ret->sums, r->sums, r->sum_count * sizeof(*ret->sums));
	return screened_last(r, &ret->screened, err);
}

int rejects_return(struct rejects *r, struct job *job, const struct rejects_note *note,
		   struct etl_error *err)
{
	r->count = note->count;
	r->sum_count = note->sum_count;
	if (note->sum_count)
		memcpy(r->sums, note->sums, note->sum_count * sizeof(*r->sums));
	job->refused_count = note->refused_count;
	return screened_cut(r, note->screened, err);
}

void rejects_note_free(struct rejects_note *note)
{
	free(note->sums);
	note->sums = NULL;
}

static int compare_sums(const void *a, const void *b)
{
	const struct reject_sum *x = a, *y = b;

	if (x->job != y->job)
		return x->job < y->job ? -1 : 1;
	return strcmp(x->code, y->code);
}

bool rejects_sums(struct rejects *r,
		  bool (*each)(void *data, size_t job, const char *code, uint64_t rows), void *data)
{
	bool ok = true;

	if (r->sum_count)
		qsort(r->sums, r->sum_count, sizeof(*r->sums), compare_sums);
	for (size_t i = 0; i < r->sum_count && ok; i++)
		ok = each(data, r->sums[i].job, r->sums[i].code, r->sums[i].rows);
	return ok;
}

static bool over_limit(const struct rejects *r)
{
	const struct pipeline *p = r->pipeline;

	return !p->reject_rows || (!p->max_rejects_percent && r->count > (uint64_t)p->max_rejects);
}

int rejects_within(const struct rejects *r, uint64_t read, struct etl_error *err)
{
	const struct pipeline *p = r->pipeline;

	if (r->count == 0)
		return 0;
	if (p->max_rejects_percent &&
	    (double)r->count * 1e6 > (double)read * (double)p->max_rejects)
		return error_set(err, ETL_DATA,
				 "%" PRIu64 " of %" PRIu64
				 " rows were rejected, more than max_rejects = \"%g%%\" "
				 "allows; the rejects file has each with its reason",
				 r->count, read, (double)p->max_rejects / 1e4);
	return 0;
}

/* ---- One reject ---- */

static int64_t ordinal_of(const struct etl_context *c, const struct etl_reject *reject)
{
	int64_t at;

	if (!reject->batch)
		return reject->ordinal;
	if (c->ordinals)
		return c->ordinals[reject->row];
	at = etl_schema_find(reject->schema, ETL_ORDINAL_COLUMN);
	return at < 0 ? reject->ordinal : batch_int64(reject->batch->children[at])[reject->row];
}

/* The first row too many ends the run and is named. */
static int stop(const struct etl_context *c, const struct etl_reject *reject,
		const struct etl_view *view, const char *key)
{
	const struct pipeline *p = c->rejects->pipeline;
	struct etl_text values = { 0 };
	const char *row;
	int rc;

	if (view && (!key || !*key))
		reject_values(reject, view, &values);
	row = values.at && !values.failed ? values.at : "";
	/* By its name in the target: several targets may come from one table of the source. */
	error_at(c->err, job_name(c->job), reject->column, key);
	if (!p->reject_rows)
		rc = error_set(
			c->err, ETL_DATA,
			"%s%s; on_error = \"reject\" would keep such rows in a file and go on",
			reject->reason, row);
	else
		rc = error_set(c->err, ETL_DATA,
			       "%s%s; that is reject %" PRIu64
			       ", more than max_rejects = \"%" PRId64 "\" allows",
			       reject->reason, row, c->rejects->count, p->max_rejects);
	etl_text_free(&values);
	return rc;
}

bool job_refuse(struct job *job, uint64_t hash)
{
	if (job->refused_count == job->refused_room) {
		size_t room = job->refused_room ? job->refused_room * 2 : 64;
		uint64_t *refused = realloc(job->refused, room * sizeof(*refused));

		if (!refused)
			return false;
		job->refused = refused;
		job->refused_room = room;
	}
	job->refused[job->refused_count++] = hash;
	return true;
}

void job_take(struct job *job, uint64_t hash)
{
	for (size_t i = job->refused_count; i-- > 0;)
		if (job->refused[i] == hash) {
			job->refused[i] = job->refused[--job->refused_count];
			return;
		}
}

static void subtract(struct job *job, const struct digest *digest)
{
	pthread_mutex_lock(&job->mutex);
	job->digest.total.rows -= digest->total.rows;
	job->digest.total.sum -= digest->total.sum;
	for (size_t i = 0; i < ETL_BUCKETS; i++) {
		job->digest.buckets[i].rows -= digest->buckets[i].rows;
		job->digest.buckets[i].sum -= digest->buckets[i].sum;
	}
	pthread_mutex_unlock(&job->mutex);
}

/* A row that came as far as the target is not in what will be published, so it leaves the source side's
 * digest. */
static int take_out(struct etl_context *c, const struct etl_reject *reject, uint64_t *ret_hash,
		    uint64_t *ret_key)
{
	struct job *job = c->job;
	struct digest digest = { 0 };

	if (!canon_row(c->canon, reject->batch, reject->row, ret_key, ret_hash))
		return error_memory(c->err);
	if (job->needs.hash)
		digest_row(&digest, *ret_key, *ret_hash, job->needs.ppm, job->needs.seed);
	if ((job->conflicts && !conflicts_refused(job, *ret_key)) || !job_refuse(job, *ret_hash))
		return error_memory(c->err);
	if (job->needs.hash && c->refused)
		digest_add(c->refused, &digest);
	else if (job->needs.hash)
		subtract(job, &digest);
	return 0;
}

static bool remember_gone(struct etl_context *c, int64_t ordinal)
{
	if (c->gone_count == c->gone_room) {
		size_t room = c->gone_room ? c->gone_room * 2 : 16;
		int64_t *gone = realloc(c->gone, room * sizeof(*gone));

		if (!gone)
			return false;
		c->gone = gone;
		c->gone_room = room;
	}
	c->gone[c->gone_count++] = ordinal;
	return true;
}

static int write_line(struct etl_context *c, const struct etl_reject *reject,
		      const struct etl_view *view, const char *key, const uint64_t *hash, uint64_t key_hash)
{
	struct rejects *r = c->rejects;
	struct etl_text line = { 0 };
	int64_t ordinal = ordinal_of(c, reject);
	int rc;

	if (c->side != SIDE_SCREEN)
		reject_head(r, c->job, c->split, ordinal, &line);
	reject_tail(c, reject, view, key, &line);
	if (line.failed)
		rc = error_memory(c->err);
	else if (c->side == SIDE_SCREEN)
		rc = screened_add(r, c->job, *hash, key_hash, &line, c->err);
	else
		rc = spool_add(r, c->job->index, c->split, ordinal, hash, &line, c->err);
	etl_text_free(&line);
	return rc;
}

static int keep(struct etl_context *c, const struct etl_reject *reject, const struct etl_view *view,
		const char *key)
{
	struct rejects *r = c->rejects;
	bool came = c->side != SIDE_SOURCE && reject->batch && c->canon;
	uint64_t hash = 0, key_hash = 0;
	int rc = 0;

	pthread_mutex_lock(&r->mutex);
	if (!reject_count(r, c->job->index, reject->code ? reject->code : "",
			  reject->code ? strlen(reject->code) : 0))
		rc = error_memory(c->err);
	else if (over_limit(r))
		rc = stop(c, reject, view, key);
	if (rc == 0 && came)
		rc = take_out(c, reject, &hash, &key_hash);
	if (rc == 0)
		rc = write_line(c, reject, view, key, came ? &hash : NULL, key_hash);
	pthread_mutex_unlock(&r->mutex);
	return rc;
}

static bool note_met(const struct etl_context *c, int64_t step, const struct etl_reject *reject)
{
	bool known = false;
	uint64_t key = 0;

	if (!changes_key_of(c->job, step, reject, &key, &known))
		return false;
	if (known)
		return met_keys_add(c->met, key);
	met_keys_add_unknown(c->met);
	return true;
}

/* STEP: of the chain, or negative. */
static int reject_at(struct etl_context *c, int64_t step, const struct etl_reject *reject)
{
	struct etl_view *view = NULL;
	struct etl_text key = { 0 };
	int rc = 0;

	/* What etl_convert says when memory is short is nothing about the row. */
	if (reject->code && strcmp(reject->code, "no_memory") == 0)
		return error_memory(c->err);
	c->rejected++;
	if (!reject->batch && !remember_gone(c, reject->ordinal))
		return error_memory(c->err);
	if (c->met && !note_met(c, step, reject))
		return error_memory(c->err);
	if (!c->rejects)
		return 0;
	if (c->side == SIDE_SOURCE)
		maps_rejected(c->job, step);
	else if (maps_left_out(c->job, reject->schema, reject->batch, reject->row, c->err) < 0)
		return ETL_FAILED;
	if (c->side == SIDE_SOURCE && c->job->changes && !changes_rejected(c->job, step, reject))
		return error_memory(c->err);
	if (reject->batch && reject->schema) {
		view = etl_view_new(reject->schema);
		if (!view || !etl_view_set(view, reject->batch))
			rc = error_memory(c->err);
		else
			reject_key(c->job, reject, view, &key);
	}
	if (rc == 0)
		rc = key.failed ? error_memory(c->err) :
				  keep(c, reject, view, key.at ? key.at : reject->key);
	etl_text_free(&key);
	etl_view_free(view);
	return rc;
}

int context_reject(struct etl_context *c, const struct etl_reject *reject)
{
	if (!c->whole)
		return reject_at(c, -1, reject);
	c->stage->rejected++;
	return reject_at(c->whole, c->stage - c->whole->stages, reject);
}

static void count(struct etl_context *c, struct stage_count *stage, int32_t what, uint64_t rows)
{
	switch (what) {
	case ETL_COUNT_CREATED:
		c->created += rows;
		stage->created += rows;
		break;
	case ETL_COUNT_FILTERED:
		c->filtered += rows;
		stage->filtered += rows;
		break;
	case ETL_COUNT_MERGED:
		c->merged += rows;
		stage->merged += rows;
		break;
	case ETL_COUNT_WAITING:
		c->waiting += rows;
		break;
	default:
		break;
	}
}

void context_count(struct etl_context *c, int32_t what, uint64_t rows)
{
	struct stage_count none = { 0 };

	/* What is asked for again by its keys was counted when it was rejected. */
	if (!c->whole && c->job && c->job->replay)
		return;
	count(c, c->stage ? c->stage : &none, what, rows);
	if (c->whole)
		count(c->whole, &none, what, rows);
	/* The source itself: it found them, and the meter behind it does not see them. */
	else if (what == ETL_COUNT_FILTERED || what == ETL_COUNT_MERGED)
		c->left_out += rows;
}

void context_clear(struct etl_context *c)
{
	free(c->gone);
	free(c->stages);
	c->gone = NULL;
	c->stages = NULL;
	noted_clear(&c->noted);
}

void context_restart(struct etl_context *c)
{
	context_clear(c);
	c->read = c->left_out = c->filtered = c->created = c->merged = c->rejected = c->waiting = 0;
	c->ended = false;
	c->gone_count = c->gone_room = 0;
	c->ordinals = NULL;
	c->carried.count = 0;
}
