/*
 * How long the texts and bytes of keys are. A key has a number of bytes at most, which its columns share: what was
 * declared stays, what was not gets what is left, so that rows to come have as much room as there is. Columns that foreign
 * keys join become alike: T-SQL asks for the very type.
 */
#include "config.h"

#include <stdlib.h>
#include <strings.h>

#include "layout.h"
#include "token.h"

#define EACH(t, type, member, i) ETL_AT(const struct type, (t)->member##s, (t)->member##_size, i)
#define LEAST_UNITS 10 /* of a column for which a key leaves less */

static const struct etl_column *column_at(const struct odbc_table_layout *t, size_t i)
{
	return EACH(t->table, etl_column, column, i);
}

/* ---- Of one column ------------------------------------------------------------------------------------------- */

static bool is_text(const struct etl_column *c)
{
	return c->type == ETL_TEXT || c->type == ETL_JSON || c->type == ETL_NUMERIC || c->type == ETL_ANY ||
	       c->type == ETL_TYPE_NONE;
}

static bool is_sized(const struct etl_column *c)
{
	return is_text(c) || c->type == ETL_BYTES;
}

static int64_t unit_bytes(const struct etl_column *c)
{
	return is_text(c) ? 2 : 1;
}

static int64_t larger(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* Its units by its declaration, unless values are longer; 0: as many as there is room for. */
static int64_t wanted(const struct etl_column *c)
{
	return c->length > 0 ? larger(c->length, c->longest) : 0;
}

static int64_t fixed_bytes(const struct etl_column *c)
{
	switch (c->type) {
	case ETL_BOOL:
		return 1;
	case ETL_INT16:
		return 2;
	case ETL_INT32:
	case ETL_FLOAT32:
		return 4;
	case ETL_DATE:
		return 3;
	case ETL_TIME:
		return 5;
	case ETL_INSTANT:
		return 10;
	case ETL_UUID:
		return 16;
	case ETL_DECIMAL:
		return c->precision <= 9 ? 5 : c->precision <= 19 ? 9 : c->precision <= 28 ? 13 : 17;
	default:
		return 8;
	}
}

/* ---- Of one key ---------------------------------------------------------------------------------------------- */

/* The columns of a key or an index, each once. */
struct parts {
	size_t at[TSQL_INDEX_COLUMNS];
	size_t count;
};

static void add_part(struct parts *p, int64_t column)
{
	for (size_t i = 0; i < p->count; i++)
		if (p->at[i] == (size_t)column)
			return;
	if (column >= 0 && p->count < TSQL_INDEX_COLUMNS)
		p->at[p->count++] = (size_t)column;
}

static struct parts parts_of_key(const struct odbc_table_layout *t, const char *const *columns, size_t count)
{
	struct parts p = { .count = 0 };

	for (size_t i = 0; i < count; i++)
		add_part(&p, odbc_layout_column(t->table, columns[i]));
	return p;
}

bool odbc_layout_speaks_of(const char *sql, const struct etl_column *c)
{
	struct token_cursor cursor = token_start(sql, strlen(sql));

	for (struct token token = token_next(&cursor); token.kind != TOKEN_END; token = token_next(&cursor))
		if ((token.kind == TOKEN_WORD || token.kind == TOKEN_NAME) &&
		    token_names(&token, c->origin ? c->origin : c->name))
			return true;
	return false;
}

static void add_named(const struct odbc_table_layout *t, const char *sql, struct parts *p)
{
	for (size_t i = 0; i < t->table->column_count; i++)
		if (odbc_layout_speaks_of(sql, column_at(t, i)))
			add_part(p, (int64_t)i);
}

static struct parts parts_of_index(const struct odbc_table_layout *t, const struct etl_index *index)
{
	struct parts p = { .count = 0 };

	for (size_t i = 0; i < index->part_count; i++) {
		const struct etl_index_part *part = ETL_AT(const struct etl_index_part, index->parts, index->part_size, i);

		if (part->column)
			add_part(&p, odbc_layout_column(t->table, part->column));
		else if (part->expression)
			add_named(t, part->expression, &p);
	}
	return p;
}

/* The bytes of its longest key when every value is as long as the longest one that comes; 0: not known. */
static int64_t longest_key(const struct odbc_table_layout *t, const struct parts *p)
{
	int64_t sum = 0;

	for (size_t i = 0; i < p->count; i++) {
		const struct etl_column *c = column_at(t, p->at[i]);

		if (is_sized(c) && c->longest == 0)
			return 0;
		sum += is_sized(c) ? c->longest * unit_bytes(c) : fixed_bytes(c);
	}
	return sum;
}

static void limit(struct odbc_room *room, int64_t most)
{
	if (room->most == 0 || most < room->most)
		room->most = most;
}

static bool is_open(const struct etl_column *c)
{
	return is_sized(c) && wanted(c) == 0;
}

/* The part of BYTES that each of the open columns gets: those with longer values get what these need. */
static int64_t part_of(const struct odbc_table_layout *t, const struct parts *p, int64_t bytes)
{
	int64_t share = 0, last = -1;

	while (share != last) {
		int64_t left = bytes, open = 0;

		last = share;
		for (size_t i = 0; i < p->count; i++) {
			const struct etl_column *c = column_at(t, p->at[i]);
			bool needs_more = is_open(c) && share > 0 && c->longest * unit_bytes(c) > share;

			left -= needs_more ? c->longest * unit_bytes(c) : 0;
			open += is_open(c) && !needs_more;
		}
		share = open ? left / open : share;
	}
	return share;
}

/* What is declared stays: SQL Server takes a key that may become too long, and refuses the row that makes it so. */
static void share(struct odbc_table_layout *t, const struct parts *p, int64_t bytes)
{
	int64_t each;

	for (size_t i = 0; i < p->count; i++) {
		const struct etl_column *c = column_at(t, p->at[i]);

		bytes -= is_sized(c) ? wanted(c) * unit_bytes(c) : fixed_bytes(c);
	}
	each = part_of(t, p, bytes);
	for (size_t i = 0; i < p->count; i++) {
		const struct etl_column *c = column_at(t, p->at[i]);
		struct odbc_room *room = &t->rooms[p->at[i]];

		room->key = room->binary = true;
		if (is_open(c))
			limit(room, larger(larger(each / unit_bytes(c), LEAST_UNITS), c->longest));
		else if (is_sized(c))
			limit(room, wanted(c));
	}
}

/* Values of which the key cannot be made: each column gets its part of it, and what is longer is rejected. */
static void cut(struct odbc_table_layout *t, const struct parts *p, int64_t bytes)
{
	size_t sized = 0;

	for (size_t i = 0; i < p->count; i++) {
		const struct etl_column *c = column_at(t, p->at[i]);

		sized += is_sized(c);
		bytes -= is_sized(c) ? 0 : fixed_bytes(c);
	}
	for (size_t i = 0; i < p->count; i++) {
		const struct etl_column *c = column_at(t, p->at[i]);

		t->rooms[p->at[i]].key = t->rooms[p->at[i]].binary = true;
		if (is_sized(c))
			limit(&t->rooms[p->at[i]], larger(bytes / (int64_t)sized / unit_bytes(c), LEAST_UNITS));
	}
}

static void size_key(struct odbc_table_layout *t, const struct parts *p, int64_t bytes)
{
	if (longest_key(t, p) > bytes)
		cut(t, p, bytes);
	else
		share(t, p, bytes);
}

/* ---- Of a table ------------------------------------------------------------------------------------------------ */

static void size_primary(struct odbc_table_layout *t)
{
	const struct etl_key *key = &t->table->primary;
	struct parts p = parts_of_key(t, key->columns, key->column_count);

	t->nonclustered = longest_key(t, &p) > TSQL_CLUSTERED_BYTES;
	size_key(t, &p, t->nonclustered ? TSQL_INDEX_BYTES : TSQL_CLUSTERED_BYTES);
}

/* An index that no key of these rows fits is left out, which design says; its columns stay as they are. */
static void size_index(struct odbc_table_layout *t, size_t i)
{
	const struct etl_index *index = ETL_AT(const struct etl_index, t->table->indexes, t->table->index_size, i);
	struct parts p = parts_of_index(t, index), filter = { .count = 0 };

	t->index_bytes[i] = longest_key(t, &p);
	if (index->part_count > TSQL_INDEX_COLUMNS || t->index_bytes[i] > TSQL_INDEX_BYTES)
		return;
	share(t, &p, TSQL_INDEX_BYTES);
	if (index->where_sql)
		add_named(t, index->where_sql, &filter);
	for (size_t k = 0; k < filter.count; k++)
		t->rooms[filter.at[k]].binary = true;
}

static void size_table(struct odbc_table_layout *t)
{
	for (size_t i = 0; i < t->table->column_count; i++) {
		const struct etl_column *c = column_at(t, i);

		t->rooms[i].nocase = c->type == ETL_TEXT && c->collation && strcasecmp(c->collation, "NOCASE") == 0;
	}
	size_primary(t);
	for (size_t i = 0; i < t->table->unique_count; i++) {
		const struct etl_key *key = EACH(t->table, etl_key, unique, i);
		struct parts p = parts_of_key(t, key->columns, key->column_count);

		size_key(t, &p, TSQL_INDEX_BYTES);
	}
	for (size_t i = 0; i < t->table->index_count; i++)
		size_index(t, i);
}

/* ---- What foreign keys join ---------------------------------------------------------------------------------------- */

/* The length that both have: the parent's, unless a key allows the child less and the parent's values are no longer. */
static int64_t joined(const struct odbc_room *child, const struct odbc_room *parent, const struct etl_column *p)
{
	if (parent->most == 0 || child->most == 0)
		return parent->most ? parent->most : child->most;
	return child->most >= parent->most || p->length > 0 || p->longest > child->most ? parent->most : child->most;
}

static bool join(struct odbc_room *child, const struct etl_column *c, struct odbc_room *parent, const struct etl_column *p)
{
	int64_t most = joined(child, parent, p);
	bool changed = child->most != most || parent->most != most || child->nocase != parent->nocase ||
		       child->like != parent->like || !child->key || !parent->key;

	if (!is_sized(c) || is_text(c) != is_text(p))
		return false;
	child->most = parent->most = most;
	child->nocase = parent->nocase;
	child->like = parent->like;
	child->binary = child->key = parent->binary = parent->key = true;
	return changed;
}

/* A table of the target's own: the column is declared as its is. */
static bool join_own(struct odbc_table_layout *t, const struct etl_foreign_key *key, const struct etl_table *parent)
{
	const char *const *theirs = odbc_layout_theirs(key, parent);
	bool changed = false;

	for (size_t k = 0; theirs && k < key->column_count; k++) {
		int64_t mine = odbc_layout_column(t->table, key->columns[k]), other = odbc_layout_column(parent, theirs[k]);
		const struct etl_column *like = other < 0 ? NULL : EACH(parent, etl_column, column, (size_t)other);

		if (mine < 0 || !like || t->rooms[mine].like == like)
			continue;
		t->rooms[mine].like = like;
		changed = true;
	}
	return changed;
}

static bool join_key(struct odbc_layout *l, struct odbc_table_layout *t, size_t i)
{
	const struct etl_foreign_key *key = EACH(t->table, etl_foreign_key, foreign_key, i);
	struct odbc_table_layout *parent = odbc_layout_parent(l, t, i);
	const struct etl_table *own = t->load->parents ? t->load->parents[i].table : NULL;
	const char *const *theirs = odbc_layout_theirs(key, parent ? parent->table : NULL);
	bool changed = false;

	if (!parent)
		return own && join_own(t, key, own);
	for (size_t k = 0; theirs && k < key->column_count; k++) {
		int64_t mine = odbc_layout_column(t->table, key->columns[k]),
			other = odbc_layout_column(parent->table, theirs[k]);

		if (mine >= 0 && other >= 0)
			changed |= join(&t->rooms[mine], column_at(t, (size_t)mine), &parent->rooms[other],
					column_at(parent, (size_t)other));
	}
	return changed;
}

/* Lengths only fall and marks only come, so this ends; the rounds are limited for keys that go in circles. */
static void join_all(struct odbc_layout *l)
{
	bool changed = true;

	for (size_t round = 0; changed && round <= l->count + 1; round++) {
		changed = false;
		for (size_t i = 0; i < l->count; i++)
			for (size_t k = 0; k < l->tables[i].table->foreign_key_count; k++)
				changed |= join_key(l, &l->tables[i], k);
	}
}

bool odbc_layout_sizes(const struct etl_instance *inst, struct odbc_layout *l)
{
	(void)inst;
	for (size_t i = 0; i < l->count; i++)
		size_table(&l->tables[i]);
	join_all(l);
	return !l->arena.failed;
}
