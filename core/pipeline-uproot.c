/*
 * A pipeline that is written down in another folder than it came from must still mean the same
 * files: the tree's relative paths are made absolute, those that options declare and those in
 * ${file:…} and ${exec:…}.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <etlrun/helpers.h>

#include "interpolate.h"
#include "layer.h"
#include "pipeline-parts.h"

/* ---- In ${…} ---- */

/* Whether AT begins a path that the folder has to go before. */
static bool is_relative(const char *at, bool command)
{
	if (*at == '/' || *at == '\0' || *at == '}')
		return false;
	/* A command without a slash is looked for in PATH. */
	return !command || memchr(at, '/', strcspn(at, " \t}"));
}

/* TEXT with the folder before the paths of ${file:…} and the command of ${exec:…}; NULL: no
 * memory. */
static char *move_references(const char *text, const char *folder)
{
	struct etl_text to = { 0 };

	for (; *text; text++) {
		bool file = strncmp(text, "${file:", 7) == 0,
		     command = strncmp(text, "${exec:", 7) == 0;

		if (strncmp(text, "$${", 3) == 0) {
			etl_text_add(&to, "$${");
			text += 2;
			continue;
		}
		etl_text_add_bytes(&to, text, 1);
		if (!file && !command)
			continue;
		etl_text_add(&to, file ? "{file:" : "{exec:");
		text += 6;
		if (is_relative(text + 1, command))
			etl_text_addf(&to, "%s/", folder);
	}
	etl_text_add(&to, "");
	return etl_text_take(&to);
}

static int put(config_setting_t *s, char *text, struct etl_error *err)
{
	bool ok = text && config_setting_set_string(s, text);

	free(text);
	return ok ? ETL_OK : error_memory(err);
}

static int move_all_references(const struct pipeline *p, config_setting_t *s, struct etl_error *err)
{
	const char *text = config_setting_get_string(s);
	int status = ETL_OK;

	if (config_setting_is_aggregate(s))
		for (int i = 0; i < config_setting_length(s) && status == ETL_OK; i++)
			status = move_all_references(p, config_setting_get_elem(s, (unsigned)i),
						     err);
	else if (text && strstr(text, "${"))
		status = put(s, move_references(text, p->folder), err);
	return status;
}

/* ---- In options ---- */

/* Whether the path is relative once it is filled in, not only as it is written. What cannot be
 * filled in here and now (a profile of another machine) is left as it is. */
static bool is_relative_path(const struct pipeline *p, const char *text)
{
	struct etl_error none = ERROR_INIT;
	char *filled = NULL;
	bool relative;

	if (strncmp(text, "${", 2) != 0)
		return *text && *text != '/' && strcmp(text, "-") != 0;
	relative = interpolate(text, p->folder, "", true, &filled, &none) == ETL_OK && *filled &&
		   *filled != '/';
	error_clear(&none);
	free(filled);
	return relative;
}

static int move_option(const struct pipeline *p, const struct etl_option *o, config_setting_t *s,
		       struct etl_error *err)
{
	const char *text = config_setting_get_string(s);
	char *moved = NULL;

	if (!text)
		return ETL_OK;
	if (o->kind == ETL_OPT_PATH && is_relative_path(p, text) &&
	    asprintf(&moved, "%s/%s", p->folder, text) < 0)
		return error_memory(err);
	if (o->kind == ETL_OPT_URI && o->flags & ETL_OPT_LOCAL &&
	    !uri_absolute(text, p->folder, &moved))
		return error_memory(err);
	return moved ? put(s, moved, err) : ETL_OK;
}

static int move_group(const struct pipeline *p, const struct etl_option *options, size_t stride,
		      config_setting_t *group, struct etl_error *err)
{
	int status = ETL_OK;

	for (size_t i = 0; options && group && status == ETL_OK; i++) {
		const struct etl_option *o = ETL_AT(const struct etl_option, options, stride, i);
		config_setting_t *s = o->name ? config_setting_get_member(group, o->name) : NULL;

		if (!o->name)
			break;
		if (s && o->members && config_setting_is_group(s))
			status = move_group(p, o->members, stride, s, err);
		else if (s)
			status = move_option(p, o, s, err);
	}
	return status;
}

/* The group of a plugin; one that is not installed here is left as it is. FALLBACK: the plugin
 * when the group does not name it, as in a profile. */
static int move_plugin(const struct pipeline *p, config_setting_t *group,
		       const struct plugin *fallback, struct etl_error *err)
{
	struct etl_error none = ERROR_INIT;
	const struct plugin *plugin = fallback;
	const char *name = NULL;

	if (!group || !config_setting_is_group(group))
		return ETL_OK;
	if (config_setting_lookup_string(group, "plugin", &name) &&
	    registry_find(name, &plugin, &none) != ETL_OK)
		plugin = NULL;
	error_clear(&none);
	return plugin ? move_group(p, plugin->base.options, plugin->base.option_size, group, err) :
			ETL_OK;
}

static int move_plugins(const struct pipeline *p, config_setting_t *list, struct etl_error *err)
{
	int status = ETL_OK;

	for (int i = 0; list && i < config_setting_length(list) && status == ETL_OK; i++)
		status = move_plugin(p, config_setting_get_elem(list, (unsigned)i), NULL, err);
	return status;
}

static int move_level(const struct pipeline *p, config_setting_t *level, struct etl_error *err)
{
	int status = move_group(p, pipeline_top_options(), sizeof(struct etl_option), level, err);

	if (status == ETL_OK)
		status = move_plugin(p, config_setting_get_member(level, "source"),
				     p->source.plugin, err);
	if (status == ETL_OK)
		status = move_plugin(p, config_setting_get_member(level, "target"),
				     p->target.plugin, err);
	if (status == ETL_OK)
		status = move_plugins(p, config_setting_get_member(level, "transforms"), err);
	if (status == ETL_OK)
		status = move_plugins(p, config_setting_get_member(level, "validators"), err);
	return status;
}

int pipeline_uproot(struct pipeline *p, config_t *config, struct etl_error *err)
{
	config_setting_t *root = config_root_setting(config),
			 *profiles = config_setting_get_member(root, "profiles");
	int status = move_level(p, root, err);

	for (int i = 0; profiles && i < config_setting_length(profiles) && status == ETL_OK; i++)
		status = move_level(p, config_setting_get_elem(profiles, (unsigned)i), err);
	return status == ETL_OK ? move_all_references(p, root, err) : status;
}
