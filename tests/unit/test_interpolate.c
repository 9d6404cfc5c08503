/*
 * Values from outside the pipeline file, and what is said when they are not there.
 */
#include "config.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
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
	write_file("crlf.txt", "dos\r\n", 5);
	write_file("none.txt", "", 0);
	write_file("line.txt", "\n", 1);
	setenv("ETL_T_NAME", "Ann", 1);
	setenv("ETL_T_TRICK", "${env:ETL_T_NAME}", 1);
	setenv("ETL_T_EMPTY", "", 1);
	unsetenv("ETL_T_UNSET");
}

static void tear_down(void)
{
	char path[128];
	const char *const names[] = { "pw.txt", "two.txt", "nul.txt", "crlf.txt", "none.txt", "line.txt", "big.txt" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
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
	{ "${file:crlf.txt}!", "dos!" },
	{ "${file:none.txt}!", "!" },
	{ "${file:line.txt}!", "!" },
	{ "${exec:  printf %s\t\"a\\b\\\\c\"'d\\e'\"'\"f\\g  }", "a\\b\\cd\\e'f\\g" },
	{ "${exec:printf '%s|' \"\" 'x}' y}", "|x}|y|" },
	{ "${exec:sh -c 'echo a warning >&2; echo value'}", "value" },
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
	{ "${env:}", "shop.cfg:4: ${env:} is no name of a variable; write ${env:NAME} or ${env:NAME:-default}" },
	{ "${file:.}", "shop.cfg:4: ${file:.} cannot be read: Is a directory" },
	{ "${exec:echo \"a\\\"}", "shop.cfg:4: ${exec:echo \"a\\\"}… does not end; a } is missing, or write $${ for a literal ${" },
	{ "${exec:sh -c 'echo the token is gone >&2; kill -9 $$'}",
	  "shop.cfg:4: ${exec:sh} was ended by signal 9: the token is gone" },
	/* Of much that is said, the last line is shown. */
	{ "${exec:sh -c 'printf %3000s x >&2; echo; echo >&2; echo vault is sealed >&2; echo >&2; exit 4'}",
	  "shop.cfg:4: ${exec:sh} ended with exit code 4: vault is sealed" },
	{ "${exec:sh -c 'for i in 1 2 3 4; do printf %600s x >&2; sleep 0.01; done; echo; echo >&2; echo no >&2; exit 4'}",
	  "shop.cfg:4: ${exec:sh} ended with exit code 4: no" },
	{ "${env:A B}", "shop.cfg:4: ${env:A B} is no name of a variable; write ${env:NAME} or ${env:NAME:-default}" },
	{ "${vault:x}", "shop.cfg:4: ${vault:x} is none of ${env:NAME}, ${file:PATH} and ${exec:COMMAND}; "
			"write $${ for a literal ${" },
	{ "x ${env:A", "shop.cfg:4: ${env:A… does not end; a } is missing, or write $${ for a literal ${" },
	{ "${exec:echo \"a}", "shop.cfg:4: ${exec:echo \"a}… does not end; a } is missing, or write $${ for a literal ${" },
	{ "${file:gone.txt}", "shop.cfg:4: ${file:gone.txt} cannot be read: No such file or directory" },
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

/* Its pipes may be closed while it goes on, or open with something said. */
START_TEST(what_hangs_is_stopped)
{
	static const char *const cases[][2] = {
		{ "${exec:sh -c 'exec >/dev/null 2>&1; exec sleep 60'}", "shop.cfg:4: ${exec:sh} was stopped after 150 ms" },
		{ "${exec:sh -c 'echo waiting for a token >&2; exec sleep 60'}",
		  "shop.cfg:4: ${exec:sh} was stopped after 150 ms: waiting for a token" },
	};

	interpolate_set_limit(150);
	for (size_t i = 0; i < 2; i++) {
		struct etl_error err = ERROR_INIT;
		char *got = NULL;

		ck_assert_int_eq(interpolate(cases[i][0], folder, "shop.cfg:4", false, &got, &err), ETL_FAILED);
		ck_assert_str_eq(err.message, cases[i][1]);
		error_clear(&err);
	}
}
END_TEST

START_TEST(no_more_than_a_mebibyte)
{
	struct etl_error err = ERROR_INIT;
	size_t size = 1 << 20;
	char *big = malloc(size + 2), *got = NULL;

	memset(big, 'x', size + 1);
	write_file("big.txt", big, size);
	ck_assert_int_eq(interpolate("${file:big.txt}", folder, "shop.cfg:4", false, &got, &err), ETL_OK);
	ck_assert_uint_eq(strlen(got), size);
	write_file("big.txt", big, size + 1);
	ck_assert_int_eq(interpolate("${file:big.txt}", folder, "shop.cfg:4", false, &got, &err), ETL_FAILED);
	ck_assert_str_eq(err.message, "shop.cfg:4: ${file:big.txt} is larger than 1 MiB");
	error_clear(&err);
	free(got);
	free(big);
}
END_TEST

START_TEST(a_command_of_too_many_words)
{
	struct etl_error err = ERROR_INIT;
	char text[256] = "${exec:echo", *got = NULL;

	for (int i = 0; i < 62; i++)
		strcat(text, " a");
	strcat(text, "}");
	ck_assert_int_eq(interpolate(text, folder, "shop.cfg:4", false, &got, &err), ETL_OK);
	ck_assert_uint_eq(strlen(got), 2 * 62 - 1);
	free(got);
	strcpy(text + strlen(text) - 1, " a}");
	ck_assert_int_eq(interpolate(text, folder, "shop.cfg:4", false, &got, &err), ETL_FAILED);
	ck_assert_str_eq(err.message, "shop.cfg:4: ${exec:echo …} has more than 63 words");
	error_clear(&err);
}
END_TEST

/* Without a pipeline file's folder a path is the process's own. */
START_TEST(paths_without_a_folder)
{
	struct etl_error err = ERROR_INIT;
	char text[128], *got = NULL;

	snprintf(text, sizeof(text), "${file:%s/pw.txt}", folder);
	ck_assert_int_eq(interpolate(text, "/elsewhere", "shop.cfg:4", false, &got, &err), ETL_OK);
	ck_assert_str_eq(got, "from a file");
	free(got);
	ck_assert_int_eq(chdir(folder), 0);
	ck_assert_int_eq(interpolate("${file:pw.txt}", NULL, "--set", false, &got, &err), ETL_OK);
	ck_assert_str_eq(got, "from a file");
	free(got);
	ck_assert_int_eq(interpolate("${exec:cat pw.txt}", NULL, "--set", false, &got, &err), ETL_OK);
	ck_assert_str_eq(got, "from a file");
	free(got);
	ck_assert_int_eq(chdir("/"), 0);
}
END_TEST

/* A command needs seven files at once: with any fewer left nothing is started, and that is the machine's failure. */
START_TEST(no_file_left_for_a_command)
{
	int least = open("/dev/null", O_RDONLY), failures = 0;
	struct rlimit limit;
	char *got = NULL;

	close(least);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	for (limit.rlim_cur = (rlim_t)least; !got; limit.rlim_cur++) {
		struct etl_error err = ERROR_INIT;

		ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
		if (interpolate("${exec:echo a}", folder, "shop.cfg:4", false, &got, &err) == ETL_OK)
			break;
		ck_assert_str_eq(err.message, "shop.cfg:4: ${exec:echo} cannot be started: Too many open files");
		ck_assert_int_eq(error_exit(&err), 10);
		error_clear(&err);
		failures++;
	}
	ck_assert_str_eq(got, "a");
	ck_assert_int_ge(failures, 7);
	free(got);
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
	tcase_add_test(t, what_hangs_is_stopped);
	tcase_add_test(t, no_more_than_a_mebibyte);
	tcase_add_test(t, a_command_of_too_many_words);
	tcase_add_test(t, paths_without_a_folder);
	tcase_add_test(t, no_file_left_for_a_command);
	tcase_add_test(t, what_is_a_secret);
	suite_add_tcase(suite, t);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
