/*
 * Column names inside SQL expressions (checks, partial indexes, generated columns): just enough of
 * a scanner to tell names from strings, numbers, comments and function calls in every dialect's
 * quotes.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "map.h"

static bool starts_word(unsigned char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' || c >= 0x80;
}

static bool in_word(unsigned char c)
{
	return starts_word(c) || (c >= '0' && c <= '9') || c == '$';
}

/* The end of a quoted token at SQL; a doubled closing quote stands for itself. */
static const char *quoted_end(const char *sql, char close)
{
	for (sql++; *sql; sql++) {
		if (*sql != close)
			continue;
		if (sql[1] != close)
			return sql + 1;
		sql++;
	}
	return sql;
}

static const char *token_end(const char *sql)
{
	unsigned char c = (unsigned char)*sql;
	const char *end;

	if (c == '\'' || c == '"' || c == '`')
		return quoted_end(sql, (char)c);
	if (c == '[')
		return quoted_end(sql, ']');
	if (c == '-' && sql[1] == '-')
		return sql + strcspn(sql, "\n");
	if (c == '/' && sql[1] == '*') {
		end = strstr(sql + 2, "*/");
		return end ? end + 2 : sql + strlen(sql);
	}
	if (!in_word(c))
		return sql + 1;
	for (end = sql; in_word((unsigned char)*end); end++)
		continue;
	return end;
}

/* The name a token spells, without its quotes; NULL: it is none, or no memory (*failed). */
static char *name_of(const char *token, const char *end, bool *failed)
{
	char close = *token == '[' ? ']' : *token;
	bool quoted = *token == '"' || *token == '`' || *token == '[';
	char *name, *to;

	if (!quoted && !starts_word((unsigned char)*token))
		return NULL;
	if (!quoted && *(end + strspn(end, " \t\r\n")) == '(')
		return NULL;
	name = to = malloc((size_t)(end - token) + 1);
	if (!name) {
		*failed = true;
		return NULL;
	}
	for (const char *at = quoted ? token + 1 : token; at < end; at++) {
		if (quoted && *at == close && ++at >= end)
			break;
		*to++ = *at;
	}
	*to = '\0';
	return name;
}

enum map_sql map_sql(const struct map_plan *plan, const char *const *names, size_t count,
		     const char *sql, char **ret, const char **ret_column)
{
	struct etl_text text = { 0 };
	enum map_sql result = MAP_SQL_SAME;
	bool failed = false;

	for (const char *at = sql, *end; *at && result != MAP_SQL_DROPPED; at = end) {
		char *name = name_of(at, end = token_end(at), &failed);
		int64_t column = name ? map_find(names, count, name) : -1;
		const char *to = column >= 0 ? map_plan_name(plan, column) : NULL;

		free(name);
		if (column >= 0 && !to) {
			*ret_column = names[column];
			result = MAP_SQL_DROPPED;
		} else if (column >= 0 && strcmp(to, names[column]) != 0) {
			etl_text_add_name(&text, to, *at == '`' || *at == '[' ? *at : '"');
			result = MAP_SQL_RENAMED;
		} else {
			etl_text_add_bytes(&text, at, (size_t)(end - at));
		}
	}
	if (failed || text.failed)
		result = MAP_SQL_MEMORY;
	else if (result == MAP_SQL_RENAMED)
		*ret = etl_text_take(&text);
	etl_text_free(&text);
	return result;
}
