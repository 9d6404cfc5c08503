/*
 * Follows a path through a tree. Recursion is as deep as a path has segments. Arrays are reached from their front only, so
 * a slice that goes backwards halves its range again and again instead of counting from the front for each element.
 */
#include "config.h"

#include <string.h>

#include "path-parts.h"
#include "text.h"

struct walk {
	const struct json_path *path;
	const struct json_tree *tree;
	const struct json_node *nodes;
	const struct json_names *names;
	struct json_visit *visit;
	size_t from;
	uint32_t chain[JSON_PATH_SEGMENTS];
};

/* Which elements of an array a slice takes: first, and then each STEP up to before END (behind END, when STEP < 0). */
struct range {
	int64_t first, end, step;
};

static int follow(struct walk *walk, size_t segment, uint32_t node);

static int reach(struct walk *walk, size_t segment, uint32_t node)
{
	walk->chain[segment - walk->from] = node;
	return follow(walk, segment + 1, node);
}

uint32_t json_member_find(const struct json_node *nodes, const char *text, uint32_t object, const char *name, size_t size)
{
	uint32_t key, end = nodes[object].next;

	for (key = object + 1; key < end; key = nodes[key + 1].next) {
		const struct json_node *k = &nodes[key];

		if (k->flags & JSON_ESCAPED) {
			if (json_text_is(text + k->at, k->size, name, size))
				return key + 1;
		} else if (k->size == size && memcmp(text + k->at, name, size) == 0) {
			return key + 1;
		}
	}
	return UINT32_MAX;
}

static int reach_member(struct walk *walk, size_t segment, uint32_t value)
{
	return value == UINT32_MAX ? 0 : reach(walk, segment, value);
}

static int one_member(struct walk *walk, size_t segment, uint32_t node, const char *name, size_t size)
{
	if (walk->nodes[node].kind != JSON_OBJECT)
		return 0;
	return reach_member(walk, segment, json_member_find(walk->nodes, json_tree_text(walk->tree), node, name, size));
}

/* Each element, or each member that FILTER lets through; NULL: all. */
static int each(struct walk *walk, size_t segment, uint32_t node, const struct json_selector *filter)
{
	const struct json_node *nodes = walk->nodes;
	uint32_t child = node + 1, end = nodes[node].next;
	uint32_t key = nodes[node].kind == JSON_OBJECT;
	size_t i;
	int result = 0;

	if (nodes[node].kind != JSON_OBJECT && nodes[node].kind != JSON_ARRAY)
		return 0;
	for (; child < end && result == 0; child = nodes[child + key].next) {
		for (i = 0; filter && i < filter->condition_count; i++)
			if (!json_condition_holds(&filter->conditions[i], walk->tree, child + key))
				break;
		if (!filter || i == filter->condition_count)
			result = reach(walk, segment, child + key);
	}
	return result;
}

static int captured(struct walk *walk, size_t segment, uint32_t node, const struct json_selector *selector)
{
	const char *name;
	size_t size = 0;

	if (walk->nodes[node].kind != JSON_OBJECT)
		return 0;
	if (!walk->names)
		return each(walk, segment, node, NULL);
	name = walk->names->get(walk->names, selector->name, &size);
	return name ? reach_member(walk, segment, json_tree_find(walk->tree, node, name, size)) : 0;
}

static int64_t length_of(const struct json_node *nodes, uint32_t array)
{
	int64_t length = 0;
	uint32_t child;

	for (child = array + 1; child < nodes[array].next; child = nodes[child].next)
		length++;
	return length;
}

static int one_element(struct walk *walk, size_t segment, uint32_t node, int64_t index)
{
	const struct json_node *nodes = walk->nodes;
	uint32_t child = node + 1, end = nodes[node].next;

	if (nodes[node].kind != JSON_ARRAY)
		return 0;
	if (index < 0)
		index += length_of(nodes, node);
	for (; index > 0 && child < end; index--)
		child = nodes[child].next;
	return index == 0 && child < end ? reach(walk, segment, child) : 0;
}

static int64_t between(int64_t value, int64_t low, int64_t high)
{
	return value < low ? low : value > high ? high : value;
}

/* RFC 9535, 2.3.4.2. */
static struct range range_of(const struct json_selector *s, int64_t length)
{
	int64_t from = s->has_from ? s->from : s->step > 0 ? 0 : length - 1;
	int64_t to = s->has_to ? s->to : s->step > 0 ? length : -length - 1;

	from = from < 0 ? from + length : from;
	to = to < 0 ? to + length : to;
	if (s->step > 0)
		return (struct range){ between(from, 0, length), between(to, 0, length), s->step };
	return (struct range){ between(from, -1, length - 1), between(to, -1, length - 1), s->step };
}

static int forward(struct walk *walk, size_t segment, uint32_t node, const struct range *range)
{
	uint32_t child = node + 1;
	int64_t i;
	int result = 0;

	for (i = 0; i < range->end && result == 0; i++, child = walk->nodes[child].next)
		if (i >= range->first && (i - range->first) % range->step == 0)
			result = reach(walk, segment, child);
	return result;
}

/* The elements LOW .. LOW + COUNT - 1, the first of which is CHILD, from the last to the first. */
static int backward(struct walk *walk, size_t segment, uint32_t child, int64_t low, int64_t count,
		    const struct range *range)
{
	uint32_t middle = child;
	int64_t i;
	int result;

	if (count <= 0 || low > range->first || low + count - 1 <= range->end)
		return 0;
	if (count == 1)
		return (range->first - low) % range->step == 0 ? reach(walk, segment, child) : 0;
	for (i = 0; i < count / 2; i++)
		middle = walk->nodes[middle].next;
	result = backward(walk, segment, middle, low + count / 2, count - count / 2, range);
	return result ? result : backward(walk, segment, child, low, count / 2, range);
}

static int sliced(struct walk *walk, size_t segment, uint32_t node, const struct json_selector *selector)
{
	struct range range;
	int64_t length;

	if (walk->nodes[node].kind != JSON_ARRAY || selector->step == 0)
		return 0;
	length = length_of(walk->nodes, node);
	range = range_of(selector, length);
	if (selector->step > 0)
		return forward(walk, segment, node, &range);
	return backward(walk, segment, node + 1, 0, length, &range);
}

static int selected(struct walk *walk, size_t segment, uint32_t node, const struct json_selector *selector)
{
	switch (selector->kind) {
	case JSON_SELECT_NAME:
		return one_member(walk, segment, node, selector->name, selector->size);
	case JSON_SELECT_EACH:
		return each(walk, segment, node, NULL);
	case JSON_SELECT_INDEX:
		return one_element(walk, segment, node, selector->from);
	case JSON_SELECT_SLICE:
		return sliced(walk, segment, node, selector);
	case JSON_SELECT_FILTER:
		return each(walk, segment, node, selector);
	default:
		return captured(walk, segment, node, selector);
	}
}

static int follow(struct walk *walk, size_t segment, uint32_t node)
{
	const struct json_segment *s;
	size_t i;
	int result = 0;

	if (segment == walk->path->count)
		return walk->visit->found(walk->visit, walk->chain, segment - walk->from);
	s = &walk->path->segments[segment];
	for (i = 0; i < s->count && result == 0; i++)
		result = selected(walk, segment, node, &s->selectors[i]);
	return result;
}

int json_path_walk(const struct json_path *path, size_t from, const struct json_tree *tree, uint32_t node,
		   const struct json_names *names, struct json_visit *visit)
{
	struct walk walk = { .path = path, .tree = tree, .names = names, .visit = visit, .from = from };
	size_t count;

	walk.nodes = json_tree_nodes(tree, &count);
	return follow(&walk, from, node);
}

struct first {
	struct json_visit visit;
	uint32_t node;
};

static int keep_first(struct json_visit *self, const uint32_t *chain, size_t length)
{
	struct first *first = (struct first *)self;

	if (length > 0)
		first->node = chain[length - 1];
	return 1;
}

static uint32_t walk_to_first(const struct json_path *path, size_t from, const struct json_tree *tree, uint32_t node,
			      const struct json_names *names)
{
	struct first first = { { keep_first }, node };

	return json_path_walk(path, from, tree, node, names, &first.visit) ? first.node : UINT32_MAX;
}

uint32_t json_path_first(const struct json_path *path, size_t from, const struct json_tree *tree, uint32_t node,
			 const struct json_names *names)
{
	const char *text = json_tree_text(tree);
	const struct json_node *nodes;
	size_t count;

	nodes = json_tree_nodes(tree, &count);
	for (; from < path->count; from++) {
		const struct json_segment *segment = &path->segments[from];
		const struct json_selector *selector = segment->selectors;

		if (segment->count != 1 || selector->kind != JSON_SELECT_NAME)
			return walk_to_first(path, from, tree, node, names);
		if (nodes[node].kind != JSON_OBJECT)
			return UINT32_MAX;
		node = json_member_find(nodes, text, node, selector->name, selector->size);
		if (node == UINT32_MAX)
			return UINT32_MAX;
	}
	return node;
}
