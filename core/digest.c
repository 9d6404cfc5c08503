/*
 * Sums of row hashes: one total and one for each bucket of keys, so that two sides that differ find
 * out where with one more question. Sums are modulo 2^64 and know no order; unlike XOR, a row that
 * is doubled changes them.
 */
#include "config.h"

#include <stdlib.h>

#include "canon.h"

#define MILLION 1000000

/* The finaliser of splitmix64: the seed must change which keys fall into a sample, not only shift
 * them. */
static uint64_t mix(uint64_t key_hash, uint64_t seed)
{
	uint64_t z = key_hash ^ (seed + UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static bool in_sample(uint64_t key_hash, uint32_t ppm, uint64_t seed)
{
	return ppm >= MILLION || mix(key_hash, seed) % MILLION < ppm;
}

bool range_has(const struct etl_range *range, uint64_t key_hash)
{
	uint64_t bucket;

	switch (range->kind) {
	case ETL_RANGE_SAMPLE:
		return in_sample(key_hash, range->ppm, range->seed);
	case ETL_RANGE_BUCKETS:
		if (range->of == 0)
			return false;
		bucket = key_hash % range->of;
		return bucket >= range->first && bucket - range->first < range->count;
	default:
		return true;
	}
}

static void add_row(struct etl_digest *to, uint64_t row_hash)
{
	to->rows++;
	to->sum += row_hash;
}

void digest_row(struct digest *d, uint64_t key_hash, uint64_t row_hash, uint32_t ppm, uint64_t seed)
{
	if (!in_sample(key_hash, ppm, seed))
		return;
	add_row(&d->total, row_hash);
	add_row(&d->buckets[key_hash % ETL_BUCKETS], row_hash);
}

bool digest_batch(struct digest *d, struct canon *c, const struct ArrowArray *batch, uint32_t ppm,
		  uint64_t seed)
{
	uint64_t *keys = malloc(((size_t)batch->length + 1) * 2 * sizeof(*keys));
	uint64_t *rows = keys ? keys + batch->length : NULL;
	bool ok = keys && canon_batch(c, batch, keys, rows);

	for (int64_t i = 0; ok && i < batch->length; i++)
		digest_row(d, keys[i], rows[i], ppm, seed);
	free(keys);
	return ok;
}

void digest_subtract(struct digest *from, const struct digest *d)
{
	from->total.rows -= d->total.rows;
	from->total.sum -= d->total.sum;
	for (size_t i = 0; i < ETL_BUCKETS; i++) {
		from->buckets[i].rows -= d->buckets[i].rows;
		from->buckets[i].sum -= d->buckets[i].sum;
	}
}

void digest_add(struct digest *to, const struct digest *d)
{
	to->total.rows += d->total.rows;
	to->total.sum += d->total.sum;
	for (size_t i = 0; i < ETL_BUCKETS; i++) {
		to->buckets[i].rows += d->buckets[i].rows;
		to->buckets[i].sum += d->buckets[i].sum;
	}
}
