/*
 * The life of a run, top to bottom, in the order of RUN.md:
 *
 *   open → describe → design (run-open.c) → lock → pin → begin → load → screen → finish → validate
 *   → publish → report
 *
 * Until publish the target is untouched; whatever fails before leads to abandon, which removes the
 * staging place.
 */
#include "config.h"

#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fault.h"
#include "log.h"
#include "places.h"
#include "replay.h"
#include "run-parts.h"
#include "signals.h"
#include "watch.h"

#define STATE_PERIOD_US 1000000 /* between two writes of how far the load is */

/* A phase as people read it; NULL: what the tables say is better. */
static const char *phase_words(const char *phase)
{
	static const char *const words[][2] = {
		{ "screen", "checking foreign keys" },
		{ "finish", "making indexes, views and triggers" },
		{ "validate", "validating" },
		{ "after_load", "running after_load" },
		{ "publish", "publishing" },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strcmp(words[i][0], phase) == 0)
			return words[i][1];
	return NULL;
}

static int enter(struct run *run, const char *phase, struct etl_error *err)
{
	if (host_canceled())
		return ETL_CANCELED;
	log_line(ETL_LOG_DEBUG, "phase %s", phase);
	progress_phase(run->progress, phase_words(phase));
	return run->state ? state_run_phase(run->state, run->id, phase, err) : 0;
}

/* ---- lock ---- */

static int abort_left(const struct state_left *left, void *data)
{
	struct run *run = data;
	struct etl_error err = ERROR_INIT;
	struct etl_table table = { .name = left->table };
	struct etl_load load = {
		.run = &run->info, .table = &table, .source_name = left->table, .index = left->index
	};
	struct instance *target = run->target;

	if (target->plugin->target.abort(target->self, &load, &left->token,
					 instance_error(target, &err)) < 0) {
		log_line(ETL_LOG_WARN, "what run %s left behind could not be removed: %s",
			 left->run, err.message ? err.message : "no memory");
	} else {
		log_line(ETL_LOG_DEBUG, "removed what run %s left behind of \"%s\"", left->run,
			 left->table);
	}
	error_clear(&err);
	return 0;
}

/* Beside the target the state cannot be written where the target cannot either: exit 4, not 10. */
static void blame_folder(const struct run *run, struct etl_error *err)
{
	char folder[sizeof(run->state_path)];

	snprintf(folder, sizeof(folder), "%s", run->state_path);
	if (run->pipeline->state || err->klass != ETL_MEMORY ||
	    access(dirname(folder), W_OK | X_OK) == 0)
		return;
	err->klass = ETL_FATAL;
	err->role = ETL_ROLE_TARGET;
	snprintf(err->plugin, sizeof(err->plugin), "%s", run->target->plugin->base.name);
}

/* A replay is told by whose rows it tried again. */
static int begin_state(struct run *run, struct etl_error *err)
{
	const char *of = run->cli->replay ? replay_of(run->cli->replay) : NULL;
	char verb[128];

	snprintf(verb, sizeof(verb), "%s%s", of ? "replay " : run->cli->verb->name, of ? of : "");
	return state_run_begin(run->state, &run->info, verb, err);
}

/* One run at a time; what a dead one left behind is cleaned up, because nobody else can be using
 * it. */
static int lock_run(struct run *run, struct etl_error *err)
{
	int rc;

	snprintf(run->lock_path, sizeof(run->lock_path), "%s.lock", run->state_path);
	run_rejects_path(run, run->id, run->rejects_path, sizeof(run->rejects_path));
	rc = lock_take(run->lock_path, &run->lock, err);
	if (rc == 0)
		rc = state_open(run->state_path, true, &run->state, err);
	if (rc < 0)
		blame_folder(run, err);
	if (rc == 0)
		rc = state_cleanup(run->state, abort_left, run, err);
	if (rc == 0)
		rc = begin_state(run, err);
	return rc < 0 ? rc :
			rejects_open(run->pipeline, run->id, run->rejects_path, &run->rejects, err);
}

/* ---- begin ---- */

/* The first staging place is written down before there can be a second one to lose. */
static int begin(struct run *run, struct etl_error *err)
{
	struct instance *target = run->target;
	int rc = 0;

	for (size_t i = 0; i < run->jobs.count && rc == 0; i++) {
		struct job *job = run->jobs.at[i];

		rc = target->plugin->target.begin(target->self, &job->load, &job->token,
						  instance_error(target, err));
		job->begun = rc == 0;
		run->begun |= job->begun;
		if (rc == 0 && i == 0)
			rc = state_run_loads(run->state, &run->jobs, run->id, err);
	}
	if (rc == 0)
		rc = state_run_loads(run->state, &run->jobs, run->id, err);
	for (size_t i = 0; i < run->jobs.others.count && rc == 0; i++)
		rc = target->plugin->target.begin(target->self, &run->jobs.other_loads[i],
						  &run->jobs.other_tokens[i],
						  instance_error(target, err));
	run->begun |= rc == 0 && run->jobs.others.count > 0;
	return rc;
}

static const struct etl_token *token_of(const struct run *run, const struct etl_step *step)
{
	if (step->load < run->jobs.count)
		return &run->jobs.at[step->load]->token;
	if (step->load < run->jobs.count + run->jobs.others.count)
		return &run->jobs.other_tokens[step->load - run->jobs.count];
	return run->jobs.count ? &run->jobs.at[0]->token : &run->jobs.other_tokens[0];
}

int run_apply(struct run *run, const struct etl_step *step, struct etl_found_sink *found,
	      struct etl_error *err)
{
	struct instance *target = run->target;
	const struct etl_load *load = plan_load(&run->jobs, step);

	if (!load)
		load = run->jobs.count ? &run->jobs.at[0]->load : &run->jobs.other_loads[0];
	if (host_canceled())
		return ETL_CANCELED;
	log_line(ETL_LOG_DEBUG, "%s: %s %s", phase_name(step->phase), step->kind,
		 step->object ? step->object : "");
	return target->plugin->schema.apply(target->self, load, token_of(run, step), step, found,
					    instance_error(target, err));
}

static int no_finds(struct etl_found_sink *self, const struct etl_found *found)
{
	(void)self;
	log_line(ETL_LOG_WARN, "%s: %s", found->table, found->reason);
	return 0;
}

/* An index of a large table takes minutes: which one is it? */
static void show_step(struct run *run, const struct etl_step *step)
{
	char words[256];

	snprintf(words, sizeof(words), "making %s %s", step->kind,
		 step->object ? step->object : "");
	progress_phase(run->progress, words);
}

struct job *run_job_of(const struct run *run, const struct etl_step *step)
{
	return step->load < run->jobs.count ? run->jobs.at[step->load] : NULL;
}

int run_alone(struct run *run, struct job *job, int rc, struct etl_error *err)
{
	if (rc >= 0 || !job || !job_fails_alone(run->pipeline, err))
		return rc;
	job_fail(job, err);
	return 0;
}

static int apply_phase(struct run *run, int32_t phase, struct etl_error *err)
{
	struct etl_found_sink sink = { .emit = no_finds };
	int rc = 0;

	for (size_t i = 0; i < run->plan.count && rc == 0; i++) {
		const struct etl_step *step = &run->plan.at[i];
		struct job *job = run_job_of(run, step);

		if (step->phase != phase || !step->sql || (job && job->failed))
			continue;
		show_step(run, step);
		rc = run_alone(run, job, run_apply(run, step, &sink, err), err);
	}
	return rc;
}

/* The pipeline's own SQL, in the staging place, so that it is published with the rows or not at
 * all. */
static int apply_sql(struct run *run, const char *key, const struct string_list *list,
		     enum report_phase phase, struct etl_error *err)
{
	struct etl_found_sink sink = { .emit = no_finds };
	int rc = 0;

	for (size_t i = 0; i < list->count && rc == 0; i++) {
		struct etl_step step = { .phase = phase == REPORT_BEFORE ? ETL_PHASE_PREPARE :
									   ETL_PHASE_LAST,
					 .kind = "sql",
					 .object = key,
					 .sql = list->at[i],
					 .load = UINT64_MAX };
		int64_t start = run_clock();
		struct report_line *line;

		rc = run_apply(run, &step, &sink, err);
		line = report_add(&run->report, phase, list->at[i]);
		if (!line)
			return error_memory(err);
		line->seconds = (double)(run_clock() - start) / 1e6;
	}
	return rc;
}

/* ---- prepare, load ---- */

static int prepare(struct run *run, struct etl_error *err)
{
	int64_t start = run_clock();
	struct report_line *line;
	int rc = 0;

	/* The settings of the database, then `before`, then its tables. */
	for (size_t i = 0; i < run->plan.count && rc == 0; i++) {
		struct etl_found_sink sink = { .emit = no_finds };
		const struct etl_step *step = &run->plan.at[i];

		if (step->phase == ETL_PHASE_PREPARE && step->sql && step->load >= run->jobs.count)
			rc = run_apply(run, step, &sink, err);
	}
	if (rc == 0)
		rc = apply_sql(run, "before", &run->pipeline->before, REPORT_BEFORE, err);
	for (size_t i = 0; i < run->plan.count && rc == 0; i++) {
		struct etl_found_sink sink = { .emit = no_finds };
		const struct etl_step *step = &run->plan.at[i];

		if (step->phase == ETL_PHASE_PREPARE && step->sql && step->load < run->jobs.count)
			rc = run_apply(run, step, &sink, err);
	}
	line = report_add(&run->report, REPORT_BEFORE, "tables made");
	if (!line)
		return error_memory(err);
	line->seconds = (double)(run_clock() - start) / 1e6;
	return rc;
}

static int start_progress(struct run *run, struct etl_error *err)
{
	run->bars = calloc(run->jobs.count + 1, sizeof(*run->bars));
	if (!run->bars)
		return error_memory(err);
	for (size_t i = 0; i < run->jobs.count; i++) {
		struct job *job = run->jobs.at[i];
		int64_t limit = run->cli->run.limit;

		run->bars[i].name = job->target->name;
		run->bars[i].expected = limit && (job->source->rows < 0 ||
						  job->source->rows > limit) ?
						limit :
						job->source->rows;
		job->progress = &run->bars[i];
	}
	run->progress = progress_start(run->bars, run->jobs.count,
				       !run->cli->no_progress && run->cli->level >= ETL_LOG_INFO);
	return 0;
}

/* Once a second, for `status`. That it could not be written is seen at the end of the load. */
static void tell_state(void *data)
{
	struct run *run = data;
	struct etl_error ignored = ERROR_INIT;
	int64_t now = run_clock();

	if (!run->state || atomic_exchange(&run->telling, true))
		return;
	if (now - run->told >= STATE_PERIOD_US) {
		state_run_progress(run->state, &run->jobs, run->id, &ignored);
		error_clear(&ignored);
		run->told = now;
	}
	atomic_store(&run->telling, false);
}

static int load(struct run *run, struct etl_error *err)
{
	int rc;

	int32_t most = run->target->plugin->target.max_instances, workers = run->pipeline->workers;

	if (run->info.flags & ETL_RUN_SCHEMA_ONLY)
		return 0;
	run->flow.pipeline = run->pipeline;
	run->flow.jobs = &run->jobs;
	run->flow.source = run->source;
	run->flow.target = run->target;
	run->flow.pin = run->pinned ? &run->pin : NULL;
	run->flow.rejects = run->rejects;
	run->flow.limits = run->limits;
	run->flow.row_limit = run->cli->run.limit;
	/* Without a common view only one reader sees one state. */
	run->flow.readers = run->pinned ? workers : 1;
	run->flow.writers = most > 0 && most < workers ? most : workers;
	run->flow.staged = tell_state;
	run->flow.data = run;
	rc = flow_run(&run->flow, err);
	return rc < 0 || !run->state ? rc :
				       state_run_progress(run->state, &run->jobs, run->id, err);
}

/* ---- finish ---- */

static int finish(struct run *run, struct etl_error *err)
{
	int64_t start = run_clock();
	struct report_line *line;
	int rc = apply_phase(run, ETL_PHASE_FINISH, err);

	if (rc == 0)
		rc = apply_phase(run, ETL_PHASE_LAST, err);
	line = report_add(&run->report, REPORT_AFTER, "indexes, views, triggers");
	if (!line)
		return error_memory(err);
	line->seconds = (double)(run_clock() - start) / 1e6;
	return rc;
}

/* ---- publish ---- */

static bool every_table_failed(const struct run *run)
{
	size_t failed = 0;

	for (size_t i = 0; i < run->jobs.count; i++)
		failed += run->jobs.at[i]->failed;
	return failed > 0 && failed == run->jobs.count;
}

/* In the order in which publish listed the loads. */
static void keep_outcomes(struct run *run, const struct etl_outcome *outcomes)
{
	size_t count = 0;

	for (size_t i = 0; i < run->jobs.count; i++)
		if (!run->jobs.at[i]->failed)
			run->jobs.at[i]->outcome = outcomes[count++];
}

static int publish(struct run *run, struct etl_error *err)
{
	struct instance *target = run->target;
	size_t room = run->jobs.count + run->jobs.others.count, count = 0;
	const struct etl_load **loads = calloc(room + 1, sizeof(*loads));
	const struct etl_token **tokens = calloc(room + 1, sizeof(*tokens));
	struct etl_outcome *outcomes = calloc(room + 1, sizeof(*outcomes));
	char state[128] = "{}";
	uint64_t *withheld = calloc(room + 1, sizeof(*withheld));
	struct etl_found_sink found = { .emit = no_finds };
	struct etl_token kept = { "" };
	struct etl_commit commit = { .run = &run->info,
				     .loads = loads,
				     .tokens = tokens,
				     .outcomes = outcomes,
				     .withheld = withheld,
				     .state = state,
				     .found = &found,
				     .kept = &kept };
	int64_t start = run_clock();
	struct report_line *line;
	int rc = loads && tokens && outcomes && withheld ? 0 : error_memory(err);

	if (run->cli->replay)
		snprintf(state, sizeof(state), "{\"replays\":\"%s\"}", replay_of(run->cli->replay));

	for (size_t i = 0; i < run->jobs.count && rc == 0; i++) {
		if (run->jobs.at[i]->failed)
			continue;
		loads[count] = &run->jobs.at[i]->load;
		outcomes[count].inserted = run->jobs.at[i]->staged;
		withheld[count] = run->jobs.at[i]->rejected - run->jobs.at[i]->rejected_by_target;
		tokens[count++] = &run->jobs.at[i]->token;
	}
	for (size_t i = 0; i < run->jobs.others.count && rc == 0; i++) {
		loads[count] = &run->jobs.other_loads[i];
		tokens[count++] = &run->jobs.other_tokens[i];
	}
	commit.load_count = count;
	if (rc == 0)
		rc = target->plugin->target.commit(target->self, &commit,
						   instance_error(target, err));
	run->published = rc == 0;
	if (rc == 0) {
		keep_outcomes(run, outcomes);
		rc = run_check_outcomes(run, err);
	}
	free(withheld);
	free(loads);
	free(tokens);
	free(outcomes);
	line = report_add(&run->report, REPORT_AFTER, "published");
	if (line)
		line->seconds = (double)(run_clock() - start) / 1e6;
	return rc;
}

/* ---- The failure path ---- */

/* Takes the staging place away. The cancel switch is off meanwhile: cleaning up is no longer the
 * run. */
static void abandon(struct run *run)
{
	struct instance *target = run->target;
	bool first = true;

	if (!run->begun)
		return;
	host_cancel_reset();
	for (size_t i = 0; i < run->jobs.count; i++) {
		struct job *job = run->jobs.at[i];
		struct etl_error err = ERROR_INIT;

		if (!job->begun ||
		    (!first && strcmp(job->token.text, run->jobs.at[0]->token.text) == 0))
			continue;
		first = false;
		if (target->plugin->target.abort(target->self, &job->load, &job->token,
						 instance_error(target, &err)) < 0)
			log_error(&err);
		error_clear(&err);
	}
	if (first && run->jobs.others.count) {
		struct etl_error err = ERROR_INIT;

		if (target->plugin->target.abort(target->self, &run->jobs.other_loads[0],
						 &run->jobs.other_tokens[0],
						 instance_error(target, &err)) < 0)
			log_error(&err);
		error_clear(&err);
	}
}

/* ---- The story ---- */

static int carry_out(struct run *run, struct etl_error *err)
{
	const char *rejects;
	int rc = run_pin(run, err);

	if (rc == 0)
		plan_warn(&run->jobs, &run->plan, run->info.flags);
	if (rc == 0 && !(rc = enter(run, "begin", err)))
		rc = begin(run, err);
	if (rc == 0 && !(rc = enter(run, "prepare", err)))
		rc = prepare(run, err);
	if (rc == 0)
		rc = run_add_lines(run, err);
	if (rc == 0)
		rc = start_progress(run, err);
	if (rc == 0 && !(rc = enter(run, "load", err)))
		rc = load(run, err);
	if (rc == 0)
		rc = run_check_counts(run, err);
	if (rc == 0 && !(rc = enter(run, "screen", err)))
		rc = run_screen(run, err);
	if (rc == 0 && !(rc = enter(run, "finish", err)))
		rc = finish(run, err);
	if (rc == 0 && !(rc = enter(run, "validate", err)))
		rc = run_validate(run, err);
	if (rc == 0 && !(rc = enter(run, "after_load", err)))
		rc = apply_sql(run, "after_load", &run->pipeline->after_load, REPORT_AFTER, err);
	/* Rows that are not published must be on disk before the others are. */
	if (rc == 0)
		rc = rejects_join(run->rejects, &run->jobs, &rejects, err);
	if (rc == 0 && every_table_failed(run))
		return 0;
	if (rc == 0 && !(rc = enter(run, "publish", err)))
		rc = publish(run, err);
	return rc;
}

static int places_of(const struct cli *cli, const struct pipeline *pipeline, struct etl_error *err)
{
	int rc = place_writable("summary", cli->summary, "--summary", err);

	return rc < 0 ? rc :
			place_writable("rejects file", pipeline->rejects_file, "rejects_file", err);
}

int run_pipeline(const struct cli *cli, const struct pipeline *pipeline, struct etl_error *err)
{
	struct watch *watch = watch_start();
	struct run run;
	int rc = places_of(cli, pipeline, err), code;

	if (rc < 0) {
		watch_stop(watch);
		return rc;
	}
	rc = code = run_open(&run, cli, pipeline, err);

	if (rc == 0)
		log_note("run %s of %s: %s to %s, %zu table%s", run.id, pipeline->name,
			 pipeline->source.plugin->base.name, pipeline->target.plugin->base.name,
			 run.jobs.count, run.jobs.count == 1 ? "" : "s");
	run.report.run = strdup(run.id);
	run.report.pipeline = strdup(pipeline->name);
	run.report.verb = strdup(cli->verb->name);
	if (rc == 0)
		rc = code = lock_run(&run, err);
	if (rc < 0)
		run_summarise_failure(cli, pipeline, run.id, err);
	if (rc == 0) {
		rc = carry_out(&run, err);
		if (!run.published)
			abandon(&run);
		code = run_settle(&run, rc, err);
		/* Of an interrupted run the last line is the command that goes on. */
		if (signals_caught() && err->set) {
			log_error(err);
			error_clear(err);
		}
		if (run_show(&run, err) < 0 && (code == 0 || code == EXIT_REJECTED))
			code = ETL_FAILED;
	}
	/* The root cause is the last line, below the report. */
	run_close(&run);
	watch_stop(watch);
	if (code > 0 && err->set) {
		log_error(err);
		error_clear(err);
	}
	return code;
}
