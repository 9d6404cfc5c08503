/*
 * What a server says, out of any bytes. The first byte chooses what they are: a page of a list of blobs, the words of an error, an
 * address, headers. A name that comes out of a list is text without a NUL, a list that is read is a whole document, and an address
 * that is taken apart shows neither who asks nor what stands behind its ?.
 */
#include "config.h"

#include "../../plugins/files/remote.h"
#include "../../plugins/lib/uri.h"
#include "fuzz.h"

static int take(void *data, const struct blob_item *item)
{
	size_t *count = data;

	FUZZ_HOLDS(item->name && item->tag && item->size >= -1 && item->modified >= 0);
	FUZZ_HOLDS(!strchr(item->tag, '"'));
	files_is_name(item->name);
	++*count;
	return *count == 100 ? ETL_CANCELED : ETL_OK;
}

static void list(const char *text, size_t size)
{
	struct etl_text marker = { 0 };
	size_t count = 0;
	int rc = 1;
	const char *wrong = blob_list_read(text, size, take, &count, &marker, &rc);

	FUZZ_HOLDS(rc == (count == 100 && !wrong ? ETL_CANCELED : ETL_OK) || wrong);
	if (!wrong && rc == ETL_OK)
		FUZZ_HOLDS(strstr(text, "EnumerationResults") != NULL);
	etl_text_free(&marker);
}

static void error(const char *text, size_t size)
{
	struct etl_text words = { 0 };

	if (blob_error_read(text, size, "Message", &words))
		FUZZ_HOLDS(strstr(text, "Message") != NULL);
	etl_text_free(&words);
}

static void address(const char *text)
{
	struct etl_text back = { 0 };
	struct http_url url;

	if (!http_is_url(text) || http_url_parse(text, &url))
		return;
	FUZZ_HOLDS(*url.host && *url.path == '/' && !strpbrk(url.origin, "?@") && !strchr(url.path, '?'));
	http_is_loopback(&url);
	FUZZ_HOLDS(etl_uri_decode(&back, url.path, strlen(url.path)));
	etl_text_free(&back);
	http_url_free(&url);
}

static void headers(const char *text)
{
	int64_t first, total;
	char tag[16];

	if (remote_range(text, &first, &total))
		FUZZ_HOLDS(first >= 0 && (total == -1 || total > first));
	remote_tag(text, tag, sizeof(tag));
	FUZZ_HOLDS(!strchr(tag, '"'));
	remote_time(text);
}

/* What is encoded comes back. */
static void encoded(const char *text)
{
	struct etl_text there = { 0 }, back = { 0 };

	http_encode(&there, text, true);
	FUZZ_HOLDS(etl_uri_decode(&back, there.at, there.length) && strcmp(back.at, text) == 0);
	etl_text_free(&there);
	etl_text_free(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;

	if (size == 0)
		return 0;
	text = fuzz_text(data + 1, size - 1);
	switch (data[0] % 5) {
	case 0:
		list(text, size - 1);
		break;
	case 1:
		error(text, size - 1);
		break;
	case 2:
		address(text);
		break;
	case 3:
		headers(text);
		break;
	default:
		encoded(text);
	}
	free(text);
	return 0;
}
