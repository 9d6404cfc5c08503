/*
 * Shared by the files that shape one table: shape.c makes its columns and settles it, shape-carry.c takes over
 * what names columns.
 */
#ifndef CORE_SHAPE_PARTS_H
#define CORE_SHAPE_PARTS_H

#include "arena.h"
#include "shape.h"

/* What is built, and how the columns of FROM are called now. */
struct shaping {
	const struct pipeline *pipeline;
	struct jobs *jobs;
	const struct table_rule *rule;
	struct job *job;
	const struct etl_table *from;
	struct arena arena;
	const struct etl_table *there; /* the target's, which gives the shape; or NULL */
	struct etl_table table; /* what is built; its arrays are in the arena */
	struct etl_column *columns;
	size_t column_count;
	const char **new_names; /* beside from's columns; NULL: not there */
	struct reshape_column *cast;
	size_t cast_count;
	bool changed; /* the source's DDL is not the target's */
	bool dynamic_target;
	int32_t (*takes)(const struct etl_column *), (*respells)(const struct etl_column *);
	struct etl_error *err;
};

/* AS if it is given, else NAME in the case that the pipeline asks for. */
const char *shape_renamed(struct shaping *, const char *as, const char *name);
/* What a column of FROM is called now; NULL: it is not there any more. */
const char *shape_new_name(const struct shaping *, const char *old);
/* Keys, foreign keys, checks and indexes under the new names; one that a column is missing for is left out with a
 * verdict. No memory: arena.failed. */
void shape_carry(struct shaping *);
/* The parts of the target's own table: whoever stages the rows takes what their columns allow. */
void shape_keep(struct shaping *);

#endif
