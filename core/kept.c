/* See kept.h. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "context.h"
#include "kept.h"
#include "log.h"
#include "reject.h"

#define PIECES_AT_ONCE 512

enum { NAME, NUMBER, BYTES, WORDS };

static bool make_schema(struct ArrowSchema *ret, bool named)
{
	static const struct etl_column columns[] = { { .name = "name", .type = ETL_TEXT },
						     { .name = "number", .type = ETL_INT64 },
						     { .name = "bytes", .type = ETL_BYTES },
						     { .name = "words", .type = ETL_TEXT } };
	size_t from = named ? NAME : NUMBER;

	return etl_schema_make(ret, columns + from, sizeof(columns) / sizeof(*columns) - from, sizeof(*columns));
}

/* ---- Reading --------------------------------------------------------------------------------- */

struct kept_reader {
	struct etl_dataset_sink sink;
	struct instance *instance;
	struct etl_context context;
	struct ArrowSchema schema;
	struct ArrowArrayStream stream;
	struct ArrowArray batch;
	struct etl_view *view;
	struct etl_text name;
	int64_t row;
	struct etl_error *err; /* of the call under way */
	struct etl_error own;  /* what the stream has */
};

static int on_dataset(struct etl_dataset_sink *self, const struct etl_dataset *dataset)
{
	static const struct etl_split everything = { .first = INT64_MIN, .last = INT64_MAX, .rows = ETL_UNKNOWN };
	struct kept_reader *r = (struct kept_reader *)(void *)self;
	struct etl_read read = { .dataset = *dataset, .want = &r->schema, .context = &r->context };
	const struct etl_source *source = &r->instance->plugin->source;

	return source->read(r->instance->self, &read, &everything, &r->stream, instance_error(r->instance, &r->own));
}

int kept_open(const struct plugin_use *target, const struct host_limits *limits, const struct etl_keep *keep,
	      struct kept_reader **ret, struct etl_error *err)
{
	struct kept_reader *r = calloc(1, sizeof(*r));
	struct host_limits looks = *limits;
	int rc;

	*ret = NULL;
	if (!r)
		return error_memory(err);
	r->sink.emit = on_dataset;
	r->context = (struct etl_context){ .side = SIDE_TARGET, .err = &r->own };
	looks.intent = ETL_LOOKS;
	r->view = make_schema(&r->schema, true) ? etl_view_new(&r->schema) : NULL;
	rc = r->view ? instance_open(target, ETL_ROLE_TARGET, &looks, &r->instance, err) : error_memory(err);
	if (rc == 0)
		rc = target->plugin->target.kept(r->instance->self, keep, &r->sink, instance_error(r->instance, &r->own));
	if (rc < 0 && r->own.set)
		error_move(err, &r->own);
	if (rc < 0 || !r->stream.release)
		kept_close(r);
	else
		*ret = r;
	return rc;
}

/* 1: the next batch is there. */
static int next_batch(struct kept_reader *r, struct etl_error *err)
{
	if (r->batch.release)
		r->batch.release(&r->batch);
	memset(&r->batch, 0, sizeof(r->batch));
	r->row = 0;
	if (r->stream.get_next(&r->stream, &r->batch)) {
		if (host_canceled())
			return ETL_CANCELED;
		if (!r->own.set)
			return error_set(err, ETL_FATAL, "what was kept of earlier runs cannot be read");
		error_move(err, &r->own);
		return ETL_FAILED;
	}
	if (!r->batch.release)
		return 0;
	return etl_view_set(r->view, &r->batch) ? 1 : error_memory(err);
}

static void take_row(struct kept_reader *r, struct kept_piece *ret)
{
	const struct etl_column_view *c = r->view->columns;
	int64_t size = 0;
	const void *at = etl_get_bytes(&c[NAME], r->row, &size);

	r->name.length = 0;
	etl_text_add_bytes(&r->name, at, (size_t)size);
	*ret = (struct kept_piece){ .name = r->name.at, .number = etl_get_int64(&c[NUMBER], r->row) };
	if (!etl_is_null(&c[BYTES], r->row)) {
		ret->bytes = etl_get_bytes(&c[BYTES], r->row, &size);
		ret->size = (size_t)size;
	}
	if (!etl_is_null(&c[WORDS], r->row)) {
		ret->words = (const char *)etl_get_bytes(&c[WORDS], r->row, &size);
		ret->length = (size_t)size;
	}
	r->row++;
}

int kept_next(struct kept_reader *r, struct kept_piece *ret, struct etl_error *err)
{
	int rc;

	if (!r)
		return 0;
	while (!r->batch.release || r->row == r->batch.length) {
		rc = next_batch(r, err);
		if (rc <= 0)
			return rc;
	}
	take_row(r, ret);
	return r->name.failed ? error_memory(err) : 1;
}

void kept_close(struct kept_reader *r)
{
	if (!r)
		return;
	if (r->batch.release)
		r->batch.release(&r->batch);
	if (r->stream.release)
		r->stream.release(&r->stream);
	if (r->schema.release)
		r->schema.release(&r->schema);
	etl_view_free(r->view);
	etl_text_free(&r->name);
	context_clear(&r->context);
	instance_close(r->instance);
	error_clear(&r->own);
	free(r);
}

/* ---- Writing --------------------------------------------------------------------------------- */

struct writing {
	struct kept_source *source;
	struct ArrowSchema schema;
	struct etl_builder *builder;
	struct etl_error *err;
	bool ended;
};

static int writing_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out)
{
	struct writing *w = stream->private_data;

	return etl_schema_copy(out, &w->schema) ? 0 : ENOMEM;
}

static bool put_bytes(struct etl_column_builder *c, const void *at, size_t size)
{
	if (at)
		return etl_put_bytes(c, at, (int64_t)size);
	etl_put_null(c);
	return true;
}

static bool put(struct writing *w, const struct kept_piece *piece)
{
	struct etl_column_builder *c = w->builder->columns;

	etl_put_int64(&c[NUMBER - 1], piece->number);
	return put_bytes(&c[BYTES - 1], piece->bytes, piece->size) && put_bytes(&c[WORDS - 1], piece->words, piece->length);
}

static int writing_next(struct ArrowArrayStream *stream, struct ArrowArray *out)
{
	struct writing *w = stream->private_data;
	struct kept_piece piece;
	int rc = 0;

	memset(out, 0, sizeof(*out));
	while (!w->ended && etl_builder_rows(w->builder) < PIECES_AT_ONCE) {
		rc = w->source->next(w->source, &piece, w->err);
		if (rc < 0)
			return EIO;
		w->ended = rc == 0;
		if (rc > 0 && !put(w, &piece)) {
			error_memory(w->err);
			return ENOMEM;
		}
	}
	if (etl_builder_rows(w->builder) == 0)
		return 0;
	return etl_builder_finish(w->builder, out) ? 0 : ENOMEM;
}

static const char *writing_error(struct ArrowArrayStream *stream)
{
	struct writing *w = stream->private_data;

	return w->err->message;
}

static void writing_release(struct ArrowArrayStream *stream)
{
	struct writing *w = stream->private_data;

	if (w->schema.release)
		w->schema.release(&w->schema);
	etl_builder_free(w->builder);
	free(w);
	stream->release = NULL;
}

int kept_stream(struct kept_source *source, struct ArrowArrayStream *ret, struct etl_error *err)
{
	struct writing *w = calloc(1, sizeof(*w));

	if (!w)
		return error_memory(err);
	w->source = source;
	w->err = err;
	*ret = (struct ArrowArrayStream){ writing_schema, writing_next, writing_error, writing_release, w };
	w->builder = make_schema(&w->schema, false) ? etl_builder_new(&w->schema, PIECES_AT_ONCE) : NULL;
	if (w->builder)
		return 0;
	writing_release(ret);
	return error_memory(err);
}

int kept_write(struct instance *target, const struct etl_keep *keep, struct kept_source *source, struct etl_error *err)
{
	struct ArrowArrayStream stream = { .release = NULL };
	int rc = kept_stream(source, &stream, err);

	if (rc == 0)
		rc = target->plugin->target.keep(target->self, NULL, NULL, NULL, keep, &stream, instance_error(target, err));
	if (stream.release)
		stream.release(&stream);
	return rc;
}
