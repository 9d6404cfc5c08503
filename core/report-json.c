/*
 * The report for programs: JSON with stable keys (etlrun(1) lists them; they are only ever added
 * to), and the same lines as CSV by RFC 4180. Numbers are numbers, unknown ones null or empty.
 */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>

#include "report-form.h"

static const char *const phase_words[] = { "before", "data", "after" };

static void add_string(struct etl_text *text, const char *value)
{
	char *shown;

	if (!value) {
		etl_text_add(text, "null");
		return;
	}
	shown = report_redacted(value);
	if (shown)
		etl_text_add_json(text, shown, strlen(shown));
	else
		text->failed = true;
	free(shown);
}

static void key_string(struct etl_text *text, const char *key, const char *value)
{
	etl_text_addf(text, "\"%s\": ", key);
	add_string(text, value);
}

static void key_number(struct etl_text *text, const char *key, uint64_t value)
{
	if (value == UINT64_MAX)
		etl_text_addf(text, ", \"%s\": null", key);
	else
		etl_text_addf(text, ", \"%s\": %" PRIu64, key, value);
}

static void key_flag(struct etl_text *text, const char *key, bool value)
{
	etl_text_addf(text, ", \"%s\": %s", key, value ? "true" : "false");
}

static void key_seconds(struct etl_text *text, double seconds)
{
	etl_text_add(text, ", \"seconds\": ");
	report_add_seconds(text, seconds);
}

static void add_counts(struct etl_text *text, const struct report_line *line)
{
	key_number(text, "read", line->read);
	key_number(text, "created", line->created);
	key_number(text, "filtered", line->filtered);
	key_number(text, "merged", line->merged);
	key_number(text, "rejected", line->rejected);
	key_number(text, "loaded", line->loaded);
	key_number(text, "in_target", line->in_target);
	key_number(text, "inserted", line->inserted);
	key_number(text, "updated", line->updated);
	key_number(text, "unchanged", line->unchanged);
	key_number(text, "deleted", line->deleted);
	key_number(text, "bytes", line->bytes);
	key_seconds(text, line->seconds);
	key_number(text, "rows_per_second", report_rate(line->loaded, line->seconds));
	key_flag(text, "adds_up", report_adds_up(line));
}

static void add_checks(struct etl_text *text, const struct report_line *line)
{
	etl_text_add(text, ", \"checks\": [");
	for (size_t i = 0; i < line->check_count; i++) {
		const struct report_check *check = &line->checks[i];

		etl_text_add(text, i > 0 ? ", { " : " { ");
		key_string(text, "validator", check->validator);
		etl_text_add(text, ", ");
		key_string(text, "extent", check->extent);
		etl_text_add(text, ", ");
		key_string(text, "verdict", report_severity(check->severity));
		key_number(text, "findings", check->findings);
		etl_text_add(text, ", ");
		key_string(text, "message", check->message);
		etl_text_add(text, " }");
	}
	etl_text_add(text, line->check_count > 0 ? " ]" : "]");
}

static void add_stages(struct etl_text *text, const struct report_line *line)
{
	etl_text_add(text, ", \"stages\": [");
	for (size_t i = 0; i < line->stage_count; i++) {
		const struct report_stage *stage = &line->stages[i];

		etl_text_add(text, i > 0 ? ", { " : " { ");
		key_string(text, "stage", stage->name);
		key_number(text, "in", stage->in);
		key_number(text, "created", stage->created);
		key_number(text, "out", stage->out);
		key_number(text, "filtered", stage->filtered);
		key_number(text, "merged", stage->merged);
		key_number(text, "rejected", stage->rejected);
		etl_text_add(text, " }");
	}
	etl_text_add(text, line->stage_count > 0 ? " ]" : "]");
}

static void add_rejects(struct etl_text *text, const struct report_line *line)
{
	etl_text_add(text, ", \"rejects\": {");
	for (size_t i = 0; i < line->reject_count; i++) {
		etl_text_add(text, i > 0 ? ", " : " ");
		add_string(text, line->rejects[i].code);
		etl_text_addf(text, ": %" PRIu64, line->rejects[i].rows);
	}
	etl_text_add(text, line->reject_count > 0 ? " }" : "}");
}

static void add_carried(struct etl_text *text, const struct report_line *line)
{
	etl_text_add(text, ", \"carried\": {");
	for (size_t i = 0; i < line->carried.count; i++) {
		etl_text_add(text, i > 0 ? ", " : " ");
		add_string(text, line->carried.at[i].how);
		etl_text_addf(text, ": %" PRIu64, line->carried.at[i].rows);
	}
	etl_text_add(text, line->carried.count > 0 ? " }" : "}");
}

static void add_noted(struct etl_text *text, const struct report_line *line)
{
	etl_text_add(text, ", \"noted\": {");
	for (size_t i = 0; i < line->noted.count; i++) {
		etl_text_add(text, i > 0 ? ", " : " ");
		add_string(text, line->noted.at[i].code);
		etl_text_addf(text, ": %" PRIu64, line->noted.at[i].count);
	}
	etl_text_add(text, line->noted.count > 0 ? " }" : "}");
}

static void add_conflicts(struct etl_text *text, const struct report_line *line)
{
	const struct conflict_counts *n = &line->conflicts;

	if (!line->knows_conflicts)
		return;
	etl_text_addf(text,
		      ", \"conflicts\": { \"parked\": %" PRIu64 ", \"still_parked\": %" PRIu64 ", \"for_source\": %" PRIu64
		      ", \"for_target\": %" PRIu64 ", \"target_alone\": %" PRIu64 " }",
		      n->parked, n->again, n->for_source, n->for_target, n->stays);
}

static void add_line(struct etl_text *text, const struct report_line *line)
{
	etl_text_add(text, "    { ");
	key_string(text, line->is_table ? "table" : "step", line->name);
	if (line->is_table) {
		etl_text_add(text, ", ");
		key_string(text, "source", line->source_name ? line->source_name : line->name);
		key_flag(text, "published", line->published);
		add_counts(text, line);
		add_stages(text, line);
		add_rejects(text, line);
		add_carried(text, line);
		add_conflicts(text, line);
		add_noted(text, line);
		add_checks(text, line);
	} else {
		key_seconds(text, line->seconds);
	}
	etl_text_add(text, " }");
}

static void add_lines(struct etl_text *text, const struct report *report, enum report_phase phase)
{
	bool first = true;

	for (size_t i = 0; i < report->line_count; i++) {
		if (report->lines[i].phase != phase)
			continue;
		etl_text_add(text, first ? "\n" : ",\n");
		add_line(text, &report->lines[i]);
		first = false;
	}
	etl_text_add(text, first ? "]" : "\n  ]");
}

/* Of all validators: "fail" when one failed, "partial" when one warned or a table was not looked
 * at. */
static const char *overall(const struct report *report)
{
	size_t checked = 0, unchecked = 0;
	int32_t worst = ETL_PASS;

	for (size_t i = 0; i < report->line_count; i++) {
		const struct report_line *line = &report->lines[i];

		if (!line->is_table)
			continue;
		checked += line->check_count > 0;
		unchecked += line->check_count == 0;
		for (size_t n = 0; n < line->check_count; n++)
			if (line->checks[n].severity > worst)
				worst = line->checks[n].severity;
	}
	if (worst == ETL_FAIL)
		return "fail";
	if (checked == 0)
		return "none";
	return worst == ETL_WARN || unchecked > 0 ? "partial" : "pass";
}

static void add_remarks(struct etl_text *text, const struct report *report)
{
	etl_text_add(text, ",\n  \"remarks\": {");
	for (size_t i = 0; i < report->remarks.count; i++) {
		etl_text_add(text, i > 0 ? ", " : " ");
		add_string(text, report->remarks.at[i].about);
		etl_text_add(text, ": ");
		add_string(text, report->remarks.at[i].sentence);
	}
	etl_text_add(text, report->remarks.count > 0 ? " }" : "}");
}

static void add_head(struct etl_text *text, const struct report *report)
{
	etl_text_add(text, "{\n  ");
	key_string(text, "run", report->run);
	etl_text_add(text, ",\n  ");
	key_string(text, "pipeline", report->pipeline);
	etl_text_add(text, ",\n  ");
	key_string(text, "verb", report->verb);
	etl_text_addf(text, ",\n  \"exit\": %d", report->exit);
	key_flag(text, "rolled_back", report->rolled_back);
	etl_text_add(text, ",\n  ");
	key_string(text, "error", report->error);
	etl_text_add(text, ",\n  ");
	key_string(text, "validation", overall(report));
	key_number(text, "peak_bytes", report->peak_bytes);
	key_number(text, "retries", report->retries);
	if (report->batches)
		etl_text_addf(text, ",\n  \"batches\": { \"published\": %" PRIu64 ", \"rows\": %" PRIu64 " }", report->batches,
			      report->batch_rows);
	add_remarks(text, report);
	etl_text_add(text, ",\n  ");
	key_string(text, "rejects_file", report->rejects_file);
	etl_text_add(text, ",\n  ");
	key_string(text, "log_file", report->log_file);
	etl_text_add(text, ",\n  ");
	key_string(text, "next_command", report->next_command);
}

void report_json(const struct report *report, struct etl_text *text)
{
	const struct report_line total = report_total(report);
	uint64_t tables = 0;

	for (size_t i = 0; i < report->line_count; i++)
		tables += report->lines[i].is_table;
	add_head(text, report);
	etl_text_addf(text, ",\n  \"total\": { \"tables\": %" PRIu64, tables);
	add_counts(text, &total);
	etl_text_add(text, " },\n  \"before\": [");
	add_lines(text, report, REPORT_BEFORE);
	etl_text_add(text, ",\n  \"tables\": [");
	add_lines(text, report, REPORT_DATA);
	etl_text_add(text, ",\n  \"after\": [");
	add_lines(text, report, REPORT_AFTER);
	etl_text_add(text, "\n}\n");
}

static void add_field(struct etl_text *text, const char *value)
{
	char *shown = report_redacted(value);

	if (!shown) {
		text->failed = true;
	} else if (strpbrk(shown, ",\"\r\n") == NULL) {
		etl_text_add(text, shown);
	} else {
		etl_text_add(text, "\"");
		for (const char *c = shown; *c; c++) {
			if (*c == '"')
				etl_text_add(text, "\"");
			etl_text_add_bytes(text, c, 1);
		}
		etl_text_add(text, "\"");
	}
	free(shown);
}

static void add_number(struct etl_text *text, uint64_t value)
{
	if (value == UINT64_MAX)
		etl_text_add(text, ",");
	else
		etl_text_addf(text, ",%" PRIu64, value);
}

/* "counts=pass;checksum=fail" */
static void add_verdicts(struct etl_text *text, const struct report_line *line)
{
	struct etl_text verdicts = { 0 };

	for (size_t i = 0; i < line->check_count; i++)
		etl_text_addf(&verdicts, "%s%s=%s", i > 0 ? ";" : "", line->checks[i].validator,
			      report_severity(line->checks[i].severity));
	add_field(text, verdicts.at);
	text->failed = text->failed || verdicts.failed;
	etl_text_free(&verdicts);
}

/* "bulk copy=3;parameter arrays=1" */
static void add_ways(struct etl_text *text, const struct report_line *line)
{
	struct etl_text ways = { 0 };

	for (size_t i = 0; i < line->carried.count; i++)
		etl_text_addf(&ways, "%s%s=%" PRIu64, i > 0 ? ";" : "", line->carried.at[i].how, line->carried.at[i].rows);
	add_field(text, ways.at);
	text->failed = text->failed || ways.failed;
	etl_text_free(&ways);
}

static void add_record(struct etl_text *text, const struct report_line *line)
{
	const uint64_t counts[] = {
		line->read,	line->created,	 line->filtered,  line->merged,
		line->rejected, line->loaded,	 line->in_target, line->inserted,
		line->updated,	line->unchanged, line->deleted,	  line->bytes,
	};

	etl_text_addf(text, "%s,", phase_words[line->phase]);
	add_field(text, line->name);
	etl_text_add(text, ",");
	add_field(text, line->is_table && !line->source_name ? line->name : line->source_name);
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		add_number(text, line->is_table ? counts[i] : UINT64_MAX);
	etl_text_add(text, ",");
	report_add_seconds(text, line->seconds);
	etl_text_add(text, line->is_table ? (line->published ? ",true," : ",false,") : ",,");
	add_verdicts(text, line);
	etl_text_add(text, ",");
	add_ways(text, line);
	etl_text_add(text, "\r\n");
}

void report_csv(const struct report *report, struct etl_text *text)
{
	etl_text_add(
		text,
		"phase,name,source,read,created,filtered,merged,rejected,loaded,in_target,inserted,"
		"updated,unchanged,deleted,bytes,seconds,published,verdicts,carried\r\n");
	for (int phase = REPORT_BEFORE; phase <= REPORT_AFTER; phase++)
		for (size_t i = 0; i < report->line_count; i++)
			if ((int)report->lines[i].phase == phase)
				add_record(text, &report->lines[i]);
}
