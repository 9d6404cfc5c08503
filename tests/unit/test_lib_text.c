/* Quoting, JSON and values as a person reads them. */
#include "config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "lib_batch.h"
#include "plugins/lib/json.h"
#include "plugins/lib/spell.h"

static void expect(struct etl_text *t, const char *wanted)
{
	char *got = etl_text_take(t);

	ck_assert_str_eq(got, wanted);
	ck_assert_ptr_null(t->at);
	free(got);
}

START_TEST(names_and_literals_are_quoted)
{
	struct etl_text t = { .at = NULL };

	etl_text_add_name(&t, "a\"b", '"');
	etl_text_add_name(&t, "a]b[", '[');
	etl_text_add_name(&t, "a`b", '`');
	etl_text_add_literal(&t, "it's");
	expect(&t, "\"a\"\"b\"[a]]b[]`a``b`'it''s'");
	expect(&t, "");
}
END_TEST

START_TEST(formatted_text_grows)
{
	struct etl_text t = { .at = NULL };

	for (int i = 0; i < 200; i++)
		etl_text_addf(&t, "%d,", i % 10);
	ck_assert_uint_eq(t.length, 400);
	ck_assert_uint_eq(strlen(t.at), 400);
	etl_text_free(&t);
}
END_TEST

START_TEST(json_strings_are_escaped)
{
	struct etl_text t = { .at = NULL };

	etl_text_add_json(&t, "a\"\\\n\x01\0z", 7);
	etl_text_add_json(&t, "\xc3\xa9|\xc3|\xed\xa0\x80", 8);
	expect(&t, "\"a\\\"\\\\\\n\\u0001\\u0000z\""
		   "\"\xc3\xa9|\xef\xbf\xbd|\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
}
END_TEST

/* Each byte at each place of strings of each length: what is passed over eight at a time is what a look at each would pass. */
START_TEST(a_string_of_json_ends_where_it_ends)
{
	char text[64];

	for (size_t length = 1; length < 30; length++)
		for (size_t at = 0; at < length; at++)
			for (int byte = 1; byte < 256; byte++) {
				bool ends = byte == '"' || byte == '\\' || byte < ' ';

				memset(text, at % 2 ? '\x7f' : '!', length);
				text[at] = (char)byte;
				ck_assert_ptr_eq(etl_json_plain(text, text + length), text + (ends ? at : length));
				memmove(text + 1, text, length);
				text[0] = text[length + 1] = '"';
				ck_assert_int_eq(etl_json_valid(text, length + 2), !ends);
			}
	ck_assert(etl_json_valid("\"12345678\\\"12345678\\u00e9\"", 26));
	ck_assert(!etl_json_valid("\"12345678", 9));
	ck_assert(!etl_json_valid("\"1234567\\", 9));
}
END_TEST

START_TEST(texts_of_a_pipeline_file_are_escaped)
{
	struct etl_text t = { .at = NULL };

	etl_text_add_config(&t, "a\"\\\n\t\x7f\xc3\xa9${x}");
	expect(&t, "\"a\\\"\\\\\\x0a\\x09\\x7f\xc3\xa9${x}\"");
}
END_TEST

START_TEST(utf8_is_told_from_other_bytes)
{
	ck_assert_uint_eq(etl_utf8_valid("plain ascii of some length", 26), 26);
	ck_assert_uint_eq(etl_utf8_valid("\xf0\x9f\x98\x80", 4), 4);
	ck_assert_uint_eq(etl_utf8_valid("ab\xc0\x80", 4), 2);
	ck_assert_uint_eq(etl_utf8_valid("12345678\xf4\x90\x80\x80", 12), 8);
	ck_assert_uint_eq(etl_utf8_valid("\xe2\x82", 2), 0);
}
END_TEST

START_TEST(values_read_as_a_person_writes_them)
{
	static const char *const types[] = { "int64", "float64", "text", "bytes", "date", "bool", "numeric",
					     "decimal(5,2)", "float64", "uuid", "text" };
	static const char *const texts[] = { "12", "0.1", "it's", "a\xff", "2024-02-29", "true", "1.50", "-0.05",
					     "NaN", "a0eebc999c0b4ef8bb6d6bb9bd380a11", NULL };
	enum { COUNT = sizeof(types) / sizeof(types[0]) };
	struct etl_column columns[COUNT];
	struct etl_text plain = { .at = NULL }, json = plain;
	struct etl_builder *b;
	struct ArrowSchema schema;
	struct ArrowArray batch;
	struct etl_view *view;

	for (size_t i = 0; i < COUNT; i++)
		columns[i] = column_of("c", types[i]);
	schema = schema_of(columns, COUNT);
	b = builder_of(columns, COUNT, 1);
	view = etl_view_new(&schema);
	for (size_t i = 0; i < COUNT; i++)
		put_text(&b->columns[i], texts[i]);
	ck_assert(etl_builder_finish(b, &batch));
	ck_assert(etl_view_set(view, &batch));
	for (size_t i = 0; i < COUNT; i++) {
		etl_text_add_value(&plain, &view->columns[i], 0);
		etl_text_add_json_value(&json, &view->columns[i], 0);
		etl_text_add(&plain, " ");
		etl_text_add(&json, " ");
	}
	expect(&plain, "12 0.1 'it''s' x'61ff' 2024-02-29 true 1.50 -0.05 NaN "
		       "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11 NULL ");
	expect(&json, "12 0.1 \"it's\" {\"hex\": \"61ff\"} \"2024-02-29\" true 1.50 -0.05 \"NaN\" "
		      "\"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11\" null ");
	batch.release(&batch);
	etl_view_free(view);
	etl_builder_free(b);
	schema.release(&schema);
}
END_TEST

/* As libc says them, on both sides of the years of four digits. */
START_TEST(days_and_times_are_spelled)
{
	char spelt[SPELL_MAX], wanted[SPELL_MAX];

	for (int64_t day = -720000; day < 2940000; day += 101) {
		time_t seconds = (time_t)(day * 86400);
		struct tm tm;
		int year;

		ck_assert_ptr_nonnull(gmtime_r(&seconds, &tm));
		year = tm.tm_year + 1900;
		snprintf(wanted, sizeof(wanted), "%s%04d-%02d-%02d", year < 0 ? "-" : year > 9999 ? "+" : "", abs(year),
			 tm.tm_mon + 1, tm.tm_mday);
		ck_assert_uint_eq(etl_spell_date(spelt, day), strlen(wanted));
		ck_assert_str_eq(spelt, wanted);
	}
	for (int second = 0; second < 86400; second += 61) {
		snprintf(wanted, sizeof(wanted), "%02d:%02d:%02d", second / 3600, second / 60 % 60, second % 60);
		ck_assert_uint_eq(etl_spell_time(spelt, second * INT64_C(1000000)), 8);
		ck_assert_str_eq(spelt, wanted);
	}
	etl_spell_time(spelt, INT64_C(86399500000));
	ck_assert_str_eq(spelt, "23:59:59.5");
	etl_spell_timestamp(spelt, -1, true);
	ck_assert_str_eq(spelt, "1969-12-31 23:59:59.999999Z");
	/* What is no time of day is a text all the same. */
	etl_spell_time(spelt, INT64_MAX);
	ck_assert_uint_lt(strlen(spelt), SPELL_MAX);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("lib text");
	TCase *tests = tcase_create("text");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tests, names_and_literals_are_quoted);
	tcase_add_test(tests, formatted_text_grows);
	tcase_add_test(tests, json_strings_are_escaped);
	tcase_add_test(tests, a_string_of_json_ends_where_it_ends);
	tcase_add_test(tests, texts_of_a_pipeline_file_are_escaped);
	tcase_add_test(tests, utf8_is_told_from_other_bytes);
	tcase_add_test(tests, values_read_as_a_person_writes_them);
	tcase_add_test(tests, days_and_times_are_spelled);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
