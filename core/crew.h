/*
 * The threads that work on one phase of a run: the readers and writers of flow.c, and those that finish tables
 * side by side. They are started together and end together.
 */
#ifndef CORE_CREW_H
#define CORE_CREW_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

struct crew {
	pthread_t *ids;
	size_t count, room;
};

/* For at most ROOM threads. False: no memory. */
bool crew_open(struct crew *, size_t room);
/* False, with a warning: the machine gives no more threads; the others do the work. */
bool crew_start(struct crew *, void *(*body)(void *), void *data);
/* Waits for all of them, and frees what crew_open made. */
void crew_join(struct crew *);

#endif
