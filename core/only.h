/*
 * The command line's list of tables, --tables "a,b*". A name that is there as it is written is that table and no other; only where there
 * is none it is read otherwise: without the backslashes before its wildcards, in any case, at last as a pattern.
 */
#ifndef CORE_ONLY_H
#define CORE_ONLY_H

#include <stddef.h>

#include <etlrun/plugin.h>

#include "error.h"

/* How the list speaks of a table. */
enum listing { NOT_LISTED, BY_PATTERN, BY_NAME };

/* How one of its names means a table, the nearest last. */
enum meaning { MEANS_NOT, MEANS_PATTERN, MEANS_ANY_CASE, MEANS_UNESCAPED, MEANS_LITERAL };

struct only_item {
	char *name;
	enum meaning means; /* the nearest reading of all that was offered */
};

struct only {
	struct only_item *at;
	size_t count;
};

int only_make(struct only *, const char *list, struct etl_error *);
void only_clear(struct only *);
/* A table that can be copied, or NULL, and the name of the one that an entry of the file makes, or NULL. All are offered before it is asked
 * which of them are listed. */
void only_offer(struct only *, const struct etl_table *table, const char *made);
/* BY_PATTERN when there is no list: every table, and none by its name. */
enum listing only_lists(const struct only *, const struct etl_table *table, const char *made);

#endif
