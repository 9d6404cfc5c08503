/*
 * keep_old = N, or `backup = true`, which is keep_old = 5: the file that a run replaces stays beside the new
 * one, named after that run, TARGET.RUN.bak, and the newest N of them are kept. A hard link where the file
 * system has them, so that it costs nothing and cannot be half done. revert.c puts one back.
 */
#include "config.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "stage.h"

#define KEPT	     5	/* with `backup` alone */
#define STAMP_LENGTH 16 /* YYYYmmddTHHMMSSZ, with which the name of a run begins */
#define SUFFIX	     ".bak"
#define COPY_BYTES   (1 << 18)

int64_t sqlite_backup_count(struct etl_instance *inst, const struct etl_run *run)
{
	int64_t count = inst->host->flag(inst->conf, "backup") ? KEPT : 0;

	return run->keep_old > count ? run->keep_old : count;
}

char *sqlite_backup_name(const char *target, const char *run)
{
	struct etl_text text = { 0 };

	etl_text_addf(&text, "%s.%s" SUFFIX, target, run);
	return etl_text_take(&text);
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
	/* Rolling back a generation looks whether it is the one, by its time too. */
	if (rc == 0)
		(void)futimens(to, (struct timespec[]){ stage->old_stat.st_mtim,
							stage->old_stat.st_mtim });
	saved = errno;
	close(to);
	if (rc != 0)
		unlink(name);
	*ret_fd = from;
	errno = saved;
	return rc;
}

/* A run that died here made it already. */
static bool is_kept(const struct sqlite_stage *stage, const char *name)
{
	struct stat kept, there;

	return stat(name, &kept) == 0 && stat(stage->target, &there) == 0 &&
	       kept.st_dev == there.st_dev && kept.st_ino == there.st_ino;
}

int sqlite_backup_keep(struct etl_instance *inst, const struct sqlite_stage *stage, const char *run,
		       char **ret, int *ret_fd, struct etl_error *err)
{
	char *name = sqlite_backup_name(stage->target, run);

	if (!name)
		return inst->host->fail(err, ETL_MEMORY, NULL, 0, "%s: no memory", inst->path);
	if (keep_as(stage, name, ret_fd) == 0 || (errno == EEXIST && is_kept(stage, name))) {
		*ret = name;
		return ETL_OK;
	}
	(void)inst->host->fail(err, sqlite_errno_class(), NULL, errno,
			       "%s: the old file cannot be kept as %s: %s; it stays as it is",
			       inst->path, name, strerror(errno));
	free(name);
	return ETL_FAILED;
}

void sqlite_backup_drop(const char *target, const char *run)
{
	char *name = run ? sqlite_backup_name(target, run) : NULL;
	struct stat kept, there;

	/* A second name of what is still there keeps nothing; anything else is a generation. */
	if (name && lstat(name, &kept) == 0 && stat(target, &there) == 0 &&
	    kept.st_dev == there.st_dev && kept.st_ino == there.st_ino)
		unlink(name);
	free(name);
}

/* ---- The newest ------------------------------------------------------------------------------------------ */

static bool is_stamp(const char *at)
{
	size_t i;

	for (i = 0; i < STAMP_LENGTH; i++) {
		if (i == 8 ? at[i] != 'T' : i == 15 ? at[i] != 'Z' : !isdigit((unsigned char)at[i]))
			return false;
	}
	return true;
}

/* NAME.YYYYmmddTHHMMSSZ-xxxxxx.bak; before it was named after the run, without the last part. */
static bool is_backup(const char *file, const char *name)
{
	size_t length = strlen(name);
	const char *at = file + length + 1;

	if (strncmp(file, name, length) != 0 || file[length] != '.' || !is_stamp(at))
		return false;
	at += STAMP_LENGTH;
	if (*at == '-')
		at += 1 + strspn(at + 1, "0123456789abcdef");
	return strcmp(at, SUFFIX) == 0;
}

/* Keeps the newest COUNT names in KEEP, in order; what falls out is removed. */
static void sort_in(int folder, char **keep, int64_t count, const char *file)
{
	char *name = strdup(file), *swap;
	int64_t i;

	for (i = 0; name && i < count; i++) {
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

void sqlite_backup_prune(struct etl_instance *inst, const struct sqlite_stage *stage, int64_t count)
{
	char **keep = calloc((size_t)count + 1, sizeof(*keep));
	DIR *dir = keep ? opendir(stage->folder) : NULL;
	struct dirent *entry;
	int64_t i;

	if (!dir)
		inst->host->log(inst->host, ETL_LOG_WARN, "%s: old generations are not removed: %s",
				stage->folder, strerror(keep ? errno : ENOMEM));
	while (dir && (entry = readdir(dir)) != NULL) {
		if (is_backup(entry->d_name, strrchr(stage->target, '/') + 1))
			sort_in(dirfd(dir), keep, count, entry->d_name);
	}
	if (dir)
		closedir(dir);
	for (i = 0; keep && i < count; i++)
		free(keep[i]);
	free(keep);
}
