/*
 * The journal of one run in the state store: when it entered each phase, the marks of its pieces
 * of work and what was counted in each, and by what the published target is known.
 */
#include "config.h"

#include <string.h>
#include <unistd.h>

#include "state-parts.h"

int state_run_phase(struct state *s, const char *run, const char *phase, struct etl_error *err)
{
	int rc;

	state_durably(s, false);
	rc = state_sql(s, "BEGIN IMMEDIATE", err);
	if (rc == 0)
		rc = state_write(s, err, "UPDATE runs SET phase = ?2 WHERE id = ?1", "ss", run,
				 phase);
	if (rc == 0)
		rc = state_write(s, err,
				 "INSERT INTO phases (run, phase, entered) VALUES (?1, ?2, "
				 "strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))",
				 "ss", run, phase);
	if (rc == 0)
		rc = state_sql(s, "COMMIT", err);
	if (rc < 0)
		sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
	state_durably(s, true);
	return rc;
}

int state_phases(struct state *s, const char *run,
		 int (*each)(const char *phase, const char *entered, void *), void *data,
		 struct etl_error *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = 0, step = SQLITE_DONE;

	if (s->version < 2)
		return 0;
	if (sqlite3_prepare_v2(s->db,
			       "SELECT phase, entered FROM phases WHERE run = ?1 ORDER BY number",
			       -1, &stmt, NULL) != SQLITE_OK)
		return state_fail(s, "read", err);
	sqlite3_bind_text(stmt, 1, run, -1, SQLITE_TRANSIENT);
	while (rc == 0 && (step = sqlite3_step(stmt)) == SQLITE_ROW) {
		const char *phase = (const char *)sqlite3_column_text(stmt, 0);
		const char *entered = (const char *)sqlite3_column_text(stmt, 1);

		rc = each(phase ? phase : "", entered ? entered : "", data);
	}
	if (rc == 0 && step != SQLITE_DONE)
		rc = state_fail(s, "read", err);
	sqlite3_finalize(stmt);
	return rc;
}

/* ---- Pieces of work ---- */

int state_unit_put(struct state *s, const char *run, const struct state_unit *unit,
		   struct etl_error *err)
{
	int rc;

	pthread_mutex_lock(&s->mutex);
	state_durably(s, false);
	rc = state_write(s, err,
			 "INSERT OR REPLACE INTO units (run, kind, number, name, mark, done, data) "
			 "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
			 "siissib", run, (int64_t)unit->kind, unit->number, unit->name,
			 unit->mark.text, (int64_t)unit->done, unit->data,
			 (sqlite3_uint64)unit->size);
	state_durably(s, true);
	pthread_mutex_unlock(&s->mutex);
	return rc;
}

int state_unit_done(struct state *s, const char *run, int32_t kind, int64_t number,
		    const struct etl_token *mark, struct etl_error *err)
{
	int rc;

	pthread_mutex_lock(&s->mutex);
	state_durably(s, false);
	rc = state_write(s, err,
			 "UPDATE units SET done = 1, mark = coalesce(?4, mark) WHERE run = ?1 AND "
			 "kind = ?2 AND number = ?3",
			 "siis", run, (int64_t)kind, number, mark ? mark->text : NULL);
	state_durably(s, true);
	pthread_mutex_unlock(&s->mutex);
	return rc;
}

int state_unit_drop(struct state *s, const char *run, int32_t kind, int64_t number,
		    struct etl_error *err)
{
	int rc;

	pthread_mutex_lock(&s->mutex);
	rc = state_write(s, err, "DELETE FROM units WHERE run = ?1 AND kind = ?2 AND number = ?3",
			 "sii", run, (int64_t)kind, number);
	pthread_mutex_unlock(&s->mutex);
	return rc;
}

int state_units(struct state *s, const char *run, int (*each)(const struct state_unit *, void *),
		void *data, struct etl_error *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = 0, step = SQLITE_DONE;

	if (s->version < 2)
		return 0;
	if (sqlite3_prepare_v2(s->db,
			       "SELECT kind, number, name, mark, done, data FROM units WHERE run = "
			       "?1 ORDER BY kind, number",
			       -1, &stmt, NULL) != SQLITE_OK)
		return state_fail(s, "read", err);
	sqlite3_bind_text(stmt, 1, run, -1, SQLITE_TRANSIENT);
	while (rc == 0 && (step = sqlite3_step(stmt)) == SQLITE_ROW) {
		const char *name = (const char *)sqlite3_column_text(stmt, 2);
		const char *mark = (const char *)sqlite3_column_text(stmt, 3);
		struct state_unit unit = { .kind = sqlite3_column_int(stmt, 0),
					   .number = sqlite3_column_int64(stmt, 1),
					   .name = name ? name : "",
					   .done = sqlite3_column_int(stmt, 4) != 0,
					   .data = sqlite3_column_blob(stmt, 5),
					   .size = (size_t)sqlite3_column_bytes(stmt, 5) };

		snprintf(unit.mark.text, sizeof(unit.mark.text), "%s", mark ? mark : "");
		rc = each(&unit, data);
	}
	if (rc == 0 && step != SQLITE_DONE)
		rc = state_fail(s, "read", err);
	sqlite3_finalize(stmt);
	return rc;
}

/* ---- The run ---- */

int state_run_note(struct state *s, const char *run, const char *column, const char *text,
		   struct etl_error *err)
{
	char sql[64];

	snprintf(sql, sizeof(sql), "UPDATE runs SET %.16s = ?2 WHERE id = ?1", column);
	return state_write(s, err, sql, "ss", run, text);
}

int state_run_sealed(struct state *s, const char *run, const char *seal, int code,
		     struct etl_error *err)
{
	return state_write(s, err, "UPDATE runs SET seal = ?2, exit = ?3 WHERE id = ?1", "ssi", run,
			   seal, (int64_t)code);
}

int state_run_again(struct state *s, const char *run, const char *command, struct etl_error *err)
{
	return state_write(
		s, err,
		"UPDATE runs SET status = '" STATE_RUNNING
		"', pid = ?2, command = ?3, resumed = resumed + 1, ended = NULL, error = NULL "
		"WHERE id = ?1",
		"sis", run, (int64_t)getpid(), command);
}

int state_forget(struct state *s, const char *run, struct etl_error *err)
{
	int rc = state_sql(s, "BEGIN IMMEDIATE", err);

	if (rc == 0)
		rc = state_write(s, err, "DELETE FROM loads WHERE run = ?1", "s", run);
	if (rc == 0)
		rc = state_write(s, err, "DELETE FROM units WHERE run = ?1", "s", run);
	if (rc == 0)
		rc = state_sql(s, "COMMIT", err);
	if (rc < 0)
		sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
	return rc;
}

int state_run_settle(struct state *s, const char *run, const char *status, struct etl_error *err)
{
	int rc = state_write(s, err,
			     "UPDATE runs SET status = ?2, error = NULL, "
			     "ended = coalesce(ended, strftime('%Y-%m-%dT%H:%M:%SZ', 'now')) "
			     "WHERE id = ?1",
			     "ss", run, status);

	return rc < 0 ? rc : state_forget(s, run, err);
}
