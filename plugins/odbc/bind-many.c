/* See bind.h. The places are those of arrays, a row of them for each row of the statement. */
#include "config.h"

#include <stdlib.h>

#include "bind.h"

#define AIM   2048 /* parameters of a statement: where psqlODBC and SQLite were fastest, by measurement */
#define SIZES 10   /* of statements: 1, 2, 4 … 512 rows */

struct many {
	int64_t most; /* rows */
	struct bind_statement sizes[SIZES];
};

/* ---- How many -------------------------------------------------------------------------------------------------------------- */

int64_t many_rows(const struct bind *b)
{
	int64_t parameters = b->inst->dialect->most_parameters ? b->inst->dialect->most_parameters(b->inst) : 0;
	int64_t rows = 1, columns = (int64_t)b->count;

	if (columns == 0 || parameters < columns)
		return 0;
	if (parameters > AIM && columns <= AIM / 2)
		parameters = AIM;
	while (rows * 2 * columns <= parameters && rows * 2 <= 1 << (SIZES - 1))
		rows *= 2;
	return rows;
}

int many_open(struct bind *b, const char *row, struct etl_error *err)
{
	struct many *m = calloc(1, sizeof(*m));

	b->many = m;
	if (!m)
		return odbc_no_memory(b->inst, err);
	b->row = row;
	m->most = many_rows(b);
	b->most = (SQLULEN)m->most;
	b->several = 1;
	return ETL_OK;
}

void many_disconnect(struct bind *b)
{
	for (int i = 0; b->many && i < SIZES; i++)
		statement_close(b, &b->many->sizes[i]);
}

void many_close(struct bind *b)
{
	free(b->many);
	b->many = NULL;
}

/* ---- A statement ------------------------------------------------------------------------------------------------------------ */

static int run(struct bind *b, SQLHSTMT stmt, int64_t rows, struct odbc_said *said, struct etl_error *err)
{
	SQLLEN count = -1;
	SQLRETURN code;

	odbc_running(b->inst, stmt);
	code = SQLExecute(stmt);
	if ((!SQL_SUCCEEDED(code) && code != SQL_NO_DATA) || bind_was_cut(SQL_HANDLE_STMT, stmt, code))
		return bind_said(b, stmt, code, said, err);
	if (!SQL_SUCCEEDED(SQLRowCount(stmt, &count)))
		count = -1;
	SQLFreeStmt(stmt, SQL_CLOSE);
	if (count >= 0 && count != rows)
		return b->inst->host->fail(err, ETL_RETRY_STATEMENT, NULL, 0,
					   "%lld rows were sent and the server says that it took %lld", (long long)rows,
					   (long long)count);
	return 1;
}

int many_send(struct bind *b, int64_t count, struct odbc_said *said, struct etl_error *err)
{
	int rc = 1;

	for (int64_t first = 0, rows; rc == 1 && first < count; first += rows) {
		struct bind_statement *s = &b->many->sizes[SIZES - 1];

		for (rows = 1 << (SIZES - 1); rows > count - first || rows > b->many->most; rows /= 2)
			s--;
		if (s->stmt == SQL_NULL_HSTMT)
			rc = statement_prepare(b, s, rows, err);
		else
			rc = ETL_OK;
		if (rc == ETL_OK)
			rc = statement_bind(b, s, first, 1, err);
		if (rc == ETL_OK)
			rc = run(b, s->stmt, rows, said, err);
	}
	return rc;
}
