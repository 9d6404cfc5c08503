/*
 * See only.h.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "only.h"
#include "select.h"

int only_make(struct only *only, const char *list, struct etl_error *err)
{
	size_t commas = 0;

	for (const char *at = list; *at; at++)
		commas += *at == ',';
	only->at = calloc(commas + 1, sizeof(*only->at));
	if (!only->at)
		return error_memory(err);
	for (const char *at = list; *at; at += strspn(at, ",")) {
		size_t length = strcspn(at, ",");

		if (length == 0)
			continue;
		only->at[only->count].name = strndup(at, length);
		if (!only->at[only->count++].name)
			return error_memory(err);
		at += length;
	}
	return 0;
}

void only_clear(struct only *only)
{
	for (size_t i = 0; i < only->count; i++)
		free(only->at[i].name);
	free(only->at);
	*only = (struct only){ 0 };
}

static bool is_literal(const char *name, const struct etl_table *table)
{
	size_t schema = table->schema ? strlen(table->schema) : 0;

	return strcmp(name, table->name) == 0 ||
	       (schema && strncmp(name, table->schema, schema) == 0 && name[schema] == '.' &&
		strcmp(name + schema + 1, table->name) == 0);
}

static enum meaning meaning_of_table(const char *name, const struct etl_table *table)
{
	if (is_literal(name, table))
		return MEANS_LITERAL;
	if (select_names(name, table))
		return pattern_is_open(name) ? MEANS_PATTERN : MEANS_UNESCAPED;
	return strcasecmp(name, table->name) == 0 ? MEANS_ANY_CASE : MEANS_NOT;
}

static enum meaning meaning_of(const char *name, const struct etl_table *table, const char *made)
{
	enum meaning means = table ? meaning_of_table(name, table) : MEANS_NOT;

	if (made && strcmp(name, made) == 0)
		return MEANS_LITERAL;
	return made && means < MEANS_ANY_CASE && strcasecmp(name, made) == 0 ? MEANS_ANY_CASE : means;
}

void only_offer(struct only *only, const struct etl_table *table, const char *made)
{
	for (size_t i = 0; i < only->count; i++) {
		enum meaning means = meaning_of(only->at[i].name, table, made);

		if (means > only->at[i].means)
			only->at[i].means = means;
	}
}

enum listing only_lists(const struct only *only, const struct etl_table *table, const char *made)
{
	enum listing ret = only->at ? NOT_LISTED : BY_PATTERN;

	for (size_t i = 0; i < only->count; i++) {
		enum meaning means = meaning_of(only->at[i].name, table, made);

		if (!means || means < only->at[i].means)
			continue;
		if (means > MEANS_PATTERN)
			return BY_NAME;
		ret = BY_PATTERN;
	}
	return ret;
}
