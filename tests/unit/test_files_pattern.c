/*
 * Patterns of file names: what they match, what they keep of it, what folders need no look, and the way back from values to
 * a name.
 */
#include "config.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "fake_host.h"
#include "plugins/files/backend.h"

static const struct etl_host host = { FAKE_HOST };
static struct etl_error err;

static struct files_pattern *parse(const char *text)
{
	struct files_pattern *pattern = NULL;

	ck_assert_msg(files_pattern_parse(&pattern, &host, text, &err) == ETL_OK, "%s: %s", text, err.text);
	return pattern;
}

static bool matches(const char *text, const char *name)
{
	struct files_pattern *pattern = parse(text);
	bool ok = files_pattern_match(pattern, name, NULL, NULL);

	files_pattern_free(pattern);
	return ok;
}

static bool may_hold(const char *text, const char *folder)
{
	struct files_pattern *pattern = parse(text);
	bool ok = files_pattern_may_hold(pattern, folder);

	files_pattern_free(pattern);
	return ok;
}

/* What the names stood for, joined by commas. */
static void assert_captures(const char *text, const char *name, const char *expected)
{
	struct files_pattern *pattern = parse(text);
	struct arena memory = { 0 };
	const char *const *captures = NULL;
	char joined[512] = "";

	ck_assert_msg(files_pattern_match(pattern, name, &memory, &captures), "%s: %s", text, name);
	for (size_t i = 0; i < files_pattern_captures(pattern, NULL); i++) {
		strcat(joined, i ? "," : "");
		strcat(joined, captures[i]);
	}
	ck_assert_str_eq(joined, expected);
	etl_arena_free(&memory);
	files_pattern_free(pattern);
}

START_TEST(stars_stay_in_their_folder)
{
	ck_assert(matches("a.json", "a.json"));
	ck_assert(!matches("a.json", "b.json"));
	ck_assert(!matches("a.json", "a.jsonl"));
	ck_assert(!matches("a.json", "x/a.json"));
	ck_assert(matches("*.json", ".json"));
	ck_assert(matches("*.json", ".hidden.json"));
	ck_assert(!matches("*.json", "x/a.json"));
	ck_assert(matches("*/a*b*", "x/a--b"));
	ck_assert(!matches("*/a*b*", "x/y/a--b"));
	ck_assert(matches("\\*.json", "*.json"));
	ck_assert(!matches("\\*.json", "a.json"));
	ck_assert(matches("\\{a}", "{a}"));
}
END_TEST

START_TEST(two_stars_are_whole_folders)
{
	ck_assert(matches("**/a.json", "a.json"));
	ck_assert(matches("**/a.json", "x/a.json"));
	ck_assert(matches("**/a.json", "x/y/z/a.json"));
	ck_assert(!matches("**/a.json", "xa.json"));
	ck_assert(!matches("**/a.json", "x/a.json/b"));
	ck_assert(matches("p/**/q/*.csv", "p/q/1.csv"));
	ck_assert(matches("p/**/q/*.csv", "p/q/q/1.csv"));
	ck_assert(!matches("p/**/q/*.csv", "p/q/r/1.csv"));
	ck_assert(matches("**", "a"));
	ck_assert(matches("**", "a/b/c"));
	ck_assert(matches("a/**", "a/b/c"));
	ck_assert(!matches("a/**", "a"));
}
END_TEST

START_TEST(names_keep_what_they_stood_for)
{
	assert_captures("profiles/{profile_id}/queries/{query_id}/jira_cache.json",
			"profiles/p1/queries/q-7/jira_cache.json", "p1,q-7");
	assert_captures("{a}-{b}.csv", "x-y-z.csv", "x,y-z");
	assert_captures("**/{year}/{month}.csv", "in/2024/02.csv", "2024,02");
	assert_captures("{a}/{a}.json", "x1/x1.json", "x1");
	assert_captures("{a}{b}", "xyz", "x,yz");
	ck_assert(!matches("{a}/{a}.json", "x1/x2.json"));
	ck_assert(!matches("{a}/{a}.json", "x1/x.json"));
	ck_assert(!matches("x{a}.json", "x.json"));     /* at least one character */
}
END_TEST

START_TEST(a_name_that_comes_again_is_found_where_the_first_try_fails)
{
	assert_captures("{a}-{b}/{a}", "x-y-z/x-y", "x-y,z");
}
END_TEST

START_TEST(folders_without_a_match_are_not_looked_into)
{
	ck_assert(may_hold("profiles/{id}/*.json", "profiles/"));
	ck_assert(may_hold("profiles/{id}/*.json", "profiles/7/"));
	ck_assert(!may_hold("profiles/{id}/*.json", "profiles/7/8/"));
	ck_assert(!may_hold("profiles/{id}/*.json", "other/"));
	ck_assert(!may_hold("*.json", "x.json/"));
	ck_assert(may_hold("**/x", "a/b/c/"));
	ck_assert(may_hold("a/**", "a/b/c/"));
	ck_assert(!may_hold("a/**", "b/"));
	ck_assert(!may_hold("a/b", "ab/"));
}
END_TEST

START_TEST(many_stars_are_no_endless_work)
{
	char name[300] = "";

	memset(name, 'a', 250);
	ck_assert(!matches("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b", name));
	ck_assert(matches("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*", name));
}
END_TEST

static void assert_refused(const char *text, const char *said)
{
	struct files_pattern *pattern = NULL;

	memset(&err, 0, sizeof(err));
	ck_assert_int_eq(files_pattern_parse(&pattern, &host, text, &err), ETL_FAILED);
	ck_assert_int_eq(err.klass, ETL_USAGE);
	ck_assert_msg(strstr(err.text, said) != NULL, "%s: %s", text, err.text);
	ck_assert(!pattern);
}

START_TEST(what_cannot_be_meant_is_refused)
{
	assert_refused("", "is empty");
	assert_refused("/a", "begins with a slash");
	assert_refused("a//b", "two slashes");
	assert_refused("a/", "ends in a slash");
	assert_refused("**/", "ends in a slash");
	assert_refused("../a", "..");
	assert_refused("a/./b", ".");
	assert_refused("a**", "whole part");
	assert_refused("**a", "whole part");
	assert_refused("{", "begins no name");
	assert_refused("{}", "begins no name");
	assert_refused("{1}", "begins no name");
	assert_refused("{a b}", "begins no name");
	assert_refused("a\\", "backslash");
	assert_refused("\xff", "UTF-8");
}
END_TEST

static void assert_name(const char *text, const char *one, const char *two, const char *expected, const char *said)
{
	struct files_pattern *pattern = parse(text);
	const char *values[] = { one, two }, *why = NULL;
	char *name = files_pattern_name(pattern, values, &why);

	if (expected)
		ck_assert_str_eq(name, expected);
	else
		ck_assert(!name && why && strstr(why, said));
	free(name);
	files_pattern_free(pattern);
}

START_TEST(values_become_a_name_again)
{
	assert_name("p/{a}/q/{b}.json", "x", "y z", "p/x/q/y z.json", NULL);
	assert_name("{a}/{a}", "x", NULL, "x/x", NULL);
	assert_name("p/{a}/x", "..", NULL, NULL, "..");
	assert_name("p/{a}/x", ".", NULL, NULL, "..");
	assert_name("p/{a}/x", "", NULL, NULL, "empty");
	assert_name("p/{a}/x", NULL, NULL, NULL, "NULL");
	assert_name("p/{a}/x", "u/v", NULL, NULL, "slash");
	assert_name("p/{a}{b}/x", ".", ".", NULL, "..");
	assert_name("*/{a}", "x", NULL, NULL, "*");
}
END_TEST

START_TEST(a_name_that_no_disk_takes_is_refused)
{
	char value[300];

	memset(value, 'a', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	assert_name("{a}", value, NULL, NULL, "255");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("files_pattern");
	TCase *tests = tcase_create("files_pattern");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tests, stars_stay_in_their_folder);
	tcase_add_test(tests, two_stars_are_whole_folders);
	tcase_add_test(tests, names_keep_what_they_stood_for);
	tcase_add_test(tests, a_name_that_comes_again_is_found_where_the_first_try_fails);
	tcase_add_test(tests, folders_without_a_match_are_not_looked_into);
	tcase_add_test(tests, many_stars_are_no_endless_work);
	tcase_add_test(tests, what_cannot_be_meant_is_refused);
	tcase_add_test(tests, values_become_a_name_again);
	tcase_add_test(tests, a_name_that_no_disk_takes_is_refused);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
