/*
 * What kinds of value a column holds, value by value: each is looked at once where it lies.
 */
#include "config.h"

#include <math.h>
#include <stdlib.h>

#include "profile.h"

#define SCALE_MAX 40 /* decimals; beyond what any decimal type of a target takes */
#define EXACT	  9007199254740992.0 /* 2^53 */

/* ---- Texts -------------------------------------------------------------------------------------------------- */

struct scanner {
	const char *at, *end;
};

static bool take(struct scanner *s, char c)
{
	if (s->at == s->end || *s->at != c)
		return false;
	s->at++;
	return true;
}

static int digits(struct scanner *s)
{
	int n = 0;

	for (; s->at < s->end && *s->at >= '0' && *s->at <= '9'; s->at++)
		n++;
	return n;
}

/* Exactly N digits; -1: they are not there. */
static int number(struct scanner *s, int n)
{
	int v = 0;

	while (n-- > 0) {
		if (s->at == s->end || *s->at < '0' || *s->at > '9')
			return -1;
		v = v * 10 + (*s->at++ - '0');
	}
	return v;
}

static int days_of(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return month == 2 && leap ? 29 : days[month - 1];
}

static bool date(struct scanner *s)
{
	int year, month, day;

	year = number(s, 4);
	if (year < 1 || !take(s, '-'))
		return false;
	month = number(s, 2);
	if (month < 1 || month > 12 || !take(s, '-'))
		return false;
	day = number(s, 2);
	return day >= 1 && day <= days_of(year, month);
}

/* hh:mm[:ss[.f]], with at most the six decimals that a timestamp keeps. */
static bool clock_time(struct scanner *s)
{
	int hour = number(s, 2), n;

	if (hour < 0 || hour > 23 || !take(s, ':'))
		return false;
	n = number(s, 2);
	if (n < 0 || n > 59)
		return false;
	if (!take(s, ':'))
		return true;
	n = number(s, 2);
	if (n < 0 || n > 59)
		return false;
	if (!take(s, '.'))
		return true;
	n = digits(s);
	return n >= 1 && n <= 6;
}

static bool zone(struct scanner *s)
{
	int hour, minute = 0;

	if (take(s, 'Z'))
		return true;
	if (!take(s, '+') && !take(s, '-'))
		return false;
	hour = number(s, 2);
	if (take(s, ':') || s->at < s->end)
		minute = number(s, 2);
	return hour >= 0 && hour <= 15 && minute >= 0 && minute <= 59;
}

/* Each text counts once: a date, a timestamp without a zone, or one with it. */
static void look_at_moment(struct etl_profile *p, const char *text, size_t size)
{
	struct scanner s = { text, text + size };

	if (!date(&s))
		return;
	if (s.at == s.end) {
		p->dates++;
		return;
	}
	if ((!take(&s, ' ') && !take(&s, 'T')) || !clock_time(&s))
		return;
	if (s.at == s.end)
		p->timestamps++;
	else if (zone(&s) && s.at == s.end)
		p->zoned++;
}

static bool is_number(const char *text, size_t size)
{
	struct scanner s = { text, text + size };
	int n;

	if (!take(&s, '-'))
		take(&s, '+');
	n = digits(&s);
	if (take(&s, '.'))
		n += digits(&s);
	if (n == 0)
		return false;
	if (take(&s, 'e') || take(&s, 'E')) {
		if (!take(&s, '-'))
			take(&s, '+');
		if (digits(&s) == 0)
			return false;
	}
	return s.at == s.end;
}

/* Eight bytes at a time: most texts are short and have no other characters. */
static bool is_ascii(const char *text, size_t size)
{
	uint64_t all = 0, eight;
	size_t i = 0;

	for (; i + sizeof(eight) <= size; i += sizeof(eight)) {
		memcpy(&eight, text + i, sizeof(eight));
		all |= eight;
	}
	for (; i < size; i++)
		all |= (unsigned char)text[i];
	return (all & UINT64_C(0x8080808080808080)) == 0;
}

/* Characters and UTF-16 units; a byte that is no UTF-8 counts as one of each. */
static void count_chars(const unsigned char *text, size_t size, int64_t *ret_chars,
			int64_t *ret_utf16)
{
	int64_t chars = 0, wide = 0;
	size_t i;

	for (i = 0; i < size; i++) {
		chars += (text[i] & 0xc0) != 0x80;
		wide += text[i] >= 0xf0;
	}
	*ret_chars = chars;
	*ret_utf16 = chars + wide;
}

static void raise_to(int64_t *most, int64_t value)
{
	if (value > *most)
		*most = value;
}

void etl_profile_text(struct etl_profile *p, const char *text, size_t size)
{
	int64_t chars = (int64_t)size, utf16 = (int64_t)size;

	p->rows++;
	p->texts++;
	if (!is_ascii(text, size)) {
		count_chars((const unsigned char *)text, size, &chars, &utf16);
		p->bad_utf8 += etl_utf8_valid(text, size) != size;
	}
	raise_to(&p->max_chars, chars);
	raise_to(&p->max_utf16, utf16);
	raise_to(&p->max_bytes, (int64_t)size);
	p->with_nul += size > 0 && memchr(text, 0, size) != NULL;
	look_at_moment(p, text, size);
	p->numeric_texts += is_number(text, size);
}

/* ---- Numbers -------------------------------------------------------------------------------------------------- */

/* V has at most SCALE decimals: a whole number below 2^53 divided by the power of ten gives it back. */
static bool fits_scale(double v, int64_t scale)
{
	static const double powers[] = { 1e0,  1e1,  1e2,  1e3,	 1e4,  1e5,  1e6,  1e7,
					 1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
					 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };
	double shifted, whole;

	if (scale >= (int64_t)(sizeof(powers) / sizeof(*powers)))
		return false;
	shifted = v * powers[scale];
	if (shifted > EXACT || shifted < -EXACT)
		return false;
	whole = (double)(int64_t)(shifted + (shifted < 0 ? -0.5 : 0.5));
	return whole / powers[scale] >= v && whole / powers[scale] <= v;
}

/* The decimals of the shortest text that gives the value back: "1.25" 2, "1e-7" 7, "1e+20" 0. */
static int64_t decimals(double v)
{
	struct etl_column_view view = { .type = { .type = ETL_FLOAT64 },
					.width = 8,
					.values = (const uint8_t *)&v };
	struct etl_text text = { 0 };
	const char *point, *e;
	int64_t n = 0;

	etl_text_add_value(&text, &view, 0);
	if (text.at) {
		point = strchr(text.at, '.');
		e = strpbrk(text.at, "eE");
		if (point && strcmp(point, ".0") != 0)
			n = (int64_t)((e ? (size_t)(e - text.at) : text.length) -
				      (size_t)(point + 1 - text.at));
		if (e)
			n -= strtol(e + 1, NULL, 10);
	}
	etl_text_free(&text);
	return n > 0 ? n : 0;
}

void etl_profile_real(struct etl_profile *p, double v)
{
	p->rows++;
	p->reals++;
	if (!isfinite(v) || p->max_scale >= SCALE_MAX || fits_scale(v, p->max_scale))
		return;
	raise_to(&p->max_scale, decimals(v));
}

void etl_profile_integer(struct etl_profile *p, int64_t v)
{
	p->rows++;
	if (p->integers == 0 || v < p->min_integer)
		p->min_integer = v;
	if (p->integers == 0 || v > p->max_integer)
		p->max_integer = v;
	p->integers++;
	p->flags01 += v == 0 || v == 1;
}

void etl_profile_null(struct etl_profile *p)
{
	p->rows++;
	p->nulls++;
}

void etl_profile_blob(struct etl_profile *p, int64_t size)
{
	p->rows++;
	p->blobs++;
	raise_to(&p->max_bytes, size);
}
