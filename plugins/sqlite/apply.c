/*
 * Carrying out steps in the staging file: the SQL that design wrote or the pipeline gave. What looks for rows
 * that a constraint does not take is in the files screen….
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "fault.h"
#include "given.h"
#include "into.h"
#include "pages.h"
#include "references.h"

static int no_memory(struct etl_instance *inst, struct etl_error *err)
{
	return inst->host->fail(err, ETL_MEMORY, NULL, 0, "%s: no memory", inst->path);
}

/* ---- SQL -------------------------------------------------------------------------------------------------- */

/* A view or trigger that was carried over under this name gives way; begin has refused where it may not. */
static int make_way(struct etl_instance *inst, const struct etl_load *load,
		    const struct etl_step *step, struct etl_error *err)
{
	struct etl_text sql = { 0 };
	int rc;

	if (load->run->on_existing == ETL_EXISTING_FAIL)
		return ETL_OK;
	etl_text_addf(&sql, "DROP %s IF EXISTS ",
		      strcmp(step->kind, "view") == 0 ? "VIEW" : "TRIGGER");
	etl_text_add_name(&sql, step->object, '"');
	rc = sql.failed ? no_memory(inst, err) : sqlite_run(inst, inst->stage, sql.at, err);
	etl_text_free(&sql);
	return rc;
}

/* "PRAGMA name = value": is that the value the file has? */
static int has_setting(struct etl_instance *inst, const struct etl_step *step, bool *ret,
		       struct etl_error *err)
{
	const char *wanted = strchr(step->sql, '=');
	char sql[64];
	sqlite3_stmt *stmt = NULL;
	int rc;

	*ret = false;
	snprintf(sql, sizeof(sql), "PRAGMA main.%.40s", step->object);
	rc = sqlite_prepare(inst, inst->stage, sql, &stmt, err);
	if (rc || !wanted)
		return rc;
	wanted += strspn(wanted, "= '");
	if (sqlite3_step(stmt) == SQLITE_ROW) {
		const char *value = (const char *)sqlite3_column_text(stmt, 0);
		size_t size = value ? strlen(value) : 0;

		*ret = value && strncmp(value, wanted, size) == 0 &&
		       wanted[size + strspn(wanted + size, "' ")] == '\0';
	}
	sqlite3_finalize(stmt);
	return ETL_OK;
}

/* A file that keeps tables of its own keeps its settings too: its programs count on them, and how it is laid
 * out can no longer be changed. publish sets the journal mode. */
static int apply_setting(struct etl_instance *inst, const struct etl_step *step,
			 struct etl_error *err)
{
	int64_t tables = inst->building->carried;
	bool same = false;
	int rc = ETL_OK;

	if (strcmp(step->object, "journal_mode") == 0) {
		inst->building->wants_wal = strstr(step->sql, "wal") != NULL;
		return ETL_OK;
	}
	if (!tables && step->phase == ETL_PHASE_PREPARE)
		rc = sqlite_number(inst, inst->stage, "SELECT count(*) FROM sqlite_schema", 0,
				   &tables, err);
	if (!rc && tables)
		rc = has_setting(inst, step, &same, err);
	if (rc)
		return rc;
	if (tables && !same)
		inst->host->log(inst->host, ETL_LOG_WARN,
				"%s: keeps its own %s, because it keeps tables of its own; the "
				"%s has: %s",
				inst->path, step->object,
				sqlite_given_asked(inst) ? "schema file" : "source", step->sql);
	return tables ? ETL_OK : sqlite_run(inst, inst->stage, step->sql, err);
}

static int apply_sql(struct etl_instance *inst, const struct etl_step *step, struct etl_error *err)
{
	int rc = ETL_OK;

	if (sqlite3_exec(inst->stage, step->sql, NULL, NULL, NULL) != SQLITE_OK)
		rc = sqlite_fail(inst, inst->stage, err, "%s \"%s\": running \"%.300s\"",
				 step->kind, step->object ? step->object : "", step->sql);
	if (sqlite3_get_autocommit(inst->stage))
		return rc;
	sqlite3_exec(inst->stage, "ROLLBACK", NULL, NULL, NULL);
	if (!rc)
		rc = inst->host->fail(
			err, ETL_USAGE, NULL, 0,
			"%s: \"%.300s\" leaves a transaction open; end it with COMMIT", inst->path,
			step->sql);
	return rc;
}

/* What is made after the rows is made as a whole, so that a run that was interrupted can tell. What the pipeline's
 * own SQL does with transactions is its own affair. */
static bool is_one_piece(const struct etl_step *step)
{
	return (step->phase == ETL_PHASE_FINISH || step->phase == ETL_PHASE_LAST ||
		strcmp(step->kind, "table") == 0) &&
	       strcmp(step->kind, "sql") != 0;
}

static int apply_whole(struct etl_instance *inst, const struct etl_load *load,
		       const struct etl_step *step, bool object, struct etl_error *err)
{
	sqlite3 *db = inst->stage;
	bool sorts = strcmp(step->kind, "index") == 0;
	bool there = false;
	int rc = sqlite_given_is_there(inst, step, &there, err);

	if (rc || there)
		return rc;
	if (sorts)
		rc = page_index_make(inst, load, step->object, step->sql, &there, err);
	if (rc || there)
		return rc;
	rc = sorts ? sqlite_stage_sorts(inst, true, err) : ETL_OK;
	if (!rc)
		rc = sqlite_run(inst, db, "BEGIN IMMEDIATE", err);
	if (rc)
		return rc;
	if (object)
		rc = make_way(inst, load, step, err);
	if (!rc && sqlite3_exec(db, step->sql, NULL, NULL, NULL) != SQLITE_OK)
		rc = sqlite_fail(inst, db, err, "%s \"%s\": running \"%.300s\"", step->kind,
				 step->object ? step->object : "", step->sql);
	ETL_FAULT("sqlite.apply_before_commit");
	if (!rc)
		rc = sqlite_run(inst, db, "COMMIT", err);
	if (rc && !sqlite3_get_autocommit(db))
		sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	return !rc && sorts ? sqlite_stage_sorts(inst, false, err) : rc;
}

int sqlite_apply(struct etl_instance *inst, const struct etl_load *load,
		 const struct etl_token *token, const struct etl_step *step,
		 struct etl_found_sink *sink, struct etl_error *err)
{
	bool object = strcmp(step->kind, "view") == 0 || strcmp(step->kind, "trigger") == 0;
	int rc = sqlite_staging(inst, token, err);

	if (rc || !step->sql || step->phase >= ETL_PHASE_PUBLISH)
		return rc;
	if (step->phase == ETL_PHASE_SCREEN && strcmp(step->kind, "index") == 0)
		return screen_index(inst, load, step, sink, err);
	if (step->phase == ETL_PHASE_SCREEN && strcmp(step->kind, REFERENCE_KIND) == 0 &&
	    !into_runs(load->run))
		return screen_references(inst, load, step, sink, err);
	if (step->phase == ETL_PHASE_SCREEN)
		return into_runs(load->run) ? into_screen(inst, load, step, sink, err) :
					      screen_keys(inst, load, step, sink, err);
	if (into_runs(load->run) && strcmp(step->kind, "sql") == 0)
		return into_keep_sql(inst, step, err);
	if (step->phase >= ETL_PHASE_FINISH && !inst->building->screened) {
		rc = sqlite_order_drop(inst, err);
		inst->building->screened = !rc;
		if (rc)
			return rc;
	}
	if (strcmp(step->kind, "setting") == 0)
		return apply_setting(inst, step, err);
	ETL_FAULT("sqlite.apply_before");
	rc = is_one_piece(step) ? apply_whole(inst, load, step, object, err) :
				  apply_sql(inst, step, err);
	ETL_FAULT("sqlite.apply_after");
	return rc;
}
