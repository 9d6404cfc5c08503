/*
 * Two members of one name. Objects are many and small, and their names differ: a bit of a hash for each name says so while
 * they are read (tree.c). Only where two names are equal, or there are many, or one has escapes, are they sorted.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "text.h"
#include "tree-parts.h"

enum {
	DROPPED = 1,            /* in reserved of a key, until the object is closed */
	SHOWN = 80              /* bytes of a name that a sentence shows */
};

static bool same_name(const struct json_tree *tree, const struct json_node *a, const struct json_node *b)
{
	return a->size == b->size && memcmp(tree->text + a->at, tree->text + b->at, a->size) == 0;
}

bool json_tree_is_before(const struct json_tree *tree, uint32_t object, uint32_t key)
{
	const struct json_node *nodes = tree->nodes;
	uint32_t other;

	for (other = object + 1; other < key; other = nodes[other + 1].next)
		if (same_name(tree, &nodes[other], &nodes[key]))
			return true;
	return false;
}

static int make_room(struct json_tree *tree, size_t members, size_t bytes)
{
	struct json_member *grown;
	char *names;

	if (members > tree->member_room) {
		grown = realloc(tree->members, members * sizeof(*grown));
		if (!grown)
			return json_flaw_memory(tree->flaw);
		tree->members = grown;
		tree->member_room = members;
	}
	if (bytes > tree->name_room) {
		names = realloc(tree->names, bytes);
		if (!names)
			return json_flaw_memory(tree->flaw);
		tree->names = names;
		tree->name_room = bytes;
	}
	return 0;
}

static void measure(const struct json_tree *tree, uint32_t object, size_t *members, size_t *bytes)
{
	const struct json_node *nodes = tree->nodes;
	uint32_t key;

	for (key = object + 1; key < tree->count; key = nodes[key + 1].next) {
		*members += 1;
		if (nodes[key].flags & JSON_ESCAPED)
			*bytes += nodes[key].size;
	}
}

static void resolve(const struct json_tree *tree, uint32_t object)
{
	struct json_text_policy keep = { JSON_ODD_KEEP, JSON_ODD_KEEP, 0 };
	const struct json_node *nodes = tree->nodes;
	struct json_member *member = tree->members;
	char *to = tree->names;
	uint32_t key;

	for (key = object + 1; key < tree->count; key = nodes[key + 1].next, member++) {
		size_t size = nodes[key].size;

		member->name = tree->text + nodes[key].at;
		if (nodes[key].flags & JSON_ESCAPED) {
			json_text_resolve(member->name, nodes[key].size, &keep, to, &size);
			member->name = to;
			to += size;
		}
		member->size = (uint32_t)size;
		member->key = key;
	}
}

static int compare_names(const struct json_member *a, const struct json_member *b)
{
	if (a->size != b->size)
		return a->size < b->size ? -1 : 1;
	return memcmp(a->name, b->name, a->size);
}

static int compare(const void *a, const void *b)
{
	const struct json_member *x = a, *y = b;
	int order = compare_names(x, y);

	if (order != 0)
		return order;
	return x->key < y->key ? -1 : x->key > y->key;
}

/* Marks those that go, and returns the first key that was there before, or NULL. */
static const struct json_member *mark_dropped(struct json_tree *tree, size_t count)
{
	const struct json_member *first = NULL, *members = tree->members;
	size_t i;

	for (i = 1; i < count; i++) {
		if (compare_names(&members[i - 1], &members[i]) != 0)
			continue;
		if (!first || members[i].key < first->key)
			first = &members[i];
		tree->nodes[members[tree->limits.duplicates == JSON_FIRST ? i : i - 1].key].reserved = DROPPED;
	}
	return first;
}

static void take_out(struct json_tree *tree, uint32_t object)
{
	struct json_node *nodes = tree->nodes;
	uint32_t from = object + 1, to = from, end, by;

	while (from < tree->count) {
		end = nodes[from + 1].next;
		if (nodes[from].reserved == DROPPED) {
			tree->dropped++;
			tree->changed = true;
			from = end;
		}
		for (by = from - to; from < end; from++, to++) {
			nodes[to] = nodes[from];
			nodes[to].next -= by;
		}
	}
	tree->count = to;
}

/* As much of a name as a sentence shows, in whole characters. */
static uint32_t shown(const struct json_tree *tree, const struct json_node *key)
{
	uint32_t size = SHOWN;

	if (key->size <= SHOWN)
		return key->size;
	while (size > 0 && ((unsigned char)tree->text[key->at + size] & 0xC0) == 0x80)
		size--;
	return size;
}

static int flaw_of(const struct json_tree *tree, const struct json_member *twice)
{
	const struct json_node *key = &tree->nodes[twice->key];

	return json_flaw_set(tree->flaw, "duplicate_key", key->at - 1,
			     "The member \"%.*s%s\" was in this object before (duplicate_members says what to do).",
			     (int)shown(tree, key), tree->text + key->at, key->size > SHOWN ? "..." : "");
}

int json_tree_members(struct json_tree *tree, uint32_t object)
{
	const struct json_member *twice;
	size_t members = 0, bytes = 0;

	measure(tree, object, &members, &bytes);
	if (make_room(tree, members, bytes) != 0)
		return -1;
	resolve(tree, object);
	qsort(tree->members, members, sizeof(*tree->members), compare);
	twice = mark_dropped(tree, members);
	if (twice && tree->limits.duplicates == JSON_ERROR)
		return flaw_of(tree, twice);
	if (twice)
		take_out(tree, object);
	return 0;
}
