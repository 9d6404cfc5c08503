/*
 * One canonical form of every value, and the row hash over it. x1 is XXH3-64 over the binary form;
 * what is equal to a person of the target's types is equal here, whatever store it came from.
 *
 * The binary form of a row is that of its columns in order. Each value is a tag byte, then:
 *   0 NULL       nothing
 *   1 integer    int64: every width, bool as 0 and 1
 *   2 real       IEEE bits of a float64: float32 widened, -0 as +0, one NaN
 *   3 number     decimal and numeric: uint32 length, text without exponent, needless zeros or "-0"
 *   4 text       text and json: uint32 length, the bytes as they are
 *   5 bytes      uint32 length, the bytes
 *   6 date       int64 days; 7 time, 8 timestamp, 9 instant: int64 microseconds
 *   10 uuid      16 bytes
 * An `any` has the form of its tag. Integers are little-endian. The lengths keep a byte from moving
 * unseen from one column to the next.
 *
 * c1 and p1 are hashes of a text form that servers can make too; plugin.h has it at `enum
 * etl_digests_by` to the letter, for those who write it in SQL. It does not tell types apart (the
 * integer 5, the number 5 and the text "5" are one), so it is for columns whose types are known to
 * be alike, and not for `any`.
 */
#ifndef CORE_CANON_H
#define CORE_CANON_H

#include <etlrun/helpers.h>

#include "error.h"

/* Hashes the rows of batches of one schema. Not thread-safe; one for each thread. */
struct canon;

/* Whether rows of this schema have this hash. */
bool canon_offers(const struct ArrowSchema *, int32_t hash);
/* KEY: the indexes of the key columns; none: the whole row is the key. Columns whose name begins
 * with "etlrun." are left out. NULL: no memory, an unknown type, or a HASH (enum etl_hash) that is
 * not offered. */
struct canon *canon_new(const struct ArrowSchema *, const int64_t *key, size_t key_count,
			int32_t hash);
/* Of these columns (a flag for each of the first COUNT of the schema) only whether they are NULL is looked at. A key
 * that has one does not tell rows apart: the whole row is the key. Before the first batch, and for x1. */
void canon_blur(struct canon *, const bool *columns, size_t count);
/* These columns (likewise) do not count at all, but for those of the key. */
void canon_skip(struct canon *, const bool *columns, size_t count);
void canon_free(struct canon *);
/* Fills RET_KEY and RET_ROW (batch->length places each; RET_ROW may be NULL: keys only). False:
 * memory. */
bool canon_batch(struct canon *, const struct ArrowArray *batch, uint64_t *ret_key,
		 uint64_t *ret_row);
/* Of one row of it. */
bool canon_row(struct canon *, const struct ArrowArray *batch, int64_t row, uint64_t *ret_key,
	       uint64_t *ret_row);
/* One row's key as a person reads it, "id=3" or "emp=1 ord=2"; for a table without a key, the
 * row. */
void canon_key_text(struct canon *, const struct ArrowArray *batch, int64_t row, struct etl_text *);

/* Whether a key hash is in a range (digest.c). */
bool range_has(const struct etl_range *, uint64_t key_hash);

/* The digest of a stream of rows: the total, and one for each of ETL_BUCKETS buckets by key hash.
 * Adding is order-free, so workers keep one each and add them up. */
struct digest {
	struct etl_digest total;
	struct etl_digest buckets[ETL_BUCKETS];
};
/* Adds the rows of a batch that are in the sample (ppm of a million, by key hash mixed with
 * seed). */
bool digest_batch(struct digest *, struct canon *, const struct ArrowArray *, uint32_t ppm,
		  uint64_t seed);
/* One row, by its hashes. */
void digest_row(struct digest *, uint64_t key_hash, uint64_t row_hash, uint32_t ppm, uint64_t seed);
void digest_add(struct digest *, const struct digest *);
void digest_subtract(struct digest *, const struct digest *);

#endif
