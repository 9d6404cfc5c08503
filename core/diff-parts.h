/* The parts of diff_table. RANGE may be NULL: every row. */
#ifndef CORE_DIFF_PARTS_H
#define CORE_DIFF_PARTS_H

#include "diff.h"

enum diff_side { DIFF_SOURCE, DIFF_TARGET };

/* diff.c. Calls BATCH for each batch of a side, in the schema of job->rows. The two sides may be walked
 * at once, by a thread each. */
struct diff_walk {
	int (*batch)(struct diff_walk *, const struct ArrowArray *, struct etl_error *);
};
int diff_walk(struct diff *, enum diff_side, const struct diff_range *, struct diff_walk *,
	      struct etl_error *);
/* The same of the rows that ONLY says, by that side's own names; NULL: every row. */
int diff_walk_only(struct diff *, enum diff_side, const struct flow_range *only, struct diff_walk *,
		   struct etl_error *);

/* What a walk may end with beside a status: its rows do not fit into memory. */
#define DIFF_TOO_MANY (-100)

/* diff-rows.c. Reads the rows of both sides whose key hash, modulo COUNT (a power of two), falls on a
 * place that is true in WANTED (NULL: all), and notes what differs. DIVISIBLE: ends with DIFF_TOO_MANY,
 * nothing noted, when they take more than the memory of the diff. */
int diff_rows(struct diff *, const struct diff_range *, const bool *wanted, uint64_t count,
	      bool divisible, struct etl_error *);

/* diff-stream.c. Reads both sides, and again what differs. */
int diff_stream(struct diff *, const struct diff_range *, struct etl_error *);
/* The second part of it: A and B are the digests of COUNT buckets of the two sides; ROW_SIZE is what a
 * row takes in memory. */
int diff_buckets(struct diff *, const struct diff_range *, const struct etl_digest *a,
		 const struct etl_digest *b, uint64_t count, size_t row_size, struct etl_error *);
/* How many buckets for so many rows: a power of two. */
uint64_t diff_bucket_count(int64_t rows);

/* diff-push.c. By digests of both servers. *ret_done false: they cannot, or do not agree with ours. */
int diff_push(struct diff *, bool *ret_done, struct etl_error *);

/* diff-edges.c. A batch of a table with these columns that holds the edge values of their types. False: no
 * memory. */
bool diff_edges(const struct ArrowSchema *, struct ArrowArray *ret);

/* The column's values are those of a column before the cast. */
bool diff_is_taken_over(const struct reshape_column *);

static inline bool diff_same(const struct etl_digest *a, const struct etl_digest *b)
{
	return a->rows == b->rows && a->sum == b->sum;
}

#endif
