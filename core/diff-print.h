/* Differences as lines, for people and as JSON, and as SQL. */
#ifndef CORE_DIFF_PRINT_H
#define CORE_DIFF_PRINT_H

#include <stdio.h>

#include "diff-pair.h"

/* One line each, at most LIMIT (0: all) of the table. */
int diff_print(struct diff *, bool json, int64_t limit, FILE *out, struct etl_error *);

/* A script that makes the target of all COUNT tables equal to the source, or with UNDO takes that back. PREFIX
 * stands before each of its lines. */
int diff_print_sql(struct run *, struct diff *, size_t count, bool undo, const char *prefix, FILE *out,
		   struct etl_error *);

/* Parts of a line. A value of a view's one row, as people read it; a name likewise. */
void diff_add_value(struct etl_text *, const struct etl_view *, int64_t column);
void diff_add_name(struct etl_text *, const char *name);
/* COLUMNS of a side of a pair, COUNT of them, as a JSON object; NULL: the first. */
void diff_add_json_row(struct etl_text *, const struct diff_pair *, const struct etl_view *, const int64_t *columns,
		       size_t count);

#endif
