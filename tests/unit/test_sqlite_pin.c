/*
 * Several connections, one view: a joiner sees what the pin saw, or says that it cannot.
 */
#include "config.h"

#include "sqlite_story.h"

static int64_t count(struct etl_instance *inst)
{
	sqlite3_stmt *stmt = NULL;
	int64_t n;

	ck_assert_int_eq(sqlite3_prepare_v2(inst->main, "SELECT count(*) FROM t", -1, &stmt, NULL), SQLITE_OK);
	ck_assert_int_eq(sqlite3_step(stmt), SQLITE_ROW);
	n = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return n;
}

static void close_instance(struct etl_instance *inst)
{
	sqlite_LTX_etl_plugin()->close(inst);
}

/* A writer cannot commit while the view is pinned, so every joiner sees the same rows. */
START_TEST(rollback_mode_holds_the_writer)
{
	struct story *s = story_begin("CREATE TABLE t (a); INSERT INTO t VALUES (1)");
	struct etl_instance *second = story_open(s);
	struct etl_token token, stamp, later;
	sqlite3 *writer = NULL;

	ck_assert_int_eq(sqlite_pin(s->inst, &token, &s->err), ETL_OK);
	ck_assert_int_eq(sqlite_stamp(s->inst, &stamp, &s->err), ETL_OK);
	ck_assert_str_ne(stamp.text, "none");
	ck_assert_msg(sqlite_join(second, &token, &s->err) == ETL_OK, "%s", s->err.text);
	ck_assert_int_eq(sqlite3_open(s->path, &writer), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(writer, "INSERT INTO t VALUES (2)", NULL, NULL, NULL), SQLITE_BUSY);
	ck_assert_int_eq(count(s->inst), 1);
	ck_assert_int_eq(count(second), 1);
	close_instance(second);
	close_instance(s->inst);
	ck_assert_int_eq(sqlite3_exec(writer, "INSERT INTO t VALUES (2)", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(writer);
	s->inst = story_open(s);
	ck_assert_int_eq(sqlite_join(s->inst, &token, &s->err), ETL_FAILED);
	ck_assert_int_eq(s->err.klass, ETL_FEWER_WORKERS);
	ck_assert_int_eq(sqlite_stamp(s->inst, &later, &s->err), ETL_OK);
	ck_assert_str_ne(stamp.text, later.text);
	story_end(s);
}
END_TEST

START_TEST(wal_mode_tells_a_commit_in_between)
{
	struct story *s = story_begin("PRAGMA journal_mode = wal; CREATE TABLE t (a); INSERT INTO t VALUES (1)");
	struct etl_instance *before = story_open(s), *after = story_open(s);
	struct etl_token token, stamp, later;
	sqlite3 *writer = NULL;

	ck_assert_int_eq(sqlite_pin(s->inst, &token, &s->err), ETL_OK);
	ck_assert_int_eq(strncmp(token.text, "wal ", 4), 0);
	ck_assert_int_eq(sqlite_stamp(s->inst, &stamp, &s->err), ETL_OK);
	ck_assert_msg(sqlite_join(before, &token, &s->err) == ETL_OK, "%s", s->err.text);
	ck_assert_int_eq(sqlite3_open(s->path, &writer), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(writer, "INSERT INTO t VALUES (2)", NULL, NULL, NULL), SQLITE_OK);
	ck_assert_int_eq(sqlite_join(after, &token, &s->err), ETL_FAILED);
	ck_assert_int_eq(s->err.klass, ETL_FEWER_WORKERS);
	ck_assert_ptr_nonnull(strstr(s->err.text, "was changed after the first reader began"));
	ck_assert(!after->pinned);
	ck_assert_int_eq(count(s->inst), 1);
	ck_assert_int_eq(count(before), 1);
	ck_assert_int_eq(sqlite_stamp(s->inst, &later, &s->err), ETL_OK);
	ck_assert_str_eq(later.text, stamp.text);
	ck_assert_int_eq(sqlite_stamp(after, &later, &s->err), ETL_OK);
	ck_assert_str_ne(later.text, stamp.text);
	sqlite3_close(writer);
	close_instance(before);
	close_instance(after);
	story_end(s);
}
END_TEST

/* Opening a second instance must not drop the first one's locks: POSIX does so on any close of the file. */
START_TEST(another_instance_leaves_the_lock_alone)
{
	struct story *s = story_begin("CREATE TABLE t (a); INSERT INTO t VALUES (1)");
	struct etl_instance *second = story_open(s);
	struct etl_token token;
	char command[256];

	ck_assert_int_eq(sqlite_pin(s->inst, &token, &s->err), ETL_OK);
	ck_assert_int_eq(sqlite_join(second, &token, &s->err), ETL_OK);
	close_instance(second);
	snprintf(command, sizeof(command), "sqlite3 '%s' 'INSERT INTO t VALUES (2)' 2>/dev/null", s->path);
	if (system("command -v sqlite3 >/dev/null") == 0)
		ck_assert_int_ne(system(command), 0);
	ck_assert_int_eq(count(s->inst), 1);
	story_end(s);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("sqlite pin");
	TCase *c = tcase_create("pin");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(c, rollback_mode_holds_the_writer);
	tcase_add_test(c, wal_mode_tells_a_commit_in_between);
	tcase_add_test(c, another_instance_leaves_the_lock_alone);
	suite_add_tcase(s, c);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
