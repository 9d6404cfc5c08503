/*
 * `sweep`: beside the rows that its cursor finds, each run compares those of the next part of a table's keys at both ends, so that
 * after so many runs all of them were, and what was deleted there is found. A part is from one key to another: the key is one
 * column of whole numbers that comes as it is.
 */
#ifndef CORE_SWEEP_H
#define CORE_SWEEP_H

#include "run.h"
#include "state-read.h"

/* Of a job that is read by its cursor. */
struct job_sweep {
	const char *source_key, *target_key; /* the column */
	int64_t from, upto;   /* keys above FROM, to UPTO; in millionths of the way: */
	int64_t at, to;	      /* 0: from the lowest key on; 1,000,000: to the highest */
	char after_text[24], upto_text[24];
	uint64_t split;	      /* that reads it */
	_Atomic int64_t low;  /* the lowest key that was met, in runs before too; INT64_MAX: none yet */
};

/* ETL_USAGE: the keys of the job cannot be told in parts. */
int sweep_check(const struct pipeline *, const struct job *, struct etl_error *);
/* Inside the pin: which part comes now. */
int sweep_find(struct run *, struct job *, const struct state_table *past, struct etl_error *);
/* One more split of a job that is swept. */
int sweep_plan(struct job *, struct etl_error *);
/* What is read of it: bounds for the source, or the target. Nothing, where it is NULL or the split is another. */
void sweep_bound(const struct job *, const struct etl_split *, struct etl_read *);
void sweep_bound_target(const struct job *, struct etl_read *);
/* Whether the job is swept in this run, and whether the split is the one that does so. */
bool sweep_is_on(const struct job *);
bool sweep_is_split(const struct job *, uint64_t split);
/* Of the rows of a batch that came by the cursor, whether the one at ROW comes by the sweep too. */
bool sweep_has(const struct job *, const struct ArrowSchema *, const struct ArrowArray *, int64_t row);
/* Rows of the sweep go by. */
void sweep_meet(struct job *, const struct ArrowSchema *, const struct ArrowArray *);
/* Members of what the state says of the cursor. */
void sweep_add_state(const struct job *, struct etl_text *);

#endif
