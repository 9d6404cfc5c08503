/* Where rows came from is kept as long as there is room; without it nothing is, and the room is there for others. */
#include "config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../core/origins.h"
#include "lib_batch.h"

static struct etl_column columns[2];
static struct ArrowSchema schema;
static struct canon *same_hashes;

static void setup(void)
{
	columns[0] = column_of("v", "text");
	columns[1] = column_of("etlrun.ordinal", "int64");
	schema = schema_of(columns, 2);
	same_hashes = canon_new(&schema, NULL, 0, ETL_HASH_X1);
	ck_assert_ptr_nonnull(same_hashes);
}

static void teardown(void)
{
	canon_free(same_hashes);
	schema.release(&schema);
}

static struct origins *new_origins(uint64_t split, atomic_llong *left)
{
	struct origins *o = origins_new(split, canon_new(&schema, NULL, 0, ETL_HASH_X1), left);

	ck_assert_ptr_nonnull(o);
	return o;
}

/* COUNT rows: "0" at ordinal FIRST, "1" behind it, … */
static struct ArrowArray rows_from(int64_t first, int64_t count)
{
	struct etl_builder *builder = builder_of(columns, 2, count);
	struct ArrowArray batch;

	for (int64_t i = 0; i < count; i++) {
		char text[24];

		snprintf(text, sizeof(text), "%lld", (long long)i);
		put_text(&builder->columns[0], text);
		etl_put_int64(&builder->columns[1], first + i);
	}
	ck_assert(etl_builder_finish(builder, &batch));
	etl_builder_free(builder);
	return batch;
}

static void add_rows(struct origins *o, int64_t first, int64_t count)
{
	struct ArrowArray batch = rows_from(first, count);

	ck_assert(origins_add(o, &batch));
	batch.release(&batch);
}

START_TEST(each_row_has_its_hash_and_its_ordinal)
{
	atomic_llong left = 1 << 20;
	struct origins *o = new_origins(3, &left);
	struct ArrowArray batch = rows_from(0, 2);
	uint64_t keys[2], rows[2];

	ck_assert(canon_batch(same_hashes, &batch, keys, rows));
	batch.release(&batch);
	add_rows(o, 10, 2);
	add_rows(o, 20, 1);
	ck_assert(o->whole);
	ck_assert_uint_eq(o->split, 3);
	ck_assert_uint_eq(o->count, 3);
	ck_assert(o->at[0].row == rows[0] && o->at[1].row == rows[1] && o->at[2].row == rows[0]);
	ck_assert_int_eq(o->at[0].ordinal, 10);
	ck_assert_int_eq(o->at[1].ordinal, 11);
	ck_assert_int_eq(o->at[2].ordinal, 20);
	origins_free(o);
	ck_assert_int_eq(atomic_load(&left), 1 << 20);
}
END_TEST

START_TEST(without_room_all_are_given_up)
{
	atomic_llong left = 100 << 10; /* for 6400 rows */
	struct origins *first = new_origins(0, &left), *second = new_origins(1, &left);

	add_rows(first, 0, 3000);
	add_rows(second, 0, 10);
	ck_assert(first->whole && second->whole);
	add_rows(first, 3000, 5000);
	ck_assert(!first->whole);
	ck_assert_uint_eq(first->count, 0);
	/* Nor what comes behind them. */
	add_rows(first, 8000, 1);
	ck_assert_uint_eq(first->count, 0);
	/* The others have the room. */
	add_rows(second, 10, 5000);
	ck_assert(second->whole);
	ck_assert_uint_eq(second->count, 5010);
	first->next = second;
	origins_free(first);
	ck_assert_int_eq(atomic_load(&left), 100 << 10);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("origins");
	TCase *tests = tcase_create("origins");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, each_row_has_its_hash_and_its_ordinal);
	tcase_add_test(tests, without_room_all_are_given_up);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
