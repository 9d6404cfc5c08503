/*
 * The one moment at which the target changes. What it will be known by is written down before, so
 * that a process that comes later can tell whether it came to that.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <etlrun/helpers.h>

#include "conflicts.h"
#include "cursor.h"
#include "drift.h"
#include "fault.h"
#include "log.h"
#include "replay.h"
#include "retry.h"
#include "run-parts.h"

static int tell_find(struct etl_found_sink *self, const struct etl_found *found)
{
	(void)self;
	log_line(ETL_LOG_WARN, "%s: %s", found->table, found->reason);
	return 0;
}

/* In the order in which publish listed the loads. */
static void keep_outcomes(struct run *run, const struct etl_outcome *outcomes)
{
	size_t count = 0;

	for (size_t i = 0; i < run->jobs.count; i++)
		if (!run->jobs.at[i]->failed)
			run->jobs.at[i]->outcome = outcomes[count++];
}

/* What commit is given, in the order of the jobs and then the others. */
struct publishing {
	struct etl_commit commit;
	const struct etl_load **loads;
	const struct etl_token **tokens;
	struct etl_outcome *outcomes;
	uint64_t *withheld;
	struct etl_found_sink found;
	struct etl_token seal, kept;
	struct etl_text state;
};

/* The exit code of this run if it is published. */
static int code_when_published(const struct run *run)
{
	for (size_t i = 0; i < run->jobs.count; i++)
		if (run->jobs.at[i]->failed)
			return 5;
	return rejects_count(run->rejects) || run_has_parked(run) ? EXIT_REJECTED : 0;
}

/* What plugin.h promises of commit's `state`. */
static void write_state(const struct run *run, struct etl_text *to)
{
	const char *between = "";

	etl_text_addf(to, "{\"exit\":%d", code_when_published(run));
	if (run->cli->replay)
		etl_text_addf(to, ",\"replays\":\"%s\"", replay_of(run->cli->replay));
	etl_text_add(to, ",\"tables\":[");
	for (size_t i = 0; i < run->jobs.count; i++) {
		const struct job *job = run->jobs.at[i];

		if (job->failed)
			continue;
		etl_text_addf(to, "%s{\"name\":", between);
		etl_text_add_json(to, job->load.table->name, strlen(job->load.table->name));
		etl_text_addf(to, ",\"read\":%" PRIu64 ",\"staged\":%" PRIu64 ",\"rejected\":%" PRIu64,
			      job->read, job->staged, job->rejected);
		cursor_add_state(run, job, to);
		drift_add_state(run, job, to);
		etl_text_add(to, "}");
		between = ",";
	}
	etl_text_add(to, "]}");
}

static int list_loads(struct run *run, struct publishing *p, struct etl_error *err)
{
	size_t room = run->jobs.count + run->jobs.others.count + 1, count = 0;

	p->loads = calloc(room, sizeof(*p->loads));
	p->tokens = calloc(room, sizeof(*p->tokens));
	p->outcomes = calloc(room, sizeof(*p->outcomes));
	p->withheld = calloc(room, sizeof(*p->withheld));
	if (!p->loads || !p->tokens || !p->outcomes || !p->withheld)
		return error_memory(err);
	for (size_t i = 0; i < run->jobs.count; i++) {
		const struct job *job = run->jobs.at[i];

		if (job->failed)
			continue;
		p->loads[count] = &job->load;
		p->outcomes[count].inserted = job->staged;
		p->withheld[count] = job_withheld(job);
		p->tokens[count++] = &job->token;
	}
	for (size_t i = 0; i < run->jobs.others.count; i++) {
		p->loads[count] = &run->jobs.other_loads[i];
		p->tokens[count++] = &run->jobs.other_tokens[i];
	}
	write_state(run, &p->state);
	if (p->state.failed)
		return error_memory(err);
	p->commit = (struct etl_commit){ .run = &run->info,
					 .loads = p->loads,
					 .tokens = p->tokens,
					 .load_count = count,
					 .outcomes = p->outcomes,
					 .state = p->state.at,
					 .found = &p->found,
					 .withheld = p->withheld,
					 .kept = &p->kept };
	return 0;
}

static void publishing_free(struct publishing *p)
{
	free(p->loads);
	free(p->tokens);
	free(p->outcomes);
	free(p->withheld);
	etl_text_free(&p->state);
}

/* By what the target will be known is on the disk before it is changed. */
static int seal(struct run *run, struct publishing *p, struct etl_error *err)
{
	struct instance *target = run->target;
	struct retry retry = retry_of(target, "finishing what is to be published");
	int rc;

	if (journal_has(&run->journal, UNIT_SEAL, 0) && run->was.seal) {
		snprintf(p->seal.text, sizeof(p->seal.text), "%s", run->was.seal);
		return 0;
	}
	rc = journal_begin(&run->journal, UNIT_SEAL, 0, "seal", err);
	ETL_FAULT("run.before_seal");
	if (rc == 0)
		do
			rc = target->plugin->target.seal(target->self, &p->commit, &p->seal,
							 instance_error(target, err));
		while (rc < 0 && retry_again(&retry, err));
	ETL_FAULT("run.after_seal");
	if (rc == 0 && run->state)
		rc = state_run_sealed(run->state, run->id, p->seal.text, code_when_published(run),
				      err);
	return rc < 0 || !p->seal.text[0] ? rc : journal_sealed(&run->journal, &p->seal, err);
}

/* ---- Commit ---- */

static void not_known(const struct run *run, const char *lost, const char *target, const char *words,
		      struct etl_error *err)
{
	instance_error(run->target, err);
	error_set(err, ETL_OUTCOME_UNKNOWN,
		  "whether the run was published is not known: the connection was lost in its commit (%s), and the "
		  "target %s%s; `etlrun resume %s` asks again and settles it, `etlrun status` shows the run until then",
		  lost, target, words, run->id);
}

/* The answer to a commit was lost: the target says what it was. It may not be asked twice whether it was done when it
 * has no word for that. *RET: the run is published. */
static int find_outcome(struct run *run, const struct publishing *p, bool *ret, struct etl_error *err)
{
	struct etl_error lost = ERROR_INIT, later = ERROR_INIT;
	bool asks = p->seal.text[0] || run_keeps_state(run);
	int rc = asks ? 0 : ETL_FAILED;

	error_move(&lost, err);
	if (rc == 0)
		rc = instance_renew(run->target, &later);
	if (rc == 0)
		rc = run_was_published(run, run->id, p->seal.text, ret, &later);
	if (rc < 0)
		not_known(run, lost.message ? lost.message : "no memory to say how",
			  later.set ? "cannot be asked: " :
			  asks	    ? "was not asked any more" :
				      "has no record of its runs to be asked for",
			  later.set && later.message ? later.message : "", err);
	error_clear(&lost);
	error_clear(&later);
	return rc;
}

static void reset_outcomes(const struct run *run, struct publishing *p)
{
	size_t count = 0;

	for (size_t i = 0; i < run->jobs.count; i++)
		if (!run->jobs.at[i]->failed)
			p->outcomes[count++] =
				(struct etl_outcome){ .inserted = run->jobs.at[i]->staged };
	p->kept.text[0] = '\0';
}

/* What the commit said of its rows went with its answer. */
static int counts_unknown(const struct run *run)
{
	if (run->pipeline->mode != ETL_COPY)
		log_line(ETL_LOG_WARN, "how many rows were updated, and how many were equal already, was in the "
				       "answer that was lost: the report counts all of them as loaded");
	return 0;
}

/* It was not there when the target was asked; but a session that lost its client may commit still. */
static int still_unknown(const struct run *run, struct etl_error *err)
{
	struct etl_error last = ERROR_INIT;

	error_move(&last, err);
	not_known(run, "it was sent again",
		  last.message ? "cannot be asked: " : "was not asked any more",
		  last.message ? last.message : "", err);
	error_clear(&last);
	return ETL_FAILED;
}

/* A commit is idempotent: it is sent again until the target has answered, or says that it was done; to one that keeps a
 * record of its runs also then, for it has the numbers. */
static int commit(struct run *run, struct publishing *p, struct etl_error *err)
{
	struct instance *target = run->target;
	struct retry retry = retry_of(target, "publishing");
	bool keeps = run_keeps_state(run), published = false;
	bool unknown = false; /* an answer was lost, and none that came since says what it was */
	int rc;

	for (;;) {
		rc = target->plugin->target.commit(target->self, &p->commit,
						   instance_error(target, err));
		ETL_FAULT("run.after_commit");
		if (rc == 0)
			return 0;
		if (err->set && err->klass == ETL_OUTCOME_UNKNOWN) {
			unknown = true;
			rc = find_outcome(run, p, &published, err);
			if (rc < 0)
				return rc;
			log_line(ETL_LOG_WARN, "the answer to the commit was lost; the target says "
					       "that the run %s",
				 published ? "was published" : "was not published");
			if (published && !keeps)
				return counts_unknown(run);
			instance_error(target, err);
			rc = error_set(err, ETL_RETRY_CONNECTION, "its answer was lost");
		} else if (err->set) {
			unknown = unknown && retry_is_lost(err->klass);
		}
		if (!retry_again(&retry, err)) {
			if (!published)
				return unknown ? still_unknown(run, err) : rc;
			error_clear(err);
			return counts_unknown(run);
		}
		reset_outcomes(run, p);
	}
}

int run_publish(struct run *run, struct etl_error *err)
{
	struct publishing p = { .found = { .emit = tell_find } };
	int64_t start = run_clock();
	struct report_line *line;
	int rc = conflicts_keep(run, err);

	if (rc == 0)
		rc = list_loads(run, &p, err);
	if (rc == 0)
		rc = seal(run, &p, err);
	p.commit.seal = &p.seal;
	ETL_FAULT("run.before_commit");
	if (rc == 0)
		rc = run->pipeline->commit.given && !run->cli->replay ? run_batches(run, &p.commit, err) : commit(run, &p, err);
	run->published = rc == 0;
	if (rc == 0)
		keep_outcomes(run, p.outcomes);
	if (rc == 0 && p.kept.text[0] && run->state)
		rc = state_run_note(run->state, run->id, "kept", p.kept.text, err);
	if (rc == 0)
		rc = run_check_outcomes(run, err);
	publishing_free(&p);
	line = report_add(&run->report, REPORT_AFTER, "published");
	if (line)
		line->seconds = (double)(run_clock() - start) / 1e6;
	return rc;
}
