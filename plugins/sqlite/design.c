/*
 * From the description of an object to the steps that make it, with a verdict for each of its parts. What
 * `plan` prints and what `run` does both come from here.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "given.h"
#include "into.h"

int design_no_memory(struct design *d)
{
	return d->inst->host->fail(d->err, ETL_MEMORY, NULL, 0, "%s: no memory to design \"%s\"",
				   d->inst->path, d->table->name);
}

int design_step(struct design *d, int32_t phase, int32_t verdict, const char *kind,
		const char *object, const char *sql, const char *note)
{
	struct etl_step step = { .phase = phase,
				 .verdict = verdict,
				 .kind = kind,
				 .object = object,
				 .sql = sql,
				 .note = note,
				 .load = d->load ? d->load->index : UINT64_MAX };

	return d->sink->emit(d->sink, &step);
}

int design_part(struct design *d, int32_t verdict, const char *kind, const char *part,
		const char *note)
{
	struct etl_text object = { 0 };
	int rc;

	if (d->quiet)
		return ETL_OK;
	etl_text_add(&object, d->table->name);
	if (part)
		etl_text_addf(&object, ".%s", part);
	rc = object.failed ?
		     design_no_memory(d) :
		     design_step(d, ETL_PHASE_PREPARE, verdict, kind, object.at, NULL, note);
	etl_text_free(&object);
	return rc;
}

int design_part_of(struct design *d, int32_t verdict, const char *kind, const char *part,
		   const char *before, const char *text)
{
	struct etl_text note = { 0 };
	int rc;

	etl_text_addf(&note, "%s%s", before, text);
	rc = note.failed ? design_no_memory(d) : design_part(d, verdict, kind, part, note.at);
	etl_text_free(&note);
	return rc;
}

const struct etl_column *design_column(const struct design *d, const char *name)
{
	size_t i;

	for (i = 0; i < d->table->column_count; i++) {
		const struct etl_column *c = ETL_AT(const struct etl_column, d->table->columns,
						    d->table->column_size, i);

		if (sqlite3_stricmp(c->name, name) == 0)
			return c;
	}
	return NULL;
}

bool design_renamed(struct design *d, const char *sql, struct etl_text *ret)
{
	int rc;

	if (d->names.column_count == 0 && d->names.table_count == 0) {
		etl_text_add(ret, sql);
		return true;
	}
	rc = ddl_rename(sql, &d->names, ret);
	if (rc == DDL_NO_MEMORY)
		ret->failed = true;
	return rc != DDL_SYNTAX;
}

bool design_names(struct design *d, const char *const *columns, const char *const *collations,
		  size_t count, struct etl_text *ret)
{
	size_t i;

	for (i = 0; i < count; i++) {
		if (!design_column(d, columns[i]))
			return false;
	}
	for (i = 0; i < count; i++) {
		if (i)
			etl_text_add(ret, ", ");
		etl_text_add_name(ret, columns[i], '"');
		if (collations && collations[i] && d->same) {
			etl_text_add(ret, " COLLATE ");
			etl_text_add_name(ret, collations[i], '"');
		}
	}
	return true;
}

/* What the pipeline renamed, in the form ddl_rename takes. */
static int find_renames(struct design *d)
{
	const char *was = d->load && d->load->source_name ? d->load->source_name : d->table->name;
	size_t i;

	d->names.table = was;
	if (strcmp(was, d->table->name) != 0) {
		d->renamed = (struct ddl_name){ .from = was, .to = d->table->name };
		d->names.tables = &d->renamed;
		d->names.table_count = 1;
	}
	d->columns = calloc(d->table->column_count + 1, sizeof(*d->columns));
	if (!d->columns)
		return design_no_memory(d);
	d->names.columns = d->columns;
	for (i = 0; i < d->table->column_count; i++) {
		const struct etl_column *c = ETL_AT(const struct etl_column, d->table->columns,
						    d->table->column_size, i);

		if (c->origin && strcmp(c->origin, c->name) != 0)
			d->columns[d->names.column_count++] = (struct ddl_name){ .table = was,
										 .from = c->origin,
										 .to = c->name };
	}
	return ETL_OK;
}

/* How the run ends, said once. */
static int show_end(struct design *d)
{
	struct etl_text note = { 0 };
	struct etl_step step = { .kind = "file", .object = d->inst->path, .load = UINT64_MAX };
	int rc;

	if (!d->load || d->load->index != 0)
		return ETL_OK;
	etl_text_addf(&note,
		      "the finished file is synced and renamed over %s, which is locked, "
		      "checkpointed and "
		      "freed of its -wal, -shm and -journal first",
		      d->inst->path);
	if (note.failed)
		return design_no_memory(d);
	step.phase = ETL_PHASE_PUBLISH;
	step.note = note.at;
	rc = d->sink->emit(d->sink, &step);
	etl_text_free(&note);
	if (rc)
		return rc;
	step.phase = ETL_PHASE_DISCARD;
	step.note = "the staging file beside the target is removed; the target was never touched";
	return d->sink->emit(d->sink, &step);
}

/* Once for a run. In append and merge it is carried out with the rows, else in the finished file. */
static int design_version(struct design *d)
{
	char sql[64];

	snprintf(sql, sizeof(sql), "PRAGMA user_version = %lld", (long long)sqlite_wanted_version(d->inst));
	return design_step(d, ETL_PHASE_PUBLISH, ETL_EXACT, "setting", "user_version", sql,
			   "as the option user_version says");
}

int sqlite_design(struct etl_instance *inst, const struct etl_table *table,
		  const struct etl_load *load, struct etl_step_sink *sink, struct etl_error *err)
{
	struct design d = { .inst = inst,
			    .table = table,
			    .load = load,
			    .sink = sink,
			    .err = err,
			    .index_at = -1 };
	int rc;

	bool into = load && into_runs(load->run);
	bool given = load && load->given && table->kind == ETL_TABLE;

	/* By its own words: the pipeline's shape has lost them. */
	if (given)
		d.table = table = load->given;
	d.same = table->dialect && strcmp(table->dialect, "sqlite") == 0;
	/* The target's own table is in its own names already. */
	rc = given ? sqlite_given_check(inst, table->name, err) : into && load->existing ? ETL_OK : find_renames(&d);
	if (!rc && into && table->kind == ETL_TABLE)
		rc = into_design(&d);
	else if (!rc)
		rc = table->kind == ETL_TABLE ? design_table(&d) : design_other(&d);
	if (!rc && !into && sqlite_given_asked(inst))
		rc = sqlite_given_design(&d);
	if (!rc && !into)
		rc = show_end(&d);
	if (!rc && load && load->index == 0 && sqlite_wanted_version(inst))
		rc = design_version(&d);
	etl_text_free(&d.sql);
	free(d.columns);
	return rc;
}
