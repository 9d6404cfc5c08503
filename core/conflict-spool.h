/*
 * What a run finds out of the rows of a table and will keep with them: their hashes as they are synced, and rows that
 * are parked. In memory, beyond a bound in a file. What a split gave in a try that failed does not count.
 */
#ifndef CORE_CONFLICT_SPOOL_H
#define CORE_CONFLICT_SPOOL_H

#include "error.h"

enum conflict_found {
	FOUND_HASHES = 1, /* bytes: pairs of the hash of a key and that of its row; of a row of 0 nothing is known any more */
	FOUND_PARKED	  /* bytes: the row at both ends, for people */
};

struct conflict_note {
	uint32_t kind; /* enum conflict_found */
	uint32_t size;
	uint64_t split;
	uint64_t attempt;
	uint64_t key, source, target; /* of what is parked: hashes; 0: there is no row */
};

struct conflict_spool;

/* NULL: no memory. */
struct conflict_spool *conflict_spool_new(void);
void conflict_spool_free(struct conflict_spool *);
/* A split begins, maybe once more. False: no memory. Any thread, as the next. */
bool conflict_spool_begin(struct conflict_spool *, uint64_t split);
/* NOTE says what and of which split; its size and attempt are filled in here. */
int conflict_spool_add(struct conflict_spool *, struct conflict_note note, const void *bytes, size_t size, struct etl_error *);

/* One after the other, when no more are added. */
struct conflict_reading {
	const struct conflict_spool *spool;
	uint64_t at;
	void *bytes; /* owned */
	size_t room;
};
/* 1: the next that counts, borrowed until the next call; 0: there is none. */
int conflict_spool_next(struct conflict_reading *, struct conflict_note *ret, const void **ret_bytes, struct etl_error *);
void conflict_reading_clear(struct conflict_reading *);

#endif
