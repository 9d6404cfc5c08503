/*
 * Files as they are written: never half there, taken back whole, found again by another process; and the copy of a tree.
 */
#include "config.h"

#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <signal.h>
#include <unistd.h>

#include "fake_host.h"
#include "files_folder.h"

static const struct etl_host host = { FAKE_HOST };

static void setup(void)
{
	open_folder(&host);
}

/* What find says is in the folder, in one line. */
static void assert_tree(const char *expected)
{
	char command[256], line[1024] = "";
	size_t n;
	FILE *pipe;

	snprintf(command, sizeof(command), "cd %s && find . -mindepth 1 | LC_ALL=C sort | cut -c 3- | tr '\\n' ' '", folder);
	pipe = popen(command, "r");
	n = fread(line, 1, sizeof(line) - 1, pipe);
	line[n > 0 ? n - 1 : 0] = '\0';
	pclose(pipe);
	ck_assert_str_eq(line, expected);
}

static char text[4096];

/* Through files_input, so compressed files are read too. */
static const char *text_of(struct files *from, const char *name)
{
	struct files_input *in = NULL;
	size_t n = 0, size = 0, i;

	ck_assert_msg(files_list(from, NULL, &list, &err) == ETL_OK, "%s", err.text);
	for (i = 0; i < list.count && strcmp(list.at[i].name, name) != 0; i++)
		;
	ck_assert_msg(i < list.count, "there is no %s", name);
	ck_assert_int_eq(files_input_open(from, &list.at[i], &in, &err), ETL_OK);
	do {
		ck_assert_msg(files_input_read(in, text + size, sizeof(text) - 1 - size, &n, &err) == ETL_OK, "%s", err.text);
		size += n;
	} while (n > 0);
	text[size] = '\0';
	files_input_close(in);
	return text;
}

static void write_file(struct files *to, const char *name, bool append, const char *what)
{
	struct files_output *o = NULL;
	uint64_t size = 0;

	ck_assert_msg(files_output_open(to, name, "r1", append, &o, &err) == ETL_OK, "%s", err.text);
	ck_assert_int_eq(files_output_write(o, what, strlen(what), &err), ETL_OK);
	ck_assert_int_eq(files_output_finish(o, &size, &err), ETL_OK);
	ck_assert_uint_gt(size, 0);
}

/* What waits under NAMES, ended by NULL, and GONE or NULL, takes its name. */
static int publish_all(struct files *to, bool replace, const char *const *names, const char *gone)
{
	struct files_publish *p = NULL;
	struct etl_token seal;
	int32_t is = 1;
	int rc = files_publish_new(to, "r1", replace, &p, &err);

	ck_assert_int_eq(rc, ETL_OK);
	for (; !rc && *names; names++)
		rc = files_publish_add(p, *names, &err);
	if (!rc && gone)
		rc = files_publish_remove(p, gone, &err);
	if (rc) {
		files_publish_free(p);
		return rc;
	}
	ck_assert_msg(files_publish_seal(p, &seal, &err) == ETL_OK, "%s", err.text);
	ck_assert_int_eq(files_publish_is(to, &seal, &is, &err), ETL_OK);
	ck_assert_int_eq(is, 0);
	rc = files_publish(to, "r1", replace, &err);
	ck_assert_int_eq(files_publish_is(to, &seal, &is, &err), ETL_OK);
	ck_assert_int_eq(is, rc == ETL_OK);
	return rc;
}

static int publish(struct files *to, const char *name, bool replace)
{
	const char *const names[] = { name, NULL };

	return publish_all(to, replace, names, NULL);
}

START_TEST(nothing_is_seen_before_it_is_published)
{
	write_file(files, "a/b/x.csv", false, "one");
	ck_assert_int_eq(files_list(files, NULL, &list, &err), ETL_OK);
	ck_assert_uint_eq(list.count, 0);
	assert_tree(".r1.etlrun~ .r1.etlrun~/a .r1.etlrun~/a/b .r1.etlrun~/a/b/x.csv");
	ck_assert_int_eq(publish(files, "a/b/x.csv", false), ETL_OK);
	ck_assert_int_eq(files_output_discard(files, "r1", &err), ETL_OK);
	assert_tree("a a/b a/b/x.csv");
	ck_assert_str_eq(text_of(files, "a/b/x.csv"), "one");
	ck_assert_int_eq(files_publish(files, "r1", false, &err), ETL_OK);
	ck_assert_int_eq(files_output_discard(files, "r1", &err), ETL_OK);
	ck_assert_int_eq(publish(files, "never.csv", false), ETL_FAILED);
}
END_TEST

START_TEST(what_is_given_up_leaves_nothing)
{
	struct files *new_root = NULL;

	write_file(files, "a/x.csv", false, "one");
	ck_assert_int_eq(files_output_discard(files, "r1", &err), ETL_OK);
	assert_tree("");
	write_file(files, "a/x.csv", false, "one");
	write_file(files, "b/y.csv", false, "one");
	ck_assert_int_eq(files_output_drop(files, "a/x.csv", "r1", &err), ETL_OK);
	assert_tree(".r1.etlrun~ .r1.etlrun~/b .r1.etlrun~/b/y.csv");
	ck_assert_int_eq(files_output_drop(files, "b/y.csv", "r1", &err), ETL_OK);
	ck_assert_int_eq(files_output_drop(files, "b/y.csv", "r1", &err), ETL_OK);
	assert_tree("");
	ck_assert_int_eq(files_new(&new_root, &host, path_of("made/for/this"), &err), ETL_OK);
	write_file(new_root, "x.csv", false, "one");
	ck_assert_int_eq(files_output_drop(new_root, "x.csv", "r1", &err), ETL_OK);
	assert_tree("made made/for");
	write_file(new_root, "x.csv", false, "one");
	ck_assert_int_eq(files_output_discard(new_root, "r1", &err), ETL_OK);
	assert_tree("made made/for");
	files_free(new_root);
}
END_TEST

START_TEST(a_file_goes_on_and_is_cut_back)
{
	struct files_output *o = NULL;
	static const char *const names[] = { "x.csv", "x.csv.gz", "x.csv.zst" };

	for (size_t i = 0; i < 3; i++) {
		write_file(files, names[i], false, "one ");
		ck_assert_int_eq(files_output_open(files, names[i], "r1", true, &o, &err), ETL_OK);
		ck_assert_int_eq(files_output_write(o, "lost", 4, &err), ETL_OK);
		files_output_close(o);
		write_file(files, names[i], true, "two ");
		write_file(files, names[i], true, "three");
		ck_assert_int_eq(publish(files, names[i], false), ETL_OK);
		ck_assert_str_eq(text_of(files, names[i]), "one two three");
	}
	write_file(files, "y.csv", false, "one");
	write_file(files, "y.csv", false, "anew");
	ck_assert_int_eq(publish(files, "y.csv", false), ETL_OK);
	ck_assert_str_eq(text_of(files, "y.csv"), "anew");
}
END_TEST

START_TEST(what_is_there_is_replaced_only_when_asked)
{
	struct stat st;
	bool there = false;

	put_text("x.csv", "old");
	ck_assert_int_eq(chmod(path_of("x.csv"), 0640), 0);
	ck_assert_int_eq(files_output_exists(files, "x.csv", &there, &err), ETL_OK);
	ck_assert(there);
	ck_assert_int_eq(files_output_exists(files, "y.csv", &there, &err), ETL_OK);
	ck_assert(!there);
	write_file(files, "x.csv", false, "new");
	ck_assert_int_eq(publish(files, "x.csv", false), ETL_FAILED);
	ck_assert_msg(strstr(err.text, "x.csv came to be") != NULL, "%s", err.text);
	ck_assert_str_eq(text_of(files, "x.csv"), "old");
	ck_assert_int_eq(publish(files, "x.csv", true), ETL_OK);
	ck_assert_str_eq(text_of(files, "x.csv"), "new");
	ck_assert_int_eq(stat(path_of("x.csv"), &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0640);
}
END_TEST

static void make_old_tree(void)
{
	ck_assert_int_eq(mkdir(path_of("a"), 0777), 0);
	put_text("a/one.csv", "old one");
	put_text("a/two.csv", "old two");
	put_text("gone.csv", "old gone");
}

static void assert_old_tree(const char *tree)
{
	assert_tree(tree);
	ck_assert_str_eq(text_of(files, "a/one.csv"), "old one");
	ck_assert_str_eq(text_of(files, "a/two.csv"), "old two");
	ck_assert_str_eq(text_of(files, "gone.csv"), "old gone");
}

static const char *const four[] = { "a/new.csv", "a/one.csv", "a/two.csv", "b/c/x.csv", NULL };

static void write_four(void)
{
	for (size_t i = 0; four[i]; i++)
		write_file(files, four[i], false, four[i]);
}

/* The last of them cannot be: a file is where its folder shall be. */
START_TEST(all_files_take_their_names_or_none)
{
	static const char waits[] = ".r1.etlrun~ .r1.etlrun~/.old.etlrun~ .r1.etlrun~/.old.etlrun~/a .r1.etlrun~/.sealed.etlrun~ "
				    ".r1.etlrun~/a .r1.etlrun~/a/new.csv .r1.etlrun~/a/one.csv .r1.etlrun~/a/two.csv .r1.etlrun~/b "
				    ".r1.etlrun~/b/c .r1.etlrun~/b/c/x.csv a a/one.csv a/two.csv b gone.csv";
	bool published = true;

	make_old_tree();
	write_four();
	put_text("b", "in the way");
	ck_assert_int_eq(publish_all(files, true, four, "gone.csv"), ETL_FAILED);
	ck_assert_msg(strstr(err.text, "/b: Not a directory") != NULL, "%s", err.text);
	assert_old_tree(waits);
	ck_assert_int_eq(files_publish_settle(files, "r1", &published, &err), ETL_OK);
	ck_assert(!published);
	/* Mended: what waits is as it was sealed. */
	ck_assert_int_eq(unlink(path_of("b")), 0);
	ck_assert_msg(files_publish(files, "r1", true, &err) == ETL_OK, "%s", err.text);
	ck_assert_int_eq(files_output_discard(files, "r1", &err), ETL_OK);
	assert_tree("a a/new.csv a/one.csv a/two.csv b b/c b/c/x.csv");
	ck_assert_str_eq(text_of(files, "a/one.csv"), "a/one.csv");
	/* Where nothing may be there, and something is. */
	write_file(files, "y.csv", false, "y");
	write_file(files, "z.csv", false, "z");
	put_text("z.csv", "mine");
	ck_assert_int_eq(publish_all(files, false, (const char *const[]){ "y.csv", "z.csv", NULL }, NULL), ETL_FAILED);
	ck_assert_int_eq(files_output_discard(files, "r1", &err), ETL_OK);
	assert_tree("a a/new.csv a/one.csv a/two.csv b b/c b/c/x.csv z.csv");
	ck_assert_str_eq(text_of(files, "z.csv"), "mine");
}
END_TEST

/* The process ended between two steps: a copy of the folder at that point, as far as it had come. */
START_TEST(what_one_process_began_another_ends)
{
	static const char *const steps[] = { "", "mv .r1.etlrun~/a/new.csv a", "mkdir -p .r1.etlrun~/.old.etlrun~/a",
					     "ln a/one.csv .r1.etlrun~/.old.etlrun~/a", "mv .r1.etlrun~/a/one.csv a",
					     "mv a/two.csv .r1.etlrun~/.old.etlrun~/a", "mv .r1.etlrun~/a/two.csv a", "mkdir b b/c",
					     "mv .r1.etlrun~/b/c/x.csv b/c", "mv gone.csv .r1.etlrun~/.old.etlrun~" };

	for (int back = 0; back < 2; back++) {
		for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
			struct files_publish *p = NULL;
			struct etl_token seal;
			char command[300];
			bool published = back;

			make_old_tree();
			write_four();
			ck_assert_int_eq(files_publish_new(files, "r1", true, &p, &err), ETL_OK);
			for (size_t j = 0; four[j]; j++)
				ck_assert_int_eq(files_publish_add(p, four[j], &err), ETL_OK);
			ck_assert_int_eq(files_publish_remove(p, "gone.csv", &err), ETL_OK);
			ck_assert_int_eq(files_publish_seal(p, &seal, &err), ETL_OK);
			for (size_t j = 0; j <= i; j++) {
				snprintf(command, sizeof(command), "cd %s && %s", folder, *steps[j] ? steps[j] : ":");
				ck_assert_int_eq(system(command), 0);
			}
			snprintf(command, sizeof(command), "cd %s/.r1.etlrun~ && mv .sealed.etlrun~ .%s.etlrun~", folder,
				 back ? "back" : "going");
			ck_assert_int_eq(system(command), 0);
			ck_assert_msg(files_publish_settle(files, "r1", &published, &err) == ETL_OK, "%s", err.text);
			ck_assert_int_eq(published, !back);
			ck_assert_int_eq(files_output_discard(files, "r1", &err), ETL_OK);
			if (back)
				assert_old_tree("a a/one.csv a/two.csv gone.csv");
			else
				assert_tree("a a/new.csv a/one.csv a/two.csv b b/c b/c/x.csv");
			if (!back)
				ck_assert_str_eq(text_of(files, "a/two.csv"), "a/two.csv");
			snprintf(command, sizeof(command), "rm -rf %s/*", folder);
			ck_assert_int_eq(system(command), 0);
		}
	}
}
END_TEST

START_TEST(a_root_may_be_the_file)
{
	struct files *one = NULL;

	put_text("real.csv", "old");
	ck_assert_int_eq(symlink("real.csv", path_of("link.csv")), 0);
	ck_assert_int_eq(files_new(&one, &host, path_of("link.csv"), &err), ETL_OK);
	write_file(one, "", false, "new");
	assert_tree(".real.csv.r1.etlrun~ link.csv real.csv");
	ck_assert_int_eq(publish(one, "", true), ETL_OK);
	ck_assert_int_eq(files_output_discard(one, "r1", &err), ETL_OK);
	assert_tree("link.csv real.csv");
	ck_assert_str_eq(text_of(files, "real.csv"), "new");
	write_file(one, "", false, "new");
	ck_assert_int_eq(files_output_discard(one, "r1", &err), ETL_OK);
	assert_tree("link.csv real.csv");
	files_free(one);
}
END_TEST

START_TEST(a_full_disk_is_said_with_the_name)
{
	struct rlimit limit = { 1000, RLIM_INFINITY };
	struct files_output *o = NULL;
	char many[4000] = "";
	int rc;

	memset(many, 'x', sizeof(many));
	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	ck_assert_int_eq(files_output_open(files, "x.csv", "r1", false, &o, &err), ETL_OK);
	rc = files_output_write(o, many, sizeof(many), &err);
	limit.rlim_cur = RLIM_INFINITY;
	setrlimit(RLIMIT_FSIZE, &limit);
	ck_assert_int_eq(rc, ETL_FAILED);
	ck_assert_msg(strstr(err.text, "x.csv: File too large") != NULL, "%s", err.text);
	files_output_close(o);
	ck_assert_int_eq(files_output_discard(files, "r1", &err), ETL_OK);
	assert_tree("");
}
END_TEST

/* ---- Backups ---- */

static int back_up(const char *to, int64_t day, int64_t keep)
{
	char path[512];
	char *made = NULL;
	int rc;

	snprintf(path, sizeof(path), "%s", path_of(to));
	ck_assert_int_eq(files_list(files, NULL, &list, &err), ETL_OK);
	rc = files_backup(files, &list, path, day * INT64_C(86400000000), keep, &made, &err);
	ck_assert(rc != ETL_OK || access(made, F_OK) == 0);
	free(made);
	return rc;
}

START_TEST(a_backup_is_the_tree)
{
	ck_assert_int_eq(mkdir(path_of("in"), 0777), 0);
	put_text("in/a", "1");
	put_text("b", "22");
	ck_assert_int_eq(back_up("backups/m-{time}", 1, 5), ETL_OK);
	assert_tree("b backups backups/m-19700102-000000 backups/m-19700102-000000/b backups/m-19700102-000000/in "
		    "backups/m-19700102-000000/in/a in in/a");
	ck_assert_str_eq(text_of(files, "backups/m-19700102-000000/b"), "22");
	ck_assert_int_eq(back_up("backups/m-{time}", 1, 5), ETL_FAILED);
	ck_assert_msg(strstr(err.text, "is there already") != NULL, "%s", err.text);
}
END_TEST

START_TEST(the_newest_backups_are_kept)
{
	put_text("a", "1");
	ck_assert_int_eq(mkdir(path_of("m"), 0777), 0);
	put_text("m/m-notes", "mine");
	for (int64_t day = 1; day <= 4; day++)
		ck_assert_int_eq(back_up("m/m-{time}", day, 2), ETL_OK);
	assert_tree("a m m/m-19700104-000000 m/m-19700104-000000/a m/m-19700104-000000/m m/m-19700104-000000/m/m-notes "
		    "m/m-19700105-000000 m/m-19700105-000000/a m/m-19700105-000000/m m/m-19700105-000000/m/m-notes m/m-notes");
}
END_TEST

START_TEST(half_a_backup_is_none)
{
	char path[512];
	char *made = NULL;

	put_text("a", "1");
	put_text("b", "1");
	ck_assert_int_eq(files_list(files, NULL, &list, &err), ETL_OK);
	unlink(path_of("b"));
	snprintf(path, sizeof(path), "%s", path_of("m-{time}"));
	ck_assert_int_eq(files_backup(files, &list, path, 0, 5, &made, &err), ETL_FAILED);
	ck_assert_msg(strstr(err.text, "/b vanished") != NULL, "%s", err.text);
	assert_tree("a");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("files_output");
	TCase *tests = tcase_create("files_output");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tests, setup, close_folder);
	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, nothing_is_seen_before_it_is_published);
	tcase_add_test(tests, what_is_given_up_leaves_nothing);
	tcase_add_test(tests, a_file_goes_on_and_is_cut_back);
	tcase_add_test(tests, what_is_there_is_replaced_only_when_asked);
	tcase_add_test(tests, all_files_take_their_names_or_none);
	tcase_add_test(tests, what_one_process_began_another_ends);
	tcase_add_test(tests, a_root_may_be_the_file);
	tcase_add_test(tests, a_full_disk_is_said_with_the_name);
	tcase_add_test(tests, a_backup_is_the_tree);
	tcase_add_test(tests, the_newest_backups_are_kept);
	tcase_add_test(tests, half_a_backup_is_none);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
