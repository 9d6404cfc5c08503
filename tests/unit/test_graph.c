/*
 * The order of tables: parents before children, the given order where there is a choice, cycles as groups,
 * and ten thousand tables in a chain without a deep call stack.
 */
#include "config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../core/graph.h"

static const char *const one_column[] = { "id" };

static struct etl_foreign_key to(const char *parent)
{
	return (struct etl_foreign_key){ .columns = one_column, .column_count = 1, .parent = parent };
}

static struct etl_table table(const char *name, const struct etl_foreign_key *keys, size_t count)
{
	return (struct etl_table){ .name = name, .foreign_keys = keys, .foreign_key_count = count,
				   .foreign_key_size = sizeof(*keys) };
}

START_TEST(parents_come_first_and_names_ignore_case)
{
	struct etl_foreign_key album[] = { to("artist") }, track[] = { to("Album"), to("Track") };
	struct etl_table t[] = { table("Track", track, 2), table("Zone", NULL, 0), table("Album", album, 1),
				 table("Artist", NULL, 0) };
	const struct etl_table *all[] = { &t[0], &t[1], &t[2], &t[3] };
	size_t order[4], group[4], cycles = 9;

	ck_assert_int_eq(graph_order(all, 4, NULL, 0, order, group, &cycles), 0);
	ck_assert_uint_eq(cycles, 0);
	ck_assert_uint_eq(order[0], 1);
	ck_assert_uint_eq(order[1], 3);
	ck_assert_uint_eq(order[2], 2);
	ck_assert_uint_eq(order[3], 0);
	ck_assert_uint_eq(group[0], SIZE_MAX);
}
END_TEST

START_TEST(cycles_are_groups_between_their_parents_and_children)
{
	struct etl_foreign_key a[] = { to("b") }, b[] = { to("a"), to("root") }, leaf[] = { to("a") };
	struct etl_table t[] = { table("leaf", leaf, 1), table("a", a, 1), table("b", b, 2),
				 table("root", NULL, 0) };
	const struct etl_table *all[] = { &t[0], &t[1], &t[2], &t[3] };
	size_t order[4], group[4], cycles;

	ck_assert_int_eq(graph_order(all, 4, NULL, 0, order, group, &cycles), 0);
	ck_assert_uint_eq(cycles, 1);
	ck_assert_uint_eq(order[0], 3);
	ck_assert_uint_eq(order[1], 1);
	ck_assert_uint_eq(order[2], 2);
	ck_assert_uint_eq(order[3], 0);
	ck_assert_uint_eq(group[1], 0);
	ck_assert_uint_eq(group[2], 0);
	ck_assert_uint_eq(group[0], SIZE_MAX);
	ck_assert_uint_eq(group[3], SIZE_MAX);
}
END_TEST

START_TEST(extra_edges_order_too)
{
	struct etl_table t[] = { table("a", NULL, 0), table("b", NULL, 0) };
	const struct etl_table *all[] = { &t[0], &t[1] };
	const struct graph_edge after = { .before = 1, .after = 0 };
	size_t order[2];

	ck_assert_int_eq(graph_order(all, 2, &after, 1, order, NULL, NULL), 0);
	ck_assert_uint_eq(order[0], 1);
	ck_assert_uint_eq(order[1], 0);
	ck_assert_int_eq(graph_order(NULL, 0, NULL, 0, order, NULL, NULL), 0);
}
END_TEST

/* Two stores in one: a name is found in the schema that the key names, or else in its own table's. */
START_TEST(schemas_keep_equal_names_apart)
{
	struct etl_foreign_key a[] = { to("shop"), to("nowhere") }, b[] = { to("Shop") };
	struct etl_table t[] = { table("sale", a, 2), table("sale", b, 1), table("shop", NULL, 0),
				 table("shop", NULL, 0), table("shop", NULL, 0) };
	const struct etl_table *all[] = { &t[0], &t[1], &t[2], &t[3], &t[4] };
	size_t order[5], cycles;

	t[0].schema = t[2].schema = "north";
	t[1].schema = t[3].schema = t[4].schema = "south";
	ck_assert_int_eq(graph_order(all, 5, NULL, 0, order, NULL, &cycles), 0);
	ck_assert_uint_eq(cycles, 0);
	ck_assert_uint_eq(order[0], 2);
	ck_assert_uint_eq(order[1], 0);
	ck_assert_uint_eq(order[2], 3);
	ck_assert_uint_eq(order[3], 1);
	ck_assert_uint_eq(order[4], 4);
	a[0].parent_schema = "south";
	ck_assert_int_eq(graph_order(all, 5, NULL, 0, order, NULL, NULL), 0);
	ck_assert_uint_eq(order[0], 2);
	ck_assert_uint_eq(order[1], 3);
	ck_assert_uint_eq(order[2], 0);
	ck_assert_uint_eq(order[3], 1);
}
END_TEST

/* More keys than the first room for edges; a table that refers to itself waits for nobody. */
START_TEST(many_keys_and_a_key_to_itself)
{
	enum { PARENTS = 100 };
	struct etl_foreign_key keys[PARENTS + 1];
	struct etl_table t[PARENTS + 1];
	const struct etl_table *all[PARENTS + 1];
	char names[PARENTS + 1][8];
	size_t order[PARENTS + 1], group[PARENTS + 1];

	for (size_t i = 0; i <= PARENTS; i++) {
		snprintf(names[i], sizeof(names[i]), "t%zu", i);
		keys[i] = to(names[i]);
		t[i] = table(names[i], keys, i == 0 ? PARENTS + 1 : 0);
		all[i] = &t[i];
	}
	ck_assert_int_eq(graph_order(all, PARENTS + 1, NULL, 0, order, group, NULL), 0);
	ck_assert_uint_eq(order[0], 1);
	ck_assert_uint_eq(order[PARENTS], 0);
	ck_assert_uint_eq(group[0], SIZE_MAX);
	ck_assert_int_eq(graph_order(NULL, 0, NULL, 0, order, group, NULL), 0);
}
END_TEST

enum { CHAIN = 10000 };

START_TEST(a_chain_of_ten_thousand)
{
	char (*names)[16] = calloc(CHAIN, sizeof(*names));
	struct etl_foreign_key *keys = calloc(CHAIN, sizeof(*keys));
	struct etl_table *tables = calloc(CHAIN, sizeof(*tables));
	const struct etl_table **all = calloc(CHAIN, sizeof(*all));
	size_t *order = calloc(CHAIN, sizeof(*order)), cycles;

	for (int i = 0; i < CHAIN; i++) {
		snprintf(names[i], sizeof(names[i]), "t%d", i);
		keys[i] = to(i + 1 < CHAIN ? names[i + 1] : "elsewhere");
		tables[i] = table(names[i], &keys[i], 1);
		all[i] = &tables[i];
	}
	ck_assert_int_eq(graph_order(all, CHAIN, NULL, 0, order, NULL, &cycles), 0);
	ck_assert_uint_eq(cycles, 0);
	for (size_t i = 0; i < CHAIN; i++)
		ck_assert_uint_eq(order[i], CHAIN - 1 - i);
	snprintf(names[CHAIN - 1], sizeof(names[0]), "last");
	keys[CHAIN - 2].parent = "last";
	keys[CHAIN - 1].parent = "t0";
	ck_assert_int_eq(graph_order(all, CHAIN, NULL, 0, order, NULL, &cycles), 0);
	ck_assert_uint_eq(cycles, 1);
	ck_assert_uint_eq(order[0], 0);
	free(names);
	free(keys);
	free(tables);
	free(all);
	free(order);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("graph");
	TCase *tests = tcase_create("graph");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tests, parents_come_first_and_names_ignore_case);
	tcase_add_test(tests, cycles_are_groups_between_their_parents_and_children);
	tcase_add_test(tests, extra_edges_order_too);
	tcase_add_test(tests, schemas_keep_equal_names_apart);
	tcase_add_test(tests, many_keys_and_a_key_to_itself);
	tcase_add_test(tests, a_chain_of_ten_thousand);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
