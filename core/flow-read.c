/*
 * The readers of a flow: each takes an item, opens the chain of its rows and pushes their batches into the item's queue.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "flow-parts.h"
#include "log.h"

/* What is kept of rows on their way. False: no memory. */
static bool learn(struct item *item, const struct ArrowArray *batch)
{
	const struct etl_needs *needs = &item->job->needs;

	if (item->totals)
		totals_batch(item->totals, batch);
	if (item->canon && !digest_batch(&item->digest, item->canon, batch, needs->ppm, needs->seed))
		return false;
	return !item->origins || origins_add(item->origins, batch);
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
		if (!learn(item, &batch)) {
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
		if (item->setup->moved)
			item->setup->moved(item->setup->data);
		if (!queue_push(item->queue, &batch)) {
			batch.release(&batch);
			return ETL_CANCELED;
		}
	}
}

/* All of it is of the rows as they come: the columns stand where they stand at the target. */
static int start_learning(struct item *item, struct ArrowArrayStream *stream, struct etl_error *err)
{
	struct ArrowSchema schema = { 0 };
	struct job *job = item->job;
	int rc = stream->get_schema(stream, &schema);

	if (rc)
		return stream_failed(job_source_name(job), stream, rc, err);
	if (job->needs.hash)
		item->canon = job_canon(job, &schema, job->needs.hash);
	if (job->adds_up)
		item->totals = totals_new(&schema);
	if (job->keeps_origins)
		item->origins = origins_new(item->source.split, job_canon(job, &schema, ETL_HASH_X1), item->setup->origins_left);
	schema.release(&schema);
	return (item->canon || !job->needs.hash) && (item->totals || !job->adds_up) && (item->origins || !job->keeps_origins) ?
		       0 :
		       error_memory(err);
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
	rc = job->needs.hash || job->adds_up || job->keeps_origins ? start_learning(item, &stream, err) : 0;
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

/* It has no view of the rows. Where the order matters the others may wait for what it had begun. */
static bool reader_ends(struct flow *flow, bool leaves, int rc, struct etl_error *err)
{
	if (rc < 0 && leaves && err->klass == ETL_FEWER_WORKERS)
		flow_say_fewer("reader", err);
	else if (rc < 0 && rc != ETL_CANCELED)
		flow_fail(flow, NULL, err);
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
	how = flow_claim(flow, item, source, true, err);
	/* The reason first: closing the queue makes the writer fail too, with less to say. */
	if (how == CLAIM_FAILS)
		flow_fail(flow, item, err);
	queue_close(item->queue, true);
	if (how == CLAIM_AGAIN || how == CLAIM_ANEW)
		flow_wait_for_try(item, how, source, "reading", err);
	if (how == CLAIM_ANEW && sources && !source->pinned && !host_canceled()) {
		leaves = source != flow->setup->source && !flow->setup->in_order;
		rc = instance_renew(source, err);
		if (rc == 0)
			rc = join_view(flow, source, leaves, err);
		goes_on = !reader_ends(flow, leaves, rc, err);
	}
	return goes_on;
}

void flow_read_all(struct flow *flow, struct instance *source)
{
	struct etl_error err = ERROR_INIT;
	struct item *item;
	bool goes_on = true;

	while (goes_on && (item = flow_take_to_read(flow))) {
		int rc = item->job->failed ? 0 : read_item(flow, item, source, &err);

		error_name_table(&err, job_source_name(item->job));
		if (rc < 0)
			goes_on = read_failed(flow, item, source, rc, &err);
		else
			queue_close(item->queue, false);
		error_clear(&err);
		flow_let_go(flow, item);
	}
}

/* A reader of its own instance; it ends quietly when the store gives no more connections. */
void *flow_reader_main(void *data)
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
		flow_read_all(flow, source);
	instance_close(source);
	return NULL;
}
