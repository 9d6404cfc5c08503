/*
 * What a text of the pipeline file takes from outside: ${env:NAME}, ${env:NAME:-default},
 * ${file:PATH}, ${exec:COMMAND "ARG" …}; $${ is a literal ${.
 */
#ifndef CORE_INTERPOLATE_H
#define CORE_INTERPOLATE_H

#include <stdbool.h>

#include "error.h"

/* Fills in TEXT; *ret is for the caller to free. Paths and commands are relative to FOLDER. What
 * comes from a file or a command is registered as a secret, what comes from the environment when
 * SECRET is true. What was filled in is not looked at again. ETL_USAGE with ORIGIN ("shop.cfg:4")
 * in front for what is wrong. */
int interpolate(const char *text, const char *folder, const char *origin, bool secret, char **ret,
		struct etl_error *);
/* How long a command may run; EXEC_LIMIT_MS unless set. Before the first interpolate. */
void interpolate_set_limit(int64_t milliseconds);

#endif
