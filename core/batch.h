/*
 * Batches of the host's own making: a struct array whose columns were moved in from another one.
 */
#ifndef CORE_BATCH_H
#define CORE_BATCH_H

#include <stdbool.h>

#include <etlrun/arrow.h>

/* Adds COLUMN (moved) behind the columns of BATCH, which is replaced. False: no memory; both
 * untouched. */
bool batch_append(struct ArrowArray *batch, struct ArrowArray *column);
/* Moves the last column of BATCH into RET. False: no memory; untouched. */
bool batch_detach(struct ArrowArray *batch, struct ArrowArray *ret);
/* An int64 column FIRST, FIRST+1, … of COUNT rows, without those in SKIP (ascending, *skip_at moves
 * on). */
bool batch_count(struct ArrowArray *ret, int64_t count, int64_t *next, const int64_t *skip,
		 size_t skip_count, size_t *skip_at);
/* The values of an int64 column. */
const int64_t *batch_int64(const struct ArrowArray *column);
/* Bytes of values in a batch: what its buffers hold, without validity. */
int64_t batch_bytes(const struct ArrowSchema *schema, const struct ArrowArray *batch);

#endif
