/*
 * One split into its staged table, in one transaction. Rows that the server is known not to take are rejected before they
 * are sent. When it refuses others all the same, the split is begun anew and each row goes alone, so that the one to
 * blame is known.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "bind.h"
#include "fault.h"

struct loading {
	struct etl_consumer consumer; /* first */
	struct etl_instance *inst;
	const struct etl_load *load;
	const struct etl_part *part;
	struct etl_error *err;
	struct ArrowSchema schema;
	struct bind bind;
	struct etl_text sql;
	struct etl_stats stats;
	const struct ArrowArray *batch;
	int64_t *rows; /* of the batch, that go */
	bool careful;
	int rc;
};

/* ---- Tables whose rows the server refused once --------------------------------------------------------------- */

static bool is_careful(const struct etl_instance *inst, const char *table)
{
	for (size_t i = 0; i < inst->careful_count; i++)
		if (strcmp(inst->careful[i], table) == 0)
			return true;
	return false;
}

static int become_careful(struct loading *l)
{
	struct etl_instance *inst = l->inst;
	char **more = realloc(inst->careful, (inst->careful_count + 1) * sizeof(*more));

	if (!more)
		return odbc_no_memory(inst, l->err);
	inst->careful = more;
	more[inst->careful_count] = strdup(l->load->table->name);
	if (!more[inst->careful_count])
		return odbc_no_memory(inst, l->err);
	inst->careful_count++;
	return ETL_OK;
}

/* ---- The statement -------------------------------------------------------------------------------------------- */

/* A server that knows what a parameter is meant for by its cast alone reads every text as that type. */
static void add_parameter(struct loading *l, size_t i)
{
	const struct etl_instance *inst = l->inst;
	const struct etl_column *c = l->bind.columns[i].column;
	struct etl_text type = { 0 }, note = { 0 };
	int32_t verdict = ETL_EXACT;
	bool cast = inst->dialect == &odbc_postgresql ||
		    (inst->dialect == &odbc_tsql && c->type == ETL_INSTANT);

	if (!cast) {
		etl_text_add(&l->sql, "?");
		return;
	}
	odbc_add_type(&type, inst, l->load->table, c, &verdict, &note);
	etl_text_addf(&l->sql, "CAST(? AS %s)", type.at ? type.at : "text");
	l->sql.failed |= type.failed;
	etl_text_free(&type);
	etl_text_free(&note);
}

static void add_insert(struct loading *l, const struct etl_token *token)
{
	etl_text_add(&l->sql, "INSERT INTO ");
	odbc_add_staged(&l->sql, l->inst, l->load, token);
	etl_text_add(&l->sql, " (");
	for (size_t i = 0; i < l->bind.count; i++) {
		etl_text_add(&l->sql, i ? ", " : "");
		odbc_add_name(&l->sql, l->inst, l->bind.columns[i].column->name);
	}
	etl_text_add(&l->sql, l->inst->dialect == &odbc_postgresql ? ") OVERRIDING SYSTEM VALUE VALUES (" : ") VALUES (");
	for (size_t i = 0; i < l->bind.count; i++) {
		etl_text_add(&l->sql, i ? ", " : "");
		add_parameter(l, i);
	}
	etl_text_add(&l->sql, ")");
}

/* ---- Rejects ------------------------------------------------------------------------------------------------------ */

static int reject(struct loading *l, int64_t row, const char *code, const char *column, const char *reason)
{
	struct etl_reject reject = { .code = code,
				     .column = column,
				     .reason = reason,
				     .schema = &l->schema,
				     .batch = l->batch,
				     .row = row };

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
		rc = reason.failed ? odbc_no_memory(l->inst, l->err) : reject(l, row, code, column, reason.at);
		etl_text_free(&why);
		etl_text_free(&reason);
		return rc;
	}
	return 1;
}

/* ---- Rows ---------------------------------------------------------------------------------------------------------- */

static const char *code_of(const struct odbc_said *said)
{
	static const char *const codes[][2] = {
		{ "22001", "too_long" },     { "22003", "out_of_range" }, { "22007", "not_a_timestamp" },
		{ "22008", "out_of_range" }, { "22018", "type" },	  { "23502", "not_null" },
		{ "23503", "foreign_key" },  { "23505", "duplicate" },	  { "23514", "check" },
	};
	static const struct {
		int64_t native;
		const char *code;
	} numbers[] = {
		{ 2627, "duplicate" }, { 2601, "duplicate" }, { 515, "not_null" },     { 547, "check" },
		{ 8152, "too_long" },  { 2628, "too_long" },  { 220, "out_of_range" }, { 8115, "out_of_range" },
		{ 245, "type" },       { 8114, "type" },      { 241, "not_a_timestamp" },
	};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		if (numbers[i].native == said->native)
			return numbers[i].code;
	for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++)
		if (strcmp(codes[i][0], said->sqlstate) == 0)
			return codes[i][1];
	return "refused";
}

/* A row alone, at a point to which one can go back. */
static int send_alone(struct loading *l, const struct etl_view *view, int64_t row)
{
	struct odbc_said said = { 0 };
	int rc = odbc_savepoint(l->inst, l->err);

	if (rc < 0)
		return rc;
	rc = bind_try(&l->bind, l->sql.at, view, row, &said, l->err);
	if (rc == 0) {
		rc = odbc_back_to_savepoint(l->inst, l->err);
		if (rc == ETL_OK) {
			struct etl_text reason = { 0 };

			etl_text_addf(&reason, "table \"%s\": %s", l->load->table->name,
				      said.words.at ? said.words.at : "the server refused the row");
			rc = reason.failed ? odbc_no_memory(l->inst, l->err) :
					     reject(l, row, code_of(&said), NULL, reason.at);
			etl_text_free(&reason);
		}
	} else if (rc > 0) {
		l->stats.rows++;
		rc = ETL_OK;
	}
	etl_text_free(&said.words);
	return rc;
}

static int send_all(struct loading *l, const struct etl_view *view, int64_t count)
{
	bool refused = false;
	int rc = bind_execute(&l->bind, l->sql.at, view, l->rows, count, &refused, l->err);

	if (rc == ETL_OK)
		l->stats.rows += (uint64_t)count;
	else if (refused && become_careful(l) < 0)
		rc = ETL_FAILED;
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
	if (rc < 0)
		return rc;
	rc = ETL_OK;
	if (!l->careful)
		return count ? send_all(l, view, count) : ETL_OK;
	for (int64_t i = 0; rc == ETL_OK && i < count; i++)
		rc = send_alone(l, view, l->rows[i]);
	return rc;
}

/* ---- The stream ------------------------------------------------------------------------------------------------------ */

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
		if (rc == ETL_OK && l->inst->host->canceled(l->inst->host))
			rc = ETL_CANCELED;
	}
	return rc;
}

static int load_stream(struct loading *l, const struct etl_token *token, struct ArrowArrayStream *stream)
{
	struct etl_view *view;
	int rc;

	if (stream->get_schema(stream, &l->schema) != 0)
		return ETL_FAILED;
	view = etl_view_new(&l->schema);
	rc = view ? bind_open(&l->bind, l->inst, l->load->table, &l->schema, l->err) :
		    odbc_no_memory(l->inst, l->err);
	if (rc == ETL_OK) {
		add_insert(l, token);
		rc = l->sql.failed ? odbc_no_memory(l->inst, l->err) : pull(l, stream, view);
	}
	l->stats.bytes = l->bind.bytes;
	bind_close(&l->bind);
	etl_view_free(view);
	l->schema.release(&l->schema);
	return rc;
}

/* A split has a transaction of its own: one that failed left nothing, and one that is there is not brought again. */
int odbc_load(struct etl_instance *inst, const struct etl_load *load, const struct etl_token *token,
	      const struct etl_part *part, struct ArrowArrayStream *stream, struct etl_stats *ret,
	      struct etl_error *err)
{
	struct loading l = { .inst = inst, .load = load, .part = part, .err = err };
	int rc = odbc_db(inst, err);

	if (rc < 0)
		return rc;
	l.careful = is_careful(inst, load->table->name);
	rc = odbc_begin_work(inst, err);
	if (rc == ETL_OK)
		rc = odbc_note_split(inst, token, load->index, part->index, err);
	if (rc == ETL_OK)
		rc = odbc_identity_insert(inst, load, token, true, err);
	if (rc == ETL_OK)
		rc = load_stream(&l, token, stream);
	if (rc == ETL_OK)
		rc = odbc_identity_insert(inst, load, token, false, err);
	ETL_FAULT("odbc.load_before_commit");
	rc = odbc_end_work(inst, rc, err);
	ETL_FAULT("odbc.load_after");
	etl_text_free(&l.sql);
	if (rc == ETL_OK)
		*ret = l.stats;
	return rc;
}
