/* See diff-row.h. The bytes never leave the process, so they are in the machine's own order. */
#include "config.h"

#include <math.h>
#include <stdlib.h>

#include "diff-row.h"
#include "../plugins/lib/number.h"

/* ---- Rows ------------------------------------------------------------------------------------ */

enum mark { MARK_NULL, MARK_VALUE };

static void put_byte(struct etl_text *to, uint8_t byte)
{
	etl_text_add_bytes(to, &byte, 1);
}

static void put_variable(struct etl_text *to, const struct etl_column_view *col, int64_t row)
{
	int64_t size;
	const uint8_t *bytes = etl_get_bytes(col, row, &size);
	uint32_t length = (uint32_t)size; /* a batch holds less than 2^31 bytes */

	etl_text_add_bytes(to, &length, sizeof(length));
	etl_text_add_bytes(to, bytes, length);
}

void diff_row_put(struct etl_text *to, const struct etl_view *view, int64_t row)
{
	for (int64_t i = 0; i < view->count; i++) {
		const struct etl_column_view *col = &view->columns[i];

		if (etl_is_null(col, row)) {
			put_byte(to, MARK_NULL);
			continue;
		}
		put_byte(to, MARK_VALUE);
		if (col->width > 0)
			etl_text_add_bytes(to, col->values + (row + col->offset) * col->width,
					   (size_t)col->width);
		else if (col->width == 0)
			put_variable(to, col, row);
		else
			put_byte(to, etl_get_bool(col, row));
	}
}

bool diff_row_get(struct etl_builder *builder, const void *bytes)
{
	const uint8_t *at = bytes;

	for (int64_t i = 0; i < builder->count; i++) {
		struct etl_column_builder *col = &builder->columns[i];
		uint32_t length;

		if (*at++ == MARK_NULL) {
			etl_put_null(col);
		} else if (col->width > 0) {
			etl_put_fixed(col, at);
			at += col->width;
		} else if (col->width < 0) {
			etl_put_bool(col, *at++);
		} else {
			memcpy(&length, at, sizeof(length));
			at += sizeof(length);
			if (!etl_put_bytes(col, at, length))
				return false;
			at += length;
		}
	}
	return true;
}

/* ---- Keys ------------------------------------------------------------------------------------ */

/* In this order; of an `any` the kinds stand one behind the other. */
enum order { ORDER_NULL, ORDER_WHOLE, ORDER_REAL, ORDER_NUMBER, ORDER_TEXT, ORDER_BYTES };

static void put_big_endian(struct etl_text *to, uint64_t v)
{
	uint8_t bytes[8];

	for (int i = 7; i >= 0; i--, v >>= 8)
		bytes[i] = (uint8_t)v;
	etl_text_add_bytes(to, bytes, sizeof(bytes));
}

static void key_whole(struct etl_text *to, int64_t v)
{
	put_byte(to, ORDER_WHOLE);
	put_big_endian(to, (uint64_t)v ^ UINT64_C(1) << 63);
}

static void key_real(struct etl_text *to, double v)
{
	uint64_t bits;

	v = isnan(v) ? NAN : v == 0 ? 0.0 : v;
	memcpy(&bits, &v, 8);
	if (isnan(v))
		bits = UINT64_MAX;
	else
		bits = bits >> 63 ? ~bits : bits | UINT64_C(1) << 63;
	put_byte(to, ORDER_REAL);
	put_big_endian(to, bits);
}

/* A zero byte inside is written as two, so that a text that goes on stands behind one that ends. */
static void key_bytes(struct etl_text *to, enum order order, const uint8_t *bytes, int64_t size)
{
	static const uint8_t zero[2] = { 0, 1 }, end[2] = { 0, 0 };

	put_byte(to, (uint8_t)order);
	for (int64_t i = 0; i < size;) {
		const uint8_t *nul = memchr(bytes + i, 0, (size_t)(size - i));
		int64_t run = nul ? nul - (bytes + i) : size - i;

		etl_text_add_bytes(to, bytes + i, (size_t)run);
		i += run;
		if (nul) {
			etl_text_add_bytes(to, zero, 2);
			i++;
		}
	}
	etl_text_add_bytes(to, end, 2);
}

/* The sign, the power of ten, the digits; all of it turned round when it is negative. */
static void key_digits(struct etl_text *to, const struct number *n)
{
	bool zero = n->first == n->last;
	uint8_t flip = n->negative && !zero ? 0xff : 0;
	uint64_t exponent = (uint64_t)(n->point - n->first) ^ UINT64_C(1) << 63;

	put_byte(to, zero ? 1 : flip ? 0 : 2);
	if (zero)
		return;
	put_big_endian(to, flip ? ~exponent : exponent);
	for (int64_t i = n->first; i < n->last; i++)
		put_byte(to, (uint8_t)((i < n->whole_size ? n->whole[i] : n->part[i - n->whole_size]) ^
				       flip));
	put_byte(to, flip);
}

/* What is no number stands behind all that are. */
static void key_number(struct etl_text *to, const char *text, size_t size)
{
	struct number n;

	put_byte(to, ORDER_NUMBER);
	if (etl_number_parse(&n, text, size)) {
		key_digits(to, &n);
	} else {
		put_byte(to, 3);
		key_bytes(to, ORDER_TEXT, (const uint8_t *)text, (int64_t)size);
	}
}

static void key_any(struct etl_text *to, const uint8_t *bytes, int64_t size)
{
	int64_t whole;
	double real;

	if (size == 9 && bytes[0] == ETL_ANY_INT) {
		memcpy(&whole, bytes + 1, 8);
		key_whole(to, whole);
	} else if (size == 9 && bytes[0] == ETL_ANY_REAL) {
		memcpy(&real, bytes + 1, 8);
		key_real(to, real);
	} else if (size > 0) {
		key_bytes(to, bytes[0] == ETL_ANY_TEXT ? ORDER_TEXT : ORDER_BYTES, bytes + 1,
			  size - 1);
	} else {
		key_bytes(to, ORDER_BYTES, bytes, 0);
	}
}

static void key_variable(struct etl_text *to, const struct etl_column_view *col, int64_t row)
{
	int64_t size;
	const uint8_t *bytes = etl_get_bytes(col, row, &size);

	if (col->type.type == ETL_NUMERIC)
		key_number(to, (const char *)bytes, (size_t)size);
	else if (col->type.type == ETL_ANY)
		key_any(to, bytes, size);
	else
		key_bytes(to, col->type.type == ETL_BYTES ? ORDER_BYTES : ORDER_TEXT, bytes, size);
}

void diff_key_put(struct etl_text *to, const struct etl_column_view *col, int64_t row)
{
	char buf[SPELL_MAX];

	if (etl_is_null(col, row)) {
		put_byte(to, ORDER_NULL);
		return;
	}
	switch (col->type.type) {
	case ETL_BOOL:
		key_whole(to, etl_get_bool(col, row));
		break;
	case ETL_INT16:
		key_whole(to, etl_get_int16(col, row));
		break;
	case ETL_INT32:
	case ETL_DATE:
		key_whole(to, etl_get_int32(col, row));
		break;
	case ETL_INT64:
	case ETL_TIME:
	case ETL_TIMESTAMP:
	case ETL_INSTANT:
		key_whole(to, etl_get_int64(col, row));
		break;
	case ETL_FLOAT32:
		key_real(to, (double)etl_get_float32(col, row));
		break;
	case ETL_FLOAT64:
		key_real(to, etl_get_float64(col, row));
		break;
	case ETL_DECIMAL:
		key_number(to, buf,
			   etl_spell_decimal(buf, etl_decimal_get(etl_get_fixed(col, row)),
					     col->type.scale));
		break;
	case ETL_UUID:
		put_byte(to, ORDER_BYTES);
		etl_text_add_bytes(to, etl_get_fixed(col, row), 16);
		break;
	default:
		key_variable(to, col, row);
	}
}
