/*
 * What a person who waits is told, and that waiting for the end of the progress thread takes no time.
 */
#include "config.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "../../core/log.h"
#include "../../core/progress.h"

static void set(struct progress_table *t, const char *name, int64_t expected, uint64_t rows, int state)
{
	t->name = name;
	t->expected = expected;
	atomic_init(&t->rows, rows);
	atomic_init(&t->bytes, 0);
	atomic_init(&t->state, state);
}

static void says(const struct progress_table *tables, size_t count, double rate, const char *words)
{
	struct etl_text text = { 0 };

	progress_describe(&text, tables, count, rate);
	ck_assert_str_eq(text.at ? text.at : "", words);
	etl_text_free(&text);
}

START_TEST(one_table)
{
	struct progress_table t[1];

	set(&t[0], "employees", 10000, 5000, 1);
	says(t, 1, 2100, "employees: 5,000 of 10,000 rows (50 %), 2,100 rows/s, about 2 s left");
	says(t, 1, 0, "employees: 5,000 of 10,000 rows (50 %)");
	set(&t[0], "employees", -1, 5000, 1);
	says(t, 1, 2100, "employees: 5,000 rows, 2,100 rows/s");
	set(&t[0], "employees", 100, 120, 1);
	says(t, 1, 10, "employees: 120 of 100 rows (100 %), 10 rows/s");
	set(&t[0], "employees", 100, 100, 2);
	says(t, 1, 10, "");
	set(&t[0], "employees", -1, 1, 1);
	says(t, 1, 0, "employees: 1 row");
	set(&t[0], "employees", 1, 1, 1);
	says(t, 1, 0, "employees: 1 of 1 rows (100 %)");
	set(&t[0], "employees", 0, 0, 1);
	says(t, 1, 0, "employees: 0 of 0 rows (100 %)");
	set(&t[0], "employees", 100, 90, 1);
	says(t, 1, 1000, "employees: 90 of 100 rows (90 %), 1,000 rows/s, about 1 s left");
	set(&t[0], "employees", 10000, 0, 1);
	says(t, 1, 1, "employees: 0 of 10,000 rows (0 %), 1 rows/s, about 2 h 46 min left");
	set(&t[0], "employees", INT64_C(9000000000), 0, 1);
	says(t, 1, 1, "employees: 0 of 9,000,000,000 rows (0 %), 1 rows/s, about 277777 h 46 min left");
}
END_TEST

START_TEST(several_tables)
{
	struct progress_table t[6];

	for (int i = 0; i < 6; i++)
		set(&t[i], "t", 1000, 0, 1);
	set(&t[0], "done", 900, 1000, 2);
	says(t, 6, 2, "t: 0 of 1,000 rows (0 %), t: 0 of 1,000 rows (0 %), t: 0 of 1,000 rows (0 %) and 2 more; "
	     "all tables: 1,000 of 6,000 rows (16 %), 2 rows/s, about 42 min left");
}
END_TEST

START_TEST(a_table_of_unknown_length_among_others)
{
	struct progress_table t[3];

	set(&t[0], "a", -1, 5, 1);
	set(&t[1], "b", 10, 10, 2);
	set(&t[2], "c", 10, 0, 0);
	says(t, 3, 0, "a: 5 rows; all tables: 15 rows");
}
END_TEST

/* ---- On a terminal ---- */

static char seen[65536];
static size_t seen_length;

/* Standard error is a terminal of so many columns; what appears on it is read from the result. */
static int open_terminal(unsigned short columns)
{
	const struct winsize size = { .ws_row = 24, .ws_col = columns };
	int master = posix_openpt(O_RDWR | O_NOCTTY), slave;

	ck_assert_int_ge(master, 0);
	ck_assert(grantpt(master) == 0 && unlockpt(master) == 0);
	slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	ck_assert_int_ge(slave, 0);
	ck_assert_int_eq(ioctl(slave, TIOCSWINSZ, &size), 0);
	ck_assert_int_eq(dup2(slave, STDERR_FILENO), STDERR_FILENO);
	close(slave);
	unsetenv("NO_COLOR");
	return master;
}

static void see(int terminal)
{
	ssize_t n = read(terminal, seen + seen_length, sizeof(seen) - seen_length - 1);

	ck_assert_int_gt(n, 0);
	seen_length += (size_t)n;
	seen[seen_length] = '\0';
}

/* Reads until WORDS have appeared; check ends a test that waits for ever. */
static void wait_for_words(int terminal, const char *words)
{
	const char *at;

	while (!(at = strstr(seen, words)))
		see(terminal);
	at += strlen(words);
	seen_length -= (size_t)(at - seen);
	memmove(seen, at, seen_length + 1);
}

/* Reads until the bar is taken back, and nothing stands in its place. */
static void wait_for_nothing(int terminal)
{
	const char cleared[] = "\r\033[K";

	while (seen_length < sizeof(cleared) - 1 || strcmp(seen + seen_length - sizeof(cleared) + 1, cleared) != 0)
		see(terminal);
	seen_length = 0;
	seen[0] = '\0';
}

/* The line is cut before a letter that would stand in the last column, lines of the log go above it, and it is
 * taken back at the end. */
START_TEST(a_bar_on_a_terminal)
{
	struct progress_table t[1];
	int terminal = open_terminal(41);
	struct progress *p;

	set(&t[0], "éééééééééééé", 100, 50, 1);
	p = progress_start(t, 1, true);
	ck_assert_ptr_nonnull(p);
	wait_for_words(terminal, "\r\033[K[##########----------] éééééééé\r\033[K");
	log_line(ETL_LOG_WARN, "look");
	wait_for_words(terminal, "\r\033[Ketlrun: warning: look\r\n\r\033[K[####");
	progress_phase(p, "indexes");
	wait_for_words(terminal, "\r\033[K[##########----------] indexes (1 s)");
	progress_phase(p, "");
	wait_for_words(terminal, "\r\033[K[##########----------] éé");
	atomic_store(&t[0].state, 2);
	wait_for_nothing(terminal);
	progress_stop(p);
	log_line(ETL_LOG_WARN, "over");
	wait_for_words(terminal, "etlrun: warning: over\r\n");
	ck_assert_ptr_null(strstr(seen, "\033"));
	close(terminal);
}
END_TEST

START_TEST(a_terminal_that_has_no_width)
{
	struct progress_table t[1];
	char name[101] = "", want[128];
	int terminal = open_terminal(0);
	struct progress *p;

	memset(name, 'n', sizeof(name) - 1);
	set(&t[0], name, -1, 50, 1);
	p = progress_start(t, 1, true);
	snprintf(want, sizeof(want), "\r\033[K%.79s\r", name);
	wait_for_words(terminal, want);
	progress_stop(p);
	close(terminal);
}
END_TEST

START_TEST(who_wants_no_bar)
{
	struct etl_error err = ERROR_INIT;
	const struct log_options json = { .screen_json = true };
	int terminal = open_terminal(80);

	ck_assert(log_has_terminal());
	setenv("NO_COLOR", "", 1);
	ck_assert(log_has_terminal());
	setenv("NO_COLOR", "1", 1);
	ck_assert(!log_has_terminal());
	unsetenv("NO_COLOR");
	ck_assert_int_eq(log_open(&json, &err), ETL_OK);
	ck_assert(!log_has_terminal());
	close(terminal);
}
END_TEST

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

START_TEST(it_stops_at_once)
{
	struct progress_table t[1];
	struct progress *p;
	double begun;

	set(&t[0], "t", 10, 0, 1);
	ck_assert_ptr_null(progress_start(t, 1, false));
	progress_phase(NULL, "nothing");
	progress_stop(NULL);
	p = progress_start(t, 1, true);
	ck_assert_ptr_nonnull(p);
	progress_phase(p, "indexes");
	progress_phase(p, NULL);
	begun = now();
	progress_stop(p);
	ck_assert(now() - begun < 0.1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("progress");
	TCase *tests = tcase_create("progress");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tests, one_table);
	tcase_add_test(tests, several_tables);
	tcase_add_test(tests, a_table_of_unknown_length_among_others);
	tcase_add_test(tests, a_bar_on_a_terminal);
	tcase_add_test(tests, a_terminal_that_has_no_width);
	tcase_add_test(tests, who_wants_no_bar);
	tcase_add_test(tests, it_stops_at_once);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
