/*
 * An index over rows that are all there: its keys are read from the table's pages, sorted and written as a finished
 * b-tree; then the schema names it. What is partial, computed, of another collation than BINARY or larger than the memory
 * that is given, and what has equal keys that may not be, SQLite makes as ever.
 */
#include "config.h"

#include <stdlib.h>

#include "fault.h"
#include "pages.h"

bool page_allowed(const struct etl_instance *inst)
{
	return inst->building && inst->building->replaces && inst->host->flag(inst->conf, "pages");
}

/* At least so much, so that of tables of no great size the file is the same whatever the limit. */
#define LOAD_LEAST  (8 << 20)
#define INDEX_LEAST (16 << 20)

size_t page_load_memory(const struct etl_instance *inst)
{
	return inst->host->memory < LOAD_LEAST ? LOAD_LEAST : (size_t)inst->host->memory;
}

/* While nobody reads and SQLite keeps no pages there is more. */
size_t page_memory(const struct etl_instance *inst)
{
	int64_t bytes = inst->host->memory / 2 * 3;

	return bytes < INDEX_LEAST ? INDEX_LEAST : (size_t)bytes;
}

/* ---- Keys ---- */

/* Is the row one of those that the index is about? False with *RET_OK false: it cannot be read. */
static bool is_in(const struct page_index *x, struct page_scan *scan, bool *ret_ok)
{
	struct page_value v;

	if (!x->only)
		return true;
	*ret_ok = page_scan_values(scan, &x->only_place, 1, &v);
	return *ret_ok && v.kind == PAGE_TEXT && v.size == strlen(x->only) && memcmp(v.bytes, x->only, v.size) == 0;
}

/* False: SQLite has to make it. */
static bool collect(struct etl_instance *inst, struct page_scan *scan, const struct page_index *x, struct page_keys *keys)
{
	enum page_step step = PAGE_FAILED;
	struct page_columns w;
	bool ok = page_columns_open(&w, x->columns, x->descending, x->count), null, fresh;
	uint64_t rows = 0;
	int64_t rowid;

	while (ok && (step = page_scan_next(scan, &rowid)) == PAGE_ROW) {
		ok = ++rows % 4096 || !inst->host->canceled(inst->host);
		if (!ok || !is_in(x, scan, &ok))
			continue;
		ok = page_columns_key(&w, scan, rowid, keys, &null) &&
		     page_keys_row(keys, rowid, &fresh) && (fresh || !x->unique || null);
	}
	page_columns_close(&w);
	return ok && step == PAGE_END;
}

/* ---- The index ---- */

static int fail_file(struct page_making *m, const char *doing, const char *name)
{
	return sqlite_fail_as(m->inst, m->file.code, m->err, "%s index \"%s\"", doing, name);
}

/* Of a table of few rows SQLite has made it sooner. */
static int is_small(struct page_making *m, const char *table, const char *name, bool *ret)
{
	uint64_t size = 0, limit = 0;
	int64_t root = 0;
	bool enough = false;
	int rc = sqlite_number_of(m->inst, m->inst->stage,
				  "SELECT rootpage FROM main.sqlite_schema WHERE type = 'table' AND name = ?1 COLLATE NOCASE",
				  table, 0, &root, m->err);

	if (!rc && root > 0 && root <= UINT32_MAX && page_file_look(&m->file, m->inst->stage) == PAGES_DONE &&
	    page_scan_size(&m->file, (uint32_t)root, &size))
		rc = page_few_enough(m->inst, size, &limit, &enough, m->err);
	else if (m->file.code != SQLITE_OK)
		rc = fail_file(m, "looking at the rows of", name);
	*ret = !enough;
	return rc;
}

/* Its table as SQLite sees it, and as the schema will say it. *RET_PASS: it is not for us. */
int page_making_look(struct page_making *m, const char *table, const char *name, const char *sql, bool *ret_pass)
{
	int64_t there = 0;
	int rc = is_small(m, table, name, ret_pass);

	if (rc || *ret_pass)
		return rc;
	rc = sqlite_number_of(m->inst, m->inst->stage,
			      "SELECT EXISTS (SELECT 1 FROM main.sqlite_schema WHERE name = ?1 COLLATE NOCASE)", name, 0, &there,
			      m->err);
	*ret_pass = there != 0;
	if (!rc && !there)
		rc = page_table_look(m->inst, m->inst->stage, table, &m->table, ret_pass, m->err);
	if (rc || *ret_pass)
		return rc;
	rc = page_index_look(m->inst, m->table.sql, name, sql, &m->made, &m->sql, ret_pass, m->err);
	if (!rc && !*ret_pass)
		*ret_pass = sqlite3_stricmp(m->made.name, m->table.name) != 0;
	return rc;
}

bool page_making_sort(struct page_making *m, size_t memory)
{
	struct page_scan *scan = page_scan_new(&m->file, m->table.root);
	bool ok;

	m->keys = page_keys_new(memory);
	ok = scan && m->keys && collect(m->inst, scan, &m->made.indexes[0], m->keys) && page_keys_sort(m->keys);
	m->file.code = scan ? page_scan_code(scan) : SQLITE_OK;
	page_scan_free(scan);
	return ok;
}

void page_making_free(struct page_making *m)
{
	page_keys_free(m->keys);
	page_file_close(&m->file);
	page_table_free(&m->table);
	page_table_free(&m->made);
	free(m->sql);
	*m = (struct page_making){ .err = NULL };
}

static bool write_tree(struct page_making *m)
{
	const struct page_index *x = &m->made.indexes[0];
	struct page_tree tree;

	page_tree_begin(&tree, &m->file, true);
	if (page_keys_write(m->keys, x->count, x->descending, &tree))
		m->root = page_tree_end(&tree);
	page_tree_free(&tree);
	ETL_FAULT("sqlite.index_written");
	return m->root && page_note_count(m->inst, &m->file);
}

static int name_root(struct page_making *m)
{
	const char *const texts[] = { m->made.indexes[0].name, m->table.name, m->sql };
	sqlite3 *db = m->inst->stage;
	int rc = sqlite_run(m->inst, db, "BEGIN IMMEDIATE", m->err);

	if (rc)
		return rc;
	rc = page_schema_unlock(m->inst, db, m->err);
	if (!rc)
		rc = page_schema_write(m->inst, db,
				       "INSERT INTO main.sqlite_schema (type, name, tbl_name, sql, rootpage) VALUES "
				       "('index', ?1, ?2, ?3, ?4)",
				       texts, 3, m->root, m->err);
	if (!rc)
		rc = page_schema_lock(m->inst, db, m->err);
	ETL_FAULT("sqlite.index_before_commit");
	if (!rc)
		rc = sqlite_run(m->inst, db, "COMMIT", m->err);
	if (rc && !sqlite3_get_autocommit(db))
		sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	if (rc)
		sqlite3_exec(db, "PRAGMA writable_schema = RESET", NULL, NULL, NULL);
	return rc;
}

/* A disk that fails is told: to let SQLite try would leave another file than the one of a run that nothing befell. */
static int make(struct page_making *m, bool *ret_done)
{
	const char *name = m->made.indexes[0].name;
	int rc = ETL_OK;

	if (page_file_open(&m->file, m->inst->stage) != PAGES_DONE)
		return m->file.code == SQLITE_OK ? ETL_OK : fail_file(m, "making", name);
	if (!m->keys && !page_making_sort(m, page_memory(m->inst))) {
		if (m->inst->host->canceled(m->inst->host))
			return ETL_CANCELED;
		return m->file.code == SQLITE_OK ? ETL_OK : fail_file(m, "reading the rows of", name);
	}
	if (!write_tree(m)) {
		if (m->file.code != SQLITE_OK)
			rc = fail_file(m, "writing", name);
		page_note_take_back(m->inst);
		return rc ? rc : page_note_settle(m->inst, m->err);
	}
	ETL_FAULT("sqlite.index_counted");
	rc = name_root(m);
	if (rc)
		page_note_take_back(m->inst);
	else
		page_note_drop(m->inst);
	*ret_done = !rc;
	return rc;
}

int page_index_make(struct etl_instance *inst, const struct etl_load *load, const char *name, const char *sql,
		    bool *ret_done, struct etl_error *err)
{
	struct page_making m = { .inst = inst, .err = err };
	const char *table = load->table->name;
	bool pass = true;
	int rc;

	*ret_done = false;
	if (!page_allowed(inst) || !sqlite3_get_autocommit(inst->stage))
		return ETL_OK;
	rc = page_making_look(&m, table, name, sql, &pass);
	/* Pages are read past SQLite, whose cache would only stand beside the keys. */
	if (!rc && !pass)
		sqlite3_db_release_memory(inst->stage);
	if (!rc && !pass)
		page_ahead_take(inst, &m);
	page_ahead_stop(inst->building);
	if (!rc)
		rc = page_ahead_start(inst, load, name, err);
	if (!rc && !pass)
		rc = make(&m, ret_done);
	page_ahead_note(inst);
	if (!rc)
		inst->host->log(inst->host, ETL_LOG_DEBUG, "index \"%s\": %s", name,
				*ret_done ? "written as pages" : "made by SQLite");
	page_making_free(&m);
	return rc;
}
