/*
 * Values that are bytes: texts, which the server takes only without NUL and as UTF-8, bytes, and JSON. A text that
 * is longer than its column is refused also when only spaces would be cut off.
 */
#include "config.h"

#include "encode.h"
#include "json.h"

#define HIGH_BITS UINT64_C(0x8080808080808080)
#define LOW_BITS  UINT64_C(0x0101010101010101)

/* How many of the first bytes are ASCII other than NUL, at least all but seven of them. */
static size_t plain_bytes(const uint8_t *at, size_t size)
{
	size_t i = 0;

	for (; i + 8 <= size; i += 8) {
		uint64_t v;

		memcpy(&v, at + i, 8);
		if ((v | ((v - LOW_BITS) & ~v)) & HIGH_BITS)
			return i;
	}
	while (i < size && at[i] && at[i] < 0x80)
		i++;
	return i;
}

static const char *check_text(const uint8_t *at, size_t size, size_t *ret_chars)
{
	size_t plain = plain_bytes(at, size), chars = plain;

	if (plain < size) {
		if (memchr(at + plain, 0, size - plain))
			return "nul_byte";
		if (etl_utf8_valid(at + plain, size - plain) != size - plain)
			return "invalid_utf8";
		for (size_t i = plain; i < size; i++)
			chars += (at[i] & 0xc0) != 0x80;
	}
	*ret_chars = chars;
	return NULL;
}

static const char *put_bytes_of(struct encode_buffer *b, const uint8_t *at, size_t size)
{
	const char *code = encode_fits(b, size);

	if (code)
		return code;
	if (!encode_room(b, size + 4))
		return "no_memory";
	encode_put32(b, (uint32_t)size);
	if (size)
		memcpy(b->at + b->used, at, size);
	b->used += size;
	return NULL;
}

static const char *put_text(struct encode_column *c, const struct etl_column_view *v, int64_t row,
			    struct encode_buffer *b)
{
	int64_t size;
	const uint8_t *at = etl_get_bytes(v, row, &size);
	size_t chars;
	const char *code = check_text(at, (size_t)size, &chars);

	(void)c;
	return code ? code : put_bytes_of(b, at, (size_t)size);
}

/* varchar(N), char(N): the modifier is N + 4. */
static const char *put_limited(struct encode_column *c, const struct etl_column_view *v, int64_t row,
			       struct encode_buffer *b)
{
	int64_t size;
	const uint8_t *at = etl_get_bytes(v, row, &size);
	size_t chars;
	const char *code = check_text(at, (size_t)size, &chars);

	if (code)
		return code;
	return chars > (size_t)(c->modifier - 4) ? "too_long" : put_bytes_of(b, at, (size_t)size);
}

static const char *put_label(struct encode_column *c, const struct etl_column_view *v, int64_t row,
			     struct encode_buffer *b)
{
	int64_t size;
	const uint8_t *at = etl_get_bytes(v, row, &size);

	for (size_t low = 0, high = c->label_count; low < high;) {
		size_t middle = low + (high - low) / 2, length = strlen(c->labels[middle]);
		size_t both = length < (size_t)size ? length : (size_t)size;
		int order = memcmp(at, c->labels[middle], both);

		if (order == 0 && length == (size_t)size)
			return put_bytes_of(b, at, length);
		if (order < 0 || (order == 0 && (size_t)size < length))
			high = middle;
		else
			low = middle + 1;
	}
	return "not_a_label";
}

static const char *put_bytea(struct encode_column *c, const struct etl_column_view *v, int64_t row,
			     struct encode_buffer *b)
{
	int64_t size;
	const uint8_t *at = etl_get_bytes(v, row, &size);

	(void)c;
	return put_bytes_of(b, at, (size_t)size);
}

/* ---- JSON ------------------------------------------------------------------------------------------------------- */

static const char *check_json(const uint8_t *at, size_t size)
{
	size_t chars;
	const char *code = check_text(at, size, &chars);

	if (code)
		return code;
	return etl_json_valid((const char *)at, size) ? NULL : "not_json";
}

static const char *put_json(struct encode_column *c, const struct etl_column_view *v, int64_t row,
			    struct encode_buffer *b)
{
	int64_t size;
	const uint8_t *at = etl_get_bytes(v, row, &size);
	const char *code = check_json(at, (size_t)size);

	(void)c;
	return code ? code : put_bytes_of(b, at, (size_t)size);
}

/* jsonb keeps characters and not escapes: of valid JSON it refuses \u0000 and half a surrogate pair. */
static const char *check_escapes(const uint8_t *at, size_t size)
{
	for (size_t i = 0; i + 1 < size; i++) {
		uint32_t unit;

		if (at[i] != '\\')
			continue;
		if (at[++i] != 'u')
			continue;
		unit = encode_unit(at + i + 1);
		i += 4;
		if (unit == 0)
			return "nul_byte";
		if (unit < 0xd800 || unit > 0xdfff)
			continue;
		if (unit > 0xdbff || i + 6 >= size || at[i + 1] != '\\' || at[i + 2] != 'u')
			return "invalid_utf8";
		unit = encode_unit(at + i + 3);
		if (unit < 0xdc00 || unit > 0xdfff)
			return "invalid_utf8";
		i += 6;
	}
	return NULL;
}

static const char *put_jsonb(struct encode_column *c, const struct etl_column_view *v, int64_t row,
			     struct encode_buffer *b)
{
	int64_t size;
	const uint8_t *at = etl_get_bytes(v, row, &size);
	const char *code = check_json(at, (size_t)size);

	(void)c;
	if (!code)
		code = check_escapes(at, (size_t)size);
	if (!code)
		code = encode_fits(b, (size_t)size + 1);
	if (code)
		return code;
	if (!encode_room(b, (size_t)size + 5))
		return "no_memory";
	encode_put32(b, (uint32_t)size + 1);
	b->at[b->used++] = 1; /* the form's version */
	memcpy(b->at + b->used, at, (size_t)size);
	b->used += (size_t)size;
	return NULL;
}

encode_put *encode_text(const struct encode_column *c, struct etl_type_info from)
{
	if (c->labels)
		return from.type == ETL_TEXT ? put_label : NULL;
	if (!c->by_text && c->oid == OID_BYTEA)
		return from.type == ETL_BYTES ? put_bytea : NULL;
	if (!c->by_text && c->oid == OID_JSON)
		return from.type == ETL_JSON ? put_json : NULL;
	if (!c->by_text && c->oid == OID_JSONB)
		return from.type == ETL_JSON ? put_jsonb : NULL;
	if (!c->by_text && c->oid != OID_TEXT && c->oid != OID_VARCHAR && c->oid != OID_BPCHAR)
		return NULL;
	if (c->by_text && c->list && from.type == ETL_JSON)
		return encode_list;
	if (from.type != ETL_TEXT && from.type != ETL_JSON && from.type != ETL_NUMERIC)
		return NULL;
	return !c->by_text && c->oid != OID_TEXT && c->modifier >= 4 ? put_limited : put_text;
}
