/*
 * The tokenizer: every way SQLite quotes, and that no byte string makes it read past its end.
 */
#include "config.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/lib/token.h"

static struct token nth(const char *sql, int n)
{
	struct token_cursor c = token_start(sql, strlen(sql));
	struct token t = token_next(&c);

	while (n-- > 0)
		t = token_next(&c);
	return t;
}

static void expect(const char *sql, int n, enum token_kind kind, const char *text)
{
	struct token t = nth(sql, n);

	ck_assert_int_eq(t.kind, kind);
	ck_assert_uint_eq(t.length, strlen(text));
	ck_assert(memcmp(t.at, text, t.length) == 0);
}

START_TEST(every_quote_makes_a_name)
{
	char name[16];
	struct token t;

	expect("\"a\"\"b\" x", 0, TOKEN_NAME, "\"a\"\"b\"");
	t = nth("\"a\"\"b\"", 0);
	ck_assert_uint_eq(token_name(&t, name, sizeof(name)), 3);
	ck_assert_str_eq(name, "a\"b");
	t = nth("[a]]", 0);
	ck_assert_uint_eq(token_name(&t, name, sizeof(name)), 1);
	ck_assert_str_eq(name, "a");
	t = nth("`x``y`", 0);
	token_name(&t, name, sizeof(name));
	ck_assert_str_eq(name, "x`y");
	t = nth("'it''s'", 0);
	ck_assert_int_eq(t.kind, TOKEN_STRING);
	token_name(&t, name, sizeof(name));
	ck_assert_str_eq(name, "it's");
	t = nth("abcdef", 0);
	ck_assert_uint_eq(token_name(&t, name, 4), 6);
	ck_assert_str_eq(name, "abc");
}
END_TEST

START_TEST(literals_operators_and_comments)
{
	expect("-- c\n/* d */ x'00FF'", 0, TOKEN_BLOB, "x'00FF'");
	expect("1e-5.x", 0, TOKEN_NUMBER, "1e-5");
	expect("0x1Fg", 0, TOKEN_NUMBER, "0x1F");
	expect(".5", 0, TOKEN_NUMBER, ".5");
	expect("a.b", 1, TOKEN_OPERATOR, ".");
	expect("a->>'$.x'", 1, TOKEN_OPERATOR, "->>");
	expect("a||b", 1, TOKEN_OPERATOR, "||");
	expect(":name ?12 @x $y", 0, TOKEN_PARAMETER, ":name");
	expect(":name ?12 @x $y", 1, TOKEN_PARAMETER, "?12");
	expect("größe", 0, TOKEN_WORD, "größe");
	expect("/* open", 0, TOKEN_END, "");
	expect("'open", 0, TOKEN_BAD, "'open");
	expect("[open", 0, TOKEN_BAD, "[open");
}
END_TEST

START_TEST(names_compare_as_sqlite_does)
{
	struct token t = nth("\"Two Words\"", 0);

	ck_assert(token_names(&t, "two words"));
	ck_assert(!token_names(&t, "two word"));
	ck_assert(!token_names(&t, "two wordss"));
	ck_assert(!token_is_word(&t, "Two Words"));
	t = nth("SELECT", 0);
	ck_assert(token_is_word(&t, "select"));
	ck_assert(!token_is_word(&t, "sel"));
}
END_TEST

/* Each text is put at the end of its own allocation, so that the sanitizer sees one byte too many. */
START_TEST(no_bytes_make_it_read_past_the_end)
{
	static const char alphabet[] = "'\"[]`xX0.eE+-/*|>=?:$\n\0a\xff(";
	unsigned long state = 1;
	int round, i;

	for (round = 0; round < 20000; round++) {
		size_t size = (size_t)(round % 12), used = 0;
		char *text = malloc(size ? size : 1);
		struct token_cursor c;
		struct token t;

		ck_assert_ptr_nonnull(text);
		for (i = 0; i < (int)size; i++) {
			state = state * 6364136223846793005ul + 1442695040888963407ul;
			text[i] = alphabet[(state >> 33) % (sizeof(alphabet) - 1)];
		}
		c = token_start(text, size);
		while ((t = token_next(&c)).kind != TOKEN_END) {
			ck_assert_uint_gt(t.length, 0);
			used += t.length;
			ck_assert(t.at >= text && t.at + t.length <= text + size);
		}
		ck_assert_uint_le(used, size);
		free(text);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("sqlite token");
	TCase *c = tcase_create("token");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(c, every_quote_makes_a_name);
	tcase_add_test(c, literals_operators_and_comments);
	tcase_add_test(c, names_compare_as_sqlite_does);
	tcase_add_test(c, no_bytes_make_it_read_past_the_end);
	suite_add_tcase(s, c);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
