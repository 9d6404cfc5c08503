/*
 * Who uses a staging schema, and taking away those that nobody uses. A living run holds a lock of the session on its
 * own, so what can be locked is left over; when a process dies, the server ends its session and the lock with it.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "stage.h"

#define WAIT_MOST   300	  /* looks at a lock that a session which is ending has */
#define WAIT_BETWEEN 100000000 /* nanoseconds */
#define AT_ONCE	    500	  /* tables dropped in a transaction, each of which takes several of the server's locks */

#define LOCK_KEY "hashtextextended('etlrun stage ' || $1, 0)"

bool stage_is_name(const char *name)
{
	return strncmp(name, STAGE_PREFIX, strlen(STAGE_PREFIX)) == 0 &&
	       strncmp(name, STAGE_OLD_PREFIX, strlen(STAGE_OLD_PREFIX)) != 0;
}

/* ---- Locks ---------------------------------------------------------------------------------------------------------- */

int stage_try_lock(struct etl_instance *inst, const char *stage, bool *ret, struct etl_error *err)
{
	return postgres_flag(inst, err, ret, "SELECT pg_try_advisory_lock(" LOCK_KEY ")", 1,
			     (const char *const[]){ stage });
}

int stage_unlock(struct etl_instance *inst, const char *stage, struct etl_error *err)
{
	bool done;

	return postgres_flag(inst, err, &done, "SELECT pg_advisory_unlock(" LOCK_KEY ")", 1,
			     (const char *const[]){ stage });
}

int stage_lock(struct etl_instance *inst, const char *stage, struct etl_error *err)
{
	const struct timespec between = { .tv_nsec = WAIT_BETWEEN };
	bool got = false;

	for (int i = 0; i < WAIT_MOST; i++) {
		int rc = stage_try_lock(inst, stage, &got, err);

		if (rc < 0 || got)
			return rc;
		if (inst->host->canceled(inst->host))
			return ETL_CANCELED;
		nanosleep(&between, NULL);
	}
	return inst->host->fail(err, ETL_RETRY_STATEMENT, "55P03", 0,
				"another session works in the staging schema \"%s\"; "
				"when no etlrun runs any more, end it with pg_terminate_backend "
				"(pg_locks shows whose the advisory lock is)",
				stage);
}

/* ---- Dropping --------------------------------------------------------------------------------------------------------- */

/* Views go with the tables they look at. *ret: how many went. */
static int drop_some(struct etl_instance *inst, const char *stage, int *ret, struct etl_error *err)
{
	struct etl_text sql = { 0 };
	PGresult *tables = NULL;
	char most[16];
	int rc;

	snprintf(most, sizeof(most), "%d", AT_ONCE);
	rc = postgres_query(inst, err, &tables,
			    "SELECT c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = "
			    "c.relnamespace WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND "
			    "NOT c.relispartition LIMIT $2",
			    2, (const char *const[]){ stage, most });
	if (rc < 0)
		return rc;
	*ret = PQntuples(tables);
	if (*ret == AT_ONCE) {
		etl_text_add(&sql, "DROP TABLE IF EXISTS ");
		for (int i = 0; i < *ret; i++) {
			etl_text_add(&sql, i ? ", " : "");
			postgres_add_name(&sql, stage, PQgetvalue(tables, i, 0));
		}
		etl_text_add(&sql, " CASCADE");
		rc = postgres_run_text(inst, err, &sql);
	}
	PQclear(tables);
	return rc;
}

int stage_drop(struct etl_instance *inst, const char *stage, struct etl_error *err)
{
	struct etl_text sql = { 0 };
	int count = AT_ONCE, rc = ETL_OK;

	while (rc == ETL_OK && count == AT_ONCE)
		rc = drop_some(inst, stage, &count, err);
	if (rc < 0)
		return rc;
	etl_text_add(&sql, "DROP SCHEMA IF EXISTS ");
	etl_text_add_name(&sql, stage, '"');
	etl_text_add(&sql, " CASCADE");
	return postgres_run_text(inst, err, &sql);
}

/* ---- Sweeping ----------------------------------------------------------------------------------------------------------- */

/* The schema or its table is gone: whoever had it took it away. */
static bool is_gone(const PGresult *result)
{
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);

	return state && (strcmp(state, "42P01") == 0 || strcmp(state, "3F000") == 0);
}

/* Did a run of this pipeline leave it behind? */
static int is_of(struct etl_instance *inst, const struct etl_run *run, const char *stage, bool *ret,
		 struct etl_error *err)
{
	struct etl_text sql = { 0 };
	PGresult *result;

	etl_text_add(&sql, "SELECT EXISTS (SELECT FROM ");
	postgres_add_name(&sql, stage, "_etlrun_stage");
	etl_text_add(&sql, " WHERE pipeline = $1 AND run <> $2)");
	if (sql.failed)
		return postgres_no_memory(inst, err);
	result = PQexecParams(inst->db, sql.at, 2, NULL, (const char *const[]){ run->pipeline, run->id },
			      NULL, NULL, 0);
	etl_text_free(&sql);
	*ret = PQresultStatus(result) == PGRES_TUPLES_OK && postgres_flag_at(result, 0, 0);
	if (PQresultStatus(result) != PGRES_TUPLES_OK && !is_gone(result))
		return postgres_fail(inst, result, err,
				     "looking whose the staging schema \"%s\" is", stage);
	PQclear(result);
	return ETL_OK;
}

static int sweep_one(struct etl_instance *inst, const struct etl_run *run, const char *stage,
		     struct etl_error *err)
{
	bool of = false, got = false;
	int rc = is_of(inst, run, stage, &of, err);

	if (rc == ETL_OK && of)
		rc = stage_try_lock(inst, stage, &got, err);
	if (rc < 0 || !got)
		return rc;
	rc = stage_drop(inst, stage, err);
	if (rc < 0)
		return rc;
	inst->host->log(inst->host, ETL_LOG_INFO,
			"the staging schema \"%s\" was dropped, a run that died left it behind",
			stage);
	return stage_unlock(inst, stage, err);
}

int stage_sweep(struct etl_instance *inst, const struct etl_run *run, struct etl_error *err)
{
	PGresult *stages = NULL;
	int rc = postgres_query(
		inst, err, &stages,
		"SELECT n.nspname FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid "
		"WHERE c.relname = '_etlrun_stage' AND starts_with(n.nspname, $1) AND "
		"has_table_privilege(c.oid, 'SELECT') AND pg_has_role(n.nspowner, 'USAGE')",
		1, (const char *const[]){ STAGE_PREFIX });

	for (int i = 0; rc == ETL_OK && i < PQntuples(stages); i++)
		if (stage_is_name(PQgetvalue(stages, i, 0)))
			rc = sweep_one(inst, run, PQgetvalue(stages, i, 0), err);
	PQclear(stages);
	return rc;
}
