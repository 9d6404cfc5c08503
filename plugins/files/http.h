/*
 * HTTP as the backends of servers see it: an address taken apart, one request and its answer, whose body is pulled as it is
 * wanted, and what may be tried again. Only http-call.c knows libcurl.
 */
#ifndef FILES_HTTP_H
#define FILES_HTTP_H

#include <etlrun/helpers.h>

#include "backend.h"

/* ---- Addresses (http-url.c) ----------------------------------------------------------------------------------- */

struct http_url {
	char *origin; /* "https://host:port", as it was written, without who asks */
	char *host;   /* without the port */
	char *user;   /* "user:password", decoded, or NULL */
	char *path;   /* encoded, from its first slash; "/" at least */
	char *query;  /* behind the "?", encoded, "" when there is none: it may hold secrets */
	bool secure;
};

bool http_is_url(const char *text);
/* NULL, or what is wrong with TEXT, a constant. */
const char *http_url_parse(const char *text, struct http_url *ret);
void http_url_free(struct http_url *url);
/* Every byte but letters, digits and -._~ as %XX; "/" stays where SLASH says so. */
void http_encode(struct etl_text *to, const char *plain, bool slash);
/* Is it this machine itself? */
bool http_is_loopback(const struct http_url *url);

/* ---- One request (http-call.c) ----------------------------------------------------------------------------------- */

/* Connections that are kept for the next request. One thread. */
struct http;
/* NULL: no memory. STALL: milliseconds that a server may say nothing. */
struct http *http_new(const struct etl_host *host, int64_t stall);
void http_free(struct http *http);

struct http_request {
	const char *method, *url;
	const char *user;	    /* "user:password", or NULL */
	const char *const *headers; /* "Name: value" */
	size_t header_count;
	bool follows; /* where the server sends it */
};

struct http_answer {
	long status; /* 0: none came */
	int64_t length;	     /* of the body; -1: not said */
	int64_t retry_after; /* seconds; -1: not said */
	bool ranges;	     /* it gives parts of what it has */
	char etag[256], modified[64], date[64], range[128], md5[64], blob_md5[64], code[128], resource[32];
};

enum http_outcome {
	HTTP_FINE,
	HTTP_BROKE,	/* may go another time */
	HTTP_IMPOSSIBLE, /* would fail again: a certificate, an address */
	HTTP_STOPPED,	/* the run is to stop */
	HTTP_NO_MEMORY
};

struct http_call;
/* Sends it and waits for the head of the answer. On HTTP_FINE *ret is to be ended; else *why (CURL_ERROR_SIZE bytes) says why. */
enum http_outcome http_begin(struct http *http, const struct http_request *request, struct http_answer *answer,
			     struct http_call **ret, char *why);
/* *ret is 0 at the end of the body, and only then. */
enum http_outcome http_pull(struct http_call *call, void *to, size_t room, size_t *ret, char *why);
void http_end(struct http_call *call); /* accepts NULL */
#define HTTP_WHY 256 /* room for a reason */

/* ---- Another time (http-retry.c) ---------------------------------------------------------------------------------- */

bool http_may_pass(long status);
/* Milliseconds before try TRY (the second is 2), RETRY_AFTER being what the server said. */
int64_t http_pause(int64_t try, int64_t retry_after);
/* Waits, and looks whether the run is to stop. */
int http_wait(const struct etl_host *host, int64_t milliseconds);

#endif
