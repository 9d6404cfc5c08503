/*
 * Fixed forms and texts (see decode.h). The bytes are big-endian; moments count from 2000-01-01, and the least and
 * the greatest of them stand for infinity, which no other type has.
 */
#include "config.h"

#include "decode.h"
#include "../lib/spell.h"

#define MICROS_PER_DAY INT64_C(86400000000)

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "decode.h swaps bytes for a little-endian machine"
#endif

#define JSONB_VERSION 1

static const char malformed[] = "type";

/* ---- Fixed width ---------------------------------------------------------------------------------------- */

static const char *put_bool(struct etl_column_builder *to, const uint8_t *bytes, int32_t size)
{
	if (size != 1)
		return malformed;
	etl_put_bool(to, *bytes != 0);
	return NULL;
}

static const char *put_int2(struct etl_column_builder *to, const uint8_t *bytes, int32_t size)
{
	uint16_t v;

	if (size != 2)
		return malformed;
	v = decode_16(bytes);
	etl_put_fixed(to, &v);
	return NULL;
}

static const char *put_int4(struct etl_column_builder *to, const uint8_t *bytes, int32_t size)
{
	if (size != 4)
		return malformed;
	etl_put_int32(to, (int32_t)decode_32(bytes));
	return NULL;
}

static const char *put_int8(struct etl_column_builder *to, const uint8_t *bytes, int32_t size)
{
	if (size != 8)
		return malformed;
	etl_put_int64(to, (int64_t)decode_64(bytes));
	return NULL;
}

/* An oid has no sign. */
static const char *put_oid(struct etl_column_builder *to, const uint8_t *bytes, int32_t size)
{
	if (size != 4)
		return malformed;
	etl_put_int64(to, (int64_t)decode_32(bytes));
	return NULL;
}

static const char *put_int2_wide(struct etl_column_builder *to, const uint8_t *bytes, int32_t size)
{
	if (size != 2)
		return malformed;
	etl_put_int64(to, (int16_t)decode_16(bytes));
	return NULL;
}

static const char *put_int4_wide(struct etl_column_builder *to, const uint8_t *bytes, int32_t size)
{
	if (size != 4)
		return malformed;
	etl_put_int64(to, (int32_t)decode_32(bytes));
	return NULL;
}

static const char *put_uuid(struct etl_column_builder *to, const uint8_t *bytes, int32_t size)
{
	if (size != 16)
		return malformed;
	etl_put_fixed(to, bytes);
	return NULL;
}

static const char *put_date(struct etl_column_builder *to, const uint8_t *bytes, int32_t size)
{
	int32_t days;

	if (size != 4)
		return malformed;
	days = (int32_t)decode_32(bytes);
	if (days == INT32_MAX || days == INT32_MIN)
		return "infinity";
	if (__builtin_add_overflow(days, DECODE_EPOCH_DAYS, &days))
		return "out_of_range";
	etl_put_int32(to, days);
	return NULL;
}

static const char *put_timestamp(struct etl_column_builder *to, const uint8_t *bytes, int32_t size)
{
	int64_t micros;

	if (size != 8)
		return malformed;
	micros = (int64_t)decode_64(bytes);
	if (micros == INT64_MAX || micros == INT64_MIN)
		return "infinity";
	if (__builtin_add_overflow(micros, DECODE_EPOCH_MICROS, &micros))
		return "out_of_range";
	etl_put_int64(to, micros);
	return NULL;
}

/* ---- Texts and bytes -------------------------------------------------------------------------------------- */

static const char *put_bytes(struct etl_column_builder *to, const uint8_t *bytes, int32_t size)
{
	return etl_put_bytes(to, bytes, size) ? NULL : "no_memory";
}

static const char *put_checked(struct etl_column_builder *to, const uint8_t *bytes, int32_t size)
{
	if (etl_utf8_valid(bytes, (size_t)size) != (size_t)size)
		return "invalid_utf8";
	return put_bytes(to, bytes, size);
}

static const char *put_jsonb(struct etl_column_builder *to, const uint8_t *bytes, int32_t size)
{
	if (size < 1 || *bytes != JSONB_VERSION)
		return malformed;
	return put_bytes(to, bytes + 1, size - 1);
}

static const char *put_checked_jsonb(struct etl_column_builder *to, const uint8_t *bytes,
				     int32_t size)
{
	if (size < 1 || *bytes != JSONB_VERSION)
		return malformed;
	return put_checked(to, bytes + 1, size - 1);
}

/* "char": one byte, 0 for none; above 127 it is no character of any encoding. */
static const char *put_char(struct etl_column_builder *to, const uint8_t *bytes, int32_t size)
{
	if (size != 1)
		return malformed;
	if (*bytes > 0x7f)
		return "invalid_utf8";
	return put_bytes(to, bytes, *bytes ? 1 : 0);
}

/* ---- Choosing ---------------------------------------------------------------------------------------------- */

struct form {
	uint32_t oid;
	int32_t type;
	decode_put *put, *checked; /* checked: of texts */
};

static const struct form forms[] = {
	{ OID_BOOL, ETL_BOOL, put_bool, NULL },
	{ OID_INT2, ETL_INT16, put_int2, NULL },
	{ OID_INT4, ETL_INT32, put_int4, NULL },
	{ OID_INT8, ETL_INT64, put_int8, NULL },
	{ OID_OID, ETL_INT64, put_oid, NULL },
	{ OID_FLOAT4, ETL_FLOAT32, put_int4, NULL },
	{ OID_FLOAT8, ETL_FLOAT64, put_int8, NULL },
	{ OID_NUMERIC, ETL_NUMERIC, decode_numeric, NULL },
	{ OID_TEXT, ETL_TEXT, put_bytes, put_checked },
	{ OID_VARCHAR, ETL_TEXT, put_bytes, put_checked },
	{ OID_BPCHAR, ETL_TEXT, put_bytes, put_checked },
	{ OID_NAME, ETL_TEXT, put_bytes, put_checked },
	{ OID_CHAR, ETL_TEXT, put_char, NULL },
	{ OID_BYTEA, ETL_BYTES, put_bytes, NULL },
	{ OID_DATE, ETL_DATE, put_date, NULL },
	{ OID_TIME, ETL_TIME, put_int8, NULL },
	{ OID_TIMESTAMP, ETL_TIMESTAMP, put_timestamp, NULL },
	{ OID_TIMESTAMPTZ, ETL_INSTANT, put_timestamp, NULL },
	{ OID_UUID, ETL_UUID, put_uuid, NULL },
	{ OID_JSON, ETL_JSON, put_bytes, put_checked },
	{ OID_JSONB, ETL_JSON, put_jsonb, put_checked_jsonb },
};

static const struct form *form_of(uint32_t oid)
{
	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++)
		if (forms[i].oid == oid)
			return &forms[i];
	return NULL;
}

bool decode_knows(uint32_t oid)
{
	return form_of(oid) != NULL;
}

int32_t decode_type(uint32_t oid)
{
	const struct form *form = form_of(oid);

	return form ? form->type : ETL_TYPE_NONE;
}

/* Wanted types that a form goes into without its own being made first. */
static decode_put *direct(const struct form *form, struct etl_type_info want, bool checked)
{
	if (form->oid == OID_NUMERIC)
		return want.type == ETL_NUMERIC ? decode_numeric :
		       want.type == ETL_TEXT	? decode_numeric_text :
		       want.type == ETL_DECIMAL ? decode_decimal :
						  NULL;
	if (want.type == ETL_INT64 && form->oid == OID_INT4)
		return put_int4_wide;
	if (want.type == ETL_INT64 && form->oid == OID_INT2)
		return put_int2_wide;
	if (want.type == form->type || (want.type == ETL_TEXT && form->type == ETL_JSON))
		return checked && form->checked ? form->checked : form->put;
	return NULL;
}

bool decode_choose(struct decode_column *c, struct etl_type_info want, bool checked)
{
	const struct form *form = form_of(c->oid);
	struct etl_column column = { .name = "value", .type = form->type };
	struct ArrowSchema schema = { 0 };

	c->own = checked && form->checked ? form->checked : form->put;
	c->put = direct(form, want, checked);
	if (!etl_schema_make(&schema, &column, 1, sizeof(column)))
		return false;
	c->scratch = etl_builder_new(&schema, 1);
	schema.release(&schema);
	return c->scratch != NULL;
}

void decode_clear(struct decode_column *c)
{
	etl_builder_free(c->scratch);
	c->scratch = NULL;
}

/* ---- Values that are looked at one by one ------------------------------------------------------------------ */

/* The value in its own type; RET shows it until the next. */
static const char *look(struct decode_column *c, const uint8_t *bytes, int32_t size,
			struct etl_column_view *ret)
{
	struct etl_column_builder *b = &c->scratch->columns[0];
	const char *code;

	etl_builder_truncate(c->scratch, 0);
	code = c->own(b, bytes, size);
	if (code)
		return code;
	*ret = (struct etl_column_view){ .type = b->type,
					 .width = b->width,
					 .values = b->values,
					 .offsets = b->offsets,
					 .bytes = b->bytes };
	return NULL;
}

const char *decode_value(struct decode_column *c, struct etl_column_builder *to,
			 const uint8_t *bytes, int32_t size)
{
	struct etl_column_view view;
	const char *code;

	if (size < 0) {
		if (c->required)
			return "not_null";
		etl_put_null(to);
		return NULL;
	}
	if (c->put)
		return c->put(to, bytes, size);
	code = look(c, bytes, size, &view);
	return code ? code : etl_convert(to, &view, 0);
}

/* Beyond what microseconds since 1970 can say. */
static void add_moment(struct etl_text *text, int64_t micros)
{
	int64_t days = micros / MICROS_PER_DAY, rest = micros % MICROS_PER_DAY;
	char buf[SPELL_MAX];

	etl_spell_date(buf, days - (rest < 0) + DECODE_EPOCH_DAYS);
	etl_text_add(text, buf);
	etl_spell_time(buf, rest < 0 ? rest + MICROS_PER_DAY : rest);
	etl_text_addf(text, " %s", buf);
}

/* What no type of the profile holds, in the server's own words. */
static void add_odd(const struct decode_column *c, struct etl_text *text, const uint8_t *bytes,
		    int32_t size)
{
	bool moment = (c->oid == OID_TIMESTAMP || c->oid == OID_TIMESTAMPTZ) && size == 8;
	bool negative = size > 0 && c->oid != OID_NUMERIC && bytes[0] & 0x80;
	uint16_t sign = c->oid == OID_NUMERIC && size >= 8 ? decode_16(bytes + 4) : 0;

	switch (sign) {
	case 0xc000:
		etl_text_add(text, "NaN");
		return;
	case 0xd000:
		etl_text_add(text, "Infinity");
		return;
	case 0xf000:
		etl_text_add(text, "-Infinity");
		return;
	default:
		break;
	}
	if ((c->oid == OID_DATE && size == 4) ||
	    (moment && (decode_64(bytes) == INT64_MAX || decode_64(bytes) == (uint64_t)INT64_MIN))) {
		etl_text_add(text, negative ? "-infinity" : "infinity");
		return;
	}
	if (moment) {
		add_moment(text, (int64_t)decode_64(bytes));
		return;
	}
	etl_text_add(text, "\\x");
	for (int32_t i = 0; i < size; i++)
		etl_text_addf(text, "%02x", bytes[i]);
}

void decode_add_json(struct decode_column *c, struct etl_text *text, const uint8_t *bytes,
		     int32_t size)
{
	struct etl_column_view view;
	struct etl_text odd = { 0 };

	if (size < 0) {
		etl_text_add(text, "null");
	} else if (!look(c, bytes, size, &view)) {
		etl_text_add_json_exact(text, &view, 0);
	} else {
		add_odd(c, &odd, bytes, size);
		etl_text_add_json(text, odd.at ? odd.at : "", odd.length);
		text->failed |= odd.failed;
		etl_text_free(&odd);
	}
}

void decode_add_words(struct decode_column *c, struct etl_text *text, const uint8_t *bytes,
		      int32_t size)
{
	struct etl_column_view view;

	if (size < 0)
		etl_text_add(text, "NULL");
	else if (!look(c, bytes, size, &view))
		etl_text_add_value(text, &view, 0);
	else
		add_odd(c, text, bytes, size);
}
