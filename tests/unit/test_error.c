/*
 * A failure is described once, where it happened, and decides the exit code.
 */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
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
	{ ETL_HOST_ROLLBACK, ETL_ROLE_TARGET, 9 },
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

/* What a plugin or a library says is made a sentence's end of ours; dots that stand for more stay. */
START_TEST(ends_without_a_full_stop)
{
	static const char *const said[][2] = {
		{ "disk full.", "disk full" }, { "disk full.\n", "disk full" }, { "disk full \n\n", "disk full" },
		{ "and more...", "and more..." }, { ".", "." }, { "", "" }, { " \n", "" },
	};

	for (size_t i = 0; i < sizeof(said) / sizeof(*said); i++) {
		struct etl_error err = ERROR_INIT;

		error_set(&err, ETL_FATAL, "%s", said[i][0]);
		ck_assert_str_eq(err.message, said[i][1]);
		error_clear(&err);
	}
}
END_TEST

/* Of the host's own failures no plugin is named; of the others the one that was at work. */
START_TEST(whose_failure_it_is)
{
	struct etl_error err = ERROR_INIT;

	for (int32_t klass = ETL_FATAL; klass <= ETL_BUG; klass++) {
		bool plugins = klass != ETL_USAGE && klass != ETL_DATA && klass != ETL_MEMORY && klass != ETL_BUG;

		err.role = ETL_ROLE_TARGET;
		snprintf(err.plugin, sizeof(err.plugin), "sqlite");
		error_set(&err, klass, "x");
		ck_assert_int_eq(err.role, plugins ? ETL_ROLE_TARGET : 0);
		ck_assert_str_eq(err.plugin, plugins ? "sqlite" : "");
		error_clear(&err);
	}
}
END_TEST

/* Who does not ask is not told, and still learns that it failed: a plugin may pass NULL. */
START_TEST(nobody_asks)
{
	struct etl_error from = ERROR_INIT;

	ck_assert_int_eq(error_set(NULL, ETL_DATA, "x"), ETL_FAILED);
	error_at(NULL, "t", NULL, NULL);
	error_name_table(NULL, "t");
	error_clear(NULL);
	ck_assert_int_eq(error_exit(NULL), 0);
	error_move(&from, NULL);
	ck_assert(!from.set);
	error_set(&from, ETL_DATA, "x");
	error_move(NULL, &from);
	ck_assert(!from.set);
}
END_TEST

START_TEST(what_nobody_described)
{
	struct etl_error err = ERROR_INIT;

	err.role = ETL_ROLE_SOURCE;
	snprintf(err.plugin, sizeof(err.plugin), "sqlite");
	ck_assert_int_eq(error_unsaid(&err), ETL_FAILED);
	ck_assert_str_eq(err.message,
			 "plugin sqlite failed without saying why; look at what was said before, and report it");
	ck_assert_int_eq(error_exit(&err), 1);
	error_clear(&err);
	error_unsaid(&err);
	ck_assert_str_eq(err.message, "etlrun failed without saying why; look at what was said before, and report it");
	error_clear(&err);
	error_set(&err, ETL_USAGE, "it was described");
	error_unsaid(&err);
	ck_assert_str_eq(err.message, "it was described");
	error_clear(&err);
}
END_TEST

START_TEST(what_the_machine_lacks_is_nobodys_mistake)
{
	ck_assert_int_eq(error_class(ENOMEM, ETL_USAGE), ETL_MEMORY);
	ck_assert_int_eq(error_class(EMFILE, ETL_USAGE), ETL_MEMORY);
	ck_assert_int_eq(error_class(ENFILE, ETL_USAGE), ETL_MEMORY);
	ck_assert_int_eq(error_class(ENOENT, ETL_USAGE), ETL_USAGE);
	ck_assert_int_eq(error_class(EACCES, ETL_FATAL), ETL_FATAL);
}
END_TEST

/* A failure that does not say its place takes over the one that was known; one that does keeps its own. */
START_TEST(moving_keeps_the_place)
{
	struct etl_error to = ERROR_INIT, from = ERROR_INIT;

	error_at(&to, "Invoice", "Total", "id=3");
	error_set(&from, ETL_DATA, "it does not fit");
	error_name_table(&to, "never: nothing is described yet");
	error_move(&to, &from);
	ck_assert_str_eq(to.table, "Invoice");
	ck_assert_str_eq(to.column, "Total");
	ck_assert_str_eq(to.key, "id=3");
	error_clear(&to);
	for (int i = 0; i < 3; i++) {
		error_at(&to, "Invoice", NULL, NULL);
		error_at(&from, i == 0 ? "Customer" : NULL, i == 1 ? "Name" : NULL, i == 2 ? "id=4" : NULL);
		error_set(&from, ETL_DATA, "it does not fit");
		error_move(&to, &from);
		ck_assert_str_eq(to.table ? to.table : "-", i == 0 ? "Customer" : "-");
		error_name_table(&to, "Late");
		ck_assert_str_eq(to.table, i == 0 ? "Customer" : "Late");
		error_clear(&to);
	}
	error_move(&to, &from);
	ck_assert(!to.set);
	error_set(&to, ETL_DATA, "it stays");
	error_move(&to, &to);
	ck_assert_str_eq(to.message, "it stays");
	error_clear(&to);
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
	tcase_add_test(t, ends_without_a_full_stop);
	tcase_add_test(t, whose_failure_it_is);
	tcase_add_test(t, nobody_asks);
	tcase_add_test(t, what_nobody_described);
	tcase_add_test(t, what_the_machine_lacks_is_nobodys_mistake);
	tcase_add_test(t, moving_keeps_the_place);
	suite_add_tcase(suite, t);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
