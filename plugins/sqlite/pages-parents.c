/*
 * Foreign keys, looked at in the pages: the parents' keys are a set in memory, and each child's key is in it or not. The
 * answer is that of PRAGMA foreign_key_check. Where types or collations of the two sides differ, where the parent's
 * columns are not plainly unique, and where many rows have no parent, SQLite is asked.
 */
#include "config.h"

#include <stdlib.h>

#include "pages.h"

#define ORPHANS_MOST 10000

struct reference {
	int64_t id;
	char *parent;
	char **from, **to; /* to: NULL where it is the parent's primary key */
	size_t count;
};

struct finding {
	struct etl_instance *inst;
	struct page_table child, parent;
	struct page_file file;
	struct reference *references;
	size_t count;
	uint32_t *from, *to; /* the columns of the one that is looked at */
	struct page_orphans *found;
	struct etl_error *err;
};

static int no_memory(const struct finding *f)
{
	return f->inst->host->fail(f->err, ETL_MEMORY, NULL, 0, "%s: no memory", f->inst->path);
}

/* ---- The foreign keys ---- */

static void free_references(struct finding *f)
{
	for (size_t i = 0; i < f->count; i++) {
		struct reference *r = &f->references[i];

		for (size_t k = 0; k < r->count; k++) {
			free(r->from[k]);
			free(r->to[k]);
		}
		free(r->from);
		free(r->to);
		free(r->parent);
	}
	free(f->references);
}

static char *text_of(sqlite3_stmt *stmt, int column, bool *failed)
{
	const char *text = (const char *)sqlite3_column_text(stmt, column);
	char *copy = text ? strdup(text) : NULL;

	*failed |= text && !copy;
	return copy;
}

static bool add_reference(struct finding *f, int64_t id, sqlite3_stmt *stmt)
{
	struct reference *more = realloc(f->references, (f->count + 1) * sizeof(*more));
	bool failed = false;

	if (!more)
		return false;
	f->references = more;
	more += f->count++;
	*more = (struct reference){ .id = id, .parent = text_of(stmt, 1, &failed) };
	return more->parent != NULL;
}

static bool add_column(struct finding *f, sqlite3_stmt *stmt)
{
	int64_t id = sqlite3_column_int64(stmt, 0);
	bool failed = false;
	struct reference *r;
	char **from, **to;

	if ((!f->count || f->references[f->count - 1].id != id) && !add_reference(f, id, stmt))
		return false;
	r = &f->references[f->count - 1];
	from = realloc(r->from, (r->count + 1) * sizeof(*from));
	r->from = from ? from : r->from;
	to = from ? realloc(r->to, (r->count + 1) * sizeof(*to)) : NULL;
	r->to = to ? to : r->to;
	if (!to)
		return false;
	from[r->count] = text_of(stmt, 2, &failed);
	to[r->count] = text_of(stmt, 3, &failed);
	r->count++;
	return !failed && from[r->count - 1];
}

static int find_references(struct finding *f)
{
	static const char sql[] = "SELECT id, \"table\", \"from\", \"to\" FROM pragma_foreign_key_list(?1) ORDER BY id, seq";
	sqlite3 *db = f->inst->stage;
	sqlite3_stmt *stmt = NULL;
	int step = SQLITE_DONE, rc = sqlite_prepare(f->inst, db, sql, &stmt, f->err);

	if (rc)
		return rc;
	sqlite3_bind_text(stmt, 1, f->child.name, -1, SQLITE_STATIC);
	while (!rc && (step = sqlite3_step(stmt)) == SQLITE_ROW)
		rc = add_column(f, stmt) ? ETL_OK : no_memory(f);
	if (!rc && step != SQLITE_DONE)
		rc = sqlite_fail(f->inst, db, f->err, "reading the foreign keys of \"%s\"", f->child.name);
	sqlite3_finalize(stmt);
	return rc;
}

/* ---- Whether one can be looked at here ---- */

static bool is_binary(const struct finding *f, const char *column)
{
	const char *collation = NULL;

	return sqlite3_table_column_metadata(f->inst->stage, "main", f->parent.name, column, NULL, &collation, NULL, NULL,
					     NULL) == SQLITE_OK &&
	       collation && sqlite3_stricmp(collation, "BINARY") == 0;
}

/* An index of exactly these columns that takes each key once. */
static bool is_unique(const struct finding *f, size_t count)
{
	const struct page_table *p = &f->parent;

	if (count == 1 && f->to[0] == PAGE_ROWID)
		return true;
	for (size_t i = 0; i < p->index_count; i++) {
		const struct page_index *x = &p->indexes[i];
		size_t matched = 0;

		if (!x->known || x->partial || !x->unique || x->count != count)
			continue;
		for (size_t k = 0; k < count; k++)
			for (size_t m = 0; m < count; m++)
				matched += x->columns[k] == f->to[m];
		if (matched == count)
			return true;
	}
	return false;
}

/* The columns of both sides; false: it is not plain. */
static bool match(struct finding *f, const struct reference *r)
{
	for (size_t i = 0; i < r->count; i++) {
		int64_t from = page_table_column(&f->child, r->from[i]);
		int64_t to = r->to[i] ? page_table_column(&f->parent, r->to[i]) : -1;

		if (from < 0 || to < 0 || f->child.columns[from].affinity != f->parent.columns[to].affinity ||
		    !is_binary(f, f->parent.columns[to].name))
			return false;
		for (size_t k = 0; k < i; k++)
			if (f->to[k] == (uint32_t)to)
				return false;
		f->from[i] = from == f->child.alias ? PAGE_ROWID : (uint32_t)from;
		f->to[i] = to == f->parent.alias ? PAGE_ROWID : (uint32_t)to;
	}
	return is_unique(f, r->count);
}

/* ---- Looking ---- */

/* The parents' keys; NULL: they cannot be held. */
static struct page_keys *gather(struct finding *f, size_t count)
{
	struct page_keys *keys = page_keys_new(page_memory(f->inst));
	struct page_scan *scan = page_scan_new(&f->file, f->parent.root);
	enum page_step step = PAGE_FAILED;
	struct page_columns columns;
	bool ok = page_columns_open(&columns, f->to, NULL, count) && keys && scan, null;
	uint64_t rows = 0;
	int64_t rowid;

	while (ok && (step = page_scan_next(scan, &rowid)) == PAGE_ROW)
		ok = (++rows % 4096 || !f->inst->host->canceled(f->inst->host)) &&
		     page_columns_key(&columns, scan, rowid, keys, &null) && page_keys_add(keys);
	page_columns_close(&columns);
	page_scan_free(scan);
	if (ok && step == PAGE_END)
		return keys;
	page_keys_free(keys);
	return NULL;
}

static bool note(struct finding *f, int64_t rowid, int64_t key)
{
	struct page_orphans *o = f->found;

	if (o->count == ORPHANS_MOST)
		return false;
	if (!o->at)
		o->at = malloc(ORPHANS_MOST * sizeof(*o->at));
	if (!o->at)
		return false;
	o->at[o->count++] = (struct page_orphan){ rowid, key };
	return true;
}

/* Each child's key among the parents'. */
static bool compare(struct finding *f, const struct reference *r, struct page_keys *parents)
{
	struct page_scan *scan = page_scan_new(&f->file, f->child.root);
	enum page_step step = PAGE_FAILED;
	struct page_columns columns;
	bool ok = page_columns_open(&columns, f->from, NULL, r->count) && scan, null;
	uint64_t rows = 0;
	int64_t rowid;

	while (ok && (step = page_scan_next(scan, &rowid)) == PAGE_ROW) {
		ok = (++rows % 4096 || !f->inst->host->canceled(f->inst->host)) &&
		     page_columns_key(&columns, scan, rowid, parents, &null);
		if (ok && !null && page_keys_find(parents) == PAGE_NO_KEY)
			ok = note(f, rowid, r->id);
	}
	page_columns_close(&columns);
	page_scan_free(scan);
	return ok && step == PAGE_END;
}

static int look(struct finding *f, const struct reference *r, bool *ret_known)
{
	struct page_keys *parents = NULL;
	bool pass = false;
	int rc = page_table_look(f->inst, f->inst->stage, r->parent, &f->parent, &pass, f->err);

	*ret_known = false;
	if (rc || pass)
		return rc;
	f->from = calloc(r->count, sizeof(*f->from));
	f->to = calloc(r->count, sizeof(*f->to));
	if (!f->from || !f->to)
		rc = no_memory(f);
	else if (match(f, r))
		parents = gather(f, r->count);
	if (parents)
		*ret_known = compare(f, r, parents);
	page_keys_free(parents);
	free(f->from);
	free(f->to);
	page_table_free(&f->parent);
	return rc;
}

int page_orphans_find(struct etl_instance *inst, const char *table, struct page_orphans *ret, bool *ret_known,
		      struct etl_error *err)
{
	struct finding f = { .inst = inst, .found = ret, .err = err };
	bool pass = false, known = true;
	int rc;

	*ret = (struct page_orphans){ 0 };
	*ret_known = false;
	if (!page_allowed(inst) || page_file_look(&f.file, inst->stage) != PAGES_DONE)
		return ETL_OK;
	rc = page_table_look(inst, inst->stage, table, &f.child, &pass, err);
	if (!rc && !pass)
		rc = find_references(&f);
	sqlite3_db_release_memory(inst->stage);
	for (size_t i = 0; !rc && !pass && known && i < f.count; i++)
		rc = look(&f, &f.references[i], &known);
	if (!rc && inst->host->canceled(inst->host))
		rc = ETL_CANCELED;
	*ret_known = !rc && !pass && known;
	if (!*ret_known) {
		free(ret->at);
		*ret = (struct page_orphans){ 0 };
	}
	free_references(&f);
	page_table_free(&f.child);
	return rc;
}
