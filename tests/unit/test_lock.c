/*
 * Two runs of one pipeline: the second is turned away with the first one's number, and a killed one leaves
 * nothing behind.
 */
#include "config.h"

#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lock.h"

static char folder[] = "/tmp/etlrun-lock-XXXXXX", path[64];

static void set_up(void)
{
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/lock", folder);
}

static void tear_down(void)
{
	unlink(path);
	rmdir(folder);
	memcpy(folder + sizeof(folder) - 7, "XXXXXX", 6);
}

/* A process that holds the lock until it is killed. */
static pid_t start_holder(void)
{
	int ready[2];
	char byte = 0;
	pid_t pid;

	ck_assert_int_eq(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		struct etl_error err = ERROR_INIT;
		struct lock *lock;

		byte = lock_take(path, &lock, &err) == ETL_OK ? 'y' : 'n';
		if (write(ready[1], &byte, 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	ck_assert_int_eq(byte, 'y');
	close(ready[0]);
	close(ready[1]);
	return pid;
}

START_TEST(held_by_another_process)
{
	struct etl_error err = ERROR_INIT;
	struct lock *lock = NULL;
	struct lock_holder who = { 0 };
	pid_t pid = start_holder();
	char expected[256];

	ck_assert(lock_is_held(path, &who));
	ck_assert_int_eq(who.pid, (int)pid);
	ck_assert(who.since > 0);
	ck_assert_int_eq(lock_take(path, &lock, &err), ETL_FAILED);
	ck_assert_ptr_null(lock);
	ck_assert_int_eq(err.klass, ETL_HOST_LOCKED);
	ck_assert_int_eq(error_exit(&err), 8);
	snprintf(expected, sizeof(expected), "another run of this pipeline holds the lock %s: process %d, since 20",
		 path, (int)pid);
	ck_assert_int_eq(strncmp(err.message, expected, strlen(expected)), 0);
	snprintf(expected, sizeof(expected), " UTC; wait until it has ended, or end it with kill %d", (int)pid);
	ck_assert_ptr_nonnull(strstr(err.message, expected));
	error_clear(&err);

	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	ck_assert(!lock_is_held(path, &who));
	ck_assert_int_eq(lock_take(path, &lock, &err), ETL_OK);
	lock_release(lock);
}
END_TEST

/* The file was locked, but says nothing of whom. */
START_TEST(held_by_nobody_knows_whom)
{
	struct etl_error err = ERROR_INIT;
	struct lock *lock = NULL;
	int fd = open(path, O_RDWR | O_CREAT, 0600);
	char expected[256];

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(flock(fd, LOCK_EX | LOCK_NB), 0);
	ck_assert_int_eq(lock_take(path, &lock, &err), ETL_FAILED);
	ck_assert_int_eq(error_exit(&err), 8);
	snprintf(expected, sizeof(expected), "another run of this pipeline holds the lock %s; wait until it has ended", path);
	ck_assert_str_eq(err.message, expected);
	error_clear(&err);
	close(fd);
}
END_TEST

START_TEST(taken_released_and_taken_again)
{
	struct etl_error err = ERROR_INIT;
	struct lock *lock = NULL, *second = NULL;

	ck_assert_int_eq(lock_take(path, &lock, &err), ETL_OK);
	ck_assert_int_eq(lock_take(path, &second, &err), ETL_FAILED);
	ck_assert_ptr_null(second);
	error_clear(&err);
	lock_release(lock);
	ck_assert_int_eq(access(path, F_OK), 0);
	ck_assert_int_eq(lock_take(path, &lock, &err), ETL_OK);
	lock_release(lock);
	lock_release(NULL);
}
END_TEST

START_TEST(a_folder_that_is_not_there)
{
	struct etl_error err = ERROR_INIT;
	struct lock *lock = NULL;

	ck_assert(!lock_is_held("/nowhere/at/all/lock", NULL));
	ck_assert_int_eq(lock_take("/nowhere/at/all/lock", &lock, &err), ETL_FAILED);
	ck_assert_int_eq(error_exit(&err), 10);
	ck_assert_str_eq(err.message, "lock file /nowhere/at/all/lock: cannot be opened: No such file or directory; "
				      "make its folder writable or set `state` to another place");
	error_clear(&err);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("lock");
	TCase *t = tcase_create("lock");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, held_by_another_process);
	tcase_add_test(t, held_by_nobody_knows_whom);
	tcase_add_test(t, taken_released_and_taken_again);
	tcase_add_test(t, a_folder_that_is_not_there);
	suite_add_tcase(suite, t);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
