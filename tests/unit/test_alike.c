/*
 * Values of a key that a target takes for one: here one that ignores the case of A to Z. Which rows are found, how many, which two
 * are named, and that it is the same when the hashes do not fit into memory.
 */
#include "config.h"

#include <check.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../core/alike.h"
#include "lib_batch.h"

#define AMPLE (1 << 20)
#define SCANT 1

static struct etl_error err = ERROR_INIT;
static const char *const *values; /* two a row: the text, the number */
static int64_t value_rows;

static int without_case(int32_t compares, const void *value, size_t size, struct etl_form_sink *sink)
{
	const char *text = value;

	ck_assert_int_eq(compares, 7);
	for (size_t i = 0; i < size; i++) {
		char c = (char)tolower((unsigned char)text[i]);

		if (sink->emit(sink, &c, 1) < 0)
			return ETL_FAILED;
	}
	return 0;
}

static struct etl_column columns[2];

static struct ArrowArray batch_of_rows(int64_t first, int64_t end)
{
	struct etl_builder *builder = builder_of(columns, 2, end - first + 1);
	struct ArrowArray batch;

	for (int64_t row = first; row < end; row++) {
		put_text(&builder->columns[0], values[2 * row]);
		put_text(&builder->columns[1], values[2 * row + 1]);
	}
	ck_assert(etl_builder_finish(builder, &batch));
	etl_builder_free(builder);
	return batch;
}

typedef int adding(struct alike *, const struct ArrowArray *, struct etl_error *);

/* In batches of two rows. */
static void add_all(struct alike *a, adding *add)
{
	for (int64_t row = 0; row < value_rows; row += 2) {
		struct ArrowArray batch = batch_of_rows(row, row + 2 < value_rows ? row + 2 : value_rows);

		ck_assert_int_eq(add(a, &batch, &err), 0);
		batch.release(&batch);
	}
}

/* COLUMN_COUNT 1: the text alone is the key. SAME as etl_target.same gives it, or NULL. */
static struct alike_found found_in(size_t column_count, bool nulls_equal, size_t memory, const int64_t *same)
{
	static const int64_t at[] = { 0, 1 };
	static const int32_t compares[] = { 7, 0 };
	const struct alike_key key = { at, compares, column_count, nulls_equal };
	struct ArrowSchema schema, shown;
	struct ArrowArray rows;
	struct alike_found found = { .rows = 0 };
	struct alike *a;
	bool any;

	columns[0] = column_of("word", "text");
	columns[1] = column_of("n", "int");
	schema = schema_of(columns, 2);
	a = alike_new(&schema, &key, without_case, memory);
	ck_assert_ptr_nonnull(a);
	add_all(a, alike_add);
	ck_assert_int_eq(alike_close(a, &any, &err), 0);
	if (any) {
		add_all(a, alike_add_again);
		ck_assert_int_eq(alike_candidates(a, &shown, &rows, &err), 0);
		ck_assert_int_eq(alike_settle(a, &shown, &rows, same, &found, &err), 0);
		rows.release(&rows);
		shown.release(&shown);
	}
	alike_free(a);
	schema.release(&schema);
	return found;
}

static void expect(struct alike_found found, uint64_t rows, uint64_t keys, const char *first, const char *second)
{
	ck_assert_uint_eq(found.rows, rows);
	ck_assert_uint_eq(found.keys, keys);
	ck_assert(!found.at_most);
	if (first) {
		ck_assert_str_eq(found.first.at, first);
		ck_assert_str_eq(found.second.at, second);
	} else {
		ck_assert_ptr_null(found.first.at);
	}
	etl_text_free(&found.first);
	etl_text_free(&found.second);
}

#define GIVEN(...)                                                     \
	static const char *const given[] = { __VA_ARGS__ };            \
	values = given;                                                \
	value_rows = (int64_t)(sizeof(given) / sizeof(*given) / 2)

/* Three of "a", and two of "c", of which one is a NULL's neighbour; the second "b" is no other value than the first. */
START_TEST(some)
{
	GIVEN("c", "1", "a", "2", "b", "3", "b", "4", "A", "5", NULL, "6", "C", "7", "a", "8", NULL, "9");
	expect(found_in(1, false, AMPLE, NULL), 3, 2, "\"c\"", "\"C\"");
	expect(found_in(1, false, SCANT, NULL), 3, 2, "\"c\"", "\"C\"");
}
END_TEST

START_TEST(none)
{
	GIVEN("a", "1", "b", "2", "a", "3", NULL, "4", NULL, "5");
	expect(found_in(1, false, AMPLE, NULL), 0, 0, NULL, NULL);
}
END_TEST

/* Of two columns both have to meet, and what moves from one value to the next does not. */
START_TEST(of_two_columns)
{
	GIVEN("a", "1", "A", "2", "x", "3", "X", "3", "y", NULL, "Y", NULL);
	expect(found_in(2, false, AMPLE, NULL), 1, 1, "(\"x\", 3)", "(\"X\", 3)");
	expect(found_in(2, true, AMPLE, NULL), 2, 2, "(\"x\", 3)", "(\"X\", 3)");
}
END_TEST

/* The target is asked about a, A, b, B, c, C (rows 0 to 5 of the candidates) and tells b from B; its word counts. */
START_TEST(as_the_target_says)
{
	static const int64_t all[] = { 0, 0, 2, 2, 4, 4 }, some_of_them[] = { 0, 1, 2, 2, 4, 4 }, no[] = { 0, 1, 2, 3, 4, 5 };

	GIVEN("a", "1", "A", "2", "b", "3", "B", "4", "c", "5", "C", "6", "d", "7");
	expect(found_in(1, false, AMPLE, all), 3, 3, "\"a\"", "\"A\"");
	expect(found_in(1, false, AMPLE, some_of_them), 2, 2, "\"b\"", "\"B\"");
	expect(found_in(1, false, AMPLE, no), 0, 0, NULL, NULL);
}
END_TEST

/* Of a group of four two and two are one, rows of one value counting as often as they come. */
START_TEST(two_in_a_group)
{
	static const int64_t same[] = { 0, 1, 0, 1 };

	GIVEN("ab", "1", "Ab", "2", "aB", "3", "AB", "4", "AB", "5");
	expect(found_in(1, false, AMPLE, same), 3, 2, "\"ab\"", "\"aB\"");
}
END_TEST

/* An answer that makes no sense makes nothing one. */
START_TEST(nonsense)
{
	static const int64_t same[] = { 3, -1, 0, 0 };

	GIVEN("a", "1", "A", "2", "b", "3", "B", "4");
	expect(found_in(1, false, AMPLE, same), 0, 0, NULL, NULL);
}
END_TEST

#define MANY 1000

/* A thousand pairs: of 256 it is known which they are, the others count as what they may be. */
START_TEST(many)
{
	static char texts[2 * MANY][8];
	static const char *given[4 * MANY];
	struct alike_found found;

	for (int i = 0; i < 2 * MANY; i++) {
		snprintf(texts[i], sizeof(texts[i]), "%c%d", i % 2 ? 'k' : 'K', i / 2);
		given[2 * i] = texts[i];
		given[2 * i + 1] = "1";
	}
	values = given;
	value_rows = 2 * MANY;
	for (int scant = 0; scant < 2; scant++) {
		found = found_in(1, false, scant ? SCANT : AMPLE, NULL);
		ck_assert_uint_eq(found.rows, MANY);
		ck_assert_uint_eq(found.keys, MANY);
		ck_assert(found.at_most);
		etl_text_free(&found.first);
		etl_text_free(&found.second);
	}
}
END_TEST

/* The ends of a long value are shown, by whole characters. */
START_TEST(shown)
{
	static char text[402], other[402];
	struct alike_found found;

	for (int i = 0; i < 400; i += 2)
		memcpy(text + i, "é", 2);
	memcpy(other, text, 400);
	text[400] = 'x';
	other[400] = 'X';
	{
		const char *given[] = { text, "1", other, "2" };

		values = given;
		value_rows = 2;
		found = found_in(1, false, AMPLE, NULL);
	}
	ck_assert_uint_eq(found.first.length, 1 + 70 + 3 + 39 + 1);
	ck_assert_uint_eq(etl_utf8_valid(found.first.at, found.first.length), found.first.length);
	ck_assert_str_eq(found.first.at + found.first.length - 4, "éx\"");
	ck_assert_str_eq(found.second.at + found.second.length - 4, "éX\"");
	etl_text_free(&found.first);
	etl_text_free(&found.second);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("alike");
	TCase *tcase = tcase_create("keys");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, some);
	tcase_add_test(tcase, none);
	tcase_add_test(tcase, of_two_columns);
	tcase_add_test(tcase, as_the_target_says);
	tcase_add_test(tcase, two_in_a_group);
	tcase_add_test(tcase, nonsense);
	tcase_add_test(tcase, many);
	tcase_add_test(tcase, shown);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
