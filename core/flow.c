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

#include <stdlib.h>

#include "crew.h"
#include "flow-parts.h"
#include "maps.h"

static void *first_reader_main(void *data)
{
	struct flow *flow = data;

	flow_read_all(flow, flow->setup->source);
	return NULL;
}

/* Of one split: how much is behind it, as the source believes: bytes, or -1. */
static double weight_of(const struct job *job)
{
	return job->source && job->source->bytes > 0 ? (double)job->source->bytes / (double)job->split_count : -1;
}

static int by_weight(const void *a, const void *b)
{
	const struct job *const *x = a, *const *y = b;
	double m = weight_of(*x), n = weight_of(*y);

	if (m != n)
		return m < n ? 1 : -1;
	return (*x)->index < (*y)->index ? -1 : (*x)->index > (*y)->index;
}

static int make_item(struct flow *flow, struct job *job, size_t k, struct etl_error *err)
{
	const struct flow_setup *setup = flow->setup;
	struct item *item = &flow->items[flow->count++];

	item->setup = setup;
	item->number = job->first_split + k;
	item->job = job;
	item->split = &job->splits[k].split;
	item->queue = queue_new(setup->depth);
	item->source = (struct etl_context){ .job = job, .split = k, .side = SIDE_SOURCE, .rejects = setup->rejects };
	item->target = item->source;
	item->target.side = SIDE_TARGET;
	item->target.refused = &item->refused;
	return item->queue ? 0 : error_memory(err);
}

static int make_job_items(struct flow *flow, struct job *job, struct etl_error *err)
{
	const struct journal *journal = flow->setup->journal;
	int rc = 0;

	if (!job->stages)
		job->stages = calloc(job_stages(job), sizeof(*job->stages));
	if (!job->stages)
		return error_memory(err);
	for (size_t k = 0; rc == 0 && k < job->split_count; k++)
		if (!journal || !journal_has(journal, UNIT_SPLIT, (int64_t)(job->first_split + k)))
			rc = make_item(flow, job, k, err);
	return rc;
}

/* The longest first where the order is free, so that in the end nobody waits for one that began late. Where only some rows may
 * come, or where children wait for what a map says of their parents, parents are among them before their children. */
static int make_items(struct flow *flow, struct etl_error *err)
{
	const struct flow_setup *setup = flow->setup;
	struct job **order = malloc((setup->jobs->count + 1) * sizeof(*order));
	size_t most = 0;
	int rc = 0;

	for (size_t i = 0; order && i < setup->jobs->count; i++) {
		order[i] = setup->jobs->at[i];
		most += order[i]->split_count;
	}
	flow->items = calloc(most + 1, sizeof(*flow->items));
	if (!order || !flow->items)
		rc = error_memory(err);
	if (rc == 0 && !setup->in_order && !setup->bound && !maps_any(setup->jobs))
		qsort((void *)order, setup->jobs->count, sizeof(*order), by_weight);
	for (size_t i = 0; rc == 0 && i < setup->jobs->count; i++)
		rc = make_job_items(flow, order[i], err);
	free((void *)order);
	return rc;
}

static void free_items(struct flow *flow)
{
	for (size_t i = 0; flow->items && i < flow->count; i++) {
		queue_free(flow->items[i].queue);
		context_clear(&flow->items[i].source);
		context_clear(&flow->items[i].target);
		canon_free(flow->items[i].canon);
		canon_free(flow->items[i].target.canon);
		totals_free(flow->items[i].totals);
		origins_free(flow->items[i].origins);
	}
	free(flow->items);
}

static void start_writers(struct flow *flow, struct crew *crew)
{
	for (int32_t i = 1; i < flow->setup->writers; i++) {
		pthread_mutex_lock(&flow->mutex);
		flow->writers++;
		pthread_mutex_unlock(&flow->mutex);
		if (crew_start(crew, flow_writer_main, flow))
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
			crew_start(&crew, flow_reader_main, &flow);
		start_writers(&flow, &crew);
		flow_write_all(&flow, setup->target);
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
