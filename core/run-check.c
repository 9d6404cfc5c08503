/*
 * What is looked at before anything is published: that every row is accounted for, and what the
 * validators say.
 */
#include "config.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "run-parts.h"
#include "verify.h"

/* ---- Counting ----
 * A sum that does not come out is nobody's wish: some plugin lost a row, or made one, without saying so. Nothing
 * is published (exit 5), and the table and the numbers are named. */

static int broken(const struct job *job, struct etl_error *err, const char *format, ...)
	ETL_PRINTF(3, 4);

static int broken(const struct job *job, struct etl_error *err, const char *format, ...)
{
	va_list args;

	error_at(err, job_name(job), NULL, NULL);
	va_start(args, format);
	error_setv(err, ETL_DATA, NULL, 0, format, args);
	va_end(args);
	return ETL_FAILED;
}

/* Of what a transform says it does with the number of rows. */
static int check_promise(const struct job *job, size_t i, struct etl_error *err)
{
	const struct stage_count *s = &job->stages[i];
	int32_t rows = i < job->transforms.count ? job->transforms.at[i].plugin->transform.rows :
						   ETL_ROWS_SAME;
	bool fewer = rows == ETL_ROWS_FEWER || i >= job->transforms.count;

	if (rows == ETL_ROWS_ANY || (!s->created && !s->merged && (fewer || !s->filtered)))
		return 0;
	return broken(job, err,
		      "%s promises %s row for each, but created %" PRIu64 ", filtered %" PRIu64
		      " and merged %" PRIu64 " of %" PRIu64,
		      job_stage_name(job, i), fewer ? "at most one" : "one", s->created,
		      s->filtered, s->merged, s->in);
}

static int check_stage(const struct job *job, size_t i, struct etl_error *err)
{
	const struct stage_count *s = &job->stages[i];

	if (!s->used)
		return 0;
	if (s->in + s->created != s->out + s->filtered + s->merged + s->rejected)
		return broken(job, err,
			      "the rows do not add up in %s: in %" PRIu64 " + created %" PRIu64
			      " is not out %" PRIu64 " + filtered %" PRIu64 " + merged %" PRIu64
			      " + rejected %" PRIu64,
			      job_stage_name(job, i), s->in, s->created, s->out, s->filtered,
			      s->merged, s->rejected);
	return check_promise(job, i, err);
}

static int check_stages(const struct job *job, struct etl_error *err)
{
	int rc = 0;

	for (size_t i = 0; job->stages && i < job_stages(job) && rc == 0; i++)
		rc = check_stage(job, i, err);
	return rc;
}

static int check_job(const struct run *run, const struct job *job, struct etl_error *err)
{
	uint64_t rejected = job->rejected - job->rejected_by_target;

	if (job->splits_done != job->split_count && !(run->info.flags & ETL_RUN_SCHEMA_ONLY))
		return error_set(err, ETL_BUG,
				 "%zu of %zu parts of \"%s\" were loaded, and nobody said why",
				 job->splits_done, job->split_count, job_source_name(job));
	if (check_stages(job, err) < 0)
		return ETL_FAILED;
	if (job->read + job->created != job->passed + job->filtered + job->merged + rejected)
		return broken(job, err,
			      "the rows do not add up: read %" PRIu64 " + created %" PRIu64
			      " is not passed %" PRIu64 " + filtered %" PRIu64 " + merged %" PRIu64
			      " + rejected %" PRIu64,
			      job->read, job->created, job->passed, job->filtered, job->merged,
			      rejected);
	if (job->passed != job->staged + job->rejected_by_target)
		return broken(job, err,
			      "the rows do not add up: passed %" PRIu64 " is not staged %" PRIu64
			      " + rejected %" PRIu64,
			      job->passed, job->staged, job->rejected_by_target);
	return 0;
}

int run_check_counts(struct run *run, struct etl_error *err)
{
	uint64_t read = 0;
	int rc = 0;

	for (size_t i = 0; i < run->jobs.count && rc == 0; i++) {
		struct job *job = run->jobs.at[i];

		read += job->read;
		if (!job->failed)
			rc = run_alone(run, job, check_job(run, job, err), err);
	}
	return rc < 0 ? rc : rejects_within(run->rejects, read, err);
}

int run_check_outcomes(const struct run *run, struct etl_error *err)
{
	int rc = 0;

	for (size_t i = 0; i < run->jobs.count && rc == 0; i++) {
		const struct job *job = run->jobs.at[i];
		const struct etl_outcome *o = &job->outcome;

		if (job->failed)
			continue;
		if (job->staged != o->inserted + o->updated + o->unchanged + o->rejected)
			rc = broken(
				job, err,
				"the rows do not add up in the target, which is published all the "
				"same: "
				"staged %" PRIu64 " is not inserted %" PRIu64 " + updated %" PRIu64
				" + unchanged %" PRIu64 " + rejected %" PRIu64,
				job->staged, o->inserted, o->updated, o->unchanged, o->rejected);
		else if (run->info.mode == ETL_COPY && job->staged != o->inserted)
			rc = broken(job, err,
				    "a copy staged %" PRIu64 " rows, and the target says that it "
				    "inserted %" PRIu64 "; it is published all the same",
				    job->staged, o->inserted);
	}
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
	error_at(err, job_name(job), NULL, NULL);
	return error_set(err, ETL_DATA, "%s%s", why,
			 run->pipeline->table_scope ? "" : "; nothing was published");
}

void run_show_validating(struct run *run, const struct job *job)
{
	char words[256];

	snprintf(words, sizeof(words), "validating %s", job_name(job));
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
	if (run->cli->run.from) {
		log_line(ETL_LOG_INFO, "with --from the tables are not compared, for rows that are not in its file may differ; "
				       "`etlrun diff` and `etlrun validate` tell");
		return 0;
	}
	rc = verify_ahead(&verify, err);
	for (size_t i = 0; i < run->jobs.count && rc == 0; i++) {
		struct job *job = run->jobs.at[i];
		struct report_line *line = run_line_of(run, job);
		bool failed = false;

		if (job->failed)
			continue;
		run_show_validating(run, job);
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
