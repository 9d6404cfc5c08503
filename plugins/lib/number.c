/* See number.h. */
#include "config.h"

#include <math.h>
#include <stdlib.h>

#include "number.h"

#define EXPONENT_MAX 16384 /* places: what a numeric written out may grow to */
#define PROOF_DIGITS 40	   /* significant digits up to which a float is proved to be the number */

static char digit_at(const struct number *n, int64_t i)
{
	return i < n->whole_size ? n->whole[i] : n->part[i - n->whole_size];
}

static int64_t total(const struct number *n)
{
	return n->whole_size + n->part_size;
}

static const char *read_digits(const char *at, const char *end)
{
	while (at < end && *at >= '0' && *at <= '9')
		at++;
	return at;
}

/* "e-12" at AT to END, which it must reach. */
static bool read_exponent(const char *at, const char *end, int64_t *ret)
{
	bool negative;
	int64_t v = 0;

	at++;
	negative = at < end && *at == '-';
	if (at < end && (*at == '-' || *at == '+'))
		at++;
	if (at == end || read_digits(at, end) != end)
		return false;
	for (; at < end; at++)
		if (v < INT32_MAX)
			v = v * 10 + (*at - '0');
	*ret = negative ? -v : v;
	return true;
}

bool etl_number_parse(struct number *n, const char *text, size_t size)
{
	const char *at = text, *end = text + size;
	int64_t exponent = 0;

	memset(n, 0, sizeof(*n));
	n->negative = at < end && *at == '-';
	if (at < end && (*at == '-' || *at == '+'))
		at++;
	n->whole = at;
	at = read_digits(at, end);
	n->whole_size = at - n->whole;
	n->part = at;
	if (at < end && *at == '.') {
		n->part = ++at;
		at = read_digits(at, end);
		n->part_size = at - n->part;
	}
	if (total(n) == 0)
		return false;
	if (at < end && ((*at != 'e' && *at != 'E') || !read_exponent(at, end, &exponent)))
		return false;
	n->point = n->whole_size + exponent;
	n->last = total(n);
	while (n->first < n->last && digit_at(n, n->first) == '0')
		n->first++;
	while (n->last > n->first && digit_at(n, n->last - 1) == '0')
		n->last--;
	return true;
}

/* The digits first .. end-1 as a whole number, zeros behind the written ones; at most 38 of them. */
static etl_u128 gather(const struct number *n, int64_t end)
{
	etl_u128 v = 0;

	for (int64_t i = n->first; i < end; i++)
		v = v * 10 + (unsigned)(i < n->last ? digit_at(n, i) - '0' : 0);
	return v;
}

const char *etl_number_int64(const struct number *n, int64_t *ret)
{
	uint64_t limit = (uint64_t)INT64_MAX + n->negative;
	etl_u128 v;

	if (n->first == n->last) {
		*ret = 0;
		return NULL;
	}
	if (n->last > n->point)
		return "too_precise";
	if (n->point - n->first > 19)
		return "out_of_range";
	v = gather(n, n->point);
	if (v > limit)
		return "out_of_range";
	*ret = (int64_t)(n->negative ? (uint64_t)0 - (uint64_t)v : (uint64_t)v);
	return NULL;
}

const char *etl_number_decimal(const struct number *n, int32_t precision, int32_t scale,
			       etl_i128 *ret)
{
	etl_i128 v;

	if (n->first == n->last) {
		*ret = 0;
		return NULL;
	}
	if (n->point - n->first > precision - scale)
		return "out_of_range";
	if (n->last - n->point > scale)
		return "too_precise";
	v = (etl_i128)gather(n, n->point + scale);
	*ret = n->negative ? -v : v;
	return NULL;
}

/* Whether V, printed with as many digits as N has, is N. */
static bool is_number(const struct number *n, double v)
{
	char digits[64];
	int64_t count = n->last - n->first;
	int exponent;

	etl_double_digits(v, (int)count, digits, &exponent);
	for (int64_t i = 0; i < count; i++)
		if (digits[i] != digit_at(n, n->first + i))
			return false;
	return exponent == n->point - n->last;
}

/* "DDDDe-3", which every locale reads alike. BUF holds PROOF_DIGITS and an exponent. */
static const char *plain_digits(const struct number *n, char *buf)
{
	int64_t exponent = n->point - n->last;
	char *at = buf;

	if (n->last - n->first > PROOF_DIGITS)
		return "too_precise";
	if (exponent > EXPONENT_MAX || exponent < -EXPONENT_MAX)
		return "out_of_range";
	for (int64_t i = n->first; i < n->last; i++)
		*at++ = digit_at(n, i);
	*at++ = 'e';
	at[etl_spell_int(at, exponent)] = '\0';
	return NULL;
}

const char *etl_number_double(const struct number *n, double *ret)
{
	char buf[PROOF_DIGITS + 32];
	const char *code;
	double v = 0;

	if (n->first < n->last) {
		code = plain_digits(n, buf);
		if (code)
			return code;
		v = strtod(buf, NULL);
		if (!isfinite(v) || v == 0)
			return "out_of_range";
		if (!is_number(n, v))
			return "too_precise";
	}
	*ret = n->negative ? -v : v;
	return NULL;
}

const char *etl_number_float(const struct number *n, float *ret)
{
	char buf[PROOF_DIGITS + 32];
	const char *code;
	float v = 0;

	if (n->first < n->last) {
		code = plain_digits(n, buf);
		if (code)
			return code;
		v = strtof(buf, NULL);
		if (!isfinite(v) || v == 0)
			return "out_of_range";
		if (!is_number(n, (double)v))
			return "too_precise";
	}
	*ret = n->negative ? -v : v;
	return NULL;
}

static void add_places(const struct number *n, int64_t from, int64_t to, struct etl_text *t)
{
	for (int64_t i = from; i < to; i++) {
		char c = i >= 0 && i < total(n) ? digit_at(n, i) : '0';

		etl_text_add_bytes(t, &c, 1);
	}
}

const char *etl_number_text(const struct number *n, struct etl_text *t)
{
	int64_t start = n->first < n->point ? n->first : n->point;

	if (n->point > total(n) + EXPONENT_MAX || n->point < -EXPONENT_MAX)
		return "out_of_range";
	if (n->negative && n->first < n->last)
		etl_text_add(t, "-");
	if (n->first == n->last || start == n->point)
		etl_text_add(t, "0");
	else
		add_places(n, start, n->point, t);
	if (total(n) > n->point) {
		etl_text_add(t, ".");
		add_places(n, n->point, total(n), t);
	}
	return t->failed ? "no_memory" : NULL;
}
