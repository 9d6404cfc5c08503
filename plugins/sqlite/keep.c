/*
 * What the host keeps in the target between the runs of a pipeline (etl_target.keep): in _etlrun_kept, one row for each
 * piece. Pieces of a load wait in the staging file, in _etlrun_keep_N_KIND, and go over in the transaction that
 * publishes it. A run that may be taken back leaves in _etlrun_kept_undo what was there before:
 *
 *	was, bytes, words	the run that had written the piece, and the piece; was NULL: there was none
 *	stays			whether the run left a piece there
 */
#include "config.h"

#include <stdlib.h>
#include <unistd.h>

#include "fault.h"
#include "into.h"
#include "keep.h"

#define PIECES	   "_etlrun_keep_"
#define KEEP_LOADS ((uint64_t)1 << 40) /* the numbers of their loads begin there */
#define UNDO_RUNS  "3"		       /* as many as keep the rows they changed (undo.c) */

static const char schema[] =
	"CREATE TABLE IF NOT EXISTS main._etlrun_kept (pipeline TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, number "
	"INTEGER NOT NULL, run TEXT NOT NULL, bytes BLOB, words TEXT, PRIMARY KEY (pipeline, kind, name, number));\n"
	"CREATE TABLE IF NOT EXISTS main._etlrun_kept_undo (run TEXT NOT NULL, pipeline TEXT NOT NULL, kind TEXT NOT NULL, name "
	"TEXT NOT NULL, number INTEGER NOT NULL, was TEXT, bytes BLOB, words TEXT, stays INTEGER NOT NULL, PRIMARY KEY (run, "
	"kind, name, number));";

static int no_memory(struct etl_instance *inst, struct etl_error *err)
{
	return inst->host->fail(err, ETL_MEMORY, NULL, 0, "%s: no memory", inst->path);
}

static int run_text(struct etl_instance *inst, sqlite3 *db, struct etl_text *sql, struct etl_error *err)
{
	int rc = sql->failed ? no_memory(inst, err) : sqlite_run(inst, db, sql->at, err);

	etl_text_free(sql);
	return rc;
}

static int is_there(struct etl_instance *inst, sqlite3 *db, bool *ret, struct etl_error *err)
{
	int64_t there = 0;
	int rc = sqlite_number(inst, db, "SELECT 1 FROM main.sqlite_schema WHERE type = 'table' AND name = '_etlrun_kept'", 0,
			       &there, err);

	*ret = there != 0;
	return rc;
}

/* ---- Staging ------------------------------------------------------------------------------------------------- */

static void add_columns(struct etl_text *sql, const struct etl_keep *keep)
{
	etl_text_add(sql, " (number INTEGER NOT NULL, bytes BLOB, words TEXT, name TEXT NOT NULL DEFAULT ");
	etl_text_add_literal(sql, keep->table);
	etl_text_add(sql, ", pipeline TEXT NOT NULL DEFAULT ");
	etl_text_add_literal(sql, keep->pipeline);
	etl_text_add(sql, ")");
}

static int keep_staged(struct etl_instance *inst, const struct etl_load *load, const struct etl_token *token,
		       const struct etl_part *part, const struct etl_keep *keep, struct ArrowArrayStream *stream,
		       struct etl_error *err)
{
	struct etl_table pieces = { .kind = ETL_TABLE };
	struct etl_load as = *load;
	struct etl_text sql = { 0 };
	struct etl_stats ignored;
	char name[64];
	int rc = sqlite_staging(inst, token, err);

	if (rc)
		return rc;
	sqlite3_snprintf(sizeof(name), name, PIECES "%llu_%.16s", (unsigned long long)load->index, keep->kind);
	etl_text_addf(&sql, "DROP TABLE IF EXISTS main.\"%s\"; CREATE TABLE main.\"%s\"", name, name);
	add_columns(&sql, keep);
	rc = run_text(inst, inst->stage, &sql, err);
	pieces.name = name;
	as.table = &pieces;
	as.existing = NULL;
	as.deletes = ETL_DELETE_NONE;
	as.index += KEEP_LOADS;
	return rc ? rc : sqlite_load(inst, &as, token, part, stream, &ignored, err);
}

/* ---- Into the table ------------------------------------------------------------------------------------------ */

/* FROM has the pieces; RUN NULL: whoever wrote a piece has written it still. */
struct taking {
	struct etl_instance *inst;
	sqlite3 *db;
	const char *from, *run, *kind;
	bool undo;
	struct etl_error *err;
};

/* ?1 is the kind, ?2 the run. */
static int take(const struct taking *t, const char *format)
{
	struct etl_text sql = { 0 };
	sqlite3_stmt *stmt = NULL;
	const char *at;
	int rc;

	for (at = format; *at; at++) {
		if (*at == '@')
			etl_text_add(&sql, t->from);
		else
			etl_text_add_bytes(&sql, at, 1);
	}
	rc = sql.failed ? no_memory(t->inst, t->err) : sqlite_prepare(t->inst, t->db, sql.at, &stmt, t->err);
	etl_text_free(&sql);
	if (rc)
		return rc;
	sqlite3_bind_text(stmt, 1, t->kind, -1, SQLITE_STATIC);
	sqlite3_bind_text(stmt, 2, t->run, -1, SQLITE_STATIC);
	if (sqlite3_step(stmt) != SQLITE_DONE)
		rc = sqlite_fail(t->inst, t->db, t->err, "keeping how the rows were synced");
	sqlite3_finalize(stmt);
	return rc;
}

#define SAME_PIECE "k.pipeline = s.pipeline AND k.kind = ?1 AND k.name = s.name AND k.number = s.number"

static int take_all(const struct taking *t)
{
	int rc = ETL_OK;

	if (t->undo)
		rc = take(t, "INSERT INTO main._etlrun_kept_undo SELECT ?2, s.pipeline, ?1, s.name, s.number, k.run, k.bytes, "
			     "k.words, s.bytes IS NOT NULL OR s.words IS NOT NULL FROM @ AS s LEFT JOIN main._etlrun_kept AS k "
			     "ON " SAME_PIECE);
	if (!rc)
		rc = take(t, "DELETE FROM main._etlrun_kept AS k WHERE EXISTS (SELECT 1 FROM @ AS s WHERE " SAME_PIECE
			     " AND s.bytes IS NULL AND s.words IS NULL)");
	return rc ? rc :
		    take(t, "INSERT INTO main._etlrun_kept (pipeline, kind, name, number, run, bytes, words) SELECT s.pipeline, ?1, "
			    "s.name, s.number, coalesce(?2, ''), s.bytes, s.words FROM @ AS s WHERE s.bytes IS NOT NULL OR s.words "
			    "IS NOT NULL ON CONFLICT DO UPDATE SET run = coalesce(?2, run), bytes = excluded.bytes, words = "
			    "coalesce(excluded.words, words)");
}

static int publish_kind(struct etl_instance *inst, sqlite3 *db, const char *from, const char *staged,
			const struct etl_run *run, struct etl_error *err)
{
	struct taking t = { .inst = inst,
			    .db = db,
			    .run = run->id,
			    .kind = strrchr(staged, '_') + 1,
			    .undo = run->flags & ETL_RUN_UNDO,
			    .err = err };
	struct etl_text name = { 0 };
	int rc;

	etl_text_addf(&name, "%s.\"%s\"", from, staged);
	t.from = name.at;
	rc = name.failed ? no_memory(inst, err) : take_all(&t);
	etl_text_free(&name);
	return rc;
}

static bool is_of(const struct etl_commit *commit, const char *staged)
{
	uint64_t load = strtoull(staged + strlen(PIECES), NULL, 10);
	size_t i;

	for (i = 0; i < commit->load_count; i++) {
		if (commit->loads[i]->index == load)
			return true;
	}
	return false;
}

/* Those of tables that failed alone too. */
static int drop_staged(struct etl_instance *inst, sqlite3 *db, const struct etl_text *drops, struct etl_error *err)
{
	return drops->failed ? no_memory(inst, err) : drops->at ? sqlite_run(inst, db, drops->at, err) : ETL_OK;
}

int keep_publish(struct etl_instance *inst, sqlite3 *db, const char *from, const struct etl_commit *commit,
		 struct etl_error *err)
{
	struct etl_text sql = { 0 }, drops = { 0 };
	sqlite3_stmt *stmt = NULL;
	int step = SQLITE_DONE, rc;

	etl_text_addf(&sql, "SELECT name FROM %s.sqlite_schema WHERE type = 'table' AND substr(name, 1, %d) = '" PIECES "'", from,
		      (int)strlen(PIECES));
	rc = sql.failed ? no_memory(inst, err) : sqlite_prepare(inst, db, sql.at, &stmt, err);
	etl_text_free(&sql);
	while (!rc && (step = sqlite3_step(stmt)) == SQLITE_ROW) {
		const char *name = (const char *)sqlite3_column_text(stmt, 0);

		etl_text_addf(&drops, "DROP TABLE main.\"%s\";", name);
		if (!is_of(commit, name))
			continue;
		rc = sqlite_run(inst, db, schema, err);
		if (!rc)
			rc = publish_kind(inst, db, from, name, commit->run, err);
	}
	if (!rc && step != SQLITE_DONE)
		rc = sqlite_fail(inst, db, err, "listing what was staged");
	sqlite3_finalize(stmt);
	if (!rc && strcmp(from, "main") == 0)
		rc = drop_staged(inst, db, &drops, err);
	etl_text_free(&drops);
	ETL_FAULT("sqlite.kept");
	return rc;
}

int keep_prune(struct etl_instance *inst, sqlite3 *db, const char *pipeline, struct etl_error *err)
{
	struct etl_text sql = { 0 };
	bool there = false;
	int rc = is_there(inst, db, &there, err);

	if (rc || !there)
		return rc;
	etl_text_add(&sql, "DELETE FROM main._etlrun_kept_undo WHERE pipeline = ");
	etl_text_add_literal(&sql, pipeline);
	etl_text_add(&sql, " AND run NOT IN (SELECT run FROM main._etlrun_runs WHERE pipeline = ");
	etl_text_add_literal(&sql, pipeline);
	etl_text_add(&sql, " ORDER BY number DESC LIMIT " UNDO_RUNS ")");
	return run_text(inst, db, &sql, err);
}

/* ---- Taking it back ------------------------------------------------------------------------------------------- */

static int check_unchanged(struct etl_instance *inst, sqlite3 *db, const char *run, struct etl_error *err)
{
	sqlite3_stmt *stmt = NULL;
	int step, rc = sqlite_prepare(inst, db,
				      "SELECT u.name FROM main._etlrun_kept_undo AS u LEFT JOIN main._etlrun_kept AS k USING "
				      "(pipeline, kind, name, number) WHERE u.run = ?1 AND CASE WHEN u.stays THEN k.run IS NOT u.run "
				      "ELSE k.run IS NOT NULL END LIMIT 1",
				      &stmt, err);

	if (rc)
		return rc;
	sqlite3_bind_text(stmt, 1, run, -1, SQLITE_STATIC);
	step = sqlite3_step(stmt);
	if (step == SQLITE_ROW) {
		const char *name = (const char *)sqlite3_column_text(stmt, 0);

		inst->host->at(err, name, NULL, NULL);
		rc = inst->host->fail(err, ETL_FATAL, NULL, 0,
				      "what run %s kept in %s of the rows of \"%s\" as they were synced was changed by a later run; "
				      "nothing was taken back; take later runs back first, the latest first",
				      run, inst->path, name ? name : "?");
	} else if (step != SQLITE_DONE) {
		rc = sqlite_fail(inst, db, err, "reading what run %s kept", run);
	}
	sqlite3_finalize(stmt);
	return rc;
}

int keep_revert(struct etl_instance *inst, sqlite3 *db, const char *run, struct etl_error *err)
{
	struct etl_text sql = { 0 };
	bool there = false;
	int rc = is_there(inst, db, &there, err);

	if (!rc && there)
		rc = check_unchanged(inst, db, run, err);
	if (rc || !there)
		return rc;
	etl_text_add(&sql, "DELETE FROM main._etlrun_kept AS k WHERE EXISTS (SELECT 1 FROM main._etlrun_kept_undo AS u WHERE u.run = ");
	etl_text_add_literal(&sql, run);
	etl_text_add(&sql, " AND u.pipeline = k.pipeline AND u.kind = k.kind AND u.name = k.name AND u.number = k.number);\n"
			   "INSERT INTO main._etlrun_kept (pipeline, kind, name, number, run, bytes, words) SELECT pipeline, kind, name, "
			   "number, was, bytes, words FROM main._etlrun_kept_undo WHERE was IS NOT NULL AND run = ");
	etl_text_add_literal(&sql, run);
	etl_text_add(&sql, ";\nDELETE FROM main._etlrun_kept_undo WHERE run = ");
	etl_text_add_literal(&sql, run);
	return run_text(inst, db, &sql, err);
}

/* ---- At once -------------------------------------------------------------------------------------------------- */

static int put_row(struct etl_instance *inst, sqlite3 *db, sqlite3_stmt *stmt, const struct etl_view *view, int64_t row,
		   struct etl_error *err)
{
	int i, rc = ETL_OK;

	sqlite3_bind_int64(stmt, 1, etl_get_int64(&view->columns[0], row));
	for (i = 1; i < 3; i++) {
		const struct etl_column_view *c = &view->columns[i];
		int64_t size = 0;
		const void *at = etl_is_null(c, row) ? NULL : etl_get_bytes(c, row, &size);

		if (!at)
			sqlite3_bind_null(stmt, i + 1);
		else if (i == 1)
			sqlite3_bind_blob64(stmt, i + 1, at, (sqlite3_uint64)size, SQLITE_STATIC);
		else
			sqlite3_bind_text64(stmt, i + 1, at, (sqlite3_uint64)size, SQLITE_STATIC, SQLITE_UTF8);
	}
	if (sqlite3_step(stmt) != SQLITE_DONE)
		rc = sqlite_fail(inst, db, err, "keeping how the rows were synced");
	sqlite3_reset(stmt);
	return rc;
}

static int put_all(struct etl_instance *inst, sqlite3 *db, struct ArrowArrayStream *stream, struct etl_error *err)
{
	struct ArrowSchema type = { .release = NULL };
	struct etl_view *view = stream->get_schema(stream, &type) == 0 ? etl_view_new(&type) : NULL;
	sqlite3_stmt *stmt = NULL;
	int64_t row;
	int rc = view ? sqlite_prepare(inst, db, "INSERT INTO temp._etlrun_keep (number, bytes, words) VALUES (?1, ?2, ?3)", &stmt,
				       err) :
			no_memory(inst, err);

	while (!rc) {
		struct ArrowArray batch = { 0 };
		const char *words;

		if (stream->get_next(stream, &batch)) {
			words = stream->get_last_error(stream);
			rc = inst->host->fail(err, ETL_FATAL, NULL, 0, "%s", words ? words : "the rows could not be read");
		}
		if (rc || !batch.release)
			break;
		if (!etl_view_set(view, &batch))
			rc = no_memory(inst, err);
		for (row = 0; !rc && row < batch.length; row++)
			rc = put_row(inst, db, stmt, view, row, err);
		batch.release(&batch);
	}
	sqlite3_finalize(stmt);
	etl_view_free(view);
	if (type.release)
		type.release(&type);
	return rc;
}

static int write_now(struct etl_instance *inst, sqlite3 *db, const struct etl_keep *keep,
		     struct ArrowArrayStream *stream, struct etl_error *err)
{
	const struct taking t = { .inst = inst, .db = db, .from = "temp._etlrun_keep", .kind = keep->kind, .err = err };
	struct etl_text sql = { 0 };
	int rc;

	etl_text_add(&sql, "BEGIN IMMEDIATE; CREATE TEMP TABLE _etlrun_keep");
	add_columns(&sql, keep);
	rc = run_text(inst, db, &sql, err);
	if (!rc)
		rc = own_make(inst, db, err);
	if (!rc)
		rc = sqlite_run(inst, db, schema, err);
	if (!rc)
		rc = put_all(inst, db, stream, err);
	if (!rc)
		rc = take_all(&t);
	if (!rc)
		rc = sqlite_run(inst, db, "COMMIT", err);
	if (rc && !sqlite3_get_autocommit(db))
		sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	return rc;
}

static int keep_now(struct etl_instance *inst, const struct etl_keep *keep, struct ArrowArrayStream *stream,
		    struct etl_error *err)
{
	struct sqlite_stage target = { .hold = -1 };
	int rc = sqlite_where(inst, &target.target, &target.folder, err);

	sqlite_disconnect(inst);
	if (!rc)
		rc = sqlite_old_open(inst, &target, err);
	if (!rc && !target.old)
		rc = inst->host->fail(err, ETL_FATAL, NULL, 0, "%s: there is no such file", inst->path);
	if (!rc)
		rc = write_now(inst, target.old, keep, stream, err);
	sqlite_old_close(inst, &target);
	free(target.target);
	free(target.folder);
	return rc;
}

int sqlite_keep(struct etl_instance *inst, const struct etl_load *load, const struct etl_token *token,
		const struct etl_part *part, const struct etl_keep *keep, struct ArrowArrayStream *stream,
		struct etl_error *err)
{
	return load ? keep_staged(inst, load, token, part, keep, stream, err) : keep_now(inst, keep, stream, err);
}

/* ---- Reading --------------------------------------------------------------------------------------------------- */

/* LIMIT keeps the order: SQLite forgets that of a query inside another one otherwise. */
int sqlite_kept(struct etl_instance *inst, const struct etl_keep *keep, struct etl_dataset_sink *sink,
		struct etl_error *err)
{
	struct etl_text query = { 0 };
	sqlite3 *db = NULL;
	bool there = false;
	int rc;

	if (access(inst->path, F_OK) != 0)
		return ETL_OK;
	rc = sqlite_db(inst, NULL, &db, err);
	if (!rc)
		rc = is_there(inst, db, &there, err);
	if (rc || !there)
		return rc;
	etl_text_add(&query, "SELECT name, number, bytes, words FROM main._etlrun_kept WHERE pipeline = ");
	etl_text_add_literal(&query, keep->pipeline);
	etl_text_add(&query, " AND kind = ");
	etl_text_add_literal(&query, keep->kind);
	if (keep->table) {
		etl_text_add(&query, " AND name = ");
		etl_text_add_literal(&query, keep->table);
	}
	etl_text_add(&query, " ORDER BY name, number LIMIT -1");
	rc = query.failed ? no_memory(inst, err) : sink->emit(sink, &(struct etl_dataset){ .query = query.at });
	etl_text_free(&query);
	return rc;
}
