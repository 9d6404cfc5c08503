/*
 * A query's result, and conditions, as the server reads them: asked for no rows. A query that changes anything is no
 * sub-select, so the server refuses it.
 */
#include "config.h"

#include <stdlib.h>

#include "describe.h"
#include "read.h"

/* Types by their numbers and modifiers ($1, $2), each as the server spells it. */
static const char types_sql[] =
	"SELECT pg_catalog.format_type(t.oid, u.modifier), t.typcategory, e.oid, e.typtype "
	"FROM ROWS FROM (pg_catalog.unnest($1::oid[]), pg_catalog.unnest($2::int4[])) WITH ORDINALITY "
	"u(oid, modifier, place) "
	"JOIN pg_catalog.pg_type t ON t.oid = u.oid "
	"LEFT JOIN LATERAL (WITH RECURSIVE d(oid) AS (SELECT t.typelem UNION ALL SELECT x.typbasetype "
	"FROM d JOIN pg_catalog.pg_type x ON x.oid = d.oid AND x.typtype = 'd') SELECT y.oid, y.typtype "
	"FROM d JOIN pg_catalog.pg_type y ON y.oid = d.oid AND y.typtype <> 'd') e ON t.typcategory = 'A' "
	"ORDER BY u.place";

/* Asks for no rows; a refusal is the fault of who wrote it. */
static int probe(struct describing *d, struct etl_text *sql, const char *what, PGresult **ret)
{
	char *text = etl_text_take(sql);
	const char *state;
	PGresult *result;

	if (!text)
		return postgres_describe_no_memory(d);
	result = PQexecParams(d->inst->db, text, 0, NULL, NULL, NULL, NULL, 0);
	free(text);
	if (PQresultStatus(result) == PGRES_TUPLES_OK) {
		*ret = result;
		return ETL_OK;
	}
	state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	if (state && (strncmp(state, "42", 2) == 0 || strncmp(state, "22", 2) == 0) &&
	    strcmp(state, "42501") != 0) {
		int rc = d->inst->host->fail(d->err, ETL_USAGE, state, 0,
					     "%s is refused by the server: %s", what,
					     PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY));

		PQclear(result);
		return rc;
	}
	return postgres_read_failed(d->inst, result, d->err, what);
}

/* ---- Queries --------------------------------------------------------------------------------------------------- */

static int ask_types(struct describing *d, const PGresult *shape, PGresult **ret)
{
	struct etl_text oids = { 0 }, modifiers = { 0 };
	int rc;

	etl_text_add(&oids, "{");
	etl_text_add(&modifiers, "{");
	for (int i = 0; i < PQnfields(shape); i++) {
		etl_text_addf(&oids, "%s%u", i ? "," : "", PQftype(shape, i));
		etl_text_addf(&modifiers, "%s%d", i ? "," : "", PQfmod(shape, i));
	}
	etl_text_add(&oids, "}");
	etl_text_add(&modifiers, "}");
	if (oids.failed || modifiers.failed) {
		rc = postgres_describe_no_memory(d);
	} else {
		const char *values[] = { oids.at, modifiers.at };

		rc = postgres_query(d->inst, d->err, ret, types_sql, 2, values);
	}
	etl_text_free(&oids);
	etl_text_free(&modifiers);
	return rc;
}

static int check_twice(struct describing *d, const PGresult *shape, int column)
{
	for (int i = 0; i < column; i++)
		if (strcmp(PQfname(shape, i), PQfname(shape, column)) == 0)
			return d->inst->host->fail(
				d->err, ETL_USAGE, NULL, 0,
				"the query has two columns called \"%s\": give one "
				"another name with AS",
				PQfname(shape, column));
	return ETL_OK;
}

/* The number behind NAME in the plan's root, which comes first. */
static int64_t plan_number(const char *plan, const char *name)
{
	const char *at = strstr(plan, name);

	return at ? strtoll(at + strlen(name), NULL, 10) : ETL_UNKNOWN;
}

/* What the server's planner believes; it did not refuse the query. */
static int estimate(struct describing *d, const struct relation *relation, struct etl_table *table)
{
	struct etl_text sql = { 0 };
	PGresult *plan = NULL;
	int64_t width;
	int rc;

	etl_text_add(&sql, "EXPLAIN (FORMAT JSON) SELECT * FROM ");
	postgres_select_add_from(&sql, relation, NULL);
	rc = sql.failed ? postgres_describe_no_memory(d) : postgres_query(d->inst, d->err, &plan, sql.at, 0, NULL);
	etl_text_free(&sql);
	if (rc == ETL_OK && PQntuples(plan)) {
		table->rows = plan_number(PQgetvalue(plan, 0, 0), "\"Plan Rows\":");
		width = plan_number(PQgetvalue(plan, 0, 0), "\"Plan Width\":");
		if (table->rows >= 0 && width >= 0 && table->rows < INT64_MAX / (width + 1))
			table->bytes = table->rows * width;
	}
	PQclear(plan);
	return rc;
}

static int emit_shape(struct describing *d, const struct relation *relation, const PGresult *shape, const PGresult *types,
		      struct etl_table_sink *sink)
{
	size_t count = (size_t)PQnfields(shape);
	struct etl_column *columns = etl_arena_alloc(&d->memory, (count + 1) * sizeof(*columns));
	struct etl_table table = { .name = "query",
				   .dialect = "postgresql",
				   .rows = ETL_UNKNOWN,
				   .bytes = ETL_UNKNOWN,
				   .columns = columns,
				   .column_count = count,
				   .column_size = sizeof(*columns) };
	int rc = estimate(d, relation, &table);

	if (rc < 0)
		return rc;
	for (int i = 0; columns && i < (int)count && i < PQntuples(types); i++) {
		rc = check_twice(d, shape, i);
		if (rc < 0)
			return rc;
		columns[i].name = etl_arena_copy(&d->memory, PQfname(shape, i));
		columns[i].declared = postgres_describe_text(d, types, i, 0);
		columns[i].identity_last = ETL_UNKNOWN;
		columns[i].flags = ETL_TYPED;
		describe_type(&columns[i], PQftype(shape, i), PQfmod(shape, i),
			      *PQgetvalue(types, i, 1), (uint32_t)postgres_int_at(types, i, 2),
			      *PQgetvalue(types, i, 3));
	}
	if (d->memory.failed)
		return postgres_describe_no_memory(d);
	return sink->emit(sink, &table);
}

int postgres_describe_query(struct describing *d, struct etl_table_sink *sink)
{
	struct relation relation = { 0 };
	struct etl_text sql = { 0 };
	PGresult *shape, *types;
	int rc = relation_find(d->inst, d->dataset, &relation, d->err);

	if (rc < 0)
		goto done;
	etl_text_add(&sql, "SELECT * FROM ");
	postgres_select_add_from(&sql, &relation, NULL);
	etl_text_add(&sql, " LIMIT 0");
	rc = probe(d, &sql, "the query", &shape);
	if (rc < 0)
		goto done;
	rc = ask_types(d, shape, &types);
	if (rc == ETL_OK) {
		rc = emit_shape(d, &relation, shape, types, sink);
		PQclear(types);
	}
	PQclear(shape);
done:
	relation_free(&relation);
	return rc;
}

/* ---- Conditions -------------------------------------------------------------------------------------------------- */

int describe_where(struct describing *d)
{
	struct etl_read read = { .dataset = *d->dataset };
	struct relation relation = { 0 };
	struct etl_text sql = { 0 }, what = { 0 };
	PGresult *result;
	int rc = relation_find(d->inst, d->dataset, &relation, d->err);

	if (rc == ETL_OK) {
		etl_text_add(&sql, "SELECT 1 FROM ");
		postgres_select_add_from(&sql, &relation, NULL);
		select_add_where(&sql, &relation, &read, NULL);
		etl_text_add(&sql, " LIMIT 0");
		etl_text_add(&what, "the condition of ");
		relation_add_what(&relation, &what);
		rc = probe(d, &sql, what.at ? what.at : "the condition", &result);
		if (rc == ETL_OK)
			PQclear(result);
	}
	etl_text_free(&what);
	etl_text_free(&sql);
	relation_free(&relation);
	return rc;
}
