/*
 * gzip (RFC 1952) through zlib. Members that follow each other are one text, as gzip itself has it; zeros behind the last one
 * are what tapes and some tools leave there, and are passed over; anything else there is an error, where gzip only warns.
 */
#include "config.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define ZLIB_CONST /* what it only reads is const */
#include <zlib.h>

#include "decode.h"

#define GZIP_ONLY (MAX_WBITS + 16) /* zlib's way to say that a gzip header has to be there */

struct gzip {
	struct files_decoder decoder;
	z_stream z;
	bool within; /* a member has begun and not ended */
	bool zeros;  /* past the last member */
};

bool files_is_gzip(const unsigned char *bytes, size_t size)
{
	return size >= 3 && bytes[0] == 0x1f && bytes[1] == 0x8b && bytes[2] == 8;
}

/* Between members. *ret_taken: zeros that were passed over. */
static const char *between(struct gzip *g, const unsigned char *from, size_t size, size_t *ret_taken)
{
	size_t n = 0;

	while (n < size && from[n] == 0)
		n++;
	g->zeros = g->zeros || n > 0;
	*ret_taken = n;
	if (n == size)
		return NULL;
	if (g->zeros || from[n] != 0x1f)
		return "has bytes behind its end that are no gzip";
	g->within = true;
	return inflateReset(&g->z) == Z_OK ? NULL : "cannot be read: zlib failed";
}

static const char *run(struct files_decoder *self, const void *from, size_t size, void *to, size_t room,
		       size_t *ret_taken, size_t *ret_made)
{
	struct gzip *g = (struct gzip *)self;
	const char *why;
	int code;

	*ret_made = *ret_taken = 0;
	if (!g->within) {
		why = between(g, from, size, ret_taken);
		if (why || *ret_taken || !g->within)
			return why;
	}
	g->z.next_in = from;
	g->z.avail_in = size < INT_MAX ? (uInt)size : INT_MAX;
	g->z.next_out = to;
	g->z.avail_out = room < INT_MAX ? (uInt)room : INT_MAX;
	size = g->z.avail_in;
	room = g->z.avail_out;
	code = inflate(&g->z, Z_NO_FLUSH);
	*ret_taken = size - g->z.avail_in;
	*ret_made = room - g->z.avail_out;
	if (code == Z_STREAM_END)
		g->within = false;
	if (code == Z_OK || code == Z_STREAM_END || code == Z_BUF_ERROR)
		return NULL;
	return g->z.msg ? g->z.msg : "is damaged";
}

static bool whole(const struct files_decoder *self)
{
	return !((const struct gzip *)self)->within;
}

static void reset(struct files_decoder *self)
{
	struct gzip *g = (struct gzip *)self;

	inflateReset(&g->z);
	g->within = true;
	g->zeros = false;
}

static void gzip_free(struct files_decoder *self)
{
	inflateEnd(&((struct gzip *)self)->z);
	free(self);
}

struct files_decoder *files_gzip_new(void)
{
	struct gzip *g = calloc(1, sizeof(*g));

	if (!g)
		return NULL;
	g->decoder = (struct files_decoder){ "gzip", run, whole, reset, gzip_free };
	g->within = true;
	if (inflateInit2(&g->z, GZIP_ONLY) != Z_OK) {
		free(g);
		return NULL;
	}
	return &g->decoder;
}
