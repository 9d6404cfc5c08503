/*
 * The columns of a result, as the driver describes them, and what their values become.
 */
#ifndef ODBC_SHAPE_H
#define ODBC_SHAPE_H

#include "arena.h"
#include "dialect.h"

struct odbc_column {
	char name[ODBC_NAME_ROOM];
	char type_name[ODBC_NAME_ROOM]; /* in the server's own words, without size */
	SQLSMALLINT sql_type;
	SQLULEN size;	    /* characters, bytes or digits; 0: not known */
	SQLSMALLINT digits; /* after the point */
	bool nullable;
};

struct odbc_shape {
	struct odbc_column *columns;
	size_t count;
};

/* The columns of the result that STMT has, or would have; RET is freed with odbc_shape_free. */
int odbc_shape_of(struct etl_instance *, SQLHSTMT, struct odbc_shape *ret, struct etl_error *);
void odbc_shape_free(struct odbc_shape *);

/* types.c */
/* The logical type of a column; the length of a text or of bytes, 0 for any, in *ret_length. */
struct etl_type_info odbc_type_of(const struct odbc_dialect *, const struct odbc_column *,
				  int64_t *ret_length);
/* "nvarchar(20)", "decimal(10,2)", in the words of the server. */
void odbc_add_declared(struct etl_text *, const struct odbc_dialect *, const struct odbc_column *);
/* Do all its values fit into a buffer of so many characters or bytes? 0: nobody knows. */
SQLULEN odbc_bound_of(const struct odbc_dialect *, const struct odbc_column *);

#endif
