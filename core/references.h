/* What the pipeline says of other tables that rows refer to: in `from`, and by the validators' look at the tables. */
#ifndef CORE_REFERENCES_H
#define CORE_REFERENCES_H

#include "job.h"

/* Asks every validator of every job, once the jobs are made; fills load.references. ETL_USAGE: what a validator
 * refuses, or a reference to what is not there. */
int references_find(struct jobs *, const struct instance *target, struct etl_error *);

/* Of the foreign keys that entries give to a source that knows no others (ETL_FROM_SHAPES): ETL_USAGE when a table is neither in
 * the pipeline nor in the target, or has no such column or key. */
int references_check(const struct jobs *, const struct pipeline *, struct etl_error *);

#endif
