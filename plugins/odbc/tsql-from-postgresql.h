/*
 * The plain expressions of PostgreSQL's catalog as SQLite's SQL, from which tsql-from-sqlite.h goes on: constants with
 * their casts, comparisons, IN as it is kept (= ANY (ARRAY[…])), now(). Where the two mean something else, it is refused.
 */
#ifndef ODBC_TSQL_FROM_POSTGRESQL_H
#define ODBC_TSQL_FROM_POSTGRESQL_H

#include <stdbool.h>
#include <stddef.h>

struct etl_text;

/* False: it cannot be said, and WHY has a sentence, or RET has failed. */
bool tsql_from_postgresql(const char *sql, struct etl_text *ret, char *why, size_t size);

#endif
