/*
 * What names columns in a table's shape (keys, foreign keys, checks, indexes) under the names that the columns
 * have now.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "names.h"
#include "shape-parts.h"

const char *shape_new_name(const struct shaping *s, const char *old)
{
	int64_t i = table_find_column(s->from, old);

	return i < 0 ? NULL : s->new_names[i];
}

/* The new names of a list of columns, or NULL when one of them is gone (or memory is). */
static const char *const *new_list(struct shaping *s, const char *const *columns, size_t count)
{
	const char **ret = etl_arena_alloc(&s->arena, (count + 1) * sizeof(*ret));

	for (size_t i = 0; ret && i < count; i++) {
		ret[i] = shape_new_name(s, columns[i]);
		if (!ret[i])
			return NULL;
	}
	return ret;
}

/* Nothing is left out without a verdict. */
static void left_out(struct shaping *s, const char *kind, const char *name)
{
	s->changed = true;
	if (host_verdict_add(s->jobs, ETL_SKIPPED, kind, name ? name : s->table.name, s->err,
			     "\"%s\": a column it needs is not in the target", s->table.name) < 0)
		s->arena.failed = true;
}

static void carry_keys(struct shaping *s)
{
	const struct etl_table *from = s->from;
	struct etl_key *uniques = etl_arena_alloc(&s->arena,
						  (from->unique_count + 1) * sizeof(*uniques));
	size_t count = 0;

	if (from->primary.column_count) {
		s->table.primary = from->primary;
		s->table.primary.columns = new_list(s, from->primary.columns,
						    from->primary.column_count);
		if (!s->table.primary.columns) {
			memset(&s->table.primary, 0, sizeof(s->table.primary));
			left_out(s, "primary key", from->primary.name);
		}
	}
	for (size_t i = 0; uniques && i < from->unique_count; i++) {
		const struct etl_key *key = ETL_AT(const struct etl_key, from->uniques,
						   from->unique_size, i);

		uniques[count] = *key;
		uniques[count].columns = new_list(s, key->columns, key->column_count);
		if (uniques[count].columns)
			count++;
		else
			left_out(s, "unique", key->name);
	}
	s->table.uniques = uniques;
	s->table.unique_count = count;
	s->table.unique_size = sizeof(*uniques);
}

static void carry_foreign(struct shaping *s)
{
	const struct etl_table *from = s->from;
	struct etl_foreign_key *keys = etl_arena_alloc(&s->arena, (from->foreign_key_count + 1) *
									  sizeof(*keys));
	size_t count = 0;

	for (size_t i = 0; keys && i < from->foreign_key_count; i++) {
		const struct etl_foreign_key *key = ETL_AT(const struct etl_foreign_key,
							   from->foreign_keys,
							   from->foreign_key_size, i);

		keys[count] = *key;
		keys[count].columns = new_list(s, key->columns, key->column_count);
		if (keys[count].columns)
			count++;
		else
			left_out(s, "foreign key", key->name);
	}
	s->table.foreign_keys = keys;
	s->table.foreign_key_count = count;
	s->table.foreign_key_size = sizeof(*keys);
}

static void carry_indexes(struct shaping *s)
{
	const struct etl_table *from = s->from;
	struct etl_index *indexes = etl_arena_alloc(&s->arena,
						    (from->index_count + 1) * sizeof(*indexes));
	size_t count = 0;

	for (size_t i = 0; indexes && i < from->index_count; i++) {
		const struct etl_index *index = ETL_AT(const struct etl_index, from->indexes,
						       from->index_size, i);
		struct etl_index_part *parts = etl_arena_alloc(&s->arena, (index->part_count + 1) *
										  sizeof(*parts));
		bool complete = parts != NULL;

		for (size_t k = 0; complete && k < index->part_count; k++) {
			parts[k] = *ETL_AT(const struct etl_index_part, index->parts,
					   index->part_size, k);
			if (parts[k].column)
				complete = (parts[k].column = shape_new_name(s, parts[k].column)) != NULL;
		}
		if (!complete) {
			left_out(s, "index", index->name);
			continue;
		}
		indexes[count] = *index;
		indexes[count].name = shape_renamed(s, NULL, index->name);
		indexes[count].parts = parts;
		indexes[count].part_size = sizeof(*parts);
		if (s->changed)
			indexes[count].ddl = NULL;
		count++;
	}
	s->table.indexes = indexes;
	s->table.index_count = count;
	s->table.index_size = sizeof(*indexes);
}

/* A check at a column goes with the column; the others stay and the target looks at their text. */
static void carry_checks(struct shaping *s)
{
	const struct etl_table *from = s->from;
	struct etl_check *checks = etl_arena_alloc(&s->arena,
						   (from->check_count + 1) * sizeof(*checks));
	size_t count = 0;

	for (size_t i = 0; checks && i < from->check_count; i++) {
		const struct etl_check *check = ETL_AT(const struct etl_check, from->checks,
						       from->check_size, i);

		checks[count] = *check;
		if (!check->column || (checks[count].column = shape_new_name(s, check->column)) != NULL)
			count++;
		else
			left_out(s, "check", check->name);
	}
	s->table.checks = checks;
	s->table.check_count = count;
	s->table.check_size = sizeof(*checks);
}

void shape_carry(struct shaping *s)
{
	carry_keys(s);
	carry_foreign(s);
	carry_checks(s);
	carry_indexes(s);
}

static bool comes(const struct shaping *s, const char *name)
{
	for (size_t i = 0; i < s->column_count; i++)
		if (strcasecmp(s->columns[i].name, name) == 0)
			return true;
	return false;
}

/* What tells the rows that come: the target's primary key, or the key of the file where that one does
 * not come. */
static void keep_key(struct shaping *s)
{
	struct etl_key *key = &s->table.primary;
	const struct string_list *given = &s->rule->key;
	const char **names;
	size_t i = 0;

	while (i < key->column_count && comes(s, key->columns[i]))
		i++;
	if (i == key->column_count)
		return;
	*key = (struct etl_key){ 0 };
	names = etl_arena_alloc(&s->arena, (given->count + 1) * sizeof(*names));
	for (i = 0; names && i < given->count; i++) {
		const char *now = shape_new_name(s, given->at[i]);

		names[i] = now ? now : given->at[i];
		if (!comes(s, names[i]))
			return;
	}
	key->columns = names;
	key->column_count = names ? given->count : 0;
}

void shape_keep(struct shaping *s)
{
	struct etl_table *table = &s->table;

	*table = *s->there;
	table->rows = s->from->rows;
	table->bytes = s->from->bytes;
	keep_key(s);
}
