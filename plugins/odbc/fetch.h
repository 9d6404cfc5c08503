/*
 * Rows of a result in blocks, column by column: each column has a buffer for its values and says how long each is. What
 * may be longer than its buffer is asked for once more, alone.
 */
#ifndef ODBC_FETCH_H
#define ODBC_FETCH_H

#include "shape.h"

enum fetch_form { FETCH_INT, FETCH_REAL, FETCH_TEXT, FETCH_BYTES };

struct fetch_column {
	int32_t form; /* enum fetch_form */
	SQLLEN width; /* bytes of a value's place */
	char *values;
	SQLLEN *lengths;
	struct etl_text whole; /* a value that was asked for alone; its bytes */
	int64_t whole_row;     /* whose it is; -1: nobody's */
	bool whole_null;
};

struct fetch {
	struct etl_instance *inst;
	SQLHSTMT stmt;
	struct fetch_column *columns;
	size_t count;
	bool one_by_one; /* the driver gives long values only of a row that stands alone */
	SQLULEN room;	 /* rows of a block */
	SQLULEN rows;	 /* of this one */
	SQLUSMALLINT *status;
	SQLULEN at; /* the row it stands on */
	size_t next; /* one by one: the first column of the row that was not asked for; they come in their order */
};

/* FORMS beside the columns of SHAPE, those of a result that STMT will have. */
int fetch_open(struct fetch *, struct etl_instance *, SQLHSTMT, const struct odbc_shape *shape,
	       const int32_t *forms, struct etl_error *);
void fetch_close(struct fetch *);
/* The statement was executed once more; its rows are as those before. */
void fetch_again(struct fetch *);
/* Stands on one more row? 1, 0, or a negative enum etl_status. */
int fetch_next(struct fetch *, struct etl_error *);
/* Of the row it stands on: a value, valid until the next call for this column. *RET_SIZE -1: NULL. */
int fetch_value(struct fetch *, size_t column, const void **ret, int64_t *ret_size,
		struct etl_error *);

#endif
