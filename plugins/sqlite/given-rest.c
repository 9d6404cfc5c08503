/*
 * A schema file says what the whole database holds: its tables that get no rows are made too, and its views, triggers
 * and settings. They are steps of the run's first load. What the target has of it already, with rows, stays.
 */
#include "config.h"

#include <stdlib.h>

#include "given.h"
#include "into.h"

struct rest {
	struct etl_table_sink sink;
	struct design *design;
	/* Of begin. */
	struct sqlite_stage *stage;
	struct etl_instance *inst;
	const struct etl_load *load;
	struct etl_error *err;
};

static bool is_loaded(const struct etl_run *run, const char *name)
{
	size_t i;

	for (i = 0; i < run->load_count; i++) {
		if (sqlite3_stricmp(run->loads[i]->table->name, name) == 0)
			return true;
	}
	return false;
}

/* ---- Steps ---- */

/* Without rows: its indexes cost nothing, so they come with it. */
static int make_table(struct design *d, const struct etl_table *table)
{
	struct etl_load load = *d->load;
	struct design one = { .inst = d->inst,
			      .table = table,
			      .load = &load,
			      .sink = d->sink,
			      .err = d->err,
			      .same = true,
			      .quiet = true,
			      .index_at = ETL_PHASE_PREPARE };
	int rc;

	load.table = load.given = table;
	load.existing = NULL;
	rc = design_create(&one, ETL_PHASE_PREPARE);
	if (!rc)
		rc = design_indexes(&one, true);
	etl_text_free(&one.sql);
	return rc;
}

static int refuse_name(struct design *d, const struct etl_table *object)
{
	d->inst->host->at(d->err, object->name, NULL, NULL);
	return d->inst->host->fail(
		d->err, ETL_USAGE, NULL, 0,
		"schema_file %s makes a view called \"%s\", and rows go into tables; "
		"give the rows another table with `as`",
		sqlite_given_path(d->inst), object->name);
}

static int make_rest(struct etl_table_sink *self, const struct etl_table *object)
{
	struct rest *r = (struct rest *)(void *)self;
	struct design *d = r->design;

	switch (object->kind) {
	case ETL_TABLE:
		return is_loaded(d->load->run, object->name) ? ETL_OK : make_table(d, object);
	case ETL_VIEW:
		return is_loaded(d->load->run, object->name) ?
			       refuse_name(d, object) :
			       design_step(d, ETL_PHASE_LAST, ETL_EXACT, "view", object->name,
					   object->ddl, NULL);
	case ETL_TRIGGER:
		return design_step(d, ETL_PHASE_LAST, ETL_EXACT, "trigger", object->name,
				   object->ddl, NULL);
	case ETL_DATABASE:
		return design_settings(d, object);
	default:
		return ETL_OK;
	}
}

int sqlite_given_design(struct design *d)
{
	struct rest r = { { make_rest }, .design = d };
	const struct etl_run *run = d->load ? d->load->run : NULL;

	if (!run || d->load->index != 0 || !run->loads || run->flags & ETL_RUN_DATA_ONLY)
		return ETL_OK;
	if (run->flags & ETL_RUN_TABLE_SCOPE)
		return d->inst->host->fail(
			d->err, ETL_USAGE, NULL, 0,
			"%s: schema_file makes the database as a whole, and scope = "
			"\"table\" publishes parts of it; write scope = \"run\"",
			d->inst->path);
	return sqlite_given_each(d->inst, &r.sink, d->err);
}

/* ---- What the target has of it ---- */

/* 1: an empty table, 2: one with rows, 3: a view; 0: nothing. */
static int look(struct rest *r, const struct etl_table *object, int64_t *ret)
{
	static const char find[] =
		"SELECT CASE type WHEN 'table' THEN 1 ELSE 3 END FROM sqlite_schema WHERE "
		"name = ?1 COLLATE NOCASE AND type IN ('table', 'view')";
	struct etl_text sql = { 0 };
	int64_t rows = 0;
	int rc = sqlite_number_of(r->inst, r->stage->old, find, object->name, 0, ret, r->err);

	if (rc || *ret != 1)
		return rc;
	etl_text_add(&sql, "SELECT EXISTS (SELECT 1 FROM ");
	etl_text_add_name(&sql, object->name, '"');
	etl_text_add(&sql, ")");
	rc = sql.failed ? r->inst->host->fail(r->err, ETL_MEMORY, NULL, 0, "%s: no memory",
					      r->inst->path) :
			  sqlite_number(r->inst, r->stage->old, sql.at, 0, &rows, r->err);
	etl_text_free(&sql);
	*ret += rows;
	return rc;
}

/* An empty table is made anew; one with rows is carried over, and is_there sees that it is the file's. */
static int admit_one(struct etl_table_sink *self, const struct etl_table *object)
{
	struct rest *r = (struct rest *)(void *)self;
	const struct etl_run *run = r->load->run;
	int64_t found = 0;
	int rc;

	if ((object->kind != ETL_TABLE && object->kind != ETL_VIEW) || is_loaded(run, object->name))
		return ETL_OK;
	rc = look(r, object, &found);
	if (rc || !found)
		return rc;
	if (run->on_existing == ETL_EXISTING_FAIL)
		return sqlite_stage_refuse(r->inst, found == 3 ? "view" : "table", object->name,
					   r->err);
	if (found != 1 || run->on_existing != ETL_EXISTING_REPLACE)
		return ETL_OK;
	r->stage->emptied = true;
	return sqlite_stage_goal(r->inst, r->stage, object->name, true, r->err);
}

int sqlite_given_admit(struct etl_instance *inst, struct sqlite_stage *stage,
		       const struct etl_load *load, struct etl_error *err)
{
	struct rest r = { { admit_one }, .stage = stage, .inst = inst, .load = load, .err = err };
	const struct etl_run *run = load->run;

	if (!sqlite_given_asked(inst) || load->index != 0 || !run->loads || !stage->old ||
	    run->flags & ETL_RUN_DATA_ONLY)
		return ETL_OK;
	return sqlite_given_each(inst, &r.sink, err);
}

static int differs(struct etl_instance *inst, const struct etl_step *step, struct etl_error *err)
{
	inst->host->at(err, step->object, NULL, NULL);
	return inst->host->fail(
		err, ETL_FATAL, NULL, 0,
		"the %s \"%s\" of %s is not as schema_file %s makes it, and the run brings "
		"no rows that would replace it; change it there, or remove it, or publish "
		"into another file",
		step->kind, step->object, inst->path, sqlite_given_path(inst));
}

int sqlite_given_is_there(struct etl_instance *inst, const struct etl_step *step, bool *ret,
			  struct etl_error *err)
{
	sqlite3_stmt *stmt = NULL;
	bool there;
	int rc;

	*ret = false;
	if (!sqlite_given_asked(inst) || !inst->building->carried ||
	    (strcmp(step->kind, "table") != 0 && strcmp(step->kind, "index") != 0) ||
	    sqlite3_strnicmp(step->sql, "CREATE", 6) != 0)
		return ETL_OK;
	rc = sqlite_prepare(
		inst, inst->stage,
		"SELECT sql FROM main.sqlite_schema WHERE name = ?1 COLLATE NOCASE AND type "
		"IN ('table', 'index')",
		&stmt, err);
	if (rc)
		return rc;
	sqlite3_bind_text(stmt, 1, step->object, -1, SQLITE_STATIC);
	there = sqlite3_step(stmt) == SQLITE_ROW;
	if (there) {
		const char *sql = (const char *)sqlite3_column_text(stmt, 0);

		*ret = sql && strcmp(sql, step->sql) == 0;
	}
	sqlite3_finalize(stmt);
	return there && !*ret ? differs(inst, step, err) : ETL_OK;
}
