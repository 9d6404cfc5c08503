/*
 * The least plugin that the host takes: every optional member is filled, and what stands in for it does what
 * etlrun-plugin(7) says; and each thing that is missing or wrong is refused by its name.
 */
#include "config.h"

#include <check.h>
#include <stddef.h>
#include <string.h>

#include "../../core/normalise.h"

static int open_it(const struct etl_host *host, const struct etl_conf *conf,
		   struct etl_instance **ret, struct etl_error *err)
{
	(void)host;
	(void)conf;
	(void)ret;
	(void)err;
	return ETL_OK;
}

static void close_it(struct etl_instance *instance)
{
	(void)instance;
}

/* Stands for a function that only has to be there: it is never called. */
static int never(void)
{
	ck_abort_msg("a required member was called");
}

/* A function pointer of any kind to it. */
#define FILL(member) memcpy(&(member), &(int (*)(void)){ never }, sizeof(member))

static struct etl_store store;
static struct etl_source source;
static struct etl_target target;
static struct etl_schema schema;
static struct etl_transform transform;
static struct etl_validator validator;
static struct etl_option options[2];
static struct etl_plugin raw;

static void least(void)
{
	memset(&store, 0, sizeof(store));
	memset(&source, 0, sizeof(source));
	memset(&target, 0, sizeof(target));
	memset(&schema, 0, sizeof(schema));
	memset(&transform, 0, sizeof(transform));
	memset(&validator, 0, sizeof(validator));
	memset(options, 0, sizeof(options));
	store.size = sizeof(store);
	source.size = sizeof(source);
	target.size = sizeof(target);
	schema.size = sizeof(schema);
	transform.size = sizeof(transform);
	validator.size = sizeof(validator);
	FILL(store.describe);
	FILL(source.read);
	FILL(target.begin);
	FILL(target.load);
	FILL(target.commit);
	FILL(target.abort);
	FILL(schema.design);
	FILL(schema.apply);
	FILL(transform.wrap);
	FILL(validator.check);
	options[0] = (struct etl_option){ .name = "word", .kind = ETL_OPT_TEXT, .help = "A word." };
	raw = (struct etl_plugin){
		.abi = ETL_ABI,
		.size = sizeof(raw),
		.option_size = sizeof(options[0]),
		.name = "small",
		.version = "1",
		.summary = "small",
		.license = "MIT",
		.options = options,
		.open = open_it,
		.close = close_it,
		.store = &store,
		.source = &source,
		.target = &target,
		.schema = &schema,
		.transform = &transform,
		.validator = &validator,
	};
}

static void refused(const char *words)
{
	struct etl_error err = ERROR_INIT;
	struct plugin p;

	memset(&p, 0, sizeof(p));
	ck_assert_int_lt(normalise(&p, &raw, "small", &err), 0);
	ck_assert_int_eq(err.klass, ETL_USAGE);
	ck_assert_msg(strstr(err.message, words) != NULL, "\"%s\" is not in: %s", words,
		      err.message);
	error_clear(&err);
	least();
}

static struct plugin taken(void)
{
	struct etl_error err = ERROR_INIT;
	struct plugin p;

	memset(&p, 0, sizeof(p));
	ck_assert_msg(normalise(&p, &raw, "small", &err) == ETL_OK, "%s",
		      err.message ? err.message : "?");
	return p;
}

static int count_split(struct etl_split_sink *sink, const struct etl_split *split)
{
	(void)sink;
	ck_assert_int_eq(split->rows, ETL_UNKNOWN);
	return 7;
}

START_TEST(what_stands_in_for_a_store)
{
	struct plugin p;
	struct etl_error err = ERROR_INIT;
	struct etl_token token = { .text = "x" };
	struct etl_split_sink splits = { .emit = count_split };
	struct etl_read read = { .cursor = "at" };
	struct etl_column column = { .type = ETL_DATE };
	int32_t n = 5;

	least();
	p = taken();
	ck_assert(p.has_store && p.has_source && p.has_target && p.has_schema);
	ck_assert(!p.can_ping && !p.can_digest && !p.can_pin && !p.can_split && !p.can_profile);
	ck_assert(!p.can_digests && !p.can_repair);
	ck_assert_int_eq(p.store.ping(NULL, NULL, &err), ETL_OK);
	ck_assert_int_eq(p.source.pin(NULL, &token, &err), ETL_OK);
	ck_assert_str_eq(token.text, "none");
	ck_assert_int_eq(p.source.join(NULL, &token, &err), ETL_OK);
	ck_assert_int_eq(p.source.plan(NULL, &read, 4, &splits, &err), 7);
	ck_assert_int_eq(p.source.profile(NULL, NULL, NULL, &err), ETL_OK);
	ck_assert_int_eq(p.target.staged(NULL, NULL, NULL, NULL, &err), ETL_OK);
	ck_assert_int_eq(p.target.recall(NULL, "p", NULL, &err), ETL_OK);
	ck_assert_int_eq(p.target.takes(&column), ETL_DATE);
	ck_assert_ptr_null(p.target.place(NULL, NULL));
	ck_assert_int_eq(p.target.mark(NULL, NULL, &token, &err), ETL_OK);
	ck_assert_int_eq(p.target.since(NULL, NULL, &token, &n, &err), ETL_OK);
	ck_assert_int_eq(n, ETL_UNKNOWN);
	ck_assert_int_eq(p.target.seal(NULL, NULL, &token, &err), ETL_OK);
	ck_assert_str_eq(token.text, "");
	ck_assert_int_eq(p.target.sealed(NULL, &token, &n, &err), ETL_OK);
	ck_assert_int_eq(n, 0);
	p.base.cancel(NULL);
	ck_assert(!err.set);
}
END_TEST

START_TEST(what_cannot_be_stood_in_for)
{
	struct plugin p;
	struct etl_error err = ERROR_INIT;
	struct etl_token token = { .text = "" };
	struct etl_digest digest = { .rows = 0 };
	struct etl_read read = { .cursor = "at" };

	least();
	p = taken();
	ck_assert_int_lt(p.store.digest(NULL, NULL, NULL, 0, &digest, &err), 0);
	ck_assert_int_eq(err.klass, ETL_BUG);
	error_clear(&err);
	ck_assert_int_lt(p.source.watermark(NULL, &read, &token, &err), 0);
	ck_assert_str_eq(err.message, "this source cannot say how far the cursor at has come");
	error_clear(&err);
	read.cursor = NULL;
	ck_assert_int_lt(p.source.watermark(NULL, &read, &token, &err), 0);
	ck_assert_str_eq(err.message, "this source cannot say how far the cursor (none) has come");
	error_clear(&err);
	ck_assert_int_lt(p.target.revert(NULL, "r1", &token, &err), 0);
	ck_assert_str_eq(err.message, "this target cannot take run r1 back");
	error_clear(&err);
	ck_assert_int_lt(p.store.hashes(NULL, NULL, NULL, NULL, NULL, &err), 0);
	ck_assert_int_eq(err.klass, ETL_USAGE);
	error_clear(&err);
	ck_assert_int_lt(p.store.digests(NULL, NULL, NULL, &err), 0);
	ck_assert_int_eq(err.klass, ETL_BUG);
	error_clear(&err);
	ck_assert_int_lt(p.store.bounds(NULL, NULL, "id", NULL, NULL, &err), 0);
	ck_assert_str_eq(err.message, "this store does not say the bounds of column id");
	error_clear(&err);
	ck_assert_int_lt(p.schema.repair(NULL, NULL, NULL, &err), 0);
	ck_assert_str_eq(err.message, "this target writes no SQL that repairs it");
	error_clear(&err);
}
END_TEST

static int same_table(struct etl_table_sink *sink, const struct etl_table *table)
{
	(void)sink;
	return table->name[0];
}

START_TEST(what_stands_in_for_a_transform_and_a_validator)
{
	struct plugin p;
	struct etl_error err = ERROR_INIT;
	struct etl_table table = { .name = "t" };
	struct etl_table_sink tables = { .emit = same_table };
	struct etl_needs needs = { .hash = 3 };
	struct ArrowArrayStream in = { .private_data = &needs }, out = { .private_data = NULL };

	least();
	p = taken();
	ck_assert_int_eq(p.transform.derive(NULL, &table, &tables, &err), 't');
	ck_assert_int_eq(p.transform.whole(NULL), 0);
	ck_assert_int_eq(p.validator.wrap(NULL, NULL, &in, &out, &err), ETL_OK);
	ck_assert_ptr_eq(out.private_data, &needs);
	ck_assert_int_eq(p.validator.needs(NULL, &needs, &err), ETL_OK);
	ck_assert_int_eq(needs.hash, 0);
	ck_assert_int_eq(p.validator.inspect(NULL, &table, NULL, &err), ETL_OK);
	ck_assert_int_eq(p.validator.whole(NULL), 0);
	FILL(validator.wrap);
	validator.check = NULL;
	p = taken();
	ck_assert_int_eq(p.validator.check(NULL, NULL, NULL, NULL, &err), ETL_OK);
	ck_assert(!err.set);
}
END_TEST

START_TEST(what_is_offered_is_told)
{
	struct plugin p;

	least();
	FILL(store.ping);
	FILL(store.digest);
	FILL(store.hashes);
	FILL(store.digests);
	FILL(store.bounds);
	FILL(schema.repair);
	FILL(source.pin);
	FILL(source.join);
	FILL(source.stamp);
	FILL(source.plan);
	FILL(source.watermark);
	FILL(source.profile);
	FILL(target.staged);
	FILL(target.recall);
	FILL(target.takes);
	FILL(target.place);
	FILL(target.mark);
	FILL(target.since);
	FILL(target.seal);
	FILL(target.sealed);
	FILL(target.revert);
	FILL(transform.derive);
	FILL(transform.whole);
	FILL(validator.wrap);
	FILL(validator.needs);
	FILL(validator.inspect);
	FILL(validator.whole);
	target.flags = ETL_KEEPS_STATE | ETL_DDL;
	p = taken();
	ck_assert(p.can_ping && p.can_digest && p.can_pin && p.can_split && p.can_profile && p.can_watermark);
	ck_assert(p.can_digests && p.can_repair);
	ck_assert(p.can_staged && p.can_recall && p.can_takes && p.can_mark && p.can_seal && p.can_revert);
	ck_assert(p.can_derive && p.can_wrap && p.can_check && p.can_needs && p.can_inspect);
	/* None of them was exchanged for what stands in. */
	ck_assert(!memcmp(&p.store.digest, &store.digest, sizeof(store.digest)));
	ck_assert(!memcmp(&p.source.plan, &source.plan, sizeof(source.plan)));
	ck_assert(!memcmp(&p.target.revert, &target.revert, sizeof(target.revert)));
	ck_assert(!memcmp(&p.target.place, &target.place, sizeof(target.place)));
	ck_assert(!memcmp(&p.transform.whole, &transform.whole, sizeof(transform.whole)));
	ck_assert(!memcmp(&p.validator.inspect, &validator.inspect, sizeof(validator.inspect)));
}
END_TEST

START_TEST(what_is_missing_is_named)
{
	least();
	raw.version = NULL;
	refused("version");
	raw.open = NULL;
	refused("open");
	raw.name = "large";
	refused("calls itself \"large\"");
	raw.option_size = 8;
	refused("option_size is 8 bytes");
	raw.source = NULL;
	raw.target = NULL;
	raw.schema = NULL;
	raw.transform = NULL;
	raw.validator = NULL;
	refused("offers no role");
	raw.store = NULL;
	refused("store");
	raw.target = NULL;
	refused("target, though it has a schema");
	store.describe = NULL;
	refused("store.describe");
	source.read = NULL;
	refused("source.read");
	FILL(source.pin);
	refused("source.pin, source.join and source.stamp together");
	target.begin = NULL;
	refused("target.begin");
	target.load = NULL;
	refused("target.load");
	target.commit = NULL;
	refused("target.commit");
	target.abort = NULL;
	refused("target.abort");
	target.flags = ETL_KEEPS_STATE;
	refused("target.recall, though it promises ETL_KEEPS_STATE");
	target.flags = ETL_DDL;
	raw.schema = NULL;
	refused("schema, though it promises ETL_DDL");
	FILL(store.bounds);
	refused("store.hashes, store.digests and store.bounds together");
	FILL(target.mark);
	refused("target.mark and target.since together");
	FILL(target.sealed);
	refused("target.seal and target.sealed together");
	schema.design = NULL;
	refused("schema.design");
	schema.apply = NULL;
	refused("schema.apply");
	transform.wrap = NULL;
	refused("transform.wrap");
	validator.check = NULL;
	refused("one of validator.wrap and validator.check");
	store.size = 8;
	refused("struct etl_store");
	source.size = 8;
	refused("struct etl_source");
	target.size = 8;
	refused("struct etl_target");
	schema.size = 8;
	refused("struct etl_schema");
	transform.size = 8;
	refused("struct etl_transform");
	validator.size = 8;
	refused("struct etl_validator");
	FILL(source.join);
	refused("source.pin, source.join and source.stamp together");
	FILL(source.pin);
	FILL(source.join);
	refused("source.pin, source.join and source.stamp together");
	FILL(source.stamp);
	refused("source.pin, source.join and source.stamp together");
}
END_TEST

START_TEST(wrong_options_are_named)
{
	static const struct etl_option inner[] = { { .name = "Inner", .kind = ETL_OPT_TEXT, .help = "x" }, { .name = NULL } };

	least();
	options[0].name = "No Name";
	refused("\"No Name\" has no proper name");
	options[0].kind = 99;
	refused("unknown kind 99");
	options[0].kind = -1;
	refused("unknown kind -1");
	options[0].kind = ETL_OPT_GROUP;
	options[0].members = inner;
	refused("its option \"Inner\" has no proper name");
	options[0].kind = ETL_OPT_CHOICE;
	refused("choice without choices");
	options[0].kind = ETL_OPT_GROUP;
	refused("group without members");
	options[0].help = NULL;
	refused("no help text");
	raw.options = NULL;
	ck_assert_ptr_null(taken().base.options[0].name);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("normalise");
	TCase *all = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_add_test(all, what_stands_in_for_a_store);
	tcase_add_test(all, what_cannot_be_stood_in_for);
	tcase_add_test(all, what_stands_in_for_a_transform_and_a_validator);
	tcase_add_test(all, what_is_offered_is_told);
	tcase_add_test(all, what_is_missing_is_named);
	tcase_add_test(all, wrong_options_are_named);
	suite_add_tcase(suite, all);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
