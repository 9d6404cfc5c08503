/*
 * The other end of request.h: what `etlrun cancel` and `etlrun pause` do. Nothing is sent to a process: the request is in
 * the state, where the run of whatever machine that has the folder finds it.
 */
#ifndef CORE_ASK_RUN_H
#define CORE_ASK_RUN_H

#include "cmd.h"

/* Asks the run that is on, and waits until it has ended. 0: it did what was asked. */
int ask_run(const struct cli *, const char *wish, struct etl_error *);

#endif
