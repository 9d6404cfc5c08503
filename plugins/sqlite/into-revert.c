/*
 * Taking back a run that append or merge published, in one transaction: every row that it brought is as it was
 * written, or nothing is touched. Rows that somebody changed since, and rows that refer to what would go, end it
 * with a sentence.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "fault.h"
#include "into.h"
#include "keep.h"

struct reverting {
	struct etl_instance *inst;
	sqlite3 *db;
	const char *run;
	struct etl_error *err;
};

/* A row of _etlrun_loads; texts are owned. */
struct load_row {
	long long load;
	char *name, *undo, *detail, *columns;
	int64_t rows, digest, touched;
};

static int no_memory(struct reverting *r)
{
	return r->inst->host->fail(r->err, ETL_MEMORY, NULL, 0, "%s: no memory", r->inst->path);
}

static void clear(struct load_row *l)
{
	free(l->name);
	free(l->undo);
	free(l->detail);
	free(l->columns);
}

static int run(struct reverting *r, struct etl_text *sql)
{
	int rc = sql->failed ? no_memory(r) : sqlite_run(r->inst, r->db, sql->at, r->err);

	etl_text_free(sql);
	return rc;
}

static void add_table(struct etl_text *sql, const char *name)
{
	etl_text_add(sql, "main.");
	etl_text_add_name(sql, name, '"');
}

static void add_undo(struct etl_text *sql, const struct reverting *r, const struct load_row *l)
{
	etl_text_addf(sql, "main.\"_etlrun_undo_%s_%lld\"", r->run, l->load);
}

/* ---- May it be taken back? ----------------------------------------------------------------------------------- */

static int fail_changed(struct reverting *r, const struct load_row *l)
{
	r->inst->host->at(r->err, l->name, NULL, NULL);
	return r->inst->host->fail(
		r->err, ETL_FATAL, NULL, 0,
		"rows of \"%s\" in %s that run %s wrote were changed since, by a later run or by "
		"somebody "
		"else; nothing was taken back; take later runs back first, the latest first",
		l->name, r->inst->path, r->run);
}

/* What comes back needs its rowid and its unique values, and others may have them now. */
static int run_rows(struct reverting *r, const struct load_row *l, struct etl_text *sql)
{
	char *words = NULL;
	int code;

	if (sql->failed)
		return run(r, sql);
	code = sqlite3_exec(r->db, sql->at, NULL, NULL, &words);
	if (code == SQLITE_OK || (sqlite3_extended_errcode(r->db) & 0xff) != SQLITE_CONSTRAINT) {
		code = code == SQLITE_OK ?
			       ETL_OK :
			       sqlite_fail(r->inst, r->db, r->err, "taking back the rows of \"%s\"",
					   l->name);
	} else {
		r->inst->host->at(r->err, l->name, NULL, NULL);
		code = r->inst->host->fail(
			r->err, ETL_FATAL, NULL, sqlite3_extended_errcode(r->db),
			"rows that run %s changed or deleted cannot come back to \"%s\" in %s, for "
			"rows that were written since have their place or a unique value of theirs "
			"(%s); nothing was taken back; remove those first",
			r->run, l->name, r->inst->path, words ? words : "?");
	}
	sqlite3_free(words);
	etl_text_free(sql);
	return code;
}

static int fail_not_kept(struct reverting *r, const struct load_row *l)
{
	r->inst->host->at(r->err, l->name, NULL, NULL);
	return r->inst->host->fail(r->err, ETL_USAGE, NULL, 0,
				   "what run %s changed in \"%s\" of %s was not kept, so it cannot "
				   "be taken back; undo = true "
				   "in the pipeline keeps it, for its last three runs",
				   r->run, l->name, r->inst->path);
}

/* The names of the key, "a", "b": how many; and the condition that matches t with add_undo_keys. */
static size_t add_match(struct etl_text *sql, const char *names)
{
	size_t count = 0;
	const char *at = names;

	while (*at == '"') {
		const char *end = at + 1;

		while (*end && (*end != '"' || end[1] == '"'))
			end += *end == '"' ? 2 : 1;
		end += *end == '"';
		etl_text_add(sql, count ? " AND t." : "t.");
		etl_text_add_bytes(sql, at, (size_t)(end - at));
		etl_text_addf(sql, " = u.\"etlrun.%zu\"", count++);
		at = end + strspn(end, ", ");
	}
	return count;
}

static size_t count_names(const char *names)
{
	struct etl_text ignored = { 0 };
	size_t count = add_match(&ignored, names);

	etl_text_free(&ignored);
	return count;
}

/* The keys of the undo table, under names that no column of the table has. */
static void add_undo_keys(struct etl_text *sql, const struct reverting *r, const struct load_row *l,
			  const char *condition)
{
	size_t i, count = count_names(l->detail);

	etl_text_add(sql, "(SELECT ");
	for (i = 0; i < count; i++)
		etl_text_addf(sql, "%sk%zu AS \"etlrun.%zu\"", i ? ", " : "", i, i);
	etl_text_add(sql, " FROM ");
	add_undo(sql, r, l);
	etl_text_addf(sql, " WHERE %s) AS u CROSS JOIN ", condition);
}

static void add_keys(struct etl_text *sql, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		etl_text_addf(sql, "%sk%zu", i ? ", " : "", i);
}

static int digest_ranges(struct reverting *r, const struct load_row *l, const char *rowid,
			 int64_t *rows, int64_t *digest)
{
	const char *at = l->detail ? l->detail : "";
	char *end;
	int rc = ETL_OK;

	for (; !rc && *at; at = *end ? end + 1 : end) {
		long long first = strtoll(at, &end, 10), last = strtoll(end + 1, &end, 10);
		struct etl_text sql = { 0 };

		etl_text_addf(&sql, "SELECT %s FROM ", l->columns);
		add_table(&sql, l->name);
		etl_text_addf(&sql, " AS t WHERE t.%s BETWEEN %lld AND %lld", rowid, first, last);
		rc = sql.failed ? no_memory(r) :
				  undo_digest(r->inst, r->db, sql.at, rows, digest, r->err);
		etl_text_free(&sql);
	}
	return rc;
}

static int digest_rows(struct reverting *r, const struct load_row *l, int64_t *rows,
		       int64_t *digest)
{
	struct etl_text sql = { 0 };
	int rc;

	etl_text_addf(&sql, "SELECT %s FROM ", l->columns);
	add_undo_keys(&sql, r, l, "op <> 'd'");
	add_table(&sql, l->name);
	etl_text_add(&sql, " AS t WHERE ");
	add_match(&sql, l->detail);
	rc = sql.failed ? no_memory(r) : undo_digest(r->inst, r->db, sql.at, rows, digest, r->err);
	etl_text_free(&sql);
	return rc;
}

static int digest_table(struct reverting *r, const struct load_row *l, int64_t *rows,
			int64_t *digest)
{
	struct etl_text sql = { 0 };
	int rc;

	etl_text_addf(&sql, "SELECT %s FROM ", l->columns);
	add_table(&sql, l->name);
	rc = sql.failed ? no_memory(r) : undo_digest(r->inst, r->db, sql.at, rows, digest, r->err);
	etl_text_free(&sql);
	return rc;
}

/* Rows that were deleted may have come again. */
static int check_deleted(struct reverting *r, const struct load_row *l)
{
	struct etl_text sql = { 0 };
	int64_t there = 0;
	int rc;

	etl_text_add(&sql, "SELECT 1 FROM ");
	add_undo_keys(&sql, r, l, "op = 'd'");
	add_table(&sql, l->name);
	etl_text_add(&sql, " AS t WHERE ");
	add_match(&sql, l->detail);
	etl_text_add(&sql, " LIMIT 1");
	rc = sql.failed ? no_memory(r) : sqlite_number(r->inst, r->db, sql.at, 0, &there, r->err);
	etl_text_free(&sql);
	return rc || !there ? rc : fail_changed(r, l);
}

static int same_columns(struct reverting *r, const struct load_row *l, bool *ret)
{
	struct etl_text now = { 0 };
	size_t count = 0;
	int rc = undo_columns(r->inst, r->db, l->name, &now, &count, r->err);

	if (!rc && now.failed)
		rc = no_memory(r);
	*ret = !rc && now.at && l->columns && strcmp(now.at, l->columns) == 0;
	etl_text_free(&now);
	return rc;
}

/* Each row by its key, where that is known. */
static int tell_changed(struct reverting *r, const struct load_row *l)
{
	const struct into_undone undone = {
		.run = r->run, .load = l->load, .name = l->name, .keys = l->detail, .columns = l->columns
	};
	int rc = strcmp(l->undo, "rows") == 0 ? into_tell_changed(r->inst, r->db, &undone, r->err) : ETL_OK;

	return rc ? rc : fail_changed(r, l);
}

static int check_load(struct reverting *r, const struct load_row *l)
{
	int64_t rows = 0, digest = 0;
	const char *rowid = NULL;
	bool same = false;
	int rc;

	if (!l->undo)
		return l->touched ? fail_not_kept(r, l) : ETL_OK;
	rc = same_columns(r, l, &same);
	if (!rc && !same)
		return fail_changed(r, l);
	if (!rc && strcmp(l->undo, "ranges") == 0)
		rc = undo_rowid(r->inst, r->db, l->name, &rowid, r->err);
	if (rc)
		return rc;
	if (strcmp(l->undo, "ranges") == 0)
		rc = digest_ranges(r, l, rowid ? rowid : "rowid", &rows, &digest);
	else if (strcmp(l->undo, "rows") == 0)
		rc = digest_rows(r, l, &rows, &digest);
	else
		rc = digest_table(r, l, &rows, &digest);
	if (!rc && (rows != l->rows || digest != l->digest))
		return tell_changed(r, l);
	return rc || strcmp(l->undo, "rows") != 0 ? rc : check_deleted(r, l);
}

/* ---- Taking it back ---------------------------------------------------------------------------------------------- */

static int take_ranges(struct reverting *r, const struct load_row *l)
{
	const char *at = l->detail ? l->detail : "", *rowid = NULL;
	char *end;
	int rc = undo_rowid(r->inst, r->db, l->name, &rowid, r->err);

	for (; !rc && *at; at = *end ? end + 1 : end) {
		long long first = strtoll(at, &end, 10), last = strtoll(end + 1, &end, 10);
		struct etl_text sql = { 0 };

		etl_text_add(&sql, "DELETE FROM ");
		add_table(&sql, l->name);
		etl_text_addf(&sql, " WHERE %s BETWEEN %lld AND %lld", rowid ? rowid : "rowid",
			      first, last);
		rc = run(r, &sql);
	}
	return rc;
}

/* All rows that are there now go first: they may hold each other's unique values. */
static int take_rows(struct reverting *r, const struct load_row *l)
{
	size_t columns = count_names(l->columns), keys = count_names(l->detail), i;
	struct etl_text sql = { 0 };
	const char *rowid = NULL;
	int64_t has_rowids = 0;
	int rc;

	etl_text_add(&sql, "SELECT count(r) FROM ");
	add_undo(&sql, r, l);
	rc = sql.failed ? no_memory(r) :
			  sqlite_number(r->inst, r->db, sql.at, 0, &has_rowids, r->err);
	etl_text_free(&sql);
	if (!rc && has_rowids)
		rc = undo_rowid(r->inst, r->db, l->name, &rowid, r->err);
	if (rc)
		return rc;
	etl_text_add(&sql, "DELETE FROM ");
	add_table(&sql, l->name);
	etl_text_addf(&sql, " WHERE (%s) IN (SELECT ", l->detail);
	add_keys(&sql, keys);
	etl_text_add(&sql, " FROM ");
	add_undo(&sql, r, l);
	etl_text_add(&sql, " WHERE op <> 'd');\nINSERT OR ABORT INTO ");
	add_table(&sql, l->name);
	etl_text_addf(&sql, " (%s%s%s) SELECT %s", rowid ? rowid : "", rowid ? ", " : "",
		      l->columns, rowid ? "r" : "");
	for (i = 0; i < columns; i++)
		etl_text_addf(&sql, "%sc%zu", i || rowid ? ", " : "", i);
	etl_text_add(&sql, " FROM ");
	add_undo(&sql, r, l);
	etl_text_add(&sql, " WHERE op <> 'i';\nDROP TABLE ");
	add_undo(&sql, r, l);
	return run_rows(r, l, &sql);
}

static int take_load(struct reverting *r, const struct load_row *l)
{
	struct etl_text sql = { 0 };

	ETL_FAULT("sqlite.revert_load");
	if (!l->undo)
		return ETL_OK;
	if (strcmp(l->undo, "ranges") == 0)
		return take_ranges(r, l);
	if (strcmp(l->undo, "rows") == 0)
		return take_rows(r, l);
	etl_text_add(&sql, "DROP TABLE ");
	add_table(&sql, l->name);
	return run(r, &sql);
}

/* ---- Every load ---------------------------------------------------------------------------------------------------- */

static char *copy(sqlite3_stmt *stmt, int column)
{
	const char *text = (const char *)sqlite3_column_text(stmt, column);

	return text ? strdup(text) : NULL;
}

/* The last load first: children were written after their parents. */
static int read_loads(struct reverting *r, struct load_row **ret, size_t *ret_count)
{
	sqlite3_stmt *stmt = NULL;
	int step = SQLITE_DONE;
	int rc = sqlite_prepare(
		r->inst, r->db,
		"SELECT load, name, undo, detail, columns, rows, digest, inserted + updated + "
		"deleted FROM main._etlrun_loads WHERE run = ?1 ORDER BY load DESC",
		&stmt, r->err);

	if (rc)
		return rc;
	sqlite3_bind_text(stmt, 1, r->run, -1, SQLITE_STATIC);
	while (!rc && (step = sqlite3_step(stmt)) == SQLITE_ROW) {
		struct load_row *more = realloc(*ret, (*ret_count + 1) * sizeof(*more));

		if (!more) {
			rc = no_memory(r);
			break;
		}
		*ret = more;
		more[(*ret_count)++] = (struct load_row){ sqlite3_column_int64(stmt, 0),
							  copy(stmt, 1),
							  copy(stmt, 2),
							  copy(stmt, 3),
							  copy(stmt, 4),
							  sqlite3_column_int64(stmt, 5),
							  sqlite3_column_int64(stmt, 6),
							  sqlite3_column_int64(stmt, 7) };
		if (!more[*ret_count - 1].name)
			rc = no_memory(r);
	}
	if (!rc && step != SQLITE_DONE)
		rc = sqlite_fail(r->inst, r->db, r->err, "reading what run %s did", r->run);
	sqlite3_finalize(stmt);
	return rc;
}

/* ---- Rows that lose their parent ------------------------------------------------------------------------------------ */

/* temp.etlrun_orphans: those that were there before anything was taken back. */
static int make_list(struct reverting *r)
{
	return sqlite_run(r->inst, r->db,
			  "CREATE TEMP TABLE etlrun_orphans (name, fkid, row);\n"
			  "CREATE INDEX temp.etlrun_orphans_by ON etlrun_orphans (name, fkid, row)",
			  r->err);
}

static int fail_orphans(struct reverting *r, sqlite3_stmt *first, int64_t more)
{
	const char *name = (const char *)sqlite3_column_text(first, 0);
	const char *row = (const char *)sqlite3_column_text(first, 1);
	const char *parent = (const char *)sqlite3_column_text(first, 2);

	r->inst->host->at(r->err, name, NULL, NULL);
	return r->inst->host->fail(r->err, ETL_FATAL, NULL, 0,
				   "%lld row%s of %s refer by their foreign keys to rows that run "
				   "%s brought (the first: "
				   "of \"%s\", rowid %s, to \"%s\"); nothing was taken back; "
				   "remove those rows first, or "
				   "give them another parent, or NULL",
				   (long long)more, more == 1 ? "" : "s", r->inst->path, r->run,
				   name ? name : "?", row ? row : "none", parent ? parent : "?");
}

/* Binds the orphan on which CHECK stands to EACH, and steps it. */
static int step_orphan(sqlite3_stmt *check, sqlite3_stmt *each)
{
	int step;

	sqlite3_bind_value(each, 1, sqlite3_column_value(check, 0));
	sqlite3_bind_value(each, 2, sqlite3_column_value(check, 3));
	sqlite3_bind_value(each, 3, sqlite3_column_value(check, 1));
	step = sqlite3_step(each);
	sqlite3_reset(each);
	return step;
}

/* Rows that refer to nothing, in the whole file: EACH, for each of them until it gives no row and MORE, how many are
 * more than there were, is not 0. A key that SQLite cannot check has none. */
static int walk_orphans(struct reverting *r, const char *sql, int64_t more, int64_t *ret)
{
	sqlite3_stmt *check = NULL, *each = NULL;
	int step = SQLITE_DONE,
	    rc = sqlite_prepare(r->inst, r->db, "PRAGMA main.foreign_key_check", &check, r->err);

	if (!rc && sql)
		rc = sqlite_prepare(r->inst, r->db, sql, &each, r->err);
	while (!rc && (step = sqlite3_step(check)) == SQLITE_ROW) {
		int found = each ? step_orphan(check, each) : SQLITE_ROW;

		++*ret;
		if (found != SQLITE_ROW && found != SQLITE_DONE)
			rc = sqlite_fail(r->inst, r->db, r->err, "checking the foreign keys");
		else if (more && found == SQLITE_DONE)
			rc = fail_orphans(r, check, more);
	}
	if (!rc && step != SQLITE_DONE && step != SQLITE_ERROR)
		rc = sqlite_fail(r->inst, r->db, r->err, "checking the foreign keys");
	sqlite3_finalize(each);
	sqlite3_finalize(check);
	return rc;
}

static int check_orphans(struct reverting *r, int64_t before)
{
	int64_t after = 0, ignored = 0;
	int rc = walk_orphans(r, NULL, 0, &after);

	if (rc || after <= before)
		return rc;
	return walk_orphans(r,
			    "SELECT 1 FROM temp.etlrun_orphans WHERE name = ?1 AND fkid = ?2 AND "
			    "row IS ?3",
			    after - before, &ignored);
}

static int mark(struct reverting *r)
{
	struct etl_text sql = { 0 };

	etl_text_add(
		&sql,
		"UPDATE main._etlrun_runs SET taken_back = strftime('%Y-%m-%dT%H:%M:%SZ', 'now') "
		"WHERE run = ");
	etl_text_add_literal(&sql, r->run);
	etl_text_add(&sql, ";\nUPDATE main._etlrun_loads SET undo = NULL WHERE run = ");
	etl_text_add_literal(&sql, r->run);
	return run(r, &sql);
}

static int take_all(struct reverting *r)
{
	struct load_row *loads = NULL;
	int64_t before = 0;
	size_t count = 0, i;
	int rc = read_loads(r, &loads, &count);

	for (i = 0; !rc && i < count; i++)
		rc = check_load(r, &loads[i]);
	if (!rc)
		rc = make_list(r);
	if (!rc)
		rc = walk_orphans(r, "INSERT INTO temp.etlrun_orphans VALUES (?1, ?2, ?3)", 0,
				  &before);
	for (i = 0; !rc && i < count; i++)
		rc = take_load(r, &loads[i]);
	if (!rc)
		rc = check_orphans(r, before);
	if (!rc)
		rc = keep_revert(r->inst, r->db, r->run, r->err);
	if (!rc)
		rc = mark(r);
	for (i = 0; i < count; i++)
		clear(&loads[i]);
	free(loads);
	return rc;
}

static int transact(struct reverting *r)
{
	int rc;

	sqlite3_db_config(r->db, SQLITE_DBCONFIG_ENABLE_FKEY, 0, (int *)NULL);
	sqlite3_db_config(r->db, SQLITE_DBCONFIG_ENABLE_TRIGGER,
			  r->inst->host->flag(r->inst->conf, "fire_triggers"), (int *)NULL);
	rc = sqlite_run(r->inst, r->db, "BEGIN IMMEDIATE", r->err);
	if (rc)
		return rc;
	rc = take_all(r);
	ETL_FAULT("sqlite.revert_before_commit");
	if (!rc)
		rc = sqlite_run(r->inst, r->db, "COMMIT", r->err);
	if (rc && !sqlite3_get_autocommit(r->db))
		sqlite3_exec(r->db, "ROLLBACK", NULL, NULL, NULL);
	return rc;
}

int into_revert(struct etl_instance *inst, const char *id, bool *ret_known, struct etl_error *err)
{
	struct reverting r = { .inst = inst, .run = id, .err = err };
	struct sqlite_stage target = { .hold = -1 };
	int64_t state = 0;
	bool made = false;
	int rc = sqlite_where(inst, &target.target, &target.folder, err);

	*ret_known = false;
	if (!rc)
		rc = sqlite_old_open(inst, &target, err);
	r.db = target.old;
	if (!rc && r.db)
		rc = own_run_state(inst, r.db, id, &state, err);
	*ret_known = state != 0;
	if (!rc && state == 1)
		rc = own_is_made_by(inst, r.db, id, &made, err);
	if (!rc && made)
		rc = inst->host->fail(
			err, ETL_USAGE, NULL, 0,
			"%s: run %s made this file, so there is nothing to go back to; "
			"remove the file",
			inst->path, id);
	if (!rc && state == 1)
		rc = transact(&r);
	if (!rc && state == 2)
		inst->host->log(
			inst->host, ETL_LOG_INFO,
			"%s: its own tables say that run %s was taken back already; nothing is "
			"changed",
			inst->path, id);
	sqlite_old_close(inst, &target);
	free(target.target);
	free(target.folder);
	return rc;
}
