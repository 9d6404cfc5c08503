/*
 * The pipeline file as text, before libconfig sees it: every @include filled in, with a map that
 * says which line came from which file, and everything found that libconfig 1.5 would pass over in
 * silence (a number that wraps, a NUL byte, a comment without an end, an unknown escape) or would
 * only call a syntax error.
 */
#ifndef CORE_SCAN_H
#define CORE_SCAN_H

#include "error.h"

enum { SCAN_FILE_LIMIT = 1 << 20 /* bytes of one file, and of all together */ };

struct scan;

/* Reads PATH and what it includes; an include is relative to PATH's folder. ETL_USAGE
 * with "FILE:LINE: what; what to do". */
int scan_file(const char *path, struct scan **ret, struct etl_error *);
/* The same for a text that is in no file; NAME stands for it in messages. It may include
 * nothing. */
int scan_memory(const char *text, size_t length, const char *name, struct scan **ret,
		struct etl_error *);
void scan_free(struct scan *);

/* The whole text; for libconfig. */
const char *scan_text(const struct scan *);
/* Where a line of the whole text, from 1, stands. The name is the scan's. */
void scan_place(const struct scan *, unsigned line, const char **ret_file, unsigned *ret_line);
/* Describes what libconfig itself did not like in that line of the whole text. */
int scan_syntax_error(const struct scan *, unsigned line, const char *text, struct etl_error *);

#endif
