/*
 * Publishing an SQLite file: what happens to the file that is there, and to whoever is using it. A WAL or a
 * journal left beside a renamed file destroys it, so each test reads the result back with SQLite.
 */
#include "config.h"

#include "sqlite_target.h"

#define OLD "CREATE TABLE t(id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES (1, 'old'), (7, 'old 7');"

static void publish_over(struct target_run *r, const char *name)
{
	start_run(r, name, ETL_EXISTING_REPLACE);
	stage_run(r);
}

static void check_published(const char *name)
{
	ck_assert_str_eq(ask(name, "SELECT group_concat(id || '=' || v) FROM t"), "1=new a,2=new b");
	ck_assert_str_eq(ask(name, "PRAGMA integrity_check"), "ok");
	ck_assert_int_eq(count_files("."), 0);
}

static void check_old(const char *name)
{
	ck_assert_str_eq(ask(name, "SELECT group_concat(id || '=' || v) FROM t"), "1=old,7=old 7");
}

START_TEST(a_new_file)
{
	struct target_run r;
	struct stat st;
	mode_t mask = umask(0027);

	start_run(&r, "new.db", ETL_EXISTING_FAIL);
	stage_run(&r);
	ck_assert(!is_there("new.db"));
	ck_assert_msg(commit_run(&r) == 0, "%s", r.err.text);
	ck_assert_uint_eq(r.outcome.inserted, 2);
	ck_assert_int_eq(commit_run(&r), 0);
	end_run(&r);
	check_published("new.db");
	ck_assert_int_eq(stat(in_folder("new.db"), &st), 0);
	ck_assert_int_eq(st.st_mode & 0777, 0640);
	ck_assert_int_eq(count_files("new.db"), 1);
	umask(mask);
}
END_TEST

START_TEST(mode_is_kept)
{
	struct target_run r;
	struct stat st;

	make_db("shop.db", OLD);
	chmod(in_folder("shop.db"), 0604);
	publish_over(&r, "shop.db");
	ck_assert_int_eq(stat(r.token.text, &st), 0);
	ck_assert_int_eq(st.st_mode & 0077, 0);
	ck_assert_msg(commit_run(&r) == 0, "%s", r.err.text);
	end_run(&r);
	check_published("shop.db");
	ck_assert_int_eq(stat(in_folder("shop.db"), &st), 0);
	ck_assert_int_eq(st.st_mode & 0777, 0604);
}
END_TEST

START_TEST(a_symbolic_link_is_followed)
{
	struct target_run r;
	struct stat st;

	make_db("real.db", OLD);
	ck_assert_int_eq(symlink("real.db", in_folder("link.db")), 0);
	publish_over(&r, "link.db");
	ck_assert_msg(commit_run(&r) == 0, "%s", r.err.text);
	end_run(&r);
	check_published("real.db");
	ck_assert_int_eq(lstat(in_folder("link.db"), &st), 0);
	ck_assert(S_ISLNK(st.st_mode));
	check_published("link.db");
}
END_TEST

START_TEST(a_link_to_nothing_yet)
{
	struct target_run r;

	ck_assert_int_eq(symlink("later.db", in_folder("link.db")), 0);
	start_run(&r, "link.db", ETL_EXISTING_FAIL);
	stage_run(&r);
	ck_assert_msg(commit_run(&r) == 0, "%s", r.err.text);
	end_run(&r);
	check_published("later.db");
}
END_TEST

/* Somebody died with the old file in WAL mode: its frames belong to it and must not reach the new one. */
START_TEST(a_stale_wal)
{
	struct target_run r;
	pid_t pid = fork();
	int status;

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		sqlite3 *db;

		if (sqlite3_open(in_folder("shop.db"), &db) != SQLITE_OK ||
		    sqlite3_exec(db, "PRAGMA journal_mode = WAL; " OLD, NULL, NULL, NULL) != SQLITE_OK)
			_exit(1);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert(is_there("shop.db-wal"));
	publish_over(&r, "shop.db");
	ck_assert_msg(commit_run(&r) == 0, "%s", r.err.text);
	end_run(&r);
	ck_assert(!is_there("shop.db-wal"));
	ck_assert(!is_there("shop.db-shm"));
	ck_assert_str_eq(ask("shop.db", "PRAGMA journal_mode"), "wal");
	check_published("shop.db");
}
END_TEST

/* A writer died in the middle: the journal is rolled back into the old file, never into the new one. */
START_TEST(a_hot_journal)
{
	struct target_run r;
	pid_t pid;
	int status;

	make_db("shop.db", OLD);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		sqlite3 *db;

		if (sqlite3_open(in_folder("shop.db"), &db) != SQLITE_OK ||
		    sqlite3_exec(db, "PRAGMA cache_size = 1; PRAGMA cache_spill = 1; BEGIN; UPDATE t SET v = 'torn'; "
				 "CREATE TABLE big(x); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
				 "WHERE i < 2000) INSERT INTO big SELECT randomblob(500) FROM n", NULL, NULL, NULL) !=
			    SQLITE_OK)
			_exit(1);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert(is_there("shop.db-journal"));
	publish_over(&r, "shop.db");
	check_old("shop.db");
	ck_assert_msg(commit_run(&r) == 0, "%s", r.err.text);
	end_run(&r);
	ck_assert(!is_there("shop.db-journal"));
	check_published("shop.db");
}
END_TEST

/* Another process, so that locks are locks. It is made before this one opens a database, as SQLite's own
 * account of locks must not cross a fork. */
struct holder {
	pid_t pid;
	int go, ready;
};

static struct holder make_holder(const char *name, const char *sql)
{
	struct holder h;
	int ready[2], go[2];
	char c;

	ck_assert_int_eq(pipe(ready), 0);
	ck_assert_int_eq(pipe(go), 0);
	h.pid = fork();
	ck_assert_int_ge(h.pid, 0);
	if (h.pid == 0) {
		sqlite3 *db;

		close(go[1]);
		if (read(go[0], &c, 1) != 1 || sqlite3_open(in_folder(name), &db) != SQLITE_OK ||
		    sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK || write(ready[1], "x", 1) != 1)
			_exit(1);
		_exit(read(go[0], &c, 1) == 0 ? 0 : 1);
	}
	close(go[0]);
	close(ready[1]);
	h.go = go[1];
	h.ready = ready[0];
	return h;
}

static void hold(struct holder *h)
{
	char c;

	ck_assert_int_eq(write(h->go, "x", 1), 1);
	ck_assert_int_eq(read(h->ready, &c, 1), 1);
	close(h->ready);
}

static void let_go(struct holder *h)
{
	int status;

	close(h->go);
	ck_assert_int_eq(waitpid(h->pid, &status, 0), h->pid);
	ck_assert_int_eq(status, 0);
}

static void refused_while(const char *sql, const char *mode)
{
	struct target_run r;
	struct holder h;
	char who[64];

	h = make_holder("shop.db", sql);
	make_db("shop.db", OLD);
	make_db("shop.db", mode);
	publish_over(&r, "shop.db");
	hold(&h);
	ck_assert_int_eq(commit_run(&r), ETL_FAILED);
	ck_assert_int_eq(r.err.failures, 1);
	ck_assert_int_eq(r.err.klass, ETL_FATAL);
	snprintf(who, sizeof(who), "process %d is using it", (int)h.pid);
	ck_assert_msg(strstr(r.err.text, who), "%s", r.err.text);
	let_go(&h);
	check_old("shop.db");
	ck_assert_str_eq(ask("shop.db", "PRAGMA journal_mode"), strstr(mode, "WAL") ? "wal" : "delete");
	/* The staging file is still whole: another try publishes it. */
	ck_assert_msg(commit_run(&r) == 0, "%s", r.err.text);
	ck_assert_uint_eq(r.outcome.inserted, 2);
	end_run(&r);
	check_published("shop.db");
}

START_TEST(a_live_reader)
{
	refused_while("BEGIN; SELECT count(*) FROM t", "PRAGMA journal_mode = DELETE");
}
END_TEST

START_TEST(a_live_writer)
{
	refused_while("BEGIN IMMEDIATE; INSERT INTO t VALUES (50, 'being written')", "PRAGMA journal_mode = DELETE");
}
END_TEST

START_TEST(a_live_reader_of_a_wal)
{
	refused_while("BEGIN; SELECT count(*) FROM t", "PRAGMA journal_mode = WAL");
}
END_TEST

START_TEST(a_live_writer_of_a_wal)
{
	refused_while("BEGIN IMMEDIATE; INSERT INTO t VALUES (50, 'being written')", "PRAGMA journal_mode = WAL");
}
END_TEST

/* on_existing = fail: who came first wins, whatever happened between the look and the rename. */
START_TEST(a_race_for_the_name)
{
	struct target_run r;

	start_run(&r, "shop.db", ETL_EXISTING_FAIL);
	stage_run(&r);
	make_db("shop.db", OLD);
	ck_assert_int_eq(commit_run(&r), ETL_FAILED);
	ck_assert_msg(strstr(r.err.text, "was not there when the run began"), "%s", r.err.text);
	check_old("shop.db");
	ck_assert_int_eq(abort_run(&r), 0);
	end_run(&r);
	ck_assert_int_eq(count_files("."), 0);
	check_old("shop.db");
}
END_TEST

START_TEST(a_wal_without_its_database)
{
	struct target_run r;
	int fd = open(in_folder("shop.db-wal"), O_WRONLY | O_CREAT, 0644);

	ck_assert_int_eq(write(fd, "not empty", 9), 9);
	close(fd);
	start_run(&r, "shop.db", ETL_EXISTING_FAIL);
	open_run(&r);
	ck_assert_int_eq(begin_run(&r), ETL_FAILED);
	ck_assert_msg(strstr(r.err.text, "shop.db-wal is left of a database that is gone"), "%s", r.err.text);
	end_run(&r);
	ck_assert_int_eq(count_files(""), 1);
}
END_TEST

START_TEST(rows_written_meanwhile_to_a_carried_table)
{
	struct target_run r;

	make_db("shop.db", "CREATE TABLE other(x); INSERT INTO other VALUES (1)");
	publish_over(&r, "shop.db");
	make_db("shop.db", "INSERT INTO other VALUES (2)");
	ck_assert_int_eq(commit_run(&r), ETL_FAILED);
	ck_assert_msg(strstr(r.err.text, "somebody changed it while the run went on"), "%s", r.err.text);
	end_run(&r);
	ck_assert_str_eq(ask("shop.db", "SELECT sum(x) FROM other"), "3");
}
END_TEST

START_TEST(the_file_was_swapped_meanwhile)
{
	struct target_run r;

	make_db("shop.db", OLD);
	publish_over(&r, "shop.db");
	make_db("else.db", "CREATE TABLE precious(x); INSERT INTO precious VALUES (42)");
	ck_assert_int_eq(rename(in_folder("else.db"), in_folder("shop.db")), 0);
	ck_assert_int_eq(commit_run(&r), ETL_FAILED);
	end_run(&r);
	ck_assert_str_eq(ask("shop.db", "SELECT x FROM precious"), "42");
}
END_TEST

START_TEST(five_backups)
{
	struct target_run r;
	char name[64];
	int i;

	make_db("shop.db", OLD);
	for (i = 0; i < 6; i++) {
		snprintf(name, sizeof(name), "shop.db.2020010%dT000000Z.bak", i + 1);
		make_db(name, "CREATE TABLE ancient(x)");
	}
	make_db("shop.db.notes.bak", "CREATE TABLE notes(x)");
	start_run(&r, "shop.db", ETL_EXISTING_REPLACE);
	give(&r, "backup", NULL, 1);
	stage_run(&r);
	ck_assert_msg(commit_run(&r) == 0, "%s", r.err.text);
	end_run(&r);
	check_published("shop.db");
	ck_assert_int_eq(count_files("shop.db.20"), 5);
	ck_assert(!is_there("shop.db.20200101T000000Z.bak"));
	ck_assert(!is_there("shop.db.20200102T000000Z.bak"));
	ck_assert(is_there("shop.db.20200103T000000Z.bak"));
	ck_assert(is_there("shop.db.notes.bak"));
	ck_assert_ptr_nonnull(strstr(host_log()->text, "the old file is kept as"));
	check_old(strrchr(strstr(host_log()->text, "shop.db."), '/') ? "" : strstr(host_log()->text, "shop.db."));
}
END_TEST

START_TEST(journal_mode_as_asked)
{
	struct target_run r;

	make_db("shop.db", "PRAGMA journal_mode = WAL; " OLD);
	start_run(&r, "shop.db", ETL_EXISTING_REPLACE);
	give(&r, "journal_mode", "delete", 0);
	give(&r, "integrity_check", NULL, 1);
	stage_run(&r);
	ck_assert_msg(commit_run(&r) == 0, "%s", r.err.text);
	end_run(&r);
	ck_assert_str_eq(ask("shop.db", "PRAGMA journal_mode"), "delete");
	check_published("shop.db");
}
END_TEST

static size_t read_file(const char *name, char **ret)
{
	FILE *file = fopen(in_folder(name), "rb");
	size_t n;

	ck_assert_ptr_nonnull(file);
	*ret = malloc(1 << 20);
	n = fread(*ret, 1, 1 << 20, file);
	fclose(file);
	return n;
}

START_TEST(equal_runs_give_equal_bytes)
{
	static const char *const names[] = { "one.db", "two.db" };
	struct target_run r;
	char *one, *two;
	size_t i;

	make_db("two.db", OLD);
	for (i = 0; i < 2; i++) {
		publish_over(&r, names[i]);
		ck_assert_msg(commit_run(&r) == 0, "%s", r.err.text);
		end_run(&r);
	}
	i = read_file("one.db", &one);
	ck_assert_uint_eq(i, read_file("two.db", &two));
	ck_assert_int_eq(memcmp(one, two, i), 0);
	free(one);
	free(two);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("publishing an SQLite file");
	TCase *tests = tcase_create("publish");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tests, make_folder, remove_folder);
	tcase_add_test(tests, a_new_file);
	tcase_add_test(tests, mode_is_kept);
	tcase_add_test(tests, a_symbolic_link_is_followed);
	tcase_add_test(tests, a_link_to_nothing_yet);
	tcase_add_test(tests, a_stale_wal);
	tcase_add_test(tests, a_hot_journal);
	tcase_add_test(tests, a_live_reader);
	tcase_add_test(tests, a_live_writer);
	tcase_add_test(tests, a_live_reader_of_a_wal);
	tcase_add_test(tests, a_live_writer_of_a_wal);
	tcase_add_test(tests, a_race_for_the_name);
	tcase_add_test(tests, a_wal_without_its_database);
	tcase_add_test(tests, rows_written_meanwhile_to_a_carried_table);
	tcase_add_test(tests, the_file_was_swapped_meanwhile);
	tcase_add_test(tests, five_backups);
	tcase_add_test(tests, journal_mode_as_asked);
	tcase_add_test(tests, equal_runs_give_equal_bytes);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
