/*
 * The rows that a target has, as hashes: of each its key's and its own, 16 bytes, and 4 of who met it. In memory up to a limit, beyond it in a
 * file. First every row is added, by one thread; then rows are looked for, by any number.
 */
#ifndef CORE_CHANGES_SET_H
#define CORE_CHANGES_SET_H

#include "error.h"

struct changes_set;

/* MEMORY: bytes after which rows go into the file. NULL: no memory. */
struct changes_set *changes_set_new(size_t memory);
void changes_set_free(struct changes_set *);
int changes_set_add(struct changes_set *, uint64_t key, uint64_t row, struct etl_error *);
/* Nobody claims its rows; before the first. */
void changes_set_plain(struct changes_set *);
/* No more come, and RC says whether all did: 0, and the set is *RET; else it is freed. */
int changes_set_close(struct changes_set *, int rc, struct changes_set **ret, struct etl_error *);

enum changes_found {
	CHANGES_NONE,  /* no row has this key */
	CHANGES_OTHER, /* one has, and differs */
	CHANGES_SAME,
	CHANGES_TWICE /* one has, and another than WHO has met it */
};
/* KEY will be met, a few others later; SOON: fewer. Without a word before, each waits for memory. */
void changes_set_expect(const struct changes_set *, uint64_t key, bool soon);
/* A row that is found by its key has been met from then on. WHO: a number of whoever looks, the same when it looks again; 0:
 * somebody who claims nothing. */
int changes_set_meet(struct changes_set *, uint64_t key, uint64_t row, uint32_t who, enum changes_found *ret,
		     struct etl_error *);
/* Whether a row with this key is there, and none of those was met. */
int changes_set_is_left(struct changes_set *, uint64_t key, bool *ret, struct etl_error *);
/* How many were never met. */
uint64_t changes_set_left(const struct changes_set *);
uint64_t changes_set_rows(const struct changes_set *);
/* The hash of a row with this key, which is not met by that. *RET_FOUND false: there is none. */
int changes_set_find(const struct changes_set *, uint64_t key, bool *ret_found, uint64_t *ret_row, struct etl_error *);

/* All of a closed set, by their keys. */
#define CHANGES_WALK 256
struct changes_walk {
	const struct changes_set *set;
	uint64_t next;
	uint64_t read; /* rows up to there are in the buffer */
	uint64_t buffer[2 * CHANGES_WALK];
};
/* 1: the next row; 0: there is none. */
int changes_walk_next(struct changes_walk *, uint64_t *ret_key, uint64_t *ret_row, bool *ret_met, struct etl_error *);

#endif
