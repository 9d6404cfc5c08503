/*
 * Objects of a store in memory: deep copies of the struct etl_table that plugins emit, in one block
 * each, and lists of them by name.
 */
#ifndef CORE_CATALOG_H
#define CORE_CATALOG_H

#include "error.h"
#include "name-index.h"

/* An owned etl_table: everything it points to is freed with it. The arrays are writable through the
 * casts below, so that the mapping can reshape a copy. */
struct etl_table *table_copy(const struct etl_table *); /* NULL: no memory */
void table_free(struct etl_table *);

static inline struct etl_column *table_column(const struct etl_table *t, size_t i)
{
	return ETL_AT(struct etl_column, t->columns, t->column_size, i);
}

/* The index of a column by its exact name, else ignoring ASCII case; -1: none. */
int64_t table_find_column(const struct etl_table *, const char *name);

/* "table", "view", …: what enum etl_kind is called. */
const char *kind_name(int32_t kind);

struct catalog {
	struct etl_table **at;
	size_t count, room;
	struct name_index names; /* of `at` */
};

/* A sink that appends copies. */
struct catalog_sink {
	struct etl_table_sink sink;
	struct catalog *catalog;
	struct etl_error *err;
};
struct catalog_sink catalog_sink(struct catalog *, struct etl_error *);

int catalog_add(struct catalog *, struct etl_table *, struct etl_error *); /* takes it */
/* By name, tables only when kind is ETL_TABLE; exact first, then ignoring ASCII case. The schema is exact (NULL: any):
 * what is found may be emptied. An object without one is in every schema. */
struct etl_table *catalog_find(const struct catalog *, int32_t kind, const char *schema,
			       const char *name);
void catalog_clear(struct catalog *);

#endif
