/*
 * run --if-needed: whether a run would do anything. What a run rests on is written down when it begins, without looking
 * into either end; a later one compares. Whatever cannot be told makes it run.
 */
#ifndef CORE_NEEDED_H
#define CORE_NEEDED_H

#include "run.h"

/* *RET false: nothing is to be done, which was said, and --summary written. A target of a higher version fails here. */
int needed_ask(const struct cli *, const struct pipeline *, bool *ret, struct etl_error *);
/* Of a run that begins: what it rests on. */
int needed_note(struct run *, struct etl_error *);
/* Of one that goes on: what was written down holds only if it is the same still. */
int needed_check(struct run *, struct etl_error *);
/* The version that the target has is not above the one that the pipeline wants; which is *RET, for the caller who asks. */
int needed_version(struct instance *target, struct etl_version *ret, struct etl_error *);

#endif
