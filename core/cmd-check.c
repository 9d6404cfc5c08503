/*
 * check: the file, its plugins and options, then both connections. Changes nothing.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "drift.h"
#include "output.h"
#include "places.h"
#include "plan-keys.h"

struct print_facts {
	struct etl_fact_sink sink;
	const char *role;
	FILE *out;
};

static int print_fact(struct etl_fact_sink *self, const char *name, const char *value)
{
	struct print_facts *facts = (struct print_facts *)(void *)self;

	fprintf(facts->out, "%-8s %-16s %s\n", facts->role, name, value);
	return 0;
}

static int ping(struct instance *instance, const char *role, FILE *out, struct etl_error *err)
{
	struct print_facts facts = { { print_fact }, role, out };

	fprintf(out, "%-8s %-16s %s %s\n", role, "plugin", instance->plugin->base.name,
		instance->plugin->base.version);
	return instance->plugin->store.ping(instance->self, &facts.sink,
					    instance_error(instance, err));
}

static int show_validators(const struct pipeline *pipeline, FILE *out, struct etl_error *err)
{
	struct etl_text text = { 0 };
	int rc = plan_validators(pipeline, &text) && text.failed ? error_memory(err) : 0;

	if (text.at)
		fprintf(out, "%-8s %-16s %s\n", "run", "validators", text.at);
	etl_text_free(&text);
	return rc;
}

/* Those of keys of which the target takes several values for one, which were added last: FIRST and on. */
static void show_keys(const struct jobs *jobs, size_t first, FILE *out)
{
	for (size_t i = first; i < jobs->verdict_count; i++)
		fprintf(out, "%-8s %-16s %s: %s\n", "run", jobs->verdicts[i].kind, jobs->verdicts[i].object, jobs->verdicts[i].note);
}

/* KEYS: verdicts before those of plan_keys. */
static int show(struct run *run, size_t keys, struct etl_error *err)
{
	struct output output;
	int rc = output_open(&output, err), closed;

	if (rc < 0)
		return rc;
	fprintf(output.file, "%-8s %-16s %s\n", "file", "pipeline", run->pipeline->name);
	rc = ping(run->source, "source", output.file, err);
	if (rc == 0)
		rc = ping(run->target, "target", output.file, err);
	if (rc == 0)
		rc = show_validators(run->pipeline, output.file, err);
	if (rc == 0 && *drift_words(&run->jobs))
		fprintf(output.file, "%-8s %-16s %s\n", "run", "drift", drift_words(&run->jobs));
	if (rc == 0)
		show_keys(&run->jobs, keys, output.file);
	if (rc == 0)
		fprintf(output.file, "%-8s %-16s %zu, state in %s\nok\n", "run", "tables",
			run->jobs.count, run->state_path);
	closed = output_close(&output, err);
	return rc < 0 ? rc : closed;
}

static int check(const struct cli *cli, struct etl_error *err)
{
	struct pipeline *pipeline = NULL;
	struct run run = { 0 };
	size_t keys;
	int rc = cli_pipeline(cli, &pipeline, err);

	if (rc < 0)
		return rc;
	rc = run_open(&run, cli, pipeline, err);
	keys = run.jobs.verdict_count;
	if (rc == 0)
		rc = plan_keys(&run, err);
	if (rc == 0)
		rc = place_writable("rejects file", pipeline->rejects_file, "rejects_file", err);
	if (rc == 0)
		rc = place_writable("state file", run.state_path, "state", err);
	if (rc == 0)
		rc = show(&run, keys, err);
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
