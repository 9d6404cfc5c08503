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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "changes.h"
#include "conflicts.h"
#include "fault.h"
#include "log.h"
#include "maps.h"
#include "places.h"
#include "remark.h"
#include "replay.h"
#include "request.h"
#include "retry.h"
#include "run-parts.h"
#include "saved.h"
#include "signals.h"
#include "watch.h"

#define STATE_PERIOD_US 1000000 /* between two writes of how far the load is */

/* A phase as people read it; NULL: what the tables say is better. */
static const char *phase_words(const char *phase)
{
	static const char *const words[][2] = {
		{ "screen", "checking constraints" },
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
	/* The phases that an interrupted run is through are passed again, in a moment. */
	progress_phase(run->progress, phase_words(phase));
	return run->state ? state_run_phase(run->state, run->id, phase, err) : 0;
}

/* ---- lock ---- */

static int lock_run(struct run *run, struct etl_error *err)
{
	char words[160];
	int rc = run_take_lock(run, err);

	if (rc < 0 || run->nothing)
		return rc;
	log_note("run %s of %s: %s to %s, %zu table%s", run->id, run->pipeline->name,
		 run->pipeline->source.plugin->base.name, run->pipeline->target.plugin->base.name,
		 run->jobs.count, run->jobs.count == 1 ? "" : "s");
	plan_rollback(run->pipeline, &run->jobs, words, sizeof(words));
	log_note("rollback of this run: %s", words);
	if (plan_batches(run->pipeline, words, sizeof(words)))
		log_note("published %s", words);
	run_rejects_path(run, run->id, run->rejects_path, sizeof(run->rejects_path));
	return rejects_open(run->pipeline, run->id, run->rejects_path, &run->rejects, err);
}

/* ---- begin ---- */

static int begin_load(struct instance *target, const struct etl_load *load, struct etl_token *token,
		      struct etl_error *err)
{
	struct retry retry = retry_of(target, "making the staging place");
	int rc;

	do
		rc = target->plugin->target.begin(target->self, load, token,
						  instance_error(target, err));
	while (rc < 0 && retry_again(&retry, err));
	return rc;
}

/* Tables of another schema have a staging place of their own. */
static bool is_elsewhere(const struct jobs *jobs, size_t i)
{
	return i == 0 || (jobs->at[i]->schema && jobs->at[i - 1]->schema &&
			  strcmp(jobs->at[i]->schema, jobs->at[i - 1]->schema) != 0);
}

/* A staging place is written down before there can be a second one to lose. */
static int begin_loads(struct run *run, struct etl_error *err)
{
	struct instance *target = run->target;
	int rc = 0;

	for (size_t i = 0; i < run->jobs.count && rc == 0; i++) {
		struct job *job = run->jobs.at[i];

		rc = begin_load(target, &job->load, &job->token, err);
		job->begun = rc == 0;
		run->begun |= job->begun;
		if (rc == 0 && is_elsewhere(&run->jobs, i))
			rc = state_run_loads(run->state, &run->jobs, run->id, err);
	}
	if (rc == 0)
		rc = state_run_loads(run->state, &run->jobs, run->id, err);
	for (size_t i = 0; i < run->jobs.others.count && rc == 0; i++) {
		rc = begin_load(target, &run->jobs.other_loads[i], &run->jobs.other_tokens[i], err);
		run->begun |= rc == 0;
		if (rc == 0 && jobs_has_own_place(&run->jobs, i))
			rc = state_run_loads(run->state, &run->jobs, run->id, err);
	}
	return rc;
}

/* A target that can say where it stands is asked before each piece of work. A replay reads a file of
 * rejects, which is soon done again. */
static void start_journal(struct run *run)
{
	const struct plugin *plugin = run->target->plugin;
	bool in_order = (plugin->target.flags & ETL_IN_ORDER) != 0;
	bool can = plugin->can_mark && (plugin->target.flags & ETL_RESUMABLE) && run->jobs.count > 0;

	run->marks = can && !in_order;
	run->journal.in_order = in_order;
	if (can && !run->cli->replay)
		journal_start(&run->journal, run->state, run->id, run->target,
			      &run->jobs.at[0]->token, in_order);
}

/* Before anything is made: a copy of what will be read, where the pipeline asks for one. */
static int keep_source(struct run *run, struct etl_error *err)
{
	struct instance *source = run->source;
	struct etl_token kept = { "" };
	int rc;

	if (!source || !source->plugin->can_backup || run->info.flags & ETL_RUN_RESUMED || run->cli->replay)
		return 0;
	rc = source->plugin->source.backup(source->self, &run->info, &kept, instance_error(source, err));
	if (rc == 0 && *kept.text)
		log_note("the source was copied to %s", kept.text);
	return rc;
}

/* Of a sync what changed is found anew: what was staged hung on what the target had then. So did new keys, and those that
 * were given were never written down. */
static bool stages_for_others(const struct run *run)
{
	return run->pipeline->mode != ETL_SYNC && !maps_any(&run->jobs);
}

/* What an interrupted run staged is taken up, or, where it is not what it should be, made anew. */
static int begin(struct run *run, struct etl_error *err)
{
	bool usable = false;
	int rc = begin_loads(run, err);

	if (rc < 0)
		return rc;
	ETL_FAULT("run.begun");
	start_journal(run);
	if (run->info.flags & ETL_RUN_RESUMED) {
		rc = run->journal.state && stages_for_others(run) ? run_take_up(run, &usable, err) : 0;
		if (rc == 0 && !usable) {
			rc = run_start_over(run, err);
			if (rc == 0)
				rc = begin_loads(run, err);
		}
	}
	return rc < 0 || !run->cli->resume ? rc : run_take_rejects(run, err);
}

/* ---- load ---- */

static int start_progress(struct run *run, struct etl_error *err)
{
	run->bars = calloc(run->jobs.count + 1, sizeof(*run->bars));
	if (!run->bars)
		return error_memory(err);
	for (size_t i = 0; i < run->jobs.count; i++) {
		struct job *job = run->jobs.at[i];
		int64_t limit = run->cli->run.limit;

		run->bars[i].name = job_name(job);
		run->bars[i].expected = limit && (job->source->rows < 0 ||
						  job->source->rows > limit) ?
						limit :
						job->source->rows;
		job->progress = &run->bars[i];
		atomic_store(&run->bars[i].rows, job->passed);
		atomic_store(&run->bars[i].bytes, job->bytes);
		if (job->split_count && job->splits_done == job->split_count)
			atomic_store(&run->bars[i].state, 2);
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

static int say_bound(const struct run *run, struct etl_error *err)
{
	struct etl_text words = { 0 };

	bound_words(run->flow.bound, &run->jobs, &words);
	if (words.length)
		remark_put("max_rows", words.at);
	etl_text_free(&words);
	return words.failed ? error_memory(err) : 0;
}

static int say_conflicts(const struct run *run, struct etl_error *err)
{
	struct etl_text words = { 0 };
	bool failed;

	conflicts_words(&run->jobs, &words);
	if (words.length)
		remark_put("conflicts", words.at);
	failed = words.failed;
	etl_text_free(&words);
	return failed ? error_memory(err) : 0;
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
	rc = pace_new(run->pipeline, &run->limits, &run->flow.pace, err);
	if (rc < 0)
		return rc;
	pace_shows(run->flow.pace, run->progress);
	run->flow.readers = run->pinned ? workers : 1;
	if (run->pipeline->max_rows && !run->cli->replay) {
		run->flow.readers = 1;
		run->flow.bound = bound_new(&run->jobs, run->pipeline->max_rows);
		if (!run->flow.bound)
			return error_memory(err);
	}
	run->flow.writers = most > 0 && most < workers ? most : workers;
	run->flow.in_order = run->journal.in_order;
	run->flow.marks = run->marks || run->journal.state;
	run->flow.moved = tell_state;
	run->flow.origins_left = &run->origins_left;
	run_keep_origins(run);
	run->flow.journal = &run->journal;
	run->flow.data = run;
	rc = maps_look_ahead(&run->flow, err);
	if (rc == 0)
		rc = flow_run(&run->flow, err);
	if (rc == 0 && run->flow.bound && !bound_close(run->flow.bound))
		rc = error_memory(err);
	/* The children of a row go before it. */
	for (size_t i = run->jobs.count; i-- > 0 && rc == 0;)
		if (run->jobs.at[i]->changes && !run->jobs.at[i]->failed &&
		    (run->flow.bound || run->jobs.at[i]->split_count == 0))
			rc = changes_settle(&run->flow, run->jobs.at[i], run->target, err);
	if (rc == 0)
		rc = say_bound(run, err);
	if (rc == 0)
		rc = say_conflicts(run, err);
	return rc < 0 || !run->state ? rc :
				       state_run_progress(run->state, &run->jobs, run->id, err);
}

/* ---- screen ---- */

static int screen(struct run *run, struct etl_error *err)
{
	int rc;

	if (journal_has(&run->journal, UNIT_SCREEN, 0))
		return journal_screen_restore(&run->journal, &run->jobs, err);
	rc = journal_begin(&run->journal, UNIT_SCREEN, 0, "screen", err);
	if (rc == 0)
		rc = run_screen(run, err);
	ETL_FAULT("run.screened");
	return rc < 0 ? rc : journal_screen_done(&run->journal, &run->jobs, err);
}

/* ---- The failure path ---- */

static void abort_load(struct instance *target, const struct etl_load *load,
		       const struct etl_token *token)
{
	struct retry retry = retry_of(target, "removing the staging place");
	struct etl_error err = ERROR_INIT;
	int rc;

	do
		rc = target->plugin->target.abort(target->self, load, token,
						  instance_error(target, &err));
	while (rc < 0 && retry_again(&retry, &err));
	if (rc < 0)
		log_error(&err);
	error_clear(&err);
}

/* Takes the staging places away. The cancel switch is off meanwhile: cleaning up is no longer the
 * run. */
static void abandon(struct run *run)
{
	bool first = true;

	if (!run->begun)
		return;
	host_cancel_reset();
	for (size_t i = 0; i < run->jobs.count; i++) {
		struct job *job = run->jobs.at[i];

		if (!job->begun ||
		    (!first && strcmp(job->token.text, run->jobs.at[0]->token.text) == 0))
			continue;
		first = false;
		abort_load(run->target, &job->load, &job->token);
	}
	/* What comes beside the tables may be in schemas of its own. */
	for (size_t i = 0; i < run->jobs.others.count; i++)
		if (jobs_has_own_place(&run->jobs, i))
			abort_load(run->target, &run->jobs.other_loads[i], &run->jobs.other_tokens[i]);
}

/* A signal, a full disk, a lost connection, a lock that was not given: not the rows and not the pipeline are at fault, and what is
 * staged can be gone on with. */
static bool is_interruption(const struct etl_error *err)
{
	static const char *const states[] = { "08", "53", "57", "55P03", "40001", "40P01" };

	if (request_heard() != REQUEST_NONE)
		return request_heard() == REQUEST_PAUSE && (!err->set || err->klass != ETL_DATA);
	if (signals_caught() || !err->set || err->klass == ETL_MEMORY || retry_class(err->klass))
		return true;
	for (size_t i = 0; i < sizeof(states) / sizeof(*states); i++)
		if (strncmp(err->sqlstate, states[i], strlen(states[i])) == 0)
			return true;
	return false;
}

static void keep_or_abandon(struct run *run, int rc, const struct etl_error *err)
{
	/* Of an outcome that nobody knows nothing may be taken away. */
	run->kept = rc < 0 && run->begun &&
		    ((run->journal.state && is_interruption(err) && stages_for_others(run)) ||
		     (err->set && err->klass == ETL_OUTCOME_UNKNOWN));
	run->again = rc < 0 && !run->kept && run->pipeline->commit.given && !run->cli->replay && is_interruption(err);
	if (run->kept)
		rejects_keep(run->rejects);
	else
		abandon(run);
}

/* ---- The story ---- */

static int make(struct run *run, struct etl_error *err)
{
	int rc = enter(run, "load", err);

	ETL_FAULT("run.load");
	if (rc == 0)
		rc = load(run, err);
	if (rc == 0)
		rc = run_check_counts(run, err);
	if (rc == 0)
		rc = enter(run, "screen", err);
	ETL_FAULT("run.screen");
	if (rc == 0)
		rc = screen(run, err);
	if (rc == 0)
		rc = enter(run, "finish", err);
	ETL_FAULT("run.finish");
	return rc < 0 ? rc : run_finish(run, err);
}

/* What follows it in the interrupted run says that everything has been looked at; after_load may have changed it
 * since. */
static int validate(struct run *run, struct etl_error *err)
{
	bool validated = journal_has(&run->journal, UNIT_SEAL, 0) ||
			 journal_has(&run->journal, UNIT_AFTER, 0);
	int rc = enter(run, "validate", err);

	ETL_FAULT("run.validate");
	if (rc == 0 && validated)
		log_line(ETL_LOG_INFO, "the validators passed before the run was interrupted");
	else if (rc == 0)
		rc = run_validate(run, err);
	if (rc == 0)
		rc = enter(run, "after_load", err);
	ETL_FAULT("run.after_load");
	return rc < 0 ? rc : run_after_load(run, err);
}

static bool every_table_failed(const struct run *run)
{
	size_t failed = 0;

	for (size_t i = 0; i < run->jobs.count; i++)
		failed += run->jobs.at[i]->failed;
	return failed > 0 && failed == run->jobs.count;
}

static int carry_out(struct run *run, struct etl_error *err)
{
	const char *rejects;
	int rc = run_pin(run, err);

	if (rc == 0)
		rc = run_find_basis(run, err);
	if (rc == 0)
		plan_warn(&run->jobs, &run->plan, run->info.flags);
	if (rc == 0)
		rc = keep_source(run, err);
	if (rc == 0 && !(rc = enter(run, "begin", err)))
		rc = begin(run, err);
	ETL_FAULT("run.prepare");
	if (rc == 0 && !(rc = enter(run, "prepare", err)))
		rc = run_prepare(run, err);
	if (rc == 0)
		rc = run_add_lines(run, err);
	if (rc == 0)
		rc = start_progress(run, err);
	if (rc == 0)
		rc = make(run, err);
	if (rc == 0)
		rc = validate(run, err);
	/* Rows that are not published must be on disk before the others are. */
	if (rc == 0)
		rc = rejects_join(run->rejects, &run->jobs, &rejects, err);
	ETL_FAULT("run.rejects_joined");
	if (rc == 0 && every_table_failed(run))
		return 0;
	if (rc == 0 && !(rc = enter(run, "publish", err)))
		rc = run_publish(run, err);
	return rc;
}

static int places_of(const struct cli *cli, const struct pipeline *pipeline, struct etl_error *err)
{
	int rc = place_writable("summary", cli->summary, "--summary", err);

	return rc < 0 ? rc :
			place_writable("rejects file", pipeline->rejects_file, "rejects_file", err);
}

/* From the lock to the report; the exit code. */
static int run_through(struct run *run, struct etl_error *err)
{
	int rc = carry_out(run, err), code;

	if (!run->published)
		keep_or_abandon(run, rc, err);
	ETL_FAULT("run.before_end");
	code = run_settle(run, rc, err);
	ETL_FAULT("run.after_end");
	/* Of an interrupted run the last line is the command that goes on. */
	if ((signals_caught() || code == EXIT_PAUSED) && err->set) {
		log_error(err);
		error_clear(err);
	}
	if (run_show(run, err) < 0 && (code == 0 || code == EXIT_REJECTED))
		code = ETL_FAILED;
	return code;
}

/* The same, with an ear for other terminals. */
static int run_listening(struct run *run, struct watch *watch, struct etl_error *err)
{
	struct request_ear *ear = request_listen(run->state_path, run->id);
	int code;

	if (ear)
		watch_also(watch, request_look, ear);
	code = run_through(run, err);
	watch_also(watch, NULL, NULL);
	request_deaf(ear);
	return code;
}

int run_pipeline(const struct cli *cli, const struct pipeline *pipeline, struct etl_error *err)
{
	struct watch *watch = watch_start();
	struct run run;
	int code = places_of(cli, pipeline, err);

	if (code < 0) {
		watch_stop(watch);
		return code;
	}
	code = run_open(&run, cli, pipeline, err);
	if (code == 0 && cli->run.from)
		code = saved_take(&run, cli->run.from, err);
	if (code == 0)
		code = lock_run(&run, err);
	run.report.run = strdup(run.id);
	run.report.pipeline = strdup(pipeline->name);
	run.report.verb = strdup(cli->verb->name);
	if (code < 0)
		run_summarise_failure(cli, pipeline, run.id, err);
	else if (run.nothing)
		code = run.nothing_code;
	else
		code = run_listening(&run, watch, err);
	/* The root cause is the last line, below the report. */
	run_close(&run);
	watch_stop(watch);
	if (code > 0 && err->set) {
		log_error(err);
		error_clear(err);
	}
	return code;
}
