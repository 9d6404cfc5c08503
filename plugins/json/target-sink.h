/* The bytes of one file that is written. target-sink.c. */
#ifndef JSON_TARGET_SINK_H
#define JSON_TARGET_SINK_H

#include "json.h"

struct json_sink {
	struct etl_error *err;
	struct files_output *output;
	int64_t indent;         /* spaces for each level; 0: nothing is set out */
	size_t level;
	bool string, escaped;   /* the next byte is in a string; behind a backslash */
	bool opened;            /* the last was { or [ */
	size_t used;
	char buffer[65536];
};

int json_sink_open(struct json_sink *, struct etl_instance *, const char *name, const char *run, int64_t indent,
		   struct etl_error *);
/* JSON without white space between its parts, in pieces of any size. */
int json_sink_put(struct json_sink *, const char *text, size_t size);
/* A new line where nothing is set out: between records. */
int json_sink_break(struct json_sink *);
/* LAST_LINE: it ends in a new line. */
int json_sink_finish(struct json_sink *, bool last_line);
void json_sink_give_up(struct json_sink *);

#endif
