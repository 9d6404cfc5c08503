/*
 * What a database holds. Everything is asked for in the schema of its table (DESCRIBE_IN), so that the names of that
 * schema stand alone and the texts mean the same in another one.
 *
 * A partitioned table is one table with all its rows; its partitions are part of its statement. A table that others
 * inherit from has its own rows only.
 */
#include "config.h"

#include <stdlib.h>

#include "describe.h"
#include "read.h"

/* Not the server's own, not ours, not an extension's; and where Supabase is, none of those that it keeps for itself. */
void describe_add_schemas(struct etl_text *sql)
{
	etl_text_add(sql, "CASE WHEN $2::text IS NOT NULL THEN n.nspname = $2 ELSE "
			  "n.nspname !~ '^(pg_|_etlrun)' AND n.nspname <> 'information_schema' "
			  "AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend x WHERE x.classid = "
			  "'pg_catalog.pg_namespace'::regclass AND x.objid = n.oid AND x.deptype = "
			  "'e') AND NOT (n.nspname IN (");
	for (size_t i = 0; postgres_supabase_schemas[i]; i++) {
		etl_text_add(sql, i ? ", " : "");
		etl_text_add_literal(sql, postgres_supabase_schemas[i]);
	}
	etl_text_add(sql, ") AND EXISTS (SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = "
			  "'supabase_admin')) END");
}

int postgres_describe_no_memory(struct describing *d)
{
	return postgres_no_memory(d->inst, d->err);
}

/* ---- Answers ---------------------------------------------------------------------------------------------- */

char *postgres_describe_text(struct describing *d, const PGresult *result, int row, int column)
{
	return etl_arena_copy(&d->memory, postgres_at(result, row, column));
}

/* One element of an array's text; *AT moves behind it. */
static char *take_name(struct describing *d, const char **at)
{
	char *name = etl_arena_alloc(&d->memory, strlen(*at) + 1), *to = name;
	bool quoted = **at == '"';

	if (!name)
		return NULL;
	*at += quoted;
	while (**at && (quoted ? **at != '"' : **at != ',' && **at != '}')) {
		if (**at == '\\' && (*at)[1])
			++*at;
		*to++ = *(*at)++;
	}
	*at += quoted && **at;
	return name;
}

const char *const *describe_names(struct describing *d, const PGresult *result, int row, int column,
				  size_t *ret_count)
{
	const char *at = postgres_at(result, row, column);
	const char **names = NULL;
	size_t count = 0;

	*ret_count = 0;
	if (!at || *at != '{')
		return NULL;
	for (at++; *at && *at != '}'; at += *at == ',') {
		names = etl_arena_push(&d->memory, names, count, sizeof(*names));
		if (!names)
			return NULL;
		names[count] = take_name(d, &at);
		if (!names[count++])
			return NULL;
	}
	*ret_count = count;
	return names;
}

int describe_ask(struct describing *d, const char *sql,
		 int (*each)(struct describing *, struct described *, const PGresult *, int row))
{
	const char *values[] = { d->oids };
	PGresult *result;
	int rc = postgres_query(d->inst, d->err, &result, sql, 1, values);

	if (rc < 0)
		return rc;
	for (int row = 0; rc == ETL_OK && row < PQntuples(result); row++) {
		size_t place = (size_t)postgres_int_at(result, row, 0);

		rc = place >= 1 && place <= d->count ?
			     each(d, &d->objects[place - 1], result, row) :
			     ETL_OK;
	}
	PQclear(result);
	return rc == ETL_OK && d->memory.failed ? postgres_describe_no_memory(d) : rc;
}

/* ---- The objects --------------------------------------------------------------------------------------------- */

/* How many rows: as the last ANALYZE counted in as many blocks as there are now; else by the width of a row. */
#define DENSITY                                                                                    \
	"CASE WHEN l.reltuples > 0 AND l.relpages > 0 THEN l.reltuples / l.relpages * blocks.now " \
	"WHEN l.reltuples = 0 AND l.relpages > 0 THEN 0 ELSE blocks.now * "                        \
	"pg_catalog.current_setting('block_size')::float8 / (28 + (SELECT "                        \
	"coalesce(pg_catalog.sum(CASE WHEN w.attlen > 0 THEN w.attlen ELSE 24 END), 0) FROM "      \
	"pg_catalog.pg_attribute w WHERE w.attrelid = l.oid AND w.attnum > 0 AND NOT "             \
	"w.attisdropped)) END"

static const char objects_sql[] =
	"SELECT c.oid, c.relkind, n.nspname, c.relname, c.relpersistence, "
	"pg_catalog.obj_description(c.oid, 'pg_class'), size.rows, size.bytes, "
	DESCRIBE_IN("n.nspname", "CASE WHEN c.relkind IN ('v', 'm') THEN "
	"pg_catalog.pg_get_viewdef(c.oid, true) END")
	", "
	DESCRIBE_IN("n.nspname", "CASE WHEN c.relkind = 'p' THEN "
	"pg_catalog.pg_get_partkeydef(c.oid) END")
	", "
	DESCRIBE_IN("n.nspname", "(SELECT pg_catalog.string_agg(h.inhparent::regclass::text, ', ' "
	"ORDER BY h.inhseqno) FROM pg_catalog.pg_inherits h WHERE h.inhrelid = c.oid)")
	", pg_catalog.array_to_string(c.reloptions, ', ') "
	"FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
	"LEFT JOIN LATERAL (SELECT pg_catalog.sum(" DENSITY ")::int8 AS rows, "
	"pg_catalog.sum(pg_catalog.pg_table_size(l.oid))::int8 AS bytes "
	"FROM (SELECT CASE WHEN c.relkind = 'p' THEN t.relid ELSE c.oid END AS id "
	"FROM (SELECT 1) one LEFT JOIN pg_catalog.pg_partition_tree(CASE WHEN c.relkind = 'p' THEN "
	"c.oid END) t ON t.isleaf) leaf JOIN pg_catalog.pg_class l ON l.oid = leaf.id AND l.relkind IN "
	"('r', 'm'), LATERAL (SELECT pg_catalog.pg_relation_size(l.oid)::float8 / "
	"pg_catalog.current_setting('block_size')::float8 AS now) blocks) size ON true "
	"WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relpersistence <> 't' "
	"AND (NOT c.relispartition OR $1::text IS NOT NULL) "
	"AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend x WHERE x.classid = "
	"'pg_catalog.pg_class'::regclass AND x.objid = c.oid AND x.deptype = 'e') "
	"AND CASE WHEN $1::text IS NOT NULL THEN c.relname = $1 AND n.nspname = $2 ELSE ";
static const char objects_order[] =
	" END ORDER BY c.relkind IN ('v', 'm'), CASE WHEN c.relkind IN ('v', 'm') THEN c.oid END, "
	"n.nspname, c.relname";

static int32_t kind_of(char kind)
{
	return kind == 'v' || kind == 'm' ? ETL_VIEW : kind == 'f' ? ETL_VIRTUAL_TABLE : ETL_TABLE;
}

static void start_table(struct etl_table *t)
{
	t->dialect = "postgresql";
	t->rows = t->bytes = ETL_UNKNOWN;
	t->column_size = sizeof(struct etl_column);
	t->unique_size = sizeof(struct etl_key);
	t->foreign_key_size = sizeof(struct etl_foreign_key);
	t->check_size = sizeof(struct etl_check);
	t->index_size = sizeof(struct etl_index);
}

static void take_object(struct describing *d, struct described *o, const PGresult *result, int row)
{
	struct etl_table *t = &o->table;

	start_table(t);
	o->oid = (uint32_t)strtoul(PQgetvalue(result, row, 0), NULL, 10);
	o->kind = *PQgetvalue(result, row, 1);
	t->kind = kind_of(o->kind);
	t->schema = postgres_describe_text(d, result, row, 2);
	t->name = postgres_describe_text(d, result, row, 3);
	o->unlogged = *PQgetvalue(result, row, 4) == 'u';
	t->comment = postgres_describe_text(d, result, row, 5);
	if (t->kind == ETL_TABLE && postgres_at(result, row, 6))
		t->rows = postgres_int_at(result, row, 6);
	if (postgres_at(result, row, 7))
		t->bytes = postgres_int_at(result, row, 7);
	o->tail = postgres_describe_text(d, result, row, 8);
	o->partition_by = postgres_describe_text(d, result, row, 9);
	o->inherits = postgres_describe_text(d, result, row, 10);
	if (t->kind == ETL_VIEW || o->kind == 'f')
		o->inherits = NULL;
	if (o->kind == 'v' || o->kind == 'm')
		o->partitions = postgres_describe_text(d, result, row, 11);
}

static int list_oids(struct describing *d)
{
	struct etl_text text = { 0 };

	etl_text_add(&text, "{");
	for (size_t i = 0; i < d->count; i++)
		etl_text_addf(&text, "%s%u", i ? "," : "", d->objects[i].oid);
	etl_text_add(&text, "}");
	d->oids = etl_text_take(&text);
	return d->oids ? ETL_OK : postgres_describe_no_memory(d);
}

/* TABLE and SCHEMA, or every table, of SCHEMA when there is one. */
static int find_objects(struct describing *d, const char *table, const char *schema)
{
	const char *values[] = { table, schema };
	struct etl_text sql = { 0 };
	PGresult *result;
	int rc;

	etl_text_add(&sql, objects_sql);
	describe_add_schemas(&sql);
	etl_text_add(&sql, objects_order);
	rc = sql.failed ? postgres_describe_no_memory(d) :
			  postgres_query(d->inst, d->err, &result, sql.at, 2, values);
	etl_text_free(&sql);
	if (rc < 0)
		return rc;
	d->count = (size_t)PQntuples(result);
	d->objects = calloc(d->count + 1, sizeof(*d->objects));
	for (size_t i = 0; d->objects && i < d->count; i++)
		take_object(d, &d->objects[i], result, (int)i);
	PQclear(result);
	return !d->objects || d->memory.failed ? postgres_describe_no_memory(d) : list_oids(d);
}

static int fill_objects(struct describing *d)
{
	int rc = postgres_describe_columns(d);

	if (rc == ETL_OK)
		rc = postgres_describe_keys(d);
	if (rc == ETL_OK)
		rc = postgres_describe_indexes(d);
	return rc == ETL_OK ? describe_statements(d) : rc;
}

static int emit_objects(struct describing *d, struct etl_table_sink *sink)
{
	int rc = ETL_OK;

	for (size_t i = 0; rc == ETL_OK && i < d->count; i++)
		rc = sink->emit(sink, &d->objects[i].table);
	return rc;
}

/* ---- The call --------------------------------------------------------------------------------------------------- */

static int describe_tables(struct describing *d, const char *schema, struct etl_table_sink *sink)
{
	int rc = find_objects(d, NULL, schema);

	if (rc == ETL_OK)
		rc = fill_objects(d);
	return rc == ETL_OK ? emit_objects(d, sink) : rc;
}

static int describe_all(struct describing *d, struct etl_table_sink *sink)
{
	const char *schema = d->inst->conf ? d->inst->host->str(d->inst->conf, "schema") : NULL;
	int rc = describe_tables(d, schema, sink);

	return rc == ETL_OK ? describe_others(d, sink) : rc;
}

static int describe_one(struct describing *d, struct etl_table_sink *sink)
{
	const char *schema = NULL;
	int rc = relation_schema(d->inst, d->dataset, &d->memory, &schema, d->err);

	if (rc == ETL_OK)
		rc = find_objects(d, d->dataset->table, schema);
	if (rc == ETL_OK && d->count > 0)
		rc = fill_objects(d);
	if (rc == ETL_OK && d->count > 0 && d->dataset->where)
		rc = describe_where(d);
	return rc == ETL_OK ? emit_objects(d, sink) : rc;
}

static void forget(struct describing *d)
{
	for (size_t i = 0; d->objects && i < d->count; i++) {
		etl_text_free(&d->objects[i].sets);
		etl_text_free(&d->objects[i].unproven);
	}
	free(d->objects);
	free(d->oids);
	etl_arena_free(&d->memory);
}

int postgres_describe(struct etl_instance *inst, const struct etl_dataset *dataset,
		      struct etl_table_sink *sink, struct etl_error *err)
{
	struct describing d = { .inst = inst, .err = err, .dataset = dataset };
	int rc = postgres_ready(inst, err);

	if (rc < 0)
		return rc;
	if (!dataset || (!dataset->table && !dataset->query))
		rc = describe_all(&d, sink);
	else if (dataset->query)
		rc = postgres_describe_query(&d, sink);
	else
		rc = describe_one(&d, sink);
	forget(&d);
	return rc;
}

int postgres_describe_schema(struct etl_instance *inst, const char *schema, struct etl_table_sink *sink,
			     struct etl_error *err)
{
	struct describing d = { .inst = inst, .err = err };
	int rc = postgres_ready(inst, err);

	if (rc == ETL_OK)
		rc = describe_tables(&d, schema, sink);
	forget(&d);
	return rc;
}
