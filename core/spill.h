/*
 * What does not fit into memory waits in a file that has no name.
 */
#ifndef CORE_SPILL_H
#define CORE_SPILL_H

#include "error.h"

/* A file that is gone when it is closed, in $TMPDIR or /tmp. WHAT is kept there, for the message: "differences". -1 with the
 * error set. */
int spill_file(const char *what, struct etl_error *);
/* SIZE bytes at the place AT. */
int spill_write(int fd, const char *what, const void *bytes, size_t size, uint64_t at, struct etl_error *);
int spill_read(int fd, const char *what, void *bytes, size_t size, uint64_t at, struct etl_error *);

#endif
