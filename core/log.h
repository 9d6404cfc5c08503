/*
 * What the program says while it works: lines on standard error, and in the log file as text or
 * JSON lines. Every line is redacted (secret.h). Thread-safe. Standard output is for data only.
 */
#ifndef CORE_LOG_H
#define CORE_LOG_H

#include "error.h"

struct log_options {
	const char *file;     /* or NULL */
	bool json;	      /* the format of the file */
	bool screen_json;     /* … and on standard error */
	int32_t level;	      /* enum etl_log_level: the least that is written to the file */
	int32_t screen_level; /* likewise to standard error: -q error, default info, -v debug */
	const char *run;      /* the run's id for JSON lines, or NULL */
};

/* May be called again (the verb knows its options before the pipeline's). ETL_MEMORY (exit 10): the
 * log file cannot be written. */
int log_open(const struct log_options *, struct etl_error *);
/* The run whose lines follow, for JSON lines; NULL: none. */
void log_run(const char *id);
void log_close(void);
/* ETL_MEMORY (exit 10) when lines are missing in the log file: a full disk does not end a run, but
 * it is said at its end. */
int log_lost(struct etl_error *);
void log_line(int32_t level, const char *format, ...) ETL_PRINTF(2, 3);
/* At level info to the log file, and to the screen where it is JSON: what the report shows to
 * people anyway. */
void log_note(const char *format, ...) ETL_PRINTF(1, 2);
/* Lines on standard error are JSON: no table and no bar among them. */
bool log_json(void);
void log_linev(int32_t level, const char *who, const char *format, va_list) ETL_PRINTF(3, 0);
/* The error as its sentence: where, what, the server's own words, SQLSTATE. */
void log_error(const struct etl_error *);
/* Takes the screen for a bar: called with 1 before and 0 after writing lines, so bars are
 * redrawn. */
void log_on_screen(void (*around)(int before));
/* True when standard error is a terminal for people: NO_COLOR is unset, and lines are not JSON. */
bool log_has_terminal(void);

#endif
