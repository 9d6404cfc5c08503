/* The statement that reads a dataset. */
#ifndef ODBC_SELECT_H
#define ODBC_SELECT_H

#include "shape.h"

/* query-tsql.c: a query's common table expressions, up to `select`; what can stand in parentheses; its OPTION (…). */
struct query_parts {
	const char *select, *option, *end;
	bool needs_offset; /* it is ordered, and in parentheses that takes an OFFSET */
};
void query_split(const char *query, size_t length, struct query_parts *ret);

/* What comes before SELECT, and after all else. */
void select_add_with(struct etl_text *, const struct etl_instance *, const struct etl_dataset *);
void select_add_option(struct etl_text *, const struct etl_instance *, const struct etl_dataset *);
/* `FROM` and what follows it, up to the conditions. */
void odbc_select_add_from(struct etl_text *, const struct etl_instance *, const struct etl_dataset *);
/* A column in the form in which nothing of it is lost on the way; false: that is the column itself. */
bool odbc_select_add_value(struct etl_text *, const struct etl_instance *, const struct odbc_column *);
/* The columns that the dataset has; the server looks at its condition too. */
int select_shape(struct etl_instance *, const struct etl_dataset *, struct odbc_shape *ret,
		 struct etl_error *);
/* catalog-keys.c: the primary key of a table, in MEMORY; without columns when there is none. */
int odbc_find_key(struct etl_instance *, const struct etl_dataset *, struct arena *memory, struct etl_key *ret,
		  struct etl_error *);

/* literal.c */
/* A value as a constant of the dialect; false: it has none (a NUL in a text). */
bool odbc_literal_add(struct etl_text *, const struct odbc_dialect *, const struct etl_column_view *,
		 int64_t row);

#endif
