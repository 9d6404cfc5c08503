/*
 * What etlrun keeps in a target that append and merge go into, written in the transaction that publishes: which
 * runs there were, with the state that the host gives for each, what they did to each table, and what is needed to
 * take them back. Tables called _etlrun_…; describe does not show them. A version says which shape they have.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "into.h"
#include "keep.h"

#define OWN_VERSION 1

static const char *const mode_names[] = { "copy", "append", "merge", "sync" };

static const char schema[] = "CREATE TABLE main._etlrun_version (version INTEGER NOT NULL);\n"
			     "INSERT INTO main._etlrun_version VALUES (1);\n"
			     "CREATE TABLE main._etlrun_runs (number INTEGER PRIMARY KEY, run TEXT "
			     "NOT NULL UNIQUE, pipeline TEXT "
			     "NOT NULL, mode TEXT NOT NULL, started TEXT NOT NULL, published TEXT "
			     "NOT NULL, state TEXT NOT NULL, "
			     "taken_back TEXT);\n"
			     "CREATE TABLE main._etlrun_loads (run TEXT NOT NULL, load INTEGER NOT "
			     "NULL, name TEXT NOT NULL, "
			     "inserted INTEGER NOT NULL, updated INTEGER NOT NULL, unchanged "
			     "INTEGER NOT NULL, deleted INTEGER NOT "
			     "NULL, undo TEXT, detail TEXT, columns TEXT, rows INTEGER, digest "
			     "INTEGER, PRIMARY KEY (run, load)) "
			     "WITHOUT ROWID;";

bool own_is(const char *name)
{
	static const char *const names[] = { "_etlrun_version", "_etlrun_runs", "_etlrun_loads", OWN_BATCHES, "_etlrun_kept",
					     "_etlrun_kept_undo" };
	size_t i;

	for (i = 0; name && i < sizeof(names) / sizeof(*names); i++) {
		if (strcmp(name, names[i]) == 0)
			return true;
	}
	return name && strncmp(name, OWN_UNDO, strlen(OWN_UNDO)) == 0;
}

static int is_there(struct etl_instance *inst, sqlite3 *db, bool *ret, struct etl_error *err)
{
	int64_t there = 0;
	int rc = sqlite_number(inst, db,
			       "SELECT 1 FROM main.sqlite_schema WHERE type = 'table' AND name = "
			       "'_etlrun_version'",
			       0, &there, err);

	*ret = there != 0;
	return rc;
}

static int check_version(struct etl_instance *inst, sqlite3 *db, struct etl_error *err)
{
	int64_t version = 0;
	int rc = sqlite_number(inst, db, "SELECT version FROM main._etlrun_version", 0, &version,
			       err);

	if (rc || version == OWN_VERSION)
		return rc;
	return inst->host->fail(err, ETL_FATAL, NULL, 0,
				"%s: its tables _etlrun_… are of version %lld, this etlrun knows "
				"%d; use the etlrun that "
				"wrote them; nothing was changed",
				inst->path, (long long)version, OWN_VERSION);
}

int own_make(struct etl_instance *inst, sqlite3 *db, struct etl_error *err)
{
	bool there = false;
	int rc = is_there(inst, db, &there, err);

	if (rc)
		return rc;
	return there ? check_version(inst, db, err) : sqlite_run(inst, db, schema, err);
}

/* ---- A run that was published --------------------------------------------------------------------------- */

static int fill(struct etl_instance *inst, sqlite3 *db, const struct etl_commit *commit,
		struct etl_error *err)
{
	sqlite3_stmt *stmt = NULL;
	size_t i;
	int rc = sqlite_prepare(
		inst, db,
		"SELECT inserted, updated, unchanged, deleted FROM main._etlrun_loads "
		"WHERE run = ?1 AND load = ?2",
		&stmt, err);

	for (i = 0; !rc && i < commit->load_count; i++) {
		struct etl_outcome outcome = { 0 };

		sqlite3_bind_text(stmt, 1, commit->run->id, -1, SQLITE_STATIC);
		sqlite3_bind_int64(stmt, 2, (sqlite3_int64)commit->loads[i]->index);
		if (sqlite3_step(stmt) == SQLITE_ROW) {
			outcome.inserted = (uint64_t)sqlite3_column_int64(stmt, 0);
			outcome.updated = (uint64_t)sqlite3_column_int64(stmt, 1);
			outcome.unchanged = (uint64_t)sqlite3_column_int64(stmt, 2);
			outcome.deleted = (uint64_t)sqlite3_column_int64(stmt, 3);
		}
		commit->outcomes[i] = outcome;
		sqlite3_reset(stmt);
	}
	sqlite3_finalize(stmt);
	return rc;
}

int own_find(struct etl_instance *inst, sqlite3 *db, const struct etl_commit *commit,
	     bool *ret_found, struct etl_error *err)
{
	int64_t found = 0;
	bool there = false;
	int rc = is_there(inst, db, &there, err);

	*ret_found = false;
	if (!rc && there)
		rc = check_version(inst, db, err);
	if (!rc && there)
		rc = sqlite_number_of(
			inst, db,
			"SELECT 1 FROM main._etlrun_runs WHERE run = ?1 AND taken_back IS "
			"NULL",
			commit->run->id, 0, &found, err);
	if (rc || !found)
		return rc;
	*ret_found = true;
	return fill(inst, db, commit, err);
}

int own_run_state(struct etl_instance *inst, sqlite3 *db, const char *run, int64_t *ret, struct etl_error *err)
{
	int64_t there = 0;
	int rc = sqlite_number(inst, db, "SELECT 1 FROM main.sqlite_schema WHERE name = '_etlrun_runs'", 0, &there, err);

	*ret = 0;
	if (rc || !there)
		return rc;
	rc = own_make(inst, db, err);
	return rc ? rc :
		    sqlite_number_of(inst, db, "SELECT 1 + (taken_back IS NOT NULL) FROM main._etlrun_runs WHERE run = ?1", run, 0,
				     ret, err);
}

int own_is_made_by(struct etl_instance *inst, sqlite3 *db, const char *run, bool *ret, struct etl_error *err)
{
	int64_t made = 0;
	int rc = sqlite_number_of(inst, db,
				  "SELECT count(*) > 0 AND count(columns) = 0 FROM main._etlrun_loads WHERE run = ?1", run, 0,
				  &made, err);

	*ret = made != 0;
	return rc;
}

/* ---- Writing it down -------------------------------------------------------------------------------------- */

static int step_once(struct etl_instance *inst, sqlite3 *db, sqlite3_stmt *stmt,
		     struct etl_error *err)
{
	int rc = sqlite3_step(stmt) == SQLITE_DONE ?
			 ETL_OK :
			 sqlite_fail(inst, db, err, "writing the run's state");

	sqlite3_finalize(stmt);
	return rc;
}

static int record_run(struct etl_instance *inst, sqlite3 *db, const struct etl_commit *commit,
		      struct etl_error *err)
{
	const struct etl_run *run = commit->run;
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite_prepare(inst, db,
				"INSERT INTO main._etlrun_runs (run, pipeline, mode, started, "
				"published, state) VALUES "
				"(?1, ?2, ?3, strftime('%Y-%m-%dT%H:%M:%SZ', ?4, 'unixepoch'), "
				"strftime('%Y-%m-%dT%H:%M:%SZ', 'now'), ?5)",
				&stmt, err);

	if (rc)
		return rc;
	sqlite3_bind_text(stmt, 1, run->id, -1, SQLITE_STATIC);
	sqlite3_bind_text(stmt, 2, run->pipeline, -1, SQLITE_STATIC);
	sqlite3_bind_text(stmt, 3, mode_names[run->flags & ETL_RUN_CHANGES ? ETL_SYNC : run->mode], -1, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 4, run->started / 1000000);
	sqlite3_bind_text(stmt, 5, commit->state ? commit->state : "{}", -1, SQLITE_STATIC);
	return step_once(inst, db, stmt, err);
}

static int record_load(struct etl_instance *inst, sqlite3 *db, const struct etl_commit *commit,
		       size_t i, struct etl_error *err)
{
	const struct etl_outcome *o = &commit->outcomes[i];
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite_prepare(inst, db,
				"INSERT INTO main._etlrun_loads (run, load, name, inserted, "
				"updated, unchanged, deleted) "
				"VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO UPDATE SET "
				"inserted = ?4, updated = "
				"?5, unchanged = ?6, deleted = ?7",
				&stmt, err);

	if (rc)
		return rc;
	sqlite3_bind_text(stmt, 1, commit->run->id, -1, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 2, (sqlite3_int64)commit->loads[i]->index);
	sqlite3_bind_text(stmt, 3, commit->loads[i]->table->name, -1, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 4, (sqlite3_int64)o->inserted);
	sqlite3_bind_int64(stmt, 5, (sqlite3_int64)o->updated);
	sqlite3_bind_int64(stmt, 6, (sqlite3_int64)o->unchanged);
	sqlite3_bind_int64(stmt, 7, (sqlite3_int64)o->deleted);
	return step_once(inst, db, stmt, err);
}

/* One that can be taken back is none of the old. */
static int forget_old(struct etl_instance *inst, sqlite3 *db, const struct etl_run *run, struct etl_error *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite_prepare(inst, db,
				"DELETE FROM main._etlrun_runs AS r WHERE pipeline = ?1 AND number <= (SELECT number FROM "
				"main._etlrun_runs WHERE pipeline = ?1 ORDER BY number DESC LIMIT 1 OFFSET ?2) AND published < "
				"strftime('%Y-%m-%dT%H:%M:%SZ', ?3, 'unixepoch') AND NOT EXISTS (SELECT 1 FROM main._etlrun_loads AS l "
				"WHERE l.run = r.run AND l.undo = 'rows')",
				&stmt, err);

	if (rc)
		return rc;
	sqlite3_bind_text(stmt, 1, run->pipeline, -1, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 2, run->keep_runs > 0 ? run->keep_runs : 1);
	sqlite3_bind_int64(stmt, 3, run->keep_since ? run->keep_since / 1000000 : OWN_LAST_SECOND);
	rc = step_once(inst, db, stmt, err);
	return rc ? rc :
		    sqlite_run(inst, db,
			       "DELETE FROM main._etlrun_loads WHERE run NOT IN (SELECT run FROM "
			       "main._etlrun_runs)",
			       err);
}

int own_record(struct etl_instance *inst, sqlite3 *db, const struct etl_commit *commit,
	       struct etl_error *err)
{
	size_t i;
	int rc = record_run(inst, db, commit, err);

	for (i = 0; !rc && i < commit->load_count; i++) {
		if (commit->loads[i]->table && commit->loads[i]->table->kind == ETL_TABLE)
			rc = record_load(inst, db, commit, i, err);
	}
	if (!rc)
		rc = undo_prune(inst, db, commit->run->pipeline, err);
	if (!rc)
		rc = keep_prune(inst, db, commit->run->pipeline, err);
	return rc ? rc : forget_old(inst, db, commit->run, err);
}

/* ---- Reading it -------------------------------------------------------------------------------------------- */

int sqlite_recall(struct etl_instance *inst, const char *pipeline, struct etl_state_sink *sink,
		  struct etl_error *err)
{
	sqlite3_stmt *stmt = NULL;
	sqlite3 *db = NULL;
	bool there = false;
	int step = SQLITE_DONE, rc;

	if (access(inst->path, F_OK) != 0)
		return ETL_OK;
	rc = sqlite_db(inst, NULL, &db, err);
	if (!rc)
		rc = is_there(inst, db, &there, err);
	if (!rc && there)
		rc = check_version(inst, db, err);
	if (rc || !there)
		return rc;
	rc = sqlite_prepare(
		inst, db,
		"SELECT run, state FROM main._etlrun_runs WHERE pipeline = ?1 AND taken_back "
		"IS NULL ORDER BY number DESC",
		&stmt, err);
	if (rc)
		return rc;
	sqlite3_bind_text(stmt, 1, pipeline, -1, SQLITE_STATIC);
	while (!rc && (step = sqlite3_step(stmt)) == SQLITE_ROW)
		rc = sink->emit(sink, (const char *)sqlite3_column_text(stmt, 0),
				(const char *)sqlite3_column_text(stmt, 1));
	if (!rc && step != SQLITE_DONE)
		rc = sqlite_fail(inst, db, err, "reading the runs of \"%s\"", pipeline);
	sqlite3_finalize(stmt);
	return rc;
}
