/*
 * Keys and indexes of tables that are still empty: they are taken away before the rows come and made again behind them,
 * each in one go. To check a foreign key row by row, and to put rows of random keys into an index one by one, takes four
 * times as long. Nothing of it is seen outside: it is one transaction, and what cannot be made again as it was stays.
 *
 * Who reads such a table waits from here until the transaction ends, and what it would have read is an empty table. When
 * somebody has it in use, or the server does not let it be done, the rows go in with everything in place.
 */
#include "config.h"

#include <stdlib.h>

#include "into.h"

/* From this many rows in all, a multiple of what statements that change the catalog cost. */
#define WORTH_IT 10000

/* ---- Which tables ------------------------------------------------------------------------------------------------ */

/* Of the tables $1 those that can be without keys for a while: nothing of the user's runs when rows come into one of the tables
 * $2, which could need one; they hold no rows elsewhere; and no constraint that stays is checked later, for then its table
 * cannot be altered. A foreign key stays if its other table does not qualify. */
static const char qualifying[] =
	"SELECT c.oid, quote_ident(n.nspname) || '.' || quote_ident(c.relname) FROM pg_catalog.pg_class c JOIN "
	"pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = ANY ($1::oid[]) AND c.relkind = 'r' AND NOT "
	"c.relispartition AND pg_has_role(c.relowner, 'USAGE') AND has_schema_privilege(n.oid, 'CREATE') "
	"AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhparent = c.oid OR i.inhrelid = c.oid) "
	"AND NOT EXISTS (SELECT FROM pg_catalog.pg_trigger t WHERE t.tgrelid = ANY ($2::oid[]) AND NOT t.tgisinternal AND t.tgenabled <> 'D') "
	"AND NOT EXISTS (SELECT FROM pg_catalog.pg_rewrite r WHERE r.ev_class = ANY ($2::oid[])) "
	"AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conrelid = c.oid AND k.condeferrable AND NOT (k.contype = "
	"'f' AND k.confrelid = ANY ($1::oid[]))) ORDER BY c.oid";

static void add_candidates(const struct into *n, bool only_empty, struct etl_text *oids)
{
	const struct publishing *p = n->p;

	etl_text_add(oids, "{");
	for (size_t i = 0; i < p->count; i++)
		if (p->parts[i].how == PUBLISH_INTO && (p->parts[i].empty || !only_empty))
			etl_text_addf(oids, "%s%s", oids->length > 1 ? "," : "", p->parts[i].old.oid);
	etl_text_add(oids, "}");
}

/* FOUND as an array of oids and as a list of names. */
static int list_found(struct into *n, const PGresult *found, struct etl_text *oids, struct etl_text *names)
{
	etl_text_add(oids, "{");
	for (int i = 0; i < PQntuples(found); i++) {
		etl_text_addf(oids, "%s%s", i ? "," : "", PQgetvalue(found, i, 0));
		etl_text_addf(names, "%s%s", i ? ", " : "", PQgetvalue(found, i, 1));
	}
	etl_text_add(oids, "}");
	return oids->failed || names->failed ? postgres_no_memory(n->p->inst, n->p->err) : ETL_OK;
}

/* What does not qualify may keep another from it, so it is asked until the list stays. */
static int find_tables(struct into *n, struct etl_text *oids, struct etl_text *names)
{
	struct etl_text all = { 0 }, before = { 0 };
	int rc = ETL_OK;
	bool same = false;

	add_candidates(n, false, &all);
	add_candidates(n, true, &before);
	while (rc == ETL_OK && !same) {
		PGresult *found = NULL;

		etl_text_free(oids);
		etl_text_free(names);
		rc = all.failed || before.failed ? postgres_no_memory(n->p->inst, n->p->err) :
						   postgres_query(n->p->inst, n->p->err, &found, qualifying, 2,
								  (const char *const[]){ before.at, all.at });
		if (rc == ETL_OK)
			rc = list_found(n, found, oids, names);
		PQclear(found);
		same = rc == ETL_OK && strcmp(oids->at, before.at) == 0;
		etl_text_free(&before);
		if (rc == ETL_OK)
			etl_text_add(&before, oids->at);
	}
	etl_text_free(&before);
	etl_text_free(&all);
	return rc;
}

static bool is_worth_it(const struct into *n)
{
	const struct publishing *p = n->p;
	uint64_t rows = 0;

	/* Of what comes in batches most meets rows that are there, and who reads is not to wait. */
	if (p->slices)
		return false;
	for (size_t i = 0; i < p->count; i++)
		if (p->parts[i].how == PUBLISH_INTO && p->parts[i].empty)
			rows += p->commit->outcomes[i].inserted;
	return rows >= WORTH_IT;
}

/* ---- Which of their keys and indexes -------------------------------------------------------------------------------- */

/* $1: the tables. In the order in which they are made again; they go in the other one. What takes it away, what makes it again,
 * and its comment. An index stays when something is bound to it that stays (a foreign key of another table, a view), or when it
 * has what its definition does not say. */
static const char keys[] =
	"WITH bound AS (SELECT c.oid, c.conrelid, c.conname FROM pg_catalog.pg_constraint c WHERE c.contype = 'f' AND "
	"c.conparentid = 0 AND c.conrelid = ANY ($1::oid[]) AND c.confrelid = ANY ($1::oid[])) "
	"SELECT 1 AS turn, i.indexrelid AS id, CASE WHEN k.oid IS NULL THEN format('DROP INDEX %s', i.indexrelid::regclass) ELSE "
	"format('ALTER TABLE %s DROP CONSTRAINT %I', i.indrelid::regclass, k.conname) END, CASE WHEN k.oid IS NULL THEN "
	"pg_get_indexdef(i.indexrelid) ELSE format('ALTER TABLE %s ADD CONSTRAINT %I %s', i.indrelid::regclass, k.conname, "
	"pg_get_constraintdef(k.oid)) END, "
	"coalesce('COMMENT ON CONSTRAINT ' || quote_ident(k.conname) || ' ON ' || i.indrelid::regclass || ' IS ' || "
	"quote_literal(obj_description(k.oid, 'pg_constraint')) || '; ', '') || coalesce('COMMENT ON INDEX ' || "
	"i.indexrelid::regclass || ' IS ' || quote_literal(obj_description(i.indexrelid, 'pg_class')), '') "
	"FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid LEFT JOIN pg_catalog.pg_constraint k ON "
	"k.conindid = i.indexrelid AND k.conrelid = i.indrelid AND k.contype IN ('p', 'u', 'x') "
	"WHERE i.indrelid = ANY ($1::oid[]) AND i.indisvalid AND i.indisready AND i.indislive AND NOT i.indisclustered AND NOT "
	"i.indisreplident AND x.reltablespace = 0 AND (k.oid IS NULL OR x.reloptions IS NULL AND k.contype <> 'x') "
	"AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = x.oid AND coalesce(a.attstattarget, -1) <> -1) "
	"AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = x.oid AND "
	"d.deptype IN ('e', 'x')) "
	"AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE (d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = "
	"x.oid OR d.refclassid = 'pg_catalog.pg_constraint'::regclass AND d.refobjid = k.oid) AND NOT (d.classid = "
	"'pg_catalog.pg_class'::regclass AND d.objid = x.oid) AND NOT (d.classid = 'pg_catalog.pg_constraint'::regclass AND d.objid IN "
	"(SELECT oid FROM bound))) "
	"UNION ALL SELECT 2, oid, format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname), "
	"format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid)), "
	"'COMMENT ON CONSTRAINT ' || quote_ident(conname) || ' ON ' || conrelid::regclass || ' IS ' || "
	"quote_literal(obj_description(oid, 'pg_constraint')) FROM bound ORDER BY turn, id";

enum { TURN, ID, AWAY, AGAIN, COMMENT };

/* 1: done; 0: the server did not do it, WHAT is its reason and everything is as it was; negative: failed. */
static int try_to(struct into *n, const struct etl_text *sql, const char *what)
{
	struct publishing *p = n->p;
	PGresult *result;

	if (sql->failed)
		return postgres_no_memory(p->inst, p->err);
	result = PQexec(p->inst->db, sql->at);
	if (PQresultStatus(result) == PGRES_COMMAND_OK) {
		PQclear(result);
		return 1;
	}
	if (postgres_is_lost(p->inst))
		return postgres_fail(p->inst, result, p->err, "%s", what);
	p->inst->host->log(p->inst->host, ETL_LOG_DEBUG,
			   "keys and indexes of the empty tables stay while the rows come, %s: %s", what,
			   PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY));
	PQclear(result);
	return 0;
}

static int take_all(struct into *n, const char *names, const PGresult *found)
{
	struct etl_text sql = { 0 };
	int rc;

	/* Who waits for a lock beside one that it has may be waited for. */
	etl_text_addf(&sql, "LOCK TABLE ONLY %s IN ACCESS EXCLUSIVE MODE NOWAIT", names);
	rc = try_to(n, &sql, "for they are in use");
	etl_text_free(&sql);
	for (int i = PQntuples(found) - 1; rc == 1 && i >= 0; i--) {
		etl_text_add(&sql, PQgetvalue(found, i, AWAY));
		rc = try_to(n, &sql, "for not all can be taken away");
		etl_text_free(&sql);
	}
	return rc;
}

/* ---- Away and again --------------------------------------------------------------------------------------------------- */

int into_take_keys(struct into *n, PGresult **ret)
{
	struct publishing *p = n->p;
	struct etl_text oids = { 0 }, names = { 0 };
	PGresult *found = NULL;
	int rc = ETL_OK;

	*ret = NULL;
	if (!is_worth_it(n))
		return ETL_OK;
	rc = postgres_into_run(n, "SET LOCAL search_path = pg_catalog", NULL);
	if (rc == ETL_OK)
		rc = find_tables(n, &oids, &names);
	if (rc == ETL_OK && names.length)
		rc = postgres_query(p->inst, p->err, &found, keys, 1, (const char *const[]){ oids.at });
	if (rc == ETL_OK && found && PQntuples(found) > 0) {
		rc = postgres_into_run(n, "SAVEPOINT keys", NULL);
		if (rc == ETL_OK)
			rc = take_all(n, names.at, found);
		if (rc == 1) {
			*ret = found;
			found = NULL;
		}
		if (rc >= 0)
			rc = postgres_into_run(n, rc == 1 ? "RELEASE keys" : "ROLLBACK TO keys; RELEASE keys", NULL);
	}
	PQclear(found);
	etl_text_free(&oids);
	etl_text_free(&names);
	return rc;
}

int into_make_keys(struct into *n, const PGresult *taken)
{
	int rc = taken ? postgres_into_run(n, "SET LOCAL search_path = pg_catalog", NULL) : ETL_OK;

	n->part = NULL;
	for (int i = 0; rc == ETL_OK && taken && i < PQntuples(taken); i++) {
		if (n->p->inst->host->canceled(n->p->inst->host))
			return ETL_CANCELED;
		rc = postgres_into_run(n, PQgetvalue(taken, i, AGAIN), NULL);
		if (rc == ETL_OK && postgres_at(taken, i, COMMENT) && *postgres_at(taken, i, COMMENT))
			rc = postgres_into_run(n, postgres_at(taken, i, COMMENT), NULL);
	}
	return rc;
}
