/*
 * Files on the disk: the walk through the folders of a root, and the bytes of one file. A tree is not trusted to stand still
 * or to be tidy: what is found in it besides plain files is refused or named, and a file is read only as long as it is the one
 * that was listed.
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <etlrun/helpers.h>

#include "backend.h"

#define DEPTH_MAX     256  /* folders in each other */
#define CANCEL_ENTRIES 1024 /* between two looks at whether to go on */

static int64_t modified_of(const struct stat *st)
{
	int64_t micros = (int64_t)st->st_mtim.tv_sec * 1000000 + st->st_mtim.tv_nsec / 1000;

	return micros ? micros : 1;
}

/* ---- Listing -------------------------------------------------------------------------------------------------- */

/* A folder that is open, and those it is in. */
struct folder {
	const struct folder *up;
	dev_t dev;
	ino_t ino;
	unsigned depth;
};

struct walk {
	struct files_gather *gather;
	char *real; /* the root without symbolic links */
	unsigned looked;
};

static int walk_folder(struct walk *w, const char *name, const struct folder *up);

static int no_utf8(const struct walk *w, const char *name)
{
	char *shown = files_shown(name);
	int rc = w->gather->files->host->fail(
		w->gather->err, ETL_FATAL, NULL, 0,
		"the name of %s in %s is no valid UTF-8; rename it, or leave it out by the pattern",
		shown ? shown : "a file", w->gather->files->root);

	free(shown);
	return rc;
}

static const char *kind_of(mode_t mode)
{
	if (S_ISFIFO(mode))
		return "a pipe";
	if (S_ISSOCK(mode))
		return "a socket";
	if (S_ISCHR(mode) || S_ISBLK(mode))
		return "a device";
	return "no file";
}

/* PATH is a symbolic link. True: what it leads to is in the root. */
static bool stays_inside(const struct walk *w, const char *path)
{
	char *real = realpath(path, NULL);
	size_t length = strlen(w->real);
	bool inside = real && strncmp(real, w->real, length) == 0 &&
		      (real[length] == '\0' || real[length] == '/' || length == 1);

	free(real);
	return inside;
}

static void warn(const struct walk *w, const char *path, const char *why)
{
	const struct etl_host *host = w->gather->files->host;
	char *shown = files_shown(path);

	host->log(host, ETL_LOG_WARN, "%s %s", shown ? shown : "a symbolic link", why);
	free(shown);
}

/* Sets *ret to what PATH is, through a symbolic link when that stays inside. 1: it is left out. */
static int look(struct walk *w, const char *path, struct stat *ret)
{
	const struct files *files = w->gather->files;

	if (lstat(path, ret) != 0)
		return files_fail(files, w->gather->err, errno, "look at", path);
	if (!S_ISLNK(ret->st_mode))
		return ETL_OK;
	if (stat(path, ret) != 0) {
		warn(w, path, "is a symbolic link that leads nowhere; it is left out");
		return 1;
	}
	if (!stays_inside(w, path)) {
		warn(w, path, "is a symbolic link out of the folder; it is not followed");
		return 1;
	}
	return ETL_OK;
}

static int take_file(struct walk *w, const char *name, const char *path, const struct stat *st)
{
	const struct files *files = w->gather->files;
	char *shown;
	int rc;

	if (!files_gather_wants(w->gather, name))
		return ETL_OK;
	if (etl_utf8_valid(name, strlen(name)) != strlen(name))
		return no_utf8(w, name);
	if (S_ISREG(st->st_mode))
		return files_gather_add(w->gather, name, name, st->st_size, modified_of(st), "");
	shown = files_shown(path);
	rc = files->host->fail(w->gather->err, ETL_FATAL, NULL, 0,
			       "%s is %s, which cannot be read as a file; take it out of the folder, or leave it out by "
			       "the pattern",
			       shown ? shown : "a file", kind_of(st->st_mode));
	free(shown);
	return rc;
}

/* NAME is relative to the root; of a folder, whether it is looked into is asked with its slash. */
static int take(struct walk *w, const char *name, const struct folder *up)
{
	char *path = files_join(w->gather->files->root, name);
	struct etl_text slashed = { 0 };
	struct stat st;
	int rc;

	etl_text_add(&slashed, name);
	etl_text_add(&slashed, "/");
	if (!path || slashed.failed) {
		rc = files_no_memory(w->gather->files, w->gather->err);
	} else if (!files_gather_wants(w->gather, name) &&
		   !files_gather_looks(w->gather, slashed.at)) {
		rc = ETL_OK;
	} else {
		rc = look(w, path, &st);
		if (rc == ETL_OK && !S_ISDIR(st.st_mode))
			rc = take_file(w, name, path, &st);
		else if (rc == ETL_OK && files_gather_looks(w->gather, slashed.at))
			rc = walk_folder(w, name, up);
	}
	etl_text_free(&slashed);
	free(path);
	return rc < 0 ? rc : ETL_OK;
}

static int walk_entries(struct walk *w, DIR *dir, const char *name, const char *path,
			const struct folder *self)
{
	const struct files *files = w->gather->files;
	struct dirent *entry;
	char *child;
	int rc = ETL_OK;

	while (!rc && (errno = 0, entry = readdir(dir)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (w->looked++ % CANCEL_ENTRIES == 0 && files->host->canceled(files->host))
			return ETL_CANCELED;
		child = *name ? files_join(name, entry->d_name) : strdup(entry->d_name);
		rc = child ? take(w, child, self) : files_no_memory(files, w->gather->err);
		free(child);
	}
	if (!rc && errno != 0)
		rc = files_fail(files, w->gather->err, errno, "read the folder", path);
	return rc;
}

static bool is_within(const struct folder *up, const struct stat *st)
{
	for (; up; up = up->up) {
		if (up->dev == st->st_dev && up->ino == st->st_ino)
			return true;
	}
	return false;
}

static int walk_open(struct walk *w, DIR *dir, const char *name, const char *path,
		     const struct folder *up)
{
	const struct files *files = w->gather->files;
	struct folder self = { .up = up, .depth = up ? up->depth + 1 : 0 };
	struct stat st;

	if (fstat(dirfd(dir), &st) != 0)
		return files_fail(files, w->gather->err, errno, "look at", path);
	if (is_within(up, &st)) {
		warn(w, path, "is a symbolic link to a folder that it is in; it is not followed");
		return ETL_OK;
	}
	if (self.depth > DEPTH_MAX)
		return files->host->fail(w->gather->err, ETL_FATAL, NULL, 0,
					 "%s is deeper than %d folders in each other", path,
					 DEPTH_MAX);
	self.dev = st.st_dev;
	self.ino = st.st_ino;
	return walk_entries(w, dir, name, path, &self);
}

static int walk_folder(struct walk *w, const char *name, const struct folder *up)
{
	const struct files *files = w->gather->files;
	char *path = files_join(files->root, name);
	DIR *dir;
	int rc;

	if (!path)
		return files_no_memory(files, w->gather->err);
	if (etl_utf8_valid(name, strlen(name)) != strlen(name)) {
		free(path);
		return no_utf8(w, name);
	}
	dir = opendir(path);
	if (!dir)
		rc = files_fail(files, w->gather->err, errno, "read the folder", path);
	else
		rc = walk_open(w, dir, name, path, up);
	if (dir)
		closedir(dir);
	free(path);
	return rc;
}

/* The root is the file: the pattern is held against its own name. */
static int take_root(struct files_gather *gather, const struct stat *st)
{
	const char *root = gather->files->root, *slash = strrchr(root, '/');
	const char *name = slash ? slash + 1 : root;

	if (!S_ISREG(st->st_mode))
		return gather->files->host->fail(
			gather->err, ETL_FATAL, NULL, 0,
			"%s is %s; only files and folders can be read, and \"-\", which is standard input",
			root, kind_of(st->st_mode));
	if (gather->pattern && !files_gather_wants(gather, name))
		return ETL_OK;
	return files_gather_add(gather, name, "", st->st_size, modified_of(st), "");
}

static int local_list(struct files_gather *gather)
{
	struct walk w = { .gather = gather };
	struct stat st;
	int rc;

	if (stat(gather->files->root, &st) != 0)
		return files_fail(gather->files, gather->err, errno, "find", gather->files->root);
	if (!S_ISDIR(st.st_mode))
		return take_root(gather, &st);
	w.real = realpath(gather->files->root, NULL);
	if (!w.real)
		return files_fail(gather->files, gather->err, errno, "find", gather->files->root);
	rc = walk_folder(&w, "", NULL);
	free(w.real);
	return rc;
}

/* ---- Reading ------------------------------------------------------------------------------------------------------ */

struct local {
	struct files_raw raw;
	char *path;
	int fd;
	struct stat opened;
};

static int changed(const struct local *l, struct etl_error *err, const char *how)
{
	return l->raw.files->host->fail(err, ETL_FATAL, NULL, 0,
					"%s %s; nothing of it can be trusted: run again when nobody writes to it",
					l->raw.where, how);
}

static int check_opened(struct local *l, const struct files_entry *entry, struct etl_error *err)
{
	if (fstat(l->fd, &l->opened) != 0)
		return files_fail(l->raw.files, err, errno, "look at", l->path);
	if (!S_ISREG(l->opened.st_mode))
		return changed(l, err, "was a file when it was listed and is none now");
	if (entry->size >= 0 && l->opened.st_size != entry->size)
		return changed(l, err, "has another size than when it was listed");
	if (entry->modified != 0 && modified_of(&l->opened) != entry->modified)
		return changed(l, err, "was written to since it was listed");
	return ETL_OK;
}

static void local_close(struct files_raw *raw)
{
	struct local *l = (struct local *)raw;

	if (l->fd >= 0)
		close(l->fd);
	free(l->path);
	free(l->raw.where);
	free(l);
}

static int local_open(struct files *files, const struct files_entry *entry, struct files_raw **ret,
		      struct etl_error *err)
{
	struct local *l = calloc(1, sizeof(*l));
	int rc = ETL_OK;

	if (!l)
		return files_no_memory(files, err);
	l->fd = -1;
	l->raw.files = files;
	l->path = files_join(files->root, entry->name);
	l->raw.where = l->path ? files_shown(l->path) : NULL;
	if (!l->raw.where)
		rc = files_no_memory(files, err);
	/* Without O_NONBLOCK a pipe that took the file's place would hold the run up. */
	if (!rc && (l->fd = open(l->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)) < 0)
		rc = errno == ENOENT ? changed(l, err, "vanished since it was listed") :
				       files_fail(files, err, errno, "open", l->path);
	if (!rc)
		rc = check_opened(l, entry, err);
	if (rc)
		local_close(&l->raw);
	else
		*ret = &l->raw;
	return rc;
}

static int local_read(struct files_raw *raw, void *to, size_t room, size_t *ret, struct etl_error *err)
{
	struct local *l = (struct local *)raw;
	ssize_t n;

	do
		n = read(l->fd, to, room);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return files_fail(raw->files, err, errno, "read", l->path);
	*ret = (size_t)n;
	return ETL_OK;
}

static int local_seek(struct files_raw *raw, int64_t offset, struct etl_error *err)
{
	struct local *l = (struct local *)raw;

	if (lseek(l->fd, (off_t)offset, SEEK_SET) < 0)
		return files_fail(raw->files, err, errno, "read", l->path);
	return ETL_OK;
}

static int local_unchanged(struct files_raw *raw, struct etl_error *err)
{
	struct local *l = (struct local *)raw;
	struct stat now, named;

	if (fstat(l->fd, &now) != 0)
		return files_fail(raw->files, err, errno, "look at", l->path);
	if (now.st_size != l->opened.st_size || now.st_mtim.tv_sec != l->opened.st_mtim.tv_sec ||
	    now.st_mtim.tv_nsec != l->opened.st_mtim.tv_nsec)
		return changed(l, err, "was written to while it was read");
	if (stat(l->path, &named) != 0)
		return changed(l, err, "vanished while it was read");
	if (named.st_dev != now.st_dev || named.st_ino != now.st_ino)
		return changed(l, err, "was replaced by another while it was read");
	return ETL_OK;
}

const struct files_backend files_local = {
	.list = local_list,
	.open = local_open,
	.read = local_read,
	.seek = local_seek,
	.unchanged = local_unchanged,
	.close = local_close,
	.writes = true,
};
