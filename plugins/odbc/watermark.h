/* How far a cursor has come, and the rows from there on. */
#ifndef ODBC_WATERMARK_H
#define ODBC_WATERMARK_H

#include "shape.h"

/* Before a view is opened: what is under way then is not in it, or has ended before. */
void odbc_find_writers(struct etl_instance *);
int odbc_watermark(struct etl_instance *, const struct etl_read *, struct etl_token *ret, struct etl_error *);
/* (COLUMN, which is the cursor, is at what `watermark` gave or beyond it, or is NULL). */
void odbc_add_since(struct etl_text *, const struct etl_instance *, const struct odbc_column *, const char *since);

#endif
