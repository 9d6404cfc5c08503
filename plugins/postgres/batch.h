/*
 * A run that is published in batches (struct etl_commit_batch): each takes rows of the staging tables as they stand there, from one
 * ctid to another, through the views that into-commit.c makes of them. "_etlrun".batches has a row for each load and batch, written
 * in the batch's transaction; `next` is where the one behind it begins.
 */
#ifndef POSTGRES_BATCH_H
#define POSTGRES_BATCH_H

#include "../lib/slices.h"
#include "publish.h"

/* A commit of the loads that have rows in one batch. */
struct batch_commit {
	struct etl_commit commit;
	const struct etl_load **loads;
	const struct etl_token **tokens;
	struct etl_outcome *outcomes;
	uint64_t *withheld;
	struct etl_slices *slices; /* beside the loads: of the whole run, then of the batch */
	size_t *at;		   /* where they are in the run */
};
/* With its slices, which were found for the whole. ETL_FAILED, without a word: no memory; batch_free in any case. */
int batch_narrow(struct batch_commit *, const struct etl_commit *whole);
/* What it did, into the outcomes of the whole. */
void batch_widen(const struct batch_commit *, const struct etl_commit *whole);
void batch_free(struct batch_commit *);

/* Which rows are in it: RET, beside the loads, and batch->next. */
int batch_slice(struct etl_instance *, const struct etl_commit *, struct etl_slices *ret, struct etl_error *);
/* Whether it was committed already; then with its outcomes and its end. */
int batch_find(struct etl_instance *, const struct etl_commit *, bool *ret_found, struct etl_error *);
/* Inside the publishing transaction. */
int batch_record(struct publishing *);
/* " WHERE …": the rows of a slice. */
void batch_add_where(struct etl_text *, const struct etl_slice *);

#endif
