/*
 * The transform keymap on a table in memory: the UUIDs are those of the RFC and of PostgreSQL, a key is the same
 * whatever type it has, no two keys of several columns share a text, and the shape follows.
 */
#include "config.h"

#include <check.h>

#include "fake_host.h"
#include "plugins/keymap/keymap.h"

const struct etl_plugin *keymap_LTX_etl_plugin(void);

static const struct etl_host host = { FAKE_HOST };

static struct etl_instance *open_keymap(const struct etl_conf *conf)
{
	struct etl_instance *self = NULL;
	struct etl_error err = { 0 };

	ck_assert_msg(keymap_LTX_etl_plugin()->open(&host, conf, &self, &err) == 0, "%s", err.text);
	return self;
}

/* ---- UUIDs ---- */

static struct etl_conf hashing(const char *method, const char *text)
{
	return (struct etl_conf){ { { .key = "method", .items = { method } },
				    { .key = "text", .items = { text } },
				    { .key = strcmp(method, "v5") == 0 ? "namespace" : "-", .items = { "DNS" } },
				    { .key = "unmatched", .items = { "error" } } } };
}

/* The UUID of one to three values, each a text read as TYPE; or the code. */
static void made(struct etl_conf conf, const char *table, int32_t type, const char *const *given, char ret[40])
{
	struct etl_instance *self = open_keymap(&conf);
	struct etl_column columns[3];
	size_t at[3] = { 0, 1, 2 }, count = 0, bad = 0;
	const struct etl_column_view *views[3];
	struct keymap_made m = { .table = table, .columns = at };
	struct arena arena = { 0 };
	struct ArrowSchema schema;
	struct ArrowArray batch;
	struct etl_builder *builder;
	struct etl_view *view;
	uint8_t uuid[KEYMAP_UUID];
	const char *code;

	while (given[count])
		columns[count++] = (struct etl_column){ .name = "c", .type = type, .precision = type == ETL_DECIMAL ? 12 : 0 };
	m.count = count;
	ck_assert(etl_schema_make(&schema, columns, count, sizeof(columns[0])));
	builder = etl_builder_new(&schema, 1);
	view = etl_view_new(&schema);
	for (size_t i = 0; i < count; i++) {
		if (type == ETL_ANY)
			ck_assert(etl_put_any(&builder->columns[i], given[i][0], given[i] + 1, (int64_t)strlen(given[i] + 1)));
		else
			ck_assert_ptr_null(etl_convert_text(&builder->columns[i], given[i], strlen(given[i])));
		views[i] = &view->columns[i];
	}
	ck_assert(etl_builder_finish(builder, &batch) && etl_view_set(view, &batch));
	ck_assert(keymap_hash_begin(&m.hash, self, table, &arena));
	code = keymap_make(&m, views, 0, uuid, &bad);
	snprintf(ret, 40, "%s", code ? code : "");
	for (size_t i = 0; !code && i < KEYMAP_UUID; i++)
		snprintf(ret + strlen(ret), 4, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", uuid[i]);
	etl_builder_free(builder);
	etl_view_free(view);
	batch.release(&batch);
	schema.release(&schema);
	etl_arena_free(&arena);
	keymap_LTX_etl_plugin()->close(self);
}

static void is(struct etl_conf conf, const char *table, int32_t type, const char *given, const char *wanted)
{
	char got[40];

	made(conf, table, type, (const char *const[]){ given, NULL }, got);
	ck_assert_str_eq(got, wanted);
}

START_TEST(they_are_those_of_others)
{
	/* RFC 9562, appendix A.4 */
	is(hashing("v5", "{key}"), "t", ETL_TEXT, "www.example.com", "2ed6657d-e927-568b-95e1-2665a8aea6a2");
	/* uuid.uuid5(uuid.NAMESPACE_DNS, …) */
	is(hashing("v5", "{table}:{key}"), "customer", ETL_INT64, "7", "0b7c7aab-f3ed-5e64-aa16-fff7296d9b6b");
	is(hashing("v5", "a/{table}/{key}/{table}!"), "t", ETL_INT64, "-7", "73d3109f-32c4-5c63-b213-af40ec14c940");
	/* SELECT md5('patients:5')::uuid */
	is(hashing("md5", "{table}:{key}"), "patients", ETL_INT32, "5", "30a5ff43-bf7f-c017-1dc9-692bcdba178b");
}
END_TEST

START_TEST(a_key_is_the_same_in_every_type)
{
	static const int32_t types[] = { ETL_INT16, ETL_INT32, ETL_INT64, ETL_TEXT, ETL_DECIMAL };

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		is(hashing("v5", "{table}:{key}"), "customer", types[i], "7", "0b7c7aab-f3ed-5e64-aa16-fff7296d9b6b");
	is(hashing("v5", "{table}:{key}"), "customer", ETL_ANY, "t7", "0b7c7aab-f3ed-5e64-aa16-fff7296d9b6b");
	is(hashing("v5", "{key}"), "t", ETL_UUID, "6BA7B810-9DAD-11D1-80B4-00C04FD430C8", "4cbce65e-cfcd-541c-b23c-74415552d2be");
	is(hashing("v5", "{key}"), "t", ETL_TEXT, "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "4cbce65e-cfcd-541c-b23c-74415552d2be");
	is(hashing("v5", "{key}"), "t", ETL_DATE, "2024-02-29", "f532f896-0385-5ab4-ade2-12d517c18d25");
	is(hashing("v5", "{key}"), "t", ETL_ANY, "b7", "type");
	is(hashing("v5", "{key}"), "t", ETL_ANY, "t\xff", "invalid_utf8");
}
END_TEST

START_TEST(several_values_are_told_apart)
{
	static const char *const keys[][3] = { { "a:b", "c" }, { "a", "b:c" }, { "a\\", ":b:c" }, { "a\\:b", "c" },
					       { "", "a:b:c" }, { "a:b:c", "" }, { "a", "b\\:c" } };
	enum { COUNT = sizeof(keys) / sizeof(keys[0]) };
	char got[COUNT][40];

	for (size_t i = 0; i < COUNT; i++)
		made(hashing("v5", "{table}:{key}"), "t", ETL_TEXT, keys[i], got[i]);
	for (size_t i = 0; i < COUNT; i++)
		for (size_t k = 0; k < i; k++)
			ck_assert_msg(strcmp(got[i], got[k]) != 0, "%zu and %zu", i, k);
	/* t:a\:b:c */
	ck_assert_str_eq(got[0], "7d84254a-dd0d-55b8-bcec-06c27f8d7154");
	made(hashing("v5", "{table}:{key}"), "t", ETL_INT64, (const char *const[]){ "1", "2", NULL }, got[0]);
	ck_assert_str_eq(got[0], "63bab7c8-d80d-5b32-b6fb-f6367ff24569");
}
END_TEST

/* ---- Options ---- */

static void refused_open(struct etl_conf conf, const char *words)
{
	struct etl_instance *self = NULL;
	struct etl_error err = { 0 };

	ck_assert_int_eq(keymap_LTX_etl_plugin()->open(&host, &conf, &self, &err), ETL_FAILED);
	ck_assert_int_eq(err.klass, ETL_USAGE);
	ck_assert_msg(strstr(err.text, words) != NULL, "%s", err.text);
}

START_TEST(texts_and_namespaces_are_checked)
{
	struct etl_conf conf = hashing("v5", "{table}:{key}");

	refused_open(hashing("v5", "{table}"), "or all keys would become one UUID");
	refused_open(hashing("v5", "{key}{key}"), "has to have {key} in it once");
	refused_open(hashing("v5", "{kee}{key}"), "at \"{kee}{key}\"");
	refused_open(hashing("v5", "{key}}"), "at \"}\"");
	conf.options[2].items[0] = "6ba7b810-9dad-11d1-80b4-00c04fd430c";
	refused_open(conf, "is no UUID, and none of dns");
	conf.options[2].items[0] = "6ba7b810-9dad-11d1-80b4-00c04fd430c81";
	refused_open(conf, "is no UUID");
	conf.options[2].items[0] = "6ba7b810-9dad-11d1-80b4+00c04fd430c8";
	refused_open(conf, "is no UUID");
	conf.options[2].items[0] = NULL;
	refused_open(conf, "needs a `namespace`");
	conf = hashing("md5", "{key}");
	conf.options[2].key = "namespace";
	refused_open(conf, "`namespace` belongs to method = \"v5\"");
}
END_TEST

/* ---- The shape ---- */

static const struct etl_column columns[] = {
	{ .name = "id", .type = ETL_INT64, .flags = ETL_NOT_NULL | ETL_IDENTITY, .identity_last = 9 },
	{ .name = "customer_id", .type = ETL_INT64 },
	{ .name = "above", .type = ETL_INT64 },
	{ .name = "email", .type = ETL_TEXT },
	{ .name = "rate", .type = ETL_FLOAT64 },
};
static const char *const id_list[] = { "id" }, *const customer_list[] = { "customer_id" }, *const above_list[] = { "above" },
	*const email_list[] = { "email" };
static const struct etl_foreign_key foreign[] = {
	{ .columns = customer_list, .column_count = 1, .parent = "customer", .parent_columns = id_list },
	{ .columns = above_list, .column_count = 1, .parent = "sale", .parent_columns = id_list },
	{ .columns = email_list, .column_count = 1, .parent = "sale", .parent_columns = email_list },
};
static const char *const uniques_collations[] = { "NOCASE" };
static const struct etl_key uniques[] = { { .columns = customer_list, .column_count = 1, .collations = uniques_collations } };
static const struct etl_check checks[] = { { .sql = "customer_id > 0" }, { .sql = "rate > 0" } };
static const struct etl_index_part by_customer[] = { { .column = "customer_id" } }, by_rate[] = { { .column = "rate" } };
static const struct etl_index indexes[] = {
	{ .name = "by_customer", .parts = by_customer, .part_count = 1, .part_size = sizeof(by_customer[0]) },
	{ .name = "partial", .parts = by_rate, .part_count = 1, .part_size = sizeof(by_rate[0]), .where_sql = "id > 5" },
};
static const struct etl_table table = {
	.name = "sale", .ddl = "CREATE TABLE", .columns = columns, .column_count = 5, .column_size = sizeof(columns[0]),
	.primary = { .name = "pk", .columns = id_list, .column_count = 1 },
	.uniques = uniques, .unique_count = 1, .unique_size = sizeof(uniques[0]),
	.foreign_keys = foreign, .foreign_key_count = 3, .foreign_key_size = sizeof(foreign[0]),
	.checks = checks, .check_count = 2, .check_size = sizeof(checks[0]),
	.indexes = indexes, .index_count = 2, .index_size = sizeof(indexes[0]),
};

static struct etl_conf shaping(const char *as, const char *old)
{
	struct etl_conf conf = hashing("v5", "{table}:{key}");

	conf.options[4] = (struct fake_option){ .key = "foreign_keys", .items = { "true" } };
	conf.options[5] = (struct fake_option){ .key = as ? "as" : "-", .items = { as } };
	conf.options[6] = (struct fake_option){ .key = old ? "old" : "-", .items = { old } };
	return conf;
}

struct seen {
	struct etl_table_sink sink;
	void (*look)(const struct etl_table *);
	int count;
};

static int look(struct etl_table_sink *self, const struct etl_table *t)
{
	struct seen *seen = (struct seen *)self;

	seen->count++;
	seen->look(t);
	return 0;
}

static void derived(struct etl_conf conf, const struct etl_table *in, void (*see)(const struct etl_table *))
{
	struct etl_instance *self = open_keymap(&conf);
	struct seen seen = { { look }, see, 0 };
	struct etl_error err = { 0 };

	ck_assert_msg(keymap_LTX_etl_plugin()->transform->derive(self, in, &seen.sink, &err) == 0, "%s", err.text);
	ck_assert_int_eq(seen.count, 1);
	keymap_LTX_etl_plugin()->close(self);
}

static void see_in_place(const struct etl_table *t)
{
	ck_assert_ptr_null(t->ddl);
	ck_assert_uint_eq(t->column_count, 5);
	ck_assert_str_eq(t->columns[0].name, "id");
	ck_assert_int_eq(t->columns[0].type, ETL_UUID);
	ck_assert_uint_eq(t->columns[0].flags, ETL_NOT_NULL | ETL_TYPED | ETL_REMADE);
	ck_assert_int_eq(t->columns[0].identity_last, ETL_UNKNOWN);
	ck_assert_uint_eq(t->columns[1].flags, ETL_TYPED | ETL_REMADE);
	ck_assert_int_eq(t->columns[2].type, ETL_UUID);
	/* Refers to another column than the key. */
	ck_assert_int_eq(t->columns[3].type, ETL_TEXT);
	ck_assert_str_eq(t->foreign_keys[2].parent_columns[0], "email");
	ck_assert_str_eq(t->primary.columns[0], "id");
	ck_assert_str_eq(t->primary.name, "pk");
	ck_assert_uint_eq(t->unique_count, 1);
	ck_assert_str_eq(t->uniques[0].columns[0], "customer_id");
	ck_assert_ptr_null(t->uniques[0].collations[0]);
	ck_assert_uint_eq(t->foreign_key_count, 3);
	ck_assert_ptr_null(t->foreign_keys[0].parent_columns);
	ck_assert_str_eq(t->foreign_keys[0].columns[0], "customer_id");
	ck_assert_uint_eq(t->check_count, 1);
	ck_assert_str_eq(t->checks[0].sql, "rate > 0");
	ck_assert_uint_eq(t->index_count, 1);
	ck_assert_str_eq(t->indexes[0].name, "by_customer");
}

static void see_old(const struct etl_table *t)
{
	ck_assert_uint_eq(t->column_count, 6);
	ck_assert_int_eq(t->columns[0].type, ETL_UUID);
	ck_assert_str_eq(t->columns[1].name, "legacy_id");
	ck_assert_str_eq(t->columns[1].origin, "id");
	ck_assert_uint_eq(t->columns[1].flags, ETL_NOT_NULL);
	ck_assert_uint_eq(t->unique_count, 2);
	ck_assert_str_eq(t->uniques[1].columns[0], "legacy_id");
	ck_assert_uint_eq(t->index_count, 2);
	ck_assert_str_eq(t->indexes[1].where_sql, "\"legacy_id\" > 5");
}

static void see_beside(const struct etl_table *t)
{
	ck_assert_str_eq(t->columns[0].name, "uid");
	ck_assert_str_eq(t->columns[1].name, "id");
	ck_assert_int_eq(t->columns[1].type, ETL_INT64);
	ck_assert_ptr_null(t->columns[1].origin);
	ck_assert_str_eq(t->primary.columns[0], "uid");
	ck_assert_str_eq(t->uniques[1].columns[0], "id");
	ck_assert_str_eq(t->indexes[1].where_sql, "id > 5");
}

START_TEST(the_shape_follows)
{
	derived(shaping(NULL, NULL), &table, see_in_place);
	derived(shaping(NULL, "legacy_id"), &table, see_old);
	derived(shaping("uid", NULL), &table, see_beside);
}
END_TEST

static void refused_shape(struct etl_conf conf, const char *words)
{
	struct etl_instance *self = open_keymap(&conf);
	struct seen seen = { { look }, see_old, 0 };
	struct etl_error err = { 0 };

	ck_assert_int_eq(keymap_LTX_etl_plugin()->transform->derive(self, &table, &seen.sink, &err), ETL_FAILED);
	ck_assert_int_eq(err.klass, ETL_USAGE);
	ck_assert_msg(strstr(err.text, words) != NULL, "%s", err.text);
	ck_assert_int_eq(seen.count, 0);
	keymap_LTX_etl_plugin()->close(self);
}

START_TEST(what_cannot_be_is_refused)
{
	struct etl_conf conf = shaping(NULL, NULL), reference = { { { .key = "column", .items = { "customer_id" } },
								      { .key = "table", .items = { "person" } },
								      { .key = "as", .items = { "id" } } } };

	refused_shape(shaping("email", NULL), "two columns of \"sale\" would be called \"email\"");
	refused_shape(shaping(NULL, "rate"), "two columns of \"sale\" would be called \"rate\"");
	conf.options[5] = (struct fake_option){ .key = "key", .items = { "rate" } };
	refused_shape(conf, "column \"rate\" is float64");
	conf.options[5].items[0] = "nr";
	refused_shape(conf, "keymap: key: \"sale\" has no column \"nr\"");
	conf.options[5] = (struct fake_option){ .key = "key", .items = { "id", "email" } };
	refused_shape(conf, "has 2 columns, so the column of its UUID needs a name");
	conf = shaping(NULL, NULL);
	conf.options[5] = (struct fake_option){ .key = "references", .groups = { &reference } };
	refused_shape(conf, "would be the UUID of \"person\" and the UUID of \"sale\"");
}
END_TEST

static struct etl_conf referring(const char *column, const char *more, const char *as, const char *old, const char *more_old)
{
	return (struct etl_conf){ { { .key = "column", .items = { column, more } },
				    { .key = "table", .items = { "customer" } },
				    { .key = as ? "as" : "-", .items = { as } },
				    { .key = "old", .items = { old, more_old } } } };
}

static void see_shared(const struct etl_table *t)
{
	ck_assert_uint_eq(t->column_count, 7);
	ck_assert_str_eq(t->columns[1].name, "customer_id");
	ck_assert_int_eq(t->columns[1].type, ETL_UUID);
	ck_assert_str_eq(t->columns[2].name, "both");
	ck_assert_str_eq(t->columns[3].name, "was");
	ck_assert_str_eq(t->columns[3].origin, "customer_id");
	ck_assert_str_eq(t->columns[5].name, "mail");
}

/* Of two names for one column's old values, one would be nowhere. */
START_TEST(old_values_stay_under_one_name)
{
	struct etl_conf conf = shaping(NULL, NULL), first = referring("customer_id", NULL, NULL, "was", NULL),
			 same = referring("customer_id", NULL, NULL, "before", NULL),
			 both = referring("customer_id", "email", "both", "other", "mail");

	conf.options[5] = (struct fake_option){ .key = "references", .groups = { &first, &same } };
	refused_shape(conf, "the old values of column \"customer_id\" would stay as \"was\" (for \"customer\") and as \"before\"");
	conf.options[5].groups[1] = &both;
	refused_shape(conf, "the old values of column \"customer_id\" would stay as \"was\" (for \"customer\") and as \"other\"");
	both.options[3].items[0] = "was";
	derived(conf, &table, see_shared);
	same.options[3].items[0] = "was";
	conf.options[5].groups[2] = &same;
	derived(conf, &table, see_shared);
	/* The key, and a reference to the table itself that is made of it. */
	conf = shaping(NULL, "legacy_id");
	first = referring("id", NULL, "again", "was", NULL);
	conf.options[5] = (struct fake_option){ .key = "references", .groups = { &first } };
	refused_shape(conf, "the old values of column \"id\" would stay as \"was\" (for \"customer\") and as \"legacy_id\" (for \"sale\")");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("keymap");
	TCase *tests = tcase_create("all");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tests, they_are_those_of_others);
	tcase_add_test(tests, a_key_is_the_same_in_every_type);
	tcase_add_test(tests, several_values_are_told_apart);
	tcase_add_test(tests, texts_and_namespaces_are_checked);
	tcase_add_test(tests, the_shape_follows);
	tcase_add_test(tests, what_cannot_be_is_refused);
	tcase_add_test(tests, old_values_stay_under_one_name);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
