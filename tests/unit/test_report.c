/*
 * The report of a run that people and programs read: aligned whatever the script of the names, numbers that
 * no locale changes, JSON and CSV with stable keys, the root cause last.
 */
#include "config.h"

#include <check.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
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
	ck_assert_ptr_nonnull(strstr(text, "\r\nbefore,design,,,,,,,,,,,,,,0.250,,\r\n"));
	ck_assert_ptr_nonnull(strstr(text, "\r\ndata,\"Invoice, \"\"old\"\"\",\"Invoice, \"\"old\"\"\",10,0,0,0,2,8,8,8,0,0,0,"
					   "0,0.500,true,checksum=fail\r\n"));
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
	tcase_add_test(tests, programs_read_json_and_csv);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
