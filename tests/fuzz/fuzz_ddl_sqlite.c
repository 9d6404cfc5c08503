/*
 * The parser of CREATE TABLE beside SQLite's own: where both take a statement, they must mean the same table:
 * its name, its columns in order, WITHOUT ROWID, STRICT, the key. The statement is run in an empty database in
 * memory, and may do nothing but make a table.
 */
#include "config.h"

#include <sqlite3.h>

#include "../../plugins/sqlite/ddl.h"
#include "fuzz.h"

static sqlite3 *db;
static sqlite3_stmt *columns_of, *list_of;

static int allow(void *data, int action, const char *a, const char *b, const char *c, const char *d)
{
	(void)data;
	(void)a;
	(void)b;
	(void)c;
	(void)d;
	switch (action) {
	case SQLITE_SELECT:
	case SQLITE_ATTACH:
	case SQLITE_DETACH:
	case SQLITE_PRAGMA:
	case SQLITE_CREATE_VTABLE:
	case SQLITE_CREATE_TRIGGER:
	case SQLITE_CREATE_VIEW:
	case SQLITE_CREATE_TEMP_TABLE:
	case SQLITE_DROP_TABLE:
	case SQLITE_ALTER_TABLE:
	case SQLITE_ANALYZE:
		return SQLITE_DENY;
	default:
		return SQLITE_OK;
	}
}

static sqlite3_stmt *prepared(const char *sql)
{
	sqlite3_stmt *stmt = NULL;

	FUZZ_HOLDS(sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL) ==
		   SQLITE_OK);
	return stmt;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	FUZZ_HOLDS(sqlite3_open(":memory:", &db) == SQLITE_OK);
	columns_of = prepared("SELECT name, pk FROM pragma_table_xinfo(?1) ORDER BY cid");
	list_of = prepared(
		"SELECT name, wr, strict FROM pragma_table_list WHERE schema = 'main' AND"
		" name NOT IN ('sqlite_schema', 'sqlite_sequence')");
	return 0;
}

/* SQLite takes it as one statement that makes one table. */
static bool taken(const char *sql)
{
	sqlite3_stmt *stmt = NULL;
	const char *tail = NULL;
	bool ok;

	sqlite3_set_authorizer(db, allow, NULL);
	ok = sqlite3_prepare_v2(db, sql, -1, &stmt, &tail) == SQLITE_OK && stmt;
	ok = ok && tail[strspn(tail, " \t\r\n;")] == '\0' && sqlite3_step(stmt) == SQLITE_DONE;
	sqlite3_finalize(stmt);
	sqlite3_set_authorizer(db, NULL, NULL);
	return ok;
}

static void compare_columns(const struct ddl_table *table)
{
	size_t i = 0;

	sqlite3_bind_text(columns_of, 1, table->name, -1, SQLITE_STATIC);
	for (; sqlite3_step(columns_of) == SQLITE_ROW; i++) {
		const char *name = (const char *)sqlite3_column_text(columns_of, 0);

		FUZZ_HOLDS(i < table->column_count);
		FUZZ_HOLDS(name && strcmp(name, table->columns[i].name) == 0);
		if (ddl_find(&table->columns[i], DDL_PRIMARY_KEY))
			FUZZ_HOLDS(sqlite3_column_int(columns_of, 1) == 1);
	}
	FUZZ_HOLDS(i == table->column_count);
	sqlite3_reset(columns_of);
}

static void compare(const struct ddl_table *table)
{
	const char *name;

	FUZZ_HOLDS(sqlite3_step(list_of) == SQLITE_ROW);
	name = (const char *)sqlite3_column_text(list_of, 0);
	FUZZ_HOLDS(name && strcmp(name, table->name) == 0);
	FUZZ_HOLDS(table->without_rowid == (sqlite3_column_int(list_of, 1) != 0));
	FUZZ_HOLDS(table->strict == (sqlite3_column_int(list_of, 2) != 0));
	FUZZ_HOLDS(sqlite3_step(list_of) == SQLITE_DONE);
	sqlite3_reset(list_of);
	compare_columns(table);
}

static void in_sqlite(const char *sql, const struct ddl_table *table)
{
	FUZZ_HOLDS(sqlite3_exec(db, "BEGIN", NULL, NULL, NULL) == SQLITE_OK);
	if (taken(sql))
		compare(table);
	FUZZ_HOLDS(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL) == SQLITE_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ddl_table table = { .name = NULL };
	char *sql = fuzz_text(data, size);

	if (ddl_table_parse(sql, &table) == DDL_OK)
		in_sqlite(sql, &table);
	ddl_table_free(&table);
	free(sql);
	return 0;
}
