/*
 * What a query may not do. Each kind of refusal asks who knows: the authorizer what is read, written and
 * called, SQLite's list of functions which of them repeat and which look at several rows, the machine's code
 * whether there is an aggregate or a second scan, the tokens where a reserved word stands.
 */
#include "config.h"

#include <string.h>
#include <strings.h>

#include "scan.h"
#include "sql.h"

#define ONE_ROW_ONLY                                                                               \
	"with scope = \"row\" its result would depend on where a batch ends; write scope = "       \
	"\"table\", which runs the query over the whole table"

/* ---- While SQLite reads the query ---- */

static int deny(struct sql_seen *seen, const char *format, const char *what)
{
	if (!seen->refusal.at)
		etl_text_addf(&seen->refusal, format, what ? what : "");
	return SQLITE_DENY;
}

static const char other_table[] = "the table \"%s\" is not there: the query sees only the rows of "
				  "its own table, which is called " SQL_INPUT " here";

/* Of a table, a function or a pseudo-table of the query's own. */
static int authorize_read(struct sql_seen *seen, const char *table, const char *column)
{
	const struct sql_input *input = seen->engine->input;

	if (sql_input_is_called(input, table)) {
		if (strcasecmp(column, "rowid") != 0)
			return SQLITE_OK;
		for (size_t i = 0; i < input->count; i++)
			if (strcasecmp(input->columns[i].name, "rowid") == 0)
				return SQLITE_OK;
		return deny(seen, "%s has no rowid: a row has only its columns", SQL_INPUT);
	}
	if (strcasecmp(table, "json_each") == 0 || strcasecmp(table, "json_tree") == 0)
		return SQLITE_OK;
	/* Nothing of it is read but that it is there: it may be a WITH, which is looked up afterwards. */
	if (!*column) {
		etl_text_addf(&seen->tables, "%s\n", table);
		return SQLITE_OK;
	}
	return deny(seen, other_table, table);
}

static const char *const date_functions[] = { "date",	   "time",     "datetime", "julianday",
					      "unixepoch", "strftime", "timediff" };

static int authorize_function(struct sql_seen *seen, const char *name)
{
	if (strcasecmp(name, "load_extension") == 0)
		return deny(seen, "%s() is not allowed: it would run foreign code", name);
	for (size_t i = 0; i < sizeof(date_functions) / sizeof(*date_functions); i++)
		seen->dates |= strcasecmp(name, date_functions[i]) == 0;
	etl_text_addf(&seen->functions, "%s\n", name);
	return SQLITE_OK;
}

int sql_authorize(void *data, int action, const char *a, const char *b, const char *c,
		  const char *d)
{
	struct sql_seen *seen = data;

	(void)c;
	(void)d;
	switch (action) {
	case SQLITE_SELECT:
		seen->selects++;
		return SQLITE_OK;
	case SQLITE_READ:
		return authorize_read(seen, a ? a : "", b ? b : "");
	case SQLITE_FUNCTION:
		return authorize_function(seen, b ? b : "");
	case SQLITE_RECURSIVE:
		seen->recursive = true;
		return SQLITE_OK;
	default:
		return deny(
			seen,
			"only a SELECT that reads its input is allowed: nothing may be written, "
			"attached or set%s",
			NULL);
	}
}

/* ---- Afterwards ---- */

static int refuse(struct sql_engine *e, const char *what, const char *name, const char *why)
{
	return e->self->host->fail(e->err, ETL_USAGE, NULL, 0, "%s%s%s", what, name, why);
}

/* DISTINCT of IS DISTINCT FROM looks at one row. */
static bool is_comparison(const struct sql_token *before)
{
	return sql_token_is(before, "IS") || sql_token_is(before, "NOT");
}

static int refuse_words(struct sql_engine *e)
{
	static const char *const words[] = { "DISTINCT", "LIMIT", "ORDER",     "GROUP",
					     "HAVING",	 "UNION", "INTERSECT", "EXCEPT" };
	struct sql_token before = { SQL_OTHER, "", 0 }, token = sql_token_at(e->self->query);

	for (; token.kind != SQL_END; before = token, token = sql_token_at(token.at + token.size))
		for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
			if (sql_token_is(&token, words[i]) && !(i == 0 && is_comparison(&before)))
				return e->self->host->fail(
					e->err, ETL_USAGE, NULL, 0,
					"%s (at character %zu of the query) needs several "
					"rows: " ONE_ROW_ONLY,
					words[i], (size_t)(token.at - e->self->query) + 1);
	return ETL_OK;
}

/* A date function with nothing between its parentheses, or strftime with its format alone. */
static bool asks_clock(struct sql_token token)
{
	bool dates = false, format = sql_token_is(&token, "strftime");

	for (size_t i = 0; i < sizeof(date_functions) / sizeof(*date_functions); i++)
		dates |= sql_token_is(&token, date_functions[i]);
	token = sql_token_at(token.at + token.size);
	if (!dates || token.kind != SQL_OTHER || *token.at != '(')
		return false;
	token = sql_token_at(token.at + token.size);
	if (format && token.kind == SQL_TEXT)
		token = sql_token_at(token.at + token.size);
	return token.kind == SQL_OTHER && *token.at == ')';
}

/* A text that makes a date function depend on the machine. */
static bool asks_machine(const struct sql_token *token)
{
	return token->kind == SQL_TEXT &&
	       (sql_token_spells(token, "now") || sql_token_spells(token, "localtime") ||
		sql_token_spells(token, "utc"));
}

/* What is not seen here, because it comes from the rows, is seen when the clock is asked. */
static int refuse_times(struct sql_engine *e)
{
	struct sql_token token = sql_token_at(e->self->query);

	for (; token.kind != SQL_END; token = sql_token_at(token.at + token.size))
		if (asks_machine(&token) || asks_clock(token))
			return e->self->host->fail(
				e->err, ETL_USAGE, NULL, 0,
				"%.*s (at character %zu of the query) does not repeat: it asks for "
				"the clock or the time zone of this machine; write the time as a "
				"text, or fill it in with ${env:…}",
				(int)token.size, token.at, (size_t)(token.at - e->self->query) + 1);
	return ETL_OK;
}

struct kinds {
	bool scalar, repeats;
};

static int find_kinds(struct sql_engine *e, const char *name, size_t size, struct kinds *ret)
{
	static const char sql[] = "SELECT max(type = 's'), max(type = 's' AND flags & ?2) FROM "
				  "pragma_function_list WHERE name = ?1 COLLATE NOCASE";
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(e->db, sql, -1, &stmt, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_bind_text(stmt, 1, name, (int)size, SQLITE_TRANSIENT);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_int(stmt, 2, SQLITE_DETERMINISTIC);
	if (rc == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW) {
		/* What is not in the list is no aggregate, and nobody says that it repeats. */
		ret->scalar = sqlite3_column_type(stmt, 0) == SQLITE_NULL ||
			      sqlite3_column_int(stmt, 0);
		ret->repeats = sqlite3_column_int(stmt, 1);
	} else {
		rc = sql_engine_fail(e, "asking for the functions");
	}
	sqlite3_finalize(stmt);
	return rc;
}

static int refuse_function(struct sql_engine *e, const char *name, size_t size)
{
	struct kinds kinds = { false, false };
	char shown[80];
	int r = find_kinds(e, name, size, &kinds);

	sqlite3_snprintf(sizeof(shown), shown, "%.*s()", (int)size, name);
	if (r < 0)
		return r;
	if (kinds.scalar && !kinds.repeats)
		return refuse(
			e, "the function ", shown,
			" does not repeat: it answers differently from one run to the next, so "
			"the rows could not be made again to be compared or resumed; leave it "
			"out");
	if (!kinds.scalar && !e->self->whole)
		return refuse(e, "the aggregate or window function ", shown,
			      " looks at several rows: " ONE_ROW_ONLY);
	return ETL_OK;
}

static int refuse_functions(struct sql_engine *e, const char *names)
{
	int r = ETL_OK;

	for (; r == ETL_OK && names && *names; names += strcspn(names, "\n") + 1)
		r = refuse_function(e, names, strcspn(names, "\n"));
	return r;
}

/* Tables of SQLite's own of which only the number of rows was asked. */
static int refuse_tables(struct sql_engine *e, const char *names)
{
	for (; names && *names; names += strcspn(names, "\n") + 1) {
		char *name = sqlite3_mprintf("%.*s", (int)strcspn(names, "\n"), names);
		bool there = name &&
			     sqlite3_table_column_metadata(e->db, NULL, name, NULL, NULL, NULL,
							   NULL, NULL, NULL) == SQLITE_OK;
		int r = there ? e->self->host->fail(e->err, ETL_USAGE, NULL, 0, other_table, name) :
				ETL_OK;

		sqlite3_free(name);
		if (r < 0)
			return r;
	}
	return ETL_OK;
}

int sql_refuse(struct sql_engine *e, const struct sql_seen *seen)
{
	int r = refuse_tables(e, seen->tables.at);

	if (r == ETL_OK && seen->dates)
		r = refuse_times(e);
	if (r == ETL_OK && !e->self->whole)
		r = refuse_words(e);
	if (r == ETL_OK)
		r = refuse_functions(e, seen->functions.at);
	if (r == ETL_OK && seen->inputs == 0)
		return refuse(e, "the query does not read " SQL_INPUT ": ", "",
			      "write SELECT … FROM " SQL_INPUT);
	if (r < 0 || e->self->whole)
		return r;
	if (seen->recursive)
		return refuse(e, "a recursive WITH makes rows of rows: ", "", ONE_ROW_ONLY);
	if (seen->steps)
		return refuse(e, "the query has an aggregate or a window: ", "", ONE_ROW_ONLY);
	if (seen->inputs > 1)
		return refuse(e,
			      "the query reads " SQL_INPUT
			      " more than once (a join with itself, or a subquery): ",
			      "", ONE_ROW_ONLY);
	return ETL_OK;
}
