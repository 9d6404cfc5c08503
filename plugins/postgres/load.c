/*
 * Rows into a staged table: one COPY in the binary form for a split, in a transaction that also writes down which
 * rows are whose, so that the same split may come again. What the server would refuse is known before it is sent;
 * where only the server knows, careful.c asks it.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "fault.h"
#include "into.h"
#include "load.h"

#define PIECE (256 << 10) /* bytes that are handed to libpq at once */

int loading_no_memory(struct loading *l)
{
	return l->inst->host->fail(l->err, ETL_MEMORY, NULL, 0,
				   "no memory to load table \"%s\"", l->load->table->name);
}

static int fail_stream(struct loading *l, struct ArrowArrayStream *stream, int code)
{
	const char *words = stream->get_last_error(stream);

	if (l->inst->host->canceled(l->inst->host))
		return ETL_CANCELED;
	if (code == ENOMEM)
		return loading_no_memory(l);
	/* Whoever made the stream has described the failure already; the first description stays. */
	return l->inst->host->fail(l->err, ETL_FATAL, NULL, code, "%s",
				   words && *words ? words : "the rows could not be read");
}

/* ---- Rows that do not go in ----------------------------------------------------------------------------------- */

int loading_reject(struct loading *l, const struct ArrowArray *batch, int64_t row, const char *code,
		   const char *column, const char *reason)
{
	const struct etl_reject r = { .code = code,
				      .column = column,
				      .reason = reason,
				      .schema = &l->schema,
				      .batch = batch,
				      .row = row,
				      .ordinal = -1 };
	int rc = loading_keep_key(l, row);

	return rc == ETL_OK ? l->inst->host->reject(l->split->context, &r) : rc;
}

static const char *words_of(const char *code)
{
	static const char *const words[][2] = {
		{ "too_long", "is too long for type %s" },
		{ "nul_byte", "holds a NUL, which the server takes in no text; type bytes keeps it" },
		{ "invalid_utf8", "is not valid UTF-8" },
		{ "out_of_range", "is out of the range of type %s" },
		{ "too_precise", "would be rounded by type %s" },
		{ "not_a_label", "is no value of the enum %s" },
		{ "too_big", "is larger than the server takes, 1 GiB" },
		{ "row_too_big", "makes the row larger than the server takes, 1 GiB" },
		{ "not_json", "is not valid JSON" },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strcmp(words[i][0], code) == 0)
			return words[i][1];
	return "cannot be stored in type %s";
}

int loading_reject_value(struct loading *l, const struct ArrowArray *batch, int64_t row,
			 size_t column, const char *code)
{
	const struct etl_column_view *c = &l->view->columns[column];
	struct etl_text reason = { 0 };
	const char *words = words_of(code), *type = strstr(words, "%s");
	char name[64];
	int rc;

	if (strcmp(code, "no_memory") == 0)
		return loading_no_memory(l);
	if (strcmp(code, "not_null") == 0) {
		etl_text_add(&reason, "the value is NULL, and the column must have one");
	} else {
		etl_text_addf(&reason, "the %s ", etl_type_name(c->type, name, sizeof(name)));
		if (strcmp(code, "too_big") != 0 && strcmp(code, "row_too_big") != 0) {
			etl_text_add_value(&reason, c, row);
			etl_text_add(&reason, " ");
		}
		etl_text_add_bytes(&reason, words, type ? (size_t)(type - words) : strlen(words));
		etl_text_add(&reason, type ? l->types[column].shown : "");
	}
	rc = reason.failed ? loading_no_memory(l) :
			     loading_reject(l, batch, row, code,
					    l->schema.children[column]->name, reason.at);
	etl_text_free(&reason);
	return rc;
}

/* ---- COPY --------------------------------------------------------------------------------------------------------- */

int loading_copy_begin(struct loading *l, const char *sql)
{
	PGresult *result = PQexec(l->inst->db, sql);

	if (PQresultStatus(result) != PGRES_COPY_IN)
		return postgres_fail(l->inst, result, l->err, "loading table \"%s\"",
				     l->load->table->name);
	PQclear(result);
	l->buffer.used = 0;
	return encode_begin(&l->buffer) ? ETL_OK : loading_no_memory(l);
}

/* An int holds it: one row at the most is in the buffer beyond a piece, and none has ENCODE_FIELD_MAX. */
static int send_buffer(struct loading *l)
{
	size_t used = l->buffer.used;

	l->buffer.used = 0;
	l->bytes += used;
	l->broken = used && PQputCopyData(l->inst->db, (const char *)l->buffer.at, (int)used) != 1;
	return l->broken ? ETL_FAILED : ETL_OK;
}

int loading_send_piece(struct loading *l)
{
	return l->buffer.used >= PIECE ? send_buffer(l) : ETL_OK;
}

static PGresult *end_copy(struct loading *l, int rc)
{
	PGresult *first = NULL, *next;

	bool sent = PQputCopyEnd(l->inst->db, rc < 0 ? "the rows stopped coming" : NULL) == 1;

	/* Where it cannot be sent the server may have said why before. */
	while ((next = PQgetResult(l->inst->db)) != NULL) {
		if (first)
			PQclear(next);
		else
			first = next;
		if (!sent || PQstatus(l->inst->db) == CONNECTION_BAD)
			break;
	}
	return first;
}

static int check_copied(struct loading *l, PGresult *result, uint64_t rows)
{
	uint64_t copied = strtoull(PQcmdTuples(result), NULL, 10);

	if (copied == rows)
		return ETL_OK;
	return l->inst->host->fail(l->err, ETL_BUG, NULL, 0,
				   "table \"%s\": %llu rows were sent, and the server took %llu",
				   l->load->table->name, (unsigned long long)rows,
				   (unsigned long long)copied);
}

int loading_copy_end(struct loading *l, int rc, uint64_t rows, PGresult **ret)
{
	PGresult *result;

	*ret = NULL;
	if (rc == ETL_OK)
		rc = encode_end(&l->buffer) ? send_buffer(l) : loading_no_memory(l);
	result = end_copy(l, rc);
	/* What failed on this side has been described. */
	if (l->broken || (rc == ETL_OK && PQresultStatus(result) != PGRES_COMMAND_OK)) {
		*ret = result ? result : PQmakeEmptyPGresult(l->inst->db, PGRES_FATAL_ERROR);
		return ETL_OK;
	}
	if (rc == ETL_OK)
		rc = check_copied(l, result, rows);
	PQclear(result);
	return rc;
}

int loading_note_part(struct loading *l)
{
	char sql[128];

	snprintf(sql, sizeof(sql), "INSERT INTO _etlrun_splits VALUES (%llu, %llu, %lld)",
		 (unsigned long long)l->load->index, (unsigned long long)l->split->index,
		 (long long)l->parts++);
	return postgres_run(l->inst, l->err, sql);
}

static int encode_batch(struct loading *l, const struct ArrowArray *batch)
{
	int rc = ETL_OK;

	for (int64_t row = 0; rc == ETL_OK && row < l->view->rows; row++) {
		size_t column = 0;
		const char *code = encode_row(l->columns, l->count, l->view, row, -1, &l->buffer,
					      &column);

		if (code)
			rc = loading_reject_value(l, batch, row, column, code);
		else
			l->rows++;
		if (rc == ETL_OK)
			rc = loading_send_piece(l);
	}
	return rc;
}

/* Rows that bring no column at all have the table's defaults. */
static int insert_defaults(struct loading *l)
{
	struct etl_text sql = { 0 };

	etl_text_add(&sql, "INSERT INTO ");
	postgres_add_name(&sql, l->token->text, l->load->table->name);
	etl_text_addf(&sql, " SELECT FROM generate_series(1, %lld)", (long long)l->view->rows);
	l->rows += (uint64_t)l->view->rows;
	return postgres_run_text(l->inst, l->err, &sql);
}

static int take_batch(struct loading *l, const struct ArrowArray *batch)
{
	if (!etl_view_set(l->view, batch))
		return l->inst->host->fail(
			l->err, ETL_BUG, NULL, 0,
			"table \"%s\": a batch does not have the columns of its stream",
			l->load->table->name);
	if (l->count == 0)
		return insert_defaults(l);
	return l->careful ? careful_batch(l, batch) : encode_batch(l, batch);
}

static int take_all(struct loading *l, struct ArrowArrayStream *stream)
{
	for (;;) {
		struct ArrowArray batch = { 0 };
		int rc;

		if (l->inst->host->canceled(l->inst->host))
			return ETL_CANCELED;
		rc = stream->get_next(stream, &batch);
		if (rc)
			return fail_stream(l, stream, rc);
		if (!batch.release)
			return ETL_OK;
		rc = take_batch(l, &batch);
		ETL_FAULT("postgres.load_batch");
		batch.release(&batch);
		if (rc < 0)
			return rc;
	}
}

/* ---- A split ------------------------------------------------------------------------------------------------------- */

/* "stage.name"; NULL: no memory. */
static char *careful_name(const struct loading *l)
{
	struct etl_text name = { 0 };

	etl_text_addf(&name, "%s.%s", l->token->text, l->load->table->name);
	return etl_text_take(&name);
}

static int is_careful(struct loading *l, bool *ret)
{
	const struct postgres_target *target = l->inst->target;
	char *name = careful_name(l);

	if (!name)
		return loading_no_memory(l);
	for (size_t i = 0; target && i < target->careful_count; i++)
		*ret |= strcmp(target->careful[i], name) == 0;
	free(name);
	return ETL_OK;
}

static int become_careful(struct loading *l)
{
	struct postgres_target *target = l->inst->target;
	char **more, *name = careful_name(l);

	if (!target)
		target = l->inst->target = calloc(1, sizeof(*target));
	more = target && name ? realloc(target->careful, (target->careful_count + 1) * sizeof(*more)) :
				NULL;
	if (!more) {
		free(name);
		return loading_no_memory(l);
	}
	target->careful = more;
	more[target->careful_count++] = name;
	return ETL_OK;
}

/* The server found a value that the encoder let pass. The rows that came are gone: the split has to come again. */
static int refused(struct loading *l, PGresult *result)
{
	int rc;

	if (!careful_is_data(result))
		return postgres_fail(l->inst, result, l->err, "loading table \"%s\"",
				     l->load->table->name);
	rc = become_careful(l);
	if (rc == ETL_OK)
		rc = l->inst->host->fail(
			l->err, ETL_RETRY_STATEMENT, PQresultErrorField(result, PG_DIAG_SQLSTATE), 0,
			"the server refuses a row of \"%s\": %s; %s; the rows are to come again, "
			"to be looked at one by one",
			l->load->table->name, PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY),
			PQresultErrorField(result, PG_DIAG_CONTEXT) ?
				PQresultErrorField(result, PG_DIAG_CONTEXT) :
				"");
	PQclear(result);
	return rc;
}

static int copy_all(struct loading *l, struct ArrowArrayStream *stream)
{
	struct etl_text sql = { 0 };
	PGresult *refusal;
	int rc;

	etl_text_add(&sql, "COPY ");
	postgres_add_name(&sql, l->token->text, l->load->table->name);
	loading_add_names(l, &sql);
	etl_text_add(&sql, " FROM STDIN (FORMAT binary)");
	rc = sql.failed ? loading_no_memory(l) : loading_copy_begin(l, sql.at);
	etl_text_free(&sql);
	if (rc < 0)
		return rc;
	rc = take_all(l, stream);
	rc = loading_copy_end(l, rc, l->rows, &refusal);
	return refusal ? refused(l, refusal) : rc;
}

/* What a transaction on a connection that was lost left of the same split is replaced. */
static int make_way(struct loading *l)
{
	struct etl_text sql = { 0 };
	char at[96];
	int rc = turns_take(l);

	if (rc < 0)
		return rc;
	snprintf(at, sizeof(at), "load = %llu AND split = %llu", (unsigned long long)l->load->index,
		 (unsigned long long)l->split->index);
	etl_text_add(&sql, "DELETE FROM ");
	postgres_add_name(&sql, l->token->text, l->load->table->name);
	etl_text_addf(&sql,
		      " WHERE EXISTS (SELECT FROM _etlrun_splits WHERE %s) AND xmin IN (SELECT xmin FROM "
		      "_etlrun_splits WHERE %s); DELETE FROM _etlrun_splits WHERE %s",
		      at, at, at);
	return postgres_run_text(l->inst, l->err, &sql);
}

static int transact(struct loading *l, struct ArrowArrayStream *stream)
{
	int rc = make_way(l);

	if (rc == ETL_OK)
		rc = is_careful(l, &l->careful);
	if (rc == ETL_OK)
		rc = loading_find_columns(l);
	if (rc < 0)
		return rc;
	if (l->careful && l->count)
		rc = careful_open(l);
	if (rc == ETL_OK)
		rc = l->careful || l->count == 0 ? take_all(l, stream) : copy_all(l, stream);
	if (rc == ETL_OK)
		rc = loading_send_kept(l);
	if (rc == ETL_OK)
		rc = loading_note_part(l);
	ETL_FAULT("postgres.load_before_commit");
	return rc;
}

static int load_split(struct etl_instance *inst, const struct etl_load *load,
		      const struct etl_token *token, const struct etl_part *split,
		      struct ArrowArrayStream *stream, struct etl_stats *ret, struct etl_error *err)
{
	struct loading l = { .inst = inst, .load = load, .token = token, .split = split, .err = err };
	int rc = stream->get_schema(stream, &l.schema);

	if (rc) {
		l.schema.release = NULL;
		return fail_stream(&l, stream, rc);
	}
	l.view = etl_view_new(&l.schema);
	rc = l.view ? stage_enter(inst, load, token, err) : loading_no_memory(&l);
	if (rc == ETL_OK)
		rc = stage_leave(inst, transact(&l, stream), err);
	ETL_FAULT("postgres.load_after_commit");
	if (rc == ETL_OK)
		*ret = (struct etl_stats){ .rows = l.rows, .bytes = l.bytes };
	loading_free_kept(l.kept);
	loading_free_columns(&l);
	etl_view_free(l.view);
	free(l.buffer.at);
	l.schema.release(&l.schema);
	return rc;
}

int postgres_load(struct etl_instance *inst, const struct etl_load *load,
		  const struct etl_token *token, const struct etl_part *split,
		  struct ArrowArrayStream *stream, struct etl_stats *ret, struct etl_error *err)
{
	struct etl_table goes = *load->table;
	struct etl_load keys = *load;
	char name[64];

	if (!split->gone)
		return load_split(inst, load, token, split, stream, ret, err);
	/* They wait in a table of their own, which design made. */
	snprintf(name, sizeof(name), INTO_GOES, (unsigned long long)load->index);
	goes.name = name;
	keys.table = &goes;
	return load_split(inst, &keys, token, split, stream, ret, err);
}
