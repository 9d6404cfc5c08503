/*
 * `commit_every`: a number of rows, "auto", or a group of both bounds.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "pipeline-parts.h"

#define SECONDS_DEFAULT 10

static const struct etl_option commit_options[] = {
	{ .name = "rows", .kind = ETL_OPT_INT, .min = 1, .max = INT64_MAX },
	{ .name = "seconds", .kind = ETL_OPT_DURATION, .default_text = "10", .min = 1, .max = INT64_MAX / 1000000 },
	{ .name = NULL }
};

static int read_group(struct pipeline *p, const config_setting_t *s, struct etl_error *err)
{
	struct option_group g = { .owner = "commit_every",
				  .options = commit_options,
				  .option_size = sizeof(struct etl_option),
				  .folder = p->folder };
	struct etl_conf *c = NULL;
	int status = conf_check(&g, s, &c, err);

	if (status != ETL_OK)
		return status;
	p->commit.adapts = !conf_given(c, "rows");
	p->commit.rows = p->commit.adapts ? INT64_MAX : conf_num(c, "rows");
	p->commit.ms = conf_num(c, "seconds");
	conf_free(c);
	return ETL_OK;
}

static int read_scalar(struct pipeline *p, const config_setting_t *root, const config_setting_t *s, struct etl_error *err)
{
	char *text = NULL;
	int status = pipeline_scalar(p, root, "commit_every", &text, err);

	if (status != ETL_OK)
		return status;
	p->commit.adapts = strcmp(text, "auto") == 0;
	p->commit.rows = INT64_MAX;
	p->commit.ms = SECONDS_DEFAULT * 1000;
	if (!p->commit.adapts && (!option_number(ETL_OPT_INT, text, &p->commit.rows) || p->commit.rows < 1))
		status = pipeline_fail(s, err,
				       "`commit_every` wants a number of rows, \"auto\", or { rows = …; seconds = …; }, not \"%s\"",
				       text);
	free(text);
	return status;
}

int pipeline_commit_every(struct pipeline *p, const config_setting_t *root, struct etl_error *err)
{
	const config_setting_t *s = config_setting_get_member(root, "commit_every");
	int status;

	if (!s)
		return ETL_OK;
	p->commit.given = true;
	status = config_setting_is_group(s) ? read_group(p, s, err) : read_scalar(p, root, s, err);
	if (status == ETL_OK)
		status = pipeline_syncs_only(p, root, "commit_every", err);
	return status == ETL_OK ? pipeline_origin(s, &p->commit.origin, err) : status;
}
