/*
 * A bad disk, a bad clock and a full process table for the stories: loaded in front of libc with LD_PRELOAD,
 * it lets calls through, counts those that match, and fails the ones it is told to. Settings are environment
 * variables, read once:
 *
 *   FAULT_CALLS  names with commas: open read write fsync ftruncate rename unlink mkdir thread
 *                (pread and pwrite count as read and write, fdatasync as fsync, link and renameat2 as rename)
 *   FAULT_PATH   only files whose whole path matches this pattern of fnmatch(3); * also takes a slash
 *   FAULT_AT     the first call to fail, from 1; 0 or absent: none, calls are only counted
 *   FAULT_FOR    how many fail in a row; 0: all that follow; absent: 1
 *   FAULT_ERRNO  EIO (the default), ENOSPC, EINTR, EDQUOT, EROFS, EACCES, EMFILE, ENOMEM, EAGAIN
 *   FAULT_SHORT  instead: a read or write takes only half of what it was given, and succeeds
 *   FAULT_TRACE  a file that gets one line for each matching call
 *   FAULT_CLOCK  seconds by which the clocks of the day are set back, as of FAULT_CLOCK_AT readings of them
 */
#include "config.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define PATH_SIZE 4096

static atomic_long calls, readings;

/* ---- What is asked for ------------------------------------------------------------------------------ */

static const struct {
	const char *name;
	int code;
} errors[] = {
	{ "EIO", EIO },	      { "ENOSPC", ENOSPC }, { "EINTR", EINTR },
	{ "EDQUOT", EDQUOT }, { "EROFS", EROFS },   { "EACCES", EACCES },
	{ "EMFILE", EMFILE }, { "ENOMEM", ENOMEM }, { "EAGAIN", EAGAIN },
};

static long number(const char *name, long otherwise)
{
	const char *text = getenv(name);

	return text ? strtol(text, NULL, 10) : otherwise;
}

static int wanted_errno(void)
{
	const char *name = getenv("FAULT_ERRNO");

	for (size_t i = 0; name && i < sizeof(errors) / sizeof(*errors); i++)
		if (strcmp(errors[i].name, name) == 0)
			return errors[i].code;
	return EIO;
}

static bool is_named(const char *call)
{
	const char *list = getenv("FAULT_CALLS"), *at = list;
	size_t length = strlen(call);

	while (at && (at = strstr(at, call))) {
		if ((at == list || at[-1] == ',') && (at[length] == '\0' || at[length] == ','))
			return true;
		at += length;
	}
	return false;
}

static void trace(const char *call, const char *path, long n)
{
	const char *file = getenv("FAULT_TRACE");
	char line[PATH_SIZE + 64];
	int length = snprintf(line, sizeof(line), "%ld %s %s\n", n, call, path);
	long fd = file ? syscall(SYS_openat, AT_FDCWD, file, O_WRONLY | O_APPEND | O_CREAT, 0600) :
			 -1;

	if (fd < 0)
		return;
	(void)!syscall(SYS_write, fd, line, length);
	syscall(SYS_close, fd);
}

enum verdict { LET, FAIL, SHORTEN };

/* PATH is NULL for what has none. errno is set when it is to fail. */
static enum verdict judge(const char *call, const char *path)
{
	const char *pattern = getenv("FAULT_PATH");
	long at = number("FAULT_AT", 0), most = number("FAULT_FOR", 1), n;

	if (!is_named(call) || (path && pattern && fnmatch(pattern, path, 0) != 0))
		return LET;
	n = atomic_fetch_add(&calls, 1) + 1;
	trace(call, path ? path : "", n);
	if (at == 0 || n < at || (most > 0 && n >= at + most))
		return LET;
	if (getenv("FAULT_SHORT"))
		return SHORTEN;
	errno = wanted_errno();
	return FAIL;
}

static enum verdict judge_fd(const char *call, int fd)
{
	char link[64], path[PATH_SIZE] = "";
	int saved = errno;
	long n;

	/* What a story reads afterwards is not its disk. */
	if (!getenv("FAULT_CALLS") || fd <= STDERR_FILENO)
		return LET;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = syscall(SYS_readlink, link, path, sizeof(path) - 1);
	path[n > 0 ? n : 0] = '\0';
	errno = saved;
	return judge(call, path);
}

/* The next function of this name: libc's. */
static void *next(const char *name)
{
	void *function = dlsym(RTLD_NEXT, name);

	if (!function)
		abort();
	return function;
}

/* ISO C has no cast from an object to a function. */
#define NEXT(type, name)                                                                           \
	union {                                                                                    \
		void *object;                                                                      \
		type;                                                                              \
	} libc = { next(name) }

#define SHIM __attribute__((visibility("default")))

/* Half of it, and at least one byte. */
static size_t part(enum verdict verdict, size_t size)
{
	return verdict == SHORTEN && size > 1 ? size / 2 : size;
}

/* ---- Files ------------------------------------------------------------------------------------------ */

static int open_it(const char *name, const char *path, int flags, va_list args)
{
	mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(args, mode_t) : 0;
	NEXT(int (*call)(const char *, int, ...), name);

	return judge("open", path) == FAIL ? -1 : libc.call(path, flags, mode);
}

SHIM int open(const char *path, int flags, ...)
{
	va_list args;
	int fd;

	va_start(args, flags);
	fd = open_it("open", path, flags, args);
	va_end(args);
	return fd;
}

SHIM int open64(const char *path, int flags, ...)
{
	va_list args;
	int fd;

	va_start(args, flags);
	fd = open_it("open64", path, flags, args);
	va_end(args);
	return fd;
}

SHIM ssize_t read(int fd, void *to, size_t size)
{
	enum verdict v = judge_fd("read", fd);
	NEXT(ssize_t(*call)(int, void *, size_t), "read");

	return v == FAIL ? -1 : libc.call(fd, to, part(v, size));
}

SHIM ssize_t write(int fd, const void *from, size_t size)
{
	enum verdict v = judge_fd("write", fd);
	NEXT(ssize_t(*call)(int, const void *, size_t), "write");

	return v == FAIL ? -1 : libc.call(fd, from, part(v, size));
}

#define AT_OFFSET(name, as, data)                                                                  \
	SHIM ssize_t name(int fd, data at, size_t size, off_t offset)                              \
	{                                                                                          \
		enum verdict v = judge_fd(as, fd);                                                 \
		NEXT(ssize_t (*call)(int, data, size_t, off_t), #name);                            \
                                                                                                   \
		return v == FAIL ? -1 : libc.call(fd, at, part(v, size), offset);                  \
	}

AT_OFFSET(pread, "read", void *)
AT_OFFSET(pread64, "read", void *)
AT_OFFSET(pwrite, "write", const void *)
AT_OFFSET(pwrite64, "write", const void *)

#define ON_FD(name, as)                                                                            \
	SHIM int name(int fd)                                                                      \
	{                                                                                          \
		NEXT(int (*call)(int), #name);                                                     \
                                                                                                   \
		return judge_fd(as, fd) == FAIL ? -1 : libc.call(fd);                              \
	}

ON_FD(fsync, "fsync")
ON_FD(fdatasync, "fsync")

#define TRUNCATE(name)                                                                             \
	SHIM int name(int fd, off_t size)                                                          \
	{                                                                                          \
		NEXT(int (*call)(int, off_t), #name);                                              \
                                                                                                   \
		return judge_fd("ftruncate", fd) == FAIL ? -1 : libc.call(fd, size);               \
	}

TRUNCATE(ftruncate)
TRUNCATE(ftruncate64)

#define TWO_PATHS(name, as)                                                                        \
	SHIM int name(const char *from, const char *to)                                            \
	{                                                                                          \
		NEXT(int (*call)(const char *, const char *), #name);                              \
                                                                                                   \
		return judge(as, to) == FAIL ? -1 : libc.call(from, to);                           \
	}

TWO_PATHS(rename, "rename")
TWO_PATHS(link, "rename")

SHIM int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
	NEXT(int (*call)(int, const char *, int, const char *, unsigned), "renameat2");

	return judge("rename", to) == FAIL ? -1 : libc.call(from_dir, from, to_dir, to, flags);
}

SHIM int unlink(const char *path)
{
	NEXT(int (*call)(const char *), "unlink");

	return judge("unlink", path) == FAIL ? -1 : libc.call(path);
}

SHIM int mkdir(const char *path, mode_t mode)
{
	NEXT(int (*call)(const char *, mode_t), "mkdir");

	return judge("mkdir", path) == FAIL ? -1 : libc.call(path, mode);
}

/* ---- libc's own streams, whose writes do not pass by here ------------------------------------------- */

struct stream {
	FILE *file;
	int fd;
	struct stream *next;
};

static struct stream *streams;
static pthread_mutex_t streams_lock = PTHREAD_MUTEX_INITIALIZER;

/* The one of FILE, or NULL: it is libc's. */
static struct stream *find_stream(const FILE *file)
{
	struct stream *at;

	pthread_mutex_lock(&streams_lock);
	for (at = streams; at && at->file != file; at = at->next)
		;
	pthread_mutex_unlock(&streams_lock);
	return at;
}

static void forget_stream(const struct stream *stream)
{
	pthread_mutex_lock(&streams_lock);
	for (struct stream **at = &streams; *at; at = &(*at)->next) {
		if (*at == stream) {
			*at = stream->next;
			break;
		}
	}
	pthread_mutex_unlock(&streams_lock);
}

static ssize_t stream_read(void *data, char *to, size_t size)
{
	return read(((struct stream *)data)->fd, to, size);
}

/* Unlike write(2), what is short here is an error: so all of it is tried, as libc's own streams do. */
static ssize_t stream_write(void *data, const char *from, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = write(((struct stream *)data)->fd, from + done, size - done);

		if (n <= 0)
			return 0;
		done += (size_t)n;
	}
	return (ssize_t)size;
}

static int stream_seek(void *data, off64_t *offset, int whence)
{
	off_t at = lseek(((struct stream *)data)->fd, *offset, whence);

	*offset = at;
	return at < 0 ? -1 : 0;
}

static int stream_close(void *data)
{
	int rc = close(((struct stream *)data)->fd);

	forget_stream(data);
	free(data);
	return rc;
}

SHIM FILE *fdopen(int fd, const char *mode)
{
	static const cookie_io_functions_t calls_of = { stream_read, stream_write, stream_seek,
							stream_close };
	struct stream *stream = malloc(sizeof(*stream));
	FILE *file;

	if (!stream)
		return NULL;
	stream->fd = fd;
	file = fopencookie(stream, mode, calls_of);
	if (!file) {
		free(stream);
		return NULL;
	}
	pthread_mutex_lock(&streams_lock);
	stream->file = file;
	stream->next = streams;
	streams = stream;
	pthread_mutex_unlock(&streams_lock);
	return file;
}

SHIM int fileno(FILE *file)
{
	const struct stream *stream = find_stream(file);
	NEXT(int (*call)(FILE *), "fileno");

	return stream ? stream->fd : libc.call(file);
}

static int flags_of(const char *mode)
{
	int flags = strchr(mode, '+') ? O_RDWR : mode[0] == 'r' ? O_RDONLY : O_WRONLY;

	flags |= mode[0] == 'w' ? O_CREAT | O_TRUNC : mode[0] == 'a' ? O_CREAT | O_APPEND : 0;
	flags |= strchr(mode, 'x') ? O_EXCL : 0;
	return flags | (strchr(mode, 'e') ? O_CLOEXEC : 0);
}

static FILE *open_stream(const char *name, const char *path, const char *mode)
{
	NEXT(FILE * (*call)(const char *, const char *), name);
	FILE *file;
	int fd;

	if (!getenv("FAULT_CALLS") || strncmp(path, "/proc/", 6) == 0)
		return libc.call(path, mode);
	fd = open(path, flags_of(mode), 0666);
	file = fd < 0 ? NULL : fdopen(fd, mode);
	if (fd >= 0 && !file)
		close(fd);
	return file;
}

SHIM FILE *fopen(const char *path, const char *mode)
{
	return open_stream("fopen", path, mode);
}

SHIM FILE *fopen64(const char *path, const char *mode)
{
	return open_stream("fopen64", path, mode);
}

/* ---- Threads and clocks ----------------------------------------------------------------------------- */

SHIM int pthread_create(pthread_t *id, const pthread_attr_t *how, void *(*body)(void *), void *data)
{
	NEXT(int (*call)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *),
	     "pthread_create");

	return judge("thread", NULL) == FAIL ? errno : libc.call(id, how, body, data);
}

static time_t set_back(void)
{
	long by = number("FAULT_CLOCK", 0);

	return by && atomic_fetch_add(&readings, 1) >= number("FAULT_CLOCK_AT", 0) ? by : 0;
}

SHIM int clock_gettime(clockid_t clock, struct timespec *ret)
{
	int rc = (int)syscall(SYS_clock_gettime, clock, ret);

	/* The monotonic ones never jump: that is their promise. */
	if (rc == 0 && clock == CLOCK_REALTIME)
		ret->tv_sec -= set_back();
	return rc;
}

SHIM int gettimeofday(struct timeval *restrict ret, void *restrict zone)
{
	struct timespec t;

	(void)zone;
	if (clock_gettime(CLOCK_REALTIME, &t) != 0)
		return -1;
	*ret = (struct timeval){ t.tv_sec, t.tv_nsec / 1000 };
	return 0;
}

SHIM time_t time(time_t *ret)
{
	struct timespec t;

	if (clock_gettime(CLOCK_REALTIME, &t) != 0)
		return -1;
	if (ret)
		*ret = t.tv_sec;
	return t.tv_sec;
}
