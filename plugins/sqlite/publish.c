/*
 * Publishing: the one moment at which the target changes. Everything that can fail comes first; then the old
 * file is held with an EXCLUSIVE lock, emptied of its WAL and journal, and the finished file is renamed over
 * it. A -wal or -journal that stayed behind would be replayed into the new file and destroy it.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fault.h"
#include "into.h"
#include "keep.h"
#include "screen.h"

#define PENDING_BYTE 0x40000000 /* where SQLite's locks begin, by its file format */
#define LOCK_BYTES   512	/* and how far they reach */

/* ---- The new file ---------------------------------------------------------------------------------------- */

static int check_integrity(struct etl_instance *inst, struct etl_error *err)
{
	sqlite3_stmt *stmt = NULL;
	const char *words;
	int rc = sqlite_prepare(inst, inst->stage, "PRAGMA integrity_check(1)", &stmt, err);

	if (rc)
		return rc;
	if (sqlite3_step(stmt) != SQLITE_ROW) {
		rc = sqlite_fail(inst, inst->stage, err, "checking the integrity of the new file");
	} else {
		words = (const char *)sqlite3_column_text(stmt, 0);
		if (!words || strcmp(words, "ok") != 0)
			rc = inst->host->fail(err, ETL_DATA, NULL, 0,
					      "%s: integrity_check of the new file says: %s; "
					      "nothing was published",
					      inst->path, words ? words : "nothing");
	}
	sqlite3_finalize(stmt);
	return rc;
}

static bool wants_wal(const struct etl_instance *inst)
{
	const struct sqlite_stage *stage = inst->building;
	const char *mode = inst->host->str(inst->conf, "journal_mode");

	if (mode && strcmp(mode, "keep") != 0)
		return strcmp(mode, "wal") == 0;
	return stage->old ? stage->old_wal : stage->wants_wal;
}

/* Sets the journal mode and says whether it is the one that was asked for. */
bool sqlite_set_mode(sqlite3 *db, const char *mode)
{
	sqlite3_stmt *stmt = NULL;
	char sql[64];
	bool done = false;

	snprintf(sql, sizeof(sql), "PRAGMA journal_mode = %s", mode);
	if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK &&
	    sqlite3_step(stmt) == SQLITE_ROW)
		done = sqlite3_stricmp((const char *)sqlite3_column_text(stmt, 0), mode) == 0;
	sqlite3_finalize(stmt);
	return done;
}

static int sync_file(struct etl_instance *inst, const char *path, struct etl_error *err)
{
	const struct sqlite_stage *stage = inst->building;
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW), rc = 0;

	if (fd >= 0 && stage->old)
		rc = fchmod(fd, stage->old_stat.st_mode & 07777);
	if (fd < 0 || rc != 0 || fsync(fd) != 0)
		rc = inst->host->fail(err, sqlite_errno_class(), NULL, errno,
				      "%s: cannot be made durable: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return rc;
}

/* The staging file becomes a whole database in one file. */
static int seal(struct etl_instance *inst, struct etl_error *err)
{
	const char *path = inst->stage_path;
	int rc = ETL_OK;

	if (inst->host->flag(inst->conf, "integrity_check"))
		rc = check_integrity(inst, err);
	ETL_FAULT("sqlite.seal_begun");
	if (!rc && !sqlite_set_mode(inst->stage, wants_wal(inst) ? "wal" : "delete"))
		rc = sqlite_fail(inst, inst->stage, err, "finishing the new file");
	if (rc)
		return rc;
	if (sqlite_close(inst, inst->stage) != SQLITE_OK)
		return inst->host->fail(err, ETL_BUG, NULL, 0,
					"%s: the new file is still being used", path);
	inst->stage = NULL;
	ETL_FAULT("sqlite.seal_closed");
	if (sqlite_beside_size(path, "-wal") > 0 || sqlite_beside_size(path, "-journal") > 0)
		return inst->host->fail(err, ETL_BUG, NULL, 0,
					"%s: somebody else has the new file open, so its journal "
					"could not be merged",
					path);
	/* After a read that failed SQLite may leave one that is empty. */
	sqlite_beside_remove(path, "-journal");
	sqlite_beside_remove(path, "-wal");
	sqlite_beside_remove(path, "-shm");
	return sync_file(inst, path, err);
}

/* ---- The old file ---------------------------------------------------------------------------------------- */

/* The process that holds a lock on the target, or 0. Opens it, so only after our own locks are gone. */
static long holder(const char *target)
{
	struct flock lock = { .l_type = F_WRLCK,
			      .l_whence = SEEK_SET,
			      .l_start = PENDING_BYTE,
			      .l_len = LOCK_BYTES };
	int fd = open(target, O_RDWR | O_CLOEXEC);
	long pid = fd >= 0 && fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK ?
			   (long)lock.l_pid :
			   0;

	if (fd >= 0)
		close(fd);
	return pid;
}

static int fail_busy(struct etl_instance *inst, struct sqlite_stage *stage, struct etl_error *err)
{
	int code = sqlite3_extended_errcode(stage->old);
	char who[64] = "another process";
	long pid;

	sqlite_old_close(inst, stage);
	pid = holder(stage->target);
	if (pid > 0)
		snprintf(who, sizeof(who), "process %ld", pid);
	return inst->host->fail(
		err, ETL_FATAL, NULL, code,
		"%s: %s is using it, so it cannot be replaced now (waited %lld ms); nothing was "
		"changed; let that process close the database, or raise busy_timeout, and run "
		"again",
		inst->path, who, (long long)inst->host->num(inst->conf, "busy_timeout"));
}

/* SQLITE_OK, SQLITE_BUSY, or what else failed. */
static int leave_wal(sqlite3 *db)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(db, "PRAGMA wal_checkpoint(TRUNCATE)", -1, &stmt, NULL);

	if (rc == SQLITE_OK) {
		rc = sqlite3_step(stmt);
		rc = rc != SQLITE_ROW ? rc : sqlite3_column_int(stmt, 0) ? SQLITE_BUSY : SQLITE_OK;
	}
	sqlite3_finalize(stmt);
	if (rc != SQLITE_OK)
		return rc;
	sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, (int *)NULL);
	return sqlite_set_mode(db, "delete") ? SQLITE_OK : SQLITE_BUSY;
}

/* Undoes hold_old: the old file goes on as it was. */
void sqlite_release_old(struct etl_instance *inst, struct sqlite_stage *stage)
{
	if (!stage->old)
		return;
	sqlite3_exec(stage->old, "ROLLBACK", NULL, NULL, NULL);
	if (stage->old_wal && !sqlite_set_mode(stage->old, "wal"))
		inst->host->log(inst->host, ETL_LOG_WARN,
				"%s: was in WAL mode and is now in rollback mode; \"PRAGMA "
				"journal_mode = WAL\" "
				"sets it again",
				inst->path);
	sqlite_old_close(inst, stage);
}

static int fail_changed(struct etl_instance *inst, struct etl_error *err)
{
	return inst->host->fail(
		err, ETL_FATAL, NULL, 0,
		"%s: somebody changed it while the run went on, and replacing it would lose that; "
		"nothing was changed; run again while nobody writes to it",
		inst->path);
}

/* With the lock: nothing was written since what had to be carried over was. */
static int check_unchanged(struct etl_instance *inst, struct sqlite_stage *stage,
			   struct etl_error *err)
{
	int64_t version = 0;
	bool copy = false;
	int rc = sqlite_number(inst, stage->old, "PRAGMA data_version", 0, &version, err);

	if (rc || version == stage->old_version)
		return rc;
	if (stage->carried || stage->left_out || stage->emptied || stage->goal_count == 0)
		return fail_changed(inst, err);
	rc = sqlite_old_must_copy(inst, stage, &copy, err);
	return rc || !copy ? rc : fail_changed(inst, err);
}

static int remove_companions(struct etl_instance *inst, const struct sqlite_stage *stage,
			     struct etl_error *err)
{
	static const char *const suffixes[] = { "-wal", "-shm", "-journal" };
	size_t i;

	if (sqlite_beside_size(stage->target, "-wal") > 0)
		return inst->host->fail(err, ETL_FATAL, NULL, 0,
					"%s-wal is not empty after a checkpoint; somebody else is "
					"using the database; "
					"nothing was changed",
					stage->target);
	for (i = 0; i < sizeof(suffixes) / sizeof(*suffixes); i++) {
		if (sqlite_beside_remove(stage->target, suffixes[i]) != 0)
			return inst->host->fail(err, sqlite_errno_class(), NULL, errno,
						"%s%s: cannot be removed: %s", stage->target,
						suffixes[i], strerror(errno));
	}
	return ETL_OK;
}

/* Nobody reads or writes the old file from here on, and it is one file. On failure it is as it was. */
int sqlite_hold_old(struct etl_instance *inst, struct sqlite_stage *stage, struct etl_error *err)
{
	sqlite3 *db = stage->old;
	int moved = 0, step = SQLITE_OK, rc;

	if (sqlite3_file_control(db, "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK && moved)
		return fail_changed(inst, err);
	if (stage->old_wal)
		step = leave_wal(db);
	if (step == SQLITE_OK)
		step = sqlite3_exec(db, "BEGIN EXCLUSIVE", NULL, NULL, NULL);
	if ((step & 0xff) == SQLITE_BUSY || (step & 0xff) == SQLITE_LOCKED) {
		if (stage->old_wal)
			sqlite_set_mode(db, "wal");
		return fail_busy(inst, stage, err);
	}
	rc = step == SQLITE_OK ? ETL_OK :
				 sqlite_fail(inst, db, err, "locking the file that is there");
	if (!rc)
		rc = check_unchanged(inst, stage, err);
	if (!rc)
		rc = remove_companions(inst, stage, err);
	if (rc)
		sqlite_release_old(inst, stage);
	return rc;
}

/* ---- The rename ------------------------------------------------------------------------------------------ */

/* Renames only to a name that is free; 0, or -1 with errno. */
static int rename_new(const char *from, const char *to)
{
	if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	/* The file system does not know the flag. */
	return link(from, to) == 0 ? unlink(from) : -1;
}

static int publish_new(struct etl_instance *inst, struct sqlite_stage *stage, struct etl_error *err)
{
	int rc = sqlite_no_stale(inst, stage->target, err);

	if (!rc)
		rc = remove_companions(inst, stage, err);
	if (rc)
		return rc;
	ETL_FAULT("sqlite.before_rename_new");
	if (rename_new(inst->stage_path, stage->target) == 0)
		return ETL_OK;
	if (errno == EEXIST)
		return inst->host->fail(err, sqlite_errno_class(), NULL, errno,
					"%s: was not there when the run began, and is now; it is "
					"left alone; look at "
					"it and run again",
					inst->path);
	return inst->host->fail(err, sqlite_errno_class(), NULL, errno,
				"%s: cannot be renamed to %s: %s", inst->stage_path, stage->target,
				strerror(errno));
}

static int replace_old(struct etl_instance *inst, struct sqlite_stage *stage,
		       const struct etl_commit *commit, struct etl_error *err)
{
	int64_t count = sqlite_backup_count(inst, commit->run);
	char *kept = NULL;
	int fd = -1, rc = sqlite_hold_old(inst, stage, err);

	if (rc)
		return rc;
	if (count)
		rc = sqlite_backup_keep(inst, stage, commit->run->id, &kept, &fd, err);
	ETL_FAULT("sqlite.before_rename");
	if (!rc && rename(inst->stage_path, stage->target) != 0) {
		rc = inst->host->fail(err, sqlite_errno_class(), NULL, errno,
				      "%s: cannot be renamed to %s: %s", inst->stage_path,
				      stage->target, strerror(errno));
		if (kept)
			unlink(kept);
	}
	if (rc)
		sqlite_release_old(inst, stage);
	else
		sqlite_old_close(inst, stage);
	if (fd >= 0)
		close(fd);
	if (!rc && kept) {
		inst->host->log(inst->host, ETL_LOG_INFO, "the old file is kept as %s", kept);
		if (commit->kept)
			snprintf(commit->kept->text, sizeof(commit->kept->text), "%s", kept);
		ETL_FAULT("sqlite.before_prune");
		sqlite_backup_prune(inst, stage, count);
	}
	free(kept);
	return rc;
}

/* ---- commit ------------------------------------------------------------------------------------------------ */

static int count_rows(struct etl_instance *inst, const struct etl_load *load, int64_t *ret,
		      struct etl_error *err)
{
	struct etl_text sql = { 0 };
	int rc;

	etl_text_add(&sql, "SELECT count(*) FROM ");
	etl_text_add_name(&sql, load->table->name, '"');
	rc = sql.failed ? inst->host->fail(err, ETL_MEMORY, NULL, 0, "%s: no memory", inst->path) :
			  sqlite_number(inst, inst->stage, sql.at, 0, ret, err);
	etl_text_free(&sql);
	return rc;
}

/* What each table's load staged: counted while it was loaded, or, after another process did, now. */
static int outcomes(struct etl_instance *inst, const struct etl_commit *commit,
		    struct etl_error *err)
{
	const struct sqlite_stage *stage = inst->building;
	int64_t rows;
	size_t i, p;
	int rc;

	/* Of a run that goes on the host knows it. */
	for (i = 0; i < commit->load_count && !stage->resumed; i++) {
		const struct etl_load *load = commit->loads[i];

		rows = 0;
		for (p = 0; p < stage->part_count; p++)
			rows += stage->parts[p].load == load->index ?
					(int64_t)stage->parts[p].rows :
					0;
		if (stage->goal_count == 0 && load->table && load->table->kind == ETL_TABLE) {
			rc = count_rows(inst, load, &rows, err);
			if (rc)
				return rc;
		}
		commit->outcomes[i] = (struct etl_outcome){ .inserted = (uint64_t)rows };
	}
	return ETL_OK;
}

/* append and merge that make the file write down in it that they did. */
static int record(struct etl_instance *inst, const struct etl_commit *commit, struct etl_error *err)
{
	int rc = sqlite_run(inst, inst->stage, "BEGIN IMMEDIATE", err);

	if (!rc)
		rc = own_make(inst, inst->stage, err);
	if (!rc)
		rc = keep_publish(inst, inst->stage, "main", commit, err);
	if (!rc)
		rc = own_record(inst, inst->stage, commit, err);
	if (!rc)
		rc = sqlite_run(inst, inst->stage, "COMMIT", err);
	if (rc && !sqlite3_get_autocommit(inst->stage))
		sqlite3_exec(inst->stage, "ROLLBACK", NULL, NULL, NULL);
	return rc;
}

static int set_version(struct etl_instance *inst, struct etl_error *err)
{
	long long version = (long long)sqlite_wanted_version(inst);
	char sql[64];

	snprintf(sql, sizeof(sql), "PRAGMA main.user_version = %lld", version);
	return version ? sqlite_run(inst, inst->stage, sql, err) : ETL_OK;
}

/* Everything that can be done before the target changes; the staging file is closed then. */
static int finish_file(struct etl_instance *inst, const struct etl_commit *commit,
		       struct etl_error *err)
{
	struct sqlite_stage *stage;
	int rc = sqlite_staging(inst, commit->tokens[0], err);

	if (rc)
		return rc;
	stage = inst->building;
	sqlite_disconnect(inst);
	rc = sqlite_order_drop(inst, err);
	if (!rc)
		rc = outcomes(inst, commit, err);
	if (!rc)
		rc = sqlite_leave_out(inst, commit, err);
	if (!rc)
		rc = sqlite_old_views(inst, stage, err);
	if (!rc)
		rc = sqlite_aftermath(inst, stage, commit->loads[0]->run->foreign_keys, err);
	if (!rc && commit->run->mode != ETL_COPY)
		rc = record(inst, commit, err);
	if (!rc)
		rc = set_version(inst, err);
	if (!rc)
		rc = seal(inst, err);
	stage->sealed = !rc;
	return rc;
}

int sqlite_seal(struct etl_instance *inst, const struct etl_commit *commit, struct etl_token *ret,
		struct etl_error *err)
{
	int rc;

	ret->text[0] = '\0';
	if (commit->load_count == 0 || into_runs(commit->run))
		return ETL_OK;
	rc = finish_file(inst, commit, err);
	if (!rc)
		rc = sqlite_write_seal(inst, ret, err);
	if (rc)
		sqlite_stage_close(inst);
	return rc;
}

/* What another process finished is only published. */
static int take_sealed(struct etl_instance *inst, const struct etl_commit *commit,
		       struct etl_error *err)
{
	struct sqlite_stage *stage = inst->building;

	if (stage && stage->sealed)
		return ETL_OK;
	if (!stage || !commit->seal || !sqlite_is_sealed(commit->tokens[0]->text, commit->seal))
		return finish_file(inst, commit, err);
	sqlite_disconnect(inst);
	stage->sealed = true;
	return ETL_OK;
}

int sqlite_commit(struct etl_instance *inst, const struct etl_commit *commit, struct etl_error *err)
{
	struct sqlite_stage *stage = inst->building;
	int rc;

	if (commit->load_count == 0 || (stage && stage->published))
		return ETL_OK;
	if (into_runs(commit->run))
		return into_commit(inst, commit, err);
	rc = take_sealed(inst, commit, err);
	stage = inst->building;
	if (!rc)
		rc = stage->old ? replace_old(inst, stage, commit, err) :
				  publish_new(inst, stage, err);
	if (rc) {
		/* The file stays for another try, which takes it up by its token. */
		sqlite_stage_close(inst);
		return rc;
	}
	ETL_FAULT("sqlite.after_rename");
	stage->published = true;
	if (sqlite_sync_folder(stage->folder) != 0)
		inst->host->log(inst->host, ETL_LOG_WARN,
				"%s: is published, but its folder could not be synced (%s): after "
				"a power failure the "
				"old file may be back",
				inst->path, strerror(errno));
	return ETL_OK;
}
