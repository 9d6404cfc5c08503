/*
 * A merge may let two rows give each other a value that must be unique, or pass it on in a chain. SQLite looks at
 * each row as it is written, so such rows are taken out first, with their new values, and put back last. Only rows
 * whose new value another row holds are moved; where an index says what is unique by an expression or for some rows
 * only, all rows that change are.
 */
#include "config.h"

#include "into.h"

/* Do all columns come with the rows, or are computed there from those that do? */
static bool all_come(const struct etl_load *load, const char *const *columns, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++) {
		const struct etl_column *c = into_find(load->table, columns[i]);

		if (!c || !into_comes(c))
			return false;
	}
	return true;
}

/* Of columns that the rows do not bring nothing is written, so nothing can collide. */
static bool none_comes(const struct etl_load *load, const char *const *columns, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++) {
		if (into_find(load->table, columns[i]))
			return false;
	}
	return true;
}

static bool is_merge_key(const struct etl_load *load, const char *const *columns, size_t count)
{
	size_t i, k;

	for (i = 0; i < count; i++) {
		for (k = 0; k < load->key_count; k++) {
			if (sqlite3_stricmp(columns[i], load->key[k]) == 0)
				break;
		}
		if (k == load->key_count)
			return false;
	}
	return count == load->key_count;
}

/* Another row of the target holds these values of s. */
static void add_held(struct etl_text *sql, const struct etl_load *load, const char *const *columns,
		     const char *const *collations, size_t count)
{
	size_t i;

	etl_text_add(sql,
		     sql->length ? "\n\t\tOR EXISTS (SELECT 1 FROM " : "EXISTS (SELECT 1 FROM ");
	into_add_table(sql, "main", load);
	etl_text_add(sql, " AS o WHERE ");
	for (i = 0; i < count; i++) {
		etl_text_add(sql, i ? " AND o." : "o.");
		etl_text_add_name(sql, columns[i], '"');
		etl_text_add(sql, " = s.");
		etl_text_add_name(sql, columns[i], '"');
		if (collations && collations[i]) {
			etl_text_add(sql, " COLLATE ");
			etl_text_add_name(sql, collations[i], '"');
		}
	}
	etl_text_add(sql, " AND NOT (");
	into_add_match(sql, load, "o", "s");
	etl_text_add(sql, "))");
}

/* Of one unique constraint; a column that does not come stays as it is in every row, and so does a value that
 * depends on nothing else. */
static void add_key(struct etl_text *sql, const struct etl_load *load, const struct etl_key *key,
		    bool *ret_all)
{
	if (key->column_count == 0 || is_merge_key(load, key->columns, key->column_count) ||
	    none_comes(load, key->columns, key->column_count))
		return;
	if (all_come(load, key->columns, key->column_count))
		add_held(sql, load, key->columns, key->collations, key->column_count);
	else
		*ret_all = true;
}

static void add_index(struct etl_text *sql, const struct etl_load *load,
		      const struct etl_index *index, bool *ret_all)
{
	const char *columns[64], *collations[64];
	size_t i;

	if (!(index->flags & ETL_INDEX_UNIQUE))
		return;
	if (index->where_sql || index->part_count > 64) {
		*ret_all = true;
		return;
	}
	for (i = 0; i < index->part_count; i++) {
		const struct etl_index_part *p = ETL_AT(const struct etl_index_part, index->parts,
							index->part_size, i);

		columns[i] = p->column;
		collations[i] = p->collation;
		if (!p->column) {
			*ret_all = true;
			return;
		}
	}
	if (is_merge_key(load, columns, index->part_count) ||
	    none_comes(load, columns, index->part_count))
		return;
	if (all_come(load, columns, index->part_count))
		add_held(sql, load, columns, collations, index->part_count);
	else
		*ret_all = true;
}

/* Which of the rows that change have to be moved; "" when nothing is unique but the key. */
static void add_condition(struct etl_text *sql, const struct etl_load *load)
{
	const struct etl_table *there = load->existing;
	bool all = false;
	size_t i;

	add_key(sql, load, &there->primary, &all);
	for (i = 0; i < there->unique_count; i++)
		add_key(sql, load,
			ETL_AT(const struct etl_key, there->uniques, there->unique_size, i), &all);
	for (i = 0; i < there->index_count; i++)
		add_index(sql, load,
			  ETL_AT(const struct etl_index, there->indexes, there->index_size, i),
			  &all);
	if (all && !sql->failed) {
		sql->length = 0;
		etl_text_add(sql, "1");
	}
}

/* The row as it will be: what comes, and what the target has beside it. */
static void add_new_row(struct etl_text *sql, const struct etl_load *load)
{
	const struct etl_table *there = load->existing;
	bool first = true;
	size_t i;

	for (i = 0; i < there->column_count; i++) {
		const struct etl_column *c = into_column(there, i);

		if (!into_comes(c))
			continue;
		etl_text_add(sql, first ? "" : ", ");
		if (load->delete_column && sqlite3_stricmp(c->name, load->delete_column) == 0) {
			etl_text_add(sql, into_mark_is_flag(load) ? "CASE WHEN " : "NULL");
			if (into_mark_is_flag(load)) {
				into_add_marked(sql, load);
				etl_text_add(sql, " THEN 0 ELSE t.");
				etl_text_add_name(sql, c->name, '"');
				etl_text_add(sql, " END");
			}
		} else {
			etl_text_add(sql, into_find(load->table, c->name) ? "s." : "t.");
			etl_text_add_name(sql, c->name, '"');
		}
		etl_text_add(sql, " AS ");
		etl_text_add_name(sql, c->name, '"');
		first = false;
	}
}

static int emit(struct design *d, const char *kind, struct etl_text *sql, const char *note)
{
	int rc = sql->failed ? design_no_memory(d) :
			       design_step(d, ETL_PHASE_PUBLISH, ETL_EXACT, kind, d->table->name,
					   sql->at, note);

	etl_text_free(sql);
	return rc;
}

/* The rows that are moved, as they are in the target still. */
static void add_moved_keys(struct etl_text *sql, const struct etl_load *load)
{
	bool exact = true;
	size_t i;

	for (i = 0; i < load->key_count; i++)
		exact = exact && !into_key_collation(load, i);
	if (exact) {
		etl_text_add(sql, " WHERE (");
		into_add_key(sql, load, "");
		etl_text_add(sql, ") IN (SELECT ");
		into_add_key(sql, load, "");
		etl_text_addf(sql, " FROM temp.etlrun_moved_%llu)",
			      (unsigned long long)load->index);
		return;
	}
	etl_text_addf(sql, " AS t WHERE EXISTS (SELECT 1 FROM temp.etlrun_moved_%llu AS s WHERE ",
		      (unsigned long long)load->index);
	into_add_match(sql, load, "s", "t");
	etl_text_add(sql, ")");
}

int into_design_moves_out(struct design *d)
{
	const struct etl_load *load = d->load;
	const char *rowid = into_rowid(load);
	struct etl_text condition = { 0 }, sql = { 0 };
	int rc;

	add_condition(&condition, load);
	if (condition.failed || condition.length == 0) {
		rc = condition.failed ? design_no_memory(d) : ETL_OK;
		etl_text_free(&condition);
		return rc;
	}
	into_add_temp(&sql, "moved", load, INTO_TEMP_COMING | INTO_TEMP_ROW);
	etl_text_add(&sql, "SELECT ");
	if (rowid)
		etl_text_addf(&sql, "t.%s AS _etlrun_row, ", rowid);
	add_new_row(&sql, load);
	etl_text_add(&sql, "\n\t");
	etl_text_addf(&sql, "FROM temp.etlrun_rows_%llu AS c CROSS JOIN ",
		      (unsigned long long)load->index);
	into_add_table(&sql, "staged", load);
	etl_text_add(&sql, " AS s CROSS JOIN ");
	into_add_table(&sql, "main", load);
	etl_text_add(&sql, " AS t WHERE c.is_new = 0 AND s.");
	etl_text_add_name(&sql, into_row(load), '"');
	etl_text_add(&sql, " = c.row AND ");
	into_add_match(&sql, load, "t", "s");
	etl_text_addf(&sql, "\n\t\tAND (%s)", condition.at ? condition.at : "1");
	sql.failed = sql.failed || condition.failed;
	etl_text_free(&condition);
	rc = emit(d, "moved", &sql, "rows that get a unique value which another row has now");
	if (rc)
		return rc;
	etl_text_add(&sql, "DELETE FROM ");
	into_add_table(&sql, "main", load);
	add_moved_keys(&sql, load);
	return emit(d, "move out", &sql, NULL);
}

int into_design_moves_in(struct design *d)
{
	const struct etl_load *load = d->load;
	const char *rowid = into_rowid(load);
	struct etl_text condition = { 0 }, sql = { 0 };
	bool moves, first = true;
	size_t i;
	int pass;

	add_condition(&condition, load);
	moves = condition.length > 0;
	etl_text_free(&condition);
	if (!moves)
		return ETL_OK;
	etl_text_add(&sql, "INSERT OR ABORT INTO ");
	into_add_table(&sql, "main", load);
	for (pass = 0; pass < 2; pass++, first = true) {
		etl_text_add(&sql, pass ? ")\n\tSELECT " : " (");
		if (rowid)
			etl_text_addf(&sql, "%s, ", pass ? "_etlrun_row" : rowid);
		for (i = 0; i < load->existing->column_count; i++) {
			const struct etl_column *c = into_column(load->existing, i);

			if (!into_comes(c))
				continue;
			etl_text_add(&sql, first ? "" : ", ");
			etl_text_add_name(&sql, c->name, '"');
			first = false;
		}
	}
	etl_text_addf(&sql, " FROM temp.etlrun_moved_%llu", (unsigned long long)load->index);
	return emit(d, "move in", &sql, NULL);
}
