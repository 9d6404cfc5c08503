/*
 * From the text of a query to a statement, and to what is known of the columns that come out: their names,
 * which of them are columns of the input as they came, and the types of the others. Nothing of it depends on
 * the rows.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "derive.h"
#include "scan.h"
#include "sql.h"

#define SHOWN 40 /* bytes of the query in a message, from where it is wrong */

bool sql_names(const char *query, const char *name)
{
	struct sql_token token = sql_token_at(query);

	for (; token.kind != SQL_END; token = sql_token_at(token.at + token.size))
		if (sql_token_spells(&token, name))
			return true;
	return false;
}

static bool has_word(const char *query, const char *word)
{
	struct sql_token token = sql_token_at(query);

	while (token.kind != SQL_END && !sql_token_is(&token, word))
		token = sql_token_at(token.at + token.size);
	return token.kind != SQL_END;
}

/* ---- What is wrong with it ---- */

static void add_columns(const struct sql_engine *e, const char *name, struct etl_text *text)
{
	const struct sql_input *input = e->input;
	const char **names = calloc(input->count + 1, sizeof(*names)), *near = NULL;

	for (size_t i = 0; names && i < input->count; i++)
		names[i] = input->columns[i].name;
	if (names)
		near = etl_name_nearest(names, input->count, name);
	if (near)
		etl_text_addf(text, "; did you mean \"%s\"?", near);
	etl_text_addf(text, "%s " SQL_INPUT " are ", near ? " The columns of" : "; the columns of");
	for (size_t i = 0; i < input->count; i++)
		etl_text_addf(text, "%s%s", i > 0 ? ", " : "", input->columns[i].name);
	free(names);
}

/* SQLite's words, where in the query, and what there is instead. */
static int wrong_query(struct sql_engine *e, const struct sql_seen *seen)
{
	static const char no_column[] = "no such column: ", no_table[] = "no such table: ";
	const char *words = sqlite3_errmsg(e->db), *query = e->self->query;
	int at = sqlite3_error_offset(e->db), rc = sqlite3_errcode(e->db) & 0xff, r;
	struct etl_text text = { 0 };

	if (rc == SQLITE_NOMEM || rc == SQLITE_INTERRUPT)
		return sql_engine_fail(e, "reading the query");
	etl_text_addf(&text, "%s", seen->refusal.at ? seen->refusal.at : words);
	if (at >= 0 && (size_t)at <= strlen(query))
		etl_text_addf(&text, ", at character %d of the query: \"%.*s\"", at + 1,
			      (int)etl_utf8_valid(query + at, strnlen(query + at, SHOWN)),
			      query + at);
	if (!seen->refusal.at && strncmp(words, no_column, strlen(no_column)) == 0)
		add_columns(e, words + strlen(no_column), &text);
	if (!seen->refusal.at && strncmp(words, no_table, strlen(no_table)) == 0)
		etl_text_addf(&text, "; the rows are called " SQL_INPUT " or \"%s\"",
			      e->input->table);
	r = e->self->host->fail(e->err, ETL_USAGE, NULL, 0, "%s", text.failed ? words : text.at);
	etl_text_free(&text);
	return r;
}

static int refuse(struct sql_engine *e, const char *words)
{
	return e->self->host->fail(e->err, ETL_USAGE, NULL, 0, "%s", words);
}

/* ---- What the machine does ---- */

/* Whether an instruction opens the virtual table of the input. */
static bool opens_input(struct sql_engine *e, const char *table)
{
	/* "vtab:ADDRESS", and the address of a table that is not the input's is none of ours: the two that
	 * are have been remembered when they were connected. */
	for (size_t i = 0; i < e->input->vtab_count; i++) {
		char mine[40];

		sqlite3_snprintf(sizeof(mine), mine, "vtab:%p", e->input->vtabs[i]);
		if (strcmp(mine, table) == 0)
			return true;
	}
	return false;
}

static void look_at(struct sql_seen *seen, const char *opcode, const char *p4)
{
	if (strcmp(opcode, "VOpen") == 0) {
		if (opens_input(seen->engine, p4))
			seen->inputs++;
		else
			seen->others++;
	} else if (strcmp(opcode, "OpenRead") == 0 || strcmp(opcode, "OpenAutoindex") == 0) {
		seen->others++;
	} else if (strncmp(opcode, "Agg", 3) == 0) {
		seen->steps = true;
	}
}

static int look_at_code(struct sql_engine *e, struct sql_seen *seen)
{
	char *sql = sqlite3_mprintf("EXPLAIN %s", e->self->query);
	sqlite3_stmt *stmt = NULL;
	int rc = sql ? sqlite3_prepare_v2(e->db, sql, -1, &stmt, NULL) : SQLITE_NOMEM;

	sqlite3_free(sql);
	while (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		const char *opcode = (const char *)sqlite3_column_text(stmt, 1);
		const char *p4 = (const char *)sqlite3_column_text(stmt, 5);

		look_at(seen, opcode ? opcode : "", p4 ? p4 : "");
		rc = SQLITE_OK;
	}
	sqlite3_finalize(stmt);
	return rc == SQLITE_DONE ? ETL_OK : sql_engine_fail(e, "looking at the query");
}

/* ---- Its columns ---- */

static const struct sql_type *given_type(const struct etl_instance *self, const char *name)
{
	for (size_t i = 0; i < self->type_count; i++)
		if (strcasecmp(self->types[i].column, name) == 0)
			return &self->types[i];
	return NULL;
}

static int64_t input_column(const struct sql_engine *e, int at)
{
	const char *table = sqlite3_column_table_name(e->stmt, at);
	const char *origin = sqlite3_column_origin_name(e->stmt, at);

	if (!table || !origin || !sql_input_is_called(e->input, table))
		return -1;
	for (size_t i = 0; i < e->input->count; i++)
		if (strcmp(e->input->columns[i].name, origin) == 0)
			return (int64_t)i;
	return -1;
}

static int check_name(struct sql_engine *e, const struct sql_query *q, size_t at)
{
	const struct sql_column *column = &q->columns[at];
	const struct etl_host *host = e->self->host;

	if (column->from < 0 && !sql_names(e->self->query, column->name))
		return host->fail(e->err, ETL_USAGE, NULL, 0,
				  "column %zu (%s) has no name; write %s AS …", at + 1,
				  column->name, column->name);
	for (size_t i = 0; i < at; i++)
		if (strcasecmp(q->columns[i].name, column->name) == 0) {
			host->at(e->err, NULL, column->name, NULL);
			return host->fail(e->err, ETL_USAGE, NULL, 0,
					  "two columns would be called \"%s\"; give one of "
					  "them another name with AS",
					  column->name);
		}
	return ETL_OK;
}

static int make_column(struct sql_engine *e, struct sql_query *q, size_t at)
{
	struct sql_column *column = &q->columns[at];
	const char *name = sqlite3_column_name(e->stmt, (int)at);
	char *copy = name ? strdup(name) : NULL;

	if (!copy)
		return e->self->host->fail(e->err, ETL_MEMORY, NULL, 0,
					   "no memory for the columns");
	column->name = copy;
	q->count++;
	column->given = given_type(e->self, name);
	column->from = column->given ? -1 : input_column(e, (int)at);
	if (column->given)
		column->type = column->given->type;
	else if (column->from >= 0)
		column->type = e->input->columns[column->from].type;
	else
		column->type = (struct etl_type_info){ .type = ETL_ANY };
	column->way = q->simple && column->from >= 0 ? SQL_COPY : SQL_TAKE;
	return check_name(e, q, at);
}

/* A pair that names no column would be passed over in silence. */
static int check_types(struct sql_engine *e, const struct sql_query *q)
{
	for (size_t i = 0; i < e->self->type_count; i++) {
		size_t k = 0;

		while (k < q->count && q->columns[k].given != &e->self->types[i])
			k++;
		if (k < q->count)
			continue;
		return e->self->host->fail(
			e->err, ETL_USAGE, NULL, 0,
			"types names the column \"%s\", which the query does not give, or which "
			"is named twice",
			e->self->types[i].column);
	}
	return ETL_OK;
}

static int make_columns(struct sql_engine *e, struct sql_query *q)
{
	size_t count = (size_t)sqlite3_column_count(e->stmt);
	int r = ETL_OK;

	q->columns = calloc(count + 1, sizeof(*q->columns));
	if (!q->columns)
		return e->self->host->fail(e->err, ETL_MEMORY, NULL, 0,
					   "no memory for the columns");
	for (size_t i = 0; r == ETL_OK && i < count; i++)
		r = make_column(e, q, i);
	return r == ETL_OK ? check_types(e, q) : r;
}

/* ---- All of it ---- */

static int prepare(struct sql_engine *e, const struct sql_seen *seen)
{
	const char *rest = NULL;

	if (sqlite3_prepare_v3(e->db, e->self->query, -1, SQLITE_PREPARE_PERSISTENT, &e->stmt,
			       &rest) != SQLITE_OK)
		return wrong_query(e, seen);
	if (!e->stmt)
		return refuse(e, "the query is empty; write SELECT … FROM " SQL_INPUT);
	if (sql_token_at(rest).kind != SQL_END)
		return refuse(e, "the query holds several statements; only one SELECT is allowed");
	if (sqlite3_stmt_isexplain(e->stmt) || !sqlite3_stmt_readonly(e->stmt) ||
	    sqlite3_column_count(e->stmt) == 0)
		return refuse(e, "the query is no SELECT");
	if (sqlite3_bind_parameter_count(e->stmt) > 0)
		return refuse(e, "the query has a parameter (?, :name, @name or $name), which "
				 "nobody fills; write the value, or ${env:…}");
	return ETL_OK;
}

static int read_query(struct sql_engine *e, struct sql_seen *seen, struct sql_query *ret)
{
	int r = prepare(e, seen), selects = seen->selects;

	if (r == ETL_OK)
		r = look_at_code(e, seen);
	sqlite3_set_authorizer(e->db, NULL, NULL);
	if (r == ETL_OK && (seen->functions.failed || seen->tables.failed || seen->refusal.failed))
		r = e->self->host->fail(e->err, ETL_MEMORY, NULL, 0, "no memory for the query");
	if (r == ETL_OK)
		r = sql_refuse(e, seen);
	ret->simple = !e->self->whole && selects == 1 && seen->inputs == 1 && seen->others == 0;
	/* With one row at hand only these make several. */
	ret->renumbered = e->self->whole || seen->others > 0 || has_word(e->self->query, "VALUES");
	ret->mixed = selects != 1 || seen->inputs != 1 || seen->others > 0 || seen->steps;
	return r == ETL_OK ? make_columns(e, ret) : r;
}

/* The tables that there are, connected: SQLite would ask the authorizer whether it may write down a virtual table
 * that it meets for the first time, which it does not do. */
static int make_tables(struct sql_engine *e)
{
	int rc = sql_input_module(e->db, SQL_INPUT, e->input);

	if (rc == SQLITE_OK && sql_input_has_alias(e->input))
		rc = sql_input_module(e->db, e->input->table, e->input);
	/* Nothing else can be wrong with it, and SQLite itself has not been asked. */
	if (rc == SQLITE_NOMEM)
		return e->self->host->fail(e->err, ETL_MEMORY, NULL, rc, "no memory for the input");
	if (rc != SQLITE_OK)
		return sql_engine_fail(e, "making the input");
	return sql_engine_run(e, "SELECT 1 FROM json_each('[]'), json_tree('[]')");
}

int sql_query_make(struct sql_engine *e, struct sql_query *ret)
{
	struct sql_seen seen = { .engine = e };
	int r = make_tables(e);

	*ret = (struct sql_query){ 0 };
	if (r < 0)
		return r;
	sqlite3_set_authorizer(e->db, sql_authorize, &seen);
	r = read_query(e, &seen, ret);
	sqlite3_set_authorizer(e->db, NULL, NULL);
	etl_text_free(&seen.functions);
	etl_text_free(&seen.tables);
	etl_text_free(&seen.refusal);
	return r;
}

void sql_query_clear(struct sql_query *q)
{
	for (size_t i = 0; i < q->count; i++)
		free((char *)(uintptr_t)q->columns[i].name);
	free(q->columns);
	*q = (struct sql_query){ 0 };
}
