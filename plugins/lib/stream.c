/*
 * Arrow streams made from the least a plugin has to write: a producer that fills a builder, or a filter
 * that decides about one row at a time. Errors were described by the plugin through host->fail before they
 * arrive here; what passes the Arrow callbacks is an errno value.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include <etlrun/helpers.h>

struct producing {
	const struct etl_host *host;
	struct etl_producer *producer;
	struct etl_builder *builder;
	struct ArrowSchema schema;
	const char *error; /* a constant, or NULL */
	bool ended;
};

struct filtering {
	const struct etl_host *host;
	struct etl_context *context;
	struct etl_filter *filter;
	struct ArrowArrayStream in;
	struct ArrowSchema schema;
	struct etl_view *view;
	int64_t *keep; /* rows of the batch at hand */
	int64_t room;
	const char *error; /* a constant, or NULL: ask IN */
};

static const char out_of_memory[] = "out of memory";
static const char wrong_columns[] = "a batch does not have the columns of its schema";

static int errno_of(int status)
{
	return status == ETL_CANCELED ? ECANCELED : EIO;
}

bool etl_builder_full(const struct etl_builder *b, const struct etl_host *host)
{
	int64_t rows = etl_builder_rows(b);

	return rows >= b->capacity || rows >= host->batch_rows ||
	       etl_builder_bytes(b) >= host->batch_bytes;
}

static int producing_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out)
{
	struct producing *p = stream->private_data;

	if (etl_schema_copy(out, &p->schema))
		return 0;
	p->error = out_of_memory;
	return ENOMEM;
}

static int producing_next(struct ArrowArrayStream *stream, struct ArrowArray *out)
{
	struct producing *p = stream->private_data;
	int status;

	if (!p->ended) {
		status = p->producer->fill(p->producer, p->builder);
		if (status < 0)
			return errno_of(status);
		p->ended = status == ETL_FILL_END;
	}
	if (etl_builder_rows(p->builder) == 0) {
		p->ended = true;
		memset(out, 0, sizeof(*out));
		return 0;
	}
	if (etl_builder_finish(p->builder, out))
		return 0;
	p->error = out_of_memory;
	return ENOMEM;
}

static const char *producing_error(struct ArrowArrayStream *stream)
{
	return ((struct producing *)stream->private_data)->error;
}

static void producing_release(struct ArrowArrayStream *stream)
{
	struct producing *p = stream->private_data;

	p->producer->close(p->producer);
	etl_builder_free(p->builder);
	p->schema.release(&p->schema);
	free(p);
	stream->release = NULL;
}

bool etl_stream_open(struct ArrowArrayStream *stream, const struct etl_host *host,
		     const struct ArrowSchema *schema, struct etl_producer *producer)
{
	struct producing *p = calloc(1, sizeof(*p));

	if (!p)
		return false;
	p->host = host;
	p->producer = producer;
	p->builder = etl_builder_new(schema, host->batch_rows);
	if (!p->builder || !etl_schema_copy(&p->schema, schema)) {
		etl_builder_free(p->builder);
		free(p);
		return false;
	}
	memset(stream, 0, sizeof(*stream));
	stream->get_schema = producing_schema;
	stream->get_next = producing_next;
	stream->get_last_error = producing_error;
	stream->release = producing_release;
	stream->private_data = p;
	return true;
}

/* How many of ROWS, from the first, stand one after the other in FROM; none of them is NULL there. */
static int64_t run_length(const struct etl_column_view *from, const int64_t *rows, int64_t count)
{
	int64_t n = 1;

	while (n < count && rows[n] == rows[n - 1] + 1 && !etl_is_null(from, rows[n]))
		n++;
	return n;
}

static void take_fixed(struct etl_column_builder *to, const struct etl_column_view *from, int64_t row, int64_t count)
{
	memcpy(to->values + to->rows * to->width, etl_get_fixed(from, row), (size_t)(count * to->width));
	while (count-- > 0)
		etl_put_valid(to);
}

/* There is room for their bytes. */
static void take_bytes(struct etl_column_builder *to, const struct etl_column_view *from, int64_t row, int64_t count)
{
	const int32_t *offsets = from->offsets + row + from->offset;
	int32_t size = offsets[count] - offsets[0], before = (int32_t)to->used - offsets[0];

	if (size > 0)
		memcpy(to->bytes + to->used, from->bytes + offsets[0], (size_t)size);
	to->used += size;
	for (int64_t i = 1; i <= count; i++) {
		to->offsets[to->rows + 1] = before + offsets[i];
		etl_put_valid(to);
	}
}

/* At once, where doubling would copy them again and again. */
static bool make_room_for(struct etl_column_builder *to, const struct etl_column_view *from, const int64_t *rows, int64_t count)
{
	int64_t bytes = 0, size;

	for (int64_t i = 0; i < count; i++)
		if (!etl_is_null(from, rows[i])) {
			etl_get_bytes(from, rows[i], &size);
			bytes += size;
		}
	return bytes <= to->room - to->used || etl_column_grow(to, bytes);
}

static bool take_column(struct etl_column_builder *to, const struct etl_column_view *from, const int64_t *rows, int64_t count)
{
	int64_t n = 1;

	if (from->width == 0 && !make_room_for(to, from, rows, count))
		return false;
	for (int64_t i = 0; i < count; i += n) {
		n = 1;
		if (etl_is_null(from, rows[i])) {
			etl_put_null(to);
		} else if (from->width < 0) {
			etl_put_bool(to, etl_get_bool(from, rows[i]));
		} else {
			n = run_length(from, rows + i, count - i);
			(from->width > 0 ? take_fixed : take_bytes)(to, from, rows[i], n);
		}
	}
	return true;
}

static bool take_rows(struct etl_builder *b, const struct etl_view *view, const int64_t *rows,
		      int64_t count)
{
	bool ok = true;

	for (int64_t c = 0; ok && c < view->count; c++)
		ok = take_column(&b->columns[c], &view->columns[c], rows, count);
	return ok;
}

bool etl_batch_take(struct ArrowArray *ret, const struct ArrowSchema *schema,
		    const struct ArrowArray *batch, const int64_t *rows, int64_t count)
{
	struct etl_builder *b = etl_builder_new(schema, count);
	struct etl_view *view = etl_view_new(schema);
	bool ok = b && view && etl_view_set(view, batch) && take_rows(b, view, rows, count) &&
		  etl_builder_finish(b, ret);

	etl_view_free(view);
	etl_builder_free(b);
	return ok;
}

static int filtering_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out)
{
	struct filtering *f = stream->private_data;

	f->error = NULL;
	return f->in.get_schema(&f->in, out);
}

static int filtering_fail(struct filtering *f, const char *error, int code)
{
	f->error = error;
	return code;
}

/* Decides about every row; the number kept, or a negative enum etl_status. */
static int64_t decide(struct filtering *f, const struct ArrowArray *batch)
{
	int64_t kept = 0;
	uint64_t dropped = 0;

	for (int64_t row = 0; row < batch->length; row++) {
		int status = f->filter->row(f->filter, f->view, &f->schema, batch, row);

		if (status < 0)
			return status;
		if (status == ETL_ROW_KEEP)
			f->keep[kept++] = row;
		else if (status == ETL_ROW_DROP)
			dropped++;
	}
	if (dropped > 0)
		f->host->count(f->context, ETL_COUNT_FILTERED, dropped);
	return kept;
}

static bool make_room(struct filtering *f, int64_t rows)
{
	int64_t *keep;

	if (rows <= f->room)
		return true;
	keep = realloc(f->keep, (size_t)rows * sizeof(*keep));
	if (!keep)
		return false;
	f->keep = keep;
	f->room = rows;
	return true;
}

/* One batch: 0 with rows in OUT, 0 with none (OUT released), or errno. */
static int filter_batch(struct filtering *f, struct ArrowArray *batch, struct ArrowArray *out)
{
	int64_t kept;

	if (!make_room(f, batch->length))
		return filtering_fail(f, out_of_memory, ENOMEM);
	if (!etl_view_set(f->view, batch))
		return filtering_fail(f, wrong_columns, EINVAL);
	kept = decide(f, batch);
	if (kept < 0)
		return errno_of((int)kept);
	if (kept == 0)
		return 0;
	if (kept == batch->length) {
		*out = *batch;
		batch->release = NULL;
		return 0;
	}
	if (!etl_batch_take(out, &f->schema, batch, f->keep, kept))
		return filtering_fail(f, out_of_memory, ENOMEM);
	return 0;
}

static int filtering_next(struct ArrowArrayStream *stream, struct ArrowArray *out)
{
	struct filtering *f = stream->private_data;
	struct ArrowArray batch, chosen = { .release = NULL };
	int code;

	f->error = NULL;
	do {
		batch.release = NULL;
		code = f->in.get_next(&f->in, &batch);
		if (code)
			return code;
		if (!batch.release) {
			memset(out, 0, sizeof(*out));
			return 0;
		}
		code = filter_batch(f, &batch, &chosen);
		if (batch.release)
			batch.release(&batch);
	} while (code == 0 && !chosen.release);
	if (code == 0)
		*out = chosen;
	return code;
}

static const char *filtering_error(struct ArrowArrayStream *stream)
{
	struct filtering *f = stream->private_data;

	return f->error ? f->error : f->in.get_last_error(&f->in);
}

static void filtering_free(struct filtering *f)
{
	etl_view_free(f->view);
	if (f->schema.release)
		f->schema.release(&f->schema);
	free(f->keep);
	free(f);
}

static void filtering_release(struct ArrowArrayStream *stream)
{
	struct filtering *f = stream->private_data;

	f->filter->close(f->filter);
	f->in.release(&f->in);
	filtering_free(f);
	stream->release = NULL;
}

bool etl_filter_open(struct ArrowArrayStream *out, struct ArrowArrayStream *in,
		     const struct etl_host *host, struct etl_context *context,
		     struct etl_filter *filter)
{
	struct filtering *f = calloc(1, sizeof(*f));

	if (!f)
		return false;
	if (in->get_schema(in, &f->schema) != 0 || !(f->view = etl_view_new(&f->schema))) {
		filtering_free(f);
		return false;
	}
	f->host = host;
	f->context = context;
	f->filter = filter;
	f->in = *in;
	in->release = NULL;
	memset(out, 0, sizeof(*out));
	out->get_schema = filtering_schema;
	out->get_next = filtering_next;
	out->get_last_error = filtering_error;
	out->release = filtering_release;
	out->private_data = f;
	return true;
}

/* ---- Pulling ---- */

bool etl_stream_pull(struct ArrowArrayStream *stream, struct etl_consumer *consumer)
{
	struct ArrowSchema schema = { .release = NULL };
	struct ArrowArray batch = { .release = NULL };
	struct etl_view *view = stream->get_schema(stream, &schema) == 0 ? etl_view_new(&schema) :
									   NULL;
	bool ok = view != NULL;

	/* A batch without a release is the end. */
	while (ok && (ok = stream->get_next(stream, &batch) == 0) && batch.release) {
		ok = etl_view_set(view, &batch) && consumer->batch(consumer, view);
		batch.release(&batch);
	}
	etl_view_free(view);
	if (schema.release)
		schema.release(&schema);
	return ok;
}
