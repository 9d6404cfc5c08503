/*
 * Work is one list of (job, split) in order. A reader takes the next, opens its chain and pushes
 * batches into the item's own queue; a writer takes the first that is being read and hands the target a
 * stream that pops from that queue. So whoever waits for a batch waits for a reader at work, and nothing
 * can wait for ever.
 *
 * What fails in a way that may pass is read and loaded again as a whole: when both sides have let go of
 * an item, everything that was counted of it is taken back, and it is given to the next reader that is free.
 * Where the order of loads matters no other item is loaded before it.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "batch.h"
#include "crew.h"
#include "flow.h"
#include "log.h"
#include "queue.h"
#include "retry.h"

#define WAKE_MS 100 /* a signal wakes nobody */

/* One split of one job on its way. */
struct item {
	const struct flow_setup *setup;
	struct job *job;
	size_t number; /* of the split in the run */
	struct etl_split *split;
	struct queue *queue;
	struct etl_context source, target;
	struct digest digest;
	struct canon *canon; /* the reader's */
	uint64_t passed, bytes;
	struct digest refused; /* the rows that the target refused */
	struct etl_token mark; /* where the target stood before it, where it can say so */
	bool marked;
	bool taken; /* the target has every row of it */

	/* Under the flow's mutex. */
	struct item *next; /* in one of the flow's lists */
	int holders;	   /* its reader and its writer, also the one that has not come yet */
	bool again;	   /* one of them failed, and it is tried again */
	struct retry_count tries;
};

/* In the order of their numbers. */
struct item_list {
	struct item *first;
};

struct flow {
	const struct flow_setup *setup;
	struct item *items;
	size_t count, next_read, finished;
	struct item_list reading; /* a reader has them, or is done with them; no writer has */
	struct item_list again;	  /* to be read again; nobody has them */
	size_t repeating;	  /* failed, and not with a reader again */
	int32_t writers;	  /* at work */
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	struct etl_error *err;
};

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void fail(struct flow *flow, struct item *item, struct etl_error *err)
{
	pthread_mutex_lock(&flow->mutex);
	if (!err->set && !host_canceled()) {
		error_unsaid(err);
		error_name_table(err, item ? job_source_name(item->job) : NULL);
	}
	if (item && job_fails_alone(flow->setup->pipeline, err)) {
		job_fail(item->job, err);
	} else {
		error_move(flow->err, err);
		host_cancel();
	}
	pthread_mutex_unlock(&flow->mutex);
	error_clear(err);
}

/* ---- Who has what ---- */

static void list_add(struct item_list *list, struct item *item)
{
	struct item **at = &list->first;

	while (*at && (*at)->number < item->number)
		at = &(*at)->next;
	item->next = *at;
	*at = item;
}

static struct item *list_take(struct item_list *list)
{
	struct item *item = list->first;

	if (item)
		list->first = item->next;
	return item;
}

static void wait_for_change(struct flow *flow)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += WAKE_MS * 1000000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000L;
	}
	pthread_cond_timedwait(&flow->changed, &flow->mutex, &until);
}

static bool is_over(const struct flow *flow)
{
	return flow->finished == flow->count || host_canceled();
}

/* A reader is at most its share ahead, so a thousand small tables do not all wait in memory. */
static struct item *next_to_read(struct flow *flow)
{
	struct item *item = list_take(&flow->again);

	if (item)
		flow->repeating--;
	else if (flow->next_read < flow->count &&
		 flow->next_read < flow->finished + 2 * (size_t)flow->setup->readers)
		item = &flow->items[flow->next_read++];
	return item;
}

static struct item *take_to_read(struct flow *flow)
{
	struct item *item = NULL;

	pthread_mutex_lock(&flow->mutex);
	while (!is_over(flow) && !(item = next_to_read(flow)))
		wait_for_change(flow);
	if (item) {
		item->holders = 2;
		list_add(&flow->reading, item);
		pthread_cond_broadcast(&flow->changed);
	}
	pthread_mutex_unlock(&flow->mutex);
	return item;
}

/* What failed and stands before the first is waited for. What failed itself is taken: until its writer has let go of it too,
 * nobody reads it again. */
static bool out_of_turn(const struct flow *flow)
{
	const struct item *first = flow->reading.first;

	if (!flow->setup->in_order || flow->repeating == 0 || !first)
		return false;
	if (flow->again.first && flow->again.first->number < first->number)
		return true;
	for (const struct item *item = flow->items; item < first; item++)
		if (item->again)
			return true;
	return false;
}

static struct item *take_to_write(struct flow *flow)
{
	struct item *item = NULL;

	pthread_mutex_lock(&flow->mutex);
	while (!is_over(flow) && (out_of_turn(flow) || !(item = list_take(&flow->reading))))
		wait_for_change(flow);
	pthread_mutex_unlock(&flow->mutex);
	return item;
}

/* What was counted of a try that failed did not happen. */
static int take_back(struct item *item, struct etl_error *err)
{
	struct progress_table *progress = item->job->progress;

	if (progress) {
		atomic_fetch_sub(&progress->rows, item->passed);
		atomic_fetch_sub(&progress->bytes, item->bytes);
	}
	context_restart(&item->source);
	context_restart(&item->target);
	memset(&item->digest, 0, sizeof(item->digest));
	memset(&item->refused, 0, sizeof(item->refused));
	item->passed = item->bytes = 0;
	item->taken = item->marked = false;
	queue_restart(item->queue);
	return rejects_undo(item->setup->rejects, item->job, item->split->index, err);
}

/* One of both sides is done with ITEM. */
static void let_go(struct flow *flow, struct item *item)
{
	struct etl_error err = ERROR_INIT;
	bool last, again;

	pthread_mutex_lock(&flow->mutex);
	last = --item->holders == 0;
	again = item->again;
	if (last && !again)
		flow->finished++;
	pthread_cond_broadcast(&flow->changed);
	pthread_mutex_unlock(&flow->mutex);
	if (!last || !again)
		return;
	if (take_back(item, &err) < 0)
		fail(flow, item, &err);
	pthread_mutex_lock(&flow->mutex);
	item->again = false;
	list_add(&flow->again, item);
	pthread_cond_broadcast(&flow->changed);
	pthread_mutex_unlock(&flow->mutex);
}

/* ---- What is tried again ---- */

enum claim {
	CLAIM_FAILS, /* the run, or the table, fails */
	CLAIM_OTHERS, /* the other side failed before, and this is what came of it */
	CLAIM_AGAIN,  /* on the same instance */
	CLAIM_ANEW    /* on a new one */
};

/* Only the first of both sides that fails has a say. */
static enum claim claim(struct flow *flow, struct item *item, const struct instance *instance,
			bool may, const struct etl_error *err)
{
	static const enum claim claims[] = { CLAIM_FAILS, CLAIM_AGAIN, CLAIM_ANEW };
	enum claim ret = CLAIM_OTHERS;

	pthread_mutex_lock(&flow->mutex);
	if (!item->again) {
		ret = may && !item->job->failed ? claims[retry_decide(&item->tries, instance,
								      instance->retries, err)] :
						  CLAIM_FAILS;
		item->again = ret != CLAIM_FAILS;
		flow->repeating += item->again;
	}
	pthread_mutex_unlock(&flow->mutex);
	return ret;
}

static void wait_for_try(struct item *item, enum claim how, const struct instance *instance,
			 const char *doing, struct etl_error *err)
{
	char what[320];

	snprintf(what, sizeof(what), "%s \"%s\", part %llu", doing,
		 instance->host.role == ETL_ROLE_SOURCE ? job_source_name(item->job) :
							  item->job->target->name,
		 (unsigned long long)item->split->index);
	retry_wait(&item->tries, how == CLAIM_ANEW ? RETRY_ANEW : RETRY_AGAIN, instance->retries,
		   what, err);
}

/* ---- Reading ---- */

static int digest_item(struct item *item, const struct ArrowArray *batch)
{
	const struct etl_needs *needs = &item->job->needs;

	return !item->canon ||
	       digest_batch(&item->digest, item->canon, batch, needs->ppm, needs->seed);
}

/* What a stream's error number says when nobody described it. */
static int stream_failed(const char *table, struct ArrowArrayStream *stream, int code,
			 struct etl_error *err)
{
	const char *words = stream->get_last_error(stream);

	if (host_canceled())
		return ETL_CANCELED;
	if (code == ENOMEM)
		return error_memory(err);
	return err->set ? ETL_FAILED :
			  error_set(err, ETL_FATAL, "reading \"%s\": %s", table,
				    words ? words : strerror(code));
}

/* Rows that a transform leaves in its input would be lost in silence. */
static int all_given(const struct item *item, struct etl_error *err)
{
	if (item->source.ended)
		return 0;
	return error_set(err, ETL_BUG,
			 "a transform or validator of \"%s\" ended its rows before it had taken "
			 "all that came in",
			 job_source_name(item->job));
}

static int pump(struct item *item, struct ArrowArrayStream *stream, struct etl_error *err)
{
	struct progress_table *progress = item->job->progress;

	for (;;) {
		struct ArrowArray batch = { 0 };
		int rc = stream->get_next(stream, &batch);
		uint64_t size;

		if (rc)
			return stream_failed(job_source_name(item->job), stream, rc, err);
		if (!batch.release)
			return all_given(item, err);
		if (batch.length == 0) {
			batch.release(&batch);
			continue;
		}
		if (!digest_item(item, &batch)) {
			batch.release(&batch);
			return error_memory(err);
		}
		size = (uint64_t)batch_bytes(&item->job->rows, &batch);
		item->passed += (uint64_t)batch.length;
		item->bytes += size;
		if (progress) {
			atomic_store(&progress->state, 1);
			atomic_fetch_add(&progress->rows, (uint64_t)batch.length);
			atomic_fetch_add(&progress->bytes, size);
		}
		if (!queue_push(item->queue, &batch)) {
			batch.release(&batch);
			return ETL_CANCELED;
		}
	}
}

/* The digest is of the rows as they come: the key's columns stand where they stand at the
 * target. */
static int start_digest(struct item *item, struct ArrowArrayStream *stream, struct etl_error *err)
{
	struct ArrowSchema schema = { 0 };
	int rc = stream->get_schema(stream, &schema);

	if (rc)
		return stream_failed(job_source_name(item->job), stream, rc, err);
	item->canon = canon_new(&schema, item->job->key, item->job->key_count,
				item->job->needs.hash);
	schema.release(&schema);
	return item->canon ? 0 : error_memory(err);
}

static int read_item(struct flow *flow, struct item *item, struct instance *source,
		     struct etl_error *err)
{
	struct ArrowArrayStream stream = { 0 };
	struct job *job = item->job;
	int rc;

	item->source.err = err;
	rc = flow_open(flow->setup, job, source, item->split, &item->source, &stream, err);
	if (rc < 0)
		return rc;
	rc = job->needs.hash ? start_digest(item, &stream, err) : 0;
	if (rc == 0)
		rc = pump(item, &stream, err);
	stream.release(&stream);
	canon_free(item->canon);
	item->canon = NULL;
	return rc;
}

/* Enters the pin's view with a new instance. LEAVES: without a connection this reader is not missed. */
static int join_view(const struct flow *flow, struct instance *source, bool leaves,
		     struct etl_error *err)
{
	struct retry retry = retry_of(source, "entering the view of the other readers");
	const struct flow_setup *setup = flow->setup;
	int rc = 0;

	if (!setup->pin)
		return 0;
	do
		rc = source->plugin->source.join(source->self, setup->pin,
						 instance_error(source, err));
	while (rc < 0 && !(leaves && err->klass == ETL_FEWER_WORKERS) && retry_again(&retry, err));
	return rc;
}

static void say_fewer(const char *who, const struct etl_error *err)
{
	log_line(ETL_LOG_INFO, "one %s fewer: %s", who,
		 err->message ? err->message : "the store gives no more");
}

/* It has no view of the rows. Where the order matters the others may wait for what it had begun. */
static bool reader_ends(struct flow *flow, bool leaves, int rc, struct etl_error *err)
{
	if (rc < 0 && leaves && err->klass == ETL_FEWER_WORKERS)
		say_fewer("reader", err);
	else if (rc < 0 && rc != ETL_CANCELED)
		fail(flow, NULL, err);
	error_clear(err);
	return rc < 0;
}

/* False: this reader ends. What the source lost is read again on a new instance; what a transform lost, on
 * this one. */
static bool read_failed(struct flow *flow, struct item *item, struct instance *source, int rc,
			struct etl_error *err)
{
	bool sources = err->role == ETL_ROLE_SOURCE, goes_on = true, leaves;
	enum claim how;

	if (rc == ETL_CANCELED) {
		queue_close(item->queue, true);
		return true;
	}
	how = claim(flow, item, source, true, err);
	/* The reason first: closing the queue makes the writer fail too, with less to say. */
	if (how == CLAIM_FAILS)
		fail(flow, item, err);
	queue_close(item->queue, true);
	if (how == CLAIM_AGAIN || how == CLAIM_ANEW)
		wait_for_try(item, how, source, "reading", err);
	if (how == CLAIM_ANEW && sources && !source->pinned && !host_canceled()) {
		leaves = source != flow->setup->source && !flow->setup->in_order;
		rc = instance_renew(source, err);
		if (rc == 0)
			rc = join_view(flow, source, leaves, err);
		goes_on = !reader_ends(flow, leaves, rc, err);
	}
	return goes_on;
}

static void read_all(struct flow *flow, struct instance *source)
{
	struct etl_error err = ERROR_INIT;
	struct item *item;
	bool goes_on = true;

	while (goes_on && (item = take_to_read(flow))) {
		int rc = item->job->failed ? 0 : read_item(flow, item, source, &err);

		error_name_table(&err, job_source_name(item->job));
		if (rc < 0)
			goes_on = read_failed(flow, item, source, rc, &err);
		else
			queue_close(item->queue, false);
		error_clear(&err);
		let_go(flow, item);
	}
}

/* A reader of its own instance; it ends quietly when the store gives no more connections. */
static void *reader_main(void *data)
{
	struct flow *flow = data;
	const struct flow_setup *setup = flow->setup;
	struct etl_error err = ERROR_INIT;
	struct instance *source = NULL;
	int rc = instance_open(&setup->pipeline->source, ETL_ROLE_SOURCE, &setup->limits, &source,
			       &err);

	if (rc == 0)
		rc = join_view(flow, source, true, &err);
	if (!reader_ends(flow, true, rc, &err))
		read_all(flow, source);
	instance_close(source);
	return NULL;
}

/* ---- Writing ---- */

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

/* The last row is on its way: what was counted is written down before the target makes it whole. */
static int taken(struct item *item)
{
	struct split_record record = {
		.read = item->source.read + item->source.gone_count,
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
	int rc;

	item->taken = true;
	if (!item->setup->journal || !item->setup->journal->state)
		return 0;
	record.stages = calloc(record.stage_count + 1, sizeof(*record.stages));
	if (!record.stages)
		return error_memory(item->target.err);
	sum_stages(item, record.stages);
	record.digest = item->digest;
	digest_subtract(&record.digest, &item->refused);
	rc = rejects_settle(item->target.rejects, item->job, item->split->index, item->target.err);
	if (rc == 0)
		rc = journal_split_taken(item->setup->journal, (int64_t)item->number,
					 item->job->target->name, &item->mark, &record,
					 item->target.err);
	free(record.stages);
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

static void account(struct item *item, const struct etl_stats *stats)
{
	struct job *job = item->job;

	pthread_mutex_lock(&job->mutex);
	sum_stages(item, job->stages);
	job->read += item->source.read + item->source.gone_count;
	job->passed += item->passed;
	job->filtered += item->source.filtered;
	job->created += item->source.created;
	job->merged += item->source.merged;
	job->rejected += item->source.rejected + item->target.rejected;
	job->rejected_by_target += item->target.rejected;
	job->staged += stats->rows;
	job->bytes += item->bytes;
	digest_add(&job->digest, &item->digest);
	digest_subtract(&job->digest, &item->refused);
	job->splits_done++;
	job->ended = now();
	if (job->progress && job->splits_done == job->split_count)
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
				   target->plugin->base.name, intake->item->job->target->name);
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
	item->target.canon = canon_new(&job->rows, job->key, job->key_count, ETL_HASH_X1);
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
			       item->job->target->name);
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
		say_fewer("writer", err);
	return leaves;
}

/* False: this writer ends. Of what was lost with its connection nobody knows whether it is there, unless the target was
 * asked; then it stays in the journal, so that who resumes the run asks. */
static bool write_failed(struct flow *flow, struct item *item, struct instance *target, int rc,
			 struct etl_error *err)
{
	bool lost = retry_is_lost(err->klass), leaves = writer_leaves(flow, item, err),
	     kept = false, known = !lost;
	enum claim how = leaves ? CLAIM_OTHERS : claim(flow, item, target, !flow->setup->in_order, err);

	if (rc == ETL_CANCELED && how == CLAIM_FAILS)
		how = CLAIM_OTHERS;
	queue_abandon(item->queue);
	if (how == CLAIM_AGAIN || how == CLAIM_ANEW)
		wait_for_try(item, how, target, "loading", err);
	rc = 0;
	if (how == CLAIM_ANEW && !host_canceled())
		rc = write_anew(flow, item, target, &kept, err), known = rc == 0;
	else if (how == CLAIM_OTHERS && lost && !leaves)
		rc = instance_renew(target, err);
	if (!kept && known && item->setup->journal)
		journal_failed(item->setup->journal, UNIT_SPLIT, (int64_t)item->number);
	if ((rc < 0 || how == CLAIM_FAILS) && !item->job->failed)
		fail(flow, item, err);
	return !leaves;
}

static void write_all(struct flow *flow, struct instance *target)
{
	struct etl_error err = ERROR_INIT;
	struct item *item;
	bool goes_on = true;

	while (goes_on && (item = take_to_write(flow))) {
		int rc = item->job->failed ? 0 : write_item(item, target, &err);

		error_name_table(&err, item->job->target->name);
		if (rc < 0)
			goes_on = write_failed(flow, item, target, rc, &err);
		error_clear(&err);
		queue_abandon(item->queue);
		canon_free(item->target.canon);
		item->target.canon = NULL;
		let_go(flow, item);
		if (rc == 0 && flow->setup->staged)
			flow->setup->staged(flow->setup->data);
	}
}

static void *writer_main(void *data)
{
	struct flow *flow = data;
	const struct flow_setup *setup = flow->setup;
	struct etl_error err = ERROR_INIT;
	struct instance *target = NULL;
	int rc = instance_open(&setup->pipeline->target, ETL_ROLE_TARGET, &setup->limits, &target,
			       &err);

	if (rc == 0)
		write_all(flow, target);
	else if (rc != ETL_CANCELED)
		fail(flow, NULL, &err);
	instance_close(target);
	error_clear(&err);
	return NULL;
}

static void *first_reader_main(void *data)
{
	struct flow *flow = data;

	read_all(flow, flow->setup->source);
	return NULL;
}

/* ---- All of it ---- */

static int make_items(struct flow *flow, struct etl_error *err)
{
	const struct flow_setup *setup = flow->setup;
	size_t most = 0;

	for (size_t i = 0; i < setup->jobs->count; i++)
		most += setup->jobs->at[i]->split_count;
	flow->items = calloc(most + 1, sizeof(*flow->items));
	if (!flow->items)
		return error_memory(err);
	for (size_t i = 0; i < setup->jobs->count; i++) {
		struct job *job = setup->jobs->at[i];

		if (!job->stages)
			job->stages = calloc(job_stages(job), sizeof(*job->stages));
		if (!job->stages)
			return error_memory(err);
		for (size_t k = 0; k < job->split_count; k++) {
			struct item *item = &flow->items[flow->count];

			if (setup->journal && journal_has(setup->journal, UNIT_SPLIT,
							  (int64_t)(job->first_split + k)))
				continue;
			flow->count++;
			item->setup = setup;
			item->number = job->first_split + k;
			item->job = job;
			item->split = &job->splits[k].split;
			item->queue = queue_new(setup->depth);
			item->source = (struct etl_context){ .job = job,
							     .split = k,
							     .side = SIDE_SOURCE,
							     .rejects = setup->rejects };
			item->target = item->source;
			item->target.side = SIDE_TARGET;
			item->target.refused = &item->refused;
			if (!item->queue)
				return error_memory(err);
		}
	}
	return 0;
}

static void free_items(struct flow *flow)
{
	for (size_t i = 0; flow->items && i < flow->count; i++) {
		queue_free(flow->items[i].queue);
		context_clear(&flow->items[i].source);
		context_clear(&flow->items[i].target);
		canon_free(flow->items[i].canon);
		canon_free(flow->items[i].target.canon);
	}
	free(flow->items);
}

static void start_writers(struct flow *flow, struct crew *crew)
{
	for (int32_t i = 1; i < flow->setup->writers; i++) {
		pthread_mutex_lock(&flow->mutex);
		flow->writers++;
		pthread_mutex_unlock(&flow->mutex);
		if (crew_start(crew, writer_main, flow))
			continue;
		pthread_mutex_lock(&flow->mutex);
		flow->writers--;
		pthread_mutex_unlock(&flow->mutex);
	}
}

int flow_run(const struct flow_setup *setup, struct etl_error *err)
{
	struct flow flow = { .setup = setup,
			     .err = err,
			     .writers = 1,
			     .mutex = PTHREAD_MUTEX_INITIALIZER,
			     .changed = PTHREAD_COND_INITIALIZER };
	struct crew crew;
	int rc = crew_open(&crew, (size_t)(setup->readers + setup->writers)) ?
			 make_items(&flow, err) :
			 error_memory(err);

	if (rc == 0 && !crew_start(&crew, first_reader_main, &flow))
		rc = error_set(err, ETL_MEMORY,
			       "no thread can be started; raise the limit of processes "
			       "(ulimit -u)");
	if (rc == 0) {
		for (int32_t i = 1; i < setup->readers; i++)
			crew_start(&crew, reader_main, &flow);
		start_writers(&flow, &crew);
		write_all(&flow, setup->target);
	}
	crew_join(&crew);
	free_items(&flow);
	pthread_mutex_destroy(&flow.mutex);
	pthread_cond_destroy(&flow.changed);
	if (rc < 0)
		return rc;
	if (err->set)
		return ETL_FAILED;
	return host_canceled() ? ETL_CANCELED : 0;
}

/* ---- Pieces of work -------------------------------------------------------------------------- */

struct spread {
	const struct flow_work *work;
	pthread_mutex_t mutex;
	size_t next, started; /* pieces taken; threads */
	struct etl_error *err;
	int rc;
};

static bool take_piece(struct spread *s, size_t *ret)
{
	bool any;

	pthread_mutex_lock(&s->mutex);
	any = s->rc == 0 && s->next < s->work->count && !host_canceled();
	if (any)
		*ret = s->next++;
	pthread_mutex_unlock(&s->mutex);
	return any;
}

static void piece_failed(struct spread *s, int rc, struct etl_error *err)
{
	pthread_mutex_lock(&s->mutex);
	if (!err->set && rc != ETL_CANCELED)
		error_unsaid(err);
	if (err->set)
		error_move(s->err, err);
	if (s->rc == 0 || s->err->set)
		s->rc = s->err->set ? ETL_FAILED : rc;
	host_cancel();
	pthread_mutex_unlock(&s->mutex);
}

static void *spread_main(void *data)
{
	struct spread *s = data;
	struct etl_error err = ERROR_INIT;
	size_t piece, thread;

	pthread_mutex_lock(&s->mutex);
	thread = s->started++;
	pthread_mutex_unlock(&s->mutex);
	while (take_piece(s, &piece)) {
		int rc = s->work->piece(s->work->data, piece, thread, &err);

		if (rc < 0)
			piece_failed(s, rc, &err);
		error_clear(&err);
	}
	return NULL;
}

int flow_spread(const struct flow_work *work, struct etl_error *err)
{
	struct spread s = { .work = work, .mutex = PTHREAD_MUTEX_INITIALIZER, .err = err };
	size_t threads = work->threads < work->count ? work->threads : work->count;
	struct crew crew;

	if (!crew_open(&crew, threads))
		return error_memory(err);
	for (size_t i = 1; i < threads; i++)
		crew_start(&crew, spread_main, &s);
	spread_main(&s);
	crew_join(&crew);
	pthread_mutex_destroy(&s.mutex);
	if (s.rc < 0)
		return s.rc;
	return host_canceled() ? ETL_CANCELED : 0;
}
