/*
 * Names for the target: as they are, in lower case, or in snake_case. The rules look at ASCII only,
 * so the same name comes out in every locale.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "names.h"

static bool is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

static bool is_small(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static char to_lower(char c)
{
	return is_upper(c) ? (char)(c - 'A' + 'a') : c;
}

/* A word begins at an upper letter after a small one ("orderId") or at the last of several before a
 * small letter ("HTTPServer"). */
static bool begins_word(const char *name, size_t i)
{
	if (i == 0 || !is_upper(name[i]))
		return false;
	if (is_small(name[i - 1]) || (unsigned char)name[i - 1] >= 0x80)
		return true;
	return is_upper(name[i - 1]) && name[i + 1] >= 'a' && name[i + 1] <= 'z';
}

static void lower(const char *name, char *to)
{
	while (*name)
		*to++ = to_lower(*name++);
	*to = '\0';
}

/* Leading and trailing underscores of the original stay; those made here never double one. */
static void snake(const char *name, char *to)
{
	size_t n = 0;

	for (size_t i = 0; name[i]; i++) {
		bool gap = name[i] == ' ' || name[i] == '-' || name[i] == '_';

		if ((gap || begins_word(name, i)) && (n == 0 ? gap : to[n - 1] != '_'))
			to[n++] = '_';
		if (!gap)
			to[n++] = to_lower(name[i]);
	}
	to[n] = '\0';
}

int name_transform(enum names_rule rule, const char *name, char **ret)
{
	/* At worst an underscore comes before every letter. */
	char *to = malloc(strlen(name) * 2 + 1);

	if (!to)
		return ETL_FAILED;
	switch (rule) {
	case NAMES_LOWER:
		lower(name, to);
		break;
	case NAMES_SNAKE:
		snake(name, to);
		break;
	case NAMES_KEEP:
		memcpy(to, name, strlen(name) + 1);
		break;
	}
	*ret = to;
	return ETL_OK;
}
