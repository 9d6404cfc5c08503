/*
 * Unique values beside the key that a merge gives from one row to another. The server looks at them row by row, unless
 * the constraint is DEFERRABLE, so rows must let them go before: the first column that may be NULL is NULL for a moment.
 * Where no column may be, a row that goes must do so before other rows come, and rows that stay cannot give theirs.
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

/* AND EXISTS (a row that comes or changes with the values of t). NOT_OF: not the one of r itself. */
static void add_comes(struct design *d, struct etl_text *sql, const struct unique *u, bool not_of)
{
	etl_text_addf(sql, "EXISTS (SELECT FROM " INTO_ROWS " AS o JOIN " INTO_NEW " AS s ON s._etlrun_row = o.at WHERE ",
		      number(d), number(d));
	etl_text_add(sql, not_of ? "o.at <> r.at AND " : "");
	add_equal(sql, u, "s", "t");
	etl_text_add(sql, ")");
}

/* The rows of LIST ("gone", "rows") that shall have NULL for a moment. */
static int find_out(struct design *d, const struct unique *u, const char *list, const char *column)
{
	struct etl_text sql = { 0 };

	etl_text_addf(&sql, "CREATE TEMPORARY TABLE \"_etlrun_out_%llu\" ON COMMIT DROP AS SELECT r.was, r.was_in\n\tFROM ",
		      number(d));
	into_add_live(&sql, d->inst, d->load);
	etl_text_addf(&sql,
		      " AS t JOIN pg_temp.\"_etlrun_%s_%llu\" AS r ON t.ctid = r.was AND t.tableoid = r.was_in WHERE ",
		      list, number(d));
	add_comes(d, &sql, u, strcmp(list, "rows") == 0);
	return postgres_design_part(d, ETL_PHASE_PUBLISH, ETL_EXACT, "in the way", column, &sql,
			   "rows whose value, which is unique, comes with another row");
}

/* A row is found again where its new version stands. */
static int let_go(struct design *d, const struct unique *u, const char *list, const char *column)
{
	struct etl_text sql = { 0 };
	int rc = find_out(d, u, list, column);

	if (rc < 0)
		return rc;
	etl_text_add(&sql, "WITH moved AS (UPDATE ");
	into_add_live(&sql, d->inst, d->load);
	etl_text_add(&sql, " AS t SET ");
	postgres_add_name(&sql, NULL, column);
	etl_text_addf(&sql,
		      " = NULL FROM " INTO_OUT
		      " AS o WHERE t.ctid = o.was AND t.tableoid = o.was_in\n\tRETURNING o.was, o.was_in, t.ctid AS now, "
		      "t.tableoid AS now_in)\n\tUPDATE pg_temp.\"_etlrun_%s_%llu\" AS r SET was = m.now, was_in = m.now_in "
		      "FROM moved AS m WHERE r.was = m.was AND r.was_in = m.was_in;\nDROP TABLE " INTO_OUT,
		      number(d), list, number(d), number(d));
	return postgres_design_part(d, ETL_PHASE_PUBLISH, ETL_EXACT, "move out", column, &sql,
			   "they have NULL until their own values come, or they go");
}

static bool ends(const char *text, const char *with)
{
	size_t length = strlen(text), tail = strlen(with);

	return length >= tail && strcmp(text + length - tail, with) == 0;
}

/* The server looks at it when all rows are written. */
static bool waits(const struct etl_key *key)
{
	return key->conflict_sql && (ends(key->conflict_sql, "DEFERRABLE") ||
				     ends(key->conflict_sql, "DEFERRABLE INITIALLY DEFERRED"));
}

/* Columns of a unique index without expressions: how many; 0: it has none, or not only columns. */
static size_t index_columns(const struct etl_index *index, const char **columns, size_t most)
{
	if (!(index->flags & ETL_INDEX_UNIQUE) || index->where_sql || index->part_count > most)
		return 0;
	for (size_t i = 0; i < index->part_count; i++) {
		columns[i] = ETL_AT(const struct etl_index_part, index->parts, index->part_size, i)
				     ->column;
		if (!columns[i])
			return 0;
	}
	return index->part_count;
}

/* EACH takes every set of columns that is unique and may change hands. */
static int for_each(struct design *d, int (*each)(struct design *, const struct unique *, void *), void *context)
{
	const struct etl_table *t = d->load->existing;
	const char *columns[32];
	int rc = ETL_OK;

	for (size_t i = 0; rc == ETL_OK && i < 1 + t->unique_count + t->index_count; i++) {
		const struct etl_key *key =
			i == 0		       ? &t->primary :
			i <= t->unique_count ? ETL_AT(const struct etl_key, t->uniques, t->unique_size, i - 1) :
					       NULL;
		struct unique u = { columns, 0 };

		if (key && waits(key))
			continue;
		if (key)
			u = (struct unique){ key->columns, key->column_count };
		else
			u.count = index_columns(ETL_AT(const struct etl_index, t->indexes, t->index_size,
						       i - 1 - t->unique_count),
						columns, sizeof(columns) / sizeof(*columns));
		if (u.count && !is_merge_key(d->load, &u) && all_come(d->load, &u))
			rc = each(d, &u, context);
	}
	return rc;
}

static int add_room(struct design *d, const struct unique *u, void *context)
{
	struct etl_text *sql = context;

	if (nullable(d->load, u))
		return ETL_OK;
	etl_text_add(sql, sql->length ? "\n\tOR " : "");
	add_comes(d, sql, u, false);
	return ETL_OK;
}

/* Rows that go and are in the way of those that come; their children that go too are found by their foreign keys. */
static int make_room(struct design *d)
{
	struct etl_text sql = { 0 }, which = { 0 };
	int rc = for_each(d, add_room, &which);

	etl_text_addf(&sql, "CREATE TEMPORARY TABLE \"_etlrun_room_%llu\" ON COMMIT DROP AS SELECT g.was, g.was_in\n\tFROM ",
		      number(d));
	into_add_live(&sql, d->inst, d->load);
	etl_text_addf(&sql, " AS t" INTO_IN(INTO_GONE) " WHERE %s", number(d), which.length ? which.at : "false");
	sql.failed |= which.failed;
	etl_text_free(&which);
	if (rc == ETL_OK)
		rc = postgres_design_part(d, ETL_PHASE_PUBLISH, ETL_EXACT, "room", NULL, &sql,
				 "rows that go and have a value that is unique and comes with another row, and those that "
				 "go with them");
	etl_text_add(&sql, "DELETE FROM ");
	into_add_live(&sql, d->inst, d->load);
	etl_text_addf(&sql, " AS t USING " INTO_ROOM " AS g WHERE t.ctid = g.was AND t.tableoid = g.was_in", number(d));
	if (rc == ETL_OK)
		rc = postgres_design_part(d, ETL_PHASE_PUBLISH, ETL_EXACT, "make room", NULL, &sql, NULL);
	etl_text_free(&sql);
	return rc;
}

/* A row that goes may be a parent until other tables have their rows: it lets its value go, and stays as long. */
static int move_out(struct design *d, const struct unique *u, void *context)
{
	const char *column = nullable(d->load, u);
	int rc = ETL_OK;

	(void)context;
	if (!column)
		return ETL_OK;
	if (d->load->deletes == ETL_DELETE_HARD)
		rc = let_go(d, u, "gone", column);
	return rc == ETL_OK ? let_go(d, u, "rows", column) : rc;
}

int into_design_room(struct design *d)
{
	int rc = d->load->deletes == ETL_DELETE_HARD ? make_room(d) : ETL_OK;

	return rc == ETL_OK ? for_each(d, move_out, NULL) : rc;
}
