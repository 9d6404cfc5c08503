/*
 * A run that is published in batches (struct etl_commit_batch): each takes the staged rows from one rowid to another. What a batch
 * did, and where the next one begins, is in the target's _etlrun_batches, written in the batch's transaction.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "into.h"

/* ---- Which rows ------------------------------------------------------------------------------------------ */

struct slicer {
	struct etl_slicer base;
	struct into *into;
};

static struct into *into_of(struct etl_slicer *base)
{
	return ((struct slicer *)(void *)base)->into;
}

static bool has(struct etl_slicer *base, size_t load, int kind)
{
	const struct etl_load *l = into_of(base)->commit->loads[load];

	if (!l->table || l->table->kind != ETL_TABLE || !l->existing || !into_merges(l))
		return false;
	return kind == ETL_SLICE_ROWS || into_names_gone(l);
}

/* A name of the rowid of the keys that go: one of them may be called so. */
static const char *goes_row(const struct etl_load *load)
{
	static const char *const names[] = { "rowid", "_rowid_", "oid" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		size_t k = 0;

		while (k < load->key_count && sqlite3_stricmp(load->key[k], names[i]) != 0)
			k++;
		if (k == load->key_count)
			return names[i];
	}
	return "rowid";
}

static const char *row_of(const struct etl_load *load, int kind)
{
	return kind == ETL_SLICE_GONE ? goes_row(load) : into_row(load);
}

static void add_table(struct etl_text *sql, const struct etl_load *load, int kind)
{
	if (kind == ETL_SLICE_GONE)
		etl_text_addf(sql, "staged." INTO_GOES "%llu", (unsigned long long)load->index);
	else
		into_add_table(sql, "staged", load);
}

/* ALIAS."row" OP AT */
static void add_bound(struct etl_text *sql, const struct etl_load *load, int kind, const char *alias, const char *op,
		      const char *at)
{
	etl_text_add(sql, alias);
	etl_text_add_name(sql, row_of(load, kind), '"');
	etl_text_addf(sql, " %s %s", op, at);
}

static int count(struct etl_slicer *base, size_t load, int kind, const char *from, int64_t most, int64_t *ret,
		 char upto[SLICE_AT])
{
	struct into *n = into_of(base);
	const struct etl_load *l = n->commit->loads[load];
	struct etl_text some = { 0 }, next = { 0 };
	sqlite3_stmt *stmt = NULL;
	int rc, step = SQLITE_DONE;

	etl_text_add(&some, "SELECT count(*) FROM (SELECT 1 FROM ");
	add_table(&some, l, kind);
	etl_text_add(&next, "SELECT ");
	etl_text_add_name(&next, row_of(l, kind), '"');
	etl_text_add(&next, " FROM ");
	add_table(&next, l, kind);
	if (*from) {
		etl_text_add(&some, " WHERE ");
		add_bound(&some, l, kind, "", ">=", from);
		etl_text_add(&next, " WHERE ");
		add_bound(&next, l, kind, "", ">=", from);
	}
	etl_text_addf(&some, " LIMIT %lld)", (long long)most);
	etl_text_add(&next, " ORDER BY ");
	etl_text_add_name(&next, row_of(l, kind), '"');
	etl_text_addf(&next, " LIMIT 1 OFFSET %lld", (long long)most);
	rc = some.failed || next.failed ? into_no_memory(n) : sqlite_number(n->inst, n->db, some.at, 0, ret, n->err);
	if (!rc)
		rc = sqlite_prepare(n->inst, n->db, next.at, &stmt, n->err);
	*upto = '\0';
	if (!rc && (step = sqlite3_step(stmt)) == SQLITE_ROW)
		snprintf(upto, SLICE_AT, "%lld", (long long)sqlite3_column_int64(stmt, 0));
	if (!rc && step != SQLITE_ROW && step != SQLITE_DONE)
		rc = sqlite_fail(n->inst, n->db, n->err, "looking where a batch ends");
	sqlite3_finalize(stmt);
	etl_text_free(&some);
	etl_text_free(&next);
	return rc;
}

int into_slice(struct into *n)
{
	struct slicer s = { { has, count }, n };
	int rc;

	n->slices = calloc(n->commit->load_count + 1, sizeof(*n->slices));
	rc = n->slices ? etl_slices_make(n->commit, &s.base, n->slices) : into_no_memory(n);
	return rc > 0 ? n->inst->host->fail(n->err, ETL_BUG, NULL, 0, "\"%s\" is no place between two batches",
					    n->commit->batch->from->text) :
			rc;
}

bool into_is_last(const struct into *n)
{
	return !n->commit->batch || !n->commit->batch->next->text[0];
}

bool into_is_first(const struct into *n)
{
	return !n->commit->batch || !n->commit->batch->from->text[0];
}

/* What is new in the target comes whole, with the last one. */
bool into_has_rows(const struct into *n, size_t at)
{
	if (!n->slices)
		return true;
	return n->commit->loads[at]->existing ? etl_slices_any(&n->slices[at]) : into_is_last(n);
}

void into_add_slice(struct etl_text *sql, const struct into *n, enum etl_slice_kind kind, const char *alias)
{
	const struct etl_slice *slice = n->slices ? &n->slices[n->at].of[kind] : NULL;

	if (!slice)
		return;
	if (!slice->any)
		etl_text_add(sql, " AND 0");
	if (*slice->from) {
		etl_text_add(sql, " AND ");
		add_bound(sql, n->load, (int)kind, alias, ">=", slice->from);
	}
	if (*slice->upto) {
		etl_text_add(sql, " AND ");
		add_bound(sql, n->load, (int)kind, alias, "<", slice->upto);
	}
}

int into_run_sliced(struct into *n, const char *sql, bool gone)
{
	const struct etl_slice *slice = &n->slices[n->at].of[gone];
	struct etl_text text = { 0 };
	int rc;

	etl_text_add(&text, sql);
	if (gone && slice->any) {
		etl_text_add(&text, " AND EXISTS (SELECT 1 FROM ");
		add_table(&text, n->load, ETL_SLICE_GONE);
		etl_text_add(&text, " AS s WHERE ");
		into_add_match(&text, n->load, "t", "s");
		into_add_slice(&text, n, ETL_SLICE_GONE, "s.");
		etl_text_add(&text, ")");
	} else {
		into_add_slice(&text, n, gone ? ETL_SLICE_GONE : ETL_SLICE_ROWS, "s.");
	}
	rc = text.failed ? into_no_memory(n) : into_run(n, text.at);
	etl_text_free(&text);
	return rc;
}

/* ---- What is written down ---------------------------------------------------------------------------------- */

static int make(struct into *n)
{
	return sqlite_run(n->inst, n->db,
			  "CREATE TABLE IF NOT EXISTS main." OWN_BATCHES
			  " (run TEXT NOT NULL, pipeline TEXT NOT NULL, batch INTEGER NOT NULL, load INTEGER NOT NULL, name TEXT NOT NULL, "
			  "inserted INTEGER NOT NULL, updated INTEGER NOT NULL, unchanged INTEGER NOT NULL, deleted INTEGER NOT NULL, next TEXT "
			  "NOT NULL, published TEXT NOT NULL, PRIMARY KEY (run, batch, load)) WITHOUT ROWID",
			  n->err);
}

static void put_outcome(const struct etl_commit *commit, sqlite3_stmt *stmt)
{
	for (size_t i = 0; i < commit->load_count; i++)
		if (commit->loads[i]->index == (uint64_t)sqlite3_column_int64(stmt, 0))
			commit->outcomes[i] = (struct etl_outcome){ .inserted = (uint64_t)sqlite3_column_int64(stmt, 1),
								    .updated = (uint64_t)sqlite3_column_int64(stmt, 2),
								    .unchanged = (uint64_t)sqlite3_column_int64(stmt, 3),
								    .deleted = (uint64_t)sqlite3_column_int64(stmt, 4) };
	snprintf(commit->batch->next->text, sizeof(commit->batch->next->text), "%s", (const char *)sqlite3_column_text(stmt, 5));
}

int own_find_batch(struct etl_instance *inst, sqlite3 *db, const struct etl_commit *commit, bool *ret_found,
		   struct etl_error *err)
{
	sqlite3_stmt *stmt = NULL;
	int step = SQLITE_DONE, rc;

	*ret_found = false;
	if (sqlite3_table_column_metadata(db, "main", OWN_BATCHES, NULL, NULL, NULL, NULL, NULL, NULL) != SQLITE_OK)
		return ETL_OK;
	rc = sqlite_prepare(inst, db,
			    "SELECT load, inserted, updated, unchanged, deleted, next FROM main." OWN_BATCHES
			    " WHERE run = ?1 AND batch = ?2",
			    &stmt, err);
	if (rc)
		return rc;
	sqlite3_bind_text(stmt, 1, commit->run->id, -1, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 2, commit->batch->number);
	while ((step = sqlite3_step(stmt)) == SQLITE_ROW) {
		for (size_t i = 0; !*ret_found && i < commit->load_count; i++)
			commit->outcomes[i] = (struct etl_outcome){ 0 };
		*ret_found = true;
		put_outcome(commit, stmt);
	}
	if (step != SQLITE_DONE)
		rc = sqlite_fail(inst, db, err, "reading the batches of a run");
	sqlite3_finalize(stmt);
	return rc;
}

static int record(struct into *n, sqlite3_stmt *stmt, size_t at)
{
	const struct etl_outcome *o = &n->commit->outcomes[at];

	sqlite3_bind_text(stmt, 1, n->commit->run->id, -1, SQLITE_STATIC);
	sqlite3_bind_text(stmt, 2, n->commit->run->pipeline, -1, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 3, n->commit->batch->number);
	sqlite3_bind_int64(stmt, 4, (sqlite3_int64)n->commit->loads[at]->index);
	sqlite3_bind_text(stmt, 5, n->commit->loads[at]->table->name, -1, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 6, (sqlite3_int64)o->inserted);
	sqlite3_bind_int64(stmt, 7, (sqlite3_int64)o->updated);
	sqlite3_bind_int64(stmt, 8, (sqlite3_int64)o->unchanged);
	sqlite3_bind_int64(stmt, 9, (sqlite3_int64)o->deleted);
	sqlite3_bind_text(stmt, 10, n->commit->batch->next->text, -1, SQLITE_STATIC);
	if (sqlite3_step(stmt) != SQLITE_DONE)
		return sqlite_fail(n->inst, n->db, n->err, "writing down a batch");
	sqlite3_reset(stmt);
	return ETL_OK;
}

/* What the run did is what its batches did. Batches are remembered as runs are (own.c), also of those that never came to their
 * end. */
static int sum_up(struct into *n)
{
	const struct etl_run *run = n->commit->run;
	char *sql = sqlite3_mprintf(
		"UPDATE main._etlrun_loads AS l SET (inserted, updated, unchanged, deleted) = (SELECT sum(b.inserted), sum(b.updated), "
		"sum(b.unchanged), sum(b.deleted) FROM main." OWN_BATCHES " AS b WHERE b.run = l.run AND b.load = l.load) WHERE l.run = %Q AND "
		"EXISTS (SELECT 1 FROM main." OWN_BATCHES " AS b WHERE b.run = l.run AND b.load = l.load); "
		"DELETE FROM main." OWN_BATCHES " WHERE run IN (SELECT run FROM main." OWN_BATCHES " WHERE pipeline = %Q GROUP BY run ORDER "
		"BY max(published) DESC, run DESC LIMIT -1 OFFSET %lld) AND published < strftime('%%Y-%%m-%%dT%%H:%%M:%%SZ', %lld, 'unixepoch')",
		run->id, run->pipeline, (long long)(run->keep_runs > 0 ? run->keep_runs : 1),
		run->keep_since ? (long long)(run->keep_since / 1000000) : (long long)OWN_LAST_SECOND);
	int rc = sql ? sqlite_run(n->inst, n->db, sql, n->err) : into_no_memory(n);

	sqlite3_free(sql);
	return rc;
}

int into_record_batch(struct into *n)
{
	sqlite3_stmt *stmt = NULL;
	int rc = make(n);

	if (!rc)
		rc = sqlite_prepare(n->inst, n->db,
				    "INSERT INTO main." OWN_BATCHES " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, "
				    "strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))",
				    &stmt, n->err);
	for (size_t i = 0; !rc && i < n->commit->load_count; i++)
		if (n->commit->loads[i]->table && n->commit->loads[i]->table->kind == ETL_TABLE &&
		    (into_has_rows(n, i) || into_is_last(n)))
			rc = record(n, stmt, i);
	sqlite3_finalize(stmt);
	return !rc && into_is_last(n) ? sum_up(n) : rc;
}
