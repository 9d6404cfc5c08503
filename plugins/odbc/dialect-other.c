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
	return strncmp(schema, "pg_", 3) == 0 || strncmp(schema, "_etlrun", 7) == 0 || strcmp(schema, "information_schema") == 0;
}

/*
 * What psqlODBC changes comes as text: a time loses its fraction, an infinite date becomes a date, a real is read from its
 * text by the driver, an oid is a number with a sign; and types that are PostgreSQL's own have no other form. A char(n)
 * as a text would lose the blanks at its end.
 */
static const char *as_text_postgresql(int32_t type, const char *declared)
{
	static const char *const plain[] = { "text", "varchar", "bpchar", "char", "name", "bool", "bytea" };

	if (type == ETL_INT16 || type == ETL_INT32 || type == ETL_INT64)
		return strcasecmp(declared, "oid") == 0 ? "CAST(%s AS text)" : NULL;
	for (size_t i = 0; i < sizeof(plain) / sizeof(*plain); i++)
		if (strcasecmp(plain[i], declared) == 0)
			return NULL;
	return "CAST(%s AS text)";
}

/*
 * SQLite keeps a type with each value, and its driver takes the one that the column was declared with, so each comes as a
 * text with the letter of its own: "i-5", "f0.1", "t" and "b" with hexadecimal digits (read-value.c). Twenty digits are
 * more than a real has: reading them gives it back.
 */
static const char *as_text_sqlite(int32_t type, const char *declared)
{
	(void)type;
	(void)declared;
	return "CASE typeof(%s) WHEN 'integer' THEN 'i' || %s WHEN 'real' THEN 'f' || printf('%!.20g', %s) WHEN 'text' THEN "
	       "'t' || hex(%s) WHEN 'blob' THEN 'b' || hex(%s) END";
}

static const char *as_text_standard(int32_t type, const char *declared)
{
	(void)declared;
	return type == ETL_TIME ? "CAST(%s AS varchar(40))" : NULL;
}

/* ---- As targets ------------------------------------------------------------------------------------------ */

static void add_decimal(struct etl_text *ret, const struct etl_column *c)
{
	etl_text_add(ret, "numeric");
	if (c->type == ETL_DECIMAL)
		etl_text_addf(ret, "(%d,%d)", c->precision, c->scale);
}

/* As declared, or as long as the longest value when that is longer. */
static int64_t length_of(const struct etl_column *c)
{
	return c->length > 0 && c->longest > c->length ? c->longest : c->length;
}

static void add_varchar(struct etl_text *ret, const struct etl_column *c)
{
	int64_t length = length_of(c);

	if (length > 0 && length <= 10485760)
		etl_text_addf(ret, "varchar(%lld)", (long long)length);
	else
		etl_text_add(ret, "text");
}

static const char *postgresql_word(int32_t type)
{
	switch (type) {
	case ETL_BOOL:
		return "boolean";
	case ETL_INT16:
		return "smallint";
	case ETL_INT32:
		return "integer";
	case ETL_INT64:
		return "bigint";
	case ETL_FLOAT32:
		return "real";
	case ETL_FLOAT64:
		return "double precision";
	case ETL_BYTES:
		return "bytea";
	case ETL_DATE:
		return "date";
	case ETL_TIME:
		return "time";
	case ETL_TIMESTAMP:
		return "timestamp";
	case ETL_INSTANT:
		return "timestamptz";
	case ETL_UUID:
		return "uuid";
	case ETL_JSON:
		return "json";
	default:
		return "text";
	}
}

static void add_type_postgresql(struct etl_text *ret, const struct etl_column *c, const struct odbc_room *room, int32_t *verdict,
				struct etl_text *note)
{
	if (c->type == ETL_DECIMAL || c->type == ETL_NUMERIC) {
		add_decimal(ret, c);
	} else if (c->type == ETL_TEXT) {
		add_varchar(ret, c);
	} else if (c->type == ETL_JSON && room->key) {
		etl_text_add(ret, "text");
		etl_text_add(note, "no two values of the type json are equal, and this column is of a key");
		*verdict = ETL_WIDENED;
	} else {
		etl_text_add(ret, postgresql_word(c->type));
	}
}

static void add_type_sqlite(struct etl_text *ret, const struct etl_column *c, const struct odbc_room *room, int32_t *verdict,
			    struct etl_text *note)
{
	(void)room;
	(void)verdict;
	(void)note;
	switch (c->type) {
	case ETL_BOOL:
		etl_text_add(ret, "BOOLEAN");
		return;
	case ETL_INT16:
	case ETL_INT32:
	case ETL_INT64:
		etl_text_add(ret, "INTEGER");
		return;
	case ETL_FLOAT32:
	case ETL_FLOAT64:
		etl_text_add(ret, "REAL");
		return;
	case ETL_BYTES:
		etl_text_add(ret, "BLOB");
		return;
	default:
		etl_text_add(ret, "TEXT");
	}
}

static const char *standard_word(int32_t type)
{
	switch (type) {
	case ETL_BOOL:
		return "smallint";
	case ETL_FLOAT32:
		return "real";
	case ETL_FLOAT64:
		return "double precision";
	case ETL_BYTES:
		return "varbinary(8000)";
	case ETL_UUID:
		return "char(36)";
	case ETL_DATE:
		return "date";
	case ETL_TIME:
		return "time(6)";
	case ETL_TIMESTAMP:
		return "timestamp(6)";
	default:
		return "varchar(4000)";
	}
}

static void add_type_standard(struct etl_text *ret, const struct etl_column *c, const struct odbc_room *room, int32_t *verdict,
			      struct etl_text *note)
{
	(void)room;
	if (c->type == ETL_INT16 || c->type == ETL_INT32 || c->type == ETL_INT64) {
		etl_text_add(ret, c->type == ETL_INT16 ? "smallint" : c->type == ETL_INT32 ? "integer" : "bigint");
	} else if (c->type == ETL_DECIMAL) {
		add_decimal(ret, c);
	} else if (c->type == ETL_TEXT && c->length > 0) {
		etl_text_addf(ret, "varchar(%lld)", (long long)length_of(c));
	} else {
		etl_text_add(ret, standard_word(c->type));
		if (c->type == ETL_INSTANT || c->type == ETL_JSON || c->type == ETL_NUMERIC) {
			*verdict = ETL_APPROXIMATED;
			etl_text_add(note, "as a text: nobody knows such a type of this server");
		}
	}
}

static void add_rename(struct etl_text *sql, const struct etl_instance *inst, const char *schema, const char *from,
		       const char *to)
{
	etl_text_add(sql, "ALTER TABLE ");
	odbc_add_table(sql, inst, schema, from);
	etl_text_add(sql, " RENAME TO ");
	odbc_add_name(sql, inst, to);
}

static void add_rename_key(struct etl_text *sql, const struct etl_instance *inst, const char *schema, const char *table,
			   const char *from, const char *to)
{
	etl_text_add(sql, "ALTER TABLE ");
	odbc_add_table(sql, inst, schema, table);
	etl_text_add(sql, " RENAME CONSTRAINT ");
	odbc_add_name(sql, inst, from);
	etl_text_add(sql, " TO ");
	odbc_add_name(sql, inst, to);
}

static void add_rename_index(struct etl_text *sql, const struct etl_instance *inst, const char *schema,
			     const char *table, const char *from, const char *to)
{
	(void)table;
	etl_text_add(sql, "ALTER INDEX ");
	odbc_add_table(sql, inst, schema, from);
	etl_text_add(sql, " RENAME TO ");
	odbc_add_name(sql, inst, to);
}

/* Those of its protocol are counted with 16 bits. */
static int64_t most_parameters_postgresql(const struct etl_instance *inst)
{
	(void)inst;
	return 65535;
}

/* SQLite's own codes: its driver has one SQLSTATE for all. */
static const struct odbc_meaning meanings_sqlite[] = {
	{ 5, ETL_RETRY_STATEMENT, 100, "" }, /* SQLITE_BUSY */
	{ 6, ETL_RETRY_STATEMENT, 100, "" }, /* SQLITE_LOCKED */
	{ 19, ETL_DATA, 0, "" },	     /* SQLITE_CONSTRAINT */
	{ 20, ETL_DATA, 0, "" },	     /* SQLITE_MISMATCH */
	{ 0, 0, 0, "" },
};

/* SQLITE_MAX_VARIABLE_NUMBER, which became larger with 3.32. */
static int64_t most_parameters_sqlite(const struct etl_instance *inst)
{
	int major = 0, minor = 0;

	sscanf(inst->server_version, "%d.%d", &major, &minor);
	return major > 3 || (major == 3 && minor >= 32) ? 32766 : 999;
}

const struct odbc_dialect odbc_postgresql = {
	.name = "postgresql",
	.dbms = "PostgreSQL",
	.quote = '"',
	.default_schema = "public",
	.setup = "SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET extra_float_digits = 3; "
		 "SET statement_timeout = 0",
	.begin = "BEGIN",
	.commit = "COMMIT",
	.rollback = "ROLLBACK",
	.savepoint = "SAVEPOINT etlrun_row",
	.back_to_savepoint = "ROLLBACK TO SAVEPOINT etlrun_row",
	.release_savepoint = "RELEASE SAVEPOINT etlrun_row",
	.most_parameters = most_parameters_postgresql,
	.arrays_loop = true,
	.key_type = "text",
	.text_type = "text",
	.name_most = 63,
	.add_type = add_type_postgresql,
	.add_rename = add_rename,
	.add_rename_key = add_rename_key,
	.add_rename_index = add_rename_index,
	.as_text = as_text_postgresql,
	.is_reserved = is_reserved_postgresql,
};

const struct odbc_dialect odbc_sqlite = {
	.name = "sqlite",
	.dbms = "SQLite",
	.quote = '"',
	.begin = "BEGIN",
	.commit = "COMMIT",
	.rollback = "ROLLBACK",
	.savepoint = "SAVEPOINT etlrun_row",
	.back_to_savepoint = "ROLLBACK TO SAVEPOINT etlrun_row",
	.release_savepoint = "RELEASE SAVEPOINT etlrun_row",
	.meanings = meanings_sqlite,
	.most_parameters = most_parameters_sqlite,
	.arrays_loop = true,
	.key_type = "text",
	.text_type = "text",
	.name_most = 1000,
	.add_type = add_type_sqlite,
	.add_rename = add_rename,
	.keys_inline = true,
	.as_text = as_text_sqlite,
};

const struct odbc_dialect odbc_standard = {
	.name = "sql",
	.quote = '"',
	.begin = "BEGIN",
	.commit = "COMMIT",
	.rollback = "ROLLBACK",
	.savepoint = "SAVEPOINT etlrun_row",
	.back_to_savepoint = "ROLLBACK TO SAVEPOINT etlrun_row",
	.release_savepoint = "RELEASE SAVEPOINT etlrun_row",
	.key_type = "varchar(200)",
	.text_type = "varchar(8000)",
	.name_most = 128,
	.add_type = add_type_standard,
	.add_rename = add_rename,
	.as_text = as_text_standard,
};
