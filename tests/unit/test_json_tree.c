/* The tree: what is JSON and what is not, where it is not, and members of one name. */
#include "config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/json/tree.h"

static char text[400000];
static struct json_flaw flaw;

static struct json_tree *tree_of(uint32_t depth, int duplicates)
{
	struct json_limits limits = { .depth = depth, .duplicates = duplicates };
	struct json_tree *tree = json_tree_new(&limits);

	ck_assert_ptr_nonnull(tree);
	return tree;
}

/* Behind the text are bytes that could belong to it. */
static int read_text(struct json_tree *tree, const char *json, size_t size)
{
	ck_assert_uint_le(size + JSON_PADDING, sizeof(text));
	memset(text + size, '}', JSON_PADDING);
	memmove(text, json, size);
	return json_tree_read(tree, text, size, &flaw);
}

/* The nodes as a line: kind, flags in front, the bytes. */
static void expect_nodes(struct json_tree *tree, const char *json, const char *wanted)
{
	static const char *const kinds = "nftN\"[{:";
	char got[1000] = "";
	const struct json_node *nodes;
	size_t count, i, used = 0;

	if (read_text(tree, json, strlen(json)) != 0)
		ck_abort_msg("%s: %s", json, flaw.reason);
	nodes = json_tree_nodes(tree, &count);
	for (i = 0; i < count; i++)
		used += (size_t)snprintf(got + used, sizeof(got) - used, "%c%s%.*s>%u ", kinds[nodes[i].kind],
					 nodes[i].flags & JSON_ESCAPED	? "e" :
					 nodes[i].flags & JSON_FRACTION ? "f" :
					 nodes[i].flags & JSON_BARE	? "b" :
									  "",
					 (int)nodes[i].size, json_tree_text(tree) + nodes[i].at, nodes[i].next);
	ck_assert_str_eq(got, wanted);
}

static void expect_good(const char *json)
{
	struct json_tree *tree = tree_of(50, JSON_ERROR);

	if (read_text(tree, json, strlen(json)) != 0)
		ck_abort_msg("%s: %s", json, flaw.reason);
	json_tree_free(tree);
}

static void expect_flaw_bytes(const char *json, size_t size, const char *code, uint64_t at, const char *words)
{
	struct json_tree *tree = tree_of(50, JSON_ERROR);

	ck_assert_msg(read_text(tree, json, size) != 0, "%s is taken", json);
	ck_assert_msg(strcmp(flaw.code, code) == 0 && flaw.at == at && strstr(flaw.reason, words),
		      "%s: %s at %d: %s", json, flaw.code, (int)flaw.at, flaw.reason);
	json_tree_free(tree);
}

static void expect_flaw(const char *json, const char *code, uint64_t at, const char *words)
{
	expect_flaw_bytes(json, strlen(json), code, at, words);
}

START_TEST(nodes_say_where_the_bytes_are)
{
	struct json_tree *tree = tree_of(50, JSON_ERROR);

	expect_nodes(tree, " null\n", "nnull>1 ");
	expect_nodes(tree, "[]", "[[]>1 ");
	expect_nodes(tree, "[ 1 , -2.50 , 3e2 ]", "[[ 1 , -2.50 , 3e2 ]>4 N1>2 Nf-2.50>3 Nf3e2>4 ");
	expect_nodes(tree, "{\"a\":{\"b\" : true},\"c\\n\":[false,\"x\\u0041\", \"\"]}",
		     "{{\"a\":{\"b\" : true},\"c\\n\":[false,\"x\\u0041\", \"\"]}>10 :a>2 {{\"b\" : true}>5 :b>4 ttrue>5 "
		     ":ec\\n>6 [[false,\"x\\u0041\", \"\"]>10 ffalse>8 \"ex\\u0041>9 \">10 ");
	json_tree_free(tree);
}
END_TEST

START_TEST(numbers_keep_their_digits)
{
	struct json_tree *tree = tree_of(50, JSON_ERROR);

	expect_nodes(tree, "18446744073709551616", "N18446744073709551616>1 ");
	expect_nodes(tree, "-0", "N-0>1 ");
	expect_nodes(tree, "1E400", "Nf1E400>1 ");
	expect_nodes(tree, "0.10000000000000000000000000000000001e-7", "Nf0.10000000000000000000000000000000001e-7>1 ");
	json_tree_free(tree);
}
END_TEST

START_TEST(what_is_no_number_is_refused)
{
	static const char *const bad[] = { "01", "-", "-a", "1.", "1.e1", "1e", "1e+", "1.5.5", "0x10", "1_000", "00",
					   "-01", "1e5.5", "1-", "--1" };
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		expect_flaw(bad[i], "not_json", 0, "is no number");
	expect_flaw("+1", "not_json", 0, "a value is needed");
	expect_flaw(".5", "not_json", 0, "a value is needed");
}
END_TEST

START_TEST(what_is_no_json_is_told_with_its_place)
{
	expect_flaw("", "empty", 0, "nothing");
	expect_flaw(" \n\t ", "empty", 0, "nothing");
	expect_flaw("{\"a\":NaN}", "not_json", 5, "no NaN");
	expect_flaw("{\"a\":NaN}", "not_json", 5, "nonfinite");
	expect_flaw("[-Infinity]", "not_json", 1, "no infinity");
	expect_flaw("[1, // one\n2]", "not_json", 4, "no comments");
	expect_flaw("{'a':1}", "not_json", 1, "double quotes");
	expect_flaw("[1,]", "not_json", 3, "a value is needed");
	expect_flaw("{\"a\":1,}", "not_json", 7, "the name of a member");
	expect_flaw("{\"a\"}", "not_json", 4, "a colon");
	expect_flaw("{1:2}", "not_json", 1, "the name of a member");
	expect_flaw("{\"a\" \"b\"}", "not_json", 5, "a colon");
	expect_flaw("[1 2]", "not_json", 3, "a comma or ]");
	expect_flaw("{\"a\":1 \"b\":2}", "not_json", 7, "a comma or }");
	expect_flaw("[1}", "not_json", 2, "a comma or ]");
	expect_flaw("{\"a\":[}", "not_json", 6, "a value");
	expect_flaw("[1]]", "not_json", 3, "the end of the record");
	expect_flaw("{} x", "not_json", 3, "the end of the record");
	expect_flaw("truex", "not_json", 0, "truex");
	expect_flaw("[True]", "not_json", 1, "spelled true");
	expect_flaw("[,1]", "not_json", 1, "a value");
	expect_flaw("\xef\xbb\xbf[]", "not_json", 0, "byte order mark");
	expect_flaw_bytes("[1\0]", 4, "not_json", 1, "no number");
	expect_flaw_bytes("[1,\0]", 5, "not_json", 3, "byte 0x00");
	expect_flaw("[1\f]", "not_json", 2, "0x0C");
}
END_TEST

START_TEST(a_text_that_ends_early_is_told)
{
	expect_flaw("[1,2", "cut_short", 4, "ends where");
	expect_flaw("[", "cut_short", 1, "ends where");
	expect_flaw("{\"a\":", "cut_short", 5, "ends where");
	expect_flaw("{\"a\"", "cut_short", 4, "ends where");
	expect_flaw("{\"a\":{\"b\":1}", "cut_short", 12, "ends where");
	expect_flaw("[\"a, 1]", "cut_short", 1, "no end");
	expect_flaw("\"", "cut_short", 0, "no end");
	expect_flaw("[\"a\\\"]", "cut_short", 1, "no end");
}
END_TEST

START_TEST(strings_are_checked)
{
	expect_good("[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud800\", \"\xf4\x8f\xbf\xbf\", \"\x7f\"]");
	expect_flaw("[\"a\\x\"]", "not_json", 3, "followed by x");
	expect_flaw("[\"ok\\n\", \"\\u12g4\"]", "not_json", 10, "hexadecimal");
	expect_flaw("[\"a\nb\"]", "not_json", 3, "\\n.");
	expect_flaw("[\"a\tb\"]", "not_json", 3, "\\t.");
	expect_flaw("[\"a\\\tb\"]", "not_json", 4, "\\t.");
	expect_flaw("[\"\xc3\x28\"]", "invalid_utf8", 2, "0xC3");
	expect_flaw("[\"\xed\xa0\x80\"]", "invalid_utf8", 2, "0xED");
	expect_flaw("[\"a\"\\\"]", "not_json", 4, "\\");
	expect_flaw("{\"a\\q\":1}", "not_json", 3, "followed by q");
}
END_TEST

START_TEST(depth_is_bounded_and_is_no_recursion)
{
	struct json_tree *tree = tree_of(3, JSON_ERROR);
	char *deep = malloc(100000);

	ck_assert_ptr_nonnull(deep);
	ck_assert_int_eq(read_text(tree, "[[[1]]]", 7), 0);
	ck_assert_int_eq(read_text(tree, "[{\"a\":[]}]", 10), 0);
	ck_assert_int_eq(read_text(tree, "[[[[1]]]]", 9), -1);
	ck_assert_str_eq(flaw.code, "too_deep");
	ck_assert_uint_eq(flaw.at, 3);
	json_tree_free(tree);
	tree = tree_of(100000, JSON_ERROR);
	memset(deep, '[', 100000);
	ck_assert_int_eq(read_text(tree, deep, 100000), -1);
	ck_assert_str_eq(flaw.code, "too_deep");
	ck_assert_uint_eq(flaw.at, 4096);
	memset(deep + 4096, ']', 4096);
	ck_assert_int_eq(read_text(tree, deep, 8192), 0);
	free(deep);
	json_tree_free(tree);
}
END_TEST

START_TEST(a_name_that_is_there_twice_is_refused)
{
	expect_flaw("{\"a\":1,\"b\":2,\"a\":3}", "duplicate_key", 13, "\"a\"");
	expect_flaw("{\"a\":1,\"\\u0061\":3}", "duplicate_key", 7, "before");
	expect_flaw("[{\"x\":{\"a\":1,\"a\":2}}]", "duplicate_key", 13, "before");
	expect_flaw("{\"\":1,\"\":2}", "duplicate_key", 6, "\"\"");
	expect_good("{\"a\":{\"a\":1},\"b\":{\"a\":1},\"A\":2,\"\":3,\"aa\":4,\"\\u0062a\":5}");
}
END_TEST

START_TEST(the_first_or_the_last_of_them_stays)
{
	struct json_tree *tree = tree_of(50, JSON_FIRST);
	static const char *const json = "{\"a\":[1,2],\"b\":{\"c\":0},\"a\":5,\"\\u0061\":[6],\"d\":7}";
	static const char *const first = "{\"a\":[1,2],\"b\":{\"c\":0},\"a\":5,\"\\u0061\":[6],\"d\":7}";
	char wanted[300];

	snprintf(wanted, sizeof(wanted), "{%s>11 :a>2 [[1,2]>5 N1>4 N2>5 :b>6 {{\"c\":0}>9 :c>8 N0>9 :d>10 N7>11 ", first);
	expect_nodes(tree, json, wanted);
	ck_assert_uint_eq(json_tree_dropped(tree), 2);
	json_tree_free(tree);
	tree = tree_of(50, JSON_LAST);
	snprintf(wanted, sizeof(wanted), "{%s>10 :b>2 {{\"c\":0}>5 :c>4 N0>5 :e\\u0061>6 [[6]>8 N6>8 :d>9 N7>10 ", first);
	expect_nodes(tree, json, wanted);
	ck_assert_uint_eq(json_tree_dropped(tree), 2);
	expect_nodes(tree, "[{\"a\":1,\"a\":2},3]", "[[{\"a\":1,\"a\":2},3]>5 {{\"a\":1,\"a\":2}>4 :a>3 N2>4 N3>5 ");
	ck_assert_uint_eq(json_tree_dropped(tree), 3);
	json_tree_free(tree);
}
END_TEST

/* The text as the nodes spell it. */
static void expect_spelled(struct json_tree *tree, const char *json, const char *wanted)
{
	char *got;
	size_t size;

	if (read_text(tree, json, strlen(json)) != 0)
		ck_abort_msg("%s: %s", json, flaw.reason);
	got = malloc(json_tree_room(tree, 0)); /* no byte more, so that writing past it is seen */
	ck_assert_ptr_nonnull(got);
	size = json_tree_spell(tree, 0, got);
	ck_assert_msg(size == strlen(wanted) && memcmp(got, wanted, size) == 0, "%s: %.*s", json, (int)size, got);
	free(got);
}

static struct json_tree *tree_with(int nonfinite)
{
	struct json_limits limits = { .depth = 50, .nonfinite = nonfinite };
	struct json_tree *tree = json_tree_new(&limits);

	ck_assert_ptr_nonnull(tree);
	return tree;
}

START_TEST(numbers_that_are_none_are_null_or_their_name)
{
	static const char *const json = "[NaN , -Infinity,{\"NaN\":Infinity},\"NaN\",-1]";
	struct json_tree *tree = tree_with(JSON_NONFINITE_NULL);

	expect_nodes(tree, json, "[[NaN , -Infinity,{\"NaN\":Infinity},\"NaN\",-1]>8 nNaN>2 n-Infinity>3 {{\"NaN\":Infinity}>6 "
				 ":NaN>5 nInfinity>6 \"NaN>7 N-1>8 ");
	ck_assert(json_tree_is_changed(tree));
	expect_spelled(tree, json, "[null,null,{\"NaN\":null},\"NaN\",-1]");
	ck_assert_uint_eq(json_tree_nonfinite(tree), 6);
	expect_spelled(tree, "[1]", "[1]");
	ck_assert(!json_tree_is_changed(tree));
	json_tree_free(tree);
	tree = tree_with(JSON_NONFINITE_TEXT);
	expect_nodes(tree, " NaN", "\"bNaN>1 ");
	expect_spelled(tree, " NaN", "\"NaN\"");
	expect_spelled(tree, json, "[\"NaN\",\"-Infinity\",{\"NaN\":\"Infinity\"},\"NaN\",-1]");
	expect_spelled(tree, "[NaN,NaN,NaN,NaN,NaN]", "[\"NaN\",\"NaN\",\"NaN\",\"NaN\",\"NaN\"]");
	ck_assert_uint_eq(json_tree_nonfinite(tree), 10);
	json_tree_free(tree);
}
END_TEST

START_TEST(only_the_three_names_where_a_value_is)
{
	static const char *const bad[] = { "nan", "NAN", "NaNs", "+Infinity", "-NaN", "inf", "Inf", "-Inf", "-Infinityx", "- Infinity",
					   "NaN NaN", "{NaN:1}", "[1 NaN]", "[NaN" };
	struct json_tree *tree = tree_with(JSON_NONFINITE_TEXT);

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(read_text(tree, bad[i], strlen(bad[i])) != 0, "%s is taken", bad[i]);
	json_tree_free(tree);
}
END_TEST

/* {"k0":0, … } with the name of member TWICE once more, at the end, unless it is -1. */
static size_t large_object(char *to, int members, int twice)
{
	char *at = to;
	int i;

	for (i = 0; i < members; i++)
		at += sprintf(at, "%c\"k%d\":%d", i ? ',' : '{', i, i);
	if (twice >= 0)
		at += sprintf(at, ",\"k%d\":null", twice);
	at += sprintf(at, "}");
	return (size_t)(at - to);
}

START_TEST(many_members_are_compared_too)
{
	static const int counts[] = { 2, 3, 17, 64, 99, 100, 101, 102, 1000, 20000 };
	struct json_tree *tree = tree_of(50, JSON_ERROR), *last = tree_of(50, JSON_LAST);
	char *json = malloc(400000);
	size_t i, count, size;

	ck_assert_ptr_nonnull(json);
	for (i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		size = large_object(json, counts[i], -1);
		ck_assert_int_eq(read_text(tree, json, size), 0);
		size = large_object(json, counts[i], counts[i] / 2);
		ck_assert_int_eq(read_text(tree, json, size), -1);
		ck_assert_str_eq(flaw.code, "duplicate_key");
		ck_assert_uint_gt(flaw.at, size - 20);
		ck_assert_int_eq(read_text(last, json, size), 0);
		json_tree_nodes(last, &count);
		ck_assert_uint_eq(count, 1 + 2 * (size_t)counts[i]);
	}
	free(json);
	json_tree_free(tree);
	json_tree_free(last);
}
END_TEST

START_TEST(a_tree_is_used_again_after_a_flaw)
{
	struct json_tree *tree = tree_of(50, JSON_ERROR);

	ck_assert_int_eq(read_text(tree, "[[[", 3), -1);
	expect_nodes(tree, "[7]", "[[7]>2 N7>2 ");
	ck_assert_int_eq(read_text(tree, "{\"a\\q\":1}", 9), -1);
	expect_nodes(tree, "\"x\"", "\"x>1 ");
	json_tree_free(tree);
	json_tree_free(NULL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("json tree");
	TCase *c = tcase_create("tree");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(c, nodes_say_where_the_bytes_are);
	tcase_add_test(c, numbers_keep_their_digits);
	tcase_add_test(c, what_is_no_number_is_refused);
	tcase_add_test(c, what_is_no_json_is_told_with_its_place);
	tcase_add_test(c, a_text_that_ends_early_is_told);
	tcase_add_test(c, strings_are_checked);
	tcase_add_test(c, depth_is_bounded_and_is_no_recursion);
	tcase_add_test(c, a_name_that_is_there_twice_is_refused);
	tcase_add_test(c, the_first_or_the_last_of_them_stays);
	tcase_add_test(c, numbers_that_are_none_are_null_or_their_name);
	tcase_add_test(c, only_the_three_names_where_a_value_is);
	tcase_add_test(c, many_members_are_compared_too);
	tcase_add_test(c, a_tree_is_used_again_after_a_flaw);
	suite_add_tcase(s, c);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
