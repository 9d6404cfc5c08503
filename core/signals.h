/*
 * SIGINT and SIGTERM ask a run to end cleanly: the first sets the cancel switch, the third ends the
 * process at once. SIGPIPE is ignored, so that a closed pipe is an error like any other.
 */
#ifndef CORE_SIGNALS_H
#define CORE_SIGNALS_H

void signals_start(void);
/* The signal that asked to stop, or 0. */
int signals_caught(void);

#endif
