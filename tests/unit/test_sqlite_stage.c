/*
 * Building an SQLite file aside: what begin refuses, what is carried over from the file that is there, how
 * every type is stored, which rows are refused, and that nothing is left behind.
 */
#include "config.h"

#include "sqlite_target.h"

static void refused(const char *name, int32_t on_existing, const char *words)
{
	struct target_run r;

	start_run(&r, name, on_existing);
	open_run(&r);
	ck_assert_int_eq(begin_run(&r), ETL_FAILED);
	ck_assert_int_eq(r.err.failures, 1);
	ck_assert_msg(strstr(r.err.text, words), "%s", r.err.text);
	end_run(&r);
	ck_assert_int_eq(count_files("."), 0);
}

START_TEST(a_table_that_is_there)
{
	make_db("shop.db", "CREATE TABLE T(id); INSERT INTO T VALUES (1)");
	refused("shop.db", ETL_EXISTING_FAIL, "table \"t\" is already in ");
	refused("shop.db", ETL_EXISTING_FAIL, "write on_existing = \"replace\"");
	ck_assert_str_eq(ask("shop.db", "SELECT count(*) FROM T"), "1");
}
END_TEST

START_TEST(what_is_no_target)
{
	int fd;

	refused("", ETL_EXISTING_REPLACE, "is a folder");
	refused("no/such/shop.db", ETL_EXISTING_FAIL, "folder does not exist");
	fd = open(in_folder("text.db"), O_WRONLY | O_CREAT, 0644);
	ck_assert_int_eq(write(fd, "this is a letter, not a database, and it is long enough to say so", 64), 64);
	close(fd);
	refused("text.db", ETL_EXISTING_REPLACE, "not an SQLite database");
	make_db("view.db", "CREATE VIEW t AS SELECT 1 AS id");
	refused("view.db", ETL_EXISTING_REPLACE, "is a view");
}
END_TEST

START_TEST(other_tables_are_carried_over)
{
	struct target_run r;

	make_db("shop.db", "PRAGMA user_version = 7; CREATE TABLE keep(x PRIMARY KEY) WITHOUT ROWID; "
		"INSERT INTO keep VALUES ('kept'); CREATE TABLE t(id, gone); CREATE INDEX ti ON t(gone); "
		"INSERT INTO t VALUES (1, 2); CREATE VIEW w AS SELECT x FROM keep");
	start_run(&r, "shop.db", ETL_EXISTING_REPLACE);
	stage_run(&r);
	ck_assert_str_eq(ask("shop.db", "SELECT gone FROM t"), "2");
	ck_assert_msg(commit_run(&r) == 0, "%s", r.err.text);
	end_run(&r);
	ck_assert_str_eq(ask("shop.db", "SELECT x FROM w"), "kept");
	ck_assert_str_eq(ask("shop.db", "SELECT group_concat(v) FROM t"), "new a,new b");
	ck_assert_str_eq(ask("shop.db", "SELECT count(*) FROM sqlite_schema WHERE name = 'ti'"), "0");
	ck_assert_str_eq(ask("shop.db", "PRAGMA user_version"), "7");
}
END_TEST

START_TEST(views_are_carried_over_into_a_fresh_file)
{
	struct target_run r;

	make_db("shop.db", "CREATE TABLE t(id INTEGER PRIMARY KEY, v); CREATE VIEW w AS SELECT v FROM t; "
		"INSERT INTO t VALUES (1, 'old')");
	start_run(&r, "shop.db", ETL_EXISTING_REPLACE);
	stage_run(&r);
	ck_assert_msg(commit_run(&r) == 0, "%s", r.err.text);
	end_run(&r);
	ck_assert_str_eq(ask("shop.db", "SELECT group_concat(v) FROM w"), "new a,new b");
	ck_assert_str_eq(ask("shop.db", "PRAGMA freelist_count"), "0");
}
END_TEST

START_TEST(truncate_keeps_the_table)
{
	static const char *const rows[] = { "5", "t:five" };
	struct target_run r;

	make_db("shop.db", "CREATE TABLE t(id INTEGER PRIMARY KEY, v, extra DEFAULT 'x'); CREATE INDEX ti ON t(v); "
		"CREATE TABLE log(x); CREATE TRIGGER tt AFTER INSERT ON t BEGIN INSERT INTO log VALUES (new.id); END; "
		"INSERT INTO t(id, v) VALUES (1, 'old'); DELETE FROM log");
	start_run(&r, "shop.db", ETL_EXISTING_TRUNCATE);
	open_run(&r);
	ck_assert_msg(begin_run(&r) == 0, "%s", r.err.text);
	ck_assert_int_eq(apply_sql(&r, "table", "t", "DELETE FROM \"t\""), 0);
	ck_assert_msg(load_rows(&r, 0, rows, 1) == 0, "%s", r.err.text);
	ck_assert_msg(commit_run(&r) == 0, "%s", r.err.text);
	end_run(&r);
	ck_assert_str_eq(ask("shop.db", "SELECT group_concat(id || v || extra) FROM t INDEXED BY ti"), "5fivex");
	ck_assert_str_eq(ask("shop.db", "SELECT count(*) FROM log"), "0");
	ck_assert_str_eq(ask("shop.db", "SELECT name FROM sqlite_schema WHERE type = 'trigger'"), "tt");
}
END_TEST

START_TEST(any_value_keeps_its_class)
{
	static const char *const rows[] = { "1", "i:-9223372036854775808", "2", "f:0.1", "3", "t:", "4", "b:ab",
					    "5", NULL, "6", "t:12" };
	struct target_run r;

	start_run(&r, "new.db", ETL_EXISTING_FAIL);
	open_run(&r);
	ck_assert_int_eq(begin_run(&r), 0);
	ck_assert_int_eq(apply_sql(&r, "table", "t", r.table.ddl), 0);
	ck_assert_msg(load_rows(&r, 0, rows, 6) == 0, "%s", r.err.text);
	ck_assert_uint_eq(r.stats.rows, 6);
	ck_assert_msg(commit_run(&r) == 0, "%s", r.err.text);
	end_run(&r);
	ck_assert_str_eq(ask("new.db", "SELECT group_concat(typeof(v)) FROM t"), "integer,real,text,blob,null,text");
	ck_assert_str_eq(ask("new.db", "SELECT v FROM t WHERE id = 1"), "-9223372036854775808");
	ck_assert_str_eq(ask("new.db", "SELECT v = 0.1 FROM t WHERE id = 2"), "1");
	ck_assert_str_eq(ask("new.db", "SELECT hex(v) FROM t WHERE id = 4"), "6162");
}
END_TEST

static void stored(int32_t type, int32_t precision, int32_t scale, const char *text, const char *wanted)
{
	static int number;
	const char *row[] = { "1", text };
	char name[32];
	struct target_run r;

	snprintf(name, sizeof(name), "type%d.db", ++number);
	start_run(&r, name, ETL_EXISTING_FAIL);
	r.columns[1].type = type;
	r.columns[1].precision = precision;
	r.columns[1].scale = scale;
	open_run(&r);
	ck_assert_int_eq(begin_run(&r), 0);
	ck_assert_int_eq(apply_sql(&r, "table", "t", r.table.ddl), 0);
	ck_assert_msg(load_rows(&r, 0, row, 1) == 0, "%s", r.err.text);
	ck_assert_msg(commit_run(&r) == 0, "%s", r.err.text);
	end_run(&r);
	ck_assert_str_eq(ask(name, "SELECT typeof(v) || ' ' || v FROM t"), wanted);
}

START_TEST(every_type_has_its_form)
{
	stored(ETL_BOOL, 0, 0, "true", "integer 1");
	stored(ETL_INT16, 0, 0, "-32768", "integer -32768");
	stored(ETL_INT32, 0, 0, "2147483647", "integer 2147483647");
	stored(ETL_FLOAT64, 0, 0, "1.5", "real 1.5");
	stored(ETL_DECIMAL, 38, 2, "-123456789012345678901234567890123456.78",
	       "text -123456789012345678901234567890123456.78");
	stored(ETL_DECIMAL, 5, 5, "0.00001", "text 0.00001");
	stored(ETL_DECIMAL, 5, 0, "0", "text 0");
	stored(ETL_NUMERIC, 0, 0, "12345678901234567890.1", "text 12345678901234567890.1");
	stored(ETL_DATE, 0, 0, "2024-02-29", "text 2024-02-29");
	stored(ETL_DATE, 0, 0, "0001-01-01", "text 0001-01-01");
	stored(ETL_DATE, 0, 0, "1969-12-31", "text 1969-12-31");
	stored(ETL_TIME, 0, 0, "23:59:59.000001", "text 23:59:59.000001");
	stored(ETL_TIMESTAMP, 0, 0, "1969-12-31 23:59:59.5", "text 1969-12-31 23:59:59.500000");
	stored(ETL_TIMESTAMP, 0, 0, "2000-03-01 00:00:00", "text 2000-03-01 00:00:00");
	stored(ETL_INSTANT, 0, 0, "2024-02-29T12:30:00Z", "text 2024-02-29T12:30:00.000000Z");
	stored(ETL_UUID, 0, 0, "00112233-4455-6677-8899-aabbccddeeff", "text 00112233-4455-6677-8899-aabbccddeeff");
	stored(ETL_TEXT, 0, 0, "größe", "text größe");
	stored(ETL_JSON, 0, 0, "{\"a\": 1}", "text {\"a\": 1}");
}
END_TEST

START_TEST(rows_that_a_constraint_refuses)
{
	static const char *const rows[] = { "1", "i:1", "1", "i:2", "2", NULL, "3", "i:99", "4", "t:x", "5", "i:1",
					    "6", "i:6" };
	static const char *const codes[] = { "duplicate", "not_null", "check", "type", "duplicate" };
	struct target_run r;
	int i;

	start_run(&r, "new.db", ETL_EXISTING_FAIL);
	open_run(&r);
	ck_assert_int_eq(begin_run(&r), 0);
	/* The table's own IGNORE would lose the last duplicate in silence. */
	ck_assert_msg(apply_sql(&r, "table", "t", "CREATE TABLE t(id INTEGER PRIMARY KEY, v INTEGER NOT NULL "
				"CHECK (v < 50) UNIQUE ON CONFLICT IGNORE) STRICT") == 0, "%s", r.err.text);
	ck_assert_msg(load_rows(&r, 0, rows, 7) == 0, "%s", r.err.text);
	ck_assert_int_eq(r.context.rejects, 5);
	for (i = 0; i < 5; i++) {
		ck_assert_str_eq(r.context.at[i].code, codes[i]);
		ck_assert_int_eq(r.context.at[i].row, i + 1);
	}
	ck_assert_str_eq(r.context.at[0].column, "id");
	ck_assert_str_eq(r.context.at[1].column, "v");
	ck_assert_ptr_nonnull(strstr(r.context.at[4].reason, "UNIQUE constraint failed: t.v"));
	ck_assert_uint_eq(r.stats.rows, 2);
	ck_assert_msg(commit_run(&r) == 0, "%s", r.err.text);
	ck_assert_uint_eq(r.outcome.inserted, 2);
	end_run(&r);
	ck_assert_str_eq(ask("new.db", "SELECT group_concat(id || '=' || v) FROM t"), "1=1,6=6");
}
END_TEST

START_TEST(one_reject_too_many_takes_the_split_back)
{
	static const char *const rows[] = { "7", "t:x", "1", "t:again", "8", "t:y" };
	struct target_run r;

	start_run(&r, "new.db", ETL_EXISTING_FAIL);
	stage_run(&r);
	r.context.most = -1;
	ck_assert_int_eq(load_rows(&r, 1, rows, 3), ETL_FAILED);
	ck_assert_msg(commit_run(&r) == 0, "%s", r.err.text);
	end_run(&r);
	ck_assert_str_eq(ask("new.db", "SELECT group_concat(id) FROM t"), "1,2");
}
END_TEST

START_TEST(the_same_split_again_replaces_it)
{
	static const char *const other[] = { "10", "t:ten", "30", "t:thirty" };
	static const char *const again[] = { "2", "t:second try" };
	struct target_run r;

	start_run(&r, "new.db", ETL_EXISTING_FAIL);
	stage_run(&r);
	ck_assert_int_eq(load_rows(&r, 1, other, 2), 0);
	ck_assert_msg(load_rows(&r, 0, again, 1) == 0, "%s", r.err.text);
	ck_assert_msg(commit_run(&r) == 0, "%s", r.err.text);
	ck_assert_uint_eq(r.outcome.inserted, 3);
	end_run(&r);
	ck_assert_str_eq(ask("new.db", "SELECT group_concat(id || '=' || v) FROM t"),
			 "2=second try,10=ten,30=thirty");
}
END_TEST

/* A column called rowid is not what tells the rows of a split. */
START_TEST(the_same_split_again_where_a_column_is_called_rowid)
{
	static const char *const other[] = { "100", "t:ten", "1", "t:thirty" };
	static const char *const again[] = { "2", "t:second try" };
	struct target_run r;

	start_run(&r, "new.db", ETL_EXISTING_FAIL);
	r.columns[0].name = "rowid";
	r.table.ddl = "CREATE TABLE t(\"rowid\" INT, v)";
	stage_run(&r);
	ck_assert_int_eq(load_rows(&r, 1, other, 2), 0);
	ck_assert_msg(load_rows(&r, 0, again, 1) == 0, "%s", r.err.text);
	ck_assert_msg(commit_run(&r) == 0, "%s", r.err.text);
	end_run(&r);
	ck_assert_str_eq(ask("new.db", "SELECT group_concat(\"rowid\" || '=' || v) FROM (SELECT * FROM t ORDER BY v)"),
			 "2=second try,100=ten,1=thirty");
}
END_TEST

START_TEST(canceled)
{
	static const char *const rows[] = { "7", "t:x" };
	struct target_run r;

	start_run(&r, "new.db", ETL_EXISTING_FAIL);
	stage_run(&r);
	host_log()->canceled = 1;
	ck_assert_int_eq(load_rows(&r, 1, rows, 1), ETL_CANCELED);
	host_log()->canceled = 0;
	ck_assert_int_eq(abort_run(&r), 0);
	ck_assert_int_eq(abort_run(&r), 0);
	end_run(&r);
	ck_assert_int_eq(count_files(""), 0);
}
END_TEST

START_TEST(abort_of_a_process_that_died)
{
	struct target_run dead, r;

	start_run(&dead, "new.db", ETL_EXISTING_FAIL);
	stage_run(&dead);
	end_run(&dead);
	ck_assert_int_ge(count_files(".new.db.etlrun-"), 1);
	start_run(&r, "new.db", ETL_EXISTING_FAIL);
	open_run(&r);
	make_db("new.db.precious", "CREATE TABLE p(x)");
	snprintf(r.token.text, sizeof(r.token.text), "%s", in_folder("new.db.precious"));
	ck_assert_int_eq(abort_run(&r), ETL_FAILED);
	ck_assert_msg(strstr(r.err.text, "is no staging file of"), "%s", r.err.text);
	ck_assert(is_there("new.db.precious"));
	r.token = dead.token;
	ck_assert_int_eq(abort_run(&r), 0);
	end_run(&r);
	ck_assert_int_eq(count_files("."), 0);
}
END_TEST

static char found_text[HOST_TEXT];

static int take_found(struct etl_found_sink *self, const struct etl_found *f)
{
	size_t used = strlen(found_text);

	(void)self;
	snprintf(found_text + used, sizeof(found_text) - used, "%s %s.%s %s: %s\n", f->code, f->table,
		 f->column ? f->column : "", f->key ? f->key : "", f->reason);
	return 0;
}

START_TEST(broken_foreign_keys_are_named)
{
	static const char *const keys[] = { "id" };
	static const char *const rows[] = { "1", "i:1", "3", "i:99", "4", NULL };
	struct etl_found_sink sink = { .emit = take_found };
	struct etl_step step = { .phase = ETL_PHASE_SCREEN, .kind = "foreign key check", .object = "t",
				 .sql = "PRAGMA foreign_key_check(\"t\")" };
	struct target_run r;

	start_run(&r, "new.db", ETL_EXISTING_FAIL);
	r.table.primary = (struct etl_key){ .columns = keys, .column_count = 1 };
	open_run(&r);
	ck_assert_int_eq(begin_run(&r), 0);
	ck_assert_int_eq(apply_sql(&r, "table", "t", "CREATE TABLE t(id INTEGER PRIMARY KEY, v REFERENCES dept(n)); "
				   "CREATE TABLE dept(n INTEGER PRIMARY KEY); INSERT INTO dept VALUES (1)"), 0);
	ck_assert_int_eq(load_rows(&r, 0, rows, 3), 0);
	found_text[0] = '\0';
	ck_assert_msg(sqlite_LTX_etl_plugin()->schema->apply(r.inst, &r.load, &r.token, &step, &sink, &r.err) == 0,
		      "%s", r.err.text);
	ck_assert_str_eq(found_text, "foreign_key t.v id=3: v refers to a row that \"dept\" does not have\n");
	ck_assert_int_eq(abort_run(&r), 0);
	end_run(&r);
}
END_TEST

START_TEST(sql_of_the_pipeline)
{
	struct target_run r;

	start_run(&r, "new.db", ETL_EXISTING_FAIL);
	stage_run(&r);
	ck_assert_int_eq(apply_sql(&r, "sql", "after_load", "UPDATE t SET v = 'x' WHERE id = 1; DELETE FROM t WHERE id = 2"),
			 0);
	ck_assert_int_eq(apply_sql(&r, "sql", "after_load", "SELEKT"), ETL_FAILED);
	ck_assert_msg(strstr(r.err.text, "near \"SELEKT\": syntax error"), "%s", r.err.text);
	ck_assert_int_eq(apply_sql(&r, "sql", "after_load", "BEGIN"), ETL_FAILED);
	ck_assert_msg(strstr(r.err.text, "leaves a transaction open"), "%s", r.err.text);
	ck_assert_msg(commit_run(&r) == 0, "%s", r.err.text);
	end_run(&r);
	ck_assert_str_eq(ask("new.db", "SELECT group_concat(id || v) FROM t"), "1x");
}
END_TEST

START_TEST(a_uri_names_a_file)
{
	struct target_run r;
	char uri[600];

	snprintf(uri, sizeof(uri), "sqlite://%s/two%%20words.db", folder);
	start_run(&r, "unused.db", ETL_EXISTING_FAIL);
	r.conf.given[0] = (struct host_option){ "uri", uri, 0 };
	stage_run(&r);
	ck_assert_msg(commit_run(&r) == 0, "%s", r.err.text);
	end_run(&r);
	ck_assert(is_there("two words.db"));
	r.conf.given[0].text = "sqlite://example.org/x.db";
	ck_assert_int_eq(sqlite_LTX_etl_plugin()->open(&r.host, &r.conf, &r.inst, &r.err), ETL_FAILED);
	ck_assert_ptr_nonnull(strstr(r.err.text, "names a host"));
	r.conf.given[0].text = "sqlite:a%zz.db";
	ck_assert_int_eq(sqlite_LTX_etl_plugin()->open(&r.host, &r.conf, &r.inst, &r.err), ETL_FAILED);
	ck_assert_ptr_nonnull(strstr(r.err.text, "two hexadecimal digits"));
	r.conf.given[0].text = "sqlite:a.db?x=1";
	ck_assert_int_eq(sqlite_LTX_etl_plugin()->open(&r.host, &r.conf, &r.inst, &r.err), ETL_FAILED);
	ck_assert_ptr_nonnull(strstr(r.err.text, "?x in the uri sets nothing"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("building an SQLite file");
	TCase *tests = tcase_create("stage");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tests, 30);
	tcase_add_checked_fixture(tests, make_folder, remove_folder);
	tcase_add_test(tests, a_table_that_is_there);
	tcase_add_test(tests, what_is_no_target);
	tcase_add_test(tests, other_tables_are_carried_over);
	tcase_add_test(tests, views_are_carried_over_into_a_fresh_file);
	tcase_add_test(tests, truncate_keeps_the_table);
	tcase_add_test(tests, any_value_keeps_its_class);
	tcase_add_test(tests, every_type_has_its_form);
	tcase_add_test(tests, rows_that_a_constraint_refuses);
	tcase_add_test(tests, one_reject_too_many_takes_the_split_back);
	tcase_add_test(tests, the_same_split_again_replaces_it);
	tcase_add_test(tests, the_same_split_again_where_a_column_is_called_rowid);
	tcase_add_test(tests, canceled);
	tcase_add_test(tests, abort_of_a_process_that_died);
	tcase_add_test(tests, broken_foreign_keys_are_named);
	tcase_add_test(tests, sql_of_the_pipeline);
	tcase_add_test(tests, a_uri_names_a_file);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
