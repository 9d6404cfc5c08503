/* A few rows as texts. */
#ifndef ODBC_ROWS_H
#define ODBC_ROWS_H

#include "odbc.h"

struct odbc_rows {
	char **at; /* row after row; NULL is NULL */
	size_t count, columns;
};

/* Every row that SQL gives, of so many columns; RET is empty after a failure, else freed with odbc_rows_free. */
int odbc_ask_rows(struct etl_instance *, const char *sql, size_t columns, struct odbc_rows *ret, struct etl_error *);
/* The same, made of a text that is freed. */
int odbc_ask_rows_text(struct etl_instance *, struct etl_text *sql, size_t columns, struct odbc_rows *ret,
		       struct etl_error *);
/* The same for who has an answer to a failure: false, and SAID has what was said; its words are the caller's to free. */
bool odbc_try_rows(struct etl_instance *, struct etl_text *sql, size_t columns, struct odbc_rows *ret, struct odbc_said *said);
void odbc_rows_free(struct odbc_rows *);

static inline const char *odbc_row_text(const struct odbc_rows *rows, size_t row, size_t column)
{
	return rows->at[row * rows->columns + column];
}
int64_t odbc_row_number(const struct odbc_rows *, size_t row, size_t column);

#endif
