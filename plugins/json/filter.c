/*
 * The filters: their table, their arguments, and those that look at one value and nothing else.
 */
#include "config.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "filter.h"
#include "number.h"

enum argument { ARG_NONE, ARG_NUMBER, ARG_DURATION, ARG_TEXT, ARG_TEXTS, ARG_REPLACE };

struct filter_kind {
	const char *name;
	enum argument argument;
	const char *(*apply)(const struct filter *, struct json_value *, struct work *);
	bool takes_nothing;     /* also absent values and nulls come to it */
};

static bool is_value(const struct json_value *v)
{
	return v->state != VALUE_ABSENT && v->state != VALUE_NULL;
}

static const char *nothing(struct json_value *v)
{
	v->state = VALUE_ABSENT;
	return NULL;
}

static const char *as_text(struct json_value *v, const char *text, size_t size)
{
	*v = (struct json_value){ .state = VALUE_TEXT, .text = text, .size = size };
	return NULL;
}

/* ---- Kinds ----------------------------------------------------------------------------------------------- */

static const char *keep_number(const struct filter *f, struct json_value *v, struct work *w)
{
	(void)f;
	(void)w;
	return v->state == VALUE_NUMBER ? NULL : nothing(v);
}

static const char *keep_numeric(const struct filter *f, struct json_value *v, struct work *w)
{
	struct number number;

	(void)f;
	if (v->state == VALUE_NUMBER)
		return NULL;
	if (v->state == VALUE_TEXT && etl_number_parse(&number, v->text, v->size)) {
		v->state = VALUE_NUMBER;
		return NULL;
	}
	w->misfits++;
	return nothing(v);
}

static const char *keep_string(const struct filter *f, struct json_value *v, struct work *w)
{
	(void)f;
	(void)w;
	return v->state == VALUE_TEXT ? NULL : nothing(v);
}

static const char *keep_object(const struct filter *f, struct json_value *v, struct work *w)
{
	(void)f;
	(void)w;
	return v->state == VALUE_JSON && v->object ? NULL : nothing(v);
}

static const char *keep_array(const struct filter *f, struct json_value *v, struct work *w)
{
	(void)f;
	(void)w;
	return v->state == VALUE_JSON && !v->object ? NULL : nothing(v);
}

static const char *keep_scalar(const struct filter *f, struct json_value *v, struct work *w)
{
	(void)f;
	(void)w;
	return v->state == VALUE_JSON ? nothing(v) : NULL;
}

/* What a script would take for true: no zero, nothing empty. */
static const char *truthy(const struct filter *f, struct json_value *v, struct work *w)
{
	bool truth = v->state == VALUE_BOOL ? v->truth : v->state == VALUE_JSON ? !v->empty : false;

	(void)f;
	(void)w;
	if (v->state == VALUE_TEXT)
		truth = v->size > 0;
	for (size_t i = 0; v->state == VALUE_NUMBER && i < v->size && !strchr("eE", v->text[i]); i++)
		truth |= v->text[i] >= '1' && v->text[i] <= '9';
	*v = (struct json_value){ .state = VALUE_BOOL, .truth = truth };
	return NULL;
}

/* Which of the things it is that a column of one type cannot tell apart. */
static const char *presence(const struct filter *f, struct json_value *v, struct work *w)
{
	const char *word = v->state == VALUE_ABSENT ? "absent" :
			   v->state == VALUE_NULL   ? "null" :
			   v->state == VALUE_JSON && v->empty ? "empty" :
			   v->state == VALUE_TEXT && v->size == 0 ? "empty" :
							    "value";

	(void)f;
	(void)w;
	return as_text(v, word, strlen(word));
}

static const char *whole_json(const struct filter *f, struct json_value *v, struct work *w)
{
	size_t size;
	const char *text = json_value_as_json(v, w, &size);

	(void)f;
	if (!text)
		return "no_memory";
	v->state = VALUE_JSON;
	v->text = text;
	v->size = size;
	return NULL;
}

/* ---- Texts ------------------------------------------------------------------------------------------------ */

static bool needs_text(struct json_value *v)
{
	if (v->state == VALUE_NUMBER || v->state == VALUE_TEXT)
		return true;
	v->state = VALUE_ABSENT;
	return false;
}

static const char *first(const struct filter *f, struct json_value *v, struct work *w)
{
	size_t size = 0;
	int64_t left = f->number;

	(void)w;
	if (!needs_text(v))
		return NULL;
	while (size < v->size && (left > 0 || (v->text[size] & 0xc0) == 0x80)) {
		left -= (v->text[size] & 0xc0) != 0x80;
		size++;
	}
	while (size < v->size && ((unsigned char)v->text[size] & 0xc0) == 0x80)
		size++;
	return as_text(v, v->text, size);
}

static const char *trim(const struct filter *f, struct json_value *v, struct work *w)
{
	const char *at = v->text, *end = v->text + v->size;

	(void)f;
	(void)w;
	if (!needs_text(v))
		return NULL;
	while (at < end && strchr(" \t\r\n", *at) && *at)
		at++;
	while (at < end && strchr(" \t\r\n", end[-1]) && end[-1])
		end--;
	return as_text(v, at, (size_t)(end - at));
}

static const char *change_case(struct json_value *v, struct work *w, char low, char high)
{
	char *to = needs_text(v) ? json_pool_take(&w->pool, v->size + 1) : NULL;

	if (v->state == VALUE_ABSENT)
		return NULL;
	if (!to)
		return "no_memory";
	for (size_t i = 0; i < v->size; i++)
		to[i] = v->text[i] >= low && v->text[i] <= high ? (char)(v->text[i] ^ 0x20) : v->text[i];
	return as_text(v, to, v->size);
}

static const char *lower(const struct filter *f, struct json_value *v, struct work *w)
{
	(void)f;
	return change_case(v, w, 'A', 'Z');
}

static const char *upper(const struct filter *f, struct json_value *v, struct work *w)
{
	(void)f;
	return change_case(v, w, 'a', 'z');
}

static const char *substitute(const struct filter *f, struct json_value *v, struct work *w, size_t room)
{
	PCRE2_SIZE size = room;
	char *to = json_pool_take(&w->pool, room);
	int rc;

	if (!to)
		return "no_memory";
	rc = pcre2_substitute(f->compiled, (PCRE2_SPTR)v->text, v->size, 0,
			      PCRE2_SUBSTITUTE_OVERFLOW_LENGTH | PCRE2_SUBSTITUTE_UNSET_EMPTY, NULL, NULL,
			      (PCRE2_SPTR)f->args[1], PCRE2_ZERO_TERMINATED, (PCRE2_UCHAR *)to, &size);
	if (rc == PCRE2_ERROR_NOMEMORY && size > room)
		return substitute(f, v, w, size);
	return rc < 0 ? "not_replaced" : as_text(v, to, size);
}

static const char *replace(const struct filter *f, struct json_value *v, struct work *w)
{
	return needs_text(v) ? substitute(f, v, w, v->size + 64) : NULL;
}

/* ---- The table --------------------------------------------------------------------------------------------- */

static const struct filter_kind kinds[] = {
	{ "number", ARG_NONE, keep_number, false },
	{ "numeric", ARG_NONE, keep_numeric, false },
	{ "string", ARG_NONE, keep_string, false },
	{ "object", ARG_NONE, keep_object, false },
	{ "array", ARG_NONE, keep_array, false },
	{ "scalar", ARG_NONE, keep_scalar, false },
	{ "truthy", ARG_NONE, truthy, true },
	{ "presence", ARG_NONE, presence, true },
	{ "count", ARG_NONE, json_filter_count, true },
	{ "json", ARG_NONE, whole_json, false },
	{ "first", ARG_NUMBER, first, false },
	{ "trim", ARG_NONE, trim, false },
	{ "lower", ARG_NONE, lower, false },
	{ "upper", ARG_NONE, upper, false },
	{ "replace", ARG_REPLACE, replace, false },
	{ "plus", ARG_DURATION, json_filter_plus, false },
	{ "week", ARG_NONE, json_filter_week, false },
	{ "epoch", ARG_NONE, json_filter_epoch, false },
	{ "epoch_ms", ARG_NONE, json_filter_epoch, false },
	{ "only", ARG_TEXTS, json_filter_only, false },
	{ "without", ARG_TEXTS, json_filter_without, false },
	{ "join", ARG_TEXT, json_filter_join, false },
};

const char *json_filter_apply(const struct filter *f, struct json_value *v, struct work *w)
{
	if (!f->kind->takes_nothing && !is_value(v))
		return NULL;
	return f->kind->apply(f, v, w);
}

bool json_filter_is(const struct filter *f, const char *name)
{
	return strcmp(f->kind->name, name) == 0;
}

/* ---- Reading them ------------------------------------------------------------------------------------------- */

static const char *say(struct arena *a, const char *format, const char *what, const char *more)
{
	char text[512];

	snprintf(text, sizeof(text), format, what, more);
	return etl_arena_copy(a, text);
}

static const char *skip(const char *at)
{
	while (*at == ' ' || *at == '\t' || *at == '\n')
		at++;
	return at;
}

/* A word, or a text in single quotes, in which '' is one. *ret_end is behind it; NULL: it has no end. */
static const char *argument(struct arena *a, const char *at, const char **ret_end)
{
	char *to;
	size_t size = 0;

	if (*at != '\'') {
		size = strcspn(at, " \t\n|");
		*ret_end = at + size;
		return etl_arena_text(a, at, size);
	}
	to = etl_arena_alloc(a, strlen(at) + 1);
	for (at++; *at && (*at != '\'' || at[1] == '\''); at++) {
		if (*at == '\'')
			at++;
		if (to)
			to[size++] = *at;
	}
	*ret_end = *at ? at + 1 : NULL;
	return to;
}

static bool parse_number(const char *text, int64_t *ret)
{
	char *end;

	*ret = strtoll(text, &end, 10);
	return end != text && !*end && *ret >= 0;
}

/* "24h", "-30m", "7d", in microseconds. */
static bool parse_duration(const char *text, int64_t *ret)
{
	static const struct {
		const char *unit;
		int64_t seconds;
	} units[] = { { "s", 1 }, { "m", 60 }, { "h", 3600 }, { "d", 86400 }, { "w", 604800 } };
	char *end;
	int64_t n = strtoll(text, &end, 10);

	for (size_t i = 0; end != text && i < sizeof(units) / sizeof(*units); i++) {
		if (strcmp(end, units[i].unit) == 0 && n > -INT64_C(1000000000) && n < INT64_C(1000000000)) {
			*ret = n * units[i].seconds * 1000000;
			return true;
		}
	}
	return false;
}

static bool compile(struct arena *a, struct filter *f, const char **why)
{
	PCRE2_UCHAR text[256];
	PCRE2_SIZE at;
	int code;

	f->compiled = pcre2_compile((PCRE2_SPTR)f->args[0], PCRE2_ZERO_TERMINATED, PCRE2_UTF, &code, &at, NULL);
	if (f->compiled)
		return true;
	pcre2_get_error_message(code, text, sizeof(text));
	*why = say(a, "the pattern '%s' of replace is none: %s", f->args[0], (const char *)text);
	return false;
}

static bool check_arguments(struct arena *a, struct filter *f, const char **why)
{
	static const size_t least[] = { 0, 1, 1, 1, 1, 2 };
	size_t most = f->kind->argument == ARG_TEXTS ? FILTER_ARGS : least[f->kind->argument];

	if (f->arg_count < least[f->kind->argument] || f->arg_count > most)
		*why = say(a, "the filter %s takes %s", f->kind->name,
			   (const char *[]){ "no argument", "a number: first 10", "a duration: plus 24h",
					     "a text: join ', '", "texts: only 'a_*' 'b'",
					     "two texts: replace 'PATTERN' 'WHAT'" }[f->kind->argument]);
	else if (f->kind->argument == ARG_NUMBER && !parse_number(f->args[0], &f->number))
		*why = say(a, "the filter %s takes a number, and \"%s\" is none", f->kind->name, f->args[0]);
	else if (f->kind->argument == ARG_DURATION && !parse_duration(f->args[0], &f->number))
		*why = say(a, "the filter %s takes a duration (30s, 24h, 7d), and \"%s\" is none", f->kind->name,
			   f->args[0]);
	else
		return f->kind->argument != ARG_REPLACE || compile(a, f, why);
	return false;
}

static const struct filter_kind *find_kind(const char *name)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		if (strcmp(kinds[i].name, name) == 0)
			return &kinds[i];
	}
	return NULL;
}

static const char *unknown(struct arena *a, const char *name)
{
	char all[256] = "";

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s%s", i ? ", " : "", kinds[i].name);
	return say(a, "there is no filter \"%s\"; there are: %s", name, all);
}

bool json_filter_parse(struct arena *a, const char *text, const char **ret_end, struct filter *ret, const char **why)
{
	const char *at = skip(text), *name = argument(a, at, &at);

	*ret = (struct filter){ 0 };
	if (!name)
		return false;
	ret->kind = find_kind(name);
	if (!ret->kind) {
		*why = unknown(a, name);
		return false;
	}
	for (at = skip(at); at && *at && *at != '|'; at = at ? skip(at) : NULL) {
		if (ret->arg_count == FILTER_ARGS) {
			*why = say(a, "the filter %s has too many arguments%s", name, "");
			return false;
		}
		ret->args[ret->arg_count++] = argument(a, at, &at);
	}
	if (!at) {
		*why = say(a, "an argument of the filter %s has no closing '%s", name, "");
		return false;
	}
	*ret_end = at;
	return !a->failed && check_arguments(a, ret, why);
}

void json_filter_free(struct filter *f)
{
	pcre2_code_free(f->compiled);
}
