/*
 * validate: the validators alone, against what is in the target now. The rows of the source are
 * read again and led through the same transforms; rows that the run would reject are left out on
 * the source's side.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "log.h"
#include "progress.h"
#include "refused.h"
#include "run.h"
#include "verify.h"
#include "watch.h"

/* The first column to compare that the target's table does not have, or NULL. */
static const char *lost_column(const struct job *job)
{
	for (int64_t i = 0; i < job->rows.n_children; i++) {
		const char *name = job->rows.children[i]->name;
		size_t k = 0;

		while (k < job->existing->column_count &&
		       strcasecmp(table_column(job->existing, k)->name, name) != 0)
			k++;
		if (k == job->existing->column_count)
			return name;
	}
	return NULL;
}

/* The table has to be there, COLUMN (or NULL: all of it) too, before it can be compared. */
static int missing(struct report_line *line, const char *column, struct etl_error *err)
{
	struct report_check *check = calloc(1, sizeof(*check));
	struct etl_text text = { 0 };

	if (!check)
		return error_memory(err);
	if (column)
		etl_text_addf(&text, "the column \"%s\" is not in the target", column);
	else
		etl_text_add(&text, "the table is not in the target");
	line->checks = check;
	line->check_count = 1;
	check->validator = strdup("tables");
	check->severity = ETL_FAIL;
	check->findings = 1;
	check->message = etl_text_take(&text);
	return check->validator && check->message ? 0 : error_memory(err);
}

/* What a run leaves to others in its table is no difference. After delete = "hard" there is nothing, unless rows
 * that were rejected kept what was there. */
static bool is_keyed(const struct run *run, const struct job *job, const struct refused *refused)
{
	if (run->pipeline->mode == ETL_COPY)
		return false;
	return job->rule->deletes != ETL_DELETE_HARD || refused->count > 0;
}

/* Which rows of the table came from this source nobody can say. */
static int not_compared(struct report_line *line, const struct job *job, struct etl_error *err)
{
	struct report_check *check = calloc(1, sizeof(*check));

	if (!check)
		return error_memory(err);
	line->checks = check;
	line->check_count = 1;
	check->validator = strdup("keys");
	check->severity = ETL_WARN;
	check->findings = 1;
	check->message = strdup("rows are added to a table without a key, so which of its rows came "
				"from this source is not known, and nothing was compared; write key = [ … ]");
	log_line(ETL_LOG_WARN, "%s: %s", job_name(job), check->message ? check->message : "");
	return check->validator && check->message ? 0 : error_memory(err);
}

static int validate_job(struct run *run, struct job *job, const struct refused *refused,
			struct etl_error *err)
{
	struct verify verify = { .flow = &run->flow, .refused = refused };
	struct report_line *line = report_add(&run->report, REPORT_DATA, job_name(job));
	const char *why = NULL, *lost = job->existing ? lost_column(job) : NULL;
	bool failed = false, whole = job->existing && !lost;
	int64_t start = run_clock();
	int rc;

	if (!line)
		return error_memory(err);
	line->is_table = true;
	line->compared = true;
	line->in_target = UINT64_MAX;
	verify.keyed = is_keyed(run, job, refused);
	rc = !whole			      ? missing(line, lost, err) :
	     verify.keyed && !job->key_count ? not_compared(line, job, err) :
					       verify_job(&verify, job, line, &failed, err);
	line->seconds = (double)(run_clock() - start) / 1e6;
	if (rc < 0 || (!failed && whole))
		return rc;
	for (size_t i = 0; i < line->check_count && !why; i++)
		why = line->checks[i].severity == ETL_FAIL ? line->checks[i].message : NULL;
	error_at(err, job_name(job), NULL, NULL);
	error_set(err, ETL_DATA, "%s", why ? why : "source and target differ");
	return 0;
}

/* "Every validator passed" must not be said where there is none; without tables there is nothing to
 * compare. */
static int check_validators(const struct run *run, struct etl_error *err)
{
	if (run->jobs.count == 0)
		return 0;
	for (size_t i = 0; i < run->jobs.count; i++)
		if (run->jobs.at[i]->validators.count)
			return 0;
	return error_set(
		err, ETL_USAGE,
		"%s has no validators, so there is nothing to compare with; write validators = "
		"( { plugin = \"counts\"; }, { plugin = \"checksum\"; } )",
		run->pipeline->path);
}

static int validate_all(struct run *run, struct etl_error *err)
{
	struct refused refused = { 0 };
	int rc = check_validators(run, err);

	if (rc == 0)
		rc = run_pin(run, err);
	if (rc == 0)
		rc = refused_read(run, &refused, err);
	run->flow.pipeline = run->pipeline;
	run->flow.jobs = &run->jobs;
	run->flow.source = run->source;
	run->flow.target = run->target;
	run->flow.limits = run->limits;
	run->progress = progress_start(NULL, 0, !run->cli->no_progress && run->cli->level >= ETL_LOG_INFO);
	for (size_t i = 0; i < run->jobs.count && rc == 0; i++) {
		run_show_validating(run, run->jobs.at[i]);
		if (run->jobs.at[i]->validators.count == 0)
			log_line(ETL_LOG_WARN,
				 "\"%s\" has no validators; write validators = ( { plugin = "
				 "\"counts\"; }, "
				 "{ plugin = \"checksum\"; } )",
				 job_name(run->jobs.at[i]));
		rc = validate_job(run, run->jobs.at[i], &refused, err);
	}
	progress_stop(run->progress);
	run->progress = NULL;
	refused_clear(&refused);
	return rc;
}

static int validate(const struct cli *cli, struct etl_error *err)
{
	struct watch *watch;
	struct pipeline *pipeline = NULL;
	struct run run = { 0 };
	int rc = cli_pipeline(cli, &pipeline, err);

	watch = watch_start();
	if (rc == 0)
		rc = run_open(&run, cli, pipeline, err);
	if (rc == 0)
		rc = validate_all(&run, err);
	if (rc == 0) {
		run.report.run = strdup(run.id);
		run.report.pipeline = strdup(pipeline->name);
		run.report.verb = strdup("validate");
		run.report.exit = err->set ? error_exit(err) : 0;
		run.report.error = err->set && err->message ? strdup(err->message) : NULL;
		run.report.seconds = (double)(run_clock() - run.started) / 1e6;
		report_log(&run.report);
		if (cli->level >= ETL_LOG_INFO && !log_json())
			report_print(&run.report);
		if (cli->summary)
			rc = report_write(&run.report, cli->summary, err);
	}
	if (rc < 0)
		run_summarise_failure(cli, pipeline, run.id[0] ? run.id : NULL, err);
	run_close(&run);
	pipeline_free(pipeline);
	watch_stop(watch);
	return rc == 0 && err->set ? ETL_FAILED : rc;
}

const struct verb verb_validate = {
	.name = "validate",
	.words = "PIPELINE.cfg",
	.summary = "the validators alone, against the target as it is",
	.takes = CLI_FILE | CLI_TABLES | CLI_SUMMARY,
	.min_words = 1,
	.max_words = 1,
	.looks = true,
	.run = validate,
};
