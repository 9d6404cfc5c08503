/*
 * The rows of a run over threads: readers, bounded queues, writers. Splits are read and written in
 * the order of the jobs, so a target with one instance sees the same rows in the same order
 * whatever the number of workers. What fails in a way that may pass is read and loaded again.
 */
#ifndef CORE_FLOW_H
#define CORE_FLOW_H

#include "bound.h"
#include "journal.h"
#include "pace.h"
#include "reject.h"

/* Only rows whose CURSOR is in after < cursor <= upto, as struct etl_read has it. */
struct flow_range {
	const char *cursor, *after, *upto;
	/* Or exactly the rows with these keys. A store that does not find rows by their keys refuses it, with ETL_USAGE. */
	const struct ArrowSchema *key_schema;
	const struct ArrowArray *keys;
};

struct flow_setup {
	const struct pipeline *pipeline;
	struct jobs *jobs;
	struct instance *source;     /* the pinned one; the first reader uses it */
	struct instance *target;     /* the first writer uses it */
	const struct etl_token *pin; /* or NULL */
	struct rejects *rejects;
	struct host_limits limits;
	int64_t row_limit; /* rows a table; 0: all */
	const struct flow_range *range; /* or NULL: every row */
	struct pace *pace;   /* how fast the source is read; NULL: as it can */
	struct bound *bound; /* mode = "sync": how many rows may change; or NULL */
	int32_t readers, writers;
	atomic_llong *origins_left; /* bytes, for what the jobs keep of their rows' origins */
	bool in_order; /* splits are loaded in their order */
	bool marks;    /* the target says where it stands before each load */
	size_t depth; /* of each queue, batches */
	/* Called after each batch that is read and each split that is staged, by the thread that did it; or NULL. */
	void (*moved)(void *data);
	struct journal *journal; /* what another process staged is left out; or NULL */
	void *data;
};

/* Reads, transforms and stages every split of every job. On failure the first error is in ERR; with
 * table scope a job that failed for its data is marked and the others go on. */
int flow_run(const struct flow_setup *, struct etl_error *);

/* The wanted schema with the ordinal behind it. False: no memory. */
bool flow_with_ordinal(const struct ArrowSchema *want, struct ArrowSchema *ret);

/* The stream of a job as it comes out of the transforms and the cast, with the ordinal as its last
 * column. INSTANCE reads; the transforms are opened and closed with the stream. CONTEXT counts and
 * refuses. */
int flow_open(const struct flow_setup *, struct job *, struct instance *source,
	      const struct etl_split *, struct etl_context *, struct ArrowArrayStream *ret,
	      struct etl_error *);

typedef int flow_look(void *data, const struct ArrowArray *batch, struct etl_error *);
/* One split in that form, by the pinned instance, batch by batch; LOOK NULL: only what its transforms do on the way. */
int flow_each_batch(const struct flow_setup *, struct job *, const struct job_split *, flow_look *, void *data, struct etl_error *);

#endif
