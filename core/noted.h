/*
 * Values that were changed on their way by a policy of the pipeline (etl_host.noted), counted by a code. A list is small: a
 * plugin has a few policies. It is kept with each split that is loaded, so that a run that goes on counts them all.
 */
#ifndef CORE_NOTED_H
#define CORE_NOTED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NOTED_CODES 32	/* of a table; more of them count as the last */
#define NOTED_CODE  48	/* bytes, with the NUL */
#define NOTED_TEXT  112 /* likewise */

struct note {
	char code[NOTED_CODE], text[NOTED_TEXT];
	uint64_t count;
};

/* Zero-initialised it is empty. */
struct noted {
	struct note *at;
	size_t count;
	bool failed; /* no memory: what it says is not all */
};

void noted_add(struct noted *, const char *code, const char *text, uint64_t count);
void noted_add_all(struct noted *, const struct noted *more);
void noted_clear(struct noted *);

/* As numbers, for the journal: how many there are, and into AT. */
size_t noted_size(const struct noted *);
void noted_pack(const struct noted *, uint64_t *at);
/* Adds what COUNT numbers say; false: they are no such list. */
bool noted_unpack(struct noted *, const uint64_t *at, size_t count);

#endif
