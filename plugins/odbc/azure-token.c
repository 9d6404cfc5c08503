/*
 * An access token of Microsoft Entra, as Microsoft's ODBC driver takes it before it connects: four bytes with the number of
 * bytes that follow, in the machine's order, then each byte of the token followed by a zero ("Using Azure Active Directory
 * with the ODBC Driver").
 */
#include "config.h"

#include <stdlib.h>

#include "azure.h"

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

const char *azure_token_of(struct azure_bearer *bearer, struct azure_token *ret)
{
	*ret = (struct azure_token){ .expires = bearer->expires };
	ret->at = lay_out(bearer->text, &ret->size);
	etl_azure_bearer_free(bearer);
	return ret->at ? NULL : "no memory for an access token";
}

const char *azure_token_read(const char *json, int64_t now, struct azure_token *ret)
{
	struct azure_bearer bearer;
	const char *wrong = etl_azure_bearer_read(json, now, &bearer);

	*ret = (struct azure_token){ 0 };
	return wrong ? wrong : azure_token_of(&bearer, ret);
}

void azure_token_free(struct azure_token *token)
{
	etl_azure_wipe(token->at, token->at ? token->size : 0);
	free(token->at);
	*token = (struct azure_token){ 0 };
}
