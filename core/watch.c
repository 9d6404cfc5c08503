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

#define LOOK_MS	   50
#define LOOK_TURNS 5 /* looks at the switch for one at other things */

struct watch {
	pthread_t thread;
	atomic_bool stop;
	pthread_mutex_t mutex;
	void (*look)(void *data);
	void *data;
};

static void look(struct watch *watch)
{
	pthread_mutex_lock(&watch->mutex);
	if (watch->look)
		watch->look(watch->data);
	pthread_mutex_unlock(&watch->mutex);
}

static void *watch_main(void *data)
{
	static const struct timespec pause = { .tv_nsec = LOOK_MS * 1000000L };
	struct watch *watch = data;

	signals_accept(true);
	/* Again and again: a call may begin just after its thread looked at the switch and just after
	 * the last `cancel`, which then ended nothing. */
	for (unsigned turn = 1; !atomic_load(&watch->stop); turn++) {
		if (turn % LOOK_TURNS == 0)
			look(watch);
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
	pthread_mutex_init(&watch->mutex, NULL);
	signals_accept(false);
	if (pthread_create(&watch->thread, NULL, watch_main, watch) != 0) {
		signals_accept(true);
		pthread_mutex_destroy(&watch->mutex);
		free(watch);
		return NULL;
	}
	return watch;
}

void watch_also(struct watch *watch, void (*also)(void *data), void *data)
{
	if (!watch)
		return;
	pthread_mutex_lock(&watch->mutex);
	watch->look = also;
	watch->data = data;
	pthread_mutex_unlock(&watch->mutex);
}

void watch_stop(struct watch *watch)
{
	if (!watch)
		return;
	atomic_store(&watch->stop, true);
	pthread_join(watch->thread, NULL);
	signals_accept(true);
	pthread_mutex_destroy(&watch->mutex);
	free(watch);
}
