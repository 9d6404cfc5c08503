/*
 * Two tables: runs, and the loads a run has staged. application_id and user_version say whose file
 * it is and which shape it has; a file of another program is never touched.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "state.h"

#define APPLICATION_ID 0x65746c72 /* "etlr" */
#define SCHEMA_VERSION 1
#define BUSY_MS	       5000 /* a `status` may be reading */

struct state {
	sqlite3 *db;
	char *path;
};

static const char schema[] = "CREATE TABLE runs (id TEXT PRIMARY KEY, pipeline TEXT NOT NULL, verb "
			     "TEXT NOT NULL, pid INTEGER NOT NULL,"
			     " status TEXT NOT NULL, phase TEXT NOT NULL, started TEXT NOT NULL, "
			     "ended TEXT, exit INTEGER, error TEXT,"
			     " tables INTEGER NOT NULL DEFAULT 0, rows INTEGER NOT NULL DEFAULT 0, "
			     "rejected INTEGER NOT NULL DEFAULT 0);"
			     "CREATE TABLE loads (run TEXT NOT NULL REFERENCES runs(id), number "
			     "INTEGER NOT NULL, name TEXT NOT NULL,"
			     " token TEXT NOT NULL, PRIMARY KEY (run, number)) WITHOUT ROWID;";

/* What to do depends on what it was: a full disk is no reason to move the file away. */
static const char *advice(int code, int error)
{
	switch (code) {
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return "move it away";
	case SQLITE_BUSY:
		return "let the other process finish";
	default:
		return error == ENOSPC || error == EDQUOT || code == SQLITE_FULL ?
			       "free some space there" :
		       error == EMFILE || error == ENFILE ?
			       "raise the limit of open files (ulimit -n)" :
			       "look at its folder and the system's log";
	}
}

/* SQLite keeps what the system said, but not of a failing COMMIT: then it is the LAST error. */
static int fail(struct state *s, const char *what, struct etl_error *err)
{
	int last = errno, code = s->db ? sqlite3_errcode(s->db) : SQLITE_NOMEM;
	int error = code == SQLITE_IOERR || code == SQLITE_CANTOPEN ? sqlite3_system_errno(s->db) :
								      0;

	if (code == SQLITE_IOERR && !error && (last == EIO || last == ENOSPC || last == EDQUOT))
		error = last;
	return error_set(
		err, ETL_MEMORY,
		"the state file %s cannot be %s: %s%s%s%s; %s, or name another with state = \"…\"",
		s->path, what, s->db ? sqlite3_errmsg(s->db) : strerror(ENOMEM), error ? " (" : "",
		error ? strerror(error) : "", error ? ")" : "", advice(code, error));
}

static int run_sql(struct state *s, const char *sql, struct etl_error *err)
{
	return sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 :
									 fail(s, "written", err);
}

static int pragma(struct state *s, const char *sql, int64_t *ret, struct etl_error *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = 0;

	*ret = 0;
	if (sqlite3_prepare_v2(s->db, sql, -1, &stmt, NULL) != SQLITE_OK)
		rc = fail(s, "read", err);
	else if (sqlite3_step(stmt) == SQLITE_ROW)
		*ret = sqlite3_column_int64(stmt, 0);
	else
		rc = fail(s, "read", err);
	sqlite3_finalize(stmt);
	return rc;
}

static int make_schema(struct state *s, struct etl_error *err)
{
	char sql[128];

	snprintf(sql, sizeof(sql), "PRAGMA application_id = %d; PRAGMA user_version = %d;",
		 APPLICATION_ID, SCHEMA_VERSION);
	if (run_sql(s, "BEGIN IMMEDIATE", err) < 0)
		return ETL_FAILED;
	if (run_sql(s, schema, err) < 0 || run_sql(s, sql, err) < 0 ||
	    run_sql(s, "COMMIT", err) < 0) {
		sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
		return ETL_FAILED;
	}
	return 0;
}

static int check_schema(struct state *s, struct etl_error *err)
{
	int64_t id, version, objects;
	int rc = pragma(s, "PRAGMA application_id", &id, err);

	if (rc == 0)
		rc = pragma(s, "PRAGMA user_version", &version, err);
	if (rc == 0)
		rc = pragma(s, "SELECT count(*) FROM sqlite_schema", &objects, err);
	if (rc < 0)
		return rc;
	if (id == 0 && version == 0 && objects == 0)
		return make_schema(s, err);
	if (id != APPLICATION_ID)
		return error_set(err, ETL_MEMORY,
				 "%s is no state file of etlrun; name another with state = \"…\"",
				 s->path);
	if (version != SCHEMA_VERSION)
		return error_set(err, ETL_MEMORY,
				 "the state file %s has version %lld, this etlrun knows %d; use "
				 "the etlrun that "
				 "wrote it, or name another with state = \"…\"",
				 s->path, (long long)version, SCHEMA_VERSION);
	return 0;
}

int state_open(const char *path, bool create, struct state **ret, struct etl_error *err)
{
	struct state *s;
	int rc;

	*ret = NULL;
	if (!create && access(path, F_OK) < 0)
		return 0;
	s = calloc(1, sizeof(*s));
	if (!s || !(s->path = strdup(path))) {
		free(s);
		return error_memory(err);
	}
	rc = sqlite3_open_v2(
		     path, &s->db,
		     (create ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY) |
			     SQLITE_OPEN_NOMUTEX,
		     NULL) == SQLITE_OK ?
		     0 :
		     fail(s, create ? "made" : "opened", err);
	if (rc == 0) {
		sqlite3_busy_timeout(s->db, BUSY_MS);
		rc = check_schema(s, err);
	}
	if (rc < 0) {
		state_close(s);
		return rc;
	}
	*ret = s;
	return 0;
}

void state_close(struct state *s)
{
	if (!s)
		return;
	sqlite3_close(s->db);
	free(s->path);
	free(s);
}

/* One statement with its values: "s" text (or NULL), "i" int64. */
static int write_row(struct state *s, struct etl_error *err, const char *sql, const char *kinds,
		     ...)
{
	sqlite3_stmt *stmt = NULL;
	va_list args;
	int rc;

	if (sqlite3_prepare_v2(s->db, sql, -1, &stmt, NULL) != SQLITE_OK)
		return fail(s, "written", err);
	va_start(args, kinds);
	for (int i = 0; kinds[i]; i++) {
		if (kinds[i] == 's')
			sqlite3_bind_text(stmt, i + 1, va_arg(args, const char *), -1,
					  SQLITE_TRANSIENT);
		else
			sqlite3_bind_int64(stmt, i + 1, va_arg(args, int64_t));
	}
	va_end(args);
	rc = sqlite3_step(stmt) == SQLITE_DONE ? 0 : fail(s, "written", err);
	sqlite3_finalize(stmt);
	return rc;
}

int state_run_begin(struct state *s, const struct etl_run *run, const char *verb,
		    struct etl_error *err)
{
	return write_row(s, err,
			 "INSERT INTO runs (id, pipeline, verb, pid, status, phase, started) "
			 "VALUES (?1, ?2, ?3, ?4, '" STATE_RUNNING
			 "', 'begin', strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))",
			 "sssi", run->id, run->pipeline, verb, (int64_t)getpid());
}

int state_run_phase(struct state *s, const char *run, const char *phase, struct etl_error *err)
{
	return write_row(s, err, "UPDATE runs SET phase = ?2 WHERE id = ?1", "ss", run, phase);
}

int state_run_progress(struct state *s, const struct jobs *jobs, const char *run,
		       struct etl_error *err)
{
	uint64_t tables = 0, rows = 0, rejected = 0;

	for (size_t i = 0; i < jobs->count; i++) {
		struct job *job = jobs->at[i];

		pthread_mutex_lock(&job->mutex);
		tables += job->splits_done == job->split_count;
		rows += job->staged;
		rejected += job->rejected;
		pthread_mutex_unlock(&job->mutex);
	}
	return write_row(s, err,
			 "UPDATE runs SET tables = ?2, rows = ?3, rejected = ?4 WHERE id = ?1",
			 "siii", run, (int64_t)tables, (int64_t)rows, (int64_t)rejected);
}

static int put_load(struct state *s, const char *run, uint64_t index, const char *name,
		    const struct etl_token *token, struct etl_error *err)
{
	return write_row(
		s, err,
		"INSERT OR IGNORE INTO loads (run, number, name, token) VALUES (?1, ?2, ?3, ?4)",
		"siss", run, (int64_t)index, name, token->text);
}

int state_run_loads(struct state *s, const struct jobs *jobs, const char *run,
		    struct etl_error *err)
{
	int rc = run_sql(s, "BEGIN IMMEDIATE", err);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < jobs->count && rc == 0; i++)
		if (jobs->at[i]->begun)
			rc = put_load(s, run, i, jobs->at[i]->target->name, &jobs->at[i]->token,
				      err);
	if (rc == 0)
		rc = run_sql(s, "COMMIT", err);
	if (rc < 0)
		sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
	return rc;
}

int state_run_end(struct state *s, const struct report *report, const char *status,
		  struct etl_error *err)
{
	uint64_t tables = 0, rows = 0, rejected = 0;
	int rc;

	for (size_t i = 0; i < report->line_count; i++) {
		const struct report_line *line = &report->lines[i];

		if (!line->is_table)
			continue;
		tables++;
		rows += line->loaded;
		rejected += line->rejected;
	}
	rc = write_row(s, err,
		       "UPDATE runs SET status = ?2, ended = strftime('%Y-%m-%dT%H:%M:%SZ', "
		       "'now'), exit = ?3, error = ?4,"
		       " tables = ?5, rows = ?6, rejected = ?7 WHERE id = ?1",
		       "ssisiii", report->run, status, (int64_t)report->exit, report->error,
		       (int64_t)tables, (int64_t)rows, (int64_t)rejected);
	return rc < 0 ? rc :
			write_row(s, err, "DELETE FROM loads WHERE run = ?1", "s", report->run);
}

static void copy_column(sqlite3_stmt *stmt, int column, char *to, size_t size)
{
	const unsigned char *text = sqlite3_column_text(stmt, column);

	snprintf(to, size, "%s", text ? (const char *)text : "");
}

int state_cleanup(struct state *s, int (*each)(const struct state_left *, void *), void *data,
		  struct etl_error *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = 0, step = SQLITE_DONE;

	if (sqlite3_prepare_v2(s->db,
			       "SELECT run, name, number, token FROM loads ORDER BY run, number",
			       -1, &stmt, NULL) != SQLITE_OK)
		return fail(s, "read", err);
	while (rc == 0 && (step = sqlite3_step(stmt)) == SQLITE_ROW) {
		struct state_left left;

		copy_column(stmt, 0, left.run, sizeof(left.run));
		copy_column(stmt, 1, left.table, sizeof(left.table));
		left.index = (uint64_t)sqlite3_column_int64(stmt, 2);
		copy_column(stmt, 3, left.token.text, sizeof(left.token.text));
		rc = each(&left, data);
	}
	if (rc == 0 && step != SQLITE_DONE)
		rc = fail(s, "read", err);
	sqlite3_finalize(stmt);
	if (rc == 0)
		rc = run_sql(s,
			     "DELETE FROM loads;"
			     " UPDATE runs SET status = '" STATE_INTERRUPTED
			     "' WHERE status = '" STATE_RUNNING "'",
			     err);
	return rc;
}

static const char *text(sqlite3_stmt *stmt, int column)
{
	const unsigned char *value = sqlite3_column_text(stmt, column);

	return value ? (const char *)value : NULL;
}

int state_runs(struct state *s, int (*each)(const struct state_run *, void *), void *data,
	       struct etl_error *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = 0, step = SQLITE_DONE;

	if (sqlite3_prepare_v2(s->db,
			       "SELECT id, pipeline, verb, status, phase, started, ended, error, "
			       "pid, exit, tables, rows, "
			       "rejected FROM runs ORDER BY started DESC, rowid DESC",
			       -1, &stmt, NULL) != SQLITE_OK)
		return fail(s, "read", err);
	while (rc == 0 && (step = sqlite3_step(stmt)) == SQLITE_ROW) {
		struct state_run run = { text(stmt, 0),
					 text(stmt, 1),
					 text(stmt, 2),
					 text(stmt, 3),
					 text(stmt, 4),
					 text(stmt, 5),
					 text(stmt, 6),
					 text(stmt, 7),
					 sqlite3_column_int64(stmt, 8),
					 sqlite3_column_int(stmt, 9),
					 (uint64_t)sqlite3_column_int64(stmt, 10),
					 (uint64_t)sqlite3_column_int64(stmt, 11),
					 (uint64_t)sqlite3_column_int64(stmt, 12) };

		rc = each(&run, data);
	}
	if (rc == 0 && step != SQLITE_DONE)
		rc = fail(s, "read", err);
	sqlite3_finalize(stmt);
	return rc;
}
