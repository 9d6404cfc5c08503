/*
 * What the bytes of a batch are, by which progress, limits and the report count; and a column that comes and goes
 * behind the others.
 */
#include "config.h"

#include <check.h>
#include <stdlib.h>

#include "../../core/batch.h"
#include "lib_batch.h"

static const struct {
	const char *type, *text;
	int64_t bytes;
} values[] = {
	{ "bool", "true", 1 },
	{ "int16", "1", 2 },
	{ "int32", "1", 4 },
	{ "int64", "1", 8 },
	{ "float32", "0.5", 4 },
	{ "float64", "0.5", 8 },
	{ "date", "2024-02-29", 4 },
	{ "time", "12:30", 8 },
	{ "timestamp", "2024-02-29", 8 },
	{ "decimal(10,2)", "1.50", 16 },
	{ "uuid", "00112233-4455-6677-8899-aabbccddeeff", 16 },
	{ "text", "", 0 },
	{ "text", "abc", 3 },
	{ "bytes", "abcde", 5 },
	{ "numeric", "1.25", 4 },
};

/* Three rows of the value. */
static void fill(const struct etl_column *column, const char *text, struct ArrowArray *ret)
{
	struct etl_builder *builder = builder_of(column, 1, 3);

	for (int i = 0; i < 3; i++)
		put_text(&builder->columns[0], text);
	ck_assert(etl_builder_finish(builder, ret));
	etl_builder_free(builder);
}

START_TEST(bytes_of_values)
{
	struct etl_column column = column_of("a", values[_i].type);
	struct ArrowSchema schema = schema_of(&column, 1);
	struct ArrowArray batch, *child;

	fill(&column, values[_i].text, &batch);
	child = batch.children[0];
	ck_assert_int_eq(batch_bytes(&schema, &batch), 3 * values[_i].bytes);
	/* A slice of it. */
	child->offset++;
	child->length = 1;
	ck_assert_int_eq(batch_bytes(&schema, &batch), values[_i].bytes);
	child->length = 0;
	ck_assert_int_eq(batch_bytes(&schema, &batch), 0);
	/* A column that the schema does not know, the host's own, counts for nothing. */
	schema.n_children--;
	child->length = 1;
	ck_assert_int_eq(batch_bytes(&schema, &batch), 0);
	schema.n_children++;
	child->offset--;
	child->length = 3;
	batch.release(&batch);
	schema.release(&schema);
}
END_TEST

/* Rows that were refused before have ordinals too: they are passed over. */
START_TEST(a_column_that_comes_and_goes)
{
	static const int64_t gone[] = { 7, 8, 10 };
	struct etl_column column = column_of("a", "text");
	struct ArrowArray batch, ordinals, back;
	int64_t next = 7;
	size_t gone_at = 0;

	fill(&column, "abc", &batch);
	ck_assert(batch_count(&ordinals, 3, &next, gone, 3, &gone_at));
	ck_assert_int_eq(next, 13);
	ck_assert(batch_append(&batch, &ordinals));
	ck_assert(!ordinals.release);
	ck_assert_int_eq(batch.n_children, 2);
	ck_assert(batch_detach(&batch, &back));
	ck_assert_int_eq(batch.n_children, 1);
	ck_assert_int_eq(batch_int64(&back)[0], 9);
	ck_assert_int_eq(batch_int64(&back)[1], 11);
	ck_assert_int_eq(batch_int64(&back)[2], 12);
	back.release(&back);
	batch.release(&batch);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("batch");
	TCase *tests = tcase_create("batch");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(tests, bytes_of_values, 0, (int)(sizeof(values) / sizeof(*values)));
	tcase_add_test(tests, a_column_that_comes_and_goes);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
