/*
 * Who has which item of a flow, and what becomes of one that failed.
 */
#include "config.h"

#include <stdio.h>
#include <time.h>

#include "flow-parts.h"
#include "log.h"
#include "maps.h"

#define WAKE_MS 100 /* a signal wakes nobody */

void flow_fail(struct flow *flow, struct item *item, struct etl_error *err)
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

void flow_say_fewer(const char *who, const struct etl_error *err)
{
	log_line(ETL_LOG_INFO, "one %s fewer: %s", who,
		 err->message ? err->message : "the store gives no more");
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
		 flow->next_read < flow->finished + 2 * (size_t)flow->setup->readers &&
		 maps_ready(flow->items[flow->next_read].job))
		item = &flow->items[flow->next_read++];
	return item;
}

struct item *flow_take_to_read(struct flow *flow)
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

struct item *flow_take_to_write(struct flow *flow)
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
	totals_free(item->totals);
	item->totals = NULL;
	origins_free(item->origins);
	item->origins = NULL;
	item->passed = item->bytes = 0;
	item->taken = item->marked = false;
	queue_restart(item->queue);
	return rejects_undo(item->setup->rejects, item->job, item->split->index, err);
}

/* One of both sides is done with ITEM. */
void flow_let_go(struct flow *flow, struct item *item)
{
	struct etl_error err = ERROR_INIT;
	bool last, again;

	pthread_mutex_lock(&flow->mutex);
	last = --item->holders == 0;
	again = item->again;
	if (last && !again) {
		flow->finished++;
		item->job->splits_over++;
	}
	pthread_cond_broadcast(&flow->changed);
	pthread_mutex_unlock(&flow->mutex);
	if (!last || !again)
		return;
	if (take_back(item, &err) < 0)
		flow_fail(flow, item, &err);
	pthread_mutex_lock(&flow->mutex);
	item->again = false;
	list_add(&flow->again, item);
	pthread_cond_broadcast(&flow->changed);
	pthread_mutex_unlock(&flow->mutex);
}

/* ---- What is tried again ---- */

/* Only the first of both sides that fails has a say. */
enum claim flow_claim(struct flow *flow, struct item *item, const struct instance *instance,
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

void flow_wait_for_try(struct item *item, enum claim how, const struct instance *instance,
			 const char *doing, struct etl_error *err)
{
	char what[320];

	snprintf(what, sizeof(what), "%s \"%s\", part %llu", doing,
		 instance->host.role == ETL_ROLE_SOURCE ? job_source_name(item->job) :
							  job_name(item->job),
		 (unsigned long long)item->split->index);
	retry_wait(&item->tries, how == CLAIM_ANEW ? RETRY_ANEW : RETRY_AGAIN, instance->retries,
		   what, err);
}
