/* See remake.h. */
#include "config.h"

#include <stdlib.h>

#include "remake.h"

struct etl_column etl_remake_column(const char *name, struct etl_type_info type)
{
	return (struct etl_column){ .name = name, .type = type.type, .precision = type.precision, .scale = type.scale };
}

int etl_remake_values(struct etl_remake *r, const struct ArrowArray *batch, struct ArrowArray *made, int64_t *keep,
		      int64_t *ret_kept)
{
	struct etl_builder *builder = etl_builder_new(&r->made, batch->length > 0 ? batch->length : 1);
	int rc = builder && etl_view_set(r->view, batch) ? 0 : r->no_memory(r);
	int64_t kept = 0;

	for (int64_t row = 0; rc == 0 && row < batch->length; row++) {
		bool stays = true;

		rc = r->row(r, builder, batch, row, &stays);
		if (stays)
			keep[kept++] = row;
	}
	if (rc == 0 && !etl_builder_finish(builder, made))
		rc = r->no_memory(r);
	etl_builder_free(builder);
	if (rc == 0)
		*ret_kept = kept;
	return rc;
}

static void release_frame(struct ArrowArray *batch)
{
	for (int64_t i = 0; i < batch->n_children; i++) {
		if (batch->children[i]->release)
			batch->children[i]->release(batch->children[i]);
		free(batch->children[i]);
	}
	free(batch->children);
	free(batch->buffers);
	batch->release = NULL;
}

bool etl_remake_frame(struct ArrowArray *ret, int64_t columns, int64_t rows)
{
	*ret = (struct ArrowArray){ .length = rows, .n_buffers = 1, .release = release_frame };
	ret->buffers = calloc(1, sizeof(*ret->buffers));
	ret->children = calloc((size_t)columns + 1, sizeof(*ret->children));
	while (ret->buffers && ret->children && ret->n_children < columns) {
		ret->children[ret->n_children] = calloc(1, sizeof(**ret->children));
		if (!ret->children[ret->n_children])
			break;
		ret->n_children++;
	}
	if (ret->buffers && ret->children && ret->n_children == columns)
		return true;
	release_frame(ret);
	return false;
}

/* The batch's offset counts for its columns, which are about to lose it. */
void etl_remake_move(struct ArrowArray *to, struct ArrowArray *batch, int64_t from)
{
	struct ArrowArray *child = batch->children[from];

	*to = *child;
	child->release = NULL;
	if (batch->offset > 0) {
		to->offset += batch->offset;
		to->null_count = -1;
	}
	to->length = batch->length;
}

bool etl_remake_keep(struct ArrowArray *out, const struct ArrowSchema *schema, struct ArrowArray *whole, const int64_t *keep,
		     int64_t kept)
{
	if (kept != whole->length)
		return kept == 0 || etl_batch_take(out, schema, whole, keep, kept);
	*out = *whole;
	whole->release = NULL;
	return true;
}
