/*
 * One file that is written: aside first, so that nobody ever sees half of it, and given its name at once when the run
 * publishes. Nothing waits under a name that a list would find.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "encode.h"
#include "place.h"

#define FILE_MODE   0666   /* the umask takes its part */
#define PACKED_ROOM 131072 /* bytes of compressed text that are written at once */

struct files_output {
	struct files *files;
	struct files_place place;
	struct files_encoder *encoder; /* NULL: the bytes are the text */
	char *packed;
	int fd;
	off_t start; /* where this output begins in the file */
	bool standard;
};

/* ---- Opening ------------------------------------------------------------------------------------------------------ */

static void output_free(struct files_output *o)
{
	if (o->encoder)
		o->encoder->free(o->encoder);
	if (!o->standard && o->fd >= 0)
		close(o->fd);
	files_place_free(&o->place);
	free(o->packed);
	free(o);
}

static int open_aside(struct files_output *o, const char *name, const char *run, bool append,
		      struct etl_error *err)
{
	int rc = files_place_of(o->files, name, run, &o->place, err);

	if (!rc && o->place.wait)
		rc = files_make_wait(o->files, &o->place, err);
	if (rc)
		return rc;
	o->fd = open(o->place.aside,
		     O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | (append ? O_APPEND : O_TRUNC),
		     FILE_MODE);
	o->start = o->fd < 0 ? -1 : lseek(o->fd, 0, SEEK_END);
	if (o->start < 0)
		return files_fail(o->files, err, errno, "write", o->place.aside);
	return ETL_OK;
}

int files_output_open(struct files *files, const char *name, const char *run, bool append,
		      struct files_output **ret, struct etl_error *err)
{
	struct files_output *o;
	int rc = ETL_OK;

	if (!files->backend->writes)
		return files->host->fail(err, ETL_USAGE, NULL, 0, "%s can be read only", files->root);
	o = calloc(1, sizeof(*o));
	if (!o)
		return files_no_memory(files, err);
	o->files = files;
	o->fd = -1;
	o->standard = files_is_standard(files);
	if (o->standard)
		o->fd = STDOUT_FILENO;
	else
		rc = open_aside(o, name, run, append, err);
	if (!rc && !files_encoder_new(*name ? name : files->root, &o->encoder))
		rc = files_no_memory(files, err);
	if (!rc && o->encoder && !(o->packed = malloc(PACKED_ROOM)))
		rc = files_no_memory(files, err);
	if (rc)
		files_output_close(o);
	else
		*ret = o;
	return rc;
}

/* ---- Writing -------------------------------------------------------------------------------------------------------- */

static int put(struct files_output *o, const char *bytes, size_t size, struct etl_error *err)
{
	ssize_t n;

	for (; size > 0; bytes += n, size -= (size_t)n) {
		do
			n = write(o->fd, bytes, size);
		while (n < 0 && errno == EINTR);
		if (n <= 0)
			return files_fail(o->files, err, n < 0 ? errno : ENOSPC, "write",
					  o->standard ? "to standard output" : o->place.path);
	}
	return ETL_OK;
}

static int encode(struct files_output *o, const char *bytes, size_t size, bool end, struct etl_error *err)
{
	size_t taken, made;
	int code, rc;

	do {
		code = o->encoder->run(o->encoder, bytes, size, end, o->packed, PACKED_ROOM, &taken,
				       &made);
		if (code < 0)
			return files_no_memory(o->files, err);
		bytes += taken;
		size -= taken;
		rc = put(o, o->packed, made, err);
		if (rc)
			return rc;
	} while (end ? code == 0 : size > 0);
	return ETL_OK;
}

int files_output_write(struct files_output *o, const void *bytes, size_t size, struct etl_error *err)
{
	if (size == 0)
		return ETL_OK;
	return o->encoder ? encode(o, bytes, size, false, err) : put(o, bytes, size, err);
}

int files_output_finish(struct files_output *o, uint64_t *ret_size, struct etl_error *err)
{
	int rc = o->encoder ? encode(o, "", 0, true, err) : ETL_OK;
	struct stat st = { 0 };

	if (!rc && !o->standard && fstat(o->fd, &st) != 0)
		rc = files_fail(o->files, err, errno, "look at", o->place.aside);
	if (rc) {
		files_output_close(o);
		return rc;
	}
	/* Some file systems say only here that the disk is full. */
	if (!o->standard && close(o->fd) != 0 && errno != EINTR)
		rc = files_fail(o->files, err, errno, "write", o->place.path);
	o->fd = -1;
	if (!rc && ret_size)
		*ret_size = (uint64_t)st.st_size;
	output_free(o);
	return rc;
}

void files_output_close(struct files_output *o)
{
	if (!o)
		return;
	if (!o->standard && o->fd >= 0) {
		if (o->start == 0)
			unlink(o->place.aside);
		else if (ftruncate(o->fd, o->start) != 0)
			o->files->host->log(o->files->host, ETL_LOG_WARN, "%s could not be cut back: %s",
					    o->place.aside, strerror(errno));
	}
	if (!o->standard && o->place.aside)
		files_tidy(o->files, &o->place);
	output_free(o);
}

int files_output_look(struct files *files, const char *name, const char *run, struct files **ret,
		      struct etl_error *err)
{
	struct files_place place;
	int rc;

	if (files_is_standard(files))
		return files->host->fail(err, ETL_USAGE, NULL, 0,
					 "what was written to standard output cannot be read back, so there is nothing to "
					 "compare; leave the validators out, or write a file");
	rc = files_place_of(files, name, run, &place, err);
	if (!rc)
		rc = files_new(ret, files->host, place.aside, err);
	files_place_free(&place);
	return rc;
}

/* ---- What waits ------------------------------------------------------------------------------------------------------ */

int files_output_aside(struct files *files, const char *name, const char *run, char **ret,
		       struct etl_error *err)
{
	struct files_place place;
	int rc = files_place_of(files, name, run, &place, err);

	if (!rc) {
		*ret = place.aside;
		place.aside = NULL;
	}
	files_place_free(&place);
	return rc;
}

int files_output_exists(struct files *files, const char *name, bool *ret, struct etl_error *err)
{
	char *path;
	struct stat st;
	int rc = ETL_OK;

	*ret = false;
	if (files_is_standard(files))
		return ETL_OK;
	path = files_join(files->root, name);
	if (!path)
		return files_no_memory(files, err);
	if (lstat(path, &st) == 0)
		*ret = true;
	else if (errno != ENOENT && errno != ENOTDIR)
		rc = files_fail(files, err, errno, "look at", path);
	free(path);
	return rc;
}

int files_output_discard(struct files *files, const char *run, struct etl_error *err)
{
	struct files_place place;
	int rc;

	if (files_is_standard(files))
		return ETL_OK;
	rc = files_place_of(files, "", run, &place, err);
	if (!rc)
		rc = files_remove_tree(files, place.aside, err);
	files_place_free(&place);
	if (rc)
		return rc;
	rc = files_place_of(files, "x", run, &place, err);
	if (!rc)
		rc = files_remove_wait(files, &place, err);
	files_place_free(&place);
	return rc;
}

int files_output_drop(struct files *files, const char *name, const char *run, struct etl_error *err)
{
	struct files_place place;
	int rc;

	if (files_is_standard(files))
		return ETL_OK;
	rc = files_place_of(files, name, run, &place, err);
	if (!rc)
		rc = files_remove_tree(files, place.aside, err);
	if (!rc && place.wait && files_remove_empty(&place))
		rc = files_remove_wait(files, &place, err);
	files_place_free(&place);
	return rc;
}
