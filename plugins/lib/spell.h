/*
 * The one spelling of every value: what text conversion writes, what messages and JSON show. Nothing here
 * depends on the locale.
 */
#ifndef LIB_SPELL_H
#define LIB_SPELL_H

#include <etlrun/helpers.h>

__extension__ typedef __int128 etl_i128;
__extension__ typedef unsigned __int128 etl_u128;

#define SPELL_MAX 400 /* bytes that any fixed-width value fits, with its NUL */

/* Each writes a NUL-terminated text of at most SPELL_MAX bytes and returns its length. */
size_t etl_spell_int(char *buf, int64_t v);
size_t etl_spell_decimal(char *buf, etl_i128 v, int32_t scale);
/* The shortest decimal that reads back as the same float64 (or float32): 0.1, 12, 1e+300, NaN, -Infinity. */
size_t etl_spell_double(char *buf, double v);
size_t etl_spell_float(char *buf, float v);
/* 2024-02-29; years beyond 9999 and before 0 have a sign. */
size_t etl_spell_date(char *buf, int64_t days);
/* 23:59:59.5: as many decimals as it has. */
size_t etl_spell_time(char *buf, int64_t micros);
/* 2024-02-29 23:59:59, with Z for an instant. */
size_t etl_spell_timestamp(char *buf, int64_t micros, bool instant);
size_t etl_spell_uuid(char *buf, const uint8_t v[16]);

/* V with DIGITS significant digits (1 .. 40) as an integer text in DIGIT and the power of ten of its last
 * one; V is finite. */
void etl_double_digits(double v, int digits, char *digit, int *ret_exponent);

etl_i128 etl_decimal_get(const uint8_t *little_endian);

/* The text of a column's fixed-width value (no any, text, bytes); 0 for a type that has no such spelling. */
size_t etl_spell_fixed(char *buf, const struct etl_column_view *, int64_t row);

#endif
