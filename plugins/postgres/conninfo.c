/*
 * Where the server is, by what the pipeline says: a URI, separate keys, a service of libpq's service file, or nothing
 * but libpq's own environment. A separate key wins over the same key of the URI or the service. libpq parses and
 * checks the URI; here is only said what it would pass over, or what it would repeat in a message when a password
 * with an "@" or "/" in it made it take the password for a host.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "postgres.h"

/* Options of the plugin that are parameters of libpq under the same name, but for `database`. */
static const char *const parameters[] = {
	"host",
	"hostaddr",
	"port",
	"database",
	"user",
	"password",
	"service",
	"passfile",
	"sslmode",
	"sslrootcert",
	"sslcert",
	"sslkey",
	"sslpassword",
	"sslcrl",
	"channel_binding",
	"krbsrvname",
	"gssencmode",
	"target_session_attrs",
	"connect_timeout",
	"options",
	"application_name",
	"keepalives",
	"keepalives_idle",
	"keepalives_interval",
	"keepalives_count",
	"tcp_user_timeout",
};

static const char *parameter_name(const char *option)
{
	return strcmp(option, "database") == 0 ? "dbname" : option;
}

static void add(struct postgres_conninfo *info, const char *key, const char *value)
{
	info->keys[info->count] = key;
	info->values[info->count++] = value;
	info->keys[info->count] = info->values[info->count] = NULL;
}

/* ---- The URI ---------------------------------------------------------------------------------------- */

/* What stands between "//" and the path, with its user and password. */
static bool is_clear(const char *uri)
{
	const char *start = strstr(uri, "://") + 3, *at = strchr(start, '@');
	const char *slash = strchr(start, '/');

	if (!at)
		return true;
	return !strchr(at + 1, '@') && !(slash && slash < at);
}

static int unclear(const struct etl_host *host, struct etl_error *err)
{
	return host->fail(err, ETL_USAGE, NULL, 0,
			  "the uri cannot be read: an @ or / stands where none is "
			  "expected; in a name or password it is written as %%40 or %%2F, or the "
			  "password is given as the key password");
}

/* "a=b&c=d": without the keys that are options of their own, which `copy` made of them. */
static void add_query(struct etl_text *text, const struct etl_host *host,
		      const struct etl_conf *conf, const char *query)
{
	char separator = '?';

	while (*query) {
		size_t length = strcspn(query, "&");
		size_t name = strcspn(query, "=&");
		char *key = strndup(query, name);

		if (!key)
			text->failed = true;
		else if (length > 0 && !host->given(conf, key)) {
			etl_text_add_bytes(text, &separator, 1);
			etl_text_add_bytes(text, query, length);
			separator = '&';
		}
		free(key);
		query += length;
		query += *query == '&';
	}
}

/* libpq's words, in which a part of a misread password can stand: only those outside quotes are told. */
static int unreadable(const struct etl_host *host, const char *why, struct etl_error *err)
{
	struct etl_text said = { 0 };
	int rc;

	for (const char *p = why; p && *p && *p != '\n'; p++) {
		const char *end = *p == '"' ? strchr(p + 1, '"') : NULL;

		/* The name of a parameter is no secret. */
		if (end && strspn(p + 1, "abcdefghijklmnopqrstuvwxyz_") == (size_t)(end - p) - 1 &&
		    strstr(why, "parameter:"))
			end = NULL;
		etl_text_add_bytes(&said, end ? "…" : p, end ? strlen("…") : 1);
		p = end ? end : p;
	}
	rc = host->fail(
		err, ETL_USAGE, NULL, 0, "the uri cannot be read: %s; %s",
		said.at ? said.at : "no memory",
		why && strstr(why, "parameter:") ?
			"libpq does not know it: what is a key of this plugin stands beside "
			"the uri, and what is of other programs is taken away" :
			"a character of a name or password that has a meaning in URIs is "
			"written as %40, %2F, %3A, …");
	etl_text_free(&said);
	return rc;
}

/* Digits, or several ports with commas between. */
static bool has_good_ports(const PQconninfoOption *parsed)
{
	for (; parsed->keyword; parsed++)
		if (strcmp(parsed->keyword, "port") == 0 && parsed->val)
			return parsed->val[strspn(parsed->val, "0123456789,")] == '\0';
	return true;
}

static int check_uri(const struct etl_host *host, const char *uri, struct etl_error *err)
{
	PQconninfoOption *parsed;
	char *why = NULL;
	bool good;
	int rc;

	parsed = PQconninfoParse(uri, &why);
	if (!parsed) {
		rc = unreadable(host, why, err);
		PQfreemem(why);
		return rc;
	}
	good = has_good_ports(parsed);
	PQconninfoFree(parsed);
	if (good)
		return ETL_OK;
	return host->fail(err, ETL_USAGE, NULL, 0,
			  "the uri's port is no number; in a name or password a : is "
			  "written as %%3A, an @ as %%40, a / as %%2F");
}

static int make_uri(const struct etl_host *host, const struct etl_conf *conf, const char *uri,
		    char **ret, struct etl_error *err)
{
	struct etl_text text = { 0 };
	size_t path = strcspn(uri, "?");
	char *made;
	int rc;

	if (strncmp(uri, "postgres://", 11) != 0 && strncmp(uri, "postgresql://", 13) != 0)
		return host->fail(
			err, ETL_USAGE, NULL, 0,
			"the uri must begin with postgres:// or postgresql://, as "
			"\"postgres:///shop\" or \"postgres://loader@db.example.com/shop\" do");
	if (!is_clear(uri))
		return unclear(host, err);
	etl_text_add_bytes(&text, uri, path);
	if (uri[path])
		add_query(&text, host, conf, uri + path + 1);
	made = etl_text_take(&text);
	if (!made)
		return host->fail(err, ETL_MEMORY, NULL, 0, "no memory");
	rc = check_uri(host, made, err);
	if (rc < 0)
		free(made);
	else
		*ret = made;
	return rc;
}

/* ---- All of it ---------------------------------------------------------------------------------------- */

void postgres_conninfo_free(struct postgres_conninfo *info)
{
	if (info->uri)
		explicit_bzero(info->uri, strlen(info->uri));
	free(info->uri);
	info->uri = NULL;
}

int postgres_conninfo(const struct etl_host *host, const struct etl_conf *conf,
		      struct postgres_conninfo *ret, struct etl_error *err)
{
	const char *uri = host->str(conf, "uri");
	int rc;

	*ret = (struct postgres_conninfo){ .count = 0 };
	if (uri && host->given(conf, "service"))
		return host->fail(err, ETL_USAGE, NULL, 0,
				  "uri and service both name a server; give one of them");
	if (uri && (rc = make_uri(host, conf, uri, &ret->uri, err)) < 0)
		return rc;
	/* Expanded first, so that what follows wins over it. */
	if (uri)
		add(ret, "dbname", ret->uri);
	for (size_t i = 0; i < sizeof(parameters) / sizeof(*parameters); i++)
		if (host->given(conf, parameters[i]) && host->str(conf, parameters[i]))
			add(ret, parameter_name(parameters[i]), host->str(conf, parameters[i]));
	/* Unless the URI, the service or PGAPPNAME has another. */
	add(ret, "fallback_application_name", "etlrun");
	add(ret, "client_encoding", "UTF8");
	return ETL_OK;
}
