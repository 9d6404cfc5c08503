/*
 * The lock of a pipeline is an flock on a file beside its state. The file's text, "PID SECONDS", is
 * only for the message of those who are turned away; whether the lock is held is the kernel's to
 * say.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lock.h"

enum { READ_TRIES = 20, READ_PAUSE_NS = 5000000 };

struct lock {
	int fd;
};

static int fail_file(const char *path, const char *what, struct etl_error *err)
{
	return error_set(
		err, ETL_MEMORY,
		"lock file %s: %s: %s; make its folder writable or set `state` to another place",
		path, what, strerror(errno));
}

/* The holder writes just after it has locked, so an empty file is looked at again. */
static bool read_holder(int fd, struct lock_holder *who)
{
	const struct timespec pause = { .tv_nsec = READ_PAUSE_NS };
	char text[64];

	for (int i = 0; i < READ_TRIES; i++) {
		ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

		text[n > 0 ? n : 0] = '\0';
		if (sscanf(text, "%" SCNd64 " %" SCNd64, &who->pid, &who->since) == 2)
			return true;
		nanosleep(&pause, NULL);
	}
	return false;
}

static int fail_held(const char *path, int fd, struct etl_error *err)
{
	struct lock_holder who;
	struct tm tm;
	char since[32];
	time_t t;

	if (!read_holder(fd, &who))
		return error_set(
			err, ETL_HOST_LOCKED,
			"another run of this pipeline holds the lock %s; wait until it has ended",
			path);
	t = (time_t)who.since;
	gmtime_r(&t, &tm);
	strftime(since, sizeof(since), "%Y-%m-%d %H:%M:%S UTC", &tm);
	return error_set(err, ETL_HOST_LOCKED,
			 "another run of this pipeline holds the lock %s: process %" PRId64
			 ", since %s; wait until it has ended, or end it with kill %" PRId64,
			 path, who.pid, since, who.pid);
}

/* Whether the file that was locked is still the one at PATH: someone may have removed it in
 * between. */
static bool is_current(int fd, const char *path)
{
	struct stat opened, there;

	return fstat(fd, &opened) == 0 && stat(path, &there) == 0 &&
	       opened.st_dev == there.st_dev && opened.st_ino == there.st_ino;
}

static bool write_holder(int fd)
{
	char text[64];
	int n = snprintf(text, sizeof(text), "%" PRId64 " %" PRId64 "\n", (int64_t)getpid(),
			 (int64_t)time(NULL));

	ssize_t done = 0, part = 1;

	if (ftruncate(fd, 0) < 0)
		return false;
	/* What a signal or a slow disk leaves is written again. */
	while (done < n && part > 0) {
		part = pwrite(fd, text + done, (size_t)(n - done), done);
		done += part > 0 ? part : 0;
		if (part < 0 && errno == EINTR)
			part = 1;
	}
	return done == n;
}

/* Who looks whether it is free holds it for a moment: what holds it is asked for again. */
static int open_locked(const char *path, int *ret, struct etl_error *err)
{
	const struct timespec pause = { .tv_nsec = READ_PAUSE_NS };

	for (int tries = 0;; tries++) {
		int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640), rc;

		if (fd < 0)
			return fail_file(path, "cannot be opened", err);
		if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
			if (errno == EWOULDBLOCK && tries < READ_TRIES) {
				close(fd);
				nanosleep(&pause, NULL);
				continue;
			}
			rc = errno == EWOULDBLOCK ? fail_held(path, fd, err) :
						    fail_file(path, "cannot be locked", err);
			close(fd);
			return rc;
		}
		if (is_current(fd, path)) {
			*ret = fd;
			return ETL_OK;
		}
		close(fd);
	}
}

int lock_take(const char *path, struct lock **ret, struct etl_error *err)
{
	struct lock *lock;
	int fd = -1, rc = open_locked(path, &fd, err);

	if (rc < 0)
		return rc;
	lock = malloc(sizeof(*lock));
	if (!lock) {
		rc = error_memory(err);
	} else if (!write_holder(fd)) {
		rc = fail_file(path, "cannot be written", err);
	} else {
		lock->fd = fd;
		*ret = lock;
		return ETL_OK;
	}
	free(lock);
	close(fd);
	return rc;
}

bool lock_is_held(const char *path, struct lock_holder *who)
{
	struct lock_holder unsaid;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	/* Shared: two who ask do not take each other for a run. */
	bool held = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;

	if (held && !read_holder(fd, who ? who : &unsaid) && who)
		*who = (struct lock_holder){ 0 };
	if (fd >= 0)
		close(fd);
	return held;
}

void lock_release(struct lock *lock)
{
	if (!lock)
		return;
	/* The text is for people; that it stays when this fails does no harm. */
	if (ftruncate(lock->fd, 0) < 0)
		errno = 0;
	close(lock->fd);
	free(lock);
}
