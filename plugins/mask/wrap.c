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
	struct mask_plan plan;
	struct place *places;
	size_t place_count;
};

/* ---- A row that cannot be masked ---- */

/* One row with NULL in every masked column. */
static bool hide(const struct masking *m, const struct ArrowArray *batch, int64_t row,
		 struct ArrowArray *ret)
{
	struct etl_builder *builder = etl_builder_new(&m->remake.made, 1);
	struct ArrowArray nulls;
	bool ok = builder && etl_batch_take(ret, &m->remake.in_schema, batch, &row, 1);

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
		.code = code, .column = place->column.name, .schema = &m->remake.in_schema, .batch = &hidden
	};
	int r;

	if (!hide(m, batch, row, &hidden))
		return etl_remake_enomem(&m->remake);
	etl_text_addf(
		&reason,
		"column %s: a value cannot be masked in this way (%s); it is not shown, and masked "
		"columns are NULL here",
		place->column.name, code);
	what.reason = reason.failed ? "a value cannot be masked" : reason.at;
	r = m->self->host->reject(m->remake.context, &what);
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
			return etl_remake_enomem(self);
		etl_put_null(&builder->columns[i]);
		if (*ret_keep)
			r = reject(m, p, batch, row, code);
		*ret_keep = false;
		if (r != 0)
			return r;
	}
	return 0;
}

static void masking_close(struct etl_remake *self)
{
	struct masking *m = (struct masking *)(void *)self;

	etl_remake_free(self);
	mask_plan_free(&m->plan);
	free(m->places);
	free(m);
}

/* ---- Opening it ---- */

static int missing(const struct masking *m, const char *name)
{
	m->self->host->at(m->remake.err, NULL, name, NULL);
	return m->self->host->fail(
		m->remake.err, ETL_USAGE, NULL, 0,
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

		*place = (struct place){ *column, etl_schema_find(&m->remake.in_schema, column->name), -1 };
		if (place->at < 0)
			return missing(m, column->name);
		if (!by)
			continue;
		by = etl_column_at(table, (size_t)etl_column_find(table, by))->name;
		place->by = etl_schema_find(&m->remake.in_schema, by);
		if (place->by < 0)
			return missing(m, by);
	}
	return ETL_OK;
}

static bool make_schemas(struct masking *m)
{
	struct etl_remake *r = &m->remake;
	struct etl_column *columns = calloc(m->place_count + 1, sizeof(*columns));
	bool ok;

	r->from = calloc((size_t)r->in_schema.n_children + 1, sizeof(*r->from));
	ok = columns && r->from && etl_schema_copy(&r->out_schema, &r->in_schema);
	for (int64_t i = 0; ok && i < r->in_schema.n_children; i++)
		r->from[i] = i;
	for (size_t i = 0; ok && i < m->place_count; i++) {
		r->from[m->places[i].at] = -1 - (int64_t)i;
		columns[i] = etl_remake_column(m->places[i].column.name, etl_type_of(r->in_schema.children[m->places[i].at]));
	}
	ok = ok && etl_schema_make(&r->made, columns, m->place_count, sizeof(*columns));
	free(columns);
	return ok;
}

static int masking_open(struct masking *m, const struct etl_table *table,
			struct ArrowArrayStream *in)
{
	int r = mask_plan_make(m->self, table, &m->plan, m->remake.err);

	if (r == ETL_OK)
		r = etl_remake_begin(&m->remake, in);
	if (r != ETL_OK)
		return r;
	m->places = calloc(m->plan.count + 1, sizeof(*m->places));
	if (!m->places)
		return etl_remake_no_memory(&m->remake);
	r = place_columns(m, table);
	if (r == ETL_OK && !make_schemas(m))
		r = etl_remake_no_memory(&m->remake);
	return r;
}

int mask_wrap(struct etl_instance *self, const struct etl_wrap *wrap, struct ArrowArrayStream *in,
	      struct ArrowArrayStream *out, struct etl_error *err)
{
	struct masking *m = etl_remake_new(sizeof(*m), self->host, wrap, err, "no memory to mask rows");
	int r;

	if (!m)
		return ETL_FAILED;
	m->self = self;
	r = masking_open(m, wrap->in, in);
	m->remake.row = m->place_count > 0 ? mask_row : NULL;
	m->remake.close = masking_close;
	if (r == ETL_OK)
		etl_remake_stream(&m->remake, in, out);
	else
		masking_close(&m->remake);
	return r;
}
