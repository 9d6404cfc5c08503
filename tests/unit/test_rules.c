/*
 * The validator rules in parts: bounds compare exactly, keys are equal when values are, the set of keys is exact
 * whatever its memory, and a rule that cannot be is refused with its sentence.
 */
#include "config.h"

#include <check.h>

#include "fake_host.h"
#include "plugins/rules/rules.h"

const struct etl_plugin *rules_LTX_etl_plugin(void);

static const struct etl_host host = { FAKE_HOST };

/* ---- Bounds ---- */

/* A value of a type, as text, against a bound: '<', '=', '>', '?' for what cannot be compared, '!' for no bound. */
static char against(int32_t type, const char *text, int32_t bound_type, const char *bound_text)
{
	struct etl_column column = { .name = "c", .type = type, .precision = type == ETL_DECIMAL ? 38 : 0,
				     .scale = type == ETL_DECIMAL ? 4 : 0 };
	struct ArrowSchema schema;
	struct ArrowArray batch;
	struct etl_builder *builder;
	struct etl_view *view;
	struct rules_bound bound;
	struct value v;
	int order = 0;
	char ret = '!';

	ck_assert(etl_schema_make(&schema, &column, 1, sizeof(column)));
	builder = etl_builder_new(&schema, 1);
	view = etl_view_new(&schema);
	ck_assert_ptr_null(etl_convert_text(builder->columns, text, strlen(text)));
	ck_assert(etl_builder_finish(builder, &batch) && etl_view_set(view, &batch));
	ck_assert(etl_value_read(&v, view->columns, 0));
	if (rules_bound_make(bound_text, bound_type, &bound))
		ret = !rules_bound_compare(&v, &bound, &order) ? '?' : order < 0 ? '<' : order > 0 ? '>' : '=';
	batch.release(&batch);
	schema.release(&schema);
	etl_builder_free(builder);
	etl_view_free(view);
	return ret;
}

#define expect_order(type, text, bound_type, bound, wanted)                                              \
	ck_assert_msg(against(type, text, bound_type, bound) == (wanted), "%s against %s: %c", text, bound, \
		      against(type, text, bound_type, bound))

START_TEST(numbers_are_compared_as_they_are_written)
{
	expect_order(ETL_INT64, "9007199254740993", ETL_INT64, "9007199254740992", '>');
	expect_order(ETL_INT64, "9007199254740993", ETL_INT64, "9007199254740993.5", '<');
	expect_order(ETL_INT64, "-9223372036854775808", ETL_INT64, "-9223372036854775808", '=');
	expect_order(ETL_INT64, "10", ETL_INT64, "9.99", '>');
	expect_order(ETL_INT64, "-10", ETL_INT64, "-9.99", '<');
	expect_order(ETL_FLOAT64, "0.1", ETL_FLOAT64, "0.1", '=');
	expect_order(ETL_FLOAT64, "1e300", ETL_FLOAT64, "1e299", '>');
	expect_order(ETL_FLOAT64, "-1e-300", ETL_FLOAT64, "0", '<');
	expect_order(ETL_FLOAT64, "Infinity", ETL_FLOAT64, "1e308", '>');
	expect_order(ETL_FLOAT64, "NaN", ETL_FLOAT64, "0", '?');
	expect_order(ETL_DECIMAL, "99999999999999999999.5", ETL_DECIMAL, "99999999999999999999.4999", '>');
	expect_order(ETL_NUMERIC, "123456789012345678901234567890.10", ETL_NUMERIC, "123456789012345678901234567890.1", '=');
	expect_order(ETL_NUMERIC, "-0", ETL_NUMERIC, "0.00", '=');
	expect_order(ETL_NUMERIC, "0.00009", ETL_NUMERIC, "0.0001", '<');
	expect_order(ETL_TEXT, "many", ETL_INT64, "0", '?');
	expect_order(ETL_TEXT, "12", ETL_INT64, "3", '>');
	expect_order(ETL_INT64, "1", ETL_INT64, "few", '!');
	expect_order(ETL_BOOL, "true", ETL_BOOL, "true", '!');
}
END_TEST

START_TEST(a_date_is_a_whole_day)
{
	expect_order(ETL_TIMESTAMP, "2024-12-31 23:59:59.999999", ETL_TIMESTAMP, "2024-12-31", '=');
	expect_order(ETL_TIMESTAMP, "2025-01-01 00:00:00", ETL_TIMESTAMP, "2024-12-31", '>');
	expect_order(ETL_TIMESTAMP, "1969-12-31 23:59:59", ETL_TIMESTAMP, "1970-01-01", '<');
	expect_order(ETL_TIMESTAMP, "2024-12-31 12:00:00", ETL_TIMESTAMP, "2024-12-31 12:00:01", '<');
	expect_order(ETL_DATE, "2024-02-29", ETL_DATE, "2024-03-01", '<');
	expect_order(ETL_TEXT, "2024-02-29T00:30:00+01:00", ETL_TIMESTAMP, "2024-02-28 23:30:00", '=');
	expect_order(ETL_TEXT, "29.2.2024", ETL_DATE, "2024-02-29", '?');
	expect_order(ETL_TIME, "23:59:59.5", ETL_TIME, "23:59:59", '>');
	expect_order(ETL_DATE, "2024-02-29", ETL_DATE, "tomorrow", '!');
	expect_order(ETL_TEXT, "b", ETL_TEXT, "abc", '>');
	expect_order(ETL_TEXT, "ab", ETL_TEXT, "abc", '<');
	expect_order(ETL_TEXT, "", ETL_TEXT, "", '=');
}
END_TEST

/* ---- Keys ---- */

/* The key of one value, tagged as it stands in a column of any values, in hex. */
static char *key_of(char tag, const void *bytes, int64_t size, bool as_number)
{
	struct etl_column column = { .name = "c", .type = ETL_ANY };
	struct ArrowSchema schema;
	struct ArrowArray batch;
	struct etl_builder *builder;
	struct etl_view *view;
	struct etl_text key = { 0 }, hex = { 0 };
	const int64_t at = 0;

	ck_assert(etl_schema_make(&schema, &column, 1, sizeof(column)));
	builder = etl_builder_new(&schema, 1);
	view = etl_view_new(&schema);
	ck_assert(etl_put_any(builder->columns, tag, bytes, size));
	ck_assert(etl_builder_finish(builder, &batch) && etl_view_set(view, &batch));
	ck_assert_int_eq(rules_key(view, &at, &as_number, 1, false, 0, &key), 1);
	for (size_t i = 0; i < key.length; i++)
		etl_text_addf(&hex, "%02x", (uint8_t)key.at[i]);
	batch.release(&batch);
	schema.release(&schema);
	etl_builder_free(builder);
	etl_view_free(view);
	etl_text_free(&key);
	return etl_text_take(&hex);
}

static void compare_keys(char *a, char *b, bool equal)
{
	ck_assert_msg((strcmp(a, b) == 0) == equal, "%s and %s", a, b);
	free(a);
	free(b);
}

static char *real(double v)
{
	return key_of(ETL_ANY_REAL, &v, 8, false);
}

static char *whole(int64_t v)
{
	return key_of(ETL_ANY_INT, &v, 8, false);
}

static char *text(const char *v, bool as_number)
{
	return key_of(ETL_ANY_TEXT, v, (int64_t)strlen(v), as_number);
}

START_TEST(keys_are_equal_when_values_are)
{
	compare_keys(whole(1), real(1.0), true);
	compare_keys(whole(0), real(-0.0), true);
	compare_keys(whole(INT64_C(9007199254740993)), real(9007199254740992.0), false);
	compare_keys(real(0.5), real(0.25), false);
	compare_keys(real(1e300), real(1e301), false);
	compare_keys(whole(1), text("1", false), false);
	compare_keys(whole(1), text("1.0", true), true);
	compare_keys(real(0.5), text("50e-2", true), true);
	compare_keys(real(-0.5), text("0.5", true), false);
	compare_keys(text("a", true), text("a", false), true);
	compare_keys(text("a", false), key_of(ETL_ANY_BLOB, "a", 1, false), false);
	compare_keys(text("", false), key_of(ETL_ANY_BLOB, "", 0, false), false);
}
END_TEST

/* ---- The set ---- */

/* COUNT keys in two rounds: all are new, then none is, and what was never added is not there. */
static void fill(int64_t memory, uint64_t count)
{
	struct rules_seen *seen = rules_seen_new(memory);
	const char *why = NULL;
	char key[64];

	ck_assert_ptr_nonnull(seen);
	for (int round = 0; round < 2; round++)
		for (uint64_t i = 0; i < count; i++) {
			size_t size = (size_t)snprintf(key, sizeof(key), "key %llu", (unsigned long long)(i * 7919 % count));

			ck_assert_msg(rules_seen_has(seen, key, size, &why) == round, "%s in round %d: %s", key, round,
				      why ? why : "");
			if (round == 0)
				ck_assert_int_eq(rules_seen_add(seen, key, size, &why), 0);
		}
	for (uint64_t i = 0; i < count; i++) {
		size_t size = (size_t)snprintf(key, sizeof(key), "other %llu", (unsigned long long)i);

		ck_assert_int_eq(rules_seen_has(seen, key, size, &why), 0);
	}
	ck_assert_uint_eq(rules_seen_count(seen), count);
	rules_seen_free(seen);
}

START_TEST(the_set_is_exact_in_any_memory)
{
	fill(1 << 20, 0);
	fill(1 << 20, 1);
	fill(64 << 20, 50021);
	fill(1 << 18, 50021);
	fill(0, 9973);
}
END_TEST

START_TEST(keys_may_be_long_or_empty)
{
	struct rules_seen *seen = rules_seen_new(1 << 16);
	size_t size = 600 << 10;
	char *big = malloc(size);
	const char *why = NULL;

	ck_assert_ptr_nonnull(big);
	memset(big, 'x', size);
	ck_assert_int_eq(rules_seen_add(seen, "", 0, &why), 0);
	for (int i = 0; i < 5; i++) {
		big[size - 1] = (char)('a' + i);
		ck_assert_int_eq(rules_seen_has(seen, big, size, &why), 0);
		ck_assert_int_eq(rules_seen_add(seen, big, size, &why), 0);
	}
	big[size - 1] = 'a';
	ck_assert_int_eq(rules_seen_has(seen, big, size, &why), 1);
	ck_assert_int_eq(rules_seen_has(seen, big, size - 1, &why), 0);
	ck_assert_int_eq(rules_seen_has(seen, "", 0, &why), 1);
	free(big);
	rules_seen_free(seen);
}
END_TEST

/* ---- Rules ---- */

static const char *refused(const struct etl_conf *rule)
{
	static struct etl_error err;
	struct etl_conf conf = { { { .key = "severity", .items = { "reject" } },
				   { .key = "unmatched", .items = { "error" } },
				   { .key = "rules", .groups = { rule } } } };
	struct etl_instance *self = NULL;

	err = (struct etl_error){ 0 };
	if (rules_LTX_etl_plugin()->open(&host, &conf, &self, &err) == 0) {
		rules_LTX_etl_plugin()->close(self);
		return "opened";
	}
	ck_assert_int_eq(err.klass, ETL_USAGE);
	return err.text;
}

static const char *refused_regex(const char *regex)
{
	struct etl_conf rule = { { { .key = "column", .items = { "a" } }, { .key = "regex", .items = { regex } } } };

	return refused(&rule);
}

START_TEST(a_wrong_regex_is_refused_with_its_place)
{
	ck_assert_str_eq(refused_regex("[A-Z]{3}"), "opened");
	ck_assert_ptr_nonnull(strstr(refused_regex("ab(c"), "the regex \"ab(c\" is wrong at character 5"));
	ck_assert_ptr_nonnull(strstr(refused_regex("a**+*"), "is wrong at character"));
	ck_assert_ptr_nonnull(strstr(refused_regex("\\C"), "is wrong at character"));
	ck_assert_ptr_nonnull(strstr(refused_regex("(?<n>a)\\k<m>"), "is wrong at character"));
}
END_TEST

START_TEST(an_empty_rule_is_refused)
{
	struct etl_conf nothing = { { { .key = "column", .items = { "a" } } } },
			nowhere = { { { .key = "regex", .items = { "a" } } } };

	ck_assert_ptr_nonnull(strstr(refused(&nothing), "asks for nothing"));
	ck_assert_ptr_nonnull(strstr(refused(&nowhere), "needs `column` or `columns`"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("rules");
	TCase *tests = tcase_create("rules");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, numbers_are_compared_as_they_are_written);
	tcase_add_test(tests, a_date_is_a_whole_day);
	tcase_add_test(tests, keys_are_equal_when_values_are);
	tcase_add_test(tests, the_set_is_exact_in_any_memory);
	tcase_add_test(tests, keys_may_be_long_or_empty);
	tcase_add_test(tests, a_wrong_regex_is_refused_with_its_place);
	tcase_add_test(tests, an_empty_rule_is_refused);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
