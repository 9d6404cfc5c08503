/* Differences as lines, for people and as JSON, and as SQL. */
#ifndef CORE_DIFF_PRINT_H
#define CORE_DIFF_PRINT_H

#include <stdio.h>

#include "diff.h"

/* One line each, at most LIMIT (0: all) of the table. */
int diff_print(struct diff *, bool json, int64_t limit, FILE *out, struct etl_error *);

/* A script that makes the target of all COUNT tables equal to the source, or with UNDO takes that back. PREFIX
 * stands before each of its lines. */
int diff_print_sql(struct run *, struct diff *, size_t count, bool undo, const char *prefix, FILE *out,
		   struct etl_error *);

#endif
