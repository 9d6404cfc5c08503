/*
 * One value against one test of its own row, and the sentence that says why it does not pass. The sentence is
 * made only then, so that what is right costs nothing but the comparison.
 */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>

#include "rules.h"

#define SHOWN_BYTES 60 /* of a value, in a sentence */

static void shorten(struct etl_text *text, size_t from, size_t most)
{
	if (text->failed || text->length - from <= most)
		return;
	text->length = from + etl_utf8_valid(text->at + from, most);
	text->at[text->length] = '\0';
	etl_text_add(text, "…");
}

/* A value for a person. */
static void add_value(struct etl_text *text, const struct etl_column_view *column, int64_t row)
{
	size_t from = text->length;

	etl_text_add_value(text, column, row);
	shorten(text, from, SHOWN_BYTES);
}

static bool is_text(const struct value *v)
{
	return v->form == FORM_TEXT || v->form == FORM_NUMERIC || v->form == FORM_JSON;
}

/* ---- Range ---- */

static int broken(struct etl_text *why, const struct rules_test *t)
{
	static const char *const kinds[] = { "number", "date or timestamp", "time of day", "text" };

	etl_text_addf(why, " is no %s, and `%s` wants one",
		      kinds[t->has_min ? t->min.kind : t->max.kind], t->has_min ? "min" : "max");
	return 0;
}

static int test_range(const struct rules_test *t, const struct value *v, struct etl_text *why)
{
	int order = 0;

	if (t->has_min) {
		if (!rules_bound_compare(v, &t->min, &order))
			return broken(why, t);
		if (order < 0) {
			etl_text_addf(why, " is below min = \"%s\"", t->min.text);
			return 0;
		}
	}
	if (t->has_max) {
		if (!rules_bound_compare(v, &t->max, &order))
			return broken(why, t);
		if (order > 0) {
			etl_text_addf(why, " is above max = \"%s\"", t->max.text);
			return 0;
		}
	}
	return 1;
}

/* ---- Length ---- */

/* Characters; what is no UTF-8 counts by its bytes. */
static int64_t count_characters(const uint8_t *bytes, size_t size)
{
	int64_t n = 0;

	for (size_t i = 0; i < size; i++)
		n += (bytes[i] & 0xc0) != 0x80;
	return etl_utf8_valid(bytes, size) == size ? n : (int64_t)size;
}

static int test_length(const struct rules_test *t, const struct value *v, struct etl_text *why)
{
	const struct rules_rule *rule = t->rule;
	char spelled[SPELL_MAX];
	const char *unit = v->form == FORM_BYTES ? "byte" : "character";
	int64_t length = v->form == FORM_BYTES ? v->size :
			 is_text(v)	       ? count_characters(v->bytes, (size_t)v->size) :
						 (int64_t)etl_value_spell(spelled, v);

	if (rule->min_length >= 0 && length < rule->min_length) {
		etl_text_addf(why, " has %" PRId64 " %s%s, fewer than min_length = %" PRId64,
			      length, unit, length == 1 ? "" : "s", rule->min_length);
		return 0;
	}
	if (rule->max_length >= 0 && length > rule->max_length) {
		etl_text_addf(why, " has %" PRId64 " %s%s, more than max_length = %" PRId64, length,
			      unit, length == 1 ? "" : "s", rule->max_length);
		return 0;
	}
	return 1;
}

/* ---- Regex ---- */

static int gave_up(int code, const struct rules_test *t, struct etl_text *why)
{
	PCRE2_UCHAR words[128] = "";

	pcre2_get_error_message(code, words, sizeof(words));
	etl_text_addf(
		why,
		": the regex \"%s\" gave up: %s; it tries too many ways to match, write it so that "
		"no two parts of it can match the same text",
		t->rule->regex, (const char *)words);
	return ETL_FAILED;
}

static int test_regex(const struct etl_instance *self, const struct rules_test *t,
		      const struct value *v, struct etl_text *why)
{
	char spelled[SPELL_MAX];
	const uint8_t *text = is_text(v) ? v->bytes : (const uint8_t *)spelled;
	size_t size = is_text(v) ? (size_t)v->size : etl_value_spell(spelled, v);
	int found;

	if (v->form == FORM_BYTES) {
		etl_text_add(why, " is a BLOB, which no regex matches");
		return 0;
	}
	if (!v->trusted && etl_utf8_valid(text, size) != size) {
		etl_text_add(why, " is no UTF-8, which no regex matches");
		return 0;
	}
	found = pcre2_match(t->rule->code, text, size, 0, PCRE2_NO_UTF_CHECK, self->match,
			    self->limits);
	if (found >= 0)
		return 1;
	if (found != PCRE2_ERROR_NOMATCH)
		return gave_up(found, t, why);
	etl_text_addf(why, " does not match the regex \"%s\"", t->rule->regex);
	return 0;
}

/* ---- One of ---- */

struct needle {
	const uint8_t *bytes;
	size_t size;
};

static int compare_word(const void *a, const void *b)
{
	const struct needle *needle = a;
	const char *word = *(const char *const *)b;
	size_t length = strlen(word);
	int order = memcmp(needle->bytes, word, needle->size < length ? needle->size : length);

	return order != 0 ? order : (needle->size > length) - (needle->size < length);
}

/* A number is one of the words when it is the same number: 1 is "1.0". */
static bool is_number_of(const struct rules_rule *rule, const struct value *v)
{
	for (size_t i = 0; i < rule->word_count; i++) {
		struct rules_bound word;
		int order = 1;

		if (rules_bound_make(rule->words[i], ETL_NUMERIC, &word) &&
		    rules_bound_compare(v, &word, &order) && order == 0)
			return true;
	}
	return false;
}

static bool is_word_of(const struct rules_rule *rule, const struct value *v)
{
	char spelled[SPELL_MAX];
	struct needle needle = { v->bytes, (size_t)v->size };

	if (!is_text(v)) {
		needle.bytes = (const uint8_t *)spelled;
		needle.size = etl_value_spell(spelled, v);
	}
	return bsearch(&needle, rule->words, rule->word_count, sizeof(*rule->words),
		       compare_word) != NULL;
}

static int test_one_of(const struct rules_test *t, const struct value *v, struct etl_text *why)
{
	bool number = v->form != FORM_BOOL && v->form <= FORM_NUMERIC;

	if (v->form != FORM_BYTES &&
	    (is_word_of(t->rule, v) || (number && is_number_of(t->rule, v))))
		return 1;
	etl_text_add(why, " is none of ");
	for (size_t i = 0; i < t->rule->word_count && i < 8; i++)
		etl_text_addf(why, "%s\"%s\"", i > 0 ? ", " : "", t->rule->words[i]);
	if (t->rule->word_count > 8)
		etl_text_addf(why, " and %zu more", t->rule->word_count - 8);
	return 0;
}

int rules_test_value(const struct etl_instance *self, const struct rules_test *t,
		     const struct value *v, struct etl_text *why)
{
	switch (t->kind) {
	case RULES_RANGE:
		return test_range(t, v, why);
	case RULES_LENGTH:
		return test_length(t, v, why);
	case RULES_REGEX:
		return test_regex(self, t, v, why);
	case RULES_ONE_OF:
		return test_one_of(t, v, why);
	default:
		return 1;
	}
}

static void add_rule(struct etl_text *why, const struct rules_test *t)
{
	if (t->rule->name)
		etl_text_addf(why, " (rule \"%s\")", t->rule->name);
}

void rules_say_key(struct etl_text *why, const struct rules_test *t, const struct etl_view *view,
		   int64_t row, const char *words)
{
	etl_text_addf(why, "column%s %s: the value%s ", t->column_count == 1 ? "" : "s", t->names,
		      t->column_count == 1 ? "" : "s");
	for (size_t i = 0; i < t->column_count; i++) {
		etl_text_add(why, i > 0 ? ", " : "");
		add_value(why, &view->columns[t->at[i]], row);
	}
	etl_text_add(why, words);
	add_rule(why, t);
}

const char *rules_earlier(const struct rules_test *t)
{
	return t->column_count == 1 ? " is in an earlier row" : " are in an earlier row together";
}

const char *rules_missing(const struct rules_test *t)
{
	return t->column_count == 1 ? " is not there in the table it refers to" :
				      " are not there together in the table they refer to";
}

int rules_test_row(const struct etl_instance *self, const struct rules_test *t,
		   const struct etl_view *view, int64_t row, struct etl_text *why)
{
	const struct etl_column_view *column = &view->columns[t->at[0]];
	struct etl_text what = { 0 };
	struct value v;
	int r = 1;

	if (etl_is_null(column, row)) {
		if (t->kind != RULES_NOT_NULL)
			return 1;
		etl_text_addf(why, "column %s is NULL", t->names);
		add_rule(why, t);
		return 0;
	}
	if (t->kind == RULES_NOT_NULL)
		return 1;
	if (etl_value_read(&v, column, row))
		r = rules_test_value(self, t, &v, &what);
	if (r != 1)
		rules_say_key(why, t, view, row,
			      what.failed || !what.at ? " breaks a rule" : what.at);
	etl_text_free(&what);
	return r;
}
