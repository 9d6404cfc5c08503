/*
 * The rows with their columns masked. The masked columns of a batch are built anew and take the place of the
 * old ones; the others cross by pointer. A row that cannot be masked is rejected, and what the rejects file
 * shows of it has NULL where something should have been masked.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "columns.h"
#include "mask.h"
#include "remake.h"

/* A masked column where it comes. */
struct place {
	struct mask_column column;
	int64_t at, by; /* in the batch; by -1: none */
};

struct masking {
	struct etl_remake remake; /* first: its functions are given it back */
	struct etl_instance *self;
	struct etl_context *context;
	struct etl_error *err;
	struct ArrowArrayStream in;
	struct ArrowSchema schema;
	struct mask_plan plan;
	struct place *places;
	size_t place_count;
};

static int memory_failed(const struct masking *m)
{
	return m->self->host->fail(m->err, ETL_MEMORY, NULL, 0, "no memory to mask rows");
}

/* The same for a stream. */
static int no_memory(struct etl_remake *self)
{
	memory_failed((const struct masking *)(void *)self);
	return ENOMEM;
}

/* ---- A row that cannot be masked ---- */

/* One row with NULL in every masked column. */
static bool hide(const struct masking *m, const struct ArrowArray *batch, int64_t row,
		 struct ArrowArray *ret)
{
	struct etl_builder *builder = etl_builder_new(&m->remake.made, 1);
	struct ArrowArray nulls;
	bool ok = builder && etl_batch_take(ret, &m->schema, batch, &row, 1);

	if (!ok) {
		etl_builder_free(builder);
		return false;
	}
	for (int64_t i = 0; i < builder->count; i++)
		etl_put_null(&builder->columns[i]);
	ok = etl_builder_finish(builder, &nulls);
	etl_builder_free(builder);
	if (!ok) {
		ret->release(ret);
		return false;
	}
	for (size_t i = 0; i < m->place_count; i++) {
		struct ArrowArray *to = ret->children[m->places[i].at];

		to->release(to);
		*to = *nulls.children[i];
		nulls.children[i]->release = NULL;
	}
	nulls.release(&nulls);
	return true;
}

static int reject(struct masking *m, const struct place *place,
		  const struct ArrowArray *batch, int64_t row, const char *code)
{
	struct ArrowArray hidden;
	struct etl_text reason = { 0 };
	struct etl_reject what = {
		.code = code, .column = place->column.name, .schema = &m->schema, .batch = &hidden
	};
	int r;

	if (!hide(m, batch, row, &hidden))
		return no_memory(&m->remake);
	etl_text_addf(
		&reason,
		"column %s: a value cannot be masked in this way (%s); it is not shown, and masked "
		"columns are NULL here",
		place->column.name, code);
	what.reason = reason.failed ? "a value cannot be masked" : reason.at;
	r = m->self->host->reject(m->context, &what);
	etl_text_free(&reason);
	hidden.release(&hidden);
	return r < 0 ? EINVAL : 0;
}

/* ---- A batch ---- */

static int mask_row(struct etl_remake *self, struct etl_builder *builder, const struct ArrowArray *batch, int64_t row,
		    bool *ret_keep)
{
	struct masking *m = (struct masking *)(void *)self;

	for (size_t i = 0; i < m->place_count; i++) {
		const struct place *p = &m->places[i];
		const char *code = mask_value(&p->column, &builder->columns[i],
					      &m->remake.view->columns[p->at],
					      p->by < 0 ? NULL : &m->remake.view->columns[p->by], row);
		int r = 0;

		if (!code)
			continue;
		if (strcmp(code, "no_memory") == 0)
			return no_memory(self);
		etl_put_null(&builder->columns[i]);
		if (*ret_keep)
			r = reject(m, p, batch, row, code);
		*ret_keep = false;
		if (r != 0)
			return r;
	}
	return 0;
}

/* The made columns instead of the old ones; what is left of MADE is released. */
static void exchange(const struct masking *m, struct ArrowArray *batch, struct ArrowArray *made)
{
	for (size_t i = 0; i < m->place_count; i++) {
		struct ArrowArray *to = batch->children[m->places[i].at];

		to->release(to);
		*to = *made->children[i];
		made->children[i]->release = NULL;
	}
	made->release(made);
}

/* A batch that begins within its columns, as one that does not. */
static bool straighten(const struct masking *m, struct ArrowArray *batch)
{
	int64_t *rows = malloc(((size_t)batch->length + 1) * sizeof(*rows));
	struct ArrowArray whole;
	bool ok;

	for (int64_t i = 0; rows && i < batch->length; i++)
		rows[i] = i;
	ok = rows && etl_batch_take(&whole, &m->schema, batch, rows, batch->length);
	free(rows);
	if (ok) {
		batch->release(batch);
		*batch = whole;
	}
	return ok;
}

/* OUT has the rows that stay; none: it is not filled. BATCH stays to be released when it is not moved. */
static int mask_batch(struct masking *m, struct ArrowArray *batch, struct ArrowArray *out)
{
	int64_t *keep = malloc(((size_t)batch->length + 1) * sizeof(*keep)), kept = 0;
	struct ArrowArray made = { .release = NULL };
	int r = keep && (batch->offset == 0 || straighten(m, batch)) ? 0 : no_memory(&m->remake);

	if (r == 0)
		r = etl_remake_values(&m->remake, batch, &made, keep, &kept);
	if (r == 0) {
		exchange(m, batch, &made);
		if (!etl_remake_keep(out, &m->schema, batch, keep, kept))
			r = no_memory(&m->remake);
	}
	free(keep);
	return r;
}

/* ---- The stream ---- */

static int masking_next(struct ArrowArrayStream *stream, struct ArrowArray *out)
{
	struct masking *m = stream->private_data;
	int r = 0;

	out->release = NULL;
	while (r == 0 && !out->release) {
		struct ArrowArray batch = { .release = NULL };

		r = m->in.get_next(&m->in, &batch);
		if (r != 0 || !batch.release)
			return r;
		if (m->place_count == 0) {
			*out = batch;
			return 0;
		}
		r = mask_batch(m, &batch, out);
		if (batch.release)
			batch.release(&batch);
	}
	return r;
}

static int masking_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out)
{
	const struct masking *m = stream->private_data;

	return etl_schema_copy(out, &m->schema) ? 0 : ENOMEM;
}

static const char *masking_last_error(struct ArrowArrayStream *stream)
{
	struct masking *m = stream->private_data;

	return m->in.get_last_error(&m->in);
}

static void masking_free(struct masking *m)
{
	if (m->in.release)
		m->in.release(&m->in);
	if (m->schema.release)
		m->schema.release(&m->schema);
	if (m->remake.made.release)
		m->remake.made.release(&m->remake.made);
	etl_view_free(m->remake.view);
	mask_plan_free(&m->plan);
	free(m->places);
	free(m);
}

static void masking_release(struct ArrowArrayStream *stream)
{
	masking_free(stream->private_data);
	stream->release = NULL;
}

/* ---- Opening it ---- */

static int missing(const struct masking *m, const char *name)
{
	m->self->host->at(m->err, NULL, name, NULL);
	return m->self->host->fail(
		m->err, ETL_USAGE, NULL, 0,
		"mask: the values of column \"%s\" do not come along, so nothing can be "
		"done with them",
		name);
}

static int place_columns(struct masking *m, const struct etl_table *table)
{
	for (size_t i = 0; i < m->plan.count; i++) {
		const struct mask_column *column = &m->plan.at[i];
		const char *by = column->rule->by;
		struct place *place = &m->places[m->place_count++];

		*place = (struct place){ *column, etl_schema_find(&m->schema, column->name), -1 };
		if (place->at < 0)
			return missing(m, column->name);
		if (!by)
			continue;
		by = etl_column_at(table, (size_t)etl_column_find(table, by))->name;
		place->by = etl_schema_find(&m->schema, by);
		if (place->by < 0)
			return missing(m, by);
	}
	return ETL_OK;
}

static bool make_schema(struct masking *m)
{
	struct etl_column *columns = calloc(m->place_count + 1, sizeof(*columns));
	bool ok = columns != NULL;

	for (size_t i = 0; ok && i < m->place_count; i++)
		columns[i] = etl_remake_column(m->places[i].column.name, etl_type_of(m->schema.children[m->places[i].at]));
	ok = ok && etl_schema_make(&m->remake.made, columns, m->place_count, sizeof(*columns));
	free(columns);
	m->remake.view = ok ? etl_view_new(&m->schema) : NULL;
	return m->remake.view != NULL;
}

static int masking_open(struct masking *m, const struct etl_table *table,
			struct ArrowArrayStream *in)
{
	int r = mask_plan_make(m->self, table, &m->plan, m->err);

	if (r != ETL_OK)
		return r;
	if (in->get_schema(in, &m->schema) != 0)
		return ETL_FAILED;
	m->places = calloc(m->plan.count + 1, sizeof(*m->places));
	if (!m->places)
		return memory_failed(m);
	r = place_columns(m, table);
	if (r == ETL_OK && !make_schema(m))
		r = memory_failed(m);
	return r;
}

int mask_wrap(struct etl_instance *self, const struct etl_wrap *wrap, struct ArrowArrayStream *in,
	      struct ArrowArrayStream *out, struct etl_error *err)
{
	struct masking *m = calloc(1, sizeof(*m));
	int r;

	if (!m)
		return self->host->fail(err, ETL_MEMORY, NULL, 0, "no memory to mask rows");
	m->remake.row = mask_row;
	m->remake.no_memory = no_memory;
	m->self = self;
	m->context = wrap->context;
	m->err = err;
	r = masking_open(m, wrap->in, in);
	if (r != ETL_OK) {
		masking_free(m);
		return r;
	}
	m->in = *in;
	in->release = NULL;
	*out = (struct ArrowArrayStream){
		.get_schema = masking_schema,
		.get_next = masking_next,
		.get_last_error = masking_last_error,
		.release = masking_release,
		.private_data = m,
	};
	return ETL_OK;
}
