/*
 * Carrying out steps in the staging file: the SQL that design wrote or the pipeline gave, and the check of
 * foreign keys, which SQLite does not do on its own while rows are loaded.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "fault.h"
#include "stage.h"

#define FOUND_MOST 1000 /* rows named for one step; the rest is counted */

struct checking {
	struct etl_instance *inst;
	const struct etl_table *table;
	struct etl_found_sink *sink;
	struct etl_error *err;
	sqlite3_stmt *keys; /* of the foreign key `id`: its columns, and the parent's */
	sqlite3_stmt *row;  /* the row's primary key, or NULL: its rowid says all */
};

static int no_memory(struct etl_instance *inst, struct etl_error *err)
{
	return inst->host->fail(err, ETL_MEMORY, NULL, 0, "%s: no memory", inst->path);
}

/* ---- Foreign keys ---------------------------------------------------------------------------------------- */

static void add_value(struct etl_text *text, sqlite3_stmt *stmt, int column)
{
	if (sqlite3_column_type(stmt, column) == SQLITE_NULL)
		etl_text_add(text, "NULL");
	else if (sqlite3_column_type(stmt, column) == SQLITE_TEXT)
		etl_text_add_literal(text, (const char *)sqlite3_column_text(stmt, column));
	else
		etl_text_add(text, (const char *)sqlite3_column_text(stmt, column));
}

/* SELECT of the primary key's columns by rowid; left NULL when there is no key or no rowid. */
static int prepare_row(struct checking *c)
{
	const struct etl_key *key = &c->table->primary;
	struct etl_text sql = { 0 };
	size_t i;
	int rc;

	if (key->column_count == 0 || c->table->flags & ETL_NO_ROWID)
		return ETL_OK;
	for (i = 0; i < key->column_count; i++) {
		etl_text_add(&sql, i ? ", " : "SELECT ");
		etl_text_add_name(&sql, key->columns[i], '"');
	}
	etl_text_add(&sql, " FROM ");
	etl_text_add_name(&sql, c->table->name, '"');
	etl_text_add(&sql, " WHERE rowid = ?1");
	rc = sql.failed ? no_memory(c->inst, c->err) :
			  sqlite_prepare(c->inst, c->inst->stage, sql.at, &c->row, c->err);
	etl_text_free(&sql);
	return rc;
}

/* "id=3", "emp=1, ord=2", "rowid=7", or nothing where a row has neither. */
static void add_key(struct checking *c, sqlite3_stmt *found, struct etl_text *text)
{
	size_t i;

	if (sqlite3_column_type(found, 1) == SQLITE_NULL)
		return;
	if (!c->row) {
		etl_text_addf(text, "rowid=%lld", (long long)sqlite3_column_int64(found, 1));
		return;
	}
	sqlite3_bind_int64(c->row, 1, sqlite3_column_int64(found, 1));
	if (sqlite3_step(c->row) == SQLITE_ROW) {
		for (i = 0; i < c->table->primary.column_count; i++) {
			etl_text_addf(text, "%s%s=", i ? ", " : "", c->table->primary.columns[i]);
			add_value(text, c->row, (int)i);
		}
	}
	sqlite3_reset(c->row);
}

/* The own columns of foreign key ID, "a, b". */
static int add_columns(struct checking *c, int64_t id, struct etl_text *text)
{
	int step;

	sqlite3_bind_text(c->keys, 1, c->table->name, -1, SQLITE_STATIC);
	sqlite3_bind_int64(c->keys, 2, id);
	while ((step = sqlite3_step(c->keys)) == SQLITE_ROW) {
		const char *name = (const char *)sqlite3_column_text(c->keys, 0);

		etl_text_addf(text, "%s%s", text->length ? ", " : "", name ? name : "");
	}
	sqlite3_reset(c->keys);
	return step == SQLITE_DONE ?
		       ETL_OK :
		       sqlite_fail(c->inst, c->inst->stage, c->err,
				   "reading the foreign keys of \"%s\"", c->table->name);
}

static int emit_row(struct checking *c, sqlite3_stmt *found)
{
	struct etl_text key = { 0 }, columns = { 0 }, reason = { 0 };
	const char *parent = (const char *)sqlite3_column_text(found, 2);
	struct etl_found f = { .code = "foreign_key", .table = c->table->name };
	int rc = add_columns(c, sqlite3_column_int64(found, 3), &columns);

	add_key(c, found, &key);
	etl_text_addf(&reason, "%s refers to a row that \"%s\" does not have",
		      columns.at ? columns.at : "it", parent ? parent : "");
	if (!rc && (key.failed || columns.failed || reason.failed))
		rc = no_memory(c->inst, c->err);
	f.column = columns.at;
	f.key = key.at;
	f.reason = reason.at;
	if (!rc)
		rc = c->sink->emit(c->sink, &f);
	etl_text_free(&key);
	etl_text_free(&columns);
	etl_text_free(&reason);
	return rc;
}

static int emit_rest(struct checking *c, int64_t rest)
{
	char reason[128];
	struct etl_found f = { .code = "foreign_key", .table = c->table->name, .reason = reason };

	sqlite3_snprintf(sizeof(reason), reason,
			 "%lld more rows of this table refer to rows that are not there",
			 (long long)rest);
	return c->sink->emit(c->sink, &f);
}

/* The parent has no such unique columns, which SQLite lets a schema say and finds out only now. */
static bool is_mismatch(sqlite3 *db)
{
	return sqlite3_errcode(db) == SQLITE_ERROR &&
	       strstr(sqlite3_errmsg(db), "foreign key mismatch");
}

static int emit_mismatch(struct checking *c)
{
	struct etl_text reason = { 0 };
	struct etl_found f = { .code = "foreign_key", .table = c->table->name };
	int rc;

	etl_text_addf(
		&reason,
		"its foreign keys cannot be checked, SQLite says: %s; the columns it refers to are "
		"not a primary key or unique",
		sqlite3_errmsg(c->inst->stage));
	f.reason = reason.at;
	rc = reason.failed ? no_memory(c->inst, c->err) : c->sink->emit(c->sink, &f);
	etl_text_free(&reason);
	return rc;
}

static int emit_found(struct checking *c, sqlite3_stmt *found)
{
	int64_t count = 0;
	int step, rc = ETL_OK;

	while (!rc && (step = sqlite3_step(found)) == SQLITE_ROW) {
		if (c->inst->host->canceled(c->inst->host))
			return ETL_CANCELED;
		if (count++ < FOUND_MOST)
			rc = emit_row(c, found);
	}
	if (!rc && step == SQLITE_ERROR && is_mismatch(c->inst->stage))
		rc = emit_mismatch(c);
	else if (!rc && step != SQLITE_DONE)
		rc = sqlite_fail(c->inst, c->inst->stage, c->err,
				 "checking the foreign keys of \"%s\"", c->table->name);
	if (!rc && count > FOUND_MOST)
		rc = emit_rest(c, count - FOUND_MOST);
	return rc;
}

static int check_keys(struct etl_instance *inst, const struct etl_load *load,
		      const struct etl_step *step, struct etl_found_sink *sink,
		      struct etl_error *err)
{
	struct checking c = { .inst = inst, .table = load->table, .sink = sink, .err = err };
	sqlite3_stmt *found = NULL;
	int rc = prepare_row(&c);

	if (!rc)
		rc = sqlite_prepare(inst, inst->stage,
				    "SELECT \"from\" FROM pragma_foreign_key_list(?1) WHERE id = "
				    "?2 ORDER BY seq",
				    &c.keys, err);
	if (!rc && sqlite3_prepare_v2(inst->stage, step->sql, -1, &found, NULL) != SQLITE_OK)
		rc = is_mismatch(inst->stage) ?
			     emit_mismatch(&c) :
			     sqlite_fail(inst, inst->stage, err,
					 "checking the foreign keys of \"%s\"", load->table->name);
	else if (!rc)
		rc = emit_found(&c, found);
	sqlite3_finalize(found);
	sqlite3_finalize(c.keys);
	sqlite3_finalize(c.row);
	return rc;
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
				"source has: %s",
				inst->path, step->object, step->sql);
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
	return (step->phase == ETL_PHASE_FINISH || step->phase == ETL_PHASE_LAST) &&
	       strcmp(step->kind, "sql") != 0;
}

static int apply_whole(struct etl_instance *inst, const struct etl_load *load,
		       const struct etl_step *step, bool object, struct etl_error *err)
{
	sqlite3 *db = inst->stage;
	int rc = sqlite_run(inst, db, "BEGIN IMMEDIATE", err);

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
	return rc;
}

int sqlite_apply(struct etl_instance *inst, const struct etl_load *load,
		 const struct etl_token *token, const struct etl_step *step,
		 struct etl_found_sink *sink, struct etl_error *err)
{
	bool object = strcmp(step->kind, "view") == 0 || strcmp(step->kind, "trigger") == 0;
	int rc = sqlite_staging(inst, token, err);

	if (rc || !step->sql || step->phase >= ETL_PHASE_PUBLISH)
		return rc;
	if (strcmp(step->kind, "foreign key check") == 0)
		return check_keys(inst, load, step, sink, err);
	if (strcmp(step->kind, "setting") == 0)
		return apply_setting(inst, step, err);
	ETL_FAULT("sqlite.apply_before");
	rc = is_one_piece(step) ? apply_whole(inst, load, step, object, err) :
				  apply_sql(inst, step, err);
	ETL_FAULT("sqlite.apply_after");
	return rc;
}
