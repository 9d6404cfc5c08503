/*
 * Rows out of a database: exactly as stored or as a reject, in splits that together hold every row once; and
 * the profile that the host decides types by.
 */
#include "config.h"

#include "sqlite_story.h"

#define ROWS 64

struct got {
	int64_t rows, first[ROWS];
	char text[ROWS][128];           /* the last column, as a person reads it */
	int status;
};

static struct etl_column wanted(const char *name, int32_t type)
{
	struct etl_column c = { .name = name, .type = type, .declared = "" };

	return c;
}

static void take_batch(struct got *got, struct etl_view *view, const struct ArrowArray *batch)
{
	ck_assert(etl_view_set(view, batch));
	for (int64_t i = 0; i < view->rows; i++, got->rows++) {
		struct etl_text text = { 0 };

		ck_assert_int_lt(got->rows, ROWS);
		if (view->columns[0].type.type == ETL_INT64)
			got->first[got->rows] = etl_get_int64(&view->columns[0], i);
		etl_text_add_value(&text, &view->columns[view->count - 1], i);
		snprintf(got->text[got->rows], 128, "%s", text.at);
		etl_text_free(&text);
	}
}

static struct got read_rows(struct story *s, struct etl_read *read, const struct etl_split *split,
			    const struct etl_column *columns, size_t count)
{
	struct got got = { 0 };
	struct ArrowArrayStream stream;
	struct ArrowSchema want;
	struct ArrowArray batch;
	struct etl_view *view;

	ck_assert(etl_schema_make(&want, columns, count, sizeof(*columns)));
	view = etl_view_new(&want);
	ck_assert_ptr_nonnull(view);
	read->want = &want;
	read->context = &s->context;
	got.status = sqlite_read(s->inst, read, split, &stream, &s->err);
	while (got.status == ETL_OK) {
		got.status = stream.get_next(&stream, &batch) ? ETL_FAILED : ETL_OK;
		if (got.status || !batch.release)
			break;
		take_batch(&got, view, &batch);
		batch.release(&batch);
	}
	if (s->err.failures == 0 || got.rows > 0 || s->context.rejects > 0)
		stream.release(&stream);
	etl_view_free(view);
	want.release(&want);
	return got;
}

START_TEST(values_arrive_exactly)
{
	struct story *s = story_begin(
		"CREATE TABLE t (id INTEGER PRIMARY KEY, v);"
		"INSERT INTO t VALUES (1, 9223372036854775807), (2, 0.1 + 0.2), (3, 'text'), (4, x'00ff'), (5, NULL),"
		"(6, 9e999), (7, CAST(x'61ff' AS TEXT)), (8, 1.0)");
	struct etl_column any[] = { wanted("id", ETL_INT64), wanted("v", ETL_ANY) };
	struct etl_column real[] = { wanted("id", ETL_INT64), wanted("v", ETL_FLOAT64) };
	struct etl_column text[] = { wanted("id", ETL_INT64), wanted("v", ETL_TEXT) };
	struct etl_read read = { .dataset = { .table = "t" } };
	struct got got = read_rows(s, &read, NULL, any, 2);

	ck_assert_int_eq(got.rows, 8);
	ck_assert_int_eq(s->context.rejects, 0);
	ck_assert_str_eq(got.text[0], "9223372036854775807");
	ck_assert_str_eq(got.text[1], "0.30000000000000004");
	got = read_rows(s, &read, NULL, real, 2);
	ck_assert_int_eq(s->context.rejects, 4);
	ck_assert_str_eq(s->context.at[0].code, "too_precise");
	ck_assert_int_eq(s->context.at[1].ordinal, 2);
	ck_assert_ptr_nonnull(strstr(s->context.at[1].reason, "rowid 3: column \"v\" holds text \"text\""));
	ck_assert_str_eq(s->context.at[1].raw, "{\"id\":3,\"v\":\"text\"}");
	ck_assert_int_eq(got.rows, 4);
	ck_assert_int_eq(got.first[0], 2);
	ck_assert_str_eq(got.text[0], "0.30000000000000004");
	s->context.rejects = 0;
	got = read_rows(s, &read, NULL, text, 2);
	ck_assert_str_eq(s->context.at[s->context.rejects - 1].code, "invalid_utf8");
	ck_assert_int_eq(s->context.at[s->context.rejects - 1].ordinal, 6);
	ck_assert_int_eq(got.rows + s->context.rejects, 8);
	story_end(s);
}
END_TEST

START_TEST(an_unknown_column_is_no_text)
{
	struct story *s = story_begin("CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1)");
	struct etl_column c[] = { wanted("idd", ETL_TEXT) };
	struct etl_read read = { .dataset = { .table = "t" } };
	struct got got = read_rows(s, &read, NULL, c, 1);

	ck_assert_int_eq(got.status, ETL_FAILED);
	ck_assert_ptr_nonnull(strstr(s->err.text, "no such column"));
	story_end(s);
}
END_TEST

START_TEST(rows_that_break_the_wanted_shape)
{
	struct story *s = story_begin("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1, NULL),"
				      "(2, zeroblob(3000000)), (3, 'x')");
	struct etl_column c[] = { wanted("id", ETL_INT64), wanted("v", ETL_ANY) };
	struct etl_read read = { .dataset = { .table = "t" } };
	struct got got;

	c[1].flags = ETL_NOT_NULL;
	s->host.max_row = 1 << 20;
	got = read_rows(s, &read, NULL, c, 2);
	ck_assert_int_eq(got.rows, 1);
	ck_assert_int_eq(got.first[0], 3);
	ck_assert_str_eq(s->context.at[0].code, "not_null");
	ck_assert_str_eq(s->context.at[1].code, "max_row");
	ck_assert_str_eq(s->context.at[1].raw, "{\"id\":2,\"v\":{\"$size\":3000000}}");
	story_end(s);
}
END_TEST

struct plan {
	struct etl_split_sink sink;
	struct etl_split at[ROWS];
	int count;
};

static int keep_split(struct etl_split_sink *self, const struct etl_split *split)
{
	struct plan *p = (struct plan *)(void *)self;

	ck_assert_uint_eq(split->index, (uint64_t)p->count);
	p->at[p->count++] = *split;
	return ETL_OK;
}

/* Every row once and in order, whatever the number of splits; also at the ends of int64. */
START_TEST(splits_cover_every_row_once)
{
	struct story *s = story_begin(
		"CREATE TABLE t (rowid TEXT, oid INT, v INTEGER PRIMARY KEY);"
		"INSERT INTO t VALUES ('a', 1, -9223372036854775808), ('b', 2, -1), ('c', 3, 0), ('d', 4, 7),"
		"('e', 5, 9223372036854775807);"
		"CREATE TABLE w (id INTEGER PRIMARY KEY) WITHOUT ROWID; INSERT INTO w VALUES (1), (2)");
	struct etl_column c[] = { wanted("oid", ETL_INT64), wanted("rowid", ETL_TEXT) };
	struct etl_column w[] = { wanted("id", ETL_INT64) };
	struct etl_read read = { .dataset = { .table = "t" } };
	static const int64_t wants[] = { 1, 2, 3, 7, 40 };

	for (size_t n = 0; n < sizeof(wants) / sizeof(*wants); n++) {
		struct plan plan = { .sink = { keep_split } };
		int64_t next = 1;

		ck_assert_int_eq(sqlite_plan(s->inst, &read, wants[n], &plan.sink, &s->err), ETL_OK);
		ck_assert_int_eq(plan.count, wants[n]);
		for (int i = 0; i < plan.count; i++) {
			struct got got = read_rows(s, &read, &plan.at[i], c, 2);

			for (int64_t r = 0; r < got.rows; r++)
				ck_assert_int_eq(got.first[r], next++);
		}
		ck_assert_int_eq(next, 6);
	}
	read.dataset.table = "w";
	struct plan plan = { .sink = { keep_split } };
	ck_assert_int_eq(sqlite_plan(s->inst, &read, 4, &plan.sink, &s->err), ETL_OK);
	ck_assert_int_eq(plan.count, 1);
	ck_assert_int_eq(read_rows(s, &read, &plan.at[0], w, 1).rows, 2);
	story_end(s);
}
END_TEST

START_TEST(where_limit_cursor_and_query)
{
	struct story *s = story_begin("CREATE TABLE t (id INTEGER PRIMARY KEY, n, d TEXT);"
				      "INSERT INTO t VALUES (1, 5, 'a'), (2, 40, 'b'), (3, 300, 'c'), (4, 'x', 'd')");
	struct etl_column c[] = { wanted("id", ETL_INT64) };
	struct etl_read read = { .dataset = { .table = "t", .where = "d > 'a' -- not the first" } };
	struct got got = read_rows(s, &read, NULL, c, 1);

	ck_assert_int_eq(got.rows, 3);
	ck_assert_int_eq(got.first[0], 2);
	read.limit = 2;
	ck_assert_int_eq(read_rows(s, &read, NULL, c, 1).rows, 2);
	read = (struct etl_read){ .dataset = { .table = "t" }, .cursor = "n", .after = "5", .upto = "300" };
	got = read_rows(s, &read, NULL, c, 1);
	ck_assert_int_eq(got.rows, 2);
	ck_assert_int_eq(got.first[1], 3);
	read = (struct etl_read){ .dataset = { .query = "SELECT max(id) AS id FROM t; -- end" } };
	got = read_rows(s, &read, NULL, c, 1);
	ck_assert_int_eq(got.rows, 1);
	ck_assert_int_eq(got.first[0], 4);
	story_end(s);
}
END_TEST

START_TEST(exactly_the_rows_with_these_keys)
{
	struct story *s = story_begin("CREATE TABLE t (id INTEGER PRIMARY KEY, k TEXT);"
				      "INSERT INTO t VALUES (1, 'a'), (2, NULL), (3, 'c'), (4, 'c')");
	struct etl_column key = wanted("k", ETL_TEXT), c[] = { wanted("id", ETL_INT64) };
	struct etl_read read = { .dataset = { .table = "t" } };
	struct ArrowSchema schema;
	struct ArrowArray keys;
	struct etl_builder *b;
	struct got got;

	ck_assert(etl_schema_make(&schema, &key, 1, sizeof(key)));
	b = etl_builder_new(&schema, 8);
	ck_assert(etl_put_bytes(&b->columns[0], "c", 1));
	etl_put_null(&b->columns[0]);
	ck_assert(etl_put_bytes(&b->columns[0], "none", 4));
	ck_assert(etl_builder_finish(b, &keys));
	read.key_schema = &schema;
	read.keys = &keys;
	got = read_rows(s, &read, NULL, c, 1);
	ck_assert_int_eq(got.rows, 3);
	ck_assert_int_eq(got.first[0], 3);
	ck_assert_int_eq(got.first[1], 4);
	ck_assert_int_eq(got.first[2], 2);
	keys.release(&keys);
	schema.release(&schema);
	etl_builder_free(b);
	story_end(s);
}
END_TEST

struct profiles {
	struct etl_profile_sink sink;
	struct etl_profile at[4];
	int count;
};

static int keep_profile(struct etl_profile_sink *self, const struct etl_profile *p)
{
	struct profiles *all = (struct profiles *)(void *)self;

	all->at[all->count++] = *p;
	return ETL_OK;
}

START_TEST(the_profile_counts_each_kind)
{
	struct story *s = story_begin(
		"CREATE TABLE t (v, r, g AS (v)); INSERT INTO t VALUES (-3, 1.25), (1, 1e-7), (NULL, 2.0), "
		"('2024-02-29', 3.5), ('2023-02-29', NULL), ('2024-01-01T10:00:00.5', 1), ('2024-01-01 10:00Z', 1),"
		"('-1.5e3', 1), ('🚀a', 1), (CAST(x'6100' AS TEXT), 1), (CAST(x'ff' AS TEXT), 1), (x'010203', 1)");
	struct profiles all = { .sink = { keep_profile } };
	struct etl_dataset d = { .table = "t" };
	const struct etl_profile *p = &all.at[0];

	ck_assert_msg(sqlite_profile(s->inst, &d, &all.sink, &s->err) == ETL_OK, "%s", s->err.text);
	ck_assert_int_eq(all.count, 2);
	ck_assert_int_eq(p->rows, 12);
	ck_assert_int_eq(p->nulls, 1);
	ck_assert_int_eq(p->integers, 2);
	ck_assert_int_eq(p->min_integer, -3);
	ck_assert_int_eq(p->max_integer, 1);
	ck_assert_int_eq(p->flags01, 1);
	ck_assert_int_eq(p->texts, 8);
	ck_assert_int_eq(p->blobs, 1);
	ck_assert_int_eq(p->dates, 1);
	ck_assert_int_eq(p->timestamps, 1);
	ck_assert_int_eq(p->zoned, 1);
	ck_assert_int_eq(p->numeric_texts, 1);
	ck_assert_int_eq(p->with_nul, 1);
	ck_assert_int_eq(p->bad_utf8, 1);
	ck_assert_int_eq(p->max_chars, 21);
	ck_assert_int_eq(p->max_bytes, 21);
	ck_assert_int_eq(all.at[1].reals, 4);
	ck_assert_int_eq(all.at[1].max_scale, 7);
	story_end(s);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("sqlite read");
	TCase *c = tcase_create("read");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(c, values_arrive_exactly);
	tcase_add_test(c, an_unknown_column_is_no_text);
	tcase_add_test(c, rows_that_break_the_wanted_shape);
	tcase_add_test(c, splits_cover_every_row_once);
	tcase_add_test(c, where_limit_cursor_and_query);
	tcase_add_test(c, exactly_the_rows_with_these_keys);
	tcase_add_test(c, the_profile_counts_each_kind);
	suite_add_tcase(s, c);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
