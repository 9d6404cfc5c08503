/*
 * Batches built column by column.
 *
 * A builder has room for a fixed number of rows, so that a put of a fixed-width value needs no check;
 * only the bytes of variable columns grow, by doubling. Finishing hands the buffers to the batch and takes
 * fresh ones, allocated before anything moves: a failure leaves the rows where they were. Every column of
 * a batch owns its own buffers, so a consumer may move single columns out.
 */
#include "config.h"

#include <limits.h>
#include <stdlib.h>

#include <etlrun/helpers.h>

#include "width.h"

#define FIRST_BYTES 1024
#define TRIMMED_BYTES (64 << 10) /* less is not worth a call */

/* What a column of a finished batch owns: its buffer table. */
struct owned {
	const void *buffers[3];
};

static size_t bit_bytes(int64_t capacity)
{
	return (size_t)(capacity + 7) / 8 + 8;
}

static void column_free(struct etl_column_builder *c)
{
	free(c->validity);
	free(c->values);
	free(c->offsets);
	free(c->bytes);
}

/* Empty buffers of a column of TYPE; ROOM bytes for values of a variable one. */
static bool column_init(struct etl_column_builder *c, struct etl_type_info type, int64_t capacity,
			int64_t room)
{
	memset(c, 0, sizeof(*c));
	c->type = type;
	c->width = width_of(type.type);
	c->validity = calloc(1, bit_bytes(capacity));
	if (c->width > 0)
		c->values = malloc((size_t)capacity * (size_t)c->width + 1);
	else if (c->width < 0)
		c->values = calloc(1, bit_bytes(capacity));
	else
		c->offsets = malloc(((size_t)capacity + 1) * sizeof(*c->offsets));
	if (!c->validity || (!c->values && !c->offsets))
		goto fail;
	if (c->width == 0) {
		c->bytes = malloc((size_t)room);
		if (!c->bytes)
			goto fail;
		c->offsets[0] = 0;
		c->room = room;
	}
	return true;
fail:
	column_free(c);
	return false;
}

struct etl_builder *etl_builder_new(const struct ArrowSchema *schema, int64_t capacity)
{
	struct etl_builder *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->capacity = capacity > 0 ? capacity : 1;
	b->columns = calloc((size_t)schema->n_children + 1, sizeof(*b->columns));
	if (!b->columns)
		goto fail;
	for (int64_t i = 0; i < schema->n_children; i++) {
		struct etl_type_info type = etl_type_of(schema->children[i]);

		if (type.type == ETL_TYPE_NONE ||
		    !column_init(&b->columns[i], type, b->capacity, FIRST_BYTES))
			goto fail;
		b->count++;
	}
	return b;
fail:
	etl_builder_free(b);
	return NULL;
}

void etl_builder_free(struct etl_builder *b)
{
	if (!b)
		return;
	for (int64_t i = 0; i < b->count; i++)
		column_free(&b->columns[i]);
	free(b->columns);
	free(b);
}

int64_t etl_builder_rows(const struct etl_builder *b)
{
	return b->count > 0 ? b->columns[0].rows : 0;
}

int64_t etl_builder_bytes(const struct etl_builder *b)
{
	int64_t bytes = 0;

	for (int64_t i = 0; i < b->count; i++) {
		const struct etl_column_builder *c = &b->columns[i];

		if (c->width > 0)
			bytes += c->rows * c->width;
		else if (c->width == 0)
			bytes += c->used + c->rows * 4;
		else
			bytes += (c->rows + 7) / 8;
	}
	return bytes;
}

static void clear_bits(uint8_t *bits, int64_t from, int64_t to)
{
	for (int64_t i = from; i < to; i++)
		bits[i >> 3] &= (uint8_t) ~(1u << (i & 7));
}

static int64_t count_nulls(const struct etl_column_builder *c, int64_t from)
{
	int64_t nulls = 0;

	for (int64_t i = from; i < c->rows; i++)
		nulls += !(c->validity[i >> 3] >> (i & 7) & 1);
	return nulls;
}

void etl_builder_truncate(struct etl_builder *b, int64_t rows)
{
	for (int64_t i = 0; i < b->count; i++) {
		struct etl_column_builder *c = &b->columns[i];

		if (c->rows <= rows)
			continue;
		c->nulls -= count_nulls(c, rows);
		clear_bits(c->validity, rows, c->rows);
		if (c->width < 0)
			clear_bits(c->values, rows, c->rows);
		else if (c->width == 0)
			c->used = c->offsets[rows];
		c->rows = rows;
	}
}

bool etl_column_grow(struct etl_column_builder *c, int64_t size)
{
	int64_t room = c->room > 0 ? c->room : FIRST_BYTES;
	uint8_t *bytes;

	if (size > INT32_MAX - c->used)
		return false;
	while (room < c->used + size)
		room *= 2;
	if (room > INT32_MAX)
		room = INT32_MAX;
	bytes = realloc(c->bytes, (size_t)room);
	if (!bytes)
		return false;
	c->bytes = bytes;
	c->room = room;
	return true;
}

static void column_release(struct ArrowArray *array)
{
	struct owned *owned = array->private_data;

	for (int64_t i = 0; i < array->n_buffers; i++)
		free((void *)(uintptr_t)owned->buffers[i]);
	free(owned);
	array->release = NULL;
}

static void batch_release(struct ArrowArray *array)
{
	for (int64_t i = 0; i < array->n_children; i++) {
		if (array->children[i] && array->children[i]->release)
			array->children[i]->release(array->children[i]);
		free(array->children[i]);
	}
	free(array->children);
	free(array->private_data);
	array->release = NULL;
}

/* A batch whose columns have a place for their buffers but none yet. */
static bool batch_make(struct ArrowArray *ret, int64_t columns, int64_t rows)
{
	memset(ret, 0, sizeof(*ret));
	ret->release = batch_release;
	ret->length = rows;
	ret->n_buffers = 1;
	ret->private_data = calloc(1, sizeof(struct owned));
	ret->children = calloc((size_t)columns + 1, sizeof(*ret->children));
	if (!ret->private_data || !ret->children)
		goto fail;
	ret->buffers = ((struct owned *)ret->private_data)->buffers;
	ret->n_children = columns;
	for (int64_t i = 0; i < columns; i++) {
		struct ArrowArray *child = calloc(1, sizeof(*child));

		ret->children[i] = child;
		if (!child)
			goto fail;
		child->private_data = calloc(1, sizeof(struct owned));
		if (!child->private_data)
			goto fail;
		child->release = column_release;
	}
	return true;
fail:
	batch_release(ret);
	return false;
}

/* What a batch does not use it does not keep: many of them wait at once. */
static void *trim(void *buffer, int64_t room, int64_t used)
{
	void *less;

	if (room - used < TRIMMED_BYTES)
		return buffer;
	less = realloc(buffer, used ? (size_t)used : 1);
	return less ? less : buffer;
}

static void column_trim(struct etl_column_builder *c, int64_t capacity)
{
	if (c->width > 0)
		c->values = trim(c->values, capacity * c->width, c->rows * c->width);
	if (c->width != 0)
		return;
	c->offsets = trim(c->offsets, (capacity + 1) * (int64_t)sizeof(*c->offsets),
			  (c->rows + 1) * (int64_t)sizeof(*c->offsets));
	c->bytes = trim(c->bytes, c->room, c->used);
}

/* Hands the buffers of C to CHILD; FRESH takes their place. */
static void column_move(struct ArrowArray *child, struct etl_column_builder *c,
			const struct etl_column_builder *fresh)
{
	struct owned *owned = child->private_data;

	child->length = c->rows;
	child->null_count = c->nulls;
	child->n_buffers = c->width == 0 ? 3 : 2;
	child->buffers = owned->buffers;
	owned->buffers[0] = c->validity;
	if (c->width == 0) {
		owned->buffers[1] = c->offsets;
		owned->buffers[2] = c->bytes;
	} else {
		owned->buffers[1] = c->values;
	}
	*c = *fresh;
}

bool etl_builder_finish(struct etl_builder *b, struct ArrowArray *ret)
{
	struct etl_column_builder *fresh = calloc((size_t)b->count + 1, sizeof(*fresh));
	struct ArrowArray batch;
	int64_t made = 0;

	if (!fresh)
		return false;
	for (; made < b->count; made++) {
		const struct etl_column_builder *c = &b->columns[made];
		/* A batch is seldom much larger than the one before, and one byte too little would double it. */
		int64_t room = c->used > FIRST_BYTES ? c->used + c->used / 8 : FIRST_BYTES;

		if (!column_init(&fresh[made], c->type, b->capacity, room < INT32_MAX ? room : INT32_MAX))
			goto fail;
	}
	if (!batch_make(&batch, b->count, etl_builder_rows(b)))
		goto fail;
	for (int64_t i = 0; i < b->count; i++) {
		column_trim(&b->columns[i], b->capacity);
		column_move(batch.children[i], &b->columns[i], &fresh[i]);
	}
	free(fresh);
	*ret = batch;
	return true;
fail:
	while (made > 0)
		column_free(&fresh[--made]);
	free(fresh);
	return false;
}
