/*
 * A pipeline file's group against the options a plugin declares: what is typed, and what is said of mistakes.
 */
#include "config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "options.h"
#include "secret.h"

static const struct etl_option members[] = {
	{ .name = "column", .kind = ETL_OPT_TEXT, .flags = ETL_OPT_REQUIRED },
	{ .name = "width", .kind = ETL_OPT_INT, .default_text = "80", .min = 1, .max = 200 },
	{ .name = NULL }
};

static const struct etl_option options[] = {
	{ .name = "path", .kind = ETL_OPT_PATH, .flags = ETL_OPT_REQUIRED, .help = "the database file" },
	{ .name = "workers", .kind = ETL_OPT_INT, .default_text = "4", .min = 1, .max = 64 },
	{ .name = "big", .kind = ETL_OPT_INT },
	{ .name = "strict", .kind = ETL_OPT_FLAG, .default_text = "true" },
	{ .name = "mode", .kind = ETL_OPT_CHOICE, .default_text = "copy", .choices = "copy|append|merge|sync" },
	{ .name = "memory", .kind = ETL_OPT_SIZE, .default_text = "64MiB" },
	{ .name = "wait", .kind = ETL_OPT_DURATION, .default_text = "30s" },
	{ .name = "sample", .kind = ETL_OPT_PERCENT },
	{ .name = "uri", .kind = ETL_OPT_URI },
	{ .name = "password", .kind = ETL_OPT_SECRET },
	{ .name = "columns", .kind = ETL_OPT_LIST, .default_text = "[ \"a\", \"b\" ]" },
	{ .name = "words", .kind = ETL_OPT_PAIRS },
	{ .name = "one", .kind = ETL_OPT_GROUP, .members = members },
	{ .name = "many", .kind = ETL_OPT_GROUPS, .members = members },
	{ .name = "least", .kind = ETL_OPT_INT, .min = 10, .max = INT64_MAX },
	{ .name = "pause", .kind = ETL_OPT_DURATION, .min = 500, .max = 60000 },
	{ .name = "few", .kind = ETL_OPT_PERCENT, .min = 5000, .max = 100000 },
	{ .name = "pick", .kind = ETL_OPT_CHOICE },
	{ .name = "local", .kind = ETL_OPT_URI, .flags = ETL_OPT_LOCAL },
	{ .name = "backup", .kind = ETL_OPT_TEXT, .flags = ETL_OPT_TARGET },
	{ .name = "fill", .kind = ETL_OPT_INT, .flags = ETL_OPT_PER_COLUMN },
	{ .name = "rows", .kind = ETL_OPT_TEXT, .flags = ETL_OPT_PER_TABLE },
	{ .name = NULL }
};

static const char *const ignore[] = { "plugin", NULL };
static const struct option_group group = {
	.owner = "plugin sqlite", .options = options, .option_size = sizeof(*options), .scope = ETL_OPT_PER_STORE,
	.role = ETL_OPT_SOURCE, .folder = "/srv/etl", .ignore = ignore
};

static char folder[] = "/tmp/etlrun-options-XXXXXX";
static config_t config;

static void set_up(void)
{
	ck_assert_ptr_nonnull(mkdtemp(folder));
	ck_assert_int_eq(chdir(folder), 0);
}

static void tear_down(void)
{
	unlink("shop.cfg");
	ck_assert_int_eq(chdir("/"), 0);
	rmdir(folder);
	memcpy(folder + sizeof(folder) - 7, "XXXXXX", 6);
	secret_clear();
}

/* Line 1 is "source = {", so TEXT begins on line 2. */
static int check(const struct option_group *g, const char *text, struct etl_conf **ret, struct etl_error *err)
{
	FILE *f = fopen("shop.cfg", "w");
	int rc;

	fprintf(f, "source = {\n%s\n};\n", text);
	fclose(f);
	config_init(&config);
	ck_assert_int_eq(config_read_file(&config, "shop.cfg"), CONFIG_TRUE);
	rc = conf_check(g, config_lookup(&config, "source"), ret, err);
	config_destroy(&config);
	return rc;
}

static struct etl_conf *good(const char *text)
{
	struct etl_error err = ERROR_INIT;
	struct etl_conf *conf = NULL;

	if (check(&group, text, &conf, &err) != ETL_OK)
		ck_abort_msg("%s", err.message);
	return conf;
}

START_TEST(a_local_uri_is_relative_to_the_folder)
{
	static const char *const uris[][2] = {
		{ "sqlite:shop.db", "sqlite:/srv/50%25 off/shop.db" },
		{ "json:profiles/?rows=x", "json:/srv/50%25 off/profiles/?rows=x" },
		{ "sqlite:/srv/shop.db", NULL },
		{ "sqlite:///srv/shop.db", NULL },
		{ "sqlite::memory:", NULL },
		{ "sqlite:", NULL },
		{ "csv:-", NULL },
		{ "csv:-?header=false", NULL },
		{ "csv:-a", "csv:/srv/50%25 off/-a" },
		{ "shop.db", NULL },
	};

	for (size_t i = 0; i < sizeof(uris) / sizeof(*uris); i++) {
		char *moved = NULL;

		ck_assert(uri_absolute(uris[i][0], "/srv/50% off", &moved));
		if (uris[i][1])
			ck_assert_str_eq(moved, uris[i][1]);
		else
			ck_assert_ptr_null(moved);
		free(moved);
	}
}
END_TEST

START_TEST(a_local_uri_without_a_folder_or_in_the_root)
{
	char *moved = NULL;

	ck_assert(uri_absolute("sqlite:shop.db", NULL, &moved));
	ck_assert_ptr_null(moved);
	ck_assert(uri_absolute("sqlite:shop.db", "/", &moved));
	ck_assert_str_eq(moved, "sqlite:/shop.db");
	free(moved);
}
END_TEST

START_TEST(defaults_are_typed)
{
	struct etl_conf *c = good("plugin = \"sqlite\"; path = \"shop.db\";");

	ck_assert_str_eq(conf_str(c, "path"), "/srv/etl/shop.db");
	ck_assert_int_eq(conf_given(c, "path"), 1);
	ck_assert_int_eq(conf_given(c, "workers"), 0);
	ck_assert_int_eq(conf_num(c, "workers"), 4);
	ck_assert_int_eq(conf_flag(c, "strict"), 1);
	ck_assert_str_eq(conf_str(c, "mode"), "copy");
	ck_assert_int_eq(conf_num(c, "memory"), 67108864);
	ck_assert_int_eq(conf_num(c, "wait"), 30000);
	ck_assert_uint_eq(conf_list(c, "columns"), 2);
	ck_assert_str_eq(conf_item(c, "columns", 1), "b");
	ck_assert_ptr_null(conf_item(c, "columns", 2));
	ck_assert_ptr_null(conf_str(c, "uri"));
	ck_assert_ptr_null(conf_sub(c, "one", 0));
	ck_assert_ptr_null(conf_str(c, "no_such_option"));
	ck_assert_int_eq(conf_given(c, "no_such_option"), 0);
	ck_assert_uint_eq(conf_list(c, "no_such_option"), 0);
	ck_assert_ptr_null(conf_item(c, "no_such_option", 0));
	ck_assert_ptr_null(conf_sub(c, "no_such_option", 0));
	ck_assert_uint_eq(conf_list(c, "one"), 0);
	ck_assert_uint_eq(conf_list(c, "path"), 0);
	ck_assert_int_eq(conf_num(NULL, "workers"), 0);
	conf_free(c);
}
END_TEST

START_TEST(values_of_every_kind)
{
	struct etl_conf *c;
	const struct etl_conf *sub;

	setenv("ETL_T_N", "7", 1);
	c = good("path = \"/data/shop.db\"; workers = \"${env:ETL_T_N}\"; big = 9000000000L; strict = \"false\";\n"
		 "mode = \"sync\"; memory = 512; wait = 2; sample = \"0.5%\"; columns = \"only\";\n"
		 "words = ( ( 4, \"shipped\" ), [ \"5\", \"lost\" ] ); one = { column = \"x\"; };\n"
		 "many = ( { column = \"y\"; width = 9; }, { column = \"z\"; } );");
	ck_assert_str_eq(conf_str(c, "path"), "/data/shop.db");
	ck_assert_int_eq(conf_num(c, "workers"), 7);
	ck_assert_int_eq(conf_num(c, "big"), 9000000000);
	ck_assert_int_eq(conf_flag(c, "strict"), 0);
	ck_assert_str_eq(conf_str(c, "mode"), "sync");
	ck_assert_int_eq(conf_num(c, "memory"), 512);
	ck_assert_int_eq(conf_num(c, "wait"), 2000);
	ck_assert_int_eq(conf_num(c, "sample"), 5000);
	ck_assert_uint_eq(conf_list(c, "columns"), 1);
	ck_assert_str_eq(conf_item(c, "columns", 0), "only");
	ck_assert_uint_eq(conf_list(c, "words"), 4);
	ck_assert_str_eq(conf_item(c, "words", 0), "4");
	ck_assert_str_eq(conf_item(c, "words", 3), "lost");
	sub = conf_sub(c, "one", 0);
	ck_assert_str_eq(conf_str(sub, "column"), "x");
	ck_assert_int_eq(conf_num(sub, "width"), 80);
	ck_assert_uint_eq(conf_list(c, "many"), 2);
	ck_assert_int_eq(conf_num(conf_sub(c, "many", 0), "width"), 9);
	ck_assert_str_eq(conf_str(conf_sub(c, "many", 1), "column"), "z");
	conf_free(c);
}
END_TEST

START_TEST(secrets_are_registered)
{
	struct etl_conf *c = good("path = \"x\"; password = \"hunter22\"; uri = \"postgres://a:opensesame@h/d\";");
	char *shown = secret_redact("hunter22 opensesame");

	ck_assert_str_eq(shown, "*** ***");
	ck_assert_str_eq(conf_str(c, "password"), "hunter22");
	free(shown);
	conf_free(c);
}
END_TEST

static const struct {
	const char *text, *message;
} bad[] = {
	{ "pth = \"x\";", "shop.cfg:2: plugin sqlite has no option `pth`; did you mean `path`?" },
	{ "path = \"x\";\n\nfrobnicate = 1;", "shop.cfg:4: plugin sqlite has no option `frobnicate`" },
	{ "strict = true;", "shop.cfg:1: plugin sqlite needs `path`: the database file" },
	{ "path = \"x\"; backup = \"y\";", "shop.cfg:2: `backup` is an option of the target, not of the source" },
	{ "path = \"x\"; rows = \"y\";",
	  "shop.cfg:2: `rows` of plugin sqlite does not belong here; write it in a table's `from` or `to`" },
	{ "path = 7;", "shop.cfg:2: `path` of plugin sqlite wants a path in quotes" },
	{ "path = \"x\"; workers = \"many\";",
	  "shop.cfg:2: `workers` of plugin sqlite wants a whole number, not \"many\"" },
	{ "path = \"x\"; workers = 1.5;", "shop.cfg:2: `workers` of plugin sqlite wants a whole number" },
	{ "path = \"x\"; workers = 65;", "shop.cfg:2: `workers` of plugin sqlite is 65, but must be from 1 to 64" },
	{ "path = \"x\"; strict = 1;", "shop.cfg:2: `strict` of plugin sqlite wants true or false" },
	{ "path = \"x\"; mode = \"mrege\";",
	  "shop.cfg:2: `mode` of plugin sqlite is \"mrege\", but must be one of copy, append, merge, sync; "
	  "did you mean \"merge\"?" },
	{ "path = \"x\"; memory = \"64 MX\";", "shop.cfg:2: `memory` of plugin sqlite wants a size such as "
					       "\"64MiB\" or \"10kB\", not \"64 MX\"" },
	{ "path = \"x\"; sample = \"101%\";", "shop.cfg:2: `sample` of plugin sqlite wants a percentage from "
					      "\"0%\" to \"100%\", not \"101%\"" },
	{ "path = \"x\"; columns = ( { } );", "shop.cfg:2: `columns` of plugin sqlite wants a list of texts such as "
					      "[ \"a\", \"b\" ]" },
	{ "path = \"x\"; words = ( ( \"a\" ) );", "shop.cfg:2: `words` of plugin sqlite wants a list of pairs such as "
						  "( ( \"a\", \"b\" ) )" },
	{ "path = \"x\"; one = 1;", "shop.cfg:2: `one` of plugin sqlite wants a group { … }" },
	{ "path = \"x\";\none = { };", "shop.cfg:3: `one` of plugin sqlite needs `column`" },
	{ "path = \"x\";\nmany = ( { column = \"a\"; },\n{ colum = \"b\"; } );",
	  "shop.cfg:4: `many` of plugin sqlite has no option `colum`; did you mean `column`?" },
	{ "path = \"x\"; uri = 7;", "shop.cfg:2: `uri` of plugin sqlite wants a URI in quotes" },
	{ "path = \"x\"; password = 7;", "shop.cfg:2: `password` of plugin sqlite wants a text in quotes" },
	{ "path = \"x\"; wait = { };", "shop.cfg:2: `wait` of plugin sqlite wants a duration such as \"250ms\", "
					"\"30s\", \"5m\" or \"2h\"" },
	{ "path = \"x\"; columns = { };", "shop.cfg:2: `columns` of plugin sqlite wants a list of texts such as "
					  "[ \"a\", \"b\" ]" },
	{ "path = \"x\"; columns = ( \"a\", 1.5 );", "shop.cfg:2: `columns` of plugin sqlite wants a list of texts such as "
						     "[ \"a\", \"b\" ]" },
	{ "path = \"x\"; words = \"a\";", "shop.cfg:2: `words` of plugin sqlite wants a list of pairs such as "
					  "( ( \"a\", \"b\" ) )" },
	{ "path = \"x\"; words = ( \"a\", \"b\" );", "shop.cfg:2: `words` of plugin sqlite wants a list of pairs such as "
						     "( ( \"a\", \"b\" ) )" },
	{ "path = \"x\"; words = ( ( \"a\", { } ), ( \"b\", \"c\" ) );",
	  "shop.cfg:2: `words` of plugin sqlite wants a list of pairs such as ( ( \"a\", \"b\" ) )" },
	{ "path = \"x\"; many = ( { column = \"a\"; }, 3 );",
	  "shop.cfg:2: `many` of plugin sqlite wants a list of groups ( { … }, { … } )" },
	{ "path = \"x\"; least = 3;", "shop.cfg:2: `least` of plugin sqlite is 3, but must be at least 10" },
	{ "path = \"x\"; pause = \"1h\";", "shop.cfg:2: `pause` of plugin sqlite is 3600000ms, but must be from 500ms to 60000ms" },
	{ "path = \"x\"; few = \"50%\";", "shop.cfg:2: `few` of plugin sqlite is 50%, but must be from 0.5% to 10%" },
	{ "path = \"x\"; fill = 3;",
	  "shop.cfg:2: `fill` of plugin sqlite does not belong here; write it in an entry of a table's `columns`" },
	{ "path = \"x\"; pick = \"a\";", "shop.cfg:2: `pick` of plugin sqlite is \"a\", but must be one of its choices" },
	{ "path = \"x\"; plugn = \"a\";", "shop.cfg:2: plugin sqlite has no option `plugn`; did you mean `plugin`?" },
	{ "path = \"${env:ETL_T_UNSET}\";", "shop.cfg:2: ${env:ETL_T_UNSET} is not set; set it or write "
					    "${env:ETL_T_UNSET:-default}" },
};

START_TEST(mistakes_are_explained)
{
	struct etl_error err = ERROR_INIT;
	struct etl_conf *conf = NULL;

	unsetenv("ETL_T_UNSET");
	ck_assert_int_eq(check(&group, bad[_i].text, &conf, &err), ETL_FAILED);
	ck_assert_ptr_null(conf);
	ck_assert_str_eq(err.message, bad[_i].message);
	ck_assert_int_eq(error_exit(&err), 2);
	error_clear(&err);
}
END_TEST

/* What a plugin may declare as a default is read by the rules of the file. */
START_TEST(defaults_of_lists_and_groups)
{
	static const struct etl_option declared[] = {
		{ .name = "alone", .kind = ETL_OPT_LIST, .default_text = "all" },
		{ .name = "two", .kind = ETL_OPT_LIST, .default_text = "( \"a\", true )" },
		{ .name = "words", .kind = ETL_OPT_PAIRS, .default_text = "( ( \"a\", 1 ), ( \"b\", false ) )" },
		{ .name = "one", .kind = ETL_OPT_GROUP, .members = members, .default_text = "{ column = \"c\"; }" },
		{ .name = "many", .kind = ETL_OPT_GROUPS, .members = members, .default_text = "( )" },
		{ .name = "free", .kind = ETL_OPT_PATH, .default_text = "x.db" },
		{ .name = NULL }
	};
	const struct option_group g = { .owner = "plugin p", .options = declared };
	struct etl_error err = ERROR_INIT;
	struct etl_conf *c = NULL;

	ck_assert_int_eq(conf_check(&g, NULL, &c, &err), ETL_OK);
	ck_assert_uint_eq(conf_list(c, "alone"), 1);
	ck_assert_str_eq(conf_item(c, "alone", 0), "all");
	ck_assert_str_eq(conf_item(c, "two", 1), "true");
	ck_assert_uint_eq(conf_list(c, "words"), 4);
	ck_assert_str_eq(conf_item(c, "words", 3), "false");
	ck_assert_str_eq(conf_str(conf_sub(c, "one", 0), "column"), "c");
	ck_assert_uint_eq(conf_list(c, "many"), 0);
	ck_assert_str_eq(conf_str(c, "free"), "x.db");
	conf_free(c);
}
END_TEST

START_TEST(a_default_that_cannot_be_read)
{
	static const struct etl_option declared[] = { { .name = "words", .kind = ETL_OPT_PAIRS, .default_text = "( (" },
						      { .name = NULL } };
	const struct option_group g = { .owner = "plugin p", .options = declared };
	struct etl_error err = ERROR_INIT;
	struct etl_conf *c = NULL;

	ck_assert_int_eq(conf_check(&g, NULL, &c, &err), ETL_FAILED);
	ck_assert_int_eq(err.klass, ETL_BUG);
	ck_assert_str_eq(err.message, "the default of `words` of plugin p cannot be read: syntax error");
	error_clear(&err);
}
END_TEST

START_TEST(a_plugin_without_options)
{
	const struct option_group none = { .owner = "plugin p" };
	struct etl_error err = ERROR_INIT;
	struct etl_conf *c = NULL;

	ck_assert_int_eq(check(&none, "", &c, &err), ETL_OK);
	ck_assert_ptr_null(conf_str(c, "path"));
	conf_free(c);
	c = NULL;
	ck_assert_int_eq(check(&none, "path = 1;", &c, &err), ETL_FAILED);
	ck_assert_str_eq(err.message, "shop.cfg:2: plugin p has no option `path`");
	error_clear(&err);
	config_init(&config);
	ck_assert_int_eq(config_read_string(&config, "source = 3;"), CONFIG_TRUE);
	ck_assert_int_eq(conf_check(&none, config_lookup(&config, "source"), &c, &err), ETL_FAILED);
	ck_assert_ptr_nonnull(strstr(err.message, "plugin p wants a group { … }"));
	error_clear(&err);
	config_destroy(&config);
}
END_TEST

START_TEST(the_other_side)
{
	struct option_group target = group;
	struct etl_error err = ERROR_INIT;
	struct etl_conf *c = NULL;
	static const struct etl_option declared[] = { { .name = "immutable", .kind = ETL_OPT_FLAG, .flags = ETL_OPT_SOURCE },
						      { .name = "fill", .kind = ETL_OPT_INT, .flags = ETL_OPT_PER_TABLE },
						      { .name = "top", .kind = ETL_OPT_INT, .flags = ETL_OPT_PER_STORE },
						      { .name = NULL } };

	target.role = ETL_OPT_TARGET;
	target.options = declared;
	ck_assert_int_eq(check(&target, "immutable = true;", &c, &err), ETL_FAILED);
	ck_assert_str_eq(err.message, "shop.cfg:2: `immutable` is an option of the source, not of the target");
	error_clear(&err);
	target.scope = ETL_OPT_PER_TABLE;
	ck_assert_int_eq(check(&target, "top = 1;", &c, &err), ETL_FAILED);
	ck_assert_str_eq(err.message,
			 "shop.cfg:2: `top` of plugin sqlite does not belong here; write it in the plugin's own group");
	error_clear(&err);
}
END_TEST

START_TEST(a_secret_in_the_file_is_told)
{
	struct etl_conf *c = good("path = \"x\"; password = \"${env:ETL_T_N:-hunter23}\"; local = \"sqlite:a.db\";");

	ck_assert_str_eq(conf_str(c, "password"), "hunter23");
	ck_assert_str_eq(conf_str(c, "local"), "sqlite:/srv/etl/a.db");
	conf_free(c);
}
END_TEST

START_TEST(no_group_is_an_empty_one)
{
	struct option_group table = group;
	struct etl_error err = ERROR_INIT;
	struct etl_conf *conf = NULL;

	ck_assert_int_eq(conf_check(&group, NULL, &conf, &err), ETL_FAILED);
	ck_assert_str_eq(err.message, "plugin sqlite needs `path`: the database file");
	error_clear(&err);
	table.scope = ETL_OPT_PER_TABLE;
	ck_assert_int_eq(conf_check(&table, NULL, &conf, &err), ETL_OK);
	ck_assert_int_eq(conf_num(conf, "workers"), 0);
	conf_free(conf);
}
END_TEST

static const struct {
	int32_t kind;
	const char *text;
	bool ok;
	int64_t value;
} numbers[] = {
	{ ETL_OPT_SIZE, "64MiB", true, 67108864 },
	{ ETL_OPT_SIZE, "10kB", true, 10000 },
	{ ETL_OPT_SIZE, "512", true, 512 },
	{ ETL_OPT_SIZE, "1.5 GiB", true, 1610612736 },
	{ ETL_OPT_SIZE, "0.3B", false, 0 },
	{ ETL_OPT_SIZE, "-1", false, 0 },
	{ ETL_OPT_SIZE, "9000000TiB", false, 0 },
	{ ETL_OPT_DURATION, "250ms", true, 250 },
	{ ETL_OPT_DURATION, "30s", true, 30000 },
	{ ETL_OPT_DURATION, "5m", true, 300000 },
	{ ETL_OPT_DURATION, "2h", true, 7200000 },
	{ ETL_OPT_DURATION, "10", true, 10000 },
	{ ETL_OPT_DURATION, "soon", false, 0 },
	{ ETL_OPT_PERCENT, "10%", true, 100000 },
	{ ETL_OPT_PERCENT, "0.0001%", true, 1 },
	{ ETL_OPT_PERCENT, "0.00001%", false, 0 },
	{ ETL_OPT_PERCENT, "10", false, 0 },
	{ ETL_OPT_INT, "-9223372036854775808", true, INT64_MIN },
	{ ETL_OPT_INT, "9223372036854775808", false, 0 },
	{ ETL_OPT_INT, "1.5", false, 0 },
	{ ETL_OPT_INT, "", false, 0 },
	{ ETL_OPT_INT, "+7", true, 7 },
	{ ETL_OPT_INT, "+", false, 0 },
	{ ETL_OPT_INT, "9223372036854775800000000", false, 0 },
	{ ETL_OPT_SIZE, "+7", false, 0 },
	{ ETL_OPT_SIZE, "1.2.3kB", false, 0 },
	{ ETL_OPT_SIZE, "1.kB", false, 0 },
	{ ETL_OPT_SIZE, "0.0000000000000000000001TiB", false, 0 },
	{ ETL_OPT_TEXT, "1", false, 0 },
};

START_TEST(numbers_with_units)
{
	int64_t got = -77;

	ck_assert_int_eq(option_number(numbers[_i].kind, numbers[_i].text, &got), numbers[_i].ok);
	ck_assert_int_eq(got, numbers[_i].ok ? numbers[_i].value : -77);
}
END_TEST

START_TEST(the_nearest_name)
{
	const char *const names[] = { "schema", "path", "uri", "on_existing" };
	const char *const long_names[] = {
		"a_word_that_is_longer_than_any_name_of_an_option_there_could_ever_be_in_a_file", "path"
	};

	ck_assert_str_eq(option_nearest("shcema", names, 4), "schema");
	ck_assert_str_eq(option_nearest("pth", names, 4), "path");
	ck_assert_str_eq(option_nearest("url", names, 4), "uri");
	ck_assert_str_eq(option_nearest("onexisting", names, 4), "on_existing");
	ck_assert_ptr_null(option_nearest("colour", names, 4));
	ck_assert_ptr_null(option_nearest("a_word_that_is_longer_than_any_name_of_an_option_there_could_ever_be_in_a_file",
					  names, 4));
	ck_assert_str_eq(option_nearest("pth", long_names, 2), "path");
	ck_assert_ptr_null(option_nearest("x", names, 0));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("options");
	TCase *t = tcase_create("options");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, a_local_uri_is_relative_to_the_folder);
	tcase_add_test(t, a_local_uri_without_a_folder_or_in_the_root);
	tcase_add_test(t, defaults_are_typed);
	tcase_add_test(t, values_of_every_kind);
	tcase_add_test(t, secrets_are_registered);
	tcase_add_loop_test(t, mistakes_are_explained, 0, (int)(sizeof(bad) / sizeof(*bad)));
	tcase_add_test(t, defaults_of_lists_and_groups);
	tcase_add_test(t, a_default_that_cannot_be_read);
	tcase_add_test(t, a_plugin_without_options);
	tcase_add_test(t, the_other_side);
	tcase_add_test(t, a_secret_in_the_file_is_told);
	tcase_add_test(t, no_group_is_an_empty_one);
	tcase_add_loop_test(t, numbers_with_units, 0, (int)(sizeof(numbers) / sizeof(*numbers)));
	tcase_add_test(t, the_nearest_name);
	suite_add_tcase(suite, t);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
