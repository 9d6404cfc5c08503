/* See bind.h. The places are those of arrays, a row of them for each row of the statement. */
#include "config.h"

#include <stdlib.h>

#include "bind.h"

#define AIM   2048 /* parameters of a statement: where psqlODBC and SQLite were fastest, by measurement */
#define SIZES 10   /* of statements: 1, 2, 4 … 512 rows */

struct many {
	char *head, *row;
	int64_t most; /* rows */
	struct many_statement {
		SQLHSTMT stmt;
		struct bind_place *bound; /* of each column */
	} sizes[SIZES];
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

int many_open(struct bind *b, const char *head, const char *row, struct etl_error *err)
{
	struct many *m = calloc(1, sizeof(*m));

	b->many = m;
	if (!m || !(m->head = strdup(head)) || !(m->row = strdup(row)))
		return odbc_no_memory(b->inst, err);
	m->most = many_rows(b);
	b->most = (SQLULEN)m->most;
	return ETL_OK;
}

void many_close(struct bind *b)
{
	struct many *m = b->many;

	if (!m)
		return;
	for (int i = 0; i < SIZES; i++) {
		if (m->sizes[i].stmt != SQL_NULL_HSTMT)
			odbc_done(b->inst, m->sizes[i].stmt);
		free(m->sizes[i].bound);
	}
	free(m->head);
	free(m->row);
	free(m);
	b->many = NULL;
}

/* ---- A statement ------------------------------------------------------------------------------------------------------------ */

static int prepare(struct bind *b, struct many_statement *s, int64_t rows, struct etl_error *err)
{
	struct etl_text sql = { 0 };
	SQLWCHAR *wide = NULL;
	size_t units = 0;
	int rc = odbc_statement(b->inst, &s->stmt, err);

	if (rc < 0)
		return rc;
	etl_text_add(&sql, b->many->head);
	for (int64_t i = 0; i < rows; i++)
		etl_text_addf(&sql, "%s%s", i ? ", " : " ", b->many->row);
	if (!sql.failed)
		wide = odbc_wide(sql.at, sql.length, &units);
	s->bound = calloc(b->count + 1, sizeof(*s->bound));
	if (!wide || !s->bound)
		rc = odbc_no_memory(b->inst, err);
	else if (!SQL_SUCCEEDED(SQLPrepareW(s->stmt, wide, (SQLINTEGER)units)))
		rc = odbc_fail(b->inst, SQL_HANDLE_STMT, s->stmt, err, "sending rows");
	free(wide);
	etl_text_free(&sql);
	return rc;
}

static int bind_column(struct bind *b, SQLHSTMT stmt, size_t i, int64_t first, int64_t rows, struct etl_error *err)
{
	struct bind_column *c = &b->columns[i];
	SQLULEN size;
	SQLSMALLINT type = bind_sql_type(c, &size);

	for (int64_t r = 0; r < rows; r++)
		if (!SQL_SUCCEEDED(SQLBindParameter(stmt, (SQLUSMALLINT)((size_t)r * b->count + i + 1), SQL_PARAM_INPUT,
						    bind_c_type(c), type, size, 0, c->values + (first + r) * c->width, c->width,
						    c->lengths + first + r)))
			return odbc_fail(b->inst, SQL_HANDLE_STMT, stmt, err, "column \"%s\"", c->column->name);
	return ETL_OK;
}

/* Only where the places are others than the last time. */
static int bind_places(struct bind *b, struct many_statement *s, int64_t first, int64_t rows, struct etl_error *err)
{
	int rc = ETL_OK;

	for (size_t i = 0; rc == ETL_OK && i < b->count; i++)
		if (bind_moved(b, &b->columns[i], first, &s->bound[i]))
			rc = bind_column(b, s->stmt, i, first, rows, err);
	return rc;
}

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
		struct many_statement *s = &b->many->sizes[SIZES - 1];

		for (rows = 1 << (SIZES - 1); rows > count - first || rows > b->many->most; rows /= 2)
			s--;
		if (s->stmt == SQL_NULL_HSTMT)
			rc = prepare(b, s, rows, err);
		else
			rc = ETL_OK;
		if (rc == ETL_OK)
			rc = bind_places(b, s, first, rows, err);
		if (rc == ETL_OK)
			rc = run(b, s->stmt, rows, said, err);
	}
	return rc;
}
