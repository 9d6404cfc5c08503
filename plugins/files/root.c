/*
 * The options `path` and `uri` of a plugin of files: where its files are, as files_new takes it.
 */
#include "config.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <etlrun/helpers.h>

#include "remote.h"
#include "uri.h"

/* Of "https://…", and of "SCHEME:https://…", which names the plugin on the command line. NULL: it is no server. */
static const char *remote_part(const char *scheme, const char *uri)
{
	size_t length = strlen(scheme);

	if (strncmp(uri, scheme, length) == 0 && uri[length] == ':' && http_is_url(uri + length + 1))
		return uri + length + 1;
	return http_is_url(uri) ? uri : NULL;
}

/* What is wrong with "SCHEME:PATH", or NULL: the path is in RET. */
static const char *read_uri(const char *scheme, const char *uri, struct etl_text *ret)
{
	const char *at = uri;
	size_t length = strlen(scheme);

	if (strncmp(at, scheme, length) == 0 && at[length] == ':')
		at += length + 1;
	if (strncmp(at, "//", 2) == 0) {
		at += 2;
		if (strncmp(at, "localhost/", 10) == 0)
			at += 9;
		if (*at != '/')
			return "names a host; what is on this machine has no slash or three behind the scheme";
	}
	if (strchr(at, '#'))
		return "has a #, which would begin a fragment; write %23 for a # in the name";
	if (!etl_uri_decode(ret, at, strcspn(at, "?")))
		return "has a % that is not followed by two hexadecimal digits of a character";
	return ret->length == 0 && !ret->failed ? "names no file" : NULL;
}

/* Relative to the current folder: what the host has left so comes from the command line. */
static char *absolute(const char *path)
{
	char folder[PATH_MAX];

	if (*path == '/' || strcmp(path, "-") == 0)
		return strdup(path);
	return getcwd(folder, sizeof(folder)) ? files_join(folder, path) : NULL;
}

int files_root(const struct etl_host *host, const struct etl_conf *conf, const char *plugin, char **ret,
	       struct etl_error *err)
{
	const char *path = host->str(conf, "path"), *uri = host->str(conf, "uri"), *why = NULL;
	struct etl_text text = { 0 };
	int rc = ETL_OK;

	if (!path == !uri)
		return host->fail(err, ETL_USAGE, NULL, 0,
				  path ? "%s: path and uri both say where the files are; give one of them" :
					 "%s: no files are named; give path, a folder or a file",
				  plugin);
	if (path)
		etl_text_add(&text, path);
	else
		why = read_uri(plugin, uri, &text);
	if (why)
		rc = host->fail(err, ETL_USAGE, NULL, 0, "%s: the uri \"%s\" %s", plugin, uri, why);
	else if (uri)
		rc = etl_uri_check_query(host, conf, plugin, uri, err);
	if (!rc) {
		*ret = text.failed ? NULL : absolute(text.at);
		if (!*ret)
			rc = host->fail(err, ETL_MEMORY, NULL, 0, "%s: no memory for the path", plugin);
	}
	etl_text_free(&text);
	return rc;
}

/* Who asks and the query are left out: they may be secret. */
static char *shown_root(const char *uri)
{
	const char *host = strstr(uri, "://") + 3, *end = host + strcspn(host, "?#"), *at = host;
	struct etl_text root = { 0 };
	char *shown;

	for (const char *p = host; p < host + strcspn(host, "/?#"); p++)
		if (*p == '@')
			at = p + 1;
	etl_text_add_bytes(&root, uri, (size_t)(host - uri));
	etl_text_add_bytes(&root, at, (size_t)(end - at));
	shown = root.failed ? NULL : files_shown(root.at);
	etl_text_free(&root);
	return shown;
}

/* Behind "SCHEME:" the query sets options, as on the command line; else it is the server's. */
static char *asked_of(const char *plugin, const char *uri)
{
	const char *at = remote_part(plugin, uri);

	return at == uri ? strdup(uri) : strndup(at, strcspn(at, "?#"));
}

static int remote_of(const struct etl_host *host, const struct etl_conf *conf, const char *plugin, const char *uri,
		     struct files **ret, char **ret_root, struct etl_error *err)
{
	char *asked;
	int rc;

	if (host->str(conf, "path"))
		return host->fail(err, ETL_USAGE, NULL, 0,
				  "%s: path and uri both say where the files are; give one of them", plugin);
	if (remote_part(plugin, uri) != uri && (rc = etl_uri_check_query(host, conf, plugin, uri, err)) != ETL_OK)
		return rc;
	asked = asked_of(plugin, uri);
	*ret_root = asked ? shown_root(asked) : NULL;
	if (!*ret_root)
		rc = host->fail(err, ETL_MEMORY, NULL, 0, "%s: no memory for the uri", plugin);
	else
		rc = files_new(ret, host, *ret_root, err);
	if (!rc)
		rc = remote_new(*ret, conf, asked, err);
	if (asked)
		explicit_bzero(asked, strlen(asked));
	free(asked);
	return rc;
}

int files_of(const struct etl_host *host, const struct etl_conf *conf, const char *plugin, struct files **ret, char **ret_root,
	     struct etl_error *err)
{
	const char *uri = host->str(conf, "uri");
	int rc;

	if (uri && remote_part(plugin, uri))
		return remote_of(host, conf, plugin, uri, ret, ret_root, err);
	rc = files_root(host, conf, plugin, ret_root, err);
	return rc ? rc : files_new(ret, host, *ret_root, err);
}

bool files_is_remote(const struct files *files)
{
	return files->remote != NULL;
}
