/*
 * Shapes are merged value by value. An object whose members differ from record to record and look alike is a map: its names are
 * data ("KAFKA-1000": {…}), which is the one thing that JSON does not say. More than MEMBERS_MAX names are data too, whatever
 * they look like, so that memory is bounded.
 */
#include "config.h"

#include <string.h>

#include "number.h"
#include "profile.h"
#include "shape.h"

#define MEMBERS_MAX 1000
#define ALIKE_LEAST 3 /* members that look alike make a map */

static struct shape *new_shape(struct arena *a, const char *name, size_t size)
{
	struct shape *s = etl_arena_alloc(a, sizeof(*s));

	if (s)
		s->name = etl_arena_text(a, name, size);
	return s && s->name ? s : NULL;
}

static struct shape *push_member(struct shape *s, struct arena *a, const char *name, size_t size)
{
	struct shape **members = etl_arena_push(a, s->members, s->member_count, sizeof(struct shape *));
	struct shape *member = members ? new_shape(a, name, size) : NULL;

	if (!member)
		return NULL;
	s->members = members;
	members[s->member_count++] = member;
	return member;
}

/* Members mostly come in one order: the one behind the last is tried first. */
static struct shape *find_member(struct shape *s, struct arena *a, const char *name, size_t size)
{
	for (size_t i = 0; i < s->member_count; i++) {
		size_t at = (s->next + i) % s->member_count;

		if (strncmp(s->members[at]->name, name, size) == 0 && !s->members[at]->name[size]) {
			s->next = at + 1;
			return s->members[at];
		}
	}
	return push_member(s, a, name, size);
}

/* ---- Merging --------------------------------------------------------------------------------------------------- */

static void merge_profile(struct etl_profile *to, const struct etl_profile *from)
{
	to->texts += from->texts;
	to->dates += from->dates;
	to->timestamps += from->timestamps;
	to->zoned += from->zoned;
	to->with_nul += from->with_nul;
	if (from->max_chars > to->max_chars)
		to->max_chars = from->max_chars;
}

void json_shape_merge(struct shape *to, const struct shape *from, struct arena *a)
{
	to->seen += from->seen;
	to->nulls += from->nulls;
	to->bools += from->bools;
	to->numbers += from->numbers;
	to->texts += from->texts;
	to->arrays += from->arrays;
	to->objects += from->objects;
	to->whole += from->whole;
	to->exact += from->exact;
	to->empty_arrays += from->empty_arrays;
	to->uuids += from->uuids;
	merge_profile(&to->texts_are, &from->texts_are);
	if (from->each && !to->each)
		to->each = new_shape(a, "", 0);
	if (from->each && to->each)
		json_shape_merge(to->each, from->each, a);
	for (size_t i = 0; i < from->member_count; i++) {
		const struct shape *member = from->members[i];
		struct shape *same = find_member(to, a, member->name, strlen(member->name));

		if (same)
			json_shape_merge(same, member, a);
	}
}

static void make_map(struct shape *s, struct arena *a)
{
	s->each = s->each ? s->each : new_shape(a, "", 0);
	for (size_t i = 0; s->each && i < s->member_count; i++)
		json_shape_merge(s->each, s->members[i], a);
	s->member_count = 0;
	s->is_map = true;
}

/* ---- One value --------------------------------------------------------------------------------------------------- */

#define DOUBLE_MOST ((int64_t)1 << 53) /* up to there every integer is a double; of those beyond, digits alone tell which it was */

static void add_number(struct shape *s, const char *text, size_t size)
{
	bool fraction = memchr(text, '.', size) || memchr(text, 'e', size) || memchr(text, 'E', size);
	struct number number;
	int64_t whole;
	double real;

	s->numbers++;
	if (!etl_number_parse(&number, text, size))
		return;
	if (fraction) {
		s->exact += !etl_number_double(&number, &real);
	} else if (!etl_number_int64(&number, &whole)) {
		s->whole++;
		s->exact += whole >= -DOUBLE_MOST && whole <= DOUBLE_MOST;
	}
}

static bool is_uuid(const char *text, size_t size)
{
	if (size != 36)
		return false;
	for (size_t i = 0; i < size; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? text[i] != '-' : !strchr("0123456789abcdefABCDEF", text[i]) || !text[i])
			return false;
	}
	return true;
}

static const char *add_text(struct shape *s, const struct json_tree *tree, uint32_t node, struct work *w)
{
	struct json_value v;
	const char *code = json_value_of(&v, tree, node, w);

	for (size_t i = 0; !code && i < w->null_count; i++) {
		if (strlen(w->nulls[i]) == v.size && memcmp(w->nulls[i], v.text, v.size) == 0) {
			s->nulls++;
			return NULL;
		}
	}
	if (!code && v.nonfinite) {
		s->numbers++;
		s->exact++;
		return NULL;
	}
	s->texts++;
	if (code && strcmp(code, "no_memory") == 0)
		return code;
	if (!code) {
		etl_profile_text(&s->texts_are, v.text, v.size);
		s->uuids += is_uuid(v.text, v.size);
	}
	return NULL;
}

static const char *add_members(struct shape *s, struct arena *a, const struct json_tree *tree, uint32_t node,
			       struct work *w)
{
	size_t count;
	const struct json_node *nodes = json_tree_nodes(tree, &count);

	for (uint32_t i = node + 1; i < nodes[node].next; i = nodes[i + 1].next) {
		struct shape *member = s->each;
		struct json_value name;
		const char *code = json_value_of(&name, tree, i, w);

		if (code && strcmp(code, "no_memory") == 0)
			return code;
		if (code || memchr(name.text, '\0', name.size)) {
			w->odd_names++;
			continue;
		}
		if (!s->is_map)
			member = find_member(s, a, name.text, name.size);
		code = member ? json_shape_add(member, a, tree, i + 1, w) : "no_memory";
		if (code)
			return code;
		if (s->member_count > MEMBERS_MAX)
			make_map(s, a);
	}
	return NULL;
}

static const char *add_elements(struct shape *s, struct arena *a, const struct json_tree *tree, uint32_t node,
				struct work *w)
{
	size_t count;
	const struct json_node *nodes = json_tree_nodes(tree, &count);

	s->empty_arrays += nodes[node].next == node + 1;
	for (uint32_t i = node + 1; i < nodes[node].next; i = nodes[i].next) {
		const char *code;

		if (!s->each)
			s->each = new_shape(a, "", 0);
		code = s->each ? json_shape_add(s->each, a, tree, i, w) : "no_memory";
		if (code)
			return code;
	}
	return NULL;
}

const char *json_shape_add(struct shape *s, struct arena *a, const struct json_tree *tree, uint32_t node, struct work *w)
{
	size_t count;
	const struct json_node *n = json_tree_nodes(tree, &count) + node;

	s->seen++;
	switch ((enum json_kind)n->kind) {
	case JSON_NULL:
		s->nulls++;
		return NULL;
	case JSON_FALSE:
	case JSON_TRUE:
		s->bools++;
		return NULL;
	case JSON_NUMBER:
		add_number(s, json_tree_text(tree) + n->at, n->size);
		return NULL;
	case JSON_STRING:
	case JSON_KEY:
		return add_text(s, tree, node, w);
	case JSON_ARRAY:
		s->arrays++;
		return add_elements(s, a, tree, node, w);
	case JSON_OBJECT:
		s->objects++;
		return add_members(s, a, tree, node, w);
	}
	return NULL;
}

/* ---- After all ----------------------------------------------------------------------------------------------------- */

int json_shape_kind(const struct shape *s)
{
	const uint64_t counts[] = { [JSON_TRUE] = s->bools, [JSON_NUMBER] = s->numbers, [JSON_STRING] = s->texts,
				    [JSON_ARRAY] = s->arrays, [JSON_OBJECT] = s->objects };
	int kind = -2;

	for (int i = 0; i < (int)(sizeof(counts) / sizeof(*counts)); i++) {
		if (counts[i])
			kind = kind == -2 ? i : -1;
	}
	return kind;
}

static bool has_member(const struct shape *s, const char *name)
{
	for (size_t i = 0; i < s->member_count; i++) {
		if (strcmp(s->members[i]->name, name) == 0)
			return true;
	}
	return false;
}

/* More than half of the names of either are the other's too. */
static bool alike(const struct shape *one, const struct shape *two)
{
	size_t both = 0;

	for (size_t i = 0; i < one->member_count; i++)
		both += has_member(two, one->members[i]->name);
	return 2 * both > one->member_count && 2 * both > two->member_count;
}

/* Objects that look alike, one behind the other. */
static bool looks_like_map(const struct shape *s)
{
	if (s->member_count < ALIKE_LEAST)
		return false;
	for (size_t i = 0; i < s->member_count; i++) {
		const struct shape *member = s->members[i];

		if (json_shape_kind(member) != JSON_OBJECT || member->member_count == 0 ||
		    (i > 0 && !alike(s->members[0], member)))
			return false;
	}
	return true;
}

void json_shape_settle(struct shape *s, struct arena *a)
{
	if (!s->is_map && looks_like_map(s))
		make_map(s, a);
	for (size_t i = 0; i < s->member_count; i++)
		json_shape_settle(s->members[i], a);
	if (s->each)
		json_shape_settle(s->each, a);
}

const char *json_shape_type(const struct shape *s)
{
	const struct etl_profile *t = &s->texts_are;

	switch (json_shape_kind(s)) {
	case JSON_TRUE:
		return "boolean";
	case JSON_NUMBER:
		return s->whole == s->numbers ? "bigint" : s->exact == s->numbers ? "double precision" : "numeric";
	case JSON_STRING:
		/* Of a text that has no value nothing is known. */
		if ((uint64_t)t->texts != s->texts)
			return "text";
		return s->uuids == s->texts	   ? "uuid" :
		       t->dates == t->texts	   ? "date" :
		       t->zoned == t->texts	   ? "timestamptz" :
		       t->timestamps == t->texts   ? "timestamp" :
						     "text";
	case JSON_ARRAY:
	case JSON_OBJECT:
		return "json";
	default:
		return s->arrays || s->objects ? "json" : "text";
	}
}
