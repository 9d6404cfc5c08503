/*
 * Rows of the target that lose their parent by a merge: its row is deleted, or gets another key. Every table may have such
 * rows, also one that is not in the run. As SQLite does it, the type and the collation of the parent's column decide.
 */
#include "config.h"

#include <stdlib.h>

#include "into.h"

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
int into_note_lost(struct into *n)
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

/* Is a table of the run? Then its row stays since the source has it so, or because it was rejected. */
static bool is_brought(const struct into *n, const char *table)
{
	size_t i;

	for (i = 0; i < n->commit->load_count; i++) {
		const struct etl_table *t = n->commit->loads[i]->table;

		if (t && sqlite3_stricmp(t->name, table) == 0)
			return true;
	}
	return false;
}

static int tell_lost(struct into *n, const struct child *c, sqlite3_stmt *stmt)
{
	bool comes = is_brought(n, c->table);
	int64_t rows = sqlite3_column_int64(stmt, 0);
	struct etl_text key = { 0 };
	int rc;

	into_add_key_words(&key, stmt, 1);
	if (n->commit->run->foreign_keys == ETL_FK_REPORT) {
		n->inst->host->log(
			n->inst->host, ETL_LOG_WARN,
			"%lld row%s of \"%s\" (the first: %s) refer%s to rows that \"%s\" has no "
			"longer",
			(long long)rows, rows == 1 ? "" : "s", c->table, key.at ? key.at : "?",
			rows == 1 ? "s" : "", n->load->table->name);
		etl_text_free(&key);
		return ETL_OK;
	}
	n->inst->host->at(n->err, c->table, c->own[0], key.at);
	rc = n->inst->host->fail(n->err, ETL_DATA, NULL, 0,
				 "%lld row%s of \"%s\" in %s (the first: %s) would refer to a row "
				 "of \"%s\" that is gone "
				 "from the source, or has another key there; nothing was changed; "
				 "%s \"%s\"%s, write delete = \"soft\" or "
				 "\"none\" for \"%s\", or foreign_keys = \"report\"",
				 (long long)rows, rows == 1 ? "" : "s", c->table, n->inst->path,
				 key.at ? key.at : "?", n->load->table->name,
				 comes ? "mend those rows of" : "bring", c->table,
				 comes ? " in the source" : " too", n->load->table->name);
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
int into_check_children(struct into *n)
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
