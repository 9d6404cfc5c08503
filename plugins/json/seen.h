/* Which row of a file is the last with its key: a table of 128-bit hashes. Equal hashes are equal keys: of 2^40 rows two different
 * ones meet with a chance of 2^-49. */
#ifndef JSON_SEEN_H
#define JSON_SEEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct seen_slot {
	uint64_t high, low;
	uint64_t row;           /* from 1; 0: empty */
};

/* Zero-initialised it is empty. */
struct seen {
	struct seen_slot *slots;
	size_t count, room;     /* room: a power of two */
};

/* ROW is from 1. With LAST a later row takes the place of one before. False: no memory. */
bool json_seen_add(struct seen *, uint64_t high, uint64_t low, uint64_t row, bool last);
/* The row of that key, or 0. */
uint64_t json_seen_row(const struct seen *, uint64_t high, uint64_t low);
/* Is ROW the one that stays? */
bool json_seen_stays(const struct seen *, uint64_t high, uint64_t low, uint64_t row);
void json_seen_clear(struct seen *);
void json_seen_free(struct seen *);

#endif
