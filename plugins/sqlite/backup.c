/*
 * `backup = true`: the file that is replaced stays beside the new one under a dated name, the newest five of
 * them. A hard link where the file system has them, so that a backup costs nothing and cannot be half done.
 */
#include "config.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "stage.h"

#define KEPT	     5
#define STAMP_LENGTH 16 /* YYYYmmddTHHMMSSZ */
#define TRIES	     60 /* seconds to go forward when a name is taken */
#define COPY_BYTES   (1 << 18)

static char *dated_name(const char *target, time_t when)
{
	char stamp[64];
	struct tm tm;

	if (!gmtime_r(&when, &tm) || !strftime(stamp, sizeof(stamp), ".%Y%m%dT%H%M%SZ.bak", &tm))
		return NULL;
	return sqlite_beside(target, stamp);
}

static int copy_bytes(int from, int to)
{
	char *buf = malloc(COPY_BYTES);
	ssize_t n = -1, done, put;

	if (!buf)
		return -1;
	while ((n = read(from, buf, COPY_BYTES)) > 0) {
		for (done = 0; done < n; done += put) {
			put = write(to, buf + done, (size_t)(n - done));
			if (put < 0) {
				free(buf);
				return -1;
			}
		}
	}
	free(buf);
	return n < 0 || fsync(to) != 0 ? -1 : 0;
}

/* 0; -1 with errno, EEXIST when the name is taken. Closing a descriptor of the target would drop SQLite's
 * locks on it, so it is handed out. */
static int keep_as(const struct sqlite_stage *stage, const char *name, int *ret_fd)
{
	int from, to, rc, saved;

	if (link(stage->target, name) == 0)
		return 0;
	if (errno != EPERM && errno != EOPNOTSUPP && errno != EMLINK && errno != ENOSYS)
		return -1; /* EEXIST too */
	to = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, stage->old_stat.st_mode & 0777);
	if (to < 0)
		return -1;
	from = open(stage->target, O_RDONLY | O_CLOEXEC);
	rc = from < 0 ? -1 : copy_bytes(from, to);
	saved = errno;
	close(to);
	if (rc != 0)
		unlink(name);
	*ret_fd = from;
	errno = saved;
	return rc;
}

int sqlite_backup_keep(struct etl_instance *inst, const struct sqlite_stage *stage, char **ret,
		       int *ret_fd, struct etl_error *err)
{
	time_t now = time(NULL);
	char *name = NULL;
	int i;

	for (i = 0; i < TRIES; i++) {
		name = dated_name(stage->target, now + i);
		if (!name)
			return inst->host->fail(err, ETL_MEMORY, NULL, 0, "%s: no memory",
						inst->path);
		if (keep_as(stage, name, ret_fd) == 0) {
			*ret = name;
			return ETL_OK;
		}
		if (errno != EEXIST)
			break;
		free(name);
		name = NULL;
	}
	(void)inst->host->fail(err, ETL_FATAL, NULL, errno,
			       "%s: the backup %s cannot be made: %s; the old file stays as it is",
			       inst->path, name ? name : "beside it", strerror(errno));
	free(name);
	return ETL_FAILED;
}

/* ---- The newest five ------------------------------------------------------------------------------------- */

/* NAME.YYYYmmddTHHMMSSZ.bak */
static bool is_backup(const char *file, const char *name)
{
	size_t length = strlen(name), i;
	const char *stamp = file + length + 1;

	if (strncmp(file, name, length) != 0 || file[length] != '.' ||
	    strlen(stamp) != STAMP_LENGTH + 4 || strcmp(stamp + STAMP_LENGTH, ".bak") != 0)
		return false;
	for (i = 0; i < STAMP_LENGTH; i++) {
		if (i == 8  ? stamp[i] != 'T' :
		    i == 15 ? stamp[i] != 'Z' :
			      !isdigit((unsigned char)stamp[i]))
			return false;
	}
	return true;
}

/* Keeps the newest KEPT names in KEEP, in order; what falls out is removed. */
static void sort_in(int folder, char **keep, const char *file)
{
	char *name = strdup(file), *swap;
	int i;

	for (i = 0; name && i < KEPT; i++) {
		if (keep[i] && strcmp(keep[i], name) > 0)
			continue;
		swap = keep[i];
		keep[i] = name;
		name = swap;
	}
	if (name)
		unlinkat(folder, name, 0);
	free(name);
}

void sqlite_backup_prune(struct etl_instance *inst, const struct sqlite_stage *stage)
{
	char *keep[KEPT] = { NULL };
	DIR *dir = opendir(stage->folder);
	struct dirent *entry;
	int i;

	if (!dir) {
		inst->host->log(inst->host, ETL_LOG_WARN, "%s: old backups are not removed: %s",
				stage->folder, strerror(errno));
		return;
	}
	while ((entry = readdir(dir)) != NULL) {
		if (is_backup(entry->d_name, strrchr(stage->target, '/') + 1))
			sort_in(dirfd(dir), keep, entry->d_name);
	}
	closedir(dir);
	for (i = 0; i < KEPT; i++)
		free(keep[i]);
}
