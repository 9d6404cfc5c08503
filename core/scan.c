/*
 * The text of a pipeline file, read byte by byte before libconfig reads it: libconfig 1.5 cuts at a
 * NUL byte, swallows the rest of the file in an open comment, lets numbers wrap at 2^31, keeps
 * unknown escapes as they are, and leaves out of its messages which file it was in. Here each of
 * these has its sentence, includes are filled in, and libconfig gets one text whose every line is
 * known by file and number.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <etlrun/helpers.h>

#include "scan-order.h"
#include "scan.h"

enum {
	INCLUDE_DEPTH = 16,
	INCLUDE_COUNT = 1000, /* of one pipeline, repeated ones too */
	ALL_LIMIT = 4 * SCAN_FILE_LIMIT
};

struct scan {
	struct etl_text text;
	struct scan_at *lines; /* of the text, from its first */
	size_t line_count, line_room;
	char **files; /* names as the person knows them */
	size_t file_count;
	char *folder; /* with its final /, or ""; NULL: nothing may be included */
	struct scan_order order;
	/* the first that seems to lack its closing quote; line 0: none */
	struct scan_at open_string;
};

/* One file while it is read. */
struct reader {
	struct scan *scan;
	const struct reader *by; /* who includes it */
	const char *name;
	dev_t device;
	ino_t inode;
	unsigned depth;
	const char *at, *end;
	const char *copied; /* up to here it is in the scan's text */
	uint32_t line;
};

static int read_text(struct reader *, struct etl_error *);

static struct scan_at here(const struct reader *r)
{
	return (struct scan_at){ .file = r->name, .line = r->line };
}

/* ---- The text and its map ---- */

static bool add_line(struct scan *s, struct scan_at at)
{
	size_t room = s->line_room > 0 ? s->line_room * 2 : 256;
	struct scan_at *grown;

	if (s->line_count == s->line_room) {
		grown = reallocarray(s->lines, room, sizeof(*grown));
		if (!grown)
			return false;
		s->lines = grown;
		s->line_room = room;
	}
	s->lines[s->line_count++] = at;
	return true;
}

/* Copies what was read and not copied; the reader's line is the one it is in. */
static int copy_text(struct reader *r, struct etl_error *err)
{
	size_t length = (size_t)(r->at - r->copied);

	if (r->scan->text.length + length > ALL_LIMIT)
		return scan_fail(here(r), err,
				 "with all that it includes the file is over %d MiB; include less",
				 ALL_LIMIT >> 20);
	etl_text_add_bytes(&r->scan->text, r->copied, length);
	r->copied = r->at;
	return r->scan->text.failed ? error_memory(err) : ETL_OK;
}

/* Begins a line of the text that did not begin in the file. */
static int break_line(struct scan *s, struct scan_at at, struct etl_error *err)
{
	etl_text_add(&s->text, "\n");
	if (s->text.failed || !add_line(s, at))
		return error_memory(err);
	return ETL_OK;
}

static int next_line(struct reader *r, struct etl_error *err)
{
	r->line++;
	return add_line(r->scan, here(r)) ? ETL_OK : error_memory(err);
}

/* ---- Comments and strings ---- */

static void skip_to_line_end(struct reader *r)
{
	while (r->at < r->end && *r->at != '\n')
		r->at++;
}

static int skip_comment(struct reader *r, struct etl_error *err)
{
	struct scan_at begin = here(r);

	for (r->at += 2; r->at < r->end; r->at++) {
		if (*r->at == '\n' && next_line(r, err) != ETL_OK)
			return ETL_FAILED;
		if (r->end - r->at >= 2 && r->at[0] == '*' && r->at[1] == '/') {
			r->at += 2;
			return ETL_OK;
		}
	}
	return scan_fail(begin, err,
			 "the comment that begins here with /* has no end; close it with */");
}

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* At a backslash within a string; leaves the reader behind the escape. */
static int check_escape(struct reader *r, struct etl_error *err)
{
	char c = r->end - r->at >= 2 ? r->at[1] : '\0';
	size_t shown = 1;

	if (c != '\0' && strchr("\\\"nrtf", c)) {
		r->at += 2;
		return ETL_OK;
	}
	if (c == 'x' && r->end - r->at >= 4 && is_hex(r->at[2]) && is_hex(r->at[3])) {
		if (r->at[2] == '0' && r->at[3] == '0')
			return scan_fail(here(r), err, "\\x00 ends the text early; remove it");
		r->at += 4;
		return ETL_OK;
	}
	if (c == '\n' || c == '\r' || c == '\0')
		return scan_fail(here(r), err,
				 "a backslash at the end of a line of a string; write \\\\ for a "
				 "backslash, or end the string and go on with another");
	while (r->at + 1 + shown < r->end && ((unsigned char)r->at[1 + shown] & 0xc0) == 0x80)
		shown++;
	return scan_fail(here(r), err,
			 "\\%.*s in a string is no escape; write \\\\ for a backslash "
			 "(there are \\\\ \\\" \\n \\r \\t \\f \\xHH)",
			 (int)shown, r->at + 1);
}

/* A string over several lines that ends as if the next setting's value began: its quote is
 * missing. */
static void suspect(struct scan *s, struct scan_at begin, uint32_t end_line, const char *text,
		    const char *end)
{
	while (end > text && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	if (s->open_string.line == 0 && end_line > begin.line && end > text &&
	    strchr("=:([,", end[-1]))
		s->open_string = begin;
}

static int read_string(struct reader *r, struct etl_error *err)
{
	struct scan_at begin = here(r);
	const char *text = ++r->at;

	while (r->at < r->end) {
		if (*r->at == '"') {
			suspect(r->scan, begin, r->line, text, r->at);
			r->at++;
			return scan_order_next(&r->scan->order, begin, TOKEN_STRING, "", 0, err);
		}
		if (*r->at == '\\') {
			if (check_escape(r, err) != ETL_OK)
				return ETL_FAILED;
			continue;
		}
		if (*r->at++ == '\n' && next_line(r, err) != ETL_OK)
			return ETL_FAILED;
	}
	if (r->scan->open_string.line > 0)
		begin = r->scan->open_string;
	return scan_fail(begin, err, "the string that begins here has no closing quote; add it");
}

/* ---- Names and numbers ---- */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_name(char c)
{
	return is_letter(c) || is_digit(c) || c == '_' || c == '-' || c == '*';
}

static int read_name(struct reader *r, struct etl_error *err)
{
	const char *begin = r->at;

	while (r->at < r->end && is_name(*r->at))
		r->at++;
	return scan_order_next(&r->scan->order, here(r), TOKEN_NAME, begin, (size_t)(r->at - begin),
			       err);
}

/* A word of digits, letters and points, cut to SIZE: what begins with a digit, a sign or a
 * point. */
static size_t number_word(const struct reader *r, char *word, size_t size)
{
	const char *p = r->at;
	size_t length = 0;

	while (p < r->end &&
	       (is_digit(*p) || is_letter(*p) || *p == '_' || *p == '.' ||
		((*p == '-' || *p == '+') && (p == r->at || p[-1] == 'e' || p[-1] == 'E')))) {
		if (length + 1 < size)
			word[length++] = *p;
		p++;
	}
	word[length] = '\0';
	return (size_t)(p - r->at);
}

static int read_number(struct reader *r, struct etl_error *err)
{
	char word[128], *plain = word;
	size_t length = number_word(r, word, sizeof(word));
	bool negative = word[0] == '-', is_long = false;
	const char *begin = r->at;

	if (word[0] == '-' || word[0] == '+')
		plain++;
	if (length >= sizeof(word))
		return scan_fail(here(r), err, "a number of %zu characters; write a smaller one",
				 length);
	if (scan_number_integer(plain, &is_long)) {
		if (scan_number_range(here(r), plain, negative, is_long, err) != ETL_OK)
			return ETL_FAILED;
	} else if (!scan_number_float(plain)) {
		return scan_fail(
			here(r), err,
			"%s is neither a number nor a name: names begin with a letter, and "
			"texts stand in quotes: \"%s\"",
			word, word);
	}
	r->at += length;
	return scan_order_next(&r->scan->order, here(r), TOKEN_NUMBER, begin, length, err);
}

/* ---- Files ---- */

static int check_bytes(const char *name, const char *bytes, size_t length, struct etl_error *err)
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
static int load_file(struct reader *r, const struct reader *by, char **ret, struct etl_error *err)
{
	char *bytes = NULL;
	FILE *file = fopen(r->name, "re");
	struct stat st;
	size_t length;
	int status = ETL_FAILED;

	if (!file || fstat(fileno(file), &st) != 0 || S_ISDIR(st.st_mode)) {
		int code = file ? EISDIR : errno;

		if (by)
			scan_fail(here(by), err,
				  "cannot read the included file %s: %s; an include is relative to "
				  "the file it stands in",
				  r->name, strerror(code));
		else
			error_set(err, ETL_USAGE, "%s: cannot read the pipeline file: %s", r->name,
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
		error_set(err, ETL_USAGE, "%s: cannot be read to its end: %s", r->name,
			  strerror(errno));
	else if (length > SCAN_FILE_LIMIT)
		error_set(err, ETL_USAGE,
			  "%s:1: the file is over 1 MiB; a pipeline file is smaller: is it the "
			  "right file?",
			  r->name);
	else
		status = check_bytes(r->name, bytes, length, err);
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
static const char *keep_file(struct scan *s, const char *folder, const char *name,
			     struct etl_error *err)
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
	scan_fail(here(by), err, "a cycle of includes: %s; remove one of them",
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
		return scan_fail(here(r), err,
				 "nothing can be included here; write the settings themselves");
	if (path[0] == '\0')
		return scan_fail(here(r), err, "@include without a path; name a file");
	if (path[0] == '/')
		return scan_fail(
			here(r), err,
			"@include \"%s\" is absolute; write a path relative to the pipeline "
			"file, below its folder",
			path);
	if (climbs(path))
		return scan_fail(here(r), err,
				 "@include \"%s\" leaves the pipeline file's folder; includes stay "
				 "below it, without ..",
				 path);
	if (r->depth + 1 >= INCLUDE_DEPTH)
		return scan_fail(here(r), err, "includes are nested more than %d deep",
				 INCLUDE_DEPTH);
	if (r->scan->file_count >= INCLUDE_COUNT)
		return scan_fail(here(r), err, "more than %d includes; include less",
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
	in.name = keep_file(r->scan, r->scan->folder, path, err);
	if (!in.name)
		return ETL_FAILED;
	status = load_file(&in, r, &bytes, err);
	if (status == ETL_OK)
		status = check_cycle(&in, r, err);
	if (status == ETL_OK)
		status = break_line(r->scan, here(&in), err);
	if (status == ETL_OK)
		status = read_text(&in, err);
	if (status == ETL_OK)
		status = break_line(r->scan, here(r), err);
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
static int read_include(struct reader *r, const char *begin, struct etl_error *err)
{
	const size_t word = strlen("@include");
	const char *p = r->at + word, *quote;
	char *path;
	int status;

	if ((size_t)(r->end - r->at) < word || memcmp(r->at, "@include", word) != 0)
		return scan_fail(here(r), err,
				 "@ stands outside quotes; only @include \"FILE\" begins with it");
	while (p < r->end && (*p == ' ' || *p == '\t'))
		p++;
	quote = p < r->end && *p == '"' ? memchr(p + 1, '"', (size_t)(r->end - p - 1)) : NULL;
	if (!at_line_begin(r, begin) || !quote || memchr(p, '\n', (size_t)(quote - p)))
		return scan_fail(
			here(r), err,
			"@include stands at the beginning of a line, with a path in quotes: "
			"@include \"FILE\"");
	path = strndup(p + 1, (size_t)(quote - p - 1));
	status = path ? copy_text(r, err) : error_memory(err);
	if (status == ETL_OK)
		status = include_file(r, path, err);
	free(path);
	r->at = r->copied = quote + 1;
	return status;
}

/* ---- All of it ---- */

static int read_token(struct reader *r, const char *begin, struct etl_error *err)
{
	char c = *r->at;

	if (c == '\n') {
		r->at++;
		return next_line(r, err);
	}
	if (c == '#' || (c == '/' && r->at + 1 < r->end && r->at[1] == '/')) {
		skip_to_line_end(r);
		return ETL_OK;
	}
	if (c == '/' && r->at + 1 < r->end && r->at[1] == '*')
		return skip_comment(r, err);
	if (c == '"')
		return read_string(r, err);
	if (c == '@')
		return read_include(r, begin, err);
	if (is_letter(c) || c == '*')
		return read_name(r, err);
	if (is_digit(c) || c == '-' || c == '+' || c == '.')
		return read_number(r, err);
	r->at++;
	if (c == ' ' || c == '\t' || c == '\r' || c == '\f')
		return ETL_OK;
	if (strchr("=:;,(){}[]", c))
		return scan_order_next(&r->scan->order, here(r), c, "", 0, err);
	if ((unsigned char)c < ' ' || c == 0x7f)
		return scan_fail(here(r), err, "a control character (byte %02x); remove it",
				 (unsigned char)c);
	if ((unsigned char)c >= 0x80)
		return scan_fail(here(r), err,
				 "a letter or quote that is not ASCII stands outside quotes; texts "
				 "stand between two straight \"");
	return scan_fail(here(r), err,
			 "%c stands outside quotes and means nothing here; texts stand in \"…\"",
			 c);
}

static int read_text(struct reader *r, struct etl_error *err)
{
	const char *begin = r->at;
	int status = ETL_OK;

	while (status == ETL_OK && r->at < r->end)
		status = read_token(r, begin, err);
	return status == ETL_OK ? copy_text(r, err) : status;
}

static int read_all(struct scan *s, struct reader *r, struct etl_error *err)
{
	int status = add_line(s, here(r)) ? ETL_OK : error_memory(err);

	if (status == ETL_OK)
		status = read_text(r, err);
	if (status == ETL_OK)
		status = scan_order_end(&s->order, err);
	return status;
}

static int finish(struct scan *s, int status, struct scan **ret)
{
	if (status != ETL_OK) {
		scan_free(s);
		return status;
	}
	*ret = s;
	return ETL_OK;
}

int scan_file(const char *path, struct scan **ret, struct etl_error *err)
{
	struct scan *s = calloc(1, sizeof(*s));
	struct reader r = { .scan = s, .line = 1 };
	const char *slash = strrchr(path, '/');
	char *bytes = NULL;
	int status;

	if (!s)
		return error_memory(err);
	s->folder = strndup(path, slash ? (size_t)(slash - path) + 1 : 0);
	status = s->folder ? ETL_OK : error_memory(err);
	r.name = status == ETL_OK ? keep_file(s, "", path, err) : NULL;
	if (!r.name)
		status = ETL_FAILED;
	if (status == ETL_OK)
		status = load_file(&r, NULL, &bytes, err);
	if (status == ETL_OK)
		status = read_all(s, &r, err);
	free(bytes);
	return finish(s, status, ret);
}

int scan_memory(const char *text, size_t length, const char *name, struct scan **ret,
		struct etl_error *err)
{
	struct scan *s = calloc(1, sizeof(*s));
	struct reader r = {
		.scan = s, .line = 1, .at = text, .copied = text, .end = text + length
	};
	int status = ETL_FAILED;

	if (!s)
		return error_memory(err);
	r.name = keep_file(s, "", name, err);
	if (r.name)
		status = check_bytes(r.name, text, length, err);
	if (status == ETL_OK)
		status = read_all(s, &r, err);
	return finish(s, status, ret);
}

void scan_free(struct scan *s)
{
	size_t i;

	if (!s)
		return;
	for (i = 0; i < s->file_count; i++)
		free(s->files[i]);
	free(s->files);
	free(s->lines);
	free(s->folder);
	etl_text_free(&s->text);
	scan_order_free(&s->order);
	free(s);
}

const char *scan_text(const struct scan *s)
{
	return s->text.at ? s->text.at : "";
}

void scan_place(const struct scan *s, unsigned line, const char **ret_file, unsigned *ret_line)
{
	size_t i = line > 0 ? line - 1 : 0;

	if (i >= s->line_count)
		i = s->line_count - 1;
	*ret_file = s->lines[i].file;
	*ret_line = s->lines[i].line;
}

int scan_syntax_error(const struct scan *s, unsigned line, const char *text, struct etl_error *err)
{
	struct scan_at at;

	if (s->open_string.line > 0)
		return scan_fail(s->open_string, err,
				 "the string that begins here has no closing quote in its "
				 "line; add it");
	scan_place(s, line, &at.file, &at.line);
	if (text && strcmp(text, "syntax error") != 0)
		return scan_fail(at, err, "%s%s", text,
				 strstr(text, "mismatched element") ?
					 "; an array [ … ] holds values of one type: write all of them in quotes" :
					 "");
	return scan_fail(
		at, err,
		"this is not libconfig syntax; look here and in the line before for a missing "
		"quote, bracket or comma");
}
