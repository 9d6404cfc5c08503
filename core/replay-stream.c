/*
 * The streams that bring the rows of a replay: anew from the source, which is asked for a few thousand keys at a
 * time, or as the rejects file has them.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "batch.h"
#include "flow.h"
#include "reject-file.h"
#include "replay-parts.h"
#include "replay-row.h"

#define CHUNK_ROWS 4096 /* keys that are asked for at once */

/* ---- The stream ---- */

/* A key that was asked for, as text. */
struct asked {
	char *key;
	size_t row; /* of the job's rows */
	bool found;
};

struct replaying {
	const struct flow_setup *flow;
	struct job *job;
	const struct job_replay *of;
	struct instance *source;
	struct etl_context *context;
	struct etl_error *err;
	struct reject_reader *reader;
	struct ArrowSchema schema; /* with the ordinal */
	size_t next, end;	   /* of the rows of this split */
	struct etl_builder *builder;
	struct etl_builder *ordinals;
	struct etl_view *view; /* of what the source gives */
	/* By key: what was asked for, sorted. */
	struct asked *asked;
	size_t asked_count;
	struct ArrowArray keys;
	struct ArrowArrayStream in;
	int64_t *chosen;
	int64_t chosen_room;
};

/* A line that makes no row stays what it was: rejected, with its row as the file has it. */
static int refuse(struct replaying *r, const struct reject_line *line, int64_t ordinal,
		  const char *code, const char *column, const char *reason)
{
	struct etl_text row = { 0 };
	struct etl_reject reject = { .code = code,
				     .column = column,
				     .reason = reason,
				     .ordinal = ordinal,
				     .key = line->key.at };
	int rc;

	etl_text_add_bytes(&row, line->row, line->row_length);
	reject.raw = row.at;
	rc = row.failed ? error_memory(r->err) : context_reject(r->context, &reject);
	etl_text_free(&row);
	return rc;
}

static int refuse_value(struct replaying *r, const struct reject_line *line, int64_t ordinal,
			const char *code, const char *column)
{
	struct etl_text reason = { 0 };
	int rc;

	if (strcmp(code, "no_memory") == 0)
		return error_memory(r->err);
	if (strcmp(code, "not_kept") == 0)
		etl_text_addf(&reason,
			      "the rejects file does not have the row as the source gave it: "
			      "column \"%s\" is "
			      "missing%s",
			      column, line->masked ? ", or a secret in it was masked" : "");
	else
		etl_text_addf(
			&reason,
			"column \"%s\": its value in the rejects file is not of its type (%s)",
			column, code);
	rc = reason.failed ? error_memory(r->err) :
			     refuse(r, line, ordinal, code, column, reason.at);
	etl_text_free(&reason);
	return rc;
}

/* Appends the wanted columns of a line's row. 1: done; 0: it was refused; negative: failed. */
static int put_row(struct replaying *r, const struct ArrowSchema *schema,
		   const struct reject_line *line, int64_t ordinal)
{
	struct row_members members = { 0 };
	int64_t before = etl_builder_rows(r->builder), i = 0;
	const char *code = NULL;
	int rc = 1;

	if (!row_read(&members, line->row, line->row_length))
		code = "not_kept";
	for (; !code && i < schema->n_children; i++) {
		const struct row_member *member = row_find(&members, r->job,
							   schema->children[i]->name);

		code = member && !(line->masked && !r->of->by_key) ?
			       row_put(&r->builder->columns[i], member) :
			       "not_kept";
	}
	if (code) {
		etl_builder_truncate(r->builder, before);
		rc = refuse_value(r, line, ordinal, code,
				  schema->children[i > 0 ? i - 1 : 0]->name);
	}
	row_clear(&members);
	return rc;
}

static bool append_ordinals(struct replaying *r, struct ArrowArray *batch)
{
	struct ArrowArray one = { 0 }, column;
	bool ok = etl_builder_finish(r->ordinals, &one) && batch_detach(&one, &column);

	if (one.release)
		one.release(&one);
	if (ok && !batch_append(batch, &column)) {
		column.release(&column);
		ok = false;
	}
	return ok;
}

/* ---- Rows of the file ---- */

static int next_of_file(struct replaying *r, struct ArrowArray *out)
{
	const struct reject_line *line;
	int rc = 0;

	while (r->next < r->end && etl_builder_rows(r->builder) < r->flow->limits.batch_rows &&
	       rc >= 0) {
		const struct replay_row *row = &r->of->rows[r->next++];

		rc = reject_reader_at(r->reader, row->at, &line, r->err);
		if (rc == 0)
			rc = put_row(r, &r->job->want, line, row->ordinal);
		if (rc > 0)
			etl_put_int64(&r->ordinals->columns[0], row->ordinal);
	}
	if (rc < 0)
		return rc;
	r->context->ended = r->next == r->end && etl_builder_rows(r->builder) == 0;
	if (r->context->ended)
		return 0;
	r->context->read += (uint64_t)etl_builder_rows(r->builder);
	return etl_builder_finish(r->builder, out) && append_ordinals(r, out) ?
		       0 :
		       error_memory(r->err);
}

/* ---- Rows of the source, by their keys ---- */

/* Number and text of one look are one key here: which of them it is may have been cast since. */
static char *key_text(const struct etl_view *view, const int64_t *key, size_t count, int64_t row)
{
	struct etl_text text = { 0 };

	for (size_t i = 0; i < count; i++) {
		struct etl_text value = { 0 };
		bool quoted;

		etl_text_add_json_exact(&value, &view->columns[key ? key[i] : (int64_t)i], row);
		quoted = value.at && value.at[0] == '"';
		if (value.failed)
			text.failed = true;
		else
			etl_text_add_bytes(&text, value.at + quoted, value.length - 2 * quoted);
		etl_text_add(&text, "\x1f");
		etl_text_free(&value);
	}
	return etl_text_take(&text);
}

static int compare_asked(const void *a, const void *b)
{
	const struct asked *x = a, *y = b;
	int order = strcmp(x->key, y->key);

	return order ? order : x->row < y->row ? -1 : x->row > y->row;
}

static void forget_asked(struct replaying *r)
{
	for (size_t i = 0; i < r->asked_count; i++)
		free(r->asked[i].key);
	r->asked_count = 0;
	if (r->keys.release)
		r->keys.release(&r->keys);
}

static int name_asked(struct replaying *r)
{
	struct etl_view *view = etl_view_new(&r->of->key_schema);
	bool ok = view && etl_view_set(view, &r->keys);

	for (size_t i = 0; ok && i < r->asked_count; i++) {
		r->asked[i].key = key_text(view, NULL, r->of->key_count, (int64_t)i);
		ok = r->asked[i].key != NULL;
	}
	etl_view_free(view);
	if (!ok)
		return error_memory(r->err);
	qsort(r->asked, r->asked_count, sizeof(*r->asked), compare_asked);
	return 0;
}

static int ask(struct replaying *r)
{
	static const struct etl_split everything = { .first = INT64_MIN,
						     .last = INT64_MAX,
						     .rows = ETL_UNKNOWN };
	const struct reject_line *line;
	struct etl_read read = { .dataset = r->job->dataset,
				 .want = &r->job->want,
				 .context = r->context,
				 .key_schema = &r->of->key_schema,
				 .keys = &r->keys };
	int rc = 0;

	while (r->next < r->end && r->asked_count < CHUNK_ROWS && rc >= 0) {
		size_t at = r->next++;

		rc = reject_reader_at(r->reader, r->of->rows[at].at, &line, r->err);
		if (rc == 0)
			rc = put_row(r, &r->of->key_schema, line, r->of->rows[at].ordinal);
		if (rc > 0)
			r->asked[r->asked_count++] = (struct asked){ .row = at };
	}
	if (rc < 0 || r->asked_count == 0)
		return rc < 0 ? rc : 0;
	if (!etl_builder_finish(r->builder, &r->keys))
		return error_memory(r->err);
	rc = name_asked(r);
	return rc < 0 ? rc :
			r->source->plugin->source.read(r->source->self, &read, &everything, &r->in,
						       instance_error(r->source, r->err));
}

/* What the source does not have any more is still missing in the target. */
static int refuse_missing(struct replaying *r)
{
	const struct reject_line *line;
	int rc = 0;

	for (size_t i = 0; i < r->asked_count && rc == 0; i++) {
		const struct replay_row *row = &r->of->rows[r->asked[i].row];

		if (r->asked[i].found)
			continue;
		rc = reject_reader_at(r->reader, row->at, &line, r->err);
		if (rc == 0)
			rc = refuse(r, line, row->ordinal, "not_found", NULL,
				    "the source has no row with this key any more");
	}
	forget_asked(r);
	return rc;
}

static struct asked *find_asked(struct replaying *r, const char *key)
{
	size_t low = 0, high = r->asked_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(r->asked[middle].key, key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < r->asked_count && strcmp(r->asked[low].key, key) == 0; low++)
		if (!r->asked[low].found)
			return &r->asked[low];
	return NULL;
}

/* The rows of BATCH that were asked for, with their ordinals; none when it has none. */
static int choose(struct replaying *r, const struct ArrowArray *batch, struct ArrowArray *out)
{
	int64_t count = 0;

	if (batch->length > r->chosen_room) {
		free(r->chosen);
		r->chosen = malloc((size_t)batch->length * sizeof(*r->chosen));
		r->chosen_room = r->chosen ? batch->length : 0;
	}
	if (!r->chosen || !etl_view_set(r->view, batch))
		return error_memory(r->err);
	for (int64_t i = 0; i < batch->length; i++) {
		char *key = key_text(r->view, r->of->key, r->of->key_count, i);
		struct asked *asked = key ? find_asked(r, key) : NULL;

		free(key);
		if (!key)
			return error_memory(r->err);
		if (!asked)
			continue;
		asked->found = true;
		r->chosen[count++] = i;
		etl_put_int64(&r->ordinals->columns[0], r->of->rows[asked->row].ordinal);
	}
	r->context->read += (uint64_t)count;
	if (count == 0)
		return 0;
	return etl_batch_take(out, &r->job->want, batch, r->chosen, count) &&
			       append_ordinals(r, out) ?
		       0 :
		       error_memory(r->err);
}

static int pull(struct replaying *r, struct ArrowArray *out)
{
	struct ArrowArray batch = { 0 };
	int rc;

	instance_error(r->source, r->err);
	rc = r->in.get_next(&r->in, &batch);
	if (rc == ENOMEM)
		return error_memory(r->err);
	if (rc)
		return r->err->set ? ETL_FAILED :
				     error_set(r->err, ETL_FATAL, "reading \"%s\": %s",
					       job_source_name(r->job), strerror(rc));
	if (!batch.release) {
		r->in.release(&r->in);
		return refuse_missing(r);
	}
	rc = choose(r, &batch, out);
	batch.release(&batch);
	return rc;
}

static int next_of_source(struct replaying *r, struct ArrowArray *out)
{
	int rc = 0;

	while (rc == 0 && !out->release) {
		if (r->in.release) {
			rc = pull(r, out);
		} else if (r->next < r->end) {
			rc = ask(r);
		} else {
			r->context->ended = true;
			return 0;
		}
	}
	return rc;
}

/* ---- As an Arrow stream ---- */

static int get_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out)
{
	struct replaying *r = stream->private_data;

	return etl_schema_copy(out, &r->schema) ? 0 : ENOMEM;
}

static int get_next(struct ArrowArrayStream *stream, struct ArrowArray *out)
{
	struct replaying *r = stream->private_data;
	int rc;

	*out = (struct ArrowArray){ 0 };
	if (host_canceled())
		return ECANCELED;
	rc = r->of->by_key ? next_of_source(r, out) : next_of_file(r, out);
	if (rc == 0)
		return 0;
	if (out->release)
		out->release(out);
	return rc == ETL_CANCELED ? ECANCELED : EIO;
}

static const char *get_error(struct ArrowArrayStream *stream)
{
	struct replaying *r = stream->private_data;

	return r->err->message;
}

static void release(struct ArrowArrayStream *stream)
{
	struct replaying *r = stream->private_data;

	if (r->in.release)
		r->in.release(&r->in);
	forget_asked(r);
	reject_reader_close(r->reader);
	if (r->schema.release)
		r->schema.release(&r->schema);
	etl_builder_free(r->builder);
	etl_builder_free(r->ordinals);
	etl_view_free(r->view);
	free(r->asked);
	free(r->chosen);
	free(r);
	stream->release = NULL;
}

static bool make_buffers(struct replaying *r)
{
	static const struct etl_column column = { .name = ETL_ORDINAL_COLUMN,
						  .type = ETL_INT64,
						  .flags = ETL_NOT_NULL };
	int64_t rows = r->flow->limits.batch_rows < CHUNK_ROWS ? CHUNK_ROWS :
								 r->flow->limits.batch_rows;
	struct ArrowSchema one = { 0 };
	bool ok = etl_schema_make(&one, &column, 1, sizeof(column));

	r->builder = etl_builder_new(r->of->by_key ? &r->of->key_schema : &r->job->want, rows);
	r->ordinals = ok ? etl_builder_new(&one, rows) : NULL;
	r->view = etl_view_new(&r->job->want);
	r->asked = calloc(CHUNK_ROWS, sizeof(*r->asked));
	if (one.release)
		one.release(&one);
	return r->builder && r->ordinals && r->view && r->asked;
}

int replay_open(const struct flow_setup *f, struct job *job, struct instance *source,
		uint64_t split, struct etl_context *context, struct ArrowArrayStream *ret,
		struct etl_error *err)
{
	struct replaying *r = calloc(1, sizeof(*r));
	const struct job_replay *of = job->replay;
	int rc = 0;

	if (!r)
		return error_memory(err);
	*r = (struct replaying){ .flow = f,
				 .job = job,
				 .of = of,
				 .source = source,
				 .context = context,
				 .err = err,
				 .next = of->starts[split],
				 .end = split + 1 < of->split_count ? of->starts[split + 1] :
								      of->count };
	*ret = (struct ArrowArrayStream){ get_schema, get_next, get_error, release, r };
	if (!make_buffers(r) || !flow_with_ordinal(&job->want, &r->schema))
		rc = error_memory(err);
	if (rc == 0)
		rc = reject_reader_open(of->replay->path, of->replay->run, &r->reader, err);
	if (rc < 0)
		ret->release(ret);
	return rc;
}
