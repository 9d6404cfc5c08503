/*
 * See replay-row.h. What etl_text_add_json_exact wrote is read back to the last bit.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "json-read.h"
#include "replay-row.h"

void row_clear(struct row_members *m)
{
	for (size_t i = 0; i < m->count; i++)
		etl_text_free(&m->at[i].name);
	free(m->at);
	*m = (struct row_members){ 0 };
}

static struct row_member *add_member(struct row_members *m)
{
	if (m->count == m->room) {
		size_t room = m->room ? m->room * 2 : 16;
		struct row_member *at = realloc(m->at, room * sizeof(*at));

		if (!at)
			return NULL;
		m->at = at;
		m->room = room;
	}
	m->at[m->count] = (struct row_member){ .value = NULL };
	return &m->at[m->count++];
}

bool row_read(struct row_members *m, const char *json, size_t length)
{
	struct json j = json_start(json, length);

	json_expect(&j, '{');
	if (json_take(&j, '}'))
		return true;
	do {
		struct row_member *member = add_member(m);

		if (!member)
			return false;
		json_string(&j, &member->name);
		json_expect(&j, ':');
		member->length = json_value(&j, &member->value);
		j.bad |= member->name.failed;
	} while (json_take(&j, ','));
	json_expect(&j, '}');
	return !j.bad;
}

static const struct row_member *find(const struct row_members *m, const char *name)
{
	for (size_t i = 0; i < m->count; i++)
		if (strcmp(m->at[i].name.at, name) == 0)
			return &m->at[i];
	return NULL;
}

/* Has the row every column that the source is asked for? */
static bool is_of_source(const struct row_members *m, const struct job *job)
{
	for (int64_t i = 0; i < job->want.n_children; i++)
		if (!find(m, job->want.children[i]->name))
			return false;
	return true;
}

const struct row_member *row_find(const struct row_members *m, const struct job *job,
				  const char *column)
{
	const struct row_member *found = is_of_source(m, job) ? find(m, column) : NULL;

	for (size_t i = 0; i < job->target->column_count && !found; i++) {
		const struct etl_column *c = table_column(job->target, i);

		if (strcmp(c->origin ? c->origin : c->name, column) == 0)
			found = find(m, c->name);
	}
	return found ? found : find(m, column);
}

/* ---- Values ---- */

static int base64_digit(char c)
{
	return c >= 'A' && c <= 'Z' ? c - 'A' :
	       c >= 'a' && c <= 'z' ? c - 'a' + 26 :
	       c >= '0' && c <= '9' ? c - '0' + 52 :
	       c == '+'		    ? 62 :
	       c == '/'		    ? 63 :
				      -1;
}

static bool base64(const struct etl_text *text, struct etl_text *to)
{
	uint32_t bits = 0;
	int have = 0;

	for (size_t i = 0; i < text->length && text->at[i] != '='; i++) {
		int digit = base64_digit(text->at[i]);
		char byte;

		if (digit < 0)
			return false;
		bits = bits << 6 | (uint32_t)digit;
		have += 6;
		if (have < 8)
			continue;
		have -= 8;
		byte = (char)(bits >> have & 0xff);
		etl_text_add_bytes(to, &byte, 1);
	}
	etl_text_add(to, "");
	return !to->failed;
}

static const char *put_real(struct etl_column_builder *b, double v)
{
	uint8_t bytes[8];
	uint64_t bits;
	float single = (float)v;

	memcpy(&bits, &v, sizeof(bits));
	for (int i = 0; i < 8; i++)
		bytes[i] = (uint8_t)(bits >> (8 * i));
	if (b->type.type == ETL_ANY)
		return etl_put_any(b, ETL_ANY_REAL, bytes, 8) ? NULL : "no_memory";
	if (b->type.type == ETL_FLOAT64)
		etl_put_float64(b, v);
	else if (b->type.type == ETL_FLOAT32 && ((double)single == v || v != v))
		etl_put_fixed(b, &single);
	else
		return "type";
	return NULL;
}

static const char *put_integer(struct etl_column_builder *b, const char *digits)
{
	int64_t v = strtoll(digits, NULL, 10);
	uint8_t bytes[8];

	for (int i = 0; i < 8; i++)
		bytes[i] = (uint8_t)((uint64_t)v >> (8 * i));
	return etl_put_any(b, ETL_ANY_INT, bytes, 8) ? NULL : "no_memory";
}

static const char *put_number(struct etl_column_builder *b, const char *text, size_t length)
{
	bool real = memchr(text, '.', length) || memchr(text, 'e', length);
	char digits[64];

	if (length < sizeof(digits)) {
		memcpy(digits, text, length);
		digits[length] = '\0';
		if (b->type.type == ETL_ANY)
			return real ? put_real(b, strtod(digits, NULL)) : put_integer(b, digits);
		if (b->type.type == ETL_FLOAT32)
			return put_real(b, (double)strtof(digits, NULL));
		if (b->type.type == ETL_FLOAT64)
			return put_real(b, strtod(digits, NULL));
	}
	return etl_convert_text(b, text, length);
}

static const char *put_text(struct etl_column_builder *b, const struct etl_text *text)
{
	if (b->type.type == ETL_ANY)
		return etl_put_any(b, ETL_ANY_TEXT, text->at, (int64_t)text->length) ? NULL :
										       "no_memory";
	if (etl_utf8_valid(text->at, text->length) != text->length)
		return "invalid_utf8";
	return etl_convert_text(b, text->at, text->length);
}

static const char *put_bytes(struct etl_column_builder *b, const struct etl_text *bytes)
{
	if (b->type.type == ETL_ANY)
		return etl_put_any(b, ETL_ANY_BLOB, bytes->at, (int64_t)bytes->length) ?
			       NULL :
			       "no_memory";
	if (b->type.type != ETL_BYTES)
		return "type";
	return etl_put_bytes(b, bytes->at, (int64_t)bytes->length) ? NULL : "no_memory";
}

static const char *put_named(struct etl_column_builder *b, const char *name,
			     const struct etl_text *text)
{
	struct etl_text bytes = { 0 };
	const char *code = "type";
	uint64_t bits;
	double v;

	if (strcmp(name, "$real") == 0 && strstr(text->at, "Infinity"))
		return put_real(b, strtod(text->at, NULL));
	if (strcmp(name, "$real") == 0) {
		bits = strtoull(text->at, NULL, 16);
		memcpy(&v, &bits, sizeof(v));
		return put_real(b, v);
	}
	if (!base64(text, &bytes))
		code = bytes.failed ? "no_memory" : "type";
	else if (strcmp(name, "$bytes") == 0)
		code = put_bytes(b, &bytes);
	else if (strcmp(name, "$text") == 0)
		code = put_text(b, &bytes);
	etl_text_free(&bytes);
	return code;
}

/* An object of one member that begins with a dollar. */
static const char *put_object(struct etl_column_builder *b, struct json *j)
{
	struct etl_text name = { 0 }, text = { 0 };
	const char *code = "type";

	json_expect(j, '{');
	json_string(j, &name);
	json_expect(j, ':');
	if (json_peek(j) == '"') {
		json_string(j, &text);
		if (name.failed || text.failed)
			code = "no_memory";
		else if (!j->bad)
			code = put_named(b, name.at, &text);
	} else if (!name.failed && strcmp(name.at, "$size") == 0) {
		code = "not_kept"; /* {"$size":N}: the value itself is not there */
	}
	etl_text_free(&name);
	etl_text_free(&text);
	return code;
}

const char *row_put(struct etl_column_builder *b, const struct row_member *member)
{
	struct json j = json_start(member->value, member->length);
	struct etl_text text = { 0 };
	const char *code;

	switch (json_peek(&j)) {
	case '"':
		json_string(&j, &text);
		code = text.failed ? "no_memory" : j.bad ? "type" : put_text(b, &text);
		etl_text_free(&text);
		return code;
	case '{':
		return put_object(b, &j);
	case 'n':
		etl_put_null(b);
		return NULL;
	case 't':
	case 'f':
		return etl_convert_text(b, member->value, member->length);
	default:
		return put_number(b, member->value, member->length);
	}
}
