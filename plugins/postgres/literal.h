/* Values as constants of the server's SQL. */
#ifndef POSTGRES_LITERAL_H
#define POSTGRES_LITERAL_H

#include "postgres.h"

/* Exact, on one line, and of the type of the column that it meets. Reads as meant when
 * standard_conforming_strings is on. False: a text with a NUL, which the server does not have. */
bool literal_add(struct etl_text *, const struct etl_column_view *, int64_t row);
bool literal_add_text(struct etl_text *, const char *text, size_t size);

#endif
