/*
 * The state of a pipeline for a verb that begins no run: [RUN] and a pipeline file, or the two URIs of a `copy`, as they
 * stand on the command line; the target is opened, for it is the target that says where the state lives.
 */
#ifndef CORE_STATE_PLACE_H
#define CORE_STATE_PLACE_H

#include "cmd.h"
#include "host.h"

struct state_place {
	const char *run; /* that is named, or NULL */
	struct pipeline *pipeline;
	struct instance *target;
	char state[4096], lock[4200];
};

/* Whatever it gives, state_place_close follows. */
int state_place_open(struct state_place *, const struct cli *, struct etl_error *);
void state_place_close(struct state_place *);
/* That is what is said of a run that was named and is not there. */
int state_place_no_run(const struct state_place *, struct etl_error *);

#endif
