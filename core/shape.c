/*
 * The shape of the target. Two tables are at work: FROM, what comes, and the one that is built
 * beside it in an arena and copied at the end. Every part of FROM that names a column is carried
 * over under the new names, or left out when a column it needs is not there any more.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "drift.h"
#include "names.h"
#include "shape-parts.h"
#include "whereabouts.h"

/* Of a numeric that a target takes as a decimal (etl_column.plain). */
#define PLAIN_PRECISION 28
#define PLAIN_SCALE	8

struct etl_type_info shape_stream_type(const struct etl_table *table, size_t i, bool dynamic_source)
{
	const struct etl_column *column = table_column(table, i);
	struct etl_type_info type = { column->type, column->precision, column->scale };

	if (dynamic_source && !(column->flags & ETL_TYPED))
		return (struct etl_type_info){ .type = ETL_ANY };
	if (type.type == ETL_TYPE_NONE)
		type.type = ETL_TEXT;
	return type;
}

bool shape_stream_schema(const struct etl_table *table, bool dynamic, struct ArrowSchema *ret)
{
	struct etl_column *columns = calloc(table->column_count + 1, sizeof(*columns));
	size_t count = 0;
	bool ok = columns != NULL;

	for (size_t i = 0; ok && i < table->column_count; i++) {
		struct etl_type_info type = shape_stream_type(table, i, dynamic);

		if (table_column(table, i)->flags & ETL_GENERATED)
			continue;
		columns[count] = *table_column(table, i);
		columns[count].type = type.type;
		columns[count].precision = type.precision;
		columns[count].scale = type.scale;
		count++;
	}
	ok = ok && etl_schema_make(ret, columns, count, sizeof(*columns));
	free(columns);
	return ok;
}

/* Whether NAME of the file is column I: where several differ in case only, each is meant by its own spelling. */
static bool is_named(const struct etl_table *from, size_t i, const char *name)
{
	return strcasecmp(name, table_column(from, i)->name) == 0 &&
	       table_find_column(from, name) == (int64_t)i;
}

static const struct column_rule *rule_of(const struct shaping *s, size_t column)
{
	for (size_t i = 0; i < s->rule->column_count; i++)
		if (s->rule->columns[i].name && is_named(s->from, column, s->rule->columns[i].name))
			return &s->rule->columns[i];
	return NULL;
}

/* By the pipeline; or it is new, and there is no place for it. */
static int is_left_out(struct shaping *s, size_t column, bool *ret)
{
	const struct etl_column *from = table_column(s->from, column);
	const char *name;

	*ret = true;
	for (size_t i = 0; i < s->rule->exclude_columns.count; i++)
		if (is_named(s->from, column, s->rule->exclude_columns.at[i]))
			return 0;
	*ret = false;
	if (!s->there || !s->job->added_count || rule_of(s, column))
		return 0;
	name = shape_renamed(s, NULL, from->name);
	if (!name || table_find_column(s->there, name) >= 0)
		return name ? 0 : error_memory(s->err);
	return drift_leave_out(s->jobs, s->job, from->origin ? from->origin : from->name, ret, s->err);
}

/* A column the rule names and the table has not. */
static int unknown_column(struct shaping *s, const char *origin, const char *key, const char *name)
{
	const char **names = calloc(s->from->column_count + 1, sizeof(*names));
	const char *near;
	int rc;

	if (!names)
		return error_memory(s->err);
	for (size_t i = 0; i < s->from->column_count; i++)
		names[i] = table_column(s->from, i)->name;
	near = option_nearest(name, names, s->from->column_count);
	rc = error_set(s->err, ETL_USAGE, "%s: %s: table \"%s\" has no column \"%s\"%s%s%s",
		       origin ? origin : "tables", key, job_source_name(s->job), name,
		       near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
	free(names);
	return rc;
}

/* Of two entries for one column the second would be passed over in silence. */
static int check_rule_once(struct shaping *s)
{
	const struct table_rule *rule = s->rule;

	for (size_t i = 0; i < rule->column_count; i++) {
		int64_t at = rule->columns[i].name ?
				     table_find_column(s->from, rule->columns[i].name) :
				     -1;

		if (at >= 0 && rule_of(s, (size_t)at) != &rule->columns[i])
			return error_set(s->err, ETL_USAGE,
					 "%s: columns: column \"%s\" of \"%s\" is listed twice; "
					 "write all its keys in one entry",
					 rule->columns[i].origin.text ?
						 rule->columns[i].origin.text :
						 "tables",
					 rule->columns[i].name, job_source_name(s->job));
	}
	return 0;
}

static int check_rule_names(struct shaping *s)
{
	const struct table_rule *rule = s->rule;

	for (size_t i = 0; i < rule->column_count; i++)
		if (rule->columns[i].name && table_find_column(s->from, rule->columns[i].name) < 0)
			return unknown_column(s, rule->columns[i].origin.text, "columns",
					      rule->columns[i].name);
	for (size_t i = 0; i < rule->exclude_columns.count; i++)
		if (table_find_column(s->from, rule->exclude_columns.at[i]) < 0)
			return unknown_column(s, rule->origin.text, "exclude_columns",
					      rule->exclude_columns.at[i]);
	return check_rule_once(s);
}

const char *shape_renamed(struct shaping *s, const char *as, const char *name)
{
	char *made = NULL;
	const char *ret;

	if (as)
		return etl_arena_copy(&s->arena, as);
	if (name_transform(s->pipeline->names, name, &made) < 0) {
		s->arena.failed = true;
		return NULL;
	}
	ret = etl_arena_copy(&s->arena, made);
	free(made);
	return ret;
}

/* `types` of the pipeline: a declared type, with (*) for any parameters. */
static const char *ruled_type(const struct pipeline *pipeline, const char *declared)
{
	for (size_t i = 0; i < pipeline->type_count; i++) {
		const char *want = pipeline->types[i].declared;
		size_t length = strlen(want);

		if (strcasecmp(want, declared) == 0)
			return pipeline->types[i].type;
		if (length > 3 && strcmp(want + length - 3, "(*)") == 0 &&
		    strncasecmp(want, declared, length - 2) == 0)
			return pipeline->types[i].type;
	}
	return NULL;
}

/* The wanted type of a column by the file; false: the file says nothing. */
static bool wanted_type(struct shaping *s, const struct column_rule *rule, struct etl_column *column)
{
	const char *text = rule && rule->type ? rule->type :
						ruled_type(s->pipeline, column->declared);
	struct etl_type_info type = { 0 };
	int64_t length = 0;

	if (!text)
		return false;
	etl_type_parse(text, &type, &length); /* that it is a type was seen when the file was read */
	/* To SQLite a column called "any" is one of numbers. */
	column->declared = type.type == ETL_ANY ? "" : etl_arena_copy(&s->arena, text);
	column->type = type.type;
	column->precision = type.precision;
	column->scale = type.scale;
	column->length = length;
	column->type = s->takes(column);
	column->flags |= ETL_RETYPED;
	s->changed = true;
	return true;
}

static int add_cast(struct shaping *s, const char *name, int64_t from, struct etl_type_info type,
		    bool given, const struct column_rule *rule)
{
	struct reshape_column *cast = &s->cast[s->cast_count++];

	*cast = (struct reshape_column){ .name = name, .from = from, .type = type, .given = given };
	if (rule) {
		cast->value = from < 0 ? rule->value : NULL;
		cast->fallback = rule->fallback;
		cast->null_values = (const char *const *)rule->null_values.at;
		cast->null_count = rule->null_values.count;
	}
	return 0;
}

/* Where the target's table is there, that one says how it spells (shape-existing.c). */
static void set_respelt(struct shaping *s, const struct etl_column *from, const struct column_rule *rule,
			struct etl_column *column)
{
	bool alike = from && column_alike(from, column) && !(rule && rule->fallback);

	if (s->there)
		return;
	column->flags &= ~(uint32_t)ETL_RESPELT;
	if (!alike && s->respells(column))
		column->flags |= ETL_RESPELT;
}

/* A column of FROM: under its new name and in its new type. */
static int take_column(struct shaping *s, size_t i)
{
	const struct etl_column *from = table_column(s->from, i);
	const struct column_rule *rule = rule_of(s, i);
	struct etl_column *column = &s->columns[s->column_count];
	struct etl_type_info type = { 0 };
	int64_t at = etl_schema_find(&s->job->before_cast, from->name);
	bool given, left_out;
	int rc = is_left_out(s, i, &left_out);

	if (rc < 0)
		return rc;
	if (left_out) {
		s->changed = true;
		return 0;
	}
	*column = *from;
	column->name = shape_renamed(s, rule ? rule->as : NULL, from->name);
	if (!column->name)
		return error_memory(s->err);
	if (strcmp(column->name, from->name) != 0) {
		s->changed = true;
		if (!column->origin)
			column->origin = from->name;
	}
	s->new_names[i] = column->name;
	s->column_count++;
	if (column->flags & ETL_GENERATED) {
		column->flags &= ~(uint32_t)ETL_RESPELT;
		return 0;
	}
	given = wanted_type(s, rule, column);
	if (column->type != from->type || (rule && (rule->fallback || rule->value)) || column->flags & ETL_REMADE)
		column->longest = column->plain = 0;
	if (at >= 0)
		type = etl_type_of(s->job->before_cast.children[at]);
	if (given) {
		type = (struct etl_type_info){ column->type, column->precision, column->scale };
	} else if (!s->dynamic_target) {
		column->type = s->takes(column);
		if (column->type == ETL_DECIMAL && from->type == ETL_NUMERIC) {
			column->precision = PLAIN_PRECISION;
			column->scale = PLAIN_SCALE;
		}
		type = (struct etl_type_info){ column->type, column->precision, column->scale };
	}
	set_respelt(s, from, rule, column);
	return add_cast(s, column->name, at, type, given, rule);
}

/* A column that only the pipeline knows. */
static int make_column(struct shaping *s, const struct column_rule *rule)
{
	struct etl_column *column = &s->columns[s->column_count++];
	bool given;

	*column = (struct etl_column){ .name = etl_arena_copy(&s->arena, rule->as),
				       .declared = "TEXT",
				       .type = ETL_TEXT,
				       .flags = ETL_CONSTANT,
				       .identity_last = ETL_UNKNOWN };
	s->changed = true;
	given = wanted_type(s, rule, column);
	set_respelt(s, NULL, rule, column);
	return add_cast(s, column->name, -1,
			(struct etl_type_info){ column->type, column->precision, column->scale },
			given, rule);
}

static int check_collisions(struct shaping *s)
{
	for (size_t i = 0; i < s->column_count; i++)
		for (size_t k = 0; k < i; k++)
			if (strcasecmp(s->columns[i].name, s->columns[k].name) == 0)
				return error_set(
					s->err, ETL_USAGE,
					"%s: two columns of \"%s\" would be called \"%s\" in the "
					"target; give one of "
					"them another name with columns = ( { name = …; as = … } )",
					s->rule->origin.text ? s->rule->origin.text : "tables",
					job_source_name(s->job), s->columns[i].name);
	return 0;
}

/* What the columns of FROM are called once the target's own spelling is known. */
static void rename_again(struct shaping *s)
{
	for (size_t i = 0; i < s->from->column_count; i++)
		for (size_t k = 0; s->new_names[i] && k < s->column_count; k++)
			if (strcasecmp(s->columns[k].name, s->new_names[i]) == 0)
				s->new_names[i] = s->columns[k].name;
}

/* A table that is made has every column, in its order, those too that get no values. */
static int take_all(struct shaping *s)
{
	size_t count = s->there->column_count;
	struct etl_column *all = etl_arena_alloc(&s->arena, (count + 1) * sizeof(*all));

	if (!all)
		return error_memory(s->err);
	for (size_t i = 0; i < count; i++) {
		all[i] = *table_column(s->there, i);
		all[i].flags &= ~(uint32_t)ETL_RESPELT;
		for (size_t k = 0; k < s->column_count; k++)
			if (strcmp(s->columns[k].name, all[i].name) == 0)
				all[i] = s->columns[k];
	}
	s->columns = all;
	s->column_count = count;
	return 0;
}

/* The shape of the table that is there and stays, or that the target's own DDL makes. */
static int take_shape(struct shaping *s)
{
	const struct shape_stores stores = { s->dynamic_target, s->takes };
	int rc = shape_existing_columns(s->job, s->there, &stores, s->columns, &s->column_count,
					s->cast, s->cast_count, s->err);

	if (rc == 0)
		rc = shape_existing_rest(s->job, s->there, s->columns, s->column_count, s->err);
	if (rc == 0 && s->job->given)
		rc = take_all(s);
	s->changed = true;
	rename_again(s);
	return rc;
}

/* conflicts = "target" of a column. */
static int mark_staying(struct shaping *s, const struct column_rule *rule)
{
	const char *name = rule->as;

	for (size_t i = 0; i < s->from->column_count; i++)
		if (rule_of(s, i) == rule)
			name = s->new_names[i];
	for (size_t i = 0; name && i < s->column_count; i++) {
		if (strcasecmp(s->columns[i].name, name) != 0)
			continue;
		s->columns[i].flags |= ETL_STAYS;
		return 0;
	}
	return error_set(s->err, ETL_USAGE, "%s: conflicts of a column: \"%s\" of \"%s\" does not come to the target; remove it",
			 rule->origin.text ? rule->origin.text : "columns", rule->name ? rule->name : rule->as,
			 job_source_name(s->job));
}

static bool note_staying(struct job *job)
{
	for (size_t i = 0; i < job->cast_count; i++) {
		int64_t at = table_find_column(job->target, job->cast[i].name);

		if (at < 0 || !(table_column(job->target, (size_t)at)->flags & ETL_STAYS))
			continue;
		if (!job->stays)
			job->stays = calloc(job->cast_count, sizeof(*job->stays));
		if (!job->stays)
			return false;
		job->stays[i] = true;
	}
	return true;
}

static int check_staying(struct shaping *s)
{
	const struct job *job = s->job;

	for (size_t i = 0; job->stays && i < job->key_count; i++)
		if (job->stays[job->key[i]])
			return error_set(s->err, ETL_USAGE,
					 "%s: \"%s\" is of the key of \"%s\", by which rows are told apart, so it has no conflicts "
					 "of its own; remove them",
					 job->rule->origin.text ? job->rule->origin.text : "tables",
					 job->rows.children[job->key[i]]->name, job_source_name(job));
	return 0;
}

static int shape_columns(struct shaping *s)
{
	size_t room = s->from->column_count + s->rule->column_count + 1 +
		      (s->there ? s->there->column_count : 0);
	int rc = check_rule_names(s);

	s->columns = etl_arena_alloc(&s->arena, room * sizeof(*s->columns));
	s->new_names = etl_arena_alloc(&s->arena, room * sizeof(*s->new_names));
	s->cast = calloc(room, sizeof(*s->cast));
	if (rc == 0 && (!s->columns || !s->new_names || !s->cast))
		return error_memory(s->err);
	for (size_t i = 0; i < s->from->column_count && rc == 0; i++)
		rc = take_column(s, i);
	for (size_t i = 0; i < s->rule->column_count && rc == 0; i++)
		if (!s->rule->columns[i].name)
			rc = make_column(s, &s->rule->columns[i]);
	if (rc == 0 && s->column_count == 0)
		rc = error_set(s->err, ETL_USAGE,
			       "%s: no column of \"%s\" is left; exclude the table instead",
			       s->rule->origin.text ? s->rule->origin.text : "tables",
			       job_source_name(s->job));
	if (rc == 0)
		rc = check_collisions(s);
	if (rc == 0 && s->there)
		rc = take_shape(s);
	for (size_t i = 0; i < s->rule->column_count && rc == 0; i++)
		if (s->rule->columns[i].stays)
			rc = mark_staying(s, &s->rule->columns[i]);
	return rc;
}

static int shape_name(struct shaping *s)
{
	s->table.name = s->rule->query ? etl_arena_copy(&s->arena, s->rule->as) :
					 shape_renamed(s, s->rule->as, s->from->name);
	if (!s->table.name)
		return error_memory(s->err);
	if (s->jobs->keeps_shape)
		s->job->existing = where_find(s->jobs, &s->table);
	if (!s->job->existing)
		s->job->given = catalog_find(&s->jobs->given, ETL_TABLE, NULL, s->table.name);
	s->there = s->job->existing ? s->job->existing : s->job->given;
	s->changed |= strcmp(s->table.name, s->from->name) != 0;
	return drift_into(s->jobs, s->job, s->err);
}

/* ---- The rows and their key ---- */

static bool make_rows_schema(struct shaping *s)
{
	struct etl_column *columns = calloc(s->cast_count + 1, sizeof(*columns));
	bool ok = columns != NULL;

	for (size_t i = 0; ok && i < s->cast_count; i++) {
		int64_t at = table_find_column(s->job->target, s->cast[i].name);

		columns[i].name = s->cast[i].name;
		columns[i].type = s->cast[i].type.type;
		columns[i].precision = s->cast[i].type.precision;
		columns[i].scale = s->cast[i].type.scale;
		columns[i].flags = at >= 0 ? table_column(s->job->target, (size_t)at)->flags : 0;
	}
	ok = ok && etl_schema_make(&s->job->rows, columns, s->cast_count, sizeof(*columns));
	free(columns);
	return ok;
}

static int no_such_key(struct shaping *s, const char *name)
{
	const char *origin = s->rule->origin.text;

	if (table_find_column(s->from, name) < 0)
		return unknown_column(s, origin, "key", name);
	return error_set(s->err, ETL_USAGE,
			 "%s: key: column \"%s\" of \"%s\" does not come to the target; name another, or "
			 "take it out of exclude_columns",
			 origin ? origin : "tables", name, job_source_name(s->job));
}

/* The key's columns in the rows: `key` of the file, by its old or new names, else the primary
 * key. */
static int make_key(struct shaping *s)
{
	const struct etl_table *target = s->job->target;
	size_t count = s->rule->key.count ? s->rule->key.count : target->primary.column_count;

	s->job->key = calloc(count + 1, sizeof(*s->job->key));
	if (!s->job->key)
		return error_memory(s->err);
	for (size_t i = 0; i < count; i++) {
		const char *name = s->rule->key.count ? s->rule->key.at[i] :
							target->primary.columns[i];
		const char *now = s->rule->key.count ? shape_new_name(s, name) : name;
		int64_t at = etl_schema_find(&s->job->rows, now ? now : name);

		if (at < 0 && s->rule->key.count)
			return no_such_key(s, name);
		if (at < 0) {
			s->job->key_count =
				0; /* a generated column is part of the key: the whole row is it */
			return 0;
		}
		s->job->key[s->job->key_count++] = at;
	}
	return 0;
}

/* The names in `cast` must outlive the arena. */
static int settle(struct shaping *s)
{
	struct job *job = s->job;
	int rc;

	s->table.columns = s->columns;
	s->table.column_count = s->column_count;
	s->table.column_size = sizeof(*s->columns);
	if (s->changed)
		s->table.ddl = NULL;
	if (s->arena.failed)
		return error_memory(s->err);
	job->target = table_copy(&s->table);
	if (!job->target)
		return error_memory(s->err);
	for (size_t i = 0; i < s->cast_count; i++)
		s->cast[i].name = table_column(job->target, (size_t)table_find_column(
								    job->target, s->cast[i].name))
					  ->name;
	job->cast = s->cast;
	job->cast_count = s->cast_count;
	if (!make_rows_schema(s) || !note_staying(job))
		return error_memory(s->err);
	rc = make_key(s);
	return rc < 0 ? rc : check_staying(s);
}

int shape_target(const struct pipeline *pipeline, struct jobs *jobs, struct job *job,
		 const struct etl_table *from, bool dynamic_target,
		 const struct etl_target *target, struct etl_error *err)
{
	struct shaping s = { .pipeline = pipeline,
			     .jobs = jobs,
			     .rule = job->rule,
			     .job = job,
			     .from = from,
			     .dynamic_target = dynamic_target,
			     .takes = target->takes,
			     .respells = target->respells,
			     .err = err };
	int rc;

	s.table = *from;
	s.table.kind = ETL_TABLE;
	s.changed = from->kind != ETL_TABLE;
	rc = shape_name(&s);
	if (rc == 0)
		rc = shape_columns(&s);
	if (rc == 0 && s.there)
		shape_keep(&s);
	else if (rc == 0)
		shape_carry(&s);
	if (rc == 0)
		rc = settle(&s);
	if (rc == 0)
		rc = job_find_respelt(jobs, job, err);
	if (!job->cast)
		free(s.cast);
	etl_arena_free(&s.arena);
	return rc;
}
