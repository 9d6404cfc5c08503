/*
 * What the plan does to a table's shape. A key, index or check keeps its meaning under new names or
 * goes; one that lost a column would be another rule. What goes is said in the log.
 */
#include "config.h"

#include <stdlib.h>

#include "map.h"

/* The shape being made; what it points to beside the input is freed with it. */
struct shape {
	const struct etl_instance *self;
	const struct etl_table *in;
	const char **names; /* of the input's columns */
	struct map_plan plan;
	struct etl_table out;
	void **kept;
	size_t kept_count, kept_room;
	struct etl_error *err;
};

static int no_memory(struct shape *s)
{
	return s->self->host->fail(s->err, ETL_MEMORY, NULL, 0,
				   "no memory for the shape of table %s", s->in->name);
}

/* Takes over an allocation; NULL: there was none, or no memory to remember it. */
static void *keep(struct shape *s, void *block)
{
	if (block && s->kept_count == s->kept_room) {
		size_t room = s->kept_room ? s->kept_room * 2 : 32;
		void **kept = realloc(s->kept, room * sizeof(*kept));

		if (!kept) {
			free(block);
			return NULL;
		}
		s->kept = kept;
		s->kept_room = room;
	}
	if (block)
		s->kept[s->kept_count++] = block;
	return block;
}

static void said(const struct shape *s, const char *what, const char *name)
{
	s->self->host->log(s->self->host, ETL_LOG_WARN,
			   "map: table %s: %s%s%s goes, because a column of it is dropped",
			   s->in->name, what, name ? " " : "", name ? name : "");
}

/* The name a column has now: NULL when it is dropped, the same when the table has no such column.
 */
static const char *renamed(const struct shape *s, const char *name)
{
	int64_t at = map_find(s->names, s->in->column_count, name);

	return at < 0 ? name : map_plan_name(&s->plan, at);
}

/* 1: *RET has the new names. 0: one is dropped. Negative: memory. */
static int rename_list(struct shape *s, const char *const *columns, size_t count,
		       const char *const **ret)
{
	const char **list = keep(s, calloc(count + 1, sizeof(*list)));

	if (!list)
		return no_memory(s);
	for (size_t i = 0; i < count; i++) {
		list[i] = renamed(s, columns[i]);
		if (!list[i])
			return 0;
	}
	*ret = list;
	return 1;
}

/* As rename_list for an expression; NULL stays NULL. */
static int rename_sql(struct shape *s, const char **sql)
{
	const char *column = NULL;
	char *text = NULL;

	if (!*sql)
		return 1;
	switch (map_sql(&s->plan, s->names, s->in->column_count, *sql, &text, &column)) {
	case MAP_SQL_SAME:
		return 1;
	case MAP_SQL_DROPPED:
		return 0;
	case MAP_SQL_RENAMED:
		*sql = keep(s, text);
		return *sql ? 1 : no_memory(s);
	case MAP_SQL_MEMORY:
		break;
	}
	return no_memory(s);
}

static int apply_cast(struct shape *s, struct etl_column *column, const struct map_cast *cast)
{
	column->type = cast->type.type;
	column->precision = cast->type.precision;
	column->scale = cast->type.scale;
	column->length = cast->length;
	column->declared = cast->type_text;
	if (column->type != ETL_INT16 && column->type != ETL_INT32 && column->type != ETL_INT64)
		column->flags &= ~(uint32_t)(ETL_IDENTITY | ETL_IDENTITY_ALWAYS | ETL_NEVER_REUSED);
	if (cast->misfit != MISFIT_NULL || !(column->flags & ETL_NOT_NULL))
		return ETL_OK;
	s->self->host->at(s->err, s->in->name, cast->column, NULL);
	return s->self->host->fail(
		s->err, ETL_USAGE, NULL, 0,
		"map: column \"%s\" takes no NULL, so on_misfit = \"null\" cannot stand; use "
		"\"reject\" or \"default\"",
		cast->column);
}

static int make_column(struct shape *s, const struct map_column *plan, struct etl_column *column)
{
	int r;

	if (plan->from < 0) {
		*column = (struct etl_column){ .declared = "text",
					       .type = ETL_TEXT,
					       .flags = ETL_CONSTANT,
					       .identity_last = ETL_UNKNOWN };
	} else {
		*column = *ETL_AT(const struct etl_column, s->in->columns, s->in->column_size,
				  plan->from);
		if (strcmp(plan->name, column->name) != 0 && !column->origin)
			column->origin = column->name;
	}
	column->name = plan->name;
	r = rename_sql(s, &column->generated_sql);
	if (r == 0) {
		s->self->host->at(s->err, s->in->name, column->name, NULL);
		return s->self->host->fail(
			s->err, ETL_USAGE, NULL, 0,
			"map: column \"%s\" is computed from a column that is dropped; drop it "
			"too, or keep the other",
			column->name);
	}
	return r < 0 ? r : plan->cast ? apply_cast(s, column, plan->cast) : ETL_OK;
}

static int make_columns(struct shape *s)
{
	struct etl_column *columns = keep(s, calloc(s->plan.count, sizeof(*columns)));
	int r = ETL_OK;

	if (!columns)
		return no_memory(s);
	for (size_t i = 0; r == ETL_OK && i < s->plan.count; i++)
		r = make_column(s, &s->plan.at[i], &columns[i]);
	s->out.columns = columns;
	s->out.column_count = s->plan.count;
	s->out.column_size = sizeof(*columns);
	return r;
}

static int make_keys(struct shape *s)
{
	struct etl_key *keys = keep(s, calloc(s->in->unique_count + 1, sizeof(*keys)));
	size_t count = 0;
	int r = rename_list(s, s->in->primary.columns, s->in->primary.column_count,
			    &s->out.primary.columns);

	if (r < 0 || !keys)
		return r < 0 ? r : no_memory(s);
	if (r == 0) {
		said(s, "the primary key", s->in->primary.name);
		s->out.primary = (struct etl_key){ 0 };
		s->out.flags &= ~(uint32_t)ETL_NO_ROWID;
	}
	for (size_t i = 0; i < s->in->unique_count; i++) {
		keys[count] = *ETL_AT(const struct etl_key, s->in->uniques, s->in->unique_size, i);
		r = rename_list(s, keys[count].columns, keys[count].column_count,
				&keys[count].columns);
		if (r < 0)
			return r;
		if (r == 0)
			said(s, "the unique key", keys[count].name);
		count += (size_t)r;
	}
	s->out.uniques = keys;
	s->out.unique_count = count;
	s->out.unique_size = sizeof(*keys);
	return ETL_OK;
}

static bool is_self(const struct shape *s, const struct etl_foreign_key *fk)
{
	return strcmp(fk->parent, s->in->name) == 0 &&
	       (!fk->parent_schema ||
		(s->in->schema && strcmp(fk->parent_schema, s->in->schema) == 0));
}

static int make_foreign_keys(struct shape *s)
{
	struct etl_foreign_key *keys = keep(s, calloc(s->in->foreign_key_count + 1, sizeof(*keys)));
	size_t count = 0;

	if (!keys)
		return no_memory(s);
	for (size_t i = 0; i < s->in->foreign_key_count; i++) {
		struct etl_foreign_key *fk = &keys[count];
		int r;

		*fk = *ETL_AT(const struct etl_foreign_key, s->in->foreign_keys,
			      s->in->foreign_key_size, i);
		r = rename_list(s, fk->columns, fk->column_count, &fk->columns);
		if (r > 0 && is_self(s, fk) && fk->parent_columns)
			r = rename_list(s, fk->parent_columns, fk->column_count,
					&fk->parent_columns);
		else if (r > 0 && is_self(s, fk) && s->out.primary.column_count != fk->column_count)
			r = 0;
		if (r < 0)
			return r;
		if (r == 0)
			said(s, "the foreign key to", fk->parent);
		count += (size_t)r;
	}
	s->out.foreign_keys = keys;
	s->out.foreign_key_count = count;
	s->out.foreign_key_size = sizeof(*keys);
	return ETL_OK;
}

static int make_checks(struct shape *s)
{
	struct etl_check *checks = keep(s, calloc(s->in->check_count + 1, sizeof(*checks)));
	size_t count = 0;

	if (!checks)
		return no_memory(s);
	for (size_t i = 0; i < s->in->check_count; i++) {
		struct etl_check *check = &checks[count];
		int r;

		*check = *ETL_AT(const struct etl_check, s->in->checks, s->in->check_size, i);
		r = rename_sql(s, &check->sql);
		if (r < 0)
			return r;
		if (r > 0 && check->column) {
			check->column = renamed(s, check->column);
			r = check->column != NULL;
		}
		if (r == 0)
			said(s, "the check", check->name ? check->name : check->sql);
		count += (size_t)r;
	}
	s->out.checks = checks;
	s->out.check_count = count;
	s->out.check_size = sizeof(*checks);
	return ETL_OK;
}

static int make_parts(struct shape *s, struct etl_index *index)
{
	struct etl_index_part *parts = keep(s, calloc(index->part_count + 1, sizeof(*parts)));
	int r = 1;

	if (!parts)
		return no_memory(s);
	for (size_t i = 0; r > 0 && i < index->part_count; i++) {
		parts[i] = *ETL_AT(const struct etl_index_part, index->parts, index->part_size, i);
		if (parts[i].column) {
			parts[i].column = renamed(s, parts[i].column);
			r = parts[i].column != NULL;
		}
		if (r > 0)
			r = rename_sql(s, &parts[i].expression);
	}
	index->parts = parts;
	index->part_size = sizeof(*parts);
	index->ddl = NULL;
	return r > 0 ? rename_sql(s, &index->where_sql) : r;
}

static int make_indexes(struct shape *s)
{
	struct etl_index *indexes = keep(s, calloc(s->in->index_count + 1, sizeof(*indexes)));
	size_t count = 0;

	if (!indexes)
		return no_memory(s);
	for (size_t i = 0; i < s->in->index_count; i++) {
		int r;

		indexes[count] = *ETL_AT(const struct etl_index, s->in->indexes, s->in->index_size,
					 i);
		r = make_parts(s, &indexes[count]);
		if (r < 0)
			return r;
		if (r == 0)
			said(s, "the index", indexes[count].name);
		count += (size_t)r;
	}
	s->out.indexes = indexes;
	s->out.index_count = count;
	s->out.index_size = sizeof(*indexes);
	return ETL_OK;
}

static int make_shape(struct shape *s)
{
	int r;

	s->names = keep(s, calloc(s->in->column_count + 1, sizeof(*s->names)));
	if (!s->names)
		return no_memory(s);
	for (size_t i = 0; i < s->in->column_count; i++)
		s->names[i] = ETL_AT(const struct etl_column, s->in->columns, s->in->column_size, i)
				      ->name;
	s->out = *s->in;
	s->out.ddl = NULL;
	r = map_plan_make(s->self, s->names, s->in->column_count, true, &s->plan, s->err);
	if (r == ETL_OK)
		r = make_columns(s);
	if (r == ETL_OK)
		r = make_keys(s);
	if (r == ETL_OK)
		r = make_foreign_keys(s);
	if (r == ETL_OK)
		r = make_checks(s);
	return r == ETL_OK ? make_indexes(s) : r;
}

int map_derive(struct etl_instance *self, const struct etl_table *in, struct etl_table_sink *sink,
	       struct etl_error *err)
{
	struct shape s = { .self = self, .in = in, .err = err };
	int r = make_shape(&s);

	if (r == ETL_OK)
		r = sink->emit(sink, &s.out);
	map_plan_free(&s.plan);
	for (size_t i = 0; i < s.kept_count; i++)
		free(s.kept[i]);
	free(s.kept);
	return r;
}
