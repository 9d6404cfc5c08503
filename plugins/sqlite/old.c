/*
 * The file that is there before the run: looked at, never written before it is replaced. What the run does
 * not bring (other tables, views) goes on living in the new file, so it is copied into the stage first.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "fault.h"
#include "into.h"

#define COPY_PAGES 4096 /* between two looks at `canceled` */

static int check_file(struct etl_instance *inst, struct sqlite_stage *stage, struct etl_error *err)
{
	const struct etl_host *host = inst->host;

	if (S_ISDIR(stage->old_stat.st_mode))
		return host->fail(
			err, ETL_FATAL, NULL, EISDIR,
			"%s: is a folder, so no database can be published there; give a file name",
			inst->path);
	if (!S_ISREG(stage->old_stat.st_mode))
		return host->fail(err, ETL_FATAL, NULL, 0,
				  "%s: is not a regular file; it is left alone", inst->path);
	if (access(stage->target, R_OK | W_OK) != 0)
		return host->fail(
			err, sqlite_errno_class(), NULL, errno,
			"%s: may not be written by this user (%s), so it is not replaced either",
			inst->path, strerror(errno));
	if (stage->old_stat.st_nlink > 1)
		host->log(host, ETL_LOG_WARN,
			  "%s has %lu names (hard links); the others will keep the old content",
			  inst->path, (unsigned long)stage->old_stat.st_nlink);
	return ETL_OK;
}

static int configure(struct etl_instance *inst, struct sqlite_stage *stage, bool has_wal,
		     struct etl_error *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc;

	sqlite3_extended_result_codes(stage->old, 1);
	sqlite3_busy_timeout(stage->old, (int)inst->host->num(inst->conf, "busy_timeout"));
	/* A run that fails leaves the WAL as it found it. */
	sqlite3_db_config(stage->old, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, has_wal ? 1 : 0,
			  (int *)NULL);
	rc = sqlite_prepare(inst, stage->old, "PRAGMA journal_mode", &stmt, err);
	if (!rc && sqlite3_step(stmt) == SQLITE_ROW)
		stage->old_wal = strcmp((const char *)sqlite3_column_text(stmt, 0), "wal") == 0;
	else if (!rc)
		rc = sqlite_fail(inst, stage->old, err, "asking for the journal mode");
	sqlite3_finalize(stmt);
	if (rc)
		return rc;
	return sqlite_number(inst, stage->old, "PRAGMA data_version", 0, &stage->old_version, err);
}

int sqlite_old_open(struct etl_instance *inst, struct sqlite_stage *stage, struct etl_error *err)
{
	bool has_wal = sqlite_beside_size(stage->target, "-wal") > 0;
	int64_t count;
	int rc;

	if (stat(stage->target, &stage->old_stat) != 0) {
		if (errno == ENOENT)
			return sqlite_no_stale(inst, stage->target, err);
		return inst->host->fail(err, sqlite_errno_class(), NULL, errno,
					"%s: cannot be looked at: %s", inst->path, strerror(errno));
	}
	rc = sqlite_not_source(inst, err);
	if (!rc)
		rc = check_file(inst, stage, err);
	if (rc)
		return rc;
	/* A URI is what into-commit.c attaches to it; this path begins with a slash. */
	if (sqlite3_open_v2(stage->target, &stage->old,
			    SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI,
			    NULL) != SQLITE_OK) {
		rc = sqlite_fail(inst, stage->old, err, "opening the file that is there");
	} else {
		sqlite_enlist(inst, stage->old);
		rc = configure(inst, stage, has_wal, err);
		if (!rc)
			rc = sqlite_number(inst, stage->old, "SELECT count(*) FROM sqlite_schema",
					   0, &count, err);
	}
	if (rc)
		sqlite_old_close(inst, stage);
	return rc;
}

void sqlite_old_close(struct etl_instance *inst, struct sqlite_stage *stage)
{
	sqlite_close(inst, stage->old);
	stage->old = NULL;
}

/* ---- Carrying over ------------------------------------------------------------------------------------ */

static const struct sqlite_goal *find_goal(const struct sqlite_stage *stage, const char *name)
{
	size_t i;

	for (i = 0; i < stage->goal_count; i++) {
		if (sqlite3_stricmp(stage->goals[i].name, name) == 0)
			return &stage->goals[i];
	}
	return NULL;
}

static bool keeps_tables(const struct sqlite_stage *stage)
{
	return stage->on_existing == ETL_EXISTING_TRUNCATE || stage->run_flags & ETL_RUN_DATA_ONLY;
}

int sqlite_old_must_copy(struct etl_instance *inst, struct sqlite_stage *stage, bool *ret,
			 struct etl_error *err)
{
	sqlite3_stmt *stmt = NULL;
	bool found = false;
	int rc = sqlite_prepare(inst, stage->old,
				"SELECT name FROM sqlite_schema WHERE type = 'table' AND "
				"name NOT LIKE 'sqlite!_%' ESCAPE '!'",
				&stmt, err);

	if (rc)
		return rc;
	while (!found && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		const char *name = (const char *)sqlite3_column_text(stmt, 0);

		found = name && !own_is(name) && (keeps_tables(stage) || !find_goal(stage, name));
	}
	if (!found && rc != SQLITE_DONE)
		rc = sqlite_fail(inst, stage->old, err, "listing the tables that are there");
	else
		rc = ETL_OK;
	sqlite3_finalize(stmt);
	if (!rc)
		*ret = found;
	return rc;
}

static int copy_pages(struct etl_instance *inst, struct sqlite_stage *stage, struct etl_error *err)
{
	sqlite3_backup *copy = sqlite3_backup_init(inst->stage, "main", stage->old, "main");
	int rc = SQLITE_OK;

	if (!copy)
		return sqlite_fail(inst, inst->stage, err, "copying the file that is there");
	while (rc == SQLITE_OK || rc == SQLITE_BUSY || rc == SQLITE_LOCKED) {
		ETL_FAULT("sqlite.copy_pages");
		if (inst->host->canceled(inst->host)) {
			sqlite3_backup_finish(copy);
			return ETL_CANCELED;
		}
		rc = sqlite3_backup_step(copy, COPY_PAGES);
		if (rc == SQLITE_BUSY || rc == SQLITE_LOCKED)
			break;
	}
	if (sqlite3_backup_finish(copy) == SQLITE_OK && rc == SQLITE_DONE)
		return ETL_OK;
	return sqlite_fail(inst, inst->stage, err, "copying the file that is there");
}

static int drop_replaced(struct etl_instance *inst, struct sqlite_stage *stage,
			 struct etl_error *err)
{
	struct etl_text sql = { 0 };
	size_t i;
	int rc;

	for (i = 0; i < stage->goal_count; i++) {
		if (!stage->goals[i].in_old)
			continue;
		etl_text_add(&sql, "DROP TABLE IF EXISTS ");
		etl_text_add_name(&sql, stage->goals[i].name, '"');
		etl_text_add(&sql, ";\n");
	}
	if (sql.failed)
		rc = inst->host->fail(err, ETL_MEMORY, NULL, 0, "%s: no memory", inst->path);
	else
		rc = sql.at ? sqlite_run(inst, inst->stage, sql.at, err) : ETL_OK;
	etl_text_free(&sql);
	return rc;
}

int sqlite_old_carry(struct etl_instance *inst, struct sqlite_stage *stage, struct etl_error *err)
{
	bool copy = false;
	int rc = sqlite_run(inst, stage->old, "BEGIN", err);

	if (rc)
		return rc;
	rc = sqlite_old_must_copy(inst, stage, &copy, err);
	if (!rc)
		rc = sqlite_number(inst, stage->old, "PRAGMA data_version", 0, &stage->old_version,
				   err);
	if (!rc && copy)
		rc = copy_pages(inst, stage, err);
	sqlite3_exec(stage->old, "ROLLBACK", NULL, NULL, NULL);
	if (rc || !copy)
		return rc;
	stage->carried = true;
	/* The copy brought the old file's mode along. */
	rc = sqlite_run(inst, inst->stage,
			"PRAGMA journal_mode = TRUNCATE; PRAGMA synchronous = OFF", err);
	return rc || keeps_tables(stage) ? rc : drop_replaced(inst, stage, err);
}

/* ---- Views ---------------------------------------------------------------------------------------------- */

static int carry_one(struct etl_instance *inst, const char *type, const char *name, const char *sql,
		     struct etl_error *err)
{
	int64_t there = 0;
	int rc = sqlite_number_of(inst, inst->stage,
				  "SELECT 1 FROM sqlite_schema WHERE name = ?1 COLLATE NOCASE",
				  name, 0, &there, err);

	if (rc || there)
		return rc;
	if (sqlite3_exec(inst->stage, sql, NULL, NULL, NULL) != SQLITE_OK)
		return sqlite_fail(inst, inst->stage, err,
				   "carrying over the %s \"%s\", which the run does not bring",
				   type, name);
	return ETL_OK;
}

int sqlite_old_views(struct etl_instance *inst, struct sqlite_stage *stage, struct etl_error *err)
{
	sqlite3_stmt *stmt = NULL;
	int step = SQLITE_DONE, rc;

	/* Left out tables may have taken views along that were made anew over the old ones. */
	if (!stage->old || (stage->carried && !stage->left_out))
		return ETL_OK;
	rc = sqlite_prepare(inst, stage->old,
			    "SELECT type, name, sql FROM sqlite_schema s WHERE type = 'view' OR "
			    "(type = 'trigger' "
			    "AND EXISTS (SELECT 1 FROM sqlite_schema v WHERE v.type = 'view' AND "
			    "v.name = s.tbl_name COLLATE NOCASE)) ORDER BY type = 'trigger', rowid",
			    &stmt, err);
	if (rc)
		return rc;
	while (!rc && (step = sqlite3_step(stmt)) == SQLITE_ROW)
		rc = carry_one(inst, (const char *)sqlite3_column_text(stmt, 0),
			       (const char *)sqlite3_column_text(stmt, 1),
			       (const char *)sqlite3_column_text(stmt, 2), err);
	if (!rc && step != SQLITE_DONE)
		rc = sqlite_fail(inst, stage->old, err, "reading the views that are there");
	sqlite3_finalize(stmt);
	return rc;
}
