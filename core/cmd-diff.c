/*
 * diff: which rows differ between source and target, table by table. Nothing is changed; with --sql the
 * statements that would make the target equal are printed, and those that take them back.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "diff-print.h"
#include "log.h"
#include "places.h"
#include "refused.h"
#include "saved.h"
#include "spill.h"
#include "watch.h"

/* All tables of a run, in its order; those that cannot be compared have no job. */
struct tables {
	struct diff *at;
	size_t count;
	uint64_t differences;
	FILE *out; /* what will be printed: nothing of it when the verb fails */
};

/* ---- Comparing ------------------------------------------------------------------------------- */

static int check_key(const struct run *run, const struct job *job, struct etl_error *err)
{
	if (run->pipeline->mode == ETL_COPY || job->key_count)
		return 0;
	error_at(err, job_name(job), NULL, NULL);
	return error_set(err, ETL_USAGE,
			 "rows are added to a table without a key, so which of its rows came from "
			 "this source is not known; write key = [ … ], or leave it out with --tables");
}

static void say_table(const struct diff *d)
{
	uint64_t all = d->added + d->deleted + d->changed;

	if (d->unsure)
		log_line(ETL_LOG_WARN,
			 "%s: %" PRIu64 " rows of the target did not come, and rows of the source were rejected before their keys were "
			 "known, so of none it is told that it is gone",
			 job_name(d->job), d->unsure);
	if (!all) {
		log_line(ETL_LOG_INFO,
			 "%s: equal; %" PRIu64 " row%s%s", job_name(d->job), d->source_rows,
			 d->source_rows == 1 ? "" : "s",
			 d->pushed ? ", hashed by both servers" : "");
		return;
	}
	log_line(ETL_LOG_WARN,
		 "%s: %" PRIu64 " row%s differ%s: %" PRIu64 " new, %" PRIu64 " deleted, %" PRIu64
		 " changed; %" PRIu64 " in the source, %" PRIu64 " in the target%s",
		 job_name(d->job), all, all == 1 ? "" : "s", all == 1 ? "s" : "", d->added,
		 d->deleted, d->changed, d->source_rows, d->target_rows,
		 d->pushed ? ", hashed by both servers" : "");
}

static int compare(struct run *run, struct tables *tables, struct etl_error *err)
{
	struct refused refused = { 0 };
	int rc = run_pin(run, err);

	if (rc == 0)
		rc = refused_read(run, &refused, err);
	run->flow.pipeline = run->pipeline;
	run->flow.jobs = &run->jobs;
	run->flow.source = run->source;
	run->flow.target = run->target;
	run->flow.limits = run->limits;
	tables->at = calloc(run->jobs.count + 1, sizeof(*tables->at));
	if (rc == 0 && !tables->at)
		rc = error_memory(err);
	for (size_t i = 0; i < run->jobs.count && rc == 0; i++) {
		struct job *job = run->jobs.at[i];
		struct diff *d = &tables->at[tables->count++];

		rc = diff_check_table(job, err);
		if (rc == 0)
			rc = check_key(run, job, err);
		if (rc == 0)
			rc = diff_table(d, run, job, &refused, err);
		if (rc == 0)
			say_table(d);
		tables->differences += d->added + d->deleted + d->changed;
	}
	refused_clear(&refused);
	return rc;
}

/* ---- Printing -------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
	const struct diff *x = *(struct diff *const *)a, *y = *(struct diff *const *)b;

	return strcmp(job_name(x->job), job_name(y->job));
}

static int print_lines(const struct cli *cli, struct tables *tables, struct etl_error *err)
{
	struct diff **order = calloc(tables->count + 1, sizeof(struct diff *));
	int rc = order ? 0 : error_memory(err);

	for (size_t i = 0; rc == 0 && i < tables->count; i++)
		order[i] = &tables->at[i];
	if (rc == 0)
		qsort(order, tables->count, sizeof(struct diff *), by_name);
	for (size_t i = 0; rc == 0 && i < tables->count; i++)
		rc = diff_print(order[i], cli->as_json, cli->run.limit, tables->out, err);
	free(order);
	return rc;
}

static int write_failed(const char *path, struct etl_error *err)
{
	return error_set(err, ETL_MEMORY, "%s cannot be written: %s", path, strerror(errno));
}

static FILE *temporary(struct etl_error *err)
{
	int fd = spill_file("differences", err);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "w+");

	if (fd >= 0 && !file) {
		close(fd);
		error_memory(err);
	}
	return file;
}

static int copy_out(FILE *from, FILE *to, const char *name, struct etl_error *err)
{
	char buf[1 << 16];
	size_t size;

	if (ferror(from) || fflush(from) != 0 || fseek(from, 0, SEEK_SET) != 0)
		return write_failed("the temporary file", err);
	while ((size = fread(buf, 1, sizeof(buf), from)) > 0)
		if (fwrite(buf, 1, size, to) != size)
			return write_failed(name, err);
	return ferror(from) || fflush(to) != 0 ? write_failed(name, err) : 0;
}

/* The file is of this comparison, whatever an earlier one left there. */
static int write_undo(struct run *run, struct tables *tables, const char *path,
		      struct etl_error *err)
{
	FILE *file = temporary(err), *to = NULL;
	int rc = file ? 0 : ETL_FAILED;

	if (rc == 0 && tables->differences)
		rc = diff_print_sql(run, tables->at, tables->count, true, "", file, err);
	else if (rc == 0)
		fputs("-- undo: nothing differs, so there is nothing to take back\n", file);
	if (rc == 0 && !(to = fopen(path, "w")))
		rc = write_failed(path, err);
	if (rc == 0)
		rc = copy_out(file, to, path, err);
	if (to && fclose(to) != 0 && rc == 0)
		rc = write_failed(path, err);
	if (file)
		fclose(file);
	return rc;
}

/* What an INSERT of the undo cannot bring back. */
static void warn_columns(const struct diff *d)
{
	const struct etl_table *table = d->job->existing;

	if (!d->deleted)
		return;
	for (size_t i = 0; i < table->column_count; i++) {
		const struct etl_column *column = table_column(table, i);

		if (!(column->flags & ETL_GENERATED) &&
		    etl_schema_find(&d->job->rows, column->name) < 0)
			log_line(ETL_LOG_WARN,
				 "\"%s\": column \"%s\" is only in the target; the undo does not "
				 "bring its values back",
				 table->name, column->name);
	}
}

/* By such a key one row is two: the statement that deletes the one could find the other. */
static int check_spelling(const struct tables *tables, struct etl_error *err)
{
	for (size_t i = 0; i < tables->count; i++) {
		const struct diff *d = &tables->at[i];
		const struct job *job = d->job;
		bool differs = d->added + d->deleted + d->changed > 0;

		for (size_t k = 0; differs && job->respelt && k < job->key_count; k++) {
			if (!job->respelt[job->key[k]])
				continue;
			error_at(err, job->target->name, job->rows.children[job->key[k]]->name, NULL);
			return error_set(err, ETL_USAGE,
					 "the target spells the values of this column, which is of the key, in its own "
					 "way, so no repair can be written; --tables leaves the table out");
		}
	}
	return 0;
}

static int print_script(const struct cli *cli, struct run *run, struct tables *tables,
			struct etl_error *err)
{
	int rc;

	if (!tables->differences)
		return cli->undo ? write_undo(run, tables, cli->undo, err) : 0;
	rc = check_spelling(tables, err);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < tables->count; i++)
		warn_columns(&tables->at[i]);
	fputs("-- repair: makes the target equal to the source\n", tables->out);
	rc = diff_print_sql(run, tables->at, tables->count, false, "", tables->out, err);
	if (rc < 0)
		return rc;
	if (cli->undo)
		return write_undo(run, tables, cli->undo, err);
	fputs("-- undo: the lines that follow, without the dashes before them, take the repair "
	      "back\n",
	      tables->out);
	return diff_print_sql(run, tables->at, tables->count, true, "-- ", tables->out, err);
}

static int show(const struct cli *cli, struct run *run, struct tables *tables, struct etl_error *err)
{
	int rc;

	tables->out = temporary(err);
	if (!tables->out)
		return ETL_FAILED;
	rc = cli->sql ? print_script(cli, run, tables, err) : print_lines(cli, tables, err);
	return rc < 0 ? rc : copy_out(tables->out, stdout, "standard output", err);
}

/* ---- The verb -------------------------------------------------------------------------------- */

static int check_options(const struct cli *cli, const struct pipeline *pipeline,
			 struct etl_error *err)
{
	if (cli->undo && !cli->sql)
		return error_set(err, ETL_USAGE,
				 "--undo says where the undo of --sql goes; give --sql too");
	if (cli->sql && cli->as_json)
		return error_set(err, ETL_USAGE, "--sql prints SQL, not JSON; leave out --format");
	if (cli->sql && cli->run.limit)
		return error_set(err, ETL_USAGE,
				 "--sql repairs all that differs; leave out --limit, or choose tables "
				 "with --tables");
	if (cli->sql && !pipeline->target.plugin->can_repair)
		return error_set(err, ETL_USAGE,
				 "plugin %s writes no SQL that repairs its tables; leave out --sql",
				 pipeline->target.plugin->base.name);
	if (cli->save && saved_check(pipeline, "--save", err) < 0)
		return ETL_FAILED;
	if (place_writable("undo file", cli->undo, "--undo", err) < 0)
		return ETL_FAILED;
	return place_writable("file of differences", cli->save, "--save", err);
}

/* What --limit means here is not what it means to a run, whose rows it would cut. */
static int diff_all(const struct cli *cli, const struct pipeline *pipeline, struct run *run,
		    struct tables *tables, struct etl_error *err)
{
	struct cli whole = *cli;
	int rc = check_options(cli, pipeline, err);

	whole.run.limit = 0;
	if (rc == 0)
		rc = run_open(run, &whole, pipeline, err);
	if (rc == 0)
		rc = compare(run, tables, err);
	if (rc == 0 && cli->save)
		rc = saved_write(run, tables->at, tables->count, cli->save, err);
	if (rc == 0)
		rc = show(cli, run, tables, err);
	run->cli = cli;
	return rc;
}

static int diff(const struct cli *cli, struct etl_error *err)
{
	struct pipeline *pipeline = NULL;
	struct tables tables = { .at = NULL };
	struct run run = { 0 };
	int rc = cli_pipeline(cli, &pipeline, err);
	struct watch *watch = watch_start();

	if (rc == 0)
		rc = diff_all(cli, pipeline, &run, &tables, err);
	for (size_t i = 0; i < tables.count; i++)
		diff_clear(&tables.at[i]);
	free(tables.at);
	if (tables.out)
		fclose(tables.out);
	run_close(&run);
	pipeline_free(pipeline);
	watch_stop(watch);
	return rc < 0 ? rc : tables.differences ? EXIT_DIFFERENT : 0;
}

const struct verb verb_diff = {
	.name = "diff",
	.words = "PIPELINE.cfg",
	.summary = "which rows differ between source and target; --sql: their repair",
	.takes = CLI_FILE | CLI_TABLES | CLI_LIMIT | CLI_DIFF,
	.min_words = 1,
	.max_words = 1,
	.looks = true,
	.run = diff,
};
