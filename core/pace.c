/* See pace.h. */
#include "config.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "pace.h"

#define SECOND	       INT64_C(1000000) /* in the unit of the clock */
#define WAITS_A_SECOND 4		/* or more, where batches are as small as that wants */

struct pace {
	const struct pipeline *pipeline;
	const struct host_limits *limits;
	struct progress *progress; /* or NULL */
	pthread_mutex_t mutex;	   /* of due */
	int64_t due;		   /* when all that was read so far may have been read */
};

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * SECOND + t.tv_nsec / 1000;
}

int pace_new(const struct pipeline *p, const struct host_limits *limits, struct pace **ret, struct etl_error *err)
{
	struct pace *pace;

	*ret = NULL;
	if (!p->rate_rows)
		return 0;
	pace = calloc(1, sizeof(*pace));
	if (!pace)
		return error_memory(err);
	pace->pipeline = p;
	pace->limits = limits;
	pthread_mutex_init(&pace->mutex, NULL);
	*ret = pace;
	return 0;
}

void pace_free(struct pace *pace)
{
	if (!pace)
		return;
	pthread_mutex_destroy(&pace->mutex);
	free(pace);
}

void pace_shows(struct pace *pace, struct progress *progress)
{
	if (pace)
		pace->progress = progress;
}

int64_t pace_batch(const struct pipeline *p, int64_t rows)
{
	int64_t most = p->rate_rows / WAITS_A_SECOND;

	if (!p->rate_rows || rows <= most)
		return rows;
	return most > 0 ? most : 1;
}

/* What was not read while nobody could is not made up for. */
int pace_rows(struct pace *pace, int64_t rows)
{
	int64_t ms;

	if (!pace || !pace->pipeline->rate_rows)
		return 0;
	pthread_mutex_lock(&pace->mutex);
	if (pace->due < now())
		pace->due = now();
	pace->due += (int64_t)((double)rows * SECOND / (double)pace->pipeline->rate_rows);
	ms = (pace->due - now()) / 1000;
	pthread_mutex_unlock(&pace->mutex);
	return host_wait(ms) ? 0 : ETL_CANCELED;
}
