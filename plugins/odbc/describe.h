/* What is found out of a store's objects, piece by piece, before they are emitted. */
#ifndef ODBC_DESCRIBE_H
#define ODBC_DESCRIBE_H

#include "shape.h"

/* One object; its arrays are in the arena. */
struct odbc_object {
	struct etl_table table;
	struct etl_column *columns;
	struct etl_key *uniques;
	struct etl_foreign_key *foreign_keys;
	struct etl_check *checks;
	struct etl_index *indexes;
	/* Where the server numbers them: the object, and its columns beside `columns`. */
	int64_t id, *column_ids;
};

struct odbc_describing {
	struct etl_instance *inst;
	struct etl_error *err;
	struct arena memory;
	struct odbc_object *objects;
	size_t count;
	const char *schema, *table; /* only this one; NULL: any */
};

struct odbc_object *odbc_add_object(struct odbc_describing *, int32_t kind, const char *schema,
				    const char *name);
struct etl_column *odbc_add_column(struct odbc_describing *, struct odbc_object *,
				   const struct odbc_column *);
/* The array grown by one zeroed item, or NULL: no memory. */
struct etl_key *odbc_add_unique(struct odbc_describing *, struct odbc_object *);
struct etl_foreign_key *odbc_add_foreign_key(struct odbc_describing *, struct odbc_object *);
struct etl_check *odbc_add_check(struct odbc_describing *, struct odbc_object *);
struct etl_index *odbc_add_index(struct odbc_describing *, struct odbc_object *);
/* One more column of a key, of an index. */
void odbc_add_key_column(struct odbc_describing *, struct etl_key *, const char *name);
struct etl_index_part *odbc_add_part(struct odbc_describing *, struct etl_index *);

/* catalog.c: by ODBC's catalog functions. */
int odbc_read_catalog(struct odbc_describing *);
/* catalog-keys.c */
int odbc_catalog_keys(struct odbc_describing *, struct odbc_object *);

/* describe-tsql.c, …-keys.c, …-other.c: by the views of T-SQL's own catalog. */
int odbc_read_tsql(struct odbc_describing *);

/* Result columns by their number, from 1. */
int odbc_at(struct odbc_describing *, SQLHSTMT, int column, char **ret);
int odbc_int_at(struct odbc_describing *, SQLHSTMT, int column, int64_t *ret);

#endif
