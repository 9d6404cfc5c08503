/*
 * Staging files of runs that died before their journal knew them: nobody else would ever take them away. A
 * living run holds a lock on its own, so what can be locked is left over.
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "stage.h"

static const char *const companions[] = { "-journal", "-wal", "-shm", "-pages" };

/* The length of the staging file's own path when PATH is of its journal or WAL; else 0. */
static size_t companion_of(const char *path)
{
	size_t length = strlen(path), i;

	for (i = 0; i < sizeof(companions) / sizeof(*companions); i++) {
		size_t n = strlen(companions[i]);

		if (length > n && strcmp(path + length - n, companions[i]) == 0)
			return length - n;
	}
	return 0;
}

static bool is_left_over(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	bool ret = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0;

	if (fd >= 0)
		close(fd);
	return ret;
}

static void sweep_one(struct etl_instance *inst, const char *target, char *path)
{
	size_t base = companion_of(path), i;

	if (base) {
		char end = path[base];
		bool there;

		path[base] = '\0';
		there = access(path, F_OK) == 0;
		path[base] = end;
		if (!there)
			unlink(path);
		return;
	}
	if (!is_left_over(path))
		return;
	for (i = 0; i < sizeof(companions) / sizeof(*companions); i++)
		sqlite_beside_remove(path, companions[i]);
	sqlite_backup_drop(target, sqlite_stage_run(target, path));
	if (unlink(path) == 0)
		inst->host->log(inst->host, ETL_LOG_INFO,
				"%s: removed, a run that died left it behind", path);
}

void sqlite_sweep(struct etl_instance *inst, const struct sqlite_stage *stage)
{
	DIR *dir = opendir(stage->folder);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)) != NULL) {
		struct etl_text path = { 0 };

		etl_text_addf(&path, "%s%s%s", stage->folder,
			      strcmp(stage->folder, "/") == 0 ? "" : "/", entry->d_name);
		if (!path.failed && sqlite_is_stage_of(stage->target, path.at))
			sweep_one(inst, stage->target, path.at);
		etl_text_free(&path);
	}
	if (dir)
		closedir(dir);
}

/* A descriptor of its own, for closing one drops the locks SQLite has: only after SQLite has closed the file. */
void sqlite_hold(struct sqlite_stage *stage, const char *path)
{
	stage->hold = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (stage->hold >= 0)
		(void)flock(stage->hold, LOCK_EX | LOCK_NB);
}

void sqlite_let_go(struct sqlite_stage *stage)
{
	if (stage->hold >= 0)
		close(stage->hold);
	stage->hold = -1;
}
