/*
 * Which files take their names together. What was in files of the mapping that are not written again goes too, for a table that is
 * replaced is replaced as a whole.
 */
#include "config.h"

#include <unistd.h>

#include "target.h"

/* Calls STEP for each row of a list of names. */
static int each_name(struct etl_instance *inst, struct stage *stage, const char *sql,
		     int (*step)(struct etl_instance *, const char *name, void *data, struct etl_error *), void *data,
		     struct etl_error *err)
{
	sqlite3_stmt *names;
	int rc = json_stage_prepare(stage, sql, &names, err), code = SQLITE_DONE;

	if (rc)
		return rc;
	while (!rc && (code = sqlite3_step(names)) == SQLITE_ROW)
		rc = step(inst, (const char *)sqlite3_column_text(names, 0), data, err);
	if (!rc && code != SQLITE_DONE)
		rc = json_stage_fail(stage, err);
	sqlite3_finalize(names);
	return rc;
}

/* ---- What is there ----------------------------------------------------------------------------------------------------- */

static int refuse_existing(struct etl_instance *inst, const char *name, void *data, struct etl_error *err)
{
	bool there;
	int rc = files_output_exists(inst->files, name, &there, err);

	(void)data;
	if (rc || !there)
		return rc;
	return inst->host->fail(err, ETL_FATAL, NULL, 0,
				"%s%s%s is there already; write on_existing = \"replace\" to replace the files of the "
				"mapping, or remove it",
				inst->path, *name ? "/" : "", name);
}

int json_publish_check(struct target_plan *plan, struct stage *stage, struct etl_error *err)
{
	return each_name(plan->inst, stage, "SELECT name FROM file", refuse_existing, NULL, err);
}

static int note_stale(const struct target_plan *plan, const struct document *document, struct stage *stage,
		      const struct files_list *list, struct etl_error *err)
{
	sqlite3_stmt *note;
	int rc = json_stage_prepare(stage,
				    "INSERT OR IGNORE INTO stale SELECT ?1 WHERE NOT EXISTS (SELECT 1 FROM file WHERE name = ?1)",
				    &note, err);

	for (size_t i = 0; !rc && i < list->count; i++) {
		if (json_plan_leaves_out(plan, document, &list->at[i]))
			continue;
		sqlite3_bind_text(note, 1, list->at[i].name, -1, SQLITE_STATIC);
		rc = json_stage_step(stage, note, err);
	}
	sqlite3_finalize(note);
	return rc;
}

/* Files of the patterns that no row is in any more. */
int json_publish_find_stale(struct target_plan *plan, struct stage *stage, struct etl_error *err)
{
	struct files_list list = { 0 };
	int rc = ETL_OK;

	if (plan->inst->root_is_file || access(plan->inst->path, F_OK) != 0)
		return ETL_OK;
	for (size_t i = 0; !rc && i < plan->document_count; i++) {
		rc = files_list(plan->inst->files, plan->documents[i].files, &list, err);
		if (!rc)
			rc = note_stale(plan, &plan->documents[i], stage, &list, err);
	}
	files_list_clear(&list);
	return rc;
}

/* ---- The seal ------------------------------------------------------------------------------------------------------------------ */

static int add_one(struct etl_instance *inst, const char *name, void *data, struct etl_error *err)
{
	(void)inst;
	return files_publish_add(data, name, err);
}

static int remove_one(struct etl_instance *inst, const char *name, void *data, struct etl_error *err)
{
	(void)inst;
	return files_publish_remove(data, name, err);
}

int json_publish_seal(struct etl_instance *inst, const char *run, bool replace, struct stage *stage, struct etl_token *ret,
		      struct etl_error *err)
{
	struct files_publish *publish;
	int rc = files_publish_new(inst->files, run, replace, &publish, err);

	if (rc)
		return rc;
	rc = each_name(inst, stage, "SELECT name FROM file ORDER BY name", add_one, publish, err);
	if (!rc)
		rc = each_name(inst, stage, "SELECT name FROM stale ORDER BY name", remove_one, publish, err);
	if (!rc)
		return files_publish_seal(publish, ret, err);
	files_publish_free(publish);
	return rc;
}
