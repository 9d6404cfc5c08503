/*
 * The bytes of a file at a server, in ranges, one after the other. A range that breaks goes on at the byte where it broke. All ranges
 * are of one content: each is asked for by the tag that the list had, and its answer is held against that; a server that does not
 * know ranges gives the whole again, and what came before is held against what comes now. When all was read and the server gives a
 * checksum of it, that is held against the bytes too.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>
#include <nettle/base64.h>
#include <nettle/md5.h>

#include "remote.h"

#define RANGE	   ((int64_t)8 << 20) /* bytes of a request: no answer is open for long while the reader is slow */
#define WORDS_MOST 65536
#define LATEST	   253402300799 /* seconds since 1970: the end of the year 9999 */

struct distant {
	struct files_raw raw;
	struct remote *remote;
	struct etl_text path;
	char tag[256];	  /* of the list, or of the first answer; "" when there is none */
	char if_match[260];
	int64_t modified, size; /* 0, -1: not known */
	int64_t at;	  /* of the next byte that is given */
	int64_t upto;	  /* where the answer that is open ends; -1: at the end of the file */
	int64_t try;
	bool renewed, open, whole; /* whole: the answer is the whole file from its beginning */
	struct http_call *call;
	struct md5_ctx md5; /* of the bytes before hashed */
	int64_t hashed;	    /* -1: not read from the beginning */
	char sum[64];	    /* base64, or "" */
};

/* ---- What headers say ------------------------------------------------------------------------------------------------- */

bool remote_range(const char *text, int64_t *ret_first, int64_t *ret_total)
{
	int64_t last;
	int n = 0;

	*ret_total = -1;
	if (sscanf(text, "bytes %" SCNd64 "-%" SCNd64 "/%n", ret_first, &last, &n) != 2 || n == 0 || *ret_first < 0 || last < *ret_first)
		return false;
	if (strcmp(text + n, "*") == 0)
		return true;
	if (!text[n] || strspn(text + n, "0123456789") != strlen(text + n))
		return false;
	*ret_total = strtoll(text + n, NULL, 10);
	return *ret_total > last;
}

int64_t remote_time(const char *text)
{
	time_t at = *text ? curl_getdate(text, NULL) : (time_t)-1;

	return at <= 0 || at > LATEST ? 0 : (int64_t)at * 1000000;
}

void remote_tag(const char *text, char *ret, size_t room)
{
	size_t length = strlen(text);

	*ret = '\0';
	if (strncmp(text, "W/", 2) == 0)
		return;
	if (length >= 2 && *text == '"' && text[length - 1] == '"') {
		text++;
		length -= 2;
	}
	if (length < room && !memchr(text, '"', length))
		snprintf(ret, room, "%.*s", (int)length, text);
}

bool remote_path(const struct remote *r, const char *name, struct etl_text *ret)
{
	if (!r->blob) {
		etl_text_add(ret, r->url.path);
		if (*name && ret->at && ret->at[ret->length - 1] != '/')
			etl_text_add(ret, "/");
	} else {
		etl_text_addf(ret, "%s/", r->at);
		http_encode(ret, r->prefix, true);
		if (*name && *r->prefix)
			etl_text_add(ret, "/");
	}
	http_encode(ret, name, true);
	return !ret->failed;
}

/* ---- Opening ------------------------------------------------------------------------------------------------------------- */

static int changed(const struct distant *d, struct etl_error *err, const char *how)
{
	return d->raw.files->host->fail(err, ETL_FATAL, NULL, 0,
					"%s %s; nothing of it can be trusted: run again when nobody writes to it", d->raw.where, how);
}

void remote_close(struct files_raw *raw)
{
	struct distant *d = (struct distant *)raw;

	http_end(d->call);
	etl_text_free(&d->path);
	free(d->raw.where);
	free(d);
}

static void set_tag(struct distant *d, const char *tag)
{
	snprintf(d->tag, sizeof(d->tag), "%s", tag);
	snprintf(d->if_match, sizeof(d->if_match), "\"%s\"", d->tag);
}

int remote_open(struct files *files, const struct files_entry *entry, struct files_raw **ret, struct etl_error *err)
{
	struct distant *d = calloc(1, sizeof(*d));
	char *shown;

	if (!d)
		return files_no_memory(files, err);
	d->raw.files = files;
	d->remote = files->remote;
	shown = files_join(files->root, entry->name);
	d->raw.where = shown ? files_shown(shown) : NULL;
	free(shown);
	if (!d->raw.where || !remote_path(d->remote, entry->name, &d->path)) {
		remote_close(&d->raw);
		return files_no_memory(files, err);
	}
	set_tag(d, entry->tag);
	d->size = entry->size;
	d->modified = entry->modified;
	d->try = 1;
	md5_init(&d->md5);
	*ret = &d->raw;
	return ETL_OK;
}

int remote_seek(struct files_raw *raw, int64_t offset, struct etl_error *err)
{
	struct distant *d = (struct distant *)raw;

	(void)err;
	http_end(d->call);
	d->call = NULL;
	d->at = offset;
	d->hashed = offset == 0 ? 0 : -1;
	md5_init(&d->md5);
	return ETL_OK;
}

/* ---- An answer -------------------------------------------------------------------------------------------------------------- */

/* Is what answers still what was listed? */
static int check_same(struct distant *d, const struct http_answer *a, int64_t total, struct etl_error *err)
{
	int64_t modified = remote_time(a->modified);
	char tag[256];

	remote_tag(a->etag, tag, sizeof(tag));
	if (*d->tag ? strcmp(tag, d->tag) != 0 : d->modified && modified && modified != d->modified)
		return changed(d, err, d->at > 0 ? "was written to while it was read" : "was written to since it was listed");
	if (d->size >= 0 && total >= 0 && total != d->size)
		return changed(d, err, "has another size than when it was listed");
	/* A server may say more with the file than it says about it. */
	if (!*d->tag)
		set_tag(d, tag);
	if (!d->modified)
		d->modified = modified;
	if (d->size < 0)
		d->size = total;
	return ETL_OK;
}

/* Of an answer that is the whole: reads over what was given already, which must be the same bytes. */
static int skip(struct distant *d, enum http_outcome *ret_outcome, char *why, struct etl_error *err)
{
	uint8_t before[MD5_DIGEST_SIZE], now[MD5_DIGEST_SIZE];
	struct md5_ctx was = d->md5, is;
	static const size_t piece = 16384;
	int64_t left = d->at;
	uint8_t bytes[16384];
	size_t n;

	md5_init(&is);
	for (; left > 0; left -= (int64_t)n) {
		*ret_outcome = http_pull(d->call, bytes, left < (int64_t)piece ? (size_t)left : piece, &n, why);
		if (*ret_outcome != HTTP_FINE)
			return ETL_OK;
		if (n == 0)
			return changed(d, err, "is shorter than it was");
		md5_update(&is, n, bytes);
	}
	md5_digest(&was, sizeof(before), before);
	md5_digest(&is, sizeof(now), now);
	if (d->hashed == d->at && memcmp(before, now, sizeof(now)) != 0)
		return changed(d, err, "was written to while it was read");
	return ETL_OK;
}

static int take_range(struct distant *d, const struct http_answer *a, struct etl_error *err)
{
	int64_t first, total;

	if (!remote_range(a->range, &first, &total) || first != d->at || a->length == 0)
		return d->remote->host->fail(err, ETL_FATAL, NULL, 0,
					     "%s: the server was asked for the bytes from %" PRId64 " on and answers with others (%s)", d->raw.where,
					     d->at, *a->range ? a->range : "it does not say which");
	if (*a->blob_md5)
		snprintf(d->sum, sizeof(d->sum), "%s", a->blob_md5);
	d->upto = a->length >= 0 ? d->at + a->length : -1;
	if (d->upto < 0 && total >= 0)
		d->upto = d->at + RANGE < total ? d->at + RANGE : total;
	return check_same(d, a, total, err);
}

static int take_whole(struct distant *d, const struct http_answer *a, enum http_outcome *ret_outcome, char *why, struct etl_error *err)
{
	const char *sum = *a->blob_md5 ? a->blob_md5 : a->md5;
	int rc = check_same(d, a, a->length, err);

	if (*sum)
		snprintf(d->sum, sizeof(d->sum), "%s", sum);
	d->upto = d->size;
	return rc ? rc : skip(d, ret_outcome, why, err);
}

/* The words of a refusal. */
static void read_words(struct distant *d, struct etl_text *ret)
{
	char piece[4096], why[HTTP_WHY];
	size_t n = 1;

	etl_text_add(ret, "");
	while (n > 0 && ret->length < WORDS_MOST && http_pull(d->call, piece, sizeof(piece), &n, why) == HTTP_FINE)
		etl_text_add_bytes(ret, piece, n);
}

static int take_refusal(struct distant *d, const struct http_answer *a, struct etl_error *err)
{
	struct etl_text words = { 0 };
	int rc;

	switch (a->status) {
	case 404:
	case 410:
		return changed(d, err, "vanished since it was listed");
	case 412:
		return changed(d, err, d->at > 0 ? "was written to while it was read" : "was written to since it was listed");
	case 416:
		return changed(d, err, "is shorter than when it was listed");
	}
	read_words(d, &words);
	http_end(d->call);
	d->call = NULL;
	if (a->status == 401 && !d->renewed && remote_renew(d->remote)) {
		d->renewed = true;
		rc = ETL_OK;
	} else {
		rc = remote_again(d->remote, d->raw.where, &d->try, HTTP_FINE, "", a, words.at ? words.at : "", err);
	}
	etl_text_free(&words);
	return rc;
}

/* ---- Asking ------------------------------------------------------------------------------------------------------------------- */

static int broke(struct distant *d, enum http_outcome outcome, const char *why, struct etl_error *err)
{
	http_end(d->call);
	d->call = NULL;
	return remote_again(d->remote, d->raw.where, &d->try, outcome, why, NULL, "", err);
}

/* Leaves `call` NULL when it is to be asked again. */
static int ask(struct distant *d, struct etl_error *err)
{
	char range[64], why[HTTP_WHY];
	int64_t last = d->at + RANGE - 1;
	struct remote_ask what = { .method = "GET", .path = d->path.at, .range = range, .if_match = *d->tag ? d->if_match : NULL };
	enum http_outcome outcome = HTTP_BROKE;
	struct http_answer answer;
	int rc;

	if (d->size >= 0 && last >= d->size)
		last = d->size - 1;
	snprintf(range, sizeof(range), "bytes=%" PRId64 "-%" PRId64, d->at, last);
	/* A range of a file that may be empty cannot be given. */
	if (d->size < 0 && d->at == 0)
		what.range = NULL;
	rc = remote_begin(d->remote, &what, &answer, &d->call, &outcome, why, err);
	if (rc)
		return rc;
	if (outcome != HTTP_FINE)
		return broke(d, outcome, why, err);
	if (answer.status == 206)
		rc = take_range(d, &answer, err);
	else if (answer.status == 200)
		rc = take_whole(d, &answer, &outcome, why, err);
	else
		rc = take_refusal(d, &answer, err);
	return rc || outcome == HTTP_FINE ? rc : broke(d, outcome, why, err);
}

/* ---- Reading -------------------------------------------------------------------------------------------------------------------- */

static void take_bytes(struct distant *d, const void *bytes, size_t size)
{
	if (d->hashed == d->at) {
		md5_update(&d->md5, size, bytes);
		d->hashed += (int64_t)size;
	}
	d->at += (int64_t)size;
	d->try = 1;
	d->renewed = false;
}

/* The answer that is open ended. */
static int end_answer(struct distant *d, struct etl_error *err)
{
	if (d->upto >= 0 && d->at < d->upto)
		return broke(d, HTTP_BROKE, "the answer ended in its middle", err);
	if (d->size < 0)
		d->size = d->at;
	http_end(d->call);
	d->call = NULL;
	return ETL_OK;
}

int remote_read(struct files_raw *raw, void *to, size_t room, size_t *ret, struct etl_error *err)
{
	struct distant *d = (struct distant *)raw;
	int rc = ETL_OK;

	*ret = 0;
	while (!rc && room > 0 && (d->size < 0 || d->at < d->size || d->call)) {
		enum http_outcome outcome;
		char why[HTTP_WHY];
		size_t n = 0;

		if (!d->call) {
			rc = ask(d, err);
			continue;
		}
		outcome = http_pull(d->call, to, room, &n, why);
		if (outcome != HTTP_FINE) {
			rc = broke(d, outcome, why, err);
		} else if (n == 0) {
			rc = end_answer(d, err);
		} else if (d->size >= 0 && d->at + (int64_t)n > d->size) {
			rc = changed(d, err, "is longer than when it was listed");
		} else {
			take_bytes(d, to, n);
			*ret = n;
			break;
		}
	}
	return rc;
}

/* By what was read, when that was the whole. */
int remote_unchanged(struct files_raw *raw, struct etl_error *err)
{
	struct distant *d = (struct distant *)raw;
	char encoded[BASE64_ENCODE_RAW_LENGTH(MD5_DIGEST_SIZE) + 1] = "";
	uint8_t digest[MD5_DIGEST_SIZE];
	struct md5_ctx md5 = d->md5;

	if (!*d->sum || d->hashed != d->at || d->size < 0 || d->at != d->size)
		return ETL_OK;
	md5_digest(&md5, sizeof(digest), digest);
	base64_encode_raw(encoded, sizeof(digest), digest);
	if (strcmp(encoded, d->sum) == 0)
		return ETL_OK;
	return d->remote->host->fail(err, ETL_FATAL, NULL, 0,
				     "%s: the MD5 of what came is %s, and the server says %s; it was damaged on its way, or was stored so: get it "
				     "again, or store it anew",
				     d->raw.where, encoded, d->sum);
}
