/*
 * A path as a thing: what it has, whether two are the same, and its end. Reading its text is path-parse.c, following it
 * path-walk.c.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "path-parts.h"

static void free_selector(struct json_selector *selector)
{
	size_t i;

	for (i = 0; i < selector->condition_count; i++) {
		json_path_free(selector->conditions[i].query);
		free(selector->conditions[i].constant);
	}
	free(selector->conditions);
	free(selector->name);
}

static void free_segment(struct json_segment *segment)
{
	size_t i;

	for (i = 0; i < segment->count; i++)
		free_selector(&segment->selectors[i]);
	free(segment->selectors);
}

void json_path_free(struct json_path *path)
{
	size_t i;

	if (!path)
		return;
	for (i = 0; i < path->count; i++)
		free_segment(&path->segments[i]);
	free(path->segments);
	free(path->text);
	free(path);
}

int json_segment_kind(const struct json_segment *segment)
{
	return segment->count == 1 ? (int)segment->selectors[0].kind : -1;
}

bool json_segment_captures(const struct json_segment *segment)
{
	for (size_t i = 0; i < segment->count; i++)
		if (segment->selectors[i].kind == JSON_SELECT_CAPTURE)
			return true;
	return false;
}

const char *json_segment_name(const struct json_segment *segment)
{
	return segment->selectors[0].name;
}

static bool equal_bytes(const char *a, size_t a_size, const char *b, size_t b_size)
{
	return a_size == b_size && (a_size == 0 || memcmp(a, b, a_size) == 0);
}

static bool equal_ways(const struct json_path *a, const struct json_path *b)
{
	size_t i;

	if (a->count != b->count || a->root != b->root)
		return false;
	for (i = 0; i < a->count; i++)
		if (!json_segment_equal(&a->segments[i], &b->segments[i]))
			return false;
	return true;
}

static bool equal_conditions(const struct json_condition *a, const struct json_condition *b)
{
	return a->test == b->test && a->kind == b->kind && equal_bytes(a->constant, a->size, b->constant, b->size) &&
	       equal_ways(a->query, b->query);
}

static bool equal_selectors(const struct json_selector *a, const struct json_selector *b)
{
	size_t i;

	if (a->kind != b->kind || a->from != b->from || a->to != b->to || a->step != b->step ||
	    a->has_from != b->has_from || a->has_to != b->has_to || a->condition_count != b->condition_count)
		return false;
	for (i = 0; i < a->condition_count; i++)
		if (!equal_conditions(&a->conditions[i], &b->conditions[i]))
			return false;
	return equal_bytes(a->name, a->size, b->name, b->size);
}

bool json_segment_equal(const struct json_segment *a, const struct json_segment *b)
{
	size_t i;

	if (a->count != b->count)
		return false;
	for (i = 0; i < a->count; i++)
		if (!equal_selectors(&a->selectors[i], &b->selectors[i]))
			return false;
	return true;
}

void json_path_add_name(struct etl_text *to, const char *name)
{
	etl_text_add(to, "['");
	for (; *name; name++) {
		if ((unsigned char)*name < ' ')
			etl_text_addf(to, "\\u%04x", (unsigned char)*name);
		else
			etl_text_addf(to, "%s%c", *name == '\'' || *name == '\\' ? "\\" : "", *name);
	}
	etl_text_add(to, "']");
}

bool json_path_is_many(const struct json_path *path)
{
	size_t i;
	int kind;

	for (i = 0; i < path->count; i++) {
		kind = json_segment_kind(&path->segments[i]);
		if (kind != JSON_SELECT_NAME && kind != JSON_SELECT_INDEX && kind != JSON_SELECT_CAPTURE)
			return true;
	}
	return false;
}
