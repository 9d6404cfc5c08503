/*
 * A node as JSON again, when it is not as it stands in its file: members that the policy took out are out of the text too, or
 * a store that reads it would choose anew which of two counts; and a number that is none is what the policy makes of it.
 */
#include "config.h"

#include <string.h>

#include "tree-parts.h"

static char *add(char *to, const struct json_tree *tree, const struct json_node *n)
{
	memcpy(to, tree->text + n->at, n->size);
	return to + n->size;
}

static char *add_quoted(char *to, const struct json_tree *tree, const struct json_node *n)
{
	*to++ = '"';
	to = add(to, tree, n);
	*to++ = '"';
	return to;
}

/* A container opens; anything else is written whole, a name with its colon. */
static char *add_node(char *to, const struct json_tree *tree, const struct json_node *n)
{
	switch ((enum json_kind)n->kind) {
	case JSON_ARRAY:
		*to++ = '[';
		return to;
	case JSON_OBJECT:
		*to++ = '{';
		return to;
	case JSON_KEY:
		to = add_quoted(to, tree, n);
		*to++ = ':';
		return to;
	case JSON_STRING:
		return add_quoted(to, tree, n);
	case JSON_NULL:
		memcpy(to, "null", 4);
		return to + 4;
	default:
		return add(to, tree, n);
	}
}

bool json_tree_is_changed(const struct json_tree *tree)
{
	return tree->changed;
}

/* The quotes of a string; a name that has none gets two, or is null, which is less. */
size_t json_tree_room(const struct json_tree *tree, uint32_t node)
{
	return tree->nodes[node].size + 2 + 2 * tree->bare;
}

/* The stack of open brackets is free when the text has been read. */
size_t json_tree_spell(const struct json_tree *tree, uint32_t node, char *to)
{
	const struct json_node *nodes = tree->nodes;
	struct json_open *open = tree->open;
	char *at = to;

	for (uint32_t i = node; i < nodes[node].next; i++) {
		if (i > node && !strchr("[{:", at[-1]))
			*at++ = ',';
		at = add_node(at, tree, &nodes[i]);
		if (nodes[i].kind == JSON_ARRAY || nodes[i].kind == JSON_OBJECT)
			(++open)->node = i;
		for (; open > tree->open && nodes[open->node].next == i + 1; open--)
			*at++ = nodes[open->node].kind == JSON_ARRAY ? ']' : '}';
	}
	return (size_t)(at - to);
}
