/* What of a T-SQL query may not stand in parentheses; and expressions without the parentheses that SQL Server adds. */
#include "config.h"

#include <check.h>
#include <stdlib.h>

#include "plugins/odbc/describe-tsql.h"
#include "plugins/odbc/select.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

static const struct {
	const char *query, *with, *middle, *option;
	bool needs_offset;
} queries[] = {
	{ "SELECT a FROM t", "", "SELECT a FROM t", "", false },
	{ "SELECT a FROM t ORDER BY a", "", "SELECT a FROM t ORDER BY a", "", true },
	{ "select top (3) a from t order by a", "", "select top (3) a from t order by a", "", false },
	{ "SELECT DISTINCT TOP 3 a FROM t ORDER BY a", "", "SELECT DISTINCT TOP 3 a FROM t ORDER BY a", "", false },
	{ "SELECT a FROM t ORDER BY a OFFSET 3 ROWS", "", "SELECT a FROM t ORDER BY a OFFSET 3 ROWS", "", false },
	{ "SELECT ROW_NUMBER() OVER (ORDER BY a) AS n FROM t", "", "SELECT ROW_NUMBER() OVER (ORDER BY a) AS n FROM t", "", false },
	{ "SELECT a FROM t WHERE b = 'ORDER BY' AND [ORDER BY] = 1 -- ORDER BY\n", "",
	  "SELECT a FROM t WHERE b = 'ORDER BY' AND [ORDER BY] = 1 -- ORDER BY\n", "", false },
	{ "SELECT /* ORDER BY /* nested */ ORDER BY */ a FROM t", "", "SELECT /* ORDER BY /* nested */ ORDER BY */ a FROM t", "",
	  false },
	{ "WITH x AS (SELECT a FROM t) SELECT a FROM x ORDER BY a OPTION (MAXRECURSION 0)", "WITH x AS (SELECT a FROM t) ",
	  "SELECT a FROM x ORDER BY a ", "OPTION (MAXRECURSION 0)", true },
	{ "/* first */ with x (n) as (select ')'), [y ]]z] as (select 1) select * from x", "/* first */ with x (n) as (select ')'), [y ]]z] as (select 1) ",
	  "select * from x", "", false },
	{ "SELECT a FROM t WITH (NOLOCK)", "", "SELECT a FROM t WITH (NOLOCK)", "", false },
	{ "SELECT 'it''s", "", "SELECT 'it''s", "", false },
	{ "", "", "", "", false },
};

static void same(const char *wanted, const char *at, const char *end)
{
	ck_assert_msg(strlen(wanted) == (size_t)(end - at) && memcmp(wanted, at, strlen(wanted)) == 0, "\"%.*s\" is not \"%s\"",
		      (int)(end - at), at, wanted);
}

START_TEST(parts)
{
	const char *query = queries[_i].query;
	struct query_parts q;

	query_split(query, strlen(query), &q);
	same(queries[_i].with, query, q.select);
	same(queries[_i].middle, q.select, q.option);
	same(queries[_i].option, q.option, q.end);
	ck_assert_msg(q.needs_offset == queries[_i].needs_offset, "%s", query);
}
END_TEST

static const struct {
	const char *sql, *bare;
} wrapped[] = {
	{ "((0))", "0" },
	{ "('x')", "'x'" },
	{ "(N'it''s (so)')", "N'it''s (so)'" },
	{ "([Qty]>(0) AND [Qty]<(1000))", "[Qty]>(0) AND [Qty]<(1000)" },
	{ "(a) OR (b)", "(a) OR (b)" },
	{ "((a) OR (b))", "(a) OR (b)" },
	{ "([a)]]b]=')')", "[a)]]b]=')'" },
	{ "getdate()", "getdate()" },
	{ "(getdate())", "getdate()" },
	{ "(", "(" },
	{ "()", "" },
	{ "", "" },
};

START_TEST(bare)
{
	struct odbc_describing d = { .objects = NULL };
	struct tsql_catalog t = { .d = &d };

	ck_assert_str_eq(tsql_bare(&t, wrapped[_i].sql), wrapped[_i].bare);
	ck_assert_ptr_null(tsql_bare(&t, NULL));
	etl_arena_free(&d.memory);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("odbc_query");
	TCase *all = tcase_create("all");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(all, parts, 0, (int)COUNT(queries));
	tcase_add_loop_test(all, bare, 0, (int)COUNT(wrapped));
	suite_add_tcase(suite, all);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
