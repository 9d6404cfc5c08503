/*
 * What replay.c and replay-run.c share.
 */
#ifndef CORE_REPLAY_PARTS_H
#define CORE_REPLAY_PARTS_H

#include "replay.h"

/* A line of the file: where it stands, and the row's place in its split; -1: not known. */
struct replay_row {
	off_t at;
	int64_t ordinal;
};

/* The rows of one job. */
struct job_replay {
	const struct replay *replay;
	struct replay_row *rows;
	size_t count, room;
	size_t *starts; /* of the splits among the rows */
	size_t split_count;
	bool started; /* `last` is the split of the last row */
	uint64_t last;
	bool by_key;  /* read from the source; else the file has the rows */
	int64_t *key; /* columns of job->want */
	size_t key_count;
	struct ArrowSchema key_schema;
};

struct replay {
	char run[80], path[4300];
	struct job_replay *jobs;
	size_t count;
	uint64_t rows;
};

#endif
