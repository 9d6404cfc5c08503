/*
 * What a schema file makes: the tables that `given` emits, the steps of a run that brings rows for one of them, and the
 * lines of what is refused.
 */
#include "config.h"

#include "sqlite_target.h"

#define TABLES_MOST 8

struct tables {
	struct etl_table_sink sink;
	size_t count;
	char names[TABLES_MOST][32];
	char columns[TABLES_MOST][256]; /* "id:l!+ v:u" */
	uint32_t flags[TABLES_MOST];
	int32_t kinds; /* a bit for each that came */
};

static void add_column(char *to, size_t size, const struct etl_column *c)
{
	size_t used = strlen(to);

	snprintf(to + used, size - used, "%s%s:%d%s%s%s", used ? " " : "", c->name, c->type,
		 c->flags & ETL_NOT_NULL ? "!" : "", c->flags & ETL_IDENTITY ? "+" : "",
		 c->default_sql ? "=" : "");
}

static int take_table(struct etl_table_sink *self, const struct etl_table *table)
{
	struct tables *tables = (struct tables *)self;
	size_t at = tables->count++, i;

	ck_assert_uint_le(tables->count, TABLES_MOST);
	snprintf(tables->names[at], sizeof(tables->names[at]), "%s", table->name);
	tables->columns[at][0] = '\0';
	for (i = 0; i < table->column_count; i++)
		add_column(tables->columns[at], sizeof(tables->columns[at]),
			   ETL_AT(const struct etl_column, table->columns, table->column_size, i));
	tables->flags[at] = table->flags;
	tables->kinds |= 1 << table->kind;
	ck_assert_int_eq(table->rows, ETL_UNKNOWN);
	return 0;
}

static void write_file(const char *text)
{
	FILE *file = fopen(in_folder("s.sql"), "w");

	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	fclose(file);
}

/* A run with a schema file of this text, open. */
static void start(struct target_run *r, const char *text)
{
	static char path[512];

	write_file(text);
	start_run(r, "x.db", ETL_EXISTING_FAIL);
	snprintf(path, sizeof(path), "%s", in_folder("s.sql"));
	give(r, "schema_file", path, 0);
	open_run(r);
}

static int ask_given(struct target_run *r, struct tables *tables)
{
	memset(tables, 0, sizeof(*tables));
	tables->sink.emit = take_table;
	return sqlite_LTX_etl_plugin()->schema->given(r->inst, &tables->sink, &r->err);
}

static void end(struct target_run *r)
{
	sqlite_LTX_etl_plugin()->close(r->inst);
}

START_TEST(tables_with_their_shape)
{
	struct tables tables;
	struct target_run r;
	char expected[128];

	start(&r, "PRAGMA user_version = 3; CREATE TABLE a (id INTEGER PRIMARY KEY AUTOINCREMENT, "
		  "v TEXT NOT NULL, n REAL "
		  "DEFAULT 1);\nCREATE VIEW w AS SELECT 1; CREATE TABLE b (k TEXT PRIMARY KEY) "
		  "STRICT, WITHOUT ROWID;");
	ck_assert_msg(ask_given(&r, &tables) == 0, "%s", r.err.text);
	ck_assert_uint_eq(tables.count, 2);
	ck_assert_int_eq(tables.kinds, 1 << ETL_TABLE);
	snprintf(expected, sizeof(expected), "id:%d!+ v:%d! n:%d=", ETL_INT64, ETL_TEXT,
		 ETL_FLOAT64);
	ck_assert_str_eq(tables.names[0], "a");
	ck_assert_str_eq(tables.columns[0], expected);
	ck_assert_str_eq(tables.names[1], "b");
	ck_assert_uint_eq(tables.flags[1], ETL_NO_ROWID | ETL_STRICT_TYPES);
	/* Again, of the same. */
	ck_assert_int_eq(ask_given(&r, &tables), 0);
	ck_assert_uint_eq(tables.count, 2);
	ck_assert(!is_there("x.db"));
	end(&r);
}
END_TEST

START_TEST(nothing_without_the_option)
{
	struct tables tables;
	struct target_run r;

	start_run(&r, "x.db", ETL_EXISTING_FAIL);
	open_run(&r);
	ck_assert_int_eq(ask_given(&r, &tables), 0);
	ck_assert_uint_eq(tables.count, 0);
	end(&r);
}
END_TEST

static struct host_steps steps;

/* The first table of the file gets rows. */
START_TEST(what_gets_no_rows_comes_too)
{
	static const struct etl_load *loads[1];
	struct target_run r;

	start(&r, "PRAGMA application_id = 5;\nCREATE TABLE t (id INTEGER PRIMARY KEY, /* why */ "
		  "v);\nCREATE INDEX tv ON "
		  "t(v);\nCREATE TABLE u (x UNIQUE);\nCREATE INDEX ux ON u(x  DESC);\nCREATE VIEW "
		  "w AS SELECT * FROM u;\n"
		  "CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT 1; END;");
	loads[0] = &r.load;
	r.run.loads = loads;
	r.run.load_count = 1;
	/* As the host gives it: the pipeline's shape, without a text, beside the file's. */
	r.load.given = &r.table;
	r.table.ddl = "CREATE TABLE t (id INTEGER PRIMARY KEY, /* why */ v)";
	memset(&steps, 0, sizeof(steps));
	steps.sink.emit = host_take_step;
	ck_assert_msg(sqlite_LTX_etl_plugin()->schema->design(r.inst, &r.table, &r.load,
							      &steps.sink, &r.err) == 0,
		      "%s", r.err.text);
	ck_assert_str_eq(host_find_step(&steps, "table", "t")->sql, r.table.ddl);
	ck_assert_str_eq(host_find_step(&steps, "table", "u")->sql, "CREATE TABLE u (x UNIQUE)");
	ck_assert_int_eq(host_find_step(&steps, "index", "ux")->phase, ETL_PHASE_PREPARE);
	ck_assert_str_eq(host_find_step(&steps, "index", "ux")->sql,
			 "CREATE INDEX ux ON u(x  DESC)");
	ck_assert_int_eq(host_find_step(&steps, "view", "w")->phase, ETL_PHASE_LAST);
	ck_assert_int_eq(host_find_step(&steps, "trigger", "g")->phase, ETL_PHASE_LAST);
	ck_assert_str_eq(host_find_step(&steps, "setting", "application_id")->sql,
			 "PRAGMA application_id = 5");
	end(&r);
}
END_TEST

static const struct {
	const char *text, *words;
} wrong[] = {
	{ "CREATE TABLE t (x);\n\nCREATE INDEX i ON t\n(y);", "s.sql:4: no such column: y" },
	{ "CREATE TABLE t (x);\nINSERT INTO t VALUES (1);", "s.sql:2: a schema file makes tables" },
	{ "\n\n ATTACH ':memory:' AS m", "s.sql:3: it reaches for another file" },
	{ "CREATE TABLE temp.t (x)", "s.sql:1: what is temporary" },
	{ "CREATE TABLE t (x); CREATE TABLE u AS SELECT * FROM t",
	  "s.sql:1: a table made of a SELECT" },
	{ "PRAGMA main.page_size = 512; PRAGMA temp_store_directory = '/'",
	  "s.sql:1: this PRAGMA" },
	{ "CREATE TABLE t (x); /* never closed", NULL },
	{ "CREATE TABLE t (x); 'text'", "s.sql:1: near \"'text'\"" },
	{ ";;;", " makes no table" },
	{ "", " makes no table" },
	{ "CREATE TABLE t (x); BEGIN", " leaves a transaction open" },
};

START_TEST(refused_with_the_line)
{
	struct tables tables;
	struct target_run r;
	int rc;

	start(&r, wrong[_i].text);
	rc = ask_given(&r, &tables);
	ck_assert_int_eq(rc, wrong[_i].words ? ETL_FAILED : ETL_OK);
	if (wrong[_i].words) {
		ck_assert_int_eq(r.err.klass, ETL_USAGE);
		ck_assert_msg(strstr(r.err.text, wrong[_i].words) != NULL, "%s", r.err.text);
		/* Nothing of it is remembered: it fails again. */
		memset(&r.err, 0, sizeof(r.err));
		ck_assert_int_eq(ask_given(&r, &tables), ETL_FAILED);
	}
	end(&r);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("a schema file for SQLite");
	TCase *tests = tcase_create("given");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tests, make_folder, remove_folder);
	tcase_add_test(tests, tables_with_their_shape);
	tcase_add_test(tests, nothing_without_the_option);
	tcase_add_test(tests, what_gets_no_rows_comes_too);
	tcase_add_loop_test(tests, refused_with_the_line, 0, (int)(sizeof(wrong) / sizeof(*wrong)));
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
