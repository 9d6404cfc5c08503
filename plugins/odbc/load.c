/*
 * One split into its staged table, in one transaction. Rows that the server is known not to take are rejected before they
 * are sent. When it refuses others all the same, the split is begun anew and goes in small pieces, so that the row to
 * blame is known.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "fault.h"
#include "gone.h"
#include "layout.h"
#include "load.h"

/* ---- Rejects ------------------------------------------------------------------------------------------------------ */

int odbc_loading_reject(struct loading *l, int64_t row, const char *code, const char *column, const char *reason)
{
	struct etl_reject reject = { .code = code,
				     .column = column,
				     .reason = reason,
				     .schema = &l->schema,
				     .batch = l->batch,
				     .row = row };

	l->rejected = true;
	return l->inst->host->reject(l->part->context, &reject);
}

/* Is the row fit to be sent? 1, 0 (it was rejected), or negative. */
static int admit_row(struct loading *l, const struct etl_view *view, int64_t row)
{
	for (size_t i = 0; i < l->bind.count; i++) {
		struct etl_text why = { 0 };
		const char *code = bind_check(&l->bind, i, &view->columns[i], row, &why);
		const char *column = l->bind.columns[i].column->name;
		struct etl_text reason = { 0 };
		int rc;

		if (!code)
			continue;
		etl_text_addf(&reason, "table \"%s\": column \"%s\": %s", l->load->table->name, column,
			      why.at ? why.at : code);
		rc = reason.failed ? odbc_no_memory(l->inst, l->err) : odbc_loading_reject(l, row, code, column, reason.at);
		etl_text_free(&why);
		etl_text_free(&reason);
		return rc;
	}
	return 1;
}

/* ---- Rows ---------------------------------------------------------------------------------------------------------- */

void loading_carried(struct loading *l, const char *how, int64_t count)
{
	if (count <= 0)
		return;
	l->stats.rows += (uint64_t)count;
	l->inst->host->carried(l->part->context, how, (uint64_t)count);
}

void loading_disconnect(struct loading *l)
{
	bind_disconnect(&l->bind);
	documents_close(l);
	probe_close(l);
	odbc_disconnect(l->inst);
}

int loading_start_over(struct loading *l, struct odbc_said *said, const char *sentence)
{
	int rc = said->klass == ETL_RETRY_CONNECTION || said->canceled ? ETL_OK : careful_note(l);

	loading_disconnect(l);
	if (rc < 0) {
		etl_text_free(&said->words);
		return rc;
	}
	if (said->klass == ETL_DATA || said->klass == ETL_FATAL)
		said->klass = ETL_RETRY_STATEMENT;
	return odbc_tell(l->inst, said, l->err, sentence);
}

int loading_send(struct loading *l, const struct etl_view *view, const int64_t *rows, int64_t count)
{
	bool refused = false;
	int rc = count ? bind_execute(&l->bind, view, rows, count, &refused, l->err) : ETL_OK;

	if (rc == ETL_OK)
		loading_carried(l, l->bind.many ? "multi-row inserts" : "parameter arrays", count);
	else if (refused && careful_note(l) < 0)
		rc = ETL_FAILED;
	return rc;
}

/* Moves the rows that the rung does not carry as they are behind the others; how many it carries. */
static int64_t part_rows(struct loading *l, const struct etl_view *view, int64_t count, int64_t *aside)
{
	int64_t kept = 0, put = 0;

	for (int64_t i = 0; i < count; i++) {
		bool takes = l->rung == RUNG_BULK ? bulk_take(l, view, l->rows[i]) : documents_take(l, view, l->rows[i]);

		if (takes)
			l->rows[kept++] = l->rows[i];
		else
			aside[put++] = l->rows[i];
	}
	return kept;
}

static int send_fast(struct loading *l, const struct etl_view *view, int64_t count)
{
	int64_t *aside = malloc((size_t)(count + 1) * sizeof(*aside)), kept;
	int rc;

	if (!aside)
		return odbc_no_memory(l->inst, l->err);
	kept = part_rows(l, view, count, aside);
	rc = l->rung == RUNG_BULK ? bulk_send(l, view, l->rows, kept) : documents_send(l, view, l->rows, kept);
	if (rc == ETL_OK && kept < count && l->rung == RUNG_BULK)
		rc = bulk_pause(l);
	if (rc == ETL_OK)
		rc = loading_send(l, view, aside, count - kept);
	free(aside);
	return rc;
}

static int take(struct loading *l, const struct etl_view *view)
{
	int64_t count = 0;
	int rc = ETL_OK;

	for (int64_t row = 0; rc >= 0 && row < view->rows; row++) {
		rc = admit_row(l, view, row);
		if (rc == 1)
			l->rows[count++] = row;
	}
	if (rc < 0 || count == 0)
		return rc < 0 ? rc : ETL_OK;
	l->bind.room = rate_bytes(l->bind.many ? MANY_ROOM : BIND_ROOM);
	if (l->rung == RUNG_ROWS)
		return careful_send(l, view, l->rows, count);
	if (l->rung == RUNG_ARRAYS || l->rung == RUNG_MANY)
		return loading_send(l, view, l->rows, count);
	return send_fast(l, view, count);
}

/* ---- The stream ------------------------------------------------------------------------------------------------------ */

/* The connection takes a question only when no bulk copy is under way. */
static int look_at_rate(struct loading *l)
{
	int rc = l->rung == RUNG_BULK ? bulk_pause(l) : ETL_OK;

	if (rc == ETL_OK)
		watch_look(l);
	return rc;
}

static int pull(struct loading *l, struct ArrowArrayStream *stream, struct etl_view *view)
{
	int rc = ETL_OK;

	while (rc == ETL_OK) {
		struct ArrowArray batch = { 0 };

		if (stream->get_next(stream, &batch) != 0)
			return ETL_FAILED;
		if (!batch.release)
			return ETL_OK;
		l->batch = &batch;
		l->rows = malloc((size_t)(batch.length + 1) * sizeof(*l->rows));
		rc = l->rows && etl_view_set(view, &batch) ? take(l, view) : odbc_no_memory(l->inst, l->err);
		free(l->rows);
		batch.release(&batch);
		if (rc == ETL_OK && watch_is_due(l))
			rc = look_at_rate(l);
		if (rc == ETL_OK && l->inst->host->canceled(l->inst->host))
			rc = ETL_CANCELED;
	}
	return rc;
}

static int load_rows(struct loading *l, struct ArrowArrayStream *stream)
{
	struct etl_view *view = etl_view_new(&l->schema);
	int rc = view ? ETL_OK : odbc_no_memory(l->inst, l->err);

	if (rc == ETL_OK)
		rc = insert_write(l);
	if (rc == ETL_OK)
		rc = ladder_choose(l);
	if (rc == ETL_OK)
		rc = pull(l, stream, view);
	if (rc == ETL_OK && l->rung == RUNG_BULK)
		rc = bulk_pause(l);
	etl_view_free(view);
	return rc;
}

static int find_pages(struct loading *l)
{
	struct etl_text staged = { 0 };
	int rc;

	odbc_add_staged(&staged, l->inst, l->load, l->token);
	rc = staged.failed ? odbc_no_memory(l->inst, l->err) : bind_page_open(&l->bind, staged.at, l->err);
	etl_text_free(&staged);
	return rc;
}

static int load_stream(struct loading *l, struct ArrowArrayStream *stream)
{
	int rc;

	rc = odbc_layout(l->inst, l->load, l->err);
	if (rc < 0)
		return rc;
	if (stream->get_schema(stream, &l->schema) != 0)
		return ETL_FAILED;
	rc = bind_open(&l->bind, l->inst, l->load->table, &l->schema, l->err);
	if (rc == ETL_OK)
		rc = find_pages(l);
	if (rc == ETL_OK)
		rc = load_rows(l, stream);
	l->stats.bytes += l->bind.bytes;
	documents_close(l);
	bulk_close(l);
	probe_close(l);
	bind_close(&l->bind);
	l->schema.release(&l->schema);
	return rc;
}

/* An error within pieces must not take the whole transaction back where the server leaves that to the session. */
static int set_abort(struct loading *l, bool on)
{
	if (l->rung != RUNG_ROWS || l->inst->dialect != &odbc_tsql)
		return ETL_OK;
	return odbc_run(l->inst, l->err, on ? "SET XACT_ABORT ON" : "SET XACT_ABORT OFF");
}

/* A server that takes the transaction back without a word is known by what is no longer there: the name of this piece of work,
 * which is written down first. */
static int begin_work(struct loading *l)
{
	int rc = odbc_begin_held_work(l->inst, l->err);

	return rc == ETL_OK ? odbc_note_unit(l->inst, l->err) : rc;
}

static int end_work(struct loading *l, int rc)
{
	if (rc == ETL_OK && l->rejected && !l->part->gone && l->load->deletes != ETL_DELETE_NONE)
		rc = odbc_note_taken(l->inst, l->token, l->load->index, l->err);
	if (rc == ETL_OK)
		rc = odbc_check_unit(l->inst, l->err);
	if (rc == ETL_OK && l->inst->dialect->lets_go)
		rc = odbc_run(l->inst, l->err, l->inst->dialect->lets_go);
	return odbc_end_work(l->inst, rc, l->err);
}

/* *RET: there is something to do. */
static int begin_split(struct loading *l, const struct etl_load *of, bool *ret)
{
	int rc = begin_work(l);

	*ret = true;
	if (rc == ETL_OK && l->part->gone)
		rc = odbc_gone_begin(l->inst, of, l->token, l->part->index, ret, l->err);
	return rc == ETL_OK ? odbc_note_split(l->inst, l->token, l->load->index, l->part->index, l->err) : rc;
}

/* A split has a transaction of its own: one that failed left nothing, and one that is there is not brought again. OF: whose keys
 * these are, or the load itself. */
static int load_split(struct etl_instance *inst, const struct etl_load *load, const struct etl_load *of,
		      const struct etl_token *token, const struct etl_part *part, struct ArrowArrayStream *stream,
		      struct etl_stats *ret, struct etl_error *err)
{
	struct loading l = { .inst = inst, .load = load, .token = token, .part = part, .err = err };
	bool any = false;
	int rc = odbc_db(inst, err);

	if (rc == ETL_OK)
		rc = ladder_prepare(&l);
	if (rc == ETL_OK)
		rc = set_abort(&l, false);
	if (rc == ETL_OK)
		rc = watch_begin(&l);
	if (rc < 0)
		return rc;
	rc = begin_split(&l, of, &any);
	if (rc == ETL_OK)
		rc = odbc_identity_insert(inst, load, token, true, err);
	if (rc == ETL_OK && any)
		rc = load_stream(&l, stream);
	if (rc == ETL_OK)
		rc = odbc_identity_insert(inst, load, token, false, err);
	if (rc == ETL_OK)
		rc = set_abort(&l, true);
	ETL_FAULT("odbc.load_before_commit");
	rc = end_work(&l, rc);
	watch_end(&l, rc == ETL_OK);
	ETL_FAULT("odbc.load_after");
	/* A session keeps what was set for the table also when all else is taken back. */
	if (rc < 0 && inst->dialect == &odbc_tsql)
		odbc_disconnect(inst);
	etl_text_free(&l.head);
	etl_text_free(&l.row);
	etl_text_free(&l.many_row);
	if (rc == ETL_OK)
		*ret = l.stats;
	return rc;
}

int odbc_load(struct etl_instance *inst, const struct etl_load *load, const struct etl_token *token,
	      const struct etl_part *part, struct ArrowArrayStream *stream, struct etl_stats *ret,
	      struct etl_error *err)
{
	struct odbc_gone keys;
	int rc;

	if (!part->gone)
		return load_split(inst, load, load, token, part, stream, ret, err);
	rc = odbc_gone_make(inst, load, &keys, err);
	if (rc == ETL_OK)
		rc = load_split(inst, &keys.load, load, token, part, stream, ret, err);
	odbc_gone_free(&keys);
	return rc;
}
