/*
 * Rows are refused and spooled, and the spools are joined: what a line says of a row of which there is no batch, what
 * is left of a folder of spools that another process left behind, and what is said when it cannot be read.
 */
#include "config.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../core/reject-parts.h"
#include "../../core/secret.h"

static char folder[] = "/tmp/etlrun-reject-XXXXXX";
static struct pipeline pipeline;
static struct etl_table target = { .name = "t" };
static struct job job, *list[1] = { &job };
static struct jobs jobs = { .at = list, .count = 1 };
static struct etl_error err;
static struct rejects *rejects;

static void begin(void)
{
	ck_assert_int_eq(chdir(folder), 0);
	pipeline = (struct pipeline){ .reject_rows = true, .max_rejects = 1000 };
	job = (struct job){ .target = &target, .split_count = 2 };
	err = (struct etl_error)ERROR_INIT;
	ck_assert_int_eq(rejects_open(&pipeline, "run-1", "r.jsonl", &rejects, &err), 0);
}

static void end(void)
{
	rejects_free(rejects);
	rejects = NULL;
	free(job.refused);
	error_clear(&err);
	secret_clear();
	ck_assert_int_eq(system("rm -rf r.jsonl r.jsonl.spool"), 0);
}

static struct etl_context context(uint64_t split)
{
	return (struct etl_context){ .job = &job, .split = split, .rejects = rejects, .err = &err };
}

static void refuse(uint64_t split, struct etl_reject reject)
{
	struct etl_context c = context(split);

	ck_assert_msg(context_reject(&c, &reject) == 0, "%s", err.message);
	ck_assert_uint_eq(c.rejected, 1);
	ck_assert_uint_eq(c.gone_count, 1);
	ck_assert_int_eq(c.gone[0], reject.ordinal);
	context_clear(&c);
}

static void file_is(const char *path, const char *expected)
{
	char text[4096] = "";
	FILE *file = fopen(path, "r");

	ck_assert_ptr_nonnull(file);
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	ck_assert_str_eq(text, expected);
}

static void write_text(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(fputs(text, file), 0);
	ck_assert_int_eq(fclose(file), 0);
}

#define HEAD(split, ordinal) "{\"run\":\"run-1\",\"table\":\"t\",\"split\":" split ",\"ordinal\":" ordinal ","

/* A row that could not be read is there as the text it was, as the object it was, or not at all. */
START_TEST(rows_without_a_batch)
{
	const char *path = NULL;

	ck_assert(secret_add("s3cret"));
	refuse(1, (struct etl_reject){ .code = "torn", .reason = "cut", .raw = "a;b \"c\"", .ordinal = 7 });
	refuse(0, (struct etl_reject){ .code = "torn", .reason = "s3cret", .raw = "{\"a\":1}", .ordinal = 3, .key = "a=1" });
	refuse(0, (struct etl_reject){ .code = "gone", .column = "b", .reason = "why", .ordinal = 2 });
	ck_assert_uint_eq(rejects_count(rejects), 3);
	ck_assert_int_eq(rejects_join(rejects, &jobs, &path, &err), 0);
	ck_assert_str_eq(path, "r.jsonl");
	file_is("r.jsonl", HEAD("0", "2") "\"key\":null,\"column\":\"b\",\"code\":\"gone\",\"reason\":\"why\",\"row\":null}\n"
		HEAD("0", "3") "\"key\":\"a=1\",\"column\":null,\"code\":\"torn\",\"reason\":\"***\",\"row\":{\"a\":1},"
		"\"masked\":true}\n"
		HEAD("1", "7") "\"key\":null,\"column\":null,\"code\":\"torn\",\"reason\":\"cut\",\"row\":\"a;b \\\"c\\\"\"}\n");
	/* Joined once. */
	ck_assert_int_eq(rejects_join(rejects, &jobs, &path, &err), 0);
	ck_assert_str_eq(path, "r.jsonl");
}
END_TEST

static bool print_sum(void *data, size_t at, const char *code, uint64_t rows)
{
	etl_text_addf(data, "%zu %s %llu\n", at, code, (unsigned long long)rows);
	return true;
}

/* A word for a reason that is longer than words are is cut, wherever it is counted. */
START_TEST(sums_by_reason)
{
	struct etl_text sums = { 0 };

	refuse(0, (struct etl_reject){ .code = "a_reason_that_is_longer_than_all_others", .reason = "x" });
	refuse(0, (struct etl_reject){ .code = "a_reason_that_is_longer_than_all_others", .reason = "x", .ordinal = 1 });
	refuse(0, (struct etl_reject){ .code = "a_reason", .reason = "x", .ordinal = 2 });
	refuse(0, (struct etl_reject){ .code = "a_reas", .reason = "x", .ordinal = 3 });
	refuse(0, (struct etl_reject){ .code = NULL, .reason = "x", .ordinal = 4 });
	ck_assert(rejects_sums(rejects, print_sum, &sums));
	ck_assert_str_eq(sums.at, "0  1\n0 a_reas 1\n0 a_reason 1\n0 a_reason_that_is_longer_than_al 2\n");
	etl_text_free(&sums);
}
END_TEST

START_TEST(one_too_many)
{
	struct etl_context c = context(0);
	struct etl_reject reject = { .code = "torn", .reason = "it is cut", .raw = "x", .ordinal = 1, .key = "id=1" };

	pipeline.max_rejects = 0;
	ck_assert_int_lt(context_reject(&c, &reject), 0);
	ck_assert_str_eq(err.message, "it is cut; that is reject 1, more than max_rejects = \"0\" allows");
	ck_assert_str_eq(err.key, "id=1");
	context_clear(&c);
}
END_TEST

/* What cannot be said for want of memory is no reject. */
START_TEST(no_reject)
{
	struct etl_context c = context(0);
	struct etl_reject reject = { .code = "no_memory", .reason = "x" };

	ck_assert_int_lt(context_reject(&c, &reject), 0);
	ck_assert_int_eq(err.klass, ETL_MEMORY);
	ck_assert_uint_eq(c.rejected, 0);
	/* Where rows are only made again they are passed over. */
	reject.code = "torn";
	c.rejects = NULL;
	ck_assert_int_eq(context_reject(&c, &reject), 0);
	ck_assert_uint_eq(rejects_count(rejects), 0);
	context_clear(&c);
}
END_TEST

static bool first_split(void *data, const struct job *of, uint64_t split)
{
	(void)of;
	return split == *(uint64_t *)data;
}

/* Of the spools of a killed process those of staged splits count; a line that was not written to its end does not,
 * and what is no spool of this run's tables is taken away. */
START_TEST(spools_of_another_process)
{
	static const char *const strange[] = { "x", "7", "0-", "0-x", "0x-1", "5-0", "-1", "0-1", "0-0 " };
	uint64_t staged = 0;
	const char *path = NULL;
	char name[64];

	refuse(0, (struct etl_reject){ .code = "torn", .reason = "cut", .raw = "x", .ordinal = 2 });
	ck_assert_int_eq(rejects_settle(rejects, &job, 0, &err), 0);
	rejects_keep(rejects);
	rejects_free(rejects);
	ck_assert_int_eq(rejects_open(&pipeline, "run-1", "r.jsonl", &rejects, &err), 0);
	ck_assert_int_eq(system("printf '00000000000000000009 ---------------- {\"run\":\"ru' >>r.jsonl.spool/0-0"), 0);
	for (size_t i = 0; i < sizeof(strange) / sizeof(*strange); i++) {
		snprintf(name, sizeof(name), "r.jsonl.spool/%s", strange[i]);
		write_text(name, "nothing\n");
	}
	ck_assert_int_eq(rejects_take_up(rejects, &jobs, first_split, &staged, &err), 0);
	ck_assert_uint_eq(rejects_count(rejects), 1);
	for (size_t i = 0; i < sizeof(strange) / sizeof(*strange); i++) {
		snprintf(name, sizeof(name), "r.jsonl.spool/%s", strange[i]);
		ck_assert_msg(access(name, F_OK) < 0, "%s", name);
	}
	ck_assert_int_eq(rejects_join(rejects, &jobs, &path, &err), 0);
	file_is("r.jsonl", HEAD("0", "2") "\"key\":null,\"column\":null,\"code\":\"torn\",\"reason\":\"cut\",\"row\":\"x\"}\n");
}
END_TEST

/* The hash of a row that the target refused is taken up with its line, to leave it out of the comparison; a line
 * without a word for its reason counts as one without. */
START_TEST(hashes_of_another_process)
{
	struct etl_text sums = { 0 };
	uint64_t staged = 0;

	ck_assert_int_eq(mkdir("r.jsonl.spool", 0700), 0);
	write_text("r.jsonl.spool/0-0",
		   "00000000000000000004 00000000000000ff {\"run\":\"run-1\",\"code\":\"unique\",\"row\":1}\n"
		   "00000000000000000005 ---------------- {\"run\":\"run-1\"}\n"
		   "short\n");
	ck_assert_int_eq(rejects_take_up(rejects, &jobs, first_split, &staged, &err), 0);
	ck_assert_uint_eq(job.refused_count, 1);
	ck_assert_uint_eq(job.refused[0], 255);
	ck_assert(rejects_sums(rejects, print_sum, &sums));
	ck_assert_str_eq(sums.at, "0  1\n0 unique 1\n");
	etl_text_free(&sums);
}
END_TEST

START_TEST(spools_that_cannot_be_read)
{
	sqlite3_stmt *put = NULL;
	uint64_t staged = 0;

	ck_assert_int_eq(rejects_take_up(rejects, &jobs, first_split, &staged, &err), 0);
	ck_assert_int_eq(mkdir("r.jsonl.spool", 0700), 0);
	ck_assert_int_eq(mkdir("r.jsonl.spool/0-0", 0700), 0);
	ck_assert_int_lt(rejects_take_up(rejects, &jobs, first_split, &staged, &err), 0);
	ck_assert_str_eq(err.message, "the rejects of the run, r.jsonl.spool/0-0, cannot be read: Is a directory");
	error_clear(&err);
	ck_assert_int_lt(spool_gone(rejects, &job, put, &err), 0);
	ck_assert_str_eq(err.message, "the rejects file r.jsonl.spool/0-0 cannot be read: Is a directory");
	error_clear(&err);
	staged = 1;
	ck_assert_int_lt(rejects_take_up(rejects, &jobs, first_split, &staged, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.message, "r.jsonl.spool cannot be written: Is a directory"));
	error_clear(&err);
	ck_assert_int_eq(rmdir("r.jsonl.spool/0-0"), 0);
	ck_assert_int_eq(rmdir("r.jsonl.spool"), 0);
	write_text("r.jsonl.spool", "a file");
	ck_assert_int_lt(rejects_take_up(rejects, &jobs, first_split, &staged, &err), 0);
	ck_assert_str_eq(err.message, "the rejects file r.jsonl.spool cannot be written: Not a directory");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("reject");
	TCase *all = tcase_create("all");
	SRunner *runner = srunner_create(suite);
	int failed;

	if (!mkdtemp(folder))
		return 99;
	tcase_add_checked_fixture(all, begin, end);
	tcase_add_test(all, rows_without_a_batch);
	tcase_add_test(all, sums_by_reason);
	tcase_add_test(all, one_too_many);
	tcase_add_test(all, no_reject);
	tcase_add_test(all, spools_of_another_process);
	tcase_add_test(all, hashes_of_another_process);
	tcase_add_test(all, spools_that_cannot_be_read);
	suite_add_tcase(suite, all);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	rmdir(folder);
	return failed == 0 ? 0 : 1;
}
