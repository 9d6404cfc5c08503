/*
 * What the query does to the table's shape. A column that passes through keeps all that is known of it; an
 * expression has the type that `types` gives it. Keys, checks and indexes follow (derive.h), and what does not
 * hold any more is said in the log.
 */
#include "config.h"

#include <string.h>

#include "derive.h"
#include "sql.h"

struct shape {
	const struct etl_instance *self;
	const struct sql_input *input;
	const struct sql_query *query;
	struct etl_derive derive;
};

static void said(void *data, const char *what, const char *name, bool mixed)
{
	const struct shape *s = data;

	s->self->host->log(s->self->host, ETL_LOG_WARN, "table %s: %s%s%s goes, because %s",
			   s->derive.in->name, what, name ? " " : "", name ? name : "",
			   mixed ? "rows of the query need not be rows of the table" :
				   "a column of it does not pass unchanged");
}

static const struct etl_column *source_column(const struct shape *s, int64_t from)
{
	const struct etl_table *in = s->derive.in;

	for (size_t i = 0; i < in->column_count; i++) {
		const struct etl_column *column = ETL_AT(const struct etl_column, in->columns,
							 in->column_size, i);

		if (strcmp(column->name, s->input->columns[from].name) == 0)
			return column;
	}
	return NULL;
}

static void make_passing(const struct shape *s, const struct sql_column *from,
			 struct etl_column *column)
{
	*column = *source_column(s, from->from);
	if (strcmp(from->name, column->name) != 0 && !column->origin)
		column->origin = column->name;
	if (s->query->mixed)
		column->flags &= ~(uint32_t)(ETL_NOT_NULL | ETL_IDENTITY | ETL_IDENTITY_ALWAYS |
					     ETL_NEVER_REUSED);
}

/* ETL_TYPED: it has its own type, whatever a column of this name was before; ETL_REMADE: and values. */
static void make_expression(const struct shape *s, const struct sql_column *from,
			    struct etl_column *column)
{
	const char *declared = from->given ? from->given->text : "";

	*column = (struct etl_column){ .declared = etl_derive_declared(&s->derive, from->type.type,
								       declared),
				       .type = from->type.type,
				       .precision = from->type.precision,
				       .scale = from->type.scale,
				       .length = from->given ? from->given->length : 0,
				       .flags = ETL_TYPED | ETL_REMADE,
				       .identity_last = ETL_UNKNOWN };
}

static bool make_columns(struct shape *s)
{
	struct etl_derive *d = &s->derive;
	struct etl_column *columns = etl_arena_alloc(&d->arena,
						     (s->query->count + 1) * sizeof(*columns));

	for (size_t i = 0; i < s->query->count; i++)
		if (s->query->columns[i].from < 0)
			etl_derive_type(d, s->query->columns[i].type.type);
	for (size_t i = 0; columns && i < s->query->count; i++) {
		const struct sql_column *from = &s->query->columns[i];

		if (from->from >= 0)
			make_passing(s, from, &columns[i]);
		else
			make_expression(s, from, &columns[i]);
		columns[i].name = from->name;
	}
	d->out.columns = columns;
	d->out.column_count = s->query->count;
	d->out.column_size = sizeof(*columns);
	return columns != NULL;
}

/* The first column that an input column passes into. */
static bool make_names(struct shape *s)
{
	struct etl_derive *d = &s->derive;
	const char **names = etl_arena_alloc(&d->arena, (d->in->column_count + 1) * sizeof(*names));

	for (size_t i = 0; names && i < d->in->column_count; i++)
		for (size_t k = s->query->count; k-- > 0;) {
			int64_t from = s->query->columns[k].from;

			if (from >= 0 && strcmp(s->input->columns[from].name, d->names[i]) == 0)
				names[i] = s->query->columns[k].name;
		}
	d->new_names = names;
	return names != NULL;
}

/* What is computed by the store does not come, so the query cannot pass it on. */
static void say_generated(struct shape *s)
{
	for (size_t i = 0; i < s->derive.in->column_count; i++) {
		const struct etl_column *column = ETL_AT(const struct etl_column,
							 s->derive.in->columns,
							 s->derive.in->column_size, i);

		if (column->flags & ETL_GENERATED)
			s->self->host->log(s->self->host, ETL_LOG_WARN,
					   "table %s: the generated column \"%s\" goes: write its "
					   "expression into the query",
					   s->derive.in->name, column->name);
	}
}

static int emit_shape(const struct etl_instance *self, const struct sql_input *input,
		      const struct sql_query *query, const struct etl_table *in,
		      struct etl_table_sink *sink, struct etl_error *err)
{
	struct shape s = { self, input, query, { .in = in, .mixed = query->mixed, .gone = said } };
	int r;

	s.derive.data = &s;
	if (etl_derive_begin(&s.derive) && make_names(&s) && make_columns(&s) &&
	    etl_derive_parts(&s.derive)) {
		s.derive.out.rows = ETL_UNKNOWN;
		say_generated(&s);
		r = sink->emit(sink, &s.derive.out);
	} else {
		r = self->host->fail(err, ETL_MEMORY, NULL, 0,
				     "no memory for the shape of table %s", in->name);
	}
	etl_derive_end(&s.derive);
	return r;
}

int sql_derive(struct etl_instance *self, const struct etl_table *in, struct etl_table_sink *sink,
	       struct etl_error *err)
{
	struct sql_input input = { 0 };
	struct sql_query query = { 0 };
	struct sql_engine engine = { 0 };
	int r = sql_input_make(&input, in, NULL) ?
			ETL_OK :
			self->host->fail(err, ETL_MEMORY, NULL, 0, "no memory for the columns");

	if (r == ETL_OK)
		r = sql_engine_open(&engine, self, &input, ":memory:", err);
	if (r == ETL_OK)
		r = sql_query_make(&engine, &query);
	if (r == ETL_OK)
		r = emit_shape(self, &input, &query, in, sink, err);
	sql_query_clear(&query);
	sql_engine_close(&engine);
	sql_input_clear(&input);
	return r;
}
