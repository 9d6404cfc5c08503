/*
 * The stream: what is fed, where it is, and how it starts. Each step looks at the bytes that are there and either makes way
 * or asks for more; nothing is looked at twice but the start, which is kept until it is clear what the stream is.
 */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "split-parts.h"
#include "tree.h"
#include "utf16.h"

enum { FIRST_BYTES = 4, BOM_SIZE = 3 };

bool json_bytes_add(struct json_bytes *bytes, const char *at, size_t size)
{
	size_t room = bytes->size + size + JSON_PADDING;
	char *grown;

	if (room > bytes->room) {
		room += room / 2;
		grown = realloc(bytes->at, room);
		if (!grown)
			return false;
		bytes->at = grown;
		bytes->room = room;
	}
	if (size > 0)
		memcpy(bytes->at + bytes->size, at, size);
	bytes->size += size;
	memset(bytes->at + bytes->size, 0, JSON_PADDING);
	return true;
}

static void free_names(const char *const *names, size_t count)
{
	size_t i;

	for (i = 0; names && i < count; i++)
		free((char *)(uintptr_t)names[i]);
	free((void *)(uintptr_t)names);
}

static const char *const *copy_names(const struct json_split_plan *plan)
{
	const char **names = calloc(plan->name_count + 1, sizeof(*names));
	size_t i;

	for (i = 0; names && i < plan->name_count; i++) {
		names[i] = strdup(plan->names[i]);
		if (!names[i]) {
			free_names(names, i);
			return NULL;
		}
	}
	return names;
}

struct json_split *json_split_new(const struct json_split_plan *plan)
{
	struct json_split *split = calloc(1, sizeof(*split));

	if (!split)
		return NULL;
	split->plan = *plan;
	split->plan.names = copy_names(plan);
	if (!split->plan.names) {
		free(split);
		return NULL;
	}
	if (plan->cut == JSON_CUT_AUTO && plan->name_count > 0)
		split->plan.cut = JSON_CUT_EACH;
	json_split_reset(split);
	return split;
}

void json_split_free(struct json_split *split)
{
	if (!split)
		return;
	free_names(split->plan.names, split->plan.name_count);
	free(split->ahead.at);
	free(split->held.at);
	free(split->outer.at);
	free(split);
}

static struct json_bytes emptied(struct json_bytes bytes)
{
	bytes.size = 0;
	return bytes;
}

void json_split_reset(struct json_split *split)
{
	*split = (struct json_split){
		.plan = split->plan,
		.chosen = split->plan.cut,
		.phase = SPLIT_START,
		.line = 1,
		.ahead = emptied(split->ahead),
		.held = emptied(split->held),
		.outer = emptied(split->outer),
	};
}

void json_split_feed(struct json_split *split, const void *bytes, size_t size, bool last)
{
	split->last = last;
	if (split->pending) {
		split->pending = false;
		split->no_memory = !json_bytes_add(&split->ahead, bytes, size);
		split->in = split->ahead.at;
		split->size = split->ahead.size;
		return;
	}
	split->base += split->size;
	split->in = size > 0 ? bytes : "";
	split->size = size;
	split->at = split->counted = split->start = split->kept = 0;
}

void json_split_count(struct json_split *split, size_t at)
{
	const char *text = split->in + split->counted, *newline;
	size_t size = at - split->counted;
	uint64_t lines;

	if (at <= split->counted)
		return;
	lines = json_count_newlines(text, size);
	if (lines > 0) {
		newline = memrchr(text, '\n', size);
		split->line += lines;
		split->line_start = split->base + (uint64_t)(newline + 1 - split->in);
	}
	split->counted = at;
}

int json_split_fail(struct json_split *split, size_t at, const char *code, const char *format, ...)
{
	struct json_split_flaw *flaw = split->flaw;
	va_list list;

	json_split_count(split, at);
	flaw->code = code;
	flaw->offset = split->base + at;
	flaw->line = split->line;
	flaw->column = flaw->offset - split->line_start + 1;
	va_start(list, format);
	vsnprintf(flaw->reason, sizeof(flaw->reason), format, list);
	va_end(list);
	return JSON_SPLIT_FLAW;
}

/* What is here is not enough to decide: it is kept, and grows. */
static int need_more(struct json_split *split)
{
	if (split->in != split->ahead.at && !json_bytes_add(&split->ahead, split->in, split->size))
		return JSON_SPLIT_MEMORY;
	split->pending = true;
	return JSON_SPLIT_MORE;
}

static enum json_split_phase phase_of(int32_t cut)
{
	switch (cut) {
	case JSON_CUT_WHOLE:
		return SPLIT_WHOLE_BEFORE;
	case JSON_CUT_LINES:
		return SPLIT_LINE_BEFORE;
	case JSON_CUT_AUTO:
		return SPLIT_AUTO;
	default:
		return SPLIT_VALUE;
	}
}

static int start(struct json_split *split)
{
	const char *encoding;

	if (split->size < FIRST_BYTES && !split->last)
		return need_more(split);
	encoding = json_encoding_of(split->in, split->size);
	if (encoding)
		return json_split_fail(split, 0, "utf16", "This is %s. JSON files are UTF-8: convert it first"
				       " (iconv -f %s -t UTF-8)%s.", encoding, encoding,
				       strncmp(encoding, "UTF-16", 6) == 0 ? ", or say utf16 = \"convert\"" : "");
	if (split->size >= BOM_SIZE && memcmp(split->in, "\xef\xbb\xbf", BOM_SIZE) == 0)
		split->at = split->counted = split->line_start = split->kept = BOM_SIZE;
	split->on_way = true;
	split->phase = phase_of(split->plan.cut);
	return SPLIT_GO;
}

static int choose(struct json_split *split, int32_t cut)
{
	split->chosen = cut;
	split->phase = phase_of(cut);
	return SPLIT_GO;
}

/* max_record bytes are looked at and no more, so that the choice does not hang on how the bytes came. */
static size_t window(const struct json_split *split)
{
	size_t size = split->size - split->at, most = split->plan.max_record;

	return split->at + (size < most ? size : most);
}

static int undecided(struct json_split *split)
{
	if (split->last || split->size - split->at >= split->plan.max_record)
		return choose(split, JSON_CUT_WHOLE);
	return need_more(split);
}

/* From FIRST to LINE_END is the first line: does a value end in it, and does another follow? */
static int choose_by_line(struct json_split *split, size_t first, size_t line_end, size_t end)
{
	struct json_scan scan = { 0 };

	while (first < line_end) {
		first += json_scan_element(&scan, split->in + first, line_end - first);
		first += first < line_end;
	}
	if (scan.depth > 0 || scan.in_string)
		return choose(split, JSON_CUT_WHOLE);
	if (json_skip_space(split->in, line_end, end) < end)
		return choose(split, JSON_CUT_LINES);
	return undecided(split);
}

static int choose_cut(struct json_split *split)
{
	size_t end = window(split), first = json_skip_space(split->in, split->at, end);
	const char *newline;

	if (first < end && split->in[first] == '[')
		return choose(split, JSON_CUT_ELEMENTS);
	newline = first < end ? memchr(split->in + first, '\n', end - first) : NULL;
	if (newline)
		return choose_by_line(split, first, (size_t)(newline - split->in), end);
	return undecided(split);
}

static int step(struct json_split *split, struct json_record *ret)
{
	switch (split->phase) {
	case SPLIT_START:
		return start(split);
	case SPLIT_AUTO:
		return choose_cut(split);
	case SPLIT_WHOLE_BEFORE:
	case SPLIT_WHOLE:
		return json_split_whole(split, ret);
	case SPLIT_LINE_BEFORE:
	case SPLIT_LINE:
		return json_split_line(split, ret);
	case SPLIT_ENTRY_BEFORE:
	case SPLIT_ENTRY:
	case SPLIT_ENTRY_BEHIND:
		return json_split_entry(split, ret);
	default:
		return json_split_around(split);
	}
}

int json_split_next(struct json_split *split, struct json_record *record, struct json_split_flaw *flaw)
{
	int result = SPLIT_GO;

	if (split->no_memory)
		return JSON_SPLIT_MEMORY;
	split->flaw = flaw;
	split->skipping = !record;
	while (result == SPLIT_GO)
		result = step(split, record);
	if (result == JSON_SPLIT_MORE && !split->pending)
		json_split_count(split, split->size);
	return result;
}

bool json_split_found(const struct json_split *split)
{
	return split->found;
}

int json_split_chosen(const struct json_split *split)
{
	return split->chosen;
}

const char *json_split_outer(const struct json_split *split, size_t *ret_size)
{
	static const char none[JSON_PADDING + 1];

	*ret_size = split->outer.size;
	return split->outer.size > 0 ? split->outer.at : none;
}
