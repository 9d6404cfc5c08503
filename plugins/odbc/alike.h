/*
 * Which values of a key T-SQL takes for one (alike.c).
 */
#ifndef ODBC_ALIKE_H
#define ODBC_ALIKE_H

#include "dialect.h"

int odbc_compares(struct etl_instance *, const struct etl_load *, const struct etl_column *, int32_t *ret, char *words, size_t size,
		  struct etl_error *);
int odbc_form(int32_t compares, const void *value, size_t size, struct etl_form_sink *);
int odbc_same(struct etl_instance *, const struct etl_load *, const struct ArrowSchema *, const struct ArrowArray *rows, int64_t *ret,
	      int32_t *ret_asked, struct etl_error *);
/* By its name: what etl_target.compares says of a text of that collation; NULL: it is the database's, which nobody knows. */
int32_t odbc_collation_compares(const char *collation);

#endif
