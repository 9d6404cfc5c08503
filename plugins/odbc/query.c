/*
 * Statements and their answers, as text: what the catalog says, what a statement changed. Rows of tables never come this
 * way (read.c, load.c).
 */
#include "config.h"

#include <stdlib.h>

#include "odbc.h"

#define SHOWN 160 /* bytes of a statement in a message */

int odbc_statement(struct etl_instance *inst, SQLHSTMT *ret, struct etl_error *err)
{
	int rc = odbc_db(inst, err);

	if (rc < 0)
		return rc;
	if (!SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_STMT, inst->db, ret)))
		return odbc_fail(inst, SQL_HANDLE_DBC, inst->db, err, "a new statement");
	return ETL_OK;
}

void odbc_running(struct etl_instance *inst, SQLHSTMT stmt)
{
	pthread_mutex_lock(&inst->lock);
	inst->running = stmt;
	pthread_mutex_unlock(&inst->lock);
}

void odbc_done(struct etl_instance *inst, SQLHSTMT stmt)
{
	pthread_mutex_lock(&inst->lock);
	if (inst->running == stmt)
		inst->running = SQL_NULL_HSTMT;
	pthread_mutex_unlock(&inst->lock);
	if (stmt != SQL_NULL_HSTMT)
		SQLFreeHandle(SQL_HANDLE_STMT, stmt);
}

/* The first line or so: enough to know which one it was. */
static int failed(struct etl_instance *inst, SQLHSTMT stmt, struct etl_error *err, const char *sql)
{
	size_t length = strcspn(sql, "\n");
	bool whole = length <= SHOWN && !sql[length];

	return odbc_fail(inst, SQL_HANDLE_STMT, stmt, err, "%.*s%s",
			 (int)(length > SHOWN ? SHOWN : length), sql, whole ? "" : " …");
}

/* False: no memory. */
static bool execute(struct etl_instance *inst, SQLHSTMT stmt, const char *sql, SQLRETURN *ret)
{
	size_t units;
	SQLWCHAR *wide = odbc_wide(sql, strlen(sql), &units);

	if (!wide)
		return false;
	odbc_running(inst, stmt);
	*ret = SQLExecDirectW(stmt, wide, (SQLINTEGER)units);
	free(wide);
	return true;
}

/* SQL_NO_DATA is what a statement says that has neither rows nor a count. */
int odbc_execute(struct etl_instance *inst, SQLHSTMT stmt, const char *sql, struct etl_error *err)
{
	SQLRETURN code;

	if (!execute(inst, stmt, sql, &code))
		return odbc_no_memory(inst, err);
	return SQL_SUCCEEDED(code) || code == SQL_NO_DATA ? ETL_OK : failed(inst, stmt, err, sql);
}

int odbc_execute_given(struct etl_instance *inst, SQLHSTMT stmt, const char *sql, const char *what,
		       struct etl_error *err)
{
	struct odbc_said said;
	SQLRETURN code;

	if (!execute(inst, stmt, sql, &code))
		return odbc_no_memory(inst, err);
	if (SQL_SUCCEEDED(code) || code == SQL_NO_DATA)
		return ETL_OK;
	odbc_listen(inst, SQL_HANDLE_STMT, stmt, &said);
	if (said.klass == ETL_FATAL || said.klass == ETL_DATA)
		said.klass = ETL_USAGE;
	return odbc_tell(inst, &said, err, what);
}

int odbc_run(struct etl_instance *inst, struct etl_error *err, const char *sql)
{
	SQLHSTMT stmt;
	SQLRETURN code;
	int rc = odbc_statement(inst, &stmt, err);

	if (rc < 0)
		return rc;
	rc = odbc_execute(inst, stmt, sql, err);
	/* A later statement of a batch tells its failure only here. */
	while (rc == ETL_OK && (code = SQLMoreResults(stmt)) != SQL_NO_DATA)
		if (!SQL_SUCCEEDED(code))
			rc = failed(inst, stmt, err, sql);
	odbc_done(inst, stmt);
	return rc;
}

bool odbc_try_execute(struct etl_instance *inst, const char *sql, SQLHSTMT *ret, struct odbc_said *ret_said)
{
	SQLRETURN code = SQL_ERROR;

	*ret = SQL_NULL_HSTMT;
	*ret_said = (struct odbc_said){ .advice = "", .klass = ETL_FATAL };
	if (!SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_STMT, inst->db, ret))) {
		odbc_listen(inst, SQL_HANDLE_DBC, inst->db, ret_said);
		return false;
	}
	if (!execute(inst, *ret, sql, &code))
		etl_text_add(&ret_said->words, "no memory");
	else if (!SQL_SUCCEEDED(code) && code != SQL_NO_DATA)
		odbc_listen(inst, SQL_HANDLE_STMT, *ret, ret_said);
	else
		return true;
	odbc_done(inst, *ret);
	return false;
}

bool odbc_try_run(struct etl_instance *inst, const char *sql, struct odbc_said *ret)
{
	SQLHSTMT stmt;
	SQLRETURN code;

	if (!odbc_try_execute(inst, sql, &stmt, ret))
		return false;
	do
		code = SQLMoreResults(stmt);
	while (SQL_SUCCEEDED(code));
	if (code != SQL_NO_DATA)
		odbc_listen(inst, SQL_HANDLE_STMT, stmt, ret);
	odbc_done(inst, stmt);
	return code == SQL_NO_DATA;
}

int odbc_run_text(struct etl_instance *inst, struct etl_error *err, struct etl_text *sql)
{
	char *text = etl_text_take(sql);
	int rc = text ? odbc_run(inst, err, text) : odbc_no_memory(inst, err);

	free(text);
	return rc;
}

int odbc_next(struct etl_instance *inst, SQLHSTMT stmt, struct etl_error *err)
{
	SQLRETURN code = SQLFetch(stmt);

	if (code == SQL_NO_DATA)
		return 0;
	return SQL_SUCCEEDED(code) ? 1 : odbc_fail(inst, SQL_HANDLE_STMT, stmt, err, "the next row");
}

int odbc_column(struct etl_instance *inst, SQLHSTMT stmt, int i, struct etl_text *ret,
		bool *ret_null, struct etl_error *err)
{
	/* FreeTDS gives an sql_variant again and again, as if more were left. */
	struct odbc_pieces pieces = { inst, stmt, i, SQL_C_WCHAR, .fitted_is_all = true };
	struct etl_text wide = { 0 };
	bool null = false;
	int rc = odbc_collect(&pieces, &wide, &null, err);

	if (rc == ETL_OK && wide.at)
		odbc_narrow(ret, (const SQLWCHAR *)(const void *)wide.at, wide.length / sizeof(SQLWCHAR));
	etl_text_free(&wide);
	if (rc == ETL_OK && ret_null)
		*ret_null = null;
	return rc == ETL_OK && ret->failed ? odbc_no_memory(inst, err) : rc;
}

int odbc_ask(struct etl_instance *inst, const char *sql, struct etl_text *ret, struct etl_error *err)
{
	SQLHSTMT stmt;
	SQLSMALLINT columns = 0;
	SQLRETURN code;
	int rc = odbc_statement(inst, &stmt, err);

	if (rc < 0)
		return rc;
	rc = odbc_execute(inst, stmt, sql, err);
	/* What stands before a question has no columns. */
	while (rc == ETL_OK && SQL_SUCCEEDED(SQLNumResultCols(stmt, &columns)) && columns == 0) {
		code = SQLMoreResults(stmt);
		if (code == SQL_NO_DATA)
			break;
		if (!SQL_SUCCEEDED(code))
			rc = failed(inst, stmt, err, sql);
	}
	if (rc == ETL_OK && columns > 0)
		rc = odbc_next(inst, stmt, err);
	if (rc > 0)
		rc = odbc_column(inst, stmt, 1, ret, NULL, err);
	odbc_done(inst, stmt);
	return rc;
}

bool odbc_ask_quietly(struct etl_instance *inst, const char *sql, struct etl_text *ret)
{
	size_t units;
	SQLHSTMT stmt = SQL_NULL_HSTMT;
	SQLWCHAR *wide = odbc_wide(sql, strlen(sql), &units);
	SQLSMALLINT columns = 0;
	SQLRETURN code = SQL_ERROR;

	if (wide && SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_STMT, inst->db, &stmt)))
		code = SQLExecDirectW(stmt, wide, (SQLINTEGER)units);
	if (SQL_SUCCEEDED(code) && SQL_SUCCEEDED(SQLNumResultCols(stmt, &columns)) && columns > 0) {
		code = SQLFetch(stmt);
		if (SQL_SUCCEEDED(code) && odbc_column(inst, stmt, 1, ret, NULL, NULL) < 0)
			code = SQL_ERROR;
	}
	if (stmt != SQL_NULL_HSTMT)
		SQLFreeHandle(SQL_HANDLE_STMT, stmt);
	free(wide);
	return SQL_SUCCEEDED(code) || code == SQL_NO_DATA;
}

int odbc_number(struct etl_instance *inst, struct etl_error *err, int64_t *ret, const char *sql)
{
	struct etl_text text = { 0 };
	int rc = odbc_ask(inst, sql, &text, err);

	if (rc == ETL_OK)
		*ret = text.at ? strtoll(text.at, NULL, 10) : 0;
	etl_text_free(&text);
	return rc;
}

int odbc_number_text(struct etl_instance *inst, struct etl_error *err, int64_t *ret, struct etl_text *sql)
{
	char *text = etl_text_take(sql);
	int rc = text ? odbc_number(inst, err, ret, text) : odbc_no_memory(inst, err);

	free(text);
	return rc;
}
