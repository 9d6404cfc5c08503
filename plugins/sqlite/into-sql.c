/*
 * The pieces that statements about a load are made of: which columns come, how rows meet, and what makes two rows
 * differ. Rows are compared byte for byte and type for type, not as a column's collation sees them: to a NOCASE
 * column "a" and "A" are equal, and to any column 1 and 1.0 are.
 */
#include "config.h"

#include "into.h"

const struct etl_column *into_find(const struct etl_table *t, const char *name)
{
	size_t i;

	for (i = 0; i < t->column_count; i++) {
		if (sqlite3_stricmp(into_column(t, i)->name, name) == 0)
			return into_column(t, i);
	}
	return NULL;
}

static const char *free_rowid(const struct etl_table *t)
{
	static const char *const names[] = { "rowid", "_rowid_", "oid" };
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (!into_find(t, names[i]))
			return names[i];
	}
	return NULL;
}

static const struct etl_column *alias_of(const struct etl_table *t)
{
	size_t i;

	for (i = 0; i < t->column_count; i++) {
		if (into_column(t, i)->flags & ETL_IDENTITY)
			return into_column(t, i);
	}
	return NULL;
}

const char *into_row(const struct etl_load *load)
{
	const struct etl_column *alias = alias_of(load->table);
	const char *name = alias ? alias->name : free_rowid(load->table);

	return name ? name : INTO_ROW;
}

const char *into_rowid(const struct etl_load *load)
{
	const struct etl_table *there = load->existing;

	return !there || there->flags & ETL_NO_ROWID || alias_of(there) ? NULL : free_rowid(there);
}

void into_add_table(struct etl_text *sql, const char *schema, const struct etl_load *load)
{
	etl_text_addf(sql, "%s.", schema);
	etl_text_add_name(sql, load->table->name, '"');
}

void into_add_temp(struct etl_text *sql, const char *what, const struct etl_load *load, int flags)
{
	bool row = flags & INTO_TEMP_ROW && into_rowid(load), first = !row;
	size_t i;

	etl_text_addf(sql, "CREATE TEMP TABLE etlrun_%s_%llu (%s", what,
		      (unsigned long long)load->index, row ? "_etlrun_row INTEGER" : "");
	for (i = 0; i < load->existing->column_count; i++) {
		const struct etl_column *c = into_column(load->existing, i);

		if (flags & INTO_TEMP_COMING && !into_comes(c))
			continue;
		etl_text_add(sql, first ? "" : ", ");
		etl_text_add_name(sql, c->name, '"');
		if (c->declared && *c->declared) {
			etl_text_add(sql, " ");
			etl_text_add_name(sql, c->declared, '"');
		}
		if (c->collation) {
			etl_text_add(sql, " COLLATE ");
			etl_text_add_name(sql, c->collation, '"');
		}
		first = false;
	}
	etl_text_addf(sql, ");\nINSERT INTO temp.etlrun_%s_%llu ", what,
		      (unsigned long long)load->index);
}

/* ---- The key ------------------------------------------------------------------------------------------- */

static bool in_key(const struct etl_load *load, const char *name)
{
	size_t i;

	for (i = 0; i < load->key_count; i++) {
		if (sqlite3_stricmp(load->key[i], name) == 0)
			return true;
	}
	return false;
}

static bool is_the_key(const struct etl_load *load, const struct etl_key *key)
{
	size_t i;

	for (i = 0; i < key->column_count; i++) {
		if (!in_key(load, key->columns[i]))
			return false;
	}
	return key->column_count == load->key_count;
}

static const char *collation_in(const struct etl_key *key, const char *name)
{
	size_t i;

	for (i = 0; key->collations && i < key->column_count; i++) {
		if (sqlite3_stricmp(key->columns[i], name) == 0)
			return key->collations[i];
	}
	return NULL;
}

/* Of a unique index over exactly the key's columns; false: it is none. */
static bool find_in_index(const struct etl_load *load, const struct etl_index *index,
			  const char *name, const char **ret)
{
	size_t i;

	*ret = NULL;
	if (!(index->flags & ETL_INDEX_UNIQUE) || index->where_sql ||
	    index->part_count != load->key_count)
		return false;
	for (i = 0; i < index->part_count; i++) {
		const struct etl_index_part *p = ETL_AT(const struct etl_index_part, index->parts,
							index->part_size, i);

		if (!p->column || !in_key(load, p->column))
			return false;
		if (sqlite3_stricmp(p->column, name) == 0)
			*ret = p->collation;
	}
	return true;
}

const char *into_key_collation(const struct etl_load *load, size_t at)
{
	const struct etl_table *t = load->existing ? load->existing : load->table;
	const char *ret;
	size_t i;

	if (is_the_key(load, &t->primary))
		return collation_in(&t->primary, load->key[at]);
	for (i = 0; i < t->unique_count; i++) {
		const struct etl_key *key = ETL_AT(const struct etl_key, t->uniques, t->unique_size,
						   i);

		if (is_the_key(load, key))
			return collation_in(key, load->key[at]);
	}
	for (i = 0; i < t->index_count; i++) {
		if (find_in_index(load,
				  ETL_AT(const struct etl_index, t->indexes, t->index_size, i),
				  load->key[at], &ret))
			return ret;
	}
	return NULL;
}

void into_add_match(struct etl_text *sql, const struct etl_load *load, const char *a, const char *b)
{
	size_t i;

	for (i = 0; i < load->key_count; i++) {
		const char *collation = into_key_collation(load, i);

		etl_text_addf(sql, "%s%s.", i ? " AND " : "", a);
		etl_text_add_name(sql, load->key[i], '"');
		etl_text_addf(sql, " = %s.", b);
		etl_text_add_name(sql, load->key[i], '"');
		if (collation) {
			etl_text_add(sql, " COLLATE ");
			etl_text_add_name(sql, collation, '"');
		}
	}
}

void into_add_gone(struct etl_text *sql, const struct etl_load *load, const char *prefix)
{
	const struct etl_column *alias = alias_of(load->existing);
	const struct etl_key *primary = &load->existing->primary;
	const char *rowid = into_rowid(load);
	struct etl_text one = { 0 }, two = { 0 };
	size_t i;

	if (rowid) {
		etl_text_addf(&one, "%s%s", prefix, rowid);
		etl_text_add(&two, "_etlrun_row");
	} else if (alias || load->existing->flags & ETL_NO_ROWID) {
		for (i = 0; i < (alias ? 1 : primary->column_count); i++) {
			const char *name = alias ? alias->name : primary->columns[i];

			etl_text_addf(&one, "%s%s", i ? ", " : "", prefix);
			etl_text_add_name(&one, name, '"');
			etl_text_add(&two, i ? ", " : "");
			etl_text_add_name(&two, name, '"');
		}
	} else {
		into_add_key(&one, load, prefix);
		into_add_key(&two, load, "");
	}
	etl_text_addf(sql, " WHERE (%s) IN (SELECT %s FROM temp.etlrun_gone_%llu)",
		      one.at ? one.at : "", two.at ? two.at : "", (unsigned long long)load->index);
	sql->failed = sql->failed || one.failed || two.failed;
	etl_text_free(&one);
	etl_text_free(&two);
}

void into_add_kept(struct etl_text *sql, const struct etl_load *load, const char *alias)
{
	etl_text_addf(sql,
		      "(EXISTS (SELECT 1 FROM temp." INTO_WITHHELD " WHERE number = %llu) OR "
		      "EXISTS (SELECT 1 FROM main." INTO_KEPT "%llu AS s WHERE ",
		      (unsigned long long)load->index, (unsigned long long)load->index);
	into_add_match(sql, load, "s", alias);
	etl_text_add(sql, ")");
	if (into_names_gone(load)) {
		etl_text_addf(sql, " OR NOT EXISTS (SELECT 1 FROM main." INTO_GOES "%llu AS s WHERE ",
			      (unsigned long long)load->index);
		into_add_match(sql, load, "s", alias);
		etl_text_add(sql, ")");
	}
	etl_text_add(sql, ")");
}

void into_add_key(struct etl_text *sql, const struct etl_load *load, const char *prefix)
{
	size_t i;

	for (i = 0; i < load->key_count; i++) {
		etl_text_addf(sql, "%s%s", i ? ", " : "", prefix);
		etl_text_add_name(sql, load->key[i], '"');
	}
}

/* ---- Columns ------------------------------------------------------------------------------------------- */

void into_add_columns(struct etl_text *sql, const struct etl_load *load, const char *prefix)
{
	bool first = true;
	size_t i;

	for (i = 0; i < load->table->column_count; i++) {
		const struct etl_column *c = into_column(load->table, i);

		if (!into_comes(c))
			continue;
		etl_text_addf(sql, "%s%s", first ? "" : ", ", prefix);
		etl_text_add_name(sql, c->name, '"');
		first = false;
	}
}

static bool says(const char *declared, const char *word)
{
	size_t n = strlen(word);

	for (; *declared; declared++) {
		if (sqlite3_strnicmp(declared, word, (int)n) == 0)
			return true;
	}
	return false;
}

/* SQLite's own rule: a column with an affinity keeps no two values that are equal and of different types. */
static bool has_affinity(const struct etl_table *t, const struct etl_column *c)
{
	const char *d = c->declared ? c->declared : "";

	if (t->flags & ETL_STRICT_TYPES)
		return sqlite3_stricmp(d, "ANY") != 0;
	if (says(d, "INT") || says(d, "CHAR") || says(d, "CLOB") || says(d, "TEXT"))
		return true;
	return *d && !says(d, "BLOB");
}

/* Where keys meet by bytes there is nothing to write into them. */
static bool key_is_exact(const struct etl_load *load, const struct etl_column *c)
{
	size_t i;

	for (i = 0; i < load->key_count; i++) {
		if (sqlite3_stricmp(load->key[i], c->name) == 0) {
			const char *collation = into_key_collation(load, i);

			return has_affinity(load->table, c) &&
			       (collation ? sqlite3_stricmp(collation, "BINARY") == 0 :
					    !c->collation);
		}
	}
	return false;
}

bool into_sets(const struct etl_load *load, const struct etl_column *c)
{
	return into_comes(c) && !(c->flags & ETL_STAYS) && !key_is_exact(load, c);
}

/* How many comparisons stand in one pair of parentheses: SQLite takes expressions of a depth of 1,000, tables of 2,000
 * columns, and a chain of OR is as deep as it is long. */
#define CHAIN_MOST 100

void into_add_differs(struct etl_text *sql, const struct etl_load *load)
{
	size_t i, count = 0;

	etl_text_add(sql, "(");
	for (i = 0; i < load->table->column_count; i++) {
		const struct etl_column *c = into_column(load->table, i);

		if (!into_sets(load, c))
			continue;
		etl_text_add(sql, count == 0 ? "t." : count % CHAIN_MOST ? " OR t." : ") OR (t.");
		etl_text_add_name(sql, c->name, '"');
		etl_text_add(sql, c->collation ? " COLLATE BINARY IS NOT s." : " IS NOT s.");
		etl_text_add_name(sql, c->name, '"');
		if (!has_affinity(load->table, c)) {
			etl_text_add(sql, " OR typeof(t.");
			etl_text_add_name(sql, c->name, '"');
			etl_text_add(sql, ") <> typeof(s.");
			etl_text_add_name(sql, c->name, '"');
			etl_text_add(sql, ")");
		}
		count++;
	}
	etl_text_add(sql, count ? ")" : "0)");
}

void into_add_rows(struct etl_text *sql, const struct etl_load *load, bool is_new)
{
	etl_text_addf(sql, " FROM temp.etlrun_rows_%llu AS c CROSS JOIN ",
		      (unsigned long long)load->index);
	into_add_table(sql, "staged", load);
	etl_text_addf(sql, " AS s WHERE c.is_new = %d AND s.", is_new);
	etl_text_add_name(sql, into_row(load), '"');
	etl_text_add(sql, " = c.row");
}

/* ---- The mark of a deleted row --------------------------------------------------------------------------- */

bool into_mark_is_flag(const struct etl_load *load)
{
	const struct etl_column *c = into_find(load->existing, load->delete_column);

	return c && (c->type == ETL_BOOL || c->type == ETL_INT16 || c->type == ETL_INT32 ||
		     c->type == ETL_INT64);
}

void into_add_marked(struct etl_text *sql, const struct etl_load *load)
{
	etl_text_add(sql, into_mark_is_flag(load) ? "coalesce(t." : "t.");
	etl_text_add_name(sql, load->delete_column, '"');
	etl_text_add(sql, into_mark_is_flag(load) ? ", 0) <> 0" : " IS NOT NULL");
}

void into_add_unmarked(struct etl_text *sql, const struct etl_load *load)
{
	if (!into_mark_is_flag(load)) {
		etl_text_add(sql, " = NULL");
		return;
	}
	etl_text_add(sql, " = CASE WHEN ");
	into_add_marked(sql, load);
	etl_text_add(sql, " THEN 0 ELSE t.");
	etl_text_add_name(sql, load->delete_column, '"');
	etl_text_add(sql, " END");
}
