/*
 * The statement that reads a dataset. Columns are qualified by the table's own name, so that a condition may do the
 * same; a type that is not read in its own form is asked for as text, or as JSON where that is wanted.
 */
#include "config.h"

#include <stdlib.h>

#include "literal.h"
#include "read.h"

#define KEYS_NAME "etlrun_keys"

/* ---- Parts ----------------------------------------------------------------------------------------------- */

/* Without a semicolon and white space at its end. The server says what else is wrong with it. */
static size_t query_length(const char *query)
{
	size_t length = strlen(query);

	while (length > 0 && strchr("; \t\r\n", query[length - 1]))
		length--;
	return length;
}

static const char *relation_alias(const struct relation *r)
{
	return r->name ? r->name : READ_QUERY_NAME;
}

void select_add_column(struct etl_text *sql, const struct relation *r, const char *name)
{
	postgres_add_name(sql, relation_alias(r), name);
}

/* A split's text is the partition it is of, quoted. The line break ends a comment that a query may end with. */
void postgres_select_add_from(struct etl_text *sql, const struct relation *r, const struct etl_split *split)
{
	if (!r->name) {
		etl_text_add(sql, "(");
		etl_text_add_bytes(sql, r->dataset->query, query_length(r->dataset->query));
		etl_text_add(sql, "\n) AS \"" READ_QUERY_NAME "\"");
		return;
	}
	/* What inherits from a table is a table of its own here. */
	etl_text_add(sql, r->kind == 'r' || (split && split->text) ? "ONLY " : "");
	if (split && split->text) {
		etl_text_addf(sql, "%s AS ", split->text);
		etl_text_add_name(sql, r->name, '"');
	} else {
		postgres_add_name(sql, r->schema, r->name);
	}
}

static void and_also(struct etl_text *sql, bool *has_where)
{
	etl_text_add(sql, *has_where ? " AND " : " WHERE ");
	*has_where = true;
}

static void add_bound(struct etl_text *sql, const struct relation *r, const char *column,
		      const char *operator_text, const char *bound, bool *has_where)
{
	if (!bound)
		return;
	and_also(sql, has_where);
	select_add_column(sql, r, column);
	etl_text_addf(sql, " %s ", operator_text);
	etl_text_add_literal(sql, bound);
}

static void add_block(struct etl_text *sql, const struct relation *r, const char *operator_text,
		      int64_t block, bool *has_where)
{
	and_also(sql, has_where);
	select_add_column(sql, r, "ctid");
	etl_text_addf(sql, " %s '(%lld,0)'::pg_catalog.tid", operator_text, (long long)block);
}

void select_add_where(struct etl_text *sql, const struct relation *r, const struct etl_read *read,
		      const struct etl_split *split)
{
	bool has_where = false;

	if (split && split->first > 0)
		add_block(sql, r, ">=", split->first, &has_where);
	if (split && split->last != INT64_MAX)
		add_block(sql, r, "<", split->last + 1, &has_where);
	if (read->cursor) {
		add_bound(sql, r, read->cursor, ">", read->after, &has_where);
		add_bound(sql, r, read->cursor, "<=", read->upto, &has_where);
	}
	if (read->cursor && read->since && *read->since) {
		and_also(sql, &has_where);
		watermark_add_since(sql, r, read);
	}
	if (r->dataset->where) {
		and_also(sql, &has_where);
		etl_text_addf(sql, "(%s\n)", r->dataset->where);
	}
}

/* ---- Keys -------------------------------------------------------------------------------------------------- */

/* A text may hold a NUL, which no text of the server does: then no row has it. */
static void add_key_row(struct etl_text *sql, const struct etl_view *keys, int64_t row,
			const char *const *types, bool *first)
{
	struct etl_text values = { 0 };
	bool possible = true;

	for (int64_t i = 0; possible && i < keys->count; i++) {
		etl_text_add(&values, ", CAST(");
		possible = literal_add(&values, &keys->columns[i], row);
		etl_text_addf(&values, " AS %s)", types[i]);
	}
	if (possible) {
		etl_text_addf(sql, "%s(%lld%s)", *first ? "" : ", ", (long long)row,
			      values.at ? values.at : "");
		*first = false;
	}
	sql->failed |= values.failed;
	etl_text_free(&values);
}

static bool has_nulls(const struct etl_column_view *c, int64_t rows)
{
	for (int64_t row = 0; row < rows; row++)
		if (etl_is_null(c, row))
			return true;
	return false;
}

static void add_key_match(struct etl_text *sql, const struct relation *r, const char *name,
			  int64_t i, bool nulls)
{
	etl_text_add(sql, i ? " AND (" : "(");
	select_add_column(sql, r, name);
	etl_text_addf(sql, " = \"" KEYS_NAME "\".\"k%lld\"", (long long)i);
	if (nulls) {
		etl_text_add(sql, " OR (");
		select_add_column(sql, r, name);
		etl_text_addf(sql, " IS NULL AND \"" KEYS_NAME "\".\"k%lld\" IS NULL)",
			      (long long)i);
	}
	etl_text_add(sql, ")");
}

/* (VALUES (number, key, …), …) AS "etlrun_keys" JOIN …: the rows come in the order of the keys. */
static void add_keyed_from(struct etl_text *sql, const struct relation *r,
			   const struct etl_read *read, const char *const *types)
{
	struct etl_view *keys = etl_view_new(read->key_schema);
	bool first = true;

	if (!keys || !etl_view_set(keys, read->keys)) {
		sql->failed = true;
		etl_view_free(keys);
		return;
	}
	etl_text_add(sql, "(VALUES ");
	for (int64_t row = 0; row < keys->rows; row++)
		add_key_row(sql, keys, row, types, &first);
	if (first) {
		etl_text_add(sql, "(NULL::int8");
		for (int64_t i = 0; i < keys->count; i++)
			etl_text_addf(sql, ", NULL::%s", types[i]);
		etl_text_add(sql, ")");
	}
	etl_text_add(sql, ") AS \"" KEYS_NAME "\"(\"n\"");
	for (int64_t i = 0; i < keys->count; i++)
		etl_text_addf(sql, ", \"k%lld\"", (long long)i);
	etl_text_add(sql, ") JOIN ");
	postgres_select_add_from(sql, r, NULL);
	/* Without one to be asked for there is no row: not those whose key is NULL. */
	etl_text_add(sql, " ON \"" KEYS_NAME "\".\"n\" IS NOT NULL AND ");
	for (int64_t i = 0; i < keys->count; i++)
		add_key_match(sql, r, read->key_schema->children[i]->name, i,
			      has_nulls(&keys->columns[i], keys->rows));
	etl_view_free(keys);
}

/* ---- The statement ------------------------------------------------------------------------------------------- */

/*
 * A type outside the profile as JSON. An array whose first index is not 1 begins with its bounds, "[2:3]={7,8}", which no
 * list of JSON tells: it goes as its text, and comes back from there (encode-list.c). Other texts that begin so, a
 * range's for one, are told alike either way.
 */
void select_add_json(struct etl_text *sql, const char *value)
{
	etl_text_addf(sql,
		      "(CASE WHEN pg_catalog.ascii(%s::pg_catalog.text) = 91 THEN pg_catalog.to_json("
		      "%s::pg_catalog.text) ELSE pg_catalog.to_json(%s) END)::pg_catalog.text",
		      value, value, value);
}

static void add_selected_json(struct etl_text *sql, const struct relation *r, const char *name)
{
	struct etl_text value = { 0 };

	select_add_column(&value, r, name);
	if (value.at)
		select_add_json(sql, value.at);
	sql->failed |= value.failed;
	etl_text_free(&value);
}

static void add_selected(struct etl_text *sql, const struct relation *r,
			 const struct select_column *c)
{
	if (c->want.type == ETL_JSON && !decode_knows(c->oid)) {
		add_selected_json(sql, r, c->name);
		return;
	}
	select_add_column(sql, r, c->name);
	etl_text_add(sql, decode_knows(c->oid) ? "" : "::pg_catalog.text");
}

void select_add_copy(struct etl_text *sql, const struct relation *r, const struct etl_read *read,
		     const struct etl_split *split, const struct select_column *columns,
		     size_t count, const char *const *key_types)
{
	etl_text_add(sql, "COPY (SELECT ");
	for (size_t i = 0; i < count; i++) {
		etl_text_add(sql, i ? ", " : "");
		add_selected(sql, r, &columns[i]);
	}
	etl_text_add(sql, " FROM ");
	if (read->keys)
		add_keyed_from(sql, r, read, key_types);
	else
		postgres_select_add_from(sql, r, split);
	select_add_where(sql, r, read, read->keys ? NULL : split);
	if (read->keys)
		etl_text_add(sql, " ORDER BY \"" KEYS_NAME "\".\"n\"");
	else if (read->limit > 0)
		etl_text_addf(sql, " LIMIT %lld", (long long)read->limit);
	etl_text_add(sql, ") TO STDOUT (FORMAT binary)");
}

/* ---- Types ----------------------------------------------------------------------------------------------------- */

static bool is_wanted(const struct etl_read *read, const char *name)
{
	return etl_schema_find(read->want, name) >= 0;
}

static struct select_column *list_columns(struct relation *r, const struct etl_read *read,
					  size_t *ret_count)
{
	size_t wanted = (size_t)read->want->n_children;
	struct select_column *columns =
		etl_arena_alloc(&r->arena, (wanted + r->key_count + 1) * sizeof(*columns));

	*ret_count = wanted;
	for (size_t i = 0; columns && i < wanted; i++) {
		columns[i].name = etl_arena_copy(&r->arena, read->want->children[i]->name);
		columns[i].want = etl_type_of(read->want->children[i]);
	}
	for (size_t i = 0; columns && i < r->key_count; i++)
		if (!is_wanted(read, r->keys[i]))
			columns[(*ret_count)++].name = r->keys[i];
	return columns;
}

/* The columns, then those of the keys that are asked for. */
static void add_probe(struct etl_text *sql, const struct relation *r, const struct etl_read *read,
		      const struct select_column *columns, size_t count)
{
	etl_text_add(sql, "SELECT ");
	for (size_t i = 0; i < count; i++) {
		etl_text_add(sql, i ? ", " : "");
		select_add_column(sql, r, columns[i].name);
	}
	for (int64_t i = 0; read->keys && i < read->key_schema->n_children; i++) {
		etl_text_add(sql, ", ");
		select_add_column(sql, r, read->key_schema->children[i]->name);
	}
	etl_text_add(sql, " FROM ");
	postgres_select_add_from(sql, r, NULL);
	etl_text_add(sql, " LIMIT 0");
}

/* Types that cut or round what is cast to them: a key that such a column cannot hold would find the row of another. What
 * compares with the column as it is. NULL: the column's own type. */
static const char *wider_type(uint32_t oid, int32_t key)
{
	bool whole = key == ETL_INT16 || key == ETL_INT32 || key == ETL_INT64;

	switch (oid) {
	case OID_NAME:
	case OID_CHAR:
		return "pg_catalog.text";
	case OID_INT2:
	case OID_INT4:
	case OID_INT8:
		return whole ? "pg_catalog.int8" : "pg_catalog.numeric";
	case OID_FLOAT4:
		return key == ETL_FLOAT64 ? "pg_catalog.float8" : NULL;
	case OID_DATE:
		return key == ETL_DATE	  ? NULL :
		       key == ETL_INSTANT ? "pg_catalog.timestamptz" :
					    "pg_catalog.timestamp";
	default:
		return NULL;
	}
}

/* -1, for no length and no scale: varchar(3) is one of the types that cut. */
static void add_type(struct etl_text *sql, uint32_t oid, const struct ArrowSchema *key)
{
	const char *wider = wider_type(oid, etl_type_of(key).type);

	if (wider)
		etl_text_add_literal(sql, wider);
	else
		etl_text_addf(sql, "pg_catalog.format_type(%u, -1)", oid);
}

/* The types that keys are compared in, as the server spells them: one more question, asked only when there are keys. */
static int name_types(struct etl_instance *inst, struct relation *r, const struct etl_read *read,
		      const PGresult *probe, size_t first, const char *const **ret, struct etl_error *err)
{
	size_t count = (size_t)read->key_schema->n_children;
	struct etl_text sql = { 0 };
	const char **types = etl_arena_alloc(&r->arena, (count + 1) * sizeof(*types));
	PGresult *result;
	int rc;

	etl_text_add(&sql, "SELECT ");
	for (size_t i = 0; i < count; i++) {
		etl_text_add(&sql, i ? ", " : "");
		add_type(&sql, PQftype(probe, (int)(first + i)), read->key_schema->children[i]);
	}
	if (!types || sql.failed)
		rc = postgres_no_memory(inst, err);
	else
		rc = postgres_query(inst, err, &result, sql.at, 0, NULL);
	etl_text_free(&sql);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < count; i++)
		types[i] = etl_arena_copy(&r->arena, PQgetvalue(result, 0, (int)i));
	PQclear(result);
	*ret = types;
	return r->arena.failed ? postgres_no_memory(inst, err) : ETL_OK;
}

/* The question of a statement that will read: it is refused as that would be. */
static int probe(struct etl_instance *inst, const struct relation *r, const char *sql,
		 PGresult **ret, struct etl_error *err)
{
	PGresult *result = PQexecParams(inst->db, sql, 0, NULL, NULL, NULL, NULL, 0);
	struct etl_text what = { 0 };
	int rc;

	if (PQresultStatus(result) == PGRES_TUPLES_OK) {
		*ret = result;
		return ETL_OK;
	}
	relation_add_what(r, &what);
	rc = postgres_read_failed(inst, result, err, what.at ? what.at : "a table");
	etl_text_free(&what);
	return rc;
}

int select_types(struct etl_instance *inst, struct relation *r, const struct etl_read *read,
		 struct select_column **ret, size_t *ret_count, const char *const **ret_key_types,
		 struct etl_error *err)
{
	size_t count;
	struct select_column *columns = list_columns(r, read, &count);
	struct etl_text sql = { 0 };
	PGresult *result = NULL;
	int rc;

	if (columns)
		add_probe(&sql, r, read, columns, count);
	if (!columns || r->arena.failed || sql.failed)
		rc = postgres_no_memory(inst, err);
	else
		rc = probe(inst, r, sql.at, &result, err);
	etl_text_free(&sql);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < count; i++)
		columns[i].oid = PQftype(result, (int)i);
	if (read->keys)
		rc = name_types(inst, r, read, result, count, ret_key_types, err);
	PQclear(result);
	*ret = columns;
	*ret_count = count;
	return rc;
}
