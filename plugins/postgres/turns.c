/*
 * Splits of one table in the order of the source: where rows may be rejected later because of a key, the first of
 * equal rows stays, and ctids say which one was first. A split waits for those before it, for one whose writer lost
 * its connection too, until that has had time to come again: longer nobody waits for a split that nobody works on,
 * because its table failed.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "load.h"

#define WAIT_BETWEEN  10000000 /* nanoseconds */
/* Milliseconds for which nobody works on the split that is missing: the host pauses for half a minute and a quarter of it at
 * most before it tries again, and then a connection is to be made. */
#define IDLE_MOST     60000

static bool has_unique(const struct etl_table *table)
{
	for (size_t i = 0; i < table->index_count; i++)
		if (ETL_AT(const struct etl_index, table->indexes, table->index_size, i)->flags &
		    ETL_INDEX_UNIQUE)
			return true;
	return table->primary.column_count || table->unique_count;
}

static bool takes_turns(const struct etl_load *load)
{
	return load->run->flags & ETL_RUN_REJECT && has_unique(load->table);
}

/* *ret: the first split before this one that is not there, -1: all are. *IDLE: nobody works on it. */
static int find_missing(struct loading *l, int64_t *ret, bool *idle)
{
	struct etl_text sql = { 0 };
	PGresult *result = NULL;
	int rc;

	etl_text_addf(&sql,
		      "SELECT j, NOT EXISTS (SELECT FROM pg_catalog.pg_locks WHERE locktype = 'advisory' AND granted AND "
		      "(classid::bigint << 32) + objid::bigint = hashtextextended('etlrun split ' || $1 || "
		      "' %llu ' || j, 0) AND objsubid = 1) FROM generate_series(0, %llu - 1) AS j WHERE NOT "
		      "EXISTS (SELECT FROM _etlrun_splits AS s WHERE s.load = %llu AND s.split = j) ORDER BY j "
		      "LIMIT 1",
		      (unsigned long long)l->load->index, (unsigned long long)l->split->index,
		      (unsigned long long)l->load->index);
	rc = sql.failed ? loading_no_memory(l) :
			  postgres_query(l->inst, l->err, &result, sql.at, 1,
					 (const char *const[]){ l->token->text });
	etl_text_free(&sql);
	if (rc < 0)
		return rc;
	*ret = PQntuples(result) ? postgres_int_at(result, 0, 0) : -1;
	*idle = PQntuples(result) && postgres_flag_at(result, 0, 1);
	PQclear(result);
	return ETL_OK;
}

static int wait_for_others(struct loading *l)
{
	const struct timespec between = { .tv_nsec = WAIT_BETWEEN };
	int64_t missing = 0, busy = postgres_clock();

	while (postgres_clock() - busy < IDLE_MOST) {
		bool idle = false;
		int rc = find_missing(l, &missing, &idle);

		if (rc < 0 || missing < 0)
			return rc;
		if (l->inst->host->canceled(l->inst->host))
			return ETL_CANCELED;
		if (!idle)
			busy = postgres_clock();
		nanosleep(&between, NULL);
	}
	l->inst->host->log(l->inst->host, ETL_LOG_WARN,
			   "table \"%s\": nobody has worked on part %lld for a minute, and part %llu goes in before "
			   "it; of rows that are equal in a key another one than the first may stay",
			   l->load->table->name, (long long)missing, (unsigned long long)l->split->index);
	return ETL_OK;
}

static int lock(struct loading *l, const char *word, int64_t split)
{
	struct etl_text sql = { 0 };

	etl_text_addf(&sql, "SELECT pg_advisory_xact_lock(hashtextextended('etlrun %s ' || ", word);
	etl_text_add_literal(&sql, l->token->text);
	etl_text_addf(&sql, " || ' %llu", (unsigned long long)l->load->index);
	if (split >= 0)
		etl_text_addf(&sql, " %lld", (long long)split);
	etl_text_add(&sql, "', 0))");
	return postgres_run_text(l->inst, l->err, &sql);
}

int turns_take(struct loading *l)
{
	int rc = lock(l, "split", (int64_t)l->split->index);

	if (rc < 0 || !takes_turns(l->load))
		return rc;
	rc = l->split->index ? wait_for_others(l) : ETL_OK;
	return rc == ETL_OK ? lock(l, "turn", -1) : rc;
}
