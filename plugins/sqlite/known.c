/*
 * By what a file and the work in it are known again, by a process that comes later: the header's change
 * counter moves by one with every transaction, so it says how far the staging file came; size, time and
 * counter together say whether a file is still what a run published. Files are looked at through descriptors
 * of our own only where SQLite has none open: closing one would drop its locks.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "pages.h"

#define HEADER		  100 /* bytes, SQLite's file format */
#define AT_READ_VERSION	  19
#define AT_CHANGE_COUNTER 24
#define VERSION_WAL	  2
#define SEALED		  "sealed "
#define BOOT_FILE	  "/proc/sys/kernel/random/boot_id"
#define BOOT_SIZE	  40

static uint32_t big_endian(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

struct header {
	uint32_t counter;
	bool wal;
};

static struct header header_of(const unsigned char *head)
{
	return (struct header){ big_endian(head + AT_CHANGE_COUNTER),
				head[AT_READ_VERSION] == VERSION_WAL };
}

/* An empty file has a counter of 0. False with errno. */
static bool read_header(int fd, struct header *ret)
{
	unsigned char head[HEADER] = { 0 };

	if (pread(fd, head, sizeof(head), 0) < 0)
		return false;
	*ret = header_of(head);
	return true;
}

/* Through SQLite's own descriptor. */
static bool read_open_header(sqlite3 *db, struct header *ret)
{
	unsigned char head[HEADER] = { 0 };
	sqlite3_file *file = NULL;

	errno = EIO;
	if (sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file) != SQLITE_OK ||
	    !file || !file->pMethods)
		return false;
	/* A file shorter than that reads as zeroes, and says so. */
	if (file->pMethods->xRead(file, head, sizeof(head), 0) != SQLITE_OK && head[0])
		return false;
	*ret = header_of(head);
	return true;
}

/* ---- Identity -------------------------------------------------------------------------------------------- */

static bool look_at(const char *path, sqlite3 *db, struct header *ret)
{
	int fd, saved;
	bool ok;

	if (db)
		return read_open_header(db, ret);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ok = read_header(fd, ret);
	saved = errno;
	close(fd);
	errno = saved;
	return ok;
}

/* A WAL with something in it is a part of what the file is. */
static bool stat_wal(const char *path, struct stat *ret)
{
	char *beside = sqlite_beside(path, "-wal");

	if (!beside)
		return false;
	if (stat(beside, ret) != 0 || ret->st_size == 0)
		memset(ret, 0, sizeof(*ret));
	free(beside);
	return true;
}

bool sqlite_identity(const char *path, sqlite3 *db, char *ret)
{
	struct header header = { 0 };
	struct stat st, wal;

	if (stat(path, &st) != 0) {
		snprintf(ret, SQLITE_IDENTITY, "none");
		return errno == ENOENT;
	}
	if (!look_at(path, db, &header) || !stat_wal(path, &wal))
		return false;
	snprintf(ret, SQLITE_IDENTITY, "%s:%lld:%lld.%09ld:%08lx:%lld:%lld.%09ld",
		 header.wal ? "wal" : "plain", (long long)st.st_size, (long long)st.st_mtim.tv_sec,
		 (long)st.st_mtim.tv_nsec, (unsigned long)header.counter, (long long)wal.st_size,
		 (long long)wal.st_mtim.tv_sec, (long)wal.st_mtim.tv_nsec);
	return true;
}

static int fail_identity(struct etl_instance *inst, const char *path, struct etl_error *err)
{
	return inst->host->fail(err, sqlite_errno_class(), NULL, errno,
				"%s: cannot be looked at: %s", path, strerror(errno));
}

/* Merge and append look at the target again when they commit. */
int sqlite_find_basis(struct etl_instance *inst, struct sqlite_stage *stage, struct etl_error *err)
{
	if (!stage->replaces) {
		snprintf(stage->basis, sizeof(stage->basis), "any");
		return ETL_OK;
	}
	return sqlite_identity(stage->target, stage->old, stage->basis) ?
		       ETL_OK :
		       fail_identity(inst, stage->target, err);
}

/* ---- mark and since --------------------------------------------------------------------------------------- */

/* The staging file is written without syncs: what it holds after the machine went down is anybody's guess. */
static void find_boot(char *ret)
{
	FILE *file = fopen(BOOT_FILE, "re");

	if (!file || fscanf(file, "%39s", ret) != 1)
		snprintf(ret, BOOT_SIZE, "unknown");
	if (file)
		fclose(file);
}

int sqlite_mark(struct etl_instance *inst, const struct etl_token *token, struct etl_token *ret,
		struct etl_error *err)
{
	struct header header;
	char boot[BOOT_SIZE];
	int rc = sqlite_staging(inst, token, err);

	if (!rc && !read_header(inst->building->hold, &header))
		rc = fail_identity(inst, inst->stage_path, err);
	if (rc)
		return rc;
	find_boot(boot);
	snprintf(ret->text, sizeof(ret->text), "%s %s %lu", boot, inst->building->basis,
		 (unsigned long)header.counter);
	return ETL_OK;
}

static int unknown(struct etl_instance *inst, int32_t *ret, const char *why)
{
	inst->host->log(inst->host, ETL_LOG_INFO, "%s: what was staged is made anew: %s",
			inst->path, why);
	*ret = ETL_UNKNOWN;
	return ETL_OK;
}

/* Whether the staging file is as it was when it was sealed, and would replace the same file. */
static int since_seal(struct etl_instance *inst, const char *path, const char *seal, int32_t *ret,
		      struct etl_error *err)
{
	char own[SQLITE_IDENTITY], basis[SQLITE_IDENTITY], now[SQLITE_IDENTITY];

	*ret = 0;
	if (sscanf(seal, SEALED "%159s %159s", own, basis) != 2)
		return unknown(inst, ret, "its seal cannot be read");
	if (!sqlite_identity(path, NULL, now))
		return fail_identity(inst, path, err);
	if (strcmp(now, own) != 0)
		return unknown(inst, ret, "the finished file was changed");
	return strcmp(inst->building->basis, basis) == 0 ?
		       ETL_OK :
		       unknown(inst, ret, "the file that it replaces was changed meanwhile");
}

int sqlite_since(struct etl_instance *inst, const struct etl_token *token,
		 const struct etl_token *since, int32_t *ret, struct etl_error *err)
{
	char boot[BOOT_SIZE], basis[SQLITE_IDENTITY], now[BOOT_SIZE];
	struct header header;
	unsigned long counter;
	int rc;

	if (strncmp(since->text, SEALED, strlen(SEALED)) == 0)
		return since_seal(inst, token->text, since->text, ret, err);
	if (sscanf(since->text, "%39s %159s %lu", boot, basis, &counter) != 3)
		return unknown(inst, ret, "how far it was cannot be read");
	if (!read_header(inst->building->hold, &header) || header.wal)
		return unknown(inst, ret, "the run ended while the new file was being finished");
	/* Opening it takes back what was under way. */
	rc = sqlite_staging(inst, token, err);
	if (rc)
		return rc;
	find_boot(now);
	if (strcmp(now, boot) != 0)
		return unknown(inst, ret, "the machine was started again since");
	if (strcmp(inst->building->basis, basis) != 0)
		return unknown(inst, ret, "the target was changed since");
	if (!read_header(inst->building->hold, &header) ||
	    (header.counter != (uint32_t)counter && header.counter != (uint32_t)counter + 1))
		return unknown(inst, ret, "it ended in the middle of a piece of work");
	*ret = header.counter != (uint32_t)counter;
	return ETL_OK;
}

/* ---- seal and sealed --------------------------------------------------------------------------------------- */

int sqlite_write_seal(struct etl_instance *inst, struct etl_token *ret, struct etl_error *err)
{
	char own[SQLITE_IDENTITY];

	if (!sqlite_identity(inst->stage_path, NULL, own))
		return fail_identity(inst, inst->stage_path, err);
	snprintf(ret->text, sizeof(ret->text), SEALED "%s %s", own, inst->building->basis);
	return ETL_OK;
}

bool sqlite_is_identity_of(const struct etl_token *seal, const char *identity)
{
	char own[SQLITE_IDENTITY];

	return sscanf(seal->text, SEALED "%159s", own) == 1 && strcmp(identity, own) == 0;
}

bool sqlite_is_sealed(const char *path, const struct etl_token *seal)
{
	char now[SQLITE_IDENTITY];

	return sqlite_identity(path, NULL, now) && sqlite_is_identity_of(seal, now);
}

bool sqlite_seal_basis(const struct etl_token *seal, char *ret)
{
	return sscanf(seal->text, SEALED "%*s %159s", ret) == 1;
}

int sqlite_sealed(struct etl_instance *inst, const struct etl_token *seal, int32_t *ret,
		  struct etl_error *err)
{
	char *target = NULL, *folder = NULL;
	int rc = sqlite_where(inst, &target, &folder, err);

	if (rc)
		return rc;
	sqlite_disconnect(inst);
	*ret = sqlite_is_sealed(target, seal);
	free(target);
	free(folder);
	return ETL_OK;
}

/* ---- The version -------------------------------------------------------------------------------------------- */

int64_t sqlite_wanted_version(const struct etl_instance *inst)
{
	return inst->conf && inst->host->given(inst->conf, "user_version") ?
		       inst->host->num(inst->conf, "user_version") :
		       0;
}

int sqlite_version(struct etl_instance *inst, struct etl_version *ret, struct etl_error *err)
{
	int64_t wanted = sqlite_wanted_version(inst);
	struct etl_version version = { wanted ? wanted : ETL_UNKNOWN, ETL_UNKNOWN };
	struct stat st;
	sqlite3 *db = NULL;
	int rc = ETL_OK;

	/* Nobody will ask of a file that is to have none, and it need not be opened for that; an empty one has none. */
	if (wanted && stat(inst->path, &st) == 0 && st.st_size > 0) {
		rc = sqlite_db(inst, NULL, &db, err);
		if (!rc)
			rc = sqlite_number(inst, db, "PRAGMA main.user_version", 0, &version.there, err);
	}
	if (!rc)
		*ret = version;
	return rc;
}
