/*
 * The member of a name in an object of many, asked for again and again: rows that are the members of one object and look for
 * theirs in another one beside it. For the objects that were asked last there is a table of their names' hashes; where one
 * cannot be, members are looked through as in any other object.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "path-parts.h"
#include "tree-parts.h"

enum {
	WORTH = 128 /* nodes of an object: with fewer it is looked through as fast */
};

static uint32_t *slot_of(const struct json_index *index, const char *name, size_t size)
{
	return &index->slots[XXH3_64bits(name, size) & index->mask];
}

static uint32_t *next_slot(const struct json_index *index, uint32_t *slot)
{
	return slot < index->slots + index->mask ? slot + 1 : index->slots;
}

/* Names with escapes are not among them. */
static void fill(struct json_index *index, const struct json_tree *tree)
{
	const struct json_node *nodes = tree->nodes;
	uint32_t key, end = nodes[index->object].next, *slot;

	for (key = index->object + 1; key < end; key = nodes[key + 1].next) {
		if (nodes[key].flags & JSON_ESCAPED) {
			index->escaped = true;
			continue;
		}
		slot = slot_of(index, tree->text + nodes[key].at, nodes[key].size);
		while (*slot)
			slot = next_slot(index, slot);
		*slot = key;
	}
}

/* Twice as many slots as members at least: a member is two nodes or more. */
static bool make(struct json_index *index, const struct json_tree *tree, uint32_t object)
{
	uint32_t nodes = tree->nodes[object].next - object, slots = 1;

	while (slots < nodes && slots < UINT32_C(1) << 31)
		slots *= 2;
	free(index->slots);
	*index = (struct json_index){ .object = object, .mask = slots - 1, .slots = calloc(slots, sizeof(*index->slots)) };
	if (!index->slots)
		return false;
	fill(index, tree);
	return true;
}

/* NULL: no memory. */
static const struct json_index *index_of(const struct json_tree *tree, uint32_t object)
{
	struct json_indexes *all = tree->indexes;
	struct json_index *index;

	for (size_t i = 0; i < JSON_INDEXES; i++)
		if (all->at[i].slots && all->at[i].object == object)
			return &all->at[i];
	index = &all->at[all->next++ % JSON_INDEXES];
	return make(index, tree, object) ? index : NULL;
}

void json_tree_unindex(struct json_tree *tree)
{
	for (size_t i = 0; i < JSON_INDEXES && tree->indexes; i++) {
		free(tree->indexes->at[i].slots);
		tree->indexes->at[i].slots = NULL;
	}
}

uint32_t json_tree_find(const struct json_tree *tree, uint32_t object, const char *name, size_t size)
{
	const struct json_node *nodes = tree->nodes;
	const struct json_index *index = nodes[object].next - object < WORTH ? NULL : index_of(tree, object);

	for (uint32_t *slot = index ? slot_of(index, name, size) : NULL; slot && *slot; slot = next_slot(index, slot))
		if (nodes[*slot].size == size && memcmp(tree->text + nodes[*slot].at, name, size) == 0)
			return *slot + 1;
	return index && !index->escaped ? UINT32_MAX : json_member_find(nodes, tree->text, object, name, size);
}
