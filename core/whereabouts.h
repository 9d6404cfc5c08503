/*
 * Where things are in a target that has several schemas. Which schema a table goes into is the plugin's to say
 * (etl_target.place); what is taken for the table that is there already, and for a parent, follows from that alone,
 * and never from the name, for rows of what is found may go.
 */
#ifndef CORE_WHEREABOUTS_H
#define CORE_WHEREABOUTS_H

#include "job.h"

/* The schema of the target into which TABLE, or a view, …, goes; NULL: the target has none. */
const char *where_goes(const struct jobs *, const struct etl_table *);
/* What is in the place of TABLE, or a view, …, in the target now; NULL: nothing. */
const struct etl_table *where_find(const struct jobs *, const struct etl_table *);
/* Fills job->schema, once the job has its target. */
int where_job(struct jobs *, struct job *, struct etl_error *);
/* Of a foreign key of job->target: its parent among the tables of the run, or among those that the target has. NULL:
 * it is not there. */
const struct job *where_parent_job(const struct jobs *, const struct job *,
				   const struct etl_foreign_key *);
const struct etl_table *where_find_parent(const struct jobs *, const struct job *,
					  const struct etl_foreign_key *);

#endif
