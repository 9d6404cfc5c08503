/*
 * Where rows wait: a private SQLite file in the folder of what waits to be published, so that it goes with it. It is sorted by file
 * and place when all rows are there, and it is the journal by which a run that died while it renamed is finished.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "target.h"

#define STAGE_NAME ".stage"
#define CACHE_KIB 8192

struct stage {
	struct etl_instance *inst;
	sqlite3 *db;
};

static const char tables[] =
	"CREATE TABLE IF NOT EXISTS state (state INTEGER NOT NULL, started INTEGER, stale_done INTEGER);"
	"INSERT INTO state SELECT 0, 0, 0 WHERE NOT EXISTS (SELECT 1 FROM state);"
	"CREATE TABLE IF NOT EXISTS load (name TEXT PRIMARY KEY) WITHOUT ROWID;"
	"CREATE TABLE IF NOT EXISTS staged (load TEXT, part INTEGER, n INTEGER, body BLOB, PRIMARY KEY (load, part, n)) WITHOUT ROWID;"
	"CREATE TABLE IF NOT EXISTS file (id INTEGER PRIMARY KEY, document INTEGER, name TEXT UNIQUE);"
	"CREATE TABLE IF NOT EXISTS node (identity BLOB PRIMARY KEY, id INTEGER, place INTEGER) WITHOUT ROWID;"
	"CREATE TABLE IF NOT EXISTS name (id INTEGER PRIMARY KEY, text TEXT);"
	"CREATE TABLE IF NOT EXISTS piece (place BLOB, n INTEGER, load INTEGER, row INTEGER, body TEXT, PRIMARY KEY (place, n)) WITHOUT ROWID;"
	"CREATE TABLE IF NOT EXISTS stale (name TEXT PRIMARY KEY) WITHOUT ROWID;";

sqlite3 *json_stage_db(struct stage *s)
{
	return s->db;
}

int json_stage_fail(struct stage *s, struct etl_error *err)
{
	int code = sqlite3_errcode(s->db);
	const char *words = sqlite3_errmsg(s->db);

	if (code == SQLITE_NOMEM)
		return s->inst->host->fail(err, ETL_MEMORY, NULL, code, "no memory to stage rows");
	return s->inst->host->fail(err, ETL_FATAL, NULL, code,
				   "the rows that wait for %s could not be kept beside it: %s%s", s->inst->path, words,
				   code == SQLITE_FULL ? "; make room there" : "");
}

/* ---- Its file ------------------------------------------------------------------------------------------------------- */

static int temporary(struct etl_instance *inst, const char *run, char **ret, struct etl_error *err)
{
	const char *folder = getenv("TMPDIR");

	if (asprintf(ret, "%s/etlrun-json-%s" STAGE_NAME, folder && *folder ? folder : "/tmp", run) >= 0)
		return ETL_OK;
	return inst->host->fail(err, ETL_MEMORY, NULL, 0, "no memory to stage rows");
}

static int path_of(struct etl_instance *inst, const char *run, char **ret, struct etl_error *err)
{
	char beside[128];

	if (files_is_standard(inst->files))
		return temporary(inst, run, ret, err);
	snprintf(beside, sizeof(beside), "%s-stage", run);
	return files_output_aside(inst->files, inst->root_is_file ? "" : STAGE_NAME, inst->root_is_file ? beside : run, ret, err);
}

/* The folder in which it is, made as for anything that waits. */
static int make_room(struct etl_instance *inst, const char *run, struct etl_error *err)
{
	struct files_output *output;
	int rc;

	if (inst->root_is_file || files_is_standard(inst->files))
		return ETL_OK;
	rc = files_output_open(inst->files, STAGE_NAME, run, true, &output, err);
	return rc ? rc : files_output_finish(output, NULL, err);
}

static int open_file(struct stage *s, const char *path, bool create, struct etl_error *err)
{
	char cache[96];

	if (sqlite3_open_v2(path, &s->db, SQLITE_OPEN_READWRITE | (create ? SQLITE_OPEN_CREATE : 0) | SQLITE_OPEN_NOFOLLOW |
					      SQLITE_OPEN_NOMUTEX,
			    NULL) != SQLITE_OK)
		return s->db ? json_stage_fail(s, err) :
			       s->inst->host->fail(err, ETL_MEMORY, NULL, 0, "no memory to stage rows");
	sqlite3_busy_timeout(s->db, 10000);
	/* Nothing of it is needed after the machine stopped, until json_stage_set_state says so. */
	snprintf(cache, sizeof(cache), "PRAGMA cache_size = -%d; PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF;",
		 CACHE_KIB);
	return json_stage_sql(s, cache, err);
}

int json_stage_open(struct etl_instance *inst, const char *run, bool create, struct stage **ret, struct etl_error *err)
{
	struct stage *s = NULL;
	char *path = NULL;
	int rc = path_of(inst, run, &path, err);
	bool made = !rc && access(path, F_OK) != 0;

	*ret = NULL;
	if (!rc && !create && made) {
		free(path);
		return ETL_OK;
	}
	if (!rc && create)
		rc = make_room(inst, run, err);
	if (!rc && !(s = calloc(1, sizeof(*s))))
		rc = inst->host->fail(err, ETL_MEMORY, NULL, 0, "no memory to stage rows");
	if (!rc) {
		s->inst = inst;
		rc = open_file(s, path, create, err);
	}
	if (!rc)
		rc = json_stage_sql(s, tables, err);
	free(path);
	if (!rc) {
		*ret = s;
		return ETL_OK;
	}
	json_stage_close(s);
	/* The load did not begin, so nobody would take it away. */
	if (made)
		json_stage_remove(inst, run, err);
	return rc;
}

void json_stage_close(struct stage *s)
{
	if (!s)
		return;
	sqlite3_close_v2(s->db);
	free(s);
}

int json_stage_remove(struct etl_instance *inst, const char *run, struct etl_error *err)
{
	char *path = NULL, *journal = NULL;
	int rc = path_of(inst, run, &path, err);

	if (!rc && asprintf(&journal, "%s-journal", path) >= 0) {
		unlink(path);
		unlink(journal);
	}
	free(journal);
	free(path);
	return rc ? rc : files_output_discard(inst->files, run, err);
}

/* ---- Statements ---------------------------------------------------------------------------------------------------- */

int json_stage_sql(struct stage *s, const char *sql, struct etl_error *err)
{
	return sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK ? ETL_OK : json_stage_fail(s, err);
}

int json_stage_prepare(struct stage *s, const char *sql, sqlite3_stmt **ret, struct etl_error *err)
{
	return sqlite3_prepare_v2(s->db, sql, -1, ret, NULL) == SQLITE_OK ? ETL_OK : json_stage_fail(s, err);
}

int json_stage_step(struct stage *s, sqlite3_stmt *statement, struct etl_error *err)
{
	int rc = sqlite3_step(statement) == SQLITE_DONE ? ETL_OK : json_stage_fail(s, err);

	sqlite3_reset(statement);
	return rc;
}

int json_stage_number(struct stage *s, const char *sql, int64_t *ret, struct etl_error *err)
{
	sqlite3_stmt *statement;
	int rc = json_stage_prepare(s, sql, &statement, err);

	if (rc)
		return rc;
	if (sqlite3_step(statement) == SQLITE_ROW)
		*ret = sqlite3_column_int64(statement, 0);
	else
		rc = json_stage_fail(s, err);
	sqlite3_finalize(statement);
	return rc;
}

int json_stage_state(struct stage *s, int32_t *ret, struct etl_error *err)
{
	int64_t state = 0;
	int rc = json_stage_number(s, "SELECT state FROM state", &state, err);

	*ret = (int32_t)state;
	return rc;
}

int json_stage_set_state(struct stage *s, int32_t state, struct etl_error *err)
{
	char sql[160];

	snprintf(sql, sizeof(sql),
		 "PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL; UPDATE state SET state = %d; "
		 "PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF;",
		 (int)state);
	return json_stage_sql(s, sql, err);
}
