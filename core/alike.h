/*
 * Values of a key that differ and that a target takes for one. Every row is added once: a hash of the form that the target
 * compares and one of the value stay of it, in memory up to a limit, beyond it in a file. Rows that have the first in common and
 * not the second are candidates. Where there are any, all rows are added again, to find what the values of the first few are.
 */
#ifndef CORE_ALIKE_H
#define CORE_ALIKE_H

#include <etlrun/helpers.h>

#include "error.h"

struct alike;

/* As etl_target.form. */
typedef int alike_form(int32_t compares, const void *value, size_t size, struct etl_form_sink *);

struct alike_key {
	const int64_t *columns; /* of the rows */
	const int32_t *compares; /* beside them; 0: by their bytes */
	size_t count;
	bool nulls_equal; /* else a row with a NULL in it clashes with none */
};

/* Of rows of SCHEMA. NULL: no memory. What KEY points to is copied. */
struct alike *alike_new(const struct ArrowSchema *schema, const struct alike_key *key, alike_form *form, size_t memory);
void alike_free(struct alike *);
int alike_add(struct alike *, const struct ArrowArray *batch, struct etl_error *);
/* All were added. *RET: there are candidates. */
int alike_close(struct alike *, bool *ret, struct etl_error *);
/* The same rows once more, in the same batches or others. */
int alike_add_again(struct alike *, const struct ArrowArray *batch, struct etl_error *);
/* Then the candidates, as etl_target.same is asked about them; the caller's to release. */
int alike_candidates(struct alike *, struct ArrowSchema *ret_schema, struct ArrowArray *ret_rows, struct etl_error *);

struct alike_found {
	uint64_t rows; /* of several that are one all but the first; 0: nothing was found */
	uint64_t keys; /* how many such keys */
	bool at_most; /* there are candidates that were not looked at, and they are counted in */
	struct etl_text first, second; /* two values that are one; the caller's to free */
};
/* SAME: of the candidates, as etl_target.same gives it; NULL: all of a group are one. */
int alike_settle(const struct alike *, const struct ArrowSchema *, const struct ArrowArray *candidates, const int64_t *same,
		 struct alike_found *ret, struct etl_error *);

#endif
