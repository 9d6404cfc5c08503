/*
 * One file as UTF-8: its byte order mark taken off, another encoding converted by the C library. A character that the encoding
 * does not have spoils the row it is in, and not the file: it becomes a byte that no UTF-8 has, and the row is refused for it.
 */
#include "config.h"

#include <errno.h>
#include <iconv.h>
#include <stdlib.h>
#include <string.h>

#include "csv.h"

#define RAW_ROOM 65536
#define MARK	 4 /* bytes that are looked at for a mark */
#define LONGEST	 4 /* bytes of a character in UTF-8 */

struct csv_text {
	struct csv_bytes bytes; /* first: what the scan hands back */
	struct etl_instance *inst;
	const char *label;
	struct files_input *in;
	struct etl_error *err;
	iconv_t iconv; /* (iconv_t)-1: the bytes are UTF-8 */
	size_t unit;   /* bytes that a code unit of the encoding has */
	char *raw;
	size_t raw_at, raw_size;
	bool raw_ended;
	char over[LONGEST]; /* of a character that is longer than the room was: what is not given yet */
	size_t over_at, over_size;
	char first[MARK]; /* what was read to look for a mark, and not given yet */
	size_t first_at, first_size;
	uint64_t start;
};

static iconv_t no_iconv(void)
{
	return (iconv_t)-1;
}

/* ---- Conversion ---------------------------------------------------------------------------------------------------- */

static int fill_raw(struct csv_text *t)
{
	size_t n = 0;
	int rc;

	memmove(t->raw, t->raw + t->raw_at, t->raw_size - t->raw_at);
	t->raw_size -= t->raw_at;
	t->raw_at = 0;
	rc = files_input_read(t->in, t->raw + t->raw_size, RAW_ROOM - t->raw_size, &n, t->err);
	if (rc)
		return rc;
	t->raw_size += n;
	t->raw_ended = n == 0;
	return ETL_OK;
}

/* Passes over a unit that means nothing, or what is left of one at the end. */
static void spoil(struct csv_text *t, char **to, size_t *room)
{
	size_t left = t->raw_size - t->raw_at;

	t->raw_at += left < t->unit ? left : t->unit;
	*(*to)++ = (char)0xff;
	(*room)--;
}

static size_t give_over(struct csv_text *t, char *to, size_t room)
{
	size_t n = t->over_size - t->over_at;

	if (n > room)
		n = room;
	memcpy(to, t->over + t->over_at, n);
	t->over_at += n;
	return n;
}

/* The next character does not go into ROOM: it is given in parts, for nothing at all would be the end. */
static size_t divide(struct csv_text *t, char *to, size_t room)
{
	char *from = t->raw + t->raw_at, *out = t->over;
	size_t left = t->raw_size - t->raw_at, over = sizeof(t->over);

	iconv(t->iconv, &from, &left, &out, &over);
	t->raw_at = (size_t)(from - t->raw);
	t->over_at = 0;
	t->over_size = (size_t)(out - t->over);
	return give_over(t, to, room);
}

static int convert(struct csv_text *t, char *to, size_t room, size_t *ret)
{
	char *out = to + give_over(t, to, room);
	int rc = ETL_OK;

	while (!rc && out == to) {
		char *from = t->raw + t->raw_at;
		size_t left = t->raw_size - t->raw_at, code;

		if (left == 0 && t->raw_ended)
			break;
		code = left ? iconv(t->iconv, &from, &left, &out, &room) : 0;
		t->raw_at = (size_t)(from - t->raw);
		if (code == (size_t)-1 && errno == E2BIG) {
			if (out == to)
				out += divide(t, to, room);
			break;
		}
		if (code == (size_t)-1 && room > 0 && (errno == EILSEQ || (errno == EINVAL && t->raw_ended)))
			spoil(t, &out, &room);
		else if (!t->raw_ended)
			rc = fill_raw(t);
	}
	*ret = (size_t)(out - to);
	return rc;
}

static int pull(struct csv_text *t, char *to, size_t room, size_t *ret)
{
	return t->iconv == no_iconv() ? files_input_read(t->in, to, room, ret, t->err) : convert(t, to, room, ret);
}

/* ---- The mark -------------------------------------------------------------------------------------------------------- */

static int refuse_utf16(struct csv_text *t)
{
	return t->inst->host->fail(t->err, ETL_FATAL, NULL, 0,
				   "%s begins with the mark of UTF-16, and encoding is utf-8; write encoding = \"utf-16\"",
				   t->label);
}

static int look_for_mark(struct csv_text *t)
{
	size_t n = 1;
	int rc = ETL_OK;

	t->first_at = t->first_size = 0;
	while (!rc && n > 0 && t->first_size < MARK) {
		n = 0;
		rc = pull(t, t->first + t->first_size, MARK - t->first_size, &n);
		t->first_size += n;
	}
	if (rc)
		return rc;
	if (t->first_size >= 3 && memcmp(t->first, "\xef\xbb\xbf", 3) == 0)
		t->first_at = 3;
	else if (t->iconv == no_iconv() && t->first_size >= 2 &&
		 (memcmp(t->first, "\xff\xfe", 2) == 0 || memcmp(t->first, "\xfe\xff", 2) == 0))
		return refuse_utf16(t);
	t->start = t->first_at;
	return ETL_OK;
}

/* ---- Reading ----------------------------------------------------------------------------------------------------------- */

static int text_read(struct csv_bytes *self, char *to, size_t room, size_t *ret)
{
	struct csv_text *t = (struct csv_text *)(void *)self;
	size_t n = t->first_size - t->first_at;

	if (n == 0)
		return pull(t, to, room, ret);
	if (n > room)
		n = room;
	memcpy(to, t->first + t->first_at, n);
	t->first_at += n;
	*ret = n;
	return ETL_OK;
}

static int skip(struct csv_text *t, uint64_t offset)
{
	char nothing[4096];
	size_t n = 1;
	int rc = ETL_OK;

	while (!rc && offset > 0 && n > 0) {
		n = 0;
		rc = pull(t, nothing, offset < sizeof(nothing) ? (size_t)offset : sizeof(nothing), &n);
		offset -= n;
	}
	return rc;
}

static int text_seek(struct csv_bytes *self, uint64_t offset)
{
	struct csv_text *t = (struct csv_text *)(void *)self;
	int rc;

	t->first_at = t->first_size = t->raw_at = t->raw_size = t->over_at = t->over_size = 0;
	t->raw_ended = false;
	if (t->iconv == no_iconv() && files_input_can_seek(t->in))
		return files_input_seek(t->in, (int64_t)offset, t->err);
	if (t->iconv != no_iconv())
		iconv(t->iconv, NULL, NULL, NULL, NULL);
	rc = files_input_rewind(t->in, t->err);
	return rc ? rc : skip(t, offset);
}

/* ---- Opening ------------------------------------------------------------------------------------------------------------- */

static int open_iconv(struct csv_text *t, const struct csv_format *format)
{
	if (!format->encoding)
		return ETL_OK;
	t->unit = strncmp(format->encoding, "UTF-16", 6) == 0 ? 2 : 1;
	t->iconv = iconv_open("UTF-8", format->encoding);
	t->raw = malloc(RAW_ROOM);
	if (t->iconv == no_iconv())
		return t->inst->host->fail(t->err, ETL_FATAL, NULL, errno,
					   "csv: this machine's C library cannot convert %s (%s)", format->encoding_word,
					   strerror(errno));
	if (!t->raw)
		return t->inst->host->fail(t->err, ETL_MEMORY, NULL, 0, "csv: no memory to read %s", t->label);
	return ETL_OK;
}

int csv_text_open(struct etl_instance *inst, const struct csv_format *format, const struct files_entry *entry,
		  struct csv_text **ret, struct etl_error *err)
{
	struct csv_text *t = calloc(1, sizeof(*t));
	int rc;

	if (!t)
		return inst->host->fail(err, ETL_MEMORY, NULL, 0, "csv: no memory to read");
	t->bytes = (struct csv_bytes){ text_read, text_seek };
	t->inst = inst;
	t->label = files_label(inst->files, entry);
	t->err = err;
	t->iconv = no_iconv();
	rc = open_iconv(t, format);
	if (!rc)
		rc = files_input_open(inst->files, entry, &t->in, err);
	if (!rc)
		rc = look_for_mark(t);
	if (rc)
		csv_text_close(t);
	else
		*ret = t;
	return rc;
}

void csv_text_close(struct csv_text *t)
{
	if (!t)
		return;
	files_input_close(t->in);
	if (t->iconv != no_iconv())
		iconv_close(t->iconv);
	free(t->raw);
	free(t);
}

struct csv_bytes *csv_text_bytes(struct csv_text *t)
{
	return &t->bytes;
}

uint64_t csv_text_start(const struct csv_text *t)
{
	return t->start;
}
