/*
 * Values from outside the pipeline file, and what is said when they are not there.
 */
#include "config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "interpolate.h"
#include "secret.h"

static char folder[] = "/tmp/etlrun-fill-XXXXXX";

static void write_file(const char *name, const char *bytes, size_t size)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(bytes, 1, size, f), size);
	fclose(f);
}

static void set_up(void)
{
	ck_assert_ptr_nonnull(mkdtemp(folder));
	write_file("pw.txt", "from a file\n", 12);
	write_file("two.txt", "two\n\n", 5);
	write_file("nul.txt", "a\0b", 3);
	setenv("ETL_T_NAME", "Ann", 1);
	setenv("ETL_T_TRICK", "${env:ETL_T_NAME}", 1);
	setenv("ETL_T_EMPTY", "", 1);
	unsetenv("ETL_T_UNSET");
}

static void tear_down(void)
{
	char path[128];
	const char *const names[] = { "pw.txt", "two.txt", "nul.txt" };

	for (size_t i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		unlink(path);
	}
	rmdir(folder);
	memcpy(folder + sizeof(folder) - 7, "XXXXXX", 6);
	secret_clear();
}

static const struct {
	const char *text, *expected;
} good[] = {
	{ "plain $ {x} $5", "plain $ {x} $5" },
	{ "", "" },
	{ "${env:ETL_T_NAME}", "Ann" },
	{ "a${env:ETL_T_NAME}b${env:ETL_T_NAME}", "aAnnbAnn" },
	{ "${env:ETL_T_UNSET:-some default}", "some default" },
	{ "${env:ETL_T_UNSET:-}", "" },
	{ "${env:ETL_T_NAME:-other}", "Ann" },
	{ "${env:ETL_T_EMPTY:-other}", "other" },
	{ "${env:ETL_T_EMPTY}", "" },
	{ "${env:ETL_T_TRICK}", "${env:ETL_T_NAME}" },
	{ "$${env:ETL_T_NAME}", "${env:ETL_T_NAME}" },
	{ "${file:pw.txt}!", "from a file!" },
	{ "${file:two.txt}!", "two\n!" },
	{ "${exec:printf \"%s-%s\" 'a b' \"c\\\"}\"}", "a b-c\"}" },
	{ "${exec:cat pw.txt}", "from a file" },
	{ "${exec:echo $HOME;ls}", "$HOME;ls" },
};

START_TEST(filled_in)
{
	struct etl_error err = ERROR_INIT;
	char *got = NULL;

	ck_assert_int_eq(interpolate(good[_i].text, folder, "shop.cfg:4", false, &got, &err), ETL_OK);
	ck_assert_str_eq(got, good[_i].expected);
	free(got);
}
END_TEST

static const struct {
	const char *text, *message;
} bad[] = {
	{ "${env:ETL_T_UNSET}",
	  "shop.cfg:4: ${env:ETL_T_UNSET} is not set; set it or write ${env:ETL_T_UNSET:-default}" },
	{ "${env:A B}", "shop.cfg:4: ${env:A B} is no name of a variable; write ${env:NAME} or ${env:NAME:-default}" },
	{ "${vault:x}", "shop.cfg:4: ${vault:x} is none of ${env:NAME}, ${file:PATH} and ${exec:COMMAND}; "
			"write $${ for a literal ${" },
	{ "x ${env:A", "shop.cfg:4: ${env:A… does not end; a } is missing, or write $${ for a literal ${" },
	{ "${exec:echo \"a}", "shop.cfg:4: ${exec:echo \"a}… does not end; a } is missing, or write $${ for a literal ${" },
	{ "${file:none.txt}", "shop.cfg:4: ${file:none.txt} cannot be read: No such file or directory" },
	{ "${file:nul.txt}", "shop.cfg:4: ${file:nul.txt} gives a NUL byte, which no option can hold" },
	{ "${exec:cat nul.txt}", "shop.cfg:4: ${exec:cat} gives a NUL byte, which no option can hold" },
	{ "${exec:}", "shop.cfg:4: ${exec:} names no command" },
	{ "${exec:no-such-command-here x}",
	  "shop.cfg:4: ${exec:no-such-command-here} cannot be started: No such file or directory" },
	{ "${exec:sh -c 'echo first >&2; echo vault is sealed >&2; exit 3'}",
	  "shop.cfg:4: ${exec:sh} ended with exit code 3: vault is sealed" },
	{ "${exec:false}", "shop.cfg:4: ${exec:false} ended with exit code 1" },
	{ "${exec:sh -c 'kill -9 $$'}", "shop.cfg:4: ${exec:sh} was ended by signal 9" },
	{ "${exec:head -c 2000000 /dev/zero}", "shop.cfg:4: ${exec:head} says more than 1 MiB" },
};

START_TEST(refused)
{
	struct etl_error err = ERROR_INIT;
	char *got = NULL;

	ck_assert_int_eq(interpolate(bad[_i].text, folder, "shop.cfg:4", false, &got, &err), ETL_FAILED);
	ck_assert_ptr_null(got);
	ck_assert_str_eq(err.message, bad[_i].message);
	ck_assert_int_eq(error_exit(&err), 2);
	error_clear(&err);
}
END_TEST

START_TEST(a_command_that_hangs_is_stopped_with_its_children)
{
	const struct timespec pause = { .tv_sec = 1, .tv_nsec = 500000000 };
	struct etl_error err = ERROR_INIT;
	time_t start = time(NULL);
	char path[128];
	char *got = NULL;

	interpolate_set_limit(200);
	ck_assert_int_eq(interpolate("${exec:sh -c '(sleep 1; : >late) & sleep 60'}", folder, "shop.cfg:4", false, &got, &err),
			 ETL_FAILED);
	ck_assert_str_eq(err.message, "shop.cfg:4: ${exec:sh} was stopped after 200 ms");
	ck_assert_int_lt(time(NULL) - start, 20);
	nanosleep(&pause, NULL);
	snprintf(path, sizeof(path), "%s/late", folder);
	ck_assert_int_eq(access(path, F_OK), -1);
	error_clear(&err);
}
END_TEST

static void is_masked(const char *text, bool secret, bool masked)
{
	struct etl_error err = ERROR_INIT;
	char *got = NULL, *shown;

	secret_clear();
	ck_assert_int_eq(interpolate(text, folder, "shop.cfg:4", secret, &got, &err), ETL_OK);
	shown = secret_redact(got);
	ck_assert_str_eq(shown, masked ? "***" : got);
	free(shown);
	free(got);
}

START_TEST(what_is_a_secret)
{
	setenv("ETL_T_NAME", "Ann Smith", 1);
	is_masked("${file:pw.txt}", false, true);
	is_masked("${exec:echo a vault value}", false, true);
	is_masked("${env:ETL_T_NAME}", true, true);
	is_masked("${env:ETL_T_NAME}", false, false);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("interpolate");
	TCase *t = tcase_create("interpolate");
	SRunner *runner;
	int failed;

	tcase_set_timeout(t, 40);
	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_loop_test(t, filled_in, 0, (int)(sizeof(good) / sizeof(*good)));
	tcase_add_loop_test(t, refused, 0, (int)(sizeof(bad) / sizeof(*bad)));
	tcase_add_test(t, a_command_that_hangs_is_stopped_with_its_children);
	tcase_add_test(t, what_is_a_secret);
	suite_add_tcase(suite, t);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
