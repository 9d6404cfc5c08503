/*
 * An access token of Microsoft Entra, as Microsoft's ODBC driver takes it before it connects: four bytes with the number of
 * bytes that follow, in the machine's order, then each byte of the token followed by a zero ("Using Azure Active Directory
 * with the ODBC Driver"). The driver believes what it is given, so a text that is no token never comes that far.
 */
#include "config.h"

#include <ctype.h>
#include <stdlib.h>

#include "azure.h"

#define TOKEN_LEAST 20		/* bytes */
#define TOKEN_MOST  (64 << 10) /* bytes; one with many groups has some ten thousand */

/* Entra's are JSON Web Tokens: three parts or more, joined by points, of the characters of RFC 6750. */
bool azure_token_is_sound(const char *text)
{
	size_t size = strlen(text), points = 0;

	for (size_t i = 0; i < size; i++) {
		if (!isalnum((unsigned char)text[i]) && !strchr("-._~+/=", text[i]))
			return false;
		if (text[i] == '.' && (i == 0 || text[i - 1] == '.'))
			return false;
		points += text[i] == '.';
	}
	return size >= TOKEN_LEAST && size <= TOKEN_MOST && points >= 2;
}

static unsigned char *lay_out(const char *text, size_t *ret_size)
{
	uint32_t bytes = (uint32_t)(2 * strlen(text));
	unsigned char *at = calloc(1, sizeof(bytes) + bytes);

	if (!at)
		return NULL;
	memcpy(at, &bytes, sizeof(bytes));
	for (size_t i = 0; text[i]; i++)
		at[sizeof(bytes) + 2 * i] = (unsigned char)text[i];
	*ret_size = sizeof(bytes) + bytes;
	return at;
}

static const char *take(const char *text, const char *json, int64_t now, struct azure_token *ret)
{
	char number[32];
	int64_t expires = 0;

	if (!azure_token_is_sound(text))
		return "what is given as an access token has not the form of one";
	if (azure_json_get(json, "expires_on", number, sizeof(number)))
		expires = strtoll(number, NULL, 10);
	if (expires > 0 && expires <= now)
		return "the access token that is given has expired";
	ret->at = lay_out(text, &ret->size);
	ret->expires = expires;
	return ret->at ? NULL : "no memory for an access token";
}

const char *azure_token_read(const char *json, int64_t now, struct azure_token *ret)
{
	const size_t room = TOKEN_MOST + 2;
	char *text = malloc(room);
	const char *wrong = text ? NULL : "no memory for an access token";

	*ret = (struct azure_token){ 0 };
	if (text && !azure_json_is_sound(json))
		wrong = "the answer is no JSON";
	else if (text && !azure_json_get(json, "accessToken", text, room) &&
		 !azure_json_get(json, "access_token", text, room))
		wrong = "the answer has no access token in it";
	if (!wrong)
		wrong = take(text, json, now, ret);
	azure_wipe(text, text ? room : 0);
	free(text);
	return wrong;
}

void azure_token_free(struct azure_token *token)
{
	azure_wipe(token->at, token->at ? token->size : 0);
	free(token->at);
	*token = (struct azure_token){ 0 };
}
