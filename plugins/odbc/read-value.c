/*
 * Values, from what the driver gives into the wanted type: the number, the text or the bytes without loss, or not at
 * all. What SQLite holds has a type of its own in each value, which its driver forgets; so the statement gives each as a
 * text that begins with the letter of its type (select.c), and what is text or bytes in hexadecimal digits.
 */
#include "config.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "hex.h"
#include "reading.h"

int reading_no_memory(struct reading *r)
{
	return r->inst->host->fail(r->err, ETL_MEMORY, NULL, 0, "no memory to read %s", r->what.at);
}

/* ---- Texts ----------------------------------------------------------------------------------------------- */

static bool make_room(struct reading *r, size_t room)
{
	char *grown;

	if (room <= r->room)
		return true;
	grown = realloc(r->scratch, room);
	if (!grown)
		return false;
	r->scratch = grown;
	r->room = room;
	return true;
}

/* Half a character as it would be in UTF-8, which such bytes are not: whoever looks at them says so. */
static int64_t narrow_any(char *to, const SQLWCHAR *wide, size_t units)
{
	char *at = to;

	for (size_t i = 0; i < units; i++) {
		int64_t size = odbc_narrow_into(at, wide + i, i + 1 < units ? 2 : 1);

		if (size == 4 && (wide[i] & 0xfc00) == 0xd800) {
			i++;
		} else if ((wide[i] & 0xf800) == 0xd800) {
			at[0] = (char)(0xe0 | wide[i] >> 12);
			at[1] = (char)(0x80 | (wide[i] >> 6 & 0x3f));
			at[2] = (char)(0x80 | (wide[i] & 0x3f));
			size = 3;
		} else {
			size = odbc_narrow_into(at, wide + i, 1);
		}
		at += size;
	}
	return at - to;
}

/* A text of SIZE bytes of UTF-16 into the scratch: its bytes there, or -1: no memory. *RET_WHOLE: it is all characters. */
static int64_t narrow(struct reading *r, const void *at, int64_t size, bool *ret_whole)
{
	size_t units = (size_t)size / sizeof(SQLWCHAR);
	int64_t bytes;

	if (!make_room(r, 3 * units + 4))
		return -1;
	bytes = odbc_narrow_into(r->scratch, at, units);
	*ret_whole = bytes >= 0;
	return bytes >= 0 ? bytes : narrow_any(r->scratch, at, units);
}

/* ---- Values of SQLite ------------------------------------------------------------------------------------ */

/* Digits into bytes, in their own place. */
static size_t unhex(char *text, size_t digits)
{
	for (size_t i = 0; i + 1 < digits; i += 2)
		text[i / 2] = (char)(etl_hex_digit(text[i]) * 16 + etl_hex_digit(text[i + 1]));
	return digits / 2;
}

static bool add_number(struct etl_text *to, char tag, const void *value)
{
	etl_text_add_bytes(to, &tag, 1);
	etl_text_add_bytes(to, value, 8);
	return !to->failed;
}

static double real_of(const char *text)
{
	if (strcmp(text, "Inf") == 0 || strcmp(text, "-Inf") == 0)
		return *text == '-' ? -HUGE_VAL : HUGE_VAL;
	return strtod(text, NULL);
}

/* A text of a database in UTF-16 as UTF-8. */
static bool add_utf16(struct reading *r, const char *bytes, size_t size)
{
	size_t units = size / sizeof(SQLWCHAR);
	SQLWCHAR *wide = malloc(size + sizeof(*wide));
	char *text = malloc(3 * units + 4);
	int64_t length;

	for (size_t i = 0; wide && i < units; i++) {
		memcpy(&wide[i], bytes + i * sizeof(*wide), sizeof(*wide));
		if (r->swapped)
			wide[i] = (SQLWCHAR)(wide[i] << 8 | wide[i] >> 8);
	}
	if (wide && text) {
		length = odbc_narrow_into(text, wide, units);
		if (length < 0)
			length = narrow_any(text, wide, units);
		etl_text_add_bytes(&r->any, text, (size_t)length);
	}
	r->any.failed |= !wide || !text;
	free(wide);
	free(text);
	return !r->any.failed;
}

/* The tagged text of LENGTH bytes in the scratch. False: no memory. */
static bool add_tagged(struct reading *r, size_t length)
{
	char *text = r->scratch, tag = length ? *text : 't';
	int64_t whole;
	double real;
	size_t size;

	text[length] = 0;
	if (tag == 'i') {
		whole = strtoll(text + 1, NULL, 10);
		return add_number(&r->any, ETL_ANY_INT, &whole);
	}
	if (tag == 'f') {
		real = real_of(text + 1);
		return add_number(&r->any, ETL_ANY_REAL, &real);
	}
	etl_text_add_bytes(&r->any, tag == 'b' ? "b" : "t", 1);
	size = length ? unhex(text + 1, length - 1) : 0;
	if (tag == 't' && r->utf16)
		return add_utf16(r, text + 1, size);
	etl_text_add_bytes(&r->any, text + 1, size);
	return !r->any.failed;
}

/* ---- As they came ---------------------------------------------------------------------------------------- */

static bool add_any(struct reading *r, int32_t form, const void *at, int64_t size)
{
	bool whole;
	int64_t bytes;

	if (form == FETCH_INT)
		return add_number(&r->any, ETL_ANY_INT, at);
	if (form == FETCH_REAL)
		return add_number(&r->any, ETL_ANY_REAL, at);
	if (form == FETCH_BYTES) {
		etl_text_add(&r->any, "b");
		etl_text_add_bytes(&r->any, at, (size_t)size);
		return !r->any.failed;
	}
	bytes = narrow(r, at, size, &whole);
	if (bytes < 0)
		return false;
	if (r->inst->dialect == &odbc_sqlite)
		return add_tagged(r, (size_t)bytes);
	etl_text_add(&r->any, "t");
	etl_text_add_bytes(&r->any, r->scratch, (size_t)bytes);
	return !r->any.failed;
}

static int any_of(struct reading *r, int32_t form, const void *at, int64_t size, struct reading_any *ret)
{
	r->any.length = 0;
	if (size >= 0 && !add_any(r, form, at, size))
		return reading_no_memory(r);
	*ret = (struct reading_any){ .null = size < 0, .offsets = { 0, (int32_t)r->any.length } };
	ret->view = (struct etl_column_view){ .type = { .type = ETL_ANY },
					      .offsets = ret->offsets,
					      .bytes = (const uint8_t *)r->any.at };
	return ETL_OK;
}

int reading_any(struct reading *r, size_t i, struct reading_any *ret)
{
	const void *at;
	int64_t size;
	int rc = fetch_value(&r->fetch, i, &at, &size, r->err);

	return rc < 0 ? rc : any_of(r, r->fetch.columns[i].form, at, size, ret);
}

/* ---- Into the wanted type ---------------------------------------------------------------------------------- */

static bool put_int(struct etl_column_builder *b, const void *at)
{
	int64_t v;
	int32_t v32;
	int16_t v16;

	memcpy(&v, at, sizeof(v));
	v32 = (int32_t)v;
	v16 = (int16_t)v;
	if (b->type.type == ETL_INT64)
		etl_put_int64(b, v);
	else if (b->type.type == ETL_INT32 && v32 == v)
		etl_put_int32(b, v32);
	else if (b->type.type == ETL_INT16 && v16 == v)
		etl_put_fixed(b, &v16);
	else
		return false;
	return true;
}

static bool put_real(struct etl_column_builder *b, const void *at)
{
	double v;

	memcpy(&v, at, sizeof(v));
	if (b->type.type != ETL_FLOAT64)
		return false;
	etl_put_float64(b, v);
	return true;
}

static bool is_moment(int32_t type)
{
	return type == ETL_DATE || type == ETL_TIMESTAMP || type == ETL_INSTANT;
}

/* PostgreSQL's "0044-03-15 BC" is the year -43, and a year of more than four digits wants a sign. TO has room for 80. */
static size_t signed_year(char *to, const char *text, size_t size)
{
	bool before = size > 3 && memcmp(text + size - 3, " BC", 3) == 0;
	char *rest;
	long year = strtol(text, &rest, 10);
	size_t left = size - (size_t)(rest - text) - (before ? 3 : 0);

	if (rest == text || *rest != '-' || left > 60 || (!before && year <= 9999))
		return 0;
	if (before)
		year = 1 - year;
	return (size_t)snprintf(to, 80, "%s%04ld%.*s", year < 0 ? "-" : "+", year < 0 ? -year : year, (int)left, rest);
}

static const char *put_special(struct etl_column_builder *b, const char *text, size_t size, const char *code)
{
	const char *word = text + (size > 0 && *text == '-');
	char moment[80];
	size_t length;

	if (strcasecmp(word, "infinity") == 0)
		return "infinity";
	if (!is_moment(b->type.type))
		return code;
	length = signed_year(moment, text, size);
	return length ? etl_convert_text(b, moment, length) : code;
}

static const char *put_text(struct reading *r, struct etl_column_builder *b, const void *at, int64_t size)
{
	bool whole;
	const char *code;
	int64_t bytes = narrow(r, at, size, &whole);

	if (bytes < 0)
		return "no_memory";
	if (!whole)
		return "invalid_utf16";
	if (b->type.type == ETL_TEXT || b->type.type == ETL_JSON)
		return etl_put_bytes(b, r->scratch, bytes) ? NULL : "no_memory";
	r->scratch[bytes] = 0;
	code = etl_convert_text(b, r->scratch, (size_t)bytes);
	return code && r->inst->dialect == &odbc_postgresql ? put_special(b, r->scratch, (size_t)bytes, code) : code;
}

static int put_any(struct reading *r, struct etl_column_builder *b, int32_t form, const void *at, int64_t size,
		   const char **ret_code)
{
	struct reading_any any;
	int rc = any_of(r, form, at, size, &any);

	if (rc == ETL_OK)
		*ret_code = etl_convert(b, &any.view, 0);
	return rc;
}

/* The usual kinds go straight in, the others as what they are. */
static int put_value(struct reading *r, struct etl_column_builder *b, int32_t form, const void *at, int64_t size,
		     const char **ret_code)
{
	if ((form == FETCH_INT && put_int(b, at)) || (form == FETCH_REAL && put_real(b, at)))
		return ETL_OK;
	if (form == FETCH_BYTES && b->type.type == ETL_BYTES) {
		*ret_code = etl_put_bytes(b, at, size) ? NULL : "no_memory";
		return ETL_OK;
	}
	if (form == FETCH_TEXT && r->inst->dialect != &odbc_sqlite) {
		*ret_code = put_text(r, b, at, size);
		return ETL_OK;
	}
	return put_any(r, b, form, at, size, ret_code);
}

int reading_put(struct reading *r, struct etl_column_builder *b, size_t i, int64_t *left, const char **ret_code)
{
	const void *at;
	int64_t size;
	int rc = fetch_value(&r->fetch, i, &at, &size, r->err);

	if (rc < 0)
		return rc;
	*ret_code = NULL;
	if (size < 0) {
		if (r->want.children[i]->flags & ARROW_FLAG_NULLABLE)
			etl_put_null(b);
		else
			*ret_code = "not_null";
		return ETL_OK;
	}
	r->bytes += size;
	*left -= size;
	if (*left < 0) {
		*ret_code = "max_row";
		return ETL_OK;
	}
	return put_value(r, b, r->fetch.columns[i].form, at, size, ret_code);
}
