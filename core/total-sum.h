/*
 * Sums of which nothing is lost: of integers and decimals in 128 bits, which go over into decimal digits before they
 * would overflow, and of numerics in digits from the start.
 */
#ifndef CORE_TOTAL_SUM_H
#define CORE_TOTAL_SUM_H

#include <etlrun/helpers.h>

#include "../plugins/lib/number.h"

/* A number without a sign, in limbs of nine decimal digits; the limb I of them stands for 10^(9 × (low + I)). */
struct big_number {
	uint64_t *limbs;
	int64_t low;
	size_t count;
};

/* Zero-initialised it is 0, of integers; FAILED is set once when memory ran out and stays. */
struct exact_sum {
	etl_i128 small; /* of values without SCALE decimals, beside the digits */
	int32_t scale;
	struct big_number plus, minus;
	bool nan, up, down; /* a NaN and infinities were among them */
	bool failed;
};

void exact_sum_add(struct exact_sum *, etl_i128 v);
/* A decimal text, or NaN, Infinity, -Infinity. */
void exact_sum_add_text(struct exact_sum *, const char *text, size_t size);
void exact_sum_merge(struct exact_sum *to, const struct exact_sum *from);
/* Without needless zeros; a failed sum fails the text. */
void exact_sum_spell(struct exact_sum *, struct etl_text *);
void exact_sum_free(struct exact_sum *);

/* Below, equal, above: -1, 0, 1. */
int number_compare(const struct number *, const struct number *);
/* The same number without needless zeros, a needless point or "-0". */
void number_spell(const struct number *, struct etl_text *);

#endif
