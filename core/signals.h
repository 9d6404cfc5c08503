/*
 * SIGINT and SIGTERM ask a run to end cleanly: the first sets the cancel switch, the third ends the
 * process at once. SIGPIPE is ignored, so that a closed pipe is an error like any other.
 */
#ifndef CORE_SIGNALS_H
#define CORE_SIGNALS_H

#include <stdbool.h>

void signals_start(void);
/* Whether the calling thread may be the one that handles them. A thread made by one that may not, may not
 * either. */
void signals_accept(bool accept);
/* The signal that asked to stop, or 0. */
int signals_caught(void);

#endif
