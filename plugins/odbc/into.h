/* Rows into tables that stay: truncate, append, merge. */
#ifndef ODBC_INTO_H
#define ODBC_INTO_H

#include "target.h"

/* The rows of every table that is to be swapped go, children first. */
int odbc_empty_old(struct etl_instance *, const struct etl_commit *, struct etl_error *);
/* The staged rows of load I go into its table, and the staged table goes. */
int odbc_put_into(struct etl_instance *, const struct etl_commit *, size_t i, struct etl_error *);

#endif
