/*
 * Which tables a run moves, and by which entry of the pipeline's `tables` each: the most specific
 * entry wins, its keys laid over the wildcard's.
 */
#ifndef CORE_SELECT_H
#define CORE_SELECT_H

#include "job.h"

/* One table of the source and the rule it goes by. A table may be picked several times. */
struct pick {
	const struct etl_table *table; /* in the source's catalog; NULL: the rule's query */
	struct table_rule rule;	       /* merged: every pointer is borrowed from the pipeline */
};

struct picks {
	struct pick *at;
	size_t count, room;
	bool whole; /* every table is picked, once */
};

/* ETL_USAGE: a name or pattern that matches nothing, with what is there. The caller frees
 * picks->at. */
int select_tables(const struct pipeline *, const struct catalog *source, const char *only,
		  struct picks *, struct etl_error *);
/* Whether `exclude` names it. */
bool select_excludes(const struct pipeline *, const struct etl_table *);
/* Whether NAME matches a pattern of * and ?. */
bool pattern_matches(const char *pattern, const char *name);
/* Whether it can match more than one name. */
bool pattern_is_open(const char *pattern);

#endif
