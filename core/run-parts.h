/*
 * The parts of a run that have files of their own; run.c puts them in their order.
 */
#ifndef CORE_RUN_PARTS_H
#define CORE_RUN_PARTS_H

#include "run.h"

/* run-steps.c */
/* Settings, `before`, tables; indexes, views, triggers; the SQL of after_load. */
int run_prepare(struct run *, struct etl_error *);
int run_after_load(struct run *, struct etl_error *);
/* One step, and what is known of it. */
struct step_work {
	const struct etl_step *step;
	int32_t unit;	/* its kind in the journal; 0: it has no place there */
	int64_t number; /* likewise */
	struct etl_found_sink *sink;
	int (*forget)(void *data, struct etl_error *); /* what was found: it is done again; or NULL */
	void *data;
	bool leaves; /* without a connection whoever does it ends, and others do it */
	bool unknown; /* set when it failed: whether it was done all the same */
	/* Then of the try that nobody knows of. Whoever takes the step over asks for it first. "": there is none. */
	struct etl_token mark;
};
/* Carries it out in the staging place, by an instance of the target. */
int run_apply(struct run *, struct instance *, struct step_work *, struct etl_error *);
/* A step after the rows, by its place in the plan, unless an interrupted run has applied it. HANDED, which is not NULL where
 * others than the run's own instance make steps, is its mark from one who tries it to the next. */
int run_apply_unit(struct run *, struct instance *, size_t at, struct etl_token *handed,
		   struct etl_error *);
/* All of a phase in their order; WHOLE false: those that are of no table. */
int run_apply_phase(struct run *, int32_t phase, bool whole, struct etl_error *);
/* The staging place it is applied in. */
const struct etl_token *run_stage_of(const struct run *, const struct etl_step *);

/* What RC of a step or check of JOB means for the run: 0 when that table fails alone, which is then
 * marked. JOB may be NULL: it was about the whole run. */
int run_alone(struct run *, struct job *, int rc, struct etl_error *);
/* The table a step belongs to, or NULL. */
struct job *run_job_of(const struct run *, const struct etl_step *);

/* run-finish.c */
int run_finish(struct run *, struct etl_error *);

/* run-lock.c */
/* Takes the lock and opens the state; cleans up after others, or with cli->resume finds the run
 * that goes on, unless run->nothing. */
int run_take_lock(struct run *, struct etl_error *);
/* Takes a staging place away; for state_loads and state_cleanup. A failure is logged, and
 * run->left_behind set. */
int run_abort_left(const struct state_left *, void *run);
void run_remove_spool(const struct run *, const char *id);
bool run_is_unfinished(const struct state_run *);
/* Whether the target keeps the state of such a run itself. */
bool run_keeps_state(const struct run *);
int run_settle_published(struct run *, const char *id, struct etl_error *);
/* SEAL: as state_run_sealed was given it, or NULL: it never came so far. */
int run_was_published(struct run *, const char *id, const char *seal, bool *ret, struct etl_error *);

/* run-resume.c */
int run_find_interrupted(struct run *, struct etl_error *);
/* Says so. R is the run that was asked for, or NULL: there is none. 0. */
int run_nothing_to_resume(struct run *, const struct state_run *r);
/* After the pin: writes down what the run rests on. A resumed run that rests on the same has
 * ETL_RUN_RESUMED afterwards, another has nothing staged. */
int run_find_basis(struct run *, struct etl_error *);
/* After begin: *ret: what is staged is what the journal says, and is counted. */
int run_take_up(struct run *, bool *ret, struct etl_error *);
/* Takes away what the interrupted run staged, and forgets it. */
int run_start_over(struct run *, struct etl_error *);
int run_take_rejects(struct run *, struct etl_error *);
void interrupted_free(struct interrupted *);

/* run-publish.c */
int run_publish(struct run *, struct etl_error *);

/* run-batches.c */
/* Instead of one commit; the jobs' outcomes are those of the batches that stand, also when it fails. */
int run_batches(struct run *, struct etl_commit *, struct etl_error *);

/* run-check.c */
/* Every identity of RUN.md, for every table: a row that cannot be accounted for is an error. */
int run_check_counts(struct run *, struct etl_error *);
/* The same of what commit did with the staged rows, after it. */
int run_check_outcomes(const struct run *, struct etl_error *);
int run_validate(struct run *, struct etl_error *);

/* run-screen.c */
/* Rows that a constraint will not take fail the run, or are rejected. */
int run_screen(struct run *, struct etl_error *);
void run_keep_origins(struct run *);

/* run-report.c */
/* Rows of it are parked, be it since earlier. */
bool run_has_parked(const struct run *);
/* The report's lines of the tables, in the order of the jobs: made once, filled at the end. */
int run_add_lines(struct run *, struct etl_error *);
struct report_line *run_line_of(struct run *, const struct job *);
/* The exit code of a run that ended with RC; the report and the state say the same. */
int run_settle(struct run *, int rc, struct etl_error *);
int run_show(struct run *, struct etl_error *);
/* The command that goes on with this run. NULL: no memory; the caller frees. */
char *run_resume_command(const struct run *);

#endif
