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

#define MEMO_BITS 14

/* What a whole number became. All zeros: nothing is known here. */
struct memo {
	int64_t number;
	uint8_t uuid[KEYMAP_UUID];
};

/* A column of UUIDs where its values come. */
struct place {
	const struct keymap_made *made;
	const struct etl_column_view **views;
	struct memo *memo; /* 1 << MEMO_BITS of them: of a reference, many rows have the same; or NULL */
};

struct mapping {
	struct etl_remake remake; /* first: its functions are given it back */
	struct etl_instance *self;
	struct keymap_plan plan;
	struct place *places; /* as in the plan */
	struct etl_text text; /* of a key, for the map */
	struct keymap_pool pool;
};

/* ---- Making them ---- */

static const char *input_name(const struct mapping *m, const struct place *p, size_t i)
{
	return m->remake.in_schema.children[p->views[i] - m->remake.view->columns]->name;
}

static int reject(const struct mapping *m, const struct place *p, const struct ArrowArray *batch,
		  int64_t row, const char *code, size_t bad)
{
	bool null = etl_is_null(p->views[bad], row);
	struct etl_text reason = { 0 };
	struct etl_reject what = { .code = code,
				   .column = input_name(m, p, bad),
				   .schema = &m->remake.in_schema,
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
	r = m->self->host->reject(m->remake.context, &what);
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
		return etl_remake_no_memory(&m->remake);
	r = keymap_ask(m->self, m->remake.context, p->made, &m->text, &m->pool, ret, m->remake.err);
	if (r != 0)
		return r;
	*ret_bad = 0;
	if (!p->made->lenient) {
		*ret_code = NO_PARENT;
		return 0;
	}
	m->self->host->noted(m->remake.context, NO_PARENT, "references to rows that are nowhere became NULL", 1);
	m->self->host->count(m->remake.context, ETL_COUNT_WAITING, 1);
	return 0;
}

static bool is_whole(int32_t type)
{
	return type == ETL_INT16 || type == ETL_INT32 || type == ETL_INT64;
}

/* As keymap_make, of a whole number that may have come a while ago. */
static const char *make_again(const struct place *p, int64_t row, uint8_t ret[KEYMAP_UUID], size_t *ret_bad)
{
	static const uint8_t unknown[KEYMAP_UUID] = { 0 };
	const struct etl_column_view *v = p->views[0];
	int64_t number = v->type.type == ETL_INT64 ? etl_get_int64(v, row) :
			 v->type.type == ETL_INT32 ? etl_get_int32(v, row) :
						     etl_get_int16(v, row);
	struct memo *memo = &p->memo[(uint64_t)number * UINT64_C(0x9e3779b97f4a7c15) >> (64 - MEMO_BITS)];

	if (memo->number != number || memcmp(memo->uuid, unknown, sizeof(unknown)) == 0) {
		const char *code = keymap_make(p->made, p->views, row, ret, ret_bad);

		if (code)
			return code;
		memo->number = number;
		memcpy(memo->uuid, ret, sizeof(memo->uuid));
		return NULL;
	}
	memcpy(ret, memo->uuid, sizeof(memo->uuid));
	return NULL;
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
	*ret_code = p->memo ? make_again(p, row, ret->uuid, ret_bad) : keymap_make(p->made, p->views, row, ret->uuid, ret_bad);
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

static void mapping_close(struct etl_remake *self)
{
	struct mapping *m = (struct mapping *)(void *)self;

	etl_remake_free(self);
	for (size_t i = 0; m->places && i < m->plan.made_count; i++) {
		free(m->places[i].views);
		free(m->places[i].memo);
	}
	free(m->places);
	etl_text_free(&m->text);
	keymap_plan_free(&m->plan);
	free(m);
}

/* ---- Opening it ---- */

static int place_made(struct mapping *m, const struct etl_table *table, size_t i)
{
	const struct keymap_made *made = &m->plan.made[i];
	struct place *p = &m->places[i];

	p->made = made;
	p->views = calloc(made->count + 1, sizeof(*p->views));
	if (!p->views)
		return etl_remake_no_memory(&m->remake);
	for (size_t k = 0; k < made->count; k++) {
		const char *name = etl_column_at(table, made->columns[k])->name;
		int64_t at = etl_schema_find(&m->remake.in_schema, name);

		if (at < 0) {
			m->self->host->at(m->remake.err, NULL, name, NULL);
			return m->self->host->fail(
				m->remake.err, ETL_USAGE, NULL, 0,
				"keymap: the values of column \"%s\" do not come along, so no "
				"UUID can be made of them",
				name);
		}
		p->views[k] = &m->remake.view->columns[at];
	}
	if (!made->is_key && made->count == 1 && !m->self->map && is_whole(p->views[0]->type.type)) {
		p->memo = calloc((size_t)1 << MEMO_BITS, sizeof(*p->memo));
		if (!p->memo)
			return etl_remake_no_memory(&m->remake);
	}
	return ETL_OK;
}

/* Column AT of the output. */
static void add_child(struct mapping *m, struct etl_column *columns, size_t at, const char *name, int64_t from)
{
	struct etl_type_info type = { .type = keymap_type(m->self) };

	if (from >= 0)
		type = etl_type_of(m->remake.in_schema.children[from]);
	columns[at] = etl_remake_column(name, type);
	m->remake.from[at] = from;
}

/* The plan's columns as far as they come, and behind them what comes and the table does not know. */
static bool make_out(struct mapping *m, const struct etl_table *table, struct etl_column *columns)
{
	size_t count = 0;

	for (size_t i = 0; i < m->plan.out_count; i++) {
		const struct keymap_column *c = &m->plan.out[i];
		int64_t from = -1 - (int64_t)c->made;

		if (c->from >= 0) {
			from = etl_schema_find(&m->remake.in_schema,
					       etl_column_at(table, (size_t)c->from)->name);
			if (from < 0)
				continue;
		}
		add_child(m, columns, count++, c->name, from);
	}
	for (int64_t i = 0; i < m->remake.in_schema.n_children; i++)
		if (etl_column_find(table, m->remake.in_schema.children[i]->name) < 0)
			add_child(m, columns, count++, m->remake.in_schema.children[i]->name, i);
	return etl_schema_make(&m->remake.out_schema, columns, count, sizeof(*columns));
}

static bool make_schemas(struct mapping *m, const struct etl_table *table)
{
	size_t room = m->plan.out_count + (size_t)m->remake.in_schema.n_children + 1;
	struct etl_column *columns = calloc(room, sizeof(*columns));
	bool ok;

	m->remake.from = calloc(room, sizeof(*m->remake.from));
	m->places = calloc(m->plan.made_count + 1, sizeof(*m->places));
	ok = columns && m->remake.from && m->places;
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
	int r = keymap_plan_make(m->self, table, &m->plan, m->remake.err);

	if (r == ETL_OK)
		r = etl_remake_begin(&m->remake, in);
	if (r == ETL_OK && !make_schemas(m, table))
		r = etl_remake_no_memory(&m->remake);
	for (size_t i = 0; r == ETL_OK && i < m->plan.made_count; i++)
		r = place_made(m, table, i);
	return r;
}

int keymap_wrap(struct etl_instance *self, const struct etl_wrap *wrap, struct ArrowArrayStream *in,
		struct ArrowArrayStream *out, struct etl_error *err)
{
	struct mapping *m = etl_remake_new(sizeof(*m), self->host, wrap, err, "no memory to map keys");
	int r;

	if (!m)
		return ETL_FAILED;
	m->remake.row = make_row;
	m->remake.close = mapping_close;
	m->self = self;
	r = mapping_open(m, wrap->in, in);
	if (r == ETL_OK)
		etl_remake_stream(&m->remake, in, out);
	else
		mapping_close(&m->remake);
	return r;
}
