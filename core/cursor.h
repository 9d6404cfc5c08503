/*
 * How far each table was synced: what its cursor had reached when it was read, kept in the target with the rows that were
 * published, and read from there by the next run.
 */
#ifndef CORE_CURSOR_H
#define CORE_CURSOR_H

#include "run.h"

/* Of a job whose table has a cursor. */
struct job_sweep;
struct job_cursor {
	bool reads;		  /* only rows from `since` on */
	char since[ETL_TOKEN_MAX];
	struct etl_token reached; /* in this run's view; "": nothing to go on from */
	struct job_sweep *sweep;  /* the part of the keys that is compared too; NULL: none */
	int64_t runs;		  /* those that went by the cursor alone since every row was compared */
};

/* ETL_USAGE: what the table's cursor needs is not there, at one end or the other. */
int cursor_check(const struct jobs_setup *, const struct job *, struct etl_error *);
/* Inside the pin, before the splits: for each job whether it is read by its cursor, or is compared as a whole. Only for mode =
 * "sync". */
int cursors_find(struct run *, struct etl_error *);
/* What the state of a published run says of the job, a member of its object: ,"cursor":{…}; or nothing. */
void cursor_add_state(const struct run *, const struct job *, struct etl_text *);
/* TOKEN's value, a moment, taken back by MS milliseconds; what is no moment, and what is behind a ";", is as it was. */
void cursor_back(const char *token, int64_t ms, char ret[ETL_TOKEN_MAX]);

#endif
