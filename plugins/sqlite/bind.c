/*
 * Values on their way into SQLite: integers, reals, text and bytes as they are, by pointer; what SQLite has no
 * type for as text that sorts and reads back exactly (decimals, times, uuids).
 */
#include "config.h"

#include "pages.h"

#define DAY_US	   INT64_C(86400000000)
#define UUID_BYTES 16

__extension__ typedef unsigned __int128 etl_uint128;

static void put2(char *at, int64_t v)
{
	at[0] = (char)('0' + v / 10 % 10);
	at[1] = (char)('0' + v % 10);
}

/* YYYY-MM-DD of days since 1970 in the Gregorian calendar; false: a year outside 0000 … 9999, which
 * SQLite's own date functions do not know. */
static bool put_date(char *at, int64_t days)
{
	int64_t shifted = days + 719468; /* from 0000-03-01 */
	int64_t era, day, year, day_of_year, month;

	if (days < -719528 || days > 2932896)
		return false;
	era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
	day = shifted - era * 146097;
	year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
	day_of_year = day - (365 * year + year / 4 - year / 100);
	month = (5 * day_of_year + 2) / 153;
	year += era * 400 + (month >= 10);
	put2(at, year / 100);
	put2(at + 2, year % 100);
	at[4] = at[7] = '-';
	put2(at + 5, month < 10 ? month + 3 : month - 9);
	put2(at + 8, day_of_year - (153 * month + 2) / 5 + 1);
	return true;
}

/* HH:MM:SS, with .ffffff when there is a fraction or ALWAYS. Returns the length. */
static int put_time(char *at, int64_t us, bool always)
{
	int64_t seconds = us / 1000000, fraction = us % 1000000;

	put2(at, seconds / 3600);
	put2(at + 3, seconds / 60 % 60);
	put2(at + 6, seconds % 60);
	at[2] = at[5] = ':';
	if (!fraction && !always)
		return 8;
	at[8] = '.';
	put2(at + 9, fraction / 10000);
	put2(at + 11, fraction / 100 % 100);
	put2(at + 13, fraction % 100);
	return 15;
}

/* "2024-02-29 12:30:00[.5]"; an instant "2024-02-29T12:30:00.000000Z". 0: out of range. */
static int put_timestamp(char *at, int64_t us, bool instant)
{
	int64_t days = us / DAY_US - (us % DAY_US < 0);
	int n;

	if (!put_date(at, days))
		return 0;
	at[10] = instant ? 'T' : ' ';
	n = 11 + put_time(at + 11, us - days * DAY_US, instant);
	if (instant)
		at[n++] = 'Z';
	return n;
}

/* The decimal text of a little-endian two's complement number with SCALE digits after the point. */
static int put_decimal(char *at, const uint8_t *bytes, int32_t scale)
{
	char digits[48];
	etl_uint128 v = 0;
	bool negative = bytes[15] & 0x80;
	int n = 0, length = 0, i;

	for (i = 15; i >= 0; i--)
		v = v << 8 | bytes[i];
	if (negative)
		v = ~v + 1;
	while (v || n <= scale) {
		digits[n++] = (char)('0' + (int)(v % 10));
		v /= 10;
	}
	if (negative)
		at[length++] = '-';
	while (n > 0) {
		at[length++] = digits[--n];
		if (n == scale && n > 0)
			at[length++] = '.';
	}
	return length;
}

static int put_uuid(char *at, const uint8_t *bytes)
{
	static const char hex[] = "0123456789abcdef";
	int i, n = 0;

	for (i = 0; i < UUID_BYTES; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			at[n++] = '-';
		at[n++] = hex[bytes[i] >> 4];
		at[n++] = hex[bytes[i] & 15];
	}
	return n;
}

/* A NULL pointer would be stored as NULL, an empty text is none. */
static const char *give_bytes(struct page_value *ret, enum page_kind kind, const void *at, int64_t size)
{
	ret->kind = kind;
	ret->bytes = at && size ? at : (const uint8_t *)"";
	ret->size = (size_t)size;
	return NULL;
}

static const char *give_int(struct page_value *ret, int64_t v)
{
	ret->kind = PAGE_INT;
	ret->integer = v;
	return NULL;
}

static const char *give_real(struct page_value *ret, double v)
{
	if (v != v)
		return "out_of_range";
	ret->kind = PAGE_REAL;
	ret->real = v;
	return NULL;
}

static const char *give_any(struct page_value *ret, const uint8_t *bytes, int64_t size)
{
	int64_t integer = 0;
	double real;
	int i;

	if (size < 1)
		return "type";
	switch (bytes[0]) {
	case ETL_ANY_INT:
	case ETL_ANY_REAL:
		if (size != 9)
			return "type";
		for (i = 8; i >= 1; i--)
			integer = (int64_t)((uint64_t)integer << 8 | bytes[i]);
		if (bytes[0] == ETL_ANY_INT)
			return give_int(ret, integer);
		memcpy(&real, &integer, 8);
		return give_real(ret, real);
	case ETL_ANY_TEXT:
		return give_bytes(ret, PAGE_TEXT, bytes + 1, size - 1);
	case ETL_ANY_BLOB:
		return give_bytes(ret, PAGE_BLOB, bytes + 1, size - 1);
	default:
		return "type";
	}
}

static const char *give_formatted(struct page_value *ret, const struct etl_column_view *c, int64_t row, char *scratch)
{
	int64_t us;
	int n;

	switch (c->type.type) {
	case ETL_DECIMAL:
		n = put_decimal(scratch, etl_get_fixed(c, row), c->type.scale);
		break;
	case ETL_DATE:
		n = put_date(scratch, etl_get_int32(c, row)) ? 10 : 0;
		break;
	case ETL_TIME:
		us = etl_get_int64(c, row);
		n = us >= 0 && us <= DAY_US ? put_time(scratch, us, false) : 0;
		break;
	case ETL_TIMESTAMP:
	case ETL_INSTANT:
		n = put_timestamp(scratch, etl_get_int64(c, row), c->type.type == ETL_INSTANT);
		break;
	case ETL_UUID:
		n = put_uuid(scratch, etl_get_fixed(c, row));
		break;
	default:
		return "type";
	}
	return n ? give_bytes(ret, PAGE_TEXT, scratch, n) : "out_of_range";
}

const char *page_value_of(const struct etl_column_view *c, int64_t row, char *scratch, struct page_value *ret)
{
	const uint8_t *bytes;
	int64_t size;

	if (etl_is_null(c, row)) {
		ret->kind = PAGE_NULL;
		return NULL;
	}
	switch (c->type.type) {
	case ETL_BOOL:
		return give_int(ret, etl_get_bool(c, row));
	case ETL_INT16:
		return give_int(ret, etl_get_int16(c, row));
	case ETL_INT32:
		return give_int(ret, etl_get_int32(c, row));
	case ETL_INT64:
		return give_int(ret, etl_get_int64(c, row));
	case ETL_FLOAT32:
		return give_real(ret, (double)etl_get_float32(c, row));
	case ETL_FLOAT64:
		return give_real(ret, etl_get_float64(c, row));
	case ETL_NUMERIC:
	case ETL_TEXT:
	case ETL_JSON:
		bytes = etl_get_bytes(c, row, &size);
		return give_bytes(ret, PAGE_TEXT, bytes, size);
	case ETL_BYTES:
		bytes = etl_get_bytes(c, row, &size);
		return give_bytes(ret, PAGE_BLOB, bytes, size);
	case ETL_ANY:
		bytes = etl_get_bytes(c, row, &size);
		return give_any(ret, bytes, size);
	default:
		return give_formatted(ret, c, row, scratch);
	}
}

const char *sqlite_bind_value(sqlite3_stmt *stmt, int column, const struct page_value *v)
{
	int at = column + 1, rc = SQLITE_OK;

	switch (v->kind) {
	case PAGE_NULL:
		sqlite3_bind_null(stmt, at);
		break;
	case PAGE_INT:
		sqlite3_bind_int64(stmt, at, v->integer);
		break;
	case PAGE_REAL:
		sqlite3_bind_double(stmt, at, v->real);
		break;
	case PAGE_TEXT:
		rc = sqlite3_bind_text64(stmt, at, (const char *)v->bytes, (sqlite3_uint64)v->size, SQLITE_STATIC,
					 SQLITE_UTF8);
		break;
	case PAGE_BLOB:
		rc = sqlite3_bind_blob64(stmt, at, v->bytes, (sqlite3_uint64)v->size, SQLITE_STATIC);
	}
	return rc == SQLITE_OK ? NULL : rc == SQLITE_TOOBIG ? "too_big" : "no_memory";
}

const char *sqlite_bind(sqlite3_stmt *stmt, int column, const struct etl_column_view *c, int64_t row, char *scratch)
{
	struct page_value v;
	const char *code = page_value_of(c, row, scratch, &v);

	return code ? code : sqlite_bind_value(stmt, column, &v);
}

bool sqlite_is_torn(const struct etl_column_view *c, int64_t row)
{
	const uint8_t *bytes;
	int64_t size, skip = c->type.type == ETL_ANY;

	if (etl_is_null(c, row) ||
	    (c->type.type != ETL_ANY && c->type.type != ETL_TEXT && c->type.type != ETL_JSON))
		return false;
	bytes = etl_get_bytes(c, row, &size);
	if (size <= skip || (skip && bytes[0] != ETL_ANY_TEXT))
		return false;
	return etl_utf8_valid(bytes + skip, (size_t)(size - skip)) != (size_t)(size - skip);
}

uint64_t sqlite_batch_bytes(const struct etl_view *view)
{
	uint64_t bytes = 0;
	int64_t i;

	for (i = 0; i < view->count; i++) {
		const struct etl_column_view *c = &view->columns[i];

		if (c->width > 0)
			bytes += (uint64_t)(view->rows * c->width);
		else if (c->width < 0)
			bytes += (uint64_t)(view->rows + 7) / 8;
		else if (view->rows > 0)
			bytes += (uint64_t)(c->offsets[c->offset + view->rows] -
					    c->offsets[c->offset]);
	}
	return bytes;
}
