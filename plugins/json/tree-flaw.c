/*
 * What is wrong with a text, in words. What simdjson finds has no place: that is looked for here, slowly, as it happens
 * once a bad record.
 */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "text.h"
#include "tree-parts.h"

enum { SHOWN = 24 };            /* bytes of a token that a sentence shows */

int json_flaw_set(struct json_flaw *flaw, const char *code, uint64_t at, const char *format, ...)
{
	va_list list;

	flaw->code = code;
	flaw->at = at;
	va_start(list, format);
	vsnprintf(flaw->reason, sizeof(flaw->reason), format, list);
	va_end(list);
	return -1;
}

int json_flaw_memory(struct json_flaw *flaw)
{
	return json_flaw_set(flaw, "no_memory", 0, "There is no memory for this record.");
}

static bool is_plain(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       c == '_' || c == '+' || c == '-' || c == '.' || c == '$';
}

/* The word at AT, or its one byte, as a person can read it. */
static const char *shown(const struct json_tree *tree, size_t at, char buffer[SHOWN + 8])
{
	const char *text = tree->text + at;
	size_t size = 0;

	while (size < SHOWN && at + size < tree->size && is_plain(text[size]))
		size++;
	if (size > 0)
		snprintf(buffer, SHOWN + 8, "%.*s", (int)size, text);
	else if (text[0] > ' ' && text[0] <= '~')
		snprintf(buffer, SHOWN + 8, "%c", text[0]);
	else
		snprintf(buffer, SHOWN + 8, "byte 0x%02X", (unsigned char)text[0]);
	return buffer;
}

static bool starts(const struct json_tree *tree, size_t at, const char *word)
{
	size_t size = strlen(word);

	return tree->size - at >= size && memcmp(tree->text + at, word, size) == 0;
}

static bool is_mark(const struct json_tree *tree, size_t at)
{
	return starts(tree, at, "\xef\xbb\xbf");
}

/* What people write that is JavaScript, and no JSON. */
static const char *advice(const struct json_tree *tree, size_t at)
{
	static const struct {
		const char *word, *advice;
	} known[] = {
		{ "NaN", " JSON has no NaN: null is what it has (nonfinite says what to do)." },
		{ "nan", " JSON has no NaN: null is what it has." },
		{ "-Infinity", " JSON has no infinity (nonfinite says what to do)." },
		{ "Infinity", " JSON has no infinity (nonfinite says what to do)." },
		{ "-I", " JSON has no infinity." },
		{ "//", " JSON has no comments." },
		{ "/*", " JSON has no comments." },
		{ "#", " JSON has no comments." },
		{ "'", " Strings and names are in double quotes." },
		{ "True", " It is spelled true." },
		{ "False", " It is spelled false." },
		{ "None", " It is spelled null." },
		{ "undefined", " JSON has no undefined: null is what it has." }
	};
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (starts(tree, at, known[i].word))
			return known[i].advice;
	return is_mark(tree, at) ? " It is a byte order mark, which may only be the first thing of a file (byte_order_marks says"
				   " what to do)." : "";
}

int json_flaw_token(const struct json_tree *tree, uint32_t at, const char *wanted)
{
	char buffer[SHOWN + 8];

	if (at >= tree->size)
		return json_flaw_set(tree->flaw, "cut_short", tree->size, "The text ends where %s is needed.",
				     wanted);
	return json_flaw_set(tree->flaw, "not_json", at, "Where %s is needed there is %s.%s", wanted,
			     shown(tree, at, buffer), advice(tree, at));
}

int json_flaw_number(const struct json_tree *tree, uint32_t at, size_t size)
{
	const char *text = tree->text + at;
	char buffer[SHOWN + 8];
	const char *why = "A number has digits, a fraction and an exponent, and nothing else.";

	if (text[size - 1] == '.' || memchr(text, '.', size - 1) != NULL)
		why = "There is a digit on both sides of a point, and one point.";
	if (text[0] == '0' || (text[0] == '-' && size > 1 && text[1] == '0'))
		why = "A number does not start with a zero and more digits.";
	return json_flaw_set(tree->flaw, "not_json", at, "%s is no number. %s", shown(tree, at, buffer), why);
}

int json_flaw_escape(const struct json_tree *tree, size_t at)
{
	char buffer[SHOWN + 8];

	if (tree->text[at] != '\\')
		return json_flaw_token(tree, (uint32_t)at, "a comma, a colon or a bracket");
	return json_flaw_set(tree->flaw, "not_json", at,
			     "A backslash in a string is followed by one of \" \\ / b f n r t, or by u and four"
			     " hexadecimal digits; here it is followed by %s.",
			     shown(tree, at + 1, buffer));
}

static int flaw_utf8(const struct json_tree *tree)
{
	const char *text = tree->text;
	size_t at = 0, used;

	while (at < tree->size && (used = json_text_character(text + at, tree->size - at)) > 0)
		at += used;
	return json_flaw_set(tree->flaw, "invalid_utf8", at, "Byte 0x%02X is no UTF-8 here.",
			     at < tree->size ? (unsigned char)text[at] : 0);
}

/* Where the last string opens (CONTROL false), or where a control character stands in one. */
static size_t find_in_strings(const struct json_tree *tree, bool control)
{
	size_t at, opened = 0;
	bool inside = false;

	for (at = 0; at < tree->size; at++) {
		unsigned char c = (unsigned char)tree->text[at];

		if (c == '"') {
			inside = !inside;
			opened = at;
		}
		if (inside && control && c < 0x20)
			return at;
		if (c == '\\' && !(control && at + 1 < tree->size && (unsigned char)tree->text[at + 1] < 0x20))
			at++;
	}
	return opened;
}

static int flaw_control(const struct json_tree *tree)
{
	size_t at = find_in_strings(tree, true);
	unsigned char c = (unsigned char)tree->text[at];

	return json_flaw_set(tree->flaw, "not_json", at,
			     "%s (byte 0x%02X) in a string must be written as an escape, \\%s.",
			     c == '\n' ? "A line break" : c == '\t' ? "A tabulator" : "A control character", c,
			     c == '\n' ? "n" : c == '\t' ? "t" : c == '\r' ? "r" : "u00XX");
}

int json_flaw_marks(const struct json_tree *tree, enum json_marks_result result)
{
	switch (result) {
	case JSON_MARKS_EMPTY:
		return json_flaw_set(tree->flaw, "empty", 0, "There is nothing in it.");
	case JSON_MARKS_UTF8:
		return flaw_utf8(tree);
	case JSON_MARKS_CONTROL:
		return flaw_control(tree);
	case JSON_MARKS_UNCLOSED:
		return json_flaw_set(tree->flaw, "cut_short", find_in_strings(tree, false),
				     "The string that starts here has no end.");
	case JSON_MARKS_LARGE:
		return json_flaw_set(tree->flaw, "too_large", 0, "A record of 4 GiB and more cannot be read.");
	default:
		return json_flaw_memory(tree->flaw);
	}
}
