/*
 * Records: the whole, lines, elements, members. A record that is all in what was fed, with room behind it, is lent from
 * there; one that comes in pieces is put together in HELD, up to max_record.
 */
#include "config.h"

#include <string.h>

#include "split-parts.h"
#include "text.h"
#include "tree-parts.h"

/* The record starts at the cursor. */
void json_split_open(struct json_split *split, enum json_split_phase phase)
{
	struct json_record *record = &split->record;

	json_split_count(split, split->at);
	record->offset = split->base + split->at;
	record->line = split->line;
	record->column = record->offset - split->line_start + 1;
	record->unseparated = split->unseparated;
	split->unseparated = false;
	split->start = split->at;
	split->held.size = 0;
	split->too_large = false;
	memset(&split->scan, 0, sizeof(split->scan));
	split->phase = phase;
}

/* What is here up to END is put to what is held. */
static bool hold(struct json_split *split, size_t end)
{
	size_t size = end - split->start, room = split->plan.max_record - split->held.size;

	if (split->skipping)
		return true;
	if (size > room) {
		split->too_large = true;
		size = room;
	}
	return json_bytes_add(&split->held, split->in + split->start, size);
}

/* The end of what is here is in the record that is open. */
static int wait_for_rest(struct json_split *split)
{
	if (!hold(split, split->size))
		return JSON_SPLIT_MEMORY;
	split->at = split->start = split->size;
	return JSON_SPLIT_MORE;
}

static bool is_lent(const struct json_split *split, size_t end)
{
	return split->held.size == 0 && !split->too_large && end - split->start <= split->plan.max_record &&
	       split->size - end >= JSON_PADDING;
}

/* The record that is open ends before END, and white space behind it is none of it. */
static int close_record(struct json_split *split, size_t end, struct json_record *ret)
{
	struct json_record *record = &split->record;

	split->at = end;
	if (split->skipping) {
		record->index++;
		return SPLIT_GO;
	}
	record->text = split->in + split->start;
	record->size = end - split->start;
	if (!is_lent(split, end)) {
		if (!hold(split, end))
			return JSON_SPLIT_MEMORY;
		record->text = split->held.at;
		record->size = split->held.size;
	}
	record->too_large = split->too_large;
	if (!split->too_large)
		record->size = json_trim(record->text, record->size);
	*ret = *record;
	record->index++;
	return JSON_SPLIT_RECORD;
}

static int no_record(struct json_split *split)
{
	return json_split_fail(split, split->size, "empty", "There is nothing in it.");
}

/* White space up to the record; true: there is a byte of it. */
static bool skip_space(struct json_split *split)
{
	split->at = json_skip_space(split->in, split->at, split->size);
	return split->at < split->size;
}

int json_split_whole(struct json_split *split, struct json_record *ret)
{
	int result;

	split->found = split->outer_ignored = true;
	if (split->phase == SPLIT_WHOLE_BEFORE) {
		if (!skip_space(split))
			return split->last ? no_record(split) : JSON_SPLIT_MORE;
		json_split_open(split, SPLIT_WHOLE);
	}
	if (!split->last)
		return wait_for_rest(split);
	result = close_record(split, split->size, ret);
	split->phase = SPLIT_END;
	return result;
}

static bool opens_value(char c)
{
	return c == '[' || c == '{';
}

/* A line has no newline in it, so the count goes on behind it. */
static void count_line(struct json_split *split, size_t newline)
{
	split->line++;
	split->counted = newline + 1;
	split->line_start = split->base + newline + 1;
	split->at = newline + 1;
}

/* Of RECORD what is before byte AT; the rest of it is SPLIT->rest. */
static void cut_line(struct json_split *split, struct json_record *record, size_t at)
{
	struct json_record *rest = &split->rest;
	size_t next = json_skip_space(record->text, at, record->size);

	*rest = *record;
	rest->index++;
	rest->text += next;
	rest->offset += next;
	rest->column += next;
	rest->size -= next;
	rest->unseparated = true;
	record->size = at;
	record->too_large = false;
}

/* Where the array or object that TEXT begins with ends, when another follows it; or 0. */
static size_t first_of_several(const char *text, size_t size)
{
	struct json_scan scan = { 0 };
	size_t end = size > 0 && opens_value(*text) ? json_scan_value(&scan, text, size) : 0, next;

	if (!scan.closed)
		return 0;
	next = json_skip_space(text, end, size);
	return next < size && opens_value(text[next]) ? end : 0;
}

/* The bytes behind a piece are the next one's, which is padding as well as any other. */
static int rest_of_line(struct json_split *split, struct json_record *ret)
{
	size_t end = first_of_several(split->rest.text, split->rest.size);

	*ret = split->rest;
	split->record.index = ret->index + 1;
	split->rest.size = 0;
	if (end > 0)
		cut_line(split, ret, end);
	return JSON_SPLIT_RECORD;
}

bool json_split_line_again(struct json_split *split, struct json_record *record)
{
	size_t end = split->chosen == JSON_CUT_LINES && !record->unseparated ? first_of_several(record->text, record->size) : 0;

	if (end > 0)
		cut_line(split, record, end);
	return end > 0;
}

int json_split_line(struct json_split *split, struct json_record *ret)
{
	const char *newline;
	size_t end = split->size;
	int result;

	split->found = true;
	if (split->rest.size > 0)
		return rest_of_line(split, ret);
	if (split->phase == SPLIT_LINE_BEFORE) {
		if (!skip_space(split))
			return split->last ? JSON_SPLIT_END : JSON_SPLIT_MORE;
		json_split_open(split, SPLIT_LINE);
	}
	newline = split->at < split->size ? memchr(split->in + split->at, '\n', split->size - split->at) : NULL;
	if (!newline && !split->last)
		return wait_for_rest(split);
	if (newline)
		end = (size_t)(newline - split->in);
	result = close_record(split, end, ret);
	if (newline)
		count_line(split, end);
	split->phase = SPLIT_LINE_BEFORE;
	return result;
}

/* A flaw in the entry that is open, where it starts. */
static int fail_in_entry(struct json_split *split, const char *code, const char *reason)
{
	json_split_fail(split, split->at, code, "%s", reason);
	split->flaw->offset = split->record.offset;
	split->flaw->line = split->record.line;
	split->flaw->column = split->record.column;
	return JSON_SPLIT_FLAW;
}

/* NULL, or what is wrong with a name. */
static const char *name_flaw(const char *name, size_t size, const char **code)
{
	size_t at, used;

	*code = "invalid_utf8";
	for (at = 0; at < size; at += used) {
		used = json_text_character(name + at, size - at);
		if (used == 0)
			return "The name of this member is no UTF-8.";
	}
	*code = "not_json";
	for (at = 0; at < size; at++)
		if ((unsigned char)name[at] < ' ')
			return "In the name of this member is a control character that is not an escape.";
	return json_token_escapes(name, size) < size ? "In the name of this member is an escape that JSON has not." : NULL;
}

void json_record_place(const struct json_record *record, size_t at, uint64_t *ret_line, uint64_t *ret_column)
{
	uint64_t lines = json_count_newlines(record->text, at);
	const char *newline = lines > 0 ? memrchr(record->text, '\n', at) : NULL;

	*ret_line = record->line + lines;
	*ret_column = newline ? at - (size_t)(newline - record->text) : record->column + at;
}

/* From the entry's first byte to the value's: where it stands. */
static void move_place(struct json_record *record, size_t by)
{
	json_record_place(record, by, &record->line, &record->column);
	record->offset += by;
	record->text += by;
	record->size -= by;
}

/* The entry is a name, a colon and the value. */
static int take_name(struct json_split *split, struct json_record *record)
{
	struct json_scan scan = { 0 };
	const char *code, *flaw, *text = record->text;
	size_t end, at;

	if (record->size == 0 || text[0] != '"')
		return fail_in_entry(split, "not_json", "The name of a member, in double quotes, is needed here.");
	end = 1 + json_scan_string(&scan, text + 1, record->size - 1);
	if (end == record->size && record->too_large)
		return JSON_SPLIT_RECORD;
	at = json_skip_space(text, end + (end < record->size), record->size);
	if (at == record->size || text[at] != ':') {
		if (at == record->size && record->too_large)
			return JSON_SPLIT_RECORD;
		return fail_in_entry(split, "not_json", "Behind the name of this member a colon is needed.");
	}
	flaw = name_flaw(text + 1, end - 1, &code);
	if (flaw)
		return fail_in_entry(split, code, flaw);
	record->key = text + 1;
	record->key_size = end - 1;
	move_place(record, json_skip_space(text, at + 1, record->size));
	return JSON_SPLIT_RECORD;
}

/* Behind a comma the container may not end: what is before its bracket is a record that is empty. */
static int before_entry(struct json_split *split)
{
	if (!skip_space(split))
		return split->last ? json_split_starve(split) : JSON_SPLIT_MORE;
	if (!split->entries && split->in[split->at] == split->close)
		return json_split_leave(split);
	json_split_open(split, SPLIT_ENTRY);
	split->entries = true;
	return SPLIT_GO;
}

int json_split_starve(struct json_split *split)
{
	if (split->phase != SPLIT_ENTRY && split->phase != SPLIT_ENTRY_BEHIND)
		return json_split_fail(split, split->size, "cut_short",
				       "The text ends early: an array or object that is open has no end.");
	return json_split_fail(split, split->size, "cut_short",
			       "The text ends in record %llu, which starts in line %llu, column %llu.",
			       (unsigned long long)split->record.index + 1, (unsigned long long)split->record.line,
			       (unsigned long long)split->record.column);
}

static bool is_separator(char c)
{
	return c == ',' || c == ']' || c == '}';
}

/* Where the entry ends: at the comma or bracket behind it, or where the next begins without one; or the size of what is here. */
static size_t end_of_entry(struct json_split *split)
{
	size_t end = split->at;

	for (;;) {
		if (split->phase == SPLIT_ENTRY) {
			end += json_scan_value(&split->scan, split->in + end, split->size - end);
			if (!split->scan.closed)
				return end;
			split->phase = SPLIT_ENTRY_BEHIND;
		}
		end = json_skip_space(split->in, end, split->size);
		if (end == split->size || is_separator(split->in[end]))
			return end;
		if (split->close == '}' ? split->in[end] == '"' : opens_value(split->in[end]))
			return end;
		split->phase = SPLIT_ENTRY;
	}
}

int json_split_entry(struct json_split *split, struct json_record *ret)
{
	size_t end;
	int result;

	if (split->phase == SPLIT_ENTRY_BEFORE) {
		result = before_entry(split);
		if (result != SPLIT_GO || split->phase != SPLIT_ENTRY)
			return result;
	}
	end = end_of_entry(split);
	if (end == split->size)
		return split->last ? json_split_starve(split) : wait_for_rest(split);
	split->phase = is_separator(split->in[end]) ? SPLIT_AFTER : SPLIT_ENTRY_BEFORE;
	result = close_record(split, end, ret);
	split->unseparated = split->phase == SPLIT_ENTRY_BEFORE;
	if (result == JSON_SPLIT_RECORD && split->close == '}')
		result = take_name(split, ret);
	return result;
}
