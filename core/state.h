/*
 * The state store of a pipeline: an SQLite file of the host's own (RUN.md, "Where the state lives")
 * that says which runs there were, how far each came, and which staging places it made, so that a
 * run that died is seen and cleaned up. One writer: the lock of the run. Every function that writes
 * is durable when it returns. What others may write, at any time, is a request to the run that is on.
 */
#ifndef CORE_STATE_H
#define CORE_STATE_H

#include "job.h"
#include "report.h"

struct state;

/* How far a run is; what is stored is the word. */
#define STATE_RUNNING	  "running"
#define STATE_DONE	  "done"
#define STATE_FAILED	  "failed"
#define STATE_INTERRUPTED "interrupted" /* what it staged is kept: `resume` goes on */
#define STATE_CLEANED                                                                              \
	"cleaned up" /* it was interrupted, and a later run or `rollback` took that away */
#define STATE_REVERTED "rolled back" /* it was published, and taken back */
#define STATE_PAUSED   "paused"	     /* it was asked to: `resume` goes on */
#define STATE_CANCELED "canceled"    /* it was asked to: nothing of it is kept */

/* Whether `resume` can go on with a run of that status, once its process is gone. */
bool state_is_unfinished(const char *status);

/* Opens PATH; CREATE makes it when it is not there, otherwise *ret is NULL then. ETL_MEMORY (exit
 * 10): it cannot be made or written, it is another program's file, or a newer etlrun's. */
int state_open(const char *path, bool create, struct state **ret, struct etl_error *);
void state_close(struct state *);

/* What `resume` and `rollback` must find as it was; texts may be NULL. */
struct state_basis {
	const char *command; /* that goes on, for people */
	const char *target;  /* where the rows go: a file's path */
	const char *file;    /* the pipeline: fingerprint.h */
};
int state_run_begin(struct state *, const struct etl_run *, const char *verb,
		    const struct state_basis *, struct etl_error *);
/* An interrupted run goes on. */
int state_run_again(struct state *, const char *run, const char *command, struct etl_error *);
int state_run_phase(struct state *, const char *run, const char *phase, struct etl_error *);
int state_phases(struct state *, const char *run,
		 int (*each)(const char *phase, const char *entered, void *), void *data,
		 struct etl_error *);
/* Sets one text of a run: "plan", "stamp" or "kept". */
int state_run_note(struct state *, const char *run, const char *column, const char *text,
		   struct etl_error *);
/* By what the target is known once it is published, and the run's exit code then; before that. */
int state_run_sealed(struct state *, const char *run, const char *seal, int code,
		     struct etl_error *);
/* What a run of a pipeline rests on (needed.h), of its last run only; NULL: that is not known any more. */
int state_print_put(struct state *, const char *run, const char *pipeline, const char *print,
		    struct etl_error *);
/* *RET: owned by the caller, or NULL: it is not known. */
int state_print_get(struct state *, const char *run, char **ret, struct etl_error *);
/* A run whose process could not say so itself has ended; what it staged is forgotten. */
int state_run_settle(struct state *, const char *run, const char *status, struct etl_error *);
/* Old runs of a pipeline are not remembered any more: RUNS and SINCE as struct etl_run has them. */
int state_forget_old(struct state *, const char *pipeline, int64_t runs, int64_t since, struct etl_error *);
/* The staging places and the pieces of work of a run are no longer there. */
int state_forget(struct state *, const char *run, struct etl_error *);
/* How far the load is, for `status`: of a table that is not done yet, the rows on their way too. */
int state_run_progress(struct state *, const struct jobs *, const char *run, struct etl_error *);
/* Of a run that is published in batches: the number of the last one, how many stand, and what was written in them, in whatever
 * process; all 0: none. */
struct state_batches {
	int64_t number;
	uint64_t count, rows;
};
int state_run_batch(struct state *, const char *run, const struct state_batches *, struct etl_error *);
int state_batches(struct state *, const char *run, struct state_batches *ret, struct etl_error *);
/* The staging places of all loads that have one, in one transaction. */
int state_run_loads(struct state *, const struct jobs *, const char *run, struct etl_error *);
/* With STATE_INTERRUPTED and STATE_PAUSED what it staged stays known. */
int state_run_end(struct state *, const struct report *, const char *status, struct etl_error *);

/* What is asked of a run, "cancel" or "pause": by another process; *ret false: it is not running any more. */
int state_request(struct state *, const char *run, const char *wish, bool *ret, struct etl_error *);
/* By the run, again and again, with a handle of its own; a state that cannot be read just now has nothing to say. */
bool state_request_look(struct state *, const char *run, char *wish, size_t size);
/* Who holds the lock forgets what was asked of runs before. */
int state_requests_clear(struct state *, struct etl_error *);

/* A staging place that a run left behind: its process is gone, for the caller holds the lock. */
struct state_left {
	char run[80];
	char table[256];
	uint64_t index;
	struct etl_token token;
};
int state_loads(struct state *, const char *run /* NULL: of every run */,
		int (*each)(const struct state_left *, void *), void *data, struct etl_error *);
/* Calls EACH for every staging place of runs that neither ended nor were cleaned up; a 0 from it
 * forgets them. */
int state_cleanup(struct state *, int (*each)(const struct state_left *, void *), void *data,
		  struct etl_error *);

/* A piece of work in a staging place, in the order of KIND and NUMBER: what stood there before
 * it, and what was counted in it. Nothing of this is synced: it is as lasting as the staging place
 * is until it is sealed. Texts and data are borrowed. */
struct state_unit {
	int32_t kind; /* journal.h */
	int64_t number;
	const char *name;
	struct etl_token mark;
	bool done;
	const void *data;
	size_t size;
};
int state_unit_put(struct state *, const char *run, const struct state_unit *, struct etl_error *);
/* MARK: what stands there after it; NULL: what was given before it stays. */
int state_unit_done(struct state *, const char *run, int32_t kind, int64_t number,
		    const struct etl_token *mark, struct etl_error *);
int state_unit_drop(struct state *, const char *run, int32_t kind, int64_t number,
		    struct etl_error *);
int state_units(struct state *, const char *run, int (*each)(const struct state_unit *, void *),
		void *data, struct etl_error *);

/* One run for `status`, newest first. Strings are borrowed for the call, and NULL where there is
 * nothing. */
struct state_run {
	const char *id, *pipeline, *verb, *status, *phase, *started, *ended, *error;
	int64_t pid;
	int exit;
	uint64_t tables, rows, rejected;
	/* of version 2 */
	const char *command, *target, *file, *plan, *stamp, *seal, *kept;
	int64_t begun;	 /* microseconds since 1970 UTC */
	int64_t resumed; /* how often it was */
	uint64_t batches, batch_rows; /* published in batches: how many, and what was written in them */
};
int state_runs(struct state *, int (*each)(const struct state_run *, void *), void *data,
	       struct etl_error *);

#endif
