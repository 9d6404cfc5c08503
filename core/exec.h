/*
 * Runs a command and keeps what it says: `${exec:…}`. No shell, no input, a limit of time and size.
 */
#ifndef CORE_EXEC_H
#define CORE_EXEC_H

#include <stddef.h>

#include "error.h"

#define EXEC_LIMIT_MS	30000
#define EXEC_OUTPUT_MAX (1 << 20) /* bytes of standard output */

/* Runs ARGV (found on PATH, or relative to FOLDER when it has a slash) in FOLDER (NULL: here) and
 * returns its output, NUL-terminated, for the caller to free. A command that cannot be started,
 * ends with another status than 0, says more than the limit or runs longer than LIMIT_MS fails with
 * ETL_USAGE; the message begins with ORIGIN and ends with the last line of its standard error. */
int exec_capture(char *const *argv, const char *folder, const char *origin, int64_t limit_ms,
		 char **ret, size_t *ret_size, struct etl_error *);

#endif
