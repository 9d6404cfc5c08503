/*
 * status: past and present runs of a pipeline, from its state store, newest first, to standard
 * output.
 */
#include "config.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <errno.h>
#include <string.h>

#include "output.h"
#include "run.h"

/* A run that says it is running but whose process is gone was interrupted; its lock says which. */
struct listing {
	FILE *out;
	bool held; /* somebody holds the lock */
	size_t count;
	bool interrupted;
};

static int print_run(const struct state_run *r, void *data)
{
	struct listing *l = data;
	const char *status = r->status;

	if (l->count++ == 0)
		fprintf(l->out, "%-24s %-9s %-12s %-10s %-21s %8s %14s %10s\n", "run", "verb", "status",
		       "phase", "started", "tables", "rows", "rejected");
	if (strcmp(status, STATE_RUNNING) == 0 && !l->held) {
		status = STATE_INTERRUPTED;
		l->interrupted = true;
	}
	fprintf(l->out, "%-24s %-9.*s %-12s %-10s %-21s %8" PRIu64 " %14" PRIu64 " %10" PRIu64 "\n", r->id,
	       (int)strcspn(r->verb, " "), r->verb, status, r->phase, r->started, r->tables, r->rows, r->rejected);
	if (r->error)
		fprintf(l->out, "    exit %d: %s\n", r->exit, r->error);
	return 0;
}

static bool lock_held(const char *state_path)
{
	char path[4200];
	struct etl_error err = ERROR_INIT;
	struct lock *lock = NULL;
	bool held;

	snprintf(path, sizeof(path), "%s.lock", state_path);
	held = lock_take(path, &lock, &err) < 0 && err.klass == ETL_HOST_LOCKED;
	lock_release(lock);
	error_clear(&err);
	return held;
}

static int list(const char *path, const struct pipeline *pipeline, FILE *out, struct etl_error *err)
{
	struct listing listing = { .out = out };
	struct state *state = NULL;
	int rc = state_open(path, false, &state, err);

	if (rc < 0)
		return rc;
	if (state) {
		listing.held = lock_held(path);
		rc = state_runs(state, print_run, &listing, err);
	}
	if (rc == 0 && listing.count == 0)
		fprintf(out, "no runs of %s yet (no state in %s)\n", pipeline->name, path);
	if (listing.interrupted)
		fprintf(out, "an interrupted run left the target untouched; the next `etlrun run` "
			     "cleans up after it\n");
	state_close(state);
	return rc;
}

/* All of it or nothing, and without what is secret in a path. */
static int show(const char *path, const struct pipeline *pipeline, struct etl_error *err)
{
	struct output output;
	int rc = output_open(&output, err), closed;

	if (rc < 0)
		return rc;
	rc = list(path, pipeline, output.file, err);
	closed = output_close(&output, err);
	return rc < 0 ? rc : closed;
}

static int status(const struct cli *cli, struct etl_error *err)
{
	struct host_limits limits = {
		.batch_rows = 1, .batch_bytes = 1, .max_row = 1, .workers = 1
	};
	struct pipeline *pipeline = NULL;
	struct instance *target = NULL;
	char path[4096];
	int rc = cli_pipeline(cli, &pipeline, err);

	if (rc == 0)
		rc = instance_open(&pipeline->target, ETL_ROLE_TARGET, &limits, &target, err);
	if (rc == 0)
		rc = run_state_path(pipeline, target, path, sizeof(path), err);
	if (rc == 0)
		rc = show(path, pipeline, err);
	instance_close(target);
	pipeline_free(pipeline);
	return rc;
}

const struct verb verb_status = {
	.name = "status",
	.words = "PIPELINE.cfg",
	.summary = "past and present runs",
	.takes = CLI_FILE,
	.min_words = 1,
	.max_words = 1,
	.run = status,
};
