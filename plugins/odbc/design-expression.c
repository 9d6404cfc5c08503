/*
 * Expressions of defaults, checks, generated columns and indexes in the server's SQL: its own are kept, SQLite's and the
 * plain ones of PostgreSQL become T-SQL, and a constant is one everywhere. The rest is left out with the reason.
 */
#include "config.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "design.h"
#include "tsql-from-postgresql.h"

#define EACH(d, type, member, i) ETL_AT(const struct type, (d)->table->member##s, (d)->table->member##_size, i)

/* A constant, whatever the dialect. */
static bool is_plain(const char *sql)
{
	char *end;

	if (strcasecmp(sql, "NULL") == 0)
		return true;
	if (*sql == '\'') {
		const char *p = sql + 1;

		while (*p && (*p != '\'' || p[1] == '\''))
			p += *p == '\'' ? 2 : 1;
		return p[0] == '\'' && !p[1];
	}
	if (!isdigit((unsigned char)*sql) && *sql != '-')
		return false;
	strtod(sql, &end);
	return end != sql && !*end && strspn(sql, "+-.0123456789eE") == strlen(sql);
}

/* A number is no boolean and no text for PostgreSQL, which reads a constant in quotes as what it is meant for. */
static void add_plain(const struct design *d, struct etl_text *to, const char *sql)
{
	bool number = !d->same && d->dialect == &odbc_postgresql && *sql != '\'' && strcasecmp(sql, "NULL") != 0;

	etl_text_addf(to, number ? "'%s'" : "%s", sql);
}

/* ---- Into T-SQL ---------------------------------------------------------------------------------------------- */

static enum tsql_kind kind_of(const struct etl_column *c)
{
	switch (c->type) {
	case ETL_BOOL:
		return TSQL_BIT;
	case ETL_INT16:
	case ETL_INT32:
	case ETL_INT64:
		return TSQL_INT;
	case ETL_FLOAT32:
	case ETL_FLOAT64:
		return TSQL_REAL;
	case ETL_DECIMAL:
		return TSQL_NUMERIC;
	case ETL_TEXT:
	case ETL_JSON:
		return TSQL_TEXT;
	case ETL_BYTES:
		return TSQL_BYTES;
	case ETL_DATE:
		return TSQL_DATE;
	case ETL_TIME:
		return TSQL_TIME;
	case ETL_TIMESTAMP:
		return TSQL_TIMESTAMP;
	case ETL_INSTANT:
		return TSQL_INSTANT;
	case ETL_UUID:
		return TSQL_UUID;
	default:
		return TSQL_NONE;
	}
}

/* UTF-16 units that the column of the target takes; 0: any. */
static int64_t units_of(const struct design *d, const struct etl_column *c, const struct odbc_room *room)
{
	struct etl_text type = { 0 }, note = { 0 };
	int32_t verdict = ETL_EXACT;
	int64_t units = 0;

	(void)room;
	odbc_add_type(&type, d->inst, d->table, c, &verdict, &note);
	if (type.at && strncmp(type.at, "nvarchar(", 9) == 0)
		units = strtoll(type.at + 9, NULL, 10);
	etl_text_free(&type);
	etl_text_free(&note);
	return units;
}

static struct tsql_column column_of(const struct design *d, size_t i)
{
	static const struct odbc_room none;
	const struct etl_column *c = EACH(d, etl_column, column, i);
	const struct odbc_room *room = d->layout ? &d->layout->rooms[i] : &none;

	return (struct tsql_column){ .was = c->origin ? c->origin : c->name,
				     .name = c->name,
				     .kind = d->gone && d->gone[i] ? TSQL_NONE : kind_of(c),
				     .most = kind_of(c) == TSQL_TEXT ? units_of(d, c, room) : 0,
				     .wide = c->type == ETL_INT64,
				     .nocase = room->nocase,
				     .binary = room->binary && !room->nocase,
				     .computed = (c->flags & ETL_GENERATED) != 0 };
}

static int translate(struct design *d, const char *sql, enum tsql_use use, const struct etl_column *into,
		     struct design_expression *ret)
{
	struct tsql_column *columns = calloc(d->table->column_count + 1, sizeof(*columns));
	struct tsql_scope scope = { d->load && d->load->source_name ? d->load->source_name : d->table->name, columns,
				    d->table->column_count };
	struct tsql_result result = { .unique = ret->unique };
	bool condition = use == TSQL_IN_CHECK || use == TSQL_IN_FILTER;
	int rc = ETL_FAILED;

	for (size_t i = 0; columns && i < d->table->column_count; i++)
		columns[i] = column_of(d, i);
	if (columns)
		rc = tsql_from_sqlite(&scope, sql, use, condition ? TSQL_CONDITION : into ? kind_of(into) : TSQL_NONE,
				      &ret->sql, &result);
	free(columns);
	ret->verdict = result.verdict;
	ret->note = result.note;
	ret->most = result.most;
	ret->strict = result.strict;
	ret->is_text = result.kind == TSQL_TEXT;
	ret->is_bytes = result.kind == TSQL_BYTES;
	snprintf(ret->why, sizeof(ret->why), "%s", result.why);
	return rc < 0 ? odbc_design_no_memory(d) : rc;
}

static int translate_postgresql(struct design *d, const char *sql, enum tsql_use use, const struct etl_column *into,
				struct design_expression *ret)
{
	struct etl_text plain = { 0 };
	int rc;

	if (!tsql_from_postgresql(sql, &plain, ret->why, sizeof(ret->why)))
		rc = plain.failed ? odbc_design_no_memory(d) : 0;
	else
		rc = translate(d, plain.at ? plain.at : "", use, into, ret);
	etl_text_free(&plain);
	return rc;
}

int odbc_design_expression(struct design *d, const char *sql, enum tsql_use use, const struct etl_column *into,
			   struct design_expression *ret)
{
	const char *dialect = d->table->dialect;

	if (d->same || (!d->tsql && use == TSQL_IN_DEFAULT && is_plain(sql))) {
		add_plain(d, &ret->sql, sql);
		return ret->sql.failed ? odbc_design_no_memory(d) : 1;
	}
	if (d->tsql && dialect && strcmp(dialect, "sqlite") == 0)
		return translate(d, sql, use, into, ret);
	if (d->tsql && dialect && strcmp(dialect, "postgresql") == 0)
		return translate_postgresql(d, sql, use, into, ret);
	snprintf(ret->why, sizeof(ret->why), "it is written in the SQL of %s", dialect ? dialect : "the source");
	return 0;
}

/* ---- Columns that cannot be computed ---------------------------------------------------------------------------- */

bool odbc_design_is_gone(const struct design *d, const char *column)
{
	int64_t at = d->gone ? odbc_layout_column(d->table, column) : -1;

	return at >= 0 && d->gone[at];
}

bool odbc_design_any_gone(const struct design *d, const char *const *columns, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (odbc_design_is_gone(d, columns[i]))
			return true;
	return false;
}

int odbc_design_find_gone(struct design *d)
{
	int rc = ETL_OK;

	d->gone = calloc(d->table->column_count + 1, sizeof(*d->gone));
	if (!d->gone)
		return odbc_design_no_memory(d);
	for (size_t i = 0; rc >= 0 && i < d->table->column_count; i++) {
		const struct etl_column *c = EACH(d, etl_column, column, i);
		struct design_expression e = { .why = "" };

		if (!(c->flags & ETL_GENERATED))
			continue;
		rc = odbc_design_expression(d, c->generated_sql ? c->generated_sql : "", TSQL_IN_GENERATED, c, &e);
		d->gone[i] = rc == 0;
		etl_text_free(&e.sql);
	}
	return rc < 0 ? rc : ETL_OK;
}
