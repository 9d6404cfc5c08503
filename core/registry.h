/*
 * The plugins of this process, by name: found on the search path, loaded once through libltdl,
 * checked and normalised (missing optional members replaced by defaults), never unloaded. Main
 * thread only until the first worker starts; read-only afterwards.
 */
#ifndef CORE_REGISTRY_H
#define CORE_REGISTRY_H

#include "error.h"

/* A loaded plugin. The tables are the host's own copies: every optional member that has a default
 * is filled, and a role that is not offered has `offers_…` false. */
struct plugin {
	const struct etl_plugin *raw; /* the plugin's own descriptor, for names and texts */
	char *path;		      /* of its file; "" when it was linked in */
	struct etl_plugin base;	      /* a copy */
	bool has_store, has_source, has_target, has_schema, has_transform, has_validator;
	struct etl_store store;
	struct etl_source source;
	struct etl_target target;
	struct etl_schema schema;
	struct etl_transform transform;
	struct etl_validator validator;
	/* Which optional members the plugin itself offers (a default stands in for the others). */
	bool can_pin, can_split, can_profile, can_profile_split, can_digest, can_staged, can_recall, can_ping,
		can_takes, can_mark, can_seal, can_revert, can_keep, can_derive, can_check, can_needs, can_inspect, can_wrap,
		can_watermark, can_digests, can_totals, can_repair,
		can_propose, can_backup, can_version, can_map, can_same;
};

/* Where to look, colon-separated, before ETLRUN_PLUGIN_PATH and the compiled-in folder. To be called before
 * the first registry_find. */
void registry_add_path(const char *path);
/* The plugin of that name, loaded when it was not. ETL_USAGE: not there, or refused; the message
 * says why and, for an unknown name, which one it might have been. */
int registry_find(const char *name, const struct plugin **ret, struct etl_error *);
/* The plugin for a URI scheme: its name, or one of its aliases. */
int registry_find_scheme(const char *scheme, const struct plugin **ret, struct etl_error *);
/* Loads all that can be found, in order of name; refused ones are handed to REFUSED with the
 * reason. */
int registry_each(int (*plugin)(const struct plugin *, void *),
		  void (*refused)(const char *path, const char *why, void *), void *data,
		  struct etl_error *);
/* The names of all that could be loaded, in order, without loading anything. */
int registry_names(int (*name)(const char *name, void *), void *data, struct etl_error *);

#endif
