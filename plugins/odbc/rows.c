/* A few rows as texts, all at once: what the catalog and the plugin's own tables say. */
#include "config.h"

#include <stdlib.h>

#include "rows.h"

void odbc_rows_free(struct odbc_rows *rows)
{
	for (size_t i = 0; i < rows->count * rows->columns; i++)
		free(rows->at[i]);
	free(rows->at);
	*rows = (struct odbc_rows){ 0 };
}

static int take(struct etl_instance *inst, SQLHSTMT stmt, struct odbc_rows *ret, struct etl_error *err)
{
	char **more = realloc(ret->at, (ret->count + 1) * ret->columns * sizeof(*more));
	int rc = ETL_OK;

	if (!more)
		return odbc_no_memory(inst, err);
	ret->at = more;
	memset(&more[ret->count * ret->columns], 0, ret->columns * sizeof(*more));
	ret->count++;
	for (size_t i = 0; rc == ETL_OK && i < ret->columns; i++) {
		struct etl_text text = { 0 };
		bool null;

		rc = odbc_column(inst, stmt, (int)i + 1, &text, &null, err);
		if (rc == ETL_OK && !null) {
			more[(ret->count - 1) * ret->columns + i] = etl_text_take(&text);
			if (!more[(ret->count - 1) * ret->columns + i])
				rc = odbc_no_memory(inst, err);
		}
		etl_text_free(&text);
	}
	return rc;
}

int odbc_ask_rows(struct etl_instance *inst, const char *sql, size_t columns, struct odbc_rows *ret, struct etl_error *err)
{
	SQLHSTMT stmt;
	SQLSMALLINT has = 0;
	int rc = odbc_statement(inst, &stmt, err), more;

	*ret = (struct odbc_rows){ .columns = columns };
	if (rc < 0)
		return rc;
	rc = odbc_execute(inst, stmt, sql, err);
	if (rc == ETL_OK && !(SQL_SUCCEEDED(SQLNumResultCols(stmt, &has)) && has > 0))
		rc = inst->host->fail(err, ETL_FATAL, NULL, 0, "the server gave no rows: %.160s", sql);
	while (rc == ETL_OK && (more = odbc_next(inst, stmt, err)) != 0)
		rc = more < 0 ? more : take(inst, stmt, ret, err);
	odbc_done(inst, stmt);
	if (rc < 0)
		odbc_rows_free(ret);
	return rc;
}

int odbc_ask_rows_text(struct etl_instance *inst, struct etl_text *sql, size_t columns, struct odbc_rows *ret,
		       struct etl_error *err)
{
	char *text = etl_text_take(sql);
	int rc = text ? odbc_ask_rows(inst, text, columns, ret, err) : odbc_no_memory(inst, err);

	if (!text)
		*ret = (struct odbc_rows){ 0 };
	free(text);
	return rc;
}

bool odbc_try_rows(struct etl_instance *inst, struct etl_text *sql, size_t columns, struct odbc_rows *ret, struct odbc_said *said)
{
	char *text = etl_text_take(sql);
	SQLHSTMT stmt;
	SQLRETURN code = SQL_ERROR;
	int rc = ETL_OK;

	*ret = (struct odbc_rows){ .columns = columns };
	*said = (struct odbc_said){ .advice = "", .klass = ETL_MEMORY };
	if (!text) {
		etl_text_add(&said->words, "no memory");
		return false;
	}
	if (odbc_try_execute(inst, text, &stmt, said)) {
		while (rc == ETL_OK && SQL_SUCCEEDED(code = SQLFetch(stmt)))
			rc = take(inst, stmt, ret, NULL);
		if (rc < 0 || code != SQL_NO_DATA)
			odbc_listen(inst, SQL_HANDLE_STMT, stmt, said);
		odbc_done(inst, stmt);
	}
	free(text);
	if (code == SQL_NO_DATA)
		return true;
	odbc_rows_free(ret);
	return false;
}

int64_t odbc_row_number(const struct odbc_rows *rows, size_t row, size_t column)
{
	const char *text = odbc_row_text(rows, row, column);

	return text ? strtoll(text, NULL, 10) : 0;
}
