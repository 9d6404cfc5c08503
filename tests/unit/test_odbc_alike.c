/*
 * What looks like one value of a key to T-SQL, by the name of its collation; and which names are one. What a server says of it is
 * seen by tests/e2e/odbc_key_values.test where there is one.
 */
#include "config.h"

#include <check.h>
#include <stdlib.h>

#include "plugins/odbc/alike.h"
#include "plugins/odbc/layout.h"

#define BIN2	 "Latin1_General_BIN2"
#define USUAL	 "SQL_Latin1_General_CP1_CI_AS"
#define NEWER	 "Latin1_General_100_CI_AS_SC"
#define STRICT	 "Latin1_General_100_CS_AS"
#define LOOSE	 "Latin1_General_100_CI_AI"
#define BABELFISH "bbf_unicode_cp1_ci_as"

struct taking {
	struct etl_form_sink sink;
	struct etl_text text;
};

static int take(struct etl_form_sink *self, const void *piece, size_t size)
{
	etl_text_add_bytes(&((struct taking *)(void *)self)->text, piece, size);
	return 0;
}

static struct etl_text form_of(const char *collation, const char *text, size_t size)
{
	struct taking t = { .sink = { take } };
	int32_t compares = odbc_collation_compares(collation);

	ck_assert_int_ne(compares, 0);
	ck_assert_int_eq(odbc_form(compares, text, size, &t.sink), 0);
	return t.text;
}

static bool alike_bytes(const char *collation, const char *a, size_t a_size, const char *b, size_t b_size)
{
	struct etl_text x = form_of(collation, a, a_size), y = form_of(collation, b, b_size);
	bool same = x.length == y.length && (x.length == 0 || memcmp(x.at, y.at, x.length) == 0);

	etl_text_free(&x);
	etl_text_free(&y);
	return same;
}

static bool alike(const char *collation, const char *a, const char *b)
{
	return alike_bytes(collation, a, strlen(a), b, strlen(b));
}

/* Each pair, and in which of the collations it is one. */
static const struct {
	const char *a, *b;
	bool bin2, usual, newer, strict, loose;
} pairs[] = {
	{ "a", "a", true, true, true, true, true },
	{ "a", "b", false, false, false, false, false },
	{ "a", "a  ", true, true, true, true, true },
	{ "", "   ", true, true, true, true, true },
	{ " a", "a", false, false, false, false, false },
	{ "a b", "ab", false, false, false, false, false },
	{ "a\t", "a", false, false, false, false, false },
	{ "a", "A", false, true, true, false, true },
	{ "Émile ", "émile", false, true, true, false, true },
	{ "Émile", "Emile", false, false, false, false, true },
	{ "émile", "e\xcc\x81mile", false, false, false, false, true },
	{ "Straße", "strasse", false, true, true, false, true },
	{ "straße", "strasse", false, true, true, true, true },
	{ "Ａ", "a", false, true, true, false, true },
	{ "ａ", "a", false, true, true, true, true },
	{ "a　", "a", false, true, true, true, true },
	{ "カ", "か", false, true, true, true, true },
	{ "ab", "a\xc2\xad" "b", false, true, true, true, true },
	{ "a \xe2\x80\x8b", "a", false, true, true, true, true },
	{ "ΔΣ", "δς", false, true, true, false, true },
	{ "😀", "😃", false, true, false, false, false },
	{ "😀", "", false, true, false, false, false },
};

START_TEST(collations)
{
	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
		const char *a = pairs[i].a, *b = pairs[i].b;

		ck_assert_msg(alike(BIN2, a, b) == pairs[i].bin2, "%s and %s, bin2", a, b);
		ck_assert_msg(alike(USUAL, a, b) == pairs[i].usual, "%s and %s, usual", a, b);
		ck_assert_msg(alike(BABELFISH, a, b) == pairs[i].usual, "%s and %s, Babelfish", a, b);
		ck_assert_msg(alike(NULL, a, b) == pairs[i].usual, "%s and %s, the database's", a, b);
		ck_assert_msg(alike(NEWER, a, b) == pairs[i].newer, "%s and %s, newer", a, b);
		ck_assert_msg(alike(STRICT, a, b) == pairs[i].strict, "%s and %s, strict", a, b);
		ck_assert_msg(alike(LOOSE, a, b) == pairs[i].loose, "%s and %s, loose", a, b);
	}
}
END_TEST

/* Half a character at the end, or what is none, is read no further than it goes. */
START_TEST(no_text)
{
	static const char cut[] = { 'a', (char)0xe2, (char)0x82, 'b' };

	ck_assert(alike_bytes(USUAL, cut, 3, cut, 3));
	ck_assert(!alike_bytes(USUAL, cut, 3, cut, 1));
	ck_assert(!alike_bytes(USUAL, cut, 4, cut, 3));
	ck_assert(alike_bytes(USUAL, "a\0", 2, "A", 1));
	ck_assert(!alike_bytes(BIN2, "a\0", 2, "a", 1));
}
END_TEST

START_TEST(long_text)
{
	static char a[1000], b[1000];

	memset(a, 'a', sizeof(a));
	memset(b, 'A', sizeof(b));
	ck_assert(alike_bytes(USUAL, a, sizeof(a), b, sizeof(b)));
	ck_assert(!alike_bytes(USUAL, a, sizeof(a), b, sizeof(b) - 1));
	memset(a + 10, ' ', sizeof(a) - 10);
	ck_assert(alike_bytes(USUAL, a, sizeof(a), b, 10));
}
END_TEST

START_TEST(names)
{
	ck_assert(odbc_same_name("Maß", "MASS"));
	ck_assert(!odbc_same_name("a", "a "));
	ck_assert(!odbc_same_name("a", "ab"));
	ck_assert(!odbc_same_name("é", "e"));
	ck_assert(!odbc_same_name("😀", "😃"));
	ck_assert_uint_eq(odbc_name_hash("Größe"), odbc_name_hash("grösse"));
	ck_assert_uint_ne(odbc_name_hash("a"), odbc_name_hash("b"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("odbc alike");
	TCase *tcase = tcase_create("values");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, collations);
	tcase_add_test(tcase, no_text);
	tcase_add_test(tcase, long_text);
	tcase_add_test(tcase, names);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
