/*
 * Parsing what SQLite stores of tables and indexes, and renaming in it. The statements are taken by SQLite
 * itself first, so no test asks for what it would refuse.
 */
#include "config.h"

#include <check.h>
#include <sqlite3.h>
#include <stdlib.h>

#include "plugins/sqlite/ddl.h"

static void sqlite_takes(const char *sql)
{
	sqlite3 *db = NULL;

	ck_assert_int_eq(sqlite3_open(":memory:", &db), SQLITE_OK);
	ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, "%s: %s", sql, sqlite3_errmsg(db));
	sqlite3_close(db);
}

static struct ddl_table parse(const char *sql)
{
	struct ddl_table t;

	sqlite_takes(sql);
	ck_assert_int_eq(ddl_table_parse(sql, &t), DDL_OK);
	return t;
}

START_TEST(columns_and_their_constraints)
{
	struct ddl_table t = parse(
		"CREATE TABLE IF NOT EXISTS \"or der\" (\n"
		"  id INTEGER CONSTRAINT pk PRIMARY KEY ON CONFLICT REPLACE AUTOINCREMENT, -- the key\n"
		"  [two words] UNSIGNED BIG INT (10 , 2) NOT NULL DEFAULT -5 CONSTRAINT pos CHECK (\"two words\" > "
		"(1) ),\n"
		"  note, when_ TEXT DEFAULT (datetime('now', ')')) COLLATE NOCASE UNIQUE ON CONFLICT IGNORE,\n"
		"  twice INT GENERATED ALWAYS AS (id * 2) STORED, thrice AS (id*3)\n)");
	const struct ddl_constraint *c;

	ck_assert_str_eq(t.name, "or der");
	ck_assert_uint_eq(t.column_count, 6);
	c = ddl_find(&t.columns[0], DDL_PRIMARY_KEY);
	ck_assert_str_eq(c->name, "pk");
	ck_assert_str_eq(c->conflict, "ON CONFLICT REPLACE");
	ck_assert(c->autoincrement);
	ck_assert_str_eq(t.columns[1].name, "two words");
	ck_assert_str_eq(t.columns[1].type, "UNSIGNED BIG INT (10 , 2)");
	ck_assert_str_eq(ddl_find(&t.columns[1], DDL_DEFAULT)->text, "-5");
	c = ddl_find(&t.columns[1], DDL_CHECK);
	ck_assert_str_eq(c->name, "pos");
	ck_assert_str_eq(c->text, "\"two words\" > (1)");
	ck_assert_str_eq(t.columns[2].type, "");
	ck_assert_uint_eq(t.columns[2].constraint_count, 0);
	ck_assert_str_eq(ddl_find(&t.columns[3], DDL_DEFAULT)->text, "(datetime('now', ')'))");
	ck_assert_str_eq(ddl_find(&t.columns[3], DDL_COLLATE)->text, "NOCASE");
	ck_assert_str_eq(ddl_find(&t.columns[3], DDL_UNIQUE)->conflict, "ON CONFLICT IGNORE");
	ck_assert_str_eq(ddl_find(&t.columns[4], DDL_GENERATED)->text, "id * 2");
	ck_assert(ddl_find(&t.columns[4], DDL_GENERATED)->stored);
	ck_assert(!ddl_find(&t.columns[5], DDL_GENERATED)->stored);
	ck_assert_str_eq(ddl_find_column(&t, "TWICE")->type, "INT");
	ddl_table_free(&t);
}
END_TEST

START_TEST(constraints_of_the_table)
{
	struct ddl_table t = parse(
		"CREATE TABLE t (a INT REFERENCES p(x) ON DELETE SET NULL ON UPDATE CASCADE MATCH FULL "
		"DEFERRABLE INITIALLY DEFERRED NOT NULL, b TEXT,\n"
		" CONSTRAINT k PRIMARY KEY (a, b COLLATE NOCASE DESC), UNIQUE (b) ON CONFLICT FAIL "
		"CONSTRAINT c CHECK (a IS NOT NULL OR b <> 'x,y)'),"
		" CONSTRAINT f FOREIGN KEY (a, b) REFERENCES \"q r\" ON DELETE RESTRICT) WITHOUT ROWID, STRICT");
	const struct ddl_constraint *c = ddl_find(&t.columns[0], DDL_REFERENCES);

	ck_assert(t.without_rowid && t.strict);
	ck_assert_str_eq(c->reference.table, "p");
	ck_assert_str_eq(c->reference.columns[0], "x");
	ck_assert_int_eq(c->reference.on_delete, ETL_SET_NULL);
	ck_assert_int_eq(c->reference.on_update, ETL_CASCADE);
	ck_assert_int_eq(c->reference.deferrable, ETL_DEFERRABLE_DEFERRED);
	ck_assert_str_eq(c->reference.match, "FULL");
	ck_assert_ptr_nonnull(ddl_find(&t.columns[0], DDL_NOT_NULL));
	ck_assert_uint_eq(t.constraint_count, 4);
	ck_assert_str_eq(t.constraints[0].name, "k");
	ck_assert_str_eq(t.constraints[0].parts[1].collation, "NOCASE");
	ck_assert(t.constraints[0].parts[1].descending);
	ck_assert_ptr_null(t.constraints[1].name);
	ck_assert_str_eq(t.constraints[1].conflict, "ON CONFLICT FAIL");
	ck_assert_str_eq(t.constraints[2].text, "a IS NOT NULL OR b <> 'x,y)'");
	ck_assert_str_eq(t.constraints[3].reference.table, "q r");
	ck_assert_uint_eq(t.constraints[3].reference.column_count, 0);
	ck_assert_int_eq(t.constraints[3].reference.on_delete, ETL_RESTRICT);
	ddl_table_free(&t);
}
END_TEST

START_TEST(indexes)
{
	struct ddl_index i;

	ck_assert_int_eq(ddl_index_parse("CREATE UNIQUE INDEX \"i x\" ON t(a DESC, lower(b) COLLATE NOCASE, \"c\") "
					 "WHERE a > ';' AND b IS NULL;", &i), DDL_OK);
	ck_assert_str_eq(i.name, "i x");
	ck_assert(i.unique);
	ck_assert_uint_eq(i.part_count, 3);
	ck_assert(i.parts[0].descending);
	ck_assert_str_eq(i.parts[1].expression, "lower(b)");
	ck_assert_str_eq(i.parts[1].collation, "NOCASE");
	ck_assert_str_eq(i.parts[2].column, "c");
	ck_assert_str_eq(i.where, "a > ';' AND b IS NULL");
	ddl_index_free(&i);
	ck_assert_int_eq(ddl_index_parse("CREATE INDEX i ON t(a", &i), DDL_SYNTAX);
	ck_assert_int_eq(ddl_index_parse("CREATE TABLE t(a)", &i), DDL_SYNTAX);
}
END_TEST

/* Every cut of a statement is refused or parsed, never a crash, never a leak. */
START_TEST(cut_statements)
{
	static const char sql[] = "CREATE TABLE t (a INT DEFAULT (1) CHECK (a > 0) REFERENCES p(x) ON DELETE SET "
				  "NULL, CONSTRAINT u UNIQUE (a DESC), FOREIGN KEY (a) REFERENCES q) STRICT";
	struct ddl_table t;
	size_t n;

	for (n = 0; n < sizeof(sql) - 1; n++) {
		char *cut = strndup(sql, n);

		if (ddl_table_parse(cut, &t) == DDL_OK) {
			ck_assert_uint_ge(n, sizeof(sql) - 1 - strlen(" STRICT"));
			ddl_table_free(&t);
		}
		free(cut);
	}
}
END_TEST

START_TEST(the_rest_after_the_name)
{
	ck_assert_str_eq(ddl_after_name("CREATE TABLE IF NOT EXISTS main.[a b] (x)"), " (x)");
	ck_assert_ptr_null(ddl_after_name("CREATE VIEW v AS SELECT 1"));
}
END_TEST

static const struct ddl_name tables[] = { { NULL, "Old", "new t" }, { NULL, "p", "parent" } };
static const struct ddl_name columns[] = { { "Old", "a", "alpha" }, { "p", "x", "ex" }, { "Old", "key", "k" } };

static void renamed(const char *sql, const char *expected)
{
	struct ddl_names names = { "Old", tables, 2, columns, 3 };
	struct etl_text text = { 0 };

	ck_assert_int_eq(ddl_rename(sql, &names, &text), DDL_OK);
	ck_assert_str_eq(text.at, expected);
	etl_text_free(&text);
}

START_TEST(names_are_renamed_where_they_are_names)
{
	struct ddl_names names = { "Old", tables, 2, columns, 3 };
	struct etl_text text = { 0 };

	renamed("A > 'a' AND a(b) = \"a\" AND x", "\"alpha\" > 'a' AND a(b) = \"alpha\" AND x");
	renamed("CREATE TABLE old (a INT REFERENCES p(x), b CHECK (old.a > 0), PRIMARY KEY (a))",
		"CREATE TABLE \"new t\" (\"alpha\" INT REFERENCES \"parent\"(\"ex\"), b CHECK (\"new t\".\"alpha\" "
		"> 0), PRIMARY KEY (\"alpha\"))");
	renamed("CREATE INDEX i ON OLD(a, lower(a)) WHERE a > 0",
		"CREATE INDEX i ON \"new t\"(\"alpha\", lower(\"alpha\")) WHERE \"alpha\" > 0");
	renamed("CREATE TRIGGER g AFTER UPDATE OF a ON old BEGIN INSERT INTO p(x) VALUES (new.a); END",
		"CREATE TRIGGER g AFTER UPDATE OF \"alpha\" ON \"new t\" BEGIN INSERT INTO \"parent\"(\"ex\") VALUES "
		"(new.\"alpha\"); END");
	renamed("CREATE VIEW v AS SELECT p.x FROM q, p WHERE p.x IN (SELECT 'p')",
		"CREATE VIEW v AS SELECT \"parent\".\"ex\" FROM q, \"parent\" WHERE \"parent\".\"ex\" IN (SELECT 'p')");
	renamed("\"key\" > 1 AND z", "\"k\" > 1 AND z");
	/* Names that touch stay two. */
	renamed("SELECT a\"b\", \"b\"a FROM old", "SELECT \"alpha\" \"b\", \"b\" \"alpha\" FROM \"new t\"");
	ck_assert_int_eq(ddl_rename("key > 1", &names, &text), DDL_SYNTAX);
	ck_assert_ptr_null(text.at);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("sqlite ddl");
	TCase *c = tcase_create("ddl");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(c, columns_and_their_constraints);
	tcase_add_test(c, constraints_of_the_table);
	tcase_add_test(c, indexes);
	tcase_add_test(c, cut_statements);
	tcase_add_test(c, the_rest_after_the_name);
	tcase_add_test(c, names_are_renamed_where_they_are_names);
	suite_add_tcase(s, c);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
