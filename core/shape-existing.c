/*
 * The target's table is there and stays, or is made by DDL of its own, so the rows take its shape. The columns
 * that come are called, typed and keyed as the target has them; what the target cannot take, and
 * what it must have and does not get, is said here, before anything is opened for writing.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "shape.h"
#include "whereabouts.h"

static const char *origin_of(const struct job *job)
{
	return job->rule->origin.text ? job->rule->origin.text : "tables";
}

/* ---- Columns ---- */

static int no_such_column(const struct job *job, const struct etl_table *there,
			  const struct etl_column *column, struct etl_error *err)
{
	error_at(err, there->name, column->name, NULL);
	return error_set(
		err, ETL_USAGE,
		"%s: the target's table \"%s\" has no column \"%s\"; leave it out with "
		"exclude_columns, name it with columns = ( { name = …; as = … } ), or add it "
		"to the target",
		origin_of(job), there->name, column->name);
}

static bool same_type(struct etl_type_info a, struct etl_type_info b)
{
	return a.type == b.type && a.precision == b.precision && a.scale == b.scale;
}

/* The type in which the values go: that of the target's column, unless the file gave one (CAST->type
 * is it then). Values of any type stay as they are where both ends were declared alike. */
static void take_type(const struct etl_column *was, const struct etl_column *there,
		      const struct shape_stores *stores, struct reshape_column *cast)
{
	struct etl_type_info declared = { was->type, was->precision, was->scale };
	struct etl_column wanted = *there;
	struct etl_type_info want;

	wanted.type = stores->takes(&wanted);
	want = (struct etl_type_info){ wanted.type, wanted.precision, wanted.scale };
	if (want.type == ETL_ANY || want.type == ETL_TYPE_NONE || same_type(cast->type, want))
		return;
	if (cast->type.type == ETL_ANY && stores->dynamic_target && same_type(declared, want))
		return;
	cast->type = want;
}

static struct reshape_column *find_cast(struct reshape_column *cast, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(cast[i].name, name) == 0)
			return &cast[i];
	return NULL;
}

/* Generated columns are the target's own affair: those that come are dropped, its own are kept
 * behind the others, because keys and checks may speak of them. */
int shape_existing_columns(struct job *job, const struct etl_table *there,
			   const struct shape_stores *stores, struct etl_column *columns,
			   size_t *count, struct reshape_column *cast, size_t cast_count,
			   struct etl_error *err)
{
	size_t kept = 0;

	for (size_t i = 0; i < *count; i++) {
		int64_t at = table_find_column(there, columns[i].name);
		const struct etl_column *column = at < 0 ? NULL : table_column(there, (size_t)at);
		struct reshape_column *own = find_cast(cast, cast_count, columns[i].name);
		const char *origin = columns[i].origin;
		uint32_t constant = columns[i].flags & ETL_CONSTANT;
		bool alike;

		if (columns[i].flags & ETL_GENERATED)
			continue;
		if (!column)
			return no_such_column(job, there, &columns[i], err);
		if (column->flags & ETL_GENERATED) {
			error_at(err, there->name, column->name, NULL);
			return error_set(
				err, ETL_USAGE,
				"%s: the target computes \"%s\" of \"%s\" itself; leave it out "
				"with exclude_columns",
				origin_of(job), column->name, there->name);
		}
		if (own && !own->given)
			take_type(&columns[i], column, stores, own);
		if (own)
			own->name = column->name;
		if (!origin && !constant && strcmp(columns[i].name, column->name) != 0)
			origin = columns[i].name;
		alike = column_alike(&columns[i], column) && !(own && own->fallback);
		columns[kept] = *column;
		columns[kept].flags &= ~(alike ? (uint32_t)ETL_RESPELT : 0u);
		columns[kept].origin = origin;
		columns[kept++].flags |= constant;
	}
	for (size_t i = 0; i < there->column_count; i++) {
		if (!(table_column(there, i)->flags & ETL_GENERATED))
			continue;
		columns[kept] = *table_column(there, i);
		columns[kept++].flags &= ~(uint32_t)ETL_RESPELT;
	}
	*count = kept;
	return 0;
}

static bool comes(const struct etl_column *columns, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcasecmp(columns[i].name, name) == 0)
			return true;
	return false;
}

int shape_existing_rest(struct job *job, const struct etl_table *there,
			const struct etl_column *columns, size_t count, struct etl_error *err)
{
	for (size_t i = 0; i < there->column_count; i++) {
		const struct etl_column *column = table_column(there, i);

		if (comes(columns, count, column->name) || !(column->flags & ETL_NOT_NULL) ||
		    column->default_sql || column->flags & (ETL_IDENTITY | ETL_GENERATED))
			continue;
		error_at(err, there->name, column->name, NULL);
		return error_set(err, ETL_USAGE,
				 "%s: \"%s\" of the target's table \"%s\" must not be NULL and has "
				 "no default, "
				 "and the source does not bring it; bring it, or give it a value "
				 "with columns = "
				 "( { as = \"%s\"; value = … } )",
				 origin_of(job), column->name, there->name, column->name);
	}
	return 0;
}

/* ---- The key by which rows meet ---- */

static bool same_columns(const char *const *a, size_t a_count, const struct job *job,
			 const int64_t *b, size_t b_count)
{
	if (a_count != b_count)
		return false;
	for (size_t i = 0; i < a_count; i++) {
		size_t k = 0;

		while (k < b_count && strcasecmp(a[i], job->rows.children[b[k]]->name) != 0)
			k++;
		if (k == b_count)
			return false;
	}
	return true;
}

static bool index_is_key(const struct etl_index *index, const struct job *job)
{
	const char *names[64];

	if (!(index->flags & ETL_INDEX_UNIQUE) || index->where_sql || index->part_count > 64)
		return false;
	for (size_t i = 0; i < index->part_count; i++) {
		names[i] = ETL_AT(const struct etl_index_part, index->parts, index->part_size, i)
				   ->column;
		if (!names[i])
			return false;
	}
	return same_columns(names, index->part_count, job, job->key, job->key_count);
}

static bool is_key(const struct etl_table *table, const struct job *job)
{
	bool found = same_columns(table->primary.columns, table->primary.column_count, job,
				  job->key, job->key_count);

	for (size_t i = 0; i < table->unique_count && !found; i++) {
		const struct etl_key *key = ETL_AT(const struct etl_key, table->uniques,
						   table->unique_size, i);

		found = same_columns(key->columns, key->column_count, job, job->key,
				     job->key_count);
	}
	for (size_t i = 0; i < table->index_count && !found; i++)
		found = index_is_key(
			ETL_AT(const struct etl_index, table->indexes, table->index_size, i), job);
	return found;
}

/* "a, b" of the key, for a sentence. */
static void add_names(struct etl_text *text, const struct job *job)
{
	for (size_t i = 0; i < job->key_count; i++)
		etl_text_addf(text, "%s%s", i ? ", " : "", job->rows.children[job->key[i]]->name);
}

static int check_key(const struct job *job, struct etl_error *err)
{
	const struct etl_table *table = job->existing ? job->existing : job->target;
	struct etl_text names = { 0 };
	int rc = 0;

	if (job->key_count == 0)
		return error_set(
			err, ETL_USAGE,
			"%s: mode = \"merge\" finds the rows of \"%s\" by a key, and %s has "
			"none that comes; write key = [ … ] with the columns of a primary key "
			"or unique constraint of that table",
			origin_of(job), table->name,
			job->existing ? "the target's table" : "the table, which would be made,");
	if (is_key(table, job))
		return 0;
	add_names(&names, job);
	rc = names.failed ?
		     error_memory(err) :
		     error_set(err, ETL_USAGE,
			       "%s: key: (%s) is no primary key and not unique in %s \"%s\", so "
			       "it could find several rows; name the columns of a key, or make "
			       "it unique there",
			       origin_of(job), names.at,
			       job->existing ? "the target's table" : "the new table", table->name);
	etl_text_free(&names);
	return rc;
}

/* ---- Deletes ---- */

static bool can_be_marked(const struct etl_column *column)
{
	switch (column->type) {
	case ETL_BOOL:
	case ETL_INT16:
	case ETL_INT32:
	case ETL_INT64:
		return true;
	case ETL_TEXT:
	case ETL_TIMESTAMP:
	case ETL_INSTANT:
	case ETL_ANY:
		return !(column->flags & ETL_NOT_NULL);
	default:
		return false;
	}
}

static int check_soft(const struct job *job, struct etl_error *err)
{
	const char *name = job->rule->delete_column;
	const struct etl_table *there = job->existing;
	int64_t at = there ? table_find_column(there, name) : -1;

	if (!name)
		return error_set(err, ETL_USAGE,
				 "%s: delete = \"soft\" of \"%s\" needs delete_column = \"…\", the "
				 "column of the target that says when a row was deleted",
				 origin_of(job), job->target->name);
	if (at < 0)
		return error_set(err, ETL_USAGE,
				 "%s: delete_column: %s \"%s\" has no column \"%s\"; add it there",
				 origin_of(job), there ? "the target's table" : "the new table",
				 job->target->name, name);
	if (etl_schema_find(&job->rows, table_column(there, (size_t)at)->name) >= 0)
		return error_set(
			err, ETL_USAGE,
			"%s: delete_column: \"%s\" of \"%s\" comes from the source, so it "
			"cannot be written by the run too; leave it out with exclude_columns",
			origin_of(job), name, job->target->name);
	if (!can_be_marked(table_column(there, (size_t)at)))
		return error_set(
			err, ETL_USAGE,
			"%s: delete_column: \"%s\" of \"%s\" is %s; a boolean or integer takes "
			"1, a text or timestamp that may be NULL takes the time",
			origin_of(job), name, job->target->name,
			table_column(there, (size_t)at)->flags & ETL_NOT_NULL ?
				"NOT NULL and no flag" :
				"of another type");
	return 0;
}

/* A row that was left out here is not gone from the source. */
static int check_deletes(const struct job *job, bool partial, struct etl_error *err)
{
	/* Of a sync the rows that go are known one by one: none with --limit, and what an entry that says so leaves out. */
	bool named = job->load.run->flags & ETL_RUN_CHANGES && (partial || job->rule->has_delete);
	const char *why = named		   ? NULL :
			  partial	   ? "--limit leaves rows out" :
			  job->rule->query ? "a query may leave rows out" :
			  job->rule->where ? "`where` leaves rows out" :
			  !job->keeps_rows ? "a transform may leave rows out" :
					     NULL;

	if (job->rule->deletes == ETL_DELETE_NONE && job->rule->delete_column)
		return error_set(
			err, ETL_USAGE,
			"%s: delete_column is written by delete = \"soft\" only; write that "
			"too, or remove it",
			origin_of(job));
	if (job->rule->deletes == ETL_DELETE_NONE)
		return 0;
	if (why)
		return error_set(
			err, ETL_USAGE,
			"%s: delete = \"%s\" of \"%s\" would take rows for deleted that are "
			"still in the source, because %s; write delete = \"none\" for this "
			"table%s",
			origin_of(job), job->rule->deletes == ETL_DELETE_HARD ? "hard" : "soft",
			job->target->name, why,
			job->load.run->flags & ETL_RUN_CHANGES ?
				", or `delete` in its own entry, where it means what is left out too" :
				"");
	return job->rule->deletes == ETL_DELETE_SOFT ? check_soft(job, err) : 0;
}

int shape_check_merge(const struct job *job, bool partial, struct etl_error *err)
{
	int rc = check_key(job, err);

	if (rc == 0)
		rc = check_deletes(job, partial, err);
	/* Afterwards: a place that is said before would stand in whatever fails later. */
	if (rc < 0)
		error_name_table(err, job->existing ? job->existing->name : job->target->name);
	return rc;
}

/* ---- Foreign keys ---- */

/* The parent as it will be: from this run, else what the target has. */
static struct etl_parent find_parent(const struct jobs *jobs, const struct job *job,
				     const struct etl_foreign_key *key, bool stays)
{
	const struct job *parent = where_parent_job(jobs, job, key);

	if (!parent)
		return (struct etl_parent){ .table = where_find_parent(jobs, job, key) };
	return (struct etl_parent){ .table = stays && parent->existing ? parent->existing :
									 parent->target,
				    .in_run = 1 };
}

/* A key that says REFERENCES parent means the parent's primary key, which a target that looks at one
 * table at a time does not see. */
void shape_name_parents(struct jobs *jobs)
{
	for (size_t i = 0; i < jobs->count; i++) {
		struct etl_table *table = jobs->at[i]->target;

		for (size_t k = 0; k < table->foreign_key_count; k++) {
			struct etl_foreign_key *key = ETL_AT(struct etl_foreign_key,
							     table->foreign_keys,
							     table->foreign_key_size, k);
			const struct etl_table *parent =
				key->parent_columns ? NULL :
						      find_parent(jobs, jobs->at[i], key, true).table;

			if (parent && parent->primary.column_count == key->column_count)
				key->parent_columns = parent->primary.columns;
		}
	}
}

int shape_find_parents(struct jobs *jobs, bool stays, struct etl_error *err)
{
	for (size_t i = 0; i < jobs->count; i++) {
		const struct etl_table *table = jobs->at[i]->target;
		struct etl_parent *parents = etl_arena_alloc(&jobs->arena, (table->foreign_key_count + 1) *
										   sizeof(*parents));

		if (!parents)
			return error_memory(err);
		for (size_t k = 0; k < table->foreign_key_count; k++)
			parents[k] = find_parent(jobs, jobs->at[i],
						 ETL_AT(const struct etl_foreign_key,
							table->foreign_keys, table->foreign_key_size, k),
						 stays);
		jobs->at[i]->load.parents = parents;
	}
	return 0;
}
