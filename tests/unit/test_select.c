/*
 * Which tables the patterns and names of a pipeline mean, in a store whose tables have schemas and in one whose
 * have none; the command line's list; and the sentence about a name that matches nothing.
 */
#include "config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../core/select.h"

static const struct {
	const char *pattern, *name;
	bool matches, open;
} patterns[] = {
	{ "orders", "orders", true, false },	{ "orders", "Orders", false, false }, { "*", "", true, true },
	{ "*", "anything", true, true },	{ "or*s", "orders", true, true },     { "or*s", "orders_old", false, true },
	{ "*a*b", "xaabab", true, true },	{ "a**", "a", true, true },	      { "a*b*c", "a-b-b", false, true },
	{ "?", "a", true, true },		{ "?", "é", true, true },	      { "?", "\U0001f600", true, true },
	{ "?", "", false, true },		{ "?", "ab", false, true },	      { "log_????", "log_2024", true, true },
	{ "k?se_*", "käse_alt", true, true },	{ "*?", "", false, true },	      { "a\\*b", "a*b", true, false },
	{ "a\\*b", "axb", false, false },	{ "a\\?", "a?", true, false },	      { "a\\?", "ab", false, false },
	{ "a\\b", "a\\b", true, false },	{ "\\*\\?*", "*?x", true, true },     { "", "", true, false },
	{ "", "a", false, false },
};

START_TEST(names_that_match)
{
	ck_assert_msg(pattern_matches(patterns[_i].pattern, patterns[_i].name) == patterns[_i].matches, "%s and %s",
		      patterns[_i].pattern, patterns[_i].name);
	ck_assert_msg(pattern_is_open(patterns[_i].pattern) == patterns[_i].open, "%s", patterns[_i].pattern);
}
END_TEST

/* "main.a", "v:main.seen" (a view), "i:x" (what is no rows, which nobody can copy); without a point there is no schema. */
static void store(struct catalog *catalog, const char *const *names)
{
	struct etl_error err = ERROR_INIT;

	for (; *names; names++) {
		const char *name = (*names)[1] == ':' ? *names + 2 : *names, *dot = strchr(name, '.');
		char schema[32] = "";
		struct etl_table table = { .kind = name == *names   ? ETL_TABLE :
						   **names == 'v' ? ETL_VIEW :
								    ETL_SEQUENCE };

		if (dot)
			snprintf(schema, sizeof(schema), "%.*s", (int)(dot - name), name);
		table.schema = dot ? schema : NULL;
		table.name = dot ? dot + 1 : name;
		ck_assert_int_eq(catalog_add(catalog, table_copy(&table), &err), 0);
	}
}

#define MOST 8

static const struct plugin database, files = { .store = { .flags = ETL_FROM_SHAPES } };

/* A rule "name", "query=NAME", or "from=NAME" and "from=NAME/AS", which have `from`; it lives in BUF. */
static struct table_rule rule_of(const char *rule, char *buf, size_t size)
{
	char *slash;

	snprintf(buf, size, "%s", rule);
	slash = strchr(buf, '/');
	if (strncmp(rule, "query=", 6) == 0)
		return (struct table_rule){ .query = (char *)"SELECT 1", .as = buf + 6 };
	if (strncmp(rule, "from=", 5) != 0)
		return (struct table_rule){ .name = buf, .plain = pattern_is_open(buf) ? NULL : buf };
	if (slash)
		*slash++ = '\0';
	return (struct table_rule){ .name = buf + 5, .plain = pattern_is_open(buf + 5) ? NULL : buf + 5,
				    .as = slash, .has_from = true };
}

static const char *made_name(const struct table_rule *rule)
{
	return rule->as ? rule->as : rule->plain;
}

/* What comes of the rules; "main.a b" are the tables, "!" and the sentence an error. */
static void picks_of(const struct plugin *source, const char *const *tables, const char *const *rules,
		     const char *exclude, const char *only, const char *expected)
{
	struct table_rule list[MOST] = { { .name = NULL } };
	struct pipeline pipeline = { .tables = list, .source.plugin = source };
	char names[MOST][32];
	struct catalog catalog = { .at = NULL };
	struct etl_error err = ERROR_INIT;
	struct etl_text got = { 0 };
	struct picks picks = { .at = NULL };
	char *excluded = (char *)exclude;

	store(&catalog, tables);
	for (; rules[pipeline.table_count]; pipeline.table_count++) {
		const char *rule = rules[pipeline.table_count];

		ck_assert_uint_lt(pipeline.table_count, MOST);
		list[pipeline.table_count] = rule_of(rule, names[pipeline.table_count], sizeof(names[0]));
	}
	pipeline.exclude = (struct string_list){ &excluded, exclude != NULL };
	if (select_tables(&pipeline, &catalog, only, &picks, &err) < 0)
		etl_text_addf(&got, "!%s", err.message);
	for (size_t i = 0; i < picks.count && !err.set; i++)
		etl_text_addf(&got, "%s%s%s%s", i ? " " : "",
			      picks.at[i].table && picks.at[i].table->schema ? picks.at[i].table->schema : "",
			      picks.at[i].table && picks.at[i].table->schema ? "." : "",
			      picks.at[i].table ? picks.at[i].table->name : made_name(&picks.at[i].rule));
	ck_assert_str_eq(got.at ? got.at : "", expected);
	etl_text_free(&got);
	error_clear(&err);
	free(picks.at);
	catalog_clear(&catalog);
}

static void picks_are(const char *const *tables, const char *const *rules, const char *exclude, const char *only,
		      const char *expected)
{
	picks_of(&database, tables, rules, exclude, only, expected);
}

#define LIST(...) ((const char *const[]){ __VA_ARGS__, NULL })

START_TEST(tables_with_schemas)
{
	const char *const *shop = LIST("main.orders", "main.log_2023", "audit.orders", "audit.log_2024", "v:audit.seen");

	picks_are(shop, LIST("*"), NULL, NULL, "main.orders main.log_2023 audit.orders audit.log_2024");
	picks_are(shop, LIST("main.*"), NULL, NULL, "main.orders main.log_2023");
	picks_are(shop, LIST("a*.log_????"), NULL, NULL, "audit.log_2024");
	picks_are(shop, LIST("m?in.orders"), NULL, NULL, "main.orders");
	picks_are(shop, LIST("audit.orders"), NULL, NULL, "audit.orders");
	picks_are(shop, LIST("orders"), NULL, NULL, "main.orders audit.orders");
	picks_are(shop, LIST("log_*"), NULL, NULL, "main.log_2023 audit.log_2024");
	picks_are(shop, LIST("*", "audit.seen"), "main.orders", NULL, "main.log_2023 audit.orders audit.log_2024 audit.seen");
	picks_are(shop, LIST("*"), "audit.*", NULL, "main.orders main.log_2023");
	picks_are(shop, LIST("*"), NULL, "audit.orders", "audit.orders");
	picks_are(shop, LIST("*"), NULL, "*.orders,seen", "main.orders audit.orders audit.seen");
	picks_are(shop, LIST("*"), NULL, "log_????,,", "main.log_2023 audit.log_2024");
	picks_are(shop, LIST("mani.orders"), NULL, NULL,
		  "!tables: name \"mani.orders\" matches nothing of the source, which has 5 tables or views");
	picks_are(shop, LIST("*"), "nosuch.*", NULL, "main.orders main.log_2023 audit.orders audit.log_2024");
}
END_TEST

START_TEST(tables_without_schemas)
{
	const char *const *shop = LIST("orders", "Parts", "v:seen", "i:by_name");

	picks_are(shop, LIST("*"), NULL, NULL, "orders Parts");
	picks_are(shop, LIST("parts"), NULL, NULL, "Parts");
	picks_are(shop, LIST("*", "seen"), NULL, NULL, "orders Parts seen");
	picks_are(shop, LIST("*"), NULL, "PARTS,seen", "Parts seen");
	picks_are(shop, LIST("orders", "query=Sums"), NULL, "sums", "Sums");
	picks_are(shop, LIST("orders", "query=Sums"), NULL, "orders", "orders");
	picks_are(shop, LIST("orders", "query=Sums"), NULL, "sumx",
		  "!--tables \"sumx\" matches nothing of the source, which has 3 tables or views");
	picks_are(shop, LIST("orders", "query=Sums"), NULL, "orders,sums", "orders Sums");
	picks_are(shop, LIST("orders"), NULL, "Parts",
		  "!--tables names \"Parts\", which this pipeline leaves out; see its `tables` and `exclude`");
	picks_are(shop, LIST("ordres"), NULL, NULL,
		  "!tables: name \"ordres\" matches nothing of the source, which has 3 tables or views; did you mean "
		  "\"orders\"?");
	picks_are(shop, LIST("*"), "by_nme", NULL,
		  "!exclude: \"by_nme\" matches nothing of the source, which has 3 tables or views");
	picks_are(shop, LIST("x*"), NULL, NULL, "!tables: name \"x*\" matches nothing of the source, which has 3 tables or "
						"views");
	picks_are(shop, LIST("*"), "*", NULL, "!nothing is left to copy: `tables` and `exclude` leave out every table of "
					       "the source");
	picks_are(LIST("one"), LIST("two"), NULL, NULL,
		  "!tables: name \"two\" matches nothing of the source, which has 1 table or view");
}
END_TEST

/* A name of --tables is the table that is called so, and only where there is none it is read otherwise. */
START_TEST(names_of_the_command_line)
{
	const char *const *odd = LIST("Parts", "parts", "PARTS", "part", "p*", "p\\*", "p?rt", "v:s*n", "v:seen");

	picks_are(odd, LIST("*"), NULL, "parts", "parts");
	picks_are(odd, LIST("*"), NULL, "Parts,PARTS", "Parts PARTS");
	picks_are(odd, LIST("*"), NULL, "pARTS", "Parts parts PARTS");
	picks_are(odd, LIST("*"), NULL, "part", "part");
	picks_are(odd, LIST("*"), NULL, "p*", "p*");
	picks_are(odd, LIST("*"), NULL, "p?rt", "p?rt");
	picks_are(odd, LIST("*"), NULL, "pa*", "parts part");
	picks_are(odd, LIST("*"), NULL, "p\\?rt", "p?rt");
	picks_are(odd, LIST("*"), NULL, "p\\*", "p\\*");
	/* A view is copied when it is named, with its wildcards as characters too; a pattern finds tables only. */
	picks_are(odd, LIST("*"), NULL, "s*n", "s*n");
	picks_are(odd, LIST("*"), NULL, "s\\*n", "s*n");
	picks_are(odd, LIST("*"), NULL, "s*", "!nothing is left to copy: `tables` and `exclude` leave out every table of the source");
	picks_are(odd, LIST("*"), NULL, "par",
		  "!--tables \"par\" matches nothing of the source, which has 9 tables or views; did you mean \"part\"?");
	picks_are(LIST("a.x*", "a.xy", "b.x*", "b.a.xy"), LIST("*"), NULL, "a.x*", "a.x*");
	picks_are(LIST("a.x*", "a.xy", "b.x*", "b.xy"), LIST("*"), NULL, "x*", "a.x* b.x*");
	picks_are(LIST("a.a.x", "a.x"), LIST("*"), NULL, "a.a.x", "a.a.x");
	picks_are(LIST("orders"), LIST("orders", "query=Sums", "query=sums"), NULL, "sums", "sums");
	picks_are(LIST("orders"), LIST("orders", "query=Sums", "query=sums"), NULL, "SUMS", "Sums sums");
	picks_of(&files, LIST(NULL), LIST("from=a/x", "from=b/X", "from=X/y"), NULL, "X", "X y");
}
END_TEST

static bool needs_list(const struct plugin *source, const char *const *rules)
{
	struct table_rule list[MOST];
	struct pipeline pipeline = { .tables = list, .source.plugin = source };
	char names[MOST][32];

	for (; rules[pipeline.table_count]; pipeline.table_count++)
		list[pipeline.table_count] =
			rule_of(rules[pipeline.table_count], names[pipeline.table_count], sizeof(names[0]));
	return select_needs_list(&pipeline);
}

/* Of a source of files a name with `from` is what that says, beside what is listed. */
START_TEST(tables_by_from)
{
	const char *const *none = LIST(NULL), *const *folder = LIST("orders", "parts");

	picks_of(&files, none, LIST("from=b", "from=a"), NULL, NULL, "b a");
	picks_of(&files, none, LIST("from=a/x", "from=a/y", "from=a"), NULL, NULL, "x y a");
	picks_of(&files, none, LIST("from=a/x", "from=a/y"), NULL, "Y", "y");
	picks_of(&files, none, LIST("from=a/x", "from=a/y"), NULL, "a", "x y");
	picks_of(&files, none, LIST("from=a", "from=b"), "b", NULL, "a");
	picks_of(&files, none, LIST("from=a", "from=b"), "b*", "*", "a");
	picks_of(&files, none, LIST("from=a"), "a", NULL,
		 "!nothing is left to copy: `tables` and `exclude` leave out every table of the source");
	picks_of(&files, none, LIST("from=a", "from=b"), "b", "b",
		 "!--tables names \"b\", which this pipeline leaves out; see its `tables` and `exclude`");
	picks_of(&files, none, LIST("from=parts"), NULL, "party",
		 "!--tables \"party\" matches nothing of the source, which has 1 table or view; did you mean \"parts\"?");
	picks_of(&files, folder, LIST("*", "from=parts"), NULL, NULL, "orders parts");
	picks_of(&files, folder, LIST("orders", "from=more"), NULL, NULL, "orders more");
	picks_of(&files, folder, LIST("from=o*"), NULL, NULL, "orders");
	/* A database lists all it has, whatever its entries say beside. */
	picks_of(&database, folder, LIST("from=more"), NULL, NULL,
		 "!tables: name \"more\" matches nothing of the source, which has 2 tables or views");
	ck_assert(!needs_list(&files, LIST("from=a", "query=b", "from=a/c")));
	ck_assert(needs_list(&files, LIST("from=a", "b")));
	ck_assert(needs_list(&files, LIST("from=a*")));
	ck_assert(needs_list(&database, LIST("from=a")));
}
END_TEST

START_TEST(plain_names)
{
	char *plain = pattern_plain("a\\*b\\?\\c");

	ck_assert_str_eq(plain, "a*b?\\c");
	free(plain);
}
END_TEST

/* Of three entries for one table the keys of the most specific count, the others' where it has none. */
START_TEST(keys_of_several_entries)
{
	char *id = (char *)"id";
	struct column_rule column = { .name = id };
	struct table_rule list[] = {
		{ .name = (char *)"*", .where = (char *)"1", .after = { &id, 1 }, .cursor = id, .has_from = true },
		{ .name = (char *)"o*", .where = (char *)"2", .columns = &column, .column_count = 1, .has_to = true,
		  .exclude_columns = { &id, 1 } },
		{ .name = (char *)"orders", .key = { &id, 1 }, .deletes = ETL_DELETE_HARD, .has_delete = true },
		{ .name = (char *)"other", .where = (char *)"3", .columns = &column, .column_count = 1, .cursor = (char *)"own",
		  .after = { &id, 1 }, .has_from = true, .has_to = true, .has_transforms = true, .has_validators = true,
		  .delete_column = id },
	};
	struct pipeline pipeline = { .tables = list, .table_count = 4, .source.plugin = &database };
	struct catalog catalog = { .at = NULL };
	struct etl_error err = ERROR_INIT;
	struct picks picks = { .at = NULL };
	const struct table_rule *rule;

	store(&catalog, LIST("orders", "other", "parts"));
	ck_assert_int_eq(select_tables(&pipeline, &catalog, NULL, &picks, &err), 0);
	ck_assert_uint_eq(picks.count, 3);
	rule = &picks.at[0].rule;
	ck_assert_str_eq(rule->where, "2");
	ck_assert_uint_eq(rule->column_count, 1);
	ck_assert_uint_eq(rule->after.count, 1);
	ck_assert_str_eq(rule->cursor, "id");
	ck_assert_int_eq(rule->deletes, ETL_DELETE_HARD);
	ck_assert(rule->has_from && rule->has_to && rule->has_delete && !rule->has_transforms);
	rule = &picks.at[1].rule;
	ck_assert_str_eq(rule->where, "3");
	ck_assert_str_eq(rule->cursor, "own");
	ck_assert_str_eq(rule->delete_column, "id");
	ck_assert(rule->has_from && rule->has_transforms && !rule->has_delete);
	rule = &picks.at[2].rule;
	ck_assert_str_eq(rule->where, "1");
	ck_assert_uint_eq(rule->column_count, 0);
	free(picks.at);
	catalog_clear(&catalog);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("select");
	TCase *all = tcase_create("all");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(all, names_that_match, 0, (int)(sizeof(patterns) / sizeof(*patterns)));
	tcase_add_test(all, tables_with_schemas);
	tcase_add_test(all, tables_without_schemas);
	tcase_add_test(all, keys_of_several_entries);
	tcase_add_test(all, names_of_the_command_line);
	tcase_add_test(all, tables_by_from);
	tcase_add_test(all, plain_names);
	suite_add_tcase(suite, all);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
