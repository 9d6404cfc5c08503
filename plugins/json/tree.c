/*
 * Walks over the tokens of a text once and writes a node for each: no recursion, a stack of the open brackets, and one
 * allocation that is large enough before the walk starts, since no token makes more than one node.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "tree-parts.h"

enum { DEPTH_MOST = 4096 };

/* What the walk does next. */
enum step { VALUE, KEY, AFTER, DONE, FAILED };

struct json_tree *json_tree_new(const struct json_limits *limits)
{
	struct json_tree *tree = calloc(1, sizeof(*tree));

	if (!tree)
		return NULL;
	tree->limits = *limits;
	if (tree->limits.depth < 1)
		tree->limits.depth = 1;
	if (tree->limits.depth > DEPTH_MOST)
		tree->limits.depth = DEPTH_MOST;
	tree->marks = json_marks_new();
	tree->open = malloc(tree->limits.depth * sizeof(*tree->open));
	if (!tree->marks || !tree->open) {
		json_tree_free(tree);
		return NULL;
	}
	return tree;
}

void json_tree_free(struct json_tree *tree)
{
	if (!tree)
		return;
	json_marks_free(tree->marks);
	free(tree->open);
	free(tree->nodes);
	free(tree->members);
	free(tree->names);
	free(tree);
}

static inline bool is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* The end of the token at AT: what is before the next one is white space. */
static inline uint32_t token_end(const struct json_tree *tree, uint32_t at)
{
	uint32_t end = *tree->mark;

	while (end - at > 1 && is_space(tree->text[end - 1]))
		end--;
	return end;
}

static inline void emit(struct json_tree *tree, enum json_kind kind, uint8_t flags, uint32_t at, uint32_t size)
{
	struct json_node *node = &tree->nodes[tree->count++];

	node->at = at;
	node->size = size;
	node->next = (uint32_t)tree->count;
	node->kind = (uint8_t)kind;
	node->flags = flags;
	node->reserved = 0;
}

static void find_backslash(struct json_tree *tree, size_t from)
{
	const char *at = memchr(tree->text + from, '\\', tree->size - from);

	tree->backslash = at ? (size_t)(at - tree->text) : tree->size;
}

static bool check_escapes(struct json_tree *tree, uint32_t at, uint32_t end)
{
	size_t bad = json_token_escapes(tree->text + at, end - at);

	if (bad < end - at) {
		json_flaw_escape(tree, at + bad);
		return false;
	}
	find_backslash(tree, end);
	return true;
}

/* The string or key whose opening quote is at AT. */
static inline bool take_string(struct json_tree *tree, uint32_t at, enum json_kind kind)
{
	uint32_t end = token_end(tree, at) - 1;
	uint8_t flags = 0;

	if (end == at || tree->text[end] != '"') {
		json_flaw_token(tree, end, "a comma, a colon or a bracket");
		return false;
	}
	if (tree->backslash < end) {
		if (!check_escapes(tree, at + 1, end))
			return false;
		flags = memchr(tree->text + at, '\\', end - at) ? JSON_ESCAPED : 0;
	}
	emit(tree, kind, flags, at + 1, end - at - 1);
	return true;
}

static inline bool take_number(struct json_tree *tree, uint32_t at)
{
	uint32_t size = token_end(tree, at) - at;
	uint8_t flags;

	if (!json_token_number(tree->text + at, size, &flags)) {
		json_flaw_number(tree, at, size);
		return false;
	}
	emit(tree, JSON_NUMBER, flags, at, size);
	return true;
}

static inline bool take_word(struct json_tree *tree, uint32_t at, const char *word, uint32_t size, enum json_kind kind)
{
	if (token_end(tree, at) - at != size || memcmp(tree->text + at, word, size) != 0) {
		json_flaw_token(tree, at, "a value");
		return false;
	}
	emit(tree, kind, 0, at, size);
	return true;
}

static inline enum step after(bool taken)
{
	return taken ? AFTER : FAILED;
}

static enum step too_deep(struct json_tree *tree, uint32_t at)
{
	json_flaw_set(tree->flaw, "too_deep", at, "More than %u arrays and objects are in each other (max_depth).",
		      (unsigned)tree->limits.depth);
	return FAILED;
}

static inline enum step close_bracket(struct json_tree *tree, uint32_t at)
{
	uint32_t opened = tree->open[--tree->depth];
	struct json_node *node = &tree->nodes[opened];

	node->size = at + 1 - node->at;
	if (node->kind == JSON_OBJECT && json_tree_members(tree, opened) != 0)
		return FAILED;
	node->next = (uint32_t)tree->count;
	return tree->depth == 0 ? DONE : AFTER;
}

static inline enum step open_bracket(struct json_tree *tree, uint32_t at, enum json_kind kind, char close)
{
	if (tree->depth == tree->limits.depth)
		return too_deep(tree, at);
	tree->open[tree->depth++] = (uint32_t)tree->count;
	emit(tree, kind, 0, at, 0);
	if (tree->mark < tree->past && tree->text[*tree->mark] == close)
		return close_bracket(tree, *tree->mark++);
	return kind == JSON_OBJECT ? KEY : VALUE;
}

static inline enum step take_value(struct json_tree *tree)
{
	uint32_t at = *tree->mark;

	if (tree->mark++ == tree->past)
		goto flaw;
	switch (tree->text[at]) {
	case '"':
		return after(take_string(tree, at, JSON_STRING));
	case '{':
		return open_bracket(tree, at, JSON_OBJECT, '}');
	case '[':
		return open_bracket(tree, at, JSON_ARRAY, ']');
	case 't':
		return after(take_word(tree, at, "true", 4, JSON_TRUE));
	case 'f':
		return after(take_word(tree, at, "false", 5, JSON_FALSE));
	case 'n':
		return after(take_word(tree, at, "null", 4, JSON_NULL));
	case '-':
	case '0':
	case '1':
	case '2':
	case '3':
	case '4':
	case '5':
	case '6':
	case '7':
	case '8':
	case '9':
		return after(take_number(tree, at));
	default:
		break;
	}
flaw:
	json_flaw_token(tree, at, "a value");
	return FAILED;
}

static inline enum step take_key(struct json_tree *tree)
{
	uint32_t at = *tree->mark;

	if (tree->mark == tree->past || tree->text[at] != '"') {
		json_flaw_token(tree, at, "the name of a member, in double quotes,");
		return FAILED;
	}
	tree->mark++;
	if (!take_string(tree, at, JSON_KEY))
		return FAILED;
	at = *tree->mark;
	if (tree->mark == tree->past || tree->text[at] != ':') {
		json_flaw_token(tree, at, "a colon");
		return FAILED;
	}
	tree->mark++;
	return VALUE;
}

static inline enum step take_after(struct json_tree *tree)
{
	bool object;
	uint32_t at = *tree->mark;

	if (tree->depth == 0)
		return DONE;
	object = tree->nodes[tree->open[tree->depth - 1]].kind == JSON_OBJECT;
	if (tree->mark++ == tree->past)
		goto flaw;
	if (tree->text[at] == ',')
		return object ? KEY : VALUE;
	if (tree->text[at] == (object ? '}' : ']'))
		return close_bracket(tree, at);
flaw:
	json_flaw_token(tree, at, object ? "a comma or }" : "a comma or ]");
	return FAILED;
}

static int walk(struct json_tree *tree)
{
	enum step step = VALUE;

	while (step < DONE) {
		if (step == VALUE)
			step = take_value(tree);
		if (step == AFTER)
			step = take_after(tree);
		if (step == KEY)
			step = take_key(tree);
	}
	if (step == FAILED)
		return -1;
	return tree->mark == tree->past ? 0 : json_flaw_token(tree, *tree->mark, "the end of the record");
}

static int make_room(struct json_tree *tree, size_t count)
{
	struct json_node *grown;

	if (count <= tree->room)
		return 0;
	count += count / 2;
	grown = realloc(tree->nodes, count * sizeof(*grown));
	if (!grown)
		return json_flaw_memory(tree->flaw);
	tree->nodes = grown;
	tree->room = count;
	return 0;
}

int json_tree_read(struct json_tree *tree, const char *text, size_t size, struct json_flaw *flaw)
{
	enum json_marks_result result;
	size_t count = 0;

	tree->text = text;
	tree->size = size;
	tree->flaw = flaw;
	tree->count = 0;
	tree->depth = 0;
	if (size >= UINT32_MAX)
		return json_flaw_marks(tree, JSON_MARKS_LARGE);
	result = json_marks_find(tree->marks, text, size, &tree->mark, &count);
	if (result != JSON_MARKS_OK)
		return json_flaw_marks(tree, result);
	tree->past = tree->mark + count;
	find_backslash(tree, 0);
	if (make_room(tree, count) != 0)
		return -1;
	return walk(tree);
}

const struct json_node *json_tree_nodes(const struct json_tree *tree, size_t *ret_count)
{
	*ret_count = tree->count;
	return tree->nodes;
}

const char *json_tree_text(const struct json_tree *tree)
{
	return tree->text;
}

uint64_t json_tree_dropped(const struct json_tree *tree)
{
	return tree->dropped;
}
