/*
 * Types by what is there: for a source whose types belong to values and a target whose do not, one
 * pass over the rows before any DDL, so that the target's columns take what will come.
 */
#ifndef CORE_PROFILE_H
#define CORE_PROFILE_H

#include "job.h"

/* Profiles the datasets of all jobs inside the setup's pin, several splits at a time where that can be, and gives
 * the columns of each job->source the types their values have (profile-jobs.c). */
int profile_jobs(const struct jobs_setup *, struct jobs *, struct etl_error *);
/* Gives the column of job->source that P is about its type. */
void profile_apply(struct job *, const struct etl_profile *p);
/* Says in a verdict what a key of the table does not tell apart any longer in the target. */
int profile_look_at_keys(struct jobs *, const struct job *, const struct etl_profile *, struct etl_error *);
/* What is known of some of a column's rows is added to what is known of others (pure). */
void profile_add(struct etl_profile *sum, const struct etl_profile *part);
/* The type for a column of that declared type with such values (pure). */
struct etl_type_info profile_type(const struct etl_column *, const struct etl_profile *);

#endif
