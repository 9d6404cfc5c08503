/*
 * The inside of reading a pipeline file: what pipeline.c, pipeline-top.c, pipeline-tables.c and
 * pipeline-plugins.c ask of each other.
 */
#ifndef CORE_PIPELINE_PARTS_H
#define CORE_PIPELINE_PARTS_H

#include "pipeline.h"

enum { PIPELINE_ORIGIN = 512 };

/* Every plain key of the top level, and that no other is there. NAME is the default of `name`;
 * `delete` is the default of the tables'. */
int pipeline_top(struct pipeline *, const config_setting_t *root, const char *name,
		 int32_t *ret_deletes, struct etl_error *);
/* The plain keys of the top level; ends with a NULL name. */
const struct etl_option *pipeline_top_options(void);
/* on_error and max_rejects; the source must be read, for its kind has a say. */
int pipeline_rejects(struct pipeline *, const config_setting_t *root, struct etl_error *);
/* `tables`; source and target must be read. */
int pipeline_tables(struct pipeline *, const config_setting_t *root, int32_t deletes,
		    struct etl_error *);
void pipeline_tables_free(struct pipeline *);

/* A group with a `plugin` key, in one role. */
int pipeline_plugin(struct pipeline *, const config_setting_t *group, int32_t role,
		    struct plugin_use *ret, struct etl_error *);
/* The list KEY of such groups; absent: empty. */
int pipeline_plugins(struct pipeline *, const config_setting_t *in, const char *key, int32_t role,
		     struct plugin_uses *ret, struct etl_error *);
/* The validators that the target wishes for where the pipeline says nothing of any. */
int pipeline_wished_validators(struct pipeline *, const config_setting_t *root, struct etl_error *);
void plugin_use_clear(struct plugin_use *);
void plugin_uses_clear(struct plugin_uses *);
/* Options of a plugin for a table or column; NULL in *ret when it has none there. IGNORE: as
 * conf_check. */
int pipeline_scoped(struct pipeline *, const struct plugin_use *, uint32_t scope, uint32_t role,
		    const config_setting_t *group, const char *const *ignore, struct etl_conf **ret,
		    struct etl_error *);

/* A KEY that only modes of a later release obey is refused when the run is opened. */
int pipeline_later(struct pipeline *, const config_setting_t *in, const char *key,
		   struct etl_error *);
/* A KEY that speaks of merging, in a file with another mode, is an error. */
int pipeline_syncs_only(const struct pipeline *, const config_setting_t *in, const char *key, struct etl_error *);
int pipeline_merges_only(struct pipeline *, const config_setting_t *in, const char *key,
			 struct etl_error *);
/* "ORIGIN: sentence" as ETL_USAGE. */
int pipeline_fail(const config_setting_t *, struct etl_error *, const char *format, ...)
	ETL_PRINTF(3, 4);
int pipeline_origin(const config_setting_t *, struct origin *ret, struct etl_error *);
/* A copy of an option's text or list; absent: NULL or empty. */
int pipeline_text(const struct etl_conf *, const char *key, char **ret, struct etl_error *);
int pipeline_list(const struct etl_conf *, const char *key, struct string_list *ret,
		  struct etl_error *);
void string_list_clear(struct string_list *);
/* The value of KEY as text, whatever scalar it is; absent: NULL. */
int pipeline_scalar(struct pipeline *, const config_setting_t *in, const char *key, char **ret,
		    struct etl_error *);
/* `allow_drift` of CONF, which was read from IN; absent: *ret stays. */
int pipeline_drift(const struct pipeline *, const struct etl_conf *, const config_setting_t *in, uint32_t *ret,
		   struct etl_error *);
/* `keep_runs` of ROOT. */
int pipeline_keep_runs(struct pipeline *, const config_setting_t *root, struct etl_error *);
/* `commit_every` of ROOT, once the mode is known. */
int pipeline_commit_every(struct pipeline *, const config_setting_t *root, struct etl_error *);
/* The keys of a conflict_rule, beside others. */
#define PIPELINE_CONFLICT_OPTIONS                                                                              \
	{ .name = "conflicts", .kind = ETL_OPT_CHOICE, .choices = "source|target|newest|park" },               \
		{ .name = "newest", .kind = ETL_OPT_TEXT },                                                     \
		{ .name = "clock_skew", .kind = ETL_OPT_DURATION, .min = 0, .max = INT64_MAX / 1000000 },        \
	{                                                                                                      \
		.name = "row_hashes", .kind = ETL_OPT_FLAG                                                      \
	}
/* pipeline-conflicts.c: those of CONF, which was read from IN. */
int pipeline_conflicts(const struct pipeline *, const struct etl_conf *, const config_setting_t *in, struct conflict_rule *ret,
		       struct etl_error *);
void conflict_rule_clear(struct conflict_rule *);
/* The place of the option's text among NAMES, NULL-ended; ABSENT when there is none. */
int32_t pipeline_choice(const struct etl_conf *, const char *key, const char *const *names,
			int32_t absent);
/* That TEXT is a type (etl_type_parse), with "did you mean". */
int pipeline_check_type(const config_setting_t *, const char *text, struct etl_error *);
/* That TEXT is a cron line of five fields; the word it does not take is in *ret_wrong, for a
 * message. */
bool cron_valid(const char *text, const char **ret_wrong, size_t *ret_length);

#endif
