/*
 * One SQLite value into one column. The value's storage class meets the wanted type: equal ones are copied,
 * everything else goes through etl_convert, which refuses what would not survive.
 */
#include "config.h"

#include "read.h"

#define WORDS_MAX 60 /* bytes of a value that a sentence shows */

/* A view of the one value V, which must not be NULL nor text. */
struct one {
	int64_t integer;
	double real;
	int32_t offsets[2];
	struct etl_column_view view;
};

static void look(struct one *one, sqlite3_value *v)
{
	memset(one, 0, sizeof(*one));
	switch (sqlite3_value_type(v)) {
	case SQLITE_INTEGER:
		one->integer = sqlite3_value_int64(v);
		one->view.type.type = ETL_INT64;
		one->view.width = 8;
		one->view.values = (const uint8_t *)&one->integer;
		break;
	case SQLITE_FLOAT:
		one->real = sqlite3_value_double(v);
		one->view.type.type = ETL_FLOAT64;
		one->view.width = 8;
		one->view.values = (const uint8_t *)&one->real;
		break;
	default:
		one->view.bytes = sqlite3_value_blob(v);
		one->offsets[1] = sqlite3_value_bytes(v);
		one->view.type.type = ETL_BYTES;
		one->view.offsets = one->offsets;
		break;
	}
}

static void little_endian(uint8_t to[8], uint64_t bits)
{
	int i;

	for (i = 0; i < 8; i++)
		to[i] = (uint8_t)(bits >> (8 * i));
}

static const char *put_any(struct etl_column_builder *b, sqlite3_value *v, int type)
{
	uint8_t bytes[8];
	uint64_t bits;
	double real;
	const void *p;
	bool ok;

	switch (type) {
	case SQLITE_INTEGER:
		little_endian(bytes, (uint64_t)sqlite3_value_int64(v));
		ok = etl_put_any(b, ETL_ANY_INT, bytes, 8);
		break;
	case SQLITE_FLOAT:
		real = sqlite3_value_double(v);
		memcpy(&bits, &real, 8);
		little_endian(bytes, bits);
		ok = etl_put_any(b, ETL_ANY_REAL, bytes, 8);
		break;
	case SQLITE_TEXT:
		p = sqlite3_value_text(v);
		ok = p && etl_put_any(b, ETL_ANY_TEXT, p, sqlite3_value_bytes(v));
		break;
	default:
		p = sqlite3_value_blob(v);
		ok = etl_put_any(b, ETL_ANY_BLOB, p, sqlite3_value_bytes(v));
		break;
	}
	return ok ? NULL : "no_memory";
}

static const char *put_text(struct etl_column_builder *b, sqlite3_value *v)
{
	const char *text = (const char *)sqlite3_value_text(v);
	int size = sqlite3_value_bytes(v);

	if (!text)
		return "no_memory";
	if (etl_utf8_valid(text, (size_t)size) != (size_t)size)
		return b->type.type == ETL_BYTES ? "type" : "invalid_utf8";
	if (b->type.type == ETL_TEXT)
		return etl_put_bytes(b, text, size) ? NULL : "no_memory";
	return etl_convert_text(b, text, (size_t)size);
}

static const char *put_blob(struct etl_column_builder *b, sqlite3_value *v)
{
	const void *p = sqlite3_value_blob(v);

	return etl_put_bytes(b, p, sqlite3_value_bytes(v)) ? NULL : "no_memory";
}

static const char *put_converted(struct etl_column_builder *b, sqlite3_value *v)
{
	struct one one;

	look(&one, v);
	return etl_convert(b, &one.view, 0);
}

/* Surrogates without their other half, or half a unit. */
bool value_is_torn(sqlite3_value *v, bool little_endian)
{
	const unsigned char *p;
	int n, at, high = little_endian ? 1 : 0;

	if (sqlite3_value_type(v) != SQLITE_TEXT)
		return false;
	p = sqlite3_value_blob(v);
	n = p ? sqlite3_value_bytes16(v) : 0;
	for (at = 0; at + 1 < n; at += 2) {
		int kind = p[at + high] & 0xfc;

		if (kind == 0xdc)
			return true;
		if (kind != 0xd8)
			continue;
		at += 2;
		if (at + 1 >= n || (p[at + high] & 0xfc) != 0xdc)
			return true;
	}
	return n % 2 != 0;
}

int64_t value_size(sqlite3_value *v)
{
	switch (sqlite3_value_type(v)) {
	case SQLITE_NULL:
		return 0;
	case SQLITE_INTEGER:
	case SQLITE_FLOAT:
		return 8;
	default:
		return sqlite3_value_bytes(v);
	}
}

const char *value_put(struct etl_column_builder *b, sqlite3_value *v)
{
	int type = sqlite3_value_type(v);

	if (type == SQLITE_NULL) {
		etl_put_null(b);
		return NULL;
	}
	if (b->type.type == ETL_ANY)
		return put_any(b, v, type);
	if (type == SQLITE_TEXT)
		return put_text(b, v);
	if (type == SQLITE_INTEGER && b->type.type == ETL_INT64) {
		etl_put_int64(b, sqlite3_value_int64(v));
		return NULL;
	}
	if (type == SQLITE_FLOAT && b->type.type == ETL_FLOAT64) {
		etl_put_float64(b, sqlite3_value_double(v));
		return NULL;
	}
	if (type == SQLITE_BLOB && b->type.type == ETL_BYTES)
		return put_blob(b, v);
	return put_converted(b, v);
}

/* A text as a rejects file keeps it: exactly, valid or not. */
static void add_text(struct etl_text *to, sqlite3_value *v)
{
	const uint8_t *text = sqlite3_value_text(v);
	int32_t offsets[2] = { 0, sqlite3_value_bytes(v) };
	struct etl_column_view view = { .type = { .type = ETL_TEXT },
					.offsets = offsets,
					.bytes = text ? text : (const uint8_t *)"" };

	etl_text_add_json_exact(to, &view, 0);
}

void value_add_json(struct etl_text *to, sqlite3_value *v, int64_t limit)
{
	int type = sqlite3_value_type(v);
	struct one one;

	if (type == SQLITE_NULL) {
		etl_text_add(to, "null");
	} else if (value_size(v) > limit) {
		etl_text_addf(to, "{\"$size\":%lld}", (long long)value_size(v));
	} else if (type == SQLITE_TEXT) {
		add_text(to, v);
	} else {
		look(&one, v);
		etl_text_add_json_exact(to, &one.view, 0);
	}
}

void value_add_words(struct etl_text *to, sqlite3_value *v)
{
	static const char *const names[] = { [SQLITE_INTEGER] = "integer",
					     [SQLITE_FLOAT] = "real",
					     [SQLITE_TEXT] = "text",
					     [SQLITE_BLOB] = "blob" };
	int type = sqlite3_value_type(v);
	struct etl_text json = { 0 };

	if (type == SQLITE_NULL) {
		etl_text_add(to, "NULL");
		return;
	}
	value_add_json(&json, v, WORDS_MAX);
	etl_text_addf(to, "%s %s", names[type], json.at ? json.at : "");
	etl_text_free(&json);
}
