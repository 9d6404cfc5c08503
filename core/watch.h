/*
 * While a call into a plugin is under way nobody looks at the cancel switch; this thread does, and
 * calls the `cancel` of every open instance, every moment until the switch is off.
 */
#ifndef CORE_WATCH_H
#define CORE_WATCH_H

struct watch;

/* To be called before any other thread is started: those leave the signals to it too. */
struct watch *watch_start(void); /* NULL: no thread, which is no failure */
void watch_stop(struct watch *);

#endif
