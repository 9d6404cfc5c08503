/*
 * One table while it is described: what the pragmas say, beside what its statement says. Everything that is
 * emitted lives in `memory` until the next table.
 */
#ifndef SQLITE_DESCRIBE_H
#define SQLITE_DESCRIBE_H

#include "arena.h"
#include "ddl.h"
#include "sqlite.h"

/* The statement of an index. sqlite_schema has no index of its own, so looking each up there would take
 * the square of their number. */
struct index_text {
	const char *name, *sql;
};

struct describing {
	struct etl_instance *inst;
	struct etl_error *err;
	sqlite3 *db;
	struct arena memory;
	struct ddl_table ddl;
	bool parsed; /* ddl is filled */
	struct etl_table table;
	struct etl_column *columns;	/* table.columns, while they are written */
	struct index_text *index_texts; /* of all tables, by name; in `kept`; NULL: not read yet */
	size_t index_text_count;
	bool has_index_texts; /* they were read; there may be none */
	struct arena kept; /* until the last table */
};

/* describe.c */
int describe_no_memory(struct describing *);
/* Prepares SQL with ?1 bound to TEXT. */
int describe_query(struct describing *, const char *sql, const char *text, sqlite3_stmt **ret);
/* The next row, if there is one: what cannot be read is not taken for what is not there. */
int describe_step(struct describing *, sqlite3_stmt *, bool *ret_row);
/* A column of a row as text in the arena; NULL for NULL. */
char *describe_text(struct describing *, sqlite3_stmt *, int column);
const struct etl_column *describe_find(const struct describing *, const char *name);

/* Every object of DB, and its settings, as sqlite_describe does of main. */
int sqlite_describe_database_of(struct etl_instance *, sqlite3 *db, struct etl_table_sink *,
			 struct etl_error *);

/* describe-table.c: columns, and how many rows there may be */
int describe_columns(struct describing *);
int describe_rows(struct describing *);
/* describe-keys.c: keys, foreign keys, checks, indexes */
int describe_keys(struct describing *);
int describe_indexes(struct describing *);

/* declared.c: the logical type that a declared one asks for; type, precision, scale and length are set. */
void declared_type(const char *declared, struct etl_column *ret);

#endif
