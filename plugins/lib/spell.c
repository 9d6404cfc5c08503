/*
 * Values as text.
 *
 * printf writes the locale's decimal point, so floats are printed in the exponent form and only the digits
 * are taken from it; they are read back as "DIGITSeEXPONENT", which has no point in any locale.
 */
#include "config.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "spell.h"

#define MICROS_PER_DAY INT64_C(86400000000)
#define POSITIONAL_MIN (-5) /* floats from 1e-5 … */
#define POSITIONAL_MAX 16   /* … below 1e16 are written without an exponent */

static size_t copy(char *buf, const char *text)
{
	size_t size = strlen(text);

	memcpy(buf, text, size + 1);
	return size;
}

static size_t spell_u128(char *buf, etl_u128 v)
{
	uint64_t low;
	char digits[40];
	size_t n = 0;

	for (; v > UINT64_MAX; v /= 10)
		digits[n++] = (char)('0' + (int)(v % 10));
	low = (uint64_t)v;
	do
		digits[n++] = (char)('0' + (int)(low % 10));
	while (low /= 10);
	for (size_t i = 0; i < n; i++)
		buf[i] = digits[n - 1 - i];
	buf[n] = '\0';
	return n;
}

size_t etl_spell_int(char *buf, int64_t v)
{
	size_t sign = v < 0;

	if (sign)
		*buf = '-';
	return sign + spell_u128(buf + sign, sign ? (uint64_t)0 - (uint64_t)v : (uint64_t)v);
}

size_t etl_spell_decimal(char *buf, etl_i128 v, int32_t scale)
{
	char digits[41];
	size_t n = spell_u128(digits, v < 0 ? (etl_u128)0 - (etl_u128)v : (etl_u128)v);
	size_t point = (size_t)scale;
	char *at = buf;

	if (v < 0)
		*at++ = '-';
	if (n <= point) {
		*at++ = '0';
		if (point > 0)
			*at++ = '.';
		memset(at, '0', point - n);
		at += point - n;
		memcpy(at, digits, n);
		at += n;
	} else {
		memcpy(at, digits, n - point);
		at += n - point;
		if (point > 0) {
			*at++ = '.';
			memcpy(at, digits + n - point, point);
			at += point;
		}
	}
	*at = '\0';
	return (size_t)(at - buf);
}

void etl_double_digits(double v, int digits, char *digit, int *ret_exponent)
{
	char text[64];
	const char *e;
	int n = 0;

	snprintf(text, sizeof(text), "%.*e", digits - 1, fabs(v));
	e = strrchr(text, 'e');
	for (const char *at = text; at < e && n < digits; at++)
		if (*at >= '0' && *at <= '9')
			digit[n++] = *at;
	digit[n] = '\0';
	*ret_exponent = (int)strtol(e + 1, NULL, 10) - (n - 1);
}

/* DIGITS × 10^EXPONENT, trailing zeros dropped, positional where that is short. */
static size_t spell_digits(char *buf, bool negative, char *digits, int exponent)
{
	int n = (int)strlen(digits), first;
	char *at = buf;

	while (n > 1 && digits[n - 1] == '0') {
		n--;
		exponent++;
	}
	first = exponent + n - 1;
	if (negative)
		*at++ = '-';
	if (first < POSITIONAL_MIN || first >= POSITIONAL_MAX) {
		*at++ = digits[0];
		if (n > 1)
			*at++ = '.';
		for (int i = 1; i < n; i++)
			*at++ = digits[i];
		return (size_t)(at - buf) + (size_t)sprintf(at, "e%+03d", first);
	}
	if (first < 0)
		*at++ = '0';
	else
		for (int i = 0; i <= first; i++)
			*at++ = i < n ? digits[i] : '0';
	if (exponent < 0) {
		*at++ = '.';
		for (int i = -1; i > first; i--)
			*at++ = '0';
		for (int i = first < 0 ? 0 : first + 1; i < n; i++)
			*at++ = digits[i];
	}
	*at = '\0';
	return (size_t)(at - buf);
}

/*
 * A number with few decimals, as amounts and measures are, in a tenth of the time; 0: it is none. A whole number of at most
 * 15 digits that gives V when it is divided by a power of ten is the one decimal of so few digits that reads back as V.
 */
static size_t spell_plain(char *buf, double v)
{
	static const double powers[] = { 1, 10, 100, 1000, 10000, 100000, 1000000 };
	double size = fabs(v);

	if (!(size >= 0.001 && size < 1e9))
		return 0;
	for (int32_t scale = 0; scale < (int32_t)(sizeof(powers) / sizeof(*powers)); scale++) {
		int64_t whole = (int64_t)(size * powers[scale] + 0.5);

		if ((double)whole / powers[scale] >= size && (double)whole / powers[scale] <= size)
			return etl_spell_decimal(buf, v < 0 ? -whole : whole, scale);
	}
	return 0;
}

static size_t spell_real(char *buf, double v, int least, int most, bool single)
{
	char digits[64], again[80];
	int exponent;

	if (isnan(v))
		return copy(buf, "NaN");
	if (isinf(v))
		return copy(buf, v < 0 ? "-Infinity" : "Infinity");
	for (int n = least;; n++) {
		etl_double_digits(v, n, digits, &exponent);
		snprintf(again, sizeof(again), "%se%d", digits, exponent);
		if (n == most)
			break;
		if (single ? (double)strtof(again, NULL) == fabs(v) :
			     strtod(again, NULL) == fabs(v))
			break;
	}
	return spell_digits(buf, signbit(v), digits, exponent);
}

size_t etl_spell_double(char *buf, double v)
{
	size_t size = spell_plain(buf, v);

	return size ? size : spell_real(buf, v, 15, 17, false);
}

size_t etl_spell_float(char *buf, float v)
{
	return spell_real(buf, (double)v, 6, 9, true);
}

/* 0 to 99. */
static char *put_two(char *to, int v)
{
	to[0] = (char)('0' + v / 10);
	to[1] = (char)('0' + v % 10);
	return to + 2;
}

static size_t put_date(char *buf, int year, int month, int day)
{
	char *to = put_two(put_two(buf, year / 100), year % 100);

	*to++ = '-';
	to = put_two(to, month);
	*to++ = '-';
	to = put_two(to, day);
	*to = '\0';
	return (size_t)(to - buf);
}

/* Civil date from days since 1970, by eras of 400 years that begin in March. */
size_t etl_spell_date(char *buf, int64_t days)
{
	int64_t z = days + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153;
	int day = (int)(doy - (153 * mp + 2) / 5 + 1), month = (int)(mp < 10 ? mp + 3 : mp - 9);
	int64_t year = yoe + era * 400 + (month <= 2);
	const char *sign = year < 0 ? "-" : year > 9999 ? "+" : "";

	if (year >= 0 && year <= 9999)
		return put_date(buf, (int)year, month, day);
	return (size_t)snprintf(buf, SPELL_MAX, "%s%04lld-%02d-%02d", sign,
				(long long)(year < 0 ? -year : year), month, day);
}

static size_t put_clock(char *buf, int seconds)
{
	char *to = put_two(buf, seconds / 3600);

	*to++ = ':';
	to = put_two(to, seconds / 60 % 60);
	*to++ = ':';
	to = put_two(to, seconds % 60);
	*to = '\0';
	return (size_t)(to - buf);
}

size_t etl_spell_time(char *buf, int64_t micros)
{
	int64_t seconds = micros / 1000000, fraction = micros % 1000000;
	size_t n;

	/* A value that is no time of day is not for put_two. */
	if (micros >= 0 && seconds < 100 * 3600)
		n = put_clock(buf, (int)seconds);
	else
		n = (size_t)snprintf(buf, SPELL_MAX, "%02d:%02d:%02d", (int)(seconds / 3600), (int)(seconds / 60 % 60),
				     (int)(seconds % 60));
	if (fraction == 0)
		return n;
	n += (size_t)snprintf(buf + n, SPELL_MAX - n, ".%06d", (int)fraction);
	while (buf[n - 1] == '0')
		buf[--n] = '\0';
	return n;
}

size_t etl_spell_timestamp(char *buf, int64_t micros, bool instant)
{
	int64_t days = micros / MICROS_PER_DAY, rest = micros % MICROS_PER_DAY;
	size_t n;

	if (rest < 0) {
		rest += MICROS_PER_DAY;
		days--;
	}
	n = etl_spell_date(buf, days);
	buf[n++] = ' ';
	n += etl_spell_time(buf + n, rest);
	if (instant)
		buf[n++] = 'Z';
	buf[n] = '\0';
	return n;
}

size_t etl_spell_uuid(char *buf, const uint8_t v[16])
{
	static const char digits[] = "0123456789abcdef";
	char *at = buf;

	for (int i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*at++ = '-';
		*at++ = digits[v[i] >> 4];
		*at++ = digits[v[i] & 15];
	}
	*at = '\0';
	return (size_t)(at - buf);
}

etl_i128 etl_decimal_get(const uint8_t *little_endian)
{
	etl_i128 v;

	memcpy(&v, little_endian, 16);
	return v;
}

size_t etl_spell_fixed(char *buf, const struct etl_column_view *c, int64_t row)
{
	switch (c->type.type) {
	case ETL_BOOL:
		return copy(buf, etl_get_bool(c, row) ? "true" : "false");
	case ETL_INT16:
		return etl_spell_int(buf, etl_get_int16(c, row));
	case ETL_INT32:
		return etl_spell_int(buf, etl_get_int32(c, row));
	case ETL_INT64:
		return etl_spell_int(buf, etl_get_int64(c, row));
	case ETL_FLOAT32:
		return etl_spell_float(buf, etl_get_float32(c, row));
	case ETL_FLOAT64:
		return etl_spell_double(buf, etl_get_float64(c, row));
	case ETL_DECIMAL:
		return etl_spell_decimal(buf, etl_decimal_get(etl_get_fixed(c, row)),
					 c->type.scale);
	case ETL_DATE:
		return etl_spell_date(buf, etl_get_int32(c, row));
	case ETL_TIME:
		return etl_spell_time(buf, etl_get_int64(c, row));
	case ETL_TIMESTAMP:
	case ETL_INSTANT:
		return etl_spell_timestamp(buf, etl_get_int64(c, row), c->type.type == ETL_INSTANT);
	case ETL_UUID:
		return etl_spell_uuid(buf, etl_get_fixed(c, row));
	default:
		return 0;
	}
}
