/*
 * What a dataset is: which schema its table is in, what kind of relation that is, and its primary key, by which
 * rows are named when they are rejected.
 */
#include "config.h"

#include <stdlib.h>

#include "read.h"

#define KINDS_OF_BLOCKS "rm" /* relkinds with blocks of rows: table, materialized view */

int relation_path(struct etl_instance *inst, struct etl_error *err)
{
	const char *schema = inst->conf ? inst->host->str(inst->conf, "schema") : NULL;
	const char *values[] = { schema };
	PGresult *result;
	int rc = postgres_query(
		inst, err, &result,
		"SELECT pg_catalog.set_config('search_path', CASE WHEN $1::text IS NULL THEN "
		"reset_val ELSE "
		"pg_catalog.concat_ws(', ', pg_catalog.quote_ident($1), nullif(reset_val, '')) "
		"END, false) FROM pg_catalog.pg_settings WHERE name = 'search_path'",
		1, values);

	if (rc == ETL_OK)
		PQclear(result);
	return rc;
}

static int first_schema(struct etl_instance *inst, struct arena *arena, const char **ret,
			struct etl_error *err)
{
	char *name = NULL;
	int rc = relation_path(inst, err);

	if (rc == ETL_OK)
		rc = postgres_text(inst, err, &name, "SELECT pg_catalog.current_schema()", 0, NULL);
	if (rc == ETL_OK && !name)
		rc = inst->host->fail(err, ETL_USAGE, NULL, 0,
				      "no schema of the search path is there; name one "
				      "with schema = \"…\"");
	if (rc == ETL_OK) {
		*ret = etl_arena_copy(arena, name);
		rc = *ret ? ETL_OK : postgres_no_memory(inst, err);
	}
	free(name);
	return rc;
}

int relation_schema(struct etl_instance *inst, const struct etl_dataset *dataset,
		    struct arena *arena, const char **ret, struct etl_error *err)
{
	const char *given = inst->conf ? inst->host->str(inst->conf, "schema") : NULL;
	const char *schema = dataset->token ? dataset->token->text : dataset->schema;

	/* Into another schema than it came from: the option says which. */
	if (given && *given && !dataset->token && (!schema || inst->host->role == ETL_ROLE_TARGET))
		schema = given;
	if (!schema)
		return first_schema(inst, arena, ret, err);
	*ret = etl_arena_copy(arena, schema);
	return *ret ? ETL_OK : postgres_no_memory(inst, err);
}

static const char relation_sql[] =
	"SELECT c.relkind, c.oid, a.attname FROM pg_catalog.pg_class c "
	"JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
	"LEFT JOIN pg_catalog.pg_index i ON i.indrelid = c.oid AND i.indisprimary "
	"LEFT JOIN LATERAL pg_catalog.unnest(i.indkey) WITH ORDINALITY k(attnum, place) "
	"ON k.place <= i.indnkeyatts "
	"LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum "
	"WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p', 'v', 'm', 'f') "
	"ORDER BY k.place";

static int take_answer(struct etl_instance *inst, struct relation *r, const PGresult *result,
		       struct etl_error *err)
{
	int rows = PQntuples(result);

	if (rows == 0)
		return inst->host->fail(err, ETL_USAGE, "42P01", 0,
					"there is no table \"%s\".\"%s\"", r->schema,
					r->name);
	r->kind = *PQgetvalue(result, 0, 0);
	r->oid = (uint32_t)strtoul(PQgetvalue(result, 0, 1), NULL, 10);
	r->keys = etl_arena_alloc(&r->arena, (size_t)rows * sizeof(*r->keys));
	for (int i = 0; r->keys && i < rows && postgres_at(result, i, 2); i++)
		r->keys[r->key_count++] = etl_arena_copy(&r->arena, postgres_at(result, i, 2));
	return r->arena.failed ? postgres_no_memory(inst, err) : ETL_OK;
}

int relation_find(struct etl_instance *inst, const struct etl_dataset *dataset,
		  struct relation *ret, struct etl_error *err)
{
	const char *values[2];
	PGresult *result;
	int rc;

	memset(ret, 0, sizeof(*ret));
	ret->dataset = dataset;
	if (!dataset->table && !dataset->query)
		return inst->host->fail(err, ETL_USAGE, NULL, 0,
					"neither a table nor a query is named");
	if (!dataset->table)
		return relation_path(inst, err);
	rc = relation_schema(inst, dataset, &ret->arena, &ret->schema, err);
	ret->name = etl_arena_copy(&ret->arena, dataset->table);
	if (rc == ETL_OK && !ret->name)
		rc = postgres_no_memory(inst, err);
	if (rc == ETL_OK && dataset->where)
		rc = relation_path(inst, err);
	if (rc < 0)
		return rc;
	values[0] = ret->schema;
	values[1] = ret->name;
	rc = postgres_query(inst, err, &result, relation_sql, 2, values);
	if (rc < 0)
		return rc;
	rc = take_answer(inst, ret, result, err);
	PQclear(result);
	return rc;
}

void relation_free(struct relation *r)
{
	etl_arena_free(&r->arena);
}

bool relation_has_blocks(const struct relation *r)
{
	return r->kind && strchr(KINDS_OF_BLOCKS, r->kind);
}

void relation_add_what(const struct relation *r, struct etl_text *text)
{
	if (!r->name) {
		etl_text_add(text, "the query");
		return;
	}
	etl_text_add(text, "table ");
	postgres_add_name(text, r->schema, r->name);
}
