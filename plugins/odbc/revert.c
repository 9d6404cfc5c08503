/*
 * A published run is taken back in one transaction: the tables that it made go, those that it replaced come again, or
 * nothing is touched. What somebody wrote to them since, or hung on them, ends it with a sentence.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "fault.h"
#include "undo.h"

/* ---- What is said ----------------------------------------------------------------------------------------------------- */

int odbc_fail_changed(struct odbc_reverting *r, size_t i)
{
	r->inst->host->at(r->err, undo_at(r, i, UNDO_TABLE), NULL, NULL);
	return r->inst->host->fail(r->err, ETL_FATAL, NULL, 0,
				   "table \"%s\", as run %s published it, was changed since, by a later run or by somebody else; "
				   "nothing was taken back; take later runs back first, the latest first",
				   undo_at(r, i, UNDO_TABLE), r->run);
}

static int fail_unknown(struct odbc_reverting *r)
{
	return r->inst->host->fail(r->err, ETL_FATAL, NULL, 0,
				   "the target does not know run %s: it was restored from a backup that is older than the run, or "
				   "replaced since; nothing was changed, and there is nothing of that run to take back in it",
				   r->run);
}

static int fail_not_kept(struct odbc_reverting *r, size_t i)
{
	static const struct {
		const char *how, *did, *way;
	} ways[] = {
		{ "merged", "changed in", "undo = true in the pipeline keeps it, for its last three runs" },
		{ "appended", "appended to", "it is kept of the last three runs, where the table has a primary key that comes with the rows" },
		{ "replaced", "replaced as", "keep_old = 1, or more, keeps so many generations" },
		{ "swapped", "took out of", "on_existing = \"replace\" with keep_old = 1 keeps the old table" },
	};
	size_t k = 0;

	while (k < 3 && !undo_is(r, i, ways[k].how))
		k++;
	r->inst->host->at(r->err, undo_at(r, i, UNDO_TABLE), NULL, NULL);
	return r->inst->host->fail(r->err, ETL_USAGE, NULL, 0, "what run %s %s \"%s\" was not kept, so it cannot be taken back; %s",
				   r->run, ways[k].did, undo_at(r, i, UNDO_TABLE), ways[k].way);
}

int odbc_run_back(struct odbc_reverting *r, struct etl_text *sql, const char *what)
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

static int read_tables(struct odbc_reverting *r)
{
	struct etl_text sql = { 0 };

	etl_text_add(&sql, "SELECT load, how, schema_name, table_name, object, row_count, digest, xact, touched, key_count, kept FROM ");
	odbc_add_own(&sql, r->inst, "_etlrun_tables");
	etl_text_add(&sql, " WHERE run = ");
	odbc_add_literal(&sql, r->inst, r->run);
	etl_text_add(&sql, " ORDER BY load");
	return odbc_ask_rows_text(r->inst, &sql, UNDO_COLUMNS, &r->tables, r->err);
}

/* One that this plugin published before it kept anything is known to _etlrun_runs alone. */
static int find_run(struct odbc_reverting *r, bool *ret_taken)
{
	const char *schema = r->inst->dialect->default_schema;
	bool there = false, published = false;
	int rc = odbc_is_there(r->inst, schema, "_etlrun_tables", &there, r->err);

	if (rc == ETL_OK && there)
		rc = read_tables(r);
	if (rc < 0)
		return rc;
	*ret_taken = r->tables.count && undo_is(r, 0, "taken back");
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

static bool is_made(const struct odbc_reverting *r, size_t i)
{
	return undo_is(r, i, "made") || undo_is(r, i, "replaced");
}

static int check_kept(struct odbc_reverting *r)
{
	for (size_t i = 0; i < r->tables.count; i++)
		if (undo_is(r, i, "swapped") || (!undo_at(r, i, UNDO_KEPT) && (undo_is(r, i, "replaced") || undo_has_rows(r, i))))
			return fail_not_kept(r, i);
	return ETL_OK;
}

/* What the table is called once nobody else can come at it; BUF has ODBC_NAME_ROOM bytes. */
static const char *gone_name(const struct odbc_reverting *r, size_t i, char *buf)
{
	return r->inst->dialect == &odbc_tsql ? odbc_join_name(r->inst, STAGE_PREFIX "gone_", undo_at(r, i, UNDO_TABLE), "", buf) :
						undo_at(r, i, UNDO_TABLE);
}

static int check_hung(struct odbc_reverting *r, size_t i)
{
	struct etl_text hung = { 0 };
	char gone[ODBC_NAME_ROOM];
	int rc = odbc_list_hung(r->inst, undo_at(r, i, UNDO_SCHEMA), gone_name(r, i, gone), &hung, r->err);

	if (rc == ETL_OK && hung.length) {
		r->inst->host->at(r->err, undo_at(r, i, UNDO_TABLE), NULL, NULL);
		rc = r->inst->host->fail(r->err, ETL_FATAL, NULL, 0,
					 "table \"%s\" would go, and with it what was made for it since: %s; nothing was taken back; "
					 "remove that first",
					 undo_at(r, i, UNDO_TABLE), hung.at);
	}
	etl_text_free(&hung);
	return rc;
}

/* T-SQL has no statement that locks a table; who renames one has it for himself. A file of SQLite's is locked as a whole. */
static int lock_made(struct odbc_reverting *r, size_t i)
{
	struct etl_text sql = { 0 };
	char gone[ODBC_NAME_ROOM];

	if (r->inst->dialect == &odbc_tsql) {
		r->inst->dialect->add_rename(&sql, r->inst, undo_at(r, i, UNDO_SCHEMA), undo_at(r, i, UNDO_TABLE), gone_name(r, i, gone));
	} else if (r->inst->dialect == &odbc_postgresql) {
		etl_text_add(&sql, "LOCK TABLE ");
		odbc_add_table(&sql, r->inst, undo_at(r, i, UNDO_SCHEMA), undo_at(r, i, UNDO_TABLE));
		etl_text_add(&sql, " IN ACCESS EXCLUSIVE MODE");
	} else {
		return ETL_OK;
	}
	return odbc_run_back(r, &sql, undo_at(r, i, UNDO_TABLE));
}

static int lock_rows(struct odbc_reverting *r, size_t i)
{
	struct etl_text own = { 0 }, sql = { 0 };

	odbc_add_table(&own, r->inst, undo_at(r, i, UNDO_SCHEMA), undo_at(r, i, UNDO_TABLE));
	odbc_add_lock_rows(&sql, r->inst, own.at ? own.at : "");
	sql.failed |= own.failed;
	etl_text_free(&own);
	return sql.length ? odbc_run_back(r, &sql, undo_at(r, i, UNDO_TABLE)) : ETL_OK;
}

/* Whoever takes the same run back at the same time waits here, and then finds that it was. */
static int lock_run(struct odbc_reverting *r)
{
	struct etl_text sql = { 0 };
	bool there = false;
	int rc = odbc_is_there(r->inst, r->inst->dialect->default_schema, "_etlrun_runs", &there, r->err);

	if (rc < 0 || !there)
		return rc;
	etl_text_add(&sql, "UPDATE ");
	odbc_add_own(&sql, r->inst, "_etlrun_runs");
	etl_text_add(&sql, " SET pipeline = pipeline WHERE run = ");
	odbc_add_literal(&sql, r->inst, r->run);
	return odbc_run_text(r->inst, r->err, &sql);
}

static int check_same(struct odbc_reverting *r, size_t i)
{
	struct odbc_content was = { .rows = odbc_row_number(&r->tables, i, UNDO_ROWS),
				    .transaction = odbc_row_number(&r->tables, i, UNDO_XACT) };
	const char *where = was.transaction == UNDO_BY_DIGEST ? UNDO_EVERY_ROW : NULL;
	char gone[ODBC_NAME_ROOM];
	bool same = false;
	int rc;

	snprintf(was.digest, sizeof(was.digest), "%s", undo_at(r, i, UNDO_DIGEST) ? undo_at(r, i, UNDO_DIGEST) : "");
	if (where)
		was.transaction = 0;
	rc = odbc_is_same(r->inst, undo_at(r, i, UNDO_SCHEMA), gone_name(r, i, gone), where, &was, &same, r->err);
	return rc == ETL_OK && !same ? odbc_fail_changed(r, i) : rc;
}

/* The table that the run wrote to, called NAME; one that is there no more, or is another one, was changed. */
static int check_object(struct odbc_reverting *r, size_t i, const char *name)
{
	char object[ODBC_OBJECT_ROOM];
	bool there = false;
	int rc = odbc_is_there(r->inst, undo_at(r, i, UNDO_SCHEMA), name, &there, r->err);

	if (rc == ETL_OK)
		rc = odbc_object_of(r->inst, undo_at(r, i, UNDO_SCHEMA), name, object, r->err);
	if (rc < 0)
		return rc;
	if (!there || strcmp(object, undo_at(r, i, UNDO_OBJECT) ? undo_at(r, i, UNDO_OBJECT) : "") != 0)
		return odbc_fail_changed(r, i);
	return ETL_OK;
}

/* One that is there no more cannot be locked. */
static int lock(struct odbc_reverting *r, size_t i)
{
	int rc = check_object(r, i, undo_at(r, i, UNDO_TABLE));

	if (rc < 0)
		return rc;
	return is_made(r, i) ? lock_made(r, i) : lock_rows(r, i);
}

/* Nobody else comes at the table any more, so what is seen now stays. */
static int check(struct odbc_reverting *r, size_t i)
{
	char gone[ODBC_NAME_ROOM];
	int rc;

	if (!is_made(r, i)) {
		rc = check_object(r, i, undo_at(r, i, UNDO_TABLE));
		return rc == ETL_OK ? odbc_check_rows(r, i) : rc;
	}
	rc = check_object(r, i, gone_name(r, i, gone));
	if (rc == ETL_OK)
		rc = check_hung(r, i);
	return rc == ETL_OK ? check_same(r, i) : rc;
}

/* ---- Going and coming ------------------------------------------------------------------------------------------------- */

/* Children were made after their parents; keys in a circle go first. */
static int drop_made(struct odbc_reverting *r)
{
	struct etl_text sql = { 0 };
	char gone[ODBC_NAME_ROOM];
	int rc = ETL_OK;

	for (size_t i = 0; rc == ETL_OK && i < r->tables.count; i++)
		if (is_made(r, i))
			rc = odbc_drop_foreign_keys(r->inst, undo_at(r, i, UNDO_SCHEMA), gone_name(r, i, gone), r->err);
	for (size_t i = r->tables.count; rc == ETL_OK && i-- > 0;) {
		if (!is_made(r, i))
			continue;
		etl_text_add(&sql, sql.length ? ", " : "DROP TABLE ");
		odbc_add_table(&sql, r->inst, undo_at(r, i, UNDO_SCHEMA), gone_name(r, i, gone));
		if (r->inst->dialect != &odbc_postgresql)
			rc = odbc_run_back(r, &sql, undo_at(r, i, UNDO_TABLE));
	}
	return rc == ETL_OK && sql.length ? odbc_run_back(r, &sql, NULL) : rc;
}

static int bring_back(struct odbc_reverting *r, size_t i)
{
	const char *schema = r->inst->dialect == &odbc_tsql ? undo_at(r, i, UNDO_SCHEMA) : r->old;
	struct etl_text sql = { 0 };
	bool there = false;
	int rc = odbc_is_there(r->inst, schema, undo_at(r, i, UNDO_KEPT), &there, r->err);

	if (rc == ETL_OK && !there) {
		r->inst->host->at(r->err, undo_at(r, i, UNDO_TABLE), NULL, NULL);
		rc = r->inst->host->fail(r->err, ETL_USAGE, NULL, 0,
					 "what run %s replaced is not there (\"%s\".\"%s\"), so it cannot be put back", r->run,
					 schema ? schema : "", undo_at(r, i, UNDO_KEPT));
	}
	if (rc < 0)
		return rc;
	if (r->inst->dialect == &odbc_tsql) {
		r->inst->dialect->add_rename(&sql, r->inst, schema, undo_at(r, i, UNDO_KEPT), undo_at(r, i, UNDO_TABLE));
	} else {
		etl_text_add(&sql, "ALTER TABLE ");
		odbc_add_table(&sql, r->inst, schema, undo_at(r, i, UNDO_KEPT));
		etl_text_add(&sql, " SET SCHEMA ");
		odbc_add_name(&sql, r->inst, undo_at(r, i, UNDO_SCHEMA));
	}
	return odbc_run_back(r, &sql, undo_at(r, i, UNDO_TABLE));
}

/* What was taken from the old tables when they went. */
static int mend(struct odbc_reverting *r)
{
	struct etl_text sql = { 0 };
	struct odbc_rows again;
	int rc;

	etl_text_add(&sql, "SELECT sql FROM ");
	odbc_add_own(&sql, r->inst, "_etlrun_again");
	etl_text_add(&sql, " WHERE run = ");
	odbc_add_literal(&sql, r->inst, r->run);
	etl_text_add(&sql, " AND n >= 0 ORDER BY n");
	rc = odbc_ask_rows_text(r->inst, &sql, 1, &again, r->err);
	for (size_t i = 0; rc == ETL_OK && i < again.count; i++) {
		etl_text_add(&sql, odbc_row_text(&again, i, 0));
		rc = odbc_run_back(r, &sql, NULL);
	}
	odbc_rows_free(&again);
	return rc;
}

static int drop_schema(struct odbc_reverting *r, bool any)
{
	struct etl_text sql = { 0 };

	if (!any || r->inst->dialect != &odbc_postgresql)
		return ETL_OK;
	etl_text_add(&sql, "DROP SCHEMA ");
	odbc_add_name(&sql, r->inst, r->old);
	return odbc_run_back(r, &sql, NULL);
}

static int put_back(struct odbc_reverting *r)
{
	bool any = false;
	int rc = drop_made(r);

	for (size_t i = 0; rc == ETL_OK && i < r->tables.count; i++)
		if (undo_is(r, i, "replaced")) {
			any = true;
			rc = bring_back(r, i);
		}
	if (rc == ETL_OK)
		rc = mend(r);
	return rc == ETL_OK ? drop_schema(r, any) : rc;
}

/* ---- The state -------------------------------------------------------------------------------------------------------- */

static int forget(struct odbc_reverting *r, const char *table, const char *which)
{
	struct etl_text sql = { 0 };

	etl_text_add(&sql, "DELETE FROM ");
	odbc_add_own(&sql, r->inst, table);
	etl_text_add(&sql, " WHERE run = ");
	odbc_add_literal(&sql, r->inst, r->run);
	etl_text_add(&sql, which);
	return odbc_run_text(r->inst, r->err, &sql);
}

static int write_state(struct odbc_reverting *r)
{
	static const struct {
		const char *table, *which;
	} rows[] = { { "_etlrun_runs", "" }, { "_etlrun_loads", "" }, { "_etlrun_tables", "" }, { "_etlrun_again", " AND n >= 0" } };
	struct etl_text sql = { 0 };
	int rc = ETL_OK;

	for (size_t i = 0; rc == ETL_OK && i < sizeof(rows) / sizeof(*rows); i++)
		rc = forget(r, rows[i].table, rows[i].which);
	if (rc < 0)
		return rc;
	etl_text_add(&sql, "INSERT INTO ");
	odbc_add_own(&sql, r->inst, "_etlrun_tables");
	etl_text_add(&sql, " (run, load, how, table_name, row_count, xact, touched, key_count) VALUES (");
	odbc_add_literal(&sql, r->inst, r->run);
	etl_text_add(&sql, ", -1, ");
	odbc_add_literal(&sql, r->inst, "taken back");
	etl_text_add(&sql, ", ");
	odbc_add_literal(&sql, r->inst, "");
	etl_text_add(&sql, ", 0, 0, 0, 0)");
	return odbc_run_text(r->inst, r->err, &sql);
}

/* ---- The whole -------------------------------------------------------------------------------------------------------- */

static int take_back(struct odbc_reverting *r)
{
	int rc = check_kept(r);

	if (rc == ETL_OK)
		rc = odbc_mark_work(r->inst, r->run, r->err);
	for (size_t i = 0; rc == ETL_OK && i < r->tables.count; i++)
		if (is_made(r, i) || undo_has_rows(r, i))
			rc = lock(r, i);
	for (size_t i = 0; rc == ETL_OK && i < r->tables.count; i++)
		if (is_made(r, i) || undo_has_rows(r, i))
			rc = check(r, i);
	ETL_FAULT("odbc.revert_checked");
	if (rc == ETL_OK)
		rc = odbc_revert_rows(r);
	if (rc == ETL_OK)
		rc = put_back(r);
	if (rc == ETL_OK)
		rc = write_state(r);
	if (rc == ETL_OK)
		rc = odbc_check_mark(r->inst, r->run, r->err);
	ETL_FAULT("odbc.revert_before_commit");
	return rc;
}

static int transact(struct odbc_reverting *r)
{
	bool taken = false;
	int rc = lock_run(r);

	if (rc == ETL_OK)
		rc = find_run(r, &taken);
	if (rc == ETL_OK && taken)
		r->inst->host->log(r->inst->host, ETL_LOG_INFO,
				   "the target's own tables say that run %s was taken back already; nothing is changed", r->run);
	return rc == ETL_OK && !taken ? take_back(r) : rc;
}

int odbc_revert(struct etl_instance *inst, const char *run, const struct etl_token *seal, struct etl_error *err)
{
	struct odbc_reverting r = { .inst = inst, .run = run, .err = err };
	int rc = odbc_begin_work(inst, err);

	(void)seal;
	if (rc < 0)
		return rc;
	inst->unit[0] = '\0';
	odbc_generation_name(run, r.old);
	rc = odbc_end_work(inst, transact(&r), err);
	odbc_let_go_of_work(inst);
	odbc_rows_free(&r.tables);
	return rc;
}
