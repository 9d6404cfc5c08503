/*
 * One row at both ends, by its key: that of the source as a run would load it, that of the target as it is published.
 */
#ifndef CORE_RECORD_H
#define CORE_RECORD_H

#include <etlrun/helpers.h>

#include "run.h"

struct record {
	struct job *job;
	struct etl_text source, target; /* as diff-row.h writes rows; without bytes: it is not there */
	uint64_t source_rows, target_rows; /* that have the key */
	uint64_t rejected; /* rows of the source that did not come through, when only those with the key were read */
};

/* The job whose table, in the target or in the source, is called so. ETL_USAGE: there is none, or are several. */
int record_job(const struct run *, const char *table, struct job **ret, struct etl_error *);
/* Of a run that is open and pinned. KEY: "id=5", "a=1,b=2", or a value alone where the key is one column. record_clear in
 * any case. */
int record_find(struct run *, struct job *, const char *key, struct record *, struct etl_error *);
void record_clear(struct record *);

#endif
