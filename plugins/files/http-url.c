/*
 * Addresses. They are taken apart here and nowhere else, because what is secret in them, who asks and the query, must not come
 * into what is shown.
 */
#include "config.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <etlrun/helpers.h>

#include "http.h"
#include "uri.h"

static size_t scheme_of(const char *text)
{
	if (strncasecmp(text, "https://", 8) == 0)
		return 8;
	return strncasecmp(text, "http://", 7) == 0 ? 7 : 0;
}

bool http_is_url(const char *text)
{
	return scheme_of(text) > 0;
}

void http_encode(struct etl_text *to, const char *plain, bool slash)
{
	etl_text_add(to, "");
	for (; *plain; plain++) {
		unsigned char c = (unsigned char)*plain;

		if ((c < 0x80 && isalnum(c)) || strchr("-._~", c) || (slash && c == '/'))
			etl_text_add_bytes(to, plain, 1);
		else
			etl_text_addf(to, "%%%02X", (unsigned)c);
	}
}

static const char *take_host(const char *at, size_t size, struct http_url *ret)
{
	const char *colon = *at == '[' ? memchr(at, ']', size) : at;
	size_t length;

	colon = colon ? memchr(colon, ':', size - (size_t)(colon - at)) : NULL;
	length = colon ? (size_t)(colon - at) : size;
	if (length == 0)
		return "names no host";
	if (colon && strspn(colon + 1, "0123456789") != size - length - 1)
		return "has a port that is no number";
	ret->host = strndup(at, length);
	return NULL;
}

static const char *take_user(const char *at, size_t size, struct http_url *ret)
{
	struct etl_text user = { 0 };

	if (!etl_uri_decode(&user, at, size)) {
		etl_text_free(&user);
		return "has a % that is not followed by two hexadecimal digits of a character";
	}
	ret->user = etl_text_take(&user);
	return NULL;
}

static const char *check_characters(const char *text)
{
	struct etl_text decoded = { 0 };
	size_t path = strcspn(text, "?");
	const char *wrong = NULL;

	for (const char *p = text; *p && !wrong; p++) {
		if ((unsigned char)*p <= ' ' || *p == 0x7f)
			wrong = "has a blank or a control character in it; write %20 for a blank";
		else if (*p == '#')
			wrong = "has a #, which would begin a fragment; write %23 for a # in the name";
	}
	if (!wrong && !etl_uri_decode(&decoded, text, path))
		wrong = "has a % that is not followed by two hexadecimal digits of a character";
	etl_text_free(&decoded);
	return wrong;
}

const char *http_url_parse(const char *text, struct http_url *ret)
{
	size_t scheme = scheme_of(text), authority = strcspn(text + scheme, "/?#"), path, i;
	const char *at = text + scheme, *host = at, *wrong = check_characters(text);
	struct etl_text origin = { 0 };

	*ret = (struct http_url){ .secure = scheme == 8 };
	for (i = 0; i < authority; i++)
		if (at[i] == '@')
			host = at + i + 1;
	if (!wrong && host > at)
		wrong = take_user(at, (size_t)(host - at) - 1, ret);
	if (!wrong)
		wrong = take_host(host, authority - (size_t)(host - at), ret);
	etl_text_add(&origin, ret->secure ? "https://" : "http://");
	etl_text_add_bytes(&origin, host, authority - (size_t)(host - at));
	ret->origin = etl_text_take(&origin);
	at += authority;
	path = strcspn(at, "?#");
	ret->path = path ? strndup(at, path) : strdup("/");
	ret->query = strdup(at[path] == '?' ? at + path + 1 : "");
	if (!wrong && (!ret->host || !ret->origin || !ret->path || !ret->query || (host > text + scheme && !ret->user)))
		wrong = "is more than there is memory for";
	if (wrong)
		http_url_free(ret);
	return wrong;
}

static void wipe_free(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

void http_url_free(struct http_url *url)
{
	free(url->origin);
	free(url->host);
	wipe_free(url->user);
	free(url->path);
	wipe_free(url->query);
	*url = (struct http_url){ 0 };
}

bool http_is_loopback(const struct http_url *url)
{
	return strcasecmp(url->host, "localhost") == 0 || strcmp(url->host, "[::1]") == 0 ||
	       (strncmp(url->host, "127.", 4) == 0 && strspn(url->host, "0123456789.") == strlen(url->host));
}
