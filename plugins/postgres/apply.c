/*
 * Carrying out steps in the staging schema: the SQL that design wrote or the pipeline gave. What looks for rows that
 * a constraint does not take is in screen.c.
 */
#include "config.h"

#include <stdlib.h>

#include "fault.h"
#include "into.h"
#include "screen.h"
#include "stage.h"

/* A B-tree of a table below 256 MiB is sorted in runs that stay in the processor's cache: measured with PostgreSQL 15 on
 * 2 million rows, that takes two thirds of the time of one sort in maintenance_work_mem's default of 64 MB, and leaves
 * the other processors to the indexes that are made side by side, where that much memory asks for parallel workers. A
 * larger table is the server's to decide, and so is one of partitions (whose own size is 0), and what is no B-tree. */
#define SORT_MEMORY "8MB"
#define SORT_BELOW  "268435456"
#define SORT_ROWS   10000 /* fewer are not worth the question */

static bool sorts(const struct etl_step *step)
{
	if (step->phase != ETL_PHASE_FINISH)
		return false;
	if (strcmp(step->kind, "index") == 0)
		return !strstr(step->sql, " USING ") || strstr(step->sql, " USING btree ");
	return strcmp(step->kind, "primary key") == 0 || strcmp(step->kind, "unique") == 0;
}

static int sort_in_cache(struct etl_instance *inst, const struct etl_load *load, struct etl_error *err)
{
	struct etl_text name = { 0 }, sql = { 0 };

	if (load->table->rows >= 0 && load->table->rows < SORT_ROWS)
		return ETL_OK;
	postgres_add_name(&name, NULL, load->table->name);
	etl_text_add(&sql, "SELECT pg_catalog.set_config('maintenance_work_mem', '" SORT_MEMORY "', true) WHERE "
			   "pg_catalog.pg_size_bytes(pg_catalog.current_setting('maintenance_work_mem')) > "
			   "pg_catalog.pg_size_bytes('" SORT_MEMORY "') AND pg_catalog.pg_table_size(");
	etl_text_add_literal(&sql, name.at ? name.at : "");
	etl_text_add(&sql, ") BETWEEN 1 AND " SORT_BELOW);
	sql.failed = sql.failed || name.failed;
	etl_text_free(&name);
	return postgres_run_text(inst, err, &sql);
}

static int carry_out(struct etl_instance *inst, const struct etl_step *step, struct etl_error *err)
{
	PGresult *result = PQexec(inst->db, step->sql);
	ExecStatusType status = PQresultStatus(result);

	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_EMPTY_QUERY)
		return postgres_fail(inst, result, err, "%s \"%s\": running \"%.300s\"", step->kind,
				     step->object ? step->object : "", step->sql);
	PQclear(result);
	return ETL_OK;
}

/* The pipeline's own SQL may begin and end transactions itself. That it was begun is written down before. */
static int apply_own(struct etl_instance *inst, const struct etl_load *load,
		     const struct etl_token *token, const struct etl_step *step, struct etl_error *err)
{
	struct etl_text path = { 0 };
	int rc = stage_enter(inst, load, token, err);

	if (rc == ETL_OK)
		rc = stage_leave(inst, rc, err);
	if (rc < 0)
		return rc;
	etl_text_add(&path, "SET search_path = ");
	stage_add_path(&path, token->text, postgres_target_schema(inst, load->table), NULL);
	rc = postgres_run_text(inst, err, &path);
	if (rc == ETL_OK)
		rc = carry_out(inst, step, err);
	if (rc == ETL_OK && PQtransactionStatus(inst->db) != PQTRANS_IDLE)
		rc = inst->host->fail(err, ETL_USAGE, NULL, 0,
				      "\"%.300s\" leaves a transaction open; end it with COMMIT",
				      step->sql);
	stage_rollback(inst);
	if (rc == ETL_OK)
		rc = postgres_run(inst, err, "SET search_path = pg_catalog");
	else if (!postgres_is_lost(inst))
		PQclear(PQexec(inst->db, "SET search_path = pg_catalog"));
	return rc;
}

int postgres_apply(struct etl_instance *inst, const struct etl_load *load,
		   const struct etl_token *token, const struct etl_step *step,
		   struct etl_found_sink *sink, struct etl_error *err)
{
	uint64_t taken = 0;
	int rc;

	if (!step->sql || step->phase >= ETL_PHASE_PUBLISH)
		return ETL_OK;
	if (strcmp(step->kind, "sql") == 0)
		return stage_is_into(load->run) ? postgres_into_keep_sql(inst, load, token, step, err) :
						  apply_own(inst, load, token, step, err);
	rc = stage_enter(inst, load, token, err);
	if (rc < 0)
		return rc;
	ETL_FAULT("postgres.apply_before");
	rc = sorts(step) ? sort_in_cache(inst, load, err) : ETL_OK;
	if (rc == ETL_OK)
		rc = step->phase == ETL_PHASE_SCREEN ?
			     screen_apply(inst, load, token, step, sink, &taken, err) :
			     carry_out(inst, step, err);
	ETL_FAULT("postgres.apply_before_commit");
	/* A look that changed nothing is no piece of work. */
	if (step->phase == ETL_PHASE_SCREEN && (rc < 0 || !taken)) {
		stage_rollback(inst);
		return rc;
	}
	rc = stage_leave(inst, rc, err);
	ETL_FAULT("postgres.apply_after");
	return rc;
}
