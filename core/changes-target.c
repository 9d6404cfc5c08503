/*
 * The rows of the target, read by an instance of its own: the one that stages is busy with that.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <etlrun/helpers.h>

#include "../plugins/lib/value.h"
#include "changes-set.h"
#include "changes-spelt.h"
#include "changes.h"
#include "conflicts.h"
#include "log.h"
#include "reject.h"
#include "sweep.h"

/* What reads. */
struct reading {
	struct instance *instance;
	struct etl_context context;
	struct etl_error *err;
	struct ArrowSchema schema;
	struct ArrowArrayStream stream;
	struct canon *canon;
	struct job *job;
	/* Of changes_open_left. */
	struct changes_set *set;
	uint64_t most; /* rows that are given yet */
	uint64_t *hashes;
	int64_t *left;
	int64_t room;
	uint64_t unmarked; /* of changes_count */
	int64_t limit;	   /* the most rows; 0: all */
	/* Of changes_each. */
	int (*each)(void *data, uint64_t key, const struct etl_view *, int64_t row, struct etl_error *);
	void *data;
};

static void reading_close(struct reading *r)
{
	if (r->stream.release)
		r->stream.release(&r->stream);
	if (r->schema.release)
		r->schema.release(&r->schema);
	canon_free(r->canon);
	context_clear(&r->context);
	instance_close(r->instance);
	free(r->hashes);
	free(r->left);
}

static void set_type(struct etl_column *column, const struct ArrowSchema *from)
{
	struct etl_type_info type = etl_type_of(from);

	*column = (struct etl_column){ .name = from->name,
				       .type = type.type,
				       .precision = type.precision,
				       .scale = type.scale };
}

/* The columns that are compared, and the one that marks a row as deleted; or those of the key. */
static bool make_schema(struct reading *r, bool keys_only)
{
	const struct job *job = r->job;
	size_t count = keys_only ? job->key_count : (size_t)job->rows.n_children;
	struct etl_column *columns = calloc(count + 2, sizeof(*columns));
	int64_t mark = -1;
	bool ok = columns != NULL;

	if (!keys_only && job->load.delete_column)
		mark = table_find_column(job->existing, job->load.delete_column);
	for (size_t i = 0; ok && i < count; i++)
		set_type(&columns[i], job->rows.children[keys_only ? job->key[i] : (int64_t)i]);
	if (ok && mark >= 0)
		columns[count++] = *table_column(job->existing, (size_t)mark);
	ok = ok && etl_schema_make(&r->schema, columns, count, sizeof(*columns));
	free(columns);
	return ok;
}

/* Rows that the target cannot give in the type of their column are none that it has as they should be. */
static int reading_open(struct reading *r, const struct flow_setup *f, bool keys_only)
{
	static const struct etl_split everything = { .first = INT64_MIN, .last = INT64_MAX, .rows = ETL_UNKNOWN };
	const struct job *job = r->job;
	const struct plugin *plugin = f->pipeline->target.plugin;
	struct host_limits limits = f->limits;
	struct etl_read read = { .dataset = { .schema = job->schema,
					      .table = job->target->name,
					      .options = job->rule->to },
				 .want = &r->schema,
				 .context = &r->context,
				 .limit = r->limit };
	int rc;

	if (!r->limit)
		sweep_bound_target(job, &read);

	if (!plugin->has_source)
		return error_set(r->err, ETL_USAGE,
				 "plugin %s cannot read back what it holds, so mode = \"sync\" cannot tell what changed; "
				 "write mode = \"merge\"",
				 plugin->base.name);
	if (!make_schema(r, keys_only))
		return error_memory(r->err);
	limits.intent = ETL_LOOKS;
	rc = instance_open(&f->pipeline->target, ETL_ROLE_TARGET, &limits, &r->instance, r->err);
	if (rc < 0)
		return rc;
	r->context.err = instance_error(r->instance, r->err);
	return plugin->source.read(r->instance->self, &read, &everything, &r->stream, r->context.err);
}

static int next_batch(struct reading *r, struct ArrowArray *batch)
{
	int rc = host_canceled() ? ECANCELED : r->stream.get_next(&r->stream, batch);

	if (rc == 0)
		return 0;
	if (host_canceled())
		return ETL_CANCELED;
	if (rc == ENOMEM)
		return error_memory(r->err);
	return r->err->set ? ETL_FAILED :
			     error_set(r->err, ETL_FATAL, "reading \"%s\" of the target: %s", job_name(r->job),
				       strerror(rc));
}

static bool make_room(struct reading *r, int64_t rows)
{
	if (rows <= r->room)
		return true;
	free(r->hashes);
	free(r->left);
	r->hashes = malloc(2 * (size_t)rows * sizeof(*r->hashes));
	r->left = malloc((size_t)rows * sizeof(*r->left));
	r->room = r->hashes && r->left ? rows : 0;
	return r->room > 0;
}

/* ---- All rows, as hashes ------------------------------------------------------------------------ */

static int add_batch(struct reading *r, struct etl_view *view, const struct ArrowArray *batch, struct changes_set *set)
{
	const struct etl_column_view *mark = r->job->load.delete_column ? &view->columns[view->count - 1] : NULL;
	struct ArrowArray compared = *batch; /* borrowed: without the mark */
	int rc = 0;

	compared.n_children -= mark != NULL;
	if (!make_room(r, batch->length) || !etl_view_set(view, batch) ||
	    !canon_batch(r->canon, &compared, r->hashes, r->hashes + batch->length) ||
	    !changes_add_spelt(r->job, &r->job->rows, &compared, r->hashes + batch->length))
		return error_memory(r->err);
	for (int64_t i = 0; i < batch->length && rc == 0; i++)
		/* As the store marks it: a flag that is set, or a time that is there. */
		if (!mark || !etl_value_is_set(mark, i))
			rc = changes_set_add(set, r->hashes[i], r->hashes[batch->length + i], r->err);
	return rc;
}

/* Reads on to the end; EACH sees what there is. */
static int read_batches(struct reading *r, struct etl_view *view, struct changes_set *set,
			int (*each)(struct reading *, struct etl_view *, const struct ArrowArray *, struct changes_set *))
{
	int rc = 0;

	while (rc == 0) {
		struct ArrowArray batch = { 0 };

		rc = next_batch(r, &batch);
		if (rc < 0 || !batch.release)
			break;
		if (batch.length > 0)
			rc = each(r, view, &batch, set);
		batch.release(&batch);
	}
	return rc;
}

int changes_read(const struct flow_setup *f, struct job *job, struct changes_set *set, struct etl_error *err)
{
	struct reading r = { .job = job, .err = err, .context = { .job = job, .side = SIDE_SOURCE } };
	struct etl_view *view = NULL;
	int rc = reading_open(&r, f, false);

	if (rc == 0) {
		r.canon = job_canon(job, &job->rows, ETL_HASH_X1);
		view = etl_view_new(&r.schema);
		rc = r.canon && view ? read_batches(&r, view, set, add_batch) : error_memory(err);
	}
	if (rc == 0 && r.context.rejected)
		log_line(ETL_LOG_WARN,
			 "table \"%s\": %" PRIu64 " rows of the target cannot be read in the types of their columns: they are "
			 "written when they come from the source, and stay when they do not",
			 job_name(job), r.context.rejected);
	etl_view_free(view);
	reading_close(&r);
	return rc;
}

static int give_batch(struct reading *r, struct etl_view *view, const struct ArrowArray *batch, struct changes_set *set)
{
	const struct etl_column_view *mark = r->job->load.delete_column ? &view->columns[view->count - 1] : NULL;
	struct ArrowArray compared = *batch; /* borrowed: without the mark */
	int rc = 0;

	(void)set;
	compared.n_children -= mark != NULL;
	if (!make_room(r, batch->length) || !etl_view_set(view, batch) || !canon_batch(r->canon, &compared, r->hashes, NULL))
		return error_memory(r->err);
	for (int64_t i = 0; i < batch->length && rc == 0; i++)
		if (!mark || !etl_value_is_set(mark, i))
			rc = r->each(r->data, r->hashes[i], view, i, r->err);
	return rc;
}

int changes_each(const struct flow_setup *f, struct job *job,
		 int (*each)(void *data, uint64_t key, const struct etl_view *, int64_t row, struct etl_error *), void *data,
		 struct etl_error *err)
{
	struct reading r = {
		.job = job, .err = err, .context = { .job = job, .side = SIDE_SOURCE }, .each = each, .data = data
	};
	struct etl_view *view = NULL;
	int rc = reading_open(&r, f, false);

	if (rc == 0) {
		r.canon = job_canon(job, &job->rows, ETL_HASH_X1);
		view = etl_view_new(&r.schema);
		rc = r.canon && view ? read_batches(&r, view, NULL, give_batch) : error_memory(err);
	}
	etl_view_free(view);
	reading_close(&r);
	return rc;
}

int changes_any(const struct flow_setup *f, struct job *job, bool *ret, struct etl_error *err)
{
	struct reading r = { .job = job, .err = err, .context = { .job = job, .side = SIDE_SOURCE }, .limit = 1 };
	struct ArrowArray batch = { 0 };
	int rc = reading_open(&r, f, true);

	if (rc == 0)
		rc = next_batch(&r, &batch);
	*ret = rc == 0 && batch.release && batch.length > 0;
	if (batch.release)
		batch.release(&batch);
	reading_close(&r);
	return rc;
}

static int count_batch(struct reading *r, struct etl_view *view, const struct ArrowArray *batch, struct changes_set *set)
{
	(void)set;
	if (!etl_view_set(view, batch))
		return error_memory(r->err);
	for (int64_t i = 0; i < batch->length; i++)
		r->unmarked += !etl_value_is_set(&view->columns[view->count - 1], i);
	return 0;
}

int changes_count(const struct flow_setup *f, struct job *job, uint64_t *ret, struct etl_error *err)
{
	struct reading r = { .job = job, .err = err, .context = { .job = job, .side = SIDE_SOURCE } };
	struct etl_view *view = NULL;
	int rc = reading_open(&r, f, false);

	if (rc == 0) {
		view = etl_view_new(&r.schema);
		rc = view ? read_batches(&r, view, NULL, count_batch) : error_memory(err);
	}
	*ret = r.unmarked;
	etl_view_free(view);
	reading_close(&r);
	return rc;
}

/* ---- Keys that were not met ---------------------------------------------------------------------- */

static int left_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out)
{
	struct reading *r = stream->private_data;

	return etl_schema_copy(out, &r->schema) ? 0 : ENOMEM;
}

static int keep_left(struct reading *r, struct ArrowArray *batch)
{
	struct ArrowArray rest = { 0 };
	int64_t count = 0;

	if (!make_room(r, batch->length) || !canon_batch(r->canon, batch, r->hashes, NULL))
		return error_memory(r->err);
	for (int64_t i = 0; i < batch->length; i++) {
		bool left;
		int rc = changes_set_is_left(r->set, r->hashes[i], &left, r->err);

		if (rc == 0 && left && r->job->conflicts)
			rc = conflicts_goes(r->job, r->set, r->hashes[i], &left, r->err);

		if (rc < 0)
			return rc;
		if (left && r->most > 0 && changes_is_meant(r->job, r->hashes[i])) {
			r->left[count++] = i;
			r->most--;
			if (r->job->conflicts && conflicts_note_gone(r->job, r->hashes[i], r->err) < 0)
				return ETL_FAILED;
		}
	}
	if (count == batch->length)
		return 0;
	if (count > 0 && !etl_batch_take(&rest, &r->schema, batch, r->left, count))
		return error_memory(r->err);
	batch->release(batch);
	*batch = rest;
	return 0;
}

static int left_next(struct ArrowArrayStream *stream, struct ArrowArray *out)
{
	struct reading *r = stream->private_data;

	do {
		*out = (struct ArrowArray){ 0 };
		if (next_batch(r, out) < 0)
			return EIO;
		if (!out->release)
			return 0;
		if (out->length > 0 && keep_left(r, out) < 0) {
			if (out->release)
				out->release(out);
			return EIO;
		}
	} while (!out->release);
	return 0;
}

static const char *left_error(struct ArrowArrayStream *stream)
{
	struct reading *r = stream->private_data;

	return r->err->message;
}

static void left_release(struct ArrowArrayStream *stream)
{
	struct reading *r = stream->private_data;

	reading_close(r);
	free(r);
	stream->release = NULL;
}

int changes_open_left(const struct flow_setup *f, struct job *job, struct changes_set *set, uint64_t most,
		      struct ArrowArrayStream *ret, struct etl_error *err)
{
	struct reading *r = calloc(1, sizeof(*r));
	int64_t *key;
	int rc;

	if (!r)
		return error_memory(err);
	*r = (struct reading){ .job = job, .err = err, .set = set, .most = most, .context = { .job = job, .side = SIDE_SOURCE } };
	*ret = (struct ArrowArrayStream){ left_schema, left_next, left_error, left_release, r };
	rc = reading_open(r, f, true);
	key = calloc(job->key_count + 1, sizeof(*key));
	for (size_t i = 0; key && i < job->key_count; i++)
		key[i] = (int64_t)i;
	if (rc == 0) {
		r->canon = key ? canon_new(&r->schema, key, job->key_count, ETL_HASH_X1) : NULL;
		rc = r->canon ? 0 : error_memory(err);
	}
	free(key);
	if (rc < 0)
		ret->release(ret);
	return rc;
}
