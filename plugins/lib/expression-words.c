/* What single words of an expression mean to SQLite: literals, types, constants. Every dialect asks that. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "expression.h"

static bool is_digits(const struct token *t)
{
	for (size_t i = 0; i < t->length; i++)
		if (t->at[i] < '0' || t->at[i] > '9')
			return false;
	return true;
}

bool expression_is_integer(const struct token *t)
{
	size_t i = 0;

	while (i + 1 < t->length && t->at[i] == '0')
		i++;
	return is_digits(t) && (t->length - i < 19 ||
				(t->length - i == 19 && strncmp(t->at + i, "9223372036854775807", 19) <= 0));
}

bool expression_is_hexadecimal(const struct token *t)
{
	return t->length > 2 && (t->at[1] == 'x' || t->at[1] == 'X');
}

bool expression_is_constant(const struct token *word)
{
	return token_is_word(word, "NULL") || token_is_word(word, "CURRENT_TIMESTAMP") ||
	       token_is_word(word, "CURRENT_DATE") || token_is_word(word, "CURRENT_TIME");
}

/* SQLite's own order of looking. */
enum expression_affinity expression_affinity(const char *type)
{
	char upper[64];
	size_t i;

	for (i = 0; type[i] && i + 1 < sizeof(upper); i++)
		upper[i] = (char)(type[i] >= 'a' && type[i] <= 'z' ? type[i] - 32 : type[i]);
	upper[i] = '\0';
	if (strstr(upper, "INT"))
		return EXPRESSION_AS_INTEGER;
	if (strstr(upper, "CHAR") || strstr(upper, "CLOB") || strstr(upper, "TEXT"))
		return EXPRESSION_AS_TEXT;
	if (strstr(upper, "BLOB"))
		return EXPRESSION_AS_BLOB;
	if (strstr(upper, "REAL") || strstr(upper, "FLOA") || strstr(upper, "DOUB"))
		return EXPRESSION_AS_REAL;
	return EXPRESSION_AS_NUMERIC;
}

const char *expression_order(const struct token *t)
{
	return token_is(t, "<=") ? " <= " : token_is(t, ">=") ? " >= " : token_is(t, "<") ? " < " : " > ";
}

void expression_function(const struct expression *call, char *buf, size_t size)
{
	token_name(&call->token, buf, size);
	for (; *buf; buf++)
		*buf = (char)(*buf >= 'A' && *buf <= 'Z' ? *buf + 32 : *buf);
}

char *expression_unquoted(const struct token *token)
{
	char *text = malloc(token->length + 1);

	if (text)
		token_name(token, text, token->length + 1);
	return text;
}
