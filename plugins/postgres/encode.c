/*
 * Rows of fields, and which function writes each. A pair of types without a direct way goes through etl_convert
 * into the server's type, exactly or not at all.
 */
#include "config.h"

#include <stdlib.h>

#include "encode.h"

#define LEAST_ROOM (64 << 10) /* bytes of a buffer that has anything */

static const uint8_t header[19] = { 'P', 'G', 'C', 'O', 'P', 'Y', '\n', 0xff, '\r', '\n', 0 };

/* ---- The buffer -------------------------------------------------------------------------------------------- */

bool encode_grow(struct encode_buffer *b, size_t size)
{
	size_t room = b->room ? b->room : LEAST_ROOM;
	uint8_t *more;

	if (b->failed)
		return false;
	while (room - b->used < size)
		room *= 2;
	more = realloc(b->at, room);
	if (!more) {
		b->failed = true;
		return false;
	}
	b->at = more;
	b->room = room;
	return true;
}

bool encode_begin(struct encode_buffer *b)
{
	if (!encode_room(b, sizeof(header)))
		return false;
	memcpy(b->at + b->used, header, sizeof(header));
	b->used += sizeof(header);
	return true;
}

bool encode_end(struct encode_buffer *b)
{
	if (!encode_room(b, 2))
		return false;
	encode_put16(b, 0xffff);
	return true;
}

/* ---- Through another type ------------------------------------------------------------------------------------ */

static void view_of(const struct etl_column_builder *from, struct etl_column_view *ret)
{
	*ret = (struct etl_column_view){ .type = from->type,
					 .width = from->width,
					 .values = from->values,
					 .offsets = from->offsets,
					 .bytes = from->bytes };
}

static const char *put_converted(struct encode_column *c, const struct etl_column_view *from,
				 int64_t row, struct encode_buffer *b)
{
	struct etl_column_view view;
	const char *code = etl_convert(c->scratch->columns, from, row);

	if (code)
		return code;
	view_of(c->scratch->columns, &view);
	code = c->then(c, &view, 0, b);
	etl_builder_truncate(c->scratch, 0);
	return code;
}

/* ---- Choosing ------------------------------------------------------------------------------------------------- */

/* The type of the ABI whose values have a direct way into such a column. */
static int32_t natural(const struct encode_column *c)
{
	if (c->by_text || c->labels)
		return ETL_TEXT;
	switch (c->oid) {
	case OID_BOOL:
		return ETL_BOOL;
	case OID_INT2:
		return ETL_INT16;
	case OID_INT4:
		return ETL_INT32;
	case OID_INT8:
		return ETL_INT64;
	case OID_FLOAT4:
		return ETL_FLOAT32;
	case OID_FLOAT8:
		return ETL_FLOAT64;
	case OID_NUMERIC:
		return ETL_NUMERIC;
	case OID_BYTEA:
		return ETL_BYTES;
	case OID_DATE:
		return ETL_DATE;
	case OID_TIME:
		return ETL_TIME;
	case OID_TIMESTAMP:
		return ETL_TIMESTAMP;
	case OID_TIMESTAMPTZ:
		return ETL_INSTANT;
	case OID_UUID:
		return ETL_UUID;
	case OID_JSON:
	case OID_JSONB:
		return ETL_JSON;
	default:
		return ETL_TEXT;
	}
}

bool encode_knows(uint32_t oid)
{
	const struct encode_column c = { .oid = oid };

	return natural(&c) != ETL_TEXT || oid == OID_TEXT || oid == OID_VARCHAR || oid == OID_BPCHAR;
}

static encode_put *direct(struct encode_column *c, struct etl_type_info from)
{
	encode_put *put = NULL;

	if (!c->by_text && !c->labels && c->oid == OID_NUMERIC)
		put = encode_numeric(c, from);
	else if (!c->by_text && !c->labels)
		put = encode_fixed(c, from);
	return put ? put : encode_text(c, from);
}

/* numeric(P,S): S may be negative, or more than P (numerictypmodin). */
static void read_modifier(struct encode_column *c)
{
	if (c->oid != OID_NUMERIC || c->modifier < 4)
		return;
	c->precision = (c->modifier - 4) >> 16 & 0xffff;
	c->scale = (((c->modifier - 4) & 0x7ff) ^ 1024) - 1024;
}

bool encode_choose(struct encode_column *c, const struct ArrowSchema *from)
{
	struct etl_column wanted = { .name = c->name, .type = natural(c) };
	struct ArrowSchema schema = { 0 };

	read_modifier(c);
	c->put = direct(c, etl_type_of(from));
	if (c->put)
		return true;
	c->put = put_converted;
	c->then = direct(c, (struct etl_type_info){ .type = natural(c) });
	if (!c->then || !etl_schema_make(&schema, &wanted, 1, sizeof(wanted)))
		return false;
	c->scratch = etl_builder_new(&schema, 8);
	schema.release(&schema);
	return c->scratch != NULL;
}

void encode_column_clear(struct encode_column *c)
{
	etl_builder_free(c->scratch);
	c->scratch = NULL;
}

/* ---- A row ------------------------------------------------------------------------------------------------------ */

const char *encode_row(struct encode_column *columns, size_t count, const struct etl_view *view,
		       int64_t row, int64_t place, struct encode_buffer *b, size_t *ret)
{
	size_t start = b->used;
	const char *code = NULL;

	b->row = start;
	if (!encode_room(b, 2 + 12 + 4 * count))
		return "no_memory";
	encode_put16(b, (uint16_t)(count + (place >= 0)));
	if (place >= 0) {
		encode_put32(b, 8);
		encode_put64(b, (uint64_t)place);
	}
	for (size_t i = 0; i < count; i++) {
		if (!etl_is_null(&view->columns[i], row))
			code = columns[i].put(&columns[i], &view->columns[i], row, b);
		else if (columns[i].not_null)
			code = "not_null";
		else if (encode_room(b, 4))
			encode_put32(b, UINT32_MAX);
		if (!code && !b->failed)
			continue;
		b->used = start;
		*ret = i;
		return b->failed ? "no_memory" : code;
	}
	return NULL;
}
