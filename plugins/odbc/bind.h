/*
 * Parameters of an INSERT, column by column, for as many rows at once as fit: the driver takes a whole array of statements in one
 * round trip. Every value is bound in a form in which no driver cuts it (a long text as a long type, a date as ISO text).
 */
#ifndef ODBC_BIND_H
#define ODBC_BIND_H

#include <iconv.h>

#include "rows.h"
#include "target.h"

#define BIND_ROWS	 1000	   /* of an array at most */
#define BIND_SEVERAL	 8	   /* of a statement in an array, at most */
#define BIND_ROOM	 (4 << 20) /* bytes of the places of an array, when nothing asks for less */
#define MANY_ROOM	 (1 << 20) /* of a statement of many rows: psqlODBC makes several times as much of it */
#define BIND_SHORT_BYTES 8000	   /* what is longer goes as a long type, which no driver cuts */

enum bind_form { BIND_INT, BIND_REAL, BIND_BIT, BIND_TEXT, BIND_BYTES };
enum bind_old { BIND_DATETIME = 1, BIND_SMALLDATETIME }; /* T-SQL's older types of moments */

struct bind_column {
	const struct etl_column *column; /* of the target */
	int32_t form;			 /* enum bind_form */
	int64_t most; /* UTF-16 units (of PostgreSQL: characters) or bytes that the column takes; 0: any */
	int32_t old;  /* enum bind_old, or 0 */
	bool narrow, has_page; /* a text of a code page, in T-SQL; it is one that is known here */
	bool wide;	       /* of one or two bytes a character */
	iconv_t page, back;
	int64_t step; /* of a moment in T-SQL, in microseconds; 0: any */
	SQLLEN width;	   /* bytes of a value's place, of this array */
	SQLLEN need, next; /* what its rows need, and with the next one */
	char *values;
	size_t room;
	SQLLEN *lengths;
};

/* An INSERT of so many rows, prepared; all zeros: not yet. */
struct bind_statement {
	SQLHSTMT stmt;
	int64_t rows;
	struct bind_place {
		const char *at;
		const SQLLEN *lengths;
		SQLLEN width;
		int64_t stride;
	} *bound; /* of each column, where the driver was told that the values and their lengths are; all zeros: not yet */
};

struct many;

struct bind {
	struct etl_instance *inst;
	const char *head, *row; /* of the INSERT: HEAD ROW, ROW … */
	struct bind_column *columns;
	size_t count;
	SQLULEN most;	      /* rows of an array */
	SQLLEN room;	      /* bytes of its places: what decides how many rows go at once, beside that; one always goes */
	int64_t places;	      /* rows for which there are places */
	int64_t several;      /* rows of a statement, of which an array has many; those that fill none go by one of one */
	struct bind_statement of_several, of_one;
	SQLUSMALLINT *status; /* of each statement of the last array */
	SQLULEN done;	      /* statements of it that the driver looked at */
	uint64_t bytes;	      /* of values, so far */
	struct many *many;    /* many rows to a statement (bind-many.c), and no arrays; NULL: arrays */
};

/* The columns of TABLE that come, in the order of SCHEMA. */
int bind_open(struct bind *, struct etl_instance *, const struct etl_table *, const struct ArrowSchema *,
	      struct etl_error *);
/* HEAD ROW is the statement that takes one row; HEAD ROW, ROW is another that takes two. They stay the caller's, and stay. */
void bind_insert(struct bind *, const char *head, const char *row);
/* The connection ends: statements that there are end before it, and begin anew on the next one. */
void bind_disconnect(struct bind *);
void bind_close(struct bind *);
/* NULL: the value can go; else the code of its reject, and why in WHY. */
const char *bind_check(const struct bind *, size_t column, const struct etl_column_view *, int64_t row,
		       struct etl_text *why);
/* ---- bind-array.c */
/*
 * Puts rows ROWS[0 .. count-1] of the batch into arrays and inserts them. ETL_OK: all are in. *RET_REFUSED: the server found
 * fault with a row, which is told as a reason to try again, one by one; what was sent is to be taken back.
 */
int bind_execute(struct bind *, const struct etl_view *, const int64_t *rows, int64_t count, bool *ret_refused,
		 struct etl_error *);
/* The same: 1 all are in, 0 the server found fault with a row and SAID why (its words the caller's to free), or negative. */
int bind_try(struct bind *, const struct etl_view *, const int64_t *rows, int64_t count, struct odbc_said *said,
	     struct etl_error *);
/* How many rows a statement of an array should have. */
int64_t array_several(const struct bind *);
/* One long text as the only parameter of SQL: 1, 0 as bind_try, or negative. */
int bind_document(struct etl_instance *, SQLHSTMT, const char *sql, const SQLWCHAR *text, size_t units,
		  struct odbc_said *said, struct etl_error *);

/* ---- bind-moment.c */
/* TYPE: of the column in T-SQL. */
void bind_moment_open(struct bind_column *, const char *type);
/* As bind_check. */
const char *bind_check_moment(const struct bind_column *, const struct etl_column_view *, int64_t row, struct etl_text *why);
/* ---- bind-page.c */
bool bind_page_is_narrow(const char *type);
/* TABLE, as it stands in SQL, tells the code pages; before rows are checked. */
int bind_page_open(struct bind *, const char *table, struct etl_error *);
void bind_page_close(struct bind_column *);
/* As bind_check. */
const char *bind_check_page(const struct bind_column *, const uint8_t *text, int64_t size, struct etl_text *why);

/* ---- bind-place.c */
/* Fills places with as many of COUNT rows as fit: how many; negative: no memory. */
int64_t bind_fill(struct bind *, const struct etl_view *, const int64_t *rows, int64_t count);
/* The first row of the first statement of several rows is at place 0, its second row as many places behind. */
int64_t bind_stride(const struct bind *);
/* The first of those that fill no statement of several rows. */
int64_t bind_place_of_rest(const struct bind *);

/* ---- bind-statement.c */
/* S is an INSERT of ROWS rows. */
int statement_prepare(struct bind *, struct bind_statement *s, int64_t rows, struct etl_error *);
/* Its first row is at place FIRST, each other STRIDE behind the one before. */
int statement_bind(struct bind *, struct bind_statement *s, int64_t first, int64_t stride, struct etl_error *);
void statement_close(struct bind *, struct bind_statement *s);
/* CODE is success, and the driver says beside it that it cut a value's end off: what was sent is to be taken back. */
bool bind_was_cut(SQLSMALLINT handle_type, SQLHANDLE, SQLRETURN code);
/* What a statement on STMT said that did not go as it should: 0, or negative, as bind_try. CODE is what it returned. */
int bind_said(struct bind *, SQLHSTMT stmt, SQLRETURN code, struct odbc_said *, struct etl_error *);

/*
 * ---- bind-many.c: an INSERT of as many rows as it may have parameters for
 *
 * Some drivers make a statement of each row of an array, which the server reads one by one. One with many rows is read once, for it is
 * prepared, for each number of rows, which are powers of two; the server takes all of them or none.
 */
/* How many rows a statement may have: 0 or 1, it is no use. */
int64_t many_rows(const struct bind *);
/* ROW: in a statement of many, which may be another one than that of one. */
int many_open(struct bind *, const char *row, struct etl_error *);
/* The first COUNT rows of the places: as bind_try. */
int many_send(struct bind *, int64_t count, struct odbc_said *said, struct etl_error *);
/* Its statements end. */
void many_disconnect(struct bind *);
void many_close(struct bind *);

#endif
