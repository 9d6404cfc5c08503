/*
 * Where files are: the target behind its links, the staging file beside it, and the -wal, -shm and -journal
 * that belong to a database by nothing but their names, which is why each has to be accounted for before a
 * file is renamed into that name.
 */
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "stage.h"

#define LINKS_MAX  40 /* as Linux follows */
#define RUN_ID_MAX 64 /* of etl_run.id */
#define STAGE_MARK ".etlrun-"

static char *join(const char *folder, const char *name)
{
	struct etl_text text = { 0 };

	etl_text_addf(&text, "%s/%s", strcmp(folder, "/") == 0 ? "" : folder, name);
	return etl_text_take(&text);
}

/* The folder of an absolute path, links followed; NULL with errno. */
static char *real_folder(const char *path)
{
	char *copy = strdup(path), *slash, *real;

	if (!copy)
		return NULL;
	slash = strrchr(copy, '/');
	slash[slash == copy ? 1 : 0] = '\0';
	real = realpath(copy, NULL);
	free(copy);
	return real;
}

/* What a link at PATH points to, absolute; NULL with errno, EINVAL: no link. */
static char *follow(const char *path)
{
	char to[PATH_MAX], *folder, *ret;
	ssize_t n = readlink(path, to, sizeof(to) - 1);

	if (n < 0)
		return NULL;
	to[n] = '\0';
	if (to[0] == '/')
		return strdup(to);
	folder = real_folder(path);
	ret = folder ? join(folder, to) : NULL;
	free(folder);
	return ret;
}

/* The name behind all links, also when nothing is there yet; NULL with errno. */
static char *resolve(const char *path)
{
	char *at = strdup(path), *next, *folder;
	int i;

	for (i = 0; at && i < LINKS_MAX; i++) {
		next = realpath(at, NULL);
		if (!next && errno == ENOENT)
			next = follow(at);
		else if (next || errno != ENOENT)
			goto done;
		if (!next) {
			folder = real_folder(at);
			next = folder ? join(folder, strrchr(at, '/') + 1) : NULL;
			free(folder);
			goto done;
		}
		free(at);
		at = next;
	}
	next = NULL;
	errno = at ? ELOOP : ENOMEM;
done:
	free(at);
	return next;
}

int sqlite_where(struct etl_instance *inst, char **ret_target, char **ret_folder,
		 struct etl_error *err)
{
	char *target = resolve(inst->path), *folder;

	if (!target && (errno == ENOENT || errno == ENOTDIR))
		return inst->host->fail(err, sqlite_errno_class(), NULL, errno,
					"%s: its folder does not exist; create it, or look at path",
					inst->path);
	if (!target)
		return inst->host->fail(err, errno == ENOMEM ? ETL_MEMORY : sqlite_errno_class(),
					NULL, errno, "%s: cannot be reached: %s", inst->path,
					strerror(errno));
	folder = real_folder(target);
	if (!folder) {
		free(target);
		return inst->host->fail(err, sqlite_errno_class(), NULL, errno,
					"%s: its folder cannot be reached: %s", inst->path,
					strerror(errno));
	}
	*ret_target = target;
	*ret_folder = folder;
	return ETL_OK;
}

/* FOLDER/.NAME.etlrun- */
static char *stage_prefix(const char *target)
{
	const char *name = strrchr(target, '/') + 1;
	struct etl_text text = { 0 };

	etl_text_add_bytes(&text, target, (size_t)(name - target));
	etl_text_addf(&text, ".%s" STAGE_MARK, name);
	return etl_text_take(&text);
}

char *sqlite_stage_name(const char *target, const char *run)
{
	char *prefix = stage_prefix(target), *ret = prefix ? sqlite_beside(prefix, run) : NULL;

	free(prefix);
	return ret;
}

const char *sqlite_stage_run(const char *target, const char *path)
{
	char *prefix = stage_prefix(target);
	const char *id = NULL, *at;

	if (prefix && strncmp(path, prefix, strlen(prefix)) == 0)
		id = path + strlen(prefix);
	free(prefix);
	for (at = id; at && (isalnum((unsigned char)*at) || *at == '-'); at++)
		;
	return id && at > id && !*at && at - id <= RUN_ID_MAX ? id : NULL;
}

bool sqlite_is_stage_of(const char *target, const char *path)
{
	return sqlite_stage_run(target, path) != NULL;
}

char *sqlite_beside(const char *path, const char *suffix)
{
	struct etl_text text = { 0 };

	etl_text_addf(&text, "%s%s", path, suffix);
	return etl_text_take(&text);
}

int64_t sqlite_beside_size(const char *path, const char *suffix)
{
	char *name = sqlite_beside(path, suffix);
	struct stat st;
	int64_t size = name && lstat(name, &st) == 0 ? (int64_t)st.st_size : -1;

	free(name);
	return size;
}

int sqlite_beside_remove(const char *path, const char *suffix)
{
	char *name = sqlite_beside(path, suffix);
	int rc = name ? unlink(name) : -1, saved = name ? errno : ENOMEM;

	free(name);
	errno = saved;
	return rc != 0 && saved != ENOENT ? -1 : 0;
}

int sqlite_no_stale(struct etl_instance *inst, const char *target, struct etl_error *err)
{
	static const char *const suffixes[] = { "-wal", "-journal" };
	size_t i;

	for (i = 0; i < sizeof(suffixes) / sizeof(*suffixes); i++) {
		if (sqlite_beside_size(target, suffixes[i]) > 0)
			return inst->host->fail(
				err, ETL_FATAL, NULL, 0,
				"%s%s is left of a database that is gone, and SQLite would "
				"take it for a part of the new %s and destroy that; move it "
				"away, or back to its database",
				target, suffixes[i], target);
	}
	return ETL_OK;
}

int sqlite_sync_folder(const char *folder)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc, saved;

	if (fd < 0)
		return -1;
	rc = fsync(fd);
	saved = errno;
	close(fd);
	errno = saved;
	/* Some file systems cannot sync a folder and say so this way; their renames are durable or never. */
	return rc != 0 && saved != EINVAL ? -1 : 0;
}
