/* Every conversion is exact or refused with its word. */
#include "config.h"

#include <check.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib_batch.h"

/* Reads TEXT as FROM, converts it to TO and writes what came of it, or the code in parentheses. */
static void convert(const char *from, const char *text, const char *to, struct etl_text *ret)
{
	struct etl_column columns[2] = { column_of("from", from), column_of("to", to) };
	struct ArrowSchema schema = schema_of(columns, 2);
	struct etl_builder *builder = builder_of(columns, 2, 1);
	struct etl_view *view = etl_view_new(&schema);
	struct ArrowArray batch;
	const char *code;

	put_text(&builder->columns[0], text);
	etl_put_null(&builder->columns[1]);
	ck_assert(etl_builder_finish(builder, &batch));
	ck_assert(etl_view_set(view, &batch));
	code = etl_convert(&builder->columns[1], &view->columns[0], 0);
	ck_assert_int_eq(builder->columns[1].rows, code ? 0 : 1);
	if (code) {
		etl_text_addf(ret, "(%s)", code);
	} else {
		etl_put_null(&builder->columns[0]);
		batch.release(&batch);
		ck_assert(etl_builder_finish(builder, &batch));
		ck_assert(etl_view_set(view, &batch));
		etl_text_add_value(ret, &view->columns[1], 0);
	}
	batch.release(&batch);
	etl_view_free(view);
	etl_builder_free(builder);
	schema.release(&schema);
}

static void expect(const char *from, const char *text, const char *to, const char *wanted)
{
	struct etl_text got = { .at = NULL };

	convert(from, text, to, &got);
	ck_assert_msg(strcmp(got.at, wanted) == 0, "%s %s as %s: %s, not %s", from, text, to, got.at, wanted);
	etl_text_free(&got);
}

static void numbers(void)
{
	expect("text", "12", "int64", "12");
	expect("text", "+12.00", "int16", "12");
	expect("text", "1e3", "int32", "1000");
	expect("text", " 12", "int64", "(not_a_number)");
	expect("text", "12x", "int64", "(not_a_number)");
	expect("text", "0x10", "int64", "(not_a_number)");
	expect("text", "", "int64", "(not_a_number)");
	expect("text", "1,5", "float64", "(not_a_number)");
	expect("text", "1.5", "int64", "(too_precise)");
	expect("text", "-9223372036854775808", "int64", "-9223372036854775808");
	expect("text", "9223372036854775808", "int64", "(out_of_range)");
	expect("int64", "32768", "int16", "(out_of_range)");
	expect("int64", "9007199254740993", "float64", "(too_precise)");
	expect("int64", "9007199254740992", "float64", "9007199254740992");
	expect("float64", "9007199254740992", "int64", "9007199254740992");
	expect("float64", "1e19", "int64", "(out_of_range)");
	expect("float64", "NaN", "int64", "(not_a_number)");
	expect("float64", "0.5", "int64", "(too_precise)");
	expect("float64", "0.1", "float32", "(too_precise)");
	expect("text", "0.1", "float32", "0.1");
	expect("float64", "0.5", "float32", "0.5");
	expect("text", "0.30000000000000004", "float64", "0.30000000000000004");
	expect("text", "0.29999999999999999", "float64", "0.3");
	expect("text", "3.14159265358979323846", "float64", "(too_precise)");
	expect("text", "1e400", "float64", "(out_of_range)");
	expect("float64", "1e300", "text", "'1e+300'");
	expect("float64", "0.00001", "text", "'0.00001'");
	expect("float64", "-0.0", "text", "'-0'");
	expect("bool", "true", "int32", "1");
	expect("int64", "2", "bool", "(not_a_bool)");
	expect("text", "TRUE", "bool", "true");
	expect("text", "yes", "bool", "(not_a_bool)");
}

START_TEST(numbers_convert_exactly_or_not)
{
	numbers();
}
END_TEST

START_TEST(numbers_do_not_depend_on_the_locale)
{
	if (!setlocale(LC_NUMERIC, "de_DE.UTF-8"))
		setlocale(LC_NUMERIC, "de_DE");
	numbers();
	setlocale(LC_NUMERIC, "C");
}
END_TEST

START_TEST(decimals_keep_every_digit)
{
	expect("text", "-12.5", "decimal(10,2)", "-12.50");
	expect("text", "12.345", "decimal(10,2)", "(too_precise)");
	expect("text", "123456789", "decimal(10,2)", "(out_of_range)");
	expect("text", "99999999999999999999999999999999999999", "decimal(38,0)",
	       "99999999999999999999999999999999999999");
	expect("decimal(38,38)", "0.00000000000000000000000000000000000001", "text",
	       "'0.00000000000000000000000000000000000001'");
	expect("float64", "0.1", "decimal(10,2)", "0.10");
	expect("decimal(10,2)", "0.10", "float64", "0.1");
	expect("decimal(20,1)", "9007199254740993.0", "float64", "(too_precise)");
	expect("decimal(10,2)", "5.00", "int64", "5");
	expect("decimal(10,2)", "5.00", "numeric", "5.00");
	expect("numeric", "1e3", "numeric", "1000");
	expect("text", "-.5e-3", "numeric", "-0.0005");
	expect("text", "1e99999999999", "numeric", "(out_of_range)");
	expect("numeric", "00012.50", "decimal(10,2)", "12.50");
	expect("float64", "Infinity", "numeric", "(out_of_range)");
	expect("int64", "7", "decimal(3,2)", "7.00");
	expect("int64", "70", "decimal(3,2)", "(out_of_range)");
}
END_TEST

/* A real is the decimal of its shortest text, however it is found: near the ends of what takes the short way too. */
START_TEST(a_real_is_the_decimal_of_its_text)
{
	uint64_t random = 88172645463325252u;

	for (int i = 0; i < 3000; i++) {
		char value[64], type[32];
		struct etl_text by_real = { .at = NULL }, by_text = { .at = NULL };
		int scale, precision, digits;
		double v;

		random ^= random << 13, random ^= random >> 7, random ^= random << 17;
		scale = (int)(random % 18);
		precision = scale + (int)(random / 18 % 21) + (scale == 0);
		digits = (int)(random / 378 % 18);
		snprintf(value, sizeof(value), "%s%llu%s", random & 4096 ? "-" : "",
			 (unsigned long long)(random >> 20) % (unsigned long long)pow(10, digits), random & 8192 ? "" : "5");
		v = strtod(value, NULL) / pow(10, (int)(random >> 50) % (scale + 2));
		snprintf(type, sizeof(type), "decimal(%d,%d)", precision, scale);
		etl_text_addf(&by_text, "%.17g", v);
		for (int most = 15; most < 17; most++) {
			char shorter[64];

			snprintf(shorter, sizeof(shorter), "%.*g", most, v);
			if (memcmp(&(double){ strtod(shorter, NULL) }, &v, sizeof(v)) == 0) {
				etl_text_free(&by_text);
				etl_text_add(&by_text, shorter);
				break;
			}
		}
		snprintf(value, sizeof(value), "%s", by_text.at);
		etl_text_free(&by_text);
		convert("float64", value, type, &by_real);
		convert("text", value, type, &by_text);
		ck_assert_msg(strcmp(by_real.at, by_text.at) == 0, "%s as %s: %s by its value, %s by its text", value,
			      type, by_real.at, by_text.at);
		etl_text_free(&by_real);
		etl_text_free(&by_text);
	}
}
END_TEST

START_TEST(impossible_dates_are_refused)
{
	expect("text", "2024-02-29", "date", "2024-02-29");
	expect("text", "2023-02-29", "date", "(not_a_date)");
	expect("text", "1900-02-29", "date", "(not_a_date)");
	expect("text", "2024-13-01", "date", "(not_a_date)");
	expect("text", "24-01-01", "date", "(not_a_date)");
	expect("text", "-0044-03-15", "date", "-0044-03-15");
	expect("date", "1969-12-31", "timestamp", "1969-12-31 00:00:00");
	expect("date", "2024-02-29", "instant", "(type)");
	expect("timestamp", "2024-02-29 00:00:01", "date", "(too_precise)");
	expect("timestamp", "1969-12-31 00:00:00", "date", "1969-12-31");
	expect("text", "2024-02-29 23:59:59.123456", "timestamp", "2024-02-29 23:59:59.123456");
	expect("text", "2024-02-29T23:59:59.1", "timestamp", "2024-02-29 23:59:59.1");
	expect("text", "2024-02-29 23:59:59.1234567", "timestamp", "(too_precise)");
	expect("text", "2024-02-29 24:00:00", "timestamp", "(not_a_timestamp)");
	expect("text", "2024-02-29 23:59:59Z", "timestamp", "(not_a_timestamp)");
	expect("text", "2024-02-29 23:59:59", "instant", "(not_a_timestamp)");
	expect("text", "2024-02-29T01:00:00+02:00", "instant", "2024-02-28 23:00:00Z");
	expect("timestamp", "2024-02-29 23:59:59", "instant", "(type)");
	expect("instant", "1969-12-31 23:59:59.5Z", "text", "'1969-12-31 23:59:59.5Z'");
	expect("text", "23:59:59.5", "time", "23:59:59.5");
	expect("text", "24:00", "time", "24:00:00");
	expect("text", "24:00:00.0000001", "time", "(not_a_time)");
	expect("text", "24:01", "time", "(not_a_time)");
	expect("text", "23:60", "time", "(not_a_time)");
}
END_TEST

START_TEST(other_kinds_convert_by_what_they_are)
{
	expect("text", "A0EEBC99-9c0b-4ef8-bb6d-6bb9bd380a11", "uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11");
	expect("text", "a0eebc99", "uuid", "(not_a_uuid)");
	expect("text", "{\"a\": [1, -2.5e3, \"\\u00e9\"]}", "json", "'{\"a\": [1, -2.5e3, \"\\u00e9\"]}'");
	expect("text", "{\"a\": 01}", "json", "(not_json)");
	expect("text", "[1,]", "json", "(not_json)");
	expect("bytes", "abc", "text", "(type)");
	expect("text", "abc", "bytes", "x'616263'");
	expect("int64", "5", "date", "(type)");
	expect("int64", "5", "any", "5");
	expect("decimal(4,2)", "1.50", "any", "'1.50'");
	expect("any", "17", "int32", "17");
	expect("any", "2024-02-29", "date", "2024-02-29");
}
END_TEST

/* One `any` value into a column of TO. */
static const char *convert_any(char tag, const void *bytes, int64_t size, const char *to)
{
	struct etl_column columns[2] = { column_of("from", "any"), column_of("to", to) };
	struct ArrowSchema schema = schema_of(columns, 2);
	struct etl_builder *builder = builder_of(columns, 2, 1);
	struct etl_view *view = etl_view_new(&schema);
	struct ArrowArray batch;
	const char *code;

	ck_assert(etl_put_any(&builder->columns[0], tag, bytes, size));
	etl_put_null(&builder->columns[1]);
	ck_assert(etl_builder_finish(builder, &batch));
	ck_assert(etl_view_set(view, &batch));
	code = etl_convert(&builder->columns[1], &view->columns[0], 0);
	batch.release(&batch);
	etl_view_free(view);
	etl_builder_free(builder);
	schema.release(&schema);
	return code ? code : "ok";
}

START_TEST(an_any_converts_by_its_tag)
{
	int64_t big = INT64_C(1) << 40;
	double half = 0.5;

	ck_assert_str_eq(convert_any(ETL_ANY_INT, &big, 8, "int64"), "ok");
	ck_assert_str_eq(convert_any(ETL_ANY_INT, &big, 8, "int32"), "out_of_range");
	ck_assert_str_eq(convert_any(ETL_ANY_REAL, &half, 8, "int64"), "too_precise");
	ck_assert_str_eq(convert_any(ETL_ANY_REAL, &half, 8, "decimal(3,1)"), "ok");
	ck_assert_str_eq(convert_any(ETL_ANY_TEXT, "\xc3\x28", 2, "text"), "invalid_utf8");
	ck_assert_str_eq(convert_any(ETL_ANY_TEXT, "\xed\xa0\x80", 3, "text"), "invalid_utf8");
	ck_assert_str_eq(convert_any(ETL_ANY_BLOB, "0123456789abcdef", 16, "uuid"), "ok");
	ck_assert_str_eq(convert_any(ETL_ANY_BLOB, "1", 1, "int64"), "type");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("lib convert");
	TCase *tests = tcase_create("convert");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, numbers_convert_exactly_or_not);
	tcase_add_test(tests, numbers_do_not_depend_on_the_locale);
	tcase_add_test(tests, decimals_keep_every_digit);
	tcase_add_test(tests, a_real_is_the_decimal_of_its_text);
	tcase_add_test(tests, impossible_dates_are_refused);
	tcase_add_test(tests, other_kinds_convert_by_what_they_are);
	tcase_add_test(tests, an_any_converts_by_its_tag);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
