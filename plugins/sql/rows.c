/*
 * scope = "row": the query runs over each batch where it stands. A query of one SELECT over the input alone
 * scans the batch once; any other runs once for each row, so that nothing it does can depend on what else is in
 * the batch. A row that SQLite fails at is rejected with SQLite's words, and the scan goes on behind it.
 */
#include "config.h"

#include "stream.h"

enum { BATCH_DONE = 1, BUILDER_FULL = 0 };

/* ---- Columns that pass through ---- */

static bool copy_bytes(struct etl_column_builder *to, const struct etl_column_view *from,
		       const int64_t *rows, int64_t count)
{
	for (int64_t i = 0; i < count; i++) {
		int64_t size;
		const uint8_t *bytes = etl_get_bytes(from, rows[i], &size);

		if (etl_is_null(from, rows[i]))
			etl_put_null(to);
		else if (!etl_put_bytes(to, bytes, size))
			return false;
	}
	return true;
}

static void copy_wide(struct etl_column_builder *to, const struct etl_column_view *from,
		      const int64_t *rows, int64_t count)
{
	for (int64_t i = 0; i < count; i++)
		if (etl_is_null(from, rows[i]))
			etl_put_null(to);
		else
			etl_put_int64(to, etl_get_int64(from, rows[i]));
}

static void copy_fixed(struct etl_column_builder *to, const struct etl_column_view *from,
		       const int64_t *rows, int64_t count)
{
	for (int64_t i = 0; i < count; i++)
		if (etl_is_null(from, rows[i]))
			etl_put_null(to);
		else if (from->width < 0)
			etl_put_bool(to, etl_get_bool(from, rows[i]));
		else
			etl_put_fixed(to, etl_get_fixed(from, rows[i]));
}

static bool copy_column(struct sql_stream *s, struct etl_column_builder *to, int64_t column)
{
	const struct etl_column_view *from = &s->view->columns[column];
	const int64_t *rows = s->keep + s->copied;
	int64_t count = s->kept - s->copied;

	if (from->width == 0)
		return copy_bytes(to, from, rows, count);
	if (from->width == 8)
		copy_wide(to, from, rows, count);
	else
		copy_fixed(to, from, rows, count);
	return true;
}

/* Before the batch goes: the columns that the query did not make. */
static int copy_columns(struct sql_stream *s, struct etl_builder *b)
{
	bool ok = true;

	for (size_t i = 0; ok && i < s->query.count; i++)
		if (s->query.columns[i].way == SQL_COPY)
			ok = copy_column(s, &b->columns[i],
					 s->input.columns[s->query.columns[i].from].at);
	for (size_t i = 0; ok && i < s->traveler_count; i++) {
		struct etl_column_builder *to = &b->columns[s->query.count + i];

		if (s->travelers[i] == s->ordinal && s->query.renumbered)
			for (int64_t k = s->copied; k < s->kept; k++)
				etl_put_int64(to, s->number++);
		else
			ok = copy_column(s, to, s->travelers[i]);
	}
	s->copied = s->kept;
	return ok ? ETL_OK : sql_stream_memory(s);
}

/* ---- One row ---- */

/* The row that the statement stands on, or its reject. */
static int put_row(struct sql_stream *s, struct etl_builder *b, int64_t row)
{
	const char *code = NULL;
	int64_t bytes = 0;
	size_t i;

	for (i = 0; i < s->query.count; i++) {
		struct etl_column_builder *to = &b->columns[i];

		if (s->query.columns[i].way == SQL_COPY)
			continue;
		code = sql_put(&s->out, to, s->engine.stmt, (int)i);
		if (code)
			break;
		bytes += to->used;
	}
	s->given++;
	if (code) {
		const struct etl_reject where = { .schema = &s->in_schema,
						  .batch = &s->batch,
						  .row = row };

		etl_builder_truncate(b, s->kept);
		return sql_stream_reject(s, &where, i, code);
	}
	s->bytes = bytes;
	s->keep[s->kept++] = row;
	return ETL_OK;
}

/* SQLite fails at a row: its words are the reason. */
static int reject_failed(struct sql_stream *s, int rc, int64_t row)
{
	struct etl_reject reject = {
		.code = "sql", .schema = &s->in_schema, .batch = &s->batch, .row = row
	};
	struct etl_text reason = { 0 };
	int r;

	if (!sql_engine_row_failed(rc) || row < s->input.first || row >= s->input.last)
		return sql_engine_fail(&s->engine, "the query fails");
	etl_text_addf(&reason, "the query fails at this row: %s", sqlite3_errmsg(s->engine.db));
	reject.reason = reason.at;
	r = reason.failed ? sql_stream_memory(s) : s->self->host->reject(s->context, &reject);
	etl_text_free(&reason);
	s->given++;
	return r;
}

static void begin(struct sql_stream *s, int64_t first, int64_t last)
{
	sqlite3_reset(s->engine.stmt);
	s->input.first = first;
	s->input.last = last;
	s->input.row = -1;
	s->running = true;
}

static void end(struct sql_stream *s)
{
	sqlite3_reset(s->engine.stmt);
	s->running = false;
}

static bool is_full(const struct sql_stream *s, const struct etl_builder *b)
{
	return s->kept >= b->capacity || s->bytes >= s->self->host->batch_bytes;
}

/* ---- The batch ---- */

/* BATCH_DONE, BUILDER_FULL with the statement where it stands, or negative. */
static int scan_batch(struct sql_stream *s, struct etl_builder *b)
{
	int r = ETL_OK;

	if (!s->running)
		begin(s, s->next, s->batch.length);
	while (r == ETL_OK && !is_full(s, b)) {
		int rc = sqlite3_step(s->engine.stmt);

		if (rc == SQLITE_ROW) {
			r = put_row(s, b, s->input.row);
		} else if (rc == SQLITE_DONE) {
			end(s);
			s->filtered += (uint64_t)(s->batch.length - s->given);
			return BATCH_DONE;
		} else {
			r = reject_failed(s, rc, s->input.row);
			begin(s, s->input.row + 1, s->batch.length);
		}
	}
	return r < 0 ? r : BUILDER_FULL;
}

static void account_row(struct sql_stream *s)
{
	if (s->given == 0)
		s->filtered++;
	else
		s->created += (uint64_t)s->given - 1;
	s->given = 0;
	s->next++;
	end(s);
}

/* The same, row by row: what a row gives is counted when it has given all. */
static int scan_rows(struct sql_stream *s, struct etl_builder *b)
{
	int r = ETL_OK;

	while (r == ETL_OK && s->next < s->batch.length && !is_full(s, b)) {
		int rc;

		if (!s->running)
			begin(s, s->next, s->next + 1);
		rc = sqlite3_step(s->engine.stmt);
		if (rc == SQLITE_ROW) {
			r = put_row(s, b, s->next);
			continue;
		}
		if (rc != SQLITE_DONE)
			r = reject_failed(s, rc, s->next);
		account_row(s);
	}
	return r < 0 ? r : s->next < s->batch.length ? BUILDER_FULL : BATCH_DONE;
}

static void count_rows(struct sql_stream *s)
{
	const struct etl_host *host = s->self->host;

	if (s->filtered)
		host->count(s->context, ETL_COUNT_FILTERED, s->filtered);
	if (s->created)
		host->count(s->context, ETL_COUNT_CREATED, s->created);
	s->filtered = s->created = 0;
}

static int next_batch(struct sql_stream *s)
{
	s->next = s->given = 0;
	return sql_stream_pull(s);
}

/* Small rests of batches are put together, so that a filter that lets little through does not make small ones; what
 * passes unchanged counts for a batch's size too. */
int sql_rows_fill(struct etl_producer *self, struct etl_builder *b)
{
	struct sql_stream *s = (struct sql_stream *)(void *)self;
	int done = BATCH_DONE, r;

	s->kept = s->copied = s->bytes = 0;
	while (done == BATCH_DONE && s->kept < (b->capacity + 1) / 2 &&
	       !etl_builder_full(b, s->self->host)) {
		if (!s->batch.release && (r = next_batch(s)) <= 0)
			return r < 0 ? r : ETL_FILL_END;
		done = s->query.simple ? scan_batch(s, b) : scan_rows(s, b);
		r = done < 0 ? done : sql_engine_clock(&s->engine);
		if (r == ETL_OK)
			r = copy_columns(s, b);
		if (r < 0)
			return r;
		count_rows(s);
		if (done == BATCH_DONE)
			sql_stream_drop(s);
	}
	return ETL_FILL_MORE;
}
