/* Rows into tables that stay: truncate, append, merge. */
#ifndef ODBC_INTO_H
#define ODBC_INTO_H

#include "target.h"

#define INTO_STAGED "etlrun_staged"
#define INTO_OWN    "etlrun_own"

/* A load whose rows go into a table that stays. */
struct odbc_into {
	struct etl_instance *inst;
	const struct etl_load *load;
	const struct etl_token *token;
	struct etl_error *err;
	struct etl_text own, staged; /* their names as they stand in SQL */
};
/* The rows meet: A.key = B.key. */
void odbc_into_add_match(const struct odbc_into *, struct etl_text *, const char *a, const char *b);
/* Rows of INTO_STAGED and OWN that meet are not alike. */
void odbc_into_add_differs(const struct odbc_into *, struct etl_text *, const char *own);

/* keep-rows.c: what takes the rows back, before they are written. */
/* A merge with undo = true: a place for them. */
int odbc_keep_begin(const struct odbc_into *);
/* The copy that made the table can be taken back even so, once the merge was. */
int odbc_keep_copy(const struct odbc_into *);
/* Rows that are to be deleted, or marked so, for which GONE is true. */
int odbc_keep_gone(const struct odbc_into *, const char *gone);
/* Rows that differ, and the keys of new ones. */
int odbc_keep_changed(const struct odbc_into *);
/* An append: a place, and the keys of what comes. */
int odbc_keep_added(const struct odbc_into *);

/* Rows of merges that are gone from the source go, some before and some behind the others; at the end the staged tables. */
int odbc_begin_merge(struct etl_instance *, const struct etl_commit *, struct etl_error *);
int odbc_end_merge(struct etl_instance *, const struct etl_commit *, struct etl_error *);
/* The rows of every table that is to be swapped go, children first. */
int odbc_empty_old(struct etl_instance *, const struct etl_commit *, struct etl_error *);
/* The staged rows of load I go into its table. */
int odbc_put_into(struct etl_instance *, const struct etl_commit *, size_t i, struct etl_error *);

#endif
