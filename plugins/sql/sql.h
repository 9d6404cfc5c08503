/*
 * What the files of the transform `sql` share: the input as SQLite sees it, one connection with its
 * query, and what the query makes of the input's columns.
 */
#ifndef SQL_SQL_H
#define SQL_SQL_H

#include <sqlite3.h>

#include <etlrun/helpers.h>

#include "spell.h"

#define SQL_INPUT "input" /* what the query calls the rows, beside the table's own name */

/* A pair of `types`. */
struct sql_type {
	const char *column, *text;
	struct etl_type_info type;
	int64_t length;
};

/* Texts are the configuration's, which lives as long. */
struct etl_instance {
	const struct etl_host *host;
	const struct etl_conf *conf;
	const char *query;
	bool whole; /* scope = "table" */
	struct sql_type *types;
	size_t type_count;
};

/* ---- The input (input.c) ---- */

struct sql_input_column {
	const char *name;
	struct etl_type_info type; /* as it comes, or is thought to come */
	const char *collation;	   /* or NULL */
	int64_t at;		   /* in the stream */
};

/* The columns of the table whose values come, and the rows that the virtual table shows now. */
struct sql_input {
	const char *table; /* its own name */
	struct sql_input_column *columns;
	size_t count;
	const struct etl_view *view; /* of the stream; NULL: no rows */
	int64_t first, last;	     /* the rows shown: first .. last-1 */
	int64_t row;		     /* where the scan stands; -1: it has not begun */
	const void *vtabs[2];	     /* as SQLite calls them, by their two names */
	size_t vtab_count;
};

/* What is left out: generated columns. STREAM gives the types and places; NULL: the table's own types. False:
 * no memory. */
bool sql_input_make(struct sql_input *, const struct etl_table *, const struct ArrowSchema *stream);
void sql_input_clear(struct sql_input *);
/* "CREATE TABLE NAME (…)" with the affinity that suits each column. STORED: of a table that keeps the values, which must not change them. */
void sql_input_ddl(const struct sql_input *, const char *name, bool stored, struct etl_text *);
/* Makes the input known to a connection as a virtual table of that name. */
int sql_input_module(sqlite3 *, const char *name, struct sql_input *);
/* Whether the table's own name can be used beside `input`; whether a name is one of the two. */
bool sql_input_has_alias(const struct sql_input *);
bool sql_input_is_called(const struct sql_input *, const char *name);

/* ---- Functions of our own (functions.c) ---- */

/* Makes md5, sha256 and json_finite known to a connection; an SQLite code. */
int sql_functions_open(sqlite3 *);

/* ---- Values (value.c) ---- */

/* A value on its way into SQLite: SQLITE_INTEGER, …, SQLITE_NULL. */
struct sql_value {
	int kind;
	bool is_nan; /* of kind SQLITE_NULL: a float that SQLite has no value for */
	int64_t whole;
	double real;
	const void *bytes;
	int64_t size;
	char scratch[SPELL_MAX];
};

void sql_value_read(struct sql_value *, const struct etl_column_view *, int64_t row);

/* The way of a value out of SQLite; `bytes` grows and is freed with sql_out_free. */
struct sql_out {
	uint8_t *bytes;
	size_t room;
};

/* Appends column AT of the row that STMT stands on, in the type of TO, exactly or not at all: NULL, or a code of
 * etl_convert. */
const char *sql_put(struct sql_out *, struct etl_column_builder *to, sqlite3_stmt *stmt, int at);
void sql_out_free(struct sql_out *);
/* The same value as a person reads it. */
void sql_add_value(struct etl_text *, struct sql_out *, sqlite3_stmt *, int at);

/* ---- The connection (engine.c) ---- */

#define SQL_DATES 6 /* functions of date and time that take modifiers */

/* One of them (dates.c). */
struct sql_date {
	struct sql_engine *engine;
	const char *name;
	sqlite3_stmt *call; /* with `count` arguments, on dates_db */
	int count;
};

struct sql_engine {
	const struct etl_instance *self;
	struct sql_input *input;
	sqlite3_vfs vfs; /* the default one without a clock */
	char vfs_name[64];
	bool registered;
	bool clock_asked;
	bool zone_asked; /* a date function was given 'localtime' or 'utc' */
	sqlite3 *dates_db; /* has SQLite's own date functions; NULL until one is called */
	struct sql_date dates[SQL_DATES];
	sqlite3 *db;
	sqlite3_stmt *stmt; /* the query */
	struct etl_error *err;
};

/* FILE: ":memory:", or "" for a file of its own that nobody sees. On failure the engine is closed. */
int sql_engine_open(struct sql_engine *, const struct etl_instance *, struct sql_input *,
		    const char *file, struct etl_error *);
void sql_engine_close(struct sql_engine *);
/* Runs statements of the plugin itself. */
int sql_engine_run(struct sql_engine *, const char *sql);
/* A failure of SQLite that is nobody's row: memory, disk, cancel. WHAT: "reading the query's rows". */
int sql_engine_fail(struct sql_engine *, const char *what);
/* Whether the last failure is about the values of a row. */
bool sql_engine_row_failed(int rc);
/* ETL_OK, or the failure when the query has asked for the time of day or the time zone. */
int sql_engine_clock(struct sql_engine *);

/* dates.c: where the query's modifiers are not known, date functions that tell when they are asked for the time zone.
 * A code of SQLite's. */
int sql_dates_open(struct sql_engine *);
void sql_dates_close(struct sql_engine *);

/* ---- The query (query.c, refuse.c) ---- */

enum sql_way {
	SQL_COPY, /* the input's value, by its row */
	SQL_TAKE  /* what SQLite gives, in the column's type */
};

struct sql_column {
	const char *name; /* sqlite3_column_name's, copied */
	int64_t from;	  /* the input's column that it is, unchanged; -1: an expression */
	int way;	  /* enum sql_way */
	struct etl_type_info type;
	const struct sql_type *given; /* of `types`, or NULL */
};

struct sql_query {
	struct sql_column *columns;
	size_t count;
	bool simple;	 /* one SELECT from the input alone: each row gives one row or none */
	bool mixed;	 /* a row that comes out need not be a row that came in */
	bool renumbered; /* so the rows that come out have ordinals of their own */
};

/* What was seen while SQLite read the query. */
struct sql_seen {
	struct sql_engine *engine;
	int selects;
	bool recursive;
	bool dates;		   /* a function of date and time */
	struct etl_text functions; /* names, each followed by a newline */
	struct etl_text tables;	   /* likewise, of which no column is read */
	struct etl_text refusal;   /* the first reason of the authorizer */
	int inputs, others;	   /* tables opened: the input, other virtual ones */
	bool steps;		   /* an aggregate or a window */
};

/* Reads the query into engine->stmt: refuses what its scope does not allow, and says what comes out. */
int sql_query_make(struct sql_engine *, struct sql_query *ret);
void sql_query_clear(struct sql_query *);
/* The words and functions that the scope does not allow, after SQLite has read the query. */
int sql_refuse(struct sql_engine *, const struct sql_seen *);
/* Before it: what an authorizer is to refuse. */
int sql_authorize(void *seen, int action, const char *a, const char *b, const char *c,
		  const char *d);
/* Whether a name stands in the query as a name, quoted or not. */
bool sql_names(const char *query, const char *name);

/* ---- The roles ---- */

int sql_derive(struct etl_instance *, const struct etl_table *in, struct etl_table_sink *,
	       struct etl_error *);

int sql_wrap(struct etl_instance *, const struct etl_wrap *, struct ArrowArrayStream *in,
	     struct ArrowArrayStream *out, struct etl_error *);

#endif
