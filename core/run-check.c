/*
 * What is looked at before anything is published: that every row is accounted for, and what the
 * validators say.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "run-parts.h"
#include "verify.h"

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
