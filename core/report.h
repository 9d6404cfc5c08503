/*
 * What a run did, for the final table on standard error and for --summary. Filled by run.c.
 */
#ifndef CORE_REPORT_H
#define CORE_REPORT_H

#include "carried.h"
#include "conflict-counts.h"
#include "error.h"
#include "noted.h"
#include "remark.h"

enum report_phase { REPORT_BEFORE, REPORT_DATA, REPORT_AFTER };

/* One validator's verdict on one table. */
struct report_check {
	char *validator;   /* its plugin's name */
	char *extent;	   /* "counts", "full", "sample 10 %" */
	int32_t severity;  /* enum etl_severity: the worst finding's */
	uint64_t findings; /* with ETL_WARN or ETL_FAIL */
	char *message;	   /* the first of them, or NULL */
};

/* A transform, the cast, or a validator that looks at rows: in + created = out + filtered + merged + rejected. */
struct report_stage {
	char *name;
	uint64_t in, created, out, filtered, merged, rejected;
};

/* Rows that were rejected for one reason. */
struct report_reject {
	char *code;
	uint64_t rows;
};

/* One line: a table, or a step before or after the data. */
struct report_line {
	enum report_phase phase;
	char *name;	   /* the table as it is called in the target, or what was done */
	char *source_name; /* as it is called in the source, or NULL */
	bool is_table, published;
	bool compared; /* by `validate`: read, but nothing was to be loaded */
	bool merges;   /* into a table that may have been there: append, merge */
	uint64_t read, filtered, created, merged, rejected;
	uint64_t loaded;    /* staged */
	uint64_t in_target; /* rows in the table after the run; UINT64_MAX: not known */
	uint64_t inserted, updated, unchanged, deleted;
	uint64_t bytes;
	double seconds;
	struct report_check *checks;
	size_t check_count;
	struct report_stage *stages;
	size_t stage_count;
	struct report_reject *rejects;
	size_t reject_count;
	bool knows_conflicts; /* else nothing is kept to see them by */
	struct conflict_counts conflicts;
	struct carried carried;
	struct noted noted;
};

struct report {
	char *run, *pipeline, *verb;
	int exit;	  /* the exit code */
	char *error;	  /* the root cause, or NULL */
	bool rolled_back; /* nothing was published */
	struct report_line *lines;
	size_t line_count, line_room;
	double seconds;				      /* from start to end */
	uint64_t peak_bytes;			      /* of memory, VmHWM */
	uint64_t retries;			      /* how often anything was tried again */
	uint64_t batches, batch_rows;		      /* with commit_every: that stand, and what was written in them */
	struct remarks remarks;
	char *rejects_file, *log_file, *next_command; /* or NULL */
};

/* A new line; the pointer is valid until the next. NULL: no memory. */
struct report_line *report_add(struct report *, enum report_phase, const char *name);
/* Names are copied. False: no memory. */
bool report_add_stage(struct report_line *, const char *name, struct report_stage);
bool report_add_reject(struct report_line *, const char *code, uint64_t rows);
/* The table on standard error. */
void report_print(const struct report *);
/* The same as lines of the log, for its file, and for a screen that takes JSON. */
void report_log(const struct report *);
/* --summary: JSON or CSV by the file's ending; ETL_MEMORY when it cannot be written. */
int report_write(const struct report *, const char *path, struct etl_error *);
void report_free(struct report *);

#endif
