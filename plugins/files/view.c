/*
 * What plugins of files have instead of a snapshot. A view is the list of the files with their sizes and times: one that is no longer
 * what was listed ends the run (input.c, plan.c), so there is nothing to hold, and any instance can enter.
 */
#include "config.h"

#include <stdio.h>

#include "backend.h"

int files_view_pin(struct etl_instance *inst, struct etl_token *ret, struct etl_error *err)
{
	(void)inst;
	(void)err;
	snprintf(ret->text, sizeof(ret->text), "files");
	return ETL_OK;
}

int files_view_join(struct etl_instance *inst, const struct etl_token *token, struct etl_error *err)
{
	(void)inst;
	(void)token;
	(void)err;
	return ETL_OK;
}

int files_view_ping(const struct files *files, int32_t role, const char *fact, const char *root, struct etl_fact_sink *sink)
{
	if (files_is_standard(files))
		return sink->emit(sink, "stream", role == ETL_ROLE_SOURCE ? "standard input" : "standard output");
	return sink->emit(sink, fact, root);
}
