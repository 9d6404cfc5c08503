/*
 * What is made of the tables once their rows are there. A target that takes several connections makes the indexes and
 * keys of different tables side by side, the largest tables first, so that nobody waits long for the last one; those of
 * one table in their order. Foreign keys come when every table has its own keys, because one may refer to any other's.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "crew.h"
#include "log.h"
#include "run-parts.h"

/* One round: the foreign keys, or everything else. */
struct finishing {
	struct run *run;
	bool keys;
	struct job **jobs; /* that have something to do; at `next` and behind it nobody has them */
	size_t count, next;
	bool *applied; /* beside the plan's steps */
	pthread_mutex_t mutex;
	struct etl_error *err;
};

static bool is_key(const struct etl_step *step)
{
	return strncmp(step->kind, "foreign key", strlen("foreign key")) == 0;
}

static bool is_mine(const struct finishing *f, size_t at, const struct job *job)
{
	const struct etl_step *step = &f->run->plan.at[at];

	return step->phase == ETL_PHASE_FINISH && step->sql && is_key(step) == f->keys &&
	       run_job_of(f->run, step) == job && !f->applied[at];
}

static struct job *take(struct finishing *f)
{
	struct job *job = NULL;

	pthread_mutex_lock(&f->mutex);
	if (f->next < f->count && !host_canceled())
		job = f->jobs[f->next++];
	pthread_mutex_unlock(&f->mutex);
	return job;
}

static void give_back(struct finishing *f, struct job *job, const struct etl_error *err)
{
	log_line(ETL_LOG_INFO, "one writer fewer: %s",
		 err->message ? err->message : "the store gives no more");
	pthread_mutex_lock(&f->mutex);
	f->jobs[--f->next] = job;
	pthread_mutex_unlock(&f->mutex);
}

static int finish_job(struct finishing *f, struct job *job, struct instance *target,
		      struct etl_error *err)
{
	bool leaves = target != f->run->target;
	int rc = 0;

	for (size_t i = 0; i < f->run->plan.count && rc == 0; i++) {
		if (job->failed || !is_mine(f, i, job))
			continue;
		rc = run_apply_unit(f->run, target, i, leaves, err);
		f->applied[i] = rc == 0;
	}
	return rc;
}

static void fail(struct finishing *f, struct job *job, int rc, struct etl_error *err)
{
	pthread_mutex_lock(&f->mutex);
	if (rc != ETL_CANCELED && !err->set && !host_canceled())
		error_unsaid(err);
	if (run_alone(f->run, job, rc, err) < 0) {
		error_move(f->err, err);
		host_cancel();
	}
	pthread_mutex_unlock(&f->mutex);
}

static void finish_some(struct finishing *f, struct instance *target)
{
	struct etl_error err = ERROR_INIT;
	bool ends = false;
	struct job *job;

	while (!ends && (job = take(f))) {
		int rc = finish_job(f, job, target, &err);

		ends = rc < 0 && err.klass == ETL_FEWER_WORKERS && target != f->run->target;
		if (ends)
			give_back(f, job, &err);
		else if (rc < 0)
			fail(f, job, rc, &err);
		error_clear(&err);
	}
}

static void *finisher_main(void *data)
{
	struct finishing *f = data;
	struct etl_error err = ERROR_INIT;
	struct instance *target = NULL;
	int rc = instance_open(&f->run->pipeline->target, ETL_ROLE_TARGET, &f->run->limits, &target,
			       &err);

	if (rc == 0)
		finish_some(f, target);
	else if (err.klass != ETL_FEWER_WORKERS)
		fail(f, NULL, rc, &err);
	instance_close(target);
	error_clear(&err);
	return NULL;
}

static int compare_size(const void *a, const void *b)
{
	const struct job *x = *(struct job *const *)a, *y = *(struct job *const *)b;

	if (x->staged != y->staged)
		return x->staged > y->staged ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

static bool has_work(const struct finishing *f, const struct job *job)
{
	for (size_t i = 0; i < f->run->plan.count && !job->failed; i++)
		if (is_mine(f, i, job))
			return true;
	return false;
}

static int finish_round(struct finishing *f, bool keys, size_t workers, struct etl_error *err)
{
	struct crew crew;

	f->keys = keys;
	f->count = f->next = 0;
	for (size_t i = 0; i < f->run->jobs.count; i++)
		if (has_work(f, f->run->jobs.at[i]))
			f->jobs[f->count++] = f->run->jobs.at[i];
	if (f->count == 0)
		return 0;
	qsort(f->jobs, f->count, sizeof(*f->jobs), compare_size);
	if (workers > f->count)
		workers = f->count;
	if (!crew_open(&crew, workers))
		return error_memory(err);
	for (size_t i = 1; i < workers; i++)
		crew_start(&crew, finisher_main, f);
	finish_some(f, f->run->target);
	crew_join(&crew);
	/* What others gave back. */
	finish_some(f, f->run->target);
	return err->set ? ETL_FAILED : host_canceled() ? ETL_CANCELED : 0;
}

static int finish_side_by_side(struct run *run, size_t workers, struct etl_error *err)
{
	struct finishing f = { .run = run, .err = err, .mutex = PTHREAD_MUTEX_INITIALIZER };
	int rc;

	f.jobs = calloc(run->jobs.count + 1, sizeof(*f.jobs));
	f.applied = calloc(run->plan.count + 1, sizeof(*f.applied));
	rc = f.jobs && f.applied ? finish_round(&f, false, workers, err) : error_memory(err);
	if (rc == 0)
		rc = finish_round(&f, true, workers, err);
	free(f.jobs);
	free(f.applied);
	pthread_mutex_destroy(&f.mutex);
	return rc < 0 ? rc : run_apply_phase(run, ETL_PHASE_FINISH, false, err);
}

int run_finish(struct run *run, struct etl_error *err)
{
	int32_t most = run->target->plugin->target.max_instances, workers = run->pipeline->workers;
	int64_t start = run_clock();
	struct report_line *line;
	int rc;

	if (most == 1 || run->journal.in_order)
		rc = run_apply_phase(run, ETL_PHASE_FINISH, true, err);
	else
		rc = finish_side_by_side(run, (size_t)(most > 0 && most < workers ? most : workers),
					 err);
	if (rc == 0)
		rc = run_apply_phase(run, ETL_PHASE_LAST, true, err);
	line = report_add(&run->report, REPORT_AFTER, "indexes, views, triggers");
	if (!line)
		return error_memory(err);
	line->seconds = (double)(run_clock() - start) / 1e6;
	return rc;
}
