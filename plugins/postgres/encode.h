/*
 * Rows as COPY … (FORMAT binary) takes them, made straight from the columns of a batch. How a column is written is
 * chosen once, by the type that the server's column has and the type that comes; what the server would refuse or
 * change is found here, before it is sent.
 */
#ifndef POSTGRES_ENCODE_H
#define POSTGRES_ENCODE_H

#include "postgres.h"

#define ENCODE_FIELD_MAX 0x3fffff00 /* bytes of a value, and of a row: the server holds none of 1 GiB */

/* What is to be sent. `failed` is set once when memory ran out and stays. */
struct encode_buffer {
	uint8_t *at;
	size_t used, room;
	size_t row; /* where the one under way begins */
	bool failed;
};

bool encode_grow(struct encode_buffer *, size_t size);

static inline bool encode_room(struct encode_buffer *b, size_t size)
{
	return size <= b->room - b->used || encode_grow(b, size);
}

/* The caller has made room. */
static inline void encode_put16(struct encode_buffer *b, uint16_t v)
{
	b->at[b->used++] = (uint8_t)(v >> 8);
	b->at[b->used++] = (uint8_t)v;
}

static inline void encode_put32(struct encode_buffer *b, uint32_t v)
{
	v = __builtin_bswap32(v);
	memcpy(b->at + b->used, &v, 4);
	b->used += 4;
}

static inline void encode_put64(struct encode_buffer *b, uint64_t v)
{
	v = __builtin_bswap64(v);
	memcpy(b->at + b->used, &v, 8);
	b->used += 8;
}

/* Can SIZE bytes of a value be put into the row under way? NULL, or the reject's code. */
static inline const char *encode_fits(const struct encode_buffer *b, size_t size)
{
	if (size > ENCODE_FIELD_MAX)
		return "too_big";
	return b->used - b->row + size > ENCODE_FIELD_MAX ? "row_too_big" : NULL;
}

/* A digit of a hexadecimal number, and the four behind "\u". */
static inline unsigned encode_digit(uint8_t c)
{
	return c <= '9' ? (unsigned)c - '0' : (c | 0x20u) - 'a' + 10;
}

static inline uint32_t encode_unit(const uint8_t *at)
{
	return encode_digit(at[0]) << 12 | encode_digit(at[1]) << 8 | encode_digit(at[2]) << 4 |
	       encode_digit(at[3]);
}

/* Of a column of integers of any width. */
static inline int64_t encode_get_int(const struct etl_column_view *v, int64_t row)
{
	return v->width == 8 ? etl_get_int64(v, row) :
	       v->width == 4 ? etl_get_int32(v, row) :
			       etl_get_int16(v, row);
}

struct encode_column;

/* Writes a value that is not NULL, with its length. NULL: done; else nothing was written, and it is a code as
 * etl_convert's, "too_long", "nul_byte", "not_a_label", "too_big" or "row_too_big". */
typedef const char *encode_put(struct encode_column *, const struct etl_column_view *, int64_t row,
			       struct encode_buffer *);

/* A column that rows go into. */
struct encode_column {
	const char *name;
	uint32_t oid;	  /* of its type, a domain's base type */
	int32_t modifier; /* atttypmod, -1: none */
	bool not_null;
	bool list;		   /* by text, an array: it may come as JSON */
	bool by_text;		   /* not sent in its own form but as text, which the server then reads */
	const char *const *labels; /* of an enum, in strcmp order; else NULL */
	size_t label_count;
	/* Set by encode_choose. */
	encode_put *put, *then;
	struct etl_builder *scratch; /* one value in the form that `then` writes, or NULL */
	int32_t precision, scale; /* of the modifier */
};

/* Can a value of this type be sent in its own form? */
bool encode_knows(uint32_t oid);
/* How values of FROM go into the column. False: no memory. */
bool encode_choose(struct encode_column *, const struct ArrowSchema *from);
void encode_column_clear(struct encode_column *);

/* The nineteen bytes before the rows; false: no memory. */
bool encode_begin(struct encode_buffer *);
bool encode_end(struct encode_buffer *);
/*
 * Writes a row of COUNT columns. NULL: done; else nothing of the row is in the buffer, it is a reject's code and *ret
 * the column. PLACE >= 0: a first int8 column with that value.
 */
const char *encode_row(struct encode_column *columns, size_t count, const struct etl_view *view,
		       int64_t row, int64_t place, struct encode_buffer *, size_t *ret);

/* encode-fixed.c, encode-numeric.c, encode-text.c: NULL when there is no direct way from that type. */
encode_put *encode_fixed(const struct encode_column *, struct etl_type_info from);
encode_put *encode_numeric(struct encode_column *, struct etl_type_info from);
/* encode-list.c: a JSON array as the text of an array. */
encode_put encode_list;
encode_put *encode_text(const struct encode_column *, struct etl_type_info from);

#endif
