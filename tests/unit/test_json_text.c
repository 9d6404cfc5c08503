/* Escapes of JSON strings, and what the policies make of what a database may not take. */
#include "config.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/json/text.h"

static const char *resolve(const char *raw, int odd, char *to, size_t *size, uint64_t *replaced)
{
	struct json_text_policy policy = { odd, odd, 0 };
	const char *code = json_text_resolve(raw, strlen(raw), &policy, to, size);

	*replaced = policy.replaced;
	return code;
}

static void expect(const char *raw, int odd, const char *wanted, size_t wanted_size, uint64_t wanted_replaced)
{
	char to[100];
	uint64_t replaced;
	size_t size;

	ck_assert_ptr_null(resolve(raw, odd, to, &size, &replaced));
	ck_assert_uint_eq(size, wanted_size);
	ck_assert_mem_eq(to, wanted, size);
	ck_assert_uint_eq(replaced, wanted_replaced);
	ck_assert_uint_le(size, strlen(raw));
}

static void expect_reject(const char *raw, const char *code, size_t at)
{
	char to[100];
	uint64_t replaced;
	size_t size;

	ck_assert_str_eq(resolve(raw, JSON_ODD_REJECT, to, &size, &replaced), code);
	ck_assert_uint_eq(size, at);
}

START_TEST(escapes_become_characters)
{
	expect("", JSON_ODD_REJECT, "", 0, 0);
	expect("plain", JSON_ODD_REJECT, "plain", 5, 0);
	expect("a\\\"b\\\\c\\/d\\b\\f\\n\\r\\t", JSON_ODD_REJECT, "a\"b\\c/d\b\f\n\r\t", 12, 0);
	expect("\\u0041\\u00e9\\u20AC", JSON_ODD_REJECT, "A\xc3\xa9\xe2\x82\xac", 6, 0);
	expect("x\\ud83d\\ude00y", JSON_ODD_REJECT, "x\xf0\x9f\x98\x80y", 6, 0);
	expect("\\uD800\\uDC00\\udbff\\udfff", JSON_ODD_REJECT, "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", 8, 0);
	expect("\\\\u0041", JSON_ODD_REJECT, "\\u0041", 6, 0);
}
END_TEST

START_TEST(half_a_pair_is_what_the_policy_says)
{
	expect_reject("ab\\ud800", "lone_surrogate", 2);
	expect_reject("\\udc00", "lone_surrogate", 0);
	expect_reject("\\ud800\\ud800\\udc00", "lone_surrogate", 0);
	expect_reject("\\ud800\\n", "lone_surrogate", 0);
	expect("\\ud800x", JSON_ODD_REPLACE, "\xef\xbf\xbdx", 4, 1);
	expect("\\ud800\\ud800\\udc00\\udc00", JSON_ODD_REPLACE, "\xef\xbf\xbd\xf0\x90\x80\x80\xef\xbf\xbd", 10, 2);
	expect("\\ud800", JSON_ODD_KEEP, "\xed\xa0\x80", 3, 0);
}
END_TEST

START_TEST(a_nul_is_what_the_policy_says)
{
	expect_reject("a\\u0000", "nul", 1);
	expect("a\\u0000b", JSON_ODD_REPLACE, "a\xef\xbf\xbd" "b", 5, 1);
	expect("a\\u0000b", JSON_ODD_KEEP, "a\0b", 3, 0);
}
END_TEST

static bool is(const char *raw, const char *plain)
{
	return json_text_is(raw, strlen(raw), plain, strlen(plain));
}

START_TEST(it_compares_without_resolving)
{
	ck_assert(is("", ""));
	ck_assert(is("a\\u0062c", "abc"));
	ck_assert(is("\\ud83d\\ude00", "\xf0\x9f\x98\x80"));
	ck_assert(!is("a\\u0062", "abc"));
	ck_assert(!is("a\\u0062c", "ab"));
	ck_assert(!is("a\\u0063", "ab"));
	ck_assert(!is("", "a"));
}
END_TEST

START_TEST(what_is_no_escape_is_told)
{
	uint32_t c;

	ck_assert_uint_eq(json_text_escape("\\n", 2, &c), 2);
	ck_assert_uint_eq(json_text_escape("\\u00e9", 6, &c), 6);
	ck_assert_uint_eq(c, 0xE9);
	ck_assert_uint_eq(json_text_escape("\\x", 2, &c), 0);
	ck_assert_uint_eq(json_text_escape("\\", 1, &c), 0);
	ck_assert_uint_eq(json_text_escape("\\u00e", 5, &c), 0);
	ck_assert_uint_eq(json_text_escape("\\u00g9", 6, &c), 0);
}
END_TEST

START_TEST(characters_of_utf8)
{
	ck_assert_uint_eq(json_text_character("a", 1), 1);
	ck_assert_uint_eq(json_text_character("\xc3\xa9", 2), 2);
	ck_assert_uint_eq(json_text_character("\xc3", 1), 0);
	ck_assert_uint_eq(json_text_character("\xc1\x81", 2), 0);
	ck_assert_uint_eq(json_text_character("\xe0\x80\x80", 3), 0);
	ck_assert_uint_eq(json_text_character("\xed\xa0\x80", 3), 0);
	ck_assert_uint_eq(json_text_character("\xf4\x90\x80\x80", 4), 0);
	ck_assert_uint_eq(json_text_character("\xf4\x8f\xbf\xbf", 4), 4);
	ck_assert_uint_eq(json_text_character("\x80", 1), 0);
	ck_assert_uint_eq(json_text_character("\xff", 1), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("json text");
	TCase *c = tcase_create("text");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(c, escapes_become_characters);
	tcase_add_test(c, half_a_pair_is_what_the_policy_says);
	tcase_add_test(c, a_nul_is_what_the_policy_says);
	tcase_add_test(c, it_compares_without_resolving);
	tcase_add_test(c, what_is_no_escape_is_told);
	tcase_add_test(c, characters_of_utf8);
	suite_add_tcase(s, c);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
