/*
 * Walks over the tokens of a text once and writes a node for each: no recursion, a stack of the open brackets, and one
 * allocation that is large enough before the walk starts, since no token makes more than one node.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "tree-parts.h"

#define ALWAYS_INLINE inline __attribute__((always_inline))
#define RARELY(x)     __builtin_expect((x), 0)
#define MOSTLY(x)     __builtin_expect((x), 1)

enum {
	DEPTH_MOST = 4096,
	HASHED_MOST = 100       /* members; with more the 256 bits meet too often */
};

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
	tree->open = malloc((tree->limits.depth + 1) * sizeof(*tree->open));
	tree->indexes = calloc(1, sizeof(*tree->indexes));
	if (!tree->marks || !tree->open || !tree->indexes) {
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
	json_tree_unindex(tree);
	free(tree->indexes);
	free(tree->open);
	free(tree->nodes);
	free(tree->members);
	free(tree->names);
	free(tree);
}

static ALWAYS_INLINE bool is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* The walk while it goes on; all in registers, which is why what it calls is inline. */
struct walk {
	struct json_tree *tree;
	const char *text;
	const uint32_t *mark, *past; /* the next token, the end of them */
	struct json_node *node; /* the next one to write */
	struct json_open *open, *deepest;
	size_t backslash;       /* the next one at or behind the last string, or the size of the text */
	bool object;            /* what is open is one */
};

/* The end of the token at AT: what is before the next one is white space. */
static ALWAYS_INLINE uint32_t token_end(const struct walk *w, uint32_t at)
{
	uint32_t end = *w->mark;

	while (end - at > 1 && is_space(w->text[end - 1]))
		end--;
	return end;
}

static ALWAYS_INLINE uint32_t count_of(const struct walk *w)
{
	return (uint32_t)(w->node - w->tree->nodes);
}

static ALWAYS_INLINE void emit(struct walk *w, enum json_kind kind, uint8_t flags, uint32_t at, uint32_t size)
{
	*w->node = (struct json_node){ at, size, count_of(w) + 1, (uint8_t)kind, flags, 0 };
	w->node++;
}

static enum step flaw_of_token(const struct json_tree *tree, uint32_t at, const char *wanted)
{
	json_flaw_token(tree, at, wanted);
	return FAILED;
}

static size_t next_backslash(const struct json_tree *tree, size_t from)
{
	const char *at = memchr(tree->text + from, '\\', tree->size - from);

	return at ? (size_t)(at - tree->text) : tree->size;
}

static bool check_escapes(const struct json_tree *tree, uint32_t at, uint32_t end)
{
	size_t bad = json_token_escapes(tree->text + at, end - at);

	if (bad < end - at)
		json_flaw_escape(tree, at + bad);
	return bad == end - at;
}

/* The string or key whose opening quote is at AT. */
static ALWAYS_INLINE bool take_string(struct walk *w, uint32_t at, enum json_kind kind)
{
	uint32_t end = token_end(w, at) - 1;
	uint8_t flags = 0;

	if (RARELY(end == at || w->text[end] != '"')) {
		json_flaw_token(w->tree, end, "a comma, a colon or a bracket");
		return false;
	}
	if (RARELY(w->backslash < end)) {
		if (!check_escapes(w->tree, at + 1, end))
			return false;
		w->backslash = next_backslash(w->tree, end);
		flags = memchr(w->text + at, '\\', end - at) ? JSON_ESCAPED : 0;
	}
	emit(w, kind, flags, at + 1, end - at - 1);
	return true;
}

static ALWAYS_INLINE bool take_number(struct walk *w, uint32_t at)
{
	uint32_t size = token_end(w, at) - at;
	uint8_t flags = 0;

	if (!json_token_number(w->text + at, size, &flags)) {
		json_flaw_number(w->tree, at, size);
		return false;
	}
	emit(w, JSON_NUMBER, flags, at, size);
	return true;
}

static ALWAYS_INLINE bool take_word(struct walk *w, uint32_t at, const char *word, uint32_t size, enum json_kind kind)
{
	if (token_end(w, at) - at != size || memcmp(w->text + at, word, size) != 0) {
		json_flaw_token(w->tree, at, "a value");
		return false;
	}
	emit(w, kind, 0, at, size);
	return true;
}

/* Where a value is needed there is none of JSON. */
static enum step take_nonfinite(struct walk *w, uint32_t at)
{
	uint32_t size = token_end(w, at) - at;
	bool text = w->tree->limits.nonfinite == JSON_NONFINITE_TEXT;

	if (w->tree->limits.nonfinite == JSON_NONFINITE_ERROR || json_token_nonfinite(w->text + at, size) != size)
		return flaw_of_token(w->tree, at, "a value");
	emit(w, text ? JSON_STRING : JSON_NULL, text ? JSON_BARE : 0, at, size);
	w->tree->nonfinite++;
	w->tree->bare++;
	w->tree->changed = true;
	return AFTER;
}

static ALWAYS_INLINE enum step after(bool taken)
{
	return taken ? AFTER : FAILED;
}

static enum step too_deep(const struct json_tree *tree, uint32_t at)
{
	json_flaw_set(tree->flaw, "too_deep", at, "More than %u arrays and objects are in each other (max_depth).",
		      (unsigned)tree->limits.depth);
	return FAILED;
}

/* Members may go: returns how many nodes there are then, or 0. */
static uint32_t look_at_members(struct json_tree *tree, uint32_t object, uint32_t count)
{
	tree->count = count;
	return json_tree_members(tree, object) == 0 ? (uint32_t)tree->count : 0;
}

static ALWAYS_INLINE enum step close_bracket(struct walk *w, uint32_t at)
{
	struct json_node *nodes = w->tree->nodes, *node = &nodes[w->open->node];
	uint32_t count = count_of(w);

	node->size = at + 1 - node->at;
	if (w->open->suspect) {
		count = look_at_members(w->tree, w->open->node, count);
		if (count == 0)
			return FAILED;
		w->node = nodes + count;
	}
	node->next = count;
	w->open--;
	if (w->open == w->tree->open)
		return DONE;
	w->object = nodes[w->open->node].kind == JSON_OBJECT;
	return AFTER;
}

static ALWAYS_INLINE enum step open_bracket(struct walk *w, uint32_t at, enum json_kind kind, char close)
{
	if (w->open == w->deepest)
		return too_deep(w->tree, at);
	w->open++;
	*w->open = (struct json_open){ .node = count_of(w) };
	w->object = kind == JSON_OBJECT;
	emit(w, kind, 0, at, 0);
	if (w->mark < w->past && w->text[*w->mark] == close)
		return close_bracket(w, *w->mark++);
	return kind == JSON_OBJECT ? KEY : VALUE;
}

static ALWAYS_INLINE enum step take_value(struct walk *w)
{
	uint32_t at = *w->mark;
	char c = w->text[at];

	if (RARELY(w->mark == w->past))
		return flaw_of_token(w->tree, at, "a value");
	w->mark++;
	if (MOSTLY(c == '"'))
		return after(take_string(w, at, JSON_STRING));
	switch (c) {
	case '{':
		return open_bracket(w, at, JSON_OBJECT, '}');
	case '[':
		return open_bracket(w, at, JSON_ARRAY, ']');
	case 't':
		return after(take_word(w, at, "true", 4, JSON_TRUE));
	case 'f':
		return after(take_word(w, at, "false", 5, JSON_FALSE));
	case 'n':
		return after(take_word(w, at, "null", 4, JSON_NULL));
	default:
		if ((c >= '0' && c <= '9') || (c == '-' && w->text[at + 1] != 'I'))
			return after(take_number(w, at));
		return take_nonfinite(w, at);
	}
}

/* The bytes behind the text are readable. */
static ALWAYS_INLINE uint64_t load(const char *at)
{
	uint64_t word;

	memcpy(&word, at, sizeof(word));
	return word;
}

/* The first N of eight bytes, 1 .. 8. */
static ALWAYS_INLINE uint64_t first_of(uint64_t bytes, uint32_t n)
{
	static const char ones_and_zeros[16] = { -1, -1, -1, -1, -1, -1, -1, -1 };

	return bytes & load(ones_and_zeros + 8 - n);
}

/* 0 .. 255, of both ends of a name and its length; without branches, as lengths are hard to predict. Of "" it is a quote's. */
static ALWAYS_INLINE uint32_t bit_of(const char *name, uint32_t size)
{
	uint32_t n = size < 8 ? size | (size == 0) : 8;
	uint64_t head = first_of(load(name), n), tail = first_of(load(name + size - n), n);

	return (uint32_t)(((head + (tail << 29 | tail >> 35) + size) * 0x9E3779B97F4A7C15U) >> 56);
}

/* The name that was just read: when its bit was there, or the object has many, the names have to be compared. */
static ALWAYS_INLINE void look_at_name(struct walk *w)
{
	const struct json_node *key = w->node - 1;
	uint32_t hash = bit_of(w->text + key->at, key->size);
	uint64_t bit = (uint64_t)1 << (hash & 63), *seen = &w->open->seen[hash >> 6];

	if ((key->flags & JSON_ESCAPED) || ++w->open->members > HASHED_MOST)
		w->open->suspect = true;
	else if ((*seen & bit) && !w->open->suspect)
		w->open->suspect = json_tree_is_before(w->tree, w->open->node, count_of(w) - 1);
	*seen |= bit;
}

static ALWAYS_INLINE enum step take_key(struct walk *w)
{
	uint32_t at = *w->mark;

	if (RARELY(w->mark == w->past || w->text[at] != '"'))
		return flaw_of_token(w->tree, at, "the name of a member, in double quotes,");
	w->mark++;
	if (!take_string(w, at, JSON_KEY))
		return FAILED;
	look_at_name(w);
	at = *w->mark;
	if (RARELY(w->mark == w->past || w->text[at] != ':'))
		return flaw_of_token(w->tree, at, "a colon");
	w->mark++;
	return VALUE;
}

static ALWAYS_INLINE enum step take_after(struct walk *w)
{
	uint32_t at = *w->mark;

	if (w->open == w->tree->open)
		return DONE;
	if (w->mark < w->past) {
		w->mark++;
		if (MOSTLY(w->text[at] == ','))
			return w->object ? KEY : VALUE;
		if (w->text[at] == (w->object ? '}' : ']'))
			return close_bracket(w, at);
	}
	return flaw_of_token(w->tree, at, w->object ? "a comma or }" : "a comma or ]");
}

static int walk(struct json_tree *tree, const uint32_t *marks, size_t count)
{
	struct walk w = { .tree = tree, .text = tree->text, .mark = marks, .past = marks + count, .node = tree->nodes,
			  .open = tree->open, .deepest = tree->open + tree->limits.depth };
	enum step step = VALUE;

	w.backslash = next_backslash(tree, 0);
	while (step < DONE) {
		if (step == KEY)
			step = take_key(&w);
		if (step == VALUE)
			step = take_value(&w);
		while (step == AFTER)
			step = take_after(&w);
	}
	tree->count = count_of(&w);
	if (step == FAILED)
		return -1;
	return w.mark == w.past ? 0 : json_flaw_token(tree, *w.mark, "the end of the record");
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
	const uint32_t *marks = NULL;
	size_t count = 0;

	tree->text = text;
	tree->size = size;
	tree->flaw = flaw;
	tree->count = 0;
	tree->changed = false;
	tree->bare = 0;
	json_tree_unindex(tree);
	if (size >= UINT32_MAX)
		return json_flaw_marks(tree, JSON_MARKS_LARGE);
	result = json_marks_find(tree->marks, text, size, &marks, &count);
	if (result != JSON_MARKS_OK)
		return json_flaw_marks(tree, result);
	if (make_room(tree, count) != 0)
		return -1;
	return walk(tree, marks, count);
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

uint64_t json_tree_nonfinite(const struct json_tree *tree)
{
	return tree->nonfinite;
}
