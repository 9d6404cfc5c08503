/*
 * The state store of a pipeline: an SQLite file of the host's own (RUN.md, "Where the state lives")
 * that says which runs there were, how far each came, and which staging places it made, so that a
 * run that died is seen and cleaned up. One writer: the lock of the run. Every function that writes
 * is durable when it returns.
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
#define STATE_INTERRUPTED "interrupted"

/* Opens PATH; CREATE makes it when it is not there, otherwise *ret is NULL then. ETL_MEMORY (exit
 * 10): it cannot be made or written, it is another program's file, or a newer etlrun's. */
int state_open(const char *path, bool create, struct state **ret, struct etl_error *);
void state_close(struct state *);

int state_run_begin(struct state *, const struct etl_run *, const char *verb, struct etl_error *);
int state_run_phase(struct state *, const char *run, const char *phase, struct etl_error *);
/* What is staged so far, for `status`. */
int state_run_progress(struct state *, const struct jobs *, const char *run, struct etl_error *);
/* The staging places of all loads that have one, in one transaction. */
int state_run_loads(struct state *, const struct jobs *, const char *run, struct etl_error *);
int state_run_end(struct state *, const struct report *, const char *status, struct etl_error *);

/* A staging place that a run left behind: its process is gone, for the caller holds the lock. */
struct state_left {
	char run[80];
	char table[256];
	uint64_t index;
	struct etl_token token;
};
/* Calls EACH for every staging place of runs that neither ended nor were cleaned up; a 0 from it
 * forgets them. */
int state_cleanup(struct state *, int (*each)(const struct state_left *, void *), void *data,
		  struct etl_error *);

/* One run for `status`, newest first. Strings are borrowed for the call. */
struct state_run {
	const char *id, *pipeline, *verb, *status, *phase, *started, *ended, *error;
	int64_t pid;
	int exit;
	uint64_t tables, rows, rejected;
};
int state_runs(struct state *, int (*each)(const struct state_run *, void *), void *data,
	       struct etl_error *);

#endif
