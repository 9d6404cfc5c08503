/*
 * One file as a stream of bytes: opened through its backend, decompressed by what its first bytes say (never by its name), and
 * at the end checked to be still the file that was opened.
 */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend.h"
#include "decode.h"

#define RAW_ROOM 131072 /* bytes of the file that are read at once, when they are decompressed */

struct files_input {
	struct files *files;
	struct files_raw *raw;
	struct files_decoder *decoder; /* NULL: the bytes are the text */
	unsigned char *bytes;	       /* what was read and not given yet: at .. size */
	size_t at, size;
	bool ended; /* the raw end came */
	bool done;  /* it was checked */
	bool quiet;
	char damage[160]; /* a sentence without its point, or "" */
};

/* Kinds of compression that are not read here. */
static const struct {
	const char *magic;
	size_t size;
	const char *name, *command;
} others[] = {
	{ "\xfd" "7zXZ", 5, "xz", "xz -d" },
	{ "BZh", 3, "bzip2", "bzip2 -d" }, /* and a digit, and the first block's */
	{ "PK\3\4", 4, "zip", "unzip" },
	{ "\x04\x22\x4d\x18", 4, "lz4", "lz4 -d" },
};

static bool is_other(const struct files_input *in, size_t i)
{
	static const unsigned char block[] = { 0x31, 0x41, 0x59, 0x26, 0x53, 0x59 };
	bool same = in->size >= others[i].size && memcmp(in->bytes, others[i].magic, others[i].size) == 0;

	return same && (others[i].size != 3 || (in->size >= 4 + sizeof(block) && memcmp(in->bytes + 4, block, sizeof(block)) == 0));
}

static int damaged(struct files_input *in, struct etl_error *err, const char *format, ...) __attribute__((format(printf, 3, 4)));
static int damaged(struct files_input *in, struct etl_error *err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(in->damage, sizeof(in->damage), format, args);
	va_end(args);
	if (in->quiet)
		return ETL_FAILED;
	return in->files->host->fail(err, ETL_FATAL, NULL, 0, "%s: t%s", in->raw->where, in->damage + 1);
}


static int fill(struct files_input *in, struct etl_error *err)
{
	size_t n = 0;
	int rc = in->files->backend->read(in->raw, in->bytes + in->size, RAW_ROOM - in->size, &n, err);

	if (rc)
		return rc;
	in->size += n;
	in->ended = n == 0;
	return ETL_OK;
}

/* Reads the first bytes, which may come in pieces, and chooses the decoder. */
static int begin(struct files_input *in, struct etl_error *err)
{
	int rc = ETL_OK;

	in->at = in->size = 0;
	in->ended = in->done = false;
	while (!rc && in->size < FILES_MAGIC && !in->ended)
		rc = fill(in, err);
	if (rc || in->decoder)
		return rc;
	if (files_is_gzip(in->bytes, in->size))
		in->decoder = files_gzip_new();
	else if (files_is_zstd(in->bytes, in->size))
		in->decoder = files_zstd_new();
	else
		return ETL_OK;
	return in->decoder ? ETL_OK : files_no_memory(in->files, err);
}

int files_input_open(struct files *files, const struct files_entry *entry, struct files_input **ret,
		     struct etl_error *err)
{
	struct files_input *in = calloc(1, sizeof(*in));
	int rc;

	if (in)
		in->bytes = malloc(RAW_ROOM);
	if (!in || !in->bytes) {
		free(in);
		return files_no_memory(files, err);
	}
	in->files = files;
	rc = files->backend->open(files, entry, &in->raw, err);
	if (!rc)
		rc = begin(in, err);
	if (rc)
		files_input_close(in);
	else
		*ret = in;
	return rc;
}

void files_input_close(struct files_input *in)
{
	if (!in)
		return;
	if (in->decoder)
		in->decoder->free(in->decoder);
	if (in->raw)
		in->files->backend->close(in->raw);
	free(in->bytes);
	free(in);
}

static int finish(struct files_input *in, struct etl_error *err)
{
	if (in->done)
		return ETL_OK;
	in->done = true;
	if (in->decoder && !in->decoder->whole(in->decoder))
		return damaged(in, err, "The %s file ends in its middle; it was cut short, get it again", in->decoder->name);
	return in->files->backend->unchanged(in->raw, err);
}

/* What is left in the buffer, then straight into the caller's room. */
static int read_plain(struct files_input *in, void *to, size_t room, size_t *ret, struct etl_error *err)
{
	size_t left = in->size - in->at;
	int rc;

	if (left > 0) {
		*ret = left < room ? left : room;
		memcpy(to, in->bytes + in->at, *ret);
		in->at += *ret;
		return ETL_OK;
	}
	*ret = 0;
	rc = in->ended ? ETL_OK : in->files->backend->read(in->raw, to, room, ret, err);
	if (!rc && *ret == 0) {
		in->ended = true;
		rc = finish(in, err);
	}
	return rc;
}

static int read_coded(struct files_input *in, void *to, size_t room, size_t *ret, struct etl_error *err)
{
	size_t taken, made = 0;
	const char *why;
	int rc;

	for (;;) {
		if (in->at == in->size && !in->ended) {
			in->at = in->size = 0;
			rc = fill(in, err);
			if (rc)
				return rc;
		}
		/* Without new bytes too: some may wait in the decoder. */
		why = in->decoder->run(in->decoder, in->bytes + in->at, in->size - in->at, to, room,
				       &taken, &made);
		if (why)
			return damaged(in, err, "The %s file is damaged (%s); get it again", in->decoder->name, why);
		in->at += taken;
		if (made > 0)
			break;
		if (in->ended && taken == 0)
			break;
	}
	*ret = made;
	return made > 0 ? ETL_OK : finish(in, err);
}

int files_input_read(struct files_input *in, void *to, size_t room, size_t *ret, struct etl_error *err)
{
	size_t n = 0;
	int rc;

	for (size_t i = 0; !in->decoder && in->at == 0 && in->size > 0 && i < sizeof(others) / sizeof(*others); i++)
		if (is_other(in, i))
			return damaged(in, err, "The file is compressed by %s, which is not read here; decompress it first (%s)",
				       others[i].name, others[i].command);
	rc = in->decoder ? read_coded(in, to, room, &n, err) : read_plain(in, to, room, &n, err);

	if (!rc)
		*ret = n;
	return rc;
}

int files_input_rewind(struct files_input *in, struct etl_error *err)
{
	int rc = in->files->backend->seek(in->raw, 0, err);

	if (in->decoder)
		in->decoder->reset(in->decoder);
	return rc ? rc : begin(in, err);
}

void files_input_be_quiet(struct files_input *in)
{
	in->quiet = true;
}

const char *files_input_damage(const struct files_input *in)
{
	return *in->damage ? in->damage : NULL;
}

bool files_input_is_compressed(const struct files_input *in)
{
	return in->decoder != NULL;
}

bool files_input_can_seek(const struct files_input *in)
{
	return !in->decoder;
}

int files_input_seek(struct files_input *in, int64_t offset, struct etl_error *err)
{
	int rc = in->files->backend->seek(in->raw, offset, err);

	in->at = in->size = 0;
	in->ended = in->done = false;
	return rc;
}
