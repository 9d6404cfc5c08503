/*
 * The binary form and its hash, row by row: the row's bytes are laid into one scratch buffer and
 * hashed once. That was faster than hashing values and mixing, and it makes the order of columns
 * count by itself.
 *
 * The scratch buffer always has CANON_FIXED_MAX bytes a column to spare, so only variable values check
 * for room.
 */
#include "config.h"

#include <math.h>
#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "canon-parts.h"
#include "../plugins/lib/number.h"

enum tag {
	TAG_NULL,
	TAG_INT,
	TAG_REAL,
	TAG_NUMBER,
	TAG_TEXT,
	TAG_BYTES,
	TAG_DATE,
	TAG_TIME,
	TAG_TIMESTAMP,
	TAG_INSTANT,
	TAG_UUID
};

/* ---- Values ---------------------------------------------------------------------------------- */

bool canon_reserve(struct canon *c, size_t size)
{
	size_t need = c->used + size + c->spare, room = c->room;
	uint8_t *scratch;

	if (need <= room)
		return true;
	while (room < need)
		room *= 2;
	scratch = realloc(c->scratch, room);
	if (!scratch)
		return false;
	c->scratch = scratch;
	c->room = room;
	return true;
}

static void put_whole(struct canon *c, enum tag tag, int64_t v)
{
	uint8_t *at = c->scratch + c->used;

	at[0] = (uint8_t)tag;
	memcpy(at + 1, &v, 8);
	c->used += 9;
}

static void put_real(struct canon *c, double v)
{
	uint64_t bits;

	if (isnan(v))
		bits = UINT64_C(0x7ff8000000000000);
	else if (v == 0)
		bits = 0;
	else
		memcpy(&bits, &v, 8);
	put_whole(c, TAG_REAL, (int64_t)bits);
}

static bool put_bytes(struct canon *c, enum tag tag, const void *bytes, int64_t size)
{
	uint32_t length = (uint32_t)size;
	uint8_t *at;

	if (!canon_reserve(c, (size_t)size + CANON_FIXED_MAX))
		return false;
	at = c->scratch + c->used;
	at[0] = (uint8_t)tag;
	memcpy(at + 1, &length, 4);
	if (size > 0)
		memcpy(at + 5, bytes, (size_t)size);
	c->used += 5 + (size_t)size;
	return true;
}

size_t canon_trim(const char *text, size_t size)
{
	if (!memchr(text, '.', size))
		return size;
	while (text[size - 1] == '0')
		size--;
	return text[size - 1] == '.' ? size - 1 : size;
}

static bool put_decimal(struct canon *c, const uint8_t *v, int32_t scale)
{
	char buf[SPELL_MAX];
	size_t size = etl_spell_decimal(buf, etl_decimal_get(v), scale);

	return put_bytes(c, TAG_NUMBER, buf, (int64_t)canon_trim(buf, size));
}

/* A numeric that is no number (a store's NaN) stands as it is. */
static bool put_numeric(struct canon *c, const char *text, int64_t size)
{
	struct etl_text t = { .at = NULL };
	struct number n;
	bool ok;

	if (!etl_number_parse(&n, text, (size_t)size) || etl_number_text(&n, &t) != NULL) {
		ok = !t.failed && put_bytes(c, TAG_NUMBER, text, size);
	} else {
		ok = put_bytes(c, TAG_NUMBER, t.at, (int64_t)canon_trim(t.at, t.length));
	}
	etl_text_free(&t);
	return ok;
}

static bool put_any(struct canon *c, const uint8_t *bytes, int64_t size)
{
	int64_t whole;
	double real;

	if (size == 9 && bytes[0] == ETL_ANY_INT) {
		memcpy(&whole, bytes + 1, 8);
		put_whole(c, TAG_INT, whole);
		return true;
	}
	if (size == 9 && bytes[0] == ETL_ANY_REAL) {
		memcpy(&real, bytes + 1, 8);
		put_real(c, real);
		return true;
	}
	if (size > 0)
		return put_bytes(c, bytes[0] == ETL_ANY_TEXT ? TAG_TEXT : TAG_BYTES, bytes + 1,
				 size - 1);
	return put_bytes(c, TAG_BYTES, bytes, 0);
}

static bool put_variable(struct canon *c, const struct etl_column_view *col, int64_t row)
{
	int64_t size;
	const uint8_t *bytes = etl_get_bytes(col, row, &size);

	switch (col->type.type) {
	case ETL_NUMERIC:
		return put_numeric(c, (const char *)bytes, size);
	case ETL_BYTES:
		return put_bytes(c, TAG_BYTES, bytes, size);
	case ETL_ANY:
		return put_any(c, bytes, size);
	default:
		return put_bytes(c, TAG_TEXT, bytes, size);
	}
}

static bool put_value(struct canon *c, const struct etl_column_view *col, int64_t row)
{
	if (etl_is_null(col, row)) {
		c->scratch[c->used++] = TAG_NULL;
		return true;
	}
	switch (col->type.type) {
	case ETL_BOOL:
		put_whole(c, TAG_INT, etl_get_bool(col, row));
		return true;
	case ETL_INT16:
		put_whole(c, TAG_INT, etl_get_int16(col, row));
		return true;
	case ETL_INT32:
		put_whole(c, TAG_INT, etl_get_int32(col, row));
		return true;
	case ETL_INT64:
		put_whole(c, TAG_INT, etl_get_int64(col, row));
		return true;
	case ETL_FLOAT32:
		put_real(c, (double)etl_get_float32(col, row));
		return true;
	case ETL_FLOAT64:
		put_real(c, etl_get_float64(col, row));
		return true;
	case ETL_DATE:
		put_whole(c, TAG_DATE, etl_get_int32(col, row));
		return true;
	case ETL_TIME:
		put_whole(c, TAG_TIME, etl_get_int64(col, row));
		return true;
	case ETL_TIMESTAMP:
		put_whole(c, TAG_TIMESTAMP, etl_get_int64(col, row));
		return true;
	case ETL_INSTANT:
		put_whole(c, TAG_INSTANT, etl_get_int64(col, row));
		return true;
	case ETL_DECIMAL:
		return put_decimal(c, etl_get_fixed(col, row), col->type.scale);
	case ETL_UUID:
		c->scratch[c->used++] = TAG_UUID;
		memcpy(c->scratch + c->used, etl_get_fixed(col, row), 16);
		c->used += 16;
		return true;
	default:
		return put_variable(c, col, row);
	}
}

/* ---- Rows ------------------------------------------------------------------------------------ */

static bool hash_row(struct canon *c, const int64_t *columns, int64_t count, int64_t row,
		     uint64_t *ret)
{
	bool text = c->hash != ETL_HASH_X1;

	c->used = 0;
	for (int64_t i = 0; i < count; i++) {
		const struct etl_column_view *col = &c->view->columns[columns[i]];

		if (c->blurred && c->blurred[columns[i]]) {
			c->scratch[c->used++] = etl_is_null(col, row) ? TAG_NULL : TAG_TEXT;
			continue;
		}
		if (!(text ? canon_text_value(c, col, row, i == 0) : put_value(c, col, row)))
			return false;
	}
	*ret = text ? canon_text_hash(c) : XXH3_64bits(c->scratch, c->used);
	return true;
}

static bool is_own(const char *name)
{
	return name && strncmp(name, "etlrun.", 7) == 0;
}

static bool set_columns(struct canon *c, const int64_t *key, size_t key_count)
{
	size_t columns = (size_t)c->schema.n_children;

	c->all = malloc((columns + 1) * sizeof(*c->all));
	c->key = malloc((columns + key_count + 1) * sizeof(*c->key));
	c->blurred = calloc(columns + 1, sizeof(*c->blurred));
	if (!c->all || !c->key || !c->blurred)
		return false;
	for (int64_t i = 0; i < c->schema.n_children; i++)
		if (!is_own(c->schema.children[i]->name))
			c->all[c->all_count++] = i;
	for (size_t i = 0; i < key_count; i++) {
		if (key[i] < 0 || key[i] >= c->schema.n_children)
			return false;
		c->key[c->key_count++] = key[i];
	}
	c->spare = (columns + key_count + 1) * CANON_FIXED_MAX;
	c->room = c->spare + 1024;
	c->scratch = malloc(c->room);
	return c->scratch != NULL;
}

bool canon_offers(const struct ArrowSchema *schema, int32_t hash)
{
	if (hash == ETL_HASH_X1)
		return true;
	if (hash != ETL_HASH_C1 && hash != ETL_HASH_P1)
		return false;
	for (int64_t i = 0; i < schema->n_children; i++)
		if (etl_type_of(schema->children[i]).type == ETL_ANY)
			return false;
	return true;
}

struct canon *canon_new(const struct ArrowSchema *schema, const int64_t *key, size_t key_count,
			int32_t hash)
{
	struct canon *c = canon_offers(schema, hash) ? calloc(1, sizeof(*c)) : NULL;

	if (!c)
		return NULL;
	c->hash = hash;
	if (!etl_schema_copy(&c->schema, schema) || !(c->view = etl_view_new(schema)) ||
	    !set_columns(c, key, key_count)) {
		canon_free(c);
		return NULL;
	}
	return c;
}

void canon_blur(struct canon *c, const bool *columns, size_t count)
{
	for (size_t i = 0; i < count && i < (size_t)c->schema.n_children; i++)
		c->blurred[i] = columns[i];
	for (int64_t i = 0; i < c->key_count; i++)
		c->by_row |= c->blurred[c->key[i]];
}

void canon_skip(struct canon *c, const bool *columns, size_t count)
{
	int64_t left = 0;

	for (int64_t i = 0; i < c->all_count; i++)
		if (c->all[i] >= (int64_t)count || !columns[c->all[i]])
			c->all[left++] = c->all[i];
	c->all_count = left;
}

void canon_free(struct canon *c)
{
	if (!c)
		return;
	if (c->schema.release)
		c->schema.release(&c->schema);
	etl_view_free(c->view);
	free(c->key);
	free(c->all);
	free(c->blurred);
	free(c->scratch);
	free(c);
}

/* The view is on its batch. RET_ROW: or NULL. */
static bool hash_both(struct canon *c, int64_t row, uint64_t *ret_key, uint64_t *ret_row)
{
	bool keyed = c->key_count > 0 && !c->by_row;

	if (!hash_row(c, keyed ? c->key : c->all, keyed ? c->key_count : c->all_count, row, ret_key))
		return false;
	if (ret_row && !keyed)
		*ret_row = *ret_key;
	return !ret_row || !keyed || hash_row(c, c->all, c->all_count, row, ret_row);
}

bool canon_row(struct canon *c, const struct ArrowArray *batch, int64_t row, uint64_t *ret_key,
	       uint64_t *ret_row)
{
	return etl_view_set(c->view, batch) && hash_both(c, row, ret_key, ret_row);
}

bool canon_batch(struct canon *c, const struct ArrowArray *batch, uint64_t *ret_key,
		 uint64_t *ret_row)
{
	if (!etl_view_set(c->view, batch))
		return false;
	for (int64_t row = 0; row < batch->length; row++)
		if (!hash_both(c, row, &ret_key[row], ret_row ? &ret_row[row] : NULL))
			return false;
	return true;
}

void canon_key_text(struct canon *c, const struct ArrowArray *batch, int64_t row,
		    struct etl_text *text)
{
	const int64_t *key = c->key_count > 0 ? c->key : c->all;
	int64_t key_count = c->key_count > 0 ? c->key_count : c->all_count;

	if (!etl_view_set(c->view, batch))
		return;
	for (int64_t i = 0; i < key_count; i++) {
		etl_text_addf(text, "%s%s=", i > 0 ? " " : "", c->schema.children[key[i]]->name);
		etl_text_add_value(text, &c->view->columns[key[i]], row);
	}
}
