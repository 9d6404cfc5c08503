/*
 * Foreign keys of a merge. SQLite's own enforcement is off in the transaction: it would look at rows before their
 * parents are written, and its actions would delete and change rows of tables that are not in the run. So what the
 * run changed is looked at when all of it is written: a row that came and has no parent, and a row anywhere whose
 * parent went (into-lost.c). What was broken before the run is not its fault.
 */
#include "config.h"

#include <stdlib.h>

#include "into.h"

/* ---- Rows that came -------------------------------------------------------------------------------------- */

static bool brings_key(const struct etl_load *load, const struct etl_foreign_key *f)
{
	size_t i;

	for (i = 0; i < f->column_count; i++) {
		if (!into_find(load->table, f->columns[i]))
			return false;
	}
	return f->column_count > 0;
}

static const struct etl_foreign_key *foreign_key(const struct etl_load *load, size_t i)
{
	return ETL_AT(const struct etl_foreign_key, load->table->foreign_keys,
		      load->table->foreign_key_size, i);
}

/* s.a IS NOT NULL AND … AND NOT EXISTS (SELECT 1 FROM main.parent …): the row s is an orphan. As SQLite does it the type
 * and the collation of the parent's column decide, hence the "+". */
static int add_orphan(struct into *n, struct etl_text *sql, const struct etl_foreign_key *f)
{
	int64_t there = 0;
	size_t i;
	int rc = sqlite_number_of(
		n->inst, n->db,
		"SELECT 1 FROM main.sqlite_schema WHERE type = 'table' AND name = ?1 "
		"COLLATE NOCASE",
		f->parent, 0, &there, n->err);

	for (i = 0; i < f->column_count; i++) {
		etl_text_add(sql, i ? " AND s." : "s.");
		etl_text_add_name(sql, f->columns[i], '"');
		etl_text_add(sql, " IS NOT NULL");
	}
	if (rc || !there || !f->parent_columns)
		return rc;
	etl_text_add(sql, " AND NOT EXISTS (SELECT 1 FROM main.");
	etl_text_add_name(sql, f->parent, '"');
	etl_text_add(sql, " AS p WHERE ");
	for (i = 0; i < f->column_count; i++) {
		etl_text_add(sql, i ? " AND p." : "p.");
		etl_text_add_name(sql, f->parent_columns[i], '"');
		etl_text_add(sql, " = +s.");
		etl_text_add_name(sql, f->columns[i], '"');
	}
	etl_text_add(sql, ")");
	return ETL_OK;
}

/* The staged rows that were written; a merge knows them by etlrun_rows. */
static void add_written(struct etl_text *sql, const struct etl_load *load)
{
	if (into_merges(load) && load->existing) {
		etl_text_addf(sql, " FROM temp.etlrun_rows_%llu AS c CROSS JOIN ",
			      (unsigned long long)load->index);
		into_add_table(sql, "staged", load);
		etl_text_add(sql, " AS s WHERE s.");
		etl_text_add_name(sql, into_row(load), '"');
		etl_text_add(sql, " = c.row AND ");
	} else {
		etl_text_add(sql, " FROM ");
		into_add_table(sql, "staged", load);
		etl_text_add(sql, " AS s WHERE ");
	}
}

/* Before: rows that have this orphan's key in the target already. */
static int note_broken(struct into *n, size_t at)
{
	const struct etl_load *load = n->load;
	const struct etl_foreign_key *f = foreign_key(load, at);
	struct etl_text sql = { 0 };
	size_t i;
	int rc;

	etl_text_addf(&sql, "CREATE TEMP TABLE etlrun_broken_%llu_%zu AS SELECT c.row AS row",
		      (unsigned long long)load->index, at);
	into_add_rows(&sql, load, false);
	etl_text_add(&sql, " AND EXISTS (SELECT 1 FROM ");
	into_add_table(&sql, "main", load);
	etl_text_add(&sql, " AS t WHERE ");
	into_add_match(&sql, load, "t", "s");
	for (i = 0; i < f->column_count; i++) {
		etl_text_add(&sql, " AND t.");
		etl_text_add_name(&sql, f->columns[i], '"');
		etl_text_add(&sql, " IS s.");
		etl_text_add_name(&sql, f->columns[i], '"');
	}
	etl_text_add(&sql, ") AND ");
	rc = add_orphan(n, &sql, f);
	if (!rc)
		rc = sql.failed ? into_no_memory(n) : into_run(n, sql.at);
	etl_text_free(&sql);
	return rc;
}

/* "id=3" of the staged row the statement stands on: its first columns are the key. */
void into_add_key_words(struct etl_text *text, sqlite3_stmt *stmt, int from)
{
	int i;

	for (i = from; i < sqlite3_column_count(stmt); i++) {
		const char *value = (const char *)sqlite3_column_text(stmt, i);

		etl_text_addf(text, "%s%s=", i > from ? ", " : "", sqlite3_column_name(stmt, i));
		if (sqlite3_column_type(stmt, i) == SQLITE_TEXT)
			etl_text_add_literal(text, value ? value : "");
		else
			etl_text_add(text, value ? value : "NULL");
	}
}

static void add_identity(struct etl_text *sql, const struct etl_table *t, const char *alias)
{
	size_t i;

	for (i = 0; i < t->primary.column_count; i++) {
		if (!into_find(t, t->primary.columns[i]))
			break;
	}
	if (i == 0 || i < t->primary.column_count)
		return;
	for (i = 0; i < t->primary.column_count; i++) {
		etl_text_addf(sql, ", %s.", alias);
		etl_text_add_name(sql, t->primary.columns[i], '"');
		etl_text_add(sql, " AS ");
		etl_text_add_name(sql, t->primary.columns[i], '"');
	}
}

static int tell_orphan(struct into *n, const struct etl_foreign_key *f, sqlite3_stmt *stmt)
{
	const char *table = n->load->table->name;
	int64_t rows = sqlite3_column_int64(stmt, 0);
	struct etl_text key = { 0 };
	int rc;

	into_add_key_words(&key, stmt, 1);
	if (n->commit->run->foreign_keys == ETL_FK_REPORT) {
		n->inst->host->log(
			n->inst->host, ETL_LOG_WARN,
			"%lld row%s of \"%s\" (the first: %s) refer%s by %s to rows that \"%s\" "
			"does not have; carried as they are",
			(long long)rows, rows == 1 ? "" : "s", table, key.at ? key.at : "no key",
			rows == 1 ? "s" : "", f->columns[0], f->parent);
		etl_text_free(&key);
		return ETL_OK;
	}
	n->inst->host->at(n->err, table, f->columns[0], key.at);
	rc = n->inst->host->fail(n->err, ETL_DATA, NULL, 0,
				 "%s refers to a row that \"%s\" of %s does not have, in %lld "
				 "row%s of this run; nothing was "
				 "changed; bring \"%s\" too, or write foreign_keys = \"report\"",
				 f->columns[0], f->parent, n->inst->path, (long long)rows,
				 rows == 1 ? "" : "s", f->parent);
	etl_text_free(&key);
	return rc;
}

static int check_came(struct into *n, size_t at)
{
	const struct etl_load *load = n->load;
	const struct etl_foreign_key *f = foreign_key(load, at);
	bool merges = into_merges(load) && load->existing;
	struct etl_text sql = { 0 };
	sqlite3_stmt *stmt = NULL;
	int rc;

	/* min(…) makes the bare columns those of the first row. */
	etl_text_add(&sql, "SELECT count(*)");
	add_identity(&sql, load->table, "s");
	add_written(&sql, load);
	rc = add_orphan(n, &sql, f);
	if (merges)
		etl_text_addf(&sql,
			      " AND c.row NOT IN (SELECT row FROM temp.etlrun_broken_%llu_%zu)",
			      (unsigned long long)load->index, at);
	if (!rc)
		rc = sql.failed ? into_no_memory(n) :
				  sqlite_prepare(n->inst, n->db, sql.at, &stmt, n->err);
	etl_text_free(&sql);
	if (rc)
		return rc;
	if (sqlite3_step(stmt) != SQLITE_ROW)
		rc = sqlite_fail(n->inst, n->db, n->err, "checking the foreign keys of \"%s\"",
				 load->table->name);
	else if (sqlite3_column_int64(stmt, 0) > 0)
		rc = tell_orphan(n, f, stmt);
	sqlite3_finalize(stmt);
	return rc;
}

/* ---- Both ---------------------------------------------------------------------------------------------------- */

static bool looks(const struct into *n)
{
	const struct etl_run *run = n->commit->run;

	return run->foreign_keys != ETL_FK_DROP && !(run->flags & ETL_RUN_SCHEMA_ONLY);
}

int into_orphans_before(struct into *n)
{
	size_t i;
	int rc = ETL_OK;

	if (!looks(n) || !into_merges(n->load) || !n->load->existing)
		return ETL_OK;
	for (i = 0; !rc && i < n->load->table->foreign_key_count; i++) {
		if (brings_key(n->load, foreign_key(n->load, i)))
			rc = note_broken(n, i);
	}
	return rc ? rc : into_note_lost(n);
}

static int has_lost(struct into *n, bool *ret)
{
	char name[64];
	int64_t there = 0;
	int rc;

	sqlite3_snprintf(sizeof(name), name, "etlrun_lost_%llu",
			 (unsigned long long)n->load->index);
	rc = sqlite_number_of(n->inst, n->db, "SELECT 1 FROM temp.sqlite_schema WHERE name = ?1",
			      name, 0, &there, n->err);
	*ret = there != 0;
	return rc;
}

static int look_after(struct into *n)
{
	bool lost = false;
	size_t i;
	int rc = ETL_OK;

	for (i = 0; !rc && i < n->load->table->foreign_key_count; i++) {
		if (brings_key(n->load, foreign_key(n->load, i)))
			rc = check_came(n, i);
	}
	if (!rc && n->load->existing)
		rc = has_lost(n, &lost);
	return rc || !lost ? rc : into_check_children(n);
}

int into_orphans_after(struct into *n)
{
	size_t i;
	int rc = ETL_OK;

	for (i = 0; !rc && looks(n) && i < n->commit->load_count; i++) {
		n->load = n->commit->loads[i];
		n->at = i;
		if (n->load->table && n->load->table->kind == ETL_TABLE && into_has_rows(n, i))
			rc = look_after(n);
	}
	return rc;
}
