/*
 * What a CREATE TABLE or CREATE INDEX says beyond what SQLite's pragmas tell: names of constraints, CHECK,
 * COLLATE, generated expressions, conflict clauses, deferral; and how identifiers in it are renamed.
 * Expressions are kept as their exact text. Everything a struct points to is freed with it.
 */
#ifndef SQLITE_DDL_H
#define SQLITE_DDL_H

#include <stdint.h>

#include <etlrun/helpers.h>

#include "arena.h"

enum ddl_status {
	DDL_OK = 0,
	DDL_NO_MEMORY = -1,
	DDL_SYNTAX = -2 /* not such a statement, or beyond this parser */
};

enum ddl_kind {
	DDL_PRIMARY_KEY,
	DDL_UNIQUE,
	DDL_CHECK,
	DDL_DEFAULT,
	DDL_COLLATE,
	DDL_GENERATED,
	DDL_NOT_NULL,
	DDL_NULL,
	DDL_REFERENCES /* of a column, or FOREIGN KEY of a table */
};

/* A part of a key or an index. */
struct ddl_part {
	const char *column;	/* its name without quotes, or NULL: an expression */
	const char *expression; /* exact text, or NULL */
	const char *collation;	/* or NULL */
	bool descending;
};

struct ddl_reference {
	const char *table;
	const char **columns;
	size_t column_count;	      /* 0: the parent's primary key */
	int32_t on_delete, on_update; /* enum etl_action */
	int32_t deferrable;	      /* enum etl_deferrable */
	const char *match;	      /* as written, or NULL */
};

struct ddl_constraint {
	enum ddl_kind kind;
	const char *name; /* or NULL */
	/* CHECK, GENERATED: the expression without its parentheses. DEFAULT: as written, with them.
	 * COLLATE: the collation's name. Else NULL. */
	const char *text;
	const char *conflict;	/* "ON CONFLICT REPLACE" or NULL */
	bool autoincrement;	/* of PRIMARY KEY */
	bool stored;		/* of GENERATED */
	struct ddl_part *parts; /* PRIMARY KEY, UNIQUE, REFERENCES: the table's own columns */
	size_t part_count;
	struct ddl_reference reference; /* of REFERENCES */
};

struct ddl_column {
	const char *name;
	const char *type;		    /* as written, "" when there is none */
	struct ddl_constraint *constraints; /* in order */
	size_t constraint_count;
};

struct ddl_table {
	struct arena memory;
	const char *name;
	struct ddl_column *columns;
	size_t column_count;
	struct ddl_constraint *constraints; /* those written at the table, in order */
	size_t constraint_count;
	bool without_rowid, strict;
};

struct ddl_index {
	struct arena memory;
	const char *name, *table;
	bool unique;
	struct ddl_part *parts;
	size_t part_count;
	const char *where; /* exact text, or NULL */
};

/* enum ddl_status; RET is filled only with DDL_OK. Schema names and TEMP are passed over. */
int ddl_table_parse(const char *sql, struct ddl_table *ret);
void ddl_table_free(struct ddl_table *); /* a zeroed one too */
int ddl_index_parse(const char *sql, struct ddl_index *ret);
void ddl_index_free(struct ddl_index *);

const struct ddl_column *ddl_find_column(const struct ddl_table *, const char *name);
/* The first constraint of that kind of a column, or NULL. */
const struct ddl_constraint *ddl_find(const struct ddl_column *, enum ddl_kind);

/* What follows the name in CREATE TABLE [IF NOT EXISTS] [s.]name, so that the same table can be made under
 * another name; points into SQL. NULL: no CREATE TABLE. */
const char *ddl_after_name(const char *sql);

/* A new name. */
struct ddl_name {
	const char *table; /* of a column: the old name of its table; of a table: NULL */
	const char *from, *to;
};
struct ddl_names {
	const char *table; /* the old name of the table whose columns stand unqualified, or NULL */
	const struct ddl_name *tables;
	size_t table_count;
	const struct ddl_name *columns;
	size_t column_count;
};

/*
 * Adds SQL (an expression, or a whole CREATE statement) to RET with identifiers renamed; strings, functions
 * and everything else stay as they were. A qualified name t.c (also new.c, old.c in a trigger of `table`)
 * is a column of t; aliases are not followed. DDL_SYNTAX: a renamed name stands unquoted where it may be a
 * keyword as well, so nothing safe can be said; RET is then as it was.
 */
int ddl_rename(const char *sql, const struct ddl_names *, struct etl_text *ret);

#endif
