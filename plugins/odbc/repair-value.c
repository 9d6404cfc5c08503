/*
 * Constants of a repair. Nothing in one is left to how a server or a shell reads it: a real of which its decimal digits are not
 * surely read back is a whole number times powers of two, and of a text no character ends a line, goes on with it behind a
 * backslash, or is a variable of sqlcmd.
 */
#include "config.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "repair.h"
#include "repair-sql.h"
#include "spell.h"

#define DIGITS 15 /* that every reader of numbers gets right, with few places */

/* ---- Reals ------------------------------------------------------------------------------------------------------ */

static void add_real(struct etl_text *sql, double v)
{
	char buf[40];

	snprintf(buf, sizeof(buf), "%.*g", DIGITS, v);
	if (v == 0)
		etl_text_add(sql, signbit(v) ? "(0e0 * -1e0)" : "0e0");
	else if (strtod(buf, NULL) != v || fabs(v) >= 1e15 || fabs(v) < 1e-7)
		etl_repair_add_factors(sql, v, "float(53)", "e0");
	else
		etl_text_addf(sql, "%s%s", buf, strchr(buf, 'e') ? "" : "e0");
}

/* ---- Texts ------------------------------------------------------------------------------------------------------ */

/* Characters of a text for which others stand; at most one of each. */
struct stands {
	unsigned char which[33];
	char with[33][4]; /* UTF-8, and not in the text */
	size_t count;
};

static bool is_unsafe(const uint8_t *text, int64_t at, int64_t size)
{
	return text[at] < 0x20 || (text[at] == '$' && at + 1 < size && text[at + 1] == '(');
}

static bool is_in(const uint8_t *text, int64_t size, const char *what)
{
	return memmem(text, (size_t)size, what, strlen(what)) != NULL;
}

/* A character of three bytes. */
static void spell(char *ret, unsigned code)
{
	ret[0] = (char)(0xe0 | code >> 12);
	ret[1] = (char)(0x80 | (code >> 6 & 0x3f));
	ret[2] = (char)(0x80 | (code & 0x3f));
	ret[3] = '\0';
}

/* The picture of the character for whoever reads it, else one of the private use area, from *NEXT on. */
static bool choose(struct stands *s, const uint8_t *text, int64_t size, unsigned char c, unsigned *next)
{
	char *with = s->with[s->count];

	spell(with, c < 0x20 ? 0x2400u + c : 0xff04);
	while (is_in(text, size, with)) {
		if (*next > 0xf8ff)
			return false;
		spell(with, (*next)++);
	}
	s->which[s->count++] = c;
	return true;
}

static size_t find(const struct stands *s, unsigned char c)
{
	size_t i = 0;

	while (i < s->count && s->which[i] != c)
		i++;
	return i;
}

static bool find_unsafe(struct stands *s, const uint8_t *text, int64_t size)
{
	unsigned next = 0xe000;

	for (int64_t i = 0; i < size; i++)
		if (is_unsafe(text, i, size) && find(s, text[i]) == s->count && !choose(s, text, size, text[i], &next))
			return false;
	return true;
}

/* REPLACE looks for characters as a collation compares them, which this one does by their numbers. */
static void add_replacing(struct etl_text *sql, const struct stands *s, const uint8_t *text, int64_t size)
{
	for (size_t i = 0; i < s->count; i++)
		etl_text_add(sql, "REPLACE(");
	etl_text_add(sql, s->count ? "CAST(N'" : "N'");
	for (int64_t i = 0; i < size; i++) {
		if (is_unsafe(text, i, size))
			etl_text_add(sql, s->with[find(s, text[i])]);
		else
			etl_text_add_bytes(sql, &text[i], 1);
		etl_text_add(sql, text[i] == '\'' ? "'" : "");
	}
	etl_text_add(sql, s->count ? "' AS nvarchar(max)) COLLATE Latin1_General_BIN2" : "'");
	for (size_t i = 0; i < s->count; i++)
		etl_text_addf(sql, ", N'%s', NCHAR(%d))", s->with[i], s->which[i]);
}

static bool add_text(struct etl_text *sql, const uint8_t *text, int64_t size, const char **ret_why)
{
	struct stands s = { .count = 0 };

	if (size && memchr(text, 0, (size_t)size))
		*ret_why = "a text with a NUL";
	else if (size && etl_utf8_valid(text, (size_t)size) != (size_t)size)
		*ret_why = "a text that is no UTF-8";
	else if (!find_unsafe(&s, text, size))
		*ret_why = "a text with control characters and every character that could stand for one";
	else
		add_replacing(sql, &s, text, size);
	return !*ret_why;
}

/* ---- Values ----------------------------------------------------------------------------------------------------- */

static bool add_bytes(struct etl_text *sql, const struct etl_column_view *c, int64_t row, const char **ret_why)
{
	int64_t size;
	const uint8_t *bytes = etl_get_bytes(c, row, &size);

	if (c->type.type == ETL_NUMERIC) {
		etl_text_add_bytes(sql, bytes, (size_t)size);
		return true;
	}
	if (c->type.type != ETL_BYTES)
		return add_text(sql, bytes, size, ret_why);
	etl_text_add(sql, "0x");
	for (int64_t i = 0; i < size; i++)
		etl_text_addf(sql, "%02x", bytes[i]);
	return true;
}

static const char *cast_to(int32_t type)
{
	switch (type) {
	case ETL_DATE:
		return "date";
	case ETL_TIME:
		return "time(6)";
	case ETL_TIMESTAMP:
		return "datetime2(6)";
	case ETL_INSTANT:
		return "datetimeoffset(6)";
	default:
		return "uniqueidentifier";
	}
}

/* A moment as "…T…", which no language setting reads otherwise, with its offset in figures. */
static void add_cast(struct etl_text *sql, char *spelt, int32_t type)
{
	size_t length = strlen(spelt);
	bool instant = type == ETL_INSTANT && spelt[length - 1] == 'Z';

	if (instant)
		spelt[length - 1] = '\0';
	if (strchr(spelt, ' '))
		*strchr(spelt, ' ') = 'T';
	etl_text_addf(sql, "CAST('%s%s' AS %s)", spelt, instant ? "+00:00" : "", cast_to(type));
}

static bool add_fixed(struct etl_text *sql, const struct etl_column_view *c, int64_t row, const char **ret_why)
{
	char buf[SPELL_MAX];

	if (etl_spell_fixed(buf, c, row) == 0) {
		*ret_why = "a value of a type that T-SQL has no constant for";
		return false;
	}
	/* No date before the year 1, and none after 9999. */
	if ((c->type.type == ETL_DATE || c->type.type == ETL_TIMESTAMP || c->type.type == ETL_INSTANT) &&
	    (*buf == '-' || *buf == '+' || strncmp(buf, "0000", 4) == 0)) {
		*ret_why = "a date outside of the years 1 to 9999";
		return false;
	}
	add_cast(sql, buf, c->type.type);
	return true;
}

/* As itself Babelfish makes a binary fraction of it on the way into money. */
static void add_decimal(struct etl_text *sql, const char *spelt)
{
	const char *point = strchr(spelt, '.');

	etl_text_addf(sql, "CAST('%s' AS decimal(38,%zu))", spelt, point ? strlen(point + 1) : (size_t)0);
}

static bool add_float(struct etl_text *sql, double v, const char **ret_why)
{
	if (isfinite(v))
		add_real(sql, v);
	else
		*ret_why = "a number that is not finite";
	return isfinite(v);
}

bool odbc_repair_add_value(struct etl_text *sql, const struct etl_column_view *c, int64_t row, const char **ret_why)
{
	char buf[SPELL_MAX];

	*ret_why = NULL;
	if (etl_is_null(c, row)) {
		etl_text_add(sql, "NULL");
		return true;
	}
	if (c->width == 0)
		return add_bytes(sql, c, row, ret_why);
	switch (c->type.type) {
	case ETL_BOOL:
		etl_text_add(sql, etl_get_bool(c, row) ? "1" : "0");
		return true;
	case ETL_INT16:
	case ETL_INT32:
	case ETL_INT64:
		etl_spell_fixed(buf, c, row);
		etl_text_add(sql, buf);
		return true;
	case ETL_DECIMAL:
		etl_spell_fixed(buf, c, row);
		add_decimal(sql, buf);
		return true;
	case ETL_FLOAT32:
	case ETL_FLOAT64:
		return add_float(sql, c->type.type == ETL_FLOAT32 ? (double)etl_get_float32(c, row) : etl_get_float64(c, row),
				 ret_why);
	default:
		return add_fixed(sql, c, row, ret_why);
	}
}
