/*
 * The SQL of a repair in T-SQL, one statement a line, for sqlcmd, isql and whatever else sends a script as one batch or line by
 * line. Everything is one transaction. A client that goes on behind a statement that failed finds that transaction taken
 * back (XACT_ABORT); what it sends then begins another, and the last line, which looks for the mark that the first one left in
 * the transaction, takes that back too.
 */
#include "config.h"

#include <inttypes.h>
#include <strings.h>

#include "repair.h"

/* One statement on its way. */
struct repair {
	struct etl_instance *inst;
	const struct etl_repair *ask;
	struct etl_view *before, *after;
	struct etl_text sql;
	struct etl_error *err;
};

static const char begin[] = "SET QUOTED_IDENTIFIER ON;\nSET ANSI_NULLS ON;\nSET ANSI_PADDING ON;\nSET ANSI_WARNINGS ON;\n"
			    "SET CONCAT_NULL_YIELDS_NULL ON;\nSET ARITHABORT ON;\nSET NUMERIC_ROUNDABORT OFF;\nSET NOCOUNT ON;\n"
			    "SET XACT_ABORT ON;\nSET IMPLICIT_TRANSACTIONS ON;\nCREATE TABLE #etlrun_repair (whole int);\n";

static const char end[] = "IF OBJECT_ID(N'tempdb..#etlrun_repair') IS NOT NULL BEGIN DROP TABLE #etlrun_repair; COMMIT TRANSACTION; END "
			  "ELSE BEGIN ROLLBACK TRANSACTION; RAISERROR(N'a statement of the repair failed, so nothing was changed', 16, 1); "
			  "END;\nSET IMPLICIT_TRANSACTIONS OFF;\n";

/* ---- Parts of statements ---------------------------------------------------------------------------------------- */

static const char *name_of(const struct repair *r, int64_t column)
{
	return r->ask->schema->children[column]->name;
}

static const struct etl_column *column_of(const struct repair *r, int64_t column)
{
	const struct etl_table *t = r->ask->table;

	for (size_t i = 0; i < t->column_count; i++) {
		const struct etl_column *c = ETL_AT(const struct etl_column, t->columns, t->column_size, i);

		if (strcmp(c->name, name_of(r, column)) == 0)
			return c;
	}
	return NULL;
}

static bool is_identity(const struct repair *r, int64_t column)
{
	const struct etl_column *c = column_of(r, column);

	return c && c->flags & ETL_IDENTITY;
}

static bool is_declared(const struct repair *r, int64_t column, const char *begins)
{
	const struct etl_column *c = column_of(r, column);

	return c && c->declared && strncasecmp(c->declared, begins, strlen(begins)) == 0;
}

static void add_table(struct repair *r)
{
	const struct etl_table *t = r->ask->table;

	odbc_add_table(&r->sql, r->inst, t->schema ? t->schema : odbc_place_of(r->inst, t), t->name);
}

static void add_name(struct repair *r, int64_t column)
{
	odbc_add_name(&r->sql, r->inst, name_of(r, column));
}

static int refuse(struct repair *r, const struct etl_view *view, int64_t column, int64_t row, const char *why)
{
	struct etl_text key = { 0 };
	int rc;

	for (size_t i = 0; i < r->ask->key_count; i++) {
		int64_t at = etl_schema_find(r->ask->schema, r->ask->key[i]);

		etl_text_addf(&key, "%s%s=", i ? " " : "", r->ask->key[i]);
		etl_text_add_value(&key, &view->columns[at], row);
	}
	r->inst->host->at(r->err, r->ask->table->name, name_of(r, column), key.at);
	rc = r->inst->host->fail(r->err, ETL_DATA, NULL, 0, "a value cannot be written in SQL: %s", why);
	etl_text_free(&key);
	return rc;
}

/* Of a column of any type, and of one whose text is not all that it is, the rows do not say what would have to be written. */
static const char *unwritable(const struct repair *r, int64_t column)
{
	if (is_declared(r, column, "sql_variant"))
		return "the type within a sql_variant";
	if (is_declared(r, column, "geography") || is_declared(r, column, "geometry"))
		return "the reference system of a geography or geometry";
	return NULL;
}

static int add_value(struct repair *r, const struct etl_view *view, int64_t column, int64_t row)
{
	const struct etl_column_view *c = &view->columns[column];
	const char *why = etl_is_null(c, row) ? NULL : unwritable(r, column);
	bool clr = is_declared(r, column, "hierarchyid");

	if (why)
		return refuse(r, view, column, row, why);
	etl_text_add(&r->sql, clr ? "CAST(" : "");
	if (!odbc_repair_add_value(&r->sql, c, row, &why))
		return refuse(r, view, column, row, why);
	etl_text_add(&r->sql, clr ? " AS hierarchyid)" : "");
	return ETL_OK;
}

/* ---- Which row ---------------------------------------------------------------------------------------------------- */

static bool is_text(const struct etl_column_view *c)
{
	return c->width == 0 && c->type.type != ETL_BYTES && c->type.type != ETL_NUMERIC;
}

/* As a text that is compared by its characters alone: a blank at the end counts only when something is behind it. */
static int add_same_text(struct repair *r, int64_t column)
{
	const struct etl_column *c = column_of(r, column);
	const char *own = c && c->declared ?
				  r->inst->dialect->as_text(r->before->columns[column].type.type, c->declared) :
				  NULL;
	const char *form = own ? own : "CONVERT(nvarchar(max), %s)", *why;
	struct etl_text name = { 0 };

	odbc_add_name(&name, r->inst, name_of(r, column));
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
		return refuse(r, r->before, column, r->ask->before_row, why);
	etl_text_add(&r->sql, " + N'|') COLLATE Latin1_General_BIN2");
	return ETL_OK;
}

/* KEY: an index may find it, so it stands there for itself also. */
static int add_condition(struct repair *r, int64_t column, bool key)
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

static int add_key(struct repair *r)
{
	int rc = ETL_OK;

	for (size_t i = 0; i < r->ask->key_count && rc == ETL_OK; i++) {
		etl_text_add(&r->sql, i ? " AND " : " WHERE ");
		rc = add_condition(r, etl_schema_find(r->ask->schema, r->ask->key[i]), true);
	}
	return rc;
}

static int add_whole_row(struct repair *r)
{
	int rc = ETL_OK;

	for (int64_t i = 0; i < r->before->count && rc == ETL_OK; i++) {
		etl_text_add(&r->sql, i ? " AND " : " WHERE ");
		rc = add_condition(r, i, false);
	}
	return rc;
}

/* ---- Statements ---------------------------------------------------------------------------------------------------- */

/* Only one table of a session may have it at a time. */
static void add_identity_insert(struct repair *r, const char *word)
{
	bool has = false;

	for (int64_t i = 0; i < r->after->count; i++)
		has |= is_identity(r, i);
	if (!has)
		return;
	etl_text_add(&r->sql, "SET IDENTITY_INSERT ");
	add_table(r);
	etl_text_addf(&r->sql, " %s;\n", word);
}

static int add_insert(struct repair *r)
{
	int rc = ETL_OK;

	add_identity_insert(r, "ON");
	etl_text_add(&r->sql, "INSERT INTO ");
	add_table(r);
	for (int64_t i = 0; i < r->after->count; i++) {
		etl_text_add(&r->sql, i ? ", " : " (");
		add_name(r, i);
	}
	for (int64_t i = 0; i < r->after->count && rc == ETL_OK; i++) {
		etl_text_add(&r->sql, i ? ", " : ") VALUES (");
		rc = add_value(r, r->after, i, r->ask->after_row);
	}
	etl_text_add(&r->sql, ");\n");
	add_identity_insert(r, "OFF");
	return rc;
}

static int add_update(struct repair *r)
{
	int rc = ETL_OK;

	etl_text_add(&r->sql, "UPDATE ");
	add_table(r);
	for (size_t i = 0; i < r->ask->column_count && rc == ETL_OK; i++) {
		int64_t column = r->ask->columns[i];

		if (is_identity(r, column))
			return refuse(r, r->after, column, r->ask->after_row,
				      "T-SQL gives no other number to an IDENTITY column of a row that is there");
		etl_text_add(&r->sql, i ? ", " : " SET ");
		add_name(r, column);
		etl_text_add(&r->sql, " = ");
		rc = add_value(r, r->after, column, r->ask->after_row);
	}
	if (rc == ETL_OK)
		rc = add_key(r);
	etl_text_add(&r->sql, ";\n");
	return rc;
}

/* Of equal rows so many as are meant. */
static int add_delete(struct repair *r)
{
	int rc;

	etl_text_add(&r->sql, "DELETE ");
	if (!r->ask->key_count)
		etl_text_addf(&r->sql, "TOP (%" PRIu64 ") ", r->ask->rows);
	etl_text_add(&r->sql, "FROM ");
	add_table(r);
	rc = r->ask->key_count ? add_key(r) : add_whole_row(r);
	etl_text_add(&r->sql, ";\n");
	return rc;
}

static int add_statement(struct repair *r)
{
	int rc = ETL_OK;

	switch (r->ask->kind) {
	case ETL_REPAIR_BEGIN:
		etl_text_add(&r->sql, begin);
		return ETL_OK;
	case ETL_REPAIR_END:
		etl_text_add(&r->sql, end);
		return ETL_OK;
	case ETL_REPAIR_INSERT:
		for (uint64_t i = 0; i < r->ask->rows && rc == ETL_OK; i++)
			rc = add_insert(r);
		return rc;
	case ETL_REPAIR_UPDATE:
		return add_update(r);
	default:
		return add_delete(r);
	}
}

static bool set_view(struct etl_view **ret, const struct etl_repair *ask, const struct ArrowArray *batch)
{
	if (!batch)
		return true;
	*ret = etl_view_new(ask->schema);
	return *ret && etl_view_set(*ret, batch);
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
	struct repair r = { .inst = inst, .ask = ask, .err = err };
	int rc = know_dialect(inst, err);

	if (rc == ETL_OK)
		rc = set_view(&r.before, ask, ask->before) && set_view(&r.after, ask, ask->after) ? add_statement(&r) :
												  odbc_no_memory(inst, err);
	if (rc == ETL_OK && r.sql.failed)
		rc = odbc_no_memory(inst, err);
	if (rc == ETL_OK)
		rc = sink->emit(sink, r.sql.at, r.sql.length);
	etl_view_free(r.before);
	etl_view_free(r.after);
	etl_text_free(&r.sql);
	return rc;
}
