/*
 * Constants. All but the simplest are quoted, so that the server reads them as the type they meet: a number keeps its
 * digits, and no arithmetic stands between. What would break a line is written as an escape.
 */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>

#include "literal.h"
#include "spell.h"

static bool is_control(unsigned char c)
{
	return c < 0x20 || c == 0x7f;
}

static bool needs_escapes(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (is_control((unsigned char)text[i]))
			return true;
	return false;
}

bool literal_add_text(struct etl_text *sql, const char *text, size_t size)
{
	bool escapes = needs_escapes(text, size);

	if (size && memchr(text, 0, size))
		return false;
	etl_text_add(sql, escapes ? "E'" : "'");
	for (size_t i = 0; i < size; i++) {
		if (escapes && is_control((unsigned char)text[i])) {
			etl_text_addf(sql, "\\x%02x", (unsigned char)text[i]);
			continue;
		}
		if (text[i] == '\'' || (escapes && text[i] == '\\'))
			etl_text_add_bytes(sql, &text[i], 1);
		etl_text_add_bytes(sql, &text[i], 1);
	}
	etl_text_add(sql, "'");
	return true;
}

static void add_hex(struct etl_text *sql, const uint8_t *bytes, int64_t size)
{
	etl_text_add(sql, "'\\x");
	for (int64_t i = 0; i < size; i++)
		etl_text_addf(sql, "%02x", bytes[i]);
	etl_text_add(sql, "'");
}

/* Years have no sign at the server: what is before the year 1 ends with BC. */
static void add_moment(struct etl_text *sql, const char *spelled)
{
	char *rest;
	long year = strtol(spelled, &rest, 10);

	etl_text_addf(sql, "'%04ld%s%s'", year > 0 ? year : 1 - year, rest, year > 0 ? "" : " BC");
}

static bool add_bytes(struct etl_text *sql, const struct etl_column_view *c, int64_t row)
{
	int64_t size;
	const uint8_t *bytes = etl_get_bytes(c, row, &size);

	if (c->type.type != ETL_BYTES)
		return literal_add_text(sql, (const char *)bytes, (size_t)size);
	add_hex(sql, bytes, size);
	return true;
}

bool literal_add(struct etl_text *sql, const struct etl_column_view *c, int64_t row)
{
	char buf[SPELL_MAX];

	if (etl_is_null(c, row)) {
		etl_text_add(sql, "NULL");
		return true;
	}
	if (c->width == 0)
		return add_bytes(sql, c, row);
	switch (c->type.type) {
	case ETL_BOOL:
		etl_text_add(sql, etl_get_bool(c, row) ? "true" : "false");
		return true;
	case ETL_DATE:
	case ETL_TIMESTAMP:
	case ETL_INSTANT:
		etl_spell_fixed(buf, c, row);
		add_moment(sql, buf);
		return true;
	case ETL_INT16:
	case ETL_INT32:
	case ETL_INT64:
	case ETL_DECIMAL:
		etl_spell_fixed(buf, c, row);
		etl_text_add(sql, buf);
		return true;
	default:
		etl_spell_fixed(buf, c, row);
		etl_text_addf(sql, "'%s'", buf);
		return true;
	}
}
