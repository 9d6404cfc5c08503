/*
 * The SQL of a repair in T-SQL, one statement a line, for sqlcmd, isql and whatever else sends a script as one batch or line by
 * line. Everything is one transaction. A client that goes on behind a statement that failed finds that transaction taken
 * back (XACT_ABORT); what it sends then begins another, and the last line, which looks for the mark that the first one left in
 * the transaction, takes that back too.
 */
#include "config.h"

#include <inttypes.h>

#include "repair.h"
#include "repair-sql.h"

static const char begin[] = "SET QUOTED_IDENTIFIER ON;\nSET ANSI_NULLS ON;\nSET ANSI_PADDING ON;\nSET ANSI_WARNINGS ON;\n"
			    "SET CONCAT_NULL_YIELDS_NULL ON;\nSET ARITHABORT ON;\nSET NUMERIC_ROUNDABORT OFF;\nSET NOCOUNT ON;\n"
			    "SET XACT_ABORT ON;\nSET IMPLICIT_TRANSACTIONS ON;\nCREATE TABLE #etlrun_repair (whole int);\n";

static const char end[] = "IF OBJECT_ID(N'tempdb..#etlrun_repair') IS NOT NULL BEGIN DROP TABLE #etlrun_repair; COMMIT TRANSACTION; END "
			  "ELSE BEGIN ROLLBACK TRANSACTION; RAISERROR(N'a statement of the repair failed, so nothing was changed', 16, 1); "
			  "END;\nSET IMPLICIT_TRANSACTIONS OFF;\n";

/* ---- Parts of statements ---------------------------------------------------------------------------------------- */

static bool is_identity(const struct etl_repairing *r, int64_t column)
{
	const struct etl_column *c = etl_repair_column(r, column);

	return c && c->flags & ETL_IDENTITY;
}

static void add_table(struct etl_repairing *r)
{
	const struct etl_table *t = r->ask->table;

	odbc_add_table(&r->sql, r->inst, t->schema ? t->schema : odbc_place_of(r->inst, t), t->name);
}

static void add_name(struct etl_repairing *r, int64_t column)
{
	odbc_add_name(&r->sql, r->inst, etl_repair_name(r, column));
}

/* Of a column of any type, and of one whose text is not all that it is, the rows do not say what would have to be written. */
static const char *unwritable(const struct etl_repairing *r, int64_t column)
{
	if (etl_repair_is_declared(r, column, "sql_variant"))
		return "the type within a sql_variant";
	if (etl_repair_is_declared(r, column, "geography") || etl_repair_is_declared(r, column, "geometry"))
		return "the reference system of a geography or geometry";
	return NULL;
}

static int add_value(struct etl_repairing *r, const struct etl_view *view, int64_t column, int64_t row)
{
	const struct etl_column_view *c = &view->columns[column];
	const char *why = etl_is_null(c, row) ? NULL : unwritable(r, column);
	bool clr = etl_repair_is_declared(r, column, "hierarchyid");

	if (why)
		return etl_repair_refuse(r, view, column, row, why);
	etl_text_add(&r->sql, clr ? "CAST(" : "");
	if (!odbc_repair_add_value(&r->sql, c, row, &why))
		return etl_repair_refuse(r, view, column, row, why);
	etl_text_add(&r->sql, clr ? " AS hierarchyid)" : "");
	return ETL_OK;
}

/* ---- Which row ---------------------------------------------------------------------------------------------------- */

static bool is_text(const struct etl_column_view *c)
{
	return c->width == 0 && c->type.type != ETL_BYTES && c->type.type != ETL_NUMERIC;
}

/* As a text that is compared by its characters alone: a blank at the end counts only when something is behind it. */
static int add_same_text(struct etl_repairing *r, int64_t column)
{
	const struct etl_column *c = etl_repair_column(r, column);
	const char *own = c && c->declared ?
				  r->inst->dialect->as_text(r->before->columns[column].type.type, c->declared) :
				  NULL;
	const char *form = own ? own : "CONVERT(nvarchar(max), %s)", *why;
	struct etl_text name = { 0 };

	odbc_add_name(&name, r->inst, etl_repair_name(r, column));
	for (const char *p = form; *p; p++) {
		if (p[0] == '%' && p[1] == 's') {
			etl_text_add(&r->sql, name.at ? name.at : "");
			p++;
		} else {
			etl_text_add_bytes(&r->sql, p, 1);
		}
	}
	r->sql.failed |= name.failed;
	etl_text_free(&name);
	etl_text_add(&r->sql, " + N'|' = (");
	if (!odbc_repair_add_value(&r->sql, &r->before->columns[column], r->ask->before_row, &why))
		return etl_repair_refuse(r, r->before, column, r->ask->before_row, why);
	etl_text_add(&r->sql, " + N'|') COLLATE Latin1_General_BIN2");
	return ETL_OK;
}

/* KEY: an index may find it, so it stands there for itself also. */
static int add_condition(struct etl_repairing *r, int64_t column, bool key)
{
	const struct etl_column_view *c = &r->before->columns[column];
	int rc = ETL_OK;

	if (etl_is_null(c, r->ask->before_row)) {
		add_name(r, column);
		etl_text_add(&r->sql, " IS NULL");
		return ETL_OK;
	}
	if (key || !is_text(c)) {
		add_name(r, column);
		etl_text_add(&r->sql, " = ");
		rc = add_value(r, r->before, column, r->ask->before_row);
	}
	if (rc == ETL_OK && is_text(c)) {
		etl_text_add(&r->sql, key ? " AND " : "");
		rc = add_same_text(r, column);
	}
	return rc;
}

/* ---- Statements ---------------------------------------------------------------------------------------------------- */

/* Only one table of a session may have it at a time. */
static int around_insert(struct etl_repairing *r, bool behind)
{
	bool has = false;

	for (int64_t i = 0; i < r->after->count; i++)
		has |= is_identity(r, i);
	if (!has)
		return ETL_OK;
	etl_text_add(&r->sql, "SET IDENTITY_INSERT ");
	add_table(r);
	etl_text_add(&r->sql, behind ? " OFF;\n" : " ON;\n");
	return ETL_OK;
}

static int around_update(struct etl_repairing *r, bool behind)
{
	for (size_t i = 0; !behind && i < r->ask->column_count; i++)
		if (is_identity(r, r->ask->columns[i]))
			return etl_repair_refuse(r, r->after, r->ask->columns[i], r->ask->after_row,
						 "T-SQL gives no other number to an IDENTITY column of a row that is there");
	return ETL_OK;
}

static int add_delete_whole(struct etl_repairing *);

static const struct etl_repair_words words = {
	.begin = begin,
	.end = end,
	.overriding = "",
	.add_table = add_table,
	.add_name = add_name,
	.add_value = add_value,
	.add_condition = add_condition,
	.add_delete_whole = add_delete_whole,
	.around_insert = around_insert,
	.around_update = around_update,
};

/* Of equal rows so many as are meant. */
static int add_delete_whole(struct etl_repairing *r)
{
	etl_text_addf(&r->sql, "DELETE TOP (%" PRIu64 ") FROM ", r->ask->rows);
	add_table(r);
	return etl_repair_add_whole_row(r, &words);
}

static int know_dialect(struct etl_instance *inst, struct etl_error *err)
{
	bool nobody;
	int rc = odbc_know(inst, &nobody, err);

	if (rc < 0 || inst->dialect == &odbc_tsql)
		return rc;
	return inst->host->fail(err, ETL_USAGE, NULL, 0,
				"through ODBC a repair is written for T-SQL only, and this server speaks %s; plugins postgres and sqlite "
				"write one for theirs, or leave out --sql",
				inst->dialect->name);
}

int odbc_repair(struct etl_instance *inst, const struct etl_repair *ask, struct etl_sql_sink *sink, struct etl_error *err)
{
	int rc = know_dialect(inst, err);

	return rc == ETL_OK ? etl_repair_write(inst, inst->host, &words, ask, sink, err) : rc;
}
