/*
 * Which plugins there are. A plugin is looked for in the folders of the search path in turn, and
 * the first folder that has a file of its name decides: a file that is refused there is an error,
 * never a reason to take another one further on.
 */
#include "config.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <etlrun/helpers.h>

#include "loader.h"
#include "normalise.h"
#include "options.h"
#include "registry.h"

#define NAME_SIZE  64
#define LISTED_MAX 40 /* names shown in a message */

struct names {
	char **at;
	size_t count;
};

static struct {
	struct names folders;
	char *added; /* what registry_add_path was given */
	bool ready, no_memory;
	struct plugin **plugins;
	size_t count;
} registry;

/* ---- A list of texts ------------------------------------------------------------------------- */

static bool names_add(struct names *names, const char *text, size_t length)
{
	char **grown = realloc(names->at, (names->count + 1) * sizeof(*grown));

	if (!grown)
		return false;
	names->at = grown;
	grown[names->count] = strndup(text, length);
	if (!grown[names->count])
		return false;
	names->count++;
	return true;
}

static bool names_have(const struct names *names, const char *text)
{
	size_t i;

	for (i = 0; i < names->count; i++)
		if (strcmp(names->at[i], text) == 0)
			return true;
	return false;
}

static void names_free(struct names *names)
{
	while (names->count > 0)
		free(names->at[--names->count]);
	free(names->at);
	names->at = NULL;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* ---- The search path ------------------------------------------------------------------------- */

/* Empty entries are nothing: they never mean the working folder. */
static bool add_folders(const char *list)
{
	size_t length;

	for (; list && *list; list += length + (list[length] == ':')) {
		length = strcspn(list, ":");
		if (length > 0 && !names_add(&registry.folders, list, length))
			return false;
	}
	return true;
}

/* The folder of the program, when it was started from the place where it was built. */
static bool add_build_folder(void)
{
	char exe[4096], *slash;
	struct stat st;
	ssize_t length = readlink("/proc/self/exe", exe, sizeof(exe) - sizeof("/plugins/.libs"));
	int up;

	if (length <= 0 || (size_t)length >= sizeof(exe) - sizeof("/plugins/.libs"))
		return true;
	exe[length] = '\0';
	/* libtool runs .libs/etlrun, where the program itself is a script. */
	for (up = 0; up < 2 && (slash = strrchr(exe, '/')); up++) {
		memcpy(slash, "/plugins/.libs", sizeof("/plugins/.libs"));
		if (stat(exe, &st) == 0 && S_ISDIR(st.st_mode))
			return names_add(&registry.folders, exe, strlen(exe));
		*slash = '\0';
		slash = strrchr(exe, '/');
		if (!slash || strcmp(slash, "/.libs") != 0)
			return true;
	}
	return true;
}

static int make_ready(struct etl_error *err)
{
	if (registry.ready)
		return ETL_OK;
	names_free(&registry.folders);
	if (registry.no_memory || !add_folders(registry.added) ||
	    !add_folders(secure_getenv("ETLRUN_PLUGIN_PATH")) || !add_build_folder() ||
	    !names_add(&registry.folders, ETLRUN_PLUGINDIR, strlen(ETLRUN_PLUGINDIR)))
		return error_memory(err);
	registry.ready = true;
	return ETL_OK;
}

void registry_add_path(const char *path)
{
	char *joined;

	registry.ready = false;
	if (asprintf(&joined, "%s%s%s", registry.added ? registry.added : "",
		     registry.added ? ":" : "", path) < 0) {
		registry.no_memory = true;
		return;
	}
	free(registry.added);
	registry.added = joined;
}

/* ---- What is there --------------------------------------------------------------------------- */

/* The name of a plugin's file, or nothing for other files. */
static size_t name_length(const char *file)
{
	size_t length = strlen(file), suffix = strlen(PLUGIN_SUFFIX);

	if (length <= suffix || length - suffix >= NAME_SIZE ||
	    strcmp(file + length - suffix, PLUGIN_SUFFIX) != 0)
		return 0;
	return length - suffix;
}

static int list_folder(const char *folder, struct names *ret, struct etl_error *err)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	char name[NAME_SIZE];
	size_t length;
	int status = ETL_OK;

	if (!dir)
		return ETL_OK;
	while (status == ETL_OK && (entry = readdir(dir))) {
		length = name_length(entry->d_name);
		memcpy(name, entry->d_name, length);
		name[length] = '\0';
		if (length > 0 && loader_is_name(name) && !names_have(ret, name) &&
		    !names_add(ret, name, length))
			status = error_memory(err);
	}
	closedir(dir);
	return status;
}

/* Every name that could be loaded, in order, without loading anything. */
static int list_names(struct names *ret, struct etl_error *err)
{
	char name[NAME_SIZE];
	size_t i;

	for (i = 0; loader_linked(i, name, sizeof(name)); i++)
		if (!names_have(ret, name) && !names_add(ret, name, strlen(name)))
			return error_memory(err);
	for (i = 0; i < registry.folders.count; i++)
		if (list_folder(registry.folders.at[i], ret, err) < 0)
			return ETL_FAILED;
	if (ret->count > 0)
		qsort(ret->at, ret->count, sizeof(*ret->at), by_text);
	return ETL_OK;
}

static void add_list(struct etl_text *text, const struct names *names)
{
	size_t i;

	for (i = 0; i < names->count && i < LISTED_MAX; i++)
		etl_text_addf(text, "%s%s", i ? ", " : "", names->at[i]);
	if (names->count > LISTED_MAX)
		etl_text_addf(text, " and %zu more", names->count - LISTED_MAX);
}

static int unknown(const char *name, struct etl_error *err)
{
	struct names there = { 0 };
	struct etl_text text = { 0 };
	const char *near;

	if (list_names(&there, err) == ETL_OK) {
		near = option_nearest(name, (const char *const *)there.at, there.count);
		etl_text_addf(&text, "no plugin \"%s\"", name);
		if (near)
			etl_text_addf(&text, "; did you mean \"%s\"?", near);
		etl_text_add(&text, near ? " Installed: " : "; installed: ");
		add_list(&text, &there);
		etl_text_add(&text, there.count ? ". Looked in " : "none. Looked in ");
		add_list(&text, &registry.folders);
		etl_text_add(&text,
			     "; another folder is named with --plugin-path or ETLRUN_PLUGIN_PATH");
		if (text.failed)
			error_memory(err);
		else
			error_set(err, ETL_USAGE, "%s", text.at);
	}
	etl_text_free(&text);
	names_free(&there);
	return ETL_FAILED;
}

/* ---- Loading one ----------------------------------------------------------------------------- */

static int keep(struct plugin *plugin, struct etl_error *err)
{
	struct plugin **grown = realloc(registry.plugins,
					(registry.count + 1) * sizeof(struct plugin *));

	if (!grown)
		return error_memory(err);
	registry.plugins = grown;
	grown[registry.count++] = plugin;
	return ETL_OK;
}

/* PATH is owned by the result, or freed. */
static int adopt(const char *name, const struct etl_plugin *raw, char *path,
		 const struct plugin **ret, struct etl_error *err)
{
	struct plugin *plugin = calloc(1, sizeof(*plugin));
	int status;

	if (!plugin || !path)
		status = error_memory(err);
	else if ((status = normalise(plugin, raw, name, err)) == ETL_OK)
		status = keep(plugin, err);
	if (status < 0) {
		free(plugin);
		free(path);
		return status;
	}
	plugin->path = path;
	*ret = plugin;
	return ETL_OK;
}

/* Says which plugin was refused, before the reason. */
static int refuse(const char *name, const char *where, struct etl_error *reason,
		  struct etl_error *err)
{
	if (reason->klass == ETL_MEMORY)
		error_move(err, reason);
	else
		error_set(err, ETL_USAGE, "plugin \"%s\" is refused (%s): %s", name, where,
			  reason->message ? reason->message : "no memory to say why");
	error_clear(reason);
	return ETL_FAILED;
}

static int load_file(const char *folder, char *path, const char *name, const struct plugin **ret,
		     struct etl_error *err)
{
	struct etl_error reason = ERROR_INIT;
	const struct etl_plugin *raw;
	char *copy;

	if (loader_check(folder, path, &reason) == ETL_OK &&
	    loader_open(path, name, &raw, &reason) == ETL_OK) {
		copy = strdup(path);
		if (adopt(name, raw, copy, ret, &reason) == ETL_OK)
			return ETL_OK;
	}
	return refuse(name, path, &reason, err);
}

static int load_linked(const char *name, const struct plugin **ret, struct etl_error *err)
{
	struct etl_error reason = ERROR_INIT;
	const struct etl_plugin *raw;

	if (loader_open_linked(name, &raw, &reason) == ETL_OK) {
		if (!raw)
			return unknown(name, err);
		if (adopt(name, raw, strdup(""), ret, &reason) == ETL_OK)
			return ETL_OK;
	}
	return refuse(name, "linked into the program", &reason, err);
}

static int load(const char *name, const struct plugin **ret, struct etl_error *err)
{
	bool there = false;
	char *path;
	size_t i;
	int status;

	for (i = 0; i < registry.folders.count; i++) {
		status = loader_look(registry.folders.at[i], name, &there, &path, err);
		if (status < 0)
			return status;
		if (there)
			status = load_file(registry.folders.at[i], path, name, ret, err);
		free(path);
		if (there)
			return status;
	}
	return load_linked(name, ret, err);
}

/* ---- The registry ---------------------------------------------------------------------------- */

int registry_find(const char *name, const struct plugin **ret, struct etl_error *err)
{
	size_t i;

	if (!loader_is_name(name))
		return error_set(err, ETL_USAGE,
				 "\"%s\" is no name of a plugin: that is a small letter, then "
				 "small letters, digits "
				 "or _, and never a path; a folder is named with --plugin-path",
				 name);
	for (i = 0; i < registry.count; i++)
		if (strcmp(registry.plugins[i]->base.name, name) == 0) {
			*ret = registry.plugins[i];
			return ETL_OK;
		}
	if (make_ready(err) < 0)
		return ETL_FAILED;
	return load(name, ret, err);
}

int registry_each(int (*plugin)(const struct plugin *, void *),
		  void (*refused)(const char *, const char *, void *), void *data,
		  struct etl_error *err)
{
	struct etl_error reason = ERROR_INIT;
	struct names there = { 0 };
	const struct plugin *found;
	size_t i;
	int status = make_ready(err);

	if (status == ETL_OK)
		status = list_names(&there, err);
	for (i = 0; status == ETL_OK && i < there.count; i++) {
		if (registry_find(there.at[i], &found, &reason) == ETL_OK)
			status = plugin(found, data);
		else if (reason.klass == ETL_MEMORY)
			status = ETL_FAILED, error_move(err, &reason);
		else if (refused)
			refused(there.at[i],
				reason.message ? reason.message : "no memory to say why", data);
		error_clear(&reason);
	}
	names_free(&there);
	return status;
}

int registry_names(int (*name)(const char *, void *), void *data, struct etl_error *err)
{
	struct names there = { 0 };
	int status = make_ready(err);
	size_t i;

	if (status == ETL_OK)
		status = list_names(&there, err);
	for (i = 0; status == ETL_OK && i < there.count; i++)
		status = name(there.at[i], data);
	names_free(&there);
	return status;
}

struct scheme_search {
	const char *scheme;
	const struct plugin *found;
};

static bool has_alias(const char *schemes, const char *scheme)
{
	size_t length;

	for (; schemes && *schemes; schemes += length + (schemes[length] == '|')) {
		length = strcspn(schemes, "|");
		if (strlen(scheme) == length && strncmp(schemes, scheme, length) == 0)
			return true;
	}
	return false;
}

static int look_at_schemes(const struct plugin *plugin, void *data)
{
	struct scheme_search *search = data;

	if (!search->found && has_alias(plugin->base.schemes, search->scheme))
		search->found = plugin;
	return ETL_OK;
}

int registry_find_scheme(const char *scheme, const struct plugin **ret, struct etl_error *err)
{
	struct scheme_search search = { scheme, NULL };
	struct names there = { 0 };
	bool named;
	int status = make_ready(err);

	if (status == ETL_OK)
		status = list_names(&there, err);
	named = status == ETL_OK && names_have(&there, scheme);
	names_free(&there);
	if (status == ETL_OK && !named)
		status = registry_each(look_at_schemes, NULL, &search, err);
	if (status < 0)
		return status;
	if (!search.found)
		return registry_find(scheme, ret, err);
	*ret = search.found;
	return ETL_OK;
}
