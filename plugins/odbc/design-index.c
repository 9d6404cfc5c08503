/*
 * Indexes. A partial one becomes a filtered one where T-SQL takes the condition; one of an expression is one of a column that
 * is computed and stored for it, made with the table. What cannot be is left out with the reason.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "design.h"

#define PART(index, i) ETL_AT(const struct etl_index_part, (index)->parts, (index)->part_size, i)

/* As the layout calls it: two of one table may have one name to SQL Server. */
static const char *index_name(const struct design *d, const struct etl_index *index)
{
	for (size_t i = 0; d->layout && i < d->table->index_count; i++)
		if (ETL_AT(const struct etl_index, d->table->indexes, d->table->index_size, i) == index)
			return d->layout->indexes[i];
	return index->name;
}

/* ---- Columns that are computed for an index ------------------------------------------------------------------ */

static bool is_column(const struct design *d, const char *name)
{
	for (size_t i = 0; i < d->table->column_count; i++)
		if (odbc_same_name(ETL_AT(const struct etl_column, d->table->columns, d->table->column_size, i)->name, name))
			return true;
	return false;
}

/* The one of part P of an index: its name, with a number. */
static const char *computed_name(const struct design *d, const struct etl_index *index, size_t p, char *buf)
{
	char whole[ODBC_NAME_ROOM + 24];
	const char *name;
	unsigned k = (unsigned)p + 1;

	do {
		snprintf(whole, sizeof(whole), "%.*s_%u", ODBC_NAME_ROOM - 24, index_name(d, index), k);
		name = odbc_short_name(d->inst, whole, buf);
		k += 100;
	} while (is_column(d, name));
	if (name == whole)
		memcpy(buf, whole, strlen(whole) + 1);
	return buf;
}

/* An expression whose values may be as long as no key is. */
static bool is_too_long(const struct design_expression *e)
{
	return (e->is_text && (e->most == 0 || e->most * 2 > TSQL_INDEX_BYTES)) || e->is_bytes;
}

/* 1, with its SQL; 0, with why not; or negative. */
static int compute(struct design *d, const struct etl_index *index, size_t p, struct design_expression *ret)
{
	int rc;

	ret->unique = (index->flags & ETL_INDEX_UNIQUE) != 0;
	if (!d->tsql) {
		snprintf(ret->why, sizeof(ret->why), "an index of an expression");
		return 0;
	}
	rc = odbc_design_expression(d, PART(index, p)->expression, TSQL_IN_INDEX, NULL, ret);
	if (rc == 1 && is_too_long(ret)) {
		snprintf(ret->why, sizeof(ret->why), "its values may be longer than a key of %d bytes; a length for the column would help",
			 TSQL_INDEX_BYTES);
		return 0;
	}
	return rc;
}

/* ---- Can it be? ---------------------------------------------------------------------------------------------------- */

struct index {
	const struct etl_index *index;
	bool strict; /* its expressions are NULL exactly where a column of theirs is */
	struct design_expression where;
	struct etl_text why, note;
	int32_t verdict;
};

static void say(struct index *x, int32_t verdict, const char *note)
{
	if (verdict > x->verdict)
		x->verdict = verdict;
	if (note)
		etl_text_addf(&x->note, "%s%s", x->note.length ? "; " : "", note);
}

static int no(struct index *x, const char *why)
{
	etl_text_add(&x->why, why);
	return 0;
}

static int fits_part(struct design *d, struct index *x, size_t p)
{
	const struct etl_index_part *part = PART(x->index, p);
	struct design_expression e = { .why = "" };
	int rc;

	if (part->column && odbc_design_is_gone(d, part->column))
		return no(x, "a column of it is left out");
	if (part->column)
		return 1;
	rc = compute(d, x->index, p, &e);
	x->strict = x->strict && e.strict;
	if (rc == 1)
		say(x, e.verdict > ETL_WIDENED ? e.verdict : ETL_WIDENED,
		    e.note ? e.note : "an index of a column that is computed for it");
	else if (rc == 0)
		no(x, e.why);
	etl_text_free(&e.sql);
	return rc;
}

static bool may_be_null(const struct design *d, const char *column)
{
	const struct etl_column *c = odbc_design_column(d->table, column);

	return c && !(c->flags & ETL_NOT_NULL);
}

/* A unique one takes any number of NULLs in SQLite and PostgreSQL. */
static bool needs_not_null(const struct design *d, const struct etl_index *index)
{
	if (!d->tsql || !(index->flags & ETL_INDEX_UNIQUE))
		return false;
	for (size_t p = 0; p < index->part_count; p++)
		if (!PART(index, p)->column || may_be_null(d, PART(index, p)->column))
			return true;
	return false;
}

static int64_t bytes_of(const struct design *d, const struct etl_index *index)
{
	for (size_t i = 0; d->layout && i < d->table->index_count; i++)
		if (ETL_AT(const struct etl_index, d->table->indexes, d->table->index_size, i) == index)
			return d->layout->index_bytes[i];
	return 0;
}

static int fits(struct design *d, struct index *x)
{
	int64_t bytes = bytes_of(d, x->index);
	int rc = 1;

	if (d->tsql && x->index->part_count > TSQL_INDEX_COLUMNS)
		return no(x, "an index of SQL Server has 32 columns at most");
	if (d->tsql && bytes > TSQL_INDEX_BYTES) {
		etl_text_addf(&x->why, "its rows need keys of up to %lld bytes, and SQL Server takes %d", (long long)bytes,
			      TSQL_INDEX_BYTES);
		return 0;
	}
	for (size_t p = 0; rc == 1 && p < x->index->part_count; p++)
		rc = fits_part(d, x, p);
	if (rc != 1 || !x->index->where_sql)
		return rc;
	rc = odbc_design_expression(d, x->index->where_sql, TSQL_IN_FILTER, NULL, &x->where);
	if (rc == 1)
		say(x, x->where.verdict, x->where.note);
	else if (rc == 0)
		no(x, x->where.why);
	return rc;
}

/* ---- The statement ------------------------------------------------------------------------------------------------ */

static const char *part_name(const struct design *d, const struct etl_index *index, size_t p, char *buf)
{
	return PART(index, p)->column ? PART(index, p)->column : computed_name(d, index, p, buf);
}

/* Is it of part P, or one that the expression there is made of? */
static bool is_of_part(const struct etl_index_part *part, const struct etl_column *c)
{
	return part->column ? strcmp(part->column, c->name) == 0 : odbc_layout_speaks_of(part->expression, c);
}

static bool is_of_index(const struct etl_index *index, const struct etl_column *c)
{
	for (size_t p = 0; p < index->part_count; p++)
		if (is_of_part(PART(index, p), c))
			return true;
	return false;
}

static bool says(const struct etl_text *where, const char *condition)
{
	return where->at && strstr(where->at, condition);
}

/* A filter takes no computed column, so an expression is told by the columns that it is made of, when these tell. */
static void add_not_null(struct design *d, struct etl_text *sql, struct index *x, const char *word)
{
	if (!x->strict)
		say(x, ETL_APPROXIMATED, "it takes one NULL only, as a key of T-SQL does");
	for (size_t i = 0; x->strict && i < d->table->column_count; i++) {
		const struct etl_column *c = ETL_AT(const struct etl_column, d->table->columns, d->table->column_size, i);
		struct etl_text condition = { 0 };

		if (c->flags & ETL_NOT_NULL || !is_of_index(x->index, c))
			continue;
		odbc_add_name(&condition, d->inst, c->name);
		etl_text_add(&condition, " IS NOT NULL");
		sql->failed |= condition.failed;
		if (c->flags & ETL_GENERATED) {
			say(x, ETL_APPROXIMATED, "it takes one NULL only, for a filter takes no computed column");
		} else if (condition.at && !says(&x->where.sql, condition.at)) {
			etl_text_addf(sql, "%s%s", word, condition.at);
			say(x, ETL_WIDENED, "filtered, for a unique index of T-SQL takes only one NULL");
			word = " AND ";
		}
		etl_text_free(&condition);
	}
}

static void add_index(struct design *d, struct etl_text *sql, struct index *x)
{
	const struct etl_index *index = x->index;
	char buf[ODBC_NAME_ROOM];
	bool not_null = needs_not_null(d, index);

	etl_text_add(sql, index->flags & ETL_INDEX_UNIQUE ? "CREATE UNIQUE INDEX " : "CREATE INDEX ");
	odbc_add_name(sql, d->inst, odbc_index_name(d->inst, d->load, index_name(d, index), buf));
	etl_text_add(sql, " ON ");
	odbc_design_add_table(sql, d, d->table->name);
	etl_text_add(sql, " (");
	for (size_t p = 0; p < index->part_count; p++) {
		etl_text_add(sql, p ? ", " : "");
		odbc_add_name(sql, d->inst, part_name(d, index, p, buf));
		etl_text_add(sql, PART(index, p)->descending ? " DESC" : "");
	}
	etl_text_add(sql, ")");
	if (index->where_sql)
		etl_text_addf(sql, " WHERE %s", x->where.sql.at);
	if (not_null)
		add_not_null(d, sql, x, index->where_sql ? " AND " : " WHERE ");
}

static int finish(struct design *d, struct index *x, int rc)
{
	bool is_unique = x->index->flags & ETL_INDEX_UNIQUE;
	struct etl_text sql = { 0 };

	if (rc == 1) {
		add_index(d, &sql, x);
		sql.failed |= x->note.failed;
		/* So that a row that breaks it is found when it comes. */
		rc = odbc_design_part(d, is_unique && d->tsql && odbc_design_looks(d) ? ETL_PHASE_PREPARE : ETL_PHASE_FINISH,
				      x->verdict, "index", x->index->name, &sql, x->note.at);
	} else if (rc == 0) {
		rc = odbc_design_skip(d, is_unique ? "unique index" : "index", x->index->name,
				      x->why.at ? x->why.at : "", x->index->ddl);
	}
	etl_text_free(&x->where.sql);
	etl_text_free(&x->why);
	etl_text_free(&x->note);
	return rc;
}

int odbc_design_index(struct design *d, const struct etl_index *index)
{
	struct index x = { .index = index, .strict = true, .verdict = ETL_EXACT };

	if (strcmp(index_name(d, index), index->name) != 0)
		say(&x, ETL_APPROXIMATED, "another index of the table has that name to SQL Server, so this one has a number");
	return finish(d, &x, fits(d, &x));
}

/* ---- With the table ------------------------------------------------------------------------------------------------- */

static int add_computed(struct design *d, const struct etl_index *index, size_t p, struct etl_text *lines)
{
	struct design_expression e = { .why = "" };
	char buf[ODBC_NAME_ROOM];
	int rc = compute(d, index, p, &e);

	if (rc == 1) {
		etl_text_add(lines, ",\n\t");
		odbc_add_name(lines, d->inst, computed_name(d, index, p, buf));
		etl_text_addf(lines, " AS (%s) PERSISTED", e.sql.at);
		rc = odbc_design_part(d, ETL_PHASE_PREPARE, ETL_WIDENED, "computed column", buf, NULL,
				      "a column more, for the index of an expression");
	}
	etl_text_free(&e.sql);
	return rc < 0 ? rc : ETL_OK;
}

static int add_computed_of(struct design *d, const struct etl_index *index, struct etl_text *lines)
{
	struct index x = { .index = index };
	int rc = fits(d, &x);

	etl_text_free(&x.where.sql);
	etl_text_free(&x.why);
	etl_text_free(&x.note);
	for (size_t p = 0; rc == 1 && p < index->part_count; p++)
		if (!PART(index, p)->column && add_computed(d, index, p, lines) < 0)
			return ETL_FAILED;
	return rc < 0 ? rc : ETL_OK;
}

int odbc_design_computed(struct design *d, struct etl_text *lines)
{
	int rc = ETL_OK;

	for (size_t i = 0; d->tsql && rc == ETL_OK && i < d->table->index_count; i++)
		rc = add_computed_of(d, ETL_AT(const struct etl_index, d->table->indexes, d->table->index_size, i), lines);
	return rc;
}
