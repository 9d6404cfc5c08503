/*
 * What a run made moves from the staging schema into the target's: tables with what is theirs, views, types,
 * sequences, functions. Who may use a new table is as if it had been made in its place: by the default privileges of
 * that schema.
 */
#include "config.h"

#include <stdlib.h>

#include "move.h"
#include "replace-sql.h"

/* The stage's own tables. Others may begin like them: a source's tables have whatever names they have. */
#define OWN "('_etlrun_stage', '_etlrun_units', '_etlrun_splits', '_etlrun_sql')"

/* Of each thing that stands for itself: as what ALTER knows it, its name quoted, its name. What belongs to a table
 * goes with it; the constructors of a range type do not go with that, and would take it along when the stage is dropped.
 * Functions come first, for they are told by the types of their arguments, which are still in the stage then. */
static const char contents[] =
	"SELECT 1 AS turn, CASE prokind WHEN 'p' THEN 'PROCEDURE' WHEN 'a' THEN 'AGGREGATE' ELSE 'FUNCTION' END, "
	"quote_ident(proname) || '(' || pg_get_function_identity_arguments(p.oid) || ')', proname FROM pg_catalog.pg_proc p "
	"WHERE pronamespace = $1::regnamespace AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = "
	"'pg_catalog.pg_proc'::regclass AND d.objid = p.oid AND d.deptype IN ('a', 'i') AND d.refclassid <> "
	"'pg_catalog.pg_type'::regclass) "
	"UNION ALL SELECT 2, CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE' "
	"WHEN 'f' THEN 'FOREIGN TABLE' WHEN 'c' THEN 'TYPE' ELSE 'TABLE' END, quote_ident(relname), relname "
	"FROM pg_catalog.pg_class c WHERE relnamespace = $1::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'f', 'c', 'S') "
	"AND relname NOT IN " OWN " AND NOT (relkind = 'S' AND EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE "
	"d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.deptype "
	"IN ('a', 'i'))) "
	"UNION ALL SELECT 2, CASE typtype WHEN 'd' THEN 'DOMAIN' ELSE 'TYPE' END, quote_ident(typname), typname FROM "
	"pg_type WHERE typnamespace = $1::regnamespace AND typtype IN ('d', 'e', 'r') "
	"UNION ALL SELECT 2, 'COLLATION', quote_ident(collname), collname FROM pg_catalog.pg_collation WHERE collnamespace = "
	"$1::regnamespace "
	"UNION ALL SELECT 2, 'STATISTICS', quote_ident(stxname), stxname FROM pg_catalog.pg_statistic_ext WHERE stxnamespace = "
	"$1::regnamespace ORDER BY turn";

/* Since 14 a range type has one beside it, which does not follow it. Asked when the others are away: a server with which
 * it does has none left. */
static const char multiranges[] =
	"SELECT 3, 'TYPE', quote_ident(typname), typname FROM pg_catalog.pg_type WHERE typnamespace = $1::regnamespace AND "
	"typtype = 'm'";

/* GRANTs that the default privileges of the schema say of a new thing of this role. */
static const char privileges[] =
	"SELECT format('GRANT %s ON %s %s TO %s%s', a.privilege_type, CASE d.defaclobjtype WHEN 'S' THEN "
	"'SEQUENCE' ELSE 'TABLE' END, c.oid::regclass, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE "
	"quote_ident(pg_get_userbyid(a.grantee)) END, CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' "
	"END) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_default_acl d ON d.defaclrole = c.relowner AND d.defaclnamespace = "
	"$2::regnamespace AND d.defaclobjtype = CASE c.relkind WHEN 'S' THEN 'S' ELSE 'r' END::\"char\" CROSS JOIN "
	"LATERAL aclexplode(d.defaclacl) a WHERE c.relnamespace = $1::regnamespace AND c.relkind IN ('r', 'p', 'v', "
	"'m', 'f', 'S') AND a.grantee <> c.relowner AND c.relname NOT IN " OWN " AND NOT "
	"EXISTS (SELECT FROM pg_catalog.pg_class o WHERE o.relnamespace = $2::regnamespace AND o.relname = c.relname)";

static const struct publish_part *part_of(const struct publishing *p, size_t index, const char *name)
{
	char buf[POSTGRES_NAME_MAX + 1];

	for (size_t i = 0; i < p->count; i++)
		if (p->parts[i].how != PUBLISH_NONE &&
		    strcmp(p->parts[i].token->text, p->parts[index].token->text) == 0 &&
		    strcmp(postgres_short_name(p->parts[i].load->table->name, buf), name) == 0)
			return &p->parts[i];
	return NULL;
}

/* A table whose load failed stays behind, and so does one whose rows have gone into the old one, with the views that
 * were staged over it. */
static bool stays(const struct publishing *p, size_t index, const char *kind, const char *name)
{
	const struct publish_part *part = part_of(p, index, name);

	if (part)
		return part->how == PUBLISH_SWAP || part->how == PUBLISH_INTO ||
		       part->how == PUBLISH_FOLLOW || part->again;
	return strcmp(kind, "TABLE") == 0 && p->commit->run->flags & ETL_RUN_TABLE_SCOPE;
}

static int run_all(struct publishing *p, const PGresult *statements)
{
	int rc = ETL_OK;

	for (int i = 0; rc == ETL_OK && i < PQntuples(statements); i++)
		rc = postgres_run(p->inst, p->err, PQgetvalue(statements, i, 0));
	return rc;
}

int move_grant(struct publishing *p, size_t index)
{
	const struct publish_part *part = &p->parts[index];
	struct etl_text stage = { 0 }, schema = { 0 };
	PGresult *grants = NULL;
	int rc;

	etl_text_add_name(&stage, part->token->text, '"');
	etl_text_add_name(&schema, part->schema, '"');
	rc = stage.failed || schema.failed ?
		     postgres_no_memory(p->inst, p->err) :
		     postgres_query(p->inst, p->err, &grants, privileges, 2,
				    (const char *const[]){ stage.at, schema.at });
	if (rc == ETL_OK)
		rc = run_all(p, grants);
	PQclear(grants);
	etl_text_free(&stage);
	etl_text_free(&schema);
	return rc;
}

static int find(struct publishing *p, const char *stage, const char *what, PGresult **ret)
{
	struct etl_text name = { 0 };
	int rc;

	etl_text_add_name(&name, stage, '"');
	rc = name.failed ? postgres_no_memory(p->inst, p->err) :
			   postgres_query(p->inst, p->err, ret, what, 1,
					  (const char *const[]){ name.at });
	etl_text_free(&name);
	return rc;
}

static int move_found(struct publishing *p, size_t index, const char *what)
{
	const struct publish_part *part = &p->parts[index];
	PGresult *things = NULL;
	int rc = find(p, part->token->text, what, &things);

	for (int i = 0; rc == ETL_OK && i < PQntuples(things); i++) {
		const char *kind = PQgetvalue(things, i, 1);
		struct etl_text sql = { 0 };

		if (stays(p, index, kind, PQgetvalue(things, i, 3)))
			continue;
		etl_text_addf(&sql, "ALTER %s ", kind);
		etl_text_add_name(&sql, part->token->text, '"');
		etl_text_addf(&sql, ".%s SET SCHEMA ", PQgetvalue(things, i, 2));
		etl_text_add_name(&sql, part->schema, '"');
		rc = postgres_run_text(p->inst, p->err, &sql);
	}
	PQclear(things);
	return rc;
}

int move_stage(struct publishing *p, size_t index)
{
	int rc = move_found(p, index, contents);

	return rc == ETL_OK ? move_found(p, index, multiranges) : rc;
}

/* ---- What design made, made anew --------------------------------------------------------------------------------------- */

struct made {
	struct etl_step_sink sink;
	struct publishing *p;
	const struct publish_part *part;
	bool last; /* what was left for the end, and not what was made in the stage */
};

static int carry_out(struct etl_step_sink *self, const struct etl_step *step)
{
	struct made *made = (struct made *)(void *)self;
	struct publishing *p = made->p;
	struct etl_text sql = { 0 };
	PGresult *result;

	if (!step->sql || step->phase > ETL_PHASE_PUBLISH ||
	    (step->phase == ETL_PHASE_PUBLISH) != made->last)
		return ETL_OK;
	etl_text_add(&sql, "SET LOCAL search_path = ");
	stage_add_path(&sql, NULL, made->part->schema, made->part->load->table);
	etl_text_addf(&sql, "; %s", step->sql);
	if (sql.failed)
		return postgres_no_memory(p->inst, p->err);
	result = PQexec(p->inst->db, sql.at);
	etl_text_free(&sql);
	if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK)
		return postgres_fail(p->inst, result, p->err, "%s \"%s\": running \"%.300s\"",
				     step->kind, step->object ? step->object : "", step->sql);
	PQclear(result);
	return ETL_OK;
}

static int carry_out_of(struct publishing *p, size_t index, bool last)
{
	struct made made = { .sink = { .emit = carry_out }, .p = p, .part = &p->parts[index], .last = last };

	return postgres_design(p->inst, made.part->load->table, made.part->load, &made.sink, p->err);
}

static int leave_path(struct publishing *p, int rc)
{
	return rc == ETL_OK ? postgres_run(p->inst, p->err, "SET LOCAL search_path = pg_catalog") : rc;
}

/* The rows of a table that stays are written before (into-commit.c). */
int move_last(struct publishing *p)
{
	int rc = ETL_OK;

	for (size_t i = 0; rc == ETL_OK && i < p->count; i++)
		if (p->parts[i].how != PUBLISH_INTO)
			rc = carry_out_of(p, i, true);
	return leave_path(p, rc);
}

/* ---- Views over what stays ----------------------------------------------------------------------------------------- */

static void mark(struct publishing *p, const char *oid, size_t rank)
{
	for (size_t i = 0; i < p->count; i++)
		if (p->parts[i].how != PUBLISH_NONE && strcmp(p->parts[i].staged.oid, oid) == 0)
			p->parts[i].again = rank;
}

int move_find_views(struct publishing *p)
{
	struct etl_text staying = { 0 };
	PGresult *views = NULL;
	int rc;

	etl_text_add(&staying, "{");
	for (size_t i = 0; i < p->count; i++)
		if (p->parts[i].how == PUBLISH_SWAP || p->parts[i].how == PUBLISH_FOLLOW)
			etl_text_addf(&staying, "%s%s", staying.length > 1 ? "," : "",
				      p->parts[i].staged.oid);
	etl_text_add(&staying, "}");
	rc = staying.failed ? postgres_no_memory(p->inst, p->err) :
			      postgres_query(p->inst, p->err, &views, REPLACE_FIND_VIEWS, 1,
					     (const char *const[]){ staying.at });
	for (int i = 0; rc == ETL_OK && i < PQntuples(views); i++)
		if (!postgres_flag_at(views, i, 2))
			mark(p, PQgetvalue(views, i, 0), (size_t)i + 1);
	PQclear(views);
	etl_text_free(&staying);
	return rc;
}

/* The view, or that of which it is a trigger. */
static size_t rank_of(const struct publishing *p, const struct publish_part *part)
{
	const char *parent = part->load->table->parent;

	if (part->load->table->kind != ETL_TRIGGER || !parent)
		return part->again;
	for (size_t i = 0; i < p->count; i++)
		if (p->parts[i].again && strcmp(p->parts[i].load->table->name, parent) == 0 &&
		    strcmp(p->parts[i].schema, part->schema) == 0)
			return p->parts[i].again;
	return 0;
}

static int make_rank(struct publishing *p, size_t rank, bool triggers)
{
	int rc = ETL_OK;

	for (size_t i = 0; rc == ETL_OK && i < p->count; i++)
		if (rank_of(p, &p->parts[i]) == rank &&
		    triggers == (p->parts[i].load->table->kind == ETL_TRIGGER))
			rc = carry_out_of(p, i, false);
	return rc;
}

/* A view comes after those that it looks at, and before its triggers. */
int move_views(struct publishing *p)
{
	size_t most = 0;
	int rc = ETL_OK;

	for (size_t i = 0; i < p->count; i++)
		if (p->parts[i].again > most)
			most = p->parts[i].again;
	for (size_t rank = 1; rc == ETL_OK && rank <= most; rank++) {
		rc = make_rank(p, rank, false);
		if (rc == ETL_OK)
			rc = make_rank(p, rank, true);
	}
	return leave_path(p, rc);
}
