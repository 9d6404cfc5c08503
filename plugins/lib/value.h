/*
 * A value of any type in one of a few forms, so that conversions are forms times targets and not types times
 * types. A tagged `any` takes the form of its tag. The bytes stay those of the batch.
 */
#ifndef LIB_VALUE_H
#define LIB_VALUE_H

#include "spell.h"

enum form {
	FORM_INT,
	FORM_BOOL,
	FORM_DOUBLE,
	FORM_FLOAT,
	FORM_DECIMAL,
	FORM_NUMERIC,
	FORM_TEXT,
	FORM_JSON,
	FORM_BYTES,
	FORM_DATE,
	FORM_TIME,
	FORM_TIMESTAMP,
	FORM_INSTANT,
	FORM_UUID
};

struct value {
	enum form form;
	bool trusted;  /* a text that is known to be UTF-8 */
	int32_t scale; /* of a decimal */
	int64_t whole; /* int, bool, date, time, timestamps */
	double real;
	etl_i128 decimal;
	const uint8_t *bytes; /* text, json, numeric, bytes, uuid */
	int64_t size;
};

/* False: the column is of no known type, or an `any` is malformed. */
bool etl_value_read(struct value *, const struct etl_column_view *from, int64_t row);
/* Neither NULL nor false nor the integer 0. */
bool etl_value_is_set(const struct etl_column_view *from, int64_t row);
/* The canonical text of a value that is no text itself, at most SPELL_MAX bytes; 0 for bytes. */
size_t etl_value_spell(char *buf, const struct value *);

#endif
