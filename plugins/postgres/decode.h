/*
 * Values as COPY … (FORMAT binary) sends them, put straight into the columns of a batch. How a column is read is
 * chosen once, by the type that the server sends and the type that is wanted.
 */
#ifndef POSTGRES_DECODE_H
#define POSTGRES_DECODE_H

#include "postgres.h"

/* Days and microseconds from 1970-01-01 to 2000-01-01, from where the server counts. */
#define DECODE_EPOCH_DAYS   10957
#define DECODE_EPOCH_MICROS INT64_C(946684800000000)

struct decode_column;

/* Appends a value that is not NULL. NULL: done; else nothing was appended and it is a code as etl_convert's, or
 * "infinity". */
typedef const char *decode_put(struct etl_column_builder *to, const uint8_t *bytes, int32_t size);

struct decode_column {
	const char *name;
	uint32_t oid;		    /* of what is sent: a domain's base type */
	bool required;		    /* NULL is not wanted */
	decode_put *put;	    /* into a column of the wanted type; NULL: by `own` and etl_convert */
	decode_put *own;	    /* into `scratch` */
	struct etl_builder *scratch; /* one value in the type that is nearest to what is sent */
};

/* Is the type sent in a form that is read here? Others are asked for as text. */
bool decode_knows(uint32_t oid);
/* The logical type of such a type. */
int32_t decode_type(uint32_t oid);
/* CHECKED: texts are looked at, for the server does not know their encoding. False: no memory. */
bool decode_choose(struct decode_column *, struct etl_type_info want, bool checked);
void decode_clear(struct decode_column *);
/* Appends a value or, with SIZE -1, NULL. */
const char *decode_value(struct decode_column *, struct etl_column_builder *to,
			 const uint8_t *bytes, int32_t size);
/* For messages and rejects, whatever the value is: as JSON, and as a person reads it. */
void decode_add_json(struct decode_column *, struct etl_text *, const uint8_t *bytes, int32_t size);
void decode_add_words(struct decode_column *, struct etl_text *, const uint8_t *bytes,
		      int32_t size);

/* Without a check of what is there. */
static inline uint16_t decode_16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t decode_32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, 4);
	return __builtin_bswap32(v);
}

static inline uint64_t decode_64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, 8);
	return __builtin_bswap64(v);
}

/* decode-numeric.c: as decimal text, as ETL_DECIMAL; and as a text that may be NaN, Infinity and -Infinity, which are
 * no numbers to the others. */
decode_put decode_numeric, decode_decimal, decode_numeric_text;

#endif
