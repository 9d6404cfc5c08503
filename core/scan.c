/*
 * The text of a pipeline file, read byte by byte before libconfig reads it: libconfig 1.5 cuts at a
 * NUL byte, swallows the rest of the file in an open comment, lets numbers wrap at 2^31, keeps
 * unknown escapes as they are, and leaves out of its messages which file it was in. Here each of
 * these has its sentence, includes are filled in, and libconfig gets one text whose every line is
 * known by file and number.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scan-parts.h"

enum { ALL_LIMIT = 4 * SCAN_FILE_LIMIT };

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
int scan_copy(struct reader *r, struct etl_error *err)
{
	size_t length = (size_t)(r->at - r->copied);

	if (r->scan->text.length + length > ALL_LIMIT)
		return scan_fail(scan_here(r), err,
				 "with all that it includes the file is over %d MiB; include less",
				 ALL_LIMIT >> 20);
	etl_text_add_bytes(&r->scan->text, r->copied, length);
	r->copied = r->at;
	return r->scan->text.failed ? error_memory(err) : ETL_OK;
}

/* Begins a line of the text that did not begin in the file. */
int scan_break(struct scan *s, struct scan_at at, struct etl_error *err)
{
	etl_text_add(&s->text, "\n");
	if (s->text.failed || !add_line(s, at))
		return error_memory(err);
	return ETL_OK;
}

static int next_line(struct reader *r, struct etl_error *err)
{
	r->line++;
	return add_line(r->scan, scan_here(r)) ? ETL_OK : error_memory(err);
}

/* ---- Comments and strings ---- */

static void skip_to_line_end(struct reader *r)
{
	while (r->at < r->end && *r->at != '\n')
		r->at++;
}

static int skip_comment(struct reader *r, struct etl_error *err)
{
	struct scan_at begin = scan_here(r);

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
			return scan_fail(scan_here(r), err, "\\x00 ends the text early; remove it");
		r->at += 4;
		return ETL_OK;
	}
	if (c == '\n' || c == '\r' || c == '\0')
		return scan_fail(scan_here(r), err,
				 "a backslash at the end of a line of a string; write \\\\ for a "
				 "backslash, or end the string and go on with another");
	while (r->at + 1 + shown < r->end && ((unsigned char)r->at[1 + shown] & 0xc0) == 0x80)
		shown++;
	return scan_fail(scan_here(r), err,
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
	struct scan_at begin = scan_here(r);
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
	return scan_order_next(&r->scan->order, scan_here(r), TOKEN_NAME, begin,
			       (size_t)(r->at - begin), err);
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
		return scan_fail(scan_here(r), err,
				 "a number of %zu characters; write a smaller one", length);
	if (scan_number_integer(plain, &is_long)) {
		if (scan_number_range(scan_here(r), plain, negative, is_long, err) != ETL_OK)
			return ETL_FAILED;
	} else if (!scan_number_float(plain)) {
		return scan_fail(
			scan_here(r), err,
			"%s is neither a number nor a name: names begin with a letter, and "
			"texts stand in quotes: \"%s\"",
			word, word);
	}
	r->at += length;
	return scan_order_next(&r->scan->order, scan_here(r), TOKEN_NUMBER, begin, length, err);
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
		return scan_include(r, begin, err);
	if (is_letter(c) || c == '*')
		return read_name(r, err);
	if (is_digit(c) || c == '-' || c == '+' || c == '.')
		return read_number(r, err);
	r->at++;
	if (c == ' ' || c == '\t' || c == '\r' || c == '\f')
		return ETL_OK;
	if (strchr("=:;,(){}[]", c))
		return scan_order_next(&r->scan->order, scan_here(r), c, "", 0, err);
	if ((unsigned char)c < ' ' || c == 0x7f)
		return scan_fail(scan_here(r), err, "a control character (byte %02x); remove it",
				 (unsigned char)c);
	if ((unsigned char)c >= 0x80)
		return scan_fail(scan_here(r), err,
				 "a letter or quote that is not ASCII stands outside quotes; texts "
				 "stand between two straight \"");
	return scan_fail(scan_here(r), err,
			 "%c stands outside quotes and means nothing here; texts stand in \"…\"",
			 c);
}

int scan_read(struct reader *r, struct etl_error *err)
{
	const char *begin = r->at;
	int status = ETL_OK;

	while (status == ETL_OK && r->at < r->end)
		status = read_token(r, begin, err);
	return status == ETL_OK ? scan_copy(r, err) : status;
}

static int read_all(struct scan *s, struct reader *r, struct etl_error *err)
{
	int status = add_line(s, scan_here(r)) ? ETL_OK : error_memory(err);

	if (status == ETL_OK)
		status = scan_read(r, err);
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
	r.name = status == ETL_OK ? scan_keep(s, "", path, err) : NULL;
	if (!r.name)
		status = ETL_FAILED;
	if (status == ETL_OK)
		status = scan_load(&r, NULL, &bytes, err);
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
	r.name = scan_keep(s, "", name, err);
	if (r.name)
		status = scan_check(r.name, text, length, err);
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
					 "; an array [ … ] holds values of one type: write all of "
					 "them in quotes" :
					 "");
	return scan_fail(
		at, err,
		"this is not libconfig syntax; look here and in the line before for a missing "
		"quote, bracket or comma");
}
