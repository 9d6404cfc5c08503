/*
 * Which columns are masked, and whether that can work, decided on the table's shape: before any row moves, and
 * again, the same way, where the rows come. A column that a rule means and that is not there would be data
 * that nobody masked, so by default that is an error, for a pattern too.
 */
#include "config.h"

#include <stdlib.h>
#include <strings.h>

#include "columns.h"
#include "mask.h"

static bool is_pattern(const char *name)
{
	return strpbrk(name, "*?") != NULL;
}

static char small(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* \* and \? are the characters themselves. */
static bool is_escape(const char *pattern)
{
	return pattern[0] == '\\' && (pattern[1] == '*' || pattern[1] == '?');
}

/* As the patterns of the pipeline, but in any ASCII case: a column whose name only differs there is masked as well. */
static bool matches(const char *pattern, const char *name)
{
	const char *star = NULL, *again = NULL;

	while (*name) {
		bool escaped = is_escape(pattern);

		if (*pattern == '*') {
			star = ++pattern;
			again = name;
		} else if (*pattern == '?') {
			pattern++;
			name++;
			while (((unsigned char)*name & 0xc0) == 0x80)
				name++; /* ? is one character, not one byte */
		} else if (*pattern && small(pattern[escaped]) == small(*name)) {
			pattern += 1 + escaped;
			name++;
		} else if (star) {
			pattern = star;
			name = ++again;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}

/* ---- Whether a column bears its method ---- */

static const char *const kinds[] = { "number", "code", "name", "email", "uuid", "date-shift" };

static bool is_whole(int32_t type)
{
	return type >= ETL_INT16 && type <= ETL_INT64;
}

/* Any value may stand in it. */
static bool is_free(int32_t type)
{
	return type == ETL_ANY || type == ETL_TYPE_NONE;
}

static bool takes_pseudonym(int kind, int32_t type)
{
	switch (kind) {
	case KIND_NUMBER:
		return is_whole(type) || type == ETL_TEXT;
	case KIND_UUID:
		return type == ETL_UUID || type == ETL_TEXT;
	case KIND_DATE_SHIFT:
		return type == ETL_DATE || type == ETL_TIMESTAMP || type == ETL_INSTANT ||
		       type == ETL_TEXT;
	default:
		return type == ETL_TEXT;
	}
}

static bool takes(const struct mask_rule *rule, int32_t type)
{
	switch (rule->method) {
	case MASK_HASH:
		return is_free(type) || type == ETL_TEXT || type == ETL_BYTES;
	case MASK_PARTIAL:
		return is_free(type) || type == ETL_TEXT;
	case MASK_PSEUDONYM:
		return is_free(type) || takes_pseudonym(rule->kind, type);
	default:
		return true;
	}
}

static const char *instead(int32_t type)
{
	if (is_whole(type))
		return "method = \"pseudonym\" with kind = \"number\", \"redact\" with a number as "
		       "text, or \"null\"";
	if (type == ETL_UUID)
		return "method = \"pseudonym\" with kind = \"uuid\", \"redact\" with a UUID as "
		       "text, or \"null\"";
	if (type == ETL_DATE || type == ETL_TIMESTAMP || type == ETL_INSTANT)
		return "method = \"pseudonym\" with kind = \"date-shift\", \"redact\" with a date "
		       "as text, or \"null\"";
	return "method = \"redact\" with a text of that type, or \"null\"";
}

/* Alone a key: every value is there once. */
static bool is_unique(const struct etl_table *table, const char *name)
{
	if (table->primary.column_count == 1 && strcasecmp(table->primary.columns[0], name) == 0)
		return true;
	for (size_t i = 0; i < table->unique_count; i++) {
		const struct etl_key *key = ETL_AT(const struct etl_key, table->uniques,
						   table->unique_size, i);

		if (key->column_count == 1 && strcasecmp(key->columns[0], name) == 0)
			return true;
	}
	for (size_t i = 0; i < table->index_count; i++) {
		const struct etl_index *index = ETL_AT(const struct etl_index, table->indexes,
						       table->index_size, i);

		if (index->flags & ETL_INDEX_UNIQUE && index->part_count == 1 &&
		    index->parts->column && strcasecmp(index->parts->column, name) == 0)
			return true;
	}
	return false;
}

/* Of a text; 0: as long as it was. */
static int64_t made_length(const struct mask_rule *rule)
{
	if (rule->method == MASK_HASH)
		return rule->length;
	if (rule->method != MASK_PSEUDONYM)
		return 0;
	return rule->kind == KIND_NAME	? 16 :
	       rule->kind == KIND_EMAIL ? 27 + (int64_t)strlen(rule->mail_domain) :
	       rule->kind == KIND_UUID	? 36 :
					  0;
}

static const char *method_words(const struct mask_rule *rule)
{
	static const char *const words[] = { "redact", "null", "hash", "partial", "pseudonym" };

	return rule->method == MASK_PSEUDONYM ? kinds[rule->kind] : words[rule->method];
}

/* NULL: it can work; otherwise why not. */
static const char *obstacle(const struct etl_table *table, const struct etl_column *column,
			    const struct mask_rule *rule)
{
	bool unique = is_unique(table, column->name);

	if (column->flags & ETL_GENERATED)
		return "is computed from others; mask those";
	if (rule->method == MASK_NULL && column->flags & ETL_NOT_NULL)
		return "takes no NULL";
	if (unique && (rule->method == MASK_REDACT || rule->method == MASK_PARTIAL))
		return "is a key, and its values would not be distinct any more; use \"hash\" or "
		       "\"pseudonym\"";
	if (unique && rule->method == MASK_PSEUDONYM && rule->kind == KIND_NAME)
		return "is a key, and two names may get one pseudonym; use \"hash\" or kind = "
		       "\"code\"";
	if (column->type == ETL_TEXT && column->length > 0 && made_length(rule) > column->length)
		return rule->method == MASK_HASH ?
			       "is declared too short for that hash; give `length`" :
			       "is declared too short for that; use \"hash\" with `length`";
	return NULL;
}

static int check_text(const struct etl_instance *self, const struct etl_table *table,
		      const struct mask_column *c, struct etl_error *err)
{
	const char *misfit = c->rule->method != MASK_REDACT || is_free(c->type.type) ?
				     NULL :
				     mask_text_misfit(c->rule->text, c->type);
	char type[64];

	if (!misfit)
		return ETL_OK;
	if (strcmp(misfit, "no_memory") == 0)
		return self->host->fail(err, ETL_MEMORY, NULL, 0,
					"no memory for the rules of mask");
	self->host->at(err, table->name, c->name, NULL);
	return self->host->fail(
		err, ETL_USAGE, NULL, 0,
		"mask: the text \"%s\" cannot stand in column \"%s\", which is %s; give `text` a "
		"value of that type, or use %s",
		c->rule->text, c->name, etl_type_name(c->type, type, sizeof(type)),
		instead(c->type.type));
}

static int check_column(const struct etl_instance *self, const struct etl_table *table,
			const struct mask_column *c, struct etl_error *err)
{
	const struct etl_column *column = etl_column_at(table, c->at);
	const struct mask_rule *rule = c->rule;
	const char *why = obstacle(table, column, rule);
	char type[64];

	if (!takes(rule, c->type.type) || why)
		self->host->at(err, table->name, c->name, NULL);
	if (!takes(rule, c->type.type))
		return self->host->fail(err, ETL_USAGE, NULL, 0,
					"mask: column \"%s\" is %s, which %s cannot mask; use %s",
					c->name, etl_type_name(c->type, type, sizeof(type)),
					method_words(rule), instead(c->type.type));
	if (why)
		return self->host->fail(err, ETL_USAGE, NULL, 0, "mask: %s: column \"%s\" %s",
					method_words(rule), c->name, why);
	if (rule->by && etl_column_find(table, rule->by) < 0)
		return etl_column_unknown(self->host, table, "mask: by", rule->by,
					  is_pattern(rule->by), err);
	return check_text(self, table, c, err);
}

/* ---- The plan ---- */

static struct mask_column *planned(const struct mask_plan *plan, size_t at)
{
	for (size_t i = 0; i < plan->count; i++)
		if (plan->at[i].at == at)
			return &plan->at[i];
	return NULL;
}

static int add(const struct etl_instance *self, const struct etl_table *table, size_t at,
	       const struct mask_rule *rule, struct mask_plan *plan, struct etl_error *err)
{
	const struct etl_column *column = etl_column_at(table, at);
	const struct mask_column *before = planned(plan, at);

	if (before && before->rule != rule) {
		self->host->at(err, table->name, column->name, NULL);
		return self->host->fail(
			err, ETL_USAGE, NULL, 0,
			"mask: two rules are about column \"%s\"; one would undo the other",
			column->name);
	}
	if (!before)
		plan->at[plan->count++] = (struct mask_column){
			.name = column->name,
			.at = at,
			.rule = rule,
			.type = { column->type, column->precision, column->scale },
		};
	return ETL_OK;
}

/* Names first: a pattern passes over what another rule names. */
static int apply(const struct etl_instance *self, const struct etl_table *table,
		 const struct mask_rule *rule, const char *name, struct mask_plan *plan,
		 struct etl_error *err)
{
	bool found = false;
	int r = ETL_OK;

	if (!is_pattern(name)) {
		int64_t at = etl_column_find(table, name);

		if (at >= 0)
			return add(self, table, (size_t)at, rule, plan, err);
		return self->ignores_unmatched ? ETL_OK :
						 etl_column_unknown(self->host, table, "mask: columns",
								    name, false, err);
	}
	for (size_t i = 0; r == ETL_OK && i < table->column_count; i++) {
		const struct etl_column *column = etl_column_at(table, i);
		const struct mask_column *before = planned(plan, i);

		if (!matches(name, column->name) || column->flags & ETL_GENERATED)
			continue;
		found = true;
		if (!before || !before->named)
			r = add(self, table, i, rule, plan, err);
	}
	if (r == ETL_OK && !found && !self->ignores_unmatched)
		r = etl_column_unknown(self->host, table, "mask: columns", name, true, err);
	return r;
}

static int apply_all(const struct etl_instance *self, const struct etl_table *table, bool patterns,
		     struct mask_plan *plan, struct etl_error *err)
{
	const struct etl_host *host = self->host;
	int r = ETL_OK;

	for (size_t i = 0; i < self->rule_count; i++) {
		const struct mask_rule *rule = &self->rules[i];

		for (size_t k = 0; r == ETL_OK && k < host->list(rule->conf, "columns"); k++) {
			const char *name = host->item(rule->conf, "columns", k);

			if (is_pattern(name) == patterns)
				r = apply(self, table, rule, name, plan, err);
		}
	}
	if (!patterns)
		for (size_t i = 0; i < plan->count; i++)
			plan->at[i].named = true;
	return r;
}

int mask_plan_make(const struct etl_instance *self, const struct etl_table *table,
		   struct mask_plan *ret, struct etl_error *err)
{
	struct mask_plan plan = { .at = calloc(table->column_count + 1, sizeof(*plan.at)) };
	int r;

	if (!plan.at)
		return self->host->fail(err, ETL_MEMORY, NULL, 0,
					"no memory for the columns of mask");
	r = apply_all(self, table, false, &plan, err);
	if (r == ETL_OK)
		r = apply_all(self, table, true, &plan, err);
	for (size_t i = 0; r == ETL_OK && i < plan.count; i++)
		r = check_column(self, table, &plan.at[i], err);
	if (r == ETL_OK)
		*ret = plan;
	else
		mask_plan_free(&plan);
	return r;
}

void mask_plan_free(struct mask_plan *plan)
{
	free(plan->at);
	*plan = (struct mask_plan){ 0 };
}
