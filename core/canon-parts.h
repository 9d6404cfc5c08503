/* What the two forms of canon.h share. */
#ifndef CORE_CANON_PARTS_H
#define CORE_CANON_PARTS_H

#include "canon.h"

#define CANON_FIXED_MAX 64 /* bytes: a tag or a length and the longest value of fixed width */

struct canon {
	struct ArrowSchema schema;
	struct etl_view *view;
	int32_t hash;	    /* enum etl_hash */
	int64_t *key, *all; /* column indexes */
	int64_t key_count, all_count;
	bool *blurred;	    /* beside the schema's columns (canon_blur) */
	bool by_row;	    /* … one is of the key */
	/* The row that is being laid down; for each column CANON_FIXED_MAX bytes are to spare. */
	uint8_t *scratch;
	size_t used, room, spare;
};

/* Room for SIZE bytes and for what any fixed-width columns behind them take. False: memory. */
bool canon_reserve(struct canon *, size_t size);
/* Drops needless zeros behind a point, and the point. */
size_t canon_trim(const char *text, size_t size);

/* canon-text.c: one more field of a row, and the hash of all. */
bool canon_text_value(struct canon *, const struct etl_column_view *, int64_t row, bool first);
uint64_t canon_text_hash(const struct canon *);

#endif
