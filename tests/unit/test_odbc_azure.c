/*
 * What of Azure is pure: the layout of a token, the reading of az's JSON, the names of databases, the words of advice, the
 * values of a connection string. The whole is in tests/e2e/odbc_azure*.test.
 */
#include "config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "plugins/odbc/azure.h"
#include "plugins/odbc/provision.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))
#define TOKEN	 "eyJhbGciOi.eyJhdWQi.c2ln-_"

START_TEST(token_layout)
{
	struct azure_token token;
	uint32_t bytes;

	ck_assert_ptr_null(azure_token_read("{\"accessToken\":\"" TOKEN "\",\"expires_on\":2000}", 1000, &token));
	ck_assert_int_eq(token.expires, 2000);
	ck_assert_uint_eq(token.size, 4 + 2 * strlen(TOKEN));
	memcpy(&bytes, token.at, sizeof(bytes));
	ck_assert_uint_eq(bytes, 2 * strlen(TOKEN));
	for (size_t i = 0; i < strlen(TOKEN); i++) {
		ck_assert_int_eq(token.at[4 + 2 * i], TOKEN[i]);
		ck_assert_int_eq(token.at[5 + 2 * i], 0);
	}
	azure_token_free(&token);
	ck_assert_ptr_null(token.at);
	/* As the metadata service of a machine spells it. */
	ck_assert_ptr_null(azure_token_read("{\"access_token\":\"" TOKEN "\",\"expires_on\":\"2000\"}", 1000, &token));
	ck_assert_int_eq(token.expires, 2000);
	azure_token_free(&token);
	/* An az before 2.54 says only the local time. */
	ck_assert_ptr_null(azure_token_read("{\"accessToken\":\"" TOKEN "\",\"expiresOn\":\"2024-01-01 00:00:00\"}", 1000, &token));
	ck_assert_int_eq(token.expires, 0);
	azure_token_free(&token);
}
END_TEST

START_TEST(tokens_that_are_none)
{
	static const char *const bad[] = {
		"", "{", "[]", "{}", "{\"accessToken\":null}", "{\"accessToken\":\"\"}", "{\"accessToken\":\"short.a.b\"}",
		"{\"accessToken\":\"eyJhbGciOiJSUzI1NiJ9eyJhdWQiOiJkYiJ9\"}", /* no points */
		"{\"accessToken\":\"eyJhbGciOi..eyJhdWQi.c2ln\"}",
		"{\"accessToken\":\"eyJhbGciOi.eyJhdWQi.c2 ln\"}", "{\"accessToken\":\"eyJhbGciOi.eyJhdWQi.c2\\nln\"}",
		"{\"accessToken\":\"eyJhbGciOi.eyJhdWQi.c2\\u00e9ln\"}", "{\"accessToken\":{\"a\":\"" TOKEN "\"}}",
		"{\"accessToken\":\"" TOKEN "\"} and more", "{\"accessToken\":\"" TOKEN "\",\"expires_on\":999}",
	};
	struct azure_token token;
	size_t size = 70000;
	char *large = malloc(size + 64);

	for (size_t i = 0; i < COUNT(bad); i++) {
		ck_assert_msg(azure_token_read(bad[i], 1000, &token) != NULL, "%s", bad[i]);
		ck_assert_ptr_null(token.at);
	}
	ck_assert_ptr_nonnull(large);
	strcpy(large, "{\"accessToken\":\"a.b.");
	memset(large + strlen(large), 'x', size);
	strcpy(large + size, "\"}");
	ck_assert_ptr_nonnull(azure_token_read(large, 1000, &token));
	free(large);
}
END_TEST

static const char *get(const char *json, const char *path)
{
	static char buf[32];

	return etl_azure_json_get(json, path, buf, sizeof(buf)) ? buf : NULL;
}

START_TEST(json)
{
	static const char all[] = " { \"a\": 1, \"b\": { \"c\\u0064\": \"x\\\"\\n\\u20ac\\ud83d\\ude00\", \"n\": null, \"t\": true },\n"
				  "\"l\": [ [], { \"k-1\": -1.5e3 }, \"z\" ], \"b2\": {} } ";

	ck_assert_str_eq(get(all, "a"), "1");
	ck_assert_str_eq(get(all, "b.cd"), "x\"\n€😀");
	ck_assert_str_eq(get(all, "b.t"), "true");
	ck_assert_str_eq(get(all, "l[1].k-1"), "-1.5e3");
	ck_assert_str_eq(get(all, "l[2]"), "z");
	ck_assert_ptr_null(get(all, "b.n"));
	ck_assert_ptr_null(get(all, "b"));
	ck_assert_ptr_null(get(all, "l[3]"));
	ck_assert_ptr_null(get(all, "b2.a"));
	ck_assert_ptr_null(get(all, "a.b"));
	ck_assert_ptr_null(get("[]", "[0].a"));
	ck_assert_str_eq(get("[{\"a\":\"b\"}]", "[0].a"), "b");
	ck_assert_ptr_null(get("{\"a\":\"0123456789012345678901234567890123456789\"}", "a")); /* no room */
}
END_TEST

START_TEST(json_that_is_none)
{
	static const char *const bad[] = { "", "{\"a\":}", "{\"a\":1", "{a:1}", "{\"a\":1,}", "[1 2]", "\"a", "\"\\x\"", "\"\\ud800\"",
					   "\"\\u00", "tru", "1.2.3", "{\"a\" 1}", "nulll", "\"\x01\"", "{} {}", "\"\\u0000\"", "-" };
	char deep[200];

	for (size_t i = 0; i < COUNT(bad); i++) {
		ck_assert_msg(!etl_azure_json_is_sound(bad[i]), "%s", bad[i]);
		ck_assert_msg(!get(bad[i], "a"), "%s", bad[i]);
	}
	memset(deep, '[', 100);
	memset(deep + 100, ']', 99);
	deep[199] = '\0';
	ck_assert(!etl_azure_json_is_sound(deep));
}
END_TEST

START_TEST(names)
{
	static const struct {
		const char *file, *name;
	} all[] = {
		{ "My_Data_2024.sqlite", "my-data-2024" }, { "/data/My Data.v2.DB", "my-data-v2" }, { "shop", "shop" },
		{ "/a.b/shop", "shop" },	{ "Größe.db", "gr--e" },	     { ".hidden", "-hidden" },
		{ "日本1.db", "--1" },	   { "a..db", "a-" },
	};
	char name[PROVISION_NAME_MAX + 1], file[300];
	bool cut;

	for (size_t i = 0; i < COUNT(all); i++) {
		ck_assert(provision_name_from(all[i].file, name, &cut));
		ck_assert_str_eq(name, all[i].name);
		ck_assert(!cut);
		ck_assert_ptr_null(provision_name_wrong(name));
	}
	ck_assert(!provision_name_from("___.db", name, &cut));
	ck_assert(!provision_name_from("", name, &cut));
	memset(file, 'A', 299);
	file[299] = '\0';
	ck_assert(provision_name_from(file, name, &cut));
	ck_assert(cut);
	ck_assert_uint_eq(strlen(name), 128);
	file[128] = '\0';
	ck_assert(provision_name_from(file, name, &cut));
	ck_assert(!cut);
}
END_TEST

START_TEST(numbered_names)
{
	char name[ODBC_NAME_ROOM], longest[PROVISION_NAME_MAX * 2 + 1];

	provision_name_number("my-data", 2, name);
	ck_assert_str_eq(name, "my-data-2");
	memset(longest, 'a', 128);
	longest[128] = '\0';
	provision_name_number(longest, 999, name);
	ck_assert_uint_eq(strlen(name), 128);
	ck_assert_str_eq(name + 123, "a-999");
	/* Characters count, not bytes. */
	for (size_t i = 0; i < 128; i++)
		memcpy(longest + 2 * i, "é", 3);
	provision_name_number(longest, 2, name);
	ck_assert_uint_eq(strlen(name), 2 * 126 + 2);
	ck_assert_uint_eq(etl_utf8_valid(name, strlen(name)), strlen(name));
}
END_TEST

START_TEST(rules_of_names)
{
	static const char *const bad[] = { "", "a<b", "a/b", "a?", "a\tb", "end.", "end ", "\xff" };
	static const char *const good[] = { "a", "Shop's data", "größe", "-a-", "a.b" };
	char server[64];

	for (size_t i = 0; i < COUNT(bad); i++)
		ck_assert_msg(provision_name_wrong(bad[i]) != NULL, "%s", bad[i]);
	for (size_t i = 0; i < COUNT(good); i++)
		ck_assert_msg(provision_name_wrong(good[i]) == NULL, "%s", good[i]);
	ck_assert(provision_server_from("tcp:My-Shop.database.windows.net,1433", server, sizeof(server)));
	ck_assert_str_eq(server, "my-shop");
	ck_assert(provision_server_from("shop", server, sizeof(server)));
	ck_assert(!provision_server_from("", server, sizeof(server)));
	ck_assert(!provision_server_from("-shop", server, sizeof(server)));
	ck_assert(!provision_server_from("sh'op", server, sizeof(server)));
}
END_TEST

START_TEST(advice)
{
	char buf[512];

	odbc_azure_advice(40615, "Cannot open server 'shop' requested by the login. Client with IP address '203.0.113.7' is not allowed to "
				 "access the server.", buf, sizeof(buf));
	ck_assert_ptr_nonnull(strstr(buf, "--server shop --name etlrun --start-ip-address 203.0.113.7 --end-ip-address 203.0.113.7"));
	/* Words that are not what they were say less, and are never run into a command. */
	odbc_azure_advice(40615, "server 'a; rm -rf /' IP address '$(x)'", buf, sizeof(buf));
	ck_assert_ptr_nonnull(strstr(buf, "--server SERVER --name etlrun --start-ip-address ADDRESS"));
	odbc_azure_advice(40613, "Database 'x' on server 'y' is not currently available.", buf, sizeof(buf));
	ck_assert_str_eq(buf, "");
}
END_TEST

START_TEST(values_of_connection_strings)
{
	static const char all[] = "Driver={A;B};server = tcp:x;PWD={a}}b};Last=1";
	struct etl_text text = { 0 };

	ck_assert(odbc_conninfo_value(all, "driver", &text));
	ck_assert_str_eq(text.at, "A;B");
	etl_text_free(&text);
	ck_assert(odbc_conninfo_value(all, "PWD", &text));
	ck_assert_str_eq(text.at, "a}b");
	etl_text_free(&text);
	ck_assert(odbc_conninfo_value(all, "Last", &text));
	ck_assert_str_eq(text.at, "1");
	etl_text_free(&text);
	ck_assert(odbc_conninfo_value(all, "Server", &text));
	etl_text_free(&text);
	ck_assert(!odbc_conninfo_value(all, "B}", &text));
	ck_assert(!odbc_conninfo_value("", "Server", &text));
}
END_TEST

START_TEST(drivers)
{
	ck_assert(odbc_driver_is_freetds("/usr/lib/odbc/libtdsodbc.so"));
	ck_assert(odbc_driver_is_freetds("FreeTDS"));
	ck_assert(odbc_driver_is_microsofts("/opt/microsoft/msodbcsql18/lib64/libmsodbcsql-18.3.so.2.1"));
	ck_assert(!odbc_driver_is_microsofts("psqlodbcw.so") && !odbc_driver_is_freetds("psqlodbcw.so"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("odbc_azure");
	TCase *all = tcase_create("all");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(all, token_layout);
	tcase_add_test(all, tokens_that_are_none);
	tcase_add_test(all, json);
	tcase_add_test(all, json_that_is_none);
	tcase_add_test(all, names);
	tcase_add_test(all, numbered_names);
	tcase_add_test(all, rules_of_names);
	tcase_add_test(all, advice);
	tcase_add_test(all, values_of_connection_strings);
	tcase_add_test(all, drivers);
	suite_add_tcase(suite, all);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
