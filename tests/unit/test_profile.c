/*
 * Types by what is there: what a column becomes for a target whose types belong to columns.
 */
#include "config.h"

#include <stdlib.h>

#include <check.h>

#include "../../core/profile.h"

struct story {
	const char *told;
	struct etl_column column;
	struct etl_profile values;
	struct etl_type_info want;
};

#define DECLARED(t) { .type = (t) }
#define MONEY { .type = ETL_DECIMAL, .precision = 10, .scale = 2 }

static const struct story stories[] = {
	{ "whole numbers stay what they are", DECLARED(ETL_INT64), { .integers = 9 }, { .type = ETL_INT64 } },
	{ "a flag of 0 and 1", DECLARED(ETL_BOOL), { .integers = 4, .flags01 = 4 }, { .type = ETL_BOOL } },
	{ "a flag that once was 2", DECLARED(ETL_BOOL), { .integers = 4, .flags01 = 3 }, { .type = ETL_INT64 } },
	{ "a flag that once was 'yes'", DECLARED(ETL_BOOL), { .integers = 3, .flags01 = 3, .texts = 1 }, { .type = ETL_TEXT } },
	{ "a mark in a column of numbers", DECLARED(ETL_INT64), { .integers = 9, .texts = 1 }, { .type = ETL_TEXT } },
	{ "a fraction in a column of whole numbers", DECLARED(ETL_INT64), { .integers = 9, .reals = 1, .max_scale = 1 },
	  { .type = ETL_FLOAT64 } },
	{ "an integer no double can hold beside a fraction", DECLARED(ETL_FLOAT64),
	  { .integers = 1, .max_integer = INT64_MAX, .reals = 1, .max_scale = 1 }, { .type = ETL_NUMERIC } },
	{ "money that fits", MONEY, { .reals = 5, .max_scale = 2 }, { ETL_DECIMAL, 10, 2 } },
	{ "money with a third decimal", MONEY, { .reals = 5, .max_scale = 3 }, { ETL_DECIMAL, 11, 3 } },
	{ "dates, all of them", DECLARED(ETL_DATE), { .texts = 3, .dates = 3 }, { .type = ETL_DATE } },
	{ "dates and one German one", DECLARED(ETL_DATE), { .texts = 3, .dates = 2 }, { .type = ETL_TEXT } },
	{ "dates and times", DECLARED(ETL_TIMESTAMP), { .texts = 3, .dates = 1, .timestamps = 2 }, { .type = ETL_TIMESTAMP } },
	{ "times with a zone", DECLARED(ETL_TIMESTAMP), { .texts = 3, .zoned = 3 }, { .type = ETL_INSTANT } },
	{ "times with and without", DECLARED(ETL_TIMESTAMP), { .texts = 3, .zoned = 1, .timestamps = 2 }, { .type = ETL_TEXT } },
	{ "seconds where a date was declared", DECLARED(ETL_DATE), { .integers = 3 }, { .type = ETL_INT64 } },
	{ "whole numbers in a column of money", MONEY, { .integers = 5, .max_integer = 7 }, { ETL_DECIMAL, 10, 2 } },
	{ "whole numbers too long for a column of money", MONEY, { .integers = 5, .max_integer = 100000000 },
	  { .type = ETL_NUMERIC } },
	{ "a debt too long for it", MONEY, { .integers = 1, .min_integer = -100000000 }, { .type = ETL_NUMERIC } },
	{ "one beside cents", MONEY, { .integers = 1, .max_integer = INT64_MAX, .reals = 1, .max_scale = 2 },
	  { .type = ETL_NUMERIC } },
	{ "whole numbers where doubles were declared", DECLARED(ETL_FLOAT64), { .integers = 2, .max_integer = 1, .min_integer = -1 },
	  { .type = ETL_FLOAT64 } },
	{ "one too large for a double", DECLARED(ETL_FLOAT64), { .integers = 2, .max_integer = INT64_MAX }, { .type = ETL_INT64 } },
	{ "one too small for a double", DECLARED(ETL_FLOAT64), { .integers = 2, .min_integer = INT64_MIN }, { .type = ETL_INT64 } },
	{ "whole numbers of any size", DECLARED(ETL_NUMERIC), { .integers = 2 }, { .type = ETL_NUMERIC } },
	{ "fractions of any size", DECLARED(ETL_NUMERIC), { .reals = 2, .max_scale = 1 }, { .type = ETL_NUMERIC } },
	{ "a small integer beside a fraction", DECLARED(ETL_FLOAT64),
	  { .integers = 1, .min_integer = INT64_MIN, .reals = 1, .max_scale = 1 }, { .type = ETL_NUMERIC } },
	{ "money with more decimals than there are", MONEY, { .reals = 1, .max_scale = 31 }, { .type = ETL_FLOAT64 } },
	{ "dates where a zone was declared", DECLARED(ETL_INSTANT), { .texts = 3, .dates = 3 }, { .type = ETL_TIMESTAMP } },
	{ "times with a zone where one was declared", DECLARED(ETL_INSTANT), { .texts = 3, .zoned = 3 }, { .type = ETL_INSTANT } },
	{ "a time among dates", DECLARED(ETL_DATE), { .texts = 3, .dates = 2, .timestamps = 1 }, { .type = ETL_TIMESTAMP } },
	{ "times of the day", DECLARED(ETL_TIME), { .texts = 3 }, { .type = ETL_TIME } },
	{ "identifiers", DECLARED(ETL_UUID), { .texts = 3 }, { .type = ETL_UUID } },
	{ "documents", DECLARED(ETL_JSON), { .texts = 3 }, { .type = ETL_JSON } },
	{ "numbers written as texts", DECLARED(ETL_NUMERIC), { .texts = 3, .numeric_texts = 3 }, { .type = ETL_NUMERIC } },
	{ "money written as texts", MONEY, { .texts = 3, .numeric_texts = 3 }, { .type = ETL_NUMERIC } },
	{ "words where numbers were declared", DECLARED(ETL_NUMERIC), { .texts = 3, .numeric_texts = 2 }, { .type = ETL_TEXT } },
	{ "numbers, some written as texts", DECLARED(ETL_NUMERIC), { .integers = 1, .texts = 2, .numeric_texts = 2 },
	  { .type = ETL_NUMERIC } },
	{ "numbers and words", DECLARED(ETL_NUMERIC), { .integers = 1, .texts = 2, .numeric_texts = 1 }, { .type = ETL_TEXT } },
	{ "numbers as texts in a column of whole numbers", DECLARED(ETL_INT64), { .integers = 1, .texts = 2, .numeric_texts = 2 },
	  { .type = ETL_TEXT } },
	{ "nothing at all, without a type", DECLARED(ETL_TYPE_NONE), { .nulls = 3 }, { .type = ETL_TEXT } },
	{ "pictures", DECLARED(ETL_ANY), { .blobs = 3 }, { .type = ETL_BYTES } },
	{ "nothing at all", DECLARED(ETL_ANY), { .nulls = 3 }, { .type = ETL_TEXT } },
	{ "nothing at all, declared", MONEY, { .nulls = 3 }, { ETL_DECIMAL, 10, 2 } },
};

START_TEST(the_values_decide)
{
	const struct story *s = &stories[_i];
	struct etl_type_info got = profile_type(&s->column, &s->values);

	ck_assert_msg(got.type == s->want.type && got.precision == s->want.precision && got.scale == s->want.scale,
		      "%s: got %d(%d,%d)", s->told, got.type, got.precision, got.scale);
}
END_TEST

/* What is known of two parts of a column is what one look at all of it would have found. */
START_TEST(parts_add_up)
{
	struct etl_profile sum = { .column = "c" };
	const struct etl_profile parts[] = {
		{ .rows = 3, .nulls = 3, .min_integer = -99, .max_integer = 99 },
		{ .rows = 5, .integers = 2, .min_integer = 4, .max_integer = 7, .flags01 = 0, .texts = 3, .max_chars = 9,
		  .max_utf16 = 10, .max_bytes = 11, .dates = 1, .numeric_texts = 2, .with_nul = 1 },
		{ .rows = 4, .integers = 1, .min_integer = -2, .max_integer = -2, .reals = 1, .max_scale = 3, .blobs = 1,
		  .max_bytes = 5, .texts = 1, .max_chars = 2, .bad_utf8 = 1, .timestamps = 1 },
		{ .rows = 2, .integers = 1, .min_integer = 1, .max_integer = 1, .flags01 = 1, .reals = 1, .max_scale = 1,
		  .zoned = 1 },
	};

	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
		profile_add(&sum, &parts[i]);
	ck_assert_str_eq(sum.column, "c");
	ck_assert_int_eq(sum.rows, 14);
	ck_assert_int_eq(sum.nulls, 3);
	ck_assert_int_eq(sum.integers, 4);
	ck_assert_int_eq(sum.min_integer, -2);
	ck_assert_int_eq(sum.max_integer, 7);
	ck_assert_int_eq(sum.flags01, 1);
	ck_assert_int_eq(sum.reals, 2);
	ck_assert_int_eq(sum.max_scale, 3);
	ck_assert_int_eq(sum.texts, 4);
	ck_assert_int_eq(sum.blobs, 1);
	ck_assert_int_eq(sum.max_chars, 9);
	ck_assert_int_eq(sum.max_utf16, 10);
	ck_assert_int_eq(sum.max_bytes, 11);
	ck_assert_int_eq(sum.with_nul, 1);
	ck_assert_int_eq(sum.bad_utf8, 1);
	ck_assert_int_eq(sum.dates, 1);
	ck_assert_int_eq(sum.timestamps, 1);
	ck_assert_int_eq(sum.zoned, 1);
	ck_assert_int_eq(sum.numeric_texts, 2);
}
END_TEST

/* What a column of this type is said to hold at most. */
static struct etl_column told(int32_t type, struct etl_profile p)
{
	struct etl_column column = { .name = "c", .declared = "", .type = type };
	struct etl_table table = { .name = "t", .columns = &column, .column_count = 1, .column_size = sizeof(column) };
	struct table_rule rule = { 0 };
	struct job job = { .rule = &rule, .source = &table };

	p.column = "c";
	profile_apply(&job, &p);
	return column;
}

START_TEST(the_longest_is_told)
{
	ck_assert_int_eq(told(ETL_TEXT, (struct etl_profile){ .rows = 1, .texts = 1, .max_utf16 = 12, .max_chars = 11 }).longest, 12);
	/* A number among texts is one. */
	ck_assert_int_eq(
		told(ETL_TEXT, (struct etl_profile){ .rows = 2, .texts = 1, .reals = 1, .max_utf16 = 12 }).longest, 24);
	ck_assert_int_eq(told(ETL_BYTES, (struct etl_profile){ .rows = 1, .blobs = 1, .max_bytes = 70 }).longest, 70);
	ck_assert_int_eq(told(ETL_INT64, (struct etl_profile){ .rows = 1, .integers = 1 }).longest, 0);
}
END_TEST

START_TEST(a_numeric_is_plain)
{
	ck_assert_int_eq(told(ETL_NUMERIC, (struct etl_profile){ .rows = 1, .integers = 1 }).plain, ETL_DECIMAL);
	ck_assert_int_eq(told(ETL_NUMERIC, (struct etl_profile){ .rows = 0 }).plain, ETL_DECIMAL);
	ck_assert_int_eq(told(ETL_NUMERIC, (struct etl_profile){ .rows = 2, .integers = 1, .reals = 1, .max_integer = 5 }).plain,
			 ETL_FLOAT64);
	ck_assert_int_eq(
		told(ETL_NUMERIC, (struct etl_profile){ .rows = 2, .integers = 1, .reals = 1, .max_integer = INT64_MAX }).plain,
		ETL_TYPE_NONE);
	ck_assert_int_eq(told(ETL_NUMERIC, (struct etl_profile){ .rows = 1, .texts = 1, .numeric_texts = 1 }).plain,
			 ETL_TYPE_NONE);
	ck_assert_int_eq(told(ETL_FLOAT64, (struct etl_profile){ .rows = 1, .reals = 1 }).plain, ETL_TYPE_NONE);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("profile");
	TCase *tests = tcase_create("types");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tests, the_values_decide, 0, (int)(sizeof(stories) / sizeof(stories[0])));
	tcase_add_test(tests, parts_add_up);
	tcase_add_test(tests, the_longest_is_told);
	tcase_add_test(tests, a_numeric_is_plain);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
