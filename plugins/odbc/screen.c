/*
 * Looking for rows that a foreign key, a check or a unique value of the target will not take. They are read as the sink wants them, told, and deleted in the same
 * transaction, by the same condition.
 */
#include "config.h"

#include <stdlib.h>

#include "gone.h"

/* The rows themselves, in the columns that the sink wants. */
struct telling {
	struct etl_instance *inst;
	const struct etl_load *load;
	const struct etl_step *step;
	struct etl_found_sink *sink;
	struct etl_error *err;
	char *reason;
	uint64_t told;
};

static bool is_kind(const struct etl_step *step, const char *kind)
{
	return strcmp(step->kind, kind) == 0;
}

static bool is_unique(const struct etl_step *step)
{
	return is_kind(step, "unique check");
}

static const char *code_of(const struct etl_step *step)
{
	return is_kind(step, "reference") ? "references" :
	       is_kind(step, "check")	  ? "check" :
	       is_unique(step)		  ? "duplicate" :
					    "foreign_key";
}

static const char *reason_of(const struct etl_step *step)
{
	return is_kind(step, "check") ? "the row is none that it takes" :
	       is_unique(step)	      ? "the target has a row of this value that stays" :
					"the table that it refers to has no such row";
}

static void add_key(struct etl_text *key, const struct telling *t, const struct etl_view *view, int64_t row)
{
	const struct etl_key *primary = &t->load->table->primary;

	for (size_t i = 0; i < primary->column_count; i++) {
		int64_t at = etl_schema_find(t->sink->rows, primary->columns[i]);

		if (at < 0)
			continue;
		etl_text_addf(key, "%s%s=", key->length ? ", " : "", primary->columns[i]);
		etl_text_add_value(key, &view->columns[at], row);
	}
}

static int tell_row(struct telling *t, const struct etl_view *view, const struct ArrowArray *batch, int64_t row)
{
	struct etl_text key = { 0 };
	struct etl_found found = { .code = code_of(t->step),
				   .table = t->load->table->name,
				   .reason = t->reason,
				   .schema = t->sink->rows,
				   .batch = batch,
				   .row = row };
	int rc;

	add_key(&key, t, view, row);
	found.key = key.at;
	rc = key.failed ? odbc_no_memory(t->inst, t->err) : t->sink->emit(t->sink, &found);
	etl_text_free(&key);
	t->told++;
	return rc;
}

static int tell_batch(struct telling *t, struct etl_view *view, const struct ArrowArray *batch)
{
	int rc = etl_view_set(view, batch) ? ETL_OK : odbc_no_memory(t->inst, t->err);

	for (int64_t row = 0; rc == ETL_OK && row < batch->length; row++)
		rc = tell_row(t, view, batch, row);
	return rc;
}

/* FROM is what follows DELETE FROM: the table and its condition. */
static int tell_rows(struct telling *t, const struct etl_token *token, const char *from)
{
	const char *where = strstr(from, " WHERE ");
	char buf[ODBC_NAME_ROOM];
	struct etl_read read = { .dataset = { .schema = odbc_place_of(t->inst, t->load->table),
					      .table = odbc_stage_name(t->inst, token->text, t->load->table->name, buf),
					      .where = where ? where + strlen(" WHERE ") : NULL },
				 .want = t->sink->rows };
	struct etl_view *view = etl_view_new(t->sink->rows);
	struct ArrowArrayStream stream = { 0 };
	int rc = view ? odbc_read(t->inst, &read, NULL, &stream, t->err) : odbc_no_memory(t->inst, t->err);

	while (rc == ETL_OK) {
		struct ArrowArray batch = { 0 };

		if (stream.get_next(&stream, &batch) != 0)
			rc = ETL_FAILED;
		else if (!batch.release)
			break;
		else
			rc = tell_batch(t, view, &batch);
		if (batch.release)
			batch.release(&batch);
	}
	if (stream.release)
		stream.release(&stream);
	etl_view_free(view);
	return rc;
}

static int count_rows(struct telling *t, const char *from)
{
	struct etl_text sql = { 0 };
	int64_t count = 0;
	int rc;

	etl_text_addf(&sql, "SELECT COUNT(*) FROM %s", from);
	rc = odbc_number_text(t->inst, t->err, &count, &sql);
	if (rc == ETL_OK && count > 0) {
		struct etl_found found = { .code = code_of(t->step),
					   .table = t->load->table->name,
					   .reason = t->reason,
					   .rows = (uint64_t)count };

		rc = t->sink->emit(t->sink, &found);
	}
	return rc;
}

static int take_out(struct telling *t, const char *from)
{
	struct etl_text sql = { 0 };

	etl_text_addf(&sql, "DELETE FROM %s", from);
	return odbc_run_text(t->inst, t->err, &sql);
}

static int look_once(struct telling *t, const struct etl_token *token, const char *from)
{
	int rc;

	t->told = 0;
	rc = t->sink->rows ? tell_rows(t, token, from) : count_rows(t, from);
	if (rc < 0 || !t->sink->take_out || !t->told)
		return rc;
	if (odbc_names_gone(t->load))
		rc = odbc_gone_keep(t->inst, t->load, token, from, t->err);
	if (rc == ETL_OK)
		rc = take_out(t, from);
	if (rc == ETL_OK && t->load->deletes != ETL_DELETE_NONE && !odbc_names_gone(t->load))
		rc = odbc_note_taken(t->inst, token, t->load->index, t->err);
	return rc;
}

/* Rows that a merge will delete are in nobody's way; but it deletes none from a table of which rows were rejected. Where they are
 * named, the question leaves them out. */
static int are_in_the_way(const struct telling *t, const struct etl_token *token, bool *ret)
{
	uint64_t index = t->load->index;

	*ret = t->load->deletes != ETL_DELETE_HARD || odbc_names_gone(t->load) ||
	       (t->sink->withheld && index < t->sink->withheld_count && t->sink->withheld[index]);
	return *ret ? ETL_OK : odbc_was_taken(t->inst, token, index, ret, t->err);
}

/* A row that goes leaves the target's own as it was, which may be in the way of another one. */
static int look(struct telling *t, const struct etl_token *token, const char *from)
{
	bool theirs = true;
	int rc = is_unique(t->step) ? are_in_the_way(t, token, &theirs) : ETL_OK;

	if (rc < 0 || !theirs)
		return rc;
	do
		rc = look_once(t, token, from);
	while (rc == ETL_OK && t->told && t->sink->take_out && is_unique(t->step));
	return rc;
}

int odbc_screen(struct etl_instance *inst, const struct etl_load *load, const struct etl_token *token,
		const struct etl_step *step, const char *from, struct etl_found_sink *sink, struct etl_error *err)
{
	struct telling t = { .inst = inst, .load = load, .step = step, .sink = sink, .err = err };
	struct etl_text reason = { 0 };
	int rc;

	etl_text_addf(&reason, "%s \"%s\": %s", is_unique(step) ? "unique" : step->kind, step->object ? step->object : "",
		      reason_of(step));
	t.reason = etl_text_take(&reason);
	if (!t.reason)
		return odbc_no_memory(inst, err);
	rc = look(&t, token, from);
	free(t.reason);
	return rc;
}
