/*
 * What COPY … (FORMAT binary) is sent: each value as the bytes that PostgreSQL itself gives for it, and each value that
 * the server would refuse or change as a reject's code.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib_batch.h"
#include "plugins/postgres/encode.h"

#define NONE (-1)
#define VARCHAR(n) ((n) + 4)
#define NUMERIC(p, s) (((p) << 16 | ((s) & 0x7ff)) + 4)

static const char *hex(const struct encode_buffer *b, size_t from)
{
	static char text[2048];
	char *at = text;

	*at = '\0';
	for (size_t i = from; i < b->used; i++)
		at += sprintf(at, "%02x", b->at[i]);
	return text;
}

/* The field, its length left out when it is only that; or the code. */
static const char *put(struct encode_column column, const struct etl_column *from,
		       struct etl_builder *builder)
{
	struct ArrowSchema schema = schema_of(from, 1);
	struct encode_buffer b = { 0 };
	struct etl_view *view = etl_view_new(&schema);
	struct ArrowArray batch = { 0 };
	static char ret[2048];
	const char *code;
	size_t at = 9;

	column.name = from->name;
	ck_assert(etl_builder_finish(builder, &batch));
	ck_assert(etl_view_set(view, &batch));
	ck_assert(encode_choose(&column, schema.children[0]));
	code = encode_row(&column, 1, view, 0, -1, &b, &at);
	if (code) {
		ck_assert_uint_eq(at, 0);
		ck_assert_uint_eq(b.used, 0);
	}
	snprintf(ret, sizeof(ret), "%s", code ? code : hex(&b, 6));
	if (!code && b.used == 6)
		snprintf(ret, sizeof(ret), "%s", hex(&b, 2));
	encode_column_clear(&column);
	batch.release(&batch);
	etl_view_free(view);
	etl_builder_free(builder);
	schema.release(&schema);
	free(b.at);
	return ret;
}

static const char *field(uint32_t oid, int32_t modifier, const char *type, const char *text)
{
	const struct etl_column from = column_of("c", type);
	struct etl_builder *builder = builder_of(&from, 1, 8);

	put_text(builder->columns, text);
	return put((struct encode_column){ .oid = oid, .modifier = modifier }, &from, builder);
}

static const char *any(uint32_t oid, char tag, const void *v, int64_t size)
{
	const struct etl_column from = { .name = "c", .type = ETL_ANY };
	struct etl_builder *builder = builder_of(&from, 1, 8);

	ck_assert(etl_put_any(builder->columns, tag, v, size));
	return put((struct encode_column){ .oid = oid, .modifier = NONE }, &from, builder);
}

static const char *bytes(uint32_t oid, const char *type, const char *v, int64_t size)
{
	const struct etl_column from = column_of("c", type);
	struct etl_builder *builder = builder_of(&from, 1, 8);

	ck_assert(etl_put_bytes(builder->columns, v, size));
	return put((struct encode_column){ .oid = oid, .modifier = NONE }, &from, builder);
}

#define expect(oid, modifier, type, text, wanted) \
	ck_assert_str_eq(field(oid, modifier, type, text), wanted)

START_TEST(integers)
{
	expect(OID_INT8, NONE, "bigint", "1", "0000000000000001");
	expect(OID_INT8, NONE, "int64", "-9223372036854775808", "8000000000000000");
	expect(OID_INT4, NONE, "bigint", "-2", "fffffffe");
	expect(OID_INT4, NONE, "bigint", "2147483647", "7fffffff");
	expect(OID_INT4, NONE, "bigint", "2147483648", "out_of_range");
	expect(OID_INT4, NONE, "bigint", "-2147483649", "out_of_range");
	expect(OID_INT2, NONE, "integer", "-32768", "8000");
	expect(OID_INT2, NONE, "integer", "32768", "out_of_range");
	expect(OID_INT8, NONE, "smallint", "-7", "fffffffffffffff9");
	/* Through another type, exactly or not at all. */
	expect(OID_INT4, NONE, "text", "12", "0000000c");
	expect(OID_INT4, NONE, "text", "12x", "not_a_number");
	expect(OID_INT4, NONE, "float64", "1.5", "too_precise");
	expect(OID_BOOL, NONE, "bool", "true", "01");
	expect(OID_BOOL, NONE, "integer", "2", "not_a_bool");
}
END_TEST

START_TEST(nulls)
{
	struct etl_column from = column_of("c", "bigint");
	struct etl_builder *builder = builder_of(&from, 1, 8);

	expect(OID_INT8, NONE, "bigint", NULL, "ffffffff");
	expect(OID_NUMERIC, NUMERIC(5, 2), "text", NULL, "ffffffff");
	etl_put_null(builder->columns);
	ck_assert_str_eq(put((struct encode_column){ .oid = OID_INT8, .modifier = NONE, .not_null = true },
			     &from, builder),
			 "not_null");
}
END_TEST

START_TEST(floats)
{
	expect(OID_FLOAT8, NONE, "float64", "1.5", "3ff8000000000000");
	expect(OID_FLOAT8, NONE, "float64", "NaN", "7ff8000000000000");
	expect(OID_FLOAT4, NONE, "float32", "-0.5", "bf000000");
	expect(OID_FLOAT4, NONE, "float64", "0.1", "too_precise");
	expect(OID_FLOAT4, NONE, "float64", "1e300", "out_of_range");
	expect(OID_FLOAT8, NONE, "numeric", "0.1", "3fb999999999999a");
}
END_TEST

START_TEST(numerics)
{
	expect(OID_NUMERIC, NONE, "numeric", "12345.678", "0003000100000003000109291a7c");
	expect(OID_NUMERIC, NONE, "numeric", "-0.00012", "0002ffff40000005000107d0");
	expect(OID_NUMERIC, NONE, "numeric", "0", "0000000000000000");
	expect(OID_NUMERIC, NONE, "numeric", "0.000", "0000000000000003");
	expect(OID_NUMERIC, NONE, "numeric", "-0.0", "0000000000000001");
	expect(OID_NUMERIC, NONE, "numeric", "1.00", "00010000000000020001");
	expect(OID_NUMERIC, NONE, "numeric", "10000", "00010001000000000001");
	expect(OID_NUMERIC, NONE, "numeric", "100000000.5", "00040002000000010001000000001388");
	expect(OID_NUMERIC, NONE, "bigint", "-9223372036854775808",
	       "0005000440000000039a0d2c0170156516b0");
	expect(OID_NUMERIC, NONE, "bigint", "10000", "00010001000000000001");
	expect(OID_NUMERIC, NONE, "decimal(10,2)", "1.00", "00010000000000020001");
	expect(OID_NUMERIC, NONE, "decimal(38,3)", "99999999999999999999999999999999999.999",
	       "000a00080000000303e7270f270f270f270f270f270f270f270f2706");
	expect(OID_NUMERIC, NONE, "decimal(5,5)", "-0.00012", "0002ffff40000005000107d0");
	expect(OID_NUMERIC, NONE, "decimal(6,3)", "0", "0000000000000003");
	expect(OID_NUMERIC, NONE, "float64", "0.1", "0001ffff0000000103e8");
}
END_TEST

/* numeric(P,S) rounds what is finer and refuses what is larger: here both are refused. */
START_TEST(numerics_with_a_modifier)
{
	expect(OID_NUMERIC, NUMERIC(5, 2), "numeric", "999.99", "000200000000000203e726ac");
	expect(OID_NUMERIC, NUMERIC(5, 2), "numeric", "1000", "out_of_range");
	expect(OID_NUMERIC, NUMERIC(5, 2), "numeric", "0.001", "too_precise");
	expect(OID_NUMERIC, NUMERIC(5, 2), "numeric", "0.010", "0001ffff000000030064");
	expect(OID_NUMERIC, NUMERIC(5, 2), "bigint", "999", "000100000000000003e7");
	expect(OID_NUMERIC, NUMERIC(5, 2), "bigint", "1000", "out_of_range");
	expect(OID_NUMERIC, NUMERIC(5, 2), "decimal(5,2)", "-1.50", "000200004000000200011388");
	expect(OID_NUMERIC, NUMERIC(5, 2), "decimal(6,3)", "1.501", "too_precise");
	expect(OID_NUMERIC, NUMERIC(5, 2), "decimal(6,2)", "1000.00", "out_of_range");
	expect(OID_NUMERIC, NUMERIC(2, -3), "bigint", "99000", "000200010000000000092328");
	expect(OID_NUMERIC, NUMERIC(2, -3), "bigint", "1500", "too_precise");
	expect(OID_NUMERIC, NUMERIC(2, -3), "numeric", "1500", "too_precise");
	expect(OID_NUMERIC, NUMERIC(2, -3), "bigint", "100000", "out_of_range");
	/* A unit that no integer reaches. */
	expect(OID_NUMERIC, NUMERIC(3, -18), "bigint", "1000000000000000000", "0001000400000000" "0064");
	expect(OID_NUMERIC, NUMERIC(3, -18), "bigint", "1000000000000000001", "too_precise");
	expect(OID_NUMERIC, NUMERIC(3, -19), "bigint", "1000000000000000000", "too_precise");
	expect(OID_NUMERIC, NUMERIC(3, -20), "bigint", "-5", "too_precise");
	expect(OID_NUMERIC, NUMERIC(3, -20), "numeric", "5", "too_precise");
	expect(OID_NUMERIC, NUMERIC(3, -20), "decimal(5,0)", "5", "too_precise");
	expect(OID_NUMERIC, NUMERIC(3, -20), "bigint", "0", "0000000000000000");
}
END_TEST

START_TEST(texts)
{
	expect(OID_TEXT, NONE, "text", "", "00000000");
	expect(OID_TEXT, NONE, "text", "h\303\251", "68c3a9");
	expect(OID_VARCHAR, VARCHAR(3), "text", "\303\251\303\251\303\251", "c3a9c3a9c3a9");
	expect(OID_VARCHAR, VARCHAR(3), "text", "abcd", "too_long");
	expect(OID_VARCHAR, VARCHAR(3), "text", "abc ", "too_long");
	expect(OID_BPCHAR, VARCHAR(4), "text", "ab", "6162");
	expect(OID_TEXT, NONE, "bigint", "12", "3132");
	expect(OID_TEXT, NONE, "bool", "1", "74727565");
	ck_assert_str_eq(bytes(OID_TEXT, "text", "a\0b", 3), "nul_byte");
	ck_assert_str_eq(bytes(OID_TEXT, "text", "abcdefgh\0", 9), "nul_byte");
	ck_assert_str_eq(bytes(OID_TEXT, "text", "abcdefg\377", 8), "invalid_utf8");
	ck_assert_str_eq(bytes(OID_TEXT, "text", "\355\240\200", 3), "invalid_utf8");
	ck_assert_str_eq(bytes(OID_BYTEA, "bytes", "a\0\377", 3), "6100ff");
	ck_assert_str_eq(bytes(OID_TEXT, "bytes", "a", 1), "type");
}
END_TEST

START_TEST(moments)
{
	expect(OID_DATE, NONE, "date", "1999-12-31", "ffffffff");
	expect(OID_DATE, NONE, "date", "2000-01-01", "00000000");
	expect(OID_DATE, NONE, "text", "2023-02-29", "not_a_date");
	expect(OID_DATE, NONE, "date", "-004713-11-23", "out_of_range");
	expect(OID_DATE, NONE, "date", "-004713-11-24", "ffda97a7");
	expect(OID_TIMESTAMPTZ, NONE, "timestamptz", "2000-01-01 00:00:01Z", "00000000000f4240");
	expect(OID_TIMESTAMP, NONE, "timestamp", "2000-01-01 00:00:00.000001", "0000000000000001");
	expect(OID_TIMESTAMP, 0, "timestamp", "2000-01-01 00:00:00.5", "too_precise");
	expect(OID_TIMESTAMP, 1, "timestamp", "2000-01-01 00:00:00.5", "000000000007a120");
	expect(OID_TIMESTAMP, NONE, "timestamp", "-004714-01-01 00:00:00", "out_of_range");
	expect(OID_TIMESTAMP, NONE, "date", "2000-01-02", "000000141dd76000");
	expect(OID_TIME, NONE, "time", "00:00:01", "00000000000f4240");
	expect(OID_TIME, NONE, "text", "24:61", "not_a_time");
}
END_TEST

START_TEST(others)
{
	static const char *const labels[] = { "blue", "green", "red" };
	const struct etl_column from = column_of("c", "text");
	struct encode_column column = {
		.oid = 70000, .modifier = NONE, .labels = labels, .label_count = 3
	};
	struct etl_builder *builder;

	expect(OID_UUID, NONE, "uuid", "00112233-4455-6677-8899-aabbccddeeff",
	       "00112233445566778899aabbccddeeff");
	expect(OID_UUID, NONE, "text", "0011", "not_a_uuid");
	expect(OID_JSONB, NONE, "json", "{}", "017b7d");
	expect(OID_JSON, NONE, "json", "{}", "7b7d");
	expect(OID_JSON, NONE, "text", "{", "not_json");
	expect(OID_JSON, NONE, "json", "\"\\u0000\"", "225c753030303022");
	expect(OID_JSONB, NONE, "json", "\"\\u0000\"", "nul_byte");
	expect(OID_JSONB, NONE, "json", "\"\\\\u0000\"", "01225c5c753030303022");
	expect(OID_JSONB, NONE, "json", "\"\\ud800\"", "invalid_utf8");
	expect(OID_JSONB, NONE, "json", "\"\\udc00\\ud800\"", "invalid_utf8");
	expect(OID_JSONB, NONE, "json", "\"\\ud83d\\ude00\"", "01225c75643833645c756465303022");
	builder = builder_of(&from, 1, 8);
	put_text(builder->columns, "green");
	ck_assert_str_eq(put(column, &from, builder), "677265656e");
	builder = builder_of(&from, 1, 8);
	put_text(builder->columns, "gree");
	ck_assert_str_eq(put(column, &from, builder), "not_a_label");
	/* What the server reads from its text: an interval. */
	builder = builder_of(&from, 1, 8);
	put_text(builder->columns, "1 day");
	ck_assert_str_eq(put((struct encode_column){ .oid = 1186, .modifier = NONE, .by_text = true },
			     &from, builder),
			 "3120646179");
	builder = builder_of(&(struct etl_column){ .name = "c", .type = ETL_JSON }, 1, 8);
	put_text(builder->columns, "[1, null, \"a\\\"\\u00e9\\\\\", [true]]");
	ck_assert_str_eq(put((struct encode_column){ .oid = 1007, .modifier = NONE, .by_text = true, .list = true },
			     &(struct etl_column){ .name = "c", .type = ETL_JSON }, builder),
			 "7b312c6e756c6c2c22615c22c3a95c5c222c7b747275657d7d");
	builder = builder_of(&(struct etl_column){ .name = "c", .type = ETL_JSON }, 1, 8);
	ck_assert(etl_put_bytes(builder->columns, "[\"\377\"]", 5));
	ck_assert_str_eq(put((struct encode_column){ .oid = 1009, .modifier = NONE, .by_text = true, .list = true },
			     &(struct etl_column){ .name = "c", .type = ETL_JSON }, builder),
			 "invalid_utf8");
	ck_assert(!encode_knows(1186));
	ck_assert(encode_knows(OID_NUMERIC) && encode_knows(OID_BPCHAR));
}
END_TEST

START_TEST(any_values)
{
	const int64_t whole = 7;
	const double real = 0.5;

	ck_assert_str_eq(any(OID_INT4, ETL_ANY_INT, &whole, 8), "00000007");
	ck_assert_str_eq(any(OID_TEXT, ETL_ANY_INT, &whole, 8), "37");
	ck_assert_str_eq(any(OID_TEXT, ETL_ANY_TEXT, "a\0", 2), "nul_byte");
	ck_assert_str_eq(any(OID_TEXT, ETL_ANY_TEXT, "\377", 1), "invalid_utf8");
	ck_assert_str_eq(any(OID_BYTEA, ETL_ANY_BLOB, "\0\377", 2), "00ff");
	ck_assert_str_eq(any(OID_NUMERIC, ETL_ANY_REAL, &real, 8), "0001ffff000000011388");
	ck_assert_str_eq(any(OID_TEXT, ETL_ANY_BLOB, "a", 1), "type");
}
END_TEST

/* The server holds no row of 1 GiB, whatever its columns have: what would be too much is not even copied. */
START_TEST(rows_that_are_too_big)
{
	static const char *const types[] = { "text", "bytes", "json" };
	static const uint32_t oids[] = { OID_TEXT, OID_BYTEA, OID_JSONB };

	for (size_t i = 0; i < 3; i++) {
		const struct etl_column from = column_of("c", types[i]);
		struct ArrowSchema schema = schema_of(&from, 1);
		struct encode_column column = { .name = "c", .oid = oids[i], .modifier = NONE };
		struct etl_builder *builder = builder_of(&from, 1, 8);
		struct etl_view *view = etl_view_new(&schema);
		struct encode_buffer b = { .row = 7, .used = ENCODE_FIELD_MAX - 7, .room = ENCODE_FIELD_MAX + 100 };
		struct ArrowArray batch = { 0 };

		ck_assert(etl_put_bytes(builder->columns, "[12345678901234]", 16));
		ck_assert(etl_builder_finish(builder, &batch) && etl_view_set(view, &batch));
		ck_assert(encode_choose(&column, schema.children[0]));
		ck_assert_str_eq(column.put(&column, view->columns, 0, &b), "row_too_big");
		ck_assert_uint_eq(b.used, ENCODE_FIELD_MAX - 7);
		batch.release(&batch);
		etl_view_free(view);
		etl_builder_free(builder);
		schema.release(&schema);
	}
}
END_TEST

/* A column that comes first, for rows whose place is asked for later; and the ends of a COPY. */
START_TEST(places)
{
	const struct etl_column from = column_of("c", "smallint");
	struct ArrowSchema schema = schema_of(&from, 1);
	struct encode_column column = { .name = "c", .oid = OID_INT2, .modifier = NONE };
	struct etl_builder *builder = builder_of(&from, 1, 8);
	struct etl_view *view = etl_view_new(&schema);
	struct encode_buffer b = { 0 };
	struct ArrowArray batch = { 0 };
	size_t at;

	put_text(builder->columns, "5");
	ck_assert(etl_builder_finish(builder, &batch) && etl_view_set(view, &batch));
	ck_assert(encode_choose(&column, schema.children[0]));
	ck_assert(encode_begin(&b));
	ck_assert_str_eq(hex(&b, 0), "5047434f50590aff0d0a000000000000000000");
	ck_assert_ptr_null(encode_row(&column, 1, view, 0, 3, &b, &at));
	ck_assert(encode_end(&b));
	ck_assert_str_eq(hex(&b, 19), "0002000000080000000000000003000000020005ffff");
	batch.release(&batch);
	etl_view_free(view);
	etl_builder_free(builder);
	schema.release(&schema);
	free(b.at);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("postgres encode");
	TCase *tests = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_add_test(tests, integers);
	tcase_add_test(tests, nulls);
	tcase_add_test(tests, floats);
	tcase_add_test(tests, numerics);
	tcase_add_test(tests, numerics_with_a_modifier);
	tcase_add_test(tests, texts);
	tcase_add_test(tests, moments);
	tcase_add_test(tests, others);
	tcase_add_test(tests, any_values);
	tcase_add_test(tests, rows_that_are_too_big);
	tcase_add_test(tests, places);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
