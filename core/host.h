/*
 * Open plugins: an instance with its own struct etl_host, so that what it logs and fails with
 * carries its name and role. All instances of a run share one set of limits and one cancel switch.
 */
#ifndef CORE_HOST_H
#define CORE_HOST_H

#include <stdatomic.h>

#include "pipeline.h"

struct host_limits {
	int64_t batch_rows, batch_bytes, max_row, memory, workers;
	int64_t retries; /* how often a lost connection is made anew; 0: what fails has failed */
	/* What etl_host says of the whole; each may be NULL. */
	const struct pipeline *pipeline;
	const char *run, *source;
	int32_t intent; /* enum etl_intent */
};

struct instance {
	struct etl_host host; /* first: the plugin's pointer is also ours */
	const struct plugin *plugin;
	struct etl_instance *self;
	const struct etl_conf *conf;
	int64_t retries; /* of the limits */
	bool pinned;	 /* it holds the pin: it cannot be made anew */
	struct instance *next; /* of all that are open */
};

/* Opens one instance for a role. The caller closes it with instance_close, which accepts NULL. */
int instance_open(const struct plugin_use *, int32_t role, const struct host_limits *,
		  struct instance **ret, struct etl_error *);
void instance_close(struct instance *);
/* Puts a new one of the plugin's in the place of the old, which has lost its connection; on failure the old one
 * is there still. Only by the thread that uses it. */
int instance_renew(struct instance *, struct etl_error *);
/* Calls `cancel` of every open instance; from any thread. */
void instances_cancel(void);
/* Prepares an error for a call into this instance: a later host->fail on it names plugin and
 * role. */
struct etl_error *instance_error(const struct instance *, struct etl_error *);

/* The switch behind host->canceled: set by a signal or the first failure of a run. */
void host_cancel(void);
void host_cancel_reset(void);
bool host_canceled(void);
/* Waits so many milliseconds; false: it was canceled meanwhile, and the rest was not waited for. */
bool host_wait(int64_t ms);
/* The signal that asked to stop, or 0 (signals.c sets it). */
extern atomic_int host_signal;

#endif
