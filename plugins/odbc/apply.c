/* Carrying out steps in the staging place. What looks for rows is in screen.c. */
#include "config.h"

#include <stdlib.h>

#include "fault.h"
#include "target.h"

static int carry_out(struct etl_instance *inst, const struct etl_step *step, const char *sql, struct etl_error *err)
{
	inst->host->at(err, step->object, NULL, NULL);
	return odbc_run(inst, err, sql);
}

/* The pipeline's own SQL may begin and end transactions itself. That it was begun is written down before. */
static int apply_own(struct etl_instance *inst, const struct etl_step *step, const char *sql, struct etl_error *err)
{
	int rc = odbc_begin_work(inst, err);

	if (rc == ETL_OK)
		rc = odbc_end_work(inst, rc, err);
	return rc == ETL_OK ? carry_out(inst, step, sql, err) : rc;
}

int odbc_apply(struct etl_instance *inst, const struct etl_load *load, const struct etl_token *token,
	       const struct etl_step *step, struct etl_found_sink *sink, struct etl_error *err)
{
	char *sql = NULL;
	int rc;

	if (!step->sql || step->phase >= ETL_PHASE_PUBLISH)
		return ETL_OK;
	rc = odbc_db(inst, err);
	if (rc < 0)
		return rc;
	rc = odbc_restage(inst, token, step->sql, &sql, err);
	if (rc < 0)
		return rc;
	if (strcmp(step->kind, "sql") == 0) {
		rc = apply_own(inst, step, sql, err);
		free(sql);
		return rc;
	}
	rc = odbc_begin_work(inst, err);
	ETL_FAULT("odbc.apply_before");
	if (rc == ETL_OK)
		rc = step->phase == ETL_PHASE_SCREEN ? odbc_screen(inst, load, token, step, sql, sink, err) :
						       carry_out(inst, step, sql, err);
	ETL_FAULT("odbc.apply_before_commit");
	rc = odbc_end_work(inst, rc, err);
	ETL_FAULT("odbc.apply_after");
	free(sql);
	return rc;
}
