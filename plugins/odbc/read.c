/*
 * The stream of rows of a statement, or of one statement for each key that is asked for. What does not fit is taken back
 * and rejected by its key, and the next row goes on (read-value.c, read-reject.c).
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "pin.h"
#include "reading.h"

#define CANCEL_ROWS 1024 /* how often the host is asked between batches */
#define CURSOR	    "etlrun_rows"
/* A page of a cursor, which the driver keeps as a whole, bytes as digits: rows at first, rows at most, and bytes that it should
 * have. Of rows as wide as the widest so far it has four times as many at most. */
#define PAGE_FIRST 8
#define PAGE_MOST  16384
#define PAGE_BYTES (4 << 20)

/* ---- Rows -------------------------------------------------------------------------------------------------- */

static int add_row(struct reading *r, struct etl_builder *b)
{
	int64_t rows = etl_builder_rows(b), most = r->inst->host->max_row > 0 ? r->inst->host->max_row : INT64_MAX, left = most, i;
	const char *code = NULL;
	int rc = ETL_OK;

	for (i = 0; rc == ETL_OK && !code && i < b->count; i++)
		rc = reading_put(r, &b->columns[i], (size_t)i, &left, &code);
	if (rc == ETL_OK && code) {
		etl_builder_truncate(b, rows);
		rc = reading_reject(r, i > 0 ? (size_t)i - 1 : 0, code);
	}
	r->bytes += most - left;
	if (r->widest < most - left)
		r->widest = most - left;
	r->ordinal++;
	return rc;
}

/* ---- Statements ---------------------------------------------------------------------------------------------- */

/* As the driver has it without loss, whatever is wanted of it. */
static int32_t form_of(const struct odbc_column *got)
{
	switch (got->sql_type) {
	case SQL_BIGINT:
	case SQL_INTEGER:
	case SQL_SMALLINT:
	case SQL_TINYINT:
	case SQL_BIT:
		return FETCH_INT;
	case SQL_REAL:
	case SQL_FLOAT:
	case SQL_DOUBLE:
		return FETCH_REAL;
	case SQL_BINARY:
	case SQL_VARBINARY:
	case SQL_LONGVARBINARY:
		return FETCH_BYTES;
	default:
		return FETCH_TEXT;
	}
}

static int begin_fetch(struct reading *r)
{
	struct odbc_shape shape = { 0 };
	int32_t *forms;
	int rc = odbc_shape_of(r->inst, r->stmt, &shape, r->err);

	if (rc < 0)
		return rc;
	forms = calloc(shape.count + 1, sizeof(*forms));
	/* Of an expression SQLite's driver tells no type: each is a text. */
	for (size_t i = 0; forms && i < shape.count; i++)
		forms[i] = r->inst->dialect == &odbc_sqlite ? FETCH_TEXT : form_of(&shape.columns[i]);
	rc = forms ? fetch_open(&r->fetch, r->inst, r->stmt, &shape, forms, r->err) : reading_no_memory(r);
	r->fetching = rc == ETL_OK;
	free(forms);
	odbc_shape_free(&shape);
	return rc;
}

static void end_statement(struct reading *r)
{
	if (r->stmt != SQL_NULL_HSTMT)
		odbc_done(r->inst, r->stmt);
	r->stmt = SQL_NULL_HSTMT;
	fetch_close(&r->fetch);
	r->fetching = false;
}

/* psqlODBC keeps the whole answer to a statement in memory. A cursor stands in a transaction: that of the view, or one of
 * its own, which ends with the stream. */
static int declare(struct reading *r, struct etl_text *sql)
{
	struct etl_text all = { 0 };
	int rc = ETL_OK;

	if (!r->inst->pinned) {
		rc = odbc_run(r->inst, r->err, r->inst->dialect->begin);
		r->began = rc == ETL_OK;
	}
	etl_text_addf(&all, "DECLARE " CURSOR " NO SCROLL CURSOR FOR %s", sql->at);
	all.failed |= sql->failed;
	if (rc == ETL_OK)
		rc = odbc_run_text(r->inst, r->err, &all);
	etl_text_free(&all);
	r->cursor = rc == ETL_OK;
	r->page = PAGE_FIRST;
	return rc;
}

static int next_page(struct reading *r)
{
	struct etl_text sql = { 0 };
	int rc;

	r->came = r->bytes = 0;
	etl_text_addf(&sql, "FETCH FORWARD %lld FROM " CURSOR, (long long)r->page);
	rc = sql.failed ? reading_no_memory(r) : odbc_execute(r->inst, r->stmt, sql.at, r->err);
	etl_text_free(&sql);
	return rc;
}

static int begin_statement(struct reading *r)
{
	struct etl_text sql = { 0 };
	int rc;

	end_statement(r);
	rc = select_add(r, &sql);
	if (rc == ETL_OK && r->inst->dialect == &odbc_postgresql && !r->keys)
		rc = declare(r, &sql);
	if (rc == ETL_OK)
		rc = odbc_statement(r->inst, &r->stmt, r->err);
	if (rc == ETL_OK)
		rc = r->cursor ? next_page(r) : odbc_execute(r->inst, r->stmt, sql.at, r->err);
	if (rc == ETL_OK)
		rc = begin_fetch(r);
	etl_text_free(&sql);
	r->next_key++;
	return rc;
}

/* The next page, by the same statement, whose columns stay bound. */
static int turn_page(struct reading *r)
{
	int rc;

	if (r->bytes < PAGE_BYTES / 2 && r->page < PAGE_MOST)
		r->page *= 2;
	else if (r->bytes > PAGE_BYTES && r->page > 1)
		r->page /= 2;
	while (r->page > 1 && r->page > 4 * PAGE_BYTES / (r->widest + 1))
		r->page /= 2;
	SQLFreeStmt(r->stmt, SQL_CLOSE);
	rc = next_page(r);
	fetch_again(&r->fetch);
	return rc;
}

/* The next row of the statement at hand. */
static int next_row(struct reading *r)
{
	int rc = fetch_next(&r->fetch, r->err);

	if (rc == 0 && r->cursor && r->came == r->page) {
		rc = turn_page(r);
		if (rc == ETL_OK)
			rc = fetch_next(&r->fetch, r->err);
	}
	r->came += rc > 0;
	return rc;
}

/* ETL_FILL_MORE: it stands on a row. */
static int step(struct reading *r)
{
	for (;;) {
		int rc = r->fetching ? next_row(r) : 0;

		if (rc != 0)
			return rc < 0 ? rc : ETL_FILL_MORE;
		if (r->keys ? r->next_key >= r->keys->rows : r->fetching)
			return ETL_FILL_END;
		rc = begin_statement(r);
		if (rc < 0)
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
		if (rc <= ETL_FILL_END)
			return rc;
		rc = add_row(r, b);
		if (rc < 0)
			return rc;
	}
	return ETL_FILL_MORE;
}

/* ---- Opening -------------------------------------------------------------------------------------------------- */

static void close_reading(struct etl_producer *self)
{
	struct reading *r = (struct reading *)(void *)self;
	struct etl_text text = { 0 };

	end_statement(r);
	if (r->began || r->cursor)
		odbc_ask_quietly(r->inst, r->began ? r->inst->dialect->rollback : "CLOSE " CURSOR, &text);
	etl_text_free(&text);
	odbc_shape_free(&r->declared);
	etl_view_free(r->keys);
	if (r->want.release)
		r->want.release(&r->want);
	etl_arena_free(&r->memory);
	etl_text_free(&r->what);
	etl_text_free(&r->any);
	free(r->scratch);
	free(r);
}

static bool take_keys(struct reading *r, const struct etl_read *read)
{
	if (!read->keys)
		return true;
	r->keys = etl_view_new(read->key_schema);
	return r->keys && etl_view_set(r->keys, read->keys);
}

static bool make_texts(struct reading *r, const struct etl_read *read)
{
	if (read->dataset.table) {
		etl_text_add(&r->what, "table ");
		etl_text_add_name(&r->what, read->dataset.table, '"');
	} else {
		etl_text_add(&r->what, "the query");
	}
	return !r->what.failed && etl_schema_copy(&r->want, read->want) && take_keys(r, read);
}

/* How SQLite keeps texts: hex() gives their bytes as they are. */
static int find_encoding(struct reading *r)
{
	const uint16_t one = 1;
	bool little = *(const uint8_t *)&one == 1;
	struct etl_text text = { 0 };
	int rc;

	if (r->inst->dialect != &odbc_sqlite)
		return ETL_OK;
	rc = odbc_ask(r->inst, "PRAGMA encoding", &text, r->err);
	r->utf16 = text.at && strncmp(text.at, "UTF-16", 6) == 0;
	r->swapped = r->utf16 && (strcmp(text.at, "UTF-16le") == 0) != little;
	etl_text_free(&text);
	return rc;
}

/* A key of which a column does not come with the others names no row. */
static int find_key(struct reading *r)
{
	int rc = odbc_find_key(r->inst, &r->read.dataset, &r->memory, &r->key, r->err);

	for (size_t k = 0; rc == ETL_OK && k < r->key.column_count; k++) {
		bool there = false;

		for (size_t i = 0; i < r->declared.count; i++)
			there |= strcmp(r->declared.columns[i].name, r->key.columns[k]) == 0;
		if (!there)
			r->key.column_count = 0;
	}
	return rc;
}

static int open_reading(struct reading *r, const struct etl_read *read)
{
	int rc = make_texts(r, read) ? odbc_ready(r->inst, r->err) : odbc_no_memory(r->inst, r->err);

	if (rc == ETL_OK)
		rc = select_shape(r->inst, &read->dataset, &r->declared, r->err);
	if (rc == ETL_OK)
		rc = find_key(r);
	if (rc == ETL_OK)
		rc = find_encoding(r);
	if (rc == ETL_OK)
		rc = reading_guard(r);
	return rc == ETL_OK && !r->keys ? begin_statement(r) : rc;
}

int odbc_read(struct etl_instance *inst, const struct etl_read *read, const struct etl_split *split,
	      struct ArrowArrayStream *stream, struct etl_error *err)
{
	struct reading *r = calloc(1, sizeof(*r));
	int rc;

	if (!r)
		return odbc_no_memory(inst, err);
	r->producer.fill = fill;
	r->producer.close = close_reading;
	r->inst = inst;
	r->err = err;
	r->context = read->context;
	r->read = *read;
	if (split)
		r->split = *split;
	rc = open_reading(r, read);
	if (rc == ETL_OK && !etl_stream_open(stream, inst->host, &r->want, &r->producer))
		rc = reading_no_memory(r);
	if (rc < 0)
		close_reading(&r->producer);
	return rc;
}
