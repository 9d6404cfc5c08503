/*
 * Which columns become UUIDs: the key, what `references` names, and the foreign keys, decided on the table's shape
 * before any row moves, and again, the same way, where the rows come. What could be two UUIDs at once, or would be
 * one that nothing else refers to, is refused here.
 */
#include "config.h"

#include <strings.h>

#include "columns.h"
#include "keymap.h"

struct planning {
	const struct etl_instance *self;
	const struct etl_table *table;
	const char *own; /* the name that is hashed for the table itself */
	struct keymap_plan plan;
	struct etl_error *err;
};

static int no_memory(const struct planning *p)
{
	return p->self->host->fail(p->err, ETL_MEMORY, NULL, 0,
				   "no memory for the columns of keymap");
}

static const struct etl_column *column_at(const struct planning *p, size_t i)
{
	return etl_column_at(p->table, i);
}

/* ---- What is asked of a plan ---- */

static bool takes(const struct keymap_made *made, size_t column)
{
	for (size_t i = 0; i < made->count; i++)
		if (made->columns[i] == column)
			return true;
	return false;
}

bool keymap_in_place(const struct keymap_made *made, const struct etl_table *table, size_t column)
{
	return takes(made, column) &&
	       strcasecmp(made->name, etl_column_at(table, column)->name) == 0;
}

const char *keymap_kept(const struct keymap_plan *plan, size_t column)
{
	for (size_t i = 0; i < plan->out_count; i++)
		if (plan->out[i].from == (int64_t)column)
			return plan->out[i].name;
	return NULL;
}

/* ---- Names in the options ---- */

static bool is_listed(const struct planning *p, const char *option, size_t column)
{
	const struct etl_host *host = p->self->host;

	for (size_t i = 0; i < host->list(p->self->conf, option); i++)
		if (etl_column_find(p->table, host->item(p->self->conf, option, i)) ==
		    (int64_t)column)
			return true;
	return false;
}

/* The columns that an option names. *RET is NULL when one is not there, and that is to be passed over. */
static int find_columns(struct planning *p, const struct etl_conf *conf, const char *option,
			const char *where, const size_t **ret)
{
	const struct etl_host *host = p->self->host;
	size_t count = host->list(conf, option);
	size_t *columns = etl_arena_alloc(&p->plan.arena, (count + 1) * sizeof(*columns));

	*ret = NULL;
	if (!columns)
		return no_memory(p);
	for (size_t i = 0; i < count; i++) {
		const char *name = host->item(conf, option, i);
		int64_t at = etl_column_find(p->table, name);

		if (at < 0 && p->self->ignores_unmatched)
			return ETL_OK;
		if (at < 0)
			return etl_column_unknown(host, p->table, where, name, false, p->err);
		columns[i] = (size_t)at;
	}
	*ret = columns;
	return ETL_OK;
}

/* ---- Whether a column can be a key ---- */

static bool bears(const struct etl_column *column)
{
	switch (column->type) {
	case ETL_TYPE_NONE:
	case ETL_ANY:
	case ETL_INT16:
	case ETL_INT32:
	case ETL_INT64:
	case ETL_TEXT:
	case ETL_DATE:
	case ETL_UUID:
		return true;
	case ETL_DECIMAL:
		return column->scale == 0;
	default:
		return false;
	}
}

static int check_column(const struct planning *p, size_t i)
{
	const struct etl_host *host = p->self->host;
	const struct etl_column *column = column_at(p, i);
	struct etl_type_info type = { column->type, column->precision, column->scale };
	char name[64];

	if (!(column->flags & ETL_GENERATED) && bears(column))
		return ETL_OK;
	host->at(p->err, p->table->name, column->name, NULL);
	if (column->flags & ETL_GENERATED)
		return host->fail(
			p->err, ETL_USAGE, NULL, 0,
			"keymap: column \"%s\" is computed, so its values do not come; name "
			"others, or put it into `keep`",
			column->name);
	return host->fail(
		p->err, ETL_USAGE, NULL, 0,
		"keymap: column \"%s\" is %s, and one key may be written in several ways there; "
		"make it an integer or a text with map, or put it into `keep`",
		column->name, etl_type_name(type, name, sizeof(name)));
}

/* ---- One column of UUIDs ---- */

static int twice(const struct planning *p, const struct keymap_made *a, const struct keymap_made *b)
{
	p->self->host->at(p->err, p->table->name, b->name, NULL);
	return p->self->host->fail(p->err, ETL_USAGE, NULL, 0,
				   "keymap: column \"%s\" would be the UUID of \"%s\" and the UUID "
				   "of \"%s\"; give one of "
				   "them a column of its own with `as`, or both tables one name "
				   "with `table` or `names`",
				   b->name, a->table, b->table);
}

static bool is_same(const struct keymap_made *a, const struct keymap_made *b)
{
	bool same = strcmp(a->table, b->table) == 0 && a->count == b->count;

	for (size_t i = 0; same && i < a->count; i++)
		same = a->columns[i] == b->columns[i];
	return same;
}

/* A column's own values stay once, or not at all. */
static int check_old(const struct planning *p, const struct keymap_made *a, const struct keymap_made *b)
{
	for (size_t i = 0; a->old && b->old && i < a->count; i++)
		for (size_t k = 0; k < b->count; k++) {
			if (a->columns[i] != b->columns[k] || strcmp(a->old[i], b->old[k]) == 0)
				continue;
			p->self->host->at(p->err, p->table->name, column_at(p, a->columns[i])->name, NULL);
			return p->self->host->fail(p->err, ETL_USAGE, NULL, 0,
						   "keymap: the old values of column \"%s\" would stay as \"%s\" (for \"%s\") "
						   "and as \"%s\" (for \"%s\"); write one name for both, or `old` only once",
						   column_at(p, a->columns[i])->name, a->old[i], a->table, b->old[k],
						   b->table);
		}
	return ETL_OK;
}

/* What the catalog says, of a column that is spoken of already, adds nothing. */
static int add(struct planning *p, struct keymap_made made)
{
	struct keymap_made *at;

	for (size_t i = 0; i < p->plan.made_count; i++)
		if (check_old(p, &p->plan.made[i], &made) < 0)
			return ETL_FAILED;
	for (size_t i = 0; i < p->plan.made_count; i++) {
		struct keymap_made *before = &p->plan.made[i];

		if (strcasecmp(before->name, made.name) != 0)
			continue;
		if (!is_same(before, &made))
			return twice(p, before, &made);
		before->is_key |= made.is_key;
		before->optional &= made.optional;
		before->lenient &= made.lenient;
		before->old = before->old ? before->old : made.old;
		return ETL_OK;
	}
	for (size_t i = 0; i < made.count; i++)
		if (check_column(p, made.columns[i]) < 0)
			return ETL_FAILED;
	at = etl_arena_push(&p->plan.arena, p->plan.made, p->plan.made_count, sizeof(*at));
	if (!at || !keymap_hash_begin(&made.hash, p->self, made.table, &p->plan.arena))
		return no_memory(p);
	p->plan.made = at;
	at[p->plan.made_count++] = made;
	return ETL_OK;
}

/* `as` and `old` of a group, for the columns that MADE has. */
static int read_names(struct planning *p, const struct etl_conf *conf, const char *what,
		      struct keymap_made *made)
{
	const struct etl_host *host = p->self->host;
	size_t count = host->list(conf, "old");
	const char **old = etl_arena_alloc(&p->plan.arena, (count + 1) * sizeof(*old));

	made->name = host->str(conf, "as");
	if (!old)
		return no_memory(p);
	if (!made->name && made->count > 1) {
		host->at(p->err, p->table->name, NULL, NULL);
		return host->fail(p->err, ETL_USAGE, NULL, 0,
				  "keymap: %s of \"%s\" has %zu columns, so the column of its UUID "
				  "needs a name: "
				  "as = …",
				  what, p->table->name, made->count);
	}
	if (!made->name)
		made->name = column_at(p, made->columns[0])->name;
	if (count > 0 && count != made->count) {
		host->at(p->err, p->table->name, NULL, NULL);
		return host->fail(p->err, ETL_USAGE, NULL, 0,
				  "keymap: `old` has %zu name%s, and %s of \"%s\" has %zu column%s",
				  count, count == 1 ? "" : "s", what, p->table->name, made->count,
				  made->count == 1 ? "" : "s");
	}
	for (size_t i = 0; i < count; i++)
		old[i] = host->item(conf, "old", i);
	made->old = count > 0 ? old : NULL;
	return ETL_OK;
}

/* ---- The references that are named ---- */

static int add_reference(struct planning *p, const struct etl_conf *conf)
{
	const struct etl_host *host = p->self->host;
	struct keymap_made made = { .table = host->str(conf, "table"),
				    .count = host->list(conf, "column"),
				    .optional = host->flag(conf, "optional"),
				    .lenient = host->flag(conf, "optional"),
				    .named = true };
	int r = find_columns(p, conf, "column", "keymap: references", &made.columns);

	if (r == ETL_OK && !made.columns)
		return ETL_OK;
	if (r == ETL_OK && made.count == 0)
		r = host->fail(
			p->err, ETL_USAGE, NULL, 0,
			"keymap: references: `column` names none, so nothing refers to \"%s\"",
			made.table);
	if (r == ETL_OK)
		r = read_names(p, conf, "the reference", &made);
	return r == ETL_OK ? add(p, made) : r;
}

static int add_references(struct planning *p)
{
	const struct etl_host *host = p->self->host;
	int r = ETL_OK;

	for (size_t i = 0; r == ETL_OK && i < host->list(p->self->conf, "references"); i++)
		r = add_reference(p, host->sub(p->self->conf, "references", i));
	return r;
}

/* ---- The key ---- */

/* A primary key of several columns stays one, unless a name for its UUID is given. */
static int find_key(struct planning *p, struct keymap_made *made)
{
	const struct etl_key *key = &p->table->primary;
	const struct etl_host *host = p->self->host;
	size_t *columns;

	made->count = host->list(p->self->conf, "key");
	if (made->count > 0)
		return find_columns(p, p->self->conf, "key", "keymap: key", &made->columns);
	if (key->column_count == 0 || (key->column_count > 1 && !host->given(p->self->conf, "as")))
		return ETL_OK;
	columns = etl_arena_alloc(&p->plan.arena, key->column_count * sizeof(*columns));
	if (!columns)
		return no_memory(p);
	for (size_t i = 0; i < key->column_count; i++) {
		int64_t at = etl_column_find(p->table, key->columns[i]);

		if (at < 0)
			return ETL_OK;
		columns[i] = (size_t)at;
	}
	made->columns = columns;
	made->count = key->column_count;
	return ETL_OK;
}

static int add_key(struct planning *p)
{
	struct keymap_made made = { .table = p->own, .is_key = true };
	int r = find_key(p, &made);

	if (r != ETL_OK || !made.columns)
		return r;
	for (size_t i = 0; i < made.count; i++)
		if (is_listed(p, "keep", made.columns[i]))
			return ETL_OK;
	r = read_names(p, p->self->conf, "the key", &made);
	return r == ETL_OK ? add(p, made) : r;
}

/* ---- The foreign keys ---- */

static bool is_self(const struct etl_table *table, const struct etl_foreign_key *fk)
{
	return strcasecmp(fk->parent, table->name) == 0 &&
	       (!fk->parent_schema || !table->schema ||
		strcmp(fk->parent_schema, table->schema) == 0);
}

/* To the table itself, and then maybe to another column than the key. */
static bool misses_key(const struct planning *p, const struct etl_foreign_key *fk)
{
	int64_t at = fk->parent_columns ? etl_column_find(p->table, fk->parent_columns[0]) : -1;

	for (size_t i = 0; i < p->plan.made_count; i++)
		if (p->plan.made[i].is_key)
			return p->plan.made[i].count != 1 ||
			       (at >= 0 && p->plan.made[i].columns[0] != (size_t)at);
	return true;
}

static bool is_named(const struct planning *p, size_t column)
{
	for (size_t i = 0; i < p->plan.made_count; i++)
		if (p->plan.made[i].named && takes(&p->plan.made[i], column))
			return true;
	return false;
}

static int add_foreign_key(struct planning *p, const struct etl_foreign_key *fk)
{
	int64_t at = fk->column_count == 1 ? etl_column_find(p->table, fk->columns[0]) : -1;
	bool self = is_self(p->table, fk);
	struct keymap_made made = { .count = 1, .optional = true };
	size_t *column;

	if (at < 0 || is_listed(p, "keep", (size_t)at) || is_named(p, (size_t)at) ||
	    (self && misses_key(p, fk)))
		return ETL_OK;
	column = etl_arena_alloc(&p->plan.arena, sizeof(*column));
	if (!column)
		return no_memory(p);
	*column = (size_t)at;
	made.columns = column;
	made.name = column_at(p, *column)->name;
	made.table = self ? p->own :
			    keymap_name(p->self,
					fk->parent_schema ? fk->parent_schema : p->table->schema,
					fk->parent);
	return add(p, made);
}

static int add_foreign_keys(struct planning *p)
{
	const struct etl_host *host = p->self->host;
	const char *catalog = host->str(p->self->conf, "catalog");
	bool source = p->self->follows && (!catalog || strcmp(catalog, "target") != 0);
	bool target = p->self->follows && catalog && strcmp(catalog, "source") != 0;
	int r = ETL_OK;

	for (size_t i = 0; r == ETL_OK && source && i < p->table->foreign_key_count; i++)
		r = add_foreign_key(p, ETL_AT(const struct etl_foreign_key, p->table->foreign_keys,
					      p->table->foreign_key_size, i));
	for (size_t i = 0; r == ETL_OK && target && i < host->target_key_count; i++)
		r = add_foreign_key(p, ETL_AT(const struct etl_foreign_key, host->target_keys, host->target_key_size, i));
	return r;
}

/* ---- The columns of the output ---- */

static int add_out(struct planning *p, struct keymap_column column)
{
	for (size_t i = 0; i < p->plan.out_count; i++) {
		if (strcasecmp(p->plan.out[i].name, column.name) != 0)
			continue;
		p->self->host->at(p->err, p->table->name, column.name, NULL);
		return p->self->host->fail(
			p->err, ETL_USAGE, NULL, 0,
			"keymap: two columns of \"%s\" would be called \"%s\"; give one "
			"another name with `as` or `old`, or rename it before with map",
			p->table->name, column.name);
	}
	p->plan.out[p->plan.out_count++] = column;
	return ETL_OK;
}

/* Under which name the column's own values stay; NULL: they go. */
static const char *stays_as(const struct planning *p, size_t column)
{
	const char *name = column_at(p, column)->name;

	for (size_t i = 0; i < p->plan.made_count; i++) {
		const struct keymap_made *made = &p->plan.made[i];

		for (size_t k = 0; made->old && k < made->count; k++)
			if (made->columns[k] == column)
				return made->old[k];
	}
	for (size_t i = 0; i < p->plan.made_count; i++)
		if (keymap_in_place(&p->plan.made[i], p->table, column))
			return NULL;
	return name;
}

/* A UUID stands in front of the first column that it is made of. */
static int add_outs(struct planning *p)
{
	int r = ETL_OK;

	p->plan.out = etl_arena_alloc(&p->plan.arena, (p->table->column_count + p->plan.made_count +
						       1) * sizeof(*p->plan.out));
	if (!p->plan.out)
		return no_memory(p);
	for (size_t i = 0; r == ETL_OK && i < p->table->column_count; i++) {
		const char *name = stays_as(p, i);

		for (size_t k = 0; r == ETL_OK && k < p->plan.made_count; k++)
			if (p->plan.made[k].columns[0] == i)
				r = add_out(p,
					    (struct keymap_column){ p->plan.made[k].name, -1, k });
		if (r == ETL_OK && name)
			r = add_out(p, (struct keymap_column){ name, (int64_t)i, 0 });
	}
	return r;
}

/* ---- All of it ---- */

static int check_keep(struct planning *p)
{
	const size_t *columns;

	return find_columns(p, p->self->conf, "keep", "keymap: keep", &columns);
}

int keymap_plan_make(const struct etl_instance *self, const struct etl_table *table,
		     struct keymap_plan *ret, struct etl_error *err)
{
	struct planning p = { .self = self, .table = table, .err = err };
	int r = check_keep(&p);

	p.own = self->host->str(self->conf, "table");
	if (!p.own)
		p.own = keymap_name(self, table->schema, table->name);
	if (r == ETL_OK)
		r = add_references(&p);
	if (r == ETL_OK)
		r = add_key(&p);
	if (r == ETL_OK)
		r = add_foreign_keys(&p);
	if (r == ETL_OK)
		r = add_outs(&p);
	if (r == ETL_OK)
		*ret = p.plan;
	else
		keymap_plan_free(&p.plan);
	return r;
}

void keymap_plan_free(struct keymap_plan *plan)
{
	etl_arena_free(&plan->arena);
	*plan = (struct keymap_plan){ 0 };
}
