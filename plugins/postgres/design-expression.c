/*
 * The expressions of a table (defaults, checks, generated columns, indexes) in PostgreSQL's SQL and in the names
 * that the columns have now: kept, translated or left out.
 */
#include "config.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "design.h"

/* A text made by the pipeline: whatever the dialect, a literal. */
static bool is_plain(const char *sql)
{
	char *end;

	if (strcasecmp(sql, "NULL") == 0 || strcasecmp(sql, "CURRENT_TIMESTAMP") == 0 ||
	    strcasecmp(sql, "CURRENT_DATE") == 0 || strcasecmp(sql, "CURRENT_TIME") == 0 ||
	    strcasecmp(sql, "TRUE") == 0 || strcasecmp(sql, "FALSE") == 0)
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

/* ---- The same dialect ------------------------------------------------------------------------------------- */

static bool is_word_byte(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '$' || (unsigned char)c >= 0x80;
}

/* What stands at P and is no name: a string, a dollar-quoted one, a comment; its end, or P. */
static const char *skip_quoted(const char *p)
{
	char close = *p;

	if (*p != '\'' && *p != '"')
		return p;
	for (p++; *p; p++) {
		if (*p == close && p[1] == close)
			p++;
		else if (*p == close)
			return p + 1;
	}
	return p;
}

/* The new name of a column that is written as AT of SIZE bytes, quoted or not; NULL: it has none. */
static const char *new_name(const struct design *d, const char *at, size_t size)
{
	size_t i;

	for (i = 0; i < d->table->column_count; i++) {
		const struct etl_column *c = ETL_AT(const struct etl_column, d->table->columns,
						    d->table->column_size, i);
		struct etl_text quoted = { 0 };
		bool same;

		if (!c->origin || strcmp(c->origin, c->name) == 0)
			continue;
		etl_text_add_name(&quoted, c->origin, '"');
		same = (strlen(c->origin) == size && memcmp(c->origin, at, size) == 0) ||
		       (quoted.length == size && memcmp(quoted.at, at, size) == 0);
		etl_text_free(&quoted);
		if (same)
			return c->name;
	}
	return NULL;
}

static bool is_renamed(const struct design *d)
{
	size_t i;

	for (i = 0; i < d->table->column_count; i++) {
		const struct etl_column *c = ETL_AT(const struct etl_column, d->table->columns,
						    d->table->column_size, i);

		if (c->origin && strcmp(c->origin, c->name) != 0)
			return true;
	}
	return false;
}

/* The server spells names as it must: lower case stands alone, all else in quotes. So a word that is the old name
 * of a column, followed by no parenthesis, is that column. */
static void rename_columns(const struct design *d, const char *sql, struct etl_text *ret)
{
	const char *p = sql, *end, *to;

	while (*p) {
		bool word = is_word_byte(*p);

		end = p;
		while (word && is_word_byte(*end))
			end++;
		if (!word)
			end = skip_quoted(p);
		if (end == p)
			end++;
		to = (word || *p == '"') && *end != '(' ? new_name(d, p, (size_t)(end - p)) : NULL;
		if (to)
			postgres_add_name(ret, NULL, to);
		else
			etl_text_add_bytes(ret, p, (size_t)(end - p));
		p = end;
	}
}

void design_add_renamed(const struct design *d, const char *sql, struct etl_text *ret)
{
	if (is_renamed(d))
		rename_columns(d, sql, ret);
	else
		etl_text_add(ret, sql);
}

/* ---- SQLite's ------------------------------------------------------------------------------------------------ */

static int from_sqlite(struct design *d, const char *sql, enum sql_use use,
		       const struct etl_column *into, struct etl_text *ret,
		       struct sql_result *result)
{
	const char *was = d->load && d->load->source_name ? d->load->source_name : d->table->name;
	struct sql_column *columns = calloc(d->table->column_count + 1, sizeof(*columns));
	struct sql_scope scope = { was, columns, d->table->column_count, DESIGN_NOCASE };
	enum sql_kind want = SQL_NONE;
	char (*names)[POSTGRES_NAME_MAX + 1] = calloc(d->table->column_count + 1, sizeof(*names));
	size_t i;
	int rc;

	for (i = 0; columns && names && i < d->table->column_count; i++) {
		const struct etl_column *c = ETL_AT(const struct etl_column, d->table->columns,
						    d->table->column_size, i);

		columns[i] = (struct sql_column){
			.was = c->origin ? c->origin : c->name,
			.name = postgres_short_name(c->name, names[i]),
			.kind = design_kind(d, c),
			.nocase = c->collation && strcasecmp(c->collation, "NOCASE") == 0 &&
				  design_kind(d, c) == SQL_TEXT,
			.generated = (c->flags & ETL_GENERATED) != 0,
		};
	}
	if (use == SQL_IN_CHECK || use == SQL_IN_WHERE)
		want = SQL_BOOL;
	else if (into)
		want = design_kind(d, into);
	rc = columns && names ? sql_from_sqlite(&scope, sql, use, want, ret, result) : ETL_FAILED;
	free(columns);
	free(names);
	return rc < 0 ? postgres_design_no_memory(d) : rc;
}

int design_expression(struct design *d, const char *sql, enum sql_use use,
		      const struct etl_column *into, struct etl_text *ret, struct sql_result *result)
{
	if (d->sqlite)
		return from_sqlite(d, sql, use, into, ret, result);
	result->verdict = ETL_EXACT;
	result->note = NULL;
	if (!d->same && !(use == SQL_IN_DEFAULT && is_plain(sql))) {
		snprintf(result->why, sizeof(result->why), "it is written in another dialect");
		return 0;
	}
	design_add_renamed(d, sql, ret);
	return ret->failed ? postgres_design_no_memory(d) : 1;
}

int design_make_nocase(struct design *d)
{
	if (d->nocase)
		return ETL_OK;
	d->nocase = true;
	return postgres_design_step(d, ETL_PHASE_PREPARE, ETL_APPROXIMATED, "collation", DESIGN_NOCASE,
			   "DO $$ BEGIN\n"
			   "\tIF to_regcollation('\"" DESIGN_NOCASE "\"') IS NULL THEN\n"
			   "\t\tCREATE COLLATION \"" DESIGN_NOCASE "\" (provider = icu, locale = "
			   "'und-u-ks-level2', deterministic = false);\n"
			   "\tEND IF;\n"
			   "END $$",
			   "it ignores the case of all letters, not only of A to Z, and LIKE "
			   "refuses it before PostgreSQL 18: write name COLLATE \"C\" LIKE …");
}
