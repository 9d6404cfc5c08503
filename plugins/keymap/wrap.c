/*
 * The rows with their UUIDs. The columns of UUIDs of a batch are made first, so that a reject can still show its whole
 * row as it came; then everything else crosses by pointer.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "columns.h"
#include "keymap.h"
#include "remake.h"

#define NO_PARENT "no_parent"

/* A column of UUIDs where its values come. */
struct place {
	const struct keymap_made *made;
	const struct etl_column_view **views;
};

struct mapping {
	struct etl_remake remake; /* first: its functions are given it back */
	struct etl_instance *self;
	struct etl_context *context;
	struct etl_error *err;
	struct ArrowArrayStream in;
	struct ArrowSchema in_schema, out_schema;
	struct keymap_plan plan;
	struct place *places; /* as in the plan */
	struct etl_text text; /* of a key, for the map */
	struct keymap_pool pool;
	int64_t *from; /* of each child of the output: the input's; -1 - n: the nth made one */
	int64_t out_count;
};

static int memory_failed(const struct mapping *m)
{
	return m->self->host->fail(m->err, ETL_MEMORY, NULL, 0, "no memory to map keys");
}

/* The same for a stream. */
static int no_memory(struct etl_remake *self)
{
	memory_failed((const struct mapping *)(void *)self);
	return ENOMEM;
}

/* ---- Making them ---- */

static const char *input_name(const struct mapping *m, const struct place *p, size_t i)
{
	return m->in_schema.children[p->views[i] - m->remake.view->columns]->name;
}

static int reject(const struct mapping *m, const struct place *p, const struct ArrowArray *batch,
		  int64_t row, const char *code, size_t bad)
{
	bool null = etl_is_null(p->views[bad], row);
	struct etl_text reason = { 0 };
	struct etl_reject what = { .code = code,
				   .column = input_name(m, p, bad),
				   .schema = &m->in_schema,
				   .batch = batch,
				   .row = row };
	int r;

	etl_text_addf(&reason, "column %s: ", what.column);
	if (null && p->made->is_key) {
		etl_text_add(&reason, "a key that is NULL has no UUID");
	} else if (null) {
		etl_text_addf(&reason, "NULL, and the reference to %s is not optional",
			      p->made->table);
	} else if (strcmp(code, NO_PARENT) == 0) {
		etl_text_addf(&reason, "of the key %.*s there is no row of %s, neither in the map \"%s\" nor in this run",
			      (int)m->text.length, m->text.at ? m->text.at : "", p->made->table, m->self->map);
	} else {
		etl_text_add(&reason, "of the value ");
		etl_text_add_value(&reason, p->views[bad], row);
		etl_text_add(
			&reason,
			" no UUID is made: a key is an integer, a date, a UUID or a text in UTF-8");
	}
	what.reason = reason.failed ? "no UUID can be made of a key" : reason.at;
	r = m->self->host->reject(m->context, &what);
	etl_text_free(&reason);
	return r < 0 ? EINVAL : 0;
}

/* The index of the first value that is NULL, or how many there are. */
static size_t first_null(const struct place *p, int64_t row)
{
	size_t i = 0;

	while (i < p->made->count && !etl_is_null(p->views[i], row))
		i++;
	return i;
}

static void put(const struct mapping *m, struct etl_column_builder *column, const struct etl_mapped *key)
{
	if (keymap_type(m->self) == ETL_UUID)
		etl_put_fixed(column, key->uuid);
	else
		etl_put_int64(column, key->number);
}

/* 1: RET is the key. 0: there is none, *RET_CODE says why; NULL: it may be so. Negative: the stream failed. */
static int ask(struct mapping *m, const struct place *p, int64_t row, struct etl_mapped *ret, const char **ret_code, size_t *ret_bad)
{
	int r;

	m->text.length = 0;
	*ret_code = keymap_spell(p->made, p->views, row, &m->text, ret_bad);
	if (*ret_code)
		return 0;
	if (m->text.failed)
		return memory_failed(m);
	r = keymap_ask(m->self, m->context, p->made, &m->text, &m->pool, ret, m->err);
	if (r != 0)
		return r;
	*ret_bad = 0;
	if (!p->made->lenient) {
		*ret_code = NO_PARENT;
		return 0;
	}
	m->self->host->noted(m->context, NO_PARENT, "references to rows that are nowhere became NULL", 1);
	m->self->host->count(m->context, ETL_COUNT_WAITING, 1);
	return 0;
}

static int find_key(struct mapping *m, const struct place *p, int64_t row, struct etl_mapped *ret, const char **ret_code, size_t *ret_bad)
{
	*ret_bad = first_null(p, row);
	if (*ret_bad < p->made->count) {
		*ret_code = p->made->optional && !p->made->is_key ? NULL : "not_null";
		return 0;
	}
	if (m->self->map)
		return ask(m, p, row, ret, ret_code, ret_bad);
	*ret_code = keymap_make(p->made, p->views, row, ret->uuid, ret_bad);
	return !*ret_code;
}

/* Of a row that is rejected the other keys are made too: the map knows then that it was there. */
static int make_row(struct etl_remake *self, struct etl_builder *builder, const struct ArrowArray *batch, int64_t row,
		    bool *ret_keep)
{
	struct mapping *m = (struct mapping *)(void *)self;
	int r = 0;

	for (size_t i = 0; r == 0 && i < m->plan.made_count; i++) {
		const struct place *p = &m->places[i];
		struct etl_mapped key;
		const char *code;
		size_t bad;
		int found = find_key(m, p, row, &key, &code, &bad);

		if (found > 0)
			put(m, &builder->columns[i], &key);
		else
			etl_put_null(&builder->columns[i]);
		if (found < 0)
			r = EINVAL;
		else if (!found && code && *ret_keep)
			r = reject(m, p, batch, row, code, bad);
		if (!found && code)
			*ret_keep = false;
	}
	return r;
}

/* ---- The batch that goes on ---- */

/* Takes over BATCH's columns; BATCH itself stays to be released. None of its rows stays: OUT is not filled. */
static int map_batch(struct mapping *m, struct ArrowArray *batch, struct ArrowArray *out)
{
	int64_t *keep = malloc(((size_t)batch->length + 1) * sizeof(*keep)), kept = 0;
	struct ArrowArray made = { .release = NULL }, frame = { .release = NULL };
	int r = keep ? etl_remake_values(&m->remake, batch, &made, keep, &kept) : no_memory(&m->remake);

	if (r == 0 && !etl_remake_frame(&frame, m->out_count, batch->length))
		r = no_memory(&m->remake);
	for (int64_t i = 0; r == 0 && i < m->out_count; i++)
		etl_remake_move(frame.children[i], m->from[i] < 0 ? &made : batch,
				m->from[i] < 0 ? -1 - m->from[i] : m->from[i]);
	if (r == 0 && !etl_remake_keep(out, &m->out_schema, &frame, keep, kept))
		r = no_memory(&m->remake);
	if (frame.release)
		frame.release(&frame);
	if (made.release)
		made.release(&made);
	free(keep);
	return r;
}

/* ---- The stream ---- */

static int mapping_next(struct ArrowArrayStream *stream, struct ArrowArray *out)
{
	struct mapping *m = stream->private_data;
	int r = 0;

	out->release = NULL;
	while (r == 0 && !out->release) {
		struct ArrowArray batch = { .release = NULL };

		r = m->in.get_next(&m->in, &batch);
		if (r != 0 || !batch.release)
			return r;
		r = map_batch(m, &batch, out);
		batch.release(&batch);
	}
	return r;
}

static int mapping_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out)
{
	const struct mapping *m = stream->private_data;

	return etl_schema_copy(out, &m->out_schema) ? 0 : ENOMEM;
}

static const char *mapping_last_error(struct ArrowArrayStream *stream)
{
	struct mapping *m = stream->private_data;

	return m->in.get_last_error(&m->in);
}

static void mapping_free(struct mapping *m)
{
	struct ArrowSchema *schemas[] = { &m->in_schema, &m->out_schema, &m->remake.made };

	if (m->in.release)
		m->in.release(&m->in);
	for (size_t i = 0; i < sizeof(schemas) / sizeof(schemas[0]); i++)
		if (schemas[i]->release)
			schemas[i]->release(schemas[i]);
	for (size_t i = 0; m->places && i < m->plan.made_count; i++)
		free(m->places[i].views);
	free(m->places);
	free(m->from);
	etl_view_free(m->remake.view);
	etl_text_free(&m->text);
	keymap_plan_free(&m->plan);
	free(m);
}

static void mapping_release(struct ArrowArrayStream *stream)
{
	mapping_free(stream->private_data);
	stream->release = NULL;
}

/* ---- Opening it ---- */

static int place_made(struct mapping *m, const struct etl_table *table, size_t i)
{
	const struct keymap_made *made = &m->plan.made[i];
	struct place *p = &m->places[i];

	p->made = made;
	p->views = calloc(made->count + 1, sizeof(*p->views));
	if (!p->views)
		return memory_failed(m);
	for (size_t k = 0; k < made->count; k++) {
		const char *name = etl_column_at(table, made->columns[k])->name;
		int64_t at = etl_schema_find(&m->in_schema, name);

		if (at < 0) {
			m->self->host->at(m->err, NULL, name, NULL);
			return m->self->host->fail(
				m->err, ETL_USAGE, NULL, 0,
				"keymap: the values of column \"%s\" do not come along, so no "
				"UUID can be made of them",
				name);
		}
		p->views[k] = &m->remake.view->columns[at];
	}
	return ETL_OK;
}

static void add_child(struct mapping *m, struct etl_column *columns, const char *name, int64_t from)
{
	struct etl_type_info type = { .type = keymap_type(m->self) };

	if (from >= 0)
		type = etl_type_of(m->in_schema.children[from]);
	columns[m->out_count] = etl_remake_column(name, type);
	m->from[m->out_count++] = from;
}

/* The plan's columns as far as they come, and behind them what comes and the table does not know. */
static bool make_out(struct mapping *m, const struct etl_table *table, struct etl_column *columns)
{
	for (size_t i = 0; i < m->plan.out_count; i++) {
		const struct keymap_column *c = &m->plan.out[i];
		int64_t from = -1 - (int64_t)c->made;

		if (c->from >= 0) {
			from = etl_schema_find(&m->in_schema,
					       etl_column_at(table, (size_t)c->from)->name);
			if (from < 0)
				continue;
		}
		add_child(m, columns, c->name, from);
	}
	for (int64_t i = 0; i < m->in_schema.n_children; i++)
		if (etl_column_find(table, m->in_schema.children[i]->name) < 0)
			add_child(m, columns, m->in_schema.children[i]->name, i);
	return etl_schema_make(&m->out_schema, columns, (size_t)m->out_count, sizeof(*columns));
}

static bool make_schemas(struct mapping *m, const struct etl_table *table)
{
	size_t room = m->plan.out_count + (size_t)m->in_schema.n_children + 1;
	struct etl_column *columns = calloc(room, sizeof(*columns));
	bool ok;

	m->from = calloc(room, sizeof(*m->from));
	m->places = calloc(m->plan.made_count + 1, sizeof(*m->places));
	m->remake.view = etl_view_new(&m->in_schema);
	ok = columns && m->from && m->places && m->remake.view;
	for (size_t i = 0; ok && i < m->plan.made_count; i++)
		columns[i] = (struct etl_column){ .name = m->plan.made[i].name, .type = keymap_type(m->self) };
	ok = ok && etl_schema_make(&m->remake.made, columns, m->plan.made_count, sizeof(*columns));
	ok = ok && make_out(m, table, columns);
	free(columns);
	return ok;
}

static int mapping_open(struct mapping *m, const struct etl_table *table,
			struct ArrowArrayStream *in)
{
	int r = keymap_plan_make(m->self, table, &m->plan, m->err);

	if (r != ETL_OK)
		return r;
	if (in->get_schema(in, &m->in_schema) != 0)
		return ETL_FAILED;
	if (!make_schemas(m, table))
		return memory_failed(m);
	for (size_t i = 0; r == ETL_OK && i < m->plan.made_count; i++)
		r = place_made(m, table, i);
	return r;
}

int keymap_wrap(struct etl_instance *self, const struct etl_wrap *wrap, struct ArrowArrayStream *in,
		struct ArrowArrayStream *out, struct etl_error *err)
{
	struct mapping *m = calloc(1, sizeof(*m));
	int r;

	if (!m)
		return self->host->fail(err, ETL_MEMORY, NULL, 0, "no memory to map keys");
	m->remake.row = make_row;
	m->remake.no_memory = no_memory;
	m->self = self;
	m->context = wrap->context;
	m->err = err;
	r = mapping_open(m, wrap->in, in);
	if (r != ETL_OK) {
		mapping_free(m);
		return r;
	}
	m->in = *in;
	in->release = NULL;
	*out = (struct ArrowArrayStream){
		.get_schema = mapping_schema,
		.get_next = mapping_next,
		.get_last_error = mapping_last_error,
		.release = mapping_release,
		.private_data = m,
	};
	return ETL_OK;
}
