/*
 * rollback: takes back what one run did. Of a run that was interrupted it removes what it staged;
 * of one that was published the target puts back what was there before, if it kept that. What is
 * refused changes nothing; only a rollback that stops half-way is exit 9.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fault.h"
#include "log.h"
#include "run-parts.h"

/* The run that is to be taken back. */
struct goal {
	const char *id;
	bool found, unfinished, published;
	char status[32], later[80], seal[ETL_TOKEN_MAX];
	bool sealed; /* it came so far that it may have been published */
	char pipeline[256], place[4096];
	int exit;
};

static bool is_published(const struct state_run *r)
{
	/* With scope = "table" some tables of a run that failed stand. */
	return strcmp(r->status, STATE_DONE) == 0 ||
	       (strcmp(r->status, STATE_FAILED) == 0 && r->exit == 5 && r->seal && *r->seal);
}

/* The newest comes first. */
static int on_run(const struct state_run *r, void *data)
{
	struct goal *g = data;

	if (strcmp(r->id, g->id) != 0) {
		if (!g->found && is_published(r))
			snprintf(g->later, sizeof(g->later), "%s", r->id);
		return 0;
	}
	g->found = true;
	g->unfinished = run_is_unfinished(r);
	g->published = is_published(r);
	g->exit = r->exit;
	g->sealed = r->seal != NULL;
	snprintf(g->status, sizeof(g->status), "%s", r->status);
	snprintf(g->seal, sizeof(g->seal), "%s", r->seal ? r->seal : "");
	snprintf(g->pipeline, sizeof(g->pipeline), "%s", r->pipeline);
	snprintf(g->place, sizeof(g->place), "%s", r->target ? r->target : "");
	return 0;
}

static int check_owner(const struct run *run, const struct goal *g, struct etl_error *err)
{
	if (strcmp(g->pipeline, run->pipeline->name) != 0)
		return error_set(
			err, ETL_USAGE,
			"run %s is of pipeline \"%s\", not of \"%s\"; take it back with the "
			"file that began it",
			g->id, g->pipeline, run->pipeline->name);
	if (run->pipeline->state && g->place[0] && run->place[0] &&
	    strcmp(g->place, run->place) != 0)
		return error_set(err, ETL_USAGE, "run %s went to %s, not to %s", g->id, g->place,
				 run->place);
	return 0;
}

/* ---- What was staged ---- */

static int remove_staged(struct run *run, const struct goal *g, struct etl_error *err)
{
	int rc = state_loads(run->state, g->id, run_abort_left, run, err);

	if (rc == 0 && run->left_behind)
		return error_set(err, ETL_HOST_ROLLBACK,
				 "not all that run %s staged could be removed; the target was not "
				 "touched; look at what is said above, and try again",
				 g->id);
	ETL_FAULT("rollback.removed");
	if (rc == 0)
		run_remove_spool(run, g->id);
	if (rc == 0)
		rc = state_run_settle(run->state, g->id, STATE_CLEANED, err);
	if (rc == 0)
		log_line(ETL_LOG_INFO,
			 "run %s is taken back: what it staged is removed; the target is as it was",
			 g->id);
	return rc;
}

/* ---- What was published ---- */

static int take_back(struct run *run, const struct goal *g, struct etl_error *err)
{
	struct instance *target = run->target;
	struct etl_token seal = { "" };
	int rc;

	memcpy(seal.text, g->seal, sizeof(seal.text));
	ETL_FAULT("rollback.before_revert");
	rc = target->plugin->target.revert(target->self, g->id, &seal, instance_error(target, err));
	ETL_FAULT("rollback.after_revert");
	if (rc < 0 && g->later[0])
		log_line(ETL_LOG_INFO, "run %s was published after it; take that one back first",
			 g->later);
	if (rc == 0)
		rc = state_run_settle(run->state, g->id, STATE_REVERTED, err);
	if (rc == 0)
		log_line(ETL_LOG_INFO, "run %s is taken back: %s is what it was before it", g->id,
			 run->place[0] ? run->place : "the target");
	return rc;
}

/* The target says whether it has the run, not the state file: one that did not end may have died just after it was
 * published, and of one that was taken back the target may have been restored from a backup. */
static int ask_target(struct run *run, struct goal *g, bool *ret, struct etl_error *err)
{
	int rc = run_was_published(run, g->id, g->sealed ? g->seal : NULL, ret, err);

	if (rc == 0 && *ret && !g->unfinished)
		log_line(ETL_LOG_WARN,
			 "%s says that run %s %s%s, but the target has it: it was restored from a "
			 "backup, or the state file was; the target decides",
			 run->state_path, g->id, strcmp(g->status, STATE_FAILED) == 0 ? "" : "is ",
			 g->status);
	return rc;
}

static int roll_back(struct run *run, struct goal *g, struct etl_error *err)
{
	bool published = g->published;
	int rc = check_owner(run, g, err);

	if (rc == 0 && !published)
		rc = ask_target(run, g, &published, err);
	if (rc < 0)
		return rc;
	if (published)
		return take_back(run, g, err);
	if (g->unfinished)
		return remove_staged(run, g, err);
	log_line(ETL_LOG_INFO, "nothing to take back: run %s %s%s", g->id,
		 strcmp(g->status, STATE_FAILED) == 0 ? "" : "is ",
		 strcmp(g->status, STATE_FAILED) == 0 ? "failed, and nothing of it was published" :
							g->status);
	return 0;
}

/* ---- The verb ---- */

static int find(struct run *run, struct goal *g, struct etl_error *err)
{
	int rc = 0;

	snprintf(run->lock_path, sizeof(run->lock_path), "%s.lock", run->state_path);
	if (access(run->state_path, F_OK) == 0)
		rc = lock_take(run->lock_path, &run->lock, err);
	if (rc == 0 && run->lock)
		rc = state_open(run->state_path, true, &run->state, err);
	if (rc == 0 && run->state)
		rc = state_runs(run->state, on_run, g, err);
	if (rc < 0 || g->found)
		return rc;
	return error_set(err, ETL_USAGE, "there is no run %s in %s; `etlrun status` lists them",
			 g->id, run->state_path);
}

static int rollback_of(const struct cli *cli, const struct pipeline *pipeline, const char *id,
		       struct etl_error *err)
{
	struct host_limits limits = {
		.batch_rows = 1, .batch_bytes = 1, .max_row = 1, .workers = 1, .pipeline = pipeline
	};
	struct run run = { .cli = cli, .pipeline = pipeline };
	struct goal goal = { .id = id };
	int rc = instance_open(&pipeline->target, ETL_ROLE_TARGET, &limits, &run.target, err);

	run.info.mode = pipeline->mode;
	run.info.id = id;
	run.info.pipeline = pipeline->name;
	if (rc == 0)
		rc = run_state_path(pipeline, run.target, run.state_path, sizeof(run.state_path),
				    err);
	if (rc == 0)
		rc = run_place(run.target, run.place, sizeof(run.place), err);
	if (rc == 0)
		rc = find(&run, &goal, err);
	if (rc == 0)
		rc = roll_back(&run, &goal, err);
	instance_close(run.target);
	state_close(run.state);
	lock_release(run.lock);
	return rc;
}

static int rollback(const struct cli *cli, struct etl_error *err)
{
	size_t words = cli->word_count - 1;
	struct pipeline *pipeline = NULL;
	struct verb verb = *cli->verb;
	struct cli named = *cli;
	int rc;

	verb.takes &= words == 2 ? ~(uint32_t)CLI_FILE : ~(uint32_t)CLI_URIS;
	named.verb = &verb;
	named.words++;
	named.word_count = words;
	rc = cli_pipeline(&named, &pipeline, err);
	if (rc == 0)
		rc = rollback_of(&named, pipeline, cli->words[0], err);
	pipeline_free(pipeline);
	return rc;
}

const struct verb verb_rollback = {
	.name = "rollback",
	.words = "RUN PIPELINE.cfg",
	.summary = "takes back what a run did",
	.takes = CLI_FILE | CLI_URIS,
	.min_words = 2,
	.max_words = 3,
	.run = rollback,
};
