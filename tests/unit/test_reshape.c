/* From the columns that come to the columns that are wanted; what does not fit is rejected by name. */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* ---- Streams that are not as they should be ---- */

/* A stream of given batches, that fails with CODE where they end, or already when asked for its schema. */
struct given {
	struct ArrowSchema schema;
	struct ArrowArray *batch; /* taken; or NULL */
	const char *words;
	int code, schema_code;
};

static int given_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out)
{
	struct given *g = stream->private_data;

	return g->schema_code ? g->schema_code : etl_schema_copy(out, &g->schema) ? 0 : ENOMEM;
}

static int given_next(struct ArrowArrayStream *stream, struct ArrowArray *out)
{
	struct given *g = stream->private_data;

	out->release = NULL;
	if (!g->batch)
		return g->code;
	*out = *g->batch;
	g->batch = NULL;
	return 0;
}

static const char *given_words(struct ArrowArrayStream *stream)
{
	return ((struct given *)stream->private_data)->words;
}

static void given_release(struct ArrowArrayStream *stream)
{
	stream->release = NULL;
}

static struct ArrowArrayStream stream_of(struct given *g)
{
	return (struct ArrowArrayStream){ given_schema, given_next, given_words, given_release, g };
}

static struct given numbers(struct ArrowArray *batch)
{
	struct etl_column columns[] = { column_of("n", "int64"), column_of("m", "any"), column_of("b", "blob") };
	struct given g = { .schema = schema_of(columns, 3), .batch = batch };
	struct etl_builder *b = builder_of(columns, 3, 8);
	double real = 0.5;

	for (int64_t i = 0; i < 4; i++) {
		etl_put_int64(&b->columns[0], i * 1000);
		ck_assert(i == 0 ? etl_put_any(&b->columns[1], ETL_ANY_REAL, &real, 8) :
			  i == 1 ? etl_put_any(&b->columns[1], ETL_ANY_TEXT, "n/a", 3) :
			  i == 2 ? etl_put_any(&b->columns[1], ETL_ANY_BLOB, "n/a", 3) :
				   etl_put_any(&b->columns[1], ETL_ANY_INT, &i, 8));
		ck_assert(etl_put_bytes(&b->columns[2], "n/a", 3));
	}
	ck_assert(etl_builder_finish(b, batch));
	etl_builder_free(b);
	return g;
}

/* What null_values compare: a number by its digits, a value of any type by what it is, bytes never. */
START_TEST(values_that_mean_null)
{
	static const char *const nulls[] = { "2000", "n/a", "3", "0.5", "" };
	struct reshape_column columns[] = {
		{ .name = "n", .from = 0, .type = type_of("int64"), .null_values = nulls, .null_count = 5 },
		{ .name = "m", .from = 1, .type = type_of("any"), .null_values = nulls, .null_count = 5 },
		{ .name = "b", .from = 2, .type = type_of("blob"), .null_values = nulls, .null_count = 5 },
	};
	struct ArrowArray batch;
	struct given given = numbers(&batch);
	struct ArrowArrayStream in = stream_of(&given), out;
	struct etl_context context = { .allowed = 0 };
	struct etl_error err = ERROR_INIT;
	struct etl_text got = { .at = NULL };

	ck_assert_int_eq(reshape_wrap(&in, columns, 3, &context, &out, &err), ETL_OK);
	drain(&out, &got);
	ck_assert_str_eq(got.at, "0|NULL|x'6e2f61'\n1000|NULL|x'6e2f61'\nNULL|x'6e2f61'|x'6e2f61'\n"
				 "3000|NULL|x'6e2f61'\n");
	out.release(&out);
	given.schema.release(&given.schema);
	etl_text_free(&got);
}
END_TEST

/* A reason shows so much of a value as a person reads, and cuts it between two characters. */
START_TEST(reasons_that_show_the_value)
{
	struct reshape_column column = { .name = "t", .type = type_of("int16") };
	struct etl_column columns[] = { column_of("n", "int64"), column_of("t", "text"), column_of("b", "blob") };
	char text[201] = "", expected[1024];
	struct etl_builder *b = builder_of(columns, 3, 2);
	struct given given = { .schema = schema_of(columns, 3) };
	struct etl_error err = ERROR_INIT;
	struct ArrowArray batch;

	memset(text, 'z', 200);
	memcpy(text + 118, "\U0001f600", 4);
	etl_put_int64(&b->columns[0], 70000);
	ck_assert(etl_put_bytes(&b->columns[1], text, 200));
	ck_assert(etl_put_bytes(&b->columns[2], "\0\1", 2));
	ck_assert(etl_builder_finish(b, &batch));
	for (int64_t i = 0; i < 3; i++) {
		struct etl_context context = { .allowed = 9 };
		struct ArrowArrayStream in, out;
		struct ArrowArray one = { .release = NULL }, end;
		int64_t row = 0;

		ck_assert(etl_batch_take(&one, &given.schema, &batch, &row, 1));
		given.batch = &one;
		in = stream_of(&given);
		column.from = i;
		ck_assert_int_eq(reshape_wrap(&in, &column, 1, &context, &out, &err), ETL_OK);
		ck_assert_int_eq(out.get_next(&out, &end), 0);
		ck_assert(!end.release);
		snprintf(expected, sizeof(expected), "\"%.118s\" (and 82 bytes more)", text);
		ck_assert_msg(strstr(context.words.at, i == 0 ? "0 out_of_range: 70000 " :
						       i == 1 ? expected :
								"a value of 2 bytes ") != NULL, "%s", context.words.at);
		etl_text_free(&context.words);
		out.release(&out);
	}
	batch.release(&batch);
	etl_builder_free(b);
	given.schema.release(&given.schema);
}
END_TEST

/* Rows of a slice: what crosses by pointer begins where the slice does. */
START_TEST(slices)
{
	struct reshape_column columns[] = {
		{ .name = "n", .from = 0, .type = type_of("int64") },
		{ .name = "text", .from = 0, .type = type_of("text") },
	};
	struct ArrowArray batch;
	struct given given = numbers(&batch);
	struct ArrowArrayStream in = stream_of(&given), out;
	struct etl_context context = { .allowed = 0 };
	struct etl_error err = ERROR_INIT;
	struct etl_text got = { .at = NULL };

	batch.offset = 1;
	batch.length = 2;
	ck_assert_int_eq(reshape_wrap(&in, columns, 2, &context, &out, &err), ETL_OK);
	drain(&out, &got);
	ck_assert_str_eq(got.at, "1000|'1000'\n2000|'2000'\n");
	out.release(&out);
	given.schema.release(&given.schema);
	etl_text_free(&got);
}
END_TEST

START_TEST(streams_that_fail)
{
	static const struct {
		int code, schema_code;
		const char *words, *sentence;
	} cases[] = {
		{ EIO, 0, "the cable is cut", "the cable is cut" }, { EIO, 0, NULL, "Input/output error" },
		{ ENOMEM, 0, NULL, "out of memory" },		    { ECANCELED, 0, NULL, NULL },
		{ 0, EIO, "no columns", "no columns" },		    { 0, ECANCELED, NULL, NULL },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct reshape_column column = { .name = "n", .from = 0, .type = type_of("int64") };
		struct ArrowArray batch, end;
		struct given given = numbers(&batch);
		struct ArrowArrayStream in, out = { .release = NULL };
		struct etl_error err = ERROR_INIT;
		int rc;

		given.batch = NULL;
		batch.release(&batch);
		given.words = cases[i].words;
		given.code = cases[i].code;
		given.schema_code = cases[i].schema_code;
		in = stream_of(&given);
		rc = reshape_wrap(&in, &column, 1, NULL, &out, &err);
		if (cases[i].code) {
			ck_assert_int_eq(rc, ETL_OK);
			ck_assert_int_eq(out.get_next(&out, &end), cases[i].code);
			out.release(&out);
		} else {
			ck_assert_int_eq(rc, cases[i].schema_code == ECANCELED ? ETL_CANCELED : ETL_FAILED);
		}
		ck_assert_int_eq(err.set, cases[i].sentence != NULL);
		if (cases[i].sentence)
			ck_assert_msg(strstr(err.message, cases[i].sentence) != NULL, "%s", err.message);
		error_clear(&err);
		given.schema.release(&given.schema);
	}
}
END_TEST

/* What only a mistake of the host or of a plugin can bring about is said, and nothing is read past its end. */
START_TEST(mistakes)
{
	struct reshape_column columns[] = { { .name = "far", .from = 3, .type = type_of("text") },
					    { .name = "n", .from = 0, .type = type_of("text") },
					    { .name = "no", .from = -2, .type = type_of("text") } };
	struct etl_column two[] = { column_of("n", "int64"), column_of("m", "text") };
	struct etl_builder *few = builder_of(two, 2, 1);
	struct ArrowArray batch, end;
	struct given given = numbers(&batch);
	struct ArrowArrayStream in = stream_of(&given), out = { .release = NULL };
	struct etl_error err = ERROR_INIT;

	ck_assert_int_eq(reshape_wrap(&in, columns, 1, NULL, &out, &err), ETL_FAILED);
	ck_assert_int_eq(err.klass, ETL_BUG);
	ck_assert_str_eq(err.message, "column far comes from column 3 of 3");
	error_clear(&err);
	ck_assert_int_eq(reshape_wrap(&in, columns + 2, 1, NULL, &out, &err), ETL_FAILED);
	ck_assert_int_eq(err.klass, ETL_BUG);
	error_clear(&err);
	ck_assert_int_eq(reshape_wrap(&in, columns + 1, 1, NULL, &out, &err), ETL_OK);
	batch.release(&batch);
	etl_put_int64(&few->columns[0], 1);
	etl_put_null(&few->columns[1]);
	ck_assert(etl_builder_finish(few, &batch));
	etl_builder_free(few);
	ck_assert_int_eq(out.get_next(&out, &end), EIO);
	ck_assert_int_eq(err.klass, ETL_BUG);
	ck_assert_str_eq(err.message, "a batch does not have the columns of its schema");
	error_clear(&err);
	out.release(&out);
	given.schema.release(&given.schema);
}
END_TEST

START_TEST(a_fallback_that_does_not_fit)
{
	struct reshape_column column = { .name = "n", .from = 0, .type = type_of("int64"), .fallback = "none" };
	struct ArrowArray batch;
	struct given given = numbers(&batch);
	struct ArrowArrayStream in = stream_of(&given), out = { .release = NULL };
	struct etl_error err = ERROR_INIT;

	ck_assert_int_eq(reshape_wrap(&in, &column, 1, NULL, &out, &err), ETL_FAILED);
	ck_assert_str_eq(err.message, "the fallback \"none\" is not a number; column n wants int64");
	error_clear(&err);
	batch.release(&batch);
	given.schema.release(&given.schema);
}
END_TEST

/* Same names, types and order: a decimal of other digits, a column more or another order is a change. */
START_TEST(what_changes_nothing)
{
	struct etl_column have[] = { column_of("a", "decimal(10,2)"), column_of("b", "text"),
				     column_of(ETL_ORDINAL_COLUMN, "int64") };
	struct ArrowSchema all = schema_of(have, 3), bare = schema_of(have, 2), none = schema_of(have, 0);
	struct reshape_column columns[] = { { .name = "a", .from = 0, .type = type_of("decimal(10,2)") },
					    { .name = "b", .from = 1, .type = type_of("text") } };

	ck_assert(reshape_is_identity(&all, columns, 2));
	ck_assert(reshape_is_identity(&bare, columns, 2));
	ck_assert(reshape_is_identity(&none, columns, 0));
	ck_assert(!reshape_is_identity(&bare, columns, 1));
	columns[0].type = type_of("decimal(11,2)");
	ck_assert(!reshape_is_identity(&all, columns, 2));
	columns[0].type = type_of("decimal(10,3)");
	ck_assert(!reshape_is_identity(&all, columns, 2));
	columns[0].type = type_of("decimal(10,2)");
	columns[1].fallback = "x";
	ck_assert(!reshape_is_identity(&all, columns, 2));
	columns[1] = (struct reshape_column){ .name = "b", .from = -1, .type = type_of("text") };
	ck_assert(!reshape_is_identity(&all, columns, 2));
	all.release(&all);
	bare.release(&bare);
	none.release(&none);
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
	tcase_add_test(tests, values_that_mean_null);
	tcase_add_test(tests, reasons_that_show_the_value);
	tcase_add_test(tests, slices);
	tcase_add_test(tests, streams_that_fail);
	tcase_add_test(tests, mistakes);
	tcase_add_test(tests, a_fallback_that_does_not_fit);
	tcase_add_test(tests, what_changes_nothing);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
