/*
 * A database for the tests of written pages, and values by chance that have what pages have trouble with: every storage
 * class, numbers at the edges of their sizes, zero bytes, and what overflows.
 */
#ifndef SQLITE_PAGES_DB_H
#define SQLITE_PAGES_DB_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plugins/sqlite/pages.h"

static char path[64];
static sqlite3 *db;

static inline void run(const char *sql)
{
	char *words = NULL;

	ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, &words) == SQLITE_OK, "%s: %s", sql, words ? words : "");
}

static inline void runf(const char *format, ...)
{
	va_list args;
	char *sql;

	va_start(args, format);
	sql = sqlite3_vmprintf(format, args);
	va_end(args);
	run(sql);
	sqlite3_free(sql);
}

static inline sqlite3_int64 number(const char *sql)
{
	sqlite3_stmt *stmt = NULL;
	sqlite3_int64 ret;

	ck_assert_msg(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK, "%s: %s", sql, sqlite3_errmsg(db));
	ck_assert_int_eq(sqlite3_step(stmt), SQLITE_ROW);
	ret = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return ret;
}

static inline void is_whole(void)
{
	sqlite3_stmt *stmt = NULL;

	ck_assert_int_eq(sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &stmt, NULL), SQLITE_OK);
	ck_assert_int_eq(sqlite3_step(stmt), SQLITE_ROW);
	ck_assert_str_eq((const char *)sqlite3_column_text(stmt, 0), "ok");
	sqlite3_finalize(stmt);
}

static inline void open_db(int page_size)
{
	int fd;

	snprintf(path, sizeof(path), "/tmp/etlrun-pages-XXXXXX");
	fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	close(fd);
	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	runf("PRAGMA page_size = %d; PRAGMA journal_mode = TRUNCATE; PRAGMA synchronous = OFF", page_size);
}

static inline void close_db(void)
{
	ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
	unlink(path);
}

/* ---- Random values ---- */

static uint64_t seed = 42;

static inline uint32_t draw(uint32_t below)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(seed >> 33) % below;
}

static uint8_t bytes[1 << 20];

static inline void fill_bytes(void)
{
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)draw(256);
}

static const int64_t integers[] = { 0, 1, -1, 2, 127, 128, -128, -129, 32767, 32768, -32768, -32769, 8388607, 8388608,
				    -8388608, -8388609, INT32_MAX, INT64_C(2147483648), INT32_MIN, INT64_C(-2147483649),
				    INT64_C(140737488355327), INT64_C(140737488355328), INT64_C(-140737488355328),
				    INT64_C(-140737488355329), INT64_C(9007199254740992), INT64_C(9007199254740993),
				    INT64_MAX, INT64_MIN, INT64_MAX - 1, INT64_MIN + 1 };
static const double reals[] = { 0.5, -0.5, 1e300, -1e300, 5e-324, 1.5, 3.141592653589793, 1e15, 1e16, 1e19, -1e19,
				9007199254740993.0, 0.1, 140737488355327.0, 140737488355328.0, -140737488355328.0,
				-140737488355329.0, 9223372036854775807.0, -9223372036854775808.0, 2.0, 0.0, -0.0,
				1.0 / 0.0, -1.0 / 0.0 };

static inline struct page_value draw_value(size_t most)
{
	struct page_value v = { .kind = (enum page_kind)draw(5) };

	v.integer = draw(2) ? integers[draw(sizeof(integers) / sizeof(*integers))] : (int64_t)draw(1000);
	v.real = draw(2) ? reals[draw(sizeof(reals) / sizeof(*reals))] : draw(1000) + 0.25;
	v.size = draw(4) ? draw(12) : draw((uint32_t)most);
	v.bytes = bytes + draw((uint32_t)(sizeof(bytes) - most - 1));
	return v;
}

/* A text for SQLite has to be one: these are of letters, a zero byte now and then. */
static inline struct page_value draw_text(size_t most)
{
	static uint8_t text[1 << 16];
	static size_t at;
	struct page_value v = { .kind = PAGE_TEXT, .size = draw((uint32_t)most) };

	if (at + v.size > sizeof(text))
		at = 0;
	v.bytes = text + at;
	for (size_t i = 0; i < v.size; i++)
		text[at++] = draw(40) ? (uint8_t)('a' + draw(3)) : 0;
	return v;
}

static inline void bind(sqlite3_stmt *stmt, int at, const struct page_value *v)
{
	ck_assert_ptr_null(sqlite_bind_value(stmt, at, v));
}
static const int page_sizes[] = { 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536 };
#define PAGE_SIZES (int)(sizeof(page_sizes) / sizeof(*page_sizes))

static const char table_sql[] = "CREATE TABLE t(a, b, c, d)";

/* 0: all of them passed. */
static inline int run_tests(const char *name, TCase *tcase)
{
	Suite *suite = suite_create(name);
	SRunner *runner;
	int failed;

	fill_bytes();
	tcase_set_timeout(tcase, 300);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
