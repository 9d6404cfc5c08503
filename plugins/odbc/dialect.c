/* Which server it is, and what its numbers mean. */
#include "config.h"

#include <strings.h>

#include "dialect.h"

static const struct odbc_dialect *const dialects[] = { &odbc_tsql, &odbc_postgresql, &odbc_sqlite,
						       &odbc_standard };

const struct odbc_dialect *odbc_dialect_of(const char *dbms)
{
	size_t i = 0;

	while (dialects[i]->dbms &&
	       strncasecmp(dbms, dialects[i]->dbms, strlen(dialects[i]->dbms)) != 0)
		i++;
	return dialects[i];
}

const struct odbc_dialect *odbc_dialect_called(const char *name)
{
	size_t i = 0;

	while (dialects[i]->dbms && strcmp(name, dialects[i]->name) != 0)
		i++;
	return dialects[i];
}

const struct odbc_meaning *odbc_meaning_of(const struct odbc_dialect *dialect, int64_t native)
{
	for (const struct odbc_meaning *m = dialect->meanings; m && m->native; m++)
		if (m->native == native)
			return m;
	return NULL;
}
