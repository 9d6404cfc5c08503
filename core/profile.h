/*
 * Types by what is there: for a source whose types belong to values and a target whose do not, one
 * pass over the rows before any DDL, so that the target's columns take what will come.
 */
#ifndef CORE_PROFILE_H
#define CORE_PROFILE_H

#include "job.h"

/* Profiles the job's dataset inside the pin and gives the columns of job->source the types their
 * values have. */
int profile_job(struct instance *source, struct job *, struct etl_error *);
/* The type for a column of that declared type with such values (pure). */
struct etl_type_info profile_type(const struct etl_column *, const struct etl_profile *);

#endif
