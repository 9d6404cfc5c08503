/*
 * The statement that reads a dataset: its columns in the forms of which nothing is lost on the way, its condition, and a
 * limit, which every dialect has in another place.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "reading.h"
#include "watermark.h"

#define QUERY_NAME "etlrun_query"

/* Without a semicolon and white space at its end. The server says what else is wrong with it. */
static size_t query_length(const char *query)
{
	size_t length = strlen(query);

	while (length > 0 && strchr("; \t\r\n", query[length - 1]))
		length--;
	return length;
}

static bool split(const struct etl_instance *inst, const struct etl_dataset *dataset, struct query_parts *ret)
{
	if (inst->dialect != &odbc_tsql || !dataset->query)
		return false;
	query_split(dataset->query, query_length(dataset->query), ret);
	return true;
}

void select_add_with(struct etl_text *sql, const struct etl_instance *inst, const struct etl_dataset *dataset)
{
	struct query_parts q;

	if (split(inst, dataset, &q))
		etl_text_add_bytes(sql, dataset->query, (size_t)(q.select - dataset->query));
}

void select_add_option(struct etl_text *sql, const struct etl_instance *inst, const struct etl_dataset *dataset)
{
	struct query_parts q;

	if (split(inst, dataset, &q) && q.option < q.end) {
		etl_text_add(sql, " ");
		etl_text_add_bytes(sql, q.option, (size_t)(q.end - q.option));
	}
}

static void add_query(struct etl_text *sql, const struct etl_instance *inst, const struct etl_dataset *dataset)
{
	struct query_parts q = { .select = dataset->query, .option = dataset->query + query_length(dataset->query) };

	split(inst, dataset, &q);
	/* The line break ends a comment that a query may end with. */
	etl_text_add(sql, "(");
	etl_text_add_bytes(sql, q.select, (size_t)(q.option - q.select));
	etl_text_addf(sql, "\n%s) AS " QUERY_NAME, q.needs_offset ? "OFFSET 0 ROWS" : "");
}

void odbc_select_add_from(struct etl_text *sql, const struct etl_instance *inst,
		     const struct etl_dataset *dataset)
{
	etl_text_add(sql, " FROM ");
	if (dataset->query)
		add_query(sql, inst, dataset);
	else
		odbc_add_table(sql, inst, dataset->schema, dataset->table);
}

static int try(struct etl_instance *inst, SQLHSTMT stmt, const char *sql, const struct etl_dataset *dataset,
	       struct etl_error *err)
{
	char what[ODBC_NAME_ROOM + 64];

	if (!dataset->query && !dataset->where)
		return odbc_execute(inst, stmt, sql, err);
	snprintf(what, sizeof(what), "%s%s%s%s", dataset->where ? "the condition of " : "", dataset->table ? "table \"" : "",
		 dataset->table ? dataset->table : "the query", dataset->table ? "\"" : "");
	return odbc_execute_given(inst, stmt, sql, what, err);
}

int select_shape(struct etl_instance *inst, const struct etl_dataset *dataset,
		 struct odbc_shape *ret, struct etl_error *err)
{
	struct etl_text sql = { 0 };
	SQLHSTMT stmt;
	int rc = odbc_statement(inst, &stmt, err);

	if (rc < 0)
		return rc;
	select_add_with(&sql, inst, dataset);
	etl_text_add(&sql, "SELECT *");
	odbc_select_add_from(&sql, inst, dataset);
	if (dataset->where)
		etl_text_addf(&sql, " WHERE 1 = 0 AND (%s\n)", dataset->where);
	else
		etl_text_add(&sql, " WHERE 1 = 0");
	select_add_option(&sql, inst, dataset);
	rc = sql.failed ? odbc_no_memory(inst, err) : try(inst, stmt, sql.at, dataset, err);
	if (rc == ETL_OK)
		rc = odbc_shape_of(inst, stmt, ret, err);
	etl_text_free(&sql);
	odbc_done(inst, stmt);
	return rc;
}

/* ---- Columns ------------------------------------------------------------------------------------------- */

static const char *form_of(const struct odbc_dialect *dialect, const struct odbc_column *c)
{
	int64_t length;
	struct etl_type_info type = odbc_type_of(dialect, c, &length);

	return dialect->as_text ? dialect->as_text(type.type, c->type_name) : NULL;
}

static const struct odbc_column *find(const struct odbc_shape *shape, const char *name)
{
	for (size_t i = 0; i < shape->count; i++)
		if (strcmp(shape->columns[i].name, name) == 0)
			return &shape->columns[i];
	return NULL;
}

/* The form, with the name at each of its places. */
bool odbc_select_add_value(struct etl_text *sql, const struct etl_instance *inst, const struct odbc_column *c)
{
	const char *form = form_of(inst->dialect, c);

	if (!form) {
		odbc_add_name(sql, inst, c->name);
		return false;
	}
	for (const char *hole; (hole = strstr(form, "%s")); form = hole + 2) {
		etl_text_add_bytes(sql, form, (size_t)(hole - form));
		odbc_add_name(sql, inst, c->name);
	}
	etl_text_add(sql, form);
	return true;
}

static void add_expression(struct etl_text *sql, const struct etl_instance *inst, const struct odbc_column *c)
{
	if (!odbc_select_add_value(sql, inst, c))
		return;
	etl_text_add(sql, " AS ");
	odbc_add_name(sql, inst, c->name);
}

static int add_column(struct reading *r, struct etl_text *sql, const char *name, bool first)
{
	const struct odbc_column *c = find(&r->declared, name);

	if (!c)
		return r->inst->host->fail(r->err, ETL_USAGE, NULL, 0, "%s has no column \"%s\"", r->what.at, name);
	etl_text_add(sql, first ? "" : ", ");
	add_expression(sql, r->inst, c);
	return ETL_OK;
}

static int add_columns(struct reading *r, struct etl_text *sql)
{
	bool first = true;
	int rc = ETL_OK;

	for (int64_t i = 0; rc == ETL_OK && i < r->want.n_children; i++, first = false)
		rc = add_column(r, sql, r->want.children[i]->name, first);
	for (size_t k = 0; rc == ETL_OK && k < r->key.column_count; k++)
		if (etl_schema_find(&r->want, r->key.columns[k]) < 0) {
			rc = add_column(r, sql, r->key.columns[k], first);
			first = false;
		}
	if (first)
		etl_text_add(sql, "1");
	return rc;
}

/* ---- Rows ------------------------------------------------------------------------------------------------- */

static void and_also(struct etl_text *sql, bool *has_where)
{
	etl_text_add(sql, *has_where ? " AND " : " WHERE ");
	*has_where = true;
}

static void add_bound(struct etl_text *sql, const struct etl_instance *inst, const char *column,
		      const char *operator_text, const char *bound, bool *has_where)
{
	if (!bound)
		return;
	and_also(sql, has_where);
	odbc_add_name(sql, inst, column);
	etl_text_addf(sql, " %s ", operator_text);
	etl_text_add_literal(sql, bound);
}

/* A column that is not there the statement itself would miss: the host has looked. */
static void add_since(struct reading *r, struct etl_text *sql, bool *has_where)
{
	const struct odbc_column *c = find(&r->declared, r->read.cursor);

	if (!c || !r->read.since || !*r->read.since)
		return;
	and_also(sql, has_where);
	odbc_add_since(sql, r->inst, c, r->read.since);
}

static void add_limit(struct etl_text *sql, const struct etl_instance *inst, const char *column,
		      const char *operator_text, int64_t limit, bool *has_where)
{
	and_also(sql, has_where);
	odbc_add_name(sql, inst, column);
	etl_text_addf(sql, " %s %lld", operator_text, (long long)limit);
}

/* A split's text is the column whose range it is. */
static void add_split(struct reading *r, struct etl_text *sql, bool *has_where)
{
	if (!r->split.text)
		return;
	if (r->split.first != INT64_MIN)
		add_limit(sql, r->inst, r->split.text, ">=", r->split.first, has_where);
	if (r->split.last != INT64_MAX)
		add_limit(sql, r->inst, r->split.text, "<=", r->split.last, has_where);
}

/* False: a value that no row here can have. */
static bool add_key(struct reading *r, struct etl_text *sql, bool *has_where)
{
	bool possible = true;

	for (int64_t i = 0; possible && i < r->keys->count; i++) {
		and_also(sql, has_where);
		odbc_add_name(sql, r->inst, r->read.key_schema->children[i]->name);
		if (etl_is_null(&r->keys->columns[i], r->next_key)) {
			etl_text_add(sql, " IS NULL");
			continue;
		}
		etl_text_add(sql, " = ");
		possible = odbc_literal_add(sql, r->inst->dialect, &r->keys->columns[i], r->next_key);
	}
	return possible;
}

static void add_conditions(struct reading *r, struct etl_text *sql)
{
	bool has_where = false;

	if (r->read.dataset.where) {
		and_also(sql, &has_where);
		etl_text_addf(sql, "(%s\n)", r->read.dataset.where);
	}
	if (r->read.cursor) {
		add_bound(sql, r->inst, r->read.cursor, ">", r->read.after, &has_where);
		add_bound(sql, r->inst, r->read.cursor, "<=", r->read.upto, &has_where);
		add_since(r, sql, &has_where);
	}
	if (!r->keys)
		add_split(r, sql, &has_where);
	else if (!add_key(r, sql, &has_where))
		etl_text_add(sql, "NULL AND 1 = 0");
}

/* Rows are known by their place, and T-SQL promises no order: two scans of a table may begin at different pages. */
static void add_order(struct reading *r, struct etl_text *sql)
{
	for (size_t k = 0; k < r->key.column_count; k++) {
		etl_text_add(sql, k ? ", " : " ORDER BY ");
		odbc_add_name(sql, r->inst, r->key.columns[k]);
	}
}

int select_add(struct reading *r, struct etl_text *sql)
{
	const struct odbc_dialect *dialect = r->inst->dialect;
	long long limit = r->read.limit;
	int rc;

	select_add_with(sql, r->inst, &r->read.dataset);
	etl_text_add(sql, "SELECT ");
	if (limit > 0 && dialect == &odbc_tsql)
		etl_text_addf(sql, "TOP (%lld) ", limit);
	rc = add_columns(r, sql);
	odbc_select_add_from(sql, r->inst, &r->read.dataset);
	add_conditions(r, sql);
	if (dialect == &odbc_tsql && !r->keys)
		add_order(r, sql);
	if (limit > 0 && dialect != &odbc_tsql)
		etl_text_addf(sql, dialect == &odbc_standard ? " FETCH FIRST %lld ROWS ONLY" : " LIMIT %lld", limit);
	select_add_option(sql, r->inst, &r->read.dataset);
	return rc == ETL_OK && sql->failed ? odbc_no_memory(r->inst, r->err) : rc;
}
