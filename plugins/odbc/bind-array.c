/* See bind.h. */
#include "config.h"

#include <stdlib.h>

#include "bind.h"

/* What the return code says is not enough: a driver may say success where rows of the array failed. */
static bool all_went(const struct bind *b, SQLULEN rows)
{
	/* Of one row alone it is, and drivers that know no arrays say nothing else. */
	if (rows == 1 && b->status[0] == SQL_PARAM_UNUSED)
		return true;
	if (b->done != rows)
		return false;
	for (SQLULEN i = 0; i < rows; i++)
		if (b->status[i] != SQL_PARAM_SUCCESS && b->status[i] != SQL_PARAM_SUCCESS_WITH_INFO)
			return false;
	return true;
}

static void begin(struct bind *b, SQLHSTMT stmt, SQLULEN sets)
{
	for (SQLULEN i = 0; i < sets; i++)
		b->status[i] = SQL_PARAM_UNUSED;
	b->done = 0;
	odbc_running(b->inst, stmt);
}

static bool any_failed(const struct bind *b, SQLULEN sets)
{
	for (SQLULEN i = 0; i < sets; i++)
		if (b->status[i] == SQL_PARAM_ERROR)
			return true;
	return false;
}

/* To the end of what the server answers: a driver may tell of the array's later statements not before. SQL_NO_DATA: it is all
 * heard. */
static SQLRETURN hear_out(SQLHSTMT stmt)
{
	SQLRETURN code = SQL_SUCCESS;

	while (SQL_SUCCEEDED(code) && !bind_was_cut(SQL_HANDLE_STMT, stmt, code))
		code = SQLMoreResults(stmt);
	return code;
}

/* CODE is what the statement returned. 1: all are in; 0: the server found fault with a row, and SAID what; or negative. */
static int end(struct bind *b, SQLHSTMT stmt, SQLRETURN code, SQLULEN sets, struct odbc_said *said, struct etl_error *err)
{
	if ((SQL_SUCCEEDED(code) || code == SQL_NO_DATA) && !any_failed(b, sets) && !bind_was_cut(SQL_HANDLE_STMT, stmt, code)) {
		code = hear_out(stmt);
		if (code == SQL_NO_DATA && all_went(b, sets)) {
			SQLFreeStmt(stmt, SQL_CLOSE);
			return 1;
		}
		code = code == SQL_NO_DATA ? SQL_SUCCESS : code;
	}
	return bind_said(b, stmt, code, said, err);
}

static int set(struct bind *b, SQLHSTMT stmt, SQLINTEGER attribute, const void *value, struct etl_error *err)
{
	if (!SQL_SUCCEEDED(SQLSetStmtAttrW(stmt, attribute, (SQLPOINTER)(uintptr_t)value, 0)))
		return odbc_fail(b->inst, SQL_HANDLE_STMT, stmt, err, "sending rows in arrays");
	return ETL_OK;
}

static int set_pointers(struct bind *b, SQLHSTMT stmt, struct etl_error *err)
{
	int rc = set(b, stmt, SQL_ATTR_PARAM_STATUS_PTR, b->status, err);

	return rc == ETL_OK ? set(b, stmt, SQL_ATTR_PARAMS_PROCESSED_PTR, &b->done, err) : rc;
}

/* ---- Rows ------------------------------------------------------------------------------------------------------- */

/*
 * Where the server takes a call for each statement of an array it has less to do for the rows of one than for as many statements.
 * Measured with rows of four columns, FreeTDS 1.3.17 and Babelfish 4.3, microseconds a row: of one 140, two 97, four 74, eight 63, 20 57,
 * 40 60, 100 80. Where the driver makes a statement of each, there is bind-many.c.
 */
int64_t array_several(const struct bind *b)
{
	int64_t most = b->inst->dialect->most_parameters ? b->inst->dialect->most_parameters(b->inst) : 0, rows = BIND_SEVERAL;

	if (b->inst->dialect->arrays_loop)
		return 1;
	while (rows > 1 && rows * (int64_t)b->count > most)
		rows /= 2;
	return rows;
}

static int send_sets(struct bind *b, struct bind_statement *s, int64_t rows, int64_t first, int64_t sets,
		     struct odbc_said *said, struct etl_error *err)
{
	int rc = ETL_OK;

	if (s->stmt == SQL_NULL_HSTMT)
		rc = statement_prepare(b, s, rows, err);
	if (rc == ETL_OK)
		rc = set(b, s->stmt, SQL_ATTR_PARAM_BIND_TYPE, (const void *)SQL_PARAM_BIND_BY_COLUMN, err);
	if (rc == ETL_OK)
		rc = set(b, s->stmt, SQL_ATTR_PARAMSET_SIZE, (const void *)(uintptr_t)sets, err);
	if (rc == ETL_OK)
		rc = set_pointers(b, s->stmt, err);
	if (rc == ETL_OK)
		rc = statement_bind(b, s, first, rows > 1 ? bind_stride(b) : 1, err);
	if (rc < 0)
		return rc;
	begin(b, s->stmt, (SQLULEN)sets);
	return end(b, s->stmt, SQLExecute(s->stmt), (SQLULEN)sets, said, err);
}

static int send_array(struct bind *b, int64_t count, struct odbc_said *said, struct etl_error *err)
{
	int64_t sets = b->several > 1 ? count / b->several : 0, rest = count - sets * b->several;
	int rc = sets ? send_sets(b, &b->of_several, b->several, 0, sets, said, err) : 1;

	return rc == 1 && rest ? send_sets(b, &b->of_one, 1, bind_place_of_rest(b), rest, said, err) : rc;
}

static int send(struct bind *b, const struct etl_view *view, const int64_t *rows, int64_t count, int64_t *ret_sent,
		struct odbc_said *said, struct etl_error *err)
{
	*ret_sent = bind_fill(b, view, rows, count);
	if (*ret_sent < 0)
		return odbc_no_memory(b->inst, err);
	return b->many ? many_send(b, *ret_sent, said, err) : send_array(b, *ret_sent, said, err);
}

int bind_try(struct bind *b, const struct etl_view *view, const int64_t *rows, int64_t count, struct odbc_said *said,
	     struct etl_error *err)
{
	int rc = 1;

	for (int64_t at = 0, sent = 0; rc == 1 && at < count; at += sent)
		rc = send(b, view, rows + at, count - at, &sent, said, err);
	return rc;
}

int bind_execute(struct bind *b, const struct etl_view *view, const int64_t *rows, int64_t count, bool *ret_refused,
		 struct etl_error *err)
{
	struct odbc_said said;
	int rc = bind_try(b, view, rows, count, &said, err);

	*ret_refused = rc == 0;
	if (rc != 0)
		return rc < 0 ? rc : ETL_OK;
	said.klass = ETL_RETRY_STATEMENT;
	return odbc_tell(b->inst, &said, err, "sending rows");
}

/* ---- A document ------------------------------------------------------------------------------------------------- */

static int run_document(struct bind *b, SQLHSTMT stmt, const char *sql, struct odbc_said *said, struct etl_error *err)
{
	size_t units;
	SQLWCHAR *wide = odbc_wide(sql, strlen(sql), &units);
	SQLRETURN code;

	if (!wide)
		return odbc_no_memory(b->inst, err);
	begin(b, stmt, 1);
	code = SQLExecDirectW(stmt, wide, (SQLINTEGER)units);
	free(wide);
	return end(b, stmt, code, 1, said, err);
}

int bind_document(struct etl_instance *inst, SQLHSTMT stmt, const char *sql, const SQLWCHAR *text, size_t units,
		  struct odbc_said *said, struct etl_error *err)
{
	SQLLEN length = (SQLLEN)(units * sizeof(*text));
	SQLUSMALLINT status = 0;
	struct bind b = { .inst = inst, .status = &status };
	int rc;

	if (!SQL_SUCCEEDED(SQLBindParameter(stmt, 1, SQL_PARAM_INPUT, SQL_C_WCHAR, SQL_WLONGVARCHAR, units, 0,
					    (SQLPOINTER)(uintptr_t)text, length, &length)))
		return odbc_fail(inst, SQL_HANDLE_STMT, stmt, err, "sending rows");
	rc = set_pointers(&b, stmt, err);
	if (rc == ETL_OK)
		rc = run_document(&b, stmt, sql, said, err);
	SQLFreeStmt(stmt, SQL_RESET_PARAMS);
	return rc;
}
