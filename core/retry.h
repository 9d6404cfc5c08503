/*
 * Retries are the host's alone: a plugin only says what kind of failure it was. This file knows what is
 * tried again, how often, and after how long; whoever called knows what has to be put back before.
 */
#ifndef CORE_RETRY_H
#define CORE_RETRY_H

#include "host.h"

enum retry_how {
	RETRY_NOT,
	RETRY_AGAIN, /* on the same instance, at once */
	RETRY_ANEW   /* on a new one, after a while */
};

/* The connection went, and with it the answer: what was asked for may have been done. */
bool retry_is_lost(int32_t klass);

/* How often one piece of work was tried again. All zero: never. */
struct retry_count {
	uint32_t statements, connections;
};

/* What is done about ERR, of work on INSTANCE (NULL: it has no instance yet), and counts it. An instance that
 * holds the pin cannot be made anew: its view is gone with its connection. */
enum retry_how retry_decide(struct retry_count *, const struct instance *, int64_t most,
			    const struct etl_error *);
/* Says that WHAT failed with ERR and is tried again, and waits for as long as that takes; false: the run was
 * canceled meanwhile. Clears ERR. */
bool retry_wait(const struct retry_count *, enum retry_how, int64_t most, const char *what,
		struct etl_error *err);

/* One call on one instance:
 *
 *	struct retry retry = retry_of(instance, "asking for …");
 *	do
 *		rc = …(instance->self, …, instance_error(instance, err));
 *	while (rc < 0 && retry_again(&retry, err));
 */
struct retry {
	struct instance *instance;
	const char *what;
	struct retry_count count;
};

struct retry retry_of(struct instance *, const char *what);
/* Has waited, and INSTANCE is a new one when it had to be. False: it is not tried again, and ERR says why, or is clear after
 * a signal. */
bool retry_again(struct retry *, struct etl_error *err);
/* Any class that a retry may help with, whether or not there were any left: nobody's rows or pipeline are wrong. */
bool retry_class(int32_t klass);

/* How often anything was tried again in this process. */
uint64_t retry_total(void);

#endif
