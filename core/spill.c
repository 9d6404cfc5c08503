/* See spill.h. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "spill.h"

int spill_file(const char *what, struct etl_error *err)
{
	const char *folder = getenv("TMPDIR");
	char path[4096];
	int fd;

	if (!folder || !*folder)
		folder = "/tmp";
	snprintf(path, sizeof(path), "%s/etlrun-XXXXXX", folder);
	fd = mkstemp(path);
	if (fd < 0)
		return error_set(err, ETL_MEMORY,
				 "%s: %s; %s beyond memory_limit are kept there; name another folder with TMPDIR", path,
				 strerror(errno), what);
	unlink(path);
	return fd;
}

static int failed(const char *what, const char *how, int code, struct etl_error *err)
{
	return error_set(err, ETL_MEMORY, "the file of %s cannot be %s: %s; name another folder with TMPDIR", what, how,
			 code ? strerror(code) : "it ends early");
}

int spill_write(int fd, const char *what, const void *bytes, size_t size, uint64_t at, struct etl_error *err)
{
	const char *from = bytes;

	while (size > 0) {
		ssize_t done = pwrite(fd, from, size, (off_t)at);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return failed(what, "written", errno, err);
		from += done;
		size -= (size_t)done;
		at += (uint64_t)done;
	}
	return 0;
}

int spill_read(int fd, const char *what, void *bytes, size_t size, uint64_t at, struct etl_error *err)
{
	char *to = bytes;

	while (size > 0) {
		ssize_t done = pread(fd, to, size, (off_t)at);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return failed(what, "read", done < 0 ? errno : 0, err);
		to += done;
		size -= (size_t)done;
		at += (uint64_t)done;
	}
	return 0;
}
