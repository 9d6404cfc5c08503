/*
 * A failure is described once, where it happened, and decides the exit code.
 */
#include "config.h"

#include <check.h>
#include <stdlib.h>

#include "error.h"
#include "secret.h"

START_TEST(first_description_stays)
{
	struct etl_error err = ERROR_INIT;

	error_at(&err, "Invoice", NULL, "id=3");
	error_at(&err, "Other", "Total", NULL);
	ck_assert_int_eq(error_set(&err, ETL_DATA, "%d rows are missing.", 2), ETL_FAILED);
	error_at(&err, "Late", "Late", "late");
	ck_assert_int_eq(error_set(&err, ETL_BUG, "later"), ETL_FAILED);
	ck_assert_str_eq(err.message, "2 rows are missing");
	ck_assert_str_eq(err.table, "Invoice");
	ck_assert_str_eq(err.column, "Total");
	ck_assert_str_eq(err.key, "id=3");
	ck_assert_int_eq(err.klass, ETL_DATA);
	error_clear(&err);
	ck_assert(!err.set);
	ck_assert_ptr_null(err.message);
}
END_TEST

START_TEST(secrets_are_masked)
{
	struct etl_error err = ERROR_INIT;

	ck_assert(secret_add("hunter22"));
	error_at(&err, "t", NULL, "name=hunter22");
	error_set(&err, ETL_FATAL, "login with hunter22 was refused");
	ck_assert_str_eq(err.message, "login with *** was refused");
	ck_assert_str_eq(err.key, "name=***");
	error_clear(&err);
	secret_clear();
}
END_TEST

START_TEST(moving_keeps_the_root_cause)
{
	struct etl_error to = ERROR_INIT, from = ERROR_INIT;

	error_set(&from, ETL_FATAL, "the first");
	from.role = ETL_ROLE_TARGET;
	error_move(&to, &from);
	ck_assert(!from.set);
	ck_assert_ptr_null(from.message);
	ck_assert_str_eq(to.message, "the first");
	ck_assert_int_eq(error_exit(&to), 4);
	error_set(&from, ETL_USAGE, "the second");
	error_move(&to, &from);
	ck_assert_str_eq(to.message, "the first");
	ck_assert(!from.set);
	error_clear(&to);
}
END_TEST

static const struct {
	int32_t klass, role;
	int exit;
} exits[] = {
	{ ETL_FATAL, ETL_ROLE_SOURCE, 3 },
	{ ETL_FATAL, ETL_ROLE_TARGET, 4 },
	{ ETL_FATAL, ETL_ROLE_TRANSFORM, 5 },
	{ ETL_FATAL, ETL_ROLE_VALIDATOR, 5 },
	{ ETL_FATAL, 0, 1 },
	{ ETL_USAGE, ETL_ROLE_TARGET, 2 },
	{ ETL_DATA, ETL_ROLE_SOURCE, 5 },
	{ ETL_MEMORY, ETL_ROLE_SOURCE, 10 },
	{ ETL_BUG, ETL_ROLE_TARGET, 1 },
	{ ETL_RETRY_STATEMENT, ETL_ROLE_SOURCE, 3 },
	{ ETL_RETRY_CONNECTION, ETL_ROLE_TARGET, 4 },
	{ ETL_FEWER_WORKERS, ETL_ROLE_SOURCE, 3 },
	{ ETL_OUTCOME_UNKNOWN, ETL_ROLE_TARGET, 4 },
	{ ETL_HOST_LOCKED, 0, 8 },
	{ 77, ETL_ROLE_SOURCE, 1 },
};

START_TEST(exit_code_of_each_class)
{
	struct etl_error err = ERROR_INIT;

	error_set(&err, exits[_i].klass, "x");
	err.role = exits[_i].role;
	ck_assert_int_eq(error_exit(&err), exits[_i].exit);
	error_clear(&err);
}
END_TEST

START_TEST(no_failure_is_exit_0)
{
	struct etl_error err = ERROR_INIT;

	ck_assert_int_eq(error_exit(&err), 0);
	ck_assert_int_eq(error_memory(&err), ETL_FAILED);
	ck_assert_str_eq(err.message, "out of memory; lower memory_limit or workers");
	error_clear(&err);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("error");
	TCase *t = tcase_create("error");
	SRunner *runner;
	int failed;

	tcase_add_test(t, first_description_stays);
	tcase_add_test(t, secrets_are_masked);
	tcase_add_test(t, moving_keeps_the_root_cause);
	tcase_add_loop_test(t, exit_code_of_each_class, 0, (int)(sizeof(exits) / sizeof(*exits)));
	tcase_add_test(t, no_failure_is_exit_0);
	suite_add_tcase(suite, t);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
