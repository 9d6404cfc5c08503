/*
 * The life of the staging file (stage-file.c): made beside the target when the first load begins, opened again
 * from its token, thrown away by abort.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "fault.h"
#include "given.h"
#include "into.h"
#include "pages.h"

int sqlite_number_of(struct etl_instance *inst, sqlite3 *db, const char *sql, const char *text,
		     int64_t fallback, int64_t *ret, struct etl_error *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite_prepare(inst, db, sql, &stmt, err);

	if (rc)
		return rc;
	if (text)
		sqlite3_bind_text(stmt, 1, text, -1, SQLITE_STATIC);
	switch (sqlite3_step(stmt)) {
	case SQLITE_ROW:
		*ret = sqlite3_column_int64(stmt, 0);
		break;
	case SQLITE_DONE:
		*ret = fallback;
		break;
	default:
		rc = sqlite_fail(inst, db, err, "running \"%.200s\"", sql);
	}
	sqlite3_finalize(stmt);
	return rc;
}

int sqlite_number(struct etl_instance *inst, sqlite3 *db, const char *sql, int64_t fallback,
		  int64_t *ret, struct etl_error *err)
{
	return sqlite_number_of(inst, db, sql, NULL, fallback, ret, err);
}

/* ---- State in memory ---------------------------------------------------------------------------------- */

void sqlite_stage_free(struct etl_instance *inst, struct sqlite_stage *stage)
{
	size_t i;

	if (!stage)
		return;
	page_ahead_stop(stage);
	sqlite_old_close(inst, stage);
	sqlite_let_go(stage);
	for (i = 0; i < stage->goal_count; i++)
		free(stage->goals[i].name);
	for (i = 0; i < stage->part_count; i++)
		free(stage->parts[i].ranges);
	free(stage->goals);
	free(stage->parts);
	free(stage->target);
	free(stage->folder);
	free(stage);
}

void sqlite_stage_close(struct etl_instance *inst)
{
	sqlite_close(inst, inst->stage);
	inst->stage = NULL;
	free(inst->stage_path);
	inst->stage_path = NULL;
	sqlite_stage_free(inst, inst->building);
	inst->building = NULL;
}

/* What is known before any file is made. */
int sqlite_look(struct etl_instance *inst, const struct etl_run *run, struct sqlite_stage **ret,
		struct etl_error *err)
{
	struct sqlite_stage *stage = calloc(1, sizeof(*stage));
	int rc;

	if (!stage)
		return inst->host->fail(err, ETL_MEMORY, NULL, 0, "%s: no memory", inst->path);
	stage->hold = -1;
	if (run) {
		stage->on_existing = run->on_existing;
		stage->run_flags = run->flags;
		stage->replaces = run->mode == ETL_COPY || run->flags & ETL_RUN_EMPTY;
	}
	rc = sqlite_where(inst, &stage->target, &stage->folder, err);
	if (!rc)
		rc = sqlite_old_open(inst, stage, err);
	if (!rc)
		rc = sqlite_find_basis(inst, stage, err);
	if (rc)
		sqlite_stage_free(inst, stage);
	else
		*ret = stage;
	return rc;
}

int sqlite_stage_goal(struct etl_instance *inst, struct sqlite_stage *stage, const char *name,
		      bool in_old, struct etl_error *err)
{
	struct sqlite_goal *more;
	char *copy = strdup(name);

	more = copy ? realloc(stage->goals, (stage->goal_count + 1) * sizeof(*more)) : NULL;
	if (!more) {
		free(copy);
		return inst->host->fail(err, ETL_MEMORY, NULL, 0, "%s: no memory", inst->path);
	}
	stage->goals = more;
	more[stage->goal_count++] = (struct sqlite_goal){ .name = copy, .in_old = in_old };
	return ETL_OK;
}

/* The mode that the source's settings, or the schema file, ask for: an interrupted run has applied that step. */
static int note_wal(struct etl_instance *inst, struct sqlite_stage *stage,
		    const struct etl_load *load, struct etl_error *err)
{
	const struct etl_table *table = load->table;

	if (sqlite_given_asked(inst))
		return load->index ? ETL_OK : sqlite_given_wants_wal(inst, &stage->wants_wal, err);
	if (table && table->kind == ETL_DATABASE && table->ddl && table->dialect &&
	    strcmp(table->dialect, "sqlite") == 0 && !(load->run->flags & ETL_RUN_DATA_ONLY))
		stage->wants_wal |= strstr(table->ddl, "PRAGMA journal_mode = wal") != NULL;
	return ETL_OK;
}

/* ---- begin ---------------------------------------------------------------------------------------------- */

static int check_run(struct etl_instance *inst, const struct etl_run *run, struct etl_error *err)
{
	if (into_runs(run) && inst->host->flag(inst->conf, "backup"))
		return inst->host->fail(
			err, ETL_USAGE, NULL, 0,
			"%s: backup = true keeps the file that a copy replaces, and append and merge "
			"replace none; undo = true keeps what a merge changes",
			inst->path);
	return ETL_OK;
}

int sqlite_stage_refuse(struct etl_instance *inst, const char *kind, const char *name,
			struct etl_error *err)
{
	inst->host->at(err, name, NULL, NULL);
	return inst->host->fail(
		err, ETL_FATAL, NULL, 0,
		"%s \"%s\" is already in %s; write on_existing = \"replace\" to replace it, "
		"\"truncate\" to keep it and swap its rows, or name another file",
		kind, name, inst->path);
}

/* DATA_ONLY with on_existing = fail: there must be a table, without rows. */
static int check_empty(struct etl_instance *inst, struct sqlite_stage *stage, const char *name,
		       struct etl_error *err)
{
	struct etl_text sql = { 0 };
	int64_t rows = 0;
	int rc;

	etl_text_add(&sql, "SELECT EXISTS (SELECT 1 FROM ");
	etl_text_add_name(&sql, name, '"');
	etl_text_add(&sql, ")");
	rc = sql.failed ? inst->host->fail(err, ETL_MEMORY, NULL, 0, "%s: no memory", inst->path) :
			  sqlite_number(inst, stage->old, sql.at, 0, &rows, err);
	etl_text_free(&sql);
	if (rc || !rows)
		return rc;
	inst->host->at(err, name, NULL, NULL);
	return inst->host->fail(
		err, ETL_FATAL, NULL, 0,
		"table \"%s\" of %s has rows; write on_existing = \"truncate\" to swap them", name,
		inst->path);
}

/* With scope = "table" a table that fails is put back row by row, which a module's tables do not allow. */
static int check_ordinary(struct etl_instance *inst, struct sqlite_stage *stage, const char *name,
			  struct etl_error *err)
{
	int64_t virtual = 0;
	int rc = sqlite_number_of(
		inst, stage->old,
		"SELECT type = 'virtual' FROM pragma_table_list WHERE schema = 'main' AND "
		"name = ?1 COLLATE NOCASE",
		name, 0, &virtual, err);

	if (rc || !virtual)
		return rc;
	inst->host->at(err, name, NULL, NULL);
	return inst->host->fail(err, ETL_FATAL, NULL, 0,
				"\"%s\" is a virtual table in %s, which scope = \"table\" could "
				"not put back; drop it first, or "
				"write scope = \"run\"",
				name, inst->path);
}

/* What is there under the load's name, and whether that is allowed. */
static int admit(struct etl_instance *inst, struct sqlite_stage *stage, const struct etl_load *load,
		 struct etl_error *err)
{
	const struct etl_table *table = load->table;
	bool data_only = load->run->flags & ETL_RUN_DATA_ONLY;
	int64_t found = 0; /* 1: a table, 2: a view */
	int rc = ETL_OK;

	if (!table || (table->kind != ETL_TABLE && table->kind != ETL_VIEW))
		return ETL_OK;
	/* The source's views stay behind. */
	if (table->kind == ETL_VIEW && sqlite_given_asked(inst))
		return ETL_OK;
	if (stage->old)
		rc = sqlite_number_of(inst, stage->old,
				      "SELECT 1 + (type = 'view') FROM sqlite_schema WHERE name = "
				      "?1 COLLATE NOCASE "
				      "AND type IN ('table', 'view')",
				      table->name, 0, &found, err);
	if (rc || table->kind == ETL_VIEW)
		return rc || !found || data_only || load->run->on_existing != ETL_EXISTING_FAIL ?
			       rc :
			       sqlite_stage_refuse(inst, found == 2 ? "view" : "table",
						   table->name, err);
	if (found == 2)
		return inst->host->fail(
			err, ETL_FATAL, NULL, 0,
			"\"%s\" is a view in %s, so no table of that name can be made; drop it, or "
			"give the table another name with `as`",
			table->name, inst->path);
	if (data_only && !found) {
		inst->host->at(err, table->name, NULL, NULL);
		return inst->host->fail(
			err, ETL_FATAL, NULL, 0,
			"table \"%s\" is not in %s, and --data-only makes no tables", table->name,
			inst->path);
	}
	if (found && load->run->on_existing == ETL_EXISTING_FAIL)
		rc = data_only ? check_empty(inst, stage, table->name, err) :
				 sqlite_stage_refuse(inst, "table", table->name, err);
	if (!rc && found && load->run->flags & ETL_RUN_TABLE_SCOPE)
		rc = check_ordinary(inst, stage, table->name, err);
	return rc ? rc : sqlite_stage_goal(inst, stage, table->name, found != 0, err);
}

/* append, merge: what design saw has to be there still, and what it did not see must not. */
static int admit_into(struct etl_instance *inst, struct sqlite_stage *stage,
		      const struct etl_load *load, struct etl_error *err)
{
	const struct etl_table *table = load->table;
	int64_t found = 0; /* 1: a table, 2: a view, 3: a virtual table */
	int rc;

	if (!stage->old)
		return inst->host->fail(err, ETL_FATAL, NULL, 0,
					"%s: was there when the run began, and is gone", inst->path);
	if (!table || table->kind != ETL_TABLE)
		return ETL_OK;
	rc = sqlite_number_of(inst, stage->old,
			      "SELECT CASE WHEN type = 'view' THEN 2 WHEN sql LIKE 'CREATE VIRTUAL%' THEN "
			      "3 ELSE 1 END FROM sqlite_schema WHERE name = ?1 COLLATE NOCASE AND type IN "
			      "('table', 'view')",
			      table->name, 0, &found, err);
	if (rc || found == (load->existing != NULL))
		return rc ? rc : sqlite_stage_goal(inst, stage, table->name, found != 0, err);
	inst->host->at(err, table->name, NULL, NULL);
	return inst->host->fail(err, ETL_FATAL, NULL, 0,
				found == 2 ? "\"%s\" is a view in %s, and rows go into tables; name "
					     "another one with `as`" :
				found == 3 ? "\"%s\" is a virtual table in %s, and rows go into ordinary "
					     "ones; name another one with `as`" :
				found	   ? "table \"%s\" was not in %s when the run began, and is now; run "
					     "again" :
					     "table \"%s\" was in %s when the run began, and is gone; run "
					     "again",
				table->name, inst->path);
}

int sqlite_begin(struct etl_instance *inst, const struct etl_load *load, struct etl_token *ret,
		 struct etl_error *err)
{
	struct sqlite_stage *stage = inst->building;
	int rc = check_run(inst, load->run, err);

	if (!rc && !stage)
		rc = sqlite_look(inst, load->run, &stage, err);
	if (rc)
		return rc;
	rc = into_runs(load->run) ? admit_into(inst, stage, load, err) :
				    admit(inst, stage, load, err);
	if (!rc && !into_runs(load->run))
		rc = sqlite_given_admit(inst, stage, load, err);
	if (!rc && !inst->building)
		rc = load->run->flags & ETL_RUN_RESUMED ? sqlite_stage_take_up(inst, stage, load->run->id, err) :
							  sqlite_stage_make(inst, stage, load->run->id, err);
	if (!rc && stage->resumed)
		rc = note_wal(inst, stage, load, err);
	if (rc) {
		if (!inst->building)
			sqlite_stage_free(inst, stage);
		return rc;
	}
	ETL_FAULT("sqlite.begun");
	inst->building = stage;
	memcpy(ret->text, inst->stage_path, strlen(inst->stage_path) + 1);
	return ETL_OK;
}

/* ---- After begin ---------------------------------------------------------------------------------------- */

static int check_token(struct etl_instance *inst, const char *target, const char *token,
		       struct etl_error *err)
{
	if (sqlite_is_stage_of(target, token))
		return ETL_OK;
	return inst->host->fail(err, ETL_USAGE, NULL, 0,
				"\"%s\" is no staging file of %s; nothing was touched", token,
				target);
}

/* Takes up what another process began: all was carried over before the first row came. */
static int attach(struct etl_instance *inst, const struct etl_token *token, struct etl_error *err)
{
	struct sqlite_stage *stage = NULL;
	int rc = sqlite_look(inst, NULL, &stage, err);

	if (rc)
		return rc;
	rc = check_token(inst, stage->target, token->text, err);
	if (!rc) {
		sqlite_hold(stage, token->text);
		rc = sqlite_stage_take_name(inst, token->text, err);
	}
	if (!rc)
		rc = sqlite_stage_open(inst, token->text, false, err);
	if (rc) {
		sqlite_stage_free(inst, stage);
		return rc;
	}
	stage->settled = stage->taken_up = true;
	inst->building = stage;
	return ETL_OK;
}

/* The first read takes back what was under way when the other process died. */
static int open_taken_up(struct etl_instance *inst, struct sqlite_stage *stage,
			 struct etl_error *err)
{
	int64_t count;
	bool copy = false;
	int rc = sqlite_stage_open(inst, inst->stage_path, false, err);

	if (!rc)
		rc = sqlite_number(inst, inst->stage, "SELECT count(*) FROM sqlite_schema", 0,
				   &count, err);
	if (!rc && stage->old && stage->replaces)
		rc = sqlite_old_must_copy(inst, stage, &copy, err);
	stage->carried = copy;
	stage->pages_owed = !rc;
	return rc;
}

int sqlite_staging(struct etl_instance *inst, const struct etl_token *token, struct etl_error *err)
{
	struct sqlite_stage *stage = inst->building;
	int rc;

	if (!stage)
		return attach(inst, token, err);
	if (!inst->stage_path || strcmp(inst->stage_path, token->text) != 0 || stage->sealed)
		return inst->host->fail(err, ETL_BUG, NULL, 0,
					"%s: is building another file than \"%s\"", inst->path,
					token->text);
	if (!inst->stage) {
		rc = open_taken_up(inst, stage, err);
		if (rc)
			return rc;
	}
	rc = page_note_settle(inst, err);
	if (rc || stage->settled)
		return rc;
	rc = stage->old && stage->replaces ? sqlite_old_carry(inst, stage, err) : ETL_OK;
	ETL_FAULT("sqlite.carried_over");
	if (!rc)
		stage->settled = true;
	return rc;
}

int sqlite_staged(struct etl_instance *inst, const struct etl_load *load,
		  const struct etl_token *token, struct etl_dataset_sink *sink,
		  struct etl_error *err)
{
	struct etl_dataset dataset = { .token = token, .options = load->options };
	int rc = sqlite_staging(inst, token, err);

	if (rc || !load->table)
		return rc;
	dataset.table = load->table->name;
	return sink->emit(sink, &dataset);
}

static const char *const files[] = { "-journal", "-wal", "-shm", "-pages", "" };

void sqlite_stage_drop(struct etl_instance *inst, const char *target, const struct etl_token *token)
{
	bool own = sqlite_is_stage_of(target, token->text);
	size_t i;

	sqlite_stage_close(inst);
	for (i = 0; own && i < sizeof(files) / sizeof(*files); i++) {
		if (sqlite_beside_remove(token->text, files[i]) != 0)
			inst->host->log(inst->host, ETL_LOG_WARN,
					"%s%s: is not needed any more, and cannot be removed: %s",
					token->text, files[i], strerror(errno));
	}
}

int sqlite_abort(struct etl_instance *inst, const struct etl_load *load,
		 const struct etl_token *token, struct etl_error *err)
{
	char *target = NULL, *folder = NULL;
	size_t i;
	int rc;

	(void)load;
	if (!token->text[0])
		return ETL_OK;
	rc = sqlite_where(inst, &target, &folder, err);
	if (!rc)
		rc = check_token(inst, target, token->text, err);
	if (!rc)
		sqlite_stage_close(inst);
	if (!rc)
		sqlite_backup_drop(target, sqlite_stage_run(target, token->text));
	for (i = 0; !rc && i < sizeof(files) / sizeof(*files); i++) {
		ETL_FAULT("sqlite.abort");
		if (sqlite_beside_remove(token->text, files[i]) != 0)
			rc = inst->host->fail(err, sqlite_errno_class(), NULL, errno,
					      "%s%s: cannot be removed: %s", token->text, files[i],
					      strerror(errno));
	}
	if (!rc && sqlite_sync_folder(folder) != 0)
		inst->host->log(inst->host, ETL_LOG_WARN, "%s: its folder cannot be synced: %s",
				inst->path, strerror(errno));
	free(target);
	free(folder);
	return rc;
}
