/*
 * Values that are not in the pipeline file: from the environment, a file or a command. They are
 * filled in after the file was parsed and are never parsed themselves, so no value can change the
 * file's structure or name another value.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <etlrun/helpers.h>

#include "exec.h"
#include "interpolate.h"
#include "secret.h"

enum { ARGS_MAX = 64, FILE_MAX = 1 << 20 };

static int64_t exec_limit_ms = EXEC_LIMIT_MS;

struct filling {
	const char *folder, *origin;
	bool secret;
	struct etl_text to;
	struct etl_error *err;
};

void interpolate_set_limit(int64_t milliseconds)
{
	exec_limit_ms = milliseconds;
}

/* Drops one newline at the end and refuses what a C string cannot hold. KIND and NAME are for the
 * message. */
static int add_value(struct filling *f, char *value, size_t size, const char *kind,
		     const char *name)
{
	if (memchr(value, '\0', size))
		return error_set(f->err, ETL_USAGE,
				 "%s: ${%s:%s} gives a NUL byte, which no option can hold",
				 f->origin, kind, name);
	if (size > 0 && value[size - 1] == '\n')
		size -= size > 1 && value[size - 2] == '\r' ? 2 : 1;
	value[size] = '\0';
	if (!secret_add(value))
		return error_memory(f->err);
	etl_text_add_bytes(&f->to, value, size);
	return ETL_OK;
}

static int fill_env(struct filling *f, char *body)
{
	char *fallback = strstr(body, ":-");
	const char *value;

	if (fallback) {
		*fallback = '\0';
		fallback += 2;
	}
	if (!*body ||
	    strspn(body, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") !=
		    strlen(body))
		return error_set(f->err, ETL_USAGE,
				 "%s: ${env:%s} is no name of a variable; write ${env:NAME} or "
				 "${env:NAME:-default}",
				 f->origin, body);
	value = getenv(body);
	if (fallback && (!value || !*value))
		value = fallback;
	if (!value)
		return error_set(f->err, ETL_USAGE,
				 "%s: ${env:%s} is not set; set it or write ${env:%s:-default}",
				 f->origin, body, body);
	if (f->secret && !secret_add(value))
		return error_memory(f->err);
	etl_text_add(&f->to, value);
	return ETL_OK;
}

static char *join_path(const char *folder, const char *path)
{
	char *ret = NULL;

	if (*path == '/' || !folder)
		return strdup(path);
	return asprintf(&ret, "%s/%s", folder, path) < 0 ? NULL : ret;
}

static int fill_file(struct filling *f, const char *body)
{
	char *path = join_path(f->folder, body), *value = malloc(FILE_MAX + 2);
	FILE *file = path ? fopen(path, "re") : NULL;
	size_t size = 0;
	int rc;

	if (!path || !value) {
		rc = error_memory(f->err);
		goto done;
	}
	if (file)
		size = fread(value, 1, FILE_MAX + 1, file);
	if (!file || ferror(file))
		rc = error_set(f->err, error_class(errno, ETL_USAGE), "%s: ${file:%s} cannot be read: %s", f->origin,
			       body, strerror(errno));
	else if (size > FILE_MAX)
		rc = error_set(f->err, ETL_USAGE, "%s: ${file:%s} is larger than 1 MiB", f->origin,
			       body);
	else
		rc = add_value(f, value, size, "file", body);
	explicit_bzero(value, size);
done:
	if (file)
		fclose(file);
	free(value);
	free(path);
	return rc;
}

/* Cuts the next word off *AT in place, quotes and backslashes resolved; NULL: none left. A backslash
 * stands for itself but in double quotes before " and \. Every quote ends: find_end has seen to it. */
static char *next_word(char **at)
{
	char *from = *at + strspn(*at, " \t\r\n"), *to = from, *ret = from, quote = '\0';

	if (!*from)
		return NULL;
	for (; *from && (quote || !strchr(" \t\r\n", *from)); from++) {
		if (quote ? *from == quote : *from == '"' || *from == '\'') {
			quote = quote ? '\0' : *from;
			continue;
		}
		if (quote == '"' && *from == '\\' && (from[1] == '"' || from[1] == '\\'))
			from++;
		*to++ = *from;
	}
	*at = from + (*from != '\0');
	*to = '\0';
	return ret;
}

static int fill_exec(struct filling *f, char *body)
{
	char *argv[ARGS_MAX + 1], *at = body, *value = NULL;
	size_t count = 0, size = 0;
	int rc;

	while (count < ARGS_MAX && (argv[count] = next_word(&at)))
		count++;
	if (count == ARGS_MAX)
		return error_set(f->err, ETL_USAGE, "%s: ${exec:%s …} has more than %d words",
				 f->origin, argv[0], ARGS_MAX - 1);
	if (count == 0)
		return error_set(f->err, ETL_USAGE, "%s: ${exec:} names no command", f->origin);
	argv[count] = NULL;
	rc = exec_capture(argv, f->folder, f->origin, exec_limit_ms, &value, &size, f->err);
	if (rc < 0)
		return rc;
	rc = add_value(f, value, size, "exec", argv[0]);
	explicit_bzero(value, size);
	free(value);
	return rc;
}

/* The } that ends a ${; one inside quotes is part of a command's argument. NULL: there is none. */
static const char *find_end(const char *body, bool quotes)
{
	char quote = '\0';

	for (const char *p = body; *p; p++) {
		if (quote == '"' && *p == '\\' && p[1])
			p++;
		else if (quotes && (quote ? *p == quote : *p == '"' || *p == '\''))
			quote = quote ? '\0' : *p;
		else if (!quote && *p == '}')
			return p;
	}
	return NULL;
}

static bool has_prefix(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* TEXT begins after "${"; *END is set after its "}". */
static int fill_one(struct filling *f, const char *text, const char **end)
{
	const char *stop = find_end(text, has_prefix(text, "exec:"));
	char *body;
	int rc;

	if (!stop)
		return error_set(
			f->err, ETL_USAGE,
			"%s: ${%.20s… does not end; a } is missing, or write $${ for a literal ${",
			f->origin, text);
	body = strndup(text, (size_t)(stop - text));
	if (!body)
		return error_memory(f->err);
	if (has_prefix(body, "env:"))
		rc = fill_env(f, body + 4);
	else if (has_prefix(body, "file:"))
		rc = fill_file(f, body + 5);
	else if (has_prefix(body, "exec:"))
		rc = fill_exec(f, body + 5);
	else
		rc = error_set(f->err, ETL_USAGE,
			       "%s: ${%s} is none of ${env:NAME}, ${file:PATH} and "
			       "${exec:COMMAND}; write $${ for a literal ${",
			       f->origin, body);
	free(body);
	*end = stop + 1;
	return rc;
}

static int fill_all(struct filling *f, const char *text)
{
	const char *next;
	int rc;

	while ((next = strstr(text, "${"))) {
		if (next > text && next[-1] == '$') {
			etl_text_add_bytes(&f->to, text, (size_t)(next - text - 1));
			etl_text_add(&f->to, "${");
			text = next + 2;
			continue;
		}
		etl_text_add_bytes(&f->to, text, (size_t)(next - text));
		rc = fill_one(f, next + 2, &text);
		if (rc < 0)
			return rc;
	}
	etl_text_add(&f->to, text);
	return f->to.failed ? error_memory(f->err) : ETL_OK;
}

int interpolate(const char *text, const char *folder, const char *origin, bool secret, char **ret,
		struct etl_error *err)
{
	struct filling f = { .folder = folder, .origin = origin, .secret = secret, .err = err };
	char *filled;
	int rc = fill_all(&f, text);

	if (rc < 0) {
		etl_text_free(&f.to);
		return rc;
	}
	filled = f.to.at ? etl_text_take(&f.to) : strdup("");
	if (!filled)
		return error_memory(err);
	*ret = filled;
	return ETL_OK;
}
