/*
 * Checks a group of the pipeline file against the options that a plugin, or the host itself,
 * declares. All of it happens before anything is opened, so a person fixes the file before a
 * database is touched; what comes out is typed, with defaults, absolute paths and registered
 * secrets.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <etlrun/helpers.h>

#include "conf.h"
#include "interpolate.h"
#include "layer.h"
#include "secret.h"
#include "written.h"

enum {
	ORIGIN_SIZE = 512,
	NAMES_MAX = 128,
	SCOPES = ETL_OPT_PER_STORE | ETL_OPT_PER_TABLE | ETL_OPT_PER_COLUMN,
	ROLES = ETL_OPT_SOURCE | ETL_OPT_TARGET
};

/* One option being read: where the value stands, what it is, where it goes. */
struct reading {
	const struct option_group *group;
	const struct etl_option *option;
	struct conf_value *value;
	struct etl_error *err;
};

static const struct etl_option *option_at(const struct option_group *g, size_t i)
{
	const struct etl_option *o;

	if (!g->options)
		return NULL;
	o = ETL_AT(const struct etl_option, g->options,
		   g->option_size ? g->option_size : sizeof(*o), i);
	return o->name ? o : NULL;
}

static bool fits_scope(const struct option_group *g, const struct etl_option *o)
{
	uint32_t scopes = o->flags & SCOPES ? o->flags & SCOPES : ETL_OPT_PER_STORE;

	return !g->scope || scopes & g->scope;
}

static bool fits_role(const struct option_group *g, const struct etl_option *o)
{
	return !g->role || !(o->flags & ROLES) || o->flags & g->role;
}

static bool fits(const struct option_group *g, const struct etl_option *o)
{
	return fits_scope(g, o) && fits_role(g, o);
}

static const char *where(const config_setting_t *s, char *buf)
{
	return s ? setting_origin(s, buf, ORIGIN_SIZE) : "default";
}

/* ---- One value ------------------------------------------------------------------------------- */

static int fail_type(struct reading *r, const config_setting_t *s, const char *text)
{
	char buf[ORIGIN_SIZE];

	if (text)
		return error_set(r->err, ETL_USAGE, "%s: `%s` of %s wants %s, not \"%s\"",
				 where(s, buf), r->option->name, r->group->owner,
				 option_wanted(r->option->kind), text);
	return error_set(r->err, ETL_USAGE, "%s: `%s` of %s wants %s", where(s, buf),
			 r->option->name, r->group->owner, option_wanted(r->option->kind));
}

static bool is_secret(int32_t kind)
{
	return kind == ETL_OPT_SECRET || kind == ETL_OPT_URI;
}

/* A string setting, filled in; *RET is the caller's. */
static int read_string(struct reading *r, const config_setting_t *s, char **ret)
{
	const char *text = config_setting_get_string(s);
	char buf[ORIGIN_SIZE];

	return interpolate(text ? text : "", r->group->folder, where(s, buf),
			   is_secret(r->option->kind), ret, r->err);
}

/* A scalar as the text of an item: a string filled in, a whole number or a flag as it is
 * written. */
static int read_item(struct reading *r, const config_setting_t *s, char **ret)
{
	int rc;

	switch (config_setting_type(s)) {
	case CONFIG_TYPE_STRING:
		return read_string(r, s, ret);
	case CONFIG_TYPE_INT:
	case CONFIG_TYPE_INT64:
		rc = asprintf(ret, "%lld", config_setting_get_int64(s));
		return rc < 0 ? error_memory(r->err) : ETL_OK;
	case CONFIG_TYPE_BOOL:
		*ret = strdup(config_setting_get_bool(s) ? "true" : "false");
		return *ret ? ETL_OK : error_memory(r->err);
	default:
		return fail_type(r, s, NULL);
	}
}

static int fail_choice(struct reading *r, const config_setting_t *s, const char *text, char **names,
		       size_t count)
{
	const char *near = option_nearest(text, (const char *const *)names, count);
	struct etl_text list = { 0 };
	char buf[ORIGIN_SIZE];
	int rc;

	for (size_t i = 0; i < count; i++)
		etl_text_addf(&list, "%s%s", i ? ", " : "", names[i]);
	rc = error_set(r->err, ETL_USAGE, "%s: `%s` of %s is \"%s\", but must be one of %s%s%s%s",
		       where(s, buf), r->option->name, r->group->owner, text,
		       list.at ? list.at : "its choices", near ? "; did you mean \"" : "",
		       near ? near : "", near ? "\"?" : "");
	etl_text_free(&list);
	return rc;
}

static int check_choice(struct reading *r, const config_setting_t *s, const char *text)
{
	char *choices = strdup(r->option->choices ? r->option->choices : ""), *names[NAMES_MAX],
	     *save = NULL;
	size_t count = 0;
	int rc = ETL_FAILED;

	if (!choices)
		return error_memory(r->err);
	for (char *p = strtok_r(choices, "|", &save); p && count < NAMES_MAX;
	     p = strtok_r(NULL, "|", &save)) {
		names[count++] = p;
		if (strcmp(p, text) == 0)
			rc = ETL_OK;
	}
	if (rc < 0)
		fail_choice(r, s, text, names, count);
	free(choices);
	return rc;
}

/* Registers what is secret in a value that stands in the file as it is, or was filled in from elsewhere. */
static bool keep_secret(const struct reading *r, const config_setting_t *s, const char *text)
{
	const char *plain = s && config_setting_type(s) == CONFIG_TYPE_STRING ?
				    config_setting_get_string(s) :
				    NULL;
	size_t known = secret_count();
	bool ok = r->option->kind == ETL_OPT_SECRET ? secret_add(text) : secret_add_uri(text);
	char buf[ORIGIN_SIZE];

	if (secret_count() > known && plain && !strstr(plain, "${"))
		written_warn(where(s, buf));
	return ok;
}

/* Takes TEXT and finishes it by the option's kind. S is only for messages. */
static int set_text(struct reading *r, const config_setting_t *s, char *text)
{
	const char *folder = r->group->folder;
	char *path = NULL;
	bool ok = true;

	r->value->text = text;
	switch (r->option->kind) {
	case ETL_OPT_CHOICE:
		return check_choice(r, s, text);
	case ETL_OPT_SECRET:
		ok = keep_secret(r, s, text);
		break;
	case ETL_OPT_URI:
		ok = keep_secret(r, s, text) &&
		     (!(r->option->flags & ETL_OPT_LOCAL) || uri_absolute(text, folder, &path));
		if (path) {
			free(text);
			r->value->text = path;
		}
		break;
	case ETL_OPT_PATH:
		if (!*text)
			return fail_type(r, s, text);
		/* "-" is standard input or output for plugins of files; a file of that name is "./-". */
		if (*text == '/' || strcmp(text, "-") == 0 || !folder)
			break;
		ok = asprintf(&path, "%s/%s", folder, text) >= 0;
		if (ok) {
			free(text);
			r->value->text = path;
		}
		break;
	default:
		break;
	}
	return ok ? ETL_OK : error_memory(r->err);
}

static int set_number(struct reading *r, const config_setting_t *s, int64_t n)
{
	const struct etl_option *o = r->option;
	char buf[ORIGIN_SIZE], is[32], least[32], most[32];

	r->value->number = n;
	if ((o->min == 0 && o->max == 0) || (n >= o->min && n <= o->max))
		return ETL_OK;
	option_limit(o->kind, n, is, sizeof(is));
	option_limit(o->kind, o->min, least, sizeof(least));
	option_limit(o->kind, o->max, most, sizeof(most));
	if (o->max == INT64_MAX)
		return error_set(r->err, ETL_USAGE, "%s: `%s` of %s is %s, but must be at least %s",
				 where(s, buf), o->name, r->group->owner, is, least);
	return error_set(r->err, ETL_USAGE, "%s: `%s` of %s is %s, but must be from %s to %s",
			 where(s, buf), o->name, r->group->owner, is, least, most);
}

static bool read_flag(const char *text, int64_t *ret)
{
	static const char *const words[] = { "false", "true", "no", "yes", "off", "on" };

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strcmp(text, words[i]) == 0) {
			*ret = i % 2;
			return true;
		}
	return false;
}

static int set_number_text(struct reading *r, const config_setting_t *s, const char *text)
{
	int32_t kind = r->option->kind;
	int64_t n;

	if (kind == ETL_OPT_FLAG ? !read_flag(text, &n) : !option_number(kind, text, &n))
		return fail_type(r, s, text);
	return set_number(r, s, n);
}

static bool is_number_setting(const config_setting_t *s)
{
	return config_setting_type(s) == CONFIG_TYPE_INT ||
	       config_setting_type(s) == CONFIG_TYPE_INT64;
}

static int read_number(struct reading *r, const config_setting_t *s)
{
	char *text = NULL;
	int rc;

	if (r->option->kind == ETL_OPT_FLAG && config_setting_type(s) == CONFIG_TYPE_BOOL)
		return set_number(r, s, config_setting_get_bool(s));
	if (r->option->kind == ETL_OPT_FLAG ?
		    config_setting_type(s) != CONFIG_TYPE_STRING :
		    config_setting_type(s) != CONFIG_TYPE_STRING && !is_number_setting(s))
		return fail_type(r, s, NULL);
	/* Whole numbers go the way of texts, so that units and limits are those of
	 * option_number. */
	rc = read_item(r, s, &text);
	if (rc == ETL_OK)
		rc = set_number_text(r, s, text);
	free(text);
	return rc;
}

/* ---- Lists and groups ------------------------------------------------------------------------ */

static bool make_items(struct conf_value *v, size_t count)
{
	v->items = calloc(count ? count : 1, sizeof(*v->items));
	return v->items != NULL;
}

static int add_item(struct reading *r, const config_setting_t *s)
{
	char *text = NULL;
	int rc = read_item(r, s, &text);

	if (rc == ETL_OK)
		r->value->items[r->value->item_count++] = text;
	return rc;
}

static unsigned int length_of(const config_setting_t *s)
{
	return (unsigned int)config_setting_length(s);
}

static int read_list(struct reading *r, const config_setting_t *s)
{
	unsigned int count = config_setting_is_aggregate(s) ? length_of(s) : 1;
	int rc = ETL_OK;

	if (config_setting_is_group(s))
		return fail_type(r, s, NULL);
	if (!make_items(r->value, count))
		return error_memory(r->err);
	if (!config_setting_is_aggregate(s))
		return add_item(r, s);
	for (unsigned int i = 0; i < count && rc == ETL_OK; i++)
		rc = add_item(r, config_setting_get_elem(s, i));
	return rc;
}

static int read_pairs(struct reading *r, const config_setting_t *s)
{
	int rc = ETL_OK;

	if (!config_setting_is_list(s))
		return fail_type(r, s, NULL);
	if (!make_items(r->value, (size_t)length_of(s) * 2))
		return error_memory(r->err);
	for (unsigned int i = 0; i < length_of(s) && rc == ETL_OK; i++) {
		const config_setting_t *pair = config_setting_get_elem(s, i);

		if (!(config_setting_is_list(pair) || config_setting_is_array(pair)) ||
		    length_of(pair) != 2)
			return fail_type(r, pair, NULL);
		rc = add_item(r, config_setting_get_elem(pair, 0));
		if (rc == ETL_OK)
			rc = add_item(r, config_setting_get_elem(pair, 1));
	}
	return rc;
}

static int add_sub(struct reading *r, const config_setting_t *s)
{
	char owner[256];
	struct option_group inner = *r->group;

	if (!config_setting_is_group(s))
		return fail_type(r, s, NULL);
	snprintf(owner, sizeof(owner), "`%s` of %s", r->option->name, r->group->owner);
	inner.owner = owner;
	inner.options = r->option->members;
	inner.scope = 0;
	inner.ignore = NULL;
	if (conf_check(&inner, s, &r->value->subs[r->value->sub_count], r->err) < 0)
		return ETL_FAILED;
	r->value->sub_count++;
	return ETL_OK;
}

static int read_groups(struct reading *r, const config_setting_t *s)
{
	bool many = r->option->kind == ETL_OPT_GROUPS && config_setting_is_list(s);
	unsigned int count = many ? length_of(s) : 1;
	int rc = ETL_OK;

	r->value->subs = calloc(count ? count : 1, sizeof(struct etl_conf *));
	if (!r->value->subs)
		return error_memory(r->err);
	if (!many)
		return add_sub(r, s);
	for (unsigned int i = 0; i < count && rc == ETL_OK; i++)
		rc = add_sub(r, config_setting_get_elem(s, i));
	return rc;
}

static int read_setting(struct reading *r, const config_setting_t *s)
{
	char *text = NULL;
	int rc;

	switch (r->option->kind) {
	case ETL_OPT_INT:
	case ETL_OPT_FLAG:
	case ETL_OPT_SIZE:
	case ETL_OPT_DURATION:
	case ETL_OPT_PERCENT:
		return read_number(r, s);
	case ETL_OPT_LIST:
		return read_list(r, s);
	case ETL_OPT_PAIRS:
		return read_pairs(r, s);
	case ETL_OPT_GROUP:
	case ETL_OPT_GROUPS:
		return read_groups(r, s);
	default:
		if (config_setting_type(s) != CONFIG_TYPE_STRING)
			return fail_type(r, s, NULL);
		rc = read_string(r, s, &text);
		return rc < 0 ? rc : set_text(r, s, text);
	}
}

/* A default that is a list or a group is written as in the file, and read by the same parser. */
static int read_default_aggregate(struct reading *r, const char *text)
{
	char *line = NULL;
	config_t config;
	int rc;

	if (asprintf(&line, "value = %s;", text) < 0)
		return error_memory(r->err);
	config_init(&config);
	if (config_read_string(&config, line) == CONFIG_TRUE)
		rc = read_setting(r, config_lookup(&config, "value"));
	else
		rc = error_set(r->err, ETL_BUG, "the default of `%s` of %s cannot be read: %s",
			       r->option->name, r->group->owner, config_error_text(&config));
	config_destroy(&config);
	free(line);
	return rc;
}

static int read_default(struct reading *r, const config_setting_t *group)
{
	const char *text = r->option->default_text;
	char *copy;

	switch (r->option->kind) {
	case ETL_OPT_INT:
	case ETL_OPT_FLAG:
	case ETL_OPT_SIZE:
	case ETL_OPT_DURATION:
	case ETL_OPT_PERCENT:
		return set_number_text(r, group, text);
	case ETL_OPT_LIST:
		if (*text == '[' || *text == '(')
			return read_default_aggregate(r, text);
		if (!make_items(r->value, 1) || !(r->value->items[0] = strdup(text)))
			return error_memory(r->err);
		r->value->item_count = 1;
		return ETL_OK;
	case ETL_OPT_PAIRS:
	case ETL_OPT_GROUP:
	case ETL_OPT_GROUPS:
		return read_default_aggregate(r, text);
	default:
		copy = strdup(text);
		return copy ? set_text(r, group, copy) : error_memory(r->err);
	}
}

/* ---- A group --------------------------------------------------------------------------------- */

static bool is_ignored(const struct option_group *g, const char *name)
{
	for (size_t i = 0; g->ignore && g->ignore[i]; i++)
		if (strcmp(g->ignore[i], name) == 0)
			return true;
	return false;
}

static const char *place_of(const struct etl_option *o)
{
	if (o->flags & ETL_OPT_PER_TABLE)
		return "in a table's `from` or `to`";
	if (o->flags & ETL_OPT_PER_COLUMN)
		return "in an entry of a table's `columns`";
	return "in the plugin's own group";
}

static int fail_misplaced(const struct option_group *g, const struct etl_option *o,
			  const config_setting_t *s, struct etl_error *err)
{
	bool target = (o->flags & ETL_OPT_TARGET) != 0;
	char buf[ORIGIN_SIZE];

	if (!fits_role(g, o))
		return error_set(err, ETL_USAGE, "%s: `%s` is an option of the %s, not of the %s",
				 where(s, buf), o->name, target ? "target" : "source",
				 target ? "source" : "target");
	return error_set(err, ETL_USAGE, "%s: `%s` of %s does not belong here; write it %s",
			 where(s, buf), o->name, g->owner, place_of(o));
}

static int fail_unknown(const struct option_group *g, const config_setting_t *s,
			struct etl_error *err)
{
	const char *names[NAMES_MAX], *name = config_setting_name(s), *near;
	const struct etl_option *o;
	char buf[ORIGIN_SIZE];
	size_t count = 0;

	for (size_t i = 0; (o = option_at(g, i)) && count < NAMES_MAX; i++)
		if (fits(g, o))
			names[count++] = o->name;
	for (size_t i = 0; g->ignore && g->ignore[i] && count < NAMES_MAX; i++)
		names[count++] = g->ignore[i];
	near = option_nearest(name, names, count);
	return error_set(err, ETL_USAGE, "%s: %s has no option `%s`%s%s%s", where(s, buf), g->owner,
			 name, near ? "; did you mean `" : "", near ? near : "", near ? "`?" : "");
}

/* The same name may be declared twice, for the source and for the target. */
static int check_name(const struct option_group *g, const config_setting_t *s,
		      struct etl_error *err)
{
	const char *name = config_setting_name(s);
	const struct etl_option *o, *misplaced = NULL;

	if (is_ignored(g, name))
		return ETL_OK;
	for (size_t i = 0; (o = option_at(g, i)); i++) {
		if (strcmp(o->name, name) != 0)
			continue;
		if (fits(g, o))
			return ETL_OK;
		misplaced = o;
	}
	return misplaced ? fail_misplaced(g, misplaced, s, err) : fail_unknown(g, s, err);
}

static int fail_missing(const struct option_group *g, const struct etl_option *o,
			const config_setting_t *group, struct etl_error *err)
{
	char buf[ORIGIN_SIZE];

	return error_set(err, ETL_USAGE, "%s%s%s needs `%s`%s%s", group ? where(group, buf) : "",
			 group ? ": " : "", g->owner, o->name, o->help ? ": " : "",
			 o->help ? o->help : "");
}

static int read_option(struct reading *r, const config_setting_t *group)
{
	const config_setting_t *s = group ? config_setting_get_member(group, r->option->name) :
					    NULL;

	r->value->kind = r->option->kind;
	r->value->name = strdup(r->option->name);
	if (!r->value->name)
		return error_memory(r->err);
	r->value->given = s != NULL;
	if (s)
		return read_setting(r, s);
	if (r->option->default_text)
		return read_default(r, group);
	if (r->option->flags & ETL_OPT_REQUIRED)
		return fail_missing(r->group, r->option, group, r->err);
	return ETL_OK;
}

static int check_names(const struct option_group *g, const config_setting_t *group,
		       struct etl_error *err)
{
	char buf[ORIGIN_SIZE];

	if (!group)
		return ETL_OK;
	if (!config_setting_is_group(group))
		return error_set(err, ETL_USAGE, "%s: %s wants a group { … }", where(group, buf),
				 g->owner);
	for (unsigned int i = 0; i < length_of(group); i++)
		if (check_name(g, config_setting_get_elem(group, i), err) < 0)
			return ETL_FAILED;
	return ETL_OK;
}

static struct etl_conf *conf_new(size_t room)
{
	struct etl_conf *conf = calloc(1, sizeof(*conf));

	if (!conf)
		return NULL;
	conf->at = calloc(room ? room : 1, sizeof(*conf->at));
	if (conf->at)
		return conf;
	free(conf);
	return NULL;
}

int conf_check(const struct option_group *g, const config_setting_t *group, struct etl_conf **ret,
	       struct etl_error *err)
{
	struct reading r = { .group = g, .err = err };
	struct etl_conf *conf;
	size_t room = 0;

	if (check_names(g, group, err) < 0)
		return ETL_FAILED;
	while (option_at(g, room))
		room++;
	conf = conf_new(room);
	if (!conf)
		return error_memory(err);
	for (size_t i = 0; (r.option = option_at(g, i)); i++) {
		if (!fits(g, r.option) || is_ignored(g, r.option->name))
			continue;
		r.value = &conf->at[conf->count++];
		if (read_option(&r, group) < 0) {
			conf_free(conf);
			return ETL_FAILED;
		}
	}
	*ret = conf;
	return ETL_OK;
}
