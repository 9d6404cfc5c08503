/*
 * Expressions of SQLite's SQL, and of PostgreSQL's catalog, in T-SQL: each line is what stands in a schema, and what must
 * come of it. That a server takes them and means the same is what tests/e2e/odbc_design.test sees where there is one.
 */
#include "config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "plugins/odbc/tsql-from-postgresql.h"
#include "plugins/odbc/tsql-from-sqlite.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

static const struct tsql_column columns[] = {
	{ .was = "i", .name = "i", .kind = TSQL_INT, .wide = true },
	{ .was = "k", .name = "k", .kind = TSQL_INT },
	{ .was = "r", .name = "r", .kind = TSQL_REAL },
	{ .was = "n", .name = "n", .kind = TSQL_NUMERIC },
	{ .was = "s", .name = "s", .kind = TSQL_TEXT, .most = 20 },
	{ .was = "key", .name = "key", .kind = TSQL_TEXT, .most = 20, .binary = true },
	{ .was = "max", .name = "max", .kind = TSQL_TEXT },
	{ .was = "nc", .name = "nc", .kind = TSQL_TEXT, .most = 20, .nocase = true },
	{ .was = "b", .name = "b", .kind = TSQL_BIT },
	{ .was = "x", .name = "x", .kind = TSQL_BYTES },
	{ .was = "d", .name = "d", .kind = TSQL_DATE },
	{ .was = "ts", .name = "ts", .kind = TSQL_TIMESTAMP },
	{ .was = "u", .name = "u", .kind = TSQL_UUID },
	{ .was = "any", .name = "any", .kind = TSQL_NONE },
	{ .was = "Old Name", .name = "new]name", .kind = TSQL_INT, .wide = true },
	{ .was = "g", .name = "g", .kind = TSQL_INT, .wide = true, .computed = true },
};
static const struct tsql_scope scope = { "tab", columns, COUNT(columns) };

static void check_one(const char *sql, enum tsql_use use, enum tsql_kind want, const char *expected, int32_t verdict)
{
	struct tsql_result result = { 0 };
	struct etl_text text = { 0 };
	int rc = tsql_from_sqlite(&scope, sql, use, want, &text, &result);

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

struct line {
	const char *sql, *expected;
	int32_t verdict;
};

static void check_all(const struct line *all, size_t count, enum tsql_use use, enum tsql_kind want)
{
	for (size_t k = 0; k < count; k++)
		check_one(all[k].sql, use, want, all[k].expected, all[k].verdict);
}

START_TEST(conditions)
{
	static const struct line all[] = {
		{ "i > 0", "[i] > 0", ETL_EXACT },
		{ "i>=0 and i<=10", "[i] >= 0 AND [i] <= 10", ETL_EXACT },
		{ "[Old Name] == 1 OR `i` != 2", "[new]]name] = 1 OR [i] <> 2", ETL_EXACT },
		{ "tab.i BETWEEN -1 AND +5", "[i] BETWEEN -1 AND 5", ETL_EXACT },
		{ "i > 3000000000", "[i] > CAST(3000000000 AS bigint)", ETL_EXACT },
		{ "i >= -9223372036854775808", "[i] >= CAST(-9223372036854775808 AS bigint)", ETL_EXACT },
		{ "i = 0x10", "[i] = 16", ETL_EXACT },
		{ "i", "[i] <> 0", ETL_EXACT },
		{ "NOT i", "NOT [i] <> 0", ETL_EXACT },
		{ "b", "[b] <> 0", ETL_EXACT },
		{ "b = TRUE", "[b] = 1", ETL_EXACT },
		{ "b IN (0, 1)", "[b] IN (0, 1)", ETL_EXACT },
		{ "b IS TRUE", "CASE WHEN [b] <> 0 THEN 1 ELSE 0 END = 1", ETL_EXACT },
		{ "b IS NOT FALSE", "CASE WHEN NOT [b] <> 0 THEN 1 ELSE 0 END = 0", ETL_EXACT },
		{ "(i > 0) + (r > 0) = 1",
		  "CAST(CASE WHEN [i] > 0 THEN 1 WHEN NOT ([i] > 0) THEN 0 END AS bigint) + CASE WHEN [r] > 0 THEN 1 WHEN NOT "
		  "([r] > 0) THEN 0 END = 1",
		  ETL_EXACT },
		{ "i = k = 0", "CASE WHEN [i] = [k] THEN 1 WHEN NOT ([i] = [k]) THEN 0 END = 0", ETL_EXACT },
		{ "i IS k", "CASE WHEN [i] = [k] OR ([i] IS NULL AND [k] IS NULL) THEN 1 ELSE 0 END = 1", ETL_EXACT },
		{ "i IS NOT 3", "CASE WHEN [i] = 3 THEN 1 ELSE 0 END = 0", ETL_EXACT },
		{ "i IS NULL OR s NOT NULL", "[i] IS NULL OR [s] IS NOT NULL", ETL_EXACT },
		{ "i IN ()", "1 = 0", ETL_EXACT },
		{ "(i OR k) AND r > 1", "([i] <> 0 OR [k] <> 0) AND [r] > 1", ETL_EXACT },
		/* Texts are compared as SQLite does, whatever the database's collation. */
		{ "s IN ('a', \"c\")", "[s] COLLATE Latin1_General_BIN2 IN (N'a', N'c')", ETL_APPROXIMATED },
		{ "key = 'it''s'", "[key] = N'it''s'", ETL_APPROXIMATED },
		{ "nc = 'a'", "[nc] = N'a'", ETL_APPROXIMATED },
		{ "s = 'a' COLLATE NOCASE", "[s] COLLATE Latin1_General_CI_AS = N'a'", ETL_APPROXIMATED },
		{ "s < 'm'", "[s] COLLATE Latin1_General_BIN2 < N'm'", ETL_APPROXIMATED },
		{ "s <> ''", "DATALENGTH([s]) <> 0", ETL_EXACT },
		{ "s > ''", "DATALENGTH([s]) > 0", ETL_EXACT },
		{ "s LIKE 'a[%'", "[s] COLLATE Latin1_General_CI_AS LIKE N'a[[]%'", ETL_APPROXIMATED },
		{ "s NOT LIKE '%!%' ESCAPE '!'", "[s] COLLATE Latin1_General_CI_AS NOT LIKE N'%[%]'", ETL_APPROXIMATED },
		{ "s LIKE '_!_!a' ESCAPE '!'", "[s] COLLATE Latin1_General_CI_AS LIKE N'_[_]a'", ETL_APPROXIMATED },
		{ "length(s) <= 5", "LEN(REPLACE([s], N' ', N'.')) <= 5", ETL_APPROXIMATED },
		{ "length(x) = 16", "DATALENGTH([x]) = 16", ETL_EXACT },
		{ "upper(s) = s",
		  "TRANSLATE([s] COLLATE Latin1_General_BIN2, N'abcdefghijklmnopqrstuvwxyz', N'ABCDEFGHIJKLMNOPQRSTUVWXYZ') COLLATE "
		  "Latin1_General_BIN2 = [s]",
		  ETL_APPROXIMATED },
		{ "substr(s, 2, 3) = 'x'", "SUBSTRING([s], 2, 3) COLLATE Latin1_General_BIN2 = N'x'", ETL_APPROXIMATED },
		{ "instr(s, '@') > 1", "CHARINDEX(N'@', [s] COLLATE Latin1_General_BIN2) > 1", ETL_APPROXIMATED },
		{ "typeof(i) = 'integer'", "CASE WHEN [i] IS NULL THEN N'null' ELSE N'integer' END = N'integer'",
		  ETL_APPROXIMATED },
		{ "json_valid(s)", "ISJSON([s]) = 1 OR ISJSON(N'[' + [s] + N']') = 1", ETL_APPROXIMATED },
		/* Numbers. */
		{ "i / 2 = 1", "[i] / 2 = 1", ETL_EXACT },
		{ "i / (i - 1) > 1", "[i] / NULLIF([i] - 1, 0) > 1", ETL_EXACT },
		{ "k * k > 1", "CAST([k] AS bigint) * [k] > 1", ETL_EXACT },
		{ "i / -k * 2 > 1", "[i] / NULLIF(-[k], 0) * 2 > 1", ETL_EXACT },
		{ "i * -2 < - -1", "[i] * (-2) < -(-1)", ETL_EXACT },
		{ "r * 1.5 > 1e3", "[r] * 1.5E0 > 1e3", ETL_EXACT },
		{ "n * i >= 0", "CAST([n] AS float) * [i] >= 0", ETL_EXACT },
		{ "n >= 0", "[n] >= 0", ETL_EXACT },
		{ "i & 3 = 1", "[i] & 3 = 1", ETL_EXACT },
		{ "max(i, 3) > 0", "CASE WHEN [i] >= 3 THEN [i] WHEN [i] IS NOT NULL THEN 3 END > 0", ETL_EXACT },
		{ "coalesce(i, 0) > 0", "COALESCE([i], 0) > 0", ETL_EXACT },
		{ "CASE s WHEN '' THEN 1 ELSE 0 END", "CASE WHEN DATALENGTH([s]) = 0 THEN 1 ELSE 0 END <> 0", ETL_EXACT },
		{ "i = '7'", "[i] = 7", ETL_EXACT },
		/* Dates. */
		{ "d >= '2000-01-01'", "[d] >= N'2000-01-01'", ETL_EXACT },
		{ "ts > '2000-01-01'", "[ts] > N'2000-01-01'", ETL_APPROXIMATED },
		{ "u = '00000000-0000-0000-0000-000000000000'", "[u] = N'00000000-0000-0000-0000-000000000000'",
		  ETL_APPROXIMATED },
		{ "any IS NOT NULL", "[any] IS NOT NULL", ETL_EXACT },
		{ "g > 0", "[g] > 0", ETL_EXACT },
	};

	check_all(all, COUNT(all), TSQL_IN_CHECK, TSQL_CONDITION);
}
END_TEST

START_TEST(refusals)
{
	static const char *const all[] = {
		"s GLOB 'a*'", "s REGEXP 'a'", "i IN (SELECT 1)", "hex(x) = 'FF'", "random() > 1", "x = x'00'", "any = 1",
		"s = 5.5", "s", "d > 'yesterday'", "i << 2", "n / 3 > 1", "r % 2 = 0", "s LIKE max", "substr(s, -1) = 'a'",
		"u < '00000000-0000-0000-0000-000000000000'", "typeof(any) = 'text'", "ts > datetime('now')",
		"ts > CURRENT_TIMESTAMP", "nobody > 1", "other.i > 1", "i >", "julianday(d) > 1", "instr(s, '') = 1",
		"round(r, i) > 1", "trim(s, 'x') = ''", "CAST(s AS INTEGER) > 1", "s MATCH 'x'", "i = 1 COLLATE NOCASE",
		"s = 'a' COLLATE RTRIM",
	};

	for (size_t k = 0; k < COUNT(all); k++)
		check_one(all[k], TSQL_IN_CHECK, TSQL_CONDITION, NULL, 0);
}
END_TEST

START_TEST(defaults)
{
	static const struct {
		const char *sql;
		enum tsql_kind want;
		const char *expected;
		int32_t verdict;
	} all[] = {
		{ "5", TSQL_INT, "5", ETL_EXACT },
		{ "-5", TSQL_INT, "-5", ETL_EXACT },
		{ "5", TSQL_TEXT, "N'5'", ETL_EXACT },
		{ "1.50", TSQL_NUMERIC, "1.50", ETL_EXACT },
		{ "1.5", TSQL_REAL, "1.5E0", ETL_EXACT },
		{ "'it''s'", TSQL_TEXT, "N'it''s'", ETL_EXACT },
		{ "\"abc\"", TSQL_TEXT, "N'abc'", ETL_EXACT },
		{ "abc", TSQL_TEXT, "N'abc'", ETL_EXACT },
		{ "''", TSQL_TEXT, "N''", ETL_EXACT },
		{ "x'00ff'", TSQL_BYTES, "0x00ff", ETL_EXACT },
		{ "'é'''", TSQL_BYTES, "0xc3a927", ETL_EXACT },
		{ "TRUE", TSQL_BIT, "1", ETL_EXACT },
		{ "0", TSQL_BIT, "0", ETL_EXACT },
		{ "NULL", TSQL_DATE, "NULL", ETL_EXACT },
		{ "'2024-02-29'", TSQL_DATE, "N'2024-02-29'", ETL_EXACT },
		{ "CURRENT_TIMESTAMP", TSQL_TIMESTAMP, "SYSUTCDATETIME()", ETL_WIDENED },
		{ "CURRENT_TIMESTAMP", TSQL_TEXT, "CONVERT(nvarchar(19), SYSUTCDATETIME(), 120)", ETL_EXACT },
		{ "(datetime('now'))", TSQL_INSTANT, "SYSUTCDATETIME()", ETL_WIDENED },
		{ "CURRENT_DATE", TSQL_DATE, "CAST(SYSUTCDATETIME() AS date)", ETL_EXACT },
		{ "(date('now'))", TSQL_TEXT, "CONVERT(nvarchar(10), SYSUTCDATETIME(), 23)", ETL_EXACT },
		{ "CURRENT_TIMESTAMP", TSQL_DATE, "CAST(SYSUTCDATETIME() AS date)", ETL_APPROXIMATED },
		{ "(unixepoch())", TSQL_INT, "DATEDIFF_BIG(second, '1970-01-01', SYSUTCDATETIME())", ETL_EXACT },
		{ "(strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))", TSQL_TEXT,
		  "REPLACE(CONVERT(nvarchar(23), SYSUTCDATETIME(), 121), N' ', N'T') + N'Z'", ETL_EXACT },
		{ "(1 + 1)", TSQL_INT, "CAST(1 AS bigint) + 1", ETL_EXACT },
		{ "(abs(random()))", TSQL_INT, NULL, 0 },
		{ "2", TSQL_BIT, NULL, 0 },
		{ "'abc'", TSQL_INT, NULL, 0 },
		{ "''", TSQL_DATE, NULL, 0 },
		{ "CURRENT_TIMESTAMP", TSQL_INT, NULL, 0 },
		{ "(i)", TSQL_INT, NULL, 0 },
		{ "(strftime('%W', 'now'))", TSQL_TEXT, NULL, 0 },
	};

	for (size_t k = 0; k < COUNT(all); k++)
		check_one(all[k].sql, TSQL_IN_DEFAULT, all[k].want, all[k].expected, all[k].verdict);
}
END_TEST

START_TEST(computed)
{
	static const struct line all[] = {
		{ "s || '-' || i", "[s] + N'-' + CAST([i] AS nvarchar(20))", ETL_EXACT },
		{ "max || s", "[max] + [s]", ETL_EXACT },
		{ "s || NULL", "[s] + CAST(NULL AS nvarchar(20))", ETL_EXACT },
		{ "lower(s)",
		  "TRANSLATE([s] COLLATE Latin1_General_BIN2, N'ABCDEFGHIJKLMNOPQRSTUVWXYZ', N'abcdefghijklmnopqrstuvwxyz')",
		  ETL_EXACT },
		{ "CASE WHEN d > '2024-01-01' THEN 'new' END",
		  "CASE WHEN [d] > CONVERT(date, N'2024-01-01', 121) THEN N'new' END", ETL_EXACT },
		{ "trim(s)", "LTRIM(RTRIM([s]))", ETL_EXACT },
		{ "r", NULL, 0 },
		{ "CURRENT_TIMESTAMP", NULL, 0 },
		{ "g", NULL, 0 },
	};

	check_all(all, COUNT(all), TSQL_IN_GENERATED, TSQL_TEXT);
	check_one("i > 1", TSQL_IN_GENERATED, TSQL_INT, "CASE WHEN [i] > 1 THEN 1 WHEN NOT ([i] > 1) THEN 0 END", ETL_EXACT);
	check_one("lower(s)", TSQL_IN_INDEX, TSQL_NONE, "LOWER([s])", ETL_APPROXIMATED);
	check_one("i * 2 + 1", TSQL_IN_INDEX, TSQL_NONE, "[i] * 2 + 1", ETL_EXACT);
}
END_TEST

START_TEST(filters)
{
	static const struct line all[] = {
		{ "i > 0 AND key IS NOT NULL", "[i] > 0 AND [key] IS NOT NULL", ETL_EXACT },
		{ "5 < i", "[i] > 5", ETL_EXACT },
		{ "key = 'a'", "[key] = N'a'", ETL_APPROXIMATED },
		{ "i BETWEEN 1 AND 5", "[i] >= 1 AND [i] <= 5", ETL_EXACT },
		{ "i IN (1, 2)", "[i] IN (1, 2)", ETL_EXACT },
		{ "i NOT IN (1, 2)", "[i] <> 1 AND [i] <> 2", ETL_EXACT },
		{ "b", "[b] <> 0", ETL_EXACT },
		{ "NOT b", "[b] = 0", ETL_EXACT },
		{ "i IS 3", "[i] = 3", ETL_EXACT },
		{ "n > 1.5", "[n] > 1.5", ETL_EXACT },
		{ "n IN (1, 1.5)", "[n] IN (1, 1.5)", ETL_EXACT },
		{ "d >= '2024-01-01'", "[d] >= N'2024-01-01'", ETL_EXACT },
		{ "i = 1 OR i = 2", NULL, 0 },
		{ "key LIKE 'a%'", NULL, 0 },
		{ "lower(key) = 'a'", NULL, 0 },
		{ "i = k", NULL, 0 },
		{ "g > 1", NULL, 0 },
		{ "i NOT BETWEEN 1 AND 2", NULL, 0 },
		{ "i > 1.5", NULL, 0 },
		{ "i IN (k)", NULL, 0 },
		{ "NOT (i = 1)", NULL, 0 },
	};

	check_all(all, COUNT(all), TSQL_IN_FILTER, TSQL_CONDITION);
}
END_TEST

START_TEST(strict)
{
	static const struct {
		const char *sql;
		bool strict;
	} all[] = { { "lower(s)", true }, { "i + k", true }, { "coalesce(i, 0)", false }, { "i / k", false },
		    { "CASE WHEN i THEN k END", false } };

	for (size_t k = 0; k < COUNT(all); k++) {
		struct tsql_result result = { 0 };
		struct etl_text text = { 0 };

		ck_assert_int_eq(tsql_from_sqlite(&scope, all[k].sql, TSQL_IN_INDEX, TSQL_NONE, &text, &result), 1);
		ck_assert_msg(result.strict == all[k].strict, "%s", all[k].sql);
		etl_text_free(&text);
	}
}
END_TEST

START_TEST(of_postgresql)
{
	static const struct {
		const char *sql, *expected;
	} all[] = {
		{ "'x'::text", "'x'" },
		{ "'it''s'::character varying(20)", "'it''s'" },
		{ "'\\x00ff'::bytea", "x'00ff'" },
		{ "now()", "CURRENT_TIMESTAMP" },
		{ "0", "0" },
		{ "true", "true" },
		{ "NULL::timestamp without time zone", "NULL" },
		{ "(price > (0)::numeric)", "(price > (0))" },
		{ "((a > 0) AND (b <= '10'::bigint))", "((a > 0) AND (b <= '10'))" },
		{ "(status = ANY (ARRAY['a'::text, 'b'::text]))", "(status IN ('a', 'b'))" },
		{ "((status)::text = ANY ((ARRAY['a'::character varying, 'b'::character varying])::text[]))",
		  "((status) IN ('a', 'b'))" },
		{ "(n <> ALL (ARRAY[1, 2]))", "(n NOT IN (1, 2))" },
		{ "(\"Odd :: name\" IS NOT NULL)", "(\"Odd :: name\" IS NOT NULL)" },
		{ "nextval('s'::regclass)", NULL },
		{ "(s ~ '^a'::text)", NULL },
		{ "(s ~~ 'a%'::text)", NULL },
		{ "gen_random_uuid()", NULL },
		{ "(tags[1] = 'a'::text)", NULL },
	};

	for (size_t k = 0; k < COUNT(all); k++) {
		struct etl_text text = { 0 };
		char why[200] = "";
		bool ok = tsql_from_postgresql(all[k].sql, &text, why, sizeof(why));

		ck_assert_msg(ok == (all[k].expected != NULL), "%s: %s %s", all[k].sql, why, text.at);
		ck_assert_msg(!ok || strcmp(text.at, all[k].expected) == 0, "%s is %s", all[k].sql, text.at);
		etl_text_free(&text);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("odbc tsql");
	TCase *tcase = tcase_create("expressions");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, conditions);
	tcase_add_test(tcase, refusals);
	tcase_add_test(tcase, defaults);
	tcase_add_test(tcase, computed);
	tcase_add_test(tcase, filters);
	tcase_add_test(tcase, strict);
	tcase_add_test(tcase, of_postgresql);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
