/*
 * Whole pipeline files, right and wrong, read with a registry of two plugins that this program brings itself:
 * a store "box" with options of every scope, and a validator "look".
 */
#include "config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../core/pipeline-parts.h"

static char folder[] = "/tmp/etlrun-pipe-XXXXXX";

static const struct etl_option deep_options[] = { { .name = "path", .kind = ETL_OPT_PATH }, { .name = NULL } };
static const struct etl_option box_options[] = {
	{ .name = "path", .kind = ETL_OPT_PATH },
	{ .name = "uri", .kind = ETL_OPT_URI },
	{ .name = "host", .kind = ETL_OPT_TEXT },
	{ .name = "rows",
	  .kind = ETL_OPT_TEXT,
	  .flags = ETL_OPT_PER_TABLE | ETL_OPT_SOURCE,
	  .default_text = "all" },
	{ .name = "fill", .kind = ETL_OPT_INT, .flags = ETL_OPT_PER_COLUMN | ETL_OPT_TARGET },
	{ .name = "peek", .kind = ETL_OPT_INT, .flags = ETL_OPT_PER_COLUMN | ETL_OPT_SOURCE },
	{ .name = "note", .kind = ETL_OPT_TEXT, .flags = ETL_OPT_PER_COLUMN },
	{ .name = "near", .kind = ETL_OPT_URI, .flags = ETL_OPT_LOCAL },
	{ .name = "deep", .kind = ETL_OPT_GROUP, .members = deep_options },
	{ .name = NULL }
};
static const struct etl_option look_options[] = { { .name = "sample", .kind = ETL_OPT_PERCENT },
						  { .name = NULL } };

static const struct plugin box = {
	.base = { .name = "box", .options = box_options, .option_size = sizeof(struct etl_option) },
	.has_store = true,
	.has_source = true,
	.has_target = true,
};
static const struct plugin look = {
	.base = { .name = "look",
		  .options = look_options,
		  .option_size = sizeof(struct etl_option) },
	.has_validator = true,
};

/* Takes no options, and plays one part. */
static const struct plugin plain = { .base = { .name = "plain" }, .has_source = true, .has_target = true };
static const struct plugin idle = { .base = { .name = "idle" } };

int registry_find(const char *name, const struct plugin **ret, struct etl_error *err)
{
	static const struct plugin *const all[] = { &box, &look, &plain, &idle };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (strcmp(name, all[i]->base.name) == 0) {
			*ret = all[i];
			return ETL_OK;
		}
	if (strcmp(name, "broken") == 0)
		return error_set(err, ETL_MEMORY, "the disk of plugin %s is broken", name);
	return error_set(err, ETL_USAGE, "there is no plugin %s", name);
}

int registry_find_scheme(const char *scheme, const struct plugin **ret, struct etl_error *err)
{
	return registry_find(strcmp(scheme, "crate") == 0 ? "box" : scheme, ret, err);
}

static int read_text(const char *text, const struct overlay *over, struct pipeline **ret,
		     struct etl_error *err)
{
	FILE *f = fopen("shop.cfg", "w");

	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs(text, f), 0);
	ck_assert_int_eq(fclose(f), 0);
	return pipeline_read("shop.cfg", over, ret, err);
}

#define STORES                                                                                     \
	"source = { plugin = \"box\"; path = \"in\"; }; target = { plugin = \"box\"; path = "      \
	"\"/out\"; };\n"

static struct pipeline *takes(const char *text, const struct overlay *over)
{
	struct etl_error err = ERROR_INIT;
	struct pipeline *p = NULL;

	ck_assert_msg(read_text(text, over, &p, &err) == ETL_OK, "%s", err.message);
	return p;
}

/* What stands behind the two stores of line 1. */
static void refuses(const char *rest, const char *sentence)
{
	struct etl_error err = ERROR_INIT;
	struct pipeline *p = NULL;
	char *text = NULL;

	ck_assert_int_ge(asprintf(&text, STORES "%s", rest), 0);
	ck_assert_int_eq(read_text(text, NULL, &p, &err), ETL_FAILED);
	ck_assert_int_eq(err.klass, ETL_USAGE);
	ck_assert_str_eq(err.message, sentence);
	ck_assert_ptr_null(p);
	error_clear(&err);
	free(text);
}

START_TEST(the_least)
{
	struct pipeline *p = takes(STORES, NULL);
	char path[128];

	snprintf(path, sizeof(path), "%s/in", folder);
	ck_assert_str_eq(p->name, "shop");
	ck_assert_str_eq(p->folder, folder);
	ck_assert_str_eq(conf_str(p->source.conf, "path"), path);
	ck_assert_str_eq(conf_str(p->target.conf, "path"), "/out");
	ck_assert_int_eq(p->mode, ETL_COPY);
	ck_assert_int_eq(p->on_existing, ETL_EXISTING_FAIL);
	ck_assert_uint_eq(p->table_count, 1);
	ck_assert_str_eq(p->tables[0].name, "*");
	ck_assert_str_eq(conf_str(p->tables[0].from, "rows"), "all");
	ck_assert_ptr_null(p->tables[0].to);
	ck_assert_int_eq(p->foreign_keys, -1);
	ck_assert_int_ge(p->workers, 1);
	ck_assert_int_eq(p->batch_rows, 8192);
	ck_assert_int_eq(p->batch_bytes, 4 << 20);
	ck_assert_int_eq(p->memory_limit, 256 << 20);
	ck_assert_int_eq(p->max_row, 64 << 20);
	ck_assert(!p->commit.given);
	ck_assert_int_eq(p->max_rejects, 0);
	ck_assert(!p->max_rejects_percent && !p->reject_rows && !p->on_existing_from_command);
	pipeline_free(p);
}
END_TEST

START_TEST(everything)
{
	struct pipeline *p = takes(
		STORES
		"version = 1; name = \"n\"; mode = \"sync\"; allow_drift = \"add\"; max_rows = 9; rate = { rows = 50; }; source_load = { lag = \"10s\"; }; overlap = \"2m\"; sweep_every = 7; names = "
		"\"snake\"; scope = \"table\";\n"
		"tables = ( { name = \"*\"; delete = \"hard\"; }, { name = \"Invoice\"; as = "
		"\"invoices\"; where = \"Total > 0\";\n"
		" columns = ( { name = \"Total\"; type = \"decimal(10,2)\"; fill = 7; }, { as = "
		"\"by\"; value = 5; },\n"
		"  { name = \"State\"; as = \"state\"; null_values = [ \"\", \"n/a\" ]; default = "
		"\"US\"; } );\n"
		" exclude_columns = [ \"Fax\" ]; key = [ \"Id\" ]; after = \"Customer\"; cursor = "
		"\"at\"; allow_drift = [ \"drop\", \"type\" ]; from = { rows = \"few\"; };\n"
		" to = { }; transforms = ( ); validators = ( { plugin = \"look\"; } ); }, { query "
		"= \"SELECT 1\"; as = \"q\"; } );\n"
		"exclude = [ \"tmp_*\" ]; transforms = ( ); validators = ( { plugin = \"look\"; "
		"sample = \"10%\"; } );\n"
		"types = ( ( \"datetime\", \"timestamp with time zone\" ) ); foreign_keys = "
		"\"drop\"; before = [ \"b\" ];\n"
		"after_load = [ \"a\" ]; on_error = \"reject\"; workers = \"3\"; batch = { rows = "
		"10; bytes = \"1MiB\"; };\n"
		"commit_every = { rows = 5; seconds = 2; }; memory_limit = \"64MiB\"; max_row = "
		"\"1MiB\"; state = \"s\";\n"
		"undo = true; log = { file = \"r.log\"; format = \"json\"; level = "
		"\"debug\"; };\n"
		"schedule = { cron = \"*/15 1-5,8 * jan mon-fri\"; overlap = \"queue\"; };\n",
		NULL);
	const struct table_rule *t = &p->tables[1];

	ck_assert_int_eq(p->mode, ETL_SYNC);
	ck_assert_int_eq(p->overlap, 120000);
	ck_assert_int_eq(p->sweep_every, 7);
	ck_assert_int_eq(p->max_rows, 9);
	ck_assert_int_eq(p->rate_rows, 50);
	ck_assert_int_eq(p->source_load.lag, 10000);
	ck_assert_int_eq(p->source_load.active, -1);
	ck_assert_int_eq(p->source_load.check_every, 5000);
	ck_assert_int_eq(p->source_load.patience, 600000);
	ck_assert_uint_eq(p->tables[0].allow_drift, DRIFT_ADD);
	ck_assert_uint_eq(t->allow_drift, DRIFT_DROP | DRIFT_TYPE);
	ck_assert_int_eq(p->names, NAMES_SNAKE);
	ck_assert(p->table_scope && p->reject_rows && p->undo && p->max_rejects_percent);
	ck_assert_int_eq(p->max_rejects, 1000000);
	ck_assert_int_eq(p->foreign_keys, ETL_FK_DROP);
	ck_assert_int_eq(p->workers, 3);
	ck_assert_int_eq(p->batch_bytes, 1 << 20);
	ck_assert_int_eq(p->commit.ms, 2000);
	ck_assert_int_eq(p->commit.rows, 5);
	ck_assert(!p->commit.adapts);
	ck_assert_int_eq(p->keep_old, 0);
	ck_assert_str_eq(p->log_format, "json");
	ck_assert_int_eq(p->state[0], '/');
	ck_assert_str_eq(p->types[0].type, "timestamp with time zone");
	ck_assert_uint_eq(p->table_count, 3);
	ck_assert_int_eq(p->tables[0].deletes, ETL_DELETE_HARD);
	ck_assert_int_eq(t->deletes, ETL_DELETE_NONE);
	ck_assert_uint_eq(t->column_count, 3);
	ck_assert_int_eq(conf_num(t->columns[0].to, "fill"), 7);
	ck_assert_str_eq(t->columns[1].value, "5");
	ck_assert_str_eq(t->columns[2].fallback, "US");
	ck_assert_uint_eq(t->columns[2].null_values.count, 2);
	ck_assert_str_eq(t->after.at[0], "Customer");
	ck_assert_str_eq(t->cursor, "at");
	ck_assert_str_eq(conf_str(t->from, "rows"), "few");
	ck_assert(t->has_transforms && t->has_validators && t->validators.count == 1);
	ck_assert_str_eq(t->origin.text, "shop.cfg:3");
	ck_assert_str_eq(p->tables[2].query, "SELECT 1");
	ck_assert_int_eq(conf_num(p->validators.at[0].conf, "sample"), 100000);
	pipeline_free(p);
}
END_TEST

START_TEST(wrong_keys_and_values)
{
	char name[202] = "", text[256];

	refuses("modes = \"copy\";",
		"shop.cfg:2: the pipeline has no option `modes`; did you mean `mode`?");
	refuses("workers = \"four\";",
		"shop.cfg:2: `workers` of the pipeline wants a whole number, not \"four\"");
	refuses("workers = -1;",
		"shop.cfg:2: `workers` of the pipeline is -1, but must be from 0 to 1024");
	refuses("mode = \"cpoy\";", "shop.cfg:2: `mode` of the pipeline is \"cpoy\", but must be "
				    "one of copy, append, merge, "
				    "sync; did you mean \"copy\"?");
	refuses("version = 2;", "shop.cfg:2: the file is of version 2, but this etlrun reads "
				"version 1; write version = 1, "
				"or use a newer etlrun");
	refuses("max_rejects = 3;",
		"shop.cfg:2: `max_rejects` is 3, but the first rejected row stops the run; write "
		"on_error = \"reject\" too");
	refuses("max_rejects = \"some\";",
		"shop.cfg:2: `max_rejects` wants a number of rows or a percentage such as "
		"\"1%\", not \"some\"");
	refuses("types = ( ( \"a\", \"decmal(3,2)\" ) );",
		"shop.cfg:2: \"decmal(3,2)\" is no type; did you mean \"decimal\"?; "
		"types are such as \"bigint\", \"decimal(10,2)\", \"varchar(20)\" or \"timestamp "
		"with time zone\"");
	refuses("schedule = { cron = \"* * * *\"; };",
		"shop.cfg:2: `cron` is \"* * * *\", which has too few fields; write "
		"minute, hour, day, month and day of the week: \"*/15 * * * *\"");
	refuses("schedule = { cron = \"60 * * * *\"; };",
		"shop.cfg:2: `cron` is \"60 * * * *\", and 60 does not belong there; "
		"write minute, hour, day, month and day of the week: \"*/15 * * * *\"");
	refuses("validators = ( { plugin = \"box\"; } );",
		"shop.cfg:2: plugin box is no validator, but source and target");
	refuses("validators = ( { plugin = \"lok\"; } );", "shop.cfg:2: there is no plugin lok");
	refuses("validators = ( { sample = 3; } );",
		"shop.cfg:2: this validator names no plugin; write plugin = \"NAME\"");
	refuses("validators = ( { plugin = 3; } );", "shop.cfg:2: `plugin` wants a name in quotes");
	refuses("validators = ( { plugin = \"${vault:x}\"; } );",
		"shop.cfg:2: ${vault:x} is none of ${env:NAME}, ${file:PATH} and ${exec:COMMAND}; write $${ for a "
		"literal ${");
	refuses("validators = ( { plugin = \"idle\"; } );",
		"shop.cfg:2: plugin idle is no validator, but nothing of these");
	refuses("transforms = ( { plugin = \"plain\"; } );",
		"shop.cfg:2: plugin plain is no transform, but source and target");
	refuses("validators = ( 3 );", "shop.cfg:2: a validator wants a group: { plugin = \"NAME\"; … }");
	refuses("validators = { plugin = \"look\"; };",
		"shop.cfg:2: `validators` wants a list of groups: ( { plugin = \"NAME\"; } )");
	refuses("transforms = [ \"look\" ];",
		"shop.cfg:2: `transforms` wants a list of groups: ( { plugin = \"NAME\"; } )");
	refuses("transforms = \"look\";",
		"shop.cfg:2: `transforms` wants a list of groups: ( { plugin = \"NAME\"; } )");
	refuses("max_rejects = true;",
		"shop.cfg:2: `max_rejects` wants a number of rows or a percentage such as \"1%\", not \"true\"");
	refuses("max_rejects = false;",
		"shop.cfg:2: `max_rejects` wants a number of rows or a percentage such as \"1%\", not \"false\"");
	refuses("max_rejects = -1;",
		"shop.cfg:2: `max_rejects` wants a number of rows or a percentage such as \"1%\", not \"-1\"");
	refuses("max_rejects = [ 1 ];",
		"shop.cfg:2: `max_rejects` wants a single value, not a group or list");
	refuses("max_rejects = 0.5;",
		"shop.cfg:2: `max_rejects` is a number with a point, which is not exact; write it in quotes");
	refuses("name = \"\";", "shop.cfg:2: `name` wants 1 to 200 characters without / and line breaks");
	refuses("name = \"a/b\";", "shop.cfg:2: `name` wants 1 to 200 characters without / and line breaks");
	refuses("name = \"a\\nb\";", "shop.cfg:2: `name` wants 1 to 200 characters without / and line breaks");
	memset(name, 'x', sizeof(name) - 1);
	snprintf(text, sizeof(text), "name = \"%s\";", name);
	refuses(text, "shop.cfg:2: `name` wants 1 to 200 characters without / and line breaks");
	refuses("types = ( ( \"a\", \"varchar(x)\" ) );",
		"shop.cfg:2: \"varchar(x)\" is no type; types are such as \"bigint\", \"decimal(10,2)\", "
		"\"varchar(20)\" or \"timestamp with time zone\"");
	refuses("types = ( ( \"a\", \"colour\" ) );",
		"shop.cfg:2: \"colour\" is no type; types are such as \"bigint\", \"decimal(10,2)\", "
		"\"varchar(20)\" or \"timestamp with time zone\"");
}
END_TEST

static void text_refused(const char *text, int32_t klass, const char *sentence)
{
	struct etl_error err = ERROR_INIT;
	struct pipeline *p = NULL;

	ck_assert_int_eq(read_text(text, NULL, &p, &err), ETL_FAILED);
	ck_assert_int_eq(err.klass, klass);
	ck_assert_str_eq(err.message, sentence);
	ck_assert_ptr_null(p);
	error_clear(&err);
}

START_TEST(wrong_stores)
{
	char sentence[256];

	snprintf(sentence, sizeof(sentence), "%s/shop.cfg: there is no source; write source = { plugin = \"NAME\"; … };",
		 folder);
	text_refused("target = { plugin = \"box\"; };", ETL_USAGE, sentence);
	text_refused("source = 3; target = { plugin = \"box\"; };", ETL_USAGE,
		     "shop.cfg:1: a source wants a group: { plugin = \"NAME\"; … }");
	text_refused("source = { plugin = \"broken\"; };", ETL_MEMORY, "the disk of plugin broken is broken");
	text_refused("source = { plugin = \"plain\"; path = \"x\"; };", ETL_USAGE,
		     "shop.cfg:1: plugin plain has no option `path`");
}
END_TEST

/* Two stores that declare no options at all, with a column that has none of theirs. */
START_TEST(stores_without_options)
{
	struct pipeline *p = takes("source = { plugin = \"plain\"; }; target = { plugin = \"plain\"; };\n"
				   "transforms = [ ]; tables = ( { name = \"a\"; columns = ( { name = \"b\"; } ); }, { name = \"c\"; columns = ( ); } );",
				   NULL);

	ck_assert_ptr_null(p->source.conf);
	ck_assert_ptr_null(p->tables[0].from);
	ck_assert_ptr_null(p->tables[0].columns[0].to);
	ck_assert_uint_eq(p->tables[1].column_count, 0);
	ck_assert_uint_eq(p->transforms.count, 0);
	pipeline_free(p);
}
END_TEST

START_TEST(relative_to_a_folder_that_is_gone)
{
	struct etl_error err = ERROR_INIT;
	struct pipeline *p = NULL;

	ck_assert_int_eq(mkdir("gone", 0700), 0);
	ck_assert_int_eq(chdir("gone"), 0);
	ck_assert_int_eq(rmdir("../gone"), 0);
	ck_assert_int_eq(pipeline_read("shop.cfg", NULL, &p, &err), ETL_FAILED);
	ck_assert_str_eq(err.message, "the current folder cannot be read (No such file or directory); change to another "
				      "one");
	error_clear(&err);
	ck_assert_int_eq(pipeline_from_uris("box:a", "box:b", NULL, &p, &err), ETL_FAILED);
	ck_assert_str_eq(err.message, "the current folder cannot be read (No such file or directory); change to another "
				      "one");
	error_clear(&err);
}
END_TEST

static const struct {
	const char *line, *wrong; /* NULL: it is a cron line */
} crons[] = {
	{ "* * * * *", NULL },
	{ "0 0 1 1 0", NULL },
	{ "59 23 31 12 7", NULL },
	{ "\t*/5  0-12/3 1,15,31 JAN,feb-Dec sun-fri\t", NULL },
	{ "0-59/59 */999 * * *", NULL },
	{ "60 * * * *", "60" },
	{ "* 24 * * *", "24" },
	{ "* * 0 * *", "0" },
	{ "* * 32 * *", "32" },
	{ "* * * 13 *", "13" },
	{ "* * * 0 *", "0" },
	{ "* * * * 8", "8" },
	{ "99999999999999999999 * * * *", "99999999999999999999" },
	{ "-1 * * * *", "-1" },
	{ "5-1 * * * *", "5-1" },
	{ "5-x * * * *", "5-x" },
	{ "5- * * * *", "5-" },
	{ "1-60 * * * *", "1-60" },
	{ "5/2 * * * *", "5/2" },
	{ "*/0 * * * *", "*/0" },
	{ "*/ * * * *", "*/" },
	{ "*/x * * * *", "*/x" },
	{ "*/1000 * * * *", "*/1000" },
	{ "1, * * * *", "1," },
	{ ",1 * * * *", ",1" },
	{ "1;2 * * * *", "1;2" },
	{ "1.5 * * * *", "1.5" },
	{ "*5 * * * *", "*5" },
	{ ": * * * *", ":" },
	{ "jan * * * *", "jan" },
	{ "* * * mon *", "mon" },
	{ "* * * january *", "january" },
	{ "* * * ja *", "ja" },
	{ "* * * * *,", "*," },
	{ "* * * *", "" },
	{ "", "" },
	{ "* * * * * /bin/true", "/bin/true" },
};

START_TEST(cron_lines)
{
	const char *wrong = NULL;
	size_t length = 0;
	bool valid = cron_valid(crons[_i].line, &wrong, &length);

	ck_assert_msg(valid == !crons[_i].wrong, "\"%s\" at %s", crons[_i].line, wrong);
	if (valid)
		return;
	ck_assert_msg(length == strlen(crons[_i].wrong) && memcmp(wrong, crons[_i].wrong, length) == 0,
		      "\"%s\" at %s", crons[_i].line, wrong);
}
END_TEST

START_TEST(wrong_tables)
{
	refuses("tables = ( { nme = \"A\"; } );",
		"shop.cfg:2: a table has no option `nme`; did you mean `name`?");
	refuses("tables = ( );",
		"shop.cfg:2: `tables` is empty; remove it for all tables, or name some");
	refuses("tables = ( { as = \"x\"; } );",
		"shop.cfg:2: this entry of `tables` has neither name nor query; write "
		"name = \"TABLE\" or query = \"SELECT …\"");
	refuses("tables = ( { query = \"x\"; } );",
		"shop.cfg:2: a query needs a name in the target; write as = \"TABLE\"");
	refuses("tables = ( { name = \"A*\"; as = \"b\"; } );",
		"shop.cfg:2: `as` gives one name, but \"A*\" may mean several "
		"tables; list the tables one by one "
		"(\\\\* and \\\\? are the characters themselves)");
	refuses("tables = ( { name = \"A\"; columns = ( { name = \"c\"; fil = 1; } ); } );",
		"shop.cfg:2: a column has no option `fil`; did you mean `fill`?");
	refuses("tables = ( { name = \"A\"; columns = ( { value = \"c\"; } ); } );",
		"shop.cfg:2: a constant column needs a name in the target; write as = \"COLUMN\"");
	refuses("tables = 3;", "shop.cfg:2: `tables` wants a list of groups: ( { name = \"*\"; } )");
	refuses("tables = [ \"a\" ];", "shop.cfg:2: `tables` wants a list of groups: ( { name = \"*\"; } )");
	refuses("tables = ( \"a\" );", "shop.cfg:2: an entry of `tables` wants a group: { name = \"TABLE\"; … }");
	refuses("tables = ( { name = \"A\"; query = \"SELECT 1\"; as = \"b\"; } );",
		"shop.cfg:2: this entry of `tables` has a name and a query; a query is called by `as`");
	refuses("tables = ( { name = \"A\"; as = \"\"; } );",
		"shop.cfg:2: an empty `as` or query of a table; write it, or remove the entry");
	refuses("tables = ( { query = \"\"; as = \"b\"; } );",
		"shop.cfg:2: an empty `as` or query of a table; write it, or remove the entry");
	refuses("tables = ( { name = \"A\"; from = 3; } );",
		"shop.cfg:2: `from` of a table wants a group of keys of the source plugin: { … }");
	refuses("tables = ( { name = \"A\"; to = \"x\"; } );",
		"shop.cfg:2: `to` of a table wants a group of keys of the target plugin: { … }");
	refuses("tables = ( { name = \"A\"; columns = { name = \"c\"; }; } );",
		"shop.cfg:2: `columns` of a table wants a list of groups: ( { name = \"COLUMN\"; } )");
	refuses("tables = ( { name = \"A\"; columns = ( \"c\" ); } );",
		"shop.cfg:2: an entry of `columns` wants a group: { name = \"COLUMN\"; … }");
	refuses("tables = ( { name = \"A\"; columns = ( { as = \"c\"; } ); } );",
		"shop.cfg:2: this column has neither name nor value; write name = \"COLUMN\", or "
		"as = \"COLUMN\" with a constant value");
	refuses("tables = ( { name = \"A\"; columns = ( { name = \"c\"; value = 1; } ); } );",
		"shop.cfg:2: the column c has a name and a value; a constant has `as` and `value`, "
		"and `default` is what stands for NULL");
	refuses("tables = ( { name = \"A\"; columns = ( { name = \"c\"; as = \"\"; } ); } );",
		"shop.cfg:2: an empty `as` of a column; write the column's name");
	refuses("tables = ( { name = \"A\"; columns = ( { as = \"c\"; value = 1; default = 2; } ); } );",
		"shop.cfg:2: the constant c takes neither `default` nor `null_values`; it is never NULL");
	refuses("tables = ( { name = \"A\"; columns = ( { as = \"c\"; value = 1; null_values = [ \"\" ]; } ); } );",
		"shop.cfg:2: the constant c takes neither `default` nor `null_values`; it is never NULL");
	refuses("tables = ( { name = \"A\"; columns = ( { as = \"c\"; value = { }; } ); } );",
		"shop.cfg:2: `value` wants a single value, not a group or list");
	refuses("tables = ( { name = \"A\"; columns = ( { name = \"c\"; type = \"integr\"; } ); } );",
		"shop.cfg:2: \"integr\" is no type; did you mean \"integer\"?; types are such as \"bigint\", "
		"\"decimal(10,2)\", \"varchar(20)\" or \"timestamp with time zone\"");
	refuses("tables = ( { name = \"A\"; columns = ( { name = \"c\"; peek = 1; } ); } );",
		"shop.cfg:2: a column has no option `peek`");
	refuses("tables = ( { name = \"A\"; columns = ( { as = \"b\"; value = 1.5; } ); } );",
		"shop.cfg:2: `value` is a number with a point, which is not exact; write it in "
		"quotes");
}
END_TEST

START_TEST(from_the_command_line)
{
	const char *sets[] = { "on_existing=replace", "workers=2", "target.path=t" };
	const char *wrong[] = { "workers=two" };
	struct overlay over = { .sets = sets, .set_count = 3, .profile = "p" };
	struct etl_error err = ERROR_INIT;
	struct pipeline *p = takes(
		STORES "profiles = { p = { workers = 9; names = \"lower\"; }; };", &over);

	ck_assert_int_eq(p->workers, 2);
	ck_assert_int_eq(p->names, NAMES_LOWER);
	ck_assert_int_eq(p->on_existing, ETL_EXISTING_REPLACE);
	ck_assert(p->on_existing_from_command);
	pipeline_free(p);
	over = (struct overlay){ .sets = wrong, .set_count = 1 };
	ck_assert_int_eq(read_text(STORES, &over, &p, &err), ETL_FAILED);
	ck_assert_str_eq(
		err.message,
		"--set workers: `workers` of the pipeline wants a whole number, not \"two\"");
	error_clear(&err);
}
END_TEST

START_TEST(two_uris)
{
	struct etl_error err = ERROR_INIT;
	struct pipeline *p = NULL;

	ck_assert_msg(pipeline_from_uris("box:a.db", "crate:///x?host=%2Frun&path=o", NULL, &p,
					 &err) == ETL_OK,
		      "%s", err.message);
	ck_assert_ptr_null(p->path);
	ck_assert_str_eq(p->name, "copy");
	ck_assert_str_eq(conf_str(p->source.conf, "uri"), "box:a.db");
	ck_assert_str_eq(conf_str(p->target.conf, "uri"), "crate:///x?host=%2Frun&path=o");
	ck_assert_str_eq(conf_str(p->target.conf, "host"), "/run");
	pipeline_free(p);
	ck_assert_int_eq(pipeline_from_uris("a.db", "box:x", NULL, &p, &err), ETL_FAILED);
	ck_assert_str_eq(
		err.message,
		"the source URI has no scheme; write PLUGIN:WHERE, such as sqlite:shop.db or "
		"postgres:///shop");
	error_clear(&err);
	ck_assert_int_eq(pipeline_from_uris("box:x", "box:x?hots=1", NULL, &p, &err), ETL_FAILED);
	ck_assert_str_eq(err.message,
			 "the target URI: plugin box has no option `hots`; did you mean `host`?");
	error_clear(&err);
}
END_TEST

static void uris_refused(const char *source, const char *target, int32_t klass, const char *sentence)
{
	struct etl_error err = ERROR_INIT;
	struct pipeline *p = NULL;

	ck_assert_int_eq(pipeline_from_uris(source, target, NULL, &p, &err), ETL_FAILED);
	ck_assert_int_eq(err.klass, klass);
	ck_assert_str_eq(err.message, sentence);
	ck_assert_ptr_null(p);
	error_clear(&err);
}

START_TEST(wrong_uris)
{
	struct etl_error err = ERROR_INIT;
	struct overlay over = { .profile = "p" };
	struct pipeline *p = NULL;

	uris_refused(":x", "box:y", ETL_USAGE, "the source URI has no scheme; write PLUGIN:WHERE, such as sqlite:shop.db "
					       "or postgres:///shop");
	uris_refused("lok:x", "box:y", ETL_USAGE, "the source URI: there is no plugin lok");
	uris_refused("broken:x", "box:y", ETL_MEMORY, "the disk of plugin broken is broken");
	uris_refused("look:x", "box:y", ETL_USAGE, "the source URI: plugin look takes no URI; write a pipeline file");
	uris_refused("box:x", "plain:y", ETL_USAGE, "the target URI: plugin plain takes no URI; write a pipeline file");
	uris_refused("box:x?host", "box:y", ETL_USAGE, "the source URI: the option host has no value; write ?host=VALUE");
	uris_refused("box:x", "box:y?uri=z", ETL_USAGE, "the target URI: uri cannot be set in a URI; remove it");
	uris_refused("box:x?plugin=look", "box:y", ETL_USAGE, "the source URI: plugin cannot be set in a URI; remove it");
	ck_assert_int_eq(pipeline_from_uris("box:x", "box:y", &over, &p, &err), ETL_FAILED);
	ck_assert_str_eq(err.message, "--profile p: copy has no pipeline file that could hold profiles; remove it");
	error_clear(&err);
}
END_TEST

/* What is encoded is decoded, what only looks so is not, and nothing of it is filled in. */
START_TEST(parts_of_a_uri)
{
	static const struct {
		const char *query, *host;
	} parts[] = {
		{ "?host=%2frun%2Fx", "/run/x" },   { "?host=100%", "100%" },	   { "?host=%zz%4", "%zz%4" },
		{ "?host=%g0%0g", "%g0%0g" },	    { "?&host=a&", "a" },	   { "?host=a#b=c", "a" },
		{ "?host=%24%7Benv:HOME%7D", "${env:HOME}" }, { "?host=${env:HOME}", "${env:HOME}" },
		{ "?host=", "" },
	};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		struct etl_error err = ERROR_INIT;
		struct pipeline *p = NULL;
		char uri[64];

		snprintf(uri, sizeof(uri), "box:x%s", parts[i].query);
		ck_assert_msg(pipeline_from_uris(uri, "box:y", NULL, &p, &err) == ETL_OK, "%s: %s", uri, err.message);
		ck_assert_str_eq(conf_str(p->source.conf, "host"), parts[i].host);
		pipeline_free(p);
	}
}
END_TEST

START_TEST(a_source_alone)
{
	struct etl_error err = ERROR_INIT;
	struct pipeline *p = NULL;
	config_t config;

	ck_assert_int_eq(pipeline_sketch("lok:x", NULL, &config, &p, &err), ETL_FAILED);
	ck_assert_str_eq(err.message, "the source URI: there is no plugin lok");
	ck_assert_ptr_null(p);
	error_clear(&err);
	ck_assert_int_eq(pipeline_sketch("box:x", NULL, &config, &p, &err), ETL_OK);
	ck_assert_str_eq(p->name, "discover");
	ck_assert_str_eq(conf_str(p->source.conf, "uri"), "box:x");
	config_destroy(&config);
	pipeline_free(p);
}
END_TEST

START_TEST(what_is_a_uri)
{
	ck_assert_int_eq(mkdir("here:", 0700), 0);
	ck_assert(pipeline_is_uri("box:x"));
	ck_assert(!pipeline_is_uri("shop.cfg"));
	ck_assert(!pipeline_is_uri("c:x"));
	ck_assert(!pipeline_is_uri("a/b:x"));
	ck_assert(!pipeline_is_uri("here:"));
	ck_assert_int_eq(rmdir("here:"), 0);
}
END_TEST

static const char *moved_text(const config_t *config, const char *path)
{
	const char *text = NULL;

	ck_assert_msg(config_lookup_string(config, path, &text), "no %s", path);
	return text;
}

/* A value that began as WAS under PATH is now the folder and WAS. */
static void has_moved(const config_t *config, const char *path, const char *before, const char *was)
{
	char want[256];

	snprintf(want, sizeof(want), "%s%s/%s", before, folder, was);
	ck_assert_str_eq(moved_text(config, path), want);
}

START_TEST(written_down_in_another_folder)
{
	static const char text[] =
		"source = { plugin = \"box\"; path = \"in\"; near = \"box:a.db\"; host = \"in\"; deep = { path = \"d\"; }; };\n"
		"transforms = ( { plugin = \"box\"; path = \"t\"; }, { plugin = \"lost\"; path = \"t\"; }, { path = \"t\"; } );\n"
		"validators = ( { plugin = \"look\"; } ); log = { file = \"r.log\"; };\n"
		"profiles = { p = { source = { path = \"p\"; }; target = 3; }; q = { source = { path = \"\"; }; };\n"
		" r = { source = { path = \"${env:ETL_T_FAR}\"; }; }; s = { source = { path = \"${env:ETL_T_NEAR}\"; }; };\n"
		" t = { source = { path = \"${env:ETL_T_UNSET}\"; }; }; u = { source = { path = \"${env:ETL_T_EMPTY}\"; };\n"
		"  state = \"/s\"; }; v = { source = { path = 3; plugin = \"lost\"; };\n"
		"  before = [ \"$${file:x} ${file:x} ${file:/x} ${exec:./a b} ${exec:a b/c} ${exec:/a} ${env:X}\" ]; }; };\n";
	struct etl_error err = ERROR_INIT;
	struct pipeline *p = NULL;
	config_t config;
	FILE *f = fopen("sketch.cfg", "w");
	char want[512];

	setenv("ETL_T_FAR", "/far", 1);
	setenv("ETL_T_NEAR", "near", 1);
	setenv("ETL_T_EMPTY", "", 1);
	ck_assert(f && fputs(text, f) >= 0 && fclose(f) == 0);
	ck_assert_msg(pipeline_sketch("sketch.cfg", NULL, &config, &p, &err) == ETL_OK, "%s", err.message);
	ck_assert_msg(pipeline_uproot(p, &config, &err) == ETL_OK, "%s", err.message);
	has_moved(&config, "source.path", "", "in");
	has_moved(&config, "source.near", "box:", "a.db");
	ck_assert_str_eq(moved_text(&config, "source.host"), "in");
	has_moved(&config, "source.deep.path", "", "d");
	has_moved(&config, "transforms.[0].path", "", "t");
	ck_assert_str_eq(moved_text(&config, "transforms.[1].path"), "t");
	ck_assert_str_eq(moved_text(&config, "transforms.[2].path"), "t");
	has_moved(&config, "log.file", "", "r.log");
	snprintf(want, sizeof(want), "$${file:x} ${file:%s/x} ${file:/x} ${exec:%s/./a b} ${exec:a b/c} ${exec:/a} ${env:X}",
		 folder, folder);
	ck_assert_str_eq(moved_text(&config, "profiles.v.before.[0]"), want);
	has_moved(&config, "profiles.p.source.path", "", "p");
	ck_assert_str_eq(moved_text(&config, "profiles.q.source.path"), "");
	ck_assert_str_eq(moved_text(&config, "profiles.r.source.path"), "${env:ETL_T_FAR}");
	has_moved(&config, "profiles.s.source.path", "", "${env:ETL_T_NEAR}");
	ck_assert_str_eq(moved_text(&config, "profiles.t.source.path"), "${env:ETL_T_UNSET}");
	ck_assert_str_eq(moved_text(&config, "profiles.u.source.path"), "${env:ETL_T_EMPTY}");
	ck_assert_str_eq(moved_text(&config, "profiles.u.state"), "/s");
	config_destroy(&config);
	pipeline_free(p);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pipeline");
	TCase *all = tcase_create("all");
	SRunner *runner;
	int failed;

	if (!mkdtemp(folder) || chdir(folder) != 0)
		return 99;
	tcase_add_test(all, the_least);
	tcase_add_test(all, everything);
	tcase_add_test(all, wrong_keys_and_values);
	tcase_add_loop_test(all, cron_lines, 0, (int)(sizeof(crons) / sizeof(*crons)));
	tcase_add_test(all, wrong_tables);
	tcase_add_test(all, wrong_stores);
	tcase_add_test(all, stores_without_options);
	tcase_add_test(all, relative_to_a_folder_that_is_gone);
	tcase_add_test(all, from_the_command_line);
	tcase_add_test(all, two_uris);
	tcase_add_test(all, wrong_uris);
	tcase_add_test(all, parts_of_a_uri);
	tcase_add_test(all, a_source_alone);
	tcase_add_test(all, what_is_a_uri);
	tcase_add_test(all, written_down_in_another_folder);
	suite_add_tcase(suite, all);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
