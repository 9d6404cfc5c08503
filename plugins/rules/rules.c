/*
 * Validator `rules`: what must hold of each row, written down in the pipeline. A rule that rejects looks at the
 * rows on their way; one that warns or fails the table looks at what will be published, when all of it is there;
 * and a reference is looked for by the target when every table is staged.
 */
#include "config.h"

#include <stdlib.h>

#include "rules.h"

/* Steps a regex may take with one value before it gives up: far more than any sane pattern needs. */
#define MATCH_STEPS	1000000
#define MATCH_DEPTH	100000
#define MATCH_KIBIBYTES 32768

/* ---- Reading the rules ---- */

static int no_memory(const struct etl_instance *self, struct etl_error *err)
{
	return self->host->fail(err, ETL_MEMORY, NULL, 0, "no memory for the rules");
}

static int severity_of(const char *word)
{
	return strcmp(word, "warn") == 0 ? RULES_WARN :
	       strcmp(word, "fail") == 0 ? RULES_FAIL :
					   RULES_REJECT;
}

static const char **items_of(const struct etl_host *host, const struct etl_conf *conf,
			     const char *option, size_t *ret_count)
{
	size_t count = host->list(conf, option);
	const char **items = calloc(count + 1, sizeof(*items));

	for (size_t i = 0; items && i < count; i++)
		items[i] = host->item(conf, option, i);
	*ret_count = items ? count : 0;
	return items;
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static const char *first_column(const struct rules_rule *rule)
{
	return rule->column_count ? rule->columns[0] : "";
}

/* The whole value has to match: `^` and `$` need not be written. */
static int compile(struct etl_instance *self, struct rules_rule *rule, struct etl_error *err)
{
	PCRE2_UCHAR words[256] = "";
	PCRE2_SIZE offset = 0;
	int code = 0;

	rule->code = pcre2_compile((PCRE2_SPTR)rule->regex, PCRE2_ZERO_TERMINATED,
				   PCRE2_UTF | PCRE2_UCP | PCRE2_ANCHORED | PCRE2_ENDANCHORED |
					   PCRE2_NEVER_BACKSLASH_C,
				   &code, &offset, NULL);
	if (!rule->code) {
		pcre2_get_error_message(code, words, sizeof(words));
		self->host->at(err, NULL, first_column(rule), NULL);
		return self->host->fail(
			err, code == PCRE2_ERROR_HEAP_FAILED ? ETL_MEMORY : ETL_USAGE, NULL, code,
			"rules: the regex \"%s\" is wrong at character %zu: %s", rule->regex,
			(size_t)offset + 1, (const char *)words);
	}
	/* Only faster: without it the pattern is interpreted. */
	pcre2_jit_compile(rule->code, PCRE2_JIT_COMPLETE);
	return ETL_OK;
}

static int read_parent(struct etl_instance *self, const struct etl_conf *conf,
		       struct rules_rule *rule, struct etl_error *err)
{
	const struct etl_conf *group = self->host->sub(conf, "references", 0);

	if (!group)
		return ETL_OK;
	rule->parent = self->host->str(group, "table");
	rule->parent_columns = items_of(self->host, group, "columns", &rule->parent_count);
	if (!rule->parent_columns)
		return no_memory(self, err);
	if (rule->parent_count && rule->parent_count != rule->column_count)
		return self->host->fail(
			err, ETL_USAGE, NULL, 0,
			"rules: references: %zu column%s of \"%s\" cannot be compared with %zu",
			rule->parent_count, rule->parent_count == 1 ? "" : "s", rule->parent,
			rule->column_count);
	return ETL_OK;
}

static int check_rule(const struct etl_instance *self, const struct rules_rule *rule,
		      struct etl_error *err)
{
	const struct etl_host *host = self->host;

	if (rule->column_count == 0)
		return host->fail(err, ETL_USAGE, NULL, 0,
				  "rules: a rule needs `column` or `columns`");
	if (!rule->not_null && !rule->unique && !rule->min && !rule->max && rule->min_length < 0 &&
	    rule->max_length < 0 && !rule->regex && !rule->words && !rule->parent)
		return host->fail(err, ETL_USAGE, NULL, 0,
				  "rules: the rule for \"%s\" asks for nothing; give it not_null, "
				  "unique, min, "
				  "max, min_length, max_length, regex, one_of or references",
				  first_column(rule));
	if (rule->min_length >= 0 && rule->max_length >= 0 && rule->min_length > rule->max_length)
		return host->fail(err, ETL_USAGE, NULL, 0,
				  "rules: the rule for \"%s\": min_length is above max_length",
				  first_column(rule));
	if (rule->nulls_equal && !rule->unique)
		return host->fail(err, ETL_USAGE, NULL, 0,
				  "rules: the rule for \"%s\": nulls_equal belongs to unique",
				  first_column(rule));
	return ETL_OK;
}

static int read_columns(struct etl_instance *self, const struct etl_conf *conf,
			struct rules_rule *rule, struct etl_error *err)
{
	const char *column = self->host->str(conf, "column");

	rule->columns = items_of(self->host, conf, "columns", &rule->column_count);
	if (!rule->columns)
		return no_memory(self, err);
	if (column && rule->column_count)
		return self->host->fail(
			err, ETL_USAGE, NULL, 0,
			"rules: `column` and `columns` in one rule; give one of them");
	if (column) {
		rule->columns[0] = column;
		rule->column_count = 1;
	}
	return ETL_OK;
}

static int read_words(struct etl_instance *self, const struct etl_conf *conf,
		      struct rules_rule *rule, struct etl_error *err)
{
	if (self->host->list(conf, "one_of") == 0)
		return ETL_OK;
	rule->words = items_of(self->host, conf, "one_of", &rule->word_count);
	if (!rule->words)
		return no_memory(self, err);
	qsort(rule->words, rule->word_count, sizeof(*rule->words), compare_texts);
	return ETL_OK;
}

static int read_rule(struct etl_instance *self, const struct etl_conf *conf,
		     struct rules_rule *rule, struct etl_error *err)
{
	const struct etl_host *host = self->host;
	const char *severity = host->str(conf, "severity");
	int r;

	*rule = (struct rules_rule){
		.conf = conf,
		.name = host->str(conf, "name"),
		.severity = severity_of(severity ? severity : host->str(self->conf, "severity")),
		.not_null = host->flag(conf, "not_null"),
		.unique = host->flag(conf, "unique"),
		.nulls_equal = host->flag(conf, "nulls_equal"),
		.min = host->str(conf, "min"),
		.max = host->str(conf, "max"),
		.min_length = host->given(conf, "min_length") ? host->num(conf, "min_length") : -1,
		.max_length = host->given(conf, "max_length") ? host->num(conf, "max_length") : -1,
		.regex = host->str(conf, "regex"),
	};
	r = read_columns(self, conf, rule, err);
	if (r == ETL_OK)
		r = read_words(self, conf, rule, err);
	if (r == ETL_OK)
		r = read_parent(self, conf, rule, err);
	if (r == ETL_OK)
		r = check_rule(self, rule, err);
	return r == ETL_OK && rule->regex ? compile(self, rule, err) : r;
}

/* The lists of the plugin's own group: each column by itself. */
static int read_list(struct etl_instance *self, const char *option, struct etl_error *err)
{
	const struct etl_host *host = self->host;
	bool unique = strcmp(option, "unique") == 0;

	for (size_t i = 0; i < host->list(self->conf, option); i++) {
		struct rules_rule *rule = &self->rules[self->rule_count++];

		*rule = (struct rules_rule){ .severity = severity_of(
						     host->str(self->conf, "severity")),
					     .columns = calloc(1, sizeof(*rule->columns)),
					     .column_count = 1,
					     .not_null = !unique,
					     .unique = unique,
					     .min_length = -1,
					     .max_length = -1 };
		if (!rule->columns)
			return no_memory(self, err);
		rule->columns[0] = host->item(self->conf, option, i);
	}
	return ETL_OK;
}

static int read_rules(struct etl_instance *self, struct etl_error *err)
{
	const struct etl_host *host = self->host;
	size_t groups = host->list(self->conf, "rules"),
	       count = groups + host->list(self->conf, "not_null") +
		       host->list(self->conf, "unique");
	int r;

	self->rules = calloc(count + 1, sizeof(*self->rules));
	if (!self->rules)
		return no_memory(self, err);
	r = read_list(self, "not_null", err);
	if (r == ETL_OK)
		r = read_list(self, "unique", err);
	for (size_t i = 0; r == ETL_OK && i < groups; i++)
		r = read_rule(self, host->sub(self->conf, "rules", i),
			      &self->rules[self->rule_count++], err);
	if (r == ETL_OK && count == 0)
		r = host->fail(err, ETL_USAGE, NULL, 0,
			       "rules: there is no rule: give not_null, unique or rules");
	return r;
}

/* ---- Opening ---- */

static int make_match(struct etl_instance *self, struct etl_error *err)
{
	bool wanted = false;

	for (size_t i = 0; i < self->rule_count; i++)
		wanted |= self->rules[i].code != NULL;
	if (!wanted)
		return ETL_OK;
	self->match = pcre2_match_data_create(1, NULL);
	self->limits = pcre2_match_context_create(NULL);
	if (!self->match || !self->limits)
		return no_memory(self, err);
	pcre2_set_match_limit(self->limits, MATCH_STEPS);
	pcre2_set_depth_limit(self->limits, MATCH_DEPTH);
	pcre2_set_heap_limit(self->limits, MATCH_KIBIBYTES);
	return ETL_OK;
}

static void rules_close(struct etl_instance *self)
{
	if (!self)
		return;
	for (size_t i = 0; i < self->rule_count; i++) {
		pcre2_code_free(self->rules[i].code);
		free(self->rules[i].columns);
		free(self->rules[i].words);
		free(self->rules[i].parent_columns);
	}
	pcre2_match_data_free(self->match);
	pcre2_match_context_free(self->limits);
	free(self->rules);
	free(self);
}

static int rules_open(const struct etl_host *host, const struct etl_conf *conf,
		      struct etl_instance **ret, struct etl_error *err)
{
	struct etl_instance *self = calloc(1, sizeof(*self));
	int r;

	if (!self)
		return host->fail(err, ETL_MEMORY, NULL, 0, "no memory for the validator");
	self->host = host;
	self->conf = conf;
	self->ignores_unmatched = strcmp(host->str(conf, "unmatched"), "ignore") == 0;
	r = read_rules(self, err);
	if (r == ETL_OK)
		r = make_match(self, err);
	if (r == ETL_OK)
		*ret = self;
	else
		rules_close(self);
	return r;
}

/* The earlier of two rows stays, so they have to come in their order. */
static int rules_whole(struct etl_instance *self)
{
	for (size_t i = 0; i < self->rule_count; i++)
		if (self->rules[i].unique && self->rules[i].severity == RULES_REJECT)
			return 1;
	return 0;
}

/* ---- Before any row moves ---- */

static int emit_reference(const struct etl_instance *self, const struct etl_table *table,
			  const struct rules_test *t, struct etl_reference_sink *sink,
			  struct etl_error *err)
{
	const char **columns = calloc(t->column_count, sizeof(*columns));
	struct etl_foreign_key reference = {
		.name = t->rule->name,
		.columns = columns,
		.column_count = t->column_count,
		.parent = t->rule->parent,
		.parent_columns = t->rule->parent_count ? t->rule->parent_columns : NULL,
	};
	int r;

	if (!columns)
		return no_memory(self, err);
	for (size_t i = 0; i < t->column_count; i++)
		columns[i] = ETL_AT(const struct etl_column, table->columns, table->column_size,
				    t->columns[i])
				     ->name;
	r = sink->emit(sink, &reference, t->rule->severity == RULES_REJECT);
	free(columns);
	return r;
}

static int rules_inspect(struct etl_instance *self, const struct etl_table *table,
			 struct etl_reference_sink *sink, struct etl_error *err)
{
	struct rules_plan plan = { 0 };
	int r = rules_plan_make(self, table, &plan, err);

	for (size_t i = 0; r == ETL_OK && i < plan.count; i++)
		if (plan.at[i].kind == RULES_REFERENCES)
			r = emit_reference(self, table, &plan.at[i], sink, err);
	rules_plan_free(&plan);
	return r;
}

/* ---- The tables ---- */

static const struct etl_validator rules_validator = {
	.size = sizeof(struct etl_validator),
	.wrap = rules_wrap,
	.check = rules_check,
	.whole = rules_whole,
	.inspect = rules_inspect,
};

static const struct etl_option reference_members[] = {
	{ .name = "table",
	  .kind = ETL_OPT_TEXT,
	  .flags = ETL_OPT_REQUIRED,
	  .help = "A table of the target, of this run or there already." },
	{ .name = "columns",
	  .kind = ETL_OPT_LIST,
	  .help = "Its columns, in the order of the rule's. Default: its primary key." },
	{ .name = NULL },
};

static const struct etl_option rule_members[] = {
	{ .name = "column", .kind = ETL_OPT_TEXT, .help = "The column the rule is about." },
	{ .name = "columns",
	  .kind = ETL_OPT_LIST,
	  .help = "Or several: each by itself, but unique and references take them together." },
	{ .name = "name",
	  .kind = ETL_OPT_TEXT,
	  .help = "What the rule is called in messages and rejects." },
	{ .name = "severity",
	  .kind = ETL_OPT_CHOICE,
	  .choices = "reject|warn|fail",
	  .help = "What becomes of a row that breaks it. Default: that of the plugin's own "
		  "group." },
	{ .name = "not_null",
	  .kind = ETL_OPT_FLAG,
	  .default_text = "false",
	  .help = "NULL breaks it." },
	{ .name = "unique",
	  .kind = ETL_OPT_FLAG,
	  .default_text = "false",
	  .help = "A value that an earlier row has breaks it." },
	{ .name = "nulls_equal",
	  .kind = ETL_OPT_FLAG,
	  .default_text = "false",
	  .help = "unique: two NULLs are equal. Default: a row with a NULL has no equal." },
	{ .name = "min",
	  .kind = ETL_OPT_TEXT,
	  .help = "The smallest value, written in the column's type." },
	{ .name = "max", .kind = ETL_OPT_TEXT, .help = "The largest value." },
	{ .name = "min_length",
	  .kind = ETL_OPT_INT,
	  .min = 0,
	  .max = INT64_MAX,
	  .help = "The fewest characters of a text, or bytes of a BLOB." },
	{ .name = "max_length",
	  .kind = ETL_OPT_INT,
	  .min = 0,
	  .max = INT64_MAX,
	  .help = "The most of them." },
	{ .name = "regex",
	  .kind = ETL_OPT_TEXT,
	  .help = "A regular expression of PCRE2 that the whole value matches." },
	{ .name = "one_of", .kind = ETL_OPT_LIST, .help = "The values there may be." },
	{ .name = "references",
	  .kind = ETL_OPT_GROUP,
	  .members = reference_members,
	  .help = "The values are there in another table." },
	{ .name = NULL },
};

static const struct etl_option rules_options[] = {
	{ .name = "not_null",
	  .kind = ETL_OPT_LIST,
	  .help = "Columns in which NULL breaks a rule." },
	{ .name = "unique",
	  .kind = ETL_OPT_LIST,
	  .help = "Columns, each by itself, in which a value may be once." },
	{ .name = "severity",
	  .kind = ETL_OPT_CHOICE,
	  .default_text = "reject",
	  .choices = "reject|warn|fail",
	  .help = "What becomes of a row that breaks a rule: it is rejected; or it is published "
		  "and reported; "
		  "or the table fails." },
	{ .name = "unmatched",
	  .kind = ETL_OPT_CHOICE,
	  .default_text = "error",
	  .choices = "error|ignore",
	  .help = "What a rule is about a column that the table does not have." },
	{ .name = "rules",
	  .kind = ETL_OPT_GROUPS,
	  .members = rule_members,
	  .help = "The other rules." },
	{ .name = NULL },
};

static const struct etl_plugin rules_plugin = {
	.abi = ETL_ABI,
	.size = sizeof(struct etl_plugin),
	.option_size = sizeof(struct etl_option),
	.name = "rules",
	.version = PACKAGE_VERSION,
	.summary = "what must hold of each row: not null, unique, range, length, regex, one of, "
		   "references",
	.license = "MIT",
	.options = rules_options,
	.open = rules_open,
	.close = rules_close,
	.validator = &rules_validator,
};

ETL_PLUGIN(rules, rules_plugin)
