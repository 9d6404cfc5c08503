/*
 * A row as it stands in its record, and how its columns take their values.
 */
#ifndef JSON_ROW_H
#define JSON_ROW_H

#include "filter.h"

struct row {
	const struct json_tree *tree;   /* of the record */
	uint32_t node;                  /* the row's */
	const uint32_t *chain;          /* the nodes on the way to it, see json_path_walk; none: the record is the row */
	size_t chain_length;
	const struct json_tree *outer;  /* of what is beside the records, or NULL */
	struct names *names;
	const char *file;               /* below the path, "" where that is the file */
	const char *file_name;          /* that of a path that is one file, too */
	uint64_t record, line;          /* of the record: its place from 0, its line from 1 */
};

/* The value of the first of TAKES that gives one, else of FALLBACK, else absent. A null is passed over as what is not there,
 * but the last one is told. NULL, or a reject's code. */
const char *json_row_take(const struct row *, const struct take *takes, size_t count, const char *fallback,
			  struct work *, struct json_value *ret);
/* The same with the column's own rules: a text of `null_values` is passed over as a null; `map`. */
const char *json_row_value(const struct row *, const struct json_column *, struct work *, struct json_value *ret);

/* put.c: into a column of whatever type is wanted, exactly; or a reject's code. */
const char *json_put(struct etl_column_builder *, struct json_value *, bool nullable, struct work *);

#endif
