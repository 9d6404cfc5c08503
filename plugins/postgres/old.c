/* See old.h. */
#include "config.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "old.h"

static const char moves[] =
	"SELECT format('ALTER TABLE %s SET SCHEMA %I', c.oid::regclass, $2::text) FROM unnest($1::oid[]) AS o (oid) "
	"JOIN pg_catalog.pg_class c USING (oid) WHERE c.relkind IN ('r', 'p') "
	"UNION ALL SELECT format('ALTER STATISTICS %I.%I SET SCHEMA %I', n.nspname, e.stxname, $2::text) FROM "
	"pg_statistic_ext e JOIN pg_catalog.pg_namespace n ON n.oid = e.stxnamespace WHERE e.stxrelid = ANY ($1::oid[])";

/* To tables that are not kept too: a key of an old table would bind rows that live on. */
static const char bonds[] =
	"SELECT format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname, "
	"pg_get_constraintdef(oid)), format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname) FROM "
	"pg_constraint WHERE contype = 'f' AND conparentid = 0 AND conrelid = ANY ($1::oid[]) AND confrelid <> ALL "
	"($1::oid[]) ORDER BY oid";

static void name_schema(struct publishing *p)
{
	size_t length = strlen(STAGE_OLD_PREFIX);

	snprintf(p->kept, sizeof(p->kept), "%s%s", STAGE_OLD_PREFIX, p->commit->run->id);
	for (char *c = p->kept + length; *c; c++)
		*c = (char)tolower((unsigned char)*c);
}

static int make_schema(struct publishing *p)
{
	struct etl_text sql = { 0 };

	etl_text_add(&sql, "CREATE SCHEMA ");
	etl_text_add_name(&sql, p->kept, '"');
	etl_text_add(&sql, "; CREATE TABLE ");
	postgres_add_name(&sql, p->kept, "_etlrun_again");
	etl_text_add(&sql, " (n bigint GENERATED ALWAYS AS IDENTITY, sql text NOT NULL)");
	return postgres_run_text(p->inst, p->err, &sql);
}

static int note_bond(struct publishing *p, const char *statement)
{
	struct etl_text sql = { 0 };

	etl_text_add(&sql, "INSERT INTO ");
	postgres_add_name(&sql, p->kept, "_etlrun_again");
	etl_text_add(&sql, " (sql) VALUES (");
	etl_text_add_literal(&sql, statement);
	etl_text_add(&sql, ")");
	return postgres_run_text(p->inst, p->err, &sql);
}

static int cut_bonds(struct publishing *p, const char *oids)
{
	PGresult *keys = NULL;
	int rc = postgres_query(p->inst, p->err, &keys, bonds, 1, (const char *const[]){ oids });

	for (int i = 0; rc == ETL_OK && i < PQntuples(keys); i++) {
		rc = note_bond(p, PQgetvalue(keys, i, 0));
		if (rc == ETL_OK)
			rc = postgres_run(p->inst, p->err, PQgetvalue(keys, i, 1));
	}
	PQclear(keys);
	return rc;
}

int old_keep(struct publishing *p, const char *oids)
{
	PGresult *statements = NULL;
	int rc;

	name_schema(p);
	rc = make_schema(p);
	if (rc == ETL_OK)
		rc = cut_bonds(p, oids);
	if (rc == ETL_OK)
		rc = postgres_query(p->inst, p->err, &statements, moves, 2,
				    (const char *const[]){ oids, p->kept });
	for (int i = 0; rc == ETL_OK && i < PQntuples(statements); i++)
		rc = postgres_run(p->inst, p->err, PQgetvalue(statements, i, 0));
	PQclear(statements);
	return rc;
}

/* ---- Enough ------------------------------------------------------------------------------------------------------------ */

static int forget(struct publishing *p, const char *run)
{
	return postgres_change(p->inst, p->err, NULL,
			       "UPDATE " STAGE_OWN ".runs SET kept = NULL WHERE run = $1", 1,
			       (const char *const[]){ run });
}

/* Somebody may look at an old table; then it stays, and this is said. */
static int drop_one(struct publishing *p, const char *schema, const char *run)
{
	PGresult *tables = NULL, *result;
	struct etl_text sql = { 0 };
	int rc = postgres_query(p->inst, p->err, &tables,
				"SELECT c.oid::regclass FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = "
				"c.relnamespace WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND NOT "
				"c.relispartition",
				1, (const char *const[]){ schema });

	if (rc < 0)
		return rc;
	etl_text_add(&sql, "SAVEPOINT prune; ");
	for (int i = 0; i < PQntuples(tables); i++)
		etl_text_addf(&sql, "%s%s", i ? ", " : "DROP TABLE ", PQgetvalue(tables, i, 0));
	etl_text_add(&sql, PQntuples(tables) ? "; DROP SCHEMA IF EXISTS " : "DROP SCHEMA IF EXISTS ");
	etl_text_add_name(&sql, schema, '"');
	PQclear(tables);
	if (sql.failed)
		return postgres_no_memory(p->inst, p->err);
	result = PQexec(p->inst->db, sql.at);
	etl_text_free(&sql);
	if (PQresultStatus(result) == PGRES_COMMAND_OK) {
		PQclear(result);
		rc = postgres_run(p->inst, p->err, "RELEASE prune");
		return rc == ETL_OK ? forget(p, run) : rc;
	}
	if (postgres_is_lost(p->inst))
		return postgres_fail(p->inst, result, p->err, "dropping the old generation \"%s\"", schema);
	p->inst->host->log(p->inst->host, ETL_LOG_WARN,
			   "the old generation \"%s\" is not needed any more, and cannot be dropped: %s; "
			   "%s",
			   schema, PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY),
			   PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL) ?
				   PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL) :
				   "");
	PQclear(result);
	return postgres_run(p->inst, p->err, "ROLLBACK TO prune");
}

int old_prune(struct publishing *p)
{
	PGresult *runs = NULL;
	char keep[24];
	int rc;

	if (p->commit->run->mode != ETL_COPY || p->commit->run->keep_old <= 0)
		return ETL_OK;
	snprintf(keep, sizeof(keep), "%lld", (long long)p->commit->run->keep_old);
	rc = postgres_query(p->inst, p->err, &runs,
			    "SELECT kept, run FROM " STAGE_OWN ".runs WHERE pipeline = $1 AND kept IS NOT NULL "
			    "ORDER BY published DESC, run DESC OFFSET $2::bigint",
			    2, (const char *const[]){ p->commit->run->pipeline, keep });
	for (int i = 0; rc == ETL_OK && i < PQntuples(runs); i++)
		rc = drop_one(p, PQgetvalue(runs, i, 0), PQgetvalue(runs, i, 1));
	PQclear(runs);
	return rc;
}
