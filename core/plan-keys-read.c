/*
 * Reading the keys of a table: by a job of its own, which gives the columns of its watched keys alone, and asks the source for
 * no more of them where no transform wants to see the whole row. Rows that fall on the way do not come to the target either.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "flow.h"
#include "plan-keys-parts.h"

#define MEMORY_PART 8 /* of memory_limit, for all keys of a table */

bool compares_bytes(int32_t type)
{
	return type == ETL_TEXT || type == ETL_JSON || type == ETL_BYTES;
}

void looking_clear(struct looking *l)
{
	for (size_t i = 0; i < l->count; i++)
		alike_free(l->at[i].alike);
	free(l->at);
	l->at = NULL;
	l->count = 0;
}

/* ---- A job of the keys alone --------------------------------------------------------------------------------------------------- */

struct narrow {
	struct job job;
	int64_t *places; /* beside the columns of the whole job's rows: where they are now, or -1 */
	struct split_list splits;
};

/* The columns of FROM that AT names, COUNT of them. */
static bool pick_columns(const struct ArrowSchema *from, const int64_t *at, size_t count, struct ArrowSchema *ret)
{
	struct etl_column *columns = calloc(count + 1, sizeof(*columns));
	bool ok = columns != NULL;

	for (size_t i = 0; ok && i < count; i++) {
		struct etl_type_info type = etl_type_of(from->children[at[i]]);

		columns[i] = (struct etl_column){ .name = from->children[at[i]]->name,
						  .type = type.type,
						  .precision = type.precision,
						  .scale = type.scale,
						  .flags = from->children[at[i]]->flags & ARROW_FLAG_NULLABLE ? 0 : ETL_NOT_NULL };
	}
	ok = ok && etl_schema_make(ret, columns, count, sizeof(*columns));
	free(columns);
	return ok;
}

/* Which columns of the rows are of a watched key. */
static bool find_rows(const struct looking *l, struct narrow *n, int64_t *ret, size_t *ret_count)
{
	int64_t all = l->job->rows.n_children;
	size_t count = 0;

	n->places = malloc(((size_t)all + 1) * sizeof(*n->places));
	for (int64_t i = 0; n->places && i < all; i++) {
		n->places[i] = -1;
		for (size_t k = 0; k < l->count; k++)
			for (size_t c = 0; c < l->at[k].count; c++)
				if (l->at[k].rows[c] == i)
					n->places[i] = (int64_t)count;
		if (n->places[i] >= 0)
			ret[count++] = i;
	}
	*ret_count = count;
	return n->places != NULL;
}

/* Of the stream before the cast only what these columns are made of, when nobody else wants to see more. */
static bool pick_source(const struct job *whole, struct job *job)
{
	int64_t *from = malloc((job->cast_count + 1) * sizeof(*from));
	size_t count = 0;
	bool ok = from != NULL;

	for (size_t i = 0; ok && i < job->cast_count; i++) {
		size_t k = 0;

		if (job->cast[i].from < 0)
			continue;
		while (k < count && from[k] != job->cast[i].from)
			k++;
		if (k == count)
			from[count++] = job->cast[i].from;
		job->cast[i].from = (int64_t)k;
	}
	ok = ok && pick_columns(&whole->want, from, count, &job->want) && pick_columns(&whole->before_cast, from, count, &job->before_cast);
	free(from);
	return ok && count > 0;
}

static bool narrow_columns(const struct looking *l, struct narrow *n)
{
	const struct job *whole = l->job;
	struct job *job = &n->job;
	int64_t *at = malloc(((size_t)whole->rows.n_children + 1) * sizeof(*at));
	bool ok = at && find_rows(l, n, at, &job->cast_count);

	if (ok)
		job->cast = calloc(job->cast_count + 1, sizeof(*job->cast));
	ok = ok && job->cast && pick_columns(&whole->rows, at, job->cast_count, &job->rows);
	for (size_t i = 0; ok && i < job->cast_count; i++)
		job->cast[i] = whole->cast[at[i]];
	free(at);
	if (!ok || !whole->transforms.count)
		return ok && pick_source(whole, job);
	return etl_schema_copy(&job->want, &whole->want) && etl_schema_copy(&job->before_cast, &whole->before_cast);
}

/* Nothing of it is owned but its columns: it is read, and has no validators and no state. */
static int narrow_open(const struct looking *l, struct narrow *n, struct etl_error *err)
{
	const struct job *whole = l->job;

	memset(n, 0, sizeof(*n));
	n->job = (struct job){ .rule = whole->rule,
			       .index = whole->index,
			       .source = whole->source,
			       .comes = whole->comes,
			       .shapes = whole->shapes,
			       .target = whole->target,
			       .label = whole->label,
			       .schema = whole->schema,
			       .target_keys = whole->target_keys,
			       .target_key_count = whole->target_key_count,
			       .transforms = whole->transforms,
			       .repeats = whole->repeats,
			       .keeps_rows = whole->keeps_rows,
			       .one_stream = whole->one_stream,
			       .dataset = whole->dataset };
	pthread_mutex_init(&n->job.mutex, NULL);
	return narrow_columns(l, n) ? 0 : error_memory(err);
}

static void narrow_close(struct narrow *n)
{
	struct job *job = &n->job;

	if (job->want.release)
		job->want.release(&job->want);
	if (job->before_cast.release)
		job->before_cast.release(&job->before_cast);
	if (job->rows.release)
		job->rows.release(&job->rows);
	free(job->cast);
	free(n->places);
	split_list_clear(&n->splits);
	pthread_mutex_destroy(&job->mutex);
}

/* ---- Reading it ------------------------------------------------------------------------------------------------------------------ */

static int read_all(struct looking *l, struct narrow *n, flow_look *take, struct etl_error *err)
{
	struct run *run = l->run;
	const struct flow_setup flow = { .pipeline = run->pipeline,
					 .jobs = &run->jobs,
					 .source = run->source,
					 .target = run->target,
					 .pin = run->pinned ? &run->pin : NULL,
					 .limits = run->limits,
					 .row_limit = run->cli->run.limit,
					 .pace = l->pace };
	int rc = 0;

	for (size_t i = 0; i < n->splits.count && rc == 0; i++)
		rc = flow_each_batch(&flow, &n->job, &n->splits.at[i], take, l, err);
	return rc;
}

static int take_first(void *data, const struct ArrowArray *batch, struct etl_error *err)
{
	struct looking *l = data;
	int rc = 0;

	l->read += (uint64_t)batch->length;
	for (size_t i = 0; i < l->count && rc == 0; i++)
		rc = alike_add(l->at[i].alike, batch, err);
	return rc;
}

static int take_again(void *data, const struct ArrowArray *batch, struct etl_error *err)
{
	const struct looking *l = data;
	int rc = 0;

	for (size_t i = 0; i < l->count && rc == 0; i++)
		if (l->at[i].candidates)
			rc = alike_add_again(l->at[i].alike, batch, err);
	return rc;
}

/* ---- Twice --------------------------------------------------------------------------------------------------------------------------- */

static int make_alikes(struct looking *l, const struct narrow *n, struct etl_error *err)
{
	size_t memory = (size_t)l->run->pipeline->memory_limit / MEMORY_PART / l->count;
	struct ArrowSchema schema = { .release = NULL };
	bool ok = flow_with_ordinal(&n->job.rows, &schema);

	for (size_t i = 0; ok && i < l->count; i++) {
		struct watched *w = &l->at[i];
		int64_t columns[KEY_COLUMNS];
		const struct alike_key key = {
			.columns = columns, .compares = w->compares, .count = w->count, .nulls_equal = w->nulls_equal
		};

		for (size_t k = 0; k < w->count; k++)
			columns[k] = n->places[w->rows[k]];
		w->alike = alike_new(&schema, &key, l->run->target->plugin->target.form, memory);
		ok = w->alike != NULL;
	}
	if (schema.release)
		schema.release(&schema);
	return ok ? 0 : error_memory(err);
}

static int close_alikes(struct looking *l, bool *ret_any, struct etl_error *err)
{
	int rc = 0;

	*ret_any = false;
	for (size_t i = 0; i < l->count && rc == 0; i++) {
		rc = alike_close(l->at[i].alike, &l->at[i].candidates, err);
		*ret_any |= rc == 0 && l->at[i].candidates;
	}
	return rc;
}

int looking_read(struct looking *l, bool *ret_any, struct etl_error *err)
{
	struct narrow n;
	struct etl_read read;
	int rc = narrow_open(l, &n, err);

	read = (struct etl_read){ .dataset = n.job.dataset, .want = &n.job.want, .limit = l->run->cli->run.limit };
	if (rc == 0)
		rc = split_list_plan(&n.splits, l->run->source, &read, 1, err);
	if (rc == 0)
		rc = make_alikes(l, &n, err);
	if (rc == 0)
		rc = read_all(l, &n, take_first, err);
	if (rc == 0)
		rc = close_alikes(l, ret_any, err);
	if (rc == 0 && *ret_any)
		rc = read_all(l, &n, take_again, err);
	narrow_close(&n);
	return rc;
}
