/*
 * A table outlives the plugin that emitted it: every text and array of the copy is its own.
 */
#include "config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "catalog.h"

/* As an older plugin would have it: a prefix of struct etl_column with a stride of its own. */
struct old_column {
	const char *name, *declared, *origin, *default_sql;
};

/* All that the emitted table points to, wiped once it was copied. */
static struct {
	char texts[1024];
	size_t used;
	struct etl_column columns[2];
	const char *names[2], *nocase[2];
	struct etl_key unique;
	struct etl_foreign_key fk;
	struct etl_check check;
	struct etl_index_part parts[2];
	struct etl_index index;
} given;

static const char *own(const char *text)
{
	char *at = given.texts + given.used;

	given.used += strlen(text) + 1;
	ck_assert_uint_le(given.used, sizeof(given.texts));
	return strcpy(at, text);
}

static struct etl_table example(void)
{
	given.names[0] = own("Total");
	given.names[1] = own("Id");
	given.nocase[0] = own("NOCASE");
	given.columns[0] = (struct etl_column){ .name = own("Total"), .declared = own("NUMERIC(10,2)"),
		.origin = own("total_"),
		.default_sql = own("0"), .generated_sql = own("1+1"),
		.collation = own("RTRIM"), .comment = own("c"),
		.type = ETL_DECIMAL, .flags = ETL_NOT_NULL, .precision = 10, .scale = 2, .identity_last = 7,
		.identity_sql = own("START WITH 3") };
	given.columns[1] = (struct etl_column){ .name = own("Id") };
	given.unique = (struct etl_key){ .name = own("u"), .columns = given.names, .column_count = 2,
		.collations = given.nocase, .conflict_sql = own("ON CONFLICT IGNORE") };
	given.fk = (struct etl_foreign_key){ .name = own("f"), .columns = given.names, .column_count = 1,
		.parent_schema = own("main"), .parent = own("Customer"), .parent_columns = given.names,
		.on_delete = ETL_CASCADE, .match = own("FULL") };
	given.check = (struct etl_check){ .name = own("c"), .sql = own("Total > 0"), .column = own("Total") };
	given.parts[0] = (struct etl_index_part){ .column = own("Total"), .collation = own("NOCASE"),
		.descending = 1 };
	given.parts[1] = (struct etl_index_part){ .expression = own("lower(x)") };
	given.index = (struct etl_index){ .name = own("i"), .parts = given.parts, .part_count = 2,
		.part_size = sizeof(*given.parts), .where_sql = own("x"), .method = own("btree"),
		.ddl = own("CREATE INDEX"), .flags = ETL_INDEX_UNIQUE };
	return (struct etl_table){ .kind = ETL_TABLE, .flags = ETL_STRICT_TYPES,
		.schema = own("main"), .name = own("Invoice"), .parent = own("p"), .dialect = own("sqlite"), .ddl = own("CREATE TABLE Invoice (…)"),
		.comment = own("words"), .rows = 412, .bytes = -1,
		.columns = given.columns, .column_count = 2, .column_size = sizeof(*given.columns),
		.primary = { .columns = given.names + 1, .column_count = 1 },
		.uniques = &given.unique, .unique_count = 1, .unique_size = sizeof(given.unique),
		.foreign_keys = &given.fk, .foreign_key_count = 1, .foreign_key_size = sizeof(given.fk),
		.checks = &given.check, .check_count = 1, .check_size = sizeof(given.check),
		.indexes = &given.index, .index_count = 1, .index_size = sizeof(given.index) };
}

START_TEST(every_member_is_copied)
{
	struct etl_table t = example();
	struct etl_table *c = table_copy(&t);

	ck_assert_ptr_nonnull(c);
	memset(&given, 0x55, sizeof(given));
	ck_assert_str_eq(c->schema, "main");
	ck_assert_str_eq(c->name, "Invoice");
	ck_assert_str_eq(c->parent, "p");
	ck_assert_str_eq(c->dialect, "sqlite");
	ck_assert_str_eq(c->ddl, "CREATE TABLE Invoice (…)");
	ck_assert_str_eq(c->comment, "words");
	ck_assert_int_eq(c->rows, 412);
	ck_assert_uint_eq(c->flags, ETL_STRICT_TYPES);
	ck_assert_str_eq(c->columns[0].name, "Total");
	ck_assert_str_eq(c->columns[0].declared, "NUMERIC(10,2)");
	ck_assert_str_eq(c->columns[0].origin, "total_");
	ck_assert_str_eq(c->columns[0].default_sql, "0");
	ck_assert_str_eq(c->columns[0].generated_sql, "1+1");
	ck_assert_str_eq(c->columns[0].collation, "RTRIM");
	ck_assert_str_eq(c->columns[0].comment, "c");
	ck_assert_int_eq(c->columns[0].identity_last, 7);
	ck_assert_str_eq(c->columns[0].identity_sql, "START WITH 3");
	ck_assert_str_eq(c->columns[1].name, "Id");
	ck_assert_ptr_null(c->columns[1].declared);
	ck_assert_str_eq(c->primary.columns[0], "Id");
	ck_assert_str_eq(c->uniques->columns[0], "Total");
	ck_assert_str_eq(c->uniques->collations[0], "NOCASE");
	ck_assert_ptr_null(c->uniques->collations[1]);
	ck_assert_str_eq(c->uniques->conflict_sql, "ON CONFLICT IGNORE");
	ck_assert_str_eq(c->foreign_keys->parent_schema, "main");
	ck_assert_str_eq(c->foreign_keys->parent, "Customer");
	ck_assert_str_eq(c->foreign_keys->columns[0], "Total");
	ck_assert_str_eq(c->foreign_keys->parent_columns[0], "Total");
	ck_assert_str_eq(c->foreign_keys->match, "FULL");
	ck_assert_int_eq(c->foreign_keys->on_delete, ETL_CASCADE);
	ck_assert_str_eq(c->checks->sql, "Total > 0");
	ck_assert_str_eq(c->checks->column, "Total");
	ck_assert_str_eq(c->indexes->parts[0].column, "Total");
	ck_assert_int_eq(c->indexes->parts[0].descending, 1);
	ck_assert_str_eq(c->indexes->parts[1].expression, "lower(x)");
	ck_assert_str_eq(c->indexes->where_sql, "x");
	ck_assert_str_eq(c->indexes->method, "btree");
	ck_assert_str_eq(c->indexes->ddl, "CREATE INDEX");
	table_free(c);
}
END_TEST

START_TEST(strides_become_the_hosts)
{
	const struct old_column old[] = { { "a", "INT", NULL, NULL }, { "b", "TEXT", NULL, "'x'" } };
	const struct etl_table t = { .name = "t", .columns = (const struct etl_column *)(const void *)old,
				     .column_count = 2, .column_size = sizeof(*old), .index_count = 3 };
	struct etl_table *c = table_copy(&t);

	ck_assert_uint_eq(c->column_size, sizeof(struct etl_column));
	ck_assert_str_eq(table_column(c, 1)->name, "b");
	ck_assert_str_eq(table_column(c, 1)->default_sql, "'x'");
	ck_assert_int_eq(table_column(c, 0)->type, ETL_TYPE_NONE);
	ck_assert_ptr_null(table_column(c, 0)->comment);
	ck_assert_uint_eq(c->index_count, 0);
	ck_assert_ptr_null(c->primary.columns);
	table_free(c);
	table_free(NULL);
	ck_assert_ptr_null(table_copy(NULL));
}
END_TEST

START_TEST(found_exactly_first)
{
	struct etl_error err = ERROR_INIT;
	struct catalog catalog = { 0 };
	struct catalog_sink sink = catalog_sink(&catalog, &err);
	const struct etl_column columns[] = { { .name = "ID" }, { .name = "id" }, { .name = "Name" } };
	const struct etl_table tables[] = {
		{ .kind = ETL_TABLE, .schema = "a", .name = "ORDERS" },
		{ .kind = ETL_TABLE, .schema = "b", .name = "orders", .columns = columns, .column_count = 3,
		  .column_size = sizeof(*columns) },
		{ .kind = ETL_VIEW, .schema = "b", .name = "v" },
	};

	for (size_t i = 0; i < 3; i++)
		ck_assert_int_eq(sink.sink.emit(&sink.sink, &tables[i]), ETL_OK);
	ck_assert_uint_eq(catalog.count, 3);
	ck_assert_ptr_eq(catalog_find(&catalog, ETL_TABLE, NULL, "orders"), catalog.at[1]);
	ck_assert_ptr_eq(catalog_find(&catalog, ETL_TABLE, NULL, "Orders"), catalog.at[0]);
	ck_assert_ptr_eq(catalog_find(&catalog, ETL_TABLE, "b", "Orders"), catalog.at[1]);
	ck_assert_ptr_null(catalog_find(&catalog, ETL_TABLE, "B", "orders"));
	ck_assert_ptr_null(catalog_find(&catalog, ETL_TABLE, "c", "orders"));
	ck_assert_ptr_null(catalog_find(&catalog, ETL_TABLE, NULL, "v"));
	ck_assert_int_eq(table_find_column(catalog.at[1], "id"), 1);
	ck_assert_int_eq(table_find_column(catalog.at[1], "Id"), 0);
	ck_assert_int_eq(table_find_column(catalog.at[1], "name"), 2);
	ck_assert_int_eq(table_find_column(catalog.at[1], "nam"), -1);
	catalog_clear(&catalog);
	ck_assert_uint_eq(catalog.count, 0);
}
END_TEST

/* A count beside an array that is not there, a name that is not there: an object from a plugin's mistake is still
 * one that can be looked at. */
START_TEST(what_is_not_there_has_no_members)
{
	static const struct etl_foreign_key fk = { .parent = "p", .column_count = 2 };
	static const struct etl_index x = { .name = "i", .part_count = 3 };
	static const struct etl_column nameless = { .declared = "INT" };
	static const struct etl_table t = { .primary = { .column_count = 4 }, .columns = &nameless, .column_count = 1,
		.column_size = sizeof(nameless), .foreign_keys = &fk, .foreign_key_count = 1,
		.indexes = &x, .index_count = 1, .index_size = sizeof(x) }; /* the key's stride is not set */
	struct etl_error err = ERROR_INIT;
	struct catalog catalog = { 0 };
	struct catalog_sink sink = catalog_sink(&catalog, &err);

	ck_assert_int_eq(sink.sink.emit(&sink.sink, &t), ETL_OK);
	ck_assert_uint_eq(catalog.at[0]->primary.column_count, 0);
	ck_assert_str_eq(catalog.at[0]->foreign_keys->parent, "p");
	ck_assert_uint_eq(catalog.at[0]->foreign_keys->column_count, 0);
	ck_assert_uint_eq(catalog.at[0]->indexes->part_count, 0);
	ck_assert_int_eq(table_find_column(catalog.at[0], "x"), -1);
	ck_assert_int_eq(table_find_column(catalog.at[0], NULL), -1);
	ck_assert_int_eq(table_find_column(NULL, "x"), -1);
	ck_assert_ptr_null(catalog_find(&catalog, ETL_TABLE, NULL, "t"));
	catalog_clear(&catalog);
}
END_TEST

START_TEST(kinds_have_names)
{
	ck_assert_str_eq(kind_name(ETL_TABLE), "table");
	ck_assert_str_eq(kind_name(ETL_DATABASE), "settings");
	ck_assert_str_eq(kind_name(ETL_TYPE_DEFINITION), "type");
	ck_assert_str_eq(kind_name(ETL_TYPE_DEFINITION + 1), "object");
	ck_assert_str_eq(kind_name(-1), "object");
}
END_TEST

/* The index grows several times, and a name keeps its values in the order in which they came. */
START_TEST(names_in_any_case)
{
	struct name_index index = { 0 };
	char names[3000][16];
	size_t at = 0;

	ck_assert_uint_eq(name_index_next(&index, "t1", &at), NAME_INDEX_END);
	for (size_t i = 0; i < 3000; i++) {
		snprintf(names[i], sizeof(names[i]), "%c%zu", i % 2 ? 'T' : 't', i / 2);
		ck_assert(name_index_add(&index, names[i], i));
	}
	for (size_t i = 0; i < 1500; i++) {
		at = 0;
		ck_assert_uint_eq(name_index_next(&index, names[2 * i + 1], &at), 2 * i);
		ck_assert_uint_eq(name_index_next(&index, names[2 * i + 1], &at), 2 * i + 1);
		ck_assert_uint_eq(name_index_next(&index, names[2 * i + 1], &at), NAME_INDEX_END);
	}
	name_index_clear(&index);
	ck_assert_uint_eq(index.count, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("catalog");
	TCase *t = tcase_create("catalog");
	SRunner *runner;
	int failed;

	tcase_add_test(t, every_member_is_copied);
	tcase_add_test(t, strides_become_the_hosts);
	tcase_add_test(t, found_exactly_first);
	tcase_add_test(t, what_is_not_there_has_no_members);
	tcase_add_test(t, kinds_have_names);
	tcase_add_test(t, names_in_any_case);
	suite_add_tcase(suite, t);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
