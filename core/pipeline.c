/*
 * From a pipeline file, or the two URIs of `copy`, to struct pipeline: scan, parse, lay profile and
 * --set over, then read every part. Nothing is opened here, so whatever is wrong is found before a
 * store is touched.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <etlrun/helpers.h>

#include "../plugins/lib/hex.h"
#include "layer.h"
#include "pipeline-parts.h"

/* ---- What both ways share ---- */

static int read_side(struct pipeline *p, const config_setting_t *root, const char *key,
		     int32_t role, struct plugin_use *ret, struct etl_error *err)
{
	const config_setting_t *group = config_setting_get_member(root, key);

	if (!group)
		return error_set(err, ETL_USAGE,
				 "%s: there is no %s; write %s = { plugin = \"NAME\"; … };",
				 p->path ? p->path : "the command line", key, key);
	return pipeline_plugin(p, group, role, ret, err);
}

static int set_notes(struct pipeline *p, struct etl_error *err)
{
	int length = p->state ? asprintf(&p->notes, "%s", p->state) :
				asprintf(&p->notes, "%s/%s.etlrun", p->folder, p->name);

	if (length >= 0)
		return ETL_OK;
	p->notes = NULL;
	return error_memory(err);
}

static int read_all(struct pipeline *p, const config_setting_t *root, const char *name,
		    struct etl_error *err)
{
	int32_t deletes = ETL_DELETE_NONE;
	int status = pipeline_top(p, root, name, &deletes, err);

	if (status == ETL_OK)
		status = set_notes(p, err);
	if (status == ETL_OK)
		status = read_side(p, root, "source", ETL_ROLE_SOURCE, &p->source, err);
	if (status == ETL_OK)
		status = pipeline_rejects(p, root, err);
	if (status == ETL_OK)
		status = read_side(p, root, "target", ETL_ROLE_TARGET, &p->target, err);
	if (status == ETL_OK)
		status = pipeline_tables(p, root, deletes, err);
	if (status == ETL_OK)
		status = pipeline_plugins(p, root, "transforms", ETL_ROLE_TRANSFORM, &p->transforms,
					  err);
	if (status == ETL_OK)
		status = pipeline_plugins(p, root, "validators", ETL_ROLE_VALIDATOR, &p->validators,
					  err);
	if (status == ETL_OK)
		status = pipeline_wished_validators(p, root, err);
	return status;
}

static int lay_over(config_t *config, const struct overlay *over, struct etl_error *err)
{
	int status = ETL_OK;
	size_t i;

	if (!over)
		return ETL_OK;
	if (over->profile)
		status = layer_profile(config, over->profile, err);
	for (i = 0; status == ETL_OK && i < over->set_count; i++)
		status = layer_set(config, over->sets[i], err);
	return status;
}

static char *current_folder(struct etl_error *err)
{
	char *folder = getcwd(NULL, 0);

	if (!folder)
		error_set(err, error_class(errno, ETL_USAGE),
			  "the current folder cannot be read (%s); change to another one", strerror(errno));
	return folder;
}

/* ---- A file ---- */

/* Absolute, without following links: the paths in the file are relative to where the person put
 * it. */
static int set_places(struct pipeline *p, const char *path, struct etl_error *err)
{
	char *folder = NULL;
	int length;

	if (path[0] == '/') {
		p->path = strdup(path);
	} else {
		folder = current_folder(err);
		if (!folder)
			return ETL_FAILED;
		length = asprintf(&p->path, "%s/%s", strcmp(folder, "/") == 0 ? "" : folder, path);
		free(folder);
		if (length < 0)
			p->path = NULL;
	}
	if (!p->path)
		return error_memory(err);
	length = (int)(strrchr(p->path, '/') - p->path);
	p->folder = strndup(p->path, length > 0 ? (size_t)length : 1);
	return p->folder ? ETL_OK : error_memory(err);
}

/* The file's base name without .cfg; for the caller to free. */
static char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
	size_t length = strlen(base);

	if (length > 4 && strcmp(base + length - 4, ".cfg") == 0)
		length -= 4;
	return strndup(base, length);
}

static int read_config(struct pipeline *p, const char *path, config_t *config,
		       const struct overlay *over, struct etl_error *err)
{
	char *name = base_name(path);
	int status = name ? lay_over(config, over, err) : error_memory(err);

	if (status == ETL_OK)
		status = read_all(p, config_root_setting(config), name, err);
	free(name);
	return status;
}

static int finish(struct pipeline *p, int status, struct pipeline **ret)
{
	if (status != ETL_OK) {
		pipeline_free(p);
		return status;
	}
	*ret = p;
	return ETL_OK;
}

int pipeline_read(const char *path, const struct overlay *over, struct pipeline **ret,
		  struct etl_error *err)
{
	struct pipeline *p = calloc(1, sizeof(*p));
	struct scan *scan = NULL;
	config_t config;
	int status;

	if (!p)
		return error_memory(err);
	status = set_places(p, path, err);
	if (status == ETL_OK)
		status = scan_file(path, &scan, err);
	if (status == ETL_OK)
		status = layer_parse(&config, scan, err);
	if (status == ETL_OK) {
		status = read_config(p, path, &config, over, err);
		config_destroy(&config);
	}
	scan_free(scan);
	return finish(p, status, ret);
}

/* ---- Two URIs ---- */

/* A part of a URI, decoded, and so written that interpolation leaves it as it is. For the caller to
 * free. */
static char *plain_part(const char *at, size_t length, bool encoded)
{
	struct etl_text text = { .at = NULL };
	const char *end = at + length;
	char last = '\0', c;

	for (; at < end; at++) {
		c = *at;
		if (encoded && c == '%' && end - at > 2 && etl_hex_digit(at[1]) >= 0 && etl_hex_digit(at[2]) >= 0) {
			c = (char)(etl_hex_digit(at[1]) * 16 + etl_hex_digit(at[2]));
			at += 2;
		}
		if (last == '$' && c == '{')
			etl_text_add(&text, "$");
		etl_text_add_bytes(&text, &c, 1);
		last = c;
	}
	etl_text_add(&text, "");
	return etl_text_take(&text);
}

char *pipeline_literal(const char *text)
{
	return plain_part(text, strlen(text), false);
}

/* One "key=value" of the query as an option of SIDE. */
static int add_parameter(config_t *config, const char *side, const char *at, size_t length,
			 struct etl_error *err)
{
	const char *equals = memchr(at, '=', length);
	size_t key_length = equals ? (size_t)(equals - at) : length;
	char *key = plain_part(at, key_length, true), origin[64];
	char *value = equals ? plain_part(equals + 1, length - key_length - 1, true) : NULL;
	int status;

	snprintf(origin, sizeof(origin), "the %s URI", side);
	if (!key || (equals && !value))
		status = error_memory(err);
	else if (!equals)
		status = error_set(err, ETL_USAGE,
				   "%s: the option %s has no value; write ?%s=VALUE", origin, key,
				   key);
	else if (strcmp(key, "uri") == 0 || strcmp(key, "plugin") == 0)
		status = error_set(err, ETL_USAGE, "%s: %s cannot be set in a URI; remove it",
				   origin, key);
	else
		status = layer_set_text(config, side, key, value, origin, err);
	free(key);
	free(value);
	return status;
}

static int add_query(config_t *config, const char *side, const char *uri, struct etl_error *err)
{
	const char *at = strchr(uri, '?');
	int status = ETL_OK;

	for (at = at ? at + 1 : ""; status == ETL_OK && *at && *at != '#'; at += *at == '&') {
		size_t length = strcspn(at, "&#");

		if (length > 0)
			status = add_parameter(config, side, at, length, err);
		at += length;
	}
	return status;
}

static bool takes_uri(const struct plugin *plugin)
{
	size_t i;

	for (i = 0; plugin->base.options; i++) {
		const struct etl_option *o = ETL_AT(const struct etl_option, plugin->base.options,
						    plugin->base.option_size, i);

		if (!o->name)
			return false;
		if (strcmp(o->name, "uri") == 0)
			return true;
	}
	return false;
}

static int find_scheme(const char *side, const char *uri, const struct plugin **ret,
		       struct etl_error *err)
{
	size_t length = strcspn(uri, ":/?#");
	struct etl_error inner = ERROR_INIT;
	char *scheme;
	int status;

	if (length == 0 || uri[length] != ':')
		return error_set(
			err, ETL_USAGE,
			"the %s URI has no scheme; write PLUGIN:WHERE, such as sqlite:shop.db "
			"or postgres:///shop",
			side);
	scheme = strndup(uri, length);
	if (!scheme)
		return error_memory(err);
	status = registry_find_scheme(scheme, ret, &inner);
	if (status != ETL_OK && inner.klass == ETL_USAGE)
		error_set(err, ETL_USAGE, "the %s URI: %s", side,
			  inner.message ? inner.message : scheme);
	else if (status != ETL_OK)
		error_move(err, &inner);
	else if (!takes_uri(*ret))
		status = error_set(err, ETL_USAGE,
				   "the %s URI: plugin %s takes no URI; write a pipeline file",
				   side, (*ret)->base.name);
	error_clear(&inner);
	free(scheme);
	return status;
}

static int add_side(config_t *config, const char *side, const char *uri, struct etl_error *err)
{
	const struct plugin *plugin = NULL;
	char origin[64], *whole;
	int status = find_scheme(side, uri, &plugin, err);

	if (status != ETL_OK)
		return status;
	snprintf(origin, sizeof(origin), "the %s URI", side);
	whole = plain_part(uri, strlen(uri), false);
	if (!whole)
		return error_memory(err);
	status = layer_set_text(config, side, "plugin", plugin->base.name, origin, err);
	if (status == ETL_OK)
		status = layer_set_text(config, side, "uri", whole, origin, err);
	if (status == ETL_OK)
		status = add_query(config, side, uri, err);
	free(whole);
	return status;
}

int pipeline_from_uris(const char *source, const char *target, const struct overlay *over,
		       struct pipeline **ret, struct etl_error *err)
{
	struct pipeline *p = calloc(1, sizeof(*p));
	config_t config;
	int status = ETL_FAILED;

	if (!p)
		return error_memory(err);
	config_init(&config);
	config_set_destructor(&config, free);
	p->folder = current_folder(err);
	if (p->folder && over && over->profile)
		error_set(err, ETL_USAGE,
			  "--profile %s: copy has no pipeline file that could hold profiles; "
			  "remove it",
			  over->profile);
	else if (p->folder)
		status = add_side(&config, "source", source, err);
	if (status == ETL_OK)
		status = add_side(&config, "target", target, err);
	if (status == ETL_OK)
		status = lay_over(&config, over, err);
	if (status == ETL_OK)
		status = read_all(p, config_root_setting(&config), "copy", err);
	config_destroy(&config);
	return finish(p, status, ret);
}

bool pipeline_is_uri(const char *word)
{
	size_t length = strcspn(word, ":/?#");

	return length > 1 && word[length] == ':' && access(word, F_OK) < 0;
}

/* ---- A source alone ---- */

static int sketch_tree(struct pipeline *p, const char *word, config_t *config,
		       struct etl_error *err)
{
	struct scan *scan = NULL;
	int status;

	if (pipeline_is_uri(word)) {
		config_init(config);
		config_set_destructor(config, free);
		p->folder = current_folder(err);
		status = p->folder ? add_side(config, "source", word, err) : ETL_FAILED;
		if (status != ETL_OK)
			config_destroy(config);
		return status;
	}
	status = set_places(p, word, err);
	if (status == ETL_OK)
		status = scan_file(word, &scan, err);
	if (status == ETL_OK)
		status = layer_parse(config, scan, err);
	scan_free(scan);
	return status;
}

int pipeline_sketch(const char *word, const struct overlay *over, config_t *config,
		    struct pipeline **ret, struct etl_error *err)
{
	struct pipeline *p = calloc(1, sizeof(*p));
	int32_t deletes = ETL_DELETE_NONE;
	char *name = NULL;
	int status = p ? sketch_tree(p, word, config, err) : error_memory(err);

	if (status != ETL_OK)
		return finish(p, status, ret);
	name = p->path ? base_name(word) : strdup("discover");
	status = name ? lay_over(config, over, err) : error_memory(err);
	if (status == ETL_OK)
		status = pipeline_top(p, config_root_setting(config), name, &deletes, err);
	if (status == ETL_OK)
		status = read_side(p, config_root_setting(config), "source", ETL_ROLE_SOURCE,
				   &p->source, err);
	free(name);
	if (status != ETL_OK)
		config_destroy(config);
	return finish(p, status, ret);
}

/* ---- The end ---- */

static void free_types(struct pipeline *p)
{
	size_t i;

	for (i = 0; i < p->type_count; i++) {
		free(p->types[i].declared);
		free(p->types[i].type);
	}
	free(p->types);
}

void pipeline_free(struct pipeline *p)
{
	if (!p)
		return;
	free(p->path);
	free(p->folder);
	free(p->name);
	plugin_use_clear(&p->source);
	plugin_use_clear(&p->target);
	pipeline_tables_free(p);
	string_list_clear(&p->exclude);
	free(p->exclude_origin.text);
	free(p->source_load.origin.text);
	free(p->commit.origin.text);
	plugin_uses_clear(&p->transforms);
	plugin_uses_clear(&p->validators);
	free_types(p);
	string_list_clear(&p->before);
	string_list_clear(&p->after_load);
	conflict_rule_clear(&p->conflicts);
	free(p->state);
	free(p->notes);
	free(p->log_file);
	free(p->log_format);
	free(p->log_level);
	free(p->rejects_file);
	free(p->unready);
	free(p);
}
