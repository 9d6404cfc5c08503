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
	struct map_plan plan;
	struct map_verdict verdict;
	uint64_t nulls, defaults; /* misfits that became NULL or the default */
	char *table;
};

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
		.schema = &m->remake.in_schema,
		.batch = batch,
		.row = row,
	};
	int r;

	etl_text_addf(&reason, "column %s: the value ", column->name);
	etl_text_add_value(&reason, &m->remake.view->columns[column->from], row);
	etl_text_addf(&reason, " does not fit %s", column->cast->type_text);
	what.reason = reason.failed ? "a value does not fit the type of its cast" : reason.at;
	r = m->self->host->reject(m->remake.context, &what);
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
		return etl_remake_enomem(&m->remake);
	if (column->cast->misfit == MISFIT_DEFAULT) {
		m->defaults++;
		return etl_convert_text(to, column->cast->fallback,
					strlen(column->cast->fallback)) ?
			       etl_remake_enomem(&m->remake) :
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
		.code = "verdict", .schema = &m->remake.in_schema, .batch = batch, .row = row
	};
	int r = 0;

	for (int64_t i = 0; i < m->remake.made.n_children; i++)
		etl_put_null(&builder->columns[i]);
	if (fate == MAP_LEFT_OUT) {
		m->remake.filtered++;
		return 0;
	}
	map_verdict_reason(&m->verdict, m->remake.view, row, &reason);
	what.reason = reason.at ? reason.at : "";
	r = reason.failed				 ? etl_remake_enomem(&m->remake) :
	    m->self->host->reject(m->remake.context, &what) < 0 ? EINVAL :
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
			r = etl_remake_enomem(&m->remake);
		if (r != 0)
			return r;
		to++;
	}
	return 0;
}

static void mapping_close(struct etl_remake *self)
{
	struct mapping *m = (struct mapping *)(void *)self;

	if (m->nulls > 0 || m->defaults > 0)
		m->self->host->log(
			m->self->host, ETL_LOG_INFO,
			"map: table %s: of the values that did not fit their cast %" PRIu64
			" became NULL and %" PRIu64 " the default",
			m->table, m->nulls, m->defaults);
	etl_remake_free(self);
	map_plan_free(&m->plan);
	free(m->table);
	free(m);
}

/* The columns of the output, and those that are made here. */
static bool make_schemas(struct mapping *m)
{
	struct etl_remake *r = &m->remake;
	struct etl_column *out = calloc(m->plan.count + 1, sizeof(*out)), *made = calloc(m->plan.count + 1, sizeof(*made));
	int64_t ordinal = etl_schema_find(&r->in_schema, ETL_ORDINAL_COLUMN);
	size_t count = m->plan.count, made_count = 0;
	bool ok;

	r->from = calloc(count + 1, sizeof(*r->from));
	ok = out && made && r->from;
	for (size_t i = 0; ok && i < count; i++) {
		const struct map_column *column = &m->plan.at[i];

		r->from[i] = is_made(column) ? -1 - (int64_t)made_count : column->from;
		out[i] = etl_remake_column(column->name, is_made(column) ? type_of(column) :
									   etl_type_of(r->in_schema.children[column->from]));
		if (is_made(column))
			made[made_count++] = out[i];
	}
	if (ok && ordinal >= 0) {
		r->from[count] = ordinal;
		out[count++] = (struct etl_column){ .name = ETL_ORDINAL_COLUMN, .type = ETL_INT64 };
	}
	ok = ok && etl_schema_make(&r->out_schema, out, count, sizeof(*out)) &&
	     etl_schema_make(&r->made, made, made_count, sizeof(*made));
	free(out);
	free(made);
	return ok;
}

/* The plan over the columns that come; the ordinal is none of them. */
static int make_plan(struct mapping *m)
{
	const char **names = calloc((size_t)m->remake.in_schema.n_children + 1, sizeof(*names));
	size_t count = 0;
	int r;

	if (!names)
		return m->self->host->fail(m->remake.err, ETL_MEMORY, NULL, 0,
					   "no memory for the columns of map");
	for (int64_t i = 0; i < m->remake.in_schema.n_children; i++)
		if (strcmp(m->remake.in_schema.children[i]->name, ETL_ORDINAL_COLUMN) != 0)
			names[count++] = m->remake.in_schema.children[i]->name;
	r = map_plan_make(m->self, names, count, false, &m->plan, m->remake.err);
	m->verdict = map_verdict_find(m->self, names, count);
	free(names);
	return r;
}

static int mapping_open(struct mapping *m, const struct etl_table *table, struct ArrowArrayStream *in)
{
	int r = etl_remake_begin(&m->remake, in);

	if (r == ETL_OK)
		r = make_plan(m);
	m->table = strdup(table->name);
	if (r == ETL_OK && (!m->table || !make_schemas(m)))
		r = etl_remake_no_memory(&m->remake);
	return r;
}

/* Whether the rows have to be looked at, one by one. */
static bool looks_at_rows(const struct mapping *m)
{
	return m->remake.made.n_children > 0 || m->verdict.filter >= 0 || m->verdict.reject >= 0;
}

int map_wrap(struct etl_instance *self, const struct etl_wrap *wrap, struct ArrowArrayStream *in,
	     struct ArrowArrayStream *out, struct etl_error *err)
{
	struct mapping *m = etl_remake_new(sizeof(*m), self->host, wrap, err, "no memory to map rows");
	int r;

	if (!m)
		return ETL_FAILED;
	m->self = self;
	r = mapping_open(m, wrap->in, in);
	m->remake.row = looks_at_rows(m) ? make_row : NULL;
	m->remake.close = mapping_close;
	m->remake.no_memory = "no memory to map a batch";
	if (r == ETL_OK)
		etl_remake_stream(&m->remake, in, out);
	else
		mapping_close(&m->remake);
	return r;
}
