/*
 * What another process asks of the run that is on. Its row is written by that process while the run writes its own, which
 * a database is for; the run looks for it, and the next run forgets what came too late. A table of its own, so that a state
 * file is that of an older etlrun still.
 */
#include "config.h"

#include <string.h>

#include "state-parts.h"

#define LOOK_MS 100 /* the most that looking may wait for a writer */

int state_requests_clear(struct state *s, struct etl_error *err)
{
	return state_sql(s,
			 "CREATE TABLE IF NOT EXISTS requests (run TEXT PRIMARY KEY, wish TEXT NOT NULL);"
			 "DELETE FROM requests",
			 err);
}

static bool hears_requests(struct state *s)
{
	return sqlite3_table_column_metadata(s->db, NULL, "requests", "wish", NULL, NULL, NULL, NULL, NULL) ==
	       SQLITE_OK;
}

int state_request(struct state *s, const char *run, const char *wish, bool *ret, struct etl_error *err)
{
	int rc;

	*ret = false;
	if (!hears_requests(s))
		return error_set(err, ETL_USAGE,
				 "run %s is of an older etlrun, which cannot be asked; end it with a signal to its "
				 "process",
				 run);
	rc = state_write(s, err,
			 "INSERT OR REPLACE INTO requests (run, wish) "
			 "SELECT id, ?2 FROM runs WHERE id = ?1 AND status = '" STATE_RUNNING "'",
			 "ss", run, wish);
	*ret = rc == 0 && sqlite3_changes(s->db) > 0;
	return rc;
}

bool state_request_look(struct state *s, const char *run, char *wish, size_t size)
{
	sqlite3_stmt *stmt = NULL;
	bool found;

	sqlite3_busy_timeout(s->db, LOOK_MS);
	if (sqlite3_prepare_v2(s->db, "SELECT wish FROM requests WHERE run = ?1", -1, &stmt, NULL) != SQLITE_OK)
		return false;
	sqlite3_bind_text(stmt, 1, run, -1, SQLITE_STATIC);
	found = sqlite3_step(stmt) == SQLITE_ROW && sqlite3_column_text(stmt, 0);
	if (found)
		snprintf(wish, size, "%s", (const char *)sqlite3_column_text(stmt, 0));
	sqlite3_finalize(stmt);
	return found;
}
