/*
 * Tables, views and columns by ODBC's catalog functions. Names are patterns there, in which "_" is any character: what
 * comes back is compared once more.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "describe.h"

/* Result columns of SQLTables and SQLColumns, as ODBC numbers them. */
enum { TABLE_SCHEMA = 2, TABLE_NAME = 3, TABLE_TYPE = 4, TABLE_REMARKS = 5 };
enum {
	COLUMN_TABLE = 3,
	COLUMN_NAME = 4,
	COLUMN_TYPE = 5,
	COLUMN_TYPE_NAME = 6,
	COLUMN_SIZE = 7,
	COLUMN_DIGITS = 9,
	COLUMN_NULLABLE = 11,
	COLUMN_REMARKS = 12,
	COLUMN_DEFAULT = 13
};

static bool is_wanted(const struct odbc_describing *d, const char *schema, const char *name)
{
	const struct odbc_dialect *dialect = d->inst->dialect;

	if (strncmp(name, "_etlrun", 7) == 0 || strncmp(name, "sqlite_", 7) == 0)
		return false;
	if (d->table && strcmp(d->table, name) != 0)
		return false;
	if (d->schema && schema && *schema)
		return strcmp(d->schema, schema) == 0;
	return !(schema && dialect->is_reserved && dialect->is_reserved(schema));
}

/* ---- Tables ---------------------------------------------------------------------------------------------- */

static int take_table(struct odbc_describing *d, SQLHSTMT stmt)
{
	char *schema, *name, *type, *remarks;
	struct odbc_object *o;
	int rc = odbc_at(d, stmt, TABLE_SCHEMA, &schema);

	if (rc == ETL_OK)
		rc = odbc_at(d, stmt, TABLE_NAME, &name);
	if (rc == ETL_OK)
		rc = odbc_at(d, stmt, TABLE_TYPE, &type);
	if (rc == ETL_OK)
		rc = odbc_at(d, stmt, TABLE_REMARKS, &remarks);
	if (rc < 0 || !name || !type || !is_wanted(d, schema, name))
		return rc;
	if (strcmp(type, "TABLE") != 0 && strcmp(type, "VIEW") != 0)
		return ETL_OK;
	o = odbc_add_object(d, strcmp(type, "VIEW") == 0 ? ETL_VIEW : ETL_TABLE, schema, name);
	if (o && remarks && *remarks)
		o->table.comment = remarks;
	return o ? ETL_OK : odbc_no_memory(d->inst, d->err);
}

static int read_tables(struct odbc_describing *d)
{
	static SQLWCHAR any[] = { '%', 0 }, types[] = { 'T', 'A', 'B', 'L', 'E', ',', 'V', 'I', 'E', 'W', 0 };
	SQLHSTMT stmt;
	int rc = odbc_statement(d->inst, &stmt, d->err), more;

	if (rc < 0)
		return rc;
	/* Without a word psqlODBC looks in the search path only. */
	if (!SQL_SUCCEEDED(SQLTablesW(stmt, NULL, 0, d->inst->dialect->default_schema ? any : NULL,
				      d->inst->dialect->default_schema ? SQL_NTS : 0, any, SQL_NTS, types, SQL_NTS)))
		rc = odbc_fail(d->inst, SQL_HANDLE_STMT, stmt, d->err, "the tables of the database");
	while (rc == ETL_OK && (more = odbc_next(d->inst, stmt, d->err)) != 0)
		rc = more < 0 ? more : take_table(d, stmt);
	odbc_done(d->inst, stmt);
	return rc;
}

/* ---- Columns ----------------------------------------------------------------------------------------------- */

static int take_column(struct odbc_describing *d, struct odbc_object *o, SQLHSTMT stmt)
{
	struct odbc_column found = { 0 };
	struct etl_column *c;
	char *table, *name, *type_name, *remarks, *default_sql;
	int64_t type, size, digits, nullable;
	int rc = odbc_at(d, stmt, COLUMN_TABLE, &table);

	if (rc == ETL_OK)
		rc = odbc_at(d, stmt, COLUMN_NAME, &name);
	if (rc == ETL_OK)
		rc = odbc_int_at(d, stmt, COLUMN_TYPE, &type);
	if (rc == ETL_OK)
		rc = odbc_at(d, stmt, COLUMN_TYPE_NAME, &type_name);
	if (rc == ETL_OK)
		rc = odbc_int_at(d, stmt, COLUMN_SIZE, &size);
	if (rc == ETL_OK)
		rc = odbc_int_at(d, stmt, COLUMN_DIGITS, &digits);
	if (rc == ETL_OK)
		rc = odbc_int_at(d, stmt, COLUMN_NULLABLE, &nullable);
	if (rc == ETL_OK)
		rc = odbc_at(d, stmt, COLUMN_REMARKS, &remarks);
	if (rc == ETL_OK)
		rc = odbc_at(d, stmt, COLUMN_DEFAULT, &default_sql);
	if (rc < 0 || !name || !table || strcmp(table, o->table.name) != 0)
		return rc;
	found.sql_type = (SQLSMALLINT)type;
	found.size = size > 0 ? (SQLULEN)size : 0;
	found.digits = (SQLSMALLINT)digits;
	found.nullable = nullable != SQL_NO_NULLS;
	snprintf(found.name, sizeof(found.name), "%s", name);
	snprintf(found.type_name, sizeof(found.type_name), "%s", type_name ? type_name : "");
	c = odbc_add_column(d, o, &found);
	if (!c)
		return odbc_no_memory(d->inst, d->err);
	c->comment = remarks && *remarks ? remarks : NULL;
	c->default_sql = default_sql && *default_sql && strcmp(default_sql, "NULL") != 0 ? default_sql : NULL;
	return ETL_OK;
}

static int read_columns(struct odbc_describing *d, struct odbc_object *o)
{
	size_t units, schema_units = 0;
	SQLWCHAR *table = odbc_wide(o->table.name, strlen(o->table.name), &units), *schema = NULL;
	SQLHSTMT stmt;
	int rc = table ? odbc_statement(d->inst, &stmt, d->err) : odbc_no_memory(d->inst, d->err), more;

	if (rc < 0) {
		free(table);
		return rc;
	}
	if (o->table.schema)
		schema = odbc_wide(o->table.schema, strlen(o->table.schema), &schema_units);
	if (!SQL_SUCCEEDED(SQLColumnsW(stmt, NULL, 0, schema, (SQLSMALLINT)schema_units, table,
				       (SQLSMALLINT)units, NULL, 0)))
		rc = odbc_fail(d->inst, SQL_HANDLE_STMT, stmt, d->err, "the columns of \"%s\"",
			       o->table.name);
	while (rc == ETL_OK && (more = odbc_next(d->inst, stmt, d->err)) != 0)
		rc = more < 0 ? more : take_column(d, o, stmt);
	odbc_done(d->inst, stmt);
	free(table);
	free(schema);
	return rc;
}

/* What is not asked for cannot be named one by one. */
static void say_unknown(const struct odbc_describing *d)
{
	const struct etl_instance *inst = d->inst;
	bool own = inst->dialect == &odbc_postgresql || inst->dialect == &odbc_sqlite;

	if (inst->host->role == ETL_ROLE_SOURCE && !d->table)
		inst->host->log(inst->host, ETL_LOG_INFO,
				"ODBC tells of tables, keys and indexes: checks, identities, computed columns, expressions of indexes, "
				"triggers, and the texts of views stay behind%s%s%s",
				own ? "; the plugin \"" : "", !own ? "" : inst->dialect == &odbc_sqlite ? "sqlite" : "postgres",
				own ? "\" carries them" : "");
}

int odbc_read_catalog(struct odbc_describing *d)
{
	int rc = read_tables(d);

	say_unknown(d);
	for (size_t i = 0; rc == ETL_OK && i < d->count; i++) {
		rc = read_columns(d, &d->objects[i]);
		if (rc == ETL_OK && d->objects[i].table.kind == ETL_TABLE)
			rc = odbc_catalog_keys(d, &d->objects[i]);
	}
	return rc;
}
