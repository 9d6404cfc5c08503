/*
 * Values into SQLite and out of it. What SQLite has no type for goes in as the text that its own functions
 * understand (dates, times) or as a number where a number says the same; a column that passes through comes
 * back in its type from exactly that.
 */
#include "config.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "number.h"
#include "sql.h"

#define REAL_DIGITS   15 /* decimal digits that every float64 gives back */
#define MICROS	      INT64_C(1000000)
#define LARGEST_POWER 22 /* of ten, that a float64 holds exactly */
#define SHOWN_BYTES   64 /* of a value, in a sentence */

static void read_whole(struct sql_value *v, int64_t whole)
{
	v->kind = SQLITE_INTEGER;
	v->whole = whole;
}

static void read_real(struct sql_value *v, double real)
{
	v->is_nan = isnan(real);
	v->kind = v->is_nan ? SQLITE_NULL : SQLITE_FLOAT;
	v->real = real;
}

static void read_text(struct sql_value *v, const void *bytes, int64_t size)
{
	v->kind = SQLITE_TEXT;
	v->bytes = bytes;
	v->size = size;
}

static void read_spelled(struct sql_value *v, const struct etl_column_view *c, int64_t row)
{
	read_text(v, v->scratch, (int64_t)etl_spell_fixed(v->scratch, c, row));
}

/* 2024-02-29T23:59:59.500000Z: of one width, so that texts sort as instants do. */
static void read_instant(struct sql_value *v, int64_t micros)
{
	int64_t rest = micros % MICROS;
	size_t n;

	rest += rest < 0 ? MICROS : 0;
	n = etl_spell_timestamp(v->scratch, micros - rest, false);
	v->scratch[n - sizeof("23:59:59")] = 'T';
	n += (size_t)snprintf(v->scratch + n, SPELL_MAX - n, ".%06" PRId64 "Z", rest);
	read_text(v, v->scratch, (int64_t)n);
}

/* A whole number when it has no decimals by its type, else a REAL when it has few enough digits for one: 5.00 is
 * 5.0, so that a division by 2 is 2.5. */
static void read_decimal(struct sql_value *v, const struct etl_column_view *c, int64_t row)
{
	etl_i128 decimal = etl_decimal_get(etl_get_fixed(c, row));
	double power = 1;

	if (c->type.scale == 0 && decimal >= INT64_MIN && decimal <= INT64_MAX) {
		read_whole(v, (int64_t)decimal);
		return;
	}
	if (c->type.scale <= LARGEST_POWER && decimal > -INT64_C(1000000000000000) &&
	    decimal < INT64_C(1000000000000000)) {
		for (int32_t i = 0; i < c->type.scale; i++)
			power *= 10;
		read_real(v, (double)(int64_t)decimal / power);
		return;
	}
	read_spelled(v, c, row);
}

static void read_numeric(struct sql_value *v, const uint8_t *bytes, int64_t size)
{
	struct number n;
	int64_t whole;
	double real;

	read_text(v, bytes, size);
	if (!etl_number_parse(&n, (const char *)bytes, (size_t)size))
		return;
	if (n.part_size == 0 && !etl_number_int64(&n, &whole))
		read_whole(v, whole);
	else if (n.last - n.first <= REAL_DIGITS && !etl_number_double(&n, &real))
		read_real(v, real);
}

static void read_any(struct sql_value *v, const uint8_t *bytes, int64_t size)
{
	int64_t whole;
	double real;

	if (size == 9 && bytes[0] == ETL_ANY_INT) {
		memcpy(&whole, bytes + 1, 8);
		read_whole(v, whole);
	} else if (size == 9 && bytes[0] == ETL_ANY_REAL) {
		memcpy(&real, bytes + 1, 8);
		read_real(v, real);
	} else if (size > 0) {
		read_text(v, bytes + 1, size - 1);
		v->kind = bytes[0] == ETL_ANY_TEXT ? SQLITE_TEXT : SQLITE_BLOB;
	}
}

static void read_bytes(struct sql_value *v, const struct etl_column_view *c, int64_t row)
{
	int64_t size;
	const uint8_t *bytes = etl_get_bytes(c, row, &size);

	switch (c->type.type) {
	case ETL_ANY:
		read_any(v, bytes, size);
		break;
	case ETL_NUMERIC:
		read_numeric(v, bytes, size);
		break;
	case ETL_BYTES:
		read_text(v, bytes, size);
		v->kind = SQLITE_BLOB;
		break;
	default:
		read_text(v, bytes, size);
		break;
	}
}

void sql_value_read(struct sql_value *v, const struct etl_column_view *c, int64_t row)
{
	v->kind = SQLITE_NULL;
	v->is_nan = false;
	if (etl_is_null(c, row))
		return;
	switch (c->type.type) {
	case ETL_BOOL:
		read_whole(v, etl_get_bool(c, row));
		break;
	case ETL_INT16:
		read_whole(v, etl_get_int16(c, row));
		break;
	case ETL_INT32:
		read_whole(v, etl_get_int32(c, row));
		break;
	case ETL_INT64:
		read_whole(v, etl_get_int64(c, row));
		break;
	case ETL_FLOAT32:
		read_real(v, (double)etl_get_float32(c, row));
		break;
	case ETL_FLOAT64:
		read_real(v, etl_get_float64(c, row));
		break;
	case ETL_DECIMAL:
		read_decimal(v, c, row);
		break;
	case ETL_INSTANT:
		read_instant(v, etl_get_int64(c, row));
		break;
	case ETL_DATE:
	case ETL_TIME:
	case ETL_TIMESTAMP:
	case ETL_UUID:
		read_spelled(v, c, row);
		break;
	default:
		read_bytes(v, c, row);
		break;
	}
}

/* ---- Out ---- */

/* The value with its tag before it, as an `any` has it. */
static const uint8_t *tagged(struct sql_out *out, char tag, const void *bytes, size_t size)
{
	if (size + 1 > out->room) {
		size_t room = (size + 1) * 2;
		uint8_t *more = realloc(out->bytes, room);

		if (!more)
			return NULL;
		out->bytes = more;
		out->room = room;
	}
	out->bytes[0] = (uint8_t)tag;
	if (size)
		memcpy(out->bytes + 1, bytes, size);
	return out->bytes;
}

/* One tagged value as a column of its own. */
struct single {
	struct etl_column_view view;
	int32_t offsets[2];
};

static bool make_single(struct single *ret, struct sql_out *out, char tag, const void *bytes,
			size_t size)
{
	*ret = (struct single){ .view = { .type = { .type = ETL_ANY } },
				.offsets = { 0, (int32_t)size + 1 } };
	ret->view.offsets = ret->offsets;
	ret->view.bytes = tagged(out, tag, bytes, size);
	return ret->view.bytes;
}

static const char *put_converted(struct sql_out *out, struct etl_column_builder *to, char tag,
				 const void *bytes, size_t size)
{
	struct single one;

	return make_single(&one, out, tag, bytes, size) ? etl_convert(to, &one.view, 0) :
							  "no_memory";
}

static const char *put_plain(bool done)
{
	return done ? NULL : "no_memory";
}

static const char *put_whole(struct sql_out *out, struct etl_column_builder *to, int64_t whole)
{
	if (to->type.type == ETL_ANY)
		return put_plain(etl_put_any(to, ETL_ANY_INT, &whole, 8));
	if (to->type.type != ETL_INT64)
		return put_converted(out, to, ETL_ANY_INT, &whole, 8);
	etl_put_int64(to, whole);
	return NULL;
}

static const char *put_real(struct sql_out *out, struct etl_column_builder *to, double real)
{
	if (to->type.type == ETL_ANY)
		return put_plain(etl_put_any(to, ETL_ANY_REAL, &real, 8));
	if (to->type.type != ETL_FLOAT64)
		return put_converted(out, to, ETL_ANY_REAL, &real, 8);
	etl_put_float64(to, real);
	return NULL;
}

static const char *put_bytes(struct sql_out *out, struct etl_column_builder *to, char tag,
			     const void *bytes, size_t size)
{
	if (!bytes && size > 0)
		return "no_memory";
	if (size >= INT32_MAX)
		return "too_big";
	if (to->type.type == ETL_ANY)
		return put_plain(etl_put_any(to, tag, bytes, (int64_t)size));
	if (tag == ETL_ANY_TEXT && to->type.type == ETL_TEXT)
		return etl_utf8_valid(bytes, size) < size ?
			       "invalid_utf8" :
			       put_plain(etl_put_bytes(to, bytes, (int64_t)size));
	return put_converted(out, to, tag, bytes, size);
}

const char *sql_put(struct sql_out *out, struct etl_column_builder *to, sqlite3_stmt *stmt, int at)
{
	const void *bytes;

	switch (sqlite3_column_type(stmt, at)) {
	case SQLITE_NULL:
		etl_put_null(to);
		return NULL;
	case SQLITE_INTEGER:
		return put_whole(out, to, sqlite3_column_int64(stmt, at));
	case SQLITE_FLOAT:
		return put_real(out, to, sqlite3_column_double(stmt, at));
	case SQLITE_TEXT:
		bytes = sqlite3_column_text(stmt, at);
		return put_bytes(out, to, ETL_ANY_TEXT, bytes,
				 (size_t)sqlite3_column_bytes(stmt, at));
	default:
		bytes = sqlite3_column_blob(stmt, at);
		return put_bytes(out, to, ETL_ANY_BLOB, bytes,
				 (size_t)sqlite3_column_bytes(stmt, at));
	}
}

static bool read_single(struct single *ret, struct sql_out *out, sqlite3_stmt *stmt, int at)
{
	int64_t whole = sqlite3_column_int64(stmt, at);
	double real = sqlite3_column_double(stmt, at);
	size_t size;

	switch (sqlite3_column_type(stmt, at)) {
	case SQLITE_INTEGER:
		return make_single(ret, out, ETL_ANY_INT, &whole, 8);
	case SQLITE_FLOAT:
		return make_single(ret, out, ETL_ANY_REAL, &real, 8);
	case SQLITE_TEXT:
		size = (size_t)sqlite3_column_bytes(stmt, at);
		if (size > SHOWN_BYTES)
			size = etl_utf8_valid(sqlite3_column_text(stmt, at), SHOWN_BYTES);
		return make_single(ret, out, ETL_ANY_TEXT, sqlite3_column_text(stmt, at), size);
	default:
		size = (size_t)sqlite3_column_bytes(stmt, at);
		return make_single(ret, out, ETL_ANY_BLOB, sqlite3_column_blob(stmt, at),
				   size < SHOWN_BYTES ? size : SHOWN_BYTES);
	}
}

void sql_add_value(struct etl_text *text, struct sql_out *out, sqlite3_stmt *stmt, int at)
{
	struct single one;

	if (!read_single(&one, out, stmt, at)) {
		text->failed = true;
		return;
	}
	etl_text_add_value(text, &one.view, 0);
	if (sqlite3_column_bytes(stmt, at) > SHOWN_BYTES)
		etl_text_addf(text, "… (%d bytes)", sqlite3_column_bytes(stmt, at));
}

void sql_out_free(struct sql_out *out)
{
	free(out->bytes);
	*out = (struct sql_out){ 0 };
}
