/*
 * What the options say of a server: where it is, what kind of it, and who asks. All that can be wrong with them is found here,
 * before anything is sent; and what is secret in an address is kept apart from what is shown of it.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "remote.h"
#include "uri.h"

static int no_memory(const struct remote *r, struct etl_error *err)
{
	return files_no_memory(r->files, err);
}

static int wrong(const struct remote *r, struct etl_error *err, const char *what)
{
	return r->host->fail(err, ETL_USAGE, NULL, 0, "%s: %s", r->files->root, what);
}

static bool is_word(const struct remote *r, const char *option, const char *word)
{
	const char *text = r->host->str(r->conf, option);

	return text && strcmp(text, word) == 0;
}

/* ---- Azure Blob Storage ----------------------------------------------------------------------------------------- */

/* Takes the next part of the encoded path at *AT, decoded; NULL: there is none, or no memory. */
static char *take_part(const char **at)
{
	struct etl_text part = { 0 };
	size_t length;

	*at += **at == '/';
	length = strcspn(*at, "/");
	if (length == 0)
		return NULL;
	/* It was decoded before, so it can be. */
	etl_uri_decode(&part, *at, length);
	*at += length;
	return etl_text_take(&part);
}

static char *take_rest(const char *at)
{
	struct etl_text rest = { 0 };
	size_t length;

	at += *at == '/';
	for (length = strlen(at); length > 0 && at[length - 1] == '/'; length--)
		;
	etl_uri_decode(&rest, at, length);
	return etl_text_take(&rest);
}

static int read_place(struct remote *r, struct etl_error *err)
{
	bool emulator = is_word(r, "service", "emulator");
	const char *at = r->url.path;

	r->account = emulator ? take_part(&at) : strndup(r->url.host, strcspn(r->url.host, "."));
	if (!r->account)
		return wrong(r, err, "the path of the emulator begins with the account, http://127.0.0.1:10000/ACCOUNT/CONTAINER");
	r->container = take_part(&at);
	if (!r->container)
		return wrong(r, err, "no container is named; a uri of Azure Blob Storage is https://ACCOUNT.blob.core.windows.net/CONTAINER, and "
				     "a folder in it may follow");
	r->at = strndup(r->url.path, (size_t)(at - r->url.path));
	r->prefix = take_rest(at);
	return r->at && r->prefix ? ETL_OK : no_memory(r, err);
}

static bool has_signature(const char *query)
{
	for (; *query; query += strcspn(query, "&"), query += *query == '&')
		if (strncasecmp(query, "sig=", 4) == 0)
			return true;
	return false;
}

static enum remote_auth auth_of(const struct remote *r)
{
	if (is_word(r, "auth", "sas"))
		return REMOTE_SAS;
	if (is_word(r, "auth", "shared-key"))
		return REMOTE_KEY;
	if (is_word(r, "auth", "azure-cli"))
		return REMOTE_CLI;
	if (is_word(r, "auth", "managed-identity"))
		return REMOTE_MACHINE;
	if (is_word(r, "auth", "none"))
		return REMOTE_NOBODY;
	if (r->host->given(r->conf, "account_key"))
		return REMOTE_KEY;
	return *r->query ? REMOTE_SAS : REMOTE_NOBODY;
}

/* What is given and what is asked for are one. */
static int check_auth(const struct remote *r, struct etl_error *err)
{
	const char *identity = r->host->str(r->conf, "identity");
	bool key = r->host->given(r->conf, "account_key");

	if (key != (r->auth == REMOTE_KEY))
		return wrong(r, err, key ? "account_key goes with auth = \"shared-key\"; take one of them out" :
					   "auth = \"shared-key\" needs account_key");
	if ((*r->query != '\0') != (r->auth == REMOTE_SAS))
		return wrong(r, err, *r->query ? "a SAS is given, behind the ? of the uri or as sas, so nobody else can ask: take it or auth out" :
						 "auth = \"sas\" needs a SAS, behind the ? of the uri or as sas");
	if (r->auth == REMOTE_SAS && !has_signature(r->query))
		return wrong(r, err, "what stands behind the ? is no SAS: there is no sig= in it");
	if (identity && r->auth != REMOTE_MACHINE)
		return wrong(r, err, "identity goes with auth = \"managed-identity\"");
	if (identity && strspn(identity, "0123456789abcdefABCDEF-") != strlen(identity))
		return wrong(r, err, "identity is no client id such as 01234567-89ab-cdef-0123-456789abcdef");
	if (r->auth != REMOTE_NOBODY && !r->url.secure && !http_is_loopback(&r->url))
		return wrong(r, err, "what lets in would be sent for everybody on the way to read; write https://");
	return r->url.user ? wrong(r, err, "there are no users and passwords at Azure Blob Storage; take what stands before the @ out") : ETL_OK;
}

static int read_blob(struct remote *r, struct etl_error *err)
{
	const char *sas = r->host->str(r->conf, "sas");
	int rc;

	if (r->host->list(r->conf, "urls") > 0)
		return wrong(r, err, "urls goes with a web server; which blobs there are, Azure Blob Storage says itself");
	if (sas && *r->url.query)
		return wrong(r, err, "sas and what stands behind the ? of the uri both say who asks; give one of them");
	r->query = sas ? sas + (*sas == '?') : r->url.query;
	r->auth = auth_of(r);
	rc = check_auth(r, err);
	return rc ? rc : read_place(r, err);
}

/* ---- Any web server ------------------------------------------------------------------------------------------------ */

static int read_web(struct remote *r, struct etl_error *err)
{
	static const char *const azures[] = { "sas", "account_key", "identity", NULL };

	for (size_t i = 0; azures[i]; i++)
		if (r->host->given(r->conf, azures[i]))
			return r->host->fail(err, ETL_USAGE, NULL, 0,
					     "%s: %s goes with Azure Blob Storage, which this does not look like; write service = \"blob\" if it is",
					     r->files->root, azures[i]);
	if (!is_word(r, "auth", "auto") && !is_word(r, "auth", "none"))
		return wrong(r, err, "auth goes with Azure Blob Storage; of a web server user and password stand in the uri, "
				     "https://USER:PASSWORD@HOST/…");
	if (r->url.user && !r->url.secure && !http_is_loopback(&r->url))
		return wrong(r, err, "the password would be sent for everybody on the way to read; write https://");
	r->query = r->url.query;
	return ETL_OK;
}

/* ---- The whole -------------------------------------------------------------------------------------------------------- */

static bool is_blob(const struct remote *r)
{
	if (is_word(r, "service", "auto"))
		return strstr(r->url.host, ".blob.core.") != NULL || strstr(r->url.host, ".blob.storage.") != NULL;
	return !is_word(r, "service", "web");
}

void remote_free(struct remote *r)
{
	if (!r)
		return;
	http_free(r->http);
	http_url_free(&r->url);
	etl_azure_bearer_free(&r->bearer);
	free(r->account);
	free(r->container);
	free(r->at);
	free(r->prefix);
	free(r);
}

int remote_new(struct files *files, const struct etl_conf *conf, const char *uri, struct etl_error *err)
{
	const struct etl_host *host = files->host;
	struct remote *r = calloc(1, sizeof(*r));
	const char *why;

	if (!r)
		return files_no_memory(files, err);
	files->remote = r;
	r->files = files;
	r->host = host;
	r->conf = conf;
	r->query = "";
	r->tries = host->num(conf, "tries");
	why = http_url_parse(uri, &r->url);
	if (why)
		return host->fail(err, ETL_USAGE, NULL, 0, "the uri %s %s", files->root, why);
	if (host->role == ETL_ROLE_TARGET)
		return wrong(r, err, "files are read over HTTP and not written; write into a folder, and upload what is in it");
	r->blob = is_blob(r);
	files->backend = r->blob ? &files_blob : &files_web;
	r->http = http_new(host, host->num(conf, "timeout"));
	if (!r->http)
		return no_memory(r, err);
	return r->blob ? read_blob(r, err) : read_web(r, err);
}
