/*
 * The report of a run that people and programs read: aligned whatever the script of the names, numbers that
 * no locale changes, JSON and CSV with stable keys, the root cause last.
 */
#include "config.h"

#include <check.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../core/report-form.h"

static struct report shop(void)
{
	struct report r = { .run = strdup("r-1"), .pipeline = strdup("shop"), .verb = strdup("run"),
			    .seconds = 2.5, .peak_bytes = 12 << 20 };
	struct report_line *line = report_add(&r, REPORT_BEFORE, "design");

	line->seconds = 0.25;
	line = report_add(&r, REPORT_DATA, "顧客");
	line->is_table = line->published = true;
	line->read = line->loaded = line->inserted = line->in_target = 1234567;
	line->bytes = 1536;
	line->seconds = 2.0;
	line = report_add(&r, REPORT_DATA, "Invoice, \"old\"");
	line->is_table = line->published = true;
	line->read = 10;
	line->loaded = line->inserted = line->in_target = 8;
	line->rejected = 2;
	line->seconds = 0.5;
	line->checks = calloc(1, sizeof(*line->checks));
	line->check_count = 1;
	line->checks[0] = (struct report_check){ strdup("checksum"), strdup("sample 10 %"), ETL_FAIL, 3,
						 strdup("row InvoiceId=7 differs") };
	return r;
}

START_TEST(the_table_is_aligned_by_what_one_sees)
{
	struct report r = shop();
	struct etl_text text = { 0 };

	report_text(&r, &text);
	ck_assert(!text.failed);
	ck_assert_ptr_nonnull(strstr(text.at, "\n顧客            1,234,567  1,234,567         0  1,234,567  1.5 KiB    2.000"
					      "  617,284\n"));
	ck_assert_ptr_nonnull(strstr(text.at, "\nInvoice, \"old\"         10          8         2          8      0 B    0.500"
					      "       16  checksum FAIL (sample 10 %)\n"));
	ck_assert_ptr_nonnull(strstr(text.at, "checksum: row InvoiceId=7 differs (and 2 more)\n"));
	ck_assert_ptr_nonnull(strstr(text.at, "peak memory  12.0 MiB\n"));
	ck_assert_ptr_null(strstr(text.at, "filtered"));
	ck_assert_ptr_null(strstr(text.at, "do not add up"));
	ck_assert_ptr_nonnull(strstr(text.at, "done: 1,234,575 rows loaded, 2 rejected\n"));
	etl_text_free(&text);
	report_free(&r);
}
END_TEST

START_TEST(a_lost_row_is_an_error)
{
	struct report r = shop();
	struct etl_text text = { 0 };

	r.lines[2].rejected = 1;
	report_text(&r, &text);
	ck_assert_ptr_nonnull(strstr(text.at, "error: Invoice, \"old\": the rows do not add up: 10 read"));
	etl_text_free(&text);
	report_free(&r);
}
END_TEST

START_TEST(a_failed_run_says_what_stands_and_how_to_go_on)
{
	struct report r = shop();
	struct etl_text text = { 0 };
	const char *last = "nothing was published; the target is as it was\ngo on with: etlrun run shop.cfg\n";

	r.exit = 4;
	r.rolled_back = true;
	r.error = strdup("table Invoice: it broke");
	r.next_command = strdup("etlrun run shop.cfg");
	report_text(&r, &text);
	ck_assert_uint_gt(text.length, strlen(last));
	ck_assert_str_eq(text.at + text.length - strlen(last), last);
	etl_text_free(&text);
	report_free(&r);
}
END_TEST

/* Sizes up to the largest there are; a name that is cut within a letter; a check without words. */
START_TEST(numbers_and_names_at_their_ends)
{
	static const struct {
		uint64_t bytes;
		const char *shown;
	} sizes[] = {
		{ 1023, "1023 B" }, { 1024, "1.0 KiB" }, { (uint64_t)1 << 30, "1.0 GiB" }, { (uint64_t)3 << 40, "3.0 TiB" },
		{ (uint64_t)1 << 60, "1.0 EiB" }, { UINT64_MAX, "16.0 EiB" },
	};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		struct report r = shop();
		struct etl_text text = { 0 };

		r.lines[1].bytes = sizes[i].bytes;
		free(r.lines[1].name);
		r.lines[1].name = strdup("caf\xc3");
		free(r.lines[2].checks[0].message);
		r.lines[2].checks[0].message = NULL;
		report_text(&r, &text);
		ck_assert_msg(strstr(text.at, sizes[i].shown) != NULL, "%s in %s", sizes[i].shown, text.at);
		ck_assert_ptr_null(strstr(text.at, "(and 2 more)"));
		etl_text_free(&text);
		report_free(&r);
	}
}
END_TEST

START_TEST(remarks_of_the_whole_run)
{
	struct report r = shop();
	struct etl_text text = { 0 }, json = { 0 };

	remark_put("log rate", "the first word");
	remark_put("other", "it is \"so\"");
	remark_put("log rate", "the last word");
	remark_put("nothing", "soon gone");
	remark_put("nothing", "");
	remarks_take(&r.remarks);
	report_text(&r, &text);
	ck_assert_ptr_nonnull(strstr(text.at, "\nlog rate     the last word\nother        it is \"so\"\n"));
	ck_assert_ptr_null(strstr(text.at, "soon gone"));
	report_json(&r, &json);
	ck_assert_ptr_nonnull(strstr(json.at, "\"remarks\": { \"log rate\": \"the last word\", \"other\": \"it is \\\"so\\\"\" }"));
	remarks_take(&r.remarks);
	ck_assert_uint_eq(r.remarks.count, 0);
	etl_text_free(&text);
	etl_text_free(&json);
	report_free(&r);
}
END_TEST

static void validation_is(int32_t first, int32_t second, const char *expected)
{
	struct report r = shop();
	struct etl_text text = { 0 };
	char wanted[64];

	if (first >= 0) {
		r.lines[1].checks = calloc(1, sizeof(*r.lines[1].checks));
		r.lines[1].check_count = 1;
		r.lines[1].checks[0].validator = strdup("counts");
		r.lines[1].checks[0].severity = first;
	}
	r.lines[2].checks[0].severity = second;
	r.lines[2].check_count = second >= 0;
	report_json(&r, &text);
	snprintf(wanted, sizeof(wanted), "\"validation\": \"%s\"", expected);
	ck_assert_msg(strstr(text.at, wanted) != NULL, "%s", text.at);
	r.lines[2].check_count = 1;
	etl_text_free(&text);
	report_free(&r);
}

/* Of a table that nobody looked at nothing is said to be right. */
START_TEST(one_word_for_all_validators)
{
	validation_is(ETL_PASS, ETL_PASS, "pass");
	validation_is(ETL_PASS, ETL_WARN, "partial");
	validation_is(ETL_WARN, ETL_FAIL, "fail");
	validation_is(-1, ETL_PASS, "partial");
	validation_is(-1, ETL_FAIL, "fail");
	validation_is(-1, -1, "none");
}
END_TEST

/* What is no plain file is written in place, and a full disk is said. */
START_TEST(summaries_that_are_no_plain_files)
{
	struct report r = shop();
	struct etl_error err = ERROR_INIT;
	char folder[] = "/tmp/test_report.XXXXXX";
	struct stat st;

	ck_assert_int_eq(report_write(&r, "/dev/null", &err), 0);
	ck_assert(stat("/dev/null", &st) == 0 && S_ISCHR(st.st_mode));
	ck_assert_int_eq(report_write(&r, "/dev/full", &err), ETL_FAILED);
	ck_assert_str_eq(err.message, "cannot write the summary /dev/full: No space left on device; name another file with "
				      "--summary");
	error_clear(&err);
	ck_assert_ptr_nonnull(mkdtemp(folder));
	ck_assert_int_eq(chdir(folder), 0);
	ck_assert_int_eq(report_write(&r, "s", &err), 0);
	ck_assert(stat("s", &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 100);
	/* Its place is taken by a folder: nothing half is left beside it. */
	ck_assert_int_eq(mkdir("d", 0700), 0);
	ck_assert_int_eq(report_write(&r, "d", &err), ETL_FAILED);
	ck_assert_int_lt(stat("d.part", &st), 0);
	error_clear(&err);
	unlink("s");
	rmdir("d");
	ck_assert_int_eq(chdir("/"), 0);
	rmdir(folder);
	report_free(&r);
	report_free(NULL);
}
END_TEST

static char *slurp(const char *path)
{
	FILE *file = fopen(path, "r");
	char *text = calloc(1, 65536);

	ck_assert_ptr_nonnull(file);
	ck_assert_uint_gt(fread(text, 1, 65535, file), 0);
	fclose(file);
	return text;
}

START_TEST(programs_read_json_and_csv)
{
	struct report r = shop();
	struct etl_error err = ERROR_INIT;
	char folder[] = "/tmp/test_report.XXXXXX", path[64];
	char *text;

	setlocale(LC_ALL, "de_DE.UTF-8");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/s.json", folder);
	ck_assert_int_eq(report_write(&r, path, &err), 0);
	text = slurp(path);
	ck_assert_ptr_nonnull(strstr(text, "\"total\": { \"tables\": 2, \"read\": 1234577,"));
	ck_assert_ptr_nonnull(strstr(text, "{ \"step\": \"design\", \"seconds\": 0.250 }"));
	ck_assert_ptr_nonnull(strstr(text, "\"table\": \"Invoice, \\\"old\\\"\""));
	ck_assert_ptr_nonnull(strstr(text, "\"validation\": \"fail\""));
	ck_assert_ptr_nonnull(strstr(text, "\"verdict\": \"fail\", \"findings\": 3"));
	free(text);
	unlink(path);
	snprintf(path, sizeof(path), "%s/s.csv", folder);
	ck_assert_int_eq(report_write(&r, path, &err), 0);
	text = slurp(path);
	ck_assert_ptr_nonnull(strstr(text, "\r\nbefore,design,,,,,,,,,,,,,,0.250,,,\r\n"));
	ck_assert_ptr_nonnull(strstr(text, "\r\ndata,\"Invoice, \"\"old\"\"\",\"Invoice, \"\"old\"\"\",10,0,0,0,2,8,8,8,0,0,0,"
					   "0,0.500,true,checksum=fail,\r\n"));
	free(text);
	unlink(path);
	snprintf(path, sizeof(path), "%s/none/s.csv", folder);
	ck_assert_int_eq(report_write(&r, path, &err), ETL_FAILED);
	ck_assert_int_eq(err.klass, ETL_MEMORY);
	error_clear(&err);
	rmdir(folder);
	report_free(&r);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("report");
	TCase *tests = tcase_create("report");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tests, the_table_is_aligned_by_what_one_sees);
	tcase_add_test(tests, a_lost_row_is_an_error);
	tcase_add_test(tests, a_failed_run_says_what_stands_and_how_to_go_on);
	tcase_add_test(tests, numbers_and_names_at_their_ends);
	tcase_add_test(tests, remarks_of_the_whole_run);
	tcase_add_test(tests, one_word_for_all_validators);
	tcase_add_test(tests, summaries_that_are_no_plain_files);
	tcase_add_test(tests, programs_read_json_and_csv);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
