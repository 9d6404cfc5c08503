/*
 * The steps of the plan and the pipeline's own SQL, carried out in the staging place: before the
 * rows, and after them. Those after them are pieces of work that a resumed run leaves out. A step that failed in a
 * way that may pass is tried again, unless the target says that it was done.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fault.h"
#include "log.h"
#include "retry.h"
#include "run-parts.h"

const struct etl_token *run_stage_of(const struct run *run, const struct etl_step *step)
{
	if (step->load < run->jobs.count)
		return &run->jobs.at[step->load]->token;
	if (step->load < run->jobs.count + run->jobs.others.count)
		return &run->jobs.other_tokens[step->load - run->jobs.count];
	return run->jobs.count ? &run->jobs.at[0]->token : &run->jobs.other_tokens[0];
}

/* ---- One step ---- */

static int apply_once(struct run *run, struct instance *target, const struct step_work *work,
		      struct etl_error *err)
{
	const struct etl_step *step = work->step;
	const struct etl_load *load = plan_load(&run->jobs, step);

	if (!load)
		load = run->jobs.count ? &run->jobs.at[0]->load : &run->jobs.other_loads[0];
	if (host_canceled())
		return ETL_CANCELED;
	log_line(ETL_LOG_DEBUG, "%s: %s %s", phase_name(step->phase), step->kind,
		 step->object ? step->object : "");
	return target->plugin->schema.apply(target->self, load, run_stage_of(run, step), step,
					    work->sink, instance_error(target, err));
}

/* The mark before it: with its unit of the journal, when it has one. */
static int begin_step(struct run *run, struct instance *target, struct step_work *work,
		      struct etl_error *err)
{
	const struct etl_step *step = work->step;
	struct etl_token *mark = &work->mark;

	mark->text[0] = '\0';
	if (work->unit && run->journal.state)
		return journal_begin_at(&run->journal, target, run_stage_of(run, step), work->unit,
					work->number, step->object ? step->object : step->kind, mark,
					err);
	return run->marks ? journal_mark(target, run_stage_of(run, step), mark, err) : 0;
}

/* The answer to a step was lost: was it done all the same? */
static int was_done(struct run *run, struct instance *target, const struct etl_step *step,
		    const struct etl_token *mark, bool *ret, struct etl_error *err)
{
	struct retry retry = retry_of(target, "asking whether a step was done");
	int32_t after = ETL_UNKNOWN;
	int rc;

	do
		rc = target->plugin->target.since(target->self, run_stage_of(run, step), mark, &after,
						  instance_error(target, err));
	while (rc < 0 && retry_again(&retry, err));
	if (rc == 0 && after == ETL_UNKNOWN)
		rc = error_set(err, ETL_RETRY_CONNECTION,
			       "the staging place is no longer as it was, so it cannot be told "
			       "whether %s %s was made",
			       step->kind, step->object ? step->object : "");
	*ret = rc == 0 && after == 1;
	return rc;
}

static bool is_own_sql(const struct etl_step *step)
{
	return strcmp(step->kind, "sql") == 0;
}

/* It may begin and end transactions of its own, so a target writes down that it was begun: that it is there as a whole
 * nobody knows. */
static int lost_in_sql(const struct etl_step *step, struct etl_error *err)
{
	return error_set(err, ETL_FATAL,
			 "the connection was lost while SQL of the pipeline was under way, so it is not known "
			 "how much of it was done: \"%.200s\"; nothing is published, run it again",
			 step->sql);
}

/* Where a target cannot say whether it was done, SQL of the pipeline may not be done twice. */
static bool may_try(const struct step_work *work, const struct etl_error *err)
{
	if (err->klass == ETL_FEWER_WORKERS)
		return !work->leaves;
	return err->klass == ETL_RETRY_STATEMENT || work->mark.text[0] ||
	       !is_own_sql(work->step);
}

/* Of a try whose answer was lost, whoever made it: 1, it was done. Until that is known its mark stays. */
static int settle(struct run *run, struct instance *target, struct step_work *work, struct etl_error *err)
{
	bool done = false;
	int rc = was_done(run, target, work->step, &work->mark, &done, err);

	work->unknown = rc < 0;
	if (rc < 0)
		return rc;
	work->mark.text[0] = '\0';
	if (done && is_own_sql(work->step))
		return lost_in_sql(work->step, err);
	return done;
}

int run_apply(struct run *run, struct instance *target, struct step_work *work,
	      struct etl_error *err)
{
	const char *object = work->step->object ? work->step->object : "its SQL";
	char what[256] = "";
	struct retry retry = retry_of(target, what);
	int rc = work->mark.text[0] ? settle(run, target, work, err) : 0;

	snprintf(what, sizeof(what), "%s %s", work->step->kind, object);
	while (rc == 0) {
		rc = begin_step(run, target, work, err);
		if (rc == 0)
			rc = apply_once(run, target, work, err);
		work->unknown = rc < 0 && retry_is_lost(err->klass);
		if (rc >= 0 || !may_try(work, err) || !retry_again(&retry, err))
			return rc;
		rc = work->unknown && work->mark.text[0] ? settle(run, target, work, err) : 0;
		work->unknown = rc < 0 && work->unknown;
		if (rc == 0 && work->forget)
			rc = work->forget(work->data, err);
	}
	return rc < 0 ? rc : 0;
}

static int no_finds(struct etl_found_sink *self, const struct etl_found *found)
{
	(void)self;
	log_line(ETL_LOG_WARN, "%s: %s", found->table, found->reason);
	return 0;
}

/* An index of a large table takes minutes: which one is it? */
static void show_step(struct run *run, const struct etl_step *step)
{
	char words[256];

	snprintf(words, sizeof(words), "making %s %s", step->kind,
		 step->object ? step->object : "");
	progress_phase(run->progress, words);
}

struct job *run_job_of(const struct run *run, const struct etl_step *step)
{
	return step->load < run->jobs.count ? run->jobs.at[step->load] : NULL;
}

int run_alone(struct run *run, struct job *job, int rc, struct etl_error *err)
{
	if (rc >= 0 || !job || !job_fails_alone(run->pipeline, err))
		return rc;
	job_fail(job, err);
	return 0;
}

int run_apply_unit(struct run *run, struct instance *target, size_t at, struct etl_token *handed,
		   struct etl_error *err)
{
	const struct etl_step *step = &run->plan.at[at];
	struct etl_found_sink sink = { .emit = no_finds };
	struct step_work work = { .step = step,
				  .unit = step->phase == ETL_PHASE_FINISH ? UNIT_FINISH : UNIT_LAST,
				  .number = (int64_t)at,
				  .sink = &sink,
				  .leaves = handed && target != run->target };
	int rc;

	if (journal_has(&run->journal, work.unit, work.number))
		return 0;
	show_step(run, step);
	if (handed)
		work.mark = *handed;
	rc = run_apply(run, target, &work, err);
	if (handed)
		*handed = work.unknown ? work.mark : (struct etl_token){ .text = "" };
	if (rc < 0 && !work.unknown)
		journal_failed(&run->journal, work.unit, work.number);
	return rc < 0 ? rc : journal_done(&run->journal, work.unit, work.number, err);
}

int run_apply_phase(struct run *run, int32_t phase, bool whole, struct etl_error *err)
{
	int rc = 0;

	for (size_t i = 0; i < run->plan.count && rc == 0; i++) {
		const struct etl_step *step = &run->plan.at[i];
		struct job *job = run_job_of(run, step);

		if (step->phase != phase || !step->sql || (job && (job->failed || !whole)))
			continue;
		rc = run_alone(run, job, run_apply_unit(run, run->target, i, NULL, err), err);
	}
	return rc;
}

/* One statement of after_load, unless an interrupted run has carried it out. */
static int apply_statement(struct run *run, const struct etl_step *step, size_t at,
			   struct etl_error *err)
{
	struct etl_found_sink sink = { .emit = no_finds };
	struct step_work work = { .step = step, .number = (int64_t)at, .sink = &sink };
	int rc;

	if (step->phase != ETL_PHASE_LAST)
		return run_apply(run, run->target, &work, err);
	if (journal_has(&run->journal, UNIT_AFTER, (int64_t)at))
		return 0;
	work.unit = UNIT_AFTER;
	rc = run_apply(run, run->target, &work, err);
	ETL_FAULT("run.statement_applied");
	return rc < 0 ? rc : journal_done(&run->journal, UNIT_AFTER, (int64_t)at, err);
}

/* The pipeline's own SQL, in the staging place, so that it is published with the rows or not at
 * all. */
static int apply_sql(struct run *run, const char *key, const struct string_list *list,
		     enum report_phase phase, struct etl_error *err)
{
	int rc = 0;

	for (size_t i = 0; i < list->count && rc == 0; i++) {
		struct etl_step step = { .phase = phase == REPORT_BEFORE ? ETL_PHASE_PREPARE :
									   ETL_PHASE_LAST,
					 .kind = "sql",
					 .object = key,
					 .sql = list->at[i],
					 .load = UINT64_MAX };
		int64_t start = run_clock();
		struct report_line *line;

		rc = apply_statement(run, &step, i, err);
		line = report_add(&run->report, phase, list->at[i]);
		if (!line)
			return error_memory(err);
		line->seconds = (double)(run_clock() - start) / 1e6;
	}
	return rc;
}

/* ---- prepare ---- */

/* The steps of the run itself, or those of its tables. */
static int prepare_steps(struct run *run, bool tables, struct etl_error *err)
{
	struct etl_found_sink sink = { .emit = no_finds };
	int rc = 0;

	for (size_t i = 0; i < run->plan.count && rc == 0; i++) {
		const struct etl_step *step = &run->plan.at[i];
		struct step_work work = { .step = step, .sink = &sink };

		if (step->phase == ETL_PHASE_PREPARE && step->sql &&
		    (step->load < run->jobs.count) == tables)
			rc = run_apply(run, run->target, &work, err);
		if (tables)
			ETL_FAULT("run.table_made");
	}
	return rc;
}

/* The settings of the database, then `before`, then its tables. */
static int make_tables(struct run *run, struct etl_error *err)
{
	int rc = prepare_steps(run, false, err);

	if (rc == 0)
		rc = apply_sql(run, "before", &run->pipeline->before, REPORT_BEFORE, err);
	return rc < 0 ? rc : prepare_steps(run, true, err);
}

/* All of it or nothing: a run that was interrupted in it begins again. */
int run_prepare(struct run *run, struct etl_error *err)
{
	int64_t start = run_clock();
	struct report_line *line;
	int rc = 0;

	if (!journal_has(&run->journal, UNIT_PREPARED, 0)) {
		rc = make_tables(run, err);
		if (rc == 0)
			rc = journal_begin(&run->journal, UNIT_PREPARED, 0, "prepare", err);
		if (rc == 0)
			rc = journal_done(&run->journal, UNIT_PREPARED, 0, err);
	} else {
		for (size_t i = 0; i < run->pipeline->before.count && rc == 0; i++)
			rc = report_add(&run->report, REPORT_BEFORE, run->pipeline->before.at[i]) ?
				     0 :
				     error_memory(err);
	}
	if (rc < 0)
		return rc;
	line = report_add(&run->report, REPORT_BEFORE, "tables made");
	if (!line)
		return error_memory(err);
	line->seconds = (double)(run_clock() - start) / 1e6;
	return rc;
}

int run_after_load(struct run *run, struct etl_error *err)
{
	return apply_sql(run, "after_load", &run->pipeline->after_load, REPORT_AFTER, err);
}
