/*
 * A copy of a tree before something else takes its place: every file byte by byte, with its time, in a folder that appears whole
 * or not at all, of which the newest few are kept.
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <etlrun/helpers.h>

#include "fault.h"
#include "place.h"

#define TIME	    "{time}"
#define TIME_LENGTH 15 /* YYYYmmdd-HHMMSS */
#define FILE_MODE   0666
#define COPY_BYTES  (1 << 18)

struct backup {
	struct files *files;
	struct etl_error *err;
	char *parent;		    /* the folder that backups are in */
	const char *before, *after; /* what is around the time in their names; sizes below */
	size_t before_size, after_size;
	bool timed;
	char *path, *aside;
	char *bytes;
};

/* ---- Names ------------------------------------------------------------------------------------------------------------- */

static void write_time(char *ret, int64_t now)
{
	time_t seconds = (time_t)(now / 1000000);
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(ret, TIME_LENGTH + 1, "%Y%m%d-%H%M%S", &tm);
}

static int find_names(struct backup *b, char *folder, int64_t now)
{
	const struct etl_host *host = b->files->host;
	char stamp[TIME_LENGTH + 1], *at, *base;
	struct etl_text name = { 0 }, aside = { 0 };
	size_t length;

	for (length = strlen(folder); length > 1 && folder[length - 1] == '/'; length--)
		folder[length - 1] = '\0';
	base = strrchr(folder, '/');
	base = base ? base + 1 : folder;
	at = strstr(folder, TIME);
	if (at && (at < base || strstr(at + 1, TIME)))
		return host->fail(b->err, ETL_USAGE, NULL, 0,
				  "the folder of the backup, %s, may have " TIME " once, in its last part", folder);
	b->timed = at != NULL;
	b->before = base;
	b->before_size = at ? (size_t)(at - base) : strlen(base);
	b->after = at ? at + strlen(TIME) : "";
	b->after_size = strlen(b->after);
	b->parent = files_folder_of(folder);
	write_time(stamp, now);
	etl_text_add_bytes(&name, folder, at ? (size_t)(at - folder) : strlen(folder));
	if (at)
		etl_text_addf(&name, "%s%s", stamp, b->after);
	b->path = etl_text_take(&name);
	etl_text_addf(&aside, "%s" FILES_ASIDE, b->path ? b->path : "");
	b->aside = etl_text_take(&aside);
	b->bytes = malloc(COPY_BYTES);
	return b->parent && b->path && b->aside && b->bytes ? ETL_OK : files_no_memory(b->files, b->err);
}

static bool is_of_pattern(const struct backup *b, const char *name)
{
	size_t i;

	if (!b->timed)
		return strncmp(name, b->before, b->before_size) == 0 && name[b->before_size] == '\0';
	if (strlen(name) != b->before_size + TIME_LENGTH + b->after_size ||
	    memcmp(name, b->before, b->before_size) != 0 ||
	    strcmp(name + b->before_size + TIME_LENGTH, b->after) != 0)
		return false;
	for (i = 0; i < TIME_LENGTH; i++) {
		char c = name[b->before_size + i];

		if (i == 8 ? c != '-' : c < '0' || c > '9')
			return false;
	}
	return true;
}

/* ---- Copying ------------------------------------------------------------------------------------------------------------- */

static int put(struct backup *b, int fd, size_t size, const char *path)
{
	const char *at = b->bytes;
	ssize_t n;

	for (; size > 0; at += n, size -= (size_t)n) {
		do
			n = write(fd, at, size);
		while (n < 0 && errno == EINTR);
		if (n <= 0)
			return files_fail(b->files, b->err, n < 0 ? errno : ENOSPC, "write", path);
	}
	return ETL_OK;
}

static int copy_bytes(struct backup *b, struct files_raw *raw, int fd, const char *path)
{
	const struct files_backend *backend = b->files->backend;
	size_t n = 0;
	int rc;

	for (;;) {
		if (b->files->host->canceled(b->files->host))
			return ETL_CANCELED;
		rc = backend->read(raw, b->bytes, COPY_BYTES, &n, b->err);
		if (!rc && n == 0)
			return backend->unchanged(raw, b->err);
		if (!rc)
			rc = put(b, fd, n, path);
		if (rc)
			return rc;
	}
}

static int copy_to(struct backup *b, struct files_raw *raw, const struct files_entry *entry,
		   const char *path)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_NOW }, { .tv_nsec = UTIME_OMIT } };
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, FILE_MODE), rc;

	if (fd < 0)
		return files_fail(b->files, b->err, errno, "write", path);
	rc = copy_bytes(b, raw, fd, path);
	if (entry->modified != 0)
		times[1] = (struct timespec){ entry->modified / 1000000,
					      entry->modified % 1000000 * 1000 };
	if (!rc && futimens(fd, times) != 0)
		rc = files_fail(b->files, b->err, errno, "set the time of", path);
	if (close(fd) != 0 && !rc)
		rc = files_fail(b->files, b->err, errno, "write", path);
	return rc;
}

static int copy_file(struct backup *b, const struct files_entry *entry)
{
	char *path = files_join(b->aside, *entry->name ? entry->name : files_label(b->files, entry));
	struct files_raw *raw = NULL;
	int rc = path ? files_make_folders(b->files, path, b->err) : files_no_memory(b->files, b->err);

	if (!rc)
		rc = b->files->backend->open(b->files, entry, &raw, b->err);
	if (!rc)
		rc = copy_to(b, raw, entry, path);
	if (raw)
		b->files->backend->close(raw);
	free(path);
	return rc;
}

/* NAME, in the root, is in one of the backups. */
static bool is_backup(const struct backup *b, const char *name)
{
	char *path = files_join(b->files->root, name), *at, *end;
	size_t length = strlen(b->parent);
	bool yes = false;

	if (path && strncmp(path, b->parent, length) == 0 && path[length] == '/') {
		at = path + length + 1;
		end = strchr(at, '/');
		if (end)
			*end = '\0';
		yes = end && is_of_pattern(b, at);
	}
	free(path);
	return yes;
}

static int copy_files(struct backup *b, const struct files_list *list)
{
	char *within = files_join(b->aside, "x");
	size_t i;
	int rc = within ? files_remove_tree(b->files, b->aside, b->err) :
			  files_no_memory(b->files, b->err);

	if (!rc)
		rc = files_make_folders(b->files, within, b->err);
	for (i = 0; !rc && i < list->count; i++) {
		if (!is_backup(b, list->at[i].name))
			rc = copy_file(b, &list->at[i]);
	}
	free(within);
	return rc;
}

/* All of it at once: ten thousand files, each by itself, would take ten thousand turns of the disk. */
static int make_durable(struct backup *b)
{
	int fd = open(b->aside, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = ETL_OK;

	if (fd < 0 || syncfs(fd) != 0)
		rc = files_fail(b->files, b->err, errno, "make durable", b->aside);
	if (fd >= 0)
		close(fd);
	return rc;
}

static int give_name(struct backup *b)
{
	ETL_FAULT("files.before_backup");
	if (renameat2(AT_FDCWD, b->aside, AT_FDCWD, b->path, RENAME_NOREPLACE) != 0) {
		if (errno == EEXIST)
			return b->files->host->fail(b->err, ETL_FATAL, NULL, errno,
						    "%s is there already; give the backup another folder, or put " TIME
						    " in its name",
						    b->path);
		return files_fail(b->files, b->err, errno, "make the backup", b->path);
	}
	return files_sync_folder(b->files, b->parent, b->err);
}

/* ---- The old ones -------------------------------------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int remove_oldest(struct backup *b, char **names, size_t count, size_t keep)
{
	size_t i;
	int rc = ETL_OK;

	if (count > 1)
		qsort(names, count, sizeof(*names), by_name);
	for (i = 0; !rc && i + keep < count; i++) {
		char *path = files_join(b->parent, names[i]);

		rc = path ? files_remove_tree(b->files, path, b->err) :
			    files_no_memory(b->files, b->err);
		if (!rc)
			b->files->host->log(b->files->host, ETL_LOG_INFO,
					    "%s, an old backup, was removed; the newest %zu are kept", path, keep);
		free(path);
	}
	return rc;
}

static int prune(struct backup *b, int64_t keep)
{
	struct arena memory = { 0 };
	struct dirent *entry;
	char **names = NULL;
	size_t count = 0;
	DIR *dir = opendir(b->parent);
	int rc;

	if (!dir)
		return files_fail(b->files, b->err, errno, "read the folder", b->parent);
	while ((entry = readdir(dir)) != NULL) {
		if (!is_of_pattern(b, entry->d_name))
			continue;
		names = etl_arena_push(&memory, names, count, sizeof(*names));
		if (!names)
			break;
		names[count++] = etl_arena_copy(&memory, entry->d_name);
	}
	closedir(dir);
	if (memory.failed)
		rc = files_no_memory(b->files, b->err);
	else
		rc = remove_oldest(b, names, count, (size_t)keep);
	etl_arena_free(&memory);
	return rc;
}

/* ---- All of it ---------------------------------------------------------------------------------------------------------------- */

int files_backup(struct files *files, const struct files_list *list, const char *folder, int64_t now,
		 int64_t keep, char **ret_path, struct etl_error *err)
{
	struct backup b = { .files = files, .err = err };
	char *copy = strdup(folder);
	int rc = copy ? find_names(&b, copy, now) : files_no_memory(files, err);

	if (!rc) {
		rc = copy_files(&b, list);
		if (!rc)
			rc = make_durable(&b);
		if (!rc)
			rc = give_name(&b);
		/* Half a copy only takes the room that was maybe missing; the first thing that failed is what is said. */
		if (rc)
			files_remove_tree(files, b.aside, err);
	}
	if (!rc && b.timed && keep > 0)
		rc = prune(&b, keep);
	if (!rc) {
		*ret_path = b.path;
		b.path = NULL;
	}
	free(b.bytes);
	free(b.aside);
	free(b.path);
	free(b.parent);
	free(copy);
	return rc;
}
