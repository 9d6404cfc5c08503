/*
 * A rejects file, read line by line: what `rejects list` shows and `rejects replay` tries again.
 */
#ifndef CORE_REJECT_FILE_H
#define CORE_REJECT_FILE_H

#include <stdio.h>

#include <etlrun/helpers.h>

#include "error.h"

/* One line. Texts are empty where the file says null (`at` is NULL then). */
struct reject_line {
	struct etl_text run, table, key, column, code, reason;
	bool placed; /* split and ordinal are known */
	uint64_t split;
	int64_t ordinal;
	const char *row; /* as JSON, of this many bytes; in the reader's buffer */
	size_t row_length;
	bool masked; /* a secret in it was masked: it is not the whole row */
};

struct reject_reader;

/* Reads the lines of one run. ETL_MEMORY: it cannot be opened. */
int reject_reader_open(const char *path, const char *run, struct reject_reader **ret,
		       struct etl_error *);
/* 1: the next line, valid until the next call, and where it stands; 0: the end; negative: failed, with
 * ETL_DATA for a line that etlrun did not write. */
int reject_reader_next(struct reject_reader *, const struct reject_line **ret, off_t *ret_at,
		       struct etl_error *);
/* The line at that place again. */
int reject_reader_at(struct reject_reader *, off_t at, const struct reject_line **ret,
		     struct etl_error *);
/* The line as it stands in the file, with its end. */
const char *reject_reader_text(const struct reject_reader *);
void reject_reader_close(struct reject_reader *);

#endif
