/*
 * `schema_file` of a target: DDL that somebody wrote. Functions here hold nothing, and may be called by any thread.
 */
#ifndef LIB_SCHEMA_FILE_H
#define LIB_SCHEMA_FILE_H

#include <etlrun/helpers.h>

/* The file's text, for the caller to free. ETL_USAGE: it cannot be read, is larger than anybody writes, or no text. */
int etl_schema_file_read(const struct etl_host *, const char *path, char **ret, struct etl_error *);

#endif
