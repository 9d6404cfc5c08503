/*
 * What the template for targets promises: a split is staged whole or not at all, the same split again replaces
 * it, commit and abort may come twice. The toy is compiled in.
 */
#include "config.h"

#include <check.h>
#include <unistd.h>

#include "fake_host.h"
#include "lib_batch.h"

const struct etl_plugin *toy_target_LTX_etl_plugin(void);

static const struct etl_host host = { FAKE_HOST };
static const struct etl_run run_info = { .on_existing = ETL_EXISTING_FAIL };
static struct etl_table table = { .kind = ETL_TABLE, .name = "t" };
static const struct etl_load load = { .run = &run_info, .table = &table };
static const struct etl_target *target;
static struct etl_instance *self;
static struct etl_error err;
static struct etl_token token;
static char folder[64], content[256];

static void set_up(void)
{
	const struct etl_plugin *plugin = toy_target_LTX_etl_plugin();
	struct etl_conf conf = { { { .key = "folder", .items = { folder } } } };

	strcpy(folder, "/tmp/etlrun-toy-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	ck_assert_int_eq(plugin->open(&host, &conf, &self, &err), ETL_OK);
	target = plugin->target;
	ck_assert_int_eq(target->begin(self, &load, &token, &err), ETL_OK);
}

static void tear_down(void)
{
	char path[128];

	toy_target_LTX_etl_plugin()->close(self);
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/t/%06d.jsonl", folder, i);
		remove(path);
	}
	snprintf(path, sizeof(path), "%s/t", folder);
	remove(path);
	ck_assert_int_eq(rmdir(folder), 0);     /* nothing else was left */
}

/* Numbers FROM..UPTO in batches of two; after them the stream ends, or fails. */
struct numbers {
	struct etl_producer producer;
	int64_t next, upto;
	bool fails;
};

static int fill(struct etl_producer *producer, struct etl_builder *builder)
{
	struct numbers *n = (struct numbers *)producer;

	for (int i = 0; i < 2 && n->next <= n->upto; i++)
		etl_put_int64(&builder->columns[0], n->next++);
	return n->next <= n->upto ? ETL_FILL_MORE : n->fails ? fake_fail(&err, ETL_FATAL, NULL, 0, "torn") : ETL_FILL_END;
}

static void stop(struct etl_producer *producer)
{
	(void)producer;
}

static int load_split(uint64_t index, int64_t from, int64_t upto, bool fails, struct etl_stats *stats)
{
	struct etl_column column = column_of("n", "int64");
	struct ArrowSchema schema = schema_of(&column, 1);
	struct numbers numbers = { { fill, stop }, from, upto, fails };
	const struct etl_part part = { .index = index };
	struct ArrowArrayStream stream;
	int rc;

	ck_assert(etl_stream_open(&stream, &host, &schema, &numbers.producer));
	rc = target->load(self, &load, &token, &part, &stream, stats, &err);
	stream.release(&stream);
	schema.release(&schema);
	return rc;
}

static int commit(void)
{
	const struct etl_load *loads[] = { &load };
	const struct etl_token *tokens[] = { &token };
	struct etl_outcome outcome = { .inserted = 2 };
	const struct etl_commit all = { .run = &run_info, .loads = loads, .tokens = tokens, .load_count = 1,
					.outcomes = &outcome, .state = "{}" };

	return target->commit(self, &all, &err);
}

/* The published rows of a split, or NULL. */
static const char *published(int split)
{
	char path[128];
	FILE *file;
	size_t size;

	snprintf(path, sizeof(path), "%s/t/%06d.jsonl", folder, split);
	file = fopen(path, "r");
	if (!file)
		return NULL;
	size = fread(content, 1, sizeof(content) - 1, file);
	content[size] = '\0';
	fclose(file);
	return content;
}

START_TEST(the_same_split_again_replaces_it)
{
	struct etl_stats stats = { 0, 0 };

	ck_assert_int_eq(load_split(0, 1, 5, false, &stats), ETL_OK);
	ck_assert_int_eq(load_split(1, 8, 8, false, &stats), ETL_OK);
	ck_assert_int_eq(load_split(0, 2, 3, false, &stats), ETL_OK);
	ck_assert_uint_eq(stats.rows, 2);
	ck_assert_uint_eq(stats.bytes, 8);
	ck_assert_ptr_null(published(0));
	ck_assert_int_eq(commit(), ETL_OK);
	ck_assert_int_eq(commit(), ETL_OK);
	ck_assert_str_eq(published(0), "[2]\n[3]\n");
	ck_assert_str_eq(published(1), "[8]\n");
}
END_TEST

START_TEST(half_a_split_is_none)
{
	struct etl_stats stats = { 7, 7 };

	ck_assert_int_eq(load_split(0, 1, 5, true, &stats), ETL_FAILED);
	ck_assert_uint_eq(stats.rows, 7);
	ck_assert_int_eq(commit(), ETL_OK);
	ck_assert_ptr_null(published(0));
}
END_TEST

START_TEST(an_aborted_load_leaves_nothing)
{
	struct etl_stats stats = { 0, 0 };

	ck_assert_int_eq(load_split(0, 1, 5, false, &stats), ETL_OK);
	ck_assert_int_eq(target->abort(self, &load, &token, &err), ETL_OK);
	ck_assert_int_eq(target->abort(self, &load, &token, &err), ETL_OK);
	ck_assert_int_ne(access(token.text, F_OK), 0);
}
END_TEST

START_TEST(a_run_that_was_killed_is_cleared_away_and_a_table_is_not)
{
	struct etl_stats stats = { 0, 0 };

	ck_assert_int_eq(load_split(1, 1, 5, false, &stats), ETL_OK);
	ck_assert_int_eq(target->begin(self, &load, &token, &err), ETL_OK);
	ck_assert_int_eq(load_split(0, 6, 6, false, &stats), ETL_OK);
	ck_assert_int_eq(commit(), ETL_OK);
	ck_assert_str_eq(published(0), "[6]\n");
	ck_assert_ptr_null(published(1));
	ck_assert_int_eq(target->begin(self, &load, &token, &err), ETL_FAILED);
	ck_assert_ptr_nonnull(strstr(err.text, "/t is there already: remove it first"));
	table.name = "../t";
	ck_assert_int_eq(target->begin(self, &load, &token, &err), ETL_FAILED);
	ck_assert_str_eq(err.text, "the table ../t cannot be a folder's name");
	table.name = "t";
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("toy target");
	TCase *tests = tcase_create("toy target");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, the_same_split_again_replaces_it);
	tcase_add_test(tests, half_a_split_is_none);
	tcase_add_test(tests, an_aborted_load_leaves_nothing);
	tcase_add_test(tests, a_run_that_was_killed_is_cleared_away_and_a_table_is_not);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
