/* See value.h. */
#include "config.h"

#include "value.h"

static bool read_any(struct value *v, const uint8_t *bytes, int64_t size)
{
	v->bytes = bytes + 1;
	v->size = size - 1;
	v->trusted = false;
	if (size < 1)
		return false;
	switch (bytes[0]) {
	case ETL_ANY_INT:
		v->form = FORM_INT;
		if (size == 9)
			memcpy(&v->whole, v->bytes, 8);
		return size == 9;
	case ETL_ANY_REAL:
		v->form = FORM_DOUBLE;
		if (size == 9)
			memcpy(&v->real, v->bytes, 8);
		return size == 9;
	case ETL_ANY_TEXT:
		v->form = FORM_TEXT;
		return true;
	case ETL_ANY_BLOB:
		v->form = FORM_BYTES;
		return true;
	default:
		return false;
	}
}

static void read_whole(struct value *v, enum form form, int64_t whole)
{
	v->form = form;
	v->whole = whole;
}

static bool read_bytes(struct value *v, const struct etl_column_view *from, int64_t row)
{
	v->bytes = etl_get_bytes(from, row, &v->size);
	v->trusted = true;
	if (from->type.type == ETL_ANY)
		return read_any(v, v->bytes, v->size);
	v->form = from->type.type == ETL_NUMERIC ? FORM_NUMERIC :
		  from->type.type == ETL_JSON	 ? FORM_JSON :
		  from->type.type == ETL_BYTES	 ? FORM_BYTES :
						   FORM_TEXT;
	return true;
}

bool etl_value_read(struct value *v, const struct etl_column_view *from, int64_t row)
{
	memset(v, 0, sizeof(*v));
	switch (from->type.type) {
	case ETL_BOOL:
		read_whole(v, FORM_BOOL, etl_get_bool(from, row));
		return true;
	case ETL_INT16:
		read_whole(v, FORM_INT, etl_get_int16(from, row));
		return true;
	case ETL_INT32:
		read_whole(v, FORM_INT, etl_get_int32(from, row));
		return true;
	case ETL_INT64:
		read_whole(v, FORM_INT, etl_get_int64(from, row));
		return true;
	case ETL_DATE:
		read_whole(v, FORM_DATE, etl_get_int32(from, row));
		return true;
	case ETL_TIME:
		read_whole(v, FORM_TIME, etl_get_int64(from, row));
		return true;
	case ETL_TIMESTAMP:
		read_whole(v, FORM_TIMESTAMP, etl_get_int64(from, row));
		return true;
	case ETL_INSTANT:
		read_whole(v, FORM_INSTANT, etl_get_int64(from, row));
		return true;
	case ETL_FLOAT32:
		v->form = FORM_FLOAT;
		v->real = (double)etl_get_float32(from, row);
		return true;
	case ETL_FLOAT64:
		v->form = FORM_DOUBLE;
		v->real = etl_get_float64(from, row);
		return true;
	case ETL_DECIMAL:
		v->form = FORM_DECIMAL;
		v->decimal = etl_decimal_get(etl_get_fixed(from, row));
		v->scale = from->type.scale;
		return true;
	case ETL_UUID:
		v->form = FORM_UUID;
		v->bytes = etl_get_fixed(from, row);
		v->size = 16;
		return true;
	default:
		return read_bytes(v, from, row);
	}
}

bool etl_value_is_set(const struct etl_column_view *from, int64_t row)
{
	struct value v;

	return !etl_is_null(from, row) &&
	       !(etl_value_read(&v, from, row) && (v.form == FORM_BOOL || v.form == FORM_INT) && v.whole == 0);
}

size_t etl_value_spell(char *buf, const struct value *v)
{
	switch (v->form) {
	case FORM_INT:
		return etl_spell_int(buf, v->whole);
	case FORM_BOOL:
		memcpy(buf, v->whole ? "true" : "false", 6 - (size_t)v->whole);
		return 5 - (size_t)v->whole;
	case FORM_DOUBLE:
		return etl_spell_double(buf, v->real);
	case FORM_FLOAT:
		return etl_spell_float(buf, (float)v->real);
	case FORM_DECIMAL:
		return etl_spell_decimal(buf, v->decimal, v->scale);
	case FORM_DATE:
		return etl_spell_date(buf, v->whole);
	case FORM_TIME:
		return etl_spell_time(buf, v->whole);
	case FORM_TIMESTAMP:
	case FORM_INSTANT:
		return etl_spell_timestamp(buf, v->whole, v->form == FORM_INSTANT);
	case FORM_UUID:
		return etl_spell_uuid(buf, v->bytes);
	default:
		return 0;
	}
}
