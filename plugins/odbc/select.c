/*
 * The statement that reads a dataset: its columns in the forms of which nothing is lost on the way, its condition, and a
 * limit, which every dialect has in another place.
 */
#include "config.h"

#include <stdlib.h>

#include "select.h"

#define QUERY_NAME "etlrun_query"

/* Without a semicolon and white space at its end. The server says what else is wrong with it. */
static size_t query_length(const char *query)
{
	size_t length = strlen(query);

	while (length > 0 && strchr("; \t\r\n", query[length - 1]))
		length--;
	return length;
}

/* The line break ends a comment that a query may end with. */
void select_add_from(struct etl_text *sql, const struct etl_instance *inst,
		     const struct etl_dataset *dataset)
{
	etl_text_add(sql, " FROM ");
	if (dataset->query) {
		etl_text_add(sql, "(");
		etl_text_add_bytes(sql, dataset->query, query_length(dataset->query));
		etl_text_add(sql, "\n) AS " QUERY_NAME);
	} else {
		odbc_add_table(sql, inst, dataset->schema, dataset->table);
	}
}

int select_shape(struct etl_instance *inst, const struct etl_dataset *dataset,
		 struct odbc_shape *ret, struct etl_error *err)
{
	struct etl_text sql = { 0 };
	SQLHSTMT stmt;
	int rc = odbc_statement(inst, &stmt, err);

	if (rc < 0)
		return rc;
	etl_text_add(&sql, "SELECT *");
	select_add_from(&sql, inst, dataset);
	if (dataset->where)
		etl_text_addf(&sql, " WHERE 1 = 0 AND (%s\n)", dataset->where);
	else
		etl_text_add(&sql, " WHERE 1 = 0");
	rc = sql.failed ? odbc_no_memory(inst, err) : odbc_execute(inst, stmt, sql.at, err);
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

bool select_is_text(const struct odbc_dialect *dialect, struct etl_type_info wanted,
		    const struct odbc_column *declared)
{
	(void)wanted;
	return form_of(dialect, declared) != NULL;
}

static const struct odbc_column *find(const struct odbc_shape *shape, const char *name)
{
	for (size_t i = 0; i < shape->count; i++)
		if (strcmp(shape->columns[i].name, name) == 0)
			return &shape->columns[i];
	return NULL;
}

static void add_expression(struct etl_text *sql, const struct etl_instance *inst,
			   const struct odbc_column *c)
{
	const char *form = form_of(inst->dialect, c), *hole = form ? strstr(form, "%s") : NULL;

	if (!hole) {
		odbc_add_name(sql, inst, c->name);
		return;
	}
	etl_text_add_bytes(sql, form, (size_t)(hole - form));
	odbc_add_name(sql, inst, c->name);
	etl_text_addf(sql, "%s AS ", hole + 2);
	odbc_add_name(sql, inst, c->name);
}

static int add_columns(struct etl_instance *inst, struct etl_text *sql, const struct etl_read *read,
		       const struct odbc_shape *declared, struct etl_error *err)
{
	for (int64_t i = 0; i < read->want->n_children; i++) {
		const char *name = read->want->children[i]->name;
		const struct odbc_column *c = find(declared, name);

		if (!c)
			return inst->host->fail(err, ETL_USAGE, NULL, 0,
						"%s has no column \"%s\"",
						read->dataset.table ? read->dataset.table :
								      "the query",
						name);
		etl_text_add(sql, i ? ", " : "");
		add_expression(sql, inst, c);
	}
	if (read->want->n_children == 0)
		etl_text_add(sql, "1");
	return ETL_OK;
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

/* False: a value that no row here can have. */
static bool add_key(struct etl_text *sql, const struct etl_instance *inst, const struct etl_read *read,
		    const struct etl_view *keys, int64_t row, bool *has_where)
{
	bool possible = true;

	for (int64_t i = 0; possible && i < keys->count; i++) {
		and_also(sql, has_where);
		odbc_add_name(sql, inst, read->key_schema->children[i]->name);
		if (etl_is_null(&keys->columns[i], row)) {
			etl_text_add(sql, " IS NULL");
			continue;
		}
		etl_text_add(sql, " = ");
		possible = literal_add(sql, inst->dialect, &keys->columns[i], row);
	}
	return possible;
}

int select_add(struct etl_instance *inst, struct etl_text *sql, const struct etl_read *read,
	       const struct odbc_shape *declared, const struct etl_view *keys, int64_t row,
	       struct etl_error *err)
{
	bool tsql = inst->dialect == &odbc_tsql, has_where = false, possible = true;
	int rc;

	etl_text_add(sql, "SELECT ");
	if (read->limit > 0 && tsql)
		etl_text_addf(sql, "TOP (%lld) ", (long long)read->limit);
	rc = add_columns(inst, sql, read, declared, err);
	select_add_from(sql, inst, &read->dataset);
	if (read->dataset.where) {
		and_also(sql, &has_where);
		etl_text_addf(sql, "(%s\n)", read->dataset.where);
	}
	if (read->cursor) {
		add_bound(sql, inst, read->cursor, ">", read->after, &has_where);
		add_bound(sql, inst, read->cursor, "<=", read->upto, &has_where);
	}
	if (keys)
		possible = add_key(sql, inst, read, keys, row, &has_where);
	if (!possible)
		etl_text_add(sql, "NULL AND 1 = 0");
	if (read->limit > 0 && !tsql)
		etl_text_addf(sql, inst->dialect == &odbc_standard ?
					   " FETCH FIRST %lld ROWS ONLY" :
					   " LIMIT %lld",
			      (long long)read->limit);
	return rc == ETL_OK && sql->failed ? odbc_no_memory(inst, err) : rc;
}
