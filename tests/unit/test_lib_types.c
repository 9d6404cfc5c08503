/* Types by their names, and the Arrow schemas that say them. */
#include "config.h"

#include <check.h>
#include <stdlib.h>

#include "lib_batch.h"

static void expect_type(const char *text, const char *name, int64_t length)
{
	struct etl_type_info type = { 0, 0, 0 };
	int64_t got = -7;
	char buf[32];

	ck_assert_msg(etl_type_parse(text, &type, &got), "%s", text);
	ck_assert_str_eq(etl_type_name(type, buf, sizeof(buf)), name);
	ck_assert_int_eq(got, length);
}

START_TEST(sql_spellings_are_types)
{
	expect_type("integer", "int32", 0);
	expect_type("BIGINT", "int64", 0);
	expect_type("VarChar(20)", "text", 20);
	expect_type("character  varying ( 7 )", "text", 7);
	expect_type("nvarchar(max)", "text", 0);
	expect_type("numeric(10,2)", "decimal(10,2)", 0);
	expect_type("decimal(9)", "decimal(9,0)", 0);
	expect_type("numeric", "numeric", 0);
	expect_type("numeric(60,4)", "numeric", 0);
	expect_type("timestamp(3) with time zone", "instant", 0);
	expect_type("timestamp without time zone", "timestamp", 0);
	expect_type("double precision", "float64", 0);
	expect_type("float(24)", "float32", 0);
	expect_type("varbinary(16)", "bytes", 16);
	expect_type("UNIQUEIDENTIFIER", "uuid", 0);
	expect_type("jsonb", "json", 0);
	expect_type("decimal(38,38)", "decimal(38,38)", 0);
}
END_TEST

START_TEST(what_is_no_type_is_refused)
{
	static const char *const wrong[] = { "", " ", "strange", "numeric(2,5)", "numeric(0)", "int(", "text)",
					     "varchar(x)", "uuid(3)", "numeric(1,2,3)", "integer(max)" };
	struct etl_type_info type = { 42, 1, 2 };
	int64_t length = 3;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		ck_assert_msg(!etl_type_parse(wrong[i], &type, &length), "%s", wrong[i]);
	ck_assert_int_eq(type.type, 42);
	ck_assert_int_eq(length, 3);
}
END_TEST

START_TEST(every_type_survives_its_schema)
{
	static const char *const names[] = { "bool", "int16", "int32", "int64", "float32", "float64",
					     "decimal(10,2)", "numeric", "text", "bytes", "date", "time",
					     "timestamp", "instant", "uuid", "json", "any" };
	enum { COUNT = sizeof(names) / sizeof(names[0]) };
	struct etl_column columns[COUNT];
	struct ArrowSchema schema, copy;
	char buf[32];

	for (size_t i = 0; i < COUNT; i++)
		columns[i] = column_of(names[i], names[i]);
	columns[3].flags = ETL_NOT_NULL;
	schema = schema_of(columns, COUNT);
	ck_assert(etl_schema_copy(&copy, &schema));
	schema.release(&schema);
	ck_assert(!schema.release);
	for (size_t i = 0; i < COUNT; i++) {
		ck_assert_str_eq(etl_type_name(etl_type_of(copy.children[i]), buf, sizeof(buf)), names[i]);
		ck_assert_int_eq(etl_schema_find(&copy, names[i]), (int64_t)i);
		ck_assert_int_eq(copy.children[i]->flags, i == 3 ? 0 : ARROW_FLAG_NULLABLE);
	}
	ck_assert_str_eq(copy.children[6]->format, "d:10,2");
	ck_assert_int_eq(etl_schema_find(&copy, "absent"), -1);
	copy.release(&copy);
}
END_TEST

START_TEST(formats_outside_the_profile_are_none)
{
	static const char *const formats[] = { "L", "U", "w:16", "tsu:Europe/Berlin", "tss:", "d:39,2", "d:5,6",
					       "d:10,2,256", "+l", "d:1,1x" };

	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		struct ArrowSchema schema = { .format = formats[i] };

		ck_assert_msg(etl_type_of(&schema).type == ETL_TYPE_NONE, "%s", formats[i]);
	}
}
END_TEST

START_TEST(a_type_that_does_not_cross_makes_no_schema)
{
	struct etl_column columns[2] = { { .name = "a", .type = ETL_INT64 }, { .name = "b" } };
	struct ArrowSchema schema = { .release = NULL };

	ck_assert(!etl_schema_make(&schema, columns, 2, sizeof(columns[0])));
	ck_assert(!schema.release);
}
END_TEST

START_TEST(a_sqlstate_says_what_to_do_next)
{
	ck_assert_int_eq(etl_sqlstate_class("40001"), ETL_RETRY_STATEMENT);
	ck_assert_int_eq(etl_sqlstate_class("40003"), ETL_OUTCOME_UNKNOWN);
	ck_assert_int_eq(etl_sqlstate_class("08006"), ETL_RETRY_CONNECTION);
	ck_assert_int_eq(etl_sqlstate_class("53300"), ETL_FEWER_WORKERS);
	ck_assert_int_eq(etl_sqlstate_class("23505"), ETL_DATA);
	ck_assert_int_eq(etl_sqlstate_class("42P01"), ETL_FATAL);
	ck_assert_int_eq(etl_sqlstate_class(NULL), ETL_FATAL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("lib types");
	TCase *tests = tcase_create("types");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tests, sql_spellings_are_types);
	tcase_add_test(tests, what_is_no_type_is_refused);
	tcase_add_test(tests, every_type_survives_its_schema);
	tcase_add_test(tests, formats_outside_the_profile_are_none);
	tcase_add_test(tests, a_type_that_does_not_cross_makes_no_schema);
	tcase_add_test(tests, a_sqlstate_says_what_to_do_next);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
