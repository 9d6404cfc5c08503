/* The statement that reads a dataset. */
#ifndef ODBC_SELECT_H
#define ODBC_SELECT_H

#include "shape.h"

/* catalog-keys.c: the primary key of a table, in MEMORY; without columns when there is none. */
int odbc_find_key(struct etl_instance *, const struct etl_dataset *, struct arena *memory, struct etl_key *ret,
		  struct etl_error *);

/* `FROM` and what follows it, up to the conditions. */
void select_add_from(struct etl_text *, const struct etl_instance *, const struct etl_dataset *);
/* The columns that the dataset has; the server looks at its condition too. */
int select_shape(struct etl_instance *, const struct etl_dataset *, struct odbc_shape *ret,
		 struct etl_error *);
/*
 * Reads WANT's columns in the forms of which nothing is lost; DECLARED are the types of the dataset's columns. KEYS and
 * ROW: the one row that has this key.
 */
int select_add(struct etl_instance *, struct etl_text *, const struct etl_read *,
	       const struct odbc_shape *declared, const struct etl_view *keys, int64_t row,
	       struct etl_error *);
/* Is this wanted column read as a text that its expression makes? */
bool select_is_text(const struct odbc_dialect *, struct etl_type_info wanted,
		    const struct odbc_column *declared);

/* literal.c */
/* A value as a constant of the dialect; false: it has none (a NUL in a text). */
bool literal_add(struct etl_text *, const struct odbc_dialect *, const struct etl_column_view *,
		 int64_t row);

#endif
