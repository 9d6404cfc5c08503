/*
 * Rows that were refused after they were staged. Where such a row came from is not known then: the target keeps
 * no ordinals. So their lines wait in a temporary database, and each row is found by its hash: among those that were kept while
 * the rows were loaded (origins.h), in a sync where it remembers how its rows stand, and else the source is read once more
 * through the same transforms; of equal rows the last ones are those that fell. A row that the target keeps in a form of its own (a jsonb, a padded text) is read back with
 * another hash: it is found by its key. All of it is on disk: millions of rows need no memory.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <etlrun/helpers.h>

#include "batch.h"
#include "changes.h"
#include "flow.h"
#include "reject-parts.h"

static int fail(const struct rejects *r, struct etl_error *err)
{
	return error_set(err, ETL_MEMORY,
			 "the rows that were found wrong after the load cannot be kept for the "
			 "rejects file: %s",
			 r->screened ? sqlite3_errmsg(r->screened) : "no memory");
}

static int run_sql(struct rejects *r, const char *sql, struct etl_error *err)
{
	return sqlite3_exec(r->screened, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : fail(r, err);
}

static int prepare(struct rejects *r, const char *sql, sqlite3_stmt **ret, struct etl_error *err)
{
	return sqlite3_prepare_v2(r->screened, sql, -1, ret, NULL) == SQLITE_OK ? 0 : fail(r, err);
}

/* One row of three numbers. */
static int put(struct rejects *r, sqlite3_stmt *stmt, int64_t a, int64_t b, int64_t c,
	       struct etl_error *err)
{
	int rc;

	sqlite3_bind_int64(stmt, 1, a);
	sqlite3_bind_int64(stmt, 2, b);
	sqlite3_bind_int64(stmt, 3, c);
	rc = sqlite3_step(stmt) == SQLITE_DONE ? 0 : fail(r, err);
	sqlite3_reset(stmt);
	return rc;
}

/* ---- Keeping ---- */

static int open_store(struct rejects *r, struct etl_error *err)
{
	if (r->screened)
		return 0;
	if (sqlite3_open("", &r->screened) != SQLITE_OK)
		return fail(r, err);
	return run_sql(
		r,
		"PRAGMA cache_size = -8000; BEGIN;"
		"CREATE TABLE row (n INTEGER PRIMARY KEY, job INTEGER, hash INTEGER, key INTEGER, tail TEXT);"
		"CREATE TABLE place (hash INTEGER, split INTEGER, ordinal INTEGER);"
		"CREATE TABLE near (key INTEGER, split INTEGER, ordinal INTEGER);"
		"CREATE TABLE fell (key INTEGER, back INTEGER, hash INTEGER, PRIMARY KEY (key, back)) WITHOUT ROWID;"
		"CREATE TABLE stood (key INTEGER, back INTEGER, split INTEGER, ordinal INTEGER, PRIMARY KEY (key, back)) "
		"WITHOUT ROWID;"
		"CREATE TABLE seen (hash INTEGER, back INTEGER, split INTEGER, ordinal INTEGER, "
		"PRIMARY KEY (hash, back)) WITHOUT ROWID;"
		"CREATE TABLE gone (split INTEGER, ordinal INTEGER, hash INTEGER, PRIMARY KEY "
		"(split, "
		"ordinal)) WITHOUT ROWID",
		err);
}

int screened_add(struct rejects *r, const struct job *job, uint64_t hash, uint64_t key,
		 const struct etl_text *tail, struct etl_error *err)
{
	sqlite3_stmt *put;
	int rc = open_store(r, err);

	if (rc == 0 && !r->screened_put)
		rc = prepare(r, "INSERT INTO row (job, hash, tail, key) VALUES (?1, ?2, ?3, ?4)",
			     &r->screened_put, err);
	if (rc < 0)
		return rc;
	put = r->screened_put;
	sqlite3_bind_int64(put, 1, (int64_t)job->index);
	sqlite3_bind_int64(put, 2, (int64_t)hash);
	sqlite3_bind_text64(put, 3, tail->at, tail->length, SQLITE_STATIC, SQLITE_UTF8);
	/* Without a key it is the whole row's hash, which says nothing more. */
	if (job->key_count)
		sqlite3_bind_int64(put, 4, (int64_t)key);
	rc = sqlite3_step(put) == SQLITE_DONE ? 0 : fail(r, err);
	sqlite3_reset(put);
	sqlite3_clear_bindings(put);
	return rc;
}

int screened_last(struct rejects *r, int64_t *ret, struct etl_error *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc;

	*ret = 0;
	if (!r->screened)
		return 0;
	rc = prepare(r, "SELECT max(n) FROM row", &stmt, err);
	if (rc == 0 && sqlite3_step(stmt) == SQLITE_ROW)
		*ret = sqlite3_column_int64(stmt, 0);
	else if (rc == 0)
		rc = fail(r, err);
	sqlite3_finalize(stmt);
	return rc;
}

int screened_cut(struct rejects *r, int64_t last, struct etl_error *err)
{
	char sql[80];

	snprintf(sql, sizeof(sql), "DELETE FROM row WHERE n > %" PRId64, last);
	return r->screened ? run_sql(r, sql, err) : 0;
}

void screened_close(struct rejects *r)
{
	sqlite3_finalize(r->screened_put);
	r->screened_put = NULL;
	sqlite3_close(r->screened);
	r->screened = NULL;
}

/* ---- Looking for them in the source ---- */

#define FILTER_BITS (1 << 20)

struct seeking {
	struct rejects *r;
	const struct flow_setup *flow;
	struct job *job;
	sqlite3_stmt *is_row, *has_key, *is_gone, *found, *near;
	struct canon *canon;
	uint64_t *keys, *rows;
	int64_t room;
	bool any_gone; /* the target refused some as they came */
	uint8_t *filter; /* FILTER_BITS: a number whose bit is not set is the hash or key of none of the rows */
	struct etl_error *err;
};

static bool has(sqlite3_stmt *stmt, int64_t a, int64_t b)
{
	bool found;

	sqlite3_bind_int64(stmt, 1, a);
	sqlite3_bind_int64(stmt, 2, b);
	found = sqlite3_step(stmt) == SQLITE_ROW;
	sqlite3_reset(stmt);
	return found;
}

static void set_bit(uint8_t *filter, uint64_t hash)
{
	filter[hash % FILTER_BITS / 8] |= (uint8_t)(1 << hash % 8);
}

static bool may_be(const struct seeking *s, uint64_t hash)
{
	return s->filter[hash % FILTER_BITS / 8] & 1 << hash % 8;
}

/* Most rows of the source are none of those that fell, and are not worth a look into the database. */
static int fill_filter(struct seeking *s)
{
	sqlite3_stmt *stmt = NULL;
	int rc = prepare(s->r, "SELECT hash, key FROM row WHERE job = ?1", &stmt, s->err), step = SQLITE_DONE;

	if (rc == 0 && !(s->filter = calloc(FILTER_BITS / 8, 1)))
		rc = error_memory(s->err);
	if (rc == 0)
		sqlite3_bind_int64(stmt, 1, (int64_t)s->job->index);
	while (rc == 0 && (step = sqlite3_step(stmt)) == SQLITE_ROW) {
		set_bit(s->filter, (uint64_t)sqlite3_column_int64(stmt, 0));
		if (sqlite3_column_type(stmt, 1) != SQLITE_NULL)
			set_bit(s->filter, (uint64_t)sqlite3_column_int64(stmt, 1));
	}
	if (rc == 0 && step != SQLITE_DONE)
		rc = fail(s->r, s->err);
	sqlite3_finalize(stmt);
	return rc;
}

static int look_at_row(struct seeking *s, uint64_t key, uint64_t row, uint64_t split, int64_t ordinal)
{
	int64_t job = (int64_t)s->job->index;
	bool same = may_be(s, row) && has(s->is_row, job, (int64_t)row);

	if (!same && !(may_be(s, key) && has(s->has_key, job, (int64_t)key)))
		return 0;
	if (s->any_gone && has(s->is_gone, (int64_t)split, ordinal))
		return 0;
	return same ? put(s->r, s->found, (int64_t)row, (int64_t)split, ordinal, s->err) :
		      put(s->r, s->near, (int64_t)key, (int64_t)split, ordinal, s->err);
}

static int look_at_place(void *data, const struct changes_place *place)
{
	return look_at_row(data, place->key, place->row, place->split, place->ordinal);
}

static int look_at(struct seeking *s, const struct ArrowArray *batch, uint64_t split)
{
	const int64_t *ordinals = batch_int64(batch->children[batch->n_children - 1]);
	int rc = 0;

	if (batch->length > s->room) {
		free(s->keys);
		free(s->rows);
		s->keys = malloc((size_t)batch->length * sizeof(uint64_t));
		s->rows = malloc((size_t)batch->length * sizeof(uint64_t));
		s->room = s->keys && s->rows ? batch->length : 0;
	}
	if (!s->room || !canon_batch(s->canon, batch, s->keys, s->rows))
		return error_memory(s->err);
	for (int64_t i = 0; i < batch->length && rc == 0; i++)
		rc = look_at_row(s, s->keys[i], s->rows[i], split, ordinals[i]);
	return rc;
}

static int look_through(struct seeking *s, struct ArrowArrayStream *stream, uint64_t split)
{
	int rc = 0;

	while (rc == 0) {
		struct ArrowArray batch = { 0 };
		int code = host_canceled() ? ECANCELED : stream->get_next(stream, &batch);

		if (code)
			return host_canceled() ? ETL_CANCELED :
			       s->err->set     ? ETL_FAILED :
						 error_set(s->err, ETL_FATAL,
							   "reading \"%s\" again: %s",
							   job_source_name(s->job), strerror(code));
		if (!batch.release)
			return 0;
		if (batch.length > 0)
			rc = look_at(s, &batch, split);
		batch.release(&batch);
	}
	return rc;
}

static int seek_split(struct seeking *s, size_t split)
{
	struct etl_context context = {
		.job = s->job, .split = split, .side = SIDE_SOURCE, .err = s->err
	};
	struct ArrowArrayStream stream = { 0 };
	struct ArrowSchema schema = { 0 };
	int rc = flow_open(s->flow, s->job, s->flow->source, &s->job->splits[split].split, &context,
			   &stream, s->err);

	if (rc == 0 && stream.get_schema(&stream, &schema) == 0)
		s->canon = job_canon(s->job, &schema, ETL_HASH_X1);
	if (rc == 0 && !s->canon)
		rc = error_memory(s->err);
	if (rc == 0)
		rc = look_through(s, &stream, split);
	if (schema.release)
		schema.release(&schema);
	if (stream.release)
		stream.release(&stream);
	canon_free(s->canon);
	s->canon = NULL;
	context_clear(&context);
	return rc;
}

/* No row is left whose place is not known by now. */
static int none_left(struct seeking *s, bool *ret)
{
	sqlite3_stmt *stmt = NULL;
	int rc = prepare(s->r, "SELECT 1 FROM row WHERE job = ?1 AND hash NOT IN (SELECT hash FROM place)", &stmt, s->err), step;

	if (rc < 0)
		return rc;
	sqlite3_bind_int64(stmt, 1, (int64_t)s->job->index);
	step = sqlite3_step(stmt);
	*ret = step == SQLITE_DONE;
	if (step != SQLITE_DONE && step != SQLITE_ROW)
		rc = fail(s->r, s->err);
	sqlite3_finalize(stmt);
	return rc;
}

/* Those that were kept while the rows were loaded. *RET: they had every place. */
static int look_at_kept(struct seeking *s, bool *ret)
{
	size_t splits = 0;
	int rc = 0;

	for (const struct origins *o = s->job->origins; o; o = o->next)
		splits += o->whole;
	if (splits != s->job->split_count)
		return 0;
	for (const struct origins *o = s->job->origins; o; o = o->next)
		for (size_t i = 0; rc == 0 && i < o->count; i++)
			if (may_be(s, o->at[i].row))
				rc = look_at_row(s, 0, o->at[i].row, o->split, o->at[i].ordinal);
	return rc == 0 ? none_left(s, ret) : rc;
}

static int look_into_source(struct seeking *s)
{
	bool all = false;
	int rc = look_at_kept(s, &all);

	if (rc == 0 && !all)
		rc = run_sql(s->r, "DELETE FROM place; DELETE FROM near", s->err);
	for (size_t i = 0; i < s->job->split_count && !all && rc == 0; i++)
		rc = seek_split(s, i);
	return rc;
}

/* Rows that no hash found have the places of rows with their keys; of several the last, as of equal rows. */
static int place_by_key(struct seeking *s)
{
	sqlite3_stmt *stmt = NULL;
	int rc = run_sql(s->r,
			 "DELETE FROM fell; DELETE FROM stood; INSERT INTO stood SELECT key, row_number() OVER (PARTITION BY key "
			 "ORDER BY split DESC, ordinal DESC), split, ordinal FROM near",
			 s->err);

	if (rc == 0)
		rc = prepare(s->r,
			     "INSERT INTO fell SELECT key, row_number() OVER (PARTITION BY key ORDER BY n DESC), hash FROM row "
			     "WHERE job = ?1 AND key IS NOT NULL AND hash NOT IN (SELECT hash FROM place)",
			     &stmt, s->err);
	if (rc < 0)
		return rc;
	sqlite3_bind_int64(stmt, 1, (int64_t)s->job->index);
	rc = sqlite3_step(stmt) == SQLITE_DONE ? 0 : fail(s->r, s->err);
	sqlite3_finalize(stmt);
	if (rc == 0)
		rc = run_sql(s->r, "INSERT INTO place SELECT hash, split, ordinal FROM fell JOIN stood USING (key, back)", s->err);
	return rc;
}

static int seek(struct seeking *s)
{
	int rc = run_sql(s->r, "DELETE FROM place; DELETE FROM near; DELETE FROM gone", s->err);
	int before = sqlite3_total_changes(s->r->screened);
	sqlite3_stmt *gone = NULL;

	if (rc == 0)
		rc = prepare(s->r, "INSERT OR IGNORE INTO gone VALUES (?1, ?2, ?3)", &gone, s->err);
	if (rc == 0)
		rc = spool_gone(s->r, s->job, gone, s->err);
	sqlite3_finalize(gone);
	s->any_gone = rc == 0 && sqlite3_total_changes(s->r->screened) > before;
	if (rc == 0)
		rc = prepare(s->r, "SELECT 1 FROM row WHERE job = ?1 AND hash = ?2", &s->is_row,
			     s->err);
	if (rc == 0)
		rc = prepare(s->r, "SELECT 1 FROM row WHERE job = ?1 AND key = ?2", &s->has_key,
			     s->err);
	if (rc == 0)
		rc = prepare(s->r, "SELECT 1 FROM gone WHERE split = ?1 AND ordinal = ?2",
			     &s->is_gone, s->err);
	if (rc == 0)
		rc = prepare(s->r, "INSERT INTO place VALUES (?1, ?2, ?3)", &s->found, s->err);
	if (rc == 0)
		rc = prepare(s->r, "INSERT INTO near VALUES (?1, ?2, ?3)", &s->near, s->err);
	if (rc == 0)
		rc = fill_filter(s);
	if (rc == 0 && s->job->changes)
		rc = changes_each_place(s->job, look_at_place, s, s->err);
	/* The rows of a transform that does not repeat cannot be made again: their places stay null. */
	if (rc == 0 && !s->job->changes && s->job->repeats)
		rc = look_into_source(s);
	if (rc == 0)
		rc = place_by_key(s);
	sqlite3_finalize(s->is_row);
	sqlite3_finalize(s->has_key);
	sqlite3_finalize(s->is_gone);
	sqlite3_finalize(s->found);
	sqlite3_finalize(s->near);
	free(s->keys);
	free(s->rows);
	free(s->filter);
	return rc;
}

/* ---- Into the spools ---- */

/* STMT: hash, number, split and ordinal. The tails are fetched one by one: to sort them too would write them out once more. */
static int spool_row(struct rejects *r, const struct job *job, sqlite3_stmt *stmt, sqlite3_stmt *tail,
		     struct etl_error *err)
{
	bool known = sqlite3_column_type(stmt, 2) != SQLITE_NULL;
	uint64_t hash = (uint64_t)sqlite3_column_int64(stmt, 0);
	uint64_t split = known ? (uint64_t)sqlite3_column_int64(stmt, 2) : SPLIT_UNKNOWN;
	int64_t ordinal = known ? sqlite3_column_int64(stmt, 3) : ORDINAL_UNKNOWN;
	struct etl_text line = { 0 };
	int rc;

	sqlite3_bind_int64(tail, 1, sqlite3_column_int64(stmt, 1));
	if (sqlite3_step(tail) != SQLITE_ROW)
		return fail(r, err);
	reject_head(r, job, split, ordinal, &line);
	etl_text_add_bytes(&line, sqlite3_column_text(tail, 0),
			   (size_t)sqlite3_column_bytes(tail, 0));
	sqlite3_reset(tail);
	rc = line.failed ? error_memory(err) :
			   spool_add(r, job->index, split, known ? ordinal : 0, &hash, &line, err);
	etl_text_free(&line);
	return rc;
}

/* Of k rows with one hash the last k that the source gave: both sides are counted from behind, and meet. */
#define COUNT_SQL                                                                                  \
	"DELETE FROM seen; INSERT INTO seen SELECT hash, row_number() OVER (PARTITION BY hash "    \
	"ORDER BY split DESC, ordinal DESC) AS back, split, ordinal FROM place"
#define PLACED_SQL                                                                                 \
	"WITH r AS (SELECT n, hash, row_number() OVER (PARTITION BY hash ORDER BY n DESC) "        \
	"AS back FROM row WHERE job = ?1)"                                                         \
	" SELECT r.hash, r.n, s.split, s.ordinal FROM r LEFT JOIN seen AS s ON s.hash = "          \
	"r.hash "                                                                                  \
	"AND s.back = r.back ORDER BY s.split, s.ordinal, r.n"

static int spool_rows(struct rejects *r, const struct job *job, struct etl_error *err)
{
	sqlite3_stmt *stmt = NULL, *tail = NULL;
	int rc = run_sql(r, COUNT_SQL, err), step = SQLITE_DONE;

	if (rc == 0)
		rc = prepare(r, PLACED_SQL, &stmt, err);
	if (rc == 0)
		rc = prepare(r, "SELECT tail FROM row WHERE n = ?1", &tail, err);
	if (rc == 0)
		sqlite3_bind_int64(stmt, 1, (int64_t)job->index);
	while (rc == 0 && (step = sqlite3_step(stmt)) == SQLITE_ROW)
		rc = spool_row(r, job, stmt, tail, err);
	if (rc == 0 && step != SQLITE_DONE)
		rc = fail(r, err);
	sqlite3_finalize(stmt);
	sqlite3_finalize(tail);
	return rc;
}

int rejects_place(struct rejects *r, const struct flow_setup *flow, struct etl_error *err)
{
	/* When all rows are there an index is made faster than it grows with them. */
	int rc = r->screened ? run_sql(r,
				       "CREATE INDEX row_hash ON row (job, hash);"
				       "CREATE INDEX row_key ON row (job, key)",
				       err) :
			       0;

	for (size_t i = 0; r->screened && i < flow->jobs->count && rc == 0; i++) {
		struct job *job = flow->jobs->at[i];
		struct seeking seeking = { .r = r, .flow = flow, .job = job, .err = err };

		if (!job->screened)
			continue;
		rc = seek(&seeking);
		if (rc == 0)
			rc = spool_rows(r, job, err);
	}
	if (rc == 0 && r->screened)
		rc = spool_settle(r, err);
	screened_close(r);
	return rc;
}

int screened_flush(struct rejects *r, const struct jobs *jobs, struct etl_error *err)
{
	int rc = r->screened ? run_sql(r, "DELETE FROM place", err) : 0;

	for (size_t i = 0; r->screened && i < jobs->count && rc == 0; i++)
		if (jobs->at[i]->screened)
			rc = spool_rows(r, jobs->at[i], err);
	screened_close(r);
	return rc;
}
