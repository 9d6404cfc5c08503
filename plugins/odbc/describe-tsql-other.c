/*
 * Checks, triggers and sequences, and what has no place in another store, which is named so that nobody looks for it in
 * vain.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "describe-tsql.h"
#include "pin.h"

/* ---- Checks ---------------------------------------------------------------------------------------------- */

enum { CHECK_OBJECT, CHECK_ID, CHECK_NAME, CHECK_COLUMN, CHECK_UNNAMED, CHECK_DISABLED, CHECK_SQL, CHECK_FIELDS };

#define CHECK_COLUMNS                                                                                  \
	"SELECT k.parent_object_id, k.object_id, k.name, k.parent_column_id, k.is_system_named, k.is_disabled, "
#define CHECK_FROM                                                                                     \
	" FROM sys.check_constraints k JOIN sys.objects o ON o.object_id = k.parent_object_id JOIN sys.schemas s ON "  \
	"s.schema_id = o.schema_id"

static int add_check(struct tsql_catalog *t, char *const *row, const char *sql)
{
	struct odbc_object *o = tsql_object(t, row[CHECK_OBJECT]);
	struct etl_check *check;

	if (!o)
		return ETL_OK;
	if (tsql_flag(row[CHECK_DISABLED]) || !sql) {
		tsql_left(t, o, sql ? "disabled check" : "check whose condition the server does not tell", row[CHECK_NAME]);
		return ETL_OK;
	}
	check = odbc_add_check(t->d, o);
	if (!check)
		return odbc_no_memory(t->d->inst, t->d->err);
	check->name = tsql_flag(row[CHECK_UNNAMED]) && !t->babelfish ? NULL : row[CHECK_NAME];
	check->sql = tsql_bare(t, sql);
	check->column = t->babelfish ? NULL : tsql_column(o, row[CHECK_COLUMN]);
	return ETL_OK;
}

static int take_check(struct tsql_catalog *t, char *const *row)
{
	return add_check(t, row, row[CHECK_SQL]);
}

/* Rows are kept until the statement that gave them is over: a connection has one at a time. */
struct kept {
	struct tsql_catalog catalog; /* first: a taker knows it by that */
	char *(*rows)[CHECK_FIELDS];
	size_t count;
};

static int keep_row(struct tsql_catalog *t, char *const *row)
{
	struct kept *k = (struct kept *)(void *)t;
	char *(*rows)[CHECK_FIELDS] = etl_arena_push(&t->d->memory, k->rows, k->count, sizeof(*rows));

	if (!rows)
		return odbc_no_memory(t->d->inst, t->d->err);
	k->rows = rows;
	memcpy(rows[k->count++], row, sizeof(*rows));
	return ETL_OK;
}

static char *condition_of(struct tsql_catalog *t, const char *id)
{
	struct etl_text sql = { 0 };

	etl_text_addf(&sql, "SELECT definition FROM sys.check_constraints WHERE object_id = %s", id);
	return tsql_ask_text(t, &sql);
}

static int babelfish_checks(struct tsql_catalog *t)
{
	struct kept kept = { .catalog = *t };
	int rc = tsql_each_of(&kept.catalog, CHECK_COLUMNS "NULL" CHECK_FROM, false, "k.parent_object_id, k.object_id",
			      CHECK_FIELDS, keep_row);

	for (size_t i = 0; rc == ETL_OK && i < kept.count; i++)
		if (tsql_object(t, kept.rows[i][CHECK_OBJECT]))
			rc = add_check(t, kept.rows[i], condition_of(t, kept.rows[i][CHECK_ID]));
	return rc == ETL_OK ? odbc_pin_anew(t->d->inst, t->d->err) : rc;
}

int tsql_checks(struct tsql_catalog *t)
{
	if (t->babelfish)
		return babelfish_checks(t);
	return tsql_each_of(t, CHECK_COLUMNS "k.definition" CHECK_FROM, false, "k.parent_object_id, k.object_id",
			    CHECK_FIELDS, take_check);
}

/* ---- Triggers ------------------------------------------------------------------------------------------------ */

enum { TRIGGER_TABLE, TRIGGER_NAME, TRIGGER_DISABLED, TRIGGER_SQL, TRIGGER_FIELDS };

static const char triggers_sql[] =
	"SELECT g.parent_id, g.name, g.is_disabled, OBJECT_DEFINITION(g.object_id) FROM sys.triggers g JOIN sys.objects o ON o.object_id = "
	"g.parent_id JOIN sys.schemas s ON s.schema_id = o.schema_id";

static int take_trigger(struct tsql_catalog *t, char *const *row)
{
	const struct odbc_object *parent = tsql_object(t, row[TRIGGER_TABLE]);
	const char *schema = parent ? parent->table.schema : NULL, *table = parent ? parent->table.name : NULL;
	struct odbc_object *o;

	if (!parent)
		return ETL_OK;
	if (tsql_flag(row[TRIGGER_DISABLED]) || !row[TRIGGER_SQL]) {
		tsql_left(t, parent, row[TRIGGER_SQL] ? "disabled trigger" : "trigger without a text", row[TRIGGER_NAME]);
		return ETL_OK;
	}
	o = odbc_add_object(t->d, ETL_TRIGGER, schema, row[TRIGGER_NAME]);
	if (!o)
		return odbc_no_memory(t->d->inst, t->d->err);
	o->table.parent = table;
	o->table.ddl = row[TRIGGER_SQL];
	return ETL_OK;
}

/* ---- Sequences ----------------------------------------------------------------------------------------------- */

enum {
	SEQUENCE_SCHEMA, SEQUENCE_NAME, SEQUENCE_TYPE, SEQUENCE_START, SEQUENCE_STEP, SEQUENCE_LEAST, SEQUENCE_MOST,
	SEQUENCE_CYCLES, SEQUENCE_NEXT, SEQUENCE_FIELDS
};

/*
 * The next value: sys.sequences has the last one that was given, and the first before any was. Which of both it is, no
 * column of SQL Server before 2017 tells; to leave one out is no harm, to give one twice is.
 */
static const char sequences_sql[] =
	"SELECT s.name, q.name, TYPE_NAME(q.system_type_id), CONVERT(nvarchar(40), q.start_value), CONVERT(nvarchar(40), "
	"q.increment), CONVERT(nvarchar(40), q.minimum_value), CONVERT(nvarchar(40), q.maximum_value), q.is_cycling, "
	"CASE WHEN CONVERT(decimal(38, 0), q.current_value) + CONVERT(decimal(38, 0), q.increment) BETWEEN "
	"CONVERT(decimal(38, 0), q.minimum_value) AND CONVERT(decimal(38, 0), q.maximum_value) THEN CONVERT(nvarchar(40), "
	"CONVERT(decimal(38, 0), q.current_value) + CONVERT(decimal(38, 0), q.increment)) ELSE CONVERT(nvarchar(40), "
	"q.current_value) END FROM sys.sequences q JOIN sys.schemas s ON s.schema_id = q.schema_id WHERE q.is_ms_shipped = "
	"0";

/* Its sys.sequences is empty, and its identities are sequences of a table. */
static const char babelfish_sequences_sql[] =
	"SELECT s.name, o.name, i.DATA_TYPE, CONVERT(nvarchar(40), i.START_VALUE), CONVERT(nvarchar(40), i.INCREMENT), "
	"CONVERT(nvarchar(40), i.MINIMUM_VALUE), CONVERT(nvarchar(40), i.MAXIMUM_VALUE), CASE WHEN "
	"CONVERT(nvarchar(3), i.CYCLE_OPTION) IN (N'YES', N'1') THEN 1 ELSE 0 END, NULL FROM sys.objects o JOIN sys.schemas s ON "
	"s.schema_id = o.schema_id JOIN INFORMATION_SCHEMA.SEQUENCES i ON i.SEQUENCE_SCHEMA = s.name AND i.SEQUENCE_NAME = "
	"o.name WHERE o.type = 'SO' AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d WHERE d.objid = o.object_id AND "
	"d.refobjsubid > 0 AND d.deptype IN ('a', 'i'))";

static int take_sequence(struct tsql_catalog *t, char *const *row)
{
	struct etl_text ddl = { 0 };
	struct odbc_object *o;

	if (t->d->schema && strcmp(t->d->schema, row[SEQUENCE_SCHEMA]) != 0)
		return ETL_OK;
	o = odbc_add_object(t->d, ETL_SEQUENCE, row[SEQUENCE_SCHEMA], row[SEQUENCE_NAME]);
	if (!o)
		return odbc_no_memory(t->d->inst, t->d->err);
	etl_text_add(&ddl, "CREATE SEQUENCE ");
	odbc_add_table(&ddl, t->d->inst, row[SEQUENCE_SCHEMA], row[SEQUENCE_NAME]);
	etl_text_addf(&ddl, " AS %s START WITH %s INCREMENT BY %s MINVALUE %s MAXVALUE %s%s", row[SEQUENCE_TYPE],
		      row[SEQUENCE_NEXT] ? row[SEQUENCE_NEXT] : row[SEQUENCE_START], row[SEQUENCE_STEP],
		      row[SEQUENCE_LEAST], row[SEQUENCE_MOST], tsql_flag(row[SEQUENCE_CYCLES]) ? " CYCLE" : "");
	o->table.ddl = etl_arena_copy(&t->d->memory, ddl.at);
	etl_text_free(&ddl);
	return o->table.ddl ? ETL_OK : odbc_no_memory(t->d->inst, t->d->err);
}

/* Babelfish lets a sequence be read as a table; the value is put in the place of the first. */
static int set_next(struct tsql_catalog *t, struct etl_table *sequence)
{
	struct etl_text sql = { 0 }, ddl = { 0 };
	const char *start = strstr(sequence->ddl, " START WITH "), *step = strstr(sequence->ddl, " INCREMENT BY ");
	int64_t next = 0;
	int rc;

	if (!start || !step)
		return ETL_OK;
	etl_text_addf(&sql, "SELECT last_value + CASE WHEN CONVERT(nvarchar(5), is_called) IN (N'1', N't', N'true') THEN %lld ELSE 0 END FROM ",
		      (long long)strtoll(step + strlen(" INCREMENT BY "), NULL, 10));
	odbc_add_table(&sql, t->d->inst, sequence->schema, sequence->name);
	rc = sql.failed ? odbc_no_memory(t->d->inst, t->d->err) : odbc_number(t->d->inst, t->d->err, &next, sql.at);
	if (rc == ETL_OK) {
		etl_text_add_bytes(&ddl, sequence->ddl, (size_t)(start - sequence->ddl));
		etl_text_addf(&ddl, " START WITH %lld%s", (long long)next, step);
		sequence->ddl = etl_arena_copy(&t->d->memory, ddl.at);
	}
	etl_text_free(&sql);
	etl_text_free(&ddl);
	return rc;
}

static int sequences(struct tsql_catalog *t)
{
	size_t first = t->d->count;
	int rc = tsql_each(t, t->babelfish ? babelfish_sequences_sql : sequences_sql, SEQUENCE_FIELDS, take_sequence);

	for (size_t i = first; rc == ETL_OK && t->babelfish && i < t->d->count; i++)
		rc = set_next(t, &t->d->objects[i].table);
	return rc;
}

/* ---- What stays behind --------------------------------------------------------------------------------------- */

enum { LEFT_SCHEMA, LEFT_KIND, LEFT_NAME, LEFT_FIELDS };

static const char left_sql[] =
	"SELECT s.name, CASE o.type WHEN 'P' THEN 'procedure' WHEN 'PC' THEN 'procedure' WHEN 'SN' THEN 'synonym' WHEN "
	"'SQ' THEN 'queue' ELSE 'function' END AS kind, o.name FROM sys.objects o JOIN sys.schemas s ON s.schema_id = "
	"o.schema_id WHERE o.is_ms_shipped = 0 AND o.type IN ('P', 'PC', 'FN', 'IF', 'TF', 'FS', 'FT', 'AF', 'SN', 'SQ') "
	"ORDER BY kind, o.name";

static int take_left(struct tsql_catalog *t, char *const *row)
{
	static const char *const kinds[] = { "procedure", "function", "synonym", "queue" };

	if (t->d->schema && strcmp(t->d->schema, row[LEFT_SCHEMA]) != 0)
		return ETL_OK;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (strcmp(kinds[i], row[LEFT_KIND]) == 0)
			tsql_left(t, NULL, kinds[i], row[LEFT_NAME]);
	return ETL_OK;
}

int tsql_others(struct tsql_catalog *t)
{
	int rc = tsql_each_of(t, triggers_sql, true, "g.parent_id, g.name", TRIGGER_FIELDS, take_trigger);

	if (rc == ETL_OK)
		rc = sequences(t);
	return rc == ETL_OK ? tsql_each(t, left_sql, LEFT_FIELDS, take_left) : rc;
}
