/*
 * Names that T-SQL does not take: too long ones of tables and columns, which nobody but the person can shorten, and those that
 * differ in what the database's collation ignores (case, width, ß and ss), which it takes for one. Refused in `plan`, before
 * anything moves, with what to write. The database is asked which are one; without it, its usual collation decides.
 */
#include "config.h"

#include <stdlib.h>

#include "design.h"

static const char *name_of(const struct etl_table *t, size_t i)
{
	return ETL_AT(const struct etl_column, t->columns, t->column_size, i)->name;
}

static int refuse_long(struct design *d, const char *column)
{
	d->inst->host->at(d->err, d->table->name, column, NULL);
	return d->inst->host->fail(d->err, ETL_USAGE, NULL, 0,
				   "the name of %s \"%s\" is longer than the %s; give it another one with %s",
				   column ? "column" : "table", column ? column : d->table->name,
				   d->inst->babelfish ? "63 bytes that Babelfish keeps" : "128 UTF-16 units that SQL Server takes",
				   column ? "columns = ( { name = …; as = … } )" :
					    "tables = ( { name = …; as = … }, { name = \"*\"; } )");
}

static int refuse_empty(struct design *d)
{
	d->inst->host->at(d->err, d->table->name, NULL, NULL);
	return d->inst->host->fail(d->err, ETL_USAGE, NULL, 0,
				   "a column of \"%s\" has no name, and SQL Server wants one; give it one with columns = ( { name = "
				   "\"\"; as = … } )",
				   d->table->name);
}

/* ---- Names that are one ------------------------------------------------------------------------------------------ */

/* Names of one place. */
struct names {
	const char **at;
	size_t count;
};

static bool all_ascii(const struct names *n)
{
	for (size_t i = 0; i < n->count; i++)
		if (!odbc_is_ascii(n->at[i]))
			return false;
	return true;
}

/* The first two that are one as far as can be told here. */
static bool find_alike(const struct names *n, size_t *ret_a, size_t *ret_b)
{
	for (size_t b = 1; b < n->count; b++)
		for (size_t a = 0; a < b; a++)
			if (odbc_same_name(n->at[a], n->at[b])) {
				*ret_a = a;
				*ret_b = b;
				return true;
			}
	return false;
}

/* The catalog compares names by a collation of its own: in Azure SQL it ignores their case also where the database does not.
 * Babelfish has only one. */
static const char *collate(const struct design *d)
{
	return d->inst->babelfish ? "" : " COLLATE CATALOG_DEFAULT";
}

static int ask(struct design *d, const struct names *n, SQLHSTMT stmt, struct etl_text *first, struct etl_text *last)
{
	struct etl_text sql = { 0 };
	bool null;
	int rc;

	etl_text_add(&sql, "SELECT MIN(i), MAX(i) FROM (VALUES ");
	for (size_t i = 0; i < n->count; i++) {
		etl_text_addf(&sql, "%s(%zu, ", i ? ", " : "", i);
		odbc_add_literal(&sql, d->inst, n->at[i]);
		etl_text_add(&sql, ")");
	}
	etl_text_addf(&sql, ") AS v (i, n) GROUP BY n%s HAVING COUNT(*) > 1", collate(d));
	rc = sql.failed ? odbc_design_no_memory(d) : odbc_execute(d->inst, stmt, sql.at, d->err);
	etl_text_free(&sql);
	if (rc == ETL_OK)
		rc = odbc_next(d->inst, stmt, d->err);
	if (rc != 1)
		return rc;
	rc = odbc_column(d->inst, stmt, 1, first, &null, d->err);
	if (rc == ETL_OK)
		rc = odbc_column(d->inst, stmt, 2, last, &null, d->err);
	return rc < 0 ? rc : 1;
}

static bool take_index(const struct names *n, const struct etl_text *text, size_t *ret)
{
	*ret = text->at ? (size_t)strtoull(text->at, NULL, 10) : n->count;
	return *ret < n->count;
}

/* 1: two are one, A and B; 0; or negative. Plain names that differ by more than case cost no question. */
static int find_one(struct design *d, const struct names *n, size_t *a, size_t *b)
{
	struct etl_text first = { 0 }, last = { 0 };
	bool alike = find_alike(n, a, b);
	SQLHSTMT stmt;
	int rc;

	if (!d->inst->connected || (!alike && all_ascii(n)))
		return alike;
	rc = odbc_statement(d->inst, &stmt, d->err);
	if (rc < 0)
		return rc;
	rc = ask(d, n, stmt, &first, &last);
	odbc_done(d->inst, stmt);
	if (rc == 1)
		rc = take_index(n, &first, a) && take_index(n, &last, b);
	etl_text_free(&first);
	etl_text_free(&last);
	return rc;
}

static int refuse_columns(struct design *d, const char *a, const char *b)
{
	d->inst->host->at(d->err, d->table->name, b, NULL);
	return d->inst->host->fail(d->err, ETL_USAGE, NULL, 0,
				   "columns \"%s\" and \"%s\" of \"%s\" have one name to this database, which ignores what they "
				   "differ in; give one of them another name with columns = ( { name = \"%s\"; as = … } )",
				   a, b, d->table->name, b);
}

static int refuse_tables(struct design *d, const char *a, const char *b)
{
	d->inst->host->at(d->err, b, NULL, NULL);
	return d->inst->host->fail(d->err, ETL_USAGE, NULL, 0,
				   "tables \"%s\" and \"%s\" have one name to this database, which ignores what they differ in; give "
				   "one of them another name with tables = ( { name = \"%s\"; as = … }, { name = \"*\"; } )",
				   a, b, b);
}

/* ---- Columns ------------------------------------------------------------------------------------------------------ */

static int check_columns(struct design *d)
{
	struct names n = { .at = calloc(d->table->column_count + 1, sizeof(*n.at)) };
	size_t a, b;
	int rc = n.at ? ETL_OK : odbc_design_no_memory(d);

	for (size_t i = 0; rc == ETL_OK && i < d->table->column_count; i++) {
		const char *name = n.at[n.count++] = name_of(d->table, i);

		if (!*name)
			rc = refuse_empty(d);
		else if (!odbc_fits_name(d->inst, name))
			rc = refuse_long(d, name);
	}
	if (rc == ETL_OK)
		rc = find_one(d, &n, &a, &b);
	if (rc == 1)
		rc = refuse_columns(d, n.at[a], n.at[b]);
	free(n.at);
	return rc;
}

/* ---- Tables ------------------------------------------------------------------------------------------------------- */

static bool same_place(const char *a, const char *b)
{
	return a && b ? odbc_same_name(a, b) : a == b;
}

static const char *place_at(const struct design *d, size_t i)
{
	return odbc_place_of(d->inst, d->inst->layout->tables[i].table);
}

/* Those of the place of table FIRST, from there on. */
static int check_place(struct design *d, size_t first)
{
	const struct odbc_layout *l = d->inst->layout;
	struct names n = { .at = calloc(l->count + 1, sizeof(*n.at)) };
	size_t a, b;
	int rc = n.at ? ETL_OK : odbc_design_no_memory(d);

	for (size_t i = first; rc == ETL_OK && i < l->count; i++)
		if (same_place(place_at(d, first), place_at(d, i)))
			n.at[n.count++] = l->tables[i].table->name;
	if (rc == ETL_OK)
		rc = find_one(d, &n, &a, &b);
	if (rc == 1)
		rc = refuse_tables(d, n.at[a], n.at[b]);
	free(n.at);
	return rc;
}

/* All of the run, with the first of them. */
static int check_tables(struct design *d)
{
	const struct odbc_layout *l = d->inst->layout;
	int rc = ETL_OK;

	if (!l || d->layout != &l->tables[0])
		return ETL_OK;
	for (size_t i = 0; rc == ETL_OK && i < l->count; i++) {
		bool seen = false;

		for (size_t k = 0; k < i && !seen; k++)
			seen = same_place(place_at(d, k), place_at(d, i));
		rc = seen ? ETL_OK : check_place(d, i);
	}
	return rc;
}

/* One that is there already, which only the database takes for this one: the host looks for names without the case of A to Z. */
static int check_existing(struct design *d)
{
	struct etl_text sql = { 0 }, other = { 0 };
	int rc;

	if (!d->inst->connected || !d->load || d->load->existing || odbc_is_ascii(d->table->name))
		return ETL_OK;
	etl_text_add(&sql, "SELECT name FROM sys.objects WHERE name = ");
	odbc_add_literal(&sql, d->inst, d->table->name);
	etl_text_add(&sql, " AND schema_id = SCHEMA_ID(");
	odbc_add_literal(&sql, d->inst, odbc_place_of(d->inst, d->table));
	etl_text_add(&sql, ")");
	rc = sql.failed ? odbc_design_no_memory(d) : odbc_ask(d->inst, sql.at, &other, d->err);
	if (rc == ETL_OK && other.length > 0 && strcmp(other.at, d->table->name) != 0) {
		d->inst->host->at(d->err, d->table->name, NULL, NULL);
		rc = d->inst->host->fail(d->err, ETL_USAGE, NULL, 0,
					 "table \"%s\" has the name of \"%s\", which is there already, to this database; give it another "
					 "name with tables = ( { name = …; as = … }, { name = \"*\"; } ), or rename that one",
					 d->table->name, other.at);
	}
	etl_text_free(&sql);
	etl_text_free(&other);
	return rc;
}

int odbc_design_check_names(struct design *d)
{
	int rc;

	if (!odbc_fits_name(d->inst, d->table->name))
		return refuse_long(d, NULL);
	if (d->table->column_count > TSQL_TABLE_COLUMNS) {
		d->inst->host->at(d->err, d->table->name, NULL, NULL);
		return d->inst->host->fail(d->err, ETL_USAGE, NULL, 0,
					   "table \"%s\" has %zu columns, and SQL Server takes %d; leave some out with "
					   "exclude_columns",
					   d->table->name, d->table->column_count, TSQL_TABLE_COLUMNS);
	}
	rc = check_tables(d);
	if (rc == ETL_OK)
		rc = check_existing(d);
	return rc == ETL_OK ? check_columns(d) : rc;
}
