/*
 * Primary keys, unique constraints, indexes and foreign keys. A constraint that the server named by itself has no name
 * here: it gets one of the target's. What is disabled holds nothing, and is not carried.
 */
#include "config.h"

#include <stdlib.h>

#include "describe-tsql.h"

/* ---- Keys and indexes ------------------------------------------------------------------------------------ */

enum {
	INDEX_OBJECT, INDEX_ID, INDEX_NAME, INDEX_TYPE, INDEX_UNIQUE, INDEX_PRIMARY, INDEX_CONSTRAINT, INDEX_DISABLED,
	INDEX_FILTER, INDEX_COLUMN, INDEX_DESCENDING, INDEX_INCLUDED, INDEX_ORDINAL, INDEX_UNNAMED, INDEX_FIELDS
};

/* index_columns: "key_ordinal 0: not a key column", as that by which a table is parted. */
static const char indexes_sql[] =
	"SELECT i.object_id, i.index_id, i.name, i.type, i.is_unique, i.is_primary_key, i.is_unique_constraint, "
	"i.is_disabled, i.filter_definition, x.column_id, x.is_descending_key, x.is_included_column, x.key_ordinal, "
	"k.is_system_named FROM sys.indexes i JOIN sys.objects o ON o.object_id = i.object_id JOIN sys.schemas s ON "
	"s.schema_id = o.schema_id JOIN sys.index_columns x ON x.object_id = i.object_id AND x.index_id = i.index_id LEFT "
	"JOIN sys.key_constraints k ON k.parent_object_id = i.object_id AND k.name = i.name";

static bool may_be_null(const struct odbc_object *o, const char *column)
{
	for (size_t i = 0; i < o->table.column_count; i++)
		if (strcmp(o->columns[i].name, column) == 0)
			return !(o->columns[i].flags & ETL_NOT_NULL);
	return true;
}

/* Rows of one key come together. The key that has the name, or a new one. */
static struct etl_key *unique_of(struct tsql_catalog *t, struct odbc_object *o, const char *name)
{
	struct etl_key *last = o->table.unique_count ? &o->uniques[o->table.unique_count - 1] : NULL;

	if (last && last->name && strcmp(last->name, name) == 0)
		return last;
	last = odbc_add_unique(t->d, o);
	if (last)
		last->name = name;
	return last;
}

static int take_key(struct tsql_catalog *t, struct odbc_object *o, char *const *row, const char *column)
{
	bool primary = tsql_flag(row[INDEX_PRIMARY]);
	struct etl_key *key = primary ? &o->table.primary : unique_of(t, o, row[INDEX_NAME]);

	if (!key)
		return odbc_no_memory(t->d->inst, t->d->err);
	if (primary)
		key->name = tsql_flag(row[INDEX_UNNAMED]) && !t->babelfish ? NULL : row[INDEX_NAME];
	odbc_add_key_column(t->d, key, column);
	/* Two NULLs are duplicates to T-SQL. */
	if (!primary && may_be_null(o, column))
		key->flags |= ETL_KEY_NULLS_EQUAL;
	return ETL_OK;
}

static struct etl_index *index_of(struct tsql_catalog *t, struct odbc_object *o, const char *name)
{
	struct etl_index *last = o->table.index_count ? &o->indexes[o->table.index_count - 1] : NULL;

	if (last && strcmp(last->name, name) == 0)
		return last;
	last = odbc_add_index(t->d, o);
	if (last)
		last->name = name;
	return last;
}

/* The text so far, up to the list of included columns. */
static void add_included(struct tsql_catalog *t, struct etl_index *index, const char *column)
{
	struct etl_text ddl = { 0 };

	if (index->ddl)
		etl_text_addf(&ddl, "%s, ", index->ddl);
	odbc_add_name(&ddl, t->d->inst, column);
	index->ddl = etl_arena_copy(&t->d->memory, ddl.at);
	etl_text_free(&ddl);
}

static int take_index(struct tsql_catalog *t, struct odbc_object *o, char *const *row, const char *column)
{
	struct etl_index *index = index_of(t, o, tsql_index_name(t, o, row[INDEX_NAME]));
	struct etl_index_part *part;

	if (!index)
		return odbc_no_memory(t->d->inst, t->d->err);
	index->flags = tsql_flag(row[INDEX_UNIQUE]) ? ETL_INDEX_UNIQUE : 0u;
	if (!index->where_sql)
		index->where_sql = tsql_bare(t, row[INDEX_FILTER]);
	index->method = strcmp(row[INDEX_TYPE], "1") == 0 ? "clustered" : NULL;
	if (tsql_flag(row[INDEX_INCLUDED])) {
		add_included(t, index, column);
		return ETL_OK;
	}
	part = odbc_add_part(t->d, index);
	if (!part)
		return odbc_no_memory(t->d->inst, t->d->err);
	part->column = column;
	part->descending = tsql_flag(row[INDEX_DESCENDING]);
	return ETL_OK;
}

/* Types: 1 clustered and 2 not; XML, spatial, columnstore and hash indexes are T-SQL's alone. */
static bool is_ordinary(const char *type)
{
	return strcmp(type, "1") == 0 || strcmp(type, "2") == 0;
}

static int take_index_row(struct tsql_catalog *t, char *const *row)
{
	struct odbc_object *o = tsql_object(t, row[INDEX_OBJECT]);
	const char *column = o ? tsql_column(o, row[INDEX_COLUMN]) : NULL;
	bool first = row[INDEX_ORDINAL] && strcmp(row[INDEX_ORDINAL], "1") == 0;

	if (!o || !column || !row[INDEX_NAME])
		return ETL_OK;
	if (!is_ordinary(row[INDEX_TYPE]) || tsql_flag(row[INDEX_DISABLED])) {
		if (first || !is_ordinary(row[INDEX_TYPE]))
			tsql_left(t, o, tsql_flag(row[INDEX_DISABLED]) ? "disabled index" : "index of a kind of its own",
				  row[INDEX_NAME]);
		return ETL_OK;
	}
	if (!tsql_flag(row[INDEX_ORDINAL]) && !tsql_flag(row[INDEX_INCLUDED]))
		return ETL_OK;
	if (tsql_flag(row[INDEX_PRIMARY]) || tsql_flag(row[INDEX_CONSTRAINT]))
		return take_key(t, o, row, column);
	return take_index(t, o, row, column);
}

/* ---- What Babelfish keeps elsewhere ------------------------------------------------------------------------ */

enum { FILTER_TABLE, FILTER_NAME, FILTER_SQL, FILTER_FIELDS };

/* Its sys.indexes says of no index that it has a condition. */
static int take_filter(struct tsql_catalog *t, char *const *row)
{
	struct odbc_object *o = tsql_object(t, row[FILTER_TABLE]);
	const char *name = o ? tsql_index_name(t, o, row[FILTER_NAME]) : NULL;

	for (size_t i = 0; o && i < o->table.index_count; i++)
		if (strcmp(o->indexes[i].name, name) == 0)
			o->indexes[i].where_sql = tsql_bare(t, row[FILTER_SQL]);
	return ETL_OK;
}

static const char filters_sql[] =
	"SELECT i.indrelid, c.relname, pg_catalog.pg_get_expr(i.indpred, i.indrelid) FROM pg_catalog.pg_index i JOIN "
	"pg_catalog.pg_class c ON c.oid = i.indexrelid WHERE i.indpred IS NOT NULL";

/* ---- The text of an index ------------------------------------------------------------------------------------ */

static void add_ddl(struct tsql_catalog *t, const struct etl_table *table, struct etl_index *index)
{
	const struct etl_instance *inst = t->d->inst;
	struct etl_text ddl = { 0 };

	etl_text_addf(&ddl, "CREATE %s%sINDEX ", index->flags & ETL_INDEX_UNIQUE ? "UNIQUE " : "",
		      index->method ? "CLUSTERED " : "");
	odbc_add_name(&ddl, inst, index->name);
	etl_text_add(&ddl, " ON ");
	odbc_add_table(&ddl, inst, table->schema, table->name);
	for (size_t i = 0; i < index->part_count; i++) {
		etl_text_add(&ddl, i ? ", " : " (");
		odbc_add_name(&ddl, inst, index->parts[i].column);
		etl_text_add(&ddl, index->parts[i].descending ? " DESC" : "");
	}
	etl_text_addf(&ddl, ")%s%s%s", index->ddl ? " INCLUDE (" : "", index->ddl ? index->ddl : "",
		      index->ddl ? ")" : "");
	if (index->where_sql)
		etl_text_addf(&ddl, " WHERE %s", index->where_sql);
	index->ddl = etl_arena_copy(&t->d->memory, ddl.at);
	etl_text_free(&ddl);
}

/* ---- Foreign keys ------------------------------------------------------------------------------------------------ */

enum {
	FOREIGN_OBJECT, FOREIGN_ID, FOREIGN_NAME, FOREIGN_UNNAMED, FOREIGN_DISABLED, FOREIGN_PARENT, FOREIGN_SCHEMA,
	FOREIGN_TABLE, FOREIGN_DELETE, FOREIGN_UPDATE, FOREIGN_COLUMN, FOREIGN_PARENT_COLUMN, FOREIGN_PARENT_NAME,
	FOREIGN_FIELDS
};

static const char foreign_sql[] =
	"SELECT f.parent_object_id, f.object_id, f.name, f.is_system_named, f.is_disabled, f.referenced_object_id, "
	"rs.name, r.name, f.delete_referential_action, f.update_referential_action, x.parent_column_id, "
	"x.referenced_column_id, COL_NAME(x.referenced_object_id, x.referenced_column_id) FROM sys.foreign_keys f JOIN "
	"sys.foreign_key_columns x ON x.constraint_object_id = f.object_id JOIN sys.objects o ON o.object_id = "
	"f.parent_object_id JOIN sys.schemas s ON s.schema_id = o.schema_id JOIN sys.objects r ON r.object_id = "
	"f.referenced_object_id JOIN sys.schemas rs ON rs.schema_id = r.schema_id";

/* As sys.foreign_keys numbers them. */
static int32_t action_of(const char *number)
{
	static const int32_t actions[] = { ETL_NO_ACTION, ETL_CASCADE, ETL_SET_NULL, ETL_SET_DEFAULT };
	long n = number ? strtol(number, NULL, 10) : 0;

	return n >= 0 && n < (long)(sizeof(actions) / sizeof(*actions)) ? actions[n] : ETL_NO_ACTION;
}

/* Two columns of one key follow one another; its name is kept until all are there. */
static struct etl_foreign_key *foreign_of(struct tsql_catalog *t, struct odbc_object *o, char *const *row)
{
	size_t count = o->table.foreign_key_count;
	struct etl_foreign_key *last = count ? &o->foreign_keys[count - 1] : NULL;

	if (last && strcmp(last->name, row[FOREIGN_NAME]) == 0)
		return last;
	last = odbc_add_foreign_key(t->d, o);
	if (last)
		last->name = row[FOREIGN_NAME];
	return last;
}

static void add_pair(struct tsql_catalog *t, struct etl_foreign_key *key, const char *child, const char *parent)
{
	struct etl_key mine = { .columns = key->columns, .column_count = key->column_count };
	struct etl_key theirs = { .columns = key->parent_columns, .column_count = key->column_count };

	odbc_add_key_column(t->d, &mine, child);
	odbc_add_key_column(t->d, &theirs, parent);
	key->columns = mine.columns;
	key->parent_columns = theirs.columns;
	key->column_count = mine.column_count;
}

static int take_foreign(struct tsql_catalog *t, char *const *row)
{
	struct odbc_object *o = tsql_object(t, row[FOREIGN_OBJECT]), *parent = tsql_object(t, row[FOREIGN_PARENT]);
	const char *child = o ? tsql_column(o, row[FOREIGN_COLUMN]) : NULL, *theirs = NULL;
	struct etl_foreign_key *key;

	if (!child)
		return ETL_OK;
	if (tsql_flag(row[FOREIGN_DISABLED])) {
		tsql_left(t, o, "disabled foreign key", row[FOREIGN_NAME]);
		return ETL_OK;
	}
	key = foreign_of(t, o, row);
	if (!key)
		return odbc_no_memory(t->d->inst, t->d->err);
	if (parent)
		theirs = tsql_column(parent, row[FOREIGN_PARENT_COLUMN]);
	key->parent_schema = parent ? parent->table.schema : row[FOREIGN_SCHEMA];
	key->parent = parent ? parent->table.name : row[FOREIGN_TABLE];
	key->on_delete = action_of(row[FOREIGN_DELETE]);
	key->on_update = action_of(row[FOREIGN_UPDATE]);
	add_pair(t, key, child, theirs ? theirs : row[FOREIGN_PARENT_NAME]);
	return ETL_OK;
}

/* ---- Names that the server chose ------------------------------------------------------------------------------- */

enum { UNNAMED_TABLE, UNNAMED_NAME, UNNAMED_FIELDS };

static const char unnamed_sql[] =
	"SELECT k.parent_object_id, k.name FROM (SELECT parent_object_id, name FROM sys.foreign_keys WHERE "
	"is_system_named = 1 UNION ALL SELECT parent_object_id, name FROM sys.key_constraints WHERE is_system_named = 1) "
	"k JOIN sys.objects o ON o.object_id = k.parent_object_id JOIN sys.schemas s ON s.schema_id = o.schema_id";

static int take_unnamed(struct tsql_catalog *t, char *const *row)
{
	struct odbc_object *o = tsql_object(t, row[UNNAMED_TABLE]);

	for (size_t i = 0; o && i < o->table.foreign_key_count; i++)
		if (o->foreign_keys[i].name && strcmp(o->foreign_keys[i].name, row[UNNAMED_NAME]) == 0)
			o->foreign_keys[i].name = NULL;
	for (size_t i = 0; o && i < o->table.unique_count; i++)
		if (o->uniques[i].name && strcmp(o->uniques[i].name, row[UNNAMED_NAME]) == 0)
			o->uniques[i].name = NULL;
	return ETL_OK;
}

int tsql_keys(struct tsql_catalog *t)
{
	int rc = tsql_each_of(t, indexes_sql, false,
			      "i.object_id, i.index_id, x.is_included_column, x.key_ordinal, x.index_column_id",
			      INDEX_FIELDS, take_index_row);

	if (rc == ETL_OK && t->babelfish)
		rc = tsql_each(t, filters_sql, FILTER_FIELDS, take_filter);
	for (size_t i = 0; rc == ETL_OK && i < t->numbered; i++)
		for (size_t x = 0; x < t->d->objects[i].table.index_count; x++)
			add_ddl(t, &t->d->objects[i].table, &t->d->objects[i].indexes[x]);
	if (rc == ETL_OK)
		rc = tsql_each_of(t, foreign_sql, false,
				  "f.parent_object_id, f.object_id, x.constraint_column_id", FOREIGN_FIELDS,
				  take_foreign);
	/* Babelfish says of every name that it is the server's. */
	if (rc == ETL_OK && !t->babelfish)
		rc = tsql_each_of(t, unnamed_sql, false, "k.parent_object_id", UNNAMED_FIELDS, take_unnamed);
	return rc;
}
