/*
 * Statements and their answers, in the text format: what the catalog says, what a statement changed. Rows of tables
 * never come this way; they are copied (read.c, load.c).
 */
#include "config.h"

#include <stdlib.h>

#include "postgres.h"

#define SHOWN 160 /* bytes of a statement in a message */

static bool is_good(const PGresult *result)
{
	ExecStatusType status = PQresultStatus(result);

	return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK ||
	       status == PGRES_EMPTY_QUERY;
}

/* The first line or so: enough to know which one it was. */
static int failed(struct etl_instance *inst, PGresult *result, struct etl_error *err,
		  const char *sql)
{
	size_t length = strcspn(sql, "\n");
	bool whole = length <= SHOWN && !sql[length];

	return postgres_fail(inst, result, err, "%.*s%s", (int)(length > SHOWN ? SHOWN : length),
			     sql, whole ? "" : " …");
}

int postgres_run(struct etl_instance *inst, struct etl_error *err, const char *sql)
{
	PGresult *result;
	int rc = postgres_db(inst, err);

	if (rc < 0)
		return rc;
	result = PQexec(inst->db, sql);
	if (!is_good(result))
		return failed(inst, result, err, sql);
	PQclear(result);
	return ETL_OK;
}

int postgres_run_text(struct etl_instance *inst, struct etl_error *err, struct etl_text *sql)
{
	char *text = etl_text_take(sql);
	int rc = text ? postgres_run(inst, err, text) : postgres_no_memory(inst, err);

	free(text);
	return rc;
}

int postgres_query(struct etl_instance *inst, struct etl_error *err, PGresult **ret,
		   const char *sql, int count, const char *const *values)
{
	PGresult *result;
	int rc = postgres_db(inst, err);

	if (rc < 0)
		return rc;
	result = PQexecParams(inst->db, sql, count, NULL, values, NULL, NULL, 0);
	if (!is_good(result))
		return failed(inst, result, err, sql);
	*ret = result;
	return ETL_OK;
}

int postgres_change(struct etl_instance *inst, struct etl_error *err, uint64_t *ret,
		    const char *sql, int count, const char *const *values)
{
	PGresult *result;
	int rc = postgres_query(inst, err, &result, sql, count, values);

	if (rc < 0)
		return rc;
	if (ret)
		*ret = strtoull(PQcmdTuples(result), NULL, 10);
	PQclear(result);
	return ETL_OK;
}

const char *postgres_at(const PGresult *result, int row, int column)
{
	return PQgetisnull(result, row, column) ? NULL : PQgetvalue(result, row, column);
}

int64_t postgres_int_at(const PGresult *result, int row, int column)
{
	return strtoll(PQgetvalue(result, row, column), NULL, 10);
}

bool postgres_flag_at(const PGresult *result, int row, int column)
{
	return *PQgetvalue(result, row, column) == 't';
}

int postgres_text(struct etl_instance *inst, struct etl_error *err, char **ret, const char *sql,
		  int count, const char *const *values)
{
	PGresult *result;
	const char *text;
	int rc = postgres_query(inst, err, &result, sql, count, values);

	if (rc < 0)
		return rc;
	text = PQntuples(result) > 0 ? postgres_at(result, 0, 0) : NULL;
	*ret = text ? strdup(text) : NULL;
	if (text && !*ret)
		rc = postgres_no_memory(inst, err);
	PQclear(result);
	return rc;
}

int postgres_number(struct etl_instance *inst, struct etl_error *err, int64_t *ret, const char *sql,
		    int count, const char *const *values)
{
	char *text = NULL;
	int rc = postgres_text(inst, err, &text, sql, count, values);

	if (rc == ETL_OK)
		*ret = text ? strtoll(text, NULL, 10) : 0;
	free(text);
	return rc;
}

int postgres_flag(struct etl_instance *inst, struct etl_error *err, bool *ret, const char *sql,
		  int count, const char *const *values)
{
	char *text = NULL;
	int rc = postgres_text(inst, err, &text, sql, count, values);

	if (rc == ETL_OK)
		*ret = text && *text == 't';
	free(text);
	return rc;
}

void postgres_add_name(struct etl_text *text, const char *schema, const char *name)
{
	char buf[POSTGRES_NAME_MAX + 1];

	if (schema) {
		etl_text_add_name(text, postgres_short_name(schema, buf), '"');
		etl_text_add(text, ".");
	}
	etl_text_add_name(text, postgres_short_name(name, buf), '"');
}
