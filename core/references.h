/* The validators' look at the tables before any row moves, and the references they find there. */
#ifndef CORE_REFERENCES_H
#define CORE_REFERENCES_H

#include "job.h"

/* Asks every validator of every job, once the jobs are made; fills load.references. ETL_USAGE: what a validator
 * refuses, or a reference to what is not there. */
int references_find(struct jobs *, const struct instance *target, struct etl_error *);

#endif
