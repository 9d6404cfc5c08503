/*
 * What differs between servers behind ODBC. Which one it is, the server says (SQL_DBMS_NAME); a server that nobody here
 * knows is spoken to in standard SQL.
 */
#ifndef ODBC_DIALECT_H
#define ODBC_DIALECT_H

#include "odbc.h"

struct odbc_describing;

/* What the server's own number of an error means. */
struct odbc_meaning {
	int64_t native;
	int32_t klass; /* enum etl_class */
	int32_t delay; /* the least milliseconds before another try; 0: the host's own */
	const char *advice; /* what to do next, or "" */
};

/* What the keys and indexes of its table, and those that refer to it, ask of a column. */
struct odbc_room {
	bool key;     /* it is of one */
	bool binary;  /* its text is compared by bytes: it is of one, or of the filter of one */
	bool nocase;  /* by the collation NOCASE, which goes before */
	int64_t most; /* of a text the UTF-16 units, of bytes the bytes that a key allows; 0: any */
	const struct etl_column *like; /* of a table of the target's own, to which it refers; or NULL */
};

struct odbc_dialect {
	const char *name;	  /* as etl_table.dialect has it: "tsql", "postgresql", "sqlite", "sql" */
	const char *dbms;	  /* what SQL_DBMS_NAME begins with; NULL: any */
	char quote;		  /* of names: '[' or '"' */
	const char *default_schema; /* or NULL: it has none */
	const char *setup;	  /* what every session begins with, or NULL */
	const struct odbc_meaning *meanings; /* ends with native 0 */
	/* Transactions. */
	const char *begin, *commit, *rollback, *savepoint, *back_to_savepoint;
	const char *open_transactions; /* asks how many there are, or NULL */
	/* Where a failure takes the transaction back and what was sent behind it is done all the same, each by itself: from now on
	 * that begins a transaction of its own, which nobody commits. NULL: a failure ends it for all that follows. */
	const char *holds_on, *lets_go;
	/* Forgets a savepoint, or NULL: one more of the name takes its place. */
	const char *release_savepoint;
	/* How many parameters a statement may have; NULL: nobody knows. And whether the drivers of such servers make a
	 * statement of each row of an array, so that many rows in one are faster. */
	int64_t (*most_parameters)(const struct etl_instance *);
	bool arrays_loop;
	/* Types of the plugin's own tables: of a key, of any text. */
	const char *key_type, *text_type;
	int64_t name_most; /* of a name: characters (UTF-16 units for T-SQL, else bytes) */
	bool keys_inline;  /* a key cannot be added to a table that is there */
	/* The type that a column has in a target, for which there is ROOM. *VERDICT and NOTE: what is to be said. */
	void (*add_type)(struct etl_text *ret, const struct etl_column *, const struct odbc_room *room, int32_t *verdict,
			 struct etl_text *note);
	/* Renames a table of SCHEMA. */
	void (*add_rename)(struct etl_text *, const struct etl_instance *, const char *schema, const char *from,
			   const char *to);
	/* Renames a constraint, an index of TABLE; NULL: it cannot be, or indexes have names of their table's own. */
	void (*add_rename_key)(struct etl_text *, const struct etl_instance *, const char *schema, const char *table,
			       const char *from, const char *to);
	void (*add_rename_index)(struct etl_text *, const struct etl_instance *, const char *schema, const char *table,
				 const char *from, const char *to);
	/* The expression that reads a column in a form of which nothing is lost on the way; NULL: the column as it is. */
	const char *(*as_text)(int32_t type, const char *declared);
	/* Schemas that are the server's own. */
	bool (*is_reserved)(const char *schema);
	/* Reads what is asked for out of the server's own catalog; NULL: by ODBC's catalog functions. */
	int (*read_catalog)(struct odbc_describing *);
};

extern const struct odbc_dialect odbc_tsql, odbc_postgresql, odbc_sqlite, odbc_standard;

/* dialect-other.c */
/* An array of PostgreSQL that its source tells as JSON, which the server's own type does not take. */
bool odbc_is_told_array(const struct etl_column *);

/* dialect.c */
const struct odbc_dialect *odbc_dialect_of(const char *dbms);
/* By its own name. */
const struct odbc_dialect *odbc_dialect_called(const char *name);
/* What NATIVE means; NULL: the dialect does not know it. */
const struct odbc_meaning *odbc_meaning_of(const struct odbc_dialect *, int64_t native);

#endif
