/*
 * What the plan does to a table's shape: its columns here, the rest as derive.h says. What goes is said
 * in the log.
 */
#include "config.h"

#include "map.h"

struct shape {
	const struct etl_instance *self;
	struct map_plan plan;
	struct etl_derive derive;
	struct etl_error *err;
};

static int no_memory(struct shape *s)
{
	return s->self->host->fail(s->err, ETL_MEMORY, NULL, 0,
				   "no memory for the shape of table %s", s->derive.in->name);
}

static void said(void *data, const char *what, const char *name, bool mixed)
{
	const struct shape *s = data;

	(void)mixed;
	s->self->host->log(s->self->host, ETL_LOG_WARN,
			   "table %s: %s%s%s goes, because a column of it is dropped or converted",
			   s->derive.in->name, what, name ? " " : "", name ? name : "");
}

static int apply_cast(struct shape *s, struct etl_column *column, const struct map_cast *cast)
{
	column->type = cast->type.type;
	column->precision = cast->type.precision;
	column->scale = cast->type.scale;
	column->length = cast->length;
	column->declared = etl_derive_declared(&s->derive, cast->type.type, cast->type_text);
	column->flags |= ETL_TYPED;
	if (column->type != ETL_INT16 && column->type != ETL_INT32 && column->type != ETL_INT64)
		column->flags &= ~(uint32_t)(ETL_IDENTITY | ETL_IDENTITY_ALWAYS | ETL_NEVER_REUSED);
	if (cast->misfit != MISFIT_NULL || !(column->flags & ETL_NOT_NULL))
		return ETL_OK;
	s->self->host->at(s->err, s->derive.in->name, cast->column, NULL);
	return s->self->host->fail(
		s->err, ETL_USAGE, NULL, 0,
		"map: column \"%s\" takes no NULL, so on_misfit = \"null\" cannot stand; use "
		"\"reject\" or \"default\"",
		cast->column);
}

static int rename_generated(struct shape *s, struct etl_column *column)
{
	switch (etl_derive_sql(&s->derive, &column->generated_sql)) {
	case ETL_RENAMED:
		return ETL_OK;
	case ETL_RENAMED_GONE:
		s->self->host->at(s->err, s->derive.in->name, column->name, NULL);
		return s->self->host->fail(
			s->err, ETL_USAGE, NULL, 0,
			"map: column \"%s\" is computed from a column that is dropped; drop it "
			"too, or keep the other",
			column->name);
	case ETL_RENAMED_MEMORY:
		break;
	}
	return no_memory(s);
}

static int make_column(struct shape *s, const struct map_column *plan, struct etl_column *column)
{
	const struct etl_table *in = s->derive.in;
	int r;

	if (plan->from < 0) {
		*column = (struct etl_column){ .declared = "text",
					       .type = ETL_TEXT,
					       .flags = ETL_CONSTANT,
					       .identity_last = ETL_UNKNOWN };
	} else {
		*column = *ETL_AT(const struct etl_column, in->columns, in->column_size,
				  plan->from);
		if (strcmp(plan->name, column->name) != 0 && !column->origin)
			column->origin = column->name;
	}
	column->name = plan->name;
	r = rename_generated(s, column);
	return r < 0 ? r : plan->cast ? apply_cast(s, column, plan->cast) : ETL_OK;
}

static int make_columns(struct shape *s)
{
	struct etl_column *columns = etl_arena_alloc(&s->derive.arena,
						     s->plan.count * sizeof(*columns));
	int r = ETL_OK;

	if (!columns)
		return no_memory(s);
	for (size_t i = 0; r == ETL_OK && i < s->plan.count; i++)
		r = make_column(s, &s->plan.at[i], &columns[i]);
	s->derive.out.columns = columns;
	s->derive.out.column_count = s->plan.count;
	s->derive.out.column_size = sizeof(*columns);
	return r;
}

static int make_shape(struct shape *s)
{
	struct etl_derive *d = &s->derive;
	const char **names = etl_arena_alloc(&d->arena, (d->in->column_count + 1) * sizeof(*names));
	int r;

	if (!names || !etl_derive_begin(d))
		return no_memory(s);
	r = map_plan_make(s->self, d->names, d->in->column_count, true, &s->plan, s->err);
	if (r == ETL_OK)
		r = map_verdict_check(s->self, d->in, s->err);
	for (size_t i = 0; r == ETL_OK && i < d->in->column_count; i++)
		names[i] = map_plan_name(&s->plan, (int64_t)i);
	d->new_names = names;
	for (size_t i = 0; r == ETL_OK && i < s->plan.count; i++)
		if (s->plan.at[i].cast)
			etl_derive_type(d, s->plan.at[i].cast->type.type);
	if (r == ETL_OK)
		r = make_columns(s);
	if (r == ETL_OK && !etl_derive_parts(d))
		r = no_memory(s);
	return r;
}

int map_derive(struct etl_instance *self, const struct etl_table *in, struct etl_table_sink *sink,
	       struct etl_error *err)
{
	struct shape s = { .self = self, .derive = { .in = in, .gone = said }, .err = err };
	int r;

	s.derive.data = &s;
	r = make_shape(&s);
	if (r == ETL_OK)
		r = sink->emit(sink, &s.derive.out);
	map_plan_free(&s.plan);
	etl_derive_end(&s.derive);
	return r;
}
