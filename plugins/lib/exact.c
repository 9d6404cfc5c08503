/*
 * A value as JSON from which it can be made again to its last bit: what a rejects file keeps. JSON has texts
 * of Unicode and numbers; what is neither is an object of one member that begins with a dollar.
 */
#include "config.h"

#include <math.h>

#include "spell.h"

static void add_base64(struct etl_text *t, const uint8_t *bytes, int64_t size)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (int64_t i = 0; i < size; i += 3) {
		uint32_t group = (uint32_t)bytes[i] << 16 |
				 (i + 1 < size ? (uint32_t)bytes[i + 1] << 8 : 0) |
				 (i + 2 < size ? bytes[i + 2] : 0u);
		char four[4] = { digits[group >> 18], digits[group >> 12 & 63],
				 i + 1 < size ? digits[group >> 6 & 63] : '=',
				 i + 2 < size ? digits[group & 63] : '=' };

		etl_text_add_bytes(t, four, sizeof(four));
	}
}

static void add_encoded(struct etl_text *t, const char *member, const uint8_t *bytes, int64_t size)
{
	etl_text_addf(t, "{\"%s\":\"", member);
	add_base64(t, bytes, size);
	etl_text_add(t, "\"}");
}

static void add_string(struct etl_text *t, const uint8_t *bytes, int64_t size)
{
	if (etl_utf8_valid(bytes, (size_t)size) == (size_t)size)
		etl_text_add_json(t, (const char *)bytes, (size_t)size);
	else
		add_encoded(t, "$text", bytes, size);
}

/* A number with a point or an exponent is a real, others are integers. */
static void add_real(struct etl_text *t, double v, bool single)
{
	char buf[SPELL_MAX];
	size_t size = single ? etl_spell_float(buf, (float)v) : etl_spell_double(buf, v);
	uint64_t bits;

	memcpy(&bits, &v, sizeof(bits));
	if (isnan(v))
		etl_text_addf(t, "{\"$real\":\"%016llx\"}", (unsigned long long)bits);
	else if (isinf(v))
		etl_text_addf(t, "{\"$real\":\"%s\"}", buf);
	else
		etl_text_addf(t, "%s%s", buf, strpbrk(buf, ".e") ? "" : ".0");
	(void)size;
}

static void add_any(struct etl_text *t, const uint8_t *bytes, int64_t size)
{
	char tag = size > 0 ? (char)bytes[0] : ETL_ANY_BLOB, buf[SPELL_MAX];
	int64_t whole;
	double real;

	if (size == 9 && tag == ETL_ANY_INT) {
		memcpy(&whole, bytes + 1, 8);
		etl_text_add_bytes(t, buf, etl_spell_int(buf, whole));
	} else if (size == 9 && tag == ETL_ANY_REAL) {
		memcpy(&real, bytes + 1, 8);
		add_real(t, real, false);
	} else if (tag == ETL_ANY_TEXT) {
		add_string(t, bytes + 1, size - 1);
	} else {
		add_encoded(t, "$bytes", bytes + (size > 0), size - (size > 0));
	}
}

static void add_fixed(struct etl_text *t, const struct etl_column_view *c, int64_t row)
{
	bool number = c->type.type == ETL_BOOL || c->type.type == ETL_DECIMAL ||
		      (c->type.type >= ETL_INT16 && c->type.type <= ETL_INT64);
	char buf[SPELL_MAX];
	size_t size = etl_spell_fixed(buf, c, row);

	if (number)
		etl_text_add_bytes(t, buf, size);
	else
		etl_text_add_json(t, buf, size);
}

void etl_text_add_json_exact(struct etl_text *t, const struct etl_column_view *c, int64_t row)
{
	const uint8_t *bytes;
	int64_t size;

	if (etl_is_null(c, row)) {
		etl_text_add(t, "null");
	} else if (c->type.type == ETL_FLOAT64) {
		add_real(t, etl_get_float64(c, row), false);
	} else if (c->type.type == ETL_FLOAT32) {
		add_real(t, (double)etl_get_float32(c, row), true);
	} else if (c->width != 0) {
		add_fixed(t, c, row);
	} else {
		bytes = etl_get_bytes(c, row, &size);
		if (c->type.type == ETL_ANY)
			add_any(t, bytes, size);
		else if (c->type.type == ETL_BYTES)
			add_encoded(t, "$bytes", bytes, size);
		else
			add_string(t, bytes, size);
	}
}
