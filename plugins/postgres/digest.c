/*
 * Digests of a table, in one pass that the server makes. The rows' hashes are made in a subquery of their own, which
 * OFFSET 0 keeps apart: each is computed once, and the server does not take the parts for as many as there are
 * keys, for which it would sort the table.
 */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>

#include "digest.h"
#include "literal.h"

/* ---- What is offered --------------------------------------------------------------------------------------- */

/* hashtextextended and sha256 came with 11. The text's bytes are those of the database's encoding. */
static int check_ask(struct etl_instance *inst, const struct etl_digest_ask *ask,
		     struct etl_error *err)
{
	const char *encoding = PQparameterStatus(inst->db, "server_encoding");

	if (ask->hash != ETL_HASH_P1 && ask->hash != ETL_HASH_C1)
		return inst->host->fail(err, ETL_USAGE, NULL, 0,
					"the server does not compute row hashes of kind %d",
					(int)ask->hash);
	if (inst->version < 110000 || !encoding || strcmp(encoding, "UTF8") != 0)
		return inst->host->fail(err, ETL_USAGE, NULL, 0,
					"row hashes take a server of version 11 or later and a "
					"database whose encoding is UTF8");
	for (size_t i = 0; i < ask->column_count; i++) {
		const struct etl_column *c =
			ETL_AT(const struct etl_column, ask->columns, ask->column_size, i);
		const char *why = digest_refuses(c);

		if (why)
			return inst->host->fail(err, ETL_USAGE, NULL, 0,
						"column \"%s\" %s", c->name, why);
	}
	return ETL_OK;
}

/* ---- The self-test ----------------------------------------------------------------------------------------- */

/* False: a value that no literal is. */
static bool add_values(struct etl_text *sql, const struct etl_digest_ask *ask,
		       const struct etl_view *view)
{
	for (int64_t row = 0; row < view->rows; row++) {
		etl_text_addf(sql, "%s(%" PRId64, row ? ", " : "", row);
		for (int64_t i = 0; i < view->count; i++) {
			const struct etl_column *c = ETL_AT(const struct etl_column, ask->columns,
							    ask->column_size, i);

			etl_text_add(sql, ", CAST(");
			if (!literal_add(sql, &view->columns[i], row))
				return false;
			etl_text_addf(sql, " AS pg_catalog.%s)", digest_type(c));
		}
		etl_text_add(sql, ")");
	}
	return true;
}

static int ask_hashes(struct etl_instance *inst, const struct etl_digest_ask *ask,
		      const struct etl_view *view, PGresult **ret, struct etl_error *err)
{
	struct etl_text sql = { 0 };
	bool possible;
	int rc;

	etl_text_add(&sql, "SELECT ");
	digest_add_hash(&sql, ask, NULL, inst->version, NULL, ask->column_count);
	etl_text_add(&sql, " FROM (VALUES ");
	possible = add_values(&sql, ask, view);
	etl_text_add(&sql, ") AS v(n");
	for (size_t i = 0; i < ask->column_count; i++)
		etl_text_addf(&sql, ", c%zu", i);
	etl_text_add(&sql, ") ORDER BY v.n");
	if (!possible)
		rc = inst->host->fail(err, ETL_USAGE, NULL, 0,
				      "a text with a NUL is no text of the server");
	else if (sql.failed)
		rc = postgres_no_memory(inst, err);
	else
		rc = postgres_query(inst, err, ret, sql.at, 0, NULL);
	etl_text_free(&sql);
	return rc;
}

int postgres_hashes(struct etl_instance *inst, const struct etl_digest_ask *ask,
		    const struct ArrowSchema *schema, const struct ArrowArray *rows, uint64_t *ret,
		    struct etl_error *err)
{
	struct etl_view *view;
	PGresult *result = NULL;
	int rc = postgres_ready(inst, err);

	if (rc == ETL_OK)
		rc = check_ask(inst, ask, err);
	if (rc < 0 || rows->length == 0)
		return rc;
	view = etl_view_new(schema);
	rc = view && etl_view_set(view, rows) ? ask_hashes(inst, ask, view, &result, err) :
						postgres_no_memory(inst, err);
	for (int i = 0; rc == ETL_OK && i < PQntuples(result) && i < rows->length; i++)
		ret[i] = (uint64_t)postgres_int_at(result, i, 0);
	PQclear(result);
	etl_view_free(view);
	return rc;
}

/* ---- Digests ----------------------------------------------------------------------------------------------- */

static const struct etl_column *first_of_key(const struct etl_digest_ask *ask)
{
	return ETL_AT(const struct etl_column, ask->columns, ask->column_size, ask->key[0]);
}

/* An oid has no sign, and no arithmetic. */
static void add_key(struct etl_text *sql, const struct etl_digest_ask *ask, const struct relation *r)
{
	const struct etl_column *c = first_of_key(ask);

	select_add_column(sql, r, c->name);
	etl_text_add(sql, c->type == ETL_INT64 ? "::int8" : "");
}

static bool is_whole_row(const struct etl_digest_ask *ask)
{
	for (size_t i = 0; i < ask->key_count; i++)
		if (ask->key[i] != (int64_t)i)
			return false;
	return ask->key_count == ask->column_count;
}

static void add_part(struct etl_text *sql, const struct etl_digest_ask *ask, const struct relation *r,
		     int version)
{
	if (ask->by == ETL_DIGESTS_BY_KEY) {
		etl_text_add(sql, "(");
		add_key(sql, ask, r);
		etl_text_addf(sql, " - '%" PRId64 "'::int8) / '%" PRId64 "'::int8", ask->first,
			      ask->width);
	} else if (is_whole_row(ask)) {
		etl_text_add(sql, "NULL::int8");
	} else {
		digest_add_hash(sql, ask, r, version, ask->key, ask->key_count);
	}
}

static void add_range(struct etl_text *sql, const struct etl_digest_ask *ask, const struct relation *r)
{
	if (ask->by != ETL_DIGESTS_BY_KEY)
		return;
	etl_text_add(sql, r->dataset->where ? " AND " : " WHERE ");
	add_key(sql, ask, r);
	etl_text_addf(sql, " BETWEEN '%" PRId64 "'::int8 AND '%" PRId64 "'::int8", ask->first,
		      ask->last);
}

static void add_digests(struct etl_text *sql, const struct etl_digest_ask *ask,
			const struct relation *r, int version)
{
	const struct etl_read read = { .dataset = ask->dataset };

	etl_text_add(sql, "SELECT ");
	if (ask->by == ETL_DIGESTS_BY_KEY)
		etl_text_add(sql, "d.p");
	else
		etl_text_addf(sql, "%s & '%" PRIu64 "'::int8", is_whole_row(ask) ? "d.h" : "d.p",
			      ask->parts - 1);
	etl_text_add(sql, ", pg_catalog.count(*), pg_catalog.sum(d.h) FROM (SELECT ");
	add_part(sql, ask, r, version);
	etl_text_add(sql, " AS p, ");
	digest_add_hash(sql, ask, r, version, NULL, ask->column_count);
	etl_text_add(sql, " AS h FROM ");
	postgres_select_add_from(sql, r, NULL);
	select_add_where(sql, r, &read, NULL);
	add_range(sql, ask, r);
	etl_text_add(sql, " OFFSET 0) AS d GROUP BY 1");
}

/* The sum of signed numbers, in decimal: the same bits modulo 2^64. */
static uint64_t sum_of(const char *text)
{
	bool negative = *text == '-';
	uint64_t sum = 0;

	for (text += negative; *text >= '0' && *text <= '9'; text++)
		sum = sum * 10 + (uint64_t)(*text - '0');
	return negative ? 0 - sum : sum;
}

static int emit_all(const PGresult *result, struct etl_digest_sink *sink)
{
	int rc = ETL_OK;

	for (int i = 0; rc == ETL_OK && i < PQntuples(result); i++) {
		struct etl_digest digest = { .rows = (uint64_t)postgres_int_at(result, i, 1),
					     .sum = sum_of(PQgetvalue(result, i, 2)) };

		rc = sink->emit(sink, (uint64_t)postgres_int_at(result, i, 0), &digest);
	}
	return rc;
}

/* A question about the rows of a relation, refused as reading them would be. */
static int ask_rows(struct etl_instance *inst, const struct relation *r, struct etl_text *sql,
		    PGresult **ret, struct etl_error *err)
{
	struct etl_text what = { 0 };
	PGresult *result;
	int rc;

	if (sql->failed)
		return postgres_no_memory(inst, err);
	result = PQexec(inst->db, sql->at);
	if (PQresultStatus(result) == PGRES_TUPLES_OK) {
		*ret = result;
		return ETL_OK;
	}
	relation_add_what(r, &what);
	rc = postgres_read_failed(inst, result, err, what.at ? what.at : "a table");
	etl_text_free(&what);
	return rc;
}

/* A pinned transaction reads rows in their order, without parallel workers; sums know no order. What fails goes
 * back to where they are off. */
static int ask_digests(struct etl_instance *inst, const struct relation *r, struct etl_text *sql,
		       PGresult **ret, struct etl_error *err)
{
	int rc = inst->pinned ? postgres_run(inst, err,
					     "SET LOCAL max_parallel_workers_per_gather TO DEFAULT") :
				ETL_OK;

	if (rc == ETL_OK)
		rc = ask_rows(inst, r, sql, ret, err);
	if (rc == ETL_OK && inst->pinned)
		rc = postgres_run(inst, err, "SET LOCAL max_parallel_workers_per_gather = 0");
	return rc;
}

int postgres_digests(struct etl_instance *inst, const struct etl_digest_ask *ask,
		     struct etl_digest_sink *sink, struct etl_error *err)
{
	struct relation r = { .name = NULL };
	struct etl_text sql = { 0 };
	PGresult *result = NULL;
	int rc = postgres_ready(inst, err);

	if (rc == ETL_OK)
		rc = check_ask(inst, ask, err);
	if (rc < 0)
		return rc;
	rc = relation_find(inst, &ask->dataset, &r, err);
	if (rc == ETL_OK) {
		add_digests(&sql, ask, &r, inst->version);
		rc = ask_digests(inst, &r, &sql, &result, err);
	}
	if (rc == ETL_OK)
		rc = emit_all(result, sink);
	PQclear(result);
	etl_text_free(&sql);
	relation_free(&r);
	return rc;
}

int postgres_bounds(struct etl_instance *inst, const struct etl_dataset *dataset, const char *column,
		    int64_t *ret_least, int64_t *ret_most, struct etl_error *err)
{
	const struct etl_read read = { .dataset = *dataset };
	struct relation r = { .name = NULL };
	struct etl_text sql = { 0 };
	PGresult *result = NULL;
	int rc = postgres_ready(inst, err);

	if (rc < 0)
		return rc;
	rc = relation_find(inst, dataset, &r, err);
	if (rc == ETL_OK) {
		etl_text_add(&sql, "SELECT pg_catalog.min(");
		select_add_column(&sql, &r, column);
		etl_text_add(&sql, ")::int8, pg_catalog.max(");
		select_add_column(&sql, &r, column);
		etl_text_add(&sql, ")::int8 FROM ");
		postgres_select_add_from(&sql, &r, NULL);
		select_add_where(&sql, &r, &read, NULL);
		rc = ask_rows(inst, &r, &sql, &result, err);
	}
	if (rc == ETL_OK) {
		bool none = !postgres_at(result, 0, 0);

		*ret_least = none ? 1 : postgres_int_at(result, 0, 0);
		*ret_most = none ? 0 : postgres_int_at(result, 0, 1);
	}
	PQclear(result);
	etl_text_free(&sql);
	relation_free(&r);
	return rc;
}
