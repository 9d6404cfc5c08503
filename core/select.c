/*
 * Selection by names and patterns. The order of the result is the source's, so it does not depend
 * on how the file lists its tables; a table listed several times comes several times, in the file's
 * order.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "only.h"
#include "select.h"

/* \* and \? are the characters themselves. */
static bool is_escape(const char *pattern)
{
	return pattern[0] == '\\' && (pattern[1] == '*' || pattern[1] == '?');
}

bool pattern_matches(const char *pattern, const char *name)
{
	const char *star = NULL, *again = NULL;

	while (*name) {
		bool escaped = is_escape(pattern);

		if (*pattern == '*') {
			star = pattern++;
			again = name;
		} else if (*pattern == '?') {
			pattern++;
			name++;
			while (((unsigned char)*name & 0xc0) == 0x80)
				name++; /* ? is one character, not one byte */
		} else if (pattern[escaped] == *name) {
			pattern += 1 + escaped;
			name++;
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

/* Also a name with an escaped wildcard: it is matched, not compared. */
static bool is_pattern(const char *name)
{
	return strpbrk(name, "*?") != NULL;
}

bool pattern_is_open(const char *pattern)
{
	for (; *pattern; pattern++) {
		if (is_escape(pattern))
			pattern++;
		else if (*pattern == '*' || *pattern == '?')
			return true;
	}
	return false;
}

char *pattern_plain(const char *pattern)
{
	char *ret = malloc(strlen(pattern) + 1), *to = ret;

	for (; ret && *pattern; pattern++) {
		pattern += is_escape(pattern);
		*to++ = *pattern;
	}
	if (ret)
		*to = '\0';
	return ret;
}

bool select_is_shaped(const struct pipeline *pipeline, const struct table_rule *rule)
{
	return pipeline->source.plugin->store.flags & ETL_FROM_SHAPES && rule->plain && rule->has_from;
}

bool select_needs_list(const struct pipeline *pipeline)
{
	if (!(pipeline->source.plugin->store.flags & ETL_FROM_SHAPES))
		return true;
	for (size_t i = 0; i < pipeline->table_count; i++)
		if (pipeline->tables[i].name && !select_is_shaped(pipeline, &pipeline->tables[i]))
			return true;
	return false;
}

/* How much of a pattern is literal: the more, the more specific; most, when all of it is. */
static size_t specificity(const char *pattern)
{
	size_t count = 0;

	if (!pattern_is_open(pattern))
		return SIZE_MAX;
	for (; *pattern; pattern++) {
		bool escaped = is_escape(pattern);

		count += escaped || (*pattern != '*' && *pattern != '?');
		pattern += escaped;
	}
	return count;
}

bool select_names(const char *rule, const struct etl_table *table)
{
	size_t schema = table->schema ? strlen(table->schema) : 0;

	if (schema && strncmp(rule, table->schema, schema) == 0 && rule[schema] == '.' &&
	    pattern_matches(rule + schema + 1, table->name))
		return true;
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
int select_nothing(const struct pipeline *pipeline, const struct catalog *source,
		   const char *what, const char *name, const char *origin, struct etl_error *err)
{
	const char **names = calloc(source->count + pipeline->table_count + 1, sizeof(*names));
	const char *near;
	size_t count = 0;
	int rc;

	if (!names)
		return error_memory(err);
	for (size_t i = 0; i < source->count; i++)
		if (source->at[i]->kind == ETL_TABLE || source->at[i]->kind == ETL_VIEW)
			names[count++] = source->at[i]->name;
	for (size_t i = 0; i < pipeline->table_count; i++)
		if (select_is_shaped(pipeline, &pipeline->tables[i]))
			names[count++] = pipeline->tables[i].plain;
	near = option_nearest(name, names, count);
	rc = error_set(err, ETL_USAGE,
		       "%s%s%s \"%s\" matches nothing of the source, which has %zu table%s or "
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
	if (!rule->has_delete)
		rule->deletes = under->deletes;
	if (!rule->has_allow_drift)
		rule->allow_drift = under->allow_drift;
	conflict_rule_under(&rule->conflicts, &under->conflicts);
	if (!rule->delete_column)
		rule->delete_column = under->delete_column;
	if (!rule->has_from)
		rule->from = under->from;
	if (!rule->has_to)
		rule->to = under->to;
	if (!rule->has_transforms)
		rule->transforms = under->transforms;
	if (!rule->has_validators)
		rule->validators = under->validators;
	rule->has_delete |= under->has_delete;
	rule->has_allow_drift |= under->has_allow_drift;
	rule->has_from |= under->has_from;
	rule->has_to |= under->has_to;
	rule->has_transforms |= under->has_transforms;
	rule->has_validators |= under->has_validators;
}

/* What of the pipeline's entries is looked up for every table. */
struct selection {
	const struct pipeline *pipeline;
	const struct catalog *source;
	struct only only;	 /* the command line's list */
	struct name_index exact; /* entries by their name, and by what is behind each dot of it */
	struct name_index shaped; /* those whose `from` is the table, by its name */
	size_t *patterns;	 /* entries with a pattern, the most specific first */
	size_t pattern_count;
	bool *matched; /* beside the entries */
};

static int selection_make(struct selection *s, struct etl_error *err)
{
	const struct table_rule *rules = s->pipeline->tables;
	size_t count = s->pipeline->table_count;

	s->patterns = calloc(count + 1, sizeof(*s->patterns));
	s->matched = calloc(count + 1, sizeof(*s->matched));
	if (!s->patterns || !s->matched)
		return error_memory(err);
	for (size_t i = 0; i < count; i++) {
		size_t at = s->pattern_count;

		if (!rules[i].name)
			continue;
		if (select_is_shaped(s->pipeline, &rules[i])) {
			s->matched[i] = true;
			if (!name_index_add(&s->shaped, rules[i].plain, i))
				return error_memory(err);
			continue;
		}
		if (!is_pattern(rules[i].name)) {
			for (const char *name = rules[i].name; name; name = strchr(name, '.')) {
				name += *name == '.';
				if (!name_index_add(&s->exact, name, i))
					return error_memory(err);
			}
			continue;
		}
		while (at > 0 &&
		       specificity(rules[s->patterns[at - 1]].name) < specificity(rules[i].name)) {
			s->patterns[at] = s->patterns[at - 1];
			at--;
		}
		s->patterns[at] = i;
		s->pattern_count++;
	}
	return 0;
}

static void selection_clear(struct selection *s)
{
	only_clear(&s->only);
	name_index_clear(&s->exact);
	name_index_clear(&s->shaped);
	free(s->patterns);
	free(s->matched);
}

/* The wildcard that speaks for TABLE, the others laid under it; false: none does. */
static bool wildcard_for(struct selection *s, const struct etl_table *table, struct table_rule *ret)
{
	bool found = false;

	for (size_t i = 0; i < s->pattern_count; i++) {
		const struct table_rule *rule = &s->pipeline->tables[s->patterns[i]];

		if (!select_names(rule->name, table))
			continue;
		s->matched[s->patterns[i]] = true;
		if (found)
			lay_over(ret, rule);
		else
			*ret = *rule;
		found = true;
	}
	return found;
}

/* Whether an entry without a pattern means TABLE: exactly, or as the only one of its name in any
 * case. */
static bool entry_names(const struct selection *s, const char *name, const struct etl_table *table)
{
	return select_names(name, table) ||
	       (!table->schema && catalog_find(s->source, table->kind, NULL, name) == table);
}

bool select_excludes(const struct pipeline *pipeline, const struct etl_table *table)
{
	for (size_t i = 0; i < pipeline->exclude.count; i++)
		if (select_names(pipeline->exclude.at[i], table))
			return true;
	return false;
}

/* As the source would list it: a name, and nothing else is known yet. */
static struct etl_table listed_as(const struct table_rule *rule)
{
	return (struct etl_table){ .kind = ETL_TABLE, .name = rule->plain };
}

/* What --tables means by each of its names: looked up among all that can be copied. */
static int find_listed(struct selection *s, const char *only, struct etl_error *err)
{
	int rc = only_make(&s->only, only, err);

	for (size_t i = 0; i < s->source->count; i++)
		if (s->source->at[i]->kind <= ETL_VIEW)
			only_offer(&s->only, s->source->at[i], NULL);
	for (size_t i = 0; i < s->pipeline->table_count; i++) {
		const struct table_rule *rule = &s->pipeline->tables[i];
		struct etl_table table = listed_as(rule);

		if (select_is_shaped(s->pipeline, rule))
			only_offer(&s->only, &table, rule->as);
		else if (rule->query)
			only_offer(&s->only, NULL, rule->as);
	}
	for (size_t i = 0; rc == 0 && i < s->only.count; i++)
		if (!s->only.at[i].means)
			rc = select_nothing(s->pipeline, s->source, "--tables",
					    s->only.at[i].name, NULL, err);
	return rc;
}

static int pick_table(struct selection *s, const struct etl_table *table, bool wanted, bool asked,
		      struct picks *picks, struct etl_error *err)
{
	struct table_rule wild, rule;
	bool has_wild = wildcard_for(s, table, &wild);
	size_t at = 0, i;
	bool named = name_index_next(&s->shaped, table->name, &at) != NAME_INDEX_END;
	int rc = 0;

	at = 0;

	while (rc == 0 && (i = name_index_next(&s->exact, table->name, &at)) != NAME_INDEX_END) {
		if (!entry_names(s, s->pipeline->tables[i].name, table))
			continue;
		s->matched[i] = named = true;
		rule = s->pipeline->tables[i];
		if (has_wild)
			lay_over(&rule, &wild);
		if (wanted)
			rc = add(picks, table, &rule, err);
	}
	/* A view becomes a table only when it is named, here or on the command line. */
	if (rc == 0 && wanted && !named && has_wild && (table->kind == ETL_TABLE || asked))
		rc = add(picks, table, &wild, err);
	return rc;
}

/* Every name and pattern of the file has to match something. */
static int check_rules(const struct selection *s, struct etl_error *err)
{
	for (size_t i = 0; i < s->pipeline->table_count; i++) {
		const struct table_rule *rule = &s->pipeline->tables[i];

		if (rule->name && !s->matched[i] && strcmp(rule->name, "*") != 0)
			return select_nothing(s->pipeline, s->source, "tables: name", rule->name,
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
			found = select_names(name, source->at[k]);
		for (size_t k = 0; k < pipeline->table_count && !found; k++)
			found = select_is_shaped(pipeline, &pipeline->tables[k]) &&
				strcmp(name, pipeline->tables[k].plain) == 0;
		if (!found)
			return select_nothing(pipeline, source, "exclude:", name,
					      pipeline->exclude_origin.text, err);
	}
	return 0;
}

static int left_out(const char *name, struct etl_error *err)
{
	return error_set(err, ETL_USAGE,
			 "--tables names \"%s\", which this pipeline leaves out; see its `tables` and "
			 "`exclude`",
			 name);
}

static int pick_all(struct selection *s, struct picks *picks, struct etl_error *err)
{
	size_t tables = 0, picked = 0;
	int rc = 0;

	for (size_t i = 0; i < s->source->count && rc == 0; i++) {
		const struct etl_table *table = s->source->at[i];
		size_t before = picks->count;
		enum listing by;

		if (table->kind != ETL_TABLE && table->kind != ETL_VIEW)
			continue;
		by = only_lists(&s->only, table, NULL);
		rc = pick_table(s, table, !select_excludes(s->pipeline, table) && by, by == BY_NAME,
				picks, err);
		if (rc == 0 && by == BY_NAME && picks->count == before)
			rc = left_out(table->name, err);
		tables += table->kind == ETL_TABLE;
		picked += table->kind == ETL_TABLE && picks->count > before;
	}
	picks->whole = rc == 0 && picked == tables && picks->count == tables;
	return rc;
}

/* An entry whose `from` is the table, in the file's order, with the wildcards that speak of its name laid under. */
static int pick_shaped(struct selection *s, const struct table_rule *entry, struct picks *picks,
		       struct etl_error *err)
{
	struct etl_table table = listed_as(entry);
	struct table_rule rule = *entry, wild;
	bool excluded = select_excludes(s->pipeline, &table);
	enum listing by = only_lists(&s->only, &table, entry->as);

	if (wildcard_for(s, &table, &wild))
		lay_over(&rule, &wild);
	picks->whole = false;
	if (excluded && by == BY_NAME)
		return left_out(entry->plain, err);
	return excluded || !by ? 0 : add(picks, NULL, &rule, err);
}

static int pick_made(struct selection *s, struct picks *picks, struct etl_error *err)
{
	const struct pipeline *pipeline = s->pipeline;
	int rc = 0;

	for (size_t i = 0; i < pipeline->table_count && rc == 0; i++) {
		const struct table_rule *rule = &pipeline->tables[i];

		if (select_is_shaped(pipeline, rule))
			rc = pick_shaped(s, rule, picks, err);
		else if (rule->query && only_lists(&s->only, NULL, rule->as))
			rc = add(picks, NULL, rule, err);
	}
	return rc;
}

int select_tables(const struct pipeline *pipeline, const struct catalog *source, const char *only,
		  struct picks *picks, struct etl_error *err)
{
	struct selection s = { .pipeline = pipeline, .source = source };
	int rc = selection_make(&s, err);

	if (rc == 0)
		rc = check_excluded(pipeline, source, err);
	if (rc == 0 && only)
		rc = find_listed(&s, only, err);
	if (rc == 0)
		rc = pick_all(&s, picks, err);
	if (rc == 0)
		rc = pick_made(&s, picks, err);
	if (rc == 0)
		rc = check_rules(&s, err);
	if (rc == 0 && picks->count == 0 && !picks->whole)
		rc = error_set(
			err, ETL_USAGE,
			"nothing is left to copy: `tables` and `exclude` leave out every table "
			"of the source");
	selection_clear(&s);
	return rc;
}
