/*
 * Which tables a run moves, and by which entry of the pipeline's `tables` each: the most specific
 * entry wins, its keys laid over the wildcard's.
 */
#ifndef CORE_SELECT_H
#define CORE_SELECT_H

#include "job.h"

/* One table of the source and the rule it goes by. A table may be picked several times. */
struct pick {
	const struct etl_table *table; /* in the source's catalog; NULL: the rule's query, or what its `from` says */
	struct table_rule rule;	       /* merged: every pointer is borrowed from the pipeline */
};

struct picks {
	struct pick *at;
	size_t count, room;
	bool whole; /* every table is picked, once */
};

/* Whether the rule's `from` is all that there is of its table: the source lists it nowhere (ETL_FROM_SHAPES). */
bool select_is_shaped(const struct pipeline *, const struct table_rule *);
/* Whether an entry wants to know what the source holds. */
bool select_needs_list(const struct pipeline *);
/* The name that a pattern without open wildcards means, for the caller to free; NULL: no memory. */
char *pattern_plain(const char *pattern);
/* ETL_USAGE: a name or pattern that matches nothing, with what is there. The caller frees
 * picks->at. */
int select_tables(const struct pipeline *, const struct catalog *source, const char *only,
		  struct picks *, struct etl_error *);
/* Whether `exclude` names it. */
bool select_excludes(const struct pipeline *, const struct etl_table *);
/* Whether a name or pattern of the file or the command line means TABLE; schemas count. */
bool select_names(const char *rule, const struct etl_table *table);
/* WHAT "NAME" matches nothing: with what is there, and the nearest of it. ORIGIN may be NULL. */
int select_nothing(const struct pipeline *, const struct catalog *source, const char *what,
		   const char *name, const char *origin, struct etl_error *);
/* Whether NAME matches a pattern of * and ?. */
bool pattern_matches(const char *pattern, const char *name);
/* Whether it can match more than one name. */
bool pattern_is_open(const char *pattern);

#endif
