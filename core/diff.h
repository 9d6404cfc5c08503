/*
 * Which rows of a table differ between source and target. The rows of the source come as a run would
 * load them, those of the target as they are published; whoever computed the digests, rows are only
 * called different after both have been read.
 */
#ifndef CORE_DIFF_H
#define CORE_DIFF_H

#include "diff-spool.h"
#include "met-keys.h"
#include "run.h"
#include "verify-parts.h"

/* One table. */
struct diff {
	struct run *run;
	struct job *job;
	struct verify verify;
	struct side_peer from, into; /* whose rows are read */
	struct diff_spool *found;
	struct met_keys met; /* of rows of the source that are rejected, where a run would ask for them */
	bool asks_met;
	bool keeps_others; /* rows that only the target has are somebody else's: no difference */
	int32_t hash;	   /* of keys and rows, enum etl_hash */
	size_t memory;	   /* bytes that rows may take */
	uint64_t added, deleted, changed;
	uint64_t unsure; /* rows of the target that did not come, and may stand for one that was rejected before it had a key */
	uint64_t source_rows, target_rows; /* the most that one pass saw, or the stores counted */
	bool pushed;			   /* the stores computed the digests */
};

/* Keys of the first key column, both included. */
struct diff_range {
	int64_t first, last;
};

/* Opens nothing yet; D is as it was made by the caller, of zeros or not. diff_clear in any case. */
int diff_init(struct diff *, struct run *, struct job *, const struct refused *, struct etl_error *);
/* The first column to compare that the target's table, which is there, does not have, or NULL. */
const char *diff_lost_column(const struct job *);
/* Without the table, or a column, there are no rows to compare. */
int diff_check_table(const struct job *, struct etl_error *);
/* Fills D and finds all differences of the job. REFUSED as in verify.h. diff_clear in any case. */
int diff_table(struct diff *, struct run *, struct job *, const struct refused *, struct etl_error *);
void diff_clear(struct diff *);

#endif
