/*
 * A growing text, for SQL, messages and reports: whoever writes checks once, at the end, whether memory
 * sufficed. Names, literals, JSON and values are quoted here and nowhere else.
 */
#include "config.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "spell.h"

void etl_text_free(struct etl_text *t)
{
	free(t->at);
	memset(t, 0, sizeof(*t));
}

/* Room for SIZE more bytes and the NUL. */
static bool reserve(struct etl_text *t, size_t size)
{
	size_t room = t->room > 0 ? t->room : 64;
	char *at;

	if (t->failed)
		return false;
	if (t->room - t->length > size)
		return true;
	while (room - t->length <= size && room <= SIZE_MAX / 2)
		room *= 2;
	at = room - t->length > size ? realloc(t->at, room) : NULL;
	if (!at) {
		t->failed = true;
		return false;
	}
	t->at = at;
	t->room = room;
	return true;
}

void etl_text_add_bytes(struct etl_text *t, const void *bytes, size_t size)
{
	if (!reserve(t, size))
		return;
	if (size > 0)
		memcpy(t->at + t->length, bytes, size);
	t->length += size;
	t->at[t->length] = '\0';
}

void etl_text_add(struct etl_text *t, const char *text)
{
	etl_text_add_bytes(t, text, strlen(text));
}

void etl_text_addf(struct etl_text *t, const char *format, ...)
{
	va_list args;
	int size;

	va_start(args, format);
	size = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (size < 0) {
		t->failed = true;
		return;
	}
	if (!reserve(t, (size_t)size))
		return;
	va_start(args, format);
	vsnprintf(t->at + t->length, (size_t)size + 1, format, args);
	va_end(args);
	t->length += (size_t)size;
}

/* TEXT with every CLOSE doubled. */
static void add_doubled(struct etl_text *t, const char *text, char close)
{
	for (const char *at = text; *at; at++) {
		if (*at == close)
			etl_text_add_bytes(t, &close, 1);
		etl_text_add_bytes(t, at, 1);
	}
}

void etl_text_add_name(struct etl_text *t, const char *name, char quote)
{
	char close = quote == '[' ? ']' : quote;

	etl_text_add_bytes(t, &quote, 1);
	add_doubled(t, name, close);
	etl_text_add_bytes(t, &close, 1);
}

void etl_text_add_literal(struct etl_text *t, const char *text)
{
	etl_text_add(t, "'");
	add_doubled(t, text, '\'');
	etl_text_add(t, "'");
}

/* Bytes of the well-formed sequence at AT (Unicode table 3-7), or 0. */
static size_t utf8_sequence(const uint8_t *at, size_t size)
{
	uint8_t lead = at[0], low = 0x80, high = 0xbf;
	size_t need;

	if (lead < 0x80)
		return 1;
	if (lead < 0xc2 || lead > 0xf4)
		return 0;
	need = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
	if (lead == 0xe0)
		low = 0xa0;
	else if (lead == 0xed)
		high = 0x9f;
	else if (lead == 0xf0)
		low = 0x90;
	else if (lead == 0xf4)
		high = 0x8f;
	if (size < need || at[1] < low || at[1] > high)
		return 0;
	for (size_t i = 2; i < need; i++)
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	return need;
}

size_t etl_utf8_valid(const void *bytes, size_t size)
{
	const uint8_t *at = bytes;
	size_t done = 0, step;
	uint64_t word;

	while (done < size) {
		if (size - done >= 8) {
			memcpy(&word, at + done, 8);
			if ((word & UINT64_C(0x8080808080808080)) == 0) {
				done += 8;
				continue;
			}
		}
		step = utf8_sequence(at + done, size - done);
		if (step == 0)
			break;
		done += step;
	}
	return done;
}

static void add_json_ascii(struct etl_text *t, char c)
{
	static const char named[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
	const char *at = c ? strchr(named, c) : NULL;

	if (at)
		etl_text_addf(t, "\\%c", letters[at - named]);
	else if ((uint8_t)c < 0x20 || c == 0x7f)
		etl_text_addf(t, "\\u%04x", (unsigned)(uint8_t)c);
	else
		etl_text_add_bytes(t, &c, 1);
}

/* How many bytes stand in JSON as they are: ASCII that is neither quoted nor a control. */
static size_t plain_run(const uint8_t *at, size_t size)
{
	size_t n = 0;

	while (n < size && at[n] >= 0x20 && at[n] < 0x7f && at[n] != '"' && at[n] != '\\')
		n++;
	return n;
}

void etl_text_add_json(struct etl_text *t, const char *text, size_t size)
{
	const uint8_t *bytes = (const uint8_t *)text;

	etl_text_add(t, "\"");
	for (size_t i = 0; i < size;) {
		size_t plain = plain_run(bytes + i, size - i), step;

		etl_text_add_bytes(t, text + i, plain);
		i += plain;
		if (i == size)
			break;
		step = utf8_sequence(bytes + i, size - i);
		if (step == 0)
			etl_text_add(t, "\xef\xbf\xbd");
		else if (step == 1)
			add_json_ascii(t, text[i]);
		else
			etl_text_add_bytes(t, text + i, step);
		i += step > 0 ? step : 1;
	}
	etl_text_add(t, "\"");
}

void etl_text_add_config(struct etl_text *t, const char *text)
{
	etl_text_add(t, "\"");
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			etl_text_add(t, "\\");
		if (c < 0x20 || c == 0x7f)
			etl_text_addf(t, "\\x%02x", (unsigned)c);
		else
			etl_text_add_bytes(t, text, 1);
	}
	etl_text_add(t, "\"");
}

static void add_hex(struct etl_text *t, const uint8_t *bytes, int64_t size)
{
	static const char digits[] = "0123456789abcdef";

	for (int64_t i = 0; i < size; i++) {
		char pair[2] = { digits[bytes[i] >> 4], digits[bytes[i] & 15] };

		etl_text_add_bytes(t, pair, 2);
	}
}

/* 'text' for a person: quotes doubled, what is not UTF-8 as U+FFFD, and a NUL, at which a message would end, as its
 * symbol. */
static void add_quoted(struct etl_text *t, const uint8_t *bytes, int64_t size)
{
	etl_text_add(t, "'");
	for (int64_t i = 0; i < size;) {
		size_t step = utf8_sequence(bytes + i, (size_t)(size - i));

		if (step == 0)
			etl_text_add(t, "\xef\xbf\xbd");
		else if (bytes[i] == '\0')
			etl_text_add(t, "\xe2\x90\x80");
		else
			etl_text_add_bytes(t, bytes + i, step);
		if (bytes[i] == '\'')
			etl_text_add(t, "'");
		i += step > 0 ? (int64_t)step : 1;
	}
	etl_text_add(t, "'");
}

static void add_blob(struct etl_text *t, const uint8_t *bytes, int64_t size, bool json)
{
	etl_text_add(t, json ? "{\"hex\": \"" : "x'");
	add_hex(t, bytes, size);
	etl_text_add(t, json ? "\"}" : "'");
}

static void add_string(struct etl_text *t, const uint8_t *bytes, int64_t size, bool json)
{
	if (json)
		etl_text_add_json(t, (const char *)bytes, (size_t)size);
	else
		add_quoted(t, bytes, size);
}

static void add_real(struct etl_text *t, double v, bool single, bool json)
{
	char buf[SPELL_MAX];
	size_t size = single ? etl_spell_float(buf, (float)v) : etl_spell_double(buf, v);

	if (json && !isfinite(v))
		etl_text_add_json(t, buf, size);
	else
		etl_text_add_bytes(t, buf, size);
}

static void add_any(struct etl_text *t, const uint8_t *bytes, int64_t size, bool json)
{
	char buf[SPELL_MAX];
	int64_t whole;
	double real;

	if (size == 9 && bytes[0] == ETL_ANY_INT) {
		memcpy(&whole, bytes + 1, 8);
		etl_text_add_bytes(t, buf, etl_spell_int(buf, whole));
	} else if (size == 9 && bytes[0] == ETL_ANY_REAL) {
		memcpy(&real, bytes + 1, 8);
		add_real(t, real, false, json);
	} else if (size > 0 && bytes[0] == ETL_ANY_TEXT) {
		add_string(t, bytes + 1, size - 1, json);
	} else {
		add_blob(t, bytes + (size > 0), size - (size > 0), json);
	}
}

static void add_variable(struct etl_text *t, const struct etl_column_view *c, int64_t row,
			 bool json)
{
	int64_t size;
	const uint8_t *bytes = etl_get_bytes(c, row, &size);

	if (c->type.type == ETL_ANY)
		add_any(t, bytes, size, json);
	else if (c->type.type == ETL_BYTES)
		add_blob(t, bytes, size, json);
	else if (c->type.type == ETL_NUMERIC)
		etl_text_add_bytes(t, bytes, (size_t)size);
	else
		add_string(t, bytes, size, json);
}

static void add_value(struct etl_text *t, const struct etl_column_view *c, int64_t row, bool json)
{
	bool plain = !json || c->type.type == ETL_BOOL || c->type.type == ETL_DECIMAL ||
		     (c->type.type >= ETL_INT16 && c->type.type <= ETL_INT64);
	char buf[SPELL_MAX];
	size_t size;

	if (etl_is_null(c, row)) {
		etl_text_add(t, json ? "null" : "NULL");
	} else if (c->width == 0) {
		add_variable(t, c, row, json);
	} else if (c->type.type == ETL_FLOAT64) {
		add_real(t, etl_get_float64(c, row), false, json);
	} else if (c->type.type == ETL_FLOAT32) {
		add_real(t, (double)etl_get_float32(c, row), true, json);
	} else {
		size = etl_spell_fixed(buf, c, row);
		if (plain)
			etl_text_add_bytes(t, buf, size);
		else
			etl_text_add_json(t, buf, size);
	}
}

void etl_text_add_value(struct etl_text *t, const struct etl_column_view *c, int64_t row)
{
	add_value(t, c, row, false);
}

void etl_text_add_json_value(struct etl_text *t, const struct etl_column_view *c, int64_t row)
{
	add_value(t, c, row, true);
}

void etl_text_add_json_line(struct etl_text *text, const struct etl_view *view, int64_t row)
{
	etl_text_add(text, "[");
	for (int64_t i = 0; i < view->count; i++) {
		etl_text_add(text, i > 0 ? ", " : "");
		etl_text_add_json_value(text, &view->columns[i], row);
	}
	etl_text_add(text, "]\n");
}

char *etl_text_take(struct etl_text *t)
{
	char *ret = NULL;

	if (!t->failed && reserve(t, 0)) {
		t->at[t->length] = '\0';
		ret = t->at;
		t->at = NULL;
	}
	etl_text_free(t);
	return ret;
}
