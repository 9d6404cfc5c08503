/* From the columns that come to the columns that are wanted; what does not fit is rejected by name. */
#include "config.h"

#include <check.h>
#include <stdlib.h>

#include "../../core/reshape.h"
#include "lib_batch.h"

/* The fake behind context_reject: it keeps the words. */
struct etl_context {
	struct etl_text words;
	int allowed;
};

int context_reject(struct etl_context *context, const struct etl_reject *reject)
{
	etl_text_addf(&context->words, "%lld %s: %s\n", (long long)reject->row, reject->code, reject->reason);
	return context->allowed-- > 0 ? ETL_OK : ETL_FAILED;
}

/* A source of one batch: three texts and the ordinals 0, 1, 2 … */
struct source {
	struct etl_producer producer;
	const char *const *rows;
	int64_t count, closed;
};

static int source_fill(struct etl_producer *self, struct etl_builder *b)
{
	struct source *s = (struct source *)self;

	for (int64_t i = 0; i < s->count; i++) {
		put_text(&b->columns[0], s->rows[i * 2]);
		put_text(&b->columns[1], s->rows[i * 2 + 1]);
		etl_put_int64(&b->columns[2], i);
	}
	return ETL_FILL_END;
}

static void source_close(struct etl_producer *self)
{
	((struct source *)self)->closed++;
}

static const struct etl_host host = { .batch_rows = 16, .batch_bytes = 1 << 20 };

static void open_source(struct source *s, struct ArrowArrayStream *in)
{
	struct etl_column columns[3] = { column_of("id", "text"), column_of("price", "text"),
					 column_of(ETL_ORDINAL_COLUMN, "bigint") };
	struct ArrowSchema schema = schema_of(columns, 3);

	s->producer = (struct etl_producer){ source_fill, source_close };
	ck_assert(etl_stream_open(in, &host, &schema, &s->producer));
	schema.release(&schema);
}

static struct etl_type_info type_of(const char *name)
{
	struct etl_type_info type;

	ck_assert(etl_type_parse(name, &type, NULL));
	return type;
}

/* All rows of OUT, "a|b|c" and a line each. */
static void drain(struct ArrowArrayStream *out, struct etl_text *text)
{
	struct ArrowSchema schema;
	struct ArrowArray batch;
	struct etl_view *view;

	ck_assert_int_eq(out->get_schema(out, &schema), 0);
	view = etl_view_new(&schema);
	for (;;) {
		ck_assert_int_eq(out->get_next(out, &batch), 0);
		if (!batch.release)
			break;
		ck_assert(etl_view_set(view, &batch));
		for (int64_t row = 0; row < view->rows; row++)
			for (int64_t i = 0; i < view->count; i++) {
				etl_text_add_value(text, &view->columns[i], row);
				etl_text_add(text, i + 1 < view->count ? "|" : "\n");
			}
		batch.release(&batch);
	}
	etl_view_free(view);
	schema.release(&schema);
}

START_TEST(rows_that_do_not_fit_are_rejected_and_left_out)
{
	static const char *const rows[] = { "a", "1.50", "b", "abc", "c", "1.234", "d", "n/a", "e", NULL };
	static const char *const nulls[] = { "n/a" };
	struct reshape_column columns[] = {
		{ .name = "price", .from = 1, .type = type_of("decimal(10,2)"), .null_values = nulls,
		  .null_count = 1 },
		{ .name = "code", .from = 0, .type = type_of("text") },
		{ .name = "again", .from = 0, .type = type_of("text") },
		{ .name = "made", .from = -1, .type = type_of("date"), .value = "2024-02-29" },
		{ .name = "known", .from = 1, .type = type_of("text"), .fallback = "none" },
		{ .name = "empty", .from = -1, .type = type_of("int32") },
	};
	struct source source = { .rows = rows, .count = 5 };
	struct etl_context context = { .allowed = 5 };
	struct etl_text got = { .at = NULL };
	struct ArrowArrayStream in, out;
	struct etl_error err = ERROR_INIT;

	open_source(&source, &in);
	ck_assert_int_eq(reshape_wrap(&in, columns, 6, &context, &out, &err), ETL_OK);
	ck_assert(!in.release);
	drain(&out, &got);
	out.release(&out);
	ck_assert_int_eq(source.closed, 1);
	ck_assert_str_eq(got.at, "1.50|'a'|'a'|2024-02-29|'1.50'|NULL|0\n"
				 "NULL|'d'|'d'|2024-02-29|'n/a'|NULL|3\n"
				 "NULL|'e'|'e'|2024-02-29|'none'|NULL|4\n");
	ck_assert_str_eq(context.words.at,
			 "1 not_a_number: \"abc\" is not a number; column price wants decimal(10,2)\n"
			 "2 too_precise: \"1.234\" has more digits than can be kept; column price wants "
			 "decimal(10,2)\n");
	etl_text_free(&got);
	etl_text_free(&context.words);
	error_clear(&err);
}
END_TEST

START_TEST(columns_that_stay_cross_by_pointer)
{
	static const char *const rows[] = { "a", "1", "b", "2" };
	struct reshape_column columns[] = {
		{ .name = "other", .from = 1, .type = type_of("text") },
		{ .name = "id", .from = 0, .type = type_of("text") },
	};
	struct source source = { .rows = rows, .count = 2 };
	struct etl_context context = { .allowed = 0 };
	struct ArrowArrayStream in, out;
	struct ArrowSchema schema;
	struct ArrowArray batch;
	struct etl_error err = ERROR_INIT;

	open_source(&source, &in);
	ck_assert_int_eq(in.get_schema(&in, &schema), 0);
	ck_assert(!reshape_is_identity(&schema, columns, 2));
	columns[0] = (struct reshape_column){ .name = "id", .from = 0, .type = type_of("text") };
	columns[1] = (struct reshape_column){ .name = "price", .from = 1, .type = type_of("text") };
	ck_assert(reshape_is_identity(&schema, columns, 2));
	schema.release(&schema);
	ck_assert_int_eq(reshape_wrap(&in, columns, 2, &context, &out, &err), ETL_OK);
	ck_assert_int_eq(out.get_next(&out, &batch), 0);
	ck_assert_int_eq(batch.length, 2);
	ck_assert_int_eq(batch.n_children, 3);
	out.release(&out);
	ck_assert_mem_eq(batch.children[1]->buffers[2], "12", 2);
	batch.release(&batch);
}
END_TEST

START_TEST(a_constant_that_does_not_fit_fails_before_any_row)
{
	struct reshape_column column = { .name = "made", .from = -1, .type = type_of("date"), .value = "today" };
	struct source source = { .count = 0 };
	struct etl_context context = { .allowed = 0 };
	struct ArrowArrayStream in, out = { .release = NULL };
	struct etl_error err = ERROR_INIT;

	open_source(&source, &in);
	ck_assert_int_eq(reshape_wrap(&in, &column, 1, &context, &out, &err), ETL_FAILED);
	ck_assert_int_eq(err.klass, ETL_USAGE);
	ck_assert_str_eq(err.message, "the value \"today\" is not a date; column made wants date");
	ck_assert(!out.release);
	ck_assert_int_eq(source.closed, 0);
	in.release(&in);
	error_clear(&err);
}
END_TEST

START_TEST(one_reject_too_many_ends_the_stream)
{
	static const char *const rows[] = { "x", "1", "y", "2" };
	struct reshape_column column = { .name = "id", .from = 0, .type = type_of("int64") };
	struct source source = { .rows = rows, .count = 2 };
	struct etl_context context = { .allowed = 1 };
	struct ArrowArrayStream in, out;
	struct ArrowArray batch = { .release = NULL };
	struct etl_error err = ERROR_INIT;

	open_source(&source, &in);
	ck_assert_int_eq(reshape_wrap(&in, &column, 1, &context, &out, &err), ETL_OK);
	ck_assert_int_ne(out.get_next(&out, &batch), 0);
	ck_assert(!batch.release);
	out.release(&out);
	etl_text_free(&context.words);
	error_clear(&err);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("reshape");
	TCase *tests = tcase_create("reshape");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tests, rows_that_do_not_fit_are_rejected_and_left_out);
	tcase_add_test(tests, columns_that_stay_cross_by_pointer);
	tcase_add_test(tests, a_constant_that_does_not_fit_fails_before_any_row);
	tcase_add_test(tests, one_reject_too_many_ends_the_stream);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
