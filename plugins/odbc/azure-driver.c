/*
 * Which driver the connection string names, before it is loaded: who cannot take a token, and whose numbers of errors those
 * of a connection that is refused will be, has to be known then. The driver manager's own lists say it.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#include "azure.h"

#define NAME_UNITS 512
#define ATTRIBUTE_UNITS 4096

static bool same(const SQLWCHAR *wide, SQLSMALLINT units, const char *name)
{
	struct etl_text text = { 0 };
	bool is;

	odbc_narrow(&text, wide, units > 0 ? (size_t)units : 0);
	is = text.at && strcasecmp(text.at, name) == 0;
	etl_text_free(&text);
	return is;
}

/* A data source's driver. */
static bool find_source(struct etl_instance *inst, const char *dsn, char *ret, size_t room)
{
	SQLWCHAR name[NAME_UNITS], driver[NAME_UNITS];
	SQLSMALLINT name_units, driver_units;
	SQLUSMALLINT which = SQL_FETCH_FIRST;
	struct etl_text text = { 0 };

	for (; SQL_SUCCEEDED(SQLDataSourcesW(inst->env, which, name, NAME_UNITS, &name_units, driver, NAME_UNITS, &driver_units));
	     which = SQL_FETCH_NEXT)
		if (same(name, name_units, dsn)) {
			odbc_narrow(&text, driver, driver_units > 0 ? (size_t)driver_units : 0);
			snprintf(ret, room, "%s", text.at ? text.at : "");
			etl_text_free(&text);
			return true;
		}
	return false;
}

/* Of "Description=…\0Driver=…\0\0". */
static void take_file(const SQLWCHAR *attributes, size_t most, char *ret, size_t room)
{
	for (size_t at = 0; at < most && attributes[at];) {
		size_t units = 0;
		struct etl_text text = { 0 };

		while (at + units < most && attributes[at + units])
			units++;
		odbc_narrow(&text, attributes + at, units);
		if (text.at && strncasecmp(text.at, "Driver=", 7) == 0)
			snprintf(ret, room, "%s", text.at + 7);
		etl_text_free(&text);
		at += units + 1;
	}
}

/* A driver's file, by its name in odbcinst.ini. */
static void find_driver(struct etl_instance *inst, const char *driver, char *ret, size_t room)
{
	SQLWCHAR name[NAME_UNITS], attributes[ATTRIBUTE_UNITS] = { 0 };
	SQLSMALLINT name_units, units;
	SQLUSMALLINT which = SQL_FETCH_FIRST;

	for (; SQL_SUCCEEDED(SQLDriversW(inst->env, which, name, NAME_UNITS, &name_units, attributes, ATTRIBUTE_UNITS - 2, &units));
	     which = SQL_FETCH_NEXT)
		if (same(name, name_units, driver)) {
			take_file(attributes, ATTRIBUTE_UNITS - 2, ret, room);
			return;
		}
}

/* What a driver is, its own file's name says; a link may be called anything. */
static void follow_link(char *file, size_t room)
{
	char *real = *file == '/' ? realpath(file, NULL) : NULL;

	if (real && strlen(real) < room)
		snprintf(file, room, "%s", real);
	free(real);
}

void odbc_driver_file(struct etl_instance *inst, char *ret, size_t room)
{
	struct etl_text whole = { 0 }, driver = { 0 };
	char name[NAME_UNITS] = "";

	*ret = '\0';
	if (odbc_conninfo(inst->host, inst->conf, &whole, NULL) < 0)
		return;
	if (odbc_conninfo_value(whole.at, "Driver", &driver))
		snprintf(name, sizeof(name), "%s", driver.at ? driver.at : "");
	else if (odbc_conninfo_value(whole.at, "DSN", &driver) && driver.at && inst->env != SQL_NULL_HENV)
		find_source(inst, driver.at, name, sizeof(name));
	etl_text_free(&driver);
	etl_azure_wipe(whole.at, whole.length);
	etl_text_free(&whole);
	if (*name && !strchr(name, '/') && inst->env != SQL_NULL_HENV)
		find_driver(inst, name, ret, room);
	if (!*ret)
		snprintf(ret, room, "%s", name);
	follow_link(ret, room);
}

bool odbc_driver_is_there(const char *file)
{
	return *file == '/' ? access(file, R_OK) == 0 : strstr(file, ".so") != NULL;
}

bool odbc_driver_is_freetds(const char *file)
{
	return strcasestr(file, "tdsodbc") != NULL || strcasecmp(file, "FreeTDS") == 0;
}

bool odbc_driver_is_microsofts(const char *file)
{
	return strcasestr(file, "msodbcsql") != NULL;
}
