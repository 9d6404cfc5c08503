/*
 * Which foreign keys may cascade. SQL Server refuses a key (error 1785) by which a table would be reached twice from one
 * row that is deleted or updated, a table that refers to itself included; SET NULL and SET DEFAULT count as CASCADE does. The
 * keys are taken in the order of the tables, and one that would close a circle or a second path does nothing instead.
 */
#include "config.h"

#include <stdlib.h>

#include "layout.h"

/* By which tables a table is reached: reached[a * count + b], from a to b. */
struct paths {
	struct odbc_layout *l;
	size_t count;
	bool *reached;
};

static bool cascades(const struct etl_foreign_key *key)
{
	return key->on_delete >= ETL_CASCADE || key->on_update >= ETL_CASCADE;
}

static bool leads(const struct paths *p, size_t from, size_t to)
{
	return from == to || p->reached[from * p->count + to];
}

/* The table that a second path would start at; COUNT: none. */
static size_t second_path(const struct paths *p, size_t parent, size_t child)
{
	for (size_t a = 0; a < p->count; a++)
		for (size_t b = 0; leads(p, a, parent) && b < p->count; b++)
			if (leads(p, child, b) && leads(p, a, b))
				return a;
	return p->count;
}

static void connect(struct paths *p, size_t parent, size_t child)
{
	for (size_t a = 0; a < p->count; a++)
		for (size_t b = 0; leads(p, a, parent) && b < p->count; b++)
			if (leads(p, child, b))
				p->reached[a * p->count + b] = true;
}

static const char *why(struct odbc_layout *l, const struct etl_table *child, const struct etl_table *from, bool circle)
{
	struct etl_text text = { 0 };
	char *ret;

	if (circle)
		etl_text_addf(&text, "NO ACTION instead: its cascade would come back to \"%s\"", child->name);
	else
		etl_text_addf(&text, "NO ACTION instead: another key cascades from \"%s\" to \"%s\" or beyond already", from->name,
			      child->name);
	etl_text_add(&text, ", and SQL Server takes one path only (its error 1785); rows that depend on one that is deleted are "
			    "deleted first, by who deletes it or by a trigger");
	ret = text.failed ? NULL : etl_arena_copy(&l->arena, text.at);
	l->arena.failed |= text.failed;
	etl_text_free(&text);
	return ret;
}

static void add_key(struct paths *p, size_t child, size_t i)
{
	struct odbc_table_layout *t = &p->l->tables[child], *parent = odbc_layout_parent(p->l, t, i);
	size_t at = parent ? (size_t)(parent - p->l->tables) : p->count, from;

	if (!parent)
		return;
	if (leads(p, child, at)) {
		t->pruned[i] = why(p->l, t->table, t->table, true);
		return;
	}
	from = second_path(p, at, child);
	if (from < p->count)
		t->pruned[i] = why(p->l, t->table, p->l->tables[from].table, false);
	else
		connect(p, at, child);
}

static bool any_cascades(const struct odbc_layout *l)
{
	for (size_t i = 0; i < l->count; i++)
		for (size_t k = 0; k < l->tables[i].table->foreign_key_count; k++)
			if (cascades(ETL_AT(const struct etl_foreign_key, l->tables[i].table->foreign_keys,
					    l->tables[i].table->foreign_key_size, k)))
				return true;
	return false;
}

bool odbc_layout_cascades(struct odbc_layout *l)
{
	struct paths p = { .l = l, .count = l->count };

	if (!any_cascades(l))
		return true;
	p.reached = calloc(l->count * l->count + 1, sizeof(*p.reached));
	if (!p.reached)
		return false;
	for (size_t i = 0; i < l->count; i++) {
		const struct etl_table *table = l->tables[i].table;

		for (size_t k = 0; k < table->foreign_key_count; k++)
			if (cascades(ETL_AT(const struct etl_foreign_key, table->foreign_keys, table->foreign_key_size, k)))
				add_key(&p, i, k);
	}
	free(p.reached);
	return !l->arena.failed;
}
