/*
 * A run, from both ends open to the report. run.c reads in the order of RUN.md.
 */
#ifndef CORE_RUN_H
#define CORE_RUN_H

#include "cmd.h"
#include "flow.h"
#include "journal.h"
#include "lock.h"
#include "plan.h"
#include "report.h"
#include "state.h"

/* Of a run that was interrupted, as the state says. Texts are owned, and NULL where it says
 * nothing. */
struct interrupted {
	char id[80];
	char *pipeline, *target, *file, *plan, *stamp, *seal, *phase;
	int exit;
	int64_t begun; /* microseconds since 1970 UTC */
};

struct run {
	const struct cli *cli;
	const struct pipeline *pipeline;
	struct etl_run info; /* what plugins see */
	char place[4096]; /* the target as its plugin names it, "" when it does not */
	char source_place[4096]; /* likewise; asked only for a target that wants to know */
	char id[80], state_path[4096], rejects_path[4200], lock_path[4200];
	struct host_limits limits;
	struct instance *source, *target;
	struct jobs jobs;
	struct plan plan;
	struct lock *lock;
	struct state *state;
	struct etl_token pin;
	bool pinned, begun, published;
	bool marks; /* the target works in no one order, and says before each piece of work where it stands */
	struct rejects *rejects;
	struct journal journal;
	struct interrupted was; /* with cli->resume */
	bool nothing;		/* there is nothing to resume; nothing_code is the exit code */
	int nothing_code;
	bool kept;	  /* it was interrupted, and what is staged stays */
	bool again;	  /* it was interrupted, and nothing that is staged stays: `resume` begins again, behind the batches that stand */
	bool left_behind; /* something could not be taken away */
	bool batch_unknown; /* whether the one behind those stands too nobody knows */
	struct state_batches batches; /* with commit_every: that stand, those before it was resumed too */
	struct flow_setup flow;
	atomic_llong origins_left; /* bytes that the origins of rows may still take (origins.h) */
	atomic_bool telling; /* a worker writes to the state how far the load is; it did so at `told` */
	int64_t told;
	struct progress *progress;
	struct progress_table *bars;
	struct report report;
	size_t first_line; /* of the report: the first job's; the others' follow */
	int64_t started;   /* CLOCK_MONOTONIC, microseconds */
};

/* Opens both ends, makes jobs and plan. What `plan`, `run` and `validate` begin with; run_close in
 * any case. */
int run_open(struct run *, const struct cli *, const struct pipeline *, struct etl_error *);
void run_close(struct run *);
/* The pin and the splits of every job. */
int run_pin(struct run *, struct etl_error *);
/* Where the state of a pipeline lives, by the target's own word. */
int run_state_path(const struct pipeline *, struct instance *target, char *buf, size_t size,
		   struct etl_error *);
/* The target as its plugin names it, "" when it does not. */
int run_place(struct instance *target, char *buf, size_t size, struct etl_error *);
/* Where the rejects of a run are. */
void run_rejects_path(const struct run *, const char *id, char *buf, size_t size);
/* A place beside the state that is that run's alone. */
void run_rejects_own(const char *state_path, const char *id, char *buf, size_t size);
/* Where those of an earlier run are: there, or where rejects_file says. */
void run_rejects_file(const struct pipeline *, const char *state_path, const char *id, char *buf,
		      size_t size);
/* The whole run; the exit code, or negative. The report is printed either way once a run has
 * begun. */
int run_pipeline(const struct cli *, const struct pipeline *, struct etl_error *);

/* --summary of a run that ended before it began: its exit code and its error, so that nobody takes
 * yesterday's file for today's. ID and PIPELINE may be NULL. */
void run_summarise_failure(const struct cli *, const struct pipeline *, const char *id,
			   const struct etl_error *);

/* What the verbs run and copy do. */
int cmd_run(const struct cli *, struct etl_error *);

/* Progress says that this table is being validated, until it is told otherwise. */
void run_show_validating(struct run *, const struct job *);
int64_t run_clock(void); /* CLOCK_MONOTONIC, microseconds */

#endif
