/*
 * The three spellings of a name in the target.
 */
#include "config.h"

#include <check.h>
#include <stdlib.h>

#include "names.h"

static const struct {
	enum names_rule rule;
	const char *name, *expected;
} cases[] = {
	{ NAMES_KEEP, "Order Details", "Order Details" },
	{ NAMES_LOWER, "OrderDetails", "orderdetails" },
	{ NAMES_LOWER, "ÄPFEL Zahl", "Äpfel zahl" },
	{ NAMES_SNAKE, "CamelCase", "camel_case" },
	{ NAMES_SNAKE, "HTTPServer2Go", "http_server2_go" },
	{ NAMES_SNAKE, "orderId", "order_id" },
	{ NAMES_SNAKE, "Order Details", "order_details" },
	{ NAMES_SNAKE, "Order - Details", "order_details" },
	{ NAMES_SNAKE, "Order_Details", "order_details" },
	{ NAMES_SNAKE, "order__details", "order_details" },
	{ NAMES_SNAKE, "_Private", "_private" },
	{ NAMES_SNAKE, "ID", "id" },
	{ NAMES_SNAKE, "größeCm", "größe_cm" },
	{ NAMES_SNAKE, "a{B", "a{b" },
	{ NAMES_SNAKE, "a/B:C", "a/b:c" },
	{ NAMES_SNAKE, "HTTP{x", "http{x" },
	{ NAMES_SNAKE, "AB1", "ab1" },
	{ NAMES_SNAKE, "", "" },
};

START_TEST(each_rule)
{
	char *got = NULL;

	ck_assert_int_eq(name_transform(cases[_i].rule, cases[_i].name, &got), ETL_OK);
	ck_assert_str_eq(got, cases[_i].expected);
	free(got);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("names");
	TCase *t = tcase_create("names");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(t, each_rule, 0, (int)(sizeof(cases) / sizeof(*cases)));
	suite_add_tcase(suite, t);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
