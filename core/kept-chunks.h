/*
 * The hashes of a table's rows as they were synced last, in chunks: sorted by the hash of the key, so many in each that a
 * database keeps it in line. A chunk begins where its number says and ends where the next begins; the first begins at 0. So a
 * few rows that change write a few chunks anew, and millions of new ones are written as a stream.
 *
 * A chunk is 8 bytes that say of which columns the hashes are, then of each row its key's hash and its own, little-endian.
 */
#ifndef CORE_KEPT_CHUNKS_H
#define CORE_KEPT_CHUNKS_H

#include "kept.h"

#define CHUNK_MOST 112 /* rows: a row of PostgreSQL that is longer than 2 kB is kept in another place */
#define CHUNK_FULL 84  /* rows of one that is made anew */

struct chunk_pair {
	uint64_t key, row;
};

/* What a chunk says. False: it is none. */
bool chunk_read(const struct kept_piece *, uint64_t *ret_columns, struct chunk_pair *ret, size_t *ret_count);

/* Gives pairs in the order of their keys: 1, 0 at the end, negative with the error set. */
struct chunk_pairs {
	int (*next)(struct chunk_pairs *, struct chunk_pair *ret, struct etl_error *);
};

/* The chunks that are others when FRESH is laid over the old ones; a fresh row of 0 takes its key out. Those of other columns
 * than COLUMNS hold nothing. */
struct chunk_merge {
	struct kept_source source; /* gives them */
	struct chunk_pairs *fresh;
	/* Gives the old chunks in their order, as kept_next. */
	int (*old)(void *data, struct kept_piece *ret, struct etl_error *);
	void *data;
	uint64_t columns;

	bool begun, ended; /* of the old ones */
	struct chunk_pair pairs[CHUNK_MOST], next_pairs[CHUNK_MOST], out[CHUNK_MOST + 1];
	size_t count, at, next_count, out_count, parts;
	int64_t number, next_number, part_number;
	bool has, has_next, changed, next_changed;
	struct chunk_pair pending;
	bool has_pending, fresh_ended;
	uint8_t bytes[8 + 16 * (CHUNK_MOST + 1)];
};

void chunk_merge_init(struct chunk_merge *, uint64_t columns, struct chunk_pairs *fresh,
		      int (*old)(void *data, struct kept_piece *ret, struct etl_error *), void *data);

#endif
