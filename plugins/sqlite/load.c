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
#include "screen.h"

#define RANGES_MOST 65536 /* of one split; beyond it the split cannot be replaced */
#define NAMES_MAX   512	  /* bytes of the column names of a reject */

struct loading {
	struct etl_instance *inst;
	const struct etl_load *load;
	const struct etl_part *split;
	struct etl_error *err;
	struct ArrowSchema schema;
	struct etl_view *view;
	sqlite3_stmt *insert;
	char *scratch; /* SQLITE_SCRATCH bytes a column */
	enum sqlite_affinity *affinities; /* of the columns of the table */
	bool has_rowid;
	int64_t alias; /* the column that is the rowid itself; -1: none */
	bool utf16; /* how the file keeps its texts */
	struct sqlite_part part;
	struct sqlite_order order;
	sqlite3_stmt *kept; /* takes the keys of rows that are refused, for a merge that deletes; or NULL */
	uint64_t bytes;
};

static int no_memory(struct loading *l)
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
		return no_memory(l);
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
	rc = sql.failed ? no_memory(l) :
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

/* ---- Rows SQLite refuses ------------------------------------------------------------------------------ */

static const char *code_of(int extended)
{
	switch (extended) {
	case SQLITE_CONSTRAINT_NOTNULL:
		return "not_null";
	case SQLITE_CONSTRAINT_UNIQUE:
	case SQLITE_CONSTRAINT_PRIMARYKEY:
	case SQLITE_CONSTRAINT_ROWID:
		return "duplicate";
	case SQLITE_CONSTRAINT_CHECK:
		return "check";
	case SQLITE_CONSTRAINT_DATATYPE:
	case SQLITE_MISMATCH:
		return "type";
	case SQLITE_TOOBIG:
		return "too_big";
	/* The statement itself is in order: it was prepared. */
	case SQLITE_ERROR:
		return "expression";
	default:
		return (extended & 0xff) == SQLITE_CONSTRAINT ? "constraint" : NULL;
	}
}

/* "UNIQUE constraint failed: t.a, t.b" -> "a, b"; NULL when the words name no column of this table. */
static const char *columns_of(const char *words, const char *table, char *buf)
{
	size_t length = strlen(table), n = 0;
	const char *at = words;

	while ((at = strstr(at, table)) != NULL) {
		const char *end;

		at += length;
		if (*at != '.' || (at - length > words && at[-1 - (ptrdiff_t)length] != ' '))
			continue;
		at++;
		end = strstr(at, ", ");
		end = end ? end : at + strlen(at);
		if (n + (size_t)(end - at) + 3 > NAMES_MAX)
			break;
		if (n) {
			memcpy(buf + n, ", ", 2);
			n += 2;
		}
		memcpy(buf + n, at, (size_t)(end - at));
		n += (size_t)(end - at);
		at = end;
	}
	buf[n] = '\0';
	return n ? buf : NULL;
}

static int64_t find_column(const struct loading *l, const char *name)
{
	int64_t i;

	for (i = 0; i < l->schema.n_children; i++) {
		if (sqlite3_stricmp(l->schema.children[i]->name, name) == 0)
			return i;
	}
	return -1;
}

/* The row is in the source still, so what it means in the target is not gone. A key that SQLite does not take is
 * in no target. */
static int keep_key(struct loading *l, int64_t row)
{
	const struct etl_load *load = l->load;
	size_t i;
	int rc = ETL_OK;

	for (i = 0; l->kept && i < load->key_count; i++) {
		int64_t at = find_column(l, load->key[i]);

		if (at < 0 || sqlite_bind(l->kept, (int)i, &l->view->columns[at], row,
					  l->scratch + at * SQLITE_SCRATCH))
			return ETL_OK;
	}
	if (!l->kept)
		return ETL_OK;
	if (sqlite3_step(l->kept) != SQLITE_DONE)
		rc = sqlite_fail(l->inst, l->inst->stage, l->err, "keeping the key of a row of \"%s\"",
				 load->table->name);
	sqlite3_reset(l->kept);
	sqlite3_clear_bindings(l->kept);
	return rc;
}

static int reject(struct loading *l, const struct ArrowArray *batch, int64_t row, const char *code,
		  const char *column, const char *reason)
{
	struct etl_reject r = { .code = code,
				.column = column,
				.reason = reason,
				.schema = &l->schema,
				.batch = batch,
				.row = row,
				.ordinal = -1 };
	int rc = l->inst->host->reject(l->split->context, &r);

	return rc ? rc : keep_key(l, row);
}

static int reject_step(struct loading *l, const struct ArrowArray *batch, int64_t row)
{
	int extended = sqlite3_extended_errcode(l->inst->stage);
	const char *code = code_of(extended), *words = sqlite3_errmsg(l->inst->stage);
	char columns[NAMES_MAX];
	const char *column;
	char *reason;
	int rc;

	if (!code)
		return sqlite_fail(l->inst, l->inst->stage, l->err, "writing a row of \"%s\"",
				   l->load->table->name);
	column = extended == SQLITE_CONSTRAINT_CHECK ?
			 NULL :
			 columns_of(words, l->load->table->name, columns);
	if (extended == SQLITE_MISMATCH && l->load->table->primary.column_count == 1)
		column = l->load->table->primary.columns[0];
	reason = sqlite3_mprintf("SQLite refuses the row: %s", words);
	if (!reason)
		return no_memory(l);
	rc = reject(l, batch, row, code, column, reason);
	sqlite3_free(reason);
	return rc;
}

static int reject_value(struct loading *l, const struct ArrowArray *batch, int64_t row,
			int64_t column, const char *code)
{
	const struct etl_column_view *c = &l->view->columns[column];
	struct etl_text reason = { 0 };
	char type[64];
	int rc;

	if (strcmp(code, "no_memory") == 0)
		return no_memory(l);
	etl_text_addf(&reason, "the %s ", etl_type_name(c->type, type, sizeof(type)));
	if (strcmp(code, "too_big") == 0)
		etl_text_add(&reason, "is larger than SQLite takes");
	else if (strcmp(code, "invalid_utf8") == 0)
		etl_text_add(
			&reason,
			"is a text that is not valid UTF-8, which a UTF-16 database would change");
	else {
		etl_text_add_value(&reason, c, row);
		etl_text_add(&reason, strcmp(code, "too_precise") == 0 ?
					      " would be changed by SQLite, whose numbers are integers of 64 "
					      "bits and floats; a column of type text keeps it" :
					      " cannot be stored by SQLite");
	}
	rc = reason.failed ?
		     no_memory(l) :
		     reject(l, batch, row, code, l->schema.children[column]->name, reason.at);
	etl_text_free(&reason);
	return rc;
}

/* SQLite would make a number of it, and then maybe refuse the row that has this number. */
static int reject_unnumbered(struct loading *l, const struct ArrowArray *batch, int64_t row)
{
	const char *name = l->schema.children[l->alias]->name;
	struct etl_text reason = { 0 };
	int rc;

	etl_text_addf(&reason,
		      "%s is NULL, of which SQLite would make a number, since it is the INTEGER "
		      "PRIMARY KEY; with "
		      "exclude_columns all rows get one",
		      name);
	rc = reason.failed ? no_memory(l) : reject(l, batch, row, "not_null", name, reason.at);
	etl_text_free(&reason);
	return rc;
}

/* ---- Rows ------------------------------------------------------------------------------------------------ */

static int insert_row(struct loading *l, const struct ArrowArray *batch, int64_t row)
{
	const char *code;
	int64_t i;
	int rc;

	if (l->alias >= 0 && etl_is_null(&l->view->columns[l->alias], row))
		return reject_unnumbered(l, batch, row);
	for (i = 0; i < l->view->count; i++) {
		code = l->utf16 && sqlite_is_torn(&l->view->columns[i], row) ?
			       "invalid_utf8" :
			       sqlite_bind_exact(l->insert, (int)i, &l->view->columns[i], row,
						 l->scratch + i * SQLITE_SCRATCH,
						 l->affinities[i]);
		if (code)
			return reject_value(l, batch, row, i, code);
	}
	rc = sqlite3_step(l->insert);
	if (rc != SQLITE_DONE)
		rc = reject_step(l, batch, row);
	else {
		l->part.rows++;
		rc = l->has_rowid && l->part.known &&
				     !note_rowid(&l->part,
						 sqlite3_last_insert_rowid(l->inst->stage)) ?
			     no_memory(l) :
			     ETL_OK;
		if (!rc && l->order.wanted)
			rc = sqlite_order_note(l->inst, l->load, &l->order,
					       sqlite3_last_insert_rowid(l->inst->stage), l->err);
	}
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
			return ETL_OK;
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
	sql = insert_sql(l);
	if (!l->view || !l->scratch || !l->affinities || !sql) {
		free(sql);
		return no_memory(l);
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
	rc = sql.failed ? no_memory(l) :
			  sqlite_prepare(l->inst, l->inst->stage, sql.at, &l->kept, l->err);
	etl_text_free(&sql);
	return rc;
}

/* All of the split, or nothing. */
static int transact(struct loading *l, struct ArrowArrayStream *stream)
{
	sqlite3 *db = l->inst->stage;
	struct sqlite_part *part;
	int rc = sqlite_run(l->inst, db, "BEGIN IMMEDIATE", l->err);

	if (rc)
		return rc;
	ETL_FAULT("sqlite.load_begun");
	part = room_for_part(l);
	rc = part ? remove_part(l, part) : no_memory(l);
	if (!rc)
		rc = sqlite_order_open(l->inst, l->load, &l->order, l->err);
	if (!rc)
		rc = insert_all(l, stream);
	ETL_FAULT("sqlite.load_before_commit");
	if (!rc)
		rc = sqlite_run(l->inst, db, "COMMIT", l->err);
	sqlite_order_close(&l->order);
	ETL_FAULT("sqlite.load_after_commit");
	if (rc) {
		if (!sqlite3_get_autocommit(db))
			sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
		return rc;
	}
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
