/*
 * Taking a published copy back: the generation that it replaced is renamed over it, or, where there was no
 * file before, the new one is removed. Only while the file is still what the run published, which its seal
 * says: what others wrote since would be lost.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fault.h"
#include "into.h"

struct reverting {
	struct etl_instance *inst;
	const char *run;
	const struct etl_token *seal;
	struct etl_error *err;
	char before[SQLITE_IDENTITY]; /* of the file that was replaced; "none": there was none */
	char now[SQLITE_IDENTITY];
	char *kept;
};

static int fail_changed(struct reverting *r)
{
	return r->inst->host->fail(
		r->err, ETL_FATAL, NULL, 0,
		"%s: is not what run %s published any more: it was written to or "
		"replaced since, and taking the run back would lose that; nothing "
		"was changed",
		r->inst->path, r->run);
}

/* The tables of an append or merge are the target's own, and say which runs it has. */
static int fail_unknown(struct reverting *r, const struct sqlite_stage *stage)
{
	if (access(stage->target, F_OK) != 0 && errno == ENOENT)
		return r->inst->host->fail(r->err, ETL_FATAL, NULL, 0,
					   "%s: is not there any more, so nothing of run %s can be "
					   "taken back; put the "
					   "file back where it was, if it was moved, and try again",
					   stage->target, r->run);
	return r->inst->host->fail(r->err, ETL_FATAL, NULL, 0,
				   "%s: its own tables do not have run %s: it was restored from a "
				   "backup that is older "
				   "than the run, or replaced since; nothing was changed, and "
				   "there is nothing of that "
				   "run to take back in it",
				   r->inst->path, r->run);
}

static int fail_missing(struct reverting *r, const struct sqlite_stage *stage)
{
	bool kept = access(r->kept, F_OK) == 0;

	return r->inst->host->fail(r->err, ETL_FATAL, NULL, 0,
				   "%s: is not there any more: somebody removed or moved what run "
				   "%s published; nothing "
				   "was changed%s%s%s",
				   stage->target, r->run, kept ? "; what the run replaced is " : "",
				   kept ? r->kept : "",
				   kept ? ", and can be renamed back by hand" : "");
}

static int fail_gone(struct reverting *r)
{
	return r->inst->host->fail(r->err, ETL_USAGE, NULL, 0,
				   "%s: what run %s replaced is not there (%s), so it cannot be "
				   "put back; keep_old = 1, "
				   "or more, keeps so many generations",
				   r->inst->path, r->run, r->kept);
}

/* The file is held: nobody reads or writes it. */
static int swap(struct reverting *r, const struct sqlite_stage *stage)
{
	bool none = strcmp(r->before, "none") == 0;

	ETL_FAULT("sqlite.revert_before_rename");
	if ((none ? unlink(stage->target) : rename(r->kept, stage->target)) != 0)
		return r->inst->host->fail(r->err, sqlite_errno_class(), NULL, errno,
					   "%s: cannot be %s: %s; nothing was changed",
					   none ? stage->target : r->kept,
					   none ? "removed" : "renamed back", strerror(errno));
	ETL_FAULT("sqlite.revert_after_rename");
	return ETL_OK;
}

/* A file in WAL mode was taken out of it when it was replaced. */
static void restore_mode(struct reverting *r, const struct sqlite_stage *stage)
{
	sqlite3 *db = NULL;

	if (strncmp(r->before, "wal:", 4) != 0)
		return;
	if (sqlite3_open_v2(stage->target, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
			    NULL) != SQLITE_OK ||
	    !sqlite_set_mode(db, "wal"))
		r->inst->host->log(r->inst->host, ETL_LOG_WARN,
				   "%s: was in WAL mode and is now in rollback mode; \"PRAGMA "
				   "journal_mode = WAL\" sets it again",
				   r->inst->path);
	sqlite3_close(db);
}

static int take_back(struct reverting *r, struct sqlite_stage *stage)
{
	int rc = sqlite_hold_old(r->inst, stage, r->err);

	if (rc)
		return rc;
	rc = swap(r, stage);
	if (rc)
		sqlite_release_old(r->inst, stage);
	else
		sqlite_old_close(r->inst, stage);
	if (rc)
		return rc;
	restore_mode(r, stage);
	if (sqlite_sync_folder(stage->folder) != 0)
		r->inst->host->log(r->inst->host, ETL_LOG_WARN,
				   "%s: is taken back, but its folder could not be synced: %s",
				   r->inst->path, strerror(errno));
	return ETL_OK;
}

static int revert(struct reverting *r, struct sqlite_stage *stage)
{
	if (!sqlite_seal_basis(r->seal, r->before))
		return fail_unknown(r, stage);
	if (!sqlite_identity(stage->target, stage->old, r->now))
		return r->inst->host->fail(r->err, sqlite_errno_class(), NULL, errno,
					   "%s: cannot be looked at: %s", stage->target,
					   strerror(errno));
	r->kept = sqlite_backup_name(stage->target, r->run);
	if (!r->kept)
		return r->inst->host->fail(r->err, ETL_MEMORY, NULL, 0, "%s: no memory",
					   r->inst->path);
	/* By an earlier try, which died before it could say so. */
	if (strcmp(r->now, r->before) == 0)
		return ETL_OK;
	if (strcmp(r->now, "none") == 0)
		return fail_missing(r, stage);
	if (!sqlite_is_identity_of(r->seal, r->now))
		return fail_changed(r);
	if (strcmp(r->before, "none") != 0 && access(r->kept, F_OK) != 0)
		return fail_gone(r);
	return take_back(r, stage);
}

int sqlite_revert(struct etl_instance *inst, const char *run, const struct etl_token *seal,
		  struct etl_error *err)
{
	struct reverting r = { .inst = inst, .run = run, .seal = seal, .err = err };
	struct sqlite_stage *stage = NULL;
	bool known = false;
	int rc;

	sqlite_disconnect(inst);
	rc = into_revert(inst, run, &known, err);
	if (rc || known)
		return rc;
	rc = sqlite_look(inst, NULL, &stage, err);
	if (rc)
		return rc;
	rc = revert(&r, stage);
	sqlite_stage_free(inst, stage);
	free(r.kept);
	return rc;
}
