/*
 * The steps of a run: what `design` says, collected once. `plan` prints these and `run` carries
 * these out.
 */
#ifndef CORE_PLAN_H
#define CORE_PLAN_H

#include "job.h"

struct plan {
	struct etl_step *at; /* texts are in the arena */
	size_t count;
	struct arena arena;
};

/* Asks the target's design for every job and every other object. A target without tables gives no
 * steps. */
int plan_make(const struct jobs *, struct instance *target, struct plan *, struct etl_error *);
void plan_free(struct plan *);
/* The load a step belongs to, with its token; NULL: the run's. */
const struct etl_load *plan_load(const struct jobs *, const struct etl_step *);
/* Prints all of it to standard output: tables in order with their types, then every step with its
 * verdict. */
/* Whether a run can be taken back once it is published, and by what: for people. */
/* The validators that nobody wrote down, as plan and check show them; false: there are none such. */
bool plan_validators(const struct pipeline *, struct etl_text *);
void plan_rollback(const struct pipeline *, const struct jobs *, char *buf, size_t size);
/* How it is published; false: all at once. */
bool plan_batches(const struct pipeline *, char *buf, size_t size);
int plan_print(const struct pipeline *, const struct jobs *, const struct plan *,
	       struct etl_error *);
/* Warns of what the run leaves out, a line for each kind; DATA_ONLY and SCHEMA_ONLY ask for it. */
void plan_warn(const struct jobs *, const struct plan *, uint32_t run_flags);
const char *phase_name(int32_t phase);
const char *verdict_name(int32_t verdict);

#endif
