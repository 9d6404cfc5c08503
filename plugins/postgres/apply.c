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
				      "postgres: \"%.300s\" leaves a transaction open; end it with COMMIT",
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
