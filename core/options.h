/*
 * Options: what a plugin declares, checked against what the pipeline file says, and typed. An
 * etl_conf is one checked group; it answers the getters of struct etl_host.
 */
#ifndef CORE_OPTIONS_H
#define CORE_OPTIONS_H

#include <libconfig.h>

#include "error.h"

struct etl_conf;

/* What the checker has to know about a group beside its table. */
struct option_group {
	const char *owner;		  /* "plugin sqlite", "this file", for messages */
	const struct etl_option *options; /* ends with a NULL name */
	size_t option_size;
	uint32_t scope; /* ETL_OPT_PER_STORE, _PER_TABLE or _PER_COLUMN; 0: any */
	uint32_t role;	/* ETL_OPT_SOURCE or ETL_OPT_TARGET, or 0 */
	/* that relative paths, files and commands are relative to; NULL: none */
	const char *folder;
	/* keys that are the host's own here ("plugin"), NULL-ended; or NULL */
	const char *const *ignore;
};

/* Checks a libconfig group (NULL: an empty one) and types it; fills in defaults; a missing required
 * key, an unknown key (with "did you mean") or a wrong type fails with file and line. Interpolation
 * and relative paths are resolved here, secrets registered. */
int conf_check(const struct option_group *, const config_setting_t *group, struct etl_conf **ret,
	       struct etl_error *);
void conf_free(struct etl_conf *);

/* The getters of struct etl_host. CONF may be NULL: everything is absent. A group that the file
 * does not name is absent as a whole: its members' defaults come with the group, and conf_sub is
 * NULL. */
int conf_given(const struct etl_conf *, const char *name);
const char *conf_str(const struct etl_conf *, const char *name);
int64_t conf_num(const struct etl_conf *, const char *name);
int conf_flag(const struct etl_conf *, const char *name);
size_t conf_list(const struct etl_conf *, const char *name);
const char *conf_item(const struct etl_conf *, const char *name, size_t i);
const struct etl_conf *conf_sub(const struct etl_conf *, const char *name, size_t i);

/* What an option of a kind wants, for messages: "a whole number". */
const char *option_wanted(int32_t kind);
/* A limit as a person would write it: "1MiB", not 1048576. */
void option_limit(int32_t kind, int64_t n, char *buf, size_t size);

/* "sqlite:shop.db" with the path made absolute; *RET is NULL when it is as it should be. False:
 * no memory. */
bool uri_absolute(const char *uri, const char *folder, char **ret);

/* Text to number by kind, as conf_check does it; also for the command line. What is accepted:
 * ETL_OPT_SIZE "64MiB" "10kB" "512", ETL_OPT_DURATION "250ms" "30s", ETL_OPT_PERCENT "10%". */
bool option_number(int32_t kind, const char *text, int64_t *ret);
/* The nearest of the names to WORD, or NULL when none is near (Damerau-Levenshtein, at most a
 * third). */
const char *option_nearest(const char *word, const char *const *names, size_t count);

#endif
