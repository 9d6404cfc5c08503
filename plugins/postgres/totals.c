/*
 * Columns added up by the server, as texts that the host reads: what is no value of the column's type here (a date before
 * Christ, an infinite one) makes the host read the rows instead.
 */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>

#include "read.h"

#define COLUMNS_AT_ONCE 400 /* four values each; a result has 1,664 columns at most */

enum part { PART_NULLS, PART_LEAST, PART_GREATEST, PART_SUM, PARTS };

/* What is asked of a column; in each, % is the column. NULL: nothing. */
struct asked {
	const char *value;  /* of which the least and the greatest are wanted */
	const char *sum;    /* whose sum is */
	bool lengths;	    /* the value is a length */
};

/* ---- What can be asked ---------------------------------------------------------------------------------------- */

static bool is_int(uint32_t oid)
{
	return oid == OID_INT2 || oid == OID_INT4 || oid == OID_INT8;
}

static const struct asked *numbers(uint32_t oid, int32_t want)
{
	static const struct asked whole = { "%", "%::pg_catalog.numeric", false };
	static const struct asked numeric = { "%", "%", false };

	if (is_int(oid))
		return &whole;
	return oid == OID_NUMERIC && (want == ETL_DECIMAL || want == ETL_NUMERIC) ? &numeric : NULL;
}

/* In the bytes of UTF-8, which the server counts only where it keeps them. */
static const struct asked *texts(uint32_t oid, bool utf8)
{
	static const struct asked bytes = { "pg_catalog.octet_length(%)", NULL, true };
	static const struct asked json = { "pg_catalog.octet_length(%::pg_catalog.text)", NULL, true };
	static const struct asked nothing = { NULL, NULL, false };

	if (!utf8)
		return &nothing;
	if (oid == OID_JSON || oid == OID_JSONB)
		return &json;
	return oid == OID_TEXT || oid == OID_VARCHAR || oid == OID_BPCHAR ? &bytes : &nothing;
}

/* The bits of a float64 as a number, -0 as 0 and every NaN as one: what `sum` of a real means. */
#define BITS                                                                                                             \
	"('x' OPERATOR(pg_catalog.||) pg_catalog.encode(pg_catalog.float8send(CASE WHEN % = 'NaN' THEN 'NaN' WHEN % = 0 THEN 0 ELSE " \
	"%::pg_catalog.float8 END), 'hex'))::pg_catalog.bit(64)::pg_catalog.int8"

/* NULL: it cannot be said exactly. */
static const struct asked *choose(const struct etl_column *c, uint32_t oid, bool utf8)
{
	static const struct asked nothing = { NULL, NULL, false }, value = { "%", NULL, false };
	static const struct asked flag = { "%::pg_catalog.int4", NULL, false };
	static const struct asked bytes = { "pg_catalog.octet_length(%)", NULL, true }, real = { "%", BITS, false };

	if (c->flags & ETL_RESPELT)
		return &nothing;
	switch (c->type) {
	case ETL_INT16:
	case ETL_INT32:
	case ETL_INT64:
	case ETL_DECIMAL:
	case ETL_NUMERIC:
		return numbers(oid, c->type);
	case ETL_TEXT:
	case ETL_JSON:
		return texts(oid, utf8);
	case ETL_UUID:
		return &nothing;
	default:
		break;
	}
	if (decode_type(oid) != c->type)
		return NULL;
	if (c->type == ETL_FLOAT32 || c->type == ETL_FLOAT64)
		return &real;
	return c->type == ETL_BOOL ? &flag : c->type == ETL_BYTES ? &bytes : &value;
}

/* ---- The question ----------------------------------------------------------------------------------------------- */

static void add_form(struct etl_text *sql, const struct relation *r, const char *name, const char *form)
{
	for (; *form; form++) {
		if (*form == '%')
			select_add_column(sql, r, name);
		else
			etl_text_add_bytes(sql, form, 1);
	}
}

static void add_aggregate(struct etl_text *sql, const struct relation *r, const char *name, const char *which,
			  const char *form)
{
	if (!form) {
		etl_text_add(sql, ", NULL");
		return;
	}
	etl_text_addf(sql, ", pg_catalog.%s(", which);
	add_form(sql, r, name, form);
	etl_text_add(sql, ")::pg_catalog.text");
}

static void add_question(struct etl_text *sql, const struct relation *r, const struct etl_totals_ask *ask,
			 const struct asked *const *asked, size_t first, size_t count)
{
	const struct etl_read read = { .dataset = ask->dataset };

	for (size_t i = first; i < first + count; i++) {
		const struct etl_column *c = ETL_AT(const struct etl_column, ask->columns, ask->column_size, i);

		etl_text_add(sql, i > first ? ", " : "SELECT ");
		etl_text_add(sql, "pg_catalog.count(*) - pg_catalog.count(");
		select_add_column(sql, r, c->name);
		etl_text_add(sql, ")");
		add_aggregate(sql, r, c->name, "min", asked[i]->value);
		add_aggregate(sql, r, c->name, "max", asked[i]->value);
		add_aggregate(sql, r, c->name, "sum", asked[i]->sum);
	}
	etl_text_add(sql, " FROM ");
	postgres_select_add_from(sql, r, NULL);
	select_add_where(sql, r, &read, NULL);
}

/* ---- The answer ------------------------------------------------------------------------------------------------- */

static int64_t length_at(const PGresult *result, int column)
{
	return postgres_at(result, 0, column) ? postgres_int_at(result, 0, column) : ETL_UNKNOWN;
}

static int emit_one(const struct etl_column *column, const struct asked *asked, const PGresult *result, int at,
		    struct etl_total_sink *sink)
{
	struct etl_total total = { .nulls = postgres_int_at(result, 0, at + PART_NULLS),
				   .shortest = ETL_UNKNOWN,
				   .longest = ETL_UNKNOWN,
				   .shortest_utf16 = ETL_UNKNOWN,
				   .longest_utf16 = ETL_UNKNOWN };

	if (asked->lengths) {
		total.shortest = length_at(result, at + PART_LEAST);
		total.longest = length_at(result, at + PART_GREATEST);
	} else {
		total.least = postgres_at(result, 0, at + PART_LEAST);
		total.greatest = postgres_at(result, 0, at + PART_GREATEST);
		total.sum = postgres_at(result, 0, at + PART_SUM);
	}
	return sink->emit(sink, column, &total);
}

static int add_up(struct etl_instance *inst, const struct relation *r, const struct etl_totals_ask *ask,
		  const struct asked *const *asked, size_t first, size_t count, struct etl_total_sink *sink,
		  struct etl_error *err)
{
	struct etl_text sql = { 0 };
	PGresult *result = NULL;
	int rc;

	add_question(&sql, r, ask, asked, first, count);
	rc = sql.failed ? postgres_no_memory(inst, err) : postgres_query(inst, err, &result, sql.at, 0, NULL);
	etl_text_free(&sql);
	for (size_t i = 0; rc == ETL_OK && i < count; i++)
		rc = emit_one(ETL_AT(const struct etl_column, ask->columns, ask->column_size, first + i), asked[first + i],
			      result, (int)i * PARTS, sink);
	PQclear(result);
	return rc;
}

/* ---- All of it ---------------------------------------------------------------------------------------------------- */

static int choose_all(struct etl_instance *inst, struct relation *r, const struct etl_totals_ask *ask,
		      const struct asked **ret, struct etl_error *err)
{
	const char *encoding = PQparameterStatus(inst->db, "server_encoding");
	bool utf8 = encoding && strcmp(encoding, "UTF8") == 0;
	struct ArrowSchema want = { 0 };
	struct etl_read read = { .dataset = ask->dataset, .want = &want };
	struct select_column *columns = NULL;
	const char *const *none = NULL;
	size_t count;
	int rc = etl_schema_make(&want, ask->columns, ask->column_count, ask->column_size) ?
			 select_types(inst, r, &read, &columns, &count, &none, err) :
			 postgres_no_memory(inst, err);

	for (size_t i = 0; rc == ETL_OK && i < ask->column_count; i++) {
		const struct etl_column *c = ETL_AT(const struct etl_column, ask->columns, ask->column_size, i);

		ret[i] = choose(c, columns[i].oid, utf8);
		if (!ret[i])
			rc = inst->host->fail(err, ETL_USAGE, NULL, 0,
					      "column \"%s\" is not added up by the server as it is by its rows", c->name);
	}
	if (want.release)
		want.release(&want);
	return rc;
}

static int add_up_all(struct etl_instance *inst, struct relation *r, const struct etl_totals_ask *ask,
		      struct etl_total_sink *sink, struct etl_error *err)
{
	const struct asked **asked = calloc(ask->column_count + 1, sizeof(*asked));
	int rc = asked ? choose_all(inst, r, ask, asked, err) : postgres_no_memory(inst, err);

	for (size_t i = 0; rc == ETL_OK && i < ask->column_count; i += COLUMNS_AT_ONCE) {
		size_t left = ask->column_count - i;

		rc = add_up(inst, r, ask, asked, i, left < COLUMNS_AT_ONCE ? left : COLUMNS_AT_ONCE, sink, err);
	}
	free(asked);
	return rc;
}

int postgres_totals(struct etl_instance *inst, const struct etl_totals_ask *ask, struct etl_total_sink *sink,
		    struct etl_error *err)
{
	struct relation relation;
	int rc = postgres_ready(inst, err);

	if (rc < 0)
		return rc;
	if (!ask->dataset.table)
		return inst->host->fail(err, ETL_USAGE, NULL, 0, "only tables are added up by the server");
	rc = relation_find(inst, &ask->dataset, &relation, err);
	if (rc == ETL_OK)
		rc = add_up_all(inst, &relation, ask, sink, err);
	relation_free(&relation);
	return rc;
}
