/*
 * The json plugin as target: what the host asks, in the order in which a run goes. Rows wait in one stage for the whole run, for files
 * may be shared by tables; all files are written when all rows are there, aside, and take their names together.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fault.h"
#include "target.h"

struct json_target {
	struct target_plan *plan;
	struct stage *stage;
	char run[80];
};

void json_target_free(struct json_target *t)
{
	if (!t)
		return;
	json_plan_free(t->plan);
	json_stage_close(t->stage);
	free(t);
}

static bool names_a_file(const char *path)
{
	static const char *const ends[] = { ".json", ".jsonl", ".ndjson" };
	static const char *const packed[] = { "", ".gz", ".zst" };
	struct stat st;
	size_t size = strlen(path);

	if (stat(path, &st) == 0)
		return !S_ISDIR(st.st_mode);
	for (size_t i = 0; i < 9; i++) {
		char end[16];
		int length = snprintf(end, sizeof(end), "%s%s", ends[i / 3], packed[i % 3]);

		if (size > (size_t)length && strcmp(path + size - length, end) == 0)
			return true;
	}
	return false;
}

int json_target_open(struct etl_instance *inst, struct etl_error *err)
{
	inst->root_is_file = !files_is_standard(inst->files) && names_a_file(inst->path);
	inst->indent = inst->host->num(inst->conf, "indent");
	inst->target = calloc(1, sizeof(*inst->target));
	return inst->target ? ETL_OK : inst->host->fail(err, ETL_MEMORY, NULL, 0, "no memory for a target");
}

/* ---- The run's plan and stage ------------------------------------------------------------------------------------------- */

static struct load_plan *find_load(struct target_plan *plan, const struct etl_load *load)
{
	for (size_t i = 0; plan && i < plan->load_count; i++) {
		if (plan->loads[i].load == load || strcmp(plan->loads[i].load->table->name, load->table->name) == 0)
			return &plan->loads[i];
	}
	return NULL;
}

static int use_run(struct etl_instance *inst, const struct etl_run *run, const struct etl_load *const *loads, size_t count,
		   struct etl_error *err)
{
	struct json_target *t = inst->target;

	bool tells = strcmp(t->run, run->id) != 0;

	json_plan_free(t->plan);
	t->plan = NULL;
	if (strcmp(t->run, run->id) != 0) {
		json_stage_close(t->stage);
		t->stage = NULL;
	}
	snprintf(t->run, sizeof(t->run), "%s", run->id);
	return json_plan_new(inst, loads, count, tells, &t->plan, err);
}

static int use_load(struct etl_instance *inst, const struct etl_load *load, struct etl_error *err)
{
	const struct etl_load *const *loads = load->run->loads ? load->run->loads : &load;
	size_t count = load->run->loads ? load->run->load_count : 1;

	if (strcmp(inst->target->run, load->run->id) == 0 && find_load(inst->target->plan, load))
		return ETL_OK;
	return use_run(inst, load->run, loads, count, err);
}

static int use_stage(struct etl_instance *inst, struct etl_error *err)
{
	struct json_target *t = inst->target;

	return t->stage ? ETL_OK : json_stage_open(inst, t->run, true, &t->stage, err);
}

/* ---- Design ------------------------------------------------------------------------------------------------------------------ */

static int check_scope(struct etl_instance *inst, const struct load_plan *lp, struct etl_error *err)
{
	if (!(lp->load->run->flags & ETL_RUN_TABLE_SCOPE) || lp->document->load_count < 2)
		return ETL_OK;
	return inst->host->fail(err, ETL_USAGE, NULL, 0,
				"table \"%s\" shares the files \"%s\" with another, so they can only be published "
				"together; write scope = \"run\"",
				lp->load->table->name, lp->document->text);
}

/* There is nothing to make before the rows come, but the run's plan says what cannot be written: before anything is. */
int json_design(struct etl_instance *inst, const struct etl_table *table, const struct etl_load *load, struct etl_step_sink *sink,
		struct etl_error *err)
{
	int rc;

	(void)sink;
	if (table->kind != ETL_TABLE)
		return ETL_OK;
	rc = use_load(inst, load, err);
	return rc ? rc : check_scope(inst, find_load(inst->target->plan, load), err);
}

int json_apply(struct etl_instance *inst, const struct etl_load *load, const struct etl_token *token, const struct etl_step *step,
	       struct etl_found_sink *sink, struct etl_error *err)
{
	(void)load;
	(void)token;
	(void)sink;
	return inst->host->fail(err, ETL_USAGE, NULL, 0, "files of JSON take no step of kind \"%s\"", step->kind);
}

/* ---- Begin ------------------------------------------------------------------------------------------------------------------- */

static int refuse(struct etl_instance *inst, const struct load_plan *lp, const char *name, struct etl_error *err)
{
	return inst->host->fail(err, ETL_FATAL, NULL, 0,
				"table \"%s\": %s%s%s is there already; write on_existing = \"replace\" to replace the files "
				"of the mapping, or name another folder",
				lp->load->table->name, inst->path, *name ? "/" : "", name);
}

static int check_existing(struct etl_instance *inst, const struct load_plan *lp, struct etl_error *err)
{
	struct files_list list = { 0 };
	int rc;

	if (lp->load->run->on_existing != ETL_EXISTING_FAIL || files_is_standard(inst->files) || access(inst->path, F_OK) != 0)
		return ETL_OK;
	if (inst->root_is_file)
		return refuse(inst, lp, "", err);
	rc = files_list(inst->files, lp->document->files, &list, err);
	for (size_t i = 0; !rc && i < list.count; i++)
		if (!json_plan_leaves_out(inst->target->plan, lp->document, &list.at[i]))
			rc = refuse(inst, lp, list.at[i].name, err);
	files_list_clear(&list);
	return rc;
}

static int note_load(struct etl_instance *inst, const char *name, struct etl_error *err)
{
	sqlite3_stmt *note;
	int rc = json_stage_prepare(inst->target->stage, "INSERT OR IGNORE INTO load VALUES (?1)", &note, err);

	if (rc)
		return rc;
	sqlite3_bind_text(note, 1, name, -1, SQLITE_STATIC);
	rc = json_stage_step(inst->target->stage, note, err);
	sqlite3_finalize(note);
	return rc;
}

int json_begin(struct etl_instance *inst, const struct etl_load *load, struct etl_token *ret, struct etl_error *err)
{
	const struct load_plan *lp;
	int rc;

	/* Each load has its own: of those with one token the host aborts one only. */
	snprintf(ret->text, sizeof(ret->text), "%s %d", load->run->id, (int)load->index);
	if (load->table->kind != ETL_TABLE)
		return ETL_OK;
	rc = use_load(inst, load, err);
	if (rc)
		return rc;
	lp = find_load(inst->target->plan, load);
	rc = check_scope(inst, lp, err);
	if (!rc)
		rc = check_existing(inst, lp, err);
	if (!rc)
		rc = use_stage(inst, err);
	return rc ? rc : note_load(inst, load->table->name, err);
}

int json_target_load(struct etl_instance *inst, const struct etl_load *load, const struct etl_token *token,
		     const struct etl_part *part, struct ArrowArrayStream *stream, struct etl_stats *ret,
		     struct etl_error *err)
{
	int rc = use_load(inst, load, err);

	(void)token;
	if (!rc)
		rc = use_stage(inst, err);
	return rc ? rc :
		    json_load(inst->target->plan, find_load(inst->target->plan, load), inst->target->stage, part, stream, ret,
			      err);
}

/* ---- Publishing ----------------------------------------------------------------------------------------------------------------- */

static int write_files(struct etl_instance *inst, const struct etl_commit *commit, struct etl_error *err)
{
	struct json_target *t = inst->target;
	int rc = use_run(inst, commit->run, commit->loads, commit->load_count, err);

	if (!rc)
		rc = use_stage(inst, err);
	if (!rc)
		rc = json_way_all(t->plan, t->stage, err);
	ETL_FAULT("json.placed");
	if (!rc)
		rc = json_write_all(t->plan, t->stage, t->run, err);
	if (!rc && commit->run->on_existing != ETL_EXISTING_FAIL && !files_is_standard(inst->files))
		rc = json_publish_find_stale(t->plan, t->stage, err);
	return rc;
}

/* What goes to standard output is written by commit: it cannot wait anywhere. */
int json_seal(struct etl_instance *inst, const struct etl_commit *commit, struct etl_token *ret, struct etl_error *err)
{
	int rc;

	ret->text[0] = '\0';
	if (files_is_standard(inst->files))
		return ETL_OK;
	rc = write_files(inst, commit, err);
	if (!rc)
		rc = json_publish_seal(inst, commit->run->id, commit->run->on_existing != ETL_EXISTING_FAIL, inst->target->stage,
				       ret, err);
	return rc ? rc : json_stage_set_state(inst->target->stage, STAGE_SEALED, err);
}

static int remove_stage(struct etl_instance *inst, const char *run, struct etl_error *err)
{
	json_stage_close(inst->target->stage);
	inst->target->stage = NULL;
	return json_stage_remove(inst, run, err);
}

static int find_stage(struct etl_instance *inst, const char *run, struct etl_error *err)
{
	struct json_target *t = inst->target;

	if (t->stage && strcmp(t->run, run) == 0)
		return ETL_OK;
	json_stage_close(t->stage);
	t->stage = NULL;
	snprintf(t->run, sizeof(t->run), "%s", run);
	return json_stage_open(inst, run, false, &t->stage, err);
}

static int commit_standard(struct etl_instance *inst, const struct etl_commit *commit, struct etl_error *err)
{
	int rc = write_files(inst, commit, err);

	return rc ? rc : remove_stage(inst, commit->run->id, err);
}

int json_commit(struct etl_instance *inst, const struct etl_commit *commit, struct etl_error *err)
{
	int32_t state;
	int rc;

	if (files_is_standard(inst->files))
		return commit_standard(inst, commit, err);
	rc = find_stage(inst, commit->run->id, err);
	if (rc || !inst->target->stage)         /* no stage: it was published before */
		return rc;
	rc = json_stage_state(inst->target->stage, &state, err);
	if (!rc && state == STAGE_SEALED && commit->run->on_existing == ETL_EXISTING_FAIL)
		rc = json_publish_check(inst->target->plan, inst->target->stage, err);
	ETL_FAULT("json.before_publishing");
	if (!rc)
		rc = files_publish(inst->files, commit->run->id, commit->run->on_existing != ETL_EXISTING_FAIL, err);
	ETL_FAULT("json.published");
	return rc ? rc : remove_stage(inst, commit->run->id, err);
}

/* A run that died while its files took their names is finished: it was decided. */
static int settle(struct etl_instance *inst, const char *run, bool *ret_published, struct etl_error *err)
{
	int rc = files_publish_settle(inst->files, run, ret_published, err);

	return rc || !*ret_published ? rc : remove_stage(inst, run, err);
}

int json_sealed(struct etl_instance *inst, const struct etl_token *seal, int32_t *ret, struct etl_error *err)
{
	char run[80] = "";
	bool published;
	int rc;

	*ret = 0;
	if (files_is_standard(inst->files) || sscanf(seal->text, "%79s", run) != 1)
		return ETL_OK;
	rc = settle(inst, run, &published, err);
	*ret = !rc && published;
	return rc || published ? rc : files_publish_is(inst->files, seal, ret, err);
}

/* ---- Abort ------------------------------------------------------------------------------------------------------------------------ */

/* What is left of the run when the load is gone from it. */
static int leave(struct stage *stage, const char *name, int64_t *ret_left, struct etl_error *err)
{
	static const char *const sqls[] = { "DELETE FROM staged WHERE load = ?1", "DELETE FROM load WHERE name = ?1" };
	int rc = ETL_OK;

	for (size_t i = 0; !rc && i < 2; i++) {
		sqlite3_stmt *statement;

		rc = json_stage_prepare(stage, sqls[i], &statement, err);
		if (rc)
			break;
		sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC);
		rc = json_stage_step(stage, statement, err);
		sqlite3_finalize(statement);
	}
	return rc ? rc : json_stage_number(stage, "SELECT count(*) FROM load", ret_left, err);
}

int json_abort(struct etl_instance *inst, const struct etl_load *load, const struct etl_token *token, struct etl_error *err)
{
	char run[sizeof(inst->target->run)] = "";
	bool published;
	int64_t left = 0;
	int rc;

	if (sscanf(token->text, "%79s", run) != 1)
		snprintf(run, sizeof(run), "%s", load->run->id);
	rc = settle(inst, run, &published, err);

	if (rc || published)
		return rc;
	rc = find_stage(inst, run, err);
	if (!rc && inst->target->stage)
		rc = leave(inst->target->stage, load->table->name, &left, err);
	return rc || left > 0 ? rc : remove_stage(inst, run, err);
}
