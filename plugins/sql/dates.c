/*
 * SQLite's functions of date and time, but for the time zone of this machine: 'localtime' and 'utc' as a modifier
 * would give other rows elsewhere. One that stands in the query is refused before a row moves; one that comes from
 * the rows is seen here, where it is given. The functions themselves are those of a connection beside the query's,
 * since one that is replaced cannot be called any more.
 */
#include "config.h"

#include <string.h>

#include "scan.h"
#include "sql.h"

static const char *const names[SQL_DATES] = { "date",	   "time",     "datetime",
					      "julianday", "strftime", "unixepoch" };

/* The first argument that is a modifier. */
static int first_modifier(const char *name)
{
	return strcmp(name, "strftime") == 0 ? 2 : 1;
}

/* ---- In the query ---- */

/* From behind the parenthesis of a call: whether a modifier of it is anything but a text or number that stands there. */
static bool modifiers_vary(struct sql_token token, int first)
{
	int depth = 1, argument = 0, tokens = 0;
	bool plain = true;

	for (; token.kind != SQL_END; token = sql_token_at(token.at + token.size)) {
		char c = token.kind == SQL_OTHER ? *token.at : '\0';

		if (depth == 1 && (c == ',' || c == ')')) {
			if (argument >= first && (!plain || tokens != 1))
				return true;
			if (c == ')')
				return false;
			argument++;
			tokens = 0;
			plain = true;
			continue;
		}
		depth += (c == '(') - (c == ')');
		tokens++;
		plain &= token.kind == SQL_TEXT ||
			 (token.kind == SQL_WORD && *token.at >= '0' && *token.at <= '9');
	}
	return true;
}

static bool call_varies(struct sql_token token)
{
	struct sql_token next = sql_token_at(token.at + token.size);

	if (token.kind == SQL_TEXT || next.kind != SQL_OTHER || *next.at != '(')
		return false;
	for (size_t i = 0; i < SQL_DATES; i++)
		if (sql_token_spells(&token, names[i]))
			return modifiers_vary(sql_token_at(next.at + next.size),
					      first_modifier(names[i]));
	return false;
}

/* Most queries say their modifiers, which costs nothing. */
static bool query_varies(const char *query)
{
	struct sql_token token = sql_token_at(query);

	for (; token.kind != SQL_END; token = sql_token_at(token.at + token.size))
		if (call_varies(token))
			return true;
	return false;
}

/* ---- While it runs ---- */

static bool asks_zone(const struct sql_date *date, int count, sqlite3_value **values)
{
	for (int i = first_modifier(date->name); i < count; i++) {
		int type = sqlite3_value_type(values[i]);
		const char *text = type == SQLITE_TEXT || type == SQLITE_BLOB ?
					   (const char *)sqlite3_value_text(values[i]) :
					   NULL;

		if (text &&
		    (sqlite3_stricmp(text, "localtime") == 0 || sqlite3_stricmp(text, "utc") == 0))
			return true;
	}
	return false;
}

/* The call with so many arguments as a statement, kept until one with another number comes. */
static int prepare(struct sql_date *date, int count)
{
	struct sql_engine *e = date->engine;
	struct etl_text sql = { 0 };
	int rc = SQLITE_OK;

	if (date->call && date->count == count)
		return SQLITE_OK;
	sqlite3_finalize(date->call);
	date->call = NULL;
	date->count = count;
	etl_text_addf(&sql, "SELECT %s(", date->name);
	for (int i = 0; i < count; i++)
		etl_text_add(&sql, i ? ", ?" : "?");
	etl_text_add(&sql, ")");
	if (!e->dates_db)
		rc = sqlite3_open_v2(":memory:", &e->dates_db,
				     SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, e->vfs_name);
	if (rc == SQLITE_OK)
		rc = sql.failed ? SQLITE_NOMEM :
				  sqlite3_prepare_v3(e->dates_db, sql.at, -1,
						     SQLITE_PREPARE_PERSISTENT, &date->call, NULL);
	etl_text_free(&sql);
	return rc;
}

static void call(sqlite3_context *context, int count, sqlite3_value **values)
{
	struct sql_date *date = sqlite3_user_data(context);
	int rc;

	if (asks_zone(date, count, values)) {
		date->engine->zone_asked = true;
		return;
	}
	rc = prepare(date, count);
	for (int i = 0; rc == SQLITE_OK && i < count; i++)
		rc = sqlite3_bind_value(date->call, i + 1, values[i]);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(date->call);
	if (rc == SQLITE_ROW)
		sqlite3_result_value(context, sqlite3_column_value(date->call, 0));
	else if (rc == SQLITE_NOMEM)
		sqlite3_result_error_nomem(context);
	else
		sqlite3_result_error(context, sqlite3_errmsg(date->engine->dates_db), -1);
	sqlite3_reset(date->call);
}

int sql_dates_open(struct sql_engine *e)
{
	/* unixepoch() came with 3.38. */
	int count = sqlite3_libversion_number() < 3038000 ? SQL_DATES - 1 : SQL_DATES;
	int rc = SQLITE_OK;

	if (!query_varies(e->self->query))
		return SQLITE_OK;
	for (int i = 0; rc == SQLITE_OK && i < count; i++) {
		e->dates[i] = (struct sql_date){ .engine = e, .name = names[i] };
		rc = sqlite3_create_function(e->db, names[i], -1,
					     SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS,
					     &e->dates[i], call, NULL, NULL);
	}
	return rc;
}

void sql_dates_close(struct sql_engine *e)
{
	for (size_t i = 0; i < SQL_DATES; i++)
		sqlite3_finalize(e->dates[i].call);
	sqlite3_close(e->dates_db);
	memset(e->dates, 0, sizeof(e->dates));
	e->dates_db = NULL;
}
