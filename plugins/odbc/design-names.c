/*
 * Names that T-SQL does not take: too long ones of tables and columns, which nobody but the person can shorten, and those of
 * columns that differ in case only, which a database whose collation ignores it takes for one. Refused in `plan`, before
 * anything moves, with what to write.
 */
#include "config.h"

#include "design.h"

static const char *name_of(const struct etl_table *t, size_t i)
{
	return ETL_AT(const struct etl_column, t->columns, t->column_size, i)->name;
}

static int refuse_long(struct design *d, const char *column)
{
	d->inst->host->at(d->err, d->table->name, column, NULL);
	return d->inst->host->fail(d->err, ETL_USAGE, NULL, 0,
				   "the name of %s \"%s\" is longer than the %s; give it another one with %s",
				   column ? "column" : "table", column ? column : d->table->name,
				   d->inst->babelfish ? "63 bytes that Babelfish keeps" : "128 UTF-16 units that SQL Server takes",
				   column ? "columns = ( { name = …; as = … } )" :
					    "tables = ( { name = …; as = … }, { name = \"*\"; } )");
}

static int refuse_empty(struct design *d)
{
	d->inst->host->at(d->err, d->table->name, NULL, NULL);
	return d->inst->host->fail(d->err, ETL_USAGE, NULL, 0,
				   "a column of \"%s\" has no name, and SQL Server wants one; give it one with columns = ( { name = "
				   "\"\"; as = … } )",
				   d->table->name);
}

static int refuse_case(struct design *d, const char *a, const char *b)
{
	d->inst->host->at(d->err, d->table->name, b, NULL);
	return d->inst->host->fail(d->err, ETL_USAGE, NULL, 0,
				   "columns \"%s\" and \"%s\" of \"%s\" differ in case only, and to this database they are one; give "
				   "one of them another name with columns = ( { name = \"%s\"; as = … } )",
				   a, b, d->table->name, b);
}

/* Constants are compared by the collation of the database, as names are. Without a connection: most ignore it. */
static int ignores_case(struct design *d, bool *ret)
{
	int64_t answer = 1;
	int rc = d->inst->connected ? odbc_number(d->inst, d->err, &answer, "SELECT CASE WHEN 'a' = 'A' THEN 1 ELSE 0 END") :
				      ETL_OK;

	*ret = answer == 1;
	return rc;
}

static int check_column(struct design *d, size_t i)
{
	const char *name = name_of(d->table, i);
	bool ignored = false;
	int rc = ETL_OK;

	if (!*name)
		return refuse_empty(d);
	if (!odbc_fits_name(d->inst, name))
		return refuse_long(d, name);
	for (size_t k = 0; rc == ETL_OK && k < i; k++) {
		if (!odbc_same_name(name_of(d->table, k), name))
			continue;
		rc = ignores_case(d, &ignored);
		if (rc == ETL_OK && ignored)
			rc = refuse_case(d, name_of(d->table, k), name);
	}
	return rc;
}

int odbc_design_check_names(struct design *d)
{
	int rc = ETL_OK;

	if (!odbc_fits_name(d->inst, d->table->name))
		return refuse_long(d, NULL);
	if (d->table->column_count > TSQL_TABLE_COLUMNS) {
		d->inst->host->at(d->err, d->table->name, NULL, NULL);
		return d->inst->host->fail(d->err, ETL_USAGE, NULL, 0,
					   "table \"%s\" has %zu columns, and SQL Server takes %d; leave some out with "
					   "exclude_columns",
					   d->table->name, d->table->column_count, TSQL_TABLE_COLUMNS);
	}
	for (size_t i = 0; rc == ETL_OK && i < d->table->column_count; i++)
		rc = check_column(d, i);
	return rc;
}
