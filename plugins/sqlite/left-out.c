/*
 * scope = "table": a table of the run whose load is not committed. The new file must hold it as it
 * was before the run, or not at all. Views and triggers that stop working because of it are taken
 * away too, by name: a trigger that names a table that is not there would make every write to its
 * own table fail.
 */
#include "config.h"

#include <stdlib.h>

#include "stage.h"
#include "token.h"

#define ROWS_BETWEEN_LOOKS 4096 /* at `canceled` */

struct names {
	char **at;
	size_t count;
};

struct leaving {
	struct etl_instance *inst;
	struct sqlite_stage *stage;
	const struct etl_commit *commit;
	struct etl_error *err;
	struct names views; /* those that work before anything is taken away */
};

static int no_memory(struct leaving *l)
{
	return l->inst->host->fail(l->err, ETL_MEMORY, NULL, 0, "%s: no memory", l->inst->path);
}

static int keep_name(struct leaving *l, struct names *names, const char *name)
{
	char **more = realloc(names->at, (names->count + 1) * sizeof(*more));

	if (more)
		names->at = more;
	if (!more || !name || !(more[names->count] = strdup(name)))
		return no_memory(l);
	names->count++;
	return ETL_OK;
}

static void free_names(struct names *names)
{
	size_t i;

	for (i = 0; i < names->count; i++)
		free(names->at[i]);
	free(names->at);
}

static bool is_published(const struct leaving *l, const char *name)
{
	size_t i;

	for (i = 0; i < l->commit->load_count; i++) {
		const struct etl_table *table = l->commit->loads[i]->table;

		if (table && table->kind == ETL_TABLE && sqlite3_stricmp(table->name, name) == 0)
			return true;
	}
	return false;
}

/* The first column of every row that SQL returns with TEXT as ?1. */
static int collect(struct leaving *l, sqlite3 *db, const char *sql, const char *text,
		   struct names *ret)
{
	sqlite3_stmt *stmt = NULL;
	int step = SQLITE_DONE, rc = sqlite_prepare(l->inst, db, sql, &stmt, l->err);

	if (rc)
		return rc;
	if (text)
		sqlite3_bind_text(stmt, 1, text, -1, SQLITE_STATIC);
	while (!rc && (step = sqlite3_step(stmt)) == SQLITE_ROW)
		rc = keep_name(l, ret, (const char *)sqlite3_column_text(stmt, 0));
	if (!rc && step != SQLITE_DONE)
		rc = sqlite_fail(l->inst, db, l->err, "running \"%.200s\"", sql);
	sqlite3_finalize(stmt);
	return rc;
}

static int drop(struct leaving *l, const char *kind, const char *name)
{
	struct etl_text sql = { 0 };
	int rc;

	etl_text_addf(&sql, "DROP %s IF EXISTS main.", kind);
	etl_text_add_name(&sql, name, '"');
	rc = sql.failed ? no_memory(l) : sqlite_run(l->inst, l->inst->stage, sql.at, l->err);
	etl_text_free(&sql);
	return rc;
}

/* ---- As it was before the run ---- */

/* "rowid" or another of its names that is no column; NULL: nothing names the rowid. */
static int find_rowid(struct leaving *l, const char *table, const char **ret)
{
	static const char *const words[] = { "rowid", "_rowid_", "oid" };
	int64_t without = 0, taken;
	size_t i;
	int rc = sqlite_number_of(l->inst, l->stage->old,
				  "SELECT wr FROM pragma_table_list WHERE schema = 'main' AND "
				  "name = ?1 COLLATE NOCASE",
				  table, 0, &without, l->err);

	*ret = NULL;
	for (i = 0; !rc && !without && !*ret && i < sizeof(words) / sizeof(*words); i++) {
		char sql[128];

		sqlite3_snprintf(sizeof(sql), sql,
				 "SELECT count(*) FROM pragma_table_xinfo(?1) WHERE name = %Q "
				 "COLLATE NOCASE",
				 words[i]);
		rc = sqlite_number_of(l->inst, l->stage->old, sql, table, 0, &taken, l->err);
		if (!rc && !taken)
			*ret = words[i];
	}
	return rc;
}

static int copy_each(struct leaving *l, const char *table, sqlite3_stmt *from, sqlite3_stmt *to)
{
	uint64_t rows = 0;
	int step, i, count = sqlite3_column_count(from);

	while ((step = sqlite3_step(from)) == SQLITE_ROW) {
		if (++rows % ROWS_BETWEEN_LOOKS == 0 && l->inst->host->canceled(l->inst->host))
			return ETL_CANCELED;
		for (i = 0; i < count; i++)
			sqlite3_bind_value(to, i + 1, sqlite3_column_value(from, i));
		if (sqlite3_step(to) != SQLITE_DONE)
			return sqlite_fail(l->inst, l->inst->stage, l->err,
					   "putting the old rows of \"%s\" back", table);
		sqlite3_reset(to);
	}
	return step == SQLITE_DONE ? ETL_OK :
				     sqlite_fail(l->inst, l->stage->old, l->err,
						 "reading the old rows of \"%s\"", table);
}

/* "rowid", "a", "b": every column that stores something. */
static int list_columns(struct leaving *l, const char *table, struct etl_text *ret,
			size_t *ret_count)
{
	struct names columns = { 0 };
	const char *rowid;
	size_t i;
	int rc = find_rowid(l, table, &rowid);

	if (!rc)
		rc = collect(
			l, l->stage->old,
			"SELECT name FROM pragma_table_xinfo(?1) WHERE hidden = 0 ORDER BY cid",
			table, &columns);
	if (!rc && rowid)
		etl_text_add(ret, rowid);
	for (i = 0; !rc && i < columns.count; i++) {
		etl_text_add(ret, i || rowid ? ", " : "");
		etl_text_add_name(ret, columns.at[i], '"');
	}
	*ret_count = columns.count + (rowid ? 1 : 0);
	free_names(&columns);
	return rc;
}

static int copy_rows(struct leaving *l, const char *table)
{
	struct etl_text columns = { 0 }, read = { 0 }, write = { 0 };
	sqlite3_stmt *from = NULL, *to = NULL;
	size_t count = 0, i;
	int rc = list_columns(l, table, &columns, &count);

	etl_text_addf(&read, "SELECT %s FROM main.", columns.at ? columns.at : "");
	etl_text_add_name(&read, table, '"');
	etl_text_add(&write, "INSERT OR ABORT INTO main.");
	etl_text_add_name(&write, table, '"');
	etl_text_addf(&write, " (%s) VALUES (", columns.at ? columns.at : "");
	for (i = 0; i < count; i++)
		etl_text_addf(&write, "%s?%zu", i ? ", " : "", i + 1);
	etl_text_add(&write, ")");
	if (!rc && (columns.failed || read.failed || write.failed))
		rc = no_memory(l);
	if (!rc)
		rc = sqlite_prepare(l->inst, l->stage->old, read.at, &from, l->err);
	if (!rc)
		rc = sqlite_prepare(l->inst, l->inst->stage, write.at, &to, l->err);
	if (!rc)
		rc = copy_each(l, table, from, to);
	sqlite3_finalize(from);
	sqlite3_finalize(to);
	etl_text_free(&columns);
	etl_text_free(&read);
	etl_text_free(&write);
	return rc;
}

/* The counter of AUTOINCREMENT: it may be ahead of the largest row. */
static int copy_counter(struct leaving *l, const char *table)
{
	sqlite3_stmt *stmt = NULL;
	int64_t keeps = 0, seq = -1;
	int rc = sqlite_number(l->inst, l->stage->old,
			       "SELECT count(*) FROM sqlite_schema WHERE name = 'sqlite_sequence'",
			       0, &keeps, l->err);

	if (!rc && keeps)
		rc = sqlite_number_of(
			l->inst, l->stage->old,
			"SELECT seq FROM sqlite_sequence WHERE name = ?1 COLLATE NOCASE", table, -1,
			&seq, l->err);
	if (rc || seq < 0)
		return rc;
	rc = sqlite_number_of(l->inst, l->inst->stage,
			      "DELETE FROM sqlite_sequence WHERE name = ?1 COLLATE NOCASE", table,
			      0, &keeps, l->err);
	if (!rc)
		rc = sqlite_prepare(l->inst, l->inst->stage,
				    "INSERT INTO sqlite_sequence (name, seq) VALUES (?1, ?2)",
				    &stmt, l->err);
	if (rc)
		return rc;
	sqlite3_bind_text(stmt, 1, table, -1, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 2, seq);
	if (sqlite3_step(stmt) != SQLITE_DONE)
		rc = sqlite_fail(l->inst, l->inst->stage, l->err,
				 "putting the counter of \"%s\" back", table);
	sqlite3_finalize(stmt);
	return rc;
}

/* The texts that SQL finds in the old file's schema, run in the new one. */
static int make_again(struct leaving *l, const char *table, const char *sql)
{
	struct names texts = { 0 };
	size_t i;
	int rc = collect(l, l->stage->old, sql, table, &texts);

	for (i = 0; !rc && i < texts.count; i++) {
		if (sqlite3_exec(l->inst->stage, texts.at[i], NULL, NULL, NULL) != SQLITE_OK)
			rc = sqlite_fail(l->inst, l->inst->stage, l->err,
					 "putting \"%s\" back as it was: running \"%.200s\"", table,
					 texts.at[i]);
	}
	free_names(&texts);
	return rc;
}

static int put_back(struct leaving *l, const char *table)
{
	int rc = make_again(
		l, table,
		"SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?1 COLLATE NOCASE");

	if (!rc)
		rc = copy_rows(l, table);
	if (!rc)
		rc = copy_counter(l, table);
	if (!rc)
		rc = make_again(
			l, table,
			"SELECT sql FROM sqlite_schema WHERE type IN ('index', 'trigger') AND sql "
			"IS NOT NULL "
			"AND tbl_name = ?1 COLLATE NOCASE ORDER BY type = 'trigger', rowid");
	return rc;
}

/* ---- Views and triggers ---- */

/* 1, 0, or negative. */
static int view_works(struct leaving *l, const char *view)
{
	struct etl_text sql = { 0 };
	sqlite3_stmt *stmt = NULL;
	int rc;

	etl_text_add(&sql, "SELECT * FROM main.");
	etl_text_add_name(&sql, view, '"');
	if (sql.failed)
		rc = no_memory(l);
	else
		rc = sqlite3_prepare_v2(l->inst->stage, sql.at, -1, &stmt, NULL) == SQLITE_OK;
	sqlite3_finalize(stmt);
	etl_text_free(&sql);
	return rc;
}

static int find_working_views(struct leaving *l)
{
	struct names all = { 0 };
	size_t i;
	int rc = collect(l, l->inst->stage,
			 "SELECT name FROM sqlite_schema WHERE type = 'view' ORDER BY rowid", NULL,
			 &all);

	for (i = 0; rc >= 0 && i < all.count; i++) {
		rc = view_works(l, all.at[i]);
		if (rc > 0)
			rc = keep_name(l, &l->views, all.at[i]);
	}
	free_names(&all);
	return rc < 0 ? rc : ETL_OK;
}

/* A view that worked, and does not without the tables that were left out. */
static int drop_broken_views(struct leaving *l)
{
	struct names broken = { 0 };
	size_t i;
	int rc = ETL_OK;

	for (i = 0; rc >= 0 && i < l->views.count; i++) {
		rc = view_works(l, l->views.at[i]);
		if (rc == 0)
			rc = keep_name(l, &broken, l->views.at[i]);
	}
	for (i = 0; rc >= 0 && i < broken.count; i++) {
		rc = drop(l, "VIEW", broken.at[i]);
		if (!rc)
			l->inst->host->log(l->inst->host, ETL_LOG_WARN,
					   "the view \"%s\" was left out, because it reads a table "
					   "that was not published",
					   broken.at[i]);
	}
	free_names(&broken);
	return rc < 0 ? rc : ETL_OK;
}

/* After these words come the names of tables, until one of the others. */
static int table_follows(const struct token *token, int before)
{
	static const char *const yes[] = { "FROM", "JOIN", "INTO", "UPDATE" };
	static const char *const no[] = { "SELECT", "OF",    "WHERE", "SET",   "VALUES", "GROUP",
					  "ORDER",  "LIMIT", "ON",    "USING", "BEGIN" };
	size_t i;

	for (i = 0; i < sizeof(yes) / sizeof(*yes); i++) {
		if (token_is_word(token, yes[i]))
			return 1;
	}
	for (i = 0; i < sizeof(no) / sizeof(*no); i++) {
		if (token_is_word(token, no[i]))
			return 0;
	}
	return token_is(token, ";") ? 0 : before;
}

/* Does a statement of the trigger read or write this table? */
static bool speaks_of(const char *sql, const char *table)
{
	struct token_cursor at = token_start(sql, strlen(sql));
	struct token token;
	int follows = 0;

	while ((token = token_next(&at)).kind != TOKEN_END) {
		follows = table_follows(&token, follows);
		if (follows && token_is_name(&token) && token_names(&token, table))
			return true;
	}
	return false;
}

static int drop_triggers_of(struct leaving *l, const char *table)
{
	struct names names = { 0 }, texts = { 0 };
	size_t i;
	int rc = collect(l, l->inst->stage,
			 "SELECT name FROM sqlite_schema WHERE type = 'trigger' ORDER BY rowid",
			 NULL, &names);

	if (!rc)
		rc = collect(l, l->inst->stage,
			     "SELECT sql FROM sqlite_schema WHERE type = 'trigger' ORDER BY rowid",
			     NULL, &texts);
	for (i = 0; !rc && i < names.count; i++) {
		if (!speaks_of(texts.at[i], table))
			continue;
		rc = drop(l, "TRIGGER", names.at[i]);
		if (!rc)
			l->inst->host->log(l->inst->host, ETL_LOG_WARN,
					   "the trigger \"%s\" was left out, because it needs "
					   "\"%s\", which was not published",
					   names.at[i], table);
	}
	free_names(&names);
	free_names(&texts);
	return rc;
}

/* ---- What refers to it ---- */

static int warn_children(struct leaving *l, const struct sqlite_goal *goal)
{
	struct names children = { 0 };
	size_t i;
	int rc = collect(l, l->inst->stage,
			 "SELECT DISTINCT m.name FROM sqlite_schema m JOIN "
			 "pragma_foreign_key_list(m.name) f "
			 "WHERE m.type = 'table' AND f.\"table\" = ?1 COLLATE NOCASE ORDER BY 1",
			 goal->name, &children);

	for (i = 0; !rc && i < children.count; i++) {
		if (is_published(l, children.at[i]))
			l->inst->host->log(l->inst->host, ETL_LOG_WARN,
					   "table \"%s\" refers to \"%s\", which %s",
					   children.at[i], goal->name,
					   goal->in_old ? "holds what it held before the run" :
							  "was not published and is not there");
	}
	free_names(&children);
	return rc;
}

/* ---- All of it ---- */

static int leave_all_out(struct leaving *l)
{
	size_t i;
	int rc = find_working_views(l);

	for (i = 0; !rc && i < l->stage->goal_count; i++) {
		if (!is_published(l, l->stage->goals[i].name))
			rc = drop(l, "TABLE", l->stage->goals[i].name);
	}
	/* Only now are the names of all their indexes and triggers free. */
	for (i = 0; !rc && i < l->stage->goal_count; i++) {
		const struct sqlite_goal *goal = &l->stage->goals[i];

		if (is_published(l, goal->name))
			continue;
		rc = goal->in_old ? put_back(l, goal->name) : drop_triggers_of(l, goal->name);
		if (!rc)
			rc = warn_children(l, goal);
	}
	return rc ? rc : drop_broken_views(l);
}

/* What the old file holds is read in one transaction; publish.c sees when somebody writes to it
 * afterwards. */
static int hold_still(struct leaving *l)
{
	int64_t version = 0;
	int rc = ETL_OK;

	if (!l->stage->old)
		return ETL_OK;
	rc = sqlite_run(l->inst, l->stage->old, "BEGIN", l->err);
	if (!rc)
		rc = sqlite_number(l->inst, l->stage->old, "SELECT count(*) FROM sqlite_schema", 0,
				   &version, l->err);
	if (!rc)
		rc = sqlite_number(l->inst, l->stage->old, "PRAGMA data_version", 0, &version,
				   l->err);
	if (!rc && !l->stage->carried)
		l->stage->old_version = version;
	return rc;
}

static bool is_whole(const struct leaving *l)
{
	size_t i;

	for (i = 0; i < l->stage->goal_count; i++) {
		if (!is_published(l, l->stage->goals[i].name))
			return false;
	}
	return true;
}

int sqlite_leave_out(struct etl_instance *inst, const struct etl_commit *commit,
		     struct etl_error *err)
{
	struct leaving l = { .inst = inst, .stage = inst->building, .commit = commit, .err = err };
	int rc;

	if (!(commit->run->flags & ETL_RUN_TABLE_SCOPE))
		return ETL_OK;
	if (l.stage->taken_up)
		return inst->host->fail(err, ETL_FATAL, NULL, 0,
					"%s: which tables passed is no longer known; run again",
					inst->path);
	if (is_whole(&l))
		return ETL_OK;
	l.stage->left_out = true;
	rc = hold_still(&l);
	/* Old rows may be older than the checks of their table. */
	if (!rc)
		rc = sqlite_run(inst, inst->stage,
				"PRAGMA ignore_check_constraints = ON; BEGIN IMMEDIATE", err);
	if (!rc)
		rc = leave_all_out(&l);
	if (!rc)
		rc = sqlite_run(inst, inst->stage, "COMMIT; PRAGMA ignore_check_constraints = OFF",
				err);
	if (rc && !sqlite3_get_autocommit(inst->stage))
		sqlite3_exec(inst->stage, "ROLLBACK", NULL, NULL, NULL);
	if (l.stage->old && !sqlite3_get_autocommit(l.stage->old))
		sqlite3_exec(l.stage->old, "ROLLBACK", NULL, NULL, NULL);
	free_names(&l.views);
	return rc;
}
