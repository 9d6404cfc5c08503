/* See bind.h. An INSERT of one row or several, prepared, and what a statement says that did not go as it should. */
#include "config.h"

#include <stdlib.h>

#include "bind.h"

#define SHORT_TEXT (BIND_SHORT_BYTES / (SQLLEN)sizeof(SQLWCHAR)) /* UTF-16 units that a driver sends as nvarchar(n) */

/* ---- Prepared --------------------------------------------------------------------------------------------------- */

int statement_prepare(struct bind *b, struct bind_statement *s, int64_t rows, struct etl_error *err)
{
	struct etl_text sql = { 0 };
	SQLWCHAR *wide = NULL;
	size_t units = 0;
	int rc = odbc_statement(b->inst, &s->stmt, err);

	if (rc < 0)
		return rc;
	etl_text_add(&sql, b->head);
	for (int64_t i = 0; i < rows; i++)
		etl_text_addf(&sql, "%s%s", i ? ", " : " ", b->row);
	if (!sql.failed)
		wide = odbc_wide(sql.at, sql.length, &units);
	s->rows = rows;
	s->bound = calloc(b->count + 1, sizeof(*s->bound));
	if (!wide || !s->bound)
		rc = odbc_no_memory(b->inst, err);
	else if (!SQL_SUCCEEDED(SQLPrepareW(s->stmt, wide, (SQLINTEGER)units)))
		rc = odbc_fail(b->inst, SQL_HANDLE_STMT, s->stmt, err, "sending rows");
	free(wide);
	etl_text_free(&sql);
	return rc;
}

void statement_close(struct bind *b, struct bind_statement *s)
{
	if (s->stmt != SQL_NULL_HSTMT)
		odbc_done(b->inst, s->stmt);
	free(s->bound);
	*s = (struct bind_statement){ 0 };
}

/* ---- Bound ------------------------------------------------------------------------------------------------------ */

static SQLSMALLINT c_type(const struct bind_column *c)
{
	static const SQLSMALLINT types[] = { [BIND_INT] = SQL_C_SBIGINT,
					     [BIND_REAL] = SQL_C_DOUBLE,
					     [BIND_BIT] = SQL_C_BIT,
					     [BIND_TEXT] = SQL_C_WCHAR,
					     [BIND_BYTES] = SQL_C_BINARY };

	return types[c->form];
}

/* The type that the driver declares to the server; what is longer than a short one has goes as a long one, which no driver
 * cuts. *RET_SIZE: units or bytes. */
static SQLSMALLINT sql_type(const struct bind_column *c, SQLULEN *ret_size)
{
	SQLULEN units = (SQLULEN)c->width / sizeof(SQLWCHAR);

	switch (c->form) {
	case BIND_INT:
		*ret_size = 19;
		return SQL_BIGINT;
	case BIND_REAL:
		*ret_size = 53;
		return SQL_DOUBLE;
	case BIND_BIT:
		*ret_size = 1;
		return SQL_BIT;
	case BIND_TEXT:
		*ret_size = units ? units : 1;
		return units <= SHORT_TEXT ? SQL_WVARCHAR : SQL_WLONGVARCHAR;
	default:
		*ret_size = c->width ? (SQLULEN)c->width : 1;
		return c->width <= BIND_SHORT_BYTES ? SQL_VARBINARY : SQL_LONGVARBINARY;
	}
}

static int bind_column(struct bind *b, struct bind_statement *s, size_t i, int64_t first, int64_t stride, struct etl_error *err)
{
	struct bind_column *c = &b->columns[i];
	SQLULEN size;
	SQLSMALLINT type = sql_type(c, &size);

	for (int64_t r = 0; r < s->rows; r++) {
		int64_t at = first + r * stride;

		if (!SQL_SUCCEEDED(SQLBindParameter(s->stmt, (SQLUSMALLINT)((size_t)r * b->count + i + 1), SQL_PARAM_INPUT,
						    c_type(c), type, size, 0, c->values + at * c->width, c->width,
						    c->lengths + at)))
			return odbc_fail(b->inst, SQL_HANDLE_STMT, s->stmt, err, "column \"%s\"", c->column->name);
	}
	return ETL_OK;
}

/* FreeTDS prepares a statement anew when a parameter is bound, though it be as before: only what moved. */
int statement_bind(struct bind *b, struct bind_statement *s, int64_t first, int64_t stride, struct etl_error *err)
{
	/* libsqliteodbc keeps the length that a binary had when it was bound. */
	bool anew = b->inst->dialect == &odbc_sqlite;
	int rc = ETL_OK;

	for (size_t i = 0; rc == ETL_OK && i < b->count; i++) {
		const struct bind_column *c = &b->columns[i];
		struct bind_place now = { c->values + first * c->width, c->lengths + first, c->width, stride }, *was = &s->bound[i];

		if (!anew && was->at == now.at && was->lengths == now.lengths && was->width == now.width &&
		    was->stride == now.stride)
			continue;
		*was = now;
		rc = bind_column(b, s, i, first, stride, err);
	}
	return rc;
}

/* ---- What it said ----------------------------------------------------------------------------------------------- */

/* Success, and something beside it: that the end of a value was cut off? */
bool bind_was_cut(SQLSMALLINT handle_type, SQLHANDLE handle, SQLRETURN code)
{
	static const char *const cut[] = { "01004", "01S07", "22001" };
	SQLWCHAR state[6];

	for (SQLSMALLINT i = 1; code == SQL_SUCCESS_WITH_INFO; i++) {
		char text[6] = "";

		if (!SQL_SUCCEEDED(SQLGetDiagRecW(handle_type, handle, i, state, NULL, NULL, 0, NULL)))
			return false;
		for (int c = 0; c < 5; c++)
			text[c] = (char)(state[c] & 0x7f);
		for (size_t k = 0; k < sizeof(cut) / sizeof(*cut); k++)
			if (strcmp(text, cut[k]) == 0)
				return true;
	}
	return false;
}

int bind_said(struct bind *b, SQLHSTMT stmt, SQLRETURN code, struct odbc_said *said, struct etl_error *err)
{
	odbc_listen(b->inst, SQL_HANDLE_STMT, stmt, said);
	if (bind_was_cut(SQL_HANDLE_STMT, stmt, code))
		said->klass = ETL_DATA;
	SQLFreeStmt(stmt, SQL_CLOSE);
	/* Rows that failed without a word: a driver that says success all the same. */
	if (said->klass == ETL_DATA || (SQL_SUCCEEDED(code) && !*said->sqlstate))
		return 0;
	return odbc_tell(b->inst, said, err, "sending rows");
}
