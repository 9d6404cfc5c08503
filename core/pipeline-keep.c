/*
 * `keep_runs`: how many runs are remembered, or for how long.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "pipeline-parts.h"

#define RUNS_DEFAULT 1000
#define MS_MOST	     (INT64_C(36500) * 86400000) /* a hundred years: the clock's microseconds take more */

/* "90 days" is "90d". */
static bool read_time(char *text, int64_t *ret)
{
	static const char *const ends[] = { " days", " day", "days", "day" };
	size_t length = strlen(text);

	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
		size_t end = strlen(ends[i]);

		if (length > end && strcmp(text + length - end, ends[i]) == 0) {
			strcpy(text + length - end, "d");
			break;
		}
	}
	return option_number(ETL_OPT_DURATION, text, ret) && *ret > 0 && *ret <= MS_MOST;
}

int pipeline_keep_runs(struct pipeline *p, const config_setting_t *root, struct etl_error *err)
{
	const config_setting_t *s = config_setting_get_member(root, "keep_runs");
	char *text = NULL;
	int status;

	p->keep_runs = RUNS_DEFAULT;
	p->keep_ms = 0;
	if (!s)
		return ETL_OK;
	status = pipeline_scalar(p, root, "keep_runs", &text, err);
	if (status != ETL_OK)
		return status;
	if (text[strspn(text, "0123456789")] != '\0') {
		p->keep_runs = 0;
		if (!read_time(text, &p->keep_ms))
			status = ETL_FAILED;
	} else if (!option_number(ETL_OPT_INT, text, &p->keep_runs) || p->keep_runs < 1) {
		status = ETL_FAILED;
	}
	if (status != ETL_OK)
		pipeline_fail(s, err, "`keep_runs` wants a number of runs, 1 or more, or a time such as \"90 days\", not \"%s\"", text);
	free(text);
	return status;
}
