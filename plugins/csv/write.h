/*
 * Rows as lines of CSV.
 */
#ifndef CSV_WRITE_H
#define CSV_WRITE_H

#include "csv.h"

/* False: without quotes the value, or the name, of the column *ret_column would be read as another. A row is not added then. */
bool csv_add_header(struct etl_text *to, const struct csv_format *format, const struct etl_table *table, size_t *ret_column);
bool csv_add_row(struct etl_text *to, const struct csv_format *format, const struct etl_view *view, int64_t row, int64_t *ret_column);

#endif
