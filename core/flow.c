/*
 * Work is one list of (job, split) in order. A reader takes the next, opens its chain and pushes
 * batches into the item's own queue; a writer takes the next and hands the target a stream that
 * pops from that queue. Because both take in order, the item a writer waits for is always being
 * read, so nothing can wait for ever. All threads of the host are started here, except
 * progress.c's.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "batch.h"
#include "flow.h"
#include "log.h"
#include "queue.h"

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
	struct digest before; /* of the job, when the target began with this split */
};

struct flow {
	const struct flow_setup *setup;
	struct item *items;
	size_t count, next_read, next_write, finished;
	pthread_mutex_t mutex;
	pthread_cond_t room; /* signalled when an item is finished */
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

static struct item *take(struct flow *flow, size_t *next, bool bounded)
{
	struct item *item = NULL;
	struct timespec until;

	pthread_mutex_lock(&flow->mutex);
	/* A reader is at most its share ahead, so a thousand small tables do not all wait in
	 * memory. */
	while (bounded && *next < flow->count && !host_canceled() &&
	       *next >= flow->finished + 2 * (size_t)flow->setup->readers) {
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec++;
		pthread_cond_timedwait(&flow->room, &flow->mutex, &until);
	}
	if (*next < flow->count && !host_canceled())
		item = &flow->items[(*next)++];
	pthread_mutex_unlock(&flow->mutex);
	return item;
}

static void read_all(struct flow *flow, struct instance *source)
{
	struct etl_error err = ERROR_INIT;
	struct item *item;

	while ((item = take(flow, &flow->next_read, true))) {
		int rc = item->job->failed ? 0 : read_item(flow, item, source, &err);

		/* The reason first: closing the queue makes the writer fail too, with less to
		 * say. */
		error_name_table(&err, job_source_name(item->job));
		if (rc < 0 && rc != ETL_CANCELED)
			fail(flow, item, &err);
		queue_close(item->queue, rc < 0);
		error_clear(&err);
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

	if (rc == 0 && setup->pin)
		rc = source->plugin->source.join(source->self, setup->pin,
						 instance_error(source, &err));
	if (rc == 0)
		read_all(flow, source);
	else if (err.klass == ETL_FEWER_WORKERS)
		log_line(ETL_LOG_INFO, "one reader fewer: %s",
			 err.message ? err.message : "the source gives no more");
	else if (rc != ETL_CANCELED)
		fail(flow, NULL, &err);
	instance_close(source);
	error_clear(&err);
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

/* What the target took out of the digest while it had this split is in the job's. */
static void net_digest(const struct item *item, struct digest *ret)
{
	struct job *job = item->job;

	pthread_mutex_lock(&job->mutex);
	*ret = job->digest;
	pthread_mutex_unlock(&job->mutex);
	digest_subtract(ret, &item->before);
	digest_add(ret, &item->digest);
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

	if (!item->setup->journal || !item->setup->journal->state)
		return 0;
	record.stages = calloc(record.stage_count + 1, sizeof(*record.stages));
	if (!record.stages)
		return error_memory(item->target.err);
	sum_stages(item, record.stages);
	net_digest(item, &record.digest);
	rc = rejects_settle(item->target.rejects, item->job, item->split->index, item->target.err);
	if (rc == 0)
		rc = journal_split_taken(item->setup->journal, (int64_t)item->number,
					 item->job->target->name, &record, item->target.err);
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
	rc = item->setup->journal ? journal_split_begin(item->setup->journal, err) : 0;
	if (rc < 0)
		return rc;
	item->before = job->digest;
	rc = target->plugin->target.load(target->self, &job->load, &job->token, &part, &stream,
					 &stats, item->target.err);
	if (rc == 0)
		rc = all_taken(&intake, target, err);
	if (rc == 0)
		rc = rejects_settle(item->target.rejects, job, item->split->index, err);
	if (stream.release)
		stream.release(&stream);
	if (rc == 0)
		account(item, &stats);
	return rc;
}

static void finish(struct flow *flow, struct item *item)
{
	queue_abandon(item->queue);
	canon_free(item->target.canon);
	item->target.canon = NULL;
	pthread_mutex_lock(&flow->mutex);
	flow->finished++;
	pthread_cond_broadcast(&flow->room);
	pthread_mutex_unlock(&flow->mutex);
}

static void write_all(struct flow *flow, struct instance *target)
{
	struct etl_error err = ERROR_INIT;
	struct item *item;

	while ((item = take(flow, &flow->next_write, false))) {
		int rc = item->job->failed ? 0 : write_item(item, target, &err);

		error_name_table(&err, item->job->target->name);
		if (rc < 0 && item->setup->journal)
			journal_failed(item->setup->journal, UNIT_SPLIT, (int64_t)item->number);
		if (rc < 0 && rc != ETL_CANCELED && !item->job->failed)
			fail(flow, item, &err);
		error_clear(&err);
		finish(flow, item);
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

static void start(struct flow *flow, pthread_t *threads, size_t *count, void *(*body)(void *))
{
	if (pthread_create(&threads[*count], NULL, body, flow) == 0)
		++*count;
	else
		log_line(ETL_LOG_WARN,
			 "a worker thread cannot be started; the run goes on with fewer");
}

int flow_run(const struct flow_setup *setup, struct etl_error *err)
{
	struct flow flow = { .setup = setup,
			     .err = err,
			     .mutex = PTHREAD_MUTEX_INITIALIZER,
			     .room = PTHREAD_COND_INITIALIZER };
	size_t room = (size_t)(setup->readers + setup->writers), threads = 0;
	pthread_t *ids = calloc(room, sizeof(*ids));
	int rc = ids ? make_items(&flow, err) : error_memory(err);

	if (rc == 0) {
		start(&flow, ids, &threads, first_reader_main);
		if (threads == 0)
			rc = error_set(err, ETL_MEMORY,
				       "no thread can be started; raise the limit of processes "
				       "(ulimit -u)");
	}
	if (rc == 0) {
		for (int32_t i = 1; i < setup->readers; i++)
			start(&flow, ids, &threads, reader_main);
		for (int32_t i = 1; i < setup->writers; i++)
			start(&flow, ids, &threads, writer_main);
		write_all(&flow, setup->target);
	}
	for (size_t i = 0; i < threads; i++)
		pthread_join(ids[i], NULL);
	free_items(&flow);
	free(ids);
	pthread_mutex_destroy(&flow.mutex);
	pthread_cond_destroy(&flow.room);
	if (rc < 0)
		return rc;
	if (err->set)
		return ETL_FAILED;
	return host_canceled() ? ETL_CANCELED : 0;
}
