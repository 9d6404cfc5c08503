/*
 * Where the server is, by what the pipeline says: a URI, separate keys, a service of libpq's service file, or nothing
 * but libpq's own environment. A separate key wins over the same key of the URI or the service. libpq parses and
 * checks the URI; here is only said what it would pass over.
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

static int check_uri(const struct etl_host *host, const char *uri, struct etl_error *err)
{
	PQconninfoOption *parsed;
	char *why = NULL, said[256];

	if (strncmp(uri, "postgres://", 11) != 0 && strncmp(uri, "postgresql://", 13) != 0)
		return host->fail(
			err, ETL_USAGE, NULL, 0,
			"postgres: the uri must begin with postgres:// or postgresql://, as "
			"\"postgres:///shop\" or \"postgres://loader@db.example.com/shop\" do");
	parsed = PQconninfoParse(uri, &why);
	if (parsed) {
		PQconninfoFree(parsed);
		return ETL_OK;
	}
	snprintf(said, sizeof(said), "%.*s", (int)strcspn(why ? why : "no memory", "\n"),
		 why ? why : "no memory");
	PQfreemem(why);
	return host->fail(err, ETL_USAGE, NULL, 0,
			  "postgres: the uri cannot be read: %s; a character of a name or password "
			  "that has a "
			  "meaning in URIs is written as %%40, %%2F, %%3A, …",
			  said);
}

int postgres_conninfo(const struct etl_host *host, const struct etl_conf *conf,
		      struct postgres_conninfo *ret, struct etl_error *err)
{
	const char *uri = host->str(conf, "uri");
	int rc;

	ret->count = 0;
	if (uri && (rc = check_uri(host, uri, err)) < 0)
		return rc;
	if (uri && host->given(conf, "service"))
		return host->fail(err, ETL_USAGE, NULL, 0,
				  "postgres: uri and service both name a server; give one of them");
	/* Expanded first, so that what follows wins over it. */
	if (uri)
		add(ret, "dbname", uri);
	for (size_t i = 0; i < sizeof(parameters) / sizeof(*parameters); i++)
		if (host->given(conf, parameters[i]) && host->str(conf, parameters[i]))
			add(ret, parameter_name(parameters[i]), host->str(conf, parameters[i]));
	if (!host->given(conf, "connect_timeout"))
		add(ret, "connect_timeout", host->str(conf, "connect_timeout"));
	add(ret, "application_name", host->str(conf, "application_name"));
	add(ret, "client_encoding", "UTF8");
	return ETL_OK;
}
