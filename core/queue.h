/*
 * A bounded queue of batches between one reader and one writer thread.
 */
#ifndef CORE_QUEUE_H
#define CORE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>

#include <etlrun/arrow.h>

struct queue;

struct queue *queue_new(size_t depth); /* NULL: no memory */
void queue_free(struct queue *);       /* releases what is still in it; accepts NULL */
/* Takes BATCH; waits while the queue is full. False: the run was canceled or the other side gave
 * up. */
bool queue_push(struct queue *, struct ArrowArray *batch);
/* No more batches come; failed: because the reader failed. */
void queue_close(struct queue *, bool failed);
/* 1: a batch; 0: the end; -1: the reader failed, or the run was canceled. */
int queue_pop(struct queue *, struct ArrowArray *ret);
/* The writer will take no more: a waiting push returns. */
void queue_abandon(struct queue *);
/* As it was when it was new; nobody uses it. */
void queue_restart(struct queue *);

#endif
