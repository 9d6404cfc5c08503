/*
 * Column names inside SQL expressions (checks, partial indexes, generated columns): just enough of
 * a scanner to tell names from strings, numbers, comments and function calls in every dialect's
 * quotes.
 */
#include "config.h"

#include <stdlib.h>
#include <strings.h>

#include "derive.h"

/* Names longer than this are not compared letter by letter. */
#define NEAR_MAX 64

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

enum etl_renamed etl_rename_sql(const char *const *names, const char *const *new_names,
				size_t count, const char *sql, struct arena *arena,
				const char **ret)
{
	struct etl_text text = { 0 };
	bool failed = false, changed = false, gone = false;

	for (const char *at = sql, *end; *at && !gone; at = end) {
		char *name = name_of(at, end = token_end(at), &failed);
		int64_t column = name ? etl_name_find(names, count, name) : -1;

		free(name);
		if (column >= 0 && !new_names[column]) {
			gone = true;
		} else if (column >= 0 && strcmp(new_names[column], names[column]) != 0) {
			etl_text_add_name(&text, new_names[column],
					  *at == '`' || *at == '[' ? *at : '"');
			changed = true;
		} else {
			etl_text_add_bytes(&text, at, (size_t)(end - at));
		}
	}
	failed |= text.failed;
	if (!failed && !gone)
		*ret = changed ? etl_arena_text(arena, text.at, text.length) : sql;
	etl_text_free(&text);
	return failed || arena->failed ? ETL_RENAMED_MEMORY : gone ? ETL_RENAMED_GONE : ETL_RENAMED;
}

/* ---- Names ---- */

int64_t etl_name_find(const char *const *names, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(names[i], name) == 0)
			return (int64_t)i;
	for (size_t i = 0; i < count; i++)
		if (strcasecmp(names[i], name) == 0)
			return (int64_t)i;
	return -1;
}

/* Levenshtein's distance, two rows at a time. */
static size_t distance(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b), row[NEAR_MAX + 1];

	if (n > NEAR_MAX || m > NEAR_MAX)
		return SIZE_MAX;
	for (size_t j = 0; j <= m; j++)
		row[j] = j;
	for (size_t i = 1; i <= n; i++) {
		size_t corner = row[0];

		row[0] = i;
		for (size_t j = 1; j <= m; j++) {
			size_t best = corner + ((a[i - 1] | 0x20) != (b[j - 1] | 0x20));

			corner = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[m];
}

const char *etl_name_nearest(const char *const *names, size_t count, const char *name)
{
	size_t most = strlen(name) / 3 + 1;
	const char *found = NULL;

	for (size_t i = 0; i < count; i++) {
		size_t d = distance(names[i], name);

		if (d <= most && (!found || d < distance(found, name)))
			found = names[i];
	}
	return found;
}
