/* See state.h. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "state.h"

static const char make[] =
	"BEGIN; SELECT pg_advisory_xact_lock(hashtextextended('etlrun state', 0)); "
	"CREATE SCHEMA IF NOT EXISTS " STAGE_OWN "; "
	"CREATE TABLE IF NOT EXISTS " STAGE_OWN ".runs (run text PRIMARY KEY, pipeline text NOT NULL, "
	"mode text NOT NULL, started timestamptz NOT NULL, published timestamptz NOT NULL DEFAULT "
	"clock_timestamp(), kept text, state jsonb NOT NULL); "
	"ALTER TABLE " STAGE_OWN ".runs ADD COLUMN IF NOT EXISTS taken_back timestamptz; "
	"CREATE TABLE IF NOT EXISTS " STAGE_OWN ".loads (run text NOT NULL, load bigint NOT NULL, kind text NOT NULL, "
	"schema text NOT NULL, name text NOT NULL, how text NOT NULL, xid bigint NOT NULL, inserted bigint NOT NULL, "
	"updated bigint NOT NULL, unchanged bigint NOT NULL, deleted bigint NOT NULL, keys jsonb, again xid[] NOT NULL DEFAULT '{}', PRIMARY KEY (run, "
	"load)); "
	"ALTER TABLE " STAGE_OWN ".loads ADD COLUMN IF NOT EXISTS relation oid; "
	"ALTER TABLE " STAGE_OWN ".loads ADD COLUMN IF NOT EXISTS oldest bigint, ADD COLUMN IF NOT EXISTS shape text; "
	"CREATE TABLE IF NOT EXISTS " STAGE_OWN ".batches (run text NOT NULL, pipeline text NOT NULL, batch bigint NOT NULL, load "
	"bigint NOT NULL, schema text NOT NULL, name text NOT NULL, inserted bigint NOT NULL, updated bigint NOT NULL, unchanged bigint "
	"NOT NULL, deleted bigint NOT NULL, next text NOT NULL, published timestamptz NOT NULL DEFAULT clock_timestamp(), PRIMARY KEY "
	"(run, batch, load)); COMMIT";

static int is_there(struct etl_instance *inst, bool *ret, struct etl_error *err)
{
	return postgres_flag(inst, err, ret,
			     "SELECT EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = "
			     "c.relnamespace WHERE n.nspname = '_etlrun' AND c.relname = 'loads')",
			     0, NULL);
}

/* By what came last. */
int state_is_whole(struct etl_instance *inst, bool *ret, struct etl_error *err)
{
	return postgres_flag(inst, err, ret,
			     "SELECT EXISTS (SELECT FROM pg_catalog.pg_attribute WHERE attrelid = "
			     "to_regclass('_etlrun.batches') AND attname = 'published')",
			     0, NULL);
}

int state_prepare(struct etl_instance *inst, struct etl_error *err)
{
	return stage_make_own(inst, state_is_whole, make, err);
}

int state_is_published(struct etl_instance *inst, const char *run, bool *ret, struct etl_error *err)
{
	bool there = false;
	int rc = is_there(inst, &there, err);

	if (rc < 0)
		return rc;
	if (there)
		return postgres_flag(inst, err, ret,
				     "SELECT EXISTS (SELECT FROM " STAGE_OWN ".runs WHERE run = $1)", 1,
				     (const char *const[]){ run });
	*ret = false;
	return ETL_OK;
}

/* The next run reads what is kept. One that can be taken back is none of the old. */
static int forget_old(struct etl_instance *inst, const struct etl_run *run, struct etl_error *err)
{
	char most[24], since[24];

	snprintf(most, sizeof(most), "%lld", (long long)(run->keep_runs > 0 ? run->keep_runs : 1));
	snprintf(since, sizeof(since), "%lld", (long long)(run->keep_since ? run->keep_since : INT64_MAX));
	return postgres_change(inst, err, NULL,
			       "WITH old AS (DELETE FROM " STAGE_OWN ".runs AS r WHERE run IN (SELECT run FROM " STAGE_OWN
			       ".runs WHERE pipeline = $1 ORDER BY published DESC, run DESC OFFSET $2::bigint) AND extract(epoch FROM published) "
			       "* 1000000 < $3::numeric AND kept IS NULL AND NOT EXISTS (SELECT FROM " STAGE_OWN
			       ".loads AS l WHERE l.run = r.run AND l.keys IS NOT NULL) RETURNING run) "
			       "DELETE FROM " STAGE_OWN ".loads WHERE run IN (SELECT run FROM old)",
			       3, (const char *const[]){ run->pipeline, most, since });
}

int postgres_state_write(struct etl_instance *inst, const struct etl_commit *commit, const char *kept,
		struct etl_error *err)
{
	static const char *const modes[] = { "copy", "append", "merge", "sync" };
	char started[32];
	int rc;

	snprintf(started, sizeof(started), "%lld", (long long)commit->run->started);
	rc = postgres_change(inst, err, NULL,
			       "INSERT INTO " STAGE_OWN ".runs (run, pipeline, mode, started, kept, state) "
			       "VALUES ($1, $2, $3, 'epoch'::timestamptz + interval '1 microsecond' * "
			       "$4::bigint, $5, $6::jsonb)",
			       6,
			       (const char *const[]){ commit->run->id, commit->run->pipeline,
						      modes[commit->run->flags & ETL_RUN_CHANGES ? ETL_SYNC : commit->run->mode], started,
						      *kept ? kept : NULL, commit->state });
	return rc < 0 ? rc : forget_old(inst, commit->run, err);
}

void state_put_outcome(const struct etl_commit *commit, const PGresult *loads, int row)
{
	for (size_t i = 0; i < commit->load_count; i++) {
		if (commit->loads[i]->index != (uint64_t)postgres_int_at(loads, row, 0))
			continue;
		commit->outcomes[i].inserted = (uint64_t)postgres_int_at(loads, row, 1);
		commit->outcomes[i].updated = (uint64_t)postgres_int_at(loads, row, 2);
		commit->outcomes[i].unchanged = (uint64_t)postgres_int_at(loads, row, 3);
		commit->outcomes[i].deleted = (uint64_t)postgres_int_at(loads, row, 4);
	}
}

int state_read(struct etl_instance *inst, const struct etl_commit *commit, struct etl_error *err)
{
	PGresult *loads = NULL;
	int rc = postgres_query(inst, err, &loads,
				"SELECT l.load, l.inserted, l.updated, l.unchanged, l.deleted, r.kept FROM " STAGE_OWN
				".runs AS r LEFT JOIN " STAGE_OWN ".loads AS l USING (run) WHERE r.run = $1",
				1, (const char *const[]){ commit->run->id });

	for (int i = 0; rc == ETL_OK && i < PQntuples(loads); i++) {
		if (postgres_at(loads, i, 0))
			state_put_outcome(commit, loads, i);
		if (postgres_at(loads, i, 5))
			snprintf(commit->kept->text, sizeof(commit->kept->text), "%s",
				 postgres_at(loads, i, 5));
	}
	PQclear(loads);
	return rc;
}

int postgres_recall(struct etl_instance *inst, const char *pipeline, struct etl_state_sink *sink,
		    struct etl_error *err)
{
	PGresult *runs = NULL;
	bool there = false;
	int rc = is_there(inst, &there, err);

	if (rc < 0 || !there)
		return rc;
	rc = postgres_query(inst, err, &runs,
			    "SELECT run, state FROM " STAGE_OWN ".runs WHERE pipeline = $1 AND taken_back IS NULL ORDER BY "
			    "published DESC, run DESC",
			    1, (const char *const[]){ pipeline });
	for (int i = 0; rc == ETL_OK && i < PQntuples(runs); i++)
		rc = sink->emit(sink, PQgetvalue(runs, i, 0), PQgetvalue(runs, i, 1));
	PQclear(runs);
	return rc;
}
