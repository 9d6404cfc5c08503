/*
 * What {name} stands for: parts of the file's name, names of members on the way to the row, and values that `let` looked up.
 * One small array, filled anew for each file and row; the texts are others'.
 */
#include "config.h"

#include <assert.h>
#include <string.h>

#include "filter.h"

static const char *get(const struct json_names *self, const char *name, size_t *ret_size)
{
	const struct names *n = (const struct names *)(const void *)self;

	for (size_t i = n->count; i-- > 0;) {
		if (strcmp(n->at[i].name, name) == 0) {
			*ret_size = n->at[i].size;
			return n->at[i].text;
		}
	}
	return NULL;
}

bool json_table_leaves_out(const struct json_table *t, const struct files_entry *entry)
{
	const char *const *names;
	size_t count = t->files ? files_pattern_captures(t->files, &names) : 0;

	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j + 1 < t->except_count; j += 2)
			if (strcmp(t->except[j], names[i]) == 0 &&
			    json_glob(t->except[j + 1], entry->captures[i], strlen(entry->captures[i])))
				return true;
	return false;
}

void names_init(struct names *n)
{
	n->get.get = get;
	n->count = 0;
}

void names_set(struct names *n, const char *name, const char *text, size_t size)
{
	size_t i = 0;

	while (i < n->count && strcmp(n->at[i].name, name) != 0)
		i++;
	assert(i < JSON_NAMES_MAX);
	n->at[i].name = name;
	n->at[i].text = text;
	n->at[i].size = size;
	n->count += i == n->count;
}

/* One {name} that begins at TEXT; *ret is behind it. */
static bool fill_one(const struct names *n, const char *text, const char **ret, struct etl_text *to)
{
	const char *end = strchr(text, '}'), *value;
	char name[JSON_NAME_MAX + 1];
	size_t size;

	if (!end || (size_t)(end - text) > sizeof(name))
		return false;
	memcpy(name, text + 1, (size_t)(end - text) - 1);
	name[end - text - 1] = '\0';
	value = get(&n->get, name, &size);
	if (!value)
		return false;
	etl_text_add_bytes(to, value, size);
	*ret = end + 1;
	return true;
}

bool names_fill(const struct names *n, const char *template, struct etl_text *to)
{
	while (*template) {
		size_t plain = strcspn(template, "{");

		etl_text_add_bytes(to, template, plain);
		template += plain;
		if (template[0] == '{' && template[1] == '{') {
			etl_text_add(to, "{");
			template += 2;
		} else if (*template && !fill_one(n, template, &template, to)) {
			return false;
		}
	}
	return true;
}
