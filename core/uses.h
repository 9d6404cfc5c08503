/*
 * Which tables and views a statement speaks of: its words where the name of one can stand. It is no parser, and what it
 * takes for a name may be none; what is the name of a relation it does not miss.
 */
#ifndef CORE_USES_H
#define CORE_USES_H

#include <stdbool.h>

struct uses {
	const char *sql;
	bool brackets; /* [a] is a name: not in PostgreSQL, which has arrays */
	/* SCHEMA is NULL where the statement names none. False ends the walk. */
	bool (*each)(void *data, const char *schema, const char *name);
	void *data;
};

/* 1, or 0 when `each` ended it; negative: no memory. */
int uses_walk(const struct uses *);

#endif
