/*
 * For transforms and validators whose options name columns of a table.
 */
#ifndef LIB_COLUMNS_H
#define LIB_COLUMNS_H

#include <etlrun/helpers.h>

/* INDEX is below the table's column_count. */
const struct etl_column *etl_column_at(const struct etl_table *, size_t index);
/* The index of a name, exact first, then in any ASCII case; -1: none. */
int64_t etl_column_find(const struct etl_table *, const char *name);
/* Fails with ETL_USAGE, because NAME, of the option that WHERE says ("mask: columns"), is no column of the table or,
 * a pattern, matches none. Says which columns there are, which is likely meant, and that unmatched = "ignore"
 * passes over it. */
int etl_column_unknown(const struct etl_host *, const struct etl_table *, const char *where,
		       const char *name, bool pattern, struct etl_error *);

#endif
