/*
 * Rows about which only the server knows: a value that it reads from a text, a domain, a check, a partition. A batch
 * is copied into a temporary table, which takes everything, and goes from there into the staged one. When the server
 * refuses it, it is halved until the rows are found that are to blame; they are rejected with the server's words.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "load.h"

#define ROWS LOADING_ROWS

/* ---- Whose fault ---------------------------------------------------------------------------------------------------- */

enum blame { BLAME_SERVER, BLAME_DOUBTFUL, BLAME_VALUES };

static bool is_one_of(const char *state, const char *const *classes)
{
	for (; *classes; classes++)
		if (strncmp(state, *classes, strlen(*classes)) == 0)
			return true;
	return false;
}

/*
 * Data and integrity, and what somebody's own function raises, are about a row. A name that is not there, a syntax
 * error, a limit may come from a value (of a regclass, a tsquery), or be wrong with the statement, a function or the
 * table, whatever the row. The rest is the server's: connections, resources, transactions, its own faults.
 */
static enum blame blame_of(const PGresult *result)
{
	static const char *const values[] = { "22", "23", "P0001", NULL };
	static const char *const doubtful[] = { "0A", "21", "38", "39", "3D", "3F", "42", "44", "54", "P0", NULL };
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);

	if (!state)
		return BLAME_SERVER;
	return is_one_of(state, values)	  ? BLAME_VALUES :
	       is_one_of(state, doubtful) ? BLAME_DOUBTFUL :
					    BLAME_SERVER;
}

bool careful_is_data(const PGresult *result)
{
	return blame_of(result) != BLAME_SERVER;
}

bool careful_is_value(const PGresult *result)
{
	return blame_of(result) == BLAME_VALUES;
}

static int fail_load(struct loading *l, PGresult *result)
{
	return postgres_fail(l->inst, result, l->err, "loading table \"%s\"", l->load->table->name);
}

int careful_open(struct loading *l)
{
	struct etl_text sql = { 0 };

	etl_text_add(&sql, "CREATE TEMPORARY TABLE _etlrun_rows (place bigint");
	for (size_t i = 0; i < l->count; i++)
		etl_text_addf(&sql, ", c%zu %s", i, l->columns[i].by_text ? "text" : l->types[i].cast);
	etl_text_add(&sql, ") ON COMMIT DROP");
	return postgres_run_text(l->inst, l->err, &sql);
}

/* ---- Into the staged table ----------------------------------------------------------------------------------------- */

static int add_insert(const struct loading *l, struct etl_text *sql, int64_t first, int64_t beyond)
{
	etl_text_add(sql, "INSERT INTO ");
	postgres_add_name(sql, l->token->text, l->load->table->name);
	loading_add_names(l, sql);
	etl_text_add(sql, " OVERRIDING SYSTEM VALUE SELECT ");
	for (size_t i = 0; i < l->count; i++)
		etl_text_addf(sql, l->columns[i].by_text ? "%sCAST(c%zu AS %s)" : "%sc%zu",
			      i ? ", " : "", i, l->types[i].cast);
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
			      l->types[i].cast, (long long)row);
		if (sql.failed)
			return loading_no_memory(l);
		result = PQexec(l->inst->db, sql.at);
		etl_text_free(&sql);
		if (PQresultStatus(result) == PGRES_TUPLES_OK) {
			PQclear(result);
			continue;
		}
		if (!careful_is_data(result))
			return fail_load(l, result);
		PQclear(result);
		*ret = l->schema.children[i]->name;
		rc = go_back(l);
	}
	return rc;
}

/* How many of these rows go in, -1: they are refused. They do not stay. */
static int try_rows(struct loading *l, int64_t first, int64_t beyond, int64_t *ret)
{
	struct etl_text sql = { 0 };
	PGresult *result;

	if (add_insert(l, &sql, first, beyond) < 0)
		return loading_no_memory(l);
	result = PQexec(l->inst->db, sql.at);
	etl_text_free(&sql);
	*ret = -1;
	if (PQresultStatus(result) == PGRES_COMMAND_OK)
		*ret = strtoll(PQcmdTuples(result), NULL, 10);
	else if (!careful_is_data(result))
		return fail_load(l, result);
	PQclear(result);
	return go_back(l);
}

/*
 * Is a doubtful refusal about the row? Not when the statement fails without any row. It is when a text alone cannot be
 * read in its type, and where other rows go in. When none of a batch does, something is wrong for all.
 */
static int judge(struct loading *l, int64_t row, const PGresult *refusal, bool *ret)
{
	const char *guilty = NULL;
	int64_t taken = 0;
	int rc;

	*ret = blame_of(refusal) == BLAME_VALUES;
	if (*ret)
		return ETL_OK;
	rc = try_rows(l, 0, 0, &taken);
	if (rc < 0 || taken < 0)
		return rc;
	/* What is not implemented for one value may be for none. */
	if (strncmp(PQresultErrorField(refusal, PG_DIAG_SQLSTATE), "0A", 2) != 0)
		rc = find_guilty(l, row, &guilty);
	*ret = guilty || l->rows;
	for (int64_t other = 0; rc == ETL_OK && !*ret && other < l->view->rows; other++) {
		rc = try_rows(l, other, other + 1, &taken);
		*ret = taken > 0;
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
static int insert(struct loading *l, int64_t first, int64_t beyond, uint64_t *ret_rows, PGresult **ret)
{
	struct etl_text sql = { 0 };
	PGresult *result;

	*ret = NULL;
	etl_text_add(&sql, "SAVEPOINT careful; ");
	if (add_insert(l, &sql, first, beyond) < 0)
		return loading_no_memory(l);
	result = PQexec(l->inst->db, sql.at);
	etl_text_free(&sql);
	if (PQresultStatus(result) == PGRES_COMMAND_OK) {
		*ret_rows = strtoull(PQcmdTuples(result), NULL, 10);
		PQclear(result);
		return ETL_OK;
	}
	if (!careful_is_data(result))
		return fail_load(l, result);
	*ret = result;
	return go_back(l);
}

/* The row is to blame, or all else is. */
static int refuse_one(struct loading *l, const struct ArrowArray *batch, int64_t row, PGresult *refusal)
{
	bool guilty = false;
	int rc = judge(l, row, refusal, &guilty);

	if (rc == ETL_OK && !guilty)
		return fail_load(l, refusal);
	if (rc == ETL_OK)
		rc = reject_one(l, batch, row, refusal);
	PQclear(refusal);
	l->refused++;
	return rc == ETL_OK ? postgres_run(l->inst, l->err, "RELEASE careful") : rc;
}

/* Rows that went in, though not as they came, are taken out of the batch again. */
static int refuse_inexact(struct loading *l, const struct ArrowArray *batch, const PGresult *changed)
{
	struct etl_text sql = { 0 };
	int rc = go_back(l);

	if (rc == ETL_OK)
		rc = postgres_run(l->inst, l->err, "RELEASE careful");
	etl_text_add(&sql, "DELETE FROM " ROWS " WHERE place = ANY ('{");
	for (int i = 0; rc == ETL_OK && i < PQntuples(changed); i++) {
		size_t column = (size_t)postgres_int_at(changed, i, 1);

		etl_text_addf(&sql, "%s%s", i ? "," : "", PQgetvalue(changed, i, 0));
		rc = loading_reject_value(l, batch, postgres_int_at(changed, i, 0), column,
					  exact_code(l, column));
		l->refused++;
	}
	etl_text_add(&sql, "}')");
	if (rc == ETL_OK)
		return postgres_run_text(l->inst, l->err, &sql);
	etl_text_free(&sql);
	return rc;
}

/* *RET: nothing of them was changed, and they stay. */
static int keep_exact(struct loading *l, const struct ArrowArray *batch, int64_t first, int64_t beyond,
		      bool *ret)
{
	PGresult *changed = NULL;
	int rc = l->inexact ? exact_find(l, first, beyond, &changed) : ETL_OK;

	*ret = rc == ETL_OK && (!changed || PQntuples(changed) == 0);
	if (rc == ETL_OK && !*ret)
		rc = refuse_inexact(l, batch, changed);
	PQclear(changed);
	return rc;
}

static int insert_rows(struct loading *l, const struct ArrowArray *batch, int64_t first,
		       int64_t beyond)
{
	int64_t middle = first + (beyond - first) / 2;
	uint64_t rows = 0;
	PGresult *refusal;
	bool exact = true;
	int rc = insert(l, first, beyond, &rows, &refusal);

	if (rc == ETL_OK && !refusal)
		rc = keep_exact(l, batch, first, beyond, &exact);
	if (rc == ETL_OK && !exact)
		return insert_rows(l, batch, first, beyond);
	if (rc == ETL_OK && !refusal) {
		l->rows += rows;
		rc = loading_note_part(l);
		return rc == ETL_OK ? postgres_run(l->inst, l->err, "RELEASE careful") : rc;
	}
	if (rc == ETL_OK && beyond - first == 1)
		return refuse_one(l, batch, first, refusal);
	PQclear(refusal);
	if (rc == ETL_OK)
		rc = postgres_run(l->inst, l->err, "RELEASE careful");
	if (rc == ETL_OK)
		rc = insert_rows(l, batch, first, middle);
	return rc == ETL_OK ? insert_rows(l, batch, middle, beyond) : rc;
}

/* ---- A batch ---------------------------------------------------------------------------------------------------------- */

/* *RET: how many of the batch are in the temporary table. */
static int copy_rows(struct loading *l, const struct ArrowArray *batch, uint64_t *ret)
{
	PGresult *refusal;
	int rc = loading_copy_begin(l, "COPY " ROWS " FROM STDIN (FORMAT binary)");

	if (rc < 0)
		return rc;
	for (int64_t row = 0; rc == ETL_OK && row < l->view->rows; row++) {
		size_t column = 0;
		const char *code = encode_row(l->columns, l->count, l->view, row, row, &l->buffer,
					      &column);

		if (code)
			rc = loading_reject_value(l, batch, row, column, code);
		else
			++*ret;
		if (rc == ETL_OK)
			rc = loading_send_piece(l);
	}
	rc = loading_copy_end(l, rc, *ret, &refusal);
	return refusal ? fail_load(l, refusal) : rc;
}

static int check_count(struct loading *l, uint64_t copied, uint64_t settled)
{
	if (copied == settled)
		return ETL_OK;
	return l->inst->host->fail(l->err, ETL_BUG, NULL, 0,
				   "table \"%s\": of %llu rows that were sent, %llu went in or were refused",
				   l->load->table->name, (unsigned long long)copied,
				   (unsigned long long)settled);
}

int careful_batch(struct loading *l, const struct ArrowArray *batch)
{
	uint64_t before = l->rows + l->refused, copied = 0;
	int rc;

	if (l->view->rows == 0)
		return ETL_OK;
	rc = postgres_run(l->inst, l->err, "TRUNCATE " ROWS);
	if (rc == ETL_OK)
		rc = copy_rows(l, batch, &copied);
	if (rc == ETL_OK)
		rc = insert_rows(l, batch, 0, l->view->rows);
	return rc == ETL_OK ? check_count(l, copied, l->rows + l->refused - before) : rc;
}
