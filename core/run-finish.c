/*
 * What is made of the tables once their rows are there. A target that takes several connections makes the indexes and
 * keys of different tables side by side, the largest tables first, so that nobody waits long for the last one. Those of
 * one table are made in their order, except that indexes that follow one another are made side by side too. Foreign keys
 * come when every table has its own keys, because one may refer to any other's.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "crew.h"
#include "log.h"
#include "run-parts.h"

/* A table, whose steps stand in the plan from `at` to before `end`, perhaps with others between. */
struct line {
	struct job *job;
	size_t at; /* nothing before it is left to do */
	size_t end;
};

/* One round: the foreign keys, or everything else. */
struct finishing {
	struct run *run;
	bool keys;
	struct line *lines; /* of tables for which something is to do, the largest first */
	size_t count, first; /* nothing is left of those before `first` */
	bool *applied, *under_way; /* beside the plan's steps */
	struct etl_token *handed;  /* likewise: the mark of a try that somebody gave up */
	pthread_mutex_t mutex;
	pthread_cond_t ended; /* a step, for which others may have waited */
	struct etl_error *err;
};

/* ---- Which step is next ---- */

static bool is_key(const struct etl_step *step)
{
	return strncmp(step->kind, "foreign key", strlen("foreign key")) == 0;
}

static bool is_index(const struct finishing *f, size_t at)
{
	return strcmp(f->run->plan.at[at].kind, "index") == 0;
}

static bool is_left(const struct finishing *f, size_t at, const struct job *job)
{
	const struct etl_step *step = &f->run->plan.at[at];

	return step->phase == ETL_PHASE_FINISH && step->sql && is_key(step) == f->keys &&
	       run_job_of(f->run, step) == job && !f->applied[at];
}

enum next { NOTHING, STEP, LATER };

/* *RET: a step. LATER: what is left waits for what is under way, as everything does except an index for an index. */
static enum next next_of(const struct finishing *f, struct line *line, size_t *ret)
{
	bool beside = false;

	while (line->at < line->end && !is_left(f, line->at, line->job))
		line->at++;
	for (size_t i = line->at; i < line->end && !line->job->failed; i++) {
		if (!is_left(f, i, line->job))
			continue;
		if (beside && !is_index(f, i))
			return LATER;
		if (!f->under_way[i]) {
			*ret = i;
			return STEP;
		}
		if (!is_index(f, i))
			return LATER;
		beside = true;
	}
	return beside ? LATER : NOTHING;
}

static enum next find(struct finishing *f, size_t *ret)
{
	enum next all = NOTHING;

	for (size_t i = f->first; i < f->count; i++) {
		enum next next = next_of(f, &f->lines[i], ret);

		if (next == STEP)
			return STEP;
		if (next == NOTHING && i == f->first)
			f->first++;
		else if (next == LATER)
			all = LATER;
	}
	return all;
}

/* False: nothing is left. */
static bool take(struct finishing *f, size_t *ret)
{
	enum next next = NOTHING;

	pthread_mutex_lock(&f->mutex);
	while (!host_canceled() && (next = find(f, ret)) == LATER)
		pthread_cond_wait(&f->ended, &f->mutex);
	if (next == STEP)
		f->under_way[*ret] = true;
	pthread_mutex_unlock(&f->mutex);
	return next == STEP;
}

/* ---- Making it ---- */

static void fail(struct finishing *f, struct job *job, int rc, struct etl_error *err)
{
	if (rc != ETL_CANCELED && !err->set && !host_canceled())
		error_unsaid(err);
	if (run_alone(f->run, job, rc, err) < 0) {
		error_move(f->err, err);
		host_cancel();
	}
}

/* False: the store gives this writer nothing more; the others make the step. */
static bool finish_step(struct finishing *f, size_t at, struct instance *target)
{
	struct job *job = run_job_of(f->run, &f->run->plan.at[at]);
	bool leaves = target != f->run->target, stays;
	struct etl_error err = ERROR_INIT;
	int rc = run_apply_unit(f->run, target, at, &f->handed[at], &err);

	stays = rc == 0 || err.klass != ETL_FEWER_WORKERS || !leaves;
	pthread_mutex_lock(&f->mutex);
	f->under_way[at] = false;
	f->applied[at] = rc == 0;
	if (!stays)
		log_line(ETL_LOG_INFO, "one writer fewer: %s",
			 err.message ? err.message : "the store gives no more");
	else if (rc < 0)
		fail(f, job, rc, &err);
	pthread_cond_broadcast(&f->ended);
	pthread_mutex_unlock(&f->mutex);
	error_clear(&err);
	return stays;
}

static void finish_some(struct finishing *f, struct instance *target)
{
	size_t at;

	while (take(f, &at) && finish_step(f, at, target))
		;
}

static void *finisher_main(void *data)
{
	struct finishing *f = data;
	struct etl_error err = ERROR_INIT;
	struct instance *target = NULL;
	int rc = instance_open(&f->run->pipeline->target, ETL_ROLE_TARGET, &f->run->limits, &target,
			       &err);

	if (rc == 0) {
		finish_some(f, target);
	} else if (err.klass != ETL_FEWER_WORKERS) {
		pthread_mutex_lock(&f->mutex);
		fail(f, NULL, rc, &err);
		pthread_cond_broadcast(&f->ended);
		pthread_mutex_unlock(&f->mutex);
	}
	instance_close(target);
	error_clear(&err);
	return NULL;
}

/* ---- A round ---- */

static int compare_size(const void *a, const void *b)
{
	const struct job *x = ((const struct line *)a)->job, *y = ((const struct line *)b)->job;

	if (x->staged != y->staged)
		return x->staged > y->staged ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

/* The steps of a table stand together, so each table is one line. How many steps there can be at once at most. */
static size_t make_lines(struct finishing *f)
{
	struct line *last = NULL;
	size_t most = 0, side = 0; /* of all tables; of this one, how many now stand in a row, */
	size_t widest = 0;	   /* and at most */

	f->count = f->first = 0;
	for (size_t i = 0; i < f->run->plan.count; i++) {
		struct job *job = run_job_of(f->run, &f->run->plan.at[i]);

		if (!job || job->failed || !is_left(f, i, job))
			continue;
		if (!last || last->job != job) {
			last = &f->lines[f->count++];
			*last = (struct line){ .job = job, .at = i };
			most += widest;
			side = widest = 0;
		}
		last->end = i + 1;
		side = is_index(f, i) ? side + 1 : 1;
		widest = side > widest ? side : widest;
	}
	qsort(f->lines, f->count, sizeof(*f->lines), compare_size);
	return most + widest;
}

static int finish_round(struct finishing *f, bool keys, size_t workers, struct etl_error *err)
{
	struct crew crew;
	size_t most;

	f->keys = keys;
	most = make_lines(f);
	if (most == 0)
		return 0;
	if (workers > most)
		workers = most;
	if (!crew_open(&crew, workers))
		return error_memory(err);
	for (size_t i = 1; i < workers; i++)
		crew_start(&crew, finisher_main, f);
	finish_some(f, f->run->target);
	crew_join(&crew);
	return err->set ? ETL_FAILED : host_canceled() ? ETL_CANCELED : 0;
}

static int finish_side_by_side(struct run *run, size_t workers, struct etl_error *err)
{
	struct finishing f = { .run = run,
			       .err = err,
			       .mutex = PTHREAD_MUTEX_INITIALIZER,
			       .ended = PTHREAD_COND_INITIALIZER };
	int rc;

	f.lines = calloc(run->plan.count + 1, sizeof(*f.lines));
	f.applied = calloc(run->plan.count + 1, sizeof(*f.applied));
	f.under_way = calloc(run->plan.count + 1, sizeof(*f.under_way));
	f.handed = calloc(run->plan.count + 1, sizeof(*f.handed));
	rc = f.lines && f.applied && f.under_way && f.handed ? finish_round(&f, false, workers, err) :
							       error_memory(err);
	if (rc == 0)
		rc = finish_round(&f, true, workers, err);
	free(f.lines);
	free(f.applied);
	free(f.under_way);
	free(f.handed);
	pthread_mutex_destroy(&f.mutex);
	pthread_cond_destroy(&f.ended);
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
