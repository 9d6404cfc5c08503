/* The language of paths: what each selector takes, and what a refusal says. */
#include "config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/json/path.h"

static char text[200000];
static struct json_tree *tree;

static void document(const char *json)
{
	struct json_limits limits = { .depth = 100, .duplicates = JSON_ERROR };
	struct json_flaw flaw;

	json_tree_free(tree);
	tree = json_tree_new(&limits);
	ck_assert_ptr_nonnull(tree);
	strcpy(text, json);
	if (json_tree_read(tree, text, strlen(text), &flaw) != 0)
		ck_abort_msg("%s: %s", json, flaw.reason);
}

static void forget(void)
{
	json_tree_free(tree);
	tree = NULL;
}

struct got {
	struct json_visit visit;
	char text[2000];
	size_t used;
	int most;
};

static int found(struct json_visit *self, const uint32_t *chain, size_t length)
{
	struct got *got = (struct got *)self;
	size_t count;
	const struct json_node *node = &json_tree_nodes(tree, &count)[length > 0 ? chain[length - 1] : 0];

	got->used += (size_t)snprintf(got->text + got->used, sizeof(got->text) - got->used, "%s%.*s", got->used ? " " : "",
				      (int)node->size, json_tree_text(tree) + node->at);
	return --got->most == 0 ? 7 : 0;
}

static struct json_path *path_of(const char *path)
{
	struct json_path_flaw flaw;
	struct json_path *parsed = json_path_parse(path, &flaw);

	ck_assert_msg(parsed != NULL, "%s: %s", path, flaw.reason);
	ck_assert_str_eq(parsed->text, path);
	return parsed;
}

static void expect_with(const char *path, const struct json_names *names, const char *wanted)
{
	struct json_path *parsed = path_of(path);
	struct got got = { .visit = { found } };
	size_t count;
	uint32_t first;

	ck_assert_int_eq(json_path_walk(parsed, 0, tree, 0, names, &got.visit), 0);
	ck_assert_msg(strcmp(got.text, wanted) == 0, "%s selects %s and not %s", path, got.text, wanted);
	first = json_path_first(parsed, 0, tree, 0, names);
	ck_assert_int_eq(first == UINT32_MAX, got.used == 0);
	if (got.used > 0)
		ck_assert_mem_eq(got.text, json_tree_text(tree) + json_tree_nodes(tree, &count)[first].at,
				 json_tree_nodes(tree, &count)[first].size);
	json_path_free(parsed);
}

static void expect(const char *path, const char *wanted)
{
	expect_with(path, NULL, wanted);
}

static void expect_refusal(const char *path, size_t at, const char *words)
{
	struct json_path_flaw flaw;

	ck_assert_msg(json_path_parse(path, &flaw) == NULL, "%s is taken", path);
	ck_assert_msg(flaw.at == at && strstr(flaw.reason, words), "%s at %d: %s", path, (int)flaw.at, flaw.reason);
}

START_TEST(names_and_indexes)
{
	document("{\"a\":{\"b\":[10,11,12],\"\":1},\"b c\":2,\"\xc3\xa9\":3,\"it's\":4,\"q\\\"\\u0041\":5,\"a.b\":6,\"x[0]\":7}");
	expect("$.a.b[0]", "10");
	expect("$.a.b[2]", "12");
	expect("$.a.b[3]", "");
	expect("$.a.b[-1]", "12");
	expect("$.a.b[-3]", "10");
	expect("$.a.b[-4]", "");
	expect("$.a['']", "1");
	expect("$['b c']", "2");
	expect("$[\"b c\"]", "2");
	expect("$.\xc3\xa9", "3");
	expect("$['\\u00e9']", "3");
	expect("$['it\\'s']", "4");
	expect("$[\"it's\"]", "4");
	expect("$['q\"A']", "5");
	expect("$[\"q\\\"A\"]", "5");
	expect("$['a.b']", "6");
	expect("$['x[0]']", "7");
	expect("@ .a [ 'b' ] [ 1 ]", "11");
	expect("$.A", "");
	expect("$.a.b.c", "");
	expect("$.a[0]", "");
	expect("$.b", "");
	forget();
}
END_TEST

START_TEST(the_root_is_selected_by_itself)
{
	document("[1]");
	expect("$", "[1]");
	expect("@", "[1]");
	forget();
}
END_TEST

START_TEST(each_and_several)
{
	document("{\"a\":[1,2],\"b\":{\"c\":3,\"d\":[4]},\"e\":5}");
	expect("$.*", "[1,2] {\"c\":3,\"d\":[4]} 5");
	expect("$[*][*]", "1 2 3 [4]");
	expect("$.a.*", "1 2");
	expect("$['e','a'][0,-1,'x',0]", "1 2 1");
	expect("$.b['d','c']", "[4] 3");
	expect("$.e.*", "");
	forget();
}
END_TEST

START_TEST(slices_as_the_rfc_has_them)
{
	document("[0,1,2,3,4,5,6]");
	expect("$[1:3]", "1 2");
	expect("$[5:]", "5 6");
	expect("$[:2]", "0 1");
	expect("$[:]", "0 1 2 3 4 5 6");
	expect("$[1:5:2]", "1 3");
	expect("$[::3]", "0 3 6");
	expect("$[5:1:-2]", "5 3");
	expect("$[::-1]", "6 5 4 3 2 1 0");
	expect("$[-2:]", "5 6");
	expect("$[:-5]", "0 1");
	expect("$[-3:-1]", "4 5");
	expect("$[3::-1]", "3 2 1 0");
	expect("$[:3:-1]", "6 5 4");
	expect("$[-1:-4:-2]", "6 4");
	expect("$[::0]", "");
	expect("$[9:]", "");
	expect("$[-99:99:4]", "0 4");
	expect("$[99:-99:-4]", "6 2");
	expect("$[3:3]", "");
	expect("$[ 1 : 4 : 2 ]", "1 3");
	document("[]");
	expect("$[:]", "");
	expect("$[::-1]", "");
	expect("$[-1]", "");
	document("{\"a\":1}");
	expect("$[0:1]", "");
	forget();
}
END_TEST

START_TEST(filters_compare_by_value)
{
	document("[{\"t\":\"bug\",\"n\":1,\"c\":null},{\"t\":\"b\\u0075g\",\"n\":1.0},{\"t\":\"story\",\"n\":10e-1,\"x\":{\"y\":[0,true]}},"
		 "{\"n\":\"1\"},7]");
	expect("$[?@.t == 'bug'].n", "1 1.0");
	expect("$[?@.t=='bug'].n", "1 1.0");
	expect("$[?(@.t == \"bug\")].n", "1 1.0");
	expect("$[?@.n == 1].n", "1 1.0 10e-1");
	expect("$[?@.n == '1'].n", "1");
	expect("$[?@.n != 1].n", "1");
	expect("$[?@.t].t", "bug b\\u0075g story");
	expect("$[?!@.t].n", "1");
	expect("$[?@.c].t", "bug");
	expect("$[?@.c == null].t", "bug");
	expect("$[?@.c != null].n", "1.0 10e-1 1");
	expect("$[?@.x.y[1] == true].t", "story");
	expect("$[?@.x.y[-2] == 0 && @.t != 'bug'].t", "story");
	expect("$[?@.x.y[1] == false].t", "");
	expect("$[?@ == 7]", "7");
	expect("$[?@.t == 'story', ?@.t == 'bug'].n", "10e-1 1 1.0");
	document("{\"a\":{\"k\":1},\"b\":{\"k\":2}}");
	expect("$[?@.k == 2]", "{\"k\":2}");
	forget();
}
END_TEST

START_TEST(numbers_are_equal_by_their_digits)
{
	document("[12345678901234567890,12345678901234567891,0.1,-0,1e400,100,1e999999999999999999999]");
	expect("$[?@ == 12345678901234567890]", "12345678901234567890");
	expect("$[?@ == 1234567890123456789.1e1]", "12345678901234567891");
	expect("$[?@ == 0.10]", "0.1");
	expect("$[?@ == 1E-1]", "0.1");
	expect("$[?@ == 0.0e7]", "-0");
	expect("$[?@ == 10e399]", "1e400");
	expect("$[?@ == 1e2]", "100");
	expect("$[?@ == 0.01e+4]", "100");
	expect("$[?@ == -100]", "");
	expect("$[?@ == 1e999999999999999999999]", "1e999999999999999999999");
	expect("$[?@ == 10e999999999999999999998]", "");
	forget();
}
END_TEST

static const char *held(const struct json_names *self, const char *name, size_t *ret_size)
{
	(void)self;
	if (strcmp(name, "which") != 0)
		return NULL;
	*ret_size = 3;
	return "b\nc";
}

START_TEST(captures)
{
	static const struct json_names names = { held };

	document("{\"m\":{\"a\":1,\"b\\nc\":2},\"n\":[3]}");
	expect("$.m.{which}", "1 2");
	expect("$.{x}.{y}", "1 2");
	expect("$.n.{x}", "");
	expect_with("$.m.{which}", &names, "2");
	expect_with("$.{which}", &names, "");
	expect_with("$.m.{other}", &names, "");
	forget();
}
END_TEST

/* More objects than tables are kept for, each with enough members for one; some names have escapes, some are missing. */
static const char *held_number;
static const char *number(const struct json_names *self, const char *name, size_t *ret_size)
{
	(void)self;
	(void)name;
	*ret_size = strlen(held_number);
	return held_number;
}

START_TEST(captures_among_many_members)
{
	static const struct json_names names = { number };
	static char json[150000];
	size_t used = 0;

	used += (size_t)snprintf(json, sizeof(json), "{");
	for (int object = 0; object < 12; object++) {
		used += (size_t)snprintf(json + used, sizeof(json) - used, "%s\"o%d\":{", object ? "," : "", object);
		for (int i = 0; i < 300; i++)
			used += (size_t)snprintf(json + used, sizeof(json) - used, "%s\"%s%d\":%d", i ? "," : "", i % 50 == 7 ? "\\u006b" : "k", i,
						object * 1000 + i);
		used += (size_t)snprintf(json + used, sizeof(json) - used, "}");
	}
	snprintf(json + used, sizeof(json) - used, "}");
	for (int again = 0; again < 2; again++) {
		document(json);
		for (int object = 0; object < 12; object++)
			for (int i = 0; i < 320; i += 3) {
				char path[40], name[20], wanted[20];

				snprintf(path, sizeof(path), "$.o%d.{which}", object);
				snprintf(name, sizeof(name), "k%d", i);
				snprintf(wanted, sizeof(wanted), "%d", object * 1000 + i);
				held_number = name;
				expect_with(path, &names, i < 300 ? wanted : "");
			}
	}
}
END_TEST

START_TEST(the_chain_tells_where_the_walk_was)
{
	struct json_path *path = path_of("$.issues.{key}.items[*]");
	struct got got = { .visit = { found }, .most = 2 };

	document("{\"issues\":{\"A\":{\"items\":[1,2]},\"B\":{\"items\":[3]}}}");
	ck_assert_int_eq(json_path_walk(path, 0, tree, 0, NULL, &got.visit), 7);
	ck_assert_str_eq(got.text, "1 2");
	ck_assert_uint_eq(json_path_first(path, 2, tree, 4, NULL), 7);
	ck_assert_uint_eq(path->count, 4);
	ck_assert_int_eq(json_segment_kind(&path->segments[1]), JSON_SELECT_CAPTURE);
	ck_assert_str_eq(json_segment_name(&path->segments[1]), "key");
	ck_assert_str_eq(json_segment_name(&path->segments[2]), "items");
	json_path_free(path);
	forget();
}
END_TEST

static bool is_many(const char *text_of)
{
	struct json_path *path = path_of(text_of);
	bool many = json_path_is_many(path);

	json_path_free(path);
	return many;
}

static bool same_last(const char *a, const char *b)
{
	struct json_path *x = path_of(a), *y = path_of(b);
	bool same = json_segment_equal(&x->segments[x->count - 1], &y->segments[y->count - 1]);

	json_path_free(x);
	json_path_free(y);
	return same;
}

START_TEST(paths_are_compared)
{
	ck_assert(!is_many("$.a['b'][-1].{c}"));
	ck_assert(is_many("$.a[*]"));
	ck_assert(is_many("$.a[0,1]"));
	ck_assert(is_many("$.a[0:1]"));
	ck_assert(is_many("$.a[?@.b]"));
	ck_assert(same_last("$.a", "$['a']"));
	ck_assert(same_last("$.x[*]", "@.*"));
	ck_assert(same_last("$[?@.a == 'x']", "$[ ? ( @['a']==\"x\" ) ]"));
	ck_assert(!same_last("$[?@.a == 'x']", "$[?@.a == 'y']"));
	ck_assert(!same_last("$[?@.a == 'x']", "$[?@.a != 'x']"));
	ck_assert(!same_last("$[?@.a == 'x']", "$[?@.b == 'x']"));
	ck_assert(!same_last("$[1:2]", "$[1:3]"));
	ck_assert(!same_last("$[:2]", "$[0:2]"));
	ck_assert(!same_last("$[0]", "$[0,1]"));
	ck_assert(!same_last("$.a", "$.{a}"));
	json_path_free(NULL);
}
END_TEST

START_TEST(refusals_say_where_and_what_would_be_right)
{
	expect_refusal("", 0, "starts with $");
	expect_refusal("a.b", 0, "starts with $");
	expect_refusal("$a", 1, "a point, a bracket or the end");
	expect_refusal("$ ", 1, "a point, a bracket or the end");
	expect_refusal("$.", 2, "Behind a point");
	expect_refusal("$..a", 2, "Descendants");
	expect_refusal("$.a..b", 4, "Descendants");
	expect_refusal("$.story-points", 7, "['the name']");
	expect_refusal("$.2024", 2, "['the name']");
	expect_refusal("$.a b", 3, "['the name']");
	expect_refusal("$.'a'", 2, "['the name']");
	expect_refusal("$[a]", 2, "in quotes");
	expect_refusal("$[", 2, "In brackets");
	expect_refusal("$[]", 2, "In brackets");
	expect_refusal("$['a'", 5, "A comma or ]");
	expect_refusal("$['a',]", 6, "In brackets");
	expect_refusal("$['a", 2, "no end");
	expect_refusal("$[\"a']", 2, "no end");
	expect_refusal("$['\\x']", 3, "A backslash");
	expect_refusal("$['a\\", 4, "A backslash");
	expect_refusal("$['\\u0000']", 3, "\\u0000");
	expect_refusal("$['\\ud800']", 3, "surrogate");
	expect_refusal("$['a\nb']", 4, "control character");
	expect_refusal("$[01]", 2, "index");
	expect_refusal("$[-0]", 2, "index");
	expect_refusal("$[-]", 3, "Digits");
	expect_refusal("$[9007199254740992]", 2, "at most");
	expect_refusal("$[1.5]", 3, "A comma or ]");
	expect_refusal("$[1:2:3:4]", 7, "A comma or ]");
	expect_refusal("$.{", 3, "Between {");
	expect_refusal("$.{a b}", 4, "} is needed");
	expect_refusal("$[{a}]", 2, ".{name}");
	expect_refusal("$[?a == 1]", 3, "starts with @");
	expect_refusal("$[?$.a == 1]", 3, "not at the document");
	expect_refusal("$[?@.a = 1]", 7, "== or !=");
	expect_refusal("$[?@.a < 1]", 7, "== or !=");
	expect_refusal("$[?@.a == b]", 10, "A string in quotes");
	expect_refusal("$[?@.a == truer]", 14, "A string in quotes");
	expect_refusal("$[?@.a == 01]", 10, "no number");
	expect_refusal("$[?@.a == 1 || @.b]", 12, "several selectors");
	expect_refusal("$[?@.a[*] == 1]", 6, "names and indexes only");
	expect_refusal("$[?(@.a == 1]", 12, "&& or )");
	expect_refusal("$.a]", 3, "bracket");
	expect_refusal("$.\xff", 2, "UTF-8");
	expect_refusal("$['\xed\xa0\x80']", 3, "UTF-8");
}
END_TEST

START_TEST(limits_hold)
{
	struct json_path_flaw flaw;
	struct json_path *path;
	char long_path[6000] = "$";
	int i;

	for (i = 0; i < JSON_PATH_SEGMENTS; i++)
		strcat(long_path, ".a");
	path = path_of(long_path);
	ck_assert_uint_eq(path->count, JSON_PATH_SEGMENTS);
	json_path_free(path);
	strcat(long_path, ".a");
	expect_refusal(long_path, 1 + 2 * JSON_PATH_SEGMENTS, "at most 64 segments");
	strcpy(long_path, "$[0");
	for (i = 0; i < 64; i++)
		strcat(long_path, ",0");
	expect_refusal(long_path, 130, "at most 64 selectors");
	strcpy(long_path, "$[?@.a");
	for (i = 0; i < 16; i++)
		strcat(long_path, "&&@.a");
	expect_refusal(long_path, 83, "at most 16");
	memset(long_path, 'a', 5000);
	memcpy(long_path, "$.", 2);
	long_path[5000] = '\0';
	ck_assert_ptr_null(json_path_parse(long_path, &flaw));
	ck_assert_ptr_nonnull(strstr(flaw.reason, "4096"));
}
END_TEST

/* A slice that goes backwards through a long array does not walk it anew for each element. */
START_TEST(a_long_array_backwards)
{
	char *json = malloc(150000), *at = json;
	struct json_path *path = path_of("$[::-1]");
	struct got got = { .visit = { found }, .most = 3 };
	int i;

	ck_assert_ptr_nonnull(json);
	for (i = 0; i < 20000; i++)
		at += sprintf(at, "%c%d", i ? ',' : '[', i);
	strcpy(at, "]");
	document(json);
	ck_assert_int_eq(json_path_walk(path, 0, tree, 0, NULL, &got.visit), 7);
	ck_assert_str_eq(got.text, "19999 19998 19997");
	expect("$[-20000]", "0");
	expect("$[19990:3:-9994]", "19990 9996");
	json_path_free(path);
	free(json);
	forget();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("json path");
	TCase *c = tcase_create("path");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(c, names_and_indexes);
	tcase_add_test(c, the_root_is_selected_by_itself);
	tcase_add_test(c, each_and_several);
	tcase_add_test(c, slices_as_the_rfc_has_them);
	tcase_add_test(c, filters_compare_by_value);
	tcase_add_test(c, numbers_are_equal_by_their_digits);
	tcase_add_test(c, captures);
	tcase_add_test(c, captures_among_many_members);
	tcase_add_test(c, the_chain_tells_where_the_walk_was);
	tcase_add_test(c, paths_are_compared);
	tcase_add_test(c, refusals_say_where_and_what_would_be_right);
	tcase_add_test(c, limits_hold);
	tcase_add_test(c, a_long_array_backwards);
	suite_add_tcase(s, c);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
