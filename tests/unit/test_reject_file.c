/*
 * A rejects file as it is read: the texts of a line with every escape that JSON has, numbers, the row, and what is
 * no line of etlrun's.
 */
#include "config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../core/reject-file.h"

static char path[] = "/tmp/etlrun-rejects-XXXXXX";

static struct reject_reader *file_of(const char *text)
{
	struct reject_reader *r = NULL;
	struct etl_error err = ERROR_INIT;
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs(text, f), 0);
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_int_eq(reject_reader_open(path, "r", &r, &err), 0);
	return r;
}

#define LINE(table, ordinal, rest)                                                                 \
	"{\"run\":\"r\",\"table\":" table ",\"split\":2,\"ordinal\":" ordinal                      \
	",\"key\":null,\"column\":null,\"code\":\"c\",\"reason\":\"why\",\"row\":" rest "}\n"

START_TEST(texts_and_numbers)
{
	struct reject_reader *r = file_of(
		"{\"run\":\"other\",\"table\":\"t\",\"split\":null,\"ordinal\":null,\"key\":null,"
		"\"column\":null,\"code\":\"c\",\"reason\":null,\"row\":null}\n" LINE(
			"\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e9\\u20ac\\ud83d\\ude00\"", "3",
			"{\"a\": [1, -2.5e3, true, false, null, {\"b\": \"]}\"}]}"));
	const struct reject_line *line = NULL;
	struct etl_error err = ERROR_INIT;
	off_t at = 0;

	ck_assert_int_eq(reject_reader_next(r, &line, &at, &err), 1);
	ck_assert_str_eq(line->table.at, "a\"\\/\b\f\n\r\tA\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
	ck_assert(line->placed && line->split == 2 && line->ordinal == 3 && !line->masked);
	ck_assert_ptr_null(line->key.at);
	ck_assert_int_eq(line->row[line->row_length - 1], '}');
	ck_assert_int_eq(reject_reader_at(r, at, &line, &err), 0);
	ck_assert_str_eq(line->code.at, "c");
	ck_assert_int_eq(reject_reader_next(r, &line, &at, &err), 0);
	/* A file that became shorter since. */
	ck_assert_int_lt(reject_reader_at(r, 100000, &line, &err), 0);
	ck_assert_int_eq(err.klass, ETL_MEMORY);
	error_clear(&err);
	reject_reader_close(r);
}
END_TEST

static const char *const wrong[] = {
	"not JSON\n",
	"\n",
	"{\"run\":\"r\"}\n",
	LINE("null", "3", "null"),
	LINE("\"t\"", "\"3\"", "null"),
	LINE("\"t\"", "3x", "null"),
	LINE("\"t\"", "12345678901234567890123456789012", "null"),
	LINE("\"\\x\"", "3", "null"),
	LINE("\"\\u12g4\"", "3", "null"),
	LINE("\"\\ud83d\"", "3", "null"),
	LINE("\"\\ud83d\\u0041\"", "3", "null"),
	LINE("\"\\ude00\"", "3", "null"),
	LINE("\"t\"", "3", "{\"a\": [1, 2}"),
	LINE("\"t\"", "3", ""),
	LINE("nil", "3", "null"),
	LINE("true", "3", "null"),
	LINE("\"t\"", "true", "null"),
	LINE("\"t\"", "3", "null,\"masked\""),
	"{\"run\":\"r\",\"table\":\"cut off",
};

START_TEST(what_is_no_line)
{
	struct reject_reader *r = file_of(wrong[_i]);
	const struct reject_line *line = NULL;
	struct etl_error err = ERROR_INIT;
	off_t at = 0;

	ck_assert_int_lt(reject_reader_next(r, &line, &at, &err), 0);
	ck_assert_int_eq(err.klass, ETL_DATA);
	ck_assert_ptr_nonnull(strstr(err.message, ":1: this is no line of a rejects file"));
	error_clear(&err);
	reject_reader_close(r);
}
END_TEST

START_TEST(what_is_not_there)
{
	struct reject_reader *r = NULL;
	const struct reject_line *line = NULL;
	struct etl_error err = ERROR_INIT;
	off_t at = 0;

	ck_assert_int_lt(reject_reader_open("/nowhere/x", "r", &r, &err), 0);
	ck_assert_int_eq(err.klass, ETL_MEMORY);
	ck_assert_ptr_nonnull(strstr(err.message, "/nowhere/x cannot be read"));
	error_clear(&err);
	reject_reader_close(NULL);
	/* A folder can be opened, and not read. */
	ck_assert_int_eq(reject_reader_open("/tmp", "r", &r, &err), 0);
	ck_assert_int_lt(reject_reader_next(r, &line, &at, &err), 0);
	ck_assert_str_eq(err.message, "the rejects file /tmp cannot be read: Is a directory");
	error_clear(&err);
	ck_assert_int_lt(reject_reader_at(r, -1, &line, &err), 0);
	ck_assert_str_eq(err.message, "the rejects file /tmp cannot be read: Invalid argument");
	error_clear(&err);
	reject_reader_close(r);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("reject file");
	TCase *all = tcase_create("all");
	SRunner *runner;
	int failed, fd = mkstemp(path);

	if (fd < 0)
		return 99;
	close(fd);
	tcase_add_test(all, texts_and_numbers);
	tcase_add_loop_test(all, what_is_no_line, 0, (int)(sizeof(wrong) / sizeof(*wrong)));
	tcase_add_test(all, what_is_not_there);
	suite_add_tcase(suite, all);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	unlink(path);
	return failed == 0 ? 0 : 1;
}
