/*
 * Azure's words say who was not let in, and where: the command that helps is made of them, ready to be run. "Cannot open
 * server 'NAME' requested by the login. Client with IP address 'ADDRESS' is not allowed to access the server." (40615)
 */
#include "config.h"

#include <stdio.h>

#include "azure.h"

#define FIREWALL 40615

/* What stands in quotes behind PHRASE, when it is made of no other characters than MADE_OF. */
static bool quoted(const char *words, const char *phrase, const char *made_of, char *ret, size_t room)
{
	const char *at = strstr(words, phrase);
	size_t size;

	if (!at)
		return false;
	at += strlen(phrase);
	size = strspn(at, made_of);
	if (size == 0 || size >= room || at[size] != '\'')
		return false;
	memcpy(ret, at, size);
	ret[size] = '\0';
	return true;
}

void odbc_azure_advice(int64_t native, const char *words, char *ret, size_t room)
{
	char server[128] = "SERVER", address[64] = "ADDRESS";

	*ret = '\0';
	if (native != FIREWALL || !words)
		return;
	quoted(words, "server '", "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-", server, sizeof(server));
	quoted(words, "IP address '", "0123456789abcdefABCDEF.:", address, sizeof(address));
	snprintf(ret, room,
		 "; the server's firewall does not know this address yet: az sql server firewall-rule create "
		 "--resource-group GROUP --server %s --name etlrun --start-ip-address %s --end-ip-address %s "
		 "lets it in (Microsoft: up to five minutes later)",
		 server, address, address);
}
