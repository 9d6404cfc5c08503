/* See remake.h. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "remake.h"

struct etl_column etl_remake_column(const char *name, struct etl_type_info type)
{
	return (struct etl_column){ .name = name, .type = type.type, .precision = type.precision, .scale = type.scale };
}

int etl_remake_no_memory(const struct etl_remake *r)
{
	return r->host->fail(r->err, ETL_MEMORY, NULL, 0, "%s", r->no_memory);
}

int etl_remake_enomem(const struct etl_remake *r)
{
	etl_remake_no_memory(r);
	return ENOMEM;
}

/* ---- A batch ---- */

/* Fills MADE with the columns of a batch, KEEP, which has room for each row, with the rows that go on. */
static int make_values(struct etl_remake *r, const struct ArrowArray *batch, struct ArrowArray *made, int64_t *keep,
		       int64_t *ret_kept)
{
	struct etl_builder *builder = etl_builder_new(&r->made, batch->length > 0 ? batch->length : 1);
	int rc = builder && etl_view_set(r->view, batch) ? 0 : etl_remake_enomem(r);
	int64_t kept = 0;

	for (int64_t row = 0; rc == 0 && row < batch->length; row++) {
		bool stays = true;

		rc = r->row(r, builder, batch, row, &stays);
		if (stays)
			keep[kept++] = row;
	}
	if (rc == 0 && !etl_builder_finish(builder, made))
		rc = etl_remake_enomem(r);
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

/* A batch whose columns are still to come: each is released already. False: no memory. */
static bool make_frame(struct ArrowArray *ret, int64_t columns, int64_t rows)
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

/* Column FROM of BATCH as it is seen in the batch: its offset counts for its columns, which are about to lose it. */
static void move_column(struct ArrowArray *to, struct ArrowArray *batch, int64_t from)
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

/* The rows of WHOLE that go on: moved where that is all of them, a batch of their own else; none: OUT is not filled. False: no memory. */
static bool keep_rows(struct ArrowArray *out, const struct ArrowSchema *schema, struct ArrowArray *whole, const int64_t *keep,
		      int64_t kept)
{
	if (kept != whole->length)
		return kept == 0 || etl_batch_take(out, schema, whole, keep, kept);
	*out = *whole;
	whole->release = NULL;
	return true;
}

/* Takes over BATCH's columns; BATCH itself stays to be released. None of its rows goes on: OUT is not filled. */
static int remake_batch(struct etl_remake *r, struct ArrowArray *batch, struct ArrowArray *out)
{
	int64_t *keep = malloc(((size_t)batch->length + 1) * sizeof(*keep)), kept = batch->length;
	struct ArrowArray made = { .release = NULL }, frame = { .release = NULL };
	int rc = keep ? 0 : etl_remake_enomem(r);

	if (rc == 0 && r->row)
		rc = make_values(r, batch, &made, keep, &kept);
	if (r->filtered > 0)
		r->host->count(r->context, ETL_COUNT_FILTERED, r->filtered);
	r->filtered = 0;
	if (rc == 0 && !make_frame(&frame, r->out_schema.n_children, batch->length))
		rc = etl_remake_enomem(r);
	for (int64_t i = 0; rc == 0 && i < r->out_schema.n_children; i++)
		move_column(frame.children[i], r->from[i] < 0 ? &made : batch, r->from[i] < 0 ? -1 - r->from[i] : r->from[i]);
	if (rc == 0 && !keep_rows(out, &r->out_schema, &frame, keep, kept))
		rc = etl_remake_enomem(r);
	if (frame.release)
		frame.release(&frame);
	if (made.release)
		made.release(&made);
	free(keep);
	return rc;
}

/* ---- The stream ---- */

static int remake_next(struct ArrowArrayStream *stream, struct ArrowArray *out)
{
	struct etl_remake *r = stream->private_data;
	int rc = 0;

	out->release = NULL;
	while (rc == 0 && !out->release) {
		struct ArrowArray batch = { .release = NULL };

		rc = r->in.get_next(&r->in, &batch);
		if (rc != 0 || !batch.release)
			return rc;
		rc = remake_batch(r, &batch, out);
		batch.release(&batch);
	}
	return rc;
}

static int remake_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out)
{
	const struct etl_remake *r = stream->private_data;

	return etl_schema_copy(out, &r->out_schema) ? 0 : etl_remake_enomem(r);
}

static const char *remake_last_error(struct ArrowArrayStream *stream)
{
	struct etl_remake *r = stream->private_data;

	return r->in.get_last_error(&r->in);
}

static void remake_release(struct ArrowArrayStream *stream)
{
	struct etl_remake *r = stream->private_data;

	r->close(r);
	stream->release = NULL;
}

void *etl_remake_new(size_t size, const struct etl_host *host, const struct etl_wrap *wrap, struct etl_error *err, const char *no_memory)
{
	struct etl_remake *r = calloc(1, size);

	if (r)
		*r = (struct etl_remake){ .host = host, .context = wrap->context, .err = err, .no_memory = no_memory };
	else
		host->fail(err, ETL_MEMORY, NULL, 0, "%s", no_memory);
	return r;
}

int etl_remake_begin(struct etl_remake *r, struct ArrowArrayStream *in)
{
	if (in->get_schema(in, &r->in_schema) != 0)
		return ETL_FAILED;
	r->view = etl_view_new(&r->in_schema);
	return r->view ? ETL_OK : etl_remake_no_memory(r);
}

void etl_remake_stream(struct etl_remake *r, struct ArrowArrayStream *in, struct ArrowArrayStream *out)
{
	r->in = *in;
	in->release = NULL;
	*out = (struct ArrowArrayStream){
		.get_schema = remake_schema,
		.get_next = remake_next,
		.get_last_error = remake_last_error,
		.release = remake_release,
		.private_data = r,
	};
}

void etl_remake_free(struct etl_remake *r)
{
	struct ArrowSchema *schemas[] = { &r->in_schema, &r->out_schema, &r->made };

	if (r->in.release)
		r->in.release(&r->in);
	for (size_t i = 0; i < sizeof(schemas) / sizeof(schemas[0]); i++)
		if (schemas[i]->release)
			schemas[i]->release(schemas[i]);
	etl_view_free(r->view);
	free(r->from);
}
