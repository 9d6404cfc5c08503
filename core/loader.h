/*
 * Opening one plugin file: whether it may be loaded at all, and then through libltdl with a loader
 * of our own. Nothing that is refused here was given to the dynamic linker. Main thread only.
 */
#ifndef CORE_LOADER_H
#define CORE_LOADER_H

#include "error.h"

#define PLUGIN_SUFFIX ".so"

/* True for [a-z][a-z0-9_]*, at most 63 characters: what may be part of a path and of a symbol. */
bool loader_is_name(const char *name);
/* True when FOLDER has an entry for the plugin, whatever it is; PATH is its path, which the caller
 * frees. ETL_MEMORY is the only failure. */
int loader_look(const char *folder, const char *name, bool *ret_there, char **ret_path,
		struct etl_error *);
/* Why the file may not be loaded: a sentence about it and its folder. */
int loader_check(const char *folder, const char *path, struct etl_error *);
/* Loads a checked file; it stays loaded until the process ends. */
int loader_open(const char *path, const char *name, const struct etl_plugin **ret,
		struct etl_error *);
/* The same for a plugin that was linked into the program. *ret is NULL when it was not. */
int loader_open_linked(const char *name, const struct etl_plugin **ret, struct etl_error *);
/* The name of the I-th plugin that was linked in, into BUF; false beyond the last. */
bool loader_linked(size_t i, char *buf, size_t size);

#endif
