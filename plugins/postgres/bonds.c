/*
 * Foreign keys of tables that are published to tables that are not, with scope = "table": what they refer to goes with the
 * staging schema, and the target has under that name what it had before, or nothing. They bind to what is there when its
 * rows allow it; one that cannot is left out, and is told with the statement that would make it.
 */
#include "config.h"

#include <stdlib.h>

#include "bonds.h"

enum { CHILD, NAME, PARENT, CUT, BIND, IS_THERE };

/* Of those to tables in the schema $1, the stage, from tables elsewhere. $2: the schema of the tables that stay. */
static const char bonds[] =
	"SELECT r.relname, c.conname, p.relname, format('ALTER TABLE %s DROP CONSTRAINT %I', c.conrelid::regclass, c.conname), "
	"format('ALTER TABLE %s ADD CONSTRAINT %I %s', c.conrelid::regclass, c.conname, replace(pg_get_constraintdef(c.oid), "
	"format(' REFERENCES %s(', c.confrelid::regclass), format(' REFERENCES %I.%I(', $2::text, p.relname))), "
	"EXISTS (SELECT FROM pg_catalog.pg_class l JOIN pg_catalog.pg_namespace n ON n.oid = l.relnamespace WHERE n.nspname = $2 "
	"AND l.relname = p.relname AND l.relkind IN ('r', 'p')) "
	"FROM pg_catalog.pg_constraint c JOIN pg_catalog.pg_class r ON r.oid = c.conrelid JOIN pg_catalog.pg_class p ON p.oid = "
	"c.confrelid JOIN pg_catalog.pg_namespace s ON s.oid = p.relnamespace WHERE s.nspname = $1 AND c.contype = 'f' AND "
	"c.conparentid = 0 AND r.relnamespace <> p.relnamespace ORDER BY r.relname, c.conname";

static void say(struct publishing *p, const PGresult *found, int row, const char *why)
{
	p->inst->host->log(p->inst->host, ETL_LOG_WARN,
			   "table \"%s\": its foreign key \"%s\" is left out, for \"%s\" was not published, and %s; when "
			   "it is: %s",
			   PQgetvalue(found, row, CHILD), PQgetvalue(found, row, NAME),
			   PQgetvalue(found, row, PARENT), why, PQgetvalue(found, row, BIND));
}

/* What is there may be of another shape, or lack a row. */
static int try_to_bind(struct publishing *p, const PGresult *found, int row)
{
	PGresult *result;
	struct etl_text why = { 0 };
	const char *detail;
	int rc = postgres_run(p->inst, p->err, "SAVEPOINT bond");

	if (rc < 0)
		return rc;
	result = PQexec(p->inst->db, PQgetvalue(found, row, BIND));
	if (PQresultStatus(result) == PGRES_COMMAND_OK) {
		PQclear(result);
		return postgres_run(p->inst, p->err, "RELEASE bond");
	}
	if (postgres_is_lost(p->inst))
		return postgres_fail(p->inst, result, p->err, "binding \"%s\"", PQgetvalue(found, row, CHILD));
	detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
	etl_text_addf(&why, "the one that is there does not fit: %s%s%s",
		      PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY), detail ? "; " : "", detail ? detail : "");
	PQclear(result);
	rc = why.failed ? postgres_no_memory(p->inst, p->err) :
			  postgres_run(p->inst, p->err, "ROLLBACK TO bond");
	if (rc == ETL_OK)
		say(p, found, row, why.at);
	etl_text_free(&why);
	return rc;
}

int bonds_turn(struct publishing *p, size_t i)
{
	const struct publish_part *part = &p->parts[i];
	PGresult *found = NULL;
	int rc;

	if (!(p->commit->run->flags & ETL_RUN_TABLE_SCOPE))
		return ETL_OK;
	rc = postgres_query(p->inst, p->err, &found, bonds, 2,
			    (const char *const[]){ part->token->text, part->schema });
	for (int row = 0; rc == ETL_OK && row < PQntuples(found); row++) {
		rc = postgres_run(p->inst, p->err, PQgetvalue(found, row, CUT));
		if (rc == ETL_OK && postgres_flag_at(found, row, IS_THERE))
			rc = try_to_bind(p, found, row);
		else if (rc == ETL_OK)
			say(p, found, row, "the target has no table of that name");
	}
	PQclear(found);
	return rc;
}
