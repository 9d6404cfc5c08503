/*
 * What is no table or view: types, sequences that stand alone, triggers. Each is one statement, which is all that
 * there is to say. What is not carried at all (functions, policies, rules) is counted in the log, so that nobody looks
 * for it in vain.
 */
#include "config.h"

#include <stdlib.h>

#include "describe.h"

#define OF_NO_EXTENSION(catalog, id)                                                                \
	"NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend x WHERE x.classid = 'pg_catalog." catalog   \
	"'::regclass AND x.objid = " id " AND x.deptype = 'e')"

/* Each question: schema, name, parent or NULL, statement, comment. $2 is the schema that is asked for, $1 unused. */
struct kind {
	int32_t kind;
	const char *with, *select, *order;
};

/* How deep the types are that a type is made of, whatever their kinds: those of none are 0. An array stands for its
 * elements, a multirange for its range. Checks of domains may name each other's, hence the end. */
static const char depths_sql[] =
	"WITH RECURSIVE made(oid, relation) AS (SELECT t.oid, t.typrelid FROM pg_catalog.pg_type t LEFT JOIN "
	"pg_catalog.pg_class c ON c.oid = t.typrelid WHERE t.typtype IN ('e', 'r', 'd') OR c.relkind = 'c'), "
	"parts(oid, part) AS (SELECT m.oid, x.refobjid FROM made m JOIN pg_catalog.pg_depend x ON "
	"(x.classid = 'pg_catalog.pg_type'::regclass AND x.objid = m.oid) OR (m.relation <> 0 AND x.classid = "
	"'pg_catalog.pg_class'::regclass AND x.objid = m.relation) WHERE x.refclassid = "
	"'pg_catalog.pg_type'::regclass UNION SELECT k.contypid, x.refobjid FROM pg_catalog.pg_constraint k JOIN "
	"pg_catalog.pg_depend x ON x.classid = 'pg_catalog.pg_constraint'::regclass AND x.objid = k.oid AND "
	"x.refclassid = 'pg_catalog.pg_type'::regclass WHERE k.contypid <> 0), "
	"whole(oid, part) AS (SELECT p.oid, coalesce(x.refobjid, nullif(t.typelem, 0), t.oid) FROM parts p JOIN "
	"pg_catalog.pg_type t ON t.oid = p.part LEFT JOIN pg_catalog.pg_depend x ON t.typtype = 'm' AND "
	"x.classid = 'pg_catalog.pg_type'::regclass AND x.objid = t.oid AND x.refclassid = x.classid AND "
	"x.deptype = 'i'), "
	"deep(oid, depth) AS (SELECT oid, 0 FROM made UNION SELECT w.oid, d.depth + 1 FROM deep d JOIN whole w ON "
	"w.part = d.oid AND w.oid <> d.oid AND d.depth < 100), "
	"depths(oid, depth) AS (SELECT oid, max(depth) FROM deep GROUP BY oid) ";

#define DOMAIN                                                                                      \
	"pg_catalog.concat('CREATE DOMAIN ', pg_catalog.quote_ident(t.typname), ' AS ', "                     \
	DESCRIBE_IN("n.nspname", "pg_catalog.format_type(t.typbasetype, t.typtypmod)")                      \
	", CASE WHEN t.typcollation <> b.typcollation THEN (SELECT ' COLLATE ' || "                          \
	"pg_catalog.quote_ident(l.collname) FROM pg_catalog.pg_collation l WHERE l.oid = "                   \
	"t.typcollation) END, ' DEFAULT ' || "                                                             \
	DESCRIBE_IN("n.nspname", "pg_catalog.pg_get_expr(t.typdefaultbin, 0)")                              \
	", CASE WHEN t.typnotnull THEN ' NOT NULL' END, (SELECT pg_catalog.string_agg("                      \
	"pg_catalog.concat(' CONSTRAINT ', pg_catalog.quote_ident(k.conname), ' ', "                        \
	DESCRIBE_IN("n.nspname", "pg_catalog.pg_get_constraintdef(k.oid, true)")                            \
	"), '' ORDER BY k.conname) FROM pg_catalog.pg_constraint k WHERE k.contypid = t.oid AND "           \
	"k.contype = 'c'))"

#define RANGE_ORDER                                                                                 \
	"pg_catalog.concat((SELECT ', SUBTYPE_OPCLASS = ' || CASE WHEN pg_catalog.pg_opclass_is_visible(x.oid) THEN '' ELSE "  \
	"pg_catalog.quote_ident(xn.nspname) || '.' END || pg_catalog.quote_ident(x.opcname) FROM pg_catalog.pg_opclass x JOIN "  \
	"pg_catalog.pg_namespace xn ON xn.oid = x.opcnamespace WHERE x.oid = r.rngsubopc AND NOT x.opcdefault), (SELECT "  \
	"', COLLATION = ' || CASE WHEN pg_catalog.pg_collation_is_visible(l.oid) THEN '' ELSE pg_catalog.quote_ident("  \
	"ln.nspname) || '.' END || pg_catalog.quote_ident(l.collname) FROM pg_catalog.pg_collation l JOIN "    \
	"pg_catalog.pg_namespace ln ON ln.oid = l.collnamespace JOIN pg_catalog.pg_type lt ON lt.oid = r.rngsubtype WHERE "  \
	"l.oid = r.rngcollation AND l.oid <> lt.typcollation))"

/* Those that are not the server's own stand last, so that they can be left out (design-other.c). */
#define RANGE_FUNCTIONS                                                                             \
	"(SELECT pg_catalog.string_agg(pg_catalog.concat(CASE WHEN p.pronamespace = 'pg_catalog'::pg_catalog.regnamespace "  \
	"THEN ', ' ELSE E'\\n, ' END, f.word, ' = ', f.oid::pg_catalog.regproc), '' ORDER BY p.pronamespace <> "   \
	"'pg_catalog'::pg_catalog.regnamespace, f.word DESC) FROM (VALUES ('SUBTYPE_DIFF', r.rngsubdiff::pg_catalog.oid), "  \
	"('CANONICAL', r.rngcanonical::pg_catalog.oid)) AS f (word, oid) JOIN pg_catalog.pg_proc p ON p.oid = f.oid)"

static const char types_sql[] =
	"SELECT n.nspname, t.typname, NULL, CASE t.typtype WHEN 'd' THEN " DOMAIN " ELSE pg_catalog.concat('CREATE TYPE ', "
	"pg_catalog.quote_ident(t.typname), ' AS ', CASE t.typtype WHEN 'e' THEN "
	"pg_catalog.concat('ENUM (', (SELECT pg_catalog.string_agg(pg_catalog.quote_literal("
	"e.enumlabel), ', ' ORDER BY e.enumsortorder) FROM pg_catalog.pg_enum e WHERE e.enumtypid = "
	"t.oid), ')') WHEN 'r' THEN (SELECT pg_catalog.concat('RANGE (SUBTYPE = ', "
	DESCRIBE_IN("n.nspname", "pg_catalog.format_type(r.rngsubtype, NULL)")
	", " DESCRIBE_IN("n.nspname", RANGE_ORDER)
	/* Before 14 there is no such column. */
	", (SELECT ', MULTIRANGE_TYPE_NAME = ' || pg_catalog.quote_ident(m.typname) FROM pg_catalog.pg_type m WHERE "
	"m.oid = (pg_catalog.to_jsonb(r) ->> 'rngmultitypid')::oid)"
	", " DESCRIBE_IN("n.nspname", RANGE_FUNCTIONS)
	", ')') FROM pg_catalog.pg_range r WHERE r.rngtypid = t.oid) ELSE pg_catalog.concat('(', "
	"(SELECT pg_catalog.string_agg(pg_catalog.concat_ws(' ', pg_catalog.quote_ident(a.attname), "
	DESCRIBE_IN("n.nspname", "pg_catalog.format_type(a.atttypid, a.atttypmod)")
	"), ', ' ORDER BY a.attnum) FROM pg_catalog.pg_attribute a WHERE a.attrelid = t.typrelid AND "
	"a.attnum > 0 AND NOT a.attisdropped), ')') END) END, "
	"pg_catalog.obj_description(t.oid, 'pg_type') "
	"FROM pg_catalog.pg_type t JOIN depths ON depths.oid = t.oid "
	"JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace "
	"LEFT JOIN pg_catalog.pg_type b ON b.oid = t.typbasetype "
	"WHERE " OF_NO_EXTENSION("pg_type", "t.oid") " AND $1::text IS NULL AND ";

/* A value that was not given out yet is set so that it is the next. */
static const char sequences_sql[] =
	"SELECT n.nspname, c.relname, NULL, pg_catalog.concat('CREATE SEQUENCE ', "
	"pg_catalog.quote_ident(c.relname), ' AS ', pg_catalog.format_type(s.seqtypid, NULL), "
	"' INCREMENT BY ', s.seqincrement, ' MINVALUE ', s.seqmin, ' MAXVALUE ', s.seqmax, "
	"' START WITH ', s.seqstart, ' CACHE ', s.seqcache, CASE WHEN s.seqcycle THEN ' CYCLE' END, "
	"E';\\nSELECT pg_catalog.setval(' || pg_catalog.quote_literal(pg_catalog.quote_ident("
	"c.relname)) || ', ' || coalesce(CASE WHEN pg_catalog.has_sequence_privilege(c.oid, 'USAGE, SELECT') "
	"THEN pg_catalog.pg_sequence_last_value(c.oid) END || ', true)', nullif("
	DESCRIBE_WAITING("c.oid") ", s.seqstart) || ', false)')), "
	"pg_catalog.obj_description(c.oid, 'pg_class') "
	"FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
	"JOIN pg_catalog.pg_sequence s ON s.seqrelid = c.oid "
	"WHERE c.relkind = 'S' AND c.relpersistence <> 't' AND NOT EXISTS (SELECT 1 FROM "
	"pg_catalog.pg_depend x WHERE x.classid = 'pg_catalog.pg_class'::regclass AND x.objid = c.oid "
	"AND x.refclassid = 'pg_catalog.pg_class'::regclass AND x.refobjsubid > 0 AND x.deptype IN "
	"('a', 'i')) AND " OF_NO_EXTENSION("pg_class", "c.oid") " AND $1::text IS NULL AND ";

static const char triggers_sql[] =
	"SELECT n.nspname, t.tgname, c.relname, "
	DESCRIBE_IN("n.nspname", "pg_catalog.pg_get_triggerdef(t.oid, true)")
	", pg_catalog.obj_description(t.oid, 'pg_trigger') "
	"FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid "
	"JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
	"WHERE NOT t.tgisinternal AND NOT c.relispartition AND "
	OF_NO_EXTENSION("pg_class", "c.oid") " AND $1::text IS NULL AND ";

static const struct kind kinds[] = {
	/* The default of a domain may take from a sequence, which needs no type. */
	{ ETL_SEQUENCE, "", sequences_sql, " ORDER BY n.nspname, c.relname" },
	{ ETL_TYPE_DEFINITION, depths_sql, types_sql, " ORDER BY depths.depth, t.oid" },
	{ ETL_TRIGGER, "", triggers_sql, " ORDER BY n.nspname, c.relname, t.tgname" },
};

static int ask(struct describing *d, const struct kind *kind, PGresult **ret)
{
	const char *schema = d->inst->conf ? d->inst->host->str(d->inst->conf, "schema") : NULL;
	const char *values[] = { NULL, schema };
	struct etl_text sql = { 0 };
	int rc;

	etl_text_addf(&sql, "%s%s", kind->with, kind->select);
	describe_add_schemas(&sql);
	etl_text_add(&sql, kind->order);
	rc = sql.failed ? postgres_describe_no_memory(d) :
			  postgres_query(d->inst, d->err, ret, sql.at, 2, values);
	etl_text_free(&sql);
	return rc;
}

static int emit_kind(struct describing *d, const struct kind *kind, struct etl_table_sink *sink)
{
	PGresult *result;
	int rc = ask(d, kind, &result);

	if (rc < 0)
		return rc;
	for (int i = 0; rc == ETL_OK && i < PQntuples(result); i++) {
		struct etl_table object = { .kind = kind->kind,
					    .schema = postgres_at(result, i, 0),
					    .name = postgres_at(result, i, 1),
					    .parent = postgres_at(result, i, 2),
					    .ddl = postgres_at(result, i, 3),
					    .comment = postgres_at(result, i, 4),
					    .dialect = "postgresql",
					    .rows = ETL_UNKNOWN,
					    .bytes = ETL_UNKNOWN };

		rc = sink->emit(sink, &object);
	}
	PQclear(result);
	return rc;
}

/* ---- What stays behind ------------------------------------------------------------------------------------------ */

#define LEFT_SHOWN "10" /* of a kind, by name */

static const char left_sql[] =
	"SELECT pg_catalog.string_agg(k.what || ' ' || k.names, '; ' ORDER BY k.what) FROM ("
	"SELECT a.what, pg_catalog.array_to_string((pg_catalog.array_agg(a.name ORDER BY a.name))[1:" LEFT_SHOWN "], ', ') || "
	"CASE WHEN pg_catalog.count(*) > " LEFT_SHOWN " THEN pg_catalog.concat(', … (', pg_catalog.count(*), ' in all)') ELSE '' "
	"END AS names FROM ("
	"SELECT CASE p.prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' ELSE 'function' END "
	"AS what, p.proname AS name, p.pronamespace AS namespace FROM pg_catalog.pg_proc p WHERE "
	OF_NO_EXTENSION("pg_proc", "p.oid")
	" AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend x WHERE x.classid = "
	"'pg_catalog.pg_proc'::regclass AND x.objid = p.oid AND x.deptype = 'i') "
	"UNION ALL SELECT 'row policy', l.polname, c.relnamespace FROM pg_catalog.pg_policy l JOIN "
	"pg_catalog.pg_class c ON c.oid = l.polrelid "
	"UNION ALL SELECT 'rule', r.rulename, c.relnamespace FROM pg_catalog.pg_rewrite r JOIN "
	"pg_catalog.pg_class c ON c.oid = r.ev_class WHERE r.rulename <> '_RETURN' "
	"UNION ALL SELECT 'foreign table', c.relname, c.relnamespace FROM pg_catalog.pg_class c "
	"WHERE c.relkind = 'f' "
	"UNION ALL SELECT 'index of a materialized view', i.relname, i.relnamespace FROM pg_catalog.pg_index x JOIN "
	"pg_catalog.pg_class c ON c.oid = x.indrelid AND c.relkind = 'm' JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid "
	"UNION ALL SELECT 'extended statistics', e.stxname, e.stxnamespace FROM pg_catalog.pg_statistic_ext e "
	"UNION ALL SELECT 'operator', o.oprname, o.oprnamespace FROM pg_catalog.pg_operator o WHERE "
	OF_NO_EXTENSION("pg_operator", "o.oid")
	"UNION ALL SELECT 'collation', o.collname, o.collnamespace FROM pg_catalog.pg_collation o WHERE "
	OF_NO_EXTENSION("pg_collation", "o.oid")
	"UNION ALL SELECT 'options of', c.relname, c.relnamespace FROM pg_catalog.pg_class c WHERE c.relkind IN ('r', 'p', 'm') "
	"AND (c.reloptions IS NOT NULL OR c.relreplident NOT IN ('d', 'n')) "
	"UNION ALL SELECT 'grants on', c.relname, c.relnamespace FROM pg_catalog.pg_class c WHERE c.relacl IS NOT NULL AND "
	"c.relkind IN ('r', 'p', 'v', 'm', 'S') "
	"UNION ALL SELECT 'comment on', pg_catalog.pg_describe_object(t.classoid, t.objoid, t.objsubid), coalesce(c.relnamespace, "
	"y.typnamespace, k.connamespace) FROM pg_catalog.pg_description t LEFT JOIN pg_catalog.pg_class c ON t.classoid = "
	"'pg_catalog.pg_class'::regclass AND c.oid = t.objoid AND (c.relkind IN ('i', 'I', 'S') OR (c.relkind IN ('v', 'm') AND "
	"t.objsubid > 0)) LEFT JOIN pg_catalog.pg_type y ON t.classoid = 'pg_catalog.pg_type'::regclass AND y.oid = t.objoid LEFT JOIN "
	"pg_catalog.pg_constraint k ON t.classoid = 'pg_catalog.pg_constraint'::regclass AND k.oid = t.objoid"
	") a JOIN pg_catalog.pg_namespace n ON n.oid = a.namespace WHERE $1::text IS NULL AND ";

static int say_left(struct describing *d)
{
	static const struct kind left = { .with = "", .select = left_sql, .order = " GROUP BY a.what) k" };
	PGresult *result;
	int rc;

	if (d->inst->host->role != ETL_ROLE_SOURCE)
		return ETL_OK;
	rc = ask(d, &left, &result);
	if (rc < 0)
		return rc;
	if (PQntuples(result) > 0 && postgres_at(result, 0, 0))
		d->inst->host->log(d->inst->host, ETL_LOG_INFO,
				   "the source also has what is not carried: %s",
				   PQgetvalue(result, 0, 0));
	PQclear(result);
	return ETL_OK;
}

int describe_others(struct describing *d, struct etl_table_sink *sink)
{
	int rc = ETL_OK;

	for (size_t i = 0; rc == ETL_OK && i < sizeof(kinds) / sizeof(*kinds); i++)
		rc = emit_kind(d, &kinds[i], sink);
	return rc == ETL_OK ? say_left(d) : rc;
}
