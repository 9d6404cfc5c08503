/*
 * Blocks of rows. A driver that can give a long value of any row of a block (SQL_GD_BLOCK with SQL_GD_BOUND) is asked for
 * blocks always; another one only where every value is known to fit, and else gives one row at a time.
 */
#include "config.h"

#include <stdlib.h>

#include "fetch.h"

#define BLOCK_BYTES  (1 << 20) /* of all buffers */
#define BLOCK_ROWS   2048
#define GUESS	     256  /* units or bytes of a value whose length nobody knows */
#define SMALL_BUFFER 64	  /* bytes: of a value of fixed size, as text too */

/* ---- Opening -------------------------------------------------------------------------------------------- */

static SQLSMALLINT c_type(int32_t form)
{
	switch (form) {
	case FETCH_INT:
		return SQL_C_SBIGINT;
	case FETCH_REAL:
		return SQL_C_DOUBLE;
	case FETCH_BYTES:
		return SQL_C_BINARY;
	default:
		return SQL_C_WCHAR;
	}
}

/* Bytes of a value's place, and whether every value fits. */
static SQLLEN width_of_column(const struct etl_instance *inst, const struct odbc_column *c, int32_t form,
			      bool *ret_fits)
{
	SQLULEN most = odbc_bound_of(inst->dialect, c);
	int64_t length;
	struct etl_type_info type = odbc_type_of(inst->dialect, c, &length);

	*ret_fits = true;
	if (form == FETCH_INT || form == FETCH_REAL)
		return 8;
	if (form == FETCH_TEXT && type.type != ETL_TEXT && type.type != ETL_JSON && type.type != ETL_BYTES &&
	    type.type != ETL_NUMERIC)
		return SMALL_BUFFER * (SQLLEN)sizeof(SQLWCHAR);
	*ret_fits = most > 0;
	if (most == 0)
		most = GUESS;
	/* A character outside the first plane is two units, and drivers differ in which they count. */
	return form == FETCH_TEXT ? (SQLLEN)((2 * most + 1) * sizeof(SQLWCHAR)) : (SQLLEN)most;
}

static bool gives_pieces_of_blocks(const struct etl_instance *inst)
{
	SQLUINTEGER need = SQL_GD_BLOCK | SQL_GD_BOUND | SQL_GD_ANY_COLUMN;

	return (inst->getdata & need) == need;
}

static int set(struct fetch *f, SQLINTEGER attribute, const void *value, struct etl_error *err)
{
	if (!SQL_SUCCEEDED(SQLSetStmtAttrW(f->stmt, attribute, (SQLPOINTER)(uintptr_t)value, 0)))
		return odbc_fail(f->inst, SQL_HANDLE_STMT, f->stmt, err, "reading in blocks");
	return ETL_OK;
}

static int bind(struct fetch *f, size_t i, struct etl_error *err)
{
	struct fetch_column *c = &f->columns[i];

	c->values = calloc(f->room, (size_t)c->width);
	c->lengths = calloc(f->room, sizeof(*c->lengths));
	if (!c->values || !c->lengths)
		return odbc_no_memory(f->inst, err);
	if (!SQL_SUCCEEDED(SQLBindCol(f->stmt, (SQLUSMALLINT)(i + 1), c_type(c->form), c->values, c->width,
				      c->lengths)))
		return odbc_fail(f->inst, SQL_HANDLE_STMT, f->stmt, err, "column %zu", i + 1);
	return ETL_OK;
}

static int set_up(struct fetch *f, struct etl_error *err)
{
	int rc = ETL_OK;

	f->status = calloc(f->room, sizeof(*f->status));
	if (!f->status)
		return odbc_no_memory(f->inst, err);
	if (f->one_by_one)
		return ETL_OK;
	rc = set(f, SQL_ATTR_ROW_BIND_TYPE, (const void *)SQL_BIND_BY_COLUMN, err);
	if (rc == ETL_OK)
		rc = set(f, SQL_ATTR_ROW_ARRAY_SIZE, (const void *)(uintptr_t)f->room, err);
	if (rc == ETL_OK)
		rc = set(f, SQL_ATTR_ROW_STATUS_PTR, f->status, err);
	if (rc == ETL_OK)
		rc = set(f, SQL_ATTR_ROWS_FETCHED_PTR, &f->rows, err);
	for (size_t i = 0; rc == ETL_OK && i < f->count; i++)
		rc = bind(f, i, err);
	return rc;
}

int fetch_open(struct fetch *f, struct etl_instance *inst, SQLHSTMT stmt,
	       const struct odbc_shape *shape, const int32_t *forms, struct etl_error *err)
{
	SQLLEN row = 0;
	bool all_fit = true;

	*f = (struct fetch){ .inst = inst, .stmt = stmt, .count = shape->count };
	f->columns = calloc(shape->count + 1, sizeof(*f->columns));
	if (!f->columns)
		return odbc_no_memory(inst, err);
	for (size_t i = 0; i < shape->count; i++) {
		bool fits;

		f->columns[i].form = forms[i];
		f->columns[i].width = width_of_column(inst, &shape->columns[i], forms[i], &fits);
		f->columns[i].whole_row = -1;
		row += f->columns[i].width + (SQLLEN)sizeof(SQLLEN);
		all_fit &= fits;
	}
	f->one_by_one = !all_fit && !gives_pieces_of_blocks(inst);
	f->room = f->one_by_one ? 1 : (SQLULEN)(BLOCK_BYTES / (row ? row : 1));
	f->room = f->room > BLOCK_ROWS ? BLOCK_ROWS : f->room ? f->room : 1;
	return set_up(f, err);
}

void fetch_close(struct fetch *f)
{
	for (size_t i = 0; f->columns && i < f->count; i++) {
		free(f->columns[i].values);
		free(f->columns[i].lengths);
		etl_text_free(&f->columns[i].whole);
	}
	free(f->columns);
	free(f->status);
	f->columns = NULL;
	f->status = NULL;
}

/* ---- Rows --------------------------------------------------------------------------------------------------- */

static int fetch_block(struct fetch *f, struct etl_error *err)
{
	SQLRETURN code = SQLFetch(f->stmt);

	f->at = 0;
	f->next = 0;
	if (code == SQL_NO_DATA) {
		f->rows = 0;
		return 0;
	}
	if (!SQL_SUCCEEDED(code))
		return odbc_fail(f->inst, SQL_HANDLE_STMT, f->stmt, err, "the next rows");
	if (f->one_by_one)
		f->rows = 1;
	for (size_t i = 0; i < f->count; i++)
		f->columns[i].whole_row = -1;
	/* One bad row of a block is no reason for the driver to fail. */
	for (SQLULEN i = 0; !f->one_by_one && i < f->rows; i++)
		if (f->status[i] == SQL_ROW_ERROR)
			return odbc_fail(f->inst, SQL_HANDLE_STMT, f->stmt, err, "row %lu of the block",
					 (unsigned long)i + 1);
	return 1;
}

void fetch_again(struct fetch *f)
{
	f->rows = 0;
	f->at = 0;
}

int fetch_next(struct fetch *f, struct etl_error *err)
{
	if (f->rows > 0 && f->at + 1 < f->rows) {
		f->at++;
		return 1;
	}
	return fetch_block(f, err);
}

/* ---- Values ------------------------------------------------------------------------------------------------- */

static int collect(struct fetch *f, size_t column, struct etl_error *err)
{
	struct fetch_column *c = &f->columns[column];
	struct odbc_pieces pieces = { f->inst, f->stmt, (int)column + 1, c_type(c->form), false };

	c->whole_row = (int64_t)f->at;
	return odbc_collect(&pieces, &c->whole, &c->whole_null, err);
}

static int stand_on(struct fetch *f, struct etl_error *err)
{
	if (f->one_by_one || f->room == 1)
		return ETL_OK;
	if (!SQL_SUCCEEDED(SQLSetPos(f->stmt, (SQLSETPOSIROW)(f->at + 1), SQL_POSITION, SQL_LOCK_NO_CHANGE)))
		return odbc_fail(f->inst, SQL_HANDLE_STMT, f->stmt, err, "a long value");
	return ETL_OK;
}

static int alone(struct fetch *f, size_t column, const void **ret, int64_t *ret_size, struct etl_error *err)
{
	struct fetch_column *c = &f->columns[column];
	int rc = ETL_OK;

	for (; f->one_by_one && rc == ETL_OK && f->next <= column; f->next++)
		rc = collect(f, f->next, err);
	if (rc == ETL_OK && c->whole_row != (int64_t)f->at) {
		rc = stand_on(f, err);
		if (rc == ETL_OK)
			rc = collect(f, column, err);
	}
	if (rc < 0)
		return rc;
	*ret = c->whole.at ? c->whole.at : "";
	*ret_size = c->whole_null ? -1 : (int64_t)c->whole.length;
	return ETL_OK;
}

int fetch_value(struct fetch *f, size_t column, const void **ret, int64_t *ret_size,
		struct etl_error *err)
{
	struct fetch_column *c = &f->columns[column];
	SQLLEN length, end = c->form == FETCH_TEXT ? (SQLLEN)sizeof(SQLWCHAR) : 0;

	if (f->one_by_one)
		return alone(f, column, ret, ret_size, err);
	length = c->lengths[f->at];
	*ret = c->values + (SQLLEN)f->at * c->width;
	if (length == SQL_NULL_DATA) {
		*ret_size = -1;
		return ETL_OK;
	}
	if (c->form == FETCH_INT || c->form == FETCH_REAL)
		length = 8;
	else if (length == SQL_NO_TOTAL || length > c->width - end)
		return alone(f, column, ret, ret_size, err);
	*ret_size = length;
	return ETL_OK;
}
