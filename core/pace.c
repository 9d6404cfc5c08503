/* See pace.h. */
#include "config.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "log.h"
#include "pace.h"
#include "remark.h"
#include "retry.h"

#define SECOND	       INT64_C(1000000) /* in the unit of the clock */
#define WAITS_A_SECOND 4		/* or more, where batches are as small as that wants */

struct pace {
	const struct pipeline *pipeline;
	struct progress *progress; /* or NULL */
	pthread_mutex_t mutex;	   /* of due */
	int64_t due;		   /* when all that was read so far may have been read */
	pthread_mutex_t asking;	   /* of the rest: while one waits for the source, all do */
	struct instance *asker;	   /* or NULL */
	int64_t next;		   /* when it is asked again */
	int64_t waited, waits;
	char last[REMARK_LENGTH / 2]; /* what was waited for */
};

/* What ping says of the source's load: facts that begin with a number. */
struct load {
	struct etl_fact_sink sink;
	bool has_lag, has_active;
	double lag, active; /* seconds; sessions */
};

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * SECOND + t.tv_nsec / 1000;
}

/* ---- What the source says of itself -------------------------------------------------------------- */

static bool is_bounded(const struct pipeline *p)
{
	return p->source_load.lag >= 0 || p->source_load.active >= 0;
}

static int on_fact(struct etl_fact_sink *self, const char *name, const char *value)
{
	struct load *load = (struct load *)(void *)self;
	char *end;
	double number = strtod(value, &end);

	if (end == value)
		return 0;
	if (strcmp(name, "lag") == 0) {
		load->has_lag = true;
		load->lag = number;
	} else if (strcmp(name, "active") == 0) {
		load->has_active = true;
		load->active = number;
	}
	return 0;
}

static int ask(struct instance *source, struct load *ret, struct etl_error *err)
{
	struct retry retry = retry_of(source, "asking the source how much it has to do");
	int rc;

	do {
		*ret = (struct load){ .sink = { on_fact } };
		rc = source->plugin->store.ping(source->self, &ret->sink, instance_error(source, err));
	} while (rc < 0 && retry_again(&retry, err));
	return rc;
}

static int untold(const struct pipeline *p, const char *key, const char *what, struct etl_error *err)
{
	return error_set(err, ETL_USAGE,
			 "%s: `%s` of `source_load`: the source does not say %s; remove it, or let the role see that (PostgreSQL: "
			 "GRANT pg_read_all_stats TO …)",
			 p->source_load.origin.text, key, what);
}

int pace_check(const struct pipeline *p, struct instance *source, struct etl_error *err)
{
	struct load load;
	int rc = is_bounded(p) ? ask(source, &load, err) : 0;

	if (rc < 0 || !is_bounded(p))
		return rc;
	if (p->source_load.lag >= 0 && !load.has_lag)
		return untold(p, "lag", "how far its replicas are behind", err);
	if (p->source_load.active >= 0 && !load.has_active)
		return untold(p, "connections", "how many connections are at work", err);
	return 0;
}

/* Whether it is too much, and WORDS for that. */
static bool is_above(const struct pipeline *p, const struct load *load, char *words, size_t size)
{
	if (p->source_load.lag >= 0 && load->has_lag && load->lag * 1000 > (double)p->source_load.lag) {
		snprintf(words, size, "its slowest replica is %.1f s behind, more than lag, %.1f s", load->lag,
			 (double)p->source_load.lag / 1000);
		return true;
	}
	if (p->source_load.active >= 0 && load->has_active && load->active > (double)p->source_load.active) {
		snprintf(words, size, "%.0f connections are at work, more than connections, %" PRId64, load->active,
			 p->source_load.active);
		return true;
	}
	return false;
}

/* ---- Making and ending ---------------------------------------------------------------------------- */

int pace_new(const struct pipeline *p, const struct host_limits *limits, struct pace **ret, struct etl_error *err)
{
	struct pace *pace;
	int rc = 0;

	*ret = NULL;
	if (!p->rate_rows && !is_bounded(p))
		return 0;
	pace = calloc(1, sizeof(*pace));
	if (!pace)
		return error_memory(err);
	pace->pipeline = p;
	pthread_mutex_init(&pace->mutex, NULL);
	pthread_mutex_init(&pace->asking, NULL);
	if (is_bounded(p))
		rc = instance_open(&p->source, ETL_ROLE_SOURCE, limits, &pace->asker, err);
	if (rc == 0 && pace->asker)
		rc = pace_check(p, pace->asker, err);
	if (rc < 0)
		pace_free(pace);
	else
		*ret = pace;
	return rc;
}

void pace_free(struct pace *pace)
{
	if (!pace)
		return;
	instance_close(pace->asker);
	pthread_mutex_destroy(&pace->mutex);
	pthread_mutex_destroy(&pace->asking);
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

/* ---- Waiting --------------------------------------------------------------------------------------- */

static void show(const struct pace *pace)
{
	char words[REMARK_LENGTH];

	snprintf(words, sizeof(words), "waiting for the source: %s", pace->last);
	progress_phase(pace->progress, words);
	log_line(ETL_LOG_INFO, "%s", words);
}

static void sum_up(const struct pace *pace)
{
	char words[REMARK_LENGTH];

	snprintf(words, sizeof(words), "reading waited %.1f s for the source, %" PRId64 " time%s; the last time %s",
		 (double)pace->waited / SECOND, pace->waits, pace->waits == 1 ? "" : "s", pace->last);
	remark_put("source load", words);
}

static int lose_patience(const struct pace *pace, struct etl_error *err)
{
	instance_error(pace->asker, err);
	return error_set(err, ETL_FATAL,
			 "waited %.1f s for the source, as long as the patience of `source_load`: %s; run it again when there is "
			 "less to do, or raise the bound",
			 (double)pace->pipeline->source_load.patience / 1000, pace->last);
}

static int wait_for_source(struct pace *pace, struct load *load, struct etl_error *err)
{
	const struct pipeline *p = pace->pipeline;
	int64_t began = now(), left = p->source_load.patience;
	int rc = 0;

	pace->waits++;
	show(pace);
	do {
		if (left <= 0)
			rc = lose_patience(pace, err);
		else if (!host_wait(left < p->source_load.check_every ? left : p->source_load.check_every))
			rc = ETL_CANCELED;
		else
			rc = ask(pace->asker, load, err);
		left = p->source_load.patience - (now() - began) / 1000;
	} while (rc == 0 && is_above(p, load, pace->last, sizeof(pace->last)));
	pace->waited += now() - began;
	sum_up(pace);
	progress_phase(pace->progress, NULL);
	return rc;
}

int pace_load(struct pace *pace, struct etl_error *err)
{
	struct load load;
	int rc = 0;

	if (!pace || !pace->asker)
		return 0;
	pthread_mutex_lock(&pace->asking);
	if (host_canceled()) {
		rc = ETL_CANCELED;
	} else if (now() >= pace->next) {
		rc = ask(pace->asker, &load, err);
		if (rc == 0 && is_above(pace->pipeline, &load, pace->last, sizeof(pace->last)))
			rc = wait_for_source(pace, &load, err);
		pace->next = now() + pace->pipeline->source_load.check_every * 1000;
	}
	pthread_mutex_unlock(&pace->asking);
	return rc;
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
