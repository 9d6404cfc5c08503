/*
 * One request over libcurl. The body is pulled: what the reader has not asked for waits in a buffer, and when that is full the
 * connection waits, so that a file of any size takes the same memory.
 */
#include "config.h"

#include <ctype.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include <curl/curl.h>

#include "http.h"

#define ENOUGH	      ((size_t)512 << 10) /* bytes that wait before the connection does */
#define PATIENCE      200		  /* milliseconds between two looks at whether to go on */
#define REDIRECTS_MOST 5L

_Static_assert(HTTP_WHY >= CURL_ERROR_SIZE, "a reason of libcurl's has room");

struct http {
	const struct etl_host *host;
	CURLM *multi;
	int64_t stall;
};

struct http_call {
	struct http *http;
	CURL *curl;
	struct curl_slist *headers;
	struct http_answer *answer; /* while the head comes; else NULL */
	char *bytes;		    /* what came and was not taken: at .. size */
	size_t at, size, room;
	int64_t heard; /* when something last came */
	bool waits;    /* the connection, until there is room */
	bool ended, no_memory;
	CURLcode result;
	char why[CURL_ERROR_SIZE];
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static CURLcode initialised;

static void initialise(void)
{
	initialised = curl_global_init(CURL_GLOBAL_DEFAULT);
}

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

struct http *http_new(const struct etl_host *host, int64_t stall)
{
	struct http *http = calloc(1, sizeof(*http));

	pthread_once(&once, initialise);
	if (http && initialised == CURLE_OK)
		http->multi = curl_multi_init();
	if (!http || !http->multi) {
		free(http);
		return NULL;
	}
	http->host = host;
	http->stall = stall;
	return http;
}

void http_free(struct http *http)
{
	if (!http)
		return;
	curl_multi_cleanup(http->multi);
	free(http);
}

/* ---- The head of the answer ------------------------------------------------------------------------------------ */

static void copy_to(char *to, size_t room, const char *value, size_t size)
{
	/* What does not fit is no name, date or sum that anybody can use. */
	if (size >= room)
		size = 0;
	memcpy(to, value, size);
	to[size] = '\0';
}

static int64_t number_of(const char *value, size_t size)
{
	char text[24];

	copy_to(text, sizeof(text), value, size);
	return *text && strspn(text, "0123456789") == strlen(text) ? strtoll(text, NULL, 10) : -1;
}

static void take_retry(struct http_answer *a, const char *value, size_t size)
{
	char text[64];
	time_t at;

	a->retry_after = number_of(value, size);
	copy_to(text, sizeof(text), value, size);
	if (a->retry_after < 0 && (at = curl_getdate(text, NULL)) != (time_t)-1)
		a->retry_after = at > time(NULL) ? (int64_t)(at - time(NULL)) : 0;
}

static void take_header(struct http_answer *a, const char *name, size_t length, const char *value, size_t size)
{
	const struct {
		const char *name;
		char *to;
		size_t room;
	} texts[] = {
		{ "etag", a->etag, sizeof(a->etag) },
		{ "last-modified", a->modified, sizeof(a->modified) },
		{ "date", a->date, sizeof(a->date) },
		{ "content-range", a->range, sizeof(a->range) },
		{ "content-md5", a->md5, sizeof(a->md5) },
		{ "x-ms-blob-content-md5", a->blob_md5, sizeof(a->blob_md5) },
		{ "x-ms-error-code", a->code, sizeof(a->code) },
		{ "x-ms-resource-type", a->resource, sizeof(a->resource) },
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		if (strlen(texts[i].name) == length && strncasecmp(texts[i].name, name, length) == 0)
			copy_to(texts[i].to, texts[i].room, value, size);
	if (length == 14 && strncasecmp(name, "content-length", 14) == 0)
		a->length = number_of(value, size);
	else if (length == 11 && strncasecmp(name, "retry-after", 11) == 0)
		take_retry(a, value, size);
	else if (length == 13 && strncasecmp(name, "accept-ranges", 13) == 0)
		a->ranges = size == 5 && strncasecmp(value, "bytes", 5) == 0;
	else if (length == 22 && strncasecmp(name, "x-ms-meta-hdi_isfolder", 22) == 0 && size == 4)
		copy_to(a->resource, sizeof(a->resource), "directory", 9);
}

static size_t on_header(char *at, size_t one, size_t size, void *data)
{
	struct http_call *call = data;
	const char *colon = memchr(at, ':', size), *value;
	size_t length = size;

	call->heard = now();
	if (!call->answer)
		return size * one;
	/* That of a redirect, or "100 Continue", is followed by another. */
	if (size > 5 && strncmp(at, "HTTP/", 5) == 0)
		*call->answer = (struct http_answer){ .length = -1, .retry_after = -1 };
	if (!colon)
		return size * one;
	for (value = colon + 1; value < at + size && (*value == ' ' || *value == '\t'); value++)
		;
	while (length > 0 && isspace((unsigned char)at[length - 1]))
		length--;
	if (value < at + length)
		take_header(call->answer, at, (size_t)(colon - at), value, (size_t)(at + length - value));
	return size * one;
}

/* ---- The body ------------------------------------------------------------------------------------------------------ */

static bool make_room(struct http_call *call, size_t more)
{
	char *bytes;

	if (call->at > 0) {
		memmove(call->bytes, call->bytes + call->at, call->size - call->at);
		call->size -= call->at;
		call->at = 0;
	}
	if (call->room - call->size >= more)
		return true;
	bytes = realloc(call->bytes, call->size + more);
	if (!bytes)
		return false;
	call->bytes = bytes;
	call->room = call->size + more;
	return true;
}

static size_t on_body(char *at, size_t one, size_t size, void *data)
{
	struct http_call *call = data;

	call->heard = now();
	if (call->size - call->at >= ENOUGH) {
		call->waits = true;
		return CURL_WRITEFUNC_PAUSE;
	}
	if (!make_room(call, size)) {
		call->no_memory = true;
		return 0;
	}
	memcpy(call->bytes + call->size, at, size);
	call->size += size;
	return size * one;
}

static void pump(struct http *http)
{
	int left;
	CURLMsg *message;

	curl_multi_perform(http->multi, &left);
	while ((message = curl_multi_info_read(http->multi, &left)) != NULL) {
		struct http_call *call;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&call);
		call->ended = true;
		call->result = message->data.result;
	}
}

static bool would_fail_again(CURLcode code)
{
	switch (code) {
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_URL_MALFORMAT:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_TOO_MANY_REDIRECTS:
	case CURLE_BAD_CONTENT_ENCODING:
		return true;
	default:
		return false;
	}
}

static enum http_outcome outcome_of(const struct http_call *call, char *why)
{
	if (call->no_memory || call->result == CURLE_OUT_OF_MEMORY)
		return HTTP_NO_MEMORY;
	if (call->result == CURLE_OK)
		return HTTP_FINE;
	snprintf(why, HTTP_WHY, "%s", *call->why ? call->why : curl_easy_strerror(call->result));
	return would_fail_again(call->result) ? HTTP_IMPOSSIBLE : HTTP_BROKE;
}

/* Until something is there, or it has ended. */
static enum http_outcome await(struct http_call *call, char *why)
{
	struct http *http = call->http;

	call->heard = now();
	if (call->waits) {
		call->waits = false;
		curl_easy_pause(call->curl, CURLPAUSE_CONT);
	}
	for (pump(http); call->at == call->size && !call->ended; pump(http)) {
		if (http->host->canceled(http->host))
			return HTTP_STOPPED;
		if (now() - call->heard > http->stall) {
			snprintf(why, HTTP_WHY, "nothing came for %lld s", (long long)http->stall / 1000);
			return HTTP_BROKE;
		}
		curl_multi_poll(http->multi, NULL, 0, PATIENCE, NULL);
	}
	return call->at < call->size ? HTTP_FINE : outcome_of(call, why);
}

enum http_outcome http_pull(struct http_call *call, void *to, size_t room, size_t *ret, char *why)
{
	enum http_outcome outcome = call->at == call->size ? await(call, why) : HTTP_FINE;
	size_t left = call->size - call->at;

	if (outcome != HTTP_FINE)
		return outcome;
	*ret = left < room ? left : room;
	if (*ret > 0)
		memcpy(to, call->bytes + call->at, *ret);
	call->at += *ret;
	return HTTP_FINE;
}

/* ---- A request ------------------------------------------------------------------------------------------------------- */

static void set_protocols(CURL *curl, bool secure)
{
#if LIBCURL_VERSION_NUM >= 0x075500
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, secure ? "https" : "http,https");
#else
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
	curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS, (long)(secure ? CURLPROTO_HTTPS : CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
}

static void set_up(struct http_call *call, const struct http_request *request)
{
	CURL *curl = call->curl;

	curl_easy_setopt(curl, CURLOPT_URL, request->url);
	set_protocols(curl, strncmp(request->url, "https:", 6) == 0);
	curl_easy_setopt(curl, CURLOPT_PRIVATE, call);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(curl, CURLOPT_USERAGENT, PACKAGE_NAME "/" PACKAGE_VERSION);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)call->http->stall);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, call->why);
	curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(curl, CURLOPT_HEADERDATA, call);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, call);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, call->headers);
	curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, request->follows ? 1L : 0L);
	curl_easy_setopt(curl, CURLOPT_MAXREDIRS, REDIRECTS_MOST);
	if (request->user) {
		curl_easy_setopt(curl, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
		curl_easy_setopt(curl, CURLOPT_USERPWD, request->user);
	}
	if (strcmp(request->method, "HEAD") == 0)
		curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
}

static bool add_headers(struct http_call *call, const struct http_request *request)
{
	for (size_t i = 0; i < request->header_count; i++) {
		struct curl_slist *headers = curl_slist_append(call->headers, request->headers[i]);

		if (!headers)
			return false;
		call->headers = headers;
	}
	return true;
}

void http_end(struct http_call *call)
{
	if (!call)
		return;
	if (call->curl) {
		curl_multi_remove_handle(call->http->multi, call->curl);
		curl_easy_cleanup(call->curl);
	}
	curl_slist_free_all(call->headers);
	free(call->bytes);
	free(call);
}

enum http_outcome http_begin(struct http *http, const struct http_request *request, struct http_answer *answer,
			     struct http_call **ret, char *why)
{
	struct http_call *call = calloc(1, sizeof(*call));
	enum http_outcome outcome = HTTP_NO_MEMORY;

	*answer = (struct http_answer){ .length = -1, .retry_after = -1 };
	*why = '\0';
	if (!call)
		return HTTP_NO_MEMORY;
	call->http = http;
	call->curl = curl_easy_init();
	if (call->curl && add_headers(call, request)) {
		call->answer = answer;
		set_up(call, request);
		if (curl_multi_add_handle(http->multi, call->curl) == CURLM_OK)
			outcome = await(call, why);
		curl_easy_getinfo(call->curl, CURLINFO_RESPONSE_CODE, &answer->status);
		call->answer = NULL;
	}
	if (outcome != HTTP_FINE)
		http_end(call);
	else
		*ret = call;
	return outcome;
}
