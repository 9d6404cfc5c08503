/* See scan.h. The words that matter are reserved in SQLite: no name is one of them without quotes. */
#include "config.h"

#include <string.h>
#include <strings.h>

#include "scan.h"

static bool in_word(unsigned char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '$' || c >= 0x80;
}

static const char *skip_blanks(const char *at)
{
	for (;;) {
		const char *end;

		at += strspn(at, " \t\n\f\r");
		if (at[0] == '-' && at[1] == '-') {
			at += strcspn(at, "\n");
		} else if (at[0] == '/' && at[1] == '*') {
			end = strstr(at + 2, "*/");
			at = end ? end + 2 : at + strlen(at);
		} else {
			return at;
		}
	}
}

/* Behind the closing quote; a doubled one stands for itself. */
static size_t quoted_size(const char *at)
{
	char close = *at == '[' ? ']' : *at;
	const char *end = at + 1;

	while (*end && (*end != close || (close != ']' && end[1] == close)))
		end += *end == close ? 2 : 1;
	return (size_t)(end - at) + (*end != '\0');
}

struct sql_token sql_token_at(const char *at)
{
	struct sql_token token = { SQL_OTHER, skip_blanks(at), 1 };

	switch (*token.at) {
	case '\0':
		token.kind = SQL_END;
		token.size = 0;
		break;
	case '\'':
		token.kind = SQL_TEXT;
		token.size = quoted_size(token.at);
		break;
	case '"':
	case '`':
	case '[':
		token.kind = SQL_NAME;
		token.size = quoted_size(token.at);
		break;
	default:
		if (!in_word((unsigned char)*token.at))
			break;
		token.kind = SQL_WORD;
		while (in_word((unsigned char)token.at[token.size]))
			token.size++;
	}
	return token;
}

bool sql_token_is(const struct sql_token *token, const char *word)
{
	return token->kind == SQL_WORD && strlen(word) == token->size &&
	       strncasecmp(token->at, word, token->size) == 0;
}

static char lower(char c)
{
	return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

bool sql_token_spells(const struct sql_token *token, const char *text)
{
	const char *at = token->at + 1, *end = token->at + token->size - 1;
	char close = *token->at == '[' ? ']' : *token->at;

	if (token->kind == SQL_WORD)
		return sql_token_is(token, text);
	if (token->kind != SQL_NAME && token->kind != SQL_TEXT)
		return false;
	for (; at < end && *text; at++, text++) {
		if (lower(*at) != lower(*text))
			return false;
		at += *at == close && close != ']';
	}
	return at >= end && !*text;
}
