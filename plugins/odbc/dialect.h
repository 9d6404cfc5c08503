/*
 * What differs between servers behind ODBC. Which one it is, the server says (SQL_DBMS_NAME); a server that nobody here
 * knows is spoken to in standard SQL.
 */
#ifndef ODBC_DIALECT_H
#define ODBC_DIALECT_H

#include "odbc.h"

/* What the server's own number of an error means. */
struct odbc_meaning {
	int64_t native;
	int32_t klass; /* enum etl_class */
	int32_t delay; /* the least milliseconds before another try; 0: the host's own */
	const char *advice; /* what to do next, or "" */
};

struct odbc_dialect {
	const char *name;	  /* as etl_table.dialect has it: "tsql", "postgresql", "sqlite", "sql" */
	const char *dbms;	  /* what SQL_DBMS_NAME begins with; NULL: any */
	char quote;		  /* of names: '[' or '"' */
	const char *default_schema; /* or NULL: it has none */
	const char *setup;	  /* what every session begins with, or NULL */
	const struct odbc_meaning *meanings; /* ends with native 0 */
	/* The expression that reads a column in a form of which nothing is lost on the way; NULL: the column as it is. */
	const char *(*as_text)(int32_t type, const char *declared);
	/* Schemas that are the server's own. */
	bool (*is_reserved)(const char *schema);
	/* Everything in the catalog; NULL: by ODBC's catalog functions. */
	int (*describe)(struct etl_instance *, const struct etl_dataset *, struct etl_table_sink *,
			struct etl_error *);
};

extern const struct odbc_dialect odbc_tsql, odbc_postgresql, odbc_sqlite, odbc_standard;

/* dialect.c */
const struct odbc_dialect *odbc_dialect_of(const char *dbms);
/* What NATIVE means; NULL: the dialect does not know it. */
const struct odbc_meaning *odbc_meaning_of(const struct odbc_dialect *, int64_t native);

#endif
