/*
 * A map of keys: what was added is found both ways, and it is the same in memory as in files.
 */
#include "config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../core/map-set.h"

#define KEYS 40000

static void key_of(unsigned n, uint8_t ret[MAP_KEY])
{
	memset(ret, 0, MAP_KEY);
	n = n * 2654435761u;
	memcpy(ret, &n, sizeof(n));
}

/* Of two tables that share all texts, and some of whose keys are long. */
static size_t text_of(unsigned n, char *buf)
{
	size_t size = (size_t)sprintf(buf, "%u", n / 2);

	if (n % 1000 < 2) {
		memset(buf + size, 'x', 400);
		size += 400;
	}
	return size;
}

static void fill(struct map_set *s)
{
	for (unsigned n = 0; n < KEYS; n++) {
		struct etl_error err = ERROR_INIT;
		uint8_t key[MAP_KEY];
		char text[500];
		size_t size = text_of(n, text);

		key_of(n, key);
		ck_assert(!map_set_find(s, n & 1, text, size));
		ck_assert(map_set_add(s, n & 1, text, size, key, n % 3 ? MAP_KNOWN : 0, &err) == 0);
	}
	ck_assert(map_set_count(s) == KEYS);
}

static void find(struct map_set *s)
{
	struct etl_error err = ERROR_INIT;
	struct map_entry *e, *new;
	uint8_t key[MAP_KEY];
	char text[500];

	for (unsigned n = 0; n < KEYS; n++) {
		size_t size = text_of(n, text), length;

		key_of(n, key);
		e = map_set_find(s, n & 1, text, size);
		ck_assert(e && memcmp(e->key, key, MAP_KEY) == 0 && e->flags == (n % 3 ? MAP_KNOWN : 0u));
		ck_assert(memcmp(map_set_text(s, e, &length), text, size) == 0 && length == size);
		ck_assert(map_set_find_new(s, n & 1, key, &new, &err) == 0 && new == e);
		ck_assert(map_set_find_new(s, !(n & 1), key, &new, &err) == 0 && !new);
		e->flags = MAP_SEEN;
		e->came = 7;
	}
	ck_assert(!map_set_find(s, 2, "1", 1) && !map_set_find(s, 0, "", 0));
	/* What comes behind is found by its new key too. */
	key_of(KEYS, key);
	ck_assert(map_set_add(s, 5, "", 0, key, 0, &err) == 0);
	ck_assert(map_set_find_new(s, 5, key, &new, &err) == 0 && new == map_set_find(s, 5, "", 0));
	for (size_t i = 0; i < KEYS; i++)
		ck_assert(map_set_at(s, i)->flags == MAP_SEEN && map_set_at(s, i)->came == 7);
}

static const size_t memories[] = { 64 << 20, 4 << 20, 1 };

START_TEST(found_both_ways)
{
	struct map_set *s = map_set_new(memories[_i]);

	ck_assert_ptr_nonnull(s);
	map_set_lock(s);
	fill(s);
	find(s);
	map_set_unlock(s);
	map_set_free(s);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("map-set");
	TCase *tcase = tcase_create("map-set");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tcase, 120);
	tcase_add_loop_test(tcase, found_both_ways, 0, sizeof(memories) / sizeof(memories[0]));
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
