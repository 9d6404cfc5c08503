/*
 * The state of a pipeline for a verb that begins no run: [RUN] and a pipeline file, or the two URIs of a `copy`, as they
 * stand on the command line; the target is opened, for it is the target that says where the state lives.
 */
#ifndef CORE_STATE_PLACE_H
#define CORE_STATE_PLACE_H

#include "cmd.h"
#include "host.h"
#include "lock.h"
#include "state.h"

struct state_place {
	const char *run; /* that is named, or NULL */
	struct pipeline *pipeline;
	struct instance *target;
	char state[4096], lock[4200];
};

/* The words, and the pipeline; then the target, and where the state is; or both at once. Whatever it gives,
 * state_place_close follows. */
int state_place_read(struct state_place *, const struct cli *, struct etl_error *);
int state_place_reach(struct state_place *, struct etl_error *);
int state_place_open(struct state_place *, const struct cli *, struct etl_error *);
void state_place_close(struct state_place *);
/* One run, as the state has it at this moment. */
struct state_seen {
	bool any; /* else there is none, and nothing else holds */
	char id[80], status[32], phase[32], started[32];
	int64_t pid;
	int exit;
	uint64_t tables, rows, rejected;
	uint64_t batches, batch_rows; /* that are published */
	char *command, *error; /* or NULL */
};
/* RUN, or NULL: the newest of the pipeline. Into a SEEN that is zero or was filled before; state_seen_clear in any case. */
int state_place_look(const struct state_place *, const char *run, struct state_seen *, struct etl_error *);
void state_seen_clear(struct state_seen *);
/* Whether it says that it is running, and HOLDER, of the lock, is its process. One that died says so too. */
bool state_seen_is_on(const struct state_seen *, const struct lock_holder *holder);

/* That is what is said of a run that was named and is not there. */
int state_place_no_run(const struct state_place *, struct etl_error *);

#endif
