/*
 * check: the file, its plugins and options, then both connections. Changes nothing.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "run.h"

struct print_facts {
	struct etl_fact_sink sink;
	const char *role;
};

static int print_fact(struct etl_fact_sink *self, const char *name, const char *value)
{
	struct print_facts *facts = (struct print_facts *)(void *)self;

	printf("%-8s %-16s %s\n", facts->role, name, value);
	return 0;
}

static int ping(struct instance *instance, const char *role, struct etl_error *err)
{
	struct print_facts facts = { { print_fact }, role };

	printf("%-8s %-16s %s %s\n", role, "plugin", instance->plugin->base.name, instance->plugin->base.version);
	return instance->plugin->store.ping(instance->self, &facts.sink, instance_error(instance, err));
}

static int check(const struct cli *cli, struct etl_error *err)
{
	struct pipeline *pipeline = NULL;
	struct run run = { 0 };
	int rc = cli_pipeline(cli, &pipeline, err);

	if (rc < 0)
		return rc;
	printf("%-8s %-16s %s\n", "file", "pipeline", pipeline->name);
	rc = run_open(&run, cli, pipeline, err);
	if (rc == 0)
		rc = ping(run.source, "source", err);
	if (rc == 0)
		rc = ping(run.target, "target", err);
	if (rc == 0)
		printf("%-8s %-16s %zu of %zu objects, state in %s\n%s\n", "run", "tables", run.jobs.count,
		       run.jobs.source.count, run.state_path, "ok");
	run_close(&run);
	pipeline_free(pipeline);
	return rc;
}

const struct verb verb_check = {
	.name = "check",
	.words = "PIPELINE.cfg",
	.summary = "the file, its options, and both connections",
	.takes = CLI_FILE,
	.min_words = 1,
	.max_words = 1,
	.run = check,
};
