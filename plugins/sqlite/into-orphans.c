/*
 * Foreign keys of a merge. SQLite's own enforcement is off in the transaction: it would look at rows before their
 * parents are written, and its actions would delete and change rows of tables that are not in the run. So what the
 * run changed is looked at when all of it is written: a row that came and has no parent, and a row anywhere whose
 * parent went. What was broken before the run is not its fault.
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
static void add_key_words(struct etl_text *text, sqlite3_stmt *stmt, int from)
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

	add_key_words(&key, stmt, 1);
	if (n->commit->run->foreign_keys == ETL_FK_REPORT) {
		n->inst->host->log(
			n->inst->host, ETL_LOG_WARN,
			"%lld rows of \"%s\" (the first: %s) refer by %s to rows that \"%s\" "
			"does not have; carried as they are",
			(long long)rows, table, key.at ? key.at : "no key", f->columns[0],
			f->parent);
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

/* ---- Rows that lose a parent ------------------------------------------------------------------------------- */

/* May a column that others refer to be written? Where all of them refer to the key by which rows meet, it is
 * not. */
static int keys_change(struct into *n, bool *ret_referred, bool *ret_change)
{
	const struct etl_load *load = n->load;
	sqlite3_stmt *stmt = NULL;
	int step = SQLITE_DONE;
	int rc = sqlite_prepare(n->inst, n->db,
				"SELECT f.seq, f.\"to\" FROM main.sqlite_schema m, "
				"pragma_foreign_key_list(m.name) f "
				"WHERE m.type = 'table' AND f.\"table\" = ?1 COLLATE NOCASE",
				&stmt, n->err);

	if (rc)
		return rc;
	sqlite3_bind_text(stmt, 1, load->table->name, -1, SQLITE_STATIC);
	while ((step = sqlite3_step(stmt)) == SQLITE_ROW) {
		const char *name = (const char *)sqlite3_column_text(stmt, 1);
		size_t seq = (size_t)sqlite3_column_int(stmt, 0);
		const struct etl_column *c;

		if (!name && seq < load->existing->primary.column_count)
			name = load->existing->primary.columns[seq];
		c = name ? into_find(load->table, name) : NULL;
		*ret_referred = true;
		*ret_change = *ret_change || (c && into_sets(load, c));
	}
	if (step != SQLITE_DONE)
		rc = sqlite_fail(n->inst, n->db, n->err, "listing who refers to \"%s\"",
				 load->table->name);
	sqlite3_finalize(stmt);
	return rc;
}

/* The rows that are deleted, and those whose keys change, as they were. */
static int note_lost(struct into *n)
{
	const struct etl_load *load = n->load;
	bool hard = load->deletes == ETL_DELETE_HARD, referred = false, change = false;
	struct etl_text sql = { 0 };
	int rc = keys_change(n, &referred, &change);

	if (rc || !referred || (!hard && !change))
		return rc;
	into_add_temp(&sql, "lost", load, INTO_TEMP_ALL);
	etl_text_addf(&sql, "SELECT t.* FROM temp.etlrun_rows_%llu AS c CROSS JOIN ",
		      (unsigned long long)load->index);
	into_add_table(&sql, "staged", load);
	etl_text_add(&sql, " AS s CROSS JOIN ");
	into_add_table(&sql, "main", load);
	etl_text_addf(&sql, " AS t WHERE %d AND c.is_new = 0 AND s.", change);
	etl_text_add_name(&sql, into_row(load), '"');
	etl_text_add(&sql, " = c.row AND ");
	into_add_match(&sql, load, "t", "s");
	if (hard) {
		etl_text_addf(&sql, ";\nINSERT INTO temp.etlrun_lost_%llu SELECT t.* FROM ",
			      (unsigned long long)load->index);
		into_add_table(&sql, "main", load);
		etl_text_add(&sql, " AS t");
		into_add_gone(&sql, load, "t.");
	}
	rc = sql.failed ? into_no_memory(n) : into_run(n, sql.at);
	etl_text_free(&sql);
	return rc;
}

/* A foreign key of a child, as pragma foreign_key_list gives it: its columns and the parent's. */
struct child {
	char *table;
	char *own[64], *parent[64];
	size_t count;
};

static void free_child(struct child *c)
{
	size_t i;

	for (i = 0; i < c->count; i++) {
		free(c->own[i]);
		free(c->parent[i]);
	}
	free(c->table);
	*c = (struct child){ 0 };
}

/* Does a child's column compare as the parent's does, so that an index of it finds what the parent's would? */
static bool is_alike(struct into *n, const struct child *c, size_t at)
{
	const char *type[2] = { NULL, NULL }, *collation[2] = { NULL, NULL };

	if (sqlite3_table_column_metadata(n->db, "main", c->table, c->own[at], &type[0],
					  &collation[0], NULL, NULL, NULL) != SQLITE_OK ||
	    sqlite3_table_column_metadata(n->db, "main", n->load->table->name, c->parent[at],
					  &type[1], &collation[1], NULL, NULL, NULL) != SQLITE_OK)
		return false;
	return sqlite3_stricmp(type[0] ? type[0] : "", type[1] ? type[1] : "") == 0 &&
	       sqlite3_stricmp(collation[0], collation[1]) == 0;
}

static void add_equal(struct etl_text *sql, const struct child *c, const char *parent, bool alike)
{
	size_t i;

	for (i = 0; i < c->count; i++) {
		etl_text_addf(sql, "%s%s.", i ? " AND " : "", parent);
		etl_text_add_name(sql, c->parent[i], '"');
		etl_text_add(sql, alike ? " = c." : " = +c.");
		etl_text_add_name(sql, c->own[i], '"');
	}
}

/* Where an index of the child's columns can be used the rows that went come first, else all of the child's. */
static void add_lost_sql(struct etl_text *sql, struct into *n, const struct child *c)
{
	bool alike = true;
	size_t i;

	etl_text_add(sql, "SELECT count(DISTINCT c.rowid)");
	for (i = 0; i < c->count; i++) {
		etl_text_add(sql, ", c.");
		etl_text_add_name(sql, c->own[i], '"');
		etl_text_add(sql, " AS ");
		etl_text_add_name(sql, c->own[i], '"');
		alike = alike && is_alike(n, c, i);
	}
	etl_text_add(sql, " FROM ");
	if (alike)
		etl_text_addf(sql, "temp.etlrun_lost_%llu AS l CROSS JOIN ",
			      (unsigned long long)n->load->index);
	etl_text_add(sql, "main.");
	etl_text_add_name(sql, c->table, '"');
	etl_text_add(sql, " AS c");
	if (!alike)
		etl_text_addf(sql, " CROSS JOIN temp.etlrun_lost_%llu AS l",
			      (unsigned long long)n->load->index);
	etl_text_add(sql, " ON ");
	add_equal(sql, c, "l", alike);
	etl_text_add(sql, " WHERE NOT EXISTS (SELECT 1 FROM ");
	into_add_table(sql, "main", n->load);
	etl_text_add(sql, " AS p WHERE ");
	add_equal(sql, c, "p", false);
	etl_text_add(sql, ")");
}

static int tell_lost(struct into *n, const struct child *c, sqlite3_stmt *stmt)
{
	int64_t rows = sqlite3_column_int64(stmt, 0);
	struct etl_text key = { 0 };
	int rc;

	add_key_words(&key, stmt, 1);
	if (n->commit->run->foreign_keys == ETL_FK_REPORT) {
		n->inst->host->log(
			n->inst->host, ETL_LOG_WARN,
			"%lld rows of \"%s\" (the first: %s) refer to rows that \"%s\" has no "
			"longer",
			(long long)rows, c->table, key.at ? key.at : "?", n->load->table->name);
		etl_text_free(&key);
		return ETL_OK;
	}
	n->inst->host->at(n->err, c->table, c->own[0], key.at);
	rc = n->inst->host->fail(n->err, ETL_DATA, NULL, 0,
				 "%lld row%s of \"%s\" in %s (the first: %s) would refer to a row "
				 "of \"%s\" that is gone "
				 "from the source, or has another key there; nothing was changed; "
				 "bring \"%s\" too, write delete = \"soft\" or "
				 "\"none\" for \"%s\", or foreign_keys = \"report\"",
				 (long long)rows, rows == 1 ? "" : "s", c->table, n->inst->path,
				 key.at ? key.at : "?", n->load->table->name, c->table,
				 n->load->table->name);
	etl_text_free(&key);
	return rc;
}

static int check_child(struct into *n, const struct child *c)
{
	struct etl_text sql = { 0 };
	sqlite3_stmt *stmt = NULL;
	int rc;

	if (c->count == 0)
		return ETL_OK;
	add_lost_sql(&sql, n, c);
	if (!sql.failed && sqlite3_prepare_v2(n->db, sql.at, -1, &stmt, NULL) != SQLITE_OK) {
		/* A table WITHOUT ROWID has no rowid to count by. */
		char *plain = sqlite3_mprintf("SELECT count(*)%s",
					      sql.at + strlen("SELECT count(DISTINCT c.rowid)"));

		rc = plain ? sqlite_prepare(n->inst, n->db, plain, &stmt, n->err) :
			     into_no_memory(n);
		sqlite3_free(plain);
	} else {
		rc = sql.failed ? into_no_memory(n) : ETL_OK;
	}
	etl_text_free(&sql);
	if (!rc && sqlite3_step(stmt) != SQLITE_ROW)
		rc = sqlite_fail(n->inst, n->db, n->err, "checking who refers to \"%s\"",
				 n->load->table->name);
	else if (!rc && sqlite3_column_int64(stmt, 0) > 0)
		rc = tell_lost(n, c, stmt);
	sqlite3_finalize(stmt);
	return rc;
}

static char *copy_text(sqlite3_stmt *stmt, int column)
{
	const char *text = (const char *)sqlite3_column_text(stmt, column);

	return text ? strdup(text) : NULL;
}

/* One column of a child's foreign key; NULL for the parent's: its primary key. */
static int add_child_column(struct into *n, struct child *c, sqlite3_stmt *stmt)
{
	const struct etl_table *there = n->load->existing;
	char *parent = copy_text(stmt, 4);

	if (c->count == 64) {
		free(parent);
		return ETL_OK;
	}
	if (!parent && c->count < there->primary.column_count)
		parent = strdup(there->primary.columns[c->count]);
	c->parent[c->count] = parent;
	c->own[c->count] = copy_text(stmt, 3);
	c->count++;
	return c->parent[c->count - 1] && c->own[c->count - 1] ? ETL_OK : into_no_memory(n);
}

/* Every foreign key of every table that speaks of this one. */
static int check_children(struct into *n)
{
	sqlite3_stmt *stmt = NULL;
	struct child child = { 0 };
	int step = SQLITE_DONE;
	int rc = sqlite_prepare(
		n->inst, n->db,
		"SELECT m.name, f.id, f.seq, f.\"from\", f.\"to\" FROM main.sqlite_schema m, "
		"pragma_foreign_key_list(m.name) f WHERE m.type = 'table' AND f.\"table\" = ?1 "
		"COLLATE "
		"NOCASE ORDER BY m.name, f.id, f.seq",
		&stmt, n->err);

	if (rc)
		return rc;
	sqlite3_bind_text(stmt, 1, n->load->table->name, -1, SQLITE_STATIC);
	while (!rc && (step = sqlite3_step(stmt)) == SQLITE_ROW) {
		if (sqlite3_column_int(stmt, 2) == 0) {
			rc = check_child(n, &child);
			free_child(&child);
			child.table = copy_text(stmt, 0);
			if (!rc && !child.table)
				rc = into_no_memory(n);
		}
		if (!rc)
			rc = add_child_column(n, &child, stmt);
	}
	if (!rc && step != SQLITE_DONE)
		rc = sqlite_fail(n->inst, n->db, n->err, "listing who refers to \"%s\"",
				 n->load->table->name);
	if (!rc)
		rc = check_child(n, &child);
	free_child(&child);
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
	return rc ? rc : note_lost(n);
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
	return rc || !lost ? rc : check_children(n);
}

int into_orphans_after(struct into *n)
{
	size_t i;
	int rc = ETL_OK;

	for (i = 0; !rc && looks(n) && i < n->commit->load_count; i++) {
		n->load = n->commit->loads[i];
		n->at = i;
		if (n->load->table && n->load->table->kind == ETL_TABLE)
			rc = look_after(n);
	}
	return rc;
}
