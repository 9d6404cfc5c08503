/*
 * rejects: the rows that a run refused, listed, and another try at them (replay.c).
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"
#include "replay.h"
#include "reject-file.h"
#include "run.h"

/* ---- Which run ---- */

struct wanted {
	const char *id; /* or NULL: the newest that refused rows */
	bool found;
	struct reject_run *ret;
	char *prints; /* owned: those of its pipeline, a line for each table; or NULL */
};

static int on_run(const struct state_run *run, void *data)
{
	struct wanted *w = data;

	if (w->found || (w->id ? strcmp(run->id, w->id) != 0 : run->rejected == 0))
		return 0;
	w->found = true;
	snprintf(w->ret->id, sizeof(w->ret->id), "%s", run->id);
	w->ret->rejected = run->rejected;
	w->prints = run->file ? strdup(run->file) : NULL;
	w->ret->published = strcmp(run->status, STATE_DONE) == 0;
	w->ret->unfinished = state_is_unfinished(run->status);
	return 0;
}

/* Begins the line of a table in the prints of a run: the name follows, as JSON. */
#define TABLE_LINE "table "

/* The names in the prints, in place, as they stand in it. */
static size_t list_names(char *prints, const char **names)
{
	size_t count = 0;

	for (char *next, *line = prints; line && *line; line = next) {
		char *end = strchr(line, '\n'), *last;

		next = end ? end + 1 : NULL;
		if (end)
			*end = '\0';
		last = strrchr(line, '"');
		if (strncmp(line, TABLE_LINE "\"", strlen(TABLE_LINE) + 1) != 0 || !last)
			continue;
		*last = '\0';
		names[count++] = line + strlen(TABLE_LINE) + 1;
	}
	return count;
}

static int unknown_table(const char *prints, const char *run, const char *name,
			 struct etl_error *err)
{
	char *copy = strdup(prints);
	const char **names = calloc(strlen(prints) + 1, sizeof(*names)), *near;
	int rc;

	if (copy && names) {
		near = option_nearest(name, names, list_names(copy, names));
		rc = error_set(err, ETL_USAGE,
			       "--tables: run %s has no table \"%s\" in the target%s%s%s", run,
			       name, near ? "; did you mean \"" : "", near ? near : "",
			       near ? "\"?" : "");
	} else {
		rc = error_memory(err);
	}
	free(names);
	free(copy);
	return rc;
}

/* Each name of "a,b" is a table of the run. */
static int check_tables(const char *prints, const char *run, const char *tables,
			struct etl_error *err)
{
	int rc = 0;

	for (const char *at = tables; rc == 0 && at && *at; at += strcspn(at, ",")) {
		struct etl_text line = { 0 };
		char *name;

		at += *at == ',';
		name = strndup(at, strcspn(at, ","));
		etl_text_add(&line, TABLE_LINE);
		if (name)
			etl_text_add_json(&line, name, strlen(name));
		etl_text_add(&line, " ");
		if (!name || line.failed)
			rc = error_memory(err);
		else if (!strstr(prints, line.at))
			rc = unknown_table(prints, run, name, err);
		etl_text_free(&line);
		free(name);
	}
	return rc;
}

static int find_run(const char *state_path, const char *id, const char *tables,
		    struct reject_run *ret, struct etl_error *err)
{
	struct wanted w = { .id = id, .ret = ret };
	struct state *state = NULL;
	int rc = state_open(state_path, false, &state, err);

	if (rc == 0 && state)
		rc = state_runs(state, on_run, &w, err);
	state_close(state);
	if (rc == 0 && w.prints)
		rc = check_tables(w.prints, ret->id, tables, err);
	free(w.prints);
	if (rc < 0 || w.found)
		return rc;
	return id ? error_set(err, ETL_USAGE,
			      "there is no run %s in %s; `etlrun status` lists them", id,
			      state_path) :
		    error_set(err, ETL_USAGE, "no run in %s has rejected a row", state_path);
}

/* Where the state of the pipeline is, without opening its source. */
static int find_state(const struct pipeline *pipeline, char *path, size_t size,
		      struct etl_error *err)
{
	struct host_limits limits = {
		.batch_rows = 1, .batch_bytes = 1, .max_row = 1, .workers = 1, .pipeline = pipeline
	};
	struct instance *target = NULL;
	int rc = instance_open(&pipeline->target, ETL_ROLE_TARGET, &limits, &target, err);

	if (rc == 0)
		rc = run_state_path(pipeline, target, path, size, err);
	instance_close(target);
	return rc;
}

/* TABLES: names that must be the run's, or NULL. */
static int find(const struct cli *cli, const struct pipeline *pipeline, const char *tables,
		struct reject_run *ret, struct etl_error *err)
{
	int rc = find_state(pipeline, ret->state, sizeof(ret->state), err);

	if (rc == 0)
		rc = find_run(ret->state, cli->word_count > 2 ? cli->words[1] : NULL, tables, ret,
			      err);
	if (rc == 0)
		run_rejects_file(pipeline, ret->state, ret->id, ret->path, sizeof(ret->path));
	return rc;
}

/* ---- list ---- */

/* "a,b" names the table. */
static bool is_wanted(const char *tables, const char *table)
{
	size_t length = strlen(table);

	for (const char *at = tables; at && *at; at += strcspn(at, ",")) {
		at += *at == ',';
		if (strcspn(at, ",") == length && strncmp(at, table, length) == 0)
			return true;
	}
	return !tables;
}

static void print_place(const struct reject_line *line)
{
	if (line->placed)
		printf(" %6" PRIu64 " %10" PRId64, line->split, line->ordinal);
	else
		printf(" %6s %10s", "-", "-");
}

/* What would break the table is not printed: line ends and other control characters. */
static void print_words(const char *words)
{
	for (; words && *words; words++)
		putchar((unsigned char)*words < 0x20 || *words == 0x7f ? ' ' : *words);
}

static void print_line(const struct reject_line *line)
{
	printf("%-20s", line->table.at);
	print_place(line);
	printf("  %-24s %-16s %-14s ", line->key.at ? line->key.at : "-",
	       line->column.at ? line->column.at : "-", line->code.at ? line->code.at : "-");
	print_words(line->reason.at);
	putchar('\n');
}

static int print_all(const struct cli *cli, struct reject_reader *reader, uint64_t *ret,
		     struct etl_error *err)
{
	const struct reject_line *line;
	off_t at;
	int rc;

	*ret = 0;
	while ((rc = reject_reader_next(reader, &line, &at, err)) > 0) {
		if (!is_wanted(cli->run.tables, line->table.at))
			continue;
		if (cli->json_lines)
			fputs(reject_reader_text(reader), stdout);
		else if (*ret == 0)
			printf("%-20s %6s %10s  %-24s %-16s %-14s %s\n", "table", "split",
			       "ordinal", "key", "column", "code", "reason");
		if (!cli->json_lines)
			print_line(line);
		++*ret;
	}
	return rc;
}

static int list_lines(const struct cli *cli, const struct reject_run *run, struct etl_error *err)
{
	struct reject_reader *reader = NULL;
	uint64_t count = 0;
	int rc = reject_reader_open(run->path, run->id, &reader, err);

	if (rc == 0)
		rc = print_all(cli, reader, &count, err);
	reject_reader_close(reader);
	if (rc == 0 && count == 0 && !cli->run.tables)
		rc = error_set(err, ETL_USAGE,
			       "%s has no line of run %s any more: rejects_file names one place "
			       "for all runs, "
			       "and a later run has taken it",
			       run->path, run->id);
	if (rc == 0 && !cli->json_lines)
		printf("%" PRIu64 " row%s of run %s, in %s\n", count, count == 1 ? "" : "s", run->id,
		       run->path);
	return rc;
}

static int list(const struct cli *cli, const struct pipeline *pipeline, struct etl_error *err)
{
	struct reject_run run = { 0 };
	int rc = find(cli, pipeline, cli->run.tables, &run, err);

	if (rc == 0 && run.rejected > 0)
		rc = list_lines(cli, &run, err);
	else if (rc == 0 && !cli->json_lines)
		printf("run %s rejected no row\n", run.id);
	if (rc == 0 && (fflush(stdout) != 0 || ferror(stdout)))
		rc = error_set(err, ETL_MEMORY, "standard output cannot be written: %s",
			       strerror(errno));
	return rc;
}

/* ---- The verb ---- */

static int replay(const struct cli *cli, struct pipeline *pipeline, struct etl_error *err)
{
	struct reject_run run = { 0 };
	int rc = find(cli, pipeline, NULL, &run, err);

	return rc < 0 ? rc : replay_run(cli, pipeline, &run, err);
}

static int rejects(const struct cli *cli, struct etl_error *err)
{
	bool lists = strcmp(cli->words[0], "list") == 0;
	struct pipeline *pipeline = NULL;
	int rc;

	if (!lists && strcmp(cli->words[0], "replay") != 0)
		return error_set(err, ETL_USAGE,
				 "\"%s\" is nothing that can be done with rejects: list, or replay",
				 cli->words[0]);
	rc = cli_pipeline(cli, &pipeline, err);
	if (rc == 0)
		rc = lists ? list(cli, pipeline, err) : replay(cli, pipeline, err);
	pipeline_free(pipeline);
	return rc;
}

const struct verb verb_rejects = {
	.name = "rejects",
	.words = "list|replay [RUN] PIPELINE.cfg",
	.summary = "rows that a run refused, and another try at them",
	.takes = CLI_FILE | CLI_TABLES | CLI_SUMMARY | CLI_JSON,
	.min_words = 2,
	.max_words = 3,
	.run = rejects,
};
