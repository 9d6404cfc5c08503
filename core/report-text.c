/*
 * The report for people: one table on standard error, before, data and after divided by rules as in
 * pgloader's, then what else one wants to know of a run, and as the last line what to do next.
 */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>

#include "report-form.h"

#define REJECTS_SHOWN 20 /* tables whose rejects are told by their reasons */

enum column {
	COLUMN_NAME,
	COLUMN_READ,
	COLUMN_LOADED,
	COLUMN_REJECTED,
	COLUMN_FILTERED,
	COLUMN_INSERTED,
	COLUMN_UPDATED,
	COLUMN_UNCHANGED,
	COLUMN_DELETED,
	COLUMN_IN_TARGET,
	COLUMN_BYTES,
	COLUMN_SECONDS,
	COLUMN_RATE,
	COLUMN_VERDICTS,
	COLUMNS
};

static const char *const titles[COLUMNS] = { "table",	 "read",      "loaded",	 "rejected",
					     "filtered", "inserted",  "updated", "unchanged",
					     "deleted",	 "in target", "bytes",	 "seconds",
					     "rows/s",	 "verdicts" };

struct row {
	bool rule;
	struct etl_text cells[COLUMNS];
};

struct sheet {
	struct row *rows;
	size_t count;
	size_t width[COLUMNS];
	bool hidden[COLUMNS];
};

/* A code point and how many bytes it took; what is no UTF-8 counts as one byte. */
static uint32_t decode(const unsigned char *at, size_t left, size_t *ret_size)
{
	size_t size = at[0] < 0x80  ? 1 :
		      at[0] >= 0xf0 ? 4 :
		      at[0] >= 0xe0 ? 3 :
		      at[0] >= 0xc0 ? 2 :
				      1;
	uint32_t c = at[0];

	if (size > left)
		size = 1;
	if (size > 1)
		c &= 0xffu >> (size + 1);
	for (size_t i = 1; i < size; i++)
		c = c << 6 | (at[i] & 0x3fu);
	*ret_size = size;
	return c;
}

struct interval {
	uint32_t first, last;
};

static bool within(uint32_t c, const struct interval *at, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (c >= at[i].first && c <= at[i].last)
			return true;
	return false;
}

/* The columns a terminal gives a code point, by Unicode's blocks: wcwidth would ask the locale. */
static size_t code_width(uint32_t c)
{
	static const struct interval none[] = {
		{ 0x300, 0x36f },   { 0x483, 0x489 },	{ 0x591, 0x5bd },   { 0x610, 0x61a },
		{ 0x64b, 0x65f },   { 0x1ab0, 0x1aff }, { 0x1dc0, 0x1dff }, { 0x200b, 0x200f },
		{ 0x20d0, 0x20ff }, { 0xfe00, 0xfe0f }, { 0xfe20, 0xfe2f }, { 0xe0100, 0xe01ef },
	};
	static const struct interval wide[] = {
		{ 0x1100, 0x115f },   { 0x2e80, 0x303e },   { 0x3041, 0x33ff },
		{ 0x3400, 0x4dbf },   { 0x4e00, 0x9fff },   { 0xa000, 0xa4cf },
		{ 0xac00, 0xd7a3 },   { 0xf900, 0xfaff },   { 0xfe30, 0xfe4f },
		{ 0xff00, 0xff60 },   { 0xffe0, 0xffe6 },   { 0x1f300, 0x1f64f },
		{ 0x1f680, 0x1f6ff }, { 0x1f900, 0x1f9ff }, { 0x20000, 0x3fffd },
	};

	if (c < 0x300)
		return 1;
	if (within(c, none, sizeof(none) / sizeof(none[0])))
		return 0;
	return within(c, wide, sizeof(wide) / sizeof(wide[0])) ? 2 : 1;
}

static size_t text_width(const struct etl_text *text)
{
	size_t width = 0, size;

	for (size_t i = 0; i < text->length; i += size)
		width += code_width(
			decode((const unsigned char *)text->at + i, text->length - i, &size));
	return width;
}

void report_add_grouped(struct etl_text *text, uint64_t n)
{
	char buf[32], *at = buf + sizeof(buf) - 1;
	int digits = 0;

	*at = '\0';
	do {
		if (digits > 0 && digits % 3 == 0)
			*--at = ',';
		*--at = (char)('0' + n % 10);
		n /= 10;
		digits++;
	} while (n > 0);
	etl_text_add(text, at);
}

/* "512 B", "1.5 KiB": one decimal from KiB on, rounded. */
static void add_bytes(struct etl_text *text, uint64_t bytes)
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	size_t unit = 0;
	uint64_t tenths;

	if (bytes < 1024) {
		etl_text_addf(text, "%" PRIu64 " B", bytes);
		return;
	}
	while (unit < 5 && bytes >= UINT64_C(1024) * 1024) {
		bytes /= 1024;
		unit++;
	}
	tenths = bytes / 1024 * 10 + (bytes % 1024 * 10 + 512) / 1024;
	etl_text_addf(text, "%" PRIu64 ".%" PRIu64 " %s", tenths / 10, tenths % 10, units[unit]);
}

/* A line break or an escape in a table's name must not break the table. */
static void add_name(struct etl_text *text, const char *name)
{
	for (const char *c = name; *c; c++) {
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			etl_text_addf(text, "\\x%02x", (unsigned)(unsigned char)*c);
		else
			etl_text_add_bytes(text, c, 1);
	}
}

/* "counts pass, checksum FAIL (sample 10 %)"; an extent that is the validator's name says nothing
 * new. */
static void add_verdicts(struct etl_text *text, const struct report_line *line)
{
	static const char *const words[] = { "pass", "WARN", "FAIL" };

	for (size_t i = 0; i < line->check_count; i++) {
		const struct report_check *check = &line->checks[i];

		etl_text_addf(text, "%s%s %s", i > 0 ? ", " : "", check->validator,
			      words[check->severity == ETL_PASS ? 0 :
				    check->severity == ETL_WARN ? 1 :
								  2]);
		if (check->extent && strcmp(check->extent, check->validator) != 0)
			etl_text_addf(text, " (%s)", check->extent);
	}
}

static void fill_row(struct row *row, const struct report_line *line, const char *name)
{
	struct etl_text *cells = row->cells;

	add_name(&cells[COLUMN_NAME], name);
	report_add_seconds(&cells[COLUMN_SECONDS], line->seconds);
	if (!line->is_table)
		return;
	report_add_grouped(&cells[COLUMN_READ], line->read);
	report_add_grouped(&cells[COLUMN_LOADED], line->loaded);
	report_add_grouped(&cells[COLUMN_REJECTED], line->rejected);
	report_add_grouped(&cells[COLUMN_FILTERED], line->filtered);
	if (line->merges) {
		report_add_grouped(&cells[COLUMN_INSERTED], line->inserted);
		report_add_grouped(&cells[COLUMN_UPDATED], line->updated);
		report_add_grouped(&cells[COLUMN_UNCHANGED], line->unchanged);
		report_add_grouped(&cells[COLUMN_DELETED], line->deleted);
	}
	if (line->in_target == UINT64_MAX)
		etl_text_add(&cells[COLUMN_IN_TARGET], "?");
	else
		report_add_grouped(&cells[COLUMN_IN_TARGET], line->in_target);
	add_bytes(&cells[COLUMN_BYTES], line->bytes);
	if (line->seconds > 0.0)
		report_add_grouped(&cells[COLUMN_RATE], report_rate(line->loaded, line->seconds));
	add_verdicts(&cells[COLUMN_VERDICTS], line);
}

static void add_rule(struct sheet *sheet)
{
	if (sheet->count > 0 && !sheet->rows[sheet->count - 1].rule)
		sheet->rows[sheet->count++].rule = true;
}

static void fill_sheet(struct sheet *sheet, const struct report *report,
		       const struct report_line *total)
{
	struct row *head = &sheet->rows[sheet->count++];

	for (int c = 0; c < COLUMNS; c++)
		etl_text_add(&head->cells[c], titles[c]);
	for (int phase = REPORT_BEFORE; phase <= REPORT_AFTER; phase++) {
		add_rule(sheet);
		for (size_t i = 0; i < report->line_count; i++)
			if ((int)report->lines[i].phase == phase)
				fill_row(&sheet->rows[sheet->count++], &report->lines[i],
					 report->lines[i].name);
	}
	add_rule(sheet);
	fill_row(&sheet->rows[sheet->count++], total, "total");
	sheet->hidden[COLUMN_FILTERED] = total->filtered == 0;
	for (int c = COLUMN_INSERTED; c <= COLUMN_DELETED; c++)
		sheet->hidden[c] = !total->merges;
	sheet->hidden[COLUMN_IN_TARGET] = total->merges && total->in_target == UINT64_MAX;
	/* `validate` loads nothing, so what a load says of a table says nothing of it. */
	if (report_compares(report))
		for (int c = COLUMN_LOADED; c < COLUMNS; c++)
			sheet->hidden[c] = c != COLUMN_IN_TARGET && c != COLUMN_SECONDS &&
					   c != COLUMN_VERDICTS;
}

static void measure(struct sheet *sheet)
{
	for (size_t i = 0; i < sheet->count; i++) {
		for (int c = 0; c < COLUMNS; c++) {
			size_t width = text_width(&sheet->rows[i].cells[c]);

			if (width > sheet->width[c])
				sheet->width[c] = width;
		}
	}
}

static void add_repeated(struct etl_text *text, char c, size_t count)
{
	for (size_t i = 0; i < count; i++)
		etl_text_add_bytes(text, &c, 1);
}

/* Names and verdicts to the left, numbers to the right; nothing trails. */
static void add_row(struct etl_text *text, const struct sheet *sheet, const struct row *row)
{
	for (int c = 0; c < COLUMNS; c++) {
		const struct etl_text *cell = &row->cells[c];
		size_t pad;

		if (sheet->hidden[c])
			continue;
		pad = sheet->width[c] - text_width(cell);
		text->failed = text->failed || cell->failed;
		if (c == COLUMN_VERDICTS && cell->length == 0 && !row->rule)
			continue;
		etl_text_add(text, c > 0 ? "  " : "");
		if (row->rule)
			pad = sheet->width[c];
		if (row->rule || c != COLUMN_VERDICTS)
			add_repeated(text, row->rule ? '-' : ' ',
				     row->rule || c != COLUMN_NAME ? pad : 0);
		if (cell->length > 0)
			etl_text_add_bytes(text, cell->at, cell->length);
		if (c == COLUMN_NAME && !row->rule)
			add_repeated(text, ' ', pad);
	}
	while (text->length > 0 && !text->failed && text->at[text->length - 1] == ' ')
		text->at[--text->length] = '\0';
	etl_text_add(text, "\n");
}

static void add_sheet(struct etl_text *text, const struct report *report,
		      const struct report_line *total)
{
	struct sheet sheet = { 0 };

	/* A head, four rules at most, the total. */
	sheet.rows = calloc(report->line_count + 6, sizeof(*sheet.rows));
	if (!sheet.rows) {
		text->failed = true;
		return;
	}
	fill_sheet(&sheet, report, total);
	measure(&sheet);
	for (size_t i = 0; i < sheet.count; i++)
		add_row(text, &sheet, &sheet.rows[i]);
	for (size_t i = 0; i < sheet.count; i++)
		for (int c = 0; c < COLUMNS; c++)
			etl_text_free(&sheet.rows[i].cells[c]);
	free(sheet.rows);
}

/* What each validator that did not pass said. */
static void add_messages(struct etl_text *text, const struct report *report)
{
	for (size_t i = 0; i < report->line_count; i++) {
		const struct report_line *line = &report->lines[i];

		for (size_t n = 0; n < line->check_count; n++) {
			const struct report_check *check = &line->checks[n];

			if (check->severity == ETL_PASS || !check->message)
				continue;
			etl_text_addf(text, "%s, %s: %s", line->name, check->validator,
				      check->message);
			if (check->findings > 1)
				etl_text_addf(text, " (and %" PRIu64 " more)", check->findings - 1);
			etl_text_add(text, "\n");
		}
	}
}

/* Only of runs that ended: an interrupted one has rows under way. */
static void add_broken(struct etl_text *text, const struct report *report)
{
	for (size_t i = 0; i < report->line_count; i++) {
		const struct report_line *line = &report->lines[i];

		if ((report->exit != 0 && report->exit != 6) || report_adds_up(line))
			continue;
		etl_text_addf(text,
			      "error: %s: the rows do not add up: %" PRIu64 " read + %" PRIu64
			      " created, but %" PRIu64 " loaded + %" PRIu64 " filtered + %" PRIu64
			      " merged + %" PRIu64 " rejected\n",
			      line->name, line->read, line->created, line->loaded, line->filtered,
			      line->merged, line->rejected);
	}
}

/* That every row is accounted for is said, not only that one is not. */
static void add_sums(struct etl_text *text, const struct report *report)
{
	size_t tables = 0, stages = 0;

	for (size_t i = 0; i < report->line_count; i++) {
		const struct report_line *line = &report->lines[i];

		if (!line->is_table || line->compared || !report_adds_up(line))
			continue;
		tables++;
		stages += line->stage_count;
	}
	if ((report->exit != 0 && report->exit != 6) || !tables)
		return;
	etl_text_addf(text, "counts       add up for %zu table%s", tables, tables == 1 ? "" : "s");
	if (stages)
		etl_text_addf(text, " and %zu step%s on the way", stages, stages == 1 ? "" : "s");
	etl_text_add(text, "\n");
}

/* "rejects      Customer: 2 duplicate, 1 not_null", a line for each table. */
static void add_rejects(struct etl_text *text, const struct report *report)
{
	size_t shown = 0, more = 0;

	for (size_t i = 0; i < report->line_count; i++) {
		const struct report_line *line = &report->lines[i];

		if (!line->reject_count)
			continue;
		if (shown == REJECTS_SHOWN) {
			more++;
			continue;
		}
		etl_text_addf(text, "%-13s%s:", shown++ ? "" : "rejects", line->name);
		for (size_t n = 0; n < line->reject_count; n++) {
			etl_text_add(text, n ? ", " : " ");
			report_add_grouped(text, line->rejects[n].rows);
			etl_text_addf(text, " %s", line->rejects[n].code);
		}
		etl_text_add(text, "\n");
	}
	if (more)
		etl_text_addf(text, "%-13sand of %zu more tables\n", "", more);
	if (report->rejects_file)
		etl_text_addf(text, "%-13s%s\n", shown ? "" : "rejects", report->rejects_file);
}

static bool same_way(const struct report_line *a, const struct report_line *b)
{
	if (a->carried.count != b->carried.count || (a->carried.count > 1 && a != b))
		return false;
	for (size_t i = 0; i < a->carried.count; i++)
		if (strcmp(a->carried.at[i].how, b->carried.at[i].how) != 0)
			return false;
	return true;
}

/* "carried by   bulk copy: Album, Artist", a line for each way; a table that went by several has one of its own. */
static void add_carried(struct etl_text *text, const struct report *report)
{
	bool shown = false;

	for (size_t i = 0; i < report->line_count; i++) {
		const struct report_line *line = &report->lines[i];
		size_t first = 0;

		while (first < i && !same_way(&report->lines[first], line))
			first++;
		if (!line->carried.count || first < i)
			continue;
		etl_text_addf(text, "%-13s", shown ? "" : "carried by");
		shown = true;
		for (size_t n = 0; n < line->carried.count; n++) {
			etl_text_addf(text, "%s%s", n ? ", " : "", line->carried.at[n].how);
			if (line->carried.count > 1) {
				etl_text_add(text, " ");
				report_add_grouped(text, line->carried.at[n].rows);
			}
		}
		for (size_t n = i; n < report->line_count; n++)
			if (same_way(line, &report->lines[n])) {
				etl_text_add(text, n == i ? ": " : ", ");
				add_name(text, report->lines[n].name);
			}
		etl_text_add(text, "\n");
	}
}

/* "changed      issues: 428 values read as NULL", a line for each table. */
static void add_noted(struct etl_text *text, const struct report *report)
{
	bool shown = false;

	for (size_t i = 0; i < report->line_count; i++) {
		const struct report_line *line = &report->lines[i];

		if (!line->noted.count)
			continue;
		etl_text_addf(text, "%-13s", shown ? "" : "changed");
		shown = true;
		add_name(text, line->name);
		for (size_t n = 0; n < line->noted.count; n++) {
			etl_text_add(text, n ? ", " : ": ");
			report_add_grouped(text, line->noted.at[n].count);
			etl_text_addf(text, " %s", line->noted.at[n].text);
		}
		etl_text_add(text, "\n");
	}
}

static void add_facts(struct etl_text *text, const struct report *report)
{
	add_sums(text, report);
	add_carried(text, report);
	add_noted(text, report);
	for (size_t i = 0; i < report->remarks.count; i++)
		etl_text_addf(text, "%-12s %s\n", report->remarks.at[i].about, report->remarks.at[i].sentence);
	if (report->peak_bytes > 0) {
		etl_text_add(text, "peak memory  ");
		add_bytes(text, report->peak_bytes);
		etl_text_add(text, "\n");
	}
	if (report->retries > 0)
		etl_text_addf(text, "retries      %" PRIu64 "\n", report->retries);
	if (report->run)
		etl_text_addf(text, "run          %s\n", report->run);
	add_rejects(text, report);
	if (report->log_file)
		etl_text_addf(text, "log          %s\n", report->log_file);
}

static void add_done(struct etl_text *text, const struct report *report,
		     const struct report_line *total)
{
	bool compared = report_compares(report);
	uint64_t rows = compared ? total->read : total->loaded;

	etl_text_add(text, "done: ");
	report_add_grouped(text, rows);
	etl_text_addf(text, " row%s %s", rows == 1 ? "" : "s", compared ? "compared" : "loaded");
	if (total->rejected > 0) {
		etl_text_add(text, ", ");
		report_add_grouped(text, total->rejected);
		etl_text_add(text, " rejected");
	}
	if (total->updated + total->unchanged + total->deleted > 0) {
		const uint64_t counts[] = { total->inserted, total->updated, total->unchanged,
					    total->deleted };
		static const char *const words[] = { "inserted", "updated", "unchanged", "deleted" };

		for (size_t i = 0; i < 4; i++) {
			etl_text_add(text, i ? ", " : "; ");
			report_add_grouped(text, counts[i]);
			etl_text_addf(text, " %s", words[i]);
		}
	}
	etl_text_add(text, "\n");
}

/* With scope = "table": which tables are at the target as they were before the run. */
static void add_unpublished(struct etl_text *text, const struct report *report)
{
	size_t tables = 0, left_out = 0;

	for (size_t i = 0; i < report->line_count; i++) {
		tables += report->lines[i].is_table;
		left_out += report->lines[i].is_table && !report->lines[i].published;
	}
	if (left_out == 0 || left_out == tables)
		return;
	etl_text_addf(text, "%zu of %zu tables were published; as they were before the run:",
		      tables - left_out, tables);
	for (size_t i = 0; i < report->line_count; i++)
		if (report->lines[i].is_table && !report->lines[i].published)
			etl_text_addf(text, " %s", report->lines[i].name);
	etl_text_add(text, "\n");
}

/* The root cause of a failed run is not said here: the verb says it below the report, as the last
 * line. */
static void add_last(struct etl_text *text, const struct report *report,
		     const struct report_line *total)
{
	if (report->exit == 0 || report->exit == 6)
		add_done(text, report, total);
	else if (report->rolled_back)
		etl_text_add(text, "nothing was published; the target is as it was\n");
	else if (report->batches)
		etl_text_addf(text, "%" PRIu64 " batch%s published, %" PRIu64 " rows; the rest is not\n", report->batches,
			      report->batches == 1 ? " is" : "es are", report->batch_rows);
	else if (report->exit == 5)
		add_unpublished(text, report);
	if (report->next_command)
		etl_text_addf(text, "go on with: %s\n", report->next_command);
}

void report_text(const struct report *report, struct etl_text *text)
{
	const struct report_line total = report_total(report);

	if (report->line_count > 0)
		add_sheet(text, report, &total);
	add_messages(text, report);
	add_broken(text, report);
	add_facts(text, report);
	add_last(text, report, &total);
}
