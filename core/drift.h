/*
 * What the tables of a sync looked like at both ends when they were last published: kept in the target with the rows, and
 * compared with what is described now, before anything moves. A change that nobody allowed ends the run.
 */
#ifndef CORE_DRIFT_H
#define CORE_DRIFT_H

#include "run.h"

/* A column of the source that is new, and may be. */
struct drift_added {
	const char *name;
	bool left_out; /* the target does not have it */
};

/* For a sync whose target keeps the state: reads it. */
int drift_open(const struct jobs_setup *, struct jobs *, struct etl_error *);
void drift_free(struct drift *);
/* Compares the source's table of a job, before its transforms; and, once it is known, the target's (job->existing).
 * What is not allowed is kept for drift_settle, and job->drifted is set. */
int drift_from(struct jobs *, struct job *, struct etl_error *);
int drift_into(struct jobs *, struct job *, struct etl_error *);
/* Whether COLUMN of the source, which the target does not have, is left out because it is new; it is noted, with a verdict. *ret:
 * it is. */
int drift_leave_out(struct jobs *, struct job *, const char *column, bool *ret, struct etl_error *);
/* ETL_DATA: something changed that is not allowed, and the verb begins a run. What is allowed is said. */
int drift_settle(const struct jobs_setup *, struct jobs *, struct etl_error *);
/* What changed and is allowed, for people; "": nothing. */
const char *drift_words(const struct jobs *);
/* What the state of a published run says of the job, a member of its object: ,"shape":{…}; or nothing. */
void drift_add_state(const struct run *, const struct job *, struct etl_text *);

#endif
