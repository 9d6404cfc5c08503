/*
 * Unique values beside the key that a merge gives from one row to another. The server looks at them row by row, so
 * rows must let them go before: the first column that may be NULL is NULL for a moment. Where no column may be, a row
 * that goes must do so before other tables have their rows, and among rows that stay the constraint must be DEFERRABLE.
 */
#include "config.h"

#include "into.h"

/* One set of columns that is unique; closed over the caller's arrays. */
struct unique {
	const char *const *columns;
	size_t count;
};

static unsigned long long number(const struct design *d)
{
	return (unsigned long long)d->load->index;
}

static bool is_merge_key(const struct etl_load *load, const struct unique *u)
{
	for (size_t i = 0; i < u->count; i++) {
		size_t k = 0;

		while (k < load->key_count && strcmp(load->key[k], u->columns[i]) != 0)
			k++;
		if (k == load->key_count)
			return false;
	}
	return u->count == load->key_count;
}

static bool all_come(const struct etl_load *load, const struct unique *u)
{
	for (size_t i = 0; i < u->count; i++) {
		const struct etl_column *c = postgres_into_find(load->table, u->columns[i]);

		if (!c || !into_comes(c))
			return false;
	}
	return u->count > 0;
}

static void add_equal(struct etl_text *sql, const struct unique *u, const char *a, const char *b)
{
	for (size_t i = 0; i < u->count; i++) {
		etl_text_addf(sql, "%s%s.", i ? " AND " : "", a);
		postgres_add_name(sql, NULL, u->columns[i]);
		etl_text_addf(sql, " = %s.", b);
		postgres_add_name(sql, NULL, u->columns[i]);
	}
}

static const char *nullable(const struct etl_load *load, const struct unique *u)
{
	for (size_t i = 0; i < u->count; i++) {
		const struct etl_column *c = postgres_into_find(load->existing, u->columns[i]);

		if (c && !(c->flags & ETL_NOT_NULL) && postgres_into_sets(load, c))
			return u->columns[i];
	}
	return NULL;
}

/* A row that goes may be a parent until other tables have their rows: it lets its value go, and stays as long. */
static int let_go(struct design *d, const struct unique *u, const char *column)
{
	struct etl_text sql = { 0 };

	etl_text_add(&sql, "WITH moved AS (UPDATE ");
	into_add_live(&sql, d->inst, d->load);
	etl_text_add(&sql, " AS t SET ");
	postgres_add_name(&sql, NULL, column);
	etl_text_addf(&sql,
		      " = NULL FROM " INTO_GONE
		      " AS g WHERE t.ctid = g.was AND t.tableoid = g.was_in\n\tAND EXISTS (SELECT FROM " INTO_ROWS
		      " AS o JOIN " INTO_NEW " AS s ON s._etlrun_row = o.at WHERE ",
		      number(d), number(d), number(d));
	add_equal(&sql, u, "s", "t");
	etl_text_addf(&sql,
		      ")\n\tRETURNING g.was, g.was_in, t.ctid AS now, t.tableoid AS now_in)\n\tUPDATE " INTO_GONE
		      " AS g SET was = m.now, was_in = m.now_in FROM moved AS m WHERE g.was = m.was AND g.was_in = "
		      "m.was_in",
		      number(d));
	return postgres_design_part(d, ETL_PHASE_PUBLISH, ETL_EXACT, "move out", u->columns[0], &sql,
			   "rows that go and have a value that is unique and comes with another row");
}

/* Only with a hard delete. */
static int make_room(struct design *d, const struct unique *u)
{
	struct etl_text sql = { 0 };

	etl_text_add(&sql, "DELETE FROM ");
	into_add_live(&sql, d->inst, d->load);
	etl_text_addf(&sql,
		      " AS t USING " INTO_GONE " AS g WHERE t.ctid = g.was AND t.tableoid = g.was_in\n\tAND EXISTS "
		      "(SELECT FROM " INTO_ROWS " AS r JOIN " INTO_NEW " AS s ON s._etlrun_row = r.at WHERE ",
		      number(d), number(d), number(d));
	add_equal(&sql, u, "s", "t");
	etl_text_add(&sql, ")");
	return postgres_design_part(d, ETL_PHASE_PUBLISH, ETL_EXACT, "make room", u->columns[0], &sql,
			   "rows that go and have a value that is unique and comes with another row");
}

/* A row is found again where its new version stands. */
static int move_out(struct design *d, const struct unique *u)
{
	const char *column = nullable(d->load, u);
	struct etl_text sql = { 0 };

	if (!column)
		return ETL_OK;
	etl_text_add(&sql, "WITH moved AS (UPDATE ");
	into_add_live(&sql, d->inst, d->load);
	etl_text_add(&sql, " AS t SET ");
	postgres_add_name(&sql, NULL, column);
	etl_text_addf(&sql,
		      " = NULL FROM " INTO_ROWS
		      " AS r WHERE t.ctid = r.was AND t.tableoid = r.was_in\n\tAND EXISTS (SELECT FROM " INTO_ROWS
		      " AS o JOIN " INTO_NEW " AS s ON s._etlrun_row = o.at WHERE o.at <> r.at AND ",
		      number(d), number(d), number(d));
	add_equal(&sql, u, "s", "t");
	etl_text_addf(&sql,
		      ")\n\tRETURNING r.at, t.ctid AS now, t.tableoid AS now_in)\n\tUPDATE " INTO_ROWS
		      " AS r SET was = m.now, was_in = m.now_in FROM moved AS m WHERE r.at = m.at",
		      number(d));
	return postgres_design_part(d, ETL_PHASE_PUBLISH, ETL_EXACT, "move out", u->columns[0], &sql,
			   "rows whose value, which is unique, comes with another row");
}

static int design_one(struct design *d, const struct unique *u)
{
	const char *column;
	int rc = ETL_OK;

	if (is_merge_key(d->load, u) || !all_come(d->load, u))
		return ETL_OK;
	column = nullable(d->load, u);
	if (d->load->deletes == ETL_DELETE_HARD)
		rc = column ? let_go(d, u, column) : make_room(d, u);
	return rc == ETL_OK ? move_out(d, u) : rc;
}

static int one_index(struct design *d, const struct etl_index *index)
{
	const char *columns[32];
	struct unique u = { columns, index->part_count };

	if (!(index->flags & ETL_INDEX_UNIQUE) || index->where_sql || index->part_count > 32)
		return ETL_OK;
	for (size_t i = 0; i < index->part_count; i++) {
		columns[i] = ETL_AT(const struct etl_index_part, index->parts, index->part_size, i)
				     ->column;
		if (!columns[i])
			return ETL_OK;
	}
	return design_one(d, &u);
}

int into_design_room(struct design *d)
{
	const struct etl_table *t = d->load->existing;
	struct unique u = { t->primary.columns, t->primary.column_count };
	int rc = u.count ? design_one(d, &u) : ETL_OK;

	for (size_t i = 0; rc == ETL_OK && i < t->unique_count; i++) {
		const struct etl_key *key = ETL_AT(const struct etl_key, t->uniques, t->unique_size, i);

		u = (struct unique){ key->columns, key->column_count };
		rc = design_one(d, &u);
	}
	for (size_t i = 0; rc == ETL_OK && i < t->index_count; i++)
		rc = one_index(d, ETL_AT(const struct etl_index, t->indexes, t->index_size, i));
	return rc;
}
