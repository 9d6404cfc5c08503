/*
 * Compression as a stream, the inverse of decode.h. encode.c.
 */
#ifndef FILES_ENCODE_H
#define FILES_ENCODE_H

#include <stdbool.h>
#include <stddef.h>

struct files_encoder {
	/*
	 * Takes some of the SIZE bytes at FROM (*ret_taken) and writes at most ROOM to TO (*ret_made). END: nothing follows. 0: call
	 * again; 1, with END only: the member is whole; -1: no memory.
	 */
	int (*run)(struct files_encoder *self, const void *from, size_t size, bool end, void *to, size_t room,
		   size_t *ret_taken, size_t *ret_made);
	void (*free)(struct files_encoder *self);
};

/* By the end of NAME: *ret is NULL for a name that asks for none. False: no memory. */
bool files_encoder_new(const char *name, struct files_encoder **ret);

#endif
