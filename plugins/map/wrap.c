/*
 * The rows under the plan. A column that only moves crosses by pointer; casts and constants are
 * built anew. All casts of a batch are done before anything is moved, so that a reject can still
 * show its whole row.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "map.h"

struct mapping {
	struct etl_instance *self;
	struct etl_context *context;
	struct etl_error *err;
	struct ArrowArrayStream in;
	struct ArrowSchema in_schema, out_schema, made_schema;
	struct map_plan plan;
	struct map_verdict verdict;
	struct etl_view *view;
	uint64_t filtered;	  /* of the batch */
	uint64_t nulls, defaults; /* misfits that became NULL or the default */
	char *table;
};

static int no_memory(struct mapping *m)
{
	m->self->host->fail(m->err, ETL_MEMORY, NULL, 0, "no memory to map a batch");
	return ENOMEM;
}

/* Made here, not moved. */
static bool is_made(const struct map_column *column)
{
	return column->from < 0 || column->cast;
}

static struct etl_type_info type_of(const struct map_column *column)
{
	return column->cast ? column->cast->type : (struct etl_type_info){ .type = ETL_TEXT };
}

static int reject(struct mapping *m, const struct map_column *column,
		  const struct ArrowArray *batch, int64_t row, const char *code)
{
	struct etl_text reason = { 0 };
	struct etl_reject what = {
		.code = code,
		.column = column->name,
		.schema = &m->in_schema,
		.batch = batch,
		.row = row,
	};
	int r;

	etl_text_addf(&reason, "column %s: the value ", column->name);
	etl_text_add_value(&reason, &m->view->columns[column->from], row);
	etl_text_addf(&reason, " does not fit %s", column->cast->type_text);
	what.reason = reason.failed ? "a value does not fit the type of its cast" : reason.at;
	r = m->self->host->reject(m->context, &what);
	etl_text_free(&reason);
	return r;
}

/* One value into TO: 0, or an errno. *RET_KEEP becomes false when the row is rejected. */
static int cast_value(struct mapping *m, const struct map_column *column,
		      struct etl_column_builder *to, const struct ArrowArray *batch, int64_t row,
		      bool *ret_keep)
{
	const char *code = NULL;

	if (etl_is_null(&m->view->columns[column->from], row)) {
		etl_put_null(to);
		return 0;
	}
	code = etl_convert(to, &m->view->columns[column->from], row);
	if (!code)
		return 0;
	if (strcmp(code, "no_memory") == 0)
		return no_memory(m);
	if (column->cast->misfit == MISFIT_DEFAULT) {
		m->defaults++;
		return etl_convert_text(to, column->cast->fallback,
					strlen(column->cast->fallback)) ?
			       no_memory(m) :
			       0;
	}
	etl_put_null(to);
	if (column->cast->misfit == MISFIT_NULL) {
		m->nulls++;
		return 0;
	}
	if (!*ret_keep)
		return 0;
	*ret_keep = false;
	return reject(m, column, batch, row, code) < 0 ? EINVAL : 0;
}

/* Of a row that does not stay nothing is made. */
static int skip_row(struct mapping *m, struct etl_builder *builder, const struct ArrowArray *batch,
		    int64_t row, enum map_fate fate)
{
	struct etl_text reason = { 0 };
	struct etl_reject what = {
		.code = "verdict", .schema = &m->in_schema, .batch = batch, .row = row
	};
	int r = 0;

	for (int64_t i = 0; i < m->made_schema.n_children; i++)
		etl_put_null(&builder->columns[i]);
	if (fate == MAP_LEFT_OUT) {
		m->filtered++;
		return 0;
	}
	map_verdict_reason(&m->verdict, m->view, row, &reason);
	what.reason = reason.at ? reason.at : "";
	r = reason.failed				 ? no_memory(m) :
	    m->self->host->reject(m->context, &what) < 0 ? EINVAL :
							   0;
	etl_text_free(&reason);
	return r;
}

static int make_row(struct mapping *m, struct etl_builder *builder, const struct ArrowArray *batch,
		    int64_t row, bool *ret_keep)
{
	struct etl_column_builder *to = builder->columns;
	enum map_fate fate = map_verdict_of(&m->verdict, m->view, row);

	*ret_keep = fate == MAP_STAYS;
	if (fate != MAP_STAYS)
		return skip_row(m, builder, batch, row, fate);
	for (size_t i = 0; i < m->plan.count; i++) {
		const struct map_column *column = &m->plan.at[i];
		int r = 0;

		if (!is_made(column))
			continue;
		if (column->from >= 0)
			r = cast_value(m, column, to, batch, row, ret_keep);
		else if (etl_convert_text(to, column->value, strlen(column->value)))
			r = no_memory(m);
		if (r != 0)
			return r;
		to++;
	}
	return 0;
}

/* Fills MADE with the casts and constants of a batch, KEEP with the rows that stay. */
static int make_values(struct mapping *m, const struct ArrowArray *batch, struct ArrowArray *made,
		       int64_t *keep, int64_t *ret_kept)
{
	struct etl_builder *builder = etl_builder_new(&m->made_schema,
						      batch->length > 0 ? batch->length : 1);
	int64_t kept = 0;
	int r = 0;

	if (!builder || !etl_view_set(m->view, batch))
		r = no_memory(m);
	for (int64_t row = 0; r == 0 && row < batch->length; row++) {
		bool stays;

		r = make_row(m, builder, batch, row, &stays);
		if (stays)
			keep[kept++] = row;
	}
	if (r == 0 && !etl_builder_finish(builder, made))
		r = no_memory(m);
	etl_builder_free(builder);
	if (r == 0)
		*ret_kept = kept;
	return r;
}

/* Whether the rows have to be looked at, one by one. */
static bool looks_at_rows(const struct mapping *m)
{
	return m->made_schema.n_children > 0 || m->verdict.filter >= 0 || m->verdict.reject >= 0;
}

static void count_filtered(struct mapping *m)
{
	if (m->filtered > 0)
		m->self->host->count(m->context, ETL_COUNT_FILTERED, m->filtered);
	m->filtered = 0;
}

static void release_batch(struct ArrowArray *batch)
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

static bool make_frame(struct ArrowArray *ret, int64_t columns, int64_t rows)
{
	*ret = (struct ArrowArray){ .length = rows, .n_buffers = 1, .release = release_batch };
	ret->buffers = calloc(1, sizeof(*ret->buffers));
	ret->children = calloc((size_t)columns + 1, sizeof(struct ArrowArray *));
	for (int64_t i = 0; ret->buffers && ret->children && i < columns; i++) {
		ret->children[i] = calloc(1, sizeof(struct ArrowArray));
		if (!ret->children[i])
			break;
		ret->n_children++;
	}
	if (ret->buffers && ret->children && ret->n_children == columns)
		return true;
	release_batch(ret);
	return false;
}

/* The parent's offset counts for its children, which are about to lose it. */
static void move_child(struct ArrowArray *to, struct ArrowArray *batch, int64_t from)
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

static void fill_frame(const struct mapping *m, struct ArrowArray *frame, struct ArrowArray *batch,
		       struct ArrowArray *made)
{
	int64_t ordinal = etl_schema_find(&m->in_schema, ETL_ORDINAL_COLUMN), next = 0;

	for (size_t i = 0; i < m->plan.count; i++) {
		if (is_made(&m->plan.at[i]))
			move_child(frame->children[i], made, next++);
		else
			move_child(frame->children[i], batch, m->plan.at[i].from);
	}
	if (ordinal >= 0)
		move_child(frame->children[m->plan.count], batch, ordinal);
}

/* Takes over BATCH's columns; BATCH itself stays to be released. */
static int map_batch(struct mapping *m, struct ArrowArray *batch, struct ArrowArray *out)
{
	int64_t *keep = calloc((size_t)batch->length + 1, sizeof(*keep)), kept = batch->length;
	struct ArrowArray made = { 0 }, frame = { 0 }, fewer;
	int r = keep ? 0 : no_memory(m);

	if (r == 0 && looks_at_rows(m))
		r = make_values(m, batch, &made, keep, &kept);
	count_filtered(m);
	if (r == 0 && !make_frame(&frame, m->out_schema.n_children, batch->length))
		r = no_memory(m);
	if (r == 0) {
		fill_frame(m, &frame, batch, &made);
		if (kept == batch->length) {
			*out = frame;
			frame.release = NULL;
		} else if (etl_batch_take(&fewer, &m->out_schema, &frame, keep, kept)) {
			*out = fewer;
		} else {
			r = no_memory(m);
		}
	}
	if (frame.release)
		frame.release(&frame);
	if (made.release)
		made.release(&made);
	free(keep);
	return r;
}

static int mapping_next(struct ArrowArrayStream *stream, struct ArrowArray *out)
{
	struct mapping *m = stream->private_data;

	for (;;) {
		struct ArrowArray batch, mapped;
		int r = m->in.get_next(&m->in, &batch);

		if (r != 0)
			return r;
		if (!batch.release) {
			*out = (struct ArrowArray){ 0 };
			return 0;
		}
		r = map_batch(m, &batch, &mapped);
		batch.release(&batch);
		if (r != 0)
			return r;
		if (mapped.length > 0) {
			*out = mapped;
			return 0;
		}
		mapped.release(&mapped);
	}
}

static int mapping_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out)
{
	struct mapping *m = stream->private_data;

	return etl_schema_copy(out, &m->out_schema) ? 0 : no_memory(m);
}

static const char *mapping_last_error(struct ArrowArrayStream *stream)
{
	struct mapping *m = stream->private_data;

	return m->in.get_last_error(&m->in);
}

static void mapping_free(struct mapping *m)
{
	struct ArrowSchema *schemas[] = { &m->in_schema, &m->out_schema, &m->made_schema };

	for (size_t i = 0; i < sizeof(schemas) / sizeof(schemas[0]); i++)
		if (schemas[i]->release)
			schemas[i]->release(schemas[i]);
	map_plan_free(&m->plan);
	etl_view_free(m->view);
	free(m->table);
	free(m);
}

static void mapping_release(struct ArrowArrayStream *stream)
{
	struct mapping *m = stream->private_data;

	if (m->nulls > 0 || m->defaults > 0)
		m->self->host->log(
			m->self->host, ETL_LOG_INFO,
			"map: table %s: of the values that did not fit their cast %" PRIu64
			" became NULL and %" PRIu64 " the default",
			m->table, m->nulls, m->defaults);
	m->in.release(&m->in);
	mapping_free(m);
	stream->release = NULL;
}

/* Column descriptions of the output's children, or of those that are made here. */
static size_t describe(const struct mapping *m, struct etl_column *columns, bool made_only)
{
	size_t count = 0;

	for (size_t i = 0; i < m->plan.count; i++) {
		const struct map_column *column = &m->plan.at[i];
		struct etl_type_info type;

		if (made_only && !is_made(column))
			continue;
		type = is_made(column) ? type_of(column) :
					 etl_type_of(m->in_schema.children[column->from]);
		columns[count++] = (struct etl_column){ .name = column->name,
							.type = type.type,
							.precision = type.precision,
							.scale = type.scale };
	}
	if (!made_only && etl_schema_find(&m->in_schema, ETL_ORDINAL_COLUMN) >= 0)
		columns[count++] = (struct etl_column){ .name = ETL_ORDINAL_COLUMN,
							.type = ETL_INT64 };
	return count;
}

static bool make_schemas(struct mapping *m)
{
	struct etl_column *columns = calloc(m->plan.count + 1, sizeof(*columns));
	size_t count;
	bool ok = columns != NULL;

	if (ok) {
		count = describe(m, columns, false);
		ok = etl_schema_make(&m->out_schema, columns, count, sizeof(*columns));
	}
	if (ok) {
		count = describe(m, columns, true);
		ok = etl_schema_make(&m->made_schema, columns, count, sizeof(*columns));
	}
	free(columns);
	m->view = ok ? etl_view_new(&m->in_schema) : NULL;
	return m->view != NULL;
}

/* The plan over the columns that come; the ordinal is none of them. */
static int make_plan(struct mapping *m)
{
	const char **names = calloc((size_t)m->in_schema.n_children + 1, sizeof(*names));
	size_t count = 0;
	int r;

	if (!names)
		return m->self->host->fail(m->err, ETL_MEMORY, NULL, 0,
					   "no memory for the columns of map");
	for (int64_t i = 0; i < m->in_schema.n_children; i++)
		if (strcmp(m->in_schema.children[i]->name, ETL_ORDINAL_COLUMN) != 0)
			names[count++] = m->in_schema.children[i]->name;
	r = map_plan_make(m->self, names, count, false, &m->plan, m->err);
	m->verdict = map_verdict_find(m->self, names, count);
	free(names);
	return r;
}

int map_wrap(struct etl_instance *self, const struct etl_wrap *wrap, struct ArrowArrayStream *in,
	     struct ArrowArrayStream *out, struct etl_error *err)
{
	struct mapping *m = calloc(1, sizeof(*m));
	int r;

	if (!m)
		return self->host->fail(err, ETL_MEMORY, NULL, 0, "no memory to map rows");
	m->self = self;
	m->context = wrap->context;
	m->err = err;
	m->table = strdup(wrap->in->name);
	r = in->get_schema(in, &m->in_schema) == 0 ? make_plan(m) : ETL_FAILED;
	if (r == ETL_OK && (!m->table || !make_schemas(m)))
		r = self->host->fail(err, ETL_MEMORY, NULL, 0, "no memory to map rows");
	if (r != ETL_OK) {
		mapping_free(m);
		return r;
	}
	m->in = *in;
	in->release = NULL;
	*out = (struct ArrowArrayStream){
		.get_schema = mapping_schema,
		.get_next = mapping_next,
		.get_last_error = mapping_last_error,
		.release = mapping_release,
		.private_data = m,
	};
	return ETL_OK;
}
