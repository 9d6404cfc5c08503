/*
 * Rows that the target refused in the run that is published now, from that run's rejects file: the
 * verb `validate` leaves them out on the source's side. Rows that a cast or a transform refused
 * need no list: they are refused again when the source is read again.
 */
#ifndef CORE_REFUSED_H
#define CORE_REFUSED_H

#include "run.h"

struct refused_row {
	size_t job;
	uint64_t split;
	int64_t ordinal;
};

struct refused {
	struct refused_row *at; /* sorted */
	size_t count, room;
};

/* Of the last run that published; nothing when it refused nothing. A rejects file that is not there
 * any more is a warning. */
int refused_read(const struct run *, struct refused *ret, struct etl_error *);
void refused_clear(struct refused *);
/* Whether a row was refused. */
bool refused_has(const struct refused *, size_t job, uint64_t split, int64_t ordinal);

#endif
