/*
 * What a column says of where its value is: a path, a template, one of the # words; then filters behind `|`. Where a path begins
 * depends on the rows' own path: as far as both say the same, a path from $ means the nodes on the way to the row, so
 * $.issues[*].key of the rows $.issues[*].labels[*] is the key of the label's own issue.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "filter.h"

static const char *say(struct arena *a, const char *format, const char *one, const char *two)
{
	char text[600];

	snprintf(text, sizeof(text), format, one, two);
	return etl_arena_copy(a, text);
}

/* The end of the path or template in TEXT: at a | that is in no quotes and no brackets. */
static size_t path_size(const char *text)
{
	int depth = 0;
	char quote = 0;
	size_t i;

	for (i = 0; text[i] && (quote || depth > 0 || text[i] != '|'); i++) {
		if (quote && text[i] == '\\' && text[i + 1])
			i++;
		else if (quote)
			quote = text[i] == quote ? 0 : quote;
		else if (depth > 0 && (text[i] == '\'' || text[i] == '"'))
			quote = text[i];
		else if (text[i] == '[')
			depth++;
		else if (text[i] == ']')
			depth--;
	}
	return i;
}

static bool find_word(const char *text, struct take *ret)
{
	static const struct {
		const char *word;
		enum start start;
	} words[] = { { "#index", START_INDEX },
		      { "#line", START_LINE },
		      { "#file", START_FILE },
		      { "#id", START_ID } };

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		size_t size = strlen(words[i].word);

		if (strncmp(words[i].word, text, size) == 0 && (!text[size] || text[size] == ' ')) {
			ret->start = words[i].start;
			ret->chain = CHAIN_ROW;
			return true;
		}
	}
	return false;
}

static size_t common(const struct json_path *a, const struct json_path *b)
{
	size_t n = 0;

	while (b && n < a->count && n < b->count && json_segment_equal(&a->segments[n], &b->segments[n]))
		n++;
	return n;
}

/* Where a path from $ begins, by how far it goes along with the rows' path. */
static bool place(struct arena *a, const struct json_layout *layout, struct take *t, const char **why)
{
	size_t along = common(t->path, layout->rows);

	t->from = 0;
	t->start = START_NODE;
	t->chain = CHAIN_RECORD;
	if (layout->consumed == 0) {    /* a record is all that a path can see */
		if (along > 0) {
			t->from = along;
			t->chain = along - 1;
		}
		return true;
	}
	if (along > layout->container_count) {
		t->from = along;
		if (along > layout->consumed)
			t->chain = along - layout->consumed - 1;
		return true;
	}
	if (t->path->count <= layout->container_count && along == t->path->count && along == layout->container_count) {
		*why = say(a, "\"%s\" is all that the rows are cut out of, which is never in memory at once%s", t->text,
			   "");
		return false;
	}
	t->start = START_OUTER;
	return true;
}

static bool parse_path(struct arena *a, const struct json_layout *layout, struct take *t, const char **why)
{
	struct json_path_flaw flaw;

	t->path = json_path_parse(t->text, &flaw);
	if (!t->path) {
		char at[32];

		a->failed |= flaw.no_memory;
		snprintf(at, sizeof(at), "%zu", flaw.at + 1);
		*why = say(a, "character %s: %s", at, flaw.reason);
		return false;
	}
	t->start = START_ROW;
	return t->path->root == '@' || place(a, layout, t, why);
}

/* "#id $.issues[*]": of the node that this means on the way to the row. */
static bool parse_whose(struct arena *a, const struct json_layout *layout, struct take *t, const char **why)
{
	struct take whose = { .text = strchr(t->text, ' ') };
	bool done;

	if (!whose.text || (t->start != START_ID && t->start != START_INDEX))
		return true;
	whose.text += strspn(whose.text, " ");
	done = parse_path(a, layout, &whose, why);
	if (done && whose.start == START_OUTER && whose.path->count == 0 && t->start == START_ID) {
		t->chain = CHAIN_TOP;
	} else if (done && whose.start == START_NODE && whose.from == whose.path->count) {
		t->chain = whose.chain;
	} else if (done) {
		*why = say(a, "\"%s\" is not on the way to the rows%s", whose.text, "");
		done = false;
	}
	json_path_free(whose.path);
	return done;
}

static bool parse_filters(struct arena *a, const char *at, struct take *t, const char **why)
{
	while (*at) {
		struct filter *filters = etl_arena_push(a, t->filters, t->filter_count, sizeof(*filters));

		if (!filters)
			return false;
		t->filters = filters;
		if (!json_filter_parse(a, at + 1, &at, &filters[t->filter_count], why))
			return false;
		t->filter_count++;
	}
	return true;
}

bool json_take_parse(struct arena *a, const char *text, const struct json_layout *layout, struct take *ret,
		     const char **why)
{
	size_t size;

	text += strspn(text, " \t\n");
	size = path_size(text);
	*ret = (struct take){ .start = START_TEXT };
	*why = "no memory";
	while (size > 0 && strchr(" \t\n", text[size - 1]))
		size--;
	ret->text = etl_arena_text(a, text, size);
	if (!ret->text)
		return false;
	if ((*text == '$' || *text == '@') && !parse_path(a, layout, ret, why))
		return false;
	if (*text == '#' && !find_word(ret->text, ret)) {
		*why = say(a, "there is no \"%s\"; there are #index, #line, #file and #id%s", ret->text, "");
		return false;
	}
	if (*text == '#' && !parse_whose(a, layout, ret, why))
		return false;
	return parse_filters(a, text + path_size(text), ret, why);
}

void json_take_free(struct take *t)
{
	json_path_free(t->path);
	for (size_t i = 0; i < t->filter_count; i++)
		json_filter_free(&t->filters[i]);
}
