/*
 * Servers other than SQL Server: PostgreSQL through psqlODBC, SQLite through libsqliteodbc, and whoever speaks standard
 * SQL. What such a driver would change on the way is read as text.
 */
#include "config.h"

#include <stdio.h>
#include <strings.h>

#include "dialect.h"

static bool is_reserved_postgresql(const char *schema)
{
	return strncmp(schema, "pg_", 3) == 0 || strcmp(schema, "information_schema") == 0;
}

/* psqlODBC gives a time without its fraction, and of an infinite date a date. */
static const char *as_text_postgresql(int32_t type, const char *declared)
{
	(void)declared;
	switch (type) {
	case ETL_DATE:
	case ETL_TIME:
	case ETL_TIMESTAMP:
	case ETL_INSTANT:
	case ETL_UUID:
	case ETL_JSON:
	case ETL_DECIMAL:
	case ETL_NUMERIC:
		return "CAST(%s AS text)";
	default:
		return NULL;
	}
}

/* libsqliteodbc reads dates as it finds them declared, and numbers through a double. */
static const char *as_text_sqlite(int32_t type, const char *declared)
{
	(void)declared;
	switch (type) {
	case ETL_DATE:
	case ETL_TIME:
	case ETL_TIMESTAMP:
	case ETL_INSTANT:
	case ETL_UUID:
	case ETL_DECIMAL:
	case ETL_NUMERIC:
	case ETL_BOOL:
		return "CAST(%s AS text)";
	default:
		return NULL;
	}
}

static const char *as_text_standard(int32_t type, const char *declared)
{
	(void)declared;
	return type == ETL_TIME ? "CAST(%s AS varchar(40))" : NULL;
}

const struct odbc_dialect odbc_postgresql = {
	.name = "postgresql",
	.dbms = "PostgreSQL",
	.quote = '"',
	.default_schema = "public",
	.setup = "SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET extra_float_digits = 3; "
		 "SET statement_timeout = 0",
	.as_text = as_text_postgresql,
	.is_reserved = is_reserved_postgresql,
};

const struct odbc_dialect odbc_sqlite = {
	.name = "sqlite",
	.dbms = "SQLite",
	.quote = '"',
	.as_text = as_text_sqlite,
};

const struct odbc_dialect odbc_standard = {
	.name = "sql",
	.quote = '"',
	.as_text = as_text_standard,
};
