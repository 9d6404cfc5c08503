/*
 * What the files that read T-SQL's catalog share. Objects and columns are known by the numbers of the server, so that a
 * name stands in one place: Babelfish keeps the case of a name elsewhere than in sys.objects.
 */
#ifndef ODBC_DESCRIBE_TSQL_H
#define ODBC_DESCRIBE_TSQL_H

#include "describe.h"

#define TSQL_FIELDS 20 /* the most columns of a question */
#define TSQL_NOTES  10 /* names shown of one kind of what is not carried */

struct tsql_catalog {
	struct odbc_describing *d;
	bool babelfish;
	bool all;	 /* everything was asked for */
	size_t numbered; /* the first objects have numbers, in their order */
	int64_t only;	 /* the number of the one that was asked for; 0: all */
	struct etl_text left; /* what is not carried, by kind */
	const char *left_kind;
	size_t left_count;
};

/* One row of an answer: texts, NULL for NULL, in the memory of the description. */
typedef int tsql_take(struct tsql_catalog *, char *const *row);

/* Asks SQL, whose answer has COUNT columns. */
int tsql_each(struct tsql_catalog *, const char *sql, int count, tsql_take *take);
/* SQL with "WHERE …" for tables (and views, when VIEWS) that were asked for, then ORDER. */
int tsql_each_of(struct tsql_catalog *, const char *sql, bool views, const char *order, int count, tsql_take *take);
struct odbc_object *tsql_object(struct tsql_catalog *, const char *id);
/* The name of a column by its number, or NULL. */
const char *tsql_column(const struct odbc_object *, const char *id);
bool tsql_flag(const char *text);
/* An expression without the parentheses that stand around all of it. */
char *tsql_bare(struct tsql_catalog *, const char *sql);
/* The text that SQL, which is freed, asks for, bare; NULL: the server does not tell. It may end the view (pin.h). */
char *tsql_ask_text(struct tsql_catalog *, struct etl_text *sql);
/* Is not carried, and is named when all is read; O: of which table, when that says whether it was asked for. */
void tsql_left(struct tsql_catalog *, const struct odbc_object *o, const char *kind, const char *name);

/* describe-tsql-names.c: names as they were given, where the server's catalog has them in lower case. */
int tsql_true_names(struct tsql_catalog *);
/* The name of an index; Babelfish adds a digest to it. */
const char *tsql_index_name(struct tsql_catalog *, const struct odbc_object *, const char *name);
/* describe-tsql-keys.c */
int tsql_keys(struct tsql_catalog *);
/* describe-tsql-other.c */
int tsql_checks(struct tsql_catalog *);
int tsql_others(struct tsql_catalog *);

#endif
