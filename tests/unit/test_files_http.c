/*
 * What is between a server and its files, without a server: addresses taken apart, the signature of Shared Key, the XML of Azure
 * Blob Storage, headers, and which options go together.
 */
#include "config.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "fake_host.h"
#include "plugins/files/remote.h"
#include "plugins/lib/uri.h"

static struct etl_host host = { FAKE_HOST };
static struct etl_error err;
static struct etl_text text;

static void setup(void)
{
	host.role = ETL_ROLE_SOURCE;
	memset(&err, 0, sizeof(err));
	memset(&text, 0, sizeof(text));
}

static void teardown(void)
{
	etl_text_free(&text);
}

/* ---- Addresses ------------------------------------------------------------------------------------------------------ */

START_TEST(an_address_in_its_parts)
{
	struct http_url url;

	ck_assert_ptr_null(http_url_parse("https://Ada:se%20cret@host.example:8443/a%20b/c?sig=x%2F&y", &url));
	ck_assert_str_eq(url.origin, "https://host.example:8443");
	ck_assert_str_eq(url.host, "host.example");
	ck_assert_str_eq(url.user, "Ada:se cret");
	ck_assert_str_eq(url.path, "/a%20b/c");
	ck_assert_str_eq(url.query, "sig=x%2F&y");
	ck_assert(url.secure);
	http_url_free(&url);
	ck_assert_ptr_null(http_url_parse("HTTP://[::1]:80", &url));
	ck_assert_str_eq(url.host, "[::1]");
	ck_assert_str_eq(url.path, "/");
	ck_assert_str_eq(url.query, "");
	ck_assert_ptr_null(url.user);
	ck_assert(!url.secure && http_is_loopback(&url));
	http_url_free(&url);
	ck_assert_ptr_null(http_url_parse("http://127.0.0.1.example/", &url));
	ck_assert(!http_is_loopback(&url));
	http_url_free(&url);
	ck_assert_ptr_null(http_url_parse("http://a@b@host/", &url));
	ck_assert_str_eq(url.host, "host");
	ck_assert_str_eq(url.user, "a@b");
	http_url_free(&url);
}
END_TEST

START_TEST(addresses_that_are_none)
{
	static const char *const bad[] = { "https://",	     "https:///a",    "http://host:8x/",  "http://host/a b", "http://host/a#b",
					   "http://host/%", "http://host/%4", "http://host/%zz", "http://host/%00", "http://%@host/" };
	struct http_url url;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		ck_assert_msg(http_url_parse(bad[i], &url) != NULL, "%s", bad[i]);
	ck_assert(http_is_url("https://a") && http_is_url("http://a"));
	ck_assert(!http_is_url("/https://a") && !http_is_url("json:a") && !http_is_url("https:/a"));
}
END_TEST

START_TEST(names_are_encoded_and_back)
{
	static const char odd[] = "a b/ü%2F+&?#=~.-_";

	http_encode(&text, odd, true);
	ck_assert_str_eq(text.at, "a%20b/%C3%BC%252F%2B%26%3F%23%3D~.-_");
	{
		struct etl_text back = { 0 };

		ck_assert(etl_uri_decode(&back, text.at, text.length));
		ck_assert_str_eq(back.at, odd);
		etl_text_free(&back);
	}
	etl_text_free(&text);
	memset(&text, 0, sizeof(text));
	http_encode(&text, "a/b", false);
	ck_assert_str_eq(text.at, "a%2Fb");
}
END_TEST

START_TEST(names_that_a_file_can_have)
{
	ck_assert(files_is_name("a") && files_is_name("a/..b/...") && files_is_name(".hidden"));
	ck_assert(!files_is_name("") && !files_is_name("/a") && !files_is_name("a/") && !files_is_name("a//b"));
	ck_assert(!files_is_name("..") && !files_is_name("a/../b") && !files_is_name("./a") && !files_is_name("a/."));
}
END_TEST

/* ---- Shared Key --------------------------------------------------------------------------------------------------------- */

/* 64 bytes, 0 to 63. The signatures were made with Python's hmac. */
#define KEY "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+Pw=="
#define DATE "Fri, 26 Jun 2015 23:39:12 GMT"

START_TEST(what_is_signed_of_a_list)
{
	static const struct remote_param params[] = {
		{ "comp", "list" }, { "marker", "" }, { "maxresults", "20" }, { "prefix", "a b/" }, { "restype", "container" },
	};
	const struct blob_signed what = { .account = "shop", .method = "GET", .date = DATE, .version = "2015-02-21", .path = "/people",
					  .params = params, .param_count = 5 };

	blob_string_to_sign(&what, &text);
	ck_assert_str_eq(text.at, "GET\n\n\n\n\n\n\n\n\n\n\n\n"
				  "x-ms-date:" DATE "\nx-ms-version:2015-02-21\n"
				  "/shop/people\ncomp:list\nmarker:\nmaxresults:20\nprefix:a b/\nrestype:container");
	etl_text_free(&text);
	memset(&text, 0, sizeof(text));
	ck_assert(blob_sign(&what, KEY, &text));
	ck_assert_str_eq(text.at, "SharedKey shop:Q7Ze3qR+/ez6BP6NWphtIiJ4+P5tS88dFMxgw9sNBas=");
}
END_TEST

START_TEST(what_is_signed_of_a_range)
{
	/* At the emulator the path begins with the account, which is there twice then. */
	const struct blob_signed what = { .account = "shop", .method = "GET", .range = "bytes=0-8388607", .if_match = "\"0x8D1\"",
					  .date = DATE, .version = "2015-02-21", .path = "/shop/people/a%20b.json" };

	ck_assert(blob_sign(&what, KEY, &text));
	ck_assert_str_eq(text.at, "SharedKey shop:jGbzLbjrJseMv5vd55OVZTXx4hDzQaOOl2f0E6NlVaU=");
}
END_TEST

START_TEST(keys_that_are_none)
{
	static const char *const bad[] = { "", "no key!", "AAEC*", "A", "AAECAw=" };
	const struct blob_signed what = { .account = "shop", .method = "GET", .date = DATE, .version = "2015-02-21", .path = "/people" };
	char large[400];

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		ck_assert_msg(!blob_sign(&what, bad[i], &text), "%s", bad[i]);
	memset(large, 'A', sizeof(large) - 1);
	large[sizeof(large) - 1] = '\0';
	ck_assert(!blob_sign(&what, large, &text));
}
END_TEST

/* ---- XML ------------------------------------------------------------------------------------------------------------------ */

static char seen[1024];

static int see(void *data, const struct blob_item *item)
{
	size_t used = strlen(seen);

	snprintf(seen + used, sizeof(seen) - used, "%s|%lld|%lld|%s|%d\n", item->name, (long long)item->size, (long long)item->modified, item->tag,
		 item->folder);
	return data ? ETL_FAILED : ETL_OK;
}

static const char *read_list(const char *xml, int *ret_rc)
{
	seen[0] = '\0';
	etl_text_free(&text);
	memset(&text, 0, sizeof(text));
	return blob_list_read(xml, strlen(xml), see, NULL, &text, ret_rc);
}

#define LIST(blobs, marker)                                                                                                    \
	"\xef\xbb\xbf<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults ServiceEndpoint=\"https://shop/\" ContainerName='c'>" \
	"<Prefix>a</Prefix><MaxResults>2</MaxResults><Blobs>" blobs "</Blobs>" marker "</EnumerationResults>"

START_TEST(a_page_of_a_list)
{
	int rc;

	ck_assert_ptr_null(read_list(
		LIST("<Blob><Name>a&lt;b&amp;&#252;&#x1F600;.json</Name><Deleted/><Properties>"
		     "<Creation-Time>x</Creation-Time><Last-Modified>Thu, 01 Jan 1970 00:00:02 GMT</Last-Modified><Etag>\"0x8D\"</Etag>"
		     "<Content-Length>12</Content-Length><ResourceType>file</ResourceType><Content-MD5 /></Properties><OrMetadata /></Blob>\n"
		     "<Blob><Name Encoded=\"true\">b%0C%25</Name><Properties><Content-Length>9007199254740993</Content-Length><Etag>0x8E</Etag>"
		     "<ResourceType>directory</ResourceType></Properties></Blob><BlobPrefix><Name>not a blob/</Name></BlobPrefix>",
		     "<NextMarker>2!n&amp;</NextMarker>"),
		&rc));
	ck_assert_int_eq(rc, 0);
	ck_assert_str_eq(seen, "a<b&ü\xf0\x9f\x98\x80.json|12|2000000|0x8D|0\nb\x0c%|9007199254740993|0|0x8E|1\n");
	ck_assert_str_eq(text.at, "2!n&");
	ck_assert_ptr_null(read_list(LIST("", "<NextMarker/>"), &rc));
	ck_assert_str_eq(seen, "");
	ck_assert_uint_eq(text.length, 0);
}
END_TEST

START_TEST(a_taker_that_ends_it)
{
	static const char xml[] = LIST("<Blob><Name>a</Name></Blob><Blob><Name>b</Name></Blob>", "");
	int rc;

	seen[0] = '\0';
	ck_assert_ptr_null(blob_list_read(xml, strlen(xml), see, &rc, &text, &rc));
	ck_assert_int_eq(rc, ETL_FAILED);
	ck_assert_str_eq(seen, "a|-1|0||0\n");
}
END_TEST

/* Cut anywhere it is refused, and so is what is not well formed. */
START_TEST(lists_that_are_none)
{
	static const char whole[] = LIST("<Blob><Name>a&amp;b</Name><Properties><Content-Length>1</Content-Length></Properties></Blob>", "<NextMarker>m</NextMarker>");
	static const char *const bad[] = {
		"",
		"words",
		"<Error><Code>x</Code></Error>",
		"<!DOCTYPE x [<!ENTITY a \"b\">]><EnumerationResults></EnumerationResults>",
		LIST("<Blob></Blob>", ""),
		LIST("<Blob><Name>a</Blob></Name>", ""),
		LIST("<Blob><Name>&unknown;</Name></Blob>", ""),
		LIST("<Blob><Name>&#0;</Name></Blob>", ""),
		LIST("<Blob><Name>&#xD800;</Name></Blob>", ""),
		LIST("<Blob><Name>&#12</Name></Blob>", ""),
		LIST("<Blob><Name>a & b</Name></Blob>", ""),
		LIST("<Blob><Name a=b>a</Name></Blob>", ""),
		LIST("<Blob><Name Encoded=\"true\">%4</Name></Blob>", ""),
		LIST("<Blob><Name>a</Name><Properties><Content-Length>-1</Content-Length></Properties></Blob>", ""),
		LIST("<Blob><Name>a</Name><Properties><Content-Length>1x</Content-Length></Properties></Blob>", ""),
		LIST("<a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a>", ""),
		LIST("", "") "more",
	};
	int rc;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		ck_assert_msg(read_list(bad[i], &rc) != NULL, "%s", bad[i]);
	ck_assert_ptr_null(read_list(whole, &rc));
	for (size_t size = 0; size < strlen(whole); size++) {
		char *cut = strndup(whole, size);

		ck_assert_msg(read_list(cut, &rc) != NULL, "%s", cut);
		free(cut);
	}
}
END_TEST

START_TEST(the_words_of_an_error)
{
	static const char xml[] = "<?xml version=\"1.0\"?><Error><Code>BlobNotFound</Code><Message>It is &quot;gone&quot;.\nRequestId:1</Message></Error>";

	ck_assert(blob_error_read(xml, strlen(xml), "Message", &text));
	ck_assert_str_eq(text.at, "It is \"gone\".\nRequestId:1");
	ck_assert(!blob_error_read(xml, strlen(xml), "Detail", &text));
	ck_assert(!blob_error_read("<html>no", 8, "Message", &text));
}
END_TEST

/* ---- Headers ------------------------------------------------------------------------------------------------------------------ */

START_TEST(ranges_tags_and_times)
{
	int64_t first, total;
	char tag[32];

	ck_assert(remote_range("bytes 5-9/10", &first, &total) && first == 5 && total == 10);
	ck_assert(remote_range("bytes 0-0/*", &first, &total) && first == 0 && total == -1);
	ck_assert(!remote_range("bytes 9-5/10", &first, &total) && !remote_range("bytes 5-10/10", &first, &total));
	ck_assert(!remote_range("bytes */10", &first, &total) && !remote_range("", &first, &total) && !remote_range("bytes 0-1/2x", &first, &total));
	remote_tag("\"0x8D\"", tag, sizeof(tag));
	ck_assert_str_eq(tag, "0x8D");
	remote_tag("0x8D", tag, sizeof(tag));
	ck_assert_str_eq(tag, "0x8D");
	remote_tag("W/\"weak\"", tag, sizeof(tag));
	ck_assert_str_eq(tag, "");
	remote_tag("\"more than there is room for in this place\"", tag, sizeof(tag));
	ck_assert_str_eq(tag, "");
	ck_assert_int_eq(remote_time("Wed, 21 Oct 2015 07:28:00 GMT"), 1445412480000000);
	ck_assert_int_eq(remote_time("never"), 0);
	ck_assert_int_eq(remote_time(""), 0);
	ck_assert_int_eq(remote_time("Wed, 21 Oct 2000000 07:28:00 GMT"), 0);
}
END_TEST

START_TEST(what_may_pass_and_how_long)
{
	ck_assert(http_may_pass(503) && http_may_pass(429) && http_may_pass(408) && http_may_pass(500));
	ck_assert(!http_may_pass(200) && !http_may_pass(404) && !http_may_pass(403) && !http_may_pass(501) && !http_may_pass(412));
	ck_assert(http_pause(2, -1) >= 500 && http_pause(2, -1) < 1000);
	ck_assert(http_pause(4, -1) >= 2000 && http_pause(100, -1) < 60000);
	ck_assert_int_eq(http_pause(2, 7), 7000);
	ck_assert_int_eq(http_pause(2, INT64_MAX / 2), 120000);
}
END_TEST

/* ---- Options ---------------------------------------------------------------------------------------------------------------------- */

#define SERVICE(is) { .key = "service", .items = { is } }
#define AUTH(is)    { .key = "auth", .items = { is } }
#define URI(is)	    { .key = "uri", .items = { is } }

static int open_files(const struct etl_conf *conf, struct files **ret, char **ret_root)
{
	*ret = NULL;
	*ret_root = NULL;
	return files_of(&host, conf, "json", ret, ret_root, &err);
}

static const char *refused(const struct etl_conf *conf)
{
	struct files *files;
	char *root;
	int rc = open_files(conf, &files, &root);

	files_free(files);
	free(root);
	ck_assert_int_eq(rc, ETL_FAILED);
	ck_assert_int_eq(err.klass, ETL_USAGE);
	ck_assert_msg(!strstr(err.text, "hush"), "%s", err.text);
	return err.text;
}

START_TEST(a_root_without_what_is_secret)
{
	static const struct etl_conf conf = { { URI("https://shop.blob.core.windows.net/c/a%20b/?sv=1&sig=hush"), SERVICE("auto"), AUTH("auto") } };
	static const struct etl_conf web = { { URI("https://Ada:hush@host.example/x.json?key=hush"), SERVICE("auto"), AUTH("auto") } };
	static const struct etl_conf named = { { URI("json:https://host.example/x.json?auth=auto"), SERVICE("auto"), AUTH("auto") } };
	struct files *files;
	char *root;

	ck_assert_int_eq(open_files(&conf, &files, &root), ETL_OK);
	ck_assert_str_eq(root, "https://shop.blob.core.windows.net/c/a%20b/");
	ck_assert(files_is_remote(files) && files->backend == &files_blob);
	ck_assert_str_eq(files->remote->account, "shop");
	ck_assert_str_eq(files->remote->container, "c");
	ck_assert_str_eq(files->remote->at, "/c");
	ck_assert_str_eq(files->remote->prefix, "a b");
	ck_assert_int_eq(files->remote->auth, REMOTE_SAS);
	ck_assert(remote_path(files->remote, "d e", &text));
	ck_assert_str_eq(text.at, "/c/a%20b/d%20e");
	files_free(files);
	free(root);
	ck_assert_int_eq(open_files(&web, &files, &root), ETL_OK);
	ck_assert_str_eq(root, "https://host.example/x.json");
	ck_assert(files->backend == &files_web);
	ck_assert_str_eq(files->remote->url.user, "Ada:hush");
	ck_assert_str_eq(files->remote->query, "key=hush");
	files_free(files);
	free(root);
	ck_assert_int_eq(open_files(&named, &files, &root), ETL_OK);
	ck_assert_str_eq(root, "https://host.example/x.json");
	ck_assert_str_eq(files->remote->query, "");
	files_free(files);
	free(root);
}
END_TEST

START_TEST(options_that_do_not_go_together)
{
	static const struct {
		struct etl_conf conf;
		const char *says;
	} cases[] = {
		{ { { URI("https://shop.blob.core.windows.net/"), SERVICE("auto"), AUTH("none") } }, "no container is named" },
		{ { { URI("https://shop.blob.core.windows.net/c?sv=1"), SERVICE("auto"), AUTH("auto") } }, "there is no sig=" },
		{ { { URI("https://shop.blob.core.windows.net/c?sig=hush"), SERVICE("auto"), AUTH("azure-cli") } }, "nobody else can ask" },
		{ { { URI("https://shop.blob.core.windows.net/c"), SERVICE("auto"), AUTH("sas") } }, "needs a SAS" },
		{ { { URI("https://shop.blob.core.windows.net/c"), SERVICE("auto"), AUTH("shared-key") } }, "needs account_key" },
		{ { { URI("http://shop.blob.core.windows.net/c"), SERVICE("auto"), AUTH("azure-cli") } }, "write https://" },
		{ { { URI("https://shop.blob.core.windows.net/c"), SERVICE("auto"), AUTH("none"), { .key = "identity", .items = { "1-2" } } } },
		  "identity goes with" },
		{ { { URI("https://hush:hush@shop.blob.core.windows.net/c"), SERVICE("auto"), AUTH("none") } }, "no users and passwords" },
		{ { { URI("http://127.0.0.1:1/"), SERVICE("emulator"), AUTH("none") } }, "begins with the account" },
		{ { { URI("https://host.example/x"), SERVICE("auto"), AUTH("azure-cli") } }, "auth goes with Azure Blob Storage" },
		{ { { URI("https://host.example/x"), SERVICE("auto"), AUTH("auto"), { .key = "sas", .items = { "hush" } } } }, "sas goes with" },
		{ { { URI("http://Ada:hush@host.example/x"), SERVICE("auto"), AUTH("auto") } }, "write https://" },
		{ { { URI("https://host.example/%x"), SERVICE("auto"), AUTH("auto") } }, "two hexadecimal digits" },
		{ { { URI("json:https://host.example/x?key=hush"), SERVICE("auto"), AUTH("auto") } }, "?key in the uri sets nothing" },
		{ { { URI("https://host.example/x"), { .key = "path", .items = { "/x" } } } }, "give one of them" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		ck_assert_msg(strstr(refused(&cases[i].conf), cases[i].says) != NULL, "%s: %s", cases[i].says, err.text);
	host.role = ETL_ROLE_TARGET;
	{
		static const struct etl_conf conf = { { URI("https://host.example/x"), SERVICE("auto"), AUTH("auto") } };

		ck_assert(strstr(refused(&conf), "not written"));
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("files_http");
	TCase *all = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(all, setup, teardown);
	tcase_add_test(all, an_address_in_its_parts);
	tcase_add_test(all, addresses_that_are_none);
	tcase_add_test(all, names_are_encoded_and_back);
	tcase_add_test(all, names_that_a_file_can_have);
	tcase_add_test(all, what_is_signed_of_a_list);
	tcase_add_test(all, what_is_signed_of_a_range);
	tcase_add_test(all, keys_that_are_none);
	tcase_add_test(all, a_page_of_a_list);
	tcase_add_test(all, a_taker_that_ends_it);
	tcase_add_test(all, lists_that_are_none);
	tcase_add_test(all, the_words_of_an_error);
	tcase_add_test(all, ranges_tags_and_times);
	tcase_add_test(all, what_may_pass_and_how_long);
	tcase_add_test(all, a_root_without_what_is_secret);
	tcase_add_test(all, options_that_do_not_go_together);
	suite_add_tcase(suite, all);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
