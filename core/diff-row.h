/*
 * A row as bytes: to be kept in memory or in a file and made a row again, and its key as bytes whose
 * order is that of the keys.
 */
#ifndef CORE_DIFF_ROW_H
#define CORE_DIFF_ROW_H

#include <etlrun/helpers.h>

/* Appends all values of a row. Memory: `failed` of the text. */
void diff_row_put(struct etl_text *to, const struct etl_view *, int64_t row);
/* Appends the row to a builder of the same schema. False: no memory. */
bool diff_row_get(struct etl_builder *, const void *bytes);
/* Appends one value of a key: keys that are equal by canon.h are equal bytes, and memcmp orders numbers
 * by value, texts by byte, NULL first. */
void diff_key_put(struct etl_text *to, const struct etl_column_view *, int64_t row);

#endif
