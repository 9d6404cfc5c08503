/*
 * What a database holds. The pragmas are believed for what they tell; the stored statement adds what they
 * do not (checks, names, deferral, expressions). Where the two disagree, the pragmas win and the log says so.
 *
 * The database itself is an object too: its ddl holds the settings worth carrying, one PRAGMA a line, and
 * last ANALYZE when the optimizer's statistics are there. It takes effect before the first table, and
 * ANALYZE after the last row.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "describe.h"
#include "into.h"

int describe_no_memory(struct describing *d)
{
	return d->inst->host->fail(d->err, ETL_MEMORY, NULL, 0, "%s: no memory to describe \"%s\"",
				   d->inst->path, d->table.name ? d->table.name : "the database");
}

int describe_query(struct describing *d, const char *sql, const char *text, sqlite3_stmt **ret)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite_prepare(d->inst, d->db, sql, &stmt, d->err);

	if (rc)
		return rc;
	if (text && sqlite3_bind_text(stmt, 1, text, -1, SQLITE_TRANSIENT) != SQLITE_OK) {
		rc = sqlite_fail(d->inst, d->db, d->err, "describing \"%s\"", text);
		sqlite3_finalize(stmt);
		return rc;
	}
	*ret = stmt;
	return ETL_OK;
}

int describe_step(struct describing *d, sqlite3_stmt *stmt, bool *ret_row)
{
	int step = sqlite3_step(stmt);

	*ret_row = step == SQLITE_ROW;
	return step == SQLITE_ROW || step == SQLITE_DONE ?
		       ETL_OK :
		       sqlite_fail(d->inst, d->db, d->err, "describing \"%s\"",
				   d->table.name ? d->table.name : "main");
}

char *describe_text(struct describing *d, sqlite3_stmt *stmt, int column)
{
	const char *text = (const char *)sqlite3_column_text(stmt, column);

	/* NULL is a value, or there was no memory to make a text of it. */
	if (!text && sqlite3_errcode(d->db) == SQLITE_NOMEM)
		d->memory.failed = true;
	return etl_arena_copy(&d->memory, text);
}

const struct etl_column *describe_find(const struct describing *d, const char *name)
{
	size_t i;

	for (i = 0; i < d->table.column_count; i++) {
		if (sqlite3_stricmp(d->columns[i].name, name) == 0)
			return &d->columns[i];
	}
	return NULL;
}

/* ---- One object ----------------------------------------------------------------------------------------- */

static void forget(struct describing *d)
{
	if (d->parsed)
		ddl_table_free(&d->ddl);
	d->parsed = false;
	etl_arena_free(&d->memory);
	memset(&d->table, 0, sizeof(d->table));
	d->columns = NULL;
}

static void start_table(struct describing *d)
{
	struct etl_table *t = &d->table;

	t->dialect = "sqlite";
	t->rows = t->bytes = ETL_UNKNOWN;
	t->column_size = sizeof(struct etl_column);
	t->unique_size = sizeof(struct etl_key);
	t->foreign_key_size = sizeof(struct etl_foreign_key);
	t->check_size = sizeof(struct etl_check);
	t->index_size = sizeof(struct etl_index);
}

static int parse_ddl(struct describing *d)
{
	int status;

	if (!d->table.ddl)
		return ETL_OK;
	status = ddl_table_parse(d->table.ddl, &d->ddl);
	d->parsed = status == DDL_OK;
	if (status == DDL_NO_MEMORY)
		return describe_no_memory(d);
	if (!d->parsed)
		d->inst->host->log(
			d->inst->host, ETL_LOG_WARN,
			"%s: the statement of table \"%s\" is not understood; its checks and the "
			"names of its constraints are only in its original text",
			d->inst->path, d->table.name);
	return ETL_OK;
}

static int describe_plain(struct describing *d)
{
	int rc = parse_ddl(d);

	if (!rc)
		rc = describe_columns(d);
	if (!rc)
		rc = describe_keys(d);
	if (!rc)
		rc = describe_indexes(d);
	return rc ? rc : describe_rows(d);
}

/* A view may name what is gone, a virtual table a module that is not here: then only the ddl is known. */
static int describe_loose(struct describing *d)
{
	sqlite3_stmt *stmt = NULL;
	char *sql = sqlite3_mprintf("SELECT * FROM \"%w\" LIMIT 0", d->table.name);
	int rc;

	if (!sql)
		return describe_no_memory(d);
	rc = sqlite3_prepare_v2(d->db, sql, -1, &stmt, NULL);
	sqlite3_free(sql);
	sqlite3_finalize(stmt);
	if (rc == SQLITE_OK)
		return describe_columns(d);
	d->inst->host->log(d->inst->host, ETL_LOG_WARN, "%s: \"%s\" cannot be read: %s",
			   d->inst->path, d->table.name, sqlite3_errmsg(d->db));
	return ETL_OK;
}

static int32_t kind_of(const char *type, const char *list_type)
{
	if (strcmp(type, "view") == 0)
		return ETL_VIEW;
	if (strcmp(type, "trigger") == 0)
		return ETL_TRIGGER;
	if (list_type && strcmp(list_type, "virtual") == 0)
		return ETL_VIRTUAL_TABLE;
	return list_type && strcmp(list_type, "shadow") == 0 ? ETL_SHADOW_TABLE : ETL_TABLE;
}

/* The virtual table a shadow table belongs to is the longest name that its own begins with. */
static int find_shadow_parent(struct describing *d)
{
	sqlite3_stmt *stmt = NULL;
	bool found = false;
	int rc = describe_query(
		d,
		"SELECT name FROM sqlite_schema WHERE type = 'table' AND sql LIKE "
		"'CREATE VIRTUAL%' AND substr(?1, 1, length(name) + 1) = name || '_' "
		"ORDER BY length(name) DESC LIMIT 1",
		d->table.name, &stmt);

	if (rc)
		return rc;
	rc = describe_step(d, stmt, &found);
	if (found)
		d->table.parent = describe_text(d, stmt, 0);
	sqlite3_finalize(stmt);
	return rc;
}

/* type, name, tbl_name, sql, and of table_list: type, wr, strict */
static int describe_object(struct describing *d, sqlite3_stmt *row)
{
	struct etl_table *t = &d->table;
	const char *type = describe_text(d, row, 0);

	start_table(d);
	t->name = describe_text(d, row, 1);
	t->ddl = describe_text(d, row, 3);
	if (d->memory.failed || !type || !t->name)
		return describe_no_memory(d);
	t->kind = kind_of(type, (const char *)sqlite3_column_text(row, 4));
	if (t->kind == ETL_TABLE && own_is(t->name))
		t->kind = ETL_SHADOW_TABLE;
	if (sqlite3_column_int(row, 5))
		t->flags |= ETL_NO_ROWID;
	if (sqlite3_column_int(row, 6))
		t->flags |= ETL_STRICT_TYPES;
	switch (t->kind) {
	case ETL_TABLE:
		return describe_plain(d);
	case ETL_SHADOW_TABLE: {
		int rc = find_shadow_parent(d);

		return rc ? rc : describe_plain(d);
	}
	case ETL_TRIGGER:
		t->parent = describe_text(d, row, 2);
		return ETL_OK;
	default:
		return describe_loose(d);
	}
}

static int emit(struct describing *d, struct etl_table_sink *sink)
{
	if (d->memory.failed)
		return describe_no_memory(d);
	return sink->emit(sink, &d->table);
}

static int describe_each(struct describing *d, sqlite3_stmt *stmt, struct etl_table_sink *sink)
{
	int rc = ETL_OK, step;

	while (!rc && (step = sqlite3_step(stmt)) != SQLITE_DONE) {
		if (step != SQLITE_ROW)
			return sqlite_fail(d->inst, d->db, d->err, "reading the list of tables");
		/* What etlrun keeps there is no part of what a target holds. */
		if (d->inst->host->role == ETL_ROLE_TARGET &&
		    own_is((const char *)sqlite3_column_text(stmt, 1)))
			continue;
		rc = describe_object(d, stmt);
		if (!rc)
			rc = emit(d, sink);
		forget(d);
	}
	return rc;
}

/* ---- The database, and queries --------------------------------------------------------------------------- */

/* At the row of the pragma's value, or at none: *RET_FOUND. */
static int read_pragma(struct describing *d, const char *pragma, sqlite3_stmt **ret, bool *ret_found)
{
	char sql[64];
	int rc;

	sqlite3_snprintf(sizeof(sql), sql, "PRAGMA main.%s", pragma);
	rc = describe_query(d, sql, NULL, ret);
	return rc ? rc : describe_step(d, *ret, ret_found);
}

static int pragma_text(struct describing *d, const char *pragma, struct etl_text *ret)
{
	sqlite3_stmt *stmt = NULL;
	bool found = false;
	int rc = read_pragma(d, pragma, &stmt, &found);

	if (found) {
		const char *value = (const char *)sqlite3_column_text(stmt, 0);

		if (strcmp(pragma, "encoding") == 0)
			etl_text_addf(ret, "PRAGMA encoding = '%s';\n", value ? value : "UTF-8");
		else if (strcmp(pragma, "journal_mode") != 0)
			etl_text_addf(ret, "PRAGMA %s = %s;\n", pragma, value ? value : "0");
		else if (value && strcmp(value, "wal") == 0)
			etl_text_add(ret, "PRAGMA journal_mode = wal;\n");
	}
	sqlite3_finalize(stmt);
	return rc;
}

static bool has_statistics(struct describing *d)
{
	return sqlite3_table_column_metadata(d->db, "main", "sqlite_stat1", NULL, NULL, NULL, NULL,
					     NULL, NULL) == SQLITE_OK;
}

static int describe_database(struct describing *d, struct etl_table_sink *sink)
{
	static const char *const pragmas[] = { "encoding",     "page_size",	 "auto_vacuum",
					       "user_version", "application_id", "journal_mode" };
	struct etl_text text = { 0 };
	int rc = ETL_OK;
	size_t i;

	start_table(d);
	d->table.kind = ETL_DATABASE;
	d->table.name = "main";
	for (i = 0; !rc && i < sizeof(pragmas) / sizeof(*pragmas); i++)
		rc = pragma_text(d, pragmas[i], &text);
	if (!rc && has_statistics(d))
		etl_text_add(&text, "ANALYZE;\n");
	d->table.ddl = text.at;
	if (!rc)
		rc = text.failed ? describe_no_memory(d) : emit(d, sink);
	etl_text_free(&text);
	forget(d);
	return rc;
}

static int fail_twice(struct describing *d, const char *name)
{
	return d->inst->host->fail(
		d->err, ETL_USAGE, NULL, 0,
		"%s: the query has two columns called \"%s\": give one another name with AS",
		d->inst->path, name);
}

static int add_result_columns(struct describing *d, sqlite3_stmt *stmt)
{
	int i, n = sqlite3_column_count(stmt);

	d->columns = etl_arena_alloc(&d->memory, (size_t)n * sizeof(*d->columns));
	if (!d->columns)
		return describe_no_memory(d);
	d->table.columns = d->columns;
	for (i = 0; i < n; i++) {
		struct etl_column *c = &d->columns[i];
		const char *declared = sqlite3_column_decltype(stmt, i);

		c->name = etl_arena_copy(&d->memory, sqlite3_column_name(stmt, i));
		c->declared = etl_arena_copy(&d->memory, declared ? declared : "");
		c->identity_last = ETL_UNKNOWN;
		if (!c->name || !c->declared)
			return describe_no_memory(d);
		if (describe_find(d, c->name))
			return fail_twice(d, c->name);
		declared_type(c->declared, c);
		d->table.column_count++;
	}
	return ETL_OK;
}

static int describe_result(struct describing *d, const char *query, struct etl_table_sink *sink)
{
	sqlite3_stmt *stmt = NULL;
	int rc = describe_query(d, query, NULL, &stmt);

	if (rc)
		return rc;
	start_table(d);
	d->table.name = "query";
	if (!sqlite3_stmt_readonly(stmt) || sqlite3_column_count(stmt) == 0)
		rc = d->inst->host->fail(
			d->err, ETL_USAGE, NULL, 0,
			"%s: the query returns no rows or changes the database; it must be a "
			"SELECT: %.300s",
			d->inst->path, query);
	if (!rc)
		rc = add_result_columns(d, stmt);
	if (!rc)
		rc = emit(d, sink);
	sqlite3_finalize(stmt);
	forget(d);
	return rc;
}

/* TYPES is pragma_table_list, or what it says of one table. */
#define OBJECTS(types)                                                                             \
	"SELECT s.type, s.name, s.tbl_name, s.sql, l.type, l.wr, l.strict FROM "                   \
	"main.sqlite_schema s "                                                                    \
	"LEFT JOIN " types " l ON l.schema = 'main' AND l.name = s.name AND s.type <> 'trigger' "

/* The list once: asked for one table it walks through all of them, which for each of ten thousand takes
 * half a minute. */
#define ALL_OBJECTS                                                                                \
	"WITH list AS MATERIALIZED (SELECT schema, name, type, wr, strict FROM "                   \
	"pragma_table_list) " OBJECTS("list")

static int describe_all(struct describing *d, struct etl_table_sink *sink)
{
	sqlite3_stmt *stmt = NULL;
	int rc = describe_query(
		d,
		ALL_OBJECTS "WHERE s.type IN ('table', 'view', 'trigger') AND "
			    "s.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY CASE s.type WHEN "
			    "'table' THEN 0 WHEN 'view' THEN 1 ELSE 2 END, s.rowid",
		NULL, &stmt);

	if (rc)
		return rc;
	rc = describe_each(d, stmt, sink);
	sqlite3_finalize(stmt);
	return rc ? rc : describe_database(d, sink);
}

static int describe_one(struct describing *d, const struct etl_dataset *dataset,
			struct etl_table_sink *sink)
{
	sqlite3_stmt *stmt = NULL;
	int rc;

	if (dataset->schema && sqlite3_stricmp(dataset->schema, "main") != 0)
		return ETL_OK;
	rc = describe_query(
		d,
		OBJECTS("pragma_table_list(s.name)") "WHERE s.type IN ('table', 'view') AND s.name "
						     "= ?1 COLLATE NOCASE",
		dataset->table, &stmt);
	if (rc)
		return rc;
	rc = describe_each(d, stmt, sink);
	sqlite3_finalize(stmt);
	return rc;
}

static bool is_missing(const struct etl_instance *inst)
{
	struct stat st;

	return stat(inst->path, &st) != 0 && errno == ENOENT;
}

int sqlite_describe(struct etl_instance *inst, const struct etl_dataset *dataset,
		    struct etl_table_sink *sink, struct etl_error *err)
{
	struct describing d = { .inst = inst, .err = err };
	int rc;

	if (inst->host->role == ETL_ROLE_TARGET && !(dataset && dataset->token) && is_missing(inst))
		return ETL_OK;
	rc = sqlite_db(inst, dataset ? dataset->token : NULL, &d.db, err);
	if (rc)
		return rc;
	if (!dataset || (!dataset->table && !dataset->query))
		rc = describe_all(&d, sink);
	else if (dataset->query)
		rc = describe_result(&d, dataset->query, sink);
	else
		rc = describe_one(&d, dataset, sink);
	forget(&d);
	etl_arena_free(&d.kept);
	return rc;
}

int sqlite_describe_database_of(struct etl_instance *inst, sqlite3 *db, struct etl_table_sink *sink,
			 struct etl_error *err)
{
	struct describing d = { .inst = inst, .err = err, .db = db };
	int rc = describe_all(&d, sink);

	forget(&d);
	etl_arena_free(&d.kept);
	return rc;
}

/* ---- Ping ------------------------------------------------------------------------------------------------ */

static int fact(struct describing *d, const char *pragma, struct etl_fact_sink *sink)
{
	sqlite3_stmt *stmt = NULL;
	bool found = false;
	int rc = read_pragma(d, pragma, &stmt, &found);

	if (found) {
		const char *value = (const char *)sqlite3_column_text(stmt, 0);

		rc = sink->emit(sink, pragma, value ? value : "");
	}
	sqlite3_finalize(stmt);
	return rc;
}

/* A folder that is not there is an error; one that may not be written is a fact, which `check` shows and only a
 * run minds. */
static int check_folder(struct etl_instance *inst, struct etl_fact_sink *sink,
			struct etl_error *err)
{
	char *target = NULL, *folder = NULL;
	int rc = sqlite_where(inst, &target, &folder, err);

	if (!rc && access(folder, W_OK | X_OK) != 0)
		rc = sink->emit(
			sink, "folder",
			"may not be written: the new file cannot be built beside the target");
	free(target);
	free(folder);
	return rc;
}

int sqlite_ping(struct etl_instance *inst, struct etl_fact_sink *sink, struct etl_error *err)
{
	static const char *const pragmas[] = { "encoding", "journal_mode", "page_size",
					       "page_count" };
	struct describing d = { .inst = inst, .err = err };
	char server[40];
	int rc;
	size_t i;

	sqlite3_snprintf(sizeof(server), server, "SQLite %s", sqlite3_libversion());
	rc = sink->emit(sink, "server", server);
	if (!rc)
		rc = sink->emit(sink, "file", inst->path);
	if (!rc && inst->host->role == ETL_ROLE_TARGET)
		rc = check_folder(inst, sink, err);
	if (!rc && inst->host->role == ETL_ROLE_TARGET && is_missing(inst))
		return sink->emit(sink, "state", "not there yet: the file will be made");
	if (!rc)
		rc = sqlite_db(inst, NULL, &d.db, err);
	for (i = 0; !rc && i < sizeof(pragmas) / sizeof(*pragmas); i++)
		rc = fact(&d, pragmas[i], sink);
	return rc;
}
