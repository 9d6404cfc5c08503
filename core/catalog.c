/*
 * Copies of what plugins emit. A struct etl_table is borrowed for the call, so what the host keeps
 * is copied as a whole into one block: first the arrays, then the texts. The same walk runs twice,
 * once to measure and once to copy, so that the two cannot disagree. A plugin built against an
 * older minor version has smaller structs (its stride says so); in the copy every stride is the
 * host's and missing members are zero.
 */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "catalog.h"

enum { ALIGNMENT = _Alignof(max_align_t) };

/* While `at` is NULL the arena only measures. */
struct arena {
	char *at;
	size_t used;
};

static void *take(struct arena *a, size_t size, size_t alignment)
{
	void *ret;

	a->used = (a->used + alignment - 1) / alignment * alignment;
	ret = a->at ? a->at + a->used : NULL;
	a->used += size;
	return ret;
}

static const char *copy_text(struct arena *a, const char *text)
{
	size_t size;
	char *to;

	if (!text)
		return NULL;
	size = strlen(text) + 1;
	to = take(a, size, 1);
	return to ? memcpy(to, text, size) : NULL;
}

static const char *const *copy_texts(struct arena *a, const char *const *texts, size_t count)
{
	const char **to;

	if (!texts || count == 0)
		return NULL;
	to = take(a, count * sizeof(*to), ALIGNMENT);
	for (size_t i = 0; i < count; i++) {
		const char *text = copy_text(a, texts[i]);

		if (to)
			to[i] = text;
	}
	return to;
}

/* Reads an element of a foreign stride into a whole struct of ours. */
static void load(void *to, size_t size, const void *array, size_t stride, size_t i)
{
	memset(to, 0, size);
	memcpy(to, (const char *)array + stride * i, stride < size ? stride : size);
}

/* A stride of 0 comes from a plugin that has set none: our own size. */
static size_t stride_of(size_t stride, size_t size)
{
	return stride ? stride : size;
}

static void copy_key_members(struct arena *a, struct etl_key *k)
{
	k->column_count = k->columns ? k->column_count : 0;
	k->name = copy_text(a, k->name);
	k->columns = copy_texts(a, k->columns, k->column_count);
	k->collations = copy_texts(a, k->collations, k->column_count);
	k->conflict_sql = copy_text(a, k->conflict_sql);
}

static void copy_column(struct arena *a, void *element)
{
	struct etl_column *c = element;

	c->name = copy_text(a, c->name);
	c->declared = copy_text(a, c->declared);
	c->origin = copy_text(a, c->origin);
	c->default_sql = copy_text(a, c->default_sql);
	c->generated_sql = copy_text(a, c->generated_sql);
	c->collation = copy_text(a, c->collation);
	c->comment = copy_text(a, c->comment);
	c->identity_sql = copy_text(a, c->identity_sql);
}

static void copy_key(struct arena *a, void *element)
{
	copy_key_members(a, element);
}

static void copy_foreign_key(struct arena *a, void *element)
{
	struct etl_foreign_key *f = element;

	f->column_count = f->columns ? f->column_count : 0;
	f->name = copy_text(a, f->name);
	f->columns = copy_texts(a, f->columns, f->column_count);
	f->parent_schema = copy_text(a, f->parent_schema);
	f->parent = copy_text(a, f->parent);
	f->parent_columns = copy_texts(a, f->parent_columns, f->column_count);
	f->match = copy_text(a, f->match);
}

static void copy_check(struct arena *a, void *element)
{
	struct etl_check *c = element;

	c->name = copy_text(a, c->name);
	c->sql = copy_text(a, c->sql);
	c->column = copy_text(a, c->column);
}

static void copy_part(struct arena *a, void *element)
{
	struct etl_index_part *p = element;

	p->column = copy_text(a, p->column);
	p->expression = copy_text(a, p->expression);
	p->collation = copy_text(a, p->collation);
}

/* The largest element there is, for one that is measured or copied. */
union element {
	struct etl_column column;
	struct etl_key key;
	struct etl_foreign_key foreign_key;
	struct etl_check check;
	struct etl_index index;
	struct etl_index_part part;
};

static const void *copy_array(struct arena *a, const void *array, size_t count, size_t stride,
			      size_t size, void (*members)(struct arena *, void *))
{
	char *to;

	if (!array || count == 0)
		return NULL;
	to = take(a, count * size, ALIGNMENT);
	for (size_t i = 0; i < count; i++) {
		union element e;

		load(&e, size, array, stride_of(stride, size), i);
		members(a, &e);
		if (to)
			memcpy(to + size * i, &e, size);
	}
	return to;
}

static void copy_index(struct arena *a, void *element)
{
	struct etl_index *x = element;

	x->name = copy_text(a, x->name);
	x->part_count = x->parts ? x->part_count : 0;
	x->parts = copy_array(a, x->parts, x->part_count, x->part_size, sizeof(*x->parts),
			      copy_part);
	x->part_size = sizeof(*x->parts);
	x->where_sql = copy_text(a, x->where_sql);
	x->method = copy_text(a, x->method);
	x->ddl = copy_text(a, x->ddl);
}

/* An array that is not there has no elements, whatever its count says. */
#define COPY_ARRAY(arena, t, member, one, members)                                                 \
	do {                                                                                       \
		(t)->one##_count = (t)->member ? (t)->one##_count : 0;                             \
		(t)->member = copy_array(arena, (t)->member, (t)->one##_count, (t)->one##_size,    \
					 sizeof(*(t)->member), members);                           \
		(t)->one##_size = sizeof(*(t)->member);                                            \
	} while (0)

/* Replaces every pointer of T by its copy. */
static void copy_members(struct arena *a, struct etl_table *t)
{
	t->schema = copy_text(a, t->schema);
	t->name = copy_text(a, t->name);
	t->parent = copy_text(a, t->parent);
	t->dialect = copy_text(a, t->dialect);
	t->ddl = copy_text(a, t->ddl);
	t->comment = copy_text(a, t->comment);
	COPY_ARRAY(a, t, columns, column, copy_column);
	copy_key_members(a, &t->primary);
	COPY_ARRAY(a, t, uniques, unique, copy_key);
	COPY_ARRAY(a, t, foreign_keys, foreign_key, copy_foreign_key);
	COPY_ARRAY(a, t, checks, check, copy_check);
	COPY_ARRAY(a, t, indexes, index, copy_index);
}

struct etl_table *table_copy(const struct etl_table *table)
{
	struct etl_table measured, *ret;
	struct arena arena = { NULL, sizeof(*ret) };

	if (!table)
		return NULL;
	measured = *table;
	copy_members(&arena, &measured);
	arena.at = calloc(1, arena.used);
	if (!arena.at)
		return NULL;
	ret = (struct etl_table *)(void *)arena.at;
	arena.used = sizeof(*ret);
	*ret = *table;
	copy_members(&arena, ret);
	return ret;
}

void table_free(struct etl_table *table)
{
	free(table);
}

static char fold(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool same_name(const char *a, const char *b, bool exact)
{
	if (!a || !b)
		return a == b;
	if (exact)
		return strcmp(a, b) == 0;
	while (*a && fold(*a) == fold(*b)) {
		a++;
		b++;
	}
	return fold(*a) == fold(*b);
}

const char *kind_name(int32_t kind)
{
	static const char *const names[] = { "table",	     "view",	 "trigger",  "virtual table",
					     "shadow table", "sequence", "settings", "type" };

	return kind >= ETL_TABLE && kind <= ETL_TYPE_DEFINITION ? names[kind] : "object";
}

int64_t table_find_column(const struct etl_table *table, const char *name)
{
	if (!table || !name)
		return -1;
	for (int exact = 1; exact >= 0; exact--)
		for (size_t i = 0; i < table->column_count; i++)
			if (same_name(table_column(table, i)->name, name, exact))
				return (int64_t)i;
	return -1;
}

static int sink_object(struct etl_table_sink *sink, const struct etl_table *table)
{
	struct catalog_sink *self = (struct catalog_sink *)(void *)sink;
	struct etl_table *copy = table_copy(table);

	if (!copy)
		return error_memory(self->err);
	return catalog_add(self->catalog, copy, self->err);
}

struct catalog_sink catalog_sink(struct catalog *catalog, struct etl_error *err)
{
	struct catalog_sink ret = { .catalog = catalog, .err = err };

	ret.sink.emit = sink_object;
	return ret;
}

int catalog_add(struct catalog *catalog, struct etl_table *table, struct etl_error *err)
{
	if (catalog->count == catalog->room) {
		size_t room = catalog->room ? catalog->room * 2 : 16;
		struct etl_table **at = realloc(catalog->at, room * sizeof(struct etl_table *));

		if (!at) {
			table_free(table);
			return error_memory(err);
		}
		catalog->at = at;
		catalog->room = room;
	}
	if (!name_index_add(&catalog->names, table->name ? table->name : "", catalog->count)) {
		table_free(table);
		return error_memory(err);
	}
	catalog->at[catalog->count++] = table;
	return ETL_OK;
}

struct etl_table *catalog_find(const struct catalog *catalog, int32_t kind, const char *schema,
			       const char *name)
{
	for (int exact = 1; exact >= 0; exact--) {
		size_t at = 0, i;

		while ((i = name_index_next(&catalog->names, name, &at)) != NAME_INDEX_END) {
			struct etl_table *t = catalog->at[i];

			if (t->kind == kind && same_name(t->name, name, exact) &&
			    (!schema || !t->schema || strcmp(t->schema, schema) == 0))
				return t;
		}
	}
	return NULL;
}

void catalog_clear(struct catalog *catalog)
{
	for (size_t i = 0; i < catalog->count; i++)
		table_free(catalog->at[i]);
	free(catalog->at);
	name_index_clear(&catalog->names);
	*catalog = (struct catalog){ 0 };
}
