/*
 * A request with all that lets it in: a signature by the account's key, a SAS in the address, a token; and tried again while that
 * may help. Who asks stands in headers and in the query, neither of which is ever said in a message.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "remote.h"

#define API_VERSION    "2021-12-02" /* of Azure Blob Storage: names that XML cannot have come encoded */
#define RESOURCE       "https://storage.azure.com/"
#define TOKEN_LIMIT_MS 60000
#define TOKEN_LEFT     300 /* seconds: a token that ends sooner is no longer used */
#define HEADERS_MOST   8
#define WORDS_MOST     ((size_t)64 << 10) /* bytes of a refusal that are read */

/* ---- A token ------------------------------------------------------------------------------------------------------------- */

static int ask_cli(struct remote *r, struct etl_error *err)
{
	static const char *const argv[] = { "az", "account", "get-access-token", "--resource", RESOURCE, "--output", "json",
					    "--only-show-errors", NULL };
	const struct azure_caller who = { .host = r->host };
	struct azure_answer answer;
	const char *why = NULL;
	int rc = etl_azure_run(&who, argv, TOKEN_LIMIT_MS, &answer, err);

	if (rc)
		return rc;
	if (answer.status != 0)
		rc = r->host->fail(err, ETL_USAGE, NULL, 0,
				   "asking for an access token: az ended with exit code %d: %s; log in with `az login` and run again",
				   answer.status, *answer.said ? answer.said : "it does not say why");
	else
		why = etl_azure_bearer_read(answer.out, (int64_t)time(NULL), &r->bearer);
	etl_azure_answer_free(&answer);
	return why ? r->host->fail(err, ETL_USAGE, NULL, 0, "az account get-access-token: %s; log in with `az login` and run again", why) : rc;
}

static int need_token(struct remote *r, struct etl_error *err)
{
	const struct azure_caller who = { .host = r->host };

	if (r->bearer.text && (r->bearer.expires == 0 || r->bearer.expires > (int64_t)time(NULL) + TOKEN_LEFT))
		return ETL_OK;
	etl_azure_bearer_free(&r->bearer);
	if (r->auth == REMOTE_CLI)
		return ask_cli(r, err);
	return etl_azure_imds(&who, r->host->str(r->conf, "identity_endpoint"), r->host->str(r->conf, "identity"), RESOURCE, &r->bearer, err);
}

bool remote_renew(struct remote *r)
{
	bool had = r->bearer.text != NULL;

	etl_azure_bearer_free(&r->bearer);
	return had;
}

/* ---- A request -------------------------------------------------------------------------------------------------------------- */

struct letter {
	struct etl_text url, headers[HEADERS_MOST];
	const char *at[HEADERS_MOST];
	size_t count;
	bool failed;
};

static void add(struct letter *l, const char *name, const char *value)
{
	struct etl_text *to = &l->headers[l->count];

	etl_text_addf(to, "%s: %s", name, value);
	l->failed |= to->failed;
	l->at[l->count++] = to->at;
}

static void wipe(struct etl_text *text)
{
	etl_azure_wipe(text->at, text->at ? text->length : 0);
	etl_text_free(text);
}

static void letter_free(struct letter *l)
{
	for (size_t i = 0; i < l->count; i++)
		wipe(&l->headers[i]);
	wipe(&l->url);
}

/* "Sun, 06 Nov 1994 08:49:37 GMT", whatever the locale. */
static void write_date(char *ret, size_t room)
{
	static const char *const days[] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
	static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	time_t at = time(NULL);
	struct tm tm;

	gmtime_r(&at, &tm);
	snprintf(ret, room, "%s, %02d %s %04d %02d:%02d:%02d GMT", days[tm.tm_wday], tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900,
		 tm.tm_hour, tm.tm_min, tm.tm_sec);
}

static int sign(struct remote *r, const struct remote_ask *ask, const char *date, struct letter *l, struct etl_error *err)
{
	const struct blob_signed what = { .account = r->account, .method = ask->method, .range = ask->range, .if_match = ask->if_match,
					  .date = date, .version = API_VERSION, .path = ask->path, .params = ask->params,
					  .param_count = ask->param_count };
	struct etl_text text = { 0 };
	bool fine = blob_sign(&what, r->host->str(r->conf, "account_key"), &text);

	add(l, "Authorization", text.at ? text.at : "");
	l->failed |= text.failed;
	wipe(&text);
	return fine ? ETL_OK :
		      r->host->fail(err, ETL_USAGE, NULL, 0, "%s: account_key is no key of a storage account, which is base64; copy the whole of it",
				    r->files->root);
}

static int let_in(struct remote *r, const struct remote_ask *ask, struct letter *l, struct etl_error *err)
{
	char date[64];
	struct etl_text token = { 0 };
	int rc;

	if (!r->blob)
		return ETL_OK;
	write_date(date, sizeof(date));
	add(l, "x-ms-date", date);
	add(l, "x-ms-version", API_VERSION);
	if (r->auth == REMOTE_KEY)
		return sign(r, ask, date, l, err);
	if (r->auth != REMOTE_CLI && r->auth != REMOTE_MACHINE)
		return ETL_OK;
	rc = need_token(r, err);
	if (rc)
		return rc;
	etl_text_addf(&token, "Bearer %s", r->bearer.text);
	add(l, "Authorization", token.at ? token.at : "");
	l->failed |= token.failed;
	wipe(&token);
	return ETL_OK;
}

static void write_url(const struct remote *r, const struct remote_ask *ask, struct etl_text *ret)
{
	const char *between = "?";

	etl_text_add(ret, r->url.origin);
	etl_text_add(ret, ask->path);
	for (size_t i = 0; i < ask->param_count; i++) {
		etl_text_addf(ret, "%s%s=", between, ask->params[i].name);
		http_encode(ret, ask->params[i].value, false);
		between = "&";
	}
	if (*r->query)
		etl_text_addf(ret, "%s%s", between, r->query);
}

int remote_begin(struct remote *r, const struct remote_ask *ask, struct http_answer *answer, struct http_call **ret,
		 enum http_outcome *ret_outcome, char *why, struct etl_error *err)
{
	struct letter l = { 0 };
	int rc;

	write_url(r, ask, &l.url);
	if (ask->range)
		add(&l, "Range", ask->range);
	if (ask->if_match)
		add(&l, "If-Match", ask->if_match);
	rc = let_in(r, ask, &l, err);
	if (!rc && (l.failed || l.url.failed))
		rc = files_no_memory(r->files, err);
	if (!rc) {
		const struct http_request request = { .method = ask->method, .url = l.url.at, .user = r->url.user, .headers = l.at,
						      .header_count = l.count, .follows = !r->blob };

		*ret_outcome = http_begin(r->http, &request, answer, ret, why);
	}
	letter_free(&l);
	return rc;
}

/* ---- Another try -------------------------------------------------------------------------------------------------------------- */

int remote_again(struct remote *r, const char *what, int64_t *try, enum http_outcome outcome, const char *why,
		 const struct http_answer *answer, const char *body, struct etl_error *err)
{
	int64_t pause;

	if (outcome == HTTP_STOPPED)
		return ETL_CANCELED;
	if (outcome == HTTP_NO_MEMORY)
		return files_no_memory(r->files, err);
	if (outcome == HTTP_IMPOSSIBLE || (outcome == HTTP_BROKE && *try >= r->tries))
		return r->host->fail(err, ETL_FATAL, NULL, 0, "cannot read %s: %s%s", what, why,
				     outcome == HTTP_BROKE ? "; it was tried as often as `tries` says: is the server there, and the network?" : "");
	if (outcome == HTTP_FINE && (!http_may_pass(answer->status) || *try >= r->tries))
		return remote_refused(r, what, answer, body, err);
	++*try;
	pause = http_pause(*try, outcome == HTTP_FINE ? answer->retry_after : -1);
	if (outcome == HTTP_FINE)
		r->host->log(r->host, ETL_LOG_INFO, "%s: HTTP %ld; try %lld in %.1f s", what, answer->status, (long long)*try, (double)pause / 1000);
	else
		r->host->log(r->host, ETL_LOG_INFO, "%s: %s; try %lld in %.1f s", what, why, (long long)*try, (double)pause / 1000);
	return http_wait(r->host, pause);
}

/* The whole body. HTTP_IMPOSSIBLE: it is more than MOST. */
static enum http_outcome pull_all(struct http_call *call, size_t most, struct etl_text *body, char *why)
{
	char piece[16384];
	size_t n = 1;

	etl_text_add(body, "");
	while (n > 0) {
		enum http_outcome outcome = http_pull(call, piece, sizeof(piece), &n, why);

		if (outcome != HTTP_FINE)
			return outcome;
		if (body->length + n > most) {
			snprintf(why, HTTP_WHY, "the answer is more than %zu bytes", most);
			return HTTP_IMPOSSIBLE;
		}
		etl_text_add_bytes(body, piece, n);
	}
	return body->failed ? HTTP_NO_MEMORY : HTTP_FINE;
}

static bool is_answer(const struct http_answer *answer)
{
	return answer->status == 200 || answer->status == 206;
}

int remote_fetch(struct remote *r, const struct remote_ask *ask, const char *what, size_t most, struct http_answer *answer,
		 struct etl_text *body, struct etl_error *err)
{
	bool renewed = false;
	int64_t try = 1;

	for (;;) {
		enum http_outcome outcome = HTTP_BROKE;
		struct http_call *call = NULL;
		char why[HTTP_WHY];
		int rc = remote_begin(r, ask, answer, &call, &outcome, why, err);

		if (rc)
			return rc;
		etl_text_free(body);
		*body = (struct etl_text){ 0 };
		if (outcome == HTTP_FINE && !(is_answer(answer) && most == 0))
			outcome = pull_all(call, is_answer(answer) ? most : WORDS_MOST, body, why);
		http_end(call);
		if (outcome == HTTP_FINE && answer->status == 401 && !renewed && remote_renew(r)) {
			renewed = true;
			continue;
		}
		if (outcome == HTTP_FINE && !http_may_pass(answer->status))
			return ETL_OK;
		rc = remote_again(r, what, &try, outcome, why, answer, body->at ? body->at : "", err);
		if (rc)
			return rc;
	}
}
