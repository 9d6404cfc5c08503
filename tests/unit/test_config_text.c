/*
 * Settings of every kind are written as a pipeline file and read back as what they were: `discover` writes with
 * this what a person wrote.
 */
#include "config.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "../../core/config-text.h"

static char *written(const config_t *config)
{
	const config_setting_t *root = config_root_setting(config);
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	ck_assert_ptr_nonnull(out);
	for (int i = 0; i < config_setting_length(root); i++)
		config_text_member(out, config_setting_get_elem(root, (unsigned)i));
	ck_assert_int_eq(fclose(out), 0);
	return text;
}

/* TEXT, read and written, is EXPECTED; that, read and written again, stays. */
static void becomes(const char *text, const char *expected)
{
	config_t config;
	char *once, *twice;

	config_init(&config);
	ck_assert_msg(config_read_string(&config, text) == CONFIG_TRUE, "%s", text);
	once = written(&config);
	config_destroy(&config);
	ck_assert_str_eq(once, expected);
	config_init(&config);
	ck_assert_msg(config_read_string(&config, once) == CONFIG_TRUE, "%s", once);
	twice = written(&config);
	config_destroy(&config);
	ck_assert_str_eq(twice, expected);
	free(once);
	free(twice);
}

START_TEST(values_of_every_kind)
{
	becomes("a : 1", "a = 1;\n");
	becomes("a = -2147483648;", "a = -2147483648;\n");
	becomes("a = 9000000000L;", "a = 9000000000L;\n");
	becomes("a = 5L;", "a = 5L;\n");
	becomes("a = 0.5; b = 1e300; c = 2.0;",
		"a = 0.50000000000000000;\nb = 1.0000000000000001e+300;\nc = 2.0000000000000000;\n");
	becomes("a = TRUE; b = false;", "a = true;\nb = false;\n");
	becomes("a = \"\";", "a = \"\";\n");
	becomes("a = \"it's \\\"\\\\\\n\\t\\x01\\x7f \u00e4\";", "a = \"it's \\\"\\\\\\n\\x09\\x01\\x7f \u00e4\";\n");
}
END_TEST

START_TEST(short_groups_stand_on_one_line)
{
	becomes("a = { b = 1; c = [ 1, 2 ]; d = ( \"x\", { e = true; } ); };",
		"a = { b = 1; c = [ 1, 2 ]; d = ( \"x\", { e = true; } ); };\n");
	becomes("a = { }; b = ( ); c = [ ];", "a = { };\nb = ( );\nc = [ ];\n");
}
END_TEST

START_TEST(long_groups_stand_on_lines_of_their_own)
{
	becomes("a = { path = \"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234\"; "
		"b = ( 1, { c = 2; } ); };",
		"a = {\n"
		"    path = \"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234\";\n"
		"    b = ( 1, { c = 2; } );\n"
		"};\n");
	becomes("a = [ \"0123456789012345678901234567890123456789\", \"0123456789012345678901234567890123456789\" ];",
		"a = [\n"
		"    \"0123456789012345678901234567890123456789\",\n"
		"    \"0123456789012345678901234567890123456789\"\n"
		"];\n");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("config text");
	TCase *tests = tcase_create("config text");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tests, values_of_every_kind);
	tcase_add_test(tests, short_groups_stand_on_one_line);
	tcase_add_test(tests, long_groups_stand_on_lines_of_their_own);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
