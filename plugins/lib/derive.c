/* See derive.h. */
#include "config.h"

#include <string.h>

#include "derive.h"

static void gone(struct etl_derive *d, const char *what, const char *name, bool mixed)
{
	d->gone(d->data, what, name, mixed);
}

/* The name a column has now: NULL when it goes, the same when the table has no such column. */
static const char *renamed(const struct etl_derive *d, const char *name)
{
	int64_t at = etl_name_find(d->names, d->in->column_count, name);

	return at < 0 ? name : d->new_names[at];
}

/* The new names of a list, or NULL: one goes, or there is no memory. */
static const char *const *rename_list(struct etl_derive *d, const char *const *columns,
				      size_t count)
{
	const char **list = etl_arena_alloc(&d->arena, (count + 1) * sizeof(*list));

	for (size_t i = 0; list && i < count; i++) {
		list[i] = renamed(d, columns[i]);
		if (!list[i])
			return NULL;
	}
	return list;
}

enum etl_renamed etl_derive_sql(struct etl_derive *d, const char **sql)
{
	enum etl_renamed how = ETL_RENAMED;

	if (*sql)
		how = etl_rename_sql(d->names, d->new_names, d->in->column_count, *sql, &d->arena,
				     sql);
	/* Whoever asks may take it for gone; the arena is asked at the end. */
	d->arena.failed |= how == ETL_RENAMED_MEMORY;
	return how;
}

/* A key without a name is called by its columns. */
static void key_gone(struct etl_derive *d, const char *what, const struct etl_key *key)
{
	struct etl_text name = { 0 };

	for (size_t i = 0; !key->name && i < key->column_count; i++)
		etl_text_addf(&name, "%s%s", i > 0 ? ", " : "(", key->columns[i]);
	etl_text_add(&name, key->name ? key->name : ")");
	if (name.failed)
		d->arena.failed = true;
	else
		gone(d, what, name.at, d->mixed);
	etl_text_free(&name);
}

static void derive_primary(struct etl_derive *d)
{
	const struct etl_key *key = &d->in->primary;

	if (key->column_count == 0)
		return;
	d->out.primary = *key;
	d->out.primary.columns = d->mixed ? NULL : rename_list(d, key->columns, key->column_count);
	if (d->out.primary.columns)
		return;
	key_gone(d, "the primary key", key);
	d->out.primary = (struct etl_key){ 0 };
	d->out.flags &= ~(uint32_t)ETL_NO_ROWID;
}

static void derive_uniques(struct etl_derive *d)
{
	struct etl_key *keys = etl_arena_alloc(&d->arena,
					       (d->in->unique_count + 1) * sizeof(*keys));
	size_t count = 0;

	for (size_t i = 0; keys && i < d->in->unique_count; i++) {
		const struct etl_key *key = ETL_AT(const struct etl_key, d->in->uniques,
						   d->in->unique_size, i);

		keys[count] = *key;
		keys[count].columns = d->mixed ? NULL :
						 rename_list(d, key->columns, key->column_count);
		if (keys[count].columns)
			count++;
		else
			key_gone(d, "the unique key", key);
	}
	d->out.uniques = keys;
	d->out.unique_count = count;
	d->out.unique_size = sizeof(*keys);
}

static bool is_self(const struct etl_derive *d, const struct etl_foreign_key *fk)
{
	return strcmp(fk->parent, d->in->name) == 0 &&
	       (!fk->parent_schema ||
		(d->in->schema && strcmp(fk->parent_schema, d->in->schema) == 0));
}

/* Of several columns, or into the table itself, it is a rule about rows. */
static bool fk_is_mixed(const struct etl_derive *d, const struct etl_foreign_key *fk)
{
	return d->mixed && (fk->column_count > 1 || is_self(d, fk));
}

/* A key into the table itself needs the parent's columns too. */
static bool derive_foreign_key(struct etl_derive *d, struct etl_foreign_key *fk)
{
	bool self = is_self(d, fk);

	if (fk_is_mixed(d, fk))
		return false;
	fk->columns = rename_list(d, fk->columns, fk->column_count);
	if (!fk->columns)
		return false;
	if (self && fk->parent_columns) {
		fk->parent_columns = rename_list(d, fk->parent_columns, fk->column_count);
		return fk->parent_columns;
	}
	return !self || d->out.primary.column_count == fk->column_count;
}

static void derive_foreign_keys(struct etl_derive *d)
{
	struct etl_foreign_key *keys = etl_arena_alloc(&d->arena, (d->in->foreign_key_count + 1) *
									  sizeof(*keys));
	size_t count = 0;

	for (size_t i = 0; keys && i < d->in->foreign_key_count; i++) {
		keys[count] = *ETL_AT(const struct etl_foreign_key, d->in->foreign_keys,
				      d->in->foreign_key_size, i);
		if (derive_foreign_key(d, &keys[count]))
			count++;
		else
			gone(d, "the foreign key to", keys[count].parent,
			     fk_is_mixed(d, &keys[count]));
	}
	d->out.foreign_keys = keys;
	d->out.foreign_key_count = count;
	d->out.foreign_key_size = sizeof(*keys);
}

static void derive_checks(struct etl_derive *d)
{
	struct etl_check *checks = etl_arena_alloc(&d->arena,
						   (d->in->check_count + 1) * sizeof(*checks));
	size_t count = 0;

	for (size_t i = 0; checks && i < d->in->check_count; i++) {
		struct etl_check *check = &checks[count];
		bool stays;

		*check = *ETL_AT(const struct etl_check, d->in->checks, d->in->check_size, i);
		stays = !d->mixed && etl_derive_sql(d, &check->sql) == ETL_RENAMED;
		if (stays && check->column)
			stays = (check->column = renamed(d, check->column)) != NULL;
		if (stays)
			count++;
		else
			gone(d, "the check", check->name ? check->name : check->sql, d->mixed);
	}
	d->out.checks = checks;
	d->out.check_count = count;
	d->out.check_size = sizeof(*checks);
}

static bool index_is_mixed(const struct etl_derive *d, const struct etl_index *index)
{
	return d->mixed && (index->flags & ETL_INDEX_UNIQUE);
}

static bool derive_index(struct etl_derive *d, struct etl_index *index)
{
	struct etl_index_part *parts = etl_arena_alloc(&d->arena,
						       (index->part_count + 1) * sizeof(*parts));
	bool stays = parts && !index_is_mixed(d, index);

	for (size_t i = 0; stays && i < index->part_count; i++) {
		parts[i] = *ETL_AT(const struct etl_index_part, index->parts, index->part_size, i);
		if (parts[i].column)
			stays = (parts[i].column = renamed(d, parts[i].column)) != NULL;
		stays = stays && etl_derive_sql(d, &parts[i].expression) == ETL_RENAMED;
	}
	index->parts = parts;
	index->part_size = sizeof(*parts);
	index->ddl = NULL;
	return stays && etl_derive_sql(d, &index->where_sql) == ETL_RENAMED;
}

static void derive_indexes(struct etl_derive *d)
{
	struct etl_index *indexes = etl_arena_alloc(&d->arena,
						    (d->in->index_count + 1) * sizeof(*indexes));
	size_t count = 0;

	for (size_t i = 0; indexes && i < d->in->index_count; i++) {
		indexes[count] = *ETL_AT(const struct etl_index, d->in->indexes, d->in->index_size,
					 i);
		if (derive_index(d, &indexes[count]))
			count++;
		else
			gone(d, "the index", indexes[count].name,
			     index_is_mixed(d, &indexes[count]));
	}
	d->out.indexes = indexes;
	d->out.index_count = count;
	d->out.index_size = sizeof(*indexes);
}

bool etl_derive_begin(struct etl_derive *d)
{
	const char **names = etl_arena_alloc(&d->arena, (d->in->column_count + 1) * sizeof(*names));

	for (size_t i = 0; names && i < d->in->column_count; i++)
		names[i] = ETL_AT(const struct etl_column, d->in->columns, d->in->column_size, i)
				   ->name;
	d->names = names;
	d->out = *d->in;
	d->out.ddl = NULL;
	d->out.columns = NULL;
	d->out.column_count = 0;
	d->out.primary = (struct etl_key){ 0 };
	return names != NULL;
}

/* SQLite's STRICT has six words; NULL: none of them is of this type. */
static const char *strict_word(int32_t type)
{
	switch (type) {
	case ETL_INT16:
	case ETL_INT32:
	case ETL_INT64:
		return "INTEGER";
	case ETL_FLOAT32:
	case ETL_FLOAT64:
		return "REAL";
	case ETL_TEXT:
		return "TEXT";
	case ETL_BYTES:
		return "BLOB";
	case ETL_ANY:
		return "ANY";
	default:
		return NULL;
	}
}

void etl_derive_type(struct etl_derive *d, int32_t type)
{
	if (!(d->out.flags & ETL_STRICT_TYPES) || strict_word(type))
		return;
	gone(d, "STRICT", NULL, false);
	d->out.flags &= ~(uint32_t)ETL_STRICT_TYPES;
}

const char *etl_derive_declared(const struct etl_derive *d, int32_t type, const char *text)
{
	if (d->out.flags & ETL_STRICT_TYPES)
		return strict_word(type);
	return type == ETL_ANY ? "" : text;
}

bool etl_derive_parts(struct etl_derive *d)
{
	derive_primary(d);
	derive_uniques(d);
	derive_foreign_keys(d);
	derive_checks(d);
	derive_indexes(d);
	return !d->arena.failed;
}

void etl_derive_end(struct etl_derive *d)
{
	etl_arena_free(&d->arena);
}
