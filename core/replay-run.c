/*
 * The verb `rejects replay`: what must hold before rows may be added a second time, and the run that adds them.
 * That it happened is written in the state of the pipeline with the run, and, where the target keeps the state,
 * in the transaction that publishes the rows: so no row goes in twice.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "replay-parts.h"
#include "run.h"

#define VERB "replay " /* before the id, in the state */

/* ---- What came after that run ---- */

struct after {
	const char *id;
	bool reached, published; /* published: the target says so of that run itself */
	char replayed_by[80], followed_by[80];
};

static int on_run(const struct state_run *run, void *data)
{
	struct after *a = data;
	bool done = strcmp(run->status, STATE_DONE) == 0;
	bool replay = strncmp(run->verb, VERB, strlen(VERB)) == 0;

	a->reached |= strcmp(run->id, a->id) == 0;
	if (a->reached || !done)
		return 0;
	if (replay && strcmp(run->verb + strlen(VERB), a->id) == 0)
		snprintf(a->replayed_by, sizeof(a->replayed_by), "%s", run->id);
	else if (!replay)
		snprintf(a->followed_by, sizeof(a->followed_by), "%s", run->id);
	return 0;
}

/* What the target itself says of a replay whose end the state file missed. */
struct recalled {
	struct etl_state_sink sink;
	char text[128];
	struct after *after;
};

static int on_state(struct etl_state_sink *self, const char *run, const char *state)
{
	struct recalled *r = (struct recalled *)(void *)self;

	r->after->published |= strcmp(run, r->after->id) == 0;
	if (strstr(state, r->text))
		snprintf(r->after->replayed_by, sizeof(r->after->replayed_by), "%s", run);
	return 0;
}

static int recall(const struct pipeline *p, struct after *after, struct etl_error *err)
{
	struct host_limits limits = {
		.batch_rows = 1, .batch_bytes = 1, .max_row = 1, .workers = 1, .pipeline = p
	};
	struct recalled recalled = { .sink = { on_state }, .after = after };
	struct instance *target = NULL;
	int rc;

	if (!p->target.plugin->can_recall)
		return 0;
	snprintf(recalled.text, sizeof(recalled.text), "\"replays\":\"%s\"", after->id);
	rc = instance_open(&p->target, ETL_ROLE_TARGET, &limits, &target, err);
	if (rc == 0)
		rc = target->plugin->target.recall(target->self, p->name, &recalled.sink,
						   instance_error(target, err));
	instance_close(target);
	return rc;
}

static int look_after(const struct pipeline *p, const struct reject_run *run, struct after *after,
		      struct etl_error *err)
{
	struct state *state = NULL;
	int rc = state_open(run->state, false, &state, err);

	after->id = run->id;
	if (rc == 0 && state)
		rc = state_runs(state, on_run, after, err);
	state_close(state);
	return rc < 0 ? rc : recall(p, after, err);
}

/* 1: go on; 0: there is nothing to do, and that was said. */
static int may_replay(const struct pipeline *p, const struct reject_run *run, struct etl_error *err)
{
	struct after after = { .reached = false };
	int rc = look_after(p, run, &after, err);

	if (rc < 0)
		return rc;
	if (run->unfinished && !after.published)
		return error_set(err, ETL_USAGE,
				 "run %s was interrupted; let it end first, with `etlrun resume`",
				 run->id);
	if (!run->published && !after.published)
		return error_set(
			err, ETL_USAGE,
			"run %s published nothing, so all of its rows are missing, not only the "
			"rejected ones; run the pipeline again",
			run->id);
	if (run->rejected == 0) {
		log_line(ETL_LOG_INFO, "run %s rejected no row: there is nothing to replay",
			 run->id);
		return 0;
	}
	if (after.replayed_by[0]) {
		log_line(ETL_LOG_INFO,
			 "the rejects of run %s were replayed by run %s already; what was refused "
			 "again "
			 "are the rejects of that one",
			 run->id, after.replayed_by);
		return 0;
	}
	if (after.followed_by[0] && p->mode == ETL_COPY)
		return error_set(
			err, ETL_USAGE,
			"run %s has replaced what run %s published since; replay its rejects "
			"instead, or run again",
			after.followed_by, run->id);
	return 1;
}

/* ---- The file ---- */

static int copy_all(FILE *from, FILE *to)
{
	char buf[65536];
	size_t size;

	while ((size = fread(buf, 1, sizeof(buf), from)) > 0)
		if (fwrite(buf, 1, size, to) != size)
			return -1;
	return ferror(from) || fflush(to) != 0 || fsync(fileno(to)) != 0 ? -1 : 0;
}

/* The new run's rejects may go where the old one's are: those get a place of their own first. */
static int keep_file(const struct pipeline *p, const struct reject_run *run, struct replay *replay,
		     struct etl_error *err)
{
	char own[sizeof(replay->path)];
	FILE *from, *to;
	bool ok;

	snprintf(replay->path, sizeof(replay->path), "%s", run->path);
	if (!p->rejects_file || strcmp(run->path, p->rejects_file) != 0)
		return 0;
	run_rejects_own(run->state, run->id, own, sizeof(own));
	snprintf(replay->path, sizeof(replay->path), "%s", own);
	from = fopen(run->path, "re");
	to = from ? fopen(own, "we") : NULL;
	ok = from && to && copy_all(from, to) == 0;
	if (!ok)
		error_set(err, ETL_MEMORY, "the rejects of run %s cannot be kept in %s: %s",
			  run->id, own, strerror(errno));
	if (from)
		fclose(from);
	if (to && fclose(to) != 0 && ok)
		ok = error_set(err, ETL_MEMORY, "%s cannot be written: %s", own, strerror(errno)) ==
		     0;
	return ok ? 0 : ETL_FAILED;
}

/* ---- The run ---- */

int replay_run(const struct cli *cli, struct pipeline *p, const struct reject_run *run,
	       struct etl_error *err)
{
	struct replay *replay;
	struct cli again = *cli;
	int rc = may_replay(p, run, err);

	if (rc <= 0)
		return rc;
	replay = calloc(1, sizeof(*replay));
	if (!replay)
		return error_memory(err);
	snprintf(replay->run, sizeof(replay->run), "%s", run->id);
	rc = keep_file(p, run, replay, err);
	p->mode = pipeline_merges(p) ? ETL_MERGE : ETL_APPEND;
	p->reject_rows = true;
	p->max_rejects_percent = true;
	p->max_rejects = 1000000;
	again.replay = replay;
	if (rc == 0)
		rc = run_pipeline(&again, p, err);
	replay_free(replay);
	return rc;
}
