/*
 * run: the whole pipeline. It is the verb that `etlrun FILE` means.
 */
#include "config.h"

#include "needed.h"

int cmd_run(const struct cli *cli, struct etl_error *err)
{
	struct pipeline *pipeline = NULL;
	bool needed = true;
	int rc;

	if (cli->dry_run)
		return verb_plan.run(cli, err);
	rc = cli_pipeline(cli, &pipeline, err);
	if (rc == 0 && cli->if_needed)
		rc = needed_ask(cli, pipeline, &needed, err);
	if (rc == 0 && needed)
		rc = run_pipeline(cli, pipeline, err);
	else if (rc < 0)
		run_summarise_failure(cli, pipeline, NULL, err);
	pipeline_free(pipeline);
	return rc;
}

const struct verb verb_run = {
	.name = "run",
	.words = "PIPELINE.cfg",
	.summary = "the whole pipeline",
	.takes = CLI_FILE | CLI_TABLES | CLI_LIMIT | CLI_PARTS | CLI_DRY_RUN | CLI_SUMMARY | CLI_NEEDED | CLI_FROM,
	.min_words = 1,
	.max_words = 1,
	.run = cmd_run,
};
