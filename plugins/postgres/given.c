/*
 * target.schema_file: DDL of the target's own. It is run in a schema that nobody else sees, in a transaction that is
 * taken back; what it made is described from the catalog, and the host gives the rows that shape. From there on a table is
 * designed as any other of PostgreSQL's: its keys and indexes are made after the rows.
 */
#include "config.h"

#include <stdlib.h>

#include "postgres.h"
#include "schema-file.h"

#define SCRATCH "_etlrun_schema_file"

static int unreadable(struct etl_instance *inst, const char *path, const char *why,
		      struct etl_error *err)
{
	return inst->host->fail(err, ETL_USAGE, NULL, 0, "schema_file %s: %s", path, why);
}

/* The line of a character that the server counts from 1; 0: it did not say. */
static unsigned long line_of(const char *text, const PGresult *result)
{
	const char *said = PQresultErrorField(result, PG_DIAG_STATEMENT_POSITION);
	unsigned long at = said ? strtoul(said, NULL, 10) : 0, line = 1;

	for (; at > 1 && *text; text++) {
		line += *text == '\n';
		at -= ((unsigned char)text[1] & 0xc0) != 0x80;
	}
	return said ? line : 0;
}

static int run_file(struct etl_instance *inst, const char *path, const char *text,
		    struct etl_error *err)
{
	PGresult *result = PQexec(inst->db, text);
	ExecStatusType status = PQresultStatus(result);
	unsigned long line = line_of(text, result);

	if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH) {
		PQclear(result);
		postgres_disconnect(inst);
		return unreadable(inst, path, "it copies rows; it may only make tables", err);
	}
	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_EMPTY_QUERY)
		return line ? postgres_fail(inst, result, err, "%s:%lu", path, line) :
			      postgres_fail(inst, result, err, "schema_file %s", path);
	PQclear(result);
	return ETL_OK;
}

/* The transaction that is under way; *RET is the caller's. */
static int name_transaction(struct etl_instance *inst, char **ret, struct etl_error *err)
{
	return postgres_text(inst, err, ret, "SELECT pg_catalog.pg_current_xact_id()::text", 0, NULL);
}

/* The file may have ended one and begun another: what was made in the first is there for good. */
static int run_within(struct etl_instance *inst, const char *path, const char *text, struct etl_error *err)
{
	char *before = NULL, *behind = NULL;
	int rc = name_transaction(inst, &before, err);

	if (rc == ETL_OK)
		rc = run_file(inst, path, text, err);
	if (rc == ETL_OK && PQtransactionStatus(inst->db) == PQTRANS_INTRANS)
		rc = name_transaction(inst, &behind, err);
	if (rc == ETL_OK && !(before && behind && strcmp(before, behind) == 0))
		rc = unreadable(inst, path,
				"it ends the transaction it is run in: take BEGIN, COMMIT and their like out of it; "
				"what it made before in schemas that it names is there now: look at it, and drop it",
				err);
	free(before);
	free(behind);
	return rc;
}

/* What it made beside tables, their indexes and what belongs to them, as people read it. */
static const char strangers[] =
	"WITH made(what) AS ("
	"SELECT CASE c.relkind WHEN 'v' THEN 'view ' WHEN 'm' THEN 'materialized view ' WHEN 'f' "
	"THEN 'foreign table ' "
	"WHEN 'S' THEN 'sequence ' WHEN 'c' THEN 'type ' WHEN 'p' THEN 'partitioned table ' ELSE "
	"'table ' END || "
	"c.oid::regclass FROM pg_catalog.pg_class c WHERE c.xmin = pg_current_xact_id()::xid AND c.relkind "
	"NOT IN ('i', 'I', 't') "
	"AND (c.relnamespace <> $1::regnamespace OR c.relkind NOT IN ('r', 'S') OR (c.relkind = "
	"'S' AND NOT EXISTS ("
	"SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND "
	"d.refobjsubid > 0))) "
	"AND NOT EXISTS (SELECT FROM pg_catalog.pg_namespace n WHERE n.oid = c.relnamespace AND n.nspname "
	"LIKE 'pg\\_toast%') "
	"UNION ALL SELECT 'function ' || p.oid::regprocedure FROM pg_catalog.pg_proc p WHERE p.xmin = "
	"pg_current_xact_id()::xid "
	"UNION ALL SELECT 'type ' || t.oid::regtype FROM pg_catalog.pg_type t WHERE t.xmin = "
	"pg_current_xact_id()::xid "
	"AND t.typtype IN ('e', 'd', 'r') "
	"UNION ALL SELECT 'trigger ' || quote_ident(g.tgname) || ' on ' || g.tgrelid::regclass "
	"FROM pg_catalog.pg_trigger g "
	"WHERE g.xmin = pg_current_xact_id()::xid AND NOT g.tgisinternal "
	"UNION ALL SELECT 'policy ' || quote_ident(y.polname) || ' on ' || y.polrelid::regclass "
	"FROM pg_catalog.pg_policy y "
	"WHERE y.xmin = pg_current_xact_id()::xid "
	"UNION ALL SELECT 'schema ' || quote_ident(n.nspname) FROM pg_catalog.pg_namespace n "
	"WHERE n.xmin = pg_current_xact_id()::xid AND n.oid <> $1::regnamespace) "
	"SELECT string_agg(what, ', ' ORDER BY what) FROM made";

static int refuse_strangers(struct etl_instance *inst, const char *path, struct etl_error *err)
{
	const char *values[] = { SCRATCH };
	char *made = NULL;
	int rc = postgres_text(inst, err, &made, strangers, 1, values);

	if (rc == ETL_OK && made)
		rc = inst->host->fail(
			err, ETL_USAGE, NULL, 0,
			"schema_file %s makes more than tables with unqualified names, "
			"which "
			"the run cannot stage: %s; make that in the database beforehand",
			path, made);
	free(made);
	return rc;
}

/* ---- What it made ---- */

struct relay {
	struct etl_table_sink sink;
	struct etl_table_sink *to;
};

/* Such a table goes where the target's tables go. */
static int pass_on(struct etl_table_sink *self, const struct etl_table *table)
{
	struct relay *relay = (struct relay *)(void *)self;
	struct etl_table copy = *table;

	if (table->kind != ETL_TABLE)
		return ETL_OK;
	copy.schema = NULL;
	copy.ddl = NULL;
	copy.rows = copy.bytes = ETL_UNKNOWN;
	return relay->to->emit(relay->to, &copy);
}

static int describe_made(struct etl_instance *inst, const char *path, const char *text,
			 struct etl_table_sink *sink, struct etl_error *err)
{
	struct relay relay = { { pass_on }, sink };
	int rc = postgres_run(inst, err, "SET LOCAL search_path = " SCRATCH ", public");

	if (rc == ETL_OK)
		rc = run_within(inst, path, text, err);
	if (rc == ETL_OK)
		rc = postgres_run(inst, err, "SET LOCAL search_path = pg_catalog");
	if (rc == ETL_OK)
		rc = refuse_strangers(inst, path, err);
	return rc == ETL_OK ? postgres_describe_schema(inst, SCRATCH, &relay.sink, err) : rc;
}

/* The failure, if there was one, has been told. What the file committed of the scratch is nobody's. */
static void take_back(struct etl_instance *inst)
{
	if (inst->db)
		PQclear(PQexec(inst->db, "ROLLBACK; DROP SCHEMA IF EXISTS " SCRATCH " CASCADE"));
}

int postgres_given(struct etl_instance *inst, struct etl_table_sink *sink, struct etl_error *err)
{
	const char *path = inst->conf ? inst->host->str(inst->conf, "schema_file") : NULL;
	char *text = NULL;
	int rc = path ? etl_schema_file_read(inst->host, path, &text, err) : ETL_OK;

	if (rc == ETL_OK && path) {
		rc = postgres_run(inst, err, "BEGIN; CREATE SCHEMA " SCRATCH);
		if (rc == ETL_OK) {
			rc = describe_made(inst, path, text, sink, err);
			take_back(inst);
		} else if (inst->db) {
			PQclear(PQexec(inst->db, "ROLLBACK"));
		}
	}
	free(text);
	return rc;
}
