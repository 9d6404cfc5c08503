/*
 * The foreign keys of the table of the target into which a job's rows go, in the words of the source (etl_host.target_keys).
 */
#ifndef CORE_TARGET_KEYS_H
#define CORE_TARGET_KEYS_H

#include "job.h"

/* Of a job that has its source and no target yet: fills job->target_keys. */
int target_keys_find(const struct jobs_setup *, struct jobs *, struct job *, struct etl_error *);
/* An instance of one of its transforms is told of them. */
void target_keys_tell(const struct job *, struct instance *);

#endif
