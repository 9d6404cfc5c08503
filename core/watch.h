/*
 * While a call into a plugin is under way nobody looks at the cancel switch; this thread does, and
 * calls the `cancel` of every open instance, every moment until the switch is off. It looks for other things
 * from time to time as well.
 */
#ifndef CORE_WATCH_H
#define CORE_WATCH_H

struct watch;

/* To be called before any other thread is started: those leave the signals to it too. */
struct watch *watch_start(void); /* NULL: no thread, which is no failure */
/* Calls LOOK again and again, until it is given NULL: then LOOK has returned. WATCH may be NULL. */
void watch_also(struct watch *, void (*look)(void *data), void *data);
void watch_stop(struct watch *);

#endif
