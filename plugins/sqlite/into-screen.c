/*
 * The screen phase of append and merge: staged rows that the target's own rows do not let in. The staging file is
 * `main` here and the target is attached as `target`, read only: a row that has a unique value which a row of the
 * target keeps (into-unique.c), and a row whose parent is neither staged nor in the target. Within the transaction
 * both are looked at again, since others may write in between.
 */
#include "config.h"

#include <stdlib.h>

#include "into.h"
#include "references.h"

/* ---- Looking --------------------------------------------------------------------------------------------------- */

static int attach_target(struct etl_instance *inst, struct etl_error *err)
{
	struct sqlite_stage *stage = inst->building;
	char *uri, *sql;
	int rc;

	if (stage->target_attached)
		return ETL_OK;
	uri = sqlite_uri(stage->target, "?mode=ro");
	sql = uri ? sqlite3_mprintf("ATTACH %Q AS target", uri) : NULL;
	rc = sql ? sqlite_run(inst, inst->stage, sql, err) :
		   inst->host->fail(err, ETL_MEMORY, NULL, 0, "%s: no memory", inst->path);
	sqlite3_free(sql);
	free(uri);
	stage->target_attached = !rc;
	return rc;
}

void into_detach_target(struct etl_instance *inst)
{
	if (inst->building && inst->building->target_attached)
		sqlite3_exec(inst->stage, "DETACH target", NULL, NULL, NULL);
	if (inst->building)
		inst->building->target_attached = false;
}

/* A rejected row is in the source still: what it means in the target must not be deleted. */
static int keep_keys(struct screen *s)
{
	const struct etl_load *load = s->load;
	struct etl_text sql = { 0 };
	int rc;

	if (load->deletes == ETL_DELETE_NONE || !load->existing || !s->sink->take_out)
		return ETL_OK;
	etl_text_addf(&sql, "INSERT OR IGNORE INTO main." INTO_KEPT "%llu SELECT ",
		      (unsigned long long)load->index);
	into_add_key(&sql, load, "t.");
	etl_text_add(&sql, " FROM " SCREEN_FOUND " AS f CROSS JOIN ");
	into_add_table(&sql, "main", load);
	etl_text_add(&sql, " AS t ON t.");
	etl_text_add_name(&sql, into_row(load), '"');
	etl_text_add(&sql, " = f.k0");
	rc = sql.failed ? s->inst->host->fail(s->err, ETL_MEMORY, NULL, 0, "%s: no memory",
					      s->inst->path) :
			  sqlite_run(s->inst, s->inst->stage, sql.at, s->err);
	etl_text_free(&sql);
	return rc;
}

static int take(struct screen *s, int64_t found)
{
	s->taking = keep_keys;
	return found ? screen_take(s) : ETL_OK;
}

static int screen_target_unique(struct screen *s, const struct etl_step *step)
{
	struct etl_text reason = { 0 };
	int64_t found = 0;
	int rc;

	etl_text_addf(&reason,
		      "the target's table has a row with the same %s, which is unique there",
		      step->object);
	rc = reason.failed ? s->inst->host->fail(s->err, ETL_MEMORY, NULL, 0, "%s: no memory",
						 s->inst->path) :
			     screen_rule(s, "duplicate", step->object, reason.at);
	etl_text_free(&reason);
	if (!rc)
		rc = screen_collect(s, step->sql, &found);
	return rc ? rc : take(s, found);
}

/* ---- Parents ------------------------------------------------------------------------------------------------------ */

static bool has_table(struct etl_instance *inst, const char *schema, const char *name)
{
	return sqlite3_table_column_metadata(inst->stage, schema, name, NULL, NULL, NULL, NULL,
					     NULL, NULL) == SQLITE_OK;
}

static bool has_columns(struct etl_instance *inst, const char *schema,
			const struct etl_foreign_key *f)
{
	size_t i;

	for (i = 0; i < f->column_count; i++) {
		if (sqlite3_table_column_metadata(inst->stage, schema, f->parent,
						  f->parent_columns[i], NULL, NULL, NULL, NULL,
						  NULL) != SQLITE_OK)
			return false;
	}
	return true;
}

/* AND NOT EXISTS (SELECT 1 FROM schema.parent AS p WHERE p.k = CHILD.f AND STAYS); STAYS: NULL or SQL. */
static void add_parent(struct etl_text *sql, const struct etl_foreign_key *f, const char *schema,
		       const char *child, const char *stays)
{
	size_t i;

	etl_text_addf(sql, " AND NOT EXISTS (SELECT 1 FROM %s.", schema);
	etl_text_add_name(sql, f->parent, '"');
	etl_text_add(sql, " AS p WHERE ");
	for (i = 0; i < f->column_count; i++) {
		etl_text_add(sql, i ? " AND p." : "p.");
		etl_text_add_name(sql, f->parent_columns[i], '"');
		etl_text_addf(sql, " = +%s.", child);
		etl_text_add_name(sql, f->columns[i], '"');
	}
	etl_text_addf(sql, "%s%s)", stays ? " AND " : "", stays ? stays : "");
}

/* *RET: SQL that says of a row p of the target's parent that it will be there as it is, sqlite3_free; NULL: each is.
 * COMES: what is written over it has the columns that are referred to, so the row that comes counts instead. */
static int find_stays(struct screen *s, const struct etl_foreign_key *f, bool comes, char **ret)
{
	sqlite3 *db = s->inst->stage;
	sqlite3_stmt *stmt = NULL;
	int step, rc;

	*ret = NULL;
	if (!has_table(s->inst, "main", INTO_STAYS))
		return ETL_OK;
	rc = sqlite_prepare(
		s->inst, db,
		"SELECT printf(iif(?2, '(NOT %s AND %s)', '(%s OR %s)'), written, kept) "
		"FROM main." INTO_STAYS " WHERE name = ?1",
		&stmt, s->err);
	if (rc)
		return rc;
	sqlite3_bind_text(stmt, 1, f->parent, -1, SQLITE_STATIC);
	sqlite3_bind_int(stmt, 2, comes);
	step = sqlite3_step(stmt);
	if (step == SQLITE_ROW)
		*ret = sqlite3_mprintf("%s", sqlite3_column_text(stmt, 0));
	if (step != SQLITE_ROW && step != SQLITE_DONE)
		rc = sqlite_fail(s->inst, db, s->err, "reading what \"%s\" keeps", f->parent);
	else if (step == SQLITE_ROW && !*ret)
		rc = s->inst->host->fail(s->err, ETL_MEMORY, NULL, 0, "%s: no memory",
					 s->inst->path);
	sqlite3_finalize(stmt);
	return rc;
}

/* A parent that comes, or that the target has and keeps. */
static int add_parents(struct screen *s, struct etl_text *sql, const struct etl_foreign_key *f)
{
	bool comes = f->parent_columns && has_columns(s->inst, "main", f);
	char *stays = NULL;
	int rc = ETL_OK;

	if (comes)
		add_parent(sql, f, "main", "t", NULL);
	if (f->parent_columns && has_table(s->inst, "target", f->parent)) {
		rc = find_stays(s, f, comes, &stays);
		add_parent(sql, f, "target", "t", stays);
	}
	sqlite3_free(stays);
	return rc;
}

/* Rows that come with a value that the same row of the target has already: what was broken stays so. */
static void add_was_so(struct screen *s, struct etl_text *sql, const struct etl_foreign_key *f)
{
	const struct etl_load *load = s->load;
	size_t i;

	if (!into_merges(load) || !load->existing)
		return;
	etl_text_add(sql, " AND NOT EXISTS (SELECT 1 FROM ");
	into_add_table(sql, "target", load);
	etl_text_add(sql, " AS o WHERE ");
	into_add_match(sql, load, "o", "t");
	for (i = 0; i < f->column_count; i++) {
		etl_text_add(sql, " AND o.");
		etl_text_add_name(sql, f->columns[i], '"');
		etl_text_add(sql, " IS t.");
		etl_text_add_name(sql, f->columns[i], '"');
	}
	if (f->parent_columns && has_table(s->inst, "target", f->parent))
		add_parent(sql, f, "target", "o", NULL);
	etl_text_add(sql, ")");
}

static bool is_whole(const struct etl_load *load, const struct etl_foreign_key *f)
{
	size_t i;

	for (i = 0; i < f->column_count; i++) {
		if (!into_find(load->table, f->columns[i]))
			return false;
	}
	return f->column_count > 0;
}

static int collect_orphans(struct screen *s, const struct etl_foreign_key *f, int64_t *ret)
{
	const struct etl_load *load = s->load;
	struct etl_text sql = { 0 }, columns = { 0 }, reason = { 0 };
	size_t i;
	int rc;

	etl_text_add(&sql, "SELECT ");
	screen_add_ids(s, &sql);
	etl_text_add(&sql, " FROM ");
	into_add_table(&sql, "main", load);
	etl_text_add(&sql, " AS t WHERE ");
	for (i = 0; i < f->column_count; i++) {
		etl_text_add(&sql, i ? " AND t." : "t.");
		etl_text_add_name(&sql, f->columns[i], '"');
		etl_text_add(&sql, " IS NOT NULL");
		etl_text_addf(&columns, "%s%s", i ? ", " : "", f->columns[i]);
	}
	rc = add_parents(s, &sql, f);
	add_was_so(s, &sql, f);
	etl_text_addf(&sql, " ORDER BY %s", s->order);
	etl_text_addf(&reason, "%s refers to a row that \"%s\" does not have", columns.at,
		      f->parent);
	if (!rc && (sql.failed || columns.failed || reason.failed))
		rc = s->inst->host->fail(s->err, ETL_MEMORY, NULL, 0, "%s: no memory",
					 s->inst->path);
	if (!rc)
		rc = screen_rule(s, "foreign_key", columns.at, reason.at);
	if (!rc)
		rc = screen_collect(s, sql.at, ret);
	etl_text_free(&sql);
	etl_text_free(&columns);
	etl_text_free(&reason);
	return rc;
}

static int screen_parents(struct screen *s)
{
	const struct etl_table *t = s->load->table;
	int64_t found = 0;
	size_t i;
	int rc = ETL_OK;

	for (i = 0; !rc && i < t->foreign_key_count; i++) {
		const struct etl_foreign_key *f = ETL_AT(const struct etl_foreign_key,
							 t->foreign_keys, t->foreign_key_size, i);
		int64_t more = 0;

		if (is_whole(s->load, f))
			rc = collect_orphans(s, f, &more);
		found += more;
	}
	return rc ? rc : take(s, found);
}

/* A row of the target that is there is a parent as good as one that comes. */
static int screen_target_reference(struct screen *s, const struct etl_step *step)
{
	static const char *const schemas[] = { "main", "target" };
	const struct etl_foreign_key *r = references_of(s->load, step);
	const char *there[3] = { NULL };
	int64_t found = 0;
	size_t i, count = 0;
	int rc;

	if (!r)
		return s->inst->host->fail(s->err, ETL_BUG, NULL, 0,
					   "the reference \"%s\" is not the load's", step->object);
	for (i = 0; i < 2; i++) {
		if (has_table(s->inst, schemas[i], r->parent))
			there[count++] = schemas[i];
	}
	rc = references_collect(s, r, there, &found);
	return rc ? rc : take(s, found);
}

static int screen_as(struct screen *s, const struct etl_step *step)
{
	if (strcmp(step->kind, INTO_UNIQUE) == 0)
		return screen_target_unique(s, step);
	if (strcmp(step->kind, REFERENCE_KIND) == 0)
		return screen_target_reference(s, step);
	return screen_parents(s);
}

/* In temp: the staging file does not change by it. */
static int note_withheld(struct etl_instance *inst, const struct etl_found_sink *sink,
			 struct etl_error *err)
{
	struct etl_text sql = { 0 };
	size_t i;
	int rc;

	etl_text_add(&sql, "CREATE TEMP TABLE IF NOT EXISTS " INTO_WITHHELD
			   " (number INTEGER PRIMARY KEY);\nDELETE FROM temp." INTO_WITHHELD);
	for (i = 0; sink->withheld && i < sink->withheld_count; i++) {
		if (sink->withheld[i])
			etl_text_addf(&sql, ";\nINSERT INTO temp." INTO_WITHHELD " VALUES (%zu)",
				      i);
	}
	rc = sql.failed ? inst->host->fail(err, ETL_MEMORY, NULL, 0, "%s: no memory", inst->path) :
			  sqlite_run(inst, inst->stage, sql.at, err);
	etl_text_free(&sql);
	return rc;
}

int into_screen(struct etl_instance *inst, const struct etl_load *load, const struct etl_step *step,
		struct etl_found_sink *sink, struct etl_error *err)
{
	struct screen s = { 0 };
	int rc = attach_target(inst, err);

	if (!rc)
		rc = note_withheld(inst, sink, err);
	if (!rc)
		rc = screen_open(&s, inst, load, sink, err);
	if (!rc)
		rc = screen_as(&s, step);
	screen_close(&s);
	return rc;
}
