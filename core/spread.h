/*
 * Pieces of work that do not depend on each other, done by several threads.
 */
#ifndef CORE_SPREAD_H
#define CORE_SPREAD_H

#include <stddef.h>

#include "error.h"

struct spread_work {
	size_t count, threads; /* pieces; threads at most, from 1 */
	/* Does one; THREAD counts from 0, and no two pieces are done in the same thread at once. */
	int (*piece)(void *data, size_t piece, size_t thread, struct etl_error *);
	void *data;
};
/* Does all, in the order of their numbers, in this thread and others. The first failure cancels what is
 * under way, leaves out the rest, and is in ERR. */
int spread_work(const struct spread_work *, struct etl_error *err);

#endif
