/*
 * Hashes of rows in chunks: what is laid over them is what a plain list would make of it, whatever came before, and only the
 * chunks that changed are written.
 */
#include "config.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "../../core/kept-chunks.h"

#define ROOM	64 /* chunks, times CHUNK_MOST rows */
#define COLUMNS UINT64_C(0x1122334455667788)

static struct etl_error err = ERROR_INIT;

static uint64_t hash_of(uint64_t n)
{
	n += UINT64_C(0x9e3779b97f4a7c15);
	n = (n ^ n >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	n = (n ^ n >> 27) * UINT64_C(0x94d049bb133111eb);
	return n ^ n >> 31;
}

/* A target: its chunks in their order. */
struct store {
	struct {
		int64_t number;
		uint8_t bytes[8 + 16 * (CHUNK_MOST + 1)];
		size_t size;
	} at[ROOM * 4];
	size_t count, next, written;
};

static int store_next(void *data, struct kept_piece *ret, struct etl_error *e)
{
	struct store *s = data;

	(void)e;
	if (s->next == s->count)
		return 0;
	*ret = (struct kept_piece){ .number = s->at[s->next].number, .bytes = s->at[s->next].bytes, .size = s->at[s->next].size };
	s->next++;
	return 1;
}

static void store_put(struct store *s, const struct kept_piece *piece)
{
	size_t i = 0;

	while (i < s->count && s->at[i].number < piece->number)
		i++;
	s->written++;
	if (i < s->count && s->at[i].number == piece->number) {
		memmove(&s->at[i], &s->at[i + 1], (s->count - i - 1) * sizeof(*s->at));
		s->count--;
	}
	if (!piece->bytes)
		return;
	memmove(&s->at[i + 1], &s->at[i], (s->count - i) * sizeof(*s->at));
	s->at[i].number = piece->number;
	s->at[i].size = piece->size;
	memcpy(s->at[i].bytes, piece->bytes, piece->size);
	s->count++;
	ck_assert_uint_le(s->count, ROOM * 4);
}

/* What comes, sorted by its keys. */
struct list {
	struct chunk_pairs pairs;
	struct chunk_pair at[ROOM * CHUNK_MOST];
	size_t count, next;
};

static int list_next(struct chunk_pairs *self, struct chunk_pair *ret, struct etl_error *e)
{
	struct list *l = (struct list *)(void *)self;

	(void)e;
	if (l->next == l->count)
		return 0;
	*ret = l->at[l->next++];
	return 1;
}

static int by_key(const void *a, const void *b)
{
	const struct chunk_pair *x = a, *y = b;

	return x->key < y->key ? -1 : x->key > y->key;
}

static void lay_over(struct store *s, struct list *l, uint64_t columns)
{
	static struct store next;
	static struct chunk_merge m;
	struct kept_piece piece;
	int rc;

	qsort(l->at, l->count, sizeof(*l->at), by_key);
	l->pairs.next = list_next;
	l->next = 0;
	next = *s;
	next.written = 0;
	s->next = 0;
	chunk_merge_init(&m, columns, &l->pairs, store_next, s);
	while ((rc = m.source.next(&m.source, &piece, &err)) > 0)
		store_put(&next, &piece);
	ck_assert_int_eq(rc, 0);
	*s = next;
}

/* Every row of ROWS (0: none) under hash_of of its place, and no other. */
static void expect(const struct store *s, const uint64_t *rows, size_t count)
{
	struct chunk_pair pairs[CHUNK_MOST];
	size_t found = 0, wanted = 0, in;
	uint64_t columns, last = 0;

	for (size_t i = 0; i < count; i++)
		wanted += rows[i] != 0;
	for (size_t i = 0; i < s->count; i++) {
		const struct kept_piece piece = { .number = s->at[i].number, .bytes = s->at[i].bytes, .size = s->at[i].size };

		ck_assert(chunk_read(&piece, &columns, pairs, &in));
		ck_assert(i == 0 ? piece.number == INT64_MIN : in > 0);
		for (size_t k = 0; k < in; k++, found++) {
			size_t n = 0;

			ck_assert(found == 0 || pairs[k].key > last);
			last = pairs[k].key;
			ck_assert(kept_number(last) >= piece.number);
			ck_assert(i + 1 == s->count || kept_number(last) < s->at[i + 1].number);
			while (n < count && hash_of(n) != last)
				n++;
			ck_assert_uint_lt(n, count);
			ck_assert_uint_eq(pairs[k].row, rows[n]);
		}
	}
	ck_assert_uint_eq(found, wanted);
}

static struct store store;
static struct list list;

static void fill(uint64_t *rows, size_t count, uint64_t row)
{
	list.count = 0;
	for (size_t i = 0; i < count; i++)
		list.at[list.count++] = (struct chunk_pair){ hash_of(i), rows[i] = row + i };
}

START_TEST(whatever_came_before)
{
	static uint64_t rows[ROOM * CHUNK_FULL];
	static const size_t sizes[] = { 1, CHUNK_FULL, CHUNK_MOST, CHUNK_MOST + 1, 1000, ROOM * CHUNK_FULL };
	size_t count = sizes[_i];
	uint64_t seed = 1;

	memset(&store, 0, sizeof(store));
	fill(rows, count, 1);
	lay_over(&store, &list, COLUMNS);
	expect(&store, rows, count);
	/* The same again writes nothing. */
	lay_over(&store, &list, COLUMNS);
	ck_assert_uint_eq(store.written, 0);
	for (int round = 0; round < 30; round++) {
		list.count = 0;
		for (size_t i = 0; i < count; i++) {
			seed = hash_of(seed);
			if (seed % (1 + (uint64_t)round) != 0)
				continue;
			rows[i] = seed >> 32 & 3 ? seed | 1 : 0;
			list.at[list.count++] = (struct chunk_pair){ hash_of(i), rows[i] };
		}
		lay_over(&store, &list, COLUMNS);
		expect(&store, rows, count);
	}
	/* All of them go. */
	fill(rows, count, 0);
	for (size_t i = 0; i < count; i++)
		list.at[i].row = rows[i] = 0;
	lay_over(&store, &list, COLUMNS);
	expect(&store, rows, count);
	ck_assert_uint_le(store.count, 1);
}
END_TEST

START_TEST(few_are_written)
{
	static uint64_t rows[ROOM * CHUNK_FULL];
	size_t count = ROOM * CHUNK_FULL;

	memset(&store, 0, sizeof(store));
	fill(rows, count, 1);
	lay_over(&store, &list, COLUMNS);
	ck_assert_uint_ge(store.count, ROOM);
	list.count = 1;
	list.at[0] = (struct chunk_pair){ hash_of(7), rows[7] = 99 };
	lay_over(&store, &list, COLUMNS);
	ck_assert_uint_eq(store.written, 1);
	expect(&store, rows, count);
}
END_TEST

START_TEST(of_other_columns)
{
	static uint64_t rows[1000];

	memset(&store, 0, sizeof(store));
	fill(rows, 1000, 1);
	lay_over(&store, &list, COLUMNS);
	memset(rows, 0, sizeof(rows));
	list.count = 1;
	list.at[0] = (struct chunk_pair){ hash_of(7), rows[7] = 99 };
	lay_over(&store, &list, COLUMNS + 1);
	expect(&store, rows, 1000);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("kept_chunks");
	TCase *tests = tcase_create("kept_chunks");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tests, 60);
	tcase_add_loop_test(tests, whatever_came_before, 0, 6);
	tcase_add_test(tests, few_are_written);
	tcase_add_test(tests, of_other_columns);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
