/*
 * The differences of one table, in the order of their keys, however many there are: in memory up to a
 * limit, beyond it in sorted runs of a file that has no name. They can be walked through again and
 * again.
 */
#ifndef CORE_DIFF_SPOOL_H
#define CORE_DIFF_SPOOL_H

#include "error.h"

enum diff_kind {
	DIFF_NEW,     /* only in the source */
	DIFF_DELETED, /* only in the target */
	DIFF_CHANGED
};

/* Rows as diff-row.h writes them. What diff_spool_next gives lives until its next call. */
struct diff_found {
	int32_t kind; /* enum diff_kind */
	const void *key, *source, *target; /* NULL: not on this side */
	uint32_t key_size, source_size, target_size;
};

struct diff_spool;

/* MEMORY: bytes after which a run is written. NULL: no memory. */
struct diff_spool *diff_spool_new(size_t memory);
void diff_spool_free(struct diff_spool *);
int diff_spool_add(struct diff_spool *, const struct diff_found *, struct etl_error *);
/* To the beginning. Nothing is added after the first of these. */
int diff_spool_rewind(struct diff_spool *, struct etl_error *);
/* What is in memory goes into the file, when it is more than a few rows: another table comes. */
int diff_spool_rest(struct diff_spool *, struct etl_error *);
/* 1: the next one; 0: there is none. */
int diff_spool_next(struct diff_spool *, struct diff_found *ret, struct etl_error *);

#endif
