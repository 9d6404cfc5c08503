/*
 * The transform mask: what it makes is the same for ever, distinct where that is promised, never wider than its
 * type, and shows nothing of a value it does not know.
 */
#include "config.h"

#include <check.h>

#include "fake_host.h"
#include "plugins/mask/mask.h"

/* ---- Bijections ---- */

static struct mask_rule keyed(int method, int kind)
{
	struct mask_rule rule = { .method = method, .kind = kind, .domain = "", .length = 32, .days = 10,
				  .with = "*", .last = 4, .mail_domain = "mail.invalid", .text = "***" };

	mask_key_set(&rule, "0123456789abcdef");
	return rule;
}

START_TEST(integers_of_one_length_are_permuted)
{
	struct mask_rule rule = keyed(MASK_PSEUDONYM, KIND_NUMBER);
	bool *seen = calloc(100000, sizeof(*seen));
	int64_t moved = 0;

	for (int64_t v = 0; v < 100000; v++) {
		int64_t made = -1;

		ck_assert(mask_permute_int(&rule, v, INT64_MAX, &made));
		ck_assert(made >= 0 && made < 100000);
		ck_assert_msg((made < 10) == (v < 10) && (made < 100) == (v < 100) && (made < 1000) == (v < 1000) &&
			      (made < 10000) == (v < 10000), "%lld became %lld", (long long)v, (long long)made);
		ck_assert_msg(!seen[made], "%lld is there twice", (long long)made);
		seen[made] = true;
		moved += made != v;
	}
	ck_assert_int_gt(moved, 99900);
	free(seen);
}
END_TEST

START_TEST(integers_stay_within_their_type)
{
	struct mask_rule rule = keyed(MASK_PSEUDONYM, KIND_NUMBER);
	static bool seen[2 * 32768];
	int64_t made;

	for (int64_t v = -INT16_MAX; v <= INT16_MAX; v++) {
		ck_assert(mask_permute_int(&rule, v, INT16_MAX, &made));
		ck_assert(made >= -INT16_MAX && made <= INT16_MAX && (made < 0) == (v < 0));
		ck_assert(!seen[made + 32768]);
		seen[made + 32768] = true;
	}
	ck_assert(!mask_permute_int(&rule, INT64_MIN, INT64_MAX, &made));
	for (int64_t i = 0; i < 1000; i++) {
		ck_assert(mask_permute_int(&rule, INT64_MAX - i, INT64_MAX, &made));
		ck_assert_int_ge(made, INT64_C(1000000000000000000));
	}
}
END_TEST

static void permuted(const struct mask_rule *rule, char *text, bool letters)
{
	bool failed = true;

	mask_permute_text(rule, text, strlen(text), letters, &failed);
	ck_assert(!failed);
}

START_TEST(texts_keep_their_shape)
{
	struct mask_rule rule = keyed(MASK_PSEUDONYM, KIND_CODE), number = keyed(MASK_PSEUDONYM, KIND_NUMBER);
	static bool seen[100][26];
	bool failed;
	char long_text[2000];
	int64_t made;

	for (int n = 0; n < 2600; n++) {
		char text[8];

		snprintf(text, sizeof(text), "%02d-%c!", n / 26, 'a' + n % 26);
		permuted(&rule, text, true);
		ck_assert(text[2] == '-' && text[4] == '!' && text[3] >= 'a' && text[3] <= 'z');
		ck_assert(!seen[atoi(text)][text[3] - 'a']);
		seen[atoi(text)][text[3] - 'a'] = true;
	}
	/* A number as a text is what it is as an integer; zeros in front stay. */
	for (int64_t v = 90; v < 1100; v++) {
		char text[16];

		snprintf(text, sizeof(text), "%lld", (long long)v);
		permuted(&number, text, false);
		ck_assert(mask_permute_int(&number, v, INT64_MAX, &made));
		ck_assert_int_eq(strtoll(text, NULL, 10), made);
		snprintf(text, sizeof(text), "00%lld", (long long)v);
		permuted(&number, text, false);
		ck_assert(text[0] == '0' && strlen(text) == (v < 100 ? 4 : v < 1000 ? 5 : 6));
	}
	memset(long_text, '7', sizeof(long_text));
	ck_assert(mask_permute_text(&rule, long_text, sizeof(long_text), true, &failed));
	ck_assert(memchr(long_text, '1', 1000) && memchr(long_text + 1000, '9', 1000));
	ck_assert(!mask_permute_text(&number, long_text, 0, false, &failed) && !failed);
}
END_TEST

/* ---- Values ---- */

/* A value of a TYPE, given as text, masked in a column declared as DECLARED; or the code. */
static char *masked(struct mask_rule *rule, int32_t declared, int32_t type, const char *given)
{
	struct etl_column column = { .name = "c", .type = type };
	struct mask_column c = { .name = "c", .rule = rule, .type = { declared, 0, 0 } };
	struct ArrowSchema schema;
	struct ArrowArray batch, out;
	struct etl_builder *from, *to;
	struct etl_view *view;
	struct etl_text text = { 0 };
	const char *code;

	ck_assert(etl_schema_make(&schema, &column, 1, sizeof(column)));
	from = etl_builder_new(&schema, 1);
	to = etl_builder_new(&schema, 1);
	view = etl_view_new(&schema);
	if (given)
		ck_assert_ptr_null(etl_convert_text(from->columns, given, strlen(given)));
	else
		etl_put_null(from->columns);
	ck_assert(etl_builder_finish(from, &batch) && etl_view_set(view, &batch));
	code = mask_value(&c, to->columns, view->columns, NULL, 0);
	if (code) {
		ck_assert_int_eq(etl_builder_rows(to), 0);
		etl_text_add(&text, code);
	} else {
		batch.release(&batch);
		ck_assert(etl_builder_finish(to, &out) && etl_view_set(view, &out));
		etl_text_add_value(&text, view->columns, 0);
		batch = out;
	}
	batch.release(&batch);
	schema.release(&schema);
	etl_builder_free(from);
	etl_builder_free(to);
	etl_view_free(view);
	return etl_text_take(&text);
}

static void expect(struct mask_rule rule, int32_t type, const char *given, const char *wanted)
{
	char *got = masked(&rule, type, type, given);

	ck_assert_str_eq(got, wanted);
	free(got);
}

/* Made once by another program: a release that makes others would tear every pipeline's keys apart. */
START_TEST(what_is_made_is_the_same_for_ever)
{
	expect(keyed(MASK_HASH, 0), ETL_TEXT, "Ada", "'8b041e6749fd5ab201bff1423dde5c36'");
	expect(keyed(MASK_PSEUDONYM, KIND_EMAIL), ETL_TEXT, "ada@example.org", "'23do4tewqus63vs7u6khgqifvb@mail.invalid'");
	expect(keyed(MASK_PSEUDONYM, KIND_NUMBER), ETL_INT64, "12345", "28464");
	expect(keyed(MASK_PSEUDONYM, KIND_NAME), ETL_TEXT, "Ada Lovelace", "'Fotov Rusazjitak'");
}
END_TEST

START_TEST(null_stays_null_and_redact_is_typed)
{
	struct mask_rule redact = keyed(MASK_REDACT, 0);

	for (int method = MASK_REDACT; method <= MASK_PSEUDONYM; method++)
		expect(keyed(method, KIND_NUMBER), ETL_INT64, NULL, "NULL");
	expect(keyed(MASK_NULL, 0), ETL_DATE, "2024-02-29", "NULL");
	redact.text = "7";
	expect(redact, ETL_INT16, "12", "7");
	redact.masks_nulls = true;
	expect(redact, ETL_FLOAT64, NULL, "7");
	redact.text = "1970-01-01";
	expect(redact, ETL_DATE, "2024-02-29", "1970-01-01");
	ck_assert_ptr_null(mask_text_misfit("1970-01-01", (struct etl_type_info){ ETL_DATE, 0, 0 }));
	ck_assert_str_eq(mask_text_misfit("***", (struct etl_type_info){ ETL_DATE, 0, 0 }), "not_a_date");
}
END_TEST

START_TEST(dates_move_and_nothing_else)
{
	static const char *const dates[] = { "2024-02-29", "0001-01-01", "9999-12-31", "1969-12-31" };
	struct mask_rule rule = keyed(MASK_PSEUDONYM, KIND_DATE_SHIFT);

	for (size_t i = 0; i < 4; i++) {
		char *date = masked(&rule, ETL_DATE, ETL_DATE, dates[i]), *text, wanted[16];

		text = masked(&rule, ETL_TEXT, ETL_TEXT, dates[i]);
		ck_assert_uint_eq(strlen(date), 10);
		ck_assert_str_ne(date, dates[i]);
		snprintf(wanted, sizeof(wanted), "'%s'", date);
		ck_assert_str_eq(text, wanted);
		free(date);
		free(text);
	}
	expect(rule, ETL_TEXT, "29.2.2024", "not_a_date");
	expect(rule, ETL_TEXT, "", "not_a_date");
}
END_TEST

START_TEST(what_a_method_does_not_know_is_refused)
{
	expect(keyed(MASK_PSEUDONYM, KIND_NUMBER), ETL_TEXT, "none", "not_a_number");
	expect(keyed(MASK_PSEUDONYM, KIND_CODE), ETL_TEXT, "äöü", "not_a_number");
	expect(keyed(MASK_PSEUDONYM, KIND_UUID), ETL_TEXT, "6ba7b8109dad11d180b400c04fd430c8", "not_a_uuid");
	expect(keyed(MASK_PSEUDONYM, KIND_NUMBER), ETL_INT64, "-9223372036854775808", "out_of_range");
	expect(keyed(MASK_PARTIAL, 0), ETL_BYTES, "abc", "type");
	expect(keyed(MASK_PSEUDONYM, KIND_EMAIL), ETL_BYTES, "abc", "type");
}
END_TEST

START_TEST(a_uuid_is_known_in_any_spelling)
{
	struct mask_rule rule = keyed(MASK_PSEUDONYM, KIND_UUID);
	char *typed = masked(&rule, ETL_UUID, ETL_UUID, "6ba7b810-9dad-11d1-80b4-00c04fd430c8"),
	     *text = masked(&rule, ETL_TEXT, ETL_TEXT, "6BA7B810-9DAD-11D1-80b4-00c04fd430c8");

	ck_assert_uint_eq(strlen(text), 38);
	ck_assert(memcmp(text + 1, typed, 36) == 0 || memcmp(text, typed, 38) == 0);
	free(typed);
	free(text);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("mask");
	TCase *tests = tcase_create("mask");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, integers_of_one_length_are_permuted);
	tcase_add_test(tests, integers_stay_within_their_type);
	tcase_add_test(tests, texts_keep_their_shape);
	tcase_add_test(tests, what_is_made_is_the_same_for_ever);
	tcase_add_test(tests, null_stays_null_and_redact_is_typed);
	tcase_add_test(tests, dates_move_and_nothing_else);
	tcase_add_test(tests, what_a_method_does_not_know_is_refused);
	tcase_add_test(tests, a_uuid_is_known_in_any_spelling);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
