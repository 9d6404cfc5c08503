/*
 * The steps of the plan and the pipeline's own SQL, carried out in the staging place: before the
 * rows, and after them. Those after them are pieces of work that a resumed run leaves out.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fault.h"
#include "log.h"
#include "run-parts.h"

static const struct etl_token *token_of(const struct run *run, const struct etl_step *step)
{
	if (step->load < run->jobs.count)
		return &run->jobs.at[step->load]->token;
	if (step->load < run->jobs.count + run->jobs.others.count)
		return &run->jobs.other_tokens[step->load - run->jobs.count];
	return run->jobs.count ? &run->jobs.at[0]->token : &run->jobs.other_tokens[0];
}

int run_apply(struct run *run, const struct etl_step *step, struct etl_found_sink *found,
	      struct etl_error *err)
{
	struct instance *target = run->target;
	const struct etl_load *load = plan_load(&run->jobs, step);

	if (!load)
		load = run->jobs.count ? &run->jobs.at[0]->load : &run->jobs.other_loads[0];
	if (host_canceled())
		return ETL_CANCELED;
	log_line(ETL_LOG_DEBUG, "%s: %s %s", phase_name(step->phase), step->kind,
		 step->object ? step->object : "");
	return target->plugin->schema.apply(target->self, load, token_of(run, step), step, found,
					    instance_error(target, err));
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

/* A step after the rows, unless an interrupted run has applied it. */
static int apply_unit(struct run *run, size_t at, struct etl_error *err)
{
	const struct etl_step *step = &run->plan.at[at];
	int32_t kind = step->phase == ETL_PHASE_FINISH ? UNIT_FINISH : UNIT_LAST;
	struct etl_found_sink sink = { .emit = no_finds };
	int rc;

	if (journal_has(&run->journal, kind, (int64_t)at))
		return 0;
	rc = journal_begin(&run->journal, kind, (int64_t)at,
			   step->object ? step->object : step->kind, err);
	if (rc < 0)
		return rc;
	rc = run_apply(run, step, &sink, err);
	if (rc < 0)
		journal_failed(&run->journal, kind, (int64_t)at);
	return rc;
}

static int apply_phase(struct run *run, int32_t phase, struct etl_error *err)
{
	int rc = 0;

	for (size_t i = 0; i < run->plan.count && rc == 0; i++) {
		const struct etl_step *step = &run->plan.at[i];
		struct job *job = run_job_of(run, step);

		if (step->phase != phase || !step->sql || (job && job->failed))
			continue;
		show_step(run, step);
		rc = run_alone(run, job, apply_unit(run, i, err), err);
	}
	return rc;
}

/* One statement of after_load, unless an interrupted run has carried it out. */
static int apply_statement(struct run *run, const struct etl_step *step, size_t at,
			   struct etl_error *err)
{
	struct etl_found_sink sink = { .emit = no_finds };
	bool noted = step->phase == ETL_PHASE_LAST;
	int rc = 0;

	if (!noted)
		return run_apply(run, step, &sink, err);
	if (journal_has(&run->journal, UNIT_AFTER, (int64_t)at))
		return 0;
	rc = journal_begin(&run->journal, UNIT_AFTER, (int64_t)at, "after_load", err);
	if (rc == 0)
		rc = run_apply(run, step, &sink, err);
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

static int make_tables(struct run *run, struct etl_error *err)
{
	int rc = 0;

	/* The settings of the database, then `before`, then its tables. */
	for (size_t i = 0; i < run->plan.count && rc == 0; i++) {
		struct etl_found_sink sink = { .emit = no_finds };
		const struct etl_step *step = &run->plan.at[i];

		if (step->phase == ETL_PHASE_PREPARE && step->sql && step->load >= run->jobs.count)
			rc = run_apply(run, step, &sink, err);
	}
	if (rc == 0)
		rc = apply_sql(run, "before", &run->pipeline->before, REPORT_BEFORE, err);
	for (size_t i = 0; i < run->plan.count && rc == 0; i++) {
		struct etl_found_sink sink = { .emit = no_finds };
		const struct etl_step *step = &run->plan.at[i];

		if (step->phase == ETL_PHASE_PREPARE && step->sql && step->load < run->jobs.count)
			rc = run_apply(run, step, &sink, err);
		ETL_FAULT("run.table_made");
	}
	return rc;
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

/* ---- finish ---- */

int run_finish(struct run *run, struct etl_error *err)
{
	int64_t start = run_clock();
	struct report_line *line;
	int rc = apply_phase(run, ETL_PHASE_FINISH, err);

	if (rc == 0)
		rc = apply_phase(run, ETL_PHASE_LAST, err);
	line = report_add(&run->report, REPORT_AFTER, "indexes, views, triggers");
	if (!line)
		return error_memory(err);
	line->seconds = (double)(run_clock() - start) / 1e6;
	return rc;
}

int run_after_load(struct run *run, struct etl_error *err)
{
	return apply_sql(run, "after_load", &run->pipeline->after_load, REPORT_AFTER, err);
}
