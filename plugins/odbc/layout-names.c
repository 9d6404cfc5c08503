/*
 * What constraints are called. In T-SQL their names are those of the schema, beside the tables', and those of keys are
 * names of indexes of their table too; in SQLite nobody asks. The second one of a name gets a number.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "layout.h"

#define EACH(t, type, member, i) ETL_AT(const struct type, (t)->member##s, (t)->member##_size, i)

/* ---- One name? ----------------------------------------------------------------------------------------------- */

/* The next character of a name, small. Of those beyond ASCII, Latin, Greek and Cyrillic letters have a case here. */
static uint32_t next_folded(const char **at)
{
	const unsigned char *p = (const unsigned char *)*at; /* bytes of UTF-8 */
	uint32_t c = *p;

	if (c >= 0xc2 && c < 0xe0 && p[1]) {
		c = (c & 0x1f) << 6 | (p[1] & 0x3f);
		*at += 2;
	} else {
		*at += 1;
	}
	if ((c >= 'A' && c <= 'Z') || (c >= 0xc0 && c <= 0xde && c != 0xd7) || (c >= 0x391 && c <= 0x3a9) ||
	    (c >= 0x410 && c <= 0x42f))
		return c + 0x20;
	if (c >= 0x400 && c <= 0x40f)
		return c + 0x50;
	if (c >= 0x100 && c <= 0x137)
		return c | 1;
	return c;
}

bool odbc_same_name(const char *a, const char *b)
{
	while (*a && *b)
		if (next_folded(&a) != next_folded(&b))
			return false;
	return *a == *b;
}

static uint32_t hash_of(const char *name)
{
	uint32_t h = 0x811c9dc5; /* FNV-1a, 32 bits */

	while (*name)
		h = (h ^ next_folded(&name)) * 0x01000193;
	return h;
}

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
	more[n->count++] = (struct given){ hash_of(name), name };
}

static bool is_index(const struct etl_table *t, const char *name)
{
	for (size_t i = 0; i < t->index_count; i++)
		if (odbc_same_name(ETL_AT(const struct etl_index, t->indexes, t->index_size, i)->name, name))
			return true;
	return false;
}

static bool is_given(const struct naming *n, const struct etl_table *t, enum odbc_constraint kind, const char *name)
{
	uint32_t hash = hash_of(name);

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
	}
	return !l->arena.failed;
}
