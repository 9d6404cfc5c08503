/*
 * Splits are some files each; and the whole tree, as it is identified and kept.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"

int json_stamp(struct etl_instance *inst, struct etl_token *ret, struct etl_error *err)
{
	(void)err;
	files_stamp(inst->files, ret);
	return ETL_OK;
}

/* A pattern that is mistyped looks like a table that is empty. */
static void tell_none(struct etl_instance *inst, const struct json_table *t, const struct files_list *list)
{
	if (list->count == 0 && t->files)
		inst->host->log(inst->host, ETL_LOG_WARN, "table \"%s\": no file has a name that files = \"%s\" means", t->name,
				files_pattern_text(t->files));
}

/* Where doubles are sought in all files one reader has to have them all. */
int json_plan(struct etl_instance *inst, const struct etl_read *read, int64_t wanted, struct etl_split_sink *sink,
	      struct etl_error *err)
{
	struct files_list list = { 0 };
	struct json_table *t;
	int rc = json_table_of(inst, &read->dataset, &t, err);

	if (rc || !t)
		return rc;
	rc = files_list(inst->files, t->files, &list, err);
	if (!rc)
		tell_none(inst, t, &list);
	if (!rc)
		rc = files_plan(&list, read->limit > 0 || t->across ? 1 : wanted, sink);
	files_list_clear(&list);
	json_table_free(t);
	return rc;
}

int json_backup(struct etl_instance *inst, const struct etl_run *run, struct etl_token *kept, struct etl_error *err)
{
	const char *folder = inst->host->str(inst->conf, "backup");
	struct files_list list = { 0 };
	char *path = NULL;
	int rc;

	if (!folder)
		return ETL_OK;
	rc = files_list(inst->files, NULL, &list, err);
	if (!rc)
		rc = files_backup(inst->files, &list, folder, run->started, inst->host->num(inst->conf, "backups"), &path, err);
	if (!rc)
		snprintf(kept->text, sizeof(kept->text), "%s", path);
	free(path);
	files_list_clear(&list);
	return rc;
}
