/*
 * What jobs.c, which makes the jobs of a run, jobs-describe.c, which asks both ends what is there, and jobs-derive.c, which
 * leads them through their transforms, share.
 */
#ifndef CORE_JOBS_PARTS_H
#define CORE_JOBS_PARTS_H

#include "job.h"

struct making {
	const struct jobs_setup *setup;
	struct jobs *jobs;
	struct etl_error *err;
};

/* Everything of INSTANCE, or of one DATASET, into CATALOG, which is cleared first; tried again. */
int jobs_describe(struct instance *instance, const struct etl_dataset *dataset, struct catalog *catalog,
		  struct etl_error *err);
/* What the target's own DDL makes. */
int jobs_describe_given(struct instance *target, struct catalog *catalog, struct etl_error *err);
/* The table that a query, or an entry's `from`, makes is the job's source. */
int jobs_describe_query(struct making *, struct job *);
int jobs_describe_shaped(struct making *, struct job *);
/* A source that knows no conditions refuses them here, instead of giving every row later. */
int jobs_ask_where(struct making *, struct job *);
/* What `from` makes is in the source as much as what it lists; of what the run leaves out nothing but the name is known. */
int jobs_list_shaped(struct making *);
/* Leads the source's table through its transforms; *ret is the last shape, which the job owns. */
int jobs_derive(struct making *, struct job *, const struct etl_table **ret);

#endif
