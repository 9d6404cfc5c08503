/*
 * The identity of an Azure machine: its instance metadata service (IMDS) gives a token to whoever asks on the machine
 * itself, by plain HTTP at a link-local address ("How to use managed identities on an Azure VM to acquire an access
 * token"). No proxy is between, whatever the environment says: one could not reach it, and must not see the token.
 */
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "azure-access.h"

#define LIMIT_MS   10000     /* for all of it: it answers at once or is not there */
#define ANSWER_MAX (96 << 10) /* bytes */
#define QUERY	   "?api-version=2018-02-01&resource="

struct call {
	const struct azure_caller *who;
	const char *endpoint, *identity, *resource;
	struct etl_error *err;
	char host[256], port[8], path[512];
	int fd;
	int64_t deadline; /* CLOCK_MONOTONIC, milliseconds */
	char *answer;
	size_t size;
};

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

#define WAY_OUT                                                                                                    \
	"; auth = \"managed-identity\" works on a machine of Azure's that has an identity; anywhere else auth = \"azure-cli\""

#define TIME_IS_UP (-1) /* beside errno */
#define STOPPED	   (-2) /* the run ends: nobody waits for an answer any more */

static int fail_io(const struct call *c, const char *doing, int code)
{
	if (code == STOPPED)
		return ETL_CANCELED;
	return c->who->host->fail(c->err, ETL_FATAL, NULL, 0, "the instance metadata service at %s: %s: %s%s", c->endpoint, doing,
				   code == TIME_IS_UP ? "no answer in time" : strerror(code), WAY_OUT);
}

static int no_memory(const struct call *c)
{
	return c->who->host->fail(c->err, ETL_MEMORY, NULL, 0, "no memory to ask %s for an access token", c->endpoint);
}

/* ---- The address --------------------------------------------------------------------------------------------- */

static bool split_address(struct call *c, const char *url)
{
	static const char scheme[] = "http://";
	size_t host, port = 0;

	if (strncmp(url, scheme, sizeof(scheme) - 1) != 0)
		return false;
	url += sizeof(scheme) - 1;
	host = strcspn(url, ":/?#");
	if (host == 0 || host >= sizeof(c->host))
		return false;
	snprintf(c->host, sizeof(c->host), "%.*s", (int)host, url);
	url += host;
	snprintf(c->port, sizeof(c->port), "80");
	if (*url == ':') {
		port = strspn(++url, "0123456789");
		if (port == 0 || port >= sizeof(c->port))
			return false;
		snprintf(c->port, sizeof(c->port), "%.*s", (int)port, url);
		url += port;
	}
	if (strpbrk(url, "?#\r\n ") || (*url && *url != '/') || strlen(url) >= sizeof(c->path))
		return false;
	snprintf(c->path, sizeof(c->path), "%s", *url ? url : "/");
	return true;
}

/* ---- The wire -------------------------------------------------------------------------------------------------- */

/* 0: ready; else errno, TIME_IS_UP or STOPPED. */
static int await(const struct call *c, short events)
{
	struct pollfd p = { c->fd, events, 0 };

	for (;;) {
		int64_t left = c->deadline - now();

		if (!c->who->to_the_end && c->who->host->canceled(c->who->host))
			return STOPPED;
		if (left <= 0)
			return TIME_IS_UP;
		if (poll(&p, 1, left < 50 ? (int)left : 50) > 0)
			return 0;
	}
}

static int try_address(struct call *c, const struct addrinfo *at)
{
	socklen_t size = sizeof(int);
	int code = 0;

	c->fd = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, at->ai_protocol);
	if (c->fd < 0)
		return errno;
	if (connect(c->fd, at->ai_addr, at->ai_addrlen) < 0 && errno != EINPROGRESS)
		return errno;
	code = await(c, POLLOUT);
	if (code == 0 && getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &code, &size) < 0)
		code = errno;
	return code;
}

static int dial(struct call *c)
{
	const struct addrinfo wanted = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
	struct addrinfo *found = NULL;
	int code = getaddrinfo(c->host, c->port, &wanted, &found);

	if (code)
		return c->who->host->fail(c->err, ETL_USAGE, NULL, 0, "identity_endpoint: %s: %s", c->host, gai_strerror(code));
	for (const struct addrinfo *at = found; at; at = at->ai_next) {
		if (c->fd >= 0)
			close(c->fd);
		code = try_address(c, at);
		if (code == 0 || code == STOPPED)
			break;
	}
	freeaddrinfo(found);
	return code ? fail_io(c, "connecting", code) : ETL_OK;
}

static int send_all(const struct call *c, const char *text, size_t size)
{
	while (size > 0) {
		ssize_t n = send(c->fd, text, size, MSG_NOSIGNAL);
		int code;

		if (n > 0) {
			text += n;
			size -= (size_t)n;
		} else if (n < 0 && errno != EAGAIN && errno != EINTR) {
			return fail_io(c, "asking", errno);
		} else if ((code = await(c, POLLOUT)) != 0) {
			return fail_io(c, "asking", code);
		}
	}
	return ETL_OK;
}

static int receive(struct call *c)
{
	for (;;) {
		ssize_t n = recv(c->fd, c->answer + c->size, ANSWER_MAX - 1 - c->size, 0);
		int code;

		if (n > 0) {
			c->size += (size_t)n;
			c->answer[c->size] = '\0';
			if (c->size == ANSWER_MAX - 1)
				return c->who->host->fail(c->err, ETL_FATAL, NULL, 0,
							   "the instance metadata service at %s says more than %d KiB", c->endpoint,
							   ANSWER_MAX >> 10);
		} else if (n == 0) {
			return ETL_OK;
		} else if (errno != EAGAIN && errno != EINTR) {
			return fail_io(c, "its answer", errno);
		} else if ((code = await(c, POLLIN)) != 0) {
			return fail_io(c, "its answer", code);
		}
	}
}

/* Every character but the unreserved ones as %XX. */
static void add_encoded(struct etl_text *text, const char *plain)
{
	for (; *plain; plain++)
		if (isalnum((unsigned char)*plain) || strchr("-._~", *plain))
			etl_text_add_bytes(text, plain, 1);
		else
			etl_text_addf(text, "%%%02X", (unsigned)(unsigned char)*plain);
}

static int ask(struct call *c)
{
	struct etl_text text = { 0 };
	int rc;

	etl_text_addf(&text, "GET %s" QUERY, c->path);
	add_encoded(&text, c->resource);
	etl_text_addf(&text, "%s%s HTTP/1.1\r\nHost: %s\r\nMetadata: true\r\nAccept: application/json\r\n"
			     "Connection: close\r\n\r\n",
		      c->identity ? "&client_id=" : "", c->identity ? c->identity : "", c->host);
	rc = text.failed ? no_memory(c) : send_all(c, text.at, text.length);
	etl_text_free(&text);
	return rc < 0 ? rc : receive(c);
}

/* ---- The answer -------------------------------------------------------------------------------------------------- */

/* Takes the sizes of the pieces out, in place. False: they are no such. */
static bool join_pieces(char *body)
{
	char *to = body, *end = body + strlen(body);

	for (char *p = body;;) {
		char *line;
		unsigned long size = strtoul(p, &line, 16);

		line = line > p ? strstr(line, "\r\n") : NULL;
		if (!line || size > (unsigned long)(end - line - 2))
			return false;
		if (size == 0)
			break;
		memmove(to, line + 2, size);
		to += size;
		p = line + 2 + size;
		p += strncmp(p, "\r\n", 2) == 0 ? 2 : 0;
	}
	*to = '\0';
	return true;
}

/* The body, and the status; NULL: that is no HTTP. */
static char *body_of(struct call *c, int *ret_status)
{
	char *head = strstr(c->answer, "\r\n\r\n");

	if (sscanf(c->answer, "HTTP/1.%*1d %d", ret_status) != 1 || !head)
		return NULL;
	*head = '\0';
	head += 4;
	return !strcasestr(c->answer, "\r\ntransfer-encoding: chunked") || join_pieces(head) ? head : NULL;
}

static int refused(const struct call *c, int status, const char *body)
{
	bool busy = status == 404 || status == 410 || status == 429 || status >= 500;
	char why[512];

	if (!etl_azure_json_get(body, "error_description", why, sizeof(why)) && !etl_azure_json_get(body, "error", why, sizeof(why)))
		snprintf(why, sizeof(why), "no reason is given");
	/* Those that Microsoft asks to try again, with growing pauses. */
	return c->who->host->fail(c->err, busy ? ETL_RETRY_CONNECTION : ETL_USAGE, NULL, 0,
				   "the instance metadata service at %s gives no token (HTTP %d): %s%s", c->endpoint, status, why,
				   busy ? "" : "; has this machine an identity, and is `identity` the client id of one of them?");
}

static int take(struct call *c, struct azure_bearer *ret)
{
	int status = 0;
	const char *body = body_of(c, &status), *wrong;

	if (!body)
		return c->who->host->fail(c->err, ETL_FATAL, NULL, 0, "what answers at %s is no instance metadata service" WAY_OUT,
					  c->endpoint);
	if (status != 200)
		return refused(c, status, body);
	wrong = etl_azure_bearer_read(body, (int64_t)time(NULL), ret);
	return wrong ? c->who->host->fail(c->err, ETL_FATAL, NULL, 0, "the instance metadata service at %s: %s", c->endpoint, wrong) :
		       ETL_OK;
}

int etl_azure_imds(const struct azure_caller *who, const char *endpoint, const char *identity, const char *resource,
	       struct azure_bearer *ret, struct etl_error *err)
{
	struct call c = { .who = who, .endpoint = endpoint, .identity = identity, .resource = resource,
			  .err = err, .fd = -1, .deadline = now() + LIMIT_MS };
	int rc = ETL_OK;

	if (!split_address(&c, endpoint))
		return who->host->fail(err, ETL_USAGE, NULL, 0,
				       "identity_endpoint: \"%s\" is no address such as http://169.254.169.254/metadata/identity/oauth2/token",
				       endpoint);
	c.answer = calloc(1, ANSWER_MAX);
	if (!c.answer)
		return no_memory(&c);
	rc = dial(&c);
	if (rc == ETL_OK)
		rc = ask(&c);
	if (rc == ETL_OK)
		rc = take(&c, ret);
	if (c.fd >= 0)
		close(c.fd);
	etl_azure_wipe(c.answer, ANSWER_MAX);
	free(c.answer);
	return rc;
}
