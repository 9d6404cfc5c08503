/*
 * Values: what a node of JSON is, and what a column takes for a row. Paths are followed from where they begin: the row, a node
 * on the way to it, or what is beside the records.
 */
#include "config.h"

#include <nettle/sha2.h>
#include <stdio.h>
#include <string.h>

#include "row.h"

/* NaN and the like, which the policy takes for a text: a column of reals reads it as what it is. */
static const char *name_of(struct json_value *ret, const char *raw, size_t size)
{
	ret->state = VALUE_TEXT;
	ret->tree = NULL;
	ret->nonfinite = true;
	ret->text = raw;
	ret->size = size;
	return NULL;
}

static const char *text_of(struct json_value *ret, const char *raw, size_t size, bool escaped, struct work *w)
{
	ret->state = VALUE_TEXT;
	ret->text = raw;
	ret->size = size;
	if (escaped) {
		char *to = json_pool_take(&w->pool, size + 1);

		if (!to)
			return "no_memory";
		ret->text = to;
		return json_text_resolve(raw, size, w->texts, to, &ret->size);
	}
	return NULL;
}

const char *json_value_of(struct json_value *ret, const struct json_tree *tree, uint32_t node, struct work *w)
{
	size_t count;
	const struct json_node *n = json_tree_nodes(tree, &count) + node;
	const char *raw = json_tree_text(tree) + n->at;

	*ret = (struct json_value){ .tree = tree, .node = node };
	switch ((enum json_kind)n->kind) {
	case JSON_NULL:
		ret->state = VALUE_NULL;
		return NULL;
	case JSON_FALSE:
	case JSON_TRUE:
		ret->state = VALUE_BOOL;
		ret->truth = n->kind == JSON_TRUE;
		return NULL;
	case JSON_STRING:
	case JSON_KEY:
		if (n->flags & JSON_BARE)
			return name_of(ret, raw, n->size);
		return text_of(ret, raw, n->size, n->flags & JSON_ESCAPED, w);
	case JSON_NUMBER:
		ret->state = VALUE_NUMBER;
		break;
	case JSON_ARRAY:
	case JSON_OBJECT:
		ret->state = VALUE_JSON;
		ret->object = n->kind == JSON_OBJECT;
		ret->empty = n->next == node + 1;
		break;
	}
	ret->text = raw;
	ret->size = n->size;
	return NULL;
}

static const char *pooled(const struct etl_text *text, struct work *w)
{
	char *to = text->failed ? NULL : json_pool_take(&w->pool, text->length + 1);

	if (to && text->length)
		memcpy(to, text->at, text->length + 1);
	else if (to)
		*to = '\0';
	return to;
}

/* A text as it stands in its file, or written anew when a filter made it. */
static const char *quoted(const struct json_value *v, struct work *w, size_t *ret_size)
{
	struct etl_text text = { 0 };
	const char *to;

	if (v->tree) {
		size_t count;
		const struct json_node *n = json_tree_nodes(v->tree, &count) + v->node;

		*ret_size = (size_t)n->size + 2;
		return json_tree_text(v->tree) + n->at - 1;
	}
	etl_text_add_json(&text, v->text, v->size);
	to = pooled(&text, w);
	*ret_size = text.length;
	etl_text_free(&text);
	return to;
}

static const char *spelled(const struct json_value *v, struct work *w, size_t *ret_size)
{
	char *to = json_pool_take(&w->pool, json_tree_room(v->tree, v->node));

	if (to)
		*ret_size = json_tree_spell(v->tree, v->node, to);
	return to;
}

const char *json_value_as_json(const struct json_value *v, struct work *w, size_t *ret_size)
{
	const char *word = v->state == VALUE_NULL ? "null" : v->truth ? "true" : "false";

	if (v->state == VALUE_TEXT)
		return quoted(v, w, ret_size);
	if (v->state == VALUE_NULL || v->state == VALUE_BOOL) {
		*ret_size = strlen(word);
		return word;
	}
	if (v->state == VALUE_JSON && v->tree && json_tree_is_changed(v->tree))
		return spelled(v, w, ret_size);
	*ret_size = v->size;
	return v->text;
}

/* ---- Where a value is --------------------------------------------------------------------------------------- */

static uint32_t find(const struct take *t, const struct json_tree *tree, uint32_t node, const struct row *row, struct work *w)
{
	struct known *known = t->known && w->known ? &w->known[t->known - 1] : NULL;
	uint64_t time = t->start == START_OUTER ? w->files : w->records;
	uint32_t found;

	if (known && known->time == time && known->node == node)
		return known->found;
	found = json_path_first(t->path, t->from, tree, node, &row->names->get);
	if (known)
		*known = (struct known){ time, node, found };
	return found;
}

static const char *follow(const struct take *t, const struct json_tree *tree, uint32_t node, const struct row *row,
			  struct work *w, struct json_value *ret)
{
	uint32_t at = node;

	if (t->from < t->path->count)
		at = find(t, tree, node, row, w);
	return at == UINT32_MAX ? NULL : json_value_of(ret, tree, at, w);
}

static const char *fill_template(const char *template, const struct row *row, struct work *w, struct json_value *ret)
{
	struct etl_text text = { 0 };
	const char *to = "";

	if (!strchr(template, '{')) {
		*ret = (struct json_value){ .state = VALUE_TEXT, .loose = true, .text = template };
		ret->size = strlen(template);
		return NULL;
	}
	if (names_fill(row->names, template, &text)) {
		to = pooled(&text, w);
		*ret = (struct json_value){ .state = VALUE_TEXT, .loose = true, .text = to, .size = text.length };
	}
	etl_text_free(&text);
	return to ? NULL : "no_memory";
}

static const char *take_number(uint64_t n, struct work *w, struct json_value *ret)
{
	char *to = json_pool_take(&w->pool, 24);

	if (!to)
		return "no_memory";
	*ret = (struct json_value){ .state = VALUE_NUMBER, .text = to };
	ret->size = (size_t)snprintf(to, 24, "%llu", (unsigned long long)n);
	return NULL;
}

/* The place among its neighbours, of the row or of a node on the way to it: of an element in its array, of a member in its object. */
static uint64_t index_of(const struct row *row, size_t chain, struct work *w)
{
	size_t count, at = chain == CHAIN_ROW ? row->chain_length - 1 : chain;
	const struct json_node *nodes = json_tree_nodes(row->tree, &count);
	struct nearby *near = &w->nearby[at % NEARBY];
	uint32_t parent, node;

	if (chain == CHAIN_RECORD || row->chain_length == 0)
		return row->record;
	parent = at > 0 ? row->chain[at - 1] : 0;
	node = row->chain[at];
	if (near->node == 0 || near->parent != parent || near->node > node)
		*near = (struct nearby){ parent, parent + 1, 0 };
	for (; near->node < node; near->node = nodes[near->node].next)
		near->before += nodes[near->node].kind != JSON_KEY;
	return near->before;
}

/* 32 hexadecimal digits of the file's name and the row's place in it: the same in every run. */
static const char *take_id(const struct row *row, size_t chain, struct work *w, struct json_value *ret)
{
	uint32_t node = chain == CHAIN_ROW ? row->node : chain == CHAIN_RECORD || chain == CHAIN_TOP ? 0 : row->chain[chain];
	uint64_t record = chain == CHAIN_TOP ? 0 : row->record;
	struct sha256_ctx sha;
	uint8_t digest[16];
	char place[64], *to = json_pool_take(&w->pool, 33);
	int size = snprintf(place, sizeof(place), "%llu/%lu", (unsigned long long)record, (unsigned long)node);

	if (!to)
		return "no_memory";
	sha256_init(&sha);
	sha256_update(&sha, strlen(row->file) + 1, (const uint8_t *)row->file);
	sha256_update(&sha, (size_t)size, (const uint8_t *)place);
	sha256_digest(&sha, sizeof(digest), digest);
	for (size_t i = 0; i < sizeof(digest); i++)
		snprintf(to + 2 * i, 3, "%02x", digest[i]);
	*ret = (struct json_value){ .state = VALUE_TEXT, .text = to, .size = 32 };
	return NULL;
}

static const char *take_raw(const struct row *row, const struct take *t, struct work *w, struct json_value *ret)
{
	*ret = (struct json_value){ .state = VALUE_ABSENT };
	switch (t->start) {
	case START_ROW:
		return follow(t, row->tree, row->node, row, w, ret);
	case START_NODE:
		return follow(t, row->tree, t->chain == CHAIN_RECORD ? 0 : row->chain[t->chain], row, w, ret);
	case START_OUTER:
		return row->outer ? follow(t, row->outer, 0, row, w, ret) : NULL;
	case START_TEXT:
		return fill_template(t->text, row, w, ret);
	case START_INDEX:
		return take_number(index_of(row, t->chain, w), w, ret);
	case START_LINE:
		return take_number(row->line, w, ret);
	case START_FILE:
		*ret = (struct json_value){ .state = VALUE_TEXT, .text = row->file_name, .size = strlen(row->file_name) };
		return NULL;
	case START_ID:
		return take_id(row, t->chain, w, ret);
	}
	return NULL;
}

static bool is_there(const struct json_value *v)
{
	return v->state != VALUE_ABSENT && v->state != VALUE_NULL;
}

static bool is_one_of(const struct json_value *v, const char *const *texts, size_t count)
{
	for (size_t i = 0; v->state != VALUE_BOOL && i < count; i++)
		if (strlen(texts[i]) == v->size && memcmp(texts[i], v->text, v->size) == 0)
			return true;
	return false;
}

/* The first of TAKES that gives a value. NULLS are texts that are none. */
static const char *take_first(const struct row *row, const struct take *takes, size_t count, const char *const *nulls,
			      size_t null_count, struct work *w, struct json_value *ret)
{
	bool null = false;

	*ret = (struct json_value){ .state = VALUE_ABSENT };
	for (size_t i = 0; i < count; i++) {
		const char *code = take_raw(row, &takes[i], w, ret);

		for (size_t j = 0; !code && j < takes[i].filter_count; j++)
			code = json_filter_apply(&takes[i].filters[j], ret, w);
		if (code)
			return code;
		if (is_there(ret) && is_one_of(ret, nulls, null_count))
			ret->state = VALUE_NULL;
		if (is_there(ret))
			return NULL;
		null |= ret->state == VALUE_NULL;
	}
	ret->state = null ? VALUE_NULL : VALUE_ABSENT;
	return NULL;
}

const char *json_row_take(const struct row *row, const struct take *takes, size_t count, const char *fallback,
			  struct work *w, struct json_value *ret)
{
	const char *code = take_first(row, takes, count, NULL, 0, w, ret);

	return code || is_there(ret) || !fallback ? code : fill_template(fallback, row, w, ret);
}

/* ---- The column's own rules ----------------------------------------------------------------------------------- */

static void apply_map(const struct json_column *c, struct json_value *v)
{
	const char *text = v->state == VALUE_BOOL ? (v->truth ? "true" : "false") : v->text;
	size_t size = v->state == VALUE_BOOL ? strlen(text) : v->size;

	for (size_t i = 0; i + 1 < c->map_count; i += 2) {
		if (json_glob(c->map[i], text, size)) {
			*v = (struct json_value){ .state = VALUE_TEXT, .loose = true, .text = c->map[i + 1] };
			v->size = strlen(v->text);
			return;
		}
	}
}

const char *json_row_value(const struct row *row, const struct json_column *c, struct work *w, struct json_value *ret)
{
	const char *code = take_first(row, c->takes, c->take_count, c->nulls, c->null_count, w, ret);

	if (!code && !is_there(ret) && c->fallback)
		code = fill_template(c->fallback, row, w, ret);
	if (!code && is_there(ret) && c->map_count)
		apply_map(c, ret);
	return code;
}
