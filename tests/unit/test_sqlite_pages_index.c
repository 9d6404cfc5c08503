/*
 * Indexes that are written here as pages: SQLite has to find them whole, and rows in them in the order in which they are in an
 * index that SQLite makes.
 */
#include "config.h"

#include <check.h>

#include "sqlite_pages_db.h"

static void name_index(uint32_t root, const char *sql)
{
	runf("BEGIN; PRAGMA writable_schema = ON; INSERT INTO main.sqlite_schema VALUES ('index', 'i', 't', %u, %Q); "
	     "PRAGMA schema_version = 2000; PRAGMA writable_schema = RESET; COMMIT",
	     root, sql);
}

/* ---- Indexes ---- */

static bool make_keys(struct page_keys *keys, const struct page_table *table, const struct page_index *x,
		      const struct page_file *file)
{
	struct page_scan *scan = page_scan_new(file, table->root);
	struct page_columns columns;
	bool ok = page_columns_open(&columns, x->columns, x->descending, x->count), null, fresh;
	int64_t rowid;

	while (ok && page_scan_next(scan, &rowid) == PAGE_ROW)
		ok = page_columns_key(&columns, scan, rowid, keys, &null) && page_keys_row(keys, rowid, &fresh);
	page_columns_close(&columns);
	page_scan_free(scan);
	return ok;
}

/* Whether it could be made here; then it is as SQLite makes it. */
static bool check_index(const char *sql, uint32_t *places, bool *descending, size_t count)
{
	struct page_index x = { .columns = places, .descending = descending, .count = count };
	struct page_table table = { .root = (uint32_t)number("SELECT rootpage FROM sqlite_schema WHERE name = 't'") };
	struct page_keys *keys = page_keys_new(64 << 20);
	struct page_file file;
	struct page_tree tree;
	uint32_t root = 0;
	bool ok;

	ck_assert_int_eq(page_file_open(&file, db), PAGES_DONE);
	page_tree_begin(&tree, &file, true);
	ok = make_keys(keys, &table, &x, &file);
	if (ok) {
		ck_assert(page_keys_write(keys, count, descending, &tree));
		root = page_tree_end(&tree);
		ck_assert_uint_ne(root, 0);
		ck_assert(page_file_count(&file));
	}
	page_tree_free(&tree);
	page_file_close(&file);
	page_keys_free(keys);
	if (ok) {
		name_index(root, sql);
		is_whole();
		/* In the order of the index, as of an index that SQLite makes. */
		run("CREATE TABLE seen(n INTEGER PRIMARY KEY, r); INSERT INTO seen(r) SELECT rowid FROM t INDEXED BY i WHERE a IS NOT 'nothing'");
		run("DROP INDEX i");
		run(sql);
		run("CREATE TABLE wanted(n INTEGER PRIMARY KEY, r); INSERT INTO wanted(r) SELECT rowid FROM t INDEXED BY i WHERE a IS NOT 'nothing'");
		ck_assert_int_eq(number("SELECT count(*) FROM seen JOIN wanted USING (n) WHERE seen.r = wanted.r"),
				 number("SELECT count(*) FROM t"));
		run("DROP TABLE seen; DROP TABLE wanted; DROP INDEX i");
		is_whole();
	}
	return ok;
}

START_TEST(indexes_of_random_rows)
{
	static const int counts[] = { 0, 1, 2, 40, 2500 };
	int page_size = page_sizes[_i], made = 0;

	for (size_t c = 0; c < sizeof(counts) / sizeof(*counts); c++) {
		sqlite3_stmt *insert = NULL;

		open_db(page_size);
		run(table_sql);
		sqlite3_prepare_v2(db, "INSERT INTO t VALUES (?1, ?2, ?3, ?4)", -1, &insert, NULL);
		run("BEGIN");
		for (int i = 0; i < counts[c]; i++) {
			struct page_value v = draw_text(5);

			bind(insert, 0, &v);
			v = draw(5) ? (struct page_value){ .kind = PAGE_INT, .integer = integers[draw(sizeof(integers) / sizeof(*integers))] } :
				      (struct page_value){ .kind = PAGE_REAL, .real = (double)draw(9) + 0.5 };
			bind(insert, 1, &v);
			v = draw_value(i % 40 ? 30 : 3 * (size_t)page_size);
			if (v.kind == PAGE_REAL || v.kind == PAGE_TEXT)
				v.kind = PAGE_BLOB;
			bind(insert, 2, &v);
			v = draw_text(i % 30 ? 20 : (uint32_t)page_size / 2);
			bind(insert, 3, &v);
			ck_assert_int_eq(sqlite3_step(insert), SQLITE_DONE);
			sqlite3_reset(insert);
		}
		run("COMMIT");
		sqlite3_finalize(insert);
		made += check_index("CREATE INDEX i ON t(a)", (uint32_t[]){ 0 }, (bool[]){ false }, 1);
		made += check_index("CREATE INDEX i ON t(b DESC)", (uint32_t[]){ 1 }, (bool[]){ true }, 1);
		made += check_index("CREATE INDEX i ON t(c, a DESC)", (uint32_t[]){ 2, 0 }, (bool[]){ false, true }, 2);
		made += check_index("CREATE INDEX i ON t(d DESC, c DESC, b)", (uint32_t[]){ 3, 2, 1 }, (bool[]){ true, true, false }, 3);
		made += check_index("CREATE INDEX i ON t(a, a DESC)", (uint32_t[]){ 0, 0 }, (bool[]){ false, true }, 2);
		close_db();
	}
	ck_assert_int_eq(made, 25);
}
END_TEST

/* Records of an index at the sizes at which they overflow. */
START_TEST(indexes_at_each_threshold)
{
	int page_size = page_sizes[_i];
	int most = (page_size - 12) * 64 / 255 - 23, least = (page_size - 12) * 32 / 255 - 23, next = page_size - 4;
	const int middles[] = { most, least, least + next, most + next, next, page_size, 2 * next + least };

	open_db(page_size);
	run(table_sql);
	run("BEGIN");
	for (size_t m = 0; m < sizeof(middles) / sizeof(*middles); m++)
		for (int d = -14; d <= 14; d++)
			runf("INSERT INTO t(a) SELECT zeroblob(%d) || hex(randomblob(%d)) WHERE %d > 8", 0, (middles[m] + d) / 2, middles[m] + d);
	run("COMMIT; UPDATE t SET b = substr(a, 1, length(a) - rowid % 2)");
	ck_assert(check_index("CREATE INDEX i ON t(a)", (uint32_t[]){ 0 }, (bool[]){ false }, 1));
	ck_assert(check_index("CREATE INDEX i ON t(b DESC)", (uint32_t[]){ 1 }, (bool[]){ true }, 1));
	close_db();
}
END_TEST

/* An integer and a float of one worth are one key in two spellings: that is not for us. */
START_TEST(numbers_of_two_spellings_are_left_to_sqlite)
{
	open_db(4096);
	run("CREATE TABLE t(a, b, c, d); INSERT INTO t(a) VALUES (1), (1.0), (2)");
	ck_assert(!check_index("CREATE INDEX i ON t(a)", (uint32_t[]){ 0 }, (bool[]){ false }, 1));
	run("DELETE FROM t; INSERT INTO t(a) VALUES (1125899906842624), (1125899906842624.0)");
	ck_assert(!check_index("CREATE INDEX i ON t(a)", (uint32_t[]){ 0 }, (bool[]){ false }, 1));
	/* The least integer is worth a float too, which a column of numbers keeps. */
	run("DELETE FROM t; INSERT INTO t(a) VALUES (-9223372036854775808.0), (-9223372036854775807 - 1)");
	ck_assert(!check_index("CREATE INDEX i ON t(a)", (uint32_t[]){ 0 }, (bool[]){ false }, 1));
	run("DELETE FROM t; INSERT INTO t(a) VALUES (9223372036854775807), (9223372036854775807.0), (-9223372036854775807 - 1), (-9.3e18)");
	ck_assert(check_index("CREATE INDEX i ON t(a)", (uint32_t[]){ 0 }, (bool[]){ false }, 1));
	run("DELETE FROM t; INSERT INTO t(a) VALUES (1.5), (2), (9007199254740993), (9007199254740992), (9.5e18), (-9.5e18), (NULL), (x'00'), ('')");
	ck_assert(check_index("CREATE INDEX i ON t(a)", (uint32_t[]){ 0 }, (bool[]){ false }, 1));
	close_db();
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("indexes");

	tcase_add_loop_test(tcase, indexes_of_random_rows, 0, PAGE_SIZES);
	tcase_add_loop_test(tcase, indexes_at_each_threshold, 0, PAGE_SIZES);
	tcase_add_test(tcase, numbers_of_two_spellings_are_left_to_sqlite);
	return run_tests("sqlite_pages_index", tcase);
}
