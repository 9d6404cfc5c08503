/*
 * A secret is named once and then never seen, in whatever spelling a driver or a server repeats it.
 */
#include "config.h"

#include <check.h>
#include <stdlib.h>

#include "secret.h"

static void shows(const char *text, const char *expected)
{
	char *got = secret_redact(text);

	ck_assert_ptr_nonnull(got);
	ck_assert_str_eq(got, expected);
	free(got);
}

START_TEST(plain_and_url_encoded)
{
	ck_assert(secret_add("p/ss wörd"));
	shows("got p/ss wörd.", "got ***.");
	shows("p%2Fss%20w%C3%B6rd", "***");
	shows("p%2fss%20w%c3%b6rd", "***");
	shows("p%2Fss+w%C3%B6rd!", "***!");
	shows("p%2fss+w%c3%b6rd", "***");
	ck_assert(secret_add("A-b_c.d~0/Z9"));
	shows("A-b_c.d~0%2FZ9", "***");
	ck_assert(secret_add_uri(NULL));
	shows("nothing here", "nothing here");
	shows("", "");
}
END_TEST

START_TEST(the_longest_first)
{
	ck_assert(secret_add("abcd"));
	ck_assert(secret_add("abcdefgh"));
	ck_assert(secret_add("abcdef"));
	shows("abcdefgh abcdef abcd abc", "*** *** *** abc");
	shows("abcdabcdefabc", "******abc");
}
END_TEST

START_TEST(short_values_are_too_common)
{
	ck_assert(secret_add("abc"));
	ck_assert(secret_add(""));
	ck_assert(secret_add(NULL));
	shows("abc", "abc");
}
END_TEST

static const struct {
	const char *uri, *shown;
} uris[] = {
	{ "postgres://app:s3cret@db/shop", "postgres://app:***@db/shop" },
	{ "postgres://app:s3c@ret@db/shop", "postgres://app:***@db/shop" },
	{ "postgres://app:s3c%40ret@db/shop", "postgres://app:***@db/shop" },
	{ "postgres:///shop?user=app&password=s3cret", "postgres:///shop?user=app&password=***" },
	{ "postgres:///shop?sslpassword=s3cret&host=db", "postgres:///shop?sslpassword=***&host=db" },
	{ "https://x.example/b?sv=2024&sig=aB%2Bcd%3D", "https://x.example/b?sv=2024&sig=***" },
	{ "https://x.example/b?access_token=qwerty", "https://x.example/b?access_token=***" },
	{ "odbc:Driver=x;UID=sa;PWD={s3;cret};Encrypt=yes", "odbc:Driver=x;UID=sa;PWD=***;Encrypt=yes" },
	{ "Driver=x;UID=sa;PWD=s3 cr&t#1;Encrypt=yes", "Driver=x;UID=sa;PWD=***;Encrypt=yes" },
	{ "Driver={a b};Server=tcp:db,1433;Trusted_Connection=yes;Authentication=ActiveDirectoryMsi", "Driver={a b};Server=tcp:db,1433;Trusted_Connection=yes;Authentication=ActiveDirectoryMsi" },
	{ "host=db password='s3 cret' user=app", "host=db password=*** user=app" },
	{ "postgres://app@db:5432/shop?sslmode=require", "postgres://app@db:5432/shop?sslmode=require" },
	{ "sqlite:shop.db", "sqlite:shop.db" },
	/* What is no escape stands as it is. */
	{ "postgres://app:s3c%zzret@db/shop", "postgres://app:***@db/shop" },
	{ "postgres://app:s3cr%4Gt@db/shop", "postgres://app:***@db/shop" },
	{ "postgres://app:s3cret%2@db/shop", "postgres://app:***@db/shop" },
	{ "postgres://app:s3cr%00t@db/shop", "postgres://app:***@db/shop" },
	{ "postgres://app:s3cr/?#t@db/shop", "postgres://app:***@db/shop" },
	{ "postgres://app:@db/shop?pwd=", "postgres://app:@db/shop?pwd=" },
	{ "odbc:UID=sa;PWD={;Encrypt=yes", "odbc:UID=sa;PWD={;Encrypt=yes" },
};

START_TEST(passwords_in_uris)
{
	ck_assert(secret_add_uri(uris[_i].uri));
	shows(uris[_i].uri, uris[_i].shown);
}
END_TEST

START_TEST(decoded_password_is_masked_too)
{
	ck_assert(secret_add_uri("postgres://app:s3c%40ret@db/shop"));
	shows("password \"s3c@ret\" is wrong", "password \"***\" is wrong");
	ck_assert(secret_add_uri("postgres://app:%6ax%6Fq%3f@db/shop"));
	shows("password \"jxoq?\" is wrong", "password \"***\" is wrong");
	ck_assert(secret_add_uri("Driver=x;PWD={s3;cr}}et}"));
	shows("PWD={s3;cr}}et} \"s3;cr}et\"", "PWD=*** \"***\"");
	ck_assert(secret_add_uri("x://h/?password=a+long+one"));
	shows("a long one", "***");
}
END_TEST

START_TEST(forgotten_after_clear)
{
	ck_assert(secret_add("hunter22"));
	secret_clear();
	shows("hunter22", "hunter22");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("secret");
	TCase *t = tcase_create("secret");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(t, NULL, secret_clear);
	tcase_add_test(t, plain_and_url_encoded);
	tcase_add_test(t, the_longest_first);
	tcase_add_test(t, short_values_are_too_common);
	tcase_add_loop_test(t, passwords_in_uris, 0, (int)(sizeof(uris) / sizeof(*uris)));
	tcase_add_test(t, decoded_password_is_masked_too);
	tcase_add_test(t, forgotten_after_clear);
	suite_add_tcase(suite, t);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
