/*
 * How far a cursor has come, so that no later read misses a row. A transaction that was under way when the view was opened
 * may commit a row behind that point afterwards, with an older time or a lower number. A rowversion goes no further than the
 * server says that all of them are seen. A time goes back by as long as the oldest of them had been at work, by whatever clock
 * the times are. Of other numbers nobody can tell, and that is said.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "moment.h"
#include "pin.h"
#include "rows.h"
#include "select.h"
#include "watermark.h"

#define MICROS_PER_DAY INT64_C(86400000000)

enum cursor_kind { CURSOR_NUMBER, CURSOR_MONEY, CURSOR_REAL, CURSOR_DAY, CURSOR_MOMENT, CURSOR_ZONED, CURSOR_VERSION, CURSOR_ANY, CURSOR_NONE };

/* ---- Who else is at work ------------------------------------------------------------------------------------- */

/* How many, for how many seconds, and whether there may be others that are not shown. */
static const char tsql_at_work[] =
	"SELECT COUNT(*), MAX(DATEDIFF(second, t.transaction_begin_time, GETDATE())), 0 FROM sys.dm_tran_active_transactions AS t "
	"INNER JOIN sys.dm_tran_database_transactions AS d ON d.transaction_id = t.transaction_id WHERE d.database_id = DB_ID() AND "
	/* 1 reads and writes, 4 is distributed; 6 and 8 are over */
	"t.transaction_type IN (1, 4) AND t.transaction_state NOT IN (6, 8) AND t.transaction_id NOT IN (SELECT transaction_id "
	"FROM sys.dm_tran_current_transaction)";
/* Its DATEDIFF takes no time of PostgreSQL, and says 0. */
static const char babelfish_at_work[] =
	"SELECT COUNT(*), CAST(CEILING(MAX(pg_catalog.date_part('epoch', pg_catalog.age(pg_catalog.clock_timestamp(), xact_start)))) AS "
	"bigint), 0 FROM pg_catalog.pg_stat_activity WHERE xact_start IS NOT NULL AND backend_type = 'client backend' AND pid <> @@SPID";
static const char postgresql_at_work[] =
	"SELECT count(*), ceil(extract(epoch FROM max(clock_timestamp() - since)))::bigint, (coalesce(bool_or(hidden), false) OR "
	"pg_catalog.pg_is_in_recovery())::int FROM (SELECT xact_start AS since, backend_type IS NULL AS hidden FROM "
	"pg_catalog.pg_stat_activity WHERE datname = pg_catalog.current_database() AND pid <> pg_catalog.pg_backend_pid() AND "
	"(xact_start IS NOT NULL AND backend_type NOT IN ('autovacuum worker', 'walsender') OR backend_type IS NULL) UNION ALL SELECT "
	"prepared, true FROM pg_catalog.pg_prepared_xacts WHERE database = pg_catalog.current_database()) AS x";

static const char *question(const struct etl_instance *inst)
{
	return inst->dialect == &odbc_postgresql ? postgresql_at_work :
	       inst->dialect != &odbc_tsql	 ? NULL :
	       inst->babelfish			 ? babelfish_at_work :
						   tsql_at_work;
}

/* A login that may not see them is none that failed. */
void odbc_find_writers(struct etl_instance *inst)
{
	struct odbc_writers *w = &inst->writers;
	struct etl_text sql = { 0 }, version = { 0 };
	struct odbc_said said = { .advice = "" };
	struct odbc_rows rows = { 0 };

	*w = (struct odbc_writers){ .known = false };
	if (inst->host->role != ETL_ROLE_SOURCE || !question(inst))
		return;
	if (inst->dialect == &odbc_tsql && !inst->babelfish &&
	    odbc_ask_quietly(inst, "SELECT CONVERT(nvarchar(20), MIN_ACTIVE_ROWVERSION(), 1)", &version) && version.at)
		snprintf(w->version, sizeof(w->version), "%s", version.at);
	etl_text_free(&version);
	etl_text_add(&sql, question(inst));
	if (odbc_try_rows(inst, &sql, 3, &rows, &said) && rows.count == 1) {
		w->any = odbc_row_number(&rows, 0, 0) > 0;
		w->seconds = odbc_row_number(&rows, 0, 1);
		w->known = odbc_row_number(&rows, 0, 2) == 0;
	}
	odbc_rows_free(&rows);
	etl_text_free(&said.words);
}

/* ---- What a cursor is ---------------------------------------------------------------------------------------- */

static enum cursor_kind kind_of(const struct etl_instance *inst, const struct odbc_column *c)
{
	int64_t length;

	if (inst->dialect == &odbc_sqlite)
		return CURSOR_ANY;
	switch (odbc_type_of(inst->dialect, c, &length).type) {
	case ETL_INT16:
	case ETL_INT32:
	case ETL_INT64:
	case ETL_DECIMAL:
	case ETL_NUMERIC:
		return inst->dialect == &odbc_tsql && strcasestr(c->type_name, "money") ? CURSOR_MONEY : CURSOR_NUMBER;
	case ETL_FLOAT32:
	case ETL_FLOAT64:
		return CURSOR_REAL;
	case ETL_DATE:
		return CURSOR_DAY;
	case ETL_TIMESTAMP:
		return CURSOR_MOMENT;
	case ETL_INSTANT:
		return CURSOR_ZONED;
	case ETL_BYTES:
		return inst->dialect == &odbc_tsql ? CURSOR_VERSION : CURSOR_NONE;
	default:
		return CURSOR_NONE;
	}
}

static bool is_moment(enum cursor_kind kind)
{
	return kind == CURSOR_DAY || kind == CURSOR_MOMENT || kind == CURSOR_ZONED;
}

static int refuse(struct etl_instance *inst, const struct etl_read *read, const char *what, struct etl_error *err)
{
	inst->host->at(err, read->dataset.table, read->cursor, NULL);
	return inst->host->fail(err, ETL_USAGE, NULL, 0, "cursor \"%s\": %s", read->cursor, what);
}

static int find_cursor(struct etl_instance *inst, const struct etl_read *read, const struct odbc_shape *shape,
		       enum cursor_kind *ret, struct etl_error *err)
{
	if (inst->dialect == &odbc_standard)
		return refuse(inst, read, "nobody here knows how this server compares a time with what is kept of it; leave the cursor out, "
					  "and all rows are compared", err);
	for (size_t i = 0; i < shape->count; i++) {
		if (strcmp(shape->columns[i].name, read->cursor) != 0)
			continue;
		*ret = kind_of(inst, &shape->columns[i]);
		return *ret != CURSOR_NONE ? ETL_OK :
					     refuse(inst, read,
						    inst->dialect == &odbc_tsql ? "a cursor is a time, a number or a rowversion" :
										  "a cursor is a time or a number",
						    err);
	}
	return refuse(inst, read, "there is no such column", err);
}

/* ---- How far it has come ------------------------------------------------------------------------------------- */

/* Cut off behind the microseconds, never up: between the point and the greatest value there may be rows. */
static void add_tsql_moment(struct etl_text *sql, enum cursor_kind kind, const char *column, long long back)
{
	etl_text_addf(sql, "LEFT(CONVERT(nvarchar(40), DATEADD(second, %lld, CAST(", -back);
	etl_text_addf(sql, kind == CURSOR_ZONED ? "SWITCHOFFSET(MAX(%s), '+00:00')" : "MAX(%s)", column);
	etl_text_add(sql, " AS datetime2(7))), 121), 26)");
	if (kind == CURSOR_ZONED)
		etl_text_add(sql, " + N'Z'");
}

/* With every digit: that is style 3 of a float, and no style of money on every server. */
static void add_tsql_number(struct etl_text *sql, enum cursor_kind kind, const char *column)
{
	etl_text_addf(sql,
		      kind == CURSOR_VERSION ? "CONVERT(nvarchar(60), MAX(%s), 1)" :
		      kind == CURSOR_REAL    ? "LTRIM(RTRIM(CONVERT(nvarchar(60), CAST(MAX(%s) AS float), 3)))" :
		      kind == CURSOR_MONEY   ? "CONVERT(nvarchar(60), CAST(MAX(%s) AS decimal(19,4)))" :
					       "CONVERT(nvarchar(60), MAX(%s))",
		      column);
}

static void add_greatest(struct etl_text *sql, const struct etl_instance *inst, enum cursor_kind kind, const char *column)
{
	const struct odbc_writers *w = &inst->writers;
	long long back = w->any ? (long long)w->seconds + 1 : 0;

	if (inst->dialect == &odbc_sqlite)
		etl_text_addf(sql, "CASE typeof(max(%s)) WHEN 'real' THEN printf('%%!.17g', max(%s)) ELSE max(%s) END", column, column, column);
	else if (inst->dialect == &odbc_postgresql && is_moment(kind))
		etl_text_addf(sql, kind == CURSOR_DAY && back ? "CAST(CAST(max(%s) - interval '%lld seconds' AS date) AS text)" :
				   back			      ? "CAST(max(%s) - interval '%lld seconds' AS text)" :
								"CAST(max(%s) AS text)",
			      column, back);
	else if (inst->dialect == &odbc_postgresql)
		etl_text_addf(sql, "CAST(max(%s) AS text)", column);
	else if (is_moment(kind))
		add_tsql_moment(sql, kind, column, back);
	else if (kind == CURSOR_VERSION && *w->version)
		etl_text_addf(sql, "CONVERT(nvarchar(40), CASE WHEN MAX(%s) < %s THEN MAX(%s) ELSE CAST(%s AS binary(8)) END, 1)", column,
			      w->version, column, w->version);
	else
		add_tsql_number(sql, kind, column);
}

static int ask(struct etl_instance *inst, const struct etl_read *read, enum cursor_kind kind, struct etl_text *ret,
	       struct etl_error *err)
{
	struct etl_text sql = { 0 }, column = { 0 };
	int rc;

	odbc_add_name(&column, inst, read->cursor);
	select_add_with(&sql, inst, &read->dataset);
	etl_text_add(&sql, "SELECT ");
	add_greatest(&sql, inst, kind, column.at ? column.at : "");
	odbc_select_add_from(&sql, inst, &read->dataset);
	if (read->dataset.where)
		etl_text_addf(&sql, " WHERE (%s\n)", read->dataset.where);
	select_add_option(&sql, inst, &read->dataset);
	rc = sql.failed || column.failed ? odbc_no_memory(inst, err) : odbc_ask(inst, sql.at, ret, err);
	etl_text_free(&sql);
	etl_text_free(&column);
	return rc;
}

/* What may be missed, and what would miss nothing. */
static void warn_blind(struct etl_instance *inst, const struct etl_read *read, enum cursor_kind kind)
{
	const struct odbc_writers *w = &inst->writers;
	const char *who = w->known		      ? "other transactions are under way, and which rows are theirs cannot be told" :
			  inst->dialect == &odbc_tsql ? "this login is not told what other transactions are under way (GRANT VIEW SERVER "
							"STATE, of Azure SQL VIEW DATABASE STATE)" :
							"what other transactions are under way is not told in full";
	bool seen = (kind == CURSOR_VERSION && *w->version) || (w->known && (!w->any || is_moment(kind)));

	if (!seen)
		inst->host->log(inst->host, ETL_LOG_WARN,
				"cursor \"%s\": %s; a row of theirs with a value up to the one reached now is missed%s%s", read->cursor, who,
				is_moment(kind) || kind == CURSOR_ANY ? ", unless `overlap` is longer than they take" : "",
				inst->dialect == &odbc_tsql && !inst->babelfish ? "; a rowversion misses none" : "");
}

static int keep(struct etl_instance *inst, const struct etl_read *read, const struct etl_text *value, struct etl_token *ret,
		struct etl_error *err)
{
	if (value->length >= sizeof(ret->text))
		return refuse(inst, read, "its greatest value is longer than what is kept of it; a cursor is a time or a number", err);
	if (value->at)
		memcpy(ret->text, value->at, value->length + 1);
	return ETL_OK;
}

int odbc_watermark(struct etl_instance *inst, const struct etl_read *read, struct etl_token *ret, struct etl_error *err)
{
	struct odbc_shape shape = { 0 };
	struct etl_text value = { 0 };
	enum cursor_kind kind = CURSOR_NONE;
	int rc = odbc_ready(inst, err);

	memset(ret->text, 0, sizeof(ret->text));
	if (rc == ETL_OK)
		rc = select_shape(inst, &read->dataset, &shape, err);
	if (rc == ETL_OK)
		rc = find_cursor(inst, read, &shape, &kind, err);
	/* Without a view the statement sees what is there now. */
	if (rc == ETL_OK && !inst->pinned)
		odbc_find_writers(inst);
	if (rc == ETL_OK)
		rc = ask(inst, read, kind, &value, err);
	if (rc == ETL_OK)
		rc = keep(inst, read, &value, ret, err);
	if (rc == ETL_OK && value.length)
		warn_blind(inst, read, kind);
	etl_text_free(&value);
	odbc_shape_free(&shape);
	return rc;
}

/* ---- From there on ------------------------------------------------------------------------------------------- */

static bool is_number(const char *text)
{
	char *end;

	strtod(text, &end);
	return *text && !*end && !text[strspn(text, "0123456789+-.eE")];
}

static bool is_hexadecimal(const char *text)
{
	return strncmp(text, "0x", 2) == 0 && !text[2 + strspn(text + 2, "0123456789abcdefABCDEF")];
}

/* T-SQL reads a time by the type that is written beside it. */
static bool add_moment(struct etl_text *sql, enum cursor_kind kind, const char *since)
{
	char text[SPELL_MAX];
	struct moment m;

	if (!etl_moment_parse(&m, since, strlen(since)))
		return false;
	etl_spell_timestamp(text, m.days * MICROS_PER_DAY + m.micros - m.zone * 1000000, false);
	etl_text_addf(sql, kind == CURSOR_ZONED ? "CAST(N'%s +00:00' AS datetimeoffset(7))" : "CAST(N'%s' AS datetime2(7))", text);
	return true;
}

void odbc_add_since(struct etl_text *sql, const struct etl_instance *inst, const struct odbc_column *c, const char *since)
{
	enum cursor_kind kind = kind_of(inst, c);
	bool tsql = inst->dialect == &odbc_tsql;

	etl_text_add(sql, "(");
	odbc_add_name(sql, inst, c->name);
	etl_text_add(sql, " IS NULL OR ");
	odbc_add_name(sql, inst, c->name);
	etl_text_add(sql, " >= ");
	if (kind == CURSOR_VERSION && is_hexadecimal(since))
		etl_text_add(sql, since);
	else if (inst->dialect != &odbc_postgresql && !is_moment(kind) && is_number(since))
		etl_text_add(sql, since);
	else if (!tsql || !is_moment(kind) || !add_moment(sql, kind, since))
		etl_text_add_literal(sql, since);
	etl_text_add(sql, ")");
}
