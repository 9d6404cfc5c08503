/*
 * Where the rows of one split came from: of each the hash and its ordinal, kept while they are loaded as long as there is room.
 * A row that is refused after it was staged is then found without reading the source once more (reject-screen.c).
 */
#ifndef CORE_ORIGINS_H
#define CORE_ORIGINS_H

#include <stdatomic.h>

#include "canon.h"

struct row_origin {
	uint64_t row; /* its hash, X1 */
	int64_t ordinal;
};

struct origins {
	struct origins *next; /* of the same table; its owner's */
	uint64_t split;
	struct row_origin *at;
	size_t count;
	bool whole; /* every row that came is there */

	struct canon *canon; /* owned */
	atomic_llong *left;  /* bytes, for all that share it; what is taken comes back with origins_free */
	size_t taken;	     /* of them */
	size_t room;	     /* places */
	uint64_t *hashes;
	int64_t hash_room;
};

/* Takes CANON, of rows with their ordinal behind. NULL: no memory. */
struct origins *origins_new(uint64_t split, struct canon *canon, atomic_llong *left);
/* Without room for these rows all are given up: it is not whole any more. False: no memory to hash them. */
bool origins_add(struct origins *, const struct ArrowArray *batch);
/* It, and all behind it. */
void origins_free(struct origins *);

#endif
