/*
 * What the plugin says of a database: the objects, what SQLite enforces of their types, and every part of a
 * constraint. Also what it says of files that are no database.
 */
#include "config.h"

#include <sys/stat.h>

#include "sqlite_story.h"

#define TABLES 24

/* Copies of what the tests look at; the strings live in the sink's own buffer. */
struct seen {
	struct etl_table_sink sink;
	void (*look)(const struct etl_table *);
	const char *want;
	int count, looked;
	char names[TABLES][64];
	int32_t kinds[TABLES];
	char ddl[TABLES][512];
};

static int see(struct etl_table_sink *self, const struct etl_table *t)
{
	struct seen *s = (struct seen *)(void *)self;

	ck_assert_int_lt(s->count, TABLES);
	snprintf(s->names[s->count], 64, "%s", t->name);
	snprintf(s->ddl[s->count], 512, "%s", t->ddl ? t->ddl : "");
	s->kinds[s->count++] = t->kind;
	if (s->look && strcmp(t->name, s->want) == 0) {
		s->look(t);
		s->looked++;
	}
	return ETL_OK;
}

static void look_at(struct story *s, const char *table, void (*look)(const struct etl_table *))
{
	struct seen seen = { .sink = { see }, .look = look, .want = table };
	struct etl_dataset d = { .table = table };

	ck_assert_msg(sqlite_describe(s->inst, &d, &seen.sink, &s->err) == ETL_OK, "%s", s->err.text);
	ck_assert_int_eq(seen.looked, 1);
}

static const struct etl_column *column(const struct etl_table *t, const char *name)
{
	for (size_t i = 0; i < t->column_count; i++) {
		const struct etl_column *c = ETL_AT(const struct etl_column, t->columns, t->column_size, i);

		if (strcmp(c->name, name) == 0)
			return c;
	}
	ck_abort_msg("no column %s", name);
}

static const char corners[] =
	"CREATE TABLE dept (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE,"
	" budget NUMERIC DEFAULT 0 CHECK (budget >= 0), opened DATE, closed DATETIME, active BOOLEAN NOT NULL "
	"DEFAULT 1);"
	"CREATE TABLE \"order\" (\"select\" INTEGER NOT NULL, \"qu\"\"ote\" TEXT, PRIMARY KEY (\"select\")) WITHOUT "
	"ROWID;"
	"CREATE TABLE employee (id INTEGER PRIMARY KEY, dept_id INTEGER CONSTRAINT fd REFERENCES dept(id) ON DELETE "
	"SET NULL ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED, boss INTEGER REFERENCES employee, status TEXT "
	"DEFAULT 'new''ish', w TEXT DEFAULT \"word\", hired TEXT DEFAULT CURRENT_TIMESTAMP, calc REAL DEFAULT (1+1),"
	" code VARCHAR(8) COLLATE NOCASE, price DECIMAL(10,2), wide DECIMAL(60,2), note, data BLOB, tz TIMESTAMP "
	"WITH TIME ZONE, salary REAL, CONSTRAINT pay CHECK (salary > 0 OR note IS NOT NULL));"
	"CREATE TABLE audit (emp INTEGER, ord TEXT, twice INTEGER GENERATED ALWAYS AS (emp * 2) STORED, once AS (emp),"
	" CONSTRAINT un UNIQUE (ord COLLATE NOCASE, emp) ON CONFLICT IGNORE);"
	"CREATE TABLE s (a INT, b REAL, c TEXT, d BLOB, e ANY) STRICT;"
	"CREATE TABLE loose (id INT PRIMARY KEY, v);"
	"CREATE TABLE down (id INTEGER PRIMARY KEY DESC);"
	"CREATE VIRTUAL TABLE f USING fts5(body);"
	"CREATE UNIQUE INDEX ux ON employee(code) WHERE code IS NOT NULL;"
	"CREATE INDEX ix ON employee(dept_id, lower(status) DESC, note COLLATE RTRIM);"
	"CREATE VIEW v AS SELECT d.name, e.salary FROM employee e JOIN dept d ON d.id = e.dept_id;"
	"CREATE TRIGGER trg AFTER UPDATE ON employee BEGIN INSERT INTO audit(emp) VALUES (new.id); END;"
	"CREATE VIEW broken AS SELECT * FROM gone;"
	"INSERT INTO dept(id, name) VALUES (7, 'a'), (3, 'b'); DELETE FROM dept WHERE id = 7;"
	"PRAGMA user_version = 42;";

START_TEST(every_object_is_there)
{
	struct story *s = story_begin(corners);
	struct seen seen = { .sink = { see } };
	static const struct { const char *name; int32_t kind; } expected[] = {
		{ "dept", ETL_TABLE }, { "order", ETL_TABLE }, { "employee", ETL_TABLE }, { "audit", ETL_TABLE },
		{ "s", ETL_TABLE }, { "loose", ETL_TABLE }, { "down", ETL_TABLE }, { "f", ETL_VIRTUAL_TABLE },
		{ "f_data", ETL_SHADOW_TABLE }, { "f_idx", ETL_SHADOW_TABLE }, { "f_content", ETL_SHADOW_TABLE },
		{ "f_docsize", ETL_SHADOW_TABLE }, { "f_config", ETL_SHADOW_TABLE }, { "v", ETL_VIEW },
		{ "broken", ETL_VIEW }, { "trg", ETL_TRIGGER }, { "main", ETL_DATABASE },
	};

	ck_assert_msg(sqlite_describe(s->inst, NULL, &seen.sink, &s->err) == ETL_OK, "%s", s->err.text);
	ck_assert_int_eq(seen.count, 17);
	for (int i = 0; i < 17; i++) {
		ck_assert_str_eq(seen.names[i], expected[i].name);
		ck_assert_int_eq(seen.kinds[i], expected[i].kind);
	}
	ck_assert_ptr_nonnull(strstr(seen.ddl[16], "PRAGMA user_version = 42;\n"));
	ck_assert_ptr_nonnull(strstr(seen.ddl[16], "PRAGMA encoding = 'UTF-8';\n"));
	ck_assert_ptr_null(strstr(seen.ddl[16], "ANALYZE"));
	story_end(s);
}
END_TEST

static void dept(const struct etl_table *t)
{
	const struct etl_column *id = column(t, "id");

	ck_assert_str_eq(t->dialect, "sqlite");
	ck_assert_uint_eq(id->flags, ETL_IDENTITY | ETL_NEVER_REUSED | ETL_NOT_NULL | ETL_TYPED);
	ck_assert_int_eq(id->identity_last, 7);
	ck_assert_int_eq(id->type, ETL_INT64);
	ck_assert_uint_eq(t->primary.column_count, 1);
	ck_assert_uint_eq(t->unique_count, 1);
	ck_assert_str_eq(t->uniques[0].columns[0], "name");
	ck_assert_str_eq(t->checks[0].sql, "budget >= 0");
	ck_assert_str_eq(t->checks[0].column, "budget");
	ck_assert_int_eq(column(t, "opened")->type, ETL_DATE);
	ck_assert_int_eq(column(t, "closed")->type, ETL_TIMESTAMP);
	ck_assert_int_eq(column(t, "active")->type, ETL_BOOL);
	ck_assert_uint_eq(column(t, "active")->flags, ETL_NOT_NULL);
	ck_assert_str_eq(column(t, "active")->default_sql, "1");
	ck_assert_int_eq(t->rows, 1);
}

static void employee(const struct etl_table *t)
{
	const struct etl_foreign_key *f = t->foreign_keys;

	ck_assert_uint_eq(t->foreign_key_count, 2);
	ck_assert_str_eq(f[0].name, "fd");
	ck_assert_str_eq(f[0].parent, "dept");
	ck_assert_str_eq(f[0].parent_columns[0], "id");
	ck_assert_int_eq(f[0].on_delete, ETL_SET_NULL);
	ck_assert_int_eq(f[0].on_update, ETL_CASCADE);
	ck_assert_int_eq(f[0].deferrable, ETL_DEFERRABLE_DEFERRED);
	ck_assert_str_eq(f[1].parent, "employee");
	ck_assert_ptr_null(f[1].parent_columns);
	ck_assert_str_eq(column(t, "status")->default_sql, "'new''ish'");
	ck_assert_str_eq(column(t, "w")->default_sql, "'word'");
	ck_assert_str_eq(column(t, "hired")->default_sql, "CURRENT_TIMESTAMP");
	ck_assert_str_eq(column(t, "calc")->default_sql, "(1+1)");
	ck_assert_str_eq(column(t, "code")->collation, "NOCASE");
	ck_assert_int_eq(column(t, "code")->length, 8);
	ck_assert_int_eq(column(t, "price")->type, ETL_DECIMAL);
	ck_assert_int_eq(column(t, "price")->precision, 10);
	ck_assert_int_eq(column(t, "price")->scale, 2);
	ck_assert_int_eq(column(t, "wide")->type, ETL_NUMERIC);
	ck_assert_int_eq(column(t, "note")->type, ETL_ANY);
	ck_assert_int_eq(column(t, "tz")->type, ETL_INSTANT);
	ck_assert_uint_eq(column(t, "salary")->flags, 0);
	ck_assert_str_eq(t->checks[0].name, "pay");
	ck_assert_ptr_null(t->checks[0].column);
	ck_assert_uint_eq(t->index_count, 2);
	ck_assert_str_eq(t->indexes[0].name, "ux");
	ck_assert_uint_eq(t->indexes[0].flags, ETL_INDEX_UNIQUE);
	ck_assert_str_eq(t->indexes[0].where_sql, "code IS NOT NULL");
	ck_assert_ptr_null(t->indexes[0].parts[0].collation);
	ck_assert_str_eq(t->indexes[1].parts[0].column, "dept_id");
	ck_assert_str_eq(t->indexes[1].parts[1].expression, "lower(status)");
	ck_assert_int_eq(t->indexes[1].parts[1].descending, 1);
	ck_assert_str_eq(t->indexes[1].parts[2].collation, "RTRIM");
}

static void audit(const struct etl_table *t)
{
	ck_assert_uint_eq(column(t, "twice")->flags, ETL_GENERATED | ETL_STORED);
	ck_assert_str_eq(column(t, "twice")->generated_sql, "emp * 2");
	ck_assert_uint_eq(column(t, "once")->flags, ETL_GENERATED);
	ck_assert_str_eq(t->uniques[0].name, "un");
	ck_assert_str_eq(t->uniques[0].conflict_sql, "ON CONFLICT IGNORE");
	ck_assert_str_eq(t->uniques[0].collations[0], "NOCASE");
	ck_assert_uint_eq(t->primary.column_count, 0);
}

static void strict(const struct etl_table *t)
{
	ck_assert_uint_eq(t->flags, ETL_STRICT_TYPES);
	ck_assert_uint_eq(column(t, "a")->flags, ETL_TYPED);
	ck_assert_int_eq(column(t, "b")->type, ETL_FLOAT64);
	ck_assert_uint_eq(column(t, "c")->flags, 0);
	ck_assert_int_eq(column(t, "c")->type, ETL_TEXT);
	ck_assert_int_eq(column(t, "d")->type, ETL_BYTES);
	ck_assert_uint_eq(column(t, "e")->flags, 0);
	ck_assert_int_eq(column(t, "e")->type, ETL_ANY);
}

/* INT PRIMARY KEY takes NULL, and so does INTEGER PRIMARY KEY DESC: neither is the rowid. */
static void no_alias(const struct etl_table *t)
{
	ck_assert_uint_eq(column(t, "id")->flags, 0);
	ck_assert_uint_eq(t->primary.column_count, 1);
}

static void without_rowid(const struct etl_table *t)
{
	ck_assert_uint_eq(t->flags, ETL_NO_ROWID);
	ck_assert_uint_eq(column(t, "select")->flags, ETL_NOT_NULL);
	ck_assert_int_eq(column(t, "qu\"ote")->type, ETL_TEXT);
}

START_TEST(every_part_of_a_table_is_there)
{
	struct story *s = story_begin(corners);

	look_at(s, "dept", dept);
	look_at(s, "employee", employee);
	look_at(s, "audit", audit);
	look_at(s, "s", strict);
	look_at(s, "loose", no_alias);
	look_at(s, "down", no_alias);
	look_at(s, "order", without_rowid);
	story_end(s);
}
END_TEST

START_TEST(a_query_and_what_is_not_there)
{
	struct story *s = story_begin(corners);
	struct seen seen = { .sink = { see } };
	struct etl_dataset none = { .table = "nothing" };
	struct etl_dataset query = { .query = "SELECT id, salary * 2 AS twice FROM employee;" };
	struct etl_dataset twice = { .query = "SELECT 1 AS a, 2 AS A" };
	struct etl_dataset writes = { .query = "DELETE FROM employee RETURNING id" };

	ck_assert_int_eq(sqlite_describe(s->inst, &none, &seen.sink, &s->err), ETL_OK);
	ck_assert_int_eq(seen.count, 0);
	ck_assert_int_eq(sqlite_describe(s->inst, &query, &seen.sink, &s->err), ETL_OK);
	ck_assert_str_eq(seen.names[0], "query");
	ck_assert_int_eq(sqlite_describe(s->inst, &twice, &seen.sink, &s->err), ETL_FAILED);
	ck_assert_ptr_nonnull(strstr(s->err.text, "two columns called \"A\""));
	ck_assert_int_eq(sqlite_describe(s->inst, &writes, &seen.sink, &s->err), ETL_FAILED);
	ck_assert_int_eq(s->err.klass, ETL_USAGE);
	ck_assert_int_eq(s->err.failures, 2);
	story_end(s);
}
END_TEST

static void refused(const char *bytes, size_t size, const char *expected)
{
	struct story *s = story_begin(NULL);
	struct seen seen = { .sink = { see } };

	if (bytes) {
		FILE *f = fopen(s->path, "wb");

		ck_assert_ptr_nonnull(f);
		ck_assert_uint_eq(fwrite(bytes, 1, size, f), size);
		fclose(f);
	}
	ck_assert_int_eq(sqlite_describe(s->inst, NULL, &seen.sink, &s->err), ETL_FAILED);
	ck_assert_msg(strstr(s->err.text, expected) != NULL, "%s", s->err.text);
	ck_assert_ptr_nonnull(strstr(s->err.text, s->path));
	ck_assert_int_eq(s->err.failures, 1);
	story_end(s);
}

START_TEST(files_that_are_no_database)
{
	char noise[4096], text[4096];
	unsigned state = 1;
	size_t i;

	for (i = 0; i < sizeof(noise); i++) {
		state = state * 1103515245u + 12345u;
		noise[i] = (char)(state >> 16);
		text[i] = (char)('a' + i % 26);
	}
	refused(NULL, 0, "there is no such file");
	refused("", 0, "is empty (0 bytes)");
	refused(text, sizeof(text), "is not an SQLite database");
	refused("hello\n", 6, "is not an SQLite database");
	refused(noise, sizeof(noise), "looks encrypted");
	memcpy(text, "SQLite format 3", 16);
	refused(text, sizeof(text), "its header makes no sense");
}
END_TEST

START_TEST(a_folder_and_a_lock)
{
	struct story *s = story_begin("CREATE TABLE t (a)");
	struct seen seen = { .sink = { see } };
	sqlite3 *writer = NULL;

	ck_assert_int_eq(sqlite3_open(s->path, &writer), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(writer, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
	ck_assert_int_eq(sqlite_describe(s->inst, NULL, &seen.sink, &s->err), ETL_FAILED);
	ck_assert_ptr_nonnull(strstr(s->err.text, "busy_timeout"));
	ck_assert_int_eq(s->err.native, SQLITE_BUSY);
	sqlite3_close(writer);
	ck_assert_int_eq(sqlite_describe(s->inst, NULL, &seen.sink, &s->err), ETL_OK);
	story_end(s);
	s = story_begin(NULL);
	ck_assert_int_eq(mkdir(s->path, 0700), 0);
	ck_assert_int_eq(sqlite_describe(s->inst, NULL, &seen.sink, &s->err), ETL_FAILED);
	ck_assert_ptr_nonnull(strstr(s->err.text, "is a folder"));
	rmdir(s->path);
	story_end(s);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("sqlite describe");
	TCase *c = tcase_create("describe");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(c, every_object_is_there);
	tcase_add_test(c, every_part_of_a_table_is_there);
	tcase_add_test(c, a_query_and_what_is_not_there);
	tcase_add_test(c, files_that_are_no_database);
	tcase_add_test(c, a_folder_and_a_lock);
	suite_add_tcase(s, c);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
