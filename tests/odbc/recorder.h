/*
 * An ODBC driver for the tests: it says that it is a driver of SQL Server, writes down every statement and every value that
 * comes, and answers as a script says. It has the faults that real drivers have: a text declared shorter than it is gets
 * its end cut off without a word, half a character wedges the connection, a date structure of a year before 1601 is wrong by a
 * day, bulk copy overruns its buffer at 4096 bytes. So a test sees what would have been lost.
 *
 * Keys of the connection string: Script and Record, two files. A script is a list of rules,
 *
 *	on TEXT			the statements with this text in them; "connect"; "SQLTables", …; "row 2|NULL": a row that comes;
 *				"behind": when a prepared statement is asked for what comes behind its first answer
 *	  after N		leaves the first N out
 *	  times N		is for so many; 0: all; 1 when not said
 *	  error STATE NUMBER WORDS	fails
 *	  info STATE NUMBER WORDS	succeeds with this beside it
 *	  bad R …		of an array, these rows fail, from 1; the others are in, those behind them too
 *	  took N		it says that it took N rows, whatever came
 *	  gone			the connection is lost with it: nothing was done
 *	  done			… but before that it was done; likewise with "error"
 *	  rolled_back		the server took the transaction back
 *	  columns NAME:TYPE:SIZE …	of what it returns; TYPE as ODBC numbers them; _ is a blank
 *	  row A|B		a row; NULL; *N WORD is WORD N times
 *
 * and of settings: "name WORD" and "version WORD" of the driver, "server WORDS", "getdata N", "counts N"
 * (SQLRowCount says N, whatever was done). The first rule that
 * fits and is not used up answers. The record has a line for each thing, after the connection's number:
 *
 *	1 token BYTES TEXT (SQL_COPT_SS_ACCESS_TOKEN, that was set before)  1 connect …  1 sql …  1 loose sql … (it changes something, in no transaction)  1 prepared SQL (on the server: when
 *	it is executed first, and, as FreeTDS does it, when a parameter was bound since)  1 failed STATE NUMBER  1 row A|B (sent)  1 kept TABLE A|B (in a transaction that was committed, or
 *	in none: 1 loose TABLE A|B)
 */
#ifndef TESTS_ODBC_RECORDER_H
#define TESTS_ODBC_RECORDER_H

#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sql.h>
#include <sqlext.h>

#define MAX_COLUMNS 64
#define MAX_DIAGS   4
#define MAX_BAD	    16
#define MAX_PARAMETERS 2100 /* SQL Server's */

struct line {
	char *text;
	struct line *next;
};

struct column {
	char name[64];
	int type, size;
};

struct rule {
	char *text;
	long after, times, seen;
	char state[6];
	int native;
	char *words;
	bool fails, gone, done, rolled_back;
	bool says_took;
	long took;
	long bad[MAX_BAD];
	size_t bad_count;
	struct column columns[MAX_COLUMNS];
	size_t column_count;
	struct line *rows, **rows_end;
	struct rule *next;
};

struct diag {
	char state[6];
	int native;
	char words[400];
};

enum kind { KIND_ENV, KIND_DBC, KIND_STMT };

/* What every handle begins with. */
struct handle {
	enum kind kind;
	struct diag diags[MAX_DIAGS];
	size_t diag_count;
};

struct env {
	struct handle handle;
};

struct bulk;

struct dbc {
	struct handle handle;
	int number;
	bool connected, dead, wedged, bcp, implicit;
	char *token; /* SQL_COPT_SS_ACCESS_TOKEN as it came before the connection was made, in words; or NULL */
	bool marked; /* in this transaction */
	char unit[17]; /* that was written down in this transaction */
	long transactions;
	struct line *kept, **kept_end; /* rows of the transaction */
	struct line **saved;	       /* their end at its savepoint */
	struct bulk *bulk;
};

struct parameter {
	SQLSMALLINT c_type, sql_type;
	SQLULEN size;
	char *values;
	SQLLEN width, *lengths;
};

struct bound {
	SQLSMALLINT c_type;
	char *values;
	SQLLEN width, *lengths;
};

struct stmt {
	struct handle handle;
	struct dbc *dbc;
	char *sql;
	struct parameter parameters[MAX_PARAMETERS];
	size_t parameter_count;
	bool prepared, moved; /* by SQLPrepare; and a parameter was bound since the server was told of it */
	bool behind;	      /* it was executed, and SQLMoreResults was not yet asked */
	SQLULEN paramset, *processed;
	SQLUSMALLINT *param_status;
	/* The answer. */
	struct column columns[MAX_COLUMNS];
	size_t column_count;
	struct line *rows, *row;   /* all of them, owned; the one it stands on */
	struct line *block, *next; /* the first of the block; of the next block */
	bool open;
	SQLLEN count;
	int got_column;
	size_t got;
	struct bound bound[MAX_COLUMNS];
	SQLULEN array, *fetched;
	SQLUSMALLINT *row_status;
	int descriptors[4];
};

/* script.c */
bool script_open(const char *script, const char *record);
const char *script_name(void);
const char *script_version(void);
const char *script_server(void);
long script_getdata(void);
/* What SQLRowCount says whatever was done; false: what was done. */
bool script_counts(long *ret);
/* The rule that answers TEXT now, or NULL. */
struct rule *script_answer(const char *text);
void record(const struct dbc *, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* words.c */
char *narrow(const SQLWCHAR *wide, SQLINTEGER units, bool *ret_half);
/* As many units as fit into ROOM, with a NUL; how many there are. */
size_t widen(const char *text, SQLWCHAR *to, size_t room);
char *join(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A field of a row of a script, and whether it is NULL; to be freed. */
char *field(const char *row, size_t column, bool *ret_null);
void add_line(struct line ***end, const char *text);
void free_lines(struct line *);
/* A value as the record has it; what is long, by its beginning and its length. To be freed. */
char *shown(const char *bytes, size_t size, bool binary);

/* handles.c */
void clear(struct handle *);
SQLRETURN fail(struct handle *, const char *state, int native, const char *words);
void say(struct handle *, const char *state, int native, const char *words);
/* A transaction ended: its rows are kept, or not. */
void end_transaction(struct dbc *, bool commit);
/* A row is in TABLE. */
void keep(struct dbc *, const char *table, const char *row);

/* bulk.c */
SQLRETURN bulk_attribute(struct dbc *, SQLINTEGER attribute, void *value);
void bulk_free(struct bulk *);

#endif
