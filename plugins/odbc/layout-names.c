/*
 * What constraints and indexes are called. In T-SQL the names of constraints are those of the schema, beside the tables', and
 * those of keys are names of indexes of their table too; in SQLite nobody asks. The second one of a name gets a number.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "layout.h"

#define EACH(t, type, member, i) ETL_AT(const struct type, (t)->member##s, (t)->member##_size, i)

/* ---- Names that are given ---------------------------------------------------------------------------------------- */

struct given {
	uint32_t hash;
	const char *name;
};

struct naming {
	const struct etl_instance *inst;
	struct odbc_layout *l;
	struct given *given;
	size_t count;
};

static void give(struct naming *n, const char *name)
{
	struct given *more = etl_arena_push(&n->l->arena, n->given, n->count, sizeof(*more));

	if (!more)
		return;
	n->given = more;
	more[n->count++] = (struct given){ odbc_name_hash(name), name };
}

static const char *index_at(const struct etl_table *t, size_t i)
{
	return ETL_AT(const struct etl_index, t->indexes, t->index_size, i)->name;
}

static bool is_index(const struct etl_table *t, const char *name)
{
	for (size_t i = 0; i < t->index_count; i++)
		if (odbc_same_name(index_at(t, i), name))
			return true;
	return false;
}

static bool is_given(const struct naming *n, const struct etl_table *t, enum odbc_constraint kind, const char *name)
{
	uint32_t hash = odbc_name_hash(name);

	for (size_t i = 0; i < n->count; i++)
		if (n->given[i].hash == hash && odbc_same_name(n->given[i].name, name))
			return true;
	return (kind == ODBC_PRIMARY || kind == ODBC_UNIQUE) && is_index(t, name);
}

/* ---- Giving them ------------------------------------------------------------------------------------------------- */

/* WHOLE as it is, or with the first number that is free. */
static void name_one(struct naming *n, struct odbc_table_layout *t, enum odbc_constraint kind, size_t i)
{
	char whole[ODBC_NAME_ROOM], numbered[ODBC_NAME_ROOM + 24], buf[ODBC_NAME_ROOM];
	const char *name;

	odbc_constraint_name(n->inst, t->table, kind, i, whole);
	name = whole;
	for (unsigned k = 2; is_given(n, t->table, kind, name); k++) {
		snprintf(numbered, sizeof(numbered), "%.*s_%u", ODBC_NAME_ROOM - 24, whole, k);
		name = odbc_short_name(n->inst, numbered, buf);
	}
	t->names[kind][i] = etl_arena_copy(&n->l->arena, name);
	if (t->names[kind][i])
		give(n, t->names[kind][i]);
}

static void name_kind(struct naming *n, struct odbc_table_layout *t, enum odbc_constraint kind, size_t count)
{
	for (size_t i = 0; i < count && !n->l->arena.failed; i++)
		name_one(n, t, kind, i);
}

/* ---- Indexes: within their table ------------------------------------------------------------------------------------ */

static bool is_key(const struct odbc_table_layout *t, const char *name)
{
	const char *primary = t->names[ODBC_PRIMARY][0];

	for (size_t i = 0; i < t->table->unique_count; i++)
		if (odbc_same_name(t->names[ODBC_UNIQUE][i], name))
			return true;
	return primary && odbc_same_name(primary, name);
}

static bool is_taken(const struct odbc_table_layout *t, size_t i, const char *name)
{
	for (size_t k = 0; k < t->table->index_count; k++)
		if (k < i ? odbc_same_name(t->indexes[k], name) : k > i && odbc_same_name(index_at(t->table, k), name))
			return true;
	return is_key(t, name);
}

/* Those behind it keep their name where they can. */
static void name_index(struct naming *n, struct odbc_table_layout *t, size_t i)
{
	char numbered[ODBC_NAME_ROOM + 24], buf[ODBC_NAME_ROOM];
	const char *name = index_at(t->table, i);
	bool first = true;

	for (size_t k = 0; first && k < i; k++)
		first = !odbc_same_name(index_at(t->table, k), name);
	for (unsigned k = 2; !first && (k == 2 || is_taken(t, i, name)); k++) {
		snprintf(numbered, sizeof(numbered), "%.*s_%u", ODBC_NAME_ROOM - 24, index_at(t->table, i), k);
		name = odbc_short_name(n->inst, numbered, buf);
	}
	t->indexes[i] = etl_arena_copy(&n->l->arena, name);
}

bool odbc_layout_names(const struct etl_instance *inst, struct odbc_layout *l)
{
	struct naming n = { .inst = inst, .l = l };

	for (size_t i = 0; i < l->count; i++)
		give(&n, l->tables[i].table->name);
	for (size_t i = 0; i < l->count; i++) {
		struct odbc_table_layout *t = &l->tables[i];

		name_kind(&n, t, ODBC_PRIMARY, t->table->primary.column_count > 0);
		name_kind(&n, t, ODBC_UNIQUE, t->table->unique_count);
		name_kind(&n, t, ODBC_FOREIGN, t->table->foreign_key_count);
		name_kind(&n, t, ODBC_CHECK, t->table->check_count);
		for (size_t k = 0; k < t->table->index_count && !l->arena.failed; k++)
			name_index(&n, t, k);
	}
	return !l->arena.failed;
}
