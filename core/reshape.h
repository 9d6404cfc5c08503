/*
 * The host's own stream between source and target: from the columns that come to the columns that
 * are wanted. A column is taken over, converted to another type, or made from a constant;
 * null_values become NULL, and NULL becomes the fallback. A value that does not fit its type is a
 * reject, never coerced. Columns that are taken over as they are cross by pointer.
 * ETL_ORDINAL_COLUMN, when it comes, stays the last column.
 */
#ifndef CORE_RESHAPE_H
#define CORE_RESHAPE_H

#include <etlrun/helpers.h>

#include "context.h"

struct reshape_column {
	const char *name;	   /* of the output */
	int64_t from;		   /* the input's index, or -1: `value` */
	struct etl_type_info type; /* of the output */
	const char *value;	   /* the constant, or NULL for NULL */
	const char *fallback;	   /* instead of NULL; or NULL */
	const char *const *null_values;
	size_t null_count;
	bool given; /* the type was written in the file */
};

/* What a reshape needs to do nothing: same names, types and order. */
bool reshape_is_identity(const struct ArrowSchema *in, const struct reshape_column *, size_t count);

/* Moves IN into OUT. The columns are copied. A constant or fallback that is not of its type fails
 * here with ETL_USAGE. Rejects go to CONTEXT with codes "out_of_range", "not_a_number",
 * "not_a_date", "too_precise", "invalid_utf8", "type" …; a failing get_next describes itself in
 * ERR, which outlives OUT. */
int reshape_wrap(struct ArrowArrayStream *in, const struct reshape_column *, size_t count,
		 struct etl_context *context, struct ArrowArrayStream *out, struct etl_error *err);

#endif
