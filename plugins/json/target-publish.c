/*
 * Many files cannot change in one instant, so it is written down first, durably, that they shall: whoever comes next finishes it. What was
 * in files of the mapping that are not written again goes too, for a table that is replaced is replaced as a whole.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fault.h"
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

static int whole_path(struct etl_instance *inst, const char *name, char **ret, struct etl_error *err)
{
	if (asprintf(ret, "%s%s%s", inst->path, *name ? "/" : "", name) >= 0)
		return ETL_OK;
	*ret = NULL;
	return inst->host->fail(err, ETL_MEMORY, NULL, 0, "no memory to publish");
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

static int note_stale(struct stage *stage, const struct files_list *list, struct etl_error *err)
{
	sqlite3_stmt *note;
	int rc = json_stage_prepare(stage,
				    "INSERT OR IGNORE INTO stale SELECT ?1 WHERE NOT EXISTS (SELECT 1 FROM file WHERE name = ?1)",
				    &note, err);

	for (size_t i = 0; !rc && i < list->count; i++) {
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
			rc = note_stale(stage, &list, err);
	}
	files_list_clear(&list);
	return rc;
}

/* ---- Publishing ----------------------------------------------------------------------------------------------------------- */

static int publish_one(struct etl_instance *inst, const char *name, void *data, struct etl_error *err)
{
	ETL_FAULT("json.publish_file");
	return files_output_publish(inst->files, name, data, true, err);
}

static int remove_one(struct etl_instance *inst, const char *name, void *data, struct etl_error *err)
{
	char *path;
	int rc = whole_path(inst, name, &path, err);

	(void)data;
	ETL_FAULT("json.remove_stale");
	if (!rc && unlink(path) != 0 && errno != ENOENT && errno != ENOTDIR)
		rc = inst->host->fail(err, ETL_FATAL, NULL, errno,
				      "%s, a file of the mapping that no row is in, could not be removed: %s", path,
				      strerror(errno));
	free(path);
	return rc;
}

int json_publish(struct etl_instance *inst, const char *run, struct stage *stage, struct etl_error *err)
{
	int rc = each_name(inst, stage, "SELECT name FROM file ORDER BY id", publish_one, (void *)(uintptr_t)run, err);

	return rc ? rc : each_name(inst, stage, "SELECT name FROM stale", remove_one, NULL, err);
}

/* ---- The seal ------------------------------------------------------------------------------------------------------------------ */

/* Of one of the files: its name, and what it is on the disk, which renaming does not change. */
static int seal_file(struct etl_instance *inst, const char *name, void *data, struct etl_error *err)
{
	struct etl_token *seal = data;
	size_t size = strlen(seal->text);
	char *path = NULL;
	struct stat st;
	int rc = files_output_aside(inst->files, name, seal->text, &path, err);

	if (!rc && lstat(path, &st) != 0)
		rc = inst->host->fail(err, ETL_FATAL, NULL, errno, "%s, which was just written: %s", path,
				      strerror(errno));
	free(path);
	if (!rc)
		snprintf(seal->text + size, sizeof(seal->text) - size, " %llu %lld %s", (unsigned long long)st.st_ino,
			 (long long)st.st_size, name);
	return rc;
}

int json_publish_seal(struct etl_instance *inst, const char *run, struct stage *stage, struct etl_token *ret,
		      struct etl_error *err)
{
	struct etl_token seal;
	int rc;

	snprintf(seal.text, sizeof(seal.text), "%s", run);
	rc = each_name(inst, stage, "SELECT name FROM file WHERE length(name) < 300 ORDER BY length(name), name LIMIT 1",
		       seal_file, &seal, err);
	if (!rc)
		*ret = seal;
	return rc;
}

/* Without a stage there is only what was published to look at. */
int json_publish_is(struct etl_instance *inst, const struct etl_token *seal, int32_t *ret, struct etl_error *err)
{
	unsigned long long ino;
	long long size;
	int at = 0;
	struct stat st;
	char *path;
	int rc;

	*ret = 0;
	if (sscanf(seal->text, "%*s %llu %lld %n", &ino, &size, &at) < 2 || at == 0)
		return ETL_OK;
	rc = whole_path(inst, seal->text + at, &path, err);
	if (!rc && stat(path, &st) == 0)
		*ret = st.st_ino == ino && st.st_size == size;
	free(path);
	return rc;
}
