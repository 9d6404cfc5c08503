/* What a table holds, so that one may know later whether it was changed since. */
#ifndef ODBC_SAME_H
#define ODBC_SAME_H

#include "rows.h"

#define ODBC_OBJECT_ROOM 24 /* the server's own number of a table */

struct odbc_content {
	int64_t rows;
	char digest[80];     /* of the columns, and where rows are not known otherwise of the rows */
	int64_t transaction; /* that published them, by which PostgreSQL knows who came later, of whole tables; else 0 */
};

/* WHERE: of the rows that are meant, or NULL, all. */
int odbc_look_at(struct etl_instance *, const char *schema, const char *name, const char *where, struct odbc_content *ret,
		 struct etl_error *);
/* Has nobody written to the table, or those rows, since it was WAS? */
int odbc_is_same(struct etl_instance *, const char *schema, const char *name, const char *where,
		 const struct odbc_content *was, bool *ret, struct etl_error *);
/* The transaction under way, for odbc_content. */
int odbc_transaction_of(struct etl_instance *, int64_t *ret, struct etl_error *);
/* The server's number of the table, "" when it is not there or the server has none; RET has ODBC_OBJECT_ROOM bytes. */
int odbc_object_of(struct etl_instance *, const char *schema, const char *name, char *ret, struct etl_error *);

#endif
