/*
 * plan: what `run` would do, from the same design. Nothing is written; with `run --dry-run` it is
 * the same.
 */
#include "config.h"

#include "plan-keys.h"

static int plan(const struct cli *cli, struct etl_error *err)
{
	struct pipeline *pipeline = NULL;
	struct run run = { 0 };
	int rc = cli_pipeline(cli, &pipeline, err);

	if (rc < 0)
		return rc;
	rc = run_open(&run, cli, pipeline, err);
	if (rc == 0)
		rc = plan_keys(&run, err);
	if (rc == 0)
		rc = plan_print(pipeline, &run.jobs, &run.plan, err);
	run_close(&run);
	pipeline_free(pipeline);
	return rc;
}

const struct verb verb_plan = {
	.name = "plan",
	.words = "PIPELINE.cfg",
	.summary = "every statement and verdict of a run, before it",
	.takes = CLI_FILE | CLI_TABLES | CLI_LIMIT | CLI_PARTS,
	.min_words = 1,
	.max_words = 1,
	.run = plan,
};
