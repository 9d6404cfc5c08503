/*
 * Batches read value by value. A view is made once for a schema and pointed at one batch after the other;
 * buffers that a producer may leave out (all values there, or no bytes at all) stand in as zeros, so the
 * inline readers of helpers.h need no test.
 */
#include "config.h"

#include <stdlib.h>

#include <etlrun/helpers.h>

#include "width.h"

static const int32_t no_offsets[2] = { 0, 0 };
static const uint8_t no_bytes[16] = { 0 };

struct etl_view *etl_view_new(const struct ArrowSchema *schema)
{
	struct etl_view *view = calloc(1, sizeof(*view));

	if (!view)
		return NULL;
	view->count = schema->n_children;
	view->columns = calloc((size_t)view->count + 1, sizeof(*view->columns));
	if (!view->columns)
		goto fail;
	for (int64_t i = 0; i < view->count; i++) {
		struct etl_column_view *c = &view->columns[i];

		c->type = etl_type_of(schema->children[i]);
		if (c->type.type == ETL_TYPE_NONE)
			goto fail;
		c->width = width_of(c->type.type);
	}
	return view;
fail:
	etl_view_free(view);
	return NULL;
}

void etl_view_free(struct etl_view *view)
{
	if (!view)
		return;
	free(view->columns);
	free(view);
}

static bool column_fits(const struct etl_column_view *c, const struct ArrowArray *batch,
			const struct ArrowArray *child)
{
	if (child->n_buffers != (c->width == 0 ? 3 : 2))
		return false;
	if (child->length < batch->length + batch->offset)
		return false;
	if (batch->length == 0)
		return true;
	if (child->null_count > 0 && !child->buffers[0])
		return false;
	return child->buffers[1] != NULL;
}

static void column_set(struct etl_column_view *c, const struct ArrowArray *batch,
		       const struct ArrowArray *child)
{
	c->offset = batch->offset + child->offset;
	c->validity = child->null_count == 0 ? NULL : child->buffers[0];
	c->values = no_bytes;
	c->offsets = no_offsets;
	c->bytes = no_bytes;
	if (c->width != 0 && child->buffers[1]) {
		c->values = child->buffers[1];
	} else if (c->width == 0) {
		if (child->buffers[1])
			c->offsets = child->buffers[1];
		if (child->buffers[2])
			c->bytes = child->buffers[2];
	}
}

bool etl_view_set(struct etl_view *view, const struct ArrowArray *batch)
{
	if (batch->n_children != view->count)
		return false;
	for (int64_t i = 0; i < view->count; i++)
		if (!column_fits(&view->columns[i], batch, batch->children[i]))
			return false;
	view->rows = batch->length;
	for (int64_t i = 0; i < view->count; i++)
		column_set(&view->columns[i], batch, batch->children[i]);
	return true;
}
