/*
 * Before a run touches anything: the lock of its pipeline, the state, and what runs that died left
 * behind. One that was published before it could say so is told so now; what others staged is taken
 * away, because whoever holds the lock is the only one who could be using it.
 */
#include "config.h"

#include <dirent.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fault.h"
#include "fingerprint.h"
#include "log.h"
#include "needed.h"
#include "replay.h"
#include "retry.h"
#include "run-parts.h"

/* ---- What was left behind ---- */

int run_abort_left(const struct state_left *left, void *data)
{
	struct run *run = data;
	struct etl_error err = ERROR_INIT;
	struct etl_table table = { .name = left->table };
	struct etl_load load = {
		.run = &run->info, .table = &table, .source_name = left->table, .index = left->index
	};
	struct instance *target = run->target;

	struct retry retry = retry_of(target, "removing what a run left behind");
	int rc;

	ETL_FAULT("run.clean_up");
	do
		rc = target->plugin->target.abort(target->self, &load, &left->token,
						  instance_error(target, &err));
	while (rc < 0 && retry_again(&retry, &err));
	if (rc < 0) {
		run->left_behind = true;
		log_line(ETL_LOG_WARN, "what run %s left behind could not be removed: %s",
			 left->run, err.message ? err.message : "no memory");
	} else {
		log_line(ETL_LOG_DEBUG, "removed what run %s left behind of \"%s\"", left->run,
			 left->table);
	}
	error_clear(&err);
	return 0;
}

void run_remove_spool(const struct run *run, const char *id)
{
	char path[sizeof(run->rejects_path)], spool[sizeof(path) + 8];
	const struct dirent *entry;
	DIR *folder;

	run_rejects_path(run, id, path, sizeof(path));
	snprintf(spool, sizeof(spool), "%s.spool", path);
	folder = opendir(spool);
	if (!folder)
		return;
	while ((entry = readdir(folder)))
		if (entry->d_name[0] != '.')
			unlinkat(dirfd(folder), entry->d_name, 0);
	closedir(folder);
	rmdir(spool);
}

/* ---- Was it published? ---- */

struct recall {
	struct etl_state_sink sink;
	const char *run;
	bool found;
	int exit; /* as write_state wrote it; -1: it did not */
};

static int on_state(struct etl_state_sink *self, const char *run, const char *state)
{
	struct recall *r = (struct recall *)(void *)self;

	if (strcmp(run, r->run) != 0)
		return 0;
	r->found = true;
	if (!state || sscanf(state, "{\"exit\":%d", &r->exit) != 1)
		r->exit = -1;
	return 0;
}

bool run_keeps_state(const struct run *run)
{
	uint32_t flags = run->target->plugin->target.flags;

	return (flags & ETL_KEEPS_STATE) &&
	       (run->info.mode != ETL_COPY || !(flags & ETL_COPY_BESIDE));
}

/* A target that always has a record of its runs is asked for that: its tables may have been written to since. */
int run_was_published(struct run *run, const char *id, const char *seal, bool *ret,
		      struct etl_error *err)
{
	struct recall recall = { { on_state }, id, false, -1 };
	struct instance *target = run->target;
	struct etl_token token = { "" };
	struct retry retry = retry_of(target, "asking whether it was published");
	int32_t is = 0;
	int rc = 0;

	*ret = false;
	if (seal)
		snprintf(token.text, sizeof(token.text), "%s", seal);
	do
		if (seal && run_keeps_state(run) && (!*token.text || !(target->plugin->target.flags & ETL_COPY_BESIDE)))
			rc = target->plugin->target.recall(target->self, run->pipeline->name,
							   &recall.sink,
							   instance_error(target, err));
		else if (*token.text)
			rc = target->plugin->target.sealed(target->self, &token, &is,
							   instance_error(target, err));
	while (rc < 0 && retry_again(&retry, err));
	*ret = rc == 0 && (is || recall.found);
	/* A run that could not tell wrote down another one when it ended. */
	if (*ret && recall.exit >= 0)
		run->was.exit = recall.exit;
	return rc;
}

/* ---- Runs that did not end ---- */

struct unfinished {
	struct run *run;
	struct etl_error *err;
	char (*ids)[80];
	char (*seals)[ETL_TOKEN_MAX];
	size_t count;
};

bool run_is_unfinished(const struct state_run *r)
{
	return state_is_unfinished(r->status);
}

static int on_run(const struct state_run *r, void *data)
{
	struct unfinished *u = data;
	char(*ids)[80];
	char(*seals)[ETL_TOKEN_MAX];

	if (!run_is_unfinished(r))
		return 0;
	ids = realloc(u->ids, (u->count + 1) * sizeof(*ids));
	if (ids)
		u->ids = ids;
	seals = ids ? realloc(u->seals, (u->count + 1) * sizeof(*seals)) : NULL;
	if (!seals)
		return error_memory(u->err);
	u->seals = seals;
	snprintf(ids[u->count], sizeof(*ids), "%s", r->id);
	/* Without a note that it came so far it was not. */
	snprintf(seals[u->count], sizeof(*seals), "%s", r->seal ? r->seal : "-");
	u->count++;
	return 0;
}

static int settle_one(struct run *run, const char *id, const char *seal, struct etl_error *err)
{
	bool published = false;
	int rc = strcmp(seal, "-") == 0 ? 0 : run_was_published(run, id, seal, &published, err);

	if (rc < 0)
		return rc;
	if (!published)
		run_remove_spool(run, id);
	if (!published)
		return 0;
	log_line(ETL_LOG_INFO, "run %s was published before it ended; it is settled as done", id);
	return run_settle_published(run, id, err);
}

/* Rows that went into tables that were there leave their staging place behind. */
int run_settle_published(struct run *run, const char *id, struct etl_error *err)
{
	int rc = state_loads(run->state, id, run_abort_left, run, err);

	run_remove_spool(run, id);
	return rc < 0 ? rc : state_run_settle(run->state, id, STATE_DONE, err);
}

/* What an interrupted run of another place staged can only be taken away there. */
static int check_target(const struct run *run, const char *id, const char *target,
			struct etl_error *err)
{
	if (!run->pipeline->state || !target || !run->place[0] || strcmp(target, run->place) == 0)
		return 0;
	return error_set(err, ETL_USAGE,
			 "the state file %s holds the interrupted run %s of another target, %s; "
			 "resume or roll back that one with its own pipeline file, or name another "
			 "file with state = \"…\"",
			 run->state_path, id, target);
}

struct foreign {
	const struct run *run;
	struct etl_error *err;
};

static int on_foreign(const struct state_run *r, void *data)
{
	struct foreign *f = data;

	return run_is_unfinished(r) ? check_target(f->run, r->id, r->target, f->err) : 0;
}

/* A run that was interrupted and is neither resumed nor rolled back makes room for this one. */
static int clean_up(struct run *run, struct etl_error *err)
{
	struct unfinished u = { .run = run, .err = err };
	struct foreign foreign = { run, err };
	int rc = state_runs(run->state, on_foreign, &foreign, err);

	if (rc == 0)
		rc = state_runs(run->state, on_run, &u, err);
	for (size_t i = 0; i < u.count && rc == 0; i++)
		rc = settle_one(run, u.ids[i], u.seals[i], err);
	free(u.ids);
	free(u.seals);
	return rc < 0 ? rc : state_cleanup(run->state, run_abort_left, run, err);
}

/* ---- The id ---- */

struct newest {
	char id[80];
};

static int on_any(const struct state_run *r, void *data)
{
	struct newest *newest = data;

	if (strcmp(r->id, newest->id) > 0)
		snprintf(newest->id, sizeof(newest->id), "%s", r->id);
	return 0;
}

/* Runs sort by their ids, also when the clock was set back: then this one follows the last by a
 * second. Two runs of one second sort by their parts of it. */
static int follow_last(struct run *run, struct etl_error *err)
{
	struct newest newest = { "" };
	struct tm tm = { 0 };
	char suffix[16];
	int rc = state_runs(run->state, on_any, &newest, err);
	bool back;
	time_t t;

	if (rc < 0 || strcmp(run->id, newest.id) > 0)
		return rc;
	back = strncmp(run->id, newest.id, strcspn(run->id, "-")) < 0;
	if (!strptime(newest.id, "%Y%m%dT%H%M%SZ", &tm))
		return 0;
	t = timegm(&tm) + 1;
	gmtime_r(&t, &tm);
	snprintf(suffix, sizeof(suffix), "%.15s", strchr(run->id, '-'));
	strftime(run->id, sizeof(run->id), "%Y%m%dT%H%M%SZ", &tm);
	strncat(run->id, suffix, sizeof(run->id) - strlen(run->id) - 1);
	if (back)
		log_line(ETL_LOG_WARN,
			 "the clock was set back since the last run: this one is called %s, so "
			 "that it "
			 "sorts after it",
			 run->id);
	log_run(run->id);
	return 0;
}

/* ---- The lock ---- */

/* Beside the target the state cannot be written where the target cannot either: exit 4, not 10. */
static void blame_folder(const struct run *run, struct etl_error *err)
{
	char folder[sizeof(run->state_path)];

	snprintf(folder, sizeof(folder), "%s", run->state_path);
	if (run->pipeline->state || err->klass != ETL_MEMORY ||
	    access(dirname(folder), W_OK | X_OK) == 0)
		return;
	err->klass = ETL_FATAL;
	err->role = ETL_ROLE_TARGET;
	snprintf(err->plugin, sizeof(err->plugin), "%s", run->target->plugin->base.name);
}

static int begin_state(struct run *run, struct etl_error *err)
{
	char *file = fingerprint_file(run), *command = run_resume_command(run);
	struct state_basis basis = { command, run->place, file };
	const char *of = run->cli->replay ? replay_of(run->cli->replay) : NULL;
	char verb[128];
	int rc;

	/* A replay is told by whose rows it tried again. */
	snprintf(verb, sizeof(verb), "%s%s", of ? "replay " : run->cli->verb->name, of ? of : "");
	rc = file && command ? state_run_begin(run->state, &run->info, verb, &basis, err) :
			       error_memory(err);
	free(file);
	free(command);
	return rc < 0 ? rc : needed_note(run, err);
}

int run_take_lock(struct run *run, struct etl_error *err)
{
	int rc;

	snprintf(run->lock_path, sizeof(run->lock_path), "%s.lock", run->state_path);
	if (run->cli->resume && access(run->state_path, F_OK) < 0)
		return run_nothing_to_resume(run, NULL);
	rc = lock_take(run->lock_path, &run->lock, err);
	if (rc == 0)
		rc = state_open(run->state_path, true, &run->state, err);
	if (rc < 0)
		blame_folder(run, err);
	if (rc == 0)
		rc = state_requests_clear(run->state, err);
	if (rc < 0)
		return rc;
	if (run->cli->resume)
		return run_find_interrupted(run, err);
	rc = clean_up(run, err);
	if (rc == 0)
		rc = follow_last(run, err);
	if (rc == 0)
		rc = begin_state(run, err);
	ETL_FAULT("run.opened");
	return rc;
}
