/*
 * A container of Azure Blob Storage as a root, or a folder in it, or one blob. Blobs have names with slashes and no folders, so the
 * list is the tree: all names that begin with the prefix, page by page.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "remote.h"

#define PAGE_MOST ((size_t)64 << 20) /* bytes of the answer with 5000 names, each of which has 1024 characters at most */

struct pages {
	struct files_gather *gather;
	struct remote *remote;
	size_t skip;  /* bytes of a name before what is below the root */
	bool any;     /* something is there, whatever the pattern wants */
	uint64_t count; /* pages so far */
	/* The marker of page `at`, which is a power of two: where markers go in a circle, it comes again (Brent). */
	struct etl_text kept;
	uint64_t at;
};

static int take(void *data, const struct blob_item *item)
{
	struct pages *p = data;
	const struct files *files = p->gather->files;
	const char *name = item->name;
	char *shown;
	int rc;

	if (strlen(name) < p->skip)
		return ETL_OK;
	name += p->skip;
	p->any = true;
	/* What stands for a folder: a blob that is one, or has a name that ends so and no bytes. */
	if (item->folder || (item->size == 0 && (!*name || name[strlen(name) - 1] == '/')))
		return ETL_OK;
	if (!files_gather_wants(p->gather, name))
		return ETL_OK;
	if (files_is_name(name))
		return files_gather_add(p->gather, name, name, item->size, item->modified, item->tag);
	shown = files_shown(name);
	rc = files->host->fail(p->gather->err, ETL_FATAL, NULL, 0,
			       "%s: the blob \"%s\" has a name that no file can have (an empty part, . or ..); rename it, or leave it out by the "
			       "pattern",
			       files->root, shown ? shown : "");
	free(shown);
	return rc;
}

/* Does MARKER, behind the page that was taken, lead on? */
static int check_marker(struct pages *p, const struct etl_text *marker)
{
	p->count++;
	if (marker->length == 0)
		return ETL_OK;
	if (p->at && strcmp(marker->at, p->kept.at) == 0)
		return p->remote->host->fail(p->gather->err, ETL_FATAL, NULL, 0,
					     "%s: the list of blobs does not end: after %llu pages comes one that came before; try again, and if it "
					     "stays so, name the blobs in the pattern or ask who runs the server",
					     p->gather->files->root, (unsigned long long)p->count);
	if (p->count < 2 * p->at)
		return ETL_OK;
	p->at = p->count;
	etl_text_free(&p->kept);
	p->kept = (struct etl_text){ 0 };
	etl_text_add(&p->kept, marker->at);
	return p->kept.failed ? files_no_memory(p->gather->files, p->gather->err) : ETL_OK;
}

/* Asks for one page behind MARKER, and sets it to the next one's. */
static int list_page(struct pages *p, const char *prefix, const char *page, struct etl_text *marker)
{
	struct remote *r = p->remote;
	const struct remote_param params[] = {
		{ "comp", "list" },	  { "marker", marker->at ? marker->at : "" },
		{ "maxresults", page },	  { "prefix", prefix },
		{ "restype", "container" },
	};
	const struct remote_ask ask = { .method = "GET", .path = r->at, .params = params, .param_count = 5 };
	struct etl_text body = { 0 }, next = { 0 };
	const char *root = p->gather->files->root, *wrong = NULL;
	struct http_answer answer;
	int taken = 0, rc = remote_fetch(r, &ask, root, PAGE_MOST, &answer, &body, p->gather->err);

	if (!rc && answer.status != 200)
		rc = remote_refused(r, root, &answer, body.at, p->gather->err);
	if (!rc)
		wrong = blob_list_read(body.at, body.length, take, p, &next, &taken);
	if (wrong)
		rc = r->host->fail(p->gather->err, ETL_FATAL, NULL, 0, "%s: the list of blobs cannot be read: %s; does Azure Blob Storage answer there?",
				   root, wrong);
	if (!rc)
		rc = taken;
	if (!rc && next.failed)
		rc = files_no_memory(p->gather->files, p->gather->err);
	etl_text_free(&body);
	etl_text_free(marker);
	*marker = next;
	return rc;
}

static int list_pages(struct pages *p, const char *prefix)
{
	struct etl_text marker = { 0 };
	char page[16];
	int rc;

	snprintf(page, sizeof(page), "%lld", (long long)p->remote->host->num(p->remote->conf, "page"));
	do {
		rc = list_page(p, prefix, page, &marker);
		if (!rc)
			rc = check_marker(p, &marker);
	} while (!rc && marker.length > 0);
	etl_text_free(&marker);
	etl_text_free(&p->kept);
	return rc;
}

/* A folder without anything in it is none, and most likely a slip of the pen. */
static int check_there(struct pages *p, const char *folder)
{
	struct etl_text marker = { 0 };
	int rc;

	if (p->any || !*folder)
		return ETL_OK;
	rc = list_page(p, folder, "1", &marker);
	etl_text_free(&marker);
	if (rc || p->any)
		return rc;
	return p->remote->host->fail(p->gather->err, ETL_FATAL, NULL, 0, "cannot find %s: the container %s has no blob of that name, and none below it",
				     p->gather->files->root, p->remote->container);
}

static int list_tree(struct files_gather *gather)
{
	struct pages p = { .gather = gather, .remote = gather->files->remote };
	struct etl_text prefix = { 0 }, folder = { 0 };
	size_t size = 0;
	int rc = ETL_OK;

	etl_text_add(&folder, p.remote->prefix);
	etl_text_add(&folder, *p.remote->prefix ? "/" : "");
	etl_text_add(&prefix, folder.at ? folder.at : "");
	p.skip = folder.length;
	if (gather->pattern) {
		const char *text = files_pattern_prefix(gather->pattern, &size);

		etl_text_add_bytes(&prefix, text, size);
	}
	if (prefix.failed || folder.failed)
		rc = files_no_memory(gather->files, gather->err);
	if (!rc)
		rc = list_pages(&p, prefix.at);
	if (!rc)
		rc = check_there(&p, folder.at);
	etl_text_free(&prefix);
	etl_text_free(&folder);
	return rc;
}

/* The prefix may be a blob. *ret_is: it was, and is listed. A refusal is left to the list, whose answer has words. */
static int list_one(struct files_gather *gather, bool *ret_is)
{
	struct remote *r = gather->files->remote;
	const char *slash = strrchr(r->prefix, '/'), *name = slash ? slash + 1 : r->prefix;
	struct etl_text path = { 0 }, none = { 0 };
	const struct remote_ask ask = { .method = "HEAD", .path = remote_path(r, "", &path) ? path.at : NULL };
	struct http_answer answer = { 0 };
	char tag[256];
	int rc;

	rc = ask.path ? remote_fetch(r, &ask, gather->files->root, 0, &answer, &none, gather->err) : files_no_memory(gather->files, gather->err);
	*ret_is = !rc && answer.status == 200 && strcmp(answer.resource, "directory") != 0;
	if (*ret_is && files_gather_wants(gather, name)) {
		remote_tag(answer.etag, tag, sizeof(tag));
		rc = files_gather_add(gather, name, "", answer.length, remote_time(answer.modified), tag);
	}
	etl_text_free(&path);
	etl_text_free(&none);
	return rc;
}

static int list(struct files_gather *gather)
{
	bool is_one = false;
	int rc = *gather->files->remote->prefix ? list_one(gather, &is_one) : ETL_OK;

	return rc || is_one ? rc : list_tree(gather);
}

const struct files_backend files_blob = {
	.list = list,
	.open = remote_open,
	.read = remote_read,
	.seek = remote_seek,
	.unchanged = remote_unchanged,
	.close = remote_close,
};
