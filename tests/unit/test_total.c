/*
 * Totals: sums that neither overflow nor round, extremes of every type, parts that are put together in any order, and what
 * a store says, spelled as the host does.
 */
#include "config.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>

#include "../../core/total.h"

/* One column of texts as they would be written, NULL for NULL, in batches of PART rows, each with totals of its own, which
 * are merged at the end. */
static struct total_words add_up(struct etl_column column, const char *const *texts, size_t count, size_t part)
{
	struct total_words words;
	struct ArrowSchema schema;
	struct totals *all;

	column.name = "v";
	ck_assert(etl_schema_make(&schema, &column, 1, sizeof(column)));
	all = totals_new(&schema);
	ck_assert_ptr_nonnull(all);
	for (size_t first = 0; first < count; first += part) {
		struct etl_builder *builder = etl_builder_new(&schema, (int64_t)part);
		struct totals *some = totals_new(&schema);
		struct ArrowArray batch;

		for (size_t i = first; i < count && i < first + part; i++) {
			if (!texts[i])
				etl_put_null(&builder->columns[0]);
			else
				ck_assert_ptr_null(etl_convert_text(&builder->columns[0], texts[i], strlen(texts[i])));
		}
		ck_assert(etl_builder_finish(builder, &batch));
		totals_batch(some, &batch);
		totals_merge(all, some);
		totals_free(some);
		batch.release(&batch);
		etl_builder_free(builder);
	}
	ck_assert(!all->failed);
	ck_assert(total_spell(&all->at[0], &words));
	totals_free(all);
	schema.release(&schema);
	return words;
}

static void same(const char *is, const char *wanted)
{
	if (wanted)
		ck_assert_str_eq(is ? is : "(none)", wanted);
	else
		ck_assert_ptr_null(is);
}

static void clear(struct total_words *words)
{
	free(words->least);
	free(words->greatest);
	free(words->sum);
}

/* In one piece, and in pieces of one, two and three rows. */
static void expect(struct etl_column column, const char *const *texts, size_t count, int64_t nulls, const char *least,
		   const char *greatest, const char *sum)
{
	for (size_t part = 1; part <= 4; part++) {
		struct total_words words = add_up(column, texts, count, part == 4 ? count + 1 : part);

		ck_assert_int_eq(words.total.nulls, nulls);
		same(words.total.least, least);
		same(words.total.greatest, greatest);
		same(words.total.sum, sum);
		clear(&words);
	}
}

#define EXPECT(column, nulls, least, greatest, sum, ...)                                                \
	do {                                                                                            \
		static const char *const texts[] = { __VA_ARGS__ };                                     \
		expect((struct etl_column)column, texts, sizeof(texts) / sizeof(*texts), nulls, least, greatest, sum); \
	} while (0)
#define TYPE(t)	      { .type = (t) }
#define DECIMAL(p, s) { .type = ETL_DECIMAL, .precision = (p), .scale = (s) }

#define NINES38 "99999999999999999999999999999999999999"

START_TEST(integers_do_not_overflow)
{
	EXPECT(TYPE(ETL_INT64), 1, "-9223372036854775808", "9223372036854775807", "9223372036854775806",
	       "9223372036854775807", "9223372036854775807", NULL, "-9223372036854775808");
	EXPECT(TYPE(ETL_INT64), 0, "9223372036854775807", "9223372036854775807", "27670116110564327421",
	       "9223372036854775807", "9223372036854775807", "9223372036854775807");
	EXPECT(TYPE(ETL_INT16), 0, "-32768", "32767", "-1", "-32768", "32767");
	EXPECT(TYPE(ETL_INT32), 0, "0", "0", "0", "0");
	EXPECT(TYPE(ETL_INT32), 2, NULL, NULL, NULL, NULL, NULL);
}
END_TEST

/* 38 digits fill 127 bits: two of them are more than 128 hold. */
START_TEST(decimals_do_not_overflow)
{
	EXPECT(DECIMAL(38, 0), 0, NINES38, NINES38, "399999999999999999999999999999999999996", NINES38, NINES38, NINES38,
	       NINES38);
	EXPECT(DECIMAL(38, 0), 0, "-" NINES38, "-" NINES38, "-299999999999999999999999999999999999997", "-" NINES38,
	       "-" NINES38, "-" NINES38);
	EXPECT(DECIMAL(38, 38), 0, "-0." NINES38, "0." NINES38, "0." NINES38, "0." NINES38, "-0." NINES38, "0." NINES38);
	EXPECT(DECIMAL(38, 37), 0, "9.9999999999999999999999999999999999999", "9.9999999999999999999999999999999999999",
	       "29.9999999999999999999999999999999999997", "9.9999999999999999999999999999999999999",
	       "9.9999999999999999999999999999999999999", "9.9999999999999999999999999999999999999");
	EXPECT(DECIMAL(10, 2), 1, "-1.1", "0.3", "-0.8", "0.30", NULL, "-1.10", "0");
	EXPECT(DECIMAL(10, 2), 0, "10", "20", "30", "10.00", "20");
}
END_TEST

START_TEST(numerics_of_any_size)
{
	EXPECT(TYPE(ETL_NUMERIC), 0, "-0.000000000000000000000000000000000000000000000001",
	       "100000000000000000000000000000000000000000000000000000000000",
	       "99999999999999999999999999999999999999999999999999999999999.999999999999999999999999999999999999999999999999",
	       "100000000000000000000000000000000000000000000000000000000000",
	       "-0.000000000000000000000000000000000000000000000001");
	EXPECT(TYPE(ETL_NUMERIC), 1, "0.1", "0.3", "0.6", "0.1", "0.20", "0.300", NULL);
	EXPECT(TYPE(ETL_NUMERIC), 0, "-2", "2", "0", "2.0", "-2.00", "0", "-0.0");
	/* Carried through limbs of nine digits, and borrowed back. */
	EXPECT(TYPE(ETL_NUMERIC), 0, "0.000000001", "999999999999999999.999999999", "1000000000000000000",
	       "999999999999999999.999999999", "0.000000001");
	EXPECT(TYPE(ETL_NUMERIC), 0, "-0.000000001", "1000000000000000000", "999999999999999999.999999999",
	       "1000000000000000000", "-0.000000001");
}
END_TEST

/* What no decimal is comes from servers only (a NaN in a numeric). */
START_TEST(numerics_that_are_none)
{
	struct exact_sum sum = { 0 }, other = { 0 };
	struct etl_text text = { 0 };

	exact_sum_add_text(&sum, "1.5", 3);
	exact_sum_add_text(&other, "Infinity", 8);
	exact_sum_merge(&sum, &other);
	exact_sum_spell(&sum, &text);
	ck_assert_str_eq(text.at, "Infinity");
	exact_sum_add_text(&sum, "-Infinity", 9);
	text.length = 0;
	exact_sum_spell(&sum, &text);
	ck_assert_str_eq(text.at, "NaN");
	exact_sum_add_text(&sum, "twelve", 6);
	exact_sum_spell(&sum, &text);
	ck_assert(text.failed);
	etl_text_free(&text);
	exact_sum_free(&sum);
	exact_sum_free(&other);
}
END_TEST

/* Their sum is that of their bits. */
START_TEST(reals_by_their_bits)
{
	EXPECT(TYPE(ETL_FLOAT64), 0, "-Infinity", "NaN", "13826050856027422720", "1.5", "NaN", "-Infinity");
	EXPECT(TYPE(ETL_FLOAT64), 0, "NaN", "NaN", "9221120237041090560", "NaN");
	EXPECT(TYPE(ETL_FLOAT64), 0, "0", "0", "0", "-0.0", "0");
	EXPECT(TYPE(ETL_FLOAT64), 1, "4.94065645841247e-324", "1.7976931348623157e+308", "9218868437227405312", "5e-324", "1.7976931348623157e308", NULL);
	EXPECT(TYPE(ETL_FLOAT64), 1, NULL, NULL, NULL, NULL);
	/* The last bit of one of them counts. */
	EXPECT(TYPE(ETL_FLOAT64), 0, "-1", "0.1", "-24319437987800678", "-1", "0.1");
	EXPECT(TYPE(ETL_FLOAT64), 0, "-1", "0.10000000000000002", "-24319437987800677", "0.10000000000000002", "-1");
	EXPECT(TYPE(ETL_FLOAT32), 0, "0.1", "3.4028235e+38", "9775513350740901888", "0.1", "3.4028235e38");
}
END_TEST

START_TEST(days_and_hours)
{
	EXPECT(TYPE(ETL_DATE), 1, "1601-01-01", "9999-12-31", NULL, "9999-12-31", NULL, "1601-01-01");
	EXPECT(TYPE(ETL_TIME), 0, "00:00:00", "23:59:59.999999", NULL, "23:59:59.999999", "00:00:00");
	EXPECT(TYPE(ETL_TIMESTAMP), 0, "1600-12-31 23:59:59.5", "2024-02-29 00:00:00", NULL, "2024-02-29 00:00:00",
	       "1600-12-31 23:59:59.5");
	EXPECT(TYPE(ETL_INSTANT), 0, "2024-02-29 10:00:00Z", "2024-02-29 11:00:00Z", NULL, "2024-02-29 13:00:00+02:00",
	       "2024-02-29 10:00:00Z");
	EXPECT(TYPE(ETL_BOOL), 0, "false", "true", NULL, "true", "false");
	EXPECT(TYPE(ETL_UUID), 1, NULL, NULL, NULL, "00000000-0000-0000-0000-000000000001", NULL);
}
END_TEST

START_TEST(lengths_in_both_ways_of_counting)
{
	static const char *const texts[] = { "añ😀", NULL, "é", "abc" };
	const struct etl_column text = { .type = ETL_TEXT }, bytes = { .type = ETL_BYTES };
	struct total_words words = add_up(text, texts, 4, 2);

	ck_assert_int_eq(words.total.shortest, 2);
	ck_assert_int_eq(words.total.longest, 7);
	ck_assert_int_eq(words.total.shortest_utf16, 1);
	ck_assert_int_eq(words.total.longest_utf16, 4);
	same(words.total.least, NULL);
	clear(&words);
	words = add_up(bytes, texts + 2, 2, 1);
	ck_assert_int_eq(words.total.shortest, 2);
	ck_assert_int_eq(words.total.longest, 3);
	ck_assert_int_eq(words.total.longest_utf16, ETL_UNKNOWN);
	clear(&words);
	words = add_up(text, texts + 1, 1, 1);
	ck_assert_int_eq(words.total.longest, ETL_UNKNOWN);
	clear(&words);
}
END_TEST

/* Values of several types in a column: whole numbers and reals stand in one order, and in one sum. */
START_TEST(any_value)
{
	static const struct {
		char tag;
		int64_t whole;
		double real;
	} values[] = { { ETL_ANY_INT, 9007199254740993, 0 },
		       { ETL_ANY_REAL, 0, 9007199254740992.0 },
		       { ETL_ANY_REAL, 0, -0.5 },
		       { ETL_ANY_INT, 0, 0 } };
	const struct etl_column column = { .name = "v", .type = ETL_ANY };
	struct ArrowSchema schema;
	struct ArrowArray batch;
	struct etl_builder *builder;
	struct total_words words;
	struct totals *totals;

	ck_assert(etl_schema_make(&schema, &column, 1, sizeof(column)));
	builder = etl_builder_new(&schema, 8);
	totals = totals_new(&schema);
	for (size_t i = 0; i < 4; i++)
		etl_put_any(&builder->columns[0], values[i].tag,
			    values[i].tag == ETL_ANY_INT ? (const void *)&values[i].whole : &values[i].real, 8);
	etl_put_any(&builder->columns[0], ETL_ANY_TEXT, "longer", 6);
	etl_put_null(&builder->columns[0]);
	ck_assert(etl_builder_finish(builder, &batch));
	totals_batch(totals, &batch);
	ck_assert(total_spell(&totals->at[0], &words));
	ck_assert_int_eq(words.total.nulls, 1);
	same(words.total.least, "-0.5");
	same(words.total.greatest, "9007199254740993");
	same(words.total.sum, "234187180623265793");
	ck_assert_int_eq(words.total.longest, 6);
	clear(&words);
	batch.release(&batch);
	totals_free(totals);
	etl_builder_free(builder);
	schema.release(&schema);
}
END_TEST

static void respelt(int32_t type, const char *said, const char *wanted)
{
	const struct etl_type_info info = { .type = type, .precision = 10, .scale = 2 };
	const struct etl_total total = { .least = said, .nulls = 3, .longest = 7 };
	struct total_words words;
	const char *code = total_respell(info, &total, &words);

	ck_assert_msg(!code == !!wanted, "%s: %s", said, code ? code : "taken");
	if (wanted)
		same(words.total.least, wanted);
	ck_assert_int_eq(words.total.nulls, 3);
	ck_assert_int_eq(words.total.longest, 7);
	clear(&words);
}

START_TEST(what_a_store_says)
{
	respelt(ETL_INT32, "0012", "12");
	respelt(ETL_DECIMAL, "12.50", "12.5");
	respelt(ETL_DECIMAL, "-0.00", "0");
	respelt(ETL_NUMERIC, "1e3", "1000");
	respelt(ETL_NUMERIC, "NaN", "NaN");
	respelt(ETL_FLOAT64, "1.0000000000000000e-01", "0.1");
	respelt(ETL_FLOAT64, "0.10000000000000001", "0.1");
	respelt(ETL_FLOAT64, "-0", "0");
	respelt(ETL_BOOL, "1", "true");
	respelt(ETL_TIMESTAMP, "2024-02-29T13:00:00.5000000", "2024-02-29 13:00:00.5");
	respelt(ETL_INSTANT, "2024-02-29 13:00:00.5+00", "2024-02-29 13:00:00.5Z");
	respelt(ETL_DATE, "0044-03-15 BC", NULL);
	respelt(ETL_DATE, "infinity", NULL);
	respelt(ETL_INT32, "twelve", NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("total");
	TCase *tests = tcase_create("total");
	SRunner *runner;
	int failed;

	tcase_add_test(tests, integers_do_not_overflow);
	tcase_add_test(tests, decimals_do_not_overflow);
	tcase_add_test(tests, numerics_of_any_size);
	tcase_add_test(tests, numerics_that_are_none);
	tcase_add_test(tests, reals_by_their_bits);
	tcase_add_test(tests, days_and_hours);
	tcase_add_test(tests, lengths_in_both_ways_of_counting);
	tcase_add_test(tests, any_value);
	tcase_add_test(tests, what_a_store_says);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
