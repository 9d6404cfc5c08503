/*
 * What is written where: sentences on the screen, dated lines or JSON in the file, secrets in neither.
 */
#include "config.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "secret.h"

static char folder[] = "/tmp/etlrun-log-XXXXXX", file[64], screen[64], text[8192];

static void set_up(void)
{
	int fd;

	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(file, sizeof(file), "%s/run.log", folder);
	snprintf(screen, sizeof(screen), "%s/screen", folder);
	fd = open(screen, O_WRONLY | O_CREAT | O_APPEND, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(dup2(fd, STDERR_FILENO), STDERR_FILENO);
	close(fd);
}

static void tear_down(void)
{
	log_close();
	unlink(file);
	unlink(screen);
	rmdir(folder);
	memcpy(folder + sizeof(folder) - 7, "XXXXXX", 6);
	secret_clear();
}

static const char *content(const char *path)
{
	FILE *f = fopen(path, "r");
	size_t n;

	ck_assert_ptr_nonnull(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	fclose(f);
	return text;
}

static void open_log(struct log_options options)
{
	struct etl_error err = ERROR_INIT;

	ck_assert_int_eq(log_open(&options, &err), ETL_OK);
}

START_TEST(sentences_on_the_screen)
{
	open_log((struct log_options){ .screen_level = ETL_LOG_INFO });
	log_line(ETL_LOG_INFO, "%d tables", 3);
	log_line(ETL_LOG_WARN, "a column\nis wide");
	log_line(ETL_LOG_DEBUG, "not shown");
	ck_assert_str_eq(content(screen), "3 tables\netlrun: warning: a column is wide\n");
}
END_TEST

START_TEST(dated_lines_in_the_file)
{
	struct stat st;

	umask(0);
	open_log((struct log_options){ .file = file, .level = ETL_LOG_DEBUG, .screen_level = ETL_LOG_ERROR });
	log_line(ETL_LOG_DEBUG, "detail");
	log_line(ETL_LOG_WARN, "look");
	ck_assert_str_eq(content(screen), "");
	content(file);
	ck_assert_int_eq(strncmp(text, "20", 2), 0);
	ck_assert_int_eq(text[10], 'T');
	ck_assert_int_eq(text[23], 'Z');
	ck_assert_int_eq(strncmp(text + 24, " debug   detail\n20", 18), 0);
	ck_assert_ptr_nonnull(strstr(text, "Z warning look\n"));
	ck_assert_int_eq(stat(file, &st), 0);
	ck_assert_int_eq(st.st_mode & 0777, 0640);
}
END_TEST

START_TEST(json_lines)
{
	open_log((struct log_options){ .file = file, .json = true, .level = ETL_LOG_INFO,
				       .screen_level = ETL_LOG_ERROR, .run = "r1" });
	log_line(ETL_LOG_INFO, "say \"hi\" to %s", "C:\\x");
	log_line(ETL_LOG_DEBUG, "left out");
	content(file);
	ck_assert_int_eq(strncmp(text, "{\"time\":\"20", 11), 0);
	ck_assert_str_eq(strchr(text, ','),
			 ",\"level\":\"info\",\"run\":\"r1\",\"message\":\"say \\\"hi\\\" to C:\\\\x\"}\n");
}
END_TEST

START_TEST(secrets_are_in_neither)
{
	ck_assert(secret_add("hunter\"22"));
	open_log((struct log_options){ .file = file, .json = true, .screen_json = true,
				       .screen_level = ETL_LOG_INFO, .level = ETL_LOG_INFO });
	log_line(ETL_LOG_INFO, "login hunter\"22");
	ck_assert_ptr_nonnull(strstr(content(screen), "\"message\":\"login ***\""));
	ck_assert_ptr_nonnull(strstr(content(file), "\"message\":\"login ***\""));
}
END_TEST

START_TEST(an_error_as_its_sentence)
{
	struct etl_error err = ERROR_INIT;

	open_log((struct log_options){ .screen_level = ETL_LOG_ERROR });
	error_at(&err, "Invoice", "Total", "id=3");
	error_set(&err, ETL_FATAL, "value too large");
	strcpy(err.sqlstate, "22003");
	strcpy(err.plugin, "postgres");
	err.role = ETL_ROLE_TARGET;
	log_error(&err);
	ck_assert_str_eq(content(screen), "etlrun: error: target postgres: table \"Invoice\", column \"Total\", "
					  "key id=3: value too large (SQLSTATE 22003)\n");
	error_clear(&err);
}
END_TEST

START_TEST(a_place_that_the_message_names_is_not_said_twice)
{
	struct etl_error err = ERROR_INIT;

	open_log((struct log_options){ .screen_level = ETL_LOG_ERROR });
	error_at(&err, "Invoice", "Total", "id=3");
	error_set(&err, ETL_FATAL, "table \"Invoice\" is there already, with \"Totals\"");
	log_error(&err);
	ck_assert_str_eq(content(screen), "etlrun: error: column \"Total\", key id=3: table \"Invoice\" is there "
					  "already, with \"Totals\"\n");
	error_clear(&err);
}
END_TEST

START_TEST(a_file_that_cannot_be_opened)
{
	struct etl_error err = ERROR_INIT;
	const struct log_options options = { .file = "/nowhere/run.log" };

	ck_assert_int_eq(log_open(&options, &err), ETL_FAILED);
	ck_assert_str_eq(err.message, "log file /nowhere/run.log: cannot be opened: No such file or directory; "
				      "set log.file to a writable place");
	ck_assert_int_eq(error_exit(&err), 10);
	error_clear(&err);
}
END_TEST

static void error_says(struct etl_error *err, const char *line)
{
	ck_assert_int_eq(truncate(screen, 0), 0);
	log_error(err);
	ck_assert_str_eq(content(screen), line);
	error_clear(err);
	*err = (struct etl_error)ERROR_INIT;
}

START_TEST(codes_and_roles)
{
	struct etl_error err = ERROR_INIT;

	open_log((struct log_options){ .screen_level = ETL_LOG_ERROR });
	error_set(&err, ETL_FATAL, "no");
	err.native = 7;
	error_says(&err, "etlrun: error: no (native code 7)\n");
	error_set(&err, ETL_FATAL, "no");
	err.native = 7;
	strcpy(err.sqlstate, "22003");
	error_says(&err, "etlrun: error: no (SQLSTATE 22003, native code 7)\n");
	error_set(&err, ETL_FATAL, "no");
	strcpy(err.plugin, "sqlite");
	error_says(&err, "etlrun: error: sqlite: no\n");
	error_set(&err, ETL_FATAL, "no");
	strcpy(err.plugin, "sqlite");
	err.role = ETL_ROLE_VALIDATOR + 1;
	error_says(&err, "etlrun: error: sqlite: no\n");
	error_at(&err, "t", NULL, NULL);
	error_set(&err, ETL_FATAL, "\"tt\", t\" and \"t");
	error_says(&err, "etlrun: error: table \"t\": \"tt\", t\" and \"t\n");
	error_at(&err, "", NULL, NULL);
	error_set(&err, ETL_FATAL, "\"\" is no name");
	error_says(&err, "etlrun: error: table \"\": \"\" is no name\n");
	/* A plugin's own struct may hold nothing. */
	error_says(&err, "etlrun: error: out of memory while a failure was described\n");
}
END_TEST

START_TEST(notes_are_for_files_and_machines)
{
	open_log((struct log_options){ .file = file, .level = ETL_LOG_INFO, .screen_level = ETL_LOG_INFO });
	log_note("for %s", "later");
	ck_assert_str_eq(content(screen), "");
	ck_assert_ptr_nonnull(strstr(content(file), "info    for later\n"));
	open_log((struct log_options){ .file = file, .level = ETL_LOG_WARN, .screen_json = true, .screen_level = ETL_LOG_INFO,
				       .run = "r1" });
	log_run("r2");
	log_note("for machines");
	ck_assert_ptr_nonnull(strstr(content(screen), ",\"run\":\"r2\",\"message\":\"for machines\"}\n"));
	ck_assert_ptr_null(strstr(content(file), "machines"));
	log_run(NULL);
	open_log((struct log_options){ .screen_json = true, .screen_level = ETL_LOG_ERROR });
	log_note("for nobody");
	ck_assert_ptr_null(strstr(content(screen), "nobody"));
	/* A level that no plugin should use is the nearest there is. */
	log_line(-5, "bad\x7f");
	ck_assert_ptr_nonnull(strstr(content(screen), "\"level\":\"error\",\"message\":\"bad \"}\n"));
}
END_TEST

static int steps;

static void around(int before)
{
	steps = steps * 10 + (before ? 1 : 2);
}

START_TEST(the_bar_is_taken_away_and_put_back)
{
	open_log((struct log_options){ .screen_level = ETL_LOG_INFO });
	log_on_screen(around);
	log_line(ETL_LOG_INFO, "one");
	log_line(ETL_LOG_DEBUG, "not shown");
	log_on_screen(NULL);
	log_line(ETL_LOG_INFO, "two");
	ck_assert_int_eq(steps, 12);
	ck_assert(!log_has_terminal());
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("log");
	TCase *t = tcase_create("log");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, sentences_on_the_screen);
	tcase_add_test(t, dated_lines_in_the_file);
	tcase_add_test(t, json_lines);
	tcase_add_test(t, secrets_are_in_neither);
	tcase_add_test(t, an_error_as_its_sentence);
	tcase_add_test(t, a_place_that_the_message_names_is_not_said_twice);
	tcase_add_test(t, codes_and_roles);
	tcase_add_test(t, notes_are_for_files_and_machines);
	tcase_add_test(t, a_file_that_cannot_be_opened);
	tcase_add_test(t, the_bar_is_taken_away_and_put_back);
	suite_add_tcase(suite, t);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
