/*
 * Which runs a state file remembers: those of the pipeline that the pipeline says (keep_runs), and in any case the newest one, one that
 * is not over, and one that can be taken back.
 */
#include "config.h"

#include "state-parts.h"

static bool has(struct state *s, const char *table)
{
	return sqlite3_table_column_metadata(s->db, NULL, table, NULL, NULL, NULL, NULL, NULL, NULL) == SQLITE_OK;
}

/* What belongs to runs that are no longer there. */
static int sweep(struct state *s, const char *table, struct etl_error *err)
{
	char sql[128];

	sqlite3_snprintf(sizeof(sql), sql, "DELETE FROM \"%w\" WHERE run NOT IN (SELECT id FROM runs)", table);
	return has(s, table) ? state_sql(s, sql, err) : 0;
}

int state_forget_old(struct state *s, const char *pipeline, int64_t runs, int64_t since, struct etl_error *err)
{
	static const char *const tables[] = { "loads", "units", "phases", "prints", "batches" };
	bool gone;
	int rc;

	state_durably(s, false);
	rc = state_sql(s, "BEGIN IMMEDIATE", err);
	if (rc == 0)
		rc = state_write(s, err,
				 "DELETE FROM runs WHERE pipeline = ?1 AND kept IS NULL AND status NOT IN ('" STATE_RUNNING
				 "', '" STATE_INTERRUPTED "', '" STATE_PAUSED "') AND rowid <= (SELECT rowid FROM runs WHERE pipeline = ?1 "
				 "ORDER BY rowid DESC LIMIT 1 OFFSET ?2) AND coalesce(begun, 0) < ?3 AND id NOT IN (SELECT id FROM runs WHERE "
				 "pipeline = ?1 AND status = '" STATE_DONE "' ORDER BY rowid DESC LIMIT 1)",
				 "sii", pipeline, runs > 0 ? runs : 1, since ? since : INT64_MAX);
	gone = rc == 0 && sqlite3_changes(s->db) > 0;
	for (size_t i = 0; rc == 0 && gone && i < sizeof(tables) / sizeof(*tables); i++)
		rc = sweep(s, tables[i], err);
	if (rc == 0)
		rc = state_sql(s, "COMMIT", err);
	if (rc < 0)
		sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
	state_durably(s, true);
	return rc;
}
