/*
 * Selection by names and patterns. The order of the result is the source's, so it does not depend
 * on how the file lists its tables; a table listed several times comes several times, in the file's
 * order.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "select.h"

bool pattern_matches(const char *pattern, const char *name)
{
	const char *star = NULL, *again = NULL;

	while (*name) {
		if (*pattern == '*') {
			star = pattern++;
			again = name;
		} else if (*pattern == '?' || *pattern == *name) {
			pattern++;
			name++;
			while (pattern[-1] == '?' && ((unsigned char)*name & 0xc0) == 0x80)
				name++; /* ? is one character, not one byte */
		} else if (star) {
			pattern = star + 1;
			name = ++again;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return !*pattern;
}

static bool is_pattern(const char *name)
{
	return strpbrk(name, "*?") != NULL;
}

/* How much of a pattern is literal: the more, the more specific. */
static size_t specificity(const char *pattern)
{
	size_t count = 0;

	for (; *pattern; pattern++)
		count += *pattern != '*' && *pattern != '?';
	return count;
}

static bool rule_names(const char *rule, const struct etl_table *table)
{
	size_t schema = table->schema ? strlen(table->schema) : 0;

	if (schema && strncmp(rule, table->schema, schema) == 0 && rule[schema] == '.')
		return pattern_matches(rule + schema + 1, table->name);
	if (table->schema && is_pattern(rule) && strchr(rule, '.')) {
		const char *dot = strchr(rule, '.');
		char *head = strndup(rule, (size_t)(dot - rule));
		bool matches = head && pattern_matches(head, table->schema) &&
			       pattern_matches(dot + 1, table->name);

		free(head);
		return matches;
	}
	return pattern_matches(rule, table->name);
}

/* Nearest name for a message, among everything that can be copied. */
static int nothing_matches(const struct catalog *source, const char *what, const char *name,
			   const char *origin, struct etl_error *err)
{
	const char **names = calloc(source->count + 1, sizeof(*names));
	const char *near;
	size_t count = 0;
	int rc;

	if (!names)
		return error_memory(err);
	for (size_t i = 0; i < source->count; i++)
		if (source->at[i]->kind == ETL_TABLE || source->at[i]->kind == ETL_VIEW)
			names[count++] = source->at[i]->name;
	near = option_nearest(name, names, count);
	rc = error_set(err, ETL_USAGE,
		       "%s%s%s \"%s\" matches nothing of the source, which has %zu table%s and "
		       "view%s%s%s%s",
		       origin ? origin : "", origin ? ": " : "", what, name, count,
		       count == 1 ? "" : "s", count == 1 ? "" : "s",
		       near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
	free(names);
	return rc;
}

static int add(struct picks *picks, const struct etl_table *table, const struct table_rule *rule,
	       struct etl_error *err)
{
	if (picks->count == picks->room) {
		size_t room = picks->room ? picks->room * 2 : 16;
		struct pick *at = realloc(picks->at, room * sizeof(*at));

		if (!at)
			return error_memory(err);
		picks->at = at;
		picks->room = room;
	}
	picks->at[picks->count++] = (struct pick){ .table = table, .rule = *rule };
	return 0;
}

/* The keys of UNDER where RULE has none. */
static void lay_over(struct table_rule *rule, const struct table_rule *under)
{
	if (!rule->where)
		rule->where = under->where;
	if (!rule->column_count) {
		rule->columns = under->columns;
		rule->column_count = under->column_count;
	}
	if (!rule->exclude_columns.count)
		rule->exclude_columns = under->exclude_columns;
	if (!rule->key.count)
		rule->key = under->key;
	if (!rule->after.count)
		rule->after = under->after;
	if (!rule->cursor)
		rule->cursor = under->cursor;
	if (!rule->has_transforms)
		rule->transforms = under->transforms;
	if (!rule->has_validators)
		rule->validators = under->validators;
}

/* The wildcard that speaks for TABLE, the others laid under it; false: none does. */
static bool wildcard_for(const struct pipeline *pipeline, const struct etl_table *table,
			 struct table_rule *ret)
{
	const struct table_rule *used[32];
	size_t count = 0;

	while (count < sizeof(used) / sizeof(used[0])) {
		const struct table_rule *best = NULL;

		for (size_t i = 0; i < pipeline->table_count; i++) {
			const struct table_rule *rule = &pipeline->tables[i];
			bool taken = false;

			for (size_t k = 0; k < count; k++)
				taken |= used[k] == rule;
			if (!taken && rule->name && is_pattern(rule->name) &&
			    rule_names(rule->name, table) &&
			    (!best || specificity(rule->name) > specificity(best->name)))
				best = rule;
		}
		if (!best)
			break;
		if (count == 0)
			*ret = *best;
		else
			lay_over(ret, best);
		used[count++] = best;
	}
	return count > 0;
}

static bool excluded(const struct pipeline *pipeline, const struct etl_table *table)
{
	for (size_t i = 0; i < pipeline->exclude.count; i++)
		if (rule_names(pipeline->exclude.at[i], table))
			return true;
	return false;
}

/* Whether TABLE is on the command line's list; ITEM/LENGTH is one of its names. */
static bool item_names(const char *item, size_t length, const struct etl_table *table,
		       struct etl_error *err)
{
	char *name = strndup(item, length);
	bool matches = name && (rule_names(name, table) || strcasecmp(name, table->name) == 0);

	if (!name)
		error_memory(err);
	free(name);
	return matches;
}

static bool listed(const char *only, const struct etl_table *table, struct etl_error *err)
{
	for (const char *at = only; at && *at; at += strspn(at, ",")) {
		size_t length = strcspn(at, ",");

		if (item_names(at, length, table, err))
			return true;
		at += length;
	}
	return false;
}

static int check_only(const char *only, const struct catalog *source, struct etl_error *err)
{
	for (const char *at = only; at && *at; at += strspn(at, ",")) {
		size_t length = strcspn(at, ",");
		bool found = false;

		for (size_t i = 0; i < source->count; i++)
			found |= source->at[i]->kind <= ETL_VIEW &&
				 item_names(at, length, source->at[i], err);
		if (!found && !err->set) {
			char *name = strndup(at, length);
			int rc = name ? nothing_matches(source, "--tables", name, NULL, err) :
					error_memory(err);

			free(name);
			return rc;
		}
		at += length;
	}
	return err->set ? ETL_FAILED : 0;
}

static int pick_table(const struct pipeline *pipeline, const struct catalog *source,
		      const struct etl_table *table, struct picks *picks, struct etl_error *err)
{
	struct table_rule wild, rule;
	bool has_wild = table->kind == ETL_TABLE && wildcard_for(pipeline, table, &wild),
	     named = false;
	int rc = 0;

	for (size_t i = 0; i < pipeline->table_count && rc == 0; i++) {
		const struct table_rule *entry = &pipeline->tables[i];
		const struct etl_table *found;

		if (!entry->name || is_pattern(entry->name))
			continue;
		found = rule_names(entry->name, table) ? table : NULL;
		if (!found && !table->schema)
			found = catalog_find(source, table->kind, NULL, entry->name) == table ?
					table :
					NULL;
		if (!found)
			continue;
		named = true;
		rule = *entry;
		if (has_wild)
			lay_over(&rule, &wild);
		rc = add(picks, table, &rule, err);
	}
	if (rc == 0 && !named && has_wild)
		rc = add(picks, table, &wild, err);
	return rc;
}

/* Every name and pattern of the file has to match something. */
static int check_rules(const struct pipeline *pipeline, const struct catalog *source,
		       struct etl_error *err)
{
	for (size_t i = 0; i < pipeline->table_count; i++) {
		const struct table_rule *rule = &pipeline->tables[i];
		bool found = !rule->name || strcmp(rule->name, "*") == 0;

		for (size_t k = 0; k < source->count && !found; k++)
			found = source->at[k]->kind <= ETL_VIEW &&
				(rule_names(rule->name, source->at[k]) ||
				 (!is_pattern(rule->name) &&
				  strcasecmp(rule->name, source->at[k]->name) == 0));
		if (!found)
			return nothing_matches(source, "tables: name", rule->name,
					       rule->origin.text, err);
	}
	return 0;
}

/* A name that is excluded has to be there; a pattern is also for what may come. */
static int check_excluded(const struct pipeline *pipeline, const struct catalog *source,
			  struct etl_error *err)
{
	for (size_t i = 0; i < pipeline->exclude.count; i++) {
		const char *name = pipeline->exclude.at[i];
		bool found = is_pattern(name);

		for (size_t k = 0; k < source->count && !found; k++)
			found = rule_names(name, source->at[k]);
		if (!found)
			return nothing_matches(source, "exclude:", name, NULL, err);
	}
	return 0;
}

int select_tables(const struct pipeline *pipeline, const struct catalog *source, const char *only,
		  struct picks *picks, struct etl_error *err)
{
	size_t tables = 0;
	int rc = check_rules(pipeline, source, err);

	if (rc == 0)
		rc = check_excluded(pipeline, source, err);
	if (rc == 0 && only)
		rc = check_only(only, source, err);
	for (size_t i = 0; i < source->count && rc == 0; i++) {
		const struct etl_table *table = source->at[i];

		if (table->kind != ETL_TABLE && table->kind != ETL_VIEW)
			continue;
		tables += table->kind == ETL_TABLE;
		if (excluded(pipeline, table) || (only && !listed(only, table, err)))
			continue;
		rc = pick_table(pipeline, source, table, picks, err);
	}
	picks->whole = rc == 0 && picks->count == tables;
	for (size_t i = 0; i < pipeline->table_count && rc == 0; i++)
		if (pipeline->tables[i].query && !only)
			rc = add(picks, NULL, &pipeline->tables[i], err);
	return rc;
}
