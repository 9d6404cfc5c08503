/*
 * What is around the records: the objects on the way to the container, with their other members, which are kept, since
 * columns may be there. It is small where the records are many.
 */
#include "config.h"

#include <string.h>

#include "split-parts.h"
#include "text.h"

enum { SHOWN = 64 };            /* bytes of a name in a sentence */

int json_split_keep(struct json_split *split)
{
	size_t size = split->at - split->kept;

	if (split->outer_ignored || split->close)
		return SPLIT_GO;
	if (size > split->plan.max_record - split->outer.size)
		return json_split_fail(split, split->at, "outer_too_large",
				       "What is beside the records is more than %zu bytes (max_row).",
				       split->plan.max_record);
	if (!json_bytes_add(&split->outer, split->in + split->kept, size))
		return JSON_SPLIT_MEMORY;
	split->kept = split->at;
	return SPLIT_GO;
}

static int more(struct json_split *split)
{
	int result;

	split->at = split->size;
	result = json_split_keep(split);
	return result == SPLIT_GO ? JSON_SPLIT_MORE : result;
}

static int unexpected(struct json_split *split, const char *wanted)
{
	unsigned char c = (unsigned char)split->in[split->at];

	if (c > ' ' && c <= '~')
		return json_split_fail(split, split->at, "not_json", "Where %s is needed there is %c.", wanted, c);
	return json_split_fail(split, split->at, "not_json", "Where %s is needed there is byte 0x%02X.", wanted, c);
}

/* Whether the container may open with C. */
static bool opens(const struct json_split *split, char c)
{
	return (c == '[' && split->chosen != JSON_CUT_MEMBERS) || (c == '{' && split->chosen != JSON_CUT_ELEMENTS);
}

static int enter(struct json_split *split)
{
	int result;

	if (split->found)
		return json_split_fail(split, split->at, "duplicate_key", "The member \"%.*s\" with the records is there a"
				       " second time.", SHOWN, split->plan.names[split->plan.name_count - 1]);
	split->found = true;
	split->at++;
	result = json_split_keep(split);
	split->close = split->in[split->at - 1] == '[' ? ']' : '}';
	split->entries = false;
	split->phase = SPLIT_ENTRY_BEFORE;
	return result;
}

static int skip_value(struct json_split *split)
{
	split->outer_ignored = split->level == 0;
	memset(&split->scan, 0, sizeof(split->scan));
	split->phase = SPLIT_SKIP;
	return SPLIT_GO;
}

static int value(struct json_split *split)
{
	char c = split->in[split->at];

	if (split->level == 0)
		split->kept = split->at;
	if (split->on_way && split->level == split->plan.name_count && opens(split, c))
		return enter(split);
	if (!split->on_way || split->level == split->plan.name_count || c != '{')
		return skip_value(split);
	split->level++;
	split->at++;
	split->phase = SPLIT_KEY;
	return SPLIT_GO;
}

/* Behind the end of the text is white space, of which nothing is kept. */
static int behind_value(struct json_split *split)
{
	int result;

	split->phase = SPLIT_AFTER;
	if (split->level > 0)
		return SPLIT_GO;
	result = json_split_keep(split);
	split->outer_ignored = true;
	return result;
}

static int close_object(struct json_split *split)
{
	split->at++;
	split->level--;
	return behind_value(split);
}

static int key(struct json_split *split)
{
	int result;

	if (split->in[split->at] == '}')
		return close_object(split);
	if (split->in[split->at] != '"')
		return unexpected(split, "the name of a member, in double quotes,");
	split->at++;
	result = json_split_keep(split);
	split->key_at = split->outer.size;
	memset(&split->scan, 0, sizeof(split->scan));
	split->phase = SPLIT_IN_KEY;
	return result;
}

static int in_key(struct json_split *split)
{
	const char *wanted = split->plan.names[split->level - 1];
	int result;

	split->at += json_scan_string(&split->scan, split->in + split->at, split->size - split->at);
	if (split->at == split->size)
		return split->last ? json_split_starve(split) : more(split);
	result = json_split_keep(split);
	split->on_way = json_text_is(split->outer.at + split->key_at, split->outer.size - split->key_at, wanted,
				     strlen(wanted));
	split->at++;
	split->phase = SPLIT_COLON;
	return result;
}

static int colon(struct json_split *split)
{
	if (split->in[split->at] != ':')
		return unexpected(split, "a colon");
	split->at++;
	split->phase = SPLIT_VALUE;
	return SPLIT_GO;
}

/* At the end of the stream it may be complete, when it was all of the text. */
static int skip(struct json_split *split)
{
	split->at += json_scan_element(&split->scan, split->in + split->at, split->size - split->at);
	if (split->at < split->size) {
		split->phase = SPLIT_AFTER;
		return SPLIT_GO;
	}
	if (!split->last)
		return more(split);
	if (split->level > 0 || split->scan.depth > 0 || split->scan.in_string)
		return json_split_starve(split);
	split->phase = SPLIT_END;
	return SPLIT_GO;
}

int json_split_leave(struct json_split *split)
{
	split->kept = split->at++;
	split->close = '\0';
	return behind_value(split);
}

/* Behind an element or member of the container. */
static int after_entry(struct json_split *split)
{
	char c = split->in[split->at];

	if (c == split->close)
		return json_split_leave(split);
	if (c != ',')
		return unexpected(split, split->close == ']' ? "a comma or ]" : "a comma or }");
	split->at++;
	split->phase = SPLIT_ENTRY_BEFORE;
	return SPLIT_GO;
}

static int after(struct json_split *split)
{
	char c = split->in[split->at];

	if (split->level == 0)
		return unexpected(split, "the end of the text");
	if (c == '}')
		return close_object(split);
	if (c != ',')
		return unexpected(split, "a comma or }");
	split->at++;
	split->phase = SPLIT_KEY;
	return SPLIT_GO;
}

/* Nothing but white space is left of what is here. */
static int at_end(struct json_split *split)
{
	int result;

	if (split->phase == SPLIT_VALUE && split->level == 0)
		return split->last ? json_split_fail(split, split->size, "empty", "There is nothing in it.") :
				     JSON_SPLIT_MORE;
	if (!split->last)
		return more(split);
	result = json_split_keep(split);
	if (result != SPLIT_GO)
		return result;
	if (split->phase == SPLIT_END || (split->phase == SPLIT_AFTER && split->level == 0 && !split->close))
		return JSON_SPLIT_END;
	return json_split_starve(split);
}

int json_split_around(struct json_split *split)
{
	if (split->phase == SPLIT_IN_KEY)
		return in_key(split);
	if (split->phase == SPLIT_SKIP)
		return skip(split);
	split->at = json_skip_space(split->in, split->at, split->size);
	if (split->at == split->size)
		return at_end(split);
	switch (split->phase) {
	case SPLIT_VALUE:
		return value(split);
	case SPLIT_KEY:
		return key(split);
	case SPLIT_COLON:
		return colon(split);
	default:
		return split->close ? after_entry(split) : after(split);
	}
}
