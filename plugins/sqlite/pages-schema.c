/*
 * What the schema says of a table and its indexes, as far as their pages can be written here, and how the schema is made
 * to name the new roots: in SQLite's own transaction, by its own words.
 */
#include "config.h"

#include <stdlib.h>

#include "ddl.h"
#include "pages.h"
#include "plugins/lib/token.h"

static int no_memory(struct etl_instance *inst, struct etl_error *err)
{
	return inst->host->fail(err, ETL_MEMORY, NULL, 0, "%s: no memory", inst->path);
}

static void free_index(struct page_index *x)
{
	free(x->name);
	free(x->columns);
	free(x->descending);
	free(x->only);
}

void page_table_free(struct page_table *t)
{
	for (size_t i = 0; i < t->index_count; i++)
		free_index(&t->indexes[i]);
	for (size_t i = 0; t->columns && i < t->column_count; i++)
		free(t->columns[i].name);
	free(t->columns);
	free(t->indexes);
	free(t->name);
	free(t->sql);
	*t = (struct page_table){ .alias = -1 };
}

int64_t page_table_column(const struct page_table *t, const char *name)
{
	for (size_t i = 0; i < t->column_count; i++)
		if (sqlite3_stricmp(t->columns[i].name, name) == 0)
			return (int64_t)i;
	return -1;
}

/* ---- The table ---- */

struct looking {
	struct etl_instance *inst;
	sqlite3 *db;
	struct page_table *table;
	bool pass;
	struct etl_error *err;
};

static int start(struct looking *l, const char *sql, const char *text, sqlite3_stmt **ret)
{
	int rc = sqlite_prepare(l->inst, l->db, sql, ret, l->err);

	if (!rc)
		sqlite3_bind_text(*ret, 1, text, -1, SQLITE_TRANSIENT);
	return rc;
}

static int end(struct looking *l, sqlite3_stmt *stmt, int step, int rc)
{
	if (!rc && step != SQLITE_DONE && step != SQLITE_ROW)
		rc = sqlite_fail(l->inst, l->db, l->err, "looking at the table \"%s\"", l->table->name);
	sqlite3_finalize(stmt);
	return rc;
}

static int find_table(struct looking *l, const char *name)
{
	sqlite3_stmt *stmt = NULL;
	int step, rc = start(l,
			     "SELECT name, sql, rootpage FROM main.sqlite_schema WHERE type = 'table' AND name = ?1 "
			     "COLLATE NOCASE",
			     name, &stmt);

	if (rc)
		return rc;
	step = sqlite3_step(stmt);
	l->pass = step != SQLITE_ROW || sqlite3_column_type(stmt, 1) != SQLITE_TEXT ||
		  sqlite3_column_int64(stmt, 2) < 2 || sqlite3_column_int64(stmt, 2) > UINT32_MAX;
	if (!l->pass) {
		l->table->name = strdup((const char *)sqlite3_column_text(stmt, 0));
		l->table->sql = strdup((const char *)sqlite3_column_text(stmt, 1));
		l->table->root = (uint32_t)sqlite3_column_int64(stmt, 2);
		if (!l->table->name || !l->table->sql)
			rc = no_memory(l->inst, l->err);
	}
	return end(l, stmt, step, rc);
}

static int add_column(struct looking *l, sqlite3_stmt *stmt)
{
	struct page_table *t = l->table;
	struct page_column *more = realloc(t->columns, (t->column_count + 1) * sizeof(*more));

	if (!more)
		return no_memory(l->inst, l->err);
	t->columns = more;
	more += t->column_count++;
	*more = (struct page_column){ .name = strdup((const char *)sqlite3_column_text(stmt, 3)),
				      .affinity = page_affinity((const char *)sqlite3_column_text(stmt, 4)),
				      .not_null = sqlite3_column_int(stmt, 5) != 0,
				      .has_default = sqlite3_column_type(stmt, 6) != SQLITE_NULL };
	return more->name ? ETL_OK : no_memory(l->inst, l->err);
}

/* A computed column has no place of its own, or is not for us to compute. */
static int find_columns(struct looking *l)
{
	sqlite3_stmt *stmt = NULL;
	int step = SQLITE_DONE, rc = start(l,
			     "SELECT hidden, pk, upper(type) = 'INTEGER' AND pk = 1 AND NOT EXISTS (SELECT 1 FROM "
			     "pragma_table_info(?1) WHERE pk > 1) AND NOT EXISTS (SELECT 1 FROM pragma_index_list(?1) "
			     "WHERE origin = 'pk'), name, type, \"notnull\", dflt_value FROM pragma_table_xinfo(?1)",
			     l->table->name, &stmt);

	l->table->alias = -1;
	if (rc)
		return rc;
	while (!rc && (step = sqlite3_step(stmt)) == SQLITE_ROW) {
		l->pass |= sqlite3_column_int(stmt, 0) != 0;
		if (sqlite3_column_int(stmt, 2))
			l->table->alias = (int64_t)l->table->column_count;
		rc = add_column(l, stmt);
	}
	l->pass |= !l->table->column_count || !sqlite_has_rowid(l->db, l->table->name);
	return end(l, stmt, step, rc);
}

/* ---- Its indexes ---- */

static int find_parts(struct looking *l, struct page_index *x)
{
	sqlite3_stmt *stmt = NULL;
	size_t room = 0;
	int step, rc = start(l, "SELECT cid, \"desc\", coll FROM pragma_index_xinfo(?1) WHERE key ORDER BY seqno", x->name,
			     &stmt);

	if (rc)
		return rc;
	while (!rc && (step = sqlite3_step(stmt)) == SQLITE_ROW) {
		int64_t column = sqlite3_column_int64(stmt, 0);
		const char *coll = (const char *)sqlite3_column_text(stmt, 2);

		if (x->count == room) {
			uint32_t *columns = realloc(x->columns, (room + 16) * sizeof(*columns));
			bool *descending = columns ? realloc(x->descending, (room + 16) * sizeof(*descending)) : NULL;

			x->columns = columns ? columns : x->columns;
			x->descending = descending ? descending : x->descending;
			if (!descending)
				rc = no_memory(l->inst, l->err);
			room += 16;
		}
		if (rc)
			break;
		x->known &= column >= 0 && column < (int64_t)l->table->column_count && coll &&
			    sqlite3_stricmp(coll, "BINARY") == 0;
		x->columns[x->count] = column == l->table->alias ? PAGE_ROWID : (uint32_t)column;
		x->descending[x->count++] = sqlite3_column_int(stmt, 1) != 0;
	}
	x->known &= x->count > 0;
	return end(l, stmt, step, rc);
}

static int add_index(struct looking *l, sqlite3_stmt *stmt)
{
	struct page_table *t = l->table;
	struct page_index *more = realloc(t->indexes, (t->index_count + 1) * sizeof(*more));

	if (!more)
		return no_memory(l->inst, l->err);
	t->indexes = more;
	more += t->index_count++;
	*more = (struct page_index){ .name = strdup((const char *)sqlite3_column_text(stmt, 0)),
				     .unique = sqlite3_column_int(stmt, 1) != 0,
				     .partial = sqlite3_column_int(stmt, 2) != 0, .known = true };
	return more->name ? find_parts(l, more) : no_memory(l->inst, l->err);
}

static int find_indexes(struct looking *l)
{
	sqlite3_stmt *stmt = NULL;
	int step = SQLITE_DONE,
	    rc = start(l, "SELECT name, \"unique\", partial FROM pragma_index_list(?1) ORDER BY seq", l->table->name, &stmt);

	if (rc)
		return rc;
	while (!rc && (step = sqlite3_step(stmt)) == SQLITE_ROW)
		rc = add_index(l, stmt);
	return end(l, stmt, step, rc);
}

int page_table_look(struct etl_instance *inst, sqlite3 *db, const char *name, struct page_table *ret, bool *ret_pass,
		    struct etl_error *err)
{
	struct looking l = { .inst = inst, .db = db, .table = ret, .err = err };
	int rc;

	*ret = (struct page_table){ .alias = -1 };
	rc = find_table(&l, name);
	if (!rc && !l.pass)
		rc = find_columns(&l);
	if (!rc && !l.pass)
		rc = find_indexes(&l);
	if (rc || l.pass)
		page_table_free(ret);
	*ret_pass = l.pass;
	return rc;
}

/* ---- An index that is not there yet ---- */

static int find_sql(struct looking *l, const char *name, char **ret)
{
	sqlite3_stmt *stmt = NULL;
	int step, rc = start(l,
			     "SELECT sql FROM sqlite_schema WHERE type = 'index' AND name = ?1 COLLATE NOCASE AND sql IS "
			     "NOT NULL AND 1 = (SELECT count(*) FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL)",
			     name, &stmt);

	if (rc)
		return rc;
	step = sqlite3_step(stmt);
	l->pass = step != SQLITE_ROW;
	if (!l->pass) {
		*ret = strdup((const char *)sqlite3_column_text(stmt, 0));
		rc = *ret ? rc : no_memory(l->inst, l->err);
	}
	return end(l, stmt, step, rc);
}

/* WHERE column = 'text', of a column that keeps texts and compares their bytes: the one condition that is known here. */
static bool read_only(struct looking *l, struct page_index *x, const char *where)
{
	struct token_cursor at = token_start(where, strlen(where));
	struct token name = token_next(&at), equals = token_next(&at), text = token_next(&at);
	const char *collation = NULL;
	char column[256];
	int64_t found;

	if ((name.kind != TOKEN_WORD && name.kind != TOKEN_NAME) || !token_is(&equals, "=") || text.kind != TOKEN_STRING ||
	    token_next(&at).kind != TOKEN_END || token_name(&name, column, sizeof(column)) >= sizeof(column))
		return false;
	found = page_table_column(l->table, column);
	if (found < 0 || found == l->table->alias || l->table->columns[found].affinity != PAGE_TEXTS ||
	    sqlite3_table_column_metadata(l->db, "main", l->table->name, column, NULL, &collation, NULL, NULL, NULL) !=
		    SQLITE_OK ||
	    !collation || sqlite3_stricmp(collation, "BINARY") != 0)
		return false;
	x->only_place = (uint32_t)found;
	x->only = malloc(text.length + 1);
	if (x->only)
		token_name(&text, x->only, text.length + 1);
	return x->only != NULL;
}

static bool read_where(struct looking *l, const char *sql)
{
	struct page_index *x = &l->table->indexes[0];
	struct ddl_index parsed = { 0 };
	bool ok;

	if (!x->partial)
		return true;
	if (ddl_index_parse(sql, &parsed) != DDL_OK)
		return false;
	ok = parsed.where && read_only(l, x, parsed.where);
	ddl_index_free(&parsed);
	return ok;
}

/* Of all indexes only this one stays. */
static void keep_one(struct page_table *t, const char *name)
{
	size_t i, n = 0;

	for (i = 0; i < t->index_count; i++) {
		if (sqlite3_stricmp(t->indexes[i].name, name) == 0)
			t->indexes[n++] = t->indexes[i];
		else
			free_index(&t->indexes[i]);
	}
	t->index_count = n;
}

int page_index_look(struct etl_instance *inst, const char *table_sql, const char *name, const char *sql,
		    struct page_table *ret, char **ret_sql, bool *ret_pass, struct etl_error *err)
{
	struct looking l = { .inst = inst, .table = ret, .err = err };
	int rc = ETL_OK;

	*ret = (struct page_table){ .alias = -1 };
	*ret_sql = NULL;
	*ret_pass = true;
	/* What cannot be made here, for a function or collation that is not known, is not for us. */
	if (sqlite3_open_v2(":memory:", &l.db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL) !=
		    SQLITE_OK ||
	    sqlite3_exec(l.db, table_sql, NULL, NULL, NULL) != SQLITE_OK ||
	    sqlite3_exec(l.db, sql, NULL, NULL, NULL) != SQLITE_OK) {
		sqlite3_close(l.db);
		return ETL_OK;
	}
	rc = find_sql(&l, name, ret_sql);
	if (!rc && !l.pass) {
		sqlite3_stmt *stmt = NULL;
		char *table = NULL;

		rc = start(&l, "SELECT tbl_name FROM sqlite_schema WHERE name = ?1 COLLATE NOCASE", name, &stmt);
		if (!rc && sqlite3_step(stmt) == SQLITE_ROW)
			table = strdup((const char *)sqlite3_column_text(stmt, 0));
		sqlite3_finalize(stmt);
		if (!rc)
			rc = table ? page_table_look(inst, l.db, table, ret, &l.pass, err) : no_memory(inst, err);
		free(table);
	}
	if (!rc && !l.pass) {
		keep_one(ret, name);
		l.pass = ret->index_count != 1 || !ret->indexes[0].known || !read_where(&l, *ret_sql);
	}
	sqlite3_close(l.db);
	if (rc || l.pass) {
		page_table_free(ret);
		free(*ret_sql);
		*ret_sql = NULL;
	}
	*ret_pass = l.pass;
	return rc;
}

/* ---- Writing it ---- */

int page_schema_unlock(struct etl_instance *inst, sqlite3 *db, struct etl_error *err)
{
	return sqlite_run(inst, db, "PRAGMA writable_schema = ON", err);
}

/* The schema's version tells other connections; this one reads it anew at once, and finds out whether it can. */
int page_schema_lock(struct etl_instance *inst, sqlite3 *db, struct etl_error *err)
{
	int64_t version = 0;
	char sql[64];
	int rc = sqlite_number(inst, db, "PRAGMA main.schema_version", 0, &version, err);

	sqlite3_snprintf(sizeof(sql), sql, "PRAGMA main.schema_version = %d", (int)(uint32_t)(version + 1));
	if (!rc)
		rc = sqlite_run(inst, db, sql, err);
	if (sqlite3_exec(db, "PRAGMA writable_schema = RESET", NULL, NULL, NULL) != SQLITE_OK && !rc)
		rc = sqlite_fail(inst, db, err, "reading the schema anew");
	return rc ? rc : sqlite_run(inst, db, "SELECT count(*) FROM main.sqlite_schema", err);
}

int page_schema_write(struct etl_instance *inst, sqlite3 *db, const char *sql, const char *const *texts, size_t count,
		      int64_t root, struct etl_error *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite_prepare(inst, db, sql, &stmt, err);

	for (size_t i = 0; !rc && i < count; i++)
		sqlite3_bind_text(stmt, (int)i + 1, texts[i], -1, SQLITE_STATIC);
	if (!rc) {
		sqlite3_bind_int64(stmt, (int)count + 1, root);
		if (sqlite3_step(stmt) != SQLITE_DONE)
			rc = sqlite_fail(inst, db, err, "writing the schema");
		else if (sqlite3_changes64(db) < 1)
			rc = inst->host->fail(err, ETL_BUG, NULL, 0, "%s: its schema has no \"%s\" any more", inst->path,
					      texts[count - 1]);
	}
	sqlite3_finalize(stmt);
	return rc;
}
