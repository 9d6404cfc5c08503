/*
 * Rows about which only the server knows: a value that it reads from a text, a domain, a check, a partition. A batch
 * is copied into a temporary table, which takes everything, and goes from there into the staged one. When the server
 * refuses it, it is halved until the rows are found that are to blame; they are rejected with the server's words.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "load.h"

#define ROWS "pg_temp._etlrun_rows"

bool careful_is_data(const PGresult *result)
{
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);

	return state && (strncmp(state, "22", 2) == 0 || strncmp(state, "23", 2) == 0);
}

int careful_open(struct loading *l)
{
	struct etl_text sql = { 0 };

	etl_text_add(&sql, "CREATE TEMPORARY TABLE _etlrun_rows (place bigint");
	for (size_t i = 0; i < l->count; i++)
		etl_text_addf(&sql, ", c%zu %s", i, l->columns[i].by_text ? "text" : l->casts[i]);
	etl_text_add(&sql, ") ON COMMIT DROP");
	return postgres_run_text(l->inst, l->err, &sql);
}

/* ---- Into the staged table ----------------------------------------------------------------------------------------- */

static int add_insert(const struct loading *l, struct etl_text *sql, int64_t first, int64_t beyond)
{
	etl_text_add(sql, "SAVEPOINT careful; INSERT INTO ");
	postgres_add_name(sql, l->token->text, l->load->table->name);
	loading_add_names(l, sql);
	etl_text_add(sql, " OVERRIDING SYSTEM VALUE SELECT ");
	for (size_t i = 0; i < l->count; i++)
		etl_text_addf(sql, l->columns[i].by_text ? "%sCAST(c%zu AS %s)" : "%sc%zu",
			      i ? ", " : "", i, l->casts[i]);
	etl_text_addf(sql, " FROM " ROWS " WHERE place >= %lld AND place < %lld ORDER BY place",
		      (long long)first, (long long)beyond);
	return sql->failed ? ETL_FAILED : ETL_OK;
}

static const char *code_of(const char *state)
{
	static const char *const codes[][2] = {
		{ "22001", "too_long" },     { "22003", "out_of_range" }, { "22007", "not_a_timestamp" },
		{ "22008", "out_of_range" }, { "22021", "invalid_utf8" }, { "22P02", "type" },
		{ "22P05", "untranslatable" }, { "23502", "not_null" },	  { "23503", "foreign_key" },
		{ "23505", "duplicate" },    { "23514", "check" },	  { "23P01", "exclusion" },
	};

	for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++)
		if (strcmp(codes[i][0], state) == 0)
			return codes[i][1];
	return "refused";
}

static int go_back(struct loading *l)
{
	return postgres_run(l->inst, l->err, "ROLLBACK TO careful");
}

/* Which of the texts it was: the server does not say. */
static int find_guilty(struct loading *l, int64_t row, const char **ret)
{
	int rc = ETL_OK;

	for (size_t i = 0; rc == ETL_OK && !*ret && i < l->count; i++) {
		struct etl_text sql = { 0 };
		PGresult *result;

		if (!l->columns[i].by_text)
			continue;
		etl_text_addf(&sql, "SELECT CAST(c%zu AS %s) FROM " ROWS " WHERE place = %lld", i,
			      l->casts[i], (long long)row);
		if (sql.failed)
			return loading_no_memory(l);
		result = PQexec(l->inst->db, sql.at);
		etl_text_free(&sql);
		if (PQresultStatus(result) != PGRES_TUPLES_OK) {
			*ret = careful_is_data(result) ? l->schema.children[i]->name : NULL;
			rc = go_back(l);
		}
		PQclear(result);
	}
	return rc;
}

static int reject_one(struct loading *l, const struct ArrowArray *batch, int64_t row,
		      const PGresult *result)
{
	const char *column = PQresultErrorField(result, PG_DIAG_COLUMN_NAME);
	const char *detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
	struct etl_text reason = { 0 };
	int rc = column ? ETL_OK : find_guilty(l, row, &column);

	etl_text_addf(&reason, "the server refuses the row: %s",
		      PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY));
	if (detail)
		etl_text_addf(&reason, "; %s", detail);
	if (rc == ETL_OK)
		rc = reason.failed ?
			     loading_no_memory(l) :
			     loading_reject(l, batch, row,
					    code_of(PQresultErrorField(result, PG_DIAG_SQLSTATE)),
					    column, reason.at);
	etl_text_free(&reason);
	return rc;
}

/* *RET is what the server said when it refuses values; else it is NULL. */
static int insert(struct loading *l, int64_t first, int64_t beyond, PGresult **ret)
{
	struct etl_text sql = { 0 };
	PGresult *result;

	*ret = NULL;
	if (add_insert(l, &sql, first, beyond) < 0)
		return loading_no_memory(l);
	result = PQexec(l->inst->db, sql.at);
	etl_text_free(&sql);
	if (PQresultStatus(result) == PGRES_COMMAND_OK) {
		l->rows += strtoull(PQcmdTuples(result), NULL, 10);
		PQclear(result);
		return ETL_OK;
	}
	if (!careful_is_data(result))
		return postgres_fail(l->inst, result, l->err, "loading table \"%s\"",
				     l->load->table->name);
	*ret = result;
	return ETL_OK;
}

static int insert_rows(struct loading *l, const struct ArrowArray *batch, int64_t first,
		       int64_t beyond)
{
	int64_t middle = first + (beyond - first) / 2;
	PGresult *refusal;
	int rc = insert(l, first, beyond, &refusal);

	if (rc == ETL_OK && !refusal)
		rc = loading_note_part(l);
	if (rc < 0 || !refusal)
		return rc < 0 ? rc : postgres_run(l->inst, l->err, "RELEASE careful");
	rc = go_back(l);
	if (rc == ETL_OK && beyond - first == 1)
		rc = reject_one(l, batch, first, refusal);
	PQclear(refusal);
	if (rc == ETL_OK)
		rc = postgres_run(l->inst, l->err, "RELEASE careful");
	if (rc == ETL_OK && beyond - first > 1)
		rc = insert_rows(l, batch, first, middle);
	return rc == ETL_OK && beyond - first > 1 ? insert_rows(l, batch, middle, beyond) : rc;
}

/* ---- A batch ---------------------------------------------------------------------------------------------------------- */

static int copy_rows(struct loading *l, const struct ArrowArray *batch)
{
	PGresult *result;
	int rc = loading_copy_begin(l, "COPY " ROWS " FROM STDIN (FORMAT binary)");

	if (rc < 0)
		return rc;
	for (int64_t row = 0; rc == ETL_OK && row < l->view->rows; row++) {
		size_t column = 0;
		const char *code = encode_row(l->columns, l->count, l->view, row, row, &l->buffer,
					      &column);

		if (code)
			rc = loading_reject_value(l, batch, row, column, code);
	}
	if (rc == ETL_OK)
		rc = encode_end(&l->buffer) ? loading_send(l) : loading_no_memory(l);
	result = loading_copy_end(l, rc);
	if (rc == ETL_OK && PQresultStatus(result) != PGRES_COMMAND_OK)
		return postgres_fail(l->inst, result, l->err, "loading table \"%s\"",
				     l->load->table->name);
	PQclear(result);
	return rc;
}

int careful_batch(struct loading *l, const struct ArrowArray *batch)
{
	int rc;

	if (l->view->rows == 0)
		return ETL_OK;
	rc = postgres_run(l->inst, l->err, "TRUNCATE " ROWS);
	if (rc == ETL_OK)
		rc = copy_rows(l, batch);
	return rc == ETL_OK ? insert_rows(l, batch, 0, l->view->rows) : rc;
}
