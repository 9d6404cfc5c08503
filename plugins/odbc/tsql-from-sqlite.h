/*
 * Expressions of SQLite's SQL in T-SQL. Every word is on a white list and every value has a kind, because the two agree on
 * less than it seems: T-SQL has conditions that are no values, compares texts by a collation and without the blanks at
 * their ends, divides by zero to an error and takes a large integer for a decimal. What does not mean the same is
 * written so that it does, or not translated at all, with a reason.
 */
#ifndef ODBC_TSQL_FROM_SQLITE_H
#define ODBC_TSQL_FROM_SQLITE_H

#include <etlrun/helpers.h>

/* Both are SQL Server's and Babelfish's: by UTF-16 units; without the case of letters. */
#define TSQL_BINARY "Latin1_General_BIN2"
#define TSQL_NOCASE "Latin1_General_CI_AS"

/* What a value is, as far as it matters to an operator. */
enum tsql_kind {
	TSQL_NONE,	/* not known, or another type: only NULL can be asked of it */
	TSQL_NULL,	/* the literal */
	TSQL_CONDITION, /* true, false or unknown, and no value */
	TSQL_BIT,
	TSQL_INT,
	TSQL_REAL,
	TSQL_NUMERIC,
	TSQL_TEXT,
	TSQL_BYTES,
	TSQL_DATE,
	TSQL_TIME,
	TSQL_TIMESTAMP,
	TSQL_INSTANT,
	TSQL_UUID
};

enum tsql_use { TSQL_IN_CHECK, TSQL_IN_DEFAULT, TSQL_IN_GENERATED, TSQL_IN_INDEX, TSQL_IN_FILTER };

struct tsql_column {
	const char *was;  /* its name in the expression */
	const char *name; /* … in the target */
	enum tsql_kind kind;
	int64_t most; /* UTF-16 units of a text; 0: any */
	bool wide;    /* an integer of 64 bits */
	bool nocase;  /* its collation is TSQL_NOCASE */
	bool binary;  /* … TSQL_BINARY; neither: that of the database */
	bool computed;
};

struct tsql_scope {
	const char *table; /* its name in the expression */
	const struct tsql_column *columns;
	size_t count;
};

struct tsql_result {
	bool unique;	  /* in: of an index that is unique, so that what is equal matters */
	int32_t verdict;  /* enum etl_verdict */
	const char *note; /* of an approximation, a constant */
	enum tsql_kind kind;
	int64_t most;	/* of a text: UTF-16 units at most; 0: any */
	bool strict;	/* it is NULL exactly where one of its columns is */
	char why[200]; /* when it cannot be said */
};

/*
 * SQL, as a value of kind WANT (TSQL_NONE: any), is added to RET: 1. 0: it cannot be said, and RESULT->why has a
 * sentence; ETL_FAILED: no memory. RET is then as it was. In a filter only what CREATE INDEX takes there is said.
 */
int tsql_from_sqlite(const struct tsql_scope *, const char *sql, enum tsql_use, enum tsql_kind want,
		     struct etl_text *ret, struct tsql_result *result);

#endif
