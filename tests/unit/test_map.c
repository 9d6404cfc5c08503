/*
 * The transform map on a table in memory: the shape follows the columns, rows keep their values and their
 * ordinals, and what does not fit a cast goes the way its rule says.
 */
#include "config.h"

#include <check.h>

#include "fake_host.h"

const struct etl_plugin *map_LTX_etl_plugin(void);

static const struct etl_host host = { FAKE_HOST };

static const struct etl_column columns[] = {
	{ .name = "id", .type = ETL_INT64, .flags = ETL_NOT_NULL },
	{ .name = "total", .type = ETL_TEXT },
	{ .name = "fax", .type = ETL_TEXT },
};
static const char *const id_list[] = { "id" };
static const char *const fax_list[] = { "fax" };
static const struct etl_key uniques[] = { { .name = "u_fax", .columns = fax_list, .column_count = 1 } };
static const struct etl_check checks[] = {
	{ .name = "positive", .sql = "total > 0 AND 'total' <> id" },
	{ .name = "has_fax", .sql = "length(fax) > 3" },
};
static const struct etl_index_part total_part[] = { { .column = "total" } };
static const struct etl_index indexes[] = {
	{ .name = "i_total", .parts = total_part, .part_count = 1, .part_size = sizeof(total_part[0]),
	  .where_sql = "\"total\" IS NOT NULL", .ddl = "CREATE INDEX" },
};
static const struct etl_table table = {
	.name = "invoice", .ddl = "CREATE TABLE", .columns = columns, .column_count = 3,
	.column_size = sizeof(columns[0]), .primary = { .columns = id_list, .column_count = 1 },
	.uniques = uniques, .unique_count = 1, .unique_size = sizeof(uniques[0]),
	.checks = checks, .check_count = 2, .check_size = sizeof(checks[0]),
	.indexes = indexes, .index_count = 1, .index_size = sizeof(indexes[0]),
};

struct seen {
	struct etl_table_sink sink;
	int count;
};

static int look(struct etl_table_sink *self, const struct etl_table *t)
{
	((struct seen *)self)->count++;
	ck_assert_uint_eq(t->column_count, 3);
	ck_assert_str_eq(t->columns[0].name, "nr");
	ck_assert_str_eq(t->columns[0].origin, "id");
	ck_assert_str_eq(t->columns[1].name, "sum");
	ck_assert_int_eq(t->columns[1].type, ETL_DECIMAL);
	ck_assert_int_eq(t->columns[1].scale, 2);
	ck_assert_str_eq(t->columns[2].name, "loaded_by");
	ck_assert_uint_eq(t->columns[2].flags, ETL_CONSTANT);
	ck_assert_str_eq(t->primary.columns[0], "nr");
	ck_assert_uint_eq(t->unique_count, 0);
	ck_assert_uint_eq(t->check_count, 1);
	ck_assert_str_eq(t->checks[0].sql, "\"sum\" > 0 AND 'total' <> \"nr\"");
	ck_assert_str_eq(t->indexes[0].parts[0].column, "sum");
	ck_assert_str_eq(t->indexes[0].where_sql, "\"sum\" IS NOT NULL");
	ck_assert_ptr_null(t->indexes[0].ddl);
	ck_assert_ptr_null(t->ddl);
	return 0;
}

static struct etl_conf cast_conf(const char *misfit, const char *fallback)
{
	return (struct etl_conf){ { { .key = "column", .items = { "total" } },
				    { .key = "type", .items = { "decimal(10,2)" } },
				    { .key = "on_misfit", .items = { misfit } },
				    { .key = "default", .items = { fallback } } } };
}

static struct etl_conf whole_conf(const struct etl_conf *cast)
{
	return (struct etl_conf){ { { .key = "rename", .items = { "id", "nr", "total", "sum" } },
				    { .key = "drop", .items = { "fax" } },
				    { .key = "constant", .items = { "loaded_by", "etlrun" } },
				    { .key = "cast", .groups = { cast } } } };
}

static struct etl_instance *open_map(const struct etl_conf *conf)
{
	struct etl_instance *self = NULL;
	struct etl_error err = { 0 };

	ck_assert_msg(map_LTX_etl_plugin()->open(&host, conf, &self, &err) == 0, "%s", err.text);
	return self;
}

START_TEST(the_shape_follows_the_columns)
{
	struct etl_conf cast = cast_conf("reject", NULL), conf = whole_conf(&cast);
	struct etl_instance *self = open_map(&conf);
	struct seen seen = { { look }, 0 };
	struct etl_error err = { 0 };

	ck_assert_int_eq(map_LTX_etl_plugin()->transform->derive(self, &table, &seen.sink, &err), 0);
	ck_assert_int_eq(seen.count, 1);
	map_LTX_etl_plugin()->close(self);
}
END_TEST

static void refused(struct etl_conf conf, const char *words)
{
	struct etl_instance *self = open_map(&conf);
	struct seen seen = { { look }, 0 };
	struct etl_error err = { 0 };

	ck_assert_int_eq(map_LTX_etl_plugin()->transform->derive(self, &table, &seen.sink, &err), ETL_FAILED);
	ck_assert_int_eq(err.klass, ETL_USAGE);
	ck_assert_msg(strstr(err.text, words) != NULL, "%s", err.text);
	ck_assert_int_eq(seen.count, 0);
	map_LTX_etl_plugin()->close(self);
}

START_TEST(wrong_names_are_refused)
{
	refused((struct etl_conf){ { { .key = "drop", .items = { "totl" } } } },
		"\"totl\", which is not there; did you mean \"total\"? The columns are id, total, fax");
	refused((struct etl_conf){ { { .key = "rename", .items = { "id", "fax" } } } },
		"two columns would be called \"fax\"");
}
END_TEST

struct rows {
	struct etl_producer producer;
	bool done;
};

static int fill(struct etl_producer *self, struct etl_builder *b)
{
	static const char *const totals[] = { "1.50", "much", NULL, "20" };

	((struct rows *)self)->done = true;
	for (int64_t i = 0; i < 4; i++) {
		etl_put_int64(&b->columns[0], i + 1);
		if (totals[i])
			etl_put_bytes(&b->columns[1], totals[i], (int64_t)strlen(totals[i]));
		else
			etl_put_null(&b->columns[1]);
		etl_put_null(&b->columns[2]);
		etl_put_int64(&b->columns[3], i);
	}
	return ETL_FILL_END;
}

static void close_rows(struct etl_producer *self)
{
	(void)self;
}

static int (*whole_next)(struct ArrowArrayStream *, struct ArrowArray *);

/* All but the first row, as a batch that begins within its columns. */
static int slice_next(struct ArrowArrayStream *stream, struct ArrowArray *out)
{
	int r = whole_next(stream, out);

	if (r == 0 && out->release) {
		out->offset++;
		out->length--;
	}
	return r;
}

/* The rows that come out, as text. */
static char *mapped(const char *misfit, const char *fallback, bool slice, struct etl_context *context)
{
	struct etl_conf cast = cast_conf(misfit, fallback), conf = whole_conf(&cast);
	struct etl_column all[4] = { columns[0], columns[1], columns[2],
				     { .name = ETL_ORDINAL_COLUMN, .type = ETL_INT64 } };
	struct etl_instance *self = open_map(&conf);
	const struct etl_wrap wrap = { &table, &table, context };
	struct rows rows = { { fill, close_rows }, false };
	struct ArrowArrayStream in, out;
	struct ArrowSchema schema;
	struct ArrowArray batch;
	struct etl_error err = { 0 };
	struct etl_text text = { 0 };
	struct etl_view *view;

	ck_assert(etl_schema_make(&schema, all, 4, sizeof(all[0])));
	ck_assert(etl_stream_open(&in, &host, &schema, &rows.producer));
	schema.release(&schema);
	whole_next = in.get_next;
	if (slice)
		in.get_next = slice_next;
	ck_assert_int_eq(map_LTX_etl_plugin()->transform->wrap(self, &wrap, &in, &out, &err), 0);
	ck_assert(in.release == NULL);
	ck_assert_int_eq(out.get_schema(&out, &schema), 0);
	ck_assert_int_eq(schema.n_children, 4);
	ck_assert_str_eq(schema.children[3]->name, ETL_ORDINAL_COLUMN);
	view = etl_view_new(&schema);
	while (out.get_next(&out, &batch) == 0 && batch.release) {
		ck_assert(etl_view_set(view, &batch));
		for (int64_t i = 0; i < batch.length; i++)
			for (int64_t c = 0; c < 4; c++) {
				etl_text_add_value(&text, &view->columns[c], i);
				etl_text_add(&text, c < 3 ? " " : "; ");
			}
		batch.release(&batch);
	}
	etl_view_free(view);
	schema.release(&schema);
	out.release(&out);
	map_LTX_etl_plugin()->close(self);
	return etl_text_take(&text);
}

START_TEST(misfits_go_the_way_of_their_rule)
{
	struct etl_context context = { 0 };
	char *text = mapped("reject", NULL, false, &context);

	ck_assert_str_eq(text, "1 1.50 'etlrun' 0; 3 NULL 'etlrun' 2; 4 20.00 'etlrun' 3; ");
	ck_assert_int_eq(context.rejects, 1);
	ck_assert_int_eq(context.row, 1);
	ck_assert_str_eq(context.code, "not_a_number");
	ck_assert_str_eq(context.reason, "column sum: the value 'much' does not fit decimal(10,2)");
	free(text);
	text = mapped("null", NULL, false, &context);
	ck_assert_str_eq(text, "1 1.50 'etlrun' 0; 2 NULL 'etlrun' 1; 3 NULL 'etlrun' 2; 4 20.00 'etlrun' 3; ");
	free(text);
	text = mapped("default", "-1", false, &context);
	ck_assert_str_eq(text, "1 1.50 'etlrun' 0; 2 -1.00 'etlrun' 1; 3 NULL 'etlrun' 2; 4 20.00 'etlrun' 3; ");
	free(text);
	ck_assert_int_eq(context.rejects, 1);
}
END_TEST

START_TEST(what_crosses_by_pointer_begins_where_its_batch_does)
{
	struct etl_context context = { 0 };
	char *text = mapped("null", NULL, true, &context);

	ck_assert_str_eq(text, "2 NULL 'etlrun' 1; 3 NULL 'etlrun' 2; 4 20.00 'etlrun' 3; ");
	free(text);
	text = mapped("reject", NULL, true, &context);
	ck_assert_str_eq(text, "3 NULL 'etlrun' 2; 4 20.00 'etlrun' 3; ");
	free(text);
}
END_TEST

START_TEST(a_cast_that_cannot_work_is_refused_before_any_row)
{
	struct etl_conf cast = cast_conf("default", "plenty"), conf = whole_conf(&cast);
	struct etl_instance *self = NULL;
	struct etl_error err = { 0 };

	ck_assert_int_eq(map_LTX_etl_plugin()->open(&host, &conf, &self, &err), ETL_FAILED);
	ck_assert_int_eq(err.klass, ETL_USAGE);
	ck_assert_ptr_nonnull(strstr(err.text, "\"plenty\" is no decimal(10,2)"));
	ck_assert_ptr_null(self);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("map");
	TCase *tests = tcase_create("map");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tests, the_shape_follows_the_columns);
	tcase_add_test(tests, wrong_names_are_refused);
	tcase_add_test(tests, misfits_go_the_way_of_their_rule);
	tcase_add_test(tests, what_crosses_by_pointer_begins_where_its_batch_does);
	tcase_add_test(tests, a_cast_that_cannot_work_is_refused_before_any_row);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
