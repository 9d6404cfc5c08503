/*
 * A thread that polls: a signal handler can set a switch, but it can wake nobody and call no
 * plugin. While it runs it is also the one that the signals go to: the others may be deep in a
 * database's code.
 */
#include "config.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "host.h"
#include "signals.h"
#include "watch.h"

#define LOOK_MS 50

struct watch {
	pthread_t thread;
	atomic_bool stop;
};

static void *watch_main(void *data)
{
	static const struct timespec pause = { .tv_nsec = LOOK_MS * 1000000L };
	struct watch *watch = data;

	signals_accept(true);
	/* Again and again: a call may begin just after its thread looked at the switch and just after
	 * the last `cancel`, which then ended nothing. */
	while (!atomic_load(&watch->stop)) {
		if (host_canceled())
			instances_cancel();
		nanosleep(&pause, NULL);
	}
	return NULL;
}

struct watch *watch_start(void)
{
	struct watch *watch = calloc(1, sizeof(*watch));

	if (!watch)
		return NULL;
	signals_accept(false);
	if (pthread_create(&watch->thread, NULL, watch_main, watch) != 0) {
		signals_accept(true);
		free(watch);
		return NULL;
	}
	return watch;
}

void watch_stop(struct watch *watch)
{
	if (!watch)
		return;
	atomic_store(&watch->stop, true);
	pthread_join(watch->thread, NULL);
	signals_accept(true);
	free(watch);
}
