/*
 * What replacing tables did to what stays in the target: rows of other tables whose parents are gone, views
 * that do not fit any more, and triggers and indexes that the source does not have. Looked at just
 * before publishing, while the old file is still there to compare with.
 */
#include "config.h"

#include <stdlib.h>

#include "stage.h"

#define NAMES_SHOWN 5

static bool is_goal(const struct sqlite_stage *stage, const char *name)
{
	size_t i;

	for (i = 0; name && i < stage->goal_count; i++) {
		if (sqlite3_stricmp(stage->goals[i].name, name) == 0)
			return true;
	}
	return false;
}

/* ---- Triggers and indexes -------------------------------------------------------------------------------- */

/* A trigger or index of that name and table in the new file? */
static int is_there(struct etl_instance *inst, sqlite3_stmt *object, bool *ret,
		    struct etl_error *err)
{
	sqlite3_stmt *stmt = NULL;
	int step, rc = sqlite_prepare(
			  inst, inst->stage,
			  "SELECT 1 FROM sqlite_schema WHERE name = ?1 COLLATE NOCASE AND "
			  "tbl_name = ?2 COLLATE NOCASE",
			  &stmt, err);

	if (rc)
		return rc;
	sqlite3_bind_value(stmt, 1, sqlite3_column_value(object, 1));
	sqlite3_bind_value(stmt, 2, sqlite3_column_value(object, 2));
	step = sqlite3_step(stmt);
	*ret = step == SQLITE_ROW;
	if (step != SQLITE_ROW && step != SQLITE_DONE)
		rc = sqlite_fail(inst, inst->stage, err, "looking for what is there");
	sqlite3_finalize(stmt);
	return rc;
}

/* "trigger a of t, index c of t": what the old file has and the new one does not. */
static int list_gone(struct etl_instance *inst, struct sqlite_stage *stage, sqlite3_stmt *stmt,
		     struct etl_text *ret, struct etl_error *err)
{
	int step = SQLITE_DONE, rc = ETL_OK, count = 0;
	bool there = false;

	while (!rc && (step = sqlite3_step(stmt)) == SQLITE_ROW) {
		rc = is_there(inst, stmt, &there, err);
		if (rc || there)
			continue;
		if (count++ < NAMES_SHOWN)
			etl_text_addf(ret, "%s%s %s of %s", ret->length ? ", " : "",
				      (const char *)sqlite3_column_text(stmt, 0),
				      (const char *)sqlite3_column_text(stmt, 1),
				      (const char *)sqlite3_column_text(stmt, 2));
	}
	if (!rc && step != SQLITE_DONE)
		rc = sqlite_fail(inst, stage->old, err,
				 "reading the triggers and indexes that are there");
	if (count > NAMES_SHOWN)
		etl_text_addf(ret, " and %d more", count - NAMES_SHOWN);
	return rc;
}

static int tell_gone(struct etl_instance *inst, struct sqlite_stage *stage, struct etl_error *err)
{
	struct etl_text gone = { 0 };
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite_prepare(inst, stage->old,
				"SELECT type, name, tbl_name FROM sqlite_schema WHERE type IN "
				"('trigger', 'index') AND "
				"sql IS NOT NULL ORDER BY type DESC, rowid",
				&stmt, err);

	if (!rc)
		rc = list_gone(inst, stage, stmt, &gone, err);
	sqlite3_finalize(stmt);
	if (!rc && gone.length)
		inst->host->log(
			inst->host, ETL_LOG_WARN,
			"%s: the source has none of these, so they go with what is replaced: %s",
			inst->path, gone.at);
	etl_text_free(&gone);
	return rc;
}

/* ---- Views ------------------------------------------------------------------------------------------------ */

/* Can its rows be asked for? What SQLite says when not is in the connection; -1: no memory. */
static int works(sqlite3 *db, const char *view)
{
	char *sql = sqlite3_mprintf("SELECT * FROM main.\"%w\" LIMIT 0", view);
	sqlite3_stmt *stmt = NULL;
	int ret;

	if (!sql)
		return -1;
	ret = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK;
	sqlite3_finalize(stmt);
	sqlite3_free(sql);
	return ret;
}

/* Views that worked over the old tables and do not over the new ones. */
static int tell_broken(struct etl_instance *inst, struct sqlite_stage *stage, struct etl_error *err)
{
	sqlite3_stmt *stmt = NULL;
	int step, rc = sqlite_prepare(inst, stage->old,
				      "SELECT name FROM sqlite_schema WHERE type = 'view'", &stmt,
				      err);

	if (rc)
		return rc;
	while ((step = sqlite3_step(stmt)) == SQLITE_ROW) {
		const char *view = (const char *)sqlite3_column_text(stmt, 0);

		if (works(stage->old, view) == 1 && works(inst->stage, view) == 0)
			inst->host->log(inst->host, ETL_LOG_WARN,
					"%s: the view \"%s\" stays, but does not fit the tables "
					"that were replaced: %s",
					inst->path, view, sqlite3_errmsg(inst->stage));
	}
	if (step != SQLITE_DONE)
		rc = sqlite_fail(inst, stage->old, err, "reading the views that are there");
	sqlite3_finalize(stmt);
	return rc;
}

/* ---- Rows of the tables that stay ------------------------------------------------------------------------ */

/* Rows of TABLE that refer to rows which the run's tables do not have. A key SQLite cannot check has none. */
static int count_orphans(struct etl_instance *inst, struct sqlite_stage *stage, sqlite3 *db,
			 const char *table, int64_t *ret, struct etl_error *err)
{
	sqlite3_stmt *stmt = NULL;
	int step,
		rc = sqlite_prepare(inst, db, "SELECT \"parent\" FROM pragma_foreign_key_check(?1)",
				    &stmt, err);

	*ret = 0;
	if (rc)
		return rc;
	sqlite3_bind_text(stmt, 1, table, -1, SQLITE_STATIC);
	while ((step = sqlite3_step(stmt)) == SQLITE_ROW)
		*ret += is_goal(stage, (const char *)sqlite3_column_text(stmt, 0));
	if (step != SQLITE_DONE && step != SQLITE_ERROR)
		rc = sqlite_fail(inst, db, err, "checking the foreign keys of \"%s\"", table);
	sqlite3_finalize(stmt);
	return rc;
}

static int check_table(struct etl_instance *inst, struct sqlite_stage *stage, const char *table,
		       bool enforce, struct etl_error *err)
{
	int64_t before = 0, after = 0;
	int rc = count_orphans(inst, stage, inst->stage, table, &after, err);

	if (!rc && after)
		rc = count_orphans(inst, stage, stage->old, table, &before, err);
	if (rc || after <= before)
		return rc;
	if (!enforce) {
		inst->host->log(inst->host, ETL_LOG_WARN,
				"%s: %lld rows of table \"%s\", which stays, refer to rows that "
				"the replaced tables no "
				"longer have (foreign_keys = \"enforce\" would refuse that)",
				inst->path, (long long)(after - before), table);
		return ETL_OK;
	}
	inst->host->at(err, table, NULL, NULL);
	return inst->host->fail(
		err, ETL_DATA, NULL, 0,
		"%lld rows of table \"%s\" of %s, which stays, would refer to rows that the "
		"replaced tables "
		"no longer have; bring that table too, or write foreign_keys = \"report\"",
		(long long)(after - before), table, inst->path);
}

static int check_stayed(struct etl_instance *inst, struct sqlite_stage *stage, bool enforce,
			struct etl_error *err)
{
	sqlite3_stmt *stmt = NULL;
	int step = SQLITE_DONE;
	int rc = sqlite_prepare(
		inst, inst->stage,
		"SELECT DISTINCT s.name FROM sqlite_schema s, pragma_foreign_key_list(s.name) "
		"WHERE s.type = 'table'",
		&stmt, err);

	if (rc)
		return rc;
	while (!rc && (step = sqlite3_step(stmt)) == SQLITE_ROW) {
		const char *name = (const char *)sqlite3_column_text(stmt, 0);

		if (!is_goal(stage, name))
			rc = check_table(inst, stage, name, enforce, err);
	}
	if (!rc && step != SQLITE_DONE)
		rc = sqlite_fail(inst, inst->stage, err,
				 "listing the foreign keys of the tables that stay");
	sqlite3_finalize(stmt);
	return rc;
}

int sqlite_aftermath(struct etl_instance *inst, struct sqlite_stage *stage, int32_t foreign_keys,
		     struct etl_error *err)
{
	int rc = ETL_OK;

	if (!stage->old || stage->taken_up)
		return ETL_OK;
	if (foreign_keys != ETL_FK_DROP && stage->carried)
		rc = check_stayed(inst, stage, foreign_keys != ETL_FK_REPORT, err);
	if (!rc)
		rc = tell_gone(inst, stage, err);
	return rc ? rc : tell_broken(inst, stage, err);
}
