/*
 * Values of a row as bytes that are equal when the values are: a whole number and the same number with a point
 * are one, a text and a number are not unless the other side of the comparison is a column of numbers.
 */
#include "config.h"

#include <math.h>

#include "number.h"
#include "rules.h"

static void add_sized(struct etl_text *key, char tag, const void *bytes, size_t size)
{
	uint64_t length = size;

	etl_text_add_bytes(key, &tag, 1);
	etl_text_add_bytes(key, &length, sizeof(length));
	etl_text_add_bytes(key, bytes, size);
}

static void add_whole(struct etl_text *key, int64_t v)
{
	etl_text_add_bytes(key, "i", 1);
	etl_text_add_bytes(key, &v, sizeof(v));
}

/* Sign, place of the point and digits: "1.50", 15e-1 and 1.5 are one. */
static void add_written(struct etl_text *key, const struct number *n)
{
	int64_t whole, above = n->point - n->first;

	if (!etl_number_int64(n, &whole)) {
		add_whole(key, whole);
		return;
	}
	etl_text_add_bytes(key, n->negative ? "-" : "+", 1);
	etl_text_add_bytes(key, &above, sizeof(above));
	for (int64_t i = n->first; i < n->last; i++)
		etl_text_add_bytes(
			key, i < n->whole_size ? n->whole + i : n->part + (i - n->whole_size), 1);
	etl_text_add_bytes(key, "", 1);
}

static void add_number(struct etl_text *key, const struct value *v)
{
	char spelled[SPELL_MAX];
	struct number number;
	size_t size = etl_value_spell(spelled, v);

	if (etl_number_parse(&number, spelled, size))
		add_written(key, &number);
	else
		add_sized(key, 'n', spelled, size);
}

static void add_value(struct etl_text *key, const struct value *v, bool as_number)
{
	struct number number;
	char spelled[SPELL_MAX];

	switch (v->form) {
	case FORM_INT:
	case FORM_BOOL:
		add_whole(key, v->whole);
		return;
	case FORM_DOUBLE:
	case FORM_FLOAT:
	case FORM_DECIMAL:
		add_number(key, v);
		return;
	case FORM_NUMERIC:
	case FORM_TEXT:
		if ((as_number || v->form == FORM_NUMERIC) &&
		    etl_number_parse(&number, (const char *)v->bytes, (size_t)v->size))
			add_written(key, &number);
		else
			add_sized(key, 't', v->bytes, (size_t)v->size);
		return;
	case FORM_JSON:
		add_sized(key, 't', v->bytes, (size_t)v->size);
		return;
	case FORM_BYTES:
		add_sized(key, 'b', v->bytes, (size_t)v->size);
		return;
	default:
		/* Dates, times and UUIDs as their texts: in another store they may be one. */
		add_sized(key, 't', spelled, etl_value_spell(spelled, v));
	}
}

int rules_key(const struct etl_view *view, const int64_t *columns, const bool *as_number,
	      size_t count, bool nulls_equal, int64_t row, struct etl_text *key)
{
	struct value v;

	key->length = 0;
	for (size_t i = 0; i < count; i++) {
		const struct etl_column_view *column = &view->columns[columns[i]];

		if (etl_is_null(column, row)) {
			if (!nulls_equal)
				return 0;
			etl_text_add_bytes(key, "0", 1);
		} else if (!etl_value_read(&v, column, row)) {
			return 0;
		} else {
			add_value(key, &v, as_number && as_number[i]);
		}
	}
	return key->failed ? ETL_FAILED : 1;
}
