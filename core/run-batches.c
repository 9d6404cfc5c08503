/*
 * Publishing in batches (`commit_every`): the staged rows of a sync, screened and validated as a whole, go into the target in
 * transactions of so many rows, parents before their children, then what goes, the other way round; each with a checkpoint of it in
 * the target. What was interrupted in between is begun anew: rows that are there already are equal, and are not staged again.
 *
 * How many rows a batch has follows from how long batches take, and shrinks where the target could not have one in time.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fault.h"
#include "log.h"
#include "remark.h"
#include "retry.h"
#include "run-parts.h"
#include "whereabouts.h"

#define ROWS_FIRST   10000 /* where the number is found by trying */
#define ROWS_LEAST   100   /* or what the pipeline says, if that is fewer */
#define TRIES_SMALL  5	   /* of a batch that cannot be made smaller */
#define PAUSE_MS     200   /* before one that failed; twice as long each time */
#define PAUSE_MOST   5000

struct batches {
	struct run *run;
	struct etl_commit *commit;
	struct etl_commit_batch batch;
	struct etl_token from, next;
	uint64_t *units;
	struct etl_outcome *sums; /* beside the loads, of the batches that stand */
	int64_t rows, most;	  /* of the next batch */
	uint64_t total;		  /* rows that are staged */
	struct retry_count lost;  /* of the batch at hand */
	uint32_t small;		  /* likewise: how often it failed as small as it can be */
	int64_t pause;
	bool unknown; /* likewise: the answer to a try was lost, and nobody has said yet how it ended */
};

/* ---- Before the first ------------------------------------------------------------------------------ */

static size_t place_of(const struct batches *b, size_t job)
{
	size_t at = 0;

	for (size_t i = 0; i < job; i++)
		at += !b->run->jobs.at[i]->failed;
	return at;
}

/* From the table that refers to the last that it refers to: all of them, and itself, go together. */
static void join(struct batches *b, size_t from, size_t to)
{
	uint64_t unit = b->units[place_of(b, from)] ? b->units[place_of(b, from)] : from + 1;

	for (size_t i = from; i <= to; i++)
		if (!b->run->jobs.at[i]->failed)
			b->units[place_of(b, i)] = unit;
}

static void find_units(struct batches *b)
{
	const struct jobs *jobs = &b->run->jobs;

	for (size_t i = 0; i < jobs->count; i++) {
		const struct etl_table *table = jobs->at[i]->target;

		for (size_t k = 0; k < table->foreign_key_count; k++) {
			const struct job *parent = where_parent_job(jobs, jobs->at[i],
								    ETL_AT(const struct etl_foreign_key, table->foreign_keys,
									   table->foreign_key_size, k));

			if (parent && parent->index >= i)
				join(b, i, parent->index);
		}
	}
}

static int begin(struct batches *b, struct etl_error *err)
{
	const struct commit_every *every = &b->run->pipeline->commit;
	int64_t number;

	b->units = calloc(b->commit->load_count + 1, sizeof(*b->units));
	b->sums = calloc(b->commit->load_count + 1, sizeof(*b->sums));
	if (!b->units || !b->sums)
		return error_memory(err);
	find_units(b);
	b->most = every->rows;
	b->rows = every->adapts ? ROWS_FIRST : every->rows;
	/* Of an interrupted run maybe one more stands than it could write down. */
	if (b->run->state && b->run->cli->resume && state_batches(b->run->state, b->run->id, &b->run->batches, err) < 0)
		return ETL_FAILED;
	number = b->run->batches.number ? b->run->batches.number + 2 : 1;
	b->batch = (struct etl_commit_batch){ .number = number, .units = b->units, .from = &b->from, .next = &b->next };
	for (size_t i = 0; i < b->run->jobs.count; i++)
		b->total += b->run->jobs.at[i]->staged;
	return 0;
}

/* ---- How many rows ---------------------------------------------------------------------------------- */

static int64_t least(const struct batches *b)
{
	return b->most < ROWS_LEAST ? b->most : ROWS_LEAST;
}

/* As many as take the time that a batch may take; at most twice as many as before. */
static void fit(struct batches *b, uint64_t did, int64_t us)
{
	int64_t wanted = b->run->pipeline->commit.ms * 1000, rows = b->rows;

	if (us > wanted && did > 0)
		rows = (int64_t)((double)did * (double)wanted / (double)us);
	else if (us < wanted / 2)
		rows = rows > b->most / 2 ? b->most : 2 * rows;
	if (rows < least(b))
		rows = least(b);
	if (rows != b->rows)
		log_line(ETL_LOG_DEBUG, "the next batch has %" PRId64 " rows at most: the last one took %.2f s", rows, (double)us / 1e6);
	b->rows = rows;
}

/* A statement that was cut off by the server's own limit, and not by us; memory that the server did not have. */
static bool is_too_much(const struct etl_error *err)
{
	return strcmp(err->sqlstate, "57014") == 0 || strcmp(err->sqlstate, "53200") == 0;
}

/* False: it cannot be smaller, and was tried often enough. */
static bool shrink(struct batches *b, struct etl_error *err)
{
	int64_t rows = b->rows / 2 > least(b) ? b->rows / 2 : least(b);

	if (b->run->limits.retries == 0 || (rows == b->rows && ++b->small > TRIES_SMALL))
		return false;
	b->pause = b->pause ? (2 * b->pause < PAUSE_MOST ? 2 * b->pause : PAUSE_MOST) : PAUSE_MS;
	log_line(ETL_LOG_WARN, "batch %" PRId64 ": %s%s%s%s; it is tried again in %.1f s, with %" PRId64 " rows at most", b->batch.number,
		 err->message ? err->message : "no memory to say why", *err->sqlstate ? " (SQLSTATE " : "", err->sqlstate,
		 *err->sqlstate ? ")" : "", (double)b->pause / 1000, rows);
	b->rows = rows;
	b->batch.whole = 0;
	error_clear(err);
	return host_wait(b->pause);
}

/* What refuses it may wait for rows of another batch: first no table is cut, then everything that is left comes at once. */
static bool widen(struct batches *b, struct etl_error *err)
{
	if (b->batch.rows == INT64_MAX)
		return false;
	if (b->batch.whole)
		b->batch.rows = INT64_MAX;
	b->batch.whole = 1;
	log_line(ETL_LOG_INFO, "batch %" PRId64 ": %s; %s", b->batch.number, err->message ? err->message : "no memory to say why",
		 b->batch.rows == INT64_MAX ? "it may wait for rows of other tables: all that is left is published together" :
					     "it may wait for rows of a later batch: the table is published as a whole");
	error_clear(err);
	return true;
}

/* The target says whether it was done: a batch is sent again until it is answered. */
static bool renew(struct batches *b, struct etl_error *err)
{
	struct instance *target = b->run->target;

	b->unknown |= err->klass == ETL_OUTCOME_UNKNOWN;
	for (;;) {
		enum retry_how how;

		if (err->klass == ETL_OUTCOME_UNKNOWN)
			err->klass = ETL_RETRY_CONNECTION;
		how = retry_decide(&b->lost, target, target->retries, err);
		if (how != RETRY_ANEW || !retry_wait(&b->lost, how, target->retries, "publishing a batch", err))
			return false;
		if (instance_renew(target, err) == 0)
			return true;
	}
}

/* ---- One batch --------------------------------------------------------------------------------------- */

static void ask_for(struct batches *b)
{
	size_t count = 0;

	for (size_t i = 0; i < b->run->jobs.count; i++)
		if (!b->run->jobs.at[i]->failed)
			b->commit->outcomes[count++] = (struct etl_outcome){ .inserted = b->run->jobs.at[i]->staged };
	while (count < b->commit->load_count)
		b->commit->outcomes[count++] = (struct etl_outcome){ 0 };
	b->next.text[0] = '\0';
	b->commit->kept->text[0] = '\0';
}

static bool tries_again(struct batches *b, struct etl_error *err)
{
	if (!err->set || host_canceled())
		return false;
	if (err->klass == ETL_RETRY_STATEMENT || is_too_much(err))
		return shrink(b, err);
	if (retry_class(err->klass))
		return renew(b, err);
	return err->klass == ETL_DATA && widen(b, err);
}

static int publish_one(struct batches *b, struct etl_error *err)
{
	struct instance *target = b->run->target;
	int rc;

	b->lost = (struct retry_count){ 0 };
	b->small = 0;
	b->pause = 0;
	b->unknown = false;
	b->batch.whole = 0;
	b->batch.rows = b->rows;
	for (;;) {
		if (host_canceled())
			return ETL_CANCELED;
		ask_for(b);
		b->commit->batch = &b->batch;
		ETL_FAULT("run.before_batch");
		rc = target->plugin->target.commit(target->self, b->commit, instance_error(target, err));
		ETL_FAULT("run.after_batch");
		if (rc == 0 || !tries_again(b, err))
			return rc;
		if (b->batch.rows != INT64_MAX && !b->batch.whole)
			b->batch.rows = b->rows;
	}
}

/* ---- What stands -------------------------------------------------------------------------------------- */

static uint64_t add_up(struct batches *b)
{
	uint64_t did = 0;

	for (size_t i = 0; i < b->commit->load_count; i++) {
		const struct etl_outcome *o = &b->commit->outcomes[i];
		struct etl_outcome *sum = &b->sums[i];

		sum->inserted += o->inserted;
		sum->updated += o->updated;
		sum->unchanged += o->unchanged;
		sum->deleted += o->deleted;
		did += o->inserted + o->updated + o->unchanged + o->deleted;
		b->run->batches.rows += o->inserted + o->updated + o->deleted;
	}
	return did;
}

static void put_sums(struct batches *b)
{
	size_t count = 0;

	for (size_t i = 0; i < b->run->jobs.count; i++)
		if (!b->run->jobs.at[i]->failed)
			b->run->jobs.at[i]->outcome = b->sums[count++];
}

static int note(struct batches *b, uint64_t did, int64_t us, struct etl_error *err)
{
	struct run *run = b->run;
	char words[160];

	run->batches.number = b->batch.number;
	run->batches.count++;
	log_line(ETL_LOG_INFO, "batch %" PRId64 ": %" PRIu64 " rows in %.2f s; %" PRIu64 " rows written in all", b->batch.number, did,
		 (double)us / 1e6, run->batches.rows);
	snprintf(words, sizeof(words), "publishing: batch %" PRId64 ", %" PRIu64 " rows written, %" PRIu64 " were staged", b->batch.number,
		 run->batches.rows, b->total);
	progress_phase(run->progress, words);
	return run->state ? state_run_batch(run->state, run->id, &run->batches, err) : 0;
}

/* What stands, of which tables. */
static void say(const struct batches *b, bool all)
{
	const struct run *run = b->run;
	struct etl_text text = { 0 };
	const char *between = "";
	size_t count = 0;

	etl_text_addf(&text, "%" PRIu64 " published, %" PRIu64 " rows", run->batches.count, run->batches.rows);
	for (size_t i = 0; !all && i < run->jobs.count; i++) {
		const struct etl_outcome *o = &b->sums[count];

		if (run->jobs.at[i]->failed)
			continue;
		count++;
		if (o->inserted + o->updated + o->deleted == 0)
			continue;
		etl_text_addf(&text, "%s%s (%" PRIu64 ")", *between ? between : ": ", job_name(run->jobs.at[i]),
			      o->inserted + o->updated + o->deleted);
		between = ", ";
	}
	if (!all)
		etl_text_add(&text, "; the rest is not, and comes with the next run");
	if (text.at)
		remark_put("batches", text.at);
	etl_text_free(&text);
}

static int publish_all(struct batches *b, struct etl_error *err)
{
	int rc;

	do {
		int64_t start = run_clock(), us;
		uint64_t did;

		rc = publish_one(b, err);
		if (rc < 0)
			return rc;
		us = run_clock() - start;
		did = add_up(b);
		rc = note(b, did, us, err);
		/* One that waited for something says nothing of how long so many rows take. */
		if (b->pause == 0 || us < b->run->pipeline->commit.ms * 500)
			fit(b, did, b->pause ? 0 : us);
		b->from = b->next;
		b->batch.number++;
	} while (rc == 0 && b->next.text[0]);
	return rc;
}

int run_batches(struct run *run, struct etl_commit *commit, struct etl_error *err)
{
	struct batches b = { .run = run, .commit = commit };
	int rc = begin(&b, err);

	if (rc == 0)
		rc = publish_all(&b, err);
	if (b.sums && b.units)
		put_sums(&b);
	for (size_t i = 0; b.sums && i < commit->load_count; i++)
		commit->outcomes[i] = b.sums[i];
	if (run->batches.count)
		say(&b, rc == 0);
	run->batch_unknown = rc < 0 && b.unknown && err->set && retry_class(err->klass);
	if (run->batch_unknown)
		err->klass = ETL_OUTCOME_UNKNOWN;
	commit->batch = NULL;
	free(b.units);
	free(b.sums);
	return rc;
}
