/*
 * Zstandard (RFC 8878) through libzstd. Frames that follow each other are one text, and skippable ones are skipped.
 */
#include "config.h"

#include <stdlib.h>

#include <zstd.h>

#include "decode.h"

struct zstd {
	struct files_decoder decoder;
	ZSTD_DStream *stream;
	bool within; /* a frame has begun and not ended */
};

bool files_is_zstd(const unsigned char *bytes, size_t size)
{
	if (size < 4)
		return false;
	if (bytes[0] == 0x28 && bytes[1] == 0xb5 && bytes[2] == 0x2f && bytes[3] == 0xfd)
		return true;
	return (bytes[0] & 0xf0) == 0x50 && bytes[1] == 0x2a && bytes[2] == 0x4d && bytes[3] == 0x18;
}

static const char *run(struct files_decoder *self, const void *from, size_t size, void *to, size_t room,
		       size_t *ret_taken, size_t *ret_made)
{
	struct zstd *z = (struct zstd *)self;
	ZSTD_inBuffer in = { from, size, 0 };
	ZSTD_outBuffer out = { to, room, 0 };
	size_t left = ZSTD_decompressStream(z->stream, &out, &in);

	*ret_taken = in.pos;
	*ret_made = out.pos;
	if (ZSTD_isError(left))
		return ZSTD_getErrorName(left);
	/* Between frames it says how much it would like to have. */
	if (in.pos > 0 || out.pos > 0 || left == 0)
		z->within = left != 0;
	return NULL;
}

static bool whole(const struct files_decoder *self)
{
	return !((const struct zstd *)self)->within;
}

static void reset(struct files_decoder *self)
{
	struct zstd *z = (struct zstd *)self;

	ZSTD_DCtx_reset(z->stream, ZSTD_reset_session_only);
	z->within = true;
}

static void zstd_free(struct files_decoder *self)
{
	ZSTD_freeDStream(((struct zstd *)self)->stream);
	free(self);
}

struct files_decoder *files_zstd_new(void)
{
	struct zstd *z = calloc(1, sizeof(*z));

	if (!z)
		return NULL;
	z->decoder = (struct files_decoder){ "Zstandard", run, whole, reset, zstd_free };
	z->within = true;
	z->stream = ZSTD_createDStream();
	if (!z->stream) {
		free(z);
		return NULL;
	}
	return &z->decoder;
}
