/*
 * mode = "sync": only what the target does not have as it is goes on. The target's rows are read before those of the source,
 * as hashes; a row of the source that is among them is counted as unchanged, and what was among them and did not come is
 * gone from the source.
 */
#ifndef CORE_CHANGES_H
#define CORE_CHANGES_H

#include <etlrun/helpers.h>

#include "flow.h"

/* Of one job. */
struct changes;

/* Of a job whose table is in the target; job->changes, until jobs_free. NULL: no memory. */
struct changes *changes_new(void);
void changes_free(struct changes *);
/* Of what differs only rows whose keys have one of these hashes are written; the others are left as they are. HASHES is
 * taken over. */
void changes_only(struct job *, uint64_t *hashes, size_t count);
bool changes_is_meant(const struct job *, uint64_t key);
/* How many rows differ and were left as they are; they are among those that the last step counts as filtered. */
uint64_t changes_left_out(const struct job *);
/* ETL_USAGE: rows of this table cannot be told apart by hashes. */
int changes_check(const struct job *, struct etl_error *);

/* Puts the last step of a chain around STREAM: the rows that the target has are counted as filtered in CONTEXT. It may be
 * opened again, also after changes_settle. On failure STREAM is untouched. */
int changes_wrap(const struct flow_setup *, struct job *, const struct etl_split *, struct etl_context *,
		 struct ArrowArrayStream *stream, struct etl_error *);
/* A row that was rejected by STEP of the chain (of job_stages), or, negative, by the source: it is in the source still, so its
 * fellow in the target does not go. False: no memory. */
bool changes_rejected(struct job *, int64_t step, const struct etl_reject *);
/* The hash of the key that a row has which STEP rejected; not *RET_KNOWN: it has none yet. False: no memory. */
bool changes_key_of(const struct job *, int64_t step, const struct etl_reject *, uint64_t *ret, bool *ret_known);
/* Where a row that went on stands in the source. */
struct changes_place {
	uint64_t key, row; /* hashes */
	uint64_t split;
	int64_t ordinal;
};
/* BODY gets all rows of the job that went on, in no order; not 0: no more of them. After all splits were staged. */
int changes_each_place(const struct job *, int (*body)(void *data, const struct changes_place *), void *data,
		       struct etl_error *);
/* After the last split of the job was staged, by the thread and on the instance that did it; of a job without any, after
 * all others: stages the keys of the rows that go, and forgets the target's rows. */
int changes_settle(const struct flow_setup *, struct job *, struct instance *target, struct etl_error *);

/* changes-target.c. The rows of the job's table in the target, by a connection of its own: their hashes, and those of the
 * MOST that were not met, by their key, as a stream. */
struct changes_set;
int changes_read(const struct flow_setup *, struct job *, struct changes_set *, struct etl_error *);
int changes_open_left(const struct flow_setup *, struct job *, struct changes_set *, uint64_t most,
		      struct ArrowArrayStream *ret, struct etl_error *);
/* Calls EACH for each of them, with the columns of job->rows. */
int changes_each(const struct flow_setup *, struct job *,
		 int (*each)(void *data, uint64_t key, const struct etl_view *, int64_t row, struct etl_error *), void *data,
		 struct etl_error *);
/* Whether the target's table has a row. */
int changes_any(const struct flow_setup *, struct job *, bool *ret, struct etl_error *);
/* Of a job with a delete column, how many rows are not marked as deleted. */
int changes_count(const struct flow_setup *, struct job *, uint64_t *ret, struct etl_error *);

#endif
