/*
 * From the table that comes out of the transforms to the table as it shall be at the target: names,
 * chosen and constant columns, types; and the list of conversions that makes its rows.
 */
#ifndef CORE_SHAPE_H
#define CORE_SHAPE_H

#include "job.h"

/* How the stream that comes is typed: the type of each readable column, beside the table's
 * columns. */
struct etl_type_info shape_stream_type(const struct etl_table *, size_t column,
				       bool dynamic_source);

/* The struct of the columns that can be read, in the types in which they come. False: no memory. */
bool shape_stream_schema(const struct etl_table *, bool dynamic_source, struct ArrowSchema *ret);

/* What the two ends take and give. */
struct shape_stores {
	bool dynamic_target;
	int32_t (*takes)(const struct etl_column *);
};

/* shape-existing.c: append and merge, where the target's table THERE gives the shape. COLUMNS has
 * room for those of THERE behind its own; names are borrowed from THERE. */
int shape_existing_columns(struct job *, const struct etl_table *there,
			   const struct shape_stores *, struct etl_column *columns,
			   size_t *count, struct reshape_column *cast, size_t cast_count,
			   struct etl_error *);
/* Every column of THERE that does not come can be left to the target. */
int shape_existing_rest(struct job *, const struct etl_table *there,
			const struct etl_column *columns, size_t count, struct etl_error *);
/* merge: the key and the deletes of a shaped job; PARTIAL: --limit. */
int shape_check_merge(const struct job *, bool partial, struct etl_error *);
/* Writes the parents' columns into foreign keys that leave them out. */
void shape_name_parents(struct jobs *);
/* Gives each load the parents of its foreign keys; STAYS: tables that the target has keep their shape. */
int shape_find_parents(struct jobs *, bool stays, struct etl_error *);

/* Fills job->target (foreign keys still speak of the parents by their source names), job->cast,
 * job->rows and job->key, from FROM (the last shape) and job->before_cast. */
int shape_target(const struct pipeline *, struct jobs *, struct job *, const struct etl_table *from,
		 bool dynamic_target, const struct etl_target *, struct etl_error *);

/* A verdict of the host's own; OBJECT and the note are copied. */
int host_verdict_add(struct jobs *, int32_t verdict, const char *kind, const char *object,
		     struct etl_error *, const char *format, ...) ETL_PRINTF(6, 7);

/* Once every job has its target: foreign keys are pointed at the parents' new names, and those
 * whose parent will not be there are left out with a verdict. */
int shape_foreign_keys(struct jobs *, struct etl_error *);

/* After that: parents stand before their children, and every `after` of the file is kept. */
int jobs_sort(struct jobs *, struct etl_error *);

/* A foreign key speaks of a table of the target that is not in this run. */
bool shape_keys_reach_out(struct jobs *);

/* shape-names.c: after the targets and before the foreign keys. No two tables of a schema have one name; indexes and keys get
 * names that are free, with a verdict where one changes; job->taken. */
int shape_names(struct jobs *, const struct pipeline *, struct etl_error *);
/* others.c: fills jobs->others, once the jobs are in their order; what stays behind has a verdict. */
int others_take(const struct jobs_setup *, struct jobs *, struct etl_error *);
/* What goes along beside the tables (jobs->others) has places of its own. */
int shape_check_others(const struct jobs *, struct etl_error *);

#endif
