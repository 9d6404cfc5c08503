/*
 * Compression of what is written: gzip through zlib and Zstandard through libzstd, chosen by the end of the file's name, as
 * everybody who unpacks it will. The gzip header has no time and no name in it, so equal rows give equal files.
 */
#include "config.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define ZLIB_CONST /* what it only reads is const */
#include <zlib.h>
#include <zstd.h>

#include "encode.h"

#define GZIP_ONLY  (MAX_WBITS + 16)
#define GZIP_LEVEL 6 /* gzip's own default, and zstd's */
#define ZSTD_LEVEL 3

struct gzip {
	struct files_encoder encoder;
	z_stream z;
};

static int gzip_run(struct files_encoder *self, const void *from, size_t size, bool end, void *to,
		    size_t room, size_t *ret_taken, size_t *ret_made)
{
	z_stream *z = &((struct gzip *)self)->z;
	uInt in = size < INT_MAX ? (uInt)size : INT_MAX, out = room < INT_MAX ? (uInt)room : INT_MAX;
	int code;

	z->next_in = from;
	z->avail_in = in;
	z->next_out = to;
	z->avail_out = out;
	code = deflate(z, end && in == size ? Z_FINISH : Z_NO_FLUSH);
	*ret_taken = in - z->avail_in;
	*ret_made = out - z->avail_out;
	if (code == Z_STREAM_END)
		return 1;
	return code == Z_OK || code == Z_BUF_ERROR ? 0 : -1;
}

static void gzip_free(struct files_encoder *self)
{
	deflateEnd(&((struct gzip *)self)->z);
	free(self);
}

static struct files_encoder *gzip_new(void)
{
	struct gzip *g = calloc(1, sizeof(*g));

	if (!g)
		return NULL;
	g->encoder = (struct files_encoder){ gzip_run, gzip_free };
	if (deflateInit2(&g->z, GZIP_LEVEL, Z_DEFLATED, GZIP_ONLY, MAX_MEM_LEVEL - 1,
			 Z_DEFAULT_STRATEGY) == Z_OK)
		return &g->encoder;
	free(g);
	return NULL;
}

struct zstd {
	struct files_encoder encoder;
	ZSTD_CCtx *context;
};

static int zstd_run(struct files_encoder *self, const void *from, size_t size, bool end, void *to,
		    size_t room, size_t *ret_taken, size_t *ret_made)
{
	ZSTD_CCtx *context = ((struct zstd *)self)->context;
	ZSTD_inBuffer in = { from, size, 0 };
	ZSTD_outBuffer out = { to, room, 0 };
	size_t left = ZSTD_compressStream2(context, &out, &in, end ? ZSTD_e_end : ZSTD_e_continue);

	*ret_taken = in.pos;
	*ret_made = out.pos;
	if (ZSTD_isError(left))
		return -1;
	return end && left == 0;
}

static void zstd_free(struct files_encoder *self)
{
	ZSTD_freeCCtx(((struct zstd *)self)->context);
	free(self);
}

static struct files_encoder *zstd_new(void)
{
	struct zstd *z = calloc(1, sizeof(*z));

	if (!z)
		return NULL;
	z->encoder = (struct files_encoder){ zstd_run, zstd_free };
	z->context = ZSTD_createCCtx();
	if (z->context &&
	    !ZSTD_isError(ZSTD_CCtx_setParameter(z->context, ZSTD_c_compressionLevel, ZSTD_LEVEL)) &&
	    !ZSTD_isError(ZSTD_CCtx_setParameter(z->context, ZSTD_c_checksumFlag, 1)))
		return &z->encoder;
	zstd_free(&z->encoder);
	return NULL;
}

static bool ends_in(const char *name, const char *end)
{
	size_t length = strlen(name), size = strlen(end);

	return length > size && strcmp(name + length - size, end) == 0;
}

bool files_encoder_new(const char *name, struct files_encoder **ret)
{
	*ret = NULL;
	if (ends_in(name, ".gz"))
		*ret = gzip_new();
	else if (ends_in(name, ".zst"))
		*ret = zstd_new();
	else
		return true;
	return *ret != NULL;
}
