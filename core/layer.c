/*
 * Layers: the file, a profile over it, --set over both. Each setting of the tree carries its origin
 * in its libconfig hook, a text of its own that is freed with it; what a layer brings is copied
 * with the layer's origin, so a wrong value is blamed on the layer and not on the line that it
 * replaced.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <etlrun/helpers.h>

#include "layer.h"
#include "options.h"

enum { ORIGIN_SIZE = 512, PROFILES_SHOWN = 64 };

const char *setting_origin(const config_setting_t *s, char *buf, size_t size)
{
	const char *file = config_setting_source_file(s), *known = config_setting_get_hook(s);

	if (known)
		snprintf(buf, size, "%s", known);
	else
		snprintf(buf, size, "%s:%u", file ? file : "the pipeline file",
			 (unsigned)config_setting_source_line(s));
	return buf;
}

static int set_origin(config_setting_t *s, const char *origin, struct etl_error *err)
{
	char *copy = strdup(origin);

	if (!copy)
		return error_memory(err);
	free(config_setting_get_hook(s));
	config_setting_set_hook(s, copy);
	return ETL_OK;
}

static unsigned count(const config_setting_t *s)
{
	return config_setting_is_aggregate(s) ? (unsigned)config_setting_length(s) : 0;
}

/* ---- The file ---- */

static int place_all(config_setting_t *s, const struct scan *scan, struct etl_error *err)
{
	char origin[ORIGIN_SIZE];
	const char *file;
	unsigned line, i;
	int status;

	scan_place(scan, (unsigned)config_setting_source_line(s), &file, &line);
	snprintf(origin, sizeof(origin), "%s:%u", file, line);
	status = set_origin(s, origin, err);
	for (i = 0; status == ETL_OK && i < count(s); i++)
		status = place_all(config_setting_get_elem(s, i), scan, err);
	return status;
}

int layer_parse(config_t *config, const struct scan *scan, struct etl_error *err)
{
	int status;

	config_init(config);
	config_set_destructor(config, free);
	if (config_read_string(config, scan_text(scan)) != CONFIG_TRUE)
		status = scan_syntax_error(scan, (unsigned)config_error_line(config),
					   config_error_text(config), err);
	else
		status = place_all(config_root_setting(config), scan, err);
	if (status != ETL_OK)
		config_destroy(config);
	return status;
}

/* ---- Copies ---- */

static int copy_into(config_setting_t *parent, const char *name, const config_setting_t *from,
		     const char *origin, const char *layer, struct etl_error *err);

static int fail_name(const char *name, const char *origin, struct etl_error *err)
{
	return error_set(err, ETL_USAGE,
			 "%s: %s is no name of a setting; names are letters, digits, _ and "
			 "-, and begin with a letter",
			 origin, name);
}

static bool copy_scalar(config_setting_t *to, const config_setting_t *from)
{
	switch (config_setting_type(from)) {
	case CONFIG_TYPE_INT:
		return config_setting_set_int(to, config_setting_get_int(from));
	case CONFIG_TYPE_INT64:
		return config_setting_set_int64(to, config_setting_get_int64(from));
	case CONFIG_TYPE_FLOAT:
		return config_setting_set_float(to, config_setting_get_float(from));
	case CONFIG_TYPE_BOOL:
		return config_setting_set_bool(to, config_setting_get_bool(from));
	case CONFIG_TYPE_STRING:
		return config_setting_set_string(to, config_setting_get_string(from));
	default:
		return true;
	}
}

/* A copy of FROM as PARENT's member (NAME) or last element (NULL). ORIGIN is what it is called;
 * NULL: FROM's own origin with LAYER behind it. */
static int copy_into(config_setting_t *parent, const char *name, const config_setting_t *from,
		     const char *origin, const char *layer, struct etl_error *err)
{
	config_setting_t *to = config_setting_add(parent, name, config_setting_type(from));
	char buf[ORIGIN_SIZE], own[ORIGIN_SIZE + 64];
	int status;
	unsigned i;

	if (!to && name && origin)
		return fail_name(name, origin, err);
	if (!to || !copy_scalar(to, from))
		return error_memory(err);
	if (!origin) {
		setting_origin(from, buf, sizeof(buf));
		snprintf(own, sizeof(own), "%s (%s)", buf, layer);
	}
	status = set_origin(to, origin ? origin : own, err);
	for (i = 0; status == ETL_OK && i < count(from); i++) {
		const config_setting_t *part = config_setting_get_elem(from, i);

		status = copy_into(to, config_setting_name(part), part, origin, layer, err);
	}
	return status;
}

/* ---- --profile ---- */

static int merge(config_setting_t *to, const config_setting_t *from, const char *layer,
		 struct etl_error *err)
{
	int status = ETL_OK;
	unsigned i;

	for (i = 0; status == ETL_OK && i < count(from); i++) {
		const config_setting_t *part = config_setting_get_elem(from, i);
		const char *name = config_setting_name(part);
		config_setting_t *old = config_setting_get_member(to, name);

		if (old && config_setting_is_group(old) && config_setting_is_group(part)) {
			status = merge(old, part, layer, err);
			continue;
		}
		if (old)
			config_setting_remove(to, name);
		status = copy_into(to, name, part, NULL, layer, err);
	}
	return status;
}

static int fail_profile(const config_setting_t *profiles, const char *name, struct etl_error *err)
{
	const char *names[PROFILES_SHOWN], *near;
	struct etl_text list = { .at = NULL };
	size_t n = 0;
	unsigned i;

	for (i = 0; i < count(profiles) && n < PROFILES_SHOWN; i++) {
		names[n] = config_setting_name(config_setting_get_elem(profiles, i));
		etl_text_addf(&list, "%s%s", n > 0 ? ", " : "", names[n]);
		n++;
	}
	near = option_nearest(name, names, n);
	error_set(err, ETL_USAGE, "--profile %s: the file has no such profile; it has %s%s%s%s",
		  name, list.at ? list.at : "none", near ? "; did you mean " : "", near ? near : "",
		  near ? "?" : "");
	etl_text_free(&list);
	return ETL_FAILED;
}

int layer_profile(config_t *config, const char *name, struct etl_error *err)
{
	config_setting_t *root = config_root_setting(config);
	config_setting_t *profiles = config_setting_get_member(root, "profiles"), *chosen;
	char layer[ORIGIN_SIZE], buf[ORIGIN_SIZE];

	if (!profiles)
		return error_set(err, ETL_USAGE,
				 "--profile %s: the file has no profiles; write profiles = { "
				 "%s = { … }; };",
				 name, name);
	if (!config_setting_is_group(profiles))
		return error_set(err, ETL_USAGE, "%s: profiles wants a group { … }",
				 setting_origin(profiles, buf, sizeof(buf)));
	chosen = config_setting_get_member(profiles, name);
	if (!chosen)
		return fail_profile(profiles, name, err);
	if (!config_setting_is_group(chosen))
		return error_set(err, ETL_USAGE, "%s: the profile %s wants a group { … }",
				 setting_origin(chosen, buf, sizeof(buf)), name);
	if (config_setting_get_member(chosen, "profiles"))
		return error_set(err, ETL_USAGE,
				 "%s: the profile %s cannot hold profiles itself; remove them",
				 setting_origin(chosen, buf, sizeof(buf)), name);
	snprintf(layer, sizeof(layer), "profile %s", name);
	return merge(root, chosen, layer, err);
}

/* ---- --set ---- */

/* The value as libconfig reads it, when it is one setting and nothing else: CONFIG holds it as `v`, and so
 * *RET. Else *RET is NULL. */
static int parse_value(config_t *config, const char *value, const config_setting_t **ret,
		       struct etl_error *err)
{
	struct etl_error why = ERROR_INIT;
	struct scan *scan = NULL;
	char *line = NULL;
	int length = asprintf(&line, "v = %s\n;", value), status = ETL_OK;

	*ret = NULL;
	if (length < 0)
		return error_memory(err);
	if (scan_memory(line, (size_t)length, "--set", &scan, &why) == ETL_OK) {
		if (config_read_string(config, line) == CONFIG_TRUE &&
		    config_setting_length(config_root_setting(config)) == 1)
			*ret = config_lookup(config, "v");
		scan_free(scan);
	} else if (why.klass == ETL_MEMORY) {
		status = error_memory(err);
	}
	error_clear(&why);
	free(line);
	return status;
}

static int add_text(config_setting_t *parent, const char *name, const char *text,
		    const char *origin, struct etl_error *err)
{
	config_setting_t *s = config_setting_add(parent, name, CONFIG_TYPE_STRING);

	if (!s)
		return fail_name(name, origin, err);
	if (!config_setting_set_string(s, text))
		return error_memory(err);
	return set_origin(s, origin, err);
}

/* Replaces the member NAME. A scalar that is no string stays as it was typed, because every option
 * reads its value from a text too, and a text option would refuse a number. */
static int replace(config_setting_t *parent, const char *name, const config_setting_t *parsed,
		   const char *value, const char *origin, struct etl_error *err)
{
	if (config_setting_get_member(parent, name))
		config_setting_remove(parent, name);
	if (parsed && (config_setting_is_aggregate(parsed) ||
		       config_setting_type(parsed) == CONFIG_TYPE_STRING))
		return copy_into(parent, name, parsed, origin, NULL, err);
	return add_text(parent, name, value, origin, err);
}

static int put_value(config_setting_t *parent, const char *name, const char *value,
		     const char *origin, struct etl_error *err)
{
	const config_setting_t *parsed;
	config_t config;
	int status;

	config_init(&config);
	status = parse_value(&config, value, &parsed, err);
	if (status == ETL_OK)
		status = replace(parent, name, parsed, value, origin, err);
	config_destroy(&config);
	return status;
}

/* The entry of a list that "[3]" names. */
static int step_index(config_setting_t **at, const char *part, const char *origin,
		      struct etl_error *err)
{
	char *end = NULL;
	unsigned long i = strtoul(part + 1, &end, 10);

	if (part[1] < '0' || part[1] > '9' || strcmp(end, "]") != 0)
		return error_set(err, ETL_USAGE,
				 "%s: %s is no index; write [0] for the first entry", origin, part);
	if (!config_setting_is_list(*at) || i >= count(*at))
		return error_set(err, ETL_USAGE, "%s: there is no entry %s; the file has %u there",
				 origin, part, config_setting_is_list(*at) ? count(*at) : 0);
	*at = config_setting_get_elem(*at, (unsigned)i);
	return ETL_OK;
}

/* The group that a name before the last means; made when it is not there. */
static int step_name(config_setting_t **at, const char *part, const char *origin,
		     struct etl_error *err)
{
	config_setting_t *next;

	if (!config_setting_is_group(*at))
		return error_set(err, ETL_USAGE,
				 "%s: what holds %s is not a group in the file; write the path as "
				 "group.key, or list.[0].key",
				 origin, part);
	next = config_setting_get_member(*at, part);
	if (!next) {
		next = config_setting_add(*at, part, CONFIG_TYPE_GROUP);
		if (!next)
			return error_set(err, ETL_USAGE,
					 "%s: \"%s\" is no name of a setting; names are letters, "
					 "digits, _ and -, and begin with a letter",
					 origin, part);
		if (set_origin(next, origin, err) != ETL_OK)
			return ETL_FAILED;
	}
	*at = next;
	return ETL_OK;
}

/* Walks PATH, cutting it at its dots, and puts the value at its end. */
static int set_path(config_setting_t *at, char *path, const char *value, const char *origin,
		    struct etl_error *err)
{
	char *part = path, *dot;
	int status;

	while ((dot = strchr(part, '.'))) {
		*dot = '\0';
		status = *part == '[' ? step_index(&at, part, origin, err) :
					step_name(&at, part, origin, err);
		if (status != ETL_OK)
			return status;
		part = dot + 1;
	}
	if (*part == '[')
		return error_set(err, ETL_USAGE,
				 "%s: an entry of a list cannot be replaced; name a key of it, or "
				 "set the whole list",
				 origin);
	if (!config_setting_is_group(at))
		return error_set(err, ETL_USAGE,
				 "%s: what holds %s is not a group in the file; write the path as "
				 "group.key, or list.[0].key",
				 origin, part);
	if (*part == '\0')
		return error_set(err, ETL_USAGE,
				 "%s: a name is missing; write --set group.key=value", origin);
	return put_value(at, part, value, origin, err);
}

int layer_set(config_t *config, const char *assignment, struct etl_error *err)
{
	const char *equals = strchr(assignment, '=');
	size_t length;
	char origin[ORIGIN_SIZE], *path;
	int status;

	if (!equals)
		return error_set(err, ETL_USAGE, "--set %s: no value; write --set key=value",
				 assignment);
	/* Blanks before the "=" are allowed, as in the file. */
	length = (size_t)(equals - assignment);
	while (length > 0 && (assignment[length - 1] == ' ' || assignment[length - 1] == '\t'))
		length--;
	path = strndup(assignment, length);
	if (!path)
		return error_memory(err);
	snprintf(origin, sizeof(origin), "--set %s", path);
	status = set_path(config_root_setting(config), path, equals + 1, origin, err);
	free(path);
	return status;
}

int layer_set_text(config_t *config, const char *group, const char *key, const char *value,
		   const char *origin, struct etl_error *err)
{
	config_setting_t *at = config_root_setting(config);

	if (group && step_name(&at, group, origin, err) != ETL_OK)
		return ETL_FAILED;
	if (config_setting_get_member(at, key))
		config_setting_remove(at, key);
	return add_text(at, key, value, origin, err);
}
