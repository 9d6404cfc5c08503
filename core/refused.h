/*
 * Rows that the target refused in the run that is published now, from that run's rejects file: the
 * verb `validate` leaves them out on the source's side. Rows that a cast or a transform refused
 * need no list: they are refused again when the source is read again. They are known by their places, and those that have a
 * key by that too: a source that changes gives its rows in other places.
 */
#ifndef CORE_REFUSED_H
#define CORE_REFUSED_H

#include "run.h"

struct refused_row {
	size_t job;
	uint64_t split;
	int64_t ordinal;
	uint64_t key; /* refused_key_of it; 0: the row has none */
};

struct refused {
	struct refused_row *at; /* sorted by place */
	struct refused_row *by_key; /* the same, sorted by key */
	size_t count, room;
};

/* Of the last run that published; nothing when it refused nothing. A rejects file that is not there
 * any more is a warning. */
int refused_read(const struct run *, struct refused *ret, struct etl_error *);
void refused_clear(struct refused *);
/* Whether a row was refused. */
bool refused_has(const struct refused *, size_t job, uint64_t split, int64_t ordinal);
/* Whether any row of the job was. */
bool refused_any(const struct refused *, size_t job);
/* … by its key, as refused_key_of has it. */
bool refused_has_key(const struct refused *, size_t job, uint64_t key);
/* Of a key as a line of the rejects file has it, between its quotes. Never 0. */
uint64_t refused_key_of(const char *text, size_t length);

#endif
