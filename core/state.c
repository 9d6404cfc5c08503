/*
 * The state file itself: whose it is, its shape, and the table of runs with the loads they have
 * staged; the journal of one run is state-journal.c's. application_id and user_version say whose
 * file it is and which shape it has: an older one is made new, a newer one and one of another
 * program are never touched.
 *
 * It is kept in WAL mode while a run writes, so that a note for each split costs no fsync: what a
 * killed process wrote is there, and what must outlive the machine is synced (state_durably).
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "state-parts.h"

#define APPLICATION_ID 0x65746c72 /* "etlr" */
#define SCHEMA_VERSION 2
#define BUSY_MS	       5000 /* a `status` may be reading */
#define UNUSED_MOST    256  /* pages that may stay unused in the file */

static const char schema_1[] =
	"CREATE TABLE runs (id TEXT PRIMARY KEY, pipeline TEXT NOT NULL, verb TEXT NOT NULL,"
	" pid INTEGER NOT NULL, status TEXT NOT NULL, phase TEXT NOT NULL, started TEXT NOT NULL,"
	" ended TEXT, exit INTEGER, error TEXT, tables INTEGER NOT NULL DEFAULT 0,"
	" rows INTEGER NOT NULL DEFAULT 0, rejected INTEGER NOT NULL DEFAULT 0);"
	"CREATE TABLE loads (run TEXT NOT NULL REFERENCES runs(id), number INTEGER NOT NULL,"
	" name TEXT NOT NULL, token TEXT NOT NULL, PRIMARY KEY (run, number)) WITHOUT ROWID;";

/* What version 2 added: the journal. */
static const char schema_2[] =
	"ALTER TABLE runs ADD COLUMN command TEXT; ALTER TABLE runs ADD COLUMN target TEXT;"
	"ALTER TABLE runs ADD COLUMN file TEXT; ALTER TABLE runs ADD COLUMN plan TEXT;"
	"ALTER TABLE runs ADD COLUMN stamp TEXT; ALTER TABLE runs ADD COLUMN seal TEXT;"
	"ALTER TABLE runs ADD COLUMN kept TEXT; ALTER TABLE runs ADD COLUMN begun INTEGER;"
	"ALTER TABLE runs ADD COLUMN resumed INTEGER NOT NULL DEFAULT 0;"
	"CREATE TABLE phases (number INTEGER PRIMARY KEY, run TEXT NOT NULL, phase TEXT NOT NULL,"
	" entered TEXT NOT NULL);"
	"CREATE TABLE units (run TEXT NOT NULL, kind INTEGER NOT NULL, number INTEGER NOT NULL,"
	" name TEXT NOT NULL, mark TEXT NOT NULL, done INTEGER NOT NULL DEFAULT 0, data BLOB,"
	" PRIMARY KEY (run, kind, number)) WITHOUT ROWID;";

/* What to do depends on what it was: a full disk is no reason to move the file away. */
static const char *advice(int code, int error)
{
	switch (code) {
	case SQLITE_ERROR: /* a table of it is gone, or is another */
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
int state_fail(struct state *s, const char *what, struct etl_error *err)
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

int state_sql(struct state *s, const char *sql, struct etl_error *err)
{
	return sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK ?
		       0 :
		       state_fail(s, "written", err);
}

static int pragma(struct state *s, const char *sql, int64_t *ret, struct etl_error *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = 0;

	*ret = 0;
	if (sqlite3_prepare_v2(s->db, sql, -1, &stmt, NULL) != SQLITE_OK)
		rc = state_fail(s, "read", err);
	else if (sqlite3_step(stmt) == SQLITE_ROW)
		*ret = sqlite3_column_int64(stmt, 0);
	else
		rc = state_fail(s, "read", err);
	sqlite3_finalize(stmt);
	return rc;
}

/* From version FROM to ours; 0: an empty file. */
static int make_schema(struct state *s, int64_t from, struct etl_error *err)
{
	char sql[128];
	int rc = state_sql(s, "BEGIN IMMEDIATE", err);

	snprintf(sql, sizeof(sql), "PRAGMA application_id = %d; PRAGMA user_version = %d;",
		 APPLICATION_ID, SCHEMA_VERSION);
	if (rc < 0)
		return rc;
	if (from < 1)
		rc = state_sql(s, schema_1, err);
	if (rc == 0)
		rc = state_sql(s, schema_2, err);
	if (rc == 0)
		rc = state_sql(s, sql, err);
	if (rc == 0)
		rc = state_sql(s, "COMMIT", err);
	if (rc < 0)
		sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
	else if (from > 0)
		log_line(ETL_LOG_INFO, "the state file %s of an older etlrun is made new", s->path);
	return rc;
}

static int check_schema(struct state *s, struct etl_error *err)
{
	int64_t id, objects;
	int rc = pragma(s, "PRAGMA application_id", &id, err);

	if (rc == 0)
		rc = pragma(s, "PRAGMA user_version", &s->version, err);
	if (rc == 0)
		rc = pragma(s, "SELECT count(*) FROM sqlite_schema", &objects, err);
	if (rc < 0)
		return rc;
	s->empty = id == 0 && s->version == 0 && objects == 0;
	if (s->empty)
		return 0;
	if (id != APPLICATION_ID)
		return error_set(err, ETL_MEMORY,
				 "%s is no state file of etlrun; name another with state = \"…\"",
				 s->path);
	if (s->version < 1 || s->version > SCHEMA_VERSION)
		return error_set(err, ETL_MEMORY,
				 "the state file %s has version %lld, this etlrun knows %d; use "
				 "the etlrun that "
				 "wrote it, or name another with state = \"…\"",
				 s->path, (long long)s->version, SCHEMA_VERSION);
	return 0;
}

/* It is ours to write. Where WAL cannot be, as in some network folders, it works as well, slower. */
static int begin_writing(struct state *s, struct etl_error *err)
{
	s->writes = true;
	sqlite3_exec(s->db,
		     "PRAGMA page_size = 1024; PRAGMA journal_mode = WAL; "
		     "PRAGMA wal_autocheckpoint = 200",
		     NULL, NULL, NULL);
	if (s->empty || s->version < SCHEMA_VERSION)
		return make_schema(s, s->empty ? 0 : s->version, err);
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
	pthread_mutex_init(&s->mutex, NULL);
	rc = sqlite3_open_v2(
		     path, &s->db,
		     (create ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY) |
			     SQLITE_OPEN_FULLMUTEX,
		     NULL) == SQLITE_OK ?
		     0 :
		     state_fail(s, create ? "made" : "opened", err);
	if (rc == 0) {
		sqlite3_busy_timeout(s->db, BUSY_MS);
		rc = check_schema(s, err);
		if (rc == 0 && create)
			rc = begin_writing(s, err);
	}
	/* Of an empty file there is nothing to read. */
	if (rc < 0 || s->empty > s->writes) {
		state_close(s);
		return rc;
	}
	*ret = s;
	return 0;
}

/* The journal of a run with many tables leaves a large file that is empty. Rows keep their order. */
static void shrink(struct state *s)
{
	struct etl_error ignored = ERROR_INIT;
	int64_t unused = 0;

	if (pragma(s, "PRAGMA freelist_count", &unused, &ignored) == 0 && unused > UNUSED_MOST)
		sqlite3_exec(s->db, "VACUUM", NULL, NULL, NULL);
	error_clear(&ignored);
}

void state_close(struct state *s)
{
	if (!s)
		return;
	/* One file is left behind, unless somebody is reading. */
	if (s->writes && s->db) {
		sqlite3_busy_timeout(s->db, 0);
		sqlite3_exec(s->db, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL);
		shrink(s);
	}
	sqlite3_close(s->db);
	pthread_mutex_destroy(&s->mutex);
	free(s->path);
	free(s);
}

void state_durably(struct state *s, bool durably)
{
	sqlite3_exec(s->db, durably ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL",
		     NULL, NULL, NULL);
}

int state_write(struct state *s, struct etl_error *err, const char *sql, const char *kinds, ...)
{
	sqlite3_stmt *stmt = NULL;
	va_list args;
	int rc;

	if (sqlite3_prepare_v2(s->db, sql, -1, &stmt, NULL) != SQLITE_OK)
		return state_fail(s, "written", err);
	va_start(args, kinds);
	for (int i = 0; kinds[i]; i++) {
		if (kinds[i] == 's')
			sqlite3_bind_text(stmt, i + 1, va_arg(args, const char *), -1,
					  SQLITE_TRANSIENT);
		else if (kinds[i] == 'b') {
			const void *at = va_arg(args, const void *);

			sqlite3_bind_blob64(stmt, i + 1, at, va_arg(args, sqlite3_uint64),
					    SQLITE_TRANSIENT);
		} else
			sqlite3_bind_int64(stmt, i + 1, va_arg(args, int64_t));
	}
	va_end(args);
	rc = sqlite3_step(stmt) == SQLITE_DONE ? 0 : state_fail(s, "written", err);
	sqlite3_finalize(stmt);
	return rc;
}

int state_run_begin(struct state *s, const struct etl_run *run, const char *verb,
		    const struct state_basis *basis, struct etl_error *err)
{
	return state_write(s, err,
			   "INSERT INTO runs (id, pipeline, verb, pid, status, phase, started, "
			   "command, target, file, begun) "
			   "VALUES (?1, ?2, ?3, ?4, '" STATE_RUNNING
			   "', 'open', strftime('%Y-%m-%dT%H:%M:%SZ', 'now'), ?5, ?6, ?7, ?8)",
			   "sssisssi", run->id, run->pipeline, verb, (int64_t)getpid(),
			   basis->command, basis->target, basis->file, run->started);
}

bool state_is_unfinished(const char *status)
{
	return strcmp(status, STATE_RUNNING) == 0 || strcmp(status, STATE_INTERRUPTED) == 0 ||
	       strcmp(status, STATE_PAUSED) == 0;
}

int state_run_progress(struct state *s, const struct jobs *jobs, const char *run,
		       struct etl_error *err)
{
	uint64_t tables = 0, rows = 0, rejected = 0;
	int rc;

	for (size_t i = 0; i < jobs->count; i++) {
		struct job *job = jobs->at[i];
		bool done;

		pthread_mutex_lock(&job->mutex);
		done = job->splits_done == job->split_count;
		tables += done;
		rows += done || !job->progress ? job->staged : atomic_load(&job->progress->rows);
		rejected += job->rejected;
		pthread_mutex_unlock(&job->mutex);
	}
	pthread_mutex_lock(&s->mutex);
	state_durably(s, false);
	rc = state_write(s, err,
			 "UPDATE runs SET tables = ?2, rows = ?3, rejected = ?4 WHERE id = ?1",
			 "siii", run, (int64_t)tables, (int64_t)rows, (int64_t)rejected);
	state_durably(s, true);
	pthread_mutex_unlock(&s->mutex);
	return rc;
}

static int put_load(struct state *s, const char *run, uint64_t index, const char *name,
		    const struct etl_token *token, struct etl_error *err)
{
	return state_write(
		s, err,
		"INSERT OR IGNORE INTO loads (run, number, name, token) VALUES (?1, ?2, ?3, ?4)",
		"siss", run, (int64_t)index, name, token->text);
}

int state_run_loads(struct state *s, const struct jobs *jobs, const char *run,
		    struct etl_error *err)
{
	int rc = state_sql(s, "BEGIN IMMEDIATE", err);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < jobs->count && rc == 0; i++)
		if (jobs->at[i]->begun)
			rc = put_load(s, run, i, job_name(jobs->at[i]), &jobs->at[i]->token,
				      err);
	for (size_t i = 0; i < jobs->others.count && rc == 0; i++)
		if (jobs_has_own_place(jobs, i))
			rc = put_load(s, run, jobs->count + i, jobs->others.at[i]->name,
				      &jobs->other_tokens[i], err);
	if (rc == 0)
		rc = state_sql(s, "COMMIT", err);
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
	rc = state_write(s, err,
			 "UPDATE runs SET status = ?2, ended = strftime('%Y-%m-%dT%H:%M:%SZ', "
			 "'now'), exit = ?3, error = ?4,"
			 " tables = ?5, rows = ?6, rejected = ?7 WHERE id = ?1",
			 "ssisiii", report->run, status, (int64_t)report->exit, report->error,
			 (int64_t)tables, (int64_t)rows, (int64_t)rejected);
	/* What was staged goes on from there, or the next run takes it away. */
	return rc < 0 || state_is_unfinished(status) ? rc : state_forget(s, report->run, err);
}

/* A table of its own, so that a state file is that of an older etlrun still. */
int state_print_put(struct state *s, const char *run, const char *pipeline, const char *print,
		    struct etl_error *err)
{
	int rc = state_sql(s, "CREATE TABLE IF NOT EXISTS prints (run TEXT PRIMARY KEY, print TEXT)", err);

	if (rc == 0)
		rc = state_write(s, err,
				 "DELETE FROM prints WHERE run = ?1 OR run IN "
				 "(SELECT id FROM runs WHERE pipeline = ?2)",
				 "ss", run, pipeline);
	if (rc < 0 || !print)
		return rc;
	return state_write(s, err, "INSERT INTO prints (run, print) VALUES (?1, ?2)", "ss", run, print);
}

int state_print_get(struct state *s, const char *run, char **ret, struct etl_error *err)
{
	sqlite3_stmt *stmt = NULL;
	int64_t there = 0;
	int rc = pragma(s, "SELECT count(*) FROM sqlite_schema WHERE name = 'prints'", &there, err), step;

	*ret = NULL;
	if (rc < 0 || !there)
		return rc;
	if (sqlite3_prepare_v2(s->db, "SELECT print FROM prints WHERE run = ?1", -1, &stmt, NULL) != SQLITE_OK)
		return state_fail(s, "read", err);
	sqlite3_bind_text(stmt, 1, run, -1, SQLITE_TRANSIENT);
	step = sqlite3_step(stmt);
	if (step == SQLITE_ROW) {
		*ret = strdup((const char *)sqlite3_column_text(stmt, 0));
		rc = *ret ? 0 : error_memory(err);
	} else if (step != SQLITE_DONE) {
		rc = state_fail(s, "read", err);
	}
	sqlite3_finalize(stmt);
	return rc;
}

static void copy_column(sqlite3_stmt *stmt, int column, char *to, size_t size)
{
	const unsigned char *text = sqlite3_column_text(stmt, column);

	snprintf(to, size, "%s", text ? (const char *)text : "");
}

int state_loads(struct state *s, const char *run, int (*each)(const struct state_left *, void *),
		void *data, struct etl_error *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = 0, step = SQLITE_DONE;

	if (sqlite3_prepare_v2(s->db,
			       "SELECT run, name, number, token FROM loads WHERE run = ?1 OR ?1 IS "
			       "NULL ORDER BY run, number",
			       -1, &stmt, NULL) != SQLITE_OK)
		return state_fail(s, "read", err);
	sqlite3_bind_text(stmt, 1, run, -1, SQLITE_TRANSIENT);
	while (rc == 0 && (step = sqlite3_step(stmt)) == SQLITE_ROW) {
		struct state_left left;

		copy_column(stmt, 0, left.run, sizeof(left.run));
		copy_column(stmt, 1, left.table, sizeof(left.table));
		left.index = (uint64_t)sqlite3_column_int64(stmt, 2);
		copy_column(stmt, 3, left.token.text, sizeof(left.token.text));
		rc = each(&left, data);
	}
	if (rc == 0 && step != SQLITE_DONE)
		rc = state_fail(s, "read", err);
	sqlite3_finalize(stmt);
	return rc;
}

int state_cleanup(struct state *s, int (*each)(const struct state_left *, void *), void *data,
		  struct etl_error *err)
{
	int rc = state_loads(s, NULL, each, data, err);

	return rc < 0 ? rc :
			state_sql(s,
				  "BEGIN IMMEDIATE; DELETE FROM loads; DELETE FROM units;"
				  " UPDATE runs SET status = '" STATE_CLEANED
				  "' WHERE status IN ('" STATE_RUNNING "', '" STATE_INTERRUPTED "', '" STATE_PAUSED
				  "'); COMMIT",
				  err);
}

static const char *text(sqlite3_stmt *stmt, int column)
{
	const unsigned char *value = sqlite3_column_text(stmt, column);

	return value ? (const char *)value : NULL;
}

/* A file of version 1 is read as it is. */
#define RUN_COLUMNS                                                                                \
	"SELECT id, pipeline, verb, status, phase, started, ended, error, pid, exit, tables, "     \
	"rows, "                                                                                   \
	"rejected"
#define RUN_ORDER " FROM runs ORDER BY rowid DESC"

int state_runs(struct state *s, int (*each)(const struct state_run *, void *), void *data,
	       struct etl_error *err)
{
	struct state_batches batches;
	sqlite3_stmt *stmt = NULL;
	int rc = 0, step = SQLITE_DONE;

	if (sqlite3_prepare_v2(s->db,
			       s->version == 1 ? RUN_COLUMNS RUN_ORDER :
						 RUN_COLUMNS
				       ", command, target, file, plan, stamp, "
				       "seal, kept, begun, resumed" RUN_ORDER,
			       -1, &stmt, NULL) != SQLITE_OK)
		return state_fail(s, "read", err);
	while (rc == 0 && (step = sqlite3_step(stmt)) == SQLITE_ROW) {
		bool old = s->version == 1;
		struct state_run run = { .id = text(stmt, 0),
					 .pipeline = text(stmt, 1),
					 .verb = text(stmt, 2),
					 .status = text(stmt, 3),
					 .phase = text(stmt, 4),
					 .started = text(stmt, 5),
					 .ended = text(stmt, 6),
					 .error = text(stmt, 7),
					 .pid = sqlite3_column_int64(stmt, 8),
					 .exit = sqlite3_column_int(stmt, 9),
					 .tables = (uint64_t)sqlite3_column_int64(stmt, 10),
					 .rows = (uint64_t)sqlite3_column_int64(stmt, 11),
					 .rejected = (uint64_t)sqlite3_column_int64(stmt, 12),
					 .command = old ? NULL : text(stmt, 13),
					 .target = old ? NULL : text(stmt, 14),
					 .file = old ? NULL : text(stmt, 15),
					 .plan = old ? NULL : text(stmt, 16),
					 .stamp = old ? NULL : text(stmt, 17),
					 .seal = old ? NULL : text(stmt, 18),
					 .kept = old ? NULL : text(stmt, 19),
					 .begun = old ? 0 : sqlite3_column_int64(stmt, 20),
					 .resumed = old ? 0 : sqlite3_column_int64(stmt, 21) };

		rc = state_batches(s, run.id, &batches, err);
		run.batches = batches.count;
		run.batch_rows = batches.rows;
		if (rc == 0)
			rc = each(&run, data);
	}
	if (rc == 0 && step != SQLITE_DONE)
		rc = state_fail(s, "read", err);
	sqlite3_finalize(stmt);
	return rc;
}
