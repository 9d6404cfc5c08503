/* Keys and indexes by ODBC's catalog functions. */
#include "config.h"

#include <stdlib.h>

#include "describe.h"
#include "select.h"

/* Result columns of SQLPrimaryKeys, SQLStatistics and SQLForeignKeys. */
enum { PRIMARY_COLUMN = 4, PRIMARY_NAME = 6 };
enum {
	INDEX_NON_UNIQUE = 4,
	INDEX_NAME = 6,
	INDEX_TYPE = 7,
	INDEX_COLUMN = 9,
	INDEX_ORDER = 10,
	INDEX_FILTER = 13
};
enum {
	PARENT_SCHEMA = 2,
	PARENT_TABLE = 3,
	PARENT_COLUMN = 4,
	CHILD_COLUMN = 8,
	KEY_SEQUENCE = 9,
	KEY_ON_UPDATE = 10,
	KEY_ON_DELETE = 11,
	KEY_NAME = 12,
	KEY_DEFERRABLE = 14
};

/* A table's names as the catalog functions want them. */
struct wanted {
	SQLWCHAR *schema, *table;
	size_t schema_units, table_units;
};

static bool want(const struct etl_table *t, struct wanted *ret)
{
	*ret = (struct wanted){ 0 };
	ret->table = odbc_wide(t->name, strlen(t->name), &ret->table_units);
	if (t->schema)
		ret->schema = odbc_wide(t->schema, strlen(t->schema), &ret->schema_units);
	return ret->table && (!t->schema || ret->schema);
}

static void wanted_free(struct wanted *w)
{
	free(w->schema);
	free(w->table);
}

/* Asks by CALL and gives each row of the answer to TAKE. */
static int each_row(struct odbc_describing *d, struct odbc_object *o,
		    SQLRETURN (*call)(SQLHSTMT, struct wanted *),
		    int (*take)(struct odbc_describing *, struct odbc_object *, SQLHSTMT), const char *what)
{
	struct wanted w;
	SQLHSTMT stmt = SQL_NULL_HSTMT;
	int rc = want(&o->table, &w) ? odbc_statement(d->inst, &stmt, d->err) :
				       odbc_no_memory(d->inst, d->err),
	    more;

	if (rc == ETL_OK && !SQL_SUCCEEDED(call(stmt, &w)))
		rc = odbc_fail(d->inst, SQL_HANDLE_STMT, stmt, d->err, "the %s of \"%s\"", what,
			       o->table.name);
	while (rc == ETL_OK && (more = odbc_next(d->inst, stmt, d->err)) != 0)
		rc = more < 0 ? more : take(d, o, stmt);
	odbc_done(d->inst, stmt);
	wanted_free(&w);
	return rc;
}

/* ---- The primary key ----------------------------------------------------------------------------------- */

static SQLRETURN call_primary(SQLHSTMT stmt, struct wanted *w)
{
	return SQLPrimaryKeysW(stmt, NULL, 0, w->schema, (SQLSMALLINT)w->schema_units, w->table,
			       (SQLSMALLINT)w->table_units);
}

static int take_primary(struct odbc_describing *d, struct odbc_object *o, SQLHSTMT stmt)
{
	char *column, *name;
	int rc = odbc_at(d, stmt, PRIMARY_COLUMN, &column);

	if (rc == ETL_OK)
		rc = odbc_at(d, stmt, PRIMARY_NAME, &name);
	if (rc < 0 || !column)
		return rc;
	odbc_add_key_column(d, &o->table.primary, column);
	o->table.primary.name = name && *name ? name : NULL;
	return ETL_OK;
}

int odbc_find_key(struct etl_instance *inst, const struct etl_dataset *dataset, struct arena *memory, struct etl_key *ret,
		  struct etl_error *err)
{
	struct odbc_describing d = { .inst = inst, .err = err, .memory = *memory };
	struct odbc_object o = { .table = { .schema = dataset->schema, .name = dataset->table } };
	int rc = dataset->table ? each_row(&d, &o, call_primary, take_primary, "primary key") : ETL_OK;

	*memory = d.memory;
	if (rc == ETL_OK)
		*ret = o.table.primary;
	return rc == ETL_OK && memory->failed ? odbc_no_memory(inst, err) : rc;
}

/* ---- Indexes -------------------------------------------------------------------------------------------- */

static SQLRETURN call_indexes(SQLHSTMT stmt, struct wanted *w)
{
	return SQLStatisticsW(stmt, NULL, 0, w->schema, (SQLSMALLINT)w->schema_units, w->table,
			      (SQLSMALLINT)w->table_units, SQL_INDEX_ALL, SQL_QUICK);
}

static int take_index(struct odbc_describing *d, struct odbc_object *o, SQLHSTMT stmt)
{
	struct etl_index *index = NULL;
	struct etl_index_part *part;
	char *name, *column, *order, *filter;
	int64_t non_unique, type;
	int rc = odbc_int_at(d, stmt, INDEX_NON_UNIQUE, &non_unique);

	if (rc == ETL_OK)
		rc = odbc_at(d, stmt, INDEX_NAME, &name);
	if (rc == ETL_OK)
		rc = odbc_int_at(d, stmt, INDEX_TYPE, &type);
	if (rc == ETL_OK)
		rc = odbc_at(d, stmt, INDEX_COLUMN, &column);
	if (rc == ETL_OK)
		rc = odbc_at(d, stmt, INDEX_ORDER, &order);
	if (rc == ETL_OK)
		rc = odbc_at(d, stmt, INDEX_FILTER, &filter);
	if (rc < 0 || !name || type == SQL_TABLE_STAT)
		return rc;
	if (o->table.index_count > 0 &&
	    strcmp(o->indexes[o->table.index_count - 1].name, name) == 0)
		index = &o->indexes[o->table.index_count - 1];
	else
		index = odbc_add_index(d, o);
	part = index ? odbc_add_part(d, index) : NULL;
	if (!part)
		return odbc_no_memory(d->inst, d->err);
	index->name = name;
	index->flags = non_unique ? 0 : ETL_INDEX_UNIQUE;
	index->where_sql = filter && *filter ? filter : NULL;
	part->column = column;
	part->descending = order && *order == 'D';
	return ETL_OK;
}

static bool is_primary(const struct etl_table *t, const struct etl_index *index)
{
	if (!(index->flags & ETL_INDEX_UNIQUE) || index->part_count != t->primary.column_count)
		return false;
	for (size_t i = 0; i < index->part_count; i++)
		if (!index->parts[i].column || strcmp(index->parts[i].column, t->primary.columns[i]) != 0)
			return false;
	return true;
}

/* Nothing says here which one stands for a key; and of an expression drivers give no text that others could read. */
static void sort_out(struct odbc_object *o)
{
	size_t kept = 0;

	for (size_t i = 0; i < o->table.index_count; i++) {
		bool whole = true;

		for (size_t p = 0; p < o->indexes[i].part_count; p++)
			whole &= o->indexes[i].parts[p].column && *o->indexes[i].parts[p].column;
		if (whole && !is_primary(&o->table, &o->indexes[i]))
			o->indexes[kept++] = o->indexes[i];
	}
	o->table.index_count = kept;
}

/* ---- Foreign keys ------------------------------------------------------------------------------------------ */

static SQLRETURN call_foreign(SQLHSTMT stmt, struct wanted *w)
{
	return SQLForeignKeysW(stmt, NULL, 0, NULL, 0, NULL, 0, NULL, 0, w->schema,
			       (SQLSMALLINT)w->schema_units, w->table, (SQLSMALLINT)w->table_units);
}

static int32_t action_of(int64_t rule)
{
	switch (rule) {
	case SQL_CASCADE:
		return ETL_CASCADE;
	case SQL_SET_NULL:
		return ETL_SET_NULL;
	case SQL_SET_DEFAULT:
		return ETL_SET_DEFAULT;
	case SQL_RESTRICT:
		return ETL_RESTRICT;
	default:
		return ETL_NO_ACTION;
	}
}

static void add_pair(struct odbc_describing *d, struct etl_foreign_key *key, const char *child,
		     const char *parent)
{
	struct etl_key mine = { .columns = key->columns, .column_count = key->column_count };
	struct etl_key theirs = { .columns = key->parent_columns, .column_count = key->column_count };

	odbc_add_key_column(d, &mine, child);
	odbc_add_key_column(d, &theirs, parent);
	key->columns = mine.columns;
	key->parent_columns = theirs.columns;
	key->column_count = mine.column_count;
}

static int take_foreign(struct odbc_describing *d, struct odbc_object *o, SQLHSTMT stmt)
{
	static const int32_t deferrable[] = { [SQL_INITIALLY_DEFERRED] = ETL_DEFERRABLE_DEFERRED,
					      [SQL_INITIALLY_IMMEDIATE] = ETL_DEFERRABLE_IMMEDIATE,
					      [SQL_NOT_DEFERRABLE] = ETL_NOT_DEFERRABLE };
	char *schema, *table, *parent, *child, *name;
	int64_t sequence, on_update, on_delete, when;
	struct etl_foreign_key *key;
	int rc = odbc_at(d, stmt, PARENT_SCHEMA, &schema);

	if (rc == ETL_OK)
		rc = odbc_at(d, stmt, PARENT_TABLE, &table);
	if (rc == ETL_OK)
		rc = odbc_at(d, stmt, PARENT_COLUMN, &parent);
	if (rc == ETL_OK)
		rc = odbc_at(d, stmt, CHILD_COLUMN, &child);
	if (rc == ETL_OK)
		rc = odbc_int_at(d, stmt, KEY_SEQUENCE, &sequence);
	if (rc == ETL_OK)
		rc = odbc_int_at(d, stmt, KEY_ON_UPDATE, &on_update);
	if (rc == ETL_OK)
		rc = odbc_int_at(d, stmt, KEY_ON_DELETE, &on_delete);
	if (rc == ETL_OK)
		rc = odbc_at(d, stmt, KEY_NAME, &name);
	if (rc == ETL_OK)
		rc = odbc_int_at(d, stmt, KEY_DEFERRABLE, &when);
	if (rc < 0 || !table || !child || !parent)
		return rc;
	key = sequence > 1 && o->table.foreign_key_count > 0 ?
		      &o->foreign_keys[o->table.foreign_key_count - 1] :
		      odbc_add_foreign_key(d, o);
	if (!key)
		return odbc_no_memory(d->inst, d->err);
	key->name = name && *name ? name : NULL;
	key->parent_schema = schema && *schema ? schema : NULL;
	key->parent = table;
	key->on_delete = action_of(on_delete);
	key->on_update = action_of(on_update);
	key->deferrable = when >= SQL_INITIALLY_DEFERRED && when <= SQL_NOT_DEFERRABLE ? deferrable[when] : 0;
	add_pair(d, key, child, parent);
	return ETL_OK;
}

int odbc_catalog_keys(struct odbc_describing *d, struct odbc_object *o)
{
	int rc = each_row(d, o, call_primary, take_primary, "primary key");

	if (rc == ETL_OK)
		rc = each_row(d, o, call_indexes, take_index, "indexes");
	if (rc == ETL_OK)
		sort_out(o);
	if (rc == ETL_OK)
		rc = each_row(d, o, call_foreign, take_foreign, "foreign keys");
	return rc;
}
