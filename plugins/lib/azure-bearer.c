/*
 * An access token of Microsoft Entra out of the answer in which it comes. What takes it believes what it is given, so a text
 * that is no token never goes further.
 */
#include "config.h"

#include <ctype.h>
#include <stdlib.h>

#include "azure-access.h"

#define TOKEN_LEAST 20	       /* bytes */
#define TOKEN_MOST  (64 << 10) /* bytes; one with many groups has some ten thousand */

/* Entra's are JSON Web Tokens: three parts or more, joined by points, of the characters of RFC 6750. */
bool etl_azure_token_is_sound(const char *text)
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

static const char *take(const char *text, const char *json, int64_t now, struct azure_bearer *ret)
{
	char number[32];
	int64_t expires = 0;

	if (!etl_azure_token_is_sound(text))
		return "what is given as an access token has not the form of one";
	if (etl_azure_json_get(json, "expires_on", number, sizeof(number)))
		expires = strtoll(number, NULL, 10);
	if (expires > 0 && expires <= now)
		return "the access token that is given has expired";
	ret->text = strdup(text);
	ret->expires = expires;
	return ret->text ? NULL : "no memory for an access token";
}

const char *etl_azure_bearer_read(const char *json, int64_t now, struct azure_bearer *ret)
{
	const size_t room = TOKEN_MOST + 2;
	char *text = malloc(room);
	const char *wrong = text ? NULL : "no memory for an access token";

	*ret = (struct azure_bearer){ 0 };
	if (text && !etl_azure_json_is_sound(json))
		wrong = "the answer is no JSON";
	else if (text && !etl_azure_json_get(json, "accessToken", text, room) &&
		 !etl_azure_json_get(json, "access_token", text, room))
		wrong = "the answer has no access token in it";
	if (!wrong)
		wrong = take(text, json, now, ret);
	etl_azure_wipe(text, text ? room : 0);
	free(text);
	return wrong;
}

void etl_azure_bearer_free(struct azure_bearer *bearer)
{
	etl_azure_wipe(bearer->text, bearer->text ? strlen(bearer->text) : 0);
	free(bearer->text);
	*bearer = (struct azure_bearer){ 0 };
}
