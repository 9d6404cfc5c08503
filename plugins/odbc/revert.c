/*
 * A published run is taken back in one transaction: the tables that it made go, those that it replaced come again, or
 * nothing is touched. What somebody wrote to them since, or hung on them, ends it with a sentence.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "fault.h"
#include "undo.h"

enum { LOAD, HOW, SCHEMA, TABLE, OBJECT, ROWS, DIGEST, XACT, KEPT, COLUMNS };

struct reverting {
	struct etl_instance *inst;
	const char *run;
	struct etl_error *err;
	struct odbc_rows tables; /* of _etlrun_tables, by their load */
	char old[ODBC_NAME_ROOM];  /* the generation's name */
};

static const char *at(const struct reverting *r, size_t i, size_t column)
{
	return odbc_row_text(&r->tables, i, column);
}

static bool is(const struct reverting *r, size_t i, const char *how)
{
	return strcmp(at(r, i, HOW), how) == 0;
}

/* ---- What is said ----------------------------------------------------------------------------------------------------- */

static int fail_changed(struct reverting *r, size_t i)
{
	r->inst->host->at(r->err, at(r, i, TABLE), NULL, NULL);
	return r->inst->host->fail(r->err, ETL_FATAL, NULL, 0,
				   "table \"%s\", as run %s published it, was changed since, by a later run or by somebody else; "
				   "nothing was taken back; take later runs back first, the latest first",
				   at(r, i, TABLE), r->run);
}

static int fail_unknown(struct reverting *r)
{
	return r->inst->host->fail(r->err, ETL_FATAL, NULL, 0,
				   "the target does not know run %s: it was restored from a backup that is older than the run, or "
				   "replaced since; nothing was changed, and there is nothing of that run to take back in it",
				   r->run);
}

static int fail_not_kept(struct reverting *r, size_t i)
{
	bool rows = is(r, i, "into"), replaced = is(r, i, "replaced");

	r->inst->host->at(r->err, at(r, i, TABLE), NULL, NULL);
	return r->inst->host->fail(r->err, ETL_USAGE, NULL, 0,
				   "what run %s %s \"%s\" was not kept, so it cannot be taken back; %s", r->run,
				   rows ? "changed in" : replaced ? "replaced as" : "took out of", at(r, i, TABLE),
				   rows	    ? "through ODBC nothing keeps it" :
				   replaced ? "keep_old = 1, or more, keeps so many generations" :
					      "on_existing = \"replace\" with keep_old = 1 keeps the old table");
}

/* A statement to which what was written since may stand in the way. WHAT: a table, or NULL. */
static int run(struct reverting *r, struct etl_text *sql, const char *what)
{
	char *text = etl_text_take(sql);
	struct odbc_said said;
	int rc = ETL_OK;

	if (!text)
		return odbc_no_memory(r->inst, r->err);
	if (!odbc_try_run(r->inst, text, &said)) {
		if (what)
			r->inst->host->at(r->err, what, NULL, NULL);
		if (said.klass == ETL_FATAL || said.klass == ETL_DATA || said.klass == ETL_USAGE) {
			rc = r->inst->host->fail(r->err, ETL_FATAL, *said.sqlstate ? said.sqlstate : NULL, said.native,
						 "run %s cannot be taken back, for what was written or made since stands in its way: "
						 "%s; nothing was taken back; remove that first",
						 r->run, said.words.at ? said.words.at : "the server gives no reason");
			etl_text_free(&said.words);
		} else {
			rc = odbc_tell(r->inst, &said, r->err, "taking a run back");
		}
	}
	free(text);
	return rc;
}

/* ---- What the run did ------------------------------------------------------------------------------------------------- */

static int read_tables(struct reverting *r)
{
	struct etl_text sql = { 0 };

	etl_text_add(&sql, "SELECT load, how, schema_name, table_name, object, row_count, digest, xact, kept FROM ");
	odbc_add_own(&sql, r->inst, "_etlrun_tables");
	etl_text_add(&sql, " WHERE run = ");
	odbc_add_literal(&sql, r->inst, r->run);
	etl_text_add(&sql, " ORDER BY load");
	return odbc_ask_rows_text(r->inst, &sql, COLUMNS, &r->tables, r->err);
}

/* One that this plugin published before it kept anything is known to _etlrun_runs alone. */
static int find_run(struct reverting *r, bool *ret_taken)
{
	const char *schema = r->inst->dialect->default_schema;
	bool there = false, published = false;
	int rc = odbc_is_there(r->inst, schema, "_etlrun_tables", &there, r->err);

	if (rc == ETL_OK && there)
		rc = read_tables(r);
	if (rc < 0)
		return rc;
	*ret_taken = r->tables.count && is(r, 0, "taken back");
	if (r->tables.count)
		return ETL_OK;
	rc = odbc_is_there(r->inst, schema, "_etlrun_runs", &there, r->err);
	if (rc == ETL_OK && there)
		rc = odbc_state_is_published(r->inst, r->run, &published, r->err);
	if (rc == ETL_OK && published)
		return r->inst->host->fail(r->err, ETL_USAGE, NULL, 0,
					   "of run %s the target has nothing by which it could be taken back", r->run);
	return rc < 0 ? rc : fail_unknown(r);
}

/* ---- May it go? ------------------------------------------------------------------------------------------------------- */

static int check_kept(struct reverting *r)
{
	for (size_t i = 0; i < r->tables.count; i++)
		if (!is(r, i, "made") && (!is(r, i, "replaced") || !at(r, i, KEPT)))
			return fail_not_kept(r, i);
	return ETL_OK;
}

static int check_hung(struct reverting *r, size_t i)
{
	struct etl_text hung = { 0 };
	int rc = odbc_list_hung(r->inst, at(r, i, SCHEMA), at(r, i, TABLE), &hung, r->err);

	if (rc == ETL_OK && hung.length) {
		r->inst->host->at(r->err, at(r, i, TABLE), NULL, NULL);
		rc = r->inst->host->fail(r->err, ETL_FATAL, NULL, 0,
					 "table \"%s\" would go, and with it what was made for it since: %s; nothing was taken back; "
					 "remove that first",
					 at(r, i, TABLE), hung.at);
	}
	etl_text_free(&hung);
	return rc;
}

/* What the table is called once nobody else can come at it; BUF has ODBC_NAME_ROOM bytes. */
static const char *gone_name(const struct reverting *r, size_t i, char *buf)
{
	return r->inst->dialect == &odbc_tsql ? odbc_join_name(r->inst, STAGE_PREFIX "gone_", at(r, i, TABLE), "", buf) :
						at(r, i, TABLE);
}

/* T-SQL has no statement that locks a table; who renames one has it for himself. A file of SQLite's is locked as a whole. */
static int lock(struct reverting *r, size_t i)
{
	struct etl_text sql = { 0 };
	char gone[ODBC_NAME_ROOM];

	if (r->inst->dialect == &odbc_tsql) {
		r->inst->dialect->add_rename(&sql, r->inst, at(r, i, SCHEMA), at(r, i, TABLE), gone_name(r, i, gone));
	} else if (r->inst->dialect == &odbc_postgresql) {
		etl_text_add(&sql, "LOCK TABLE ");
		odbc_add_table(&sql, r->inst, at(r, i, SCHEMA), at(r, i, TABLE));
		etl_text_add(&sql, " IN ACCESS EXCLUSIVE MODE");
	} else {
		return ETL_OK;
	}
	return run(r, &sql, at(r, i, TABLE));
}

static int check_same(struct reverting *r, size_t i)
{
	struct odbc_content was = { .rows = odbc_row_number(&r->tables, i, ROWS),
				    .transaction = odbc_row_number(&r->tables, i, XACT) };
	char gone[ODBC_NAME_ROOM];
	bool same = false;
	int rc;

	snprintf(was.digest, sizeof(was.digest), "%s", at(r, i, DIGEST) ? at(r, i, DIGEST) : "");
	rc = odbc_is_same(r->inst, at(r, i, SCHEMA), gone_name(r, i, gone), &was, &same, r->err);
	return rc == ETL_OK && !same ? fail_changed(r, i) : rc;
}

static int check(struct reverting *r, size_t i)
{
	char object[ODBC_OBJECT_ROOM];
	bool there = false;
	int rc = odbc_is_there(r->inst, at(r, i, SCHEMA), at(r, i, TABLE), &there, r->err);

	if (rc == ETL_OK)
		rc = odbc_object_of(r->inst, at(r, i, SCHEMA), at(r, i, TABLE), object, r->err);
	if (rc < 0)
		return rc;
	if (!there || strcmp(object, at(r, i, OBJECT) ? at(r, i, OBJECT) : "") != 0)
		return fail_changed(r, i);
	rc = check_hung(r, i);
	if (rc == ETL_OK)
		rc = lock(r, i);
	return rc == ETL_OK ? check_same(r, i) : rc;
}

/* ---- Going and coming ------------------------------------------------------------------------------------------------- */

/* Children were made after their parents; keys in a circle go first. */
static int drop_made(struct reverting *r)
{
	struct etl_text sql = { 0 };
	char gone[ODBC_NAME_ROOM];
	int rc = ETL_OK;

	for (size_t i = 0; rc == ETL_OK && i < r->tables.count; i++)
		rc = odbc_drop_foreign_keys(r->inst, at(r, i, SCHEMA), gone_name(r, i, gone), r->err);
	for (size_t i = r->tables.count; rc == ETL_OK && i-- > 0;) {
		etl_text_add(&sql, sql.length ? ", " : "DROP TABLE ");
		odbc_add_table(&sql, r->inst, at(r, i, SCHEMA), gone_name(r, i, gone));
		if (r->inst->dialect != &odbc_postgresql)
			rc = run(r, &sql, at(r, i, TABLE));
	}
	return rc == ETL_OK && sql.length ? run(r, &sql, NULL) : rc;
}

static int bring_back(struct reverting *r, size_t i)
{
	const char *schema = r->inst->dialect == &odbc_tsql ? at(r, i, SCHEMA) : r->old;
	struct etl_text sql = { 0 };
	bool there = false;
	int rc = odbc_is_there(r->inst, schema, at(r, i, KEPT), &there, r->err);

	if (rc == ETL_OK && !there) {
		r->inst->host->at(r->err, at(r, i, TABLE), NULL, NULL);
		rc = r->inst->host->fail(r->err, ETL_USAGE, NULL, 0,
					 "what run %s replaced is not there (\"%s\".\"%s\"), so it cannot be put back", r->run,
					 schema ? schema : "", at(r, i, KEPT));
	}
	if (rc < 0)
		return rc;
	if (r->inst->dialect == &odbc_tsql) {
		r->inst->dialect->add_rename(&sql, r->inst, schema, at(r, i, KEPT), at(r, i, TABLE));
	} else {
		etl_text_add(&sql, "ALTER TABLE ");
		odbc_add_table(&sql, r->inst, schema, at(r, i, KEPT));
		etl_text_add(&sql, " SET SCHEMA ");
		odbc_add_name(&sql, r->inst, at(r, i, SCHEMA));
	}
	return run(r, &sql, at(r, i, TABLE));
}

/* What was taken from the old tables when they went. */
static int mend(struct reverting *r)
{
	struct etl_text sql = { 0 };
	struct odbc_rows again;
	int rc;

	etl_text_add(&sql, "SELECT sql FROM ");
	odbc_add_own(&sql, r->inst, "_etlrun_again");
	etl_text_add(&sql, " WHERE run = ");
	odbc_add_literal(&sql, r->inst, r->run);
	etl_text_add(&sql, " ORDER BY n");
	rc = odbc_ask_rows_text(r->inst, &sql, 1, &again, r->err);
	for (size_t i = 0; rc == ETL_OK && i < again.count; i++) {
		etl_text_add(&sql, odbc_row_text(&again, i, 0));
		rc = run(r, &sql, NULL);
	}
	odbc_rows_free(&again);
	return rc;
}

static int drop_schema(struct reverting *r, bool any)
{
	struct etl_text sql = { 0 };

	if (!any || r->inst->dialect != &odbc_postgresql)
		return ETL_OK;
	etl_text_add(&sql, "DROP SCHEMA ");
	odbc_add_name(&sql, r->inst, r->old);
	return run(r, &sql, NULL);
}

static int put_back(struct reverting *r)
{
	bool any = false;
	int rc = drop_made(r);

	for (size_t i = 0; rc == ETL_OK && i < r->tables.count; i++)
		if (at(r, i, KEPT)) {
			any = true;
			rc = bring_back(r, i);
		}
	if (rc == ETL_OK)
		rc = mend(r);
	return rc == ETL_OK ? drop_schema(r, any) : rc;
}

/* ---- The state -------------------------------------------------------------------------------------------------------- */

static int forget(struct reverting *r, const char *table)
{
	struct etl_text sql = { 0 };

	etl_text_add(&sql, "DELETE FROM ");
	odbc_add_own(&sql, r->inst, table);
	etl_text_add(&sql, " WHERE run = ");
	odbc_add_literal(&sql, r->inst, r->run);
	return odbc_run_text(r->inst, r->err, &sql);
}

static int write_state(struct reverting *r)
{
	static const char *const tables[] = { "_etlrun_runs", "_etlrun_loads", "_etlrun_tables", "_etlrun_again" };
	struct etl_text sql = { 0 };
	int rc = ETL_OK;

	for (size_t i = 0; rc == ETL_OK && i < sizeof(tables) / sizeof(*tables); i++)
		rc = forget(r, tables[i]);
	if (rc < 0)
		return rc;
	etl_text_add(&sql, "INSERT INTO ");
	odbc_add_own(&sql, r->inst, "_etlrun_tables");
	etl_text_add(&sql, " (run, load, how, table_name, row_count, xact) VALUES (");
	odbc_add_literal(&sql, r->inst, r->run);
	etl_text_add(&sql, ", -1, ");
	odbc_add_literal(&sql, r->inst, "taken back");
	etl_text_add(&sql, ", ");
	odbc_add_literal(&sql, r->inst, "");
	etl_text_add(&sql, ", 0, 0)");
	return odbc_run_text(r->inst, r->err, &sql);
}

/* ---- The whole -------------------------------------------------------------------------------------------------------- */

static int take_back(struct reverting *r)
{
	int rc = check_kept(r);

	for (size_t i = 0; rc == ETL_OK && i < r->tables.count; i++)
		rc = check(r, i);
	ETL_FAULT("odbc.revert_checked");
	if (rc == ETL_OK)
		rc = put_back(r);
	if (rc == ETL_OK)
		rc = write_state(r);
	ETL_FAULT("odbc.revert_before_commit");
	return rc;
}

static int transact(struct reverting *r)
{
	bool taken = false;
	int rc = find_run(r, &taken);

	if (rc == ETL_OK && taken)
		r->inst->host->log(r->inst->host, ETL_LOG_INFO,
				   "the target's own tables say that run %s was taken back already; nothing is changed", r->run);
	return rc == ETL_OK && !taken ? take_back(r) : rc;
}

int odbc_revert(struct etl_instance *inst, const char *run_id, const struct etl_token *seal, struct etl_error *err)
{
	struct reverting r = { .inst = inst, .run = run_id, .err = err };
	int rc = odbc_begin_work(inst, err);

	(void)seal;
	if (rc < 0)
		return rc;
	inst->unit[0] = '\0';
	odbc_generation_name(run_id, r.old);
	rc = odbc_end_work(inst, transact(&r), err);
	odbc_rows_free(&r.tables);
	return rc;
}
