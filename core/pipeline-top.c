/*
 * The plain keys of a pipeline's top level. They are declared as a plugin declares its options, and
 * checked by the same code: one way of being wrong, one way of saying so.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "layer.h"
#include "pipeline-parts.h"

enum {
	WORKERS_MOST = 1024,
	ALL_OF_A_MILLION = 1000000,
	NAME_MOST = 200
};

static const struct etl_option batch_options[] = { { .name = "rows",
						     .kind = ETL_OPT_INT,
						     .default_text = "8192",
						     .min = 1,
						     .max = ETL_BATCH_ROWS },
						   { .name = "bytes",
						     .kind = ETL_OPT_SIZE,
						     .default_text = "4MiB",
						     .min = 1024,
						     .max = (int64_t)1 << 30 },
						   { .name = NULL } };

static const struct etl_option rate_options[] = { { .name = "rows",
						    .kind = ETL_OPT_INT,
						    .flags = ETL_OPT_REQUIRED,
						    .min = 1,
						    .max = 1000000000 },
						  { .name = NULL } };

static const struct etl_option load_options[] = {
	{ .name = "lag", .kind = ETL_OPT_DURATION, .min = 1, .max = INT64_MAX },
	{ .name = "connections", .kind = ETL_OPT_INT, .min = 1, .max = INT64_MAX },
	{ .name = "check_every", .kind = ETL_OPT_DURATION, .default_text = "5s", .min = 100, .max = INT64_MAX / 1000000 },
	{ .name = "patience", .kind = ETL_OPT_DURATION, .default_text = "10m", .min = 0, .max = INT64_MAX / 1000000 },
	{ .name = NULL }
};

static const struct etl_option log_options[] = {
	{ .name = "file", .kind = ETL_OPT_PATH },
	{ .name = "format", .kind = ETL_OPT_CHOICE, .choices = "text|json" },
	{ .name = "level", .kind = ETL_OPT_CHOICE, .choices = "error|warn|info|debug" },
	{ .name = NULL }
};

static const struct etl_option schedule_options[] = {
	{ .name = "cron",
	  .kind = ETL_OPT_TEXT,
	  .flags = ETL_OPT_REQUIRED,
	  .help = "five fields, such as \"*/15 * * * *\"" },
	{ .name = "overlap",
	  .kind = ETL_OPT_CHOICE,
	  .default_text = "skip",
	  .choices = "skip|queue|forbid" },
	{ .name = NULL }
};

static const struct etl_option top_options[] = {
	{ .name = "version", .kind = ETL_OPT_INT, .default_text = "1" },
	{ .name = "name", .kind = ETL_OPT_TEXT },
	{ .name = "mode",
	  .kind = ETL_OPT_CHOICE,
	  .default_text = "copy",
	  .choices = "copy|append|merge|sync" },
	{ .name = "on_existing",
	  .kind = ETL_OPT_CHOICE,
	  .default_text = "fail",
	  .choices = "fail|replace|truncate" },
	{ .name = "names",
	  .kind = ETL_OPT_CHOICE,
	  .default_text = "keep",
	  .choices = "keep|lower|snake" },
	{ .name = "scope", .kind = ETL_OPT_CHOICE, .default_text = "run", .choices = "run|table" },
	{ .name = "delete",
	  .kind = ETL_OPT_CHOICE,
	  .default_text = "none",
	  .choices = "none|soft|hard" },
	{ .name = "exclude", .kind = ETL_OPT_LIST },
	{ .name = "allow_drift", .kind = ETL_OPT_LIST },
	PIPELINE_CONFLICT_OPTIONS,
	{ .name = "types", .kind = ETL_OPT_PAIRS },
	{ .name = "foreign_keys", .kind = ETL_OPT_CHOICE, .choices = "enforce|defer|report|drop" },
	{ .name = "before", .kind = ETL_OPT_LIST },
	{ .name = "after_load", .kind = ETL_OPT_LIST },
	{ .name = "on_error",
	  .kind = ETL_OPT_CHOICE,
	  .choices = "stop|reject" },
	{ .name = "workers",
	  .kind = ETL_OPT_INT,
	  .default_text = "0",
	  .min = 0,
	  .max = WORKERS_MOST },
	{ .name = "batch", .kind = ETL_OPT_GROUP, .members = batch_options },
	{ .name = "rate", .kind = ETL_OPT_GROUP, .members = rate_options },
	{ .name = "source_load", .kind = ETL_OPT_GROUP, .members = load_options },
	{ .name = "overlap", .kind = ETL_OPT_DURATION, .default_text = "5m", .min = 0, .max = INT64_MAX },
	{ .name = "sweep", .kind = ETL_OPT_PERCENT, .default_text = "0%", .min = 0, .max = 1000000 },
	{ .name = "sweep_every", .kind = ETL_OPT_INT, .default_text = "0", .min = 0, .max = 1000000 },
	{ .name = "max_rows", .kind = ETL_OPT_INT, .default_text = "0", .min = 0, .max = INT64_MAX },
	{ .name = "memory_limit",
	  .kind = ETL_OPT_SIZE,
	  .default_text = "256MiB",
	  .min = 1 << 20,
	  .max = INT64_MAX },
	{ .name = "max_row",
	  .kind = ETL_OPT_SIZE,
	  .default_text = "64MiB",
	  .min = 1024,
	  .max = (int64_t)1 << 30 },
	{ .name = "retries", .kind = ETL_OPT_INT, .default_text = "5", .min = 0, .max = 100 },
	{ .name = "state", .kind = ETL_OPT_PATH },
	{ .name = "keep_old", .kind = ETL_OPT_INT, .default_text = "0", .min = 0, .max = 1000 },
	{ .name = "undo", .kind = ETL_OPT_FLAG, .default_text = "false" },
	{ .name = "log", .kind = ETL_OPT_GROUP, .members = log_options },
	{ .name = "rejects_file", .kind = ETL_OPT_PATH },
	{ .name = "schedule", .kind = ETL_OPT_GROUP, .members = schedule_options },
	{ .name = NULL }
};
static const char *const top_others[] = { "source",	 "target",   "tables",	     "transforms", "validators",
					  "max_rejects", "profiles", "commit_every", "keep_runs", NULL };

const struct etl_option *pipeline_top_options(void)
{
	return top_options;
}

/* ---- Choices ---- */

static void read_choices(struct pipeline *p, const struct etl_conf *c, const config_setting_t *root)
{
	static const char *const modes[] = { "copy", "append", "merge", "sync", NULL };
	static const char *const existing[] = { "fail", "replace", "truncate", NULL };
	static const char *const names[] = { "keep", "lower", "snake", NULL };
	static const char *const policies[] = { "enforce", "defer", "report", "drop", NULL };
	static const char *const errors[] = { "stop", "reject", NULL };
	const config_setting_t *s = config_setting_get_member(root, "on_existing");
	struct origin origin = { .text = NULL };

	p->mode = pipeline_choice(c, "mode", modes, ETL_COPY);
	p->on_existing = pipeline_choice(c, "on_existing", existing, ETL_EXISTING_FAIL);
	p->names = (enum names_rule)pipeline_choice(c, "names", names, NAMES_KEEP);
	p->foreign_keys = pipeline_choice(c, "foreign_keys", policies, -1);
	p->table_scope = strcmp(conf_str(c, "scope"), "table") == 0;
	p->on_error = pipeline_choice(c, "on_error", errors, -1);
	p->undo = conf_flag(c, "undo") != 0;
	if (s && pipeline_origin(s, &origin, NULL) == ETL_OK)
		p->on_existing_from_command = strncmp(origin.text, "--set ", 6) == 0;
	free(origin.text);
}

/* ---- Numbers ---- */

static int32_t cores(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n < 1 ? 1 : n > WORKERS_MOST ? WORKERS_MOST : (int32_t)n;
}

static void read_numbers(struct pipeline *p, const struct etl_conf *c)
{
	const struct etl_conf *batch = conf_sub(c, "batch", 0);

	p->workers = (int32_t)conf_num(c, "workers");
	if (p->workers == 0)
		p->workers = cores();
	p->batch_rows = batch ? conf_num(batch, "rows") : ETL_BATCH_ROWS;
	p->batch_bytes = batch ? conf_num(batch, "bytes") : ETL_BATCH_BYTES;
	p->overlap = conf_num(c, "overlap");
	p->sweep = conf_num(c, "sweep");
	p->sweep_every = conf_num(c, "sweep_every");
	p->rate_rows = conf_num(conf_sub(c, "rate", 0), "rows");
	p->max_rows = conf_num(c, "max_rows");
	p->memory_limit = conf_num(c, "memory_limit");
	p->max_row = conf_num(c, "max_row");
	p->keep_old = conf_num(c, "keep_old");
	p->retries = conf_num(c, "retries");
}

static int read_load(struct pipeline *p, const struct etl_conf *c, const config_setting_t *root, struct etl_error *err)
{
	const config_setting_t *s = config_setting_get_member(root, "source_load");
	const struct etl_conf *load = conf_sub(c, "source_load", 0);

	p->source_load.lag = conf_given(load, "lag") ? conf_num(load, "lag") : -1;
	p->source_load.active = conf_given(load, "connections") ? conf_num(load, "connections") : -1;
	p->source_load.check_every = conf_num(load, "check_every");
	p->source_load.patience = conf_num(load, "patience");
	if (!s)
		return ETL_OK;
	if (p->source_load.lag < 0 && p->source_load.active < 0)
		return pipeline_fail(s, err,
				     "`source_load` bounds nothing; write lag = \"10s\", connections = 50, or both");
	return pipeline_origin(s, &p->source_load.origin, err);
}

/* A number of rows or a percentage; by default none with stop and all with reject. */
static int read_max_rejects(struct pipeline *p, const config_setting_t *root, struct etl_error *err)
{
	const config_setting_t *s = config_setting_get_member(root, "max_rejects");
	char *text = NULL;
	int status;

	p->max_rejects = p->reject_rows ? ALL_OF_A_MILLION : 0;
	p->max_rejects_percent = p->reject_rows;
	if (!s)
		return ETL_OK;
	status = pipeline_scalar(p, root, "max_rejects", &text, err);
	if (status != ETL_OK)
		return status;
	p->max_rejects_percent = strchr(text, '%') != NULL;
	if (!option_number(p->max_rejects_percent ? ETL_OPT_PERCENT : ETL_OPT_INT, text,
			   &p->max_rejects) ||
	    p->max_rejects < 0)
		status = pipeline_fail(
			s, err,
			"`max_rejects` wants a number of rows or a percentage such as \"1%%\", "
			"not \"%s\"",
			text);
	else if (p->max_rejects > 0 && !p->reject_rows)
		status = pipeline_fail(
			s, err,
			"`max_rejects` is %s, but the first rejected row stops the run; write "
			"on_error = \"reject\" too",
			text);
	free(text);
	return status;
}

int pipeline_rejects(struct pipeline *p, const config_setting_t *root, struct etl_error *err)
{
	bool files = (p->source.plugin->store.flags & ETL_FILES) != 0;

	p->reject_rows = p->on_error < 0 ? files : p->on_error > 0;
	return read_max_rejects(p, root, err);
}

/* ---- Texts ---- */

static int read_types(struct pipeline *p, const struct etl_conf *c, const config_setting_t *root,
		      struct etl_error *err)
{
	const config_setting_t *list = config_setting_get_member(root, "types");
	size_t i, n = conf_list(c, "types") / 2;
	int status = ETL_OK;

	if (n == 0)
		return ETL_OK;
	p->types = calloc(n, sizeof(*p->types));
	if (!p->types)
		return error_memory(err);
	for (i = 0; status == ETL_OK && i < n; i++) {
		struct type_rule *rule = &p->types[p->type_count++];

		rule->declared = strdup(conf_item(c, "types", 2 * i));
		rule->type = strdup(conf_item(c, "types", 2 * i + 1));
		if (!rule->declared || !rule->type)
			return error_memory(err);
		status = pipeline_check_type(config_setting_get_elem(list, (unsigned)i), rule->type,
					     err);
	}
	return status;
}

static int read_name(struct pipeline *p, const struct etl_conf *c, const config_setting_t *root,
		     const char *name, struct etl_error *err)
{
	const config_setting_t *s = config_setting_get_member(root, "name");
	const char *given = conf_str(c, "name"), *at;

	if (given)
		name = given;
	for (at = name; *at; at++)
		if (*at == '/' || (unsigned char)*at < ' ')
			break;
	if (given && (!*name || *at || strlen(name) > NAME_MOST))
		return pipeline_fail(s, err,
				     "`name` wants 1 to %d characters without / and line breaks",
				     NAME_MOST);
	p->name = strdup(name);
	return p->name ? ETL_OK : error_memory(err);
}

static int read_texts(struct pipeline *p, const struct etl_conf *c, struct etl_error *err)
{
	const struct etl_conf *log = conf_sub(c, "log", 0);
	int status = pipeline_text(c, "state", &p->state, err);

	if (status == ETL_OK)
		status = pipeline_text(c, "rejects_file", &p->rejects_file, err);
	if (status == ETL_OK)
		status = pipeline_text(log, "file", &p->log_file, err);
	if (status == ETL_OK)
		status = pipeline_text(log, "format", &p->log_format, err);
	if (status == ETL_OK)
		status = pipeline_text(log, "level", &p->log_level, err);
	if (status == ETL_OK)
		status = pipeline_list(c, "exclude", &p->exclude, err);
	if (status == ETL_OK)
		status = pipeline_list(c, "before", &p->before, err);
	if (status == ETL_OK)
		status = pipeline_list(c, "after_load", &p->after_load, err);
	return status;
}

/* ---- Checks between keys ---- */

static int check_schedule(const struct etl_conf *c, const config_setting_t *root,
			  struct etl_error *err)
{
	const char *cron = conf_str(conf_sub(c, "schedule", 0), "cron"), *wrong;
	const config_setting_t *s;
	size_t length;

	if (!cron || cron_valid(cron, &wrong, &length))
		return ETL_OK;
	s = config_setting_get_member(config_setting_get_member(root, "schedule"), "cron");
	if (length == 0)
		return pipeline_fail(s, err,
				     "`cron` is \"%s\", which has too few fields; write minute, "
				     "hour, day, month "
				     "and day of the week: \"*/15 * * * *\"",
				     cron);
	return pipeline_fail(
		s, err,
		"`cron` is \"%s\", and %.*s does not belong there; write minute, hour, day, month "
		"and day of the week: \"*/15 * * * *\"",
		cron, (int)length, wrong);
}

static int check_version(const struct etl_conf *c, const config_setting_t *root,
			 struct etl_error *err)
{
	const config_setting_t *s = config_setting_get_member(root, "version");

	if (conf_num(c, "version") == 1)
		return ETL_OK;
	return pipeline_fail(s, err,
			     "the file is of version %lld, but this etlrun reads version 1; write "
			     "version = 1, or "
			     "use a newer etlrun",
			     (long long)conf_num(c, "version"));
}

/* A default gives way to what the file says; two things that it says must agree. */
static int check_limits(struct pipeline *p, const config_setting_t *root, struct etl_error *err)
{
	const config_setting_t *batch = config_setting_get_member(root, "batch");
	const config_setting_t *bytes = batch ? config_setting_get_member(batch, "bytes") : NULL;

	if (!bytes && p->batch_bytes > p->memory_limit)
		p->batch_bytes = p->memory_limit;
	if (p->batch_bytes <= p->memory_limit)
		return ETL_OK;
	return pipeline_fail(bytes, err,
			     "a batch of %lld bytes is more than memory_limit, %lld bytes; lower "
			     "batch.bytes or raise memory_limit",
			     (long long)p->batch_bytes, (long long)p->memory_limit);
}

/* Keys that one mode has and another has not: passed over they would promise something. */
static int check_mode(const struct pipeline *p, const config_setting_t *root, struct etl_error *err)
{
	const config_setting_t *existing = config_setting_get_member(root, "on_existing");
	const config_setting_t *undo = config_setting_get_member(root, "undo");
	const config_setting_t *keep_old = config_setting_get_member(root, "keep_old");

	if (p->mode != ETL_COPY && existing &&
	    p->on_existing != ETL_EXISTING_FAIL)
		return pipeline_fail(existing, err,
				     "`on_existing` is about mode = \"copy\"; this mode keeps the tables "
				     "that are there; remove it");
	if (p->mode != ETL_COPY && p->keep_old > 0)
		return pipeline_fail(keep_old, err,
				     "`keep_old` keeps what a copy replaces; append and merge replace "
				     "no file: undo = true keeps what they change; remove it");
	if (p->mode == ETL_COPY && p->undo)
		return pipeline_fail(undo, err,
				     "`undo` keeps the rows that mode = \"merge\" changes; a copy keeps "
				     "whole files with keep_old");
	return ETL_OK;
}

static int check_profiles(const config_setting_t *root, struct etl_error *err)
{
	const config_setting_t *s = config_setting_get_member(root, "profiles");

	if (!s || config_setting_is_group(s))
		return ETL_OK;
	return pipeline_fail(s, err, "`profiles` wants a group of groups: { prod = { … }; }");
}

int pipeline_top(struct pipeline *p, const config_setting_t *root, const char *name,
		 int32_t *ret_deletes, struct etl_error *err)
{
	static const char *const deletes[] = { "none", "soft", "hard", NULL };
	struct option_group g = {
		.owner = "the pipeline",
		.options = top_options,
		.option_size = sizeof(struct etl_option),
		.folder = p->folder,
		.ignore = top_others,
	};
	struct etl_conf *c = NULL;
	int status = conf_check(&g, root, &c, err);

	if (status != ETL_OK)
		return status;
	read_choices(p, c, root);
	read_numbers(p, c);
	status = check_version(c, root, err);
	if (status == ETL_OK)
		status = read_name(p, c, root, name, err);
	if (status == ETL_OK)
		status = read_texts(p, c, err);
	if (status == ETL_OK)
		status = read_types(p, c, root, err);
	if (status == ETL_OK)
		status = read_load(p, c, root, err);
	if (status == ETL_OK)
		status = check_schedule(c, root, err);
	if (status == ETL_OK)
		status = check_limits(p, root, err);
	if (status == ETL_OK)
		status = check_profiles(root, err);
	if (status == ETL_OK)
		status = check_mode(p, root, err);
	if (status == ETL_OK && p->exclude.count)
		status = pipeline_origin(config_setting_get_member(root, "exclude"), &p->exclude_origin, err);
	if (status == ETL_OK)
		status = pipeline_later(p, root, "schedule", err);
	if (status == ETL_OK)
		status = pipeline_commit_every(p, root, err);
	if (status == ETL_OK)
		status = pipeline_keep_runs(p, root, err);
	if (status == ETL_OK)
		status = pipeline_merges_only(p, root, "delete", err);
	if (status == ETL_OK)
		status = pipeline_syncs_only(p, root, "overlap", err);
	if (status == ETL_OK)
		status = pipeline_syncs_only(p, root, "sweep", err);
	if (status == ETL_OK && p->sweep && p->max_rows)
		status = pipeline_fail(config_setting_get_member(root, "sweep"), err,
				       "`sweep` compares some of the keys, and `max_rows` all of them; remove one of them, or write sweep_every "
				       "= N");
	if (status == ETL_OK)
		status = pipeline_syncs_only(p, root, "sweep_every", err);
	if (status == ETL_OK)
		status = pipeline_syncs_only(p, root, "max_rows", err);
	if (status == ETL_OK)
		status = pipeline_drift(p, c, root, &p->allow_drift, err);
	if (status == ETL_OK)
		status = pipeline_conflicts(p, c, root, &p->conflicts, err);
	*ret_deletes = pipeline_choice(c, "delete", deletes, ETL_DELETE_NONE);
	conf_free(c);
	return status;
}
