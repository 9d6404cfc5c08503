/* A rejected row is written as JSON and made again: every value of every type comes back to its last bit. */
#include "config.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>

#include "../../core/json-read.h"
#include "../../core/replay-row.h"
#include "lib_batch.h"

#define VALUES 8

static const struct etl_column types[] = {
	{ .name = "any", .type = ETL_ANY },
	{ .name = "bool", .type = ETL_BOOL },
	{ .name = "int64", .type = ETL_INT64 },
	{ .name = "float64", .type = ETL_FLOAT64 },
	{ .name = "float32", .type = ETL_FLOAT32 },
	{ .name = "decimal", .type = ETL_DECIMAL, .precision = 38, .scale = 4 },
	{ .name = "numeric", .type = ETL_NUMERIC },
	{ .name = "text", .type = ETL_TEXT },
	{ .name = "bytes", .type = ETL_BYTES },
	{ .name = "date", .type = ETL_DATE },
	{ .name = "time", .type = ETL_TIME },
	{ .name = "timestamp", .type = ETL_TIMESTAMP },
	{ .name = "instant", .type = ETL_INSTANT },
	{ .name = "uuid", .type = ETL_UUID },
	{ .name = "json", .type = ETL_JSON },
};

/* The rows of a batch of one column, each written and read again into another, are the same bytes. */
static void comes_back(const struct etl_column *column, struct etl_builder *from, int64_t rows)
{
	struct ArrowSchema schema = schema_of(column, 1);
	struct etl_builder *to = builder_of(column, 1, rows);
	struct etl_view *a = etl_view_new(&schema), *b = etl_view_new(&schema);
	struct ArrowArray first, second;

	ck_assert(etl_builder_finish(from, &first));
	ck_assert(etl_view_set(a, &first));
	for (int64_t i = 0; i < rows; i++) {
		struct etl_text json = { 0 };
		struct row_members members = { 0 };

		etl_text_add(&json, "{\"v\":");
		etl_text_add_json_exact(&json, &a->columns[0], i);
		etl_text_add(&json, "}");
		ck_assert_msg(row_read(&members, json.at, json.length), "%s", json.at);
		ck_assert_uint_eq(members.count, 1);
		ck_assert_msg(row_put(&to->columns[0], &members.at[0]) == NULL, "%s: %s", column->name,
			      json.at);
		row_clear(&members);
		etl_text_free(&json);
	}
	ck_assert(etl_builder_finish(to, &second));
	ck_assert(etl_view_set(b, &second));
	for (int64_t i = 0; i < rows; i++) {
		struct etl_text x = { 0 }, y = { 0 };
		int64_t n, m;

		ck_assert_int_eq(etl_is_null(&a->columns[0], i), etl_is_null(&b->columns[0], i));
		if (a->columns[0].width == 0) {
			const uint8_t *p = etl_get_bytes(&a->columns[0], i, &n);
			const uint8_t *q = etl_get_bytes(&b->columns[0], i, &m);

			ck_assert_int_eq(n, m);
			ck_assert(n == 0 || memcmp(p, q, (size_t)n) == 0);
		} else if (a->columns[0].width > 0) {
			ck_assert(memcmp(etl_get_fixed(&a->columns[0], i), etl_get_fixed(&b->columns[0], i),
					 (size_t)a->columns[0].width) == 0);
		}
		etl_text_add_json_exact(&x, &a->columns[0], i);
		etl_text_add_json_exact(&y, &b->columns[0], i);
		ck_assert_str_eq(x.at, y.at);
		etl_text_free(&x);
		etl_text_free(&y);
	}
	first.release(&first);
	second.release(&second);
	etl_view_free(a);
	etl_view_free(b);
	etl_builder_free(to);
	schema.release(&schema);
}

START_TEST(typed_values)
{
	static const char *const texts[][VALUES] = {
		[1] = { "true", "false" },
		[2] = { "9223372036854775807", "-9223372036854775808", "0" },
		[5] = { "1234567890123456789012345678901234.5678", "-0.0001", "0" },
		[6] = { "-12.50", "123456789012345678901234567890.000000001" },
		[7] = { "", "it's \"\\\n\t\x01 \u00e4\u20ac\U0001f600", "{\"$bytes\":\"AA==\"}" },
		[9] = { "2024-02-29", "0001-01-01" },
		[10] = { "23:59:59.999999", "00:00:00" },
		[11] = { "2024-02-29 23:59:59.5" },
		[12] = { "1969-12-31T23:59:59Z" },
		[13] = { "00112233-4455-6677-8899-aabbccddeeff" },
		[14] = { "{\"a\": [1, null]}" },
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct etl_builder *b = builder_of(&types[i], 1, VALUES + 1);
		int64_t rows = 0;

		for (; rows < VALUES && texts[i][rows]; rows++)
			ck_assert_msg(!etl_convert_text(&b->columns[0], texts[i][rows], strlen(texts[i][rows])),
				      "%s: %s", types[i].name, texts[i][rows]);
		etl_put_null(&b->columns[0]);
		comes_back(&types[i], b, rows + 1);
		etl_builder_free(b);
	}
}
END_TEST

START_TEST(reals)
{
	static const double values[] = { 0.1, 1.0, -0.0, 4.9406564584124654e-324, 1.7976931348623157e308,
					 0.30000000000000004, INFINITY, -INFINITY };
	struct etl_builder *b = builder_of(&types[3], 1, 16), *s = builder_of(&types[4], 1, 16);
	uint64_t payload = UINT64_C(0xfff8000000abcdef);
	double nan;
	float single[] = { 0.1f, 1e-45f, 3.4028235e38f, -0.0f };

	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++)
		etl_put_float64(&b->columns[0], values[i]);
	memcpy(&nan, &payload, sizeof(nan));
	etl_put_float64(&b->columns[0], nan);
	comes_back(&types[3], b, 9);
	for (size_t i = 0; i < sizeof(single) / sizeof(*single); i++)
		etl_put_fixed(&s->columns[0], &single[i]);
	comes_back(&types[4], s, 4);
	etl_builder_free(b);
	etl_builder_free(s);
}
END_TEST

START_TEST(bytes_of_any_kind)
{
	static const char torn[] = "A\xff\0B";
	struct etl_builder *b = builder_of(&types[8], 1, 16), *any = builder_of(&types[0], 1, 16);
	int64_t big = INT64_MIN, one = 1;
	double real = 1.0, minus = -0.0;

	for (int64_t size = 0; size < 5; size++)
		ck_assert(etl_put_bytes(&b->columns[0], "\xff\0\x10\x80z", size));
	comes_back(&types[8], b, 5);
	ck_assert(etl_put_any(&any->columns[0], ETL_ANY_INT, &big, 8));
	ck_assert(etl_put_any(&any->columns[0], ETL_ANY_INT, &one, 8));
	ck_assert(etl_put_any(&any->columns[0], ETL_ANY_REAL, &real, 8));
	ck_assert(etl_put_any(&any->columns[0], ETL_ANY_REAL, &minus, 8));
	ck_assert(etl_put_any(&any->columns[0], ETL_ANY_TEXT, torn, 4));
	ck_assert(etl_put_any(&any->columns[0], ETL_ANY_TEXT, "1", 1));
	ck_assert(etl_put_any(&any->columns[0], ETL_ANY_TEXT, "", 0));
	ck_assert(etl_put_any(&any->columns[0], ETL_ANY_BLOB, torn, 4));
	ck_assert(etl_put_any(&any->columns[0], ETL_ANY_BLOB, "", 0));
	etl_put_null(&any->columns[0]);
	comes_back(&types[0], any, 10);
	etl_builder_free(b);
	etl_builder_free(any);
}
END_TEST

/* What of a row is not there, or is not of the column's type, is said by a word, and nothing is appended. */
START_TEST(what_is_no_value)
{
	static const struct {
		const char *row, *code;
		size_t type;
	} cases[] = {
		{ "{\"v\":{\"$size\":70000}}", "not_kept", 8 }, { "{\"v\":{\"$else\":70000}}", "type", 8 },   { "{\"v\":{\"$bytes\":\"*\"}}", "type", 8 },
		{ "{\"v\":{\"$bytes\":\"AA==\"}}", "type", 7 }, { "{\"v\":{\"$text\":\"/w==\"}}", "invalid_utf8", 7 },
		{ "{\"v\":\"x\"}", "not_a_number", 2 },	       { "{\"v\":1.5}", "too_precise", 2 },
		{ "{\"v\":{\"other\":\"1\"}}", "type", 0 },
		/* A double that no single holds, bytes for a number, and what is cut short. */
		{ "{\"v\":{\"$real\":\"3fb999999999999a\"}}", "type", 4 },
		{ "{\"v\":{\"$real\":\"-Infinity\"}}", "type", 7 },
		{ "{\"v\":{\"$bytes\":\"A[==\"}}", "type", 8 }, { "{\"v\":{\"$bytes\":\"A{==\"}}", "type", 8 },
		{ "{\"v\":{\"$bytes\":\"A:==\"}}", "type", 8 }, { "{\"v\":{\"$bytes\":\"A-==\"}}", "type", 8 },
		{ "{\"v\":{\"$size\":\"\\ud800\"}}", "type", 8 },
		{ "{\"v\":12345678901234567890123456789012345678901234567890123456789012345678901234567890}",
		  "out_of_range", 2 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct etl_builder *b = builder_of(&types[cases[i].type], 1, 2);
		struct row_members members = { 0 };
		const char *code;

		ck_assert(row_read(&members, cases[i].row, strlen(cases[i].row)));
		code = row_put(&b->columns[0], &members.at[0]);
		ck_assert_msg(code && strcmp(code, cases[i].code) == 0, "%s: %s", cases[i].row,
			      code ? code : "taken");
		ck_assert_int_eq(etl_builder_rows(b), 0);
		row_clear(&members);
		etl_builder_free(b);
	}
}
END_TEST

/* Numbers as they stand in the line, in types that hold them, and the texts of them in others. */
START_TEST(numbers_as_they_stand)
{
	static const struct {
		const char *row, *json;
		size_t type;
	} cases[] = {
		{ "{\"v\":-1e2}", "-100.0", 0 }, { "{\"v\":-7}", "-7", 0 },
		{ "{\"v\":1.5}", "1.5", 4 },			   { "{\"v\":2}", "2.0", 3 },
		{ "{\"v\":{\"$real\":\"Infinity\"}}", "{\"$real\":\"Infinity\"}", 4 },
		{ "{\"v\":0.50}", "0.5000", 5 },	   { "{\"v\":true}", "true", 1 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct ArrowSchema schema = schema_of(&types[cases[i].type], 1);
		struct etl_builder *b = builder_of(&types[cases[i].type], 1, 2);
		struct etl_view *view = etl_view_new(&schema);
		struct row_members members = { 0 };
		struct etl_text json = { 0 };
		struct ArrowArray batch;

		ck_assert(row_read(&members, cases[i].row, strlen(cases[i].row)));
		ck_assert_msg(!row_put(&b->columns[0], &members.at[0]), "%s", cases[i].row);
		ck_assert(etl_builder_finish(b, &batch) && etl_view_set(view, &batch));
		etl_text_add_json_exact(&json, &view->columns[0], 0);
		ck_assert_str_eq(json.at, cases[i].json);
		etl_text_free(&json);
		row_clear(&members);
		batch.release(&batch);
		etl_view_free(view);
		etl_builder_free(b);
		schema.release(&schema);
	}
}
END_TEST

/* A line has the row as the source gave it, or, of a row that fell behind a transform or in the target, under the
 * target's names: a column is looked for by the name that the line's row knows it by. */
START_TEST(columns_by_the_name_they_had)
{
	struct etl_column want[] = { { .name = "id", .type = ETL_INT64 }, { .name = "old", .type = ETL_TEXT } };
	struct etl_column have[] = { { .name = "id", .type = ETL_INT64 },
				     { .name = "new", .origin = "old", .type = ETL_TEXT } };
	struct etl_table target = { .columns = have, .column_count = 2, .column_size = sizeof(*have) };
	struct job job = { .target = &target, .want = schema_of(want, 2) };
	static const struct {
		const char *row, *column, *value;
	} cases[] = {
		{ "{\"id\":1,\"old\":\"a\"}", "old", "\"a\"" },
		{ "{\"id\":1,\"new\":\"b\"}", "old", "\"b\"" },
		{ "{\"id\":1,\"new\":\"b\"}", "id", "1" },
		{ "{\"new\":\"b\",\"old\":\"c\"}", "old", "\"b\"" },
		{ "{\"id\":1,\"extra\":\"d\"}", "extra", "\"d\"" },
		{ "{\"id\":1}", "old", NULL },
		{ "{}", "id", NULL },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct row_members members = { 0 };
		const struct row_member *found;

		ck_assert(row_read(&members, cases[i].row, strlen(cases[i].row)));
		found = row_find(&members, &job, cases[i].column);
		ck_assert_msg(!found == !cases[i].value, "%s", cases[i].row);
		if (found) {
			ck_assert_uint_eq(found->length, strlen(cases[i].value));
			ck_assert_mem_eq(found->value, cases[i].value, found->length);
		}
		row_clear(&members);
	}
	job.want.release(&job.want);
}
END_TEST

START_TEST(what_is_no_row)
{
	static const char *const rows[] = { "", "null", "{", "{\"a\"", "{\"a\":}", "{\"a\":1,}", "{\"a\":1} x\"",
					    "{\"\\ud800\":1}", "{\"\\ux\":1}", "{\"a\":1 \"b\":2}", "[1]",
					    "{\"\\ud800\\u0041\":1}", "{\"\\ud800\\n....\":1}", "{\"\\ud800x.....\":1}",
					    "{\"\\ud800\\ue000\":1}", "{\"\\udc00\":1}", "{\"\\u00", "{\"\\u00G0\":1}",
					    "{\"\\u00g0\":1}", "{\"\\q\":1}", "{\"\\", "{\"a\":\"x\\", "{\"a\":\"x",
					    "{\"a\":[1,]}", "{\"a\":{\"b\" 1}}", "{\"a\":{1:1}}", "{\"a\":[1" };

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct row_members members = { 0 };
		bool read = row_read(&members, rows[i], strlen(rows[i]));

		/* What stands behind the object is another's. */
		ck_assert_msg(!read || i == 6, "%s", rows[i]);
		row_clear(&members);
	}
}
END_TEST

/* A member's value is what stands there, to the brace that closes it. */
START_TEST(values_in_values)
{
	static const char row[] = "{ \"a\" : {} , \"b\":[], \"c\":{\"x\":[{\"y\":\"\\\"]}\"}]},\"d\":null\n}";
	static const char *const values[] = { "{}", "[]", "{\"x\":[{\"y\":\"\\\"]}\"}]}", "null" };
	struct row_members members = { 0 };

	ck_assert(row_read(&members, row, sizeof(row) - 1));
	ck_assert_uint_eq(members.count, 4);
	for (size_t i = 0; i < 4; i++) {
		ck_assert_uint_eq(members.at[i].length, strlen(values[i]));
		ck_assert(memcmp(members.at[i].value, values[i], strlen(values[i])) == 0);
	}
	row_clear(&members);
}
END_TEST

START_TEST(strings)
{
	static const char text[] = "\"a\\u0000b\\ud83d\\ude00\\n\\/\\u20AC\"";
	struct json j = json_start(text, sizeof(text) - 1);
	struct etl_text got = { 0 };

	json_string(&j, &got);
	ck_assert(!j.bad && json_peek(&j) == 0);
	ck_assert_uint_eq(got.length, 12);
	ck_assert(memcmp(got.at, "a\0b\U0001f600\n/\u20ac", 12) == 0);
	etl_text_free(&got);
}
END_TEST

/* What stands there as it is is what reading it gives; all else is left to reading. */
START_TEST(plain_strings)
{
	static const char *const texts[] = { "\"\"", " \"a\" ", "\"123456789 \xc3\xa9\"", "\"a\\n\"", "\"no end", "12", "", "\"12345678\\" };

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct json a = json_start(texts[i], strlen(texts[i])), b = a;
		struct etl_text text = { 0 };
		const char *at;
		size_t size;
		bool plain = json_plain_string(&a, &at, &size);

		ck_assert_int_eq(plain, i < 3);
		json_string(&b, &text);
		if (plain) {
			ck_assert(!b.bad && a.at == b.at && size == text.length && memcmp(at, text.at, size) == 0);
		} else {
			ck_assert(!a.bad && json_peek(&a) == (texts[i][0] ? texts[i][0] : 0));
		}
		etl_text_free(&text);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("replay row");
	TCase *tests = tcase_create("replay row");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tests, typed_values);
	tcase_add_test(tests, reals);
	tcase_add_test(tests, bytes_of_any_kind);
	tcase_add_test(tests, what_is_no_value);
	tcase_add_test(tests, numbers_as_they_stand);
	tcase_add_test(tests, columns_by_the_name_they_had);
	tcase_add_test(tests, what_is_no_row);
	tcase_add_test(tests, values_in_values);
	tcase_add_test(tests, strings);
	tcase_add_test(tests, plain_strings);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
