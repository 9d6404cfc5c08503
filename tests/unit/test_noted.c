/*
 * Values that were changed by a policy are counted by their code, and what one process wrote down another adds.
 */
#include "config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../core/noted.h"

START_TEST(counted_by_code)
{
	struct noted one = { .at = NULL }, all = { .at = NULL };

	noted_add(&one, "nul", "NUL removed", 2);
	noted_add(&one, "utf8", "bytes replaced", 1);
	noted_add(&one, "nul", "said otherwise", 3);
	noted_add_all(&all, &one);
	noted_add_all(&all, &one);
	ck_assert_uint_eq(all.count, 2);
	ck_assert_str_eq(all.at[0].code, "nul");
	ck_assert_str_eq(all.at[0].text, "NUL removed");
	ck_assert_uint_eq(all.at[0].count, 10);
	ck_assert_uint_eq(all.at[1].count, 2);
	noted_clear(&one);
	noted_clear(&all);
}
END_TEST

/* A plugin with more codes than anybody reads loses none of its counts. */
START_TEST(more_codes_than_are_told)
{
	struct noted noted = { .at = NULL };
	uint64_t sum = 0;
	char code[16];

	for (int i = 0; i < 3 * NOTED_CODES; i++) {
		snprintf(code, sizeof(code), "code%d", i);
		noted_add(&noted, code, "text", 1);
	}
	for (size_t i = 0; i < noted.count; i++)
		sum += noted.at[i].count;
	ck_assert_uint_eq(noted.count, NOTED_CODES);
	ck_assert_uint_eq(sum, 3 * NOTED_CODES);
	noted_clear(&noted);
}
END_TEST

START_TEST(written_down_and_read)
{
	char lengthy[3 * NOTED_TEXT];
	struct noted noted = { .at = NULL }, again = { .at = NULL };
	uint64_t *numbers;
	size_t size;

	memset(lengthy, 'x', sizeof(lengthy));
	lengthy[sizeof(lengthy) - 1] = '\0';
	noted_add(&noted, "short", "text", UINT64_MAX - 1);
	noted_add(&noted, lengthy, lengthy, 7);
	noted_add(&noted, lengthy, lengthy, 1);
	size = noted_size(&noted);
	numbers = calloc(size, sizeof(*numbers));
	ck_assert_ptr_nonnull(numbers);
	noted_pack(&noted, numbers);
	ck_assert(noted_unpack(&again, numbers, size));
	ck_assert_uint_eq(again.count, 2);
	ck_assert_uint_eq(again.at[0].count, UINT64_MAX - 1);
	ck_assert_uint_eq(again.at[1].count, 8);
	ck_assert_uint_eq(strlen(again.at[1].code), NOTED_CODE - 1);
	ck_assert_str_eq(again.at[0].text, "text");
	ck_assert(noted_unpack(&again, numbers, 0));
	ck_assert(!noted_unpack(&again, numbers, size - 1));
	free(numbers);
	noted_clear(&noted);
	noted_clear(&again);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("noted");
	TCase *tests = tcase_create("noted");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tests, counted_by_code);
	tcase_add_test(tests, more_codes_than_are_told);
	tcase_add_test(tests, written_down_and_read);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
