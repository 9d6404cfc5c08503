/*
 * The staging file itself: made beside the target, opened, and taken up where another process left it. It is
 * built without syncs, in rollback mode, so that a split is whole or not there when the process dies;
 * publish.c makes it durable.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fault.h"
#include "into.h"

#define CACHE_LEAST   (2 << 20) /* bytes: SQLite's own default */
#define NEW_FILE_MODE 0666	/* the umask takes its part */

/* An index is sorted in memory beside the cache, in runs as large as the cache may be: both have to be within it. */
#define SORT_SHARE 4

static int fail_create(struct etl_instance *inst, const char *path, struct etl_error *err)
{
	int error = errno;

	switch (error) {
	case EEXIST:
		return inst->host->fail(
			err, ETL_FATAL, NULL, error,
			"%s: the staging file of this run is there already; another process is at "
			"it, or it was left behind: then remove it",
			path);
	case EACCES:
	case EPERM:
	case EROFS:
		return inst->host->fail(
			err, ETL_FATAL, NULL, error,
			"%s: the new file is built beside the target, and its folder may not be "
			"written (%s); change its permissions, or look at path",
			inst->path, strerror(error));
	default:
		return inst->host->fail(err, ETL_FATAL, NULL, error, "%s: cannot be created: %s",
					path, strerror(error));
	}
}

/* Owner and mode of the file that will be replaced, from the start: what is in it is as private. */
static int take_owner(struct etl_instance *inst, const struct sqlite_stage *stage, int fd,
		      struct etl_error *err)
{
	const struct stat *old = &stage->old_stat;
	struct stat now;

	if (!stage->old)
		return ETL_OK;
	if (fstat(fd, &now) == 0 && ((now.st_uid == old->st_uid && now.st_gid == old->st_gid) ||
				     fchown(fd, old->st_uid, old->st_gid) == 0))
		return ETL_OK;
	return inst->host->fail(err, sqlite_errno_class(), NULL, errno,
				"%s: belongs to user %lu, group %lu, and the new file cannot be "
				"given to them (%s); "
				"run as that user",
				inst->path, (unsigned long)old->st_uid, (unsigned long)old->st_gid,
				strerror(errno));
}

static int create(struct etl_instance *inst, const struct sqlite_stage *stage, const char *path,
		  struct etl_error *err)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
		      stage->old ? 0600 : NEW_FILE_MODE);
	int rc;

	if (fd < 0)
		return fail_create(inst, path, err);
	rc = take_owner(inst, stage, fd, err);
	if (!rc && (fsync(fd) != 0 || sqlite_sync_folder(stage->folder) != 0))
		rc = inst->host->fail(err, sqlite_errno_class(), NULL, errno,
				      "%s: cannot be made durable: %s", path, strerror(errno));
	close(fd);
	if (rc)
		unlink(path);
	return rc;
}

static int64_t cache_bytes(const struct etl_instance *inst)
{
	int64_t bytes = inst->host->memory / 2;

	if (inst->host->given(inst->conf, "cache"))
		bytes = inst->host->num(inst->conf, "cache");
	return bytes > CACHE_LEAST ? bytes : CACHE_LEAST;
}

int sqlite_stage_sorts(struct etl_instance *inst, bool sorts, struct etl_error *err)
{
	int64_t bytes = cache_bytes(inst) / (sorts ? SORT_SHARE : 1);
	char sql[64];

	snprintf(sql, sizeof(sql), "PRAGMA main.cache_size = -%lld",
		 (long long)((bytes > CACHE_LEAST ? bytes : CACHE_LEAST) >> 10));
	return sqlite_run(inst, inst->stage, sql, err);
}

static int configure(struct etl_instance *inst, sqlite3 *db, bool anew, struct etl_error *err)
{
	char sql[512] = "";
	int64_t page_size = inst->host->given(inst->conf, "page_size") ?
				    inst->host->num(inst->conf, "page_size") :
				    0;

	sqlite3_extended_result_codes(db, 1);
	sqlite3_busy_timeout(db, (int)inst->host->num(inst->conf, "busy_timeout"));
	sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_FKEY, 0, (int *)NULL);
	/* Triggers of a table that is only emptied must not fire for the rows that come. */
	sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, (int *)NULL);
	/* Some builds begin so: pages-schema.c writes the schema. */
	sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 0, (int *)NULL);
	sqlite3_limit(db, SQLITE_LIMIT_LENGTH, INT32_MAX);
	/* A file that is there keeps its size of pages, also through a VACUUM. */
	if (anew)
		snprintf(sql, sizeof(sql), "PRAGMA page_size = %lld; ",
			 (long long)(page_size ? page_size : 4096));
	snprintf(sql + strlen(sql), sizeof(sql) - strlen(sql),
		 "PRAGMA journal_mode = TRUNCATE; PRAGMA synchronous = OFF; "
		 "PRAGMA temp_store = FILE; PRAGMA cache_size = -%lld",
		 (long long)(cache_bytes(inst) >> 10));
	return sqlite_run(inst, db, sql, err);
}

int sqlite_stage_take_name(struct etl_instance *inst, const char *path, struct etl_error *err)
{
	char *copy = strdup(path);

	if (!copy)
		return inst->host->fail(err, ETL_MEMORY, NULL, 0, "%s: no memory", inst->path);
	free(inst->stage_path);
	inst->stage_path = copy;
	return ETL_OK;
}

int sqlite_stage_open(struct etl_instance *inst, const char *path, bool anew, struct etl_error *err)
{
	sqlite3 *db = NULL;
	int rc = ETL_OK;

	if (sqlite3_open_v2(path, &db,
			    SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI,
			    NULL) != SQLITE_OK)
		rc = sqlite_fail(inst, db, err, "opening its staging file %s", path);
	if (!rc)
		rc = configure(inst, db, anew, err);
	if (rc) {
		sqlite3_close(db);
		return rc;
	}
	sqlite_enlist(inst, db);
	inst->stage = db;
	return ETL_OK;
}

/* Only files of one encoding can be attached to each other. */
static int take_encoding(struct etl_instance *inst, const struct sqlite_stage *stage,
			 struct etl_error *err)
{
	sqlite3_stmt *stmt = NULL;
	char sql[64] = "";
	int rc = sqlite_prepare(inst, stage->old, "PRAGMA main.encoding", &stmt, err);

	if (rc)
		return rc;
	if (sqlite3_step(stmt) == SQLITE_ROW)
		sqlite3_snprintf(sizeof(sql), sql, "PRAGMA encoding = %Q",
				 (const char *)sqlite3_column_text(stmt, 0));
	sqlite3_finalize(stmt);
	return sqlite_run(inst, inst->stage, sql, err);
}

int sqlite_stage_make(struct etl_instance *inst, struct sqlite_stage *stage, const char *run,
		      struct etl_error *err)
{
	char *path = sqlite_stage_name(stage->target, run);
	int rc;

	if (!path)
		return inst->host->fail(err, ETL_MEMORY, NULL, 0, "%s: no memory", inst->path);
	if (strlen(path) >= ETL_TOKEN_MAX) {
		rc = inst->host->fail(err, ETL_FATAL, NULL, ENAMETOOLONG,
				      "%s: the path of its staging file would have %zu bytes, and "
				      "%d are the most; "
				      "publish into a folder with a shorter path",
				      inst->path, strlen(path), ETL_TOKEN_MAX - 1);
	} else {
		sqlite_sweep(inst, stage);
		rc = create(inst, stage, path, err);
		if (!rc) {
			ETL_FAULT("sqlite.stage_created");
			sqlite_hold(stage, path);
			rc = sqlite_stage_take_name(inst, path, err);
			if (!rc)
				rc = sqlite_stage_open(inst, path, true, err);
			if (!rc && !stage->replaces)
				rc = take_encoding(inst, stage, err);
			if (rc)
				unlink(path);
		}
	}
	free(path);
	return rc;
}

int sqlite_stage_take_up(struct etl_instance *inst, struct sqlite_stage *stage, const char *run,
			 struct etl_error *err)
{
	char *path = sqlite_stage_name(stage->target, run);
	int rc;

	if (!path)
		return inst->host->fail(err, ETL_MEMORY, NULL, 0, "%s: no memory", inst->path);
	sqlite_hold(stage, path);
	if (stage->hold < 0) {
		free(path);
		return sqlite_stage_make(inst, stage, run, err);
	}
	rc = sqlite_stage_take_name(inst, path, err);
	stage->settled = stage->resumed = true;
	free(path);
	return rc;
}
