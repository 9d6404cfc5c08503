/* Batches built and read again, filtered and taken apart column by column. */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib_batch.h"

static int64_t filtered;

static void count_rows(struct etl_context *context, int32_t what, uint64_t rows)
{
	(void)context;
	ck_assert_int_eq(what, ETL_COUNT_FILTERED);
	filtered += (int64_t)rows;
}

static const struct etl_host host = { .batch_rows = 4, .batch_bytes = 1 << 20, .count = count_rows };

static struct ArrowSchema three_columns(void)
{
	struct etl_column columns[3] = { column_of("id", "int64"), column_of("name", "text"),
					 column_of("flag", "bool") };

	return schema_of(columns, 3);
}

static void put_row(struct etl_builder *b, int64_t id, const char *name, bool flag)
{
	etl_put_int64(&b->columns[0], id);
	put_text(&b->columns[1], name);
	etl_put_bool(&b->columns[2], flag);
}

START_TEST(rows_taken_back_leave_no_trace)
{
	struct ArrowSchema schema = three_columns();
	struct etl_builder *b = etl_builder_new(&schema, 16);
	struct etl_view *view = etl_view_new(&schema);
	struct ArrowArray batch;
	int64_t size;

	put_row(b, 1, "one", true);
	put_row(b, 2, "two", true);
	etl_put_int64(&b->columns[0], 3);
	put_text(&b->columns[1], "half a row");
	etl_builder_truncate(b, 1);
	etl_put_null(&b->columns[0]);
	put_text(&b->columns[1], NULL);
	etl_put_bool(&b->columns[2], false);
	ck_assert_int_eq(etl_builder_rows(b), 2);
	ck_assert(etl_builder_finish(b, &batch));
	ck_assert_int_eq(etl_builder_rows(b), 0);
	ck_assert(etl_view_set(view, &batch));
	ck_assert_int_eq(view->rows, 2);
	ck_assert_int_eq(etl_get_int64(&view->columns[0], 0), 1);
	ck_assert(etl_is_null(&view->columns[0], 1));
	ck_assert(etl_is_null(&view->columns[1], 1));
	ck_assert_mem_eq(etl_get_bytes(&view->columns[1], 0, &size), "one", 3);
	ck_assert_int_eq(size, 3);
	ck_assert(etl_get_bool(&view->columns[2], 0));
	ck_assert(!etl_get_bool(&view->columns[2], 1));
	ck_assert_int_eq(batch.children[0]->null_count, 1);
	batch.release(&batch);
	etl_view_free(view);
	etl_builder_free(b);
	schema.release(&schema);
}
END_TEST

START_TEST(a_builder_starts_clean_after_each_batch)
{
	struct ArrowSchema schema = three_columns();
	struct etl_builder *b = etl_builder_new(&schema, 2);
	struct ArrowArray first, second;

	put_row(b, 1, "x", true);
	ck_assert(etl_builder_finish(b, &first));
	etl_put_null(&b->columns[0]);
	etl_put_null(&b->columns[1]);
	etl_put_null(&b->columns[2]);
	ck_assert(etl_builder_finish(b, &second));
	etl_builder_free(b);
	ck_assert_int_eq(((const uint8_t *)second.children[0]->buffers[0])[0], 0);
	ck_assert_int_eq(((const uint8_t *)first.children[0]->buffers[0])[0], 1);
	ck_assert_int_eq(second.children[1]->null_count, 1);
	first.release(&first);
	second.release(&second);
	schema.release(&schema);
}
END_TEST

START_TEST(a_column_moved_out_outlives_its_batch)
{
	struct ArrowSchema schema = three_columns();
	struct etl_builder *b = etl_builder_new(&schema, 2);
	struct ArrowArray batch, name;

	put_row(b, 1, "kept", true);
	ck_assert(etl_builder_finish(b, &batch));
	name = *batch.children[1];
	batch.children[1]->release = NULL;
	batch.release(&batch);
	ck_assert(!batch.release);
	ck_assert_mem_eq(name.buffers[2], "kept", 4);
	name.release(&name);
	etl_builder_free(b);
	schema.release(&schema);
}
END_TEST

START_TEST(bytes_grow_and_end_at_two_gibibytes)
{
	struct etl_column column = column_of("name", "text");
	struct etl_builder *b = builder_of(&column, 1, 200);
	char word[1000];

	memset(word, 'w', sizeof(word));
	for (int i = 0; i < 200; i++)
		ck_assert(etl_put_bytes(&b->columns[0], word, sizeof(word)));
	ck_assert_int_eq(b->columns[0].used, 200000);
	ck_assert_int_ge(etl_builder_bytes(b), 200000);
	ck_assert(!etl_column_grow(&b->columns[0], INT32_MAX));
	ck_assert_int_eq(b->columns[0].used, 200000);
	etl_builder_free(b);
}
END_TEST

START_TEST(a_view_refuses_other_columns_and_heeds_offsets)
{
	struct ArrowSchema schema = three_columns();
	struct etl_builder *b = etl_builder_new(&schema, 4);
	struct etl_view *view = etl_view_new(&schema);
	struct ArrowArray batch;

	put_row(b, 1, "a", false);
	put_row(b, 2, "b", true);
	ck_assert(etl_builder_finish(b, &batch));
	batch.offset = 1;
	ck_assert(!etl_view_set(view, &batch));
	batch.length = 1;
	ck_assert(etl_view_set(view, &batch));
	ck_assert_int_eq(etl_get_int64(&view->columns[0], 0), 2);
	ck_assert(etl_get_bool(&view->columns[2], 0));
	batch.n_children = 2;
	ck_assert(!etl_view_set(view, &batch));
	batch.n_children = 3;
	batch.release(&batch);
	etl_view_free(view);
	etl_builder_free(b);
	schema.release(&schema);
}
END_TEST

/* Counts from 1 to 10, four rows a batch; fails at `fail_at`. */
struct counter {
	struct etl_producer producer;
	int64_t next, fail_at;
	int closed;
};

static int counter_fill(struct etl_producer *self, struct etl_builder *b)
{
	struct counter *c = (struct counter *)self;

	while (!etl_builder_full(b, &host)) {
		if (c->next > 10)
			return ETL_FILL_END;
		if (c->next == c->fail_at)
			return ETL_FAILED;
		put_row(b, c->next, "n", c->next % 2 == 0);
		c->next++;
	}
	return ETL_FILL_MORE;
}

static void counter_close(struct etl_producer *self)
{
	((struct counter *)self)->closed++;
}

static int even_row(struct etl_filter *self, const struct etl_view *view, const struct ArrowSchema *schema,
		    const struct ArrowArray *batch, int64_t row)
{
	(void)self;
	(void)schema;
	(void)batch;
	return etl_get_bool(&view->columns[2], row) ? ETL_ROW_KEEP : ETL_ROW_DROP;
}

static void even_close(struct etl_filter *self)
{
	self->row = NULL;
}

START_TEST(a_filter_keeps_the_chosen_rows_in_order)
{
	struct counter c = { { counter_fill, counter_close }, 1, 0, 0 };
	struct etl_filter even = { even_row, even_close };
	struct ArrowSchema schema = three_columns();
	struct etl_view *view = etl_view_new(&schema);
	struct ArrowArrayStream in, out;
	struct ArrowArray batch;
	int64_t expected = 2;

	filtered = 0;
	ck_assert(etl_stream_open(&in, &host, &schema, &c.producer));
	ck_assert(etl_filter_open(&out, &in, &host, NULL, &even));
	ck_assert(!in.release);
	for (;;) {
		ck_assert_int_eq(out.get_next(&out, &batch), 0);
		if (!batch.release)
			break;
		ck_assert(etl_view_set(view, &batch));
		for (int64_t row = 0; row < view->rows; row++, expected += 2)
			ck_assert_int_eq(etl_get_int64(&view->columns[0], row), expected);
		batch.release(&batch);
	}
	ck_assert_int_eq(expected, 12);
	ck_assert_int_eq(filtered, 5);
	out.release(&out);
	ck_assert_int_eq(c.closed, 1);
	ck_assert(!even.row);
	etl_view_free(view);
	schema.release(&schema);
}
END_TEST

START_TEST(a_failing_producer_ends_the_stream_with_an_error)
{
	struct counter c = { { counter_fill, counter_close }, 1, 6, 0 };
	struct ArrowSchema schema = three_columns();
	struct ArrowArrayStream in;
	struct ArrowArray batch;

	ck_assert(etl_stream_open(&in, &host, &schema, &c.producer));
	ck_assert_int_eq(in.get_next(&in, &batch), 0);
	ck_assert_int_eq(batch.length, 4);
	batch.release(&batch);
	ck_assert_int_eq(in.get_next(&in, &batch), EIO);
	in.release(&in);
	ck_assert_int_eq(c.closed, 1);
	schema.release(&schema);
}
END_TEST

/* Adds up the ids, and refuses to go on after `most` batches. */
struct adder {
	struct etl_consumer consumer;
	int64_t sum, batches, most;
};

static bool add_batch(struct etl_consumer *self, const struct etl_view *view)
{
	struct adder *a = (struct adder *)self;

	for (int64_t row = 0; row < view->rows; row++)
		a->sum += etl_get_int64(&view->columns[0], row);
	return ++a->batches < a->most;
}

static bool pulled(struct adder *adder, int64_t fail_at)
{
	struct counter c = { { counter_fill, counter_close }, 1, fail_at, 0 };
	struct ArrowSchema schema = three_columns();
	struct ArrowArrayStream in;
	bool ok;

	ck_assert(etl_stream_open(&in, &host, &schema, &c.producer));
	ok = etl_stream_pull(&in, &adder->consumer);
	in.release(&in);
	ck_assert_int_eq(c.closed, 1);
	schema.release(&schema);
	return ok;
}

START_TEST(a_consumer_gets_every_batch_until_something_fails)
{
	struct adder all = { { add_batch }, 0, 0, 9 }, broken = all, enough = { { add_batch }, 0, 0, 2 };

	ck_assert(pulled(&all, 0));
	ck_assert_int_eq(all.sum, 55);
	ck_assert_int_eq(all.batches, 3);
	ck_assert(!pulled(&broken, 6));
	ck_assert_int_eq(broken.sum, 10);
	ck_assert(!pulled(&enough, 0));
	ck_assert_int_eq(enough.sum, 36);
}
END_TEST

/* Batches wait in queues: what they have room for and do not use is memory that nobody has. */
START_TEST(a_batch_keeps_no_room_that_it_does_not_use)
{
	struct ArrowSchema schema = three_columns();
	struct etl_builder *b = etl_builder_new(&schema, 1 << 20);
	struct ArrowArray batch;
	static char text[100000];

	memset(text, 'x', sizeof(text) - 1);
	/* The second needs a little more than the first had. */
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 30 + round; i++)
			put_row(b, i, text, i & 1);
		ck_assert(etl_builder_finish(b, &batch));
		for (int64_t i = 0; i < batch.n_children; i++)
			for (int64_t k = 1; k < batch.children[i]->n_buffers; k++) {
				int64_t used = k == 2 ? (int64_t)(30 + round) * (int64_t)(sizeof(text) - 1) : 31 * 8;

				ck_assert_int_lt((int64_t)malloc_usable_size((void *)(uintptr_t)batch.children[i]->buffers[k]),
						 used + (256 << 10));
			}
		ck_assert_int_eq(((const int64_t *)batch.children[0]->buffers[1])[29 + round], 29 + round);
		ck_assert_int_eq(((const int32_t *)batch.children[1]->buffers[1])[30 + round],
				 (30 + round) * (int)(sizeof(text) - 1));
		batch.release(&batch);
	}
	etl_builder_free(b);
	schema.release(&schema);
}
END_TEST

/* Row I of what taken_rows_are_those_that_were_chosen builds. */
static const char *name_of(int64_t i, char *buf, size_t size)
{
	snprintf(buf, size, "%.*s%d", (int)(i % 5), "abcde", (int)i);
	return i % 7 == 3 ? NULL : buf;
}

static void expect_taken(const struct ArrowSchema *schema, const struct ArrowArray *batch, const int64_t *rows, int64_t count)
{
	struct etl_view *view = etl_view_new(schema);
	struct ArrowArray taken;
	const void *bytes;
	char buf[32];
	int64_t size;

	ck_assert(etl_batch_take(&taken, schema, batch, rows, count));
	ck_assert(etl_view_set(view, &taken));
	ck_assert_int_eq(view->rows, count);
	for (int64_t i = 0; i < count; i++) {
		int64_t row = rows[i] + batch->offset;
		const char *name = name_of(row, buf, sizeof(buf));

		ck_assert_int_eq(etl_get_int64(&view->columns[0], i), row);
		ck_assert_int_eq(etl_is_null(&view->columns[1], i), !name);
		bytes = etl_get_bytes(&view->columns[1], i, &size);
		ck_assert_int_eq(size, name ? (int64_t)strlen(name) : 0);
		ck_assert(!name || memcmp(bytes, name, strlen(name)) == 0);
		ck_assert_int_eq(etl_get_bool(&view->columns[2], i), row % 3 == 1);
	}
	taken.release(&taken);
	etl_view_free(view);
}

START_TEST(taken_rows_are_those_that_were_chosen)
{
	static const int64_t all[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19 },
			     gaps[] = { 1, 2, 4, 5, 6, 9, 10, 11, 12, 19 }, backwards[] = { 9, 8, 8, 3, 10, 11, 10 };
	struct ArrowSchema schema = three_columns();
	struct etl_builder *b = etl_builder_new(&schema, 30);
	struct ArrowArray batch;
	char buf[32];

	for (int64_t i = 0; i < 30; i++)
		put_row(b, i, name_of(i, buf, sizeof(buf)), i % 3 == 1);
	ck_assert(etl_builder_finish(b, &batch));
	for (batch.offset = 0; batch.offset < 10; batch.offset++) {
		batch.length = 30 - batch.offset;
		expect_taken(&schema, &batch, all, 20);
		expect_taken(&schema, &batch, gaps, 10);
		expect_taken(&schema, &batch, backwards, 7);
		expect_taken(&schema, &batch, all + 3, 1);
	}
	batch.release(&batch);
	etl_builder_free(b);
	schema.release(&schema);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("lib builder");
	TCase *tests = tcase_create("builder");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tests, rows_taken_back_leave_no_trace);
	tcase_add_test(tests, a_builder_starts_clean_after_each_batch);
	tcase_add_test(tests, a_column_moved_out_outlives_its_batch);
	tcase_add_test(tests, bytes_grow_and_end_at_two_gibibytes);
	tcase_add_test(tests, a_view_refuses_other_columns_and_heeds_offsets);
	tcase_add_test(tests, a_filter_keeps_the_chosen_rows_in_order);
	tcase_add_test(tests, a_failing_producer_ends_the_stream_with_an_error);
	tcase_add_test(tests, a_consumer_gets_every_batch_until_something_fails);
	tcase_add_test(tests, a_batch_keeps_no_room_that_it_does_not_use);
	tcase_add_test(tests, taken_rows_are_those_that_were_chosen);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
