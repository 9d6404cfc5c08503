/*
 * Decompression as a stream: bytes in, bytes out, as many as there are and fit. gzip.c and zstd.c.
 */
#ifndef FILES_DECODE_H
#define FILES_DECODE_H

#include <stdbool.h>
#include <stddef.h>

/* A decoder's own struct begins with it. */
struct files_decoder {
	const char *name; /* "gzip", for messages */
	/*
	 * Takes some of the SIZE bytes at FROM (*ret_taken) and writes at most ROOM to TO (*ret_made). NULL, or what is wrong
	 * with the bytes, a part of a sentence that lives as long as the decoder.
	 */
	const char *(*run)(struct files_decoder *self, const void *from, size_t size, void *to, size_t room,
			   size_t *ret_taken, size_t *ret_made);
	/* All that was taken makes whole members: the file may end here. */
	bool (*whole)(const struct files_decoder *self);
	void (*reset)(struct files_decoder *self);
	void (*free)(struct files_decoder *self);
};

#define FILES_MAGIC 10 /* bytes by which a kind of compression is told */

/* NULL: no memory. */
struct files_decoder *files_gzip_new(void);
struct files_decoder *files_zstd_new(void);
bool files_is_gzip(const unsigned char *bytes, size_t size);
bool files_is_zstd(const unsigned char *bytes, size_t size);

#endif
