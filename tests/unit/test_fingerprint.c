/*
 * What differs between a run that was interrupted and one that would go on is named, each thing once, and not more
 * of them than a person reads.
 */
#include "config.h"

#include <check.h>
#include <stdlib.h>

#include "../../core/fingerprint.h"

static const struct {
	const char *then, *now, *differs; /* NULL: nothing does */
} cases[] = {
	{ "", "", NULL },
	{ "source 1\ntarget 2\n", "source 1\ntarget 2\n", NULL },
	{ "source 1\ntarget 2", "target 2\nsource 1", NULL },
	{ "source 1\ntarget 2\n", "source 1\ntarget 3\n", "target" },
	{ "source 1\n", "source 12\n", "source" },
	{ "source 12\n", "source 1\n", "source" },
	{ "table \"a\" 1\ntable \"b\" 2\n", "table \"b\" 2\ntable \"c\" 3\n", "table \"a\", table \"c\"" },
	{ "a 1\nb 1\nc 1\nd 1\ne 1\n", "a 2\nb 2\nc 2\nd 2\ne 2\n", "a, b, c, d, e" },
	{ "a 1\nb 1\nc 1\nd 1\ne 1\nf 1\ng 1\n", "a 2\nb 2\nc 2\nd 2\ne 2\nf 2\ng 2\n", "a, b, c, d, e, …" },
	{ "", "new 1", "new" },
	{ "old 1", "", "old" },
};

START_TEST(what_differs)
{
	char *differs = fingerprint_compare(cases[_i].then, cases[_i].now);

	ck_assert_str_eq(differs ? differs : "nothing", cases[_i].differs ? cases[_i].differs : "nothing");
	free(differs);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("fingerprint");
	TCase *tests = tcase_create("fingerprint");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(tests, what_differs, 0, (int)(sizeof(cases) / sizeof(*cases)));
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
