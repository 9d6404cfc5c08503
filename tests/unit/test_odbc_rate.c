/*
 * How many connections load at once, and in batches of what size, when the server says that they wait for its log. What is
 * asked of the server is in tests/e2e/odbc_log_rate.test.
 */
#include "config.h"

#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "fake_host.h"
#include "plugins/odbc/load-rate.h"

#define MIB (INT64_C(1) << 20)

static struct rate_limits after(struct rate_limits now, int64_t loads, int64_t waited, int64_t passed)
{
	static const struct rate_limits most = { 8, 3 * MIB };

	rate_decide(&now, &most, loads, waited, passed);
	return now;
}

START_TEST(who_waits_is_spared)
{
	/* Eight that wait three quarters of their time do the work of two. */
	ck_assert_int_eq(after((struct rate_limits){ 0, 0 }, 8, 6000, 8000).loads, 2);
	ck_assert_int_eq(after((struct rate_limits){ 8, 0 }, 8, 6000, 8000).loads, 2);
	ck_assert_int_eq(after((struct rate_limits){ 0, 0 }, 8, 2400, 8000).loads, 6);
	/* One is always left, whatever it waits. */
	ck_assert_int_eq(after((struct rate_limits){ 0, 0 }, 8, 9000, 8000).loads, 1);
	ck_assert_int_eq(after((struct rate_limits){ 1, 0 }, 1, 900, 1000).loads, 1);
	/* A word of when there were more lets nobody in. */
	ck_assert_int_eq(after((struct rate_limits){ 2, 0 }, 8, 4000, 8000).loads, 2);
}
END_TEST

START_TEST(what_was_taken_is_given_back)
{
	struct rate_limits now = { 2, MIB / 2 };

	now = after(now, 2, 100, 2000);
	ck_assert_int_eq(now.loads, 3);
	ck_assert_int_eq(now.bytes, MIB);
	for (int i = 0; i < 20; i++)
		now = after(now, now.loads, 0, 1000);
	ck_assert_int_eq(now.loads, 8);
	ck_assert_int_eq(now.bytes, 3 * MIB);
	/* In between nothing changes. */
	ck_assert_int_eq(after((struct rate_limits){ 3, MIB }, 3, 200, 1000).loads, 3);
	ck_assert_int_eq(after((struct rate_limits){ 3, MIB }, 3, 200, 1000).bytes, MIB);
	/* And of who was never held back nothing is said. */
	ck_assert_int_eq(after((struct rate_limits){ 0, 0 }, 3, 0, 1000).loads, 0);
}
END_TEST

START_TEST(batches_are_halved_down_to_a_least)
{
	static const struct rate_limits most = { 4, 0 };
	struct rate_limits now = { 0, 0 };

	rate_decide(&now, &most, 4, 500, 1000);
	ck_assert_int_eq(now.bytes, 2 * MIB);
	for (int i = 0; i < 20; i++)
		rate_decide(&now, &most, 1, 500, 1000);
	ck_assert_int_eq(now.bytes, MIB / 4);
	/* Where the server names no rate, there is no limit in the end. */
	for (int i = 0; i < 20; i++)
		rate_decide(&now, &most, 1, 0, 1000);
	ck_assert_int_eq(now.bytes, 0);
}
END_TEST

/* ---- At once --------------------------------------------------------------------------------------------------------------- */

static char remark[400];

static void keep_remark(const struct etl_host *host, const char *about, const char *sentence)
{
	(void)host;
	snprintf(remark, sizeof(remark), "%s: %s", about, sentence);
}

static const struct etl_host host = { .log = fake_log, .canceled = fake_canceled, .remark = keep_remark, .workers = 2 };
static atomic_int begun;

static void *load(void *data)
{
	int64_t loads;

	(void)data;
	ck_assert_int_eq(rate_begin(&host, &loads), ETL_OK);
	atomic_store(&begun, 1);
	rate_end();
	return NULL;
}

START_TEST(a_load_waits_for_another)
{
	static const struct timespec while_ = { .tv_nsec = 50000000 };
	pthread_t thread;
	int64_t loads;

	ck_assert_int_eq(rate_governs(), 0);
	rate_know(&host, true, 1000000);
	rate_know(&host, false, 0);
	ck_assert_int_eq(rate_governs(), 1);
	ck_assert_int_eq(rate_bytes(64 * MIB), 1000000);
	ck_assert_int_eq(rate_bytes(1000), 1000);
	ck_assert_int_eq(rate_begin(&host, &loads), ETL_OK);
	ck_assert_int_eq(rate_begin(&host, &loads), ETL_OK);
	ck_assert_int_eq(loads, 2);
	rate_count(&host, 2, 1800, 2000, "LOG_RATE_GOVERNOR");
	ck_assert_str_eq(remark, "log rate: the server's log rate was the limit: 90 % of the load's time was waited for it "
				 "(LOG_RATE_GOVERNOR, 1.0 MB/s here); a higher tier loads faster");
	rate_count(&host, 2, 0, 5000, "");
	ck_assert_str_eq(remark, "log rate: ");
	rate_count(&host, 2, 20000, 20000, "");
	rate_end();
	ck_assert_int_eq(pthread_create(&thread, NULL, load, NULL), 0);
	nanosleep(&while_, NULL);
	ck_assert_int_eq(atomic_load(&begun), 0);
	rate_end();
	pthread_join(thread, NULL);
	ck_assert_int_eq(atomic_load(&begun), 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("odbc_rate");
	TCase *tests = tcase_create("rate");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tests, who_waits_is_spared);
	tcase_add_test(tests, what_was_taken_is_given_back);
	tcase_add_test(tests, batches_are_halved_down_to_a_least);
	tcase_add_test(tests, a_load_waits_for_another);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
