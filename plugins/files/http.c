/*
 * Any web server as a root: it cannot be asked which files there are, so the address is one file, or the option urls says the
 * names below it. What a file is known by, its size, tag and time, is asked for with HEAD.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "remote.h"
#include "uri.h"

/* The last part of the path, decoded: what a pattern is held against. */
static bool own_name(const struct remote *r, struct etl_text *ret)
{
	const char *slash = strrchr(r->url.path, '/');

	return etl_uri_decode(ret, slash + 1, strlen(slash + 1)) && !ret->failed;
}

static int fetch(struct remote *r, const struct remote_ask *ask, const char *what, struct http_answer *answer, struct etl_error *err)
{
	struct etl_text body = { 0 };
	int rc = remote_fetch(r, ask, what, 0, answer, &body, err);

	if (!rc && answer->status != 200 && answer->status != 206 && answer->status != 416)
		rc = remote_refused(r, what, answer, body.at ? body.at : "", err);
	etl_text_free(&body);
	return rc;
}

/* Some let nobody ask with HEAD, as addresses that are signed for GET alone: then the first byte is asked for. */
static int look(struct remote *r, const char *path, const char *what, struct http_answer *answer, int64_t *ret_size, struct etl_error *err)
{
	struct remote_ask ask = { .method = "HEAD", .path = path };
	struct etl_text none = { 0 };
	int64_t first;
	int rc = remote_fetch(r, &ask, what, 0, answer, &none, err);

	etl_text_free(&none);
	*ret_size = answer->length;
	if (rc || answer->status == 200)
		return rc;
	if (answer->status != 403 && answer->status != 405 && answer->status != 501)
		return remote_refused(r, what, answer, "", err);
	*ret_size = -1;
	ask.method = "GET";
	ask.range = "bytes=0-0";
	rc = fetch(r, &ask, what, answer, err);
	if (!rc && answer->status == 206 && !remote_range(answer->range, &first, ret_size))
		*ret_size = -1;
	else if (!rc && answer->status == 200)
		*ret_size = answer->length;
	return rc;
}

/* NAME is what the pattern is held against, AS its name below the root. */
static int add(struct files_gather *gather, const char *name, const char *as)
{
	struct remote *r = gather->files->remote;
	struct etl_text path = { 0 };
	char *what, tag[256];
	struct http_answer answer;
	int64_t size;
	int rc;

	if (!files_gather_wants(gather, name))
		return ETL_OK;
	what = files_join(gather->files->root, as);
	if (!what || !remote_path(r, as, &path)) {
		rc = files_no_memory(gather->files, gather->err);
	} else {
		rc = look(r, path.at, what, &answer, &size, gather->err);
		if (!rc) {
			remote_tag(answer.etag, tag, sizeof(tag));
			rc = files_gather_add(gather, name, as, size, remote_time(answer.modified), tag);
		}
	}
	etl_text_free(&path);
	free(what);
	return rc;
}

static int list(struct files_gather *gather)
{
	struct remote *r = gather->files->remote;
	size_t count = r->host->list(r->conf, "urls"), i;
	struct etl_text name = { 0 };
	int rc = ETL_OK;

	for (i = 0; !rc && i < count; i++) {
		const char *item = r->host->item(r->conf, "urls", i);

		if (!files_is_name(item))
			rc = r->host->fail(gather->err, ETL_USAGE, NULL, 0,
					   "urls: \"%s\" is no name below %s; it has no slash at its ends, no empty part, no . and no ..", item,
					   gather->files->root);
		else
			rc = add(gather, item, item);
	}
	if (count > 0)
		return rc;
	rc = own_name(r, &name) ? add(gather, name.at, "") : files_no_memory(gather->files, gather->err);
	etl_text_free(&name);
	return rc;
}

const struct files_backend files_web = {
	.list = list,
	.open = remote_open,
	.read = remote_read,
	.seek = remote_seek,
	.unchanged = remote_unchanged,
	.close = remote_close,
};
