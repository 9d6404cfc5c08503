/*
 * Minimum and maximum: a text of the pipeline, read once as the column's type reads it, and how a value stands
 * to it. Numbers of any kind are compared as they are written, digit by digit where two machine words will
 * not do, so a bound of 0.1 is 0.1.
 */
#include "config.h"

#include <math.h>

#include "moment.h"
#include "number.h"
#include "rules.h"

static bool is_moment(int32_t type)
{
	return type == ETL_DATE || type == ETL_TIMESTAMP || type == ETL_INSTANT;
}

static bool make_moment(const char *text, struct rules_bound *ret)
{
	struct moment moment;

	if (!etl_moment_parse(&moment, text, strlen(text)))
		return false;
	ret->kind = BOUND_MOMENT;
	ret->days = moment.days;
	ret->micros = moment.micros - moment.zone * 1000000;
	ret->timed = moment.timed;
	return true;
}

static bool make_number(const char *text, struct rules_bound *ret)
{
	struct number number;

	if (!etl_number_parse(&number, text, strlen(text)))
		return false;
	ret->kind = BOUND_NUMBER;
	ret->is_whole = !etl_number_int64(&number, &ret->whole);
	return true;
}

static bool make_time(const char *text, struct rules_bound *ret)
{
	struct moment moment;

	if (!etl_moment_parse_time(&moment, text, strlen(text)))
		return false;
	ret->kind = BOUND_TIME;
	ret->micros = moment.micros;
	return true;
}

bool rules_bound_make(const char *text, int32_t type, struct rules_bound *ret)
{
	*ret = (struct rules_bound){ .kind = BOUND_TEXT, .text = text };
	if (type == ETL_TEXT)
		return true;
	if (is_moment(type))
		return make_moment(text, ret);
	if (type == ETL_TIME)
		return make_time(text, ret);
	if (type == ETL_ANY || type == ETL_TYPE_NONE)
		return make_number(text, ret) || make_moment(text, ret) || true;
	return type >= ETL_INT16 && type <= ETL_NUMERIC && make_number(text, ret);
}

/* ---- Comparing ---- */

static int sign_of(int64_t a, int64_t b)
{
	return a < b ? -1 : a > b;
}

static char digit_at(const struct number *n, int64_t i)
{
	if (i < n->first || i >= n->last)
		return '0';
	return i < n->whole_size ? n->whole[i] : n->part[i - n->whole_size];
}

/* Without their signs; digits are counted from the one before the point. */
static int compare_digits(const struct number *a, const struct number *b)
{
	int64_t above_a = a->point - a->first, above_b = b->point - b->first;
	int64_t digits = a->last - a->first > b->last - b->first ? a->last - a->first :
								   b->last - b->first;

	if (a->first == a->last || b->first == b->last)
		return (a->first != a->last) - (b->first != b->last);
	if (above_a != above_b)
		return above_a < above_b ? -1 : 1;
	for (int64_t i = 0; i < digits; i++) {
		char x = digit_at(a, a->first + i), y = digit_at(b, b->first + i);

		if (x != y)
			return x < y ? -1 : 1;
	}
	return 0;
}

static int compare_written(const struct number *a, const struct number *b)
{
	bool minus_a = a->negative && a->first != a->last,
	     minus_b = b->negative && b->first != b->last;

	if (minus_a != minus_b)
		return minus_a ? -1 : 1;
	return minus_a ? compare_digits(b, a) : compare_digits(a, b);
}

static bool compare_number(const struct value *v, const struct rules_bound *bound, int *ret)
{
	struct number a, b;
	char spelled[SPELL_MAX];
	const char *text = spelled;
	size_t size;

	if (v->form == FORM_INT && bound->is_whole) {
		*ret = sign_of(v->whole, bound->whole);
		return true;
	}
	if ((v->form == FORM_DOUBLE || v->form == FORM_FLOAT) && isinf(v->real)) {
		*ret = v->real < 0 ? -1 : 1;
		return true;
	}
	if (v->form > FORM_TEXT || v->form == FORM_BOOL)
		return false;
	if (v->form == FORM_NUMERIC || v->form == FORM_TEXT) {
		text = (const char *)v->bytes;
		size = (size_t)v->size;
	} else {
		size = etl_value_spell(spelled, v);
	}
	if (!etl_number_parse(&a, text, size) ||
	    !etl_number_parse(&b, bound->text, strlen(bound->text)))
		return false;
	*ret = compare_written(&a, &b);
	return true;
}

#define MICROS_DAY INT64_C(86400000000)

/* Micros within their day. */
static void carry(int64_t *days, int64_t *micros)
{
	int64_t more = *micros / MICROS_DAY - (*micros % MICROS_DAY < 0);

	*days += more;
	*micros -= more * MICROS_DAY;
}

/* A bound without a time of day is the whole day. */
static int compare_day(int64_t days, int64_t micros, const struct rules_bound *bound)
{
	int64_t bound_days = bound->days, bound_micros = bound->micros;

	if (!bound->timed)
		return sign_of(days, bound_days);
	carry(&days, &micros);
	carry(&bound_days, &bound_micros);
	return days != bound_days ? sign_of(days, bound_days) : sign_of(micros, bound_micros);
}

static bool compare_moment(const struct value *v, const struct rules_bound *bound, int *ret)
{
	struct moment moment;

	int64_t days = 0, micros = v->whole;

	switch (v->form) {
	case FORM_DATE:
		*ret = compare_day(v->whole, 0, bound);
		return true;
	case FORM_TIMESTAMP:
	case FORM_INSTANT:
		carry(&days, &micros);
		*ret = compare_day(days, micros, bound);
		return true;
	case FORM_TEXT:
		if (!etl_moment_parse(&moment, (const char *)v->bytes, (size_t)v->size))
			return false;
		*ret = compare_day(moment.days, moment.micros - moment.zone * 1000000, bound);
		return true;
	default:
		return false;
	}
}

static bool compare_time(const struct value *v, const struct rules_bound *bound, int *ret)
{
	struct moment moment = { .micros = v->whole };

	if (v->form == FORM_TEXT &&
	    !etl_moment_parse_time(&moment, (const char *)v->bytes, (size_t)v->size))
		return false;
	if (v->form != FORM_TEXT && v->form != FORM_TIME)
		return false;
	*ret = sign_of(moment.micros, bound->micros);
	return true;
}

/* By their bytes: of UTF-8 that is the order of the code points. */
static bool compare_text(const struct value *v, const struct rules_bound *bound, int *ret)
{
	size_t length = strlen(bound->text), size = (size_t)v->size;

	if (v->form != FORM_TEXT)
		return false;
	*ret = memcmp(v->bytes, bound->text, size < length ? size : length);
	if (*ret == 0)
		*ret = size < length ? -1 : size > length;
	return true;
}

bool rules_bound_compare(const struct value *v, const struct rules_bound *bound, int *ret)
{
	switch (bound->kind) {
	case BOUND_NUMBER:
		return compare_number(v, bound, ret);
	case BOUND_MOMENT:
		return compare_moment(v, bound, ret);
	case BOUND_TIME:
		return compare_time(v, bound, ret);
	default:
		return compare_text(v, bound, ret);
	}
}
