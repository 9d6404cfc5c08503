/* Rows of a staged table that a constraint would not take. */
#ifndef POSTGRES_SCREEN_H
#define POSTGRES_SCREEN_H

#include "stage.h"

/* Before a schema of the target, as the name of a schema: the stage of the run for that one, whose own name is not in a plan,
 * for the run that goes on with it may be another. */
#define SCREEN_STAGE_OF "_etlrun_stage/"

/*
 * STEP's SQL is a SELECT of one column, the ctids of rows of the load's staged table (of one with partitions what
 * DESIGN_PARTITIONED_ROW says of them) in the order in which they are to be told; one that comes twice is told once. Tells them and, when the sink wants it, takes them out: *ret says
 * how many. Inside a transaction that stage_enter began.
 */
int screen_apply(struct etl_instance *, const struct etl_load *, const struct etl_token *,
		 const struct etl_step *, struct etl_found_sink *, uint64_t *ret, struct etl_error *);

/* screen-rows.c: tells the rows of pg_temp._etlrun_found(at, n bigint, words text), AT as screen_row has it, in the order of n.
 * WORDS: what the server says of that row alone, or NULL. *ret: how many there were. */
struct screen {
	struct etl_instance *inst;
	const struct etl_load *load;
	const struct etl_token *token;
	const struct etl_step *step;
	struct etl_found_sink *sink;
	struct etl_error *err;
	const char *code;
	char *columns, *reason;
	bool raised; /* what is found are rows for which the step's SQL fails */
};
/* What a row of the staged table, called t, is known by. */
const char *screen_row(const struct screen *);
int screen_tell(struct screen *, int64_t count);

/* screen-raised.c: makes that table, of the rows for which the step's SQL fails, each with the server's words. *ret: how
 * many there are. */
int screen_raised(struct screen *, uint64_t *ret);

#endif
