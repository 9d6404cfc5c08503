/* See ask-run.h. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ask-run.h"
#include "log.h"
#include "state-place.h"

#define PAUSE_MS 100
#define BEGIN_MS 5000  /* for a run that has the lock to write itself down */
#define END_MS	 60000 /* for it to end: it is asked to within ten seconds */

struct asking {
	struct state_place place;
	const char *wish, *done; /* "cancel", and the status of a run that did it */
	struct lock_holder holder;
	struct state_seen seen; /* the run that is named, or the last one */
};

static void wait_a_moment(void)
{
	const struct timespec pause = { .tv_nsec = PAUSE_MS * 1000000L };

	nanosleep(&pause, NULL);
}

/* ---- Which run ---- */

static bool is_held(struct asking *a)
{
	return lock_is_held(a->place.lock, &a->holder);
}

static int none_is_on(struct asking *a, struct etl_error *err)
{
	const struct state_seen *seen = &a->seen;
	bool died = strcmp(seen->status, STATE_RUNNING) == 0;

	if (!seen->any && a->place.run)
		return state_place_no_run(&a->place, err);
	if (!seen->any)
		return error_set(err, ETL_USAGE, "nothing to %s: there is no run of %s yet", a->wish,
				 a->place.pipeline->name);
	if (state_is_unfinished(seen->status))
		return error_set(err, ETL_USAGE,
				 "nothing to %s: run %s is not on, it is %s; `etlrun rollback %s` takes away what it staged",
				 a->wish, seen->id, died ? STATE_INTERRUPTED : seen->status, seen->id);
	return error_set(err, ETL_USAGE, "nothing to %s: run %s is not on, it is %s", a->wish, seen->id, seen->status);
}

/* The lock is taken before the run is written down; others than runs take it too. */
static int find_run(struct asking *a, struct etl_error *err)
{
	for (int waited = 0; waited < BEGIN_MS && !host_canceled(); waited += PAUSE_MS) {
		bool held = is_held(a);
		int rc = state_place_look(&a->place, a->place.run, &a->seen, err);

		if (rc < 0)
			return rc;
		if (!held)
			return none_is_on(a, err);
		if (state_seen_is_on(&a->seen, &a->holder))
			return 0;
		if (a->seen.any && a->place.run && strcmp(a->seen.status, STATE_RUNNING) != 0)
			return none_is_on(a, err);
		wait_a_moment();
	}
	if (host_canceled())
		return ETL_CANCELED;
	return error_set(err, ETL_HOST_LOCKED,
			 "process %" PRId64 " holds the lock %s, and is no run that can be asked to %s; wait until it has "
			 "ended",
			 a->holder.pid, a->place.lock, a->wish);
}

/* ---- Asking it ---- */

static int put_request(struct asking *a, bool *ret, struct etl_error *err)
{
	struct state *state = NULL;
	int rc = state_open(a->place.state, true, &state, err);

	if (rc == 0)
		rc = state_request(state, a->seen.id, a->wish, ret, err);
	state_close(state);
	if (rc == 0 && *ret)
		log_line(ETL_LOG_INFO, "run %s, of process %" PRId64 ", is asked to %s", a->seen.id, a->seen.pid, a->wish);
	return rc;
}

static int wait_for_end(struct asking *a, struct etl_error *err)
{
	struct lock_holder first = a->holder;

	for (int waited = 0; waited < END_MS && !host_canceled(); waited += PAUSE_MS) {
		if (!is_held(a) || (a->holder.pid && (a->holder.pid != first.pid || a->holder.since != first.since)))
			return 0;
		wait_a_moment();
	}
	if (host_canceled())
		return ETL_CANCELED;
	return error_set(err, ETL_HOST_LOCKED,
			 "run %s was asked to %s %d seconds ago, and still goes on; end it with kill %" PRId64
			 ", and if that does not help with kill -9",
			 a->seen.id, a->wish, END_MS / 1000, first.pid);
}

static int tell_end(struct asking *a, struct etl_error *err)
{
	struct state_seen *seen = &a->seen;
	char run[sizeof(seen->id)];

	memcpy(run, seen->id, sizeof(run));
	if (state_place_look(&a->place, run, seen, err) < 0)
		return ETL_FAILED;
	if (strcmp(seen->status, a->done) != 0)
		return error_set(err, ETL_USAGE, "run %s ended before it heard of it: it is %s (exit %d)%s%s", run,
				 seen->status, seen->exit, seen->error ? ": " : "", seen->error ? seen->error : "");
	log_line(ETL_LOG_INFO, "run %s is %s: %s", run, seen->status, seen->error ? seen->error : "it has ended");
	if (strcmp(seen->status, STATE_PAUSED) == 0 && seen->command)
		log_line(ETL_LOG_INFO, "go on with: %s", seen->command);
	return 0;
}

int ask_run(const struct cli *cli, const char *wish, struct etl_error *err)
{
	struct asking a = { .wish = wish, .done = strcmp(wish, "pause") == 0 ? STATE_PAUSED : STATE_CANCELED };
	bool asked = false;
	int rc = state_place_open(&a.place, cli, err);

	if (rc == 0)
		rc = find_run(&a, err);
	if (rc == 0)
		rc = put_request(&a, &asked, err);
	if (rc == 0 && asked)
		rc = wait_for_end(&a, err);
	if (rc == 0)
		rc = tell_end(&a, err);
	state_place_close(&a.place);
	state_seen_clear(&a.seen);
	return rc;
}
