/*
 * The writers of a flow: each takes an item that is being read, hands the target the stream of its queue, and writes down
 * that it is there.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "changes.h"
#include "flow-parts.h"
#include "log.h"

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* What the target pulls from: the queue, with the ordinals taken off and kept for rejects. */
struct intake {
	struct item *item;
	struct ArrowArray ordinals;
	bool ended;
};

static int intake_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out)
{
	struct intake *intake = stream->private_data;

	return etl_schema_copy(out, &intake->item->job->rows) ? 0 : ENOMEM;
}

/* What each step of the chain did with this split; what comes in is what the step before it gave. */
static void sum_stages(const struct item *item, struct stage_count *to)
{
	const struct stage_count *from = item->source.stages;
	uint64_t in = item->source.read;

	for (size_t i = 0; from && i < job_stages(item->job); i++, to++) {
		if (!from[i].used)
			continue;
		to->used = true;
		to->in += in;
		to->created += from[i].created;
		to->out += from[i].out;
		to->filtered += from[i].filtered;
		to->merged += from[i].merged;
		to->rejected += from[i].rejected;
		in = from[i].out;
	}
}

/* Those that the source refused or left out, too. */
static uint64_t rows_read(const struct item *item)
{
	return item->source.read + item->source.gone_count + item->source.left_out;
}

/* The last row is on its way: what was counted is written down before the target makes it whole. */
static int taken(struct item *item)
{
	struct split_record record = {
		.read = rows_read(item),
		.passed = item->passed,
		.filtered = item->source.filtered,
		.created = item->source.created,
		.merged = item->source.merged,
		.rejected = item->source.rejected + item->target.rejected,
		.rejected_by_target = item->target.rejected,
		.bytes = item->bytes,
		.staged = item->passed - item->target.rejected,
		.stage_count = job_stages(item->job),
	};
	struct noted noted = { .at = NULL };
	int rc;

	item->taken = true;
	if (!item->setup->journal || !item->setup->journal->state)
		return 0;
	record.stages = calloc(record.stage_count + 1, sizeof(*record.stages));
	if (!record.stages)
		return error_memory(item->target.err);
	sum_stages(item, record.stages);
	noted_add_all(&noted, &item->source.noted);
	noted_add_all(&noted, &item->target.noted);
	record.noted = &noted;
	record.digest = item->digest;
	digest_subtract(&record.digest, &item->refused);
	rc = noted.failed ? error_memory(item->target.err) :
			    rejects_settle(item->target.rejects, item->job, item->split->index, item->target.err);
	if (rc == 0)
		rc = journal_split_taken(item->setup->journal, (int64_t)item->number,
					 job_name(item->job), &item->mark, &record,
					 item->target.err);
	free(record.stages);
	noted_clear(&noted);
	return rc;
}

static int intake_next(struct ArrowArrayStream *stream, struct ArrowArray *out)
{
	struct intake *intake = stream->private_data;
	struct ArrowArray batch = { 0 };
	int rc = queue_pop(intake->item->queue, &batch);

	out->release = NULL;
	if (intake->ordinals.release)
		intake->ordinals.release(&intake->ordinals);
	intake->item->target.ordinals = NULL;
	if (rc == 0 && !intake->ended && taken(intake->item) < 0)
		return EIO;
	intake->ended = rc == 0;
	if (rc <= 0)
		return rc == 0 ? 0 : ECANCELED;
	if (!batch_detach(&batch, &intake->ordinals)) {
		batch.release(&batch);
		return ENOMEM;
	}
	intake->item->target.ordinals = batch_int64(&intake->ordinals);
	*out = batch;
	return 0;
}

static const char *intake_error(struct ArrowArrayStream *stream)
{
	(void)stream;
	return "the rows stopped coming";
}

static void intake_release(struct ArrowArrayStream *stream)
{
	struct intake *intake = stream->private_data;

	if (intake->ordinals.release)
		intake->ordinals.release(&intake->ordinals);
	intake->item->target.ordinals = NULL;
	stream->release = NULL;
}

/* With the job's mutex. Totals that failed for want of memory are added up anew when they are asked for. */
static void sum_totals(struct item *item)
{
	struct job *job = item->job;

	if (!item->totals)
		return;
	if (job->totals) {
		totals_merge(job->totals, item->totals);
		totals_free(item->totals);
	} else {
		job->totals = item->totals;
	}
	item->totals = NULL;
	job->total_splits++;
}

/* With the job's mutex. */
static void keep_origins(struct item *item)
{
	if (!item->origins)
		return;
	item->origins->next = item->job->origins;
	item->job->origins = item->origins;
	item->origins = NULL;
}

static void account(struct item *item, const struct etl_stats *stats)
{
	struct job *job = item->job;

	pthread_mutex_lock(&job->mutex);
	sum_stages(item, job->stages);
	job->read += rows_read(item);
	job->passed += item->passed;
	job->filtered += item->source.filtered;
	job->created += item->source.created;
	job->merged += item->source.merged;
	job->waiting += item->source.waiting;
	job->rejected += item->source.rejected + item->target.rejected;
	job->rejected_by_target += item->target.rejected;
	job->staged += stats->rows;
	job->bytes += item->bytes;
	carried_add_all(&job->carried, &item->target.carried);
	noted_add_all(&job->noted, &item->source.noted);
	noted_add_all(&job->noted, &item->target.noted);
	digest_add(&job->digest, &item->digest);
	digest_subtract(&job->digest, &item->refused);
	sum_totals(item);
	keep_origins(item);
	job->splits_done++;
	item->last = job->splits_done == job->split_count;
	job->ended = now();
	if (job->progress && item->last)
		atomic_store(&job->progress->state, 2);
	pthread_mutex_unlock(&job->mutex);
}

/* Rows that a target leaves in the queue would be lost in silence. */
static int all_taken(struct intake *intake, const struct instance *target, struct etl_error *err)
{
	struct ArrowArray rest = { 0 };
	int rc = intake->ended ? 0 : queue_pop(intake->item->queue, &rest);

	if (rest.release)
		rest.release(&rest);
	if (rc < 0)
		return ETL_CANCELED;
	return rc == 0 ? 0 :
			 error_set(err, ETL_BUG,
				   "plugin %s stopped taking the rows of \"%s\" before their end",
				   target->plugin->base.name, job_name(intake->item->job));
}

/* Where the order of loads matters there is one place for all of them. */
static const struct etl_token *stage_of(const struct item *item)
{
	return item->setup->in_order ? &item->setup->jobs->at[0]->token : &item->job->token;
}

/* Before its first row, on the instance that loads it. */
static int mark_item(struct item *item, struct instance *target, struct etl_error *err)
{
	int rc;

	if (!item->setup->marks)
		return 0;
	rc = journal_mark(target, stage_of(item), &item->mark, err);
	item->marked = rc == 0;
	return rc;
}

static int item_done(struct item *item, const struct etl_stats *stats, struct etl_error *err)
{
	account(item, stats);
	return item->setup->journal ?
		       journal_split_done(item->setup->journal, (int64_t)item->number, err) :
		       0;
}

static int write_item(struct item *item, struct instance *target, struct etl_error *err)
{
	struct job *job = item->job;
	struct intake intake = { .item = item };
	struct ArrowArrayStream stream = { intake_schema, intake_next, intake_error, intake_release,
					   &intake };
	struct etl_part part = { .index = item->split->index, .context = &item->target };
	struct etl_stats stats = { 0 };
	int rc;

	pthread_mutex_lock(&job->mutex);
	if (!job->started)
		job->started = now();
	pthread_mutex_unlock(&job->mutex);
	item->target.err = instance_error(target, err);
	item->target.canon = job_canon(job, &job->rows, ETL_HASH_X1);
	if (!item->target.canon)
		return error_memory(err);
	rc = mark_item(item, target, err);
	if (rc < 0)
		return rc;
	rc = target->plugin->target.load(target->self, &job->load, &job->token, &part, &stream,
					 &stats, item->target.err);
	if (rc == 0)
		rc = all_taken(&intake, target, err);
	if (rc == 0)
		rc = rejects_settle(item->target.rejects, job, item->split->index, err);
	if (stream.release)
		stream.release(&stream);
	if (rc == 0)
		rc = item_done(item, &stats, err);
	return rc;
}

/* The answer to a load was lost: was it done all the same? */
static int ask_target(struct item *item, struct instance *target, int32_t *ret, struct etl_error *err)
{
	struct retry retry = retry_of(target, "asking what was loaded");
	int rc;

	do
		rc = target->plugin->target.since(target->self, stage_of(item), &item->mark, ret,
						  instance_error(target, err));
	while (rc < 0 && retry_again(&retry, err));
	if (rc == 0 && *ret == ETL_UNKNOWN)
		rc = error_set(err, ETL_RETRY_CONNECTION,
			       "the staging place of \"%s\" is no longer as it was, so it cannot be "
			       "told what of it was loaded",
			       job_name(item->job));
	return rc;
}

/* It was. */
static int keep_item(struct flow *flow, struct item *item, struct etl_error *err)
{
	struct etl_stats stats = { .rows = item->passed - item->target.rejected };

	pthread_mutex_lock(&flow->mutex);
	item->again = false;
	flow->repeating--;
	pthread_mutex_unlock(&flow->mutex);
	return item_done(item, &stats, err);
}

static int write_anew(struct flow *flow, struct item *item, struct instance *target, bool *ret_kept,
		      struct etl_error *err)
{
	int32_t done = 0;
	int rc = instance_renew(target, err);

	if (rc == 0 && item->taken && item->marked)
		rc = ask_target(item, target, &done, err);
	*ret_kept = rc == 0 && done == 1;
	return *ret_kept ? keep_item(flow, item, err) : rc;
}

/* The store has no connection for this writer, and others have theirs. */
static bool writer_leaves(struct flow *flow, struct item *item, const struct etl_error *err)
{
	bool leaves;

	if (err->klass != ETL_FEWER_WORKERS)
		return false;
	pthread_mutex_lock(&flow->mutex);
	leaves = flow->writers > 1 && !item->again && !flow->setup->in_order;
	if (leaves) {
		flow->writers--;
		item->again = true;
		flow->repeating++;
	}
	pthread_mutex_unlock(&flow->mutex);
	if (leaves)
		flow_say_fewer("writer", err);
	return leaves;
}

/* False: this writer ends. What was lost with its connection may be there all the same: loaded again, by who resumes the
 * run, it replaces that, and its rejects are told again. */
static bool write_failed(struct flow *flow, struct item *item, struct instance *target, int rc,
			 struct etl_error *err)
{
	bool lost = retry_is_lost(err->klass), leaves = writer_leaves(flow, item, err),
	     kept = false;
	enum claim how = leaves ? CLAIM_OTHERS : flow_claim(flow, item, target, !flow->setup->in_order, err);

	if (rc == ETL_CANCELED && how == CLAIM_FAILS)
		how = CLAIM_OTHERS;
	queue_abandon(item->queue);
	if (how == CLAIM_AGAIN || how == CLAIM_ANEW)
		flow_wait_for_try(item, how, target, "loading", err);
	rc = 0;
	if (how == CLAIM_ANEW && !host_canceled())
		rc = write_anew(flow, item, target, &kept, err);
	else if (how == CLAIM_OTHERS && lost && !leaves)
		rc = instance_renew(target, err);
	if (!kept && item->setup->journal)
		journal_failed(item->setup->journal, UNIT_SPLIT, (int64_t)item->number);
	if ((rc < 0 || how == CLAIM_FAILS) && !item->job->failed)
		flow_fail(flow, item, err);
	return !leaves;
}

/* Every row of the job is staged. Where the rows are bounded, whoever runs the flow does this, the last table first. */
static void settle_job(struct flow *flow, struct item *item, struct instance *target)
{
	struct etl_error err = ERROR_INIT;

	if (!flow->setup->bound && item->job->changes && changes_settle(flow->setup, item->job, target, &err) < 0) {
		error_name_table(&err, job_name(item->job));
		flow_fail(flow, item, &err);
	}
	error_clear(&err);
}

void flow_write_all(struct flow *flow, struct instance *target)
{
	struct etl_error err = ERROR_INIT;
	struct item *item;
	bool goes_on = true;

	while (goes_on && (item = flow_take_to_write(flow))) {
		int rc = item->job->failed ? 0 : write_item(item, target, &err);

		error_name_table(&err, job_name(item->job));
		if (rc < 0)
			goes_on = write_failed(flow, item, target, rc, &err);
		error_clear(&err);
		if (item->last && !item->job->failed)
			settle_job(flow, item, target);
		queue_abandon(item->queue);
		canon_free(item->target.canon);
		item->target.canon = NULL;
		flow_let_go(flow, item);
		if (rc == 0 && flow->setup->moved)
			flow->setup->moved(flow->setup->data);
	}
}

void *flow_writer_main(void *data)
{
	struct flow *flow = data;
	const struct flow_setup *setup = flow->setup;
	struct etl_error err = ERROR_INIT;
	struct instance *target = NULL;
	int rc = instance_open(&setup->pipeline->target, ETL_ROLE_TARGET, &setup->limits, &target,
			       &err);

	if (rc == 0)
		flow_write_all(flow, target);
	else if (rc != ETL_CANCELED)
		flow_fail(flow, NULL, &err);
	instance_close(target);
	error_clear(&err);
	return NULL;
}
