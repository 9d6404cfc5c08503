/*
 * A line of a log file, read again: JSON or text, as log.c wrote it, whichever of the two it is. The file may have been
 * written in turn by pipelines of either form.
 */
#ifndef CORE_LOG_LINE_H
#define CORE_LOG_LINE_H

#include <stdio.h>

#include <etlrun/helpers.h>

struct log_seen {
	struct etl_text time, run, who, message; /* without memory or when there is none: empty */
	int32_t level;				 /* enum etl_log_level */
};

/* Level of a name, "warn" too; -1: it is none. */
int32_t log_level_of(const char *name);
/* Into a SEEN that was zero or used before. A text line names no run: what it had stays, until a line says that another
 * run began. A line in neither form is a message alone. False: no memory. */
bool log_line_read(struct log_seen *, const char *line, size_t size);
void log_line_clear(struct log_seen *);
/* Whether the line names the table: the word, as it is spelt. */
bool log_line_names(const struct log_seen *, const char *table);
/* The line and its end. */
void log_line_add(const struct log_seen *, bool json, struct etl_text *);

#endif
