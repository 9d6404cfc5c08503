/*
 * What a database is called. Microsoft's rules ("Naming rules and restrictions for Azure resources", Microsoft.Sql): 128
 * characters at most, none of <>*%&:\/?, no control character, no period or blank at the end; of a server 1 to 63 small
 * letters, digits and hyphens, none of them at an end.
 */
#include "config.h"

#include <ctype.h>
#include <stdio.h>

#include "provision.h"

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* One character of UTF-8 is one hyphen. */
static bool is_inner(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

bool provision_name_from(const char *file, char *ret, bool *ret_cut)
{
	const char *base = strrchr(file, '/'), *dot;
	size_t length = 0, end;
	bool any = false;

	base = base ? base + 1 : file;
	dot = strrchr(base, '.');
	end = dot && dot > base ? (size_t)(dot - base) : strlen(base);
	*ret_cut = false;
	for (size_t i = 0; i < end; i++) {
		char c = base[i] >= 'A' && base[i] <= 'Z' ? (char)(base[i] + 32) : base[i];

		if (is_inner(c))
			continue;
		if (length == PROVISION_NAME_MAX) {
			*ret_cut = true;
			break;
		}
		any |= is_word(c);
		ret[length++] = is_word(c) ? c : '-';
	}
	ret[length] = '\0';
	return any;
}

void provision_name_number(const char *name, unsigned n, char *ret)
{
	char suffix[16];
	size_t room = PROVISION_NAME_MAX - (size_t)snprintf(suffix, sizeof(suffix), "-%u", n);
	size_t length = 0, characters = 0;

	for (; name[length]; length++) {
		if (!is_inner(name[length]) && characters++ == room)
			break;
	}
	snprintf(ret, ODBC_NAME_ROOM, "%.*s%s", (int)length, name, suffix);
}

const char *provision_name_wrong(const char *name)
{
	size_t characters = 0, length = strlen(name);

	if (!length)
		return "it is empty";
	for (size_t i = 0; i < length; i++) {
		if ((unsigned char)name[i] < 0x20 || strchr("<>*%&:\\/?", name[i]))
			return "it has one of <>*%&:\\/? or a control character in it";
		characters += !is_inner(name[i]);
	}
	if (characters > PROVISION_NAME_MAX || length >= ODBC_NAME_ROOM)
		return "it has more than 128 characters";
	if (name[length - 1] == '.' || name[length - 1] == ' ')
		return "it ends with a period or a blank";
	return etl_utf8_valid(name, length) == length ? NULL : "it is no UTF-8";
}

bool provision_server_from(const char *server, char *ret, size_t room)
{
	size_t length;

	if (strncmp(server, "tcp:", 4) == 0)
		server += 4;
	length = strcspn(server, ".,:\\");
	if (length == 0 || length > 63 || length >= room || server[0] == '-' || server[length - 1] == '-')
		return false;
	for (size_t i = 0; i < length; i++) {
		ret[i] = (char)tolower((unsigned char)server[i]);
		if (!is_word(ret[i]) && ret[i] != '-')
			return false;
	}
	ret[length] = '\0';
	return true;
}
