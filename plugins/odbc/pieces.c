/*
 * A value piece by piece. Some drivers make all of it anew for every piece that they give, so that pieces of one size would
 * cost the square of its length: each is as long as all before it together.
 */
#include "config.h"

#include <stdlib.h>

#include "odbc.h"

#define FIRST 8192	 /* bytes */
#define MOST  (16 << 20) /* bytes of a piece */

struct buffer {
	char first[FIRST];
	char *grown; /* or NULL: FIRST is enough so far */
	size_t room;
};

/* For the next piece, for which all that has come is a measure. */
static bool make_room(struct buffer *b, size_t so_far)
{
	char *larger;

	if (so_far <= FIRST || b->room >= MOST)
		return true;
	b->room = so_far < MOST ? so_far & ~(sizeof(SQLWCHAR) - 1) : MOST;
	larger = realloc(b->grown, b->room);
	if (larger)
		b->grown = larger;
	return larger != NULL;
}

static bool is_fixed(SQLSMALLINT type)
{
	return type == SQL_C_SBIGINT || type == SQL_C_DOUBLE;
}

/* The driver has said CODE and LENGTH of a piece with room for SIZE bytes of the value. */
static bool is_last(const struct odbc_pieces *p, SQLRETURN code, SQLLEN length, size_t size)
{
	return code == SQL_SUCCESS || (p->fitted_is_all && length >= 0 && (size_t)length <= size);
}

/* One piece, appended. 1: it was the last. */
static int take(const struct odbc_pieces *p, struct buffer *b, SQLLEN *before, struct etl_text *ret, bool *ret_null,
		struct etl_error *err)
{
	size_t size = b->room - (p->type == SQL_C_WCHAR ? sizeof(SQLWCHAR) : 0); /* its NUL is no part of it */
	char *piece = b->grown ? b->grown : b->first;
	SQLLEN length = 0;
	SQLRETURN code = SQLGetData(p->stmt, (SQLUSMALLINT)p->column, p->type, piece, (SQLLEN)b->room, &length);

	if (code == SQL_NO_DATA)
		return 1;
	if (!SQL_SUCCEEDED(code))
		return odbc_fail(p->inst, SQL_HANDLE_STMT, p->stmt, err, "column %d", p->column);
	*ret_null = length == SQL_NULL_DATA;
	if (*ret_null)
		return 1;
	/* FreeTDS gives the same piece of a sql_variant for ever. */
	if (length != SQL_NO_TOTAL && length == *before && !is_last(p, code, length, size))
		return p->inst->host->fail(err, ETL_FATAL, NULL, 0,
					   "the driver %s does not go on in column %d of a result; a query can give its value in another "
					   "type",
					   p->inst->driver, p->column);
	*before = length;
	if (is_fixed(p->type))
		size = sizeof(int64_t);
	else if (length >= 0 && (size_t)length < size)
		size = (size_t)length;
	etl_text_add_bytes(ret, piece, size);
	return is_last(p, code, length, size);
}

int odbc_collect(const struct odbc_pieces *p, struct etl_text *ret, bool *ret_null, struct etl_error *err)
{
	struct buffer b = { .room = FIRST };
	SQLLEN before = SQL_NO_TOTAL;
	int rc;

	ret->length = 0;
	*ret_null = false;
	while ((rc = take(p, &b, &before, ret, ret_null, err)) == 0)
		if (ret->failed || !make_room(&b, ret->length))
			break;
	free(b.grown);
	return rc < 0 ? rc : rc == 0 || ret->failed ? odbc_no_memory(p->inst, err) : ETL_OK;
}
