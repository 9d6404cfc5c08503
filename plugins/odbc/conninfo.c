/*
 * The connection string: what the pipeline says, as ODBC's driver managers read it. A value with a character that means
 * something there stands in braces, in which a closing brace is doubled.
 */
#include "config.h"

#include <stdlib.h>
#include <strings.h>

#include "provision.h"

/* ---- Making one ---------------------------------------------------------------------------------------- */

static void add_pair(struct etl_text *text, const char *key, const char *value)
{
	bool braces = *value == ' ' || strpbrk(value, "[]{}(),;?*=!@") != NULL ||
		      (*value && value[strlen(value) - 1] == ' ');

	if (text->length && text->at[text->length - 1] != ';')
		etl_text_add(text, ";");
	etl_text_addf(text, "%s=%s", key, braces ? "{" : "");
	for (const char *p = value; *p; p++)
		etl_text_add(text, braces && *p == '}' ? "}}" : (const char[]){ *p, 0 });
	etl_text_add(text, braces ? "}" : "");
}

/* A driver's name always stands in braces, which some drivers' own readers want. */
static void add_driver(struct etl_text *text, const char *driver)
{
	bool path = *driver == '/';

	if (text->length && text->at[text->length - 1] != ';')
		etl_text_add(text, ";");
	etl_text_addf(text, path ? "Driver=%s" : "Driver={%s}", driver);
}

static const struct {
	const char *option, *key;
} keys[] = {
	{ "dsn", "DSN" },	  { "server", "Server" }, { "port", "Port" },
	{ "database", "Database" }, { "user", "UID" },	  { "password", "PWD" },
};

static int check(const struct etl_host *host, const struct etl_conf *conf, struct etl_error *err)
{
	const char *whole = host->str(conf, "connection");

	if (whole && (host->str(conf, "dsn") || host->str(conf, "driver")))
		return host->fail(err, ETL_USAGE, NULL, 0,
				  "connection is the whole connection string: say DSN or Driver "
				  "there, or leave connection out");
	if (!whole && !host->str(conf, "dsn") && !host->str(conf, "driver"))
		return host->fail(err, ETL_USAGE, NULL, 0,
				  "neither connection nor dsn nor driver is given: "
				  "driver = \"ODBC Driver 18 for SQL Server\", say, with server and "
				  "database (odbcinst -q -d lists what is installed)");
	if (host->list(conf, "parameters") % 2)
		return host->fail(err, ETL_BUG, NULL, 0, "parameters are no pairs");
	return ETL_OK;
}

int odbc_conninfo(const struct etl_host *host, const struct etl_conf *conf, struct etl_text *ret,
		  struct etl_error *err)
{
	const char *whole = host->str(conf, "connection"), *driver = host->str(conf, "driver");
	struct etl_text text = { 0 };
	int rc = check(host, conf, err);

	if (rc < 0)
		return rc;
	if (whole)
		etl_text_add(&text, whole);
	if (driver)
		add_driver(&text, driver);
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		if (host->str(conf, keys[i].option))
			add_pair(&text, keys[i].key, host->str(conf, keys[i].option));
	for (size_t i = 0; i + 1 < host->list(conf, "parameters"); i += 2)
		add_pair(&text, host->item(conf, "parameters", i),
			 host->item(conf, "parameters", i + 1));
	/* Else SQLite's driver keeps the whole answer to a statement in memory. */
	if (text.at && strcasestr(text.at, "sqlite") && !strcasestr(text.at, "StepAPI"))
		add_pair(&text, "StepAPI", "1");
	if (text.failed) {
		etl_text_free(&text);
		return host->fail(err, ETL_MEMORY, NULL, 0, "no memory for a connection string");
	}
	*ret = text;
	return ETL_OK;
}

int odbc_conninfo_of(const struct etl_instance *inst, struct etl_text *ret, struct etl_error *err)
{
	int rc = odbc_conninfo(inst->host, inst->conf, ret, err);

	if (rc < 0 || !inst->provision || !*inst->provision->database)
		return rc;
	add_pair(ret, "Database", inst->provision->database);
	if (!ret->failed)
		return ETL_OK;
	etl_text_free(ret);
	return inst->host->fail(err, ETL_MEMORY, NULL, 0, "no memory for a connection string");
}

/* ---- Reading one --------------------------------------------------------------------------------------- */

/* The end of the value that begins at P: past its closing brace, or at a semicolon. */
static const char *value_end(const char *p)
{
	if (*p != '{')
		return p + strcspn(p, ";");
	for (p++; *p; p++) {
		if (*p == '}' && p[1] == '}')
			p++;
		else if (*p == '}')
			return p + 1;
	}
	return p;
}

bool odbc_conninfo_value(const char *text, const char *key, struct etl_text *ret)
{
	for (const char *p = text; p && *p;) {
		size_t size;
		const char *at, *end;

		p += strspn(p, "; ");
		size = strcspn(p, "=;");
		if (p[size] != '=') {
			p += size;
			continue;
		}
		at = p + size + 1;
		end = value_end(at);
		while (size > 0 && p[size - 1] == ' ')
			size--;
		if (strlen(key) == size && strncasecmp(p, key, size) == 0) {
			bool braces = *at == '{' && end > at + 1 && end[-1] == '}';

			for (at += braces; at < end - braces; at++) {
				etl_text_add_bytes(ret, at, 1);
				at += braces && *at == '}';
			}
			return true;
		}
		p = end;
	}
	return false;
}

/* What tells where, and no secret. */
static bool is_shown(const char *key, size_t size)
{
	static const char *const shown[] = { "driver", "dsn",	  "filedsn", "server", "servername",
					     "port",   "address", "addr",    "uid",    "username",
					     "user",   "database" };

	for (size_t i = 0; i < sizeof(shown) / sizeof(*shown); i++)
		if (strlen(shown[i]) == size && strncasecmp(shown[i], key, size) == 0)
			return true;
	return false;
}

bool odbc_place(const struct etl_instance *inst, struct etl_text *ret)
{
	struct etl_text whole = { 0 };
	const char *p;

	if (odbc_conninfo_of(inst, &whole, NULL) < 0)
		return false;
	for (p = whole.at; p && *p;) {
		const char *end;
		size_t size;

		p += strspn(p, "; ");
		size = strcspn(p, "=;");
		end = p[size] == '=' ? value_end(p + size + 1) : p + size;
		if (is_shown(p, size)) {
			etl_text_add(ret, ret->length ? ";" : "");
			etl_text_add_bytes(ret, p, (size_t)(end - p));
		}
		p = end;
	}
	etl_text_free(&whole);
	return !ret->failed;
}
