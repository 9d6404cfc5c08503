/*
 * A plugin in words: its page of the manual, and what its tables promise, of one that offers everything and of one
 * that offers the least.
 */
#include "config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../core/plugin-text.h"

static const struct etl_option inner[] = {
	{ .name = "column", .kind = ETL_OPT_TEXT, .flags = ETL_OPT_REQUIRED, .help = "Which one." },
	{ .name = NULL },
};
static const struct etl_option options[] = {
	{ .name = "path", .kind = ETL_OPT_PATH, .flags = ETL_OPT_REQUIRED | ETL_OPT_SOURCE, .help = ".db files,\nold-style" },
	{ .name = "sep", .kind = ETL_OPT_TEXT, .default_text = "", .help = "'\\' or nothing" },
	{ .name = "n", .kind = ETL_OPT_INT, .min = 1, .max = 9, .default_text = "-3", .help = "n",
	  .flags = ETL_OPT_TARGET | ETL_OPT_PER_TABLE | ETL_OPT_PER_COLUMN },
	{ .name = "least", .kind = ETL_OPT_INT, .min = 1, .max = INT64_MAX, .help = "n",
	  .flags = ETL_OPT_PER_STORE | ETL_OPT_PER_TABLE },
	{ .name = "any", .kind = ETL_OPT_INT, .help = "n", .flags = ETL_OPT_PER_STORE },
	{ .name = "below", .kind = ETL_OPT_INT, .min = -9, .help = "n" },
	{ .name = "how", .kind = ETL_OPT_CHOICE, .choices = "a|b", .help = "n" },
	{ .name = "rules", .kind = ETL_OPT_GROUPS, .members = inner, .help = "All of them." },
	{ .name = NULL },
};
static const struct etl_option none[] = { { .name = NULL } };

static const struct plugin all = {
	.base = { .name = "all2", .version = "1.0", .summary = "does it all", .options = options,
		  .option_size = sizeof(options[0]) },
	.has_store = true, .has_source = true, .has_target = true, .has_transform = true, .has_validator = true,
	.store = { .flags = ETL_DYNAMIC | ETL_UNENFORCED_KEYS | ETL_FROM_SHAPES | ETL_FILES },
	.target = { .flags = ETL_RESUMABLE | ETL_ATOMIC_RUN | ETL_DDL | ETL_KEEPS_STATE | ETL_APPENDS | ETL_MERGES |
			     ETL_REFERENCES | ETL_IN_ORDER,
		    .max_instances = 1 },
	.transform = { .rows = ETL_ROWS_FEWER, .flags = ETL_REPEATS },
	.can_digest = true, .can_digests = true, .can_totals = true, .can_pin = true, .can_split = true, .can_profile = true, .can_watermark = true,
	.can_revert = true, .can_staged = true, .can_derive = true, .can_wrap = true, .can_check = true,
	.can_inspect = true, .can_needs = true, .can_propose = true, .can_version = true,
};
static const struct plugin least = {
	.base = { .name = "least", .version = "1.0", .summary = "does little", .options = none,
		  .option_size = sizeof(none[0]) },
	.has_store = true, .has_source = true, .has_target = true, .has_transform = true, .has_validator = true,
};

/* ---- The page ---- */

static char *page(const struct plugin *p, const char *fragment)
{
	struct etl_error err = ERROR_INIT;
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	ck_assert_ptr_nonnull(out);
	ck_assert_int_eq(plugin_man(p, fragment, out, &err), ETL_OK);
	ck_assert_int_eq(fclose(out), 0);
	return text;
}

static void holds(const char *text, const char *words)
{
	ck_assert_msg(strstr(text, words) != NULL, "no \"%s\" in:\n%s", words, text);
}

START_TEST(a_page_of_the_manual)
{
	char *text = page(&all, NULL);

	holds(text, ".TH ETLRUN\\-ALL2 7 \"\" \"all2 1.0\"");
	holds(text, "etlrun\\-all2 \\- does it all (source, target, transform, validator)\n");
	holds(text, "source = { plugin = \\(dqall2\\(dq; ... };\ntarget = { plugin = \\(dqall2\\(dq; ... };\n"
		    "transforms = ( { plugin = \\(dqall2\\(dq; ... } );\n"
		    "validators = ( { plugin = \\(dqall2\\(dq; ... } );\n");
	/* No line begins with a control character of roff, and none is broken. */
	holds(text, ".BR path \" (path)\"\n\\&.db files, old\\-style\nRequired.\nFor: source.\n");
	holds(text, ".BR sep \" (text)\"\n\\&'\\e' or nothing\nDefault:\n.BR \"\\(dq\\(dq\" .\n");
	holds(text, ".BR n \" (number 1..9)\"\nn\nDefault:\n.BR \\-3 .\nFor: target, a table, a column.\n");
	holds(text, ".BR least \" (number from 1)\"\nn\nFor: the store, a table.\n");
	holds(text, ".BR any \" (number)\"\nn\n.TP\n");
	holds(text, ".BR below \" (number \\-9..0)\"\n");
	holds(text, ".BR how \" (a|b)\"\n");
	holds(text, "All of them.\n.RS\n.TP\n.BR column \" (text)\"\nWhich one.\nRequired.\n.RE\n.SH PROMISES\n");
	free(text);
	text = page(&least, NULL);
	ck_assert_ptr_null(strstr(text, "OPTIONS"));
	free(text);
}
END_TEST

START_TEST(a_page_with_its_authors_part)
{
	struct etl_error err = ERROR_INIT;
	char name[] = "/tmp/etlrun-man-XXXXXX", *text;
	FILE *out = fopen("/dev/null", "w");
	int fd = mkstemp(name);

	ck_assert_ptr_nonnull(out);
	ck_assert_int_eq(write(fd, ".SH MORE\n", 9), 9);
	close(fd);
	text = page(&least, name);
	holds(text, ".fi\n.SH MORE\n.SH PROMISES\n");
	free(text);
	unlink(name);
	ck_assert_int_eq(plugin_man(&least, "/", out, &err), ETL_FAILED);
	ck_assert_str_eq(err.message, "the fragment / cannot be read");
	error_clear(&err);
	fclose(out);
}
END_TEST

START_TEST(a_page_that_cannot_be_written)
{
	struct etl_error err = ERROR_INIT;
	FILE *out = fopen("/dev/full", "w");

	ck_assert_ptr_nonnull(out);
	setvbuf(out, NULL, _IONBF, 0);
	ck_assert_int_eq(plugin_man(&least, NULL, out, &err), ETL_FAILED);
	ck_assert_str_eq(err.message, "the page cannot be written: No space left on device");
	ck_assert_int_eq(error_exit(&err), 10);
	error_clear(&err);
	fclose(out);
}
END_TEST

/* ---- Promises ---- */

static char promised[8192];

static void add(const char *role, const char *text, void *data)
{
	(void)data;
	snprintf(promised + strlen(promised), sizeof(promised) - strlen(promised), "%s: %s\n", role, text);
}

static const char *promises(const struct plugin *p)
{
	promised[0] = '\0';
	plugin_promises(p, add, NULL);
	return promised;
}

START_TEST(what_all_of_it_promises)
{
	ck_assert_str_eq(promises(&all),
			 "store: dynamic types: any value may stand in any column\n"
			 "store: foreign keys may be broken in it\n"
			 "store: a table is what the pipeline says in `from`; it need not be listed\n"
			 "store: files: rows that do not fit are rejected unless on_error = \"stop\"\n"
			 "store: computes row hashes itself for diff, where they are the same as ours\n"
			 "store: adds its columns up itself, where that is exact\n"
			 "source: all readers see one consistent view of the data\n"
			 "source: a table is read in parts, by several workers\n"
			 "source: looks at every value before types are chosen\n"
			 "source: discover proposes the entries of `tables`\n"
			 "source: can say how far a cursor column has come\n"
			 "target: resumable: what was staged outlives the process\n"
			 "target: atomic run: every table is published, or none\n"
			 "target: makes tables, keys and indexes\n"
			 "target: keeps the run's state with the rows, in one transaction\n"
			 "target: appends to and merges into tables that are there\n"
			 "target: can take a published run back\n"
			 "target: rows can be validated before they are published\n"
			 "target: finds rows whose values another table does not have\n"
			 "target: in order: splits are loaded in the order of the source, so equal input gives equal bytes\n"
			 "target: at most 1 writer at a time\n"
			 "target: may carry a version, which run --if-needed compares\n"
			 "transform: a row goes on or is left out\n"
			 "transform: decides the shape of the table\n"
			 "transform: repeats: the same rows in, the same rows out, every time\n"
			 "validator: looks at each row on its way\n"
			 "validator: looks at what will be published, beside what came from the source\n"
			 "validator: looks at the shape of the table before any row moves\n"
			 "validator: the source's side is computed while the rows are loaded\n");
}
END_TEST

START_TEST(what_the_least_promises)
{
	ck_assert_str_eq(promises(&least),
			 "store: row hashes are computed by etlrun, from the rows\n"
			 "store: columns are added up by etlrun, from the rows\n"
			 "source: no consistent view: a row that changes during the run may be seen before or after\n"
			 "source: a table is read in one piece, by one worker\n"
			 "target: not resumable: a run that was interrupted starts again\n"
			 "target: no atomic run: tables are published one after the other\n"
			 "target: makes no tables\n"
			 "target: the run's state is kept beside it\n"
			 "target: rows cannot be read back before they are published\n"
			 "transform: one row out for each row in\n"
			 "transform: leaves the shape of the table\n"
			 "transform: does not repeat: `etlrun validate` cannot replay it\n");
}
END_TEST

START_TEST(what_some_promise)
{
	struct plugin p = { .has_target = true };

	p.target.flags = ETL_APPENDS | ETL_KEEPS_STATE | ETL_COPY_BESIDE;
	p.target.max_instances = 4;
	holds(promises(&p), "target: appends to tables that are there\n");
	holds(promises(&p), "target: keeps the run's state with the rows, in one transaction; of a copy, beside it\n");
	holds(promises(&p), "target: at most 4 writers at a time\n");
	p.target.flags = ETL_MERGES;
	holds(promises(&p), "target: merges into tables that are there\n");
	p = (struct plugin){ .has_transform = true, .transform = { .rows = ETL_ROWS_ANY } };
	holds(promises(&p), "transform: any number of rows out\n");
	p.transform.rows = 99;
	ck_assert_ptr_null(strstr(promises(&p), "row"));
	p.transform.rows = -1;
	ck_assert_ptr_null(strstr(promises(&p), "row"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("plugin text");
	TCase *t = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_add_test(t, a_page_of_the_manual);
	tcase_add_test(t, a_page_with_its_authors_part);
	tcase_add_test(t, a_page_that_cannot_be_written);
	tcase_add_test(t, what_all_of_it_promises);
	tcase_add_test(t, what_the_least_promises);
	tcase_add_test(t, what_some_promise);
	suite_add_tcase(suite, t);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
