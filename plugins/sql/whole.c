/*
 * scope = "table": the rows are kept in a table of a temporary database until the last has come, then the query
 * runs over all of them. The file has no name from the moment SQLite has opened it, so nothing stays behind
 * whatever ends the process; what SQLite sorts and groups spills beside it. Memory is bounded by the cache.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "stream.h"

#define LEAST_CACHE (1 << 20) /* bytes */

/* Half for the pages of the table, half for a sorter. */
static int64_t cache_bytes(const struct etl_host *host)
{
	int64_t share = host->memory / (host->workers > 0 ? host->workers : 1) / 2;

	return share > LEAST_CACHE ? share : LEAST_CACHE;
}

/* A row of the query to be rejected, with every value as it is. */
static bool make_found(struct sql_stream *s)
{
	size_t count = s->query.count;
	struct etl_column *columns = calloc(count + 2, sizeof(*columns));
	bool ok = columns != NULL;

	for (size_t i = 0; ok && i < count; i++)
		columns[i] = (struct etl_column){ .name = s->query.columns[i].name,
						  .type = ETL_ANY };
	if (ok)
		columns[count++] = (struct etl_column){ .name = ETL_ORDINAL_COLUMN,
							.type = ETL_INT64 };
	ok = ok && etl_schema_make(&s->found_schema, columns, count, sizeof(*columns)) &&
	     (s->found = etl_builder_new(&s->found_schema, 1));
	free(columns);
	return ok;
}

static int make_table(struct sql_stream *s)
{
	struct etl_text sql = { 0 };
	int r;

	etl_text_addf(&sql,
		      "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA locking_mode = "
		      "EXCLUSIVE; PRAGMA temp_store = FILE; PRAGMA secure_delete = OFF; PRAGMA "
		      "cache_size = -%lld; ",
		      (long long)(cache_bytes(s->self->host) / 1024));
	sql_input_ddl(&s->input, SQL_INPUT, true, &sql);
	if (sql_input_has_alias(&s->input)) {
		etl_text_add(&sql, "; CREATE TEMP VIEW ");
		etl_text_add_name(&sql, s->input.table, '"');
		etl_text_add(&sql, " AS SELECT * FROM main." SQL_INPUT);
	}
	r = sql.failed ? sql_stream_memory(s) : sql_engine_run(&s->engine, sql.at);
	etl_text_free(&sql);
	return r;
}

int sql_whole_open(struct sql_stream *s)
{
	int r;

	sql_engine_close(&s->engine);
	if (!make_found(s))
		return sql_stream_memory(s);
	r = sql_engine_open(&s->engine, s->self, &s->input, "", s->err);
	return r == ETL_OK ? make_table(s) : r;
}

/* ---- In ---- */

static int prepare_insert(struct sql_stream *s, sqlite3_stmt **ret)
{
	struct etl_text sql = { 0 };
	int rc;

	etl_text_add(&sql, "INSERT INTO main." SQL_INPUT " VALUES (");
	for (size_t i = 0; i < s->input.count; i++)
		etl_text_add(&sql, i > 0 ? ", ?" : "?");
	etl_text_add(&sql, ")");
	rc = sql.failed ? SQLITE_NOMEM : sqlite3_prepare_v2(s->engine.db, sql.at, -1, ret, NULL);
	etl_text_free(&sql);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(s->engine.db, "BEGIN", NULL, NULL, NULL);
	return rc == SQLITE_OK ? ETL_OK : sql_engine_fail(&s->engine, "keeping the rows");
}

/* False: SQLite failed. */
static bool bind_value(sqlite3_stmt *stmt, int at, const struct sql_value *v)
{
	sqlite3_destructor_type borrowed = v->bytes == v->scratch ? SQLITE_TRANSIENT :
								    SQLITE_STATIC;
	const void *bytes = v->size ? v->bytes : "";

	switch (v->kind) {
	case SQLITE_INTEGER:
		return sqlite3_bind_int64(stmt, at, v->whole) == SQLITE_OK;
	case SQLITE_FLOAT:
		return sqlite3_bind_double(stmt, at, v->real) == SQLITE_OK;
	case SQLITE_TEXT:
		return sqlite3_bind_text64(stmt, at, bytes, (sqlite3_uint64)v->size, borrowed,
					   SQLITE_UTF8) == SQLITE_OK;
	case SQLITE_BLOB:
		return sqlite3_bind_blob64(stmt, at, bytes, (sqlite3_uint64)v->size, borrowed) ==
		       SQLITE_OK;
	default:
		return sqlite3_bind_null(stmt, at) == SQLITE_OK;
	}
}

static int reject_nan(struct sql_stream *s, int64_t row, const char *column)
{
	const struct etl_reject reject = {
		.code = "not_a_number",
		.column = column,
		.reason = "SQLite, which runs the query over the whole table, has no value for NaN",
		.schema = &s->in_schema,
		.batch = &s->batch,
		.row = row
	};

	return s->self->host->reject(s->context, &reject);
}

static int keep_row(struct sql_stream *s, sqlite3_stmt *insert, int64_t row)
{
	struct sql_value v;
	int rc;

	for (size_t i = 0; i < s->input.count; i++) {
		sql_value_read(&v, &s->view->columns[s->input.columns[i].at], row);
		if (v.is_nan)
			return reject_nan(s, row, s->input.columns[i].name);
		if (!bind_value(insert, (int)i + 1, &v))
			return sql_engine_fail(&s->engine, "keeping the rows");
	}
	s->rows_in++;
	rc = sqlite3_step(insert);
	if (rc != SQLITE_DONE)
		return sql_engine_fail(&s->engine, "keeping the rows");
	sqlite3_reset(insert);
	return ETL_OK;
}

static int keep_rows(struct sql_stream *s, sqlite3_stmt *insert)
{
	int r;

	while ((r = sql_stream_pull(s)) > 0)
		for (int64_t row = 0; row < s->batch.length; row++) {
			r = keep_row(s, insert, row);
			if (r < 0)
				return r;
		}
	return r;
}

static int keep_all(struct sql_stream *s)
{
	const struct etl_host *host = s->self->host;
	sqlite3_stmt *insert = NULL;
	int r = prepare_insert(s, &insert);

	if (r == ETL_OK)
		r = keep_rows(s, insert);
	sqlite3_finalize(insert);
	sql_stream_drop(s);
	if (r == ETL_OK)
		r = sql_engine_run(&s->engine, "COMMIT");
	if (r == ETL_OK && sqlite3_prepare_v2(s->engine.db, s->self->query, -1, &s->engine.stmt,
					      NULL) != SQLITE_OK)
		r = sql_engine_fail(&s->engine, "preparing the query");
	if (host->max_row > 0 && host->max_row < INT32_MAX)
		sqlite3_limit(s->engine.db, SQLITE_LIMIT_LENGTH, (int)host->max_row);
	s->spooled = true;
	if (!s->number)
		s->number = ETL_ORDINAL_MADE;
	return r;
}

/* ---- Out ---- */

static int reject_row(struct sql_stream *s, size_t column, const char *code)
{
	struct ArrowArray row = { .release = NULL };
	const struct etl_reject where = { .schema = &s->found_schema, .batch = &row };
	bool ok = true;
	int r;

	for (size_t i = 0; ok && i < s->query.count; i++)
		ok = !sql_put(&s->out, &s->found->columns[i], s->engine.stmt, (int)i);
	if (ok)
		etl_put_int64(&s->found->columns[s->query.count], s->number);
	ok = ok && etl_builder_finish(s->found, &row);
	r = ok ? sql_stream_reject(s, &where, column, code) : sql_stream_memory(s);
	if (row.release)
		row.release(&row);
	return r;
}

static int put_row(struct sql_stream *s, struct etl_builder *b)
{
	int64_t rows = etl_builder_rows(b);
	const char *code = NULL;
	size_t i;
	int r = ETL_OK;

	s->bytes = 0;
	for (i = 0; !code && i < s->query.count; i++) {
		code = sql_put(&s->out, &b->columns[i], s->engine.stmt, (int)i);
		s->bytes += b->columns[i].used;
	}
	if (code) {
		etl_builder_truncate(b, rows);
		r = reject_row(s, i - 1, code);
	} else if (s->traveler_count) {
		etl_put_int64(&b->columns[s->query.count], s->number);
	}
	s->number++;
	s->rows_out++;
	return r;
}

/* What came in and did not come out was left out by the query, or put together with other rows. */
static void account(struct sql_stream *s)
{
	const struct etl_host *host = s->self->host;

	if (s->rows_in > s->rows_out)
		host->count(s->context, s->query.mixed ? ETL_COUNT_MERGED : ETL_COUNT_FILTERED,
			    s->rows_in - s->rows_out);
	else if (s->rows_in < s->rows_out)
		host->count(s->context, ETL_COUNT_CREATED, s->rows_out - s->rows_in);
}

int sql_whole_fill(struct etl_producer *self, struct etl_builder *b)
{
	struct sql_stream *s = (struct sql_stream *)(void *)self;
	int r = s->spooled ? ETL_OK : keep_all(s), rc = SQLITE_ROW;

	s->bytes = 0;
	while (r == ETL_OK && etl_builder_rows(b) < b->capacity &&
	       s->bytes < s->self->host->batch_bytes) {
		rc = sqlite3_step(s->engine.stmt);
		if (rc != SQLITE_ROW)
			break;
		r = put_row(s, b);
	}
	if (r == ETL_OK)
		r = sql_engine_clock(&s->engine);
	if (r == ETL_OK && rc != SQLITE_ROW && rc != SQLITE_DONE)
		r = sql_engine_fail(&s->engine,
				    "the query fails over the whole table, so no row can be told "
				    "from the others");
	if (r < 0 || rc == SQLITE_ROW)
		return r < 0 ? r : ETL_FILL_MORE;
	account(s);
	return ETL_FILL_END;
}
