/*
 * One file as a stream of bytes: opened through its backend, decompressed by what its first bytes say (never by its name), and
 * at the end checked to be still the file that was opened.
 */
#include "config.h"

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
	bool damaged, quiet;
};

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
	in->damaged = in->decoder && !in->decoder->whole(in->decoder);
	if (in->damaged && in->quiet)
		return ETL_FAILED;
	if (in->damaged)
		return in->files->host->fail(err, ETL_FATAL, NULL, 0,
					     "%s: the %s file ends in its middle; it was cut short, get it again",
					     in->raw->where, in->decoder->name);
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
		in->damaged = why;
		if (why && in->quiet)
			return ETL_FAILED;
		if (why)
			return in->files->host->fail(err, ETL_FATAL, NULL, 0,
						     "%s: the %s file is damaged (%s); get it again",
						     in->raw->where, in->decoder->name, why);
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
	int rc = in->decoder ? read_coded(in, to, room, &n, err) : read_plain(in, to, room, &n, err);

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

bool files_input_is_damaged(const struct files_input *in)
{
	return in->damaged;
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
