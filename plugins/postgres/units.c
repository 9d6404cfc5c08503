/*
 * Which pieces of work are done: each has a name of its own, which is written down by the transaction that did it. So
 * a process that comes later sees it there, or not, whatever else was done meanwhile.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "stage.h"

/* Of no run before and of no other instance. */
static int name_unit(struct etl_instance *inst, char *ret, size_t size, struct etl_error *err)
{
	uint64_t bits;

	if (getentropy(&bits, sizeof(bits)) != 0)
		return inst->host->fail(err, ETL_MEMORY, NULL, 0,
					"the system gives no random numbers");
	snprintf(ret, size, "%016llx", (unsigned long long)bits);
	return ETL_OK;
}

/* "STAGE UNIT": the work may take place in another stage of the run. */
int postgres_mark(struct etl_instance *inst, const struct etl_token *stage, struct etl_token *ret,
		  struct etl_error *err)
{
	char unit[24];
	int rc = name_unit(inst, unit, sizeof(unit), err);

	if (rc < 0)
		return rc;
	snprintf(inst->unit, sizeof(inst->unit), "%.*s %s", POSTGRES_NAME_MAX, stage->text, unit);
	snprintf(ret->text, sizeof(ret->text), "%s", inst->unit);
	return ETL_OK;
}

static const char *split_unit(const char *mark, char *stage)
{
	const char *space = strrchr(mark, ' ');

	if (!space || space - mark > POSTGRES_NAME_MAX)
		return NULL;
	memcpy(stage, mark, (size_t)(space - mark));
	stage[space - mark] = '\0';
	return stage_is_name(stage) ? space + 1 : NULL;
}

int units_note(struct etl_instance *inst, struct etl_error *err)
{
	char stage[POSTGRES_NAME_MAX + 1];
	const char *unit = split_unit(inst->unit, stage);
	struct etl_text sql = { 0 };

	if (!unit)
		return ETL_OK;
	etl_text_add(&sql, "INSERT INTO ");
	postgres_add_name(&sql, stage, "_etlrun_units");
	etl_text_addf(&sql, " VALUES ('%s')", unit);
	return postgres_run_text(inst, err, &sql);
}

/* By an attempt to write it down too: that waits for a transaction that has done so and is not at its end, because the
 * connection was lost in its COMMIT. */
static int is_done(struct etl_instance *inst, const char *stage, const char *unit, bool *ret,
		   struct etl_error *err)
{
	struct etl_text sql = { 0 };
	uint64_t count = 0;
	int rc = postgres_run(inst, err, "BEGIN");

	if (rc < 0)
		return rc;
	etl_text_add(&sql, "INSERT INTO ");
	postgres_add_name(&sql, stage, "_etlrun_units");
	etl_text_add(&sql, " VALUES ($1) ON CONFLICT DO NOTHING");
	rc = sql.failed ? postgres_no_memory(inst, err) :
			  postgres_change(inst, err, &count, sql.at, 1, (const char *const[]){ unit });
	etl_text_free(&sql);
	stage_rollback(inst);
	*ret = count == 0;
	return rc;
}

int postgres_since(struct etl_instance *inst, const struct etl_token *token,
		   const struct etl_token *mark, int32_t *ret, struct etl_error *err)
{
	char stage[POSTGRES_NAME_MAX + 1];
	const char *unit = split_unit(mark->text, stage);
	bool there = false, done = false;
	int rc = stage_take(inst, token, err);

	if (rc == ETL_OK)
		rc = postgres_flag(inst, err, &there,
				   "SELECT EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = "
				   "c.relnamespace WHERE nspname = $1 AND relname = '_etlrun_units')",
				   1, (const char *const[]){ unit ? stage : "" });
	if (rc < 0)
		return rc;
	*ret = ETL_UNKNOWN;
	if (!there) {
		inst->host->log(inst->host, ETL_LOG_INFO,
				"what was staged is made anew: the staging schema \"%s\" is gone",
				token->text);
		return ETL_OK;
	}
	rc = is_done(inst, stage, unit, &done, err);
	if (rc == ETL_OK)
		*ret = done;
	return rc;
}
