/*
 * What a server refuses, in its own words, and what to do about it. Azure's error is a code and a message in XML (in a header alone
 * where there is no body). Its details may repeat what was signed, and with it a SAS, so of them only those about time are said.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "remote.h"

#define SKEW_LEAST 300 /* seconds; Azure takes no request that is 15 minutes off */
#define WORDS_MOST 300 /* bytes of a message */

struct words {
	char code[128], message[WORDS_MOST + 1], detail[WORDS_MOST + 1];
};

/* Its first line, as a message can have it. */
static void take(const char *body, const char *name, char *ret, size_t room)
{
	struct etl_text text = { 0 };
	char *shown = NULL;

	if (blob_error_read(body, strlen(body), name, &text) && text.at) {
		text.at[strcspn(text.at, "\r\n")] = '\0';
		if (strlen(text.at) < room)
			shown = files_shown(text.at);
	}
	/* Advice follows it. */
	if (shown && *shown && shown[strlen(shown) - 1] == '.')
		shown[strlen(shown) - 1] = '\0';
	if (shown && strlen(shown) < room)
		snprintf(ret, room, "%s", shown);
	free(shown);
	etl_text_free(&text);
}

static void read_words(const struct http_answer *answer, const char *body, struct words *ret)
{
	*ret = (struct words){ 0 };
	take(body, "Code", ret->code, sizeof(ret->code));
	take(body, "Message", ret->message, sizeof(ret->message));
	take(body, "AuthenticationErrorDetail", ret->detail, sizeof(ret->detail));
	if (!*ret->code)
		snprintf(ret->code, sizeof(ret->code), "%s", answer->code);
	if (strncmp(ret->detail, "Signature not valid in the specified time frame", 47) != 0 && !strstr(ret->detail, "too old"))
		*ret->detail = '\0';
}

/* By how many seconds this machine's clock is ahead of the server's. */
static int64_t skew(const struct http_answer *answer)
{
	int64_t theirs = remote_time(answer->date) / 1000000;

	return theirs ? (int64_t)time(NULL) - theirs : 0;
}

static void advise_authentication(const struct remote *r, const struct http_answer *answer, char *ret, size_t room)
{
	int64_t off = skew(answer);

	if (off > SKEW_LEAST || off < -SKEW_LEAST)
		snprintf(ret, room, "; this machine's clock is %lld minutes %s the server's: set it, for what is signed holds for 15 minutes",
			 (long long)(off < 0 ? -off : off) / 60, off > 0 ? "ahead of" : "behind");
	else if (r->auth == REMOTE_KEY)
		snprintf(ret, room, "; is account_key one of the two keys of the account %s?", r->account);
	else if (r->auth == REMOTE_SAS)
		snprintf(ret, room, "; has the SAS ended, and was it made for the container %s with the rights to read and list?", r->container);
	else
		snprintf(ret, room, "; log in again (`az login`), or look at the machine's identity");
}

#define NOT_PUBLIC                                                                                                                   \
	"; if the container is not public, say who asks: a SAS behind the ? of the uri, account_key, or auth = \"azure-cli\" or " \
	"\"managed-identity\""

/* Who asks is not believed; the emulator has another code for it. */
static bool is_authentication(const struct words *words)
{
	return strcmp(words->code, "AuthenticationFailed") == 0 || strcmp(words->code, "InvalidAuthenticationInfo") == 0 ||
	       strncmp(words->message, "Server failed to authenticate", 29) == 0;
}

static void advise_blob(const struct remote *r, const struct http_answer *answer, const struct words *words, char *ret, size_t room)
{
	const char *code = words->code;

	if (strcmp(code, "ContainerNotFound") == 0)
		snprintf(ret, room, "; there is no container %s in the account %s", r->container, r->account);
	else if (r->auth == REMOTE_NOBODY)
		snprintf(ret, room, "%s", answer->status < 500 ? NOT_PUBLIC : "");
	else if (is_authentication(words))
		advise_authentication(r, answer, ret, room);
	else if (strcmp(code, "AuthorizationPermissionMismatch") == 0)
		snprintf(ret, room, "%s", r->auth == REMOTE_SAS ? "; the SAS must have the rights to read (r) and list (l)" :
								  "; who asks needs the role Storage Blob Data Reader on the account or the container");
	else if (strcmp(code, "AuthorizationFailure") == 0)
		snprintf(ret, room, "; does the account's firewall know this machine's address, and has who asks the right to read and list?");
}

static void advise_web(const struct http_answer *answer, char *ret, size_t room)
{
	if (answer->status == 401 || answer->status == 403)
		snprintf(ret, room, "; the server wants to know who asks: user and password stand in the uri, https://USER:PASSWORD@HOST/…");
	else if (answer->status == 404 || answer->status == 410)
		snprintf(ret, room, "; there is no such file at the server");
	else if (answer->status >= 300 && answer->status < 400)
		snprintf(ret, room, "; the server sends elsewhere; write that address");
}

int remote_refused(struct remote *r, const char *what, const struct http_answer *answer, const char *body, struct etl_error *err)
{
	struct words words;
	char advice[512] = "";

	read_words(answer, body, &words);
	if (r->blob)
		advise_blob(r, answer, &words, advice, sizeof(advice));
	else
		advise_web(answer, advice, sizeof(advice));
	if (!*advice && http_may_pass(answer->status))
		snprintf(advice, sizeof(advice), "; it was tried as often as `tries` says");
	return r->host->fail(err, ETL_FATAL, NULL, 0, "cannot read %s: HTTP %ld%s%s%s%s%s%s%s", what, answer->status,
			     *words.code ? " " : "", words.code, *words.message ? ": " : "", words.message, *words.detail ? " " : "",
			     words.detail, advice);
}
