/* See bind.h. Every row of an array has places as wide as the longest value needs. */
#include "config.h"

#include <stdlib.h>

#include "bind.h"
#include "spell.h"

#define OLD_MOST   23  /* "2025-12-01 00:00:00.000" */
#define FIXED_MOST 100 /* bytes of a value of fixed width that goes as text: no real number is among them */

/* ---- How wide --------------------------------------------------------------------------------------------------- */

/* Bytes that the value needs in its place. */
static SQLLEN need_of(const struct bind_column *c, const struct etl_column_view *v, int64_t row)
{
	int64_t size;

	if (c->form == BIND_INT || c->form == BIND_REAL)
		return 8;
	if (c->form == BIND_BIT)
		return 1;
	if (etl_is_null(v, row))
		return 0;
	if (v->width != 0)
		return FIXED_MOST * (SQLLEN)sizeof(SQLWCHAR);
	etl_get_bytes(v, row, &size);
	/* A byte of UTF-8 is never more than one unit. */
	return c->form == BIND_TEXT ? (SQLLEN)(size * (int64_t)sizeof(SQLWCHAR)) : (SQLLEN)size;
}

/* A width that is not each time another one: what was declared to the driver is declared still, and the statement stays prepared.
 * What has room in a short type goes as one; of long ones an eighth is air, at most. */
static SQLLEN even_width(const struct bind_column *c, SQLLEN need)
{
	SQLLEN even = 64, step;

	if (c->form != BIND_TEXT && c->form != BIND_BYTES)
		return need;
	while (even < need)
		even *= 2;
	if (even <= BIND_SHORT_BYTES)
		return even;
	step = even / 16;
	return need <= BIND_SHORT_BYTES ? BIND_SHORT_BYTES : (need + step - 1) / step * step;
}

/* How many of COUNT rows have room in an array, of which every row has the places of the longest; what these are is in NEED. */
static int64_t find_fit(struct bind *b, const struct etl_view *view, const int64_t *rows, int64_t count)
{
	int64_t most = count < (int64_t)b->most ? count : (int64_t)b->most;

	for (size_t i = 0; i < b->count; i++)
		b->columns[i].need = even_width(&b->columns[i], 0);
	for (int64_t r = 0; r < most; r++) {
		SQLLEN row = 0;

		for (size_t i = 0; i < b->count; i++) {
			struct bind_column *c = &b->columns[i];
			SQLLEN need = need_of(c, &view->columns[i], rows[r]);

			c->next = need > c->need ? even_width(c, need) : c->need;
			row += c->next;
		}
		if (r > 0 && row * (r + 1) > b->room)
			return r;
		for (size_t i = 0; i < b->count; i++)
			b->columns[i].need = b->columns[i].next;
	}
	return most;
}

/* As wide as it was, but that a value which has room in a short type goes as one. */
static SQLLEN kept_width(const struct bind_column *c)
{
	if (c->need >= c->width || (c->width > BIND_SHORT_BYTES && c->need <= BIND_SHORT_BYTES))
		return c->need;
	return c->width;
}

/* As wide as they were, if ROWS of them have room so; and places for as many as an array may have. */
static void set_widths(struct bind *b, int64_t rows)
{
	SQLLEN kept = 0, row = 0;

	for (size_t i = 0; i < b->count; i++)
		kept += kept_width(&b->columns[i]);
	for (size_t i = 0; i < b->count; i++) {
		struct bind_column *c = &b->columns[i];

		c->width = kept * rows <= b->room ? kept_width(c) : c->need;
		row += c->width;
	}
	b->places = row > 0 && b->room / row < (SQLLEN)b->most ? b->room / row : (SQLLEN)b->most;
	if (b->places < rows)
		b->places = rows;
}

/* Behind those of statements of several rows, if there are any, the places of those that fill none. */
static bool make_room(const struct bind *b, struct bind_column *c)
{
	int64_t rest = b->places >= b->several ? b->several : 0;
	size_t room = (size_t)(b->places + rest) * (size_t)c->width;

	if (room <= c->room)
		return true;
	free(c->values);
	c->values = malloc(room);
	c->room = c->values ? room : 0;
	return c->values != NULL;
}

/* ---- What is in them -------------------------------------------------------------------------------------------- */

static void put_text(struct bind_column *c, SQLULEN at, const struct etl_column_view *v, int64_t row)
{
	char buf[SPELL_MAX];
	const char *text = buf;
	int64_t size;

	if (v->width == 0)
		text = (const char *)etl_get_bytes(v, row, &size);
	else
		size = (int64_t)etl_spell_fixed(buf, v, row);
	/* More than three digits it does not read, and the others are zeros. */
	if (c->old && size > OLD_MOST)
		size = OLD_MOST;
	c->lengths[at] = (SQLLEN)(odbc_widen((SQLWCHAR *)(void *)(c->values + (SQLLEN)at * c->width), text,
					     (size_t)size) *
				  sizeof(SQLWCHAR));
}

static void put_number(struct bind_column *c, char *place, const struct etl_column_view *v, int64_t row)
{
	int64_t n = 0;
	double real = 0;

	switch (v->type.type) {
	case ETL_INT16:
		n = etl_get_int16(v, row);
		break;
	case ETL_INT32:
		n = etl_get_int32(v, row);
		break;
	case ETL_INT64:
		n = etl_get_int64(v, row);
		break;
	case ETL_FLOAT32:
		real = (double)etl_get_float32(v, row);
		break;
	default:
		real = etl_get_float64(v, row);
		break;
	}
	if (c->form == BIND_INT)
		memcpy(place, &n, sizeof(n));
	else
		memcpy(place, &real, sizeof(real));
}

static void put(struct bind_column *c, SQLULEN at, const struct etl_column_view *v, int64_t row)
{
	char *place = c->values + (SQLLEN)at * c->width;
	const uint8_t *bytes;
	int64_t size;

	if (etl_is_null(v, row)) {
		c->lengths[at] = SQL_NULL_DATA;
		return;
	}
	switch (c->form) {
	case BIND_TEXT:
		put_text(c, at, v, row);
		return;
	case BIND_BYTES:
		bytes = etl_get_bytes(v, row, &size);
		if (size > 0)
			memcpy(place, bytes, (size_t)size);
		c->lengths[at] = (SQLLEN)size;
		return;
	case BIND_BIT:
		*place = etl_get_bool(v, row);
		c->lengths[at] = 1;
		return;
	default:
		put_number(c, place, v, row);
		c->lengths[at] = 8;
	}
}

int64_t bind_stride(const struct bind *b)
{
	return b->places / b->several;
}

int64_t bind_place_of_rest(const struct bind *b)
{
	return b->several > 1 ? bind_stride(b) * b->several : 0;
}

/* Rows of one statement are as far apart as an array may have statements; those that fill none are behind all others. */
static int64_t place_of(const struct bind *b, int64_t row, int64_t rows)
{
	int64_t statements = rows / b->several, whole = statements * b->several;

	if (row >= whole)
		return bind_place_of_rest(b) + row - whole;
	return row % b->several * bind_stride(b) + row / b->several;
}

int64_t bind_fill(struct bind *b, const struct etl_view *view, const int64_t *rows, int64_t count)
{
	int64_t fit = find_fit(b, view, rows, count);

	set_widths(b, fit);
	for (size_t i = 0; i < b->count; i++)
		if (!make_room(b, &b->columns[i]))
			return -1;
	for (int64_t r = 0; r < fit; r++) {
		int64_t at = place_of(b, r, fit);

		for (size_t i = 0; i < b->count; i++) {
			put(&b->columns[i], (SQLULEN)at, &view->columns[i], rows[r]);
			if (b->columns[i].lengths[at] > 0)
				b->bytes += (uint64_t)b->columns[i].lengths[at];
		}
	}
	return fit;
}
