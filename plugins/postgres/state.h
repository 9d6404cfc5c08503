/*
 * What the target keeps of runs, in the schema "_etlrun": one row for each run that was published, written by the
 * transaction that published it. So whether a run was published is asked here, and nowhere else.
 */
#ifndef POSTGRES_STATE_H
#define POSTGRES_STATE_H

#include "stage.h"

#define STATE_XIDS "2000000000" /* after so many transactions a number may be another one's */

/* They have every column; not of an earlier version. */
int state_is_whole(struct etl_instance *, bool *ret, struct etl_error *);
/* The schema and its table are there. */
int state_prepare(struct etl_instance *, struct etl_error *);
int state_is_published(struct etl_instance *, const char *run, bool *ret, struct etl_error *);
/* Inside the publishing transaction. KEPT is the schema of what was replaced, or "". */
int postgres_state_write(struct etl_instance *, const struct etl_commit *, const char *kept,
		struct etl_error *);

/* A row that begins with load, inserted, updated, unchanged, deleted: into the outcomes. */
void state_put_outcome(const struct etl_commit *, const PGresult *, int row);
/* What the transaction that published the run said of its loads, and what it kept: into the commit's outcomes and `kept`. */
int state_read(struct etl_instance *, const struct etl_commit *, struct etl_error *);

#endif
