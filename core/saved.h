/*
 * The differences that `diff --save` wrote down, for `run --from`: a file of JSON lines. The first says of which pipeline
 * they are, the last how many there are; each other has a table, a kind, the key for people, and the key's hash, by which a
 * sync finds the row again.
 */
#ifndef CORE_SAVED_H
#define CORE_SAVED_H

#include "diff.h"

/* ETL_USAGE: what differs in such a pipeline cannot be written row by row. */
int saved_check(const struct pipeline *, const char *option, struct etl_error *);
/* All differences of COUNT tables, which can be walked through again. */
int saved_write(struct run *, struct diff *, size_t count, const char *path, struct etl_error *);
/* Of a run whose jobs are made: nothing is written by it but rows that are in the file, and gone ones of them deleted.
 * ETL_USAGE: the file is of another pipeline; ETL_DATA: it is none, or not whole. */
int saved_take(struct run *, const char *path, struct etl_error *);

#endif
