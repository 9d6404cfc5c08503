/*
 * Sequences that are no column's own: who takes from one is told by the defaults alone, and may be many. The target's own
 * stays where its tables do, and where something that the run does not replace takes from it. It never goes back.
 */
#include "config.h"

#include <stdlib.h>

#include "follow.h"

enum { NAME, MAY, IS_BEHIND, HOLD, SET };

/* The columns of the two questions below, from: the sequence q, s; and behind, a query in SQL of the number m to which it
 * is to be set, if it is to be. An ALTER that changes nothing makes setval a part of the transaction (swap.c), and keeps
 * others out until it has been looked again. */
#define SETTING                                                                                    \
	"SELECT c.name, has_sequence_privilege(c.oid, 'SELECT') AND has_sequence_privilege(c.oid, 'UPDATE'), "   \
	"format('SELECT EXISTS (%s)', c.behind), CASE WHEN pg_has_role(c.relowner, 'USAGE') THEN "           \
	"format('ALTER SEQUENCE %s INCREMENT BY %s', c.name, c.seqincrement) ELSE 'SELECT' END, "            \
	"format('SELECT setval(%L, m::bigint) FROM (%s) AS t', c.name, c.behind) FROM (SELECT q.oid, q.oid::regclass "  \
	"AS name, q.relowner, s.seqincrement, format('SELECT m FROM (%s) AS t, %s AS s WHERE m BETWEEN %s AND %s "  \
	"AND (m %s s.last_value OR (m = s.last_value AND NOT s.is_called))', "
#define OF_LIVE                                                                                    \
	", q.oid::regclass, s.seqmin, s.seqmax, CASE WHEN s.seqincrement > 0 THEN '>' ELSE '<' END) AS behind "

/* $1: the target's, $2: the staged one: what the source's gave last. */
static const char behind_source[] =
	SETTING
	"format('SELECT last_value::numeric - CASE WHEN is_called THEN 0 ELSE %s END AS m FROM %s', i.seqincrement, "
	"i.seqrelid::regclass)" OF_LIVE
	"FROM pg_catalog.pg_class q JOIN pg_catalog.pg_sequence s ON s.seqrelid = q.oid, pg_catalog.pg_sequence i WHERE "
	"q.oid = $1::oid AND i.seqrelid = $2::oid) AS c";

/* $1: a table: those from which defaults of its columns take and nothing else. */
static const char behind_rows[] =
	SETTING
	"format('SELECT %s(%I)::numeric AS m FROM %s WHERE %I BETWEEN %s AND %s', CASE WHEN s.seqincrement > 0 THEN 'max' "
	"ELSE 'min' END, a.attname, a.attrelid::regclass, a.attname, s.seqmin, s.seqmax)" OF_LIVE
	"FROM pg_catalog.pg_attrdef f JOIN pg_catalog.pg_attribute a ON a.attrelid = f.adrelid AND a.attnum = f.adnum AND "
	"a.attgenerated = '' AND a.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'numeric'::regtype) "
	"JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_attrdef'::regclass AND d.objid = f.oid AND d.refclassid = "
	"'pg_catalog.pg_class'::regclass JOIN pg_catalog.pg_class q ON q.oid = d.refobjid JOIN pg_catalog.pg_sequence s ON "
	"s.seqrelid = q.oid WHERE f.adrelid = $1::oid AND pg_get_expr(f.adbin, f.adrelid) LIKE 'nextval(%' AND q.oid IS "
	"DISTINCT FROM pg_get_serial_sequence(a.attrelid::regclass::text, a.attname)::regclass) AS c";

/* $1: a staged sequence, $2: the stage, which is the search path. Defaults of columns, and of domains. */
static const char taking[] =
	"SELECT format('ALTER TABLE %I.%I ALTER %I SET DEFAULT %s', n.nspname, c.relname, a.attname, "
	"pg_get_expr(f.adbin, f.adrelid)) FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_attrdef f ON d.classid = "
	"'pg_catalog.pg_attrdef'::regclass AND f.oid = d.objid JOIN pg_catalog.pg_attribute a ON a.attrelid = f.adrelid AND "
	"a.attnum = f.adnum JOIN pg_catalog.pg_class c ON c.oid = f.adrelid JOIN pg_catalog.pg_namespace n ON n.oid = "
	"c.relnamespace WHERE d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = $1::oid AND n.nspname <> $2 "
	"UNION ALL SELECT format('ALTER DOMAIN %I.%I SET DEFAULT %s', n.nspname, t.typname, pg_get_expr(t.typdefaultbin, 0)) "
	"FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_type t ON d.classid = 'pg_catalog.pg_type'::regclass AND t.oid = d.objid "
	"JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace WHERE d.refclassid = 'pg_catalog.pg_class'::regclass AND "
	"d.refobjid = $1::oid AND t.typdefaultbin IS NOT NULL AND n.nspname <> $2";

/* $1: staged sequences: those from which more takes than tables, which stay behind when nothing is made. */
static const char wanted[] =
	"SELECT DISTINCT d.refobjid FROM pg_catalog.pg_depend d WHERE d.refclassid = 'pg_catalog.pg_class'::regclass AND "
	"d.refobjid = ANY ($1::oid[]) AND d.deptype = 'n' AND d.classid <> 'pg_catalog.pg_attrdef'::regclass";

/* $1: sequences, $2: tables that go. */
static const char needed[] =
	"SELECT DISTINCT d.refobjid FROM pg_catalog.pg_depend d LEFT JOIN pg_catalog.pg_attrdef f ON d.classid = "
	"'pg_catalog.pg_attrdef'::regclass AND f.oid = d.objid LEFT JOIN pg_catalog.pg_class c ON c.oid = f.adrelid LEFT JOIN "
	"LATERAL pg_partition_root(c.oid) AS r ON c.relispartition WHERE d.refclassid = 'pg_catalog.pg_class'::regclass AND "
	"d.refobjid = ANY ($1::oid[]) AND d.deptype = 'n' AND coalesce(r, c.oid, 0) <> ALL ($2::oid[])";

/* ---- Which stay ------------------------------------------------------------------------------------------------------ */

static void add_oids(const struct publishing *p, bool sequences, struct etl_text *to)
{
	etl_text_add(to, "{");
	for (size_t i = 0; i < p->count; i++)
		if (p->parts[i].how == PUBLISH_REPLACE && sequences == (p->parts[i].old.kind == 'S'))
			etl_text_addf(to, "%s%s", to->length > 1 ? "," : "", p->parts[i].old.oid);
	etl_text_add(to, "}");
}

static void mark(struct publishing *p, const char *oid)
{
	for (size_t i = 0; i < p->count; i++)
		if (p->parts[i].how == PUBLISH_REPLACE && strcmp(p->parts[i].old.oid, oid) == 0)
			p->parts[i].how = PUBLISH_FOLLOW;
}

/* The target has none, and what comes all the same, a domain or a view, takes from it: then it comes too. */
static int find_wanted(struct publishing *p)
{
	struct etl_text staged = { 0 };
	PGresult *found = NULL;
	int rc = ETL_OK;

	etl_text_add(&staged, "{");
	for (size_t i = 0; i < p->count; i++)
		if (p->parts[i].how == PUBLISH_FOLLOW && !p->parts[i].old.kind)
			etl_text_addf(&staged, "%s%s", staged.length > 1 ? "," : "", p->parts[i].staged.oid);
	etl_text_add(&staged, "}");
	if (staged.failed)
		rc = postgres_no_memory(p->inst, p->err);
	else if (staged.length > strlen("{}"))
		rc = postgres_query(p->inst, p->err, &found, wanted, 1, (const char *const[]){ staged.at });
	for (int i = 0; rc == ETL_OK && found && i < PQntuples(found); i++)
		for (size_t k = 0; k < p->count; k++)
			if (p->parts[k].how == PUBLISH_FOLLOW &&
			    strcmp(p->parts[k].staged.oid, PQgetvalue(found, i, 0)) == 0)
				p->parts[k].how = PUBLISH_MOVE;
	PQclear(found);
	etl_text_free(&staged);
	return rc;
}

/* A table of the old generation that is kept takes from its sequence still. */
int follow_find(struct publishing *p)
{
	struct etl_text sequences = { 0 }, tables = { 0 };
	PGresult *found = NULL;
	int rc = ETL_OK;

	add_oids(p, true, &sequences);
	if (p->commit->run->keep_old > 0)
		etl_text_add(&tables, "{}");
	else
		add_oids(p, false, &tables);
	if (sequences.failed || tables.failed)
		rc = postgres_no_memory(p->inst, p->err);
	else if (sequences.length > strlen("{}"))
		rc = postgres_query(p->inst, p->err, &found, needed, 2,
				    (const char *const[]){ sequences.at, tables.at });
	for (int i = 0; rc == ETL_OK && found && i < PQntuples(found); i++)
		mark(p, PQgetvalue(found, i, 0));
	PQclear(found);
	etl_text_free(&sequences);
	etl_text_free(&tables);
	return rc == ETL_OK ? find_wanted(p) : rc;
}

/* ---- Further ---------------------------------------------------------------------------------------------------------- */

static int set_found(struct publishing *p, const PGresult *found)
{
	int rc = ETL_OK;

	for (int i = 0; rc == ETL_OK && i < PQntuples(found); i++) {
		bool behind = false;

		if (!postgres_flag_at(found, i, MAY)) {
			p->inst->host->log(p->inst->host, ETL_LOG_WARN,
					   "sequence %s stays where it is, for the role may not read and set it; "
					   "GRANT SELECT, UPDATE on it, or set it behind the rows by hand",
					   PQgetvalue(found, i, NAME));
			continue;
		}
		rc = postgres_flag(p->inst, p->err, &behind, PQgetvalue(found, i, IS_BEHIND), 0, NULL);
		for (int k = HOLD; rc == ETL_OK && behind && k <= SET; k++)
			rc = postgres_run(p->inst, p->err, PQgetvalue(found, i, k));
	}
	return rc;
}

static int set_behind(struct publishing *p, const struct publish_part *part)
{
	bool sequence = part->how == PUBLISH_FOLLOW;
	PGresult *found = NULL;
	int rc;

	if (!sequence && part->how != PUBLISH_SWAP && part->how != PUBLISH_INTO)
		return ETL_OK;
	rc = postgres_query(p->inst, p->err, &found, sequence ? behind_source : behind_rows, sequence ? 2 : 1,
			    (const char *const[]){ part->old.oid, part->staged.oid });
	if (rc == ETL_OK)
		rc = set_found(p, found);
	PQclear(found);
	return rc;
}

/* ---- From the one that stays ------------------------------------------------------------------------------------------ */

static int enter(struct publishing *p, const char *schema)
{
	struct etl_text sql = { 0 };

	etl_text_add(&sql, "SET LOCAL search_path = ");
	etl_text_add_name(&sql, schema, '"');
	return postgres_run_text(p->inst, p->err, &sql);
}

/* A default is read where its sequence has no schema to its name, and said again where that name is the other one's. */
static int turn_defaults(struct publishing *p, const struct publish_part *part)
{
	PGresult *found = NULL;
	int rc;

	if (part->how != PUBLISH_FOLLOW || !part->old.kind)
		return ETL_OK;
	rc = enter(p, part->token->text);
	if (rc == ETL_OK)
		rc = postgres_query(p->inst, p->err, &found, taking, 2,
				    (const char *const[]){ part->staged.oid, part->token->text });
	if (rc == ETL_OK)
		rc = enter(p, part->schema);
	for (int i = 0; rc == ETL_OK && i < PQntuples(found); i++)
		rc = postgres_run(p->inst, p->err, PQgetvalue(found, i, 0));
	PQclear(found);
	return rc == ETL_OK ? postgres_run(p->inst, p->err, "SET LOCAL search_path = pg_catalog") : rc;
}

int follow_set(struct publishing *p)
{
	int rc = ETL_OK;

	for (size_t i = 0; rc == ETL_OK && i < p->count; i++)
		rc = turn_defaults(p, &p->parts[i]);
	for (size_t i = 0; rc == ETL_OK && i < p->count; i++)
		rc = set_behind(p, &p->parts[i]);
	return rc;
}
