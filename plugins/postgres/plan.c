/*
 * Splits: ranges of blocks, whose rows the server finds without reading the others (since 14). A table that is made of
 * partitions is split into those of them that have rows, the larger ones by their blocks too.
 */
#include "config.h"

#include <stdlib.h>

#include "read.h"

#define BLOCK_RANGES_SINCE 140000
#define LEAST_BLOCKS	   128 /* in a split: a megabyte */

struct planning {
	struct etl_instance *inst;
	struct etl_split_sink *sink;
	struct etl_error *err;
	uint64_t index;
};

static int emit_one(struct planning *p, const char *text, int64_t rows)
{
	struct etl_split split = {
		.index = p->index++, .first = 0, .last = INT64_MAX, .text = text, .rows = rows
	};

	return p->sink->emit(p->sink, &split);
}

/* COUNT ranges of nearly the same width. The last is open: the table may grow while it is planned. */
static int emit_ranges(struct planning *p, const char *text, int64_t blocks, int64_t rows,
		       int64_t count)
{
	int rc = ETL_OK;

	for (int64_t i = 0; rc == ETL_OK && i < count; i++) {
		int64_t first = blocks * i / count, next = blocks * (i + 1) / count;
		struct etl_split split = { .index = p->index++,
					   .first = first,
					   .last = i + 1 == count ? INT64_MAX : next - 1,
					   .text = text,
					   .rows = rows < 0 ? ETL_UNKNOWN : rows / count };

		rc = p->sink->emit(p->sink, &split);
	}
	return rc;
}

/* Of WANTED splits the share that BLOCKS of ALL deserve. */
static int64_t share(int64_t blocks, int64_t all, int64_t wanted)
{
	int64_t count = all > 0 ? (blocks * wanted + all - 1) / all : 1;
	int64_t most = blocks / LEAST_BLOCKS + 1;

	if (count > most)
		count = most;
	return count > 0 ? count : 1;
}

/* The tables that hold the rows: itself, or the partitions. Sizes are as the storage is now, not as it was when the
 * view was pinned: what was added since is not seen, and the last range is open. */
static const char leaves_sql[] =
	"SELECT pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname), "
	"CASE WHEN c.relkind IN ('r', 'm') THEN pg_catalog.pg_relation_size(c.oid) / "
	"pg_catalog.current_setting('block_size')::int8 ELSE 0 END, c.reltuples::int8, "
	"c.relkind "
	"FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace ";
static const char of_partitions[] =
	"JOIN pg_catalog.pg_partition_tree($1::oid) t ON t.relid = c.oid AND t.isleaf "
	"AND c.relkind <> 'p' ORDER BY 1";
static const char of_table[] = "WHERE c.oid = $1::oid";

static int plan_leaves(struct planning *p, const struct relation *r, int64_t wanted,
		       const PGresult *leaves)
{
	int64_t all = 0;
	int rc = ETL_OK;

	for (int i = 0; i < PQntuples(leaves); i++)
		all += postgres_int_at(leaves, i, 1);
	for (int i = 0; rc == ETL_OK && i < PQntuples(leaves); i++) {
		const char *text = r->kind == 'p' ? PQgetvalue(leaves, i, 0) : NULL;
		int64_t blocks = postgres_int_at(leaves, i, 1), rows = postgres_int_at(leaves, i, 2);
		char kind = *PQgetvalue(leaves, i, 3);

		if (kind == 'f')
			rc = emit_one(p, text, ETL_UNKNOWN);
		else
			rc = emit_ranges(p, text, blocks, rows, share(blocks, all, wanted));
	}
	return rc == ETL_OK && p->index == 0 ? emit_one(p, NULL, 0) : rc;
}

static bool can_split(const struct etl_instance *inst, const struct relation *r,
		      const struct etl_read *read, int64_t wanted)
{
	return wanted > 1 && read->limit <= 0 && !read->keys &&
	       inst->version >= BLOCK_RANGES_SINCE && (relation_has_blocks(r) || r->kind == 'p');
}

static int plan_relation(struct planning *p, const struct relation *r, const struct etl_read *read,
			 int64_t wanted)
{
	struct etl_text sql = { 0 };
	char oid[16];
	const char *values[] = { oid };
	PGresult *leaves;
	int rc;

	if (!can_split(p->inst, r, read, wanted))
		return emit_one(p, NULL, ETL_UNKNOWN);
	snprintf(oid, sizeof(oid), "%u", r->oid);
	etl_text_add(&sql, leaves_sql);
	etl_text_add(&sql, r->kind == 'p' ? of_partitions : of_table);
	rc = sql.failed ? postgres_no_memory(p->inst, p->err) :
			  postgres_query(p->inst, p->err, &leaves, sql.at, 1, values);
	etl_text_free(&sql);
	if (rc < 0)
		return rc;
	rc = plan_leaves(p, r, wanted, leaves);
	PQclear(leaves);
	return rc;
}

int postgres_plan(struct etl_instance *inst, const struct etl_read *read, int64_t wanted,
		  struct etl_split_sink *sink, struct etl_error *err)
{
	struct planning p = { .inst = inst, .sink = sink, .err = err };
	struct relation relation = { 0 };
	int rc = postgres_ready(inst, err);

	if (rc < 0)
		return rc;
	rc = relation_find(inst, &read->dataset, &relation, err);
	if (rc == ETL_OK)
		rc = plan_relation(&p, &relation, read, wanted);
	relation_free(&relation);
	return rc;
}
