/*
 * How values and wishes are put into words (reshape-words.c), for reshape.c.
 */
#ifndef CORE_RESHAPE_WORDS_H
#define CORE_RESHAPE_WORDS_H

#include "../plugins/lib/spell.h"
#include "reshape.h"

/* The text of a value as null_values compare it and reasons quote it, in BUF (SPELL_MAX bytes) or in the column
 * itself; NULL for bytes. */
const char *reshape_spelling(const struct etl_column_view *, int64_t row, char *buf,
			     size_t *ret_size);
/* The value, shortened. */
void reshape_add_shown(struct etl_text *, const struct etl_column_view *, int64_t row);
/* " is not a number; column price wants decimal(10,2)" by the code of etl_convert. */
void reshape_add_wish(struct etl_text *, const struct reshape_column *, const char *code);

#endif
