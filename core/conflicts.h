/*
 * Rows of a sync that were changed at both ends since they were synced last, known from their hashes, which are kept in the
 * target with the rows. Of each row there are three hashes: the source's, the target's, and the last one, 0 where there is none:
 *
 *	source = target		nothing is to be done
 *	last = target		only the source changed it: it is written, or goes
 *	last = source		only the target changed it: it stays as it is there
 *	else			a conflict, which the table's policy decides, or which is parked
 *
 * Who decided last by `etlrun conflicts resolve` has the last word, as long as both versions are what he saw.
 */
#ifndef CORE_CONFLICTS_H
#define CORE_CONFLICTS_H

#include "conflict-counts.h"
#include "flow.h"

struct changes_set;
struct run;

/* Of a job whose pipeline asks for it makes job->conflicts. ETL_USAGE: this table or this target cannot have it. */
int conflicts_check(const struct jobs_setup *, struct job *, struct etl_error *);
void conflicts_free(struct conflicts *);
/* Whether rows of it are parked, so that each run must look at all of its rows. */
int conflicts_any_parked(const struct flow_setup *, struct job *, bool *ret, struct etl_error *);

/* Inside changes.c's lock, before the first row: reads what is kept. And when every row was seen. */
int conflicts_open(const struct flow_setup *, struct job *, struct etl_error *);
void conflicts_close(struct job *);
/* A split begins, maybe once more. False: no memory. */
bool conflicts_begin_split(struct job *, uint64_t split);
/* Rows of JOB whose key is that of a reject are not synced. False: no memory. */
bool conflicts_refused(struct job *, uint64_t key);
/* … is in the source still; TARGET's rows have met it. */
int conflicts_meet(struct job *, uint64_t key, struct etl_error *);

/* ---- Rows that come. One for each stream. */
struct conflict_step;
/* SCHEMA is that of the batches. NOTES: what is found counts; else the rows are only looked at again. NULL: no memory. */
struct conflict_step *conflict_step_new(const struct flow_setup *, struct job *, uint64_t split, const struct ArrowSchema *,
					bool notes);
void conflict_step_free(struct conflict_step *);
/* Of a batch, by the hashes of its rows: RET[i]: it goes on. SKIP[i]: it was rejected. TARGET has the target's rows. */
int conflict_step_judge(struct conflict_step *, const struct changes_set *target, const struct ArrowArray *batch,
			const uint64_t *keys, const uint64_t *rows, const bool *skip, bool *ret, struct etl_error *);
/* A row goes on, by what was said of it or because it is the same; then, after each batch, all that was found of it is kept. */
int conflict_step_note(struct conflict_step *, uint64_t key, uint64_t row, struct etl_error *);
int conflict_step_settle(struct conflict_step *, struct etl_error *);

/* ---- Rows that did not come. */
/* How many of those that TARGET's rows have left go, when SURE that they are not in the source; the others are dealt with. */
int conflicts_find_gone(const struct flow_setup *, struct job *, struct changes_set *target, bool sure, uint64_t *ret,
			struct etl_error *);
/* Whether a row that is left goes, and that it does. */
int conflicts_goes(const struct job *, const struct changes_set *target, uint64_t key, bool *ret, struct etl_error *);
int conflicts_note_gone(struct job *, uint64_t key, struct etl_error *);

/* ---- conflict-keep.c */
/* Before the commit: stages what is to be kept with the rows of each job. */
int conflicts_keep(struct run *, struct etl_error *);

/* Of a job, or all zero. */
struct conflict_counts conflicts_counts(const struct job *);
/* For people, of all jobs; "": there is nothing to say. */
void conflicts_words(const struct jobs *, struct etl_text *);

#endif
