/*
 * What runs keep beyond the last few: generations of tables more than keep_old, rows of appends and merges but for the last
 * three runs. Each run's goes in a transaction of its own, after the run was published: in T-SQL
 * a table that cannot be dropped would take back all that was done before it.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "undo.h"

#define UNDO_RUNS 3 /* of a pipeline, that keep the rows they changed */

enum { SCHEMA, KEPT, COLUMNS };

struct dropping {
	struct etl_instance *inst;
	const char *run;
	bool rows; /* of an append, a merge */
	struct odbc_said said;
};

static bool run(struct dropping *d, struct etl_text *sql)
{
	char *text = etl_text_take(sql);
	bool done = text && odbc_try_run(d->inst, text, &d->said);

	free(text);
	return done;
}

static void add_where_run(struct etl_text *sql, const struct dropping *d)
{
	etl_text_add(sql, " WHERE run = ");
	odbc_add_literal(sql, d->inst, d->run);
}

static bool forget(struct dropping *d, const char *what, const char *table, const char *setting)
{
	struct etl_text sql = { 0 };

	etl_text_addf(&sql, "%s ", what);
	odbc_add_own(&sql, d->inst, table);
	etl_text_add(&sql, setting);
	add_where_run(&sql, d);
	return run(d, &sql);
}

/* PostgreSQL: at once, for they may refer to each other. */
static bool drop_schema(struct dropping *d, const struct odbc_rows *tables)
{
	char schema[ODBC_NAME_ROOM];
	struct etl_text sql = { 0 };

	odbc_generation_name(d->run, schema);
	for (size_t i = 0; i < tables->count; i++) {
		etl_text_add(&sql, i ? ", " : "DROP TABLE IF EXISTS ");
		odbc_add_table(&sql, d->inst, schema, odbc_row_text(tables, i, KEPT));
	}
	etl_text_add(&sql, tables->count ? "; DROP SCHEMA IF EXISTS " : "DROP SCHEMA IF EXISTS ");
	odbc_add_name(&sql, d->inst, schema);
	return run(d, &sql);
}

static bool drop_renamed(struct dropping *d, const struct odbc_rows *tables)
{
	bool done = true;

	for (size_t i = 0; done && i < tables->count; i++)
		done = odbc_try_drop_foreign_keys(d->inst, odbc_row_text(tables, i, SCHEMA), odbc_row_text(tables, i, KEPT), &d->said);
	for (size_t i = 0; done && i < tables->count; i++) {
		struct etl_text sql = { 0 };

		etl_text_add(&sql, "DROP TABLE IF EXISTS ");
		odbc_add_table(&sql, d->inst, odbc_row_text(tables, i, SCHEMA), odbc_row_text(tables, i, KEPT));
		done = run(d, &sql);
	}
	return done;
}

static bool drop_generation(struct dropping *d, const struct odbc_rows *tables)
{
	struct odbc_said ignored;
	bool done = odbc_try_run(d->inst, d->inst->dialect->begin, &d->said);

	if (!done)
		return false;
	done = d->rows || d->inst->dialect == &odbc_tsql ? drop_renamed(d, tables) : drop_schema(d, tables);
	done = done && forget(d, "UPDATE", "_etlrun_runs", " SET kept = NULL") &&
	       forget(d, "UPDATE", "_etlrun_tables", " SET kept = NULL") && forget(d, "DELETE FROM", "_etlrun_again", "") &&
	       odbc_try_run(d->inst, d->inst->dialect->commit, &d->said);
	if (!done && !d->inst->lost && !odbc_try_run(d->inst, d->inst->dialect->rollback, &ignored))
		etl_text_free(&ignored.words);
	return done;
}

static void tell(struct etl_instance *inst, const char *what, struct odbc_said *said)
{
	inst->host->log(inst->host, ETL_LOG_WARN, "%s is not needed any more, and cannot be dropped: %s%s%s%s%s", what,
			said->words.at ? said->words.at : "the server gives no reason", *said->sqlstate ? " (SQLSTATE " : "",
			said->sqlstate, *said->sqlstate ? ")" : "", said->advice ? said->advice : "");
	etl_text_free(&said->words);
}

/* Somebody may look at an old table; then it stays, and this is said. */
static void drop_one(struct etl_instance *inst, const char *run, bool rows)
{
	struct dropping d = { .inst = inst, .run = run, .rows = rows };
	struct etl_text sql = { 0 }, what = { 0 };
	struct odbc_rows tables;

	etl_text_add(&sql, "SELECT schema_name, kept FROM ");
	odbc_add_own(&sql, inst, "_etlrun_tables");
	add_where_run(&sql, &d);
	etl_text_add(&sql, " AND kept IS NOT NULL ORDER BY load DESC");
	etl_text_addf(&what, "what run %s %s", run, rows ? "keeps to be taken back" : "replaced");
	if (!odbc_try_rows(inst, &sql, COLUMNS, &tables, &d.said) || !drop_generation(&d, &tables))
		tell(inst, what.at ? what.at : run, &d.said);
	odbc_rows_free(&tables);
	etl_text_free(&what);
}

/* Runs of the pipeline that keep something, the newest first. */
static void add_question(struct etl_text *sql, struct etl_instance *inst, const struct etl_run *run, bool rows)
{
	etl_text_add(sql, "SELECT run FROM ");
	odbc_add_own(sql, inst, "_etlrun_runs");
	etl_text_add(sql, " AS r WHERE pipeline = ");
	odbc_add_literal(sql, inst, run->pipeline);
	etl_text_add(sql, " AND EXISTS (SELECT 1 FROM ");
	odbc_add_own(sql, inst, "_etlrun_tables");
	etl_text_addf(sql, " AS t WHERE t.run = r.run AND t.kept IS NOT NULL AND t.how %s ('appended', 'merged')) ORDER BY started DESC, "
			   "run DESC", rows ? "IN" : "NOT IN");
}

/* ---- Runs that are not remembered any more ---- */

static bool forget_run(struct etl_instance *inst, const char *run, struct odbc_said *ret)
{
	static const char *const tables[] = { "_etlrun_tables", "_etlrun_loads", "_etlrun_runs" };
	struct dropping d = { .inst = inst, .run = run };
	struct odbc_said ignored;
	bool done = odbc_try_run(inst, inst->dialect->begin, &d.said);

	for (size_t i = 0; done && i < sizeof(tables) / sizeof(*tables); i++)
		done = forget(&d, "DELETE FROM", tables[i], "");
	done = done && odbc_try_run(inst, inst->dialect->commit, &d.said);
	if (!done && !inst->lost && !odbc_try_run(inst, inst->dialect->rollback, &ignored))
		etl_text_free(&ignored.words);
	*ret = d.said;
	return done;
}

/* Those that keep something are none of them. */
static void forget_older(struct etl_instance *inst, const struct etl_run *run)
{
	int64_t most = run->keep_runs > 0 ? run->keep_runs : 1;
	struct etl_text sql = { 0 };
	struct odbc_said said;
	struct odbc_rows runs;
	bool done;

	etl_text_add(&sql, "SELECT run FROM ");
	odbc_add_own(&sql, inst, "_etlrun_runs");
	etl_text_add(&sql, " AS r WHERE pipeline = ");
	odbc_add_literal(&sql, inst, run->pipeline);
	if (run->keep_since)
		etl_text_addf(&sql, " AND started < %lld", (long long)run->keep_since);
	etl_text_add(&sql, " AND NOT EXISTS (SELECT 1 FROM ");
	odbc_add_own(&sql, inst, "_etlrun_tables");
	etl_text_add(&sql, " AS t WHERE t.run = r.run AND t.kept IS NOT NULL) AND run <> ");
	odbc_add_literal(&sql, inst, run->id);
	etl_text_add(&sql, " ORDER BY started DESC, run DESC");
	done = odbc_try_rows(inst, &sql, 1, &runs, &said);
	for (size_t i = run->keep_since ? 0 : (size_t)most - 1; done && i < runs.count; i++)
		done = forget_run(inst, odbc_row_text(&runs, i, 0), &said);
	if (!done)
		tell(inst, "the record of older runs", &said);
	odbc_rows_free(&runs);
}

static void drop_kept(struct etl_instance *inst, const struct etl_run *run)
{
	bool rows = run->mode != ETL_COPY;
	size_t most = rows ? UNDO_RUNS : (size_t)run->keep_old;
	struct etl_text sql = { 0 };
	struct odbc_said said;
	struct odbc_rows runs;

	if (most == 0 || inst->dialect == &odbc_standard)
		return;
	add_question(&sql, inst, run, rows);
	if (!odbc_try_rows(inst, &sql, 1, &runs, &said))
		tell(inst, "what older runs keep", &said);
	for (size_t i = most; !inst->lost && i < runs.count; i++)
		drop_one(inst, odbc_row_text(&runs, i, 0), rows);
	odbc_rows_free(&runs);
}

void odbc_drop_older(struct etl_instance *inst, const struct etl_run *run)
{
	drop_kept(inst, run);
	if (!inst->lost)
		forget_older(inst, run);
}
