/*
 * One mutex, one condition. Waits end at least every WAKE_MS to look at the cancel switch, which a
 * signal handler may set and which no condition variable is signalled for.
 */
#include "config.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "host.h"
#include "queue.h"

#define WAKE_MS 100

struct queue {
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	bool closed, failed, abandoned;
	size_t depth, count, first;
	struct ArrowArray batches[];
};

struct queue *queue_new(size_t depth)
{
	struct queue *q = calloc(1, sizeof(*q) + depth * sizeof(q->batches[0]));
	pthread_condattr_t attr;

	if (!q)
		return NULL;
	q->depth = depth;
	pthread_mutex_init(&q->mutex, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&q->changed, &attr);
	pthread_condattr_destroy(&attr);
	return q;
}

static void drain(struct queue *q)
{
	for (; q->count > 0; q->count--) {
		struct ArrowArray *batch = &q->batches[q->first];

		batch->release(batch);
		q->first = (q->first + 1) % q->depth;
	}
}

void queue_restart(struct queue *q)
{
	pthread_mutex_lock(&q->mutex);
	drain(q);
	q->closed = q->failed = q->abandoned = false;
	pthread_mutex_unlock(&q->mutex);
}

void queue_free(struct queue *q)
{
	if (!q)
		return;
	drain(q);
	pthread_cond_destroy(&q->changed);
	pthread_mutex_destroy(&q->mutex);
	free(q);
}

static void wait(struct queue *q)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += WAKE_MS * 1000000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000L;
	}
	pthread_cond_timedwait(&q->changed, &q->mutex, &until);
}

bool queue_push(struct queue *q, struct ArrowArray *batch)
{
	bool ok;

	pthread_mutex_lock(&q->mutex);
	while (q->count == q->depth && !q->abandoned && !host_canceled())
		wait(q);
	ok = q->count < q->depth && !q->abandoned && !host_canceled();
	if (ok) {
		q->batches[(q->first + q->count++) % q->depth] = *batch;
		batch->release = NULL;
		pthread_cond_signal(&q->changed);
	}
	pthread_mutex_unlock(&q->mutex);
	return ok;
}

void queue_close(struct queue *q, bool failed)
{
	pthread_mutex_lock(&q->mutex);
	q->closed = true;
	q->failed = failed;
	pthread_cond_signal(&q->changed);
	pthread_mutex_unlock(&q->mutex);
}

int queue_pop(struct queue *q, struct ArrowArray *ret)
{
	int rc;

	pthread_mutex_lock(&q->mutex);
	while (q->count == 0 && !q->closed && !host_canceled())
		wait(q);
	rc = q->failed || host_canceled() ? -1 : q->count > 0;
	if (rc > 0) {
		*ret = q->batches[q->first];
		q->first = (q->first + 1) % q->depth;
		q->count--;
		pthread_cond_signal(&q->changed);
	}
	pthread_mutex_unlock(&q->mutex);
	return rc;
}

void queue_abandon(struct queue *q)
{
	pthread_mutex_lock(&q->mutex);
	q->abandoned = true;
	pthread_cond_signal(&q->changed);
	pthread_mutex_unlock(&q->mutex);
}
