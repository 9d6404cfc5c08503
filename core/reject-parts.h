/*
 * What the files of reject… share: the rejects of a run, where their lines wait, and how a line is written.
 */
#ifndef CORE_REJECT_PARTS_H
#define CORE_REJECT_PARTS_H

#include <stdio.h>

#include <sqlite3.h>

#include "reject.h"

/* A spool that is being written: of one split, until it is settled. */
struct spool_file {
	size_t job;
	uint64_t split;
	FILE *file;
	struct spool_file *next;
};

/* How many rows of a job fell for one reason. */
struct reject_sum {
	size_t job;
	char code[32];
	uint64_t rows;
};

struct rejects {
	const struct pipeline *pipeline;
	char *run, *path, *spool;
	pthread_mutex_t mutex;
	uint64_t count;
	bool spooled; /* the folder is there */
	bool joined;
	bool kept; /* the folder outlives the process */
	struct spool_file *open;
	sqlite3 *screened; /* reject-screen.c's, or NULL: nothing was screened */
	sqlite3_stmt *screened_put; /* … puts one row */
	struct reject_sum *sums;
	size_t sum_count;
};

#define ORDINAL_UNKNOWN (-1)
#define SPLIT_UNKNOWN	UINT64_MAX

/* One row more. Under the mutex. False: no memory. */
bool reject_count(struct rejects *, size_t job, const char *code, size_t length);
/* One less. */
void reject_uncount(struct rejects *, size_t job, const char *code, size_t length);
/* Forgets one hash that job_refuse remembered. */
void job_take(struct job *, uint64_t hash);

/* ---- reject-line.c ---- */

/* {"run":…,"table":…,"split":N,"ordinal":N; both are null for ORDINAL_UNKNOWN. */
void reject_head(const struct rejects *, const struct job *, uint64_t split, int64_t ordinal,
		 struct etl_text *line);
/* ,"key":…,"column":…,"code":…,"reason":…,"row":…} and the line's end. VIEW: of the batch, or NULL. Known
 * secrets are masked, and then it says so: "masked":true. */
void reject_tail(const struct etl_context *, const struct etl_reject *, const struct etl_view *,
		 const char *key, struct etl_text *line);
/* A row without a key is named by its first values: " (the row: a=1, b='x', …)". */
void reject_values(const struct etl_reject *, const struct etl_view *, struct etl_text *);

/* ---- reject-spool.c ---- */

/* One line into the spool of its split. HASH: of a row that the target refused, or NULL. Under the mutex. */
int spool_add(struct rejects *, size_t job, uint64_t split, int64_t ordinal, const uint64_t *hash,
	      const struct etl_text *line, struct etl_error *);
/* Closes every spool and brings it to the disk. */
int spool_settle(struct rejects *, struct etl_error *);
/* Closes every spool and, unless they are kept, removes the folder. */
void spool_close(struct rejects *);
/* Puts (split, ordinal, hash) of every row of a job that the target refused into a statement. */
int spool_gone(struct rejects *, const struct job *, sqlite3_stmt *, struct etl_error *);

/* ---- reject-screen.c ---- */

/* A row that was screened: its place in the source is looked for later, by HASH or else by the hash of its key. Under the
 * mutex. */
int screened_add(struct rejects *, const struct job *, uint64_t hash, uint64_t key, const struct etl_text *tail,
		 struct etl_error *);
/* Spools what was not placed, because the run failed before, without places. */
int screened_flush(struct rejects *, const struct jobs *, struct etl_error *);
void screened_close(struct rejects *);
/* How many there are, and back to so many. */
int screened_last(struct rejects *, int64_t *ret, struct etl_error *);
int screened_cut(struct rejects *, int64_t last, struct etl_error *);

#endif
