/* A difference as rows again: one batch of one row for each side that has it. */
#ifndef CORE_DIFF_PAIR_H
#define CORE_DIFF_PAIR_H

#include "diff.h"

struct diff_pair {
	const struct job *job;
	struct etl_builder *builder;
	struct ArrowArray source, target; /* released: not on this side */
	struct etl_view *source_view, *target_view;
	int64_t *changed; /* the columns that differ, of a changed row */
	size_t changed_count;
};

/* False: no memory; diff_pair_clear in any case. */
bool diff_pair_init(struct diff_pair *, const struct job *);
void diff_pair_clear(struct diff_pair *);
/* The rows of FOUND, until the next call. False: no memory. */
bool diff_pair_set(struct diff_pair *, const struct diff_found *found);

#endif
