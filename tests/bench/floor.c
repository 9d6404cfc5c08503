/*
 * The floor of `make bench`: the plainest program that copies an SQLite file. One thread reads and inserts each row,
 * then the indexes are built, foreign keys checked, and the file synced, with the pragmas that the sqlite target
 * uses while it builds. No validation, no rejects, no report: what etlrun does beyond this is what it costs.
 */
#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <sqlite3.h>

static void check(int ok, sqlite3 *db, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "floor: %s: %s\n", what, db ? sqlite3_errmsg(db) : "failed");
	exit(1);
}

static void run(sqlite3 *db, const char *sql)
{
	check(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, db, sql);
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *stmt = NULL;

	check(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK, db, sql);
	return stmt;
}

static void copy_table(sqlite3 *from, sqlite3 *to, const char *name)
{
	char *sql = sqlite3_mprintf("SELECT * FROM \"%w\"", name), *values;
	sqlite3_stmt *read = prepare(from, sql), *write;
	int columns = sqlite3_column_count(read);

	sqlite3_free(sql);
	sql = sqlite3_mprintf("INSERT INTO \"%w\" VALUES (?", name);
	for (int i = 1; i < columns; i++) {
		values = sqlite3_mprintf("%s,?", sql);
		sqlite3_free(sql);
		sql = values;
	}
	values = sqlite3_mprintf("%s)", sql);
	write = prepare(to, values);
	sqlite3_free(sql);
	sqlite3_free(values);
	run(to, "BEGIN");
	while (sqlite3_step(read) == SQLITE_ROW) {
		for (int i = 0; i < columns; i++)
			sqlite3_bind_value(write, i + 1, sqlite3_column_value(read, i));
		check(sqlite3_step(write) == SQLITE_DONE, to, name);
		sqlite3_reset(write);
	}
	run(to, "COMMIT");
	sqlite3_finalize(read);
	sqlite3_finalize(write);
}

static void each(sqlite3 *from, sqlite3 *to, const char *type, int rows)
{
	sqlite3_stmt *stmt = prepare(from, "SELECT name, sql FROM sqlite_schema WHERE type = ?1 AND sql IS NOT NULL "
					   "AND name NOT LIKE 'sqlite_%' ORDER BY rowid");

	sqlite3_bind_text(stmt, 1, type, -1, SQLITE_STATIC);
	while (sqlite3_step(stmt) == SQLITE_ROW) {
		run(to, (const char *)sqlite3_column_text(stmt, 1));
		if (rows)
			copy_table(from, to, (const char *)sqlite3_column_text(stmt, 0));
	}
	sqlite3_finalize(stmt);
}

int main(int argc, char **argv)
{
	sqlite3 *from = NULL, *to = NULL;
	int fd;

	check(argc == 3, NULL, "usage: floor FROM TO");
	unlink(argv[2]);
	check(sqlite3_open_v2(argv[1], &from, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL) == SQLITE_OK, from, argv[1]);
	check(sqlite3_open_v2(argv[2], &to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL) == SQLITE_OK,
	      to, argv[2]);
	run(to, "PRAGMA journal_mode = TRUNCATE; PRAGMA synchronous = OFF; PRAGMA temp_store = FILE; PRAGMA cache_size = -65536");
	each(from, to, "table", 1);
	each(from, to, "index", 0);
	run(to, "PRAGMA foreign_key_check");
	sqlite3_close(from);
	sqlite3_close(to);
	fd = open(argv[2], O_RDONLY);
	check(fd >= 0 && fsync(fd) == 0, NULL, "fsync");
	close(fd);
	return 0;
}
