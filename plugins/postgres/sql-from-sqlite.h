/*
 * Expressions of SQLite's SQL in PostgreSQL's. Every word is on a white list and every value has a kind, because the
 * two agree on less than it seems: SQLite compares a text with a number, takes any number for a condition, divides by
 * zero to NULL and folds the case of A to Z only. What does not mean the same is written so that it does, or not
 * translated at all.
 */
#ifndef POSTGRES_SQL_FROM_SQLITE_H
#define POSTGRES_SQL_FROM_SQLITE_H

#include <etlrun/helpers.h>

/* What a value is, as far as it matters to an operator. */
enum sql_kind {
	SQL_NONE, /* not known, or another type: only NULL can be asked of it */
	SQL_NULL, /* the literal */
	SQL_BOOL,
	SQL_INT,
	SQL_REAL,
	SQL_NUMERIC,
	SQL_TEXT,
	SQL_BYTES,
	SQL_DATE,
	SQL_TIME,
	SQL_TIMESTAMP,
	SQL_INSTANT,
	SQL_UUID,
	SQL_JSON
};

enum sql_use { SQL_IN_CHECK, SQL_IN_DEFAULT, SQL_IN_GENERATED, SQL_IN_INDEX, SQL_IN_WHERE };

struct sql_column {
	const char *was;  /* its name in the expression */
	const char *name; /* … in the target */
	enum sql_kind kind;
	bool nocase;	/* its collation is the one of SQLite's NOCASE */
	bool generated; /* PostgreSQL computes no generated column from another */
};

struct sql_scope {
	const char *table; /* its name in the expression */
	const struct sql_column *columns;
	size_t count;
	const char *nocase; /* the collation that stands for NOCASE */
};

struct sql_result {
	int32_t verdict;  /* enum etl_verdict: exact or approximated */
	const char *note; /* of an approximation, a constant */
	bool nocase;	  /* the collation is used */
	bool unique;	  /* in: of an index that is unique, so that what is equal matters */
	char why[200];	  /* when it cannot be said */
};

/*
 * SQL, as a value of kind WANT (SQL_NONE: any), is added to RET: 1. 0: it cannot be said, and RESULT->why has a
 * sentence; ETL_FAILED: no memory. RET is then as it was.
 */
int sql_from_sqlite(const struct sql_scope *, const char *sql, enum sql_use, enum sql_kind want,
		    struct etl_text *ret, struct sql_result *result);

#endif
