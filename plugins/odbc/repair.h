/* The SQL of a repair for T-SQL: its statements (repair.c) and its constants (repair-value.c). */
#ifndef ODBC_REPAIR_H
#define ODBC_REPAIR_H

#include "target.h"

/*
 * A value as a constant that is exact to its last bit, without the end of a line in it. False: T-SQL has none for it, and WHY
 * (a constant text) says so.
 */
bool odbc_repair_add_value(struct etl_text *, const struct etl_column_view *, int64_t row, const char **ret_why);

#endif
