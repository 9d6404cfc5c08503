/*
 * analyze: each table synced, behind, ahead or missing, with the rows at both ends, the gap, and when the target was last
 * published. Changes nothing.
 */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "analyze.h"
#include "output.h"
#include "places.h"
#include "watch.h"

/* The last run that published. */
struct published {
	const char *pipeline;
	char run[80], ended[32];
};

struct table_list {
	const struct pipeline *pipeline;
	struct analysis *at;
	size_t count;
	struct published last;
};

static int on_run(const struct state_run *r, void *data)
{
	struct published *last = data;
	bool stands = strcmp(r->status, STATE_DONE) == 0 ||
		      (strcmp(r->status, STATE_FAILED) == 0 && r->exit == EXIT_DATA && r->seal && *r->seal);

	if (*last->run || !stands || strcmp(r->pipeline, last->pipeline) != 0)
		return 0;
	snprintf(last->run, sizeof(last->run), "%s", r->id);
	snprintf(last->ended, sizeof(last->ended), "%s", r->ended ? r->ended : "");
	return 0;
}

static int find_published(const struct run *run, struct published *ret, struct etl_error *err)
{
	struct state *state = NULL;
	int rc = state_open(run->state_path, false, &state, err);

	ret->pipeline = run->pipeline->name;
	if (rc == 0 && state)
		rc = state_runs(state, on_run, ret, err);
	state_close(state);
	return rc;
}

static bool is_synced(const struct table_list *l)
{
	for (size_t i = 0; i < l->count; i++)
		if (l->at[i].status != ANALYZE_SYNCED)
			return false;
	return true;
}

static bool has_gap(const struct analysis *a)
{
	return a->source != ANALYZE_NO_COUNT && a->target != ANALYZE_NO_COUNT;
}

static int64_t gap_of(const struct analysis *a)
{
	return (int64_t)a->source - (int64_t)a->target;
}

/* ---- For people ------------------------------------------------------------------------------ */

static void text_count(struct etl_text *to, uint64_t rows)
{
	if (rows == ANALYZE_NO_COUNT)
		etl_text_addf(to, " %14s", "?");
	else
		etl_text_addf(to, " %14" PRIu64, rows);
}

static void as_text(const struct table_list *l, struct etl_text *to)
{
	int width = 5;

	for (size_t i = 0; i < l->count; i++)
		if ((int)strlen(job_name(l->at[i].job)) > width)
			width = (int)strlen(job_name(l->at[i].job));
	etl_text_addf(to, "%-*s %-8s %14s %14s %14s\n", width, "table", "status", "source", "target", "gap");
	for (size_t i = 0; i < l->count; i++) {
		const struct analysis *a = &l->at[i];

		etl_text_addf(to, "%-*s %-8s", width, job_name(a->job), analyze_word(a->status));
		text_count(to, a->source);
		text_count(to, a->target);
		if (has_gap(a))
			etl_text_addf(to, " %14" PRId64, gap_of(a));
		else
			etl_text_addf(to, " %14s", "?");
		etl_text_addf(to, "%s%s\n", *a->why ? "  " : "", a->why);
	}
	if (*l->last.run)
		etl_text_addf(to, "last published by run %s, %s\n", l->last.run, l->last.ended);
	else
		etl_text_add(to, "no run of this pipeline has published anything yet\n");
}

/* ---- For programs ---------------------------------------------------------------------------- */

static void json_text(struct etl_text *to, const char *name, const char *value)
{
	etl_text_addf(to, "\"%s\": ", name);
	if (*value)
		etl_text_add_json(to, value, strlen(value));
	else
		etl_text_add(to, "null");
}

static void json_count(struct etl_text *to, const char *name, bool known, int64_t value)
{
	if (known)
		etl_text_addf(to, ", \"%s\": %" PRId64, name, value);
	else
		etl_text_addf(to, ", \"%s\": null", name);
}

static void as_json(const struct table_list *l, struct etl_text *to)
{
	etl_text_add(to, "{\n  ");
	json_text(to, "pipeline", l->pipeline->name);
	etl_text_addf(to, ",\n  \"synced\": %s,\n  ", is_synced(l) ? "true" : "false");
	json_text(to, "last_run", l->last.run);
	etl_text_add(to, ",\n  ");
	json_text(to, "last_published", l->last.ended);
	etl_text_add(to, ",\n  \"tables\": [");
	for (size_t i = 0; i < l->count; i++) {
		const struct analysis *a = &l->at[i];

		etl_text_add(to, i > 0 ? ",\n    { " : "\n    { ");
		json_text(to, "table", job_name(a->job));
		etl_text_add(to, ", ");
		json_text(to, "status", analyze_word(a->status));
		json_count(to, "source", a->source != ANALYZE_NO_COUNT, (int64_t)a->source);
		json_count(to, "target", a->target != ANALYZE_NO_COUNT, (int64_t)a->target);
		json_count(to, "gap", has_gap(a), gap_of(a));
		etl_text_add(to, ", ");
		json_text(to, "why", a->why);
		etl_text_add(to, " }");
	}
	etl_text_add(to, l->count ? "\n  ]\n}\n" : "]\n}\n");
}

static void csv_text(struct etl_text *to, const char *value)
{
	if (!value[strcspn(value, ",\"\r\n")]) {
		etl_text_add(to, value);
		return;
	}
	etl_text_add(to, "\"");
	for (; *value; value++)
		etl_text_addf(to, *value == '"' ? "\"\"" : "%c", *value);
	etl_text_add(to, "\"");
}

static void csv_count(struct etl_text *to, bool known, int64_t value)
{
	etl_text_add(to, ",");
	if (known)
		etl_text_addf(to, "%" PRId64, value);
}

static void as_csv(const struct table_list *l, struct etl_text *to)
{
	etl_text_add(to, "table,status,source,target,gap,last_run,last_published,why\r\n");
	for (size_t i = 0; i < l->count; i++) {
		const struct analysis *a = &l->at[i];

		csv_text(to, job_name(a->job));
		etl_text_addf(to, ",%s", analyze_word(a->status));
		csv_count(to, a->source != ANALYZE_NO_COUNT, (int64_t)a->source);
		csv_count(to, a->target != ANALYZE_NO_COUNT, (int64_t)a->target);
		csv_count(to, has_gap(a), gap_of(a));
		etl_text_addf(to, ",%s,%s,", l->last.run, l->last.ended);
		csv_text(to, a->why);
		etl_text_add(to, "\r\n");
	}
}

/* ---- The verb -------------------------------------------------------------------------------- */

static bool ends_in(const char *path, const char *ending)
{
	size_t length = strlen(path), size = strlen(ending);

	return length > size && strcmp(path + length - size, ending) == 0;
}

static int check_output(const char *path, struct etl_error *err)
{
	if (path && !ends_in(path, ".json") && !ends_in(path, ".csv"))
		return error_set(err, ETL_USAGE, "--output %s: the file's name ends in .json or .csv", path);
	return place_writable("output file", path, "--output", err);
}

static int show(const struct table_list *l, const char *path, struct etl_error *err)
{
	struct etl_text text = { 0 };
	int rc;

	if (!path)
		as_text(l, &text);
	else if (ends_in(path, ".csv"))
		as_csv(l, &text);
	else
		as_json(l, &text);
	rc = text.failed ? error_memory(err) : output_text(text.at, path, err);
	etl_text_free(&text);
	return rc;
}

static int analyze_run(struct run *run, struct table_list *l, struct etl_error *err)
{
	int rc;

	l->at = calloc(run->jobs.count + 1, sizeof(*l->at));
	l->count = run->jobs.count;
	rc = l->at ? find_published(run, &l->last, err) : error_memory(err);
	run->progress = progress_start(NULL, 0, !run->cli->no_progress && run->cli->level >= ETL_LOG_INFO);
	if (rc == 0)
		rc = analyze_all(run, l->at, err);
	progress_stop(run->progress);
	run->progress = NULL;
	return rc < 0 ? rc : show(l, run->cli->output, err);
}

static int analyze(const struct cli *cli, struct etl_error *err)
{
	struct pipeline *pipeline = NULL;
	struct table_list list = { .at = NULL };
	struct run run = { 0 };
	int rc = check_output(cli->output, err);
	struct watch *watch = watch_start();

	if (rc == 0)
		rc = cli_pipeline(cli, &pipeline, err);
	list.pipeline = pipeline;
	if (rc == 0)
		rc = run_open(&run, cli, pipeline, err);
	if (rc == 0)
		rc = analyze_run(&run, &list, err);
	if (rc == 0 && !is_synced(&list))
		rc = EXIT_DIFFERENT;
	run_close(&run);
	free(list.at);
	pipeline_free(pipeline);
	watch_stop(watch);
	return rc;
}

const struct verb verb_analyze = {
	.name = "analyze",
	.words = "PIPELINE.cfg",
	.summary = "which tables are behind, by their counts",
	.takes = CLI_FILE | CLI_TABLES | CLI_OUTPUT,
	.min_words = 1,
	.max_words = 1,
	.looks = true,
	.run = analyze,
};
