/*
 * What a person who waits is told, and that waiting for the end of the progress thread takes no time.
 */
#include "config.h"

#include <check.h>
#include <stdlib.h>
#include <time.h>

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
	tcase_add_test(tests, it_stops_at_once);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
