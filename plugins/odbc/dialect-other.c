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

/* What a type is called where nothing else is to be said; NULL: not known there, a text. */
static const struct word {
	int32_t type;
	const char *postgresql, *sqlite, *standard;
} words[] = {
	{ ETL_BOOL, "boolean", "BOOLEAN", "smallint" },
	{ ETL_INT16, "smallint", "INTEGER", "smallint" },
	{ ETL_INT32, "integer", "INTEGER", "integer" },
	{ ETL_INT64, "bigint", "INTEGER", "bigint" },
	{ ETL_FLOAT32, "real", "REAL", "real" },
	{ ETL_FLOAT64, "double precision", "REAL", "double precision" },
	{ ETL_BYTES, "bytea", "BLOB", "varbinary(8000)" },
	{ ETL_DATE, "date", NULL, "date" },
	{ ETL_TIME, "time", NULL, "time(6)" },
	{ ETL_TIMESTAMP, "timestamp", NULL, "timestamp(6)" },
	{ ETL_INSTANT, "timestamptz", NULL, NULL },
	{ ETL_UUID, "uuid", NULL, "char(36)" },
	{ ETL_JSON, "json", NULL, NULL },
	{ ETL_TYPE_NONE, NULL, NULL, NULL } /* the last: all others */
};

static const struct word *word_of(int32_t type)
{
	const struct word *w = words;

	while (w->type != type && w->type != ETL_TYPE_NONE)
		w++;
	return w;
}

static bool is_decimal(struct etl_text *ret, const struct etl_column *c, bool bare)
{
	if (c->type != ETL_DECIMAL && !(bare && c->type == ETL_NUMERIC))
		return false;
	etl_text_add(ret, "numeric");
	if (c->type == ETL_DECIMAL)
		etl_text_addf(ret, "(%d,%d)", c->precision, c->scale);
	return true;
}

/* As declared, or as long as the longest value when that is longer. */
static int64_t length_of(const struct etl_column *c)
{
	return c->length > 0 && c->longest > c->length ? c->longest : c->length;
}

/* A text with a length that its varchar takes, 0: any. */
static bool is_varchar(struct etl_text *ret, const struct etl_column *c, int64_t most)
{
	int64_t length = length_of(c);

	if (c->type != ETL_TEXT || length <= 0 || (most && length > most))
		return false;
	etl_text_addf(ret, "varchar(%lld)", (long long)length);
	return true;
}

bool odbc_is_told_array(const struct etl_column *c)
{
	size_t n = c->declared ? strlen(c->declared) : 0;

	return c->type == ETL_JSON && n > 2 && strcmp(c->declared + n - 2, "[]") == 0;
}

static void add_type_postgresql(struct etl_text *ret, const struct etl_column *c, const struct odbc_room *room, int32_t *verdict,
				struct etl_text *note)
{
	const char *word = word_of(c->type)->postgresql;

	if (is_decimal(ret, c, true) || is_varchar(ret, c, 10485760))
		return;
	if (c->type == ETL_JSON && room->key) {
		etl_text_add(note, "no two values of the type json are equal, and this column is of a key");
		*verdict = ETL_WIDENED;
		word = NULL;
	}
	if (odbc_is_told_array(c)) {
		etl_text_addf(note, "%san array, which comes as JSON; the plugin \"postgres\" as target makes arrays of it",
			      note->length ? "; " : "");
		*verdict = ETL_APPROXIMATED;
	}
	etl_text_add(ret, word ? word : "text");
}

static void add_type_sqlite(struct etl_text *ret, const struct etl_column *c, const struct odbc_room *room, int32_t *verdict,
			    struct etl_text *note)
{
	const char *word = word_of(c->type)->sqlite;

	(void)room;
	(void)verdict;
	(void)note;
	etl_text_add(ret, word ? word : "TEXT");
}

static void add_type_standard(struct etl_text *ret, const struct etl_column *c, const struct odbc_room *room, int32_t *verdict,
			      struct etl_text *note)
{
	const char *word = word_of(c->type)->standard;

	(void)room;
	if (is_decimal(ret, c, false) || is_varchar(ret, c, 0))
		return;
	etl_text_add(ret, word ? word : "varchar(4000)");
	if (c->type == ETL_INSTANT || c->type == ETL_JSON || c->type == ETL_NUMERIC) {
		*verdict = ETL_APPROXIMATED;
		etl_text_add(note, "as a text: nobody knows such a type of this server");
	}
}

/* ---- Names ------------------------------------------------------------------------------------------------ */

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

/* ---- The three ---------------------------------------------------------------------------------------------- */

/* What they all say alike. */
#define ALIKE                                                    \
	.quote = '"', .begin = "BEGIN", .commit = "COMMIT", .rollback = "ROLLBACK", .savepoint = "SAVEPOINT etlrun_row", \
	.back_to_savepoint = "ROLLBACK TO SAVEPOINT etlrun_row", .release_savepoint = "RELEASE SAVEPOINT etlrun_row", \
	.add_rename = add_rename

const struct odbc_dialect odbc_postgresql = {
	ALIKE,
	.name = "postgresql",
	.dbms = "PostgreSQL",
	.default_schema = "public",
	.setup = "SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET extra_float_digits = 3; "
		 "SET statement_timeout = 0",
	.most_parameters = most_parameters_postgresql,
	.arrays_loop = true,
	.key_type = "text",
	.text_type = "text",
	.name_most = 63,
	.add_type = add_type_postgresql,
	.add_rename_key = add_rename_key,
	.add_rename_index = add_rename_index,
	.as_text = as_text_postgresql,
	.is_reserved = is_reserved_postgresql,
};

const struct odbc_dialect odbc_sqlite = {
	ALIKE,
	.name = "sqlite",
	.dbms = "SQLite",
	.meanings = meanings_sqlite,
	.most_parameters = most_parameters_sqlite,
	.arrays_loop = true,
	.key_type = "text",
	.text_type = "text",
	.name_most = 1000,
	.add_type = add_type_sqlite,
	.keys_inline = true,
	.as_text = as_text_sqlite,
};

const struct odbc_dialect odbc_standard = {
	ALIKE,
	.name = "sql",
	.key_type = "varchar(200)",
	.text_type = "varchar(8000)",
	.name_most = 128,
	.add_type = add_type_standard,
	.as_text = as_text_standard,
};
