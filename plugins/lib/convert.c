/*
 * Values from one type to another, exactly or not at all.
 *
 * A value is first read into one of a few forms (a tagged `any` into the form of its tag), then each target
 * type says which forms it takes. Numbers that are not binary of the same kind pass as written decimals
 * (number.h), so nothing is rounded on the way.
 */
#include "config.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "hex.h"
#include "json.h"
#include "moment.h"
#include "number.h"
#include "value.h"

#define MICROS_PER_DAY INT64_C(86400000000)

static bool is_text(const struct value *v)
{
	return v->form == FORM_TEXT || v->form == FORM_NUMERIC || v->form == FORM_JSON;
}

/* Any number as a written decimal; BUF holds its digits when it was binary. */
static const char *as_number(const struct value *v, char *buf, struct number *ret)
{
	size_t size;

	if (v->form == FORM_TEXT || v->form == FORM_NUMERIC)
		return etl_number_parse(ret, (const char *)v->bytes, (size_t)v->size) ?
			       NULL :
			       "not_a_number";
	if (v->form > FORM_DECIMAL || v->form == FORM_BOOL)
		return "type";
	if ((v->form == FORM_DOUBLE || v->form == FORM_FLOAT) && !isfinite(v->real))
		return isnan(v->real) ? "not_a_number" : "out_of_range";
	size = etl_value_spell(buf, v);
	return etl_number_parse(ret, buf, size) ? NULL : "not_a_number";
}

/* ---- Writing ---------------------------------------------------------------------------------------- */

static const char *put_result(bool done)
{
	return done ? NULL : "no_memory";
}

static const char *put_int(struct etl_column_builder *to, int64_t v)
{
	int16_t narrow = (int16_t)v;

	if (to->type.type == ETL_INT64) {
		etl_put_int64(to, v);
	} else if (to->type.type == ETL_INT32) {
		if (v < INT32_MIN || v > INT32_MAX)
			return "out_of_range";
		etl_put_int32(to, (int32_t)v);
	} else {
		if (v < INT16_MIN || v > INT16_MAX)
			return "out_of_range";
		etl_put_fixed(to, &narrow);
	}
	return NULL;
}

static const char *to_int(struct etl_column_builder *to, const struct value *v)
{
	char buf[SPELL_MAX];
	struct number n;
	const char *code;
	int64_t whole;

	if (v->form == FORM_INT || v->form == FORM_BOOL)
		return put_int(to, v->whole);
	if (v->form == FORM_DOUBLE || v->form == FORM_FLOAT) {
		if (isnan(v->real))
			return "not_a_number";
		if (!(v->real >= -0x1p63 && v->real < 0x1p63))
			return "out_of_range";
		if (v->real != trunc(v->real))
			return "too_precise";
		return put_int(to, (int64_t)v->real);
	}
	code = as_number(v, buf, &n);
	if (!code)
		code = etl_number_int64(&n, &whole);
	return code ? code : put_int(to, whole);
}

/* ASCII only, whatever the case; BYTES has WORD's length. */
static bool equal_word(const char *word, const uint8_t *bytes)
{
	for (; *word; word++, bytes++) {
		int c = *bytes >= 'A' && *bytes <= 'Z' ? *bytes - 'A' + 'a' : *bytes;

		if (c != *word)
			return false;
	}
	return true;
}

static const char *to_bool(struct etl_column_builder *to, const struct value *v)
{
	static const char *const words[] = { "0", "1", "f", "t", "false", "true" };

	if (v->form == FORM_INT || v->form == FORM_BOOL) {
		if (v->whole != 0 && v->whole != 1)
			return "not_a_bool";
		etl_put_bool(to, v->whole);
		return NULL;
	}
	if (v->form != FORM_TEXT)
		return "type";
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strlen(words[i]) != (size_t)v->size)
			continue;
		if (equal_word(words[i], v->bytes)) {
			etl_put_bool(to, i & 1);
			return NULL;
		}
	}
	return "not_a_bool";
}

/* Texts that say what no decimal can. */
static bool special_real(const struct value *v, double *ret)
{
	static const char *const words[] = { "NaN", "Infinity", "-Infinity" };
	static const double reals[] = { (double)NAN, (double)INFINITY, -(double)INFINITY };

	for (size_t i = 0; v->form == FORM_TEXT && i < 3; i++)
		if ((size_t)v->size == strlen(words[i]) &&
		    memcmp(v->bytes, words[i], strlen(words[i])) == 0) {
			*ret = reals[i];
			return true;
		}
	return false;
}

static const char *double_of(const struct value *v, double *ret)
{
	char buf[SPELL_MAX];
	struct number n;
	const char *code;

	if (v->form == FORM_DOUBLE || v->form == FORM_FLOAT) {
		*ret = v->real;
		return NULL;
	}
	if (special_real(v, ret))
		return NULL;
	if (v->form == FORM_BOOL) {
		*ret = (double)v->whole;
		return NULL;
	}
	if (v->form == FORM_INT) {
		*ret = (double)v->whole;
		if (*ret >= 0x1p63 || (int64_t)*ret != v->whole)
			return "too_precise";
		return NULL;
	}
	code = as_number(v, buf, &n);
	return code ? code : etl_number_double(&n, ret);
}

static const char *to_double(struct etl_column_builder *to, const struct value *v)
{
	const char *code;
	double real;

	code = double_of(v, &real);
	if (!code)
		etl_put_float64(to, real);
	return code;
}

static const char *to_float(struct etl_column_builder *to, const struct value *v)
{
	char buf[SPELL_MAX];
	struct number n;
	const char *code;
	double real;
	float narrow;

	if ((v->form == FORM_TEXT && !special_real(v, &real)) || v->form == FORM_NUMERIC ||
	    v->form == FORM_DECIMAL) {
		code = as_number(v, buf, &n);
		if (!code)
			code = etl_number_float(&n, &narrow);
		if (code)
			return code;
	} else {
		code = double_of(v, &real);
		if (code)
			return code;
		if (isfinite(real) && fabs(real) > (double)0x1.fffffep127f)
			return "out_of_range";
		narrow = (float)real;
		if (!isnan(real) && (double)narrow != real)
			return "too_precise";
	}
	etl_put_fixed(to, &narrow);
	return NULL;
}

/* A real that is the nearest to WHOLE / 10^scale, where WHOLE has at most 15 digits: no other text of so few digits gives
 * it (DBL_DIG), so its shortest text is this decimal. Most reals in a column of decimals are such. */
static bool short_decimal(double v, struct etl_type_info type, etl_i128 *ret)
{
	static const double powers[] = { 1e0, 1e1, 1e2,	 1e3,  1e4,  1e5,  1e6,	 1e7,
					 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15 };
	double shifted, whole, most = powers[type.precision < DBL_DIG ? type.precision : DBL_DIG];

	if (type.scale > DBL_DIG)
		return false;
	shifted = v * powers[type.scale];
	if (!(shifted < most && shifted > -most))
		return false;
	whole = (double)(int64_t)(shifted + (shifted < 0 ? -0.5 : 0.5));
	if (!(whole < most && whole > -most) || whole / powers[type.scale] < v || whole / powers[type.scale] > v)
		return false;
	*ret = (int64_t)whole;
	return true;
}

static const char *to_decimal(struct etl_column_builder *to, const struct value *v)
{
	struct value whole = *v;
	char buf[SPELL_MAX];
	struct number n;
	const char *code;
	etl_i128 decimal;

	if (v->form == FORM_DOUBLE && short_decimal(v->real, to->type, &decimal)) {
		etl_put_fixed(to, &decimal);
		return NULL;
	}
	if (whole.form == FORM_BOOL)
		whole.form = FORM_INT;
	code = as_number(&whole, buf, &n);
	if (!code)
		code = etl_number_decimal(&n, to->type.precision, to->type.scale, &decimal);
	if (!code)
		etl_put_fixed(to, &decimal);
	return code;
}

static const char *to_numeric(struct etl_column_builder *to, const struct value *v)
{
	struct etl_text text = { .at = NULL };
	struct value whole = *v;
	char buf[SPELL_MAX];
	struct number n;
	const char *code;

	if (v->form == FORM_NUMERIC)
		return put_result(etl_put_bytes(to, v->bytes, v->size));
	if (whole.form == FORM_BOOL)
		whole.form = FORM_INT;
	code = as_number(&whole, buf, &n);
	if (!code)
		code = etl_number_text(&n, &text);
	if (!code)
		code = put_result(etl_put_bytes(to, text.at, (int64_t)text.length));
	etl_text_free(&text);
	return code;
}

static const char *to_text(struct etl_column_builder *to, const struct value *v)
{
	char buf[SPELL_MAX];

	if (v->form == FORM_BYTES)
		return "type";
	if (!is_text(v))
		return put_result(etl_put_bytes(to, buf, (int64_t)etl_value_spell(buf, v)));
	if (!v->trusted && etl_utf8_valid(v->bytes, (size_t)v->size) != (size_t)v->size)
		return "invalid_utf8";
	return put_result(etl_put_bytes(to, v->bytes, v->size));
}

static const char *to_bytes(struct etl_column_builder *to, const struct value *v)
{
	if (v->form != FORM_BYTES && v->form != FORM_UUID && v->form != FORM_TEXT &&
	    v->form != FORM_JSON)
		return "type";
	return put_result(etl_put_bytes(to, v->bytes, v->size));
}

static const char *to_json(struct etl_column_builder *to, const struct value *v)
{
	bool number = v->form <= FORM_NUMERIC;

	if (v->form == FORM_TEXT) {
		if (etl_utf8_valid(v->bytes, (size_t)v->size) != (size_t)v->size)
			return "invalid_utf8";
		if (!etl_json_valid((const char *)v->bytes, (size_t)v->size))
			return "not_json";
	} else if (v->form != FORM_JSON && !number) {
		return "type";
	} else if ((v->form == FORM_DOUBLE || v->form == FORM_FLOAT) && !isfinite(v->real)) {
		return "not_a_number";
	}
	return to_text(to, v);
}

static const char *moment_of(const struct value *v, struct moment *m, const char *bad)
{
	if (v->form != FORM_TEXT)
		return "type";
	if (!etl_moment_parse(m, (const char *)v->bytes, (size_t)v->size))
		return bad;
	return m->finer ? "too_precise" : NULL;
}

static const char *to_date(struct etl_column_builder *to, const struct value *v)
{
	struct moment m;
	const char *code;

	if (v->form == FORM_TIMESTAMP) {
		m.micros = v->whole % MICROS_PER_DAY;
		m.days = v->whole / MICROS_PER_DAY;
	} else if (v->form == FORM_DATE) {
		m.micros = 0;
		m.days = v->whole;
	} else {
		code = moment_of(v, &m, "not_a_date");
		if (code)
			return code;
		if (m.zoned)
			return "not_a_date";
	}
	if (m.micros != 0)
		return "too_precise";
	etl_put_int32(to, (int32_t)m.days);
	return NULL;
}

static const char *to_time(struct etl_column_builder *to, const struct value *v)
{
	struct moment m;

	if (v->form == FORM_TIME) {
		etl_put_int64(to, v->whole);
		return NULL;
	}
	if (v->form != FORM_TEXT)
		return "type";
	if (!etl_moment_parse_time(&m, (const char *)v->bytes, (size_t)v->size))
		return "not_a_time";
	if (m.finer)
		return "too_precise";
	etl_put_int64(to, m.micros);
	return NULL;
}

static const char *put_moment(struct etl_column_builder *to, const struct moment *m)
{
	int64_t days = INT64_MAX / MICROS_PER_DAY - 1;

	if (m->days > days || m->days < -days)
		return "out_of_range";
	etl_put_int64(to, m->days * MICROS_PER_DAY + m->micros - m->zone * 1000000);
	return NULL;
}

static const char *to_timestamp(struct etl_column_builder *to, const struct value *v)
{
	bool instant = to->type.type == ETL_INSTANT;
	struct moment m = { .days = 0 };
	const char *code;

	if (v->form == (instant ? FORM_INSTANT : FORM_TIMESTAMP)) {
		etl_put_int64(to, v->whole);
		return NULL;
	}
	if (v->form == FORM_DATE && !instant) {
		m.days = v->whole;
		return put_moment(to, &m);
	}
	code = moment_of(v, &m, "not_a_timestamp");
	if (code)
		return code;
	return m.zoned == instant ? put_moment(to, &m) : "not_a_timestamp";
}

/* 32 hex digits, with the four hyphens or none. */
static bool uuid_of(const uint8_t *text, int64_t size, uint8_t ret[16])
{
	int digits = 0;

	if (size != 36 && size != 32)
		return false;
	for (int64_t i = 0; i < size; i++) {
		int hex = etl_hex_digit(text[i]);

		if (size == 36 && (i == 8 || i == 13 || i == 18 || i == 23)) {
			if (text[i] != '-')
				return false;
			continue;
		}
		if (hex < 0)
			return false;
		ret[digits / 2] = (uint8_t)(digits % 2 ? ret[digits / 2] | hex : hex << 4);
		digits++;
	}
	return true;
}

static const char *to_uuid(struct etl_column_builder *to, const struct value *v)
{
	uint8_t uuid[16];

	if (v->form == FORM_TEXT) {
		if (!uuid_of(v->bytes, v->size, uuid))
			return "not_a_uuid";
		etl_put_fixed(to, uuid);
		return NULL;
	}
	if (v->form != FORM_UUID && v->form != FORM_BYTES)
		return "type";
	if (v->size != 16)
		return "not_a_uuid";
	etl_put_fixed(to, v->bytes);
	return NULL;
}

static const char *to_any(struct etl_column_builder *to, const struct value *v)
{
	char buf[SPELL_MAX];

	if (v->form == FORM_INT || v->form == FORM_BOOL)
		return put_result(etl_put_any(to, ETL_ANY_INT, &v->whole, 8));
	if (v->form == FORM_DOUBLE || v->form == FORM_FLOAT)
		return put_result(etl_put_any(to, ETL_ANY_REAL, &v->real, 8));
	if (v->form == FORM_BYTES)
		return put_result(etl_put_any(to, ETL_ANY_BLOB, v->bytes, v->size));
	if (is_text(v))
		return put_result(etl_put_any(to, ETL_ANY_TEXT, v->bytes, v->size));
	return put_result(etl_put_any(to, ETL_ANY_TEXT, buf, (int64_t)etl_value_spell(buf, v)));
}

static const char *put_value(struct etl_column_builder *to, const struct value *v)
{
	switch (to->type.type) {
	case ETL_BOOL:
		return to_bool(to, v);
	case ETL_INT16:
	case ETL_INT32:
	case ETL_INT64:
		return to_int(to, v);
	case ETL_FLOAT32:
		return to_float(to, v);
	case ETL_FLOAT64:
		return to_double(to, v);
	case ETL_DECIMAL:
		return to_decimal(to, v);
	case ETL_NUMERIC:
		return to_numeric(to, v);
	case ETL_TEXT:
		return to_text(to, v);
	case ETL_BYTES:
		return to_bytes(to, v);
	case ETL_DATE:
		return to_date(to, v);
	case ETL_TIME:
		return to_time(to, v);
	case ETL_TIMESTAMP:
	case ETL_INSTANT:
		return to_timestamp(to, v);
	case ETL_UUID:
		return to_uuid(to, v);
	case ETL_JSON:
		return to_json(to, v);
	case ETL_ANY:
		return to_any(to, v);
	default:
		return "type";
	}
}

const char *etl_convert(struct etl_column_builder *to, const struct etl_column_view *from,
			int64_t row)
{
	struct value v;

	if (!etl_value_read(&v, from, row))
		return "type";
	return put_value(to, &v);
}

const char *etl_convert_text(struct etl_column_builder *to, const char *text, size_t size)
{
	struct value v = { .form = FORM_TEXT,
			   .bytes = (const uint8_t *)text,
			   .size = (int64_t)size };

	return put_value(to, &v);
}
