/*
 * From a table to steps for SQLite. What is designed is also run: the statements must be SQLite's, not only
 * look like it.
 */
#include "config.h"

#include "sqlite_target.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

static struct host_steps steps;

static void design(struct target_run *r)
{
	memset(&steps, 0, sizeof(steps));
	steps.sink.emit = host_take_step;
	open_run(r);
	ck_assert_msg(sqlite_LTX_etl_plugin()->schema->design(r->inst, &r->table, &r->load, &steps.sink, &r->err) == 0,
		      "%s", r->err.text);
	end_run(r);
}

/* Runs the steps of a table on a file of its own. */
static void run_steps(const char *name, const char *first)
{
	sqlite3 *db;
	size_t i;

	ck_assert_int_eq(sqlite3_open(in_folder(name), &db), SQLITE_OK);
	run_sql(db, first);
	for (i = 0; i < steps.count; i++)
		run_sql(db, steps.at[i].sql);
	sqlite3_close(db);
}

static void check_step(const char *kind, const char *object, int32_t phase, int32_t verdict, const char *sql)
{
	const struct host_step *s = host_find_step(&steps, kind, object);

	ck_assert_int_eq(s->phase, phase);
	ck_assert_int_eq(s->verdict, verdict);
	if (sql)
		ck_assert_str_eq(s->sql, sql);
	else
		ck_assert(!s->has_sql);
}

static const char *const id_column[] = { "id" };
static const char *const v_column[] = { "v" };

START_TEST(its_own_ddl)
{
	static const struct etl_index_part part = { .column = "v" };
	static const struct etl_index index = { .name = "tv", .parts = &part, .part_count = 1,
						.part_size = sizeof(part), .ddl = "CREATE INDEX tv ON t(v  DESC)" };
	static const struct etl_foreign_key key = { .columns = v_column, .column_count = 1, .parent = "p" };
	struct target_run r;

	start_run(&r, "x.db", ETL_EXISTING_FAIL);
	r.columns[0].flags |= ETL_IDENTITY | ETL_NEVER_REUSED;
	r.columns[0].identity_last = 41;
	r.table.ddl = "CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, /* why */ v REFERENCES p)";
	r.table.primary = (struct etl_key){ .columns = id_column, .column_count = 1 };
	r.table.indexes = &index;
	r.table.index_count = 1;
	r.table.index_size = sizeof(index);
	r.table.foreign_keys = &key;
	r.table.foreign_key_count = 1;
	r.table.foreign_key_size = sizeof(key);
	design(&r);
	check_step("table", "t", ETL_PHASE_PREPARE, ETL_EXACT, r.table.ddl);
	check_step("column", "t.v", ETL_PHASE_PREPARE, ETL_EXACT, NULL);
	check_step("primary key", "t.id", ETL_PHASE_PREPARE, ETL_EXACT, NULL);
	check_step("foreign key", "t.v", ETL_PHASE_PREPARE, ETL_EXACT, NULL);
	check_step("foreign key check", "t", ETL_PHASE_SCREEN, ETL_EXACT, "PRAGMA foreign_key_check(\"t\")");
	check_step("index", "tv", ETL_PHASE_FINISH, ETL_EXACT, "CREATE INDEX tv ON t(v  DESC)");
	ck_assert_int_eq(host_find_step(&steps, "sequence", "t")->phase, ETL_PHASE_FINISH);
	ck_assert_int_eq(host_find_step(&steps, "file", r.path)->phase, ETL_PHASE_PUBLISH);
	run_steps("x.db", "CREATE TABLE p(x PRIMARY KEY)");
	ck_assert_str_eq(ask("x.db", "INSERT INTO t(v) VALUES (NULL) RETURNING id"), "42");
}
END_TEST

START_TEST(foreign_keys_left_out)
{
	static const struct etl_foreign_key key = { .columns = v_column, .column_count = 1, .parent = "p" };
	struct target_run r;

	start_run(&r, "x.db", ETL_EXISTING_FAIL);
	r.run.foreign_keys = ETL_FK_DROP;
	r.table.foreign_keys = &key;
	r.table.foreign_key_count = 1;
	r.table.foreign_key_size = sizeof(key);
	design(&r);
	check_step("foreign key", "t.v", ETL_PHASE_PREPARE, ETL_SKIPPED, NULL);
	run_steps("x.db", "");
	ck_assert_str_eq(ask("x.db", "SELECT count(*) FROM pragma_foreign_key_list('t')"), "0");
}
END_TEST

START_TEST(from_its_structure)
{
	static const struct etl_key unique = { .name = "one v", .columns = v_column, .column_count = 1,
					       .conflict_sql = "ON CONFLICT REPLACE" };
	static const struct etl_check checks[] = { { .name = "good", .sql = "old > 0" },
						   { .name = "gone", .sql = "left_out > 0" } };
	static const char *const parents[] = { "a\"b" };
	static const struct etl_foreign_key key = { .name = "f", .columns = v_column, .column_count = 1,
						    .parent = "p q", .parent_columns = parents,
						    .on_delete = ETL_SET_NULL, .on_update = ETL_CASCADE,
						    .deferrable = ETL_DEFERRABLE_DEFERRED };
	static const struct etl_index_part parts[] = { { .expression = "old + 1" }, { .column = "id", .descending = 1 } };
	static const struct etl_index index = { .name = "ix", .parts = parts, .part_count = 2,
						.part_size = sizeof(*parts), .where_sql = "old IS NOT NULL",
						.flags = ETL_INDEX_UNIQUE };
	struct target_run r;

	start_run(&r, "x.db", ETL_EXISTING_FAIL);
	r.table.ddl = NULL;
	r.table.primary = (struct etl_key){ .columns = id_column, .column_count = 1 };
	r.columns[0].flags |= ETL_IDENTITY | ETL_NEVER_REUSED;
	r.columns[1].origin = "old";
	r.columns[1].declared = "VARCHAR(8)";
	r.columns[1].default_sql = "('it''s' || 1)";
	r.columns[1].collation = "NOCASE";
	r.table.uniques = &unique;
	r.table.unique_count = 1;
	r.table.unique_size = sizeof(unique);
	r.table.checks = checks;
	r.table.check_count = COUNT(checks);
	r.table.check_size = sizeof(*checks);
	r.table.foreign_keys = &key;
	r.table.foreign_key_count = 1;
	r.table.foreign_key_size = sizeof(key);
	r.table.indexes = &index;
	r.table.index_count = 1;
	r.table.index_size = sizeof(index);
	design(&r);
	ck_assert_str_eq(host_find_step(&steps, "table", "t")->sql,
			 "CREATE TABLE \"t\" (\n"
			 "\t\"id\" INTEGER PRIMARY KEY AUTOINCREMENT,\n"
			 "\t\"v\" VARCHAR(8) DEFAULT ('it''s' || 1) COLLATE \"NOCASE\",\n"
			 "\tCONSTRAINT \"one v\" UNIQUE (\"v\") ON CONFLICT REPLACE,\n"
			 "\tCONSTRAINT \"f\" FOREIGN KEY (\"v\") REFERENCES \"p q\" (\"a\"\"b\") ON DELETE SET NULL "
			 "ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED,\n"
			 "\tCONSTRAINT \"good\" CHECK (\"v\" > 0)\n"
			 ")");
	check_step("check", "t.gone", ETL_PHASE_PREPARE, ETL_SKIPPED, NULL);
	ck_assert_ptr_nonnull(strstr(host_find_step(&steps, "check", "t.gone")->note, "no such column: left_out"));
	check_step("index", "ix", ETL_PHASE_SCREEN, ETL_EXACT,
		   "CREATE UNIQUE INDEX \"ix\" ON \"t\" (\"v\" + 1, \"id\" DESC) WHERE \"v\" IS NOT NULL");
	run_steps("x.db", "CREATE TABLE \"p q\"(\"a\"\"b\" PRIMARY KEY)");
	ck_assert_str_eq(ask("x.db", "INSERT INTO t DEFAULT VALUES RETURNING v"), "it's1");
}
END_TEST

START_TEST(from_another_dialect)
{
	static const struct { int32_t type, verdict; const char *sql; } types[] = {
		{ ETL_BOOL, ETL_APPROXIMATED, "BOOLEAN" }, { ETL_INT32, ETL_WIDENED, "INTEGER" },
		{ ETL_FLOAT64, ETL_EXACT, "REAL" }, { ETL_DECIMAL, ETL_APPROXIMATED, "TEXT" },
		{ ETL_NUMERIC, ETL_APPROXIMATED, "TEXT" }, { ETL_INSTANT, ETL_APPROXIMATED, "TEXT" },
		{ ETL_BYTES, ETL_EXACT, "BLOB" }, { ETL_UUID, ETL_APPROXIMATED, "TEXT" },
	};
	static const struct etl_check check = { .name = "c", .sql = "v ~ '^a'" };
	struct target_run r;
	char name[16];
	size_t i;

	for (i = 0; i < COUNT(types); i++) {
		snprintf(name, sizeof(name), "d%zu.db", i);
		start_run(&r, name, ETL_EXISTING_FAIL);
		r.table.dialect = "postgresql";
		r.table.ddl = NULL;
		r.columns[1].type = types[i].type;
		r.columns[1].declared = "whatever";
		r.columns[1].default_sql = "nextval('s'::regclass)";
		r.table.checks = &check;
		r.table.check_count = 1;
		r.table.check_size = sizeof(check);
		design(&r);
		ck_assert_int_eq(host_find_step(&steps, "column", "t.v")->verdict, types[i].verdict);
		check_step("default", "t.v", ETL_PHASE_PREPARE, ETL_SKIPPED, NULL);
		check_step("check", "t.c", ETL_PHASE_PREPARE, ETL_SKIPPED, NULL);
		run_steps(name, "");
		ck_assert_str_eq(ask(name, "SELECT type FROM pragma_table_info('t') WHERE name = 'v'"), types[i].sql);
	}
}
END_TEST

/* PostgreSQL says the type of a literal, and the column has one here. */
START_TEST(defaults_with_a_type)
{
	static const char *const all[][2] = {
		{ "'it''s'::text", "'it''s'" }, { "'a::b'::character varying(9)", "'a::b'" },
		{ "'-1'::integer", "'-1'" }, { "'2000-01-01 00:00:00'::timestamp without time zone", "'2000-01-01 00:00:00'" },
		{ "NULL::numeric(5,2)", "NULL" }, { "5", "5" },
		{ "'\\x00ff'::bytea", "" }, { "'a'::text || 'b'::text", "" }, { "lower('X'::text)", "" },
		{ "'{}'::text[]", "" }, { "'a'::text COLLATE \"C\"", "" }, { "'a'::", "" },
	};
	struct target_run r;
	char name[16];
	size_t i;

	for (i = 0; i < COUNT(all); i++) {
		snprintf(name, sizeof(name), "l%zu.db", i);
		start_run(&r, name, ETL_EXISTING_FAIL);
		r.table.dialect = "postgresql";
		r.table.ddl = NULL;
		r.columns[1].default_sql = all[i][0];
		design(&r);
		if (!*all[i][1])
			check_step("default", "t.v", ETL_PHASE_PREPARE, ETL_SKIPPED, NULL);
		run_steps(name, "");
		ck_assert_msg(strcmp(ask(name, "SELECT coalesce(dflt_value, '') FROM pragma_table_info('t') WHERE name = 'v'"),
				     all[i][1]) == 0,
			      "%s", all[i][0]);
	}
}
END_TEST

START_TEST(a_table_that_stays)
{
	struct target_run r;

	start_run(&r, "x.db", ETL_EXISTING_TRUNCATE);
	r.load.existing = &r.table;
	design(&r);
	check_step("table", "t", ETL_PHASE_PREPARE, ETL_EXACT, "DELETE FROM \"t\"");
}
END_TEST

static void other(int32_t kind, const char *dialect, const char *ddl)
{
	struct target_run r;

	start_run(&r, "x.db", ETL_EXISTING_FAIL);
	r.table = (struct etl_table){ .kind = kind, .name = "o", .dialect = dialect, .ddl = ddl };
	r.load.index = 1;
	design(&r);
}

START_TEST(what_is_no_table)
{
	other(ETL_VIEW, "sqlite", "CREATE VIEW o AS SELECT 1");
	check_step("view", "o", ETL_PHASE_LAST, ETL_EXACT, "CREATE VIEW o AS SELECT 1");
	other(ETL_TRIGGER, "postgresql", "CREATE TRIGGER o …");
	check_step("trigger", "o", ETL_PHASE_LAST, ETL_SKIPPED, NULL);
	ck_assert_ptr_nonnull(strstr(steps.at[0].note, "CREATE TRIGGER o …"));
	other(ETL_VIRTUAL_TABLE, "sqlite", "CREATE VIRTUAL TABLE o USING fts5(x)");
	check_step("virtual table", "o", ETL_PHASE_LAST, ETL_SKIPPED, NULL);
	ck_assert_ptr_nonnull(strstr(steps.at[0].note, "USING fts5(x)"));
	other(ETL_SHADOW_TABLE, "sqlite", NULL);
	check_step("shadow table", "o", ETL_PHASE_LAST, ETL_SKIPPED, NULL);
	other(ETL_DATABASE, "sqlite", "PRAGMA encoding = 'UTF-16le';\nPRAGMA page_size = 8192;\n"
	      "PRAGMA user_version = 3;\nPRAGMA journal_mode = wal;\nANALYZE;\n");
	check_step("setting", "encoding", ETL_PHASE_PREPARE, ETL_EXACT, "PRAGMA encoding = 'UTF-16le'");
	check_step("setting", "page_size", ETL_PHASE_PREPARE, ETL_EXACT, "PRAGMA page_size = 8192");
	check_step("setting", "user_version", ETL_PHASE_FINISH, ETL_EXACT, "PRAGMA user_version = 3");
	check_step("statistics", "o", ETL_PHASE_LAST, ETL_EXACT, "ANALYZE");
}
END_TEST

START_TEST(settings_reach_the_file)
{
	static const char *const rows[] = { "1", "t:größe" };
	struct target_run r;

	start_run(&r, "x.db", ETL_EXISTING_FAIL);
	open_run(&r);
	ck_assert_int_eq(begin_run(&r), 0);
	ck_assert_int_eq(apply_sql(&r, "setting", "encoding", "PRAGMA encoding = 'UTF-16le'"), 0);
	ck_assert_int_eq(apply_sql(&r, "setting", "page_size", "PRAGMA page_size = 8192"), 0);
	ck_assert_int_eq(apply_sql(&r, "setting", "journal_mode", "PRAGMA journal_mode = wal"), 0);
	ck_assert_int_eq(apply_sql(&r, "table", "t", r.table.ddl), 0);
	ck_assert_int_eq(load_rows(&r, 0, rows, 1), 0);
	ck_assert_msg(commit_run(&r) == 0, "%s", r.err.text);
	end_run(&r);
	ck_assert_str_eq(ask("x.db", "PRAGMA encoding"), "UTF-16le");
	ck_assert_str_eq(ask("x.db", "PRAGMA page_size"), "8192");
	ck_assert_str_eq(ask("x.db", "PRAGMA journal_mode"), "wal");
	ck_assert_str_eq(ask("x.db", "SELECT v FROM t"), "größe");
	ck_assert_int_eq(count_files("x.db"), 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("design for SQLite");
	TCase *tests = tcase_create("design");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tests, make_folder, remove_folder);
	tcase_add_test(tests, its_own_ddl);
	tcase_add_test(tests, foreign_keys_left_out);
	tcase_add_test(tests, from_its_structure);
	tcase_add_test(tests, from_another_dialect);
	tcase_add_test(tests, defaults_with_a_type);
	tcase_add_test(tests, a_table_that_stays);
	tcase_add_test(tests, what_is_no_table);
	tcase_add_test(tests, settings_reach_the_file);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
