/*
 * Publishing rows into tables that are there: one transaction on the target, begun with BEGIN IMMEDIATE, in which
 * the staging file is only read. Everything is in it: the pipeline's own SQL, the rows of every table, the check of
 * foreign keys, and the record of the run. Whoever dies in it leaves the target as it was.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "fault.h"
#include "into.h"
#include "keep.h"

int into_no_memory(struct into *n)
{
	return n->inst->host->fail(n->err, ETL_MEMORY, NULL, 0, "%s: no memory", n->inst->path);
}

/* ---- What SQLite says ------------------------------------------------------------------------------------ */

static int fail_busy(struct into *n)
{
	return n->inst->host->fail(
		n->err, n->commit->batch ? ETL_RETRY_STATEMENT : ETL_FATAL, NULL, sqlite3_extended_errcode(n->db),
		"%s: another process is writing to it or reading it (waited %lld ms); nothing was "
		"changed; let it finish, or raise busy_timeout, and run again",
		n->inst->path, (long long)n->inst->host->num(n->inst->conf, "busy_timeout"));
}

static int fail_sql(struct into *n, const char *sql)
{
	int code = sqlite3_extended_errcode(n->db);

	if ((code & 0xff) == SQLITE_BUSY)
		return fail_busy(n);
	if ((code & 0xff) != SQLITE_CONSTRAINT || !n->load)
		return sqlite_fail(n->inst, n->db, n->err,
				   "nothing was changed; running \"%.200s\"", sql);
	n->inst->host->at(n->err, n->load->table->name, NULL, NULL);
	return n->inst->host->fail(
		n->err, ETL_DATA, NULL, code,
		"table \"%s\" of %s does not take the rows: %s; nothing was changed",
		n->load->table->name, n->inst->path, sqlite3_errmsg(n->db));
}

/* The parameters that design's statements have. */
static int bind(struct into *n, sqlite3_stmt *stmt)
{
	int at = sqlite3_bind_parameter_index(stmt, ":started");
	sqlite3_stmt *when = NULL;
	int rc;

	if (!at)
		return ETL_OK;
	rc = sqlite_prepare(n->inst, n->db,
			    "SELECT strftime('%Y-%m-%dT%H:%M:%SZ', ?1, 'unixepoch')", &when,
			    n->err);
	if (rc)
		return rc;
	sqlite3_bind_int64(when, 1, n->commit->run->started / 1000000);
	if (sqlite3_step(when) != SQLITE_ROW ||
	    sqlite3_bind_value(stmt, at, sqlite3_column_value(when, 0)) != SQLITE_OK)
		rc = sqlite_fail(n->inst, n->db, n->err, "writing down when the run started");
	sqlite3_finalize(when);
	return rc;
}

int into_run(struct into *n, const char *sql)
{
	const char *rest = sql;
	int step = SQLITE_DONE, rc = ETL_OK;

	while (!rc && *rest) {
		sqlite3_stmt *stmt = NULL;

		if (sqlite3_prepare_v2(n->db, rest, -1, &stmt, &rest) != SQLITE_OK)
			return fail_sql(n, sql);
		if (!stmt)
			break;
		rc = bind(n, stmt);
		while (!rc && (step = sqlite3_step(stmt)) == SQLITE_ROW)
			;
		if (!rc && step != SQLITE_DONE)
			rc = fail_sql(n, sql);
		sqlite3_finalize(stmt);
	}
	return rc;
}

/* ---- The steps ------------------------------------------------------------------------------------------- */

struct walk {
	struct etl_step_sink sink;
	struct into *into;
};

/* Is this the first kind of statement that changes the table? What comes before only looks at it. */
static bool counts_rows(const char *kind)
{
	static const char *const kinds[] = { "delete", "mark", "move out", "update", "insert" };
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		if (strcmp(kind, kinds[i]) == 0)
			return true;
	}
	return false;
}

static uint64_t *counter_of(struct into *n, const char *kind)
{
	if (strcmp(kind, "insert") == 0)
		return &n->outcome.inserted;
	if (strcmp(kind, "update") == 0 || strcmp(kind, "move in") == 0)
		return &n->outcome.updated;
	return strcmp(kind, "delete") == 0 || strcmp(kind, "mark") == 0 ? &n->outcome.deleted :
									  NULL;
}

/* Rows that were rejected before they came here are in the source still, and what their keys are nobody knows. */
static bool withholds(const struct into *n, const char *kind)
{
	return n->commit->withheld && n->commit->withheld[n->at] > 0 && (strcmp(kind, "gone") == 0);
}

static int empty_gone(struct into *n, const struct etl_step *step)
{
	struct etl_text sql = { 0 };
	int rc;

	n->inst->host->log(
		n->inst->host, ETL_LOG_WARN,
		"table \"%s\": %llu rows of the source were rejected before their keys were "
		"known, so nothing is deleted from it in this run",
		n->load->table->name, (unsigned long long)n->commit->withheld[n->at]);
	etl_text_addf(&sql, "%s AND 0", step->sql);
	rc = sql.failed ? into_no_memory(n) : into_run(n, sql.at);
	etl_text_free(&sql);
	return rc;
}

static int run_step(struct etl_step_sink *self, const struct etl_step *step)
{
	struct into *n = ((struct walk *)(void *)self)->into;
	uint64_t *counter;
	int rc;

	if (step->phase != ETL_PHASE_PUBLISH || !step->sql || step->load != n->load->index)
		return ETL_OK;
	if (n->inst->host->canceled(n->inst->host))
		return ETL_CANCELED;
	ETL_FAULT("sqlite.into_step");
	if (withholds(n, step->kind))
		return empty_gone(n, step);
	if (!n->looked && counts_rows(step->kind)) {
		n->looked = true;
		rc = into_orphans_before(n);
		if (rc)
			return rc;
	}
	if (n->slices && (strcmp(step->kind, "rows") == 0 || strcmp(step->kind, "gone") == 0))
		rc = into_run_sliced(n, step->sql, strcmp(step->kind, "gone") == 0);
	else
		rc = into_run(n, step->sql);
	counter = counter_of(n, step->kind);
	if (!rc && counter)
		*counter += (uint64_t)sqlite3_changes64(n->db);
	return rc;
}

static int count_staged(struct into *n, uint64_t *ret)
{
	struct etl_text sql = { 0 };
	int64_t rows = 0;
	int rc;

	etl_text_add(&sql, "SELECT count(*) FROM ");
	into_add_table(&sql, "staged", n->load);
	if (n->slices && n->load->existing) {
		etl_text_add(&sql, " AS s WHERE 1");
		into_add_slice(&sql, n, ETL_SLICE_ROWS, "s.");
	}
	rc = sql.failed ? into_no_memory(n) :
			  sqlite_number(n->inst, n->db, sql.at, 0, &rows, n->err);
	etl_text_free(&sql);
	*ret = (uint64_t)rows;
	return rc;
}

/* How many rows the statements had to write, by what was found before. */
static int count_rows(struct into *n, bool is_new, uint64_t *ret)
{
	char sql[96];
	int64_t rows = 0;
	int rc;

	sqlite3_snprintf(sizeof(sql), sql,
			 "SELECT count(*) FROM temp.etlrun_rows_%llu WHERE is_new = %d",
			 (unsigned long long)n->load->index, is_new);
	rc = sqlite_number(n->inst, n->db, sql, 0, &rows, n->err);
	*ret = (uint64_t)rows;
	return rc;
}

static int fail_lost(struct into *n, uint64_t wanted, uint64_t written)
{
	n->inst->host->at(n->err, n->load->table->name, NULL, NULL);
	return n->inst->host->fail(n->err, ETL_DATA, NULL, 0,
				   "table \"%s\" of %s: %llu rows were to be written and %llu "
				   "were; a trigger of it leaves "
				   "rows out (RAISE(IGNORE)); nothing was changed; write "
				   "fire_triggers = false, or change "
				   "the trigger",
				   n->load->table->name, n->inst->path, (unsigned long long)wanted,
				   (unsigned long long)written);
}

/* Every row that arrived is accounted for. */
static int settle_outcome(struct into *n)
{
	bool merges = into_merges(n->load) && n->load->existing;
	uint64_t staged = 0, fresh = 0, changed = 0;
	int rc = count_staged(n, &staged);

	fresh = staged;
	if (!rc && merges)
		rc = count_rows(n, true, &fresh);
	if (!rc && merges)
		rc = count_rows(n, false, &changed);
	if (rc)
		return rc;
	if (n->outcome.inserted + n->outcome.updated != fresh + changed)
		return fail_lost(n, fresh + changed, n->outcome.inserted + n->outcome.updated);
	if (!n->slices && n->commit->outcomes[n->at].inserted != staged)
		return n->inst->host->fail(
			n->err, ETL_BUG, NULL, 0,
			"table \"%s\": %llu rows were staged, and %llu are in the staging file",
			n->load->table->name,
			(unsigned long long)n->commit->outcomes[n->at].inserted,
			(unsigned long long)staged);
	n->outcome.unchanged = staged - fresh - changed;
	n->commit->outcomes[n->at] = n->outcome;
	return ETL_OK;
}

/* What batches write is not taken back; what is new in the target goes as it came. */
static bool keeps_undo(const struct into *n)
{
	return !n->slices || (!n->load->existing && into_is_last(n));
}

static int publish_load(struct into *n, size_t at)
{
	struct walk walk = { { run_step }, n };
	int rc;

	n->load = n->commit->loads[at];
	n->at = at;
	n->looked = false;
	n->outcome = (struct etl_outcome){ 0 };
	if (!n->load->table || n->load->table->kind != ETL_TABLE)
		return ETL_OK;
	if (!into_has_rows(n, at)) {
		n->commit->outcomes[at] = n->outcome;
		return ETL_OK;
	}
	rc = keeps_undo(n) ? undo_before(n) : ETL_OK;
	if (!rc)
		rc = sqlite_design(n->inst, n->load->table, n->load, &walk.sink, n->err);
	if (!rc && !(n->commit->run->flags & ETL_RUN_SCHEMA_ONLY))
		rc = settle_outcome(n);
	return rc;
}

/* ---- The pipeline's own SQL -------------------------------------------------------------------------------- */

int into_keep_sql(struct etl_instance *inst, const struct etl_step *step, struct etl_error *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite_run(inst, inst->stage,
			    "CREATE TABLE IF NOT EXISTS " INTO_SQL
			    " (number INTEGER PRIMARY KEY, phase INTEGER, sql TEXT)",
			    err);

	if (!rc)
		rc = sqlite_prepare(inst, inst->stage,
				    "INSERT INTO " INTO_SQL " (phase, sql) VALUES (?1, ?2)", &stmt,
				    err);
	if (rc)
		return rc;
	sqlite3_bind_int(stmt, 1, step->phase);
	sqlite3_bind_text(stmt, 2, step->sql, -1, SQLITE_STATIC);
	if (sqlite3_step(stmt) != SQLITE_DONE)
		rc = sqlite_fail(inst, inst->stage, err, "keeping \"%.200s\" for the end",
				 step->sql);
	sqlite3_finalize(stmt);
	return rc;
}

/* The transaction is ours: a BEGIN, COMMIT or ATTACH of the pipeline would break it. */
static int allow(void *data, int action, const char *a, const char *b, const char *c, const char *d)
{
	(void)data;
	(void)a;
	(void)b;
	(void)c;
	(void)d;
	return action == SQLITE_TRANSACTION || action == SQLITE_ATTACH || action == SQLITE_DETACH ?
		       SQLITE_DENY :
		       SQLITE_OK;
}

static int run_own(struct into *n, const char *sql)
{
	int rc = ETL_OK;

	sqlite3_set_authorizer(n->db, allow, NULL);
	if (sqlite3_exec(n->db, sql, NULL, NULL, NULL) != SQLITE_OK)
		rc = sqlite3_errcode(n->db) == SQLITE_AUTH ?
			     n->inst->host->fail(
				     n->err, ETL_USAGE, NULL, 0,
				     "%s: \"%.200s\" begins or ends a transaction, or attaches a "
				     "file; it runs inside the transaction of the run, so leave "
				     "that "
				     "out; nothing was changed",
				     n->inst->path, sql) :
			     sqlite_fail(n->inst, n->db, n->err,
					 "nothing was changed; running \"%.300s\"", sql);
	sqlite3_set_authorizer(n->db, NULL, NULL);
	return rc;
}

static int run_kept(struct into *n, int32_t phase)
{
	sqlite3_stmt *stmt = NULL;
	int64_t there = 0;
	int step = SQLITE_DONE;
	int rc = sqlite_number(n->inst, n->db,
			       "SELECT 1 FROM staged.sqlite_schema WHERE name = '" INTO_SQL "'", 0,
			       &there, n->err);

	if (rc || !there)
		return rc;
	rc = sqlite_prepare(n->inst, n->db,
			    "SELECT sql FROM staged." INTO_SQL " WHERE phase = ?1 ORDER BY number",
			    &stmt, n->err);
	if (rc)
		return rc;
	n->load = NULL;
	sqlite3_bind_int(stmt, 1, phase);
	while (!rc && (step = sqlite3_step(stmt)) == SQLITE_ROW)
		rc = run_own(n, (const char *)sqlite3_column_text(stmt, 0));
	if (!rc && step != SQLITE_DONE)
		rc = sqlite_fail(n->inst, n->db, n->err, "reading the pipeline's own SQL");
	sqlite3_finalize(stmt);
	return rc;
}

/* ---- The transaction --------------------------------------------------------------------------------------- */

static int configure(struct into *n)
{
	int fires = n->inst->host->flag(n->inst->conf, "fire_triggers");
	char sql[128];

	sqlite3_db_config(n->db, SQLITE_DBCONFIG_ENABLE_FKEY, 0, (int *)NULL);
	sqlite3_db_config(n->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, fires, (int *)NULL);
	sqlite3_limit(n->db, SQLITE_LIMIT_LENGTH, INT32_MAX);
	sqlite3_snprintf(sizeof(sql), sql,
			 "PRAGMA temp_store = FILE; PRAGMA main.cache_size = -%lld",
			 (long long)(n->inst->host->memory / 2 >> 10));
	return sqlite_run(n->inst, n->db, sql, n->err);
}

static int attach(struct into *n)
{
	char *uri = sqlite_uri(n->inst->stage_path, "?mode=ro"), *sql;
	int rc;

	if (!uri)
		return into_no_memory(n);
	sql = sqlite3_mprintf("ATTACH %Q AS staged", uri);
	rc = sql ? sqlite_run(n->inst, n->db, sql, n->err) : into_no_memory(n);
	sqlite3_free(sql);
	free(uri);
	return rc;
}

static int check_integrity(struct into *n)
{
	sqlite3_stmt *stmt = NULL;
	const char *words = NULL;
	int rc;

	if (!n->inst->host->flag(n->inst->conf, "integrity_check"))
		return ETL_OK;
	rc = sqlite_prepare(n->inst, n->db, "PRAGMA main.integrity_check(1)", &stmt, n->err);
	if (rc)
		return rc;
	if (sqlite3_step(stmt) == SQLITE_ROW)
		words = (const char *)sqlite3_column_text(stmt, 0);
	if (!words || strcmp(words, "ok") != 0)
		rc = n->inst->host->fail(n->err, ETL_DATA, NULL, 0,
					 "%s: integrity_check says: %s; nothing was changed",
					 n->inst->path, words ? words : "nothing");
	sqlite3_finalize(stmt);
	return rc;
}

static int write_all(struct into *n)
{
	size_t i;
	int rc = own_make(n->inst, n->db, n->err);

	if (!rc && into_is_first(n))
		rc = run_kept(n, ETL_PHASE_PREPARE);
	for (i = 0; !rc && i < n->commit->load_count; i++)
		rc = publish_load(n, i);
	if (!rc && into_is_last(n))
		rc = run_kept(n, ETL_PHASE_LAST);
	if (!rc)
		rc = into_orphans_after(n);
	for (i = 0; !rc && i < n->commit->load_count; i++) {
		n->load = n->commit->loads[i];
		n->at = i;
		if (n->load->table && n->load->table->kind == ETL_TABLE && keeps_undo(n))
			rc = undo_after(n);
	}
	n->load = NULL;
	if (!rc && into_is_last(n))
		rc = keep_publish(n->inst, n->db, "staged", n->commit, n->err);
	if (!rc && into_is_last(n))
		rc = check_integrity(n);
	if (!rc && into_is_last(n))
		rc = own_record(n->inst, n->db, n->commit, n->err);
	return rc || !n->slices ? rc : into_record_batch(n);
}

/* Whether it, or the batch, is there already. */
static int find(struct etl_instance *inst, sqlite3 *db, const struct etl_commit *commit, bool *ret, struct etl_error *err)
{
	return commit->batch ? own_find_batch(inst, db, commit, ret, err) : own_find(inst, db, commit, ret, err);
}

static int transact(struct into *n)
{
	bool found = false;
	int rc;

	if (sqlite3_exec(n->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
		return (sqlite3_errcode(n->db) & 0xff) == SQLITE_BUSY ?
			       fail_busy(n) :
			       sqlite_fail(n->inst, n->db, n->err, "beginning to write");
	ETL_FAULT("sqlite.into_begun");
	rc = find(n->inst, n->db, n->commit, &found, n->err);
	if (!rc && !found && n->commit->batch)
		rc = into_slice(n);
	if (!rc && !found)
		rc = write_all(n);
	ETL_FAULT("sqlite.into_before_commit");
	if (!rc && sqlite3_exec(n->db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
		rc = (sqlite3_errcode(n->db) & 0xff) == SQLITE_BUSY ?
			     fail_busy(n) :
			     sqlite_fail(n->inst, n->db, n->err, "writing the rows");
	ETL_FAULT("sqlite.into_after_commit");
	if (rc && !sqlite3_get_autocommit(n->db))
		sqlite3_exec(n->db, "ROLLBACK", NULL, NULL, NULL);
	return rc;
}

/* A run that is in the target already, and whose staging file may be gone. */
static int find_published(struct etl_instance *inst, const struct etl_commit *commit,
			  bool *ret_found, struct etl_error *err)
{
	sqlite3 *db = NULL;
	int rc = sqlite_db(inst, NULL, &db, err);

	if (!rc)
		rc = find(inst, db, commit, ret_found, err);
	sqlite_disconnect(inst);
	return rc;
}

/* Unless it is done already. */
static int publish(struct into *n)
{
	struct etl_instance *inst = n->inst;
	bool found = false;
	int rc = find_published(inst, n->commit, &found, n->err);

	if (rc || found)
		return rc;
	rc = sqlite_staging(inst, n->commit->tokens[0], n->err);
	if (!rc && !inst->building->old)
		rc = inst->host->fail(n->err, ETL_FATAL, NULL, 0,
				      "%s: was there when the run began, and is gone", inst->path);
	if (rc)
		return rc;
	into_detach_target(inst);
	/* Its pages are not asked for again through this connection. */
	sqlite3_db_release_memory(inst->stage);
	n->db = inst->building->old;
	n->most = calloc(n->commit->load_count + 1, sizeof(*n->most));
	rc = n->most ? configure(n) : into_no_memory(n);
	if (!rc)
		rc = attach(n);
	if (!rc)
		rc = transact(n);
	free(n->most);
	free(n->slices);
	n->slices = NULL;
	return rc;
}

int into_commit(struct etl_instance *inst, const struct etl_commit *commit, struct etl_error *err)
{
	struct into n = { .inst = inst, .commit = commit, .err = err };
	char *target = NULL, *folder = NULL;
	int rc = sqlite_where(inst, &target, &folder, err);

	if (!rc)
		rc = publish(&n);
	if (!rc && into_is_last(&n))
		sqlite_stage_drop(inst, target, commit->tokens[0]);
	else
		/* The file stays for another try, or the next batch, which takes it up by its token. */
		sqlite_stage_close(inst);
	free(target);
	free(folder);
	return rc;
}
