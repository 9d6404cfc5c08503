/* Keys as bytes stand in the order of their values; rows come back as they were; differences come in order. */
#include "config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../core/diff-parts.h"
#include "../../core/diff-row.h"
#include "lib_batch.h"

/* The key bytes of one value. */
static struct etl_text key_of(const char *type, const char *value)
{
	struct etl_column column = column_of("a", type);
	struct ArrowSchema schema = schema_of(&column, 1);
	struct etl_builder *builder = builder_of(&column, 1, 1);
	struct etl_view *view = etl_view_new(&schema);
	struct etl_text key = { .at = NULL };
	struct ArrowArray batch;

	put_text(&builder->columns[0], value);
	ck_assert(etl_builder_finish(builder, &batch));
	ck_assert(etl_view_set(view, &batch));
	diff_key_put(&key, &view->columns[0], 0);
	ck_assert(!key.failed);
	batch.release(&batch);
	etl_view_free(view);
	etl_builder_free(builder);
	schema.release(&schema);
	return key;
}

static int compare_keys(const struct etl_text *a, const struct etl_text *b)
{
	int order = memcmp(a->at, b->at, a->length < b->length ? a->length : b->length);

	return order ? order : (a->length > b->length) - (a->length < b->length);
}

/* Each value is less than the next. */
static void ascending(const char *type, const char *const *values, size_t count)
{
	for (size_t i = 0; i + 1 < count; i++) {
		struct etl_text a = key_of(type, values[i]), b = key_of(type, values[i + 1]);

		ck_assert_msg(compare_keys(&a, &b) < 0, "%s: %s is not before %s", type,
			      values[i] ? values[i] : "NULL", values[i + 1]);
		etl_text_free(&a);
		etl_text_free(&b);
	}
}

#define ASCENDING(type, ...)                                                              \
	ascending(type, (const char *const[]){ NULL, __VA_ARGS__ },                       \
		  sizeof((const char *const[]){ NULL, __VA_ARGS__ }) / sizeof(const char *))

START_TEST(keys_stand_in_order)
{
	ASCENDING("int64", "-9223372036854775808", "-2", "-1", "0", "1", "255", "256", "9223372036854775807");
	ASCENDING("int16", "-32768", "-1", "0", "1", "32767");
	ASCENDING("float64", "-Infinity", "-1e300", "-1.5", "-1e-300", "0", "1e-300", "1", "1.5", "Infinity", "NaN");
	ASCENDING("float32", "-1.5", "0", "0.5");
	ASCENDING("decimal(10,2)", "-12.50", "-12.40", "-1.99", "-0.01", "0", "0.01", "0.10", "0.99", "1", "9.99", "10", "100.01");
	ASCENDING("numeric", "-1e30", "-10", "-9.5", "-0.001", "0", "0.001", "0.0011", "9.5", "10", "1e30");
	ASCENDING("text", "", "A", "a", "aa", "ab", "b", "é");
	ASCENDING("date", "0001-01-01", "1969-12-31", "1970-01-01", "2024-02-29");
	ASCENDING("uuid", "00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000100",
		  "ffffffff-0000-0000-0000-000000000000");
	ASCENDING("bool", "false", "true");
}
END_TEST

static void same(const char *type_a, const char *a, const char *type_b, const char *b)
{
	struct etl_text x = key_of(type_a, a), y = key_of(type_b, b);

	ck_assert_msg(compare_keys(&x, &y) == 0, "%s %s is not %s %s", type_a, a, type_b, b);
	etl_text_free(&x);
	etl_text_free(&y);
}

START_TEST(equal_values_are_one_key)
{
	same("int16", "5", "int64", "5");
	same("float64", "-0.0", "float64", "0");
	same("float32", "0.5", "float64", "0.5");
	same("decimal(10,2)", "1.50", "numeric", "1.5");
	same("decimal(10,2)", "-0.00", "numeric", "0");
	same("numeric", "1e2", "decimal(5,0)", "100");
}
END_TEST

/* Every edge value of every type, as bytes and as a row again. */
START_TEST(rows_come_back)
{
	static const char *const types[] = { "bool",	"int16", "int32", "int64", "float32", "float64", "decimal(38,10)",
					     "numeric", "text",	 "bytes", "date",  "time",    "timestamp", "instant",
					     "uuid",	"json",	 "decimal(3,0)", "decimal(1,1)" };
	enum { COLUMNS = sizeof(types) / sizeof(*types) };
	struct etl_column columns[COLUMNS];
	struct ArrowSchema schema;
	struct ArrowArray batch, again;
	struct etl_builder *builder;
	struct etl_view *view, *other;

	for (size_t i = 0; i < COLUMNS; i++)
		columns[i] = column_of(types[i], types[i]);
	schema = schema_of(columns, COLUMNS);
	builder = builder_of(columns, COLUMNS, 100);
	view = etl_view_new(&schema);
	other = etl_view_new(&schema);
	ck_assert(diff_edges(&schema, &batch));
	ck_assert(etl_view_set(view, &batch));
	ck_assert_int_eq(batch.length, 40);
	for (int64_t row = 0; row < batch.length; row++) {
		struct etl_text bytes = { .at = NULL };

		diff_row_put(&bytes, view, row);
		ck_assert(!bytes.failed && diff_row_get(builder, bytes.at));
		etl_text_free(&bytes);
	}
	ck_assert(etl_builder_finish(builder, &again));
	ck_assert(etl_view_set(other, &again));
	for (int32_t hash = ETL_HASH_X1; hash <= ETL_HASH_P1; hash++) {
		struct canon *canon = canon_new(&schema, NULL, 0, hash);
		uint64_t a[100], b[100];

		ck_assert(canon_batch(canon, &batch, a, NULL) && canon_batch(canon, &again, b, NULL));
		ck_assert_mem_eq(a, b, (size_t)batch.length * sizeof(*a));
		canon_free(canon);
	}
	batch.release(&batch);
	again.release(&again);
	etl_view_free(view);
	etl_view_free(other);
	etl_builder_free(builder);
	schema.release(&schema);
}
END_TEST

/* In memory, and in runs of a file: in order, with what was added, and again. */
static void spool(size_t memory)
{
	struct etl_error err = ERROR_INIT;
	struct diff_spool *s = diff_spool_new(memory);
	struct diff_found found;

	for (int i = 0; i < 1000; i++) {
		char key[32], row[300];

		snprintf(key, sizeof(key), "%04d", i * 7 % 1000);
		memset(row, 'a' + i % 26, sizeof(row));
		found = (struct diff_found){ .kind = i % 3, .key = key, .key_size = 4, .source = i % 3 == DIFF_DELETED ? NULL : row,
					     .source_size = i % 3 == DIFF_DELETED ? 0 : (uint32_t)(i % 300),
					     .target = i % 3 == DIFF_NEW ? NULL : row, .target_size = i % 3 == DIFF_NEW ? 0 : 1 };
		ck_assert_int_eq(diff_spool_add(s, &found, &err), 0);
	}
	ck_assert_int_eq(diff_spool_rest(s, &err), 0);
	for (int walk = 0; walk < 2; walk++) {
		int count = 0;

		ck_assert_int_eq(diff_spool_rewind(s, &err), 0);
		while (diff_spool_next(s, &found, &err) > 0) {
			char key[32];
			int i = count * 143 % 1000; /* 7 × 143 is 1 modulo 1000 */

			snprintf(key, sizeof(key), "%04d", count);
			ck_assert_mem_eq(found.key, key, 4);
			ck_assert_int_eq(found.kind, i % 3);
			ck_assert((found.source == NULL) == (i % 3 == DIFF_DELETED));
			ck_assert((found.target == NULL) == (i % 3 == DIFF_NEW));
			if (found.source && found.source_size) {
				ck_assert_int_eq(found.source_size, i % 300);
				ck_assert_int_eq(((const char *)found.source)[found.source_size - 1], 'a' + i % 26);
			}
			count++;
		}
		ck_assert_int_eq(count, 1000);
	}
	ck_assert(!err.set);
	diff_spool_free(s);
}

START_TEST(differences_come_in_order)
{
	spool(1 << 30);
	spool(10000);
	spool(1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("diff");
	TCase *tests = tcase_create("all");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tests, keys_stand_in_order);
	tcase_add_test(tests, equal_values_are_one_key);
	tcase_add_test(tests, rows_come_back);
	tcase_add_test(tests, differences_come_in_order);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
