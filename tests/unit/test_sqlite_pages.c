/*
 * Tables of an SQLite file that are written here as pages: every b-tree is given to SQLite, which has to find it whole
 * (integrity_check) and to read from it what went in. Records of all types, of every size at which something changes, in
 * all page sizes; and values, which have to be kept as a column of SQLite's keeps them.
 */
#include "config.h"

#include <check.h>

#include "sqlite_pages_db.h"

/* The schema names the root, and the page that was the root is free. */
static void name_table(uint32_t root, const char *sql)
{
	run("BEGIN; CREATE TEMP TABLE IF NOT EXISTS old AS SELECT * FROM main.sqlite_schema WHERE name = 't'; DROP TABLE t; "
	    "PRAGMA writable_schema = ON");
	runf("INSERT INTO main.sqlite_schema VALUES ('table', 't', 't', %u, %Q)", root, sql);
	run("PRAGMA schema_version = 1000; PRAGMA writable_schema = RESET; COMMIT; DROP TABLE temp.old");
}

/* ---- Varints and sizes ---- */

START_TEST(varints_of_every_length)
{
	for (int bit = 0; bit < 64; bit++) {
		for (int d = -1; d <= 1; d++) {
			uint64_t v = (UINT64_C(1) << bit) + (uint64_t)d, back = 0;
			uint8_t at[PAGE_VARINT];
			size_t n = page_varint_put(at, v);

			ck_assert_uint_eq(n, page_varint_size(v));
			ck_assert_uint_eq(page_varint_get(at, at + n, &back), n);
			ck_assert_uint_eq(back, v);
			ck_assert_uint_eq(page_varint_get(at, at + n - 1, &back), 0);
		}
	}
	for (size_t types = 1; types < 40000; types++) {
		size_t n = page_head_size(types);

		ck_assert_uint_eq(page_varint_size(types + n), n);
	}
}
END_TEST

START_TEST(the_page_of_the_locks_is_passed_over)
{
	for (uint32_t size = 512; size <= 65536; size *= 2) {
		uint32_t lock = page_lock(size);

		ck_assert_uint_eq((uint64_t)(lock - 1) * size, 1 << 30);
		ck_assert_uint_eq(page_after(lock - 2, size), lock - 1);
		ck_assert_uint_eq(page_after(lock - 1, size), lock + 1);
		ck_assert_uint_eq(page_after(lock + 1, size), lock + 2);
	}
}
END_TEST

/* ---- What a column keeps ---- */

static const char *const texts[] = { "", " ", "abc", "12", " 12 ", "12.5", "1e5", "1e", "-", "+", ".", "-1", "+1", "1-2",
				     "2024-01-01", "2024-01-01 10:00:00", "0x10", "inf", "nan", "1.", ".5", "1 2", "e5",
				     "9223372036854775807", "9223372036854775808", "1e400", "--1", "1+", "1e+5", "1e-5",
				     "1e+", "\t7\n", "true", "1_000", "10:30", "5,5" };

/* What SQLite keeps of V in a column of that type, in the words of quote() and typeof(). */
static void kept_by_sqlite(sqlite3_stmt *insert, const struct page_value *v)
{
	bind(insert, 0, v);
	ck_assert_int_eq(sqlite3_step(insert), SQLITE_DONE);
	sqlite3_reset(insert);
}

static int check_kept(const char *type, const struct page_value *given)
{
	char scratch[PAGE_INT_TEXT];
	struct page_value v = *given;
	sqlite3_stmt *insert = NULL, *read = NULL;
	bool known;

	run("DELETE FROM a; DELETE FROM b");
	runf("CREATE TABLE IF NOT EXISTS \"c %w\"(x %s); DELETE FROM \"c %w\"", type, type, type);
	{
		char *sql = sqlite3_mprintf("INSERT INTO \"c %w\" VALUES (?1)", type);

		ck_assert_int_eq(sqlite3_prepare_v2(db, sql, -1, &insert, NULL), SQLITE_OK);
		sqlite3_free(sql);
	}
	kept_by_sqlite(insert, given);
	sqlite3_finalize(insert);
	known = page_value_keep(&v, page_affinity(type), scratch);
	if (!known)
		return 0;
	ck_assert_int_eq(sqlite3_prepare_v2(db, "INSERT INTO a VALUES (?1)", -1, &insert, NULL), SQLITE_OK);
	kept_by_sqlite(insert, &v);
	sqlite3_finalize(insert);
	{
		char *sql = sqlite3_mprintf("SELECT typeof(c.x), quote(c.x), typeof(a.x), quote(a.x), CASE WHEN "
					    "typeof(c.x) = typeof(a.x) THEN c.x IS a.x ELSE c.x = a.x AND %d END FROM "
					    "\"c %w\" AS c, a",
					    page_affinity(type) == PAGE_REALS, type);

		ck_assert_int_eq(sqlite3_prepare_v2(db, sql, -1, &read, NULL), SQLITE_OK);
		sqlite3_free(sql);
	}
	ck_assert_int_eq(sqlite3_step(read), SQLITE_ROW);
	ck_assert_msg(sqlite3_column_int(read, 4) == 1, "%s: SQLite keeps %s %s, and %s %s is written", type,
		      sqlite3_column_text(read, 0), sqlite3_column_text(read, 1), sqlite3_column_text(read, 2),
		      sqlite3_column_text(read, 3));
	sqlite3_finalize(read);
	return 1;
}

START_TEST(values_are_kept_as_sqlite_keeps_them)
{
	static const char *const types[] = { "INTEGER", "TEXT",	  "REAL",    "NUMERIC", "BLOB", "DATE",	    "VARCHAR(10)",
					     "DOUBLE",	"FLOAT", "BOOLEAN", "CLOB",	   "INT",  "CHARINT", "DECIMAL(9,2)", "" };
	size_t known = 0, all = 0;

	open_db(4096);
	run("CREATE TABLE a(x); CREATE TABLE b(x); BEGIN");
	for (size_t t = 0; t < sizeof(types) / sizeof(*types); t++) {
		for (size_t i = 0; i < sizeof(integers) / sizeof(*integers); i++, all++)
			known += (size_t)check_kept(types[t], &(struct page_value){ .kind = PAGE_INT, .integer = integers[i] });
		for (size_t i = 0; i < sizeof(reals) / sizeof(*reals); i++, all++)
			known += (size_t)check_kept(types[t], &(struct page_value){ .kind = PAGE_REAL, .real = reals[i] });
		for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++, all++)
			known += (size_t)check_kept(types[t], &(struct page_value){ .kind = PAGE_TEXT,
										     .bytes = (const uint8_t *)texts[i],
										     .size = strlen(texts[i]) });
		known += (size_t)check_kept(types[t], &(struct page_value){ .kind = PAGE_NULL });
		known += (size_t)check_kept(types[t], &(struct page_value){ .kind = PAGE_BLOB, .bytes = bytes, .size = 0 });
		known += (size_t)check_kept(types[t], &(struct page_value){ .kind = PAGE_BLOB, .bytes = bytes, .size = 9 });
	}
	run("COMMIT");
	close_db();
	ck_assert_uint_ge(known, all / 2);
}
END_TEST

/* Where a number ends at a zero byte, one SQLite may say this and another that. */
START_TEST(a_number_with_a_zero_byte_is_left_to_sqlite)
{
	struct page_value v = { .kind = PAGE_TEXT, .bytes = (const uint8_t *)"12\0", .size = 3 };
	char scratch[PAGE_INT_TEXT];

	ck_assert(!page_value_keep(&v, PAGE_NUMBERS, scratch));
	ck_assert(page_value_keep(&v, PAGE_TEXTS, scratch));
}
END_TEST

/* ---- Tables ---- */

#define COLUMNS 4

struct record {
	uint8_t head[64], numbers[8 * COLUMNS];
	struct page_piece pieces[COLUMNS + 1];
	uint64_t size;
};

static void make_record(struct record *r, const struct page_value *v, size_t columns)
{
	size_t types = 0, used = 0, head;
	uint8_t *at = r->head + PAGE_VARINT;

	r->size = 0;
	for (size_t i = 0; i < columns; i++) {
		uint64_t serial = page_serial(&v[i]);

		types += page_varint_put(at + types, serial);
		r->pieces[i + 1] = (struct page_piece){ v[i].bytes, (size_t)page_serial_size(serial) };
		if (serial < 12) {
			r->pieces[i + 1].at = r->numbers + used;
			used += page_number_put(r->numbers + used, &v[i], serial);
		}
		r->size += r->pieces[i + 1].size;
	}
	head = page_head_size(types);
	page_varint_put(at - head, types + head);
	r->pieces[0] = (struct page_piece){ at - head, types + head };
	r->size += types + head;
}

static void put_row(struct page_tree *tree, sqlite3_stmt *other, int64_t rowid, const struct page_value *v)
{
	struct record r;

	make_record(&r, v, COLUMNS);
	ck_assert(page_tree_row(tree, rowid, r.pieces, COLUMNS + 1, r.size));
	sqlite3_bind_int64(other, 1, rowid);
	for (int i = 0; i < COLUMNS; i++)
		bind(other, i + 1, &v[i]);
	ck_assert_int_eq(sqlite3_step(other), SQLITE_DONE);
	sqlite3_reset(other);
}

#define SAME                                                                                                          \
	"SELECT count(*) FROM (SELECT rowid, a, b, c, d, typeof(a), typeof(b), typeof(c), typeof(d) FROM t EXCEPT "   \
	"SELECT n, a, b, c, d, typeof(a), typeof(b), typeof(c), typeof(d) FROM other)"

/* The rows of the table, of our scan, and of the one that SQLite wrote are the same. */
static void check_table(uint64_t rows)
{
	struct page_file file;
	sqlite3_stmt *read = NULL;
	struct page_scan *scan;
	static const uint32_t places[COLUMNS] = { 0, 1, 2, 3 };
	struct page_value v[COLUMNS];
	int64_t rowid;
	uint64_t n = 0;

	is_whole();
	ck_assert_int_eq(number("SELECT count(*) FROM t"), (sqlite3_int64)rows);
	ck_assert_int_eq(number(SAME), 0);
	for (int which = 0; which < 2; which++) {
		ck_assert_int_eq(page_file_look(&file, db), PAGES_DONE);
		scan = page_scan_new(&file, (uint32_t)number(which ? "SELECT rootpage FROM sqlite_schema WHERE name = 't'" :
								     "SELECT rootpage FROM sqlite_schema WHERE name = 'other'"));
		sqlite3_prepare_v2(db, "SELECT rowid, a, b, c, d FROM t ORDER BY rowid", -1, &read, NULL);
		for (n = 0; page_scan_next(scan, &rowid) == PAGE_ROW; n++) {
			static const uint32_t others[COLUMNS] = { 1, 2, 3, 4 };

			ck_assert_int_eq(sqlite3_step(read), SQLITE_ROW);
			ck_assert_int_eq(sqlite3_column_int64(read, 0), rowid);
			ck_assert(page_scan_values(scan, which ? places : others, COLUMNS, v));
			for (int i = 0; i < COLUMNS; i++) {
				static const int kinds[] = { SQLITE_NULL, SQLITE_INTEGER, SQLITE_FLOAT, SQLITE_TEXT, SQLITE_BLOB };

				ck_assert_int_eq(sqlite3_column_type(read, i + 1), kinds[v[i].kind]);
				if (v[i].kind == PAGE_INT)
					ck_assert_int_eq(sqlite3_column_int64(read, i + 1), v[i].integer);
				if (v[i].kind == PAGE_REAL)
					ck_assert(sqlite3_column_double(read, i + 1) == v[i].real);
				if (v[i].kind == PAGE_TEXT || v[i].kind == PAGE_BLOB) {
					ck_assert_uint_eq((size_t)sqlite3_column_bytes(read, i + 1), v[i].size);
					ck_assert(!v[i].size || memcmp(sqlite3_column_blob(read, i + 1), v[i].bytes, v[i].size) == 0);
				}
			}
		}
		ck_assert_uint_eq(n, rows);
		sqlite3_finalize(read);
		page_scan_free(scan);
	}
}

static sqlite3_stmt *begin_table(int page_size, struct page_file *file, struct page_tree *tree)
{
	sqlite3_stmt *other = NULL;

	open_db(page_size);
	run(table_sql);
	run("CREATE TABLE other(n INTEGER PRIMARY KEY, a, b, c, d); CREATE TEMP TABLE waiting(n INTEGER PRIMARY KEY, a, b, c, "
	    "d)");
	ck_assert_int_eq(sqlite3_prepare_v2(db, "INSERT INTO temp.waiting VALUES (?1, ?2, ?3, ?4, ?5)", -1, &other, NULL),
			 SQLITE_OK);
	ck_assert_int_eq(page_file_open(file, db), PAGES_DONE);
	page_tree_begin(tree, file, false);
	return other;
}

static void end_table(struct page_file *file, struct page_tree *tree, sqlite3_stmt *other, uint64_t rows)
{
	uint32_t root = page_tree_end(tree);

	ck_assert_uint_ne(root, 0);
	ck_assert(page_file_count(file));
	page_tree_free(tree);
	page_file_close(file);
	sqlite3_finalize(other);
	name_table(root, table_sql);
	run("INSERT INTO other SELECT * FROM temp.waiting");
	check_table(rows);
	/* And SQLite goes on with it. */
	run("DELETE FROM t WHERE rowid % 3 = 0; INSERT INTO t SELECT a, b, c, d FROM other; UPDATE t SET a = zeroblob(300) WHERE "
	    "rowid % 7 = 0");
	is_whole();
	close_db();
}

START_TEST(tables_of_random_rows)
{
	static const int counts[] = { 0, 1, 2, 3, 50, 3000 };
	int page_size = page_sizes[_i];

	for (size_t c = 0; c < sizeof(counts) / sizeof(*counts); c++) {
		struct page_file file;
		struct page_tree tree;
		sqlite3_stmt *other = begin_table(page_size, &file, &tree);
		int64_t rowid = c == 3 ? INT64_MIN : c == 4 ? -20 : 0;

		run("BEGIN");
		for (int i = 0; i < counts[c]; i++) {
			struct page_value v[COLUMNS];

			for (int k = 0; k < COLUMNS; k++)
				v[k] = draw(3) ? draw_value(i % 50 ? 40 : 3 * (size_t)page_size) : draw_text(60);
			for (int k = 0; k < COLUMNS; k++)
				if (v[k].kind == PAGE_TEXT && v[k].bytes >= bytes && v[k].bytes < bytes + sizeof(bytes))
					v[k].kind = PAGE_BLOB;
			rowid += 1 + (draw(10) ? 0 : (int64_t)draw(1000000));
			put_row(&tree, other, rowid, v);
		}
		run("COMMIT");
		end_table(&file, &tree, other, (uint64_t)counts[c]);
	}
}
END_TEST

/* At the size at which a record overflows, and where its local part changes, one less and one more. */
START_TEST(tables_of_records_at_each_threshold)
{
	int page_size = page_sizes[_i];
	int most = page_size - 35, least = (page_size - 12) * 32 / 255 - 23, next = page_size - 4;
	const int middles[] = { most, least, least + next, most + next, next, 2 * next, page_size, least + 2 * next, 127, 128, 16383 };
	struct page_file file;
	struct page_tree tree;
	sqlite3_stmt *other = begin_table(page_size, &file, &tree);
	int64_t rowid = 0;

	run("BEGIN");
	for (size_t m = 0; m < sizeof(middles) / sizeof(*middles); m++) {
		for (int d = -12; d <= 12; d++) {
			struct page_value v[COLUMNS] = { { .kind = PAGE_BLOB, .bytes = bytes + rowid }, { .kind = PAGE_NULL },
							 { .kind = PAGE_NULL }, { .kind = PAGE_NULL } };

			if (middles[m] + d < 0)
				continue;
			v[0].size = (size_t)(middles[m] + d);
			put_row(&tree, other, ++rowid, v);
		}
	}
	run("COMMIT");
	end_table(&file, &tree, other, (uint64_t)rowid);
}
END_TEST

/* ---- Beyond one gibibyte ---- */

/* A sparse file that ends just before the page of the locks: the tree is on both sides of it. */
START_TEST(a_tree_around_the_page_of_the_locks)
{
	struct page_file file;
	struct page_tree tree;
	uint32_t lock, root;
	sqlite3_stmt *stmt = NULL;
	int unused = 0;

	open_db(65536);
	run(table_sql);
	ck_assert_int_eq(page_file_open(&file, db), PAGES_DONE);
	lock = page_lock(file.page_size);
	file.next = lock - 5;
	file.written = lock - 6;
	page_tree_begin(&tree, &file, false);
	for (int64_t i = 1; i <= 2000; i++) {
		struct page_value v[COLUMNS] = { { .kind = PAGE_INT, .integer = i },
						 { .kind = PAGE_BLOB, .bytes = bytes + i, .size = i % 100 ? 500 : 200000 } };
		struct record r;

		make_record(&r, v, COLUMNS);
		ck_assert(page_tree_row(&tree, i, r.pieces, COLUMNS + 1, r.size));
	}
	root = page_tree_end(&tree);
	ck_assert_uint_gt(root, lock);
	ck_assert(page_file_count(&file));
	page_tree_free(&tree);
	page_file_close(&file);
	name_table(root, table_sql);
	ck_assert_int_eq(number("SELECT count(*) FROM t WHERE a = rowid AND length(b) = iif(rowid % 100, 500, 200000)"), 2000);
	/* The pages that were passed over are in no tree; nothing else is wrong. */
	ck_assert_int_eq(sqlite3_prepare_v2(db, "PRAGMA integrity_check(20000)", -1, &stmt, NULL), SQLITE_OK);
	while (sqlite3_step(stmt) == SQLITE_ROW) {
		const char *words = (const char *)sqlite3_column_text(stmt, 0);

		ck_assert_msg(strstr(words, "is never used") && !strstr(words, "Tree"), "%.200s", words);
		unused++;
	}
	ck_assert_int_gt(unused, 0);
	sqlite3_finalize(stmt);
	close_db();
}
END_TEST

/* ---- The file ---- */

START_TEST(what_is_not_counted_is_not_there)
{
	struct page_file file;
	uint8_t page[4096] = { 13 };
	sqlite3_int64 size;

	open_db(4096);
	run("CREATE TABLE t(a, b, c, d); INSERT INTO t(a) VALUES (1)");
	size = number("PRAGMA page_count");
	ck_assert_int_eq(page_file_open(&file, db), PAGES_DONE);
	for (int i = 0; i < 100; i++)
		ck_assert_uint_eq(page_append(&file, page), (uint32_t)size + 1 + (uint32_t)i);
	is_whole();
	ck_assert_int_eq(number("PRAGMA page_count"), size);
	ck_assert(page_file_count(&file));
	ck_assert_int_eq(number("PRAGMA page_count"), size + 100);
	ck_assert(page_count_put(db, file.count));
	page_file_close(&file);
	ck_assert_int_eq(number("PRAGMA page_count"), size);
	ck_assert(!page_count_put(db, (uint32_t)size + 1));
	run("INSERT INTO t(a) SELECT zeroblob(9000) FROM t");
	is_whole();
	close_db();
}
END_TEST

/* What SQLite put behind the end meanwhile is not taken for ours, nor ours for its own. */
START_TEST(a_file_that_was_changed_meanwhile_is_not_counted)
{
	struct page_file file;
	uint8_t page[4096] = { 13 };

	open_db(4096);
	run("CREATE TABLE t(a, b, c, d)");
	ck_assert_int_eq(page_file_open(&file, db), PAGES_DONE);
	ck_assert_uint_ne(page_append(&file, page), 0);
	run("INSERT INTO t(a) VALUES (zeroblob(9000))");
	ck_assert(!page_file_count(&file));
	ck_assert_int_eq(file.code, SQLITE_INTERNAL);
	page_file_close(&file);
	close_db();
	open_db(4096);
	run("CREATE TABLE t(a, b, c, d)");
	ck_assert_int_eq(page_file_open(&file, db), PAGES_DONE);
	ck_assert_uint_ne(page_append(&file, page), 0);
	run("INSERT INTO t(a) VALUES (1)");
	ck_assert(!page_file_count(&file));
	page_file_close(&file);
	is_whole();
	close_db();
}
END_TEST

static uint64_t size_of_t(void)
{
	struct page_file file;
	uint64_t size = 0;

	ck_assert_int_eq(page_file_look(&file, db), PAGES_DONE);
	ck_assert(page_scan_size(&file, (uint32_t)number("SELECT rootpage FROM sqlite_schema WHERE name = 't'"), &size));
	return size;
}

START_TEST(the_size_of_a_table)
{
	open_db(512);
	run("CREATE TABLE t(a, b, c, d)");
	ck_assert_uint_eq(size_of_t(), 512);
	run("INSERT INTO t(a) WITH RECURSIVE i(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM i WHERE i < 20) SELECT zeroblob(400) "
	    "FROM i");
	ck_assert_uint_eq(size_of_t(), 20 * 512);
	run("INSERT INTO t(a) SELECT a FROM t, (SELECT 1 FROM t)");
	ck_assert_uint_eq(size_of_t(), UINT64_MAX);
	close_db();
}
END_TEST

START_TEST(files_that_are_not_known)
{
	struct page_file file;
	int reserved = 16;

	open_db(4096);
	ck_assert_int_eq(page_file_open(&file, db), PAGES_PASS);
	run("PRAGMA encoding = 'UTF-16'; CREATE TABLE t(a)");
	ck_assert_int_eq(page_file_open(&file, db), PAGES_PASS);
	close_db();
	open_db(4096);
	run("PRAGMA auto_vacuum = FULL; CREATE TABLE t(a)");
	ck_assert_int_eq(page_file_open(&file, db), PAGES_PASS);
	close_db();
	open_db(4096);
	ck_assert_int_eq(sqlite3_file_control(db, "main", SQLITE_FCNTL_RESERVE_BYTES, &reserved), SQLITE_OK);
	run("CREATE TABLE t(a)");
	ck_assert_int_eq(page_file_open(&file, db), PAGES_PASS);
	close_db();
	open_db(4096);
	ck_assert_int_eq(sqlite3_db_config(db, SQLITE_DBCONFIG_LEGACY_FILE_FORMAT, 1, (int *)NULL), SQLITE_OK);
	run("CREATE TABLE t(a)");
	ck_assert_int_eq(page_file_open(&file, db), PAGES_PASS);
	close_db();
	open_db(4096);
	run("CREATE TABLE t(a); PRAGMA journal_mode = WAL");
	ck_assert_int_eq(page_file_open(&file, db), PAGES_PASS);
	run("PRAGMA journal_mode = DELETE; BEGIN");
	ck_assert_int_eq(page_file_open(&file, db), PAGES_PASS);
	run("COMMIT");
	ck_assert_int_eq(page_file_open(&file, db), PAGES_DONE);
	page_file_close(&file);
	close_db();
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("tables");

	tcase_add_test(tcase, varints_of_every_length);
	tcase_add_test(tcase, the_page_of_the_locks_is_passed_over);
	tcase_add_test(tcase, values_are_kept_as_sqlite_keeps_them);
	tcase_add_test(tcase, a_number_with_a_zero_byte_is_left_to_sqlite);
	tcase_add_loop_test(tcase, tables_of_random_rows, 0, PAGE_SIZES);
	tcase_add_loop_test(tcase, tables_of_records_at_each_threshold, 0, PAGE_SIZES);
	tcase_add_test(tcase, a_tree_around_the_page_of_the_locks);
	tcase_add_test(tcase, what_is_not_counted_is_not_there);
	tcase_add_test(tcase, a_file_that_was_changed_meanwhile_is_not_counted);
	tcase_add_test(tcase, the_size_of_a_table);
	tcase_add_test(tcase, files_that_are_not_known);
	return run_tests("sqlite_pages", tcase);
}
