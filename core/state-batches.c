/*
 * How far a run that is published in batches has come: a table of its own, so that a state file is that of an older etlrun still.
 */
#include "config.h"

#include "state-parts.h"

static int make(struct state *s, struct etl_error *err)
{
	return state_sql(s,
			 "CREATE TABLE IF NOT EXISTS batches (run TEXT PRIMARY KEY, number INTEGER NOT NULL, batches INTEGER NOT NULL, "
			 "rows INTEGER NOT NULL)",
			 err);
}

int state_run_batch(struct state *s, const char *run, const struct state_batches *b, struct etl_error *err)
{
	int rc = make(s, err);

	if (rc < 0)
		return rc;
	state_durably(s, false);
	rc = state_write(s, err, "INSERT OR REPLACE INTO batches (run, number, batches, rows) VALUES (?1, ?2, ?3, ?4)", "siii", run,
			 b->number, (int64_t)b->count, (int64_t)b->rows);
	state_durably(s, true);
	return rc;
}

int state_batches(struct state *s, const char *run, struct state_batches *ret, struct etl_error *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = 0, step;

	*ret = (struct state_batches){ 0 };
	/* A file that never saw one has no such table. */
	if (sqlite3_table_column_metadata(s->db, NULL, "batches", NULL, NULL, NULL, NULL, NULL, NULL) != SQLITE_OK)
		return 0;
	if (sqlite3_prepare_v2(s->db, "SELECT number, batches, rows FROM batches WHERE run = ?1", -1, &stmt, NULL) != SQLITE_OK)
		return state_fail(s, "read", err);
	sqlite3_bind_text(stmt, 1, run, -1, SQLITE_TRANSIENT);
	step = sqlite3_step(stmt);
	if (step == SQLITE_ROW)
		*ret = (struct state_batches){ sqlite3_column_int64(stmt, 0), (uint64_t)sqlite3_column_int64(stmt, 1),
					       (uint64_t)sqlite3_column_int64(stmt, 2) };
	else if (step != SQLITE_DONE)
		rc = state_fail(s, "read", err);
	sqlite3_finalize(stmt);
	return rc;
}
