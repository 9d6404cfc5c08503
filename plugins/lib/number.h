/*
 * Decimal numbers as they are written, digit by digit: the middle between texts, floats, decimals and
 * numerics of any size, so that no conversion passes through a type that rounds.
 */
#ifndef LIB_NUMBER_H
#define LIB_NUMBER_H

#include "spell.h"

/* 0.DDDD × 10^(point - first) where D are the digits first .. last-1; zero when first == last. */
struct number {
	bool negative;
	const char *whole, *part; /* the digits before and after the written point */
	int64_t whole_size, part_size;
	int64_t point;	     /* index of the first digit after the true point */
	int64_t first, last; /* the digits between leading and trailing zeros */
};

/* Strict: an optional sign, digits with at most one point, an optional exponent; nothing else. */
bool etl_number_parse(struct number *, const char *text, size_t size);

/* NULL, or a code of etl_convert. */
const char *etl_number_int64(const struct number *, int64_t *ret);
const char *etl_number_decimal(const struct number *, int32_t precision, int32_t scale,
			       etl_i128 *ret);
/* Only when V printed with as many digits is the same number again. */
const char *etl_number_double(const struct number *, double *ret);
const char *etl_number_float(const struct number *, float *ret);
/* Without exponent and leading zeros; the decimals stay as they were written. The caller frees. */
const char *etl_number_text(const struct number *, struct etl_text *);

#endif
