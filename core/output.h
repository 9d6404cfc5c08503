/*
 * Standard output of a verb that shows data: written in memory first, redacted (secret.h), then
 * printed at once, so that a failing verb prints nothing half and no secret is ever seen.
 */
#ifndef CORE_OUTPUT_H
#define CORE_OUTPUT_H

#include <stdio.h>

#include "error.h"

struct output {
	FILE *file; /* to print to */
	char *text;
	size_t size;
};

int output_open(struct output *, struct etl_error *);
/* Prints what was written. ETL_MEMORY: standard output cannot be written. */
int output_close(struct output *, struct etl_error *);
/* A text that is made already, redacted too: there, or into the file PATH, which is made anew. */
int output_text(const char *text, const char *path /* or NULL */, struct etl_error *);

#endif
