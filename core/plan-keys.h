/*
 * Keys of the source whose values the target takes for one, found before a row moves.
 */
#ifndef CORE_PLAN_KEYS_H
#define CORE_PLAN_KEYS_H

#include "run.h"

/* Of a run that was opened: reads the keys of those tables whose target compares them otherwise than by their bytes, in the
 * view that is open, and adds a verdict to the jobs' for each key that loses values. Nothing is read for other tables. */
int plan_keys(struct run *, struct etl_error *);

#endif
