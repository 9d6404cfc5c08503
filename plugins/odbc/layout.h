/*
 * What T-SQL makes the tables of a run decide together, worked out once for an instance from what the run says of its
 * loads: how long the texts of keys are (a foreign key has the very type of what it refers to), what constraints are
 * called (their names are those of the schema) and which foreign keys may cascade.
 */
#ifndef ODBC_LAYOUT_H
#define ODBC_LAYOUT_H

#include "arena.h"
#include "target.h"

/* Microsoft's "Maximum capacity specifications for SQL Server". */
#define TSQL_CLUSTERED_BYTES 900
#define TSQL_INDEX_BYTES     1700
#define TSQL_INDEX_COLUMNS   32
#define TSQL_TABLE_COLUMNS   1024
#define TSQL_NVARCHAR_UNITS  4000
#define TSQL_VARBINARY_BYTES 8000

struct odbc_table_layout {
	const struct etl_table *table;
	const struct etl_load *load;
	struct odbc_room *rooms;      /* beside the columns */
	const char **names[4];	      /* of constraints, by enum odbc_constraint */
	const char **indexes;	      /* what they are called, beside the indexes */
	bool nonclustered;	      /* the primary key is longer than a clustered one may be */
	int64_t *index_bytes;	      /* beside the indexes: what the longest key of rows would have; 0: not known */
	const char **pruned;	      /* beside the foreign keys: why one does not cascade, or NULL */
};

struct odbc_layout {
	struct arena arena;
	const struct etl_run *run;
	const struct etl_load *const *loads;
	const struct etl_load *single; /* for a run that does not say its loads */
	struct odbc_table_layout *tables;
	size_t count;
};

/* inst->layout is that of the load's run. */
int odbc_layout(struct etl_instance *, const struct etl_load *, struct etl_error *);
/* NULL: it was not worked out, or the server is no T-SQL one. */
const struct odbc_table_layout *odbc_layout_of(const struct etl_instance *, const struct etl_table *);
void odbc_forget_layout(struct etl_instance *);

/* ---- for the files of the layout; each says false when there was no memory */
/* layout-sizes.c */
bool odbc_layout_sizes(const struct etl_instance *, struct odbc_layout *);
/* Does an expression of the source name the column? */
bool odbc_layout_speaks_of(const char *sql, const struct etl_column *);
/* layout-names.c */
bool odbc_layout_names(const struct etl_instance *, struct odbc_layout *);
/* fold.c */
/* Are these one name to most databases of SQL Server, where the case of letters does not count? */
bool odbc_same_name(const char *a, const char *b);
/* Of two such names it is the same. */
uint32_t odbc_name_hash(const char *name);
bool odbc_is_ascii(const char *name);
/* layout-cascades.c */
bool odbc_layout_cascades(struct odbc_layout *);
/* The table of the run that the Ith foreign key of T refers to, or NULL. */
struct odbc_table_layout *odbc_layout_parent(struct odbc_layout *, const struct odbc_table_layout *t, size_t i);
/* Its column of that name; -1: none. */
int64_t odbc_layout_column(const struct etl_table *, const char *name);
/* The columns to which a foreign key refers; NULL: nobody knows. */
const char *const *odbc_layout_theirs(const struct etl_foreign_key *, const struct etl_table *parent);

#endif
