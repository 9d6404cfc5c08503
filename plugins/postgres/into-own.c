/*
 * What the transaction of append and merge has beside the rows: the pipeline's own SQL, which is kept in the stage until
 * then, the keys of rows that were rejected while they waited, and the counters of identity columns.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "into.h"
#include "stage.h"

/* ---- The pipeline's own SQL ---------------------------------------------------------------------------------------- */

int postgres_into_keep_sql(struct etl_instance *inst, const struct etl_load *load,
		  const struct etl_token *token, const struct etl_step *step, struct etl_error *err)
{
	struct etl_text sql = { 0 };
	int rc = stage_enter(inst, load, token, err);

	if (rc < 0)
		return rc;
	etl_text_add(&sql, "CREATE TABLE IF NOT EXISTS ");
	postgres_add_name(&sql, token->text, INTO_SQL);
	etl_text_add(&sql, " (n bigint GENERATED ALWAYS AS IDENTITY, phase int, sql text); INSERT INTO ");
	postgres_add_name(&sql, token->text, INTO_SQL);
	etl_text_addf(&sql, " (phase, sql) VALUES (%d, ", (int)step->phase);
	etl_text_add_literal(&sql, step->sql);
	etl_text_add(&sql, ")");
	return stage_leave(inst, postgres_run_text(inst, err, &sql), err);
}

/* Through EXECUTE, in which nobody begins or ends a transaction: this one is ours. */
static int run_own(struct into *n, const char *sql)
{
	struct publishing *p = n->p;
	struct etl_text body = { 0 }, whole = { 0 };
	PGresult *result;
	int rc;

	etl_text_add(&body, "BEGIN EXECUTE ");
	etl_text_add_literal(&body, sql);
	etl_text_add(&body, "; END");
	etl_text_add(&whole, "DO ");
	etl_text_add_literal(&whole, body.at ? body.at : "");
	if (body.failed || whole.failed) {
		rc = postgres_no_memory(p->inst, p->err);
	} else {
		result = PQexec(p->inst->db, whole.at);
		if (PQresultStatus(result) == PGRES_COMMAND_OK) {
			PQclear(result);
			rc = ETL_OK;
		} else if (PQresultErrorField(result, PG_DIAG_SQLSTATE) &&
			   strcmp(PQresultErrorField(result, PG_DIAG_SQLSTATE), "0A000") == 0 &&
			   strstr(PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY), "transaction")) {
			PQclear(result);
			rc = p->inst->host->fail(
				p->err, ETL_USAGE, "0A000", 0,
				"\"%.200s\" begins or ends a transaction; it runs inside the "
				"transaction of the run, so leave that out; nothing was changed",
				sql);
		} else {
			rc = postgres_fail(p->inst, result, p->err,
					   "nothing was changed; running \"%.300s\"", sql);
		}
	}
	etl_text_free(&body);
	etl_text_free(&whole);
	return rc;
}

static int run_of_stage(struct into *n, const char *stage, int32_t phase)
{
	struct publishing *p = n->p;
	struct etl_text sql = { 0 };
	PGresult *kept = NULL;
	bool there = false;
	int rc = postgres_flag(p->inst, p->err, &there,
			       "SELECT EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace "
			       "WHERE s.nspname = $1 AND c.relname = '" INTO_SQL "')",
			       1, (const char *const[]){ stage });

	if (rc < 0 || !there)
		return rc;
	etl_text_add(&sql, "SELECT sql FROM ");
	postgres_add_name(&sql, stage, INTO_SQL);
	etl_text_addf(&sql, " WHERE phase = %d ORDER BY n", (int)phase);
	rc = sql.failed ? postgres_no_memory(p->inst, p->err) :
			  postgres_query(p->inst, p->err, &kept, sql.at, 0, NULL);
	etl_text_free(&sql);
	for (int i = 0; rc == ETL_OK && i < PQntuples(kept); i++)
		rc = run_own(n, PQgetvalue(kept, i, 0));
	PQclear(kept);
	return rc;
}

int into_run_kept(struct into *n, int32_t phase)
{
	struct publishing *p = n->p;
	int rc = ETL_OK;

	for (size_t i = 0; rc == ETL_OK && i < p->count; i++) {
		struct etl_text path = { 0 };
		size_t k = 0;

		while (strcmp(p->parts[k].token->text, p->parts[i].token->text) != 0)
			k++;
		if (k < i)
			continue;
		etl_text_add(&path, "SET LOCAL search_path = ");
		stage_add_path(&path, NULL, p->parts[i].schema, NULL);
		rc = postgres_run_text(p->inst, p->err, &path);
		if (rc == ETL_OK)
			rc = run_of_stage(n, p->parts[i].token->text, phase);
	}
	return rc;
}

/* ---- Rejected keys -------------------------------------------------------------------------------------------------- */

int into_keep_keys(struct etl_instance *inst, const struct etl_load *load,
		   const struct etl_token *token, struct etl_error *err)
{
	struct etl_text sql = { 0 };
	char kept[64];

	if (!stage_is_into(load->run) || !load->existing || load->deletes == ETL_DELETE_NONE)
		return ETL_OK;
	snprintf(kept, sizeof(kept), INTO_KEPT, (unsigned long long)load->index);
	etl_text_add(&sql, "INSERT INTO ");
	postgres_add_name(&sql, token->text, kept);
	etl_text_add(&sql, " SELECT ");
	postgres_into_add_key(&sql, load, "");
	etl_text_add(&sql, " FROM ");
	postgres_add_name(&sql, token->text, load->table->name);
	etl_text_add(&sql, " WHERE ctid = ANY (ARRAY (SELECT at FROM pg_temp._etlrun_found))");
	return postgres_run_text(inst, err, &sql);
}

/* ---- Counters --------------------------------------------------------------------------------------------------------- */

/* Of each column that has one: its name, whether the sequence is to be set, what makes that a part of the transaction
 * (swap.c), and how it is set: by what it is then, for others may take numbers until the second statement locks it. A row that
 * it cannot reach is no obstacle. */
static const char counters[] =
	"SELECT c.name, format('SELECT EXISTS (%s)', c.behind), CASE WHEN pg_has_role(c.relowner, 'USAGE') THEN "
	"format('ALTER SEQUENCE %s INCREMENT BY %s', c.sequence, c.seqincrement) ELSE 'SELECT' END, "
	"format('SELECT setval(%L, m) FROM (%s) AS t', c.sequence, c.behind) FROM (SELECT a.attname AS name, q.relowner, "
	"q.oid::regclass AS sequence, s.seqincrement, format('SELECT m FROM (SELECT %s(%I)::bigint AS m FROM %s WHERE %I "
	"BETWEEN %L::bigint AND %L::bigint) AS t, %s AS s WHERE m %s s.last_value OR (m = s.last_value AND NOT s.is_called)', "
	"CASE WHEN s.seqincrement > 0 THEN 'max' ELSE 'min' END, a.attname, a.attrelid::regclass, a.attname, s.seqmin, "
	"s.seqmax, q.oid::regclass, CASE WHEN s.seqincrement > 0 THEN '>' ELSE '<' END) AS "
	"behind FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class q ON q.oid = "
	"pg_get_serial_sequence(a.attrelid::regclass::text, a.attname)::regclass JOIN pg_catalog.pg_sequence s ON s.seqrelid = "
	"q.oid WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped) AS c";

static bool comes(const struct etl_load *load, const char *name)
{
	char buf[POSTGRES_NAME_MAX + 1];

	for (size_t i = 0; i < load->table->column_count; i++)
		if (strcmp(postgres_short_name(into_column(load->table, i)->name, buf), name) == 0)
			return true;
	return false;
}

int into_set_counters(struct into *n)
{
	struct publishing *p = n->p;
	PGresult *found = NULL;
	int rc = postgres_query(p->inst, p->err, &found, counters, 1,
				(const char *const[]){ n->part->old.oid });

	for (int i = 0; rc == ETL_OK && i < PQntuples(found); i++) {
		bool behind = false;

		if (!comes(n->part->load, PQgetvalue(found, i, 0)))
			continue;
		rc = postgres_flag(p->inst, p->err, &behind, PQgetvalue(found, i, 1), 0, NULL);
		for (int k = 2; rc == ETL_OK && behind && k < 4; k++)
			rc = postgres_run(p->inst, p->err, PQgetvalue(found, i, k));
	}
	PQclear(found);
	return rc;
}
