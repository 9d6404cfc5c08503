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

static void *first_reader_main(void *data)
{
	struct flow *flow = data;

	flow_read_all(flow, flow->setup->source);
	return NULL;
}

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
		totals_free(flow->items[i].totals);
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
