/*
 * Rows into the staging file: one prepared INSERT, every value bound straight from the batch, one transaction
 * for a split. A row that a constraint refuses goes to the host with SQLite's own words, and the rest goes on.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "fault.h"
#include "into.h"
#include "load.h"

#define RANGES_MOST 65536 /* of one split; beyond it the split cannot be replaced */

int load_no_memory(struct loading *l)
{
	return l->inst->host->fail(l->err, ETL_MEMORY, NULL, 0,
				   "%s: no memory to load table \"%s\"", l->inst->path,
				   l->load->table->name);
}

static int fail_stream(struct loading *l, struct ArrowArrayStream *stream, int code)
{
	const char *words = stream->get_last_error(stream);

	if (l->inst->host->canceled(l->inst->host))
		return ETL_CANCELED;
	if (code == ENOMEM)
		return load_no_memory(l);
	/* Whoever made the stream has described the failure already; the first description stays. */
	return l->inst->host->fail(l->err, ETL_FATAL, NULL, code, "%s",
				   words && *words ? words : "the rows could not be read");
}

/* ---- Which rowids a split took ------------------------------------------------------------------------ */

static bool note_rowid(struct sqlite_part *part, int64_t rowid)
{
	size_t n = part->range_count;
	int64_t *more;

	if (n && part->ranges[2 * n - 1] < INT64_MAX && part->ranges[2 * n - 1] + 1 == rowid) {
		part->ranges[2 * n - 1] = rowid;
		return true;
	}
	if (n == RANGES_MOST) {
		free(part->ranges);
		part->ranges = NULL;
		part->range_count = 0;
		part->known = false;
		return true;
	}
	if ((n & (n - 1)) == 0) {
		more = realloc(part->ranges, 2 * sizeof(*more) * (n ? 2 * n : 1));
		if (!more)
			return false;
		part->ranges = more;
	}
	part->ranges[2 * n] = part->ranges[2 * n + 1] = rowid;
	part->range_count++;
	return true;
}

static struct sqlite_part *find_part(struct sqlite_stage *stage, uint64_t load, uint64_t split)
{
	size_t i;

	for (i = 0; i < stage->part_count; i++) {
		if (stage->parts[i].load == load && stage->parts[i].split == split)
			return &stage->parts[i];
	}
	return NULL;
}

/* Inside the transaction: takes away what this split staged before. */
static int remove_part(struct loading *l, const struct sqlite_part *part)
{
	struct etl_text sql = { 0 };
	sqlite3_stmt *stmt = NULL;
	const char *rowid = NULL;
	size_t i;
	int rc;

	if (part->rows == 0)
		return ETL_OK;
	rc = sqlite_staged_rowid(l->inst, l->load->table->name, &rowid, l->err);
	if (rc)
		return rc;
	if (!part->known || !rowid)
		return l->inst->host->fail(l->err, ETL_FATAL, NULL, 0,
					   "table \"%s\": split %llu is staged already, and its "
					   "rows cannot be told from "
					   "the others'; run again from the start",
					   l->load->table->name, (unsigned long long)part->split);
	etl_text_add(&sql, "DELETE FROM ");
	etl_text_add_name(&sql, l->load->table->name, '"');
	etl_text_addf(&sql, " WHERE %s BETWEEN ?1 AND ?2", rowid);
	rc = sql.failed ? load_no_memory(l) :
			  sqlite_prepare(l->inst, l->inst->stage, sql.at, &stmt, l->err);
	for (i = 0; !rc && i < part->range_count; i++) {
		sqlite3_bind_int64(stmt, 1, part->ranges[2 * i]);
		sqlite3_bind_int64(stmt, 2, part->ranges[2 * i + 1]);
		if (sqlite3_step(stmt) != SQLITE_DONE)
			rc = sqlite_fail(l->inst, l->inst->stage, l->err,
					 "removing split %llu of \"%s\"",
					 (unsigned long long)part->split, l->load->table->name);
		sqlite3_reset(stmt);
	}
	sqlite3_finalize(stmt);
	etl_text_free(&sql);
	return rc;
}

/* Makes room first, so that nothing can fail after COMMIT. */
static struct sqlite_part *room_for_part(struct loading *l)
{
	struct sqlite_stage *stage = l->inst->building;
	struct sqlite_part *part = find_part(stage, l->part.load, l->part.split);
	struct sqlite_part *more;

	if (part)
		return part;
	if ((stage->part_count & (stage->part_count - 1)) == 0) {
		more = realloc(stage->parts,
			       (stage->part_count ? 2 * stage->part_count : 1) * sizeof(*more));
		if (!more)
			return NULL;
		stage->parts = more;
	}
	part = &stage->parts[stage->part_count++];
	*part = (struct sqlite_part){ .load = l->part.load, .split = l->part.split, .known = true };
	return part;
}

/* ---- Rows ------------------------------------------------------------------------------------------------ */

static int note_row(struct loading *l, int64_t rowid)
{
	l->part.rows++;
	if (l->has_rowid && l->part.known && !note_rowid(&l->part, rowid))
		return load_no_memory(l);
	return l->order.wanted ? sqlite_order_note(l->inst, l->load, &l->order, rowid, l->err) : ETL_OK;
}

/* What came so far is in the table from here on, and the transaction of the split is open. */
static int leave_pages(struct loading *l)
{
	int rc = page_load_settle(l->pages, l->err);

	l->through_pages = false;
	return rc ? rc : sqlite_order_open(l->inst, l->load, &l->order, l->err);
}

static int insert_row(struct loading *l, const struct ArrowArray *batch, int64_t row)
{
	const char *code;
	int64_t rowid, i;
	int rc;

	if (l->alias >= 0 && etl_is_null(&l->view->columns[l->alias], row))
		return load_reject_unnumbered(l, batch, row);
	for (i = 0; i < l->view->count; i++) {
		code = l->utf16 && sqlite_is_torn(&l->view->columns[i], row) ?
			       "invalid_utf8" :
			       page_value_exact(&l->view->columns[i], row, l->scratch + i * SQLITE_SCRATCH,
						l->affinities[i], &l->values[i]);
		if (code)
			return load_reject_value(l, batch, row, i, code);
	}
	if (l->through_pages) {
		rc = page_load_row(l->pages, l->values, &rowid, l->err);
		if (rc != PAGES_PASS)
			return rc ? rc : note_row(l, rowid);
		rc = leave_pages(l);
		if (rc)
			return rc;
	}
	for (i = 0; i < l->view->count; i++) {
		code = sqlite_bind_value(l->insert, (int)i, &l->values[i]);
		if (code)
			return load_reject_value(l, batch, row, i, code);
	}
	rc = sqlite3_step(l->insert);
	if (rc != SQLITE_DONE)
		rc = load_reject_step(l, batch, row);
	else
		rc = note_row(l, sqlite3_last_insert_rowid(l->inst->stage));
	sqlite3_reset(l->insert);
	return rc;
}

static int insert_batch(struct loading *l, const struct ArrowArray *batch)
{
	int64_t row;
	int rc = ETL_OK;

	if (!etl_view_set(l->view, batch))
		return l->inst->host->fail(
			l->err, ETL_BUG, NULL, 0,
			"table \"%s\": a batch does not have the columns of its stream",
			l->load->table->name);
	for (row = 0; !rc && row < l->view->rows; row++)
		rc = insert_row(l, batch, row);
	if (!rc)
		l->bytes += sqlite_batch_bytes(l->view);
	return rc;
}

static int begin_rows(struct loading *l)
{
	int rc = sqlite_run(l->inst, l->inst->stage, "BEGIN IMMEDIATE", l->err);

	if (!rc)
		rc = remove_part(l, l->was);
	return rc ? rc : sqlite_order_open(l->inst, l->load, &l->order, l->err);
}

/* As soon as a row comes, or none does. How many come at once must not decide: the file would depend on it. */
static int begin_split(struct loading *l, bool has_rows)
{
	int rc = ETL_OK;

	l->begun = true;
	if (has_rows && !l->was->rows)
		rc = page_load_open(l->inst, l->load->table->name, &l->schema, &l->pages, l->err);
	l->through_pages = l->pages != NULL;
	if (!rc && !l->pages)
		rc = begin_rows(l);
	ETL_FAULT("sqlite.load_begun");
	return rc;
}

static int insert_all(struct loading *l, struct ArrowArrayStream *stream)
{
	struct ArrowArray batch;
	int rc;

	for (;;) {
		if (l->inst->host->canceled(l->inst->host))
			return ETL_CANCELED;
		memset(&batch, 0, sizeof(batch));
		rc = stream->get_next(stream, &batch);
		if (rc)
			return fail_stream(l, stream, rc);
		if (!batch.release)
			return l->begun ? ETL_OK : begin_split(l, false);
		rc = l->begun || !batch.length ? ETL_OK : begin_split(l, true);
		if (!rc)
			rc = insert_batch(l, &batch);
		ETL_FAULT("sqlite.load_batch");
		/* The statement still points into the batch. */
		sqlite3_clear_bindings(l->insert);
		batch.release(&batch);
		if (rc)
			return rc;
	}
}

/* ---- The statement ----------------------------------------------------------------------------------------- */

/* OR ABORT: a table's own ON CONFLICT IGNORE or REPLACE would lose rows in silence. */
static char *insert_sql(const struct loading *l)
{
	struct etl_text sql = { 0 };
	int64_t i;

	etl_text_add(&sql, "INSERT OR ABORT INTO ");
	etl_text_add_name(&sql, l->load->table->name, '"');
	for (i = 0; i < l->schema.n_children; i++) {
		etl_text_add(&sql, i ? ", " : " (");
		etl_text_add_name(&sql, l->schema.children[i]->name, '"');
	}
	etl_text_add(&sql, l->schema.n_children ? ") VALUES (" : " DEFAULT VALUES");
	for (i = 0; i < l->schema.n_children; i++)
		etl_text_addf(&sql, "%s?%lld", i ? ", " : "", (long long)i + 1);
	if (l->schema.n_children)
		etl_text_add(&sql, ")");
	return etl_text_take(&sql);
}

/* A column that is not found keeps what comes; preparing the INSERT says that it is not there. */
static void find_affinities(struct loading *l)
{
	bool strict = l->load->table->flags & ETL_STRICT_TYPES;

	for (int64_t i = 0; i < l->schema.n_children; i++) {
		const char *declared = NULL;

		sqlite3_table_column_metadata(l->inst->stage, "main", l->load->table->name,
					      l->schema.children[i]->name, &declared, NULL, NULL,
					      NULL, NULL);
		l->affinities[i] = sqlite_affinity(declared, strict);
	}
}

/* An INTEGER PRIMARY KEY for which no index was made. */
static int find_alias(struct loading *l)
{
	const char *table = l->load->table->name;
	int64_t there = 0;
	int rc = sqlite_number_of(
		l->inst, l->inst->stage,
		"SELECT 1 FROM pragma_table_info(?1) WHERE pk = 1 AND upper(type) = 'INTEGER' AND "
		"NOT EXISTS (SELECT 1 FROM pragma_table_info(?1) WHERE pk > 1) AND NOT EXISTS "
		"(SELECT 1 FROM pragma_index_list(?1) WHERE origin = 'pk')",
		table, 0, &there, l->err);

	l->alias = -1;
	for (int64_t i = 0; there && i < l->schema.n_children; i++) {
		int key = 0;

		sqlite3_table_column_metadata(l->inst->stage, "main", table,
					      l->schema.children[i]->name, NULL, NULL, NULL, &key,
					      NULL);
		if (key)
			l->alias = i;
	}
	return rc;
}

static int prepare(struct loading *l, struct ArrowArrayStream *stream)
{
	sqlite3 *db = l->inst->stage;
	int64_t utf16 = 0;
	char *sql;
	int rc = stream->get_schema(stream, &l->schema);

	if (rc) {
		l->schema.release = NULL;
		return fail_stream(l, stream, rc);
	}
	l->view = etl_view_new(&l->schema);
	l->scratch = malloc((size_t)(l->schema.n_children + 1) * SQLITE_SCRATCH);
	l->affinities = calloc((size_t)(l->schema.n_children + 1), sizeof(*l->affinities));
	l->values = calloc((size_t)(l->schema.n_children + 1), sizeof(*l->values));
	sql = insert_sql(l);
	if (!l->view || !l->scratch || !l->values || !l->affinities || !sql) {
		free(sql);
		return load_no_memory(l);
	}
	find_affinities(l);
	rc = sqlite_number(l->inst, db, "SELECT encoding <> 'UTF-8' FROM pragma_encoding", 0,
			   &utf16, l->err);
	l->utf16 = utf16 != 0;
	if (!rc)
		rc = find_alias(l);
	l->has_rowid = sqlite_has_rowid(db, l->load->table->name);
	l->part.known = l->has_rowid;
	if (!rc && sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &l->insert, NULL) !=
			   SQLITE_OK)
		rc = sqlite_fail(l->inst, db, l->err, "preparing the rows of \"%s\"",
				 l->load->table->name);
	free(sql);
	return rc;
}

static int prepare_kept(struct loading *l)
{
	const struct etl_load *load = l->load;
	struct etl_text sql = { 0 };
	size_t i;
	int rc;

	if (!load->existing || !into_runs(load->run) || load->deletes == ETL_DELETE_NONE)
		return ETL_OK;
	etl_text_addf(&sql, "INSERT OR IGNORE INTO main." INTO_KEPT "%llu VALUES (",
		      (unsigned long long)load->index);
	for (i = 0; i < load->key_count; i++)
		etl_text_addf(&sql, "%s?%zu", i ? ", " : "", i + 1);
	etl_text_add(&sql, ")");
	rc = sql.failed ? load_no_memory(l) :
			  sqlite_prepare(l->inst, l->inst->stage, sql.at, &l->kept, l->err);
	etl_text_free(&sql);
	return rc;
}

/* All of the split, or nothing. */
static int transact(struct loading *l, struct ArrowArrayStream *stream)
{
	sqlite3 *db = l->inst->stage;
	struct sqlite_part *part = l->was = room_for_part(l);
	int rc = part ? insert_all(l, stream) : load_no_memory(l);

	if (!rc && l->through_pages)
		rc = leave_pages(l);
	ETL_FAULT("sqlite.load_before_commit");
	if (!rc)
		rc = sqlite_run(l->inst, db, "COMMIT", l->err);
	sqlite_order_close(&l->order);
	ETL_FAULT("sqlite.load_after_commit");
	if (rc && !sqlite3_get_autocommit(db))
		sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	page_load_close(l->pages, !rc);
	if (rc)
		return rc;
	free(part->ranges);
	*part = l->part;
	l->part.ranges = NULL;
	return ETL_OK;
}

static int load_split(struct etl_instance *inst, const struct etl_load *load,
		const struct etl_token *token, const struct etl_part *split,
		struct ArrowArrayStream *stream, struct etl_stats *ret, struct etl_error *err)
{
	struct loading l = { .inst = inst, .load = load, .split = split, .err = err };
	int rc = sqlite_staging(inst, token, err);

	if (rc)
		return rc;
	l.part.load = load->index;
	l.part.split = split->index;
	rc = prepare(&l, stream);
	if (!rc)
		rc = prepare_kept(&l);
	if (!rc)
		rc = transact(&l, stream);
	if (!rc) {
		ret->rows = l.part.rows;
		ret->bytes = l.bytes;
	}
	sqlite3_finalize(l.insert);
	sqlite3_finalize(l.kept);
	if (l.schema.release)
		l.schema.release(&l.schema);
	etl_view_free(l.view);
	free(l.scratch);
	free(l.affinities);
	free(l.values);
	free(l.part.ranges);
	return rc;
}

int sqlite_load(struct etl_instance *inst, const struct etl_load *load,
		const struct etl_token *token, const struct etl_part *split,
		struct ArrowArrayStream *stream, struct etl_stats *ret, struct etl_error *err)
{
	struct etl_table goes = *load->table;
	struct etl_load keys = *load;
	char name[64];

	if (!split->gone)
		return load_split(inst, load, token, split, stream, ret, err);
	/* They wait in a table of their own, which design made. */
	snprintf(name, sizeof(name), INTO_GOES "%llu", (unsigned long long)load->index);
	goes.name = name;
	keys.table = &goes;
	return load_split(inst, &keys, token, split, stream, ret, err);
}
