/*
 * Azure's words say who was not let in, and where: the command that helps is made of them, ready to be run. "Cannot open
 * server 'NAME' requested by the login. Client with IP address 'ADDRESS' is not allowed to access the server." (40615); of a
 * subnet with a service endpoint there is no address (40914); "Database 'NAME' on server 'NAME' …" of one whose free limit is used
 * up (42119).
 */
#include "config.h"

#include <stdio.h>

#include "azure.h"

#define FIREWALL   40615
#define SUBNET	   40914
#define FREE_LIMIT 42119

#define NAME_LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-"

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

static void advise_firewall(const char *words, const char *server, char *ret, size_t room)
{
	char address[64] = "ADDRESS";

	quoted(words, "IP address '", "0123456789abcdefABCDEF.:", address, sizeof(address));
	snprintf(ret, room,
		 "; the server's firewall does not know this address yet: az sql server firewall-rule create "
		 "--resource-group GROUP --server %s --name etlrun --start-ip-address %s --end-ip-address %s "
		 "lets it in (Microsoft: up to five minutes later)",
		 server, address, address);
}

static void advise_free_limit(const char *words, const char *server, char *ret, size_t room)
{
	char database[128] = "DATABASE";

	quoted(words, "atabase '", NAME_LETTERS "_.", database, sizeof(database));
	snprintf(ret, room,
		 "; the database is paused until its free limit is renewed with the next month, unless it is paid for: az sql db update "
		 "--resource-group GROUP --server %s --name %s --free-limit-exhaustion-behavior BillOverUsage",
		 server, database);
}

void odbc_azure_advice(int64_t native, const char *words, char *ret, size_t room)
{
	char server[128] = "SERVER";

	*ret = '\0';
	if (!words)
		return;
	quoted(words, "server '", NAME_LETTERS, server, sizeof(server));
	if (native == FIREWALL)
		advise_firewall(words, server, ret, room);
	else if (native == SUBNET)
		snprintf(ret, room,
			 "; this machine's subnet reaches the server by a service endpoint, and no rule lets it in: az sql server vnet-rule create "
			 "--resource-group GROUP --server %s --name etlrun --vnet-name VNET --subnet SUBNET",
			 server);
	else if (native == FREE_LIMIT)
		advise_free_limit(words, server, ret, room);
}
