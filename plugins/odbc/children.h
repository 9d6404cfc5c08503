/* Rows that refer to rows that are to be deleted. */
#ifndef ODBC_CHILDREN_H
#define ODBC_CHILDREN_H

#include "rows.h"

/* Rows that are to be deleted: of the table OWN, as it stands in SQL, those for which CONDITION, in which its columns have
 * that before them, is true. By KEY its rows are told apart. */
struct odbc_going {
	const char *own, *condition;
	const char *const *key;
	size_t key_count;
};
struct odbc_children {
	int64_t rows; /* of the first such key that has any; 0: none */
	char table[ODBC_NAME_ROOM], key[ODBC_NAME_ROOM];
};
/* Those that would go with them, or change. */
int odbc_find_children(struct etl_instance *, const char *schema, const char *name, const struct odbc_going *,
		       struct odbc_children *ret, struct etl_error *);

/* The keys that refer to the table, a row for each of their columns; what a row has. */
enum {
	CHILD_KEY,	     /* the key's name */
	CHILD_SCHEMA,
	CHILD_TABLE,
	CHILD_OBJECT,	     /* the server's number of the child, of SQLite its name */
	CHILD_COLUMN,
	CHILD_PARENT_COLUMN,
	CHILD_COLUMNS
};
int odbc_list_children(struct etl_instance *, const char *schema, const char *name, struct odbc_rows *ret, struct etl_error *);
/* Those of the key that begins at row FROM end before this one. */
size_t odbc_children_end(const struct odbc_rows *, size_t from);
/* Adds " AND …": no row refers to OWN's by a foreign key. */
int odbc_add_childless(struct etl_instance *, const char *schema, const char *name, const char *own, struct etl_text *to,
		       struct etl_error *);

#endif
