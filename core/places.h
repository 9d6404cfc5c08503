/*
 * Whether what a run writes at its end can be written: asked before it begins, so that a night's
 * work does not end with a folder that is not there.
 */
#ifndef CORE_PLACES_H
#define CORE_PLACES_H

#include "error.h"

/* ETL_MEMORY (exit 10) when the folder of PATH is not there or nothing can be made in it. WHAT is what
 * the file is, KEY where it is set; PATH NULL: nothing to ask. */
int place_writable(const char *what, const char *path, const char *key, struct etl_error *);

#endif
