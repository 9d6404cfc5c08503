/*
 * A table of the target that stays: its rows wait in a staging table that is shaped like it, and are looked at by
 * the target's own rules before anything of the target is touched.
 */
#include "config.h"

#include <strings.h>

#include "design.h"

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
	return design_part(d, ETL_PHASE_PREPARE, ETL_EXACT, "table", NULL, &sql,
			   "where the rows wait; the target's own table stays with its keys and "
			   "indexes");
}

int design_staying(struct design *d)
{
	int rc = check_columns(d);

	if (!rc && d->run->flags & ETL_RUN_SCHEMA_ONLY)
		return design_part(d, ETL_PHASE_PREPARE, ETL_EXACT, "table", NULL, NULL,
				   "it is there and stays as it is");
	if (!rc)
		rc = design_waiting(d);
	return rc ? rc : design_references(d);
}
