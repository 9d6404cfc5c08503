/*
 * `etlrun status --watch`: one run, looked at again and again until it has ended.
 */
#ifndef CORE_STATUS_WATCH_H
#define CORE_STATUS_WATCH_H

#include "state-place.h"

/* The run that is named, or the last one. INTERVAL: seconds, 0: what is usual. */
int status_watch(const struct state_place *, int64_t interval, struct etl_error *);

#endif
