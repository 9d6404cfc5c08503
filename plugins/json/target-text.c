/*
 * JSON as texts, where a tree of nodes would be too much: the members of one object, white space, and two texts that are to be
 * one. All of it was checked before (etl_json_valid), so nothing here looks for mistakes.
 */
#include "config.h"

#include <string.h>

#include "path-parts.h"
#include "target.h"

static bool is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

void json_text_compact(struct etl_text *to, const char *text, size_t size)
{
	size_t from = 0;
	bool string = false;

	for (size_t i = 0; i < size; i++) {
		if (string && text[i] == '\\')
			i++;
		else if (text[i] == '"')
			string = !string;
		else if (!string && is_space(text[i])) {
			etl_text_add_bytes(to, text + from, i - from);
			from = i + 1;
		}
	}
	etl_text_add_bytes(to, text + from, size - from);
}

/* Behind the string that begins at AT. */
static const char *skip_string(const char *at, const char *end)
{
	for (at++; at < end && *at != '"'; at++)
		at += *at == '\\';
	return at + 1;
}

static const char *skip_value(const char *at, const char *end)
{
	size_t depth = 0;

	while (at < end) {
		if (*at == '"') {
			at = skip_string(at, end);
			if (depth == 0)
				return at;
			continue;
		}
		if (depth == 0 && (*at == ',' || *at == ']' || *at == '}'))
			return at;
		depth += *at == '{' || *at == '[';
		if (*at == '}' || *at == ']') {
			depth--;
			if (depth == 0)
				return at + 1;
		}
		at++;
	}
	return at;
}

static bool is_hollow(const char *text, size_t size)
{
	return size > 2 && *text == '{' && text[1] == JSON_HOLLOW;
}

void json_text_settle(struct etl_text *to, const char *text, size_t size)
{
	const char *at = text, *end = text + size, *mark;

	while ((mark = memchr(at, JSON_HOLLOW, (size_t)(end - at)))) {
		etl_text_add_bytes(to, at, (size_t)(mark - at) - 1);
		etl_text_add(to, "null");
		at = skip_value(mark - 1, end);
	}
	etl_text_add_bytes(to, at, (size_t)(end - at));
}

bool json_members_begin(struct json_members *m, const char *text, size_t size)
{
	if (size < 2 || (*text != '{' && *text != '['))
		return false;
	m->array = *text == '[';
	m->at = text + 1 + is_hollow(text, size);
	m->end = text + size - 1;
	return true;
}

bool json_members_next(struct json_members *m, const char **name, size_t *name_size, const char **value, size_t *value_size)
{
	*name = NULL;
	*name_size = 0;
	if (m->at < m->end && *m->at == ',')
		m->at++;
	if (m->at >= m->end)
		return false;
	if (!m->array) {
		*name = m->at + 1;
		m->at = skip_string(m->at, m->end);
		*name_size = (size_t)(m->at - *name) - 1;
		m->at++;
	}
	*value = m->at;
	m->at = skip_value(m->at, m->end);
	*value_size = (size_t)(m->at - *value);
	return true;
}

/* ---- Two into one ----------------------------------------------------------------------------------------------- */

static bool is_number(const char *text, size_t size)
{
	return size > 0 && (*text == '-' || (*text >= '0' && *text <= '9'));
}

static bool equal(const char *a, size_t a_size, const char *b, size_t b_size)
{
	return (a_size == b_size && memcmp(a, b, a_size) == 0) ||
	       (is_number(a, a_size) && is_number(b, b_size) && json_number_equal(a, a_size, b, b_size));
}

static bool is_null(const char *text, size_t size)
{
	return size == 4 && *text == 'n';
}

static bool find(const char *text, size_t size, const char *name, size_t name_size, const char **value, size_t *value_size)
{
	struct json_members m;
	const char *other;
	size_t other_size;

	if (!json_members_begin(&m, text, size))
		return false;
	while (json_members_next(&m, &other, &other_size, value, value_size)) {
		if (other_size == name_size && memcmp(other, name, name_size) == 0)
			return true;
	}
	return false;
}

static void add_member(struct etl_text *to, size_t *count, const char *name, size_t size)
{
	etl_text_add(to, (*count)++ ? ",\"" : "\"");
	etl_text_add_bytes(to, name, size);
	etl_text_add(to, "\":");
}

static bool merge_objects(struct etl_text *to, const char *a, size_t a_size, const char *b, size_t b_size,
			  struct etl_text *ret_path)
{
	const char *name, *value, *other;
	size_t name_size, value_size, other_size, count = 0;
	struct json_members m;

	etl_text_add(to, "{");
	if (is_hollow(a, a_size) && is_hollow(b, b_size))
		etl_text_add_bytes(to, &(const char){ JSON_HOLLOW }, 1);
	json_members_begin(&m, a, a_size);
	while (json_members_next(&m, &name, &name_size, &value, &value_size)) {
		size_t was = ret_path->length;

		add_member(to, &count, name, name_size);
		if (!find(b, b_size, name, name_size, &other, &other_size)) {
			etl_text_add_bytes(to, value, value_size);
			continue;
		}
		etl_text_addf(ret_path, ".%.*s", (int)name_size, name);
		if (!json_text_merge(to, value, value_size, other, other_size, ret_path))
			return false;
		ret_path->length = was;
		if (ret_path->at)
			ret_path->at[was] = '\0';
	}
	json_members_begin(&m, b, b_size);
	while (json_members_next(&m, &name, &name_size, &value, &value_size)) {
		if (find(a, a_size, name, name_size, &other, &other_size))
			continue;
		add_member(to, &count, name, name_size);
		etl_text_add_bytes(to, value, value_size);
	}
	etl_text_add(to, "}");
	return true;
}

bool json_text_merge(struct etl_text *to, const char *a, size_t a_size, const char *b, size_t b_size,
		     struct etl_text *ret_path)
{
	if (equal(a, a_size, b, b_size) || is_null(b, b_size) || (is_hollow(b, b_size) && *a != '{'))
		etl_text_add_bytes(to, a, a_size);
	else if (is_null(a, a_size) || (is_hollow(a, a_size) && *b != '{'))
		etl_text_add_bytes(to, b, b_size);
	else if (*a == '{' && *b == '{')
		return merge_objects(to, a, a_size, b, b_size, ret_path);
	else
		return false;
	return true;
}
