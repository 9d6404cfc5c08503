/*
 * The steps of append and merge. A table that is there: its rows wait in a table of its shape, and the statements
 * that take them over are steps of the phase publish, which commit carries out as they stand here. A table that is
 * not there is staged as a copy is, and made in the target by the same statements.
 */
#include "config.h"

#include <stdlib.h>

#include "into.h"

static int emit(struct design *d, int32_t phase, const char *kind, struct etl_text *sql,
		const char *note)
{
	int rc = sql->failed ?
			 design_no_memory(d) :
			 design_step(d, phase, ETL_EXACT, kind, d->table->name, sql->at, note);

	etl_text_free(sql);
	return rc;
}

/* ---- The table in which the rows wait -------------------------------------------------------------------- */

static bool in_key(const struct etl_load *load, const char *name)
{
	size_t i;

	for (i = 0; i < load->key_count; i++) {
		if (sqlite3_stricmp(load->key[i], name) == 0)
			return true;
	}
	return false;
}

static void add_waiting_column(struct design *d, const struct etl_column *c)
{
	bool alias = (c->flags & ETL_IDENTITY) != 0;

	etl_text_add_name(&d->sql, c->name, '"');
	etl_text_addf(&d->sql, " %s%s%s",
		      alias	  ? "INTEGER" :
		      c->declared ? c->declared :
				    "",
		      alias						  ? " PRIMARY KEY" :
		      c->flags & ETL_NOT_NULL || in_key(d->load, c->name) ? " NOT NULL" :
									    "",
		      c->collation ? " COLLATE " : "");
	if (c->collation)
		etl_text_add_name(&d->sql, c->collation, '"');
}

/* Generated columns come along when what they are computed from does: constraints may speak of them. */
static int add_waiting_columns(struct design *d, struct etl_table *waiting,
			       struct etl_column *columns)
{
	size_t i;
	int rc = ETL_OK;

	waiting->column_count = 0;
	for (i = 0; !rc && i < d->load->table->column_count; i++) {
		const struct etl_column *c = into_column(d->load->table, i);
		size_t before = d->sql.length;

		if (into_comes(c)) {
			etl_text_add(&d->sql, waiting->column_count ? ",\n\t" : "\t");
			add_waiting_column(d, c);
		} else {
			rc = design_add_column(d, c, waiting->column_count == 0);
		}
		if (d->sql.length > before)
			columns[waiting->column_count++] = *c;
	}
	return rc;
}

static int add_waiting_keys(struct design *d, const struct etl_table *there)
{
	struct etl_key primary = there->primary;
	size_t i;
	int rc = ETL_OK;

	primary.conflict_sql = NULL;
	primary.name = NULL;
	/* Not as its primary key: a WITHOUT ROWID table waits in one that has a rowid. */
	if (primary.column_count && !d->inline_key)
		rc = design_add_key(d, &primary, false);
	for (i = 0; !rc && i < there->unique_count; i++) {
		struct etl_key key = *ETL_AT(const struct etl_key, there->uniques,
					     there->unique_size, i);

		key.conflict_sql = NULL;
		rc = design_add_key(d, &key, false);
	}
	for (i = 0; !rc && i < there->check_count; i++)
		rc = design_add_check(
			d, ETL_AT(const struct etl_check, there->checks, there->check_size, i));
	return rc;
}

/* A table with the columns of the key, NAME and the number of the load. */
static void add_keys(struct design *d, const char *name)
{
	const struct etl_load *load = d->load;
	size_t i;

	etl_text_addf(&d->sql, ";\nCREATE TABLE %s%llu (", name, (unsigned long long)load->index);
	for (i = 0; i < load->key_count; i++) {
		const struct etl_column *c = into_find(load->table, load->key[i]);

		etl_text_add_name(&d->sql, load->key[i], '"');
		etl_text_addf(&d->sql, " %s%s", c->declared ? c->declared : "",
			      c->collation ? " COLLATE " : "");
		if (c->collation)
			etl_text_add_name(&d->sql, c->collation, '"');
		etl_text_add(&d->sql, ", ");
	}
	etl_text_add(&d->sql, "UNIQUE (");
	into_add_key(&d->sql, load, "");
	etl_text_add(&d->sql, "))");
}

/* What foreign keys that refer to the table must know of its rows. */
static void add_stays(struct design *d)
{
	const struct etl_load *load = d->load;
	struct etl_text written = { 0 }, kept = { 0 };

	etl_text_add(&written, "EXISTS (SELECT 1 FROM ");
	into_add_table(&written, "main", load);
	etl_text_add(&written, " AS s WHERE ");
	into_add_match(&written, load, "s", "p");
	etl_text_add(&written, ")");
	etl_text_add(&kept, "1");
	if (load->deletes == ETL_DELETE_HARD) {
		kept.length = 0;
		into_add_kept(&kept, load, "p");
	}
	etl_text_add(&d->sql, ";\nCREATE TABLE IF NOT EXISTS " INTO_STAYS
			      " (name TEXT COLLATE NOCASE, written TEXT, kept TEXT)"
			      ";\nINSERT INTO " INTO_STAYS " VALUES (");
	etl_text_add_literal(&d->sql, load->table->name);
	etl_text_add(&d->sql, ", ");
	etl_text_add_literal(&d->sql, written.at ? written.at : "");
	etl_text_add(&d->sql, ", ");
	etl_text_add_literal(&d->sql, kept.at ? kept.at : "");
	etl_text_add(&d->sql, ")");
	d->sql.failed = d->sql.failed || written.failed || kept.failed;
	etl_text_free(&written);
	etl_text_free(&kept);
}

static int design_waiting(struct design *d)
{
	const struct etl_load *load = d->load;
	const struct etl_table *whole = d->table;
	struct etl_table waiting = *whole;
	struct etl_column *columns = calloc(whole->column_count + 1, sizeof(*columns));
	int rc;

	if (!columns)
		return design_no_memory(d);
	waiting.columns = columns;
	waiting.column_size = sizeof(*columns);
	d->quiet = true;
	etl_text_add(&d->sql, "CREATE TABLE ");
	etl_text_add_name(&d->sql, whole->name, '"');
	etl_text_add(&d->sql, " (\n");
	rc = add_waiting_columns(d, &waiting, columns);
	if (strcmp(into_row(load), INTO_ROW) == 0)
		etl_text_add(&d->sql, ",\n\t" INTO_ROW " INTEGER PRIMARY KEY");
	d->table = &waiting;
	d->inline_key = whole->primary.column_count == 1 &&
			sqlite3_stricmp(into_row(load), whole->primary.columns[0]) == 0;
	if (!rc)
		rc = add_waiting_keys(d, whole);
	etl_text_addf(&d->sql, "\n)%s", whole->flags & ETL_STRICT_TYPES ? " STRICT" : "");
	if (load->deletes != ETL_DELETE_NONE)
		add_keys(d, INTO_KEPT);
	if (into_names_gone(load))
		add_keys(d, INTO_GOES);
	if (into_merges(load))
		add_stays(d);
	d->quiet = false;
	if (!rc)
		rc = emit(d, ETL_PHASE_PREPARE, "table", &d->sql,
			  "where the rows wait, beside the target; its own table stays as it is");
	d->quiet = true;
	d->index_at = ETL_PHASE_PREPARE;
	if (!rc)
		rc = design_indexes(d, false);
	d->index_at = -1;
	d->quiet = false;
	if (!rc)
		rc = into_design_screens(d);
	d->table = whole;
	free(columns);
	return rc;
}

/* ---- Merge ----------------------------------------------------------------------------------------------- */

static int find_rows(struct design *d)
{
	const struct etl_load *load = d->load;
	struct etl_text sql = { 0 };

	etl_text_addf(
		&sql,
		"CREATE TEMP TABLE etlrun_rows_%llu (row INTEGER PRIMARY KEY, is_new INTEGER NOT "
		"NULL);\nINSERT INTO temp.etlrun_rows_%llu SELECT s.",
		(unsigned long long)load->index, (unsigned long long)load->index);
	etl_text_add_name(&sql, into_row(load), '"');
	etl_text_add(&sql, ", t.");
	etl_text_add_name(&sql, load->key[0], '"');
	etl_text_add(&sql, " IS NULL\n\tFROM ");
	into_add_table(&sql, "staged", load);
	etl_text_add(&sql, " AS s LEFT JOIN ");
	into_add_table(&sql, "main", load);
	etl_text_add(&sql, " AS t ON ");
	into_add_match(&sql, load, "t", "s");
	etl_text_add(&sql, "\n\tWHERE (t.");
	etl_text_add_name(&sql, load->key[0], '"');
	etl_text_add(&sql, " IS NULL OR ");
	into_add_differs(&sql, load);
	if (load->delete_column) {
		etl_text_add(&sql, " OR ");
		into_add_marked(&sql, load);
	}
	etl_text_add(&sql, ")");
	return emit(d, ETL_PHASE_PUBLISH, "rows", &sql,
		    "which rows are new, and which differ from the target's");
}

/* The rows that go wait in a table of their own, with their rowid: SQLite takes 2,000 columns. */
static int refuse_wide(struct design *d)
{
	const struct etl_table *there = d->load->existing;

	d->inst->host->at(d->err, there->name, NULL, NULL);
	return d->inst->host->fail(d->err, ETL_USAGE, NULL, 0,
				   "a merge that deletes lists the rows of \"%s\" that go with their "
				   "rowid, in %zu columns, and SQLite takes 2000; write delete = "
				   "\"none\"",
				   there->name, there->column_count + 1);
}

static int find_gone(struct design *d)
{
	const struct etl_load *load = d->load;
	const char *rowid = into_rowid(load);
	struct etl_text sql = { 0 };
	size_t i;

	if (rowid && load->existing->column_count >= 2000)
		return refuse_wide(d);
	into_add_temp(&sql, "gone", load, INTO_TEMP_ALL | INTO_TEMP_ROW);
	etl_text_add(&sql, "SELECT ");
	if (rowid)
		etl_text_addf(&sql, "t.%s AS _etlrun_row, ", rowid);
	etl_text_add(&sql, "t.* FROM ");
	into_add_table(&sql, "main", load);
	etl_text_add(&sql, " AS t\n\tWHERE ");
	if (load->delete_column) {
		etl_text_add(&sql, "NOT (");
		into_add_marked(&sql, load);
		etl_text_add(&sql, ") AND ");
	}
	/* What was marked is found again by its key. */
	for (i = 0; load->delete_column && i < load->key_count; i++) {
		etl_text_add(&sql, "t.");
		etl_text_add_name(&sql, load->key[i], '"');
		etl_text_add(&sql, " IS NOT NULL AND ");
	}
	if (into_names_gone(load)) {
		etl_text_addf(&sql, "EXISTS (SELECT 1 FROM staged." INTO_GOES "%llu AS s WHERE ",
			      (unsigned long long)load->index);
		into_add_match(&sql, load, "t", "s");
		etl_text_add(&sql, ")\n\tAND ");
	}
	etl_text_add(&sql, "NOT EXISTS (SELECT 1 FROM ");
	into_add_table(&sql, "staged", load);
	etl_text_add(&sql, " AS s WHERE ");
	into_add_match(&sql, load, "t", "s");
	etl_text_addf(&sql,
		      ")\n\tAND NOT EXISTS (SELECT 1 FROM staged." INTO_KEPT "%llu AS s WHERE ",
		      (unsigned long long)load->index);
	into_add_match(&sql, load, "t", "s");
	etl_text_add(&sql, ")");
	return emit(
		d, ETL_PHASE_PUBLISH, "gone", &sql,
		"rows of the target that the source has no longer; a rejected row is still there");
}

static int delete_gone(struct design *d)
{
	const struct etl_load *load = d->load;
	struct etl_text sql = { 0 };

	etl_text_add(&sql, load->deletes == ETL_DELETE_HARD ? "DELETE FROM " : "UPDATE OR ABORT ");
	into_add_table(&sql, "main", load);
	if (load->deletes == ETL_DELETE_SOFT) {
		etl_text_add(&sql, " SET ");
		etl_text_add_name(&sql, load->delete_column, '"');
		etl_text_add(&sql, into_mark_is_flag(load) ? " = 1" : " = :started");
	}
	into_add_gone(&sql, load, "");
	return emit(d, ETL_PHASE_PUBLISH, load->deletes == ETL_DELETE_HARD ? "delete" : "mark",
		    &sql,
		    load->deletes == ETL_DELETE_HARD || into_mark_is_flag(load) ?
			    NULL :
			    ":started is the start of the run, YYYY-MM-DDTHH:MM:SSZ");
}

/* ("a", "b") = (SELECT s."a", s."b" …): how many. */
static size_t add_assignment(struct etl_text *sql, const struct etl_load *load)
{
	size_t i, count = 0;
	int pass;

	for (pass = 0; pass < 2; pass++) {
		etl_text_add(sql, pass ? ") = (SELECT " : "(");
		for (i = 0, count = 0; i < load->table->column_count; i++) {
			const struct etl_column *c = into_column(load->table, i);

			if (!into_sets(load, c))
				continue;
			etl_text_addf(sql, "%s%s", count++ ? ", " : "", pass ? "s." : "");
			etl_text_add_name(sql, c->name, '"');
		}
	}
	etl_text_add(sql, "\n\t\tFROM ");
	into_add_table(sql, "staged", load);
	etl_text_add(sql, " AS s WHERE ");
	into_add_match(sql, load, "s", "t");
	etl_text_add(sql, ")");
	return count;
}

/* The keys that the rows to be changed have in the target: of a key that is unique by a collation which is not
 * its column's they may be other ones than those that come. */
static void add_changed_keys(struct etl_text *sql, const struct etl_load *load)
{
	bool exact = true;
	size_t i;

	for (i = 0; i < load->key_count; i++)
		exact = exact && !into_key_collation(load, i);
	etl_text_add(sql, "\n\tWHERE (");
	into_add_key(sql, load, "");
	etl_text_add(sql, ") IN (SELECT ");
	into_add_key(sql, load, exact ? "s." : "o.");
	etl_text_addf(sql, " FROM temp.etlrun_rows_%llu AS c CROSS JOIN ",
		      (unsigned long long)load->index);
	into_add_table(sql, "staged", load);
	etl_text_add(sql, " AS s");
	if (!exact) {
		etl_text_add(sql, " CROSS JOIN ");
		into_add_table(sql, "main", load);
		etl_text_add(sql, " AS o");
	}
	etl_text_add(sql, " WHERE c.is_new = 0 AND s.");
	etl_text_add_name(sql, into_row(load), '"');
	etl_text_add(sql, " = c.row");
	if (!exact) {
		etl_text_add(sql, " AND ");
		into_add_match(sql, load, "o", "s");
	}
	etl_text_add(sql, ")");
}

/* Not UPDATE … FROM: SQLite would walk through the whole target for it, since it knows nothing of how few rows
 * change. */
static int update_rows(struct design *d)
{
	const struct etl_load *load = d->load;
	struct etl_text sql = { 0 };
	size_t before, count;

	etl_text_add(&sql, "UPDATE OR ABORT ");
	into_add_table(&sql, "main", load);
	etl_text_add(&sql, " AS t SET ");
	before = sql.length;
	count = add_assignment(&sql, load);
	if (count == 0 && !sql.failed)
		sql.length = before;
	if (load->delete_column) {
		etl_text_add(&sql, count ? ", " : "");
		etl_text_add_name(&sql, load->delete_column, '"');
		into_add_unmarked(&sql, load);
	}
	add_changed_keys(&sql, load);
	if (count || load->delete_column)
		return emit(d, ETL_PHASE_PUBLISH, "update", &sql, NULL);
	etl_text_free(&sql);
	return ETL_OK;
}

static int insert_new(struct design *d)
{
	const struct etl_load *load = d->load;
	struct etl_text sql = { 0 };

	etl_text_add(&sql, "INSERT OR ABORT INTO ");
	into_add_table(&sql, "main", load);
	etl_text_add(&sql, " (");
	into_add_columns(&sql, load, "");
	etl_text_add(&sql, ")\n\tSELECT ");
	into_add_columns(&sql, load, "s.");
	into_add_rows(&sql, load, true);
	etl_text_add(&sql, " ORDER BY c.row");
	return emit(d, ETL_PHASE_PUBLISH, "insert", &sql, NULL);
}

static int design_merge(struct design *d)
{
	bool deletes = d->load->deletes != ETL_DELETE_NONE;
	int rc = find_rows(d);

	if (!rc && deletes)
		rc = find_gone(d);
	if (!rc && d->load->run->flags & ETL_RUN_UNDO)
		rc = undo_design(d);
	if (!rc && deletes)
		rc = delete_gone(d);
	if (!rc)
		rc = into_design_moves_out(d);
	if (!rc)
		rc = update_rows(d);
	if (!rc)
		rc = into_design_moves_in(d);
	return rc ? rc : insert_new(d);
}

/* ---- Append, and tables that are new ----------------------------------------------------------------------- */

static int insert_all(struct design *d)
{
	const struct etl_load *load = d->load;
	struct etl_text sql = { 0 };

	etl_text_add(&sql, "INSERT OR ABORT INTO ");
	into_add_table(&sql, "main", load);
	etl_text_add(&sql, " (");
	into_add_columns(&sql, load, "");
	etl_text_add(&sql, ")\n\tSELECT ");
	into_add_columns(&sql, load, "s.");
	etl_text_add(&sql, " FROM ");
	into_add_table(&sql, "staged", load);
	etl_text_add(&sql, " AS s");
	if (load->existing || !(load->table->flags & ETL_NO_ROWID)) {
		etl_text_add(&sql, " ORDER BY s.");
		etl_text_add_name(&sql, into_row(load), '"');
	}
	return emit(d, ETL_PHASE_PUBLISH, "insert", &sql, NULL);
}

/* How the run ends, said once. */
static int show_end(struct design *d)
{
	struct etl_step step = { .kind = "file", .object = d->inst->path, .load = UINT64_MAX };
	int rc;

	if (d->load->index != 0)
		return ETL_OK;
	step.phase = ETL_PHASE_PUBLISH;
	step.note = "all of it in one transaction on the file that is there, with the run's state "
		    "in its "
		    "_etlrun_runs";
	rc = d->sink->emit(d->sink, &step);
	step.phase = ETL_PHASE_DISCARD;
	step.note = "the staging file beside the target is removed; the target was never touched";
	return rc ? rc : d->sink->emit(d->sink, &step);
}

/* In the target's own table, or in one that is made there: design_table's steps come once for the staging file and
 * once for the target. */
static int design_new(struct design *d)
{
	bool rows = !(d->load->run->flags & ETL_RUN_SCHEMA_ONLY);
	int rc = design_create(d, ETL_PHASE_PREPARE);

	if (!rc && rows)
		rc = design_indexes(d, false);
	if (!rc && rows)
		rc = design_screens(d);
	d->quiet = true;
	if (!rc)
		rc = design_create(d, ETL_PHASE_PUBLISH);
	if (!rc && rows)
		rc = insert_all(d);
	d->quiet = false;
	d->index_at = ETL_PHASE_PUBLISH;
	if (!rc)
		rc = design_indexes(d, true);
	d->index_at = -1;
	return rc ? rc : design_counters(d, ETL_PHASE_PUBLISH);
}

int into_design(struct design *d)
{
	const struct etl_load *load = d->load;
	int rc;

	if (!load->existing) {
		rc = design_new(d);
	} else if (load->run->flags & ETL_RUN_SCHEMA_ONLY) {
		rc = design_part(d, ETL_EXACT, "table", NULL, "it is there and stays as it is");
	} else {
		rc = design_waiting(d);
		if (!rc)
			rc = design_screens(d);
		if (!rc)
			rc = into_merges(load) ? design_merge(d) : insert_all(d);
	}
	return rc ? rc : show_end(d);
}
