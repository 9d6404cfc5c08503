/*
 * Which staged rows have a unique value that a row of the target keeps, as SQL: `main` is the staging file there and
 * `target` the target. A merge writes over the rows that it meets; where a staged row falls, the one it meant keeps its
 * values, and so the next may fall.
 */
#include "config.h"

#include "into.h"

struct unique {
	const char *const *columns, *const *collations;
	size_t count;
};

static bool all_wait(const struct etl_table *waiting, const struct unique *u)
{
	size_t i;

	for (i = 0; i < u->count; i++) {
		if (!into_find(waiting, u->columns[i]))
			return false;
	}
	return u->count > 0;
}

static bool is_merge_key(const struct etl_load *load, const struct unique *u)
{
	size_t i, k;

	for (i = 0; i < u->count; i++) {
		for (k = 0; k < load->key_count; k++) {
			if (sqlite3_stricmp(u->columns[i], load->key[k]) == 0)
				break;
		}
		if (k == load->key_count)
			return false;
	}
	return u->count == load->key_count;
}

/* A merge writes over rows of the target that meet a staged one, and deletes others. */
static void add_stays(struct etl_text *sql, const struct etl_load *load)
{
	if (!into_merges(load))
		return;
	etl_text_add(sql, " AND NOT EXISTS (SELECT 1 FROM ");
	into_add_table(sql, "main", load);
	etl_text_add(sql, " AS s WHERE ");
	into_add_match(sql, load, "s", "o");
	etl_text_add(sql, ")");
	if (load->deletes != ETL_DELETE_HARD)
		return;
	etl_text_add(sql, " AND ");
	into_add_kept(sql, load, "o");
}

/* A staged row t wants what a row o of the target has: how the two are selected, and when they are equal. */
struct held {
	struct etl_text names, row, t, o, equal;
};

/* A staged row that falls leaves its row of the target as it is, with the value that the next one may want. */
static void add_chain(struct etl_text *sql, const struct etl_load *load, const struct held *h)
{
	etl_text_add(sql, "\n\tUNION SELECT ");
	etl_text_addf(sql, "%s FROM \"etlrun.fell\" AS f CROSS JOIN ", h->row.at);
	into_add_table(sql, "main", load);
	etl_text_addf(sql, " AS s CROSS JOIN %s CROSS JOIN %s WHERE s.", h->o.at, h->t.at);
	etl_text_add_name(sql, into_row(load), '"');
	etl_text_add(sql, " = f.\"row\" AND ");
	into_add_match(sql, load, "s", "o");
	etl_text_addf(sql, " AND %s) SELECT \"row\" FROM \"etlrun.fell\"", h->equal.at);
}

static bool has_failed(const struct held *h)
{
	return h->names.failed || h->row.failed || h->t.failed || h->o.failed || h->equal.failed;
}

static int emit_unique(struct design *d, const struct held *h)
{
	const struct etl_load *load = d->load;
	struct etl_text sql = { 0 };
	int rc;

	if (has_failed(h))
		return design_no_memory(d);
	if (into_merges(load))
		etl_text_add(&sql, "WITH RECURSIVE \"etlrun.fell\"(\"row\") AS (");
	etl_text_addf(&sql, "SELECT %s FROM %s WHERE EXISTS (SELECT 1 FROM ", h->row.at, h->t.at);
	etl_text_addf(&sql, "%s WHERE %s", h->o.at, h->equal.at);
	add_stays(&sql, load);
	etl_text_add(&sql, ")");
	if (into_merges(load))
		add_chain(&sql, load, h);
	etl_text_add(&sql, " ORDER BY 1");
	rc = sql.failed ?
		     design_no_memory(d) :
		     design_step(
			     d, ETL_PHASE_SCREEN, ETL_EXACT, INTO_UNIQUE, h->names.at, sql.at,
			     load->run->flags & ETL_RUN_REJECT ?
				     "rows with a value that the target's rows have are rejected" :
				     "a row with a value that the target's rows have fails the "
				     "run");
	etl_text_free(&sql);
	return rc;
}

static int end_unique(struct design *d, struct held *h)
{
	int rc = emit_unique(d, h);

	etl_text_free(&h->names);
	etl_text_free(&h->row);
	etl_text_free(&h->t);
	etl_text_free(&h->o);
	etl_text_free(&h->equal);
	return rc;
}

static int design_unique(struct design *d, const struct unique *u)
{
	const struct etl_load *load = d->load;
	struct held h = { 0 };
	size_t i;

	if (!all_wait(d->table, u) || (into_merges(load) && is_merge_key(load, u)))
		return ETL_OK;
	etl_text_add(&h.row, "t.");
	etl_text_add_name(&h.row, into_row(load), '"');
	into_add_table(&h.t, "main", load);
	etl_text_add(&h.t, " AS t");
	into_add_table(&h.o, "target", load);
	etl_text_add(&h.o, " AS o");
	for (i = 0; i < u->count; i++) {
		etl_text_add(&h.equal, i ? " AND o." : "o.");
		etl_text_add_name(&h.equal, u->columns[i], '"');
		etl_text_add(&h.equal, " = t.");
		etl_text_add_name(&h.equal, u->columns[i], '"');
		if (u->collations && u->collations[i]) {
			etl_text_add(&h.equal, " COLLATE ");
			etl_text_add_name(&h.equal, u->collations[i], '"');
		}
		etl_text_addf(&h.names, "%s%s", i ? ", " : "", u->columns[i]);
	}
	return end_unique(d, &h);
}

/* What the index computes, e0, e1, …, of the rows that it is about, in SCHEMA's table. */
static void add_computed(struct etl_text *sql, const struct etl_load *load,
			 const struct etl_index *index, const char *schema)
{
	size_t i;

	for (i = 0; i < index->part_count; i++) {
		const struct etl_index_part *p = ETL_AT(const struct etl_index_part, index->parts,
							index->part_size, i);

		etl_text_add(sql, ", ");
		if (p->column)
			etl_text_add_name(sql, p->column, '"');
		else
			etl_text_addf(sql, "(%s\n)", p->expression ? p->expression : "NULL");
		if (p->collation) {
			etl_text_add(sql, " COLLATE ");
			etl_text_add_name(sql, p->collation, '"');
		}
		etl_text_addf(sql, " AS \"etlrun.%zu\"", i);
	}
	etl_text_add(sql, " FROM ");
	into_add_table(sql, schema, load);
	if (index->where_sql)
		etl_text_addf(sql, " WHERE (%s\n)", index->where_sql);
	etl_text_add(sql, ")");
}

/* Of an index over expressions, or over some of the rows. Where it needs what does not come the target itself is left
 * to refuse. */
static int design_computed(struct design *d, const struct etl_index *index)
{
	const struct etl_load *load = d->load;
	struct held h = { 0 };
	size_t i;

	if (!design_index_fits(d, index))
		return ETL_OK;
	etl_text_add(&h.row, "t.\"etlrun.row\"");
	etl_text_add(&h.t, "(SELECT ");
	etl_text_add_name(&h.t, into_row(load), '"');
	etl_text_add(&h.t, " AS \"etlrun.row\"");
	add_computed(&h.t, load, index, "main");
	etl_text_add(&h.t, " AS t");
	etl_text_add(&h.o, "(SELECT ");
	if (load->key_count)
		into_add_key(&h.o, load, "");
	else
		etl_text_add(&h.o, "1");
	add_computed(&h.o, load, index, "target");
	etl_text_add(&h.o, " AS o");
	for (i = 0; i < index->part_count; i++)
		etl_text_addf(&h.equal, "%so.\"etlrun.%zu\" = t.\"etlrun.%zu\"", i ? " AND " : "",
			      i, i);
	etl_text_add(&h.names, index->name);
	return end_unique(d, &h);
}

static int design_unique_index(struct design *d, const struct etl_index *index)
{
	const char *columns[64], *collations[64];
	const struct unique u = { columns, collations, index->part_count };
	size_t i;

	if (!(index->flags & ETL_INDEX_UNIQUE) || index->part_count > 64)
		return ETL_OK;
	if (index->where_sql)
		return design_computed(d, index);
	for (i = 0; i < index->part_count; i++) {
		const struct etl_index_part *p = ETL_AT(const struct etl_index_part, index->parts,
							index->part_size, i);

		if (!p->column)
			return design_computed(d, index);
		columns[i] = p->column;
		collations[i] = p->collation;
	}
	return design_unique(d, &u);
}

int into_design_screens(struct design *d)
{
	const struct etl_table *there = d->load->existing;
	const struct unique primary = { there->primary.columns, there->primary.collations,
					there->primary.column_count };
	size_t i;
	int rc = design_unique(d, &primary);

	for (i = 0; !rc && i < there->unique_count; i++) {
		const struct etl_key *key = ETL_AT(const struct etl_key, there->uniques,
						   there->unique_size, i);
		const struct unique u = { key->columns, key->collations, key->column_count };

		rc = design_unique(d, &u);
	}
	for (i = 0; !rc && i < there->index_count; i++)
		rc = design_unique_index(
			d, ETL_AT(const struct etl_index, there->indexes, there->index_size, i));
	return rc;
}
