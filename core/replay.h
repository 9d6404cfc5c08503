/*
 * Another try at the rows that a run refused. A replay is a run like any other, but what it reads are the rows
 * of a rejects file: anew from the source by their keys, for they may have been mended there, or, of a table
 * without a key, as the file has them. It adds to what is in the target.
 */
#ifndef CORE_REPLAY_H
#define CORE_REPLAY_H

#include "cmd.h"
#include "reject.h"

/* A run whose rejects are asked for. */
struct reject_run {
	char id[80];
	char path[4300];  /* of its rejects file */
	char state[4096]; /* of the pipeline */
	uint64_t rejected;
	bool published, unfinished;
};

struct flow_setup;
struct replay;

/* The verb; the exit code, or negative. PIPELINE is changed: it appends, or merges where it says so, and
 * rejects what fails again. */
int replay_run(const struct cli *, struct pipeline *, const struct reject_run *,
	       struct etl_error *);

/* Reads the file and gives every job its rows (job->replay) and splits, with the numbers that they had.
 * ETL_USAGE: a table of it is not in the run. */
int replay_plan(struct replay *, struct jobs *, struct etl_error *);
/* The rows of one split, with their ordinals as the last column, as flow_open's meter gives them. */
int replay_open(const struct flow_setup *, struct job *, struct instance *source, uint64_t split,
		struct etl_context *, struct ArrowArrayStream *ret, struct etl_error *);
/* The run whose rows they are. */
const char *replay_of(const struct replay *);
void replay_free(struct replay *);

#endif
