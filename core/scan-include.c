/*
 * The files of a pipeline: each is read whole, its bytes are looked at, and what it includes is read where
 * it is included. A path is relative to the folder of the pipeline file and stays below it.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scan-parts.h"

enum {
	INCLUDE_DEPTH = 16,
	INCLUDE_COUNT = 1000, /* of one pipeline, repeated ones too */
};

/* ---- Files ---- */

int scan_check(const char *name, const char *bytes, size_t length, struct etl_error *err)
{
	struct scan_at at = { .file = name, .line = 1 };
	const char *what = NULL;
	size_t valid, i;

	if (length >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0)
		return scan_fail(
			at, err,
			"the file begins with a byte order mark; save it as UTF-8 without one");
	if (length >= 2 && (memcmp(bytes, "\xff\xfe", 2) == 0 || memcmp(bytes, "\xfe\xff", 2) == 0))
		return scan_fail(at, err, "the file is UTF-16; save it as UTF-8");
	valid = etl_utf8_valid(bytes, length);
	if (valid < length)
		what = "a byte that is not UTF-8; save the file as UTF-8";
	if (memchr(bytes, '\0', valid)) {
		valid = (size_t)((const char *)memchr(bytes, '\0', valid) - bytes);
		what = "a NUL byte; remove it, or save the file as UTF-8";
	}
	if (!what)
		return ETL_OK;
	for (i = 0; i < valid; i++)
		at.line += bytes[i] == '\n';
	return scan_fail(at, err, "%s", what);
}

/* All of a file; *ret is for the caller to free. BY: who includes it, or NULL. */
int scan_load(struct reader *r, const struct reader *by, char **ret, struct etl_error *err)
{
	char *bytes = NULL;
	FILE *file = fopen(r->name, "re");
	struct stat st;
	size_t length;
	int status = ETL_FAILED;

	if (!file || fstat(fileno(file), &st) != 0 || S_ISDIR(st.st_mode)) {
		int code = file ? EISDIR : errno;

		if (code == ENOMEM)
			error_memory(err);
		else if (by)
			scan_fail(scan_here(by), err,
				  "cannot read the included file %s: %s; an include is relative to "
				  "the folder of the pipeline file",
				  r->name, strerror(code));
		else
			error_set(err, error_class(code, ETL_USAGE), "%s: cannot read the pipeline file: %s", r->name,
				  strerror(code));
		goto out;
	}
	r->device = st.st_dev;
	r->inode = st.st_ino;
	bytes = malloc(SCAN_FILE_LIMIT + 2);
	if (!bytes) {
		error_memory(err);
		goto out;
	}
	length = fread(bytes, 1, SCAN_FILE_LIMIT + 1, file);
	bytes[length] = '\0';
	if (ferror(file))
		error_set(err, error_class(errno, ETL_USAGE), "%s: cannot be read to its end: %s", r->name,
			  strerror(errno));
	else if (length > SCAN_FILE_LIMIT)
		error_set(err, ETL_USAGE,
			  "%s:1: the file is over 1 MiB; a pipeline file is smaller: is it the "
			  "right file?",
			  r->name);
	else
		status = scan_check(r->name, bytes, length, err);
	r->at = r->copied = bytes;
	r->end = bytes + length;
	if (status == ETL_OK) {
		*ret = bytes;
		bytes = NULL;
	}
out:
	free(bytes);
	if (file)
		fclose(file);
	return status;
}

/* The scan's own copy of a name, alive as long as the scan. */
const char *scan_keep(struct scan *s, const char *folder, const char *name, struct etl_error *err)
{
	char **grown = reallocarray(s->files, s->file_count + 1, sizeof(*grown)), *copy = NULL;

	if (grown)
		s->files = grown;
	if (!grown || asprintf(&copy, "%s%s", folder, name) < 0) {
		error_memory(err);
		return NULL;
	}
	s->files[s->file_count++] = copy;
	return copy;
}

/* ---- Includes ---- */

static void name_chain(const struct reader *r, const struct reader *first, struct etl_text *text)
{
	if (r != first)
		name_chain(r->by, first, text);
	etl_text_addf(text, "%s -> ", r->name);
}

static int check_cycle(const struct reader *r, const struct reader *by, struct etl_error *err)
{
	const struct reader *up;
	struct etl_text text = { .at = NULL };

	for (up = by; up; up = up->by)
		if (up->device == r->device && up->inode == r->inode)
			break;
	if (!up)
		return ETL_OK;
	name_chain(by, up, &text);
	etl_text_add(&text, up->name);
	scan_fail(scan_here(by), err, "a cycle of includes: %s; remove one of them",
		  text.at ? text.at : r->name);
	etl_text_free(&text);
	return ETL_FAILED;
}

static bool climbs(const char *path)
{
	const char *p;

	for (p = path; (p = strstr(p, "..")); p++)
		if ((p == path || p[-1] == '/') && (p[2] == '/' || p[2] == '\0'))
			return true;
	return false;
}

static int check_include(const struct reader *r, const char *path, struct etl_error *err)
{
	if (!r->scan->folder)
		return scan_fail(scan_here(r), err,
				 "nothing can be included here; write the settings themselves");
	if (path[0] == '\0')
		return scan_fail(scan_here(r), err, "@include without a path; name a file");
	if (path[0] == '/')
		return scan_fail(
			scan_here(r), err,
			"@include \"%s\" is absolute; write a path relative to the pipeline "
			"file, below its folder",
			path);
	if (climbs(path))
		return scan_fail(scan_here(r), err,
				 "@include \"%s\" leaves the pipeline file's folder; includes stay "
				 "below it, without ..",
				 path);
	if (r->depth + 1 >= INCLUDE_DEPTH)
		return scan_fail(scan_here(r), err, "includes are nested more than %d deep",
				 INCLUDE_DEPTH);
	if (r->scan->file_count >= INCLUDE_COUNT)
		return scan_fail(scan_here(r), err, "more than %d includes; include less",
				 INCLUDE_COUNT);
	return ETL_OK;
}

static int include_file(struct reader *r, const char *path, struct etl_error *err)
{
	struct reader in = { .scan = r->scan, .by = r, .line = 1, .depth = r->depth + 1 };
	char *bytes = NULL;
	int status = check_include(r, path, err);

	if (status != ETL_OK)
		return status;
	in.name = scan_keep(r->scan, r->scan->folder, path, err);
	if (!in.name)
		return ETL_FAILED;
	status = scan_load(&in, r, &bytes, err);
	if (status == ETL_OK)
		status = check_cycle(&in, r, err);
	if (status == ETL_OK)
		status = scan_break(r->scan, scan_here(&in), err);
	if (status == ETL_OK)
		status = scan_read(&in, err);
	if (status == ETL_OK)
		status = scan_break(r->scan, scan_here(r), err);
	free(bytes);
	return status;
}

static bool at_line_begin(const struct reader *r, const char *begin)
{
	const char *p = r->at;

	while (p > begin && (p[-1] == ' ' || p[-1] == '\t'))
		p--;
	return p == begin || p[-1] == '\n';
}

/* At an @. */
int scan_include(struct reader *r, const char *begin, struct etl_error *err)
{
	const size_t word = strlen("@include");
	const char *p = r->at + word, *quote;
	char *path;
	int status;

	if ((size_t)(r->end - r->at) < word || memcmp(r->at, "@include", word) != 0)
		return scan_fail(scan_here(r), err,
				 "@ stands outside quotes; only @include \"FILE\" begins with it");
	while (p < r->end && (*p == ' ' || *p == '\t'))
		p++;
	quote = p < r->end && *p == '"' ? memchr(p + 1, '"', (size_t)(r->end - p - 1)) : NULL;
	if (!at_line_begin(r, begin) || !quote || memchr(p, '\n', (size_t)(quote - p)))
		return scan_fail(
			scan_here(r), err,
			"@include stands at the beginning of a line, with a path in quotes: "
			"@include \"FILE\"");
	path = strndup(p + 1, (size_t)(quote - p - 1));
	status = path ? scan_copy(r, err) : error_memory(err);
	if (status == ETL_OK)
		status = include_file(r, path, err);
	free(path);
	r->at = r->copied = quote + 1;
	return status;
}
