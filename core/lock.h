/*
 * One run of a pipeline at a time: a lock on a file that names its holder. The kernel gives the
 * lock back when the holder dies, so nothing stale is left behind by a kill -9.
 */
#ifndef CORE_LOCK_H
#define CORE_LOCK_H

#include "error.h"

struct lock;

/* Who holds a lock: a process of this machine, or of another that has the folder too. */
struct lock_holder {
	int64_t pid;   /* 0: it has not said so */
	int64_t since; /* seconds since 1970 UTC */
};

/* Takes the lock on PATH, which is made when it is not there. When another process holds it, the
 * error's class is ETL_HOST_LOCKED (exit 8) and its message names the process and since when;
 * ETL_MEMORY: the file cannot be made or written. */
int lock_take(const char *path, struct lock **ret, struct etl_error *);
/* Whether somebody holds it; WHO may be NULL. Nothing is made, and nobody is held up. */
bool lock_is_held(const char *path, struct lock_holder *who);
/* Gives it back; accepts NULL. The file stays: removing it could take it from under the next
 * holder. */
void lock_release(struct lock *);

#endif
