/*
 * Values as JSON. Numbers keep their digits, a real its shortest text, a date is ISO 8601, bytes are base64; what JSON has no word for
 * (NaN, a text that is no Unicode) is refused with the row, never bent. Where a filter made the value when it was read, the
 * filter's inverse makes it again.
 */
#include "config.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "../lib/json.h"
#include "number.h"
#include "target.h"
#include "value.h"

#define CELL_HEAD 5     /* a kind, and the size in four bytes of this machine: the stage is read where it was written */

void json_cell_write(struct etl_text *to, const struct cell *cell)
{
	if (cell->kind == CELL_TEXT)
		etl_text_add_json(to, cell->text, cell->size);
	else if (cell->kind == CELL_NULL)
		etl_text_add(to, "null");
	else
		etl_text_add_bytes(to, cell->text, cell->size);
}

static void add_cell(struct etl_text *to, enum cell_kind kind, const char *text, size_t size)
{
	uint32_t bytes = (uint32_t)size;
	char head[CELL_HEAD] = { (char)kind };

	memcpy(head + 1, &bytes, sizeof(bytes));
	etl_text_add_bytes(to, head, sizeof(head));
	etl_text_add_bytes(to, text, size);
}

bool json_cells_read(struct cell *cells, size_t count, const void *body, size_t size)
{
	const char *at = body, *end = at + size;

	for (size_t i = 0; i < count; i++) {
		uint32_t bytes;

		if (end - at < CELL_HEAD)
			return false;
		memcpy(&bytes, at + 1, sizeof(bytes));
		if ((size_t)(end - at) - CELL_HEAD < bytes)
			return false;
		cells[i].size = bytes;
		cells[i].kind = *at;
		cells[i].text = at + CELL_HEAD;
		at += CELL_HEAD + cells[i].size;
	}
	return at == end;
}

/* ---- Values of each form ------------------------------------------------------------------------------------------ */

static const char *refuse(struct cell_maker *m, const char *code, const char *format, const char *text, size_t size)
{
	char some[64];

	snprintf(some, sizeof(some), "%.*s", (int)(size < 60 ? size : 60), text);
	snprintf(m->reason, sizeof(m->reason), format, some);
	return code;
}

static void add_base64(struct etl_text *t, const uint8_t *bytes, int64_t size)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (int64_t i = 0; i < size; i += 3) {
		uint32_t group = (uint32_t)bytes[i] << 16 | (i + 1 < size ? (uint32_t)bytes[i + 1] << 8 : 0u) |
				 (i + 2 < size ? bytes[i + 2] : 0u);
		char four[4] = { digits[group >> 18], digits[group >> 12 & 63],
				 i + 1 < size ? digits[group >> 6 & 63] : '=', i + 2 < size ? digits[group & 63] : '=' };

		etl_text_add_bytes(t, four, sizeof(four));
	}
}

static const char *no_number(struct cell_maker *m, const char *word, struct cell *ret)
{
	if (m->nonfinite == JSON_NONFINITE_ERROR)
		return refuse(m, "not_finite",
			      "JSON has no number for %s; nonfinite = \"null\" or \"text\" writes it as such", word,
			      strlen(word));
	*ret = (struct cell){ m->nonfinite == JSON_NONFINITE_TEXT ? CELL_TEXT : CELL_NULL, word, strlen(word) };
	if (ret->kind == CELL_NULL)
		ret->size = 0;
	return NULL;
}

/* A real has a point or an exponent, so that it is one too when it is read again. */
static const char *real_cell(struct cell_maker *m, const struct value *v, char *buf, struct cell *ret)
{
	size_t size = v->form == FORM_FLOAT ? etl_spell_float(buf, (float)v->real) : etl_spell_double(buf, v->real);

	if (isnan(v->real))
		return no_number(m, "NaN", ret);
	if (isinf(v->real))
		return no_number(m, v->real < 0 ? "-Infinity" : "Infinity", ret);
	if (!strpbrk(buf, ".e")) {
		memcpy(buf + size, ".0", 3);
		size += 2;
	}
	*ret = (struct cell){ CELL_JSON, buf, size };
	return NULL;
}

static const char *numeric_cell(struct cell_maker *m, const struct value *v, struct cell *ret)
{
	const char *text = (const char *)v->bytes;
	size_t size = (size_t)v->size;

	if (size == 3 && memcmp(text, "NaN", 3) == 0)
		return no_number(m, "NaN", ret);
	if (size >= 8 && memcmp(text + size - 8, "Infinity", 8) == 0)
		return no_number(m, *text == '-' ? "-Infinity" : "Infinity", ret);
	*ret = (struct cell){ CELL_JSON, text, size };
	return NULL;
}

static const char *text_cell(struct cell_maker *m, const struct value *v, struct cell *ret)
{
	const char *text = (const char *)v->bytes;
	size_t size = (size_t)v->size, valid = v->trusted ? size : etl_utf8_valid(text, size);

	if (valid != size)
		return refuse(m, "invalid_utf8", "a text that is no valid UTF-8 cannot stand in JSON; it begins with \"%s\"", text,
			      valid);
	*ret = (struct cell){ CELL_TEXT, text, size };
	return NULL;
}

static const char *bytes_cell(struct cell_maker *m, const struct value *v, struct cell *ret)
{
	add_base64(&m->text, v->bytes, v->size);
	*ret = (struct cell){ CELL_TEXT, m->text.at ? m->text.at : "", m->text.length };
	return m->text.failed ? "no_memory" : NULL;
}

static const char *json_cell(struct cell_maker *m, const char *text, size_t size, struct cell *ret)
{
	if (etl_utf8_valid(text, size) != size || !etl_json_valid(text, size))
		return refuse(m, "not_json", "the column is to be written as JSON, and this text is none: %s", text, size);
	m->text.length = 0;
	json_text_compact(&m->text, text, size);
	*ret = (struct cell){ CELL_JSON, m->text.at ? m->text.at : "", m->text.length };
	return m->text.failed ? "no_memory" : NULL;
}

static const char *spelled_cell(const struct value *v, char *buf, struct cell *ret)
{
	size_t size = etl_value_spell(buf, v);

	if ((v->form == FORM_TIMESTAMP || v->form == FORM_INSTANT) && size > 10) {
		char *space = memchr(buf, ' ', size);

		if (space)
			*space = 'T';
	}
	*ret = (struct cell){ v->form == FORM_INT || v->form == FORM_DECIMAL ? CELL_JSON : CELL_TEXT, buf, size };
	return NULL;
}

static const char *plain_cell(struct cell_maker *m, const struct value *v, char *buf, struct cell *ret)
{
	switch (v->form) {
	case FORM_BOOL:
		*ret = (struct cell){ CELL_JSON, v->whole ? "true" : "false", v->whole ? 4 : 5 };
		return NULL;
	case FORM_DOUBLE:
	case FORM_FLOAT:
		return real_cell(m, v, buf, ret);
	case FORM_NUMERIC:
		return numeric_cell(m, v, ret);
	case FORM_TEXT:
		return text_cell(m, v, ret);
	case FORM_JSON:
		return json_cell(m, (const char *)v->bytes, (size_t)v->size, ret);
	case FORM_BYTES:
		return bytes_cell(m, v, ret);
	default:
		return spelled_cell(v, buf, ret);
	}
}

/* ---- As what the pipeline wants it written ---------------------------------------------------------------------------- */

static bool is(const struct cell *c, const char *word)
{
	return c->size == strlen(word) && memcmp(c->text, word, c->size) == 0;
}

static const char *as_bool(struct cell_maker *m, struct cell *c)
{
	bool yes = is(c, "1") || is(c, "true"), no = is(c, "0") || is(c, "false");

	if (!yes && !no)
		return refuse(m, "not_a_bool", "the column is to be written as true or false, and \"%s\" is neither", c->text,
			      c->size);
	*c = (struct cell){ CELL_JSON, yes ? "true" : "false", yes ? 4 : 5 };
	return NULL;
}

/* A text that JSON would take for a number as it stands. */
static const char *as_number(struct cell_maker *m, struct cell *c)
{
	if (c->kind == CELL_JSON)
		return NULL;
	if (c->size == 0 || !strchr("-0123456789", *c->text) || !etl_json_valid(c->text, c->size))
		return refuse(m, "not_a_number", "the column is to be written as a number, and \"%s\" is none", c->text,
			      c->size);
	c->kind = CELL_JSON;
	return NULL;
}

static const char *take_form(struct cell_maker *m, int32_t form, struct cell *c)
{
	switch (form) {
	case WANT_JSON:
		return c->kind == CELL_TEXT ? json_cell(m, c->text, c->size, c) : NULL;
	case WANT_BOOL:
		return as_bool(m, c);
	case WANT_NUMBER:
		return as_number(m, c);
	case WANT_TEXT:
		c->kind = CELL_TEXT;
		return NULL;
	default:
		return NULL;
	}
}

/* ---- What was done to it when it was read ------------------------------------------------------------------------------- */

static const char *undo_plus(struct cell_maker *m, const struct filter *f, struct cell *c)
{
	struct filter minus = *f;
	struct json_value v = { .state = VALUE_TEXT, .text = c->text, .size = c->size };
	const char *code;

	minus.number = -f->number;
	code = c->kind == CELL_TEXT ? json_filter_apply(&minus, &v, &m->work) : NULL;
	if (code)
		return code;
	if (c->kind != CELL_TEXT || v.state != VALUE_TEXT)
		return refuse(m, "not_a_timestamp", "the filter plus cannot be taken back: \"%s\" is no date or time", c->text,
			      c->size);
	*c = (struct cell){ CELL_TEXT, v.text, v.size };
	return NULL;
}

/* A pair of `map` the other way round. Its text is a text; true and false are what they say. */
static void undo_map(const struct json_column *from, struct cell *c)
{
	for (size_t i = 0; i + 1 < from->map_count; i += 2) {
		const char *text = from->map[i];

		if (!is(c, from->map[i + 1]))
			continue;
		*c = (struct cell){ CELL_TEXT, text, strlen(text) };
		if (is(c, "true") || is(c, "false"))
			c->kind = CELL_JSON;
		return;
	}
}

static const char *undo(struct cell_maker *m, const struct placing *p, struct cell *c)
{
	const char *code = NULL;

	if (p->from && p->from->map_count)
		undo_map(p->from, c);
	for (size_t i = p->take && p->rank == RANK_INVERSE ? p->take->filter_count : 0; !code && i-- > 0;) {
		if (json_filter_is(&p->take->filters[i], "plus"))
			code = undo_plus(m, &p->take->filters[i], c);
	}
	return code;
}

const char *json_cell_make(struct cell_maker *m, const struct placing *p, const struct etl_column_view *view, int64_t row,
			   struct etl_text *to)
{
	struct cell cell = { CELL_NULL, "", 0 };
	char buf[SPELL_MAX + 4];
	struct value v;
	const char *code = NULL;

	m->text.length = 0;
	json_pool_reset(&m->work.pool);
	if (!etl_is_null(view, row)) {
		if (!etl_value_read(&v, view, row))
			return refuse(m, "type", "a value of no type%s", "", 0);
		code = plain_cell(m, &v, buf, &cell);
		if (!code && cell.kind != CELL_NULL)
			code = take_form(m, p->wanted, &cell);
		if (!code && cell.kind != CELL_NULL)
			code = undo(m, p, &cell);
	}
	if (!code && p->splice && cell.kind != CELL_NULL && *cell.text != '{')
		code = refuse(m, "not_an_object", "its members are to be members of an object, and it is none: %s", cell.text,
			      cell.size);
	if (!code)
		add_cell(to, (enum cell_kind)cell.kind, cell.text, cell.size);
	return code ? code : to->failed ? "no_memory" : NULL;
}
