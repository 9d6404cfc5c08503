/*
 * Rows as lines of CSV.
 */
#ifndef CSV_WRITE_H
#define CSV_WRITE_H

#include "csv.h"

/* Names of columns. */
void csv_add_header(struct etl_text *to, const struct csv_format *format, const struct etl_table *table);
/* NULL, or the index of the column in *ret_column whose value cannot be written, and why: a part of a sentence. */
const char *csv_add_row(struct etl_text *to, const struct csv_format *format, const struct etl_view *view, int64_t row,
			int64_t *ret_column);

#endif
