/*
 * Values as they stand in a record: varints, serial types, and what a column's affinity makes of a value
 * (fileformat2.html, 2.1; datatype3.html, 3).
 */
#include "config.h"

#include <stdio.h>

#include "pages.h"

/* A REAL column keeps a float without a fraction as an integer, up to the largest of six bytes. */
#define REAL_AS_INT INT64_C(140737488355327)

size_t page_varint_put(uint8_t *to, uint64_t v)
{
	uint8_t digits[PAGE_VARINT];
	size_t n = 0, i;

	if (v <= 0x7f) {
		to[0] = (uint8_t)v;
		return 1;
	}
	if (v >> 56) {
		to[8] = (uint8_t)v;
		v >>= 8;
		for (i = 8; i-- > 0; v >>= 7)
			to[i] = (uint8_t)((v & 0x7f) | 0x80);
		return 9;
	}
	for (; v; v >>= 7)
		digits[n++] = (uint8_t)((v & 0x7f) | 0x80);
	digits[0] &= 0x7f;
	for (i = 0; i < n; i++)
		to[i] = digits[n - 1 - i];
	return n;
}

size_t page_varint_long(const uint8_t *at, const uint8_t *end, uint64_t *ret)
{
	uint64_t v = 0;
	size_t i;

	for (i = 0; i < 8; i++) {
		if (at + i >= end)
			return 0;
		v = v << 7 | (at[i] & 0x7f);
		if (!(at[i] & 0x80)) {
			*ret = v;
			return i + 1;
		}
	}
	if (at + 8 >= end)
		return 0;
	*ret = v << 8 | at[8];
	return 9;
}

size_t page_varint_size(uint64_t v)
{
	size_t n = 1;

	while (n < 9 && v >> (7 * n))
		n++;
	return n;
}

size_t page_head_size(size_t types)
{
	size_t n = page_varint_size(types + 1);

	return page_varint_size(types + n) > n ? n + 1 : n;
}

/* ---- What a column keeps ---- */

static bool keep_text(struct page_value *v, char *scratch)
{
	if (v->kind == PAGE_REAL)
		return false;
	if (v->kind != PAGE_INT)
		return true;
	v->size = (size_t)snprintf(scratch, PAGE_INT_TEXT, "%lld", (long long)v->integer);
	v->bytes = (const uint8_t *)scratch;
	v->kind = PAGE_TEXT;
	return true;
}

/* A float that is an integer becomes one, but for the ends of the range. */
static void keep_whole(struct page_value *v)
{
	int64_t whole;

	if (v->kind != PAGE_REAL || !(v->real > -9223372036854775808.0 && v->real < 9223372036854775808.0))
		return;
	whole = (int64_t)v->real;
	if ((double)whole != v->real || whole == INT64_MAX)
		return;
	v->kind = PAGE_INT;
	v->integer = whole;
}

/* A text stays one in a column of numbers when it has what no number has: another character, or a sign within. Of a number
 * with a zero byte SQLite has to say what it is. */
static bool is_no_number(const struct page_value *v)
{
	for (size_t i = 0; i < v->size; i++) {
		uint8_t c = v->bytes[i], before = i ? v->bytes[i - 1] : ' ';

		if (!c)
			return false;
		if (!strchr("0123456789+-.eE \t\n\v\f\r", c))
			return true;
		if ((c == '-' || c == '+') && before >= '0' && before <= '9')
			return true;
	}
	return false;
}

bool page_value_keep(struct page_value *v, enum page_affinity affinity, char *scratch)
{
	switch (affinity) {
	case PAGE_KEEPS:
		return true;
	case PAGE_TEXTS:
		return keep_text(v, scratch);
	default:
		break;
	}
	if (v->kind == PAGE_TEXT)
		return is_no_number(v);
	keep_whole(v);
	if (affinity == PAGE_REALS && v->kind == PAGE_INT &&
	    (v->integer > REAL_AS_INT || v->integer < -REAL_AS_INT - 1)) {
		v->kind = PAGE_REAL;
		v->real = (double)v->integer;
	}
	return true;
}

/* ---- Serial types ---- */

static uint64_t serial_of_int(int64_t v)
{
	uint64_t u = v < 0 ? ~(uint64_t)v : (uint64_t)v;

	if (u <= 127)
		return v == 0 || v == 1 ? 8 + (uint64_t)v : 1;
	if (u <= 32767)
		return 2;
	if (u <= 8388607)
		return 3;
	if (u <= 2147483647)
		return 4;
	return u <= UINT64_C(140737488355327) ? 5 : 6;
}

uint64_t page_serial(const struct page_value *v)
{
	switch (v->kind) {
	case PAGE_INT:
		return serial_of_int(v->integer);
	case PAGE_REAL:
		return 7;
	case PAGE_TEXT:
		return 13 + 2 * (uint64_t)v->size;
	case PAGE_BLOB:
		return 12 + 2 * (uint64_t)v->size;
	default:
		return 0;
	}
}

const uint8_t page_number_sizes[12] = { 0, 1, 2, 3, 4, 6, 8, 8, 0, 0, 0, 0 };

size_t page_number_put(uint8_t *to, const struct page_value *v, uint64_t serial)
{
	size_t size = page_number_sizes[serial], i;
	uint64_t bits;

	if (serial == 7)
		memcpy(&bits, &v->real, 8);
	else
		bits = (uint64_t)v->integer;
	for (i = size; i-- > 0; bits >>= 8)
		to[i] = (uint8_t)bits;
	return size;
}

void page_value_get(uint64_t serial, const uint8_t *at, struct page_value *ret)
{
	size_t size, i;
	uint64_t bits;

	if (serial >= 12) {
		ret->kind = serial & 1 ? PAGE_TEXT : PAGE_BLOB;
		ret->bytes = at;
		ret->size = (size_t)((serial - 12) / 2);
		return;
	}
	size = page_number_sizes[serial];
	ret->kind = serial == 0 ? PAGE_NULL : serial == 7 ? PAGE_REAL : PAGE_INT;
	bits = size && at[0] & 0x80 ? UINT64_MAX : 0;
	for (i = 0; i < size; i++)
		bits = bits << 8 | at[i];
	if (serial == 7)
		memcpy(&ret->real, &bits, 8);
	else
		ret->integer = serial >= 8 ? (int64_t)(serial - 8) : (int64_t)bits;
}
