/*
 * One connection of SQLite's for one stream: without a clock, since a query that asks for the time does not
 * repeat, without files of others, and with its failures told apart: whose row, whose machine, whose query.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "sql.h"

#define PROGRESS_STEPS 20000 /* of SQLite's machine, between two looks at the cancel switch */

/* ---- No clock ---- */

static struct sql_engine *engine_of(sqlite3_vfs *vfs)
{
	return (struct sql_engine *)(void *)((char *)vfs - offsetof(struct sql_engine, vfs));
}

static int no_time64(sqlite3_vfs *vfs, sqlite3_int64 *ret)
{
	engine_of(vfs)->clock_asked = true;
	*ret = 0;
	return SQLITE_ERROR;
}

static int no_time(sqlite3_vfs *vfs, double *ret)
{
	engine_of(vfs)->clock_asked = true;
	*ret = 0;
	return SQLITE_ERROR;
}

/* The default file system under a name of this engine's own: the clock must know who asks. */
static bool register_vfs(struct sql_engine *e)
{
	const sqlite3_vfs *usual = sqlite3_vfs_find(NULL);

	if (!usual)
		return false;
	e->vfs = *usual;
	snprintf(e->vfs_name, sizeof(e->vfs_name), "etlrun-sql-%p", (void *)e);
	e->vfs.zName = e->vfs_name;
	e->vfs.pNext = NULL;
	e->vfs.xCurrentTime = no_time;
	e->vfs.xCurrentTimeInt64 = no_time64;
	e->registered = sqlite3_vfs_register(&e->vfs, 0) == SQLITE_OK;
	return e->registered;
}

int sql_engine_clock(struct sql_engine *e)
{
	if (e->zone_asked)
		return e->self->host->fail(
			e->err, ETL_USAGE, NULL, 0,
			"a date function is given 'localtime' or 'utc' by the rows: it asks for the time "
			"zone of this machine, so it would give other rows elsewhere; write the shift as "
			"a text, such as '+1 hours'");
	if (!e->clock_asked)
		return ETL_OK;
	return e->self->host->fail(
		e->err, ETL_USAGE, NULL, 0,
		"the query asks for the current time (a date function without arguments, or with "
		"'now'): it would give other rows every time it runs; write the time as a text, or "
		"fill "
		"it in with ${env:…}");
}

/* ---- Failures ---- */

bool sql_engine_row_failed(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_ERROR:
	case SQLITE_TOOBIG:
	case SQLITE_MISMATCH:
	case SQLITE_CONSTRAINT:
	case SQLITE_RANGE:
		return true;
	default:
		return false;
	}
}

int sql_engine_fail(struct sql_engine *e, const char *what)
{
	const struct etl_host *host = e->self->host;
	int code = e->db ? sqlite3_errcode(e->db) : SQLITE_NOMEM;
	/* What is short of memory before SQLite is asked is no error of SQLite's. */
	int rc = code == SQLITE_OK || code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_NOMEM :
										  code;
	const char *words = e->db ? sqlite3_errmsg(e->db) : "out of memory";

	switch (rc & 0xff) {
	case SQLITE_INTERRUPT:
		return ETL_CANCELED;
	case SQLITE_NOMEM:
		return host->fail(e->err, ETL_MEMORY, NULL, rc, "%s: no memory", what);
	case SQLITE_FULL:
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN:
	case SQLITE_READONLY:
		return host->fail(e->err, ETL_MEMORY, NULL, rc,
				  "%s: %s; scope = \"table\" keeps its rows in the temporary "
				  "folder: make room there, or name another with TMPDIR",
				  what, words);
	default:
		return host->fail(e->err, ETL_DATA, NULL, rc, "%s: %s", what, words);
	}
}

/* ---- The connection ---- */

static int on_progress(void *data)
{
	const struct etl_host *host = ((const struct sql_engine *)data)->self->host;

	return host->canceled(host);
}

static void configure(sqlite3 *db)
{
	/* "name" is a column or an error, never a text. */
	sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
	sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
	sqlite3_extended_result_codes(db, 1);
}

int sql_engine_run(struct sql_engine *e, const char *sql)
{
	return sqlite3_exec(e->db, sql, NULL, NULL, NULL) == SQLITE_OK ?
		       ETL_OK :
		       sql_engine_fail(e, "preparing the engine");
}

int sql_engine_open(struct sql_engine *e, const struct etl_instance *self, struct sql_input *input,
		    const char *file, struct etl_error *err)
{
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, rc;

	memset(e, 0, sizeof(*e));
	e->self = self;
	e->input = input;
	e->err = err;
	rc = register_vfs(e) ? sqlite3_open_v2(file, &e->db, flags, e->vfs_name) : SQLITE_NOMEM;
	if (rc == SQLITE_OK)
		rc = sql_dates_open(e);
	if (rc == SQLITE_OK)
		rc = sql_functions_open(e->db);
	if (rc == SQLITE_OK) {
		configure(e->db);
		sqlite3_progress_handler(e->db, PROGRESS_STEPS, on_progress, e);
		return ETL_OK;
	}
	rc = sql_engine_fail(e, "opening SQLite");
	sql_engine_close(e);
	return rc;
}

void sql_engine_close(struct sql_engine *e)
{
	sqlite3_finalize(e->stmt);
	sqlite3_close(e->db);
	sql_dates_close(e);
	if (e->registered)
		sqlite3_vfs_unregister(&e->vfs);
	e->stmt = NULL;
	e->db = NULL;
	e->registered = false;
}
