/*
 * The text of a path. Each refusal says where it stands and what would be right there; what RFC 9535 has and this language
 * has not is named.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "path-parts.h"
#include "text.h"
#include "tree-parts.h"

enum { SELECTORS_MOST = 64, CONDITIONS_MOST = 16, TEXT_MOST = 4096 };

#define INDEX_MOST 9007199254740991 /* RFC 9535: what a double holds exactly */

static const char needs_quotes[] = "A name here has letters, digits and _ and does not start with a digit; any other is "
				   "written in brackets: ['the name'].";

struct parser {
	const char *text;
	size_t at, size;
	struct json_path_flaw *flaw;
};

static bool fail_at(struct parser *p, size_t at, const char *reason)
{
	p->flaw->at = at;
	snprintf(p->flaw->reason, sizeof(p->flaw->reason), "%s", reason);
	return false;
}

static bool fail(struct parser *p, const char *reason)
{
	return fail_at(p, p->at, reason);
}

static bool no_memory(struct parser *p)
{
	p->flaw->no_memory = true;
	return fail(p, "no memory");
}

/* Behind the end it is NUL, which a text has nowhere else. */
static char peek(const struct parser *p)
{
	return p->text[p->at];
}

static bool take(struct parser *p, const char *token)
{
	size_t size = strlen(token);

	if (p->size - p->at < size || memcmp(p->text + p->at, token, size) != 0)
		return false;
	p->at += size;
	return true;
}

static void blanks(struct parser *p)
{
	while (peek(p) == ' ' || peek(p) == '\t' || peek(p) == '\n' || peek(p) == '\r')
		p->at++;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_name_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || is_digit(c) || (unsigned char)c >= 0x80;
}

static char *copy(const char *text, size_t size)
{
	char *made = malloc(size + 1);

	if (!made)
		return NULL;
	memcpy(made, text, size);
	made[size] = '\0';
	return made;
}

/* letters, digits and _ at the cursor */
static bool word(struct parser *p, struct json_selector *selector)
{
	size_t start = p->at;

	if (is_digit(peek(p)) || !is_name_byte(peek(p)))
		return fail(p, needs_quotes);
	while (is_name_byte(peek(p)))
		p->at++;
	selector->size = p->at - start;
	selector->name = copy(p->text + start, selector->size);
	return selector->name || no_memory(p);
}

static bool capture(struct parser *p, struct json_selector *selector)
{
	selector->kind = JSON_SELECT_CAPTURE;
	if (is_digit(peek(p)) || !is_name_byte(peek(p)))
		return fail(p, "Between { and } is a name of letters, digits and _.");
	if (!word(p, selector))
		return false;
	return take(p, "}") || fail(p, "} is needed here: {name}, of letters, digits and _.");
}

/* A backslash in a string in quotes: its character, written to *to. */
static bool escape(struct parser *p, char **to)
{
	uint32_t c = 0;
	size_t used = json_text_escape(p->text + p->at, p->size - p->at, &c);

	if (used == 0 && p->text[p->at + 1] == '\'') {
		c = '\'';
		used = 2;
	}
	if (used == 0)
		return fail(p, "A backslash is followed by ' \" \\ / b f n r t, or by u and four hexadecimal digits.");
	if (c == 0)
		return fail(p, "A name with \\u0000 in it cannot be used.");
	if (c >= 0xD800 && c <= 0xDFFF)
		return fail(p, "Half of a surrogate pair is no character.");
	*to += json_text_encode(c, *to);
	p->at += used;
	return true;
}

/* A string whose quote is at the cursor, resolved. */
static bool quoted(struct parser *p, char **ret, size_t *ret_size)
{
	size_t start = p->at;
	char quote = p->text[p->at++], *to = malloc(p->size - start + 1);

	*ret = to;
	if (!to)
		return no_memory(p);
	while (peek(p) != quote) {
		if (p->at == p->size)
			return fail_at(p, start, "The quote that opens here has no end.");
		if ((unsigned char)peek(p) < 0x20)
			return fail(p, "A control character in quotes is written as an escape: \\n, \\t, \\u001f.");
		if (peek(p) != '\\')
			*to++ = p->text[p->at++];
		else if (!escape(p, &to))
			return false;
	}
	p->at++;
	*to = '\0';
	*ret_size = (size_t)(to - *ret);
	return true;
}

static bool integer(struct parser *p, int64_t *ret)
{
	size_t start = p->at;
	bool negative = take(p, "-");
	int64_t value = 0;

	if (!is_digit(peek(p)))
		return fail(p, "Digits are needed here.");
	if (peek(p) == '0' && (negative || is_digit(p->text[p->at + 1])))
		return fail_at(p, start, "An index is 0, or starts with another digit than 0.");
	for (; is_digit(peek(p)); p->at++) {
		value = value * 10 + (peek(p) - '0');
		if (value > INDEX_MOST)
			return fail_at(p, start, "An index is at most 9007199254740991.");
	}
	*ret = negative ? -value : value;
	return true;
}

static bool slice_step(struct parser *p, struct json_selector *selector)
{
	blanks(p);
	if (peek(p) == '-' || is_digit(peek(p)))
		return integer(p, &selector->step);
	return true;
}

/* Behind the first colon. */
static bool slice(struct parser *p, struct json_selector *selector)
{
	selector->kind = JSON_SELECT_SLICE;
	selector->step = 1;
	blanks(p);
	if (peek(p) == '-' || is_digit(peek(p))) {
		selector->has_to = true;
		if (!integer(p, &selector->to))
			return false;
		blanks(p);
	}
	return take(p, ":") ? slice_step(p, selector) : true;
}

static bool index_or_slice(struct parser *p, struct json_selector *selector)
{
	selector->kind = JSON_SELECT_INDEX;
	if (peek(p) != ':') {
		if (!integer(p, &selector->from))
			return false;
		selector->has_from = true;
		blanks(p);
	}
	return take(p, ":") ? slice(p, selector) : true;
}

static bool segments(struct parser *p, struct json_path *path, bool single);

static bool query(struct parser *p, struct json_condition *condition)
{
	if (!take(p, "@"))
		return fail(p, peek(p) == '$' ? "A filter looks at the element, @, and not at the document." :
						"A filter starts with @ (the element): [?@.type == 'bug'].");
	condition->query = calloc(1, sizeof(*condition->query));
	if (!condition->query)
		return no_memory(p);
	condition->query->root = '@';
	return segments(p, condition->query, true);
}

static bool number(struct parser *p, struct json_condition *condition)
{
	size_t start = p->at;
	uint8_t flags;

	while (peek(p) != '\0' && strchr("+-.0123456789eE", peek(p)))
		p->at++;
	condition->kind = JSON_NUMBER;
	condition->size = p->at - start;
	if (!json_token_number(p->text + start, condition->size, &flags))
		return fail_at(p, start, "This is no number of JSON.");
	condition->constant = copy(p->text + start, condition->size);
	return condition->constant || no_memory(p);
}

static bool constant(struct parser *p, struct json_condition *condition)
{
	char c = peek(p);

	if (c == '\'' || c == '"') {
		condition->kind = JSON_STRING;
		return quoted(p, &condition->constant, &condition->size);
	}
	if (c == '-' || is_digit(c))
		return number(p, condition);
	condition->kind = c == 't' ? JSON_TRUE : c == 'f' ? JSON_FALSE : JSON_NULL;
	if ((take(p, "true") || take(p, "false") || take(p, "null")) && !is_name_byte(peek(p)))
		return true;
	return fail(p, "A string in quotes, a number, true, false or null is needed here.");
}

static bool other_operator(const struct parser *p)
{
	return peek(p) != '\0' && strchr("<>=~", peek(p));
}

static bool comparison(struct parser *p, struct json_condition *condition)
{
	if (!query(p, condition))
		return false;
	blanks(p);
	condition->test = JSON_TEST_PRESENT;
	if (take(p, "=="))
		condition->test = JSON_TEST_EQUAL;
	else if (take(p, "!="))
		condition->test = JSON_TEST_DIFFERENT;
	else if (other_operator(p))
		return fail(p, "A filter compares with == or !=.");
	else
		return true;
	blanks(p);
	return constant(p, condition);
}

static bool condition_of(struct parser *p, struct json_condition *condition)
{
	if (!take(p, "!"))
		return comparison(p, condition);
	blanks(p);
	condition->test = JSON_TEST_ABSENT;
	return query(p, condition);
}

static bool conditions(struct parser *p, struct json_selector *selector)
{
	do {
		if (selector->condition_count == CONDITIONS_MOST)
			return fail(p, "A filter has at most 16 conditions.");
		blanks(p);
		if (!condition_of(p, &selector->conditions[selector->condition_count++]))
			return false;
		blanks(p);
	} while (take(p, "&&"));
	if (peek(p) == '|')
		return fail(p, "Conditions are joined by &&; for \"or\" write several selectors: [?@.a == 1, ?@.a == 2].");
	return true;
}

static bool filter(struct parser *p, struct json_selector *selector)
{
	bool bracket;

	selector->kind = JSON_SELECT_FILTER;
	selector->conditions = calloc(CONDITIONS_MOST, sizeof(*selector->conditions));
	if (!selector->conditions)
		return no_memory(p);
	blanks(p);
	bracket = take(p, "(");
	if (!conditions(p, selector))
		return false;
	return !bracket || take(p, ")") || fail(p, "&& or ) is needed here.");
}

static bool selector_of(struct parser *p, struct json_selector *selector)
{
	char c = peek(p);

	if (c == '\'' || c == '"') {
		selector->kind = JSON_SELECT_NAME;
		return quoted(p, &selector->name, &selector->size);
	}
	if (c == '-' || c == ':' || is_digit(c))
		return index_or_slice(p, selector);
	selector->kind = JSON_SELECT_EACH;
	if (take(p, "*"))
		return true;
	if (take(p, "?"))
		return filter(p, selector);
	if (is_name_byte(c))
		return fail(p, "A name in brackets is in quotes: ['name'].");
	if (c == '{')
		return fail(p, "{name} stands behind a point: .{name}.");
	return fail(p, "In brackets is a name in quotes, an index, a slice, * or a filter: ['name'], [0], [1:3], [*],"
		       " [?@.type == 'bug'].");
}

static struct json_selector *add_selector(struct parser *p, struct json_segment *segment)
{
	struct json_selector *grown = realloc(segment->selectors, (segment->count + 1) * sizeof(*grown));

	if (!grown) {
		no_memory(p);
		return NULL;
	}
	segment->selectors = grown;
	memset(&grown[segment->count], 0, sizeof(*grown));
	return &grown[segment->count++];
}

static bool bracket(struct parser *p, struct json_segment *segment)
{
	struct json_selector *selector;

	do {
		if (segment->count == SELECTORS_MOST)
			return fail(p, "A bracket has at most 64 selectors.");
		selector = add_selector(p, segment);
		blanks(p);
		if (!selector || !selector_of(p, selector))
			return false;
		blanks(p);
	} while (take(p, ","));
	return take(p, "]") || fail(p, "A comma or ] is needed here.");
}

static bool behind_point(struct parser *p, struct json_segment *segment)
{
	struct json_selector *selector;

	if (peek(p) == '.')
		return fail(p, "Descendants (..) are not known here: write the way to each member.");
	if (p->at == p->size)
		return fail(p, "Behind a point is a name, * or {name}.");
	selector = add_selector(p, segment);
	if (!selector)
		return false;
	selector->kind = JSON_SELECT_EACH;
	if (take(p, "*"))
		return true;
	if (take(p, "{"))
		return capture(p, selector);
	selector->kind = JSON_SELECT_NAME;
	return word(p, selector);
}

/* A segment starts at the cursor. */
static bool segment_of(struct parser *p, struct json_segment *segment)
{
	if (take(p, "["))
		return bracket(p, segment);
	p->at++;
	return behind_point(p, segment);
}

/* White space before a segment belongs to it. */
static bool more(struct parser *p)
{
	size_t start = p->at;

	blanks(p);
	if (peek(p) == '.' || peek(p) == '[')
		return true;
	p->at = start;
	return false;
}

static bool is_single(const struct json_segment *segment)
{
	int kind = json_segment_kind(segment);

	return kind == JSON_SELECT_NAME || kind == JSON_SELECT_INDEX;
}

static bool segments(struct parser *p, struct json_path *path, bool single)
{
	size_t start;

	path->segments = calloc(JSON_PATH_SEGMENTS, sizeof(*path->segments));
	if (!path->segments)
		return no_memory(p);
	while (more(p)) {
		start = p->at;
		if (path->count == JSON_PATH_SEGMENTS)
			return fail(p, "A path has at most 64 segments.");
		if (!segment_of(p, &path->segments[path->count++]))
			return false;
		if (single && !is_single(&path->segments[path->count - 1]))
			return fail_at(p, start, "In a filter a path has names and indexes only.");
	}
	return true;
}

static bool is_text(struct parser *p)
{
	size_t at, used;

	if (p->size > TEXT_MOST)
		return fail(p, "A path has at most 4096 bytes.");
	for (at = 0; at < p->size; at += used) {
		used = json_text_character(p->text + at, p->size - at);
		if (used == 0)
			return fail_at(p, at, "A path is UTF-8.");
	}
	return true;
}

static bool whole(struct parser *p, struct json_path *path)
{
	if (!is_text(p))
		return false;
	path->root = peek(p);
	if (!take(p, "$") && !take(p, "@"))
		return fail(p, "A path starts with $ (the document) or @ (the row): $.issues[*], @.name.");
	if (!segments(p, path, false))
		return false;
	if (p->at == p->size)
		return true;
	return fail(p, p->at == 1 ? "Behind $ and @ is a point, a bracket or the end: $.name." :
		       is_digit(p->text[p->at - 1]) || is_name_byte(p->text[p->at - 1]) ?
				    needs_quotes : "A point, a bracket or the end is needed here.");
}

struct json_path *json_path_parse(const char *text, struct json_path_flaw *flaw)
{
	struct parser p = { text, 0, strlen(text), flaw };
	struct json_path *path = calloc(1, sizeof(*path));

	*flaw = (struct json_path_flaw){ 0 };
	if (path)
		path->text = copy(text, p.size);
	if (!path || !path->text)
		no_memory(&p);
	else if (whole(&p, path))
		return path;
	json_path_free(path);
	return NULL;
}
