/*
 * Transform `mask`: values of chosen columns are replaced on their way, so that a copy can be given to people
 * who may not see them. What a method makes is the same in every run, table and worker that has the same key,
 * so masked keys still find each other.
 */
#include "config.h"

#include <stdlib.h>

#include "mask.h"

static int choice(const char *words, const char *word)
{
	int n = 0;

	for (const char *at = words; at; at = strchr(at, '|'), n++) {
		at += *at == '|';
		if (strncmp(at, word, strlen(word)) == 0 &&
		    (at[strlen(word)] == '|' || !at[strlen(word)]))
			return n;
	}
	return 0;
}

#define METHODS "redact|null|hash|partial|pseudonym"
#define KINDS	"number|code|name|email|uuid|date-shift"

/* ---- Options that have to fit together ---- */

/* An option that the method does not look at would be passed over in silence. */
struct belonging {
	const char *option;
	int method, kind; /* kind -1: any */
};

static const struct belonging belongings[] = {
	{ "text", MASK_REDACT, -1 },
	{ "length", MASK_HASH, -1 },
	{ "first", MASK_PARTIAL, -1 },
	{ "last", MASK_PARTIAL, -1 },
	{ "with", MASK_PARTIAL, -1 },
	{ "kind", MASK_PSEUDONYM, -1 },
	{ "mail_domain", MASK_PSEUDONYM, KIND_EMAIL },
	{ "days", MASK_PSEUDONYM, KIND_DATE_SHIFT },
	{ "by", MASK_PSEUDONYM, KIND_DATE_SHIFT },
};

static int check_belongings(const struct etl_host *host, const struct mask_rule *rule,
			    struct etl_error *err)
{
	static const char *const methods[] = { "redact", "null", "hash", "partial", "pseudonym" };
	static const char *const kinds[] = {
		"number", "code", "name", "email", "uuid", "date-shift"
	};

	for (size_t i = 0; i < sizeof(belongings) / sizeof(belongings[0]); i++) {
		const struct belonging *b = &belongings[i];

		if (!host->given(rule->conf, b->option) ||
		    (b->method == rule->method && (b->kind < 0 || b->kind == rule->kind)))
			continue;
		if (b->kind < 0)
			return host->fail(err, ETL_USAGE, NULL, 0,
					  "mask: `%s` belongs to method = \"%s\", not to \"%s\"",
					  b->option, methods[b->method], methods[rule->method]);
		return host->fail(err, ETL_USAGE, NULL, 0, "mask: `%s` belongs to kind = \"%s\"",
				  b->option, kinds[b->kind]);
	}
	return ETL_OK;
}

static bool is_domain(const char *text)
{
	size_t length = strlen(text);

	for (const char *at = text; *at; at++)
		if (!((*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') ||
		      (*at >= '0' && *at <= '9') || *at == '-' || (*at == '.' && at[1] != '.')))
			return false;
	return length > 0 && length <= 200 && text[0] != '.' && text[length - 1] != '.';
}

/* One character, whatever its bytes. */
static bool is_character(const char *text)
{
	size_t length = strlen(text), further = 0;

	for (size_t i = 1; i < length; i++)
		further += ((uint8_t)text[i] & 0xc0) == 0x80;
	return length > 0 && further == length - 1 && etl_utf8_valid(text, length) == length;
}

static int check_values(const struct etl_host *host, const struct mask_rule *rule,
			struct etl_error *err)
{
	if (rule->method == MASK_PSEUDONYM && !host->given(rule->conf, "kind"))
		return host->fail(
			err, ETL_USAGE, NULL, 0,
			"mask: method = \"pseudonym\" needs kind = \"number\", \"code\", \"name\", "
			"\"email\", \"uuid\" or \"date-shift\"");
	if (!is_domain(rule->mail_domain))
		return host->fail(err, ETL_USAGE, NULL, 0,
				  "mask: mail_domain: \"%s\" is no domain name", rule->mail_domain);
	if (!is_character(rule->with))
		return host->fail(err, ETL_USAGE, NULL, 0,
				  "mask: with: \"%s\" is not one character", rule->with);
	if (rule->length % 2)
		return host->fail(err, ETL_USAGE, NULL, 0,
				  "mask: length: %lld is odd; a byte is two hexadecimal digits",
				  (long long)rule->length);
	if (rule->masks_nulls && rule->method != MASK_REDACT)
		return host->fail(err, ETL_USAGE, NULL, 0,
				  "mask: nulls = \"mask\" belongs to method = \"redact\": there is "
				  "nothing in a "
				  "NULL to make another value of");
	return check_belongings(host, rule, err);
}

/* ---- Opening ---- */

static bool is_keyed(const struct mask_rule *rule)
{
	return rule->method == MASK_HASH || rule->method == MASK_PSEUDONYM;
}

static int take_key(const struct etl_instance *self, struct mask_rule *rule, struct etl_error *err)
{
	const char *key = self->host->str(self->conf, "key");

	if (!key)
		return self->host->fail(
			err, ETL_USAGE, NULL, 0,
			"mask: this method needs a `key` of at least %d bytes, kept where the "
			"masked data is not: key = \"${file:mask.key}\"; one is made by: openssl "
			"rand -hex 32",
			MASK_KEY_LEAST);
	if (strlen(key) < MASK_KEY_LEAST)
		return self->host->fail(
			err, ETL_USAGE, NULL, 0,
			"mask: the key has %zu bytes, at least %d are needed: who guesses it "
			"can undo the mask; a good one is made by: openssl rand -hex 32",
			strlen(key), MASK_KEY_LEAST);
	mask_key_set(rule, key);
	return ETL_OK;
}

static int read_rule(struct etl_instance *self, const struct etl_conf *conf, struct mask_rule *rule,
		     struct etl_error *err)
{
	const struct etl_host *host = self->host;
	const char *kind = host->str(conf, "kind");
	int r;

	*rule = (struct mask_rule){
		.conf = conf,
		.method = choice(METHODS, host->str(conf, "method")),
		.kind = kind ? choice(KINDS, kind) : KIND_NUMBER,
		.text = host->str(conf, "text"),
		.with = host->str(conf, "with"),
		.mail_domain = host->str(conf, "mail_domain"),
		.by = host->str(conf, "by"),
		.domain = host->str(conf, "domain"),
		.length = host->num(conf, "length"),
		.first = host->num(conf, "first"),
		.last = host->num(conf, "last"),
		.days = host->num(conf, "days"),
		.masks_nulls = strcmp(host->str(conf, "nulls"), "mask") == 0,
	};
	r = check_values(host, rule, err);
	return r == ETL_OK && is_keyed(rule) ? take_key(self, rule, err) : r;
}

/* The plugin's own group is a rule too, when it names columns. */
static int read_rules(struct etl_instance *self, struct etl_error *err)
{
	const struct etl_host *host = self->host;
	size_t count = host->list(self->conf, "rules");
	int r = ETL_OK;

	self->rules = calloc(count + 1, sizeof(*self->rules));
	if (!self->rules)
		return host->fail(err, ETL_MEMORY, NULL, 0, "no memory for the rules of mask");
	if (host->list(self->conf, "columns") > 0)
		r = read_rule(self, self->conf, &self->rules[self->rule_count++], err);
	for (size_t i = 0; r == ETL_OK && i < count; i++)
		r = read_rule(self, host->sub(self->conf, "rules", i),
			      &self->rules[self->rule_count++], err);
	if (r == ETL_OK && self->rule_count == 0)
		r = host->fail(err, ETL_USAGE, NULL, 0,
			       "mask: nothing to mask: give `columns`, or `rules`");
	return r;
}

static void mask_close(struct etl_instance *self)
{
	if (!self)
		return;
	if (self->rules)
		explicit_bzero(self->rules, self->rule_count * sizeof(*self->rules));
	free(self->rules);
	free(self);
}

static int mask_open(const struct etl_host *host, const struct etl_conf *conf,
		     struct etl_instance **ret, struct etl_error *err)
{
	struct etl_instance *self = calloc(1, sizeof(*self));
	int r;

	if (!self)
		return host->fail(err, ETL_MEMORY, NULL, 0, "no memory for the transform");
	self->host = host;
	self->conf = conf;
	self->ignores_unmatched = strcmp(host->str(conf, "unmatched"), "ignore") == 0;
	r = read_rules(self, err);
	if (r == ETL_OK)
		*ret = self;
	else
		mask_close(self);
	return r;
}

/* The shape stays; what cannot be masked is found here. */
static int mask_derive(struct etl_instance *self, const struct etl_table *in,
		       struct etl_table_sink *sink, struct etl_error *err)
{
	struct etl_column *columns = calloc(in->column_count + 1, sizeof(*columns));
	struct etl_table out = *in;
	struct mask_plan plan = { 0 };
	int r = columns ? mask_plan_make(self, in, &plan, err) :
			  self->host->fail(err, ETL_MEMORY, NULL, 0,
					   "no memory for the columns of mask");

	for (size_t i = 0; r == ETL_OK && i < in->column_count; i++)
		columns[i] = *ETL_AT(const struct etl_column, in->columns, in->column_size, i);
	for (size_t i = 0; i < plan.count; i++)
		columns[plan.at[i].at].flags |= ETL_REMADE;
	out.columns = columns;
	out.column_size = sizeof(*columns);
	if (r == ETL_OK)
		r = sink->emit(sink, &out);
	mask_plan_free(&plan);
	free(columns);
	return r;
}

/* ---- The tables ---- */

static const struct etl_transform mask_transform = {
	.size = sizeof(struct etl_transform),
	.flags = ETL_REPEATS,
	.rows = ETL_ROWS_SAME,
	.wrap = mask_wrap,
	.derive = mask_derive,
};

/* What a rule may say, in the plugin's own group and in one of `rules`. */
#define RULE_OPTIONS                                                                               \
	{ .name = "method",                                                                        \
	  .kind = ETL_OPT_CHOICE,                                                                  \
	  .default_text = "redact",                                                                \
	  .choices = METHODS,                                                                      \
	  .help = "What becomes of a value; see METHODS." },                                       \
		{ .name = "text",                                                                  \
		  .kind = ETL_OPT_TEXT,                                                            \
		  .default_text = "***",                                                           \
		  .help = "redact: what every value becomes, written in the column's type." },     \
		{ .name = "nulls",                                                                 \
		  .kind = ETL_OPT_CHOICE,                                                          \
		  .default_text = "keep",                                                          \
		  .choices = "keep|mask",                                                          \
		  .help = "Whether NULL stays NULL, or becomes the text of redact." },             \
		{ .name = "length",                                                                \
		  .kind = ETL_OPT_INT,                                                             \
		  .default_text = "32",                                                            \
		  .min = 8,                                                                        \
		  .max = 64,                                                                       \
		  .help = "hash: hexadecimal digits, four bits each; an even number." },           \
		{ .name = "first",                                                                 \
		  .kind = ETL_OPT_INT,                                                             \
		  .default_text = "0",                                                             \
		  .min = 0,                                                                        \
		  .max = 1000,                                                                     \
		  .help = "partial: characters at the start that are shown." },                    \
		{ .name = "last",                                                                  \
		  .kind = ETL_OPT_INT,                                                             \
		  .default_text = "4",                                                             \
		  .min = 0,                                                                        \
		  .max = 1000,                                                                     \
		  .help = "partial: characters at the end that are shown." },                      \
		{ .name = "with",                                                                  \
		  .kind = ETL_OPT_TEXT,                                                            \
		  .default_text = "*",                                                             \
		  .help = "partial: the character that stands for each one that is not shown." },  \
		{ .name = "kind",                                                                  \
		  .kind = ETL_OPT_CHOICE,                                                          \
		  .choices = KINDS,                                                                \
		  .help = "pseudonym: what it looks like; see PSEUDONYMS." },                      \
		{ .name = "mail_domain",                                                           \
		  .kind = ETL_OPT_TEXT,                                                            \
		  .default_text = "mail.invalid",                                                  \
		  .help = "email: what stands behind the @; mail to .invalid goes nowhere." },     \
		{ .name = "days",                                                                  \
		  .kind = ETL_OPT_INT,                                                             \
		  .default_text = "365",                                                           \
		  .min = 1,                                                                        \
		  .max = 36500,                                                                    \
		  .help = "date-shift: the most days, back or forth." },                           \
		{ .name = "by",                                                                    \
		  .kind = ETL_OPT_TEXT,                                                            \
		  .help = "date-shift: a column; dates with the same value there move by the "     \
			  "same "                                                                  \
			  "days. Default: the date itself decides." },                             \
	{                                                                                          \
		.name = "domain", .kind = ETL_OPT_TEXT, .default_text = "",                        \
		.help = "hash, pseudonym: values masked in different domains cannot be matched; "  \
			"in "                                                                      \
			"the same one they can, from any column and table."                        \
	}

static const struct etl_option rule_members[] = {
	{ .name = "columns",
	  .kind = ETL_OPT_LIST,
	  .flags = ETL_OPT_REQUIRED,
	  .help = "The columns: names and patterns with * and ?, in any case." },
	RULE_OPTIONS,
	{ .name = NULL },
};

static const struct etl_option mask_options[] = {
	{ .name = "key",
	  .kind = ETL_OPT_SECRET,
	  .help = "For hash and pseudonym: at least 16 bytes that nobody can guess." },
	{ .name = "columns",
	  .kind = ETL_OPT_LIST,
	  .help = "The columns that the keys below are about: names and patterns with * and ?, in "
		  "any case." },
	RULE_OPTIONS,
	{ .name = "unmatched",
	  .kind = ETL_OPT_CHOICE,
	  .default_text = "error",
	  .choices = "error|ignore",
	  .help = "What a name or pattern is that no column of the table has." },
	{ .name = "rules",
	  .kind = ETL_OPT_GROUPS,
	  .members = rule_members,
	  .help = "More columns, with keys of their own." },
	{ .name = NULL },
};

static const struct etl_plugin mask_plugin = {
	.abi = ETL_ABI,
	.size = sizeof(struct etl_plugin),
	.option_size = sizeof(struct etl_option),
	.name = "mask",
	.version = PACKAGE_VERSION,
	.summary = "hides values: redacted, hashed, in part, or as stable pseudonyms",
	.license = "MIT",
	.options = mask_options,
	.open = mask_open,
	.close = mask_close,
	.transform = &mask_transform,
};

ETL_PLUGIN(mask, mask_plugin)
