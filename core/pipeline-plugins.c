/*
 * Plugins that a pipeline names: found, loaded, asked whether they play the part, their options
 * checked. And the small readers that all parts of the file share.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <etlrun/helpers.h>

#include "interpolate.h"
#include "layer.h"
#include "pipeline-parts.h"

static const char *const role_names[] = { "", "source", "target", "transform", "validator" };

int pipeline_fail(const config_setting_t *s, struct etl_error *err, const char *format, ...)
{
	char buf[PIPELINE_ORIGIN], *text = NULL;
	va_list args;
	int length;

	va_start(args, format);
	length = vasprintf(&text, format, args);
	va_end(args);
	if (length < 0)
		return error_memory(err);
	error_set(err, ETL_USAGE, "%s: %s", setting_origin(s, buf, sizeof(buf)), text);
	free(text);
	return ETL_FAILED;
}

int pipeline_origin(const config_setting_t *s, struct origin *ret, struct etl_error *err)
{
	char buf[PIPELINE_ORIGIN];

	ret->text = strdup(setting_origin(s, buf, sizeof(buf)));
	return ret->text ? ETL_OK : error_memory(err);
}

int pipeline_later(struct pipeline *p, const config_setting_t *in, const char *key,
		   struct etl_error *err)
{
	const config_setting_t *s = config_setting_get_member(in, key);
	char buf[PIPELINE_ORIGIN];

	if (!s || p->unready)
		return ETL_OK;
	if (asprintf(&p->unready, "%s: `%s` is not in this version, which only copies; remove it",
		     setting_origin(s, buf, sizeof(buf)), key) >= 0)
		return ETL_OK;
	p->unready = NULL;
	return error_memory(err);
}

int pipeline_merges_only(struct pipeline *p, const config_setting_t *in, const char *key,
			 struct etl_error *err)
{
	const config_setting_t *s = config_setting_get_member(in, key);

	if (!s || pipeline_merges(p))
		return ETL_OK;
	return pipeline_fail(s, err, "`%s` belongs to mode = \"merge\"; remove it, or write that mode",
			     key);
}

int pipeline_syncs_only(const struct pipeline *p, const config_setting_t *in, const char *key, struct etl_error *err)
{
	const config_setting_t *s = config_setting_get_member(in, key);

	if (!s || p->mode == ETL_SYNC)
		return ETL_OK;
	return pipeline_fail(s, err, "`%s` belongs to mode = \"sync\"; remove it, or write that mode", key);
}

int pipeline_drift(const struct pipeline *p, const struct etl_conf *conf, const config_setting_t *in, uint32_t *ret,
		   struct etl_error *err)
{
	static const char *const words[] = { "add", "drop", "type" };
	uint32_t found = 0;

	if (!conf_given(conf, "allow_drift"))
		return ETL_OK;
	for (size_t i = 0; i < conf_list(conf, "allow_drift"); i++) {
		const char *word = conf_item(conf, "allow_drift", i);
		size_t k = 0;

		while (k < 3 && strcmp(words[k], word) != 0)
			k++;
		if (k == 3)
			return pipeline_fail(config_setting_get_member(in, "allow_drift"), err,
					     "`allow_drift` has \"%s\", but must be of add, drop, type", word);
		found |= 1u << k;
	}
	*ret = found;
	return pipeline_syncs_only(p, in, "allow_drift", err);
}

int pipeline_text(const struct etl_conf *conf, const char *key, char **ret, struct etl_error *err)
{
	const char *text = conf_str(conf, key);
	char *copy = text ? strdup(text) : NULL;

	if (text && !copy)
		return error_memory(err);
	*ret = copy;
	return ETL_OK;
}

int pipeline_list(const struct etl_conf *conf, const char *key, struct string_list *ret,
		  struct etl_error *err)
{
	size_t i, n = conf_list(conf, key);

	if (n == 0)
		return ETL_OK;
	ret->at = calloc(n, sizeof(*ret->at));
	if (!ret->at)
		return error_memory(err);
	for (i = 0; i < n; i++) {
		ret->at[i] = strdup(conf_item(conf, key, i));
		if (!ret->at[i])
			return error_memory(err);
		ret->count++;
	}
	return ETL_OK;
}

bool string_list_has(const struct string_list *list, const char *name)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcasecmp(list->at[i], name) == 0)
			return true;
	return false;
}

void string_list_clear(struct string_list *list)
{
	size_t i;

	for (i = 0; i < list->count; i++)
		free(list->at[i]);
	free(list->at);
	*list = (struct string_list){ .at = NULL };
}

int pipeline_scalar(struct pipeline *p, const config_setting_t *in, const char *key, char **ret,
		    struct etl_error *err)
{
	const config_setting_t *s = config_setting_get_member(in, key);
	char buf[PIPELINE_ORIGIN];
	int length;

	if (!s)
		return ETL_OK;
	switch (config_setting_type(s)) {
	case CONFIG_TYPE_STRING:
		return interpolate(config_setting_get_string(s), p->folder,
				   setting_origin(s, buf, sizeof(buf)), false, ret, err);
	case CONFIG_TYPE_INT:
	case CONFIG_TYPE_INT64:
		length = asprintf(ret, "%lld", config_setting_get_int64(s));
		break;
	case CONFIG_TYPE_BOOL:
		length = asprintf(ret, "%s", config_setting_get_bool(s) ? "true" : "false");
		break;
	case CONFIG_TYPE_FLOAT:
		return pipeline_fail(
			s, err,
			"`%s` is a number with a point, which is not exact; write it in quotes",
			key);
	default:
		return pipeline_fail(s, err, "`%s` wants a single value, not a group or list", key);
	}
	if (length >= 0)
		return ETL_OK;
	*ret = NULL;
	return error_memory(err);
}

int32_t pipeline_choice(const struct etl_conf *conf, const char *key, const char *const *names,
			int32_t absent)
{
	const char *text = conf_str(conf, key);
	int32_t i;

	for (i = 0; text && names[i]; i++)
		if (strcmp(names[i], text) == 0)
			return i;
	return absent;
}

int pipeline_check_type(const config_setting_t *s, const char *text, struct etl_error *err)
{
	static const char *const known[] = {
		"bool",	   "boolean", "int16",	 "int32",   "int64",	 "smallint",
		"integer", "bigint",  "float32", "float64", "real",	 "double precision",
		"decimal", "numeric", "text",	 "varchar", "char",	 "bytes",
		"blob",	   "bytea",   "date",	 "time",    "timestamp", "timestamp with time zone",
		"instant", "uuid",    "json",
	};
	struct etl_type_info type;
	char word[64];
	const char *near;

	if (etl_type_parse(text, &type, NULL))
		return ETL_OK;
	snprintf(word, sizeof(word), "%.*s", (int)strcspn(text, "("), text);
	near = option_nearest(word, known, sizeof(known) / sizeof(*known));
	return pipeline_fail(
		s, err,
		"\"%s\" is no type%s%s%s; types are such as \"bigint\", \"decimal(10,2)\", "
		"\"varchar(20)\" or \"timestamp with time zone\"",
		text, near && strcmp(near, word) != 0 ? "; did you mean \"" : "",
		near && strcmp(near, word) != 0 ? near : "",
		near && strcmp(near, word) != 0 ? "\"?" : "");
}

/* ---- Plugins ---- */

static bool plays(const struct plugin *plugin, int32_t role)
{
	switch (role) {
	case ETL_ROLE_SOURCE:
		return plugin->has_source;
	case ETL_ROLE_TARGET:
		return plugin->has_target;
	case ETL_ROLE_TRANSFORM:
		return plugin->has_transform;
	default:
		return plugin->has_validator;
	}
}

/* The parts a plugin plays, "source and target". */
static const char *parts(const struct plugin *plugin, char *buf, size_t size)
{
	int32_t role;

	buf[0] = '\0';
	for (role = ETL_ROLE_SOURCE; role <= ETL_ROLE_VALIDATOR; role++) {
		size_t used = strlen(buf);

		if (plays(plugin, role))
			snprintf(buf + used, size - used, "%s%s", used > 0 ? " and " : "",
				 role_names[role]);
	}
	return buf[0] ? buf : "nothing of these";
}

/* The plugin that the group names, with the place in front of what the registry says. */
static int find_plugin(struct pipeline *p, const config_setting_t *group, int32_t role,
		       const struct plugin **ret, struct etl_error *err)
{
	const config_setting_t *s = config_setting_get_member(group, "plugin");
	struct etl_error inner = ERROR_INIT;
	char *name = NULL, buf[128];
	int status;

	if (!s)
		return pipeline_fail(group, err, "this %s names no plugin; write plugin = \"NAME\"",
				     role_names[role]);
	if (config_setting_type(s) != CONFIG_TYPE_STRING)
		return pipeline_fail(s, err, "`plugin` wants a name in quotes");
	status = pipeline_scalar(p, group, "plugin", &name, err);
	if (status != ETL_OK)
		return status;
	status = registry_find(name, ret, &inner);
	if (status != ETL_OK && inner.klass == ETL_USAGE)
		pipeline_fail(s, err, "%s",
			      inner.message ? inner.message : "the plugin cannot be loaded");
	else if (status != ETL_OK)
		error_move(err, &inner);
	else if (!plays(*ret, role))
		status = pipeline_fail(s, err, "plugin %s is no %s, but %s", name, role_names[role],
				       parts(*ret, buf, sizeof(buf)));
	error_clear(&inner);
	free(name);
	return status;
}

static bool has_options(const struct plugin *plugin, uint32_t scope, uint32_t role)
{
	const uint32_t scopes = ETL_OPT_PER_STORE | ETL_OPT_PER_TABLE | ETL_OPT_PER_COLUMN;
	const uint32_t roles = ETL_OPT_SOURCE | ETL_OPT_TARGET;
	const struct etl_option *o = plugin->base.options;
	size_t i, stride = plugin->base.option_size;

	for (i = 0; o; i++) {
		const struct etl_option *at = ETL_AT(const struct etl_option, o, stride, i);
		uint32_t in = at->flags & scopes ? at->flags & scopes : ETL_OPT_PER_STORE;

		if (!at->name)
			return false;
		if (in & scope && (!role || !(at->flags & roles) || at->flags & role))
			return true;
	}
	return false;
}

int pipeline_scoped(struct pipeline *p, const struct plugin_use *use, uint32_t scope, uint32_t role,
		    const config_setting_t *group, const char *const *ignore, struct etl_conf **ret,
		    struct etl_error *err)
{
	char owner[96];
	struct option_group g = {
		.owner = owner,
		.options = use->plugin->base.options,
		.option_size = use->plugin->base.option_size,
		.scope = scope,
		.role = role,
		.folder = p->folder,
		.ignore = ignore,
	};
	struct etl_conf *conf = NULL;
	int status;

	snprintf(owner, sizeof(owner), "plugin %s", use->plugin->base.name);
	status = conf_check(&g, group, &conf, err);
	if (status != ETL_OK)
		return status;
	if (!has_options(use->plugin, scope, role)) {
		conf_free(conf);
		conf = NULL;
	}
	*ret = conf;
	return ETL_OK;
}

int pipeline_plugin(struct pipeline *p, const config_setting_t *group, int32_t role,
		    struct plugin_use *ret, struct etl_error *err)
{
	static const char *const ignore[] = { "plugin", NULL };
	struct plugin_use use = { .plugin = NULL };
	uint32_t side = role == ETL_ROLE_SOURCE ? ETL_OPT_SOURCE :
			role == ETL_ROLE_TARGET ? ETL_OPT_TARGET :
						  0;
	int status;

	if (!config_setting_is_group(group))
		return pipeline_fail(group, err, "a %s wants a group: { plugin = \"NAME\"; … }",
				     role_names[role]);
	status = find_plugin(p, group, role, &use.plugin, err);
	if (status == ETL_OK)
		status = pipeline_scoped(p, &use, ETL_OPT_PER_STORE, side, group, ignore, &use.conf,
					 err);
	if (status == ETL_OK)
		status = pipeline_origin(group, &use.origin, err);
	if (status != ETL_OK) {
		plugin_use_clear(&use);
		return status;
	}
	*ret = use;
	return ETL_OK;
}

int pipeline_plugins(struct pipeline *p, const config_setting_t *in, const char *key, int32_t role,
		     struct plugin_uses *ret, struct etl_error *err)
{
	const config_setting_t *list = config_setting_get_member(in, key);
	unsigned i, n;
	int status = ETL_OK;

	if (!list)
		return ETL_OK;
	n = config_setting_is_aggregate(list) ? (unsigned)config_setting_length(list) : 1;
	if (!config_setting_is_list(list) && !(config_setting_is_array(list) && n == 0))
		return pipeline_fail(
			list, err, "`%s` wants a list of groups: ( { plugin = \"NAME\"; } )", key);
	if (n == 0)
		return ETL_OK;
	ret->at = calloc(n, sizeof(*ret->at));
	if (!ret->at)
		return error_memory(err);
	for (i = 0; status == ETL_OK && i < n; i++) {
		status = pipeline_plugin(p, config_setting_get_elem(list, i), role, &ret->at[i],
					 err);
		ret->count += status == ETL_OK;
	}
	return status;
}

void plugin_use_clear(struct plugin_use *use)
{
	conf_free(use->conf);
	free(use->origin.text);
	*use = (struct plugin_use){ .plugin = NULL };
}

void plugin_uses_clear(struct plugin_uses *uses)
{
	size_t i;

	for (i = 0; i < uses->count; i++)
		plugin_use_clear(&uses->at[i]);
	free(uses->at);
	*uses = (struct plugin_uses){ .at = NULL };
}
