/*
 * The text form of a row, which a server can make with its own SQL, and its hashes c1 and p1: plugin.h
 * says what each type is written as. What two servers computed is compared with each other, never with
 * x1; what is written here is the reference that they are held to.
 */
#include "config.h"

#include <math.h>
#include <stdio.h>

#include <nettle/sha2.h>

#include "canon-parts.h"
#include "lookup3.h"
#include "../plugins/lib/number.h"

#define HEAD_MAX 24 /* `,N:` */

/* HEAD_SIZE bytes of HEAD, then SIZE of TEXT. */
static bool put(struct canon *c, const char *head, size_t head_size, const void *text, size_t size)
{
	if (!canon_reserve(c, size + head_size))
		return false;
	memcpy(c->scratch + c->used, head, head_size);
	c->used += head_size;
	if (size)
		memcpy(c->scratch + c->used, text, size);
	c->used += size;
	return true;
}

/* A text in which no comma can be. */
static bool put_field(struct canon *c, const void *text, size_t size, bool first)
{
	return put(c, ",", first ? 0 : 1, text, size);
}

static bool put_counted(struct canon *c, const void *text, size_t size, bool first)
{
	char head[HEAD_MAX];
	int length = snprintf(head, sizeof(head), "%s%zu:", first ? "" : ",", size);

	return length > 0 && put(c, head, (size_t)length, text, size);
}

static bool put_whole(struct canon *c, int64_t v, bool first)
{
	char buf[SPELL_MAX];

	return put_field(c, buf, etl_spell_int(buf, v), first);
}

static bool put_real(struct canon *c, double v, bool first)
{
	uint64_t bits;
	char buf[17];

	if (isnan(v))
		bits = UINT64_C(0x7ff8000000000000);
	else if (v == 0)
		bits = 0;
	else
		memcpy(&bits, &v, 8);
	snprintf(buf, sizeof(buf), "%016llx", (unsigned long long)bits);
	return put_field(c, buf, 16, first);
}

static bool put_hex(struct canon *c, const uint8_t *bytes, size_t size, bool first)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t *at;

	if (!canon_reserve(c, size * 2 + 1))
		return false;
	at = c->scratch + c->used;
	if (!first)
		*at++ = ',';
	for (size_t i = 0; i < size; i++) {
		*at++ = (uint8_t)digits[bytes[i] >> 4];
		*at++ = (uint8_t)digits[bytes[i] & 15];
	}
	c->used = (size_t)(at - c->scratch);
	return true;
}

/* A numeric that is no number (a store's NaN) stands as it is. */
static bool put_numeric(struct canon *c, const char *text, size_t size, bool first)
{
	struct etl_text t = { .at = NULL };
	struct number n;
	bool ok;

	if (!etl_number_parse(&n, text, size) || etl_number_text(&n, &t) != NULL)
		ok = !t.failed && put_field(c, text, size, first);
	else
		ok = put_field(c, t.at, canon_trim(t.at, t.length), first);
	etl_text_free(&t);
	return ok;
}

static bool put_variable(struct canon *c, const struct etl_column_view *col, int64_t row,
			 bool first)
{
	int64_t size;
	const uint8_t *bytes = etl_get_bytes(col, row, &size);

	switch (col->type.type) {
	case ETL_NUMERIC:
		return put_numeric(c, (const char *)bytes, (size_t)size, first);
	case ETL_BYTES:
		return put_hex(c, bytes, (size_t)size, first);
	default:
		return put_counted(c, bytes, (size_t)size, first);
	}
}

bool canon_text_value(struct canon *c, const struct etl_column_view *col, int64_t row, bool first)
{
	char buf[SPELL_MAX];

	if (etl_is_null(col, row))
		return put_field(c, "~", 1, first);
	switch (col->type.type) {
	case ETL_BOOL:
		return put_whole(c, etl_get_bool(col, row), first);
	case ETL_INT16:
		return put_whole(c, etl_get_int16(col, row), first);
	case ETL_INT32:
	case ETL_DATE:
		return put_whole(c, etl_get_int32(col, row), first);
	case ETL_INT64:
	case ETL_TIME:
	case ETL_TIMESTAMP:
	case ETL_INSTANT:
		return put_whole(c, etl_get_int64(col, row), first);
	case ETL_FLOAT32:
		return put_real(c, (double)etl_get_float32(col, row), first);
	case ETL_FLOAT64:
		return put_real(c, etl_get_float64(col, row), first);
	case ETL_DECIMAL:
		return put_field(c, buf,
				 canon_trim(buf, etl_spell_decimal(
							 buf,
							 etl_decimal_get(etl_get_fixed(col, row)),
							 col->type.scale)),
				 first);
	case ETL_UUID:
		return put_hex(c, etl_get_fixed(col, row), 16, first);
	default:
		return put_variable(c, col, row, first);
	}
}

static uint64_t hash_c1(const uint8_t *text, size_t size)
{
	struct sha256_ctx ctx;
	uint8_t digest[8];
	uint64_t hash = 0;

	sha256_init(&ctx);
	sha256_update(&ctx, size, text);
	sha256_digest(&ctx, sizeof(digest), digest);
	for (size_t i = 0; i < sizeof(digest); i++)
		hash = hash << 8 | digest[i];
	return hash;
}

uint64_t canon_text_hash(const struct canon *c)
{
	return c->hash == ETL_HASH_C1 ? hash_c1(c->scratch, c->used) :
					lookup3_hash(c->scratch, c->used);
}
