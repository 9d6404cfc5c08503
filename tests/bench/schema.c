/*
 * The floor of a load into a schema of the target's own: the plainest program that inserts the rows of an SQLite file
 * into a new one that a schema file makes. All rows are read into memory first; what is timed are the inserts, by
 * prepared statements in one transaction, to the synced file. Columns go by their names, parents before their children
 * (the order of the schema file). No rejects, no validation, no report: what etlrun does beyond this is what it costs.
 *
 *   schema SOURCE.db SCHEMA.sql NEW.db [after] [nokeys] [safe]
 *
 * after: the indexes are taken off and made when the rows are there; nokeys: foreign keys are not looked at; safe: with
 * SQLite's own journal and syncs instead of one sync at the end. Prints the seconds, those of the
 * processor, and how many rows went in.
 */
#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sqlite3.h>

#define TABLES_MOST  256
#define INDEXES_MOST 1024
#define SCHEMA_MOST  (16 << 20)

struct table {
	char *name;
	sqlite3_stmt *write;
	sqlite3_value **values; /* row by row */
	size_t count, room;
	int columns;
};

static struct table tables[TABLES_MOST];
static int table_count;
static char *indexes[INDEXES_MOST];
static int index_count;

static void check(int ok, sqlite3 *db, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "schema: %s: %s\n", what, db ? sqlite3_errmsg(db) : "failed");
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

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void make_schema(sqlite3 *db, const char *path)
{
	char *text = calloc(1, SCHEMA_MOST + 1);
	FILE *file = fopen(path, "r");

	check(text && file && fread(text, 1, SCHEMA_MOST, file) > 0, NULL, path);
	fclose(file);
	run(db, text);
	free(text);
}

/* Every table of the schema that the source has too. */
static void list_tables(sqlite3 *from, sqlite3 *to)
{
	sqlite3_stmt *list = prepare(
		to, "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT "
		    "LIKE 'sqlite!_%' ESCAPE '!' ORDER BY rowid");

	while (sqlite3_step(list) == SQLITE_ROW && table_count < TABLES_MOST) {
		const char *name = (const char *)sqlite3_column_text(list, 0);

		if (sqlite3_table_column_metadata(from, "main", name, NULL, NULL, NULL, NULL, NULL,
						  NULL) == SQLITE_OK)
			tables[table_count++].name = sqlite3_mprintf("%s", name);
	}
	sqlite3_finalize(list);
}

static void keep_row(struct table *t, sqlite3_stmt *read)
{
	if (t->count + (size_t)t->columns > t->room) {
		t->room = 2 * t->room + (size_t)t->columns;
		t->values = realloc(t->values, t->room * sizeof(*t->values));
		check(t->values != NULL, NULL, "memory");
	}
	for (int i = 0; i < t->columns; i++) {
		t->values[t->count] = sqlite3_value_dup(sqlite3_column_value(read, i));
		check(t->values[t->count++] != NULL, NULL, "memory");
	}
}

static void read_table(sqlite3 *from, struct table *t)
{
	char *sql = sqlite3_mprintf("SELECT * FROM \"%w\"", t->name);
	sqlite3_stmt *read = prepare(from, sql);

	sqlite3_free(sql);
	t->columns = sqlite3_column_count(read);
	while (sqlite3_step(read) == SQLITE_ROW)
		keep_row(t, read);
	sqlite3_finalize(read);
}

static void prepare_table(sqlite3 *from, sqlite3 *to, struct table *t)
{
	char *sql = sqlite3_mprintf(
		"SELECT group_concat('\"' || replace(name, '\"', '\"\"') || '\"'), "
		"group_concat('?') FROM pragma_table_info(%Q)",
		t->name);
	sqlite3_stmt *names = prepare(from, sql);

	sqlite3_free(sql);
	check(sqlite3_step(names) == SQLITE_ROW, from, t->name);
	sql = sqlite3_mprintf("INSERT INTO \"%w\" (%s) VALUES (%s)", t->name,
			      (const char *)sqlite3_column_text(names, 0),
			      (const char *)sqlite3_column_text(names, 1));
	t->write = prepare(to, sql);
	sqlite3_free(sql);
	sqlite3_finalize(names);
}

static void take_indexes_off(sqlite3 *db)
{
	sqlite3_stmt *list = prepare(
		db, "SELECT sql, 'DROP INDEX \"' || replace(name, '\"', '\"\"') || "
		    "'\"' FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL");
	char *drop[INDEXES_MOST];

	while (sqlite3_step(list) == SQLITE_ROW && index_count < INDEXES_MOST) {
		indexes[index_count] = sqlite3_mprintf("%s", sqlite3_column_text(list, 0));
		drop[index_count++] = sqlite3_mprintf("%s", sqlite3_column_text(list, 1));
	}
	sqlite3_finalize(list);
	for (int i = 0; i < index_count; i++) {
		run(db, drop[i]);
		sqlite3_free(drop[i]);
	}
}

static void insert_rows(sqlite3 *to, struct table *t)
{
	for (size_t at = 0; at < t->count; at += (size_t)t->columns) {
		for (int i = 0; i < t->columns; i++) {
			sqlite3_value *v = t->values[at + (size_t)i];

			if (sqlite3_value_type(v) == SQLITE_TEXT)
				sqlite3_bind_text(t->write, i + 1,
						  (const char *)sqlite3_value_text(v),
						  sqlite3_value_bytes(v), SQLITE_STATIC);
			else
				sqlite3_bind_value(t->write, i + 1, v);
		}
		check(sqlite3_step(t->write) == SQLITE_DONE, to, t->name);
		sqlite3_reset(t->write);
	}
}

static void sync_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	check(fd >= 0 && fsync(fd) == 0, NULL, path);
	close(fd);
}

static int has(int argc, char **argv, const char *word)
{
	for (int i = 4; i < argc; i++)
		if (strcmp(argv[i], word) == 0)
			return 1;
	return 0;
}

int main(int argc, char **argv)
{
	sqlite3 *from = NULL, *to = NULL;
	size_t rows = 0;
	double start;
	clock_t work;

	if (argc < 4) {
		fprintf(stderr,
			"usage: schema SOURCE.db SCHEMA.sql NEW.db [after] [nokeys] [safe]\n");
		return 2;
	}
	unlink(argv[3]);
	check(sqlite3_open_v2(argv[1], &from, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK, from,
	      argv[1]);
	check(sqlite3_open(argv[3], &to) == SQLITE_OK, to, argv[3]);
	run(to, "PRAGMA cache_size = -65536");
	if (!has(argc, argv, "safe"))
		run(to, "PRAGMA journal_mode = TRUNCATE; PRAGMA synchronous = OFF");
	make_schema(to, argv[2]);
	run(to,
	    has(argc, argv, "nokeys") ? "PRAGMA foreign_keys = OFF" : "PRAGMA foreign_keys = ON");
	list_tables(from, to);
	for (int i = 0; i < table_count; i++)
		read_table(from, &tables[i]);
	start = now();
	work = clock();
	if (has(argc, argv, "after"))
		take_indexes_off(to);
	for (int i = 0; i < table_count; i++)
		prepare_table(from, to, &tables[i]);
	run(to, "BEGIN");
	for (int i = 0; i < table_count; i++) {
		insert_rows(to, &tables[i]);
		rows += tables[i].columns ? tables[i].count / (size_t)tables[i].columns : 0;
		sqlite3_finalize(tables[i].write);
	}
	for (int i = 0; i < index_count; i++)
		run(to, indexes[i]);
	run(to, "COMMIT");
	sync_file(argv[3]);
	printf("%.3f %.3f %zu\n", now() - start, (double)(clock() - work) / CLOCKS_PER_SEC, rows);
	sqlite3_close(from);
	sqlite3_close(to);
	return 0;
}
