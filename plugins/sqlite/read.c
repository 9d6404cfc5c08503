/*
 * The stream of rows, and the splits it is read in. The loop copies each value into its column and asks
 * nobody anything; what does not fit is taken back and rejected with its row, and the next row goes on.
 */
#include "config.h"

#include <stdlib.h>

#include "read.h"

#define CANCEL_ROWS 1024       /* how often the host is asked between batches */
#define RAW_MAX	    (64 << 10) /* bytes of one value in a reject, when the row was too large */

struct reading {
	struct etl_producer producer; /* first: the stream hands it back */
	struct etl_instance *inst;
	sqlite3 *db;
	sqlite3_stmt *stmt;
	struct etl_error *err;
	struct etl_context *context;
	struct ArrowSchema want;   /* ours */
	char *what;		   /* the table, or "the query", for messages */
	bool has_rowid;		   /* the last column of the result is it */
	bool utf16, little_endian; /* the encoding of the database */
	int64_t ordinal;
	int64_t last;	       /* rowid, of the row before */
	struct etl_view *keys; /* or NULL */
	struct ArrowSchema key_schema;
	const struct ArrowArray *key_batch; /* the caller's, alive as long as the stream */
	int64_t key;			    /* the next one to be bound */
};

/* ---- Rejects ----------------------------------------------------------------------------------------------- */

static void add_raw(struct reading *r, struct etl_text *raw, int64_t limit)
{
	int64_t i;

	etl_text_add(raw, "{");
	for (i = 0; i < r->want.n_children; i++) {
		const char *name = r->want.children[i]->name;

		etl_text_add(raw, i ? "," : "");
		etl_text_add_json(raw, name, strlen(name));
		etl_text_add(raw, ":");
		value_add_json(raw, sqlite3_column_value(r->stmt, (int)i), limit);
	}
	etl_text_add(raw, "}");
}

static void add_reason(struct reading *r, struct etl_text *reason, int64_t column, const char *code)
{
	char type[64];

	etl_text_addf(reason, "table %s", r->what);
	if (r->has_rowid)
		etl_text_addf(reason, ", rowid %lld",
			      (long long)sqlite3_column_int64(r->stmt, (int)r->want.n_children));
	if (strcmp(code, "max_row") == 0) {
		etl_text_addf(reason, ": the row is larger than max_row (%lld bytes)",
			      (long long)r->inst->host->max_row);
		return;
	}
	etl_text_addf(reason, ": column \"%s\" holds ", r->want.children[column]->name);
	value_add_words(reason, sqlite3_column_value(r->stmt, (int)column));
	etl_text_addf(reason, ", which does not go into %s exactly (%s)",
		      etl_type_name(etl_type_of(r->want.children[column]), type, sizeof(type)),
		      code);
}

static int no_memory(struct reading *r)
{
	return r->inst->host->fail(r->err, ETL_MEMORY, NULL, 0, "%s: no memory to read %s",
				   r->inst->path, r->what);
}

static int reject_row(struct reading *r, int64_t column, const char *code)
{
	char key[32];
	bool large = strcmp(code, "max_row") == 0;
	struct etl_text raw = { 0 }, reason = { 0 };
	struct etl_reject reject = { .code = code, .ordinal = r->ordinal, .row = 0 };
	int rc;

	if (strcmp(code, "no_memory") == 0)
		return no_memory(r);
	add_raw(r, &raw, large ? RAW_MAX : INT64_MAX);
	add_reason(r, &reason, column, code);
	reject.column = large ? NULL : r->want.children[column]->name;
	reject.reason = reason.at;
	reject.raw = raw.at;
	if (r->has_rowid) {
		sqlite3_snprintf(sizeof(key), key, "rowid=%lld",
				 sqlite3_column_int64(r->stmt, (int)r->want.n_children));
		reject.key = key;
	}
	reject.schema = &r->want;
	rc = raw.failed || reason.failed ? no_memory(r) :
					   r->inst->host->reject(r->context, &reject);
	etl_text_free(&raw);
	etl_text_free(&reason);
	return rc;
}

/* What the text says is lost already, for SQLite converts it in place: so it is not shown. */
static int reject_torn(struct reading *r, int64_t column)
{
	const char *name = r->want.children[column]->name;
	struct etl_reject reject = {
		.code = "invalid_utf16", .column = name, .ordinal = r->ordinal, .schema = &r->want
	};
	struct etl_text raw = { 0 }, reason = { 0 };
	int rc;

	etl_text_addf(&reason, "table %s", r->what);
	if (r->has_rowid)
		etl_text_addf(&reason, ", rowid %lld",
			      (long long)sqlite3_column_int64(r->stmt, (int)r->want.n_children));
	etl_text_addf(
		&reason,
		": column \"%s\" holds a text that is no valid UTF-16 (half a character), which "
		"SQLite itself would change on reading it",
		name);
	add_raw(r, &raw, INT64_MAX);
	reject.reason = reason.at;
	reject.raw = raw.at;
	rc = raw.failed || reason.failed ? no_memory(r) :
					   r->inst->host->reject(r->context, &reject);
	etl_text_free(&raw);
	etl_text_free(&reason);
	return rc;
}

/* ---- Rows ------------------------------------------------------------------------------------------------------ */

/* Takes the value's bytes off what the row may still have. */
static const char *put_checked(struct reading *r, struct etl_column_builder *b, int64_t i,
			       int64_t *left)
{
	sqlite3_value *value = sqlite3_column_value(r->stmt, (int)i);
	int type = sqlite3_value_type(value);

	if (type == SQLITE_NULL && !(r->want.children[i]->flags & ARROW_FLAG_NULLABLE))
		return "not_null";
	if (type == SQLITE_TEXT || type == SQLITE_BLOB)
		*left -= sqlite3_value_bytes(value);
	return *left < 0 ? "max_row" : value_put(b, value);
}

/* The first torn text of the row, or -1. */
static int64_t find_torn(const struct reading *r)
{
	int64_t i;

	for (i = 0; r->utf16 && i < r->want.n_children; i++) {
		if (value_is_torn(sqlite3_column_value(r->stmt, (int)i), r->little_endian))
			return i;
	}
	return -1;
}

/* Rows come in the order of their rowids; a damaged table has them twice, or elsewhere. */
static int check_order(struct reading *r)
{
	int64_t rowid;

	if (!r->has_rowid || r->keys)
		return ETL_OK;
	rowid = sqlite3_column_int64(r->stmt, (int)r->want.n_children);
	if (r->ordinal > 0 && rowid <= r->last)
		return r->inst->host->fail(
			r->err, ETL_FATAL, NULL, SQLITE_CORRUPT,
			"%s: reading %s: rowid %lld comes after %lld; the file is damaged: restore "
			"it "
			"from a backup, or save what can be read with \"sqlite3 FILE .recover\"",
			r->inst->path, r->what, (long long)rowid, (long long)r->last);
	r->last = rowid;
	return ETL_OK;
}

static int add_row(struct reading *r, struct etl_builder *b)
{
	int64_t i = find_torn(r), rows = etl_builder_rows(b), left = r->inst->host->max_row;
	const char *code = NULL;
	int rc = ETL_OK;

	if (i >= 0) {
		rc = reject_torn(r, i);
		r->ordinal++;
		return rc;
	}
	if (left <= 0)
		left = INT64_MAX;
	for (i = 0; !code && i < b->count; i++)
		code = put_checked(r, &b->columns[i], i, &left);
	if (code) {
		etl_builder_truncate(b, rows);
		rc = reject_row(r, i > 0 ? i - 1 : 0, code);
	}
	r->ordinal++;
	return rc;
}

static int bind_next_key(struct reading *r)
{
	int64_t i;

	sqlite3_reset(r->stmt);
	for (i = 0; i < r->keys->count; i++) {
		if (!select_bind_key(r->stmt, (int)i + 1, &r->keys->columns[i], r->key))
			return no_memory(r);
	}
	r->key++;
	return ETL_OK;
}

/* ETL_FILL_MORE: the statement stands on a row. */
static int step(struct reading *r)
{
	int code, rc;

	for (;;) {
		if (r->keys && r->key == 0) {
			if (r->keys->rows == 0)
				return ETL_FILL_END;
			rc = bind_next_key(r);
			if (rc)
				return rc;
		}
		code = sqlite3_step(r->stmt);
		if (code == SQLITE_ROW)
			return ETL_FILL_MORE;
		if (code != SQLITE_DONE)
			return sqlite_fail(r->inst, r->db, r->err, "reading %s", r->what);
		if (!r->keys || r->key == r->keys->rows)
			return ETL_FILL_END;
		rc = bind_next_key(r);
		if (rc)
			return rc;
	}
}

static int fill(struct etl_producer *self, struct etl_builder *b)
{
	struct reading *r = (struct reading *)(void *)self;
	int64_t looked = 0;
	int rc;

	while (!etl_builder_full(b, r->inst->host)) {
		if (looked++ % CANCEL_ROWS == 0 && r->inst->host->canceled(r->inst->host))
			return ETL_CANCELED;
		rc = step(r);
		if (rc == ETL_FILL_END && r->db == r->inst->main)
			rc = sqlite_unmoved(r->inst, r->err);
		if (rc <= ETL_FILL_END)
			return rc;
		rc = check_order(r);
		if (!rc)
			rc = add_row(r, b);
		if (rc)
			return rc;
	}
	return ETL_FILL_MORE;
}

/* ---- Opening ------------------------------------------------------------------------------------------------------ */

static void close_reading(struct etl_producer *self)
{
	struct reading *r = (struct reading *)(void *)self;

	sqlite3_finalize(r->stmt);
	etl_view_free(r->keys);
	if (r->want.release)
		r->want.release(&r->want);
	if (r->key_schema.release)
		r->key_schema.release(&r->key_schema);
	free(r->what);
	free(r);
}

static bool copy_texts(struct reading *r, const struct etl_read *read)
{
	struct etl_text what = { 0 };

	if (read->dataset.table)
		etl_text_add_name(&what, read->dataset.table, '"');
	else
		etl_text_add(&what, "the query");
	r->what = etl_text_take(&what);
	return r->what && etl_schema_copy(&r->want, read->want);
}

static bool take_keys(struct reading *r, const struct etl_read *read)
{
	if (!read->keys)
		return true;
	if (!etl_schema_copy(&r->key_schema, read->key_schema))
		return false;
	r->keys = etl_view_new(&r->key_schema);
	return r->keys && etl_view_set(r->keys, read->keys);
}

static int check_dataset(struct etl_instance *inst, const struct etl_dataset *d,
			 struct etl_error *err)
{
	if (d->schema && sqlite3_stricmp(d->schema, "main") != 0)
		return inst->host->fail(err, ETL_USAGE, NULL, 0,
					"%s: there is no schema \"%s\": SQLite has only \"main\"",
					inst->path, d->schema);
	if (!d->table && !d->query)
		return inst->host->fail(err, ETL_USAGE, NULL, 0,
					"%s: neither a table nor a query is named", inst->path);
	return ETL_OK;
}

static int find_encoding(struct reading *r)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite_prepare(r->inst, r->db, "PRAGMA main.encoding", &stmt, r->err);

	if (rc)
		return rc;
	if (sqlite3_step(stmt) == SQLITE_ROW) {
		const char *name = (const char *)sqlite3_column_text(stmt, 0);

		r->utf16 = name && strncmp(name, "UTF-16", 6) == 0;
		r->little_endian = r->utf16 && strcmp(name, "UTF-16le") == 0;
	} else {
		rc = sqlite_fail(r->inst, r->db, r->err, "asking for the encoding");
	}
	sqlite3_finalize(stmt);
	return rc;
}

static int open_statement(struct reading *r, const struct etl_read *read,
			  const struct etl_split *split)
{
	const char *rowid = NULL;
	int rc = select_rowid(r->inst, r->db, &read->dataset, &rowid, r->err);

	if (rc)
		return rc;
	r->has_rowid = rowid && select_shows_rowid(r->db, read);
	rc = find_encoding(r);
	if (!rc)
		rc = select_prepare(r->inst, r->db, read, split, rowid, &r->stmt, r->err);
	if (!rc && !sqlite3_stmt_readonly(r->stmt))
		rc = r->inst->host->fail(r->err, ETL_USAGE, NULL, 0,
					 "%s: the query changes the database; it "
					 "must be a SELECT",
					 r->inst->path);
	return rc;
}

int sqlite_read(struct etl_instance *inst, const struct etl_read *read,
		const struct etl_split *split, struct ArrowArrayStream *stream,
		struct etl_error *err)
{
	struct reading *r;
	sqlite3 *db;
	int rc = check_dataset(inst, &read->dataset, err);

	if (!rc)
		rc = sqlite_db(inst, read->dataset.token, &db, err);
	if (rc)
		return rc;
	r = calloc(1, sizeof(*r));
	if (!r)
		return inst->host->fail(err, ETL_MEMORY, NULL, 0, "%s: no memory to read",
					inst->path);
	r->producer.fill = fill;
	r->producer.close = close_reading;
	r->inst = inst;
	r->db = db;
	r->err = err;
	r->context = read->context;
	if (!copy_texts(r, read) || !take_keys(r, read))
		rc = inst->host->fail(err, ETL_MEMORY, NULL, 0, "%s: no memory to read",
				      inst->path);
	if (!rc)
		rc = open_statement(r, read, split);
	if (!rc && !etl_stream_open(stream, inst->host, &r->want, &r->producer))
		rc = no_memory(r);
	if (rc)
		close_reading(&r->producer);
	return rc;
}

/* ---- Splits --------------------------------------------------------------------------------------------------------- */

struct bounds {
	int64_t first, last;
	bool empty;
};

static int find_bounds(struct etl_instance *inst, sqlite3 *db, const char *table, const char *rowid,
		       struct bounds *ret, struct etl_error *err)
{
	char *sql = sqlite3_mprintf(
		"SELECT (SELECT min(\"%w\".%s) FROM main.\"%w\"), (SELECT max(\"%w\".%s) "
		"FROM main.\"%w\")",
		table, rowid, table, table, rowid, table);
	sqlite3_stmt *stmt = NULL;
	int rc;

	if (!sql)
		return inst->host->fail(err, ETL_MEMORY, NULL, 0, "%s: no memory to plan",
					inst->path);
	rc = sqlite_prepare(inst, db, sql, &stmt, err);
	sqlite3_free(sql);
	if (rc)
		return rc;
	if (sqlite3_step(stmt) == SQLITE_ROW) {
		ret->empty = sqlite3_column_type(stmt, 0) == SQLITE_NULL;
		ret->first = sqlite3_column_int64(stmt, 0);
		ret->last = sqlite3_column_int64(stmt, 1);
	} else {
		rc = sqlite_fail(inst, db, err, "planning table \"%s\"", table);
	}
	sqlite3_finalize(stmt);
	return rc;
}

static int emit_one(struct etl_split_sink *sink)
{
	struct etl_split split = { .first = INT64_MIN, .last = INT64_MAX, .rows = ETL_UNKNOWN };

	return sink->emit(sink, &split);
}

/* COUNT ranges of nearly the same width; the outer ones are open, so that nothing can fall beside them. */
static int emit_ranges(const struct bounds *b, uint64_t count, struct etl_split_sink *sink)
{
	uint64_t span = (uint64_t)b->last - (uint64_t)b->first;
	uint64_t width = span / count + 1, i;
	int rc = ETL_OK;

	for (i = 0; !rc && i < count && (i == 0 || (i * width <= span)); i++) {
		bool last = i + 1 == count || (i + 1) * width > span;
		struct etl_split split = {
			.index = i,
			.first = i == 0 ? INT64_MIN : (int64_t)((uint64_t)b->first + i * width),
			.last = last ? INT64_MAX :
				       (int64_t)((uint64_t)b->first + (i + 1) * width - 1),
			.rows = width > INT64_MAX ? ETL_UNKNOWN : (int64_t)width,
		};

		rc = sink->emit(sink, &split);
		if (last)
			break;
	}
	return rc;
}

int sqlite_plan(struct etl_instance *inst, const struct etl_read *read, int64_t wanted,
		struct etl_split_sink *sink, struct etl_error *err)
{
	struct bounds b = { .empty = true };
	const char *rowid = NULL;
	sqlite3 *db;
	uint64_t span;
	int rc = check_dataset(inst, &read->dataset, err);

	if (!rc)
		rc = sqlite_db(inst, read->dataset.token, &db, err);
	if (!rc)
		rc = select_rowid(inst, db, &read->dataset, &rowid, err);
	if (!rc && rowid)
		rc = find_bounds(inst, db, read->dataset.table, rowid, &b, err);
	if (rc)
		return rc;
	if (b.empty || wanted <= 1 || read->limit > 0 || read->keys)
		return emit_one(sink);
	span = (uint64_t)b.last - (uint64_t)b.first;
	return emit_ranges(&b, span < (uint64_t)wanted - 1 ? span + 1 : (uint64_t)wanted, sink);
}
