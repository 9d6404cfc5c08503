/*
 * Standard input as a root of one file. It comes once, and a run reads it more than once: to find its shape, the types of its
 * values, and its rows, each maybe by another instance. So what has come is kept in a temporary file without a name, which goes
 * with the process. It is the process's own, as standard input is, and therefore one for all instances.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backend.h"

#define PIECE 65536 /* bytes that are taken at once */
#define PATIENCE 200 /* milliseconds between two looks at whether to go on */

struct kept {
	pthread_mutex_t lock;
	int fd; /* -1: not made yet */
	int64_t size;
	bool ended;
};

static struct kept kept = { .lock = PTHREAD_MUTEX_INITIALIZER, .fd = -1 };

struct standard {
	struct files_raw raw;
	int64_t at;
};

static int standard_list(struct files_gather *gather)
{
	if (gather->pattern)
		return gather->files->host->fail(
			gather->err, ETL_USAGE, NULL, 0,
			"standard input is one file without a name, so a pattern of names says nothing about it; leave "
			"the pattern out");
	return files_gather_add(gather, "", "", -1, 0, "");
}

static int make_kept(struct files *files, struct etl_error *err)
{
	const char *folder = getenv("TMPDIR");
	char *path;
	int error;

	if (kept.fd >= 0)
		return ETL_OK;
	path = files_join(folder && *folder == '/' ? folder : "/tmp", "etlrun-stdin-XXXXXX");
	if (!path)
		return files_no_memory(files, err);
	kept.fd = mkstemp(path);
	error = errno;
	if (kept.fd >= 0) {
		fcntl(kept.fd, F_SETFD, FD_CLOEXEC);
		unlink(path);
	}
	if (kept.fd < 0)
		files_fail(files, err, error, "make the file that keeps standard input,", path);
	free(path);
	return kept.fd < 0 ? ETL_FAILED : ETL_OK;
}

static int keep(struct files *files, const char *bytes, size_t size, struct etl_error *err)
{
	ssize_t n;

	for (; size > 0; bytes += n, size -= (size_t)n, kept.size += n) {
		do
			n = pwrite(kept.fd, bytes, size, (off_t)kept.size);
		while (n < 0 && errno == EINTR);
		if (n <= 0)
			return files_fail(files, err, n < 0 ? errno : ENOSPC,
					  "keep standard input in", "a temporary file (TMPDIR)");
	}
	return ETL_OK;
}

static int take_piece(struct files *files, struct etl_error *err)
{
	struct pollfd ready = { .fd = STDIN_FILENO, .events = POLLIN };
	char piece[PIECE];
	ssize_t n;

	while (poll(&ready, 1, PATIENCE) == 0 || (ready.revents == 0 && errno == EINTR)) {
		if (files->host->canceled(files->host))
			return ETL_CANCELED;
	}
	do
		n = read(STDIN_FILENO, piece, sizeof(piece));
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return files_fail(files, err, errno, "read", "standard input");
	kept.ended = n == 0;
	return keep(files, piece, (size_t)n, err);
}

static int standard_open(struct files *files, const struct files_entry *entry, struct files_raw **ret,
			 struct etl_error *err)
{
	struct standard *s = calloc(1, sizeof(*s));
	int rc = ETL_OK;

	(void)entry;
	if (s)
		s->raw.where = strdup("standard input");
	if (!s || !s->raw.where) {
		free(s);
		return files_no_memory(files, err);
	}
	s->raw.files = files;
	pthread_mutex_lock(&kept.lock);
	rc = make_kept(files, err);
	pthread_mutex_unlock(&kept.lock);
	if (rc) {
		free(s->raw.where);
		free(s);
		return rc;
	}
	*ret = &s->raw;
	return ETL_OK;
}

static int standard_read(struct files_raw *raw, void *to, size_t room, size_t *ret,
			 struct etl_error *err)
{
	struct standard *s = (struct standard *)raw;
	ssize_t n = 0;
	int rc = ETL_OK;

	pthread_mutex_lock(&kept.lock);
	while (!rc && s->at >= kept.size && !kept.ended)
		rc = take_piece(raw->files, err);
	pthread_mutex_unlock(&kept.lock);
	if (rc)
		return rc;
	do
		n = pread(kept.fd, to, room, (off_t)s->at);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return files_fail(raw->files, err, errno, "read", "what was kept of standard input");
	s->at += n;
	*ret = (size_t)n;
	return ETL_OK;
}

static int standard_seek(struct files_raw *raw, int64_t offset, struct etl_error *err)
{
	(void)err;
	((struct standard *)raw)->at = offset;
	return ETL_OK;
}

static int standard_unchanged(struct files_raw *raw, struct etl_error *err)
{
	(void)raw;
	(void)err;
	return ETL_OK;
}

static void standard_close(struct files_raw *raw)
{
	free(raw->where);
	free(raw);
}

const struct files_backend files_standard = {
	.list = standard_list,
	.open = standard_open,
	.read = standard_read,
	.seek = standard_seek,
	.unchanged = standard_unchanged,
	.close = standard_close,
	.writes = true,
};
