/*
 * A run that was interrupted goes on under its own id: which one it is, whether the pipeline is
 * still the one that began it, and how much of what it staged can be used. What cannot is staged
 * anew, and it says why; either way the end is that of a run that was never disturbed.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fault.h"
#include "fingerprint.h"
#include "log.h"
#include "needed.h"
#include "run-parts.h"

/* Exit 0 would say that the rows are there. */
int run_nothing_to_resume(struct run *run, const struct state_run *r)
{
	run->nothing = true;
	if (!r) {
		log_line(ETL_LOG_ERROR,
			 "nothing to resume: there is no run of %s yet; `etlrun run` begins one",
			 run->pipeline->name);
		run->nothing_code = EXIT_USAGE;
	} else if (strcmp(r->status, STATE_FAILED) == 0 || strcmp(r->status, STATE_CANCELED) == 0) {
		log_line(ETL_LOG_ERROR,
			 "nothing to resume: run %s %s (exit %d), and nothing of it was kept; "
			 "`etlrun run` begins anew",
			 r->id, strcmp(r->status, STATE_FAILED) == 0 ? "failed" : "was canceled", r->exit);
		run->nothing_code = r->exit;
	} else {
		log_line(ETL_LOG_INFO, "nothing to resume: run %s is %s", r->id, r->status);
	}
	return 0;
}

/* ---- Which run ---- */

struct search {
	struct run *run;
	struct interrupted *found;
	bool any;
	bool memory;
};

static char *copy(struct search *s, const char *text)
{
	char *ret = text ? strdup(text) : NULL;

	s->memory |= text && !ret;
	return ret;
}

static void keep_run(struct search *s, const struct state_run *r)
{
	*s->found = (struct interrupted){ .pipeline = copy(s, r->pipeline),
					  .target = copy(s, r->target),
					  .file = copy(s, r->file),
					  .plan = copy(s, r->plan),
					  .stamp = copy(s, r->stamp),
					  .seal = copy(s, r->seal),
					  .phase = copy(s, r->phase),
					  .exit = r->exit,
					  .begun = r->begun };
	snprintf(s->found->id, sizeof(s->found->id), "%s", r->id);
}

static int on_run(const struct state_run *r, void *data)
{
	struct search *s = data;
	const char *wanted = s->run->cli->resume;

	if (s->any || (*wanted && strcmp(r->id, wanted) != 0))
		return 0;
	s->any = true;
	if (!run_is_unfinished(r))
		return run_nothing_to_resume(s->run, r);
	keep_run(s, r);
	return 0;
}

void interrupted_free(struct interrupted *i)
{
	free(i->pipeline);
	free(i->target);
	free(i->file);
	free(i->plan);
	free(i->stamp);
	free(i->seal);
	free(i->phase);
	memset(i, 0, sizeof(*i));
}

/* ---- May it go on? ---- */

static int check_owner(const struct run *run, const struct interrupted *was, struct etl_error *err)
{
	if (was->pipeline && strcmp(was->pipeline, run->pipeline->name) != 0)
		return error_set(err, ETL_USAGE,
				 "run %s is of pipeline \"%s\", not of \"%s\"; resume it with the "
				 "file that began it",
				 was->id, was->pipeline, run->pipeline->name);
	if (run->pipeline->state && was->target && run->place[0] &&
	    strcmp(was->target, run->place) != 0)
		return error_set(err, ETL_USAGE, "run %s goes to %s, not to %s", was->id,
				 was->target, run->place);
	if (!was->file)
		return error_set(
			err, ETL_USAGE,
			"run %s was begun by an etlrun that kept no journal, so it cannot go "
			"on; `etlrun run` begins anew and takes away what it left",
			was->id);
	return 0;
}

static int check_file(struct run *run, const struct interrupted *was, struct etl_error *err)
{
	char *now = fingerprint_file(run), *differs;
	int rc;

	if (!now)
		return error_memory(err);
	if (strcmp(now, was->file) == 0) {
		free(now);
		return 0;
	}
	differs = fingerprint_compare(was->file, now);
	rc = error_set(
		err, ETL_USAGE,
		"run %s cannot go on, for the pipeline is another than the one that began it: "
		"%s; put that back, or begin anew with `etlrun run`",
		was->id, differs ? differs : "its tables");
	free(differs);
	free(now);
	return rc;
}

static int settle_published(struct run *run, const struct interrupted *was, struct etl_error *err)
{
	log_line(ETL_LOG_INFO,
		 "nothing to resume: run %s was published before it ended; it is settled as done",
		 was->id);
	run->nothing = true;
	run->nothing_code = was->exit;
	return run_settle_published(run, was->id, err);
}

static int take_over(struct run *run, const struct interrupted *was, struct etl_error *err)
{
	char *command;
	int rc;

	snprintf(run->id, sizeof(run->id), "%s", was->id);
	run->info.started = was->begun;
	log_run(run->id);
	command = run_resume_command(run);
	rc = command ? state_run_again(run->state, run->id, command, err) : error_memory(err);
	free(command);
	if (rc == 0)
		rc = needed_check(run, err);
	ETL_FAULT("resume.taken_over");
	return rc;
}

int run_find_interrupted(struct run *run, struct etl_error *err)
{
	struct interrupted *was = &run->was;
	struct search search = { .run = run, .found = was };
	bool published = false;
	int rc = state_runs(run->state, on_run, &search, err);

	if (rc == 0 && search.memory)
		rc = error_memory(err);
	if (rc == 0 && !search.any && *run->cli->resume)
		return error_set(err, ETL_USAGE,
				 "there is no run %s in %s; `etlrun status` lists them",
				 run->cli->resume, run->state_path);
	if (rc < 0 || run->nothing)
		return rc;
	if (!search.any)
		return run_nothing_to_resume(run, NULL);
	rc = check_owner(run, was, err);
	if (rc == 0)
		rc = run_was_published(run, was->id, was->seal, &published, err);
	if (rc == 0 && published)
		return settle_published(run, was, err);
	if (rc == 0)
		rc = check_file(run, was, err);
	return rc < 0 ? rc : take_over(run, was, err);
}

/* ---- What of it can be used ---- */

/* The content that was read, so far as the source can tell. */
static int find_stamp(struct run *run, struct etl_token *ret, struct etl_error *err)
{
	struct instance *source = run->source;

	snprintf(ret->text, sizeof(ret->text), "none");
	return run->pinned ? source->plugin->source.stamp(source->self, ret,
							  instance_error(source, err)) :
			     0;
}

static const char *why_not(const struct run *run, const char *stamp, const char *plan)
{
	const struct interrupted *was = &run->was;

	if (!was->plan || !was->stamp)
		return "nothing was staged yet";
	if (strcmp(was->phase, "begin") == 0 || strcmp(was->phase, "prepare") == 0)
		return "nothing was staged yet";
	if (strcmp(stamp, "none") == 0 || strcmp(was->stamp, stamp) != 0)
		return "the source has changed since, or cannot tell whether it has";
	if (strcmp(was->plan, plan) != 0)
		return "what is in the source or in the target has another shape since";
	return NULL;
}

int run_start_over(struct run *run, struct etl_error *err)
{
	int rc = state_loads(run->state, run->id, run_abort_left, run, err);

	ETL_FAULT("resume.start_over");
	if (rc == 0)
		rc = state_forget(run->state, run->id, err);
	if (rc == 0)
		rc = state_run_note(run->state, run->id, "seal", NULL, err);
	run->info.flags &= ~(uint32_t)ETL_RUN_RESUMED;
	return rc;
}

static int note_basis(struct run *run, const char *stamp, const char *plan, struct etl_error *err)
{
	int rc = state_run_note(run->state, run->id, "stamp", stamp, err);

	return rc < 0 ? rc : state_run_note(run->state, run->id, "plan", plan, err);
}

/* After the pin: what this run rests on, and whether an interrupted one rested on the same. */
int run_find_basis(struct run *run, struct etl_error *err)
{
	struct etl_token stamp;
	char *plan = fingerprint_plan(run);
	const char *why;
	int rc = plan ? find_stamp(run, &stamp, err) : error_memory(err);

	if (rc == 0 && run->cli->resume) {
		why = why_not(run, stamp.text, plan);
		if (!why)
			run->info.flags |= ETL_RUN_RESUMED;
		else
			rc = run_start_over(run, err);
		if (why && rc == 0)
			log_line(ETL_LOG_INFO, "run %s goes on from its start: %s", run->id, why);
	}
	if (rc == 0)
		rc = note_basis(run, stamp.text, plan, err);
	free(plan);
	return rc;
}

static void count_units(const struct run *run, size_t *splits, size_t *steps)
{
	*splits = *steps = 0;
	for (size_t i = 0; i < run->journal.count; i++)
		if (run->journal.at[i].kind == UNIT_SPLIT)
			++*splits;
		else if (run->journal.at[i].kind > UNIT_SCREEN)
			++*steps;
}

static bool is_staged(void *data, const struct job *job, uint64_t split)
{
	const struct run *run = data;

	return journal_has(&run->journal, UNIT_SPLIT, (int64_t)(job->first_split + split));
}

static const struct etl_token *stage_of(void *data, int32_t kind, int64_t number)
{
	const struct run *run = data;

	if (kind == UNIT_FINISH || kind == UNIT_LAST)
		return number < (int64_t)run->plan.count ?
			       run_stage_of(run, &run->plan.at[number]) :
			       NULL;
	if (kind != UNIT_SPLIT)
		return &run->jobs.at[0]->token;
	for (size_t i = 0; i < run->jobs.count; i++) {
		const struct job *job = run->jobs.at[i];

		if (number >= (int64_t)job->first_split &&
		    number < (int64_t)(job->first_split + job->split_count))
			return &job->token;
	}
	return NULL;
}

/* Screening that takes nothing out only looks. */
static bool repeats(void *data, int32_t kind)
{
	const struct run *run = data;

	return kind == UNIT_SCREEN && !run->pipeline->reject_rows;
}

/* A file that was sealed without some of its tables, because they failed, has no place for them any more. */
static bool lacks_tables(const struct run *run)
{
	if (!journal_has(&run->journal, UNIT_SEAL, 0) || run->info.flags & ETL_RUN_SCHEMA_ONLY)
		return false;
	for (size_t i = 0; i < run->jobs.count; i++)
		for (size_t k = 0; k < run->jobs.at[i]->split_count; k++)
			if (!journal_has(&run->journal, UNIT_SPLIT,
					 (int64_t)(run->jobs.at[i]->first_split + k)))
				return true;
	return false;
}

/* After begin took the staging place up. *ret: it is as the journal says. */
int run_take_up(struct run *run, bool *ret, struct etl_error *err)
{
	size_t splits, steps;
	const struct journal_places places = { stage_of, repeats, run };
	int rc = journal_read(&run->journal, &places, ret, err);

	if (rc == 0 && *ret && lacks_tables(run)) {
		log_line(ETL_LOG_INFO,
			 "what was staged is made anew: tables that failed are no longer in it");
		journal_forget(&run->journal);
		*ret = false;
	}
	if (rc < 0 || !*ret)
		return rc;
	count_units(run, &splits, &steps);
	log_line(ETL_LOG_INFO,
		 "run %s goes on: %zu part%s of its tables and %zu step%s after them "
		 "are there",
		 run->id, splits, splits == 1 ? "" : "s", steps, steps == 1 ? "" : "s");
	for (size_t i = 0; i < run->jobs.count && rc == 0; i++) {
		struct job *job = run->jobs.at[i];

		for (size_t k = 0; k < job->split_count && rc == 0; k++)
			if (is_staged(run, job, k))
				rc = journal_split_restore(
					&run->journal, (int64_t)(job->first_split + k), job, err);
	}
	return rc;
}

int run_take_rejects(struct run *run, struct etl_error *err)
{
	return rejects_take_up(run->rejects, &run->jobs, is_staged, run, err);
}
