/*
 * Filters over arrays and objects: some members of an object, the elements of an array in one text, how many there are.
 */
#include "config.h"

#include <string.h>

#include "filter.h"
#include "spell.h"

bool json_glob(const char *pattern, const char *text, size_t size)
{
	const char *star = NULL, *again = NULL, *end = text + size;

	while (text < end) {
		if (*pattern == '*') {
			star = pattern++;
			again = text;
		} else if (*pattern == '?') {
			pattern++;
			text++;
			while (text < end && ((unsigned char)*text & 0xc0) == 0x80)
				text++;
		} else if (*pattern == *text && *pattern) {
			pattern++;
			text++;
		} else if (star) {
			pattern = star + 1;
			text = ++again;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return !*pattern;
}

static bool names(const struct filter *f, const struct json_value *key)
{
	for (size_t i = 0; i < f->arg_count; i++) {
		if (json_glob(f->args[i], key->text, key->size))
			return true;
	}
	return false;
}

/* The object with those members of which `names` is WANTED, each as it is written. */
static const char *members(const struct filter *f, struct json_value *v, struct work *w, bool wanted)
{
	const struct json_node *nodes;
	const char *text;
	size_t count;
	char *to, *at;

	if (v->state != VALUE_JSON || !v->object || !v->tree) {
		v->state = VALUE_ABSENT;
		return NULL;
	}
	nodes = json_tree_nodes(v->tree, &count);
	text = json_tree_text(v->tree);
	to = at = json_pool_take(&w->pool, json_tree_room(v->tree, v->node));
	if (!to)
		return "no_memory";
	*at++ = '{';
	for (uint32_t i = v->node + 1; i < nodes[v->node].next; i = nodes[i + 1].next) {
		const struct json_node *value = &nodes[i + 1];
		struct json_value key;
		const char *code = json_value_of(&key, v->tree, i, w);
		size_t quotes = value->kind == JSON_STRING;

		if (code)
			return code;
		if (names(f, &key) != wanted)
			continue;
		if (at[-1] != '{')
			*at++ = ',';
		*at++ = '"';
		memcpy(at, text + nodes[i].at, nodes[i].size);
		at += nodes[i].size;
		*at++ = '"';
		*at++ = ':';
		if (json_tree_is_changed(v->tree)) {
			at += json_tree_spell(v->tree, i + 1, at);
			continue;
		}
		memcpy(at, text + value->at - quotes, value->size + 2 * quotes);
		at += value->size + 2 * quotes;
	}
	*at++ = '}';
	*v = (struct json_value){ .state = VALUE_JSON, .object = true, .empty = at - to == 2, .text = to,
				  .size = (size_t)(at - to) };
	return NULL;
}

const char *json_filter_only(const struct filter *f, struct json_value *v, struct work *w)
{
	return members(f, v, w, true);
}

const char *json_filter_without(const struct filter *f, struct json_value *v, struct work *w)
{
	return members(f, v, w, false);
}

const char *json_filter_join(const struct filter *f, struct json_value *v, struct work *w)
{
	struct etl_text all = { 0 };
	const struct json_node *nodes;
	const char *code = NULL;
	size_t count, n = 0;
	char *to;

	if (v->state != VALUE_JSON || v->object || !v->tree) {
		v->state = VALUE_ABSENT;
		return NULL;
	}
	nodes = json_tree_nodes(v->tree, &count);
	for (uint32_t i = v->node + 1; !code && i < nodes[v->node].next; i = nodes[i].next) {
		struct json_value one;

		code = json_value_of(&one, v->tree, i, w);
		if (code || one.state == VALUE_NULL)
			continue;
		etl_text_add(&all, n++ ? f->args[0] : "");
		if (one.state == VALUE_BOOL)
			etl_text_add(&all, one.truth ? "true" : "false");
		else
			etl_text_add_bytes(&all, one.text, one.size);
	}
	to = all.failed ? NULL : json_pool_take(&w->pool, all.length + 1);
	if (to && all.length)
		memcpy(to, all.at, all.length);
	if (!code && to)
		*v = (struct json_value){ .state = VALUE_TEXT, .text = to, .size = all.length };
	etl_text_free(&all);
	return code ? code : to ? NULL : "no_memory";
}

static uint64_t count_parts(const struct json_tree *tree, uint32_t node, struct work *w)
{
	struct counted *c = &w->counted;
	size_t count;
	const struct json_node *nodes = json_tree_nodes(tree, &count);

	if (w->records > 0 && c->time == w->records && c->tree == tree && c->node == node)
		return c->count;
	*c = (struct counted){ w->records, tree, node, 0 };
	for (uint32_t i = node + 1; i < nodes[node].next; i = nodes[i].next)
		c->count += nodes[i].kind != JSON_KEY;
	return c->count;
}

/* Elements of an array, members of an object; one for any other value, none for null and for what is not there. */
const char *json_filter_count(const struct filter *f, struct json_value *v, struct work *w)
{
	uint64_t n = v->state != VALUE_ABSENT && v->state != VALUE_NULL;
	char *to = json_pool_take(&w->pool, 24);

	(void)f;
	if (!to)
		return "no_memory";
	if (v->state == VALUE_JSON && v->tree)
		n = count_parts(v->tree, v->node, w);
	*v = (struct json_value){ .state = VALUE_NUMBER, .text = to, .size = etl_spell_int(to, (int64_t)n) };
	return NULL;
}
