/*
 * status: past and present runs of a pipeline, from its state store, newest first, to standard
 * output; or one of them as it goes on.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "output.h"
#include "run.h"
#include "status-watch.h"

/* A run that says it is running but whose process is gone was interrupted; its lock says which. */
struct listing {
	const struct pipeline *pipeline;
	FILE *out;
	const char *only; /* the run that is asked for, or NULL: all of them */
	bool details;
	bool held; /* somebody holds the lock */
	size_t count;
	char (*ids)[80]; /* of the runs whose details follow */
	size_t id_count;
};

static void print_texts(const struct listing *l, const struct state_run *r, bool unfinished)
{
	if (r->error)
		fprintf(l->out, "    exit %d: %s\n", r->exit, r->error);
	if (unfinished && !l->held && r->command)
		fprintf(l->out, "    resume with: %s\n", r->command);
	else if (unfinished && !l->held && !r->batches)
		fprintf(l->out, "    it left the target untouched; the next `etlrun run` cleans up "
				"after it\n");
	if (r->batches)
		fprintf(l->out, "    batches: %" PRIu64 " published, %" PRIu64 " rows written in them\n", r->batches, r->batch_rows);
	if (!l->details)
		return;
	if (r->target && *r->target)
		fprintf(l->out, "    target: %s\n", r->target);
	if (r->ended)
		fprintf(l->out, "    ended: %s\n", r->ended);
	if (r->resumed)
		fprintf(l->out, "    resumed: %" PRId64 " time%s\n", r->resumed,
			r->resumed == 1 ? "" : "s");
	if (r->kept)
		fprintf(l->out, "    what it replaced: %s\n", r->kept);
}

static void print_head(const struct listing *l)
{
	fprintf(l->out, "%-24s %-9s %-12s %-10s %-21s %8s %14s %10s\n", "run", "verb", "status",
		"phase", "started", "tables", "rows", "rejected");
}

static bool keep_id(struct listing *l, const char *id)
{
	char(*ids)[80] = realloc(l->ids, (l->id_count + 1) * sizeof(*ids));

	if (ids) {
		l->ids = ids;
		snprintf(ids[l->id_count++], sizeof(*ids), "%s", id);
	}
	return ids != NULL;
}

static int print_run(const struct state_run *r, void *data)
{
	struct listing *l = data;
	bool unfinished = state_is_unfinished(r->status);
	bool died = strcmp(r->status, STATE_RUNNING) == 0 && !l->held;
	const char *status = died ? STATE_INTERRUPTED : r->status;

	if (l->only && strcmp(r->id, l->only) != 0)
		return 0;
	if (l->count++ == 0)
		print_head(l);
	fprintf(l->out, "%-24s %-9.*s %-12s %-10s %-21s %8" PRIu64 " %14" PRIu64 " %10" PRIu64 "\n",
		r->id, (int)strcspn(r->verb, " "), r->verb, status, r->phase, r->started, r->tables,
		r->rows, r->rejected);
	print_texts(l, r, unfinished);
	return l->details && !keep_id(l, r->id) ? ETL_FAILED : 0;
}

/* ---- The journal of a run ---- */

static int print_phase(const char *phase, const char *entered, void *data)
{
	fprintf(((struct listing *)data)->out, "    %s  phase %s\n", entered, phase);
	return 0;
}

static int print_load(const struct state_left *left, void *data)
{
	fprintf(((struct listing *)data)->out, "    staged \"%s\" in %s\n", left->table,
		left->token.text);
	return 0;
}

static int print_unit(const struct state_unit *unit, void *data)
{
	static const char *const kinds[] = { "?",    "prepared", "part",      "screen",
					     "step", "step",	 "statement", "seal" };
	bool known = unit->kind > 0 && unit->kind < (int32_t)(sizeof(kinds) / sizeof(*kinds));

	fprintf(((struct listing *)data)->out, "    checkpoint: %s %" PRId64 " %s\n",
		kinds[known ? unit->kind : 0], unit->number, unit->name);
	return 0;
}

static int print_details(struct listing *l, struct state *state, struct etl_error *err)
{
	int rc = 0;

	for (size_t i = 0; i < l->id_count && rc == 0; i++) {
		fprintf(l->out, "\n%s\n", l->ids[i]);
		rc = state_phases(state, l->ids[i], print_phase, l, err);
		if (rc == 0)
			rc = state_loads(state, l->ids[i], print_load, l, err);
		if (rc == 0)
			rc = state_units(state, l->ids[i], print_unit, l, err);
	}
	return rc;
}

struct last {
	char id[80];
	struct etl_token seal;
	bool any;
};

static int on_last(const struct state_run *r, void *data)
{
	struct last *last = data;
	bool done = strcmp(r->status, STATE_DONE) == 0;

	if (last->any || !done)
		return 0;
	last->any = true;
	snprintf(last->id, sizeof(last->id), "%s", r->id);
	snprintf(last->seal.text, sizeof(last->seal.text), "%s", r->seal ? r->seal : "");
	return 0;
}

/* A rollback would lose what was written, so it refuses. What the next run does is the pipeline's. */
static const char *advice(const struct pipeline *pipeline)
{
	return pipeline->mode == ETL_COPY ?
		       "a rollback of it is refused, and the next copy that replaces the tables "
		       "replaces what was written to them: save that first if it must stay" :
		       "the next run goes into what is there; to go back, put back a backup";
}

/* A file is known at a look. In a target that has a record of its own runs all tables would be read for it. */
static bool is_known_at_a_look(const struct instance *target)
{
	uint32_t flags = target->plugin->target.flags;

	return !(flags & ETL_KEEPS_STATE) || flags & ETL_COPY_BESIDE;
}

/* Whether somebody else wrote to the target since it was published, so far as that can be told. */
static int print_target(const struct listing *l, struct state *state, struct instance *target,
			struct etl_error *err)
{
	struct last last = { .any = false };
	int32_t same = 1;
	int rc = state_runs(state, on_last, &last, err);

	if (rc == 0 && last.seal.text[0] && is_known_at_a_look(target))
		rc = target->plugin->target.sealed(target->self, &last.seal, &same,
						   instance_error(target, err));
	if (rc == 0 && !same)
		fprintf(l->out,
			"the target is not what run %s published any more: it was written to or "
			"replaced since; %s\n",
			last.id, advice(l->pipeline));
	return rc;
}

static int list(const struct state_place *place, const struct cli *cli, FILE *out, struct etl_error *err)
{
	struct listing listing = { .pipeline = place->pipeline,
				   .out = out,
				   .only = place->run,
				   .details = place->run || cli->level >= ETL_LOG_DEBUG };
	struct state *state = NULL;
	int rc = state_open(place->state, false, &state, err);

	if (rc < 0)
		return rc;
	if (state) {
		listing.held = lock_is_held(place->lock, NULL);
		rc = state_runs(state, print_run, &listing, err);
		if (rc < 0 && !err->set)
			rc = error_memory(err);
	}
	if (rc == 0 && state && listing.details)
		rc = print_details(&listing, state, err);
	if (rc == 0 && state && !listing.held && !listing.only)
		rc = print_target(&listing, state, place->target, err);
	if (rc == 0 && listing.count == 0 && listing.only)
		rc = state_place_no_run(place, err);
	else if (rc == 0 && listing.count == 0)
		fprintf(out, "no runs of %s yet (no state in %s)\n", place->pipeline->name, place->state);
	free(listing.ids);
	state_close(state);
	return rc;
}

/* All of it or nothing, and without what is secret in a path. */
static int show(const struct state_place *place, const struct cli *cli, struct etl_error *err)
{
	struct output output;
	int rc = output_open(&output, err), closed;

	if (rc < 0)
		return rc;
	rc = list(place, cli, output.file, err);
	closed = output_close(&output, err);
	return rc < 0 ? rc : closed;
}

static int status(const struct cli *cli, struct etl_error *err)
{
	struct state_place place;
	int rc = state_place_open(&place, cli, err);

	if (rc == 0)
		rc = cli->watch ? status_watch(&place, cli->interval, err) : show(&place, cli, err);
	state_place_close(&place);
	return rc;
}

const struct verb verb_status = {
	.name = "status",
	.words = "[RUN] PIPELINE.cfg",
	.summary = "past and present runs",
	.takes = CLI_FILE | CLI_WATCH,
	.min_words = 1,
	.max_words = 2,
	.run = status,
};
