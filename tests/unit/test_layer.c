/*
 * A file, a profile over it, --set over both: what stands in the tree afterwards, and whom a message would
 * blame for each value.
 */
#include "config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../core/layer.h"

static const char file[] =
	"source = { plugin = \"sqlite\"; path = \"a.db\"; };\n"
	"exclude = [ \"x\", \"y\" ];\n"
	"tables = ( { name = \"A\"; }, { name = \"B\"; } );\n"
	"profiles = {\n"
	" prod = { source = { path = \"prod.db\"; }; exclude = [ \"z\" ]; workers = 4; };\n"
	" test = { workers = 1; };\n"
	" bad = 3;\n"
	"};\n";

static void parse(config_t *config, const char *text)
{
	struct etl_error err = ERROR_INIT;
	struct scan *scan = NULL;

	ck_assert_int_eq(scan_memory(text, strlen(text), "shop.cfg", &scan, &err), ETL_OK);
	ck_assert_int_eq(layer_parse(config, scan, &err), ETL_OK);
	scan_free(scan);
}

static const char *text_at(const config_t *config, const char *path)
{
	const config_setting_t *s = config_lookup(config, path);

	ck_assert_msg(s != NULL, "no %s", path);
	return config_setting_get_string(s);
}

static void has_origin(const config_t *config, const char *path, const char *origin)
{
	char buf[256];

	ck_assert_str_eq(setting_origin(config_lookup(config, path), buf, sizeof(buf)), origin);
}

static void set(config_t *config, const char *assignment)
{
	struct etl_error err = ERROR_INIT;

	ck_assert_msg(layer_set(config, assignment, &err) == ETL_OK, "%s", err.message);
}

static void set_fails(config_t *config, const char *assignment, const char *sentence)
{
	struct etl_error err = ERROR_INIT;

	ck_assert_int_eq(layer_set(config, assignment, &err), ETL_FAILED);
	ck_assert_str_eq(err.message, sentence);
	error_clear(&err);
}

static void profile_fails(config_t *config, const char *name, const char *sentence)
{
	struct etl_error err = ERROR_INIT;

	ck_assert_int_eq(layer_profile(config, name, &err), ETL_FAILED);
	ck_assert_str_eq(err.message, sentence);
	error_clear(&err);
}

START_TEST(a_profile)
{
	struct etl_error err = ERROR_INIT;
	config_t config;

	parse(&config, file);
	ck_assert_int_eq(layer_profile(&config, "prod", &err), ETL_OK);
	ck_assert_str_eq(text_at(&config, "source.plugin"), "sqlite");
	ck_assert_str_eq(text_at(&config, "source.path"), "prod.db");
	ck_assert_int_eq(config_setting_length(config_lookup(&config, "exclude")), 1);
	ck_assert_str_eq(text_at(&config, "exclude.[0]"), "z");
	ck_assert_int_eq(config_setting_get_int(config_lookup(&config, "workers")), 4);
	has_origin(&config, "source.plugin", "shop.cfg:1");
	has_origin(&config, "source.path", "shop.cfg:5 (profile prod)");
	has_origin(&config, "exclude.[0]", "shop.cfg:5 (profile prod)");
	profile_fails(&config, "prd", "--profile prd: the file has no such profile; it has prod, test, bad; did you mean "
		      "prod?");
	profile_fails(&config, "bad", "shop.cfg:7: the profile bad wants a group { … }");
	config_destroy(&config);
	parse(&config, "a = 1;");
	profile_fails(&config, "x", "--profile x: the file has no profiles; write profiles = { x = { … }; };");
	config_destroy(&config);
}
END_TEST

static void text_profile_fails(const char *text, const char *name, const char *sentence)
{
	config_t config;

	parse(&config, text);
	profile_fails(&config, name, sentence);
	config_destroy(&config);
}

START_TEST(profiles_that_are_none)
{
	text_profile_fails("profiles = 3;", "x", "shop.cfg:1: profiles wants a group { … }");
	text_profile_fails("profiles = { };", "x", "--profile x: the file has no such profile; it has none");
	text_profile_fails("profiles = { a = { };\n b = { profiles = { }; }; };", "b",
			   "shop.cfg:2: the profile b cannot hold profiles itself; remove them");
}
END_TEST

/* What libconfig tells apart is still apart behind a profile and --set: a flag is no number, 64 bits stay. */
START_TEST(values_keep_their_types)
{
	struct etl_error err = ERROR_INIT;
	config_t config;

	parse(&config, "a = 1; g = { }; profiles = { p = { a = { deep = 9000000000L; }; yes = true; half = 0.5;\n"
		       " three = 3; g = 7; }; };");
	ck_assert_int_eq(layer_profile(&config, "p", &err), ETL_OK);
	ck_assert_int_eq(config_setting_get_int64(config_lookup(&config, "a.deep")), 9000000000);
	ck_assert_int_eq(config_setting_type(config_lookup(&config, "yes")), CONFIG_TYPE_BOOL);
	ck_assert_int_eq(config_setting_get_bool(config_lookup(&config, "yes")), 1);
	ck_assert(config_setting_get_float(config_lookup(&config, "half")) == 0.5);
	ck_assert_int_eq(config_setting_get_int(config_lookup(&config, "three")), 3);
	ck_assert_int_eq(config_setting_get_int(config_lookup(&config, "g")), 7);
	set(&config, "list = ( 1, 9000000001L, false, 1.5, { name = \"x\"; } )");
	ck_assert_int_eq(config_setting_get_int64(config_lookup(&config, "list.[1]")), 9000000001);
	ck_assert_int_eq(config_setting_type(config_lookup(&config, "list.[2]")), CONFIG_TYPE_BOOL);
	ck_assert_str_eq(text_at(&config, "list.[4].name"), "x");
	config_destroy(&config);
}
END_TEST

START_TEST(a_text_beside_the_file)
{
	struct etl_error err = ERROR_INIT;
	config_t config;

	parse(&config, "source = { path = \"a\"; }; n = 1;");
	ck_assert_int_eq(layer_set_text(&config, "source", "path", "b", "the source URI", &err), ETL_OK);
	ck_assert_str_eq(text_at(&config, "source.path"), "b");
	ck_assert_int_eq(layer_set_text(&config, "target", "path", "${x", "the target URI", &err), ETL_OK);
	ck_assert_str_eq(text_at(&config, "target.path"), "${x");
	ck_assert_int_eq(layer_set_text(&config, NULL, "n", "2", "here", &err), ETL_OK);
	ck_assert_str_eq(text_at(&config, "n"), "2");
	has_origin(&config, "target.path", "the target URI");
	ck_assert_int_eq(layer_set_text(&config, "1st", "path", "x", "the URI", &err), ETL_FAILED);
	ck_assert_ptr_nonnull(strstr(err.message, "the URI: \"1st\" is no name of a setting"));
	error_clear(&err);
	ck_assert_int_eq(layer_set_text(&config, "source", "1st", "x", "the URI", &err), ETL_FAILED);
	ck_assert_ptr_nonnull(strstr(err.message, "the URI: 1st is no name of a setting"));
	error_clear(&err);
	config_destroy(&config);
}
END_TEST

START_TEST(values_set)
{
	config_t config;

	parse(&config, file);
	set(&config, "source.path=b.db");
	set(&config, "batch.rows=100");
	set(&config, "name=\"a=b\"");
	set(&config, "exclude=[ \"k\" ]");
	set(&config, "tables.[1].name=C");
	set(&config, "state=");
	ck_assert_str_eq(text_at(&config, "source.path"), "b.db");
	ck_assert_str_eq(text_at(&config, "source.plugin"), "sqlite");
	ck_assert_str_eq(text_at(&config, "batch.rows"), "100");
	ck_assert_str_eq(text_at(&config, "name"), "a=b");
	ck_assert_str_eq(text_at(&config, "exclude.[0]"), "k");
	ck_assert_str_eq(text_at(&config, "tables.[0].name"), "A");
	ck_assert_str_eq(text_at(&config, "tables.[1].name"), "C");
	ck_assert_str_eq(text_at(&config, "state"), "");
	has_origin(&config, "source.path", "--set source.path");
	has_origin(&config, "batch", "--set batch.rows");
	has_origin(&config, "exclude.[0]", "--set exclude");
	has_origin(&config, "tables.[0].name", "shop.cfg:3");
	config_destroy(&config);
}
END_TEST

START_TEST(what_is_not_libconfig_is_text)
{
	config_t config;

	parse(&config, file);
	set(&config, "a=1; b = 2");
	ck_assert_str_eq(text_at(&config, "a"), "1; b = 2");
	ck_assert_ptr_null(config_lookup(&config, "b"));
	set(&config, "a=99999999999");
	ck_assert_str_eq(text_at(&config, "a"), "99999999999");
	set(&config, "a=\"open");
	ck_assert_str_eq(text_at(&config, "a"), "\"open");
	config_destroy(&config);
}
END_TEST

START_TEST(wrong_paths)
{
	config_t config;

	parse(&config, file);
	set_fails(&config, "workers", "--set workers: no value; write --set key=value");
	set_fails(&config, "exclude.a=1", "--set exclude.a: what holds a is not a group in the file; write the path as "
		  "group.key, or list.[0].key");
	set_fails(&config, "tables.[2].name=x", "--set tables.[2].name: there is no entry [2]; the file has 2 there");
	set_fails(&config, "tables.[x].name=x", "--set tables.[x].name: [x] is no index; write [0] for the first entry");
	set_fails(&config, "4a=\"1\"", "--set 4a: 4a is no name of a setting; names are letters, digits, _ and -, and begin "
		  "with a letter");
	set_fails(&config, "4a=1", "--set 4a: 4a is no name of a setting; names are letters, digits, _ and -, and begin "
		  "with a letter");
	set_fails(&config, "exclude.a.b=1", "--set exclude.a.b: what holds a is not a group in the file; write the path as "
		  "group.key, or list.[0].key");
	set_fails(&config, "tables.[1x].name=x", "--set tables.[1x].name: [1x] is no index; write [0] for the first entry");
	set_fails(&config, "tables.[ 1].name=x", "--set tables.[ 1].name: [ 1] is no index; write [0] for the first entry");
	set_fails(&config, "exclude.[0].a=x", "--set exclude.[0].a: there is no entry [0]; the file has 0 there");
	set_fails(&config, "tables.[0]=x", "--set tables.[0]: an entry of a list cannot be replaced; name a key of it, or "
		  "set the whole list");
	set_fails(&config, "4a.b=1", "--set 4a.b: \"4a\" is no name of a setting; names are letters, digits, _ and -, and "
		  "begin with a letter");
	set_fails(&config, " \t=1", "--set : a name is missing; write --set group.key=value");
	set_fails(&config, "=1", "--set : a name is missing; write --set group.key=value");
	config_destroy(&config);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("layer");
	TCase *all = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_add_test(all, a_profile);
	tcase_add_test(all, profiles_that_are_none);
	tcase_add_test(all, values_keep_their_types);
	tcase_add_test(all, a_text_beside_the_file);
	tcase_add_test(all, values_set);
	tcase_add_test(all, what_is_not_libconfig_is_text);
	tcase_add_test(all, wrong_paths);
	suite_add_tcase(suite, all);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
