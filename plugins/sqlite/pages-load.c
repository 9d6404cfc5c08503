/*
 * The rows of a split into an empty table: leaves as they come, keys of its unique constraints beside them, and at the end
 * the rest of the b-trees. What a row may be refused for is only noticed here: a NULL where none may be, a key that is
 * there already. The rows so far are then settled, and SQLite takes that row and what follows, or says in its own words
 * why not.
 */
#include "config.h"

#include <stdlib.h>

#include "ddl.h"
#include "fault.h"
#include "pages.h"

#define ROW_MOST (64 << 20) /* bytes; whether more can be stored SQLite says */
#define MISSING	 SIZE_MAX

struct page_load {
	struct etl_instance *inst;
	struct page_table table;
	bool counts; /* AUTOINCREMENT */
	struct page_few few; /* the rows, until there are enough */
	uint64_t limit;	     /* how many bytes are enough; 0: not known yet */
	bool enough, unfit;  /* unfit: enough, and yet no pages */
	struct page_file file;
	struct page_tree tree;
	struct page_keys **keys; /* beside the table's indexes */
	size_t *from;		 /* beside its columns: which of the values, or MISSING */
	struct page_value *row;	 /* what the columns keep */
	char *scratch;
	uint8_t *head, *numbers;
	struct page_piece *pieces;
	int64_t last;
	uint64_t rows;
};

static int no_memory(const struct page_load *l, struct etl_error *err)
{
	return l->inst->host->fail(err, ETL_MEMORY, NULL, 0, "%s: no memory to load table \"%s\"", l->inst->path,
				   l->table.name);
}

/* ---- Which tables ---- */

static bool has_check(const struct ddl_table *t)
{
	for (size_t i = 0; i < t->constraint_count; i++)
		if (t->constraints[i].kind == DDL_CHECK)
			return true;
	for (size_t i = 0; i < t->column_count; i++)
		if (ddl_find(&t->columns[i], DDL_CHECK) || ddl_find(&t->columns[i], DDL_GENERATED))
			return true;
	return false;
}

static bool counts(const struct ddl_table *t)
{
	for (size_t i = 0; i < t->column_count; i++) {
		const struct ddl_constraint *key = ddl_find(&t->columns[i], DDL_PRIMARY_KEY);

		if (key && key->autoincrement)
			return true;
	}
	return false;
}

/* By its own words: SQLite's pragmas say nothing of a CHECK. */
static int judge_words(struct page_load *l, bool *ret_pass, struct etl_error *err)
{
	struct ddl_table t = { 0 };
	int status = ddl_table_parse(l->table.sql, &t);

	if (status == DDL_NO_MEMORY)
		return no_memory(l, err);
	*ret_pass = status != DDL_OK || t.without_rowid || t.strict || t.column_count != l->table.column_count ||
		    has_check(&t);
	if (status == DDL_OK) {
		l->counts = counts(&t);
		ddl_table_free(&t);
	}
	return ETL_OK;
}

static int is_empty(struct page_load *l, bool *ret_pass, struct etl_error *err)
{
	int64_t there = 0;
	char *sql = sqlite3_mprintf("SELECT EXISTS (SELECT 1 FROM main.\"%w\")", l->table.name);
	int rc = sql ? sqlite_number(l->inst, l->inst->stage, sql, 1, &there, err) : no_memory(l, err);

	sqlite3_free(sql);
	*ret_pass = there != 0;
	return rc;
}

/* Nothing that a dropped table takes along, and a counter that begins. */
static int judge_state(struct page_load *l, bool *ret_pass, struct etl_error *err)
{
	sqlite3 *db = l->inst->stage;
	int64_t there = 0;
	int rc = sqlite_number_of(
		l->inst, db,
		"SELECT EXISTS (SELECT 1 FROM main.sqlite_schema WHERE tbl_name = ?1 COLLATE NOCASE AND type NOT IN ('table', "
		"'index'))",
		l->table.name, 1, &there, err);

	if (!rc && !there)
		rc = sqlite_number(l->inst, db,
				   "SELECT EXISTS (SELECT 1 FROM main.sqlite_schema WHERE sql LIKE 'CREATE VIRTUAL %' OR name LIKE "
				   "'sqlite^_stat_' ESCAPE '^')",
				   1, &there, err);
	if (!rc && !there && l->counts)
		rc = sqlite_number_of(l->inst, db,
				      "SELECT EXISTS (SELECT 1 FROM main.sqlite_sequence WHERE name = ?1 COLLATE NOCASE)",
				      l->table.name, 1, &there, err);
	*ret_pass = there != 0;
	return rc;
}

static size_t find(const struct ArrowSchema *from, const char *name)
{
	for (int64_t i = 0; i < from->n_children; i++)
		if (sqlite3_stricmp(from->children[i]->name, name) == 0)
			return (size_t)i;
	return MISSING;
}

/* A column that does not come is NULL, unless SQLite has to make something of it. */
static bool match(struct page_load *l, const struct ArrowSchema *from)
{
	const struct page_table *t = &l->table;
	int64_t matched = 0;

	for (size_t i = 0; i < t->column_count; i++) {
		l->from[i] = find(from, t->columns[i].name);
		matched += l->from[i] != MISSING;
		if (l->from[i] == MISSING && (int64_t)i != t->alias &&
		    (t->columns[i].not_null || t->columns[i].has_default))
			return false;
	}
	for (size_t i = 0; i < t->index_count; i++)
		if (!t->indexes[i].known || t->indexes[i].partial)
			return false;
	return matched == from->n_children;
}

static bool make_room(struct page_load *l)
{
	size_t n = l->table.column_count, indexes = l->table.index_count;

	l->from = calloc(n, sizeof(*l->from));
	l->row = calloc(n, sizeof(*l->row));
	l->scratch = malloc(n * PAGE_INT_TEXT);
	l->head = malloc((n + 1) * PAGE_VARINT);
	l->numbers = malloc(n * 8);
	l->pieces = calloc(n + 1, sizeof(*l->pieces));
	l->keys = calloc(indexes + 1, sizeof(*l->keys));
	for (size_t i = 0; l->keys && i < indexes; i++) {
		l->keys[i] = page_keys_new(page_load_memory(l->inst) / indexes);
		if (!l->keys[i])
			return false;
	}
	return l->from && l->row && l->scratch && l->head && l->numbers && l->pieces && l->keys;
}

static int open_load(struct page_load *l, const char *name, const struct ArrowSchema *from, bool *ret_pass,
		     struct etl_error *err)
{
	int rc = page_table_look(l->inst, l->inst->stage, name, &l->table, ret_pass, err);

	if (!rc && !*ret_pass)
		rc = judge_words(l, ret_pass, err);
	if (!rc && !*ret_pass)
		rc = is_empty(l, ret_pass, err);
	if (rc || *ret_pass)
		return rc;
	if (!make_room(l))
		return no_memory(l, err);
	*ret_pass = !match(l, from);
	return rc;
}

static void say(const struct page_load *l, bool pages)
{
	l->inst->host->log(l->inst->host, ETL_LOG_DEBUG, "table \"%s\": %s", l->table.name,
			   pages ? "rows are written as pages" : "rows go through SQLite");
}

int page_load_open(struct etl_instance *inst, const char *table, const struct ArrowSchema *from, struct page_load **ret,
		   struct etl_error *err)
{
	struct page_load *l;
	bool pass = false;
	int rc;

	*ret = NULL;
	if (!page_allowed(inst) || !sqlite3_get_autocommit(inst->stage))
		return ETL_OK;
	l = calloc(1, sizeof(*l));
	if (!l)
		return inst->host->fail(err, ETL_MEMORY, NULL, 0, "%s: no memory", inst->path);
	l->inst = inst;
	rc = open_load(l, table, from, &pass, err);
	if (!rc && pass)
		inst->host->log(inst->host, ETL_LOG_DEBUG, "table \"%s\": rows go through SQLite", table);
	if (rc || pass)
		page_load_close(l, false);
	else
		*ret = l;
	return rc;
}

/* ---- Rows ---- */

/* The row as the columns keep it. False: SQLite has to look at it. */
static bool keep(struct page_load *l, const struct page_value *values, int64_t *ret_rowid)
{
	const struct page_table *t = &l->table;
	uint64_t bytes = 0;

	*ret_rowid = l->last + 1;
	for (size_t i = 0; i < t->column_count; i++) {
		const struct page_column *c = &t->columns[i];
		struct page_value *v = &l->row[i];

		v->kind = PAGE_NULL;
		if (l->from[i] != MISSING)
			*v = values[l->from[i]];
		if ((int64_t)i == t->alias) {
			if (l->from[i] != MISSING && (v->kind != PAGE_INT || (l->counts && v->integer < 1)))
				return false;
			if (l->from[i] != MISSING)
				*ret_rowid = v->integer;
			v->kind = PAGE_NULL;
			continue;
		}
		if ((v->kind == PAGE_NULL && c->not_null) ||
		    !page_value_keep(v, c->affinity, l->scratch + i * PAGE_INT_TEXT))
			return false;
		bytes += v->kind == PAGE_TEXT || v->kind == PAGE_BLOB ? v->size : 8;
	}
	return bytes < ROW_MOST && (l->rows ? *ret_rowid > l->last : *ret_rowid > INT64_MIN) && *ret_rowid < INT64_MAX;
}

static bool put_key(struct page_load *l, size_t at, int64_t rowid)
{
	const struct page_index *x = &l->table.indexes[at];
	const struct page_value row = { .kind = PAGE_INT, .integer = rowid };
	bool null = false;

	page_keys_begin(l->keys[at]);
	for (size_t i = 0; i < x->count; i++) {
		const struct page_value *v = x->columns[i] == PAGE_ROWID ? &row : &l->row[x->columns[i]];

		null |= v->kind == PAGE_NULL;
		if (!page_keys_value(l->keys[at], v, x->descending[i]))
			return false;
	}
	return !x->unique || null || page_keys_find(l->keys[at]) == PAGE_NO_KEY;
}

/* All of them, or none. */
static bool put_keys(struct page_load *l, int64_t rowid)
{
	size_t i;
	bool fresh;

	for (i = 0; i < l->table.index_count; i++)
		if (!put_key(l, i, rowid))
			return false;
	for (i = 0; i < l->table.index_count; i++)
		if (!page_keys_row(l->keys[i], rowid, &fresh))
			break;
	if (i == l->table.index_count)
		return true;
	while (i-- > 0)
		page_keys_unrow(l->keys[i]);
	return false;
}

/* The record is `pieces`, its size is returned. */
static uint64_t make_record(struct page_load *l)
{
	size_t n = l->table.column_count, types = 0, used = 0, head;
	uint8_t *at = l->head + PAGE_VARINT;
	uint64_t size = 0;

	for (size_t i = 0; i < n; i++) {
		const struct page_value *v = &l->row[i];
		uint64_t serial = page_serial(v);

		types += page_varint_put(at + types, serial);
		l->pieces[i + 1] = (struct page_piece){ v->bytes, (size_t)page_serial_size(serial) };
		if (serial < 12) {
			l->pieces[i + 1].at = l->numbers + used;
			used += page_number_put(l->numbers + used, v, serial);
		}
		size += l->pieces[i + 1].size;
	}
	head = page_head_size(types);
	at -= head;
	page_varint_put(at, types + head);
	l->pieces[0] = (struct page_piece){ at, types + head };
	return size + types + head;
}

static int fail_write(struct page_load *l, struct etl_error *err)
{
	return l->file.code == SQLITE_OK ?
		       no_memory(l, err) :
		       sqlite_fail_as(l->inst, l->file.code, err, "writing rows of \"%s\"", l->table.name);
}

/* There are enough rows, if the file and what is in it allow it. */
static int begin_pages(struct page_load *l, struct etl_error *err)
{
	int rc = judge_state(l, &l->unfit, err);

	if (rc || l->unfit)
		return rc;
	l->unfit = page_file_open(&l->file, l->inst->stage) != PAGES_DONE;
	if (l->unfit)
		return l->file.code == SQLITE_OK ? ETL_OK : fail_write(l, err);
	page_tree_begin(&l->tree, &l->file, false);
	l->enough = true;
	say(l, true);
	rc = page_few_write(&l->few, &l->tree) ? ETL_OK : fail_write(l, err);
	page_few_free(&l->few);
	return rc;
}

static int put_few(struct page_load *l, int64_t rowid, uint64_t size, struct etl_error *err)
{
	bool enough = false;
	int rc;

	if (!page_few_add(&l->few, rowid, l->pieces, l->table.column_count + 1, size))
		return no_memory(l, err);
	rc = page_few_enough(l->inst, l->few.used, &l->limit, &enough, err);
	return rc || !enough ? rc : begin_pages(l, err);
}

int page_load_row(struct page_load *l, const struct page_value *values, int64_t *ret_rowid, struct etl_error *err)
{
	uint64_t size;
	int rc = ETL_OK;

	if (l->unfit || !keep(l, values, ret_rowid) || !put_keys(l, *ret_rowid))
		return PAGES_PASS;
	size = make_record(l);
	if (!l->enough)
		rc = put_few(l, *ret_rowid, size, err);
	else if (!page_tree_row(&l->tree, *ret_rowid, l->pieces, l->table.column_count + 1, size))
		rc = fail_write(l, err);
	l->last = *ret_rowid;
	l->rows++;
	return rc;
}

/* ---- The end ---- */

static bool write_trees(struct page_load *l, uint32_t *ret_root, uint32_t *index_roots)
{
	const struct page_table *t = &l->table;
	struct page_tree tree;
	size_t i;
	bool ok;

	*ret_root = page_tree_end(&l->tree);
	for (i = 0, ok = *ret_root != 0; ok && i < t->index_count; i++) {
		page_tree_begin(&tree, &l->file, true);
		index_roots[i] = page_keys_write(l->keys[i], t->indexes[i].count, t->indexes[i].descending, &tree) ?
					 page_tree_end(&tree) :
					 0;
		page_tree_free(&tree);
		page_keys_free(l->keys[i]);
		l->keys[i] = NULL;
		ok = index_roots[i] != 0;
	}
	ETL_FAULT("sqlite.pages_written");
	return ok && page_note_count(l->inst, &l->file);
}

/* The schema's rows of the table, kept in temp while the table, which is empty, is dropped: that gives its old roots to
 * the free list. Then they are written again, in their places, with the new roots. */
static int name_roots(struct page_load *l, uint32_t root, const uint32_t *index_roots, struct etl_error *err)
{
	static const char keep_sql[] = "INSERT INTO temp.etlrun_schema SELECT rowid, type, name, tbl_name, sql FROM "
				       "main.sqlite_schema WHERE tbl_name = ?1 AND ?2 > 0";
	static const char write_sql[] = "INSERT INTO main.sqlite_schema (rowid, type, name, tbl_name, sql, rootpage) SELECT n, "
					"type, name, tbl_name, sql, ?3 FROM temp.etlrun_schema WHERE type = ?1 AND name = ?2";
	struct etl_instance *inst = l->inst;
	const struct page_table *t = &l->table;
	const char *texts[] = { "table", t->name }, *const name = t->name;
	sqlite3 *db = inst->stage;
	char *drop = sqlite3_mprintf("DROP TABLE main.\"%w\"", t->name);
	int rc = drop ? ETL_OK : no_memory(l, err);

	if (!rc)
		rc = page_schema_write(inst, db, keep_sql, texts + 1, 1, 1, err);
	if (!rc)
		rc = sqlite_run(inst, db, drop, err);
	if (!rc)
		rc = page_schema_unlock(inst, db, err);
	if (!rc)
		rc = page_schema_write(inst, db, write_sql, texts, 2, root, err);
	texts[0] = "index";
	for (size_t i = 0; !rc && i < t->index_count; i++) {
		texts[1] = t->indexes[i].name;
		rc = page_schema_write(inst, db, write_sql, texts, 2, index_roots[i], err);
	}
	if (!rc && l->counts)
		rc = page_schema_write(inst, db, "INSERT INTO main.sqlite_sequence (name, seq) VALUES (?1, ?2)",
				       &name, 1, l->last, err);
	if (!rc)
		rc = page_schema_lock(inst, db, err);
	sqlite3_free(drop);
	return rc;
}

static int settle_few(struct page_load *l, struct etl_error *err)
{
	int rc = sqlite_run(l->inst, l->inst->stage, "BEGIN IMMEDIATE", err);

	say(l, false);
	if (!rc && l->rows)
		rc = page_few_insert(&l->few, l->inst, &l->table, err);
	page_few_free(&l->few);
	return rc;
}

int page_load_settle(struct page_load *l, struct etl_error *err)
{
	struct etl_instance *inst = l->inst;
	uint32_t root = 0, *index_roots;
	int rc;

	if (!l->enough)
		return settle_few(l, err);
	index_roots = calloc(l->table.index_count + 1, sizeof(*index_roots));
	rc = !index_roots			     ? no_memory(l, err) :
	     !write_trees(l, &root, index_roots) ? fail_write(l, err) :
						     ETL_OK;
	ETL_FAULT("sqlite.pages_counted");
	if (!rc)
		rc = sqlite_run(inst, inst->stage,
				"CREATE TABLE IF NOT EXISTS temp.etlrun_schema (n INTEGER PRIMARY KEY, type, name, tbl_name, "
				"sql); DELETE FROM temp.etlrun_schema; BEGIN IMMEDIATE",
				err);
	if (!rc)
		rc = name_roots(l, root, index_roots, err);
	free(index_roots);
	return rc;
}

void page_load_close(struct page_load *l, bool committed)
{
	if (!l)
		return;
	if (l->enough && !committed) {
		if (!sqlite3_get_autocommit(l->inst->stage))
			sqlite3_exec(l->inst->stage, "ROLLBACK", NULL, NULL, NULL);
		sqlite3_exec(l->inst->stage, "PRAGMA writable_schema = RESET", NULL, NULL, NULL);
		page_note_take_back(l->inst);
	} else if (l->enough) {
		page_note_drop(l->inst);
	}
	for (size_t i = 0; l->keys && i < l->table.index_count; i++)
		page_keys_free(l->keys[i]);
	page_tree_free(&l->tree);
	page_file_close(&l->file);
	page_few_free(&l->few);
	page_table_free(&l->table);
	free(l->keys);
	free(l->from);
	free(l->row);
	free(l->scratch);
	free(l->head);
	free(l->numbers);
	free(l->pieces);
	free(l);
}
