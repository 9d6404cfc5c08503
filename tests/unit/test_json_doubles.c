/*
 * Which rows are doubles: whatever the limit, and so in however many passes, the same as by looking at all rows before and behind.
 */
#include "config.h"

#include <check.h>
#include <stdlib.h>

#include "plugins/json/doubles.h"

enum { ROWS = 5000, KEYS = 1500 };

static uint64_t keys[ROWS + 1];

/* splitmix64: the keys' hashes are spread over all bits, as real ones are. */
static uint64_t spread(uint64_t x)
{
	x += 0x9e3779b97f4a7c15u;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

static void given_keys(uint64_t seed)
{
	for (uint64_t i = 1; i <= ROWS; i++)
		keys[i] = spread(seed + i) % KEYS;
}

static bool is_double(uint64_t row, bool last)
{
	for (uint64_t i = last ? row + 1 : 1; last ? i <= ROWS : i < row; i++)
		if (keys[i] == keys[row])
			return true;
	return false;
}

static size_t find(struct doubles *d, size_t limit, bool last)
{
	size_t passes = 0;
	bool done = true;

	json_doubles_begin(d, limit, last);
	do {
		for (uint64_t i = 1; i <= ROWS; i++) {
			done = done && json_doubles_add(d, spread(keys[i]), spread(~keys[i]), i);
			done = done && d->seen.count <= limit;
		}
		passes++;
	} while (json_doubles_more(d));
	ck_assert(done);
	return passes;
}

START_TEST(the_limit_changes_nothing_but_the_passes)
{
	static const size_t limits[] = { 1, 7, 100, 1000, KEYS, 10 * KEYS };
	struct doubles d = { 0 };
	size_t before = SIZE_MAX;

	for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++) {
		for (int last = 0; last < 2; last++) {
			size_t passes;

			given_keys(i);
			passes = find(&d, limits[i], last);
			ck_assert(passes >= KEYS / 2 / limits[i] && passes <= before);
			ck_assert(limits[i] < KEYS || passes == 1);
			for (uint64_t row = 1; row <= ROWS; row++)
				if (json_doubles_has(&d, row) != is_double(row, last))
					ck_abort_msg("limit %zu, row %d", limits[i], (int)row);
			before = last ? passes : before;
		}
	}
	json_doubles_free(&d);
}
END_TEST

START_TEST(a_sequence_forgets_the_one_before)
{
	struct doubles d = { 0 };

	given_keys(1);
	find(&d, 100, true);
	for (uint64_t i = 1; i <= ROWS; i++)
		keys[i] = i;
	find(&d, 100, true);
	for (uint64_t row = 0; row <= 2 * ROWS; row++)
		ck_assert(!json_doubles_has(&d, row));
	json_doubles_free(&d);
}
END_TEST

/* Keys whose hashes are the same in all the bits by which they could be halved: said, not turned in circles. */
START_TEST(hashes_that_cannot_be_halved)
{
	struct doubles d = { 0 };
	bool done = true;

	json_doubles_begin(&d, 1, false);
	do
		done = json_doubles_add(&d, 5, 1, 1) && json_doubles_add(&d, 5, 2, 2);
	while (done && json_doubles_more(&d));
	ck_assert(!done);
	json_doubles_free(&d);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("json doubles");
	TCase *c = tcase_create("doubles");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_set_timeout(c, 60);
	tcase_add_test(c, the_limit_changes_nothing_but_the_passes);
	tcase_add_test(c, a_sequence_forgets_the_one_before);
	tcase_add_test(c, hashes_that_cannot_be_halved);
	suite_add_tcase(s, c);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
