/*
 * Tables: made from their own DDL when that is SQLite's and nobody changed the shape, else written from the
 * structure. Indexes, counters and the check of foreign keys follow the rows.
 */
#include "config.h"

#include <stdlib.h>

#include "references.h"

#define EACH(d, type, member, i)                                                                   \
	ETL_AT(const struct type, (d)->table->member##s, (d)->table->member##_size, i)

static bool drops_keys(const struct design *d)
{
	return d->load && d->load->run->foreign_keys == ETL_FK_DROP;
}

/* The table is there and stays: only its rows are swapped. */
static bool keeps_table(const struct design *d)
{
	const struct etl_run *run = d->load ? d->load->run : NULL;

	return run && (run->flags & ETL_RUN_DATA_ONLY ||
		       (run->on_existing == ETL_EXISTING_TRUNCATE && d->load->existing));
}

/* ---- The rows of a table that stays --------------------------------------------------------------------- */

static int check_existing(struct design *d, const struct etl_column *c)
{
	const struct etl_table *there = d->load->existing;
	size_t i;

	for (i = 0; there && i < there->column_count; i++) {
		if (sqlite3_stricmp(
			    ETL_AT(const struct etl_column, there->columns, there->column_size, i)
				    ->name,
			    c->name) == 0)
			return ETL_OK;
	}
	if (!there || c->flags & ETL_GENERATED)
		return ETL_OK;
	d->inst->host->at(d->err, d->table->name, c->name, NULL);
	return d->inst->host->fail(d->err, ETL_USAGE, NULL, 0,
				   "table \"%s\" of %s has no column \"%s\"; leave it out with "
				   "exclude_columns, or use "
				   "on_existing = \"replace\"",
				   d->table->name, d->inst->path, c->name);
}

static int design_rows(struct design *d)
{
	size_t i;
	int rc = ETL_OK;

	for (i = 0; !rc && i < d->table->column_count; i++)
		rc = check_existing(d, EACH(d, etl_column, column, i));
	if (rc)
		return rc;
	etl_text_add(&d->sql, "DELETE FROM ");
	etl_text_add_name(&d->sql, d->table->name, '"');
	if (d->sql.failed)
		return design_no_memory(d);
	return design_step(d, ETL_PHASE_PREPARE, ETL_EXACT, "table", d->table->name, d->sql.at,
			   "the table that is there is kept with its keys and indexes, and its "
			   "rows are swapped");
}

/* ---- From its own DDL ------------------------------------------------------------------------------------ */

static const char *key_name(const char *name, const char *const *columns, size_t count)
{
	return name ? name : count ? columns[0] : NULL;
}

static int approve_columns(struct design *d)
{
	size_t i;
	int rc = ETL_OK;

	for (i = 0; !rc && i < d->table->column_count; i++) {
		const struct etl_column *c = EACH(d, etl_column, column, i);

		rc = design_part(d, ETL_EXACT,
				 c->flags & ETL_GENERATED ? "generated column" : "column", c->name,
				 NULL);
	}
	return rc;
}

/* Every part stands in the DDL, so every part arrives as it is. */
static int approve(struct design *d)
{
	const struct etl_table *t = d->table;
	size_t i;
	int rc = approve_columns(d);

	if (!rc && t->primary.column_count)
		rc = design_part(
			d, ETL_EXACT, "primary key",
			key_name(t->primary.name, t->primary.columns, t->primary.column_count),
			NULL);
	for (i = 0; !rc && i < t->unique_count; i++) {
		const struct etl_key *k = EACH(d, etl_key, unique, i);

		rc = design_part(d, ETL_EXACT, "unique",
				 key_name(k->name, k->columns, k->column_count), NULL);
	}
	for (i = 0; !rc && i < t->foreign_key_count; i++) {
		const struct etl_foreign_key *f = EACH(d, etl_foreign_key, foreign_key, i);

		rc = design_part(d, ETL_EXACT, "foreign key",
				 key_name(f->name, f->columns, f->column_count), NULL);
	}
	for (i = 0; !rc && i < t->check_count; i++) {
		const struct etl_check *c = EACH(d, etl_check, check, i);

		rc = design_part(d, ETL_EXACT, "check",
				 c->name   ? c->name :
				 c->column ? c->column :
					     c->sql,
				 NULL);
	}
	return rc;
}

/* ---- From the structure ---------------------------------------------------------------------------------- */

/* A single identity column that is the whole key is written INTEGER PRIMARY KEY, which makes its values. */
static void choose_key(struct design *d)
{
	const struct etl_key *key = &d->table->primary;
	const struct etl_column *c = key->column_count == 1 ? design_column(d, key->columns[0]) :
							      NULL;

	d->inline_key = c && c->flags & ETL_IDENTITY && !(d->table->flags & ETL_NO_ROWID);
}

static int add_constraints(struct design *d)
{
	const struct etl_table *t = d->table;
	size_t i;
	int rc = ETL_OK;

	if (t->primary.column_count)
		rc = design_add_key(d, &t->primary, true);
	for (i = 0; !rc && i < t->unique_count; i++)
		rc = design_add_key(d, EACH(d, etl_key, unique, i), false);
	for (i = 0; !rc && i < t->foreign_key_count; i++)
		rc = design_add_foreign_key(d, EACH(d, etl_foreign_key, foreign_key, i));
	for (i = 0; !rc && i < t->check_count; i++)
		rc = design_add_check(d, EACH(d, etl_check, check, i));
	return rc;
}

static int write_table(struct design *d)
{
	const struct etl_table *t = d->table;
	bool no_rowid = d->same && t->flags & ETL_NO_ROWID && t->primary.column_count;
	bool strict = d->same && t->flags & ETL_STRICT_TYPES;
	bool first = true;
	size_t i;
	int rc = ETL_OK;

	choose_key(d);
	etl_text_add(&d->sql, "CREATE TABLE ");
	etl_text_add_name(&d->sql, t->name, '"');
	etl_text_add(&d->sql, " (\n");
	for (i = 0; !rc && i < t->column_count; i++) {
		size_t before = d->sql.length;

		rc = design_add_column(d, EACH(d, etl_column, column, i), first);
		first = first && d->sql.length == before;
	}
	if (!rc)
		rc = add_constraints(d);
	etl_text_addf(&d->sql, "\n)%s%s%s", no_rowid ? " WITHOUT ROWID" : "",
		      no_rowid && strict ? "," : "", strict ? " STRICT" : "");
	return rc || !d->sql.failed ? rc : design_no_memory(d);
}

int design_create(struct design *d, int32_t phase)
{
	bool own = d->same && d->table->ddl && !(drops_keys(d) && d->table->foreign_key_count);
	int rc = ETL_OK;

	d->sql.length = 0;
	if (!own)
		rc = write_table(d);
	if (!rc)
		rc = design_step(
			d, phase, ETL_EXACT, "table", d->table->name,
			own ? d->table->ddl : d->sql.at,
			own ? NULL :
			      "written from its structure; comments in its text are not kept");
	return rc || !own ? rc : approve(d);
}

/* ---- After the rows -------------------------------------------------------------------------------------- */

static int design_counter(struct design *d, const struct etl_column *c, int32_t phase)
{
	struct etl_text sql = { 0 };
	int rc;

	if (!(c->flags & ETL_NEVER_REUSED) || c->identity_last == ETL_UNKNOWN)
		return ETL_OK;
	if (d->load && d->load->run->flags & ETL_RUN_SCHEMA_ONLY)
		return design_part(d, ETL_SKIPPED, "sequence", c->name,
				   "the counter belongs to the rows, which "
				   "--schema-only leaves out");
	etl_text_add(&sql, "DELETE FROM sqlite_sequence WHERE name = ");
	etl_text_add_literal(&sql, d->table->name);
	etl_text_add(&sql, ";\nINSERT INTO sqlite_sequence(name, seq) SELECT ");
	etl_text_add_literal(&sql, d->table->name);
	etl_text_addf(&sql, ", max(%lld, coalesce(max(", (long long)c->identity_last);
	etl_text_add_name(&sql, c->name, '"');
	etl_text_addf(&sql, "), %lld)) FROM ", (long long)c->identity_last);
	etl_text_add_name(&sql, d->table->name, '"');
	rc = sql.failed ? design_no_memory(d) :
			  design_step(d, phase, ETL_EXACT, "sequence", d->table->name,
				      sql.at, "the counter of AUTOINCREMENT goes on where it was");
	etl_text_free(&sql);
	return rc;
}

static const char *screen_note(const struct design *d)
{
	if (d->load && d->load->run->foreign_keys == ETL_FK_REPORT)
		return "broken keys are reported";
	return d->load && d->load->run->flags & ETL_RUN_REJECT ?
		       "rows that break one are rejected" :
		       NULL;
}

static int design_key_screen(struct design *d)
{
	struct etl_text sql = { 0 };
	int rc;

	if (drops_keys(d) ||
	    !(d->table->foreign_key_count ||
	      (keeps_table(d) && d->load->existing && d->load->existing->foreign_key_count)))
		return ETL_OK;
	etl_text_add(&sql, "PRAGMA foreign_key_check(");
	etl_text_add_name(&sql, d->table->name, '"');
	etl_text_add(&sql, ")");
	rc = sql.failed ? design_no_memory(d) :
			  design_step(d, ETL_PHASE_SCREEN, ETL_EXACT, "foreign key check",
				      d->table->name, sql.at, screen_note(d));
	etl_text_free(&sql);
	return rc;
}

int design_screens(struct design *d)
{
	int rc = design_key_screen(d);

	return rc ? rc : design_references(d);
}

int design_indexes(struct design *d, bool all)
{
	size_t i;
	int rc = ETL_OK;

	for (i = 0; !rc && i < d->table->index_count; i++) {
		const struct etl_index *index = ETL_AT(const struct etl_index, d->table->indexes,
						       d->table->index_size, i);

		if (all || index->flags & ETL_INDEX_UNIQUE)
			rc = design_index(d, index);
	}
	return rc;
}

int design_counters(struct design *d, int32_t phase)
{
	size_t i;
	int rc = ETL_OK;

	for (i = 0; !rc && i < d->table->column_count; i++)
		rc = design_counter(d, EACH(d, etl_column, column, i), phase);
	return rc;
}

int design_table(struct design *d)
{
	bool keeps = keeps_table(d);
	int rc = keeps ? design_rows(d) : design_create(d, ETL_PHASE_PREPARE);

	if (!rc && !keeps)
		rc = design_indexes(d, true);
	if (!rc)
		rc = design_screens(d);
	return rc ? rc : design_counters(d, ETL_PHASE_FINISH);
}
