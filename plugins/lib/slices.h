/*
 * Which staged rows are in one batch of a run (struct etl_commit_batch): first those that come, in the order of the loads, then
 * those that go, the other way round. Where rows stand in the staging place only the store knows: a position is its text.
 */
#ifndef LIB_SLICES_H
#define LIB_SLICES_H

#include <stdbool.h>
#include <etlrun/plugin.h>

#define SLICE_AT 64 /* bytes of a position, with the NUL */

enum etl_slice_kind { ETL_SLICE_ROWS, ETL_SLICE_GONE };

/* Of one load, of one kind: rows from FROM on ("" : from the first), and before UPTO ("": to the last). */
struct etl_slice {
	bool any;
	char from[SLICE_AT], upto[SLICE_AT];
};
struct etl_slices {
	struct etl_slice of[2]; /* enum etl_slice_kind */
};

/* What the store says. */
struct etl_slicer {
	/* Whether a load has such rows at all. */
	bool (*has)(struct etl_slicer *, size_t load, int kind);
	/* *ret: how many rows there are from FROM on, MOST at most; UPTO: where the one behind those MOST is, "" when there is
	 * none. */
	int (*count)(struct etl_slicer *, size_t load, int kind, const char *from, int64_t most, int64_t *ret,
		     char upto[SLICE_AT]);
};

/* Fills RET, beside the loads, and batch->next. A negative status of the store's is handed on; 1: `from` is none of ours. */
int etl_slices_make(const struct etl_commit *, struct etl_slicer *, struct etl_slices *ret);
static inline bool etl_slices_any(const struct etl_slices *s)
{
	return s->of[ETL_SLICE_ROWS].any || s->of[ETL_SLICE_GONE].any;
}

#endif
