/*
 * The report as data: lines are added while the run goes on, sums and checks are made of them at
 * the end, and the forms (report-text.c, report-json.c) are written to where the person wanted
 * them.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "log.h"
#include "report-form.h"
#include "secret.h"

struct report_line *report_add(struct report *report, enum report_phase phase, const char *name)
{
	struct report_line *line;
	char *copy;

	if (report->line_count == report->line_room) {
		size_t room = report->line_room ? report->line_room * 2 : 32;
		struct report_line *lines = realloc(report->lines, room * sizeof(*lines));

		if (!lines)
			return NULL;
		report->lines = lines;
		report->line_room = room;
	}
	copy = strdup(name);
	if (!copy)
		return NULL;
	line = &report->lines[report->line_count++];
	*line = (struct report_line){ .phase = phase, .name = copy, .in_target = UINT64_MAX };
	return line;
}

static void free_line(struct report_line *line)
{
	for (size_t i = 0; i < line->check_count; i++) {
		free(line->checks[i].validator);
		free(line->checks[i].extent);
		free(line->checks[i].message);
	}
	for (size_t i = 0; i < line->stage_count; i++)
		free(line->stages[i].name);
	for (size_t i = 0; i < line->reject_count; i++)
		free(line->rejects[i].code);
	noted_clear(&line->noted);
	free(line->stages);
	free(line->rejects);
	free(line->checks);
	free(line->name);
	free(line->source_name);
}

bool report_add_stage(struct report_line *line, const char *name, struct report_stage stage)
{
	struct report_stage *more = realloc(line->stages, (line->stage_count + 1) * sizeof(*more));

	if (!more)
		return false;
	line->stages = more;
	stage.name = strdup(name);
	if (stage.name)
		more[line->stage_count++] = stage;
	return stage.name != NULL;
}

bool report_add_reject(struct report_line *line, const char *code, uint64_t rows)
{
	struct report_reject *more = realloc(line->rejects,
					     (line->reject_count + 1) * sizeof(*more));

	if (!more)
		return false;
	line->rejects = more;
	more += line->reject_count;
	*more = (struct report_reject){ strdup(code), rows };
	line->reject_count += more->code != NULL;
	return more->code != NULL;
}

void report_free(struct report *report)
{
	if (!report)
		return;
	for (size_t i = 0; i < report->line_count; i++)
		free_line(&report->lines[i]);
	free(report->lines);
	free(report->run);
	free(report->pipeline);
	free(report->verb);
	free(report->error);
	free(report->rejects_file);
	free(report->log_file);
	free(report->next_command);
	*report = (struct report){ 0 };
}

bool report_compares(const struct report *report)
{
	return report->verb && strcmp(report->verb, "validate") == 0;
}

struct report_line report_total(const struct report *report)
{
	struct report_line total = { .phase = REPORT_DATA,
				     .is_table = true,
				     .compared = report_compares(report),
				     .seconds = report->seconds };

	for (size_t i = 0; i < report->line_count; i++) {
		const struct report_line *line = &report->lines[i];

		if (!line->is_table)
			continue;
		total.merges |= line->merges;
		total.read += line->read;
		total.filtered += line->filtered;
		total.created += line->created;
		total.merged += line->merged;
		total.rejected += line->rejected;
		total.loaded += line->loaded;
		total.inserted += line->inserted;
		total.updated += line->updated;
		total.unchanged += line->unchanged;
		total.deleted += line->deleted;
		total.bytes += line->bytes;
		if (line->in_target == UINT64_MAX)
			total.in_target = UINT64_MAX;
		else if (total.in_target != UINT64_MAX)
			total.in_target += line->in_target;
	}
	return total;
}

static bool stages_add_up(const struct report_line *line)
{
	for (size_t i = 0; i < line->stage_count; i++) {
		const struct report_stage *s = &line->stages[i];

		if (s->in + s->created != s->out + s->filtered + s->merged + s->rejected)
			return false;
	}
	return true;
}

bool report_adds_up(const struct report_line *line)
{
	if (!line->is_table || line->compared)
		return true;
	if (line->published && line->loaded != line->inserted + line->updated + line->unchanged)
		return false;
	return stages_add_up(line) && line->read + line->created == line->loaded + line->filtered +
									    line->merged +
									    line->rejected;
}

const char *report_severity(int32_t severity)
{
	return severity == ETL_PASS ? "pass" : severity == ETL_WARN ? "warn" : "fail";
}

uint64_t report_rate(uint64_t rows, double seconds)
{
	return seconds > 0.0 ? (uint64_t)((double)rows / seconds + 0.5) : 0;
}

void report_add_seconds(struct etl_text *text, double seconds)
{
	uint64_t ms = seconds > 0.0 ? (uint64_t)(seconds * 1000.0 + 0.5) : 0;

	etl_text_addf(text, "%llu.%03llu", (unsigned long long)(ms / 1000),
		      (unsigned long long)(ms % 1000));
}

char *report_redacted(const char *text)
{
	return secret_redact(text ? text : "");
}

void report_print(const struct report *report)
{
	struct etl_text text = { 0 };
	char *shown;

	report_text(report, &text);
	shown = text.failed ? NULL : secret_redact(text.at);
	if (shown)
		fprintf(stderr, "%s", shown);
	else
		fprintf(stderr, "no memory for the report; the exit code is %d\n", report->exit);
	free(shown);
	etl_text_free(&text);
}

void report_log(const struct report *report)
{
	for (size_t i = 0; i < report->line_count; i++) {
		const struct report_line *line = &report->lines[i];

		if (line->is_table)
			log_note("table %s: read %" PRIu64 ", loaded %" PRIu64 ", rejected %" PRIu64
				 ", %.3f s",
				 line->name, line->read, line->loaded, line->rejected,
				 line->seconds);
		for (size_t n = 0; n < line->check_count; n++)
			log_note("table %s: %s: %s%s%s", line->name, line->checks[n].validator,
				 report_severity(line->checks[n].severity),
				 line->checks[n].message ? ": " : "",
				 line->checks[n].message ? line->checks[n].message : "");
	}
	for (size_t i = 0; i < report->remarks.count; i++)
		log_note("%s: %s", report->remarks.at[i].about, report->remarks.at[i].sentence);
	if (report->rejects_file)
		log_note("rejected rows are in %s", report->rejects_file);
	log_note("%s %s of %s ends with exit %d after %.3f s%s",
		 report_compares(report) ? "validation" : "run", report->run ? report->run : "",
		 report->pipeline ? report->pipeline : "", report->exit, report->seconds,
		 report->rolled_back && report->exit != 0 ? "; nothing was published" : "");
	if (report->next_command)
		log_note("go on with: %s", report->next_command);
}

static int write_to(const char *path, const struct etl_text *text)
{
	FILE *file = fopen(path, "we");
	bool ok;

	if (!file)
		return -1;
	ok = fwrite(text->at, 1, text->length, file) == text->length;
	if (fclose(file) != 0 || !ok)
		return -1;
	return 0;
}

/* A reader sees the old file or the whole new one; what is no plain file (a pipe) is written in
 * place. */
static int write_whole(const char *path, const struct etl_text *text)
{
	struct etl_text aside = { 0 };
	struct stat st;
	int saved, r;

	if (lstat(path, &st) == 0 && !S_ISREG(st.st_mode))
		return write_to(path, text);
	etl_text_addf(&aside, "%s.part", path);
	if (aside.failed) {
		etl_text_free(&aside);
		errno = ENOMEM;
		return -1;
	}
	r = write_to(aside.at, text);
	if (r == 0)
		r = rename(aside.at, path);
	if (r != 0) {
		saved = errno;
		remove(aside.at);
		errno = saved;
	}
	etl_text_free(&aside);
	return r;
}

int report_write(const struct report *report, const char *path, struct etl_error *err)
{
	size_t length = strlen(path);
	struct etl_text text = { 0 };
	int r = ETL_OK;

	if (length >= 4 && strcasecmp(path + length - 4, ".csv") == 0)
		report_csv(report, &text);
	else
		report_json(report, &text);
	if (text.failed)
		r = error_memory(err);
	else if (write_whole(path, &text) != 0)
		r = error_set(err, ETL_MEMORY,
			      "cannot write the summary %s: %s; name another file with --summary",
			      path, strerror(errno));
	etl_text_free(&text);
	return r;
}
