/*
 * For transforms that make some columns of a batch anew and let the others cross by pointer. All values of a batch are made before a
 * column moves, so a reject can still show its whole row as it came.
 */
#ifndef LIB_REMAKE_H
#define LIB_REMAKE_H

#include <etlrun/helpers.h>

struct etl_remake {
	/* Puts a value into every column of BUILDER, which is of `made`; *RET_KEEP, true at first: the row goes on. Not 0: the
	 * stream's failure, which was told. */
	int (*row)(struct etl_remake *self, struct etl_builder *builder, const struct ArrowArray *batch, int64_t row, bool *ret_keep);
	/* Tells that there is no memory; what the stream returns then. */
	int (*no_memory)(struct etl_remake *self);
	struct ArrowSchema made;
	struct etl_view *view; /* of the batches that come; `row` looks through it */
};

/* A column of NAME, of this type and nothing else. */
struct etl_column etl_remake_column(const char *name, struct etl_type_info type);
/* Fills MADE with the columns of a batch, KEEP, which has room for each row, with the rows that go on. */
int etl_remake_values(struct etl_remake *, const struct ArrowArray *batch, struct ArrowArray *made, int64_t *keep, int64_t *ret_kept);
/* A batch whose columns are still to come: each is released already. False: no memory. */
bool etl_remake_frame(struct ArrowArray *ret, int64_t columns, int64_t rows);
/* Column FROM of BATCH as the column TO of a frame, as it is seen in the batch. */
void etl_remake_move(struct ArrowArray *to, struct ArrowArray *batch, int64_t from);
/* The rows of WHOLE that go on into OUT: moved where that is all of them, a batch of their own else; none: OUT is not filled. False: no memory. */
bool etl_remake_keep(struct ArrowArray *out, const struct ArrowSchema *schema, struct ArrowArray *whole, const int64_t *keep, int64_t kept);

#endif
