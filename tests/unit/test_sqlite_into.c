/*
 * append and merge into an SQLite file that is there, through the plugin alone: the commit is one transaction,
 * a second commit of the run does nothing, the state can be recalled, and a run can be taken back, or is not when
 * that would lose what others did.
 */
#include "config.h"

#include "sqlite_target.h"

#define OLD "CREATE TABLE t(id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES (1, 'old'), (7, 'old 7');"

static const char *const key[] = { "id" };

static const char *all(const char *name)
{
	return ask(name, "SELECT group_concat(id || '=' || v) FROM (SELECT * FROM t ORDER BY id)");
}

/* A run over the table t that is there. */
static void start_into(struct target_run *r, const char *name, int32_t mode, uint32_t flags)
{
	start_run(r, name, ETL_EXISTING_FAIL);
	r->run.mode = mode;
	r->run.flags = flags;
	r->columns[0].flags = ETL_NOT_NULL | ETL_IDENTITY;
	r->table.ddl = NULL;
	r->table.primary.columns = key;
	r->table.primary.column_count = 1;
	r->load.existing = &r->table;
	if (mode == ETL_MERGE) {
		r->load.key = key;
		r->load.key_count = 1;
		r->load.deletes = ETL_DELETE_HARD;
	}
	open_run(r);
}

static void stage_into(struct target_run *r, const char *const *rows, size_t count)
{
	static struct host_steps steps;
	const struct etl_plugin *plugin = sqlite_LTX_etl_plugin();
	size_t i;

	memset(&steps, 0, sizeof(steps));
	steps.sink.emit = host_take_step;
	ck_assert_msg(begin_run(r) == 0, "%s", r->err.text);
	ck_assert_msg(plugin->schema->design(r->inst, &r->table, &r->load, &steps.sink, &r->err) == 0, "%s",
		      r->err.text);
	for (i = 0; i < steps.count; i++) {
		if (steps.at[i].phase == ETL_PHASE_PREPARE && steps.at[i].has_sql)
			ck_assert_msg(apply_sql(r, steps.at[i].kind, steps.at[i].object, steps.at[i].sql) == 0, "%s",
				      r->err.text);
	}
	ck_assert_msg(load_rows(r, 0, rows, count) == 0, "%s", r->err.text);
	r->outcome.inserted = r->stats.rows;
}

static const char *const two_rows[] = { "1", "t:new a", "2", "t:new b" };

static int revert(struct target_run *r)
{
	const struct etl_token none = { "" };

	return sqlite_LTX_etl_plugin()->target->revert(r->inst, r->run.id, &none, &r->err);
}

static int count_states(struct etl_state_sink *self, const char *run, const char *state);

struct states {
	struct etl_state_sink sink;
	int count;
	char first[80];
};

static int count_states(struct etl_state_sink *self, const char *run, const char *state)
{
	struct states *s = (struct states *)self;

	ck_assert_str_eq(state, "{}");
	if (s->count++ == 0)
		snprintf(s->first, sizeof(s->first), "%s", run);
	return 0;
}

static struct states recall(struct target_run *r)
{
	struct states s = { .sink = { count_states } };

	ck_assert_int_eq(sqlite_LTX_etl_plugin()->target->recall(r->inst, "test", &s.sink, &r->err), 0);
	return s;
}

START_TEST(a_merge_is_taken_back)
{
	struct target_run r;
	struct states s;

	make_db("a.db", OLD);
	start_into(&r, "a.db", ETL_MERGE, ETL_RUN_UNDO);
	stage_into(&r, two_rows, 2);
	ck_assert_str_eq(all("a.db"), "1=old,7=old 7");
	ck_assert_msg(commit_run(&r) == 0, "%s", r.err.text);
	ck_assert_uint_eq(r.outcome.inserted, 1);
	ck_assert_uint_eq(r.outcome.updated, 1);
	ck_assert_uint_eq(r.outcome.deleted, 1);
	ck_assert_str_eq(all("a.db"), "1=new a,2=new b");
	ck_assert_int_eq(count_files("."), 0);
	/* Again: nothing happens, and the outcome is the same. */
	r.outcome = (struct etl_outcome){ 0 };
	ck_assert_msg(commit_run(&r) == 0, "%s", r.err.text);
	ck_assert_uint_eq(r.outcome.updated, 1);
	s = recall(&r);
	ck_assert_int_eq(s.count, 1);
	ck_assert_str_eq(s.first, r.run.id);
	ck_assert_msg(revert(&r) == 0, "%s", r.err.text);
	ck_assert_str_eq(all("a.db"), "1=old,7=old 7");
	ck_assert_int_eq(recall(&r).count, 0);
	ck_assert_int_eq(revert(&r), 0);
	ck_assert_str_eq(ask("a.db", "SELECT count(*) FROM sqlite_schema WHERE name LIKE '%undo%'"), "0");
	ck_assert_str_eq(ask("a.db", "PRAGMA integrity_check"), "ok");
	end_run(&r);
}
END_TEST

START_TEST(an_append_is_taken_back)
{
	static const char *const rows[] = { "2", "t:x", "3", "t:y", "9", "t:z" };
	struct target_run r;

	make_db("a.db", OLD);
	start_into(&r, "a.db", ETL_APPEND, 0);
	stage_into(&r, rows, 3);
	ck_assert_msg(commit_run(&r) == 0, "%s", r.err.text);
	ck_assert_str_eq(all("a.db"), "1=old,2=x,3=y,7=old 7,9=z");
	ck_assert_str_eq(ask("a.db", "SELECT undo || ' ' || detail FROM _etlrun_loads"), "ranges 2-3,9-9");
	make_db("a.db", "INSERT INTO t VALUES (4, 'mine'), (10, 'too')");
	ck_assert_msg(revert(&r) == 0, "%s", r.err.text);
	ck_assert_str_eq(all("a.db"), "1=old,4=mine,7=old 7,10=too");
	end_run(&r);
}
END_TEST

/* What would be lost is left, and said. */
START_TEST(what_others_did_is_not_taken_back)
{
	static const char *const after[] = { "UPDATE t SET v = 'theirs' WHERE id = 2", "DELETE FROM t WHERE id = 1",
					     "INSERT INTO t VALUES (7, 'again')", "ALTER TABLE t ADD COLUMN w",
					     "CREATE TABLE kid(t REFERENCES t); INSERT INTO kid VALUES (2)" };
	struct target_run r;
	char before[HOST_TEXT];

	make_db("a.db", OLD);
	start_into(&r, "a.db", ETL_MERGE, ETL_RUN_UNDO);
	stage_into(&r, two_rows, 2);
	ck_assert_msg(commit_run(&r) == 0, "%s", r.err.text);
	make_db("a.db", after[_i]);
	snprintf(before, sizeof(before), "%s", all("a.db"));
	ck_assert_int_eq(revert(&r), ETL_FAILED);
	ck_assert_int_eq(r.err.klass, ETL_FATAL);
	ck_assert_msg(strstr(r.err.text, "nothing was taken back") != NULL, "%s", r.err.text);
	ck_assert_str_eq(all("a.db"), before);
	end_run(&r);
}
END_TEST

START_TEST(what_was_not_kept_names_the_key)
{
	struct target_run r;

	make_db("a.db", OLD);
	start_into(&r, "a.db", ETL_MERGE, 0);
	stage_into(&r, two_rows, 2);
	ck_assert_msg(commit_run(&r) == 0, "%s", r.err.text);
	ck_assert_int_eq(revert(&r), ETL_FAILED);
	ck_assert_int_eq(r.err.klass, ETL_USAGE);
	ck_assert_ptr_nonnull(strstr(r.err.text, "undo = true"));
	ck_assert_str_eq(all("a.db"), "1=new a,2=new b");
	end_run(&r);
}
END_TEST

/* Rows rejected before they came are in the source still. */
START_TEST(nothing_is_deleted_for_rows_nobody_knows)
{
	static const uint64_t withheld[] = { 1 };
	struct target_run r;
	const struct etl_load *loads[] = { &r.load };
	const struct etl_token *tokens[] = { &r.token };
	struct etl_commit commit = { .run = &r.run, .loads = loads, .tokens = tokens, .load_count = 1,
				     .outcomes = &r.outcome, .withheld = withheld };

	make_db("a.db", OLD);
	start_into(&r, "a.db", ETL_MERGE, ETL_RUN_UNDO);
	stage_into(&r, two_rows, 2);
	ck_assert_msg(sqlite_LTX_etl_plugin()->target->commit(r.inst, &commit, &r.err) == 0, "%s", r.err.text);
	ck_assert_uint_eq(r.outcome.deleted, 0);
	ck_assert_str_eq(all("a.db"), "1=new a,2=new b,7=old 7");
	ck_assert_ptr_nonnull(strstr(host_log()->text, "nothing is deleted"));
	ck_assert_msg(revert(&r) == 0, "%s", r.err.text);
	ck_assert_str_eq(all("a.db"), "1=old,7=old 7");
	end_run(&r);
}
END_TEST

/* Only so many runs keep what they changed. */
START_TEST(old_images_are_forgotten)
{
	struct target_run r;
	char first[80];
	int i;

	make_db("a.db", OLD);
	for (i = 0; i < 5; i++) {
		char value[32];
		const char *const rows[] = { "1", value, "7", "t:old 7" };

		snprintf(value, sizeof(value), "t:v%d", i);
		start_into(&r, "a.db", ETL_MERGE, ETL_RUN_UNDO);
		stage_into(&r, rows, 2);
		ck_assert_msg(commit_run(&r) == 0, "%s", r.err.text);
		if (i == 0)
			snprintf(first, sizeof(first), "%s", r.run.id);
		if (i < 4)
			end_run(&r);
	}
	ck_assert_str_eq(ask("a.db", "SELECT count(*) FROM sqlite_schema WHERE name LIKE '%undo%'"), "3");
	ck_assert_msg(revert(&r) == 0, "%s", r.err.text);
	ck_assert_str_eq(all("a.db"), "1=v3,7=old 7");
	r.run.id = first;
	ck_assert_int_eq(revert(&r), ETL_FAILED);
	ck_assert_int_eq(r.err.klass, ETL_USAGE);
	end_run(&r);
}
END_TEST

/* Tables of another version are left alone. */
START_TEST(a_newer_version_is_named)
{
	struct target_run r;

	make_db("a.db", OLD "CREATE TABLE _etlrun_version(version); INSERT INTO _etlrun_version VALUES (9);");
	start_into(&r, "a.db", ETL_MERGE, 0);
	stage_into(&r, two_rows, 2);
	ck_assert_int_eq(commit_run(&r), ETL_FAILED);
	ck_assert_ptr_nonnull(strstr(r.err.text, "version 9, this etlrun knows 1"));
	ck_assert_str_eq(all("a.db"), "1=old,7=old 7");
	ck_assert_int_eq(abort_run(&r), 0);
	end_run(&r);
	ck_assert_int_eq(count_files("."), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sqlite_into");
	TCase *tests = tcase_create("sqlite_into");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tests, make_folder, remove_folder);
	tcase_add_test(tests, a_merge_is_taken_back);
	tcase_add_test(tests, an_append_is_taken_back);
	tcase_add_loop_test(tests, what_others_did_is_not_taken_back, 0, 5);
	tcase_add_test(tests, what_was_not_kept_names_the_key);
	tcase_add_test(tests, nothing_is_deleted_for_rows_nobody_knows);
	tcase_add_test(tests, old_images_are_forgotten);
	tcase_add_test(tests, a_newer_version_is_named);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
