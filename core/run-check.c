/*
 * What is looked at before anything is published: that every row is accounted for, that the
 * constraints which are built later will hold, and what the validators say.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "run-parts.h"
#include "verify.h"

#define SHOWN_FINDS 10 /* offending rows of one screen step that are written to the log */

/* Every identity of RUN.md, for every table: a row that cannot be accounted for is an error. */
int run_check_counts(struct run *run, struct etl_error *err)
{
	uint64_t read = 0;

	for (size_t i = 0; i < run->jobs.count; i++) {
		struct job *job = run->jobs.at[i];
		uint64_t rejected = job->rejected - job->rejected_by_target;

		read += job->read;
		if (job->failed)
			continue;
		if (job->splits_done != job->split_count &&
		    !(run->info.flags & ETL_RUN_SCHEMA_ONLY))
			return error_set(err, ETL_BUG,
					 "%zu of %zu parts of \"%s\" were loaded, and nobody "
					 "said why",
					 job->splits_done, job->split_count, job_source_name(job));
		if (job->read + job->created !=
		    job->passed + job->filtered + job->merged + rejected)
			return error_set(err, ETL_BUG,
					 "the rows of \"%s\" do not add up: read %" PRIu64
					 " + created %" PRIu64 " is not passed %" PRIu64
					 " + filtered %" PRIu64 " + merged %" PRIu64
					 " + rejected %" PRIu64,
					 job_source_name(job), job->read, job->created, job->passed,
					 job->filtered, job->merged, rejected);
		if (job->passed != job->staged + job->rejected_by_target)
			return error_set(err, ETL_BUG,
					 "the rows of \"%s\" do not add up: passed %" PRIu64
					 " is not staged %" PRIu64 " + rejected %" PRIu64,
					 job_source_name(job), job->passed, job->staged,
					 job->rejected_by_target);
	}
	return rejects_within(run->rejects, read, err);
}

/* ---- screen ---- */

struct screen {
	struct etl_found_sink sink;
	struct run *run;
	const struct etl_step *step;
	uint64_t count;
	char *first; /* the first row's sentence */
	char *table, *column, *key;
};

static int on_found(struct etl_found_sink *self, const struct etl_found *found)
{
	struct screen *s = (struct screen *)(void *)self;

	if (s->count++ == 0) {
		s->first = strdup(found->reason ? found->reason : found->code);
		s->table = found->table ? strdup(found->table) : NULL;
		s->column = found->column ? strdup(found->column) : NULL;
		s->key = found->key ? strdup(found->key) : NULL;
	}
	if (s->count <= SHOWN_FINDS)
		log_line(ETL_LOG_WARN, "%s %s: %s", found->table ? found->table : "",
			 found->key ? found->key : "", found->reason ? found->reason : found->code);
	return 0;
}

static void screen_free(struct screen *s)
{
	free(s->first);
	free(s->table);
	free(s->column);
	free(s->key);
}

static int screen_verdict(struct screen *s, int32_t policy, struct etl_error *err)
{
	const char *object = s->step->object ? s->step->object : "";

	if (s->count == 0)
		return 0;
	if (policy == ETL_FK_REPORT) {
		log_line(ETL_LOG_WARN,
			 "%s: %" PRIu64 " row%s a parent that is not there; carried as %s "
			 "(foreign_keys = \"enforce\" would refuse %s)",
			 object, s->count, s->count == 1 ? " refers to" : "s refer to",
			 s->count == 1 ? "it is" : "they are", s->count == 1 ? "it" : "them");
		return 0;
	}
	error_at(err, s->table ? s->table : object, s->column, s->key);
	return error_set(
		err, ETL_DATA,
		"%s (%" PRIu64
		" such row%s); foreign_keys = \"report\" carries them as they are, \"drop\" "
		"leaves the foreign key out",
		s->first ? s->first : "a row refers to a parent that is not there", s->count,
		s->count == 1 ? "" : "s");
}

/* A run that refused rows may have made orphans of their children, whatever the source was. */
static int32_t screen_policy(const struct run *run)
{
	if (run->pipeline->foreign_keys < 0 && rejects_count(run->rejects) > 0)
		return ETL_FK_ENFORCE;
	return run->info.foreign_keys;
}

int run_screen(struct run *run, struct etl_error *err)
{
	int64_t start = run_clock();
	struct report_line *line;
	int rc = 0;

	if (run->info.flags & ETL_RUN_SCHEMA_ONLY)
		return 0;
	for (size_t i = 0; i < run->plan.count && rc == 0; i++) {
		const struct etl_step *step = &run->plan.at[i];
		struct screen s = { .sink = { on_found }, .run = run, .step = step };
		struct job *job = run_job_of(run, step);

		if (step->phase != ETL_PHASE_SCREEN || !step->sql || (job && job->failed))
			continue;
		rc = run_apply(run, step, &s.sink, err);
		if (rc == 0)
			rc = screen_verdict(&s, screen_policy(run), err);
		rc = run_alone(run, job, rc, err);
		screen_free(&s);
	}
	line = report_add(&run->report, REPORT_AFTER, "foreign keys checked");
	if (!line)
		return error_memory(err);
	line->seconds = (double)(run_clock() - start) / 1e6;
	return rc;
}

/* ---- validate ---- */

static int table_failed(const struct run *run, struct job *job, const struct report_line *line,
			struct etl_error *err)
{
	const char *why = "validation failed";

	for (size_t i = 0; i < line->check_count; i++)
		if (line->checks[i].severity == ETL_FAIL && line->checks[i].message)
			why = line->checks[i].message;
	error_at(err, job->target->name, NULL, NULL);
	return error_set(err, ETL_DATA, "%s%s", why,
			 run->pipeline->table_scope ? "" : "; nothing was published");
}

static void show_table(struct run *run, const struct job *job)
{
	char words[256];

	snprintf(words, sizeof(words), "validating %s", job->target->name);
	progress_phase(run->progress, words);
}

int run_validate(struct run *run, struct etl_error *err)
{
	struct verify verify = { .flow = &run->flow, .staged = true, .loaded = true };
	int64_t start = run_clock();
	struct report_line *after;
	int rc = 0;

	if (run->info.flags & ETL_RUN_SCHEMA_ONLY)
		return 0;
	for (size_t i = 0; i < run->jobs.count && rc == 0; i++) {
		struct job *job = run->jobs.at[i];
		struct report_line *line = run_line_of(run, job);
		bool failed = false;

		if (job->failed)
			continue;
		show_table(run, job);
		rc = verify_job(&verify, job, line, &failed, err);
		if (rc == 0 && failed)
			rc = table_failed(run, job, line, err);
		rc = run_alone(run, job, rc, err);
	}
	after = report_add(&run->report, REPORT_AFTER, "validation");
	if (!after)
		return error_memory(err);
	after->seconds = (double)(run_clock() - start) / 1e6;
	return rc;
}
