/*
 * What a run keeps so that it can be taken back (revert.c), written in its own transaction. Appended rows are known
 * by the ranges of their rowids, or by their keys where there are none; a merge, which asks for undo = true, keeps
 * the rows it changes as they were. Of either the digest of what was written is kept: rows that somebody changed
 * since are not taken away.
 */
#include "config.h"

#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "into.h"

#define UNDO_RUNS    3	  /* of a pipeline, that keep the rows they changed */
#define RANGES_MOST  1000 /* of rowids; beyond it every one is kept */
#define COLUMNS_MOST 2000 /* of a table, unless SQLite was built otherwise (limits.html) */

/* ---- The rows that change, as they were --------------------------------------------------------------------- */

static void add_undo_name(struct etl_text *sql, const struct etl_load *load)
{
	etl_text_addf(sql, "main.\"_etlrun_undo_%s_%llu\"", load->run->id,
		      (unsigned long long)load->index);
}

/* The stored columns of the target's table behind PREFIX, or c0, c1, … */
static void add_images(struct etl_text *sql, const struct etl_load *load, const char *prefix)
{
	size_t i, k = 0;

	for (i = 0; i < load->existing->column_count; i++) {
		const struct etl_column *c = into_column(load->existing, i);

		if (!into_comes(c))
			continue;
		if (prefix) {
			etl_text_addf(sql, ", %s", prefix);
			etl_text_add_name(sql, c->name, '"');
		} else {
			etl_text_addf(sql, ", c%zu", k++);
		}
	}
}

static void add_create(struct etl_text *sql, const struct etl_load *load, size_t keys)
{
	size_t i;

	etl_text_add(sql, "CREATE TABLE ");
	add_undo_name(sql, load);
	etl_text_add(sql, " (op, r");
	for (i = 0; i < keys; i++)
		etl_text_addf(sql, ", k%zu", i);
	add_images(sql, load, NULL);
	etl_text_add(sql, ", h)");
}

static void add_updated(struct etl_text *sql, const struct etl_load *load, const char *rowid)
{
	etl_text_add(sql, ";\nINSERT INTO ");
	add_undo_name(sql, load);
	etl_text_addf(sql, " SELECT 'u', %s%s, ", rowid ? "t." : "", rowid ? rowid : "NULL");
	into_add_key(sql, load, "s.");
	add_images(sql, load, "t.");
	etl_text_addf(sql, ", NULL FROM temp.etlrun_rows_%llu AS c CROSS JOIN ",
		      (unsigned long long)load->index);
	into_add_table(sql, "staged", load);
	etl_text_add(sql, " AS s CROSS JOIN ");
	into_add_table(sql, "main", load);
	etl_text_add(sql, " AS t WHERE c.is_new = 0 AND s.");
	etl_text_add_name(sql, into_row(load), '"');
	etl_text_add(sql, " = c.row AND ");
	into_add_match(sql, load, "t", "s");
}

static void add_gone(struct etl_text *sql, const struct etl_load *load, const char *rowid)
{
	etl_text_add(sql, ";\nINSERT INTO ");
	add_undo_name(sql, load);
	etl_text_addf(sql, " SELECT '%s', %s, ", load->deletes == ETL_DELETE_HARD ? "d" : "u",
		      rowid ? "t._etlrun_row" : "NULL");
	into_add_key(sql, load, "t.");
	add_images(sql, load, "t.");
	etl_text_addf(sql, ", NULL FROM temp.etlrun_gone_%llu AS t", (unsigned long long)load->index);
}

/* The table of a run has the key and three columns more than what it keeps. */
static int refuse_wide(const struct design *d)
{
	const struct etl_load *load = d->load;
	size_t i, count = 3 + load->key_count;

	for (i = 0; i < load->existing->column_count; i++)
		count += into_comes(into_column(load->existing, i));
	if (count <= COLUMNS_MOST)
		return ETL_OK;
	d->inst->host->at(d->err, load->existing->name, NULL, NULL);
	return d->inst->host->fail(d->err, ETL_USAGE, NULL, 0,
				   "undo = true keeps the rows of \"%s\" that change in a table of "
				   "%zu columns, and SQLite takes %d; leave undo out, and keep a "
				   "copy of the file",
				   load->existing->name, count, COLUMNS_MOST);
}

/* u: changed; d: deleted; i: new, and known by its key. */
int undo_design(struct design *d)
{
	const struct etl_load *load = d->load;
	const char *rowid = into_rowid(load);
	struct etl_text sql = { 0 };
	size_t i;
	int rc = refuse_wide(d);

	if (rc)
		return rc;
	add_create(&sql, load, load->key_count);
	add_updated(&sql, load, rowid);
	if (load->deletes != ETL_DELETE_NONE)
		add_gone(&sql, load, rowid);
	etl_text_add(&sql, ";\nINSERT INTO ");
	add_undo_name(&sql, load);
	etl_text_add(&sql, " (op");
	for (i = 0; i < load->key_count; i++)
		etl_text_addf(&sql, ", k%zu", i);
	etl_text_add(&sql, ") SELECT 'i', ");
	into_add_key(&sql, load, "s.");
	into_add_rows(&sql, load, true);
	rc = sql.failed ?
		     design_no_memory(d) :
		     design_step(d, ETL_PHASE_PUBLISH, ETL_EXACT, "undo", d->table->name, sql.at,
				 "the rows that change, as they were, for undo = true");
	etl_text_free(&sql);
	return rc;
}

/* ---- Digests ------------------------------------------------------------------------------------------------- */

void own_digest(sqlite3_stmt *stmt, int from, uint64_t *sum)
{
	own_digest_some(stmt, from, sqlite3_column_count(stmt) - from, sum);
}

void own_digest_some(sqlite3_stmt *stmt, int from, int count, uint64_t *sum)
{
	uint64_t hash = 0;
	int i;

	for (i = from; i < from + count; i++) {
		int type = sqlite3_column_type(stmt, i);
		sqlite3_int64 integer = 0;
		double real = 0;
		const void *at = &integer;
		size_t size = 0;

		if (type == SQLITE_INTEGER) {
			integer = sqlite3_column_int64(stmt, i);
			size = sizeof(integer);
		} else if (type == SQLITE_FLOAT) {
			real = sqlite3_column_double(stmt, i);
			at = &real;
			size = sizeof(real);
		} else if (type != SQLITE_NULL) {
			const void *bytes = type == SQLITE_TEXT ?
						    (const void *)sqlite3_column_text(stmt, i) :
						    sqlite3_column_blob(stmt, i);

			size = (size_t)sqlite3_column_bytes(stmt, i);
			at = bytes ? bytes : (const void *)&integer;
		}
		hash = XXH3_64bits_withSeed(at, size, hash + (uint64_t)type);
	}
	*sum += hash;
}

int undo_digest(struct etl_instance *inst, sqlite3 *db, const char *sql, int64_t *ret_rows,
		int64_t *ret_digest, struct etl_error *err)
{
	sqlite3_stmt *stmt = NULL;
	uint64_t sum = (uint64_t)*ret_digest;
	int step, rc = sqlite_prepare(inst, db, sql, &stmt, err);

	if (rc)
		return rc;
	while ((step = sqlite3_step(stmt)) == SQLITE_ROW) {
		own_digest(stmt, 0, &sum);
		++*ret_rows;
	}
	if (step != SQLITE_DONE)
		rc = sqlite_fail(inst, db, err, "reading back what was written");
	sqlite3_finalize(stmt);
	*ret_digest = (int64_t)sum;
	return rc;
}

int undo_columns(struct etl_instance *inst, sqlite3 *db, const char *table, struct etl_text *ret,
		 size_t *ret_count, struct etl_error *err)
{
	sqlite3_stmt *stmt = NULL;
	int step, rc = sqlite_prepare(
			  inst, db,
			  "SELECT name FROM pragma_table_xinfo(?1, 'main') WHERE hidden = 0 "
			  "ORDER BY cid",
			  &stmt, err);

	*ret_count = 0;
	if (rc)
		return rc;
	sqlite3_bind_text(stmt, 1, table, -1, SQLITE_STATIC);
	while ((step = sqlite3_step(stmt)) == SQLITE_ROW) {
		etl_text_add(ret, (*ret_count)++ ? ", " : "");
		etl_text_add_name(ret, (const char *)sqlite3_column_text(stmt, 0), '"');
	}
	if (step != SQLITE_DONE)
		rc = sqlite_fail(inst, db, err, "listing the columns of \"%s\"", table);
	sqlite3_finalize(stmt);
	return rc;
}

int undo_rowid(struct etl_instance *inst, sqlite3 *db, const char *table, const char **ret,
	       struct etl_error *err)
{
	static const char *const names[] = { "rowid", "_rowid_", "oid" };
	int64_t taken = 0, without = 0;
	size_t i;
	int rc = sqlite_number_of(
		inst, db,
		"SELECT wr FROM pragma_table_list WHERE schema = 'main' AND name = ?1 "
		"COLLATE NOCASE",
		table, 0, &without, err);

	*ret = NULL;
	for (i = 0; !rc && !without && !*ret && i < sizeof(names) / sizeof(*names); i++) {
		char sql[160];

		sqlite3_snprintf(
			sizeof(sql), sql,
			"SELECT count(*) FROM pragma_table_xinfo(?1, 'main') WHERE name = %Q "
			"COLLATE NOCASE",
			names[i]);
		rc = sqlite_number_of(inst, db, sql, table, 0, &taken, err);
		if (!rc && !taken)
			*ret = names[i];
	}
	return rc;
}

/* ---- What is kept of a load ------------------------------------------------------------------------------------ */

struct kept {
	const char *undo; /* "ranges", "rows", "table" */
	struct etl_text detail, columns;
	size_t column_count;
	int64_t rows, digest;
};

static int keep(struct into *n, const struct kept *k)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite_prepare(n->inst, n->db,
				"INSERT INTO main._etlrun_loads (run, load, name, inserted, "
				"updated, unchanged, deleted, "
				"undo, detail, columns, rows, digest) VALUES (?1, ?2, ?3, 0, 0, 0, "
				"0, ?4, ?5, ?6, ?7, ?8)",
				&stmt, n->err);

	if (rc)
		return rc;
	sqlite3_bind_text(stmt, 1, n->commit->run->id, -1, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 2, (sqlite3_int64)n->load->index);
	sqlite3_bind_text(stmt, 3, n->load->table->name, -1, SQLITE_STATIC);
	sqlite3_bind_text(stmt, 4, k->undo, -1, SQLITE_STATIC);
	sqlite3_bind_text(stmt, 5, k->detail.at, -1, SQLITE_STATIC);
	sqlite3_bind_text(stmt, 6, k->columns.at, -1, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 7, k->rows);
	sqlite3_bind_int64(stmt, 8, k->digest);
	if (sqlite3_step(stmt) != SQLITE_DONE)
		rc = sqlite_fail(n->inst, n->db, n->err, "keeping what takes the run back");
	sqlite3_finalize(stmt);
	return rc;
}

/* SELECT of the rows of the target's table that CONDITION chooses, for their digest. */
static int digest_where(struct into *n, struct kept *k, const char *from, const char *condition)
{
	struct etl_text sql = { 0 };
	int rc;

	etl_text_addf(&sql, "SELECT %s FROM %s main.", k->columns.at ? k->columns.at : "NULL",
		      from);
	etl_text_add_name(&sql, n->load->table->name, '"');
	etl_text_addf(&sql, " AS t %s", condition);
	rc = sql.failed ? into_no_memory(n) :
			  undo_digest(n->inst, n->db, sql.at, &k->rows, &k->digest, n->err);
	etl_text_free(&sql);
	return rc;
}

static int keep_table(struct into *n, struct kept *k)
{
	k->undo = "table";
	return digest_where(n, k, "", "");
}

/* Of each row the digest of what it is now: so it can be said which was changed since. FROM, with its place in the undo
 * table, and ON are as in keep_rows. */
static int keep_digests(struct into *n, const struct kept *k, const char *from, const char *on)
{
	struct etl_text sql = { 0 }, update = { 0 };
	sqlite3_stmt *rows = NULL, *set = NULL;
	int step = SQLITE_DONE, rc;

	etl_text_addf(&sql, "SELECT u.\"etlrun.at\", %s FROM %s main.", k->columns.at ? k->columns.at : "NULL", from);
	etl_text_add_name(&sql, n->load->table->name, '"');
	etl_text_addf(&sql, " AS t %s", on);
	etl_text_add(&update, "UPDATE ");
	add_undo_name(&update, n->load);
	etl_text_add(&update, " SET h = ?1 WHERE rowid = ?2");
	rc = sql.failed || update.failed ? into_no_memory(n) : sqlite_prepare(n->inst, n->db, sql.at, &rows, n->err);
	if (!rc)
		rc = sqlite_prepare(n->inst, n->db, update.at, &set, n->err);
	while (!rc && (step = sqlite3_step(rows)) == SQLITE_ROW) {
		uint64_t digest = 0;

		own_digest(rows, 1, &digest);
		sqlite3_bind_int64(set, 1, (sqlite3_int64)digest);
		sqlite3_bind_int64(set, 2, sqlite3_column_int64(rows, 0));
		if (sqlite3_step(set) != SQLITE_DONE)
			rc = sqlite_fail(n->inst, n->db, n->err, "keeping what takes the run back");
		sqlite3_reset(set);
	}
	if (!rc && step != SQLITE_DONE)
		rc = sqlite_fail(n->inst, n->db, n->err, "reading back what was written");
	sqlite3_finalize(rows);
	sqlite3_finalize(set);
	etl_text_free(&sql);
	etl_text_free(&update);
	return rc;
}

/* Rows of the target joined to the undo table by the names in QUOTED. */
static int keep_rows(struct into *n, struct kept *k)
{
	const struct etl_load *load = n->load;
	struct etl_text from = { 0 }, on = { 0 };
	size_t i;
	int rc;

	k->undo = "rows";
	/* Under names that no column of the table has. */
	etl_text_add(&from, "(SELECT rowid AS \"etlrun.at\"");
	for (i = 0; i < load->key_count; i++) {
		etl_text_addf(&from, ", k%zu AS \"etlrun.%zu\"", i, i);
		etl_text_add(&k->detail, i ? ", " : "");
		etl_text_add_name(&k->detail, load->key[i], '"');
		etl_text_add(&on, i ? " AND t." : "WHERE t.");
		etl_text_add_name(&on, load->key[i], '"');
		etl_text_addf(&on, " = u.\"etlrun.%zu\"", i);
	}
	etl_text_add(&from, " FROM ");
	add_undo_name(&from, load);
	etl_text_add(&from, " WHERE op <> 'd') AS u CROSS JOIN");
	rc = from.failed || on.failed ? into_no_memory(n) : digest_where(n, k, from.at, on.at);
	if (!rc)
		rc = keep_digests(n, k, from.at, on.at);
	etl_text_free(&from);
	etl_text_free(&on);
	return rc;
}

/* ---- Append ------------------------------------------------------------------------------------------------------ */

static bool has_row_column(const struct etl_load *load)
{
	const char *row = into_row(load);

	return into_find(load->table, row) != NULL;
}

/* Before the rows: the largest rowid that is there, above which new ones are given. */
int undo_before(struct into *n)
{
	const char *rowid = n->load->existing ? into_rowid(n->load) : NULL;
	struct etl_text sql = { 0 };
	int64_t most = INT64_MIN;
	int rc;

	if (!n->load->existing || into_merges(n->load) || n->load->existing->flags & ETL_NO_ROWID ||
	    has_row_column(n->load))
		return ETL_OK;
	/* The alias that does not come is a rowid too. */
	etl_text_addf(&sql, "SELECT coalesce(max(%s), 0) FROM ", rowid ? rowid : "rowid");
	into_add_table(&sql, "main", n->load);
	rc = sql.failed ? into_no_memory(n) :
			  sqlite_number(n->inst, n->db, sql.at, 0, &most, n->err);
	etl_text_free(&sql);
	n->most[n->at] = (struct into_most){ !rc, most };
	return rc;
}

/* Runs of numbers without a gap, "1-5,7-7"; *RET_MANY: there are too many of them. */
static int find_ranges(struct into *n, struct kept *k, const char *sql, bool *ret_many)
{
	sqlite3_stmt *stmt = NULL;
	int64_t first = 0, last = 0;
	size_t count = 0;
	int step, rc = sqlite_prepare(n->inst, n->db, sql, &stmt, n->err);

	if (rc)
		return rc;
	while ((step = sqlite3_step(stmt)) == SQLITE_ROW && count <= RANGES_MOST) {
		int64_t at = sqlite3_column_int64(stmt, 0);

		if (count && last < INT64_MAX && at == last + 1) {
			last = at;
			continue;
		}
		if (count)
			etl_text_addf(&k->detail, "%lld-%lld,", (long long)first, (long long)last);
		first = last = at;
		count++;
	}
	if (count)
		etl_text_addf(&k->detail, "%lld-%lld", (long long)first, (long long)last);
	*ret_many = count > RANGES_MOST;
	if (step != SQLITE_DONE && step != SQLITE_ROW)
		rc = sqlite_fail(n->inst, n->db, n->err, "looking at the rows that were added");
	sqlite3_finalize(stmt);
	return rc;
}

static const char *row_name(const struct etl_load *load)
{
	const char *rowid = into_rowid(load);

	return has_row_column(load) ? into_row(load) : rowid ? rowid : "rowid";
}

static int digest_ranges(struct into *n, struct kept *k, const char *row)
{
	const char *at;
	char *end;
	int rc = ETL_OK;

	for (at = k->detail.at; !rc && at && *at; at = *end ? end + 1 : end) {
		long long first = strtoll(at, &end, 10), last = strtoll(end + 1, &end, 10);
		struct etl_text condition = { 0 };

		etl_text_add(&condition, "WHERE t.");
		etl_text_add_name(&condition, row, '"');
		etl_text_addf(&condition, " BETWEEN %lld AND %lld", first, last);
		rc = condition.failed ? into_no_memory(n) : digest_where(n, k, "", condition.at);
		etl_text_free(&condition);
	}
	return rc;
}

/* By what tells its rows: KEY, of the columns that come. */
static int keep_keys(struct into *n, struct kept *k, const char *const *key, size_t count)
{
	const struct etl_load *load = n->load;
	struct etl_load by_key = *load;
	struct etl_text sql = { 0 };
	size_t i;
	int rc;

	by_key.key = key;
	by_key.key_count = count;
	for (i = 0; i < count; i++) {
		if (!into_find(load->table, key[i]))
			return ETL_OK;
	}
	if (n->commit->outcomes[n->at].inserted == 0)
		return ETL_OK;
	add_create(&sql, &by_key, count);
	etl_text_add(&sql, ";\nINSERT INTO ");
	add_undo_name(&sql, load);
	etl_text_add(&sql, " (op");
	for (i = 0; i < count; i++)
		etl_text_addf(&sql, ", k%zu", i);
	etl_text_add(&sql, ") SELECT 'i', ");
	into_add_key(&sql, &by_key, "");
	etl_text_add(&sql, " FROM ");
	into_add_table(&sql, "staged", load);
	rc = sql.failed ? into_no_memory(n) : into_run(n, sql.at);
	etl_text_free(&sql);
	n->load = &by_key;
	if (!rc)
		rc = keep_rows(n, k);
	n->load = load;
	return rc;
}

static int keep_ranges(struct into *n, struct kept *k)
{
	const char *row = row_name(n->load);
	struct etl_text sql = { 0 };
	bool many = false;
	int rc;

	k->undo = "ranges";
	etl_text_add(&sql, "SELECT ");
	etl_text_add_name(&sql, row, '"');
	etl_text_add(&sql, " FROM ");
	into_add_table(&sql, n->most[n->at].known ? "main" : "staged", n->load);
	if (n->most[n->at].known)
		etl_text_addf(&sql, " WHERE \"%s\" > %lld", row, (long long)n->most[n->at].rowid);
	etl_text_add(&sql, " ORDER BY 1");
	rc = sql.failed ? into_no_memory(n) : find_ranges(n, k, sql.at, &many);
	etl_text_free(&sql);
	if (!rc && many && has_row_column(n->load)) {
		etl_text_free(&k->detail);
		return keep_keys(n, k, &row, 1);
	}
	if (!rc)
		rc = digest_ranges(n, k, row);
	/* Something else added rows too, a trigger: which are the run's is not known. */
	if (!rc && (uint64_t)k->rows != n->commit->outcomes[n->at].inserted)
		k->undo = NULL;
	return rc;
}

int undo_after(struct into *n)
{
	const struct etl_load *load = n->load;
	const struct etl_run *run = n->commit->run;
	struct kept k = { 0 };
	int rc = undo_columns(n->inst, n->db, load->table->name, &k.columns, &k.column_count,
			      n->err);

	if (rc || !load->existing)
		rc = rc ? rc : keep_table(n, &k);
	else if (run->flags & ETL_RUN_SCHEMA_ONLY)
		k.undo = NULL;
	else if (into_merges(load))
		rc = run->flags & ETL_RUN_UNDO ? keep_rows(n, &k) : ETL_OK;
	else if (n->most[n->at].known || has_row_column(load))
		rc = keep_ranges(n, &k);
	else
		rc = keep_keys(n, &k, load->existing->primary.columns,
			       load->existing->primary.column_count);
	if (!rc && (k.detail.failed || k.columns.failed))
		rc = into_no_memory(n);
	if (!rc)
		rc = keep(n, &k);
	etl_text_free(&k.detail);
	etl_text_free(&k.columns);
	return rc;
}

/* ---- Old ones ------------------------------------------------------------------------------------------------------ */

int undo_prune(struct etl_instance *inst, sqlite3 *db, const char *pipeline, struct etl_error *err)
{
	sqlite3_stmt *stmt = NULL;
	struct etl_text sql = { 0 };
	char query[512];
	int step = SQLITE_DONE, rc;

	sqlite3_snprintf(
		sizeof(query), query,
		"SELECT l.run, l.load FROM main._etlrun_loads l JOIN main._etlrun_runs r ON r.run "
		"= l.run WHERE r.pipeline = ?1 AND l.undo = 'rows' AND r.number NOT IN (SELECT "
		"number FROM main._etlrun_runs WHERE pipeline = ?1 ORDER BY number DESC LIMIT %d)",
		UNDO_RUNS);
	rc = sqlite_prepare(inst, db, query, &stmt, err);
	if (rc)
		return rc;
	sqlite3_bind_text(stmt, 1, pipeline, -1, SQLITE_STATIC);
	while ((step = sqlite3_step(stmt)) == SQLITE_ROW) {
		const char *run = (const char *)sqlite3_column_text(stmt, 0);
		long long load = sqlite3_column_int64(stmt, 1);

		etl_text_addf(&sql, "DROP TABLE IF EXISTS main.\"_etlrun_undo_%s_%lld\";\n", run,
			      load);
		etl_text_addf(
			&sql,
			"UPDATE main._etlrun_loads SET undo = NULL WHERE run = '%s' AND load = "
			"%lld;\n",
			run, load);
	}
	if (step != SQLITE_DONE)
		rc = sqlite_fail(inst, db, err, "looking for what old runs keep");
	sqlite3_finalize(stmt);
	if (!rc && sql.failed)
		rc = inst->host->fail(err, ETL_MEMORY, NULL, 0, "%s: no memory", inst->path);
	if (!rc && sql.at)
		rc = sqlite_run(inst, db, sql.at, err);
	etl_text_free(&sql);
	return rc;
}
