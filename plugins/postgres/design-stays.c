/*
 * A table of the target that stays: its rows wait in a staging table that is shaped like it, and are looked at by
 * the target's own rules before anything of the target is touched.
 */
#include "config.h"

#include <stdio.h>
#include <strings.h>

#include "into.h"

static bool comes(const struct etl_table *t, const char *name)
{
	size_t i;

	for (i = 0; i < t->column_count; i++) {
		const struct etl_column *c = ETL_AT(const struct etl_column, t->columns,
						    t->column_size, i);

		if (strcasecmp(c->name, name) == 0)
			return !(c->flags & ETL_GENERATED);
	}
	return false;
}

/* Columns that do not come are NULL while the others wait. */
static void add_nullable(struct design *d, struct etl_text *sql)
{
	const struct etl_table *there = d->load->existing;
	size_t i;

	for (i = 0; i < there->column_count; i++) {
		const struct etl_column *c = ETL_AT(const struct etl_column, there->columns,
						    there->column_size, i);

		if (comes(d->table, c->name) || !(c->flags & ETL_NOT_NULL) ||
		    c->flags & ETL_GENERATED)
			continue;
		etl_text_add(sql, ";\nALTER TABLE ");
		postgres_add_name(sql, NULL, d->table->name);
		etl_text_add(sql, " ALTER ");
		postgres_add_name(sql, NULL, c->name);
		etl_text_add(sql, " DROP NOT NULL");
	}
}

static int check_columns(struct design *d)
{
	const struct etl_table *there = d->load->existing;
	size_t i, k;

	for (i = 0; i < d->table->column_count; i++) {
		const struct etl_column *c = ETL_AT(const struct etl_column, d->table->columns,
						    d->table->column_size, i);

		for (k = 0; k < there->column_count; k++) {
			if (strcmp(ETL_AT(const struct etl_column, there->columns,
					  there->column_size, k)
					   ->name,
				   c->name) == 0)
				break;
		}
		if (k < there->column_count || c->flags & ETL_GENERATED)
			continue;
		d->inst->host->at(d->err, d->table->name, c->name, NULL);
		return d->inst->host->fail(d->err, ETL_USAGE, NULL, 0,
					   "table \"%s\" of the target has no column \"%s\"; leave "
					   "it out with exclude_columns, or use on_existing = "
					   "\"replace\"",
					   d->table->name, c->name);
	}
	return ETL_OK;
}

static int design_waiting(struct design *d)
{
	struct etl_text sql = { 0 };

	etl_text_add(&sql, "CREATE TABLE ");
	postgres_add_name(&sql, NULL, d->table->name);
	etl_text_add(&sql, " (LIKE ");
	postgres_add_name(&sql, postgres_target_schema(d->inst, d->table), d->table->name);
	etl_text_add(&sql, " INCLUDING GENERATED)");
	add_nullable(d, &sql);
	return postgres_design_part(d, ETL_PHASE_PREPARE, ETL_EXACT, "table", NULL, &sql,
			   "where the rows wait; the target's own table stays with its keys and "
			   "indexes");
}

/* ---- The target's rules ---------------------------------------------------------------------------------- */

/* What does not come the target makes when the rows do, so nothing can be said of it yet. */
static bool all_come(const struct design *d, const char *const *columns, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++) {
		if (!comes(d->table, columns[i]))
			return false;
	}
	return count > 0;
}

static void add_equal(struct etl_text *sql, const char *const *columns, size_t count, const char *a,
		      const char *b, bool nulls)
{
	size_t i;

	for (i = 0; i < count; i++) {
		etl_text_addf(sql, "%s%s.", i ? " AND " : "", a);
		postgres_add_name(sql, NULL, columns[i]);
		etl_text_addf(sql, " %s %s.", nulls ? "IS NOT DISTINCT FROM" : "=", b);
		postgres_add_name(sql, NULL, columns[i]);
	}
}

/* WHERE | AND no row of TABLE, of the staging schema, has the merge key of the row that is in the way. */
static void add_not_in(struct etl_text *sql, const struct etl_load *load, const char *table, bool first)
{
	etl_text_add(sql, first ? " WHERE NOT EXISTS (SELECT FROM " : " AND NOT EXISTS (SELECT FROM ");
	postgres_add_name(sql, NULL, table);
	etl_text_add(sql, " AS s WHERE ");
	add_equal(sql, load->key, load->key_count, "s", "l", false);
	etl_text_add(sql, ")");
}

/* Rows whose values a row of the target has already; in a merge, one that is not the same and stays. A join, which leaves the
 * server the order: WHERE EXISTS would have it look first at every row that is there, however few come. */
static int screen_live(struct design *d, const struct etl_key *key, const char *part)
{
	const struct etl_load *load = d->load;
	bool merges = d->run->mode == ETL_MERGE;
	struct etl_text sql = { 0 };
	char goes[64];

	etl_text_add(&sql, "SELECT t.ctid FROM ");
	postgres_add_name(&sql, NULL, d->table->name);
	etl_text_add(&sql, " AS t JOIN ");
	postgres_add_name(&sql, postgres_target_schema(d->inst, d->table), d->table->name);
	etl_text_add(&sql, " AS l ON ");
	add_equal(&sql, key->columns, key->column_count, "l", "t",
		  key->flags & ETL_KEY_NULLS_EQUAL);
	if (merges)
		add_not_in(&sql, load, d->table->name, true);
	if (load->deletes == ETL_DELETE_HARD) {
		snprintf(goes, sizeof(goes), INTO_GOES, (unsigned long long)load->index);
		add_not_in(&sql, load, goes, !merges);
	}
	etl_text_add(&sql, " ORDER BY t." DESIGN_LOAD_ORDER);
	return postgres_design_part(d, ETL_PHASE_SCREEN, ETL_EXACT, "unique check", part,
			   &sql, "the target has a row with these values");
}

static bool is_merge_key(const struct design *d, const struct etl_key *key)
{
	size_t i, k;

	for (i = 0; i < key->column_count; i++) {
		for (k = 0; k < d->load->key_count &&
			    strcmp(d->load->key[k], key->columns[i]) != 0;
		     k++)
			;
		if (k == d->load->key_count)
			return false;
	}
	return key->column_count == d->load->key_count;
}

static int screen_key(struct design *d, const struct etl_key *key, const char *kind)
{
	const char *part = key->name ? key->name : key->columns[0];
	struct etl_text parts = { 0 }, given = { 0 };
	int rc;

	design_add_columns(&parts, NULL, key->columns, key->column_count);
	if (!(key->flags & ETL_KEY_NULLS_EQUAL))
		design_add_given(&given, key->columns, key->column_count);
	rc = parts.failed || given.failed ?
		     postgres_design_no_memory(d) :
		     design_screen_equal(d, kind, part, parts.at, given.at);
	etl_text_free(&parts);
	etl_text_free(&given);
	/* What a merge deletes makes room for what it brings. */
	if (rc || d->run->mode == ETL_COPY || is_merge_key(d, key) ||
	    (d->load->deletes == ETL_DELETE_HARD && !into_names_gone(d->load)))
		return rc;
	return screen_live(d, key, part);
}

/* A unique index over columns is as good as a key. */
static int screen_index(struct design *d, const struct etl_index *index)
{
	const char *columns[32];
	struct etl_key key = { .name = index->name, .columns = columns };
	size_t i;

	if (!(index->flags & ETL_INDEX_UNIQUE) || index->where_sql || index->part_count > 32)
		return ETL_OK;
	for (i = 0; i < index->part_count; i++) {
		columns[i] = ETL_AT(const struct etl_index_part, index->parts, index->part_size, i)
				     ->column;
		if (!columns[i])
			return ETL_OK;
	}
	key.column_count = index->part_count;
	return all_come(d, key.columns, key.column_count) ? screen_key(d, &key, "unique") : ETL_OK;
}

/* A check that may speak of a column that does not come is the server's alone. */
static int screen_check(struct design *d, const struct etl_check *check)
{
	const struct etl_table *there = d->load->existing;
	const char *part = check->name ? check->name : check->column ? check->column : check->sql;
	size_t i;

	for (i = 0; i < there->column_count; i++) {
		const char *name = ETL_AT(const struct etl_column, there->columns,
					  there->column_size, i)
					   ->name;

		if (!comes(d->table, name) && strstr(check->sql, name))
			return ETL_OK;
	}
	return design_screen_check(d, part, check->sql);
}

static int screen_foreign_key(struct design *d, const struct etl_foreign_key *f,
			      const struct etl_parent *parent)
{
	bool adds = d->run->mode != ETL_COPY && parent && parent->in_run;

	if (d->run->foreign_keys == ETL_FK_DROP || !all_come(d, f->columns, f->column_count))
		return ETL_OK;
	return design_screen_foreign_key(
		d, f, parent,
		!adds		 ? NULL :
		f->parent_schema ? f->parent_schema :
				   postgres_target_schema(d->inst, d->table));
}

static int design_screens(struct design *d)
{
	const struct etl_table *t = d->load->existing;
	/* The load's own keys are the target's when its shape is. */
	const struct etl_parent *parents = d->run->mode != ETL_COPY ? d->load->parents : NULL;
	size_t i;
	int rc = ETL_OK;

	if (all_come(d, t->primary.columns, t->primary.column_count))
		rc = screen_key(d, &t->primary, "primary key");
	for (i = 0; !rc && i < t->unique_count; i++) {
		const struct etl_key *key = ETL_AT(const struct etl_key, t->uniques, t->unique_size,
						   i);

		if (all_come(d, key->columns, key->column_count))
			rc = screen_key(d, key, "unique");
	}
	for (i = 0; !rc && i < t->index_count; i++)
		rc = screen_index(d, ETL_AT(const struct etl_index, t->indexes, t->index_size, i));
	for (i = 0; !rc && i < t->check_count; i++)
		rc = screen_check(d, ETL_AT(const struct etl_check, t->checks, t->check_size, i));
	for (i = 0; !rc && i < t->foreign_key_count; i++)
		rc = screen_foreign_key(d,
					ETL_AT(const struct etl_foreign_key, t->foreign_keys,
					       t->foreign_key_size, i),
					parents ? &parents[i] : NULL);
	return rc;
}

int design_staying(struct design *d)
{
	int rc = check_columns(d);

	if (!rc && d->run->flags & ETL_RUN_SCHEMA_ONLY)
		return postgres_design_part(d, ETL_PHASE_PREPARE, ETL_EXACT, "table", NULL, NULL,
				   "it is there and stays as it is");
	if (!rc)
		rc = design_waiting(d);
	if (!rc)
		rc = design_screens(d);
	if (!rc)
		rc = postgres_design_references(d);
	return rc || d->run->mode == ETL_COPY ? rc : postgres_into_design(d);
}
