/*
 * The run's ear for what other terminals ask of it (`etlrun cancel`, `etlrun pause`). A thread that polls looks into the
 * state; what is heard sets the cancel switch, as a signal does, and is told apart from one at the end.
 */
#ifndef CORE_REQUEST_H
#define CORE_REQUEST_H

#include <stdbool.h>

enum request { REQUEST_NONE, REQUEST_CANCEL, REQUEST_PAUSE };

struct request_ear;

/* NULL: there is no memory for it, or the state cannot be read: nothing will be heard. */
struct request_ear *request_listen(const char *state_path, const char *run);
/* For watch_also; by any thread, one at a time. */
void request_look(void *ear);
void request_deaf(struct request_ear *);
/* What was heard. */
enum request request_heard(void);

#endif
