/*
 * Values that a target spells in its own way (ETL_RESPELT), hashed by what they mean where that is known: JSON whatever its
 * blanks, escapes and order of members, a char(n) without the blanks at its end. Any other is hashed as it is spelled. What has one
 * hash means the same; what means the same may have two.
 */
#ifndef CORE_CHANGES_SPELT_H
#define CORE_CHANGES_SPELT_H

#include "job.h"

/* Mixes them into the hashes of the rows of a BATCH of SCHEMA, which begins with the columns of job->rows. False: no memory. */
bool changes_add_spelt(const struct job *, const struct ArrowSchema *schema, const struct ArrowArray *batch, uint64_t *rows);

#endif
