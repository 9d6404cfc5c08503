/*
 * What comes before anything is written: limits, the two ends, the jobs, the plan, the pin and the
 * splits.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "changes.h"
#include "cursor.h"
#include "log.h"
#include "maps.h"
#include "needed.h"
#include "pace.h"
#include "replay.h"
#include "retry.h"
#include "run-parts.h"
#include "shape.h"
#include "signals.h"
#include "sweep.h"

#define DEEPEST_QUEUE 2
#define LEAST_BATCH   (64 << 10)
#define LEAST_ORIGINS (128 << 10) /* bytes; less does not keep those of a table worth the name */

int64_t run_clock(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* Sorts by time, to the microsecond but for the processes of that moment. */
static void make_id(struct run *run)
{
	struct timespec t;
	struct tm tm;
	size_t length;

	clock_gettime(CLOCK_REALTIME, &t);
	gmtime_r(&t.tv_sec, &tm);
	length = strftime(run->id, sizeof(run->id), "%Y%m%dT%H%M%SZ", &tm);
	snprintf(run->id + length, sizeof(run->id) - length, "-%05lx%lx",
		 (unsigned long)t.tv_nsec / 1000, (unsigned long)getpid() & 0xf);
	run->info.started = (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* memory_limit is shared out: half to the queues, a quarter to the target's cache, an eighth to the
 * readers', and of the last eighth a half to the origins of rows. */
static void make_limits(struct run *run)
{
	const struct pipeline *p = run->pipeline;
	/* A reader may be a split ahead of the writers (flow-items.c), with a queue for each. */
	int64_t readers = p->workers, each = p->memory_limit / 2 / (2 * readers);

	run->limits.workers = readers;
	run->limits.retries = p->retries;
	run->limits.batch_rows = pace_batch(p, p->batch_rows);
	run->limits.batch_bytes = p->batch_bytes;
	run->limits.max_row = p->max_row;
	run->limits.memory = p->memory_limit / 4;
	atomic_store(&run->origins_left, p->memory_limit / 16 < LEAST_ORIGINS ? 0 : p->memory_limit / 16);
	/* Beside what is in a queue, each side has a batch in its hands. */
	if (run->limits.batch_bytes > each / 4)
		run->limits.batch_bytes = each / 4 > LEAST_BATCH ? each / 4 : LEAST_BATCH;
	run->flow.depth = (size_t)(each / run->limits.batch_bytes);
	if (run->flow.depth > DEEPEST_QUEUE)
		run->flow.depth = DEEPEST_QUEUE;
	if (run->flow.depth < 1)
		run->flow.depth = 1;
}

/* What a target is told of the whole. */
static void make_intent(struct run *run)
{
	const struct cli *cli = run->cli;

	run->limits.pipeline = run->pipeline;
	run->limits.run = run->id;
	if (cli->resume)
		run->limits.intent = ETL_RESUMES;
	else
		run->limits.intent = cli->verb->looks || cli->replay ? ETL_LOOKS : ETL_BEGINS;
}

static int64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void make_info(struct run *run)
{
	const struct pipeline *p = run->pipeline;
	const struct run_options *options = &run->cli->run;

	run->info.id = run->id;
	run->info.pipeline = p->name;
	run->info.mode = p->mode == ETL_SYNC ? ETL_MERGE : p->mode;
	run->info.on_existing = p->on_existing;
	run->info.keep_old = p->keep_old;
	run->info.keep_runs = p->keep_runs;
	run->info.keep_since = p->keep_ms ? now_us() - p->keep_ms * 1000 : 0;
	run->info.flags = (options->schema_only ? ETL_RUN_SCHEMA_ONLY : 0u) |
			  (options->data_only ? ETL_RUN_DATA_ONLY : 0u) |
			  (options->limit ? ETL_RUN_PARTIAL : 0u) |
			  (p->table_scope ? ETL_RUN_TABLE_SCOPE : 0u) |
			  (p->undo ? ETL_RUN_UNDO : 0u) |
			  (p->reject_rows ? ETL_RUN_REJECT : 0u) |
			  (p->mode == ETL_SYNC ? ETL_RUN_CHANGES : 0u);
	run->info.state_path = run->state_path;
}

/* What does not go with publishing in batches. */
static int refuse_batches(const struct pipeline *p, struct etl_error *err)
{
	const char *origin = p->commit.origin.text;

	if (!(p->target.plugin->target.flags & ETL_BATCHES))
		return error_set(err, ETL_USAGE,
				 "%s: plugin %s publishes a run as a whole, not in batches; remove `commit_every` (`max_rows` bounds "
				 "what a run changes)",
				 origin, p->target.plugin->base.name);
	if (p->undo)
		return error_set(err, ETL_USAGE,
				 "%s: `commit_every` publishes a run in several transactions, and `undo` takes back one; remove one of "
				 "them",
				 origin);
	if (p->table_scope)
		return error_set(err, ETL_USAGE,
				 "%s: `commit_every` publishes rows of all tables in their order, and scope = \"table\" each table for "
				 "itself; remove one of them",
				 origin);
	return 0;
}

/* What is promised elsewhere but not yet there is refused before anything is opened. */
static int refuse_unready(const struct pipeline *p, const struct cli *cli, struct etl_error *err)
{
	/* A verb that can be run dry writes when it is not. */
	bool writes = (cli->verb->takes & CLI_DRY_RUN) && !cli->dry_run;
	int rc = 0;

	if (p->unready)
		return error_set(err, ETL_USAGE, "%s", p->unready);
	if (writes && p->on_existing != ETL_EXISTING_FAIL && p->on_existing_from_command &&
	    !cli->run.yes)
		return error_set(err, ETL_USAGE,
				 "--set on_existing=%s destroys what is in the target; add --yes, "
				 "or write it in the pipeline file",
				 p->on_existing == ETL_EXISTING_REPLACE ? "replace" : "truncate");
	if ((p->mode == ETL_APPEND && !(p->target.plugin->target.flags & ETL_APPENDS)) ||
	    (pipeline_merges(p) && !(p->target.plugin->target.flags & ETL_MERGES)))
		return error_set(err, ETL_USAGE,
				 "plugin %s does not %s; write mode = \"copy\"",
				 p->target.plugin->base.name,
				 p->mode == ETL_APPEND ? "append to tables that are there" :
							 "merge into tables that are there");
	if (p->mode == ETL_SYNC && !(p->target.plugin->target.flags & ETL_NAMED_DELETES))
		for (size_t i = 0; i < p->table_count; i++)
			if (p->tables[i].deletes != ETL_DELETE_NONE)
				return error_set(err, ETL_USAGE,
						 "%s: plugin %s deletes only in mode = \"merge\"; write that mode, or "
						 "delete = \"none\"",
						 p->tables[i].origin.text, p->target.plugin->base.name);
	if (p->commit.given)
		rc = refuse_batches(p, err);
	if (rc < 0)
		return rc;
	if (!(p->target.plugin->target.flags & ETL_DDL) && (p->before.count || p->after_load.count))
		return error_set(err, ETL_USAGE,
				 "before and after_load need a target that runs SQL; %s does not",
				 p->target.plugin->base.name);
	return 0;
}

/* Unless the file says so: rows that were orphans in a source that does not enforce its keys are
 * carried into a target that does not either, and reported; a run that leaves rows out, or sets its
 * rows beside parents that it did not bring, must not make new ones, nor may they break keys that DDL of the
 * target's own makes. */
static int32_t key_policy(struct run *run)
{
	const struct pipeline *p = run->pipeline;
	bool loose = (p->source.plugin->store.flags & p->target.plugin->store.flags &
		      ETL_UNENFORCED_KEYS) != 0;

	if (p->foreign_keys >= 0)
		return p->foreign_keys;
	/* What others keep in the target is not ours to break. */
	if (p->mode != ETL_COPY && !(run->info.flags & (ETL_RUN_EMPTY | ETL_RUN_PARTIAL)))
		return ETL_FK_ENFORCE;
	for (size_t i = 0; i < run->jobs.count; i++)
		loose &= run->jobs.at[i]->keeps_rows && !run->jobs.at[i]->given;
	loose = loose && !shape_keys_reach_out(&run->jobs);
	return loose || (run->info.flags & ETL_RUN_PARTIAL) ? ETL_FK_REPORT : ETL_FK_ENFORCE;
}

static int ask_source(struct run *run, struct etl_error *err)
{
	int rc = 0;

	if (run->pipeline->target.plugin->target.flags & ETL_ASKS_SOURCE)
		rc = run_place(run->source, run->source_place, sizeof(run->source_place), err);
	if (run->source_place[0])
		run->limits.source = run->source_place;
	return rc;
}

/* One view for everything that is read: also for the profile, which looks before the jobs are
 * made. */
static int pin_source(struct run *run, struct etl_error *err)
{
	struct instance *source = run->source;
	struct retry retry = retry_of(source, "opening a consistent view");
	int rc;

	if (run->pinned || !source->plugin->can_pin)
		return 0;
	do
		rc = source->plugin->source.pin(source->self, &run->pin,
						instance_error(source, err));
	while (rc < 0 && retry_again(&retry, err));
	run->pinned = source->pinned = rc == 0;
	return rc;
}

static int make_jobs(struct run *run, struct etl_error *err)
{
	struct jobs_setup setup = { .pipeline = run->pipeline,
				    .options = &run->cli->run,
				    .source = run->source,
				    .target = run->target,
				    .pin = run->pinned ? &run->pin : NULL,
				    .limits = &run->limits,
				    .run = &run->info,
				    .looks = run->cli->verb->looks };

	return jobs_make(&setup, &run->jobs, err);
}

/* For plugins that must know the other tables of the run. */
static int list_loads(struct run *run, struct etl_error *err)
{
	struct jobs *jobs = &run->jobs;
	const struct etl_load **loads = etl_arena_alloc(&jobs->arena, (jobs->count + 1) * sizeof(*loads));

	if (!loads)
		return error_memory(err);
	for (size_t i = 0; i < jobs->count; i++)
		loads[i] = &jobs->at[i]->load;
	run->info.loads = loads;
	run->info.load_count = jobs->count;
	return 0;
}

/* A run of mode = "sync" leaves out what the target has; who looks wants to see it. */
static void see_every_row(struct run *run)
{
	for (size_t i = 0; i < run->jobs.count; i++) {
		changes_free(run->jobs.at[i]->changes);
		run->jobs.at[i]->changes = NULL;
	}
}

int run_open(struct run *run, const struct cli *cli, const struct pipeline *pipeline,
	     struct etl_error *err)
{
	struct etl_version version;
	int rc;

	memset(run, 0, sizeof(*run));
	run->cli = cli;
	run->pipeline = pipeline;
	run->started = run_clock();
	make_id(run);
	log_run(run->id);
	make_limits(run);
	make_intent(run);
	make_info(run);
	rc = refuse_unready(pipeline, cli, err);
	if (rc == 0)
		rc = instance_open(&pipeline->source, ETL_ROLE_SOURCE, &run->limits, &run->source,
				   err);
	if (rc == 0)
		rc = ask_source(run, err);
	if (rc == 0 && run->limits.intent != ETL_LOOKS)
		rc = pace_check(pipeline, run->source, err);
	if (rc == 0)
		rc = instance_open(&pipeline->target, ETL_ROLE_TARGET, &run->limits, &run->target,
				   err);
	if (rc == 0)
		rc = run_state_path(pipeline, run->target, run->state_path, sizeof(run->state_path),
				    err);
	if (rc == 0)
		rc = run_place(run->target, run->place, sizeof(run->place), err);
	if (rc == 0 && run->limits.intent != ETL_LOOKS)
		rc = needed_version(run->target, &version, err);
	if (rc == 0 && !(run->target->plugin->store.flags & ETL_DYNAMIC))
		rc = pin_source(run, err);
	if (rc == 0)
		rc = make_jobs(run, err);
	if (rc == 0 && cli->verb->looks)
		see_every_row(run);
	if (rc == 0)
		rc = list_loads(run, err);
	if (rc < 0)
		return rc;
	if (run->jobs.existing.count == 0)
		run->info.flags |= ETL_RUN_EMPTY;
	run->info.foreign_keys = key_policy(run);
	return plan_make(&run->jobs, run->target, &run->plan, err);
}

/* ---- The state's place ---- */

struct facts {
	struct etl_fact_sink sink;
	char *file;
	size_t size;
};

static int on_fact(struct etl_fact_sink *self, const char *name, const char *value)
{
	struct facts *facts = (struct facts *)(void *)self;

	if (strcmp(name, "file") == 0)
		snprintf(facts->file, facts->size, "%s", value);
	return 0;
}

int run_place(struct instance *target, char *buf, size_t size, struct etl_error *err)
{
	struct facts facts = { { on_fact }, buf, size };
	struct retry retry = retry_of(target, "connecting");
	int rc;

	*buf = '\0';
	do
		rc = target->plugin->store.ping(target->self, &facts.sink,
						instance_error(target, err));
	while (rc < 0 && retry_again(&retry, err));
	return rc;
}

int run_state_path(const struct pipeline *p, struct instance *target, char *buf, size_t size,
		   struct etl_error *err)
{
	char file[4000] = "";
	int rc;

	if (p->state) {
		snprintf(buf, size, "%s", p->state);
		return 0;
	}
	rc = run_place(target, file, sizeof(file), err);
	if (rc < 0)
		return rc;
	if (*file)
		snprintf(buf, size, "%s.etlrun", file);
	else
		snprintf(buf, size, "%s/%s.etlrun", p->folder, p->name);
	return 0;
}

void run_rejects_own(const char *state_path, const char *id, char *buf, size_t size)
{
	static const char suffix[] = ".etlrun";
	size_t length = strlen(state_path), end = sizeof(suffix) - 1;

	if (length > end && strcmp(state_path + length - end, suffix) == 0)
		length -= end;
	snprintf(buf, size, "%.*s.rejects-%s.jsonl", (int)length, state_path, id);
}

void run_rejects_path(const struct run *run, const char *id, char *buf, size_t size)
{
	if (run->pipeline->rejects_file)
		snprintf(buf, size, "%s", run->pipeline->rejects_file);
	else
		run_rejects_own(run->state_path, id, buf, size);
}

void run_rejects_file(const struct pipeline *p, const char *state_path, const char *id, char *buf,
		      size_t size)
{
	run_rejects_own(state_path, id, buf, size);
	if (p->rejects_file && access(buf, F_OK) < 0)
		snprintf(buf, size, "%s", p->rejects_file);
}

/* ---- Pin and splits ---- */

static int64_t splits_wanted(const struct run *run, const struct job *job)
{
	bool few = job->cursor && job->cursor->reads; /* an index finds them, and the splits are of all rows */

	return run->cli->run.limit || job->one_stream || few ? 1 : job_splits_wanted(job);
}

int run_pin(struct run *run, struct etl_error *err)
{
	struct instance *source = run->source;
	size_t all = 0;
	int rc = pin_source(run, err);

	if (rc == 0)
		rc = cursors_find(run, err);
	if (rc == 0 && run->cli->replay)
		return replay_plan(run->cli->replay, &run->jobs, err);
	for (size_t i = 0; i < run->jobs.count && rc == 0; i++) {
		struct job *job = run->jobs.at[i];
		struct split_list splits = { .at = NULL };
		struct etl_read read = { .dataset = job->dataset,
					 .want = &job->want,
					 .limit = run->cli->run.limit };

		job->first_split = all;
		/* With --from there is nothing to do for it. */
		if ((run->cli->run.from && !job->changes) || maps_is_map(job))
			continue;
		rc = split_list_plan(&splits, source, &read, splits_wanted(run, job), err);
		rc = run_alone(run, job, rc, err);
		job->splits = splits.at;
		job->split_count = splits.count;
		if (rc == 0)
			rc = sweep_plan(job, err);
		all += job->split_count;
		if (rc == 0 && job->one_stream && job->split_count > 1 && !sweep_is_on(job))
			rc = error_set(
				err, ETL_BUG,
				"plugin %s gave %zu splits of \"%s\" where one was asked for",
				source->plugin->base.name, job->split_count, job_source_name(job));
	}
	return rc;
}

void run_close(struct run *run)
{
	progress_stop(run->progress);
	instance_close(run->source);
	instance_close(run->target);
	plan_free(&run->plan);
	jobs_free(&run->jobs);
	rejects_free(run->rejects);
	journal_free(&run->journal);
	interrupted_free(&run->was);
	state_close(run->state);
	lock_release(run->lock);
	report_free(&run->report);
	free(run->bars);
	bound_free(run->flow.bound);
	pace_free(run->flow.pace);
}
