/*
 * The rows of a target as hashes: what is found, what was not met, and that it is the same with a memory of a few kilobytes as
 * with one that holds all.
 */
#include "config.h"

#include <check.h>
#include <stdlib.h>

#include "../../core/changes-set.h"

#define AMPLE (64 << 20)
#define SCANT (4 << 10) /* 256 rows */

/* Spread as hashes are; the same for the same number. */
static uint64_t hash_of(uint64_t n)
{
	n += UINT64_C(0x9e3779b97f4a7c15);
	n = (n ^ n >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	n = (n ^ n >> 27) * UINT64_C(0x94d049bb133111eb);
	return n ^ n >> 31;
}

static struct etl_error err = ERROR_INIT;

static struct changes_set *set_of(size_t memory, uint64_t rows)
{
	struct changes_set *set = changes_set_new(memory);

	ck_assert_ptr_nonnull(set);
	for (uint64_t i = 0; i < rows; i++)
		ck_assert_int_eq(changes_set_add(set, hash_of(i), i, &err), 0);
	ck_assert_int_eq(changes_set_close(set, 0, &set, &err), 0);
	return set;
}

static enum changes_found meet_as(struct changes_set *set, uint32_t who, uint64_t key, uint64_t row)
{
	enum changes_found found;

	ck_assert_int_eq(changes_set_meet(set, key, row, who, &found, &err), 0);
	return found;
}

static enum changes_found meet(struct changes_set *set, uint64_t key, uint64_t row)
{
	return meet_as(set, 0, key, row);
}

static bool is_left(struct changes_set *set, uint64_t key)
{
	bool left;

	ck_assert_int_eq(changes_set_is_left(set, key, &left, &err), 0);
	return left;
}

static const size_t memories[] = { AMPLE, SCANT };
static const uint64_t sizes[] = { 1, 2, 31, 33, 255, 256, 257, 1000, 4096, 20000 };

/* Every third row comes as it is, every third otherwise, and the rest do not come. */
START_TEST(met_and_left)
{
	uint64_t rows = sizes[_i / 2], left = 0;
	struct changes_set *set = set_of(memories[_i % 2], rows);

	for (uint64_t i = 0; i < rows; i++) {
		if (i % 3 == 0)
			ck_assert_int_eq(meet(set, hash_of(i), i), CHANGES_SAME);
		else if (i % 3 == 1)
			ck_assert_int_eq(meet(set, hash_of(i), i + 1), CHANGES_OTHER);
		else
			left++;
	}
	for (uint64_t i = rows; i < rows + 1000; i++)
		ck_assert_int_eq(meet(set, hash_of(i), i), CHANGES_NONE);
	ck_assert_uint_eq(changes_set_left(set), left);
	for (uint64_t i = 0; i < rows; i++)
		ck_assert_int_eq(is_left(set, hash_of(i)), i % 3 == 2);
	ck_assert(!is_left(set, hash_of(rows)));
	changes_set_free(set);
}
END_TEST

START_TEST(met_twice_counts_once)
{
	struct changes_set *set = set_of(AMPLE, 10);

	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(meet(set, hash_of(4), 4), CHANGES_SAME);
	ck_assert_uint_eq(changes_set_left(set), 9);
	changes_set_free(set);
}
END_TEST

/* Whoever met it first may look again; another one is told; who claims nothing is nobody's hindrance. */
START_TEST(met_by_two)
{
	struct changes_set *set = set_of(memories[_i], 1000);

	ck_assert_int_eq(meet_as(set, 7, hash_of(400), 400), CHANGES_SAME);
	ck_assert_int_eq(meet_as(set, 8, hash_of(400), 400), CHANGES_TWICE);
	ck_assert_int_eq(meet_as(set, 8, hash_of(400), 1), CHANGES_TWICE);
	ck_assert_int_eq(meet_as(set, 7, hash_of(400), 1), CHANGES_OTHER);
	ck_assert_int_eq(meet(set, hash_of(400), 400), CHANGES_SAME);
	ck_assert_int_eq(meet(set, hash_of(401), 401), CHANGES_SAME);
	ck_assert_int_eq(meet_as(set, 9, hash_of(401), 401), CHANGES_SAME);
	ck_assert_uint_eq(changes_set_left(set), 998);
	changes_set_free(set);
}
END_TEST

START_TEST(nothing_in_it)
{
	struct changes_set *set = set_of(memories[_i], 0);

	ck_assert_int_eq(meet(set, 0, 0), CHANGES_NONE);
	ck_assert_int_eq(meet(set, UINT64_MAX, 0), CHANGES_NONE);
	ck_assert(!is_left(set, 7));
	ck_assert_uint_eq(changes_set_left(set), 0);
	changes_set_free(set);
}
END_TEST

/* The first and the last hash there are, and many of one: more than are read at once. */
START_TEST(crowded_hashes)
{
	struct changes_set *set = changes_set_new(memories[_i]);

	for (uint64_t i = 0; i < 1000; i++)
		ck_assert_int_eq(changes_set_add(set, i % 2 ? UINT64_MAX : 0, i, &err), 0);
	ck_assert_int_eq(changes_set_close(set, 0, &set, &err), 0);
	ck_assert_int_eq(meet(set, 0, 998), CHANGES_SAME);
	ck_assert_int_eq(meet(set, 0, 999), CHANGES_OTHER);
	ck_assert_uint_eq(changes_set_left(set), 500);
	ck_assert(!is_left(set, 0));
	ck_assert(is_left(set, UINT64_MAX));
	ck_assert_int_eq(meet(set, 1, 1), CHANGES_NONE);
	changes_set_free(set);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("changes_set");
	TCase *tests = tcase_create("changes_set");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(tests, met_and_left, 0, 2 * sizeof(sizes) / sizeof(*sizes));
	tcase_add_test(tests, met_twice_counts_once);
	tcase_add_loop_test(tests, met_by_two, 0, 2);
	tcase_add_loop_test(tests, nothing_in_it, 0, 2);
	tcase_add_loop_test(tests, crowded_hashes, 0, 2);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
