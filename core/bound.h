/*
 * max_rows: how many rows a sync may change, over all tables in their order, and which of them they were. One reader at a
 * time takes from it, so parents come before their children; rows that go are taken from the last table on.
 */
#ifndef CORE_BOUND_H
#define CORE_BOUND_H

#include "job.h"

struct bound;

/* NULL: no memory. The jobs are in their order, and planned. */
struct bound *bound_new(const struct jobs *, int64_t rows);
void bound_free(struct bound *);
/* A split is read, maybe once more: what was taken for it is given back. */
void bound_begin(struct bound *, const struct job *, uint64_t split);
/* Whether a row that is new or differs goes on, by the hash of its key. False: no memory. After bound_close: whether it did. */
bool bound_take(struct bound *, const struct job *, uint64_t split, uint64_t key, bool *ret);
/* Every row is read. False: no memory. */
bool bound_close(struct bound *);
/* How many of WANTED rows may go; asked once for each job, the last job first. */
uint64_t bound_deletes(struct bound *, const struct job *, uint64_t wanted);
/* Rows of it that wait for another run; here and below BOUND may be NULL: none. */
uint64_t bound_waiting(const struct bound *, const struct job *);
/* Those of them that would have been written. */
uint64_t bound_postponed(const struct bound *, const struct job *);
/* A sentence for people; "": all of it was done. */
void bound_words(const struct bound *, const struct jobs *, struct etl_text *);

#endif
