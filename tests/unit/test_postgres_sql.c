/*
 * Expressions of SQLite's SQL in PostgreSQL's: each line is what stands in a schema, and what must come of it. That
 * the two mean the same over the same rows is what tests/e2e/postgres_design.test sees.
 */
#include "config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "plugins/postgres/sql-from-sqlite.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

static const struct sql_column columns[] = {
	{ "i", "i", SQL_INT, false, false },	   { "r", "r", SQL_REAL, false, false },
	{ "n", "n", SQL_NUMERIC, false, false },   { "s", "s", SQL_TEXT, false, false },
	{ "b", "b", SQL_BOOL, false, false },	   { "x", "x", SQL_BYTES, false, false },
	{ "d", "d", SQL_DATE, false, false },	   { "ts", "ts", SQL_TIMESTAMP, false, false },
	{ "j", "j", SQL_JSON, false, false },	   { "nc", "nc", SQL_TEXT, true, false },
	{ "Old Name", "new_name", SQL_INT, false, false }, { "g", "g", SQL_INT, false, true },
	{ "u", "u", SQL_UUID, false, false },	   { "t", "t", SQL_TEXT, false, false },
	{ "null", "null", SQL_INT, false, false }, { "current_date", "cd", SQL_TEXT, false, false },
};
static const struct sql_scope scope = { "tab", columns, COUNT(columns), "nocase" };

static void check_one(const char *sql, enum sql_use use, enum sql_kind want, const char *expected, int32_t verdict)
{
	struct sql_result result = { 0 };
	struct etl_text text = { 0 };
	int rc = sql_from_sqlite(&scope, sql, use, want, &text, &result);

	if (expected) {
		ck_assert_msg(rc == 1, "%s: %s", sql, result.why);
		ck_assert_msg(strcmp(text.at, expected) == 0, "%s\n  is %s\n  not %s", sql, text.at, expected);
		ck_assert_msg(result.verdict == verdict, "%s: verdict %d (%s)", sql, result.verdict,
			      result.note ? result.note : "");
	} else {
		ck_assert_msg(rc == 0, "%s is %s", sql, text.at);
		ck_assert_msg(*result.why, "%s", sql);
		ck_assert_msg(text.length == 0, "%s", sql);
	}
	etl_text_free(&text);
}

START_TEST(checks)
{
	static const struct {
		const char *sql, *expected;
		int32_t verdict;
	} all[] = {
		{ "i > 0", "\"i\" > 0", ETL_EXACT },
		{ "i>=0 and i<=10", "\"i\" >= 0 AND \"i\" <= 10", ETL_EXACT },
		{ "[Old Name] == 1 OR `i` != 2", "\"new_name\" = 1 OR \"i\" <> 2", ETL_EXACT },
		{ "tab.i BETWEEN -1 AND +5", "\"i\" BETWEEN -1 AND 5", ETL_EXACT },
		{ "s IN ('a', \"c\")", "\"s\" IN ('a', 'c')", ETL_EXACT },
		{ "s NOT IN ('it''s')", "\"s\" NOT IN ('it''s')", ETL_EXACT },
		{ "i", "\"i\" <> 0", ETL_EXACT },
		{ "NOT i", "NOT \"i\" <> 0", ETL_EXACT },
		{ "b", "\"b\"", ETL_EXACT },
		{ "b IN (0, 1)", "\"b\" IN (false, true)", ETL_EXACT },
		{ "i IS NULL OR \"null\" > 1", "\"i\" IS NULL OR \"null\" > 1", ETL_EXACT },
		{ "b IN (0, 2)", "\"b\"::integer IN (0, 2)", ETL_EXACT },
		{ "b NOT IN (TRUE, i)", "\"b\"::integer NOT IN (1, \"i\")", ETL_EXACT },
		{ "1 IN (b, 2)", "1 IN (\"b\"::integer, 2)", ETL_EXACT },
		{ "i << 63 > 1 >> TRUE", "\"i\"::bigint << 63 > 1::bigint >> 1", ETL_EXACT },
		{ "b = 1", "\"b\" = true", ETL_EXACT },
		{ "b < 2", "\"b\"::integer < 2", ETL_EXACT },
		{ "(i > 0) + (r > 0) = 1", "(\"i\" > 0)::integer + (\"r\" > 0)::integer = 1", ETL_EXACT },
		{ "length(s) <= 5", "length(\"s\") <= 5", ETL_EXACT },
		{ "length(x) = 16", "length(\"x\") = 16", ETL_EXACT },
		{ "s IS NOT NULL", "\"s\" IS NOT NULL", ETL_EXACT },
		{ "s ISNULL OR s NOTNULL OR s NOT NULL", "\"s\" IS NULL OR \"s\" IS NOT NULL OR \"s\" IS NOT NULL",
		  ETL_EXACT },
		{ "i IS r", "\"i\" IS NOT DISTINCT FROM \"r\"", ETL_EXACT },
		{ "i IS NOT 3", "\"i\" IS DISTINCT FROM 3", ETL_EXACT },
		{ "s LIKE 'a%'", "\"s\" COLLATE \"C\" ILIKE 'a%' ESCAPE ''", ETL_EXACT },
		{ "nc NOT LIKE '%!%' ESCAPE '!'", "\"nc\" COLLATE \"C\" NOT ILIKE '%!%' ESCAPE '!'", ETL_EXACT },
		{ "s < 'm'", "\"s\" COLLATE \"C\" < 'm'", ETL_EXACT },
		{ "s BETWEEN 'a' AND 'f'", "\"s\" COLLATE \"C\" BETWEEN 'a' AND 'f'", ETL_EXACT },
		{ "nc = 'a'", "\"nc\" = 'a'", ETL_APPROXIMATED },
		{ "s = 'a' COLLATE NOCASE", "\"s\" COLLATE \"nocase\" = 'a'", ETL_APPROXIMATED },
		{ "s = nc", "\"s\" COLLATE \"C\" = \"nc\"", ETL_EXACT },
		{ "d >= '2000-01-01'", "\"d\" >= DATE '2000-01-01'", ETL_EXACT },
		{ "ts > '2000-01-01 00:00:00'", "\"ts\" > TIMESTAMP '2000-01-01 00:00:00'", ETL_EXACT },
		{ "ts > '2000-01-01'", "\"ts\" > TIMESTAMP '2000-01-01'", ETL_APPROXIMATED },
		{ "i / 2 = 1", "\"i\" / 2 = 1", ETL_EXACT },
		{ "i / (i - 1) > 1", "\"i\" / nullif(\"i\" - 1, 0) > 1", ETL_EXACT },
		{ "i % 2 = 0", "\"i\" % 2 = 0", ETL_EXACT },
		{ "n * i >= 0", "\"n\" * \"i\" >= 0", ETL_APPROXIMATED },
		{ "r * 1.5 > 1e3", "\"r\" * 1.5::double precision > 1e3", ETL_EXACT },
		{ "CASE WHEN i > 0 THEN s IS NULL ELSE 1 END",
		  "CASE WHEN \"i\" > 0 THEN (\"s\" IS NULL)::integer ELSE 1 END <> 0", ETL_EXACT },
		{ "CASE s WHEN 'a' THEN 1 END", "CASE WHEN \"s\" = 'a' THEN 1 END <> 0", ETL_EXACT },
		{ "typeof(i) = 'integer'", "CASE WHEN \"i\" IS NULL THEN 'null' ELSE 'integer' END = 'integer'",
		  ETL_EXACT },
		{ "coalesce(i, 0) + ifnull(r, 1) > 0",
		  "coalesce(\"i\", 0)::double precision + coalesce(\"r\", 1) > 0", ETL_EXACT },
		{ "max(i, 3) > 0",
		  "CASE WHEN \"i\" IS NOT NULL AND 3 IS NOT NULL THEN greatest(\"i\", 3) END > 0", ETL_EXACT },
		{ "json_valid(j)", "(\"j\" IS NOT NULL OR NULL)", ETL_EXACT },
		{ "i & 3 = 1", "\"i\" & 3 = 1", ETL_EXACT },
		{ "-i < - -1", "-\"i\" < -(-1)", ETL_EXACT },
		{ "u = '00000000-0000-0000-0000-000000000000'",
		  "\"u\" = UUID '00000000-0000-0000-0000-000000000000'", ETL_APPROXIMATED },
		{ "TRUE", "true", ETL_EXACT },
		{ "i = 0x10", "\"i\" = 16", ETL_EXACT },
		{ "i IN ()", "false", ETL_EXACT },
		{ "t = 'x'", "\"t\" = 'x'", ETL_EXACT },
		{ "i /* why */ > 0 -- not", "\"i\" > 0", ETL_EXACT },
	};
	size_t k;

	for (k = 0; k < COUNT(all); k++)
		check_one(all[k].sql, SQL_IN_CHECK, SQL_BOOL, all[k].expected, all[k].verdict);
}
END_TEST

START_TEST(refusals)
{
	static const char *const all[] = {
		"s GLOB 'a*'", "s MATCH 'a'", "s REGEXP 'a'", "i IN (SELECT 1)", "EXISTS (SELECT 1)", "(SELECT 1) > 0",
		"s > 5", "s = i", "s", "j = '{}'", "d = 'yesterday'", "ts < 5", "random() > 0", "printf('%d', i) = '1'",
		"nothing > 0", "other.i > 0", "[nothing] = 1", "i >", "i > 0)", "(i > 0", "i ?1", "typeof(r) = 'real'",
		"CURRENT_TIMESTAMP > ts", "substr(s, -1) = 'a'", "n / 2 > 1", "r % 2 = 0", "CAST(s AS INTEGER) > 0",
		"CAST(r AS TEXT) = '1.0'", "d || 'x' = 'y'", "s COLLATE RTRIM = 'a'", "x = 'a'", "", "i > 0;", "'unclosed",
		"rowid > 0", "s -> 'a' = 1", "d LIKE '2%'", "abs(s) > 1", "i << i = 1", "i << 64 = 1", "i >> -1 = 1", "i << -9223372036854775808 = 1",
		"b IN (1, 'x')", "raise(ABORT, 'x')",
	};
	char deep[1024];
	size_t k;

	for (k = 0; k < COUNT(all); k++)
		check_one(all[k], SQL_IN_CHECK, SQL_BOOL, NULL, 0);
	memset(deep, '(', 500);
	snprintf(deep + 500, 8, "i");
	memset(deep + 501, ')', 500);
	deep[1001] = '\0';
	check_one(deep, SQL_IN_CHECK, SQL_BOOL, NULL, 0);
}
END_TEST

START_TEST(defaults)
{
	static const struct {
		const char *sql;
		enum sql_kind want;
		const char *expected;
		int32_t verdict;
	} all[] = {
		{ "0", SQL_INT, "0", ETL_EXACT },
		{ "-1.5", SQL_REAL, "-1.5", ETL_EXACT },
		{ "(1+1)", SQL_REAL, "1 + 1", ETL_EXACT },
		{ "1", SQL_BOOL, "true", ETL_EXACT },
		{ "'5'", SQL_INT, "5", ETL_EXACT },
		{ "5", SQL_TEXT, "'5'", ETL_EXACT },
		{ "\"abc\"", SQL_TEXT, "'abc'", ETL_EXACT },
		{ "NULL", SQL_DATE, "NULL", ETL_EXACT },
		{ "x'00ff'", SQL_BYTES, "'\\x00ff'::bytea", ETL_EXACT },
		{ "'2000-01-01'", SQL_DATE, "DATE '2000-01-01'", ETL_EXACT },
		{ "'{}'", SQL_JSON, "'{}'", ETL_EXACT },
		{ "TRUE", SQL_INT, "1", ETL_EXACT },
		{ "CURRENT_TIMESTAMP", SQL_TIMESTAMP,
		  "date_trunc('second', CURRENT_TIMESTAMP AT TIME ZONE 'UTC')", ETL_EXACT },
		{ "(datetime('now'))", SQL_TEXT,
		  "to_char(CURRENT_TIMESTAMP AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')", ETL_EXACT },
		{ "CURRENT_DATE", SQL_DATE, "(CURRENT_TIMESTAMP AT TIME ZONE 'UTC')::date", ETL_EXACT },
		{ "(strftime('%s','now'))", SQL_INT, "floor(extract(epoch FROM CURRENT_TIMESTAMP))::bigint",
		  ETL_EXACT },
		{ "(strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))", SQL_TEXT,
		  "to_char(CURRENT_TIMESTAMP AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')", ETL_EXACT },
		{ "'a' || 'b'", SQL_TEXT, "'a' || 'b'", ETL_EXACT },
		{ "-9223372036854775808", SQL_INT, "(-9223372036854775808)", ETL_EXACT },
		{ "'new''ish'", SQL_TEXT, "'new''ish'", ETL_EXACT },
		/* What the column could not hold. */
		{ "''", SQL_INT, NULL, 0 },
		{ "'soon'", SQL_DATE, NULL, 0 },
		{ "0", SQL_TIMESTAMP, NULL, 0 },
		{ "1.5", SQL_INT, NULL, 0 },
		{ "i", SQL_INT, NULL, 0 },
		{ "(random())", SQL_INT, NULL, 0 },
		{ "(datetime('now', 'localtime'))", SQL_TEXT, NULL, 0 },
	};
	size_t k;

	for (k = 0; k < COUNT(all); k++)
		check_one(all[k].sql, SQL_IN_DEFAULT, all[k].want, all[k].expected, all[k].verdict);
}
END_TEST

START_TEST(generated_and_indexed)
{
	check_one("i * 2", SQL_IN_GENERATED, SQL_INT, "\"i\" * 2", ETL_EXACT);
	check_one("i > 2", SQL_IN_GENERATED, SQL_INT, "(\"i\" > 2)::integer", ETL_EXACT);
	check_one("i > 2", SQL_IN_GENERATED, SQL_BOOL, "\"i\" > 2", ETL_EXACT);
	check_one("s || '-' || i", SQL_IN_GENERATED, SQL_TEXT, "\"s\" || '-' || \"i\"::text", ETL_EXACT);
	check_one("lower(s)", SQL_IN_GENERATED, SQL_TEXT, "lower(\"s\" COLLATE \"C\")", ETL_EXACT);
	check_one("lower(nc)", SQL_IN_GENERATED, SQL_TEXT, "lower((\"nc\" COLLATE \"C\") COLLATE \"C\")", ETL_EXACT);
	check_one("g + 1", SQL_IN_GENERATED, SQL_INT, NULL, 0);
	check_one("r * 2", SQL_IN_GENERATED, SQL_INT, NULL, 0);
	check_one("CAST(r AS INTEGER)", SQL_IN_GENERATED, SQL_INT, "trunc(\"r\")::bigint", ETL_APPROXIMATED);
	check_one("lower(s)", SQL_IN_INDEX, SQL_NONE, "lower(\"s\")", ETL_APPROXIMATED);
	check_one("s COLLATE NOCASE", SQL_IN_INDEX, SQL_NONE, "\"s\" COLLATE \"nocase\"", ETL_EXACT);
	check_one("substr(s, 1, 3)", SQL_IN_INDEX, SQL_NONE, "substr(\"s\", 1, 3)", ETL_EXACT);
	check_one("i IS NOT NULL AND b", SQL_IN_WHERE, SQL_BOOL, "\"i\" IS NOT NULL AND \"b\"", ETL_EXACT);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("postgres_sql");
	TCase *tests = tcase_create("postgres_sql");
	SRunner *runner;
	int failed;

	tcase_add_test(tests, checks);
	tcase_add_test(tests, refusals);
	tcase_add_test(tests, defaults);
	tcase_add_test(tests, generated_and_indexed);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
