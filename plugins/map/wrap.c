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
#include "remake.h"

struct mapping {
	struct etl_remake remake; /* first: its functions are given it back */
	struct etl_instance *self;
	struct etl_context *context;
	struct etl_error *err;
	struct ArrowArrayStream in;
	struct ArrowSchema in_schema, out_schema;
	struct map_plan plan;
	struct map_verdict verdict;
	uint64_t filtered;	  /* of the batch */
	uint64_t nulls, defaults; /* misfits that became NULL or the default */
	char *table;
};

static int no_memory(struct etl_remake *self)
{
	const struct mapping *m = (const struct mapping *)(void *)self;

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
	etl_text_add_value(&reason, &m->remake.view->columns[column->from], row);
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

	if (etl_is_null(&m->remake.view->columns[column->from], row)) {
		etl_put_null(to);
		return 0;
	}
	code = etl_convert(to, &m->remake.view->columns[column->from], row);
	if (!code)
		return 0;
	if (strcmp(code, "no_memory") == 0)
		return no_memory(&m->remake);
	if (column->cast->misfit == MISFIT_DEFAULT) {
		m->defaults++;
		return etl_convert_text(to, column->cast->fallback,
					strlen(column->cast->fallback)) ?
			       no_memory(&m->remake) :
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

	for (int64_t i = 0; i < m->remake.made.n_children; i++)
		etl_put_null(&builder->columns[i]);
	if (fate == MAP_LEFT_OUT) {
		m->filtered++;
		return 0;
	}
	map_verdict_reason(&m->verdict, m->remake.view, row, &reason);
	what.reason = reason.at ? reason.at : "";
	r = reason.failed				 ? no_memory(&m->remake) :
	    m->self->host->reject(m->context, &what) < 0 ? EINVAL :
							   0;
	etl_text_free(&reason);
	return r;
}

static int make_row(struct etl_remake *self, struct etl_builder *builder, const struct ArrowArray *batch, int64_t row,
		    bool *ret_keep)
{
	struct mapping *m = (struct mapping *)(void *)self;
	struct etl_column_builder *to = builder->columns;
	enum map_fate fate = map_verdict_of(&m->verdict, m->remake.view, row);

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
			r = no_memory(&m->remake);
		if (r != 0)
			return r;
		to++;
	}
	return 0;
}

/* Whether the rows have to be looked at, one by one. */
static bool looks_at_rows(const struct mapping *m)
{
	return m->remake.made.n_children > 0 || m->verdict.filter >= 0 || m->verdict.reject >= 0;
}

static void count_filtered(struct mapping *m)
{
	if (m->filtered > 0)
		m->self->host->count(m->context, ETL_COUNT_FILTERED, m->filtered);
	m->filtered = 0;
}

static void fill_frame(const struct mapping *m, struct ArrowArray *frame, struct ArrowArray *batch,
		       struct ArrowArray *made)
{
	int64_t ordinal = etl_schema_find(&m->in_schema, ETL_ORDINAL_COLUMN), next = 0;

	for (size_t i = 0; i < m->plan.count; i++) {
		if (is_made(&m->plan.at[i]))
			etl_remake_move(frame->children[i], made, next++);
		else
			etl_remake_move(frame->children[i], batch, m->plan.at[i].from);
	}
	if (ordinal >= 0)
		etl_remake_move(frame->children[m->plan.count], batch, ordinal);
}

/* Takes over BATCH's columns; BATCH itself stays to be released. None of its rows stays: OUT is not filled. */
static int map_batch(struct mapping *m, struct ArrowArray *batch, struct ArrowArray *out)
{
	int64_t *keep = calloc((size_t)batch->length + 1, sizeof(*keep)), kept = batch->length;
	struct ArrowArray made = { 0 }, frame = { 0 };
	int r = keep ? 0 : no_memory(&m->remake);

	if (r == 0 && looks_at_rows(m))
		r = etl_remake_values(&m->remake, batch, &made, keep, &kept);
	count_filtered(m);
	if (r == 0 && !etl_remake_frame(&frame, m->out_schema.n_children, batch->length))
		r = no_memory(&m->remake);
	if (r == 0) {
		fill_frame(m, &frame, batch, &made);
		if (!etl_remake_keep(out, &m->out_schema, &frame, keep, kept))
			r = no_memory(&m->remake);
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
	int r = 0;

	out->release = NULL;
	while (r == 0 && !out->release) {
		struct ArrowArray batch = { .release = NULL };

		r = m->in.get_next(&m->in, &batch);
		if (r != 0 || !batch.release)
			return r;
		r = map_batch(m, &batch, out);
		batch.release(&batch);
	}
	return r;
}

static int mapping_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out)
{
	struct mapping *m = stream->private_data;

	return etl_schema_copy(out, &m->out_schema) ? 0 : no_memory(&m->remake);
}

static const char *mapping_last_error(struct ArrowArrayStream *stream)
{
	struct mapping *m = stream->private_data;

	return m->in.get_last_error(&m->in);
}

static void mapping_free(struct mapping *m)
{
	struct ArrowSchema *schemas[] = { &m->in_schema, &m->out_schema, &m->remake.made };

	for (size_t i = 0; i < sizeof(schemas) / sizeof(schemas[0]); i++)
		if (schemas[i]->release)
			schemas[i]->release(schemas[i]);
	map_plan_free(&m->plan);
	etl_view_free(m->remake.view);
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
		columns[count++] = etl_remake_column(column->name, type);
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
		ok = etl_schema_make(&m->remake.made, columns, count, sizeof(*columns));
	}
	free(columns);
	m->remake.view = ok ? etl_view_new(&m->in_schema) : NULL;
	return m->remake.view != NULL;
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
	m->remake.row = make_row;
	m->remake.no_memory = no_memory;
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
