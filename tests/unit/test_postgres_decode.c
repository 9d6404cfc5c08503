/* The bytes of COPY's binary format, as the server was seen to send them, become values or are refused with their word. */
#include "config.h"

#include <check.h>
#include <stdlib.h>

#include "lib_batch.h"
#include "../../plugins/postgres/decode.h"

static size_t unhex(const char *hex, uint8_t *bytes)
{
	size_t count = 0;
	unsigned byte;

	for (; sscanf(hex, "%2x", &byte) == 1; hex += 2)
		bytes[count++] = (uint8_t)byte;
	return count;
}

/* What HEX of a type is as WANT: the value as a person reads it, or the code in parentheses. */
static void decode(uint32_t oid, const char *want, const char *hex, bool checked, struct etl_text *ret)
{
	struct etl_column column = column_of("c", want);
	struct ArrowSchema schema = schema_of(&column, 1);
	struct etl_builder *builder = builder_of(&column, 1, 1);
	struct etl_view *view = etl_view_new(&schema);
	struct decode_column c = { .name = "c", .oid = oid };
	struct ArrowArray batch;
	uint8_t *bytes = malloc(strlen(hex) / 2 + 1); /* exactly as long, so that a tool sees what is read beyond */
	size_t size = unhex(hex, bytes);
	const char *code;

	ck_assert(decode_choose(&c, etl_type_of(schema.children[0]), checked));
	code = decode_value(&c, &builder->columns[0], bytes, (int32_t)size);
	ck_assert_int_eq(builder->columns[0].rows, code ? 0 : 1);
	if (code) {
		etl_text_addf(ret, "(%s)", code);
	} else {
		ck_assert(etl_builder_finish(builder, &batch));
		ck_assert(etl_view_set(view, &batch));
		etl_text_add_value(ret, &view->columns[0], 0);
		batch.release(&batch);
	}
	decode_clear(&c);
	etl_view_free(view);
	etl_builder_free(builder);
	schema.release(&schema);
	free(bytes);
}

static void expect(uint32_t oid, const char *want, const char *hex, const char *expected)
{
	struct etl_text text = { 0 };

	decode(oid, want, hex, false, &text);
	ck_assert_msg(strcmp(text.at ? text.at : "", expected) == 0, "%u %s as %s: %s, not %s", oid, hex,
		      want, text.at, expected);
	etl_text_free(&text);
}

START_TEST(whole_numbers)
{
	expect(OID_INT8, "int64", "0000000000000001", "1");
	expect(OID_INT8, "int64", "8000000000000000", "-9223372036854775808");
	expect(OID_INT4, "int32", "80000000", "-2147483648");
	expect(OID_INT4, "int64", "ffffffff", "-1");
	expect(OID_INT2, "int16", "8000", "-32768");
	expect(OID_INT2, "int64", "7fff", "32767");
	expect(OID_INT2, "int32", "7fff", "32767");
	expect(OID_INT8, "int16", "0000000000010000", "(out_of_range)");
	expect(OID_OID, "int64", "ffffffff", "4294967295");
	expect(OID_BOOL, "bool", "01", "true");
	expect(OID_BOOL, "text", "00", "'false'");
	expect(OID_FLOAT8, "float64", "3ff8000000000000", "1.5");
	expect(OID_FLOAT4, "float32", "3fc00000", "1.5");
	expect(OID_FLOAT8, "float64", "fff0000000000000", "-Infinity");
	expect(OID_INT4, "int32", "0000", "(type)");
}
END_TEST

START_TEST(numerics)
{
	expect(OID_NUMERIC, "numeric", "000300010000000300010929" "1a7c", "12345.678");
	expect(OID_NUMERIC, "numeric", "0002ffff40000005000107d0", "-0.00012");
	expect(OID_NUMERIC, "numeric", "0000000000000000", "0");
	expect(OID_NUMERIC, "numeric", "0000000000000002", "0.00");
	expect(OID_NUMERIC, "numeric", "00010001000000000001", "10000");
	expect(OID_NUMERIC, "numeric", "000100000000000203e8", "1000.00");
	expect(OID_NUMERIC, "numeric", "0001fffe400000080001", "-0.00000001");
	expect(OID_NUMERIC, "numeric", "00000000c0000000", "(not_a_number)");
	expect(OID_NUMERIC, "numeric", "00000000d0000000", "(infinity)");
	expect(OID_NUMERIC, "text", "00000000c0000000", "'NaN'");
	expect(OID_NUMERIC, "text", "00000000f0000000", "'-Infinity'");
	expect(OID_NUMERIC, "decimal(10,3)", "0003000100000003000109291a7c", "12345.678");
	expect(OID_NUMERIC, "decimal(10,2)", "0003000100000003000109291a7c", "(too_precise)");
	expect(OID_NUMERIC, "decimal(7,3)", "0003000100000003000109291a7c", "(out_of_range)");
	expect(OID_NUMERIC, "decimal(38,5)", "0002ffff40000005000107d0", "-0.00012");
	expect(OID_NUMERIC, "decimal(38,4)", "0002ffff40000005000107d0", "(too_precise)");
	expect(OID_NUMERIC, "decimal(5,0)", "00010001000000000001", "10000");
	expect(OID_NUMERIC, "decimal(4,0)", "00010001000000000001", "(out_of_range)");
	/* Fewer digits than a group of the server's has. */
	expect(OID_NUMERIC, "decimal(3,0)", "000100000000000004d2", "(out_of_range)");
	expect(OID_NUMERIC, "decimal(3,0)", "000100004000000004d2", "(out_of_range)");
	expect(OID_NUMERIC, "decimal(3,0)", "000100000000000003e7", "999");
	expect(OID_NUMERIC, "decimal(1,0)", "0001000000000000000a", "(out_of_range)");
	expect(OID_NUMERIC, "decimal(2,1)", "00010000000000000063", "(out_of_range)");
	expect(OID_NUMERIC, "decimal(3,2)", "0002000000000002000904d2", "(too_precise)");
	expect(OID_NUMERIC, "decimal(3,2)", "000200000000000200091324", "9.49");
	expect(OID_NUMERIC, "decimal(38,38)", "0001fff7000000260064", "0.00000000000000000000000000000000010000");
	/* 10^38 - 1 and 10^38 */
	expect(OID_NUMERIC, "decimal(38,0)", "000a00090000000000" "63270f270f270f270f270f270f270f270f270f",
	       "99999999999999999999999999999999999999");
	expect(OID_NUMERIC, "decimal(38,0)", "0001000900000000" "0064", "(out_of_range)");
	expect(OID_NUMERIC, "decimal(10,2)", "00000000c0000000", "(not_a_number)");
	expect(OID_NUMERIC, "decimal(10,2)", "00000000d0000000", "(infinity)");
	expect(OID_NUMERIC, "int64", "000100000000000203e8", "1000");
	expect(OID_NUMERIC, "numeric", "000300010000", "(type)");
	expect(OID_NUMERIC, "numeric", "00030001000000030001", "(type)");
}
END_TEST

START_TEST(moments)
{
	expect(OID_DATE, "date", "ffffffff", "1999-12-31");
	expect(OID_DATE, "date", "00002279", "2024-02-29");
	expect(OID_DATE, "date", "7fffffff", "(infinity)");
	expect(OID_DATE, "date", "80000000", "(infinity)");
	expect(OID_TIMESTAMP, "timestamp", "00000000000f4240", "2000-01-01 00:00:01");
	expect(OID_TIMESTAMPTZ, "instant", "00000000000f4240", "2000-01-01 00:00:01Z");
	expect(OID_TIMESTAMPTZ, "instant", "7fffffffffffffff", "(infinity)");
	expect(OID_TIMESTAMPTZ, "instant", "8000000000000000", "(infinity)");
	expect(OID_TIMESTAMP, "timestamp", "7ffffffffffffffe", "(out_of_range)");
	expect(OID_TIME, "time", "000000141dd75fff", "23:59:59.999999");
}
END_TEST

START_TEST(texts)
{
	struct etl_text text = { 0 };

	expect(OID_TEXT, "text", "c3a9", "'é'");
	expect(OID_TEXT, "text", "", "''");
	expect(OID_BYTEA, "bytes", "00ff", "x'00ff'");
	expect(OID_JSONB, "json", "017b7d", "'{}'");
	expect(OID_JSONB, "json", "027b7d", "(type)");
	expect(OID_UUID, "uuid", "00112233445566778899aabbccddeeff", "00112233-4455-6677-8899-aabbccddeeff");
	expect(OID_CHAR, "text", "78", "'x'");
	expect(OID_CHAR, "text", "00", "''");
	expect(OID_TEXT, "int64", "3132", "12");
	/* A database whose encoding is none may hold anything. */
	decode(OID_TEXT, "text", "ff", true, &text);
	ck_assert_str_eq(text.at, "(invalid_utf8)");
	etl_text_free(&text);
}
END_TEST

/* For rejects: what no type has is shown in the server's words. */
START_TEST(odd_values_have_words)
{
	static const struct {
		uint32_t oid;
		const char *hex, *json;
	} odd[] = {
		{ OID_TIMESTAMP, "7fffffffffffffff", "\"infinity\"" },
		{ OID_TIMESTAMPTZ, "8000000000000000", "\"-infinity\"" },
		{ OID_DATE, "80000000", "\"-infinity\"" },
		{ OID_NUMERIC, "00000000c0000000", "\"NaN\"" },
		{ OID_INT4, "0000", "\"\\\\x0000\"" },
		{ OID_INT4, "00000007", "7" },
	};

	for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++) {
		struct etl_type_info want = { .type = decode_type(odd[i].oid) };
		struct decode_column c = { .name = "c", .oid = odd[i].oid };
		struct etl_text text = { 0 };
		uint8_t bytes[16];
		size_t size = unhex(odd[i].hex, bytes);

		ck_assert(decode_choose(&c, want, false));
		decode_add_json(&c, &text, bytes, (int32_t)size);
		ck_assert_str_eq(text.at, odd[i].json);
		etl_text_free(&text);
		decode_clear(&c);
	}
}
END_TEST

START_TEST(nulls)
{
	struct etl_column column = column_of("c", "int32");
	struct etl_builder *builder = builder_of(&column, 1, 1);
	struct decode_column c = { .name = "c", .oid = OID_INT4 };

	ck_assert(decode_choose(&c, builder->columns[0].type, false));
	c.required = true;
	ck_assert_str_eq(decode_value(&c, &builder->columns[0], NULL, -1), "not_null");
	c.required = false;
	ck_assert_ptr_null(decode_value(&c, &builder->columns[0], NULL, -1));
	ck_assert_int_eq(builder->columns[0].nulls, 1);
	decode_clear(&c);
	etl_builder_free(builder);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("postgres decode");
	TCase *t = tcase_create("decode");
	SRunner *r;
	int failed;

	tcase_add_test(t, whole_numbers);
	tcase_add_test(t, numerics);
	tcase_add_test(t, moments);
	tcase_add_test(t, texts);
	tcase_add_test(t, odd_values_have_words);
	tcase_add_test(t, nulls);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
