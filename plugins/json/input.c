/*
 * UTF-16, where the pipeline has it converted: told by the first bytes of what is decompressed. And byte order marks, where the
 * pipeline passes them over: files that were put one behind the other have them before any record, and between any two tokens.
 * There they become blanks, so that every byte stays in its place; in a string U+FEFF is a character.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "input.h"
#include "split-scan.h"
#include "utf16.h"

static const char mark_bytes[] = "\xef\xbb\xbf";
enum {
	MARK = 3,
	FIRST = 4,                      /* bytes that tell the encoding */
	RAW = 64 << 10                  /* bytes that are converted at once */
};

struct json_input {
	struct etl_instance *inst;
	struct files_input *in;
	struct changes *changes, pass;  /* pass: of them, since the first byte */
	/* of UTF-16 */
	char first[FIRST];              /* what was read to tell, and is not given yet */
	size_t first_at, first_size;
	bool told, converts;
	struct json_utf16 utf16;
	char *raw;
	/* of marks */
	char held[MARK];                /* the end of what was read, which may be a part of one */
	size_t held_size;
	bool begun, in_string;
	struct json_scan scan;          /* of the string */
};

static void count(struct json_input *in, enum change change)
{
	in->changes->at[change]++;
	in->pass.at[change]++;
}

static int fill_plain(struct json_input *in, char *to, size_t room, size_t *ret, bool *last, struct etl_error *err)
{
	size_t size = 0, got = 1;
	int rc = ETL_OK;

	while (!rc && got > 0 && size < room) {
		rc = files_input_read(in->in, to + size, room - size, &got, err);
		size += rc ? 0 : got;
	}
	*ret = size;
	*last = got == 0;
	return rc;
}

/* ---- UTF-16 ------------------------------------------------------------------------------------------------------- */

static int no_memory(struct json_input *in, struct etl_error *err)
{
	return in->inst->host->fail(err, ETL_MEMORY, NULL, 0, "json: no memory to convert UTF-16");
}

static int tell_encoding(struct json_input *in, struct etl_error *err)
{
	const char *encoding;
	bool last;
	int rc = fill_plain(in, in->first, FIRST, &in->first_size, &last, err);

	if (rc)
		return rc;
	encoding = json_encoding_of(in->first, in->first_size);
	in->first_at = 0;
	in->told = true;
	in->converts = encoding && strncmp(encoding, "UTF-16", strlen("UTF-16")) == 0;
	if (!in->converts)
		return ETL_OK;
	count(in, CHANGE_UTF16);
	in->utf16 = (struct json_utf16){ .big = strcmp(encoding, "UTF-16BE") == 0 };
	if (!in->raw)
		in->raw = malloc(RAW);
	return in->raw ? ETL_OK : no_memory(in, err);
}

/* What was read to tell the encoding comes again. */
static size_t take_first(struct json_input *in, char *to, size_t room)
{
	size_t size = in->first_size - in->first_at;

	size = size < room ? size : room;
	memcpy(to, in->first + in->first_at, size);
	in->first_at += size;
	return size;
}

static int read_again(struct json_input *in, char *to, size_t room, size_t *ret, bool *last, struct etl_error *err)
{
	size_t size = take_first(in, to, room);
	int rc = fill_plain(in, to + size, room - size, ret, last, err);

	*ret += rc ? 0 : size;
	return rc;
}

/* Only as many bytes are read as have room when they are converted. */
static int convert(struct json_input *in, char *to, size_t room, size_t *ret, bool *last, struct etl_error *err)
{
	size_t size = 0, got, most;
	int rc = ETL_OK;

	*last = false;
	while (!rc && !*last && room - size > JSON_UTF16_ROOM(1)) {
		most = (room - size - JSON_UTF16_ROOM(0)) / 3;
		rc = read_again(in, in->raw, most < RAW ? most : RAW, &got, last, err);
		if (rc)
			return rc;
		size += json_utf16_convert(&in->utf16, in->raw, got, to + size);
	}
	if (*last)
		size += json_utf16_end(&in->utf16, to + size);
	*ret = size;
	return rc;
}

static int fill(struct json_input *in, char *to, size_t room, size_t *ret, bool *last, struct etl_error *err)
{
	int rc = in->inst->converts_utf16 && !in->told ? tell_encoding(in, err) : ETL_OK;

	if (rc)
		return rc;
	return in->converts ? convert(in, to, room, ret, last, err) : read_again(in, to, room, ret, last, err);
}

/* ---- Marks -------------------------------------------------------------------------------------------------------- */

/* Is FROM in a string? Then so is TO, or not. No string has a line break in it, so that a broken one ends with its line. */
static void follow(struct json_input *in, const char *text, size_t from, size_t to)
{
	const char *newline = to > from ? memrchr(text + from, '\n', to - from) : NULL, *quote;

	if (newline) {
		from = (size_t)(newline + 1 - text);
		in->in_string = false;
		in->scan = (struct json_scan){ 0 };
	}
	while (from < to) {
		if (in->in_string) {
			from += json_scan_string(&in->scan, text + from, to - from);
			in->in_string = from == to;
			from += from < to;
			continue;
		}
		quote = memchr(text + from, '"', to - from);
		in->in_string = quote != NULL;
		from = quote ? (size_t)(quote + 1 - text) : to;
	}
}

/* The end of TEXT may be the beginning of a mark: how many bytes of it. */
static size_t begun_mark(const char *text, size_t size)
{
	size_t n = size < MARK - 1 ? size : MARK - 1;

	while (n > 0 && memcmp(text + size - n, mark_bytes, n) != 0)
		n--;
	return n;
}

/* The first thing of a file is the splitter's to pass over. */
static size_t behind_first(struct json_input *in, const char *text, size_t size)
{
	bool first = !in->begun && size >= MARK && memcmp(text, mark_bytes, MARK) == 0;

	in->begun = true;
	return first ? MARK : 0;
}

static void blank_marks(struct json_input *in, char *text, size_t size)
{
	size_t at = 0, next = behind_first(in, text, size);
	char *mark;

	while ((mark = memmem(text + next, size - next, mark_bytes, MARK)) != NULL) {
		next = (size_t)(mark - text);
		follow(in, text, at, next);
		at = next;
		next += MARK;
		if (in->in_string)
			continue;
		memset(mark, ' ', MARK);
		count(in, CHANGE_MARKS);
	}
	follow(in, text, at, size);
}

static int read_marked(struct json_input *in, char *to, size_t room, size_t *ret, bool *last, struct etl_error *err)
{
	size_t before = in->held_size, size = 0;
	int rc;

	memcpy(to, in->held, before);
	rc = fill(in, to + before, room - before, &size, last, err);
	if (rc)
		return rc;
	size += before;
	in->held_size = *last ? 0 : begun_mark(to, size);
	*ret = size - in->held_size;
	memcpy(in->held, to + *ret, in->held_size);
	blank_marks(in, to, *ret);
	return ETL_OK;
}

/* ---- Operations --------------------------------------------------------------------------------------------------- */

int json_input_open(struct etl_instance *inst, const struct files_entry *entry, struct changes *changes, struct json_input **ret,
		    struct etl_error *err)
{
	struct json_input *in = calloc(1, sizeof(*in));
	int rc;

	if (!in)
		return inst->host->fail(err, ETL_MEMORY, NULL, 0, "json: no memory to read %s", files_label(inst->files, entry));
	in->inst = inst;
	in->changes = changes;
	rc = files_input_open(inst->files, entry, &in->in, err);
	if (rc) {
		free(in);
		return rc;
	}
	*ret = in;
	return ETL_OK;
}

void json_input_close(struct json_input *in)
{
	if (!in)
		return;
	files_input_close(in->in);
	free(in->raw);
	free(in);
}

int json_input_read(struct json_input *in, char *to, size_t room, size_t *ret, bool *last, struct etl_error *err)
{
	return in->inst->skip_marks ? read_marked(in, to, room, ret, last, err) : fill(in, to, room, ret, last, err);
}

void json_input_forget(struct json_input *in)
{
	for (size_t i = 0; i < CHANGES; i++)
		in->changes->at[i] -= in->pass.at[i];
	in->pass = (struct changes){ { 0 } };
}

int json_input_rewind(struct json_input *in, struct etl_error *err)
{
	json_input_forget(in);
	in->held_size = in->first_at = in->first_size = 0;
	in->told = in->converts = in->begun = in->in_string = false;
	in->scan = (struct json_scan){ 0 };
	return files_input_rewind(in->in, err);
}

void json_input_be_quiet(struct json_input *in)
{
	files_input_be_quiet(in->in);
}

const char *json_input_damage(const struct json_input *in)
{
	return files_input_damage(in->in);
}
